// Tasks and task groups.

#include <fmt/core.h>

#include <cmath>

#include "base/strings.hpp"
#include "kernel/master/validation.hpp"
#include "kernel/resources/proto.hpp"

namespace master {

namespace {

/// Reads resources and allocates them to the offers' role.
Refusal read_resources(const resources::ProtoResources& proto, const resources::Name& role, const std::string& subject,
                       Resources& out) {
  if (auto why = validate_resources(proto)) return subject + " uses invalid resources: " + *why;
  out = *resources::from_proto(proto);
  bool any = false, all = true;
  for (const resources::Resource& r : out) {
    any = any || !r.allocation.empty();
    all = all && !r.allocation.empty();
    if (!r.allocation.empty() && r.allocation != role) {
      return fmt::format("Invalid {} resources: The resources have multiple allocation roles ('{}' and '{}') but only one "
                         "allocation role is allowed",
                         base::to_lower(subject), r.allocation.str(), role.str());
    }
  }
  if (!any || !all) out.allocate(role);
  return std::nullopt;
}

/// Ids of volumes, unique per role; with those of `other`.
Refusal check_unique_persistence(const Resources& value, const Resources* other = nullptr) {
  std::set<std::pair<std::string, std::string>> seen;
  for (const Resources* bag : {&value, other}) {
    if (bag == nullptr) continue;
    for (const resources::Resource& r : *bag) {
      if (!r.kind.persistent_volume() || r.kind.shared()) continue;
      const std::string& id = *r.kind.data().disk->persistence_id;
      if (!seen.emplace(r.kind.reservation_role(), id).second) return "Persistence ID '" + id + "' is not unique";
    }
  }
  return std::nullopt;
}

Refusal check_revocable_mix(const Resources& value) {
  std::set<std::string> revocable, firm;
  for (const resources::Resource& r : value) (r.kind.revocable() ? revocable : firm).insert(r.kind.name());
  for (const std::string& name : revocable) {
    if (firm.count(name)) return "Cannot use both revocable and non-revocable '" + name + "' at the same time";
  }
  return std::nullopt;
}

/// Ranges or sets of which both have a piece.
bool overlap(const Resources& a, const Resources& b) {
  for (const resources::Resource& r : a) {
    if (r.kind.type() == resources::Type::Scalar) continue;
    for (const resources::Resource& other : b) {
      if (other.kind.name() != r.kind.name() || other.kind.type() != r.kind.type()) continue;
      if (r.kind.type() == resources::Type::Ranges ? r.ranges.intersects(other.ranges) : r.set.intersects(other.set)) return true;
    }
  }
  return false;
}

bool same_executor(const ExecutorInfo& a, const ExecutorInfo& b) {
  // Whoever filled in the framework's id, and the form in which resources are written, make no difference.
  ExecutorInfo x = a, y = b;
  x.clear_framework_id();
  y.clear_framework_id();
  auto rx = resources::from_proto(x.resources()), ry = resources::from_proto(y.resources());
  if (!rx || !ry) return false;
  rx->unallocate();
  ry->unallocate();
  x.clear_resources();
  y.clear_resources();
  return *rx == *ry && x.SerializeAsString() == y.SerializeAsString();
}

const Executor* find_executor(const TaskContext& context, const std::string& id) {
  const auto executors = context.agent.executors.find(context.framework.id);
  if (executors == context.agent.executors.end()) return nullptr;
  const auto found = executors->second.find(id);
  return found == executors->second.end() ? nullptr : &found->second;
}

/// What an executor says of itself, wherever it is to run.
Refusal validate_executor_shape(const ExecutorInfo& executor) {
  switch (executor.type()) {
    case ExecutorInfo::DEFAULT:
      if (executor.has_command()) return "'ExecutorInfo.command' must not be set for 'DEFAULT' executor";
      if (executor.has_container()) {
        if (executor.container().type() != mesos::v1::ContainerInfo::MESOS) {
          return "'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor";
        }
        if (executor.container().mesos().has_image()) {
          return "'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor";
        }
      }
      break;
    case ExecutorInfo::CUSTOM:
      if (!executor.has_command()) return "'ExecutorInfo.command' must be set for 'CUSTOM' executor";
      break;
    default: break;
  }
  if (auto why = validate_id(executor.executor_id().value())) return "Executor ID is invalid: " + *why;
  if (executor.shutdown_grace_period().nanoseconds() < 0) {
    return "ExecutorInfo's 'shutdown_grace_period' must be non-negative";
  }
  if (executor.has_command()) {
    if (auto why = validate_command(executor.command())) return "Executor's `CommandInfo` is invalid: " + *why;
  }
  if (executor.has_container()) {
    if (auto why = validate_container(executor.container())) return "Executor's `ContainerInfo` is invalid: " + *why;
  }
  return std::nullopt;
}

Refusal read_executor_resources(const ExecutorInfo& executor, const TaskContext& context, Resources& out) {
  if (auto why = read_resources(executor.resources(), context.role, "Executor", out)) return why;
  if (auto why = check_unique_persistence(out)) return "Executor uses duplicate persistence ID: " + *why;
  if (auto why = check_revocable_mix(out)) return "Executor mixes revocable and non-revocable resources: " + *why;
  return std::nullopt;
}

Refusal validate_executor(const ExecutorInfo& executor, const TaskContext& context, Resources& out) {
  if (auto why = validate_executor_shape(executor)) return why;
  if (executor.has_framework_id() && !executor.framework_id().value().empty() &&
      executor.framework_id().value() != context.framework.id) {
    return fmt::format("ExecutorInfo has an invalid FrameworkID (Actual: {} vs Expected: {})",
                       executor.framework_id().value(), context.framework.id);
  }
  if (auto why = read_executor_resources(executor, context, out)) return why;
  if (const Executor* known = find_executor(context, executor.executor_id().value())) {
    if (!same_executor(executor, *known->info)) {
      return "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.\n"
             "------------------------------------------------------------\nExisting ExecutorInfo:\n" +
             known->info->ShortDebugString() +
             "\n------------------------------------------------------------\nOffending ExecutorInfo:\n" +
             executor.ShortDebugString();
    }
  }
  return std::nullopt;
}

using TaskRule = Refusal (*)(const TaskInfo&, const TaskContext&);

/// Rules that hold for every task, alone or in a group.
const TaskRule kTaskRules[] = {
    [](const TaskInfo& task, const TaskContext&) -> Refusal { return validate_id(task.task_id().value()); },
    [](const TaskInfo& task, const TaskContext& context) -> Refusal {
      if (context.framework.tasks.count(task.task_id().value())) return "Task has duplicate ID: " + task.task_id().value();
      if (context.framework.unreachable_tasks.count(task.task_id().value())) {
        return "Task reuses the ID of an unreachable task: " + task.task_id().value();
      }
      return std::nullopt;
    },
    [](const TaskInfo& task, const TaskContext& context) -> Refusal {
      if (task.agent_id().value() == context.agent.id) return std::nullopt;
      return "Task uses invalid agent " + task.agent_id().value() + " while agent " + context.agent.id + " is expected";
    },
    [](const TaskInfo& task, const TaskContext&) -> Refusal {
      if (task.kill_policy().grace_period().nanoseconds() >= 0) return std::nullopt;
      return "Task's 'kill_policy.grace_period' must be non-negative";
    },
    [](const TaskInfo& task, const TaskContext&) -> Refusal {
      if (task.max_completion_time().nanoseconds() >= 0) return std::nullopt;
      return "Task's `max_completion_time` must be non-negative";
    },
    [](const TaskInfo& task, const TaskContext&) -> Refusal {
      if (!task.has_check()) return std::nullopt;
      if (auto why = validate_check(task.check())) return "Task uses invalid check: " + *why;
      return std::nullopt;
    },
    [](const TaskInfo& task, const TaskContext&) -> Refusal {
      if (!task.has_health_check()) return std::nullopt;
      if (auto why = validate_health_check(task.health_check())) return "Task uses invalid health check: " + *why;
      return std::nullopt;
    },
    [](const TaskInfo& task, const TaskContext&) -> Refusal {
      if (!task.resources().empty()) return std::nullopt;
      return "Task uses no resources";
    },
    [](const TaskInfo& task, const TaskContext&) -> Refusal {
      if (!task.has_command()) return std::nullopt;
      if (auto why = validate_command(task.command())) return "Task's `CommandInfo` is invalid: " + *why;
      return std::nullopt;
    },
    [](const TaskInfo& task, const TaskContext&) -> Refusal {
      if (!task.has_container()) return std::nullopt;
      if (auto why = validate_container(task.container())) return "Task's `ContainerInfo` is invalid: " + *why;
      return std::nullopt;
    },
};

Refusal read_task_resources(const TaskInfo& task, const TaskContext& context, Resources& out) {
  if (auto why = read_resources(task.resources(), context.role, "Task", out)) return why;
  if (out.empty()) return "Task uses no resources";
  if (auto why = check_unique_persistence(out)) return "Task uses duplicate persistence ID: " + *why;
  if (auto why = check_revocable_mix(out)) return "Task mixes revocable and non-revocable resources: " + *why;
  return std::nullopt;
}

Refusal check_limits(const TaskInfo& task, const Resources& needs, const Agent& agent) {
  if (task.limits().empty()) return std::nullopt;
  if (!agent.capabilities.task_resource_limits) return "Agent is not capable of handling task resource limits";
  for (const auto& [name, limit] : task.limits()) {
    if (name != "cpus" && name != "mem") return "Only cpus and mem may be included in a task's resource limits";
    const bool cpus = name == "cpus";
    const std::optional<double> request = cpus ? needs.cpus() : needs.mem_mb();
    if (!request) {
      return cpus ? "When a CPU limit is specified, a CPU request must also be specified"
                  : "When a memory limit is specified, a memory request must also be specified";
    }
    if (std::isnan(limit.value()) || limit.value() < *request) {
      return cpus ? "The cpu limit must be greater than or equal to the cpu request"
                  : "The memory limit must be greater than or equal to the memory request";
    }
  }
  return std::nullopt;
}

}  // namespace

Refusal validate_task(const TaskInfo& task, const TaskContext& context, TaskNeeds& needs) {
  for (const TaskRule rule : kTaskRules) {
    if (auto why = rule(task, context)) return why;
  }
  if (auto why = read_task_resources(task, context, needs.task)) return why;
  if (auto why = check_limits(task, needs.task, context.agent)) return why;
  if (task.has_executor() == task.has_command()) {
    return "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present";
  }
  Resources total = needs.task;
  if (task.has_executor()) {
    const ExecutorInfo& executor = task.executor();
    if (auto why = validate_executor(executor, context, needs.executor)) return why;
    if (executor.has_type() && executor.type() != ExecutorInfo::CUSTOM) return "'ExecutorInfo.type' must be 'CUSTOM'";
    if (!executor.has_command()) return "'ExecutorInfo.command' must be set";
    if (executor.container().linux_info().has_share_cgroups() && executor.container().linux_info().share_cgroups()) {
      return "The 'share_cgroups' field cannot be set to 'true' on executor containers";
    }
    if (!needs.executor.shared().empty()) {
      return "Executor resources " + needs.executor.text() + " should not contain any shared resources";
    }
    if (overlap(needs.task, needs.executor)) {
      return "There are overlapping resources in the task resources " + needs.task.text() + " and executor resources " +
             needs.executor.text();
    }
    if (auto why = check_unique_persistence(needs.task, &needs.executor)) {
      return "Task and its executor use duplicate persistence ID: " + *why;
    }
    needs.new_executor = find_executor(context, executor.executor_id().value()) == nullptr;
    if (auto why = check_revocable_mix(needs.task + needs.executor)) {
      return "Task and its executor mix revocable and non-revocable resources: " + *why;
    }
    if (needs.new_executor) total += needs.executor;
  }
  if (!context.available.contains(total)) {
    return "Total resources " + total.text() + " required by task and its executor is more than available " +
           context.available.text();
  }
  if (task.container().linux_info().has_share_cgroups() && !task.container().linux_info().share_cgroups()) {
    return "Only tasks in a task group may have 'share_cgroups' set to 'false'";
  }
  return std::nullopt;
}

namespace {

constexpr const char* kMixedCgroups =
    "If set, the value of 'share_cgroups' must be the same for all tasks in each task group and under a single executor";

bool shares_cgroups(const mesos::v1::ContainerInfo& container) {
  return !container.has_linux_info() || container.linux_info().share_cgroups();
}

/// Tasks that the executor has on this agent, also those that went away with it.
std::vector<const master::Task*> tasks_under(const TaskContext& context, const std::string& executor) {
  std::vector<const master::Task*> out;
  for (const auto* tasks : {&context.framework.tasks, &context.framework.unreachable_tasks}) {
    for (const auto& [id, task] : *tasks) {
      if (task->proto->agent_id().value() == context.agent.id && task->proto->executor_id().value() == executor)
        out.push_back(task.get());
    }
  }
  return out;
}

Refusal validate_group_task(const TaskInfo& task, const TaskContext& context, Resources& out) {
  for (const TaskRule rule : kTaskRules) {
    if (auto why = rule(task, context)) return why;
  }
  if (auto why = read_task_resources(task, context, out)) return why;
  if (auto why = check_limits(task, out, context.agent)) return why;
  if (task.has_container()) {
    if (!task.container().network_infos().empty()) {
      const bool probes = task.has_health_check() && task.health_check().type() != mesos::v1::HealthCheck::COMMAND;
      if (probes) {
        return "HTTP and TCP health checks are not supported for nested containers not joining parent's network";
      }
      return "NetworkInfos must not be set on the task";
    }
    if (task.container().type() == mesos::v1::ContainerInfo::DOCKER) {
      return "Docker ContainerInfo is not supported on the task";
    }
  }
  if (!task.limits().empty() && shares_cgroups(task.container())) {
    return "Resource limits may only be set for tasks within a task group when the 'share_cgroups' field is set to 'false'.";
  }
  return std::nullopt;
}

}  // namespace

Refusal validate_group(const ExecutorInfo& executor, const mesos::v1::TaskGroupInfo& group, const TaskContext& context,
                       GroupNeeds& needs) {
  if (group.tasks().empty()) return "Task group has no tasks";
  if (auto why = validate_executor(executor, context, needs.executor)) return why;
  Resources total;
  bool shares = true, first = true;
  std::set<std::string> ids;
  for (const TaskInfo& task : group.tasks()) {
    Resources taken;
    const auto bad = [&](const std::string& why) { return "Task '" + task.task_id().value() + "' is invalid: " + why; };
    if (auto why = validate_group_task(task, context, taken)) return bad(*why);
    if (!ids.insert(task.task_id().value()).second) return bad("Task has duplicate ID: " + task.task_id().value());
    if (task.has_executor() && !same_executor(task.executor(), executor)) {
      return "The `ExecutorInfo` of task '" + task.task_id().value() + "' is different from executor '" +
             executor.executor_id().value() + "'";
    }
    const bool own = shares_cgroups(task.container());
    if (!first && own != shares) return kMixedCgroups;
    shares = own;
    first = false;
    for (const master::Task* sibling : tasks_under(context, executor.executor_id().value())) {
      if (shares_cgroups(sibling->proto->container()) != own) return kMixedCgroups;
    }
    if (overlap(total, taken)) return "There are overlapping resources in the task group's task resources " + taken.text();
    total += taken;
    needs.tasks.push_back(std::move(taken));
  }
  if (!executor.has_type()) return "'ExecutorInfo.type' must be set";
  if (executor.type() == ExecutorInfo::UNKNOWN) return "Unknown executor type";
  if (executor.container().type() == mesos::v1::ContainerInfo::DOCKER && executor.has_container()) {
    return "Docker ContainerInfo is not supported on the executor";
  }
  if (executor.container().linux_info().has_share_cgroups() && executor.container().linux_info().share_cgroups()) {
    return "The 'share_cgroups' field cannot be set to 'true' on executor containers";
  }
  const auto& name = executor.executor_id().value();
  const auto cpus = needs.executor.cpus(), mem = needs.executor.mem_mb();
  if (cpus.value_or(0) < 0.01) {
    return fmt::format("Executor '{}' uses less CPUs ({}) than the minimum required (0.01)", name,
                       cpus ? fmt::format("{}", *cpus) : "None");
  }
  if (mem.value_or(0) < 32) {
    return fmt::format("Executor '{}' uses less memory ({}) than the minimum required (32MB)", name,
                       mem ? fmt::format("{}MB", *mem) : "None");
  }
  if (!needs.executor.disk_mb()) return "Executor '" + name + "' uses no disk";
  if (overlap(total, needs.executor)) {
    return "There are overlapping resources in the task group's task resources " + total.text() +
           " and/or executor resources " + needs.executor.text();
  }
  if (auto why = check_unique_persistence(total, &needs.executor)) {
    return "Task group and executor use duplicate persistence ID: " + *why;
  }
  if (auto why = check_revocable_mix(total + needs.executor)) {
    return "Task group and executor mix revocable and non-revocable resources: " + *why;
  }
  if (find_executor(context, name) == nullptr) total += needs.executor;
  if (!context.available.contains(total)) {
    return "Total resources " + total.text() + " required by task group and its executor are more than available " +
           context.available.text();
  }
  return std::nullopt;
}

}  // namespace master
