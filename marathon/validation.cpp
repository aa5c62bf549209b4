#include "marathon/validation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "marathon/constraints.hpp"
#include "marathon/definition_fields.hpp"
#include "marathon/pod.hpp"

namespace marathon {
namespace {

/// Empty ones are told apart from bad ones.
bool is_variable_name(const std::string& name) { return name.find_first_of(std::string("=\0", 2)) == std::string::npos; }

constexpr const char* kSameResources =
    "Services with persistent volumes configured may not change resource requirements. If you need to make this change, "
    "please create a new service.";

constexpr const char* kOneNetwork =
    "networkNames must be a single item list when hostPort is specified and more than 1 container network is defined";
constexpr const char* kOnlyTexts =
    "IS only supports Mesos text and float values (see http://mesos.apache.org/documentation/latest/attributes-resources/)";

constexpr std::array<std::string_view, 5> kReserved = {"restart", "tasks", "versions", ".", ".."};

/// "//cmd", or a path that may begin with one slash; empty: the scheduler's default.
bool is_executor(std::string_view text) {
  if (text.empty() || text == "//cmd") return true;
  return !text.ends_with('/') && text != "/" && text.find("//") == std::string_view::npos;
}

std::string at(std::string_view field, size_t index) { return fmt::format("/{}({})", field, index); }

void validate_command(const App& app, Violations& out) {
  const bool runs_image = app.container && (!app.container->image.empty() ||
                                            app.container->type == ContainerType::Mesos);
  const bool cmd = app.cmd.has_value(), args = !app.args.empty();
  if ((cmd && args) || (!cmd && !args && !runs_image)) {
    out.add("/", "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.");
  }
  if (cmd && app.cmd->empty()) out.add("/cmd", "must not be empty");
  if (!is_executor(app.executor)) {
    out.add("/executor", "must fully match regular expression '^(//cmd)|(/?[^/]+(/[^/]+)*)|$'");
  }
  const bool custom = !app.executor.empty() && app.executor != "//cmd";
  if (custom && app.container && app.container->type == ContainerType::Docker) {
    out.add("/executor", "an executor of one's own cannot run in a container of type DOCKER: use MESOS");
  }
}

void validate_port_names(const std::set<std::string>& names, size_t named, std::string_view path,
                         Violations& out) {
  if (names.size() != named) out.add(path, "Port names must be unique.");
}

void validate_ports(const App& app, Violations& out) {
  const bool host = uses_host_network(app);
  std::set<std::string> names;
  std::set<int> numbers;
  size_t named = 0, numbered = 0;
  for (const PortDefinition& port : app.port_definitions) {
    if (port.name) names.insert(*port.name), ++named;
    if (port.port != 0) numbers.insert(port.port), ++numbered;
  }
  validate_port_names(names, named, "/portDefinitions", out);
  if (numbers.size() != numbered) out.add("/portDefinitions", "Ports must be unique.");
  if (!host && !app.port_definitions.empty()) {
    out.add("/", "portDefinitions are only allowed with host-networking");
  }
  if (!app.container) return;
  if (host && !app.container->port_mappings.empty()) {
    out.add("/", "portMappings are not allowed with host-networking");
  }
  names.clear();
  named = 0;
  std::set<std::string> networks;
  for (const Network& network : app.networks) {
    if (!network.name.empty()) networks.insert(network.name);
  }
  for (size_t i = 0; i < app.container->port_mappings.size(); ++i) {
    const PortMapping& mapping = app.container->port_mappings[i];
    if (mapping.name) names.insert(*mapping.name), ++named;
    const std::string path = at("container/portMappings", i);
    for (size_t n = 0; n < mapping.network_names.size(); ++n) {
      if (networks.contains(mapping.network_names[n])) continue;
      out.add(fmt::format("{}/networkNames({})", path, n), fmt::format("is not one of ({})", fmt::join(networks, ",")));
    }
    if (app.networks.size() > 1 && mapping.host_port && mapping.network_names.size() != 1) out.add(path, kOneNetwork);
  }
  validate_port_names(names, named, "/container/portMappings", out);
}

void validate_persistent(const Volume& volume, const std::string& path, Violations& out) {
  const std::string& target = volume.container_path;
  if (target == "." || target == "..") out.add(path + "/containerPath", "can not be one of (.,..)");
  if (target.find('/') != std::string::npos) out.add(path + "/containerPath", "value must not contain \"/\"");
  if (target.find_first_of(" \t\r\n") != std::string::npos) out.add(path + "/containerPath", "must not contain white space");
  validate_persistent_disk(*volume.persistent, path + "/persistent", out);
  if (!volume.host_path.empty()) out.add(path + "/hostPath", "a persistent volume has no host path");
  if (volume.mode != "RW") out.add(path + "/mode", "persistent volumes must be RW");
}

/// Apps that stay with their volumes.
void validate_residency(const App& app, Violations& out) {
  if (!is_resident(app)) return;
  std::set<std::string> paths;
  for (size_t i = 0; i < app.container->volumes.size(); ++i)
    if (!paths.insert(app.container->volumes[i].container_path).second)
      out.add(at("container/volumes", i) + "/containerPath", "is the path of another volume");
  if (app.container->type == ContainerType::Docker)
    out.add("/container/type", "persistent volumes need a container of type MESOS");
  if (app.role == "*")
    out.add("/role", "Resident apps cannot have the role *: persistent volumes need a role that resources can be reserved for, by "
                     "--mesos_role or that of a group");
  if (!app.accepted_resource_roles.empty() && app.accepted_resource_roles != std::vector<std::string>{"*"})
    out.add("/acceptedResourceRoles", "A resident app must have `acceptedResourceRoles = [\"*\"]`.");
  if (!app.unreachable_strategy.disabled) out.add("/", "unreachableStrategy must be disabled for resident tasks");
  if (app.deployment.canary > 0)
    out.add("/deployment/canary", "is not possible with persistent volumes: a new version runs where the old one did");
  if (app.upgrade_strategy.maximum_over_capacity != 0)
    out.add("/upgradeStrategy/maximumOverCapacity", fmt::format("got {}, expected 0.0 for an app with persistent volumes",
                                                                base::render_double(app.upgrade_strategy.maximum_over_capacity)));
}

void validate_container(const App& app, const ValidationPolicy& policy, Violations& out) {
  if (!app.container) return;
  const Container& container = *app.container;
  const bool docker = container.type == ContainerType::Docker;
  if (docker && container.image.empty()) out.add("/container/docker", "not defined");
  if (docker && !container.pull_secret.empty()) {
    out.add("/container/docker/pullConfig", "pullConfig is not supported with Docker containerizer");
  } else {
    validate_pull_secret(container.pull_secret, app, policy, "/container/docker/pullConfig", out);
  }
  if (!docker && !container.parameters.empty()) out.add("/container/docker/parameters", "must be empty");
  validate_linux_info(container.linux_info, false, "/container/linuxInfo", out);
  for (size_t i = 0; i < container.volumes.size(); ++i) {
    const Volume& volume = container.volumes[i];
    if (volume.container_path.empty()) out.add(at("container/volumes", i) + "/containerPath", "must not be empty");
    if (volume.persistent) {
      validate_persistent(volume, at("container/volumes", i), out);
      continue;
    }
    if (!volume.secret.empty()) {
      validate_secret_file(volume.secret, app, policy, at("container/volumes", i) + "/secret", out);
      continue;
    }
    if (volume.host_path.empty()) out.add(at("container/volumes", i) + "/hostPath", "must not be empty");
  }
  if (app.gpus > 0 && container.type == ContainerType::Docker) {
    out.add("/", "GPU resources only work with the Mesos containerizer");
  }
}

void validate_health_checks(const App& app, Violations& out) {
  const size_t ports = port_count(app);
  size_t mesos_checks = 0;
  for (size_t i = 0; i < app.health_checks.size(); ++i) {
    const HealthCheck& check = app.health_checks[i];
    const std::string path = at("healthChecks", i);
    if (check.protocol == HealthProtocol::Command) {
      if (check.command.empty()) out.add(path + "/command", "must not be empty");
      ++mesos_checks;
      continue;
    }
    if (!runs_in_scheduler(check.protocol)) ++mesos_checks;
    if (check.port_index ? static_cast<size_t>(*check.port_index) >= ports : !check.port) {
      out.add(path, "Health check port indices must address an element of the ports array or "
                    "container port mappings.");
    }
    const bool docker = app.container && app.container->type == ContainerType::Docker;
    if (check.ipv6 && !(docker && !runs_in_scheduler(check.protocol))) {
      out.add(path, "IPv6 can only be used for container type DOCKER and Mesos http/https/tcp health checks");
    }
  }
  if (mesos_checks > 1) out.add("/", "AppDefinition can contain at most one Mesos health check");
}

void validate_readiness_checks(const App& app, Violations& out) {
  if (app.readiness_checks.size() > 1) {
    out.add("/readinessChecks", "may contain at most one readiness check");
  }
  for (size_t i = 0; i < app.readiness_checks.size(); ++i) {
    const ReadinessCheck& check = app.readiness_checks[i];
    if (check.timeout_seconds >= check.interval_seconds) {
      out.add(at("readinessChecks", i) + "/timeoutSeconds",
              fmt::format("got {}, expected less than {}", check.timeout_seconds, check.interval_seconds));
    }
    bool known = false;
    for (const PortDefinition& port : app.port_definitions) known |= port.name == check.port_name;
    if (app.container) {
      for (const PortMapping& port : app.container->port_mappings) known |= port.name == check.port_name;
    }
    if (!known) {
      out.add(at("readinessChecks", i) + "/portName", fmt::format("No port definition reference for portName {}", check.port_name));
    }
  }
}

void validate_capacity(double value, std::string_view name, Violations& out) {
  const std::string path = fmt::format("/upgradeStrategy/{}", name);
  if (value > 1) out.add(path, "is greater than 1");
  if (value < 0) out.add(path, "is less than 0");
}

void validate_labels(const App& app, Violations& out) {
  const auto label = [&](const char* key) -> const std::string* {
    const auto it = app.labels.find(key);
    return it == app.labels.end() ? nullptr : &it->second;
  };
  if (const auto* single = label("MARATHON_SINGLE_INSTANCE_APP"); single && *single == "true") {
    if (app.instances > 1) out.add("/", "Single instance app may only have one instance");
    const auto nothing = [&](double capacity, const char* name) {
      if (capacity == 0) return;
      out.add(std::string("/upgradeStrategy/") + name, fmt::format("got {}, expected 0.0", base::render_double(capacity)));
    };
    nothing(app.upgrade_strategy.minimum_health_capacity, "minimumHealthCapacity");
    nothing(app.upgrade_strategy.maximum_over_capacity, "maximumOverCapacity");
  }
  const auto* version = label("DCOS_MIGRATION_API_VERSION");
  if (!version || version->empty()) return;
  if (*version != "v1") out.add("/", "DCOS_MIGRATION_API_VERSION supports only v1");
  const auto given = [&](const char* name) { return label(name) && !label(name)->empty(); };
  if (!given("DCOS_PACKAGE_FRAMEWORK_NAME") || !given("DCOS_MIGRATION_API_PATH")) {
    out.add("/", "DCOS_PACKAGE_FRAMEWORK_NAME and DCOS_MIGRATION_API_PATH must be defined when using DCOS_MIGRATION_API_VERSION");
  }
}

void validate_resources(const App& app, const ValidationPolicy& policy, Violations& out) {
  // The kernel counts in thousandths and refuses more.
  constexpr double kMax = 1e12;
  if (app.cpus > kMax) out.add("/cpus", "must be less than or equal to 1000000000000");
  if (app.mem > kMax) out.add("/mem", "must be less than or equal to 1000000000000");
  if (app.disk > kMax) out.add("/disk", "must be less than or equal to 1000000000000");
  if (app.gpus > 0 && !policy.gpu_resources) {
    out.add("/gpus", "Feature gpu_resources is not enabled. Enable with --enable_features gpu_resources)");
  }
  validate_limits(app.resource_limits, app.cpus, app.mem, "/resourceLimits", out);
  validate_roles(app, policy, "/acceptedResourceRoles", out);
}

/// The host ports that an app asks for; 0: any.
std::set<int> host_ports_of(const App& app) {
  std::set<int> ports;
  if (uses_host_network(app)) {
    for (const PortDefinition& port : app.port_definitions) ports.insert(app.require_ports ? port.port : 0);
  } else if (app.container) {
    for (const PortMapping& mapping : app.container->port_mappings) {
      if (mapping.host_port) ports.insert(*mapping.host_port);
    }
  }
  return ports;
}

}  // namespace

void validate_id(const App& app, Violations& out) {
  if (app.id.empty()) return out.add("/id", "error.path.missing");
  if (app.id == "/") return out.add("/id", "Path must contain at least one path element");
  if (!is_valid_path(app.id)) {
    out.add("/id", fmt::format("must fully match regular expression '{}'", kIdPattern));
  }
  const std::string_view leaf = leaf_of(app.id);
  if (std::find(kReserved.begin(), kReserved.end(), leaf) != kReserved.end()) {
    out.add("/id",
            "must not end with any of the following reserved keywords: restart, tasks, versions, ., ..");
  }
}

void validate_networks(const App& app, Violations& out) {
  size_t hosts = 0, bridges = 0, containers = 0;
  std::set<std::string> names;
  for (size_t i = 0; i < app.networks.size(); ++i) {
    const Network& network = app.networks[i];
    switch (network.mode) {
      case NetworkMode::Host:
        ++hosts;
        if (!network.name.empty() || !network.labels.empty()) {
          out.add(at("networks", i), "Host networks may not have names or labels");
        }
        break;
      case NetworkMode::Bridge:
        ++bridges;
        if (!network.name.empty()) out.add(at("networks", i), "Bridge networks may not have names");
        break;
      case NetworkMode::Container:
        ++containers;
        if (!names.insert(network.name).second) {
          out.add("/networks", "Duplicate networks are not allowed");
        }
        break;
    }
  }
  const bool one_kind = (hosts == 1 && bridges == 0 && containers == 0) ||
                        (hosts == 0 && bridges == 1 && containers == 0) ||
                        (hosts == 0 && bridges == 0 && containers > 0);
  if (!one_kind) {
    out.add("/networks",
            "May specify a single host network, single bridge network, or else 1-to-n container networks");
  }
  if (containers > 1 && app.container && app.container->type == ContainerType::Docker) {
    out.add("/", "may only specify a single container network when using the Docker container engine");
  }
}

void validate_constraint(const Constraint& c, const std::string& path, Violations& out) {
  switch (c.op) {
    case ConstraintOperator::Unique:
      if (c.value) out.add(path, "UNIQUE does not accept a value");
      break;
    case ConstraintOperator::Cluster:
      break;
    case ConstraintOperator::GroupBy:
      if (c.value && *c.value != "inf" && !base::parse_uint(*c.value)) {
        out.add(path, "GROUP BY must define an integer value or else no value at all");
      }
      break;
    case ConstraintOperator::MaxPer:
      if (!c.value || !base::parse_uint(*c.value)) out.add(path, "MAX_PER requires an integer value");
      break;
    case ConstraintOperator::Like:
    case ConstraintOperator::Unlike:
      if (!c.value) {
        out.add(path, "LIKE and UNLIKE require a non-empty, regular expression value");
      } else if (!is_pattern(*c.value)) {
        out.add(path, "is not a valid regular expression");
      }
      break;
    case ConstraintOperator::Is:
      if (!c.value) {
        out.add(path, kOnlyTexts);
      } else if (!std::all_of(c.value->begin(), c.value->end(), [](unsigned char x) {
                   return std::isalnum(x) || x == '_' || x == '/' || x == '.' || x == '-';
                 })) {
        out.add(path, kOnlyTexts);
      }
      break;
  }
  if (c.field.empty()) out.add(path, "missing field for constraint declaration");
}

void validate_environment(const std::map<std::string, std::string>& env, const std::string& path, Violations& out) {
  for (const auto& [name, value] : env) {
    if (name.empty()) out.add(path, "must not contain an empty name");
    if (!is_variable_name(name) || value.find('\0') != std::string::npos) {
      out.add(path + "/" + name, "is not a valid environment variable");
    }
  }
}

void validate_secrets(const App& app, const ValidationPolicy& policy, Violations& out) {
  if (app.secrets.empty()) return;
  if (!policy.secrets) return out.add("/secrets", kNoSecrets);
  for (const auto& [name, source] : app.secrets) {
    if (name.empty()) out.add("/secrets", "must not contain an empty name");
    if (source.empty()) out.add("/secrets/" + name + "/source", "must not be empty");
  }
}

void validate_secret_variables(const Secrets& variables, const App& app, const ValidationPolicy& policy, const std::string& path,
                               Violations& out) {
  if (variables.empty()) return;
  if (!policy.secrets) {
    out.add(path, "use of secret-references in the environment requires the secrets feature to be enabled");
  }
  for (const auto& [name, secret] : variables) {
    if (!is_variable_name(name)) out.add(path + "/" + name, "is not a valid environment variable");
    if (!app.secrets.contains(secret)) out.add(path + "/" + name + "/secret", "references an undefined secret");
  }
}

void validate_secret_file(const std::string& secret, const App& app, const ValidationPolicy& policy, const std::string& path,
                          Violations& out) {
  if (!policy.secrets) out.add(path, kNoSecrets);
  if (!app.secrets.contains(secret)) out.add(path, "volume.secret must refer to an existing secret");
}

void validate_limits(const std::optional<ResourceLimits>& limits, double cpus, double mem, const std::string& path,
                     Violations& out) {
  if (!limits) return;
  const auto at_least = [&](const std::optional<double>& limit, double requested, const char* name) {
    if (!limit || *limit >= requested) return;
    out.add(path + name, fmt::format("resource limit must be greater than or equal to requested resource ({})",
                                     base::render_double(requested)));
  };
  at_least(limits->cpus, cpus, "/cpus");
  at_least(limits->mem, mem, "/mem");
}

void validate_roles(const App& app, const ValidationPolicy& policy, const std::string& path, Violations& out) {
  const bool foreign = std::any_of(app.accepted_resource_roles.begin(), app.accepted_resource_roles.end(),
                                   [&](const std::string& role) { return role != "*" && role != app.role; });
  if (foreign) {
    out.add(path, "acceptedResourceRoles can only contain *" + (app.role == "*" ? std::string() : " and " + app.role));
  }
  const bool valid = policy.roles.empty() ? app.role == policy.role : policy.roles.contains(app.role);
  if (!valid) {
    out.add("/role", fmt::format("got {}, expected one of: {}", app.role,
                                 policy.roles.empty() ? policy.role : fmt::format("{}", fmt::join(policy.roles, ", "))));
  }
}

void validate_unreachable_strategy(const UnreachableStrategy& strategy, const std::string& path, Violations& out) {
  if (strategy.inactive_after_seconds <= strategy.expunge_after_seconds) return;
  out.add(path + "/inactiveAfterSeconds",
          fmt::format("inactiveAfterSeconds ({}) must be less or equal to expungeAfterSeconds, which is {}",
                      strategy.inactive_after_seconds, strategy.expunge_after_seconds));
}

void validate_app(const App& app, const ValidationPolicy& policy, Violations& out) {
  if (app.pod) return validate_pod(app, policy, out);
  validate_id(app, out);
  validate_command(app, out);
  validate_networks(app, out);
  validate_ports(app, out);
  validate_container(app, policy, out);
  validate_residency(app, out);
  validate_health_checks(app, out);
  validate_check(app, out);
  validate_readiness_checks(app, out);
  for (size_t i = 0; i < app.constraints.size(); ++i) {
    validate_constraint(app.constraints[i], at("constraints", i), out);
  }
  validate_capacity(app.upgrade_strategy.minimum_health_capacity, "minimumHealthCapacity", out);
  validate_capacity(app.upgrade_strategy.maximum_over_capacity, "maximumOverCapacity", out);
  validate_unreachable_strategy(app.unreachable_strategy, "/unreachableStrategy", out);
  validate_environment(app.env, "/env", out);
  validate_secret_variables(app.env_secrets, app, policy, "/env", out);
  validate_secrets(app, policy, out);
  validate_labels(app, out);
  validate_resources(app, policy, out);
}

void validate_same_volumes(const App& from, const App& to, Violations& out) {
  if (!is_resident(from) && !is_resident(to)) return;
  const bool same = persistent_volumes(from) == persistent_volumes(to);
  if (!to.pod) {
    if (!same) out.add("/", "Persistent volumes can not be changed!");
    const auto keep = [&](bool differs, const char* path) {
      if (differs) out.add(path, kSameResources);
    };
    keep(from.cpus != to.cpus, "/cpus");
    keep(from.mem != to.mem, "/mem");
    keep(from.disk != to.disk, "/disk");
    keep(from.gpus != to.gpus, "/gpus");
    keep(from.executor_resources != to.executor_resources, "/executorResources");
    keep(from.require_ports != to.require_ports, "/requirePorts");
    if (host_ports_of(from) != host_ports_of(to)) {
      out.add("/", "Services with persistent volumes configured may not change host ports. If you need to make this change, please "
                   "create a new service.");
    }
    return;
  }
  if (!same) out.add("/", "persistent volumes cannot be updated");
  const auto refuse = [&](bool differs, const char* what) {
    if (differs) out.add("/", std::string(what) + " cannot be updated if a pod has persistent volumes");
  };
  refuse(from.cpus != to.cpus, "cpus");
  refuse(from.mem != to.mem, "mem");
  refuse(from.disk != to.disk, "disk");
  refuse(from.gpus != to.gpus, "gpus");
  refuse(from.pod && host_ports_of(*from.pod) != host_ports_of(*to.pod), "host ports");
}

}  // namespace marathon
