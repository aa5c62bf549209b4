// Rules of pods beside those that apps have too.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "marathon/pod.hpp"
#include "marathon/validation.hpp"

namespace marathon {
namespace {

constexpr size_t kMaxContainers = 100;

/// Adds `message` when a value comes twice.
template <class T>
class Unique {
 public:
  void add(const T& value) { twice_ |= !seen_.insert(value).second; }
  void report(std::string_view path, const char* message, Violations& out) const {
    if (twice_) out.add(path, message);
  }

 private:
  std::set<T> seen_;
  bool twice_ = false;
};

bool has_mode(const App& pod, NetworkMode mode) {
  return std::any_of(pod.networks.begin(), pod.networks.end(), [&](const Network& n) { return n.mode == mode; });
}

void validate_endpoint(const App& pod, const PodEndpoint& endpoint, const std::string& path, Violations& out) {
  if (uses_host_network(pod) && endpoint.container_port) {
    out.add(path + "/containerPort", "is not allowed when using host-mode networking");
  }
  if (has_mode(pod, NetworkMode::Container) && !endpoint.container_port) {
    out.add(path + "/containerPort", "is required when using container-mode networking");
  }
  const std::set<std::string> protocols(endpoint.protocols.begin(), endpoint.protocols.end());
  if (protocols.size() != endpoint.protocols.size()) {
    out.add(path + "/protocol", "Duplicate protocols within the same endpoint are not allowed");
  }
  for (size_t i = 0; i < endpoint.network_names.size(); ++i) {
    const auto known = [&](const Network& n) { return n.name == endpoint.network_names[i] && !n.name.empty(); };
    if (std::none_of(pod.networks.begin(), pod.networks.end(), known)) {
      std::vector<std::string> names;
      for (const Network& network : pod.networks) {
        if (!network.name.empty()) names.push_back(network.name);
      }
      out.add(fmt::format("{}/networkNames({})", path, i), fmt::format("is not one of ({})", fmt::join(names, ",")));
    }
  }
  if (has_mode(pod, NetworkMode::Container) && pod.networks.size() > 1 && endpoint.host_port &&
      endpoint.network_names.size() != 1) {
    out.add(path,
            "networkNames must be a single item list when hostPort is specified and more than 1 container network is "
            "defined");
  }
}

bool has_endpoint(const PodContainer& container, const std::string& name) {
  return std::any_of(container.endpoints.begin(), container.endpoints.end(),
                     [&](const PodEndpoint& endpoint) { return endpoint.name == name; });
}

void validate_container_check(const PodContainer& container, const std::string& path, Violations& out) {
  if (!container.check || container.check->kind == CheckKind::Command || has_endpoint(container, container.check->endpoint)) return;
  out.add(path + (container.check->kind == CheckKind::Http ? "/http/endpoint" : "/tcp/endpoint"),
          "contained in the container endpoints");
}

void validate_health_check(const PodContainer& container, const std::string& path, Violations& out) {
  if (!container.health_check) return;
  const PodHealthCheck& check = *container.health_check;
  if (check.timeout_seconds >= check.interval_seconds) {
    out.add(path + "/timeoutSeconds",
            fmt::format("got {}, expected less than {}", check.timeout_seconds, check.interval_seconds));
  }
  if (check.kind == CheckKind::Command) return;
  if (!has_endpoint(container, check.endpoint)) {
    out.add(path + (check.kind == CheckKind::Http ? "/http/endpoint" : "/tcp/endpoint"),
            "contained in the container endpoints");
  }
}

void validate_container(const App& pod, const PodContainer& container, const ValidationPolicy& policy, const std::string& path,
                        Violations& out) {
  if (!container.command && !container.image) {
    out.add(path, "must have a command in 'exec', or an image that brings one");
  }
  if (container.command && container.command->shell && container.override_entrypoint == false) {
    out.add(path + "/exec/overrideEntrypoint", "must not be false with a shell command");
  }
  for (size_t i = 0; i < container.endpoints.size(); ++i) {
    validate_endpoint(pod, container.endpoints[i], fmt::format("{}/endpoints({})", path, i), out);
  }
  std::set<std::string> paths;
  for (size_t i = 0; i < container.volume_mounts.size(); ++i) {
    const VolumeMount& mount = container.volume_mounts[i];
    const std::string at = fmt::format("{}/volumeMounts({})", path, i);
    const auto known = [&](const PodVolume& volume) { return volume.name == mount.name; };
    if (std::none_of(pod.pod->volumes.begin(), pod.pod->volumes.end(), known)) {
      out.add(at + "/name", "Referenced Volume in VolumeMount should exist");
    }
    if (!paths.insert(mount.mount_path).second) out.add(at + "/mountPath", "is the path of another volume");
  }
  validate_limits(container.limits, container.cpus, container.mem, path + "/resourceLimits", out);
  if (container.limits && pod.pod->legacy_shared_cgroups) {
    out.add(path + "/resourceLimits", "resourceLimits cannot be defined if legacySharedCgroups is enabled");
  }
  validate_environment(container.environment, path + "/environment", out);
  validate_secret_variables(container.environment_secrets, pod, policy, path + "/environment", out);
  validate_health_check(container, path + "/healthCheck", out);
  validate_container_check(container, path + "/check", out);
  validate_linux_info(container.linux_info, false, path + "/linuxInfo", out);
  if (container.image) validate_pull_secret(container.image->pull_secret, pod, policy, path + "/image/pullConfig", out);
}

void validate_volumes(const Pod& pod, Violations& out) {
  Unique<std::string> names;
  for (size_t i = 0; i < pod.volumes.size(); ++i) {
    const PodVolume& volume = pod.volumes[i];
    names.add(volume.name);
    const bool mounted = std::any_of(pod.containers.begin(), pod.containers.end(), [&](const PodContainer& c) {
      return std::any_of(c.volume_mounts.begin(), c.volume_mounts.end(),
                         [&](const VolumeMount& m) { return m.name == volume.name; });
    });
    if (!mounted) out.add(fmt::format("/volumes({})", i), "volume must be referenced by at least one container");
  }
  names.report("/volumes", "volume names must be unique", out);
}

/// Pods that stay with their volumes.
void validate_residency(const App& pod, Violations& out) {
  if (!is_resident(pod)) return;
  for (size_t i = 0; i < pod.pod->volumes.size(); ++i) {
    const PodVolume& volume = pod.pod->volumes[i];
    if (!volume.persistent) continue;
    const std::string path = fmt::format("/volumes({})", i);
    validate_persistent_disk(*volume.persistent, path + "/persistent", out);
    if (volume.host_path) out.add(path + "/host", "a persistent volume has no host path");
    // It lies in the executor's sandbox under its name, beside what is there anyway.
    for (const char* taken : {"containers", "stderr", "stdout", "tasks", "volumes"}) {
      if (volume.name == taken) out.add(path + "/name", fmt::format("'{}' is taken in the pod's sandbox: choose another", taken));
    }
  }
  if (pod.role == "*")
    out.add("/role", "Resident pods cannot have the role *: persistent volumes need a role that resources can be reserved for, by "
                     "--mesos_role or that of a group");
  if (!pod.accepted_resource_roles.empty() && pod.accepted_resource_roles != std::vector<std::string>{"*"})
    out.add("/acceptedResourceRoles", "A resident pod must have `acceptedResourceRoles = [\"*\"]`.");
  if (!pod.unreachable_strategy.disabled)
    out.add("/", "unreachableStrategy must be disabled for pods with persistent volumes");
  if (pod.deployment.canary > 0)
    out.add("/deployment/canary", "is not possible with persistent volumes: a new version runs where the old one did");
  if (pod.upgrade_strategy.maximum_over_capacity != 0)
    out.add("/scheduling/upgrade/maximumOverCapacity", "must be 0 for a pod with persistent volumes");
}

void validate_unique(const Pod& pod, Violations& out) {
  Unique<std::string> containers, endpoints;
  Unique<int> container_ports, host_ports;
  for (const PodContainer& container : pod.containers) {
    containers.add(container.name);
    for (const PodEndpoint& endpoint : container.endpoints) {
      endpoints.add(endpoint.name);
      if (endpoint.container_port.value_or(0) != 0) container_ports.add(*endpoint.container_port);
      if (endpoint.host_port.value_or(0) != 0) host_ports.add(*endpoint.host_port);
    }
  }
  containers.report("/containers", "container names must be unique", out);
  // The second word is misspelt in the API that clients know.
  endpoints.report("/", "endpoint names nust be unique across all containers", out);
  container_ports.report("/", "container ports must be unique across all containers", out);
  host_ports.report("/", "host ports must be unique across all containers", out);
}

}  // namespace

void validate_pod(const App& pod, const ValidationPolicy& policy, Violations& out) {
  validate_id(pod, out);
  if (!pod.networks.empty()) validate_networks(pod, out);
  if (pod.user && pod.user->empty()) out.add("/user", "must not be empty");
  if (pod.pod->containers.size() > kMaxContainers) {
    out.add("/containers", fmt::format("must not be more than {}", kMaxContainers));
  }
  for (size_t i = 0; i < pod.pod->containers.size(); ++i) {
    validate_container(pod, pod.pod->containers[i], policy, fmt::format("/containers({})", i), out);
  }
  validate_unique(*pod.pod, out);
  validate_volumes(*pod.pod, out);
  validate_linux_info(pod.pod->linux_info, true, "/linuxInfo", out);
  for (size_t i = 0; i < pod.pod->volumes.size(); ++i) {
    const auto& secret = pod.pod->volumes[i].secret;
    if (secret) validate_secret_file(*secret, pod, policy, fmt::format("/volumes({})/secret", i), out);
  }
  validate_residency(pod, out);
  validate_environment(pod.env, "/environment", out);
  validate_secret_variables(pod.env_secrets, pod, policy, "/environment", out);
  validate_secrets(pod, policy, out);
  for (size_t i = 0; i < pod.constraints.size(); ++i) {
    validate_constraint(pod.constraints[i], fmt::format("/scheduling/placement/constraints({})", i), out);
  }
  validate_unreachable_strategy(pod.unreachable_strategy, "/scheduling/unreachableStrategy", out);
  validate_roles(pod, policy, "/acceptedResourceRoles", out);
  if (pod.gpus > 0 && !policy.gpu_resources) {
    out.add("/containers", "Feature gpu_resources is not enabled. Enable with --enable_features gpu_resources)");
  }
}

}  // namespace marathon
