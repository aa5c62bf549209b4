// The schedule of a job by itself: there is one at most.

#include <fmt/format.h>

#include <boost/json.hpp>

#include "metronome/api/api.hpp"

namespace metronome::api {
namespace {

using base::http::Response;

std::string render(const Schedule& schedule, base::Time now) {
  std::string body;
  base::json::Writer w(body);
  write_schedule(w, schedule, now);
  return body;
}

Response unknown_schedule(const std::string& id) {
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  w.field("id", id);
  w.field("message", "Schedule not found");
  w.end_object();
  return Response::json(404, std::move(body));
}

/// The job with the schedule of the path, or null after an answer 404.
JobState* scheduled_job_of(Turn& turn, const Request& request) {
  JobState* job = job_of(turn, request);
  if (!job) return nullptr;
  const std::string& id = request.parameters.at("schedule");
  if (job->spec->schedule && job->spec->schedule->id == id) return job;
  turn.out.reply(request.call, unknown_schedule(id));
  return nullptr;
}

/// Nothing after an answer.
std::optional<Schedule> schedule_of_body(Turn& turn, const Request& request) {
  const auto body = body_of(turn, request);
  if (!body) return std::nullopt;
  Problems problems;
  Schedule schedule = read_schedule(*body, turn.zones, problems);
  if (problems.none()) return schedule;
  turn.out.reply(request.call, Response::json(422, problems.render()));
  return std::nullopt;
}

/// The job with another schedule, or none.
void put(Turn& turn, const Request& request, const Job& old, std::optional<Schedule> schedule, Response response) {
  Job job = old;
  job.schedule = std::move(schedule);
  Problems problems;
  check_job(job, problems);
  if (!problems.none()) return turn.out.reply(request.call, Response::json(422, problems.render()));
  put_and_reply(turn, request, std::move(job), std::move(response));
}

}  // namespace

void list_schedules(Turn& turn, const Request& request) {
  const JobState* job = job_of(turn, request);
  if (!job) return;
  const auto& schedule = job->spec->schedule;
  turn.out.reply(request.call, Response::json(200, schedule ? "[" + render(*schedule, turn.now.time) + "]" : "[]"));
}

void show_schedule(Turn& turn, const Request& request) {
  const JobState* job = scheduled_job_of(turn, request);
  if (job) turn.out.reply(request.call, Response::json(200, render(*job->spec->schedule, turn.now.time)));
}

void create_schedule(Turn& turn, const Request& request) {
  auto schedule = schedule_of_body(turn, request);
  const JobState* job = schedule ? job_of(turn, request) : nullptr;
  if (!job) return;
  if (const auto& old = job->spec->schedule) {
    return turn.out.reply(request.call, message(409, old->id == schedule->id
                                                         ? fmt::format("requirement failed: A schedule with id {} already exists", old->id)
                                                         : "requirement failed: Only one schedule supported at the moment"));
  }
  Response response = Response::json(201, render(*schedule, turn.now.time));
  put(turn, request, *job->spec, std::move(schedule), std::move(response));
}

void update_schedule(Turn& turn, const Request& request) {
  auto schedule = schedule_of_body(turn, request);
  const JobState* job = schedule ? scheduled_job_of(turn, request) : nullptr;
  if (!job) return;
  schedule->id = request.parameters.at("schedule");
  Response response = Response::json(200, render(*schedule, turn.now.time));
  put(turn, request, *job->spec, std::move(schedule), std::move(response));
}

void delete_schedule(Turn& turn, const Request& request) {
  const JobState* job = scheduled_job_of(turn, request);
  if (job) put(turn, request, *job->spec, std::nullopt, Response::text(200, ""));
}

}  // namespace metronome::api
