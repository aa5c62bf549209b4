#include "kernel/master/quota.hpp"

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

}  // namespace master
