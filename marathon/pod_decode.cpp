#include <boost/json.hpp>

#include <algorithm>

#include "base/json/value.hpp"
#include "marathon/definition_fields.hpp"
#include "marathon/pod_json.hpp"

namespace marathon {
namespace {

namespace json = boost::json;

constexpr double kLeastAmount = 0.001;
constexpr size_t kMaxName = 63, kMaxText = 1024;

bool is_name(std::string_view text) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && plain(text.front()) && plain(text.back()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return plain(c) || c == '-'; });
}

/// The rules of a name: lower case letters, digits, hyphens inside, at most 63 characters.
void check_name(const Fields& fields, std::string_view key, const std::string& text) {
  if (text.size() > kMaxName) fields.fail(key, "error.maxLength");
  if (!is_name(text)) fields.fail(key, "error.pattern");
}

void read_name(const Fields& fields, std::string_view key, std::string& out) {
  if (!fields.has(key)) return fields.fail(key, "error.path.missing");
  if (fields.get(key, out)) check_name(fields, key, out);
}

void read_text(const Fields& fields, std::string_view key, std::string& out) {
  if (!fields.has(key)) return fields.fail(key, "error.path.missing");
  if (!fields.get(key, out)) return;
  if (out.empty()) fields.fail(key, "error.minLength");
  if (out.size() > kMaxText) fields.fail(key, "error.maxLength");
}

/// A list of names in the member `key`.
void read_names(const Fields& fields, std::string_view key, std::vector<std::string>& out) {
  if (!fields.get(key, out)) return;
  for (size_t i = 0; i < out.size(); ++i) {
    if (!is_name(out[i])) fields.fail(std::string(key) + "(" + std::to_string(i) + ")", "error.pattern");
  }
}

void read_endpoint(const Fields& item, PodContainer& container) {
  PodEndpoint endpoint;
  read_name(item, "name", endpoint.name);
  item.get_int("containerPort", endpoint.container_port, 1, kMaxPort);
  item.get_int("hostPort", endpoint.host_port, 0, kMaxPort);
  read_names(item, "protocol", endpoint.protocols);
  item.get("labels", endpoint.labels);
  item.get("networkNames", endpoint.network_names);
  container.endpoints.push_back(std::move(endpoint));
}

void read_image(const Fields& item, PodContainer& container) {
  PodImage image;
  size_t kind = 0;
  if (!item.has("kind")) item.fail("kind", "error.path.missing");
  item.get_choice("kind", {"DOCKER"}, kind);
  read_text(item, "id", image.id);
  bool force = false;
  if (item.get("forcePull", force)) image.force_pull = force;
  item.get("labels", image.labels);
  read_pull_config(item, image.pull_secret);
  container.image = std::move(image);
}

void read_health_check(const Fields& item, PodContainer& container, Violations& rules) {
  PodHealthCheck check;
  int kinds = 0;
  for (const auto& [name, kind] : {std::pair{"http", CheckKind::Http},
                                   std::pair{"tcp", CheckKind::Tcp}}) {
    item.get_object(name, [&](const Fields& of) {
      check.kind = kind;
      ++kinds;
      read_name(of, "endpoint", check.endpoint);
      if (kind != CheckKind::Http) return;
      of.get("path", check.path);
      if (check.path && check.path->empty()) of.fail("path", "error.minLength");
      if (check.path && check.path->size() > kMaxText) of.fail("path", "error.maxLength");
      size_t scheme = 0;
      of.get_choice("scheme", {"HTTP", "HTTPS"}, scheme);
      check.https = scheme == 1;
    });
  }
  item.get_object("exec", [&](const Fields& of) {
    check.kind = CheckKind::Command;
    ++kinds;
    read_command(of, check.command);
  });
  if (kinds != 1) rules.add(item.path(), "Only one of http, tcp, or command may be specified");
  item.get_int("gracePeriodSeconds", check.grace_period_seconds);
  item.get_int("intervalSeconds", check.interval_seconds);
  item.get_int("maxConsecutiveFailures", check.max_consecutive_failures);
  item.get_int("timeoutSeconds", check.timeout_seconds);
  item.get_int("delaySeconds", check.delay_seconds);
  container.health_check = std::move(check);
}

