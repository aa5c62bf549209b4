#pragma once

// What is due: from schedules, retries and parents to runs that wait for an offer. Looks at one job at a time, when
// something about it has changed or its time has come.

#include "chronos/state.hpp"

namespace chronos {

/// Brings the job's wanted runs, its places in the queue and its next wake-up to what they should be now.
void look_at(Turn& turn, const JobName& name);

/// Looks at every touched job, and sets the timer for the next one. The end of each turn.
void settle(Turn& turn);

/// Timer "due", and a clock that jumped: looks at the jobs whose time has come.
void on_due(Turn& turn);

/// Wants a run of the job. A run that somebody or the parents asked for is wanted once, however often asked.
/// Null: it is wanted already.
Pending* want_run(Turn& turn, JobState& job, Trigger trigger, int64_t generation, std::string arguments);

/// The job's schedule has been used by a launch of the slot.
void use_slot(Turn& turn, JobState& job);

}  // namespace chronos
