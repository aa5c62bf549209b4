// Dependencies: cycles are found whatever the graph, and children are due as often as they should be.

#include "chronos/graph.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"

namespace chronos {
namespace {

using Parents = std::map<JobName, std::set<JobName>>;

ParentsOf of(const Parents& parents) {
  return [&parents](const JobName& name) -> const std::set<JobName>* {
    const auto it = parents.find(name);
    return it == parents.end() ? nullptr : &it->second;
  };
}

TEST(Graph, a_cycle_is_shown_as_the_way_around) {
  const Parents parents{{"a", {}}, {"b", {"a"}}, {"c", {"b"}}};
  EXPECT_TRUE(find_cycle("d", {"c", "a"}, of(parents)).empty());
  EXPECT_EQ(find_cycle("a", {"c"}, of(parents)), (std::vector<JobName>{"a", "b", "c", "a"}));
  EXPECT_EQ(find_cycle("x", {"x"}, of(parents)), (std::vector<JobName>{"x", "x"}));
}

/// Is `to` reachable from `from` upwards? By another way than the code under test: repeated sweeps.
bool reaches(const Parents& parents, const std::set<JobName>& from, const JobName& to) {
  std::set<JobName> seen = from;
  for (size_t before = 0; before != seen.size();) {
    before = seen.size();
    for (const auto& [name, above] : parents) {
      if (seen.contains(name)) seen.insert(above.begin(), above.end());
    }
  }
  return seen.contains(to);
}

TEST(Graph, what_is_accepted_never_has_a_cycle) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    base::Random random(seed);
    Parents parents;
    for (int step = 0; step < 60; ++step) {
      const JobName name = "j" + std::to_string(random.below(12));
      std::set<JobName> above;
      for (uint64_t n = random.below(4); n > 0; --n) {
        const JobName parent = "j" + std::to_string(random.below(12));
        if (parents.contains(parent)) above.insert(parent);
      }
      const auto cycle = find_cycle(name, above, of(parents));
      ASSERT_EQ(!cycle.empty(), reaches(parents, above, name)) << seed << ' ' << step;
      if (cycle.empty()) {
        parents[name] = above;
      } else {
        ASSERT_EQ(cycle.front(), name);
        ASSERT_EQ(cycle.back(), name);
        for (size_t i = 1; i + 1 < cycle.size(); ++i) ASSERT_TRUE(parents.at(cycle[i]).contains(cycle[i - 1]));
        ASSERT_TRUE(above.contains(cycle[cycle.size() - 2]));
      }
    }
  }
}

TEST(Graph, the_common_root_is_the_one_job_with_a_schedule_above_all_parents) {
  const Parents parents{{"r", {}}, {"s", {}}, {"a", {"r"}}, {"b", {"r"}}, {"c", {"a", "s"}}, {"d", {"a", "b"}}};
  EXPECT_EQ(common_root({"a", "b"}, of(parents)), "r");
  EXPECT_EQ(common_root({"r", "d"}, of(parents)), "r");
  EXPECT_EQ(common_root({"b", "c"}, of(parents)), std::nullopt);
  EXPECT_EQ(common_root({"r", "s"}, of(parents)), std::nullopt);
}

TEST(Graph, with_one_parent_every_success_counts) {
  Edges edges;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(advance(edges, {"a"}, "a", i, true));
}

TEST(Graph, without_generations_the_lowest_count_decides) {
  Edges edges;
  const std::set<JobName> parents{"a", "b"};
  EXPECT_FALSE(advance(edges, parents, "a", 1, false));
  EXPECT_FALSE(advance(edges, parents, "a", 2, false)) << "twice before the other counts once";
  EXPECT_TRUE(advance(edges, parents, "b", 3, false));
  reset(edges);
  EXPECT_FALSE(advance(edges, parents, "b", 4, false));
  EXPECT_TRUE(advance(edges, parents, "a", 5, false));
}

TEST(Graph, in_any_order_a_child_is_due_once_for_every_generation_that_is_complete_and_not_overtaken) {
  const std::set<JobName> parents{"a", "b", "c"};
  for (uint64_t seed = 0; seed < 300; ++seed) {
    base::Random random(seed);
    std::vector<std::pair<JobName, int64_t>> successes;
    std::map<int64_t, size_t> complete;
    for (int64_t generation = 1; generation <= 8; ++generation) {
      for (const JobName& parent : parents) {
        if (random.chance(0.85)) successes.emplace_back(parent, generation), ++complete[generation];
      }
    }
    Edges edges;
    std::map<int64_t, int> due;
    int64_t newest = 0;
    // In order of generations, parents within one in any order.
    for (size_t i = 0; i + 1 < successes.size(); ++i) {
      if (successes[i].second == successes[i + 1].second && random.chance(0.5)) std::swap(successes[i], successes[i + 1]);
    }
    for (const auto& [parent, generation] : successes) {
      if (advance(edges, parents, parent, generation, true)) {
        ++due[generation];
        ASSERT_GT(generation, newest);
        newest = generation;
      }
    }
    for (int64_t generation = 1; generation <= 8; ++generation) {
      ASSERT_EQ(due[generation], complete[generation] == 3 ? 1 : 0) << seed << ' ' << generation;
    }
  }
}

}  // namespace
}  // namespace chronos
