#pragma once

// The scheduler as a deterministic state machine: on(event, now, out), and nothing else. Not thread-safe; owned by the
// shell, or by the simulator.

#include <memory>
#include <string>

#include "chronos/effects.hpp"
#include "chronos/events.hpp"
#include "chronos/policy.hpp"
#include "chronos/state.hpp"

namespace chronos {

class Core {
 public:
  /// `zones` are the rules of time zones; they outlive the core.
  Core(Policy policy, std::string address, const base::TimeZones& zones);

  /// The first event is Recovered.
  void on(const Event& event, base::Now now, Effects& out);

  const State& state() const { return state_; }

  /// "host:port" that clients reach.
  void set_address(std::string address) { address_ = std::move(address); }

 private:
  Policy policy_;
  std::string address_;
  const base::TimeZones& zones_;
  State state_;
};

}  // namespace chronos
