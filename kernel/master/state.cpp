#include "kernel/master/state.hpp"

namespace master {

mesos::v1::Task PackedTask::unpack() const {
  mesos::v1::Task task;
  task.ParseFromString(*bytes_);  // our own bytes
  return task;
}

const char* metric_name(Metric metric) {
  switch (metric) {
#define COUNTER(name, exported, sentence) \
  case Metric::name: return exported;
#include "kernel/master/metrics.def"
#undef COUNTER
    case Metric::Count: break;
  }
  UNREACHABLE();
}

AgentCapabilities AgentCapabilities::of(const google::protobuf::RepeatedPtrField<AgentInfo::Capability>& list) {
  AgentCapabilities out;
  for (const auto& capability : list) {
    switch (capability.type()) {
      case AgentInfo::Capability::MULTI_ROLE: out.multi_role = true; break;
      case AgentInfo::Capability::HIERARCHICAL_ROLE: out.hierarchical_role = true; break;
      case AgentInfo::Capability::RESERVATION_REFINEMENT: out.reservation_refinement = true; break;
      case AgentInfo::Capability::RESOURCE_PROVIDER: out.resource_provider = true; break;
      case AgentInfo::Capability::RESIZE_VOLUME: out.resize_volume = true; break;
      case AgentInfo::Capability::AGENT_OPERATION_FEEDBACK: out.operation_feedback = true; break;
      case AgentInfo::Capability::AGENT_DRAINING: out.draining = true; break;
      case AgentInfo::Capability::TASK_RESOURCE_LIMITS: out.task_resource_limits = true; break;
      default: break;
    }
  }
  return out;
}

FrameworkCapabilities FrameworkCapabilities::of(const FrameworkInfo& info) {
  FrameworkCapabilities out;
  for (const auto& capability : info.capabilities()) {
    switch (capability.type()) {
      case FrameworkInfo::Capability::REVOCABLE_RESOURCES: out.revocable_resources = true; break;
      case FrameworkInfo::Capability::TASK_KILLING_STATE: out.task_killing_state = true; break;
      case FrameworkInfo::Capability::GPU_RESOURCES: out.gpu_resources = true; break;
      case FrameworkInfo::Capability::SHARED_RESOURCES: out.shared_resources = true; break;
      case FrameworkInfo::Capability::PARTITION_AWARE: out.partition_aware = true; break;
      case FrameworkInfo::Capability::MULTI_ROLE: out.multi_role = true; break;
      case FrameworkInfo::Capability::RESERVATION_REFINEMENT: out.reservation_refinement = true; break;
      case FrameworkInfo::Capability::REGION_AWARE: out.region_aware = true; break;
      default: break;
    }
  }
  return out;
}

std::set<std::string> roles_of(const FrameworkInfo& info) {
  if (FrameworkCapabilities::of(info).multi_role) return {info.roles().begin(), info.roles().end()};
  return {info.role()};
}

}  // namespace master
