// Offers that a new quota takes back: what is on the table counts as used, and its holder may think about it for ever.

#include <algorithm>

#include "kernel/master/core.hpp"

namespace master {

using resources::ResourceLimits;
using resources::ResourceQuantities;

namespace {

/// The role itself or below it.
bool is_within(const std::string& role, const std::string& top) {
  return role == top || (role.size() > top.size() && role[top.size()] == '/' && role.compare(0, top.size(), top) == 0);
}

/// What of an offer counts against quota: scalars that are neither reserved nor revocable.
ResourceQuantities counted(const Offer& offer) {
  return ResourceQuantities::of_scalars(
      offer.resources.filter([](const resources::Resource& r) { return !r.kind.reserved() && !r.kind.revocable(); }));
}

}  // namespace

ResourceQuantities Core::offered_within(const std::string& role) const {
  ResourceQuantities sum;
  for (const auto& [id, offer] : state_.offers) {
    if (is_within(offer->role, role)) sum += counted(*offer);
  }
  return sum;
}

ResourceQuantities Core::consumed_quota(const std::string& role) const {
  for (const auto& known : allocator_->roles()) {
    if (known.role == role) return known.consumed_quota;
  }
  return {};
}

/// Until the role is within its limits, or has no offers left: then tasks hold the rest.
void Core::rescind_for_limit(const std::string& role, const ResourceLimits& limits) {
  ResourceQuantities consumed = consumed_quota(role);
  std::vector<OfferId> within;
  for (const auto& [id, offer] : state_.offers) {
    if (is_within(offer->role, role)) within.push_back(id);
  }
  for (const OfferId& id : within) {
    if (limits.allow(consumed)) return;
    Offer& offer = *state_.offers.at(id);
    const ResourceQuantities part = counted(offer);
    const bool helps = std::any_of(part.list().begin(), part.list().end(), [&](const auto& entry) {
      const auto limit = limits.get(entry.first);
      return limit && consumed.get(entry.first) > *limit;
    });
    if (!helps) continue;
    consumed -= part;
    rescind(offer, true);
  }
}

/// As much as the role lacks, and of as many agents as it has frameworks, so that each may get something.
void Core::rescind_for_guarantee(const std::string& role, const ResourceQuantities& guarantees) {
  const ResourceQuantities lacking = guarantees - consumed_quota(role);
  if (lacking.empty()) return;
  size_t frameworks = 0;
  for (const auto& [id, framework] : state_.frameworks) {
    const auto of_role = [&](const std::string& own) { return is_within(own, role); };
    frameworks += framework->active && std::any_of(framework->roles.begin(), framework->roles.end(), of_role);
  }
  ResourceQuantities freed;
  size_t visited = 0;
  for (const auto& [id, agent] : state_.agents) {
    if (visited >= frameworks && freed.contains(lacking)) return;
    if (!agent->connected || !agent->active) continue;
    std::vector<OfferId> others;
    for (const auto& [offer_id, offer] : agent->offers) {
      if (!is_within(offer->role, role) && !counted(*offer).empty()) others.push_back(offer_id);
    }
    if (others.empty()) continue;
    ++visited;
    for (const OfferId& offer_id : others) {
      Offer& offer = *agent->offers.at(offer_id);
      freed += counted(offer);
      rescind(offer, true);
    }
  }
}

}  // namespace master
