#include "marathon/testing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"

namespace marathon::testing {

namespace pb = mesos::v1;
using pb::scheduler::Call;

World::World(Policy policy, std::vector<Agent> a) : agents(std::move(a)), policy_(std::move(policy)) {
  now.instant.since_start = base::seconds(1000);
  now.time = base::Time::from_seconds(1'700'000'000);
  core = std::make_unique<Core>(policy_, Identity{"host:8080", "1.11.24", "{}"}, base::Random(seed_++));
  on(Recovered{});
  on(StreamOpened{"127.0.0.1:1"});
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
    // A little time passes with each event, so that versions differ.
    now.instant = now.instant + base::microseconds(10);
    now.time = now.time + base::microseconds(10);
    Effects out;
    core->on(event, now, out);
    for (Effect& effect : out.list) perform(effect);
  }
  busy_ = false;
}

void World::perform(Effect& effect) {
  if (auto* e = std::get_if<Reply>(&effect)) {
    queue_.push_back(Answered{methods_[e->call], e->response.status, base::milliseconds(20), 10, e->response.body.size()});
    methods_.erase(e->call);
    replies_[e->call] = std::move(e->response);
  }
  if (auto* e = std::get_if<Publish>(&effect)) published.push_back(*e);
  if (auto* e = std::get_if<SendCall>(&effect)) on_call(*e->call);
  if (auto* e = std::get_if<SetTimer>(&effect)) timers_[e->timer] = e->at;
  if (auto* e = std::get_if<CancelTimer>(&effect)) timers_.erase(e->timer);
  if (auto* e = std::get_if<Exit>(&effect)) exits.push_back(*e);
  if (auto* e = std::get_if<Persist>(&effect)) {
    commits_.push_back(std::move(*e));
    if (store_answers) release_store();
  }
  if (auto* e = std::get_if<Probe>(&effect)) {
    probes.push_back(*e);
    if (!auto_probe) return;
    const auto by_port = probe_status_by_port.find(e->port);
    const int status = by_port != probe_status_by_port.end() ? by_port->second : probe_status;
    queue_.push_back(Probed{e->id, status, status == 0 ? "Connection refused" : "", "text/plain", ""});
  }
}

void World::answer_probe(const Probe& probe, int status, const std::string& error) {
  on(Probed{probe.id, status, error, "text/plain", "body"});
}

namespace {

/// The reservation that a resource belongs to; empty: none of ours.
std::string label_of(const pb::Resource& resource) {
  for (const auto& reservation : resource.reservations())
    for (const auto& label : reservation.labels().labels())
      if (label.key() == "marathon_task_id") return label.value();
  return {};
}

}  // namespace

void World::end_commit(size_t index, bool works) {
  const Persist commit = std::move(commits_.at(index));
  commits_.erase(commits_.begin() + static_cast<std::ptrdiff_t>(index));
  base::Status status;
  if (!works) status = base::Error{base::Code::NoSpace, "the disk is full"};
  for (const Write& write : commit.writes) {
    if (!works) break;
    if (write.value) {
      store[write.key] = *write.value;
    } else {
      store.erase(write.key);
    }
  }
  queue_.push_back(Persisted{commit.ticket, status});
}

void World::answer_commit(size_t index, bool works) {
  end_commit(index, works);
  drain();
}

void World::release_store() {
  while (!commits_.empty()) end_commit(0, store_works);
  drain();
}

void World::send(std::shared_ptr<pb::scheduler::Event> event) {
  if (connected_) queue_.push_back(MasterEvent{std::move(event)});
  drain();
}

void World::subscribe(bool offers) {
  connected_ = true;
  auto event = std::make_shared<pb::scheduler::Event>();
  event->set_type(pb::scheduler::Event::SUBSCRIBED);
  event->mutable_subscribed()->mutable_framework_id()->set_value("F1");
  if (!master_region.empty()) {
    auto& domain = *event->mutable_subscribed()->mutable_master_info()->mutable_domain()->mutable_fault_domain();
    domain.mutable_region()->set_name(master_region);
  }
  send(event);
  if (offers) offer_all();
}

void World::disconnect() {
  connected_ = false;
  offers_.clear();
  on(MasterLost{});
}

base::http::Response World::request(const std::string& method, const std::string& target,
                                    const std::string& body, base::http::Headers headers) {
  base::http::Request http;
  http.method = method;
  http.target = target;
  http.path = target.substr(0, target.find('?'));
  if (const size_t mark = target.find('?'); mark != std::string::npos) http.query_text = target.substr(mark + 1);
  http.headers = std::move(headers);
  http.body = body;
  http.remote_address = "127.0.0.1:12345";
  const CallId call = next_call_++;
  methods_[call] = method;
  on(HttpRequested{call, std::move(http), viewer});
  const auto it = replies_.find(call);
  if (it == replies_.end()) return base::http::Response{0, {}, {}};
  base::http::Response response = std::move(it->second);
  replies_.erase(it);
  return response;
}

void World::update(const std::string& id, const std::string& state, const std::string& message,
                   std::optional<bool> healthy) {
  pb::TaskState value{};
  if (!pb::TaskState_Parse(state, &value)) return;
  auto event = std::make_shared<pb::scheduler::Event>();
  event->set_type(pb::scheduler::Event::UPDATE);
  auto& status = *event->mutable_update()->mutable_status();
  status.mutable_task_id()->set_value(id);
  status.set_state(value);
  status.set_uuid(fmt::format("{:016}", next_uuid_++));
  if (!message.empty()) status.set_message(message);
  if (healthy) status.set_healthy(*healthy);
  const auto task = tasks.find(id);
  status.mutable_agent_id()->set_value(task != tasks.end() ? task->second.agent : "A1");
  if (task != tasks.end()) task->second.state = state;
  send(event);
}

void World::update_check(const std::string& id, const pb::CheckStatusInfo& check) {
  auto event = std::make_shared<pb::scheduler::Event>();
  event->set_type(pb::scheduler::Event::UPDATE);
  auto& status = *event->mutable_update()->mutable_status();
  status.mutable_task_id()->set_value(id);
  status.set_state(pb::TASK_RUNNING);
  status.set_reason(pb::TaskStatus::REASON_TASK_CHECK_STATUS_UPDATED);
  status.set_uuid(fmt::format("{:016}", next_uuid_++));
  status.mutable_agent_id()->set_value(tasks.at(id).agent);
  *status.mutable_check_status() = check;
  send(event);
}

void World::launch(const pb::TaskInfo& info, const std::shared_ptr<pb::ExecutorInfo>& executor) {
  Task task;
  task.agent = info.agent_id().value();
  task.state = "TASK_STAGING";
  task.info = std::make_shared<pb::TaskInfo>(info);
  const auto add = [&](const auto& resources) {
    for (const pb::Resource& resource : resources) {
      if (!label_of(resource).empty()) continue;
      if (resource.name() == "cpus") task.cpus += resource.scalar().value();
      if (resource.name() == "mem") task.mem += resource.scalar().value();
    }
  };
  add(info.resources());
  const bool first = std::none_of(tasks.begin(), tasks.end(), [&](const auto& t) { return t.second.executor == executor; });
  if (executor && first) add(executor->resources());
  task.executor = executor;
  tasks[info.task_id().value()] = std::move(task);
}

std::vector<std::string> World::siblings(const std::string& task) const {
  std::vector<std::string> list;
  const auto self = tasks.find(task);
  if (self == tasks.end() || !self->second.executor) return list;
  for (const auto& [id, other] : tasks) {
    const bool live = other.state == "TASK_STAGING" || other.state == "TASK_STARTING" || other.state == "TASK_RUNNING";
    if (id != task && live && other.executor == self->second.executor) list.push_back(id);
  }
  return list;
}

void World::offer_all() {
  auto event = std::make_shared<pb::scheduler::Event>();
  event->set_type(pb::scheduler::Event::OFFERS);
  for (const Agent& agent : agents) {
    const bool offered = std::any_of(offers_.begin(), offers_.end(),
                                     [&](const auto& entry) { return entry.second == agent.id; });
    if (offered) continue;
    double cpus = agent.cpus, mem = agent.mem, disk = agent.disk;
    for (const auto& resource : agent.reserved) {
      if (resource->disk().has_source() || resource->name() == "ports") continue;
      (resource->name() == "cpus" ? cpus : resource->name() == "mem" ? mem : disk) -= resource->scalar().value();
    }
    std::set<std::string> busy;  // reservations of tasks that run
    std::set<int> used;
    for (const auto& resource : agent.reserved) {
      for (const auto& range : resource->ranges().range()) used.insert(static_cast<int>(range.begin()));
    }
    for (const auto& [id, task] : tasks) {
      const bool ended = task.state == "TASK_FINISHED" || task.state == "TASK_FAILED" ||
                         task.state == "TASK_KILLED" || task.state == "TASK_UNREACHABLE" || task.state == "TASK_GONE" ||
                         task.state == "TASK_ERROR";
      if (task.agent != agent.id || ended) continue;
      cpus -= task.cpus;
      mem -= task.mem;
      if (task.executor) {
        for (const auto& resource : task.executor->resources()) {
          for (const auto& range : resource.ranges().range()) used.insert(static_cast<int>(range.begin()));
        }
      }
      for (const auto& resource : task.info->resources()) {
        if (!label_of(resource).empty()) busy.insert(label_of(resource));
        for (const auto& range : resource.ranges().range()) used.insert(static_cast<int>(range.begin()));
      }
    }
    auto& offer = *event->mutable_offers()->add_offers();
    const std::string id = "O" + std::to_string(next_offer_++);
    offers_[id] = agent.id;
    offer.mutable_id()->set_value(id);
    offer.mutable_framework_id()->set_value("F1");
    offer.mutable_agent_id()->set_value(agent.id);
    offer.set_hostname(agent.hostname);
    if (!agent.region.empty()) offer.mutable_domain()->mutable_fault_domain()->mutable_region()->set_name(agent.region);
    offer.mutable_allocation_info()->set_role(offer_role.empty() ? policy_.defaults.role : offer_role);
    for (const auto& resource : agent.reserved) {
      if (!busy.contains(label_of(*resource))) *offer.add_resources() = *resource;
    }
    for (auto [name, amount] : {std::pair{"cpus", cpus}, std::pair{"mem", mem}, std::pair{"disk", disk}}) {
      auto& resource = *offer.add_resources();
      resource.set_name(name);
      resource.set_type(pb::Value::SCALAR);
      resource.mutable_scalar()->set_value(amount);
      resource.mutable_allocation_info()->set_role(offer_role.empty() ? policy_.defaults.role : offer_role);
    }
    offer_disks(agent, offer);
    auto& ports = *offer.add_resources();
    ports.set_name("ports");
    ports.set_type(pb::Value::RANGES);
    int from = 31000;
    for (int port : used) {
      if (port > from) {
        auto& range = *ports.mutable_ranges()->add_range();
        range.set_begin(static_cast<uint64_t>(from));
        range.set_end(static_cast<uint64_t>(port - 1));
      }
      from = port + 1;
    }
    auto& range = *ports.mutable_ranges()->add_range();
    range.set_begin(static_cast<uint64_t>(from));
    range.set_end(32000);
    for (const auto& [name, value] : agent.attributes) {
      auto& attribute = *offer.add_attributes();
      attribute.set_name(name);
      attribute.set_type(pb::Value::TEXT);
      attribute.mutable_text()->set_value(value);
    }
  }
  if (event->offers().offers_size() > 0) send(event);
}

namespace {

const std::string& root_of(const pb::Resource& resource) {
  const auto& source = resource.disk().source();
  return source.has_mount() ? source.mount().root() : source.path().root();
}

/// The disk without the volume on it.
pb::Resource bare(const pb::Resource& volume) {
  pb::Resource out = volume;
  out.mutable_disk()->clear_persistence();
  out.mutable_disk()->clear_volume();
  if (!out.disk().has_source()) out.clear_disk();
  return out;
}

}  // namespace

void World::offer_disks(const Agent& agent, pb::Offer& offer) const {
  for (const Disk& disk : agent.disks) {
    double left = disk.size;
    for (const auto& resource : agent.reserved) {
      if (resource->disk().has_source() && root_of(*resource) == disk.root) left -= resource->scalar().value();
    }
    if (left <= 0) continue;
    auto& resource = *offer.add_resources();
    resource.set_name("disk");
    resource.set_type(pb::Value::SCALAR);
    resource.mutable_scalar()->set_value(left);
    resource.mutable_allocation_info()->set_role(offer_role.empty() ? policy_.defaults.role : offer_role);
    auto& source = *resource.mutable_disk()->mutable_source();
    source.set_type(disk.mount ? pb::Resource::DiskInfo::Source::MOUNT : pb::Resource::DiskInfo::Source::PATH);
    if (disk.mount) source.mutable_mount()->set_root(disk.root);
    if (!disk.mount) source.mutable_path()->set_root(disk.root);
    if (!disk.profile.empty()) source.set_profile(disk.profile);
  }
}

void World::convert(Agent& agent, const pb::Offer::Operation& operation) {
  const auto take = [&](const pb::Resource& wanted) {
    const auto found = std::find_if(agent.reserved.begin(), agent.reserved.end(), [&](const auto& held) {
      return label_of(*held) == label_of(wanted) && held->name() == wanted.name() && root_of(*held) == root_of(wanted) &&
             held->disk().persistence().id() == wanted.disk().persistence().id();
    });
    if (found == agent.reserved.end()) return;
    (*found)->mutable_scalar()->set_value((*found)->scalar().value() - wanted.scalar().value());
    if ((*found)->scalar().value() <= 0) agent.reserved.erase(found);
  };
  for (const auto& resource : operation.reserve().resources()) {
    agent.reserved.push_back(std::make_shared<pb::Resource>(resource));
  }
  for (const auto& volume : operation.create().volumes()) {
    take(bare(volume));
    agent.reserved.push_back(std::make_shared<pb::Resource>(volume));
  }
  for (const auto& volume : operation.destroy().volumes()) {
    take(volume);
    agent.reserved.push_back(std::make_shared<pb::Resource>(bare(volume)));
  }
  for (const auto& resource : operation.unreserve().resources()) take(resource);
  if (!operation.has_id()) return;
  auto event = std::make_shared<pb::scheduler::Event>();
  event->set_type(pb::scheduler::Event::UPDATE_OPERATION_STATUS);
  auto& status = *event->mutable_update_operation_status()->mutable_status();
  *status.mutable_operation_id() = operation.id();
  status.set_state(pb::OPERATION_FINISHED);
  status.mutable_uuid()->set_value(fmt::format("{:016}", next_uuid_++));
  status.mutable_agent_id()->set_value(agent.id);
  send(event);
}

bool World::holds(const std::string& agent, const pb::Resource& wanted) const {
  if (label_of(wanted).empty()) return true;
  const auto found = std::find_if(agents.begin(), agents.end(), [&](const Agent& each) { return each.id == agent; });
  return std::any_of(found->reserved.begin(), found->reserved.end(), [&](const auto& held) {
    return held->name() == wanted.name() && label_of(*held) == label_of(wanted) &&
           held->disk().persistence().id() == wanted.disk().persistence().id() &&
           held->scalar().value() >= wanted.scalar().value();
  });
}

void World::on_call(const Call& call) {
  calls.push_back(Call::Type_Name(call.type()));
  if (!connected_) return;
  switch (call.type()) {
    case Call::ACCEPT:
      for (const auto& operation : call.accept().operations()) {
        const std::string& on = offers_[call.accept().offer_ids(0).value()];
        const auto all_held = [&](const auto& resources) {
          return std::all_of(resources.begin(), resources.end(), [&](const pb::Resource& wanted) { return holds(on, wanted); });
        };
        for (Agent& agent : agents) {
          if (agent.id == on) convert(agent, operation);
        }
        for (const auto& info : operation.launch().task_infos()) {
          if (!all_held(info.resources())) {
            update(info.task_id().value(), "TASK_ERROR", "its reservation is not there");
            continue;
          }
          launch(info, nullptr);
          if (auto_run) update(info.task_id().value(), "TASK_RUNNING");
        }
        if (operation.type() == pb::Offer::Operation::LAUNCH_GROUP) {
          const auto& group = operation.launch_group();
          auto executor = std::make_shared<pb::ExecutorInfo>(group.executor());
          const auto& infos = group.task_group().tasks();
          const bool held = all_held(executor->resources()) &&
                            std::all_of(infos.begin(), infos.end(), [&](const auto& info) { return all_held(info.resources()); });
          for (const auto& info : infos) {
            if (held) launch(info, executor);
          }
          for (const auto& info : infos) {
            if (!held) {
              update(info.task_id().value(), "TASK_ERROR", "its reservation is not there");
            } else if (auto_run) {
              update(info.task_id().value(), "TASK_RUNNING");
            }
          }
        }
      }
      for (const auto& id : call.accept().offer_ids()) offers_.erase(id.value());
      break;
    case Call::DECLINE:
      for (const auto& id : call.decline().offer_ids()) offers_.erase(id.value());
      break;
    case Call::UPDATE_FRAMEWORK: {
      const auto& told = call.update_framework().framework_info().roles();
      roles = {told.begin(), told.end()};
      break;
    }
    case Call::SUPPRESS:
      role_calls.push_back(fmt::format("SUPPRESS {}", fmt::join(call.suppress().roles(), ",")));
      break;
    case Call::REVIVE:
      role_calls.push_back(fmt::format("REVIVE {}", fmt::join(call.revive().roles(), ",")));
      if (auto_offer) offer_all();
      break;
    case Call::KILL:
      if (auto_kill) {
        const std::string& id = call.kill().task_id().value();
        const std::vector<std::string> others = siblings(id);
        update(id, tasks.contains(id) ? "TASK_KILLED" : "TASK_UNKNOWN");
        for (const std::string& other : others) update(other, "TASK_KILLED");
      }
      break;
    case Call::ACKNOWLEDGE: acknowledged.insert(call.acknowledge().uuid()); break;
    case Call::RECONCILE:
      if (!auto_reconcile) break;
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
  while (true) {
    auto next = timers_.end();
    for (auto it = timers_.begin(); it != timers_.end(); ++it) {
      if (it->second <= end && (next == timers_.end() || it->second < next->second)) next = it;
    }
    if (next == timers_.end()) break;
    const base::Duration step = std::max(base::Duration(0), next->second - now.instant);
    now.instant = now.instant + step;
    now.time = now.time + step;
    const TimerName name = next->first;
    timers_.erase(next);
    on(TimerFired{name});
  }
  const base::Duration rest = std::max(base::Duration(0), end - now.instant);
  now.instant = now.instant + rest;
  now.time = now.time + rest;
}

void World::restart() {
  disconnect();
  queue_.clear();
  timers_.clear();
  commits_.clear();
  replies_.clear();
  core = std::make_unique<Core>(policy_, Identity{"host:8080", "1.11.24", "{}"}, base::Random(seed_++));
  Recovered recovered;
  for (const auto& [key, value] : store) recovered.records.emplace_back(key, value);
  on(std::move(recovered));
  on(StreamOpened{"127.0.0.1:1"});
}

std::vector<std::string> World::tasks_of(const std::string& app) const {
  std::vector<std::string> list;
  for (const auto& [id, task] : tasks) {
    const auto name = parse_task_id(id);
    const bool alive = task.state == "TASK_STAGING" || task.state == "TASK_STARTING" || task.state == "TASK_RUNNING";
    if (name && name->app == app && alive) list.push_back(id);
  }
  return list;
}

size_t World::running(const std::string& app) const {
  size_t n = 0;
  for (const std::string& id : tasks_of(app)) n += tasks.at(id).state == "TASK_RUNNING" ? 1 : 0;
  return n;
}

size_t World::events_of(const std::string& type) const {
  return static_cast<size_t>(std::count_if(published.begin(), published.end(),
                                           [&](const Publish& p) { return p.type == type; }));
}

}  // namespace marathon::testing
