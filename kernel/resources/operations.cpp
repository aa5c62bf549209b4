#include "kernel/resources/operations.hpp"

#include "kernel/api/mesos/v1/offers.pb.h"
#include "kernel/resources/proto.hpp"

namespace resources {
namespace {

using Operation = mesos::v1::Offer::Operation;
using Conversions = std::vector<Conversion>;
using base::invalid;
using base::Result;

Result<Conversions> reserve(const Operation::Reserve& operation) {
  ASSIGN_OR_RETURN(Resources reserved, from_proto(operation.resources()));
  Conversion conversion;
  conversion.converted = reserved;
  if (operation.source_size() > 0) {
    ASSIGN_OR_RETURN(conversion.consumed, from_proto(operation.source()));
  } else {
    for (Resource resource : reserved) {
      if (!resource.kind.reserved()) return invalid("Resource '" + text(resource) + "' is not reserved");
      resource.kind = resource.kind.popped();
      conversion.consumed.add(std::move(resource));
    }
  }
  return Conversions{conversion};
}

Result<Conversions> unreserve(const Operation::Unreserve& operation) {
  ASSIGN_OR_RETURN(Resources reserved, from_proto(operation.resources()));
  Conversions out;
  for (const Resource& resource : reserved) {
    if (!resource.kind.reserved()) return invalid("Resource '" + text(resource) + "' is not reserved");
    Resource converted = resource;
    converted.kind = resource.kind.popped();
    out.push_back({resource, converted});
  }
  return out;
}

Resource without_volume(Resource volume) {
  volume.kind = volume.kind.without_volume();
  return volume;
}

// One conversion per copy named, so that destroying twice what exists once fails.
Result<Conversions> volumes(const ProtoResources& list, bool create) {
  Conversions out;
  for (const mesos::v1::Resource& entry : list) {
    ASSIGN_OR_RETURN(Resource volume, from_proto(entry));
    if (!volume.kind.persistent_volume()) return invalid("Resource '" + text(volume) + "' is not a persistent volume");
    Resource stripped = without_volume(volume);
    if (create) {
      out.push_back({stripped, volume});
    } else {
      out.push_back({volume, stripped, /*last_copy=*/true});
    }
  }
  return out;
}

Result<Resource> volume_to_resize(const mesos::v1::Resource& entry) {
  ASSIGN_OR_RETURN(Resource volume, from_proto(entry));
  if (volume.kind.data().provider_id) return invalid("Operation not supported for resource provider");
  if (!volume.kind.persistent_volume() || volume.kind.type() != Type::Scalar) {
    return invalid("Resource '" + text(volume) + "' is not a persistent volume");
  }
  return volume;
}

Result<Conversions> grow(const Operation::GrowVolume& operation) {
  ASSIGN_OR_RETURN(Resource volume, volume_to_resize(operation.volume()));
  ASSIGN_OR_RETURN(Resource addition, from_proto(operation.addition()));
  Resource grown = volume;
  grown.scalar += addition.scalar;
  Conversion conversion{volume, grown};
  conversion.consumed.add(addition);
  return Conversions{conversion};
}

Result<Conversions> shrink(const Operation::ShrinkVolume& operation) {
  ASSIGN_OR_RETURN(Resource volume, volume_to_resize(operation.volume()));
  const double subtract = operation.subtract().value();
  if (!Scalar::representable(subtract)) return invalid("The amount to subtract is not a finite number");
  Resource freed = without_volume(volume);
  freed.scalar = Scalar::from_double(subtract);
  Resource shrunk = volume;
  shrunk.scalar -= freed.scalar;
  if (!freed.scalar.positive() || !shrunk.scalar.positive()) {
    return invalid("The amount to subtract must be positive and less than the size of the volume");
  }
  Conversion conversion{volume, shrunk};
  conversion.converted.add(freed);
  return Conversions{conversion};
}

}  // namespace

Result<Conversions> conversions(const Operation& operation) {
  switch (operation.type()) {
    case Operation::RESERVE: return reserve(operation.reserve());
    case Operation::UNRESERVE: return unreserve(operation.unreserve());
    case Operation::CREATE: return volumes(operation.create().volumes(), true);
    case Operation::DESTROY: return volumes(operation.destroy().volumes(), false);
    case Operation::GROW_VOLUME: return grow(operation.grow_volume());
    case Operation::SHRINK_VOLUME: return shrink(operation.shrink_volume());
    case Operation::UNKNOWN: return invalid("Unknown operation");
    default: return invalid("Operation not supported");
  }
}

Result<Resources> disk_of(const Operation& operation) {
  const bool create = operation.type() == Operation::CREATE_DISK;
  if (!create && operation.type() != Operation::DESTROY_DISK) return Resources();
  ASSIGN_OR_RETURN(Resource disk, from_proto(create ? operation.create_disk().source() : operation.destroy_disk().source()));
  return Resources(std::move(disk));
}

Result<std::string> provider_of(const Operation& operation) {
  ASSIGN_OR_RETURN(Resources touched, disk_of(operation));
  if (touched.empty()) {
    ASSIGN_OR_RETURN(const Conversions list, conversions(operation));
    for (const Conversion& conversion : list) touched += conversion.consumed;
  }
  std::optional<std::string> provider;
  for (const Resource& resource : touched) {
    const std::string& its = resource.kind.data().provider_id.value_or("");
    if (provider && *provider != its) return invalid("The resources of an operation must be of one resource provider");
    provider = its;
  }
  return provider.value_or("");
}

Result<Resources> with_checkpointed(const Resources& configured, const Resources& kept) {
  Resources total = configured;
  for (Resource resource : kept) {
    resource.copies = 1;
    Resource plain = resource;
    // What was there before the operations: no volume, and no reservation but a static one.
    plain.kind = plain.kind.without_volume();
    while (plain.kind.dynamically_reserved()) plain.kind = plain.kind.popped();
    if (!total.contains(plain)) {
      return invalid("checkpointed resource " + text(resource) + " is not part of the agent's resources " + total.text());
    }
    total.subtract(plain);
    total.add(std::move(resource));
  }
  return total;
}

Resources checkpointed_of(const Resources& total) {
  Resources kept =
      total.filter([](const Resource& r) { return r.kind.dynamically_reserved() || r.kind.persistent_volume(); });
  kept.unallocate();
  return kept;
}

Result<Resources> apply(const Resources& resources, const Conversion& conversion) {
  if (!resources.contains(conversion.consumed)) {
    return base::conflict("'" + resources.text() + "' does not contain '" + conversion.consumed.text() + "'");
  }
  Resources out = resources - conversion.consumed;
  if (conversion.last_copy) {
    for (const Resource& consumed : conversion.consumed) {
      if (!consumed.kind.shared() || !out.contains(consumed)) continue;
      return base::conflict("Persistent volume " + text(consumed) + " cannot be removed due to additional shared copies");
    }
  }
  return out += conversion.converted;
}

Result<Resources> apply(const Resources& resources, const Conversions& list) {
  Resources out = resources;
  for (const Conversion& conversion : list) {
    ASSIGN_OR_RETURN(out, ::resources::apply(out, conversion));
  }
  return out;
}

Result<Resources> apply(const Resources& resources, const Operation& operation) {
  ASSIGN_OR_RETURN(Conversions list, conversions(operation));
  return ::resources::apply(resources, list);
}

}  // namespace resources
