#include "tests/sim/cluster.hpp"

#include <fmt/format.h>

#include "kernel/master/testing.hpp"

namespace sim {

FaultPlan FaultPlan::draw(base::Random& random) {
  FaultPlan plan;
  // Each kind of fault is in about half of the runs: some bugs hide behind others.
  if (random.chance(0.5)) plan.network.delay_max = base::milliseconds(1 + random.below(200));
  if (random.chance(0.4)) plan.network.slow = 0.02;
  if (random.chance(0.5)) plan.network.reset = 0.005 * random.unit();
  if (random.chance(0.5)) plan.partition_every = base::seconds(5 + random.below(40));
  if (random.chance(0.5)) plan.crash_every = base::seconds(5 + random.below(40));
  if (random.chance(0.5)) plan.crashes.per_effect = 0.002 * random.unit();
  if (random.chance(0.3)) plan.disk_refuse = 0.05 * random.unit();
  plan.duration = base::seconds(30 + random.below(150));
  return plan;
}

std::string FaultPlan::describe() const {
  const auto secs = [](base::Duration d) { return std::chrono::duration<double>(d).count(); };
  return fmt::format(
      "delay<{:.0f}ms slow={} reset={:.4f} partition~{:.0f}s crash~{:.0f}s effect-crash={:.4f} "
      "disk-refuse={:.3f} for {:.0f}s",
      secs(network.delay_max) * 1000, network.slow, network.reset, secs(partition_every),
      secs(crash_every), crashes.per_effect, disk_refuse, secs(duration));
}

FaultInjector::FaultInjector(Context& context, FaultPlan plan, std::vector<Process*> processes)
    : context_(context), plan_(plan), processes_(std::move(processes)) {}

void FaultInjector::start() {
  context_.crashes = plan_.crashes;
  context_.network.set_faults(plan_.network);
  if (plan_.disk_refuse > 0) {
    for (Process* process : processes_) process->disk().set_faults({.refuse = plan_.disk_refuse});
  }
  if (plan_.partition_every.count() > 0) schedule_partition();
  if (plan_.crash_every.count() > 0) schedule_crash();
  context_.world.after(plan_.duration, [this] { end(); });
}

void FaultInjector::schedule_partition() {
  World& world = context_.world;
  world.after(world.random().jitter(2 * plan_.partition_every), [this] {
    if (!context_.faults_on) return;
    auto& random = context_.world.random();
    const std::string a = random.choose(processes_)->name, b = random.choose(processes_)->name;
    if (a != b) {
      context_.world.trace("network", "partition between " + a + " and " + b);
      context_.network.partition(a, b);
      context_.world.after(random.jitter(base::seconds(30)),
                           [this, a, b] { context_.network.heal(a, b); });
    }
    schedule_partition();
  });
}

void FaultInjector::schedule_crash() {
  World& world = context_.world;
  world.after(world.random().jitter(2 * plan_.crash_every), [this] {
    if (!context_.faults_on) return;
    context_.world.random().choose(processes_)->crash();
    schedule_crash();
  });
}

void FaultInjector::end() {
  context_.world.trace("faults", "end");
  context_.faults_on = false;
  context_.network.heal_all();
  context_.network.set_faults({});
  for (Process* process : processes_) process->disk().set_faults({});
}

void check_conservation(World& world, const SimMaster& master) {
  if (!master.up()) return;
  if (const auto wrong = master::testing::find_imbalance(master.core())) world.fail(*wrong);
}

}  // namespace sim
