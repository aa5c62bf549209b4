#pragma once

// What becomes of runs: states of their tasks, outcomes, retries, what follows for children, kills, reconciliation.

#include <string>

#include "chronos/state.hpp"

namespace mesos::v1 {
class TaskStatus;
}

namespace chronos {

enum class Outcome { Success, Failure, Killed };

/// "ct:<due>:<attempt>:<job>:<arguments>".
TaskId make_task_id(const JobName& job, int64_t due_ms, int64_t attempt, const std::string& arguments);

struct TaskIdParts {
  int64_t due_ms = 0, attempt = 0;
  JobName job;
};
std::optional<TaskIdParts> parse_task_id(const TaskId& id);

/// A state that the master reports. It is acknowledged when what it changes is durable.
void on_task_status(Turn& turn, const mesos::v1::TaskStatus& status);

/// The run has ended.
void finish(Turn& turn, const TaskId& id, Outcome outcome, const std::string& message);

/// The job counts as successful now, without a run.
void mark_success(Turn& turn, JobState& job);

/// Kills the job's tasks, now and until they are gone.
void kill_runs(Turn& turn, const JobState& job);

/// Timer "kills".
void repeat_kills(Turn& turn);

/// Asks the master about every run; `all`: and about what it knows of us.
void reconcile(Turn& turn, bool all);

/// Sets timer "confirm" unless it is set.
void expect_confirmation(Turn& turn);

/// Timer "confirm": launches that nothing was heard of are asked about.
void confirm_launches(Turn& turn);

/// Tells the owners of a job.
void notify_owners(Turn& turn, const JobState& job, const std::string& what, const std::string& message);

}  // namespace chronos
