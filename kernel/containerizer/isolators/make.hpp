#pragma once

// The isolators that there are, and what they need to know of the flags.

#include <memory>

#include "base/time.hpp"
#include "kernel/api/mesos/v1/containers.pb.h"
#include "kernel/containerizer/isolators/isolator.hpp"
#include "kernel/containerizer/secrets/secrets.hpp"

namespace containerizer {

struct IsolatorOptions {
  std::optional<uint64_t> effective_capabilities{}, bounding_capabilities{};  // masks; absent: all
  std::string seccomp_directory{};         // of profiles; empty: none
  std::string seccomp_profile{};           // of containers that name none; empty: only Docker's kind has one
  mesos::v1::DeviceWhitelist allowed_devices{};
  std::optional<uint64_t> pids_limit{};    // processes and threads per container
  uint64_t shm_bytes = 64 << 20;
  bool share_agent_pids = true, share_agent_ipc = true;  // what a container may ask for
  std::vector<std::string> force_creation{};             // host paths below these are made
  std::shared_ptr<const secrets::Resolver> secrets{};    // null: secrets by value only

  bool enforce_disk = false;               // disk/du ends containers, disk/xfs refuses their writes
  std::string work_directory = "/";        // for disk/xfs: what is below is counted; for namespaces/user: is shown with other ids
  uint32_t first_project = 5000, last_project = 10000;
  bool xfs_kill = false;                   // end containers instead of refusing writes
  uint64_t xfs_headroom = 10 << 20;        // how far beyond they get until then
  std::vector<unsigned> gpus{};            // numbers of /dev/nvidiaN
  std::string device_directory = "/dev";
  uint32_t userns_first_id = 1879048192, userns_containers = 4000;  // multiples of 65536; how many blocks of as many
  uint16_t net_cls_primary = 0;            // 0: containers have no class
  uint16_t net_cls_first = 1, net_cls_last = 0xffff;
};

using IsolatorPtr = std::unique_ptr<Isolator>;

IsolatorPtr make_posix_rlimits();
IsolatorPtr make_linux_capabilities(const IsolatorOptions& options);
IsolatorPtr make_linux_nnp();
IsolatorPtr make_linux_seccomp(const IsolatorOptions& options);
IsolatorPtr make_linux_devices(const IsolatorOptions& options);
IsolatorPtr make_namespaces_pid(const IsolatorOptions& options);
IsolatorPtr make_namespaces_ipc(const IsolatorOptions& options);
IsolatorPtr make_volume_host_path(const IsolatorOptions& options);
IsolatorPtr make_volume_sandbox_path();
IsolatorPtr make_volume_image();
IsolatorPtr make_volume_csi();
IsolatorPtr make_volume_secret(const IsolatorOptions& options);
IsolatorPtr make_environment_secret(const IsolatorOptions& options);
IsolatorPtr make_cgroups_devices(const IsolatorOptions& options);
IsolatorPtr make_cgroups_pids(const IsolatorOptions& options);
IsolatorPtr make_cgroups_cpuset();
IsolatorPtr make_cgroups_net_cls(const IsolatorOptions& options);
IsolatorPtr make_disk_du(const IsolatorOptions& options);
IsolatorPtr make_gpu_nvidia(const IsolatorOptions& options);

/// The file of a runtime directory that has the container's XFS project.
constexpr const char* kXfsProjectFile = "xfs_project";

/// The XFS project that the directory is in, when its space is limited; none on other file systems.
std::optional<uint32_t> limited_xfs_project(const std::string& directory);

/// An error when the work directory's file system does not count space by project.
Result<IsolatorPtr> make_disk_xfs(const IsolatorOptions& options);

/// An error when this machine cannot give containers ids of their own. `possible`: there are namespaces to be had.
Result<IsolatorPtr> make_namespaces_user(const IsolatorOptions& options, bool possible);

}  // namespace containerizer
