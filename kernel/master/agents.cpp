// Agents: registering, coming back, answering pings, leaving.

#include "kernel/master/agents.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "base/testing/planted.hpp"
#include "kernel/master/allocator_config.hpp"
#include "kernel/master/core.hpp"
#include "kernel/master/validation.hpp"
#include "kernel/resources/operations.hpp"
#include "kernel/resources/proto.hpp"

namespace master {

std::string agent_address(const std::string& ip, const AgentInfo& info) { return ip + ":" + std::to_string(info.port()); }

base::Result<Resources> agent_total(const AgentInfo& info, const resources::ProtoResources& checkpointed,
                                    const ProviderStates& providers) {
  ASSIGN_OR_RETURN(const Resources total, resources::from_proto(info.resources()));
  ASSIGN_OR_RETURN(const Resources kept, resources::from_proto(checkpointed));
  ASSIGN_OR_RETURN(const Resources of_agent, resources::with_checkpointed(total, kept));
  ASSIGN_OR_RETURN(const Resources of_providers, providers_total(providers));
  return of_agent + of_providers;
}

base::Result<Resources> providers_total(const ProviderStates& providers) {
  Resources total;
  for (const auto& provider : providers) {
    const std::string& id = provider.info().id().value();
    if (id.empty()) return base::invalid("a resource provider has no id");
    ASSIGN_OR_RETURN(const Resources told, resources::from_proto(provider.total_resources()));
    for (const resources::Resource& r : told)
      if (r.kind.data().provider_id != id) return base::invalid(resources::text(r) + " is not of resource provider " + id);
    total += told;
  }
  return total;
}

std::map<std::string, ResourceProvider> providers_of(const ProviderStates& providers) {
  std::map<std::string, ResourceProvider> out;
  for (const auto& provider : providers)
    out[provider.info().id().value()] = {std::make_shared<const mesos::v1::ResourceProviderInfo>(provider.info()),
                                         provider.resource_version_uuid().value()};
  return out;
}

Resources own(const Resources& resources) {
  return resources.filter([](const resources::Resource& r) { return !r.kind.data().provider_id; });
}

Resources provided(const Resources& resources) {
  return resources.filter([](const resources::Resource& r) { return r.kind.data().provider_id.has_value(); });
}

Agent* Core::find_agent(const AgentId& id) {
  const auto found = state_.agents.find(id);
  return found == state_.agents.end() ? nullptr : found->second.get();
}

void Core::handle(AgentMessageReceived& event) {
  open_links_.insert(event.link);
  if (event.message.has_authenticate()) return authenticate(event.link, event.ip, event.nonce, event.message.authenticate());
  if (event.message.has_authentication_proof()) {
    return check_proof(event.link, event.ip, event.message.authentication_proof());
  }
  if (event.message.has_register_agent()) {
    register_agent(event.link, event.ip, *event.message.mutable_register_agent());
    return;
  }
  if (event.message.has_reregister_agent()) {
    auto message = std::make_shared<link::Reregister>(std::move(*event.message.mutable_reregister_agent()));
    reregister_agent(event.link, event.ip, std::move(message));
    return;
  }
  const auto found = state_.agents_by_link.find(event.link);
  if (found == state_.agents_by_link.end()) {
    // Between our refusal or removal of an agent and its noticing; or a registration that is still being written.
    count(Metric::DroppedMessages);
    return;
  }
  Agent& agent = *found->second;
  link::AgentMessage& message = event.message;
  if (auto why = validate_agent_message(message)) {
    count(Metric::DroppedMessages);
    return warning(fmt::format("a message of agent {} was ignored: {}", agent.id, *why));
  }
  switch (message.message_case()) {
    case link::AgentMessage::kStatusUpdate: status_update(agent, *message.mutable_status_update()); break;
    case link::AgentMessage::kPong: pong(agent); break;
    case link::AgentMessage::kUnregisterAgent: unregister_agent(agent); break;
    case link::AgentMessage::kExecutorMessage: executor_message(agent, *message.mutable_executor_message()); break;
    case link::AgentMessage::kExitedExecutor: executor_exited(agent, *message.mutable_exited_executor()); break;
    case link::AgentMessage::kUpdateAgent: update_agent(agent, *message.mutable_update_agent()); break;
    case link::AgentMessage::kOperationStatusUpdate:
      operation_update(agent, *message.mutable_operation_status_update());
      break;
    case link::AgentMessage::kReconcileReply:
      for (const auto& reference : message.reconcile_reply().unknown_operations()) {
        const auto operation = agent.operations.find(reference.operation_uuid().value());
        if (operation != agent.operations.end()) remove_operation(*operation->second);
      }
      break;
    default: count(Metric::DroppedMessages); break;
  }
}

void Core::refuse(LinkId link, const std::string& why, bool shutdown) {
  link::MasterMessage message;
  message.mutable_refused()->set_message(why);
  message.mutable_refused()->set_shutdown(shutdown);
  out_->send(link, std::move(message));
  warning(fmt::format("refused an agent{}: {}", shutdown ? " for good" : "", why));
}

void Core::register_agent(LinkId link, const std::string& ip, link::Register& message) {
  count(Metric::MessagesRegisterSlave);
  if (registering_.count(link)) return;  // its first request is being written
  if (auto why = validate_agent(message.agent_info(), message.version())) return refuse(link, *why, false);
  if (auto why = forbid_agent(link, message.agent_info())) return refuse(link, *why, false);
  if (machine_is_down(message.agent_info().hostname(), ip)) return refuse(link, "Machine is `DOWN`", true);
  if (auto total = agent_total(message.agent_info(), message.checkpointed_resources(), message.resource_providers()); !total) {
    return refuse(link, total.error().message, false);
  }
  const auto same = agents_by_address_.find(agent_address(ip, message.agent_info()));
  if (same != agents_by_address_.end()) {
    Agent& old = *same->second;
    if (old.connected) {  // it did not get our answer
      const bool same_link = old.link == link;
      attach(old, link, ip);
      send_registered(old);
      // What was sent on its former link did not arrive, or it would know its id: it says so of each.
      if (!same_link && (!old.tasks.empty() || !old.operations.empty())) reconcile_known(old, link::Reregister());
      return;
    }
    const AgentId id = old.id;
    auto again = std::make_shared<link::Register>(std::move(message));
    registering_.insert(link);
    old.leaving = true;
    persist({Write{"agents/" + id, std::nullopt}}, [this, id, link, ip, again](const base::Status& done) {
      registering_.erase(link);
      if (!done) {
        if (Agent* kept = find_agent(id)) kept->leaving = false;
        return refuse(link, "the registry cannot be written: " + done.error().message, false);
      }
      if (Agent* replaced = find_agent(id)) {
        count(Metric::SlaveRemovalsRegistered);
        publish_agent_removed(id);
        remove_agent(*replaced, Departure::Removed, "a new agent registered at the same address");
      }
      register_agent(link, ip, *again);
    });
    return;
  }

  const AgentId id = fmt::format("{}-S{}", state_.master.id(), state_.next_agent++);
  message.mutable_agent_info()->mutable_id()->set_value(id);
  auto kept = std::make_shared<link::Register>(std::move(message));
  registering_.insert(link);
  persist({write_agent(kept->agent_info(), false, std::nullopt, {})},
          [this, link, ip, id, kept](const base::Status& done) {
            registering_.erase(link);
            if (!done) return refuse(link, "the registry cannot be written: " + done.error().message, false);
            const bool down = machine_is_down(kept->agent_info().hostname(), ip);
            if (down) refuse(link, "Machine is `DOWN`", true);
            if (down || !link_is_open(link)) {  // it never learned its id and will ask for another
              persist({Write{"agents/" + id, std::nullopt}}, [](const base::Status&) {});
              return;
            }
            admit(link, ip, id, *kept);
          });
}

void Core::admit(LinkId link, const std::string& ip, AgentId id, link::Register& message) {
  auto agent = std::make_unique<Agent>();
  agent->id = id;
  agent->version = message.version();
  agent->capability_list.assign(message.capabilities().begin(), message.capabilities().end());
  agent->capabilities = AgentCapabilities::of(message.capabilities());
  agent->registered = now_.time;
  agent->resource_version = message.resource_version_uuid().value();
  agent->providers = providers_of(message.resource_providers());
  agent->total = agent_total(message.agent_info(), message.checkpointed_resources(), message.resource_providers()).value_or(Resources());
  agent->info = std::make_shared<const AgentInfo>(std::move(*message.mutable_agent_info()));
  Agent& added = *agent;
  state_.agents[id] = std::move(agent);
  attach(added, link, ip);
  allocator_->add_agent(id, agent_config(added), added.total, {});
  count(Metric::SlaveRegistrations);
  send_registered(added);
  publish_agent_added(added);
  want_allocation();
  info(fmt::format("agent {} registered from {} ({}) with {}", id, added.pid, added.info->hostname(), added.total.text()));
}

void Core::attach(Agent& agent, LinkId link, const std::string& ip) {
  if (agent.link != 0 && agent.link != link) {
    state_.agents_by_link.erase(agent.link);
    out_->close_link(agent.link);
    open_links_.erase(agent.link);
    identities_.erase(agent.link);
  }
  agent.link = link;
  agent.ip = ip;
  agent.pid = fmt::format("slave(1)@{}:{}", ip, agent.info->port());
  agent.connected = true;
  agent.missed_pings = 0;
  agent.ping_answered = true;
  state_.agents_by_link[link] = &agent;
  agents_by_address_[agent_address(ip, *agent.info)] = &agent;
  apply_maintenance(agent);
  stop_timer(agent.reregister_timer);
  if (agent.ping_timer == 0) {
    agent.ping_timer = start_timer(policy_.agent_ping_timeout, [this, id = agent.id] { ping(id); });
  }
}

/// Over how long the agents that we know are to come back to the next master.
double Core::reconnect_spread_seconds() const {
  const auto agents = static_cast<int64_t>(state_.agents.size() + state_.recovered_agents.size());
  return std::chrono::duration<double>(std::min(policy_.most_reconnect_spread, policy_.agent_reconnect_pace * agents)).count();
}

void Core::send_registered(const Agent& agent) {
  link::MasterMessage message;
  message.mutable_registered()->mutable_agent_id()->set_value(agent.id);
  message.mutable_registered()->set_total_ping_timeout_seconds(
      std::chrono::duration<double>(policy_.agent_ping_timeout * policy_.max_agent_ping_timeouts).count());
  message.mutable_registered()->set_reconnect_spread_seconds(reconnect_spread_seconds());
  out_->send(agent.link, std::move(message));
}

void Core::reregister_agent(LinkId link, const std::string& ip, std::shared_ptr<link::Reregister> message) {
  count(Metric::MessagesReregisterSlave);
  const AgentId id = message->agent_info().id().value();
  if (id.empty() || reregistering_.count(id)) return;
  if (auto why = forbid_agent(link, message->agent_info())) return refuse(link, *why, false);
  if (state_.gone_agents.count(id) && !base::planted("master/lets-gone-agents-back"))
    return refuse(link, "Agent has been marked gone", true);
  if (machine_is_down(message->agent_info().hostname(), ip)) return refuse(link, "Machine is `DOWN`", true);
  if (auto why = validate_agent(message->agent_info(), message->version())) return refuse(link, *why, false);
  if (auto why = validate_reregistration(*message)) return refuse(link, *why, false);
  if (auto total = agent_total(message->agent_info(), message->checkpointed_resources(), message->resource_providers()); !total) {
    return refuse(link, total.error().message, false);
  }

  if (Agent* agent = find_agent(id)) {
    if (in_transition(*agent)) return;  // it tries again
    if (agent->ip != ip || agent->info->hostname() != message->agent_info().hostname()) {
      return refuse(link, "Agent attempted to reregister with different IP / hostname", true);
    }
    reregister_known(*agent, link, ip, std::move(message));
    return;
  }

  const auto known = state_.recovered_agents.find(id);
  const bool recovered = known != state_.recovered_agents.end();
  if (recovered && known->second.marking_unreachable) return;
  bool deactivated = false;
  std::optional<mesos::v1::DrainInfo> drain;
  base::Time drain_started;
  if (recovered) {
    deactivated = known->second.deactivated;
    drain = known->second.drain;
    drain_started = known->second.drain_started;
  } else if (const auto away = state_.unreachable_agents.find(id); away != state_.unreachable_agents.end()) {
    deactivated = away->second.deactivated;
    drain = away->second.drain;
    drain_started = away->second.drain_started;
  }
  // After a fail-over most agents are in the registry as they are: nothing has to be written for them.
  const bool unchanged =
      recovered && known->second.info->SerializeAsString() == message->agent_info().SerializeAsString();
  reregistering_.insert(id);
  const auto finish = [=, this](const base::Status& done) {
    reregistering_.erase(id);
    if (!done) return refuse(link, "the registry cannot be written: " + done.error().message, false);
    if (state_.gone_agents.count(id) && !base::planted("master/lets-gone-agents-back"))
      return refuse(link, "Agent has been marked gone", true);
    const bool down = machine_is_down(message->agent_info().hostname(), ip);  // since it asked
    if (down) refuse(link, "Machine is `DOWN`", true);
    if (down || !link_is_open(link)) {  // back in the registry, away again: it counts as recovered until it returns
      RecoveredAgent& away = state_.recovered_agents[id];
      away.info = std::make_shared<const AgentInfo>(message->agent_info());
      away.deactivated = deactivated;
      away.drain = drain;
      away.drain_started = drain_started;
      start_timer(policy_.agent_reregister_timeout, [this, id] {
        if (state_.recovered_agents.count(id)) schedule_unreachable(id, "the agent did not come back in time");
      });
      return;
    }
    readmit(link, ip, *message, recovered);
    if (Agent* agent = find_agent(id)) {
      agent->drain = drain;
      agent->drain_started = drain_started;
      if (deactivated && !base::planted("master/offers-deactivated-agents-again")) {
        agent->deactivated = true;
        agent->active = false;
        allocator_->deactivate_agent(id);
      }
      if (drain && drain->state() == mesos::v1::DRAINING) {
        link::MasterMessage order;
        *order.mutable_drain()->mutable_config() = drain->config();
        out_->send(link, std::move(order));
        check_drained(*agent);
      }
    }
  };
  if (unchanged) return finish({});
  std::vector<Write> writes{write_agent(message->agent_info(), deactivated, drain, drain_started)};
  if (!recovered) writes.push_back(Write{"unreachable/" + id, std::nullopt});
  persist(std::move(writes), finish);
}

void Core::reregister_known(Agent& agent, LinkId link, const std::string& ip, std::shared_ptr<link::Reregister> message) {
  const auto finish = [=, this](Agent& back) {
    attach(back, link, ip);
    back.version = message->version();
    back.capability_list.assign(message->capabilities().begin(), message->capabilities().end());
    back.capabilities = AgentCapabilities::of(message->capabilities());
    back.resource_version = message->resource_version_uuid().value();
    back.info = std::make_shared<const AgentInfo>(message->agent_info());
    back.reregistered = now_.time;
    settle_ended(back, *message);
    back.providers = providers_of(message->resource_providers());
    Resources total =
        agent_total(message->agent_info(), message->checkpointed_resources(), message->resource_providers()).value_or(back.total);
    if (auto revocable = resources::from_proto(message->oversubscribed_resources())) total += revocable->revocable();
    if (!(total == back.total)) rescind_all(back);  // offers were made from the old total
    back.total = std::move(total);
    allocator_->update_agent(back.id, agent_config(back), back.total);
    count(Metric::SlaveReregistrations);
    reconcile_known(back, *message);
    if (!back.deactivated) {
      back.active = true;
      allocator_->activate_agent(back.id);
    }
    if (back.drain && back.drain->state() == mesos::v1::DRAINING) {
      link::MasterMessage order;
      *order.mutable_drain()->mutable_config() = back.drain->config();
      out_->send(link, std::move(order));
      check_drained(back);
    }
    want_allocation();
    out_->trace(TraceLevel::Info, fmt::format("agent {} is back at {}", back.id, back.pid));
  };
  if (agent.info->SerializeAsString() == message->agent_info().SerializeAsString()) return finish(agent);

  // A changed description must be in the registry before it is acted on.
  const AgentId id = agent.id;
  reregistering_.insert(id);
  persist({write_agent(message->agent_info(), agent.deactivated, agent.drain, agent.drain_started)},
          [=, this](const base::Status& done) {
            reregistering_.erase(id);
            if (!done) return refuse(link, "the registry cannot be written: " + done.error().message, false);
            Agent* back = find_agent(id);
            if (back != nullptr && link_is_open(link)) finish(*back);
          });
}

void Core::reconcile_known(Agent& agent, const link::Reregister& message) {
  link::MasterMessage answer;
  link::Reregistered& reregistered = *answer.mutable_reregistered();
  reregistered.mutable_agent_id()->set_value(agent.id);
  reregistered.set_total_ping_timeout_seconds(
      std::chrono::duration<double>(policy_.agent_ping_timeout * policy_.max_agent_ping_timeouts).count());
  reregistered.set_reconnect_spread_seconds(reconnect_spread_seconds());

  std::map<FrameworkId, std::set<TaskId>> present;
  for (const auto& task : message.tasks()) present[task.framework_id().value()].insert(task.task_id().value());
  for (const auto& [framework_id, tasks] : agent.tasks) {
    link::ReconcileTasks* missing = nullptr;
    for (const auto& [task_id, task] : tasks) {
      if (present[framework_id].count(task_id)) continue;
      if (missing == nullptr) {
        missing = reregistered.add_reconcile_tasks();
        missing->mutable_framework_id()->set_value(framework_id);
        *missing->mutable_framework_info() = *task->framework->info;
      }
      missing->add_task_ids()->set_value(task_id);
    }
  }
  std::set<std::string> operations;
  for (const auto& operation : message.operations()) operations.insert(operation.uuid().value());
  for (const auto& [uuid, operation] : agent.operations) {
    if (operations.count(uuid)) continue;
    link::OperationReference* reference = reregistered.add_reconcile_operations();
    reference->mutable_operation_uuid()->set_value(uuid);
    if (operation->proto->info().has_id()) *reference->mutable_operation_id() = operation->proto->info().id();
    if (operation->framework) reference->mutable_framework_id()->set_value(operation->framework->id);
  }
  out_->send(agent.link, std::move(answer));

  // Executors that the agent no longer has.
  std::set<std::pair<FrameworkId, ExecutorId>> running;
  for (const auto& executor : message.executor_infos()) {
    running.emplace(executor.framework_id().value(), executor.executor_id().value());
  }
  std::vector<std::pair<FrameworkId, ExecutorId>> ended;
  for (const auto& [framework_id, executors] : agent.executors) {
    for (const auto& [id, executor] : executors) {
      if (!running.count({framework_id, id})) ended.emplace_back(framework_id, id);
    }
  }
  for (const auto& [framework_id, id] : ended) remove_executor(agent, framework_id, id);

  adopt_tasks(agent, message);

  // Kills that were asked for while it was away; frameworks that ended meanwhile.
  for (const auto& [framework_id, tasks] : agent.tasks) {
    for (const auto& [task_id, task] : tasks) {
      if (!task->kill_asked) continue;
      task->kill_asked = false;
      link::MasterMessage order;
      order.mutable_kill_task()->mutable_framework_id()->set_value(framework_id);
      order.mutable_kill_task()->mutable_task_id()->set_value(task_id);
      if (task->kill_policy) *order.mutable_kill_task()->mutable_kill_policy() = *task->kill_policy;
      out_->send(agent.link, std::move(order));
    }
  }
  for (const auto& framework : message.frameworks()) {
    if (!state_.completed_frameworks.count(framework.id().value())) continue;
    link::MasterMessage order;
    *order.mutable_shutdown_framework()->mutable_framework_id() = framework.id();
    out_->send(agent.link, std::move(order));
  }
}

void Core::handle(AgentLinkLost& event) {
  open_links_.erase(event.link);
  identities_.erase(event.link);
  const auto found = state_.agents_by_link.find(event.link);
  if (found == state_.agents_by_link.end()) return;
  disconnect_agent(*found->second);
}

void Core::disconnect_agent(Agent& agent) {
  state_.agents_by_link.erase(agent.link);
  agent.link = 0;
  agent.connected = false;
  agent.active = false;
  allocator_->deactivate_agent(agent.id);
  rescind_all(agent);
  warning(fmt::format("agent {} at {} disconnected", agent.id, agent.pid));

  // Frameworks without checkpoints lose their tasks: the agent may come back without them.
  std::vector<Task*> lost;
  for (const auto& [framework_id, tasks] : agent.tasks) {
    for (const auto& [task_id, task] : tasks) {
      if (!task->framework->info->checkpoint()) lost.push_back(task);
    }
  }
  for (Task* task : lost) {
    if (!is_terminal(task->proto->state())) {
      TaskStatus status = make_status(task->id(), mesos::v1::TASK_LOST,
                                      fmt::format("Agent {} disconnected", agent.info->hostname()),
                                      TaskStatus::REASON_AGENT_DISCONNECTED);
      status.mutable_agent_id()->set_value(agent.id);
      update_task(*task, status, std::nullopt);
      send_status(*task->framework, std::move(status));
    }
    remove_task(*task);
  }
  std::vector<std::pair<FrameworkId, ExecutorId>> executors;
  for (const auto& [framework_id, list] : agent.executors) {
    const Framework* framework = find_framework(framework_id);
    if (framework != nullptr && framework->info->checkpoint()) continue;
    for (const auto& [id, executor] : list) executors.emplace_back(framework_id, id);
  }
  for (const auto& [framework_id, id] : executors) remove_executor(agent, framework_id, id);

  agent.reregister_timer = start_timer(policy_.agent_reregister_timeout, [this, id = agent.id] {
    Agent* away = find_agent(id);
    if (away == nullptr) return;
    away->reregister_timer = 0;
    if (!away->connected) schedule_unreachable(id, "the agent did not reregister after disconnecting");
  });
}

void Core::ping(const AgentId& id) {
  Agent* agent = find_agent(id);
  if (agent == nullptr) return;
  agent->ping_timer = start_timer(policy_.agent_ping_timeout, [this, id] { ping(id); });
  if (!agent->ping_answered || !agent->connected) {
    ++agent->missed_pings;
    if (agent->missed_pings >= policy_.max_agent_ping_timeouts) schedule_unreachable(id, "health check timed out");
  }
  agent->ping_answered = false;
  if (!agent->connected) return;
  link::MasterMessage message;
  message.mutable_ping()->set_sequence(++agent->ping_sequence);
  message.mutable_ping()->set_connected(true);
  message.mutable_ping()->set_reconnect_spread_seconds(reconnect_spread_seconds());
  out_->send(agent->link, std::move(message));
}

void Core::pong(Agent& agent) {
  agent.ping_answered = true;
  agent.missed_pings = 0;
  if (agent.removal_timer != 0) {  // answered while it waited for the rate limit
    stop_timer(agent.removal_timer);
    count(Metric::SlaveUnreachableCanceled);
    count(Metric::SlaveShutdownsCanceled);
  }
}

void Core::unregister_agent(Agent& agent) {
  count(Metric::MessagesUnregisterSlave);
  if (agent.marking_gone || agent.marking_unreachable || agent.leaving) return;
  const AgentId id = agent.id;
  agent.leaving = true;
  persist({Write{"agents/" + id, std::nullopt}}, [this, id](const base::Status& done) {
    Agent* leaving = find_agent(id);
    if (leaving == nullptr) return;
    if (!done) {  // it becomes unreachable instead
      leaving->leaving = false;
      return check_drained(*leaving);
    }
    count(Metric::SlaveRemovalsUnregistered);
    publish_agent_removed(id);
    remove_agent(*leaving, Departure::Removed, "the agent unregistered");
  });
}

void Core::update_agent(Agent& agent, link::UpdateAgent& message) {
  count(Metric::MessagesUpdateSlave);
  const std::string version = std::exchange(agent.resource_version, message.resource_version_uuid().value());
  Resources total = agent.total.non_revocable();
  Resources revocable = agent.total.revocable();
  if (message.update_total_resources()) {
    auto told = resources::from_proto(message.total_resources());
    if (!told) return warning(fmt::format("agent {} told a total that is not valid: {}", agent.id, told.error().message));
    auto of_providers = providers_total(message.resource_providers());
    if (!of_providers)
      return warning(fmt::format("agent {} told resource providers that are not valid: {}", agent.id, of_providers.error().message));
    // What has its version still is as we have it: operations that are on their way there will be applied.
    Resources now = version.empty() || version != agent.resource_version ? told->non_revocable() : own(total);
    const auto before = std::exchange(agent.providers, providers_of(message.resource_providers()));
    for (const auto& [id, provider] : agent.providers) {
      const auto known = before.find(id);
      const bool same = known != before.end() && known->second.resource_version == provider.resource_version;
      now += (same ? total : *of_providers).filter([&](const resources::Resource& r) { return r.kind.data().provider_id == id; });
    }
    total = std::move(now);
    revocable += told->revocable();
  }
  if (message.update_oversubscribed_resources()) {
    auto told = resources::from_proto(message.oversubscribed_resources());
    if (!told) return warning(fmt::format("agent {} told an estimate that is not valid: {}", agent.id, told.error().message));
    revocable = told->revocable();
  }
  if (total + revocable == agent.total) return;
  // Offers were made from the old total.
  rescind_all(agent);
  agent.total = total + revocable;
  allocator_->update_agent(agent.id, std::nullopt, agent.total);
  want_allocation();
}

void Core::executor_message(Agent& agent, link::ExecutorMessage& message) {
  count(Metric::MessagesExecutorToFramework);
  Framework* framework = find_framework(message.framework_id().value());
  if (framework == nullptr || !framework->connected) {
    count(Metric::InvalidExecutorToFramework);
    return;
  }
  mesos::v1::scheduler::Event event;
  event.set_type(mesos::v1::scheduler::Event::MESSAGE);
  event.mutable_message()->mutable_agent_id()->set_value(agent.id);
  *event.mutable_message()->mutable_executor_id() = std::move(*message.mutable_executor_id());
  event.mutable_message()->set_data(std::move(*message.mutable_data()));
  send_event(*framework, std::move(event));
  count(Metric::ValidExecutorToFramework);
}

void Core::executor_exited(Agent& agent, link::ExitedExecutor& message) {
  count(Metric::MessagesExitedExecutor);
  const FrameworkId framework_id = message.framework_id().value();
  remove_executor(agent, framework_id, message.executor_id().value());
  Framework* framework = find_framework(framework_id);
  if (framework == nullptr) return;
  mesos::v1::scheduler::Event event;
  event.set_type(mesos::v1::scheduler::Event::FAILURE);
  event.mutable_failure()->mutable_agent_id()->set_value(agent.id);
  *event.mutable_failure()->mutable_executor_id() = std::move(*message.mutable_executor_id());
  event.mutable_failure()->set_status(message.status());
  send_event(*framework, std::move(event));
}

void Core::remove_executor(Agent& agent, const FrameworkId& framework_id, const ExecutorId& executor_id) {
  const auto of_framework = agent.executors.find(framework_id);
  if (of_framework == agent.executors.end()) return;
  const auto found = of_framework->second.find(executor_id);
  if (found == of_framework->second.end()) return;
  if (Framework* framework = find_framework(framework_id)) {
    recover_resources(*framework, agent, found->second.resources, nullptr);
  }
  of_framework->second.erase(found);
  if (of_framework->second.empty()) agent.executors.erase(of_framework);
}

}  // namespace master
