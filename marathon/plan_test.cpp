#include "marathon/plan.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/random.hpp"

namespace marathon {
namespace {

AppPtr app(const PathId& id, int instances, int config = 0) {
  App a;
  a.id = id;
  a.instances = instances;
  a.cmd = "c" + std::to_string(config);
  return std::make_shared<const App>(a);
}

const Dependencies kNone = [](const PathId&) { return std::vector<PathId>(); };

std::string text(const std::vector<Step>& steps) {
  std::string out;
  for (const Step& step : steps) {
    out += "[";
    for (const Action& action : step) out += std::string(action_name(action)) + " " + action.app + ";";
    out += "]";
  }
  return out;
}

TEST(Plan, simple_changes) {
  EXPECT_EQ(text(plan({{"/a", nullptr, app("/a", 1), {}}}, kNone)), "[StartApplication /a;][ScaleApplication /a;]");
  EXPECT_EQ(text(plan({{"/a", app("/a", 1), nullptr, {}}}, kNone)), "[StopApplication /a;]");
  EXPECT_EQ(text(plan({{"/a", app("/a", 1), app("/a", 2), {}}}, kNone)), "[ScaleApplication /a;]");
  EXPECT_EQ(text(plan({{"/a", app("/a", 1), app("/a", 1, 1), {}}}, kNone)), "[RestartApplication /a;]");
  EXPECT_EQ(text(plan({{"/a", app("/a", 2), app("/a", 0, 1), {}}}, kNone)), "[ScaleApplication /a;]");
  EXPECT_EQ(text(plan({{"/a", app("/a", 1), app("/a", 1), {}}}, kNone)), "");
  EXPECT_EQ(text(plan({{"/a", app("/a", 1), app("/a", 1), {"i"}}}, kNone)), "[ScaleApplication /a;]");
}

TEST(Plan, dependencies_come_first) {
  const std::map<PathId, std::vector<PathId>> graph{{"/web", {"/api"}}, {"/api", {"/db"}}, {"/db", {}}, {"/x", {}}};
  const auto steps = plan({{"/api", app("/api", 1), app("/api", 1, 1), {}},
                           {"/db", app("/db", 1), app("/db", 1, 1), {}},
                           {"/web", app("/web", 1), app("/web", 1, 1), {}},
                           {"/x", app("/x", 1), app("/x", 3), {}}},
                          [&](const PathId& id) { return graph.at(id); });
  EXPECT_EQ(text(steps),
            "[RestartApplication /db;ScaleApplication /x;][RestartApplication /api;][RestartApplication /web;]");
}

TEST(Plan, random_graphs_keep_every_promise) {
  base::Random random(7);
  for (int round = 0; round < 200; ++round) {
    const size_t n = 1 + random.below(12);
    std::map<PathId, std::vector<PathId>> graph;
    std::vector<PathId> ids;
    for (size_t i = 0; i < n; ++i) {
      const PathId id = "/a" + std::to_string(i);
      // Edges lead to earlier apps only: no cycles.
      for (const PathId& other : ids) {
        if (random.chance(0.3)) graph[id].push_back(other);
      }
      graph[id];
      ids.push_back(id);
    }
    const Dependencies dependencies = [&](const PathId& id) { return graph.at(id); };
    EXPECT_TRUE(find_cycle(ids, dependencies).empty());
    std::vector<AppChange> changes;
    for (const PathId& id : ids) {
      const AppPtr from = random.chance(0.3) ? nullptr : app(id, static_cast<int>(random.below(3)));
      const AppPtr to = from && random.chance(0.3)
                            ? nullptr
                            : app(id, static_cast<int>(random.below(3)), static_cast<int>(random.below(2)));
      changes.push_back({id, from, to, {}});
    }
    std::map<PathId, size_t> step_of;
    std::set<std::pair<PathId, ActionKind>> seen;
    const auto steps = plan(changes, dependencies);
    for (size_t s = 0; s < steps.size(); ++s) {
      EXPECT_FALSE(steps[s].empty());
      for (const Action& action : steps[s]) {
        EXPECT_TRUE(seen.emplace(action.app, action.kind).second) << "once each";
        EXPECT_TRUE(action.kind != ActionKind::Stop || s == 0);
        if (action.kind == ActionKind::Scale || action.kind == ActionKind::Restart) step_of[action.app] = s;
      }
    }
    for (const auto& [id, step] : step_of) {
      for (const PathId& dependency : graph.at(id)) {
        EXPECT_TRUE(!step_of.contains(dependency) || step_of[dependency] < step);
      }
    }
    for (const AppChange& change : changes) {
      const bool expected = change.to && (!change.from || needs_restart(*change.from, *change.to) ||
                                          change.from->instances != change.to->instances);
      EXPECT_EQ(step_of.contains(change.id), expected);
    }
  }
}

TEST(Plan, cycles_are_found_and_survived) {
  const std::map<PathId, std::vector<PathId>> graph{{"/a", {"/b"}}, {"/b", {"/c"}}, {"/c", {"/a"}}};
  const Dependencies dependencies = [&](const PathId& id) { return graph.at(id); };
  EXPECT_EQ(find_cycle({"/a"}, dependencies).size(), 3U);
  plan({{"/a", nullptr, app("/a", 1), {}}}, dependencies);
}

TEST(Plan, a_chain_of_many_apps_needs_no_stack) {
  const Dependencies chain = [](const PathId& id) {
    const int n = std::stoi(id.substr(1));
    return n == 0 ? std::vector<PathId>() : std::vector<PathId>{"/" + std::to_string(n - 1)};
  };
  EXPECT_TRUE(find_cycle({"/100000"}, chain).empty());
  EXPECT_EQ(plan({{"/100000", nullptr, app("/100000", 1), {}}}, chain).size(), 2U);
}

}  // namespace
}  // namespace marathon
