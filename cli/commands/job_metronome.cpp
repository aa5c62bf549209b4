#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "cli/job_metronome.hpp"
#include "cli/json_text.hpp"
#include "cli/marathon.hpp"
#include "cli/table.hpp"

namespace cli {

bool has_metronome(const Client& client) { return !client.settings().job.empty(); }

namespace metronome {
namespace {

namespace json = boost::json;

std::string job_path(const std::string& id) { return "/v1/jobs/" + base::percent_encode(id); }
std::string run_path(const std::string& id, const std::string& run) { return job_path(id) + "/runs/" + base::percent_encode(run); }
std::string schedule_path(const std::string& id, const std::string& schedule) {
  return job_path(id) + "/schedules/" + base::percent_encode(schedule);
}

/// The service's sentence, and for a body that it refuses each place and what is wrong there.
base::Error refusal(const base::http::Response& response) {
  const auto answer = base::json::parse(response.body);
  std::string message = answer ? text_at(*answer, "/message") : "";
  if (message.empty()) return http_error(response);
  each_at(*answer, "/details", [&](const json::value& detail) {
    each_at(detail, "/errors", [&](const json::value& error) {
      if (error.is_string()) message += fmt::format("\n  {}: {}", text_at(detail, "/path"), std::string_view(error.get_string()));
    });
  });
  return base::invalid(message);
}

struct Words {
  std::string missing;   // what a 404 means
  std::string conflict;  // what a 409 means; empty: what the service says
};

base::Result<json::value> ask(Client& client, const std::string& method, const std::string& path, const Words& words,
                              const std::string& body = "") {
  base::http::Headers headers{{"Accept", "application/json"}};
  if (!body.empty()) headers.set("Content-Type", "application/json");
  ASSIGN_OR_RETURN(const auto response, client.send(method, client.settings().job + path, body, std::move(headers)));
  if (response.status == 404 && !words.missing.empty()) return base::not_found(words.missing);
  if (response.status == 409 && !words.conflict.empty()) return base::conflict(words.conflict);
  if (response.status < 200 || response.status > 299) return refusal(response);
  if (base::trim(response.body).empty()) return json::value(nullptr);
  return base::json::parse(response.body);
}

Words of_job(const std::string& id) { return {fmt::format("job \"{}\" does not exist", id), ""}; }

/// The definition that a user wrote, and its id.
base::Result<std::pair<json::object, std::string>> definition(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const json::value value, read_definition(context, arguments.words.empty() ? "" : arguments.words[0]));
  if (!value.is_object()) return base::invalid("the definition must be a JSON object");
  const std::string id = text_at(value, "/id");
  if (id.empty()) return base::invalid("jobs JSON requires an ID");
  return std::pair(value.get_object(), id);
}

/// The first of its schedules, taken out: the service has a call of its own for it.
json::value take_schedule(json::object& job) {
  json::value first;
  if (const auto* schedules = job.if_contains("schedules"); schedules && schedules->is_array() && !schedules->get_array().empty()) {
    first = schedules->get_array()[0];
  }
  job.erase("schedules");
  return first;
}

std::string last_run(const json::value& job) {
  const std::string success = text_at(job, "/historySummary/lastSuccessAt"), failure = text_at(job, "/historySummary/lastFailureAt");
  if (success.empty() && failure.empty()) return "N/A";
  // Both in the one form that sorts by time.
  return success > failure ? "Success" : "Failure";
}

void print(Context& context, const json::value& value) { context.line(base::json::render_pretty(value, 4)); }

base::Result<json::value> schedule_of(Context& context, const Arguments& arguments) {
  return read_definition(context, arguments.words.size() > 1 ? arguments.words[1] : "");
}

}  // namespace

base::Result<int> add(Context& context, Client& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(auto read, definition(context, arguments));
  auto& [job, id] = read;
  const json::value schedule = take_schedule(job);
  ASSIGN_OR_RETURN([[maybe_unused]] auto added, ask(client, "POST", "/v1/jobs", {}, base::json::render(job)));
  if (schedule.is_null()) return 0;
  ASSIGN_OR_RETURN([[maybe_unused]] auto scheduled,
                   ask(client, "POST", job_path(id) + "/schedules", of_job(id), base::json::render(schedule)));
  return 0;
}

base::Result<int> update(Context& context, Client& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(auto read, definition(context, arguments));
  auto& [job, id] = read;
  take_schedule(job);
  ASSIGN_OR_RETURN([[maybe_unused]] auto answer, ask(client, "PUT", job_path(id), of_job(id), base::json::render(job)));
  return 0;
}

base::Result<int> remove(Context&, Client& client, const Arguments& arguments) {
  const std::string& id = arguments.words[0];
  const bool stop = arguments.has("stop-current-job-runs");
  Words words = of_job(id);
  words.conflict = stop ? "" : fmt::format("job \"{}\" is running", id);
  ASSIGN_OR_RETURN([[maybe_unused]] auto answer,
                   ask(client, "DELETE", job_path(id) + (stop ? "?stopCurrentJobRuns=true" : ""), words));
  return 0;
}

base::Result<int> show(Context& context, Client& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const json::value job, ask(client, "GET", job_path(arguments.words[0]), of_job(arguments.words[0])));
  print(context, job);
  return 0;
}

