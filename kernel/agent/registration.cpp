// How the agent joins its master, stays joined, and leaves.

#include <algorithm>

#include "base/crypto.hpp"
#include "kernel/agent/core.hpp"
#include "kernel/resources/operations.hpp"
#include "kernel/resources/proto.hpp"

namespace agent {
namespace {

using mesos::v1::AgentInfo;

constexpr base::Duration kLongestRegisterBackoff = base::minutes(1);
constexpr double kDefaultPingTimeout = 75;

template <class Message>
void add_resources(Message& message, const State& state) {
  resources::to_proto(resources::checkpointed_of(state.total), resources::Format::Post,
                      message.mutable_checkpointed_resources());
  message.mutable_resource_version_uuid()->set_value(state.resource_version);
  add_providers(state, message.mutable_resource_providers());
}

template <class Message>
void add_capabilities(Message& message) {
  for (const auto type :
       {AgentInfo::Capability::MULTI_ROLE, AgentInfo::Capability::HIERARCHICAL_ROLE,
        AgentInfo::Capability::RESERVATION_REFINEMENT, AgentInfo::Capability::AGENT_DRAINING,
        AgentInfo::Capability::TASK_RESOURCE_LIMITS, AgentInfo::Capability::RESIZE_VOLUME,
        AgentInfo::Capability::RESOURCE_PROVIDER, AgentInfo::Capability::AGENT_OPERATION_FEEDBACK})
    message.add_capabilities()->set_type(type);
}

}  // namespace

void Core::handle(LinkConnected event) {
  state_.link_up = true;
  nonce_ = std::move(event.nonce);
  master_nonce_.clear();
  authenticated_ = false;
  authentication_timeout_ = policy_.authentication_timeout_min;
  if (state_.phase == Phase::Recovering || state_.phase == Phase::Terminating) return;
  register_backoff_ = policy_.registration_backoff;
  register_now();
}

void Core::handle(LinkDisconnected event) {
  if (!state_.link_up) return;
  state_.link_up = false;
  cancel_timer("register");
  cancel_timer("ping");
  if (state_.phase == Phase::Registered || state_.phase == Phase::Registering) state_.phase = Phase::Disconnected;
  out_->info("Disconnected from the master: " + event.why);
}

void Core::register_now() {
  if (!state_.link_up || state_.phase == Phase::Registered || state_.phase == Phase::Recovering ||
      state_.phase == Phase::Terminating)
    return;
  state_.phase = Phase::Registering;
  if (policy_.credential && !authenticated_) return authenticate();
  SendToMaster effect;
  if (state_.info.has_id()) {
    *effect.message.mutable_reregister_agent() = make_reregister();
  } else {
    auto* message = effect.message.mutable_register_agent();
    message->mutable_agent_info()->CopyFrom(state_.info);
    message->set_version(policy_.version);
    add_capabilities(*message);
    add_resources(*message, state_);
  }
  journal_.then(std::move(effect));
  set_timer("register", random_.jitter(register_backoff_) + base::milliseconds(100));
  register_backoff_ = std::min(register_backoff_ * 2, kLongestRegisterBackoff);
}

void Core::authenticate() {
  SendToMaster effect;
  effect.message.mutable_authenticate()->set_principal(policy_.credential->principal);
  effect.message.mutable_authenticate()->set_nonce(nonce_);
  out_->add(std::move(effect));
  set_timer("register", authentication_timeout_);  // without an answer, or after a refusal, once more
  authentication_timeout_ = std::min(authentication_timeout_ * 2, policy_.authentication_timeout_max);
}

std::string Core::sign(auth::Side side) const {
  const auto text = auth::challenge_text(side, policy_.credential->principal, nonce_, master_nonce_);
  return base::hmac_sha256(policy_.credential->secret, text);
}

void Core::challenged(const dcos::internal::v1::AuthenticationChallenge& challenge) {
  if (!policy_.credential || authenticated_ || challenge.nonce().size() != auth::kNonceBytes) return;
  master_nonce_ = challenge.nonce();
  SendToMaster effect;
  effect.message.mutable_authentication_proof()->set_proof(sign(auth::Side::Agent));
  out_->add(std::move(effect));
}

void Core::authenticated(const dcos::internal::v1::Authenticated& answer) {
  if (!policy_.credential || authenticated_) return;
  const std::string& principal = policy_.credential->principal;
  if (answer.has_refusal()) {
    out_->warning("The master refused to authenticate this agent: " + answer.refusal() + " (see --credential); trying again in " +
                  base::render_duration(authentication_timeout_));
    set_timer("register", authentication_timeout_);
    return;
  }
  if (!answer.has_proof()) {
    out_->info("The master authenticates nobody: going on without");
  } else if (master_nonce_.empty() || !base::equal_in_constant_time(answer.proof(), sign(auth::Side::Master))) {
    out_->warning("The master does not know the secret of principal '" + principal + "': not registering with it");
    return;
  } else {
    out_->info("Authenticated with the master as principal '" + principal + "'");
  }
  authenticated_ = true;
  cancel_timer("register");
  register_now();
}

dcos::internal::v1::Reregister Core::make_reregister() const {
  dcos::internal::v1::Reregister message;
  message.mutable_agent_info()->CopyFrom(state_.info);
  message.set_version(policy_.version);
  add_capabilities(message);
  add_resources(message, state_);
  resources::to_proto(state_.oversubscribed, resources::Format::Post, message.mutable_oversubscribed_resources());
  for (const auto& [uuid, operation] : state_.operations) message.add_operations()->CopyFrom(operation.proto);
  if (state_.drain) message.mutable_drain_config()->CopyFrom(*state_.drain);
  for (const auto& [framework_id, framework] : state_.frameworks) {
    message.add_frameworks()->CopyFrom(framework.info);
    for (const auto& [executor_id, executor] : framework.executors) {
      if (!executor.command && executor.state != ExecutorState::Terminated) {
        auto* info = message.add_executor_infos();
        info->CopyFrom(executor.info);
        info->mutable_framework_id()->set_value(framework_id);
      }
      for (const auto& [task_id, task] : executor.tasks) {
        auto* out = message.add_tasks();
        *out = make_task(framework, executor, task, state_.info.id().value());
        if (const auto* front = updates_.front({framework_id, task_id})) {
          out->set_status_update_state(front->status().state());
          out->set_status_update_uuid(front->status().uuid());
        }
      }
    }
  }
  for (const auto& framework : state_.completed_frameworks) {
    auto* out = message.add_completed_frameworks();
    out->mutable_framework_info()->CopyFrom(framework.info);
    for (const auto& executor : framework.completed_executors)
      for (const auto& task : executor.completed_tasks)
        *out->add_tasks() = make_task(framework, executor, task, state_.info.id().value());
  }
  return message;
}

void Core::registered(const std::string& agent_id, double ping_timeout, bool again) {
  if (state_.phase == Phase::Terminating) return;
  if (state_.info.has_id() && state_.info.id().value() != agent_id) {
    out_->add(Exit{1, "The master registered this agent as " + agent_id + " although it is " +
                          state_.info.id().value()});
    return;
  }
  cancel_timer("register");
  ping_timeout_ = executor::from_seconds(ping_timeout > 0 ? ping_timeout : kDefaultPingTimeout);
  set_timer("ping", ping_timeout_);
  const bool was_registered = state_.phase == Phase::Registered;
  state_.phase = Phase::Registered;
  if (!state_.info.has_id()) {
    state_.info.mutable_id()->set_value(agent_id);
    save_agent();
    journal_.then(RememberAgent{agent_id});
  }
  if (!was_registered) out_->info((again ? "Reregistered with the master as " : "Registered with the master as ") + agent_id);
  for (const TaskKey& task : updates_.start_over()) send_updates(task);
  tell_operations();
  // What came to be known while the request was on its way.
  if (!state_.providers.empty()) send_totals();
  if (!state_.oversubscribed.empty()) send_oversubscribed();
}

void Core::refused(const dcos::internal::v1::Refused& message) {
  out_->warning("The master refused this agent: " + message.message());
  if (message.shutdown()) {
    leave("The master refused this agent for good: " + message.message());
    return;
  }
  // The running timer tries again.
}

void Core::pinged(const dcos::internal::v1::Ping& ping) {
  SendToMaster pong;
  pong.message.mutable_pong()->set_sequence(ping.sequence());
  out_->add(std::move(pong));
  set_timer("ping", ping_timeout_);
  if (ping.has_connected() && !ping.connected() && state_.phase == Phase::Registered) {
    out_->info("The master does not count this agent as connected: registering again");
    state_.phase = Phase::Disconnected;
    register_backoff_ = policy_.registration_backoff;
    register_now();
  }
}

void Core::reconcile(const dcos::internal::v1::ReconcileTasks& message) {
  const std::string& framework_id = message.framework_id().value();
  for (const auto& task_id : message.task_ids()) {
    if (find_task(framework_id, task_id.value()) || updates_.pending({framework_id, task_id.value()})) continue;
    if (!valid_ids(framework_id, task_id.value())) continue;
    Framework unknown;
    unknown.info.CopyFrom(message.framework_info());
    unknown.info.mutable_id()->set_value(framework_id);
    mesos::v1::TaskInfo task;
    task.mutable_task_id()->CopyFrom(task_id);
    drop(unknown, task, mesos::v1::TaskStatus::REASON_RECONCILIATION, "The agent does not know this task");
  }
}

void Core::drain(const mesos::v1::DrainConfig& config) {
  if (!state_.drain) out_->info("Draining: all tasks are asked to end");
  state_.drain = config;
  state_.drain_start = now_.time;
  save_agent();
  std::optional<base::Duration> most;
  if (config.has_max_grace_period()) most = base::Duration(config.max_grace_period().nanoseconds());
  for (auto& [framework_id, framework] : state_.frameworks)
    for (auto& [executor_id, executor] : framework.executors)
      for (auto& [task_id, task] : executor.tasks) {
        if (is_terminal(task.state)) continue;
        std::optional<base::Duration> grace = most;
        const auto& policy = task.info.kill_policy();
        if (most && policy.has_grace_period())
          grace = std::min(*most, base::Duration(policy.grace_period().nanoseconds()));
        kill({&framework, &executor, &task}, grace);
      }
}

/// Nothing is left: from now on it is the master's decision alone whether this agent is used.
void Core::finish_draining() {
  if (!state_.drain || state_.phase != Phase::Registered || !state_.operations.empty() || updates_.size() > 0) return;
  for (const auto& [id, framework] : state_.frameworks)
    for (const auto& [executor_id, executor] : framework.executors)
      if (executor.state != ExecutorState::Terminated || !executor.tasks.empty()) return;
  out_->info("Drained");
  state_.drain.reset();
  save_agent();
}

void Core::leave(const std::string& why) {
  if (state_.phase == Phase::Terminating) return;
  out_->info(why + ": ending all tasks");
  state_.phase = Phase::Terminating;
  exit_code_ = 0;
  exit_message_ = why;
  std::vector<std::string> ids;
  for (const auto& [id, framework] : state_.frameworks) ids.push_back(id);
  for (const auto& id : ids) shut_down_framework(id);
  for (const auto& [id, container] : state_.api_containers)
    if (container.stage != ApiContainer::Stage::Ended && container.parent().empty()) journal_.then(DestroyContainer{id});
  exit_when_empty();
}

void Core::exit_when_empty() {
  for (const auto& [id, container] : state_.api_containers)
    if (container.stage != ApiContainer::Stage::Ended) return;
  if (exit_code_ && state_.containers.empty()) journal_.then(Exit{*exit_code_, exit_message_});
}

}  // namespace agent
