#include "tests/sim/sim_marathon.hpp"

#include <fmt/format.h>

#include <algorithm>


namespace sim {

namespace {

mesos::v1::FrameworkInfo framework(const std::string& id, const std::string& role) {
  using Info = mesos::v1::FrameworkInfo;
  Info info;
  info.set_user("root");
  info.set_name("marathon");
  if (!id.empty()) info.mutable_id()->set_value(id);
  info.set_failover_timeout(604'800);
  info.set_checkpoint(true);
  info.add_roles(role);
  for (const auto capability :
       {Info::Capability::PARTITION_AWARE, Info::Capability::REGION_AWARE,
        Info::Capability::MULTI_ROLE, Info::Capability::RESERVATION_REFINEMENT,
        Info::Capability::TASK_KILLING_STATE})
    info.add_capabilities()->set_type(capability);
  return info;
}

}  // namespace

SimMarathon::SimMarathon(Context& context, std::string process_name, SimMaster& master,
                         marathon::Policy policy)
    : Process(context, std::move(process_name)),
      policy_(std::move(policy)),
      client_(context, *this, master,
              {[this] { return dead_; }, [this] { return may_act(); },
               [this](const client::DeliverEvent& event) { dispatch(marathon::MasterEvent{event.event}); },
               [this] { dispatch(marathon::MasterLost{}); },
               [this](const mesos::v1::TaskStatus& status) {
                 if (status.state() == mesos::v1::TASK_UNREACHABLE || status.state() == mesos::v1::TASK_LOST)
                   told_lost_.insert(status.task_id().value());
               }}) {}

void SimMarathon::on_boot() {
  make_core();
  begin();
}

void SimMarathon::make_core() {
  dead_ = ended_ = false;
  core_ = std::make_unique<marathon::Core>(policy_, marathon::Identity{name + ":8080", "1.11.24", "{}"},
                                           base::Random(context_.world.random().next()));
}

void SimMarathon::begin() {
  auto& random = context_.world.random();
  marathon::Recovered recovered;
  for (const auto& [key, value] : stored()) recovered.records.emplace_back(key, value);
  dispatch(std::move(recovered));
  if (dead_) return;
  if (after_boot) after_boot();
  dispatch(marathon::StreamOpened{"127.0.0.1:1"});  // somebody follows the events
  if (dead_) return;
  client_.start(framework(core_->state().framework_id, policy_.defaults.role), base::Random(random.next()));
}

void SimMarathon::on_crash() {
  core_.reset();
  client_.stop();
  events_.clear();
  busy_ = false;
  timers_.clear();
  calls_.clear();
}

void SimMarathon::dispatch(marathon::Event event) {
  events_.push_back(std::move(event));
  if (busy_ || dead_ || !core_) return;
  busy_ = true;
  while (!events_.empty() && !dead_) {
    if (!may_act()) {
      end("the lease has ended");
      break;
    }
    if (before_event) before_event();
    const marathon::Event next = std::move(events_.front());
    events_.pop_front();
    marathon::Effects out;
    core_->on(next, context_.world.now(), out);
    if (after_event) after_event(next);
    for (marathon::Effect& effect : out.list) {
      if (dead_) break;
      if (crash_point()) {
        dead_ = true;
        break;
      }
      perform(effect);
    }
  }
  busy_ = false;
}

void SimMarathon::perform(marathon::Effect& effect) {
  World& world = context_.world;
  if (auto* reply = std::get_if<marathon::Reply>(&effect)) {
    const auto found = calls_.find(reply->call);
    if (found == calls_.end()) return;
    const auto answered = std::move(found->second);
    calls_.erase(found);
    answered(reply->response);
  } else if (auto* persist = std::get_if<marathon::Persist>(&effect)) {
    this->persist(*persist);
  } else if (auto* send = std::get_if<marathon::SendCall>(&effect)) {
    client_.send(*send->call);
  } else if (auto* timer = std::get_if<marathon::SetTimer>(&effect)) {
    set_timer(*timer);
  } else if (auto* cancel = std::get_if<marathon::CancelTimer>(&effect)) {
    timers_.erase(cancel->timer);
  } else if (auto* publish = std::get_if<marathon::Publish>(&effect)) {
    world.trace(name, publish->type);
  } else if (auto* ask = std::get_if<marathon::Probe>(&effect)) {
    probe(*ask);
  } else if (auto* exit = std::get_if<marathon::Exit>(&effect)) {
    world.trace(name, "exits: " + exit->reason);
    // Nothing in these runs justifies an end for one of these reasons.
    if (exit->code != 106 && exit->code != 103) world.fail(name + " gives up: " + exit->reason);
    end(exit->reason);
  } else if (auto* trace = std::get_if<marathon::Trace>(&effect)) {
    world.trace(name, trace->text);
  }
}

void SimMarathon::persist(marathon::Persist& effect) {
  Disk::Writes writes;
  for (auto& write : effect.writes) writes.emplace_back(std::move(write.key), std::move(write.value));
  disk_.commit(std::move(writes), [this, ticket = effect.ticket](base::Status status) {
    dispatch(marathon::Persisted{ticket, std::move(status)});
  });
}

void SimMarathon::end(const std::string& why) {
  if (dead_) return;
  context_.world.note(name, "ends: " + why);
  dead_ = ended_ = true;
  context_.world.after(base::Duration::zero(), [this, now_epoch = epoch] {
    if (epoch == now_epoch) crash();
  });
}

void SimMarathon::set_timer(const marathon::SetTimer& timer) {
  World& world = context_.world;
  const uint64_t generation = next_++;
  timers_[timer.timer] = generation;
  const base::Duration delay = std::max(timer.at - world.now().instant, base::Duration::zero());
  world.after(*this, delay, [this, key = timer.timer, generation] {
    const auto found = timers_.find(key);
    if (found == timers_.end() || found->second != generation) return;
    timers_.erase(found);
    dispatch(marathon::TimerFired{key});
  });
}

void SimMarathon::probe(const marathon::Probe& probe) {
  auto& random = context_.world.random();
  marathon::Probed answer{probe.id, probe.kind == marathon::ProbeKind::Tcp ? 0 : 200, "", "", ""};
  base::Duration delay = base::milliseconds(1) + random.jitter(base::milliseconds(20));
  if (context_.faults_on && random.chance(probes_fail)) {
    const bool late = random.chance(0.5);
    if (late) delay = probe.timeout;
    answer.status = 0;
    answer.error = late ? "no answer in time" : "Connection refused";
  }
  context_.world.after(*this, delay, [this, answer] { dispatch(answer); });
}

void SimMarathon::request(base::http::Request request,
                          std::function<void(const base::http::Response&)> answered) {
  if (!serves()) return;
  const marathon::CallId call = next_++;
  calls_[call] = std::move(answered);
  dispatch(marathon::HttpRequested{call, std::move(request)});
}

base::http::Response SimMarathon::get(const std::string& target) {
  base::http::Request http;
  http.method = "GET";
  http.target = http.path = target;
  base::http::Response response;
  response.status = 0;
  request(std::move(http), [&response](const base::http::Response& r) { response = r; });
  return response;
}

}  // namespace sim
