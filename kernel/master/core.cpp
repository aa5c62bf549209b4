#include "kernel/master/core.hpp"

#include <algorithm>

namespace master {

Core::Core(mesos::v1::MasterInfo master, Policy policy, std::unique_ptr<allocator::Allocator> allocator, base::Random random)
    : policy_(std::move(policy)), allocator_(std::move(allocator)), random_(random) {
  state_.master = std::move(master);
}

Core::~Core() = default;

Waiting Core::waiting() const {
  Waiting out{.calls = 0, .writes = tickets_.size(), .timers = timers_.size(), .links = open_links_.size()};
  for (const auto& [key, limiter] : limiters_) out.calls += limiter.waiting.size();
  return out;
}

void Core::on(Event event, base::Now now, Effects& out) {
  now_ = now;
  out_ = &out;
  const bool own = std::holds_alternative<Recovered>(event) || std::holds_alternative<Persisted>(event) ||
                   std::holds_alternative<TimerFired>(event);
  if (state_.recovered || own) {
    std::visit([this](auto& e) { handle(e); }, event);
  } else {
    // The shell answers 503 before; what slips through would be decided without knowledge.
    count(Metric::DroppedMessages);
  }
  out_ = nullptr;
}

TimerId Core::start_timer(base::Duration delay, std::function<void()> call) {
  const TimerId timer = next_timer_++;
  timers_[timer] = std::move(call);
  out_->set_timer(timer, now_.instant + delay);
  return timer;
}

void Core::stop_timer(TimerId& timer) {
  if (timer == 0) return;
  if (timers_.erase(timer) > 0) out_->cancel_timer(timer);
  timer = 0;
}

void Core::handle(TimerFired& event) {
  const auto found = timers_.find(event.timer);
  if (found == timers_.end()) return;  // cancelled while it was on its way
  const std::function<void()> call = std::move(found->second);
  timers_.erase(found);
  call();
}

void Core::handle(Persisted& event) {
  const auto found = tickets_.find(event.ticket);
  if (found == tickets_.end()) return;
  const auto then = std::move(found->second);
  tickets_.erase(found);
  if (!event.result) {
    count(Metric::RegistryWriteFailures);
    out_->trace(TraceLevel::Error, "the registry could not be written: " + event.result.error().message);
  }
  then(event.result);
}

}  // namespace master
