#include "marathon/events_out.hpp"

#include "base/json/writer.hpp"
#include "marathon/app_json.hpp"

namespace marathon {
namespace {

using base::json::Writer;

std::string iso(base::Time time) { return base::render_iso8601(time); }

void write_ports(Writer& w, const Instance& instance) {
  w.key("ports");
  w.begin_array();
  for (int port : instance.host_ports) {
    if (port != 0) w.value(port);
  }
  w.end_array();
}

void write_plan(Writer& w, const Deployment& deployment) {
  w.key("plan");
  w.begin_object();
  w.field("id", deployment.id);
  w.key("steps");
  write_steps(w, deployment.steps);
  w.field("version", iso(deployment.version));
  w.end_object();
}

void write_current_step(Writer& w, const Deployment& deployment, size_t step) {
  w.key("currentStep");
  w.begin_object();
  w.key("actions");
  if (step < deployment.steps.size()) {
    write_actions(w, deployment.steps[step]);
  } else {
    w.begin_array();
    w.end_array();
  }
  w.end_object();
}

}  // namespace

namespace {

using Subjects = std::vector<Subject>;

Subject subject_of(const Turn& turn, const PathId& id) {
  const AppRun* run = find_run(turn.state, id);
  const App* app = run ? run->target.get() : nullptr;
  if (run && !app && !run->versions.empty()) app = run->versions.rbegin()->second.get();
  return {app && app->pod ? Subject::Kind::Pod : Subject::Kind::App, id};
}

Subjects subjects_of(const Deployment& deployment) {
  Subjects out;
  for (const AppChange& change : deployment.changes) out.push_back({change.is_pod() ? Subject::Kind::Pod : Subject::Kind::App, change.id});
  for (const GroupChange& change : deployment.groups) out.push_back({Subject::Kind::Group, change.id});
  return out;
}

/// `about` is only asked when there is somebody to hear of it.
void publish_as(Turn& turn, std::string type, bool on_request, const std::function<Subjects()>& about,
                const std::function<void(Writer&)>& fill) {
  if (!turn.state.any_stream) return;  // nobody has ever listened: nobody can ask for what was missed
  std::string text;
  Writer w(text);
  w.begin_object();
  fill(w);
  w.field("eventType", type);
  w.field("timestamp", iso(turn.now.time));
  w.end_object();
  turn.out.publish({std::move(type), std::move(text), on_request, about ? about() : Subjects()});
}

void publish_about(Turn& turn, std::string type, const PathId& id, const std::function<void(Writer&)>& fill) {
  publish_as(turn, std::move(type), false, [&] { return Subjects{subject_of(turn, id)}; }, fill);
}

void publish_about(Turn& turn, std::string type, const Deployment& deployment, const std::function<void(Writer&)>& fill) {
  publish_as(turn, std::move(type), false, [&] { return subjects_of(deployment); }, fill);
}

}  // namespace

void publish(Turn& turn, std::string type, const std::function<void(Writer&)>& fill) {
  publish_as(turn, std::move(type), false, {}, fill);
}

void publish_to_all_seeing(Turn& turn, std::string type, const std::function<void(Writer&)>& fill) {
  publish_as(turn, std::move(type), false, [] { return Subjects{{Subject::Kind::Group, "/"}}; }, fill);
}

void publish_app_waiting(Turn& turn, const AppRun& run, const std::string& reason) {
  publish_as(turn, "app_waiting_event", true, [&] { return Subjects{subject_of(turn, run.target->id)}; }, [&](Writer& w) {
    w.field("appId", run.target->id);
    w.field("count", run.scheduled);
    w.field("since", iso(run.queued_since));
    w.field("reason", reason);
  });
}

void publish_mass_health_failure(Turn& turn, size_t failing, size_t checked) {
  publish_as(turn, "mass_health_failure_event", true, {}, [&](Writer& w) {
    w.field("failing", failing);
    w.field("checked", checked);
  });
}

void publish_deployment_waiting(Turn& turn, const Deployment& deployment, const std::string& reason) {
  publish_as(turn, "deployment_waiting_event", true, [&] { return subjects_of(deployment); }, [&](Writer& w) {
    w.field("id", deployment.id);
    write_plan(w, deployment);
    write_current_step(w, deployment, deployment.current);
    w.field("since", iso(deployment.progress_at));
    w.field("reason", reason);
  });
}

void publish_api_post(Turn& turn, const std::string& client, const std::string& uri, const App& app) {
  publish_about(turn, "api_post_event", app.id, [&](Writer& w) {
    w.field("clientIp", client);
    w.field("uri", uri);
    w.key("appDefinition");
    w.raw(render_app(app));
  });
}

namespace {

void publish_task_update(Turn& turn, const Instance& instance, const TaskId& task, const std::string& state,
                         const std::string& message) {
  publish_about(turn, "status_update_event", instance.app, [&](Writer& w) {
    w.field("slaveId", instance.agent_id);
    w.field("taskId", task);
    w.field("taskStatus", state);
    w.field("message", message);
    w.field("appId", instance.app);
    w.field("host", instance.hostname);
    w.key("ipAddresses");
    write_ip_addresses(w, instance);
    write_ports(w, instance);
    w.field("version", iso(instance.version));
  });
}

}  // namespace

void publish_status_update(Turn& turn, const Instance& instance, const std::string& message) {
  publish_task_update(turn, instance, instance.task_id, instance.state, message);
}

void publish_container_update(Turn& turn, const Instance& instance, const ContainerTask& task,
                              const std::string& message) {
  publish_task_update(turn, instance, task.task_id, task.state, message);
}

void publish_pod(Turn& turn, const char* type, const PathId& pod, const std::string& client, const std::string& uri) {
  publish_as(turn, type, false, [&] { return Subjects{{Subject::Kind::Pod, pod}}; }, [&](Writer& w) {
    w.field("clientIp", client);
    w.field("uri", uri);
  });
}

void publish_instance_changed(Turn& turn, const Instance& instance) {
  publish_about(turn, "instance_changed_event", instance.app, [&](Writer& w) {
    w.field("instanceId", instance.id);
    w.field("condition", condition_name(instance.condition));
    w.field("runSpecId", instance.app);
    if (!instance.agent_id.empty()) w.field("agentId", instance.agent_id);
    if (!instance.hostname.empty()) w.field("host", instance.hostname);
    w.field("runSpecVersion", iso(instance.version));
  });
}

void publish_instance_health_changed(Turn& turn, const Instance& instance) {
  publish_about(turn, "instance_health_changed_event", instance.app, [&](Writer& w) {
    w.field("instanceId", instance.id);
    w.field("runSpecId", instance.app);
    w.key("healthy");
    if (instance.healthy) {
      w.value(*instance.healthy);
    } else {
      w.null();
    }
    w.field("runSpecVersion", iso(instance.version));
  });
}

void publish_unknown_terminated(Turn& turn, const InstanceId& instance, const PathId& app,
                                Condition condition) {
  publish_about(turn, "unknown_instance_terminated_event", app, [&](Writer& w) {
    w.field("instanceId", instance);
    w.field("runSpecId", app);
    w.field("condition", condition_name(condition));
  });
}

void publish_failed_health_check(Turn& turn, const Instance& instance, const HealthCheck& check) {
  publish_about(turn, "failed_health_check_event", instance.app, [&](Writer& w) {
    w.field("appId", instance.app);
    w.field("taskId", instance.id);
    w.key("healthCheck");
    write_health_check(w, check);
  });
}

void publish_health_status_changed(Turn& turn, const Instance& instance, bool alive) {
  publish_about(turn, "health_status_changed_event", instance.app, [&](Writer& w) {
    w.field("appId", instance.app);
    w.field("instanceId", instance.id);
    w.field("version", iso(instance.version));
    w.field("alive", alive);
  });
}

void publish_unhealthy_kill(Turn& turn, const Instance& instance, const std::string& reason) {
  publish_about(turn, "unhealthy_instance_kill_event", instance.app, [&](Writer& w) {
    w.field("appId", instance.app);
    w.field("taskId", instance.task_id);
    w.field("instanceId", instance.id);
    w.field("version", iso(instance.version));
    w.field("reason", reason);
    w.field("host", instance.hostname);
    w.field("slaveId", instance.agent_id);
  });
}

void publish_group_change(Turn& turn, const PathId& group, Version version) {
  publish_as(turn, "group_change_success", false, [&] { return Subjects{{Subject::Kind::Group, group}}; }, [&](Writer& w) {
    w.field("groupId", group);
    w.field("version", iso(version));
  });
}

void publish_group_change_failed(Turn& turn, const PathId& group, Version version, const std::string& reason) {
  publish_as(turn, "group_change_failed", false, [&] { return Subjects{{Subject::Kind::Group, group}}; }, [&](Writer& w) {
    w.field("groupId", group);
    w.field("version", iso(version));
    w.field("reason", reason);
  });
}

void publish_deployment_info(Turn& turn, const Deployment& deployment) {
  publish_about(turn, "deployment_info", deployment, [&](Writer& w) {
    write_plan(w, deployment);
    write_current_step(w, deployment, deployment.current);
  });
}

void publish_step(Turn& turn, const Deployment& deployment, size_t step) {
  publish_about(turn, "deployment_step_success", deployment, [&](Writer& w) {
    write_plan(w, deployment);
    write_current_step(w, deployment, step);
  });
}

void publish_deployment_end(Turn& turn, const Deployment& deployment, bool success,
                            const std::string& reason) {
  publish_about(turn, success ? "deployment_success" : "deployment_failed", deployment, [&](Writer& w) {
    w.field("id", deployment.id);
    write_plan(w, deployment);
    if (!success) w.field("reason", reason);
  });
}

void publish_app_terminated(Turn& turn, const PathId& app) {
  publish_about(turn, "app_terminated_event", app, [&](Writer& w) { w.field("appId", app); });
}

void publish_health_checks_changed(Turn& turn, const AppChange& change) {
  const auto checks = [](const AppPtr& app) {
    return app ? app->health_checks : std::vector<HealthCheck>();
  };
  if (change.from && checks(change.from) == checks(change.to)) return;
  if (!checks(change.from).empty()) {
    publish_about(turn, "remove_health_check_event", change.id, [&](Writer& w) { w.field("appId", change.id); });
  }
  for (const HealthCheck& check : checks(change.to)) {
    publish_about(turn, "add_health_check_event", change.id, [&](Writer& w) {
      w.field("appId", change.id);
      w.key("healthCheck");
      write_health_check(w, check);
      w.field("version", iso(change.to->version));
    });
  }
}

void write_actions(Writer& w, const Step& step) {
  w.begin_array();
  for (const Action& action : step) {
    w.begin_object();
    w.field("action", action_name(action));
    w.field(action.pod ? "pod" : "app", action.app);
    w.end_object();
  }
  w.end_array();
}

void write_steps(Writer& w, const std::vector<Step>& steps) {
  w.begin_array();
  for (const Step& step : steps) {
    w.begin_object();
    w.key("actions");
    write_actions(w, step);
    w.end_object();
  }
  w.end_array();
}

void write_ip_addresses(Writer& w, const Instance& instance) {
  w.begin_array();
  for (const std::string& address : instance.ip_addresses) {
    w.begin_object();
    w.field("ipAddress", address);
    w.field("protocol", address.find(':') == std::string::npos ? "IPv4" : "IPv6");
    w.end_object();
  }
  w.end_array();
}

}  // namespace marathon
