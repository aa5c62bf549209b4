#include "chronos/due.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace chronos {
namespace {

// Bounds how far the monotonic clock, by which the timer waits, and the wall clock can drift apart.
constexpr base::Duration kLongestWait = base::seconds(30);
// Bounds one turn; the rest follows in the next.
constexpr size_t kMostPerTurn = 20'000;

bool is_closed(const JobState& job, base::Time slot, base::Time now) {
  return !job.job.epsilon.empty() && slot + job.job.epsilon_length < now;
}

void remember_skips(Turn& turn, JobState& job, int64_t slots, base::Time last) {
  if (slots == 0) return;
  job.history.skip(slots, last);
  turn.dirty.jobs.insert(job.job.name);
  turn.dirty.histories.insert(job.job.name);
  turn.count("jobs.skipped", static_cast<uint64_t>(slots));
  turn.warn(fmt::format("job {}: {} run(s) up to the slot of {} are skipped, they could not start within {}", job.job.name,
                        slots, base::render_iso8601(last), job.job.epsilon));
}

/// Wanted runs that may not start any more. A retry may always.
void drop_closed(Turn& turn, JobState& job) {
  std::erase_if(job.pending, [&](const Pending& p) {
    if (p.trigger == Trigger::Slot) return true;  // made anew from the schedule, which may have been replaced
    if (p.trigger != Trigger::Again || !p.fresh || !p.of_slot) return false;
    const base::Time slot = time_of_milliseconds(p.due_ms);
    if (!is_closed(job, slot, turn.now.time)) return false;
    remember_skips(turn, job, 1, slot);
    return true;
  });
}

void note_wake(std::optional<base::Time>& wake, base::Time at) {
  if (!wake || at < *wake) wake = at;
}

/// The slot that is due, if any, becomes a wanted run.
void look_at_schedule(Turn& turn, JobState& job, const std::optional<Pending>& before,
                      std::optional<base::Time>& wake) {
  if (!job.schedule) return;
  Schedule& schedule = *job.schedule;
  auto next = schedule.next();
  if (next && is_closed(job, *next, turn.now.time)) {
    const base::Time limit = turn.now.time - job.job.epsilon_length;
    const int64_t slots = schedule.skip_before(limit);
    // The slot before the one that is next now.
    remember_skips(turn, job, slots, std::min(limit, schedule.next().value_or(limit)));
    next = schedule.next();
  }
  if (!next) return;
  if (*next > turn.now.time) return note_wake(wake, *next);
  Pending slot;
  slot.due_ms = milliseconds_of(*next);
  // The same slot as before keeps its place in the queue.
  slot.sequence = before && before->due_ms == slot.due_ms ? before->sequence : turn.state.next_sequence++;
  slot.generation = slot.due_ms;
  job.pending.push_back(std::move(slot));
  if (!job.job.epsilon.empty()) note_wake(wake, *next + job.job.epsilon_length + base::milliseconds(1));
}

void queue_up(Turn& turn, JobState& job, std::optional<base::Time>& wake) {
  State& state = turn.state;
  std::vector<std::pair<int, uint64_t>> places;
  size_t room = turn.policy.max_runs_per_job - std::min(turn.policy.max_runs_per_job, job.active.size());
  if (!job.job.concurrent) room = job.active.empty() ? 1 : 0;
  if (job.held > 0) room = 0;
  for (const Pending& p : job.pending) {
    if (p.ready > turn.now.time) {
      note_wake(wake, p.ready);
    } else if (places.size() < room && !p.held) {
      places.emplace_back(job.job.high_priority ? 0 : 1, p.sequence);
    }
  }
  if (places == job.queued) return;
  for (const auto& place : job.queued) state.queue.erase(place);
  for (const auto& place : places) state.queue.emplace(place, job.job.name);
  if (!places.empty()) state.demand = true;
  job.queued = std::move(places);
}

}  // namespace

Pending* want_run(Turn& turn, JobState& job, Trigger trigger, int64_t generation, std::string arguments) {
  for (Pending& p : job.pending) {
    if (p.trigger != Trigger::Manual && p.trigger != Trigger::Parents) continue;
    p.generation = std::max(p.generation, generation);
    touch(turn, job.job.name);
    return nullptr;
  }
  Pending p;
  p.sequence = turn.state.next_sequence++;
  p.trigger = trigger;
  p.due_ms = job.last_due_ms = std::max(milliseconds_of(turn.now.time), job.last_due_ms + 1);
  p.generation = generation != 0 ? generation : p.due_ms;
  p.arguments = std::move(arguments);
  job.pending.push_back(std::move(p));
  touch(turn, job.job.name);
  return &job.pending.back();
}

void use_slot(Turn& turn, JobState& job) {
  if (!job.schedule) return;
  // With an epsilon every slot counts; without, those that were missed are made good by one run.
  if (job.job.epsilon.empty()) {
    job.schedule->consume_through(turn.now.time);
  } else {
    job.schedule->consume();
  }
  touch(turn, job.job.name);
}

void look_at(Turn& turn, const JobName& name) {
  JobState* job = find_job(turn.state, name);
  if (!job) return;
  std::optional<Pending> slot;
  for (const Pending& p : job->pending) {
    if (p.trigger == Trigger::Slot) slot = p;
  }
  std::optional<base::Time> wake;
  if (job->job.disabled) {
    if (!job->pending.empty()) turn.info(fmt::format("job {} is disabled: runs that wait are dropped", name));
    job->pending.clear();
  } else {
    drop_closed(turn, *job);
    look_at_schedule(turn, *job, slot, wake);
  }
  queue_up(turn, *job, wake);
  if (wake == job->wake) return;
  if (job->wake) turn.state.due.erase({*job->wake, name});
  if (wake) turn.state.due.emplace(*wake, name);
  job->wake = wake;
}

void on_due(Turn& turn) {
  State& state = turn.state;
  state.timer.reset();
  size_t looked = 0;
  while (!state.due.empty() && state.due.begin()->first <= turn.now.time && looked++ < kMostPerTurn) {
    const JobName name = state.due.begin()->second;
    JobState* job = find_job(state, name);
    state.due.erase(state.due.begin());
    if (!job) continue;
    job->wake.reset();
    look_at(turn, name);
  }
}

void settle(Turn& turn) {
  State& state = turn.state;
  // A job that is looked at touches no other.
  const std::set<JobName> touched = std::move(state.touched);
  state.touched.clear();
  for (const JobName& name : touched) look_at(turn, name);
  if (state.due.empty()) return;
  const base::Time first = state.due.begin()->first;
  if (state.timer && *state.timer <= first && *state.timer >= turn.now.time) return;
  const base::Duration wait = std::clamp(first - turn.now.time, base::Duration(0), kLongestWait);
  state.timer = turn.now.time + wait;
  turn.out.set_timer("due", turn.now.instant + wait);
}

}  // namespace chronos
