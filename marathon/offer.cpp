#include "marathon/offer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernel/api/mesos/v1/offers.pb.h"

namespace marathon {
namespace {

/// At most three decimals, half to even, no trailing zeros: how attributes compare.
std::string render_scalar(double value) {
  const double scaled = value * 1000;
  double rounded = std::nearbyint(scaled);
  std::string text = fmt::format("{:.3f}", rounded / 1000);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string reserved_role(const mesos::v1::Resource& resource) {
  if (resource.reservations_size() > 0) {
    return resource.reservations(resource.reservations_size() - 1).role();
  }
  return resource.has_role() ? resource.role() : "*";
}

/// Resources that only their owner may use, or that may be taken back, are not for ordinary instances.
bool is_plain(const mesos::v1::Resource& resource) {
  if (resource.has_revocable() || resource.has_shared()) return false;
  if (resource.has_disk() && (resource.disk().has_persistence() || resource.disk().has_volume())) return false;
  const auto ours = [](const mesos::v1::Labels& labels) {
    for (const auto& label : labels.labels()) {
      if (label.key() == kFrameworkLabel) return true;
    }
    return false;
  };
  for (const auto& reservation : resource.reservations()) {
    if (ours(reservation.labels())) return false;
  }
  return !ours(resource.reservation().labels());
}

std::string label_of(const mesos::v1::Labels& labels, std::string_view key) {
  for (const auto& label : labels.labels())
    if (label.key() == key) return label.value();
  return {};
}

void add_ports(Offer& offer, const mesos::v1::Resource& resource, const std::string& role, int index) {
  for (const auto& range : resource.ranges().range()) {
    if (range.begin() > range.end() || range.end() > 65535) continue;
    offer.ports.push_back({role, static_cast<int>(range.begin()), static_cast<int>(range.end()), index});
  }
}

/// Disks of other kinds are for whoever manages them.
void add_disk(Offer& offer, const mesos::v1::Resource& resource, const std::string& role, int index) {
  using Source = mesos::v1::Resource::DiskInfo::Source;
  const Source& source = resource.disk().source();
  if (source.type() != Source::PATH && source.type() != Source::MOUNT) return;
  const bool mount = source.type() == Source::MOUNT;
  offer.disks.push_back({role, mount ? DiskType::Mount : DiskType::Path, mount ? source.mount().root() : source.path().root(),
                         source.profile(), thousandths(resource.scalar().value()), index});
}

}  // namespace

std::string attribute_text(const mesos::v1::Attribute& attribute) {
  if (attribute.has_text()) return attribute.text().value();
  if (attribute.has_scalar()) return render_scalar(attribute.scalar().value());
  std::vector<std::string> pieces;
  if (attribute.has_ranges()) {
    std::vector<std::pair<uint64_t, uint64_t>> ranges;
    for (const auto& range : attribute.ranges().range()) ranges.emplace_back(range.begin(), range.end());
    std::sort(ranges.begin(), ranges.end());
    for (const auto& [begin, end] : ranges) pieces.push_back(fmt::format("{}-{}", begin, end));
    return fmt::format("[{}]", fmt::join(pieces, ","));
  }
  if (attribute.has_set()) {
    pieces.assign(attribute.set().item().begin(), attribute.set().item().end());
    std::sort(pieces.begin(), pieces.end());
    return fmt::format("{{{}}}", fmt::join(pieces, ","));
  }
  return {};
}

Offer decode_offer(const mesos::v1::Offer& message, const std::string& framework) {
  Offer offer;
  offer.id = message.id().value();
  offer.agent_id = message.agent_id().value();
  offer.hostname = message.hostname();
  offer.region = message.domain().fault_domain().region().name();
  offer.zone = message.domain().fault_domain().zone().name();
  offer.role = message.has_allocation_info() ? message.allocation_info().role() : "*";
  for (const auto& attribute : message.attributes()) {
    offer.attributes[attribute.name()] = attribute_text(attribute);
  }
  for (int i = 0; i < message.resources_size(); ++i) {
    const mesos::v1::Resource& resource = message.resources(i);
    if (!framework.empty() && resource.reservations_size() > 0) {
      const auto& labels = resource.reservations(resource.reservations_size() - 1).labels();
      const std::string id = label_of(labels, kTaskLabel);
      if (!id.empty() && label_of(labels, kFrameworkLabel) == framework) offer.reserved[id].push_back(i);
    }
    if (!is_plain(resource)) continue;
    const std::string role = reserved_role(resource);
    if (resource.name() == "ports") {
      add_ports(offer, resource, role, i);
      continue;
    }
    if (resource.disk().has_source()) {
      add_disk(offer, resource, role, i);
      continue;
    }
    std::vector<ScalarPiece>* pieces = resource.name() == "cpus"   ? &offer.cpus
                                       : resource.name() == "mem"  ? &offer.mem
                                       : resource.name() == "disk" ? &offer.disk
                                       : resource.name() == "gpus" ? &offer.gpus
                                                                   : nullptr;
    if (pieces) pieces->push_back({role, thousandths(resource.scalar().value()), i});
  }
  const auto reserved_first = [](const auto& a, const auto& b) { return a.role != "*" && b.role == "*"; };
  for (auto* pieces : {&offer.cpus, &offer.mem, &offer.disk, &offer.gpus}) {
    std::stable_sort(pieces->begin(), pieces->end(), reserved_first);
  }
  std::stable_sort(offer.ports.begin(), offer.ports.end(), reserved_first);
  if (message.has_unavailability()) {
    const auto& window = message.unavailability();
    offer.unavailable_from = base::Time{base::Duration(window.start().nanoseconds())};
    if (window.has_duration()) {
      offer.unavailable_until =
          *offer.unavailable_from + base::Duration(window.duration().nanoseconds());
    }
  }
  offer.message = std::make_shared<const mesos::v1::Offer>(message);
  return offer;
}

std::optional<std::string> field_value(const Offer& offer, const std::string& field) {
  if (field == "hostname" || field == "@hostname") return offer.hostname;
  if (field == "@region") return offer.region.empty() ? std::nullopt : std::optional(offer.region);
  if (field == "@zone") return offer.zone.empty() ? std::nullopt : std::optional(offer.zone);
  const auto it = offer.attributes.find(field);
  return it == offer.attributes.end() ? std::nullopt : std::optional(it->second);
}

}  // namespace marathon
