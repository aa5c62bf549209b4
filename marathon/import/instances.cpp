#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "kernel/api/mesos/v1/mesos.pb.h"
#include "marathon/import/convert.hpp"
#include "marathon/offer.hpp"
#include "marathon/pod.hpp"

namespace marathon::original {

namespace json = boost::json;

namespace {

struct StoredTask {
  TaskId id;
  TaskName name;
  const json::value* value = nullptr;
  mesos::v1::TaskStatus status;  // the last one heard; without a state: none
};

base::Error corrupt(std::string why) { return base::Error{base::Code::Corrupt, std::move(why)}; }

std::string text_at(const json::value& value, std::string_view pointer) {
  return base::json::get_string(value, pointer).value_or("");
}

/// "Running", or {"str":"Running"} as earlier releases have it.
std::string name_at(const json::value& value, const std::string& pointer) {
  const std::string plain = text_at(value, pointer);
  return plain.empty() ? text_at(value, pointer + "/str") : plain;
}

std::optional<base::Time> time_at(const json::value& value, std::string_view pointer) {
  const auto time = base::parse_iso8601(text_at(value, pointer));
  return time ? std::optional(*time) : std::nullopt;
}

const json::value* find(const json::value& value, std::string_view pointer) {
  boost::system::error_code none;
  return value.find_pointer(pointer, none);
}

template <class Visit>
void each_in(const json::value& value, std::string_view pointer, const Visit& visit) {
  const json::value* list = find(value, pointer);
  if (!list || !list->is_array()) return;
  for (const json::value& item : list->get_array()) visit(item);
}

/// Names that later releases have no more stand for what these make of them when they read such a state.
std::optional<Condition> condition_of(const std::string& name) {
  if (name == "Created") return Condition::Provisioned;
  if (name == "Reserved" || name == "ReservedTerminal") return Condition::Finished;
  return parse_condition(name);
}

const char* task_state(Condition condition) {
  switch (condition) {
    case Condition::Staging: return "TASK_STAGING";
    case Condition::Starting: return "TASK_STARTING";
    case Condition::Running: return "TASK_RUNNING";
    case Condition::Killing: return "TASK_KILLING";
    case Condition::Unreachable:
    case Condition::UnreachableInactive: return "TASK_UNREACHABLE";
    case Condition::Finished: return "TASK_FINISHED";
    case Condition::Killed: return "TASK_KILLED";
    case Condition::Failed: return "TASK_FAILED";
    case Condition::Error: return "TASK_ERROR";
    case Condition::Gone: return "TASK_GONE";
    case Condition::Dropped: return "TASK_DROPPED";
    case Condition::Scheduled:
    case Condition::Provisioned: return "";
    case Condition::Unknown: return "TASK_UNKNOWN";
  }
  return "";
}

/// A message that the original stores as base64 within JSON; false: none, or it does not decode.
template <class Message>
bool read_message(const json::value& value, Message& out) {
  std::string bytes;
  return value.is_string() && base::base64_decode(std::string(value.get_string()), bytes) && out.ParsePartialFromString(bytes);
}

base::Result<std::vector<StoredTask>> tasks_of(const json::value& stored, const InstanceId& instance) {
  std::vector<StoredTask> out;
  const json::value* tasks = find(stored, "/tasksMap");
  if (!tasks || !tasks->is_object()) return out;
  for (const auto& [id, value] : tasks->get_object()) {
    const auto name = parse_task_id(std::string(id));
    if (!name || name->instance != instance) return corrupt(fmt::format("its task '{}' has another name than its own", std::string(id)));
    StoredTask task{std::string(id), *name, &value, {}};
    if (const json::value* status = find(value, "/status/mesosStatus")) read_message(*status, task.status);
    out.push_back(std::move(task));
  }
  return out;
}

/// The original keeps the ports that were taken; here there is one per declared port, 0 for those not on the host.
class TakenPorts {
 public:
  explicit TakenPorts(const StoredTask& task) {
    each_in(*task.value, "/status/networkInfo/hostPorts", [&](const json::value& item) {
      int64_t port = 0;
      if (base::json::to_int(item, port)) ports_.push_back(static_cast<int>(port));
    });
  }
  int next(bool on_host) { return on_host && at_ < ports_.size() ? ports_[at_++] : 0; }
  std::vector<int> all() const { return ports_; }

