// Runs that are under way: started, shown, stopped; and those that wait for an offer.

#include "metronome/runs.hpp"

#include "metronome/api/api.hpp"

namespace metronome::api {
namespace {

using base::http::Response;

Response unknown_run(const RunKey& key) {
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  w.field("jobSpec", key.first);
  w.field("id", key.second);
  w.field("message", "Job Run not found");
  w.end_object();
  return Response::json(404, std::move(body));
}

std::string render(const Run& run, std::string_view status, std::optional<base::Time> completed = std::nullopt) {
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  w.field("id", run.id);
  w.field("jobId", run.job);
  w.field("status", status);
  w.field("createdAt", render_moment(run.created));
  w.key("completedAt");
  if (completed) {
    w.value(render_moment(*completed));
  } else {
    w.null();
  }
  w.key("tasks");
  w.begin_array();
  for (const auto& [id, task] : run.tasks) {
    w.begin_object();
    w.field("id", id);
    w.field("startedAt", render_moment(task.started));
    if (task.completed) w.field("completedAt", render_moment(*task.completed));
    w.field("status", task.status);
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return body;
}

/// A run of the path's job, deleted ones left out.
Run* active_run(Turn& turn, const RunKey& key) {
  const JobState* job = find_job(turn.state, key.first);
  return job && job->active.contains(key.second) ? find_run(turn.state, key) : nullptr;
}

}  // namespace

std::string_view status_name(RunStatus status) {
  switch (status) {
    case RunStatus::Starting: return "STARTING";
    case RunStatus::Active: return "ACTIVE";
    case RunStatus::Success: return "SUCCESS";
    case RunStatus::Failed: return "FAILED";
  }
  return "";
}

void write_run(base::json::Writer& w, const Run& run, std::string_view status) { w.raw(render(run, status)); }

void list_runs(Turn& turn, const Request& request) {
  const JobState* job = job_of(turn, request);
  if (!job) return;
  std::string body;
  base::json::Writer w(body);
  w.begin_array();
  for (const RunId& id : job->active) {
    if (const Run* run = find_run(turn.state, {job->spec->id, id})) write_run(w, *run, status_name(run->status));
  }
  w.end_array();
  turn.out.reply(request.call, Response::json(200, std::move(body)));
}

void start_run(Turn& turn, const Request& request) {
  JobState* job = job_of(turn, request);
  if (!job) return;
  if (job->active.size() >= turn.policy.max_active_runs) {
    return turn.out.reply(request.call, message(409, "Too many runs of this job are active: " + std::to_string(job->active.size())));
  }
  const Run& run = begin_run(turn, *job, std::nullopt);
  when_durable(turn, [call = request.call, path = request.http.path, key = run.key(), body = render(run, "INITIAL")](
                         Turn& later, const base::Status& status) {
    if (status) return later.out.reply(call, Response::json(201, body));
    take_back(later, key);
    later.out.reply(call, not_stored(status, path));
  });
}

void show_run(Turn& turn, const Request& request) {
  const RunKey key{request.parameters.at("job"), request.parameters.at("run")};
  const Run* run = active_run(turn, key);
  turn.out.reply(request.call, run ? Response::json(200, render(*run, status_name(run->status))) : unknown_run(key));
}

void stop_run(Turn& turn, const Request& request) {
  if (!job_of(turn, request)) return;
  const RunKey key{request.parameters.at("job"), request.parameters.at("run")};
  Run* run = active_run(turn, key);
  if (!run) return turn.out.reply(request.call, unknown_run(key));
  run->waiting.push_back(request.call);
  metronome::stop_run(turn, *run, "somebody asked for it");
}

void answer_stopped(Turn& turn, const Run& run) {
  if (run.waiting.empty()) return;
  const std::string body = render(run, status_name(run.status), turn.now.time);
  when_durable(turn, [calls = run.waiting, body, path = run.job](Turn& later, const base::Status& status) {
    for (CallId call : calls) {
      // It is over all the same; its record is written again until the store takes it.
      if (status) {
        later.out.reply(call, Response::json(200, body));
      } else {
        later.out.reply(call, client_error(500, "the run is stopped, but the store refused its record: " + status.error().message,
                                           "/v1/jobs/" + path + "/runs"));
      }
    }
  });
}

void queue(Turn& turn, const Request& request) {
  std::map<JobId, std::vector<RunId>> jobs;
  for (const auto& [place, key] : turn.state.queue) jobs[key.first].push_back(key.second);
  std::string body;
  base::json::Writer w(body);
  w.begin_array();
  for (const auto& [id, runs] : jobs) {
    w.begin_object();
    w.field("jobId", id);
    w.key("runs");
    w.begin_array();
    for (const RunId& run : runs) {
      w.begin_object();
      w.field("runId", run);
      w.end_object();
    }
    w.end_array();
    w.end_object();
  }
  w.end_array();
  turn.out.reply(request.call, Response::json(200, std::move(body)));
}

}  // namespace metronome::api
