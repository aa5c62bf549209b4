// RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME, SHRINK_VOLUME.

#include <fmt/core.h>

#include "kernel/master/validation.hpp"
#include "kernel/resources/proto.hpp"
#include "kernel/resources/roles.hpp"

namespace master {

namespace {

using Operation_ = mesos::v1::Offer::Operation;

struct Subject {
  const Agent& agent;
  const Framework* framework;  // null: an operator's
};

Refusal read(const resources::ProtoResources& proto, Resources& out) {
  auto parsed = resources::from_proto(proto);
  if (!parsed) return "Invalid resources: " + parsed.error().message;
  out = std::move(*parsed);
  if (out.empty()) return "Invalid resources: nothing is named";
  for (const resources::Resource& r : out) {
    if (r.kind.data().provider_id) return "Invalid resources: resource providers are not supported";
  }
  return std::nullopt;
}

Refusal read_one(const mesos::v1::Resource& proto, const char* field, resources::Resource& out) {
  auto parsed = resources::from_proto(proto);
  if (!parsed) return fmt::format("Invalid resource in the '{}' field: {}", field, parsed.error().message);
  out = std::move(*parsed);
  return std::nullopt;
}

/// What every reserved resource asks of the agent.
Refusal check_agent_can(const resources::Resource& r, const Agent& agent, const char* verb) {
  if (!agent.capabilities.hierarchical_role && r.kind.reservation_role().find('/') != std::string::npos) {
    return fmt::format("Resource {} with reservation for hierarchical role '{}' cannot be {} on an agent without "
                       "HIERARCHICAL_ROLE capability",
                       resources::text(r), r.kind.reservation_role(), verb);
  }
  if (!agent.capabilities.reservation_refinement && r.kind.refined()) {
    return fmt::format("Resource {} with reservation refinement cannot be {} on an agent without RESERVATION_REFINEMENT "
                       "capability",
                       resources::text(r), verb);
  }
  return std::nullopt;
}

Refusal check_reserver(const resources::Resource& r, const Subject& subject) {
  if (subject.framework == nullptr) {
    if (r.allocation.empty()) return std::nullopt;
    return "A reserve operation was attempted with an allocated resource, but the operator API only allows reservations to "
           "be made to unallocated resources";
  }
  const Framework& framework = *subject.framework;
  const std::string& role = r.kind.reservation_role();
  if (r.allocation.empty()) {
    return "A reserve operation was attempted on unallocated resource " + resources::text(r) +
           ", but frameworks can only perform reservations on allocated resources";
  }
  if (role != r.allocation.str() && !resources::is_strict_subrole(role, r.allocation.str())) {
    return fmt::format("A reserve operation was attempted for a resource with role '{}', but the resource was allocated to "
                       "role '{}'",
                       role, r.allocation.str());
  }
  if (!framework.roles.count(role)) {
    return fmt::format("A reserve operation was attempted for a resource with role '{}', but the framework can only reserve "
                       "resources with its own roles",
                       role);
  }
  const auto& principal = r.kind.data().reservations.back().principal;
  if (framework.info->has_principal() && principal && *principal != framework.info->principal()) {
    return fmt::format("A reserve operation was attempted by authenticated principal '{}', which does not match a reserved "
                       "resource in the request with principal '{}'",
                       framework.info->principal(), *principal);
  }
  return std::nullopt;
}

Refusal check_reserve(const Operation_& operation, const Subject& subject) {
  Resources wanted, source;
  if (auto why = read(operation.reserve().resources(), wanted)) return why;
  if (!operation.reserve().source().empty()) {
    if (subject.framework != nullptr) return "'source' of a reservation can only be given by an operator";
    if (auto why = read(operation.reserve().source(), source)) return "Invalid source: " + *why;
    if (!(source.flattened() == wanted.flattened())) {
      return "Source and target resources should refer to identical resource quantities: " + source.text() + " vs. " +
             wanted.text();
    }
  }
  for (const resources::Resource& r : wanted) {
    if (!r.kind.dynamically_reserved()) return "Resource " + resources::text(r) + " is not dynamically reserved";
    if (r.kind.revocable()) {
      return "Dynamically reserved resource " + resources::text(r) + " cannot be created from revocable resources";
    }
    if (auto why = check_agent_can(r, subject.agent, "reserved")) return why;
    if (auto why = check_reserver(r, subject)) return why;
  }
  return std::nullopt;
}

Refusal check_unreserve(const Operation_& operation, const Subject&) {
  Resources given;
  if (auto why = read(operation.unreserve().resources(), given)) return why;
  for (const resources::Resource& r : given) {
    if (!r.kind.dynamically_reserved()) return "Resource " + resources::text(r) + " is not dynamically reserved";
    if (r.kind.persistent_volume()) {
      return "A dynamically reserved persistent volume " + resources::text(r) +
             " cannot be unreserved directly. Please destroy the persistent volume first then unreserve the resource";
    }
  }
  return std::nullopt;
}

Refusal check_volume_shape(const mesos::v1::Resource& volume) {
  if (!volume.has_disk()) return "Resource " + volume.name() + " does not have DiskInfo";
  if (!volume.disk().has_persistence()) return "'persistence' is not set in DiskInfo";
  if (!volume.disk().has_volume()) return "Expecting 'volume' to be set for persistent volume";
  if (volume.disk().volume().mode() == mesos::v1::Volume::RO) return "Read-only persistent volume not supported";
  if (volume.disk().volume().has_host_path()) return "Expecting 'host_path' to be unset for persistent volume";
  if (auto why = validate_id(volume.disk().persistence().id())) {
    return "Invalid persistence ID for persistent volume: " + *why;
  }
  return std::nullopt;
}

Refusal check_create(const Operation_& operation, const Subject& subject) {
  Resources volumes;
  if (auto why = read(operation.create().volumes(), volumes)) return why;
  for (const auto& volume : operation.create().volumes()) {
    if (auto why = check_volume_shape(volume)) return "Not a persistent volume: " + *why;
    const auto& principal = volume.disk().persistence().principal();
    if (subject.framework != nullptr && subject.framework->info->has_principal() &&
        volume.disk().persistence().has_principal() && principal != subject.framework->info->principal()) {
      return fmt::format("Create volume operation attempted by authenticated principal '{}', which does not match a volume in "
                         "the operation with principal '{}' set in 'disk.persistence'",
                         subject.framework->info->principal(), principal);
    }
  }
  std::set<std::pair<std::string, std::string>> ids;
  for (const Resources* bag : {&subject.agent.total, static_cast<const Resources*>(&volumes)}) {
    for (const resources::Resource& r : *bag) {
      if (!r.kind.persistent_volume()) continue;
      const std::string& id = *r.kind.data().disk->persistence_id;
      if (!ids.emplace(r.kind.reservation_role(), id).second) return "Persistence ID '" + id + "' is not unique";
    }
  }
  for (const resources::Resource& r : volumes) {
    if (r.kind.revocable()) return "Persistent volumes cannot be created from revocable resources";
    if (!r.kind.reserved()) return "Persistent volumes cannot be created from unreserved resources";
    if (r.kind.shared() && subject.framework != nullptr && !subject.framework->capabilities.shared_resources) {
      return fmt::format("Create volume operation for '{}' has been attempted by framework '{}' with no SHARED_RESOURCES "
                         "capability",
                         resources::text(r), subject.framework->id);
    }
    if (auto why = check_agent_can(r, subject.agent, "created")) return why;
  }
  return std::nullopt;
}

Refusal check_destroy(const Operation_& operation, const Subject& subject) {
  Resources volumes;
  if (auto why = read(operation.destroy().volumes(), volumes)) return why;
  for (const auto& volume : operation.destroy().volumes()) {
    if (auto why = check_volume_shape(volume)) return "Not a persistent volume: " + *why;
  }
  Resources bare = volumes;
  bare.unallocate();
  for (const resources::Resource& r : bare) {
    if (!subject.agent.total.contains(r)) return "Persistent volumes not found";
  }
  for (const auto& [framework_id, tasks] : subject.agent.tasks) {
    for (const auto& [id, task] : tasks) {
      Resources held = task->resources;
      held.unallocate();
      for (const resources::Resource& r : bare) {
        if (held.contains(r)) return "Persistent volumes in use";
      }
    }
  }
  return std::nullopt;
}

Refusal check_grow(const Operation_& operation, const Subject& subject) {
  resources::Resource volume, addition;
  if (auto why = read_one(operation.grow_volume().volume(), "GrowVolume.volume", volume)) return why;
  if (auto why = read_one(operation.grow_volume().addition(), "GrowVolume.addition", addition)) return why;
  if (!addition.scalar.positive()) return "The size of 'GrowVolume.addition' field must be greater than zero";
  if (volume.kind.data().provider_id) return "Growing a volume from a resource provider is not supported";
  if (auto why = check_volume_shape(operation.grow_volume().volume())) {
    return "Invalid persistent volume in the 'GrowVolume.volume' field: " + *why;
  }
  if (volume.kind.shared()) return "Growing a shared persistent volume is not supported";
  if (!volume.kind.without_volume().same(addition.kind)) {
    return "Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields";
  }
  if (!subject.agent.capabilities.resize_volume) {
    return "Volume " + resources::text(volume) + " cannot be grown on an agent without RESIZE_VOLUME capability";
  }
  return std::nullopt;
}

Refusal check_shrink(const Operation_& operation, const Subject& subject) {
  resources::Resource volume;
  if (auto why = read_one(operation.shrink_volume().volume(), "ShrinkVolume.volume", volume)) return why;
  const double subtract = operation.shrink_volume().subtract().value();
  if (!resources::Scalar::representable(subtract) || !resources::Scalar::from_double(subtract).positive()) {
    return "Value of 'ShrinkVolume.subtract' must be greater than zero";
  }
  if (volume.scalar <= resources::Scalar::from_double(subtract)) {
    return "Value of 'ShrinkVolume.subtract' must be smaller than the size of 'ShrinkVolume.volume'";
  }
  if (volume.kind.data().provider_id) return "Shrinking a volume from a resource provider is not supported";
  const auto& disk = volume.kind.data().disk;
  if (disk && disk->source && disk->source->type == resources::DiskSource::Type::Mount) {
    return "Shrinking a volume on a MOUNT disk is not supported";
  }
  if (auto why = check_volume_shape(operation.shrink_volume().volume())) {
    return "Invalid persistent volume in the 'ShrinkVolume.volume' field: " + *why;
  }
  if (volume.kind.shared()) return "Shrinking a shared persistent volume is not supported";
  if (!subject.agent.capabilities.resize_volume) {
    return "Volume " + resources::text(volume) + " cannot be shrunk on an agent without RESIZE_VOLUME capability";
  }
  return std::nullopt;
}

struct OperationRule {
  Operation_::Type type;
  const char* field;
  bool (*present)(const Operation_&);
  Refusal (*check)(const Operation_&, const Subject&);
};

const OperationRule kOperationRules[] = {
    {Operation_::RESERVE, "reserve", [](const Operation_& o) { return o.has_reserve(); }, check_reserve},
    {Operation_::UNRESERVE, "unreserve", [](const Operation_& o) { return o.has_unreserve(); }, check_unreserve},
    {Operation_::CREATE, "create", [](const Operation_& o) { return o.has_create(); }, check_create},
    {Operation_::DESTROY, "destroy", [](const Operation_& o) { return o.has_destroy(); }, check_destroy},
    {Operation_::GROW_VOLUME, "grow_volume", [](const Operation_& o) { return o.has_grow_volume(); }, check_grow},
    {Operation_::SHRINK_VOLUME, "shrink_volume", [](const Operation_& o) { return o.has_shrink_volume(); }, check_shrink},
};

}  // namespace

Refusal validate_operation(const Operation_& operation, const Agent& agent, const Framework* framework) {
  for (const OperationRule& rule : kOperationRules) {
    if (rule.type != operation.type()) continue;
    if (!rule.present(operation)) return fmt::format("Expecting '{}' to be present", rule.field);
    return rule.check(operation, Subject{agent, framework});
  }
  return "Unknown offer operation";
}

}  // namespace master
