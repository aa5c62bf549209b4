#pragma once

// The scheduler as a deterministic state machine: on(event, now, out), and nothing else. Not thread-safe; owned by the
// shell.

#include <string>

#include "base/random.hpp"
#include "metronome/effects.hpp"
#include "metronome/events.hpp"
#include "metronome/policy.hpp"
#include "metronome/state.hpp"

namespace metronome {

class Core {
 public:
  /// `zones` are the rules of time zones; they outlive the core.
  Core(Policy policy, std::string address, const base::TimeZones& zones, base::Random random);

  /// The first event is Recovered.
  void on(const Event& event, base::Now now, Effects& out);

  const State& state() const { return state_; }

  /// "host:port" that clients reach.
  void set_address(std::string address) { address_ = std::move(address); }

 private:
  Policy policy_;
  std::string address_;
  const base::TimeZones& zones_;
  base::Random random_;
  State state_;
};

}  // namespace metronome
