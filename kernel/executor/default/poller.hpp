#pragma once

// One thread, one poll(2): descriptors and timers of the default executor. Small on purpose: one of it runs per pod.

#include <poll.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace executor {

/// Something with a descriptor that waits. Owned by the poller.
class Watched {
 public:
  virtual ~Watched() = default;
  virtual int fd() const = 0;
  virtual short events() const = 0;          // POLLIN, POLLOUT
  virtual void ready(short events) = 0;
  /// No more of it is wanted; it is destroyed.
  virtual bool over() const = 0;
  /// When ready(0) is called although nothing came; absent: never.
  virtual std::optional<base::Instant> deadline() const { return std::nullopt; }
};

class Poller {
 public:
  static base::Now now();

  void add(std::unique_ptr<Watched> watched) { added_.push_back(std::move(watched)); }

  /// Replaces a timer of that name. `call` runs once.
  void set_timer(const std::string& name, base::Instant at, std::function<void()> call) { timers_[name] = {at, std::move(call)}; }
  void cancel_timer(const std::string& name) { timers_.erase(name); }

  /// Until stop(); returns its code. Sleeps while nothing happens.
  int run();
  void stop(int code) { code_ = code; }

 private:
  int wait_milliseconds() const;
  void fire_timers();

  struct Timer {
    base::Instant at;
    std::function<void()> call;
  };
  std::vector<std::unique_ptr<Watched>> watched_, added_;
  std::map<std::string, Timer> timers_;
  std::optional<int> code_;
};

}  // namespace executor
