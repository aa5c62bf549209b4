#include "universe/errors.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "universe/media_types.hpp"

namespace universe {
namespace {

constexpr size_t kMaxEcho = 64 << 10;  // of an input that is quoted back

using base::json::Writer;

/// {"a":"b",...} from what `fill` writes.
template <class Fill>
std::string object(const Fill& fill) {
  std::string text;
  Writer w(text);
  w.begin_object();
  fill(w);
  w.end_object();
  return text;
}

void strings(Writer& w, std::string_view key, const std::vector<std::string>& list) {
  w.key(key);
  w.begin_array();
  for (const std::string& item : list) w.value(item);
  w.end_array();
}

std::string named(std::string_view key, const std::string& value) {
  return object([&](Writer& w) { w.field(key, value); });
}

void write(Writer& w, const Refusal& refusal) {
  w.begin_object();
  w.field("type", refusal.type);
  w.field("message", refusal.message);
  if (!refusal.data.empty()) {
    w.key("data");
    w.raw(refusal.data);
  }
  w.end_object();
}

std::string repository_data(const std::string& name, const std::string& uri, const std::string& cause) {
  return object([&](Writer& w) {
    w.key("repository");
    w.begin_object();
    w.field("name", name);
    w.field("uri", uri);
    w.end_object();
    w.field("cause", cause);
  });
}

std::string name_and_uri(const std::string* name, const std::string* uri) {
  return object([&](Writer& w) {
    if (name) w.field("name", *name);
    if (uri) w.field("uri", *uri);
  });
}

}  // namespace

base::http::Response render(const Refusal& refusal) {
  std::string body;
  Writer w(body);
  write(w, refusal);
  auto response = base::http::Response::json(refusal.status, std::move(body));
  response.headers.set("Content-Type", std::string(kErrorType));
  if (!refusal.authenticate.empty()) response.headers.set("WWW-Authenticate", refusal.authenticate);
  return response;
}

Refusal not_present(std::string_view item) {
  return {.type = "not_present", .message = fmt::format("Item {} not present but required", item)};
}

Refusal not_valid(std::string_view item, std::string_view rule) {
  return {.type = "not_valid", .message = fmt::format("Item {} deemed invalid by rule: {}", item, rule)};
}

Refusal not_parsed(std::string_view item, std::string_view cause) {
  return {.type = "not_parsed", .message = fmt::format("Item '{}' unable to be parsed: {}", item, cause)};
}

Refusal one_or_all(std::vector<Refusal> refusals) {
  if (refusals.size() == 1) return refusals.front();
  Refusal out{.type = "multiple_errors", .message = "Multiple errors while processing request"};
  out.data = object([&](Writer& w) {
    w.key("errors");
    w.begin_array();
    for (const Refusal& refusal : refusals) write(w, refusal);
    w.end_array();
  });
  return out;
}

Refusal package_not_found(const std::string& name) {
  return {.type = "PackageNotFound",
          .message = fmt::format("Package [{}] not found", name),
          .data = named("packageName", name)};
}

Refusal version_not_found(const std::string& name, const std::string& version) {
  return {.type = "VersionNotFound",
          .message = fmt::format("Version [{}] of package [{}] not found", version, name),
          .data = object([&](Writer& w) {
            w.field("packageName", name);
            w.field("packageVersion", version);
          })};
}

Refusal options_not_allowed() {
  return {.type = "OptionsNotAllowed", .message = "No schema available to validate the provided options"};
}

Refusal options_not_stored() {
  return {.type = "OptionsNotStored", .message = "The options of the current service were not stored"};
}

Refusal schema_mismatch(const std::vector<Violation>& violations) {
  return {.type = "JsonSchemaMismatch",
          .message = "Options JSON failed validation",
          .data = object([&](Writer& w) {
            w.key("errors");
            w.begin_array();
            for (const Violation& v : violations) {
              w.begin_object();
              w.field("level", "error");
              w.key("schema");
              w.raw(object([&](Writer& s) {
                s.field("loadingURI", "#");
                s.field("pointer", v.schema);
              }));
              w.key("instance");
              w.raw(named("pointer", v.instance));
              w.field("domain", v.domain);
              w.field("keyword", v.keyword);
              w.field("message", v.message);
              for (const auto& [key, value] : v.details) {
                w.key(key);
                w.raw(value);
              }
              w.end_object();
            }
            w.end_array();
          })};
}

Refusal template_must_be_object() {
  return {.type = "MarathonTemplateMustBeJsonObject", .message = "Rendered Marathon JSON must be a JSON object"};
}

Refusal json_parsing_error(const std::string& message, const std::string& input) {
  return {.type = "JsonParsingError",
          .message = "Unable to parse the string as a JSON value",
          .data = object([&](Writer& w) {
            w.field("underlyingType", "Json");
            w.field("parsingErrorMessage", message);
            w.field("parsingInput", base::valid_utf8(std::string_view(input).substr(0, kMaxEcho)));
          })};
}

Refusal json_decoding_error(const std::string& type, const std::string& message, const std::string& input) {
  return {.type = "JsonDecodingError",
          .message = "Unable to decode the JSON value as a " + type,
          .data = object([&](Writer& w) {
            w.field("typeName", type);
            w.field("decodingErrorMessage", message);
            w.field("decodeInput", base::valid_utf8(std::string_view(input).substr(0, kMaxEcho)));
          })};
}

Refusal no_template(const std::string& name, const std::string& version) {
  return {.type = "ServiceMarathonTemplateNotFound",
          .message = fmt::format("Package: [{}] version: [{}] does not have a Marathon template defined and can not "
                                 "be rendered",
                                 name, version),
          .data = object([&](Writer& w) {
            w.field("packageName", name);
            w.field("packageVersion", version);
          })};
}

Refusal no_v2_description() {
  return {.type = "ConversionFromPackageToV2DescribeResponse",
          .message = "A v4 package cannot be converted into a v2 DescribeResponse"};
}

Refusal manager_not_found(const std::string& manager) {
  return {.type = "CustomPackageManagerNotFound",
          .message = fmt::format("the custom manager: '{}', is not installed for this package", manager),
          .data = named("managerId", manager)};
}

Refusal already_installed() {
  return {.status = 409, .type = "PackageAlreadyInstalled", .message = "Package is already installed"};
}

Refusal not_installed(const std::string& name) {
  return {.type = "PackageNotInstalled",
          .message = fmt::format("Package [{}] is not installed", name),
          .data = named("packageName", name)};
}

Refusal app_not_of_package(const std::string& name, const std::string& app) {
  return {.type = "UninstallNonExistentAppForPackage",
          .message = fmt::format("Package [{}] with id [{}] is not installed", name, app),
          .data = object([&](Writer& w) {
            w.field("packageName", name);
            w.field("appId", app);
          })};
}

Refusal ambiguous_app(const std::string& name, const std::vector<std::string>& apps) {
  return {.type = "AmbiguousAppId",
          .message = fmt::format("Multiple apps named [{}] are installed: [{}]", name, base::join(apps, ", ")),
          .data = object([&](Writer& w) {
            w.field("packageName", name);
            strings(w, "appIds", apps);
          })};
}

Refusal app_not_found(const std::string& app) {
  return {.type = "MarathonAppNotFound",
          .message = fmt::format("Unable to locate service with marathon appId: '{}'", app),
          .data = named("appId", app)};
}

Refusal app_id_changed(const std::string& now, const std::string& before) {
  return {.type = "AppIdChanged",
          .message = fmt::format("The new appId {} must be equal to the old appId {}", now, before),
          .data = object([&](Writer& w) {
            w.field("newAppId", now);
            w.field("oldAppId", before);
          })};
}

Refusal app_delete_error(const std::string& app) {
  return {.type = "MarathonAppDeleteError",
          .message = fmt::format("Error while deleting marathon app '{}'", app),
          .data = named("appId", app)};
}

Refusal upgrade_not_possible(const std::string& requested, const std::string& actual) {
  return {.type = "VersionUpgradeNotSupportedInOpen",
          .message = fmt::format("Version [{}] neither names [{}] in upgradesFrom nor is named in its downgradesTo",
                                 requested, actual),
          .data = object([&](Writer& w) {
            w.field("requested", requested);
            w.field("actual", actual);
          })};
}

Refusal several_frameworks(const std::string& name, const std::string& version, const std::string& framework,
                           const std::vector<std::string>& ids) {
  const std::string with_version = version.empty() ? "" : fmt::format(" version [{}]", version);
  return {.type = "MultipleFrameworkIds",
          .message = fmt::format("Uninstalled package [{0}]{1}\nUnable to shutdown [{0}] service framework with name "
                                 "[{2}] because there are multiple framework ids matching this name: [{3}]",
                                 name, with_version, framework, base::join(ids, ", ")),
          .data = object([&](Writer& w) {
            w.field("packageName", name);
            if (!version.empty()) w.field("packageVersion", version);
            w.field("frameworkName", framework);
            strings(w, "ids", ids);
          })};
}

Refusal incomplete_uninstall(const std::string& name) {
  return {.status = 503,
          .type = "IncompleteUninstall",
          .message = fmt::format("Incomplete uninstall of package [{}] due to Mesos unavailability", name),
          .data = object([&](Writer& w) {
            w.field("packageName", name);
            w.field("status", 503);
          })};
}

Refusal marathon_said(int status, const std::string& body) {
  if (status == 401) return unauthorized("marathon", "");
  if (status == 403) return forbidden("marathon");
  if (status >= 400 && status < 500) {
    const auto parsed = base::json::parse(body);
    const auto* message = parsed ? base::json::find(*parsed, "/message") : nullptr;
    if (message != nullptr && message->is_string()) {
      Refusal out{.type = "MarathonBadResponse", .message = std::string(message->get_string())};
      if (const auto* details = base::json::find(*parsed, "/details"); details != nullptr && details->is_array()) {
        out.data = object([&](Writer& w) {
          w.key("errors");
          w.raw(base::json::render(*details));
        });
      }
      return out;
    }
  }
  const bool gateway = status >= 500;
  const int own = gateway ? 502 : 500;
  return {.status = own,
          .type = gateway ? "MarathonBadGateway" : "MarathonGenericError",
          .message = fmt::format("Received response status code {} from Marathon", status),
          .data = object([&](Writer& w) {
            w.field("marathonStatus", status);
            w.field("status", own);
          })};
}

Refusal service_unavailable(const std::string& service) {
  return {.status = 503,
          .type = "ServiceUnavailable",
          .message = fmt::format("Unable to complete request due to service [{}] unavailability", service),
          .data = object([&](Writer& w) {
            w.field("serviceName", service);
            w.field("status", 503);
          })};
}

Refusal unauthorized(const std::string& service, const std::string& realm) {
  return {.status = 401,
          .type = "Unauthorized",
          .message =
              fmt::format("Unable to complete request due to Unauthorized response from service [{}]", service),
          .data = object([&](Writer& w) {
            w.field("serviceName", service);
            if (!realm.empty()) w.field("realm", realm);
            w.field("status", 401);
          }),
          .authenticate = realm};
}

Refusal forbidden(const std::string& service) {
  return {.status = 403,
          .type = "Forbidden",
          .message = fmt::format("Unable to complete request due to Forbidden response from service [{}]", service),
          .data = object([&](Writer& w) {
            w.field("serviceName", service);
            w.field("status", 403);
          })};
}

Refusal repository_present(const std::string* name, const std::string* uri) {
  std::string message;
  if (name && uri) {
    message = fmt::format("Repository name [{}] and URI [{}] are both already present in the list", *name, *uri);
  } else {
    message = name ? fmt::format("Repository name [{}] is already present in the list", *name)
                   : fmt::format("Repository URI [{}] is already present in the list", *uri);
  }
  return {.type = "RepositoryAlreadyPresent", .message = std::move(message), .data = name_and_uri(name, uri)};
}

Refusal repository_not_present(const std::string* name, const std::string* uri) {
  std::string message;
  if (name && uri) {
    message = fmt::format("Neither repository name [{}] nor URI [{}] are present in the list", *name, *uri);
  } else {
    message = name ? fmt::format("Repository name [{}] is not present in the list", *name)
                   : fmt::format("Repository URI [{}] is not present in the list", *uri);
  }
  return {.type = "RepositoryNotPresent", .message = std::move(message), .data = name_and_uri(name, uri)};
}

Refusal index_out_of_bounds(int64_t attempted, size_t max) {
  const std::string hint = max == 0 ? "can be at most 0" : fmt::format("must be between 0 and {} inclusive.", max);
  return {.type = "RepositoryAddIndexOutOfBounds",
          .message = fmt::format("Index ({}) is out of range. Index value {}", attempted, hint),
          .data = object([&](Writer& w) {
            w.field("attempted", attempted);
            w.field("max", max);
          })};
}

Refusal name_or_uri_missing() {
  return {.type = "RepoNameOrUriMissing", .message = "Must specify either the name or URI of the repository"};
}

Refusal unsupported_uri(const std::string& uri) {
  return {.type = "UnsupportedRepositoryUri",
          .message = fmt::format("Repository URI [{}] uses an unsupported scheme. Only http, https, file and bundled "
                                 "are supported",
                                 uri),
          .data = named("uri", uri)};
}

Refusal uri_syntax(const std::string& name, const std::string& uri, const std::string& cause) {
  return {.type = "RepositoryUriSyntax",
          .message = fmt::format("URI for repository [{}] has invalid syntax: {}", name, uri),
          .data = repository_data(name, uri, cause)};
}

Refusal cannot_reach(const std::string& name, const std::string& uri, const std::string& cause) {
  return {.type = "RepositoryUriConnection",
          .message = fmt::format("Could not access data at URI for repository [{}]: {}", name, uri),
          .data = repository_data(name, uri, cause)};
}

Refusal repository_http_error(const std::string& name, const std::string& uri, int status) {
  return {.type = "UniverseClientHttpError",
          .message = fmt::format("Unexpected upstream http error while fetching repository '{}' at {}: GET {}", name,
                                 uri, status),
          .data = object([&](Writer& w) {
            w.key("packageRepository");
            w.begin_object();
            w.field("name", name);
            w.field("uri", uri);
            w.end_object();
            w.field("method", "GET");
            w.field("clientStatus", status);
            w.field("status", 400);
          })};
}

Refusal unsupported_content_type(const std::string& actual) {
  const std::vector<std::string> supported{std::string(kRepositoryType), "application/json"};
  return {.type = "UnsupportedContentType",
          .message = actual.empty()
                         ? fmt::format("Unspecified Content-Type Accept: [{}]", base::join(supported, ", "))
                         : fmt::format("Unsupported Content-Type: {} Accept: [{}]", actual,
                                       base::join(supported, ", ")),
          .data = object([&](Writer& w) {
            strings(w, "supported", supported);
            if (!actual.empty()) w.field("actual", actual);
          })};
}

Refusal too_many(const std::string& what) {
  return {.status = 503, .type = "ServiceUnavailable", .message = "Too many " + what + " at once: try again later"};
}

}  // namespace universe
