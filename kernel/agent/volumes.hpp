#pragma once

// Where the data of a persistent volume lies (pure).

#include <optional>
#include <string>

#include "base/result.hpp"
#include "kernel/api/mesos/v1/resources.pb.h"
#include "kernel/containerizer/containerizer.hpp"
#include "kernel/resources/kind.hpp"
#include "kernel/resources/resources.hpp"
#include "kernel/storage/disks.hpp"

namespace agent {

struct VolumePlace {
  std::string path;
  std::string root;        // must exist and is never made or removed
  bool whole_disk = false;  // `path` is `root`: its contents are the volume's
  std::optional<storage::DiskName> disk{};  // of a resource provider: it must be published before
  bool operator==(const VolumePlace&) const = default;
};

/// The disk of a resource provider that a resource is, or stands on.
std::optional<storage::DiskName> disk_name(const resources::Kind& kind);

/// Root disk: <work_dir>/volumes/roles/<role>/<id>; a PATH disk the same below its root; a MOUNT disk is the volume. Roots
/// may be relative to the work directory. Each '/' of a role is a space in its directory's name.
base::Result<VolumePlace> volume_place(const std::string& work_dir, const resources::Kind& volume);

/// Below which directories the data of volumes lies: the work directory, and the PATH disks among `resources`.
std::vector<std::string> volume_roots(const std::string& work_dir, const resources::Resources& resources);

/// How a container of `volume`'s task gets it.
base::Result<containerizer::VolumeMount> volume_mount(const std::string& work_dir, const mesos::v1::Resource& volume);

}  // namespace agent
