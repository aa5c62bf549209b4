#include "marathon/instances.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"
#include "base/testing/planted.hpp"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"
#include "marathon/deployments.hpp"
#include "marathon/events_out.hpp"
#include "marathon/health.hpp"
#include "marathon/pod_json.hpp"
#include "marathon/records.hpp"
#include "marathon/residency.hpp"

namespace marathon {
namespace {

namespace pb = mesos::v1;
using pb::scheduler::Call;

constexpr base::Duration kReconcileGrace = base::seconds(30);

std::shared_ptr<Call> make_call(Call::Type type) {
  auto call = std::make_shared<Call>();
  call->set_type(type);
  return call;
}

Condition lost_condition(const pb::TaskStatus& status) {
  switch (status.reason()) {
    case pb::TaskStatus::REASON_RECONCILIATION:
    case pb::TaskStatus::REASON_AGENT_DISCONNECTED:
    case pb::TaskStatus::REASON_AGENT_REMOVED: return Condition::Unreachable;
    case pb::TaskStatus::REASON_TASK_UNKNOWN: return Condition::Unknown;
    default: return Condition::Gone;
  }
}

Condition condition_of(const pb::TaskStatus& status) {
  switch (status.state()) {
    case pb::TASK_STAGING: return Condition::Staging;
    case pb::TASK_STARTING: return Condition::Starting;
    case pb::TASK_RUNNING: return Condition::Running;
    case pb::TASK_KILLING: return Condition::Killing;
    case pb::TASK_FINISHED: return Condition::Finished;
    case pb::TASK_FAILED: return Condition::Failed;
    case pb::TASK_KILLED: return Condition::Killed;
    case pb::TASK_ERROR: return Condition::Error;
    case pb::TASK_LOST: return lost_condition(status);
    case pb::TASK_DROPPED: return Condition::Dropped;
    case pb::TASK_UNREACHABLE: return Condition::Unreachable;
    case pb::TASK_GONE:
    case pb::TASK_GONE_BY_OPERATOR: return Condition::Gone;
    case pb::TASK_UNKNOWN: return Condition::Unknown;
  }
  return Condition::Unknown;
}

/// The task has been at its agent, so that what it was to run on exists. Staging is the master's word alone.
bool was_there(const pb::TaskStatus& status) {
  switch (status.state()) {
    case pb::TASK_STAGING: return base::planted("marathon/believes-in-what-was-sent");
    case pb::TASK_ERROR:
    case pb::TASK_LOST:
    case pb::TASK_DROPPED:
    case pb::TASK_UNREACHABLE:
    case pb::TASK_GONE:
    case pb::TASK_GONE_BY_OPERATOR:
    case pb::TASK_UNKNOWN: return false;
    default: return true;
  }
}

bool is_failure(pb::TaskState state) {
  switch (state) {
    case pb::TASK_FAILED:
    case pb::TASK_ERROR:
    case pb::TASK_LOST:
    case pb::TASK_DROPPED:
    case pb::TASK_GONE:
    case pb::TASK_GONE_BY_OPERATOR:
    case pb::TASK_UNKNOWN: return true;
    default: return false;
  }
}

void acknowledge(Turn& turn, const pb::TaskStatus& status) {
  if (!status.has_uuid() || !turn.state.subscribed) return;
  auto call = make_call(Call::ACKNOWLEDGE);
  auto& ack = *call->mutable_acknowledge();
  *ack.mutable_agent_id() = status.agent_id();
  *ack.mutable_task_id() = status.task_id();
  ack.set_uuid(status.uuid());
  turn.out.send(std::move(call));
}

void send_kill(Turn& turn, const TaskId& task, const std::string& agent) {
  if (!turn.state.subscribed) return;
  auto call = make_call(Call::KILL);
  call->mutable_kill()->mutable_task_id()->set_value(task);
  if (!agent.empty()) call->mutable_kill()->mutable_agent_id()->set_value(agent);
  turn.out.send(std::move(call));
}

/// Tasks of the instance that have not ended.
std::vector<TaskId> live_tasks(const Instance& instance) {
  std::vector<TaskId> tasks;
  for (const ContainerTask& task : instance.containers) {
    if (!is_terminal(condition_of_state(task.state))) tasks.push_back(task.task_id);
  }
  if (instance.containers.empty()) tasks.push_back(instance.task_id);
  return tasks;
}

std::string timer(std::string_view kind, const Instance& instance) {
  return fmt::format("{}/{}|{}", kind, instance.app, instance.id);
}

void on_unknown_task(Turn& turn, const pb::TaskStatus& status, Condition condition) {
  const std::string& task = status.task_id().value();
  const auto name = parse_task_id(task);
  if (is_terminal(condition)) {
    if (name) publish_unknown_terminated(turn, name->instance, name->app, condition);
  } else if (condition != Condition::Unreachable && condition != Condition::Killing &&
             !base::planted("marathon/lets-strangers-live")) {
    turn.out.trace(TraceLevel::Warning, fmt::format("task {} is not known here: killing it", task));
    send_kill(turn, task, status.agent_id().value());
  }
  acknowledge(turn, status);
}

void increase_backoff(Turn& turn, AppRun& run) {
  if (!run.target) return;
  const App& app = *run.target;
  const base::Duration most = seconds_of(app.max_launch_delay_seconds);
  const base::Duration first = std::min<base::Duration>(seconds_of(app.backoff_seconds), most);
  // Whoever has run for longer than the longest delay starts afresh.
  const bool fresh = !run.backoff || turn.now.time > run.backoff->until() + most;
  if (fresh) {
    run.backoff = Backoff{first, turn.now.time};
  } else {
    const double next = static_cast<double>(run.backoff->delay.count()) * app.backoff_factor;
    run.backoff->delay = next > static_cast<double>(most.count()) ? most
                                                                 : base::Duration(static_cast<int64_t>(next));
    run.backoff->reference = turn.now.time;
  }
}

void record_failure(Turn& turn, AppRun& run, const Instance& instance, const pb::TaskStatus& status,
                    const std::string& message) {
  // Of a pod's containers the first that failed is the reason; the others follow it.
  TaskFailure failure;
  failure.app = instance.app;
  failure.host = instance.hostname;
  failure.message = message;
  failure.state = pb::TaskState_Name(status.state());
  failure.task_id = instance.containers.empty() ? instance.task_id : status.task_id().value();
  failure.agent_id = instance.agent_id;
  failure.started_at = instance.started_at ? *instance.started_at : instance.staged_at.value_or(base::Time());
  failure.timestamp = turn.now.time;
  failure.version = instance.version;
  commit(turn, {{failure_key(instance.app), encode_failure(failure)}});
  run.last_failure = std::move(failure);
}

void clear_task(Turn& turn, Instance& instance) {
  unlink_tasks(turn.state, instance);
  instance.task_id.clear();
  instance.containers.clear();
  instance.agent_id.clear();
  instance.hostname.clear();
  instance.region.clear();
  instance.zone.clear();
  instance.attributes.clear();
  instance.host_ports.clear();
  instance.ip_addresses.clear();
  instance.state.clear();
  instance.staged_at.reset();
  instance.started_at.reset();
  instance.unreachable_at.reset();
  instance.check.reset();
  instance.launch_waits = instance.kill_requested = instance.killed_for_health = false;
}

/// Makes the instance wait for its next launch.
void reschedule(Turn& turn, AppRun& run, Instance& instance) {
  clear_task(turn, instance);
  if (run.target) instance.version = run.target->version;
  set_condition(turn, run, instance, Condition::Scheduled);
  save(turn, instance);
  want_offers(turn, run);
}

/// Without a task, and not wanting one.
void park(Turn& turn, AppRun& run, Instance& instance) {
  clear_task(turn, instance);
  set_condition(turn, run, instance, Condition::Killed);
  save(turn, instance);
}

void drop_kill(Turn& turn, const Instance& instance) {
  const std::pair key{instance.app, instance.id};
  turn.state.kills_waiting.erase(key);
  if (turn.state.kills_in_flight.erase(key) > 0) pump_kills(turn, false);
}

void cancel_timers(Turn& turn, const Instance& instance) {
  if (instance.condition == Condition::Unreachable ||
      instance.condition == Condition::UnreachableInactive) {
    turn.out.cancel_timer(timer("inactive", instance));
    turn.out.cancel_timer(timer("expunge", instance));
  }
}

void note_failure(Turn& turn, AppRun& run, const Instance& instance, const pb::TaskStatus& status) {
  if (instance.killed_for_health) {
    record_failure(turn, run, instance, status,
                   "Task was killed since health check failed. Reason: " + status.message());
  } else if (is_failure(status.state())) {
    record_failure(turn, run, instance, status, status.message());
  }
}

/// Its last task has ended.
void on_terminal(Turn& turn, AppRun& run, Instance& instance, const pb::TaskStatus& status,
                 Condition condition) {
  const bool draining = status.reason() == pb::TaskStatus::REASON_AGENT_DRAINING;
  stop_checks(turn, run, instance);
  drop_kill(turn, instance);
  if (draining) {
    reset_backoff(turn, run);
  } else if (condition != Condition::Killed && condition != Condition::Unknown) {
    increase_backoff(turn, run);
  }
  if (instance.reservation) {
    // One that was never confirmed may not exist; the agent's operator gave the other up.
    const bool lost = status.state() == pb::TASK_GONE_BY_OPERATOR || !instance.reservation->confirmed;
    if (lost) give_back(turn, instance);
    if (instance.goal == Goal::Stopped && run.target) return park(turn, run, instance);
  }
  const bool wanted = instance.goal == Goal::Running && run.target &&
                      (is_resident(*run.target) || !is_being_replaced(turn.state, run, instance));
  if (wanted) {
    reschedule(turn, run, instance);
  } else {
    forget(turn, run, instance.id);
  }
}

void on_unreachable(Turn& turn, AppRun& run, Instance& instance, const pb::TaskStatus& status) {
  if (!instance.unreachable_at) {
    instance.unreachable_at =
        status.has_unreachable_time()
            ? base::Time{base::Duration(status.unreachable_time().nanoseconds())}
            : turn.now.time;
  }
  if (instance.condition != Condition::UnreachableInactive) {
    set_condition(turn, run, instance, Condition::Unreachable);
  }
  stop_checks(turn, run, instance);
  resume_timers(turn, run, instance);
}

void copy_networks(const pb::TaskStatus& status, ContainerTask& task) {
  if (status.container_status().network_infos_size() == 0) return;
  task.networks.clear();
  for (const auto& network : status.container_status().network_infos()) {
    std::vector<std::string> addresses;
    for (const auto& address : network.ip_addresses()) {
      if (address.has_ip_address()) addresses.push_back(address.ip_address());
    }
    task.networks.emplace_back(network.name(), std::move(addresses));
  }
}

void copy_addresses(const pb::TaskStatus& status, Instance& instance) {
  std::vector<std::string> addresses;
  for (const auto& network : status.container_status().network_infos()) {
    for (const auto& address : network.ip_addresses()) {
      if (address.has_ip_address()) addresses.push_back(address.ip_address());
    }
  }
  if (!addresses.empty()) instance.ip_addresses = std::move(addresses);
}

/// Absent: the status has nothing of a check that has run.
std::optional<CheckResult> check_of(const pb::TaskStatus& status) {
  const pb::CheckStatusInfo& check = status.check_status();
  if (check.http().has_status_code()) return CheckResult{CheckKind::Http, check.http().status_code()};
  if (check.tcp().has_succeeded()) return CheckResult{CheckKind::Tcp, check.tcp().succeeded() ? 1 : 0};
  if (check.command().has_exit_code()) return CheckResult{CheckKind::Command, check.command().exit_code()};
  return std::nullopt;
}

/// True when there is news.
bool note_check(const pb::TaskStatus& status, std::optional<CheckResult>& kept) {
  const auto check = check_of(status);
  if (!check || check == kept) return false;
  kept = check;
  return true;
}

/// What the containers' checks say of the pod: nothing before each that has a check was heard of.
void update_pod_health(Turn& turn, const AppRun& run, Instance& instance) {
  const App* app = definition_of(run, instance);
  if (!app || !app->pod) return;
  std::optional<bool> overall;
  for (const PodContainer& container : app->pod->containers) {
    if (!container.health_check) continue;
    const auto task = std::find_if(instance.containers.begin(), instance.containers.end(),
                                   [&](const ContainerTask& t) { return t.name == container.name; });
    if (task == instance.containers.end() || task->state == "TASK_FINISHED") continue;
    if (task->healthy == false) {
      overall = false;
      break;
    }
    if (!task->healthy || task->state != "TASK_RUNNING") {
      overall.reset();
      break;
    }
    overall = true;
  }
  if (overall == instance.healthy) return;
  instance.healthy = overall;
  publish_instance_health_changed(turn, instance);
  touch(turn, instance.app);
}

/// Launches that never report are given up: a timer runs while there are any.
void watch_launch(Turn& turn) {
  turn.out.set_timer("overdue", turn.now.instant + turn.policy.overdue_interval);
}

}  // namespace

void schedule_instances(Turn& turn, AppRun& run, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    Instance instance;
    instance.id = make_instance_id(run.target->id, turn.now.time, turn.random);
    instance.app = run.target->id;
    instance.version = run.target->version;
    instance.since = turn.now.time;
    ++run.scheduled;
    const auto [it, added] = run.instances.emplace(instance.id, instance);
    publish_instance_changed(turn, it->second);
  }
  if (count > 0) want_offers(turn, run);
}

