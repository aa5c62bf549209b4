#include "marathon/import/convert.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <set>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "kernel/api/mesos/v1/mesos.pb.h"
#include "marathon/app_json.hpp"
#include "marathon/errors.hpp"
#include "marathon/import/original.pb.h"
#include "marathon/pod.hpp"
#include "marathon/pod_json.hpp"
#include "marathon/records.hpp"
#include "marathon/validation.hpp"

namespace marathon::original {

namespace json = boost::json;

namespace {

constexpr const char* kVersionNode = "internal:storage:version";
constexpr const char* kMigrationNode = "migration-in-progress";

/// The pieces of "apps/3/a_b/2020-01-01T00:00:00Z".
struct Place {
  std::string category, id, version;
};

Place place_of(const std::string& path) {
  const auto pieces = base::split(path, '/');
  Place out;
  out.category = pieces[0];
  if (pieces.size() > 2) out.id = pieces[2];
  if (pieces.size() > 3) out.version = pieces[3];
  return out;
}

Version to_version(const std::string& text) { return base::parse_iso8601(text).value_or(Version()); }
Version to_version(int64_t milliseconds) { return Version(base::Duration(base::milliseconds(milliseconds))); }

base::Error corrupt(std::string why) { return base::Error{base::Code::Corrupt, std::move(why)}; }

std::string describe(const Violations& violations) {
  std::string out;
  for (const auto& [path, texts] : violations.by_path()) {
    if (!out.empty()) out += ", ";
    out += fmt::format("{}: {}", path, fmt::join(texts, "; "));
  }
  return out;
}

std::string count_of(size_t number, const char* noun) { return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s"); }

class Conversion {
 public:
  Conversion(const Nodes& nodes, const std::string& role) : nodes_(nodes), role_(role) {}

  base::Result<Import> run() {
    RETURN_IF_ERROR(check_layout());
    Group root;
    bool found = false;
    for (const auto& [path, data] : nodes_) {
      const Place place = place_of(path);
      if (data.empty() || place.id.empty()) continue;
      if (place.category == "apps") {
        add_app_definition(place, path, data);
      } else if (place.category == "pods") {
        add_pod_definition(place, path, data);
      } else if (place.category == "group" && place.id == "root" && place.version.empty()) {
        if (!root.ParsePartialFromString(data)) return corrupt("the root group does not decode");
        found = true;
      } else if (place.category == "framework-id") {
        FrameworkId id;
        if (id.ParsePartialFromString(data) && !id.value().empty()) put(kFrameworkIdKey, id.value());
      }
    }
    if (!found) return base::not_found("there is no root group at that path: is it the one that --zk of Marathon named?");
    add_group(root);
    RETURN_IF_ERROR(add_instances());
    add_failures_and_deployments();
    tell_of_losses();
    if (import_.instances + import_.reservations > 0 && !records_.contains(kFrameworkIdKey)) {
      return corrupt("there are tasks but no framework id: another framework could not take them over");
    }
    put(kSchemaKey, std::string(kSchemaVersion));
    import_.records.assign(records_.begin(), records_.end());
    return std::move(import_);
  }

 private:
  base::Status check_layout() const {
    const auto node = nodes_.find(kVersionNode);
    if (node == nodes_.end()) return base::not_found("there is no state of Marathon 1.5 or later at that path");
    StoreEntry entry;
    StorageVersion version;
    if (!entry.ParsePartialFromString(node->second) || !version.ParsePartialFromString(entry.value())) {
      return corrupt("the version of the state does not decode");
    }
    const std::string text = fmt::format("{}.{}.{}", version.major(), version.minor(), version.patch());
    const auto number = std::tuple(version.major(), version.minor(), version.patch());
    if (version.format() != 1 || number < std::tuple(1U, 5U, 0U)) {
      return base::unsupported(fmt::format("the state is of version {}, known are 1.5.0 to 110.100.0 (Marathon 1.5 to 1.11): "
                                           "let a Marathon 1.5 or 1.6 run on it once, which rewrites it", text));
    }
    if (number > std::tuple(110U, 100U, 0U)) {
      return base::unsupported(fmt::format("the state is of version {}, newer than 110.100.0, that of Marathon 1.11", text));
    }
    if (nodes_.contains(kMigrationNode)) {
      return base::conflict("a Marathon began to rewrite the state for a newer release and did not finish: start that release "
                            "again, and stop it when it has");
    }
    return {};
  }

  void put(std::string key, std::string value) { records_[std::move(key)] = std::move(value); }

  /// As it is stored; it becomes one of ours when it is asked for.
  struct Source {
    json::object body;
    bool pod = false;
    Version last_scaling_at, last_config_change_at;
  };

  void add_app_definition(const Place& place, const std::string& path, const std::string& data) {
    ServiceDefinition service;
    if (!service.ParsePartialFromString(data) || service.id().empty()) return undecodable(path);
    if (service.version().empty()) service.set_version(place.version);
    const Version version = to_version(service.version());
    Source source{definition_of(service, role_), false, version, version};
    if (service.has_last_scaling_at()) source.last_scaling_at = to_version(service.last_scaling_at());
    if (service.has_last_config_change_at()) source.last_config_change_at = to_version(service.last_config_change_at());
    sources_[service.id()][version] = std::move(source);
  }

  void add_pod_definition(const Place& place, const std::string& path, const std::string& data) {
    auto value = base::json::parse(data);
    if (!value || !value->is_object()) return undecodable(path);
    const std::string id = base::json::get_string(*value, "/id").value_or("");
    std::string text = base::json::get_string(*value, "/version").value_or("");
    if (text.empty()) text = place.version;
    if (id.empty()) return undecodable(path);
    const Version version = to_version(text);
    json::object& body = value->get_object();
    if (!body.contains("role")) body["role"] = role_;
    sources_[id][version] = Source{std::move(body), true, version, version};
  }

  void undecodable(const std::string& path) {
    import_.left_out.push_back(fmt::format("the definition at {}: it does not decode", path));
  }

  /// What the original's definition is here; the error says why it cannot be.
  base::Result<App> convert(const Source& source, Version version) const {
    AppDefaults defaults;
    defaults.role = role_;
    App app;
    const auto error = source.pod ? read_pod(source.body, defaults, app) : read_app(source.body, nullptr, "/", defaults, app);
    if (error) return base::invalid(fmt::format("{} ({})", error->message, describe(error->details)));
    ValidationPolicy policy;
    policy.role = app.role;
    policy.gpu_resources = policy.secrets = true;
    Violations violations;
    validate_app(app, policy, violations);
    if (!violations.empty()) return base::invalid(describe(violations));
    app.version = version;
    app.last_scaling_at = source.last_scaling_at;
    app.last_config_change_at = source.last_config_change_at;
    return app;
  }

  void add_group(const Group& group) {
    marathon::Group out{path_of_safe_id(group.id()), {}, to_version(group.version())};
    for (const std::string& dependency : group.dependencies()) out.dependencies.push_back(path_of_safe_id(dependency));
    out.enforce_role = group.enforce_role();
    ++import_.groups;
    put(group_key(out.id), encode_group(out));
    for (const Reference& reference : group.apps()) add_member("app", reference);
    for (const Reference& reference : group.pods()) add_member("pod", reference);
    for (const Group& child : group.groups()) add_group(child);
  }

  void add_member(const std::string& kind, const Reference& reference) {
    const PathId id = path_of_safe_id(reference.id());
    const auto versions = sources_.find(id);
    const Version present = to_version(reference.version());
    if (versions == sources_.end() || !versions->second.contains(present)) {
      untaken_[id] = fmt::format("{} {}: its definition of {} is missing", kind, id, reference.version());
      return;
    }
    const Source& source = versions->second.at(present);
    const auto app = convert(source, present);
    if (!app) {
      untaken_[id] = fmt::format("{} {}: {}", kind, id, app.error().message);
      return;
    }
    if (!app->secrets.empty()) {
      import_.left_out.push_back(fmt::format("{} {}: it uses secrets: start with --enable_features=secrets, and agents with the "
                                             "sources in their --secret_dir", kind, id));
    }
    ++(source.pod ? import_.pods : import_.apps);
    put(current_key(id), base::render_iso8601(present));
    keep(*app);
    for (const auto& [version, old] : versions->second) {
      if (version == present) continue;
      if (const auto former = convert(old, version)) {
        ++import_.versions;
        keep(*former);
      } else {
        import_.left_out.push_back(fmt::format("version {} of {} {}: {}", base::render_iso8601(version), kind, id,
                                               former.error().message));
      }
    }
    in_force_[id] = present;
  }

  void keep(const App& app) {
    put(app_key(app.id, app.version), app.pod ? render_stored_pod(app) : render_app(app));
    definitions_[app.id][app.version] = app;
  }

  base::Status add_instances() {
    for (const auto& [path, data] : nodes_) {
      const Place place = place_of(path);
      if (place.category != "instance" || place.id.empty() || data.empty()) continue;
      RETURN_IF_ERROR(add_instance(place.id, data));
    }
    return {};
  }

  base::Status add_instance(const std::string& id, const std::string& data) {
    const auto lose = [&](const std::string& why) {
      import_.lost.push_back(fmt::format("instance {}: {}", id, why));
      return base::Status();
    };
    const auto value = base::json::parse(data);
    if (!value || !value->is_object()) return lose("it is not JSON");
    const auto owner = owner_of(id);
    const auto definitions = owner ? definitions_.find(*owner) : definitions_.end();
    const bool known = definitions != definitions_.end();
    auto taken = instance_of(value->get_object(), known ? definitions->second : Definitions(), role_);
    // What cannot be read may hold a reservation as well.
    const bool reserved = taken ? *taken && (*taken)->reservation : data.find("\"reservation\":{") != std::string::npos;
    if (reserved && (!taken || !known)) {
      return base::unsupported(fmt::format(
          "instance {} has a reservation and cannot be taken over ({}): its volumes would be given back, with their data. Put "
          "that right in Marathon first, or remove the app there", id,
          !taken ? taken.error().message : owner ? why_untaken(*owner) : "its app is not known"));
    }
    if (!taken) return lose(taken.error().message);
    if (!*taken) return {};
    if (!known) {
      ++untaken_tasks_[*owner];
      return {};
    }
    Instance& instance = **taken;
    if (instance.reservation) ++import_.reservations;
    if (!instance.task_id.empty()) {
      ++import_.instances;
      const App& target = definitions->second.at(in_force_.at(instance.app));
      const auto own = definitions->second.find(instance.version);
      if (own == definitions->second.end() || needs_restart(own->second, target)) ++outdated_[instance.app];
    }
    put(instance_key(instance.id), encode_instance(instance));
    return {};
  }

  std::string why_untaken(const PathId& id) const {
    const auto found = untaken_.find(id);
    return found == untaken_.end() ? "there is no app of that name" : found->second;
  }

  void add_failures_and_deployments() {
    for (const auto& [path, data] : nodes_) {
      const Place place = place_of(path);
      if (place.id.empty() || data.empty() || !place.version.empty()) continue;
      if (place.category == "taskFailures") add_failure(data);
      if (place.category == "deployment") {
        import_.left_out.push_back(fmt::format("deployment {} under way: its target is in force, what it had still to do is not "
                                               "done", place.id));
      }
    }
    for (const auto& [id, count] : outdated_) {
      import_.left_out.push_back(fmt::format("{}: {} an older definition than the one in force; a restart of it replaces them",
                                             id, count == 1 ? "1 task runs" : fmt::format("{} tasks run", count)));
    }
  }

  void add_failure(const std::string& data) {
    original::TaskFailure stored;
    if (!stored.ParsePartialFromString(data) || !definitions_.contains(stored.app_id())) return;
    marathon::TaskFailure failure;
    failure.app = stored.app_id();
    failure.host = stored.host();
    failure.message = stored.message();
    failure.task_id = stored.task_id().value();
    failure.agent_id = stored.agent_id().value();
    failure.version = to_version(stored.version());
    failure.timestamp = to_version(stored.timestamp());
    const int state = static_cast<int>(stored.state());
    if (mesos::v1::TaskState_IsValid(state)) failure.state = mesos::v1::TaskState_Name(static_cast<mesos::v1::TaskState>(state));
    put(failure_key(failure.app), encode_failure(failure));
  }

  void tell_of_losses() {
    for (const auto& [id, why] : untaken_) {
      const auto tasks = untaken_tasks_.find(id);
      const size_t count = tasks == untaken_tasks_.end() ? 0 : tasks->second;
      import_.lost.push_back(fmt::format("{}; it has {}", why, count_of(count, "task")));
    }
    for (const auto& [id, count] : untaken_tasks_) {
      if (untaken_.contains(id)) continue;
      import_.left_out.push_back(fmt::format("{} of {}, which does not exist any more", count_of(count, "task"), id));
    }
  }

  const Nodes& nodes_;
  const std::string role_;
  Import import_{};
  std::map<std::string, std::string> records_{};
  std::map<PathId, std::map<Version, Source>> sources_{};
  std::map<PathId, Definitions> definitions_{};
  std::map<PathId, Version> in_force_{};
  std::map<PathId, std::string> untaken_{};  // and why
  std::map<PathId, size_t> untaken_tasks_{}, outdated_{};
};

}  // namespace

base::Result<Import> convert(const Nodes& nodes, const std::string& role) { return Conversion(nodes, role).run(); }

}  // namespace marathon::original
