// Resources, wherever they are named: by tasks, executors and operations.

#include <fmt/core.h>

#include "kernel/master/validation.hpp"
#include "kernel/resources/proto.hpp"

namespace master {

namespace {

Refusal check_disk(const mesos::v1::Resource& resource, const resources::Resource& value) {
  if (!resource.has_disk()) return std::nullopt;
  const auto& disk = resource.disk();
  if (!disk.has_persistence()) {
    if (disk.has_volume()) return "Non-persistent volume not supported";
    if (!disk.has_source()) return "DiskInfo is set but empty";
    return std::nullopt;
  }
  if (value.kind.revocable()) return "Persistent volumes cannot be created from revocable resources";
  if (!value.kind.reserved()) return "Persistent volumes cannot be created from unreserved resources";
  if (!disk.has_volume()) return "Expecting 'volume' to be set for persistent volume";
  if (disk.volume().has_host_path()) return "Expecting 'host_path' to be unset for persistent volume";
  if (auto why = validate_id(disk.persistence().id())) return "Invalid persistence ID for persistent volume: " + *why;
  return std::nullopt;
}

}  // namespace

Refusal validate_resources(const resources::ProtoResources& proto) {
  if (auto valid = resources::validate(proto); !valid) return valid.error().message;
  resources::Scalar gpus;
  for (const auto& resource : proto) {
    const resources::Resource value = *resources::from_proto(resource);
    if (value.kind.name() == "gpus") gpus += value.scalar;
    if (auto why = check_disk(resource, value)) return "Invalid DiskInfo: " + *why;
    if (value.kind.dynamically_reserved() && value.kind.revocable()) {
      return "Invalid ReservationInfo: Dynamically reserved resource " + resources::text(value) +
             " cannot be created from revocable resources";
    }
  }
  if (gpus.thousandths() % 1000 != 0) return "Invalid 'gpus' resource: The 'gpus' resource must be an unsigned integer";
  return std::nullopt;
}

Refusal check_single_role(const Resources& value) {
  const std::string* first = nullptr;
  for (const resources::Resource& r : value) {
    const std::string& role = r.allocation.str();
    if (role.empty()) return "The resources are not allocated to a role";
    if (first == nullptr) first = &role;
    if (role != *first) {
      return fmt::format("The resources have multiple allocation roles ('{}' and '{}') but only one allocation role is allowed",
                         role, *first);
    }
  }
  return std::nullopt;
}

}  // namespace master
