#include "kernel/agent/isolation.hpp"

#include <algorithm>

#include "base/file.hpp"
#include "base/json/proto.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/isolators/capability_names.hpp"
#include "kernel/containerizer/isolators/selection.hpp"

namespace agent {
namespace {

using base::Result;
using containerizer::IsolatorOptions;

/// "0x00AB".
Result<uint16_t> parse_handle(std::string_view text, const std::string& flag) {
  const std::string digits(base::trim(text));
  const bool valid = digits.starts_with("0x") && digits.size() > 2 && digits.size() <= 6 &&
                     digits.find_first_not_of("0123456789abcdefABCDEF", 2) == std::string::npos;
  if (!valid) return base::invalid("--" + flag + ": '" + digits + "' must be hexadecimal, 0x0001 to 0xffff");
  const auto number = static_cast<uint16_t>(strtoul(digits.c_str(), nullptr, 16));
  if (number == 0) return base::invalid("--" + flag + " must be at least 0x0001");
  return number;
}

base::Status add_classes(const Flags& flags, IsolatorOptions& out) {
  if (flags.cgroups_net_cls_primary_handle) {
    ASSIGN_OR_RETURN(out.net_cls_primary,
                     parse_handle(*flags.cgroups_net_cls_primary_handle, "cgroups_net_cls_primary_handle"));
  }
  if (!flags.cgroups_net_cls_secondary_handles) return {};
  const char* flag = "cgroups_net_cls_secondary_handles";
  const auto ends = base::split(*flags.cgroups_net_cls_secondary_handles, ',');
  if (ends.size() != 2) return base::invalid("--" + std::string(flag) + " must be first,last");
  if (out.net_cls_primary == 0) return base::invalid("--" + std::string(flag) + " needs --cgroups_net_cls_primary_handle");
  ASSIGN_OR_RETURN(out.net_cls_first, parse_handle(ends[0], flag));
  ASSIGN_OR_RETURN(out.net_cls_last, parse_handle(ends[1], flag));
  if (out.net_cls_first > out.net_cls_last) return base::invalid("--" + std::string(flag) + ": the first is above the last");
  return {};
}

base::Status add_xfs(const Flags& flags, IsolatorOptions& out) {
  std::string range = flags.xfs_project_range;
  const size_t dash = range.find('-');
  if (!range.starts_with('[') || !range.ends_with(']') || dash == std::string::npos)
    return base::invalid("--xfs_project_range must be [first-last]");
  const auto first = base::parse_uint(std::string_view(range).substr(1, dash - 1));
  const auto last = base::parse_uint(std::string_view(range).substr(dash + 1, range.size() - dash - 2));
  if (!first || !last || *first == 0 || *first > *last || *last > 0x7fffffff || *last - *first > 100'000)
    return base::invalid("--xfs_project_range must be [first-last] with 1 to 100000 projects above 0");
  out.first_project = static_cast<uint32_t>(*first);
  out.last_project = static_cast<uint32_t>(*last);
  const auto headroom = base::parse_bytes(flags.xfs_quota_headroom);
  if (!headroom) return headroom.error().with_context("--xfs_quota_headroom");
  out.xfs_headroom = *headroom;
  out.xfs_kill = flags.xfs_kill_containers;
  return {};
}

}  // namespace

Result<std::vector<unsigned>> find_gpus(const Flags& flags) {
  std::vector<unsigned> out;
  ASSIGN_OR_RETURN(const auto isolation, containerizer::Isolation::parse(flags.isolation));
  if (!isolation.has("gpu/nvidia")) return out;
  const auto take = [&out](std::string_view text) {
    const auto number = base::parse_uint(text);
    if (number && *number < 256) out.push_back(static_cast<unsigned>(*number));
    return number && *number < 256;
  };
  if (flags.nvidia_gpu_devices) {
    for (const auto word : base::tokenize(*flags.nvidia_gpu_devices, ','))
      if (!take(base::trim(word)) || !base::exists("/dev/nvidia" + std::to_string(out.back())))
        return base::invalid("--nvidia_gpu_devices: there is no /dev/nvidia" + std::string(base::trim(word)));
  } else {
    for (const auto& name : base::list_directory("/dev").value_or({}))
      if (name.starts_with("nvidia") && name.size() > 6) take(std::string_view(name).substr(6));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Result<std::shared_ptr<const containerizer::secrets::Resolver>> open_secrets(const Flags& flags) {
  if (flags.secret_command) return containerizer::secrets::open_command(*flags.secret_command);
  if (flags.secret_dir) return containerizer::secrets::open_directory(*flags.secret_dir);
  return std::shared_ptr<const containerizer::secrets::Resolver>();
}

Result<IsolatorOptions> make_isolator_options(const Flags& flags) {
  IsolatorOptions out;
  if (flags.effective_capabilities) {
    ASSIGN_OR_RETURN(out.effective_capabilities, containerizer::parse_capabilities(*flags.effective_capabilities));
  }
  if (flags.bounding_capabilities) {
    ASSIGN_OR_RETURN(out.bounding_capabilities, containerizer::parse_capabilities(*flags.bounding_capabilities));
  }
  out.seccomp_directory = flags.seccomp_config_dir.value_or("");
  out.seccomp_profile = flags.seccomp_profile_name.value_or("");
  if (flags.allowed_devices) RETURN_IF_ERROR(base::json::proto_from_json(*flags.allowed_devices, out.allowed_devices));
  out.pids_limit = flags.cgroups_pids_limit;
  if (flags.default_container_shm_size) {
    ASSIGN_OR_RETURN(out.shm_bytes, base::parse_bytes(*flags.default_container_shm_size));
  }
  out.share_agent_pids = !flags.disallow_sharing_agent_pid_namespace;
  out.share_agent_ipc = !flags.disallow_sharing_agent_ipc_namespace;
  const std::string created = flags.host_path_volume_force_creation.value_or("");
  for (const auto directory : base::tokenize(created, ':')) out.force_creation.emplace_back(directory);
  ASSIGN_OR_RETURN(out.secrets, open_secrets(flags));
  out.enforce_disk = flags.enforce_container_disk_quota;
  out.work_directory = flags.work_dir;
  out.userns_first_id = flags.userns_first_id;
  out.userns_containers = flags.userns_containers;
  RETURN_IF_ERROR(add_xfs(flags, out));
  RETURN_IF_ERROR(add_classes(flags, out));
  ASSIGN_OR_RETURN(out.gpus, find_gpus(flags));
  return out;
}

}  // namespace agent
