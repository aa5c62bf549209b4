// A definition as JSON, in the original's order.

#include <fmt/format.h>

#include <cmath>

#include "metronome/job.hpp"

namespace metronome {
namespace {

/// Whole numbers without a fraction: clients read them as integers.
void number(base::json::Writer& w, std::string_view name, double value) {
  if (value == std::floor(value) && std::fabs(value) < 1e15) {
    w.field(name, static_cast<int64_t>(value));
  } else {
    w.field(name, value);
  }
}

std::string_view operator_name(jobs::ConstraintOperator op) {
  return op == jobs::ConstraintOperator::Equals ? "IS" : op == jobs::ConstraintOperator::Like ? "LIKE" : "UNLIKE";
}

std::string_view mode_name(NetworkMode mode) {
  return mode == NetworkMode::Host ? "host" : mode == NetworkMode::Bridge ? "container/bridge" : "container";
}

void write_env(base::json::Writer& w, const RunSpec& run) {
  w.key("env");
  w.begin_object();
  for (const auto& [name, value] : run.env) w.field(name, value);
  for (const auto& [name, secret] : run.env_secrets) {
    w.key(name);
    w.begin_object();
    w.field("secret", secret);
    w.end_object();
  }
  w.end_object();
}

void write_placement(base::json::Writer& w, const RunSpec& run) {
  w.key("placement");
  w.begin_object();
  w.key("constraints");
  w.begin_array();
  for (const PlacementConstraint& constraint : run.constraints) {
    w.begin_object();
    w.field("attribute", constraint.attribute);
    w.field("operator", operator_name(constraint.op));
    if (constraint.value) w.field("value", *constraint.value);
    w.end_object();
  }
  w.end_array();
  w.end_object();
}

void write_artifacts(base::json::Writer& w, const RunSpec& run) {
  w.key("artifacts");
  w.begin_array();
  for (const Artifact& artifact : run.artifacts) {
    w.begin_object();
    w.field("uri", artifact.uri);
    w.field("extract", artifact.extract);
    w.field("executable", artifact.executable);
    w.field("cache", artifact.cache);
    w.end_object();
  }
  w.end_array();
}

void write_docker(base::json::Writer& w, const Docker& docker) {
  w.key("docker");
  w.begin_object();
  w.field("image", docker.image);
  w.field("privileged", docker.privileged);
  w.key("parameters");
  w.begin_array();
  for (const auto& [key, value] : docker.parameters) {
    w.begin_object();
    w.field("key", key);
    w.field("value", value);
    w.end_object();
  }
  w.end_array();
  w.field("forcePullImage", docker.force_pull);
  w.end_object();
}

void write_ucr(base::json::Writer& w, const Ucr& ucr) {
  w.key("ucr");
  w.begin_object();
  w.key("image");
  w.begin_object();
  w.field("id", ucr.image);
  w.field("kind", ucr.kind);
  w.field("forcePull", ucr.force_pull);
  w.end_object();
  w.field("privileged", ucr.privileged);
  w.end_object();
}

void write_volumes(base::json::Writer& w, const RunSpec& run) {
  w.key("volumes");
  w.begin_array();
  for (const Volume& volume : run.volumes) {
    w.begin_object();
    w.field("containerPath", volume.container_path);
    if (volume.secret.empty()) {
      w.field("hostPath", volume.host_path);
      w.field("mode", volume.read_write ? "RW" : "RO");
    } else {
      w.field("secret", volume.secret);
    }
    w.end_object();
  }
  w.end_array();
}

void write_networks(base::json::Writer& w, const RunSpec& run) {
  w.key("networks");
  w.begin_array();
  for (const Network& network : run.networks) {
    w.begin_object();
    if (network.name) w.field("name", *network.name);
    w.field("mode", mode_name(network.mode));
    if (!network.labels.empty()) {
      w.key("labels");
      write_labels(w, network.labels);
    }
    w.end_object();
  }
  w.end_array();
}

}  // namespace

void write_labels(base::json::Writer& w, const std::map<std::string, std::string>& labels) {
  w.begin_object();
  for (const auto& [key, value] : labels) w.field(key, value);
  w.end_object();
}

void write_dependencies(base::json::Writer& w, const Job& job) {
  w.begin_array();
  for (const JobId& id : job.dependencies) {
    w.begin_object();
    w.field("id", id);
    w.end_object();
  }
  w.end_array();
}

void write_run_spec(base::json::Writer& w, const RunSpec& run) {
  w.begin_object();
  number(w, "cpus", run.cpus);
  number(w, "mem", run.mem);
  number(w, "disk", run.disk);
  w.field("gpus", run.gpus);
  if (run.cmd) w.field("cmd", *run.cmd);
  if (run.args) {
    w.key("args");
    w.begin_array();
    for (const std::string& arg : *run.args) w.value(arg);
    w.end_array();
  }
  if (run.user) w.field("user", *run.user);
  write_env(w, run);
  write_placement(w, run);
  write_artifacts(w, run);
  w.field("maxLaunchDelay", run.max_launch_delay_s);
  if (run.docker) write_docker(w, *run.docker);
  if (run.ucr) write_ucr(w, *run.ucr);
  write_volumes(w, run);
  w.key("restart");
  w.begin_object();
  w.field("policy", run.restart.on_failure ? "ON_FAILURE" : "NEVER");
  if (run.restart.active_deadline_s) w.field("activeDeadlineSeconds", *run.restart.active_deadline_s);
  w.end_object();
  if (run.kill_grace_s) w.field("taskKillGracePeriodSeconds", *run.kill_grace_s);
  w.key("secrets");
  w.begin_object();
  for (const auto& [name, source] : run.secrets) {
    w.key(name);
    w.begin_object();
    w.field("source", source);
    w.end_object();
  }
  w.end_object();
  write_networks(w, run);
  w.end_object();
}

std::optional<base::Time> next_slot(const Schedule& schedule, base::Time now) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now.since_epoch).count();
  const auto slot = schedule.cron.next(seconds, *schedule.zone);
  if (!slot) return std::nullopt;
  return base::Time{base::seconds(*slot)};
}

void write_schedule(base::json::Writer& w, const Schedule& schedule, base::Time now) {
  w.begin_object();
  w.field("id", schedule.id);
  w.field("cron", schedule.cron.text());
  w.field("timezone", schedule.zone_id);
  w.field("startingDeadlineSeconds", schedule.starting_deadline_s);
  w.field("concurrencyPolicy", schedule.forbid ? "FORBID" : "ALLOW");
  w.field("enabled", schedule.enabled);
  // A schedule whose years are over has no next run.
  if (const auto slot = next_slot(schedule, now)) w.field("nextRunAt", render_moment(*slot));
  w.end_object();
}

void write_job(base::json::Writer& w, const Job& job, base::Time now) {
  w.begin_object();
  w.field("id", job.id);
  if (job.description) w.field("description", *job.description);
  w.key("dependencies");
  write_dependencies(w, job);
  w.key("labels");
  write_labels(w, job.labels);
  w.key("schedules");
  w.begin_array();
  if (job.schedule) write_schedule(w, *job.schedule, now);
  w.end_array();
  w.key("run");
  write_run_spec(w, job.run);
  w.end_object();
}

std::string render_moment(base::Time time) {
  std::string text = base::render_iso8601(time);
  text.pop_back();
  return text + "+0000";
}

}  // namespace metronome
