#include <boost/json.hpp>

#include <array>
#include <cmath>
#include <limits>

#include "base/json/value.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "marathon/app_json.hpp"
#include "marathon/definition_fields.hpp"
#include "marathon/pod_json.hpp"

namespace marathon {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 3> kPortProtocols = {"tcp", "udp", "udp,tcp"};

void read_protocol(const Fields& fields, std::string& out) {
  const json::value* text = fields.find("protocol");
  if (!text) return;
  if (is_word(*text, "tcp,udp")) return void(out = "udp,tcp");
  for (std::string_view known : kPortProtocols) {
    if (is_word(*text, known)) return void(out = known);
  }
  fields.fail("protocol", "error.unknown.enum.literal");
}

void read_name(const Fields& fields, std::optional<std::string>& out) {
  if (fields.get("name", out) && out->empty()) out.reset();
}

void read_port_definitions(const Fields& fields, App& app) {
  fields.get_objects("portDefinitions", [&](const Fields& item) {
    PortDefinition port;
    item.get_int("port", port.port, 0, kMaxPort);
    read_protocol(item, port.protocol);
    read_name(item, port.name);
    item.get("labels", port.labels);
    app.port_definitions.push_back(std::move(port));
  });
}

PortMapping read_port_mapping(const Fields& item, bool bridge) {
  PortMapping mapping;
  item.get_int("containerPort", mapping.container_port, 0, kMaxPort);
  item.get_int("hostPort", mapping.host_port, 0, kMaxPort);
  if (bridge && !mapping.host_port) mapping.host_port = 0;
  item.get_int("servicePort", mapping.service_port, 0, kMaxPort);
  read_protocol(item, mapping.protocol);
  read_name(item, mapping.name);
  item.get("labels", mapping.labels);
  item.get("networkNames", mapping.network_names);
  return mapping;
}

void read_docker(const Fields& docker, Container& container, Violations& rules) {
  docker.get("image", container.image);
  docker.get("forcePullImage", container.force_pull_image);
  docker.get("privileged", container.privileged);
  docker.get_objects("parameters", [&](const Fields& item) {
    Parameter parameter;
    if (!item.get("key", parameter.key)) item.fail("key", "error.path.missing");
    if (!item.get("value", parameter.value)) item.fail("value", "error.path.missing");
    container.parameters.push_back(std::move(parameter));
  });
  if (docker.has("credential")) rules.add("/container/docker/credential", "must be empty");
  read_pull_config(docker, container.pull_secret);
}

void read_container(const Fields& fields, App& app, Violations& rules) {
  fields.get_object("container", [&](const Fields& item) {
    Container container;
    size_t type = 0;
    item.get_choice("type", {"DOCKER", "MESOS"}, type);
    container.type = static_cast<ContainerType>(type);
    item.get_object("docker", [&](const Fields& d) { read_docker(d, container, rules); });
    const bool bridge =
        !app.networks.empty() && app.networks.front().mode == NetworkMode::Bridge;
    item.get_objects("portMappings", [&](const Fields& mapping) {
      container.port_mappings.push_back(read_port_mapping(mapping, bridge));
    });
    item.get_objects("volumes", [&](const Fields& v) {
      Volume volume;
      if (!v.get("containerPath", volume.container_path)) {
        v.fail("containerPath", "error.path.missing");
      }
      if (v.has("external")) rules.add(v.path_of("external"), "external volumes are not supported");
      v.get("secret", volume.secret);
      v.get("hostPath", volume.host_path);
      v.get_object("persistent", [&](const Fields& p) {
        volume.persistent = read_persistent(p, rules);
        volume.mode = "RW";
      });
      size_t mode = volume.mode == "RO" ? 0 : 1;
      if (v.get_choice("mode", {"RO", "RW"}, mode)) volume.mode = mode == 0 ? "RO" : "RW";
      container.volumes.push_back(std::move(volume));
    });
    // Docker's own containers have none: what is said of it is forgotten, as in the original.
    read_linux_info(item, container.linux_info);
    if (container.type == ContainerType::Docker) container.linux_info.reset();
    app.container = std::move(container);
  });
}

void read_health_checks(const Fields& fields, App& app) {
  fields.get_objects("healthChecks", [&](const Fields& item) {
    HealthCheck check;
    size_t index = 0;
    item.get_choice("protocol",
                    {"HTTP", "HTTPS", "TCP", "COMMAND", "MESOS_HTTP", "MESOS_HTTPS", "MESOS_TCP"},
                    index);
    check.protocol = static_cast<HealthProtocol>(index);
    item.get("path", check.path);
    item.get_int("port", check.port, 0, kMaxPort);
    item.get_int("portIndex", check.port_index, 0, std::numeric_limits<int32_t>::max());
    item.get_object("command", [&](const Fields& c) { c.get("value", check.command); });
    item.get_int("gracePeriodSeconds", check.grace_period_seconds);
    item.get_int("intervalSeconds", check.interval_seconds, 1);
    item.get_int("timeoutSeconds", check.timeout_seconds, 1);
    item.get_int("maxConsecutiveFailures", check.max_consecutive_failures);
    item.get_int("delaySeconds", check.delay_seconds);
    item.get("ignoreHttp1xx", check.ignore_http_1xx);
    size_t ip = 0;
    item.get_choice("ipProtocol", {"IPv4", "IPv6"}, ip);
    check.ipv6 = ip == 1;
    app.health_checks.push_back(std::move(check));
  });
}

void read_readiness_checks(const Fields& fields, App& app) {
  fields.get_objects("readinessChecks", [&](const Fields& item) {
    ReadinessCheck check;
    item.get("name", check.name);
    size_t protocol = 0;
    item.get_choice("protocol", {"HTTP", "HTTPS"}, protocol);
    check.https = protocol == 1;
    item.get("path", check.path);
    item.get("portName", check.port_name);
    item.get_int("intervalSeconds", check.interval_seconds, 1);
    item.get_int("timeoutSeconds", check.timeout_seconds, 1);
    item.get("preserveLastResponse", check.preserve_last_response);
    if (const json::value* codes = item.find("httpStatusCodesForReady")) {
      if (codes->is_array()) {
        check.ready_codes.clear();
        for (const json::value& code : codes->get_array()) {
          int64_t number = 0;
          if (base::json::to_int(code, number) && number >= 100 && number <= 999) {
            check.ready_codes.push_back(static_cast<int>(number));
          } else {
            item.fail("httpStatusCodesForReady", "error.expected.jsnumber");
          }
        }
        if (check.ready_codes.empty()) check.ready_codes = {200};
      } else {
        item.fail("httpStatusCodesForReady", "error.expected.jsarray");
      }
    }
    app.readiness_checks.push_back(std::move(check));
  });
}

/// A constraint's piece: a string, or a number written as one.
std::optional<std::string> constraint_piece(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  int64_t integer = 0;
  double number = 0;
  if (base::json::to_int(value, integer)) return std::to_string(integer);
  if (base::json::to_double(value, number)) return base::render_double(number);
  return std::nullopt;
}

void read_constraints(const Fields& fields, App& app, Violations& types, Violations& rules) {
  const json::value* value = fields.find("constraints");
  if (!value) return;
  if (!value->is_array()) return fields.fail("constraints", "error.expected.jsarray");
  size_t index = 0;
  for (const json::value& row : value->get_array()) {
    const std::string path = "/constraints(" + std::to_string(index++) + ")";
    if (!row.is_array()) {
      types.add(path, "error.expected.jsarray");
      continue;
    }
    std::vector<std::string> pieces;
    for (const json::value& piece : row.get_array()) {
      if (auto text = constraint_piece(piece)) {
        pieces.push_back(*text);
      } else {
        types.add(path + "(" + std::to_string(pieces.size()) + ")", "error.expected.jsstring");
        pieces.emplace_back();
      }
    }
    if (pieces.size() < 2 || pieces.size() > 3) {
      rules.add(path, "Each constraint must have either 2 or 3 fields");
      continue;
    }
    const auto op = parse_operator(pieces[1]);
    if (!op) {
      rules.add(path, kOperators);
      continue;
    }
    Constraint constraint{pieces[0], *op, {}};
    if (pieces.size() == 3) constraint.value = pieces[2];
    app.constraints.push_back(std::move(constraint));
  }
}

void read_upgrade_strategy(const Fields& fields, App& app) {
  fields.get_object("upgradeStrategy", [&](const Fields& item) {
    for (const char* name : {"minimumHealthCapacity", "maximumOverCapacity"}) {
      if (!item.has(name)) item.fail(name, "error.path.missing");
    }
    item.get("minimumHealthCapacity", app.upgrade_strategy.minimum_health_capacity);
    item.get("maximumOverCapacity", app.upgrade_strategy.maximum_over_capacity);
  });
}

}  // namespace

