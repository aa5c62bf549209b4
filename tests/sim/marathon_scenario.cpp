// Master, agents and Marathon, with a client that changes apps and pods under every kind of fault; and the same with
// several Marathons, of which one acts.

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/log.hpp"
#include "kernel/resources/proto.hpp"
#include "marathon/health.hpp"
#include "marathon/instances.hpp"
#include "marathon/offer.hpp"
#include "marathon/pod.hpp"
#include "marathon/rollout.hpp"
#include "tests/sim/app_client.hpp"
#include "tests/sim/cluster.hpp"
#include "tests/sim/ha_marathon.hpp"
#include "tests/sim/pod_checker.hpp"
#include "tests/sim/scenarios.hpp"
#include "tests/sim/sim_agent.hpp"

namespace sim {

namespace {

/// A rolling replacement stops what runs well only while enough others do. Whom a user names goes all the same.
class HealthFloor {
 public:
  explicit HealthFloor(World& world) : world_(world) {}

  /// By a rolling replacement, and of its own choice.
  static bool replaces(const marathon::State& state, const marathon::AppRun& run) {
    const auto found = state.deployments.find(run.deployment);
    if (found == state.deployments.end() || found->second.current >= found->second.steps.size()) return false;
    for (const auto& change : found->second.changes) {
      if (!change.kill_list.empty()) return false;
    }
    const auto& step = found->second.steps[found->second.current];
    return std::any_of(step.begin(), step.end(), [&](const marathon::Action& action) {
      return action.app == run.target->id && action.kind == marathon::ActionKind::Restart;
    });
  }

  void check(const marathon::State& state, const marathon::Event& event) {
    const bool asked = std::holds_alternative<marathon::HttpRequested>(event);
    std::map<std::string, std::set<std::string>> now;
    for (const auto& [id, run] : state.apps) {
      if (!run.target) continue;
      auto& replaceable = now[id];
      int64_t healthy = 0, stopped = 0;
      for (const auto& [key, instance] : run.instances) {
        if (instance.goal == marathon::Goal::Running && marathon::is_considered_healthy(instance)) {
          ++healthy;
          if (marathon::is_outdated(run, instance)) replaceable.insert(key);
        } else if (instance.goal == marathon::Goal::Decommissioned && before_[id].count(key) > 0 &&
                   instance.condition == marathon::Condition::Running && instance.healthy.value_or(true) &&
                   instance.kill_requested) {
          ++stopped;
        }
      }
      const auto least = static_cast<int64_t>(
          std::ceil(static_cast<double>(run.target->instances) *
                        run.target->upgrade_strategy.minimum_health_capacity - 1e-9));
      if (stopped > 0 && !asked && replaces(state, run) && healthy < least)
        world_.fail(fmt::format("{} of {} are stopped, which leaves {} healthy; at least {} shall be", stopped, id,
                                healthy, least));
    }
    before_ = std::move(now);
  }

 private:
  World& world_;
  std::map<std::string, std::set<std::string>> before_;  // per app: what runs well and is of an older version
};

/// One run: the cast, and what is asked of it.
class Run {
 public:
  /// `schedulers` 0: one, with a disk of its own.
  Run(uint64_t seed, bool print, unsigned schedulers)
      : random_(seed ^ 0x6d61726174686f6e),
        plan_(FaultPlan::draw(random_)),
        loss_(random_.chance(0.5) ? 0.1 * random_.unit() : 0),
        world_(seed, print),
        network_(world_, {}),
        context_{world_, network_},
        master_(context_, "master", master_policy(random_)),
        placement_(world_),
        floor_(world_),
        together_(world_, placement_, [this](const std::string& agent) { return up_for(agent); }),
        client_(world_, context_, [this] { return acting(); }, sizes(), loss_),
        volumes_(world_, {[this](const std::string& app) { return client_.is_resident(app); },
                          [this](const std::string& app, base::Instant written) { return client_.may_lose(app, written); }}) {
    const marathon::Policy policy = scheduler_policy();
    if (schedulers == 0) {
      marathons_.push_back(std::make_unique<SimMarathon>(context_, "marathon", master_, policy));
    } else {
      base::log::set_level(base::log::Level::Error);
      zookeeper_.emplace(context_);
    }
    for (unsigned i = 0; i < schedulers; ++i) {
      marathons_.push_back(std::make_unique<HaMarathon>(context_, fmt::format("marathon{}", i), master_,
                                                        policy, *zookeeper_));
    }
    const double crash_factor = random_.chance(0.3) ? 8 : 1;
    if (random_.chance(0.4)) plan_.crashes.restart_max = base::seconds(5 + random_.below(40));
    probes_fail_ = random_.chance(0.5) ? 0.1 : 0;
    const auto agents = static_cast<unsigned>(1 + random_.below(4));
    faulty_ = {&master_};
    for (auto& marathon : marathons_) {
      marathon->crash_factor = crash_factor;
      marathon->probes_fail = probes_fail_;
      faulty_.push_back(marathon.get());
    }
    for (unsigned i = 0; i < agents; ++i) {
      agents_.push_back(std::make_unique<SimAgent>(
          context_, fmt::format("agent{}", i), i, master_, placement_,
          fmt::format("cpus:{};mem:{};disk:1024;ports:[31000-31015]", (has_role_ ? 6 : 4) + random_.below(4), has_role_ ? 1536 : 1024)));
      SimAgent& agent = *agents_.back();
      agent.probes_fail = probes_fail_;
      agent.volume_checker = &volumes_;
      agent.before_boot = [this, &agent] { booted_[agent.name] = world_.now().instant; };
      faulty_.push_back(&agent);
    }
  }

