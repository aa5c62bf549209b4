// Shapes of calls; frameworks and agents.

#include "kernel/master/validation.hpp"

#include <fmt/core.h>

#include <cctype>
#include <cmath>

#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/resources/proto.hpp"
#include "kernel/resources/roles.hpp"

namespace master {

namespace {

using SchedulerCall = mesos::v1::scheduler::Call;
using OperatorCall = mesos::v1::master::Call;

/// A call type and the sub-message that it needs.
template <class Call>
struct Shape {
  typename Call::Type type;
  const char* field;
  bool (*present)(const Call&);
};

#define SHAPE(Call, TYPE, field) {Call::TYPE, #field, [](const Call& c) { return c.has_##field(); }}

const Shape<SchedulerCall> kSchedulerShapes[] = {
    SHAPE(SchedulerCall, SUBSCRIBE, subscribe),
    SHAPE(SchedulerCall, ACCEPT, accept),
    SHAPE(SchedulerCall, DECLINE, decline),
    SHAPE(SchedulerCall, ACCEPT_INVERSE_OFFERS, accept_inverse_offers),
    SHAPE(SchedulerCall, DECLINE_INVERSE_OFFERS, decline_inverse_offers),
    SHAPE(SchedulerCall, KILL, kill),
    SHAPE(SchedulerCall, SHUTDOWN, shutdown),
    SHAPE(SchedulerCall, ACKNOWLEDGE, acknowledge),
    SHAPE(SchedulerCall, ACKNOWLEDGE_OPERATION_STATUS, acknowledge_operation_status),
    SHAPE(SchedulerCall, RECONCILE, reconcile),
    SHAPE(SchedulerCall, RECONCILE_OPERATIONS, reconcile_operations),
    SHAPE(SchedulerCall, MESSAGE, message),
    SHAPE(SchedulerCall, REQUEST, request),
    SHAPE(SchedulerCall, UPDATE_FRAMEWORK, update_framework),
};

const Shape<OperatorCall> kOperatorShapes[] = {
    SHAPE(OperatorCall, GET_METRICS, get_metrics),
    SHAPE(OperatorCall, SET_LOGGING_LEVEL, set_logging_level),
    SHAPE(OperatorCall, LIST_FILES, list_files),
    SHAPE(OperatorCall, READ_FILE, read_file),
    SHAPE(OperatorCall, UPDATE_WEIGHTS, update_weights),
    SHAPE(OperatorCall, RESERVE_RESOURCES, reserve_resources),
    SHAPE(OperatorCall, UNRESERVE_RESOURCES, unreserve_resources),
    SHAPE(OperatorCall, CREATE_VOLUMES, create_volumes),
    SHAPE(OperatorCall, DESTROY_VOLUMES, destroy_volumes),
    SHAPE(OperatorCall, GROW_VOLUME, grow_volume),
    SHAPE(OperatorCall, SHRINK_VOLUME, shrink_volume),
    SHAPE(OperatorCall, UPDATE_MAINTENANCE_SCHEDULE, update_maintenance_schedule),
    SHAPE(OperatorCall, START_MAINTENANCE, start_maintenance),
    SHAPE(OperatorCall, STOP_MAINTENANCE, stop_maintenance),
    SHAPE(OperatorCall, DRAIN_AGENT, drain_agent),
    SHAPE(OperatorCall, DEACTIVATE_AGENT, deactivate_agent),
    SHAPE(OperatorCall, REACTIVATE_AGENT, reactivate_agent),
    SHAPE(OperatorCall, UPDATE_QUOTA, update_quota),
    SHAPE(OperatorCall, SET_QUOTA, set_quota),
    SHAPE(OperatorCall, REMOVE_QUOTA, remove_quota),
    SHAPE(OperatorCall, TEARDOWN, teardown),
    SHAPE(OperatorCall, MARK_AGENT_GONE, mark_agent_gone),
};

#undef SHAPE

template <class Call, size_t N>
Refusal check_shape(const Call& call, const Shape<Call> (&shapes)[N]) {
  for (const Shape<Call>& shape : shapes) {
    if (shape.type == call.type() && !shape.present(call)) return fmt::format("Expecting '{}' to be present", shape.field);
  }
  return std::nullopt;
}

Refusal refusal(const base::Status& status) {
  if (status) return std::nullopt;
  return status.error().message;
}

}  // namespace

Refusal validate_id(std::string_view id) { return refusal(api::validate_id(id)); }

bool is_uuid(std::string_view bytes) {
  if (bytes.size() != 16) return false;
  const int version = static_cast<unsigned char>(bytes[6]) >> 4;
  const bool variant = (static_cast<unsigned char>(bytes[8]) & 0xc0) == 0x80;
  return variant && version >= 1 && version <= 5;
}

Refusal validate_call(const SchedulerCall& call, const std::string& principal) {
  if (!call.IsInitialized()) return "Not initialized: " + call.InitializationErrorString();
  if (!call.has_type()) return "Expecting 'type' to be present";
  if (call.type() == SchedulerCall::SUBSCRIBE) {
    if (!call.has_subscribe()) return "Expecting 'subscribe' to be present";
    const FrameworkInfo& info = call.subscribe().framework_info();
    if (info.id().value() != call.framework_id().value()) return "'framework_id' differs from 'subscribe.framework_info.id'";
    if (!principal.empty() && info.has_principal() && info.principal() != principal) {
      return fmt::format("Authenticated principal '{}' does not match principal '{}' set in `FrameworkInfo`", principal,
                         info.principal());
    }
    return std::nullopt;
  }
  if (!call.has_framework_id()) return "Expecting 'framework_id' to be present";
  if (auto why = check_shape(call, kSchedulerShapes)) return why;
  switch (call.type()) {
    case SchedulerCall::ACKNOWLEDGE:
      if (!is_uuid(call.acknowledge().uuid())) return "Not a valid UUID";
      break;
    case SchedulerCall::ACKNOWLEDGE_OPERATION_STATUS:
      if (!is_uuid(call.acknowledge_operation_status().uuid())) return "Not a valid UUID";
      if (!call.acknowledge_operation_status().has_agent_id()) return "Expecting 'agent_id' to be present";
      break;
    case SchedulerCall::UPDATE_FRAMEWORK:
      if (call.framework_id().value() != call.update_framework().framework_info().id().value()) {
        return "'framework_id' differs from 'update_framework.framework_info.id'";
      }
      break;
    default: break;
  }
  return std::nullopt;
}

Refusal validate_call(const OperatorCall& call) {
  if (!call.IsInitialized()) return "Not initialized: " + call.InitializationErrorString();
  if (!call.has_type()) return "Expecting 'type' to be present";
  if (auto why = check_shape(call, kOperatorShapes)) return why;
  const bool resize = call.type() == OperatorCall::GROW_VOLUME || call.type() == OperatorCall::SHRINK_VOLUME;
  if (resize && !(call.type() == OperatorCall::GROW_VOLUME ? call.grow_volume().has_agent_id()
                                                           : call.shrink_volume().has_agent_id())) {
    return "Expecting 'agent_id' to be present; only agent default resources are supported right now";
  }
  if (call.type() == OperatorCall::RESERVE_RESOURCES) {
    return refusal(resources::validate(call.reserve_resources().resources()));
  }
  if (call.type() == OperatorCall::UNRESERVE_RESOURCES) {
    return refusal(resources::validate(call.unreserve_resources().resources()));
  }
  return std::nullopt;
}

// Frameworks ------------------------------------------------------------------------------------------------------

namespace {

/// An amount that somebody asks for.
Refusal check_amount(double value) {
  if (std::isnan(value)) return "NaN not supported";
  if (std::isinf(value)) return "Infinite values not supported";
  if (std::fpclassify(value) == FP_SUBNORMAL) return "Subnormal values not supported";
  if (value < 0) return "Negative values not supported";
  if (!resources::Scalar::representable(value)) return "More than 1e15 is not supported";
  return std::nullopt;
}

using FrameworkRule = Refusal (*)(const FrameworkInfo&);

const FrameworkRule kFrameworkRules[] = {
    [](const FrameworkInfo& info) -> Refusal {
      if (info.has_id() && !info.id().value().empty()) {
        if (auto why = validate_id(info.id().value())) return "'FrameworkInfo.id' is not valid: " + *why;
      }
      return std::nullopt;
    },
    [](const FrameworkInfo& info) -> Refusal {
      const bool multi_role = FrameworkCapabilities::of(info).multi_role;
      if (multi_role && info.has_role()) {
        return "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable";
      }
      if (!multi_role && info.roles_size() > 0) {
        return "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable";
      }
      return std::nullopt;
    },
    [](const FrameworkInfo& info) -> Refusal {
      std::set<std::string> seen;
      for (const std::string& role : info.roles()) {
        if (!seen.insert(role).second) return "'FrameworkInfo.roles' contains duplicate items: { " + role + " }";
      }
      return std::nullopt;
    },
    [](const FrameworkInfo& info) -> Refusal {
      for (const std::string& role : info.roles()) {
        if (auto valid = resources::validate_role(role); !valid) {
          return "'FrameworkInfo.roles' contains invalid role: " + valid.error().message;
        }
      }
      if (info.has_role()) {
        if (auto valid = resources::validate_role(info.role()); !valid) {
          return "'FrameworkInfo.role' is not a valid role: " + valid.error().message;
        }
      }
      return std::nullopt;
    },
    [](const FrameworkInfo& info) -> Refusal {
      const double timeout = info.failover_timeout();
      // What 2^63 nanoseconds cannot hold is not a duration.
      if (std::isnan(timeout) || timeout < 0 || timeout > 9.2e9) {
        return "The framework failover_timeout (" + fmt::format("{}", timeout) + ") is invalid";
      }
      return std::nullopt;
    },
    [](const FrameworkInfo& info) -> Refusal {
      for (const auto& [role, filters] : info.offer_filters()) {
        if (auto valid = resources::validate_role(role); !valid) {
          return "Invalid role '" + role + "' in 'FrameworkInfo.offer_filters': " + valid.error().message;
        }
        for (const auto& quantities : filters.min_allocatable_resources().quantities()) {
          if (quantities.quantities().empty()) return "Resource quantities must contain at least one quantity";
          for (const auto& [name, amount] : quantities.quantities()) {
            if (auto why = check_amount(amount.value())) return "Invalid resource quantity for '" + name + "': " + *why;
          }
        }
      }
      return std::nullopt;
    },
};

std::string set_text(const std::set<std::string>& items) {
  return items.empty() ? "{}" : "{ " + base::join(std::vector<std::string>(items.begin(), items.end()), ", ") + " }";
}

}  // namespace

Refusal validate_framework_info(const FrameworkInfo& info) {
  for (const FrameworkRule rule : kFrameworkRules) {
    if (auto why = rule(info)) return why;
  }
  return std::nullopt;
}

Refusal validate_framework_roles(const std::set<std::string>& roles,
                                 const google::protobuf::RepeatedPtrField<std::string>& suppressed,
                                 const mesos::v1::scheduler::OfferConstraints* constraints,
                                 const std::optional<std::set<std::string>>& whitelist,
                                 const allocator::OfferConstraints::Limits& limits) {
  if (whitelist) {
    std::set<std::string> unknown;
    for (const std::string& role : roles) {
      if (!whitelist->count(role)) unknown.insert(role);
    }
    if (!unknown.empty()) return "Roles " + set_text(unknown) + " are not present in the master's --roles";
  }
  std::set<std::string> foreign;
  for (const std::string& role : suppressed) {
    if (!roles.count(role)) foreign.insert(role);
  }
  if (!foreign.empty()) return "Suppressed roles " + set_text(foreign) + " are not contained in the set of roles";
  if (constraints != nullptr) {
    auto compiled = allocator::OfferConstraints::compile(*constraints, limits);
    if (!compiled) return "Offer constraints are not valid: " + compiled.error().message;
    for (const std::string& role : (*compiled)->roles()) {
      if (!roles.count(role)) {
        return "Offer constraints specify `role_constraints` for a role '" + role + "' not contained in the set of roles";
      }
    }
  }
  return std::nullopt;
}

Refusal validate_framework_update(const FrameworkInfo& before, const FrameworkInfo& after) {
  if (after.principal() != before.principal()) return "Changing framework's principal is not allowed.";
  if (after.user() != before.user()) {
    return fmt::format("Updating 'FrameworkInfo.user' is unsupported; attempted to update from '{}' to '{}'", before.user(),
                       after.user());
  }
  if (after.checkpoint() != before.checkpoint()) {
    return fmt::format("Updating 'FrameworkInfo.checkpoint' is unsupported; attempted to update from '{}' to '{}'",
                       before.checkpoint(), after.checkpoint());
  }
  return std::nullopt;
}

// Agents ----------------------------------------------------------------------------------------------------------

Refusal validate_agent(const AgentInfo& info, const std::string& version) {
  if (!info.IsInitialized()) return "'agent_info' is incomplete: " + info.InitializationErrorString();
  if (info.hostname().empty()) return "'agent_info.hostname' must not be empty";
  if (info.port() < 1 || info.port() > 65535) return "'agent_info.port' is not a port";
  const auto parts = base::split(version, '.');
  const auto major = base::parse_uint(parts[0]);
  if (!major || parts.size() < 2) return "Failed to parse version '" + version + "' of agent";
  if (*major < 1) return "Ignoring agent with version " + version + ": the minimum is 1.0.0";
  if (auto valid = resources::validate(info.resources()); !valid) return valid.error().message;
  for (const auto& resource : info.resources()) {
    if (resource.has_allocation_info()) return "The agent's resources must not be allocated";
  }
  return std::nullopt;
}

Refusal validate_agent_message(const link::AgentMessage& message) {
  const auto without = [](bool has, const char* what) { return has ? Refusal() : Refusal(std::string("it has no ") + what); };
  Refusal why;
  if (message.has_status_update()) {
    const auto& update = message.status_update();
    if (!(why = without(update.has_framework_id(), "framework_id"))) why = without(update.has_status(), "status");
  } else if (message.has_exited_executor()) {
    const auto& exited = message.exited_executor();
    if (!(why = without(exited.has_framework_id(), "framework_id"))) why = without(exited.has_executor_id(), "executor_id");
  } else if (message.has_executor_message()) {
    const auto& sent = message.executor_message();
    if (!(why = without(sent.has_framework_id(), "framework_id"))) why = without(sent.has_executor_id(), "executor_id");
  } else if (message.has_operation_status_update()) {
    const auto& update = message.operation_status_update();
    if (!(why = without(update.has_operation_uuid(), "operation_uuid"))) why = without(update.has_status(), "status");
  }
  return why;
}

Refusal validate_reregistration(const link::Reregister& message) {
  std::set<std::string> frameworks;
  for (const auto& framework : message.frameworks()) {
    if (!framework.IsInitialized() || framework.id().value().empty()) return "A framework of the agent has no id";
    if (!frameworks.insert(framework.id().value()).second) {
      return "Framework has a duplicate FrameworkID: '" + framework.id().value() + "'";
    }
  }
  std::set<std::pair<std::string, std::string>> executors;
  for (const auto& executor : message.executor_infos()) {
    if (!executor.IsInitialized()) return "An executor of the agent is incomplete";
    if (!frameworks.count(executor.framework_id().value())) {
      return "Executor has an invalid FrameworkID '" + executor.framework_id().value() + "'";
    }
    if (!executors.emplace(executor.framework_id().value(), executor.executor_id().value()).second) {
      return "Framework '" + executor.framework_id().value() + "' has a duplicate ExecutorID '" +
             executor.executor_id().value() + "'";
    }
    if (auto valid = resources::validate(executor.resources()); !valid) {
      return "Executor uses invalid resources: " + valid.error().message;
    }
  }
  for (const auto& task : message.tasks()) {
    if (!task.IsInitialized()) return "A task of the agent is incomplete: " + task.InitializationErrorString();
    if (auto why = validate_id(task.task_id().value())) return "Task has an invalid TaskID: " + *why;
    if (task.agent_id().value() != message.agent_info().id().value()) {
      return "Task has an invalid AgentID '" + task.agent_id().value() + "'";
    }
    if (!frameworks.count(task.framework_id().value())) {
      return "Task has an invalid FrameworkID '" + task.framework_id().value() + "'";
    }
    if (auto valid = resources::validate(task.resources()); !valid) {
      return "Task uses invalid resources: " + valid.error().message;
    }
  }
  return std::nullopt;
}

}  // namespace master
