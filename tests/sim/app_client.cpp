#include "tests/sim/app_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/numbers.hpp"
#include "marathon/records.hpp"

namespace sim {

namespace {

constexpr base::Duration kPatience = base::seconds(10);
constexpr base::Duration kLaunching = base::minutes(10);

AppModels one(AppModel model) {
  return {model};
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

AppModel actual(const marathon::State& state, const std::string& app) {
  const marathon::AppRun* run = marathon::find_spec(state, app);
  if (!run) return {};
  const auto tag = run->target->env.find("TAG");
  uint64_t number = 0;
  if (tag != run->target->env.end()) number = base::parse_uint(tag->second).value_or(0);
  return {true, static_cast<int64_t>(number), run->target->instances};
}

std::string describe(const AppModels& models) {
  std::string text;
  for (const AppModel& model : models) text += (text.empty() ? "" : " or ") + describe(model);
  return text;
}

AppClient::AppClient(World& world, Context& context, std::function<SimMarathon*()> find, Sizes sizes, double loss)
    : world_(world), context_(context), find_(std::move(find)), loss_(loss) {
  const auto add = [this](unsigned count, const char* name, bool pod, bool resident) {
    for (unsigned i = 0; i < count; ++i) {
      Lane& lane = lanes_.emplace_back();
      lane.app = name + std::to_string(i);
      lane.pod = pod;
      lane.resident = resident;
      lane.keeps = resident && i == 0;
    }
  };
  add(sizes.apps, "/a", false, false);
  add(sizes.pods, "/p", true, false);
  add(sizes.resident_apps, "/ra", false, true);
  add(sizes.resident_pods, "/rp", true, true);
}

bool AppClient::is_resident(const std::string& app) const {
  return std::any_of(lanes_.begin(), lanes_.end(), [&](const Lane& lane) { return lane.app == app && lane.resident; });
}

bool AppClient::may_lose(const std::string& app, base::Instant written) const {
  for (const Lane& lane : lanes_) {
    // What was being launched then may have begun to run a little later.
    if (lane.app == app && lane.loss_asked && written < *lane.loss_asked + kLaunching) return true;
  }
  return false;
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
  const SimMarathon* marathon = find_();
  if (!marathon) return;
  for (const Lane& lane : lanes_) {
    const AppModels may_be = models(now(lane));
    const AppModel is = actual(marathon->core().state(), lane.app);
    if (std::none_of(may_be.begin(), may_be.end(),
                     [&](const AppModel& model) { return matches(model, is); }))
      world_.fail(fmt::format("{}: {} is {}, but must be {}", when, lane.app, describe(is),
                              sim::describe(may_be)));
  }
  check_store(when);
}

void AppClient::check_store(const char* when) const {
  const SimMarathon* marathon = find_();
  if (!marathon || !marathon->core().state().pending.empty()) return;
  const auto stored = marathon->stored();
  for (const Lane& lane : lanes_) {
    const auto found = stored.find(marathon::current_key(lane.app));
    const marathon::AppRun* run = marathon::find_spec(marathon->core().state(), lane.app);
    const std::string on_disk = found == stored.end() ? "none" : found->second;
    const std::string in_memory = run ? base::render_iso8601(run->target->version) : "none";
    if (on_disk != in_memory)
      world_.fail(fmt::format("{}: {} is version {}, but the store says {}", when, lane.app,
                              in_memory, on_disk));
  }
}

size_t AppClient::most_instances(const std::string& app) const {
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
  const double over = lane.resident ? 0 : random.chance(0.5) ? 0.5 * static_cast<double>(random.below(3)) : 1.0;
  const double healthy = random.chance(0.5) ? 0.5 * static_cast<double>(random.below(3)) : 1.0;
  lane.highest = std::max(lane.highest, *model.instances);
  lane.over = std::max(lane.over, over);
  const bool ends = !for_ever && random.chance(0.3);
  // One app has a port on each machine, and checks of its health.
  const bool port = lane.app == "/a0";
  std::string text = fmt::format(
      R"("cmd":"run {} {}","env":{{"TAG":"{}"}},"instances":{},"cpus":{},"mem":16,"ports":[{}],)"
      R"("upgradeStrategy":{{"minimumHealthCapacity":{},"maximumOverCapacity":{}}},)"
      R"("backoffSeconds":{},"maxLaunchDelaySeconds":10,)",
      ends ? 1 + random.below(40) : 0, ends ? random.below(2) : 0, model.tag, *model.instances, lane.resident ? 0.05 : 0.1,
      port ? "0" : "", healthy, over, random.below(3));
  if (lane.resident)
    return text + R"("container":{"type":"MESOS","volumes":[{"containerPath":"data","persistent":{"size":16}}]})";
  text += R"("unreachableStrategy":)";
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
  const bool scale = random.chance(0.4), wipe = !lane.keeps && !scale && random.chance(0.4);
  change.apply = [scale](const AppModel& now) {
    if (!now.exists) return AppModels{};
    return one({true, now.tag, scale ? std::nullopt : now.instances});
  };
  const std::string modes = fmt::format("?scale={}&wipe={}&force={}", scale, wipe,
                                        random.chance(0.5));
  change.target = "/v2/apps" + lane.app + "/tasks";
  const SimMarathon* marathon = find_();
  if (marathon && random.chance(0.6)) {
    // One task by its name.
    const auto* run = marathon::find_app(marathon->core().state(), lane.app);
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
  const bool stop = lane.keeps || random.chance(0.4);  // what made the app is not undone
  Change change;
  change.method = "DELETE";
  change.target = fmt::format("/v2/deployments/{}?force={}", id, stop);
  change.needs_app = false;
  change.apply = [stop, before = before](const AppModel& now) { return stop ? one(now) : before; };
  return change;
}

AppClient::Change AppClient::remove(const Lane& lane, bool force) const {
  return {"DELETE", fmt::format("{}{}?force={}", lane.pod ? "/v2/pods" : "/v2/apps", lane.app, force), "",
          [](const AppModel& now) { return now.exists ? one(AppModel{}) : AppModels{}; }};
}

AppClient::Change AppClient::draw(Lane& lane) {
  if (lane.pod) return draw_pod(lane);
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
      return lane.keeps ? kill_tasks(lane) : remove(lane, force);
    case 10:
      return kill_tasks(lane);
    default:
      if (lane.deployments.empty()) return change_definition(lane, false, force, false);
      return roll_back(lane);
  }
}

void AppClient::next(Lane& lane) {
  if (lane.done) return;
  auto& random = world_.random();
  if (!finishing_) {
    send(lane, draw(lane));
    while (random.chance(0.15)) {
      Change change = draw(lane);
      change.extra = true;
      send(lane, std::move(change));
    }
    return;
  }
  if (!lane.under_way.empty()) {
    world_.after(base::seconds(1), [this, &lane] { next(lane); });
    return;
  }
  lane.final_sent = true;
  if (!lane.keeps && random.chance(0.25)) return send(lane, remove(lane, true));
  if (!lane.pod) return send(lane, change_definition(lane, false, true, true));
  const SimMarathon* marathon = find_();
  const bool known = marathon && marathon::find_pod(marathon->core().state(), lane.app);
  send(lane, change_pod(lane, !known, true, true));
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
  if (change.method == "DELETE" && !lane.keeps) lane.loss_asked = world_.now().instant;
  if (!lane.under_way.empty()) change.alone = false;
  for (auto& [number, other] : lane.under_way) other.alone = false;
  const uint64_t number = next_change_++;
  lane.under_way.emplace(number, std::move(change));
  note_before(lane);
  world_.after(kPatience, [this, &lane, number] { unanswered(lane, number); });
  const auto lost = [this] { return context_.faults_on && world_.random().chance(loss_); };
  if (lost()) return;
  const auto on_answer = [this, &lane, number, lost](const base::http::Response& response) {
    if (lost()) return;
    world_.after(world_.random().jitter(base::milliseconds(20)),
                 [this, &lane, number, response] { answered(lane, number, response); });
  };
  world_.after(random.jitter(base::milliseconds(20)),
               [this, http = std::move(http), on_answer] {
                 if (SimMarathon* marathon = find_()) marathon->request(http, on_answer);
               });
}

AppClient::Possibilities AppClient::now(const Lane& lane) {
  Possibilities all = lane.may_be;
  std::vector<Possibility> fresh(all.begin(), all.end());
  while (!fresh.empty()) {
    const Possibility from = std::move(fresh.back());
    fresh.pop_back();
    for (const auto& [number, change] : lane.under_way) {
      if (from.happened.count(number) > 0) continue;
      for (const AppModel& model : change.apply(from.model)) {
        Possibility to{model, from.happened};
        to.happened.insert(number);
        if (all.insert(to).second) fresh.push_back(std::move(to));
      }
    }
  }
  return all;
}

void AppClient::note_before(Lane& lane) {
  for (const Possibility& possibility : now(lane)) {
    for (auto& [number, change] : lane.under_way) {
      if (possibility.happened.count(number) == 0) change.before.insert(possibility.model);
    }
  }
}

AppModels AppClient::models(const Possibilities& possibilities) {
  AppModels result;
  for (const Possibility& possibility : possibilities) result.insert(possibility.model);
  return result;
}

AppClient::Change AppClient::take(Lane& lane, uint64_t number) {
  const auto found = lane.under_way.find(number);
  Change change = std::move(found->second);
  lane.under_way.erase(found);
  return change;
}

void AppClient::answered(Lane& lane, uint64_t number, const base::http::Response& response) {
  if (lane.under_way.count(number) == 0) return;
  const Possibilities before = now(lane);
  const Change change = take(lane, number);
  world_.trace("client", fmt::format("{} for {}: {}", response.status, lane.app,
                                     response.status < 300 ? "" : response.body));
  const bool success = response.status >= 200 && response.status < 300;
  if (response.status == 500 || response.status < 200)
    world_.fail(fmt::format("{} {} was answered {}: {}", change.method, change.target,
                            response.status, response.body));
  // A change that could not be stored may live on in another that was built upon it.
  const bool either = response.status == 503 && !change.alone;
  Possibilities left;
  AppModels without;
  for (const Possibility& possibility : before) {
    const bool happened = possibility.happened.count(number) > 0;
    if (!happened) without.insert(possibility.model);
    if (!either && happened != success) continue;
    Possibility kept = possibility;
    kept.happened.erase(number);
    left.insert(std::move(kept));
  }
  if (response.status == 404 && change.needs_app && change.alone) {
    left = {Possibility{}};
    if (without.count(AppModel{}) == 0) left.clear();
    lane.done |= lane.final_sent;
  }
  if (left.empty()) {
    world_.fail(fmt::format("{} {} was answered {}, but {} is {}", change.method, change.target,
                            response.status, lane.app, sim::describe(without)));
    left = before;
  }
  lane.may_be = std::move(left);
  if (success) {
    ++acknowledged_;
    lane.done |= lane.final_sent;
    if (const auto id = response.headers.get("Marathon-Deployment-Id"))
      lane.deployments.emplace_back(std::string(*id), change.before);
  }
  check_store("after an answer");
  if (change.extra) return;
  world_.after(world_.random().jitter(base::seconds(finishing_ ? 1 : 8)),
               [this, &lane] { next(lane); });
}

void AppClient::unanswered(Lane& lane, uint64_t number) {
  if (lane.under_way.count(number) == 0) return;
  ++uncertain_;
  Possibilities left;
  for (Possibility possibility : now(lane)) {
    possibility.happened.erase(number);
    left.insert(std::move(possibility));
  }
  lane.may_be = std::move(left);
  const Change change = take(lane, number);
  world_.trace("client", "no answer for " + lane.app);
  if (!change.extra) next(lane);
}

}  // namespace sim
