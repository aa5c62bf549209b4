#include "base/check.hpp"
#include "kernel/allocator/state.hpp"

namespace allocator {

using resources::Resource;
using resources::Type;

Agent* Allocator::Impl::find_agent(const std::string& id) {
  auto found = agent_index.find(id);
  return found == agent_index.end() ? nullptr : agents[found->second].get();
}

void Allocator::Impl::touch(Agent& agent) {
  if (agent.dirty) return;
  agent.dirty = true;
  dirty_agents.push_back(agent.index);
}

Amounts Allocator::Impl::scalars(const Resources& list) {
  Amounts out;
  for (const Resource& r : list) {
    if (r.kind.type() == Type::Scalar) out.add(names.index(r.kind.name()), r.scalar);
  }
  return out;
}

/// What counts towards quota and headroom.
Amounts Allocator::Impl::free_part(const Resources& list) {
  Amounts out;
  for (const Resource& r : list) {
    if (r.kind.type() != Type::Scalar || r.kind.reserved() || r.kind.revocable()) continue;
    out.add(names.index(r.kind.name()), r.scalar);
  }
  return out;
}

void Allocator::Impl::count_reservations(const Resources& total, bool add) {
  for (const Resource& r : total) {
    if (!r.kind.reserved()) continue;
    Role& role = tree.ensure(r.kind.reservation_role());
    Amounts amounts;
    if (r.kind.type() == Type::Scalar && !r.kind.revocable()) amounts.add(names.index(r.kind.name()), r.scalar);
    if (add) {
      ++role.reservations;
      tree.consume(role, amounts);
    } else {
      --role.reservations;
      tree.unconsume(role, amounts);
      tree.prune(role);
    }
  }
}

void Allocator::Impl::available_changed(Agent& agent) {
  free_total -= agent.free_scalars;
  agent.free_scalars = free_part(agent.available);
  free_total += agent.free_scalars;
  agent.plain = true;
  agent.shares = false;
  for (const Resource& r : agent.available) {
    if (r.kind.reserved() || r.kind.shared() || r.kind.revocable()) agent.plain = false;
    if (r.kind.shared()) agent.shares = true;
  }
}

void Allocator::Impl::recompute(Agent& agent) {
  // Shared volumes stay available however often they are used.
  agent.available = agent.total - agent.used.non_shared();
  available_changed(agent);
  agent.refused.clear();
  agent.refused_known = false;
  touch(agent);
  if (headroom_bound) all_dirty = true;
}

void Allocator::Impl::set_total(Agent& agent, Resources total) {
  total.unallocate();
  count_reservations(total, true);
  count_reservations(agent.total, false);
  tree.total() -= agent.total_scalars;
  agent.total = std::move(total);
  agent.total_scalars = scalars(agent.total);
  tree.total() += agent.total_scalars;
  tree.total_changed();
  agent.gpus = agent.total.scalar("gpus").positive();
  recompute(agent);
}

void Allocator::Impl::describe(Agent& agent) {
  agent.listed = !options.whitelist || options.whitelist->contains(agent.config.hostname);
  agent.remote = agent.config.region && options.region && *agent.config.region != *options.region;
}

void Allocator::add_agent(const std::string& id, const AgentConfig& config, const Resources& total,
                          const std::map<std::string, Resources>& used) {
  if (impl_->find_agent(id)) remove_agent(id);
  auto owned = std::make_unique<Agent>();
  Agent& agent = *owned;
  agent.id = id;
  agent.config = config;
  impl_->describe(agent);
  if (impl_->free_agents.empty()) {
    agent.index = static_cast<uint32_t>(impl_->agents.size());
    impl_->agents.push_back(std::move(owned));
  } else {
    agent.index = impl_->free_agents.back();
    impl_->free_agents.pop_back();
    impl_->agents[agent.index] = std::move(owned);
  }
  impl_->agent_index.emplace(id, agent.index);
  impl_->set_total(agent, total);
  for (const auto& [framework, resources] : used) add_used(framework, id, resources);
}

void Allocator::add_used(const std::string& framework_id, const std::string& agent_id, const Resources& list) {
  Agent* agent = impl_->find_agent(agent_id);
  if (!agent || list.empty()) return;
  Framework& framework = impl_->ensure_framework(framework_id);
  std::map<std::string, Resources> by_role;
  for (Resource resource : list) {
    if (resource.allocation.empty()) resource.allocation = resources::Name("*");
    Resources& bag = by_role[resource.allocation.str()];
    bag.add(std::move(resource));
  }
  for (const auto& [role, bag] : by_role) impl_->hold(*agent, impl_->ensure_client(framework, role), bag);
  impl_->recompute(*agent);
}

void Allocator::update_agent(const std::string& id, const std::optional<AgentConfig>& config,
                             const std::optional<Resources>& total) {
  Agent* agent = impl_->find_agent(id);
  if (!agent) return;
  if (config) {
    if (agent->config.attributes != config->attributes) impl_->clear_filters(*agent);
    agent->config = *config;
    impl_->describe(*agent);
    impl_->touch(*agent);
  }
  if (total) impl_->set_total(*agent, *total);
}

void Allocator::remove_agent(const std::string& id) {
  Agent* agent = impl_->find_agent(id);
  if (!agent) return;
  impl_->clear_filters(*agent);
  while (!agent->holdings.empty()) {
    Framework& framework = *agent->holdings.back().framework;
    const Resources held = agent->holdings.back().resources;
    impl_->release(*agent, framework, held);
    if (!framework.known && framework.clients.empty()) impl_->frameworks.erase(framework.id);
  }
  impl_->set_total(*agent, Resources());
  const uint32_t index = agent->index;
  impl_->agent_index.erase(id);
  impl_->agents[index].reset();
  impl_->free_agents.push_back(index);
  std::erase(impl_->dirty_agents, index);
}

void Allocator::activate_agent(const std::string& id) {
  if (Agent* agent = impl_->find_agent(id)) {
    agent->active = true;
    impl_->touch(*agent);
  }
}

void Allocator::deactivate_agent(const std::string& id) {
  if (Agent* agent = impl_->find_agent(id)) agent->active = false;
}

void Allocator::update_whitelist(const std::optional<std::set<std::string>>& hostnames) {
  impl_->options.whitelist = hostnames;
  for (auto& agent : impl_->agents) {
    if (!agent) continue;
    impl_->describe(*agent);
    impl_->touch(*agent);
  }
}

}  // namespace allocator
