#pragma once

// Many seeds on several processors. Each run is in a worker process: one that dies by a CHECK or hangs for ever is a failed
// seed like any other, and the rest goes on.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/sim/scenarios.hpp"

namespace sim {

struct Batch {
  uint64_t first = 1;
  uint64_t seeds = 0;
  unsigned jobs = 1;
  double seconds = 0;         // begin no seed after this long; 0: no limit
  unsigned repeat_every = 0;  // every so many seeds are run twice and must be the same; 0: never
  unsigned stop_after = 20;   // failures
};

struct Failure {
  uint64_t seed = 0;
  std::string what;
};

struct Verdict {
  uint64_t ran = 0, events = 0;
  std::vector<Failure> failures;  // by seed
};

/// `on_failure` is called as soon as a seed has failed.
Verdict run_batch(const Scenario& scenario, const Batch& batch, const std::function<void(const Failure&)>& on_failure);

}  // namespace sim