void read_resources(const Fields& fields, PodContainer& container) {
  container.cpus = 1;
  container.mem = 128;
  if (!fields.has("resources")) return fields.fail("resources", "error.path.missing");
  fields.get_object("resources", [&](const Fields& item) {
    item.get("cpus", container.cpus, kLeastAmount, kMaxAmount);
    item.get("mem", container.mem, kLeastAmount, kMaxAmount);
    item.get("disk", container.disk, 0, kMaxAmount);
    item.get_int("gpus", container.gpus);
  });
}

void read_container(const Fields& item, Pod& pod, Violations& rules) {
  PodContainer container;
  read_name(item, "name", container.name);
  item.get_object("exec", [&](const Fields& exec) {
    CommandLine command;
    read_command(exec, command);
    container.command = std::move(command);
    bool override_entrypoint = false;
    if (exec.get("overrideEntrypoint", override_entrypoint)) container.override_entrypoint = override_entrypoint;
  });
  read_resources(item, container);
  read_resource_limits(item, container.limits);
  item.get_objects("endpoints", [&](const Fields& e) { read_endpoint(e, container); });
  item.get_object("image", [&](const Fields& i) { read_image(i, container); });
  read_environment(item, "environment", container.environment, container.environment_secrets);
  item.get("user", container.user);
  item.get_object("healthCheck", [&](const Fields& check) { read_health_check(check, container, rules); });
  item.get_objects("volumeMounts", [&](const Fields& of) {
    VolumeMount mount;
    read_name(of, "name", mount.name);
    read_text(of, "mountPath", mount.mount_path);
    bool read_only = false;
    if (of.get("readOnly", read_only)) mount.read_only = read_only;
    container.volume_mounts.push_back(std::move(mount));
  });
  read_fetch(item, "artifacts", container.artifacts);
  item.get("labels", container.labels);
  item.get_object("lifecycle", [&](const Fields& of) {
    double grace = 0;
    if (of.get("killGracePeriodSeconds", grace, 0, 1e9)) container.kill_grace_period_seconds = grace;
  });
  bool tty = false;
  if (item.get("tty", tty)) container.tty = tty;
  read_check(item, true, container.check, rules);
  read_linux_info(item, container.linux_info);
  pod.containers.push_back(std::move(container));
}

void read_volume(const Fields& item, Pod& pod, Violations& rules) {
  PodVolume volume;
  read_name(item, "name", volume.name);
  if (item.get("host", volume.host_path) && volume.host_path->empty()) item.fail("host", "error.minLength");
  item.get("secret", volume.secret);
  item.get_object("persistent", [&](const Fields& of) { volume.persistent = read_persistent(of, rules); });
  pod.volumes.push_back(std::move(volume));
}

void read_constraints(const Fields& placement, App& app) {
  placement.get_objects("constraints", [&](const Fields& item) {
    Constraint constraint;
    std::string op;
    for (const char* name : {"fieldName", "operator"}) {
      if (!item.has(name)) item.fail(name, "error.path.missing");
    }
    item.get("fieldName", constraint.field);
    item.get("value", constraint.value);
    if (!item.get("operator", op)) return;
    const auto parsed = parse_operator(op);
    if (!parsed) return item.fail("operator", "error.unknown.enum.literal");
    constraint.op = *parsed;
    app.constraints.push_back(std::move(constraint));
  });
}

void read_scheduling(const Fields& fields, App& app) {
  fields.get_object("scheduling", [&](const Fields& item) {
    item.get_object("backoff", [&](const Fields& backoff) {
      constexpr double kLongest = 1e9;
      backoff.get("backoff", app.backoff_seconds, 0, kLongest);
      backoff.get("backoffFactor", app.backoff_factor, 0, kLongest);
      backoff.get("maxLaunchDelay", app.max_launch_delay_seconds, 0, kLongest);
    });
    item.get_object("upgrade", [&](const Fields& upgrade) {
      upgrade.get("minimumHealthCapacity", app.upgrade_strategy.minimum_health_capacity, 0, 1);
      upgrade.get("maximumOverCapacity", app.upgrade_strategy.maximum_over_capacity, 0, 1);
    });
    item.get_object("placement", [&](const Fields& placement) {
      read_constraints(placement, app);
      placement.get("acceptedResourceRoles", app.accepted_resource_roles);
    });
    size_t selection = 0;
    item.get_choice("killSelection", {"YOUNGEST_FIRST", "OLDEST_FIRST"}, selection);
    app.kill_selection = static_cast<KillSelection>(selection);
    read_unreachable_strategy(item, app.unreachable_strategy);
  });
}

