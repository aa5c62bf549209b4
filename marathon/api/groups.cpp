#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "marathon/api/api.hpp"
#include "marathon/app_json.hpp"
#include "marathon/dry_run.hpp"
#include "marathon/events_out.hpp"
#include "marathon/json_fields.hpp"
#include "marathon/pod_json.hpp"
#include "marathon/records.hpp"
#include "marathon/roles.hpp"
#include "marathon/tree_change.hpp"

namespace marathon::api {
namespace {

namespace json = boost::json;
using base::json::Writer;

Version version_of(const State& state, const PathId& id) {
  if (id == "/") return root_version(state);
  const auto it = state.groups.find(id);
  return it == state.groups.end() ? Version() : it->second.version;
}

/// Direct children of a group, which may exist only because something is below them.
std::vector<PathId> child_groups(const State& state, const PathId& id) {
  std::vector<PathId> children;
  const std::string prefix = id == "/" ? "/" : id + "/";
  for (auto it = state.groups.lower_bound(prefix);
       it != state.groups.end() && it->first.starts_with(prefix); ++it) {
    if (it->first != "/" && parent_of(it->first) == id) children.push_back(it->first);
  }
  return children;
}

/// The caller may see the group, or something in it.
bool sees_group(const Request& request, const PathId& id) {
  if (!request.viewer || request.viewer->sees_group(id)) return true;
  bool any = false;
  each_spec(request.state(), id, [&](const AppRun& run) { any |= request.viewer->sees(*run.target); });
  const auto& groups = request.state().groups;
  const std::string prefix = id == "/" ? "/" : id + "/";
  for (auto it = groups.lower_bound(prefix); !any && it != groups.end() && it->first.starts_with(prefix); ++it) {
    any = request.viewer->sees_group(it->first);
  }
  return any;
}

void write_group(Writer& w, const Request& request, const PathId& id, const Embed& embed) {
  const Turn& turn = request.turn;
  const State& state = turn.state;
  w.begin_object();
  w.field("id", id);
  w.key("dependencies");
  w.begin_array();
  if (const auto it = state.groups.find(id); it != state.groups.end()) {
    for (const PathId& dependency : it->second.dependencies) w.value(dependency);
  }
  w.end_array();
  w.field("version", base::render_iso8601(version_of(state, id)));
  if (embed.apps) {
    w.key("apps");
    w.begin_array();
    each_app(state, id, [&](const AppRun& run) {
      if (parent_of(run.target->id) == id && sees(request, run)) write_app(w, turn, run, embed);
    });
    w.end_array();
  }
  if (embed.groups) {
    w.key("groups");
    w.begin_array();
    // Depth is bounded: a path has at most kMaxPath characters, two for each element.
    for (const PathId& child : child_groups(state, id)) {
      if (sees_group(request, child)) write_group(w, request, child, embed);
    }
    w.end_array();
  }
  if (embed.pods) {
    w.key("pods");
    w.begin_array();
    each_spec(state, id, [&](const AppRun& run) {
      const bool own = run.target->pod && parent_of(run.target->id) == id;
      if (own && sees(request, run)) write_pod_status(w, turn, run);
    });
    w.end_array();
  }
  if (id != "/" && parent_of(id) == "/") w.field("enforceRole", is_role_enforced(state, id + "/x"));
  w.end_object();
}

/// A group of a former tree: definitions, and nothing that lives.
void write_old_group(Writer& w, const Tree& tree, const PathId& id, Version version) {
  w.begin_object();
  w.field("id", id);
  w.key("dependencies");
  w.begin_array();
  if (const auto it = tree.groups.find(id); it != tree.groups.end()) {
    for (const PathId& dependency : it->second.dependencies) w.value(dependency);
  }
  w.end_array();
  w.field("version", base::render_iso8601(version));
  const std::string prefix = id == "/" ? "/" : id + "/";
  w.key("apps");
  w.begin_array();
  for (auto it = tree.apps.lower_bound(prefix); it != tree.apps.end() && it->first.starts_with(prefix); ++it) {
    if (parent_of(it->first) == id && !it->second->pod) w.raw(render_app(*it->second));
  }
  w.end_array();
  w.key("groups");
  w.begin_array();
  for (auto it = tree.groups.lower_bound(prefix); it != tree.groups.end() && it->first.starts_with(prefix); ++it) {
    if (it->first != "/" && parent_of(it->first) == id) write_old_group(w, tree, it->first, it->second.version);
  }
  w.end_array();
  w.key("pods");
  w.begin_array();
  for (auto it = tree.apps.lower_bound(prefix); it != tree.apps.end() && it->first.starts_with(prefix); ++it) {
    if (parent_of(it->first) == id && it->second->pod) w.raw(render_pod(*it->second));
  }
  w.end_array();
  if (id != "/" && parent_of(id) == "/") {
    const auto it = tree.groups.find(id);
    w.field("enforceRole", it != tree.groups.end() && it->second.enforce_role);
  }
  w.end_object();
}

void get_versions(const Request& request, const PathId& id) {
  const std::vector<Version> versions = group_versions(request.state(), id);
  if (versions.empty()) return request.refuse(404, fmt::format("Group '{}' does not exist", id));
  std::string body;
  Writer w(body);
  w.begin_array();
  for (const Version version : versions) w.value(base::render_iso8601(version));
  w.end_array();
  request.reply_json(200, std::move(body));
}

void get_version(const Request& request, const PathId& id, const std::string& text) {
  const auto version = base::parse_iso8601(text);
  if (!version) return request.refuse(422, fmt::format("Invalid timestamp '{}'", text));
  const auto tree = tree_at(request.state(), *version);
  if (!tree || !group_exists(*tree, id)) {
    return request.refuse(404, fmt::format("Group '{}' does not exist in version {}", id,
                                           base::render_iso8601(*version)));
  }
  std::string body;
  Writer w(body);
  write_old_group(w, *tree, id, *version);
  request.reply_json(200, std::move(body));
}

ApiError group_missing(const PathId& id) {
  return marathon::refuse(404, fmt::format("Group '{}' does not exist", id));
}

void get_group(const Request& request, const PathId& id) {
  if (!group_exists(request.state(), id)) return request.refuse(group_missing(id));
  if (id != "/" && !sees_group(request, id)) return request.refuse(403, "this user may see nothing of that group");
  Embed embed = parse_embed(request.query);
  if (!request.query.has("embed")) embed.apps = embed.groups = embed.pods = true;
  std::string body;
  Writer w(body);
  write_group(w, request, id, embed);
  request.reply_json(200, std::move(body));
}

void get_apps(const Request& request, const PathId& id) {
  if (!group_exists(request.state(), id)) return request.refuse(group_missing(id));
  const Embed embed = parse_embed(request.query);
  std::string body;
  Writer w(body);
  w.begin_array();
  each_app(request.state(), id, [&](const AppRun& run) {
    if (sees(request, run)) write_app(w, request.turn, run, embed);
  });
  w.end_array();
  request.reply_json(200, std::move(body));
}

void submit_group(const Request& request, TreeChange& change, const PathId& id, int status,
                  std::string location) {
  if (const auto error = change.check()) return request.refuse(*error);
  if (request.flag("dryRun", false)) {
    const auto embeds = request.query.all("embed");
    const bool placement = std::find(embeds.begin(), embeds.end(), "placement") != embeds.end();
    return answer_dry_run(request, change.finish(), placement);
  }
  ChangeRequest submission = change.finish();
  submission.call = request.call;
  submission.force = request.flag("force", false);
  submission.group = id;
  submission.answer = [status, location](const Deployment& deployment) {
    auto response = deployment_result(deployment, status);
    if (!location.empty()) response.headers.set("Location", location);
    return response;
  };
  if (const auto error = submit(request.turn, std::move(submission))) request.refuse(*error);
}

/// The id a body gives, resolved against the path.
PathId effective_id(const json::object& body, const PathId& base) {
  const auto it = body.find("id");
  if (it == body.end() || !it->value().is_string()) return base;
  return resolve_path(std::string_view(it->value().get_string()), base);
}

void post_group(const Request& request, const PathId& base) {
  const auto body = parse_body(request);
  if (!body || !object_of(request, *body)) return;
  const PathId id = effective_id(body->get_object(), base);
  if (find_spec(request.state(), id)) {
    return request.refuse(409, fmt::format("An app with the path {} already exists.", id));
  }
  if (id == "/" || group_exists(request.state(), id)) {
    return request.refuse(409, fmt::format("Group {} is already created. Use PUT to change this group.", id));
  }
  TreeChange change(request.turn, next_version(request.turn));
  if (const auto error = change.put_group(id, body->get_object())) return request.refuse(*error);
  submit_group(request, change, id, 201, id);
}

void put_group(const Request& request, const PathId& base) {
  const auto body = parse_body(request);
  if (!body || !object_of(request, *body)) return;
  const json::object& object = body->get_object();
  if (!matches_version(request, group_exists(request.state(), base)
                                    ? std::optional(version_of(request.state(), base)) : std::nullopt)) {
    return;
  }
  TreeChange change(request.turn, next_version(request.turn), in_place(request), request.flag("force", false));
  const auto given = [&](std::string_view name) {
    const auto it = object.find(name);
    return it != object.end() && !it->value().is_null();
  };
  for (const char* name : {"version", "scaleBy"}) {
    if (!given(name)) continue;
    if (object.size() > 1) {
      Violations rules;
      rules.add("/", "not allowed in conjunction with other properties.");
      return request.refuse(not_valid(std::move(rules)));
    }
  }
  if (given("version")) {
    const json::value& text = object.at("version");
    const auto version = base::parse_iso8601(text.is_string() ? std::string_view(text.get_string()) : "");
    if (!version) {
      Violations types;
      types.add("/version", "error.expected.date.isoformat");
      return request.refuse(wrong_types(std::move(types)));
    }
    const auto tree = tree_at(request.state(), *version);
    if (!tree || !group_exists(*tree, base)) {
      return request.refuse(422, fmt::format("Group {} not available in version {}", base,
                                             base::render_iso8601(*version)));
    }
    if (const auto error = change.restore_group(base, *tree)) return request.refuse(*error);
    return submit_group(request, change, base, 200, {});
  }
  if (given("scaleBy")) {
    double factor = 0;
    if (!base::json::to_double(object.at("scaleBy"), factor) || factor < 0) {
      Violations types;
      types.add("/scaleBy", "error.expected.jsnumber");
      return request.refuse(wrong_types(std::move(types)));
    }
    if (!group_exists(request.state(), base)) return request.refuse(group_missing(base));
    if (const auto error = change.scale_group(base, factor)) return request.refuse(*error);
    return submit_group(request, change, base, 200, {});
  }
  const PathId id = effective_id(object, base);
  if (const auto error = change.put_group(id, object)) return request.refuse(*error);
  submit_group(request, change, id, 200, {});
}

/// Whether a top-level group's name is the role of what is in it. Services keep the role that they have.
void patch_group(const Request& request, const PathId& id) {
  const auto body = parse_body(request);
  const json::object* object = body ? object_of(request, *body) : nullptr;
  if (!object) return;
  if (!group_exists(request.state(), id)) return request.refuse(group_missing(id));
  Violations types, rules;
  bool enforce = false;
  Fields(*object, "", types).get("enforceRole", enforce);
  if (!types.empty()) return request.refuse(wrong_types(std::move(types)));
  if (id == "/" || parent_of(id) != "/") rules.add("/", "Path must be a top-level group");
  if (!rules.empty()) return request.refuse(not_valid(std::move(rules)));
  Group& group = request.turn.state.groups.try_emplace(id, Group{id, {}, next_version(request.turn)}).first->second;
  const bool before = group.enforce_role;
  group.enforce_role = enforce;
  commit(request.turn, {{group_key(id), encode_group(group)}}, [call = request.call, id, before](Turn& later, const base::Status& done) {
    if (done) return later.out.reply(call, base::http::Response());
    if (const auto it = later.state.groups.find(id); it != later.state.groups.end()) it->second.enforce_role = before;
    later.out.reply(call, render(marathon::refuse(503, "The change could not be stored: " + done.error().message)));
  });
}

void delete_group(const Request& request, const PathId& id) {
  TreeChange change(request.turn, next_version(request.turn));
  if (const auto error = change.remove_group(id)) return request.refuse(*error);
  submit_group(request, change, id, 200, {});
}

}  // namespace

void answer_dry_run(const Request& request, ChangeRequest change, bool placement) {
  std::map<PathId, const App*> changed;
  std::map<PathId, const Group*> groups;
  for (const AppChange& app : change.apps) changed[app.id] = app.to.get();
  for (const GroupChange& group : change.groups) groups[group.id] = group.to ? &*group.to : nullptr;
  std::string steps;
  Writer w(steps);
  write_steps(w, plan(change.apps, [&](const PathId& app) {
    return dependencies_of(request.state(), app, changed, groups);
  }));
  // Clients of the original's dry runs of groups know the steps alone.
  if (!placement) return request.reply_json(200, "{\"steps\":" + steps + "}");
  begin_dry_run(request.turn, request.call, std::move(change.apps), std::move(steps));
}

void handle_groups(const Request& request) {
  const std::vector<std::string>& rest = request.rest;
  const std::string& method = request.http.method;
  const bool get = method == "GET" || method == "HEAD";
  if (get && !rest.empty() && rest.back() == "apps") return get_apps(request, path_of(rest, rest.size() - 1));
  if (get && !rest.empty() && rest.back() == "versions") {
    return get_versions(request, path_of(rest, rest.size() - 1));
  }
  if (get && rest.size() > 1 && rest[rest.size() - 2] == "versions") {
    return get_version(request, path_of(rest, rest.size() - 2), rest.back());
  }
  const PathId id = path_of(rest, rest.size());
  if (get) return get_group(request, id);
  if (method == "POST") return post_group(request, id);
  if (method == "PUT") return put_group(request, id);
  if (method == "PATCH") return patch_group(request, id);
  if (method == "DELETE") return delete_group(request, id);
  method_not_allowed(request, "GET, POST, PUT, PATCH, DELETE");
}

}  // namespace marathon::api
