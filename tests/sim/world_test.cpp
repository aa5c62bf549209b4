#include "tests/sim/world.hpp"

#include <gtest/gtest.h>

#include "tests/sim/disk.hpp"
#include "tests/sim/network.hpp"

namespace sim {
namespace {

TEST(World, runs_events_in_order_of_time_and_then_of_scheduling) {
  World world(1);
  std::string order;
  world.after(base::seconds(2), [&] { order += 'c'; });
  world.after(base::seconds(1), [&] { order += 'a'; });
  world.after(base::seconds(1), [&] { order += 'b'; });
  world.run_for(base::seconds(3));
  EXPECT_EQ(order, "abc");
}

TEST(World, what_a_node_had_planned_dies_with_it) {
  World world(1);
  Node node{"n", true};
  bool ran = false;
  world.after(node, base::seconds(1), [&] { ran = true; });
  ++node.epoch;
  world.run_for(base::seconds(2));
  EXPECT_FALSE(ran);
}

struct Pair {
  explicit Pair(uint64_t seed, NetworkFaults faults = {}) : world(seed), network(world, faults) {}
  World world;
  Network network;
  Node a{"a", true}, b{"b", true};
};

TEST(Network, delivers_a_streams_messages_in_order_through_a_partition_that_heals_in_time) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Pair p(seed, {.slow = 0.2, .slow_max = base::seconds(1)});
    std::vector<int> got;
    const StreamId stream = p.network.open(
        p.a, p.b, [] { FAIL(); }, [] { FAIL(); });
    for (int i = 0; i < 100; ++i) {
      p.world.after(base::milliseconds(20 * i),
                    [&, i] { p.network.send(stream, 0, [&got, i] { got.push_back(i); }); });
    }
    p.world.after(base::milliseconds(700), [&] { p.network.partition("b", "a"); });
    p.world.after(base::milliseconds(3100), [&] { p.network.heal("a", "b"); });
    p.world.run_for(base::seconds(30));
    ASSERT_EQ(got.size(), 100u);
    EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
  }
}

TEST(Network, a_long_partition_breaks_the_stream_and_tells_both_sides) {
  Pair p(3);
  int told = 0;
  const StreamId stream = p.network.open(
      p.a, p.b, [&] { ++told; }, [&] { ++told; });
  p.network.partition("a", "b");
  bool arrived = false;
  p.network.send(stream, 0, [&] { arrived = true; });
  p.world.run_for(base::minutes(1));
  EXPECT_FALSE(arrived);
  EXPECT_EQ(told, 2);
}

TEST(Network, the_peers_of_a_crashed_node_are_told_and_the_node_is_not) {
  Pair p(4);
  bool a_told = false;
  p.network.open(
      p.a, p.b, [&] { a_told = true; }, [] { FAIL(); });
  p.b.alive = false;
  ++p.b.epoch;
  p.network.node_crashed(p.b);
  p.world.run_for(base::seconds(1));
  EXPECT_TRUE(a_told);
}

TEST(Disk, a_crash_keeps_a_prefix_of_what_was_under_way) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    World world(seed);
    Node node{"n", true};
    Disk disk(world, node, {});
    int done = 0;
    for (int i = 0; i < 10; ++i)
      disk.commit({{std::to_string(i), "x"}}, [&](const base::Status&) { ++done; });
    world.run_for(base::milliseconds(5));
    ++node.epoch;
    disk.node_crashed();
    const auto kept = static_cast<int>(disk.durable().size());
    EXPECT_GE(kept, done);
    for (int i = 0; i < kept; ++i) EXPECT_TRUE(disk.durable().count(std::to_string(i)));
  }
}

}  // namespace
}  // namespace sim
