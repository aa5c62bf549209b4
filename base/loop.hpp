#pragma once

// The event loop of a daemon: one thread, one Asio io_context behind this interface. Everything that is not said to be
// thread-safe is called on the loop's thread.

#include <cstdint>
#include <functional>
#include <memory>

#include "base/time.hpp"

namespace boost::asio {
class io_context;
}

namespace base {

/// Source of time for shells; cores get Now with each event.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Now now() const = 0;
};

/// The machine's clocks (CLOCK_MONOTONIC, CLOCK_REALTIME). Thread-safe.
const Clock& system_clock();

class Loop {
 public:
  using Function = std::function<void()>;

  /// Names a scheduled call; 0 is never used.
  using TimerId = uint64_t;

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  Now now() const { return system_clock().now(); }

  /// Runs `call` on a later turn. Thread-safe.
  void post(Function call);

  TimerId at(Instant when, Function call);
  TimerId after(Duration delay, Function call);

  /// Calls `call` every `period` until cancelled; the first time after one period.
  TimerId every(Duration period, Function call);

  /// No effect when the timer has fired or was cancelled.
  void cancel(TimerId timer);

  /// `call` runs on the loop for each delivery of `signal`.
  void on_signal(int signal, Function call);

  /// Runs until stop(); returns its code.
  int run();

  /// Makes run() return `exit_code` after the current turn. Thread-safe.
  void stop(int exit_code = 0);

  /// For adapters in .cpp files only.
  boost::asio::io_context& context();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace base
