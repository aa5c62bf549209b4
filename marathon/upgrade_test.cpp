#include "marathon/upgrade.hpp"

#include <gtest/gtest.h>

namespace marathon {
namespace {

struct Row {
  int64_t n;
  double minimum, over;
  int64_t healthy;
  bool resident;
  int64_t capacity, killed;
};

TEST(Upgrade, limits_follow_the_published_table) {
  const Row rows[] = {
      {10, 1, 1, 10, false, 20, 0},  {10, .1, 1, 10, false, 20, 9}, {10, .5, 0, 10, false, 10, 5},
      {10, 1, 0, 10, false, 11, 0},  {10, .1, 0, 1, false, 10, 0},  {2, .5, 0, 2, false, 2, 1},
      {1, .5, 0, 1, false, 2, 0},    {1, .5, 0, 0, false, 1, 0},    {3, 0, 0, 3, false, 3, 3},
      {1, .5, 0, 1, true, 1, 1},     {1, .5, 0, 0, true, 1, 0},     {5, .5, 0, 5, true, 5, 2},
      {5, 1, 0, 5, true, 5, 1},      {5, 1, 0, 3, true, 5, 0},
  };
  for (const Row& row : rows) {
    const UpgradeLimits limits = upgrade_limits(
        {row.minimum, row.over}, {row.n, row.healthy, row.healthy, row.resident});
    EXPECT_EQ(limits.max_capacity, row.capacity) << row.n << " " << row.minimum << " " << row.over;
    EXPECT_EQ(limits.kill_now, row.killed) << row.n << " " << row.minimum << " " << row.over;
  }
}

TEST(Upgrade, surplus_instances_are_killed_at_once) {
  EXPECT_EQ(upgrade_limits({1, 1}, {2, 5, 5}).kill_now, 3);
  EXPECT_EQ(upgrade_limits({1, 0}, {5, 7, 7, true}).kill_now, 3);
}

TEST(Upgrade, something_can_always_move) {
  for (int64_t n = 1; n <= 40; ++n) {
    for (double minimum = 0; minimum <= 1; minimum += 0.05) {
      for (double over = 0; over <= 1; over += 0.05) {
        const UpgradeLimits limits = upgrade_limits({minimum, over}, {n, n, n});
        EXPECT_TRUE(limits.kill_now > 0 || limits.max_capacity > n) << n << " " << minimum << " " << over;
        EXPECT_LE(limits.max_capacity, 2 * n + 1);
        EXPECT_LE(limits.kill_now, n);
      }
    }
  }
}

}  // namespace
}  // namespace marathon
