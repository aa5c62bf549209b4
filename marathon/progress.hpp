#pragma once

// That no deployment hangs without a word: what counts as progress, the deadline for it, and telling why things wait.

#include <string>

#include "marathon/state.hpp"

namespace marathon {

/// After these actions of the step under way have run: notes whether the deployment got further, and watches its deadline.
void note_progress(Turn& turn, Deployment& deployment, const std::vector<Action*>& ran);

/// Timer "deadline/<deployment>": ends a deployment that stood still for too long, and goes back when its apps say so.
void on_deadline(Turn& turn, const std::string& id);

/// Timer "stalled": tells subscribers and the log why apps and deployments have been waiting for a while.
void tell_stalled(Turn& turn);

}  // namespace marathon
