#include "marathon/progress.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "marathon/deployments.hpp"
#include "marathon/events_out.hpp"
#include "marathon/explain.hpp"
#include "marathon/health.hpp"
#include "marathon/rollout.hpp"

namespace marathon {
namespace {

constexpr base::Duration kStallCheck = base::seconds(30);
constexpr size_t kMaxTold = 100;  // explanations in one sweep: each looks at every agent

/// The definition that decides about an action: what it works towards, or what it removes.
const App* definition_for(const State& state, const Deployment& deployment, const Action& action) {
  const auto run = state.apps.find(action.app);
  if (run != state.apps.end() && run->second.target) return run->second.target.get();
  const AppChange* change = find_change(deployment.changes, action.app);
  return change ? change->from.get() : nullptr;
}

template <class Visit>
void each_unfinished(const State& state, Deployment& deployment, const Visit& visit) {
  if (deployment.current >= deployment.steps.size()) return;
  for (Action& action : deployment.steps[deployment.current]) {
    if (!action.done) visit(action, definition_for(state, deployment, action));
  }
}

/// The shortest deadline of the apps that are not done yet; 0: none.
base::Duration deadline_of(const Turn& turn, Deployment& deployment) {
  base::Duration least{0};
  each_unfinished(turn.state, deployment, [&](const Action&, const App* app) {
    base::Duration own = turn.policy.progress_deadline;
    if (app && app->deployment.progress_deadline_seconds > 0) {
      own = base::seconds(app->deployment.progress_deadline_seconds);
    }
    if (own.count() > 0 && (least.count() == 0 || own < least)) least = own;
  });
  return least;
}

std::string timer(const Deployment& deployment) { return "deadline/" + deployment.id; }

void watch(Turn& turn, Deployment& deployment) {
  if (!deployment.deadline) return;
  const base::Duration deadline = deadline_of(turn, deployment);
  if (deadline.count() == 0 || deployment.paused) return turn.out.cancel_timer(timer(deployment));
  turn.out.set_timer(timer(deployment), turn.now.instant + (deployment.progress_at + deadline - turn.now.time));
}

/// Old definitions come back; what had none before stays as it is: nothing is removed that nobody asked to remove.
ChangeRequest way_back(Turn& turn, const Deployment& deployment) {
  ChangeRequest request = inverse(turn, deployment);
  std::erase_if(request.apps, [](const AppChange& change) { return !change.to; });
  request.groups.clear();
  request.rollback = true;
  return request;
}

}  // namespace

void note_progress(Turn& turn, Deployment& deployment, const std::vector<Action*>& ran) {
  bool further = deployment.progress != static_cast<int64_t>(deployment.current) + 1;
  if (further) {  // a step begins, or time begins anew
    deployment.deadline = deadline_of(turn, deployment).count() > 0;
  }
  deployment.progress = static_cast<int64_t>(deployment.current) + 1;
  for (Action* action : ran) {
    if (action->done) continue;
    const auto run = turn.state.apps.find(action->app);
    if (run == turn.state.apps.end()) continue;
    int64_t ready = 0, left = 0;
    for (const auto& [id, instance] : run->second.instances) {
      if (!run->second.target || instance.goal == Goal::Decommissioned || is_outdated(run->second, instance)) {
        ++left;
      } else if (is_ready(run->second, instance)) {
        ++ready;
      }
    }
    // Against the best so far: tasks that come and go for ever are no progress.
    further |= ready > action->most_ready || left < action->least_left;
    action->most_ready = std::max(action->most_ready, ready);
    action->least_left = std::min(action->least_left, left);
  }
  if (!further) return;
  deployment.progress_at = turn.now.time;
  deployment.told.clear();
  watch(turn, deployment);
}

void on_deadline(Turn& turn, const std::string& id) {
  const auto it = turn.state.deployments.find(id);
  if (it == turn.state.deployments.end() || !it->second.running || it->second.paused) return;
  Deployment& deployment = it->second;
  const base::Duration deadline = deadline_of(turn, deployment);
  if (deadline.count() == 0) return;
  if (turn.now.time < deployment.progress_at + deadline) return watch(turn, deployment);
  bool waits = !turn.state.subscribed;
  each_unfinished(turn.state, deployment, [&](const Action& action, const App*) {
    waits |= awaits_promotion(turn.state, deployment, action);
  });
  if (waits) {
    // Without a master, or before somebody promotes it, nothing can get further: that is not the new version's fault.
    deployment.progress_at = turn.now.time;
    return watch(turn, deployment);
  }
  bool revert = false;
  each_unfinished(turn.state, deployment,
                  [&](const Action&, const App* app) { revert |= app && app->deployment.auto_revert; });
  std::string reason =
      fmt::format("it made no progress for {} s: {}", std::chrono::duration_cast<base::seconds>(deadline).count(),
                  explain_deployment(turn.state, turn.policy, deployment, turn.now.time));
  turn.count("deployments.deadline-exceeded");
  ChangeRequest back;
  if (revert && !deployment.rollback) back = way_back(turn, deployment);
  if (!back.apps.empty()) reason += "; the former definitions are being restored";
  turn.out.trace(TraceLevel::Warning, fmt::format("deployment {} has failed: {}", id, reason));
  cancel(turn, id, reason);
  if (back.apps.empty()) return;
  turn.count("deployments.reverted");
  if (const auto error = submit(turn, std::move(back))) {
    turn.out.trace(TraceLevel::Error, fmt::format("deployment {} cannot be undone: {}", id, error->message));
  }
}

void tell_stalled(Turn& turn) {
  State& state = turn.state;
  turn.out.set_timer("stalled", turn.now.instant + kStallCheck);
  size_t told = 0;
  for (auto& [id, deployment] : state.deployments) {
    if (!deployment.running || deployment.paused || deployment.progress_at + kStallCheck > turn.now.time) continue;
    if (told == kMaxTold) break;
    ++told;
    std::string reason = explain_deployment(state, turn.policy, deployment, turn.now.time);
    if (!deployment.told.empty() && !state.any_stream) continue;
    if (deployment.told.empty()) {
      turn.out.trace(TraceLevel::Warning, fmt::format("deployment {} waits: {}", id, reason));
    }
    publish_deployment_waiting(turn, deployment, reason);
    deployment.told = std::move(reason);
  }
  for (const PathId& id : state.launchable) {
    AppRun& run = *find_run(state, id);
    if (!run.target || run.queued_since + kStallCheck > turn.now.time) continue;
    if (told == kMaxTold) break;
    ++told;
    publish_app_waiting(turn, run, explain_placement(state, turn.policy, run, turn.now.time).message);
  }
}

}  // namespace marathon
