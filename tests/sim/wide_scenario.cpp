// The kernel with everything on: roles with weights and quotas, reservations and volumes by schedulers and an operator,
// maintenance, draining, agents that are given up or become unreachable and come back. When faults and the operator stop,
// everything must get done.

#include <fmt/format.h>

#include "tests/sim/cluster.hpp"
#include "tests/sim/flooding_scheduler.hpp"
#include "tests/sim/scenarios.hpp"
#include "tests/sim/sim_agent.hpp"
#include "tests/sim/sim_operator.hpp"
#include "tests/sim/wide_scheduler.hpp"

namespace sim {

namespace {

struct Plan {
  FaultPlan faults;
  base::Duration disk_delay = base::milliseconds(10);
  master::Policy policy;
  unsigned agents = 1, schedulers = 1;
  bool attributes = false;
  Workload workload;
  WideHabits scheduler_habits;
  OperatorHabits operator_habits;
};

Plan draw(base::Random& random) {
  Plan plan;
  plan.faults = FaultPlan::draw(random);
  if (random.chance(0.3)) plan.disk_delay = base::milliseconds(50 + random.below(1500));
  plan.agents = static_cast<unsigned>(1 + random.below(5));
  plan.schedulers = static_cast<unsigned>(1 + random.below(4));
  plan.attributes = random.chance(0.3);
  plan.workload.tasks = static_cast<unsigned>(10 + random.below(50));

  // Times so short that agents become unreachable and come back; and limits that are reached.
  if (random.chance(0.5)) {
    plan.policy.agent_ping_timeout = base::seconds(1 + random.below(3));
    plan.policy.max_agent_ping_timeouts = 2;
  }
  if (random.chance(0.5)) plan.policy.agent_reregister_timeout = base::seconds(5 + random.below(60));
  if (random.chance(0.3)) plan.policy.agent_removals = 1;
  if (random.chance(0.2)) plan.policy.offer_timeout = base::seconds(5);
  plan.policy.max_completed_tasks_per_framework = 5;
  plan.policy.max_unreachable_tasks_per_framework = random.chance(0.5) ? 1000 : 5;

  const std::vector<std::vector<std::string>> role_sets = {{"a", "b"}, {"a", "a/x", "a/y", "b"}, {"a", "*"}};
  auto& habits = plan.scheduler_habits;
  habits.roles = random.choose(role_sets);
  if (random.chance(0.5)) habits.operations = 0.2;
  if (random.chance(0.4)) habits.role_changes = 0.1;
  if (random.chance(0.5)) habits.duplicates = 0.3;
  if (random.chance(0.3)) habits.suppressions = 0.05;

  auto& operators = plan.operator_habits;
  operators.roles = habits.roles;
  std::erase(operators.roles, "*");
  operators.weights = random.chance(0.5);
  operators.quotas = random.chance(0.5);
  operators.reservations = random.chance(0.5);
  operators.deactivation = random.chance(0.5);
  operators.draining = random.chance(0.4);
  operators.maintenance = random.chance(0.4);
  operators.gone = random.chance(0.2);
  return plan;
}

std::string describe(const Plan& plan) {
  std::string text = plan.faults.describe();
  const auto add = [&](bool on, const char* what) {
    if (on) text += std::string(" ") + what;
  };
  const auto& habits = plan.operator_habits;
  add(plan.disk_delay > base::milliseconds(10), "slow-disk");
  add(plan.scheduler_habits.operations > 0, "operations");
  add(plan.scheduler_habits.role_changes > 0, "role-changes");
  add(habits.weights, "weights");
  add(habits.quotas, "quotas");
  add(habits.reservations, "reservations");
  add(habits.deactivation, "deactivation");
  add(habits.draining, "draining");
  add(habits.maintenance, "maintenance");
  add(habits.gone, "gone");
  return text;
}

}  // namespace

Outcome run_wide(uint64_t seed, bool print) {
  base::Random random(seed ^ 0x77696465);
  Plan plan = draw(random);
  const bool floods = seed % 8 == 5;
  if (floods) plan.policy.rate_limits.principals[FloodingScheduler::kPrincipal] = {.qps = 2, .capacity = 5};
  World world(seed, print);
  Network network(world, {});
  Context context{world, network};
  SimMaster master(context, "master", plan.policy);
  PlacementChecker placement(world);
  UpdateChecker updates(world);
  OfferChecker offers(world);
  PromiseChecker promises(world);
  SimOperator user(world, master, promises, plan.operator_habits);

  std::vector<std::unique_ptr<SimAgent>> agents;
  std::vector<std::unique_ptr<WideScheduler>> schedulers;
  std::vector<Process*> faulty{&master};
  for (unsigned i = 0; i < plan.agents; ++i) {
    agents.push_back(std::make_unique<SimAgent>(
        context, fmt::format("agent{}", i), i, master, placement,
        fmt::format("cpus:{};mem:{};disk:40;ports:[31000-31009]", 2 + random.below(6), 512)));
    agents.back()->on_acknowledged = [&updates](const std::string& uuid) { updates.acknowledged(uuid); };
    faulty.push_back(agents.back().get());
  }
  uint64_t attributes = 0;
  for (auto& agent : agents) {
    if (!plan.attributes) break;
    agent->before_boot = [&, agent = agent.get()] {
      if (world.random().chance(0.3)) agent->add_attribute(fmt::format("x{}", attributes++));
    };
  }
  for (unsigned i = 0; i < plan.schedulers; ++i) {
    schedulers.push_back(std::make_unique<WideScheduler>(context, fmt::format("scheduler{}", i), master, updates,
                                                         plan.workload, plan.scheduler_habits));
  }

  FloodingScheduler flooder(context, "flooder", master, updates);

  uint64_t handled = 0;
  bool was_recovered = false;
  master.after_event = [&] {
    const bool recovered = master.core().state().recovered;
    offers.look(master.core());
    if (++handled % 4 == 0 || recovered != was_recovered) {
      check_conservation(world, master);
      check_bounds(world, master.core());
      promises.look(master.core());
    }
    was_recovered = recovered;
  };
  FaultInjector faults(context, plan.faults, faulty);
  if (plan.disk_delay > base::milliseconds(10)) {
    for (Process* process : faulty) process->disk().set_faults({.delay_max = plan.disk_delay});
  }
  master.boot();
  for (auto& agent : agents)
    world.after(world.random().jitter(base::milliseconds(500)), [&agent] { agent->boot(); });
  for (auto& scheduler : schedulers)
    world.after(world.random().jitter(base::milliseconds(500)), [&scheduler] { scheduler->boot(); });
  if (floods) {
    flooder.boot();
    flooder.flood(plan.faults.duration);
  }
  faults.start();
  for (base::Duration at = base::seconds(1); at < plan.faults.duration; at += base::milliseconds(700))
    world.after(at, [&] { user.act(); });
  world.run_for(plan.faults.duration + base::seconds(1));
  for (auto& scheduler : schedulers) scheduler->settle();

  // Demands that fit are placed within the time in which retries back off.
  const auto all_done = [&] {
    return std::all_of(schedulers.begin(), schedulers.end(), [](const auto& s) { return s->done(); });
  };
  base::Duration quiet{0};
  while (!all_done() && quiet < base::minutes(45) && world.failures().empty()) {
    user.mend();
    world.run_for(base::seconds(5));
    quiet += base::seconds(5);
  }
  for (const auto& scheduler : schedulers) {
    if (!scheduler->done()) world.fail("not done although faults ended long ago: " + scheduler->progress());
  }
  for (int i = 0; i < 180; ++i) {
    user.mend();
    world.run_for(base::seconds(5));
  }

  if (user.waiting() > 0) world.fail(fmt::format("{} calls of the operator were never answered", user.waiting()));
  if (!placement.running().empty())
    world.fail(fmt::format("{} containers run although every task has ended, first: {}", placement.running().size(),
                           placement.running().begin()->first));
  for (const auto& [task, agent] : placement.started()) {
    if (!updates.ended(task) && !placement.was_given_up(task))
      world.fail(fmt::format("task {} ran on {} and its scheduler never got its end", task, agent));
  }
  for (const auto& agent : agents) {
    agent->check_volumes();
    if (agent->known_containers() > 0)
      world.fail(fmt::format("{} has {} containers on record at the end", agent->name, agent->known_containers()));
    if (agent->core() && agent->core()->pending_updates() > 0)
      world.fail(fmt::format("{} has {} updates that nobody acknowledged", agent->name, agent->core()->pending_updates()));
    if (agent->core() && !agent->core()->state().operations.empty())
      world.fail(fmt::format("{} has {} operations that nobody acknowledged", agent->name,
                             agent->core()->state().operations.size()));
  }
  size_t operations = 0;
  for (const auto& scheduler : schedulers) {
    operations += scheduler->operations_told();
    for (const auto& [id, pending] : scheduler->operations()) {
      // An agent that died before it wrote down its id comes back as another: nobody ever knows more than that.
      if (pending.unreachable && master.up() && master.core().state().unreachable_agents.count(pending.agent)) continue;
      world.fail(fmt::format("{} was never told what became of its operation {} on {}", scheduler->name, id, pending.agent));
    }
  }
  check_conservation(world, master);
  if (master.up()) {
    promises.look(master.core());
    for (const auto& [id, agent] : master.core().state().agents) {
      if (agent->drain && agent->drain->state() == mesos::v1::DRAINING)
        world.fail(fmt::format("agent {} has nothing left to do and has not drained", id));
    }
    for (const auto& [id, framework] : master.core().state().frameworks) {
      if (!framework->tasks.empty())
        world.fail(fmt::format("the master still has task {} of {}", framework->tasks.begin()->first, id));
      if (!framework->operations.empty())
        world.fail(fmt::format("the master still has operation {} of {}", framework->operations.begin()->first, id));
    }
  }
  uint64_t crashes = 0;
  for (Process* process : faulty) crashes += process->crashes();
  return {world.failures(), world.hash(), world.events(),
          fmt::format("{} agents, {} schedulers x {} tasks, {} offers ({} limited), {} operations, {} of {} calls promised, "
                      "{} crashes; {}",
                      plan.agents, plan.schedulers, plan.workload.tasks, offers.offers(), offers.limited(), operations,
                      promises.told(), user.calls(), crashes, describe(plan))};
}

}  // namespace sim
