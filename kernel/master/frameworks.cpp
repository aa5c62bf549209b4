// Frameworks: subscribing, taking over, losing the connection, being removed.

#include <fmt/core.h>

#include <cmath>

#include "base/strings.hpp"
#include "kernel/master/allocator_config.hpp"
#include "kernel/master/core.hpp"
#include "kernel/master/validation.hpp"

namespace master {

namespace {

using mesos::v1::scheduler::Call;
using SchedulerEvent = mesos::v1::scheduler::Event;

SchedulerEvent make_event(SchedulerEvent::Type type) {
  SchedulerEvent event;
  event.set_type(type);
  return event;
}

/// failover_timeout as a duration; values that no clock can hold become ten years.
base::Duration failover_timeout(const FrameworkInfo& info) {
  const double most = 10.0 * 365 * 24 * 3600;
  return base::Duration(static_cast<int64_t>(std::min(info.failover_timeout(), most) * 1e9));
}

}  // namespace

Framework* Core::find_framework(const FrameworkId& id) {
  const auto found = state_.frameworks.find(id);
  return found == state_.frameworks.end() ? nullptr : found->second.get();
}

void Core::fail_connection(ConnectionId connection, const std::string& why) {
  SchedulerEvent event = make_event(SchedulerEvent::ERROR);
  event.mutable_error()->set_message(why);
  out_->send(connection, std::move(event));
  out_->close(connection);
}

std::optional<std::string> Core::refuse_subscription(const SchedulerSubscribed& event) const {
  const FrameworkInfo& info = event.subscribe.framework_info();
  if (auto error = validate_framework_info(info)) return error;
  const std::set<std::string> roles = roles_of(info);
  if (auto error = validate_framework_roles(roles, event.subscribe.suppressed_roles(),
                                            event.subscribe.has_offer_constraints() ? &event.subscribe.offer_constraints()
                                                                                    : nullptr,
                                            policy_.roles, policy_.constraint_limits)) {
    return error;
  }
  if (!policy_.root_submissions && info.user() == "root") {
    return "User 'root' is not allowed to run frameworks without --root_submissions set";
  }
  if (auto error = forbid_roles(info)) return error;
  if (info.has_id() && !info.id().value().empty()) {
    const auto completed = state_.completed_frameworks.find(info.id().value());
    if (completed != state_.completed_frameworks.end()) return "Framework has been removed";
    const auto known = state_.frameworks.find(info.id().value());
    if (known != state_.frameworks.end() && !known->second->recovered &&
        known->second->info->principal() != info.principal()) {
      return "Changing framework's principal is not allowed.";
    }
  }
  return std::nullopt;
}

void Core::handle(SchedulerSubscribed& event) {
  FrameworkInfo& info = *event.subscribe.mutable_framework_info();
  if (!info.has_principal() && !event.principal.empty()) info.set_principal(event.principal);
  const bool has_id = info.has_id() && !info.id().value().empty();
  count(has_id ? Metric::MessagesReregisterFramework : Metric::MessagesRegisterFramework);
  if (auto why = refuse_subscription(event)) {
    // Schedulers of old compare the sentence "Framework has been removed": it stays as it is.
    const auto completed = state_.completed_frameworks.find(info.id().value());
    const std::string more = completed == state_.completed_frameworks.end()
                                 ? ""
                                 : " because " + completed->second.why + "; it may subscribe without an id, as a new framework";
    warning(fmt::format("refused framework '{}' ({}): {}{}", info.name(), has_id ? info.id().value() : "new", *why, more));
    fail_connection(event.connection, *why);
    return;
  }

  Framework* framework = has_id ? find_framework(info.id().value()) : nullptr;
  const bool known = framework != nullptr;
  if (framework == nullptr) {
    FrameworkId id = has_id ? info.id().value() : fmt::format("{}-{:04}", state_.master.id(), state_.next_framework++);
    framework = &add_framework(std::move(id), info);
  } else {
    take_over(*framework);
  }
  connect_framework(*framework, event, known);
}

Framework& Core::add_framework(FrameworkId id, FrameworkInfo info) {
  auto framework = std::make_unique<Framework>();
  framework->id = id;
  framework->registered = now_.time;
  info.mutable_id()->set_value(id);
  framework->capabilities = FrameworkCapabilities::of(info);
  framework->roles = roles_of(info);
  framework->info = std::make_shared<const FrameworkInfo>(std::move(info));
  Framework& added = *framework;
  state_.frameworks[id] = std::move(framework);
  allocator_->add_framework(id, framework_config(added), false);
  adopt_operations(added);
  return added;
}

Framework& Core::add_recovered_framework(const FrameworkInfo& info) {
  Framework& framework = add_framework(info.id().value(), info);
  framework.recovered = true;
  // Nobody may ever come for it: unlike the original's, it times out. The agents' own time to return is granted too,
  // since a new master has just started and schedulers find it no faster than agents do.
  start_failover_timer(framework, std::max(failover_timeout(info), policy_.agent_reregister_timeout));
  out_->trace(TraceLevel::Info, fmt::format("recovered framework {} ('{}') from an agent", framework.id, info.name()));
  return framework;
}

void Core::take_over(Framework& framework) {
  if (framework.connection != 0) {
    const ConnectionId old = framework.connection;
    state_.frameworks_by_connection.erase(old);
    framework.connection = 0;
    fail_connection(old, "Framework failed over");
  }
  stop_timer(framework.heartbeat_timer);
  stop_timer(framework.failover_timer);
  discard_all(framework, false);
}

void Core::set_framework_info(Framework& framework, FrameworkInfo info, std::set<std::string> suppressed,
                              const mesos::v1::scheduler::OfferConstraints* constraints) {
  info.mutable_id()->set_value(framework.id);
  framework.capabilities = FrameworkCapabilities::of(info);
  framework.roles = roles_of(info);
  framework.info = std::make_shared<const FrameworkInfo>(std::move(info));
  framework.suppressed_roles = std::move(suppressed);
  framework.constraints = nullptr;
  framework.compiled_constraints = nullptr;
  if (constraints != nullptr) {
    framework.constraints = std::make_shared<const mesos::v1::scheduler::OfferConstraints>(*constraints);
    if (auto compiled = allocator::OfferConstraints::compile(*constraints, policy_.constraint_limits))
      framework.compiled_constraints = *compiled;
  }
  allocator_->update_framework(framework.id, framework_config(framework));
}

void Core::connect_framework(Framework& framework, SchedulerSubscribed& event, bool known) {
  FrameworkInfo told = std::move(*event.subscribe.mutable_framework_info());
  if (known && !framework.recovered) {  // what a subscription cannot change
    told.set_user(framework.info->user());
    told.set_checkpoint(framework.info->checkpoint());
  }
  std::set<std::string> suppressed(event.subscribe.suppressed_roles().begin(), event.subscribe.suppressed_roles().end());
  set_framework_info(framework, std::move(told), std::move(suppressed),
                     event.subscribe.has_offer_constraints() ? &event.subscribe.offer_constraints() : nullptr);

  framework.connection = event.connection;
  framework.stream_id = event.stream_id;
  framework.connected = true;
  framework.active = true;
  framework.recovered = false;
  if (known) framework.reregistered = now_.time;
  ++framework.calls[Call::SUBSCRIBE];
  state_.frameworks_by_connection[event.connection] = &framework;

  SchedulerEvent subscribed = make_event(SchedulerEvent::SUBSCRIBED);
  subscribed.mutable_subscribed()->mutable_framework_id()->set_value(framework.id);
  subscribed.mutable_subscribed()->set_heartbeat_interval_seconds(
      std::chrono::duration<double>(policy_.heartbeat_interval).count());
  *subscribed.mutable_subscribed()->mutable_master_info() = state_.master;
  send_event(framework, std::move(subscribed));
  heartbeat(framework.id);

  allocator_->activate_framework(framework.id);
  want_allocation();
  if (known) tell_agents_about(framework);
  publish_framework(framework, !known);
  info(fmt::format("framework {} ('{}') {} with roles [{}]", framework.id, framework.info->name(),
                   known ? "is back" : "subscribed", base::join({framework.roles.begin(), framework.roles.end()}, ", ")));
}

void Core::tell_agents_about(const Framework& framework) {
  for (const auto& [id, agent] : state_.agents) {
    if (!agent->connected || (!agent->tasks.count(framework.id) && !agent->executors.count(framework.id))) continue;
    link::MasterMessage message;
    *message.mutable_update_framework()->mutable_framework_info() = *framework.info;
    out_->send(agent->link, std::move(message));
  }
}

void Core::send_event(Framework& framework, SchedulerEvent event) {
  if (framework.connection == 0) return;
  ++framework.events[event.type()];
  out_->send(framework.connection, std::move(event));
}

void Core::heartbeat(const FrameworkId& id) {
  Framework* framework = find_framework(id);
  if (framework == nullptr || framework->connection == 0) return;
  send_event(*framework, make_event(SchedulerEvent::HEARTBEAT));
  framework->heartbeat_timer = start_timer(policy_.heartbeat_interval, [this, id] { heartbeat(id); });
}

void Core::handle(SchedulerConnectionClosed& event) {
  const auto found = state_.frameworks_by_connection.find(event.connection);
  if (found == state_.frameworks_by_connection.end()) return;
  disconnect_framework(*found->second);
}

void Core::disconnect_framework(Framework& framework) {
  count(Metric::MessagesDeactivateFramework);
  state_.frameworks_by_connection.erase(framework.connection);
  framework.connection = 0;
  framework.connected = false;
  framework.active = false;
  stop_timer(framework.heartbeat_timer);
  allocator_->deactivate_framework(framework.id);
  discard_all(framework, false);
  const base::Duration timeout = failover_timeout(*framework.info);
  out_->trace(TraceLevel::Warning, fmt::format("framework {} ('{}') disconnected; it has {} to come back", framework.id,
                                               framework.info->name(), base::render_duration(timeout)));
  start_failover_timer(framework, timeout);
}

void Core::start_failover_timer(Framework& framework, base::Duration delay) {
  framework.failover_timer = start_timer(delay, [this, id = framework.id] {
    Framework* gone = find_framework(id);
    if (gone == nullptr) return;
    gone->failover_timer = 0;
    remove_framework(*gone, "it did not come back within its failover_timeout");
  });
}

void Core::remove_framework(Framework& framework, const std::string& why) {
  out_->trace(TraceLevel::Info, fmt::format("removing framework {} ('{}') with {} tasks: {}", framework.id,
                                            framework.info->name(), framework.tasks.size(), why));
  stop_timer(framework.heartbeat_timer);
  stop_timer(framework.failover_timer);
  allocator_->deactivate_framework(framework.id);
  discard_all(framework, false);

  for (const auto& [id, agent] : state_.agents) {
    const bool present = agent->tasks.count(framework.id) || agent->executors.count(framework.id);
    if (present && agent->connected) {
      link::MasterMessage message;
      message.mutable_shutdown_framework()->mutable_framework_id()->set_value(framework.id);
      out_->send(agent->link, std::move(message));
    }
  }
  while (!framework.tasks.empty()) {
    Task& task = *framework.tasks.begin()->second;
    if (!is_terminal(task.proto->state())) {
      TaskStatus status = make_status(task.id(), mesos::v1::TASK_KILLED, "Framework " + framework.id + " removed",
                                      TaskStatus::REASON_FRAMEWORK_REMOVED);
      *status.mutable_agent_id() = task.proto->agent_id();
      update_task(task, status, std::nullopt);
    }
    remove_task(task);
  }
  for (auto& [id, task] : framework.unreachable_tasks) complete_task(framework, *task->proto);
  framework.unreachable_tasks.clear();

  for (const auto& [id, agent] : state_.agents) {
    const auto executors = agent->executors.find(framework.id);
    if (executors != agent->executors.end()) {
      for (const auto& [name, executor] : executors->second) {
        recover_resources(framework, *agent, executor.resources, nullptr);
      }
      agent->executors.erase(executors);
    }
    for (auto& [uuid, operation] : agent->operations) {
      if (operation->framework == &framework) operation->framework = nullptr;
    }
    check_drained(*agent);
  }

  if (framework.connection != 0) {
    state_.frameworks_by_connection.erase(framework.connection);
    out_->close(framework.connection);
  }
  CompletedFramework completed;
  completed.id = framework.id;
  completed.info = framework.info;
  completed.registered = framework.registered;
  completed.reregistered = framework.reregistered;
  completed.unregistered = now_.time;
  completed.completed_tasks.assign(framework.completed_tasks.begin(), framework.completed_tasks.end());
  completed.why = why;
  publish_framework_removed(*framework.info);

  allocator_->remove_framework(framework.id);
  const FrameworkId id = framework.id;
  const std::string principal = framework.info->principal();
  state_.frameworks.erase(id);
  forget_messages_of(principal);
  state_.completed_frameworks[id] = std::move(completed);
  state_.completed_order.push_back(id);
  while (state_.completed_order.size() > policy_.max_completed_frameworks) {
    state_.completed_frameworks.erase(state_.completed_order.front());
    state_.completed_order.pop_front();
  }
  want_allocation();
}

std::optional<Reply> Core::refuse_call(const SchedulerCallReceived& event) const {
  const auto found = state_.frameworks.find(event.call.framework_id().value());
  if (found == state_.frameworks.end()) {
    const auto completed = state_.completed_frameworks.find(event.call.framework_id().value());
    if (completed != state_.completed_frameworks.end()) {
      return Reply{event.call_id, 400, "Framework cannot be found: it was removed because " + completed->second.why};
    }
    return Reply{event.call_id, 400, "Framework cannot be found"};
  }
  const Framework& framework = *found->second;
  if (!event.principal.empty() && framework.info->principal() != event.principal) {
    return Reply{event.call_id, 400,
                 fmt::format("Authenticated principal '{}' does not match principal '{}' set in `FrameworkInfo`",
                             event.principal, framework.info->principal())};
  }
  if (!framework.connected) return Reply{event.call_id, 403, "Framework is not subscribed"};
  if (event.stream_id.empty()) {
    return Reply{event.call_id, 400, "All non-subscribe calls should include the 'Mesos-Stream-Id' header"};
  }
  if (event.stream_id != framework.stream_id) {
    return Reply{event.call_id, 400,
                 fmt::format("The stream ID '{}' included in this request didn't match the stream ID currently associated "
                             "with framework ID {}",
                             event.stream_id, framework.id)};
  }
  return std::nullopt;
}

void Core::handle(SchedulerCallReceived& event) {
  if (auto refusal = refuse_call(event)) {
    out_->reply(refusal->call, refusal->status, std::move(refusal->body));
    return;
  }
  Framework& framework = *find_framework(event.call.framework_id().value());
  ++state_.messages[framework.info->principal()].received;
  if (!hold_back(event, framework)) process_call(event);
}

/// A call whose turn has come; meanwhile the framework may have gone.
void Core::process_call(SchedulerCallReceived& event) {
  if (auto refusal = refuse_call(event)) {
    out_->reply(refusal->call, refusal->status, std::move(refusal->body));
    return;
  }
  Framework& framework = *find_framework(event.call.framework_id().value());
  ++state_.messages[framework.info->principal()].processed;
  ++framework.calls[event.call.type()];
  dispatch_call(framework, event);
}

void Core::dispatch_call(Framework& framework, SchedulerCallReceived& event) {
  Call& call = event.call;
  if (call.type() == Call::UPDATE_FRAMEWORK) {
    update_framework(framework, event.call_id, *call.mutable_update_framework());
    return;
  }
  if (call.type() == Call::UNKNOWN || call.type() == Call::SUBSCRIBE) {
    out_->reply(event.call_id, 501, "Received 'UNKNOWN' call");
    return;
  }
  out_->reply(event.call_id, 202);
  switch (call.type()) {
    case Call::TEARDOWN:
      count(Metric::MessagesUnregisterFramework);
      remove_framework(framework, "its scheduler asked for it");
      break;
    case Call::ACCEPT: accept(framework, *call.mutable_accept()); break;
    case Call::DECLINE: decline(framework, call.decline()); break;
    case Call::REVIVE: revive(framework, call.revive()); break;
    case Call::SUPPRESS: suppress(framework, call.suppress()); break;
    case Call::KILL: kill(framework, call.kill()); break;
    case Call::SHUTDOWN: shutdown_executor(framework, call.shutdown()); break;
    case Call::ACKNOWLEDGE: acknowledge(framework, *call.mutable_acknowledge()); break;
    case Call::ACKNOWLEDGE_OPERATION_STATUS: acknowledge_operation(framework, call.acknowledge_operation_status()); break;
    case Call::RECONCILE: reconcile(framework, call.reconcile()); break;
    case Call::RECONCILE_OPERATIONS: reconcile_operations(framework, call.reconcile_operations()); break;
    case Call::MESSAGE: framework_message(framework, *call.mutable_message()); break;
    case Call::REQUEST: count(Metric::MessagesResourceRequest); break;
    case Call::ACCEPT_INVERSE_OFFERS:
      answer_inverse(framework, call.accept_inverse_offers().inverse_offer_ids(), true, call.accept_inverse_offers().filters());
      break;
    case Call::DECLINE_INVERSE_OFFERS:
      answer_inverse(framework, call.decline_inverse_offers().inverse_offer_ids(), false, call.decline_inverse_offers().filters());
      break;
    default: break;
  }
}

void Core::update_framework(Framework& framework, CallId call, Call::UpdateFramework& update) {
  FrameworkInfo& info = *update.mutable_framework_info();
  if (!info.has_principal() && framework.info->has_principal()) info.set_principal(framework.info->principal());
  if (auto why = validate_framework_info(info)) return out_->reply(call, 400, "Supplied FrameworkInfo is not valid: " + *why);
  if (auto why = validate_framework_update(*framework.info, info)) {
    return out_->reply(call, 400, "FrameworkInfo update is not valid: " + *why);
  }
  if (auto why = validate_framework_roles(roles_of(info), update.suppressed_roles(),
                                          update.has_offer_constraints() ? &update.offer_constraints() : nullptr, policy_.roles,
                                          policy_.constraint_limits)) {
    return out_->reply(call, 400, "'UpdateFramework' call is not valid: " + *why);
  }
  if (auto why = forbid_roles(info)) return out_->reply(call, 403, *why);
  const std::set<std::string> roles = roles_of(info);
  std::vector<Offer*> stale;
  for (const auto& [id, offer] : framework.offers) {
    if (!roles.count(offer->role)) stale.push_back(offer.get());
  }
  for (Offer* offer : stale) rescind(*offer, true);
  info.mutable_id()->set_value(framework.id);
  const bool changed = info.SerializeAsString() != framework.info->SerializeAsString();
  set_framework_info(framework, std::move(info),
                     std::set<std::string>(update.suppressed_roles().begin(), update.suppressed_roles().end()),
                     update.has_offer_constraints() ? &update.offer_constraints() : nullptr);
  if (changed) {  // what is suppressed or constrained concerns nobody else
    tell_agents_about(framework);
    publish_framework(framework, false);
  }
  want_allocation();
  out_->reply(call, 200);
}

void Core::shutdown_executor(Framework& framework, const Call::Shutdown& call) {
  Agent* agent = find_agent(call.agent_id().value());
  if (agent == nullptr || !agent->connected) return;
  link::MasterMessage message;
  message.mutable_shutdown_executor()->mutable_framework_id()->set_value(framework.id);
  *message.mutable_shutdown_executor()->mutable_executor_id() = call.executor_id();
  out_->send(agent->link, std::move(message));
}

void Core::framework_message(Framework& framework, Call::Message& call) {
  count(Metric::MessagesFrameworkToExecutor);
  Agent* agent = find_agent(call.agent_id().value());
  if (agent == nullptr || !agent->connected) {
    count(Metric::InvalidFrameworkToExecutor);
    return;
  }
  link::MasterMessage message;
  message.mutable_framework_message()->mutable_framework_id()->set_value(framework.id);
  *message.mutable_framework_message()->mutable_executor_id() = call.executor_id();
  message.mutable_framework_message()->set_data(std::move(*call.mutable_data()));
  out_->send(agent->link, std::move(message));
  count(Metric::ValidFrameworkToExecutor);
}

}  // namespace master
