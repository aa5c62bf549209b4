#include "tests/sim/sim_chronos.hpp"

#include <fmt/format.h>

#include <algorithm>


namespace sim {

namespace {

// Rules of zones are data of a machine; runs from a seed do without.
class UtcOnly : public base::TimeZones {
 public:
  std::shared_ptr<const base::Zone> find(const std::string&) const override { return nullptr; }
};
const UtcOnly kUtcOnly;

mesos::v1::FrameworkInfo framework(const std::string& id) {
  using Info = mesos::v1::FrameworkInfo;
  Info info;
  info.set_user("root");
  info.set_name("chronos");
  if (!id.empty()) info.mutable_id()->set_value(id);
  info.set_failover_timeout(604'800);
  info.set_checkpoint(true);
  info.add_roles("*");
  for (const auto capability :
       {Info::Capability::PARTITION_AWARE, Info::Capability::REGION_AWARE,
        Info::Capability::MULTI_ROLE, Info::Capability::RESERVATION_REFINEMENT,
        Info::Capability::TASK_KILLING_STATE})
    info.add_capabilities()->set_type(capability);
  return info;
}

}  // namespace

SimChronos::SimChronos(Context& context, std::string process_name, SimMaster& master,
                         chronos::Policy policy)
    : Process(context, std::move(process_name)),
      policy_(std::move(policy)),
      client_(context, *this, master,
              {[this] { return dead_; }, [] { return true; },
               [this](const client::DeliverEvent& event) { dispatch(chronos::MasterEvent{event.event}); },
               [this] { dispatch(chronos::MasterLost{}); }}) {}

void SimChronos::on_boot() {
  dead_ = false;
  auto& random = context_.world.random();
  core_ = std::make_unique<chronos::Core>(policy_, name + ":4400", kUtcOnly);
  chronos::Recovered recovered;
  for (const auto& [key, value] : disk_.durable()) recovered.records.emplace_back(key, value);
  dispatch(std::move(recovered));
  if (dead_) return;
  if (after_boot) after_boot();
  client_.start(framework(core_->state().framework_id), base::Random(random.next()));
}

void SimChronos::on_crash() {
  core_.reset();
  client_.stop();
  events_.clear();
  busy_ = false;
  timers_.clear();
  calls_.clear();
}

void SimChronos::dispatch(chronos::Event event) {
  events_.push_back(std::move(event));
  if (busy_ || dead_ || !core_) return;
  busy_ = true;
  while (!events_.empty() && !dead_) {
    const chronos::Event next = std::move(events_.front());
    events_.pop_front();
    chronos::Effects out;
    core_->on(next, clock(), out);
    for (chronos::Effect& effect : out.list) {
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

void SimChronos::perform(chronos::Effect& effect) {
  World& world = context_.world;
  if (auto* reply = std::get_if<chronos::Reply>(&effect)) {
    const auto found = calls_.find(reply->call);
    if (found == calls_.end()) return;
    const auto answered = std::move(found->second);
    calls_.erase(found);
    answered(reply->response);
  } else if (auto* persist = std::get_if<chronos::Persist>(&effect)) {
    Disk::Writes writes;
    for (auto& write : persist->writes)
      writes.emplace_back(std::move(write.key), std::move(write.value));
    disk_.commit(std::move(writes), [this, ticket = persist->ticket](base::Status status) {
      dispatch(chronos::Persisted{ticket, std::move(status)});
    });
  } else if (auto* send = std::get_if<chronos::SendCall>(&effect)) {
    client_.send(*send->call);
  } else if (auto* timer = std::get_if<chronos::SetTimer>(&effect)) {
    set_timer(*timer);
  } else if (auto* cancel = std::get_if<chronos::CancelTimer>(&effect)) {
    timers_.erase(cancel->timer);
  } else if (auto* notice = std::get_if<chronos::Notify>(&effect)) {
    world.trace(name, notice->subject);
  } else if (auto* exit = std::get_if<chronos::Exit>(&effect)) {
    world.trace(name, "exits: " + exit->reason);
    // Nothing in these runs justifies an end for one of these reasons.
    if (exit->code != 106) world.fail(name + " gives up: " + exit->reason);
    dead_ = true;
    world.after(base::Duration::zero(), [this, now_epoch = epoch] {
      if (epoch == now_epoch) crash();
    });
  } else if (auto* trace = std::get_if<chronos::Trace>(&effect)) {
    world.trace(name, trace->text);
  }
}

void SimChronos::set_timer(const chronos::SetTimer& timer) {
  World& world = context_.world;
  const uint64_t generation = next_++;
  timers_[timer.timer] = generation;
  const base::Duration delay = std::max(timer.at - world.now().instant, base::Duration::zero());
  world.after(*this, delay, [this, key = timer.timer, generation] {
    const auto found = timers_.find(key);
    if (found == timers_.end() || found->second != generation) return;
    timers_.erase(found);
    dispatch(chronos::TimerFired{key});
  });
}

base::Now SimChronos::clock() const {
  base::Now now = context_.world.now();
  now.time = now.time + clock_offset_;
  return now;
}

void SimChronos::set_clock(base::Duration offset, bool noticed) {
  clock_offset_ = offset;
  if (up() && noticed) dispatch(chronos::ClockJumped{});
}

void SimChronos::request(base::http::Request request,
                          std::function<void(const base::http::Response&)> answered) {
  if (!up()) return;
  const chronos::CallId call = next_++;
  calls_[call] = std::move(answered);
  dispatch(chronos::HttpRequested{call, std::move(request)});
}

base::http::Response SimChronos::get(const std::string& target) {
  base::http::Request http;
  http.method = "GET";
  http.target = http.path = target;
  base::http::Response response;
  response.status = 0;
  request(std::move(http), [&response](const base::http::Response& r) { response = r; });
  return response;
}

}  // namespace sim
