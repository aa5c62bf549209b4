#include "kernel/storage/claims.hpp"

#include <algorithm>
#include <set>

#include "base/strings.hpp"
#include "kernel/storage/disks.hpp"

namespace storage {
namespace {

using mesos::v1::Volume;
using AccessMode = csi::v1::VolumeCapability::AccessMode;

constexpr int kMaxVolumes = 16;          // of a container
constexpr size_t kMaxId = 128;           // bytes, as the interface has it
constexpr size_t kMaxText = 4096;        // of a map and of mount flags, as the interface has it

bool for_readers(AccessMode::Mode mode) {
  return mode == AccessMode::SINGLE_NODE_READER_ONLY || mode == AccessMode::MULTI_NODE_READER_ONLY;
}

template <class Map>
size_t size_of(const Map& map) {
  size_t size = 0;
  for (const auto& [key, value] : map) size += key.size() + value.size();
  return size;
}

base::Result<WantedVolume> wanted_volume(const Volume& volume) {
  if (!volume.source().has_csi_volume()) return base::invalid("'source.csi_volume' is not set");
  const auto& asked = volume.source().csi_volume();
  if (!asked.has_static_provisioning()) return base::invalid("'source.csi_volume.static_provisioning' is not set");
  const auto& how = asked.static_provisioning();
  if (how.volume_id().empty() || how.volume_id().size() > kMaxId)
    return base::invalid("'source.csi_volume.static_provisioning.volume_id' must have 1 to 128 bytes");
  if (size_of(how.volume_context()) > kMaxText)
    return base::invalid("'source.csi_volume.static_provisioning.volume_context' has more than 4 KiB");
  WantedVolume out;
  out.plugin = asked.plugin_name();
  out.volume.set_plugin(out.plugin);
  out.volume.set_id(how.volume_id());
  out.volume.set_pre_provisioned(true);
  // Fields and numbers are the same.
  if (!out.volume.mutable_capability()->ParseFromString(how.volume_capability().SerializeAsString()))
    return base::invalid("'source.csi_volume.static_provisioning.volume_capability' is not valid");
  if (!out.volume.capability().has_mount())
    return base::unsupported("'source.csi_volume.static_provisioning.volume_capability' must be a mount: containers are given "
                             "file systems, not block devices");
  const auto mode = out.volume.capability().access_mode().mode();
  if (mode == AccessMode::UNKNOWN)
    return base::invalid("'source.csi_volume.static_provisioning.volume_capability.access_mode.mode' must be set");
  if (for_readers(mode) && volume.mode() == Volume::RW)
    return base::invalid("Cannot use the read-only volume '" + how.volume_id() + "' in read-write mode");
  out.volume.set_read_only(volume.mode() == Volume::RO);
  *out.volume.mutable_volume_context() = how.volume_context();
  *out.volume.mutable_stage_secrets() = how.node_stage_secrets();
  *out.volume.mutable_publish_secrets() = how.node_publish_secrets();
  return out;
}

}  // namespace

bool wants_volumes(const mesos::v1::ContainerInfo& container) {
  return std::any_of(container.volumes().begin(), container.volumes().end(),
                     [](const Volume& volume) { return volume.source().type() == Volume::Source::CSI_VOLUME; });
}

base::Result<std::vector<WantedVolume>> wanted_volumes(const mesos::v1::ContainerInfo& container) {
  std::vector<WantedVolume> out;
  std::set<std::pair<std::string, std::string>> seen;
  for (const auto& volume : container.volumes()) {
    if (volume.source().type() != Volume::Source::CSI_VOLUME) continue;
    const std::string where = "volume " + base::valid_utf8(volume.container_path());
    if (container.type() != mesos::v1::ContainerInfo::MESOS)
      return base::unsupported(where + ": only containers of type MESOS have volumes of storage plugins");
    auto wanted = wanted_volume(volume);
    if (!wanted) return wanted.error().with_context(where);
    if (!seen.emplace(wanted->plugin, wanted->volume.id()).second)
      return base::invalid(where + ": Found duplicate CSI volume with plugin '" + wanted->plugin + "' and volume ID '" +
                           wanted->volume.id() + "'");
    out.push_back(std::move(*wanted));
    if (out.size() > kMaxVolumes) return base::invalid("a container has at most 16 volumes of storage plugins");
  }
  return out;
}

base::Status validate(const mesos::v1::CSIPluginInfo& plugin) {
  return validate_plugin(plugin, "", {mesos::v1::CSIPluginContainerInfo::NODE_SERVICE});
}

mesos::v1::ResourceProviderInfo provider_info(const mesos::v1::CSIPluginInfo& plugin) {
  mesos::v1::ResourceProviderInfo info;
  // Dots are between the names of containers inside each other, and dashes between what is put together here.
  std::string id = plugin.type();
  std::replace(id.begin(), id.end(), '.', '=');
  std::replace(id.begin(), id.end(), '-', '+');
  info.mutable_id()->set_value("plugin-" + id);
  info.set_type("plugin");
  info.set_name(plugin.type());
  *info.mutable_storage()->mutable_plugin() = plugin;
  return info;
}

}  // namespace storage
