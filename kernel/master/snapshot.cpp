#include "kernel/master/snapshot.hpp"

#include "kernel/master/core.hpp"

namespace master {

AgentView make_view(const Agent& agent) {
  AgentView view;
  view.id = agent.id;
  view.info = agent.info;
  view.version = agent.version;
  view.pid = agent.pid;
  view.capabilities = agent.capability_list;
  view.active = agent.active;
  view.deactivated = agent.deactivated;
  view.connected = agent.connected;
  view.drain = agent.drain;
  view.drain_started = agent.drain_started;
  view.registered = agent.registered;
  view.reregistered = agent.reregistered;
  view.total = agent.total;
  for (const auto& [id, offer] : agent.offers) view.offered += offer->resources;
  view.used = agent.used;
  for (const auto& [framework_id, executors] : agent.executors) {
    for (const auto& [id, executor] : executors) {
      view.used[framework_id] += executor.resources;
      view.executors.emplace_back(framework_id, executor.info);
    }
  }
  for (const auto& [uuid, operation] : agent.operations) {
    view.operations.push_back(operation->proto.share());
    if (operation->framework != nullptr && !operation->held.empty()) view.used[operation->framework->id] += operation->held;
  }
  for (const auto& [id, provider] : agent.providers) view.providers.push_back(provider.info);
  return view;
}

FrameworkView make_view(const Framework& framework) {
  FrameworkView view;
  view.id = framework.id;
  view.info = framework.info;
  view.constraints = framework.constraints;
  view.active = framework.active;
  view.connected = framework.connected;
  view.recovered = framework.recovered;
  view.multi_role = framework.capabilities.multi_role;
  view.registered = framework.registered;
  view.reregistered = framework.reregistered;
  view.tasks.reserve(framework.tasks.size());
  view.used = framework.used;
  for (const auto& [id, task] : framework.tasks) view.tasks.push_back(task->proto.share());
  for (const auto& [id, task] : framework.unreachable_tasks) view.unreachable_tasks.push_back(task->proto.share());
  view.completed_tasks.assign(framework.completed_tasks.begin(), framework.completed_tasks.end());
  for (const auto& [id, offer] : framework.offers) {
    view.offers.push_back(offer->proto);
    view.offered += offer->resources;
  }
  return view;
}

std::shared_ptr<const Snapshot> Core::snapshot(base::Now now) const {
  auto out = std::make_shared<Snapshot>();
  out->master = std::make_shared<const mesos::v1::MasterInfo>(state_.master);
  out->started = state_.started;
  out->elected = state_.elected;
  out->taken = now.time;
  std::map<FrameworkId, size_t> position;
  out->frameworks.reserve(state_.frameworks.size());
  for (const auto& [id, framework] : state_.frameworks) {
    position[id] = out->frameworks.size();
    out->frameworks.push_back(make_view(*framework));
  }
  out->agents.reserve(state_.agents.size());
  for (const auto& [id, agent] : state_.agents) {
    out->agents.push_back(make_view(*agent));
    for (const auto& [framework_id, executors] : agent->executors) {
      const auto found = position.find(framework_id);
      if (found == position.end()) continue;
      FrameworkView& framework = out->frameworks[found->second];
      for (const auto& [executor_id, executor] : executors) {
        framework.executors.emplace_back(id, executor.info);
        framework.used += executor.resources;
      }
    }
  }
  for (const auto& [id, offer] : state_.inverse_offers) {
    const auto found = position.find(offer->framework_id().value());
    if (found != position.end()) out->frameworks[found->second].inverse_offers.push_back(offer);
  }
  for (const auto& [id, agent] : state_.recovered_agents) out->recovered_agents.push_back(agent.info);
  out->unreachable_agents = state_.unreachable_agents.size();
  for (const FrameworkId& id : state_.completed_order) {
    const auto found = state_.completed_frameworks.find(id);
    if (found == state_.completed_frameworks.end()) continue;
    const CompletedFramework& completed = found->second;
    FrameworkView view;
    view.id = completed.id;
    view.info = completed.info;
    view.multi_role = FrameworkCapabilities::of(*completed.info).multi_role;
    view.completed = true;
    view.registered = completed.registered;
    view.reregistered = completed.reregistered;
    view.unregistered = completed.unregistered;
    view.why = completed.why;
    view.completed_tasks = completed.completed_tasks;
    out->completed_frameworks.push_back(std::move(view));
  }
  out->roles = allocator_->roles();
  out->weights = state_.weights;
  out->quotas = state_.quotas;
  out->schedule = state_.schedule;
  out->maintenance = maintenance_status();
  return out;
}

}  // namespace master
