// Jobs: what runs by the clock, after other jobs, or by hand.

#include <fmt/format.h>

#include <boost/json.hpp>
#include <map>
#include <set>

#include "base/json/value.hpp"
#include "base/loop.hpp"
#include "base/strings.hpp"
#include "cli/commands.hpp"
#include "cli/job.hpp"
#include "cli/job_metronome.hpp"
#include "cli/json_text.hpp"
#include "cli/marathon.hpp"
#include "cli/table.hpp"

namespace cli {
namespace {

namespace json = boost::json;

constexpr int kLooksForRun = 50;
constexpr base::Duration kBetweenLooks = base::milliseconds(100);

base::Time wall_clock() { return base::system_clock().now().time; }

base::Result<json::value> statistics(Client& client, const std::string& id) {
  return call_chronos(client, "GET", "/job/stat/" + base::percent_encode(id));
}

/// Runs of the job's statistics in one of the given states, newest first.
std::vector<json::value> runs_in(const json::value& stat, std::initializer_list<std::string_view> states) {
  std::vector<json::value> runs;
  each_at(stat, "/taskStatHistory", [&](const json::value& run) {
    const std::string state = text_at(run, "/status");
    for (std::string_view wanted : states) {
      if (state == wanted) runs.push_back(run);
    }
  });
  return runs;
}

/// "03/08/24 20:00:00" as "2024-03-08T20:00:00Z".
std::string moment(const std::string& text) {
  if (text.size() != 17) return text.empty() ? "N/A" : text;
  return fmt::format("20{}-{}-{}T{}Z", text.substr(6, 2), text.substr(0, 2), text.substr(3, 2), text.substr(9));
}

std::string last_run(const json::value& summary) {
  const std::string status = text_at(summary, "/status");
  return status == "success" ? "Success" : status == "failure" ? "Failure" : "N/A";
}

base::Result<std::vector<json::value>> summaries(Client& client) {
  ASSIGN_OR_RETURN(auto answer, call_chronos(client, "GET", "/jobs/summary"));
  std::vector<json::value> list;
  each_at(answer, "/jobs", [&](const json::value& job) { list.push_back(job); });
  return list;
}

bool is_running(const json::value& summary) { return text_at(summary, "/state").ends_with(" running"); }

/// A definition to post, from what GET has shown: its counters stay as the scheduler has them.
json::object for_posting(const json::value& shown) {
  json::object job = shown.get_object();
  for (const char* name : {"successCount", "errorCount", "errorsSinceLastSuccess", "lastSuccess", "lastError"}) job.erase(name);
  if (const auto* fetch = job.if_contains("fetch"); fetch && fetch->is_array() && !fetch->get_array().empty()) job.erase("uris");
  return job;
}

base::Result<std::string> id_of(const json::object& job) {
  const json::value name = job.at("name");
  if (!name.is_string() || name.get_string().empty()) return base::invalid("id: must be a string that is not empty");
  return std::string(name.get_string());
}

}  // namespace

base::Result<int> job_add(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  if (has_metronome(*client)) return metronome::add(context, *client, arguments);
  ASSIGN_OR_RETURN(json::value definition, read_definition(context, arguments.words.empty() ? "" : arguments.words[0]));
  ASSIGN_OR_RETURN(json::object job, chronos_job(definition, wall_clock()));
  ASSIGN_OR_RETURN(const std::string id, id_of(job));
  if (get_job(*client, id)) return base::conflict(fmt::format("Job '{}' already exists", id));
  RETURN_IF_ERROR(post_job(*client, job));
  return 0;
}

base::Result<int> job_update(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  if (has_metronome(*client)) return metronome::update(context, *client, arguments);
  ASSIGN_OR_RETURN(json::value definition, read_definition(context, arguments.words.empty() ? "" : arguments.words[0]));
  ASSIGN_OR_RETURN(json::object job, chronos_job(definition, wall_clock()));
  ASSIGN_OR_RETURN(const std::string id, id_of(job));
  ASSIGN_OR_RETURN(const json::value old, get_job(*client, id));
  // In the form with "run" the schedule is a thing of its own, and stays as it is.
  if (definition.get_object().contains("run") && !job.contains("parents")) {
    for (const char* name : {"schedule", "scheduleTimeZone", "epsilon", "concurrent", "disabled"}) {
      if (const auto* value = old.get_object().if_contains(name)) job[name] = *value;
    }
  }
  RETURN_IF_ERROR(post_job(*client, job));
  return 0;
}

base::Result<int> job_remove(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  if (has_metronome(*client)) return metronome::remove(context, *client, arguments);
  const std::string& id = arguments.words[0];
  ASSIGN_OR_RETURN(const json::value stat, statistics(*client, id));
  if (!arguments.has("stop-current-job-runs") && !runs_in(stat, {"Running", "Idle"}).empty()) {
    return base::conflict(fmt::format("job \"{}\" is running", id));
  }
  ASSIGN_OR_RETURN([[maybe_unused]] auto answer, call_chronos(*client, "DELETE", job_path(id)));
  return 0;
}

base::Result<int> job_show(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  if (has_metronome(*client)) return metronome::show(context, *client, arguments);
  ASSIGN_OR_RETURN(const json::value job, get_job(*client, arguments.words[0]));
  context.line(base::json::render_pretty(job_with_run(job), 4));
  return 0;
}

base::Result<int> job_list(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  if (has_metronome(*client)) return metronome::list(context, *client, arguments);
  ASSIGN_OR_RETURN(const auto jobs, summaries(*client));
  if (arguments.has("quiet")) {
    for (const json::value& job : jobs) context.line(text_at(job, "/name"));
    return 0;
  }
  if (arguments.has("json")) {
    std::map<std::string, const json::value*> by_name;
    for (const json::value& job : jobs) by_name[text_at(job, "/name")] = &job;
    ASSIGN_OR_RETURN(const json::value full, call_chronos(*client, "GET", "/jobs"));
    json::array list;
    each_at(full, "", [&](const json::value& job) {
      json::object shown = job_with_run(job);
      const auto it = by_name.find(text_at(job, "/name"));
      // Left out for idle jobs: clients take its presence for a run.
      if (it != by_name.end() && is_running(*it->second)) shown["activeRuns"] = json::array();
      list.push_back(std::move(shown));
    });
    context.line(base::json::render_pretty(list, 4));
    return 0;
  }
  Table table({"ID", "STATUS", "LAST RUN"});
  for (const json::value& job : jobs) {
    const bool scheduled = is_scheduled(job) && !flag_at(job, "/disabled");
    table.add({text_at(job, "/name"), is_running(job) ? "Running" : scheduled ? "Scheduled" : "Unscheduled", last_run(job)});
  }
  context.out(table.render());
  return 0;
}

base::Result<int> job_run(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  if (has_metronome(*client)) return metronome::run(context, *client, arguments);
  const std::string& id = arguments.words[0];
  ASSIGN_OR_RETURN(const json::value job, get_job(*client, id));
  if (flag_at(job, "/disabled")) return base::conflict(fmt::format("job \"{}\" is disabled: it takes no runs", id));
  const auto all_ids = [&]() -> base::Result<std::set<std::string>> {
    ASSIGN_OR_RETURN(const json::value stat, statistics(*client, id));
    std::set<std::string> ids;
    each_at(stat, "/taskStatHistory", [&](const json::value& run) { ids.insert(text_at(run, "/taskId")); });
    return ids;
  };
  ASSIGN_OR_RETURN(const auto before, all_ids());
  ASSIGN_OR_RETURN([[maybe_unused]] auto answer, call_chronos(*client, "PUT", job_path(id)));
  // The run has a name when an offer has been found for it.
  for (int look = 0; look < kLooksForRun; ++look) {
    ASSIGN_OR_RETURN(const auto after, all_ids());
    for (const std::string& run : after) {
      if (before.contains(run)) continue;
      if (arguments.has("json")) {
        context.line(base::json::render_pretty(json::object{{"id", run}, {"jobId", id}}, 4));
      } else {
        context.line(arguments.has("quiet") ? run : "Run ID: " + run);
      }
      return 0;
    }
    client->pause(kBetweenLooks);
  }
  context.note(fmt::format("Job '{}' waits for an offer: see `dcos job queue`", id));
  return 0;
}

base::Result<int> job_kill(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  if (has_metronome(*client)) return metronome::kill(context, *client, arguments);
  const std::string& id = arguments.words[0];
  ASSIGN_OR_RETURN(const json::value stat, statistics(*client, id));
  const auto runs = runs_in(stat, {"Running", "Idle"});
  if (arguments.words.size() == 1 && !arguments.has("all")) {
    return base::invalid("name the run to kill, or give --all");
  }
  if (arguments.words.size() == 2) {
    bool found = false;
    for (const json::value& run : runs) found = found || text_at(run, "/taskId") == arguments.words[1];
    if (!found) return base::not_found(fmt::format("job \"{}\" has no run '{}'", id, arguments.words[1]));
    if (runs.size() > 1) {
      return base::unsupported(fmt::format("job \"{}\" has {} runs, and this scheduler kills them together: use --all", id, runs.size()));
    }
  }
  ASSIGN_OR_RETURN([[maybe_unused]] auto answer, call_chronos(*client, "DELETE", "/task/kill/" + base::percent_encode(id)));
  return 0;
}

base::Result<int> job_history(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  if (has_metronome(*client)) return metronome::history(context, *client, arguments);
  ASSIGN_OR_RETURN(const json::value stat, statistics(*client, arguments.words[0]));
  if (arguments.has("json")) {
    context.line(base::json::render_pretty(stat, 4));
    return 0;
  }
  const auto runs = arguments.has("failures") ? runs_in(stat, {"Fail"}) : runs_in(stat, {"Success"});
  if (arguments.has("quiet")) {
    for (const json::value& run : runs) context.line(text_at(run, "/taskId"));
    return 0;
  }
  Table table({"RUN ID", "STARTED", "FINISHED"});
  for (const json::value& run : runs) {
    table.add({text_at(run, "/taskId"), moment(text_at(run, "/startTime")), moment(text_at(run, "/endTime"))});
  }
  context.out(table.render());
  return 0;
}

base::Result<int> job_show_runs(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  if (has_metronome(*client)) return metronome::show_runs(context, *client, arguments);
  ASSIGN_OR_RETURN(const json::value stat, statistics(*client, arguments.words[0]));
  const auto runs = runs_in(stat, {"Running", "Idle"});
  if (arguments.has("json")) {
    context.line(base::json::render_pretty(json::array(runs.begin(), runs.end()), 4));
    return 0;
  }
  Table table({"TASK ID", "JOB ID", "STARTED AT"});
  for (const json::value& run : runs) {
    if (arguments.has("quiet")) {
      context.line(text_at(run, "/taskId"));
    } else {
      table.add({text_at(run, "/taskId"), text_at(run, "/jobName"), moment(text_at(run, "/startTime"))});
    }
  }
  if (!arguments.has("quiet")) context.out(table.render());
  return 0;
}

base::Result<int> job_queue(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  if (has_metronome(*client)) return metronome::queue(context, *client, arguments);
  ASSIGN_OR_RETURN(const auto jobs, summaries(*client));
  json::array list;
  Table table({"JOB ID", "RUN ID"});
  for (const json::value& job : jobs) {
    if (text_at(job, "/state") != "queued") continue;
    // A run gets its id with its offer.
    table.add({text_at(job, "/name"), "-"});
    list.push_back(json::object{{"jobId", text_at(job, "/name")}, {"runs", json::array()}});
    if (arguments.has("quiet")) context.line(text_at(job, "/name"));
  }
  if (arguments.has("json")) {
    context.line(base::json::render_pretty(list, 4));
  } else if (!arguments.has("quiet")) {
    context.out(table.render());
  }
  return 0;
}

base::Result<int> job_schedule_show(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  if (has_metronome(*client)) return metronome::schedule_show(context, *client, arguments);
  ASSIGN_OR_RETURN(const json::value job, get_job(*client, arguments.words[0]));
  const json::object shown = job_with_run(job);
  if (arguments.has("json")) {
    context.line(base::json::render_pretty(shown.at("schedules"), 4));
    return 0;
  }
  Table table({"ID", "CRON", "ENABLED", "NEXT RUN", "CONCURRENCY POLICY"});
  for (const json::value& schedule : shown.at("schedules").get_array()) {
    if (arguments.has("quiet")) {
      context.line(text_at(schedule, "/id"));
      continue;
    }
    table.add({text_at(schedule, "/id"), text_at(schedule, "/interval"), flag_at(schedule, "/enabled") ? "true" : "false",
               text_at(schedule, "/nextRunAt"), text_at(schedule, "/concurrencyPolicy")});
  }
  if (!arguments.has("quiet")) context.out(table.render());
  return 0;
}

namespace {

base::Result<int> set_schedule(Context& context, Client& client, const Arguments& arguments, bool must_exist) {
  const std::string& id = arguments.words[0];
  ASSIGN_OR_RETURN(const json::value schedule, read_definition(context, arguments.words.size() > 1 ? arguments.words[1] : ""));
  ASSIGN_OR_RETURN(const json::value old, get_job(client, id));
  if (!must_exist && is_scheduled(old)) {
    return base::conflict(fmt::format("job \"{}\" has a schedule, and only one is supported: use `dcos job schedule update`", id));
  }
  if (must_exist && !is_scheduled(old)) return base::not_found(fmt::format("job \"{}\" has no schedule", id));
  if (old.get_object().contains("parents")) return base::conflict(fmt::format("job \"{}\" has dependencies, and takes no schedule", id));
  json::object job = for_posting(old);
  RETURN_IF_ERROR(apply_schedule(schedule, "schedule", wall_clock(), job));
  RETURN_IF_ERROR(post_job(client, job));
  return 0;
}

}  // namespace

base::Result<int> job_schedule_add(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  if (has_metronome(*client)) return metronome::schedule_add(context, *client, arguments);
  return set_schedule(context, *client, arguments, false);
}

base::Result<int> job_schedule_update(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  if (has_metronome(*client)) return metronome::schedule_update(context, *client, arguments);
  return set_schedule(context, *client, arguments, true);
}

base::Result<int> job_schedule_remove(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  if (has_metronome(*client)) return metronome::schedule_remove(context, *client, arguments);
  const std::string& id = arguments.words[0];
  ASSIGN_OR_RETURN(const json::value old, get_job(*client, id));
  if (!is_scheduled(old) || arguments.words[1] != "default") {
    return base::not_found(fmt::format("job \"{}\" has no schedule '{}'", id, arguments.words[1]));
  }
  json::object job = for_posting(old);
  const std::string schedule = text_at(old, "/schedule");
  const auto pieces = base::split(schedule, '/');
  job["schedule"] = fmt::format("R0/{}/{}", pieces[1], pieces[2]);
  RETURN_IF_ERROR(post_job(*client, job));
  return 0;
}

}  // namespace cli
