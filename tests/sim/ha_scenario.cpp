// Three masters on the in-memory ZooKeeper, agents and schedulers that find the leader there, and an operator that writes.
// Beside what every run must show: one master acts at a time, and what an operator was told survives every loss of a
// leader.

#include <fmt/format.h>

#include "base/log.hpp"
#include "tests/sim/cluster.hpp"
#include "tests/sim/ha_master.hpp"
#include "tests/sim/scenarios.hpp"
#include "tests/sim/sim_agent.hpp"
#include "tests/sim/sim_scheduler.hpp"

namespace sim {

namespace {

/// Sets one weight after the other and remembers those that were acknowledged.
class SimOperator : public Process {
 public:
  SimOperator(Context& context, SimZooKeeper& zookeeper, const std::vector<SimMaster*>& masters)
      : Process(context, "operator"), detector_(zookeeper, *this, masters, [] {}) {}

  void check(const std::map<std::string, double>& weights) {
    for (const auto& [role, weight] : acknowledged_) {
      const auto found = weights.find(role);
      if (found == weights.end() || found->second != weight)
        context_.world.fail("the acknowledged weight of " + role + " is lost");
    }
    for (const auto& [role, weight] : weights) {
      if (tried_.count(role) == 0 || tried_.at(role) != weight)
        context_.world.fail("nobody asked for the weight of " + role);
    }
  }

  size_t acknowledged() const { return acknowledged_.size(); }
  bool quiet = false;

 protected:
  void on_boot() override { next(); }
  void on_crash() override {}

 private:
  void next() {
    if (quiet) return;
    context_.world.after(*this, context_.world.random().jitter(base::seconds(4)), [this] {
      // masters of this scenario are all of this kind
      auto* leader = static_cast<HaMaster*>(detector_.find());
      if (leader == nullptr || !leader->alive || context_.network.blocked(*this, *leader)) return next();
      const uint64_t number = ++number_;
      const std::string role = fmt::format("role{}", number);
      const double weight = 1.0 + static_cast<double>(number);
      tried_[role] = weight;
      mesos::v1::master::Call call;
      call.set_type(mesos::v1::master::Call::UPDATE_WEIGHTS);
      auto* info = call.mutable_update_weights()->add_weight_infos();
      info->set_role(role);
      info->set_weight(weight);
      const auto go_on = [this, number] {
        if (number == number_) next();
      };
      const StreamId calls = leader->dial_calls(*this, go_on);
      leader->operate(calls, call, [this, role, weight, calls, go_on](int status) {
        if (status == 200) acknowledged_[role] = weight;
        context_.network.close(calls, 0);
        go_on();
      });
    });
  }

  SimDetector detector_;
  uint64_t number_ = 0;
  std::map<std::string, double> tried_, acknowledged_;
};

/// What happens between processes and ZooKeeper, while faults are on.
class ElectionFaults {
 public:
  ElectionFaults(Context& context, SimZooKeeper& zookeeper, std::vector<HaMaster*> masters, std::vector<Process*> others)
      : context_(context), zookeeper_(zookeeper), masters_(std::move(masters)), others_(std::move(others)) {
    base::Random& random = context.world.random();
    every_ = base::seconds(3 + static_cast<int64_t>(random.below(25)));
  }

  void start() {
    context_.world.after(context_.world.random().jitter(2 * every_), [this] {
      if (!context_.faults_on) return;
      happen();
      start();
    });
  }

 private:
  void happen() {
    base::Random& random = context_.world.random();
    HaMaster* master = random.choose(masters_);
    if (random.chance(0.6)) {  // rather the one that leads
      for (HaMaster* each : masters_) {
        if (each->acts()) master = each;
      }
    }
    switch (random.below(6)) {
      case 0: return zookeeper_.freeze(*master, random.jitter(base::seconds(30)));
      case 1:
      case 2:
        context_.world.trace(master->name, "is cut off from ZooKeeper");
        return zookeeper_.cut(master->name, random.jitter(base::seconds(25)));
      case 3: return zookeeper_.fake().drop(master->name);
      case 4: return master->crash();
      case 5: return zookeeper_.cut(random.choose(others_)->name, random.jitter(base::seconds(25)));
    }
  }