void read_scaling(const Fields& fields, App& app) {
  fields.get_object("scaling", [&](const Fields& item) {
    size_t kind = 0;
    if (!item.has("kind")) item.fail("kind", "error.path.missing");
    item.get_choice("kind", {"fixed"}, kind);
    item.get_int("instances", app.instances);
  });
}

/// Ports that are always on the host, and the network's name where it is left open.
void fill_networks(const AppDefaults& defaults, App& app, Pod& pod, Violations& rules) {
  bool container = false;
  for (size_t i = 0; i < app.networks.size(); ++i) {
    Network& network = app.networks[i];
    if (network.mode != NetworkMode::Container) continue;
    container = true;
    if (network.name.empty()) network.name = defaults.network_name;
    if (network.name.empty()) {
      rules.add("/networks(" + std::to_string(i) + ")",
                "Network name must be specified when container network is selected.");
    }
  }
  if (container) return;
  for (PodContainer& of : pod.containers) {
    for (PodEndpoint& endpoint : of.endpoints) {
      if (!endpoint.host_port) endpoint.host_port = 0;
    }
  }
}

App decode_pod(const json::object& body, const AppDefaults& defaults, Violations& types, Violations& rules) {
  App app;
  Pod pod;
  app.role = defaults.role;
  const Fields fields(body, "", types);
  if (!fields.has("id")) fields.fail("id", "error.path.missing");
  if (fields.get("id", app.id)) app.id = resolve_path(app.id);
  fields.get("labels", app.labels);
  fields.get("user", app.user);
  read_environment(fields, "environment", app.env, app.env_secrets);
  read_secrets(fields, app.secrets);
  if (!fields.has("containers")) fields.fail("containers", "error.path.missing");
  if (fields.get_objects("containers", [&](const Fields& item) { read_container(item, pod, rules); }) &&
      pod.containers.empty()) {
    fields.fail("containers", "error.minLength");
  }
  fields.get_objects("volumes", [&](const Fields& item) { read_volume(item, pod, rules); });
  read_networks(fields, app.networks);
  read_scaling(fields, app);
  const bool resident = std::any_of(pod.volumes.begin(), pod.volumes.end(),
                                    [](const PodVolume& volume) { return volume.persistent.has_value(); });
  if (resident) app.upgrade_strategy = {0.5, 0};
  app.unreachable_strategy.disabled = resident;
  read_scheduling(fields, app);
  fields.get_object("executorResources", [&](const Fields& item) { read_executor_resources(item, pod.executor); });
  fields.get("role", app.role);
  fields.get("legacySharedCgroups", pod.legacy_shared_cgroups);
  read_deployment_rules(fields, app.deployment);
  read_linux_info(fields, pod.linux_info);
  fill_networks(defaults, app, pod, rules);
  app.pod = std::make_shared<const Pod>(std::move(pod));
  sum_resources(app);
  return app;
}

}  // namespace

std::optional<ApiError> read_pod(const json::object& body, const AppDefaults& defaults, App& out) {
  Violations types, rules;
  out = decode_pod(body, defaults, types, rules);
  if (!types.empty()) return wrong_types(std::move(types));
  if (!rules.empty()) return not_valid(std::move(rules));
  return std::nullopt;
}

bool is_stored_pod(const json::object& body) {
  const auto kind = body.find("kind");
  return kind != body.end() && kind->value() == "pod";
}

base::Result<App> parse_stored_pod(const json::object& body) {
  Violations types, rules;
  App app = decode_pod(body, {}, types, rules);
  read_versions(Fields(body, "", types), app);
  if (!types.empty()) return base::invalid("the stored pod has a wrong type at " + types.by_path().begin()->first);
  if (app.id.empty() || app.version == Version()) return base::invalid("the stored pod has no id or no version");
  return app;
}

base::Duration seconds_of(double seconds) { return base::Duration(static_cast<int64_t>(seconds * 1e9)); }

}  // namespace marathon
