#include <algorithm>
#include <set>

#include "kernel/resources/proto.hpp"
#include "kernel/resources/roles.hpp"

namespace resources {
namespace {

using Proto = mesos::v1::Resource;
using base::invalid;
using base::Status;

Status validate_scalar(const Proto& r) {
  if (!r.has_scalar() || r.has_ranges() || r.has_set()) return invalid("Invalid scalar resource");
  const double value = r.scalar().value();
  if (!Scalar::representable(value)) {
    return invalid("Invalid scalar resource: value is not a finite number of at most 1e15");
  }
  // Neither negative amounts nor ones that would silently become nothing.
  if (value != 0 && !Scalar::from_double(value).positive()) {
    return invalid("Invalid scalar resource: value <= 0");
  }
  return {};
}

Status validate_ranges(const Proto& r) {
  if (r.has_scalar() || !r.has_ranges() || r.has_set()) return invalid("Invalid ranges resource");
  std::vector<Range> ranges;
  for (const auto& range : r.ranges().range()) {
    if (range.begin() > range.end()) return invalid("Invalid ranges resource: begin > end");
    ranges.push_back({range.begin(), range.end()});
  }
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].begin <= ranges[i - 1].end) return invalid("Invalid ranges resource: overlapping ranges");
  }
  return {};
}

Status validate_set(const Proto& r) {
  if (r.has_scalar() || r.has_ranges() || !r.has_set()) return invalid("Invalid set resource");
  std::set<std::string_view> seen;
  for (const std::string& item : r.set().item()) {
    if (!seen.insert(item).second) return invalid("Invalid set resource: duplicated elements");
  }
  return {};
}

Status validate_value(const Proto& r) {
  switch (r.type()) {
    case mesos::v1::Value::SCALAR: return validate_scalar(r);
    case mesos::v1::Value::RANGES: return validate_ranges(r);
    case mesos::v1::Value::SET: return validate_set(r);
    default: return invalid("Unsupported resource type");
  }
}

Status validate_disk(const Proto& r) {
  if (!r.has_disk()) return {};
  if (r.name() != "disk") return invalid("DiskInfo should not be set for " + r.name() + " resource");
  if (!r.disk().has_source()) return {};
  using Source = Proto::DiskInfo::Source;
  const Source& source = r.disk().source();
  switch (source.type()) {
    case Source::PATH:
    case Source::MOUNT: return {};
    case Source::BLOCK:
    case Source::RAW: {
      const std::string type = Source::Type_Name(source.type());
      if (source.has_mount()) return invalid("Mount should not be set for " + type + " disk source");
      if (source.has_path()) return invalid("Path should not be set for " + type + " disk source");
      return {};
    }
    default: return invalid("Unsupported 'DiskInfo.Source.Type' in '" + source.ShortDebugString() + "'");
  }
}

// Format Pre: `role`, and `reservation` when it is dynamic.
Status validate_single_role(const Proto& r) {
  RETURN_IF_ERROR(validate_role(r.role()));
  if (!r.has_reservation()) return {};
  if (r.reservation().has_type()) {
    return invalid("'Resource.ReservationInfo.type' must not be set for the 'Resource.reservation' field");
  }
  if (r.reservation().has_role()) {
    return invalid("'Resource.ReservationInfo.role' must not be set for the 'Resource.reservation' field");
  }
  if (r.role() == "*") return invalid("Invalid reservation: role \"*\" cannot be dynamically reserved");
  return {};
}

