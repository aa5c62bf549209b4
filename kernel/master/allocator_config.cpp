#include "kernel/master/allocator_config.hpp"

#include <cmath>

namespace master {

allocator::FrameworkConfig framework_config(const Framework& framework) {
  allocator::FrameworkConfig config;
  config.roles = framework.roles;
  config.suppressed_roles = framework.suppressed_roles;
  config.capabilities.revocable_resources = framework.capabilities.revocable_resources;
  config.capabilities.gpu_resources = framework.capabilities.gpu_resources;
  config.capabilities.shared_resources = framework.capabilities.shared_resources;
  config.capabilities.multi_role = framework.capabilities.multi_role;
  config.capabilities.reservation_refinement = framework.capabilities.reservation_refinement;
  config.capabilities.region_aware = framework.capabilities.region_aware;
  config.constraints = framework.compiled_constraints;
  for (const auto& [role, filters] : framework.info->offer_filters()) {
    if (!filters.has_min_allocatable_resources()) continue;
    std::vector<allocator::ResourceQuantities>& alternatives = config.min_allocatable[role];
    for (const auto& quantities : filters.min_allocatable_resources().quantities()) {
      allocator::ResourceQuantities alternative;
      for (const auto& [name, amount] : quantities.quantities()) {
        if (resources::Scalar::representable(amount.value())) {
          alternative.set(name, resources::Scalar::from_double(amount.value()));
        }
      }
      alternatives.push_back(std::move(alternative));
    }
  }
  return config;
}

allocator::AgentConfig agent_config(const Agent& agent) {
  allocator::AgentConfig config;
  config.hostname = agent.info->hostname();
  for (const auto& attribute : agent.info->attributes()) config.attributes.push_back(resources::from_proto(attribute));
  if (agent.info->has_domain() && agent.info->domain().has_fault_domain()) {
    config.region = agent.info->domain().fault_domain().region().name();
    config.zone = agent.info->domain().fault_domain().zone().name();
  }
  config.capabilities.multi_role = agent.capabilities.multi_role;
  config.capabilities.hierarchical_role = agent.capabilities.hierarchical_role;
  config.capabilities.reservation_refinement = agent.capabilities.reservation_refinement;
  return config;
}

}  // namespace master
