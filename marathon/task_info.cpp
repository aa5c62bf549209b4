#include "marathon/task_info.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/api/mesos/v1/offers.pb.h"
#include "kernel/api/mesos/v1/tasks.pb.h"
#include "marathon/supply.hpp"

namespace marathon {
namespace {

namespace pb = mesos::v1;

constexpr size_t kMaxEnvText = 512;
constexpr std::string_view kLabelPrefix = "MARATHON_APP_LABEL_";

struct DeclaredPort {
  int requested = 0;  // as declared: service port on the host network, container port otherwise
  std::string protocol;
  std::optional<std::string> name;
  const Labels* labels = nullptr;
};

std::vector<DeclaredPort> declared_ports(const App& app) {
  std::vector<DeclaredPort> ports;
  if (uses_host_network(app)) {
    for (const PortDefinition& p : app.port_definitions) {
      ports.push_back({p.port, p.protocol, p.name, &p.labels});
    }
  } else if (app.container) {
    for (const PortMapping& p : app.container->port_mappings) {
      ports.push_back({p.container_port, p.protocol, p.name, &p.labels});
    }
  }
  return ports;
}

void add_ports(const App& app, const Instance& instance, const Placement& placement,
               const std::string& prefix, std::map<std::string, std::string>& env) {
  env[prefix + "HOST"] = instance.hostname;
  const auto declared = declared_ports(app);
  std::vector<std::string> on_host, generated;  // what is declared and on no host is neither
  for (size_t i = 0; i < declared.size(); ++i) {
    const int host = placement.host_ports[i];
    const int effective = host != 0 ? host : placement.container_ports[i];
    const std::string text = std::to_string(effective);
    if (host != 0) on_host.push_back(text);
    if (host == 0 && declared[i].requested == 0) generated.push_back(text);
    env[fmt::format("{}PORT{}", prefix, i)] = text;
    const int requested = declared[i].requested != 0 ? declared[i].requested : effective;
    env[fmt::format("{}PORT_{}", prefix, requested)] = text;
    if (declared[i].name) {
      env[prefix + "PORT_" + base::to_upper(*declared[i].name)] = text;
      env[prefix + "PORT_" + variable_name(*declared[i].name)] = text;
    }
  }
  if (declared.empty()) return;
  on_host.insert(on_host.end(), generated.begin(), generated.end());
  if (!on_host.empty()) env[prefix + "PORT"] = on_host.front();
  env[prefix + "PORTS"] = base::join(on_host, ",");
}

void set_command(const App& app, const std::map<std::string, std::string>& env, pb::CommandInfo& command) {
  const bool image = app.container && !app.container->image.empty();
  if (app.cmd) {
    command.set_shell(true);
    command.set_value(*app.cmd);
  } else {
    command.set_shell(false);
    if (!app.args.empty() && !image) command.set_value(app.args.front());
    for (const std::string& arg : app.args) command.add_arguments(arg);
  }
  if (app.user) command.set_user(*app.user);
  add_uris(app.fetch, command);
  for (const auto& [name, value] : env) {
    auto* variable = command.mutable_environment()->add_variables();
    variable->set_name(name);
    variable->set_value(value);
  }
  add_secret_variables(app, app.env_secrets, command);
}

void set_docker(const App& app, const Instance& instance, const Placement& placement,
                pb::ContainerInfo& out) {
  const Container& container = *app.container;
  pb::ContainerInfo::DockerInfo& docker = *out.mutable_docker();
  docker.set_image(container.image);
  docker.set_privileged(container.privileged);
  docker.set_force_pull_image(container.force_pull_image);
  for (const Parameter& parameter : container.parameters) {
    auto* item = docker.add_parameters();
    item->set_key(parameter.key);
    item->set_value(parameter.value);
  }
  auto* label = docker.add_parameters();
  label->set_key("label");
  label->set_value("MESOS_TASK_ID=" + instance.task_id);
  switch (app.networks.empty() ? NetworkMode::Host : app.networks.front().mode) {
    case NetworkMode::Host: docker.set_network(pb::ContainerInfo::DockerInfo::HOST); break;
    case NetworkMode::Bridge: docker.set_network(pb::ContainerInfo::DockerInfo::BRIDGE); break;
    case NetworkMode::Container: docker.set_network(pb::ContainerInfo::DockerInfo::USER); break;
  }
  if (uses_host_network(app)) return;
  for (size_t i = 0; i < container.port_mappings.size(); ++i) {
    if (placement.host_ports[i] == 0) continue;
    for (std::string_view protocol : base::split(container.port_mappings[i].protocol, ',')) {
      auto* mapping = docker.add_port_mappings();
      mapping->set_host_port(static_cast<uint32_t>(placement.host_ports[i]));
      mapping->set_container_port(static_cast<uint32_t>(placement.container_ports[i]));
      mapping->set_protocol(std::string(protocol));
    }
  }
}

/// Does the port lead into this network? One that names none leads into all.
bool maps_into(const PortMapping& mapping, const Network& network) {
  const auto& names = mapping.network_names;
  return names.empty() || std::find(names.begin(), names.end(), network.name) != names.end();
}

void set_networks(const App& app, const Placement& placement, const std::string& bridge, pb::ContainerInfo& out) {
  if (uses_host_network(app)) return;
  for (const Network& network : app.networks) {
    // Docker's own word for the bridge says all but the labels, by which agents may tell containers apart.
    if (network.mode == NetworkMode::Bridge && app.container->type == ContainerType::Docker && network.labels.empty()) continue;
    pb::NetworkInfo& info = *out.add_network_infos();
    info.set_name(network.mode == NetworkMode::Bridge ? bridge : network.name);
    for (const auto& [key, value] : network.labels) {
      auto* label = info.mutable_labels()->add_labels();
      label->set_key(key);
      label->set_value(value);
    }
    if (app.container->type == ContainerType::Docker) continue;
    for (size_t i = 0; i < app.container->port_mappings.size(); ++i) {
      if (placement.host_ports[i] == 0 || !maps_into(app.container->port_mappings[i], network)) continue;
      for (std::string_view protocol : base::split(app.container->port_mappings[i].protocol, ',')) {
        auto* mapping = info.add_port_mappings();
        mapping->set_host_port(static_cast<uint32_t>(placement.host_ports[i]));
        mapping->set_container_port(static_cast<uint32_t>(placement.container_ports[i]));
        mapping->set_protocol(std::string(protocol));
      }
    }
  }
}

/// `out`: the task, or the executor of its own that it runs in.
template <class Message>
void set_container(const App& app, const Instance& instance, const Placement& placement, const std::string& bridge, Message& out) {
  if (!app.container && !app.tty) return;
  pb::ContainerInfo& info = *out.mutable_container();
  const bool docker = app.container && app.container->type == ContainerType::Docker;
  info.set_type(docker ? pb::ContainerInfo::DOCKER : pb::ContainerInfo::MESOS);
  if (app.tty.value_or(false)) info.mutable_tty_info();
  if (!app.container) return;
  if (docker) {
    set_docker(app, instance, placement, info);
  } else if (!app.container->image.empty()) {
    auto* image = info.mutable_mesos()->mutable_image();
    image->set_type(pb::Image::DOCKER);
    image->mutable_docker()->set_name(app.container->image);
    if (!app.container->pull_secret.empty()) set_pull_secret(app, app.container->pull_secret, *image->mutable_docker());
    image->set_cached(!app.container->force_pull_image);
  }
  if (app.container->linux_info) set_linux_info(*app.container->linux_info, *info.mutable_linux_info());
  for (const Volume& volume : app.container->volumes) {
    if (volume.persistent) continue;  // it comes with its resource
    auto* item = info.add_volumes();
    item->set_container_path(volume.container_path);
    if (!volume.secret.empty()) {
      set_secret_file(app, volume.secret, *item);
      continue;
    }
    item->set_host_path(volume.host_path);
    item->set_mode(volume.mode == "RW" ? pb::Volume::RW : pb::Volume::RO);
  }
  set_networks(app, placement, bridge, info);
}

void add_discovery_port(const DeclaredPort& declared, int number, const Labels& scope,
                        pb::DiscoveryInfo& out) {
  for (std::string_view protocol : base::split(declared.protocol, ',')) {
    pb::Port& port = *out.mutable_ports()->add_ports();
    port.set_number(static_cast<uint32_t>(number));
    if (declared.name) port.set_name(*declared.name);
    port.set_protocol(std::string(protocol));
    Labels labels = *declared.labels;
    labels.insert(scope.begin(), scope.end());
    for (const auto& [key, value] : labels) {
      auto* label = port.mutable_labels()->add_labels();
      label->set_key(key);
      label->set_value(value);
    }
  }
}

void set_discovery(const App& app, const Placement& placement, pb::TaskInfo& out) {
  pb::DiscoveryInfo& discovery = *out.mutable_discovery();
  discovery.set_visibility(pb::DiscoveryInfo::FRAMEWORK);
  discovery.set_name(host_name(app.id));
  discovery.mutable_ports();
  const auto declared = declared_ports(app);
  for (size_t i = 0; i < declared.size(); ++i) {
    if (uses_host_network(app)) {
      add_discovery_port(declared[i], placement.host_ports[i], {}, discovery);
    } else if (placement.host_ports[i] != 0) {
      add_discovery_port(declared[i], placement.host_ports[i], {{"network-scope", "host"}}, discovery);
    } else {
      for (const Network& network : app.networks) {
        Labels scope{{"network-scope", "container"}};
        if (!network.name.empty()) scope["network-name"] = network.name;
        add_discovery_port(declared[i], placement.container_ports[i], scope, discovery);
      }
    }
  }
}

/// The port that a check beside the task connects to: that of the container, where it has ports of its own.
int check_port(std::optional<int> port, std::optional<int> port_index, const App& app, const Placement& placement) {
  if (port && !port_index) return *port;
  const auto index = static_cast<size_t>(port_index.value_or(0));
  if (index >= placement.host_ports.size()) return 0;
  return uses_host_network(app) ? placement.host_ports[index] : placement.container_ports[index];
}

void set_health_check(const App& app, const std::map<std::string, std::string>& env,
                      const Placement& placement, pb::TaskInfo& out) {
  for (const HealthCheck& check : app.health_checks) {
    if (runs_in_scheduler(check.protocol)) continue;
    pb::HealthCheck& health = *out.mutable_health_check();
    health.set_delay_seconds(check.delay_seconds);
    health.set_interval_seconds(check.interval_seconds);
    health.set_timeout_seconds(check.timeout_seconds);
    health.set_consecutive_failures(static_cast<uint32_t>(check.max_consecutive_failures));
    health.set_grace_period_seconds(check.grace_period_seconds);
    const auto protocol = check.ipv6 ? pb::NetworkInfo::IPv6 : pb::NetworkInfo::IPv4;
    if (check.protocol == HealthProtocol::Command) {
      health.set_type(pb::HealthCheck::COMMAND);
      health.mutable_command()->set_value(check.command);
      for (const auto& [name, value] : env) {
        auto* variable = health.mutable_command()->mutable_environment()->add_variables();
        variable->set_name(name);
        variable->set_value(value);
      }
      add_secret_variables(app, app.env_secrets, *health.mutable_command());
    } else if (check.protocol == HealthProtocol::MesosTcp) {
      health.set_type(pb::HealthCheck::TCP);
      health.mutable_tcp()->set_protocol(protocol);
      health.mutable_tcp()->set_port(static_cast<uint32_t>(check_port(check.port, check.port_index, app, placement)));
    } else {
      health.set_type(pb::HealthCheck::HTTP);
      health.mutable_http()->set_protocol(protocol);
      health.mutable_http()->set_scheme(check.protocol == HealthProtocol::MesosHttps ? "https" : "http");
      health.mutable_http()->set_port(static_cast<uint32_t>(check_port(check.port, check.port_index, app, placement)));
      std::string path = check.path.value_or("/");
      if (!path.starts_with('/')) path.insert(0, "/");
      health.mutable_http()->set_path(path);
    }
    return;  // the kernel takes at most one
  }
}

/// A reference to what the app calls by that name.
void refer(const App& app, const std::string& name, pb::Secret& out) {
  const auto source = app.secrets.find(name);
  out.set_type(pb::Secret::REFERENCE);
  out.mutable_reference()->set_name(source == app.secrets.end() ? name : source->second);
}

}  // namespace

void add_secret_variables(const App& app, const Secrets& variables, pb::CommandInfo& command) {
  for (const auto& [name, secret] : variables) {
    auto* variable = command.mutable_environment()->add_variables();
    variable->set_name(name);
    variable->set_type(pb::Environment::Variable::SECRET);
    refer(app, secret, *variable->mutable_secret());
  }
}

void set_secret_file(const App& app, const std::string& secret, pb::Volume& volume) {
  volume.set_mode(pb::Volume::RO);
  volume.mutable_source()->set_type(pb::Volume::Source::SECRET);
  refer(app, secret, *volume.mutable_source()->mutable_secret());
}

void set_pull_secret(const App& app, const std::string& secret, pb::Image_Docker& image) { refer(app, secret, *image.mutable_config()); }

void set_linux_info(const LinuxInfo& info, pb::LinuxInfo& out) {
  if (info.seccomp) {
    out.mutable_seccomp()->set_unconfined(info.seccomp->unconfined);
    if (info.seccomp->profile_name) out.mutable_seccomp()->set_profile_name(*info.seccomp->profile_name);
  }
  if (!info.ipc) return;
  out.set_ipc_mode(info.ipc->share_parent ? pb::LinuxInfo::SHARE_PARENT : pb::LinuxInfo::PRIVATE);
  if (info.ipc->shm_size_mb) out.set_shm_size(static_cast<uint32_t>(*info.ipc->shm_size_mb));
}

void set_check(const Check& check, uint32_t port, pb::CheckInfo& out) {
  out.set_delay_seconds(check.delay_seconds);
  out.set_interval_seconds(check.interval_seconds);
  out.set_timeout_seconds(check.timeout_seconds);
  switch (check.kind) {
    case CheckKind::Http:
      out.set_type(pb::CheckInfo::HTTP);
      out.mutable_http()->set_port(port);
      if (check.path) out.mutable_http()->set_path(check.path->starts_with('/') ? *check.path : "/" + *check.path);
      break;
    case CheckKind::Tcp:
      out.set_type(pb::CheckInfo::TCP);
      out.mutable_tcp()->set_port(port);
      break;
    case CheckKind::Command: {
      out.set_type(pb::CheckInfo::COMMAND);
      pb::CommandInfo& command = *out.mutable_command()->mutable_command();
      command.set_shell(check.command.shell.has_value());
      command.set_value(check.command.shell ? *check.command.shell : check.command.argv.front());
      for (const std::string& argument : check.command.argv) command.add_arguments(argument);
      break;
    }
  }
}

std::string variable_name(std::string_view text) {
  std::string name;
  for (char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '_';
    if (plain) {
      name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    } else if (name.empty() || name.back() != '_') {
      name += '_';
    }
  }
  return name;
}

void add_label_variables(const Labels& labels, std::map<std::string, std::string>& env) {
  std::vector<std::string> names;
  for (const auto& [key, value] : labels) {
    if (key.size() >= kMaxEnvText - kLabelPrefix.size() || value.size() >= kMaxEnvText) continue;
    const std::string name = variable_name(key);
    names.push_back(name);
    env[std::string(kLabelPrefix) + name] = value;
  }
  env["MARATHON_APP_LABELS"] = base::join(names, " ");
}

void add_uris(const std::vector<FetchUri>& list, pb::CommandInfo& command) {
  for (const FetchUri& fetch : list) {
    auto* uri = command.add_uris();
    uri->set_value(fetch.uri);
    uri->set_extract(fetch.extract);
    uri->set_executable(fetch.executable);
    uri->set_cache(fetch.cache);
    if (!fetch.dest_path.empty()) uri->set_output_file(fetch.dest_path);
  }
}

std::map<std::string, std::string> task_environment(const App& app, const Instance& instance,
                                                    const Placement& placement,
                                                    const std::string& prefix, bool enforce_role) {
  std::map<std::string, std::string> env{
      {"MESOS_TASK_ID", instance.task_id},
      {"MARATHON_APP_ID", app.id},
      {"MARATHON_APP_VERSION", base::render_iso8601(app.version)},
      {"MARATHON_APP_RESOURCE_CPUS", base::render_double(app.cpus)},
      {"MARATHON_APP_RESOURCE_MEM", base::render_double(app.mem)},
      {"MARATHON_APP_RESOURCE_DISK", base::render_double(app.disk)},
      {"MARATHON_APP_RESOURCE_GPUS", std::to_string(app.gpus)},
      {"MARATHON_APP_ENFORCE_GROUP_ROLE", enforce_role ? "TRUE" : "FALSE"},
  };
  if (app.container && app.container->type == ContainerType::Docker) {
    env["MARATHON_APP_DOCKER_IMAGE"] = app.container->image;
  }
  add_label_variables(app.labels, env);
  add_ports(app, instance, placement, prefix, env);
  for (const auto& [name, value] : app.env) env[name] = value;
  for (const auto& [name, secret] : app.env_secrets) env.erase(name);
  return env;
}

namespace {

/// As one word of the shell's.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

/// A program that runs the task instead of the kernel's own: it is made executable and gets the app's command as arguments.
void set_executor(const App& app, const std::string& path, const Instance& instance, const Placement& placement,
                  const std::map<std::string, std::string>& env, const std::string& framework, const Policy& policy,
                  Supply& supply, pb::ExecutorInfo& out) {
  out.set_type(pb::ExecutorInfo::CUSTOM);
  out.mutable_executor_id()->set_value("marathon-" + instance.task_id);
  out.mutable_framework_id()->set_value(framework);
  if (app.executor_resources) {
    supply.give("cpus", thousandths(app.executor_resources->cpus), out);
    supply.give("mem", thousandths(app.executor_resources->mem), out);
    supply.give("disk", thousandths(app.executor_resources->disk), out);
  }
  set_command(app, env, *out.mutable_command());
  const std::string program = quoted(path);
  out.mutable_command()->clear_arguments();
  out.mutable_command()->set_shell(true);
  out.mutable_command()->set_value(
      fmt::format("chmod ug+rx {} && exec {} {}", program, program, app.cmd ? *app.cmd : base::join(app.args, " ")));
  set_container(app, instance, placement, policy.defaults.bridge_name, out);
}

}  // namespace

void build_task(const App& app, const Instance& instance, const Placement& placement, const Offer& offer,
                const std::vector<pb::Resource>& resources, const std::string& framework, const Policy& policy,
                bool enforce_role, pb::TaskInfo& out) {
  out.set_name(host_name(app.id));
  out.mutable_task_id()->set_value(instance.task_id);
  out.mutable_agent_id()->set_value(offer.agent_id);
  const auto env = task_environment(app, instance, placement, policy.env_vars_prefix, enforce_role);
  Supply supply(resources);
  const std::string& executor = app.executor.empty() ? policy.executor : app.executor;
  if (executor == kCommandExecutor) {
    set_command(app, env, *out.mutable_command());
    set_container(app, instance, placement, policy.defaults.bridge_name, out);
  } else {
    set_executor(app, executor, instance, placement, env, framework, policy, supply, *out.mutable_executor());
  }
  supply.give_rest(out);
  set_health_check(app, env, placement, out);
  if (app.check) {
    set_check(*app.check, static_cast<uint32_t>(check_port(app.check->port, app.check->port_index, app, placement)),
              *out.mutable_check());
  }
  set_discovery(app, placement, out);
  for (const auto& [key, value] : app.labels) {
    auto* label = out.mutable_labels()->add_labels();
    label->set_key(key);
    label->set_value(value);
  }
  if (app.task_kill_grace_period_seconds) {
    out.mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(
        *app.task_kill_grace_period_seconds * 1'000'000'000);
  }
  if (app.resource_limits) {
    if (app.resource_limits->cpus) (*out.mutable_limits())["cpus"].set_value(*app.resource_limits->cpus);
    if (app.resource_limits->mem) (*out.mutable_limits())["mem"].set_value(*app.resource_limits->mem);
  }
}

}  // namespace marathon