  /// With a role, in most runs, there are apps and pods with persistent volumes as well.
  AppClient::Sizes sizes() {
    AppClient::Sizes out;
    out.apps = static_cast<unsigned>(1 + random_.below(4));
    out.pods = static_cast<unsigned>(random_.below(3));
    has_role_ = random_.chance(0.7);
    if (!has_role_) return out;
    out.resident_apps = static_cast<unsigned>(random_.below(3));
    out.resident_pods = static_cast<unsigned>(random_.below(3));
    return out;
  }

  marathon::Policy scheduler_policy() const {
    marathon::Policy policy;
    if (has_role_) policy.defaults.role = policy.validation.role = "web";
    return policy;
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
    for (auto& marathon : marathons_) {
      SimMarathon* self = marathon.get();
      self->after_boot = [this] { client_.check("after a start"); };
      self->after_event = [this, self](const marathon::Event& event) { floor_.check(self->core().state(), event); };
      self->before_event = [this, self] {
        for (auto& other : marathons_) {
          if (other.get() != self && other->serves()) world_.fail(self->name + " acts while " + other->name + " may act");
        }
      };
    }
    placement_.on_start = [this](const std::string& task) { check_count(task); };
    placement_.on_end = [this](const std::string& task, bool well) { together_.ended(task, well); };
    FaultInjector faults(context_, plan_, faulty_);
    for (Process* process : faulty_)
      world_.after(world_.random().jitter(base::milliseconds(500)), [process] { process->boot(); });
    client_.start();
    faults.start();
    if (zookeeper_) {
      lose_leader();
    } else if (random_.chance(0.3)) {
      fill_disk();
    }
    world_.run_for(plan_.duration + base::seconds(1));
    if (zookeeper_) zookeeper_->mend_all();
    client_.finish();
    settle();
    if (world_.failures().empty()) check_restart();
    uint64_t crashes = 0;
    for (Process* process : faulty_) crashes += process->crashes();
    if (zookeeper_) {  // nobody says goodbye when the room is switched off
      for (auto& marathon : marathons_) zookeeper_->fake().crash(marathon->name);
    }
    return {world_.failures(), world_.hash(), world_.events(),
            fmt::format("{} agents, {} changes acknowledged, {} uncertain, {} volumes written, found again {} times, {} crashes, "
                        "loss={:.3f} probes-fail={}; {}",
                        agents_.size(), client_.acknowledged(), client_.uncertain(), volumes_.written(),
                        volumes_.found_again(), crashes, loss_, probes_fail_, plan_.describe())};
  }

 private:
  /// The one that answers; null: none does now.
  SimMarathon* acting() {
    for (auto& marathon : marathons_) {
      if (marathon->serves()) return marathon.get();
    }
    return nullptr;
  }

  base::Duration up_for(const std::string& agent) const {
    const auto found = std::find_if(agents_.begin(), agents_.end(), [&](const auto& each) { return each->name == agent; });
    return (*found)->alive ? world_.now().instant - booted_.at(agent) : base::Duration::zero();
  }

