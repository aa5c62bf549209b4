// Tasks: bookkeeping, status updates, acknowledgement, kill, reconciliation.

#include <fmt/core.h>

#include "base/testing/planted.hpp"
#include "kernel/api/secrets.hpp"
#include "kernel/master/core.hpp"
#include "kernel/resources/proto.hpp"

namespace master {

namespace {

using mesos::v1::scheduler::Call;

}  // namespace

TaskStatus Core::make_status(const TaskId& task, TaskState state, const std::string& message,
                             TaskStatus::Reason reason) const {
  TaskStatus status;
  status.mutable_task_id()->set_value(task);
  status.set_state(state);
  status.set_source(TaskStatus::SOURCE_MASTER);
  status.set_message(message);
  status.set_reason(reason);
  status.set_timestamp(now_.time.seconds());
  return status;
}

void Core::send_status(Framework& framework, TaskStatus status) {
  if (framework.connection == 0) return;
  mesos::v1::scheduler::Event event;
  event.set_type(mesos::v1::scheduler::Event::UPDATE);
  *event.mutable_update()->mutable_status() = std::move(status);
  send_event(framework, std::move(event));
}

Task& Core::add_task(Framework& framework, Agent& agent, const TaskInfo& info, Resources resources) {
  mesos::v1::Task proto;
  proto.set_name(info.name());
  *proto.mutable_task_id() = info.task_id();
  proto.mutable_framework_id()->set_value(framework.id);
  *proto.mutable_agent_id() = info.agent_id();
  proto.set_state(mesos::v1::TASK_STAGING);
  *proto.mutable_resources() = info.resources();
  if (info.has_executor()) *proto.mutable_executor_id() = info.executor().executor_id();
  if (info.has_labels()) *proto.mutable_labels() = info.labels();
  if (info.has_discovery()) *proto.mutable_discovery() = info.discovery();
  if (info.has_container()) {
    *proto.mutable_container() = info.container();
    api::hide_secrets(*proto.mutable_container());
  }
  if (info.has_health_check()) *proto.mutable_health_check() = info.health_check();
  if (info.has_kill_policy()) *proto.mutable_kill_policy() = info.kill_policy();
  if (info.command().has_user()) {
    proto.set_user(info.command().user());
  } else if (info.executor().command().has_user()) {
    proto.set_user(info.executor().command().user());
  }
  if (!info.limits().empty()) *proto.mutable_limits() = info.limits();

  auto task = std::make_unique<Task>();
  task->proto = Cow<mesos::v1::Task>(std::move(proto));
  task->framework = &framework;
  task->agent = &agent;
  task->resources = std::move(resources);
  Task& added = *task;
  hold(std::move(task));
  return added;
}

/// Puts a new task into the books of its framework and its agent.
void Core::hold(std::unique_ptr<Task> task) {
  Task& added = *task;
  Framework& framework = *added.framework;
  Agent& agent = *added.agent;
  agent.tasks[framework.id][added.id()] = &added;
  agent.used[framework.id] += added.resources;
  framework.used += added.resources;
  framework.tasks[added.id()] = std::move(task);
  publish_task_added(*added.proto);
}

Task& Core::add_task(Framework& framework, Agent& agent, mesos::v1::Task proto) {
  auto task = std::make_unique<Task>();
  const bool ended = is_terminal(proto.state());
  if (auto held = resources::from_proto(proto.resources()); held && !ended) task->resources = std::move(*held);
  task->holds_resources = !ended;
  task->proto = Cow<mesos::v1::Task>(std::move(proto));
  task->framework = &framework;
  task->agent = &agent;
  Task& added = *task;
  hold(std::move(task));
  return added;
}

void Core::count_state(TaskState state, const TaskStatus& status) {
  switch (state) {
    case mesos::v1::TASK_FINISHED: count(Metric::TasksFinished); break;
    case mesos::v1::TASK_FAILED: count(Metric::TasksFailed); break;
    case mesos::v1::TASK_KILLED: count(Metric::TasksKilled); break;
    case mesos::v1::TASK_LOST: count(Metric::TasksLost); break;
    case mesos::v1::TASK_ERROR: count(Metric::TasksError); break;
    case mesos::v1::TASK_DROPPED: count(Metric::TasksDropped); break;
    case mesos::v1::TASK_GONE: count(Metric::TasksGone); break;
    case mesos::v1::TASK_GONE_BY_OPERATOR: count(Metric::TasksGoneByOperator); break;
    default: break;
  }
  if (status.has_reason()) ++state_.task_reasons[{state, status.source(), status.reason()}];
}

void Core::status_update(Agent& agent, link::StatusUpdate& message) {
  count(Metric::MessagesStatusUpdate);
  const TaskStatus& status = message.status();
  Framework* framework = find_framework(message.framework_id().value());
  if (base::planted("master/acknowledges-for-others") && framework != nullptr && !framework->connected) {
    link::MasterMessage order;
    *order.mutable_acknowledge_status_update()->mutable_framework_id() = message.framework_id();
    *order.mutable_acknowledge_status_update()->mutable_task_id() = status.task_id();
    order.mutable_acknowledge_status_update()->set_uuid(status.uuid());
    out_->send(agent.link, std::move(order));
  }
  if (framework == nullptr || status.task_id().value().empty()) {
    count(Metric::InvalidStatusUpdates);
    // The agent repeats it until acknowledged; nobody is left who could.
    if (framework == nullptr && state_.completed_frameworks.count(message.framework_id().value())) {
      link::MasterMessage order;
      *order.mutable_shutdown_framework()->mutable_framework_id() = message.framework_id();
      out_->send(agent.link, std::move(order));
    }
    return;
  }
  const auto of_framework = agent.tasks.find(framework->id);
  Task* task = nullptr;
  if (of_framework != agent.tasks.end()) {
    const auto found = of_framework->second.find(status.task_id().value());
    if (found != of_framework->second.end()) task = found->second;
  }
  if (task == nullptr) {
    count(Metric::InvalidStatusUpdates);
    send_status(*framework, std::move(*message.mutable_status()));
    return;
  }
  count(Metric::ValidStatusUpdates);
  std::optional<TaskState> latest;
  if (message.has_latest_state()) latest = message.latest_state();
  update_task(*task, status, latest);
  send_status(*framework, std::move(*message.mutable_status()));
}

void Core::update_task(Task& task, const TaskStatus& status, std::optional<TaskState> latest) {
  mesos::v1::Task& proto = task.proto.edit();
  const TaskState before = proto.state();
  const TaskState now = latest.value_or(status.state());
  if (status.has_uuid()) {
    proto.set_status_update_state(status.state());
    proto.set_status_update_uuid(status.uuid());
  }
  bool notable = false;
  if (!is_terminal(before)) {  // an end is final; what an agent tells later about it is its business
    notable = now != before;
    proto.set_state(now);
  }
  if (status.reason() == TaskStatus::REASON_TASK_CHECK_STATUS_UPDATED ||
      status.reason() == TaskStatus::REASON_TASK_HEALTH_CHECK_STATUS_UPDATED) {
    notable = notable || status.has_reason();
  }
  // One status per state in a row: the latest says all.
  if (proto.statuses_size() > 0 && proto.statuses(proto.statuses_size() - 1).state() == status.state()) {
    proto.mutable_statuses()->RemoveLast();
  }
  if (proto.statuses_size() >= kMostStatuses) proto.mutable_statuses()->DeleteSubrange(0, 1);
  TaskStatus& kept = *proto.add_statuses();
  kept = status;
  kept.clear_data();

  if (notable && out_->publishing()) publish_task_updated(task, status);
  if (!is_terminal(before) && is_terminal(proto.state())) {
    count_state(proto.state(), status);
    ++task.framework->ended_tasks[proto.state()];
  }
  if (is_terminal(proto.state()) || proto.state() == mesos::v1::TASK_UNREACHABLE) free_resources(task);
}

void Core::free_resources(Task& task) {
  if (!task.holds_resources) return;
  task.holds_resources = false;
  if (base::planted("master/ended-tasks-keep-resources")) return;
  task.framework->used -= task.resources;
  if (task.agent != nullptr) {
    task.agent->used[task.framework->id] -= task.resources;
    recover_resources(*task.framework, *task.agent, task.resources, nullptr);
  }
  task.resources.clear();
}

void Core::detach_from_agent(Task& task) {
  if (task.agent == nullptr) return;
  const auto of_framework = task.agent->tasks.find(task.framework->id);
  if (of_framework != task.agent->tasks.end()) {
    of_framework->second.erase(task.id());
    if (of_framework->second.empty()) {
      task.agent->tasks.erase(of_framework);
      task.agent->used.erase(task.framework->id);
    }
  }
  task.agent = nullptr;
}

void Core::remove_task(Task& task) {
  Framework& framework = *task.framework;
  Agent* agent = task.agent;
  free_resources(task);
  detach_from_agent(task);
  const auto found = framework.tasks.find(task.id());
  complete_task(framework, *task.proto);
  framework.tasks.erase(found);  // `task` is gone
  if (agent != nullptr && agent->drain) check_drained(*agent);
}

void Core::complete_task(Framework& framework, const mesos::v1::Task& task) {
  framework.completed_tasks.emplace_back(task);
  if (base::planted("master/remembers-everything")) return;
  while (framework.completed_tasks.size() > policy_.max_completed_tasks_per_framework) {
    framework.completed_tasks.pop_front();
  }
}

void Core::remember_unreachable(Framework& framework, std::unique_ptr<Task> task) {
  const TaskId id = task->id();
  framework.unreachable_order.push_back(id);
  framework.unreachable_tasks[id] = std::move(task);
  while (framework.unreachable_tasks.size() > policy_.max_unreachable_tasks_per_framework ||
         framework.unreachable_order.size() > 2 * policy_.max_unreachable_tasks_per_framework + 16) {
    framework.unreachable_tasks.erase(framework.unreachable_order.front());
    framework.unreachable_order.pop_front();
  }
}

void Core::acknowledge(Framework& framework, Call::Acknowledge& call) {
  count(Metric::MessagesStatusUpdateAcknowledgement);
  Agent* agent = find_agent(call.agent_id().value());
  if (agent == nullptr || !agent->connected) {
    count(Metric::InvalidStatusUpdateAcknowledgements);
    return;
  }
  link::MasterMessage message;
  link::AcknowledgeStatusUpdate& order = *message.mutable_acknowledge_status_update();
  order.mutable_framework_id()->set_value(framework.id);
  const auto found = framework.tasks.find(call.task_id().value());
  if (found != framework.tasks.end() && found->second->agent == agent) {
    Task& task = *found->second;
    if (!task.proto->has_status_update_state()) {
      count(Metric::InvalidStatusUpdateAcknowledgements);
      return;
    }
    if (is_terminal(task.proto->status_update_state()) && task.proto->status_update_uuid() == call.uuid()) {
      remove_task(task);
    }
  }
  *order.mutable_task_id() = std::move(*call.mutable_task_id());
  order.set_uuid(std::move(*call.mutable_uuid()));
  if (base::planted("master/keeps-acknowledgements")) return;
  out_->send(agent->link, std::move(message));
  count(Metric::ValidStatusUpdateAcknowledgements);
}

void Core::kill(Framework& framework, const Call::Kill& call) {
  count(Metric::MessagesKillTask);
  const TaskId& id = call.task_id().value();
  const auto found = framework.tasks.find(id);
  if (found == framework.tasks.end()) {
    reconcile_task(framework, id, call.agent_id().value());
    return;
  }
  Task& task = *found->second;
  if (call.has_agent_id() && call.agent_id().value() != task.agent->id) return;
  if (!task.agent->connected) {
    task.kill_asked = true;
    task.kill_policy = call.has_kill_policy() ? std::optional(call.kill_policy()) : std::nullopt;
    return;
  }
  link::MasterMessage message;
  message.mutable_kill_task()->mutable_framework_id()->set_value(framework.id);
  message.mutable_kill_task()->mutable_task_id()->set_value(id);
  if (call.has_kill_policy()) *message.mutable_kill_task()->mutable_kill_policy() = call.kill_policy();
  out_->send(task.agent->link, std::move(message));
}

TaskStatus Core::reconciliation_status(const mesos::v1::Task& task) const {
  // What the framework is told is where its stream of updates stands, which may be behind the latest state.
  const TaskState state = task.has_status_update_state() ? task.status_update_state() : task.state();
  TaskStatus status = make_status(task.task_id().value(), state, "Reconciliation: Latest task state",
                                  TaskStatus::REASON_RECONCILIATION);
  *status.mutable_agent_id() = task.agent_id();
  if (task.has_executor_id()) *status.mutable_executor_id() = task.executor_id();
  for (int i = task.statuses_size() - 1; i >= 0; --i) {
    const TaskStatus& last = task.statuses(i);
    if (last.has_healthy() && !status.has_healthy()) status.set_healthy(last.healthy());
    if (last.has_check_status() && !status.has_check_status()) *status.mutable_check_status() = last.check_status();
    if (last.has_container_status() && !status.has_container_status()) {
      *status.mutable_container_status() = last.container_status();
    }
  }
  return status;
}

void Core::reconcile(Framework& framework, const Call::Reconcile& call) {
  count(Metric::MessagesReconcileTasks);
  if (call.tasks().empty()) {
    for (const auto& [id, task] : framework.tasks) send_status(framework, reconciliation_status(*task->proto));
    return;
  }
  for (const auto& task : call.tasks()) reconcile_task(framework, task.task_id().value(), task.agent_id().value());
}

/// The table of explicit reconciliation, first match decides:
///   the task is known                              -> its latest state
///   its agent (any, when not named) may still come -> no answer
///   its agent is registered                        -> GONE
///   its agent is unreachable                       -> UNREACHABLE and since when
///   its agent is gone                              -> GONE_BY_OPERATOR
///   otherwise                                      -> UNKNOWN
void Core::reconcile_task(Framework& framework, const TaskId& id, const AgentId& agent) {
  const auto known = framework.tasks.find(id);
  if (known != framework.tasks.end()) return send_status(framework, reconciliation_status(*known->second->proto));

  AgentId where = agent;
  const auto unreachable_task = framework.unreachable_tasks.find(id);
  if (where.empty() && unreachable_task != framework.unreachable_tasks.end()) {
    where = unreachable_task->second->proto->agent_id().value();
  }
  if (where.empty() ? !state_.recovered_agents.empty() : state_.recovered_agents.count(where) > 0) return;

  TaskState state = mesos::v1::TASK_UNKNOWN;
  std::string message = "Reconciliation: Task is unknown";
  base::Time since;
  if (!where.empty() && reregistering_.count(where)) return;
  if (state_.agents.count(where)) {
    state = mesos::v1::TASK_GONE;
    message = "Reconciliation: Task is gone: its agent is registered and does not know it";
  } else if (const auto away = state_.unreachable_agents.find(where); away != state_.unreachable_agents.end()) {
    state = mesos::v1::TASK_UNREACHABLE;
    message = "Reconciliation: Task is unreachable";
    since = away->second.since;
  } else if (state_.gone_agents.count(where)) {
    state = mesos::v1::TASK_GONE_BY_OPERATOR;
    message = "Reconciliation: Task is gone: an operator declared its agent gone";
  }
  TaskStatus status = make_status(id, api::visible_state(state, framework.capabilities.partition_aware), message,
                                  TaskStatus::REASON_RECONCILIATION);
  if (!where.empty()) status.mutable_agent_id()->set_value(where);
  if (since.nanos() != 0) status.mutable_unreachable_time()->set_nanoseconds(since.nanos());
  send_status(framework, std::move(status));
}

}  // namespace master
