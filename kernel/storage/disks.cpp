#include "kernel/storage/disks.hpp"

#include <algorithm>
#include <set>

#include "base/strings.hpp"
#include "kernel/resources/proto.hpp"

namespace storage {
namespace {

using mesos::v1::ResourceProviderInfo;
using resources::DiskSource;
using resources::Resource;
using resources::Resources;

constexpr uint64_t kMegabyte = uint64_t{1} << 20;
constexpr size_t kMaxName = 100;

/// Part of a path, of a container's id and of a metric.
bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= kMaxName && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return isalnum(c) || c == '.' || c == '_' || c == '-'; });
}

const DiskSource* source_of(const Resource& resource) {
  const auto& disk = resource.kind.data().disk;
  return disk && disk->source ? &*disk->source : nullptr;
}

std::optional<resources::Labels> labels_of(const std::map<std::string, std::string>& context) {
  if (context.empty()) return std::nullopt;
  resources::Labels labels;
  for (const auto& [key, value] : context) labels.emplace_back(key, value);
  return labels;
}

/// Relative to the work directory, unless the plugin has a place of its own.
std::string root_of(const ResourceProviderInfo& info) {
  const auto& plugin = info.storage().plugin();
  return plugin.has_target_path_root() ? plugin.target_path_root() : mounts_root(info);
}

Resource raw_disk(const ResourceProviderInfo& info, uint64_t megabytes, DiskSource source) {
  resources::KindData data;
  data.name = "disk";
  data.type = resources::Type::Scalar;
  data.provider_id = info.id().value();
  source.type = DiskSource::Type::Raw;
  source.vendor = vendor_of(info);
  data.disk.emplace().source = std::move(source);
  for (const auto& wanted : info.default_reservations()) {
    resources::Reservation reservation;
    reservation.dynamic = wanted.type() == mesos::v1::Resource::ReservationInfo::DYNAMIC;
    reservation.role = wanted.role();
    if (wanted.has_principal()) reservation.principal = wanted.principal();
    data.reservations.push_back(std::move(reservation));
  }
  Resource out;
  out.kind = resources::Kind(std::move(data));
  out.scalar = resources::Scalar::from_double(static_cast<double>(megabytes));
  return out;
}

}  // namespace

base::Status validate_plugin(const mesos::v1::CSIPluginInfo& plugin, const std::string& where,
                             const std::vector<mesos::v1::CSIPluginContainerInfo::Service>& needed) {
  const auto field = [&where](const char* name) { return "'" + where + name + "'"; };
  constexpr const char* kNames = " must be of letters, digits, '.', '_' and '-', 100 at most";
  if (!is_name(plugin.type())) return base::invalid(field("type") + kNames);
  if (!is_name(plugin.name())) return base::invalid(field("name") + kNames);
  if (plugin.containers().empty() == plugin.endpoints().empty())
    return base::invalid("one of " + field("containers") + " and " + field("endpoints") + " must be set");
  std::map<int, int> serving;
  for (const auto& container : plugin.containers()) {
    if (!container.has_command()) return base::invalid(field("containers.command") + " must be set");
    if (container.services().empty()) return base::invalid(field("containers.services") + " must not be empty");
    for (const int service : container.services()) ++serving[service];
  }
  for (const auto& endpoint : plugin.endpoints()) {
    ++serving[endpoint.csi_service()];
    if (!endpoint.endpoint().starts_with("unix:") && !endpoint.endpoint().starts_with('/'))
      return base::invalid(field("endpoints.endpoint") + " must be a unix socket (unix:///path), not '" + endpoint.endpoint() + "'");
  }
  for (const auto service : {mesos::v1::CSIPluginContainerInfo::CONTROLLER_SERVICE, mesos::v1::CSIPluginContainerInfo::NODE_SERVICE}) {
    const bool must = std::find(needed.begin(), needed.end(), service) != needed.end();
    if (serving[service] > 1 || (must && serving[service] == 0))
      return base::invalid(field(plugin.endpoints().empty() ? "containers.services" : "endpoints.csi_service") + " must have " +
                           mesos::v1::CSIPluginContainerInfo::Service_Name(service) + (must ? " once" : " once at most"));
  }
  return {};
}

base::Status validate(const ResourceProviderInfo& info) {
  if (info.has_id()) return base::invalid("'id' must not be set: the agent chooses it");
  if (info.type() != kProviderType)
    return base::unsupported("'type' must be " + std::string(kProviderType) + ", not '" + info.type() + "'");
  if (!is_name(info.name())) return base::invalid("'name' must be of letters, digits, '.', '_' and '-', 100 at most");
  if (!info.has_storage()) return base::invalid("'storage' must be set");
  using Service = mesos::v1::CSIPluginContainerInfo;
  RETURN_IF_ERROR(validate_plugin(info.storage().plugin(), "storage.plugin.", {Service::CONTROLLER_SERVICE, Service::NODE_SERVICE}));
  for (const auto& reservation : info.default_reservations())
    if (!reservation.has_role() || reservation.role() == "*") return base::invalid("'default_reservations.role' must be a role");
  return {};
}