Status validate_stack(const Proto& r) {
  for (const auto& reservation : r.reservations()) {
    if (!reservation.has_type()) {
      return invalid("Invalid reservation: 'Resource.ReservationInfo.type' field must be set.");
    }
    if (!reservation.has_role()) {
      return invalid("Invalid reservation: 'Resource.ReservationInfo.role' field must be set.");
    }
    if (reservation.type() == Proto::ReservationInfo::UNKNOWN) {
      return invalid("Unsupported 'Resource.ReservationInfo.Type'");
    }
    RETURN_IF_ERROR(validate_role(reservation.role()));
    if (reservation.role() == "*") return invalid("Invalid reservation: role \"*\" cannot be reserved");
  }
  for (int i = 1; i < r.reservations_size(); ++i) {
    if (r.reservations(i).type() == Proto::ReservationInfo::STATIC) {
      return invalid("Invalid refined reservation: A refined reservation cannot be STATIC");
    }
    const std::string &role = r.reservations(i).role(), &below = r.reservations(i - 1).role();
    if (!is_strict_subrole(role, below)) {
      return invalid("Invalid refined reservation: role '" + role + "' is not a refinement of '" + below + "'");
    }
  }
  return {};
}

std::multiset<std::pair<std::string, std::string>> unordered(const mesos::v1::Labels& labels) {
  std::multiset<std::pair<std::string, std::string>> out;
  for (const auto& label : labels.labels()) out.emplace(label.key(), label.value());
  return out;
}

// `role` and `reservation` may stand beside the stack when they say the same (format Endpoint).
Status validate_agreement(const Proto& r) {
  if (r.reservations_size() > 1) {
    for (auto [present, field] : {std::pair{r.has_role(), "role"}, {r.has_reservation(), "reservation"}}) {
      if (present) {
        return invalid("Invalid resource format: 'Resource." + std::string(field) + "' must not be set if there is" +
                       " more than one reservation in 'Resource.reservations'");
      }
    }
    return {};
  }
  const auto& top = r.reservations(0);
  if (r.has_role() && r.role() != top.role()) {
    return invalid("Invalid resource format: 'Resource.role' field with '" + r.role() + "' does not match the role '" +
                   top.role() + "' in 'Resource.reservations'");
  }
  if (top.type() == Proto::ReservationInfo::STATIC) {
    if (!r.has_reservation()) return {};
    return invalid("Invalid resource format: 'Resource.reservation' must not be set if the single reservation in"
                   " 'Resource.reservations' is STATIC");
  }
  if (r.has_role() != r.has_reservation()) {
    return invalid("Invalid resource format: 'Resource.role' and 'Resource.reservation' must either be both set or"
                   " both not set if the single reservation in 'Resource.reservations' is DYNAMIC");
  }
  if (!r.has_reservation()) return {};
  if (r.reservation().principal() != top.principal()) {
    return invalid("Invalid resource format: 'Resource.reservation.principal' field with '" +
                   r.reservation().principal() + "' does not match the principal '" + top.principal() +
                   "' in 'Resource.reservations'");
  }
  if (unordered(r.reservation().labels()) != unordered(top.labels())) {
    return invalid("Invalid resource format: 'Resource.reservation.labels' field with '" +
                   r.reservation().labels().ShortDebugString() + "' does not match the labels '" +
                   top.labels().ShortDebugString() + "' in 'Resource.reservations'");
  }
  return {};
}

Status validate_shared(const Proto& r) {
  if (!r.has_shared()) return {};
  if (r.name() != "disk") return invalid("Resource " + r.name() + " cannot be shared");
  if (!r.has_disk() || !r.disk().has_persistence()) return invalid("Only persistent volumes can be shared");
  return {};
}

}  // namespace

Status validate(const Proto& resource) {
  if (resource.name().empty()) return invalid("Empty resource name");
  RETURN_IF_ERROR(validate_value(resource));
  RETURN_IF_ERROR(validate_disk(resource));
  if (resource.reservations_size() == 0) {
    RETURN_IF_ERROR(validate_single_role(resource));
  } else {
    RETURN_IF_ERROR(validate_stack(resource));
    RETURN_IF_ERROR(validate_agreement(resource));
  }
  return validate_shared(resource);
}

Status validate(const ProtoResources& resources) {
  for (const Proto& resource : resources) {
    if (auto status = validate(resource); !status) {
      return invalid("Resource '" + resource.ShortDebugString() + "' is invalid: " + status.error().message);
    }
  }
  return {};
}

}  // namespace resources
