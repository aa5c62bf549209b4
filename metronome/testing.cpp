#include "metronome/testing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"
#include "base/system_zones.hpp"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"

namespace metronome::testing {

namespace pb = mesos::v1;
using pb::scheduler::Call;

namespace {

const base::TimeZones& zones() {
  static const std::unique_ptr<base::TimeZones> zones = base::system_time_zones();
  return *zones;
}

bool has_ended(const std::string& state) {
  return state != "TASK_STAGING" && state != "TASK_STARTING" && state != "TASK_RUNNING" && state != "TASK_KILLING" &&
         state != "TASK_UNREACHABLE";
}

}  // namespace

World::World(Policy policy, const std::string& time) : policy_(std::move(policy)) {
  now.instant.since_start = base::seconds(1000);
  now.time = base::parse_iso8601(time).value();
  core = std::make_unique<Core>(policy_, "host:9000", zones(), base::Random(++starts_));
  on(Recovered{});
}

World::~World() = default;

void World::on(Event event) {
  queue_.push_back(std::move(event));
  drain();
}

void World::drain() {
  if (busy_) return;
  busy_ = true;
  while (!queue_.empty()) {
    const Event event = std::move(queue_.front());
    queue_.pop_front();
    Effects out;
    core->on(event, now, out);
    for (Effect& effect : out.list) perform(effect);
  }
  busy_ = false;
}

void World::perform(Effect& effect) {
  if (auto* e = std::get_if<Reply>(&effect)) replies_[e->call] = std::move(e->response);
  if (auto* e = std::get_if<SendCall>(&effect)) on_call(*e->call);
  if (auto* e = std::get_if<SetTimer>(&effect)) timers_[e->timer] = e->at;
  if (auto* e = std::get_if<CancelTimer>(&effect)) timers_.erase(e->timer);
  if (auto* e = std::get_if<Exit>(&effect)) exits.push_back(*e);
  if (auto* e = std::get_if<Persist>(&effect)) {
    commits_.push_back(std::move(*e));
    if (store_answers) release_store();
  }
}

void World::release_store() {
  while (!commits_.empty()) {
    Persist commit = std::move(commits_.front());
    commits_.pop_front();
    base::Status status;
    if (store_works) {
      for (const Write& write : commit.writes) {
        if (write.value) {
          store[write.key] = *write.value;
        } else {
          store.erase(write.key);
        }
      }
    } else {
      status = base::Error{base::Code::NoSpace, "the disk is full"};
    }
    queue_.push_back(Persisted{commit.ticket, status});
  }
  drain();
}

void World::send(std::shared_ptr<pb::scheduler::Event> event) {
  if (connected_) queue_.push_back(MasterEvent{std::move(event)});
  drain();
}

void World::subscribe() {
  connected_ = true;
  auto event = std::make_shared<pb::scheduler::Event>();
  event->set_type(pb::scheduler::Event::SUBSCRIBED);
  event->mutable_subscribed()->mutable_framework_id()->set_value("F1");
  send(event);
  offer();
}

void World::disconnect() {
  connected_ = offered_ = false;
  on(MasterLost{});
}

base::http::Response World::request(const std::string& method, const std::string& target, const std::string& body) {
  base::http::Request http;
  http.method = method;
  http.target = target;
  http.path = target.substr(0, target.find('?'));
  if (target.find('?') != std::string::npos) http.query_text = target.substr(target.find('?') + 1);
  if (!body.empty()) http.headers.set("Content-Type", "application/json");
  http.body = base::replace_all(body, "'", "\"");
  const CallId call = next_call_++;
  on(HttpRequested{call, std::move(http)});
  return late_answer(call);
}

base::http::Response World::late_answer(CallId call) {
  base::http::Response response;
  response.status = 0;
  const auto it = replies_.find(call == 0 ? last_call() : call);
  if (it == replies_.end()) return response;
  response = std::move(it->second);
  replies_.erase(it);
  return response;
}

int World::add(const std::string& id, const std::string& more, const std::string& run_more) {
  return request("POST", "/v1/jobs", fmt::format("{{'id':'{}','run':{{'cmd':'x','cpus':0.1,'mem':32,'disk':0{}}}{}}}", id,
                                                 run_more, more))
      .status;
}

std::string World::start(const std::string& job) {
  const auto response = request("POST", "/v1/jobs/" + job + "/runs");
  return response.status == 201 ? response.body.substr(7, 19) : std::string();
}

void World::update(const std::string& task, const std::string& state) {
  pb::TaskState value{};
  if (!pb::TaskState_Parse(state, &value)) return;
  auto event = std::make_shared<pb::scheduler::Event>();
  event->set_type(pb::scheduler::Event::UPDATE);
  auto& status = *event->mutable_update()->mutable_status();
  status.mutable_task_id()->set_value(task);
  status.set_state(value);
  status.set_uuid(fmt::format("{:016}", next_uuid_++));
  status.mutable_agent_id()->set_value("A1");
  if (const auto it = tasks.find(task); it != tasks.end()) it->second.state = state;
  send(event);
}

void World::offer() {
  if (!connected_ || offered_) return;
  double left = cpus;
  for (const auto& [id, task] : tasks) left -= has_ended(task.state) ? 0 : 0.1;
  auto event = std::make_shared<pb::scheduler::Event>();
  event->set_type(pb::scheduler::Event::OFFERS);
  auto& offer = *event->mutable_offers()->add_offers();
  offer.mutable_id()->set_value("O" + std::to_string(next_offer_++));
  offer.mutable_framework_id()->set_value("F1");
  offer.mutable_agent_id()->set_value("A1");
  offer.set_hostname("host1");
  offer.mutable_allocation_info()->set_role("*");
  for (auto [name, amount] : {std::pair{"cpus", left}, std::pair{"mem", 8192.0}, std::pair{"disk", 1e5}, std::pair{"gpus", 1.0}}) {
    auto& resource = *offer.add_resources();
    resource.set_name(name);
    resource.set_type(pb::Value::SCALAR);
    resource.mutable_scalar()->set_value(amount);
  }
  offered_ = true;
  send(event);
}

void World::on_call(const Call& call) {
  calls.push_back(Call::Type_Name(call.type()));
  if (!connected_) return;
  switch (call.type()) {
    case Call::ACCEPT:
      offered_ = false;
      if (drop_launches) break;
      for (const auto& operation : call.accept().operations()) {
        for (const auto& info : operation.launch().task_infos()) {
          const std::string& id = info.task_id().value();
          launches.push_back(id);
          tasks[id] = {"TASK_STAGING", id.substr(0, id.find(".instance-") - 20), std::make_shared<pb::TaskInfo>(info)};
          if (auto_run) update(id, "TASK_RUNNING");
        }
      }
      // What is left over comes back at once.
      if (auto_offer) offer();
      break;
    case Call::DECLINE: offered_ = false; break;
    case Call::REVIVE:
      if (auto_offer) offer();
      break;
    case Call::KILL: {
      const std::string& id = call.kill().task_id().value();
      if (!tasks.contains(id)) update(id, "TASK_UNKNOWN");
      else if (auto_kill && !has_ended(tasks.at(id).state)) update(id, "TASK_KILLED");
      break;
    }
    case Call::ACKNOWLEDGE: acknowledged.insert(call.acknowledge().uuid()); break;
    case Call::RECONCILE:
      for (const auto& task : call.reconcile().tasks()) {
        const auto it = tasks.find(task.task_id().value());
        update(task.task_id().value(), it == tasks.end() ? "TASK_GONE" : std::string(it->second.state));
      }
      break;
    default: break;
  }
}

void World::advance(base::Duration duration) {
  const base::Instant end = now.instant + duration;
  const auto move_to = [&](base::Instant at) {
    const base::Duration step = std::max(base::Duration(0), at - now.instant);
    now.instant = now.instant + step;
    now.time = now.time + step;
  };
  while (true) {
    const auto next = std::min_element(timers_.begin(), timers_.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    if (next == timers_.end() || next->second > end) break;
    move_to(next->second);
    const TimerName name = next->first;
    timers_.erase(next);
    on(TimerFired{name});
  }
  move_to(end);
}

void World::jump(base::Duration by) {
  now.time = now.time + by;
  on(ClockJumped{});
}

void World::restart() {
  disconnect();
  queue_.clear();
  timers_.clear();
  commits_.clear();
  replies_.clear();
  core = std::make_unique<Core>(policy_, "host:9000", zones(), base::Random(++starts_));
  Recovered recovered;
  for (const auto& [key, value] : store) recovered.records.emplace_back(key, value);
  on(std::move(recovered));
}

std::vector<std::string> World::tasks_of(const std::string& job, const std::string& state) const {
  std::vector<std::string> list;
  for (const std::string& id : launches) {
    const Task& task = tasks.at(id);
    if (task.job == job && (state.empty() || task.state == state)) list.push_back(id);
  }
  return list;
}

}  // namespace metronome::testing
