// Launching and killing tasks.

#include <algorithm>
#include <cmath>

#include "kernel/agent/checkpoint.hpp"
#include "kernel/agent/core.hpp"
#include "kernel/auth/executor_token.hpp"

namespace agent {
namespace {

using mesos::v1::TaskStatus;

// What the original charges a command task's executor with. Ours needs none of it, but definitions were written for
// containers that are larger by this much.
constexpr double kExecutorCpus = 0.1;
constexpr double kExecutorMemory = 32;
constexpr size_t kShownCommand = 12;

void add_scalar(mesos::v1::ExecutorInfo& info, const mesos::v1::TaskInfo& task, const char* name, double amount) {
  auto* resource = info.add_resources();
  resource->set_name(name);
  resource->set_type(mesos::v1::Value::SCALAR);
  resource->mutable_scalar()->set_value(amount);
  if (task.resources_size() > 0 && task.resources(0).has_allocation_info())
    resource->mutable_allocation_info()->CopyFrom(task.resources(0).allocation_info());
}

/// The executor that a command task appears to have in the API.
mesos::v1::ExecutorInfo command_executor_info(const std::string& framework_id, const mesos::v1::TaskInfo& task) {
  mesos::v1::ExecutorInfo info;
  info.mutable_executor_id()->set_value(task.task_id().value());
  info.mutable_framework_id()->set_value(framework_id);
  const auto& command = task.command();
  std::string shown = command.shell() ? "sh -c '" + command.value() : command.value();
  if (command.shell()) {
    if (command.value().size() > kShownCommand) shown = "sh -c '" + command.value().substr(0, kShownCommand) + "...";
    shown += "'";
  }
  info.set_name("Command Executor (Task: " + task.task_id().value() + ") (Command: " + shown + ")");
  info.set_source(task.task_id().value());
  info.mutable_command()->CopyFrom(command);
  if (task.has_container()) info.mutable_container()->CopyFrom(task.container());
  if (task.has_labels()) info.mutable_labels()->CopyFrom(task.labels());
  if (task.has_discovery()) info.mutable_discovery()->CopyFrom(task.discovery());
  add_scalar(info, task, "cpus", kExecutorCpus);
  add_scalar(info, task, "mem", kExecutorMemory);
  return info;
}

uint64_t megabytes(double amount) { return static_cast<uint64_t>(std::max(amount, 0.0) * (1 << 20)); }

bool has_volume(const Executor& executor, const mesos::v1::Resource& volume) {
  return std::any_of(executor.volumes.begin(), executor.volumes.end(), [&](const auto& mounted) {
    return mounted.disk().persistence().id() == volume.disk().persistence().id() &&
           mounted.disk().volume().container_path() == volume.disk().volume().container_path();
  });
}

std::string timer_of(executor::TimerKind kind, const std::string& container) {
  return "command/" + std::to_string(static_cast<int>(kind)) + "/" + container;
}

}  // namespace

void add_volumes(Executor& executor, const google::protobuf::RepeatedPtrField<mesos::v1::Resource>& resources) {
  for (const auto& resource : resources)
    if (resource.disk().has_persistence()) executor.volumes.push_back(resource);
}

bool valid_ids(const std::string& framework, const std::string& task) {
  return valid_id(framework) && valid_id(task);
}

Framework& Core::adopt(const mesos::v1::FrameworkInfo& info) {
  Framework& framework = state_.frameworks[info.id().value()];
  if (framework.info.SerializePartialAsString() != info.SerializePartialAsString()) {
    framework.info = info;
    save(framework);
  }
  return framework;
}

namespace {

/// CPUs as their weight among containers: lent ones get what is left over.
double weight_of(const google::protobuf::RepeatedPtrField<mesos::v1::Resource>& resources, bool lent_ones_little) {
  constexpr double kLent = 10.0 / 1024;
  double sum = 0;
  for (const auto& resource : resources)
    if (resource.name() == "cpus") sum += resource.scalar().value() * (lent_ones_little && resource.has_revocable() ? kLent : 1);
  return sum;
}

}  // namespace

containerizer::cgroups::Limits Core::limits_of(const Executor& executor) const {
  containerizer::cgroups::Limits limits;
  limits.limit_swap = policy_.limit_swap;
  limits.cpus = weight_of(executor.info.resources(), policy_.revocable_low_priority);
  double memory = scalar_of(executor.info.resources(), "mem");
  double memory_limit = memory, cpu_limit = scalar_of(executor.info.resources(), "cpus");
  bool cpu_limited = policy_.enforce_cpu_quota;
  for (const auto& [id, task] : executor.tasks) {
    if (is_terminal(task.state)) continue;
    const double cpus = scalar_of(task.info.resources(), "cpus");
    const double mem = scalar_of(task.info.resources(), "mem");
    limits.cpus += weight_of(task.info.resources(), policy_.revocable_low_priority);
    memory += mem;
    const auto cpu_given = task.info.limits().find("cpus");
    if (cpu_given != task.info.limits().end()) cpu_limited = true;
    cpu_limit += cpu_given != task.info.limits().end() ? cpu_given->second.value() : cpus;
    const auto memory_given = task.info.limits().find("mem");
    memory_limit += memory_given != task.info.limits().end() ? memory_given->second.value() : mem;
  }
  if (cpu_limited) limits.cpu_limit = cpu_limit;
  limits.memory = megabytes(memory);
  // Infinite for one is infinite for all; none at all is no reason to allow nothing.
  if (!std::isinf(memory_limit) && memory_limit > 0) limits.memory_limit = megabytes(memory_limit);
  return limits;
}

std::map<std::string, std::string> Core::executor_environment(const Framework& framework,
                                                              const Executor& executor) const {
  std::map<std::string, std::string> out = policy_.executor_environment;
  const std::string endpoint =
      (policy_.ip.find(':') == std::string::npos ? policy_.ip : "[" + policy_.ip + "]") + ":" + std::to_string(policy_.port);
  out["LIBPROCESS_PORT"] = "0";
  out["MESOS_FRAMEWORK_ID"] = framework.id();
  out["MESOS_EXECUTOR_ID"] = executor.id();
  out["MESOS_SLAVE_ID"] = state_.info.id().value();
  out["MESOS_DIRECTORY"] = out["MESOS_SANDBOX"] = executor.directory;
  out["MESOS_SLAVE_PID"] = "slave(1)@" + endpoint;
  out["MESOS_AGENT_ENDPOINT"] = endpoint;
  out["MESOS_CHECKPOINT"] = framework.info.checkpoint() ? "1" : "0";
  out["MESOS_HTTP_COMMAND_EXECUTOR"] = "0";
  if (!policy_.executor_key.empty() && !executor.command)
    out[containerizer::kExecutorToken] =
        auth::make_executor_token(policy_.executor_key, {framework.id(), executor.id(), executor.container_id});
  // Where it is not seen, inside an image, the port is told alone.
  const auto& container = executor.info.has_container() ? executor.info.container()
                          : policy_.default_container   ? *policy_.default_container
                                                        : executor.info.container();
  const bool has_image = container.mesos().has_image() || container.has_docker();
  if (!policy_.socket.empty() && !executor.command &&
      (executor.info.type() == mesos::v1::ExecutorInfo::DEFAULT || (policy_.socket_for_all && !has_image)))
    out["MESOS_DOMAIN_SOCKET"] = policy_.socket;
  const auto grace = executor.info.has_shutdown_grace_period()
                         ? base::Duration(executor.info.shutdown_grace_period().nanoseconds())
                         : policy_.executor_shutdown_grace_period;
  out["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"] = base::render_duration(grace);
  if (framework.info.checkpoint()) {
    out["MESOS_RECOVERY_TIMEOUT"] = base::render_duration(policy_.recovery_timeout);
    out["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = base::render_duration(policy_.executor_reregistration_timeout);
  }
  if (executor.command && !executor.tasks.empty()) {
    const auto& task = executor.tasks.begin()->second.info;
    if (task.resources_size() > 0 && task.resources(0).allocation_info().has_role())
      out["MESOS_ALLOCATION_ROLE"] = task.resources(0).allocation_info().role();
  }
  return out;
}

void Core::run_task(dcos::internal::v1::RunTask message) {
  mesos::v1::TaskInfo& task = *message.mutable_task();
  const std::string framework_id = message.framework_info().id().value();
  if (!valid_ids(framework_id, task.task_id().value())) {
    out_->warning("A task with an id that cannot be a file name was ignored");
    return;
  }
  Framework probe;
  probe.info = message.framework_info();
  if (find_task(framework_id, task.task_id().value()) || updates_.pending({framework_id, task.task_id().value()})) {
    out_->warning("Task " + task.task_id().value() + " was launched twice; the second time is ignored");
    return;
  }
  const auto drop_it = [&](TaskStatus::Reason reason, const std::string& why) {
    drop(probe, task, reason, why);
    if (task.has_executor()) deny_executor(framework_id, task.executor().executor_id().value());
  };
  if (const auto why = why_drop(message.framework_info(), message.resource_versions()))
    return drop_it(why->first, why->second);
  if (const auto why = find_missing(task)) return drop_it(TaskStatus::REASON_RESOURCES_UNKNOWN, *why);
  if (task.has_executor()) {
    if (!valid_id(task.executor().executor_id().value()))
      return refuse(probe, task, mesos::v1::TASK_ERROR, TaskStatus::REASON_TASK_INVALID,
                    "The executor's id cannot be a file name");
    const bool may_launch = !message.has_launch_executor() || message.launch_executor();
    const mesos::v1::ExecutorInfo info = task.executor();
    std::vector<mesos::v1::TaskInfo> tasks;
    tasks.push_back(std::move(task));
    return launch_custom(adopt(message.framework_info()), info, std::move(tasks), may_launch, false);
  }
  if (!task.has_command())
    return refuse(probe, task, mesos::v1::TASK_ERROR, TaskStatus::REASON_TASK_INVALID,
                  "The task has neither a command nor an executor");
  launch_command(adopt(message.framework_info()), std::move(task));
}

std::optional<std::pair<TaskStatus::Reason, std::string>> Core::why_drop(
    const mesos::v1::FrameworkInfo& framework,
    const google::protobuf::RepeatedPtrField<dcos::internal::v1::ResourceVersion>& versions) const {
  if (state_.drain) return std::pair(TaskStatus::REASON_AGENT_DRAINING, "The agent is draining");
  if (state_.phase == Phase::Terminating) return std::pair(TaskStatus::REASON_AGENT_DISCONNECTED, "The agent is ending");
  if (const auto known = state_.frameworks.find(framework.id().value());
      known != state_.frameworks.end() && known->second.shutting_down)
    return std::pair(TaskStatus::REASON_FRAMEWORK_REMOVED, "The framework is being removed");
  for (const auto& version : versions) {
    const auto provider = state_.providers.find(version.resource_provider_id().value());
    const bool known = !version.has_resource_provider_id() || (provider != state_.providers.end() && provider->second.active);
    if (!known || version.uuid().value() != (version.has_resource_provider_id() ? provider->second.version : state_.resource_version))
      return std::pair(TaskStatus::REASON_INVALID_OFFERS,
                       "The task was launched on resources that the agent has told to be otherwise since");
  }
  return std::nullopt;
}

void Core::run_group(dcos::internal::v1::RunTaskGroup message) {
  Framework probe;
  probe.info = message.framework_info();
  auto& group = *message.mutable_task_group();
  for (const auto& task : group.tasks()) {
    const std::string& id = task.task_id().value();
    if (!valid_ids(probe.id(), id)) {
      out_->warning("A task group with an id that cannot be a file name was ignored");
      return;
    }
    if (find_task(probe.id(), id) || updates_.pending({probe.id(), id})) {
      out_->warning("Task " + id + " was launched twice; the group of the second time is ignored");
      return;
    }
  }
  // All of them or none.
  const auto drop_all = [&](TaskStatus::Reason reason, const std::string& why) {
    for (const auto& task : group.tasks()) drop(probe, task, reason, why);
    deny_executor(probe.id(), message.executor().executor_id().value());
  };
  if (const auto why = why_drop(message.framework_info(), message.resource_versions()))
    return drop_all(why->first, why->second);
  for (const auto& task : group.tasks())
    if (const auto why = find_missing(task)) return drop_all(TaskStatus::REASON_RESOURCES_UNKNOWN, *why);
  if (!valid_id(message.executor().executor_id().value())) {
    for (const auto& task : group.tasks())
      refuse(probe, task, mesos::v1::TASK_ERROR, TaskStatus::REASON_TASK_GROUP_INVALID,
             "The executor's id cannot be a file name");
    return;
  }
  std::vector<mesos::v1::TaskInfo> tasks;
  for (auto& task : *group.mutable_tasks()) tasks.push_back(std::move(task));
  launch_custom(adopt(message.framework_info()), message.executor(), std::move(tasks),
                !message.has_launch_executor() || message.launch_executor(), true);
}

void Core::launch_command(Framework& framework, mesos::v1::TaskInfo task) {
  const std::string id = task.task_id().value();
  if (framework.executors.contains(id))
    return drop(framework, task, TaskStatus::REASON_EXECUTOR_TERMINATED,
                "An executor of the framework with the task's id still exists on this agent");
  Executor& executor = make_executor(framework, command_executor_info(framework.id(), task), true);
  add_volumes(executor, task.resources());
  executor.machine.emplace(
      task, executor::CommandExecutorOptions{
                .reports_killing = framework.has(mesos::v1::FrameworkInfo::Capability::TASK_KILLING_STATE),
                .partition_aware = framework.has(mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE)});
  Task& entry = executor.tasks[id];
  entry.info = std::move(task);
  entry.sent = true;
  save(executor);
  save(executor, entry);
  executor::Actions actions;
  executor.machine->starting(actions);
  apply(executor, std::move(actions));
  launch_container(framework, executor);
}

void Core::launch_custom(Framework& framework, const mesos::v1::ExecutorInfo& info,
                         std::vector<mesos::v1::TaskInfo> tasks, bool may_launch_executor, bool as_group) {
  const std::string& executor_id = info.executor_id().value();
  const auto drop_all = [&](TaskStatus::Reason reason, const std::string& why) {
    for (const auto& task : tasks) drop(framework, task, reason, why);
    deny_executor(framework.id(), executor_id);
    remove_finished(framework.id());
  };
  const auto existing = framework.executors.find(executor_id);
  if (existing == framework.executors.end() && !may_launch_executor)
    return drop_all(TaskStatus::REASON_EXECUTOR_TERMINATED, "The executor is gone");
  if (existing != framework.executors.end() &&
      (existing->second.command || existing->second.state == ExecutorState::Terminating ||
       existing->second.state == ExecutorState::Terminated))
    return drop_all(TaskStatus::REASON_EXECUTOR_TERMINATED, "The executor is ending");

  const bool fresh = existing == framework.executors.end();
  // The default executor's tasks get their volumes in containers of their own.
  const bool mounts_later = info.type() == mesos::v1::ExecutorInfo::DEFAULT;
  Executor& executor = fresh ? make_executor(framework, info, false) : existing->second;
  if (fresh) add_volumes(executor, executor.info.resources());
  const std::string group = as_group ? random_.uuid() : "";
  for (auto& task : tasks) {
    if (fresh || mounts_later)
      add_volumes(executor, task.resources());
    else
      for (const auto& resource : task.resources())
        if (resource.disk().has_persistence() && !has_volume(executor, resource)) executor.volumes.push_back(resource);
    const std::string id = task.task_id().value();
    Task& entry = executor.tasks[id];
    entry.info = std::move(task);
    entry.group = group;
    executor.queued.push_back(id);
    save(executor, entry);
  }
  save(executor);
  if (fresh) return launch_container(framework, executor);
  if (executor.launched) journal_.then(update_of(executor));
  // One that has lost its connection gets them when it is back.
  if (executor.state == ExecutorState::Running && executor.connection) deliver_queued(framework, executor);
}

void Core::apply(Executor& executor, executor::Actions actions) {
  const std::string framework_id = executor.framework_id;
  for (auto& action : actions) {
    if (auto* report = std::get_if<executor::Report>(&action)) {
      update(framework_id, &executor, std::move(report->status));
    } else if (std::holds_alternative<executor::Terminate>(action)) {
      journal_.then(TerminateContainer{executor.container_id});
    } else if (std::holds_alternative<executor::Destroy>(action)) {
      journal_.then(DestroyContainer{executor.container_id});
    } else if (const auto* start = std::get_if<executor::StartTimer>(&action)) {
      out_->add(SetTimer{timer_of(start->kind, executor.container_id), start->at});
    } else if (const auto* stop = std::get_if<executor::StopTimer>(&action)) {
      out_->add(CancelTimer{timer_of(stop->kind, executor.container_id)});
    } else if (const auto* probe = std::get_if<executor::Probe>(&action)) {
      out_->add(StartProbe{executor.container_id, probe->kind, executor.machine->task()});
    }
  }
}

void Core::kill_task(const dcos::internal::v1::KillTask& message) {
  const std::string& framework_id = message.framework_id().value();
  const std::string& task_id = message.task_id().value();
  const Found found = find_task(framework_id, task_id);
  if (!found) {
    if (updates_.pending({framework_id, task_id}) || !valid_ids(framework_id, task_id)) return;
    const auto owner = state_.frameworks.find(framework_id);
    Framework unknown;
    unknown.info.mutable_id()->set_value(framework_id);
    mesos::v1::TaskInfo task;
    task.mutable_task_id()->set_value(task_id);
    return drop(owner != state_.frameworks.end() ? owner->second : unknown, task, TaskStatus::REASON_RECONCILIATION,
                "The agent does not know this task");
  }
  std::optional<base::Duration> grace;
  if (message.kill_policy().has_grace_period())
    grace = base::Duration(std::max<int64_t>(message.kill_policy().grace_period().nanoseconds(), 0));
  kill(found, grace);
}

void Core::kill(Found found, std::optional<base::Duration> grace) {
  Task& task = *found.task;
  Executor& executor = *found.executor;
  if (is_terminal(task.state)) return;
  if (!task.kill_wanted) {
    task.kill_wanted = true;
    save(executor, task);
  }
  if (executor.machine) {
    executor::Actions actions;
    executor.machine->kill(grace, now_, actions);
    return apply(executor, std::move(actions));
  }
  const std::string id = task.info.task_id().value();
  task.sent ? send_kill(executor, id, grace) : kill_queued(executor, id);
}

void Core::send_kill(const Executor& executor, const std::string& task, std::optional<base::Duration> grace) {
  mesos::v1::executor::Event event;
  event.set_type(mesos::v1::executor::Event::KILL);
  event.mutable_kill()->mutable_task_id()->set_value(task);
  if (grace) event.mutable_kill()->mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(grace->count());
  send(executor, std::move(event));
}

void Core::kill_queued(Executor& executor, const std::string& id) {
  // What was to start together does not start in part.
  std::vector<std::string> ids{id};
  const std::string group = executor.tasks.at(id).group;
  for (const auto& [other, task] : executor.tasks)
    if (!group.empty() && other != id && task.group == group && !task.sent) ids.push_back(other);
  for (const auto& each : ids) {
    std::erase(executor.queued, each);
    TaskStatus status;
    status.mutable_task_id()->set_value(each);
    status.set_state(mesos::v1::TASK_KILLED);
    status.set_reason(TaskStatus::REASON_TASK_KILLED_DURING_LAUNCH);
    status.set_message(each == id ? "Killed before delivery to the executor"
                                  : "A task of its group was killed before delivery to the executor");
    update(executor.framework_id, &executor, std::move(status));
  }
  const bool idle = std::all_of(executor.tasks.begin(), executor.tasks.end(),
                                [](const auto& entry) { return is_terminal(entry.second.state); });
  // Nothing ever reached this executor: it has no reason to be.
  if (executor.state == ExecutorState::Registering && idle) shut_down(executor, std::nullopt, "");
}

void Core::shut_down_framework(const std::string& framework_id) {
  const auto found = state_.frameworks.find(framework_id);
  if (found == state_.frameworks.end()) return;
  Framework& framework = found->second;
  framework.shutting_down = true;
  // Nobody listens to this framework's updates any more.
  for (auto& [executor_id, executor] : framework.executors) {
    for (auto& [task_id, task] : executor.tasks) {
      const TaskKey key{framework_id, task_id};
      for (const uint64_t number : updates_.numbers(key)) journal_.erase(update_key(key, number));
      updates_.remove(key);
      cancel_timer("update/" + framework_id + "/" + task_id);
    }
    shut_down(executor, mesos::v1::TaskStatus::REASON_FRAMEWORK_REMOVED, "The framework was removed");
  }
  remove_finished(framework_id);
}

}  // namespace agent