void want_offers(Turn& turn, AppRun& run) {
  if (!run.target || run.scheduled == 0) return;
  if (turn.state.launchable.insert(run.target->id).second) {
    run.queued_since = turn.now.time;
    run.offers = {};
  }
  if (run.backoff && run.backoff->until() > turn.now.time) {
    turn.out.set_timer("backoff/" + run.target->id,
                       turn.now.instant + (run.backoff->until() - turn.now.time));
  } else {
    turn.state.demand = true;
  }
}

void set_condition(Turn& turn, AppRun& run, Instance& instance, Condition condition) {
  if (instance.condition == condition) return;
  if (instance.condition == Condition::Scheduled) {
    if (--run.scheduled == 0) turn.state.launchable.erase(instance.app);
  }
  if (condition == Condition::Scheduled) ++run.scheduled;
  if (instance.condition == Condition::Unreachable || instance.condition == Condition::UnreachableInactive) {
    if (condition != Condition::UnreachableInactive) {
      cancel_timers(turn, instance);
      instance.unreachable_at.reset();
    }
  }
  instance.condition = condition;
  instance.since = turn.now.time;
  if (condition == Condition::Provisioned) watch_launch(turn);
  // A delay must not run out while the task is still coming up.
  if (run.backoff && condition >= Condition::Provisioned && condition <= Condition::Running) {
    run.backoff->reference = turn.now.time;
  }
  publish_instance_changed(turn, instance);
  touch(turn, instance.app);
}