Resources apply_survey(const Resources& before, const Survey& survey, const ResourceProviderInfo& info,
                       std::vector<std::string>& warnings) {
  Resources after;
  std::set<std::string> known, found;
  std::map<std::string, double> reserved;  // free space by profile
  for (const FoundVolume& volume : survey.volumes) found.insert(volume.id);
  const auto by_default = static_cast<size_t>(info.default_reservations_size());
  for (const Resource& resource : before) {
    const DiskSource* source = source_of(resource);
    if (source == nullptr) continue;
    const bool raw = source->type == DiskSource::Type::Raw;
    // What operations made of the plugin's space: everything else comes anew.
    const bool counted_on = !raw || resource.kind.data().reservations.size() > by_default;
    if (source->id) {
      const bool there = !survey.lists_volumes || found.contains(*source->id);
      if (!there && !counted_on) continue;
      if (!there)
        warnings.push_back("the plugin no longer lists volume " + *source->id + ", which " + resources::text(resource) +
                           " stands for; operations and tasks on it will fail until it is back");
      known.insert(*source->id);
      after.add(resource);
    } else if (counted_on) {
      reserved[source->profile.value_or("")] += resource.scalar.value();
      after.add(resource);
    }
  }
  for (const auto& [profile, bytes] : survey.free_bytes) {
    const double space = static_cast<double>(bytes / kMegabyte) - reserved[profile];
    if (space < 0)
      warnings.push_back("of profile '" + profile + "' " + std::to_string(static_cast<int64_t>(-space)) +
                         " MB more are reserved than the plugin has");
    if (space < 1) continue;
    DiskSource source;
    source.profile = profile;
    after.add(raw_disk(info, static_cast<uint64_t>(space), std::move(source)));
  }
  for (const FoundVolume& volume : survey.volumes) {
    if (!known.insert(volume.id).second || volume.bytes < kMegabyte) continue;
    DiskSource source;
    source.id = volume.id;
    source.metadata = labels_of(volume.context);
    after.add(raw_disk(info, volume.bytes / kMegabyte, std::move(source)));
  }
  return after;
}

std::string vendor_of(const ResourceProviderInfo& info) {
  return info.storage().plugin().type() + "." + info.storage().plugin().name();
}

std::string mounts_root(const ResourceProviderInfo& info) {
  return "csi/" + info.storage().plugin().type() + "/" + info.storage().plugin().name() + "/mounts";
}

std::string targets_root(const std::string& work_dir, const ResourceProviderInfo& info) {
  const std::string root = root_of(info);
  return root.starts_with('/') ? root : work_dir + "/" + root;
}

std::string target_path(const std::string& root, const std::string& id) {
  // "." and ".." are all that percent-encoding leaves of a way out.
  const std::string name = id.find_first_not_of('.') == std::string::npos ? "%" + id : base::percent_encode(id);
  return root + "/" + name + "/target";
}

mesos::v1::Resource made_disk(const mesos::v1::Resource& source, const ResourceProviderInfo& info,
                              mesos::v1::Resource::DiskInfo::Source::Type type, const std::string& profile,
                              const std::string& id, const std::map<std::string, std::string>& context) {
  mesos::v1::Resource disk = source;
  auto& made = *disk.mutable_disk()->mutable_source();
  made.set_type(type);
  made.set_id(id);
  made.set_profile(profile);
  made.set_vendor(vendor_of(info));
  if (type == mesos::v1::Resource::DiskInfo::Source::MOUNT) made.mutable_mount()->set_root(root_of(info));
  made.clear_metadata();
  for (const auto& [key, value] : context) {
    auto& label = *made.mutable_metadata()->add_labels();
    label.set_key(key);
    label.set_value(value);
  }
  return disk;
}

mesos::v1::Resource unmade_disk(const mesos::v1::Resource& disk, bool deleted) {
  mesos::v1::Resource space = disk;
  auto& source = *space.mutable_disk()->mutable_source();
  source.set_type(mesos::v1::Resource::DiskInfo::Source::RAW);
  source.clear_mount();
  source.clear_path();
  if (deleted) {
    source.clear_id();
    source.clear_metadata();
  } else {
    source.clear_profile();
  }
  return space;
}

}  // namespace storage
