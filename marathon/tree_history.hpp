#pragma once

// The tree of groups as it was: each change keeps what it replaced, so that former trees come from walking back.

#include <map>
#include <optional>
#include <vector>

#include "marathon/deployments.hpp"
#include "marathon/state.hpp"

namespace marathon {

struct Tree {
  std::map<PathId, AppPtr> apps;
  std::map<PathId, Group> groups;
};

/// Of the root group: that of the last change.
Version root_version(const State& state);

/// Keeps what a change is about to replace, in memory and in the turn's commit; forgets what is older than the limit.
void remember_change(Turn& turn, Version version, const std::vector<AppChange>& apps,
                     const std::vector<GroupChange>& groups);

/// The change at `version` could not be stored.
void forget_change(State& state, Version version);

/// `lost` was never stored: those who were to go back to it go back to `stored`.
void replace_in_history(Turn& turn, const PathId& app, const AppPtr& lost, const AppPtr& stored);

/// The tree at a version that root_version() once was. Nothing when that is too long ago, or never was.
std::optional<Tree> tree_at(const State& state, Version version);

bool group_exists(const Tree& tree, const PathId& id);

/// Root versions at which the group existed, newest first.
std::vector<Version> group_versions(const State& state, const PathId& id);

}  // namespace marathon
