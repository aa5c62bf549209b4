#include <algorithm>

#include "base/check.hpp"
#include "kernel/allocator/state.hpp"

namespace allocator {

using resources::Conversion;
using resources::Name;
using resources::Resource;
using resources::Type;

namespace {

size_t entries_of(const Resources& list, const Name& role) {
  return static_cast<size_t>(
      std::count_if(list.begin(), list.end(), [&](const Resource& r) { return r.allocation == role; }));
}

Resources unallocated(Resources list) {
  list.unallocate();
  return list;
}

}  // namespace

Resources Allocator::Impl::held(const Agent& agent, const Framework& framework) const {
  for (const Holding& holding : agent.holdings) {
    if (holding.framework == &framework) return holding.resources;
  }
  return {};
}

/// Accounts for resources that `client` now has. The agent's `available` is the caller's to mend.
void Allocator::Impl::hold(Agent& agent, Client& client, const Resources& allocated, bool counts) {
  auto holding = std::find_if(agent.holdings.begin(), agent.holdings.end(),
                              [&](const Holding& other) { return other.framework == client.framework; });
  if (holding == agent.holdings.end()) {
    agent.holdings.push_back({client.framework, {}});
    holding = agent.holdings.end() - 1;
  }
  Amounts amounts, free;
  for (const Resource& r : allocated) {
    if (r.kind.type() != Type::Scalar) continue;
    // A shared volume counts once, however many copies the client has on the agent.
    if (r.kind.shared() && holding->resources.contains(r)) continue;
    const size_t name = names.index(r.kind.name());
    amounts.add(name, r.scalar);
    if (!r.kind.reserved() && !r.kind.revocable()) free.add(name, r.scalar);
  }
  if (holding->resources.empty()) {
    client.holdings += allocated.size();
    holding->resources = allocated;
  } else {
    const size_t before = entries_of(holding->resources, client.role->name);
    holding->resources += allocated;
    client.holdings += entries_of(holding->resources, client.role->name) - before;
  }
  agent.used += unallocated(allocated);
  tree.allocated(client, amounts, counts);
  tree.consume(*client.role, free);
}

/// Takes back what the framework really holds of `allocated`; the result is that part. Mends `available`.
Resources Allocator::Impl::release(Agent& agent, Framework& framework, const Resources& allocated) {
  auto holding = std::find_if(agent.holdings.begin(), agent.holdings.end(),
                              [&](const Holding& other) { return other.framework == &framework; });
  if (holding == agent.holdings.end()) return {};
  Resources taken;
  for (const Resource& r : allocated) {
    if (!holding->resources.contains(r)) continue;
    auto found = framework.clients.find(r.allocation.str());
    CHECK(found != framework.clients.end());
    Client& client = *found->second;
    const size_t before = entries_of(holding->resources, client.role->name);
    holding->resources.subtract(r);
    client.holdings -= before - entries_of(holding->resources, client.role->name);
    Resource one = r;
    one.copies = 1;
    const bool copy_remains = r.kind.shared() && holding->resources.contains(one);
    Amounts amounts, free;
    if (r.kind.type() == Type::Scalar && !copy_remains) {
      const size_t name = names.index(r.kind.name());
      amounts.add(name, r.scalar);
      if (!r.kind.reserved() && !r.kind.revocable()) free.add(name, r.scalar);
    }
    tree.released(client, amounts);
    tree.unconsume(*client.role, free);
    if (free.any_positive()) quota_freed(client);
    taken.add(r);
  }
  if (holding->resources.empty()) agent.holdings.erase(holding);
  if (taken.empty()) return taken;
  agent.used -= unallocated(taken);
  recompute(agent);
  std::vector<Client*> idle;
  for (auto& [role, client] : framework.clients) {
    if (!client->subscribed && client->holdings == 0) idle.push_back(client);
  }
  for (Client* client : idle) remove_client(*client);
  return taken;
}

/// A role below a limit has more room now: its frameworks may want what they could not take.
void Allocator::Impl::quota_freed(Client& client) {
  if (client.role->limits_above == 0) return;
  const Role* top = client.role;
  while (top->parent->parent) top = top->parent;
  const std::string prefix = top->path + "/";
  for (auto at = tree.roles().find(top->path); at != tree.roles().end(); ++at) {
    if (at->first != top->path && !at->first.starts_with(prefix)) {
      if (at->first > prefix) break;
      continue;  // names between "a" and "a/", such as "a-b"
    }
    for (const auto& other : at->second->clients) touch(*other);
  }
}

base::Status Allocator::Impl::convert(Agent& agent, Framework& framework, const std::vector<Conversion>& list) {
  const Resources before = held(agent, framework);
  ASSIGN_OR_RETURN(Resources after, resources::apply(before, list));
  std::vector<Conversion> plain = list;
  Resources total = agent.total;
  for (Conversion& conversion : plain) {
    conversion.consumed.unallocate();
    conversion.converted.unallocate();
    // The agent has one copy of a shared volume, whatever the framework was offered.
    ASSIGN_OR_RETURN(total, resources::apply(total, conversion));
  }
  for (const Resource& resource : after) {
    if (!framework.clients.contains(resource.allocation.str())) {
      return base::invalid("Resource '" + resources::text(resource) + "' is allocated to a role that the framework "
                           "does not hold resources in");
    }
  }
  // Clients stay while their resources change hands.
  std::map<std::string, Client*, std::less<>> clients_before = framework.clients;
  for (auto& [role, client] : clients_before) ++client->holdings;
  release(agent, framework, before);
  set_total(agent, std::move(total));
  for (auto& [role, client] : clients_before) {
    const Resources part = after.allocated_to(role);
    if (!part.empty()) hold(agent, *client, part, /*counts=*/false);
    --client->holdings;
  }
  recompute(agent);
  return {};
}

void Allocator::recover_resources(const std::string& framework_id, const std::string& agent_id,
                                  const Resources& list, base::Instant now, std::optional<base::Duration> filter) {
  Framework* framework = impl_->find_framework(framework_id);
  Agent* agent = impl_->find_agent(agent_id);
  if (!framework || !agent) return;
  const Resources taken = impl_->release(*agent, *framework, list);
  if (!framework->known && framework->clients.empty()) {
    impl_->frameworks.erase(framework_id);
    return;
  }
  if (!filter || filter->count() <= 0 || taken.empty()) return;
  const base::Duration lasting = std::max(*filter, impl_->options.allocation_interval);
  for (auto& [role, client] : framework->clients) {
    if (!client->subscribed) continue;
    Resources refused = taken.allocated_to(role);
    if (refused.empty()) continue;
    refused.unallocate();
    impl_->add_filter(*agent, *client, std::move(refused), now + lasting);
  }
}

base::Status Allocator::update_allocation(const std::string& framework_id, const std::string& agent_id,
                                          const std::vector<Conversion>& conversions) {
  Framework* framework = impl_->find_framework(framework_id);
  Agent* agent = impl_->find_agent(agent_id);
  if (!framework || !agent) return base::not_found("The framework or the agent is not known");
  return impl_->convert(*agent, *framework, conversions);
}

base::Status Allocator::update_available(const std::string& agent_id, const std::vector<Conversion>& conversions) {
  Agent* agent = impl_->find_agent(agent_id);
  if (!agent) return base::not_found("The agent is not known");
  // Shared volumes are always available; for an operator's change nobody may be using them.
  const Resources untouched = agent->total - agent->used;
  auto after = resources::apply(untouched, conversions);
  if (!after) return base::conflict(after.error().message);
  ASSIGN_OR_RETURN(Resources total, resources::apply(agent->total, conversions));
  impl_->set_total(*agent, std::move(total));
  return {};
}

}  // namespace allocator
