#pragma once

// Volumes of source CSI_VOLUME: they exist without us, and containers that name them have them for as long as they run (pure).

#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/api/mesos/v1/containers.pb.h"
#include "kernel/api/mesos/v1/storage.pb.h"
#include "kernel/storage/records.pb.h"

namespace storage {

struct WantedVolume {
  std::string plugin;                      // type
  dcos::storage::v1::VolumeRecord volume;  // without target path
};

bool wants_volumes(const mesos::v1::ContainerInfo& container);

/// Those of a container, in the order of its volumes. Errors name the volume and what is wrong with it.
base::Result<std::vector<WantedVolume>> wanted_volumes(const mesos::v1::ContainerInfo& container);

/// May a plugin be used for such volumes by this description? Errors name the field.
base::Status validate(const mesos::v1::CSIPluginInfo& plugin);

/// How such a plugin is known to a Provider, which brings it up: its id is part of a container's and of a key.
mesos::v1::ResourceProviderInfo provider_info(const mesos::v1::CSIPluginInfo& plugin);

}  // namespace storage
