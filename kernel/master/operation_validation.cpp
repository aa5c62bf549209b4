// RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME, SHRINK_VOLUME, CREATE_DISK, DESTROY_DISK.

#include <fmt/core.h>

#include "base/strings.hpp"
#include "kernel/master/validation.hpp"
#include "kernel/resources/operations.hpp"
#include "kernel/resources/proto.hpp"

namespace master {

namespace {

using Operation_ = mesos::v1::Offer::Operation;

struct Subject {
  const Agent& agent;
  const Framework* framework;  // null: an operator's
  const std::string& principal;
};

Refusal read(const resources::ProtoResources& proto, Resources& out, const char* what = "resources") {
  const auto bad = [what](const std::string& why) { return fmt::format("Invalid {}: {}", what, why); };
  if (auto why = validate_resources(proto)) return bad(*why);
  out = *resources::from_proto(proto);
  if (out.empty()) return bad("nothing is named");
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
  const std::string& role = r.kind.reservation_role();
  if (r.allocation.empty()) {
    return "A reserve operation was attempted on unallocated resource " + resources::text(r) +
           ", but frameworks can only perform reservations on allocated resources";
  }
  if (role != r.allocation.str()) {
    return fmt::format("A reserve operation was attempted for a resource with role '{}', but the resource was allocated to "
                       "role '{}'",
                       role, r.allocation.str());
  }
  if (!subject.framework->roles.count(role)) {
    return fmt::format("A reserve operation was attempted for a resource allocated to role '{}', but the framework only has "
                       "roles '{}'",
                       role, base::join({subject.framework->roles.begin(), subject.framework->roles.end()}, "', '"));
  }
  return std::nullopt;
}

/// Whoever asks reserves in its own name.
Refusal check_reservation_principal(const resources::Resource& r, const Subject& subject) {
  if (subject.principal.empty()) return std::nullopt;
  const auto& principal = r.kind.data().reservations.back().principal;
  if (!principal) {
    return "A reserve operation was attempted by principal '" + subject.principal +
           "', but there is a reserved resource in the request with no principal set";
  }
  if (*principal == subject.principal) return std::nullopt;
  return fmt::format("A reserve operation was attempted by authenticated principal '{}', which does not match a reserved "
                     "resource in the request with principal '{}'",
                     subject.principal, *principal);
}

/// Source and target of a change of reservations: one stack of reservations each.
Refusal check_one_stack(const resources::ProtoResources& proto, const char* what) {
  const auto stack = [](const mesos::v1::Resource& resource) {
    std::string text;
    for (const auto& reservation : resource.reservations()) text += reservation.SerializeAsString() + "|";
    return text;
  };
  for (const auto& resource : proto) {
    if (stack(resource) != stack(proto[0])) return fmt::format("Invalid {}: Mixed reservations are not supported", what);
  }
  return std::nullopt;
}

Refusal check_reserve(const Operation_& operation, const Subject& subject) {
  Resources wanted, source;
  if (auto why = read(operation.reserve().resources(), wanted)) return why;
  if (!operation.reserve().source().empty()) {
    if (subject.framework != nullptr) return "'source' of a reservation can only be given by an operator";
    if (auto why = read(operation.reserve().source(), source, "source")) return why;
    if (auto why = check_one_stack(operation.reserve().source(), "source")) return why;
    if (auto why = check_one_stack(operation.reserve().resources(), "resources")) return why;
    if (!(source.flattened() == wanted.flattened())) {
      return "Source and target resources should refer to identical resource quantities: " + source.text() + " vs. " +
             wanted.text();
    }
  }
  for (const resources::Resource& r : wanted) {
    if (!r.kind.dynamically_reserved()) return "Resource " + resources::text(r) + " is not dynamically reserved";
    if (auto why = check_agent_can(r, subject.agent, "reserved")) return why;
    if (auto why = check_reservation_principal(r, subject)) return why;
    if (auto why = check_reserver(r, subject)) return why;
  }
  if (subject.framework != nullptr) {
    if (auto why = check_single_role(wanted)) return "Invalid reservation resources: " + *why;
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
  return std::nullopt;
}

Refusal check_volume_principal(const resources::Resource& r, const Subject& subject) {
  if (subject.principal.empty()) return std::nullopt;
  const auto& principal = r.kind.data().disk->persistence_principal;
  if (!principal) {
    return "Create volume operation attempted by principal '" + subject.principal +
           "', but there is a volume in the operation with no principal set in 'disk.persistence'";
  }
  if (*principal == subject.principal) return std::nullopt;
  return fmt::format("Create volume operation attempted by authenticated principal '{}', which does not match a volume in the "
                     "operation with principal '{}' set in 'disk.persistence'",
                     subject.principal, *principal);
}

Refusal check_create(const Operation_& operation, const Subject& subject) {
  Resources volumes;
  if (auto why = read(operation.create().volumes(), volumes)) return why;
  for (const auto& volume : operation.create().volumes()) {
    if (auto why = check_volume_shape(volume)) return "Not a persistent volume: " + *why;
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
    const auto& disk = r.kind.data().disk;
    using Type = resources::DiskSource::Type;
    if (disk->source && (disk->source->type == Type::Raw || disk->source->type == Type::Block))
      return "Persistent volumes cannot be created from RAW and BLOCK disks: " + resources::text(r);
    if (r.kind.shared() && subject.framework != nullptr && !subject.framework->capabilities.shared_resources) {
      return fmt::format("Create volume operation for '{}' has been attempted by framework '{}' with no SHARED_RESOURCES "
                         "capability",
                         resources::text(r), subject.framework->id);
    }
    if (auto why = check_agent_can(r, subject.agent, "created")) return why;
    if (auto why = check_volume_principal(r, subject)) return why;
  }
  if (subject.framework != nullptr) {
    if (auto why = check_single_role(volumes)) return "Invalid volume resources: " + *why;
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

/// What CREATE_DISK and DESTROY_DISK turn into something else.
Refusal check_disk(const mesos::v1::Resource& proto, resources::Resource& out) {
  if (auto why = read_one(proto, "source", out)) return why;
  if (!out.kind.data().provider_id) return "'source' is not managed by a resource provider";
  if (!out.kind.data().disk || !out.kind.data().disk->source) return "'source' is not a disk resource";
  if (out.kind.persistent_volume()) return "'source' is a persistent volume: it must be destroyed before its disk";
  if (out.kind.revocable() || out.kind.shared()) return "'source' must not be revocable or shared";
  return std::nullopt;
}

Refusal check_create_disk(const Operation_& operation, const Subject&) {
  using Source = mesos::v1::Resource::DiskInfo::Source;
  const auto& wanted = operation.create_disk();
  resources::Resource disk;
  if (auto why = check_disk(wanted.source(), disk)) return why;
  const auto& source = *disk.kind.data().disk->source;
  if (source.type != resources::DiskSource::Type::Raw) return "'source' is not a RAW disk resource";
  if (wanted.target_type() != Source::MOUNT && wanted.target_type() != Source::BLOCK)
    return "'target_type' must be MOUNT or BLOCK, not " + Source::Type_Name(wanted.target_type());
  if (source.profile && wanted.has_target_profile()) return "'target_profile' must not be set when 'source' has a profile";
  if (!source.profile && !wanted.has_target_profile()) return "'target_profile' must be set when 'source' has no profile";
  return std::nullopt;
}

Refusal check_destroy_disk(const Operation_& operation, const Subject&) {
  resources::Resource disk;
  if (auto why = check_disk(operation.destroy_disk().source(), disk)) return why;
  if (!disk.kind.data().disk->source->id) return "'source' is free space, not a disk: it has no id";
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
    {Operation_::CREATE_DISK, "create_disk", [](const Operation_& o) { return o.has_create_disk(); }, check_create_disk},
    {Operation_::DESTROY_DISK, "destroy_disk", [](const Operation_& o) { return o.has_destroy_disk(); }, check_destroy_disk},
    {Operation_::SHRINK_VOLUME, "shrink_volume", [](const Operation_& o) { return o.has_shrink_volume(); }, check_shrink},
};

}  // namespace

Refusal validate_operation(const Operation_& operation, const Agent& agent, const Framework* framework,
                           const std::string& principal) {
  for (const OperationRule& rule : kOperationRules) {
    if (rule.type != operation.type()) continue;
    if (!rule.present(operation)) return fmt::format("Expecting '{}' to be present", rule.field);
    if (auto why = rule.check(operation, Subject{agent, framework, principal})) return why;
    const auto provider = resources::provider_of(operation);
    if (!provider) return provider.error().message;
    if (!provider->empty() && agent.providers.count(*provider) == 0)
      return "Resource provider " + *provider + " is not one of agent " + agent.id;
    return std::nullopt;
  }
  return "Unknown offer operation";
}

}  // namespace master
