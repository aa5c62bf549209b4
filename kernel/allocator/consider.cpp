#include <algorithm>
#include <limits>

#include "base/testing/planted.hpp"
#include "kernel/allocator/state.hpp"

// One question: may this framework, in this role, be offered this agent now, and what of it?

namespace allocator {

using resources::Resource;
using resources::Type;

namespace {

constexpr Scalar kUnbounded = Scalar::from_thousandths(std::numeric_limits<int64_t>::max());

bool understands(const FrameworkCapabilities& can, const Resource& r) {
  return (can.shared_resources || !r.kind.shared()) && (can.revocable_resources || !r.kind.revocable()) &&
         (can.reservation_refinement || !r.kind.refined());
}

bool bounded_by_quota(const Resource& r) {
  return r.kind.type() == Type::Scalar && !r.kind.reserved() && !r.kind.revocable();
}

}  // namespace

bool Allocator::Impl::reaches_default(const Resources& list) const {
  if (options.min_allocatable.empty()) return true;
  return std::any_of(options.min_allocatable.begin(), options.min_allocatable.end(),
                     [&](const ResourceQuantities& minimum) { return resources::reaches(list, minimum); });
}

bool Allocator::Impl::reaches_minimum(const Resources& list, const Client& client) const {
  if (list.empty()) return false;
  if (!client.minimum) return reaches_default(list);
  return client.minimum->empty() ||
         std::any_of(client.minimum->begin(), client.minimum->end(),
                     [&](const ResourceQuantities& minimum) { return resources::reaches(list, minimum); });
}

/// False when it is certain that nobody can be offered anything of the agent.
bool Allocator::Impl::worth_asking(const Agent& agent, Stage stage) {
  if (agent.available.empty()) return false;
  if (!agent.plain || minimum_overrides > 0) return true;
  if (!reaches_default(agent.available)) return false;
  if (stage == Stage::Guarantees || !required.any_positive() || options.min_allocatable.empty()) return true;
  for (const ResourceQuantities& minimum : options.min_allocatable) {
    bool possible = true;
    for (const auto& [name, amount] : minimum.list()) {
      const size_t index = names.index(name);
      if (surplus.get(index) < amount && agent.free_scalars.get(index).positive()) possible = false;
    }
    if (possible) return true;
  }
  headroom_bound = true;
  return false;
}

/// The most that the role or one of its ancestors lacks to a guarantee, by name.
Amounts Allocator::Impl::unmet_chain(const Role& role) const {
  Amounts out;
  for (const Role* at = &role; at->parent; at = at->parent) {
    for (const auto& [name, guarantee] : at->guarantees) {
      const Scalar lacking = guarantee - at->consumed.get(name);
      if (lacking > out.get(name)) out.set(name, lacking);
    }
  }
  return out;
}

void Allocator::Impl::prepare_headroom() {
  required = tree.required();
  surplus = free_total;
  surplus -= required;
}

Verdict Allocator::Impl::bound_by_quota(const Client& client, Stage stage, const Resources& available,
                                        Resources& offer) {
  const bool headroom = required.any_positive();
  if (stage == Stage::Surplus && client.role->limits_above == 0 && !headroom) {
    offer = available;
    return Verdict::Offer;
  }
  const Amounts lacking = stage == Stage::Guarantees ? unmet_chain(*client.role) : Amounts();
  Amounts allowed, progress;  // by name; what remains to be given
  std::vector<bool> seen(names.size());
  offer.clear();
  bool chopped = false, helps = false;
  for (const Resource& r : available) {
    if (!bounded_by_quota(r)) {
      offer.add(r);
      continue;
    }
    const size_t name = names.index(r.kind.name());
    if (!seen[name]) {
      seen[name] = true;
      Scalar limit = RoleTree::limit_left(*client.role, name).value_or(kUnbounded);
      if (base::planted("allocator/ignores-limits")) limit = kUnbounded;
      const Scalar guaranteed = std::min(std::max(lacking.get(name), Scalar()), limit);
      const Scalar spare = headroom ? std::max(surplus.get(name), Scalar()) : kUnbounded;
      allowed.set(name, guaranteed + std::min(limit - guaranteed, spare));
      progress.set(name, guaranteed);
      if (spare < r.scalar) headroom_bound = true;
    }
    Resource part = r;
    part.scalar = std::min(part.scalar, allowed.get(name));
    chopped |= part.scalar < r.scalar;
    if (!part.scalar.positive() || (r.kind.exclusive() && part.scalar < r.scalar)) continue;
    allowed.subtract(name, part.scalar);
    helps |= progress.get(name).positive();
    offer.add(std::move(part));
  }
  if (stage == Stage::Guarantees && !helps) return Verdict::Quota;
  return chopped && !reaches_minimum(offer, client) ? Verdict::Quota : Verdict::Offer;
}

Verdict Allocator::Impl::consider(Agent& agent, const Client& client, Stage stage, Resources& offer) {
  if (!agent.active) return Verdict::Deactivated;
  if (!agent.listed) return Verdict::Whitelist;
  if (agent.available.empty()) return Verdict::NothingAvailable;
  if (agent.refused.test(client.index)) return Verdict::Filtered;
  if (hold_limited && client.role->limits_above > 0) return Verdict::Recovering;
  const FrameworkConfig& config = client.framework->config;
  const FrameworkCapabilities& can = config.capabilities;
  if (options.filter_gpu_resources && agent.gpus && !can.gpu_resources) return Verdict::Gpu;
  if (agent.remote && !can.region_aware) return Verdict::Region;
  if (can.multi_role && !agent.config.capabilities.multi_role) return Verdict::MultiRole;
  if (client.role->hierarchical && !agent.config.capabilities.hierarchical_role) return Verdict::HierarchicalRole;
  if (config.constraints) {
    const AgentView view{agent.config.hostname, agent.config.attributes, agent.config.region, agent.config.zone};
    if (!config.constraints->admits(client.role->path, view)) return Verdict::Constraints;
  }

  const Resources* available = &agent.available;
  Resources narrowed;
  if (!agent.plain) {
    narrowed = agent.available.filter([&](const Resource& r) {
      return (r.kind.allocatable_to(client.role->path) || base::planted("allocator/offers-foreign-reservations")) && understands(can, r);
    });
    if (!agent.offered_shared.empty()) narrowed -= agent.offered_shared;
    if (narrowed.empty()) return Verdict::NothingAvailable;
    available = &narrowed;
  }
  if (!reaches_minimum(*available, client)) return Verdict::BelowMinimum;

  if (!agent.filtered.test(client.index)) {
    if (roles_with_quota > 0) return bound_by_quota(client, stage, *available, offer);
    offer = *available;
    return Verdict::Offer;
  }
  // Everything refused: so is every part of it, until more becomes available.
  if (filter_refuses(agent, client, *available)) {
    if (!agent.shares) agent.refused.set(client.index);
    return Verdict::Filtered;
  }
  if (roles_with_quota == 0) {
    offer = *available;
    return Verdict::Offer;
  }
  const Verdict verdict = bound_by_quota(client, stage, *available, offer);
  if (verdict == Verdict::Offer && filter_refuses(agent, client, offer)) return Verdict::Filtered;
  return verdict;
}

}  // namespace allocator
