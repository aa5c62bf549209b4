#pragma once

// What scenarios have in common: faults drawn from the seed, random partitions and crashes while
// they are on, quiet after.

#include <memory>
#include <string>
#include <vector>

#include "tests/sim/process.hpp"
#include "tests/sim/sim_master.hpp"

namespace sim {

/// Faults of one run.
struct FaultPlan {
  NetworkFaults network{};
  CrashFaults crashes{};
  double disk_refuse = 0;
  base::Duration partition_every{0};  // mean; zero: none
  base::Duration crash_every{0};      // mean, of a random process at a random moment; zero: none
  base::Duration duration = base::seconds(90);

  static FaultPlan draw(base::Random& random);
  std::string describe() const;
};

/// Lets faults happen for plan.duration, then ends them: partitions heal, disks work, nothing
/// crashes.
class FaultInjector {
 public:
  FaultInjector(Context& context, FaultPlan plan, std::vector<Process*> processes);
  void start();

 private:
  void schedule_partition();
  void schedule_crash();
  void end();

  Context& context_;
  FaultPlan plan_;
  std::vector<Process*> processes_;
};

/// Master's books: what tasks and offers hold plus what the allocator has left is the agent's
/// total, to the unit.
void check_conservation(World& world, const SimMaster& master);

}  // namespace sim
