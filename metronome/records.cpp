#include "metronome/records.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "metronome/due.hpp"
#include "metronome/runs.hpp"

namespace metronome {
namespace {

namespace json = boost::json;
using base::json::find;
using base::json::get_bool;
using base::json::get_int;
using base::json::get_string;

void write_time(base::json::Writer& w, std::string_view name, const std::optional<base::Time>& time) {
  if (time) w.field(name, milliseconds_of(*time));
}

std::optional<base::Time> read_time(const json::value& root, std::string_view pointer) {
  const auto ms = get_int(root, pointer);
  if (!ms) return std::nullopt;
  return time_of_milliseconds(*ms);
}

base::Result<base::Time> need_time(const json::value& root, std::string_view pointer) {
  ASSIGN_OR_RETURN(const int64_t ms, get_int(root, pointer));
  return time_of_milliseconds(ms);
}

void write_definition(base::json::Writer& w, const Job& job) {
  std::string text;
  base::json::Writer inner(text);
  // "nextRunAt" is not read back.
  write_job(inner, job, base::Time{});
  w.key("definition");
  w.raw(text);
}

base::Result<std::shared_ptr<const Job>> read_definition(const json::value& root, const base::TimeZones& zones) {
  const json::value* definition = find(root, "/definition");
  if (!definition) return base::invalid("/definition is missing");
  Problems problems;
  Job job = read_job(*definition, zones, problems);
  if (!problems.none()) return base::invalid(problems.summary());
  return std::make_shared<const Job>(std::move(job));
}

void write_launched(base::json::Writer& w, const Launched& launched) {
  w.key("launched");
  w.begin_object();
  w.field("task", launched.id);
  w.field("agent", launched.agent_id);
  w.field("at", milliseconds_of(launched.at));
  w.field("seen", launched.seen);
  w.field("epoch", launched.epoch);
  w.end_object();
}

base::Result<Launched> read_launched(const json::value& value) {
  Launched launched;
  ASSIGN_OR_RETURN(launched.id, get_string(value, "/task"));
  ASSIGN_OR_RETURN(launched.agent_id, get_string(value, "/agent"));
  ASSIGN_OR_RETURN(launched.at, need_time(value, "/at"));
  ASSIGN_OR_RETURN(launched.seen, get_bool(value, "/seen"));
  launched.sent = true;
  launched.epoch = base::json::get_uint(value, "/epoch").value_or(0);
  return launched;
}

void bad_record(Turn& turn, const std::string& key, const std::string& why) {
  turn.out.trace(TraceLevel::Error, fmt::format("the stored record '{}' is left aside: {}", base::valid_utf8(key), why));
  turn.count("persistence.bad-records");
}

void recover_job(Turn& turn, const std::string& key, const std::string& text) {
  auto job = decode_job(text, turn.zones);
  if (!job) return bad_record(turn, key, job.error().message);
  const JobId id = job->spec->id;
  for (const JobId& parent : job->spec->dependencies) turn.state.children[parent].insert(id);
  turn.state.next_number = std::max({turn.state.next_number, job->started + 1, job->ended + 1});
  JobState& stored = turn.state.jobs.insert_or_assign(id, std::move(*job)).first->second;
  wake_for_slot(turn.state, stored);
}

void recover_run(Turn& turn, const std::string& key, const std::string& text) {
  auto read = decode_run(text, turn.zones);
  if (!read) return bad_record(turn, key, read.error().message);
  const RunKey where = read->key();
  // Of a job that was deleted and made anew meanwhile: it is stopped, and no run of this one.
  JobState* job = find_job(turn.state, where.first);
  if (job && !read->stopping) job->active.insert(where.second);
  if (job && read->stopping && read->why != kDeleted) job->active.insert(where.second);
  if (read->launched) turn.state.tasks[read->launched->id] = where;
  turn.state.runs.insert_or_assign(where, std::move(*read));
  turn.state.touched.insert(where);
}

void recover_ended(Turn& turn, const std::string& key, const std::string& text) {
  const auto pieces = base::split(key, ':');
  JobState* job = pieces.size() == 4 ? find_job(turn.state, std::string(pieces[1])) : nullptr;
  auto run = decode_finished(text);
  if (!run || !job) return bad_record(turn, key, run ? "its job is missing" : run.error().message);
  (pieces[2] == "ok" ? job->history.successful : job->history.failed).push_back(std::move(*run));
}

}  // namespace

std::string job_key(const JobId& id) { return "job:" + id; }
std::string run_key(const RunKey& key) { return "run:" + key.first + ":" + key.second; }

std::string history_key(const JobId& id, bool success, const RunId& run) {
  return fmt::format("ended:{}:{}:{}", id, success ? "ok" : "failed", run);
}

std::string encode_job(const JobState& job) {
  std::string text;
  base::json::Writer w(text);
  w.begin_object();
  write_definition(w, *job.spec);
  write_time(w, "slot", job.slot);
  w.field("started", job.started);
  w.field("ended", job.ended);
  w.field("last", job.last == Outcome::None ? "none" : job.last == Outcome::Success ? "success" : "failed");
  w.field("successes", job.history.successes);
  w.field("failures", job.history.failures);
  write_time(w, "lastSuccess", job.history.last_success);
  write_time(w, "lastFailure", job.history.last_failure);
  w.end_object();
  return text;
}

base::Result<JobState> decode_job(const std::string& text, const base::TimeZones& zones) {
  ASSIGN_OR_RETURN(const json::value root, base::json::parse(text));
  JobState job;
  ASSIGN_OR_RETURN(job.spec, read_definition(root, zones));
  if (job.spec->schedule) job.slot = read_time(root, "/slot");
  ASSIGN_OR_RETURN(job.started, base::json::get_uint(root, "/started"));
  ASSIGN_OR_RETURN(job.ended, base::json::get_uint(root, "/ended"));
  ASSIGN_OR_RETURN(const std::string last, get_string(root, "/last"));
  job.last = last == "success" ? Outcome::Success : last == "failed" ? Outcome::Failed : Outcome::None;
  ASSIGN_OR_RETURN(job.history.successes, get_int(root, "/successes"));
  ASSIGN_OR_RETURN(job.history.failures, get_int(root, "/failures"));
  job.history.last_success = read_time(root, "/lastSuccess");
  job.history.last_failure = read_time(root, "/lastFailure");
  return job;
}

std::string encode_run(const Run& run) {
  std::string text;
  base::json::Writer w(text);
  w.begin_object();
  w.field("job", run.job);
  w.field("run", run.id);
  write_definition(w, *run.spec);
  w.field("active", run.status == RunStatus::Active);
  w.field("created", milliseconds_of(run.created));
  write_time(w, "startBy", run.start_by);
  w.field("wanted", milliseconds_of(run.wanted));
  w.field("ready", milliseconds_of(run.ready));
  w.key("tasks");
  w.begin_object();
  for (const auto& [id, task] : run.tasks) {
    w.key(id);
    w.begin_object();
    w.field("started", milliseconds_of(task.started));
    write_time(w, "completed", task.completed);
    w.field("status", task.status);
    w.end_object();
  }
  w.end_object();
  if (run.launched) write_launched(w, *run.launched);
  w.field("launches", run.launches);
  w.field("failures", run.failures);
  w.field("drops", run.drops);
  w.field("stopping", run.stopping);
  w.field("why", run.why);
  w.end_object();
  return text;
}

base::Result<Run> decode_run(const std::string& text, const base::TimeZones& zones) {
  ASSIGN_OR_RETURN(const json::value root, base::json::parse(text));
  Run run;
  ASSIGN_OR_RETURN(run.job, get_string(root, "/job"));
  ASSIGN_OR_RETURN(run.id, get_string(root, "/run"));
  ASSIGN_OR_RETURN(run.spec, read_definition(root, zones));
  ASSIGN_OR_RETURN(const bool active, get_bool(root, "/active"));
  run.status = active ? RunStatus::Active : RunStatus::Starting;
  ASSIGN_OR_RETURN(run.created, need_time(root, "/created"));
  run.start_by = read_time(root, "/startBy");
  ASSIGN_OR_RETURN(run.wanted, need_time(root, "/wanted"));
  ASSIGN_OR_RETURN(run.ready, need_time(root, "/ready"));
  if (const json::value* tasks = find(root, "/tasks"); tasks && tasks->is_object()) {
    for (const auto& member : tasks->get_object()) {
      RunTask task;
      ASSIGN_OR_RETURN(task.started, need_time(member.value(), "/started"));
      task.completed = read_time(member.value(), "/completed");
      ASSIGN_OR_RETURN(task.status, get_string(member.value(), "/status"));
      run.tasks.emplace(std::string(member.key()), std::move(task));
    }
  }
  if (const json::value* launched = find(root, "/launched")) {
    ASSIGN_OR_RETURN(run.launched, read_launched(*launched));
  }
  ASSIGN_OR_RETURN(run.launches, get_int(root, "/launches"));
  ASSIGN_OR_RETURN(run.failures, get_int(root, "/failures"));
  ASSIGN_OR_RETURN(run.drops, get_int(root, "/drops"));
  ASSIGN_OR_RETURN(run.stopping, get_bool(root, "/stopping"));
  run.why = get_string(root, "/why").value_or("");
  return run;
}

std::string encode_finished(const FinishedRun& run) {
  std::string text;
  base::json::Writer w(text);
  w.begin_object();
  w.field("id", run.id);
  w.field("created", milliseconds_of(run.created));
  w.field("finished", milliseconds_of(run.finished));
  w.key("tasks");
  w.begin_array();
  for (const TaskId& id : run.tasks) w.value(id);
  w.end_array();
  w.end_object();
  return text;
}

base::Result<FinishedRun> decode_finished(const std::string& text) {
  ASSIGN_OR_RETURN(const json::value root, base::json::parse(text));
  FinishedRun run;
  ASSIGN_OR_RETURN(run.id, get_string(root, "/id"));
  ASSIGN_OR_RETURN(run.created, need_time(root, "/created"));
  ASSIGN_OR_RETURN(run.finished, need_time(root, "/finished"));
  const json::value* tasks = find(root, "/tasks");
  if (!tasks || !tasks->is_array()) return base::invalid("/tasks must be an array");
  for (const json::value& task : tasks->get_array()) {
    if (task.is_string()) run.tasks.emplace_back(std::string_view(task.get_string()));
  }
  return run;
}

void recover(Turn& turn, const std::vector<std::pair<std::string, std::string>>& records) {
  State& state = turn.state;
  bool has_schema = false;
  for (const auto& [key, value] : records) {
    if (key == kFrameworkIdKey) {
      state.framework_id = value;
      state.framework_id_stored = true;
    } else if (key == kEpochKey) {
      state.epoch = base::parse_uint(value).value_or(0);
    } else if (key == kSchemaKey) {
      has_schema = true;
      if (value != kSchemaVersion) {
        return turn.out.exit(1, fmt::format("the store has layout {}, this program knows layout {}: start the release "
                                            "that wrote it", base::valid_utf8(value), kSchemaVersion));
      }
    } else if (key.starts_with("job:")) {
      recover_job(turn, key, value);
    }
  }
  // Both refer to jobs, which sort behind some of them.
  for (const auto& [key, value] : records) {
    if (key.starts_with("run:")) recover_run(turn, key, value);
    if (key.starts_with("ended:")) recover_ended(turn, key, value);
  }
  for (auto& [id, job] : state.jobs) {
    for (auto* runs : {&job.history.successful, &job.history.failed}) {
      std::sort(runs->begin(), runs->end(), [](const FinishedRun& a, const FinishedRun& b) {
        return std::pair(a.finished, a.id) > std::pair(b.finished, b.id);
      });
    }
  }
  ++state.epoch;
  turn.dirty.epoch = true;
  if (!has_schema) turn.out.persist(state.next_ticket++, {{kSchemaKey, std::string(kSchemaVersion)}});
  const bool launched = std::any_of(state.runs.begin(), state.runs.end(), [](const auto& run) { return run.second.launched; });
  if (state.framework_id.empty() && launched) {
    turn.out.exit(108, "the store has runs but no framework id: with a new one they would be lost; restore the store, "
                       "or empty it");
  }
}

}  // namespace metronome
