#pragma once

// The package service as a deterministic state machine: on(event, now, out), and nothing else. Not thread-safe; owned
// by the shell.

#include "base/random.hpp"
#include "universe/effects.hpp"
#include "universe/events.hpp"
#include "universe/state.hpp"

namespace universe {

class Core {
 public:
  Core(Policy policy, base::Random random);

  /// The first event is Recovered.
  void on(const Event& event, base::Now now, Effects& out);

  const State& state() const { return state_; }

 private:
  Policy policy_;
  base::Random random_;
  State state_;
};

}  // namespace universe
