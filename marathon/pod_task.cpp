#include "marathon/pod_task.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/api/mesos/v1/offers.pb.h"
#include "kernel/api/mesos/v1/tasks.pb.h"
#include "marathon/supply.hpp"
#include "marathon/task_info.hpp"

namespace marathon {
namespace {

namespace pb = mesos::v1;

// Where the kernel keeps a pod's own volumes, below the executor's sandbox.
constexpr std::string_view kVolumes = "volumes/";

void add_labels(const Labels& labels, pb::Labels& out) {
  for (const auto& [key, value] : labels) {
    pb::Label* label = out.add_labels();
    label->set_key(key);
    label->set_value(value);
  }
}

std::vector<std::string> protocols_of(const PodEndpoint& endpoint) {
  return endpoint.protocols.empty() ? std::vector<std::string>{"tcp"} : endpoint.protocols;
}

bool joins(const PodEndpoint& endpoint, const Network& network) {
  const auto& names = endpoint.network_names;
  return names.empty() || std::find(names.begin(), names.end(), network.name) != names.end();
}

void set_networks(const App& pod, const Placement& placement, const std::string& bridge, pb::ContainerInfo& out) {
  if (uses_host_network(pod)) return;
  const auto endpoints = endpoints_of(*pod.pod);
  for (const Network& network : pod.networks) {
    pb::NetworkInfo& info = *out.add_network_infos();
    info.set_name(network.mode == NetworkMode::Bridge ? bridge : network.name);
    if (!network.labels.empty()) add_labels(network.labels, *info.mutable_labels());
    for (size_t i = 0; i < endpoints.size(); ++i) {
      if (placement.host_ports[i] == 0 || !joins(*endpoints[i], network)) continue;
      for (const std::string& protocol : protocols_of(*endpoints[i])) {
        auto& mapping = *info.add_port_mappings();
        mapping.set_host_port(static_cast<uint32_t>(placement.host_ports[i]));
        mapping.set_container_port(static_cast<uint32_t>(placement.container_ports[i]));
        mapping.set_protocol(protocol);
      }
    }
  }
}

void set_executor(const App& pod, const Instance& instance, const Placement& placement, const std::string& framework,
                  const std::string& bridge, Supply& supply, pb::ExecutorInfo& out) {
  out.set_type(pb::ExecutorInfo::DEFAULT);
  out.mutable_executor_id()->set_value(executor_id(instance.id));
  out.mutable_framework_id()->set_value(framework);
  supply.give("cpus", thousandths(pod.pod->executor.cpus), out);
  supply.give("mem", thousandths(pod.pod->executor.mem), out);
  supply.give("disk", thousandths(pod.pod->executor.disk), out);
  supply.give_volumes_and_ports(out);
  pb::ContainerInfo& container = *out.mutable_container();
  container.set_type(pb::ContainerInfo::MESOS);
  container.mutable_linux_info()->set_share_cgroups(pod.pod->legacy_shared_cgroups);
  if (pod.pod->linux_info) set_linux_info(*pod.pod->linux_info, *container.mutable_linux_info());
  set_networks(pod, placement, bridge, container);
  if (!pod.labels.empty()) add_labels(pod.labels, *out.mutable_labels());
}

/// Its variables that are secrets. What a container says of a variable goes before what its pod says.
Secrets secrets_of(const App& pod, const PodContainer& container) {
  Secrets out = container.environment_secrets;
  for (const auto& [name, secret] : pod.env_secrets) {
    if (!container.environment.contains(name)) out.emplace(name, secret);
  }
  return out;
}

void set_command(const App& pod, const PodContainer& container, const std::map<std::string, std::string>& env,
                 pb::CommandInfo& out) {
  // A command that is no shell line leaves the image's own in force.
  out.set_shell(false);
  if (container.command && container.command->shell) {
    out.set_shell(true);
    out.set_value(*container.command->shell);
  } else if (container.command) {
    for (const std::string& arg : container.command->argv) out.add_arguments(arg);
    if (container.override_entrypoint.value_or(false) || !container.image) {
      out.set_value(container.command->argv.front());
    }
  }
  if (container.user || pod.user) out.set_user(container.user ? *container.user : *pod.user);
  add_uris(container.artifacts, out);
  for (const auto& [name, value] : env) {
    auto* variable = out.mutable_environment()->add_variables();
    variable->set_name(name);
    variable->set_value(value);
  }
  add_secret_variables(pod, secrets_of(pod, container), out);
}

void set_container(const App& app, const PodContainer& container, pb::ContainerInfo& out) {
  const Pod& pod = *app.pod;
  out.set_type(pb::ContainerInfo::MESOS);
  out.mutable_linux_info()->set_share_cgroups(pod.legacy_shared_cgroups);
  if (container.linux_info) set_linux_info(*container.linux_info, *out.mutable_linux_info());
  for (const VolumeMount& mount : container.volume_mounts) {
    const auto volume = std::find_if(pod.volumes.begin(), pod.volumes.end(),
                                     [&](const PodVolume& v) { return v.name == mount.name; });
    if (volume == pod.volumes.end()) continue;
    pb::Volume& info = *out.add_volumes();
    info.set_mode(mount.read_only.value_or(false) ? pb::Volume::RO : pb::Volume::RW);
    info.set_container_path(mount.mount_path);
    if (volume->secret) {
      set_secret_file(app, *volume->secret, info);
      continue;
    }
    if (volume->host_path) {
      info.set_host_path(*volume->host_path);
      continue;
    }
    info.mutable_source()->set_type(pb::Volume::Source::SANDBOX_PATH);
    info.mutable_source()->mutable_sandbox_path()->set_type(pb::Volume::Source::SandboxPath::PARENT);
    // A persistent one lies in the executor's sandbox under its name.
    info.mutable_source()->mutable_sandbox_path()->set_path(volume->persistent ? volume->name
                                                                                  : std::string(kVolumes) + volume->name);
  }
  if (container.image) {
    pb::Image& image = *out.mutable_mesos()->mutable_image();
    image.set_type(pb::Image::DOCKER);
    image.mutable_docker()->set_name(container.image->id);
    if (!container.image->pull_secret.empty()) set_pull_secret(app, container.image->pull_secret, *image.mutable_docker());
    if (container.image->force_pull) image.set_cached(!*container.image->force_pull);
  }
  if (container.tty.value_or(false)) out.mutable_tty_info();
}

/// The index of the container's first endpoint among all of the pod's.
size_t first_endpoint(const Pod& pod, const PodContainer& container) {
  size_t index = 0;
  for (const PodContainer& other : pod.containers) {
    if (&other == &container) break;
    index += other.endpoints.size();
  }
  return index;
}

/// The port of the container's endpoint of that name, where its executor reaches it.
uint32_t port_of(const App& pod, const PodContainer& container, const std::string& name, const Placement& placement) {
  size_t index = first_endpoint(*pod.pod, container);
  for (const PodEndpoint& endpoint : container.endpoints) {
    if (endpoint.name == name) break;
    ++index;
  }
  const auto& ports = uses_host_network(pod) ? placement.host_ports : placement.container_ports;
  return static_cast<uint32_t>(index < ports.size() ? ports[index] : 0);
}

void set_health_check(const App& pod, const PodContainer& container, const Placement& placement,
                      pb::HealthCheck& out) {
  const PodHealthCheck& check = *container.health_check;
  out.set_delay_seconds(check.delay_seconds);
  out.set_interval_seconds(check.interval_seconds);
  out.set_timeout_seconds(check.timeout_seconds);
  out.set_consecutive_failures(static_cast<uint32_t>(check.max_consecutive_failures));
  out.set_grace_period_seconds(check.grace_period_seconds);
  if (check.kind == CheckKind::Command) {
    out.set_type(pb::HealthCheck::COMMAND);
    pb::CommandInfo& command = *out.mutable_command();
    command.set_shell(check.command.shell.has_value());
    command.set_value(check.command.shell ? *check.command.shell : check.command.argv.front());
    for (const std::string& arg : check.command.argv) command.add_arguments(arg);
    return;
  }
  const uint32_t port = port_of(pod, container, check.endpoint, placement);
  if (check.kind == CheckKind::Tcp) {
    out.set_type(pb::HealthCheck::TCP);
    out.mutable_tcp()->set_port(port);
    return;
  }
  out.set_type(pb::HealthCheck::HTTP);
  out.mutable_http()->set_scheme(check.https ? "https" : "http");
  out.mutable_http()->set_port(port);
  const std::string path = check.path.value_or("/");
  out.mutable_http()->set_path(path.starts_with('/') ? path : "/" + path);
}

void add_discovery_port(const PodEndpoint& endpoint, int number, const Labels& scope, pb::DiscoveryInfo& out) {
  for (const std::string& protocol : protocols_of(endpoint)) {
    pb::Port& port = *out.mutable_ports()->add_ports();
    port.set_number(static_cast<uint32_t>(number));
    port.set_name(endpoint.name);
    port.set_protocol(protocol);
    Labels labels = endpoint.labels;
    labels.insert(scope.begin(), scope.end());
    if (!labels.empty()) add_labels(labels, *port.mutable_labels());
  }
}

void set_discovery(const App& pod, const PodContainer& container, const Placement& placement, pb::DiscoveryInfo& out) {
  out.set_visibility(pb::DiscoveryInfo::FRAMEWORK);
  out.set_name(host_name(pod.id));
  out.mutable_ports();
  size_t index = first_endpoint(*pod.pod, container);
  for (const PodEndpoint& endpoint : container.endpoints) {
    const int host = placement.host_ports[index], inside = placement.container_ports[index];
    ++index;
    if (uses_host_network(pod)) {
      add_discovery_port(endpoint, host, {}, out);
    } else if (host != 0) {
      add_discovery_port(endpoint, host, {{"network-scope", "host"}}, out);
    } else {
      for (const Network& network : pod.networks) {
        if (!joins(endpoint, network)) continue;
        Labels scope{{"network-scope", "container"}};
        if (!network.name.empty()) scope["network-name"] = network.name;
        add_discovery_port(endpoint, inside, scope, out);
      }
    }
  }
}

void add_endpoints(const App& pod, const Placement& placement, const std::string& prefix,
                   std::map<std::string, std::string>& env) {
  const auto endpoints = endpoints_of(*pod.pod);
  const std::string upper = base::to_upper(prefix);
  for (size_t i = 0; i < endpoints.size(); ++i) {
    const std::string name = variable_name(endpoints[i]->name);
    const int host = placement.host_ports[i], inside = placement.container_ports[i];
    env[upper + "ENDPOINT_" + name] = std::to_string(uses_host_network(pod) ? host : inside);
    if (host != 0) env[upper + "EP_HOST_" + name] = std::to_string(host);
    if (!uses_host_network(pod)) env[upper + "EP_CONTAINER_" + name] = std::to_string(inside);
  }
}

}  // namespace

std::map<std::string, std::string> container_environment(const App& pod, const PodContainer& container,
                                                         const Instance& instance, const TaskId& task,
                                                         const Placement& placement, const std::string& prefix,
                                                         bool enforce_role) {
  std::map<std::string, std::string> env = pod.env;
  for (const auto& [name, value] : container.environment) env[name] = value;
  env["HOST"] = instance.hostname;
  env["MESOS_TASK_ID"] = task;
  env["MESOS_EXECUTOR_ID"] = executor_id(instance.id);
  env["MARATHON_APP_ID"] = pod.id;
  env["MARATHON_APP_VERSION"] = base::render_iso8601(pod.version);
  env["MARATHON_APP_ENFORCE_GROUP_ROLE"] = enforce_role ? "TRUE" : "FALSE";
  env["MARATHON_CONTAINER_ID"] = container.name;
  env["MARATHON_CONTAINER_RESOURCE_CPUS"] = base::render_double(container.cpus);
  env["MARATHON_CONTAINER_RESOURCE_MEM"] = base::render_double(container.mem);
  env["MARATHON_CONTAINER_RESOURCE_DISK"] = base::render_double(container.disk);
  env["MARATHON_CONTAINER_RESOURCE_GPUS"] = std::to_string(container.gpus);
  Labels labels = container.labels;
  labels.insert(pod.labels.begin(), pod.labels.end());
  add_label_variables(labels, env);
  add_endpoints(pod, placement, prefix, env);
  for (const auto& [name, secret] : secrets_of(pod, container)) env.erase(name);
  return env;
}

void build_task_group(const App& pod, const Instance& instance, const Placement& placement, const Offer& offer,
                      const std::vector<pb::Resource>& resources, const std::string& framework, const Policy& policy,
                      bool enforce_role, pb::Offer_Operation_LaunchGroup& out) {
  Supply supply(resources);
  set_executor(pod, instance, placement, framework, policy.defaults.bridge_name, supply,
               *out.mutable_executor());
  for (size_t i = 0; i < pod.pod->containers.size() && i < instance.containers.size(); ++i) {
    const PodContainer& container = pod.pod->containers[i];
    const TaskId& id = instance.containers[i].task_id;
    pb::TaskInfo& task = *out.mutable_task_group()->add_tasks();
    task.set_name(container.name);
    task.mutable_task_id()->set_value(id);
    task.mutable_agent_id()->set_value(offer.agent_id);
    supply.give("cpus", thousandths(container.cpus), task);
    supply.give("mem", thousandths(container.mem), task);
    supply.give("disk", thousandths(container.disk), task);
    supply.give("gpus", thousandths(container.gpus), task);
    if (!container.labels.empty()) add_labels(container.labels, *task.mutable_labels());
    set_command(pod, container,
                container_environment(pod, container, instance, id, placement, policy.env_vars_prefix, enforce_role),
                *task.mutable_command());
    set_container(pod, container, *task.mutable_container());
    if (container.health_check) set_health_check(pod, container, placement, *task.mutable_health_check());
    if (container.check) {
      set_check(*container.check, port_of(pod, container, container.check->endpoint, placement), *task.mutable_check());
    }
    set_discovery(pod, container, placement, *task.mutable_discovery());
    if (container.kill_grace_period_seconds) {
      task.mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(
          static_cast<int64_t>(*container.kill_grace_period_seconds * 1e9));
    }
    if (container.limits && container.limits->cpus) (*task.mutable_limits())["cpus"].set_value(*container.limits->cpus);
    if (container.limits && container.limits->mem) (*task.mutable_limits())["mem"].set_value(*container.limits->mem);
  }
}

}  // namespace marathon