void read_networks(const Fields& fields, std::vector<Network>& out) {
  fields.get_objects("networks", [&](const Fields& item) {
    Network network;
    size_t mode = 2;
    item.get_choice("mode", {"host", "container/bridge", "container"}, mode);
    network.mode = static_cast<NetworkMode>(mode);
    item.get("name", network.name);
    item.get("labels", network.labels);
    out.push_back(std::move(network));
  });
}

void read_fetch(const Fields& fields, std::string_view name, std::vector<FetchUri>& out) {
  fields.get_objects(name, [&](const Fields& item) {
    FetchUri fetch;
    if (!item.get("uri", fetch.uri)) item.fail("uri", "error.path.missing");
    if (fetch.uri.empty()) item.fail("uri", "error.minLength");
    if (fetch.uri.size() > 1024) item.fail("uri", "error.maxLength");
    item.get("extract", fetch.extract);
    item.get("executable", fetch.executable);
    item.get("cache", fetch.cache);
    item.get("destPath", fetch.dest_path);
    out.push_back(std::move(fetch));
  });
}

void read_environment(const Fields& fields, std::string_view name, std::map<std::string, std::string>& out, Secrets& secrets) {
  const json::value* value = fields.find(name);
  if (!value) return;
  if (!value->is_object()) return fields.fail(name, "error.expected.jsobject");
  for (const auto& member : value->get_object()) {
    const std::string path = std::string(name) + "/" + std::string(member.key());
    if (member.value().is_null()) continue;
    if (member.value().is_string()) {
      out[std::string(member.key())] = std::string(member.value().get_string());
    } else if (member.value().is_object()) {
      const json::value* secret = member.value().get_object().if_contains("secret");
      if (secret && secret->is_string()) {
        secrets[std::string(member.key())] = std::string(secret->get_string());
      } else {
        fields.fail(path + "/secret", secret ? "error.expected.jsstring" : "error.path.missing");
      }
    } else {
      fields.fail(path, "error.expected.jsstring");
    }
  }
}

