#include "kernel/api/names.hpp"

#include <google/protobuf/descriptor.pb.h>

#include <algorithm>

#include "base/strings.hpp"
#include "kernel/api/mesos/v1/master/master.pb.h"

namespace api {

namespace {

using mesos::v1::OperationState;
using mesos::v1::TaskState;
using mesos::v1::TaskStatus;

constexpr size_t kMaxId = 255;           // a file name
constexpr size_t kMaxContainerId = 242;  // a file name with our longest suffix

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

std::string slave_for_agent(const std::string& name) {
  return base::replace_all(name, "AGENT", "SLAVE");
}

class V1Dialect : public base::json::ProtoDialect {
 public:
  bool write_empty(const google::protobuf::FieldDescriptor& field) const override {
    using mesos::v1::master::Response;
    const google::protobuf::Descriptor* type = field.containing_type();
    const bool shows =
        type == Response::GetTasks::descriptor() || type == Response::GetFrameworks::descriptor() ||
        type == Response::GetAgents::descriptor() || type == Response::GetExecutors::descriptor();
    return shows && !field.options().deprecated();
  }
};

class V0Dialect : public base::json::ProtoDialect {
 public:
  std::string field_name(const google::protobuf::FieldDescriptor& field) const override {
    if (field.name() == "agent_id") return "slave_id";
    if (field.name() == "agent_info") return "slave_info";
    return field.name();
  }
  std::string enum_name(const google::protobuf::EnumValueDescriptor& value) const override {
    const bool renamed = value.type() == mesos::v1::TaskStatus_Source_descriptor() ||
                         value.type() == mesos::v1::TaskStatus_Reason_descriptor();
    return renamed ? slave_for_agent(value.name()) : value.name();
  }
};

}  // namespace

bool is_terminal(TaskState state) {
  switch (state) {
    case mesos::v1::TASK_FINISHED:
    case mesos::v1::TASK_FAILED:
    case mesos::v1::TASK_KILLED:
    case mesos::v1::TASK_ERROR:
    case mesos::v1::TASK_LOST:
    case mesos::v1::TASK_DROPPED:
    case mesos::v1::TASK_GONE:
    case mesos::v1::TASK_GONE_BY_OPERATOR:
      return true;
    case mesos::v1::TASK_STAGING:
    case mesos::v1::TASK_STARTING:
    case mesos::v1::TASK_RUNNING:
    case mesos::v1::TASK_KILLING:
    case mesos::v1::TASK_UNREACHABLE:
    case mesos::v1::TASK_UNKNOWN:
      return false;
  }
  return false;
}

bool is_terminal(OperationState state) {
  switch (state) {
    case mesos::v1::OPERATION_FINISHED:
    case mesos::v1::OPERATION_FAILED:
    case mesos::v1::OPERATION_ERROR:
    case mesos::v1::OPERATION_DROPPED:
    case mesos::v1::OPERATION_GONE_BY_OPERATOR:
      return true;
    case mesos::v1::OPERATION_UNSUPPORTED:
    case mesos::v1::OPERATION_PENDING:
    case mesos::v1::OPERATION_UNREACHABLE:
    case mesos::v1::OPERATION_RECOVERING:
    case mesos::v1::OPERATION_UNKNOWN:
      return false;
  }
  return false;
}

bool frees_resources(TaskState state) {
  return is_terminal(state) || state == mesos::v1::TASK_UNREACHABLE;
}

TaskState visible_state(TaskState state, bool partition_aware) {
  if (partition_aware) return state;
  switch (state) {
    case mesos::v1::TASK_DROPPED:
    case mesos::v1::TASK_UNREACHABLE:
    case mesos::v1::TASK_GONE:
    case mesos::v1::TASK_GONE_BY_OPERATOR:
    case mesos::v1::TASK_UNKNOWN:
      return mesos::v1::TASK_LOST;
    default:
      return state;
  }
}

bool has_capability(const mesos::v1::FrameworkInfo& info,
                    mesos::v1::FrameworkInfo::Capability::Type type) {
  return std::any_of(info.capabilities().begin(), info.capabilities().end(),
                     [type](const auto& capability) { return capability.type() == type; });
}

std::string v0_name(TaskStatus::Source source) {
  return slave_for_agent(TaskStatus::Source_Name(source));
}
std::string v0_name(TaskStatus::Reason reason) {
  return slave_for_agent(TaskStatus::Reason_Name(reason));
}

const base::json::ProtoDialect& v1_dialect() {
  static const V1Dialect dialect;
  return dialect;
}

const base::json::ProtoDialect& v0_dialect() {
  static const V0Dialect dialect;
  return dialect;
}

base::Status validate_id(std::string_view id) {
  if (id.empty()) return base::invalid("ID must not be empty");
  if (id.size() > kMaxId) {
    return base::invalid("ID must not be greater than " + std::to_string(kMaxId) + " characters");
  }
  if (id == "." || id == "..") return base::invalid("'" + std::string(id) + "' is disallowed");
  const bool bad = std::any_of(id.begin(), id.end(),
                               [](char c) { return is_control(c) || c == '/' || c == '\\'; });
  if (bad) return base::invalid("'" + std::string(id) + "' contains invalid characters");
  return {};
}

base::Status validate_container_id(const mesos::v1::ContainerID& id) {
  for (const mesos::v1::ContainerID* level = &id; level != nullptr;
       level = level->has_parent() ? &level->parent() : nullptr) {
    const std::string& value = level->value();
    RETURN_IF_ERROR(validate_id(value));
    if (value.size() > kMaxContainerId) {
      return base::invalid("'ContainerID.value' '" + value + "' exceeds the maximum length (" +
                           std::to_string(kMaxContainerId) + ")");
    }
    if (value.find_first_of(". ") != std::string::npos) {
      return base::invalid("'ContainerID.value' '" + value + "' contains invalid characters");
    }
  }
  return {};
}

base::Status validate_role(std::string_view role) {
  if (role == "*") return {};
  const std::string quoted = "Role '" + std::string(role) + "' cannot ";
  if (role.empty()) return base::invalid("Role names cannot be the empty string");
  if (role.front() == '/') return base::invalid(quoted + "start with a slash");
  if (role.back() == '/') return base::invalid(quoted + "end with a slash");
  if (role.find("//") != std::string_view::npos)
    return base::invalid(quoted + "contain two adjacent slashes");
  for (const std::string_view word : base::split(role, '/')) {
    if (word == "." || word == ".." || word == "*") {
      return base::invalid(quoted + "include '" + std::string(word) + "' as a component");
    }
    const std::string component =
        "Role component '" + std::string(word) + "' is invalid because it ";
    if (word.front() == '-') return base::invalid(component + "starts with a dash");
    if (word.find_first_of("\t\n\v\f\r \x7f") != std::string_view::npos) {
      return base::invalid(component + "contains backspace or whitespace");
    }
  }
  return {};
}

}  // namespace api
