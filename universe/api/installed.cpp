// Endpoints that change or read what is installed: install, list, uninstall, and the description and update of one
// service. Marathon holds the truth; the labels of its apps tell which package they are of.

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <memory>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "universe/api/api.hpp"
#include "universe/render.hpp"
#include "universe/resolve.hpp"
#include "universe/schema.hpp"

namespace universe {
namespace {

namespace json = boost::json;

constexpr std::string_view kDefinitionFields[] = {
    "packagingVersion", "name", "version", "maintainer", "description", "tags", "selected", "scm", "website",
    "framework", "preInstallNotes", "postInstallNotes", "postUninstallNotes", "licenses"};

std::string text_of(const json::value& value, std::string_view pointer) {
  const json::value* found = base::json::find(value, pointer);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
}

std::string app_path(const std::string& id) {
  std::string path = "/v2/apps";
  for (std::string_view part : base::tokenize(id, '/')) path += "/" + base::percent_encode(part);
  return path;
}

Refusal bad_answer(const std::string& what) {
  return {.status = 502, .type = "MarathonBadGateway", .message = "Marathon's answer does not read: " + what};
}

/// Asks for the apps that packages made, or for those of one package.
void with_apps(Turn& turn, const Caller& caller, const std::optional<std::string>& package,
               std::function<void(Turn&, json::array)> then) {
  const std::string selector = package ? std::string(kNameLabel) + "==" + *package : std::string(kNameLabel);
  ask(turn, caller, Upstream::Marathon, "GET", "/v2/apps?label=" + base::percent_encode(selector), "",
      [caller, package, then = std::move(then)](Turn& later, const base::http::Response& response) {
        if (response.status != 200) return refuse(later, caller, marathon_said(response.status, response.body));
        auto body = base::json::parse(response.body);
        json::value* apps = body && body->is_object() ? body->get_object().if_contains("apps") : nullptr;
        if (apps == nullptr || !apps->is_array()) return refuse(later, caller, bad_answer("no list of apps"));
        json::array mine;
        for (json::value& app : apps->get_array()) {
          const std::string name = label_of(app, kNameLabel);
          if (!name.empty() && (!package || name == *package)) mine.push_back(std::move(app));
        }
        then(later, std::move(mine));
      });
}

/// Asks for one app.
void with_app(Turn& turn, const Caller& caller, const std::string& id, std::function<void(Turn&, json::value)> then) {
  ask(turn, caller, Upstream::Marathon, "GET", app_path(id), "",
      [caller, id, then = std::move(then)](Turn& later, const base::http::Response& response) {
        if (response.status == 404) return refuse(later, caller, app_not_found(id));
        if (response.status != 200) return refuse(later, caller, marathon_said(response.status, response.body));
        auto body = base::json::parse(response.body);
        json::value* app = body && body->is_object() ? body->get_object().if_contains("app") : nullptr;
        if (app == nullptr) return refuse(later, caller, bad_answer("no app"));
        then(later, std::move(*app));
      });
}

json::value information(json::value package, const std::string& origin) {
  json::object& object = package.get_object();
  json::object definition;
  for (std::string_view name : kDefinitionFields) {
    if (json::value* value = object.if_contains(name); value != nullptr && !value->is_null()) {
      definition[name] = std::move(*value);
    }
  }
  if (!definition.contains("framework")) definition["framework"] = false;
  json::object out{{"packageDefinition", std::move(definition)}};
  if (json::value* resource = object.if_contains("resource"); resource != nullptr && resource->is_object()) {
    rewrite_links(*resource, origin);
    json::object kept;
    for (const char* part : {"assets", "images"}) {
      if (json::value* value = resource->get_object().if_contains(part)) kept[part] = std::move(*value);
    }
    out["resourceDefinition"] = std::move(kept);
  }
  return out;
}

void installed_answer(Turn& turn, const Caller& caller, const Package& package, const std::string& app_id) {
  json::object out{{"packageName", package.name}, {"packageVersion", package.version}};
  if (!app_id.empty()) out["appId"] = app_id;
  if (caller.version == 2) {
    const auto document = base::json::parse(package.document);
    if (const std::string notes = text_of(*document, "/postInstallNotes"); !notes.empty()) {
      out["postInstallNotes"] = notes;
    }
    if (const json::value* cli = base::json::find(*document, "/resource/cli")) {
      json::value resource{{"cli", *cli}};
      rewrite_links(resource, caller.origin);
      out["cli"] = std::move(resource.get_object()["cli"]);
    }
  }
  answer(turn, caller, std::move(out));
}

/// One uninstall: apps one after the other, each with its framework.
struct Uninstall {
  Caller caller;
  std::string package;
  json::array apps;
  size_t next = 0;
  json::array results;
};

void uninstall_next(Turn& turn, const std::shared_ptr<Uninstall>& work);

void uninstalled(Turn& turn, const std::shared_ptr<Uninstall>& work) {
  const json::value& app = work->apps[work->next++];
  json::object row{{"packageName", work->package}, {"appId", text_of(app, "/id")}};
  if (const std::string version = label_of(app, kVersionLabel); !version.empty()) row["packageVersion"] = version;
  if (auto package = decode_definition(label_of(app, kDefinitionLabel))) {
    if (const std::string notes = text_of(*package, "/postUninstallNotes"); !notes.empty()) {
      row["postUninstallNotes"] = notes;
    }
  }
  work->results.push_back(std::move(row));
  uninstall_next(turn, work);
}

/// The ids of active frameworks of that name.
std::vector<std::string> framework_ids(const json::value& answer, const std::string& name) {
  std::vector<std::string> ids;
  const json::value* frameworks = base::json::find(answer, "/frameworks");
  if (frameworks == nullptr || !frameworks->is_array()) return ids;
  for (const json::value& framework : frameworks->get_array()) {
    const json::value* active = base::json::find(framework, "/active");
    const bool is_active = active == nullptr || !active->is_bool() || active->get_bool();
    if (is_active && text_of(framework, "/name") == name) ids.push_back(text_of(framework, "/id"));
  }
  return ids;
}

void tear_down(Turn& turn, const std::shared_ptr<Uninstall>& work, const std::string& framework) {
  // A master that does not answer leaves the app gone and the framework there: the caller is told so.
  ask(turn, work->caller, Upstream::Master, "GET", "/frameworks", "",
      [work, framework](Turn& later, const base::http::Response& response) {
        const auto body = base::json::parse(response.body);
        if (response.status != 200 || !body) return refuse(later, work->caller, incomplete_uninstall(work->package));
        const auto ids = framework_ids(*body, framework);
        if (ids.empty()) return uninstalled(later, work);
        if (ids.size() > 1) {
          const std::string version = label_of(work->apps[work->next], kVersionLabel);
          return refuse(later, work->caller, several_frameworks(work->package, version, framework, ids));
        }
        ask(later, work->caller, Upstream::Master, "POST", "/teardown", "frameworkId=" + base::percent_encode(ids[0]),
            [work](Turn& last, const base::http::Response& done) {
              if (done.status != 200) return refuse(last, work->caller, incomplete_uninstall(work->package));
              uninstalled(last, work);
            });
      });
}

void uninstall_next(Turn& turn, const std::shared_ptr<Uninstall>& work) {
  if (work->next == work->apps.size()) return answer(turn, work->caller, {{"results", work->results}});
  const json::value& app = work->apps[work->next];
  const std::string id = text_of(app, "/id");
  if (!label_of(app, kUninstallLabel).empty()) {
    return refuse(turn, work->caller,
                  {.type = "FailedToStartUninstall",
                   .message = fmt::format("Failed to start an uninstall for the service '{}': it carries the label {}, "
                                          "an uninstall by the service itself, which is not supported; remove the app "
                                          "and shut its framework down by hand",
                                          id, kUninstallLabel),
                   .data = base::json::render(json::object{{"appId", id}})});
  }
  ask(turn, work->caller, Upstream::Marathon, "DELETE", app_path(id) + "?force=true", "",
      [work, id](Turn& later, const base::http::Response& response) {
        if (response.status == 401 || response.status == 403) {
          return refuse(later, work->caller, marathon_said(response.status, response.body));
        }
        // 404: somebody else was faster.
        if (response.status != 200 && response.status != 404) return refuse(later, work->caller, app_delete_error(id));
        const std::string framework = label_of(work->apps[work->next], kFrameworkLabel);
        framework.empty() ? uninstalled(later, work) : tear_down(later, work, framework);
      });
}

/// What a service is made of, by its labels.
struct Installed {
  json::value document;                 // of the package
  std::optional<json::object> options;  // as the user gave them
  std::string uri;
};

Tried<Installed> installed_of(const json::value& app, const std::string& id) {
  Installed out;
  auto document = decode_definition(label_of(app, kDefinitionLabel));
  if (!document) return app_not_found(id);
  out.document = std::move(*document);
  if (auto options = decode_options(label_of(app, kOptionsLabel))) out.options = std::move(*options);
  out.uri = label_of(app, kSourceLabel);
  return out;
}

/// The stored package as one that can be rendered.
Tried<Package> package_of(const Installed& installed) {
  json::value document = installed.document;
  if (!document.get_object().contains("releaseVersion")) document.get_object()["releaseVersion"] = 0;
  auto package = read_package(document);
  if (!package) return json_decoding_error("PackageDefinition", package.error().message, "");
  return std::move(*package);
}

struct UpdateRequest {
  std::string app_id;
  std::optional<std::string> version;
  std::optional<json::object> options;
  bool replace = false;
};

/// The version to go to: the one that is there, or one that it may be changed to.
Tried<Catalog::Entry> update_target(const State& state, const Installed& installed, const UpdateRequest& request) {
  auto current = package_of(installed);
  if (!current) return current.refusal();
  if (!request.version || *request.version == current->version) {
    return Catalog::Entry{std::make_shared<const Package>(std::move(*current)), installed.uri, 0, ""};
  }
  const auto entry = find_package(*state.catalog, current->name, request.version);
  if (!entry) return entry.refusal();
  const auto ups = upgrades_to(*state.catalog, *current), downs = downgrades_to(*state.catalog, *current);
  const auto has = [&](const std::vector<std::string>& list) {
    return std::find(list.begin(), list.end(), *request.version) != list.end();
  };
  if (!has(ups) && !has(downs)) return upgrade_not_possible(*request.version, current->version);
  return **entry;
}

/// The id that the template gave to the app when it was installed. An app that was installed under another one keeps
/// that; new options must not move it.
std::string first_id(const Installed& installed) {
  const auto package = package_of(installed);
  if (!package || !installed.options) return "";
  const auto app = render_app(*package, installed.uri, *installed.options, std::nullopt);
  return app ? absolute_app_id(text_of(*app, "/id")) : "";
}

void put_update(Turn& turn, const Caller& caller, const UpdateRequest& request, const Installed& installed) {
  const auto target = update_target(turn.state, installed, request);
  if (!target) return refuse(turn, caller, target.refusal());
  json::object options;
  if (!request.replace) {
    if (!installed.options) return refuse(turn, caller, options_not_stored());
    options = *installed.options;
  }
  if (request.options) merge_into(options, *request.options);
  const Package& package = *target->package;
  auto app = render_app(package, target->uri, options, std::nullopt);
  if (!app) return refuse(turn, caller, app.refusal());
  const std::string rendered = absolute_app_id(text_of(*app, "/id"));
  if (rendered != request.app_id && rendered != first_id(installed)) {
    return refuse(turn, caller, app_id_changed(rendered, request.app_id));
  }
  (*app)["id"] = request.app_id;
  auto resolved = resolve_options(package, options);
  if (!resolved) return refuse(turn, caller, resolved.refusal());
  ask(turn, caller, Upstream::Marathon, "PUT", app_path(request.app_id) + "?force=true&partialUpdate=false",
      base::json::render(*app),
      [caller, target = *target, resolved = *resolved](Turn& later, const base::http::Response& response) {
        const auto body = base::json::parse(response.body);
        if (response.status != 200 && response.status != 201) {
          return refuse(later, caller, marathon_said(response.status, response.body));
        }
        auto document = base::json::parse(target.package->document);
        if (json::value* resource = document->get_object().if_contains("resource")) {
          rewrite_links(*resource, caller.origin);
        }
        answer(later, caller, {{"package", std::move(*document)},
                               {"resolvedOptions", resolved},
                               {"marathonDeploymentId", body ? text_of(*body, "/deploymentId") : ""}});
      });
}

}  // namespace

void install_package(Turn& turn, const Caller& caller, const json::object& fields) {
  Body body(fields);
  const std::string name = body.text("packageName");
  const auto version = body.maybe_text("packageVersion");
  const auto app_id = body.maybe_app_id("appId");
  const auto manager = body.maybe_text("managerId");
  const json::object* options = body.maybe_object("options");
  if (auto problem = body.problem()) return refuse(turn, caller, *problem);
  const auto found = find_package(*turn.state.catalog, name, version);
  if (!found) return refuse(turn, caller, found.refusal());
  const Catalog::Entry entry = **found;
  const std::string wanted_manager = manager.value_or(entry.package->manager);
  if (!wanted_manager.empty()) return refuse(turn, caller, manager_not_found(wanted_manager));
  if (!entry.package->has_app) {
    if (caller.version == 1) return refuse(turn, caller, no_template(name, entry.package->version));
    return installed_answer(turn, caller, *entry.package, "");
  }
  const auto app = render_app(*entry.package, entry.uri, options ? *options : json::object(), app_id);
  if (!app) return refuse(turn, caller, app.refusal());
  turn.count("installs");
  ask(turn, caller, Upstream::Marathon, "POST", "/v2/apps", base::json::render(*app),
      [caller, entry, id = text_of(*app, "/id")](Turn& later, const base::http::Response& response) {
        if (response.status == 409) return refuse(later, caller, already_installed());
        if (response.status != 200 && response.status != 201) {
          return refuse(later, caller, marathon_said(response.status, response.body));
        }
        const auto created = base::json::parse(response.body);
        const std::string real = created ? text_of(*created, "/id") : "";
        installed_answer(later, caller, *entry.package, real.empty() ? absolute_app_id(id) : real);
      });
}

void list_installed(Turn& turn, const Caller& caller, const json::object& fields) {
  Body body(fields);
  const auto name = body.maybe_text("packageName");
  const auto app_id = body.maybe_app_id("appId");
  if (auto problem = body.problem()) return refuse(turn, caller, *problem);
  with_apps(turn, caller, name, [caller, app_id](Turn& later, json::array apps) {
    struct Row {
      std::string name, id;
      json::value information;
    };
    std::vector<Row> rows;
    for (const json::value& app : apps) {
      const std::string id = text_of(app, "/id"), label = label_of(app, kDefinitionLabel);
      if (label.empty() || (app_id && *app_id != id)) continue;
      auto package = decode_definition(label);
      if (!package) {
        later.count("labels_set_aside");
        later.out.trace(TraceLevel::Warning, fmt::format("app {}: its label {} does not read: {}", id, kDefinitionLabel,
                                                         package.error().message));
        continue;
      }
      rows.push_back({label_of(app, kNameLabel), id, information(std::move(*package), caller.origin)});
    }
    std::sort(rows.begin(), rows.end(),
              [](const Row& a, const Row& b) { return std::tie(a.name, a.id) < std::tie(b.name, b.id); });
    json::array list;
    for (Row& row : rows) list.push_back({{"appId", row.id}, {"packageInformation", std::move(row.information)}});
    answer(later, caller, {{"packages", std::move(list)}});
  });
}

void uninstall_package(Turn& turn, const Caller& caller, const json::object& fields) {
  Body body(fields);
  const std::string name = body.text("packageName");
  const auto app_id = body.maybe_app_id("appId");
  const bool all = body.maybe_flag("all").value_or(false);
  const auto manager = body.maybe_text("managerId");
  if (auto problem = body.problem()) return refuse(turn, caller, *problem);
  if (manager && !manager->empty()) return refuse(turn, caller, manager_not_found(*manager));
  with_apps(turn, caller, name, [caller, name, app_id, all](Turn& later, json::array apps) {
    auto work = std::make_shared<Uninstall>(Uninstall{caller, name, {}, 0, {}});
    std::vector<std::string> ids;
    for (json::value& app : apps) {
      const std::string id = text_of(app, "/id");
      if (app_id && *app_id != id) continue;
      ids.push_back(id);
      work->apps.push_back(std::move(app));
    }
    if (ids.empty()) {
      return refuse(later, caller, app_id ? app_not_of_package(name, *app_id) : not_installed(name));
    }
    std::sort(ids.begin(), ids.end());
    if (ids.size() > 1 && !all) return refuse(later, caller, ambiguous_app(name, ids));
    later.count("uninstalls");
    uninstall_next(later, work);
  });
}

void describe_service(Turn& turn, const Caller& caller, const json::object& fields) {
  Body body(fields);
  const std::string id = absolute_app_id(body.text("appId"));
  if (auto problem = body.problem()) return refuse(turn, caller, *problem);
  with_app(turn, caller, id, [caller, id](Turn& later, json::value app) {
    auto installed = installed_of(app, id);
    if (!installed) return refuse(later, caller, installed.refusal());
    const auto package = package_of(*installed);
    if (!package) return refuse(later, caller, package.refusal());
    json::object out;
    out["upgradesTo"] = json::value_from(upgrades_to(*later.state.catalog, *package));
    out["downgradesTo"] = json::value_from(downgrades_to(*later.state.catalog, *package));
    if (installed->options) {
      json::object resolved;
      if (const json::value* schema = base::json::find(installed->document, "/config")) resolved = defaults_of(*schema);
      merge_into(resolved, *installed->options);
      out["resolvedOptions"] = std::move(resolved);
      out["userProvidedOptions"] = *installed->options;
    }
    if (json::value* resource = installed->document.get_object().if_contains("resource")) {
      rewrite_links(*resource, caller.origin);
    }
    out["package"] = std::move(installed->document);
    answer(later, caller, std::move(out));
  });
}

void update_service(Turn& turn, const Caller& caller, const json::object& fields) {
  Body body(fields);
  UpdateRequest request;
  request.app_id = absolute_app_id(body.text("appId"));
  request.version = body.maybe_text("packageVersion");
  request.replace = body.flag("replace");
  if (const json::object* options = body.maybe_object("options")) request.options = *options;
  const auto manager = body.maybe_text("managerId");
  if (auto problem = body.problem()) return refuse(turn, caller, *problem);
  if (manager && !manager->empty()) return refuse(turn, caller, manager_not_found(*manager));
  with_app(turn, caller, request.app_id, [caller, request](Turn& later, const json::value& app) {
    const auto installed = installed_of(app, request.app_id);
    if (!installed) return refuse(later, caller, installed.refusal());
    put_update(later, caller, request, *installed);
  });
}

}  // namespace universe
