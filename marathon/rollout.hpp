#pragma once

// How one action of a deployment goes on: each function looks at the instances as they are and does what can be done
// now, so that it may be called at any time and after a restart.

#include "marathon/state.hpp"

namespace marathon {

/// Does what can be done for the action now; true when it is complete.
bool run_action(Turn& turn, const Deployment& deployment, Action& action);

/// New instances of the action run beside the old ones, and nobody has promoted them yet.
bool is_canary(const State& state, const Deployment& deployment, const Action& action);

/// They are all ready: only somebody's promotion can get the action further.
bool awaits_promotion(const State& state, const Deployment& deployment, const Action& action);

/// Outside deployments: brings the number of instances to the definition's.
void restore_count(Turn& turn, AppRun& run);

/// Gives every instance up.
void stop_all(Turn& turn, AppRun& run);

/// True when the instance's task differs from the target in more than the number of instances.
bool is_outdated(const AppRun& run, const Instance& instance);

}  // namespace marathon
