#pragma once

// Everything the core knows. Logic lives in the files named after it; this holds the data, its indexes and the few
// operations that keep the two together.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "metronome/effects.hpp"
#include "metronome/job.hpp"
#include "metronome/policy.hpp"

namespace metronome {

using RunId = std::string;   // "20160715130259A34HX"
using TaskId = std::string;
using RunKey = std::pair<JobId, RunId>;

enum class RunStatus { Starting, Active, Success, Failed };

/// A task that a run has, or had.
struct RunTask {
  base::Time started;
  std::optional<base::Time> completed;
  std::string status;  // "TASK_RUNNING"
};

/// The task that a run has now. Its record is durable before the launch.
struct Launched {
  TaskId id;
  std::string agent_id;
  base::Time at;
  bool seen = false;    // the cluster has said something about it
  bool sent = false;    // its launch has left this process; not stored: what the store holds may have been
  uint64_t epoch = 0;   // of the process that launched it
};

/// A run that is under way. With its record goes the definition that it runs by.
struct Run {
  JobId job;
  RunId id;
  std::shared_ptr<const Job> spec;
  RunStatus status = RunStatus::Starting;
  base::Time created;
  std::optional<base::Time> start_by;  // of a slot: not started by then, it has failed
  base::Time wanted;                   // since when it waits for a task
  base::Time ready;                    // no task before
  std::map<TaskId, RunTask> tasks;
  std::optional<Launched> launched;    // absent: it waits for an offer
  int64_t launches = 0;                // task ids that are used up
  int64_t failures = 0, drops = 0;     // tasks that failed; launches that reached no agent
  bool stopping = false;
  std::string why;                     // it is stopped

  bool held = false;                   // not durable yet: no task before it is
  std::optional<uint64_t> place;       // in State::queue
  std::optional<base::Time> wake;      // its entry in State::deadlines
  std::vector<CallId> waiting;         // who asked to stop it

  RunKey key() const { return {job, id}; }
};

/// A run that is over.
struct FinishedRun {
  RunId id;
  base::Time created, finished;
  std::vector<TaskId> tasks;
};

struct History {
  int64_t successes = 0, failures = 0;
  std::optional<base::Time> last_success, last_failure;
  std::deque<FinishedRun> successful, failed;  // newest first
};

enum class Outcome { None, Success, Failed };

struct JobState {
  std::shared_ptr<const Job> spec;
  std::optional<base::Time> slot;      // the schedule's next one; none: no schedule, disabled, or its years are over
  // For dependencies: numbers of State::next_number, so that no clock decides what came first.
  uint64_t started = 0;                // of the newest start
  uint64_t ended = 0;                  // of the newest end
  Outcome last = Outcome::None;        // of that one
  History history;
  std::set<RunId> active;
  uint64_t changed = 0;                // grows with each change of the definition
  std::optional<base::Time> wake;      // its entry in State::due
};

struct State {
  std::map<JobId, JobState> jobs;
  std::map<JobId, std::set<JobId>> children;
  std::map<RunKey, Run> runs;          // also of jobs that were deleted, until their tasks are gone
  std::map<TaskId, RunKey> tasks;

  std::set<std::pair<base::Time, JobId>> due;
  std::set<std::pair<base::Time, RunKey>> deadlines;
  std::map<uint64_t, RunKey> queue;    // runs that wait for an offer
  uint64_t next_place = 1, next_number = 1;
  std::set<RunKey> touched;            // runs to look at before this turn ends
  std::optional<base::Time> timer;     // what timer "due" is set to

  // Commits under way and what happens when they are done.
  Ticket next_ticket = 1;
  using Continuation = std::function<void(struct Turn&, const base::Status&)>;
  std::map<Ticket, std::vector<Continuation>> pending;

  /// Objects whose records are not as the state has them.
  struct Dirty {
    std::set<JobId> jobs;
    std::set<RunKey> runs;
    std::map<std::string, std::optional<std::string>> records;  // written as they are: ends of runs
    bool framework = false, epoch = false;
    bool empty() const { return jobs.empty() && runs.empty() && records.empty() && !framework && !epoch; }
    void add(const Dirty& other);      // what this has already is newer
  };
  std::map<Ticket, Dirty> writing;     // what each commit under way covers
  Dirty unsaved;                       // what the store has refused
  std::vector<Continuation> unsaved_continuations;

  // The master.
  std::string framework_id;
  bool framework_id_stored = false;
  bool subscribed = false, suppressed = false, filters_set = false;
  bool confirming = false;             // timer "confirm" is set
  bool demand = false;                 // something began to wait for an offer in this turn
  std::string master;
  uint64_t epoch = 0;                  // grows with each start of the process

  std::map<std::string, uint64_t> counters;  // by metric name
};

/// One event's worth of work: what logic files take instead of globals.
struct Turn {
  State& state;
  const Policy& policy;
  const base::TimeZones& zones;
  base::Random& random;
  base::Now now;
  Effects& out;

  State::Dirty dirty{};
  std::vector<State::Continuation> continuations{};

  void count(const std::string& metric, uint64_t by = 1) { state.counters[metric] += by; }
  void info(std::string text) { out.trace(TraceLevel::Info, std::move(text)); }
  void warn(std::string text) { out.trace(TraceLevel::Warning, std::move(text)); }
};

JobState* find_job(State& state, const JobId& id);
const JobState* find_job(const State& state, const JobId& id);
Run* find_run(State& state, const RunKey& key);
const Run* find_run(const State& state, const RunKey& key);

/// The run's record has changed, and it is to be looked at before the turn ends.
void touch(Turn& turn, const Run& run);

/// Replaces a definition, or makes a job; the schedule begins anew when it is another one.
void put_job(Turn& turn, std::shared_ptr<const Job> spec);

/// Takes a job out, with its history. Its runs stay until their tasks are gone.
void remove_job(Turn& turn, const JobId& id);

/// The job's next slot as it was before a change that the store refused.
void restore_slot(Turn& turn, const JobId& id, std::optional<base::Time> slot);

/// A job as it was before its removal, which the store refused.
void restore_job(Turn& turn, const JobId& id, JobState before);

/// `done` runs when everything that this turn changes is durable, or is not because the store refused.
void when_durable(Turn& turn, State::Continuation done);

/// End of the turn: hands what changed to the store.
void flush_commit(Turn& turn);

/// The store has done a commit, or refused it.
void on_persisted(Turn& turn, Ticket ticket, const base::Status& status);

int64_t milliseconds_of(base::Time time);
base::Time time_of_milliseconds(int64_t ms);

}  // namespace metronome
