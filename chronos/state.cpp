#include "chronos/state.hpp"

#include "base/strings.hpp"
#include "chronos/records.hpp"

namespace chronos {
namespace {

constexpr base::Duration kRetryDelay = base::seconds(5);

std::vector<Write> writes_of(const State& state, const State::Dirty& dirty) {
  std::vector<Write> writes;
  if (dirty.epoch) writes.push_back({kEpochKey, std::to_string(state.epoch)});
  if (dirty.framework) {
    writes.push_back({kFrameworkIdKey, state.framework_id.empty() ? std::nullopt : std::optional(state.framework_id)});
  }
  for (const JobName& name : dirty.jobs) {
    const JobState* job = find_job(state, name);
    writes.push_back({job_key(name), job ? std::optional(encode_job(*job)) : std::nullopt});
  }
  for (const TaskId& id : dirty.runs) {
    const auto run = state.runs.find(id);
    writes.push_back({run_key(id), run == state.runs.end() ? std::nullopt : std::optional(encode_run(run->second))});
  }
  for (const JobName& name : dirty.histories) {
    const JobState* job = find_job(state, name);
    const bool keep = job && !job->history.empty();
    writes.push_back({history_key(name), keep ? std::optional(job->history.encode()) : std::nullopt});
  }
  return writes;
}

}  // namespace

void State::Dirty::add(const Dirty& other) {
  jobs.insert(other.jobs.begin(), other.jobs.end());
  histories.insert(other.histories.begin(), other.histories.end());
  runs.insert(other.runs.begin(), other.runs.end());
  framework |= other.framework;
  epoch |= other.epoch;
}

int64_t milliseconds_of(base::Time time) {
  return std::chrono::floor<std::chrono::milliseconds>(time.since_epoch).count();
}

base::Time time_of_milliseconds(int64_t ms) { return base::Time{base::milliseconds(ms)}; }

JobState* find_job(State& state, const JobName& name) {
  const auto it = state.jobs.find(name);
  return it == state.jobs.end() ? nullptr : &it->second;
}

const JobState* find_job(const State& state, const JobName& name) {
  const auto it = state.jobs.find(name);
  return it == state.jobs.end() ? nullptr : &it->second;
}

ParentsOf parents_in(const State& state) {
  return [&state](const JobName& name) -> const std::set<JobName>* {
    const JobState* job = find_job(state, name);
    return job ? &job->job.parents : nullptr;
  };
}

void touch(Turn& turn, const JobName& name) {
  turn.dirty.jobs.insert(name);
  turn.state.touched.insert(name);
}

void index_text(JobState& job) {
  job.lower_name = base::to_lower(job.job.name);
  job.lower_command = base::to_lower(job.job.command);
}

void put_job(Turn& turn, const JobName& name, std::optional<JobState> job) {
  State& state = turn.state;
  if (JobState* old = find_job(state, name)) {
    if (old->wake) state.due.erase({*old->wake, name});
    for (const auto& place : old->queued) state.queue.erase(place);
    for (const JobName& parent : old->job.parents) {
      const auto it = state.children.find(parent);
      if (it == state.children.end()) continue;
      it->second.erase(name);
      if (it->second.empty()) state.children.erase(it);
    }
    if (!job) state.jobs.erase(name);
  }
  touch(turn, name);
  turn.dirty.histories.insert(name);
  if (!job) return;
  index_text(*job);
  job->wake.reset();
  job->queued.clear();
  for (const JobName& parent : job->job.parents) state.children[parent].insert(name);
  state.jobs.insert_or_assign(name, std::move(*job));
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

}  // namespace chronos
