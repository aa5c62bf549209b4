#include "chronos/records.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace chronos {
namespace {

namespace json = boost::json;
using base::json::find;
using base::json::get_bool;
using base::json::get_int;
using base::json::get_string;

constexpr const char* kTriggers[] = {"slot", "manual", "parents", "again"};
constexpr const char* kStages[] = {"launching", "staging", "running", "awaiting"};

template <class E, size_t N>
bool from_name(const std::string& name, const char* const (&names)[N], E& out) {
  for (size_t i = 0; i < N; ++i) {
    if (name == names[i]) return out = static_cast<E>(i), true;
  }
  return false;
}

void write_pending(base::json::Writer& w, const Pending& p) {
  w.begin_object();
  w.field("trigger", kTriggers[static_cast<size_t>(p.trigger)]);
  w.field("due", p.due_ms);
  w.field("attempt", p.attempt);
  w.field("failures", p.failures);
  w.field("drops", p.drops);
  w.field("fresh", p.fresh);
  w.field("of_slot", p.of_slot);
  w.field("generation", p.generation);
  w.field("ready", milliseconds_of(p.ready));
  if (!p.arguments.empty()) w.field("arguments", p.arguments);
  w.end_object();
}

base::Result<Pending> read_pending(const json::value& value) {
  Pending p;
  ASSIGN_OR_RETURN(const std::string trigger, get_string(value, "/trigger"));
  if (!from_name(trigger, kTriggers, p.trigger)) return base::invalid("unknown trigger " + trigger);
  ASSIGN_OR_RETURN(p.due_ms, get_int(value, "/due"));
  ASSIGN_OR_RETURN(p.attempt, get_int(value, "/attempt"));
  ASSIGN_OR_RETURN(p.failures, get_int(value, "/failures"));
  ASSIGN_OR_RETURN(p.drops, get_int(value, "/drops"));
  ASSIGN_OR_RETURN(p.fresh, get_bool(value, "/fresh"));
  ASSIGN_OR_RETURN(p.of_slot, get_bool(value, "/of_slot"));
  ASSIGN_OR_RETURN(p.generation, get_int(value, "/generation"));
  ASSIGN_OR_RETURN(const int64_t ready, get_int(value, "/ready"));
  p.ready = time_of_milliseconds(ready);
  p.arguments = get_string(value, "/arguments").value_or("");
  return p;
}

void write_edges(base::json::Writer& w, const Edges& edges) {
  w.key("edges");
  w.begin_object();
  for (const auto& [parent, edge] : edges) {
    w.key(parent);
    w.begin_object();
    w.field("count", edge.count);
    w.key("generations");
    w.begin_array();
    for (int64_t generation : edge.generations) w.value(generation);
    w.end_array();
    w.end_object();
  }
  w.end_object();
}

base::Status read_edges(const json::value& root, Edges& edges) {
  const json::value* value = find(root, "/edges");
  if (!value || !value->is_object()) return {};
  for (const auto& member : value->get_object()) {
    Edge edge;
    ASSIGN_OR_RETURN(edge.count, get_int(member.value(), "/count"));
    const json::value* generations = find(member.value(), "/generations");
    if (generations && generations->is_array()) {
      for (const json::value& generation : generations->get_array()) {
        int64_t number = 0;
        if (base::json::to_int(generation, number)) edge.generations.insert(number);
      }
    }
    edges.emplace(std::string(member.key()), std::move(edge));
  }
  return {};
}

base::Status read_schedule(const json::value& root, const base::TimeZones& zones, base::Time now, JobState& state) {
  if (state.job.is_dependent()) return {};
  ASSIGN_OR_RETURN(const std::string anchor, get_string(root, "/anchor"));
  ASSIGN_OR_RETURN(const int64_t index, get_int(root, "/index"));
  // R1 lets a period without length pass; the count follows.
  ASSIGN_OR_RETURN(Schedule schedule, Schedule::parse("R1" + anchor.substr(1), state.job.schedule_time_zone, zones, now));
  std::optional<int64_t> remaining;
  if (const auto left = get_int(root, "/remaining")) remaining = *left;
  if (index < 0 || (remaining && *remaining < 0)) return base::invalid("/index and /remaining cannot be negative");
  schedule.restore(index, remaining);
  state.schedule = std::move(schedule);
  return {};
}

void bad_record(Turn& turn, const std::string& key, const std::string& why) {
  turn.out.trace(TraceLevel::Error, fmt::format("the stored record '{}' is left aside: {}", base::valid_utf8(key), why));
  turn.count("persistence.bad-records");
}

void recover_runs(Turn& turn, const std::string& key, const std::string& text) {
  auto run = decode_run(text);
  if (!run) return bad_record(turn, key, run.error().message);
  if (JobState* job = find_job(turn.state, run->job)) job->active.insert(run->id);
  const TaskId id = run->id;
  turn.state.runs.insert_or_assign(id, std::move(*run));
}

}  // namespace

std::string job_key(const JobName& name) { return "job:" + name; }
std::string run_key(const TaskId& id) { return "run:" + id; }
std::string history_key(const JobName& name) { return "history:" + name; }

