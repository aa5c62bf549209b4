#include "kernel/agent/api/routes.hpp"

#include "base/http/help.hpp"
#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "base/system_stats.hpp"
#include "base/version.hpp"
#include "kernel/agent/api/task_stream.hpp"

namespace agent {
namespace {

using base::http::Request;
using base::http::Responder;
using base::http::Response;

std::string render_flags(const Api& api) {
  std::string text;
  base::json::Writer out(text);
  out.begin_object();
  out.key("flags");
  out.begin_object();
  for (const auto& [name, value] : api.flags) out.field(name, value);
  out.end_object();
  out.end_object();
  return text;
}

std::string render_version() {
  std::string text;
  base::json::Writer out(text);
  out.begin_object();
  out.field("version", base::kMesosVersion);
  out.end_object();
  return text;
}

std::string render_metrics(const Api& api) {
  std::string text;
  base::json::Writer out(text);
  out.begin_object();
  for (const auto& [name, value] : api.metrics.snapshot()) out.field(name, value);
  out.end_object();
  return text;
}

/// A callback name from outside goes into a script: letters, digits and the few signs that names have.
bool valid_callback(std::string_view name) {
  if (name.empty() || name.size() > 200) return false;
  for (const char c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && c != '$' && c != '.' && c != '[' && c != ']')
      return false;
  return true;
}

void handle_logging(Api& api, const Request& request, const Responder& responder) {
  if (request.method != "GET" && request.method != "POST") {
    Response response = Response::text(405, "Expecting one of { 'GET', 'POST' }, but received '" + request.method + "'");
    response.headers.set("Allow", "GET, POST");
    return responder.reply(std::move(response));
  }
  const auto query = request.query();
  if ((query.has("level") || query.has("duration")) && !api.access.allows(auth::Action::SetLogLevel, request.principal))
    return responder.reply(Response::text(403, ""));
  auto answer = api.log_level.toggle(query.get("level"), query.get("duration"));
  responder.reply(answer ? Response::text(200, std::move(*answer)) : Response::text(400, answer.error().message));
}

/// ?timeout= of the original, which waits for what is slow; nothing here is.
bool refuse_timeout(const Request& request, const Responder& responder) {
  const auto timeout = request.query().get("timeout");
  if (!timeout) return false;
  const auto parsed = base::parse_duration(*timeout);
  if (parsed) return false;
  responder.reply(Response::text(400, "Invalid timeout '" + base::valid_utf8(*timeout) + "': " + parsed.error().message));
  return true;
}

}  // namespace

void reply_json(const Request& request, const Responder& responder, std::string json) {
  const auto callback = request.query().get("jsonp");
  if (!callback) return responder.reply(Response::json(200, std::move(json)));
  if (!valid_callback(*callback)) return responder.reply(Response::text(400, "The jsonp parameter is not a function's name\n"));
  Response response = Response::text(200, *callback + "(" + json + ")");
  response.headers.set("Content-Type", "text/javascript");
  responder.reply(std::move(response));
}

void add_routes(base::http::Router& router, Api& api, TaskStreams& streams) {
  const auto add = [&](const std::string& method, const std::string& path, const std::string& sentence,
                       std::function<void(const Request&, const Responder&)> handler) {
    for (const std::string& prefix : {std::string(), std::string("/slave(1)")})
      for (const std::string& suffix : {std::string(), std::string(".json")}) {
        if (!suffix.empty() && path.starts_with("/api/")) continue;
        router.add(method, prefix + path + suffix, sentence,
                   [handler](Request request, Responder responder) { handler(request, responder); });
      }
  };
  add("GET", "/health", "Answers 200 as soon as the agent serves.",
      [](const Request&, const Responder& responder) { responder.reply(Response::text(200, "")); });
  add("GET", "/version", "The release whose interface this is.",
      [](const Request& request, const Responder& responder) { reply_json(request, responder, render_version()); });
  add("GET", "/flags", "Effective flags.",
      [&api](const Request& request, const Responder& responder) {
        if (!Sight(api.access, request.principal).shows_flags()) return responder.reply(Response::text(403, ""));
        reply_json(request, responder, render_flags(api));
      });
  add("GET", "/state", "Frameworks, executors and tasks of this agent.",
      [&api](const Request& request, const Responder& responder) {
        if (api.recovering()) return responder.reply(Response::text(503, "Agent has not finished recovery"));
        reply_json(request, responder, render_state(api, Sight(api.access, request.principal)));
      });
  add("GET", "/metrics/snapshot", "All metrics as one JSON object.",
      [&api](const Request& request, const Responder& responder) {
        if (!refuse_timeout(request, responder)) reply_json(request, responder, render_metrics(api));
      });
  add("GET", "/metrics", "All metrics as Prometheus text.", [&api](const Request&, const Responder& responder) {
    Response response = Response::text(200, api.metrics.prometheus());
    response.headers.set("Content-Type", "text/plain; version=0.0.4");
    responder.reply(std::move(response));
  });
  const auto with_api = [&api](auto* handler) {
    return [&api, handler](const Request& request, const Responder& responder) { handler(api, request, responder); };
  };
  add("GET", "/containers", "Containers with status and use of resources.", with_api(&handle_containers));
  add("GET", "/containers/explain", "Where a container is in its life, what it waits for, what limits it; ?container=ID.",
      with_api(&handle_explain));
  add("GET", "/containerizer/debug", "Launches of containers that are under way.", with_api(&handle_pending));
  add("GET", "/monitor/statistics", "What each executor's container uses.", with_api(&handle_statistics));
  add("GET", "/files/browse", "Lists a directory of a sandbox.", with_api(&handle_browse));
  add("GET", "/files/read", "Reads a piece of a file of a sandbox.", with_api(&handle_read));
  add("GET", "/files/download", "A whole file of a sandbox.", with_api(&handle_download));
  add("GET", "/files/debug", "Virtual paths and what they stand for.", with_api(&handle_files_debug));
  add("GET", "/tasks/stream", "Running tasks as an event stream: a snapshot, then changes.",
      [&streams](const Request& request, const Responder& responder) { streams.handle(request, responder); });
  add("*", "/api/v1/executor", "The executor API.", with_api(&handle_executor_api));
  add("*", "/api/v1/resource_provider", "The resource provider API.", with_api(&handle_resource_provider_api));
  add("*", "/api/v1", "The operator API of the agent.", with_api(&handle_operator_api));
  add("GET", "/system/stats", "Load and memory of the machine.", [](const Request& request, const Responder& responder) {
    reply_json(request, responder, base::render_system_stats(base::system_stats()));
  });
  add("*", "/logging/toggle", "The log's level; ?level=1&duration=5mins to change it for a while.",
      [&api](const Request& request, const Responder& responder) { handle_logging(api, request, responder); });
  for (const char* path : {"/help", "/help/{path...}", "/"})
    router.add("GET", path, "This table, or the part of it at and below a path.", [&router](Request request, Responder responder) {
      responder.reply(base::http::help_page(router, request, "Endpoints of this agent"));
    });
}

base::http::Handler make_handler(const base::http::Router& router, Api& api) {
  return [&router, &api](Request request, Responder responder) {
    if (auto refusal = api.firewall.check(request)) return responder.reply(std::move(*refusal));
    if (auto refusal = api.access.check(request)) return responder.reply(std::move(*refusal));
    router.handle(std::move(request), std::move(responder));
  };
}

}  // namespace agent
