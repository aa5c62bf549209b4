// Executors: their containers, and the conversation with custom ones.

#include <algorithm>

#include "kernel/agent/checkpoint.hpp"
#include "kernel/agent/core.hpp"

namespace agent {

using mesos::v1::TaskStatus;
using ExecutorEvent = mesos::v1::executor::Event;
namespace {

using Ports = std::vector<std::pair<uint16_t, uint16_t>>;

void add_ports(const google::protobuf::RepeatedPtrField<mesos::v1::Resource>& resources, Ports& out) {
  constexpr uint64_t kLast = 65535;
  for (const auto& resource : resources) {
    if (resource.name() != "ports") continue;
    for (const auto& range : resource.ranges().range())
      if (range.begin() <= range.end() && range.begin() <= kLast)
        out.emplace_back(range.begin(), std::min(range.end(), kLast));
  }
}

Ports ports_of(const Executor& executor) {
  Ports out;
  add_ports(executor.info.resources(), out);
  for (const auto& [id, task] : executor.tasks) add_ports(task.info.resources(), out);
  return out;
}

}  // namespace

Executor& Core::make_executor(Framework& framework, mesos::v1::ExecutorInfo info, bool command) {
  const std::string id = info.executor_id().value();
  info.mutable_framework_id()->set_value(framework.id());
  Executor& executor = framework.executors[id];
  executor = Executor();
  executor.framework_id = framework.id();
  executor.info = std::move(info);
  executor.command = command;
  executor.container_id = random_.uuid();
  executor.directory = policy_.work_dir + "/slaves/" + state_.info.id().value() + "/frameworks/" + framework.id() +
                       "/executors/" + id + "/runs/" + executor.container_id;
  executor.started = now_.time;
  state_.containers[executor.container_id] = {framework.id(), id};
  return executor;
}

namespace {

/// Space of the sandbox (persistent volumes have their own) and graphics processors, of the executor and its first tasks.
void add_devices_and_disk(const Executor& executor, containerizer::ContainerSpec& spec) {
  double megabytes = 0;
  const auto add = [&](const auto& resources) {
    for (const auto& resource : resources) {
      if (resource.name() == "gpus") spec.gpus += resource.scalar().value();
      if (resource.name() == "disk" && !resource.disk().has_persistence() && !resource.disk().has_source())
        megabytes += resource.scalar().value();
    }
  };
  add(executor.info.resources());
  for (const auto& [id, task] : executor.tasks) add(task.info.resources());
  spec.disk = static_cast<uint64_t>(std::max(megabytes, 0.0) * (1 << 20));
}

}  // namespace

containerizer::ContainerSpec Core::spec_of(const Framework& framework, const Executor& executor) const {
  containerizer::ContainerSpec spec;
  spec.id = executor.container_id;
  spec.command = executor.info.command();
  if (executor.info.type() == mesos::v1::ExecutorInfo::DEFAULT) {
    spec.command.set_shell(false);
    spec.command.set_value(policy_.default_executor);
    spec.command.add_arguments("dcos-default-executor");
  }
  spec.container = policy_.default_container;
  if (executor.info.has_container()) spec.container = executor.info.container();
  spec.environment = executor_environment(framework, executor);
  spec.limits = limits_of(executor);
  add_devices_and_disk(executor, spec);
  spec.sandbox = executor.directory;
  spec.user = spec.command.has_user() ? spec.command.user() : framework.info.user();
  if (spec.user.empty()) spec.user = policy_.default_user;
  spec.term_first_only = !executor.command;
  spec.ports = ports_of(executor);
  // A volume that has no place was refused when its operation came.
  const bool own_only = executor.info.type() == mesos::v1::ExecutorInfo::DEFAULT;  // those of its tasks are theirs
  for (const auto& volume : executor.volumes)
    if (own_only && std::none_of(executor.info.resources().begin(), executor.info.resources().end(), [&](const auto& own) {
          return own.disk().persistence().id() == volume.disk().persistence().id();
        }))
      continue;
    else if (auto mount = volume_mount(policy_.work_dir, volume)) spec.volumes.push_back(std::move(*mount));
  return spec;
}

UpdateContainer Core::update_of(const Executor& executor) const {
  return {executor.container_id, limits_of(executor), ports_of(executor)};
}

namespace {

std::pair<std::string, std::string> mount_key(const mesos::v1::Resource& volume) {
  return {volume.disk().persistence().id(), volume.disk().volume().container_path()};
}

/// Persistent volumes of a task that are not in its executor's container yet.
std::vector<mesos::v1::Resource> lacking(const Executor& executor, const Task& task) {
  std::vector<mesos::v1::Resource> out;
  for (const auto& resource : task.info.resources())
    if (resource.disk().has_persistence() && !executor.mounted.contains(mount_key(resource))) out.push_back(resource);
  return out;
}

}  // namespace

void Core::launch_container(Framework& framework, Executor& executor) {
  LaunchContainer launch{spec_of(framework, executor), disks_of(executor)};
  for (const auto& volume : executor.volumes) executor.mounted.insert(mount_key(volume));
  // A new run of an executor is a use of its directories: none may be removed under it.
  for (const std::string& path : {executor.directory.substr(0, executor.directory.rfind("/runs/"))})
    if (garbage_.unschedule(path)) journal_.erase(gc_key(path));
  journal_.then(LinkSandbox{executor.directory});
  launch.waits = ask_to_publish(executor);
  journal_.then(std::move(launch));
  if (!executor.command) set_timer("subscribe/" + executor.container_id, policy_.executor_registration_timeout);
}

void Core::handle(ContainerStarted event) {
  if (api_container_started(event.container, event.pid)) return;
  const Found found = find_container(event.container);
  if (!found) return journal_.then(DestroyContainer{event.container});
  Executor& executor = *found.executor;
  executor.launched = true;
  executor.pid = event.pid;
  executor.networks = std::move(event.networks);
  if (executor.command && executor.state == ExecutorState::Registering) executor.state = ExecutorState::Running;
  save(executor);
  if (!executor.machine) return;
  executor::Actions actions;
  executor.machine->running(now_, actions);
  apply(executor, std::move(actions));
}

void Core::handle(ContainerLaunchFailed event) {
  if (api_container_failed(event.container, event.message)) return;
  const Found found = find_container(event.container);
  if (!found) return;
  out_->add(Count{"slave/container_launch_errors"});
  executor_gone(*found.framework, *found.executor, {}, event.message);
}

void Core::handle(ContainerExited event) {
  if (event.termination.incomplete) out_->add(Count{"containerizer/mesos/container_destroy_errors"});
  if (api_container_ended(event.container, event.termination)) return;
  const Found found = find_container(event.container);
  if (!found) {
    journal_.then(ForgetContainer{event.container});
    return;
  }
  executor_gone(*found.framework, *found.executor, event.termination, "");
}

void Core::executor_gone(Framework& framework, Executor& executor, const containerizer::Termination& end,
                         const std::string& launch_failure) {
  const std::string framework_id = framework.id();
  const std::string container = executor.container_id;
  cancel_timer("subscribe/" + container);
  cancel_timer("shutdown/" + container);
  executor.state = ExecutorState::Terminated;
  out_->add(Count{"slave/executors_terminated"});
  if (executor.connection) out_->add(CloseExecutor{*executor.connection});
  executor.connection.reset();

  if (!executor.preempted.empty()) {
    end_preempted(framework, executor);
  } else if (executor.machine) {
    executor::Actions actions;
    if (!launch_failure.empty())
      executor.machine->launch_failed(launch_failure, actions);
    else
      executor.machine->ended(
          {end.status, end.out_of_memory, end.memory_used, end.message, end.disk_used, end.limitation}, actions);
    apply(executor, std::move(actions));
  } else {
    std::vector<std::string> open;
    for (const auto& [id, task] : executor.tasks)
      if (!is_terminal(task.state)) open.push_back(id);
    const bool aware = framework.has(mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE);
    for (const auto& id : open) {
      TaskStatus status;
      status.mutable_task_id()->set_value(id);
      status.set_state(mesos::v1::TASK_FAILED);
      std::string message = executor.end_message;
      const auto add = [&message](const std::string& text) {
        if (!text.empty()) message += (message.empty() ? "" : "; ") + text;
      };
      if (!launch_failure.empty()) {
        status.set_reason(TaskStatus::REASON_CONTAINER_LAUNCH_FAILED);
        add("Failed to launch container: " + launch_failure);
      } else if (const auto breach = breach_of(end)) {
        status.set_reason(breach->reason);
        status.mutable_limitation()->mutable_resources()->Assign(breach->resources.begin(), breach->resources.end());
        add(breach->message);
      } else if (executor.end_reason) {
        status.set_reason(*executor.end_reason);
        add(end.message);
      } else if (!end.status) {
        status.set_state(aware ? mesos::v1::TASK_GONE : mesos::v1::TASK_LOST);
        status.set_reason(TaskStatus::REASON_AGENT_RESTARTED);
        add("The executor was lost while its agent was down");
      } else {
        status.set_reason(TaskStatus::REASON_EXECUTOR_TERMINATED);
        add("Executor terminated");
        add(end.message);
      }
      status.set_message(message);
      update(framework_id, &executor, std::move(status));
    }
  }
  if (!executor.command) tell_exited(framework_id, executor.id(), end.status.value_or(-1));
  state_.containers.erase(container);
  ApiContainer ended;
  ended.id = container;
  ended.end = end;
  answer_waiters(ended);
  forget_api_containers(container);
  save(executor);
  journal_.then(ForgetContainer{container});
  remove_finished(framework_id);
  exit_when_empty();
}

void Core::tell_exited(const std::string& framework, const std::string& executor, int status) {
  if (!state_.link_up) return;
  SendToMaster exited;
  auto* message = exited.message.mutable_exited_executor();
  message->mutable_framework_id()->set_value(framework);
  message->mutable_executor_id()->set_value(executor);
  message->set_status(status);
  journal_.then(std::move(exited));
}

/// Tasks were not started with an executor that the master counts on from now on. When none runs here it is told so: it
/// would send every later task to an executor that is not there.
void Core::deny_executor(const std::string& framework, const std::string& executor) {
  const Found found = find_executor(framework, executor);
  if (!found || found.executor->state == ExecutorState::Terminated) tell_exited(framework, executor, -1);
}

void Core::remove_finished(const std::string& framework_id) {
  const auto owner = state_.frameworks.find(framework_id);
  if (owner == state_.frameworks.end()) return;
  Framework& framework = owner->second;
  for (auto at = framework.executors.begin(); at != framework.executors.end();) {
    Executor& executor = at->second;
    if (framework.shutting_down && executor.state == ExecutorState::Terminated) {
      for (auto& [id, task] : executor.tasks) {
        journal_.erase(task_key({framework_id, id}));
        executor.completed_tasks.push_back(std::move(task));
      }
      executor.tasks.clear();
    }
    if (executor.state != ExecutorState::Terminated || !executor.tasks.empty()) {
      ++at;
      continue;
    }
    journal_.erase(executor_key(framework_id, executor.id()));
    collect(executor.directory);
    collect(executor.directory.substr(0, executor.directory.rfind("/runs/")));
    executor.machine.reset();
    framework.completed_executors.push_back(std::move(executor));
    if (framework.completed_executors.size() > policy_.max_completed_executors)
      framework.completed_executors.pop_front();
    at = framework.executors.erase(at);
  }
  if (!framework.executors.empty()) return;
  journal_.erase(framework_key(framework_id));
  state_.completed_frameworks.push_back(std::move(framework));
  if (state_.completed_frameworks.size() > policy_.max_completed_frameworks) state_.completed_frameworks.pop_front();
  state_.frameworks.erase(owner);
}

void Core::shut_down(Executor& executor, std::optional<TaskStatus::Reason> reason, std::string message) {
  if (executor.state == ExecutorState::Terminated) return;
  if (executor.machine) {
    executor::Actions actions;
    executor.machine->kill(std::nullopt, now_, actions);
    return apply(executor, std::move(actions));
  }
  if (executor.state == ExecutorState::Terminating) return;
  executor.state = ExecutorState::Terminating;
  executor.end_reason = reason;
  executor.end_message = std::move(message);
  save(executor);
  if (!executor.connection) return journal_.then(DestroyContainer{executor.container_id});
  ExecutorEvent event;
  event.set_type(ExecutorEvent::SHUTDOWN);
  send(executor, std::move(event));
  set_timer("shutdown/" + executor.container_id,
            executor.info.has_shutdown_grace_period()
                ? base::Duration(executor.info.shutdown_grace_period().nanoseconds())
                : policy_.executor_shutdown_grace_period);
}

void Core::send(const Executor& executor, ExecutorEvent event) {
  if (executor.connection) journal_.then(SendToExecutor{*executor.connection, std::move(event)});
}

void Core::handle(ExecutorSubscribed event) {
  const auto& call = event.call;
  const auto refuse_it = [this, &event](const std::string& why) {
    out_->add(AnswerExecutor{event.connection, 400, why});
  };
  if (!state_.frameworks.contains(call.framework_id().value())) return refuse_it("Framework cannot be found");
  const Found found = find_executor(call.framework_id().value(), call.executor_id().value());
  if (!found || found.executor->command || found.executor->state == ExecutorState::Terminated)
    return refuse_it("Executor cannot be found");
  Executor& executor = *found.executor;
  if (executor.connection) out_->add(CloseExecutor{*executor.connection});
  executor.connection = event.connection;
  cancel_timer("subscribe/" + executor.container_id);
  executor.recovered = false;

  ExecutorEvent subscribed;
  subscribed.set_type(ExecutorEvent::SUBSCRIBED);
  subscribed.mutable_subscribed()->mutable_executor_info()->CopyFrom(executor.info);
  subscribed.mutable_subscribed()->mutable_framework_info()->CopyFrom(found.framework->info);
  subscribed.mutable_subscribed()->mutable_agent_info()->CopyFrom(state_.info);
  subscribed.mutable_subscribed()->mutable_container_id()->set_value(executor.container_id);
  send(executor, std::move(subscribed));
  if (executor.state == ExecutorState::Terminating) {
    ExecutorEvent end;
    end.set_type(ExecutorEvent::SHUTDOWN);
    return send(executor, std::move(end));
  }
  executor.state = ExecutorState::Running;
  save(executor);
  for (const auto& unacknowledged : call.subscribe().unacknowledged_updates())
    executor_updated(*found.framework, executor, unacknowledged.status());

  // A task that was handed over but is unknown to the executor, and never heard of, did not survive the restart.
  std::vector<std::string> missing;
  for (const auto& [id, task] : executor.tasks) {
    if (!task.sent || task.state != mesos::v1::TASK_STAGING) continue;
    const auto& known = call.subscribe().unacknowledged_tasks();
    if (std::none_of(known.begin(), known.end(), [&id = id](const auto& each) { return each.task_id().value() == id; }))
      missing.push_back(id);
  }
  const bool aware = found.framework->has(mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE);
  for (const auto& id : missing) {
    TaskStatus status;
    status.mutable_task_id()->set_value(id);
    status.set_state(aware ? mesos::v1::TASK_DROPPED : mesos::v1::TASK_LOST);
    status.set_reason(TaskStatus::REASON_AGENT_RESTARTED);
    status.set_message("Task launched during agent restart");
    update(executor.framework_id, &executor, std::move(status));
  }
  deliver_queued(*found.framework, executor);
  // The default executor waits for ever when nothing of what it was started for reached it.
  const bool idle = std::all_of(executor.tasks.begin(), executor.tasks.end(),
                                [](const auto& entry) { return is_terminal(entry.second.state); });
  if (!missing.empty() && idle && executor.info.type() == mesos::v1::ExecutorInfo::DEFAULT)
    return shut_down(executor, std::nullopt, "");
  // What was to be killed while the executor was away.
  for (const auto& [id, task] : executor.tasks)
    if (task.kill_wanted && task.sent && !is_terminal(task.state)) send_kill(executor, id, std::nullopt);
}

/// Volumes of waiting tasks that the running container lacks are mounted first. True: that is under way, and the tasks wait.
bool Core::ask_for_volumes(Executor& executor) {
  if (executor.info.type() == mesos::v1::ExecutorInfo::DEFAULT) return false;  // its tasks have containers of their own
  if (!executor.adding.empty()) return true;
  for (const auto& id : executor.queued)
    if (const auto task = executor.tasks.find(id); task != executor.tasks.end() && !is_terminal(task->second.state))
      for (auto& volume : lacking(executor, task->second)) executor.adding.push_back(std::move(volume));
  if (executor.adding.empty()) return false;
  AddVolumes effect{executor.container_id, {}, disks_of(executor)};
  for (const auto& volume : executor.adding)
    if (auto mount = volume_mount(policy_.work_dir, volume)) effect.volumes.push_back(std::move(*mount));
  journal_.then(std::move(effect));
  return true;
}

void Core::handle(VolumesAdded event) {
  const Found found = find_container(event.container);
  if (!found) return;
  Executor& executor = *found.executor;
  const auto added = std::exchange(executor.adding, {});
  if (event.status) {
    for (const auto& volume : added) executor.mounted.insert(mount_key(volume));
  } else {
    std::set<std::string> failed, groups;
    for (const auto& id : executor.queued)
      if (const auto task = executor.tasks.find(id); task != executor.tasks.end() && !lacking(executor, task->second).empty()) {
        failed.insert(id);
        if (!task->second.group.empty()) groups.insert(task->second.group);
      }
    for (const auto& id : executor.queued)
      if (const auto task = executor.tasks.find(id); task != executor.tasks.end() && groups.contains(task->second.group)) failed.insert(id);
    std::erase_if(executor.queued, [&failed](const auto& id) { return failed.contains(id); });
    for (const auto& id : failed) {
      TaskStatus status;
      status.mutable_task_id()->set_value(id);
      status.set_state(mesos::v1::TASK_FAILED);
      status.set_reason(TaskStatus::REASON_CONTAINER_UPDATE_FAILED);
      status.set_message("Failed to update resources for container: " + event.status.error().message);
      update(executor.framework_id, &executor, std::move(status));
    }
  }
  if (executor.state == ExecutorState::Running && executor.connection) deliver_queued(*found.framework, executor);
}

void Core::deliver_queued(Framework&, Executor& executor) {
  if (ask_for_volumes(executor)) return;
  const std::vector<std::string> ids = std::exchange(executor.queued, {});
  if (ids.empty()) return;
  journal_.then(update_of(executor));
  ExecutorEvent group;
  std::string group_name;
  const auto send_group = [&] {
    if (group.has_launch_group()) send(executor, std::exchange(group, ExecutorEvent()));
  };
  for (const auto& id : ids) {
    const auto found = executor.tasks.find(id);
    if (found == executor.tasks.end() || is_terminal(found->second.state)) continue;
    Task& task = found->second;
    task.sent = true;
    save(executor, task);
    if (task.group != group_name) send_group();
    group_name = task.group;
    ExecutorEvent event;
    if (task.group.empty()) {
      event.set_type(ExecutorEvent::LAUNCH);
      event.mutable_launch()->mutable_task()->CopyFrom(task.info);
      send(executor, std::move(event));
    } else {
      group.set_type(ExecutorEvent::LAUNCH_GROUP);
      group.mutable_launch_group()->mutable_task_group()->add_tasks()->CopyFrom(task.info);
    }
  }
  send_group();
}

void Core::executor_updated(Framework& framework, Executor& executor, TaskStatus status) {
  const auto task = executor.tasks.find(status.task_id().value());
  const std::string uuid = status.uuid();
  const std::string task_id = status.task_id().value();
  // An update after the end, or for a task that is gone, is acknowledged and goes no further.
  if (task != executor.tasks.end() && !is_terminal(task->second.state)) {
    status.set_source(TaskStatus::SOURCE_EXECUTOR);
    update(framework.id(), &executor, std::move(status));
    if (is_terminal(task->second.state) && executor.launched)
      journal_.then(update_of(executor));
  } else {
    out_->add(Count{"slave/invalid_status_updates"});
  }
  ExecutorEvent event;
  event.set_type(ExecutorEvent::ACKNOWLEDGED);
  event.mutable_acknowledged()->mutable_task_id()->set_value(task_id);
  event.mutable_acknowledged()->set_uuid(uuid);
  send(executor, std::move(event));
}

void Core::handle(ExecutorCalled event) {
  const auto& call = event.call;
  const auto answer = [this, &event](int status, const std::string& text) {
    journal_.then(AnswerExecutor{event.connection, status, text});
  };
  if (!state_.frameworks.contains(call.framework_id().value())) return answer(400, "Framework cannot be found");
  const Found found = find_executor(call.framework_id().value(), call.executor_id().value());
  if (!found || found.executor->command) return answer(400, "Executor cannot be found");
  if (found.executor->state == ExecutorState::Registering) return answer(403, "Executor is not subscribed");
  switch (call.type()) {
    case mesos::v1::executor::Call::UPDATE:
      executor_updated(*found.framework, *found.executor, call.update().status());
      return answer(202, "");
    case mesos::v1::executor::Call::MESSAGE: {
      if (state_.link_up) {
        SendToMaster effect;
        auto* message = effect.message.mutable_executor_message();
        message->mutable_framework_id()->CopyFrom(call.framework_id());
        message->mutable_executor_id()->CopyFrom(call.executor_id());
        message->set_data(call.message().data());
        out_->add(std::move(effect));
      }
      out_->add(Count{"slave/valid_framework_messages"});
      return answer(202, "");
    }
    default: return answer(501, "This call is not supported");
  }
}

void Core::handle(ExecutorDisconnected event) {
  // It may come back: only the end of its container is its end.
  if (const Found found = find_connection(event.connection)) found.executor->connection.reset();
  for (auto& [id, provider] : state_.providers)
    if (provider.connection == event.connection) remote_left(provider, "its connection has ended");
  for (const auto& [id, container] : state_.api_containers)
    if (container.session && container.launcher == event.connection) journal_.then(DestroyContainer{id});
  std::erase_if(waiters_, [&event](const auto& waiter) { return waiter.second.first == event.connection; });
}

}  // namespace agent
