#include "marathon/rollout.hpp"

#include <algorithm>
#include <limits>

#include "base/testing/planted.hpp"
#include "marathon/health.hpp"
#include "marathon/instances.hpp"
#include "marathon/kill_policy.hpp"
#include "marathon/upgrade.hpp"

namespace marathon {
namespace {

/// Instances that count towards the wanted number.
bool counts(const Instance& instance) {
  return instance.goal == Goal::Running && instance.condition != Condition::UnreachableInactive;
}

std::vector<const Instance*> counting(const AppRun& run) {
  std::vector<const Instance*> list;
  for (const auto& [id, instance] : run.instances) {
    if (counts(instance)) list.push_back(&instance);
  }
  return list;
}

/// Some are being given up, or stopped and not yet ended.
bool any_ending(const AppRun& run) {
  return std::any_of(run.instances.begin(), run.instances.end(), [](const auto& entry) {
    const Instance& instance = entry.second;
    return instance.goal == Goal::Decommissioned || (instance.goal == Goal::Stopped && !instance.task_id.empty() &&
            instance.condition != Condition::Unreachable);
  });
}

/// Some end, to go on as another version with what is reserved for them.
bool any_leaving(const AppRun& run) {
  return std::any_of(run.instances.begin(), run.instances.end(), [&](const auto& entry) {
    return entry.second.reservation && entry.second.kill_requested && is_outdated(run, entry.second);
  });
}

/// One too many.
void retire(Turn& turn, AppRun& run, const InstanceId& id) {
  const auto it = run.instances.find(id);
  if (it == run.instances.end()) return;
  if (is_resident(*run.target)) return stop_instance(turn, run, it->second);
  decommission(turn, run, id);
}

/// Its task makes room for one of the new version: on the same resources when they are its own.
void replace_task(Turn& turn, AppRun& run, const InstanceId& id) {
  Instance& instance = run.instances.at(id);
  if (!instance.reservation) return decommission(turn, run, id);
  kill_task(turn, instance);
}

/// Counts instances that are ready, and have been for the app's minimum time.
class ReadyCount {
 public:
  ReadyCount(Turn& turn, const AppRun& run, Action& action)
      : turn_(turn), run_(run), action_(action), least_(base::seconds(run.target->deployment.min_healthy_seconds)) {}

  void add(const Instance& instance) {
    if (!is_ready(run_, instance)) return void(action_.ready_since.erase(instance.id));
    if (least_.count() == 0) return void(++count_);
    const base::Time at = action_.ready_since.emplace(instance.id, turn_.now.time).first->second + least_;
    if (turn_.now.time >= at) return void(++count_);
    if (!next_ || at < *next_) next_ = at;
  }

  int64_t finish() {
    if (next_) turn_.out.set_timer("settle/" + action_.app, turn_.now.instant + (*next_ - turn_.now.time));
    return count_;
  }

