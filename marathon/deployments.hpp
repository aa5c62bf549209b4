#pragma once

// Changes to the tree and the deployments that bring them about.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "marathon/errors.hpp"
#include "marathon/state.hpp"

namespace marathon {

/// A change that the API wants: what becomes of each app and group it touches.
struct ChangeRequest {
  CallId call = 0;  // 0: nobody waits for an answer
  bool force = false;
  bool rollback = false;  // undoes another deployment
  std::string undone;     // the deployment that it undoes, which ends with it; empty: none
  Version version;
  std::vector<AppChange> apps;
  std::vector<GroupChange> groups;
  PathId group = "/";                              // named by the group_change_success event
  std::function<void(Turn&)> announce;             // publishes what precedes the deployment's events
  std::function<base::http::Response(const Deployment&)> answer;
};

/// A version for a change made now: later than every earlier one.
Version next_version(Turn& turn);

/// Gives `app` its version and service ports, and says what kind of change it is from `previous`. A restart makes every
/// instance old although nothing differs. False when no service port is free.
/// `in_place`: what tasks do not see makes none of them old.
bool finish_definition(Turn& turn, App& app, const App* previous, Version version, bool restart = false,
                       bool in_place = false);

/// Locks, plans, stores and, once durable, answers and starts. An error means that nothing happened.
std::optional<ApiError> submit(Turn& turn, ChangeRequest request);

/// The change that undoes `deployment` in today's tree, touching nothing that others changed since.
ChangeRequest inverse(Turn& turn, const Deployment& deployment);

/// Ends a deployment without finishing it.
void cancel(Turn& turn, std::string id, const std::string& reason);

/// Holds the deployment where it is, or lets it go on; durable with the turn's commit.
void set_paused(Turn& turn, const std::string& id, bool paused);

/// Lets canaries' versions replace the others; durable with the turn's commit. False: there is none in it.
bool promote(Turn& turn, const std::string& id);

/// End of a turn: for each app whose instances changed, moves its deployment on or restores its count.
void settle(Turn& turn);

/// The instance runs an older version in a rolling replacement: when it ends it is not launched again.
bool is_being_replaced(const State& state, const AppRun& run, const Instance& instance);

/// What an app depends on, groups expanded; `changed` overlays the tree (null: removed).
std::vector<PathId> dependencies_of(const State& state, const PathId& app,
                                    const std::map<PathId, const App*>& changed,
                                    const std::map<PathId, const Group*>& groups);

/// Takes a stored deployment up again after a restart.
void resume(Turn& turn, Deployment deployment);

}  // namespace marathon
