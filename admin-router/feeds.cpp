#include "admin-router/feeds.hpp"

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/numbers.hpp"

namespace admin_router {
namespace {

namespace json = boost::json;

const json::value* member(const json::value* value, std::string_view name) {
  if (value == nullptr || !value->is_object()) return nullptr;
  return value->get_object().if_contains(json::string_view(name.data(), name.size()));
}

template <class... Names>
const json::value* member(const json::value* value, std::string_view first, std::string_view second,
                          Names... more) {
  return member(member(value, first), second, more...);
}

std::string text_of(const json::value* value) {
  if (value == nullptr || !value->is_string()) return {};
  return std::string(value->get_string());
}

bool flag_of(const json::value* value, bool fallback) {
  return value != nullptr && value->is_bool() ? value->get_bool() : fallback;
}

template <class Call>
void for_each(const json::value* array, Call call) {
  if (array == nullptr || !array->is_array()) return;
  for (const json::value& item : array->get_array()) call(item);
}

uint16_t port_of(const json::value& value) {
  int64_t number = 0;
  return base::json::to_int(value, number) && number > 0 && number <= 65535
             ? static_cast<uint16_t>(number)
             : 0;
}

// "slave(1)@10.0.0.1:5051" -> the address.
std::optional<Address> address_of_pid(const std::string& pid) {
  size_t at = pid.find('@');
  auto url = ServiceUrl::parse("http://" + (at == std::string::npos ? pid : pid.substr(at + 1)));
  if (!url) return std::nullopt;
  return url->address;
}

std::optional<Agent> read_agent(const json::value& value) {
  const json::value* info = member(&value, "agent_info");
  Agent agent;
  agent.id = text_of(member(info, "id", "value"));
  agent.hostname = text_of(member(info, "hostname"));
  auto address = address_of_pid(text_of(member(&value, "pid")));
  if (address) {
    agent.address = *address;
  } else {
    const json::value* port = member(info, "port");
    agent.address = {agent.hostname, port != nullptr ? port_of(*port) : uint16_t{5051}, false};
  }
  if (agent.id.empty() || agent.address.host.empty() || agent.address.port == 0)
    return std::nullopt;
  return agent;
}

std::optional<Framework> read_framework(const json::value& value) {
  const json::value* info = member(&value, "framework_info");
  Framework framework;
  framework.id = text_of(member(info, "id", "value"));
  framework.name = text_of(member(info, "name"));
  const json::value* url = member(info, "webui_url");
  if (url != nullptr && url->is_string()) framework.webui_url = std::string(url->get_string());
  framework.active = flag_of(member(&value, "active"), true);
  framework.connected = flag_of(member(&value, "connected"), true);
  const json::value* since = member(&value, "registered_time", "nanoseconds");
  int64_t nanos = 0;
  if (since != nullptr && base::json::to_int(*since, nanos))
    framework.registered.since_epoch = base::Duration(nanos);
  if (framework.id.empty()) return std::nullopt;
  return framework;
}

AppTask read_task(const json::value& value) {
  AppTask task;
  task.id = text_of(member(&value, "id"));
  task.host = text_of(member(&value, "host"));
  for_each(member(&value, "ports"),
           [&](const json::value& port) { task.host_ports.push_back(port_of(port)); });
  for_each(member(&value, "ipAddresses"), [&](const json::value& ip) {
    if (task.container_ip.empty()) task.container_ip = text_of(member(&ip, "ipAddress"));
  });
  task.running = text_of(member(&value, "state")) == "TASK_RUNNING";
  for_each(member(&value, "healthCheckResults"), [&](const json::value& result) {
    if (!flag_of(member(&result, "alive"), true)) task.healthy = false;
  });
  for_each(member(&value, "readinessCheckResults"), [&](const json::value& result) {
    if (!flag_of(member(&result, "ready"), true)) task.ready = false;
  });
  return task;
}

std::optional<App> read_app(const json::value& value) {
  App app;
  app.id = text_of(member(&value, "id"));
  const json::value* labels = member(&value, "labels");
  if (app.id.empty() || labels == nullptr || !labels->is_object()) return std::nullopt;
  for (const auto& [name, label] : labels->get_object())
    if (label.is_string()) app.labels[std::string(name)] = std::string(label.get_string());
  if (app.labels.find("DCOS_SERVICE_NAME") == app.labels.end()) return std::nullopt;
  const json::value* container = member(&value, "container");
  for_each(member(&value, "networks"), [&](const json::value& network) {
    if (text_of(member(&network, "mode")) == "container" && container != nullptr)
      app.container_network = true;
  });
  const json::value* mappings = member(container, "portMappings");
  if (mappings == nullptr) mappings = member(container, "docker", "portMappings");
  for_each(mappings, [&](const json::value& mapping) {
    const json::value* port = member(&mapping, "containerPort");
    app.container_ports.push_back(port != nullptr ? port_of(*port) : uint16_t{0});
  });
  for_each(member(&value, "tasks"), [&](const json::value& item) {
    AppTask task = read_task(item);
    if (!task.id.empty()) app.tasks[task.id] = task;
  });
  return app;
}

bool terminal(const std::string& state) {
  return state == "TASK_FINISHED" || state == "TASK_FAILED" || state == "TASK_KILLED" ||
         state == "TASK_LOST" || state == "TASK_ERROR" || state == "TASK_DROPPED" ||
         state == "TASK_GONE" || state == "TASK_GONE_BY_OPERATOR" || state == "TASK_UNKNOWN";
}

MasterSnapshot read_snapshot(const json::value* state) {
  MasterSnapshot snapshot;
  for_each(member(state, "get_agents", "agents"), [&](const json::value& value) {
    if (auto agent = read_agent(value)) snapshot.agents.push_back(std::move(*agent));
  });
  for_each(member(state, "get_frameworks", "frameworks"), [&](const json::value& value) {
    if (auto framework = read_framework(value))
      snapshot.frameworks.push_back(std::move(*framework));
  });
  return snapshot;
}

}  // namespace

base::Result<MasterRecord> read_master_record(std::string_view text) {
  MasterRecord record;
  // Task events come by the thousand and say nothing about routes: they are not even parsed.
  std::string_view start = text.substr(0, 64);
  if (start.find("\"TASK_") != std::string_view::npos ||
      start.find("\"HEARTBEAT\"") != std::string_view::npos)
    return record;
  ASSIGN_OR_RETURN(json::value parsed, base::json::parse(text));
  const json::value* root = &parsed;
  std::string type = text_of(member(root, "type"));
  if (type == "SUBSCRIBED") {
    const json::value* body = member(root, "subscribed");
    record.events.emplace_back(read_snapshot(member(body, "get_state")));
    const json::value* beat = member(body, "heartbeat_interval_seconds");
    if (beat != nullptr) base::json::to_double(*beat, record.heartbeat_seconds);
  } else if (type == "AGENT_ADDED") {
    const json::value* agent = member(root, "agent_added", "agent");
    if (agent != nullptr)
      if (auto added = read_agent(*agent)) record.events.emplace_back(AgentUp{std::move(*added)});
  } else if (type == "AGENT_REMOVED") {
    record.events.emplace_back(
        AgentGone{text_of(member(root, "agent_removed", "agent_id", "value"))});
  } else if (type == "FRAMEWORK_ADDED" || type == "FRAMEWORK_UPDATED") {
    const json::value* framework = member(
        root, type == "FRAMEWORK_ADDED" ? "framework_added" : "framework_updated", "framework");
    if (framework != nullptr)
      if (auto known = read_framework(*framework))
        record.events.emplace_back(FrameworkUp{std::move(*known)});
  } else if (type == "FRAMEWORK_REMOVED") {
    record.events.emplace_back(
        FrameworkGone{text_of(member(root, "framework_removed", "framework_info", "id", "value"))});
  }
  return record;
}

base::Result<AppsSnapshot> read_apps(std::string_view text) {
  ASSIGN_OR_RETURN(json::value parsed, base::json::parse(text));
  const json::value* apps = member(&parsed, "apps");
  if (apps == nullptr || !apps->is_array()) return base::invalid("the answer has no list of apps");
  AppsSnapshot snapshot;
  for_each(apps, [&](const json::value& value) {
    if (auto app = read_app(value)) snapshot.apps.push_back(std::move(*app));
  });
  return snapshot;
}

base::Result<MarathonEvents> read_marathon_event(std::string_view type, std::string_view data) {
  MarathonEvents out;
  bool health = type == "health_status_changed_event" || type == "instance_health_changed_event";
  if (type == "api_post_event" || type == "app_terminated_event" ||
      type == "group_change_success" || type == "deployment_success" ||
      type == "deployment_failed" || type == "deployment_step_success") {
    out.reload = true;
    return out;
  }
  if (type != "status_update_event" && !health) return out;
  ASSIGN_OR_RETURN(json::value parsed, base::json::parse(data));
  const json::value* root = &parsed;
  std::string app = text_of(member(root, "appId"));
  if (app.empty()) app = text_of(member(root, "runSpecId"));
  if (health) {
    const json::value* alive = member(root, "alive");
    if (alive == nullptr) alive = member(root, "healthy");
    std::string task = text_of(member(root, "taskId"));
    if (task.empty()) {
      out.reload = true;
    } else {
      out.events.emplace_back(TaskHealth{app, task, flag_of(alive, true)});
    }
    return out;
  }
  TaskChanged changed;
  changed.app_id = app;
  changed.task = read_task(parsed);
  changed.task.id = text_of(member(root, "taskId"));
  std::string state = text_of(member(root, "taskStatus"));
  changed.task.running = state == "TASK_RUNNING";
  changed.terminal = terminal(state);
  if (!changed.task.id.empty()) out.events.emplace_back(std::move(changed));
  return out;
}

}  // namespace admin_router
