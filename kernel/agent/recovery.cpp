// After a restart: what the store says, what still runs, and what to make of the difference.

#include <algorithm>
#include <set>

#include "kernel/agent/checkpoint.hpp"
#include "kernel/agent/compatibility.hpp"
#include "kernel/agent/core.hpp"

namespace agent {

base::Status Core::check_info(const dcos::agent::v1::AgentRecord& record) {
  const base::Status compatible = policy_.additive ? check_additive(record.info(), policy_.info)
                                                   : check_equal(record.info(), policy_.info);
  if (compatible) {
    *state_.info.mutable_id() = record.info().id();
    return {};
  }
  if (record.boot_id() == policy_.boot_id) return compatible;
  // After a reboot no task is left that a new id would orphan.
  out_->warning("The machine was restarted with another configuration: this agent registers as a new one (" +
                compatible.error().message + ")");
  return {};
}

void Core::restore_executor(dcos::agent::v1::ExecutorRecord record) {
  const auto owner = state_.frameworks.find(record.framework_id().value());
  if (owner == state_.frameworks.end() || !valid_id(record.info().executor_id().value()) ||
      !valid_id(record.container_id())) {
    ++state_.recovery_errors;
    return;
  }
  Executor& executor = owner->second.executors[record.info().executor_id().value()];
  executor.framework_id = record.framework_id().value();
  executor.info = std::move(*record.mutable_info());
  executor.container_id = record.container_id();
  executor.directory = record.directory();
  executor.command = record.command();
  executor.launched = record.launched();
  executor.recovered = true;
  executor.volumes.assign(record.volumes().begin(), record.volumes().end());
  executor.networks.assign(record.networks().begin(), record.networks().end());
  executor.started = base::Time{base::Duration(record.started().nanoseconds())};
  executor.preempted = record.preempted();
  if (record.has_end_reason()) executor.end_reason = record.end_reason();
  executor.end_message = record.end_message();
  executor.state = record.ended()           ? ExecutorState::Terminated
                   : record.shutting_down() ? ExecutorState::Terminating
                                            : ExecutorState::Registering;
  if (executor.state != ExecutorState::Terminated)
    state_.containers[executor.container_id] = {executor.framework_id, executor.id()};
}

void Core::restore_task(dcos::agent::v1::TaskRecord record) {
  const Found found = find_executor(record.framework_id().value(), record.executor_id().value());
  if (!found || !valid_id(record.info().task_id().value())) {
    ++state_.recovery_errors;
    return;
  }
  Task& task = found.executor->tasks[record.info().task_id().value()];
  task.info = std::move(*record.mutable_info());
  task.state = record.state();
  for (auto& status : *record.mutable_statuses()) task.statuses.push_back(std::move(status));
  task.kill_wanted = record.kill_wanted();
  task.sent = record.sent();
  task.group = record.group();
  task.running_since = base::Time{base::Duration(record.running_since().nanoseconds())};
  if (!found.executor->command && !task.sent && !is_terminal(task.state))
    found.executor->queued.push_back(task.info.task_id().value());
}

void Core::handle(Loaded event) {
  if (state_.phase != Phase::Recovering) return;
  state_.started = now_.time;
  state_.recovery_errors += event.damaged;
  if (event.damaged > 0)
    out_->error(std::to_string(event.damaged) + " records of the agent's store do not decode and were left out");
  if (event.agent && event.agent->info().has_id()) {
    if (const base::Status status = check_info(*event.agent); !status) {
      out_->add(Exit{1, "Incompatible agent info detected. " + status.error().message +
                            ". Start the agent with its old configuration, or, to begin anew with a new id and lose "
                            "its tasks, remove " + policy_.work_dir + "/meta"});
      return;
    }
  }
  if (!restore_resources(event)) return;
  for (auto& record : event.providers) restore(std::move(record));
  if (event.agent && event.agent->has_drain_config() && state_.info.has_id()) {
    state_.drain = event.agent->drain_config();
    state_.drain_start = base::Time{base::Duration(event.agent->drain_start().nanoseconds())};
  }
  // Records of an id that is given up: their containers become orphans and are removed as such.
  const bool fresh = !state_.info.has_id();
  for (auto& record : event.frameworks) {
    const std::string id = record.info().id().value();
    if (fresh || !valid_id(id)) {
      journal_.erase(framework_key(id));
      continue;
    }
    state_.frameworks[id].info = std::move(*record.mutable_info());
  }
  for (auto& record : event.executors) {
    if (fresh)
      journal_.erase(executor_key(record.framework_id().value(), record.info().executor_id().value()));
    else
      restore_executor(std::move(record));
  }
  for (auto& record : event.tasks) {
    if (fresh)
      journal_.erase(task_key({record.framework_id().value(), record.info().task_id().value()}));
    else
      restore_task(std::move(record));
  }
  for (auto& record : event.updates) {
    const TaskKey key{record.framework_id().value(), record.status().task_id().value()};
    if (fresh)
      journal_.erase(update_key(key, record.number()));
    else
      updates_.restore(key, std::move(record));
  }
  for (auto& [path, record] : event.gc)
    garbage_.restore(path, base::Time{base::Duration(record.expires().nanoseconds())});
  for (auto& record : event.containers) {
    if (fresh)
      journal_.erase(container_key(container_text(record.id())));
    else
      restore_api_container(std::move(record));
  }
  // Left by a crash, or by an agent that had another id in this work directory.
  for (const auto& sandbox : unowned(event.sandboxes)) {
    collect(sandbox);
    const size_t runs = sandbox.rfind("/runs/");
    if (runs == std::string::npos) continue;
    const std::string directory = sandbox.substr(0, runs);
    const auto other = std::any_of(event.sandboxes.begin(), event.sandboxes.end(), [&](const auto& each) {
      return each.starts_with(directory + "/") && !garbage_.knows(each) && each != sandbox;
    });
    if (!other) collect(directory);
  }
  save_agent();
  if (state_.info.has_id()) journal_.then(RememberAgent{state_.info.id().value()});

  RecoverContainers recover;
  for (const auto& [container, owner] : state_.containers)
    if (const Found found = find_container(container))
      recover.known.push_back(spec_of(*found.framework, *found.executor));
  for (const auto& [id, container] : state_.api_containers)
    if (container.stage != ApiContainer::Stage::Ended) recover.known.push_back(spec_of(container));
  journal_.then(std::move(recover));
}

void Core::handle(ContainersRecovered event) {
  if (state_.phase != Phase::Recovering) return;
  for (const auto& [container, owner] : state_.containers) {
    const Found found = find_container(container);
    if (!found) continue;
    Executor& executor = *found.executor;
    const auto running = event.running.find(container);
    const bool runs = running != event.running.end();
    if (runs) {
      executor.pid = running->second.pid;
      if (!running->second.networks.empty()) executor.networks = running->second.networks;
      executor.launched = true;
    }
    if (executor.command && !executor.tasks.empty()) {
      Task& task = executor.tasks.begin()->second;
      executor.machine.emplace(
          task.info,
          executor::CommandExecutorOptions{
              .reports_killing = found.framework->has(mesos::v1::FrameworkInfo::Capability::TASK_KILLING_STATE),
              .partition_aware = found.framework->has(mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE)});
      executor::Actions actions;
      const bool killing = task.kill_wanted || task.state == mesos::v1::TASK_KILLING;
      // The agent may have died between the start of the task and the news of it.
      if (runs && !killing && (task.state == mesos::v1::TASK_STARTING || task.state == mesos::v1::TASK_STAGING)) {
        executor.machine->starting(actions);
        if (task.state == mesos::v1::TASK_STARTING) actions.clear();
        executor.machine->running(now_, actions);
      } else {
        executor.machine->resumed(now_, task.running_since, killing && runs, actions);
        if (!runs && killing) executor.machine->note_kill();
        if (!runs) actions.clear();
      }
      if (runs && executor.state == ExecutorState::Registering) executor.state = ExecutorState::Running;
      apply(executor, std::move(actions));
      if (runs && !executor.preempted.empty()) journal_.then(DestroyContainer{container});
    } else if (runs && !executor.command) {
      if (executor.state == ExecutorState::Terminating || !executor.preempted.empty())
        journal_.then(DestroyContainer{container});
      else
        set_timer("subscribe/" + container, policy_.executor_reregistration_timeout);
    }
  }
  for (const auto& [id, started] : event.running)
    if (state_.api_containers.contains(id)) (void)api_container_started(id, started.pid);
  recovered();
}

std::vector<std::string> Core::unowned(const std::vector<std::string>& sandboxes) const {
  std::set<std::string> owned;
  for (const auto& [id, framework] : state_.frameworks)
    for (const auto& [executor_id, executor] : framework.executors) owned.insert(executor.directory);
  for (const auto& [id, container] : state_.api_containers)
    if (container.parent().empty()) owned.insert(sandbox_of(id));
  std::vector<std::string> out;
  for (const auto& sandbox : sandboxes)
    if (!owned.contains(sandbox) && !garbage_.knows(sandbox)) out.push_back(sandbox);
  return out;
}

void Core::collect(const std::string& path) {
  dcos::agent::v1::GcRecord record;
  record.mutable_expires()->set_nanoseconds(garbage_.schedule(path, now_.time).nanos());
  journal_.put(gc_key(path), record.SerializeAsString());
}

void Core::remove(const std::string& path) {
  garbage_.begin(path);
  dcos::agent::v1::GcRecord record;
  record.mutable_expires()->set_nanoseconds(now_.time.nanos());
  journal_.put(gc_key(path), record.SerializeAsString());
  journal_.then(RemovePath{path});
}

void Core::recovered() {
  state_.phase = Phase::Disconnected;
  state_.recovery_seconds = std::chrono::duration<double>(now_.time - state_.started).count();
  out_->info("Recovered " + std::to_string(state_.containers.size()) + " containers and " +
             std::to_string(updates_.size()) + " updates");
  std::vector<std::string> ids;
  for (const auto& [id, framework] : state_.frameworks) ids.push_back(id);
  for (const auto& id : ids) remove_finished(id);
  for (const auto& [uuid, operation] : state_.operations) {
    change_volumes(operation);
    change_disk(operation);
  }
  if (policy_.cleanup) return leave("Started with --recover=cleanup");
  register_backoff_ = policy_.registration_backoff;
  if (state_.link_up) register_now();
}

}  // namespace agent
