#include "kernel/allocator/state.hpp"

namespace allocator {
namespace {

const char* reason(Verdict verdict) {
  switch (verdict) {
    case Verdict::Offer: return "offerable";
    case Verdict::Deactivated: return "deactivated";
    case Verdict::Whitelist: return "whitelist";
    case Verdict::NothingAvailable: return "nothing available";
    case Verdict::BelowMinimum: return "below minimum";
    case Verdict::Constraints: return "constraints";
    case Verdict::Gpu: return "gpu";
    case Verdict::Region: return "region";
    case Verdict::MultiRole: return "multi role";
    case Verdict::HierarchicalRole: return "hierarchical role";
    case Verdict::Filtered: return "filtered";
    case Verdict::Quota: return "quota";
    case Verdict::Recovering: return "agents are missing";
  }
  return "";
}

}  // namespace

std::optional<Explanation> Allocator::Impl::explain(const std::string& id) const {
  // Looking brings the order up to date and asks the same questions as a run, so it needs the real state.
  auto& self = const_cast<Impl&>(*this);
  Framework* framework = self.find_framework(id);
  if (!framework || !framework->known) return std::nullopt;
  self.tree.refresh();
  self.prepare_headroom();
  const bool was_bound = headroom_bound;
  Explanation out;
  out.framework = id;
  out.active = framework->active;
  for (const auto& [path, client] : framework->clients) {
    if (!client->subscribed) continue;
    RoleExplanation role;
    role.role = path;
    role.share = client->share;
    role.role_share = client->role->share;
    role.weight = client->role->weight;
    role.suppressed = client->suppressed;
    for (const Role* at = client->role; at->parent && !role.quota; at = at->parent) {
      if (!at->quota) continue;
      role.quota = at->quota;
      role.quota_role = at->path;
      role.consumed_quota = at->consumed.quantities(names);
    }
    for (const Client* other : clients) {
      if (client->active && other && other->active && RoleTree::before(*other, *client)) ++role.frameworks_before;
    }
    for (const auto& agent : agents) {
      if (!agent) continue;
      for (const Filter& filter : agent->filters) {
        if (filter.client == client->index) role.filters.push_back({agent->id, *filter.refused, filter.expires});
      }
      Resources offer;
      const Verdict verdict = self.consider(*agent, *client, Stage::Surplus, offer);
      (verdict == Verdict::Offer ? role.offerable : role.excluded[reason(verdict)]).push_back(agent->id);
    }
    out.roles.push_back(std::move(role));
  }
  self.headroom_bound = was_bound;
  return out;
}

}  // namespace allocator
