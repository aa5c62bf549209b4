// The table of endpoints; what is common to all of them.

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "universe/api/api.hpp"
#include "universe/media_types.hpp"
#include "universe/render.hpp"

namespace universe {
namespace {

namespace json = boost::json;

constexpr size_t kMaxBodyBytes = size_t{4} << 20;
constexpr size_t kMaxBodyDepth = 100;

struct Endpoint {
  std::string_view path;
  std::string_view family, name;      // of the media types
  std::vector<int> versions;          // of the answer, newest first
  Handler handler;
  bool body_may_be_null = false;
};

const std::vector<Endpoint>& endpoints() {
  static const std::vector<Endpoint> table = {
      {"/package/describe", "package", "describe", {3, 2}, describe_package},
      {"/package/install", "package", "install", {2, 1}, install_package},
      {"/package/list", "package", "list", {1}, list_installed},
      {"/package/list-versions", "package", "list-versions", {1}, list_versions},
      {"/package/render", "package", "render", {1}, render_package},
      {"/package/search", "package", "search", {1}, search_packages},
      {"/package/uninstall", "package", "uninstall", {1}, uninstall_package},
      {"/package/repository/list", "package", "repository.list", {1}, list_repositories, true},
      {"/package/repository/add", "package", "repository.add", {1}, add_repository},
      {"/package/repository/delete", "package", "repository.delete", {1}, delete_repository},
      {"/service/describe", "service", "describe", {1}, describe_service},
      {"/service/update", "service", "update", {1}, update_service},
  };
  return table;
}

std::string origin_of(const base::http::Request& request) {
  const std::string_view proto = request.headers.get_or("X-Forwarded-Proto", "http");
  const std::string_view scheme = proto == "https" ? "https" : "http";
  return fmt::format("{}://{}", scheme, request.headers.get_or("Host", "localhost"));
}

std::string listed(const std::vector<std::string>& types) { return "[" + base::join(types, ", ") + "]"; }

/// Which of `offered` the caller takes.
Tried<size_t> choose_answer(const base::http::Request& request, const std::vector<std::string>& offered) {
  const auto header = request.headers.get("Accept");
  if (!header) return not_present("header 'Accept'");
  const auto wanted = parse_accept(*header);
  if (!wanted) return not_parsed("header 'Accept'", wanted.error().message);
  const auto chosen = negotiate(*wanted, offered);
  if (chosen) return *chosen;
  return not_valid("header 'Accept'", fmt::format("value was: {}, but should match one of: {}",
                                                  base::valid_utf8(*header), listed(offered)));
}

std::optional<Refusal> check_content(const base::http::Request& request, const std::string& expected) {
  const auto header = request.headers.get("Content-Type");
  if (!header) return not_present("header 'Content-Type'");
  const auto given = parse_media_type(*header);
  if (!given) return not_parsed("header 'Content-Type'", given.error().message);
  if (is_content(*given, expected)) return std::nullopt;
  return not_valid("header 'Content-Type'", fmt::format("value was: {}, but should match one of: {}",
                                                        base::valid_utf8(*header), listed({expected})));
}

Tried<json::object> read_body(const base::http::Request& request, bool may_be_null) {
  if (base::trim(request.body).empty()) return not_present("body");
  auto value = base::json::parse(request.body, {.max_bytes = kMaxBodyBytes, .max_depth = kMaxBodyDepth});
  if (!value) return not_parsed("body", value.error().message);
  if (value->is_null() && may_be_null) return json::object();
  if (!value->is_object()) {
    return not_parsed("body", "it must be an object, not " + std::string(base::json::kind_name(*value)));
  }
  return std::move(value->get_object());
}

void call_endpoint(Turn& turn, const HttpRequested& event, const Endpoint& endpoint) {
  const base::http::Request& request = event.request;
  std::vector<std::string> offered;
  for (int version : endpoint.versions) {
    offered.push_back(media_type(endpoint.family, std::string(endpoint.name) + "-response", version));
  }
  std::vector<Refusal> refusals;
  const auto chosen = choose_answer(request, offered);
  if (!chosen) refusals.push_back(chosen.refusal());
  const std::string expected = media_type(endpoint.family, std::string(endpoint.name) + "-request", 1);
  if (auto refusal = check_content(request, expected)) refusals.push_back(*refusal);
  const auto body = read_body(request, endpoint.body_may_be_null);
  if (!body) refusals.push_back(body.refusal());

  Caller caller{.id = event.call, .type = {}, .version = 1, .authorization = {}, .origin = {}};
  if (!refusals.empty()) return refuse(turn, caller, one_or_all(std::move(refusals)));
  caller.type = offered[*chosen];
  caller.version = endpoint.versions[*chosen];
  caller.authorization = std::string(request.headers.get_or("Authorization", ""));
  caller.origin = origin_of(request);
  endpoint.handler(turn, caller, *body);
}

void capabilities(Turn& turn, const HttpRequested& event) {
  const auto chosen = choose_answer(event.request, {std::string(kCapabilitiesType)});
  const Caller caller{.id = event.call, .type = std::string(kCapabilitiesType), .version = 1, .authorization = {}, .origin = {}};
  if (!chosen) return refuse(turn, caller, chosen.refusal());
  answer(turn, caller, {{"capabilities", {{{"name", "PACKAGE_MANAGEMENT"}}}}});
}

/// GET /package/resource?url=U, for URLs that some package names.
void resource(Turn& turn, const HttpRequested& event) {
  const Caller caller{.id = event.call, .type = {}, .version = 1, .authorization = {}, .origin = {}};
  const auto url = event.request.query().get("url");
  if (!url) return refuse(turn, caller, not_present("param 'url'"));
  if (!turn.state.catalog->refers_to(*url)) return refuse(turn, caller, forbidden(*url));
  turn.out.relay(event.call, *url);
}

}  // namespace

void on_request(Turn& turn, const HttpRequested& event) {
  const base::http::Request& request = event.request;
  std::string_view path = request.path;
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  turn.count("requests");
  const bool reads = request.method == "GET" || request.method == "HEAD";
  const auto only = [&](std::string_view methods) {
    base::http::Response response = base::http::Response::text(405, fmt::format("{} takes {}\n", path, methods));
    response.headers.set("Allow", std::string(methods));
    turn.out.reply(event.call, std::move(response));
  };
  if (path == "/capabilities") return reads ? capabilities(turn, event) : only("GET");
  if (path == "/package/resource") return reads ? resource(turn, event) : only("GET");
  if (path == "/package/repository/status") {
    if (!reads) return only("GET");
    return turn.out.reply(event.call, base::http::Response::json(200, render_source_status(turn.state)));
  }
  for (const Endpoint& endpoint : endpoints()) {
    if (endpoint.path != path) continue;
    return request.method == "POST" ? call_endpoint(turn, event, endpoint) : only("POST");
  }
  turn.out.reply(event.call, base::http::Response::text(404, "no such endpoint\n"));
}

void answer(Turn& turn, const Caller& caller, const json::value& body) {
  auto response = base::http::Response::json(200, base::json::render(body));
  response.headers.set("Content-Type", caller.type);
  turn.out.reply(caller.id, std::move(response));
}

void refuse(Turn& turn, const Caller& caller, const Refusal& refusal) {
  turn.count("refusals");
  turn.out.reply(caller.id, render(refusal));
}

void ask(Turn& turn, const Caller& caller, Upstream upstream, std::string method, std::string path, std::string body,
         std::function<void(Turn&, const base::http::Response&)> then) {
  if (turn.state.asks.size() >= turn.policy.max_pending) return refuse(turn, caller, too_many("requests"));
  const Ticket ticket = turn.ticket();
  turn.state.asks[ticket] = [caller, upstream, then = std::move(then)](
                                Turn& later, const base::Result<base::http::Response>& response) {
    const char* name = upstream == Upstream::Marathon ? "marathon" : "mesos";
    if (response) return then(later, *response);
    later.count("upstream_failures");
    later.out.trace(TraceLevel::Warning, fmt::format("no answer from {}: {}", name, response.error().message));
    refuse(later, caller, service_unavailable(name));
  };
  turn.out.ask({ticket, upstream, std::move(method), std::move(path), std::move(body), caller.authorization});
}

std::string rewritten(std::string_view url, const std::string& origin) {
  if (!url.starts_with("http://") && !url.starts_with("https://")) return std::string(url);
  return origin + "/package/resource?url=" + base::percent_encode(url);
}

namespace {

void rewrite_all(json::value& value, const std::string& origin) {
  if (value.is_string()) {
    value = rewritten(value.get_string(), origin);
  } else if (value.is_array()) {
    for (json::value& item : value.get_array()) rewrite_all(item, origin);
  } else if (value.is_object()) {
    for (auto& [name, item] : value.get_object()) rewrite_all(item, origin);
  }
}

}  // namespace

void rewrite_links(json::value& resource, const std::string& origin) {
  if (!resource.is_object()) return;
  for (std::string_view part : {"assets", "images", "cli"}) {
    if (json::value* value = resource.get_object().if_contains(part)) rewrite_all(*value, origin);
  }
}

const json::value* Body::find(std::string_view name, bool required) {
  const json::value* value = object_.if_contains(name);
  if (value != nullptr && !value->is_null()) return value;
  if (required) problems_.push_back(fmt::format("/{} is required", name));
  return nullptr;
}

void Body::wrong(std::string_view name, std::string_view wanted, const json::value& value) {
  problems_.push_back(fmt::format("/{} must be {}, not {}", name, wanted, base::json::kind_name(value)));
}

std::string Body::text(std::string_view name) {
  const json::value* value = find(name, true);
  if (value == nullptr) return "";
  if (value->is_string()) return std::string(value->get_string());
  wrong(name, "a string", *value);
  return "";
}

std::optional<std::string> Body::maybe_text(std::string_view name) {
  const json::value* value = find(name, false);
  if (value == nullptr) return std::nullopt;
  // Clients write "" for what they do not give.
  if (value->is_string() && value->get_string().empty()) return std::nullopt;
  if (value->is_string()) return std::string(value->get_string());
  wrong(name, "a string", *value);
  return std::nullopt;
}

std::optional<std::string> Body::maybe_app_id(std::string_view name) {
  auto id = maybe_text(name);
  return id ? std::optional(absolute_app_id(*id)) : std::nullopt;
}

std::optional<bool> Body::maybe_flag(std::string_view name) {
  const json::value* value = find(name, false);
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  wrong(name, "a boolean", *value);
  return std::nullopt;
}

bool Body::flag(std::string_view name) {
  if (find(name, true) == nullptr) return false;
  return maybe_flag(name).value_or(false);
}

std::optional<int64_t> Body::maybe_int(std::string_view name) {
  const json::value* value = find(name, false);
  int64_t number = 0;
  if (value == nullptr) return std::nullopt;
  if (base::json::to_int(*value, number)) return number;
  wrong(name, "a whole number", *value);
  return std::nullopt;
}

const json::object* Body::maybe_object(std::string_view name) {
  const json::value* value = find(name, false);
  if (value == nullptr) return nullptr;
  if (value->is_object()) return &value->get_object();
  wrong(name, "an object", *value);
  return nullptr;
}

std::optional<Refusal> Body::problem() const {
  if (problems_.empty()) return std::nullopt;
  return not_parsed("body", base::join(problems_, "; "));
}

}  // namespace universe
