// Master, agents and Marathon, with a client that changes apps under every kind of fault.

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "marathon/rollout.hpp"
#include "tests/sim/app_client.hpp"
#include "tests/sim/cluster.hpp"
#include "tests/sim/scenarios.hpp"
#include "tests/sim/sim_agent.hpp"

namespace sim {

namespace {

/// One run: the cast, and what is asked of it.
class Run {
 public:
  Run(uint64_t seed, bool print)
      : random_(seed ^ 0x6d61726174686f6e),
        plan_(FaultPlan::draw(random_)),
        loss_(random_.chance(0.5) ? 0.1 * random_.unit() : 0),
        world_(seed, print),
        network_(world_, {}),
        context_{world_, network_},
        master_(context_, "master", master_policy(random_)),
        placement_(world_),
        marathon_(context_, "marathon", master_, {}),
        client_(world_, context_, marathon_, static_cast<unsigned>(1 + random_.below(4)), loss_) {
    if (random_.chance(0.3)) marathon_.crash_factor = 8;
    if (random_.chance(0.4)) plan_.crashes.restart_max = base::seconds(5 + random_.below(40));
    marathon_.probes_fail = random_.chance(0.5) ? 0.1 : 0;
    const auto agents = static_cast<unsigned>(1 + random_.below(4));
    faulty_ = {&master_, &marathon_};
    for (unsigned i = 0; i < agents; ++i) {
      agents_.push_back(std::make_unique<SimAgent>(
          context_, fmt::format("agent{}", i), i, master_, placement_,
          fmt::format("cpus:{};mem:1024;disk:1024;ports:[31000-31015]", 4 + random_.below(4))));
      faulty_.push_back(agents_.back().get());
    }
  }

  /// In half of the runs an agent counts as unreachable well within a partition.
  static master::Policy master_policy(base::Random& random) {
    master::Policy policy;
    if (random.chance(0.5)) policy.agent_ping_timeout = base::seconds(1 + random.below(3));
    if (random.chance(0.3)) policy.agent_reregister_timeout = base::seconds(5 + random.below(20));
    return policy;
  }

  Outcome run() {
    master_.after_event = [this] { check_conservation(world_, master_); };
    marathon_.after_boot = [this] { client_.check("after a start"); };
    placement_.on_start = [this](const std::string& task) { check_count(task); };
    FaultInjector faults(context_, plan_, faulty_);
    for (Process* process : faulty_)
      world_.after(world_.random().jitter(base::milliseconds(500)), [process] { process->boot(); });
    client_.start();
    faults.start();
    if (random_.chance(0.3)) fill_disk();
    world_.run_for(plan_.duration + base::seconds(1));
    client_.finish();
    settle();
    if (world_.failures().empty()) check_restart();
    uint64_t crashes = 0;
    for (Process* process : faulty_) crashes += process->crashes();
    return {world_.failures(), world_.hash(), world_.events(),
            fmt::format("{} agents, {} changes acknowledged, {} uncertain, {} crashes, loss={:.3f} "
                        "probes-fail={}; {}",
                        agents_.size(), client_.acknowledged(), client_.uncertain(), crashes, loss_,
                        marathon_.probes_fail, plan_.describe())};
  }

 private:
  /// Now and then marathon's disk is full for a while.
  void fill_disk() {
    world_.after(world_.random().jitter(base::seconds(40)), [this] {
      if (!context_.faults_on) return;
      world_.trace("faults", "marathon's disk is full");
      marathon_.disk().set_faults({.refuse = 1});
      world_.after(world_.random().jitter(base::seconds(10)), [this] {
        marathon_.disk().set_faults({});
        fill_disk();
      });
    });
  }

  /// Waits until the world is as it was asked for, or fails.
  void settle() {
    base::Duration quiet{0};
    while (!difference().empty() && quiet < base::minutes(45) && world_.failures().empty()) {
      world_.run_for(base::seconds(5));
      quiet += base::seconds(5);
    }
    if (world_.failures().empty() && difference().empty()) world_.run_for(base::minutes(12));
    client_.check("at the end");
    const std::string wrong = difference();
    if (!wrong.empty()) world_.fail("faults ended long ago, but " + wrong);
  }

  /// A restart in quiet changes nothing and disturbs no task.
  void check_restart() {
    const auto before = placement_.running();
    marathon_.crash();
    world_.run_for(base::minutes(2));
    client_.check("after the last start");
    if (placement_.running() != before) world_.fail("a restart in quiet disturbed tasks");
    const std::string wrong = difference();
    if (!wrong.empty()) world_.fail("after the last start " + wrong);
  }

