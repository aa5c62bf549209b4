#pragma once

// The payloads of the event stream: one line of JSON each, in the "light" form (plans carry steps, not whole trees).

#include <string>
#include <string_view>

#include "marathon/state.hpp"

namespace base::json {
class Writer;
}

namespace marathon {

/// The members that every event has, then those that `fill` writes; published under `type`.
void publish(Turn& turn, std::string type,
             const std::function<void(base::json::Writer&)>& fill = [](base::json::Writer&) {});

/// For those who see everything: it is not known whom else it concerns.
void publish_to_all_seeing(Turn& turn, std::string type, const std::function<void(base::json::Writer&)>& fill);

/// Events of ours, for those who name their type: clients of the original refuse types that they do not know.
void publish_app_waiting(Turn& turn, const AppRun& run, const std::string& reason);
void publish_mass_health_failure(Turn& turn, size_t failing, size_t checked);
void publish_deployment_waiting(Turn& turn, const Deployment& deployment, const std::string& reason);

void publish_api_post(Turn& turn, const std::string& client, const std::string& uri, const App& app);
void publish_status_update(Turn& turn, const Instance& instance, const std::string& message);
void publish_container_update(Turn& turn, const Instance& instance, const ContainerTask& task,
                              const std::string& message);

/// "pod_created_event", "pod_updated_event" and "pod_deleted_event".
void publish_pod(Turn& turn, const char* type, const PathId& pod, const std::string& client, const std::string& uri);
void publish_instance_changed(Turn& turn, const Instance& instance);
void publish_instance_health_changed(Turn& turn, const Instance& instance);
void publish_unknown_terminated(Turn& turn, const InstanceId& instance, const PathId& app,
                                Condition condition);
void publish_failed_health_check(Turn& turn, const Instance& instance, const HealthCheck& check);
void publish_health_status_changed(Turn& turn, const Instance& instance, bool alive);
void publish_unhealthy_kill(Turn& turn, const Instance& instance, const std::string& reason);
void publish_group_change(Turn& turn, const PathId& group, Version version);
void publish_group_change_failed(Turn& turn, const PathId& group, Version version, const std::string& reason);
void publish_deployment_info(Turn& turn, const Deployment& deployment);
void publish_step(Turn& turn, const Deployment& deployment, size_t step);
void publish_deployment_end(Turn& turn, const Deployment& deployment, bool success,
                            const std::string& reason);
void publish_app_terminated(Turn& turn, const PathId& app);
void publish_health_checks_changed(Turn& turn, const AppChange& change);

/// `"steps":[{"actions":[{"action":"StartApplication","app":"/a"}]}]` without the key.
void write_steps(base::json::Writer& w, const std::vector<Step>& steps);
void write_actions(base::json::Writer& w, const Step& step);

/// `[{"ipAddress":"10.0.0.1","protocol":"IPv4"}]`.
void write_ip_addresses(base::json::Writer& w, const Instance& instance);

}  // namespace marathon
