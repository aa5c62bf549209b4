#include "metronome/state.hpp"

#include "metronome/due.hpp"
#include "metronome/records.hpp"

namespace metronome {
namespace {

constexpr base::Duration kRetryDelay = base::seconds(5);

std::vector<Write> writes_of(const State& state, const State::Dirty& dirty) {
  std::vector<Write> writes;
  if (dirty.epoch) writes.push_back({kEpochKey, std::to_string(state.epoch)});
  if (dirty.framework) {
    writes.push_back({kFrameworkIdKey, state.framework_id.empty() ? std::nullopt : std::optional(state.framework_id)});
  }
  for (const JobId& id : dirty.jobs) {
    const JobState* job = find_job(state, id);
    writes.push_back({job_key(id), job ? std::optional(encode_job(*job)) : std::nullopt});
  }
  for (const RunKey& key : dirty.runs) {
    const Run* run = find_run(state, key);
    writes.push_back({run_key(key), run ? std::optional(encode_run(*run)) : std::nullopt});
  }
  for (const auto& [key, value] : dirty.records) writes.push_back({key, value});
  return writes;
}

void unlink_parents(State& state, const Job& job) {
  for (const JobId& parent : job.dependencies) {
    const auto it = state.children.find(parent);
    if (it == state.children.end()) continue;
    it->second.erase(job.id);
    if (it->second.empty()) state.children.erase(it);
  }
}

bool same_schedule(const std::optional<Schedule>& a, const std::optional<Schedule>& b) {
  if (!a || !b) return !a && !b;
  return a->id == b->id && a->cron == b->cron && a->zone_id == b->zone_id && a->enabled == b->enabled;
}

}  // namespace

void State::Dirty::add(const Dirty& other) {
  jobs.insert(other.jobs.begin(), other.jobs.end());
  runs.insert(other.runs.begin(), other.runs.end());
  records.insert(other.records.begin(), other.records.end());
  framework |= other.framework;
  epoch |= other.epoch;
}

int64_t milliseconds_of(base::Time time) {
  return std::chrono::floor<std::chrono::milliseconds>(time.since_epoch).count();
}

base::Time time_of_milliseconds(int64_t ms) { return base::Time{base::milliseconds(ms)}; }

JobState* find_job(State& state, const JobId& id) {
  const auto it = state.jobs.find(id);
  return it == state.jobs.end() ? nullptr : &it->second;
}

const JobState* find_job(const State& state, const JobId& id) {
  const auto it = state.jobs.find(id);
  return it == state.jobs.end() ? nullptr : &it->second;
}

Run* find_run(State& state, const RunKey& key) {
  const auto it = state.runs.find(key);
  return it == state.runs.end() ? nullptr : &it->second;
}

const Run* find_run(const State& state, const RunKey& key) {
  const auto it = state.runs.find(key);
  return it == state.runs.end() ? nullptr : &it->second;
}

void touch(Turn& turn, const Run& run) {
  turn.dirty.runs.insert(run.key());
  turn.state.touched.insert(run.key());
}

void put_job(Turn& turn, std::shared_ptr<const Job> spec) {
  const JobId id = spec->id;
  const auto [it, made] = turn.state.jobs.try_emplace(id);
  JobState& job = it->second;
  // What its parents did before it was there does not start it.
  if (made) job.started = turn.state.next_number++;
  const bool same = !made && same_schedule(job.spec->schedule, spec->schedule);
  if (!made) unlink_parents(turn.state, *job.spec);
  for (const JobId& parent : spec->dependencies) turn.state.children[parent].insert(id);
  job.spec = std::move(spec);
  ++job.changed;
  if (!same) {
    const auto& schedule = job.spec->schedule;
    job.slot = schedule && schedule->enabled ? next_slot(*schedule, turn.now.time) : std::nullopt;
  }
  turn.dirty.jobs.insert(id);
  wake_for_slot(turn.state, job);
}

void remove_job(Turn& turn, const JobId& id) {
  JobState* job = find_job(turn.state, id);
  if (!job) return;
  unlink_parents(turn.state, *job->spec);
  if (job->wake) turn.state.due.erase({*job->wake, id});
  for (const auto& run : job->history.successful) turn.dirty.records[history_key(id, true, run.id)] = std::nullopt;
  for (const auto& run : job->history.failed) turn.dirty.records[history_key(id, false, run.id)] = std::nullopt;
  turn.state.jobs.erase(id);
  turn.dirty.jobs.insert(id);
}

void restore_slot(Turn& turn, const JobId& id, std::optional<base::Time> slot) {
  JobState* job = find_job(turn.state, id);
  if (!job) return;
  job->slot = slot;
  turn.dirty.jobs.insert(id);
  wake_for_slot(turn.state, *job);
}

void restore_job(Turn& turn, const JobId& id, JobState before) {
  for (const auto& run : before.history.successful) turn.dirty.records[history_key(id, true, run.id)] = encode_finished(run);
  for (const auto& run : before.history.failed) turn.dirty.records[history_key(id, false, run.id)] = encode_finished(run);
  for (const JobId& parent : before.spec->dependencies) turn.state.children[parent].insert(id);
  before.wake.reset();
  JobState& job = turn.state.jobs.insert_or_assign(id, std::move(before)).first->second;
  turn.dirty.jobs.insert(id);
  wake_for_slot(turn.state, job);
}

void when_durable(Turn& turn, State::Continuation done) { turn.continuations.push_back(std::move(done)); }

void flush_commit(Turn& turn) {
  State& state = turn.state;
  if (turn.dirty.empty() && turn.continuations.empty()) return;
  turn.dirty.add(state.unsaved);
  state.unsaved = {};
  for (auto& continuation : state.unsaved_continuations) turn.continuations.push_back(std::move(continuation));
  state.unsaved_continuations.clear();
  const Ticket ticket = state.next_ticket++;
  std::vector<Write> writes = writes_of(state, turn.dirty);
  if (!turn.continuations.empty()) state.pending.emplace(ticket, std::move(turn.continuations));
  state.writing.emplace(ticket, std::move(turn.dirty));
  turn.out.persist(ticket, std::move(writes));
  turn.dirty = {};
  turn.continuations.clear();
}

void on_persisted(Turn& turn, Ticket ticket, const base::Status& status) {
  State& state = turn.state;
  const auto written = state.writing.find(ticket);
  if (written == state.writing.end()) return;
  const State::Dirty covered = std::move(written->second);
  state.writing.erase(written);
  if (!status) {
    turn.out.trace(TraceLevel::Error, "the store refused a commit: " + status.error().message);
    turn.count("persistence.failures");
    state.unsaved.add(covered);
    turn.out.set_timer("flush", turn.now.instant + kRetryDelay);
  }
  const auto waiting = state.pending.find(ticket);
  if (waiting == state.pending.end()) return;
  const auto continuations = std::move(waiting->second);
  state.pending.erase(waiting);
  for (const auto& continuation : continuations) continuation(turn, status);
}

}  // namespace metronome
