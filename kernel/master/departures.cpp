// Agents that leave: unreachable, given up by an operator, or gone by themselves; what becomes of their tasks.

#include <fmt/core.h>

#include "kernel/master/agents.hpp"
#include "kernel/master/core.hpp"

namespace master {

bool Core::take_removal_permit() {
  if (!policy_.agent_removals) return true;
  while (!removals_.empty() && now_.instant - removals_.front() >= policy_.agent_removal_period) removals_.pop_front();
  if (removals_.size() >= *policy_.agent_removals) return false;
  removals_.push_back(now_.instant);
  return true;
}

void Core::schedule_unreachable(const AgentId& id, std::string why) {
  Agent* agent = find_agent(id);
  if (agent != nullptr && (agent->marking_unreachable || agent->marking_gone || agent->removal_timer != 0)) return;
  if (agent != nullptr) {
    count(Metric::SlaveUnreachableScheduled);
    count(Metric::SlaveShutdownsScheduled);
  }
  if (agent == nullptr && reregistering_.count(id)) {  // what is being written decides
    start_timer(policy_.registry_retry, [this, id, why] {
      if (state_.recovered_agents.count(id)) schedule_unreachable(id, why);
    });
    return;
  }
  if (agent != nullptr && (agent->changing_record || agent->leaving)) {  // soon
    agent->removal_timer = start_timer(base::milliseconds(100), [this, id, why] {
      if (Agent* waiting = find_agent(id)) waiting->removal_timer = 0;
      if (find_agent(id) != nullptr) schedule_unreachable(id, why);
    });
    return;
  }
  if (take_removal_permit()) return mark_unreachable(id, why);
  const base::Duration wait = policy_.agent_removal_period - (now_.instant - removals_.front());
  const TimerId timer = start_timer(wait, [this, id, why] {
    if (Agent* waiting = find_agent(id)) waiting->removal_timer = 0;
    if (find_agent(id) != nullptr || state_.recovered_agents.count(id)) schedule_unreachable(id, why);
  });
  if (agent != nullptr) agent->removal_timer = timer;
}

void Core::mark_unreachable(const AgentId& id, const std::string& why) {
  Agent* agent = find_agent(id);
  const auto recovered = state_.recovered_agents.find(id);
  UnreachableAgent away;
  away.since = now_.time;
  if (agent != nullptr) {
    agent->marking_unreachable = true;
    away.deactivated = agent->deactivated;
    away.drain = agent->drain;
    away.drain_started = agent->drain_started;
  } else if (recovered != state_.recovered_agents.end()) {
    if (recovered->second.marking_unreachable) return;
    recovered->second.marking_unreachable = true;
    away.deactivated = recovered->second.deactivated;
    away.drain = recovered->second.drain;
    away.drain_started = recovered->second.drain_started;
  } else {
    return;
  }
  persist({Write{"agents/" + id, std::nullopt}, write_unreachable(id, away)},
          [this, id, why, away](const base::Status& done) {
            Agent* leaving = find_agent(id);
            const auto lost = state_.recovered_agents.find(id);
            if (!done) {  // asked for again by the next missed ping
              if (leaving) {
                leaving->marking_unreachable = false;
                check_drained(*leaving);
              }
              if (lost != state_.recovered_agents.end()) {
                lost->second.marking_unreachable = false;
                warning(fmt::format("agent {} of the registry is unreachable, but the registry cannot be written ({}): tried "
                                    "again in {}",
                                    id, done.error().message, base::render_duration(policy_.registry_retry)));
                start_timer(policy_.registry_retry, [this, id, why] {
                  if (state_.recovered_agents.count(id)) schedule_unreachable(id, why);
                });
              }
              return;
            }
            state_.unreachable_agents[id] = away;
            if (leaving != nullptr) {
              count(Metric::SlaveUnreachableCompleted);
              count(Metric::SlaveShutdownsCompleted);
              count(Metric::SlaveRemovalsUnhealthy);
              remove_agent(*leaving, Departure::Unreachable, why);
            } else if (lost != state_.recovered_agents.end()) {
              state_.recovered_agents.erase(lost);
              count(Metric::RecoverySlaveRemovals);
              count(Metric::SlaveUnreachableCompleted);
              warning(fmt::format("agent {} of the registry is unreachable: {}", id, why));
              for (const auto& [framework_id, framework] : state_.frameworks) {
                mesos::v1::scheduler::Event event;
                event.set_type(mesos::v1::scheduler::Event::FAILURE);
                event.mutable_failure()->mutable_agent_id()->set_value(id);
                send_event(*framework, std::move(event));
              }
            }
          });
}

void Core::end_task_on_departure(Task& task, Departure departure, const std::string& why) {
  Framework& framework = *task.framework;
  const bool aware = framework.capabilities.partition_aware;
  TaskState state = mesos::v1::TASK_LOST;
  if (aware) state = departure == Departure::Unreachable ? mesos::v1::TASK_UNREACHABLE : mesos::v1::TASK_GONE_BY_OPERATOR;
  const auto reason = departure == Departure::Gone && aware ? TaskStatus::REASON_AGENT_REMOVED_BY_OPERATOR
                                                            : TaskStatus::REASON_AGENT_REMOVED;
  const std::string where = task.agent->info->hostname();
  TaskStatus status = make_status(task.id(), state,
                                  fmt::format("Agent {} {}: {}", where,
                                              departure == Departure::Unreachable ? "is unreachable" : "was removed", why),
                                  reason);
  *status.mutable_agent_id() = task.proto->agent_id();
  if (departure == Departure::Unreachable) {
    status.mutable_unreachable_time()->set_nanoseconds(now_.time.nanos());
  }
  update_task(task, status, std::nullopt);
  send_status(framework, std::move(status));
}

void Core::remove_agent(Agent& agent, Departure departure, const std::string& why) {
  warning(fmt::format("removing agent {} at {} with {} frameworks' tasks: {}", agent.id, agent.pid, agent.tasks.size(), why));
  count(Metric::SlaveRemovals);
  stop_timer(agent.ping_timer);
  stop_timer(agent.reregister_timer);
  stop_timer(agent.removal_timer);
  stop_timer(agent.drain_timer);
  agent.leaving = true;
  allocator_->deactivate_agent(agent.id);
  rescind_all(agent);
  for (const auto& [id, framework] : state_.frameworks) rescind_inverse(*framework, agent);
  state_.planned_agents.erase(agent.id);

  while (!agent.tasks.empty()) {
    Task& task = *agent.tasks.begin()->second.begin()->second;
    const bool ended = is_terminal(task.proto->state());
    if (!ended) end_task_on_departure(task, departure, why);
    if (ended || departure != Departure::Unreachable) {
      remove_task(task);
      continue;
    }
    // It may return with its agent, also when its framework was told TASK_LOST.
    Framework& framework = *task.framework;
    const auto in_framework = framework.tasks.find(task.id());
    std::unique_ptr<Task> kept = std::move(in_framework->second);
    framework.tasks.erase(in_framework);
    detach_from_agent(*kept);
    remember_unreachable(framework, std::move(kept));
  }
  end_operations_on_departure(agent, departure);

  for (const auto& [id, framework] : state_.frameworks) {
    mesos::v1::scheduler::Event event;
    event.set_type(mesos::v1::scheduler::Event::FAILURE);
    event.mutable_failure()->mutable_agent_id()->set_value(agent.id);
    send_event(*framework, std::move(event));
  }
  allocator_->remove_agent(agent.id);
  if (agent.link != 0) {
    state_.agents_by_link.erase(agent.link);
    out_->close_link(agent.link);
  }
  const auto address = agents_by_address_.find(agent_address(agent.ip, *agent.info));
  if (address != agents_by_address_.end() && address->second == &agent) agents_by_address_.erase(address);
  const AgentId id = agent.id;
  state_.agents.erase(id);
}

}  // namespace master
