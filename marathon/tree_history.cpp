#include "marathon/tree_history.hpp"

#include <algorithm>
#include <functional>

#include "marathon/records.hpp"

namespace marathon {
namespace {

Tree tree_now(const State& state) {
  Tree tree;
  for (const auto& [id, run] : state.apps) {
    if (run.target) tree.apps[id] = run.target;
  }
  tree.groups = state.groups;
  return tree;
}

void undo(Tree& tree, const PastChange& change) {
  for (const auto& [id, from] : change.apps) {
    if (from) {
      tree.apps[id] = from;
    } else {
      tree.apps.erase(id);
    }
  }
  for (const auto& [id, from] : change.groups) {
    if (from) {
      tree.groups[id] = *from;
    } else {
      tree.groups.erase(id);
    }
  }
}

/// Visits the present tree and each one before it, newest first, until `visit` says that it has seen enough.
void walk_back(const State& state, const std::function<bool(Version, const Tree&)>& visit) {
  Tree tree = tree_now(state);
  if (state.history.empty()) return void(visit(state.last_version, tree));
  for (auto it = state.history.rbegin(); it != state.history.rend(); ++it) {
    if (!visit(it->first, tree)) return;
    undo(tree, it->second);
  }
}

}  // namespace

Version root_version(const State& state) {
  return state.history.empty() ? state.last_version : state.history.rbegin()->first;
}

void remember_change(Turn& turn, Version version, const std::vector<AppChange>& apps,
                     const std::vector<GroupChange>& groups) {
  PastChange change;
  for (const AppChange& app : apps) change.apps.emplace_back(app.id, app.from);
  for (const GroupChange& group : groups) change.groups.emplace_back(group.id, group.from);
  std::vector<Write> writes{{tree_key(version), encode_past_change(change)}};
  auto& history = turn.state.history;
  history[version] = std::move(change);
  while (history.size() > std::max<size_t>(1, turn.policy.max_versions)) {
    writes.push_back({tree_key(history.begin()->first), std::nullopt});
    history.erase(history.begin());
  }
  commit(turn, std::move(writes));
}

void forget_change(State& state, Version version) { state.history.erase(version); }

void replace_in_history(Turn& turn, const PathId& app, const AppPtr& lost, const AppPtr& stored) {
  for (auto& [version, change] : turn.state.history) {
    bool changed = false;
    for (auto& [id, from] : change.apps) {
      if (id != app || !lost || from != lost) continue;
      from = stored;
      changed = true;
    }
    if (changed) commit_later(turn, {{tree_key(version), encode_past_change(change)}});
  }
}

std::optional<Tree> tree_at(const State& state, Version version) {
  std::optional<Tree> found;
  walk_back(state, [&](Version at, const Tree& tree) {
    if (at == version) found = tree;
    return at > version;
  });
  return found;
}

bool group_exists(const Tree& tree, const PathId& id) {
  if (id == "/") return true;
  if (tree.groups.contains(id)) return true;
  const auto below = tree.groups.lower_bound(id + "/");
  return below != tree.groups.end() && is_within(below->first, id);
}

std::vector<Version> group_versions(const State& state, const PathId& id) {
  std::vector<Version> versions;
  walk_back(state, [&](Version at, const Tree& tree) {
    if (group_exists(tree, id)) versions.push_back(at);
    return true;
  });
  return versions;
}

}  // namespace marathon