void save(Turn& turn, const Instance& instance, State::Continuation done) {
  commit(turn, {{instance_key(instance.id), encode_instance(instance)}}, std::move(done));
}

void forget(Turn& turn, AppRun& run, InstanceId id) {
  const auto it = run.instances.find(id);
  if (it == run.instances.end()) return;
  Instance& instance = it->second;
  const PathId app = instance.app;
  stop_checks(turn, run, instance);
  drop_kill(turn, instance);
  cancel_timers(turn, instance);
  if (instance.condition == Condition::Scheduled && --run.scheduled == 0) {
    turn.state.launchable.erase(app);
  }
  unlink_tasks(turn.state, instance);
  give_back(turn, instance);
  const bool stored = instance.incarnation > 0;
  run.instances.erase(it);
  if (stored) commit(turn, {{instance_key(id), std::nullopt}});
  touch(turn, app);
}

void kill_task(Turn& turn, Instance& instance) {
  if (instance.task_id.empty()) return;
  instance.kill_requested = true;
  if (instance.launch_waits) return;  // it is not asked for then
  const std::pair key{instance.app, instance.id};
  if (!turn.state.kills_in_flight.contains(key)) turn.state.kills_waiting.insert(key);
  pump_kills(turn, false);
}

void stop_instance(Turn& turn, AppRun& run, Instance& instance) {
  if (!instance.reservation || base::planted("marathon/scales-volumes-away")) return decommission(turn, run, instance.id);
  instance.goal = Goal::Stopped;
  if (instance.task_id.empty()) return park(turn, run, instance);
  save(turn, instance);
  touch(turn, instance.app);
  kill_task(turn, instance);
}

