// Definitions, and what goes with them on request: runs, schedules, history.

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/strings.hpp"
#include "metronome/api/api.hpp"
#include "metronome/graph.hpp"
#include "metronome/runs.hpp"

namespace metronome::api {
namespace {

using base::http::Response;

const std::set<std::string> kEmbeds = {"activeRuns", "schedules", "history", "historySummary"};

/// Nothing after an answer 400.
std::optional<std::set<std::string>> embeds_of(Turn& turn, const Request& request) {
  std::set<std::string> embeds;
  for (const std::string& value : request.http.query().all("embed")) {
    for (std::string_view word : base::tokenize(value, ',')) {
      if (kEmbeds.contains(std::string(word))) {
        embeds.emplace(word);
        continue;
      }
      turn.out.reply(request.call, client_error(400, "Unknown embed options. Valid options are: activeRuns, schedules, "
                                                     "history, historySummary", request.http.path));
      return std::nullopt;
    }
  }
  return embeds;
}

void write_moment(base::json::Writer& w, std::string_view name, const std::optional<base::Time>& time) {
  w.key(name);
  if (time) {
    w.value(render_moment(*time));
  } else {
    w.null();
  }
}

void write_finished(base::json::Writer& w, std::string_view name, const std::deque<FinishedRun>& runs) {
  w.key(name);
  w.begin_array();
  for (const FinishedRun& run : runs) {
    w.begin_object();
    w.field("id", run.id);
    w.field("createdAt", render_moment(run.created));
    w.field("finishedAt", render_moment(run.finished));
    w.key("tasks");
    w.begin_array();
    for (const TaskId& id : run.tasks) w.value(id);
    w.end_array();
    w.end_object();
  }
  w.end_array();
}

void write_history(base::json::Writer& w, std::string_view name, const History& history, bool runs) {
  w.key(name);
  w.begin_object();
  w.field("successCount", history.successes);
  w.field("failureCount", history.failures);
  write_moment(w, "lastSuccessAt", history.last_success);
  write_moment(w, "lastFailureAt", history.last_failure);
  if (runs) {
    write_finished(w, "successfulFinishedRuns", history.successful);
    write_finished(w, "failedFinishedRuns", history.failed);
  }
  w.end_object();
}

void write_active(base::json::Writer& w, const State& state, const JobState& job) {
  w.key("activeRuns");
  w.begin_array();
  for (const RunId& id : job.active) {
    if (const Run* run = find_run(state, {job.spec->id, id})) write_run(w, *run, status_name(run->status));
  }
  w.end_array();
}

/// `in_list`: the command line takes any array of active runs for a job that runs.
void write_info(base::json::Writer& w, Turn& turn, const JobState& job, const std::set<std::string>& embeds, bool in_list) {
  const Job& spec = *job.spec;
  w.begin_object();
  w.field("id", spec.id);
  if (spec.description) w.field("description", *spec.description);
  w.key("dependencies");
  write_dependencies(w, spec);
  w.key("labels");
  write_labels(w, spec.labels);
  w.key("run");
  write_run_spec(w, spec.run);
  w.key("schedules");
  w.begin_array();
  if (spec.schedule) write_schedule(w, *spec.schedule, turn.now.time);
  w.end_array();
  if (embeds.contains("activeRuns") && !(in_list && job.active.empty())) write_active(w, turn.state, job);
  if (embeds.contains("history")) write_history(w, "history", job.history, true);
  if (embeds.contains("historySummary")) write_history(w, "historySummary", job.history, false);
  w.end_object();
}

std::string render_job(const Job& job, base::Time now) {
  std::string body;
  base::json::Writer w(body);
  write_job(w, job, now);
  return body;
}

/// The definition in the body; nothing after an answer.
std::optional<Job> definition_of(Turn& turn, const Request& request) {
  const auto body = body_of(turn, request);
  if (!body) return std::nullopt;
  Problems problems;
  Job job = read_job(*body, turn.zones, problems);
  if (problems.none()) return job;
  turn.out.reply(request.call, Response::json(422, problems.render()));
  return std::nullopt;
}

/// False after an answer 422.
bool check_dependencies(Turn& turn, const Request& request, const Job& job) {
  const auto error = dependency_error(turn.state, job);
  if (error) turn.out.reply(request.call, message(422, *error));
  return !error;
}

void update(Turn& turn, const Request& request, bool with_schedules) {
  const JobId& id = request.parameters.at("job");
  auto job = definition_of(turn, request);
  if (!job) return;
  const JobState* old = job_of(turn, request);
  if (!old) return;
  job->id = id;
  if (!with_schedules) job->schedule = old->spec->schedule;
  Problems problems;
  check_job(*job, problems);
  if (!problems.none()) return turn.out.reply(request.call, Response::json(422, problems.render()));
  if (!check_dependencies(turn, request, *job)) return;
  Response response = Response::json(200, render_job(*job, turn.now.time));
  put_and_reply(turn, request, std::move(*job), std::move(response));
}

/// Nothing after an answer 400.
std::optional<bool> flag_of(Turn& turn, const Request& request, const std::string& name) {
  const std::string value = request.http.query().get(name).value_or("false");
  if (value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  turn.out.reply(request.call, client_error(400, fmt::format("Cannot parse parameter {} as Boolean: should be true, false, "
                                                             "0 or 1", name), request.http.path));
  return std::nullopt;
}

}  // namespace

void put_and_reply(Turn& turn, const Request& request, Job spec, Response response) {
  const JobId id = spec.id;
  const JobState* old = find_job(turn.state, id);
  const std::shared_ptr<const Job> before = old ? old->spec : nullptr;
  const std::optional<base::Time> slot = old ? old->slot : std::nullopt;
  put_job(turn, std::make_shared<const Job>(std::move(spec)));
  const uint64_t change = find_job(turn.state, id)->changed;
  when_durable(turn, [=, call = request.call, path = request.http.path, response = std::move(response)](
                         Turn& later, const base::Status& status) mutable {
    if (status) return later.out.reply(call, response);
    JobState* job = find_job(later.state, id);
    if (job && job->changed == change) {
      if (before) {
        put_job(later, before);
        restore_slot(later, id, slot);
      } else {
        remove_job(later, id);
      }
    }
    later.out.reply(call, not_stored(status, path));
  });
}

void list_jobs(Turn& turn, const Request& request) {
  const auto embeds = embeds_of(turn, request);
  if (!embeds) return;
  std::string body;
  base::json::Writer w(body);
  w.begin_array();
  for (const auto& [id, job] : turn.state.jobs) write_info(w, turn, job, *embeds, true);
  w.end_array();
  turn.out.reply(request.call, Response::json(200, std::move(body)));
}

void show_job(Turn& turn, const Request& request) {
  const auto embeds = embeds_of(turn, request);
  const JobState* job = embeds ? job_of(turn, request) : nullptr;
  if (!job) return;
  std::string body;
  base::json::Writer w(body);
  write_info(w, turn, *job, *embeds, false);
  turn.out.reply(request.call, Response::json(200, std::move(body)));
}

void create_job(Turn& turn, const Request& request) {
  auto job = definition_of(turn, request);
  if (!job) return;
  if (find_job(turn.state, job->id)) return turn.out.reply(request.call, message(409, "Job with this id already exists"));
  if (!check_dependencies(turn, request, *job)) return;
  if (turn.state.jobs.size() >= turn.policy.max_jobs) {
    return turn.out.reply(request.call, message(409, fmt::format("There are {} jobs, which is the limit: delete some first",
                                                                 turn.policy.max_jobs)));
  }
  Response response = Response::json(201, render_job(*job, turn.now.time));
  put_and_reply(turn, request, std::move(*job), std::move(response));
}

void update_job(Turn& turn, const Request& request) { update(turn, request, false); }
void update_job_with_schedules(Turn& turn, const Request& request) { update(turn, request, true); }

void delete_job(Turn& turn, const Request& request) {
  const auto stop = flag_of(turn, request, "stopCurrentJobRuns");
  JobState* job = stop ? job_of(turn, request) : nullptr;
  if (!job) return;
  const JobId id = job->spec->id;
  if (!job->active.empty() && !*stop) {
    return turn.out.reply(request.call, message(409, "There are active job runs. Override with stopCurrentJobRuns=true"));
  }
  const auto children = turn.state.children.find(id);
  if (children != turn.state.children.end()) {
    const std::vector<std::string> names(children->second.begin(), children->second.end());
    return turn.out.reply(request.call, message(409, fmt::format("There are jobs with a dependency on {}. children=[{}]", id,
                                                                 base::join(names, ", "))));
  }
  Response response = Response::json(200, render_job(*job->spec, turn.now.time));
  auto before = std::make_shared<JobState>(*job);
  remove_job(turn, id);
  for (const RunId& run : before->active) {
    if (Run* active = find_run(turn.state, {id, run})) metronome::stop_run(turn, *active, kDeleted);
  }
  when_durable(turn, [=, call = request.call, path = request.http.path, response = std::move(response)](
                         Turn& later, const base::Status& status) mutable {
    if (status) return later.out.reply(call, response);
    if (!find_job(later.state, id)) {
      std::erase_if(before->active, [&](const RunId& run) { return !find_run(later.state, {id, run}); });
      restore_job(later, id, std::move(*before));
    }
    later.out.reply(call, not_stored(status, path));
  });
}

}  // namespace metronome::api
