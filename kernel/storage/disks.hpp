#pragma once

// From what a storage plugin has to the resources of its provider (pure).

#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/api/mesos/v1/offers.pb.h"
#include "kernel/api/mesos/v1/storage.pb.h"
#include "kernel/resources/resources.hpp"

namespace storage {

/// The type of a provider of disks.
inline constexpr const char* kProviderType = "org.apache.mesos.rp.local.storage";

/// A disk of a provider, by the provider's id and the volume's.
struct DiskName {
  std::string provider;
  std::string volume;
  bool operator==(const DiskName&) const = default;
};

/// May a provider be run by this description? Errors name the field.
base::Status validate(const mesos::v1::ResourceProviderInfo& info);

/// `where` is put before the names of fields; each service of `needed` must be served once, others once at most.
base::Status validate_plugin(const mesos::v1::CSIPluginInfo& plugin, const std::string& where,
                             const std::vector<mesos::v1::CSIPluginContainerInfo::Service>& needed);

/// A volume that the plugin has.
struct FoundVolume {
  std::string id;
  uint64_t bytes = 0;
  std::map<std::string, std::string> context;
};

/// What a plugin said of itself.
struct Survey {
  std::map<std::string, uint64_t> free_bytes;  // by profile: what volumes may still be made of
  bool lists_volumes = false;                  // the next list is complete
  std::vector<FoundVolume> volumes;
};

/// `before` as it is after the survey: free space of each profile anew, apart from what is reserved of it; new volumes
/// as RAW disks with an id; disks that operations made as they are. What the plugin no longer has and somebody counts on
/// is said in `warnings`.
resources::Resources apply_survey(const resources::Resources& before, const Survey& survey,
                                  const mesos::v1::ResourceProviderInfo& info, std::vector<std::string>& warnings);

/// "<plugin type>.<plugin name>", as in disk.source.vendor.
std::string vendor_of(const mesos::v1::ResourceProviderInfo& info);

/// Where volumes of the provider are mounted, below the work directory: "csi/<plugin type>/<plugin name>/mounts".
std::string mounts_root(const mesos::v1::ResourceProviderInfo& info);

/// The same as the plugin's description may have it elsewhere, absolute.
std::string targets_root(const std::string& work_dir, const mesos::v1::ResourceProviderInfo& info);

/// Where volume `id` is mounted below such a root.
std::string target_path(const std::string& root, const std::string& id);

/// `source` as CREATE_DISK makes it: the volume `id`, mounted or as a block device.
mesos::v1::Resource made_disk(const mesos::v1::Resource& source, const mesos::v1::ResourceProviderInfo& info,
                              mesos::v1::Resource::DiskInfo::Source::Type type, const std::string& profile,
                              const std::string& id, const std::map<std::string, std::string>& context);

/// `disk` as DESTROY_DISK leaves it: free space of its profile, or, when the plugin keeps the volume, its volume.
mesos::v1::Resource unmade_disk(const mesos::v1::Resource& disk, bool deleted);

}  // namespace storage
