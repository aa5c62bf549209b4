#pragma once

// What a pod has beside what it shares with apps: containers that run on one agent, in one network, with volumes
// between them. Field meanings and defaults follow the v2 API.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "marathon/app.hpp"

namespace marathon {

struct PodEndpoint {
  std::string name;
  std::optional<int> container_port;  // absent on the host's network
  std::optional<int> host_port;       // 0: any; absent: not published on the host
  std::vector<std::string> protocols;
  Labels labels;
  std::vector<std::string> network_names;
  bool operator==(const PodEndpoint&) const = default;
};

struct PodImage {
  std::string id;
  std::string pull_secret;  // as Container::pull_secret
  std::optional<bool> force_pull;
  Labels labels;
  bool operator==(const PodImage&) const = default;
};

/// Runs beside the container, by its executor.
struct PodHealthCheck {
  CheckKind kind = CheckKind::Http;
  std::string endpoint;             // Http, Tcp
  std::optional<std::string> path;  // Http
  bool https = false;               // Http
  CommandLine command;               // Command
  int grace_period_seconds = 300;
  int interval_seconds = 60;
  int timeout_seconds = 20;
  int max_consecutive_failures = 3;
  int delay_seconds = 15;
  bool operator==(const PodHealthCheck&) const = default;
};

struct VolumeMount {
  std::string name;  // of the pod's volume
  std::string mount_path;
  std::optional<bool> read_only;
  bool operator==(const VolumeMount&) const = default;
};

struct PodContainer {
  std::string name;
  std::optional<CommandLine> command;  // absent: the image's own
  std::optional<bool> override_entrypoint;
  double cpus = 0, mem = 0, disk = 0;
  int gpus = 0;
  std::optional<ResourceLimits> limits;
  std::vector<PodEndpoint> endpoints;
  std::optional<PodImage> image;
  std::map<std::string, std::string> environment;
  Secrets environment_secrets;  // as App::env_secrets
  std::optional<std::string> user;
  std::optional<PodHealthCheck> health_check;
  std::optional<Check> check;
  std::vector<VolumeMount> volume_mounts;
  std::vector<FetchUri> artifacts;
  Labels labels;
  std::optional<double> kill_grace_period_seconds;
  std::optional<bool> tty;
  std::optional<LinuxInfo> linux_info;
  bool operator==(const PodContainer&) const = default;
};

struct PodVolume {
  std::string name;
  std::optional<std::string> host_path;  // absent: made for each instance, gone with it
  std::optional<std::string> secret;     // a file with that secret of the pod's
  std::optional<PersistentDisk> persistent;  // stays with the instance
  bool operator==(const PodVolume&) const = default;
};

struct Pod {
  std::vector<PodContainer> containers;
  std::vector<PodVolume> volumes;
  ExecutorResources executor;
  std::optional<LinuxInfo> linux_info;  // of the executor, which containers may share: no seccomp
  bool legacy_shared_cgroups = false;
  bool operator==(const Pod&) const = default;
};

/// The pod's endpoints in the order in which host ports are kept: by container, as written.
std::vector<const PodEndpoint*> endpoints_of(const Pod& pod);

/// The host ports that its endpoints ask for.
std::set<int> host_ports_of(const Pod& pod);

/// Sets the app's resources to what one instance of its pod needs: containers and executor.
void sum_resources(App& app);

}  // namespace marathon
