// Greedy frameworks: each takes whatever it is offered, for ever. Some want more cpus and some more memory, and their roles
// have weights. After a while the dominant share of each, divided by its weight, must be about that of the others.

#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/cluster.hpp"
#include "tests/sim/scenarios.hpp"
#include "tests/sim/sim_agent.hpp"
#include "tests/sim/sim_scheduler.hpp"

namespace sim {

namespace {

class GreedyScheduler : public SimScheduler {
 public:
  GreedyScheduler(Context& context, std::string process_name, SimMaster& master, UpdateChecker& updates, Workload workload,
                  double cpus, double mem)
      : SimScheduler(context, std::move(process_name), master, updates, workload), cpus_(cpus), mem_(mem) {}

 protected:
  void describe(mesos::v1::FrameworkInfo& info) const override {
    info.add_roles(name);  // each in a role of its own
    info.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::MULTI_ROLE);
    info.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE);
  }

  void answer(const mesos::v1::Offer& offer) override {
    double cpus = 0, mem = 0;
    for (const auto& resource : offer.resources()) {
      if (resource.name() == "cpus") cpus += resource.scalar().value();
      if (resource.name() == "mem") mem += resource.scalar().value();
    }
    mesos::v1::scheduler::Call call;
    call.set_type(mesos::v1::scheduler::Call::ACCEPT);
    *call.mutable_accept()->add_offer_ids() = offer.id();
    // Refused is what no task of this framework fits in, and only for a moment.
    call.mutable_accept()->mutable_filters()->set_refuse_seconds(1);
    auto* operation = call.mutable_accept()->add_operations();
    operation->set_type(mesos::v1::Offer::Operation::LAUNCH);
    for (; cpus >= cpus_ && mem >= mem_; cpus -= cpus_, mem -= mem_) {
      add_task(*operation->mutable_launch(), offer.agent_id());
      auto& task = *operation->mutable_launch()->mutable_task_infos()->rbegin();
      for (const auto& [what, amount] : {std::pair{"cpus", cpus_}, std::pair{"mem", mem_}}) {
        auto& resource = *task.add_resources();
        resource.set_name(what);
        resource.set_type(mesos::v1::Value::SCALAR);
        resource.mutable_scalar()->set_value(amount);
      }
    }
    if (operation->launch().task_infos().empty()) call.mutable_accept()->clear_operations();
    send(std::move(call));
  }

 private:
  double cpus_, mem_;
};

}  // namespace

Outcome run_fair(uint64_t seed, bool print) {
  base::Random random(seed ^ 0x66616972);
  World world(seed, print);
  Network network(world, {});
  Context context{world, network};
  FaultPlan plan;
  plan.network.delay_max = base::milliseconds(1 + random.below(20));
  if (random.chance(0.5)) plan.crash_every = base::seconds(5);
  plan.duration = base::seconds(20);
  SimMaster master(context, "master", {});
  PlacementChecker placement(world);
  UpdateChecker updates(world);

  const unsigned agents_count = 4 + static_cast<unsigned>(random.below(5));
  const unsigned frameworks_count = 2 + static_cast<unsigned>(random.below(4));
  constexpr double kCpus = 8, kMem = 1024, kScarce = 0.95;
  std::vector<std::unique_ptr<SimAgent>> agents;
  std::vector<Process*> faulty{&master};
  for (unsigned i = 0; i < agents_count; ++i) {
    agents.push_back(std::make_unique<SimAgent>(context, fmt::format("agent{}", i), i, master, placement,
                                                fmt::format("cpus:{};mem:{}", kCpus, kMem)));
    agents.back()->on_acknowledged = [&updates](const std::string& uuid) { updates.acknowledged(uuid); };
    faulty.push_back(agents.back().get());
  }
  std::vector<std::unique_ptr<GreedyScheduler>> schedulers;
  std::map<std::string, double> weights;
  Workload workload;
  workload.tasks = 1'000'000;  // more than can ever run
  workload.seconds_max = 10;
  workload.kill = 0;
  const bool mixed = random.chance(0.5);  // some want processors, some want memory
  for (unsigned i = 0; i < frameworks_count; ++i) {
    const std::string name = fmt::format("greedy{}", i);
    const bool memory = mixed && random.chance(0.5);
    // Small beside an agent, so that tasks of either kind fit into what tasks of the other leave.
    schedulers.push_back(std::make_unique<GreedyScheduler>(context, name, master, updates, workload, memory ? 0.25 : 0.5,
                                                           memory ? 64 : 32));
    weights[name] = random.chance(0.5) ? 1 : 2;
  }

  FaultInjector faults(context, plan, faulty);
  master.boot();
  for (auto& agent : agents)
    world.after(world.random().jitter(base::milliseconds(500)), [&agent] { agent->boot(); });
  for (auto& scheduler : schedulers)
    world.after(world.random().jitter(base::milliseconds(500)), [&scheduler] { scheduler->boot(); });
  faults.start();
  world.run_for(plan.duration + base::seconds(5));
  mesos::v1::master::Call call;
  call.set_type(mesos::v1::master::Call::UPDATE_WEIGHTS);
  for (const auto& [role, weight] : weights) {
    auto& info = *call.mutable_update_weights()->add_weight_infos();
    info.set_role(role);
    info.set_weight(weight);
  }
  master.operate(std::move(call));
  world.run_for(base::seconds(30));

  // The average over a minute: at any moment the last whole offer weighs too much.
  std::map<std::string, double> shares;
  constexpr int kSamples = 60;
  double cpus_used = 0, memory_used = 0;  // of the whole, on average
  for (int sample = 0; sample < kSamples && world.failures().empty(); ++sample) {
    world.run_for(base::seconds(1));
    if (!master.up()) continue;
    std::map<std::string, resources::Resources> used;
    for (const auto& [id, framework] : master.core().state().frameworks) {
      resources::Resources& sum = used[framework->info->name()];
      for (const auto& [task_id, task] : framework->tasks) {
        if (task->holds_resources) sum += task->resources;
      }
    }
    for (const auto& [name, sum] : used) {
      const double cpus = sum.cpus().value_or(0) / (kCpus * agents_count), memory = sum.mem_mb().value_or(0) / (kMem * agents_count);
      shares[name] += std::max(cpus, memory) / kSamples;
      cpus_used += cpus / kSamples;
      memory_used += memory / kSamples;
    }
  }
  check_conservation(world, master);
  double least = 1e9, most = 0;
  std::string text;
  for (const auto& [name, weight] : weights) {
    const double share = shares[name] / weight;
    least = std::min(least, share);
    most = std::max(most, share);
    text += fmt::format(" {}:{:.3f}/{}", name, shares[name], weight);
  }
  // Where nothing runs out, nobody takes anything from another. Of unequal tasks the smaller ones fit into more gaps,
  // whatever the weights say.
  const bool scarce = std::max(cpus_used, memory_used) > kScarce;
  if (scarce && least < (mixed ? 0.4 : 0.75) * most) world.fail("the shares of greedy frameworks are not what their weights say:" + text);
  return {world.failures(), world.hash(), world.events(),
          fmt::format("{} agents, {} frameworks, cpus {:.2f} and memory {:.2f} used, shares{}; {}", agents_count,
                      frameworks_count, cpus_used, memory_used, text, plan.describe())};
}

}  // namespace sim
