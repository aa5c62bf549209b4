#pragma once

// What becomes of runs: they begin, states of their tasks, outcomes, restarts, what follows for children, stops,
// reconciliation.

#include <string>

#include "metronome/state.hpp"

namespace mesos::v1 {
class TaskStatus;
}

namespace metronome {

/// Why a run is stopped whose job was deleted.
inline constexpr const char* kDeleted = "its job was deleted";

/// A run of the job begins. It is launched when its record is durable. `start_by`: of a slot.
Run& begin_run(Turn& turn, JobState& job, std::optional<base::Time> start_by);

/// A run whose record the store refused, before it was told to anybody.
void take_back(Turn& turn, const RunKey& key);

/// A state that the master reports. It is acknowledged when what it changes is durable.
void on_task_status(Turn& turn, const mesos::v1::TaskStatus& status);

/// The run fails: now when it has no task, else when that is gone.
void stop_run(Turn& turn, Run& run, const std::string& why);

/// The run is over.
void finish(Turn& turn, const RunKey& key, bool success);

/// The launch did not happen, or reached no agent: the run waits again.
void launch_again(Turn& turn, Run& run, base::Duration pause);

/// Timer "kills".
void repeat_kills(Turn& turn);

/// Asks the master about every task; `all`: and about what it knows of us.
void reconcile(Turn& turn, bool all);

/// Sets timer "confirm" unless it is set.
void expect_confirmation(Turn& turn);

/// Timer "confirm": launches that nothing was heard of are asked about.
void confirm_launches(Turn& turn);

}  // namespace metronome
