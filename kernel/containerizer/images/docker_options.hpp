#pragma once

// `docker run` options in a DockerInfo's parameters (pure): what they mean without Docker. Those
// that mean nothing here are refused by name, except those that change nothing for the task.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernel/api/mesos/v1/containers.pb.h"
#include "kernel/containerizer/launch/launcher.hpp"
#include "kernel/containerizer/types.hpp"

namespace containerizer::images {

/// What Docker leaves to a container that is not privileged, without the making of devices, which is
/// for containers whose use of devices is limited (cgroups/devices).
extern const uint64_t kDefaultCapabilities, kMakeDevices;

struct DockerOptions {
  struct Volume {
    std::string source, target;
    bool read_only = false;
  };
  std::map<std::string, std::string> environment{};
  std::vector<Volume> volumes{};
  std::optional<std::string> user{}, working_directory{};
  std::optional<std::string> entrypoint{};
  std::optional<uint64_t> capabilities = kDefaultCapabilities;  // absent: all
  std::vector<launch::Limit> limits{};
  std::vector<std::pair<std::string, std::string>> tmpfs{};  // target, options
  std::vector<Volume> devices{};
  std::vector<std::string> groups{};
  uint64_t shm_bytes = 64 << 20;
  bool privileged = false, read_only = false, share_pids = false, share_ipc = false,
       no_new_privileges = false, seccomp_unconfined = false;
  bool may_make_devices = true;  // nobody took it away
  std::optional<uint64_t> pids{};  // processes and threads
  std::string cpuset_cpus{}, cpuset_mems{};
  std::optional<int64_t> memory_and_swap{};  // bytes; negative: no ceiling
  std::optional<uint64_t> swappiness{};
  std::map<std::string, std::string> sysctls{};  // "net/core/somaxconn" -> value
};

Result<DockerOptions> plan_docker_options(const mesos::v1::ContainerInfo::DockerInfo& docker);

}  // namespace containerizer::images