base::Result<int> list(Context& context, Client& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const json::value jobs,
                   ask(client, "GET", "/v1/jobs?embed=activeRuns&embed=schedules&embed=historySummary", {}));
  if (arguments.has("json")) return print(context, jobs), 0;
  Table table({"ID", "STATUS", "LAST RUN"});
  each_at(jobs, "", [&](const json::value& job) {
    if (arguments.has("quiet")) return context.line(text_at(job, "/id"));
    const json::value* runs = base::json::find(job, "/activeRuns");
    const json::value* schedules = base::json::find(job, "/schedules");
    const bool scheduled = schedules && schedules->is_array() && !schedules->get_array().empty();
    table.add({text_at(job, "/id"), runs && !runs->is_null() ? "Running" : scheduled ? "Scheduled" : "Unscheduled", last_run(job)});
  });
  if (!arguments.has("quiet")) context.out(table.render());
  return 0;
}

base::Result<int> run(Context& context, Client& client, const Arguments& arguments) {
  const std::string& id = arguments.words[0];
  ASSIGN_OR_RETURN(const json::value started, ask(client, "POST", job_path(id) + "/runs", of_job(id)));
  if (arguments.has("json")) return print(context, started), 0;
  context.line((arguments.has("quiet") ? "" : "Run ID: ") + text_at(started, "/id"));
  return 0;
}

base::Result<int> kill(Context&, Client& client, const Arguments& arguments) {
  const std::string& id = arguments.words[0];
  if (arguments.words.size() == 2 && arguments.has("all")) return base::invalid("cannot accept both a run-id and the --all option");
  if (arguments.words.size() == 1 && !arguments.has("all")) {
    return base::invalid("run-id must be specified or --all option must be set");
  }
  std::vector<std::string> runs;
  if (arguments.words.size() == 2) {
    runs.push_back(arguments.words[1]);
  } else {
    ASSIGN_OR_RETURN(const json::value active, ask(client, "GET", job_path(id) + "/runs", of_job(id)));
    each_at(active, "", [&](const json::value& one) { runs.push_back(text_at(one, "/id")); });
  }
  for (const std::string& one : runs) {
    const Words words{fmt::format("job \"{}\" or run \"{}\" does not exist", id, one), ""};
    ASSIGN_OR_RETURN([[maybe_unused]] auto answer, ask(client, "POST", run_path(id, one) + "/actions/stop", words));
  }
  return 0;
}

base::Result<int> history(Context& context, Client& client, const Arguments& arguments) {
  const std::string& id = arguments.words[0];
  ASSIGN_OR_RETURN(const json::value job,
                   ask(client, "GET", job_path(id) + "?embed=activeRuns&embed=schedules&embed=history", of_job(id)));
  const bool failures = arguments.has("failures");
  const char* runs = failures ? "/history/failedFinishedRuns" : "/history/successfulFinishedRuns";
  if (arguments.has("json")) {
    const json::value* found = base::json::find(job, "/history");
    return print(context, found ? *found : json::value(nullptr)), 0;
  }
  Table table({"RUN ID", "STARTED", "FINISHED"});
  each_at(job, runs, [&](const json::value& one) {
    if (arguments.has("quiet")) return context.line(text_at(one, "/id"));
    table.add({text_at(one, "/id"), text_at(one, "/createdAt"), text_at(one, "/finishedAt")});
  });
  if (arguments.has("quiet")) return 0;
  const std::string count = text_at(job, failures ? "/history/failureCount" : "/history/successCount", "0");
  std::string line = fmt::format("\"{}\"  {}: {}", id, failures ? "Failure runs" : "Successful runs", count);
  if (count != "0") {
    line += failures ? " Last Failure: " + text_at(job, "/history/lastFailureAt")
                     : " Last Success: " + text_at(job, "/history/lastSuccessAt");
  }
  context.line(line);
  context.out(table.render());
  return 0;
}

