#pragma once

// One run of a whole cluster: from a seed to a verdict. The seed also chooses sizes, workloads and
// which faults happen.

#include <cstdint>
#include <string>
#include <vector>

namespace sim {

struct Outcome {
  std::vector<std::string> failures;
  uint64_t hash = 0;
  uint64_t events = 0;
  std::string summary;  // sizes and faults of the run, in a line
};

struct Scenario {
  const char* name;
  const char* what;
  Outcome (*run)(uint64_t seed, bool print);
  unsigned weight;  // of so many seeds in the suite, relative to the others; 0: only when asked for
};

/// Every scenario by name.
const std::vector<Scenario>& scenarios();

Outcome run_kernel(uint64_t seed, bool print);
Outcome run_wide(uint64_t seed, bool print);
Outcome run_fair(uint64_t seed, bool print);
Outcome run_ha(uint64_t seed, bool print);
Outcome run_kernel_scale(uint64_t seed, bool print);
Outcome run_marathon(uint64_t seed, bool print);
Outcome run_marathon_ha(uint64_t seed, bool print);
Outcome run_l4lb(uint64_t seed, bool print);
Outcome run_l4lb_100(uint64_t seed, bool print);
Outcome run_l4lb_1000(uint64_t seed, bool print);
Outcome run_chronos(uint64_t seed, bool print);

}  // namespace sim