  Context& context_;
  SimZooKeeper& zookeeper_;
  std::vector<HaMaster*> masters_;
  std::vector<Process*> others_;
  base::Duration every_;
};

}  // namespace

Outcome run_ha(uint64_t seed, bool print) {
  base::log::set_level(base::log::Level::Error);
  base::Random random(seed ^ 0x6861);
  const FaultPlan plan = FaultPlan::draw(random);
  World world(seed, print);
  Network network(world, {});
  Context context{world, network};
  context.crashes.restart_max = base::seconds(2);
  SimZooKeeper zookeeper(context);
  PlacementChecker placement(world);
  UpdateChecker updates(world);
  Workload workload;
  workload.tasks = static_cast<unsigned>(10 + random.below(40));

  std::vector<std::unique_ptr<HaMaster>> masters;
  std::vector<SimMaster*> found;
  std::vector<HaMaster*> raw;
  std::vector<Process*> faulty, others;
  for (int i = 0; i < 3; ++i) {
    masters.push_back(std::make_unique<HaMaster>(context, fmt::format("master{}", i), master::Policy(), zookeeper));
    found.push_back(masters.back().get());
    raw.push_back(masters.back().get());
    faulty.push_back(masters.back().get());
  }
  SimOperator writer(context, zookeeper, found);
  others.push_back(&writer);
  for (auto& master : masters) {
    HaMaster* self = master.get();
    self->before_event = [&world, self, &raw] {
      for (HaMaster* other : raw) {
        if (other != self && other->acts()) world.fail(self->name + " acts while " + other->name + " may act");
      }
    };
    self->on_recovered = [&writer, self] { writer.check(self->core().state().weights); };
    self->after_event = [&world, self] {
      if (self->acts()) check_conservation(world, *self);
    };
  }

  std::vector<std::unique_ptr<SimAgent>> agents;
  std::vector<std::unique_ptr<SimScheduler>> schedulers;
  std::vector<std::unique_ptr<SimDetector>> detectors;
  const auto detector_of = [&](Process& process, std::function<void()> changed) {
    detectors.push_back(std::make_unique<SimDetector>(zookeeper, process, found, std::move(changed)));
    return detectors.back().get();
  };
  for (unsigned i = 0; i < 1 + random.below(4); ++i) {
    auto holder = std::make_shared<SimDetector*>(nullptr);
    agents.push_back(std::make_unique<SimAgent>(
        context, fmt::format("agent{}", i), i, FindMaster([holder] { return (*holder)->find(); }), placement,
        fmt::format("cpus:{};mem:{};ports:[31000-31009]", 2 + random.below(6), 512)));
    agents.back()->on_acknowledged = [&updates](const std::string& uuid) { updates.acknowledged(uuid); };
    *holder = detector_of(*agents.back(), [agent = agents.back().get()] { agent->leader_changed(); });
    faulty.push_back(agents.back().get());
    others.push_back(agents.back().get());
  }
  for (unsigned i = 0; i < 1 + random.below(2); ++i) {
    auto holder = std::make_shared<SimDetector*>(nullptr);
    schedulers.push_back(std::make_unique<SimScheduler>(context, fmt::format("scheduler{}", i),
                                                        FindMaster([holder] { return (*holder)->find(); }), updates, workload));
    *holder = detector_of(*schedulers.back(), [scheduler = schedulers.back().get()] { scheduler->leader_changed(); });
    others.push_back(schedulers.back().get());
  }

  FaultInjector faults(context, plan, faulty);
  ElectionFaults election_faults(context, zookeeper, raw, others);
  for (Process* process : faulty)
    world.after(world.random().jitter(base::milliseconds(500)), [process] { process->boot(); });
  for (auto& scheduler : schedulers)
    world.after(world.random().jitter(base::milliseconds(500)), [&scheduler] { scheduler->boot(); });
  writer.boot();
  faults.start();
  election_faults.start();
  world.run_for(plan.duration + base::seconds(1));
  zookeeper.mend_all();
  writer.quiet = true;

  const auto all_done = [&] {
    return std::all_of(schedulers.begin(), schedulers.end(), [](const auto& s) { return s->done(); });
  };
  base::Duration quiet{0};
  while (!all_done() && quiet < base::minutes(45) && world.failures().empty()) {
    world.run_for(base::seconds(5));
    quiet += base::seconds(5);
  }
  for (const auto& scheduler : schedulers) {
    if (!scheduler->done()) world.fail("not done although faults ended long ago: " + scheduler->progress());
  }
  world.run_for(base::minutes(15));
  if (!placement.running().empty())
    world.fail(fmt::format("{} containers run although every task has ended", placement.running().size()));
  for (const auto& agent : agents) {
    if (agent->known_containers() > 0) world.fail(agent->name + " has containers on record at the end");
    if (agent->core() && agent->core()->pending_updates() > 0)
      world.fail(agent->name + " has updates that nobody acknowledged");
  }
  uint64_t acting = 0, elections = 0, crashes = 0;
  for (HaMaster* master : raw) {
    elections += master->elections();
    if (!master->serves()) continue;
    ++acting;
    check_conservation(world, *master);
    writer.check(master->core().state().weights);
    for (const auto& [id, framework] : master->core().state().frameworks) {
      if (!framework->tasks.empty()) world.fail("the master still has task " + framework->tasks.begin()->first);
    }
  }
  if (acting != 1) world.fail(fmt::format("{} masters lead at the end", acting));
  for (Process* process : faulty) crashes += process->crashes();
  const Outcome outcome{world.failures(), world.hash(), world.events(),
                        fmt::format("{} agents, {} schedulers x {} tasks, {} crashes, {} elections, {} writes acknowledged; {}",
                                    agents.size(), schedulers.size(), workload.tasks, crashes, elections,
                                    writer.acknowledged(), plan.describe())};
  // Nobody says goodbye when the room is switched off.
  for (HaMaster* master : raw) zookeeper.fake().crash(master->name);
  for (Process* process : others) zookeeper.fake().crash(process->name);
  return outcome;
}

}  // namespace sim
