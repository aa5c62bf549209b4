// Master and agents with schedulers written for the kernel's API.

#include <fmt/format.h>

#include "kernel/resources/proto.hpp"
#include "tests/sim/cluster.hpp"
#include "tests/sim/scenarios.hpp"
#include "tests/sim/sim_agent.hpp"
#include "tests/sim/sim_master.hpp"
#include "tests/sim/sim_scheduler.hpp"

namespace sim {

namespace {

struct Sizes {
  unsigned agents, schedulers;
  Workload workload;
  base::Duration quiet_max;
};

/// An operator who reserves disk, makes volumes of it, and destroys and frees them, on one agent after the other.
void operate(World& world, SimMaster& master, uint64_t& next_volume) {
  if (!master.up() || master.core().state().agents.empty()) return;
  using mesos::v1::master::Call;
  const auto& agents = master.core().state().agents;
  auto at = agents.begin();
  std::advance(at, static_cast<int64_t>(world.random().below(agents.size())));
  const auto reserved = at->second->total.reserved_to("vol");
  const auto volumes = reserved.persistent_volumes();
  Call call;
  if (!volumes.empty() && world.random().chance(0.5)) {
    call.set_type(Call::DESTROY_VOLUMES);
    call.mutable_destroy_volumes()->mutable_agent_id()->set_value(at->first);
    *call.mutable_destroy_volumes()->add_volumes() = resources::to_proto(*volumes.begin(), resources::Format::Post);
    return master.operate(std::move(call));
  }
  mesos::v1::Resource disk;
  disk.set_name("disk");
  disk.set_type(mesos::v1::Value::SCALAR);
  disk.mutable_scalar()->set_value(10);
  auto& reservation = *disk.add_reservations();
  reservation.set_type(mesos::v1::Resource::ReservationInfo::DYNAMIC);
  reservation.set_role("vol");
  const bool has_free = (reserved - volumes).disk_mb().value_or(0) >= 10;
  if (!has_free) {
    call.set_type(Call::RESERVE_RESOURCES);
    call.mutable_reserve_resources()->mutable_agent_id()->set_value(at->first);
    *call.mutable_reserve_resources()->add_resources() = disk;
  } else if (world.random().chance(0.3)) {
    call.set_type(Call::UNRESERVE_RESOURCES);
    call.mutable_unreserve_resources()->mutable_agent_id()->set_value(at->first);
    *call.mutable_unreserve_resources()->add_resources() = disk;
  } else {
    disk.mutable_disk()->mutable_persistence()->set_id(fmt::format("v{}", next_volume++));
    disk.mutable_disk()->mutable_volume()->set_container_path("data");
    disk.mutable_disk()->mutable_volume()->set_mode(mesos::v1::Volume::RW);
    call.set_type(Call::CREATE_VOLUMES);
    call.mutable_create_volumes()->mutable_agent_id()->set_value(at->first);
    *call.mutable_create_volumes()->add_volumes() = disk;
  }
  master.operate(std::move(call));
}

Outcome run(uint64_t seed, bool print, const Sizes& sizes, const FaultPlan& plan,
            base::Random& random) {
  World world(seed, print);
  Network network(world, {});
  Context context{world, network};
  master::Policy policy;
  policy.agent_reregister_timeout = base::minutes(10);
  SimMaster master(context, "master", policy);
  PlacementChecker placement(world);
  UpdateChecker updates(world);

  std::vector<std::unique_ptr<SimAgent>> agents;
  std::vector<std::unique_ptr<SimScheduler>> schedulers;
  std::vector<Process*> faulty{&master};
  for (unsigned i = 0; i < sizes.agents; ++i) {
    agents.push_back(std::make_unique<SimAgent>(
        context, fmt::format("agent{}", i), i, master, placement,
        fmt::format("cpus:{};mem:{};disk:40;ports:[31000-31009]", 2 + random.below(6), 512)));
    agents.back()->on_acknowledged = [&updates](const std::string& uuid) { updates.acknowledged(uuid); };
    faulty.push_back(agents.back().get());
  }
  for (unsigned i = 0; i < sizes.schedulers; ++i) {
    schedulers.push_back(std::make_unique<SimScheduler>(context, fmt::format("scheduler{}", i),
                                                        master, updates, sizes.workload));
  }

  uint64_t handled = 0;
  master.after_event = [&] {
    // Costs time on big clusters: every event on small ones, a sample on others.
    if (++handled % (1 + sizes.agents / 8) == 0 && sizes.agents <= 100)
      check_conservation(world, master);
  };
  FaultInjector faults(context, plan, faulty);
  master.boot();
  for (auto& agent : agents)
    world.after(world.random().jitter(base::milliseconds(500)), [&agent] { agent->boot(); });
  for (auto& scheduler : schedulers)
    world.after(world.random().jitter(base::milliseconds(500)),
                [&scheduler] { scheduler->boot(); });
  faults.start();
  uint64_t next_volume = 0;
  for (base::Duration at = base::seconds(1); at < plan.duration; at += base::milliseconds(700))
    world.after(at, [&] { operate(world, master, next_volume); });
  world.run_for(plan.duration + base::seconds(1));

  const auto all_done = [&] {
    return std::all_of(schedulers.begin(), schedulers.end(),
                       [](const auto& s) { return s->done(); });
  };
  base::Duration quiet{0};
  // Retries back off to ten minutes, so that is what quiet must allow.
  while (!all_done() && quiet < sizes.quiet_max && world.failures().empty()) {
    world.run_for(base::seconds(5));
    quiet += base::seconds(5);
  }
  for (const auto& scheduler : schedulers) {
    if (!scheduler->done())
      world.fail("not done although faults ended long ago: " + scheduler->progress());
  }
  // Updates are retried for up to ten minutes.
  world.run_for(sizes.agents > 100 ? base::minutes(1) : base::minutes(15));
  if (!placement.running().empty())
    world.fail(fmt::format("{} containers run although every task has ended, first: {}",
                           placement.running().size(), placement.running().begin()->first));
  for (const auto& agent : agents) {
    if (agent->known_containers() > 0)
      world.fail(fmt::format("{} has {} containers on record at the end", agent->name,
                             agent->known_containers()));
    if (agent->core() && agent->core()->pending_updates() > 0)
      world.fail(fmt::format("{} has {} updates that nobody acknowledged", agent->name,
                             agent->core()->pending_updates()));
  }
  size_t volumes = 0;
  for (const auto& agent : agents) {
    agent->check_volumes();
    volumes += agent->volumes_told();
    if (agent->core() && !agent->core()->state().operations.empty())
      world.fail(fmt::format("{} has {} operations that nobody acknowledged", agent->name,
                             agent->core()->state().operations.size()));
  }
  check_conservation(world, master);
  if (master.up()) {
    for (const auto& [id, framework] : master.core().state().frameworks) {
      if (!framework->tasks.empty())
        world.fail(
            fmt::format("the master still has task {} of {}", framework->tasks.begin()->first, id));
    }
  }

  uint64_t crashes = 0;
  for (Process* process : faulty) crashes += process->crashes();
  return {world.failures(), world.hash(), world.events(),
          fmt::format("{} agents, {} schedulers x {} tasks, {} volumes, {} crashes; {}", sizes.agents,
                      sizes.schedulers, sizes.workload.tasks, volumes, crashes, plan.describe())};
}

}  // namespace

Outcome run_kernel(uint64_t seed, bool print) {
  base::Random random(seed ^ 0x6b65726e656c);
  Sizes sizes{.agents = static_cast<unsigned>(1 + random.below(5)),
              .schedulers = static_cast<unsigned>(1 + random.below(3)),
              .quiet_max = base::minutes(45)};
  sizes.workload.tasks = static_cast<unsigned>(10 + random.below(90));
  return run(seed, print, sizes, FaultPlan::draw(random), random);
}

Outcome run_kernel_scale(uint64_t seed, bool print) {
  base::Random random(seed);
  Sizes sizes{.agents = 10'000, .schedulers = 5, .quiet_max = base::minutes(20)};
  sizes.workload.tasks = 4'000;
  FaultPlan plan;
  plan.crash_every = base::seconds(2);
  plan.duration = base::seconds(30);
  return run(seed, print, sizes, plan, random);
}

}  // namespace sim
