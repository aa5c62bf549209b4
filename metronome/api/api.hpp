#pragma once

// The HTTP API as pure translation: requests to changes of the state, state to JSON. routes.cpp is the table.

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "metronome/events.hpp"
#include "metronome/state.hpp"

namespace metronome::api {

struct Request {
  CallId call = 0;
  const base::http::Request& http;
  std::map<std::string, std::string> parameters;  // decoded {name} pieces of the path
  const std::string& address;                     // "host:port" of this scheduler
};

/// Answers a request, now or when what it changes is durable.
void on_request(Turn& turn, const std::string& address, const HttpRequested& event);

/// GET /v1/metrics of a process that does not act.
std::string standby_metrics();

/// A run is over: those who asked to stop it are answered when that is durable.
void answer_stopped(Turn& turn, const Run& run);

// Answers.
base::http::Response message(int status, const std::string& text);                        // {"message":...}
base::http::Response client_error(int status, const std::string& text, const std::string& path);
base::http::Response unknown_job(const JobId& id);
base::http::Response not_stored(const base::Status& status, const std::string& path);

// Handlers, by file.
void list_jobs(Turn& turn, const Request& request);
void show_job(Turn& turn, const Request& request);
void create_job(Turn& turn, const Request& request);
void update_job(Turn& turn, const Request& request);
void update_job_with_schedules(Turn& turn, const Request& request);
void delete_job(Turn& turn, const Request& request);

void list_schedules(Turn& turn, const Request& request);
void create_schedule(Turn& turn, const Request& request);
void show_schedule(Turn& turn, const Request& request);
void update_schedule(Turn& turn, const Request& request);
void delete_schedule(Turn& turn, const Request& request);

void list_runs(Turn& turn, const Request& request);
void start_run(Turn& turn, const Request& request);
void show_run(Turn& turn, const Request& request);
void stop_run(Turn& turn, const Request& request);
void queue(Turn& turn, const Request& request);

void ping(Turn& turn, const Request& request);
void info(Turn& turn, const Request& request);
void leader(Turn& turn, const Request& request);
void metrics(Turn& turn, const Request& request);

// What several of them need.

/// The job of the path, or null after an answer 404.
JobState* job_of(Turn& turn, const Request& request);

/// The JSON of the body, or nothing after an answer 400 or 415.
std::optional<base::json::Value> body_of(Turn& turn, const Request& request);

/// Puts the definition in the place of the job's, or makes a job of it; answers when that is durable. A store that
/// refuses leaves everything as it was.
void put_and_reply(Turn& turn, const Request& request, Job spec, base::http::Response response);

void write_run(base::json::Writer& w, const Run& run, std::string_view status);
std::string_view status_name(RunStatus status);

}  // namespace metronome::api
