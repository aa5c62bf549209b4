#include "kernel/executor/default/poller.hpp"

#include <errno.h>
#include <time.h>

#include <algorithm>

namespace executor {

base::Now Poller::now() {
  const auto read = [](clockid_t clock) {
    timespec value{};
    clock_gettime(clock, &value);
    return base::seconds(value.tv_sec) + base::Duration(value.tv_nsec);
  };
  return base::Now{base::Instant{read(CLOCK_MONOTONIC)}, base::Time{read(CLOCK_REALTIME)}};
}

int Poller::wait_milliseconds() const {
  std::optional<base::Instant> first;
  const auto sooner = [&first](base::Instant at) { first = first ? std::min(*first, at) : at; };
  for (const auto& [name, timer] : timers_) sooner(timer.at);
  for (const auto& each : watched_)
    if (const auto at = each->deadline()) sooner(*at);
  if (!first) return -1;
  const auto left = std::chrono::ceil<base::milliseconds>(*first - now().instant).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 3'600'000));
}

void Poller::fire_timers() {
  const base::Instant instant = now().instant;
  std::vector<std::string> due;
  for (const auto& [name, timer] : timers_)
    if (timer.at <= instant) due.push_back(name);
  for (const auto& name : due) {
    const auto found = timers_.find(name);
    if (found == timers_.end() || found->second.at > instant) continue;
    const auto call = std::move(found->second.call);
    timers_.erase(found);
    call();
  }
}

int Poller::run() {
  std::vector<pollfd> set;
  while (!code_) {
    for (auto& each : added_) watched_.push_back(std::move(each));
    added_.clear();
    std::erase_if(watched_, [](const auto& each) { return each->over(); });
    set.clear();
    for (const auto& each : watched_) set.push_back({each->fd(), each->events(), 0});
    if (poll(set.data(), set.size(), wait_milliseconds()) < 0 && errno != EINTR) return 1;
    const base::Instant instant = now().instant;
    for (size_t i = 0; i < set.size() && !code_; ++i) {
      Watched& each = *watched_[i];
      const auto at = each.deadline();
      if (!each.over() && (set[i].revents != 0 || (at && *at <= instant))) each.ready(set[i].revents);
    }
    if (!code_) fire_timers();
  }
  return *code_;
}

}  // namespace executor
