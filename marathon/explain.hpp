#pragma once

// Why something waits, in words: which agents an app's instances do not fit and what would help, and what keeps a
// deployment's step from being done. Pure functions over the state, computed when somebody asks.

#include <string>
#include <vector>

#include "marathon/state.hpp"

namespace base::json {
class Writer;
}

namespace marathon {

/// One thing in the way.
struct Cause {
  std::string reason;   // a name of the funnel such as "InsufficientMemory", or of a phase such as "HealthCheck"
  size_t count = 0;     // agents that it excludes, or instances that it holds up
  std::string message;  // a sentence with the numbers
  std::string help;     // what would change it
};

struct Explanation {
  std::string message;  // the causes in one line
  size_t agents = 0;    // looked at since the instances wait
  std::vector<Cause> causes;
};

/// Why the app's scheduled instances are not placed.
Explanation explain_placement(const State& state, const Policy& policy, const AppRun& run, base::Time now);

/// What the action under way waits for. Nothing: it will be done in this turn.
Explanation explain_action(const State& state, const Policy& policy, const Deployment& deployment,
                           const Action& action, base::Time now);

/// The causes of all actions of the step under way, in one line: "/a: 2 instances wait for ...".
std::string explain_deployment(const State& state, const Policy& policy, const Deployment& deployment,
                               base::Time now);

/// `{"message":...,"causes":[{"reason","<unit>","message","help"}]}`; `unit` names what `count` counts.
void write_explanation(base::json::Writer& w, const Explanation& explanation, std::string_view unit);

}  // namespace marathon