  static std::string app_of(const std::string& task) {
    const auto name = marathon::parse_task_id(task);
    return name ? name->app : task;
  }

  std::map<std::string, size_t> running_by_app() const {
    std::map<std::string, size_t> count;
    for (const auto& [task, agent] : placement_.running()) ++count[app_of(task)];
    return count;
  }

  /// Containers that somebody may still want: neither being killed nor reported as lost.
  void check_count(const std::string& started) {
    if (!marathon_.up()) return;
    const std::string app = app_of(started);
    const auto& state = marathon_.core().state();
    size_t count = 0;
    for (const auto& [task, agent] : placement_.running()) {
      if (app_of(task) != app || marathon_.told_lost().count(task) > 0) continue;
      const auto known = state.tasks.find(task);
      if (known != state.tasks.end()) {
        const auto& instance = state.apps.at(known->second.first).instances.at(known->second.second);
        if (instance.goal == marathon::Goal::Decommissioned || instance.kill_requested) continue;
      }
      ++count;
    }
    if (count > client_.most_containers(app))
      world_.fail(fmt::format("{} containers of {} run, at most {} may", count, app,
                              client_.most_containers(app)));
  }

  /// The first thing in which the world differs from the definitions; empty: none.
  std::string difference() {
    if (!client_.finished()) return "the client has no answer";
    if (!marathon_.up() || !master_.up()) return "a daemon is down";
    const auto& state = marathon_.core().state();
    if (!state.deployments.empty()) {
      const auto& [id, deployment] = *state.deployments.begin();
      std::string text = "deployment " + id + " goes on, of";
      for (const auto& change : deployment.changes) text += " " + change.id;
      return text;
    }
    auto running = running_by_app();
    size_t wanted = 0;
    for (const auto& [id, run] : state.apps) {
      if (!run.target) return id + " is not gone";
      wanted += static_cast<size_t>(run.target->instances);
      if (running[id] != static_cast<size_t>(run.target->instances))
        return fmt::format("{} containers of {} run, wanted: {}", running[id], id,
                           run.target->instances);
    }
    if (placement_.running().size() != wanted)
      return fmt::format("{} containers run, wanted: {}; first: {}", placement_.running().size(),
                         wanted, placement_.running().begin()->first);
    for (const auto& [id, run] : state.apps) {
      for (const auto& [key, instance] : run.instances) {
        if (marathon::is_outdated(run, instance)) return key + " runs an old definition";
      }
    }
    const std::string tasks = difference_of_tasks();
    return tasks.empty() ? difference_of_kernel(wanted) : tasks;
  }

  std::string difference_of_tasks() {
    const auto answer = marathon_.get("/v2/tasks");
    const auto body = base::json::parse(answer.body);
    if (answer.status != 200 || !body) return fmt::format("/v2/tasks answers {}", answer.status);
    size_t listed = 0;
    for (const auto& task : body->at("tasks").as_array()) {
      const std::string id(task.at("id").as_string());
      if (placement_.running().count(id) == 0) return "/v2/tasks lists " + id + ", which is no more";
      if (task.at("state").as_string() != "TASK_RUNNING")
        return fmt::format("/v2/tasks says {} of {}", std::string(task.at("state").as_string()), id);
      ++listed;
    }
    if (listed != placement_.running().size()) return "/v2/tasks leaves out running tasks";
    return {};
  }

  std::string difference_of_kernel(size_t wanted) {
    for (const auto& agent : agents_) {
      if (agent->known_containers() != agent->running_containers())
        return agent->name + " keeps containers that have ended";
      if (agent->core() && agent->core()->pending_updates() > 0)
        return agent->name + " has updates that nobody acknowledged";
    }
    size_t tasks = 0;
    for (const auto& [id, framework] : master_.core().state().frameworks)
      tasks += framework->tasks.size();
    if (tasks != wanted) return fmt::format("the master knows {} tasks, wanted: {}", tasks, wanted);
    return {};
  }

  base::Random random_;
  FaultPlan plan_;
  double loss_;
  World world_;
  Network network_;
  Context context_;
  SimMaster master_;
  PlacementChecker placement_;
  SimMarathon marathon_;
  AppClient client_;
  std::vector<std::unique_ptr<SimAgent>> agents_;
  std::vector<Process*> faulty_;
};

}  // namespace

Outcome run_marathon(uint64_t seed, bool print) {
  return Run(seed, print).run();
}

}  // namespace sim
