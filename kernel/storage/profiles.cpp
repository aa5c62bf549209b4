#include "kernel/storage/profiles.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "base/json/value.hpp"

namespace storage {
namespace {

namespace json = boost::json;
using csi::v1::VolumeCapability;

constexpr size_t kMaxProfiles = 1000;

const json::object* object_at(const json::value& root, const char* pointer) {
  const json::value* value = base::json::find(root, pointer);
  return value != nullptr ? value->if_object() : nullptr;
}

base::Status read_selector(const json::value& item, Profile& out) {
  const bool by_type = object_at(item, "/csi_plugin_type_selector") != nullptr;
  const json::value* list = base::json::find(item, "/resource_provider_selector/resource_providers");
  if (by_type == (list != nullptr))
    return base::invalid("needs one of csi_plugin_type_selector and resource_provider_selector.resource_providers");
  if (by_type) {
    ASSIGN_OR_RETURN(out.plugin_type, base::json::get_string(item, "/csi_plugin_type_selector/plugin_type"));
    return {};
  }
  if (!list->is_array() || list->get_array().empty()) return base::invalid("resource_providers must be a list that is not empty");
  for (const json::value& provider : list->get_array()) {
    ASSIGN_OR_RETURN(std::string type, base::json::get_string(provider, "/type"));
    ASSIGN_OR_RETURN(std::string name, base::json::get_string(provider, "/name"));
    out.providers.emplace_back(std::move(type), std::move(name));
  }
  return {};
}

base::Status read_capability(const json::value& item, VolumeCapability& out) {
  const json::object* mount = object_at(item, "/volume_capabilities/mount");
  const bool block = object_at(item, "/volume_capabilities/block") != nullptr;
  if ((mount != nullptr) == block) return base::invalid("volume_capabilities needs one of mount and block");
  if (block) {
    (void)out.mutable_block();
  } else {
    auto& wanted = *out.mutable_mount();
    if (mount->contains("fs_type")) {
      ASSIGN_OR_RETURN(*wanted.mutable_fs_type(), base::json::get_string(item, "/volume_capabilities/mount/fs_type"));
    }
    if (const json::value* flags = mount->if_contains("mount_flags")) {
      if (!flags->is_array()) return base::invalid("volume_capabilities.mount.mount_flags must be a list of strings");
      for (const json::value& flag : flags->get_array()) {
        if (!flag.is_string()) return base::invalid("volume_capabilities.mount.mount_flags must be a list of strings");
        wanted.add_mount_flags(std::string(flag.get_string()));
      }
    }
  }
  ASSIGN_OR_RETURN(const std::string mode, base::json::get_string(item, "/volume_capabilities/access_mode/mode"));
  VolumeCapability::AccessMode::Mode parsed{};
  if (!VolumeCapability::AccessMode::Mode_Parse(mode, &parsed) || parsed == VolumeCapability::AccessMode::UNKNOWN)
    return base::invalid("volume_capabilities.access_mode.mode '" + mode + "' is not one of CSI's, such as SINGLE_NODE_WRITER");
  out.mutable_access_mode()->set_mode(parsed);
  return {};
}

base::Result<Profile> read_profile(const json::value& item) {
  Profile profile;
  if (!item.is_object()) return base::invalid("must be an object");
  RETURN_IF_ERROR(read_selector(item, profile));
  RETURN_IF_ERROR(read_capability(item, profile.capability));
  const json::value* parameters = base::json::find(item, "/create_parameters");
  if (parameters == nullptr) return profile;
  if (!parameters->is_object()) return base::invalid("create_parameters must be an object of strings");
  for (const auto& [key, value] : parameters->get_object()) {
    if (!value.is_string()) return base::invalid("create_parameters." + std::string(key) + " must be a string");
    profile.parameters[std::string(key)] = std::string(value.get_string());
  }
  return profile;
}

}  // namespace

bool Profile::selects(const mesos::v1::ResourceProviderInfo& info) const {
  if (!plugin_type.empty()) return info.storage().plugin().type() == plugin_type;
  return std::any_of(providers.begin(), providers.end(),
                     [&](const auto& each) { return each.first == info.type() && each.second == info.name(); });
}

base::Result<Profiles> parse_profiles(std::string_view text) {
  ASSIGN_OR_RETURN(const json::value root, base::json::parse(text));
  const json::object* matrix = object_at(root, "/profile_matrix");
  if (matrix == nullptr) return base::invalid("the member profile_matrix, an object, is missing");
  if (matrix->size() > kMaxProfiles)
    return base::invalid("profile_matrix has more than " + std::to_string(kMaxProfiles) + " profiles");
  Profiles out;
  for (const auto& [name, item] : *matrix) {
    if (name.empty()) return base::invalid("a profile without a name");
    auto profile = read_profile(item);
    if (!profile) return profile.error().with_context("profile '" + std::string(name) + "'");
    out.emplace(std::string(name), std::move(*profile));
  }
  return out;
}

Profiles profiles_for(const Profiles& all, const mesos::v1::ResourceProviderInfo& info) {
  Profiles out;
  for (const auto& [name, profile] : all)
    if (profile.selects(info)) out.emplace(name, profile);
  return out;
}

}  // namespace storage
