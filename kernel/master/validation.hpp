#pragma once

// What the master accepts. Every rule is a row of a table in validation.cpp, task_validation.cpp or
// operation_validation.cpp; the first rule that finds something says what. All rules of operations with an example of
// each are in testdata/validation.table. Texts are the original's where clients may
// have learned them. Pure.

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/master/state.hpp"
#include "kernel/resources/proto.hpp"

namespace master {

/// What is wrong, or nothing.
using Refusal = std::optional<std::string>;

/// Ids of tasks, executors, frameworks and volumes become path components.
Refusal validate_id(std::string_view id);

/// A raw UUID: 16 bytes with a known version and variant.
bool is_uuid(std::string_view bytes);

/// The shape of a call: type, sub-message, framework_id, uuids; `principal` is empty when not authenticated.
Refusal validate_call(const mesos::v1::scheduler::Call& call, const std::string& principal);
Refusal validate_call(const mesos::v1::master::Call& call);

Refusal validate_framework_info(const FrameworkInfo& info);
Refusal validate_framework_roles(const std::set<std::string>& roles,
                                 const google::protobuf::RepeatedPtrField<std::string>& suppressed,
                                 const mesos::v1::scheduler::OfferConstraints* constraints,
                                 const std::optional<std::set<std::string>>& whitelist,
                                 const allocator::OfferConstraints::Limits& limits = {});

/// What UPDATE_FRAMEWORK may not change.
Refusal validate_framework_update(const FrameworkInfo& before, const FrameworkInfo& after);

/// What is missing of a message of a registered agent that is to be passed on.
Refusal validate_agent_message(const link::AgentMessage& message);

Refusal validate_agent(const AgentInfo& info, const std::string& version);
Refusal validate_reregistration(const link::Reregister& message);

/// Where a task is to run.
struct TaskContext {
  const Framework& framework;
  const Agent& agent;
  const resources::Name& role;  // of the offers
  const Resources& available;   // what is left of them
};

/// What a task takes, allocated to the offers' role.
struct TaskNeeds {
  Resources task;
  Resources executor;      // of its ExecutorInfo, also when that executor runs already
  bool new_executor = false;
};

struct GroupNeeds {
  std::vector<Resources> tasks;  // in the group's order
  Resources executor;
};

Refusal validate_task(const TaskInfo& task, const TaskContext& context, TaskNeeds& needs);
Refusal validate_group(const ExecutorInfo& executor, const mesos::v1::TaskGroupInfo& group, const TaskContext& context,
                       GroupNeeds& needs);

Refusal validate_command(const mesos::v1::CommandInfo& command);
Refusal validate_container(const mesos::v1::ContainerInfo& container);
Refusal validate_health_check(const mesos::v1::HealthCheck& check);
Refusal validate_check(const mesos::v1::CheckInfo& check);

/// Resources as somebody names them: amounts, formats, whole gpus, disks, reservations.
Refusal validate_resources(const resources::ProtoResources& proto);

/// All of them are allocated to one role.
Refusal check_single_role(const Resources& value);

/// RESERVE and its kin. `framework` is null for an operator's; `principal` is who asks, empty when nobody knows.
Refusal validate_operation(const mesos::v1::Offer::Operation& operation, const Agent& agent, const Framework* framework,
                           const std::string& principal);

}  // namespace master
