#pragma once

// What the clock decides: slots of schedules, deadlines of runs, and which runs wait for an offer.

#include "metronome/state.hpp"

namespace metronome {

/// The job's entry in State::due follows its slot.
void wake_for_slot(State& state, JobState& job);

/// Brings the run's place in the queue and its next deadline to what they should be now.
void look_at(Turn& turn, const RunKey& key);

/// Timer "due", and a clock that jumped: looks at the jobs and runs whose time has come.
void on_due(Turn& turn);

/// Looks at every touched run, and sets the timer for the next moment. The end of each turn.
void settle(Turn& turn);


}  // namespace metronome
