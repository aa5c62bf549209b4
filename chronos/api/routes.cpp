#include <fmt/format.h>

#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "chronos/api/api.hpp"

namespace chronos::api {
namespace {

struct Route {
  const char* method;
  const char* pattern;  // below /v1/scheduler and /scheduler; with a leading '=': as it is
  void (*handle)(Turn&, const Request&);
};

constexpr Route kRoutes[] = {
    {"GET", "jobs", list_jobs},
    {"GET", "jobs/summary", summarize_jobs},
    {"GET", "jobs/search", search_jobs},
    {"PUT", "job/success/{name}", mark_job},
    {"GET", "job/stat/{name}", job_stat},
    {"GET", "job/{name}", show_job},
    {"PUT", "job/{name}", run_job},
    {"DELETE", "job/{name}", delete_job},
    {"POST", "job/{name}/task/{task}/progress", report_progress},
    {"POST", "iso8601", post_scheduled},
    {"PUT", "iso8601", post_scheduled},
    {"POST", "dependency", post_dependent},
    {"PUT", "dependency", post_dependent},
    {"DELETE", "task/kill/{name}", kill_job},
    {"DELETE", "task/all", purge_tasks},
    {"PUT", "task/{task}", complete_task},
    {"GET", "graph/dot", graph_dot},
    {"GET", "graph/csv", graph_csv},
    {"GET", "stats/{percentile}", percentiles},
    {"GET", "leader", leader},
    {"GET", "=leader", leader},
    {"GET", "=ping", ping},
    {"GET", "=health", health},
    {"GET", "=metrics", metrics},
    {"GET", "=", front_page},
};

bool matches(std::string_view pattern, const std::vector<std::string>& path, std::map<std::string, std::string>& out) {
  const auto pieces = base::tokenize(pattern, '/');
  if (pieces.size() != path.size()) return false;
  out.clear();
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].starts_with('{')) {
      out.emplace(pieces[i].substr(1, pieces[i].size() - 2), path[i]);
    } else if (pieces[i] != path[i]) {
      return false;
    }
  }
  return true;
}

/// The path's pieces, decoded, and whether they stood below one of the prefixes.
std::pair<std::vector<std::string>, bool> pieces_of(const std::string& path) {
  std::vector<std::string> pieces;
  for (std::string_view piece : base::tokenize(path, '/')) pieces.push_back(base::percent_decode(piece));
  const size_t prefix = pieces.size() >= 2 && pieces[0] == "v1" && pieces[1] == "scheduler" ? 2
                        : !pieces.empty() && pieces[0] == "scheduler"                       ? 1
                                                                                            : 0;
  pieces.erase(pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(prefix));
  return {pieces, prefix > 0};
}

}  // namespace

base::http::Response refuse(int status, const std::string& message) {
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  w.field("status", base::http::reason_phrase(status));
  w.field("message", base::replace_all(message, "\n", " "));
  w.end_object();
  return base::http::Response::json(status, std::move(body));
}

base::http::Response no_content() {
  base::http::Response response;
  response.status = 204;
  return response;
}

base::http::Response not_stored(const base::Status& status) {
  return refuse(500, "the change could not be stored, nothing was changed: " + status.error().message);
}

JobState* job_of(Turn& turn, const Request& request, const char* parameter) {
  const std::string& name = request.parameters.at(parameter);
  JobState* job = find_job(turn.state, name);
  if (!job) turn.out.reply(request.call, refuse(400, fmt::format("Job '{}' not found", name)));
  return job;
}

void reply_when_durable(Turn& turn, CallId call, std::function<void(Turn&)> undo) {
  when_durable(turn, [call, undo = std::move(undo)](Turn& later, const base::Status& status) {
    if (status) return later.out.reply(call, no_content());
    if (undo) undo(later);
    later.out.reply(call, not_stored(status));
  });
}

void on_request(Turn& turn, const std::string& address, const HttpRequested& event) {
  const auto [pieces, below] = pieces_of(event.request.path);
  const std::string_view method = event.request.method == "HEAD" ? "GET" : std::string_view(event.request.method);
  Request request{event.call, event.request, {}, address};
  std::string allowed;
  for (const Route& route : kRoutes) {
    std::string_view pattern = route.pattern;
    const bool absolute = pattern.starts_with('=');
    if (absolute) pattern.remove_prefix(1);
    if (absolute == below || !matches(pattern, pieces, request.parameters)) continue;
    if (method == route.method) return route.handle(turn, request);
    allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
  }
  if (allowed.empty()) return turn.out.reply(event.call, refuse(404, "there is nothing at " + event.request.path));
  auto response = refuse(405, fmt::format("{} takes {}, not {}", event.request.path, allowed, event.request.method));
  response.headers.set("Allow", allowed);
  turn.out.reply(event.call, std::move(response));
}

}  // namespace chronos::api