 private:
  Turn& turn_;
  const AppRun& run_;
  Action& action_;
  base::Duration least_;
  int64_t count_ = 0;
  std::optional<base::Time> next_;
};

bool stop(Turn& turn, AppRun& run, Action& action) {
  if (!action.started) {
    action.started = true;
    reset_backoff(turn, run);
  }
  stop_all(turn, run);
  return run.instances.empty();
}

bool scale(Turn& turn, AppRun& run, const AppChange& change, Action& action) {
  const int64_t wanted = run.target->instances;
  if (!action.started) {
    action.started = true;
    for (const InstanceId& id : change.kill_list) retire(turn, run, id);
  }
  restore_count(turn, run);
  if (any_ending(run)) return false;
  const bool grows = wanted > (change.from ? change.from->instances : 0);
  if (!grows) return true;
  ReadyCount ready(turn, run, action);
  for (const auto& [id, instance] : run.instances) ready.add(instance);
  return ready.finish() >= wanted;
}

/// Old instances in the order in which they go: what does not run well first, then the oldest.
std::vector<const Instance*> replaceable(const AppRun& run) {
  std::vector<const Instance*> old;
  for (const auto& [id, instance] : run.instances) {
    const bool leaving = instance.kill_requested && instance.reservation;
    if (instance.goal == Goal::Running && !leaving && is_outdated(run, instance)) old.push_back(&instance);
  }
  std::stable_sort(old.begin(), old.end(), [](const Instance* a, const Instance* b) {
    const bool ha = is_considered_healthy(*a), hb = is_considered_healthy(*b);
    if (ha != hb) return !ha;
    return a->staged_at.value_or(a->since) < b->staged_at.value_or(b->since);
  });
  return old;
}

void start_replacing(Turn& turn, AppRun& run, Action& action) {
  action.started = true;
  reset_backoff(turn, run);
  UpgradeInput input;
  input.target = run.target->instances;
  input.resident = is_resident(*run.target);
  for (const auto& [id, instance] : run.instances) {
    if (instance.goal != Goal::Running || instance.condition == Condition::UnreachableInactive) continue;
    // What waits for an offer has no task yet: it starts as the new version.
    if (instance.condition == Condition::Scheduled) continue;
    ++input.existing;
    if (is_considered_healthy(instance)) ++input.running;
  }
  const UpgradeLimits limits = upgrade_limits(run.target->upgrade_strategy, input);
  action.kill_now = limits.kill_now;
  action.max_capacity = limits.max_capacity;
}

/// The limits were taken when fewer instances ran than now, and nothing can move within them: what does not run well
/// may go for nothing; else one more is allowed, as it would have been from the start.
void get_unstuck(Turn& turn, AppRun& run, const Instance& next, Action& action) {
  // A resident one can only be replaced where it is.
  if (is_considered_healthy(next) && !next.reservation) {
    ++action.max_capacity;
  } else {
    replace_task(turn, run, InstanceId(next.id));
  }
}

/// So many of what runs well may be stopped now: what has died since the limits were taken is not made worse by us.
int64_t healthy_to_spare(const AppRun& run) {
  if (base::planted("marathon/stops-what-is-needed")) return std::numeric_limits<int64_t>::max();
  if (is_resident(*run.target)) return std::numeric_limits<int64_t>::max();  // replaced where it is, within its limits
  int64_t healthy = 0;
  for (const auto& [id, instance] : run.instances) {
    if (instance.goal == Goal::Running && is_considered_healthy(instance)) ++healthy;
  }
  return std::max<int64_t>(0, healthy - min_healthy(run.target->upgrade_strategy, run.target->instances));
}

int64_t canaries_of(const App& target) { return std::min(target.deployment.canary, target.instances); }

/// Runs canaries beside the old instances, and new ones for what ends of these: capacity stays.
void try_out(Turn& turn, AppRun& run, Action& action) {
  int64_t fresh = 0, old = 0;
  ReadyCount settled(turn, run, action);
  for (auto& [id, instance] : run.instances) {
    if (instance.condition == Condition::Scheduled && instance.goal == Goal::Running) instance.version = run.target->version;
    if (!counts(instance)) continue;
    if (is_outdated(run, instance)) {
      ++old;
    } else {
      ++fresh;
      settled.add(instance);
    }
  }
  settled.finish();
  const int64_t canaries = canaries_of(*run.target);
  const int64_t lost = std::max<int64_t>(0, run.target->instances - old);
  schedule_instances(turn, run, std::max<int64_t>(0, std::min(run.target->instances, canaries + lost) - fresh));
}

bool replace(Turn& turn, AppRun& run, Action& action) {
  const int64_t wanted = run.target->instances;
  if (!action.started) start_replacing(turn, run, action);
  int64_t fresh = 0, old_alive = 0;
  ReadyCount settled(turn, run, action);
  for (auto& [id, instance] : run.instances) {
    if (instance.condition == Condition::Scheduled && instance.goal == Goal::Running) {
      instance.version = run.target->version;
    }
    if (instance.goal == Goal::Stopped && instance.task_id.empty()) continue;
    if (is_outdated(run, instance)) {
      ++old_alive;  // until it is confirmed to have ended
    } else if (counts(instance)) {
      ++fresh;
      settled.add(instance);
    }
  }
  const int64_t ready = settled.finish();
  // Each new instance that is ready lets one old one go.
  const std::vector<const Instance*> old = replaceable(run);
  int64_t may_go = std::min<int64_t>(action.kill_now + ready - action.killed,
                                     static_cast<int64_t>(old.size()));
  if (ready >= wanted) may_go = static_cast<int64_t>(old.size());
  int64_t spare = healthy_to_spare(run);
  std::vector<InstanceId> victims;
  for (int64_t i = 0; i < may_go; ++i) {
    const Instance& next = *old[static_cast<size_t>(i)];
    if (is_considered_healthy(next) && spare-- <= 0) break;
    victims.push_back(next.id);
  }
  may_go = static_cast<int64_t>(victims.size());
  for (const InstanceId& id : victims) {
    ++action.killed;
    replace_task(turn, run, id);
  }
  const bool waiting = fresh > ready || any_ending(run) || any_leaving(run);
  if (may_go <= 0 && !waiting && ready < wanted && !old.empty() &&
      action.max_capacity <= old_alive + fresh) {
    get_unstuck(turn, run, *old.front(), action);
  }
  if (base::planted("marathon/starts-beyond-capacity")) action.max_capacity = 4 * wanted;
  const int64_t room = action.max_capacity - old_alive - fresh;
  const int64_t more = std::max<int64_t>(0, std::min(wanted - fresh, room));
  schedule_instances(turn, run, more - resume_instances(turn, run, more));
  return ready >= wanted && old_alive == 0 && !any_ending(run);
}

}  // namespace

bool is_outdated(const AppRun& run, const Instance& instance) {
  if (!run.target || instance.version == run.target->version) return false;
  const auto version = run.versions.find(instance.version);
  if (version == run.versions.end()) return true;
  return version->second->last_config_change_at != run.target->last_config_change_at;
}

bool is_canary(const State& state, const Deployment& deployment, const Action& action) {
  if (action.kind != ActionKind::Restart || action.done || deployment.promoted || deployment.rollback) return false;
  const AppRun* run = find_spec(state, action.app);
  return run && canaries_of(*run->target) > 0;
}

bool awaits_promotion(const State& state, const Deployment& deployment, const Action& action) {
  if (!is_canary(state, deployment, action)) return false;
  const AppRun& run = *find_spec(state, action.app);
  const auto ready = std::count_if(run.instances.begin(), run.instances.end(), [&](const auto& entry) {
    return !is_outdated(run, entry.second) && is_ready(run, entry.second);
  });
  return ready >= canaries_of(*run.target);
}

void stop_all(Turn& turn, AppRun& run) {
  std::vector<InstanceId> ids;
  for (const auto& [id, instance] : run.instances) {
    if (instance.goal != Goal::Decommissioned) ids.push_back(id);
  }
  for (const InstanceId& id : ids) decommission(turn, run, id);
}

void restore_count(Turn& turn, AppRun& run) {
  const std::vector<const Instance*> list = counting(run);
  const int64_t surplus = static_cast<int64_t>(list.size()) - run.target->instances;
  if (surplus < 0) return schedule_instances(turn, run, -surplus - resume_instances(turn, run, -surplus));
  if (surplus == 0) return;
  for (const InstanceId& id : select_victims(*run.target, list, static_cast<size_t>(surplus))) {
    retire(turn, run, id);
  }
}

bool run_action(Turn& turn, const Deployment& deployment, Action& action) {
  AppRun* run = find_run(turn.state, action.app);
  const AppChange* change = find_change(deployment.changes, action.app);
  if (!run || !change) return true;
  switch (action.kind) {
    case ActionKind::Start: return true;
    // An app of the same id that was made since is not ours to stop.
    case ActionKind::Stop: return run->target || stop(turn, *run, action);
    case ActionKind::Scale: return !run->target || scale(turn, *run, *change, action);
    case ActionKind::Restart:
      if (!run->target) return true;
      if (is_canary(turn.state, deployment, action)) return try_out(turn, *run, action), false;
      return replace(turn, *run, action);
  }
  UNREACHABLE();
}

}  // namespace marathon