  /// What happens between schedulers and ZooKeeper, rather to the one that acts.
  void lose_leader() {
    world_.after(world_.random().jitter(base::seconds(40)), [this] {
      if (!context_.faults_on) return;
      base::Random& random = world_.random();
      SimMarathon* one = marathons_[random.below(marathons_.size())].get();
      if (SimMarathon* leader = acting(); leader && random.chance(0.7)) one = leader;
      switch (random.below(6)) {
        case 0: zookeeper_->freeze(*one, random.jitter(base::seconds(30))); break;
        case 1:
        case 2: zookeeper_->cut(one->name, random.jitter(base::seconds(25))); break;
        case 3: zookeeper_->fake().drop(one->name); break;
        case 4: one->crash(); break;
        case 5: abdicate(*one); break;
      }
      lose_leader();
    });
  }

  void abdicate(SimMarathon& marathon) {
    base::http::Request request;
    request.method = "DELETE";
    request.target = request.path = "/v2/leader";
    marathon.request(std::move(request), [this, &marathon](const base::http::Response& response) {
      if (response.status != 200) world_.fail(fmt::format("{} abdicates with {}", marathon.name, response.status));
    });
  }

  /// Now and then marathon's disk is full for a while.
  void fill_disk() {
    world_.after(world_.random().jitter(base::seconds(40)), [this] {
      if (!context_.faults_on) return;
      world_.trace("faults", "marathon's disk is full");
      marathons_.front()->disk().set_faults({.refuse = 1});
      world_.after(world_.random().jitter(base::seconds(10)), [this] {
        marathons_.front()->disk().set_faults({});
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
    if (SimMarathon* marathon = acting()) marathon->crash();
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

  /// Launches of which a container runs, by app; of each its running containers.
  std::map<std::string, std::map<std::string, size_t>> running_by_app() const {
    std::map<std::string, std::map<std::string, size_t>> count;
    for (const auto& [task, agent] : placement_.running()) ++count[app_of(task)][launch_of(task)];
    return count;
  }

  bool was_told_lost(const std::string& task) const {
    return std::any_of(marathons_.begin(), marathons_.end(),
                       [&](const auto& marathon) { return marathon->told_lost().count(task) > 0; });
  }

  /// Instances that somebody may still want: neither being killed nor reported as lost.
  void check_count(const std::string& started) {
    const SimMarathon* marathon = acting();
    if (!marathon) return;
    const std::string app = app_of(started);
    const auto& state = marathon->core().state();
    std::set<std::string> wanted, given_up;
    for (const auto& [task, agent] : placement_.running()) {
      if (app_of(task) != app) continue;
      const std::string launch = launch_of(task);
      wanted.insert(launch);
      if (was_told_lost(task)) given_up.insert(launch);
      const auto known = state.tasks.find(task);
      if (known == state.tasks.end()) continue;
      const auto& instance = state.apps.at(known->second.first).instances.at(known->second.second);
      const bool falls = !instance.containers.empty() && instance.condition == marathon::Condition::Killing;
      if (instance.goal == marathon::Goal::Decommissioned || instance.kill_requested || falls) given_up.insert(launch);
    }
    for (const std::string& launch : given_up) wanted.erase(launch);
    if (wanted.size() > client_.most_instances(app))
      world_.fail(fmt::format("{} instances of {} run, at most {} may", wanted.size(), app, client_.most_instances(app)));
  }

  /// The first thing in which the world differs from the definitions; empty: none.
  std::string difference() {
    if (!client_.finished()) return "the client has no answer";
    const SimMarathon* marathon = acting();
    if (!marathon || !master_.up()) return "a daemon is down";
    const auto& state = marathon->core().state();
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
      const size_t containers = run.target->pod ? run.target->pod->containers.size() : 1;
      wanted += static_cast<size_t>(run.target->instances) * containers;
      if (running[id].size() != static_cast<size_t>(run.target->instances))
        return fmt::format("{} instances of {} run, wanted: {}", running[id].size(), id, run.target->instances);
      for (const auto& [launch, count] : running[id]) {
        if (count != containers) return fmt::format("{} of the {} containers of {} run", count, containers, launch);
      }
    }
    if (placement_.running().size() != wanted)
      return fmt::format("{} containers run, wanted: {}; first: {}", placement_.running().size(),
                         wanted, placement_.running().begin()->first);
    for (const auto& [id, run] : state.apps) {
      for (const auto& [key, instance] : run.instances) {
        // One that is parked with its volume gets the definition of its next launch.
        if (!instance.task_id.empty() && marathon::is_outdated(run, instance)) return key + " runs an old definition";
      }
    }
    if (const std::string tasks = difference_of_tasks(); !tasks.empty()) return tasks;
    if (const std::string reserved = difference_of_reservations(state); !reserved.empty()) return reserved;
    return difference_of_kernel(wanted);
  }

  /// What agents hold reserved belongs to an instance, and each instance has what it holds reserved.
  std::string difference_of_reservations(const marathon::State& state) {
    std::map<std::string, const marathon::Instance*> owners;
    for (const auto& [id, run] : state.apps) {
      for (const auto& [key, instance] : run.instances) {
        if (instance.reservation) owners[instance.reservation->id] = &instance;
      }
    }
    std::map<std::string, size_t> volumes;  // by reservation
    for (const auto& agent : agents_) {
      if (!agent->core()) return agent->name + " is down";
      if (const std::string wrong = agent->difference_of_volumes(); !wrong.empty()) return wrong;
      mesos::v1::AgentInfo total;
      resources::to_proto(agent->core()->state().total, resources::Format::Post, total.mutable_resources());
      for (const auto& resource : total.resources()) {
        if (resource.reservations_size() == 0) continue;
        std::string id;
        for (const auto& label : resource.reservations(0).labels().labels()) {
          if (label.key() == marathon::kTaskLabel) id = label.value();
        }
        const auto owner = owners.find(id);
        if (owner == owners.end()) return fmt::format("{} keeps {} reserved as '{}', which is nobody's", agent->name, resource.name(), id);
        if (resource.disk().has_persistence()) ++volumes[id];
        if (owner->second->reservation->agent_id != agent->core()->state().info.id().value())
          return fmt::format("{} keeps {} reserved as '{}', whose owner is elsewhere", agent->name, resource.name(), id);
      }
    }
    for (const auto& [id, instance] : owners) {
      if (volumes[id] != instance->reservation->volumes.size()) return fmt::format("{} has lost its volume", instance->id);
    }
    return {};
  }

  std::string difference_of_tasks() {
    const auto answer = acting()->get("/v2/tasks");
    const auto body = base::json::parse(answer.body);
    if (answer.status != 200 || !body) return fmt::format("/v2/tasks answers {}", answer.status);
    size_t listed = 0;
    for (const auto& task : body->at("tasks").as_array()) {
      const std::string wrong = difference_of_task(task, "id", "state");
      if (!wrong.empty()) return "/v2/tasks " + wrong;
      ++listed;
    }
    const auto pods = acting()->get("/v2/pods/::status");
    const auto statuses = base::json::parse(pods.body);
    if (pods.status != 200 || !statuses) return fmt::format("/v2/pods/::status answers {}", pods.status);
    for (const auto& pod : statuses->as_array()) {
      if (pod.at("status").as_string() != "STABLE")
        return fmt::format("{} is {}", std::string(pod.at("id").as_string()), std::string(pod.at("status").as_string()));
      for (const auto& instance : pod.at("instances").as_array()) {
        for (const auto& container : instance.at("containers").as_array()) {
          const std::string wrong = difference_of_task(container, "containerId", "status");
          if (!wrong.empty()) return "/v2/pods/::status " + wrong;
          ++listed;
        }
      }
    }
    if (listed != placement_.running().size()) return "the scheduler's lists leave out running tasks";
    return {};
  }

  std::string difference_of_task(const boost::json::value& listed, const char* id_field, const char* state_field) const {
    const std::string id(listed.at(id_field).as_string());
    if (placement_.running().count(id) == 0) return "lists " + id + ", which is no more";
    if (listed.at(state_field).as_string() != "TASK_RUNNING")
      return fmt::format("says {} of {}", std::string(listed.at(state_field).as_string()), id);
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
  std::optional<SimZooKeeper> zookeeper_;  // with several schedulers
  std::vector<std::unique_ptr<SimMarathon>> marathons_;
  HealthFloor floor_;
  PodChecker together_;
  std::map<std::string, base::Instant> booted_;  // by agent
  bool has_role_ = false;
  AppClient client_;
  VolumeChecker volumes_;
  double probes_fail_ = 0;
  std::vector<std::unique_ptr<SimAgent>> agents_;
  std::vector<Process*> faulty_;
};

}  // namespace

Outcome run_marathon(uint64_t seed, bool print) {
  return Run(seed, print, 0).run();
}

Outcome run_marathon_ha(uint64_t seed, bool print) {
  return Run(seed, print, 2 + seed % 2).run();
}

}  // namespace sim
