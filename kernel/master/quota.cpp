#include "kernel/master/quota.hpp"

#include <algorithm>
#include <functional>

#include "kernel/resources/roles.hpp"

namespace master {

bool is_empty(const mesos::v1::quota::QuotaConfig& config) {
  return config.guarantees().empty() && config.limits().empty();
}

base::Result<allocator::Quota> parse_quota(const mesos::v1::quota::QuotaConfig& config) {
  RETURN_IF_ERROR(resources::validate_role(config.role()));
  if (config.role() == "*") return base::invalid("Quota of the default role '*' cannot be set");
  const auto check = [](const std::string& name, double value) -> base::Status {
    if (!(value >= 0)) return base::invalid("Invalid quota: '" + name + "' must be non-negative");
    const double most = name == "mem" || name == "disk" ? 1024.0 * 1024 * 1024 * 1024 : 1e12;
    if (value > most) return base::invalid("Invalid quota: '" + name + "' is larger than any cluster");
    return {};
  };
  allocator::Quota quota;
  for (const auto& [name, amount] : config.guarantees()) {
    RETURN_IF_ERROR(check(name, amount.value()));
    quota.guarantees.set(name, resources::Scalar::from_double(amount.value()));
  }
  for (const auto& [name, amount] : config.limits()) {
    RETURN_IF_ERROR(check(name, amount.value()));
    quota.limits.set(name, resources::Scalar::from_double(amount.value()));
  }
  if (!quota.limits.allow(quota.guarantees)) {
    return base::invalid("Invalid 'QuotaConfig': the guarantees of role '" + config.role() + "' exceed its limits");
  }
  return quota;
}

base::Result<allocator::ResourceQuantities> total_guarantees(
    const std::map<std::string, mesos::v1::quota::QuotaConfig>& quotas) {
  // Deepest first: what a role holds for itself and those below it is added to its parent.
  std::map<std::string, allocator::ResourceQuantities, std::greater<>> held;
  for (const auto& [role, config] : quotas) {
    held[role];
    for (const std::string_view ancestor : resources::ancestors(role)) held[std::string(ancestor)];
  }
  std::map<std::string, allocator::ResourceQuantities> below;
  allocator::ResourceQuantities total;
  for (const auto& [role, unused] : held) {
    const auto config = quotas.find(role);
    allocator::Quota quota;
    if (config != quotas.end()) {
      ASSIGN_OR_RETURN(quota, parse_quota(config->second));
    }
    allocator::ResourceQuantities own = quota.guarantees;
    for (const auto& [name, amount] : below[role].list()) {
      if (own.get(name) < amount && own.get(name) > resources::Scalar()) {
        return base::invalid("Invalid quota configuration. Parent role '" + role + "' with guarantees (" + own.text() +
                             ") does not contain the sum of its children's guarantees (" + below[role].text() + ")");
      }
      own.set(name, std::max(own.get(name), amount));
    }
    if (!quota.limits.allow(own)) {
      return base::invalid("Invalid quota configuration. The limits of role '" + role +
                           "' do not contain the sum of its children's guarantees (" + below[role].text() + ")");
    }
    const size_t slash = role.rfind('/');
    (slash == std::string::npos ? total : below[role.substr(0, slash)]) += own;
  }
  return total;
}

}  // namespace master
