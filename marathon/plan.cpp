#include "marathon/plan.hpp"

#include <algorithm>
#include <map>
#include <optional>

namespace marathon {
namespace {

/// Walks dependencies without recursion: a chain of 10,000 apps must not exhaust the stack.
class Depths {
 public:
  explicit Depths(const Dependencies& dependencies) : dependencies_(dependencies) {}

  /// 1 + the longest path below `app`. A cycle, which validation refuses, counts as far as it goes.
  int of(const PathId& app) {
    if (const auto it = depth_.find(app); it != depth_.end() && it->second > 0) return it->second;
    std::vector<Frame> stack;
    enter(stack, app);
    while (!stack.empty()) {
      Frame& frame = stack.back();
      if (frame.next < frame.children.size()) {
        const PathId& child = frame.children[frame.next++];
        const auto it = depth_.find(child);
        if (it == depth_.end()) {
          enter(stack, child);
        } else {
          // A cycle leads to an app under way: its depth is still 0.
          frame.deepest = std::max(frame.deepest, it->second);
        }
        continue;
      }
      const int depth = frame.deepest + 1;
      depth_[frame.app] = depth;
      stack.pop_back();
      if (!stack.empty()) stack.back().deepest = std::max(stack.back().deepest, depth);
    }
    return depth_[app];
  }

 private:
  struct Frame {
    PathId app;
    std::vector<PathId> children;
    size_t next = 0;
    int deepest = 0;
  };

  void enter(std::vector<Frame>& stack, const PathId& app) {
    depth_[app] = 0;
    stack.push_back({app, dependencies_(app), 0, 0});
  }

  const Dependencies& dependencies_;
  std::map<PathId, int> depth_;
};

std::optional<ActionKind> action_for(const AppChange& change) {
  if (!change.to) return std::nullopt;
  if (!change.from) return ActionKind::Scale;
  // Definitions with the same time of their configuration were found to need no new tasks.
  const bool in_place = change.from->last_config_change_at == change.to->last_config_change_at &&
                        change.from->last_config_change_at != Version();
  const bool restart = needs_restart(*change.from, *change.to, in_place);
  if (restart && change.to->instances > 0 && change.from->instances > 0) return ActionKind::Restart;
  if (restart || change.from->instances != change.to->instances || !change.kill_list.empty()) {
    return ActionKind::Scale;
  }
  return std::nullopt;
}

}  // namespace

const AppChange* find_change(const std::vector<AppChange>& changes, const PathId& app) {
  const auto it = std::lower_bound(changes.begin(), changes.end(), app,
                                   [](const AppChange& change, const PathId& id) { return change.id < id; });
  return it == changes.end() || it->id != app ? nullptr : &*it;
}

std::string_view action_name(const Action& action) {
  switch (action.kind) {
    case ActionKind::Start: return action.pod ? "StartPod" : "StartApplication";
    case ActionKind::Stop: return action.pod ? "StopPod" : "StopApplication";
    case ActionKind::Scale: return action.pod ? "ScalePod" : "ScaleApplication";
    case ActionKind::Restart: return action.pod ? "RestartPod" : "RestartApplication";
  }
  UNREACHABLE();
}

std::vector<Step> plan(const std::vector<AppChange>& changes, const Dependencies& dependencies) {
  Step stop, start;
  std::map<int, Step> by_depth;
  Depths depths(dependencies);
  for (const AppChange& change : changes) {
    if (!change.to) stop.push_back({ActionKind::Stop, change.id, change.is_pod()});
    if (!change.from && change.to) start.push_back({ActionKind::Start, change.id, change.is_pod()});
    if (const auto kind = action_for(change)) {
      by_depth[depths.of(change.id)].push_back({*kind, change.id, change.is_pod()});
    }
  }
  std::vector<Step> steps;
  if (!stop.empty()) steps.push_back(std::move(stop));
  if (!start.empty()) steps.push_back(std::move(start));
  for (auto& [depth, step] : by_depth) steps.push_back(std::move(step));
  return steps;
}

std::vector<PathId> find_cycle(const std::vector<PathId>& roots, const Dependencies& dependencies) {
  enum class Mark { Open, Done };
  std::map<PathId, Mark> marks;
  struct Frame {
    PathId app;
    std::vector<PathId> children;
    size_t next = 0;
  };
  for (const PathId& root : roots) {
    if (marks.contains(root)) continue;
    std::vector<Frame> stack{{root, dependencies(root), 0}};
    marks[root] = Mark::Open;
    while (!stack.empty()) {
      Frame& frame = stack.back();
      if (frame.next == frame.children.size()) {
        marks[frame.app] = Mark::Done;
        stack.pop_back();
        continue;
      }
      const PathId child = frame.children[frame.next++];
      const auto it = marks.find(child);
      if (it == marks.end()) {
        marks[child] = Mark::Open;
        stack.push_back({child, dependencies(child), 0});
      } else if (it->second == Mark::Open) {
        std::vector<PathId> cycle;
        for (const Frame& f : stack) {
          if (!cycle.empty() || f.app == child) cycle.push_back(f.app);
        }
        return cycle;
      }
    }
  }
  return {};
}

}  // namespace marathon
