#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "marathon/api/api.hpp"
#include "marathon/instances.hpp"
#include "marathon/json_fields.hpp"
#include "marathon/tree_change.hpp"

namespace marathon::api {
namespace {

namespace json = boost::json;
using base::json::Writer;
using TaskKey = std::pair<PathId, InstanceId>;

std::string render_tasks(State& state, const std::vector<TaskKey>& keys, bool ports) {
  std::string body;
  Writer w(body);
  w.begin_object();
  w.key("tasks");
  w.begin_array();
  for (const auto& [app, id] : keys) {
    const Instance* instance = find_instance(state, app, id);
    if (instance) write_task(w, *find_run(state, app), *instance, ports);
  }
  w.end_array();
  w.end_object();
  return body;
}

std::vector<TaskKey> tasks_of(const AppRun& run) {
  std::vector<TaskKey> keys;
  for (const Instance* instance : listed_tasks(run)) keys.emplace_back(instance->app, instance->id);
  return keys;
}

/// "running" and "staging" as the filter takes them; other names do not filter.
std::set<std::string> status_filter(const Request& request) {
  std::set<std::string> wanted;
  for (const char* key : {"status", "status[]"}) {
    for (const std::string& value : request.query.all(key)) {
      const std::string name = base::to_lower(value);
      if (name == "running") wanted.insert("TASK_RUNNING");
      if (name == "staging") wanted.insert("TASK_STAGING");
    }
  }
  return wanted;
}

/// One line per app and service port: name, port, then where its tasks listen.
std::string render_text(const Request& request) {
  std::string text;
  each_app(request.state(), "/", [&](const AppRun& run) {
    if (!sees(request, run)) return;
    std::string name = safe_id(run.target->id);
    const std::vector<int> ports = service_ports(*run.target);
    const auto tasks = listed_tasks(run);
    if (ports.empty()) {
      text += name + "\t \t";
      for (const Instance* task : tasks) {
        if (task->condition == Condition::Running) text += task->hostname + "\t";
      }
      text += "\n";
    }
    for (size_t i = 0; i < ports.size(); ++i) {
      text += fmt::format("{}\t{}\t", name, ports[i]);
      for (const Instance* task : tasks) {
        if (task->condition != Condition::Running || i >= task->host_ports.size()) continue;
        text += fmt::format("{}:{}\t", task->hostname, task->host_ports[i]);
      }
      text += "\n";
    }
  });
  return text;
}

void list_tasks(const Request& request) {
  const std::string_view accept = request.http.headers.get_or("Accept", "");
  if (accept.find("text/plain") != std::string_view::npos &&
      accept.find("application/json") == std::string_view::npos) {
    return request.reply(base::http::Response::text(200, render_text(request)));
  }
  const std::set<std::string> wanted = status_filter(request);
  std::string body;
  Writer w(body);
  w.begin_object();
  w.key("tasks");
  w.begin_array();
  each_app(request.state(), "/", [&](const AppRun& run) {
    if (!sees(request, run)) return;
    for (const Instance* instance : listed_tasks(run)) {
      const std::string state = instance->state.empty() ? "TASK_STAGING" : instance->state;
      if (wanted.empty() || wanted.contains(state)) write_task(w, run, *instance, true);
    }
  });
  w.end_array();
  w.end_object();
  request.reply_json(200, std::move(body));
}

/// Kills that also reduce the number of instances are a deployment.
void kill_and_scale(const Request& request, const std::vector<TaskKey>& keys) {
  std::map<PathId, std::vector<InstanceId>> by_app;
  for (const auto& [app, id] : keys) {
    const Instance* instance = find_instance(request.state(), app, id);
    auto& list = by_app[app];
    if (is_active(instance->condition) && instance->goal == Goal::Running) list.push_back(id);
  }
  TreeChange change(request.turn, next_version(request.turn));
  for (auto& [app, ids] : by_app) {
    const AppRun* run = find_spec(request.state(), app);
    if (!run) continue;
    const int64_t left = std::max<int64_t>(0, run->target->instances - static_cast<int64_t>(ids.size()));
    if (const auto error = change.scale_app(app, left, std::move(ids))) return request.refuse(*error);
  }
  ChangeRequest submission = change.finish();
  submission.call = request.call;
  submission.force = request.flag("force", false);
  submission.group = by_app.size() == 1 ? parent_of(by_app.begin()->first) : "/";
  submission.answer = [](const Deployment& deployment) { return deployment_result(deployment); };
  if (const auto error = submit(request.turn, std::move(submission))) request.refuse(*error);
}

/// Kills, or with `wipe` gives the instances up; `body` is what they looked like before.
void kill(const Request& request, const std::vector<TaskKey>& keys, bool wipe, std::string body) {
  for (const auto& [app, id] : keys) {
    Instance* instance = find_instance(request.state(), app, id);
    if (!instance) continue;
    if (wipe) {
      decommission(request.turn, *find_run(request.state(), app), id);
    } else {
      kill_task(request.turn, *instance);
    }
  }
  commit(request.turn, {}, [call = request.call, body = std::move(body)](Turn& turn, const base::Status& status) {
    turn.out.reply(call, status ? base::http::Response::json(200, body)
                                : render(marathon::refuse(503, status.error().message)));
  });
}

/// The `scale` and `wipe` of a kill; false after a refusal.
bool read_modes(const Request& request, bool& scale, bool& wipe) {
  scale = request.flag("scale", false);
  wipe = request.flag("wipe", false);
  if (!scale || !wipe) return true;
  request.refuse(400, "You cannot use scale and wipe at the same time.");
  return false;
}

void delete_tasks(const Request& request) {
  bool scale = false, wipe = false;
  if (!read_modes(request, scale, wipe)) return;
  const auto body = parse_body(request);
  if (!body) return;
  std::vector<std::string> ids;
  Violations types;
  if (!body->is_object()) {
    types.add("/", "error.expected.jsobject");
  } else if (!Fields(body->get_object(), "", types).get("ids", ids) && types.empty()) {
    types.add("/ids", "error.path.missing");
  }
  if (!types.empty()) return request.refuse(wrong_types(std::move(types)));
  std::vector<TaskKey> keys;
  for (const std::string& id : ids) {
    const auto name = parse_task_id(id);
    if (!name) {
      return request.refuse(400, fmt::format("Invalid task id '{}'. [task ids look like "
                                             "<app>.instance-<uuid>._app.<n>]", id));
    }
    // An id without incarnation, or of an earlier one, means the instance.
    if (find_instance(request.state(), name->app, name->instance)) keys.emplace_back(name->app, name->instance);
  }
  if (scale) return kill_and_scale(request, keys);
  kill(request, keys, wipe, render_tasks(request.state(), keys, false));
}

void kill_app_tasks(const Request& request, const AppRun& run) {
  bool scale = false, wipe = false;
  if (!read_modes(request, scale, wipe)) return;
  const std::string host = request.query.get("host").value_or("*");
  std::vector<TaskKey> keys = tasks_of(run);
  std::erase_if(keys, [&](const TaskKey& key) {
    return host != "*" && find_instance(request.state(), key.first, key.second)->hostname != host;
  });
  if (scale) return kill_and_scale(request, keys);
  kill(request, keys, wipe, render_tasks(request.state(), keys, false));
}

void kill_one(const Request& request, const PathId& app, const std::string& task) {
  bool scale = false, wipe = false;
  if (!read_modes(request, scale, wipe)) return;
  const auto name = parse_task_id(task);
  Instance* instance = name ? find_instance(request.state(), app, name->instance) : nullptr;
  if (!instance || instance->task_id.empty()) {
    return request.refuse(404, fmt::format("Task '{}' does not exist", task));
  }
  const std::vector<TaskKey> keys{{app, instance->id}};
  if (scale) return kill_and_scale(request, keys);
  std::string body;
  Writer w(body);
  w.begin_object();
  w.key("task");
  write_task(w, *find_run(request.state(), app), *instance, false);
  w.end_object();
  kill(request, keys, wipe, std::move(body));
}

}  // namespace

void handle_tasks(const Request& request) {
  const std::string& method = request.http.method;
  if (request.rest.empty()) {
    return method == "GET" || method == "HEAD" ? list_tasks(request) : method_not_allowed(request, "GET");
  }
  if (request.rest.size() == 1 && request.rest[0] == "delete") {
    return method == "POST" ? delete_tasks(request) : method_not_allowed(request, "POST");
  }
  request.refuse(404, "URI not found: " + request.path);
}

void handle_app_tasks(const Request& request, const PathId& app, const std::string& task) {
  const std::string& method = request.http.method;
  const AppRun* run = find_app(request.state(), app);
  if (!run) return request.refuse(404, fmt::format("App '{}' does not exist", app));
  if (!task.empty()) {
    return method == "DELETE" ? kill_one(request, app, task) : method_not_allowed(request, "DELETE");
  }
  if (method == "GET" || method == "HEAD") {
    return request.reply_json(200, render_tasks(request.state(), tasks_of(*run), true));
  }
  if (method == "DELETE") return kill_app_tasks(request, *run);
  method_not_allowed(request, "GET, DELETE");
}

void handle_group_tasks(const Request& request, const PathId& group) {
  if (request.http.method != "GET" && request.http.method != "HEAD") return method_not_allowed(request, "GET");
  if (!group_exists(request.state(), group)) {
    return request.refuse(404, fmt::format("Group '{}' does not exist", group));
  }
  std::vector<TaskKey> keys;
  each_app(request.state(), group, [&](const AppRun& run) {
    if (!sees(request, run)) return;
    for (TaskKey& key : tasks_of(run)) keys.push_back(std::move(key));
  });
  request.reply_json(200, render_tasks(request.state(), keys, true));
}

}  // namespace marathon::api