std::string encode_job(const JobState& state) {
  std::string text;
  base::json::Writer w(text);
  w.begin_object();
  w.key("job");
  std::string definition;
  base::json::Writer inner(definition);
  write_job(inner, state.job, state.counters,
            {.schedule = state.job.schedule, .mirror_uris = false});
  w.raw(definition);
  if (state.schedule) {
    w.field("anchor", state.schedule->render_anchor());
    w.field("index", state.schedule->index());
    if (state.schedule->remaining()) w.field("remaining", *state.schedule->remaining());
  }
  w.key("pending");
  w.begin_array();
  for (const Pending& p : state.pending) write_pending(w, p);
  w.end_array();
  if (!state.edges.empty()) write_edges(w, state.edges);
  w.field("last_due", state.last_due_ms);
  w.end_object();
  return text;
}

base::Result<JobState> decode_job(const std::string& text, const base::TimeZones& zones, base::Time now) {
  ASSIGN_OR_RETURN(const json::value root, base::json::parse(text));
  const json::value* definition = find(root, "/job");
  if (!definition) return base::invalid("/job is missing");
  ASSIGN_OR_RETURN(JobBody body, read_job(*definition, {}));
  RETURN_IF_ERROR(validate_job(body));
  JobState state;
  state.job = std::move(body.job);
  state.counters = body.counters.value_or(Counters{});
  RETURN_IF_ERROR(read_schedule(root, zones, now, state));
  if (const json::value* pending = find(root, "/pending"); pending && pending->is_array()) {
    for (const json::value& value : pending->get_array()) {
      ASSIGN_OR_RETURN(Pending p, read_pending(value));
      state.pending.push_back(std::move(p));
    }
  }
  RETURN_IF_ERROR(read_edges(root, state.edges));
  state.last_due_ms = get_int(root, "/last_due").value_or(0);
  return state;
}

std::string encode_run(const Run& run) {
  std::string text;
  base::json::Writer w(text);
  w.begin_object();
  w.field("task", run.id);
  w.field("job", run.job);
  w.key("from");
  write_pending(w, run.from);
  w.field("agent", run.agent_id);
  w.field("hostname", run.hostname);
  w.field("launched", milliseconds_of(run.launched));
  if (run.started) w.field("started", milliseconds_of(*run.started));
  w.field("stage", kStages[static_cast<size_t>(run.stage)]);
  w.field("killing", run.killing);
  w.field("epoch", run.epoch);
  w.field("elements", run.elements);
  w.end_object();
  return text;
}

base::Result<Run> decode_run(const std::string& text) {
  ASSIGN_OR_RETURN(const json::value root, base::json::parse(text));
  Run run;
  ASSIGN_OR_RETURN(run.id, get_string(root, "/task"));
  ASSIGN_OR_RETURN(run.job, get_string(root, "/job"));
  const json::value* from = find(root, "/from");
  if (!from) return base::invalid("/from is missing");
  ASSIGN_OR_RETURN(run.from, read_pending(*from));
  ASSIGN_OR_RETURN(run.agent_id, get_string(root, "/agent"));
  run.hostname = get_string(root, "/hostname").value_or("");
  ASSIGN_OR_RETURN(const int64_t launched, get_int(root, "/launched"));
  run.launched = time_of_milliseconds(launched);
  if (const auto started = get_int(root, "/started")) run.started = time_of_milliseconds(*started);
  ASSIGN_OR_RETURN(const std::string stage, get_string(root, "/stage"));
  if (!from_name(stage, kStages, run.stage)) return base::invalid("unknown stage " + stage);
  run.sent = true;
  run.killing = get_bool(root, "/killing").value_or(false);
  run.epoch = base::json::get_uint(root, "/epoch").value_or(0);
  run.elements = get_int(root, "/elements").value_or(0);
  return run;
}

void recover(Turn& turn, const std::vector<std::pair<std::string, std::string>>& records) {
  State& state = turn.state;
  state.started = turn.now.time;
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
      auto job = decode_job(value, turn.zones, turn.now.time);
      if (!job) {
        bad_record(turn, key, job.error().message);
        continue;
      }
      for (Pending& p : job->pending) p.sequence = state.next_sequence++;
      index_text(*job);
      const JobName name = job->job.name;
      for (const JobName& parent : job->job.parents) state.children[parent].insert(name);
      state.jobs.insert_or_assign(name, std::move(*job));
      state.touched.insert(name);
    }
  }
  // Both refer to jobs, which sort behind some of them.
  for (const auto& [key, value] : records) {
    if (key.starts_with("run:")) recover_runs(turn, key, value);
    if (!key.starts_with("history:")) continue;
    JobState* job = find_job(state, key.substr(std::string_view("history:").size()));
    auto history = History::decode(value);
    if (!history || !job) {
      bad_record(turn, key, history ? "its job is missing" : "it does not decode");
      continue;
    }
    job->history = std::move(*history);
  }
  ++state.epoch;
  turn.dirty.epoch = true;
  if (!has_schema) turn.out.persist(state.next_ticket++, {{kSchemaKey, std::string(kSchemaVersion)}});
  if (state.framework_id.empty() && !state.runs.empty()) {
    turn.out.exit(108, "the store has runs but no framework id: with a new one they would be lost; restore the store, "
                       "or empty it");
  }
}

}  // namespace chronos
