#pragma once

// Disk profiles: names that operators give to kinds of volumes, and what each means to a storage plugin (pure).

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "kernel/api/mesos/v1/storage.pb.h"
#include "kernel/storage/csi.pb.h"

namespace storage {

struct Profile {
  csi::v1::VolumeCapability capability;
  std::map<std::string, std::string> parameters;  // of CreateVolume
  // Which providers it is for: those of a plugin type, or these by type and name.
  std::string plugin_type;
  std::vector<std::pair<std::string, std::string>> providers;

  bool selects(const mesos::v1::ResourceProviderInfo& info) const;
};

using Profiles = std::map<std::string, Profile>;

/// The JSON of a profile matrix: {"profile_matrix": {"fast": {"csi_plugin_type_selector": {"plugin_type": ".."},
/// "volume_capabilities": {"mount": {}, "access_mode": {"mode": "SINGLE_NODE_WRITER"}}, "create_parameters": {..}}}}.
/// Errors name the profile and the member.
base::Result<Profiles> parse_profiles(std::string_view json);

/// Those of `all` that are for that provider.
Profiles profiles_for(const Profiles& all, const mesos::v1::ResourceProviderInfo& info);

}  // namespace storage