void read_secrets(const Fields& fields, Secrets& out) {
  const json::value* value = fields.find("secrets");
  if (!value || value->is_null()) return;
  if (!value->is_object()) return fields.fail("secrets", "error.expected.jsobject");
  for (const auto& member : value->get_object()) {
    const std::string path = "secrets/" + std::string(member.key());
    if (!member.value().is_object()) {
      fields.fail(path, "error.expected.jsobject");
      continue;
    }
    const json::value* source = member.value().get_object().if_contains("source");
    if (source && source->is_string()) {
      out[std::string(member.key())] = std::string(source->get_string());
    } else {
      fields.fail(path + "/source", source ? "error.expected.jsstring" : "error.path.missing");
    }
  }
}

void read_unreachable_strategy(const Fields& fields, UnreachableStrategy& out) {
  const json::value* value = fields.find("unreachableStrategy");
  if (!value) return;
  UnreachableStrategy strategy;
  if (value->is_string()) {
    if (!is_word(*value, "disabled")) return fields.fail("unreachableStrategy", "error.unknown.enum.literal");
    strategy.disabled = true;
    out = strategy;
    return;
  }
  fields.get_object("unreachableStrategy", [&](const Fields& item) {
    item.get_int("inactiveAfterSeconds", strategy.inactive_after_seconds);
    item.get_int("expungeAfterSeconds", strategy.expunge_after_seconds);
    out = strategy;
  });
}

void read_resource_limits(const Fields& fields, std::optional<ResourceLimits>& out) {
  fields.get_object("resourceLimits", [&](const Fields& item) {
    ResourceLimits limits;
    for (auto [name, slot] : {std::pair{"cpus", &limits.cpus}, std::pair{"mem", &limits.mem}}) {
      const json::value* value = item.find(name);
      if (!value) continue;
      double number = 0;
      if (is_word(*value, "unlimited")) {
        *slot = std::numeric_limits<double>::infinity();
      } else if (item.get(name, number, 0, kMaxAmount)) {
        *slot = number;
      }
    }
    out = limits;
  });
}

void read_deployment_rules(const Fields& fields, DeploymentRules& out) {
  fields.get_object("deployment", [&](const Fields& item) {
    item.get_int("progressDeadlineSeconds", out.progress_deadline_seconds);
    item.get("autoRevert", out.auto_revert);
    item.get_int("minHealthySeconds", out.min_healthy_seconds);
    item.get_int("canary", out.canary);
  });
}

void read_versions(const Fields& fields, App& app) {
  const auto read = [](const Fields& from, std::string_view name, Version& out) {
    std::string text;
    if (!from.get(name, text)) return;
    if (auto time = base::parse_iso8601(text)) out = *time;
  };
  read(fields, "version", app.version);
  fields.get_object("versionInfo", [&](const Fields& info) {
    read(info, "lastScalingAt", app.last_scaling_at);
    read(info, "lastConfigChangeAt", app.last_config_change_at);
  });
}

