#pragma once

// Facts about the names of the API: which task states are final, how older interfaces spell things,
// what an id or a role may look like. Pure tables.

#include <string>
#include <string_view>

#include "base/json/proto.hpp"
#include "base/result.hpp"
#include "kernel/api/mesos/v1/mesos.pb.h"

namespace api {

/// FINISHED, FAILED, KILLED, ERROR, LOST, DROPPED, GONE and GONE_BY_OPERATOR: no other state
/// follows.
bool is_terminal(mesos::v1::TaskState state);
bool is_terminal(mesos::v1::OperationState state);

/// Terminal, or UNREACHABLE: a task in this state holds no resources.
bool frees_resources(mesos::v1::TaskState state);

/// What a framework is told: one without the PARTITION_AWARE capability knows LOST only, instead of
/// DROPPED, UNREACHABLE, GONE, GONE_BY_OPERATOR and UNKNOWN.
mesos::v1::TaskState visible_state(mesos::v1::TaskState state, bool partition_aware);

bool has_capability(const mesos::v1::FrameworkInfo& info,
                    mesos::v1::FrameworkInfo::Capability::Type type);
/// `list` is the repeated field in which an agent lists its capabilities.
template <class Capabilities>
bool lists_capability(const Capabilities& list, mesos::v1::AgentInfo::Capability::Type type) {
  for (const auto& capability : list) {
    if (capability.type() == type) return true;
  }
  return false;
}

/// The spelling of the v0 interfaces: "SOURCE_SLAVE", "REASON_SLAVE_REMOVED".
std::string v0_name(mesos::v1::TaskStatus::Source source);
std::string v0_name(mesos::v1::TaskStatus::Reason reason);

/// JSON of the v1 API. Names as in the .proto files; the answers of the master's GET_TASKS,
/// GET_FRAMEWORKS, GET_AGENTS, GET_EXECUTORS and GET_STATE show their lists even when these are
/// empty.
const base::json::ProtoDialect& v1_dialect();

/// JSON of the v0 endpoints and form parameters: slave_id, SOURCE_SLAVE, REASON_SLAVE_*.
const base::json::ProtoDialect& v0_dialect();

/// Ids of tasks, executors, frameworks, agents and persistent volumes: 1 to 255 bytes, neither "."
/// nor "..", no slash, backslash or control character. The message does not say which id is meant.
base::Status validate_id(std::string_view id);

/// As validate_id for each level, and neither '.' (which joins the levels) nor blanks, at most 242
/// bytes.
base::Status validate_container_id(const mesos::v1::ContainerID& id);

/// "*", or words joined by single slashes; no word is ".", ".." or "*", starts with a dash, or
/// contains blanks.
base::Status validate_role(std::string_view role);

}  // namespace api
