// Clusters of cores on a virtual network.

#include <gtest/gtest.h>

#include "l4lb/api/render.hpp"
#include "l4lb/testing.hpp"

namespace l4lb {
namespace {

using testing::make_task;
using testing::World;
using testing::WorldOptions;

size_t targets(World& world, size_t node, const std::string& vip) {
  size_t count = 0;
  for (const VipId& id : world.core(node).find(vip))
    for (const Candidate& each : world.core(node).candidates(id, world.now())) count += each.used ? 1 : 0;
  return count;
}

TEST(Cluster, machines_find_each_other_by_one_seed) {
  World world({.nodes = 10, .seeds = 1});
  EXPECT_TRUE(world.run_until([&] { return world.membership_is_true(); }, base::seconds(5)));
}

TEST(Cluster, a_service_is_known_everywhere_with_one_address) {
  World world({.nodes = 20});
  ASSERT_TRUE(world.run_until([&] { return world.membership_is_true(); }, base::seconds(5)));
  for (size_t i = 0; i < 5; ++i)
    world.tell(i, TaskChanged{"agent", make_task("t" + std::to_string(i), "/web:80", 31000)});
  EXPECT_TRUE(world.run_until(
      [&] { return targets(world, 19, "web.marathon.l4lb.thisdcos.directory:80") == 5 && world.difference().empty(); },
      base::seconds(3)))
      << world.difference();
  EXPECT_EQ(world.core(7).records().size(), 1U);
}

TEST(Cluster, a_dead_machines_backends_go_and_come_back_with_it) {
  World world({.nodes = 8});
  ASSERT_TRUE(world.run_until([&] { return world.membership_is_true(); }, base::seconds(5)));
  for (size_t i = 0; i < 2; ++i)
    world.tell(i, TaskChanged{"agent", make_task("t" + std::to_string(i), "/web:80", 31000)});
  const std::string vip = "web.marathon.l4lb.thisdcos.directory:80";
  ASSERT_TRUE(world.run_until([&] { return targets(world, 5, vip) == 2; }, base::seconds(2)));
  const auto records = world.core(5).records();
  world.stop(0);
  EXPECT_TRUE(world.run_until([&] { return targets(world, 5, vip) == 1; }, base::seconds(10)));
  // All machines of the other kind gone: used nevertheless.
  world.stop(1);
  world.run_for(base::seconds(10));
  EXPECT_EQ(targets(world, 5, vip), 2U);
  EXPECT_EQ(world.core(5).records(), records);  // hidden is not forgotten: the address stays
  world.start(0);
  EXPECT_TRUE(world.run_until([&] { return targets(world, 5, vip) == 1; }, base::seconds(10)));
  EXPECT_TRUE(world.false_deaths().empty()) << world.false_deaths()[0];
}

TEST(Cluster, a_restart_keeps_what_was_told_until_the_agents_say_otherwise) {
  WorldOptions options{.nodes = 3};
  options.policy.agents = {"agent"};
  World world(options);
  ASSERT_TRUE(world.run_until([&] { return world.membership_is_true(); }, base::seconds(5)));
  const std::string vip = "web.marathon.l4lb.thisdcos.directory:80";
  world.tell(0, AgentSnapshot{"agent", {}, {make_task("t1", "/web:80", 1), make_task("t2", "/web:80", 2)}});
  ASSERT_TRUE(world.run_until([&] { return targets(world, 2, vip) == 2; }, base::seconds(2)));
  world.stop(0);
  world.start(0);
  world.run_for(base::seconds(3));
  EXPECT_EQ(targets(world, 2, vip), 2U);
  EXPECT_EQ(targets(world, 0, vip), 2U);
  world.tell(0, AgentSnapshot{"agent", {}, {make_task("t2", "/web:80", 2)}});
  EXPECT_TRUE(
      world.run_until([&] { return targets(world, 2, vip) == 1 && targets(world, 0, vip) == 1; }, base::seconds(2)));
  world.tell(0, TaskRemoved{"agent", "framework", "t2"});
  EXPECT_TRUE(world.run_until([&] { return world.core(2).records().empty(); }, base::seconds(2)));
}

TEST(Cluster, a_partition_heals) {
  World world({.nodes = 12});
  ASSERT_TRUE(world.run_until([&] { return world.membership_is_true(); }, base::seconds(5)));
  for (size_t i = 0; i < 12; ++i)
    world.tell(i, TaskChanged{"agent", make_task("t" + std::to_string(i), "/web:80", 31000)});
  world.run_for(base::seconds(1));
  std::vector<int> groups(12);
  for (size_t i = 6; i < 12; ++i) groups[i] = 1;
  world.partition(groups);
  world.run_for(base::seconds(20));
  EXPECT_EQ(targets(world, 0, "web.marathon.l4lb.thisdcos.directory:80"), 6U);
  // Both sides change meanwhile, and each makes a name of its own.
  world.tell(0, TaskChanged{"agent", make_task("a", "/left:80", 1)});
  world.tell(11, TaskChanged{"agent", make_task("b", "/right:80", 1)});
  world.tell(1, TaskRemoved{"agent", "framework", "t1"});
  world.run_for(base::seconds(5));
  world.partition({});
  EXPECT_TRUE(
      world.run_until([&] { return world.membership_is_true() && world.difference().empty(); }, base::seconds(30)))
      << world.difference();
  EXPECT_EQ(targets(world, 11, "web.marathon.l4lb.thisdcos.directory:80"), 11U);
  EXPECT_EQ(world.core(3).records().size(), 3U);
}

TEST(Cluster, nobody_is_held_for_dead_under_loss) {
  World world({.seed = 5, .nodes = 30, .loss = 0.1});
  ASSERT_TRUE(world.run_until([&] { return world.membership_is_true(); }, base::seconds(20)));
  world.run_for(base::seconds(120));
  EXPECT_TRUE(world.false_deaths().empty()) << world.false_deaths()[0];
  EXPECT_GT(world.counted("lashup/suspicions"), 0U);  // the test would see something
}

TEST(Cluster, what_cannot_be_stored_is_not_told) {
  World world({.nodes = 3});
  ASSERT_TRUE(world.run_until([&] { return world.membership_is_true(); }, base::seconds(5)));
  world.fail_store(0, true);
  world.tell(0, TaskChanged{"agent", make_task("t", "/web:80", 1)});
  world.run_for(base::seconds(5));
  EXPECT_TRUE(world.core(1).records().empty());
  world.fail_store(0, false);
  EXPECT_TRUE(world.run_until([&] { return world.core(1).records().size() == 1; }, base::seconds(5)));
}

TEST(Cluster, refused_connections_take_a_backend_out_for_a_while_here_and_only_here) {
  World world({.nodes = 2});
  ASSERT_TRUE(world.run_until([&] { return world.membership_is_true(); }, base::seconds(5)));
  const std::string vip = "web.marathon.l4lb.thisdcos.directory:80";
  for (size_t i = 0; i < 2; ++i)
    world.tell(i, TaskChanged{"agent", make_task("t" + std::to_string(i), "/web:80", 31000)});
  ASSERT_TRUE(
      world.run_until([&] { return targets(world, 0, vip) == 2 && targets(world, 1, vip) == 2; }, base::seconds(2)));
  world.tell(0, BackendsFailed{{{world.ip(1), 31000}}});
  world.run_for(base::milliseconds(10));
  EXPECT_EQ(targets(world, 0, vip), 1U);
  EXPECT_EQ(targets(world, 1, vip), 2U);
  world.tell(0, BackendsFailed{{{world.ip(0), 31000}}});
  world.run_for(base::milliseconds(10));
  EXPECT_EQ(targets(world, 0, vip), 2U);  // all of them: better tried than refused
  world.run_for(base::seconds(6));
  EXPECT_EQ(targets(world, 0, vip), 2U);
  size_t slots = 0;
  for (const auto& [key, change] : world.programmed(0)) slots += change.targets.size();
  EXPECT_EQ(slots, 2U);
}

TEST(Cluster, the_same_seed_gives_the_same_run) {
  const auto run = [] {
    World world({.seed = 9, .nodes = 10, .loss = 0.05});
    world.tell(3, TaskChanged{"agent", make_task("t", "/web:80", 1)});
    world.run_for(base::seconds(5));
    return world.hash();
  };
  EXPECT_EQ(run(), run());
}

TEST(Cluster, hostile_datagrams_change_nothing) {
  World world({.nodes = 3});
  ASSERT_TRUE(world.run_until([&] { return world.membership_is_true(); }, base::seconds(5)));
  base::Random random(4);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes;
    for (uint64_t n = random.below(60); n > 0; --n) bytes.push_back(static_cast<char>(random.below(256)));
    world.tell(0, DatagramReceived{{world.ip(1), 62501}, world.core(1).id(), bytes});
  }
  world.run_for(base::seconds(3));
  EXPECT_TRUE(world.membership_is_true());
  EXPECT_GT(world.counted("lashup/bad_datagrams"), 1000U);
}

TEST(Render, answers_have_the_originals_shapes) {
  World world({.nodes = 1});
  world.run_for(base::milliseconds(10));
  world.tell(0, TaskChanged{"agent", make_task("t", "/l4lbtest:5000", 31000)});
  world.tell(0, TaskChanged{"agent", make_task("u", "1.2.3.4:80", 31001)});
  world.run_for(base::milliseconds(10));
  EXPECT_EQ(
      render_vips(world.core(0)),
      R"([{"vip":"1.2.3.4:80","protocol":"tcp","backend":[{"ip":"10.0.0.1","port":31001}]},)"
      R"({"vip":"l4lbtest.marathon.l4lb.thisdcos.directory:5000","protocol":"tcp","backend":[{"ip":"10.0.0.1","port":31000}]}])");
  const auto records = render_records(world.core(0).records());
  EXPECT_TRUE(records.starts_with(R"([{"name":"l4lbtest.marathon.l4lb.thisdcos.directory","host":"11.)")) << records;
  EXPECT_TRUE(records.ends_with(R"(","rtype":"A"}])")) << records;
  EXPECT_EQ(render_host(world.core(0), "unknown.l4lb.thisdcos.directory"), "[]");
  EXPECT_TRUE(render_host(world.core(0), "L4LBTEST.marathon.l4lb.thisdcos.directory.").find("\"ip\":\"11.") !=
              std::string::npos);
  EXPECT_NE(render_explain(world.core(0), "1.2.3.4:80", world.now()).find(R"("used":true)"), std::string::npos);
  EXPECT_EQ(zbase32("hello"), "pb1sa5dx");
}

}  // namespace
}  // namespace l4lb
