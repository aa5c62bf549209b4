// What the client asks of pods.

#include <fmt/format.h>

#include "tests/sim/app_client.hpp"

namespace sim {

namespace {

AppModels keep(const AppModel& now) { return now.exists ? AppModels{now} : AppModels{}; }

}  // namespace

int64_t AppClient::define_pod(Lane& lane, bool for_ever) {
  auto& random = world_.random();
  const int64_t tag = next_tag_++;
  const double over = lane.resident ? 0 : random.chance(0.5) ? 0.5 * static_cast<double>(random.below(3)) : 1.0;
  const double healthy = random.chance(0.5) ? 0.5 * static_cast<double>(random.below(3)) : 1.0;
  lane.over = std::max(lane.over, over);
  // One pod has a port on each machine, and a check of its health beside the container.
  const bool port = lane.app == "/p0";
  const bool check = port && random.chance(0.7);
  std::string containers;
  const uint64_t count = lane.resident ? 2 : 1 + random.below(3);  // what is reserved stays the same
  for (uint64_t i = 0; i < count; ++i) {
    const bool ends = !for_ever && random.chance(0.2);
    containers += fmt::format(R"({}{{"name":"c{}","exec":{{"command":{{"shell":"run {} {}"}}}},)"
                              R"("resources":{{"cpus":0.02,"mem":8}})",
                              i > 0 ? "," : "", i, ends ? 1 + random.below(40) : 0, ends ? random.below(2) : 0);
    if (lane.resident) containers += R"(,"volumeMounts":[{"name":"data","mountPath":"var"}])";
    if (i == 0 && port) containers += R"(,"endpoints":[{"name":"e","hostPort":0}])";
    if (i == 0 && check)
      containers += R"(,"healthCheck":{"http":{"endpoint":"e"},"gracePeriodSeconds":5,"intervalSeconds":5,)"
                    R"("timeoutSeconds":2,"maxConsecutiveFailures":2,"delaySeconds":1})";
    containers += "}";
  }
  std::string text = fmt::format(
      R"("id":"{}","environment":{{"TAG":"{}"}},"containers":[{}],{}"scheduling":{{)"
      R"("upgrade":{{"minimumHealthCapacity":{},"maximumOverCapacity":{}}},)"
      R"("backoff":{{"backoff":{},"maxLaunchDelay":10}})",
      lane.app, tag, containers, lane.resident ? R"("volumes":[{"name":"data","persistent":{"size":16}}],)" : "", healthy, over,
      random.below(3));
  if (!lane.resident) {
    text += R"(,"unreachableStrategy":)";
    text += random.chance(0.2)
                ? std::string(R"("disabled")")
                : fmt::format(R"({{"inactiveAfterSeconds":{0},"expungeAfterSeconds":{0}}})", random.chance(0.5) ? 0 : 30);
  }
  text += "}";
  lane.definitions[tag] = std::move(text);
  return tag;
}

AppClient::Change AppClient::put_pod(Lane& lane, int64_t tag, bool post, bool force) {
  const auto instances = static_cast<int64_t>(world_.random().below(5));
  lane.highest = std::max(lane.highest, instances);
  const AppModel model{true, tag, instances};
  Change change;
  change.body = fmt::format(R"({{{},"scaling":{{"kind":"fixed","instances":{}}}}})", lane.definitions.at(tag), instances);
  if (post) {
    change.method = "POST";
    change.target = "/v2/pods";
    change.needs_app = false;
    change.apply = [model](const AppModel& now) { return now.exists ? AppModels{} : AppModels{model}; };
  } else {
    change.method = "PUT";
    change.target = fmt::format("/v2/pods{}?force={}", lane.app, force);
    change.apply = [model](const AppModel& now) { return now.exists ? AppModels{model} : AppModels{}; };
  }
  return change;
}

AppClient::Change AppClient::change_pod(Lane& lane, bool post, bool force, bool for_ever) {
  return put_pod(lane, define_pod(lane, for_ever), post, force);
}

AppClient::Change AppClient::kill_pod_instances(const Lane& lane) {
  auto& random = world_.random();
  const bool wipe = !lane.keeps && random.chance(0.4), one = random.chance(0.6);
  Change change{"DELETE", "/v2/pods" + lane.app + "::instances", "", keep};
  std::vector<std::string> ids;
  const SimMarathon* marathon = find_();
  const auto* run = marathon ? marathon::find_pod(marathon->core().state(), lane.app) : nullptr;
  if (run) {
    for (const auto& [id, instance] : run->instances) ids.push_back(id);
  }
  if (one && !ids.empty()) {
    change.target += "/" + ids[random.below(ids.size())];
    change.needs_app = false;  // a 404 may be about the instance
  } else {
    for (const std::string& id : ids) change.body += fmt::format(R"({}"{}")", change.body.empty() ? "" : ",", id);
    change.body = "[" + change.body + "]";
  }
  change.target += fmt::format("?wipe={}", wipe);
  return change;
}

AppClient::Change AppClient::draw_pod(Lane& lane) {
  auto& random = world_.random();
  const bool force = random.chance(0.6);
  const std::string target = "/v2/pods" + lane.app;
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:
      return change_pod(lane, true, force, false);
    case 3:
    case 4:
      return change_pod(lane, false, force, false);
    case 5:
    case 6:
    case 7: {
      // Scaled: the same definition as now, or an earlier one.
      if (lane.definitions.empty()) return change_pod(lane, true, force, false);
      auto chosen = std::prev(lane.definitions.end());
      const SimMarathon* marathon = find_();
      if (marathon) {
        const auto now = lane.definitions.find(actual(marathon->core().state(), lane.app).tag);
        if (now != lane.definitions.end()) chosen = now;
      }
      return put_pod(lane, chosen->first, false, force);
    }
    case 8:
      return {"POST", fmt::format("{}/restart?force={}", target, force), "", keep};
    case 9:
      return lane.keeps ? kill_pod_instances(lane) : remove(lane, force);
    case 10:
      return kill_pod_instances(lane);
    default:
      if (lane.deployments.empty()) return change_pod(lane, false, force, false);
      return roll_back(lane);
  }
}

}  // namespace sim
