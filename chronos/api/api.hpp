#pragma once

// The HTTP API as pure translation: requests to changes of the state, state to JSON. routes.cpp is the table.

#include <map>
#include <string>
#include <string_view>

#include "chronos/events.hpp"
#include "chronos/state.hpp"

namespace chronos::api {

struct Request {
  CallId call = 0;
  const base::http::Request& http;
  std::map<std::string, std::string> parameters;  // decoded {name} pieces of the path
  const std::string& address;                     // "host:port" of this scheduler
};

/// Answers a request, now or when what it changes is durable.
void on_request(Turn& turn, const std::string& address, const HttpRequested& event);

/// {"status":"Bad Request","message":...}: the reason phrase, and one line.
base::http::Response refuse(int status, const std::string& message);
base::http::Response no_content();
base::http::Response not_stored(const base::Status& status);

// Handlers, by file.
void list_jobs(Turn& turn, const Request& request);
void summarize_jobs(Turn& turn, const Request& request);
void search_jobs(Turn& turn, const Request& request);
void show_job(Turn& turn, const Request& request);
void job_stat(Turn& turn, const Request& request);
void percentiles(Turn& turn, const Request& request);

void post_scheduled(Turn& turn, const Request& request);
void post_dependent(Turn& turn, const Request& request);
void delete_job(Turn& turn, const Request& request);
void run_job(Turn& turn, const Request& request);
void mark_job(Turn& turn, const Request& request);

void kill_job(Turn& turn, const Request& request);
void complete_task(Turn& turn, const Request& request);
void purge_tasks(Turn& turn, const Request& request);
void report_progress(Turn& turn, const Request& request);

void graph_dot(Turn& turn, const Request& request);
void graph_csv(Turn& turn, const Request& request);
void ping(Turn& turn, const Request& request);
void health(Turn& turn, const Request& request);
void leader(Turn& turn, const Request& request);
void metrics(Turn& turn, const Request& request);
void front_page(Turn& turn, const Request& request);

// What several of them need.
std::string_view status_of(const JobState& job);  // "success", "failure" or "fresh"
std::string state_of(const State& state, const JobState& job);  // "idle", "queued" or "2 running"
std::string schedule_of(const JobState& job);

/// The job of the path, or null after an answer 400.
JobState* job_of(Turn& turn, const Request& request, const char* parameter = "name");

/// Answers 204 when what the turn changes is durable; `undo` takes it back when the store refuses.
void reply_when_durable(Turn& turn, CallId call, std::function<void(Turn&)> undo);

}  // namespace chronos::api
