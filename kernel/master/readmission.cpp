// The return of an agent that this master does not have as registered: after a restart of the master, or after the agent
// was unreachable. It tells what runs; tasks and frameworks are rebuilt from that.

#include <fmt/core.h>

#include "kernel/master/agents.hpp"
#include "kernel/master/allocator_config.hpp"
#include "kernel/master/core.hpp"
#include "kernel/resources/operations.hpp"

namespace master {

void Core::readmit(LinkId link, const std::string& ip, link::Reregister& message, bool recovered) {
  const AgentId id = message.agent_info().id().value();
  auto agent = std::make_unique<Agent>();
  agent->id = id;
  agent->version = message.version();
  agent->capability_list.assign(message.capabilities().begin(), message.capabilities().end());
  agent->capabilities = AgentCapabilities::of(message.capabilities());
  agent->registered = now_.time;
  agent->reregistered = now_.time;
  agent->resource_version = message.resource_version_uuid().value();
  agent->providers = providers_of(message.resource_providers());
  agent->total = agent_total(message.agent_info(), message.checkpointed_resources(), message.resource_providers()).value_or(Resources());
  if (auto revocable = resources::from_proto(message.oversubscribed_resources())) agent->total += revocable->revocable();
  agent->info = std::make_shared<const AgentInfo>(message.agent_info());
  state_.recovered_agents.erase(id);
  state_.unreachable_agents.erase(id);
  Agent& added = *agent;
  state_.agents[id] = std::move(agent);

  // Another agent at that address that has gone away is not coming back there.
  const auto same = agents_by_address_.find(agent_address(ip, *added.info));
  if (same != agents_by_address_.end()) agents_by_address_.erase(same);
  attach(added, link, ip);
  count(Metric::SlaveReregistrations);

  link::MasterMessage answer;
  answer.mutable_reregistered()->mutable_agent_id()->set_value(id);
  answer.mutable_reregistered()->set_total_ping_timeout_seconds(
      std::chrono::duration<double>(policy_.agent_ping_timeout * policy_.max_agent_ping_timeouts).count());
  answer.mutable_reregistered()->set_reconnect_spread_seconds(reconnect_spread_seconds());
  out_->send(link, std::move(answer));

  publish_agent_added(added);
  restore_tasks(added, message, recovered);
  want_allocation();
  out_->trace(TraceLevel::Info, fmt::format("agent {} reregistered from {} with {} tasks ({})", id, added.pid,
                                            message.tasks_size(), recovered ? "known from the registry" : "was unreachable or unknown"));
}

void Core::restore_tasks(Agent& agent, link::Reregister& message, bool recovered) {
  std::map<FrameworkId, Resources> used;
  std::set<FrameworkId> ended;
  for (auto& info : *message.mutable_frameworks()) {
    const FrameworkId& id = info.id().value();
    if (state_.completed_frameworks.count(id)) {
      ended.insert(id);
      link::MasterMessage order;
      order.mutable_shutdown_framework()->mutable_framework_id()->set_value(id);
      out_->send(agent.link, std::move(order));
      continue;
    }
    if (find_framework(id) == nullptr) publish_framework(add_recovered_framework(info), true);
  }
  for (auto& info : *message.mutable_executor_infos()) {
    const FrameworkId framework_id = info.framework_id().value();
    if (ended.count(framework_id) || find_framework(framework_id) == nullptr) continue;
    Executor executor;
    if (auto held = resources::from_proto(info.resources())) executor.resources = std::move(*held);
    used[framework_id] += executor.resources;
    const ExecutorId id = info.executor_id().value();
    executor.info = std::make_shared<const ExecutorInfo>(std::move(info));
    agent.executors[framework_id][id] = std::move(executor);
  }

  std::vector<Task*> returned;
  for (auto& proto : *message.mutable_tasks()) {
    const FrameworkId framework_id = proto.framework_id().value();
    Framework* framework = find_framework(framework_id);
    if (framework == nullptr || ended.count(framework_id)) continue;
    const TaskId id = proto.task_id().value();
    if (framework->tasks.count(id)) {  // the same id runs elsewhere: two agents claim it, the first one keeps it
      warning(fmt::format("agent {} brings task {} of framework {}, which is known on another agent", agent.id, id,
                          framework_id));
      continue;
    }
    framework->unreachable_tasks.erase(id);
    Task& task = add_task(*framework, agent, std::move(proto));
    used[framework_id] += task.resources;
    returned.push_back(&task);
  }
  restore_operations(agent, message, used);
  restore_completed(message);
  allocator_->add_agent(agent.id, agent_config(agent), agent.total, used);

  if (recovered) return;
  for (Task* task : returned) {
    if (is_terminal(task->proto->state())) continue;
    TaskStatus status = make_status(task->id(), task->proto->state(), "Agent reregistered with the task",
                                    TaskStatus::REASON_AGENT_REREGISTERED);
    status.mutable_agent_id()->set_value(agent.id);
    if (task->proto->has_executor_id()) *status.mutable_executor_id() = task->proto->executor_id();
    send_status(*task->framework, std::move(status));
  }
}

/// Operations that the agent has not heard the last of: their news go to whoever asked for them.
void Core::restore_operations(Agent& agent, link::Reregister& message, std::map<FrameworkId, Resources>& used) {
  for (auto& proto : *message.mutable_operations()) {
    const std::string uuid = proto.uuid().value();
    if (uuid.empty() || agent.operations.count(uuid)) continue;
    Framework* framework = proto.has_framework_id() ? find_framework(proto.framework_id().value()) : nullptr;
    if (framework != nullptr && proto.info().has_id() && framework->operations.count(proto.info().id().value())) continue;
    auto operation = std::make_unique<Operation>();
    operation->uuid = uuid;
    operation->agent = &agent;
    operation->framework = framework;
    if (framework != nullptr && proto.info().has_id()) framework->operations[proto.info().id().value()] = operation.get();
    if (!is_terminal(proto.latest_status().state())) operation->held = resources::disk_of(proto.info()).value_or(Resources());
    if (framework != nullptr && !operation->held.empty()) used[framework->id] += operation->held;
    operation->proto = Cow<mesos::v1::Operation>(std::move(proto));
    agent.operations[uuid] = std::move(operation);
  }
}

/// Tasks that run on an agent which stayed registered and that we do not have, such as those that were given up as lost
/// when the connection broke: they hold resources, so they must be known.
void Core::adopt_tasks(Agent& agent, const link::Reregister& message) {
  for (const auto& proto : message.tasks()) {
    Framework* framework = find_framework(proto.framework_id().value());
    const TaskId& id = proto.task_id().value();
    if (framework == nullptr || is_terminal(proto.state()) || framework->tasks.count(id)) continue;
    Task& task = add_task(*framework, agent, proto);
    framework->unreachable_tasks.erase(id);
    allocator_->add_used(framework->id, agent.id, task.resources);
    TaskStatus status =
        make_status(id, proto.state(), "Agent reregistered with the task", TaskStatus::REASON_AGENT_REREGISTERED);
    status.mutable_agent_id()->set_value(agent.id);
    send_status(*framework, std::move(status));
  }
}

void Core::restore_completed(link::Reregister& message) {
  for (auto& completed : *message.mutable_completed_frameworks()) {
    const FrameworkId& id = completed.framework_info().id().value();
    if (id.empty()) continue;
    if (Framework* framework = find_framework(id)) {
      for (auto& task : *completed.mutable_tasks()) {
        if (framework->tasks.count(task.task_id().value())) continue;
        complete_task(*framework, task);
      }
    }
  }
}

}  // namespace master
