// Reading jobs: lists, search, one job, statistics.

#include <fmt/format.h>

#include <algorithm>

#include "base/json/writer.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "chronos/api/api.hpp"

namespace chronos::api {
namespace {

using base::http::Response;

void write_full(base::json::Writer& w, const JobState& job, bool mirror) {
  const std::string schedule = schedule_of(job);
  write_job(w, job.job, job.counters, {.schedule = schedule, .mirror_uris = mirror});
}

/// A number of the query. False after an answer 400.
bool query_number(Turn& turn, const Request& request, const base::http::Query& query, const char* name, uint64_t& out) {
  const auto text = query.get(name);
  if (!text) return true;
  const auto number = base::parse_uint(*text);
  if (!number) {
    turn.out.reply(request.call, refuse(400, fmt::format("{} must be a whole number, not '{}'", name, *text)));
    return false;
  }
  out = *number;
  return true;
}

void write_run(base::json::Writer& w, const JobState& job, const std::string& task, const std::string& agent,
               std::optional<base::Time> start, std::optional<base::Time> end, const char* status, int64_t elements) {
  w.begin_object();
  w.field("taskId", task);
  w.field("jobName", job.job.name);
  w.field("slaveId", agent);
  w.field("startTime", render_moment(start));
  w.field("endTime", render_moment(end));
  if (start && end) w.field("duration", render_length(*end - *start));
  w.field("status", status);
  if (job.job.data_processing) w.field("numElementsProcessed", elements);
  w.end_object();
}

}  // namespace

std::string_view status_of(const JobState& job) {
  const Counters& c = job.counters;
  if (!c.last_success && !c.last_error) return "fresh";
  if (!c.last_error) return "success";
  if (!c.last_success) return "failure";
  return *c.last_success >= *c.last_error ? "success" : "failure";
}

std::string state_of(const State&, const JobState& job) {
  if (!job.active.empty()) return fmt::format("{} running", job.active.size());
  return job.queued.empty() ? "idle" : "queued";
}

std::string schedule_of(const JobState& job) { return job.schedule ? job.schedule->render() : std::string(); }

void list_jobs(Turn& turn, const Request& request) {
  std::string body;
  base::json::Writer w(body);
  w.begin_array();
  for (const auto& [name, job] : turn.state.jobs) write_full(w, job, true);
  w.end_array();
  turn.out.reply(request.call, Response::json(200, std::move(body)));
}

void summarize_jobs(Turn& turn, const Request& request) {
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  w.key("jobs");
  w.begin_array();
  for (const auto& [name, job] : turn.state.jobs) {
    w.begin_object();
    w.field("name", name);
    w.field("status", status_of(job));
    w.field("state", state_of(turn.state, job));
    w.field("schedule", schedule_of(job));
    w.key("parents");
    w.begin_array();
    for (const JobName& parent : job.job.parents) w.value(parent);
    w.end_array();
    w.field("disabled", job.job.disabled);
    w.end_object();
  }
  w.end_array();
  w.end_object();
  turn.out.reply(request.call, Response::json(200, std::move(body)));
}

void search_jobs(Turn& turn, const Request& request) {
  const auto query = request.http.query();
  const std::string name = base::to_lower(query.get("name").value_or(""));
  const std::string command = base::to_lower(query.get("command").value_or(""));
  const std::string any = base::to_lower(query.get("any").value_or(""));
  uint64_t limit = 10, offset = 0;
  if (!query_number(turn, request, query, "limit", limit) || !query_number(turn, request, query, "offset", offset)) return;
  const auto contains = [](const std::string& text, const std::string& wanted) { return text.find(wanted) != std::string::npos; };
  const bool by_parts = !name.empty() || !command.empty();
  std::string body;
  base::json::Writer w(body);
  w.begin_array();
  uint64_t found = 0;
  for (const auto& [key, job] : turn.state.jobs) {
    if (found >= offset && found - offset >= limit) break;
    const bool both = by_parts && contains(job.lower_name, name) && contains(job.lower_command, command);
    const bool either = !any.empty() && (contains(job.lower_name, any) || contains(job.lower_command, any));
    if ((by_parts || !any.empty()) && !both && !either) continue;
    if (found++ >= offset) write_full(w, job, false);
  }
  w.end_array();
  turn.out.reply(request.call, Response::json(200, std::move(body)));
}

void show_job(Turn& turn, const Request& request) {
  const JobState* job = job_of(turn, request);
  if (!job) return;
  std::string body;
  base::json::Writer w(body);
  write_full(w, *job, false);
  turn.out.reply(request.call, Response::json(200, std::move(body)));
}

void job_stat(Turn& turn, const Request& request) {
  const JobState* job = job_of(turn, request);
  if (!job) return;
  const Distribution d = job->history.distribution();
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  w.key("histogram");
  w.begin_object();
  w.field("75thPercentile", d.p75);
  w.field("95thPercentile", d.p95);
  w.field("98thPercentile", d.p98);
  w.field("99thPercentile", d.p99);
  w.field("median", d.median);
  w.field("mean", d.mean);
  w.field("count", d.count);
  w.end_object();
  w.key("taskStatHistory");
  w.begin_array();
  for (const TaskId& id : job->active) {
    const Run& run = turn.state.runs.at(id);
    write_run(w, *job, id, run.agent_id, run.started, std::nullopt, run.started ? "Running" : "Idle", run.elements);
  }
  const auto& runs = job->history.runs();
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    write_run(w, *job, run->task_id, run->agent_id, run->started, run->ended,
              run->result == RunResult::Success ? "Success" : "Fail", run->elements);
  }
  w.end_array();
  w.key("skipped");
  w.begin_object();
  w.field("count", job->history.skipped());
  w.field("lastSlot", render_moment(job->history.last_skipped()));
  w.end_object();
  w.end_object();
  turn.out.reply(request.call, Response::json(200, std::move(body)));
}

void percentiles(Turn& turn, const Request& request) {
  const std::string& which = request.parameters.at("percentile");
  std::vector<std::pair<double, const JobName*>> times;
  for (const auto& [name, job] : turn.state.jobs) {
    const auto share = named_share(job.history.distribution(), which);
    if (!share) break;
    times.emplace_back(*share, &name);
  }
  std::stable_sort(times.begin(), times.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string body;
  base::json::Writer w(body);
  w.begin_array();
  for (const auto& [time, name] : times) {
    w.begin_object();
    w.field("jobNameLabel", *name);
    w.field("time", time);
    w.end_object();
  }
  w.end_array();
  turn.out.reply(request.call, Response::json(200, std::move(body)));
}

}  // namespace chronos::api
