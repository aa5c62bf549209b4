#include <algorithm>

#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "marathon/api/api.hpp"
#include "marathon/app_json.hpp"
#include "marathon/events_out.hpp"
#include "marathon/explain.hpp"
#include "marathon/residency.hpp"
#include "marathon/rollout.hpp"

namespace marathon::api {
namespace {

using base::json::Writer;

std::string iso(base::Time time) { return base::render_iso8601(time); }

void write_optional_time(Writer& w, std::string_view key, const std::optional<base::Time>& time) {
  w.key(key);
  if (time) {
    w.value(iso(*time));
  } else {
    w.null();
  }
}

struct Counts {
  int64_t staged = 0, running = 0, healthy = 0, unhealthy = 0;
  void add(const Instance& instance) {
    if (instance.task_id.empty()) return;
    if (instance.state.empty() || instance.state == "TASK_STAGING") ++staged;
    if (instance.state == "TASK_RUNNING") ++running;
    if (instance.healthy == true) ++healthy;
    if (instance.healthy == false) ++unhealthy;
  }
};

struct Bucket {
  Counts counts;
  std::vector<double> lifetimes;
};

void write_bucket(Writer& w, std::string_view name, Bucket& bucket) {
  const Counts& c = bucket.counts;
  if (c.staged + c.running + c.healthy + c.unhealthy == 0 && bucket.lifetimes.empty()) return;
  w.key(name);
  w.begin_object();
  w.key("stats");
  w.begin_object();
  w.key("counts");
  w.begin_object();
  w.field("staged", c.staged);
  w.field("running", c.running);
  w.field("healthy", c.healthy);
  w.field("unhealthy", c.unhealthy);
  w.end_object();
  if (!bucket.lifetimes.empty()) {
    std::sort(bucket.lifetimes.begin(), bucket.lifetimes.end());
    double sum = 0;
    for (double s : bucket.lifetimes) sum += s;
    const size_t n = bucket.lifetimes.size();
    const double median = n % 2 == 1 ? bucket.lifetimes[n / 2]
                                     : (bucket.lifetimes[n / 2 - 1] + bucket.lifetimes[n / 2]) / 2;
    w.key("lifeTime");
    w.begin_object();
    w.field("averageSeconds", sum / static_cast<double>(n));
    w.field("medianSeconds", median);
    w.end_object();
  }
  w.end_object();
  w.end_object();
}

void write_stats(Writer& w, const Turn& turn, const AppRun& run) {
  Bucket scaled, latest, outdated, total;
  for (const auto& [id, instance] : run.instances) {
    if (instance.task_id.empty()) continue;
    std::vector<Bucket*> buckets{&total, is_outdated(run, instance) ? &outdated : &latest};
    if (instance.staged_at && *instance.staged_at >= run.target->last_scaling_at) buckets.push_back(&scaled);
    for (Bucket* bucket : buckets) {
      bucket->counts.add(instance);
      if (instance.started_at) bucket->lifetimes.push_back(turn.now.time.seconds() - instance.started_at->seconds());
    }
  }
  w.key("tasksStats");
  w.begin_object();
  write_bucket(w, "startedAfterLastScaling", scaled);
  write_bucket(w, "withLatestConfig", latest);
  write_bucket(w, "withOutdatedConfig", outdated);
  write_bucket(w, "totalSummary", total);
  w.end_object();
}

void write_readiness(Writer& w, const AppRun& run) {
  w.begin_array();
  for (const auto& [id, instance] : run.instances) {
    const App* app = definition_of(run, instance);
    for (size_t i = 0; app && i < instance.readiness.size() && i < app->readiness_checks.size(); ++i) {
      const Readiness& readiness = instance.readiness[i];
      if (readiness.status == 0) continue;
      w.begin_object();
      w.field("name", app->readiness_checks[i].name);
      w.field("taskId", instance.task_id);
      w.field("ready", readiness.ready);
      if (app->readiness_checks[i].preserve_last_response) {
        w.key("lastResponse");
        w.begin_object();
        w.field("status", readiness.status);
        w.field("contentType", readiness.content_type);
        w.field("body", readiness.body);
        w.end_object();
      }
      w.end_object();
    }
  }
  w.end_array();
}

void write_health_results(Writer& w, const Instance& instance) {
  w.key("healthCheckResults");
  w.begin_array();
  for (const Health& health : instance.health) {
    if (!health.alive) continue;
    w.begin_object();
    w.field("alive", *health.alive);
    w.field("consecutiveFailures", health.consecutive_failures);
    write_optional_time(w, "firstSuccess", health.first_success);
    write_optional_time(w, "lastFailure", health.last_failure);
    write_optional_time(w, "lastSuccess", health.last_success);
    w.key("lastFailureCause");
    if (health.last_failure_cause.empty()) {
      w.null();
    } else {
      w.value(health.last_failure_cause);
    }
    w.field("instanceId", instance.id);
    w.end_object();
  }
  w.end_array();
}

}  // namespace

Embed parse_embed(const base::http::Query& query) {
  Embed embed;
  for (const std::string& value : query.all("embed")) {
    if (value == "group.apps") embed.apps = true;
    if (value == "group.groups") embed.groups = true;
    if (value == "group.pods") embed.pods = true;
    std::string_view name = value;
    for (std::string_view prefix : {"group.apps.", "apps.", "app."}) {
      if (name.starts_with(prefix)) {
        name.remove_prefix(prefix.size());
        break;
      }
    }
    if (name == "tasks") embed.tasks = embed.deployments = true;
    if (name == "counts") embed.counts = true;
    if (name == "deployments") embed.deployments = true;
    if (name == "readiness") embed.readiness = true;
    if (name == "lastTaskFailure") embed.last_task_failure = true;
    if (name == "taskStats") embed.task_stats = true;
    if (name == "failures") embed.tasks = embed.deployments = embed.last_task_failure = true;
  }
  return embed;
}

std::vector<const Instance*> listed_tasks(const AppRun& run) {
  std::vector<const Instance*> list;
  for (const auto& [id, instance] : run.instances) {
    if (!instance.task_id.empty()) list.push_back(&instance);
  }
  return list;
}

void write_check_result(Writer& w, const std::optional<CheckResult>& check) {
  if (!check) return;
  w.key("checkResult");
  w.begin_object();
  w.key(check->kind == CheckKind::Http ? "http" : check->kind == CheckKind::Tcp ? "tcp" : "command");
  w.begin_object();
  switch (check->kind) {
    case CheckKind::Http: w.field("statusCode", check->value); break;
    case CheckKind::Tcp: w.field("succeeded", check->value != 0); break;
    case CheckKind::Command: w.field("exitCode", check->value); break;
  }
  w.end_object();
  w.end_object();
}

void write_local_volumes(Writer& w, const Instance& instance) {
  w.key("localVolumes");
  w.begin_array();
  for (const LocalVolume& volume : instance.reservation ? instance.reservation->volumes : std::vector<LocalVolume>()) {
    w.begin_object();
    w.field("runSpecId", instance.app);
    w.field("containerPath", volume.container_path);
    w.field("uuid", volume.uuid);
    w.field("persistenceId", persistence_id(instance.app, volume));
    w.end_object();
  }
  w.end_array();
}

void write_task(Writer& w, const AppRun& run, const Instance& instance, bool service_ports_wanted) {
  const bool active = is_active(instance.condition) || instance.condition == Condition::UnreachableInactive;
  w.begin_object();
  w.field("appId", instance.app);
  write_health_results(w, instance);
  w.field("host", instance.hostname);
  w.field("id", instance.task_id);
  w.key("ipAddresses");
  write_ip_addresses(w, instance);
  w.key("ports");
  w.begin_array();
  for (int port : instance.host_ports) {
    if (active && port != 0) w.value(port);
  }
  w.end_array();
  w.key("servicePorts");
  w.begin_array();
  const App* app = definition_of(run, instance);
  if (service_ports_wanted && app) {
    for (int port : service_ports(*app)) w.value(port);
  }
  w.end_array();
  w.field("slaveId", instance.agent_id);
  w.field("state", instance.state.empty() ? "TASK_STAGING" : instance.state);
  if (active) {
    if (instance.staged_at) w.field("stagedAt", iso(*instance.staged_at));
    if (instance.started_at) w.field("startedAt", iso(*instance.started_at));
    w.field("version", iso(instance.version));
  }
  write_local_volumes(w, instance);
  write_check_result(w, instance.check);
  if (!instance.region.empty()) w.field("region", instance.region);
  if (!instance.zone.empty()) w.field("zone", instance.zone);
  w.field("role", instance.role);
  w.end_object();
}

void write_failure(Writer& w, const TaskFailure& failure) {
  w.begin_object();
  w.field("appId", failure.app);
  w.field("host", failure.host);
  w.field("message", failure.message);
  w.field("state", failure.state);
  w.field("taskId", failure.task_id);
  w.field("timestamp", iso(failure.timestamp));
  w.field("version", iso(failure.version));
  if (!failure.agent_id.empty()) w.field("slaveId", failure.agent_id);
  w.end_object();
}

void write_app(Writer& w, const Turn& turn, const AppRun& run, const Embed& embed) {
  if (run.rendered.empty()) run.rendered = render_app_open(*run.target);
  // The cached text lacks its closing brace: the live members follow it.
  std::string text = run.rendered;
  const auto member = [&](std::string_view key) { text += ",\"" + std::string(key) + "\":"; };
  if (embed.counts) {
    Counts counts;
    for (const auto& [id, instance] : run.instances) counts.add(instance);
    text += ",\"tasksStaged\":" + std::to_string(counts.staged);
    text += ",\"tasksRunning\":" + std::to_string(counts.running);
    text += ",\"tasksHealthy\":" + std::to_string(counts.healthy);
    text += ",\"tasksUnhealthy\":" + std::to_string(counts.unhealthy);
  }
  if (embed.deployments) {
    member("deployments");
    text += run.deployment.empty() ? "[]" : "[{\"id\":\"" + run.deployment + "\"}]";
  }
  if (embed.readiness) {
    member("readinessCheckResults");
    std::string part;
    Writer pw(part);
    write_readiness(pw, run);
    text += part;
  }
  if (embed.tasks) {
    member("tasks");
    std::string part;
    Writer pw(part);
    pw.begin_array();
    for (const Instance* instance : listed_tasks(run)) write_task(pw, run, *instance, true);
    pw.end_array();
    text += part;
  }
  if (embed.last_task_failure && run.last_failure) {
    member("lastTaskFailure");
    std::string part;
    Writer pw(part);
    write_failure(pw, *run.last_failure);
    text += part;
  }
  if (embed.task_stats) {
    std::string part;
    Writer pw(part);
    write_stats(pw, turn, run);
    text += "," + part;
  }
  text += "}";
  w.raw(text);
}

void write_deployment(Writer& w, const Turn& turn, const Deployment& deployment, bool explain) {
  w.begin_object();
  w.field("id", deployment.id);
  w.field("version", iso(deployment.version));
  for (bool pods : {false, true}) {
    w.key(pods ? "affectedPods" : "affectedApps");
    w.begin_array();
    for (const AppChange& change : deployment.changes) {
      if (change.is_pod() == pods) w.value(change.id);
    }
    w.end_array();
  }
  w.key("steps");
  write_steps(w, deployment.steps);
  w.key("currentActions");
  w.begin_array();
  if (deployment.current < deployment.steps.size()) {
    for (const Action& action : deployment.steps[deployment.current]) {
      w.begin_object();
      w.field("action", action_name(action));
      w.field(action.pod ? "pod" : "app", action.app);
      w.key("readinessCheckResults");
      if (const AppRun* run = find_spec(turn.state, action.app)) {
        write_readiness(w, *run);
      } else {
        w.begin_array();
        w.end_array();
      }
      if (explain) {
        w.key("explanation");
        write_explanation(w, explain_action(turn.state, turn.policy, deployment, action, turn.now.time), "instances");
      }
      w.end_object();
    }
  }
  w.end_array();
  if (deployment.paused) w.field("paused", true);
  if (deployment.current < deployment.steps.size()) {
    const Step& step = deployment.steps[deployment.current];
    const bool waits = std::any_of(step.begin(), step.end(), [&](const Action& action) {
      return awaits_promotion(turn.state, deployment, action);
    });
    if (waits) w.field("awaitsPromotion", true);
  }
  if (explain) {
    w.field("state", deployment.paused ? "paused" : "running");
    w.field("lastProgressAt", iso(deployment.progress_at));
  }
  w.field("currentStep", deployment.running ? std::min(deployment.current + 1, deployment.steps.size()) : 0);
  w.field("totalSteps", deployment.steps.size());
  w.end_object();
}

base::http::Response deployment_result(const Deployment& deployment, int status) {
  std::string body;
  Writer w(body);
  w.begin_object();
  w.field("version", iso(deployment.version));
  w.field("deploymentId", deployment.id);
  w.end_object();
  auto response = base::http::Response::json(status, std::move(body));
  response.headers.set("Marathon-Deployment-Id", deployment.id);
  return response;
}

}  // namespace marathon::api
