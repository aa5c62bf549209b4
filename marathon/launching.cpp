#include "marathon/launching.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/testing/planted.hpp"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"
#include "marathon/dry_run.hpp"
#include "marathon/instances.hpp"
#include "marathon/pod.hpp"
#include "marathon/pod_task.hpp"
#include "marathon/records.hpp"
#include "marathon/residency.hpp"
#include "marathon/roles.hpp"
#include "marathon/task_info.hpp"

namespace marathon {
namespace {

namespace pb = mesos::v1;
using pb::scheduler::Call;

constexpr base::Duration kIdleBeforeSuppress = base::seconds(2);

/// An app with waiting instances while a batch of offers is looked at.
struct Candidate {
  AppRun* run = nullptr;
  std::vector<InstanceId> waiting;             // last one next
  std::vector<const Instance*> placed;         // what constraints count
  std::vector<bool> refused;                   // by offer
  bool retry = false;                          // a refusal may not last: constraints that look at groups
};

struct Launch {
  PathId app;
  InstanceId instance;
  TaskId task;
  AppPtr definition;
  Placement placement;
};

struct OfferUse {
  Offer offer;
  std::vector<Launch> launches;
  std::vector<pb::Offer::Operation> releases;  // of what nobody owns
  bool empty() const { return launches.empty() && releases.empty(); }
};

/// Roles for which offers come though none are wanted.
std::set<std::string> idle_roles(const State& state) {
  const std::set<std::string> wanted = wanted_roles(state);
  std::set<std::string> idle = state.roles;
  std::erase_if(idle, [&](const std::string& role) { return wanted.contains(role) || state.suppressed.contains(role); });
  return idle;
}

bool is_delayed(const AppRun& run, base::Time now) { return run.backoff && run.backoff->until() > now; }

std::vector<Candidate> candidates(Turn& turn, size_t offers) {
  std::vector<Candidate> list;
  for (const PathId& id : turn.state.launchable) {
    AppRun& run = *find_run(turn.state, id);
    if (!run.target || is_delayed(run, turn.now.time)) continue;
    Candidate candidate;
    candidate.run = &run;
    candidate.refused.assign(offers, false);
    for (const Constraint& c : run.target->constraints) {
      candidate.retry |= c.op == ConstraintOperator::GroupBy || c.op == ConstraintOperator::Cluster;
    }
    for (auto& [key, instance] : run.instances) {
      if (instance.condition == Condition::Scheduled) {
        // Who has a reservation waits for that: see place_residents().
        if (instance.goal == Goal::Running && !instance.reservation) candidate.waiting.push_back(key);
      }
    }
    if (!run.target->constraints.empty()) candidate.placed = counted_instances(run);
    std::reverse(candidate.waiting.begin(), candidate.waiting.end());
    if (!candidate.waiting.empty()) list.push_back(std::move(candidate));
  }
  turn.random.shuffle(list);
  return list;
}

void remember_refusal(Turn& turn, AppRun& run, const Offer& offer, Reject why) {
  OfferStatistics& statistics = run.offers;
  ++statistics.processed;
  ++statistics.unused;
  ++statistics.declined[static_cast<size_t>(why)];
  statistics.last_unused_at = turn.now.time;
  statistics.last_by_agent[offer.agent_id] = {why, turn.now.time, offer.message};
}

void remember_use(Turn& turn, AppRun& run, const Offer& offer) {
  ++run.offers.processed;
  run.offers.last_used_at = turn.now.time;
  run.offers.last_by_agent[offer.agent_id] = {std::nullopt, turn.now.time, offer.message};
}

void provision(Turn& turn, AppRun& run, Instance& instance, const Offer& offer,
               const Placement& placement) {
  ++instance.incarnation;
  instance.version = run.target->version;
  instance.containers.clear();
  if (run.target->pod) {
    for (const PodContainer& container : run.target->pod->containers) {
      instance.containers.push_back({container.name, make_task_id(instance.id, container.name, instance.incarnation),
                                     {}, turn.now.time, {}, {}, {}});
    }
    instance.task_id = instance.containers.front().task_id;
  } else {
    instance.task_id = make_task_id(instance.id, instance.incarnation);
  }
  instance.agent_id = offer.agent_id;
  instance.hostname = offer.hostname;
  instance.region = offer.region;
  instance.zone = offer.zone;
  instance.role = offer.role;
  instance.attributes.clear();
  for (const Constraint& c : run.target->constraints) {
    if (const auto it = offer.attributes.find(c.field); it != offer.attributes.end()) {
      instance.attributes.insert(*it);
    }
  }
  instance.host_ports = placement.host_ports;
  if (is_resident(*run.target) && !instance.reservation) {
    instance.reservation = make_reservation(*run.target, instance, turn.random);
  }
  instance.staged_at = turn.now.time;
  instance.launch_waits = true;
  instance.health.clear();
  instance.readiness.clear();
  instance.healthy.reset();
  link_tasks(turn.state, instance);
  set_condition(turn, run, instance, Condition::Provisioned);
}

/// Places one instance on some offer, starting at `first` so that instances spread.
bool place_one(Turn& turn, Candidate& candidate, const MatchPolicy& policy, std::vector<OfferUse>& uses, size_t first) {
  AppRun& run = *candidate.run;
  for (size_t step = 0; step < uses.size(); ++step) {
    const size_t i = (first + step) % uses.size();
    OfferUse& use = uses[i];
    if (candidate.refused[i] || use.launches.size() >= turn.policy.max_instances_per_offer) continue;
    Reject why{};
    auto placement = match(use.offer, *run.target, candidate.placed, policy,
                           turn.now.time, turn.random, why);
    if (!placement) {
      remember_refusal(turn, run, use.offer, why);
      if (!candidate.retry || why != Reject::UnfulfilledConstraint) candidate.refused[i] = true;
      continue;
    }
    remember_use(turn, run, use.offer);
    Instance& instance = run.instances.at(candidate.waiting.back());
    candidate.waiting.pop_back();
    provision(turn, run, instance, use.offer, *placement);
    candidate.placed.push_back(&instance);
    use.launches.push_back({instance.app, instance.id, instance.task_id, run.target, std::move(*placement)});
    return true;
  }
  return false;
}

/// Those who own something in an offer come first; for those who wait for theirs in vain it is noted why.
void place_residents(Turn& turn, const MatchPolicy& policy, std::vector<OfferUse>& uses) {
  for (const PathId& id : std::set<PathId>(turn.state.launchable)) {
    AppRun& run = *find_run(turn.state, id);
    if (!run.target || !is_resident(*run.target) || is_delayed(run, turn.now.time)) continue;
    std::vector<Instance*> waiting;
    for (auto& [key, instance] : run.instances) {
      if (instance.condition == Condition::Scheduled && instance.goal == Goal::Running && instance.reservation) {
        waiting.push_back(&instance);
      }
    }
    for (Instance* instance : waiting) {
      for (OfferUse& use : uses) {
        Reject why{};
        auto placement = match_reserved(use.offer, *run.target, *instance, policy, turn.now.time, turn.random, why);
        if (!placement) {
          remember_refusal(turn, run, use.offer, why);
          continue;
        }
        remember_use(turn, run, use.offer);
        provision(turn, run, *instance, use.offer, *placement);
        use.launches.push_back({instance->app, instance->id, instance->task_id, run.target, std::move(*placement)});
        break;
      }
    }
  }
}

/// What an offer has of reservations that belong to no instance goes back to everybody.
void find_releases(Turn& turn, OfferUse& use) {
  if (!may_release(turn.state) || base::planted("marathon/keeps-what-is-nobodys")) return;
  for (const auto& [id, resources] : use.offer.reserved) {
    if (find_reservation(turn.state, id)) continue;
    turn.state.releases.try_emplace(id, turn.now.time);
    for (auto& operation : release(use.offer, id, turn.random)) use.releases.push_back(std::move(operation));
  }
}

void decline(Turn& turn, const std::vector<std::string>& offers) {
  if (offers.empty() || !turn.state.subscribed) return;
  auto call = std::make_shared<Call>();
  call->set_type(Call::DECLINE);
  for (const std::string& id : offers) call->mutable_decline()->add_offer_ids()->set_value(id);
  call->mutable_decline()->mutable_filters()->set_refuse_seconds(
      std::chrono::duration<double>(turn.policy.decline_offer).count());
  turn.out.send(std::move(call));
  turn.count("mesos.offers.declined", offers.size());
  turn.state.filters_set = true;
}

/// The launch does not happen: the instance waits again, or is done with.
void take_back(Turn& turn, const Launch& launch) {
  Instance* instance = find_task(turn.state, launch.task);
  if (!instance) return;
  AppRun& run = *find_run(turn.state, launch.app);
  unlink_tasks(turn.state, *instance);
  instance->task_id.clear();
  instance->containers.clear();
  instance->staged_at.reset();
  instance->launch_waits = instance->kill_requested = false;
  // It was never asked for.
  if (instance->reservation && !instance->reservation->confirmed) instance->reservation.reset();
  if (instance->goal == Goal::Decommissioned) return forget(turn, run, launch.instance);
  if (instance->goal == Goal::Stopped) return stop_instance(turn, run, *instance);
  set_condition(turn, run, *instance, Condition::Scheduled);
  save(turn, *instance);
  want_offers(turn, run);
}

void take_back(Turn& turn, const OfferUse& use) {
  for (const Launch& launch : use.launches) take_back(turn, launch);
}

/// The records are durable: launch. What was given up or replaced meanwhile is left out.
void accept(Turn& turn, const OfferUse& use) {
  // The offer went with the subscription.
  if (!turn.state.subscribed) return take_back(turn, use);
  auto call = std::make_shared<Call>();
  call->set_type(Call::ACCEPT);
  call->mutable_accept()->add_offer_ids()->set_value(use.offer.id);
  for (const auto& release : use.releases) *call->mutable_accept()->add_operations() = release;
  pb::Offer::Operation operation;
  operation.set_type(pb::Offer::Operation::LAUNCH);
  std::vector<pb::Offer::Operation> groups;
  for (const Launch& launch : use.launches) {
    Instance* instance = find_task(turn.state, launch.task);
    if (!instance) continue;
    if (instance->goal != Goal::Running || instance->kill_requested) {
      take_back(turn, launch);
      continue;
    }
    instance->launch_waits = false;
    const std::string& framework = turn.state.framework_id;
    if (is_new_reservation(*instance)) {
      for (auto& reserving : reserve(*launch.definition, *instance, launch.placement, use.offer, turn.policy, framework)) {
        *call->mutable_accept()->add_operations() = std::move(reserving);
      }
      turn.count("mesos.offer-operations.reserve");
    }
    const auto resources =
        launch_resources(*launch.definition, *instance, launch.placement, use.offer, turn.policy, framework);
    const bool enforced = is_role_enforced(turn.state, launch.app);
    if (launch.definition->pod) {
      pb::Offer::Operation& group = groups.emplace_back();
      group.set_type(pb::Offer::Operation::LAUNCH_GROUP);
      build_task_group(*launch.definition, *instance, launch.placement, use.offer, resources, framework, turn.policy,
                       enforced, *group.mutable_launch_group());
      continue;
    }
    build_task(*launch.definition, *instance, launch.placement, use.offer, resources, framework, turn.policy, enforced,
               *operation.mutable_launch()->add_task_infos());
  }
  const bool launches = operation.launch().task_infos_size() > 0;
  if (!launches && groups.empty() && use.releases.empty()) return decline(turn, {use.offer.id});
  const bool more = use.launches.size() >= turn.policy.max_instances_per_offer;
  if (launches) *call->mutable_accept()->add_operations() = std::move(operation);
  for (pb::Offer::Operation& group : groups) *call->mutable_accept()->add_operations() = std::move(group);
  call->mutable_accept()->mutable_filters()->set_refuse_seconds(
      more ? 0 : std::chrono::duration<double>(turn.policy.decline_offer).count());
  if (!more) turn.state.filters_set = true;
  turn.out.send(std::move(call));
  turn.count("mesos.offers.used");
  if (launches) turn.count("mesos.offer-operations.launch");
  if (!groups.empty()) turn.count("mesos.offer-operations.launch-group", groups.size());
}

/// The records could not be stored: nothing is launched.
void abandon(Turn& turn, const std::vector<OfferUse>& uses) {
  std::vector<std::string> offers;
  for (const OfferUse& use : uses) {
    offers.push_back(use.offer.id);
    for (const Launch& launch : use.launches) {
      // A store that refuses now may refuse again: try after a pause.
      AppRun* run = find_run(turn.state, launch.app);
      if (run) run->backoff = Backoff{base::seconds(5), turn.now.time};
    }
    take_back(turn, use);
  }
  decline(turn, offers);
}

}  // namespace

std::vector<const Instance*> counted_instances(const AppRun& run) {
  std::vector<const Instance*> list;
  for (const auto& [id, instance] : run.instances) {
    if (!is_active(instance.condition)) continue;
    const auto version = run.versions.find(instance.version);
    if (version != run.versions.end() && run.target &&
        version->second->last_config_change_at >= run.target->last_config_change_at) {
      list.push_back(&instance);
    }
  }
  return list;
}

void on_offers(Turn& turn, const pb::scheduler::Event_Offers& message) {
  turn.count("mesos.offers.incoming", static_cast<uint64_t>(message.offers_size()));
  std::vector<OfferUse> uses;
  for (const pb::Offer& offer : message.offers()) uses.push_back({decode_offer(offer, turn.state.framework_id), {}, {}});
  for (OfferUse& use : uses) find_releases(turn, use);
  const MatchPolicy policy = match_policy(turn.state, turn.policy);
  place_residents(turn, policy, uses);
  forget_old_releases(turn);
  std::vector<Candidate> waiting = candidates(turn, uses.size());
  // Round robin: one instance of each app per round, each starting at the offer after the last one used.
  size_t next = 0;
  while (!waiting.empty()) {
    std::erase_if(waiting, [&](Candidate& candidate) {
      if (!place_one(turn, candidate, policy, uses, next)) return true;
      next = uses.empty() ? 0 : (next + 1) % uses.size();
      return candidate.waiting.empty();
    });
  }
  if (!turn.state.dry_runs.empty()) {
    std::vector<Offer> left;
    for (const OfferUse& use : uses) left.push_back(use.offer);
    answer_dry_runs(turn, left);
  }
  std::vector<std::string> unused;
  std::vector<Write> writes;
  std::vector<OfferUse> used;
  for (OfferUse& use : uses) {
    if (use.empty()) {
      unused.push_back(use.offer.id);
      continue;
    }
    for (const Launch& launch : use.launches) {
      const Instance* instance = find_task(turn.state, launch.task);
      writes.push_back({instance_key(instance->id), encode_instance(*instance)});
    }
    used.push_back(std::move(use));
  }
  decline(turn, unused);
  if (turn.policy.suppress_offers && !idle_roles(turn.state).empty()) {
    turn.out.set_timer("suppress", turn.now.instant + kIdleBeforeSuppress);
  }
  if (used.empty()) return;
  // The store may have refused it before: without it the instances could not be read back.
  if (!turn.state.framework_id_stored) store_framework_id(turn);
  ++turn.state.accepting;
  commit(turn, std::move(writes), [used = std::move(used)](Turn& later, const base::Status& status) {
    --later.state.accepting;
    if (!status) return abandon(later, used);
    for (const OfferUse& use : used) accept(later, use);
  });
}

void ask_for_offers(Turn& turn) {
  State& state = turn.state;
  // The filters of what is being accepted would hold back what is asked for before them.
  if (!state.demand || !state.subscribed || state.accepting > 0) return;
  state.demand = false;
  std::set<std::string> roles = wanted_roles(state);
  if (!state.filters_set) std::erase_if(roles, [&](const std::string& role) { return !state.suppressed.contains(role); });
  if (roles.empty()) return;
  auto call = std::make_shared<Call>();
  call->set_type(Call::REVIVE);
  for (const std::string& role : roles) {
    call->mutable_revive()->add_roles(role);
    state.suppressed.erase(role);
  }
  turn.out.send(std::move(call));
  turn.count("mesos.calls.revive");
  state.filters_set = false;
}

void suppress_when_idle(Turn& turn) {
  State& state = turn.state;
  if (!state.subscribed) return;
  const std::set<std::string> roles = idle_roles(state);
  if (roles.empty()) return;
  auto call = std::make_shared<Call>();
  call->set_type(Call::SUPPRESS);
  for (const std::string& role : roles) call->mutable_suppress()->add_roles(role);
  turn.out.send(std::move(call));
  turn.count("mesos.calls.suppress");
  state.suppressed.insert(roles.begin(), roles.end());
}

}  // namespace marathon