base::Result<int> show_runs(Context& context, Client& client, const Arguments& arguments) {
  const std::string& id = arguments.words[0];
  ASSIGN_OR_RETURN(const json::value runs, ask(client, "GET", job_path(id) + "/runs", of_job(id)));
  if (arguments.has("json")) return print(context, runs), 0;
  Table table({"TASK ID", "JOB ID", "STARTED AT"});
  each_at(runs, "", [&](const json::value& one) {
    if (arguments.has("quiet")) return context.line(text_at(one, "/id"));
    table.add({text_at(one, "/id"), id, text_at(one, "/createdAt")});
  });
  if (!arguments.has("quiet")) context.out(table.render());
  return 0;
}

base::Result<int> queue(Context& context, Client& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const json::value jobs, ask(client, "GET", "/v1/queue", {}));
  if (arguments.has("json")) return print(context, jobs), 0;
  Table table({"JOB ID", "RUN ID"});
  each_at(jobs, "", [&](const json::value& job) {
    each_at(job, "/runs", [&](const json::value& one) {
      if (arguments.has("quiet")) return context.line(text_at(one, "/runId"));
      table.add({text_at(job, "/jobId"), text_at(one, "/runId")});
    });
  });
  if (!arguments.has("quiet")) context.out(table.render());
  return 0;
}

base::Result<int> schedule_show(Context& context, Client& client, const Arguments& arguments) {
  const std::string& id = arguments.words[0];
  ASSIGN_OR_RETURN(const json::value schedules, ask(client, "GET", job_path(id) + "/schedules", of_job(id)));
  if (arguments.has("json")) return print(context, schedules), 0;
  Table table({"ID", "CRON", "ENABLED", "NEXT RUN", "CONCURRENCY POLICY"});
  each_at(schedules, "", [&](const json::value& one) {
    if (arguments.has("quiet")) return context.line(text_at(one, "/id"));
    table.add({text_at(one, "/id"), text_at(one, "/cron"), flag_at(one, "/enabled") ? "true" : "false", text_at(one, "/nextRunAt"),
               text_at(one, "/concurrencyPolicy")});
  });
  if (!arguments.has("quiet")) context.out(table.render());
  return 0;
}

base::Result<int> schedule_add(Context& context, Client& client, const Arguments& arguments) {
  const std::string& id = arguments.words[0];
  ASSIGN_OR_RETURN(const json::value schedule, schedule_of(context, arguments));
  ASSIGN_OR_RETURN([[maybe_unused]] auto answer,
                   ask(client, "POST", job_path(id) + "/schedules", of_job(id), base::json::render(schedule)));
  return 0;
}

base::Result<int> schedule_update(Context& context, Client& client, const Arguments& arguments) {
  const std::string& id = arguments.words[0];
  ASSIGN_OR_RETURN(const json::value schedule, schedule_of(context, arguments));
  const std::string which = text_at(schedule, "/id");
  if (which.empty()) return base::invalid("field \"id\" needs to be set in schedule JSON");
  const Words words{fmt::format("job \"{}\" or schedule \"{}\" does not exist", id, which), ""};
  ASSIGN_OR_RETURN([[maybe_unused]] auto answer, ask(client, "PUT", schedule_path(id, which), words, base::json::render(schedule)));
  return 0;
}

base::Result<int> schedule_remove(Context&, Client& client, const Arguments& arguments) {
  const std::string &id = arguments.words[0], &which = arguments.words[1];
  const Words words{fmt::format("job \"{}\" or schedule \"{}\" does not exist", id, which), ""};
  ASSIGN_OR_RETURN([[maybe_unused]] auto answer, ask(client, "DELETE", schedule_path(id, which), words));
  return 0;
}

}  // namespace metronome
}  // namespace cli
