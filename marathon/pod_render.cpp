#include "base/json/writer.hpp"
#include "marathon/definition_fields.hpp"
#include "marathon/pod_json.hpp"

namespace marathon {
namespace {

using base::json::Writer;

void write_endpoints(Writer& w, const std::vector<PodEndpoint>& endpoints) {
  w.key("endpoints");
  w.begin_array();
  for (const PodEndpoint& endpoint : endpoints) {
    w.begin_object();
    w.field("name", endpoint.name);
    if (endpoint.container_port) w.field("containerPort", *endpoint.container_port);
    if (endpoint.host_port) w.field("hostPort", *endpoint.host_port);
    if (!endpoint.protocols.empty()) write_strings(w, "protocol", endpoint.protocols);
    if (!endpoint.labels.empty()) write_labels(w, "labels", endpoint.labels);
    if (!endpoint.network_names.empty()) write_strings(w, "networkNames", endpoint.network_names);
    w.end_object();
  }
  w.end_array();
}

void write_image(Writer& w, const PodImage& image) {
  w.key("image");
  w.begin_object();
  w.field("kind", "DOCKER");
  w.field("id", image.id);
  if (!image.pull_secret.empty()) write_pull_config(w, image.pull_secret);
  if (image.force_pull) w.field("forcePull", *image.force_pull);
  if (!image.labels.empty()) write_labels(w, "labels", image.labels);
  w.end_object();
}

void write_health_check(Writer& w, const PodHealthCheck& check) {
  w.key("healthCheck");
  w.begin_object();
  switch (check.kind) {
    case CheckKind::Http:
      w.key("http");
      w.begin_object();
      w.field("endpoint", check.endpoint);
      if (check.path) w.field("path", *check.path);
      w.field("scheme", check.https ? "HTTPS" : "HTTP");
      w.end_object();
      break;
    case CheckKind::Tcp:
      w.key("tcp");
      w.begin_object();
      w.field("endpoint", check.endpoint);
      w.end_object();
      break;
    case CheckKind::Command:
      w.key("exec");
      w.begin_object();
      write_command(w, check.command);
      w.end_object();
      break;
  }
  w.field("gracePeriodSeconds", check.grace_period_seconds);
  w.field("intervalSeconds", check.interval_seconds);
  w.field("maxConsecutiveFailures", check.max_consecutive_failures);
  w.field("timeoutSeconds", check.timeout_seconds);
  w.field("delaySeconds", check.delay_seconds);
  w.end_object();
}

void write_mounts(Writer& w, const std::vector<VolumeMount>& mounts) {
  w.key("volumeMounts");
  w.begin_array();
  for (const VolumeMount& mount : mounts) {
    w.begin_object();
    w.field("name", mount.name);
    w.field("mountPath", mount.mount_path);
    if (mount.read_only) w.field("readOnly", *mount.read_only);
    w.end_object();
  }
  w.end_array();
}

void write_container(Writer& w, const PodContainer& container) {
  w.begin_object();
  w.field("name", container.name);
  if (container.command) {
    w.key("exec");
    w.begin_object();
    write_command(w, *container.command);
    if (container.override_entrypoint) w.field("overrideEntrypoint", *container.override_entrypoint);
    w.end_object();
  }
  w.key("resources");
  w.begin_object();
  write_number_field(w, "cpus", container.cpus);
  write_number_field(w, "mem", container.mem);
  write_number_field(w, "disk", container.disk);
  w.field("gpus", container.gpus);
  w.end_object();
  if (container.limits) write_limits(w, *container.limits);
  if (!container.endpoints.empty()) write_endpoints(w, container.endpoints);
  if (container.image) write_image(w, *container.image);
  if (!container.environment.empty() || !container.environment_secrets.empty()) {
    write_environment(w, "environment", container.environment, container.environment_secrets);
  }
  if (container.user) w.field("user", *container.user);
  if (container.health_check) write_health_check(w, *container.health_check);
  if (container.check) write_check(w, *container.check);
  if (!container.volume_mounts.empty()) write_mounts(w, container.volume_mounts);
  if (!container.artifacts.empty()) write_fetch(w, "artifacts", container.artifacts);
  if (!container.labels.empty()) write_labels(w, "labels", container.labels);
  if (container.kill_grace_period_seconds) {
    w.key("lifecycle");
    w.begin_object();
    write_number_field(w, "killGracePeriodSeconds", *container.kill_grace_period_seconds);
    w.end_object();
  }
  if (container.tty) w.field("tty", *container.tty);
  if (container.linux_info) write_linux_info(w, *container.linux_info);
  w.end_object();
}

void write_volumes(Writer& w, const std::vector<PodVolume>& volumes) {
  w.key("volumes");
  w.begin_array();
  for (const PodVolume& volume : volumes) {
    w.begin_object();
    w.field("name", volume.name);
    if (volume.host_path) w.field("host", *volume.host_path);
    if (volume.secret) w.field("secret", *volume.secret);
    if (volume.persistent) write_persistent(w, *volume.persistent);
    w.end_object();
  }
  w.end_array();
}

void write_scheduling(Writer& w, const App& app) {
  w.key("scheduling");
  w.begin_object();
  w.key("backoff");
  w.begin_object();
  write_number_field(w, "backoff", app.backoff_seconds);
  write_number_field(w, "backoffFactor", app.backoff_factor);
  write_number_field(w, "maxLaunchDelay", app.max_launch_delay_seconds);
  w.end_object();
  w.key("upgrade");
  w.begin_object();
  write_number_field(w, "minimumHealthCapacity", app.upgrade_strategy.minimum_health_capacity);
  write_number_field(w, "maximumOverCapacity", app.upgrade_strategy.maximum_over_capacity);
  w.end_object();
  w.key("placement");
  w.begin_object();
  w.key("constraints");
  w.begin_array();
  for (const Constraint& constraint : app.constraints) {
    w.begin_object();
    w.field("fieldName", constraint.field);
    w.field("operator", operator_name(constraint.op));
    if (constraint.value) w.field("value", *constraint.value);
    w.end_object();
  }
  w.end_array();
  write_strings(w, "acceptedResourceRoles", app.accepted_resource_roles);
  w.end_object();
  w.field("killSelection", app.kill_selection == KillSelection::YoungestFirst ? "YOUNGEST_FIRST" : "OLDEST_FIRST");
  write_unreachable_strategy(w, app.unreachable_strategy);
  w.end_object();
}

std::string render(const App& app, bool stored) {
  std::string text;
  Writer w(text);
  w.begin_object();
  w.field("id", app.id);
  if (stored) w.field("kind", "pod");
  if (!app.labels.empty()) write_labels(w, "labels", app.labels);
  if (app.user) w.field("user", *app.user);
  if (!app.env.empty() || !app.env_secrets.empty()) write_environment(w, "environment", app.env, app.env_secrets);
  if (!app.secrets.empty()) write_secrets(w, app.secrets);
  w.key("containers");
  w.begin_array();
  for (const PodContainer& container : app.pod->containers) write_container(w, container);
  w.end_array();
  if (!app.pod->volumes.empty()) write_volumes(w, app.pod->volumes);
  if (!app.networks.empty()) write_networks(w, app.networks);
  w.key("scaling");
  w.begin_object();
  w.field("kind", "fixed");
  w.field("instances", app.instances);
  w.end_object();
  write_scheduling(w, app);
  write_executor_resources(w, app.pod->executor);
  if (app.pod->linux_info) write_linux_info(w, *app.pod->linux_info);
  if (app.deployment != DeploymentRules()) write_deployment_rules(w, app.deployment);
  if (app.pod->legacy_shared_cgroups) w.field("legacySharedCgroups", true);
  w.field("role", app.role);
  if (stored) {
    write_versions(w, app);
  } else if (app.version != Version()) {
    w.field("version", base::render_iso8601(app.version));
  }
  w.end_object();
  return text;
}

}  // namespace

std::string render_pod(const App& app) { return render(app, false); }
std::string render_stored_pod(const App& app) { return render(app, true); }

}  // namespace marathon