int64_t resume_instances(Turn& turn, AppRun& run, int64_t count) {
  int64_t resumed = 0;
  for (auto& [id, instance] : run.instances) {
    if (resumed >= count) break;
    if (instance.goal != Goal::Stopped) continue;
    instance.goal = Goal::Running;
    ++resumed;
    // One whose task is still ending is launched again when it has.
    if (instance.task_id.empty()) {
      reschedule(turn, run, instance);
    } else {
      save(turn, instance);
    }
  }
  return resumed;
}

void decommission(Turn& turn, AppRun& run, InstanceId id) {
  const auto it = run.instances.find(id);
  if (it == run.instances.end()) return;
  Instance& instance = it->second;
  const bool lost = instance.condition == Condition::Unreachable ||
                    instance.condition == Condition::UnreachableInactive;
  // A task that comes back after this is unknown and killed then.
  if (instance.task_id.empty() || lost) return forget(turn, run, id);
  if (instance.goal != Goal::Decommissioned) {
    instance.goal = Goal::Decommissioned;
    save(turn, instance);
    touch(turn, instance.app);
  }
  kill_task(turn, instance);
}

void pump_kills(Turn& turn, bool again) {
  State& state = turn.state;
  const auto send = [&](const std::pair<PathId, InstanceId>& key) {
    const Instance* instance = find_instance(state, key.first, key.second);
    if (!instance) return;
    for (const TaskId& task : live_tasks(*instance)) send_kill(turn, task, instance->agent_id);
  };
  if (again && !base::planted("marathon/asks-once-for-a-kill")) {
    for (const auto& key : state.kills_in_flight) send(key);
  }
  while (!state.kills_waiting.empty() && state.kills_in_flight.size() < turn.policy.kill_chunk_size) {
    const auto key = *state.kills_waiting.begin();
    state.kills_waiting.erase(state.kills_waiting.begin());
    state.kills_in_flight.insert(key);
    send(key);
  }
  if (!state.kills_in_flight.empty()) {
    turn.out.set_timer("kills", turn.now.instant + turn.policy.kill_retry);
  }
}