std::optional<ConstraintOperator> parse_operator(std::string_view name) {
  const std::string upper = base::to_upper(name);
  for (auto op : {ConstraintOperator::Unique, ConstraintOperator::Cluster,
                  ConstraintOperator::GroupBy, ConstraintOperator::Like, ConstraintOperator::Unlike,
                  ConstraintOperator::MaxPer, ConstraintOperator::Is}) {
    if (operator_name(op) == upper) return op;
  }
  return std::nullopt;
}

App decode_app(const json::object& body, const AppDefaults& defaults, Violations& types,
               Violations& rules) {
  App app;
  app.role = defaults.role;
  const Fields fields(body, "", types);
  if (fields.get("id", app.id)) app.id = resolve_path(app.id);
  fields.get("cmd", app.cmd);
  fields.get("args", app.args);
  fields.get("user", app.user);
  read_environment(fields, "env", app.env, app.env_secrets);
  read_secrets(fields, app.secrets);
  fields.get_int("instances", app.instances);
  fields.get("cpus", app.cpus, 0, kMaxAmount);
  fields.get("mem", app.mem, 0, kMaxAmount);
  fields.get("disk", app.disk, 0, kMaxAmount);
  fields.get_int("gpus", app.gpus);
  fields.get("executor", app.executor);
  fields.get_object("executorResources", [&](const Fields& item) {
    read_executor_resources(item, app.executor_resources.emplace());
  });
  read_constraints(fields, app, types, rules);
  read_fetch(fields, "fetch", app.fetch);
  read_port_definitions(fields, app);
  fields.get("requirePorts", app.require_ports);
  read_networks(fields, app.networks);
  read_container(fields, app, rules);
  read_health_checks(fields, app);
  read_check(fields, false, app.check, rules);
  read_readiness_checks(fields, app);
  fields.get("dependencies", app.dependencies);
  for (PathId& id : app.dependencies) id = resolve_path(id, parent_of(app.id.empty() ? "/" : app.id));
  fields.get("labels", app.labels);
  if (const auto it = app.labels.find("MARATHON_SINGLE_INSTANCE_APP");
      it != app.labels.end() && it->second == "true") {
    app.upgrade_strategy = {0, 0};
  }
  if (is_resident(app)) app.upgrade_strategy = {0.5, 0};
  read_upgrade_strategy(fields, app);
  fields.get("acceptedResourceRoles", app.accepted_resource_roles);
  if (const json::value* roles = fields.find("acceptedResourceRoles");
      roles && roles->is_array() && roles->get_array().empty()) {
    rules.add("/acceptedResourceRoles", "must not be empty");
  }
  fields.get("role", app.role);
  int64_t seconds = 0;
  if (fields.get_int("backoffSeconds", seconds)) app.backoff_seconds = static_cast<double>(seconds);
  fields.get("backoffFactor", app.backoff_factor, 1.0);
  if (fields.get_int("maxLaunchDelaySeconds", seconds)) app.max_launch_delay_seconds = static_cast<double>(seconds);
  int64_t grace = 0;
  if (fields.get_int("taskKillGracePeriodSeconds", grace)) app.task_kill_grace_period_seconds = grace;
  size_t selection = 0;
  fields.get_choice("killSelection", {"YOUNGEST_FIRST", "OLDEST_FIRST"}, selection);
  app.kill_selection = static_cast<KillSelection>(selection);
  app.unreachable_strategy.disabled = is_resident(app);
  read_unreachable_strategy(fields, app.unreachable_strategy);
  bool tty = false;
  if (fields.get("tty", tty)) app.tty = tty;
  read_resource_limits(fields, app.resource_limits);
  read_deployment_rules(fields, app.deployment);
  read_versions(fields, app);
  return app;
}

base::Result<App> parse_stored_app(std::string_view text) {
  ASSIGN_OR_RETURN(const base::json::Value value, base::json::parse(text));
  if (!value.is_object()) return base::invalid("the stored app is not an object");
  if (is_stored_pod(value.get_object())) return parse_stored_pod(value.get_object());
  Violations types, rules;
  App app = decode_app(value.get_object(), {}, types, rules);
  if (!types.empty()) {
    return base::invalid("the stored app has a wrong type at " + types.by_path().begin()->first);
  }
  if (app.id.empty() || app.version == Version()) {
    return base::invalid("the stored app has no id or no version");
  }
  return app;
}

}  // namespace marathon
