#include "kernel/resources/proto.hpp"

#include "base/check.hpp"

namespace resources {
namespace {

using Proto = mesos::v1::Resource;
using ProtoReservation = Proto::ReservationInfo;

Labels from_proto(const mesos::v1::Labels& labels) {
  Labels out;
  for (const auto& label : labels.labels()) {
    out.emplace_back(label.key(), label.has_value() ? std::optional(label.value()) : std::nullopt);
  }
  return out;
}

void to_proto(const Labels& labels, mesos::v1::Labels* out) {
  for (const auto& [key, value] : labels) {
    auto* label = out->add_labels();
    label->set_key(key);
    if (value) label->set_value(*value);
  }
}

Reservation from_proto(const ProtoReservation& reservation, bool dynamic, const std::string& role) {
  Reservation out;
  out.dynamic = dynamic;
  out.role = role;
  if (reservation.has_principal()) out.principal = reservation.principal();
  if (reservation.has_labels()) out.labels = from_proto(reservation.labels());
  return out;
}

std::vector<Reservation> reservations(const Proto& r) {
  std::vector<Reservation> out;
  for (const auto& reservation : r.reservations()) {
    out.push_back(from_proto(reservation, reservation.type() == ProtoReservation::DYNAMIC, reservation.role()));
  }
  if (out.empty() && r.role() != "*") out.push_back(from_proto(r.reservation(), r.has_reservation(), r.role()));
  return out;
}

DiskSource from_proto(const Proto::DiskInfo::Source& source) {
  DiskSource out;
  out.type = static_cast<DiskSource::Type>(source.type());
  if (source.has_path()) {
    out.path.emplace();
    if (source.path().has_root()) out.path->root = source.path().root();
  }
  if (source.has_mount()) {
    out.mount.emplace();
    if (source.mount().has_root()) out.mount->root = source.mount().root();
  }
  if (source.has_id()) out.id = source.id();
  if (source.has_profile()) out.profile = source.profile();
  if (source.has_vendor()) out.vendor = source.vendor();
  if (source.has_metadata()) out.metadata = from_proto(source.metadata());
  return out;
}

Disk from_proto(const Proto::DiskInfo& disk) {
  Disk out;
  if (disk.has_source()) out.source = from_proto(disk.source());
  if (disk.has_persistence()) {
    out.persistence_id = disk.persistence().id();
    if (disk.persistence().has_principal()) out.persistence_principal = disk.persistence().principal();
  }
  if (disk.has_volume()) out.volume = disk.volume().SerializePartialAsString();
  return out;
}

void to_proto(const Disk& disk, Proto::DiskInfo* out) {
  if (disk.source) {
    auto* source = out->mutable_source();
    source->set_type(static_cast<Proto::DiskInfo::Source::Type>(disk.source->type));
    if (disk.source->path) {
      auto* path = source->mutable_path();
      if (disk.source->path->root) path->set_root(*disk.source->path->root);
    }
    if (disk.source->mount) {
      auto* mount = source->mutable_mount();
      if (disk.source->mount->root) mount->set_root(*disk.source->mount->root);
    }
    if (disk.source->id) source->set_id(*disk.source->id);
    if (disk.source->profile) source->set_profile(*disk.source->profile);
    if (disk.source->vendor) source->set_vendor(*disk.source->vendor);
    if (disk.source->metadata) to_proto(*disk.source->metadata, source->mutable_metadata());
  }
  if (disk.persistence_id) {
    out->mutable_persistence()->set_id(*disk.persistence_id);
    if (disk.persistence_principal) out->mutable_persistence()->set_principal(*disk.persistence_principal);
  }
  if (disk.volume) out->mutable_volume()->ParsePartialFromString(*disk.volume);
}

KindData kind_of(const Proto& r) {
  KindData data;
  data.name = r.name();
  data.type = r.type() == mesos::v1::Value::SCALAR   ? Type::Scalar
              : r.type() == mesos::v1::Value::RANGES ? Type::Ranges
                                                     : Type::Set;
  data.reservations = reservations(r);
  if (r.has_disk()) data.disk = from_proto(r.disk());
  data.revocable = r.has_revocable();
  data.shared = r.has_shared();
  if (r.has_provider_id()) data.provider_id = r.provider_id().value();
  return data;
}

Resource convert(const Proto& r) {
  Resource out;
  out.kind = Kind(kind_of(r));
  if (r.has_allocation_info()) out.allocation = Name(r.allocation_info().role());
  switch (out.kind.type()) {
    case Type::Scalar: out.scalar = Scalar::from_double(r.scalar().value()); break;
    case Type::Ranges: {
      std::vector<Range> ranges;
      for (const auto& range : r.ranges().range()) ranges.push_back({range.begin(), range.end()});
      out.ranges = Ranges(std::move(ranges));
      break;
    }
    case Type::Set: out.set = ItemSet({r.set().item().begin(), r.set().item().end()}); break;
  }
  return out;
}

void write_reservations(const Kind& kind, Format format, Proto* out) {
  const auto& stack = kind.data().reservations;
  if (format != Format::Pre) {
    for (const Reservation& reservation : stack) {
      auto* target = out->add_reservations();
      target->set_type(reservation.dynamic ? ProtoReservation::DYNAMIC : ProtoReservation::STATIC);
      target->set_role(reservation.role);
      if (reservation.principal) target->set_principal(*reservation.principal);
      if (reservation.labels) to_proto(*reservation.labels, target->mutable_labels());
    }
  }
  if (format == Format::Post || stack.size() > 1) return;
  out->set_role(kind.reservation_role());
  if (stack.empty() || !stack[0].dynamic) return;
  auto* target = out->mutable_reservation();
  if (stack[0].principal) target->set_principal(*stack[0].principal);
  if (stack[0].labels) to_proto(*stack[0].labels, target->mutable_labels());
}

void write_value(const Resource& resource, Proto* out) {
  switch (resource.kind.type()) {
    case Type::Scalar:
      out->set_type(mesos::v1::Value::SCALAR);
      out->mutable_scalar()->set_value(resource.scalar.value());
      break;
    case Type::Ranges:
      out->set_type(mesos::v1::Value::RANGES);
      for (const Range& range : resource.ranges.list()) {
        auto* target = out->mutable_ranges()->add_range();
        target->set_begin(range.begin);
        target->set_end(range.end);
      }
      break;
    case Type::Set:
      out->set_type(mesos::v1::Value::SET);
      for (const std::string& item : resource.set.list()) out->mutable_set()->add_item(item);
      break;
  }
}

void write(const Resource& resource, Format format, Proto* out) {
  const KindData& data = resource.kind.data();
  out->set_name(data.name);
  write_value(resource, out);
  write_reservations(resource.kind, format, out);
  if (!resource.allocation.empty()) out->mutable_allocation_info()->set_role(resource.allocation.str());
  if (data.disk) to_proto(*data.disk, out->mutable_disk());
  if (data.revocable) out->mutable_revocable();
  if (data.shared) out->mutable_shared();
  if (data.provider_id) out->mutable_provider_id()->set_value(*data.provider_id);
}

}  // namespace

base::Result<Resource> from_proto(const Proto& resource) {
  RETURN_IF_ERROR(validate(resource));
  return convert(resource);
}

base::Result<Resources> from_proto(const ProtoResources& list) {
  RETURN_IF_ERROR(validate(list));
  Resources out;
  for (const Proto& resource : list) out.add(convert(resource));
  return out;
}

Proto to_proto(const Resource& resource, Format format) {
  Proto out;
  write(resource, format, &out);
  return out;
}

void to_proto(const Resources& resources, Format format, ProtoResources* out) {
  for (const Resource& resource : resources) {
    if (format == Format::Pre && resource.kind.refined()) continue;
    for (uint32_t copy = 0; copy < resource.copies; ++copy) write(resource, format, out->Add());
  }
}

}  // namespace resources
