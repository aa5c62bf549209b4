#include <cmath>

#include <boost/json.hpp>

#include "marathon/import/convert.hpp"
#include "marathon/import/original.pb.h"

namespace marathon::original {

namespace json = boost::json;

namespace {

/// The name at `index`; past the end the last one, which the reader of the result refuses.
template <size_t N>
const char* name_of(const char* const (&names)[N], uint32_t index) {
  return index < N ? names[index] : names[N - 1];
}

constexpr const char* kOperators[] = {"UNIQUE", "LIKE", "CLUSTER", "GROUP_BY", "UNLIKE", "MAX_PER", "IS", "(unknown)"};
constexpr const char* kProtocols[] = {"HTTP",       "TCP",         "COMMAND",   "HTTPS",
                                      "MESOS_HTTP", "MESOS_HTTPS", "MESOS_TCP", "(unknown)"};

/// Readers of definitions know signed numbers only, as those of a request are.
int64_t whole(uint64_t number) { return static_cast<int64_t>(number); }

template <class Pairs>
json::object labels_of(const Pairs& pairs) {
  json::object out;
  for (const auto& pair : pairs) out[pair.key()] = pair.value();
  return out;
}

template <class Texts>
json::array texts_of(const Texts& texts) {
  json::array out;
  for (const auto& text : texts) out.emplace_back(text);
  return out;
}

template <class Constraints>
json::array constraints_of(const Constraints& constraints) {
  json::array out;
  for (const auto& constraint : constraints) {
    json::array item{json::value(constraint.field()), json::value(name_of(kOperators, constraint.operator_()))};
    if (constraint.has_value()) item.emplace_back(constraint.value());
    out.push_back(std::move(item));
  }
  return out;
}

void put_command(json::object& out, const Command& command) {
  // Of an app with arguments the value is no command line: it repeats the first of them.
  if (command.arguments_size() > 0) {
    out["args"] = texts_of(command.arguments());
  } else if (!command.value().empty()) {
    out["cmd"] = command.value();
  }
  if (command.has_user()) out["user"] = command.user();
  json::array fetch;
  for (const auto& uri : command.uris()) {
    json::object item{{"uri", uri.value()}, {"extract", !uri.has_extract() || uri.extract()},
                      {"executable", uri.executable()}, {"cache", uri.cache()}};
    if (uri.has_output_file()) item["destPath"] = uri.output_file();
    fetch.push_back(std::move(item));
  }
  if (!fetch.empty()) out["fetch"] = std::move(fetch);
}

void put_environment(json::object& out, const ServiceDefinition& service) {
  json::object env;
  for (const auto& variable : service.cmd().environment().variables()) env[variable.name()] = variable.value();
  for (const auto& reference : service.variable_references()) {
    if (reference.type() == 1) env[reference.name()] = json::object{{"secret", reference.secret().id()}};
  }
  out["env"] = std::move(env);
  if (service.secrets_size() == 0) return;
  json::object secrets;
  for (const auto& secret : service.secrets()) secrets[secret.id()] = json::object{{"source", secret.source()}};
  out["secrets"] = std::move(secrets);
}

json::object persistent_of(const PersistentVolume& volume) {
  constexpr const char* kTypes[] = {"root", "path", "mount", "(unknown)"};
  json::object out{{"size", whole(volume.size())}, {"type", name_of(kTypes, volume.type())}};
  if (volume.constraints_size() > 0) out["constraints"] = constraints_of(volume.constraints());
  if (volume.has_max_size()) out["maxSize"] = whole(volume.max_size());
  if (volume.has_profile_name()) out["profileName"] = volume.profile_name();
  return out;
}

json::object volume_of(const Volume& volume) {
  json::object out{{"containerPath", volume.container_path()}, {"mode", volume.mode() == 1 ? "RW" : "RO"}};
  if (volume.has_host_path()) out["hostPath"] = volume.host_path();
  if (volume.has_persistent()) out["persistent"] = persistent_of(volume.persistent());
  if (volume.has_secret()) return {{"containerPath", volume.container_path()}, {"secret", volume.secret().secret()}};
  if (volume.has_csi()) out["external"] = json::object{{"name", volume.csi().name()}, {"provider", "csi"}};
  if (volume.has_external()) {
    json::object external{{"name", volume.external().name()}, {"provider", volume.external().provider()},
                          {"options", labels_of(volume.external().options())}, {"shared", volume.external().shared()}};
    if (volume.external().has_size()) external["size"] = whole(volume.external().size());
    out["external"] = std::move(external);
  }
  return out;
}

json::object linux_info_of(const LinuxInfo& info) {
  json::object out;
  if (info.has_seccomp()) {
    json::object seccomp{{"unconfined", info.seccomp().unconfined()}};
    if (info.seccomp().has_profile_name()) seccomp["profileName"] = info.seccomp().profile_name();
    out["seccomp"] = std::move(seccomp);
  }
  if (info.has_ipc_info()) {
    json::object ipc{{"mode", info.ipc_info().mode() == 2 ? "SHARE_PARENT" : "PRIVATE"}};
    if (info.ipc_info().has_shm_size()) ipc["shmSize"] = whole(info.ipc_info().shm_size());
    out["ipcInfo"] = std::move(ipc);
  }
  return out;
}

json::object container_of(const Container& container) {
  json::object out{{"type", container.type() == 1 ? "DOCKER" : "MESOS"}};
  if (container.has_docker()) {
    json::array parameters;
    for (const auto& parameter : container.docker().parameters()) {
      parameters.push_back(json::object{{"key", parameter.key()}, {"value", parameter.value()}});
    }
    out["docker"] = json::object{{"image", container.docker().image()},
                                 {"privileged", container.docker().privileged()},
                                 {"forcePullImage", container.docker().force_pull_image()},
                                 {"parameters", std::move(parameters)}};
  } else if (container.has_mesos_docker()) {
    json::object docker{{"image", container.mesos_docker().image()},
                        {"forcePullImage", container.mesos_docker().force_pull_image()}};
    if (container.mesos_docker().has_pull_config()) {
      docker["pullConfig"] =
          json::object{{"secret", container.mesos_docker().pull_config().secret().reference().name()}};
    }
    out["docker"] = std::move(docker);
  }
  if (container.has_linux_info()) out["linuxInfo"] = linux_info_of(container.linux_info());
  json::array volumes;
  for (const auto& volume : container.volumes()) volumes.push_back(volume_of(volume));
  out["volumes"] = std::move(volumes);
  json::array mappings;
  for (const auto& mapping : container.port_mappings()) {
    json::object item{{"containerPort", whole(mapping.container_port())}, {"servicePort", whole(mapping.service_port())},
                      {"labels", labels_of(mapping.labels())}};
    if (mapping.has_host_port()) item["hostPort"] = whole(mapping.host_port());
    if (mapping.has_protocol()) item["protocol"] = mapping.protocol();
    if (mapping.has_name()) item["name"] = mapping.name();
    if (mapping.network_names_size() > 0) item["networkNames"] = texts_of(mapping.network_names());
    mappings.push_back(std::move(item));
  }
  // Said also when there are none: left out, a network of its own would get one.
  out["portMappings"] = std::move(mappings);
  return out;
}

json::array health_checks_of(const ServiceDefinition& service) {
  json::array out;
  for (const auto& check : service.health_checks()) {
    json::object item{{"protocol", name_of(kProtocols, check.protocol())},
                      {"gracePeriodSeconds", whole(check.grace_period_seconds())},
                      {"intervalSeconds", whole(check.interval_seconds())},
                      {"timeoutSeconds", whole(check.timeout_seconds())},
                      {"maxConsecutiveFailures", whole(check.max_consecutive_failures())},
                      {"delaySeconds", whole(check.delay_seconds())}};
    if (check.has_path()) item["path"] = check.path();
    if (check.has_port()) item["port"] = whole(check.port());
    if (check.has_port_index()) item["portIndex"] = whole(check.port_index());
    if (check.ignore_http_1xx()) item["ignoreHttp1xx"] = true;
    if (check.ip_protocol() == 2) item["ipProtocol"] = "IPv6";
    if (check.has_command()) item["command"] = json::object{{"value", check.command().value()}};
    out.push_back(std::move(item));
  }
  return out;
}

json::object check_of(const Check& check) {
  json::object how;
  if (check.protocol() == 2) {
    how["command"] = check.command().arguments_size() > 0 ? json::object{{"argv", texts_of(check.command().arguments())}}
                                                          : json::object{{"shell", check.command().value()}};
  } else {
    if (check.has_port()) how["port"] = whole(check.port());
    if (check.has_port_index()) how["portIndex"] = whole(check.port_index());
    if (check.has_path()) how["path"] = check.path();
  }
  constexpr const char* kKinds[] = {"http", "tcp", "exec"};
  return {{name_of(kKinds, check.protocol()), std::move(how)}, {"intervalSeconds", whole(check.interval_seconds())},
          {"timeoutSeconds", whole(check.timeout_seconds())}, {"delaySeconds", whole(check.delay_seconds())}};
}

json::array readiness_checks_of(const ServiceDefinition& service) {
  json::array out;
  for (const auto& check : service.readiness_checks()) {
    json::object item{{"name", check.name()}, {"path", check.path()}, {"portName", check.port_name()},
                      {"protocol", check.protocol() == 1 ? "HTTPS" : "HTTP"},
                      {"intervalSeconds", whole(check.interval_ms() / 1000)}, {"timeoutSeconds", whole(check.timeout_ms() / 1000)},
                      {"preserveLastResponse", check.preserve_last_response()}};
    json::array codes;
    for (const uint32_t code : check.ready_codes()) codes.emplace_back(whole(code));
    if (!codes.empty()) item["httpStatusCodesForReady"] = std::move(codes);
    out.push_back(std::move(item));
  }
  return out;
}

json::array networks_of(const ServiceDefinition& service) {
  json::array out;
  for (const auto& network : service.networks()) {
    json::object item{{"mode", network.mode() == 3   ? "container/bridge"
                               : network.mode() == 2 ? "container"
                                                     : "host"}};
    if (network.has_name()) item["name"] = network.name();
    if (network.labels_size() > 0) item["labels"] = labels_of(network.labels());
    out.push_back(std::move(item));
  }
  if (out.empty()) out.push_back(json::object{{"mode", "host"}});
  return out;
}

void put_ports(json::object& out, const ServiceDefinition& service) {
  json::array definitions;
  for (const auto& port : service.port_definitions()) {
    json::object item{{"port", whole(port.number())}, {"labels", labels_of(port.labels().labels())}};
    if (port.has_protocol()) item["protocol"] = port.protocol();
    if (port.has_name()) item["name"] = port.name();
    definitions.push_back(std::move(item));
  }
  for (const uint32_t port : service.ports()) {
    if (service.port_definitions_size() == 0) definitions.push_back(json::object{{"port", whole(port)}});
  }
  const bool host = service.networks_size() == 0 || service.networks(0).mode() <= 1;
  if (host) out["portDefinitions"] = std::move(definitions);
  out["requirePorts"] = service.require_ports();
}

void put_resources(json::object& out, const ServiceDefinition& service) {
  for (const auto& resource : service.resources()) {
    for (const char* name : {"cpus", "mem", "disk"}) {
      if (resource.name() == name) out[name] = resource.scalar().value();
    }
    if (resource.name() == "gpus") out["gpus"] = static_cast<int64_t>(resource.scalar().value());
  }
  json::object executor;
  for (const auto& resource : service.executor_resources()) executor[resource.name()] = resource.scalar().value();
  executor.erase("gpus");
  if (!executor.empty()) out["executorResources"] = std::move(executor);
  if (!service.has_resource_limits()) return;
  json::object limits;
  const auto put = [&](const char* name, double amount) {
    limits[name] = std::isinf(amount) ? json::value("unlimited") : json::value(amount);
  };
  if (service.resource_limits().has_cpus()) put("cpus", service.resource_limits().cpus());
  if (service.resource_limits().has_mem()) put("mem", service.resource_limits().mem());
  out["resourceLimits"] = std::move(limits);
}

void put_strategies(json::object& out, const ServiceDefinition& service) {
  out["backoffSeconds"] = service.backoff_ms() / 1000;
  out["backoffFactor"] = service.backoff_factor();
  out["maxLaunchDelaySeconds"] = service.max_launch_delay_ms() / 1000;
  if (service.has_upgrade_strategy()) {
    out["upgradeStrategy"] = json::object{
        {"minimumHealthCapacity", service.upgrade_strategy().minimum_health_capacity()},
        {"maximumOverCapacity", service.upgrade_strategy().maximum_over_capacity()}};
  }
  if (service.has_task_kill_grace_period_ms()) {
    out["taskKillGracePeriodSeconds"] = service.task_kill_grace_period_ms() / 1000;
  }
  if (service.has_unreachable_strategy()) {
    const auto& strategy = service.unreachable_strategy();
    if (strategy.has_inactive_after_seconds() && strategy.has_expunge_after_seconds()) {
      out["unreachableStrategy"] = json::object{{"inactiveAfterSeconds", whole(strategy.inactive_after_seconds())},
                                                {"expungeAfterSeconds", whole(strategy.expunge_after_seconds())}};
    } else {
      out["unreachableStrategy"] = "disabled";
    }
  }
  if (service.kill_selection() == 2) out["killSelection"] = "OLDEST_FIRST";
}

/// Earlier releases took any role here; the last ones keep those that mean something.
void put_roles(json::object& out, const ServiceDefinition& service, const std::string& default_role) {
  const std::string role = service.role().empty() ? default_role : service.role();
  out["role"] = role;
  if (service.accepted_resource_roles().role_size() == 0) return;
  json::array accepted;
  for (const auto& name : service.accepted_resource_roles().role()) {
    if (name == role || name == "*") accepted.emplace_back(name);
  }
  if (accepted.empty()) accepted.emplace_back("*");
  out["acceptedResourceRoles"] = std::move(accepted);
}

}  // namespace

json::object definition_of(const ServiceDefinition& service, const std::string& default_role) {
  json::object out{{"id", service.id()}, {"instances", whole(service.instances())}};
  put_command(out, service.cmd());
  put_environment(out, service);
  put_resources(out, service);
  if (!service.executor().empty()) out["executor"] = service.executor();
  out["constraints"] = constraints_of(service.constraints());
  out["networks"] = networks_of(service);
  put_ports(out, service);
  if (service.has_container()) out["container"] = container_of(service.container());
  out["healthChecks"] = health_checks_of(service);
  if (service.has_check()) out["check"] = check_of(service.check());
  out["readinessChecks"] = readiness_checks_of(service);
  put_strategies(out, service);
  out["dependencies"] = texts_of(service.dependencies());
  out["labels"] = labels_of(service.labels());
  put_roles(out, service, default_role);
  if (service.has_tty()) out["tty"] = true;
  return out;
}

}  // namespace marathon::original
