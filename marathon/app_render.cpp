#include <cmath>

#include "base/json/writer.hpp"
#include "marathon/app_json.hpp"
#include "marathon/definition_fields.hpp"
#include "marathon/pod_json.hpp"

namespace marathon {
namespace {

using base::json::Writer;

void write_port_mapping(Writer& w, const PortMapping& mapping) {
  w.begin_object();
  w.field("containerPort", mapping.container_port);
  if (mapping.host_port) w.field("hostPort", *mapping.host_port);
  write_labels(w, "labels", mapping.labels);
  if (mapping.name) w.field("name", *mapping.name);
  if (!mapping.network_names.empty()) write_strings(w, "networkNames", mapping.network_names);
  w.field("protocol", mapping.protocol);
  w.field("servicePort", mapping.service_port);
  w.end_object();
}

void write_container(Writer& w, const Container& container, bool host_network) {
  w.key("container");
  w.begin_object();
  w.field("type", container.type == ContainerType::Docker ? "DOCKER" : "MESOS");
  if (!container.image.empty()) {
    w.key("docker");
    w.begin_object();
    w.field("forcePullImage", container.force_pull_image);
    w.field("image", container.image);
    if (!container.pull_secret.empty()) write_pull_config(w, container.pull_secret);
    if (container.type == ContainerType::Docker) {
      w.key("parameters");
      w.begin_array();
      for (const Parameter& parameter : container.parameters) {
        w.begin_object();
        w.field("key", parameter.key);
        w.field("value", parameter.value);
        w.end_object();
      }
      w.end_array();
      w.field("privileged", container.privileged);
    }
    w.end_object();
  }
  if (container.linux_info) write_linux_info(w, *container.linux_info);
  w.key("volumes");
  w.begin_array();
  for (const Volume& volume : container.volumes) {
    w.begin_object();
    w.field("containerPath", volume.container_path);
    if (!volume.secret.empty()) {
      w.field("secret", volume.secret);
      w.end_object();
      continue;
    }
    if (!volume.persistent) w.field("hostPath", volume.host_path);
    w.field("mode", volume.mode);
    if (volume.persistent) write_persistent(w, *volume.persistent);
    w.end_object();
  }
  w.end_array();
  if (!host_network) {
    w.key("portMappings");
    w.begin_array();
    for (const PortMapping& mapping : container.port_mappings) write_port_mapping(w, mapping);
    w.end_array();
  }
  w.end_object();
}

void write_port_definitions(Writer& w, const App& app) {
  w.key("portDefinitions");
  w.begin_array();
  for (const PortDefinition& port : app.port_definitions) {
    w.begin_object();
    write_labels(w, "labels", port.labels);
    if (port.name) w.field("name", *port.name);
    w.field("port", port.port);
    w.field("protocol", port.protocol);
    w.end_object();
  }
  w.end_array();
}

void write_readiness_checks(Writer& w, const App& app) {
  w.key("readinessChecks");
  w.begin_array();
  for (const ReadinessCheck& check : app.readiness_checks) {
    w.begin_object();
    w.key("httpStatusCodesForReady");
    w.begin_array();
    for (int code : check.ready_codes) w.value(code);
    w.end_array();
    w.field("intervalSeconds", check.interval_seconds);
    w.field("name", check.name);
    w.field("path", check.path);
    w.field("portName", check.port_name);
    w.field("preserveLastResponse", check.preserve_last_response);
    w.field("protocol", check.https ? "HTTPS" : "HTTP");
    w.field("timeoutSeconds", check.timeout_seconds);
    w.end_object();
  }
  w.end_array();
}

}  // namespace

void write_labels(Writer& w, std::string_view key, const Labels& labels) {
  w.key(key);
  w.begin_object();
  for (const auto& [name, value] : labels) w.field(name, value);
  w.end_object();
}

void write_environment(Writer& w, std::string_view key, const std::map<std::string, std::string>& env, const Secrets& secrets) {
  w.key(key);
  w.begin_object();
  for (const auto& [name, value] : env) w.field(name, value);
  for (const auto& [name, secret] : secrets) {
    w.key(name);
    w.begin_object();
    w.field("secret", secret);
    w.end_object();
  }
  w.end_object();
}

void write_secrets(Writer& w, const Secrets& secrets) {
  w.key("secrets");
  w.begin_object();
  for (const auto& [name, source] : secrets) {
    w.key(name);
    w.begin_object();
    w.field("source", source);
    w.end_object();
  }
  w.end_object();
}

void write_strings(Writer& w, std::string_view key, const std::vector<std::string>& values) {
  w.key(key);
  w.begin_array();
  for (const std::string& value : values) w.value(value);
  w.end_array();
}

void write_number_field(Writer& w, std::string_view key, double number) {
  w.key(key);
  write_number(w, number);
}

void write_networks(Writer& w, const std::vector<Network>& networks) {
  w.key("networks");
  w.begin_array();
  for (const Network& network : networks) {
    w.begin_object();
    w.field("mode", network.mode == NetworkMode::Host     ? "host"
                    : network.mode == NetworkMode::Bridge ? "container/bridge"
                                                          : "container");
    if (!network.name.empty()) w.field("name", network.name);
    if (!network.labels.empty()) write_labels(w, "labels", network.labels);
    w.end_object();
  }
  w.end_array();
}

void write_fetch(Writer& w, std::string_view key, const std::vector<FetchUri>& list) {
  w.key(key);
  w.begin_array();
  for (const FetchUri& fetch : list) {
    w.begin_object();
    w.field("cache", fetch.cache);
    if (!fetch.dest_path.empty()) w.field("destPath", fetch.dest_path);
    w.field("executable", fetch.executable);
    w.field("extract", fetch.extract);
    w.field("uri", fetch.uri);
    w.end_object();
  }
  w.end_array();
}

void write_limits(Writer& w, const ResourceLimits& limits) {
  const auto one = [&](std::string_view key, const std::optional<double>& limit) {
    if (!limit) return;
    w.key(key);
    if (std::isinf(*limit)) {
      w.value("unlimited");
    } else {
      write_number(w, *limit);
    }
  };
  w.key("resourceLimits");
  w.begin_object();
  one("cpus", limits.cpus);
  one("mem", limits.mem);
  w.end_object();
}

void write_unreachable_strategy(Writer& w, const UnreachableStrategy& strategy) {
  w.key("unreachableStrategy");
  if (strategy.disabled) return w.value("disabled");
  w.begin_object();
  w.field("expungeAfterSeconds", strategy.expunge_after_seconds);
  w.field("inactiveAfterSeconds", strategy.inactive_after_seconds);
  w.end_object();
}

void write_deployment_rules(Writer& w, const DeploymentRules& rules) {
  w.key("deployment");
  w.begin_object();
  w.field("autoRevert", rules.auto_revert);
  if (rules.canary > 0) w.field("canary", rules.canary);
  w.field("minHealthySeconds", rules.min_healthy_seconds);
  w.field("progressDeadlineSeconds", rules.progress_deadline_seconds);
  w.end_object();
}

void write_versions(Writer& w, const App& app) {
  if (app.version == Version()) return;
  w.field("version", base::render_iso8601(app.version));
  if (app.last_config_change_at == Version()) return;
  w.key("versionInfo");
  w.begin_object();
  w.field("lastConfigChangeAt", base::render_iso8601(app.last_config_change_at));
  w.field("lastScalingAt", base::render_iso8601(app.last_scaling_at));
  w.end_object();
}

void write_number(Writer& w, double number) {
  if (std::abs(number) < 9e15 && number == std::floor(number)) {
    w.value(static_cast<int64_t>(number));
  } else {
    w.value(number);
  }
}

void write_health_check(Writer& w, const HealthCheck& check) {
  w.begin_object();
  if (check.protocol == HealthProtocol::Command) {
    w.key("command");
    w.begin_object();
    w.field("value", check.command);
    w.end_object();
  }
  w.field("delaySeconds", check.delay_seconds);
  w.field("gracePeriodSeconds", check.grace_period_seconds);
  if (check.protocol == HealthProtocol::Http || check.protocol == HealthProtocol::Https) {
    w.field("ignoreHttp1xx", check.ignore_http_1xx);
  }
  w.field("intervalSeconds", check.interval_seconds);
  if (check.protocol != HealthProtocol::Command) {
    w.field("ipProtocol", check.ipv6 ? "IPv6" : "IPv4");
  }
  w.field("maxConsecutiveFailures", check.max_consecutive_failures);
  if (check.path) w.field("path", *check.path);
  if (check.port) w.field("port", *check.port);
  if (check.port_index) w.field("portIndex", *check.port_index);
  w.field("protocol", protocol_name(check.protocol));
  w.field("timeoutSeconds", check.timeout_seconds);
  w.end_object();
}

std::string render_app_open(const App& app) {
  std::string text;
  text.reserve(1024);
  Writer w(text);
  const bool host = uses_host_network(app);
  w.begin_object();
  w.field("id", app.id);
  if (!app.accepted_resource_roles.empty()) {
    write_strings(w, "acceptedResourceRoles", app.accepted_resource_roles);
  }
  if (!app.args.empty()) write_strings(w, "args", app.args);
  write_number_field(w, "backoffFactor", app.backoff_factor);
  write_number_field(w, "backoffSeconds", app.backoff_seconds);
  if (app.check) write_check(w, *app.check);
  if (app.cmd) w.field("cmd", *app.cmd);
  if (!app.constraints.empty()) write_constraints(w, app.constraints);
  if (app.container) write_container(w, *app.container, host);
  write_number_field(w, "cpus", app.cpus);
  if (!app.dependencies.empty()) write_strings(w, "dependencies", app.dependencies);
  if (app.deployment != DeploymentRules()) write_deployment_rules(w, app.deployment);
  write_number_field(w, "disk", app.disk);
  if (!app.env.empty() || !app.env_secrets.empty()) write_environment(w, "env", app.env, app.env_secrets);
  w.field("executor", app.executor);
  if (app.executor_resources) write_executor_resources(w, *app.executor_resources);
  if (!app.fetch.empty()) write_fetch(w, "fetch", app.fetch);
  w.field("gpus", app.gpus);
  if (!app.health_checks.empty()) {
    w.key("healthChecks");
    w.begin_array();
    for (const HealthCheck& check : app.health_checks) write_health_check(w, check);
    w.end_array();
  }
  w.field("instances", app.instances);
  w.field("killSelection",
          app.kill_selection == KillSelection::YoungestFirst ? "YOUNGEST_FIRST" : "OLDEST_FIRST");
  write_labels(w, "labels", app.labels);
  write_number_field(w, "maxLaunchDelaySeconds", app.max_launch_delay_seconds);
  write_number_field(w, "mem", app.mem);
  write_networks(w, app.networks);
  if (host) write_port_definitions(w, app);
  if (!app.readiness_checks.empty()) write_readiness_checks(w, app);
  w.field("requirePorts", app.require_ports);
  if (app.resource_limits) write_limits(w, *app.resource_limits);
  w.field("role", app.role);
  if (!app.secrets.empty()) write_secrets(w, app.secrets);
  if (app.task_kill_grace_period_seconds) {
    w.field("taskKillGracePeriodSeconds", *app.task_kill_grace_period_seconds);
  }
  if (app.tty) w.field("tty", *app.tty);
  write_unreachable_strategy(w, app.unreachable_strategy);
  if (is_resident(app)) {
    w.key("residency");
    w.begin_object();
    w.field("relaunchEscalationTimeoutSeconds", 3600);
    w.field("taskLostBehavior", "WAIT_FOREVER");
    w.end_object();
  }
  w.key("upgradeStrategy");
  w.begin_object();
  write_number_field(w, "maximumOverCapacity", app.upgrade_strategy.maximum_over_capacity);
  write_number_field(w, "minimumHealthCapacity", app.upgrade_strategy.minimum_health_capacity);
  w.end_object();
  if (app.user) w.field("user", *app.user);
  write_versions(w, app);
  return text;
}

std::string render_app(const App& app) { return app.pod ? render_stored_pod(app) : render_app_open(app) + "}"; }

std::string_view protocol_name(HealthProtocol protocol) {
  switch (protocol) {
    case HealthProtocol::Http: return "HTTP";
    case HealthProtocol::Https: return "HTTPS";
    case HealthProtocol::Tcp: return "TCP";
    case HealthProtocol::Command: return "COMMAND";
    case HealthProtocol::MesosHttp: return "MESOS_HTTP";
    case HealthProtocol::MesosHttps: return "MESOS_HTTPS";
    case HealthProtocol::MesosTcp: return "MESOS_TCP";
  }
  UNREACHABLE();
}

std::string_view operator_name(ConstraintOperator op) {
  switch (op) {
    case ConstraintOperator::Unique: return "UNIQUE";
    case ConstraintOperator::Cluster: return "CLUSTER";
    case ConstraintOperator::GroupBy: return "GROUP_BY";
    case ConstraintOperator::Like: return "LIKE";
    case ConstraintOperator::Unlike: return "UNLIKE";
    case ConstraintOperator::MaxPer: return "MAX_PER";
    case ConstraintOperator::Is: return "IS";
  }
  UNREACHABLE();
}

}  // namespace marathon