 private:
  std::vector<int> ports_{};
  size_t at_ = 0;
};

std::vector<int> ports_of(const StoredTask& task, const App* app) {
  TakenPorts taken(task);
  if (!app || uses_host_network(*app) || !app->container) return taken.all();
  std::vector<int> out;
  for (const PortMapping& mapping : app->container->port_mappings) out.push_back(taken.next(mapping.host_port.has_value()));
  return out;
}

void put_agent(const json::value& stored, const App* app, Instance& out) {
  out.agent_id = text_at(stored, "/agentInfo/agentId");
  out.hostname = text_at(stored, "/agentInfo/host");
  out.region = text_at(stored, "/agentInfo/region");
  out.zone = text_at(stored, "/agentInfo/zone");
  each_in(stored, "/agentInfo/attributes", [&](const json::value& item) {
    mesos::v1::Attribute attribute;
    if (!app || !read_message(item, attribute)) return;
    for (const Constraint& constraint : app->constraints) {
      if (constraint.field == attribute.name()) out.attributes[attribute.name()] = attribute_text(attribute);
    }
  });
}

void put_addresses(const StoredTask& task, Instance& out) {
  each_in(*task.value, "/status/networkInfo/ipAddresses", [&](const json::value& item) {
    if (std::string address = text_at(item, "/ipAddress"); !address.empty()) out.ip_addresses.push_back(std::move(address));
  });
}

void put_times(const StoredTask& task, Instance& out) {
  out.staged_at = time_at(*task.value, "/status/stagedAt");
  out.started_at = time_at(*task.value, "/status/startedAt");
  if (out.condition != Condition::Unreachable && out.condition != Condition::UnreachableInactive) return;
  out.unreachable_at = task.status.has_unreachable_time()
                           ? base::Time{base::Duration(task.status.unreachable_time().nanoseconds())}
                           : out.since;
}

void put_app_task(const StoredTask& task, const App* app, Instance& out) {
  out.task_id = task.id;
  out.incarnation = std::max(1, task.name.incarnation);
  out.state = task_state(out.condition);
  out.host_ports = ports_of(task, app);
  put_addresses(task, out);
  put_times(task, out);
}

ContainerTask container_of(const StoredTask& task, base::Time since) {
  ContainerTask out;
  out.name = task.name.container;
  out.task_id = task.id;
  out.since = since;
  if (const auto condition = condition_of(name_at(*task.value, "/status/condition"))) out.state = task_state(*condition);
  out.started_at = time_at(*task.value, "/status/startedAt");
  for (const auto& network : task.status.container_status().network_infos()) {
    std::vector<std::string> addresses;
    for (const auto& address : network.ip_addresses()) addresses.push_back(address.ip_address());
    out.networks.emplace_back(network.name(), std::move(addresses));
  }
  return out;
}

/// A pod's tasks in the order of its containers, whatever the order in which they are stored.
base::Status put_pod_tasks(const std::vector<StoredTask>& tasks, const App& app, Instance& out) {
  for (const PodContainer& container : app.pod->containers) {
    const auto task = std::find_if(tasks.begin(), tasks.end(), [&](const StoredTask& t) { return t.name.container == container.name; });
    if (task == tasks.end()) return corrupt(fmt::format("there is no task of its container '{}'", container.name));
    out.containers.push_back(container_of(*task, out.since));
    TakenPorts taken(*task);
    for (const PodEndpoint& endpoint : container.endpoints) out.host_ports.push_back(taken.next(endpoint.host_port.has_value()));
    if (out.task_id.empty()) {
      out.task_id = task->id;
      out.incarnation = std::max(1, task->name.incarnation);
      out.state = out.containers.front().state;
      put_addresses(*task, out);
      put_times(*task, out);
    }
  }
  if (out.containers.size() != tasks.size()) return corrupt("it has tasks of containers that its pod does not have");
  return {};
}

/// The label of its resources. Releases up to 1.8 do not store it: there it is the task's name without the launch's number.
std::string reservation_id(const json::value& stored, const std::vector<StoredTask>& tasks, const InstanceId& instance) {
  if (std::string id = text_at(stored, "/id"); !id.empty()) return id;
  if (tasks.empty() || tasks.front().id.starts_with(instance)) return instance;
  const std::string& task = tasks.front().id;
  const size_t uuid = instance.size() - 36;
  const size_t at = task.find(instance.substr(uuid));
  return at == std::string::npos ? instance : task.substr(0, at + 36);
}

void put_reservation(const json::value& stored, const std::vector<StoredTask>& tasks, Instance& out) {
  Reservation reservation;
  reservation.id = reservation_id(stored, tasks, out.id);
  reservation.agent_id = out.agent_id;
  reservation.confirmed = text_at(stored, "/state/name") != "new";
  each_in(stored, "/volumeIds", [&](const json::value& item) {
    reservation.volumes.push_back({text_at(item, "/containerPath"), text_at(item, "/uuid")});
  });
  out.reservation = std::move(reservation);
}

/// Where 1.5 has it: in the instance's task.
const json::value* find_reservation(const json::value& stored, const std::vector<StoredTask>& tasks) {
  if (const json::value* own = find(stored, "/reservation"); own && own->is_object()) return own;
  for (const StoredTask& task : tasks) {
    if (const json::value* of = find(*task.value, "/reservation"); of && of->is_object()) return of;
  }
  return nullptr;
}

Goal goal_of(const json::value& stored, bool reserved, Condition condition) {
  const std::string name = name_at(stored, "/state/goal");
  if (name == "Decommissioned") return Goal::Decommissioned;
  // Before there were goals, a resident whose task had ended waited until it was wanted again.
  const bool stopped = name == "Stopped" || (name.empty() && reserved && is_terminal(condition));
  if (!stopped) return Goal::Running;
  return reserved ? Goal::Stopped : Goal::Decommissioned;
}

/// It waits on its reservation: for a launch, or to be wanted.
void become_waiting(Instance& out) {
  Instance waiting;
  waiting.id = out.id;
  waiting.app = out.app;
  waiting.version = out.version;
  waiting.goal = out.goal;
  waiting.condition = out.goal == Goal::Running ? Condition::Scheduled : Condition::Killed;
  waiting.since = out.since;
  waiting.incarnation = out.incarnation;
  waiting.reservation = std::move(out.reservation);
  out = std::move(waiting);
}

}  // namespace

std::optional<PathId> owner_of(const std::string& instance_id) {
  const auto name = parse_task_id(instance_id + "._app");
  return name ? std::optional(name->app) : std::nullopt;
}

base::Result<std::optional<Instance>> instance_of(const json::object& object, const Definitions& definitions,
                                                  const std::string& default_role) {
  const json::value stored(object);
  Instance out;
  // 1.5 writes more members beside this one.
  out.id = text_at(stored, "/instanceId/idString");
  const auto owner = owner_of(out.id);
  if (!owner) return corrupt("it has no name of an instance");
  out.app = *owner;
  ASSIGN_OR_RETURN(const std::vector<StoredTask> tasks, tasks_of(stored, out.id));
  const std::string condition = name_at(stored, "/state/condition");
  const auto known = condition_of(condition);
  if (!known) return corrupt(fmt::format("its condition '{}' is not known", condition));
  out.condition = *known;
  const json::value* reservation = find_reservation(stored, tasks);
  out.goal = goal_of(stored, reservation, out.condition);
  out.since = time_at(stored, "/state/since").value_or(base::Time());
  out.version = time_at(stored, "/runSpecVersion").value_or(Version());
  if (tasks.size() == 1) out.version = time_at(*tasks.front().value, "/runSpecVersion").value_or(out.version);
  out.role = text_at(stored, "/role");
  if (out.role.empty()) out.role = default_role;
  const auto definition = definitions.find(out.version);
  const App* app = definition == definitions.end() ? nullptr : &definition->second;
  put_agent(stored, app, out);
  if (reservation) put_reservation(*reservation, tasks, out);

  const bool alive = !tasks.empty() && !is_terminal(out.condition) && out.condition != Condition::Scheduled;
  if (!alive) {
    // Without a reservation its app's count replaces it.
    if (!reservation) return std::optional<Instance>();
    if (!tasks.empty()) out.incarnation = tasks.front().name.incarnation;
    become_waiting(out);
    return std::optional(std::move(out));
  }
  if (tasks.size() > 1 || !tasks.front().name.container.empty()) {
    if (!app || !app->pod) return corrupt("its pod's definition of " + base::render_iso8601(out.version) + " is missing");
    RETURN_IF_ERROR(put_pod_tasks(tasks, *app, out));
  } else {
    put_app_task(tasks.front(), app, out);
  }
  return std::optional(std::move(out));
}

}  // namespace marathon::original
