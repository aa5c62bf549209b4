#include "tests/sim/scenarios.hpp"

namespace sim {

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all = {
      {"kernel", "master, agents and schedulers; every kind of fault", run_kernel, 1},
      {"marathon", "marathon beside them, and a client that changes apps", run_marathon, 1},
      {"kernel-10000", "10,000 agents, 20,000 tasks, crashes", run_kernel_scale, 0},
  };
  return all;
}

}  // namespace sim
