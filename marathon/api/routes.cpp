// One table from path to handler.

#include <array>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "marathon/api/api.hpp"

#include <boost/json.hpp>

namespace marathon {
namespace api {
namespace {

struct Route {
  std::string_view path;
  void (*handle)(const Request&);
};

constexpr std::array kRoutes = {
    Route{"/v2/apps", handle_apps},       Route{"/v2/tasks", handle_tasks},
    Route{"/v2/deployments", handle_deployments}, Route{"/v2/queue", handle_queue},
    Route{"/v2/groups", handle_groups},   Route{"/v2/pods", handle_pods},
    Route{"/v2/info", handle_info},
    Route{"/v2/leader", handle_leader},   Route{"/v2/plugins", handle_plugins},
    Route{"/ping", handle_ping},          Route{"/metrics", handle_metrics},
    Route{"/config", handle_config},
};

constexpr size_t kMaxPath = 4096;

}  // namespace

bool Request::flag(std::string_view name, bool fallback) const {
  const auto value = query.get(name);
  if (!value) return fallback;
  return base::iequals(*value, "true");
}

void Request::reply(base::http::Response response) const {
  turn.out.reply(call, std::move(response));
}

void Request::reply_json(int status, std::string body) const {
  reply(base::http::Response::json(status, std::move(body)));
}

void Request::refuse(const ApiError& error) const { reply(render(error)); }
void Request::refuse(int status, std::string message) const {
  refuse(marathon::refuse(status, std::move(message)));
}

PathId path_of(const std::vector<std::string>& elements, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += "/" + elements[i];
  return resolve_path(text);
}

bool in_place(const Request& request) { return request.flag("inPlace", request.turn.policy.in_place_changes); }

bool matches_version(const Request& request, std::optional<Version> present) {
  const auto header = request.http.headers.get("If-Match");
  if (!header) return true;
  const std::string now = present ? base::render_iso8601(*present) : "none";
  for (std::string_view given : base::split(*header, ',')) {
    given = base::trim(given);
    if (given.size() >= 2 && given.starts_with('"') && given.ends_with('"')) given = given.substr(1, given.size() - 2);
    if (present && (given == "*" || given == now)) return true;
  }
  request.refuse(412, "If-Match names another version than the present one, which is " + now +
                          ": it was changed meanwhile; read it again");
  return false;
}

std::optional<boost::json::value> parse_body(const Request& request) {
  if (base::trim(request.http.body).empty()) {
    ApiError error = marathon::refuse(400, "Please specify data in JSON format");
    error.details_text = "the body is empty";
    request.refuse(error);
    return std::nullopt;
  }
  auto value = base::json::parse(request.http.body);
  if (!value) {
    ApiError error = marathon::refuse(400, "Invalid JSON");
    error.details_text = value.error().message;
    request.refuse(error);
    return std::nullopt;
  }
  return std::move(*value);
}

void method_not_allowed(const Request& request, std::string_view allow) {
  auto response = render(marathon::refuse(405, "the method " + base::valid_utf8(request.http.method) +
                                                   " is not allowed here; use " + std::string(allow)));
  response.headers.set("Allow", std::string(allow));
  request.reply(std::move(response));
}

}  // namespace api

void on_request(Turn& turn, const Identity& identity, const HttpRequested& event) {
  api::Request request{turn, identity, event.call, event.request, event.viewer.get(), event.request.query(), {}, {}};
  if (event.request.path.size() > api::kMaxPath) return request.refuse(414, "the path is too long");
  request.path = base::percent_decode(event.request.path);
  if (base::valid_utf8(request.path) != request.path || request.path.find('\0') != std::string::npos) {
    return request.refuse(400, "the path is not text");
  }
  while (request.path.size() > 1 && request.path.ends_with('/')) request.path.pop_back();
  for (const api::Route& route : api::kRoutes) {
    if (!is_within(request.path, route.path)) continue;
    const std::string_view rest = std::string_view(request.path).substr(route.path.size());
    for (std::string_view element : base::tokenize(rest, '/')) {
      request.rest.emplace_back(element);
    }
    return route.handle(request);
  }
  request.refuse(404, "URI not found: " + request.path);
}

}  // namespace marathon
