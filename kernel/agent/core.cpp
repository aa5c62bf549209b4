#include "kernel/agent/core.hpp"

#include <utility>

#include "base/strings.hpp"
#include "kernel/agent/checkpoint.hpp"
#include "kernel/resources/proto.hpp"

namespace agent {

bool Framework::has(mesos::v1::FrameworkInfo::Capability::Type capability) const {
  for (const auto& offered : info.capabilities())
    if (offered.type() == capability) return true;
  return false;
}

double scalar_of(const google::protobuf::RepeatedPtrField<mesos::v1::Resource>& resources, std::string_view name) {
  double sum = 0;
  for (const auto& resource : resources)
    if (resource.name() == name && resource.has_scalar()) sum += resource.scalar().value();
  return sum;
}

Core::Core(Policy policy, base::Random random)
    : policy_(std::move(policy)), random_(random), garbage_(policy_.gc_delay, policy_.gc_disk_headroom) {
  state_.info = policy_.info;
  state_.total = resources::from_proto(policy_.info.resources()).value_or(resources::Resources());
  state_.resource_version = random_.uuid_bytes();
}

void Core::on(Event event, base::Now now, Effects& out) {
  now_ = now;
  out_ = &out;
  std::visit([this](auto& each) { handle(std::move(each)); }, event);
  finish_draining();
  journal_.flush(out);
  out_ = nullptr;
}

void Core::handle(Persisted event) { journal_.persisted(event.status, now_, *out_); }

void Core::handle(MasterSaid event) {
  using Message = dcos::internal::v1::MasterMessage;
  auto& message = event.message;
  if (state_.phase == Phase::Recovering) return;
  const bool introduces = message.has_authentication_challenge() || message.has_authenticated() || message.has_registered() ||
                          message.has_reregistered() || message.has_refused() || message.has_shutdown();
  if (!state_.info.has_id() && !introduces)
    return out_->warning("A message of a master that has not registered this agent was ignored");
  switch (message.message_case()) {
    case Message::kRegistered:
      return registered(message.registered().agent_id().value(), message.registered().total_ping_timeout_seconds(),
                        false);
    case Message::kReregistered:
      registered(message.reregistered().agent_id().value(), message.reregistered().total_ping_timeout_seconds(), true);
      for (const auto& tasks : message.reregistered().reconcile_tasks()) reconcile(tasks);
      for (const auto& reference : message.reregistered().reconcile_operations()) drop_unknown(reference);
      // The master took their result for granted, or did not: from now on it knows.
      if (message.reregistered().reconcile_operations_size() > 0) tell_total();
      return;
    case Message::kRefused: return refused(message.refused());
    case Message::kPing: return pinged(message.ping());
    case Message::kRunTask: return run_task(std::move(*message.mutable_run_task()));
    case Message::kRunTaskGroup: return run_group(std::move(*message.mutable_run_task_group()));
    case Message::kKillTask: return kill_task(message.kill_task());
    case Message::kAcknowledgeStatusUpdate: return acknowledge(message.acknowledge_status_update());
    case Message::kFrameworkMessage: {
      const auto& text = message.framework_message();
      const Found found = find_executor(text.framework_id().value(), text.executor_id().value());
      if (!found || found.executor->state != ExecutorState::Running)
        return out_->add(Count{"slave/invalid_framework_messages"});
      out_->add(Count{"slave/valid_framework_messages"});
      mesos::v1::executor::Event out;
      out.set_type(mesos::v1::executor::Event::MESSAGE);
      out.mutable_message()->set_data(text.data());
      return send(*found.executor, std::move(out));
    }
    case Message::kShutdownExecutor: {
      const auto& which = message.shutdown_executor();
      if (const Found found = find_executor(which.framework_id().value(), which.executor_id().value()))
        shut_down(*found.executor, std::nullopt, "");
      return;
    }
    case Message::kShutdownFramework: return shut_down_framework(message.shutdown_framework().framework_id().value());
    case Message::kUpdateFramework: {
      const auto& info = message.update_framework().framework_info();
      if (state_.frameworks.contains(info.id().value())) adopt(info);
      // It is back: an acknowledgement that died with its last connection would cost it the retry's ten seconds.
      for (const TaskKey& task : updates_.start_over(info.id().value())) send_updates(task);
      return;
    }
    case Message::kReconcileTasks: return reconcile(message.reconcile_tasks());
    case Message::kApplyOperation: return apply_operation(message.apply_operation());
    case Message::kAcknowledgeOperationStatus: return acknowledge(message.acknowledge_operation_status());
    case Message::kReconcileOperations:
      for (const auto& reference : message.reconcile_operations().operations()) drop_unknown(reference);
      return;
    case Message::kAuthenticationChallenge: return challenged(message.authentication_challenge());
    case Message::kAuthenticated: return authenticated(message.authenticated());
    case Message::kDrain: return drain(message.drain().config());
    case Message::kShutdown:
      return leave(message.shutdown().message().empty() ? "The master asked this agent to end"
                                                        : message.shutdown().message());
    default:
      out_->warning("A message of the master is not supported by this build and was ignored (number " +
                    std::to_string(static_cast<int>(message.message_case())) + ")");
  }
}

void Core::handle(TimerFired event) {
  const std::string& timer = event.timer;
  const auto parts = base::split(timer, '/');
  const std::string_view kind = parts[0];
  if (timer == Journal::kRetryTimer) return journal_.retry(*out_);
  if (kind == "register") return register_now();
  if (kind == "ping") {
    if (state_.link_up) out_->add(Reconnect{"No pings from master received within " + base::render_duration(ping_timeout_)});
    return;
  }
  if (kind == "operation") return retry_operation(timer);
  if (kind == "update" && parts.size() == 3) return retry_update({std::string(parts[1]), std::string(parts[2])});
  if (parts.size() < 2) return;
  const Found found = find_container(std::string(parts.back()));
  if (!found) return;
  if (kind == "command" && parts.size() == 3 && found.executor->machine) {
    const auto number = parts[1].empty() ? 0 : parts[1][0] - '0';
    executor::Actions actions;
    found.executor->machine->timer(static_cast<executor::TimerKind>(number), now_, actions);
    return apply(*found.executor, std::move(actions));
  }
  if (kind == "publish")
    return published(found.executor->container_id,
                     base::unavailable("a resource provider did not make the container's resources ready in time"));
  if (kind == "shutdown") return out_->add(DestroyContainer{found.executor->container_id});
  if (kind == "subscribe" && found.executor->state == ExecutorState::Registering && !found.executor->connection) {
    const bool again = found.executor->recovered;
    found.executor->end_reason = again ? mesos::v1::TaskStatus::REASON_EXECUTOR_REREGISTRATION_TIMEOUT
                                       : mesos::v1::TaskStatus::REASON_EXECUTOR_REGISTRATION_TIMEOUT;
    found.executor->end_message =
        again ? "Executor did not reregister within " + base::render_duration(policy_.executor_reregistration_timeout)
              : "Executor did not register within " + base::render_duration(policy_.executor_registration_timeout);
    found.executor->state = ExecutorState::Terminating;
    save(*found.executor);
    journal_.then(DestroyContainer{found.executor->container_id});
  }
}

void Core::handle(Probed event) {
  const Found found = find_container(event.container);
  if (!found || !found.executor->machine) return;
  executor::Actions actions;
  found.executor->machine->probed(event.kind, event.result, now_, actions);
  apply(*found.executor, std::move(actions));
}

void Core::handle(PathRemoved event) {
  // The record goes when the directory is gone: one whose removal a crash cut short is removed after it.
  if (garbage_.ended(event.path, event.status.has_value(), now_.time) && event.status) journal_.erase(gc_key(event.path));
  if (!event.status) {
    out_->add(Count{"gc/path_removals_failed"});
    out_->warning("Cannot remove " + event.path + ": " + event.status.error().message);
    return;
  }
  out_->add(Count{"gc/path_removals_succeeded"});
}

void Core::handle(DiskMeasured event) {
  for (const auto& path : garbage_.due(now_.time, event.used_fraction)) journal_.then(RemovePath{path});
}

void Core::handle(LeaveAsked) {
  if (state_.link_up && state_.info.has_id()) {
    SendToMaster leave;
    auto* message = leave.message.mutable_unregister_agent();
    message->mutable_agent_id()->CopyFrom(state_.info.id());
    out_->add(std::move(leave));
  }
  this->leave("Asked to leave the cluster");
}

Core::Found Core::find_executor(const std::string& framework, const std::string& executor) {
  const auto owner = state_.frameworks.find(framework);
  if (owner == state_.frameworks.end()) return {};
  const auto found = owner->second.executors.find(executor);
  if (found == owner->second.executors.end()) return {};
  return {&owner->second, &found->second, nullptr};
}

Core::Found Core::find_container(const std::string& container) {
  const auto found = state_.containers.find(container);
  if (found == state_.containers.end()) return {};
  return find_executor(found->second.first, found->second.second);
}

Core::Found Core::find_task(const std::string& framework, const std::string& task) {
  const auto owner = state_.frameworks.find(framework);
  if (owner == state_.frameworks.end()) return {};
  // The executor of a command task has the task's id.
  if (const auto same = owner->second.executors.find(task); same != owner->second.executors.end())
    if (const auto found = same->second.tasks.find(task); found != same->second.tasks.end())
      return {&owner->second, &same->second, &found->second};
  for (auto& [id, executor] : owner->second.executors)
    if (const auto found = executor.tasks.find(task); found != executor.tasks.end())
      return {&owner->second, &executor, &found->second};
  return {};
}

Core::Found Core::find_connection(ConnectionId connection) {
  for (auto& [framework_id, framework] : state_.frameworks)
    for (auto& [id, executor] : framework.executors)
      if (executor.connection == connection) return {&framework, &executor, nullptr};
  return {};
}

void Core::set_timer(std::string timer, base::Duration after) {
  out_->add(SetTimer{std::move(timer), now_.instant + after});
}

void Core::cancel_timer(std::string timer) { out_->add(CancelTimer{std::move(timer)}); }

}  // namespace agent
