#include "base/loop.hpp"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace base {

namespace asio = boost::asio;

namespace {

class SystemClock : public Clock {
 public:
  Now now() const override {
    return {Instant{std::chrono::duration_cast<Duration>(
                std::chrono::steady_clock::now().time_since_epoch())},
            Time{std::chrono::duration_cast<Duration>(
                std::chrono::system_clock::now().time_since_epoch())}};
  }
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

struct Loop::Impl {
  struct Timer {
    Instant when;
    Duration period{0};
    Function call;
  };

  asio::io_context context{1};
  asio::steady_timer alarm{context};  // one system timer, set to the earliest deadline
  bool armed = false;
  Instant armed_at{};
  TimerId last_timer = 0;
  std::unordered_map<TimerId, Timer> timers;
  std::set<std::pair<Instant, TimerId>> queue;
  std::vector<std::unique_ptr<asio::signal_set>> signals;
  std::atomic<int> exit_code{0};

  TimerId add(Instant when, Duration period, Function call) {
    TimerId id = ++last_timer;
    timers.emplace(id, Timer{when, period, std::move(call)});
    queue.emplace(when, id);
    arm();
    return id;
  }

  void arm() {
    if (queue.empty()) return;
    Instant first = queue.begin()->first;
    if (armed && armed_at <= first) return;
    armed = true;
    armed_at = first;
    alarm.expires_at(std::chrono::steady_clock::time_point(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(first.since_start)));
    alarm.async_wait([this](const boost::system::error_code& error) {
      if (error) return;  // replaced by an earlier deadline
      armed = false;
      fire();
      arm();
    });
  }

  void fire() {
    Instant now = system_clock().now().instant;
    std::vector<TimerId> due;
    for (const auto& [when, id] : queue) {
      if (when > now) break;
      due.push_back(id);
    }
    for (TimerId id : due) {
      auto found = timers.find(id);
      if (found == timers.end()) continue;  // cancelled by an earlier one of this turn
      Timer& timer = found->second;
      queue.erase({timer.when, id});
      Function call = std::move(timer.call);
      if (timer.period <= Duration::zero()) {
        timers.erase(found);
        call();
        continue;
      }
      timer.when = std::max(timer.when + timer.period, now);
      queue.emplace(timer.when, id);
      call();
      if (auto again = timers.find(id); again != timers.end()) again->second.call = std::move(call);
    }
  }

  void wait_signal(asio::signal_set& set, const std::shared_ptr<Function>& call) {
    set.async_wait([this, &set, call](const boost::system::error_code& error, int) {
      if (error) return;
      wait_signal(set, call);
      (*call)();
    });
  }
};

Loop::Loop() : impl_(std::make_unique<Impl>()) {
  // A peer that goes away is an error of write(), not the end of the process.
  ::signal(SIGPIPE, SIG_IGN);
}

Loop::~Loop() = default;

void Loop::post(Function call) { asio::post(impl_->context, std::move(call)); }

Loop::TimerId Loop::at(Instant when, Function call) {
  return impl_->add(when, Duration::zero(), std::move(call));
}

Loop::TimerId Loop::after(Duration delay, Function call) {
  return impl_->add(now().instant + delay, Duration::zero(), std::move(call));
}

Loop::TimerId Loop::every(Duration period, Function call) {
  period = std::max(period, Duration(1));
  return impl_->add(now().instant + period, period, std::move(call));
}

void Loop::cancel(TimerId timer) {
  auto found = impl_->timers.find(timer);
  if (found == impl_->timers.end()) return;
  impl_->queue.erase({found->second.when, timer});
  // The function may own what its destructor changes: take it out of the map first.
  Function dropped = std::move(found->second.call);
  impl_->timers.erase(found);
}

void Loop::on_signal(int signal, Function call) {
  impl_->signals.push_back(std::make_unique<asio::signal_set>(impl_->context, signal));
  impl_->wait_signal(*impl_->signals.back(), std::make_shared<Function>(std::move(call)));
}

int Loop::run() {
  {
    auto work = asio::make_work_guard(impl_->context);
    impl_->context.run();
  }
  impl_->context.restart();  // after the guard: its end counts as a stop
  return impl_->exit_code.exchange(0);
}

void Loop::stop(int exit_code) {
  impl_->exit_code = exit_code;
  impl_->context.stop();
}

asio::io_context& Loop::context() { return impl_->context; }

}  // namespace base
