#include "chronos/testing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"
#include "base/system_zones.hpp"
#include "chronos/runs.hpp"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"

namespace chronos::testing {

namespace pb = mesos::v1;
using pb::scheduler::Call;

const base::TimeZones& zones() {
  static const std::unique_ptr<base::TimeZones> zones = base::system_time_zones();
  return *zones;
}

namespace {

bool has_ended(const std::string& state) {
  return state == "TASK_FINISHED" || state == "TASK_FAILED" || state == "TASK_KILLED" || state == "TASK_GONE" ||
         state == "TASK_LOST" || state == "TASK_DROPPED" || state == "TASK_ERROR";
}

}  // namespace

World::World(Policy policy, std::vector<Agent> a, const std::string& time)
    : agents(std::move(a)), policy_(std::move(policy)) {
  now.instant.since_start = base::seconds(1000);
  now.time = base::parse_iso8601(time).value();
  core = std::make_unique<Core>(policy_, "host:4400", zones());
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
    ++steps;
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
  if (auto* e = std::get_if<Notify>(&effect)) notices.push_back(*e);
  if (auto* e = std::get_if<Trace>(&effect)) traces.push_back(e->text);
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
    if (on_commit) on_commit(commit.writes);
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
  offer_all();
}

void World::disconnect() {
  connected_ = false;
  offers_.clear();
  on(MasterLost{});
}

base::http::Response World::request(const std::string& method, const std::string& target, const std::string& body,
                                    const std::string& content_type) {
  base::http::Request http;
  http.method = method;
  http.target = target;
  http.path = target.substr(0, target.find('?'));
  if (const size_t mark = target.find('?'); mark != std::string::npos) http.query_text = target.substr(mark + 1);
  if (!content_type.empty()) http.headers.set("Content-Type", content_type);
  http.body = body;
  const CallId call = next_call_++;
  on(HttpRequested{call, std::move(http)});
  const auto it = replies_.find(call);
  if (it == replies_.end()) return base::http::Response{0, {}, {}};
  base::http::Response response = std::move(it->second);
  replies_.erase(it);
  return response;
}

int World::post(const std::string& where, std::string body) {
  return request("POST", "/v1/scheduler/" + where, base::replace_all(body, "'", "\"")).status;
}

void World::update(const std::string& id, const std::string& state, const std::string& message) {
  pb::TaskState value{};
  if (!pb::TaskState_Parse(state, &value)) return;
  auto event = std::make_shared<pb::scheduler::Event>();
  event->set_type(pb::scheduler::Event::UPDATE);
  auto& status = *event->mutable_update()->mutable_status();
  status.mutable_task_id()->set_value(id);
  status.set_state(value);
  status.set_uuid(fmt::format("{:016}", next_uuid_++));
  if (!message.empty()) status.set_message(message);
  const auto task = tasks.find(id);
  status.mutable_agent_id()->set_value(task != tasks.end() ? task->second.agent : "A1");
  if (task != tasks.end()) {
    task->second.state = state;
    if (state == "TASK_RUNNING") task->second.started = now.time;
    if (has_ended(state)) task->second.ended = now.time;
  }
  send(event);
}

void World::offer_all() {
  if (!connected_) return;
  auto event = std::make_shared<pb::scheduler::Event>();
  event->set_type(pb::scheduler::Event::OFFERS);
  for (const Agent& agent : agents) {
    const bool offered = std::any_of(offers_.begin(), offers_.end(),
                                     [&](const auto& entry) { return entry.second == agent.id; });
    if (offered) continue;
    double cpus = agent.cpus, mem = agent.mem, disk = agent.disk;
    for (const auto& [end, id] : ends_) {
      const Task& task = tasks.at(id);
      if (task.agent != agent.id || has_ended(task.state)) continue;
      cpus -= task.cpus, mem -= task.mem, disk -= task.disk;
    }
    auto& offer = *event->mutable_offers()->add_offers();
    const std::string id = "O" + std::to_string(next_offer_++);
    offers_[id] = agent.id;
    offer.mutable_id()->set_value(id);
    offer.mutable_framework_id()->set_value("F1");
    offer.mutable_agent_id()->set_value(agent.id);
    offer.set_hostname(agent.hostname);
    offer.mutable_allocation_info()->set_role("*");
    for (auto [name, amount] : {std::pair{"cpus", cpus}, std::pair{"mem", mem}, std::pair{"disk", disk}}) {
      auto& resource = *offer.add_resources();
      resource.set_name(name);
      resource.set_type(pb::Value::SCALAR);
      resource.mutable_scalar()->set_value(amount);
    }
    for (const auto& [name, value] : agent.attributes) {
      auto& attribute = *offer.add_attributes();
      attribute.set_name(name);
      attribute.set_type(pb::Value::TEXT);
      attribute.mutable_text()->set_value(value);
    }
  }
  if (event->offers().offers_size() > 0) send(event);
}

void World::launch(const pb::TaskInfo& info) {
  const std::string id = info.task_id().value();
  Task task;
  task.agent = info.agent_id().value();
  task.job = parse_task_id(id).value().job;
  task.state = "TASK_STAGING";
  task.info = std::make_shared<pb::TaskInfo>(info);
  task.launched = now.time;
  for (const auto& resource : info.resources()) {
    if (resource.name() == "cpus") task.cpus += resource.scalar().value();
    if (resource.name() == "mem") task.mem += resource.scalar().value();
    if (resource.name() == "disk") task.disk += resource.scalar().value();
  }
  launches.push_back(id);
  const auto length = runs_for_job.find(task.job);
  ends_.emplace(now.instant + (length != runs_for_job.end() ? length->second : runs_for), id);
  tasks[id] = std::move(task);
  if (auto_run) update(id, "TASK_RUNNING");
}

void World::on_call(const Call& call) {
  calls.push_back(Call::Type_Name(call.type()));
  if (!connected_) return;
  switch (call.type()) {
    case Call::ACCEPT:
      for (const auto& id : call.accept().offer_ids()) offers_.erase(id.value());
      if (drop_launches) break;
      for (const auto& operation : call.accept().operations()) {
        for (const auto& info : operation.launch().task_infos()) launch(info);
      }
      // What is left over comes back at once.
      if (auto_offer) offer_all();
      break;
    case Call::DECLINE:
      for (const auto& id : call.decline().offer_ids()) offers_.erase(id.value());
      break;
    case Call::REVIVE:
      if (auto_offer) offer_all();
      break;
    case Call::KILL: {
      const std::string& id = call.kill().task_id().value();
      update(id, tasks.contains(id) ? "TASK_KILLED" : "TASK_UNKNOWN");
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
    auto next = timers_.end();
    for (auto it = timers_.begin(); it != timers_.end(); ++it) {
      if (it->second <= end && (next == timers_.end() || it->second < next->second)) next = it;
    }
    const bool task_first = !ends_.empty() && ends_.begin()->first <= end &&
                            (next == timers_.end() || ends_.begin()->first <= next->second);
    if (task_first) {
      const std::string id = ends_.begin()->second;
      move_to(ends_.begin()->first);
      ends_.erase(ends_.begin());
      const Task& task = tasks.at(id);
      if (has_ended(task.state)) continue;
      const std::string state = outcome ? outcome(task.job, id) : "";
      update(id, state.empty() ? "TASK_FINISHED" : state);
    } else if (next != timers_.end()) {
      move_to(next->second);
      const TimerName name = next->first;
      timers_.erase(next);
      on(TimerFired{name});
    } else {
      break;
    }
  }
  move_to(end);
}

void World::jump(base::Duration by, bool notice) {
  now.time = now.time + by;
  if (notice) on(ClockJumped{});
}

void World::restart() {
  disconnect();
  queue_.clear();
  timers_.clear();
  commits_.clear();
  replies_.clear();
  core = std::make_unique<Core>(policy_, "host:4400", zones());
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

}  // namespace chronos::testing
