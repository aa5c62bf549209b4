#include "metronome/due.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "metronome/runs.hpp"

namespace metronome {
namespace {

// Bounds how far the monotonic clock, by which the timer waits, and the wall clock can drift apart.
constexpr base::Duration kLongestWait = base::seconds(30);
// Bounds one turn; the rest follows in the next.
constexpr size_t kMostPerTurn = 20'000;

/// The newest slot from `first` to `now`, which is not older than `oldest`. Of an old schedule of every minute not each
/// minute is looked at.
std::optional<base::Time> newest_slot(const Schedule& schedule, base::Time first, base::Time oldest, base::Time now) {
  const base::Time from = std::max(first, oldest) - base::seconds(1);
  for (const base::Duration window : {base::Duration(base::hours(1)), base::Duration(base::hours(24)),
                                      base::Duration(base::hours(24 * 31)), now - from}) {
    auto slot = next_slot(schedule, std::max(from, now - window));
    if (!slot || *slot > now) continue;
    std::optional<base::Time> newest;
    for (; slot && *slot <= now; slot = next_slot(schedule, *slot)) newest = slot;
    return newest;
  }
  return std::nullopt;
}

/// A slot has come: of those that were missed the newest counts, when it may still start.
void on_slot(Turn& turn, JobState& job) {
  const Job& spec = *job.spec;
  const Schedule& schedule = *spec.schedule;
  const base::Time now = turn.now.time;
  const base::Duration deadline = base::seconds(schedule.starting_deadline_s);
  const auto slot = newest_slot(schedule, *job.slot, now - deadline, now);
  const auto expected = *job.slot;
  job.slot = next_slot(schedule, now);
  turn.dirty.jobs.insert(spec.id);
  if (!slot || *slot != expected) {
    turn.count("slots.missed");
    turn.warn(fmt::format("job {}: slots since {} have passed, {}", spec.id, render_moment(expected),
                          slot ? "the newest is run" : "none may start any more"));
  }
  if (!slot) return;
  if (schedule.forbid && !job.active.empty()) {
    turn.count("slots.forbidden");
    return turn.info(fmt::format("job {}: the slot {} is left out, a run is under way", spec.id, render_moment(*slot)));
  }
  if (job.active.size() >= turn.policy.max_active_runs) {
    turn.count("slots.refused");
    return turn.warn(fmt::format("job {}: the slot {} is left out, {} runs are under way", spec.id, render_moment(*slot),
                                 job.active.size()));
  }
  (void)begin_run(turn, job, *slot + deadline);
}

std::optional<base::Time> deadline_of(const Run& run) {
  const bool up = run.launched && run.tasks.contains(run.launched->id);
  if (run.stopping || up) return std::nullopt;
  std::optional<base::Time> at;
  // A run that is launched again has started in time.
  if (run.start_by && run.status == RunStatus::Starting) at = run.start_by;
  const base::Time launch_by = run.wanted + base::seconds(run.spec->run.max_launch_delay_s);
  return at ? std::min(*at, launch_by) : launch_by;
}

}  // namespace

void wake_for_slot(State& state, JobState& job) {
  if (job.wake == job.slot) return;
  if (job.wake) state.due.erase({*job.wake, job.spec->id});
  if (job.slot) state.due.emplace(*job.slot, job.spec->id);
  job.wake = job.slot;
}

void look_at(Turn& turn, const RunKey& key) {
  State& state = turn.state;
  Run* run = find_run(state, key);
  if (!run) return;
  auto wake = deadline_of(*run);
  if (wake && *wake <= turn.now.time) {
    stop_run(turn, *run, run->start_by && *run->start_by <= turn.now.time ? "it did not start by its deadline"
                                                                           : "it was not launched in time");
    run = find_run(state, key);
    if (!run) return;
    wake.reset();
  }
  const bool waits = !run->launched && !run->held && !run->stopping;
  if (waits && run->ready > turn.now.time) wake = wake ? std::min(*wake, run->ready) : run->ready;
  const bool queued = waits && run->ready <= turn.now.time;
  if (queued && !run->place) {
    run->place = state.next_place++;
    state.queue.emplace(*run->place, key);
    state.demand = true;
  } else if (!queued && run->place) {
    state.queue.erase(*run->place);
    run->place.reset();
  }
  if (wake == run->wake) return;
  if (run->wake) state.deadlines.erase({*run->wake, key});
  if (wake) state.deadlines.emplace(*wake, key);
  run->wake = wake;
}

void on_due(Turn& turn) {
  State& state = turn.state;
  state.timer.reset();
  for (size_t i = 0; i < kMostPerTurn && !state.due.empty() && state.due.begin()->first <= turn.now.time; ++i) {
    JobState* job = find_job(state, state.due.begin()->second);
    state.due.erase(state.due.begin());
    if (!job) continue;
    job->wake.reset();
    if (job->slot && job->spec->schedule) on_slot(turn, *job);
    wake_for_slot(state, *job);
  }
  for (size_t i = 0; i < kMostPerTurn && !state.deadlines.empty() && state.deadlines.begin()->first <= turn.now.time; ++i) {
    const RunKey key = state.deadlines.begin()->second;
    state.deadlines.erase(state.deadlines.begin());
    if (Run* run = find_run(state, key)) run->wake.reset();
    look_at(turn, key);
  }
}

void settle(Turn& turn) {
  State& state = turn.state;
  while (!state.touched.empty()) {
    const std::set<RunKey> touched = std::move(state.touched);
    state.touched.clear();
    for (const RunKey& key : touched) look_at(turn, key);
  }
  std::optional<base::Time> first;
  if (!state.due.empty()) first = state.due.begin()->first;
  if (!state.deadlines.empty()) first = first ? std::min(*first, state.deadlines.begin()->first) : state.deadlines.begin()->first;
  if (!first || (state.timer && *state.timer <= *first && *state.timer >= turn.now.time)) return;
  const base::Duration wait = std::clamp(*first - turn.now.time, base::Duration(0), kLongestWait);
  state.timer = turn.now.time + wait;
  turn.out.set_timer("due", turn.now.instant + wait);
}

}  // namespace metronome
