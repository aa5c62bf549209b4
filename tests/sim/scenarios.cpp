#include "tests/sim/scenarios.hpp"

namespace sim {

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all = {
      {"kernel", "master, agents and schedulers; every kind of fault", run_kernel, 1},
      {"wide", "the kernel with everything on: roles, quotas, reservations, volumes, draining, maintenance", run_wide, 2},
      {"fair", "greedy frameworks: their shares become what their weights say", run_fair, 1},
      {"ha", "three masters, ZooKeeper, and every way to lose a leader", run_ha, 1},
      {"marathon", "marathon beside them, and a client that changes apps", run_marathon, 1},
      {"marathon-ha", "several of it, ZooKeeper, and every way to lose the one that acts", run_marathon_ha, 1},
      {"l4lb", "3 to 30 load balancers: loss, partition, death; tasks come and go", run_l4lb, 1},
      {"l4lb-100", "100 of them", run_l4lb_100, 0},
      {"l4lb-1000", "1,000 of them: by hand", run_l4lb_1000, 0},
      {"chronos", "the job scheduler, whose clock jumps; every slot is accounted for", run_chronos, 1},
      {"kernel-10000", "10,000 agents, 20,000 tasks, crashes", run_kernel_scale, 0},
  };
  return all;
}

}  // namespace sim
