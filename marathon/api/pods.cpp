#include <boost/json.hpp>
#include <fmt/format.h>

#include <set>

#include "base/json/writer.hpp"
#include "marathon/api/api.hpp"
#include "marathon/definition_fields.hpp"
#include "marathon/events_out.hpp"
#include "marathon/instances.hpp"
#include "marathon/pod_json.hpp"
#include "marathon/tree_change.hpp"

namespace marathon::api {
namespace {

namespace json = boost::json;
using base::json::Writer;

constexpr std::string_view kInstancePattern = "^(.+)\\.(instance-|marathon-)([^\\.]+)$";

bool is_get(const Request& request) { return request.http.method == "GET" || request.http.method == "HEAD"; }

/// "/v2/pods/<id>::<verb>/<argument>".
struct PodPath {
  PathId id;
  std::string verb, argument;
};

PodPath parse_path(const Request& request) {
  std::string text;
  for (const std::string& element : request.rest) text += "/" + element;
  PodPath path;
  if (const size_t colons = text.find("::"); colons != std::string::npos) {
    path.verb = text.substr(colons + 2);
    text.resize(colons);
    if (const size_t slash = path.verb.find('/'); slash != std::string::npos) {
      path.argument = path.verb.substr(slash + 1);
      path.verb.resize(slash);
    }
  }
  path.id = resolve_path(text);
  return path;
}

ApiError pod_missing(const PathId& id) { return marathon::refuse(404, fmt::format("Pod '{}' does not exist", id)); }

std::function<void(Turn&)> announcing(const Request& request, const PathId& pod, const char* type) {
  return [type, pod, client = client_of(request), uri = request.http.path](Turn& turn) {
    publish_pod(turn, type, pod, client, uri);
  };
}

base::http::Response shown_pod(const App& pod, int status, const std::string& deployment) {
  auto response = base::http::Response::json(status, render_pod(pod));
  response.headers.set("Marathon-Deployment-Id", deployment);
  if (status == 201) response.headers.set("Location", pod.id);
  return response;
}

std::optional<Version> version_of(const Request& request, const PathId& id) {
  const AppRun* run = find_pod(request.state(), id);
  return run ? std::optional(run->target->version) : std::nullopt;
}

void list(const Request& request) {
  std::string body;
  Writer w(body);
  w.begin_array();
  each_spec(request.state(), "/", [&](const AppRun& run) {
    if (run.target->pod && sees(request, run)) w.raw(render_pod(*run.target));
  });
  w.end_array();
  request.reply_json(200, std::move(body));
}

void list_statuses(const Request& request) {
  std::string body;
  Writer w(body);
  w.begin_array();
  each_spec(request.state(), "/", [&](const AppRun& run) {
    if (run.target->pod && sees(request, run)) write_pod_status(w, request.turn, run);
  });
  w.end_array();
  request.reply_json(200, std::move(body));
}

void create(const Request& request) {
  const auto body = parse_body(request);
  const json::object* object = body ? object_of(request, *body) : nullptr;
  if (!object) return;
  TreeChange change(request.turn, next_version(request.turn));
  if (const auto error = change.create_pod(*object)) return request.refuse(*error);
  const AppPtr pod = change.apps().begin()->second.to;
  submit_change(request, change, request.flag("force", false), parent_of(pod->id),
                [pod](const Deployment& deployment) { return shown_pod(*pod, 201, deployment.id); },
                announcing(request, pod->id, "pod_created_event"));
}

void update(const Request& request, const PathId& id) {
  const auto body = parse_body(request);
  const json::object* object = body ? object_of(request, *body) : nullptr;
  if (!object || !matches_version(request, version_of(request, id))) return;
  TreeChange change(request.turn, next_version(request.turn), in_place(request), request.flag("force", false));
  if (const auto error = change.put_pod(id, *object)) return request.refuse(*error);
  const AppPtr pod = change.apps().begin()->second.to;
  submit_change(request, change, request.flag("force", false), parent_of(id),
                [pod](const Deployment& deployment) { return shown_pod(*pod, 200, deployment.id); },
                announcing(request, id, "pod_updated_event"));
}

void remove(const Request& request, const PathId& id) {
  if (!matches_version(request, version_of(request, id))) return;
  TreeChange change(request.turn, next_version(request.turn));
  if (const auto error = change.remove_pod(id)) return request.refuse(*error);
  submit_change(request, change, request.flag("force", false), parent_of(id),
                [](const Deployment& deployment) {
                  base::http::Response response;
                  response.status = 202;
                  response.headers.set("Marathon-Deployment-Id", deployment.id);
                  response.headers.set("Location", deployment.id);
                  return response;
                },
                announcing(request, id, "pod_deleted_event"));
}

/// POST /v2/pods/<id>/restart, which interfaces of the original call though it never had it.
void restart(const Request& request, const PathId& id) {
  TreeChange change(request.turn, next_version(request.turn));
  if (const auto error = change.restart_pod(id)) return request.refuse(*error);
  submit_change(request, change, request.flag("force", false), parent_of(id),
                [](const Deployment& deployment) { return deployment_result(deployment); },
                announcing(request, id, "pod_updated_event"));
}

void get_versions(const Request& request, const AppRun& run) {
  std::string body;
  Writer w(body);
  w.begin_array();
  for (auto it = run.versions.rbegin(); it != run.versions.rend(); ++it) w.value(base::render_iso8601(it->first));
  w.end_array();
  request.reply_json(200, std::move(body));
}

void get_version(const Request& request, const AppRun& run, const std::string& text) {
  const auto version = base::parse_iso8601(text);
  if (!version) return request.refuse(422, fmt::format("Invalid timestamp '{}'", text));
  const auto it = run.versions.find(*version);
  if (it == run.versions.end()) return request.refuse(pod_missing(run.target->id));
  request.reply_json(200, render_pod(*it->second));
}

void write_instance(Writer& w, const AppRun& run, const Instance& instance) {
  w.begin_object();
  w.field("instanceId", instance.id);
  w.key("state");
  w.begin_object();
  w.field("condition", condition_name(instance.condition));
  w.field("since", base::render_iso8601(instance.since));
  if (instance.started_at) w.field("activeSince", base::render_iso8601(*instance.started_at));
  if (instance.healthy) w.field("healthy", *instance.healthy);
  w.field("goal", instance.goal == Goal::Running ? "Running"
                  : instance.goal == Goal::Stopped ? "Stopped" : "Decommissioned");
  w.end_object();
  if (!instance.agent_id.empty()) {
    w.key("agentInfo");
    w.begin_object();
    w.field("host", instance.hostname);
    w.field("agentId", instance.agent_id);
    if (!instance.region.empty()) w.field("region", instance.region);
    if (!instance.zone.empty()) w.field("zone", instance.zone);
    w.key("attributes");
    w.begin_array();
    w.end_array();
    w.end_object();
  }
  w.field("runSpecVersion", base::render_iso8601(instance.version));
  if (const App* pod = definition_of(run, instance)) write_unreachable_strategy(w, pod->unreachable_strategy);
  w.end_object();
}

/// Kills, or with `wipe` gives up, what `ids` name; answers with how it looked before, `one` without a list around it.
void kill_instances(const Request& request, const AppRun& run, const std::set<InstanceId>& ids, bool one) {
  std::string body;
  Writer w(body);
  if (!one) w.begin_array();
  std::vector<InstanceId> found;
  for (const InstanceId& id : ids) {
    const auto it = run.instances.find(id);
    if (it == run.instances.end()) continue;
    found.push_back(id);
    write_instance(w, run, it->second);
  }
  if (!one) w.end_array();
  if (one && found.empty()) return request.refuse(404, fmt::format("Task '{}' does not exist", *ids.begin()));
  const PathId pod = run.target->id;
  for (const InstanceId& id : found) {
    AppRun& changed = *find_run(request.state(), pod);
    if (request.flag("wipe", false)) {
      decommission(request.turn, changed, id);
    } else {
      kill_task(request.turn, changed.instances.at(id));
    }
  }
  commit(request.turn, {}, [call = request.call, body = std::move(body)](Turn& turn, const base::Status& status) {
    turn.out.reply(call, status ? base::http::Response::json(200, body)
                                : render(marathon::refuse(503, status.error().message)));
  });
}

bool is_instance_id(const std::string& id) {
  for (std::string_view marker : {".instance-", ".marathon-"}) {
    const size_t at = id.rfind(marker);
    if (at == std::string::npos || at == 0) continue;
    const std::string_view rest = std::string_view(id).substr(at + marker.size());
    if (!rest.empty() && rest.find('.') == std::string_view::npos) return true;
  }
  return false;
}

void handle_instances(const Request& request, const AppRun& run, const std::string& argument) {
  if (request.http.method != "DELETE") return method_not_allowed(request, "DELETE");
  std::set<InstanceId> ids;
  Violations types, rules;
  if (!argument.empty()) {
    ids.insert(argument);
    if (!is_instance_id(argument)) {
      rules.add("/", fmt::format("must fully match regular expression '{}'", kInstancePattern));
    }
  } else {
    const auto body = parse_body(request);
    if (!body) return;
    if (!body->is_array()) {
      types.add("/", "error.expected.jsarray");
      return request.refuse(wrong_types(std::move(types)));
    }
    size_t index = 0;
    for (const json::value& item : body->get_array()) {
      const std::string path = fmt::format("/({})", index++);
      if (!item.is_string()) {
        types.add(path, "error.expected.jsstring");
        continue;
      }
      ids.insert(std::string(item.get_string()));
      if (!is_instance_id(std::string(item.get_string()))) {
        rules.add(path, fmt::format("must fully match regular expression '{}'", kInstancePattern));
      }
    }
  }
  if (!types.empty()) return request.refuse(wrong_types(std::move(types)));
  if (!rules.empty()) return request.refuse(not_valid(std::move(rules)));
  kill_instances(request, run, ids, !argument.empty());
}

void handle_collection(const Request& request) {
  if (request.http.method == "HEAD") return request.reply(base::http::Response());  // "are there pods?"
  if (request.http.method == "GET") return list(request);
  if (request.http.method == "POST") return create(request);
  method_not_allowed(request, "GET, HEAD, POST");
}

void handle_pod(const Request& request, const PathId& id) {
  if (request.http.method == "PUT") return update(request, id);
  if (request.http.method == "DELETE") return remove(request, id);
  if (!is_get(request)) return method_not_allowed(request, "GET, PUT, DELETE");
  const AppRun* run = find_pod(request.state(), id);
  if (!run) return request.refuse(pod_missing(id));
  request.reply_json(200, render_pod(*run->target));
}

}  // namespace

void handle_pods(const Request& request) {
  if (request.rest.empty()) return handle_collection(request);
  const PodPath path = parse_path(request);
  if (path.verb.empty()) {
    const bool restarts = request.http.method == "POST" && leaf_of(path.id) == "restart" && parent_of(path.id) != "/";
    return restarts ? restart(request, parent_of(path.id)) : handle_pod(request, path.id);
  }
  if (path.id == "/" && path.verb == "status" && path.argument.empty()) {
    return is_get(request) ? list_statuses(request) : method_not_allowed(request, "GET");
  }
  const AppRun* run = find_pod(request.state(), path.id);
  if (!run) return request.refuse(pod_missing(path.id));
  if (path.verb == "instances") return handle_instances(request, *run, path.argument);
  const bool known = path.verb == "versions" || (path.verb == "status" && path.argument.empty());
  if (!known) return request.refuse(404, "URI not found: " + request.path);
  if (!is_get(request)) return method_not_allowed(request, "GET");
  if (path.verb == "versions") {
    return path.argument.empty() ? get_versions(request, *run) : get_version(request, *run, path.argument);
  }
  std::string body;
  Writer w(body);
  write_pod_status(w, request.turn, *run);
  request.reply_json(200, std::move(body));
}

}  // namespace marathon::api
