#pragma once

// Everything the core knows. Logic lives in the files named after it; this holds the data, its indexes and the few
// operations that keep the two together.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "chronos/effects.hpp"
#include "chronos/graph.hpp"
#include "chronos/history.hpp"
#include "chronos/iso8601_schedule.hpp"
#include "chronos/job.hpp"
#include "chronos/policy.hpp"

namespace chronos {

using TaskId = std::string;

/// Why a run is wanted.
enum class Trigger {
  Slot,     // the schedule's next slot, not yet used up
  Manual,   // somebody asked for it
  Parents,  // its parents have succeeded
  Again,    // a retry, or a launch that never reached its agent; the slot is used up already
};

/// A run that is wanted and has no task.
struct Pending {
  uint64_t sequence = 0;    // place in the queue; never used twice in one process
  Trigger trigger = Trigger::Slot;
  int64_t due_ms = 0;       // the slot, or when it was asked for: part of the task id
  int64_t attempt = 0;      // part of the task id
  int64_t failures = 0;     // retries that are used up
  int64_t drops = 0;        // launches that never reached an agent
  bool fresh = true;        // no task of this run was ever seen to start
  bool of_slot = false;     // Again: of a slot of the schedule
  int64_t generation = 0;   // slot of the scheduled ancestor, in milliseconds
  base::Time ready;         // not before
  std::string arguments;    // given by hand, for the end of the command
  bool held = false;        // not durable yet; not stored
};

enum class RunStage {
  Launching,  // written down and sent; nothing heard
  Staging,    // the cluster knows it
  Running,
  Awaiting,   // of an asynchronous job: the task has ended, the outcome will be reported
};

/// A run that has a task. Its record is durable before the task is launched.
struct Run {
  TaskId id;
  JobName job;
  Pending from;
  std::string agent_id, hostname;
  base::Time launched;
  std::optional<base::Time> started;
  RunStage stage = RunStage::Launching;
  bool sent = false;        // its launch has been sent; not stored: what the store holds may have been
  bool killing = false;
  uint64_t epoch = 0;       // of the process that launched it
  int64_t elements = 0;     // that a data processing job has reported
};

struct JobState {
  Job job;
  Counters counters;
  std::optional<Schedule> schedule;
  std::vector<Pending> pending;
  std::set<TaskId> active;
  Edges edges;              // of a job with several parents
  History history;
  size_t held = 0;          // changes of the definition that are not durable yet: nothing is launched until then
  int64_t last_due_ms = 0;  // newest due time that is no slot: no two runs share one
  std::optional<base::Time> wake;  // its entry in State::due
  std::string lower_name, lower_command;  // for search; filled where it is put into the state
  std::vector<std::pair<int, uint64_t>> queued;  // its entries in State::queue
};

struct State {
  std::map<JobName, JobState> jobs;
  std::map<JobName, std::set<JobName>> children;
  std::map<TaskId, Run> runs;

  std::set<std::pair<base::Time, JobName>> due;                 // when a job must be looked at again
  std::map<std::pair<int, uint64_t>, JobName> queue;            // runs that wait for an offer; high priority first
  uint64_t next_sequence = 1;
  std::set<JobName> touched;                                    // jobs to look at before this turn ends
  std::optional<base::Time> timer;                              // what timer "due" is set to

  // Commits under way and what happens when they are done.
  Ticket next_ticket = 1;
  using Continuation = std::function<void(struct Turn&, const base::Status&)>;
  std::map<Ticket, std::vector<Continuation>> pending;

  /// Objects whose records are not as the state has them.
  struct Dirty {
    std::set<JobName> jobs, histories;
    std::set<TaskId> runs;
    bool framework = false, epoch = false;
    bool empty() const { return jobs.empty() && histories.empty() && runs.empty() && !framework && !epoch; }
    void add(const Dirty& other);
  };
  std::map<Ticket, Dirty> writing;  // what each commit under way covers
  Dirty unsaved;                    // what the store has refused
  std::vector<Continuation> unsaved_continuations;  // acknowledgements that wait for it

  // The master.
  std::string framework_id;
  bool framework_id_stored = false;
  bool subscribed = false, suppressed = false, filters_set = false;
  bool confirming = false;  // timer "confirm" is set
  bool demand = false;      // something began to wait for an offer in this turn
  std::string master;
  uint64_t epoch = 0;       // grows with each start of the process

  base::Time started;
  std::map<std::string, uint64_t> counters;  // by metric name
};

/// One event's worth of work: what logic files take instead of globals.
struct Turn {
  State& state;
  const Policy& policy;
  const base::TimeZones& zones;
  base::Now now;
  Effects& out;

  State::Dirty dirty{};
  std::vector<State::Continuation> continuations{};

  void count(const std::string& metric, uint64_t by = 1) { state.counters[metric] += by; }
  void info(std::string text) { out.trace(TraceLevel::Info, std::move(text)); }
  void warn(std::string text) { out.trace(TraceLevel::Warning, std::move(text)); }
};

JobState* find_job(State& state, const JobName& name);
const JobState* find_job(const State& state, const JobName& name);

/// For graph.hpp: looks into the stored jobs.
ParentsOf parents_in(const State& state);

/// Marks the job's record as changed, and the job to be looked at before the turn ends.
void touch(Turn& turn, const JobName& name);

/// Fills what is derived from the definition.
void index_text(JobState& job);

/// Puts a job into the state, replaces it, or takes it out; indexes follow. Runs and their records stay.
void put_job(Turn& turn, const JobName& name, std::optional<JobState> job);

/// `done` runs when everything that this turn changes is durable, or is not because the store refused.
void when_durable(Turn& turn, State::Continuation done);

/// End of the turn: hands what changed to the store.
void flush_commit(Turn& turn);

/// The store has done a commit, or refused it.
void on_persisted(Turn& turn, Ticket ticket, const base::Status& status);

int64_t milliseconds_of(base::Time time);
base::Time time_of_milliseconds(int64_t ms);

}  // namespace chronos
