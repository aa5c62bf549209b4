// How a pod and its instances look.

#include <algorithm>

#include "base/json/writer.hpp"
#include "marathon/api/api.hpp"
#include "marathon/app_json.hpp"
#include "marathon/pod_json.hpp"

namespace marathon::api {
namespace {

using base::json::Writer;

std::string iso(base::Time time) { return base::render_iso8601(time); }

struct Resources {
  double cpus = 0, mem = 0, disk = 0;
  int gpus = 0;
};

void write_resources(Writer& w, const Resources& resources) {
  w.key("resources");
  w.begin_object();
  w.key("cpus");
  write_number(w, resources.cpus);
  w.key("mem");
  write_number(w, resources.mem);
  w.key("disk");
  write_number(w, resources.disk);
  w.field("gpus", resources.gpus);
  w.end_object();
}

/// Whether a container is healthy, as its check's report says: absent without a check, or before it ran.
struct HealthCondition {
  bool healthy = false;
  bool reported = false;
};

std::optional<HealthCondition> health_of(const ContainerTask& task, const PodContainer* container) {
  if (!container || !container->health_check) return std::nullopt;
  const Condition condition = condition_of_state(task.state);
  if (condition <= Condition::Starting) return std::nullopt;
  return HealthCondition{task.healthy.value_or(false), task.healthy.has_value()};
}

struct Status {
  std::string_view name;
  std::string_view message;
};

Status status_of(const App& pod, const Instance& instance) {
  switch (instance.condition) {
    case Condition::Scheduled:
    case Condition::Provisioned: return {"PENDING", {}};
    case Condition::Staging:
    case Condition::Starting: return {"STAGING", {}};
    case Condition::Unreachable:
    case Condition::UnreachableInactive: return {"DEGRADED", "pod instance has become unreachable"};
    case Condition::Running: break;
    default: return {"TERMINAL", {}};
  }
  for (const PodContainer& container : pod.pod->containers) {
    for (const ContainerTask& task : instance.containers) {
      if (task.name != container.name || task.state == "TASK_FINISHED") continue;
      const auto health = health_of(task, &container);
      if (health && !health->healthy) return {"DEGRADED", "at least one container is not healthy"};
    }
  }
  return {"STABLE", {}};
}

void write_endpoints(Writer& w, const PodContainer& container, const ContainerTask& task, const Instance& instance,
                     size_t first) {
  w.key("endpoints");
  w.begin_array();
  for (size_t i = 0; i < container.endpoints.size(); ++i) {
    const PodEndpoint& endpoint = container.endpoints[i];
    w.begin_object();
    w.field("name", endpoint.name);
    const int port = first + i < instance.host_ports.size() ? instance.host_ports[first + i] : 0;
    if (port != 0) w.field("allocatedHostPort", port);
    const auto& check = container.health_check;
    const bool checked = check && check->kind != CheckKind::Command && check->endpoint == endpoint.name;
    if (checked && task.healthy) w.field("healthy", *task.healthy);
    w.end_object();
  }
  w.end_array();
}

void write_conditions(Writer& w, const std::optional<HealthCondition>& health, base::Time since) {
  w.key("conditions");
  w.begin_array();
  if (health) {
    w.begin_object();
    w.field("name", "healthy");
    w.field("lastChanged", iso(since));
    w.field("lastUpdated", iso(since));
    w.field("value", health->healthy ? "true" : "false");
    w.field("reason", health->reported ? "health-reported-by-mesos" : "health-unreported-by-mesos");
    w.end_object();
  }
  w.end_array();
}

void write_container(Writer& w, const App* pod, const Instance& instance, const ContainerTask& task) {
  const PodContainer* container = nullptr;
  size_t first_endpoint = 0;
  for (size_t i = 0; pod && i < pod->pod->containers.size() && !container; ++i) {
    if (pod->pod->containers[i].name == task.name) {
      container = &pod->pod->containers[i];
    } else {
      first_endpoint += pod->pod->containers[i].endpoints.size();
    }
  }
  const Condition condition = condition_of_state(task.state);
  const base::Time since = task.started_at ? *task.started_at : instance.staged_at.value_or(task.since);
  w.begin_object();
  w.field("name", task.name);
  w.field("status", task.state.empty() ? "TASK_STAGING" : task.state);
  w.field("statusSince", iso(since));
  write_conditions(w, health_of(task, container), since);
  w.field("containerId", task.task_id);
  write_check_result(w, task.check);
  if (container && is_active(condition)) {
    write_endpoints(w, *container, task, instance, first_endpoint);
  } else {
    w.key("endpoints");
    w.begin_array();
    w.end_array();
  }
  if (container && condition > Condition::Provisioned && !is_terminal(condition)) {
    write_resources(w, {container->cpus, container->mem, container->disk, container->gpus});
  }
  w.field("lastUpdated", iso(since));
  w.field("lastChanged", iso(since));
  w.end_object();
}

/// Addresses of all containers, each once, by the network's name.
void write_networks(Writer& w, const Instance& instance) {
  std::vector<std::pair<std::string, std::vector<std::string>>> networks;
  for (const ContainerTask& task : instance.containers) {
    for (const auto& [name, addresses] : task.networks) {
      auto known = std::find_if(networks.begin(), networks.end(), [&](const auto& n) { return n.first == name; });
      if (known == networks.end()) known = networks.insert(networks.end(), {name, {}});
      for (const std::string& address : addresses) {
        auto& list = known->second;
        if (std::find(list.begin(), list.end(), address) == list.end()) list.push_back(address);
      }
    }
  }
  w.key("networks");
  w.begin_array();
  for (const auto& [name, addresses] : networks) {
    w.begin_object();
    if (!name.empty()) w.field("name", name);
    w.key("addresses");
    w.begin_array();
    for (const std::string& address : addresses) w.value(address);
    w.end_array();
    w.end_object();
  }
  w.end_array();
}

void write_instance(Writer& w, const AppRun& run, const Instance& instance) {
  const App* pod = definition_of(run, instance);
  const Status status = pod ? status_of(*pod, instance) : Status{"TERMINAL", {}};
  w.begin_object();
  w.field("id", instance.id);
  w.field("status", status.name);
  w.field("statusSince", iso(instance.since));
  w.key("conditions");
  w.begin_array();
  w.end_array();
  if (!instance.hostname.empty()) w.field("agentHostname", instance.hostname);
  if (!instance.agent_id.empty()) w.field("agentId", instance.agent_id);
  if (!instance.region.empty()) w.field("agentRegion", instance.region);
  if (!instance.zone.empty()) w.field("agentZone", instance.zone);
  Resources sum;
  if (pod) sum = {pod->pod->executor.cpus, pod->pod->executor.mem, pod->pod->executor.disk, 0};
  for (const ContainerTask& task : instance.containers) {
    const Condition condition = condition_of_state(task.state);
    if (!pod || condition <= Condition::Provisioned || is_terminal(condition)) continue;
    for (const PodContainer& container : pod->pod->containers) {
      if (container.name != task.name) continue;
      sum.cpus += container.cpus;
      sum.mem += container.mem;
      sum.disk += container.disk;
      sum.gpus += container.gpus;
    }
  }
  write_resources(w, sum);
  write_networks(w, instance);
  w.key("containers");
  w.begin_array();
  for (const ContainerTask& task : instance.containers) write_container(w, pod, instance, task);
  w.end_array();
  w.field("specReference", "/v2/pods" + instance.app + "::versions/" + iso(instance.version));
  write_local_volumes(w, instance);
  w.field("lastUpdated", iso(instance.since));
  w.field("lastChanged", iso(instance.since));
  if (!status.message.empty()) w.field("message", status.message);
  w.field("role", instance.role.empty() && pod ? pod->role : instance.role);
  w.end_object();
}

void write_history(Writer& w, const AppRun& run) {
  w.key("terminationHistory");
  w.begin_array();
  if (run.last_failure) {
    const TaskFailure& failure = *run.last_failure;
    const auto name = parse_task_id(failure.task_id);
    w.begin_object();
    w.field("instanceID", name ? name->instance : failure.task_id);
    w.field("startedAt", iso(failure.started_at == base::Time() ? failure.timestamp : failure.started_at));
    w.field("terminatedAt", iso(failure.timestamp));
    w.field("message", failure.message);
    w.key("containers");
    w.begin_array();
    w.begin_object();
    w.field("containerId", failure.task_id);
    w.field("lastKnownState", failure.state);
    w.end_object();
    w.end_array();
    w.end_object();
  }
  w.end_array();
}

}  // namespace

void write_pod_status(Writer& w, const Turn& turn, const AppRun& run) {
  const App& pod = *run.target;
  // Who has never had a place is in the queue, and not here.
  std::vector<const Instance*> shown;
  int64_t stable = 0;
  std::optional<base::Time> since;
  for (const auto& [id, instance] : run.instances) {
    if (instance.condition == Condition::Scheduled && instance.incarnation == 0) continue;
    shown.push_back(&instance);
    const App* definition = definition_of(run, instance);
    if (definition && status_of(*definition, instance).name == "STABLE") ++stable;
    since = since ? std::max(*since, instance.since) : instance.since;
  }
  w.begin_object();
  w.field("id", pod.id);
  w.key("spec");
  w.raw(render_pod(pod));
  w.field("status", stable >= pod.instances ? "STABLE" : "DEGRADED");
  w.field("statusSince", iso(since.value_or(turn.now.time)));
  w.key("instances");
  w.begin_array();
  for (const Instance* instance : shown) write_instance(w, run, *instance);
  w.end_array();
  write_history(w, run);
  w.field("lastUpdated", iso(turn.now.time));
  w.field("lastChanged", iso(since.value_or(turn.now.time)));
  w.end_object();
}

}  // namespace marathon::api
