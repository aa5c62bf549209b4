#pragma once

// An app definition as values: what the user asked for, after normalisation. Field meanings follow the v2 API; defaults
// here are the API's defaults.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "marathon/path_id.hpp"

namespace marathon {

using Labels = std::map<std::string, std::string>;

/// By the name under which a definition uses it, or the variable that gets it.
using Secrets = std::map<std::string, std::string>;

/// A version is the time of the request that made it, in whole milliseconds.
using Version = base::Time;

enum class NetworkMode { Host, Bridge, Container };

struct Network {
  NetworkMode mode = NetworkMode::Host;
  std::string name;
  Labels labels;
  bool operator==(const Network&) const = default;
};

struct PortDefinition {
  int port = 0;                  // the service port; 0 is replaced when the app is stored
  std::string protocol = "tcp";  // tcp, udp or "udp,tcp"
  std::optional<std::string> name;
  Labels labels;
  bool operator==(const PortDefinition&) const = default;
};

struct PortMapping {
  int container_port = 0;
  std::optional<int> host_port;  // 0: any; absent: not published on the host
  int service_port = 0;
  std::string protocol = "tcp";
  std::optional<std::string> name;
  Labels labels;
  std::vector<std::string> network_names;
  bool operator==(const PortMapping&) const = default;
};

enum class ConstraintOperator { Unique, Cluster, GroupBy, Like, Unlike, MaxPer, Is };

struct Constraint {
  std::string field;
  ConstraintOperator op = ConstraintOperator::Unique;
  std::optional<std::string> value;
  bool operator==(const Constraint&) const = default;
};

enum class DiskType { Root, Path, Mount };

/// What a persistent volume is made of: a piece of the root disk or of a disk with a path, or the whole of a mounted one.
struct PersistentDisk {
  int64_t size_mb = 0;
  DiskType type = DiskType::Root;
  std::optional<int64_t> max_size_mb;       // mounted disks that are larger are left alone
  std::optional<std::string> profile_name;  // absent: only disks without one
  std::vector<Constraint> constraints;      // of the disk's path: LIKE and UNLIKE
  bool operator==(const PersistentDisk&) const = default;
};

struct Volume {
  std::string container_path;
  std::string host_path;
  std::string mode = "RO";
  std::string secret;                    // a file with that secret of the app's; has no host path
  std::optional<PersistentDisk> persistent;  // has no host path
  bool operator==(const Volume&) const = default;
};

struct Parameter {
  std::string key, value;
  bool operator==(const Parameter&) const = default;
};

enum class ContainerType { Docker, Mesos };

struct Seccomp {
  std::optional<std::string> profile_name;  // of a file on the agent
  bool unconfined = false;
  bool operator==(const Seccomp&) const = default;
};

struct IpcInfo {
  bool share_parent = false;
  std::optional<int> shm_size_mb;
  bool operator==(const IpcInfo&) const = default;
};

struct LinuxInfo {
  std::optional<Seccomp> seccomp;
  std::optional<IpcInfo> ipc;
  bool operator==(const LinuxInfo&) const = default;
};

struct Container {
  ContainerType type = ContainerType::Docker;
  std::string image;  // empty: none
  std::string pull_secret;  // with logins of registries; empty: the agent's own
  bool force_pull_image = false;
  bool privileged = false;
  std::vector<Parameter> parameters;
  std::vector<PortMapping> port_mappings;
  std::vector<Volume> volumes;
  std::optional<LinuxInfo> linux_info;
  bool operator==(const Container&) const = default;
};

enum class HealthProtocol { Http, Https, Tcp, Command, MesosHttp, MesosHttps, MesosTcp };

/// Checks that the scheduler itself runs; the others run beside the task.
constexpr bool runs_in_scheduler(HealthProtocol protocol) {
  return protocol == HealthProtocol::Http || protocol == HealthProtocol::Https ||
         protocol == HealthProtocol::Tcp;
}

struct HealthCheck {
  HealthProtocol protocol = HealthProtocol::Http;
  std::optional<std::string> path;
  std::optional<int> port;
  std::optional<int> port_index;
  std::string command;
  int grace_period_seconds = 300;
  int interval_seconds = 60;
  int timeout_seconds = 20;
  int max_consecutive_failures = 3;
  int delay_seconds = 15;
  bool ignore_http_1xx = false;
  bool ipv6 = false;
  bool operator==(const HealthCheck&) const = default;
};

/// A shell line, or arguments; of the two exactly one is given.
struct CommandLine {
  std::optional<std::string> shell;
  std::vector<std::string> argv;
  bool operator==(const CommandLine&) const = default;
};

enum class CheckKind { Http, Tcp, Command };

/// Runs beside the task, by its executor. What it finds is told and changes nothing.
struct Check {
  CheckKind kind = CheckKind::Http;
  std::optional<int> port, port_index;  // of an app: Http, Tcp
  std::string endpoint;                 // of a pod's container: Http, Tcp
  std::optional<std::string> path;      // Http
  CommandLine command;                  // Command
  int interval_seconds = 60;
  int timeout_seconds = 20;
  int delay_seconds = 15;
  bool operator==(const Check&) const = default;
};

struct ReadinessCheck {
  std::string name = "readinessCheck";
  bool https = false;
  std::string path = "/";
  std::string port_name = "http-api";
  int interval_seconds = 30;
  int timeout_seconds = 10;
  std::vector<int> ready_codes{200};
  bool preserve_last_response = false;
  bool operator==(const ReadinessCheck&) const = default;
};

struct FetchUri {
  std::string uri;
  bool extract = true;
  bool executable = false;
  bool cache = false;
  std::string dest_path;
  bool operator==(const FetchUri&) const = default;
};

struct UpgradeStrategy {
  double minimum_health_capacity = 1;
  double maximum_over_capacity = 1;
  bool operator==(const UpgradeStrategy&) const = default;
};

struct UnreachableStrategy {
  bool disabled = false;
  int64_t inactive_after_seconds = 0;
  int64_t expunge_after_seconds = 0;
  bool operator==(const UnreachableStrategy&) const = default;
};

enum class KillSelection { YoungestFirst, OldestFirst };

struct ResourceLimits {
  // Infinity is "unlimited".
  std::optional<double> cpus, mem;
  bool operator==(const ResourceLimits&) const = default;
};

struct ExecutorResources {
  double cpus = 0.1, mem = 32, disk = 10;
  bool operator==(const ExecutorResources&) const = default;
};

/// How a deployment of the app is watched. Ours: absent from the original's API, and without effect at the defaults.
struct DeploymentRules {
  int64_t progress_deadline_seconds = 0;  // without progress for so long it fails; 0: --deployment_progress_deadline
  bool auto_revert = false;               // and then the former definition comes back
  int64_t min_healthy_seconds = 0;        // an instance counts when it has been ready for so long
  int64_t canary = 0;  // so many of a new version run beside the old ones until somebody promotes it; 0: no such wait
  bool operator==(const DeploymentRules&) const = default;
};

struct Pod;

/// What is kept running: an app, or a pod, which has no command and container of its own but several in `pod`.
struct App {
  PathId id;
  std::shared_ptr<const Pod> pod;  // null: an app
  std::optional<std::string> cmd;
  std::vector<std::string> args;
  std::optional<std::string> user;
  std::map<std::string, std::string> env;
  Secrets env_secrets;  // variable to the name of the secret that it gets
  Secrets secrets;      // name to its source, which the agent looks up: values are never here
  int64_t instances = 1;
  double cpus = 1;
  double mem = 128;
  double disk = 0;
  int gpus = 0;
  std::string executor;  // "//cmd" or the path of a program; empty: --executor
  std::optional<ExecutorResources> executor_resources;  // what that program gets beside the task
  std::vector<Constraint> constraints;
  std::vector<FetchUri> fetch;
  std::vector<PortDefinition> port_definitions;  // host networking only
  bool require_ports = false;
  std::vector<Network> networks;
  std::optional<Container> container;
  std::vector<HealthCheck> health_checks;
  std::optional<Check> check;
  std::vector<ReadinessCheck> readiness_checks;
  std::vector<PathId> dependencies;
  UpgradeStrategy upgrade_strategy;
  Labels labels;
  std::vector<std::string> accepted_resource_roles;
  std::string role = "*";
  double backoff_seconds = 1;  // whole seconds for apps
  double backoff_factor = 1.15;
  double max_launch_delay_seconds = 300;
  std::optional<int64_t> task_kill_grace_period_seconds;
  KillSelection kill_selection = KillSelection::YoungestFirst;
  UnreachableStrategy unreachable_strategy;
  std::optional<bool> tty;
  std::optional<ResourceLimits> resource_limits;
  DeploymentRules deployment;

  Version version;
  Version last_scaling_at;
  Version last_config_change_at;
};

using AppPtr = std::shared_ptr<const App>;

inline bool uses_host_network(const App& app) {
  return app.networks.empty() || app.networks.front().mode == NetworkMode::Host;
}

/// A persistent volume of an app, or of a pod, at its path in the sandbox of the task or of the pod's executor.
struct PersistentVolume {
  std::string path;
  PersistentDisk disk;
  bool operator==(const PersistentVolume&) const = default;
};
std::vector<PersistentVolume> persistent_volumes(const App& app);

/// It has persistent volumes: its instances stay where these are.
bool is_resident(const App& app);

/// Its instances are only ready when checks say so.
bool has_health_checks(const App& app);

/// The number of ports the app declares, in its definitions, its container's mappings or its pod's endpoints.
size_t port_count(const App& app);

/// True when the two differ in more than the number of instances and the versions: their tasks must be replaced.
/// `in_place`: differences that tasks do not see (labels, strategies, delays, placement, dependencies) do not count.
bool needs_restart(const App& from, const App& to, bool in_place = false);

}  // namespace marathon
