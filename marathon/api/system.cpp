#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "marathon/api/api.hpp"
#include "marathon/app_json.hpp"
#include "marathon/records.hpp"

namespace marathon::api {
namespace {

using base::json::Writer;

bool is_get(const Request& request) {
  return request.http.method == "GET" || request.http.method == "HEAD";
}

}  // namespace

void handle_info(const Request& request) {
  if (!is_get(request)) return method_not_allowed(request, "GET");
  const State& state = request.state();
  std::string body;
  Writer w(body);
  w.begin_object();
  w.field("name", "marathon");
  w.field("version", request.identity.version);
  w.field("buildref", "unknown");
  w.field("elected", true);
  w.field("leader", request.identity.leader);
  w.key("frameworkId");
  if (state.framework_id.empty()) {
    w.null();
  } else {
    w.value(state.framework_id);
  }
  w.key("marathon_config");
  w.raw(request.identity.marathon_config);
  w.key("zookeeper_config");
  w.raw(request.identity.zookeeper_config);
  w.key("http_config");
  w.raw(request.identity.http_config);
  w.end_object();
  request.reply_json(200, std::move(body));
}

void handle_leader(const Request& request) {
  if (is_get(request)) {
    std::string body;
    Writer w(body);
    w.begin_object();
    w.field("leader", request.identity.leader);
    w.end_object();
    return request.reply_json(200, std::move(body));
  }
  if (request.http.method != "DELETE") return method_not_allowed(request, "GET, DELETE");
  std::vector<Write> orders;
  for (const auto& [option, key] : {std::pair("backup", kBackupOrderKey), std::pair("restore", kRestoreOrderKey)}) {
    const auto uri = request.query.get(option);
    if (!uri) continue;
    if (!uri->starts_with("file:///")) {
      return request.refuse(422, std::string(option) + " wants the URI of a file, such as file:///var/backups/marathon; others "
                                                       "are not supported");
    }
    orders.push_back({key, *uri});
  }
  commit(request.turn, std::move(orders), [call = request.call](Turn& turn, const base::Status& status) {
    if (!status) return turn.out.reply(call, render(marathon::refuse(503, status.error().message)));
    turn.out.reply(call, base::http::Response::json(200, R"({"message":"Leadership abdicated"})"));
    turn.out.exit(103, "leadership was given up on request");
  });
}

void handle_config(const Request& request) {
  if (!is_get(request)) return method_not_allowed(request, "GET");
  std::string body;
  Writer w(body);
  w.begin_object();
  w.key("marathon");
  w.raw(request.identity.marathon_config);
  w.key("zookeeper");
  w.raw(request.identity.zookeeper_config);
  w.key("http");
  w.raw(request.identity.http_config);
  w.end_object();
  request.reply_json(200, std::move(body));
}

void handle_plugins(const Request& request) {
  if (!is_get(request)) return method_not_allowed(request, "GET");
  if (!request.rest.empty()) return request.refuse(404, "no plugin is loaded");
  request.reply_json(200, R"({"plugins":[]})");
}

void handle_ping(const Request& request) {
  if (!is_get(request)) return method_not_allowed(request, "GET");
  request.reply(answer_ping(request.http));
}

}  // namespace marathon::api

base::http::Response marathon::answer_ping(const base::http::Request& request) {
  const std::string_view accept = request.headers.get_or("Accept", "*/*");
  const auto accepts = [&](std::string_view type) { return accept.find(type) != std::string_view::npos; };
  if (accepts("*/*") || accepts("text/")) return base::http::Response::text(200, "pong");
  if (accepts("application/json")) return base::http::Response::json(200, "\"pong\"");
  base::http::Response response;
  response.status = 204;
  return response;
}
