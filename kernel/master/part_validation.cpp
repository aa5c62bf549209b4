// Commands, containers and checks: the parts that tasks and executors share.

#include "base/strings.hpp"
#include "kernel/master/validation.hpp"

namespace master {

namespace {

using mesos::v1::CheckInfo;
using mesos::v1::CommandInfo;
using mesos::v1::ContainerInfo;
using mesos::v1::Environment;
using mesos::v1::HealthCheck;
using mesos::v1::Secret;
using mesos::v1::Volume;

Refusal validate_secret(const Secret& secret) {
  switch (secret.type()) {
    case Secret::REFERENCE:
      if (!secret.has_reference()) return "Secret of type REFERENCE must have the 'reference' field set";
      if (secret.has_value()) {
        return "Secret '" + secret.reference().name() + "' of type REFERENCE must not have the 'value' field set";
      }
      return std::nullopt;
    case Secret::VALUE:
      if (!secret.has_value()) return "Secret of type VALUE must have the 'value' field set";
      if (secret.has_reference()) return "Secret of type VALUE must not have the 'reference' field set";
      return std::nullopt;
    default: return std::nullopt;
  }
}

Refusal validate_variable(const Environment::Variable& variable) {
  const std::string what = "Environment variable '" + variable.name() + "' of type ";
  switch (variable.type()) {
    case Environment::Variable::SECRET:
      if (!variable.has_secret()) return what + "'SECRET' must have a secret set";
      if (variable.has_value()) return what + "'SECRET' must not have a value set";
      if (auto why = validate_secret(variable.secret())) {
        return "Environment variable '" + variable.name() + "' specifies an invalid secret: " + *why;
      }
      if (variable.secret().value().data().find('\0') != std::string::npos) {
        return "Environment variable '" + variable.name() +
               "' specifies a secret containing null bytes, which is not allowed in the environment";
      }
      return std::nullopt;
    case Environment::Variable::VALUE:
      if (!variable.has_value()) return what + "'VALUE' must have a value set";
      if (variable.has_secret()) return what + "'VALUE' must not have a secret set";
      if (variable.value().find('\0') != std::string::npos || variable.name().find('\0') != std::string::npos) {
        return what + "'VALUE' contains null bytes, which is not allowed in the environment";
      }
      return std::nullopt;
    default: return "Environment variable of type 'UNKNOWN' is not allowed";
  }
}

Refusal validate_volume(const Volume& volume) {
  if (volume.has_host_path() + volume.has_image() + volume.has_source() != 1) {
    return "Only one of them should be set: 'host_path', 'image' and 'source'";
  }
  if (!volume.has_source()) return std::nullopt;
  const Volume::Source& source = volume.source();
  switch (source.type()) {
    case Volume::Source::DOCKER_VOLUME:
      if (!source.has_docker_volume()) return "'source.docker_volume' is not set for DOCKER_VOLUME volume";
      return std::nullopt;
    case Volume::Source::HOST_PATH:
      if (!source.has_host_path()) return "'source.host_path' is not set for HOST_PATH volume";
      return std::nullopt;
    case Volume::Source::SANDBOX_PATH:
      if (!source.has_sandbox_path()) return "'source.sandbox_path' is not set for SANDBOX_PATH volume";
      return std::nullopt;
    case Volume::Source::SECRET:
      if (!source.has_secret()) return "'source.secret' is not set for SECRET volume";
      return std::nullopt;
    case Volume::Source::CSI_VOLUME:
      if (!source.has_csi_volume()) return "'source.csi_volume' is not set for CSI volume";
      if (!source.csi_volume().has_static_provisioning()) {
        return "'source.csi_volume.static_provisioning' is not set for CSI volume";
      }
      return std::nullopt;
    default: return "'source.type' is unknown";
  }
}

/// A check's command must say what to run.
Refusal validate_check_command(const CommandInfo& command, const std::string& subject) {
  if (!command.has_value()) {
    return subject + " must contain " + (command.shell() ? "'shell command'" : "'executable path'");
  }
  return std::nullopt;
}

template <class Check>
Refusal validate_seconds(const Check& check) {
  // Written so that NaN fails too.
  if (check.has_delay_seconds() && !(check.delay_seconds() >= 0)) return "Expecting 'delay_seconds' to be non-negative";
  if (check.has_interval_seconds() && !(check.interval_seconds() >= 0)) {
    return "Expecting 'interval_seconds' to be non-negative";
  }
  if (check.has_timeout_seconds() && !(check.timeout_seconds() >= 0)) {
    return "Expecting 'timeout_seconds' to be non-negative";
  }
  return std::nullopt;
}

}  // namespace

Refusal validate_command(const CommandInfo& command) {
  for (const auto& variable : command.environment().variables()) {
    if (auto why = validate_variable(variable)) return why;
  }
  return std::nullopt;
}

Refusal validate_container(const ContainerInfo& container) {
  for (const Volume& volume : container.volumes()) {
    if (auto why = validate_volume(volume)) return "Invalid volume: " + *why;
  }
  if (container.type() != ContainerInfo::DOCKER) return std::nullopt;
  if (!container.has_docker()) return "DockerInfo 'docker' is not set for DOCKER typed ContainerInfo";
  for (const auto& parameter : container.docker().parameters()) {
    if (parameter.key() == "name") return "Parameter in DockerInfo must not be 'name'";
  }
  return std::nullopt;
}

Refusal validate_health_check(const HealthCheck& check) {
  if (!check.has_type()) return "HealthCheck must specify 'type'";
  switch (check.type()) {
    case HealthCheck::COMMAND:
      if (!check.has_command()) return "Expecting 'command' to be set for COMMAND health check";
      if (auto why = validate_check_command(check.command(), "Command health check")) return why;
      if (auto why = validate_command(check.command())) return "Health check's `CommandInfo` is invalid: " + *why;
      break;
    case HealthCheck::HTTP:
      if (!check.has_http()) return "Expecting 'http' to be set for HTTP health check";
      if (check.http().has_scheme() && check.http().scheme() != "http" && check.http().scheme() != "https") {
        return "Unsupported HTTP health check scheme: '" + check.http().scheme() + "'";
      }
      if (check.http().has_path() && check.http().path().substr(0, 1) != "/") {
        return "The path '" + check.http().path() + "' of HTTP health check must start with '/'";
      }
      break;
    case HealthCheck::TCP:
      if (!check.has_tcp()) return "Expecting 'tcp' to be set for TCP health check";
      break;
    default: return "'UNKNOWN' is not a valid health check type";
  }
  if (auto why = validate_seconds(check)) return why;
  if (check.has_grace_period_seconds() && !(check.grace_period_seconds() >= 0)) {
    return "Expecting 'grace_period_seconds' to be non-negative";
  }
  return std::nullopt;
}

Refusal validate_check(const CheckInfo& check) {
  if (!check.has_type()) return "CheckInfo must specify 'type'";
  switch (check.type()) {
    case CheckInfo::COMMAND:
      if (!check.has_command()) return "Expecting 'command' to be set for COMMAND check";
      if (auto why = validate_check_command(check.command().command(), "Command check")) return why;
      if (auto why = validate_command(check.command().command())) return "Check's `CommandInfo` is invalid: " + *why;
      break;
    case CheckInfo::HTTP:
      if (!check.has_http()) return "Expecting 'http' to be set for HTTP check";
      if (check.http().has_path() && check.http().path().substr(0, 1) != "/") {
        return "The path '" + check.http().path() + "' of HTTP check must start with '/'";
      }
      break;
    case CheckInfo::TCP:
      if (!check.has_tcp()) return "Expecting 'tcp' to be set for TCP check";
      break;
    default: return "'UNKNOWN' is not a valid check type";
  }
  return validate_seconds(check);
}

}  // namespace master
