#pragma once

// The planner: a pure function from what changes to the steps that bring it about.

#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "marathon/app.hpp"
#include "marathon/instance.hpp"

namespace marathon {

/// One app before and after. `from` null: created; `to` null: removed.
struct AppChange {
  PathId id;
  AppPtr from, to;
  std::vector<InstanceId> kill_list;  // instances that a scale-down takes first

  bool is_pod() const { return (to ? to : from) && (to ? to : from)->pod; }
};

/// The change of that app among changes in order of their apps; null: there is none.
const AppChange* find_change(const std::vector<AppChange>& changes, const PathId& app);

enum class ActionKind { Start, Stop, Scale, Restart };


struct Action {
  ActionKind kind = ActionKind::Scale;
  PathId app;
  bool pod = false;

  // Progress, started anew after a restart.
  bool started = false;
  bool done = false;
  int64_t kill_now = 0;      // Restart: old instances that may go before a new one is ready
  int64_t max_capacity = 0;  // Restart
  int64_t killed = 0;        // Restart: old instances stopped so far
  int64_t most_ready = -1;   // what counts as progress: more ready instances, or fewer to be stopped, than ever
  int64_t least_left = std::numeric_limits<int64_t>::max();
  std::map<InstanceId, base::Time> ready_since;  // with a minimum time of health
};

/// "StartApplication", "StartPod" and so on.
std::string_view action_name(const Action& action);

using Step = std::vector<Action>;

/// What an app depends on, in the tree after the change: apps, with groups expanded. Unknown ids give nothing.
using Dependencies = std::function<std::vector<PathId>(const PathId& app)>;

/// Stops in parallel first, then starts, then one step for each depth of dependency. Empty steps are left out.
std::vector<Step> plan(const std::vector<AppChange>& changes, const Dependencies& dependencies);

/// One cycle among dependencies reachable from `roots`, or nothing.
std::vector<PathId> find_cycle(const std::vector<PathId>& roots, const Dependencies& dependencies);

}  // namespace marathon
