#include "marathon/tree_change.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json/value.hpp"
#include "marathon/app_json.hpp"
#include "marathon/json_fields.hpp"
#include "marathon/pod_json.hpp"

namespace marathon {

namespace json = boost::json;

namespace {

constexpr size_t kMaxDependencies = 10'000;
constexpr size_t kMaxPorts = 1000;  // of an app: each takes a service port that no other app can have then

constexpr const char* kResidentRole =
    "It is not possible to change the role for existing reservations. If you proceed with this change, all existing instances "
    "will continue to run under the previous role, {}. Only new instances will be allocated with the new role, {}. In order to "
    "continue, retry your request with ?force=true";

/// The id that a definition gives itself; empty when it gives none.
PathId id_in(const json::object& body, std::string_view group) {
  const auto id = body.find("id");
  if (id == body.end() || !id->value().is_string()) return {};
  return resolve_path(std::string_view(id->value().get_string()), group);
}

ApiError app_missing(const PathId& id) { return refuse(404, fmt::format("App '{}' does not exist", id)); }
ApiError pod_missing(const PathId& id) { return refuse(404, fmt::format("Pod '{}' does not exist", id)); }

}  // namespace

TreeChange::~TreeChange() {
  while (!apps_.empty()) drop(PathId(apps_.begin()->first));
}

void TreeChange::put(AppChange change) {
  // Ports are taken at once, so that the next app of the same request gets others.
  if (change.to) turn_.state.service_ports.take(*change.to);
  const PathId id = change.id;
  drop(id);
  apps_.emplace(id, std::move(change));
}

void TreeChange::drop(const PathId& id) {
  const auto it = apps_.find(id);
  if (it == apps_.end()) return;
  if (it->second.to) turn_.state.service_ports.release(*it->second.to);
  apps_.erase(it);
}

AppPtr TreeChange::present(const PathId& id) const {
  const AppRun* run = find_spec(turn_.state, id);
  return run ? run->target : nullptr;
}

AppPtr TreeChange::present_app(const PathId& id) const {
  AppPtr spec = present(id);
  return spec && !spec->pod ? spec : nullptr;
}

AppPtr TreeChange::present_pod(const PathId& id) const {
  AppPtr spec = present(id);
  return spec && spec->pod ? spec : nullptr;
}

void TreeChange::ensure_group(const PathId& id) {
  for (PathId group = id; group != "/"; group = parent_of(group)) {
    const auto changed = groups_.find(group);
    if (changed != groups_.end() && changed->second.to) return;
    const auto it = turn_.state.groups.find(group);
    if (changed == groups_.end() && it != turn_.state.groups.end()) return;
    std::optional<Group> from;
    if (changed != groups_.end()) from = changed->second.from;
    const bool enforce = parent_of(group) == "/" && turn_.policy.enforce_role_of_new_groups;
    groups_[group] = {group, from, Group{group, {}, version_, enforce}};
  }
}

Group TreeChange::group_after(const PathId& id) const {
  if (const auto changed = groups_.find(id); changed != groups_.end() && changed->second.to) return *changed->second.to;
  const auto it = turn_.state.groups.find(id);
  return it != turn_.state.groups.end() ? it->second : Group{id, {}, version_};
}

RoleRules TreeChange::roles_of(const PathId& service, const App* current) const {
  const PathId group = top_level_group(service);
  const bool there = groups_.contains(group) || turn_.state.groups.contains(group);
  const bool enforced = there ? group_after(group).enforce_role : turn_.policy.enforce_role_of_new_groups;
  return role_rules(service, enforced, current, turn_.policy);
}

AppDefaults TreeChange::defaults_of(const PathId& service, const App* current) const {
  AppDefaults defaults = turn_.policy.defaults;
  if (!service.empty() && service != "/") defaults.role = roles_of(service, current).otherwise;
  return defaults;
}

std::optional<ApiError> TreeChange::set_enforce_role(const PathId& id, bool enforce) {
  Group group = group_after(id);
  if (group.enforce_role == enforce) return std::nullopt;
  if (id == "/" || parent_of(id) != "/") {
    Violations rules;
    rules.add("/enforceRole", fmt::format("enforceRole can only be set for top-level groups, and {} is not top-level", id));
    return not_valid(std::move(rules));
  }
  std::optional<Group> from;
  if (const auto it = turn_.state.groups.find(id); it != turn_.state.groups.end()) from = it->second;
  group.enforce_role = enforce;
  group.version = version_;
  groups_[id] = {id, from, group};
  return std::nullopt;
}

std::optional<ApiError> TreeChange::set_app(App app, const AppPtr& current, bool restart) {
  Violations violations;
  ValidationPolicy rules = turn_.policy.validation;
  rules.roles = roles_of(app.id, current.get()).valid;
  validate_app(app, rules, violations);
  if (current && is_resident(app) && current->role != app.role && !force_) {
    violations.add("/role", fmt::format(kResidentRole, current->role, app.role));
  }
  const AppPtr there = present(app.id);
  if (there && !there->pod != !app.pod) violations.add("/", "Applications and Pods may not share the same id");
  if (app.instances > static_cast<int64_t>(turn_.policy.max_instances_per_app)) {
    violations.add("/instances", fmt::format("must not be greater than {}", turn_.policy.max_instances_per_app));
  }
  if (port_count(app) > kMaxPorts) {
    violations.add(app.pod                  ? "/containers"
                   : uses_host_network(app) ? "/portDefinitions"
                                            : "/container/portMappings",
                   fmt::format("must not be more than {}", kMaxPorts));
  }
  if (app.dependencies.size() > kMaxDependencies) violations.add("/dependencies", "error.maxLength");
  if (current) validate_same_volumes(*current, app, violations);
  if (!violations.empty()) return not_valid(std::move(violations));
  if (!current && turn_.policy.max_apps > 0 && turn_.state.apps.size() >= turn_.policy.max_apps) {
    return refuse(403, fmt::format("the limit of {} apps is reached", turn_.policy.max_apps));
  }
  if (!finish_definition(turn_, app, current.get(), version_, restart, in_place_)) {
    return refuse(500, fmt::format("All ports in the range [{}-{}) are already in use",
                                   turn_.policy.local_port_min, turn_.policy.local_port_max));
  }
  ensure_group(parent_of(app.id));
  const PathId id = app.id;
  put({id, current, std::make_shared<const App>(std::move(app)), {}});
  return std::nullopt;
}

std::optional<ApiError> TreeChange::create_app(const json::object& body, std::string_view group) {
  App app;
  if (auto error = read_app(body, nullptr, group, defaults_of(id_in(body, group), nullptr), app)) return error;
  if (!app.id.empty() && (present_app(app.id) || apps_.contains(app.id))) {
    return refuse(409, fmt::format("An app with id [{}] already exists.", app.id));
  }
  // An app of the same id that is being removed goes on as this one.
  return set_app(std::move(app), nullptr);
}

std::optional<ApiError> TreeChange::put_app(const PathId& id, const json::object& body, bool partial,
                                            Missing missing) {
  const AppPtr current = present_app(id);
  if (!current && missing == Missing::Refuse) return app_missing(id);
  App app;
  json::object named = body;
  named["id"] = id;
  if (auto error = read_app(named, partial ? current.get() : nullptr, "/", defaults_of(id, current.get()), app)) {
    return error;
  }
  return set_app(std::move(app), current);
}

std::optional<ApiError> TreeChange::restore_app(const PathId& id, Version version) {
  const AppRun* run = find_app(turn_.state, id);
  if (!run) return app_missing(id);
  const auto it = run->versions.find(version);
  if (it == run->versions.end()) {
    return refuse(404, fmt::format("App '{}' does not exist in version {}", id, base::render_iso8601(version)));
  }
  return set_app(*it->second, run->target);
}

std::optional<ApiError> TreeChange::restart_app(const PathId& id) {
  const AppPtr current = present_app(id);
  if (!current) return app_missing(id);
  return set_app(*current, current, true);
}

std::optional<ApiError> TreeChange::scale_app(const PathId& id, int64_t instances,
                                              std::vector<InstanceId> kill_list) {
  const AppPtr current = present(id);
  if (!current) return app_missing(id);
  App app = *current;
  app.instances = instances;
  if (auto error = set_app(std::move(app), current)) return error;
  apps_[id].kill_list = std::move(kill_list);
  return std::nullopt;
}

std::optional<ApiError> TreeChange::remove_app(const PathId& id) {
  const AppPtr current = present_app(id);
  if (!current) return app_missing(id);
  put({id, current, nullptr, {}});
  return std::nullopt;
}

std::optional<ApiError> TreeChange::create_pod(const json::object& body) {
  App pod;
  if (auto error = read_pod(body, defaults_of(id_in(body, "/"), nullptr), pod)) return error;
  if (!pod.id.empty() && present_pod(pod.id)) {
    return refuse(409, fmt::format("A pod with id [{}] already exists.", pod.id));
  }
  return set_app(std::move(pod), nullptr);
}

std::optional<ApiError> TreeChange::put_pod(const PathId& id, const json::object& body) {
  App pod;
  if (auto error = read_pod(body, defaults_of(id, nullptr), pod)) return error;
  if (pod.id != id) {
    return refuse(400, fmt::format("'{}' does not match definition's id ('{}')", id, pod.id));
  }
  const AppPtr current = present_pod(id);
  if (!current) return pod_missing(id);
  return set_app(std::move(pod), current);
}

std::optional<ApiError> TreeChange::restart_pod(const PathId& id) {
  const AppPtr current = present_pod(id);
  if (!current) return pod_missing(id);
  return set_app(*current, current, true);
}

std::optional<ApiError> TreeChange::remove_pod(const PathId& id) {
  const AppPtr current = present_pod(id);
  if (!current) return pod_missing(id);
  put({id, current, nullptr, {}});
  return std::nullopt;
}

std::optional<ApiError> TreeChange::remove_group(const PathId& id) {
  if (!group_exists(turn_.state, id)) return refuse(404, fmt::format("Group '{}' does not exist", id));
  each_spec(turn_.state, id, [&](const AppRun& run) {
    put({run.target->id, run.target, nullptr, {}});
  });
  for (const auto& [group, value] : turn_.state.groups) {
    if (group == "/" || !is_within(group, id)) continue;
    groups_[group] = {group, value, std::nullopt};
  }
  return std::nullopt;
}

std::optional<ApiError> TreeChange::restore_group(const PathId& id, const Tree& tree) {
  restores_ = true;
  for (const auto& [app, definition] : tree.apps) {
    if (!is_within(app, id)) continue;
    const AppPtr current = present(app);
    if (current && current->version == definition->version) continue;
    if (auto error = set_app(*definition, current)) return error;
  }
  each_spec(turn_.state, id, [&](const AppRun& run) {
    if (!tree.apps.contains(run.target->id)) put({run.target->id, run.target, nullptr, {}});
  });
  for (const auto& [group, value] : turn_.state.groups) {
    if (group != "/" && is_within(group, id) && !tree.groups.contains(group)) {
      groups_[group] = {group, value, std::nullopt};
    }
  }
  for (const auto& [group, value] : tree.groups) {
    if (group == "/" || !is_within(group, id)) continue;
    const auto it = turn_.state.groups.find(group);
    const bool same = it != turn_.state.groups.end() && it->second.dependencies == value.dependencies &&
                      it->second.enforce_role == value.enforce_role;
    if (same) continue;
    std::optional<Group> from;
    if (it != turn_.state.groups.end()) from = it->second;
    groups_[group] = {group, from, Group{group, value.dependencies, version_, value.enforce_role}};
  }
  return std::nullopt;
}

std::optional<ApiError> TreeChange::scale_group(const PathId& id, double factor) {
  std::vector<AppPtr> members;
  each_app(turn_.state, id, [&](const AppRun& run) { members.push_back(run.target); });
  for (const AppPtr& member : members) {
    const double wanted = std::ceil(static_cast<double>(member->instances) * factor - 1e-9);
    if (!(wanted >= 0 && wanted < 1e9)) return refuse(422, "scaleBy leads to a number of instances out of range");
    if (static_cast<int64_t>(wanted) == member->instances) continue;
    if (auto error = scale_app(member->id, static_cast<int64_t>(wanted), {})) return error;
  }
  return std::nullopt;
}

std::optional<ApiError> TreeChange::add_group_apps(const PathId& group, const json::value& apps) {
  std::set<PathId> listed;
  size_t index = 0;
  for (const json::value& item : apps.get_array()) {
    const std::string prefix = fmt::format("/apps({})", index++);
    if (!item.is_object()) {
      Violations types;
      types.add(prefix, "error.expected.jsobject");
      return wrong_types(std::move(types));
    }
    App app;
    auto error = read_app(item.get_object(), nullptr, group, defaults_of(id_in(item.get_object(), group), nullptr), app);
    if (!error && (app.id.empty() || parent_of(app.id) != group)) {
      Violations rules;
      rules.add("/id", app.id.empty() ? std::string("error.path.missing")
                                      : fmt::format("Identifier is not child of '{}'", group));
      error = not_valid(std::move(rules));
    }
    if (!error) {
      const AppPtr current = present_app(app.id);
      const PathId id = app.id;
      listed.insert(id);
      error = set_app(std::move(app), current);
      // An app that is the same as before is not part of the change.
      if (!error && current && !needs_restart(*current, *apps_[id].to) &&
          current->deployment == apps_[id].to->deployment &&
          current->instances == apps_[id].to->instances) {
        drop(id);
      }
    }
    if (error) {
      Violations prefixed;
      prefixed.merge(error->details, prefix);
      error->details = std::move(prefixed);
      return error;
    }
  }
  each_app(turn_.state, group, [&](const AppRun& run) {
    const PathId& id = run.target->id;
    if (parent_of(id) == group && !listed.contains(id)) put({id, run.target, nullptr, {}});
  });
  return std::nullopt;
}

std::optional<ApiError> TreeChange::add_child_groups(const PathId& group, const json::value& groups) {
  std::set<PathId> listed;
  size_t index = 0;
  for (const json::value& item : groups.get_array()) {
    const std::string prefix = fmt::format("/groups({})", index++);
    std::string text;
    Violations types;
    if (!item.is_object()) {
      types.add(prefix, "error.expected.jsobject");
      return wrong_types(std::move(types));
    }
    if (!Fields(item.get_object(), prefix, types).get("id", text)) {
      if (types.empty()) types.add(prefix + "/id", "error.path.missing");
      return wrong_types(std::move(types));
    }
    const PathId child = resolve_path(text, group);
    if (child == "/" || parent_of(child) != group) {
      Violations rules;
      rules.add(prefix + "/id", fmt::format("Identifier is not child of '{}'", group));
      return not_valid(std::move(rules));
    }
    listed.insert(child);
    if (auto error = put_group(child, item.get_object())) {
      Violations prefixed;
      prefixed.merge(error->details, prefix);
      error->details = std::move(prefixed);
      return error;
    }
  }
  std::vector<PathId> gone;
  for (const auto& [id, value] : turn_.state.groups) {
    if (id != "/" && parent_of(id) == group && !listed.contains(id)) gone.push_back(id);
  }
  for (const PathId& id : gone) {
    if (auto error = remove_group(id)) return error;
  }
  return std::nullopt;
}

std::optional<ApiError> TreeChange::put_group(const PathId& id, const json::object& body) {
  Violations types, rules;
  const Fields fields(body, "", types);
  std::vector<std::string> dependencies;
  const bool has_dependencies = fields.get("dependencies", dependencies);
  for (const char* list : {"apps", "groups"}) {
    const json::value* value = fields.find(list);
    if (value && !value->is_array()) types.add(std::string("/") + list, "error.expected.jsarray");
  }
  if (!types.empty()) return wrong_types(std::move(types));
  if (!is_valid_path(id)) {
    rules.add("/id", fmt::format("must fully match regular expression '{}'", kIdPattern));
    return not_valid(std::move(rules));
  }
  ensure_group(id);
  bool enforce = group_after(id).enforce_role;
  fields.get("enforceRole", enforce);
  if (!types.empty()) return wrong_types(std::move(types));
  if (auto error = set_enforce_role(id, enforce)) return error;
  if (has_dependencies) {
    for (PathId& dependency : dependencies) dependency = resolve_path(dependency, id);
    std::optional<Group> from;
    if (const auto it = turn_.state.groups.find(id); it != turn_.state.groups.end()) from = it->second;
    if (!from || from->dependencies != dependencies) {
      groups_[id] = {id, from, Group{id, dependencies, version_, group_after(id).enforce_role}};
    }
  }
  if (const json::value* apps = fields.find("apps")) {
    if (auto error = add_group_apps(id, *apps)) return error;
  }
  if (const json::value* groups = fields.find("groups")) return add_child_groups(id, *groups);
  return std::nullopt;
}

bool TreeChange::creates(const PathId& id) const {
  const auto it = apps_.find(id);
  return it != apps_.end() && !it->second.from;
}

std::optional<ApiError> TreeChange::check() const {
  Violations violations;
  const auto is_group = [&](const PathId& id) {
    if (const auto it = groups_.find(id); it != groups_.end()) return it->second.to.has_value();
    return group_exists(turn_.state, id);
  };
  const auto is_app = [&](const PathId& id) {
    if (const auto it = apps_.find(id); it != apps_.end()) return it->second.to != nullptr;
    return present(id) != nullptr;
  };
  const auto clash = [&](const PathId& id) {
    const auto it = apps_.find(id);
    const AppPtr spec = it != apps_.end() ? it->second.to : present(id);
    violations.add("/", spec && spec->pod ? "Groups and Pods may not have the same identifier."
                                          : "Groups and Applications may not have the same identifier.");
  };
  bool any_dependencies = false;
  std::map<PathId, const App*> changed;
  std::map<PathId, const Group*> changed_groups;
  std::vector<PathId> roots;
  for (const auto& [id, change] : apps_) {
    changed[id] = change.to.get();
    if (!change.to) continue;
    roots.push_back(id);
    any_dependencies |= !change.to->dependencies.empty();
    if (is_group(id)) clash(id);
  }
  for (const auto& [id, change] : groups_) {
    if (change.from && change.to && change.from->enforce_role != change.to->enforce_role && !apps_.empty() && !restores_) {
      violations.add("/enforceRole",
                     "enforceRole cannot be modified in a request that adds, removes or modifies services; please make these "
                     "changes in separate requests.");
    }
    changed_groups[id] = change.to ? &*change.to : nullptr;
    any_dependencies |= change.to && !change.to->dependencies.empty();
    if (change.to && is_app(id)) clash(id);
    if (change.to && !change.to->dependencies.empty()) {
      each_app(turn_.state, id, [&](const AppRun& run) { roots.push_back(run.target->id); });
    }
  }
  if (any_dependencies) {
    const auto cycle = find_cycle(roots, [&](const PathId& app) {
      return dependencies_of(turn_.state, app, changed, changed_groups);
    });
    if (!cycle.empty()) {
      violations.add("/", fmt::format("Dependency graph has cyclic dependencies: {}", fmt::join(cycle, " -> ")));
    }
  }
  if (!violations.empty()) return not_valid(std::move(violations));
  return std::nullopt;
}

ChangeRequest TreeChange::finish() {
  ChangeRequest request;
  request.version = version_;
  for (auto& [id, change] : apps_) request.apps.push_back(change);
  for (auto& [id, change] : groups_) request.groups.push_back(change);
  return request;
}

}  // namespace marathon
