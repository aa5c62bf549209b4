#include "marathon/health.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "marathon/deployments.hpp"
#include "marathon/events_out.hpp"
#include "marathon/instances.hpp"

namespace marathon {
namespace {

constexpr base::Duration kFirstProbe = base::seconds(5);
constexpr int kReadinessFailure = 504;
constexpr size_t kMassFailure = 10;  // fewer instances are no mass
constexpr base::Duration kLate = base::seconds(2);

std::string timer(const Instance& instance, size_t index, bool readiness) {
  return fmt::format("{}/{}|{}|{}", readiness ? "ready" : "health", instance.app, instance.id, index);
}

/// Which address reaches a declared port: the host when it is published there, else the container.
struct Target {
  std::string host;
  int port = 0;
};

std::optional<Target> target_of(const App& app, const Instance& instance, std::optional<int> port,
                                std::optional<int> index) {
  const bool container_network =
      !app.networks.empty() && app.networks.front().mode == NetworkMode::Container;
  const std::string host =
      container_network && !instance.ip_addresses.empty() ? instance.ip_addresses.front() : instance.hostname;
  if (!index) {
    if (!port || *port == 0) return std::nullopt;
    return Target{host, *port};
  }
  const auto i = static_cast<size_t>(*index);
  if (i >= instance.host_ports.size()) return std::nullopt;
  if (instance.host_ports[i] != 0) return Target{instance.hostname, instance.host_ports[i]};
  if (!app.container || i >= app.container->port_mappings.size() || instance.ip_addresses.empty()) {
    return std::nullopt;
  }
  return Target{instance.ip_addresses.front(), app.container->port_mappings[i].container_port};
}

std::optional<int> port_index(const App& app, const std::string& name) {
  for (size_t i = 0; i < app.port_definitions.size(); ++i) {
    if (app.port_definitions[i].name == name) return static_cast<int>(i);
  }
  if (!app.container) return std::nullopt;
  for (size_t i = 0; i < app.container->port_mappings.size(); ++i) {
    if (app.container->port_mappings[i].name == name) return static_cast<int>(i);
  }
  return std::nullopt;
}

std::string rooted(std::string path) {
  if (!path.starts_with('/')) path.insert(0, "/");
  return path;
}

std::optional<Probe> health_probe(const App& app, const Instance& instance, size_t index) {
  if (index >= app.health_checks.size()) return std::nullopt;
  const HealthCheck& check = app.health_checks[index];
  const auto target = target_of(app, instance, check.port, check.port_index);
  if (!target) return std::nullopt;
  Probe probe;
  probe.kind = check.protocol == HealthProtocol::Tcp     ? ProbeKind::Tcp
               : check.protocol == HealthProtocol::Https ? ProbeKind::Https
                                                         : ProbeKind::Http;
  probe.host = target->host;
  probe.port = target->port;
  probe.path = rooted(check.path.value_or("/"));
  probe.timeout = base::seconds(check.timeout_seconds);
  return probe;
}

std::optional<Probe> readiness_probe(const App& app, const Instance& instance, size_t index) {
  if (index >= app.readiness_checks.size()) return std::nullopt;
  const ReadinessCheck& check = app.readiness_checks[index];
  const auto target = target_of(app, instance, {}, port_index(app, check.port_name));
  if (!target) return std::nullopt;
  Probe probe;
  probe.kind = check.https ? ProbeKind::Https : ProbeKind::Http;
  probe.host = target->host;
  probe.port = target->port;
  probe.path = rooted(check.path);
  probe.timeout = base::seconds(check.timeout_seconds);
  probe.want_body = check.preserve_last_response;
  return probe;
}

void send_probe(Turn& turn, RunningProbe running) {
  const Instance* instance = find_instance(turn.state, running.app, running.instance);
  if (!instance || instance->task_id != running.task) return;
  const App* app = definition_of(*find_run(turn.state, running.app), *instance);
  if (!app) return;
  auto probe = running.readiness ? readiness_probe(*app, *instance, running.index)
                                 : health_probe(*app, *instance, running.index);
  running.started = turn.now.instant;
  const uint64_t id = turn.state.next_probe++;
  turn.state.probes.emplace(id, std::move(running));
  if (probe) {
    probe->id = id;
    return turn.out.probe(std::move(*probe));
  }
  on_probed(turn, {id, 0, "the task has no such port", {}, {}});
}

void next_waiting_probe(Turn& turn) {
  State& state = turn.state;
  while (!state.probes_waiting.empty() &&
         state.probes.size() < turn.policy.max_concurrent_health_checks) {
    RunningProbe next = std::move(state.probes_waiting.front());
    state.probes_waiting.pop_front();
    send_probe(turn, std::move(next));
  }
}

void update_overall(Turn& turn, AppRun& run, Instance& instance) {
  const App* app = definition_of(run, instance);
  if (!app) return;
  std::optional<bool> overall;
  bool all_known = instance.health.size() >= app->health_checks.size();
  for (const Health& health : instance.health) {
    if (!health.alive) {
      all_known = false;
    } else if (!*health.alive) {
      overall = false;
    }
  }
  if (!overall && all_known && !instance.health.empty()) overall = true;
  if (overall == instance.healthy) return;
  instance.healthy = overall;
  publish_instance_health_changed(turn, instance);
  touch(turn, instance.app);
}

void on_success(Turn& turn, AppRun& run, Instance& instance, size_t index) {
  Health& health = instance.health[index];
  if (!health.first_success) health.first_success = turn.now.time;
  health.last_success = turn.now.time;
  health.consecutive_failures = 0;
  if (health.alive != true) {
    health.alive = true;
    publish_health_status_changed(turn, instance, true);
  }
  update_overall(turn, run, instance);
}

/// True while checks of most instances of several apps fail: their tasks are not killed for it, for a while.
bool is_mass_failure(Turn& turn) {
  State& state = turn.state;
  const base::Duration hold = turn.policy.mass_failure_hold;
  if (hold.count() == 0) return false;
  const bool fresh = state.mass_failure_checked + base::seconds(1) > turn.now.time;
  if (!fresh) {
    state.mass_failure_checked = turn.now.time;
    size_t checked = 0, failing = 0, apps = 0;
    for (const auto& [id, run] : state.apps) {
      size_t here = 0;
      for (const auto& [key, instance] : run.instances) {
        const App* app = instance.health.empty() ? nullptr : definition_of(run, instance);
        if (!app || !runs_in_scheduler(app->health_checks.front().protocol) || !instance.healthy) continue;
        ++checked;
        if (!*instance.healthy) ++here;
      }
      failing += here;
      if (here > 0) ++apps;
    }
    const bool mass = apps >= 2 && failing >= kMassFailure && failing * 2 > checked;
    if (!mass) {
      state.mass_failure_since.reset();
    } else if (!state.mass_failure_since) {
      state.mass_failure_since = turn.now.time;
      turn.out.trace(TraceLevel::Warning,
                     fmt::format("health checks of {} of {} instances fail at once: nothing is killed for them for {} s",
                                 failing, checked, std::chrono::duration_cast<base::seconds>(hold).count()));
      publish_mass_health_failure(turn, failing, checked);
    }
  }
  return state.mass_failure_since && turn.now.time < *state.mass_failure_since + hold;
}

void on_failure(Turn& turn, AppRun& run, Instance& instance, const HealthCheck& check, size_t index,
                const std::string& cause) {
  Health& health = instance.health[index];
  const base::Time running_since = instance.started_at.value_or(instance.since);
  const bool grace = !health.first_success &&
                     turn.now.time < running_since + base::seconds(check.grace_period_seconds);
  if (grace) return;
  publish_failed_health_check(turn, instance, check);
  // The count before this failure decides: the task goes with failure number maximum + 1.
  const bool kill = check.max_consecutive_failures > 0 &&
                    health.consecutive_failures >= check.max_consecutive_failures;
  ++health.consecutive_failures;
  health.last_failure = turn.now.time;
  health.last_failure_cause = cause;
  if (health.alive != false) {
    health.alive = false;
    publish_health_status_changed(turn, instance, false);
  }
  update_overall(turn, run, instance);
  if (kill && !instance.kill_requested && instance.condition == Condition::Running) {
    if (is_mass_failure(turn)) return turn.count("health.kills-held-back");
    publish_unhealthy_kill(turn, instance, cause);
    instance.killed_for_health = true;
    kill_task(turn, instance);
  }
}

void on_health_result(Turn& turn, AppRun& run, Instance& instance, const App& app, size_t index,
                      base::Instant started, const Probed& result) {
  const HealthCheck& check = app.health_checks[index];
  turn.out.set_timer(timer(instance, index, false),
                     turn.now.instant + base::seconds(check.interval_seconds));
  // A failure that comes long after its time limit tells of this process, which stood still, and not of the task.
  if (!result.error.empty() && turn.now.instant > started + base::seconds(check.timeout_seconds) + kLate) {
    return turn.count("health.checks.late");
  }
  if (instance.health.size() < app.health_checks.size()) instance.health.resize(app.health_checks.size());
  if (!result.error.empty()) return on_failure(turn, run, instance, check, index, result.error);
  const bool tcp = check.protocol == HealthProtocol::Tcp;
  if (tcp || (result.status >= 200 && result.status < 400)) {
    return on_success(turn, run, instance, index);
  }
  if (check.ignore_http_1xx && result.status >= 100 && result.status < 200) return;
  on_failure(turn, run, instance, check, index,
             fmt::format("{} {}", result.status, base::http::reason_phrase(result.status)));
}

void on_readiness_result(Turn& turn, Instance& instance, const App& app, size_t index,
                         const Probed& result) {
  const ReadinessCheck& check = app.readiness_checks[index];
  if (instance.readiness.size() < app.readiness_checks.size()) {
    instance.readiness.resize(app.readiness_checks.size());
  }
  Readiness& readiness = instance.readiness[index];
  readiness.status = result.error.empty() ? result.status : kReadinessFailure;
  readiness.content_type = result.error.empty() ? result.content_type : "text/plain";
  readiness.body = result.error.empty() ? result.body : result.error;
  readiness.ready = std::find(check.ready_codes.begin(), check.ready_codes.end(), readiness.status) !=
                    check.ready_codes.end();
  if (readiness.ready) {
    touch(turn, instance.app);
  } else {
    turn.out.set_timer(timer(instance, index, true),
                       turn.now.instant + base::seconds(check.interval_seconds));
  }
}

}  // namespace

void on_running(Turn& turn, AppRun& run, Instance& instance, std::optional<bool> healthy) {
  const App* app = definition_of(run, instance);
  if (!app) return;
  const bool first = instance.health.empty() && !app->health_checks.empty();
  instance.health.resize(app->health_checks.size());
  for (size_t i = 0; i < app->health_checks.size(); ++i) {
    const HealthCheck& check = app->health_checks[i];
    if (!runs_in_scheduler(check.protocol)) {
      if (!healthy) continue;
      if (*healthy) {
        on_success(turn, run, instance, i);
      } else {
        Health& health = instance.health[i];
        ++health.consecutive_failures;
        health.last_failure = turn.now.time;
        health.last_failure_cause = "reported by the executor";
        if (health.alive != false) {
          health.alive = false;
          publish_health_status_changed(turn, instance, false);
        }
        update_overall(turn, run, instance);
      }
    } else if (first) {
      // Spread over a second, so that tasks that came up together are not probed together for ever.
      const base::Duration delay =
          std::min<base::Duration>(base::seconds(check.interval_seconds), kFirstProbe);
      const base::Duration spread = turn.random.jitter(std::min<base::Duration>(delay, base::seconds(1)));
      turn.out.set_timer(timer(instance, i, false), turn.now.instant + (delay - spread));
    }
  }
  if (!run.deployment.empty() && instance.readiness.empty() && !app->readiness_checks.empty()) {
    instance.readiness.resize(app->readiness_checks.size());
    for (size_t i = 0; i < app->readiness_checks.size(); ++i) {
      turn.out.set_timer(timer(instance, i, true), turn.now.instant);
    }
  }
}

void on_check_timer(Turn& turn, const PathId& app, const InstanceId& id, size_t index, bool readiness) {
  const Instance* instance = find_instance(turn.state, app, id);
  if (!instance || instance->condition != Condition::Running) return;
  RunningProbe probe{app, id, instance->task_id, index, readiness, turn.now.instant};
  turn.state.probes_waiting.push_back(std::move(probe));
  next_waiting_probe(turn);
}

void on_probed(Turn& turn, const Probed& result) {
  const auto it = turn.state.probes.find(result.id);
  if (it == turn.state.probes.end()) return;
  const RunningProbe probe = it->second;
  turn.state.probes.erase(it);
  Instance* instance = find_instance(turn.state, probe.app, probe.instance);
  if (instance && instance->task_id == probe.task && instance->condition == Condition::Running) {
    AppRun& run = *find_run(turn.state, probe.app);
    const App* app = definition_of(run, *instance);
    if (app && !probe.readiness && probe.index < app->health_checks.size()) {
      on_health_result(turn, run, *instance, *app, probe.index, probe.started, result);
    } else if (app && probe.readiness && probe.index < app->readiness_checks.size()) {
      on_readiness_result(turn, *instance, *app, probe.index, result);
    }
  }
  next_waiting_probe(turn);
}

void stop_checks(Turn& turn, AppRun& run, Instance& instance) {
  const App* app = definition_of(run, instance);
  if (!app || instance.condition != Condition::Running) return;
  for (size_t i = 0; i < app->health_checks.size(); ++i) {
    if (runs_in_scheduler(app->health_checks[i].protocol)) turn.out.cancel_timer(timer(instance, i, false));
  }
  for (size_t i = 0; i < instance.readiness.size(); ++i) turn.out.cancel_timer(timer(instance, i, true));
  instance.health.clear();
  instance.healthy.reset();
}

bool is_considered_healthy(const Instance& instance) {
  return instance.condition == Condition::Running && instance.goal == Goal::Running &&
         instance.healthy.value_or(true);
}

bool is_ready(const AppRun& run, const Instance& instance) {
  if (instance.condition != Condition::Running || instance.goal != Goal::Running) return false;
  const App* app = definition_of(run, instance);
  if (!app) return true;
  if (has_health_checks(*app) && instance.healthy != true) return false;
  return std::all_of(instance.readiness.begin(), instance.readiness.end(),
                     [](const Readiness& r) { return r.ready; });
}

}  // namespace marathon
