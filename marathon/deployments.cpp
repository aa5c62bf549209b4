#include "marathon/deployments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "marathon/events_out.hpp"
#include "marathon/health.hpp"
#include "marathon/instances.hpp"
#include "marathon/progress.hpp"
#include "marathon/records.hpp"
#include "marathon/roles.hpp"
#include "marathon/rollout.hpp"
#include "marathon/tree_history.hpp"

namespace marathon {
namespace {

constexpr const char* kLocked =
    "App is locked by one or more deployments. Override with the option '?force=true'. View details "
    "at '/v2/deployments/<DEPLOYMENT_ID>'.";

std::vector<std::string> locking(const State& state, const std::vector<AppChange>& changes) {
  std::set<std::string> ids;
  for (const AppChange& change : changes) {
    const auto it = state.apps.find(change.id);
    if (it != state.apps.end() && !it->second.deployment.empty()) ids.insert(it->second.deployment);
  }
  return {ids.begin(), ids.end()};
}

void remove_deployment(Turn& turn, const std::string& id) {
  State& state = turn.state;
  const auto it = state.deployments.find(id);
  for (const AppChange& change : it->second.changes) {
    AppRun* run = find_run(state, change.id);
    if (run && run->deployment == id) run->deployment.clear();
    touch(turn, change.id);
  }
  turn.out.cancel_timer("deadline/" + id);
  state.deployment_order.erase(it->second.sequence);
  state.deployments.erase(it);
}

void drop_deployment(Turn& turn, const std::string& id) {
  remove_deployment(turn, id);
  // Taken up again after a restart, it would find everything done.
  commit_later(turn, {{deployment_key(id), std::nullopt}});
}

/// Forgets versions beyond the limit, unless an instance, a deployment or the present needs them.
void prune_versions(Turn& turn, AppRun& run) {
  if (run.versions.size() <= turn.policy.max_versions) return;
  std::set<Version> needed;
  if (run.target) needed.insert(run.target->version);
  for (const auto& [id, instance] : run.instances) needed.insert(instance.version);
  for (auto it = run.versions.begin();
       it != run.versions.end() && run.versions.size() > turn.policy.max_versions;) {
    if (needed.contains(it->first)) {
      ++it;
      continue;
    }
    commit(turn, {{app_key(it->second->id, it->first), std::nullopt}});
    it = run.versions.erase(it);
  }
}

void install_target(Turn& turn, const PathId& id, const AppPtr& to) {
  State& state = turn.state;
  AppRun& run = state.apps[id];
  if (run.target) state.service_ports.release(*run.target);
  run.target = to;
  run.rendered.clear();
  if (!to) {
    state.launchable.erase(id);
    return;
  }
  state.service_ports.take(*to);
  use_role(turn, to->role);
  run.versions[to->version] = to;
  want_offers(turn, run);  // instances may still wait from before
}

void install_group(State& state, const PathId& id, const std::optional<Group>& to) {
  if (to) {
    state.groups[id] = *to;
  } else {
    state.groups.erase(id);
  }
}

void store_change(Turn& turn, const Deployment& deployment) {
  std::vector<Write> writes;
  for (const AppChange& change : deployment.changes) {
    if (change.to) {
      writes.push_back({app_key(change.id, change.to->version), render_app(*change.to)});
      writes.push_back({current_key(change.id), base::render_iso8601(change.to->version)});
    } else {
      writes.push_back({current_key(change.id), std::nullopt});
    }
  }
  for (const GroupChange& change : deployment.groups) {
    writes.push_back({group_key(change.id),
                      change.to ? std::optional(encode_group(*change.to)) : std::nullopt});
  }
  writes.push_back({deployment_key(deployment.id), encode_deployment(deployment)});
  commit(turn, std::move(writes));
  remember_change(turn, deployment.version, deployment.changes, deployment.groups);
}

/// A change that was built upon one that could not be stored goes back to what that one had replaced.
void rebase(Turn& turn, const PathId& app, const AppPtr& lost, const AppPtr& from) {
  const auto rebase_in = [&](Deployment& deployment) {
    for (AppChange& change : deployment.changes) {
      if (change.id != app || !lost || change.from != lost) continue;
      change.from = from;
      deployment.rebased = true;
    }
  };
  for (auto& [id, deployment] : turn.state.deployments) rebase_in(deployment);
  for (auto& [id, suspended] : turn.state.suspended) rebase_in(suspended.deployment);
  for (auto& [sequence, submitted] : turn.state.storing) {
    for (AppChange& change : submitted.apps) {
      if (change.id == app && lost && change.from == lost) change.from = from;
    }
  }
  replace_in_history(turn, app, lost, from);
}

/// The next change of the same thing whose commit is under way; null: none.
template <class Changes>
auto* later_change(State& state, uint64_t sequence, const PathId& id, Changes Submitted::*changes) {
  for (auto it = state.storing.upper_bound(sequence); it != state.storing.end(); ++it) {
    for (auto& change : it->second.*changes) {
      if (change.id == id) return &change;
    }
  }
  return static_cast<typename Changes::value_type*>(nullptr);
}

/// The commit failed: what it changed goes back, and what was built upon it stands on what it had replaced.
void revert(Turn& turn, uint64_t sequence, const Submitted& lost) {
  State& state = turn.state;
  if (state.deployments.contains(lost.deployment)) drop_deployment(turn, lost.deployment);
  state.suspended.erase(lost.deployment);
  forget_change(state, lost.version);
  for (const auto& [id, from, to, kill_list] : lost.apps) {
    AppRun* run = find_run(state, id);
    if (!run) continue;
    --run->storing;
    rebase(turn, id, to, from);
    if (AppChange* later = later_change(state, sequence, id, &Submitted::apps)) {
      later->from = from;  // a removal is not told from others by its definition
    } else if (run->target == to) {
      install_target(turn, id, from);
    }
    if (to && run->target != to) run->versions.erase(to->version);
    touch(turn, id);
  }
  for (const GroupChange& change : lost.groups) {
    if (GroupChange* later = later_change(state, sequence, change.id, &Submitted::groups)) {
      later->from = change.from;
      continue;
    }
    const auto it = state.groups.find(change.id);
    const bool unchanged = it == state.groups.end() ? !change.to : change.to && it->second == *change.to;
    if (unchanged) install_group(state, change.id, change.from);
  }
}

void remember_end(Turn& turn, const Deployment& deployment, bool success, const std::string& reason) {
  EndedDeployment ended{deployment.id, deployment.version, {}, success, reason, turn.now.time};
  for (const AppChange& change : deployment.changes) ended.apps.push_back(change.id);
  auto& list = turn.state.ended_deployments;
  list.push_back(std::move(ended));
  if (list.size() > kMaxEndedDeployments) list.pop_front();
}

void finish(Turn& turn, const std::string& id) {
  const auto it = turn.state.deployments.find(id);
  const Deployment deployment = it->second;
  drop_deployment(turn, id);
  turn.count("deployments.counter");
  publish_deployment_end(turn, deployment, true, {});
  remember_end(turn, deployment, true, {});
  for (const AppChange& change : deployment.changes) {
    AppRun* run = find_run(turn.state, change.id);
    if (!run) continue;
    if (run->target) {
      prune_versions(turn, *run);
      continue;
    }
    std::vector<Write> writes{{failure_key(change.id), std::nullopt}};
    for (const auto& [version, app] : run->versions) {
      writes.push_back({app_key(change.id, version), std::nullopt});
    }
    commit(turn, std::move(writes));
    turn.out.cancel_timer("backoff/" + change.id);
    turn.state.apps.erase(change.id);
    turn.state.dirty.erase(change.id);
    publish_app_terminated(turn, change.id);
  }
}

/// The actions of the step under way that these apps concern; all when it begins.
std::vector<Action*> next_actions(Deployment& deployment, const std::set<PathId>& touched) {
  Step& step = deployment.steps[deployment.current];
  std::vector<Action*> actions;
  if (!deployment.begun) {
    deployment.begun = true;
    for (size_t i = 0; i < step.size(); ++i) {
      if (!step[i].done) deployment.unfinished.emplace(step[i].app, i);
      actions.push_back(&step[i]);
    }
    return actions;
  }
  for (const PathId& app : touched) {
    const auto it = deployment.unfinished.find(app);
    if (it != deployment.unfinished.end()) actions.push_back(&step[it->second]);
  }
  return actions;
}

/// Runs the deployment's steps as far as they go now that these apps have changed.
void advance(Turn& turn, const std::string& id, const std::set<PathId>& touched) {
  while (true) {
    const auto it = turn.state.deployments.find(id);
    if (it == turn.state.deployments.end() || !it->second.running || it->second.paused) return;
    Deployment& deployment = it->second;
    if (deployment.current >= deployment.steps.size()) return finish(turn, id);
    const std::vector<Action*> actions = next_actions(deployment, touched);
    for (Action* action : actions) {
      if (!action->done) action->done = run_action(turn, deployment, *action);
      if (action->done) deployment.unfinished.erase(action->app);
    }
    note_progress(turn, deployment, actions);
    if (!deployment.unfinished.empty()) return;
    publish_step(turn, deployment, deployment.current);
    ++deployment.current;
    deployment.begun = false;
    if (deployment.current < deployment.steps.size()) publish_deployment_info(turn, deployment);
  }
}

void begin(Turn& turn, const std::string& id) {
  const auto it = turn.state.deployments.find(id);
  if (it == turn.state.deployments.end()) return;
  it->second.running = true;
  publish_deployment_info(turn, it->second);
  for (const AppChange& change : it->second.changes) publish_health_checks_changed(turn, change);
  advance(turn, id, {});
}

void take_locks(State& state, const Deployment& deployment) {
  for (const AppChange& change : deployment.changes) state.apps[change.id].deployment = deployment.id;
  state.deployment_order[deployment.sequence] = deployment.id;
}

void lock(Turn& turn, Deployment& deployment) {
  deployment.sequence = turn.state.next_deployment++;
  take_locks(turn.state, deployment);
}

/// Out of the way of `by`, whose commit is about to be made: with it the deployment is over, without it it goes on.
void suspend(Turn& turn, const std::string& id, const std::string& by, std::string reason) {
  const auto it = turn.state.deployments.find(id);
  if (it == turn.state.deployments.end()) return;
  Deployment deployment = it->second;
  remove_deployment(turn, id);
  commit(turn, {{deployment_key(id), std::nullopt}});
  turn.state.suspended.emplace(id, Suspended{std::move(deployment), by, std::move(reason)});
}

void publish_cancelled(Turn& turn, const Deployment& deployment, const std::string& reason) {
  publish_deployment_end(turn, deployment, false, reason);
  remember_end(turn, deployment, false, reason);
}

std::vector<Suspended> take_suspended(State& state, const std::string& by) {
  std::vector<Suspended> taken;
  for (auto it = state.suspended.begin(); it != state.suspended.end();) {
    if (it->second.by == by) {
      taken.push_back(std::move(it->second));
      it = state.suspended.erase(it);
    } else {
      ++it;
    }
  }
  std::sort(taken.begin(), taken.end(), [](const Suspended& a, const Suspended& b) {
    return a.deployment.sequence < b.deployment.sequence;
  });
  return taken;
}

void end_suspended(Turn& turn, const std::string& by) {
  for (const Suspended& suspended : take_suspended(turn.state, by)) {
    publish_cancelled(turn, suspended.deployment, suspended.reason);
    // It may have been passed on to a change whose commit does not know it.
    commit_later(turn, {{deployment_key(suspended.deployment.id), std::nullopt}});
  }
}

/// The change that had forced these out of the way could not be stored.
void go_on_with_suspended(Turn& turn, const std::string& by) {
  State& state = turn.state;
  for (Suspended& suspended : take_suspended(state, by)) {
    const Deployment& deployment = suspended.deployment;
    const std::string id = deployment.id;
    const std::vector<std::string> holders = locking(state, deployment.changes);
    if (!holders.empty()) {
      suspended.by = holders.front();
      state.suspended.emplace(id, std::move(suspended));
      continue;
    }
    take_locks(state, deployment);
    Deployment& again = state.deployments.emplace(id, std::move(suspended.deployment)).first->second;
    again.progress = 0;  // the deadline starts anew
    for (const AppChange& change : again.changes) touch(turn, change.id);
    if (!again.running) continue;  // its own commit is under way
    if (again.rebased) commit(turn, {{deployment_key(id), encode_deployment(again)}});
    publish_deployment_info(turn, again);
  }
}

std::vector<Step> plan_steps(const State& state, const Deployment& deployment) {
  const std::map<PathId, const App*> none;
  const std::map<PathId, const Group*> no_groups;
  return plan(deployment.changes, [&](const PathId& app) {
    return dependencies_of(state, app, none, no_groups);
  });
}

/// The commit of a change has ended.
void on_submitted(Turn& turn, uint64_t sequence, const ChangeRequest& request, const base::Status& status) {
  State& state = turn.state;
  const Submitted submitted = std::move(state.storing.at(sequence));
  state.storing.erase(sequence);
  const std::string& id = submitted.deployment;
  if (!status) {
    turn.out.trace(TraceLevel::Error, "a change could not be stored: " + status.error().message);
    revert(turn, sequence, submitted);
    go_on_with_suspended(turn, id);
    const std::string reason = "The change could not be stored: " + status.error().message;
    publish_group_change_failed(turn, request.group, request.version, reason);
    if (request.call != 0) turn.out.reply(request.call, render(refuse(503, reason)));
    return;
  }
  for (const AppChange& change : submitted.apps) {
    if (AppRun* run = find_run(state, change.id)) --run->storing;
    touch(turn, change.id);
  }
  end_suspended(turn, id);
  const auto it = state.deployments.find(id);
  const auto suspended = state.suspended.find(id);
  if (suspended != state.suspended.end()) suspended->second.deployment.running = true;
  if (it != state.deployments.end() && it->second.rebased) {
    commit(turn, {{deployment_key(id), encode_deployment(it->second)}});
  }
  if (request.announce) request.announce(turn);
  publish_group_change(turn, request.group, request.version);
  // Forced out of the way by a later change before it was durable: the change itself stands.
  if (request.call != 0 && request.answer) {
    Deployment overridden;
    overridden.id = id;
    overridden.version = request.version;
    turn.out.reply(request.call, request.answer(it != state.deployments.end() ? it->second : overridden));
  }
  begin(turn, id);
}

}  // namespace

Version next_version(Turn& turn) {
  const auto ms = std::chrono::duration_cast<base::milliseconds>(turn.now.time.since_epoch);
  Version version{base::Duration(ms)};
  if (version <= turn.state.last_version) version = turn.state.last_version + base::milliseconds(1);
  turn.state.last_version = version;
  return version;
}

bool finish_definition(Turn& turn, App& app, const App* previous, Version version, bool restart, bool in_place) {
  if (!turn.state.service_ports.assign(app, previous)) return false;
  app.version = app.last_scaling_at = app.last_config_change_at = version;
  if (!previous || restart) return true;
  // Compared as if nothing but the request's fields could differ.
  app.last_config_change_at = previous->last_config_change_at;
  if (needs_restart(*previous, app, in_place)) {
    app.last_config_change_at = version;
  } else if (previous->instances == app.instances) {
    app.last_scaling_at = previous->last_scaling_at;
  }
  return true;
}

std::optional<ApiError> submit(Turn& turn, ChangeRequest request) {
  State& state = turn.state;
  std::vector<std::string> conflicts = locking(state, request.apps);
  const auto failed = [&](ApiError error) {
    publish_group_change_failed(turn, request.group, request.version, error.message);
    return error;
  };
  if (!conflicts.empty() && !request.force) return failed(ApiError{409, kLocked, {}, {}, conflicts});
  if (state.deployments.size() - conflicts.size() >= turn.policy.max_running_deployments) {
    turn.count("deployments.dismissed.counter");
    return failed(refuse(403, fmt::format("Max number ({}) of running deployments is achieved. Wait for existing "
                                          "deployments to complete or cancel one using force=true parameter.",
                                          turn.policy.max_running_deployments)));
  }
  Deployment deployment;
  deployment.id = turn.random.uuid();
  if (!request.undone.empty()) suspend(turn, request.undone, deployment.id, "it is being rolled back");
  for (const std::string& id : conflicts) suspend(turn, id, deployment.id, "it was overridden by another change");

  deployment.version = request.version;
  deployment.rollback = request.rollback;
  deployment.progress_at = turn.now.time;
  deployment.changes = std::move(request.apps);
  std::sort(deployment.changes.begin(), deployment.changes.end(),
            [](const AppChange& a, const AppChange& b) { return a.id < b.id; });
  deployment.groups = std::move(request.groups);
  for (const AppChange& change : deployment.changes) install_target(turn, change.id, change.to);
  for (const GroupChange& change : deployment.groups) install_group(state, change.id, change.to);
  deployment.steps = plan_steps(state, deployment);
  lock(turn, deployment);
  store_change(turn, deployment);
  for (const AppChange& change : deployment.changes) ++state.apps[change.id].storing;
  const uint64_t sequence = deployment.sequence;
  state.storing.emplace(sequence, Submitted{deployment.id, deployment.version, deployment.changes, deployment.groups});
  state.deployments.emplace(deployment.id, std::move(deployment));
  commit(turn, {}, [sequence, request = std::move(request)](Turn& later, const base::Status& status) {
    on_submitted(later, sequence, request, status);
  });
  return std::nullopt;
}

ChangeRequest inverse(Turn& turn, const Deployment& deployment) {
  ChangeRequest request;
  request.version = next_version(turn);
  request.force = request.rollback = true;
  for (const AppChange& change : deployment.changes) {
    const AppRun* run = find_spec(turn.state, change.id);
    const AppPtr present = run ? run->target : nullptr;
    AppPtr restored;
    if (change.from) {
      App app = *change.from;
      if (!finish_definition(turn, app, present.get(), request.version)) continue;
      restored = std::make_shared<const App>(std::move(app));
    }
    if (!present && !restored) continue;
    request.apps.push_back({change.id, present, restored, {}});
  }
  for (const GroupChange& change : deployment.groups) {
    const auto it = turn.state.groups.find(change.id);
    std::optional<Group> present;
    if (it != turn.state.groups.end()) present = it->second;
    if (change.from) {
      request.groups.push_back({change.id, present, change.from});
      continue;
    }
    // A group that the deployment made goes only when nothing else has moved in.
    bool used = false;
    each_spec(turn.state, change.id, [&](const AppRun& run) {
      used |= std::none_of(deployment.changes.begin(), deployment.changes.end(),
                           [&](const AppChange& c) { return c.id == run.target->id; });
    });
    if (present && !used) request.groups.push_back({change.id, present, std::nullopt});
  }
  return request;
}

void cancel(Turn& turn, std::string id, const std::string& reason) {
  const auto it = turn.state.deployments.find(id);
  if (it == turn.state.deployments.end()) return;
  const Deployment deployment = it->second;
  drop_deployment(turn, id);
  publish_cancelled(turn, deployment, reason);
}

void set_paused(Turn& turn, const std::string& id, bool paused) {
  const auto it = turn.state.deployments.find(id);
  if (it == turn.state.deployments.end() || it->second.paused == paused) return;
  Deployment& deployment = it->second;
  deployment.paused = paused;
  deployment.progress = 0;  // the deadline starts anew
  commit(turn, {{deployment_key(id), encode_deployment(deployment)}});
  if (paused) turn.out.cancel_timer("deadline/" + id);
  for (const AppChange& change : deployment.changes) touch(turn, change.id);
}

bool promote(Turn& turn, const std::string& id) {
  const auto it = turn.state.deployments.find(id);
  if (it == turn.state.deployments.end()) return false;
  Deployment& deployment = it->second;
  const bool any = std::any_of(deployment.changes.begin(), deployment.changes.end(), [](const AppChange& change) {
    return change.from && change.to && change.to->deployment.canary > 0;
  });
  if (!any) return false;
  deployment.promoted = true;
  deployment.progress = 0;  // the deadline starts anew
  commit(turn, {{deployment_key(id), encode_deployment(deployment)}});
  for (const AppChange& change : deployment.changes) touch(turn, change.id);
  return true;
}

bool is_being_replaced(const State& state, const AppRun& run, const Instance& instance) {
  if (run.deployment.empty() || !run.target || instance.version == run.target->version) return false;
  const auto it = state.deployments.find(run.deployment);
  // While it is paused, what ends is replaced in its place: the number of tasks stays.
  if (it == state.deployments.end() || it->second.paused) return false;
  for (const Step& step : it->second.steps) {
    for (const Action& action : step) {
      if (action.app == run.target->id && action.kind == ActionKind::Restart) {
        return is_outdated(run, instance);
      }
    }
  }
  return false;
}

std::vector<PathId> dependencies_of(const State& state, const PathId& app,
                                    const std::map<PathId, const App*>& changed,
                                    const std::map<PathId, const Group*>& groups) {
  const auto app_of = [&](const PathId& id) -> const App* {
    if (const auto it = changed.find(id); it != changed.end()) return it->second;
    const AppRun* run = find_spec(state, id);
    return run ? run->target.get() : nullptr;
  };
  const auto group_of = [&](const PathId& id) -> const Group* {
    if (const auto it = groups.find(id); it != groups.end()) return it->second;
    const auto it = state.groups.find(id);
    return it == state.groups.end() ? nullptr : &it->second;
  };
  const App* own = app_of(app);
  if (!own || own->pod) return {};
  std::set<PathId> wanted(own->dependencies.begin(), own->dependencies.end());
  for (PathId group = parent_of(app);; group = parent_of(group)) {
    if (const Group* above = group_of(group)) {
      wanted.insert(above->dependencies.begin(), above->dependencies.end());
    }
    if (group == "/") break;
  }
  std::set<PathId> apps;
  for (const PathId& id : wanted) {
    if (const App* named = app_of(id)) {
      if (!named->pod) apps.insert(id);  // pods take no part in the order
      continue;
    }
    each_app(state, id, [&](const AppRun& run) {
      if (app_of(run.target->id)) apps.insert(run.target->id);
    });
    for (const auto& [other, definition] : changed) {
      if (definition && !definition->pod && other != id && is_within(other, id)) apps.insert(other);
    }
  }
  return {apps.begin(), apps.end()};
}

void settle(Turn& turn) {
  // Each round may touch further apps; a fixed point is reached when nothing changes any more.
  while (!turn.state.dirty.empty()) {
    const std::set<PathId> dirty = std::move(turn.state.dirty);
    turn.state.dirty.clear();
    std::map<std::string, std::set<PathId>> deployments;
    for (const PathId& id : dirty) {
      AppRun* run = find_run(turn.state, id);
      if (!run) continue;
      if (!run->deployment.empty()) {
        deployments[run->deployment].insert(id);
      } else if (run->target) {
        restore_count(turn, *run);
      } else if (run->instances.empty()) {
        if (run->storing == 0) turn.state.apps.erase(id);
      } else {
        // Removed, and its deployment was cancelled: the instances still go.
        stop_all(turn, *run);
      }
    }
    for (const auto& [id, touched] : deployments) advance(turn, id, touched);
  }
}

void resume(Turn& turn, Deployment deployment) {
  const std::string id = deployment.id;
  if (deployment.changes.empty()) {
    // Groups alone: it was done when it was stored, and no app would ever bring it to its end.
    return commit_later(turn, {{deployment_key(id), std::nullopt}});
  }
  std::sort(deployment.changes.begin(), deployment.changes.end(),
            [](const AppChange& a, const AppChange& b) { return a.id < b.id; });
  deployment.steps = plan_steps(turn.state, deployment);
  lock(turn, deployment);
  deployment.running = true;
  deployment.progress_at = turn.now.time;
  for (const AppChange& change : deployment.changes) touch(turn, change.id);
  turn.state.deployments.emplace(id, std::move(deployment));
}

}  // namespace marathon