void reset_backoff(Turn& turn, AppRun& run) {
  if (!run.backoff) return;
  run.backoff.reset();
  if (run.target) turn.out.cancel_timer("backoff/" + run.target->id);
  want_offers(turn, run);
}

/// Acknowledges when all that this turn brings about is durable.
void acknowledge_later(Turn& turn, const pb::TaskStatus& status) {
  commit(turn, {}, [status](Turn& later, const base::Status& done) {
    if (done) acknowledge(later, status);
  });
}

/// One container of a pod. False when it changes nothing.
bool update_container(Turn& turn, Instance& instance, const pb::TaskStatus& status, Condition condition) {
  const auto task = std::find_if(instance.containers.begin(), instance.containers.end(), [&](const ContainerTask& t) {
    return t.task_id == status.task_id().value();
  });
  // What has ended stays ended.
  if (task == instance.containers.end() || is_terminal(condition_of_state(task->state))) return false;
  copy_networks(status, *task);
  if (status.has_healthy()) task->healthy = status.healthy();
  // TASK_LOST, which says little, is kept as what it means here.
  const std::string state = status.state() != pb::TASK_LOST               ? pb::TaskState_Name(status.state())
                            : condition == Condition::Unreachable ? "TASK_UNREACHABLE"
                            : condition == Condition::Unknown     ? "TASK_UNKNOWN"
                                                                  : "TASK_GONE";
  const bool checked = note_check(status, task->check);
  if (state == task->state) {
    if (checked) save(turn, instance);
    return false;
  }
  task->state = state;
  task->since = turn.now.time;
  if (condition == Condition::Running && !task->started_at) task->started_at = turn.now.time;
  publish_container_update(turn, instance, *task, status.message());
  return true;
}

