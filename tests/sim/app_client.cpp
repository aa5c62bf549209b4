#include "tests/sim/app_client.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/numbers.hpp"

namespace sim {

namespace {

constexpr base::Duration kPatience = base::seconds(10);

AppModels one(AppModel model) {
  return {model};
}

AppModel actual(const marathon::State& state, const std::string& app) {
  const marathon::AppRun* run = marathon::find_app(state, app);
  if (!run) return {};
  const auto tag = run->target->env.find("TAG");
  uint64_t number = 0;
  if (tag != run->target->env.end()) number = base::parse_uint(tag->second).value_or(0);
  return {true, static_cast<int64_t>(number), run->target->instances};
}

bool matches(const AppModel& may_be, const AppModel& is) {
  if (!may_be.exists || !is.exists) return may_be.exists == is.exists;
  return may_be.tag == is.tag && (!may_be.instances || may_be.instances == is.instances);
}

std::string describe(const AppModel& model) {
  if (!model.exists) return "absent";
  return fmt::format("tag {} x {}", model.tag,
                     model.instances ? std::to_string(*model.instances) : "any");
}

}  // namespace

std::string describe(const AppModels& models) {
  std::string text;
  for (const AppModel& model : models) text += (text.empty() ? "" : " or ") + describe(model);
  return text;
}

AppClient::AppClient(World& world, Context& context, SimMarathon& marathon, unsigned apps,
                     double loss)
    : world_(world), context_(context), marathon_(marathon), loss_(loss), lanes_(apps) {
  for (unsigned i = 0; i < apps; ++i) lanes_[i].app = "/a" + std::to_string(i);
}

void AppClient::start() {
  for (Lane& lane : lanes_)
    world_.after(world_.random().jitter(base::seconds(3)), [this, &lane] { next(lane); });
}

void AppClient::finish() {
  finishing_ = true;
}

bool AppClient::finished() const {
  for (const Lane& lane : lanes_) {
    if (!lane.done) return false;
  }
  return true;
}

void AppClient::check(const char* when) const {
  if (!marathon_.up()) return;
  for (const Lane& lane : lanes_) {
    AppModels may_be = lane.may_be;
    if (lane.under_way) may_be.merge(after(lane.may_be, *lane.under_way));
    const AppModel is = actual(marathon_.core().state(), lane.app);
    bool found = false;
    for (const AppModel& model : may_be) found |= matches(model, is);
    if (!found)
      world_.fail(fmt::format("{}: {} is {}, but must be {}", when, lane.app, describe(is),
                              sim::describe(may_be)));
  }
}

size_t AppClient::most_containers(const std::string& app) const {
  for (const Lane& lane : lanes_) {
    if (lane.app != app) continue;
    return static_cast<size_t>(std::floor(static_cast<double>(lane.highest) * (1 + lane.over))) + 1;
  }
  return 0;
}

std::string AppClient::definition(Lane& lane, AppModel& model, bool for_ever) {
  auto& random = world_.random();
  model.exists = true;
  model.tag = next_tag_++;
  model.instances = static_cast<int64_t>(random.below(5));
  const double over = random.chance(0.5) ? 0.5 * static_cast<double>(random.below(3)) : 1.0;
  const double healthy = random.chance(0.5) ? 0.5 * static_cast<double>(random.below(3)) : 1.0;
  lane.highest = std::max(lane.highest, *model.instances);
  lane.over = std::max(lane.over, over);
  const bool ends = !for_ever && random.chance(0.3);
  // One app has a port on each machine, and checks of its health.
  const bool port = lane.app == "/a0";
  std::string text = fmt::format(
      R"("cmd":"run {} {}","env":{{"TAG":"{}"}},"instances":{},"cpus":0.1,"mem":16,"ports":[{}],)"
      R"("upgradeStrategy":{{"minimumHealthCapacity":{},"maximumOverCapacity":{}}},)"
      R"("backoffSeconds":{},"maxLaunchDelaySeconds":10,"unreachableStrategy":)",
      ends ? 1 + random.below(40) : 0, ends ? random.below(2) : 0, model.tag, *model.instances,
      port ? "0" : "", healthy, over, random.below(3));
  text += random.chance(0.2)
              ? std::string(R"("disabled")")
              : fmt::format(R"({{"inactiveAfterSeconds":{0},"expungeAfterSeconds":{0}}})",
                            random.chance(0.5) ? 0 : 30);
  if (port && random.chance(0.7))
    text += R"(,"healthChecks":[{"protocol":"HTTP","path":"/","portIndex":0,)"
            R"("gracePeriodSeconds":5,"intervalSeconds":5,"timeoutSeconds":2,)"
            R"("maxConsecutiveFailures":2}])";
  return text;
}

AppClient::Change AppClient::change_definition(Lane& lane, bool post, bool force, bool for_ever) {
  AppModel model;
  const std::string body = definition(lane, model, for_ever);
  Change change;
  change.needs_app = false;
  if (post) {
    change.method = "POST";
    change.target = "/v2/apps";
    change.body = fmt::format(R"({{"id":"{}",{}}})", lane.app, body);
    change.apply = [model](const AppModel& now) { return now.exists ? AppModels{} : one(model); };
  } else {
    change.method = "PUT";
    change.target = fmt::format("/v2/apps{}?force={}", lane.app, force);
    change.body = "{" + body + "}";
    change.apply = [model](const AppModel&) { return one(model); };
  }
  return change;
}

AppClient::Change AppClient::kill_tasks(const Lane& lane) {
  auto& random = world_.random();
  Change change;
  change.method = "DELETE";
  const bool scale = random.chance(0.4), wipe = !scale && random.chance(0.4);
  change.apply = [scale](const AppModel& now) {
    if (!now.exists) return AppModels{};
    return one({true, now.tag, scale ? std::nullopt : now.instances});
  };
  const std::string modes = fmt::format("?scale={}&wipe={}&force={}", scale, wipe,
                                        random.chance(0.5));
  change.target = "/v2/apps" + lane.app + "/tasks";
  if (marathon_.up() && random.chance(0.6)) {
    // One task by its name.
    const auto* run = marathon::find_app(marathon_.core().state(), lane.app);
    if (run && !run->instances.empty()) {
      auto chosen = run->instances.begin();
      std::advance(chosen, static_cast<int64_t>(random.below(run->instances.size())));
      if (!chosen->second.task_id.empty()) {
        change.target += "/" + chosen->second.task_id;
        change.needs_app = false;  // a 404 may be about the task
      }
    }
  }
  change.target += modes;
  return change;
}

AppClient::Change AppClient::roll_back(Lane& lane) {
  auto& random = world_.random();
  const auto& [id, before] = lane.deployments[random.below(lane.deployments.size())];
  const bool stop = random.chance(0.4);
  Change change;
  change.method = "DELETE";
  change.target = fmt::format("/v2/deployments/{}?force={}", id, stop);
  change.needs_app = false;
  change.apply = [stop, before = before](const AppModel& now) { return stop ? one(now) : before; };
  return change;
}

AppClient::Change AppClient::draw(Lane& lane) {
  auto& random = world_.random();
  const bool force = random.chance(0.6);
  const std::string target = fmt::format("/v2/apps{}?force={}", lane.app, force);
  const auto keep = [](const AppModel& now) { return now.exists ? one(now) : AppModels{}; };
  switch (random.below(12)) {
    case 0:
    case 1:
      return change_definition(lane, true, force, false);
    case 2:
    case 3:
      return change_definition(lane, false, force, false);
    case 4:
    case 5:
    case 6: {
      const auto n = static_cast<int64_t>(random.below(6));
      lane.highest = std::max(lane.highest, n);
      return {"PATCH", target, fmt::format(R"({{"instances":{}}})", n), [n](const AppModel& now) {
                return now.exists ? one({true, now.tag, n}) : AppModels{};
              }};
    }
    case 7: {
      const int64_t tag = next_tag_++;
      return {"PATCH", target, fmt::format(R"({{"env":{{"TAG":"{}"}}}})", tag),
              [tag](const AppModel& now) {
                return now.exists ? one({true, tag, now.instances}) : AppModels{};
              }};
    }
    case 8:
      return {"POST", fmt::format("/v2/apps{}/restart?force={}", lane.app, force), "", keep};
    case 9:
      return {"DELETE", target, "", [](const AppModel& now) {
                return now.exists ? one(AppModel{}) : AppModels{};
              }};
    case 10:
      return kill_tasks(lane);
    default:
      if (lane.deployments.empty()) return change_definition(lane, false, force, false);
      return roll_back(lane);
  }
}

void AppClient::next(Lane& lane) {
  if (lane.done) return;
  if (!finishing_) return send(lane, draw(lane));
  lane.final_sent = true;
  if (world_.random().chance(0.25)) {
    Change change{"DELETE", "/v2/apps" + lane.app + "?force=true", "",
                  [](const AppModel& now) { return now.exists ? one(AppModel{}) : AppModels{}; }};
    return send(lane, std::move(change));
  }
  send(lane, change_definition(lane, false, true, true));
}

void AppClient::send(Lane& lane, Change change) {
  auto& random = world_.random();
  world_.trace("client", fmt::format("{} {} {}", change.method, change.target, change.body));
  base::http::Request http;
  http.method = change.method;
  http.target = change.target;
  http.path = change.target.substr(0, change.target.find('?'));
  if (const size_t mark = change.target.find('?'); mark != std::string::npos)
    http.query_text = change.target.substr(mark + 1);
  http.body = change.body;
  http.remote_address = "127.0.0.1:12345";
  lane.under_way = std::move(change);
  const uint64_t sequence = ++lane.sequence;
  world_.after(kPatience, [this, &lane, sequence] { unanswered(lane, sequence); });
  const auto lost = [this] { return context_.faults_on && world_.random().chance(loss_); };
  if (lost()) return;
  const auto on_answer = [this, &lane, sequence, lost](const base::http::Response& response) {
    if (lost()) return;
    world_.after(world_.random().jitter(base::milliseconds(20)),
                 [this, &lane, sequence, response] { answered(lane, sequence, response); });
  };
  world_.after(random.jitter(base::milliseconds(20)),
               [this, http = std::move(http), on_answer] { marathon_.request(http, on_answer); });
}

AppModels AppClient::after(const AppModels& may_be, const Change& change) {
  AppModels result;
  for (const AppModel& model : may_be) result.merge(change.apply(model));
  return result;
}

void AppClient::answered(Lane& lane, uint64_t sequence, const base::http::Response& response) {
  if (sequence != lane.sequence || !lane.under_way) return;
  const Change change = std::move(*lane.under_way);
  lane.under_way.reset();
  world_.trace("client", fmt::format("{} for {}: {}", response.status, lane.app,
                                     response.status < 300 ? "" : response.body));
  if (response.status >= 200 && response.status < 300) {
    ++acknowledged_;
    AppModels now = after(lane.may_be, change);
    if (now.empty())
      world_.fail(fmt::format("{} {} was acknowledged, but {} is {}", change.method, change.target,
                              lane.app, sim::describe(lane.may_be)));
    if (const auto id = response.headers.get("Marathon-Deployment-Id"))
      lane.deployments.emplace_back(std::string(*id), lane.may_be);
    lane.may_be = std::move(now);
    lane.done |= lane.final_sent;
  } else if (response.status == 404 && change.needs_app) {
    if (lane.may_be.count(AppModel{}) == 0)
      world_.fail(fmt::format("{} {} was answered 404, but {} is {}", change.method, change.target,
                              lane.app, sim::describe(lane.may_be)));
    lane.may_be = one({});
    lane.done |= lane.final_sent;
  } else if (response.status == 500 || response.status < 200) {
    world_.fail(fmt::format("{} {} was answered {}: {}", change.method, change.target,
                            response.status, response.body));
  }
  world_.after(world_.random().jitter(base::seconds(finishing_ ? 1 : 8)),
               [this, &lane] { next(lane); });
}

void AppClient::unanswered(Lane& lane, uint64_t sequence) {
  if (sequence != lane.sequence || !lane.under_way) return;
  ++uncertain_;
  const Change change = std::move(*lane.under_way);
  lane.under_way.reset();
  world_.trace("client", "no answer for " + lane.app);
  lane.may_be.merge(after(lane.may_be, change));
  next(lane);
}

}  // namespace sim
