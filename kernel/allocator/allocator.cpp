#include "kernel/allocator/allocator.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "kernel/allocator/state.hpp"
#include "kernel/resources/roles.hpp"

namespace allocator {

std::vector<ResourceQuantities> Options::default_min_allocatable() {
  ResourceQuantities cpus, mem;
  cpus.set("cpus", Scalar::from_double(0.01));
  mem.set("mem", Scalar::from_double(32));
  return {cpus, mem};
}

Allocator::Impl::Impl(Options given, base::Random generator)
    : options(std::move(given)), random(generator), tree(names, options) {}

Allocator::Allocator(Options options, base::Random random)
    : impl_(std::make_unique<Impl>(std::move(options), random)) {}

Allocator::~Allocator() = default;

void Allocator::update_weights(const std::map<std::string, double>& weights) {
  for (const auto& [path, weight] : weights) {
    if (!(weight > 0)) continue;
    Role& role = impl_->tree.ensure(path);
    role.weight = weight;
    role.weight_set = weight != 1;
    if (!role.weight_set) impl_->tree.prune(role);
  }
  impl_->tree.resort();
}

base::Status Allocator::set_quota(const std::string& path, const Quota& quota) {
  RETURN_IF_ERROR(resources::validate_role(path));
  if (path == "*") return base::invalid("The role '*' cannot have quota");
  for (const auto& [name, guarantee] : quota.guarantees.list()) {
    const auto limit = quota.limits.get(name);
    if (limit && *limit < guarantee) {
      return base::invalid("The guarantee of '" + name + "' for role '" + path + "' is above its limit");
    }
  }
  Role& role = impl_->tree.ensure(path);
  impl_->tree.quota_changes(role);
  const bool wanted = !quota.guarantees.empty() || !quota.limits.empty();
  const int change = int{wanted} - int{role.quota.has_value()};
  for (Role* at = &role; at->parent; at = at->parent) at->quota_below += static_cast<size_t>(change);
  impl_->roles_with_quota += static_cast<size_t>(change);
  role.quota = wanted ? std::optional(quota) : std::nullopt;
  role.guarantees.clear();
  role.limits.clear();
  for (const auto& [name, amount] : quota.guarantees.list()) {
    role.guarantees.emplace_back(impl_->names.index(name), amount);
  }
  for (const auto& [name, amount] : quota.limits.list()) role.limits.emplace_back(impl_->names.index(name), amount);
  impl_->tree.count_limits(role);
  impl_->tree.resort();
  impl_->all_dirty = true;
  if (!wanted) impl_->tree.prune(role);
  return {};
}

std::vector<Offer> Allocator::allocate(base::Instant now) { return impl_->run(now); }

bool Allocator::pending() const { return impl_->has_work(); }

std::optional<base::Instant> Allocator::next_wakeup() const {
  if (impl_->expiries.empty()) return std::nullopt;
  return impl_->expiries.top().at;
}

void Allocator::hold_limited_roles(bool hold) {
  if (impl_->hold_limited && !hold) impl_->all_dirty = true;
  impl_->hold_limited = hold;
}

void Allocator::touch_all() { impl_->all_dirty = true; }

bool Allocator::knows_agent(const std::string& agent) const { return impl_->find_agent(agent) != nullptr; }

Resources Allocator::total(const std::string& id) const {
  const Agent* agent = impl_->find_agent(id);
  return agent ? agent->total : Resources();
}

Resources Allocator::available(const std::string& id) const {
  const Agent* agent = impl_->find_agent(id);
  return agent ? agent->available : Resources();
}

Resources Allocator::allocated(const std::string& framework_id, const std::string& agent_id) const {
  const Agent* agent = impl_->find_agent(agent_id);
  const Framework* framework = impl_->find_framework(framework_id);
  return agent && framework ? impl_->held(*agent, *framework) : Resources();
}

ResourceQuantities Allocator::total_quantities() const { return impl_->tree.total().quantities(impl_->names); }

std::optional<Explanation> Allocator::explain(const std::string& framework, base::Instant now) const {
  impl_->expire_filters(now);
  return impl_->explain(framework);
}

std::vector<RoleState> Allocator::roles() const {
  impl_->tree.refresh();  // shares
  std::vector<RoleState> out;
  for (const auto& [path, role] : impl_->tree.roles()) {
    RoleState state;
    state.role = path;
    state.weight = role->weight;
    state.weight_set = role->weight_set;
    state.quota = role->quota;
    state.consumed_quota = role->consumed.quantities(impl_->names);
    state.allocated = role->allocated.quantities(impl_->names);
    state.share = role->share;
    for (const auto& client : role->clients) {
      state.filters += client->filters;
      if (client->subscribed) state.frameworks.push_back(client->framework->id);
    }
    std::sort(state.frameworks.begin(), state.frameworks.end());
    out.push_back(std::move(state));
  }
  return out;
}

}  // namespace allocator
