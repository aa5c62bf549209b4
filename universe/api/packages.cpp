// Endpoints that read packages: describe, search, list-versions, render.

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "universe/api/api.hpp"
#include "universe/render.hpp"
#include "universe/resolve.hpp"

namespace universe {
namespace {

namespace json = boost::json;

constexpr std::string_view kV2Fields[] = {
    "packagingVersion", "name", "version", "maintainer", "description", "tags", "selected", "scm", "website",
    "framework", "preInstallNotes", "postInstallNotes", "postUninstallNotes", "licenses", "minDcosReleaseVersion",
    "marathon", "resource", "config", "command"};

/// Which package a body names: packageName, packageVersion.
Tried<const Catalog::Entry*> named_package(Turn& turn, Body& body) {
  const std::string name = body.text("packageName");
  const auto version = body.maybe_text("packageVersion");
  if (auto problem = body.problem()) return *problem;
  return find_package(*turn.state.catalog, name, version);
}

}  // namespace

void describe_package(Turn& turn, const Caller& caller, const json::object& fields) {
  Body body(fields);
  const auto entry = named_package(turn, body);
  if (!entry) return refuse(turn, caller, entry.refusal());
  const Package& package = *(*entry)->package;
  auto document = base::json::parse(package.document);
  if (!document) return refuse(turn, caller, json_parsing_error(document.error().message, ""));
  json::object& object = document->get_object();
  if (json::value* resource = object.if_contains("resource")) rewrite_links(*resource, caller.origin);
  if (caller.version == 3) return answer(turn, caller, {{"package", std::move(*document)}});
  if (package.names_upgrades || package.format == 5) return refuse(turn, caller, no_v2_description());
  json::object out;
  for (std::string_view name : kV2Fields) {
    if (json::value* value = object.if_contains(name)) out[name] = std::move(*value);
  }
  answer(turn, caller, std::move(out));
}

void search_packages(Turn& turn, const Caller& caller, const json::object& fields) {
  Body body(fields);
  const auto query = body.maybe_text("query");
  if (auto problem = body.problem()) return refuse(turn, caller, *problem);
  json::array list;
  for (Found entries : search(*turn.state.catalog, query)) {
    const Package& best = *entries->front().package;
    json::object versions;
    for (const Catalog::Entry& entry : *entries) versions[entry.package->version] = entry.package->release;
    json::object row{{"name", best.name},
                     {"currentVersion", best.version},
                     {"versions", std::move(versions)},
                     {"description", best.description},
                     {"framework", best.framework},
                     {"tags", json::value_from(best.tags)},
                     {"selected", best.selected}};
    if (!best.images.empty()) {
      auto images = base::json::parse(best.images);
      json::value resource{{"images", images ? std::move(*images) : json::value(json::object())}};
      rewrite_links(resource, caller.origin);
      row["images"] = std::move(resource.get_object()["images"]);
    }
    list.push_back(std::move(row));
  }
  answer(turn, caller, {{"packages", std::move(list)}});
}

void list_versions(Turn& turn, const Caller& caller, const json::object& fields) {
  Body body(fields);
  const std::string name = body.text("packageName");
  body.flag("includePackageVersions");
  if (auto problem = body.problem()) return refuse(turn, caller, *problem);
  const auto* entries = turn.state.catalog->versions(name);
  if (entries == nullptr) return refuse(turn, caller, package_not_found(name));
  json::object results;
  for (const Catalog::Entry& entry : *entries) {
    results[entry.package->version] = std::to_string(entry.package->release);
  }
  answer(turn, caller, {{"results", std::move(results)}});
}

void render_package(Turn& turn, const Caller& caller, const json::object& fields) {
  Body body(fields);
  const auto app_id = body.maybe_app_id("appId");
  const json::object* options = body.maybe_object("options");
  const auto entry = named_package(turn, body);
  if (!entry) return refuse(turn, caller, entry.refusal());
  auto app = render_app(*(*entry)->package, (*entry)->uri, options ? *options : json::object(), app_id);
  if (!app) return refuse(turn, caller, app.refusal());
  answer(turn, caller, {{"marathonJson", std::move(*app)}});
}

}  // namespace universe
