#include <boost/json.hpp>

#include "base/strings.hpp"
#include "metronome/api/api.hpp"

namespace metronome::api {
namespace {

constexpr size_t kMostBody = 1 << 20;

struct Route {
  const char* method;
  const char* pattern;
  void (*handle)(Turn&, const Request&);
};

constexpr Route kRoutes[] = {
    {"GET", "ping", ping},
    {"GET", "info", info},
    {"GET", "leader", leader},
    {"GET", "v1/metrics", metrics},
    {"GET", "v1/queue", queue},
    {"GET", "v1/jobs", list_jobs},
    {"POST", "v1/jobs", create_job},
    {"GET", "v1/jobs/{job}", show_job},
    {"PUT", "v1/jobs/{job}", update_job},
    {"DELETE", "v1/jobs/{job}", delete_job},
    {"GET", "v1/jobs/{job}/schedules", list_schedules},
    {"POST", "v1/jobs/{job}/schedules", create_schedule},
    {"GET", "v1/jobs/{job}/schedules/{schedule}", show_schedule},
    {"PUT", "v1/jobs/{job}/schedules/{schedule}", update_schedule},
    {"DELETE", "v1/jobs/{job}/schedules/{schedule}", delete_schedule},
    {"GET", "v1/jobs/{job}/runs", list_runs},
    {"POST", "v1/jobs/{job}/runs", start_run},
    {"GET", "v1/jobs/{job}/runs/{run}", show_run},
    {"POST", "v1/jobs/{job}/runs/{run}/actions/stop", stop_run},
    {"POST", "v0/scheduled-jobs", create_job},
    {"PUT", "v0/scheduled-jobs/{job}", update_job_with_schedules},
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

/// Nothing that a browser takes for markup.
std::string escape(std::string text) {
  text = base::replace_all(text, "&", "&amp;");
  text = base::replace_all(text, "<", "&lt;");
  text = base::replace_all(text, ">", "&gt;");
  text = base::replace_all(text, "\"", "&quot;");
  return base::replace_all(text, "'", "&#x27;");
}

}  // namespace

base::http::Response message(int status, const std::string& text) {
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  w.field("message", text);
  w.end_object();
  return base::http::Response::json(status, std::move(body));
}

base::http::Response client_error(int status, const std::string& text, const std::string& path) {
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  if (!text.empty()) w.field("message", escape(text));
  w.field("requestPath", escape(path));
  w.end_object();
  return base::http::Response::json(status, std::move(body));
}

base::http::Response unknown_job(const JobId& id) {
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  w.field("id", id);
  w.field("message", "Job not found");
  w.end_object();
  return base::http::Response::json(404, std::move(body));
}

base::http::Response not_stored(const base::Status& status, const std::string& path) {
  return client_error(500, "the change could not be stored, nothing was changed: " + status.error().message, path);
}

JobState* job_of(Turn& turn, const Request& request) {
  const JobId& id = request.parameters.at("job");
  JobState* job = find_job(turn.state, id);
  if (!job) turn.out.reply(request.call, unknown_job(id));
  return job;
}

std::optional<base::json::Value> body_of(Turn& turn, const Request& request) {
  const auto refuse = [&](int status, const std::string& text) {
    turn.out.reply(request.call, client_error(status, text, request.http.path));
    return std::nullopt;
  };
  const std::string type = base::to_lower(request.http.headers.get_or("Content-Type", ""));
  if (!type.starts_with("application/json") && !type.starts_with("text/json")) {
    return refuse(415, "Expecting text/json or application/json body");
  }
  auto body = base::json::parse(request.http.body, {.max_bytes = kMostBody});
  if (!body) return refuse(body.error().code == base::Code::TooLarge ? 413 : 400, "Invalid Json: " + body.error().message);
  return std::move(*body);
}

void on_request(Turn& turn, const std::string& address, const HttpRequested& event) {
  std::vector<std::string> pieces;
  for (std::string_view piece : base::tokenize(event.request.path, '/')) pieces.push_back(base::percent_decode(piece));
  const std::string_view method = event.request.method == "HEAD" ? "GET" : std::string_view(event.request.method);
  Request request{event.call, event.request, {}, address};
  for (const Route& route : kRoutes) {
    if (method != route.method || !matches(route.pattern, pieces, request.parameters)) continue;
    const auto job = request.parameters.find("job");
    if (job != request.parameters.end() && !is_job_id(job->second)) {
      return turn.out.reply(event.call, client_error(400, "Not a valid id: " + job->second, event.request.path));
    }
    return route.handle(turn, request);
  }
  turn.out.reply(event.call, client_error(404, "Unknown route.", event.request.path));
}

}  // namespace metronome::api