void on_container_status(Turn& turn, AppRun& run, Instance& instance, const pb::TaskStatus& status,
                         Condition condition) {
  if (instance.reservation && was_there(status)) instance.reservation->confirmed = true;
  const bool is_news = update_container(turn, instance, status, condition);
  touch(turn, instance.app);
  update_pod_health(turn, run, instance);
  acknowledge_later(turn, status);
  if (!is_news) return;
  const Condition before = instance.condition, after = pod_condition(instance.containers);
  if (before != Condition::Killing && !is_terminal(before)) note_failure(turn, run, instance, status);
  if (is_terminal(after)) return on_terminal(turn, run, instance, status, after);
  const InstanceId id = instance.id;
  const PathId pod = instance.app;
  if (after == Condition::Unreachable) {
    on_unreachable(turn, run, instance, status);
  } else {
    if (after == Condition::Running && !instance.started_at) {
      instance.started_at = turn.now.time;
      turn.count("tasks.launched");
    }
    set_condition(turn, run, instance, after);
  }
  // Instances that are forgotten at once while unreachable are gone by now.
  if (const Instance* left = find_instance(turn.state, pod, id)) save(turn, *left);
}

/// "task-running" of TASK_RUNNING.
std::string metric_of(pb::TaskState state) {
  std::string name = base::to_lower(pb::TaskState_Name(state));
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

void on_task_status(Turn& turn, const pb::TaskStatus& status) {
  const Condition condition = condition_of(status);
  turn.count("mesos.task-updates." + metric_of(status.state()));
  Instance* instance = find_task(turn.state, status.task_id().value());
  if (!instance) return on_unknown_task(turn, status, condition);
  AppRun& run = *find_run(turn.state, instance->app);
  if (status.has_agent_id() && instance->agent_id.empty()) {
    instance->agent_id = status.agent_id().value();
  }
  if (!instance->containers.empty()) return on_container_status(turn, run, *instance, status, condition);
  const std::string state = pb::TaskState_Name(status.state());
  const bool is_news = state != instance->state || condition != instance->condition;
  if (instance->reservation && was_there(status)) instance->reservation->confirmed = true;
  instance->state = state;
  const bool checked = note_check(status, instance->check);
  copy_addresses(status, *instance);
  if (is_news) publish_status_update(turn, *instance, status.message());
  touch(turn, instance->app);
  if (is_terminal(condition)) {
    note_failure(turn, run, *instance, status);
    on_terminal(turn, run, *instance, status, condition);
    return acknowledge_later(turn, status);
  }
  if (condition == Condition::Unreachable) {
    on_unreachable(turn, run, *instance, status);
  } else {
    if (condition == Condition::Running && !instance->started_at) {
      instance->started_at = turn.now.time;
      turn.count("tasks.launched");
    }
    set_condition(turn, run, *instance, condition);
    if (condition == Condition::Running) on_running(turn, run, *instance, status.has_healthy()
                                                        ? std::optional(status.healthy()) : std::nullopt);
  }
  // Instances that are forgotten at once while unreachable are gone by now.
  Instance* left = find_task(turn.state, status.task_id().value());
  const auto done = [status](Turn& later, const base::Status& result) {
    if (result) acknowledge(later, status);
  };
  if (left && (is_news || checked)) {
    save(turn, *left, done);
  } else {
    commit(turn, {}, done);
  }
}

void resume_timers(Turn& turn, AppRun& run, Instance& instance) {
  if (instance.condition == Condition::Provisioned || instance.condition == Condition::Staging ||
      instance.condition == Condition::Starting) {
    watch_launch(turn);
  }
  if (instance.condition != Condition::Unreachable &&
      instance.condition != Condition::UnreachableInactive) {
    return;
  }
  const App* app = definition_of(run, instance);
  const UnreachableStrategy strategy = app ? app->unreachable_strategy : UnreachableStrategy();
  if (strategy.disabled || !instance.unreachable_at) return;
  const base::Duration age = turn.now.time - *instance.unreachable_at;
  const base::Duration expunge = base::seconds(strategy.expunge_after_seconds);
  const base::Duration inactive = base::seconds(strategy.inactive_after_seconds);
  if (age >= expunge) return on_unreachable_timer(turn, instance.app, instance.id, true);
  turn.out.set_timer(timer("expunge", instance), turn.now.instant + (expunge - age));
  if (instance.condition == Condition::UnreachableInactive) return;
  if (age >= inactive) {
    on_unreachable_timer(turn, instance.app, instance.id, false);
  } else {
    turn.out.set_timer(timer("inactive", instance), turn.now.instant + (inactive - age));
  }
}

void on_unreachable_timer(Turn& turn, PathId app, InstanceId id, bool expunge) {
  Instance* instance = find_instance(turn.state, app, id);
  if (!instance) return;
  if (instance->condition != Condition::Unreachable &&
      instance->condition != Condition::UnreachableInactive) {
    return;
  }
  AppRun& run = *find_run(turn.state, app);
  if (expunge || instance->goal == Goal::Decommissioned) return forget(turn, run, id);
  set_condition(turn, run, *instance, Condition::UnreachableInactive);
  save(turn, *instance);
}

void check_overdue(Turn& turn) {
  bool any = false;
  std::vector<std::pair<PathId, InstanceId>> overdue;
  for (const auto& [task, key] : turn.state.tasks) {
    const Instance* instance = find_instance(turn.state, key.first, key.second);
    if (!instance) continue;
    const bool provisioned = instance->condition == Condition::Provisioned;
    if (!provisioned && instance->condition != Condition::Staging &&
        instance->condition != Condition::Starting) {
      continue;
    }
    any = true;
    const base::Duration limit =
        provisioned ? turn.policy.task_launch_confirm : turn.policy.task_launch;
    if (turn.now.time - instance->staged_at.value_or(instance->since) > limit) overdue.push_back(key);
  }
  std::sort(overdue.begin(), overdue.end());
  for (const auto& [app, id] : overdue) {
    Instance* instance = find_instance(turn.state, app, id);
    if (instance->kill_requested) continue;
    turn.out.trace(TraceLevel::Warning,
                   fmt::format("task {} has not started in time: killing it", instance->task_id));
    turn.count("instances.launch-overdue");
    kill_task(turn, *instance);
  }
  if (any) watch_launch(turn);
}

void reconcile(Turn& turn, bool all) {
  if (!turn.state.subscribed) return;
  auto call = make_call(Call::RECONCILE);
  for (const auto& [app, run] : turn.state.apps) {
    for (const auto& [id, instance] : run.instances) {
      if (instance.task_id.empty()) continue;
      const base::Duration age = turn.now.time - instance.since;
      if (!all && instance.condition == Condition::Provisioned && age < kReconcileGrace) continue;
      for (const TaskId& known : live_tasks(instance)) {
        auto* task = call->mutable_reconcile()->add_tasks();
        task->mutable_task_id()->set_value(known);
        if (!instance.agent_id.empty()) task->mutable_agent_id()->set_value(instance.agent_id);
      }
    }
  }
  // An empty list would ask for everything: that is the second call.
  if (call->reconcile().tasks_size() > 0) turn.out.send(std::move(call));
  auto implicit = make_call(Call::RECONCILE);
  implicit->mutable_reconcile();
  turn.out.send(std::move(implicit));
  turn.out.set_timer("reconcile", turn.now.instant + turn.policy.reconciliation_interval);
}

}  // namespace marathon
