// Operations on an agent's resources (RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME, SHRINK_VOLUME) and what becomes of
// them. The master takes their result for granted at once; the agent confirms. What CREATE_DISK and DESTROY_DISK make is
// known when a resource provider has made it: until then their source is held for them.

#include "kernel/resources/operations.hpp"

#include <fmt/core.h>

#include "base/testing/planted.hpp"
#include "kernel/master/accept.hpp"
#include "kernel/master/core.hpp"
#include "kernel/master/validation.hpp"
#include "kernel/resources/proto.hpp"

namespace master {

namespace {

using mesos::v1::OperationStatus;
using mesos::v1::scheduler::Call;
using Operation_ = mesos::v1::Offer::Operation;

/// Writes every resource of the operation in the format of the link, allocated to `role` when it names none.
void normalize(Operation_& operation, const std::string& role) {
  const auto fix = [&](mesos::v1::Resource& resource) {
    if (!role.empty() && !resource.has_allocation_info()) resource.mutable_allocation_info()->set_role(role);
    if (auto value = resources::from_proto(resource)) resource = resources::to_proto(*value, resources::Format::Post);
  };
  switch (operation.type()) {
    case Operation_::RESERVE:
      for (auto& r : *operation.mutable_reserve()->mutable_resources()) fix(r);
      for (auto& r : *operation.mutable_reserve()->mutable_source()) fix(r);
      break;
    case Operation_::UNRESERVE:
      for (auto& r : *operation.mutable_unreserve()->mutable_resources()) fix(r);
      break;
    case Operation_::CREATE:
      for (auto& r : *operation.mutable_create()->mutable_volumes()) fix(r);
      break;
    case Operation_::DESTROY:
      for (auto& r : *operation.mutable_destroy()->mutable_volumes()) fix(r);
      break;
    case Operation_::GROW_VOLUME:
      fix(*operation.mutable_grow_volume()->mutable_volume());
      fix(*operation.mutable_grow_volume()->mutable_addition());
      break;
    case Operation_::SHRINK_VOLUME: fix(*operation.mutable_shrink_volume()->mutable_volume()); break;
    case Operation_::CREATE_DISK: fix(*operation.mutable_create_disk()->mutable_source()); break;
    case Operation_::DESTROY_DISK: fix(*operation.mutable_destroy_disk()->mutable_source()); break;
    default: break;
  }
}

}  // namespace

void Core::refuse_operation(Framework& framework, const Operation_& operation, const std::string& why) {
  warning(fmt::format("refused {} of framework {}: {}", Operation_::Type_Name(operation.type()), framework.id, why));
  if (!operation.has_id()) return;
  OperationStatus status;
  *status.mutable_operation_id() = operation.id();
  status.set_state(mesos::v1::OPERATION_ERROR);
  status.set_message(why);
  send_operation_status(framework, std::move(status));
}

void Core::send_operation_status(Framework& framework, OperationStatus status) {
  mesos::v1::scheduler::Event event;
  event.set_type(mesos::v1::scheduler::Event::UPDATE_OPERATION_STATUS);
  *event.mutable_update_operation_status()->mutable_status() = std::move(status);
  send_event(framework, std::move(event));
}

std::optional<std::string> Core::validate_feedback(const Acceptance& acceptance, const Operation_& operation) const {
  if (!operation.has_id()) return std::nullopt;
  if (auto why = validate_id(operation.id().value())) return "Operation has an invalid id: " + *why;
  if (acceptance.framework.operations.count(operation.id().value())) {
    return "Operation reuses the id '" + operation.id().value() + "' of a pending operation";
  }
  if (!acceptance.agent.capabilities.resource_provider) {
    return "Operation requested feedback, but agent " + acceptance.agent.id +
           " does not have the required RESOURCE_PROVIDER capability";
  }
  if (!acceptance.agent.capabilities.operation_feedback) {
    return "Operation on agent default resources requested feedback, but agent " + acceptance.agent.id +
           " does not have the required AGENT_OPERATION_FEEDBACK and RESOURCE_PROVIDER capabilities";
  }
  return std::nullopt;
}

void Core::convert(Acceptance& acceptance, Operation_& operation) {
  Framework& framework = acceptance.framework;
  Agent& agent = acceptance.agent;
  if (auto why = validate_feedback(acceptance, operation)) return refuse_operation(framework, operation, *why);
  normalize(operation, acceptance.role.str());
  const std::string& principal = framework.info->principal();
  if (auto why = validate_operation(operation, agent, &framework, principal)) return refuse_operation(framework, operation, *why);
  if (auto why = forbid_operation(operation, principal)) return refuse_operation(framework, operation, *why);
  auto conversions = resources::conversions(operation);
  if (!conversions) return refuse_operation(framework, operation, conversions.error().message);
  auto remaining = resources::apply(acceptance.remaining, *conversions);
  if (!remaining) return refuse_operation(framework, operation, remaining.error().message);
  if (auto done = allocator_->update_allocation(framework.id, agent.id, *conversions); !done) {
    return refuse_operation(framework, operation, done.error().message);
  }
  acceptance.remaining = std::move(*remaining);
  agent.total = allocator_->total(agent.id);
  send_operation(&framework, agent, std::move(operation));
}

void Core::change_disk(Acceptance& acceptance, Operation_& operation) {
  Framework& framework = acceptance.framework;
  Agent& agent = acceptance.agent;
  if (auto why = validate_feedback(acceptance, operation)) return refuse_operation(framework, operation, *why);
  normalize(operation, acceptance.role.str());
  const std::string& principal = framework.info->principal();
  if (auto why = validate_operation(operation, agent, &framework, principal)) return refuse_operation(framework, operation, *why);
  if (auto why = forbid_operation(operation, principal)) return refuse_operation(framework, operation, *why);
  auto disk = resources::disk_of(operation);
  if (!disk) return refuse_operation(framework, operation, disk.error().message);
  if (!acceptance.remaining.contains(*disk))
    return refuse_operation(framework, operation,
                            "'" + acceptance.remaining.text() + "' does not contain '" + disk->text() + "'");
  acceptance.remaining -= *disk;
  send_operation(&framework, agent, std::move(operation), std::move(*disk));
}

/// What was held for an operation that has ended is what the operation made of it, or free again.
void Core::settle(Operation& operation, const OperationStatus& status) {
  if (operation.held.empty()) return;
  const Resources held = std::exchange(operation.held, {});
  Agent& agent = *operation.agent;
  Framework* framework = operation.framework;
  resources::Conversion conversion{held, {}};
  if (status.state() == mesos::v1::OPERATION_FINISHED) {
    auto made = resources::from_proto(status.converted_resources());
    if (!made) warning(fmt::format("agent {} made a disk that is not valid: {}", agent.id, made.error().message));
    conversion.converted = made ? *made : held;
  } else {
    conversion.converted = held;
  }
  conversion.converted.unallocate();
  if (framework != nullptr) {
    conversion.converted.allocate(held.begin()->allocation);
    const base::Status done = allocator_->update_allocation(framework->id, agent.id, {conversion});
    if (!done) warning(fmt::format("an operation's result on agent {} cannot be counted: {}", agent.id, done.error().message));
    agent.total = allocator_->total(agent.id);
    return recover_resources(*framework, agent, done ? conversion.converted : held, nullptr);
  }
  // Its framework is gone, and what it held may have been offered to others.
  rescind_all(agent);
  conversion.consumed.unallocate();
  auto total = resources::apply(agent.total, conversion);
  if (!total) return warning(fmt::format("an operation's result on agent {} cannot be counted: {}", agent.id, total.error().message));
  agent.total = std::move(*total);
  allocator_->update_agent(agent.id, std::nullopt, agent.total);
  want_allocation();
}

/// An agent that comes back tells its total with the results of operations that ended meanwhile.
void Core::settle_ended(Agent& agent, const link::Reregister& message) {
  for (const auto& proto : message.operations()) {
    const auto known = agent.operations.find(proto.uuid().value());
    if (known != agent.operations.end() && is_terminal(proto.latest_status().state())) settle(*known->second, proto.latest_status());
  }
}

void Core::send_operation(Framework* framework, Agent& agent, Operation_ operation, Resources held) {
  auto pending = std::make_unique<Operation>();
  pending->uuid = random_.uuid_bytes();
  pending->framework = framework;
  pending->agent = &agent;
  pending->held = std::move(held);
  mesos::v1::Operation proto;
  if (framework != nullptr) proto.mutable_framework_id()->set_value(framework->id);
  proto.mutable_agent_id()->set_value(agent.id);
  *proto.mutable_info() = operation;
  proto.mutable_uuid()->set_value(pending->uuid);
  proto.mutable_latest_status()->set_state(mesos::v1::OPERATION_PENDING);
  if (operation.has_id()) *proto.mutable_latest_status()->mutable_operation_id() = operation.id();
  pending->proto = Cow<mesos::v1::Operation>(std::move(proto));

  link::MasterMessage message;
  link::ApplyOperation& order = *message.mutable_apply_operation();
  if (framework != nullptr) order.mutable_framework_id()->set_value(framework->id);
  order.mutable_operation_uuid()->set_value(pending->uuid);
  const std::string provider = resources::provider_of(operation).value_or("");
  if (const auto known = agent.providers.find(provider); known != agent.providers.end()) {
    order.mutable_resource_version()->mutable_resource_provider_id()->set_value(provider);
    order.mutable_resource_version()->mutable_uuid()->set_value(known->second.resource_version);
  } else if (!agent.resource_version.empty()) {
    order.mutable_resource_version()->mutable_uuid()->set_value(agent.resource_version);
  }
  if (framework != nullptr) ++framework->operations_sent[operation.type()];
  if (framework != nullptr && operation.has_id()) framework->operations[operation.id().value()] = pending.get();
  *order.mutable_operation() = std::move(operation);
  agent.operations[pending->uuid] = std::move(pending);
  out_->send(agent.link, std::move(message));
}

void Core::operation_update(Agent& agent, link::OperationStatusUpdate& message) {
  count(Metric::MessagesOperationStatusUpdate);
  const auto found = agent.operations.find(message.operation_uuid().value());
  if (found == agent.operations.end()) {
    count(Metric::InvalidOperationStatusUpdates);
    if (message.status().has_uuid()) {  // nobody waits for it: let the agent forget it
      link::MasterMessage order;
      *order.mutable_acknowledge_operation_status()->mutable_operation_uuid() = message.operation_uuid();
      *order.mutable_acknowledge_operation_status()->mutable_status_uuid() = message.status().uuid();
      out_->send(agent.link, std::move(order));
    }
    return;
  }
  count(Metric::ValidOperationStatusUpdates);
  Operation& operation = *found->second;
  mesos::v1::Operation& proto = operation.proto.edit();
  *proto.mutable_latest_status() = message.has_latest_status() ? message.latest_status() : message.status();
  const bool again = !proto.statuses().empty() && message.status().has_uuid() &&
                     proto.statuses(proto.statuses_size() - 1).uuid().value() == message.status().uuid().value();
  if (!again) *proto.add_statuses() = message.status();
  if (proto.statuses_size() > kMostStatuses) proto.mutable_statuses()->DeleteSubrange(0, 1);

  const bool ended = is_terminal(message.status().state());
  if (ended) settle(operation, message.status());
  if (ended && message.status().state() != mesos::v1::OPERATION_FINISHED) {
    warning(fmt::format("operation {} on agent {} ended as {}: {}", Operation_::Type_Name(proto.info().type()), agent.id,
                        mesos::v1::OperationState_Name(message.status().state()), message.status().message()));
  }
  if (operation.framework != nullptr && proto.info().has_id()) {
    OperationStatus status = message.status();
    *status.mutable_operation_id() = proto.info().id();
    status.mutable_agent_id()->set_value(agent.id);
    send_operation_status(*operation.framework, std::move(status));
    return;  // the framework acknowledges
  }
  // Kept for its framework: the agent says it again until somebody acknowledges.
  if (framework_may_come_back(operation)) return;
  if (message.status().has_uuid()) {
    link::MasterMessage order;
    order.mutable_acknowledge_operation_status()->mutable_operation_uuid()->set_value(operation.uuid);
    *order.mutable_acknowledge_operation_status()->mutable_status_uuid() = message.status().uuid();
    out_->send(agent.link, std::move(order));
  }
  if (ended) remove_operation(operation);
}

/// Of an operation without a framework here that asked for feedback: after a restart agents may be back before frameworks.
bool Core::framework_may_come_back(const Operation& operation) const {
  if (base::planted("master/gives-orphans-up")) return false;
  const mesos::v1::Operation& proto = *operation.proto;
  return operation.framework == nullptr && proto.info().has_id() && proto.has_framework_id() &&
         !state_.completed_frameworks.count(proto.framework_id().value()) && operation.agent->reregistered &&
         now_.time - *operation.agent->reregistered < policy_.orphan_operation_patience;
}

/// A framework is back: operations that agents brought before it are its again.
void Core::adopt_operations(Framework& framework) {
  for (const auto& [id, agent] : state_.agents) {
    for (const auto& [uuid, operation] : agent->operations) {
      const mesos::v1::Operation& proto = *operation->proto;
      if (operation->framework != nullptr || proto.framework_id().value() != framework.id) continue;
      if (proto.info().has_id() && !framework.operations.emplace(proto.info().id().value(), operation.get()).second) continue;
      operation->framework = &framework;
    }
  }
}

void Core::acknowledge_operation(Framework& framework, const Call::AcknowledgeOperationStatus& call) {
  count(Metric::MessagesOperationStatusUpdateAcknowledgement);
  const auto found = framework.operations.find(call.operation_id().value());
  if (found == framework.operations.end() || !found->second->agent->connected) {
    count(Metric::InvalidOperationStatusUpdateAcknowledgements);
    return;
  }
  Operation& operation = *found->second;
  const mesos::v1::Operation& proto = *operation.proto;
  if (proto.statuses().empty() || proto.statuses(proto.statuses_size() - 1).uuid().value() != call.uuid()) {
    count(Metric::InvalidOperationStatusUpdateAcknowledgements);
    return;
  }
  link::MasterMessage order;
  order.mutable_acknowledge_operation_status()->mutable_operation_uuid()->set_value(operation.uuid);
  order.mutable_acknowledge_operation_status()->mutable_status_uuid()->set_value(call.uuid());
  out_->send(operation.agent->link, std::move(order));
  count(Metric::ValidOperationStatusUpdateAcknowledgements);
  if (is_terminal(proto.statuses(proto.statuses_size() - 1).state())) remove_operation(operation);
}

void Core::remove_operation(Operation& operation) {
  Agent& agent = *operation.agent;
  settle(operation, OperationStatus());
  if (operation.framework != nullptr && operation.proto->info().has_id()) {
    operation.framework->operations.erase(operation.proto->info().id().value());
  }
  agent.operations.erase(std::string(operation.uuid));  // `operation` is gone
  if (agent.drain) check_drained(agent);
}

void Core::end_operations_on_departure(Agent& agent, Departure departure) {
  const auto state = departure == Departure::Unreachable ? mesos::v1::OPERATION_UNREACHABLE
                                                         : mesos::v1::OPERATION_GONE_BY_OPERATOR;
  for (auto& [uuid, operation] : agent.operations) {
    Framework* framework = operation->framework;
    if (framework == nullptr || !operation->proto->info().has_id()) continue;
    if (!is_terminal(operation->proto->latest_status().state())) {
      OperationStatus status;
      *status.mutable_operation_id() = operation->proto->info().id();
      status.set_state(state);
      status.mutable_agent_id()->set_value(agent.id);
      send_operation_status(*framework, std::move(status));
    }
    framework->operations.erase(operation->proto->info().id().value());
  }
  agent.operations.clear();
}

void Core::reconcile_operations(Framework& framework, const Call::ReconcileOperations& call) {
  count(Metric::MessagesReconcileOperations);
  if (call.operations().empty()) {
    for (const auto& [id, operation] : framework.operations) {
      OperationStatus status = operation->proto->latest_status();
      status.clear_uuid();
      status.mutable_operation_id()->set_value(id);
      status.mutable_agent_id()->set_value(operation->agent->id);
      send_operation_status(framework, std::move(status));
    }
    return;
  }
  for (const auto& asked : call.operations()) {
    OperationStatus status;
    const AgentId& agent = asked.agent_id().value();
    const auto known = framework.operations.find(asked.operation_id().value());
    if (known != framework.operations.end()) {
      status = known->second->proto->latest_status();
      status.clear_uuid();
    } else if (state_.recovered_agents.count(agent)) {
      status.set_state(mesos::v1::OPERATION_RECOVERING);
    } else if (state_.unreachable_agents.count(agent)) {
      status.set_state(mesos::v1::OPERATION_UNREACHABLE);
    } else if (state_.gone_agents.count(agent)) {
      status.set_state(mesos::v1::OPERATION_GONE_BY_OPERATOR);
    } else {
      status.set_state(mesos::v1::OPERATION_UNKNOWN);
    }
    *status.mutable_operation_id() = asked.operation_id();
    if (asked.has_agent_id()) *status.mutable_agent_id() = asked.agent_id();
    if (asked.has_resource_provider_id()) *status.mutable_resource_provider_id() = asked.resource_provider_id();
    send_operation_status(framework, std::move(status));
  }
}

void Core::convert_as_operator(const OperatorCallReceived& event, const AgentId& id, Operation_ operation) {
  const CallId call = event.call_id;
  Agent* agent = find_agent(id);
  if (agent == nullptr) return out_->reply(call, 400, "No agent found with specified ID");
  if (!agent->connected) return out_->reply(call, 409, "Agent " + id + " is not connected");
  normalize(operation, {});
  if (auto why = validate_operation(operation, *agent, nullptr, event.principal)) {
    const bool takes = operation.type() == Operation_::UNRESERVE || operation.type() == Operation_::DESTROY;
    const std::string where = takes ? "" : fmt::format(" on agent {} at {} ({})", agent->id, agent->pid, agent->info->hostname());
    return out_->reply(call, 400, fmt::format("Invalid {} operation{}: {}", Operation_::Type_Name(operation.type()), where, *why));
  }
  if (auto why = forbid_operation(operation, event.principal)) return out_->reply(call, 403, *why);
  auto conversions = resources::conversions(operation);
  if (!conversions) return out_->reply(call, 400, conversions.error().message);
  // Take back as many offers as it needs and no more; none when even all of them would not do.
  Resources reachable = allocator_->available(id);
  for (const auto& [offer_id, offer] : agent->offers) reachable += offer->resources;
  reachable.unallocate();
  if (auto possible = resources::apply(reachable, *conversions); !possible) {
    return out_->reply(call, 409, possible.error().message);
  }
  base::Status done = allocator_->update_available(id, *conversions);
  while (!done && !agent->offers.empty()) {
    rescind(*agent->offers.begin()->second, true);
    done = allocator_->update_available(id, *conversions);
  }
  if (!done) return out_->reply(call, 409, done.error().message);
  agent->total = allocator_->total(id);
  send_operation(nullptr, *agent, std::move(operation));
  want_allocation();
  out_->reply(call, 202);
}

}  // namespace master
