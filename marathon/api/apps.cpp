#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "marathon/api/api.hpp"
#include "marathon/app_json.hpp"
#include "marathon/events_out.hpp"
#include "marathon/tree_change.hpp"

namespace marathon::api {
namespace {

namespace json = boost::json;
using base::json::Writer;

base::http::Response plain_result(const Deployment& deployment) { return deployment_result(deployment); }

void list_apps(const Request& request, const PathId& group, std::string_view key) {
  const auto cmd = request.query.get("cmd"), id = request.query.get("id");
  std::optional<std::vector<LabelTerm>> selector;
  if (const auto text = request.query.get("label")) {
    auto parsed = parse_label_selector(*text);
    if (!parsed) return request.refuse(422, parsed.error().message);
    selector = std::move(*parsed);
  }
  Embed embed = parse_embed(request.query);
  embed.counts = embed.deployments = true;
  const std::string wanted_cmd = base::to_lower(cmd.value_or("")), wanted_id = base::to_lower(id.value_or(""));
  std::string body;
  Writer w(body);
  w.begin_object();
  w.key(key);
  w.begin_array();
  each_app(request.state(), group, [&](const AppRun& run) {
    if (!sees(request, run)) return;
    const App& app = *run.target;
    if (cmd && (!app.cmd || base::to_lower(*app.cmd).find(wanted_cmd) == std::string::npos)) return;
    if (id && app.id.find(wanted_id) == std::string::npos) return;
    if (selector && !matches(*selector, app.labels)) return;
    write_app(w, request.turn, run, embed);
  });
  w.end_array();
  w.end_object();
  request.reply_json(200, std::move(body));
}

base::http::Response created_app(const App& app, const Deployment& deployment) {
  App shown = app;
  shown.last_config_change_at = {};  // the answer to a create carries no versionInfo
  std::string body = render_app_open(shown);
  body += ",\"tasksStaged\":0,\"tasksRunning\":0,\"tasksHealthy\":0,\"tasksUnhealthy\":0";
  body += ",\"deployments\":[{\"id\":\"" + deployment.id + "\"}]}";
  auto response = base::http::Response::json(201, std::move(body));
  response.headers.set("Location", app.id);
  response.headers.set("Marathon-Deployment-Id", deployment.id);
  return response;
}

void post_app(const Request& request) {
  const auto body = parse_body(request);
  if (!body) return;
  const json::object* object = object_of(request, *body);
  if (!object) return;
  TreeChange change(request.turn, next_version(request.turn));
  if (const auto error = change.create_app(*object, "/")) return request.refuse(*error);
  const AppPtr app = change.apps().begin()->second.to;
  submit_change(request, change, request.flag("force", false), parent_of(app->id),
                [app](const Deployment& deployment) { return created_app(*app, deployment); });
}

void change_apps(const Request& request, bool partial, TreeChange::Missing missing) {
  const auto body = parse_body(request);
  if (!body) return;
  if (!body->is_array()) {
    Violations types;
    types.add("/", "error.expected.jsarray");
    return request.refuse(wrong_types(std::move(types)));
  }
  TreeChange change(request.turn, next_version(request.turn), in_place(request), request.flag("force", false));
  for (const json::value& item : body->get_array()) {
    const json::object* object = object_of(request, item);
    if (!object) return;
    const auto id = object->find("id");
    if (id == object->end() || !id->value().is_string()) {
      return request.refuse(422, "App Update must have app id set");
    }
    const PathId path = resolve_path(std::string_view(id->value().get_string()));
    if (const auto error = change.put_app(path, *object, partial, missing)) return request.refuse(*error);
  }
  submit_change(request, change, request.flag("force", false), "/", plain_result);
}

std::optional<Version> version_of(const Request& request, const PathId& id) {
  const AppRun* run = find_app(request.state(), id);
  return run ? std::optional(run->target->version) : std::nullopt;
}

/// The version that a body asks to go back to. False after a refusal.
bool read_rollback(const Request& request, const json::object& body, std::optional<Version>& version) {
  const auto it = body.find("version");
  if (it == body.end() || it->value().is_null()) return true;
  for (const auto& member : body) {
    if (member.key() == "version" || member.key() == "id") continue;
    Violations rules;
    rules.add("/", "The 'version' field may only be combined with the 'id' field.");
    return request.refuse(not_valid(std::move(rules))), false;
  }
  if (it->value().is_string()) {
    if (const auto time = base::parse_iso8601(std::string_view(it->value().get_string()))) {
      version = *time;
      return true;
    }
  }
  Violations types;
  types.add("/version", "error.expected.date.isoformat");
  return request.refuse(wrong_types(std::move(types))), false;
}

void change_app(const Request& request, const PathId& id, bool partial, TreeChange::Missing missing) {
  const auto body = parse_body(request);
  if (!body) return;
  const json::object* object = object_of(request, *body);
  if (!object) return;
  std::optional<Version> rollback;
  if (!read_rollback(request, *object, rollback)) return;
  if (!matches_version(request, version_of(request, id))) return;
  TreeChange change(request.turn, next_version(request.turn), in_place(request), request.flag("force", false));
  const auto error = rollback ? change.restore_app(id, *rollback)
                              : change.put_app(id, *object, partial, missing);
  if (error) return request.refuse(*error);
  const bool created = change.creates(id);
  submit_change(request, change, request.flag("force", false), parent_of(id),
                [created, id](const Deployment& deployment) {
                  auto response = deployment_result(deployment, created ? 201 : 200);
                  if (created) response.headers.set("Location", id);
                  return response;
                });
}

void get_app(const Request& request, const PathId& id) {
  const AppRun* run = find_app(request.state(), id);
  if (!run) return request.refuse(404, fmt::format("App '{}' does not exist", id));
  Embed embed = parse_embed(request.query);
  embed.counts = embed.tasks = embed.deployments = embed.last_task_failure = true;
  std::string body;
  Writer w(body);
  w.begin_object();
  w.key("app");
  write_app(w, request.turn, *run, embed);
  w.end_object();
  request.reply_json(200, std::move(body));
}

void delete_app(const Request& request, const PathId& id) {
  if (!matches_version(request, version_of(request, id))) return;
  TreeChange change(request.turn, next_version(request.turn));
  if (const auto error = change.remove_app(id)) return request.refuse(*error);
  submit_change(request, change, request.flag("force", request.turn.policy.force_app_delete), parent_of(id),
                plain_result);
}

void restart_app(const Request& request, const PathId& id) {
  if (request.http.method != "POST") return method_not_allowed(request, "POST");
  if (!matches_version(request, version_of(request, id))) return;
  TreeChange change(request.turn, next_version(request.turn));
  if (const auto error = change.restart_app(id)) return request.refuse(*error);
  submit_change(request, change, request.flag("force", false), parent_of(id), plain_result);
}

void get_versions(const Request& request, const PathId& id) {
  const AppRun* run = find_app(request.state(), id);
  if (!run) return request.refuse(404, fmt::format("App '{}' does not exist", id));
  std::string body;
  Writer w(body);
  w.begin_object();
  w.key("versions");
  w.begin_array();
  for (auto it = run->versions.rbegin(); it != run->versions.rend(); ++it) {
    w.value(base::render_iso8601(it->first));
  }
  w.end_array();
  w.end_object();
  request.reply_json(200, std::move(body));
}

void get_version(const Request& request, const PathId& id, const std::string& text) {
  const auto version = base::parse_iso8601(text);
  if (!version) return request.refuse(422, fmt::format("Invalid timestamp '{}'", text));
  const AppRun* run = find_app(request.state(), id);
  if (!run) return request.refuse(404, fmt::format("App '{}' does not exist", id));
  const auto it = run->versions.find(*version);
  if (it == run->versions.end()) {
    return request.refuse(404, fmt::format("App '{}' does not exist in version {}", id,
                                           base::render_iso8601(*version)));
  }
  request.reply_json(200, render_app(*it->second));
}

void handle_collection(const Request& request) {
  const std::string& method = request.http.method;
  if (method == "GET" || method == "HEAD") return list_apps(request, "/", "apps");
  if (method == "POST") return post_app(request);
  if (method == "PUT") {
    return change_apps(request, request.flag("partialUpdate", true), TreeChange::Missing::Create);
  }
  if (method == "PATCH") return change_apps(request, true, TreeChange::Missing::Refuse);
  method_not_allowed(request, "GET, POST, PUT, PATCH");
}

void handle_app(const Request& request, const PathId& id) {
  const std::string& method = request.http.method;
  if (method == "GET" || method == "HEAD") return get_app(request, id);
  if (method == "PUT") {
    return change_app(request, id, request.flag("partialUpdate", true), TreeChange::Missing::Create);
  }
  if (method == "PATCH") return change_app(request, id, true, TreeChange::Missing::Refuse);
  if (method == "DELETE") return delete_app(request, id);
  method_not_allowed(request, "GET, PUT, PATCH, DELETE");
}

}  // namespace

std::string client_of(const Request& request) {
  const std::string& remote = request.http.remote_address;
  return remote.substr(0, remote.rfind(':'));
}

/// Checks the change as a whole and submits it; `answer` renders the success.
void submit_change(const Request& request, TreeChange& change, bool force, const PathId& group,
                   std::function<base::http::Response(const Deployment&)> answer,
                   std::function<void(Turn&)> announce) {
  if (const auto error = change.check()) return request.refuse(*error);
  ChangeRequest submission = change.finish();
  if (request.flag("dryRun", false)) return answer_dry_run(request, std::move(submission), true);
  submission.call = request.call;
  submission.force = force;
  submission.group = group;
  submission.answer = std::move(answer);
  submission.announce = std::move(announce);
  if (!submission.announce) {
    std::vector<AppPtr> changed;
    for (const AppChange& app : submission.apps) {
      if (app.to) changed.push_back(app.to);
    }
    submission.announce = [changed, client = client_of(request), uri = request.http.target](Turn& turn) {
      for (const AppPtr& app : changed) publish_api_post(turn, client, uri, *app);
    };
  }
  if (const auto error = submit(request.turn, std::move(submission))) request.refuse(*error);
}

const json::object* object_of(const Request& request, const json::value& body) {
  if (body.is_object()) return &body.get_object();
  Violations types;
  types.add("/", "error.expected.jsobject");
  request.refuse(wrong_types(std::move(types)));
  return nullptr;
}

void handle_apps(const Request& request) {
  // Ids contain slashes: what follows them is told from the right.
  const std::vector<std::string>& rest = request.rest;
  const size_t n = rest.size();
  if (n == 0) return handle_collection(request);
  const bool get = request.http.method == "GET" || request.http.method == "HEAD";
  const auto group_of = [&](size_t count) { return path_of(rest, count); };
  if (rest[n - 1] == "*") {
    const PathId group = group_of(n - 1);
    if (!get) return method_not_allowed(request, "GET");
    if (!group_exists(request.state(), group)) {
      return request.refuse(404, fmt::format("Group '{}' does not exist", group));
    }
    return list_apps(request, group, "*");
  }
  if (n >= 2 && rest[n - 1] == "tasks" && rest[n - 2] == "*") return handle_group_tasks(request, group_of(n - 2));
  // An old app whose last element is one of these words can still be deleted.
  const bool legacy_delete = request.http.method == "DELETE" && find_app(request.state(), group_of(n));
  if (n >= 2 && !legacy_delete) {
    if (rest[n - 1] == "restart") return restart_app(request, group_of(n - 1));
    if (rest[n - 1] == "tasks") return handle_app_tasks(request, group_of(n - 1), {});
    if (rest[n - 1] == "versions") {
      return get ? get_versions(request, group_of(n - 1)) : method_not_allowed(request, "GET");
    }
    if (n >= 3 && rest[n - 2] == "tasks") return handle_app_tasks(request, group_of(n - 2), rest[n - 1]);
    if (n >= 3 && rest[n - 2] == "versions") {
      return get ? get_version(request, group_of(n - 2), rest[n - 1]) : method_not_allowed(request, "GET");
    }
  }
  handle_app(request, group_of(n));
}

}  // namespace marathon::api
