#include "kernel/containerizer/cgroups/cgroups.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <limits>

#include "base/file.hpp"

namespace containerizer::cgroups {
namespace {

/// A directory that looks like the kernel's tree: the files that a group would have exist before they are written.
class FakeTree : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/dcos-cgroups-test-XXXXXX";
    top = mkdtemp(name);
  }
  void TearDown() override { (void)base::remove_tree(top); }

  void file(const std::string& path, const std::string& content = "") {
    const std::string full = top + "/" + path;
    ASSERT_TRUE(base::make_directories(full.substr(0, full.rfind('/'))));
    ASSERT_TRUE(base::write_file(full, content));
  }
  std::string content(const std::string& path) { return base::read_file(top + "/" + path).value_or("?"); }

  void v1_group(const std::string& name) {
    file("cpu/mesos/" + name + "/cpu.shares");
    file("cpu/mesos/" + name + "/cpu.cfs_quota_us");
    file("cpu/mesos/" + name + "/cpu.cfs_period_us");
    file("memory/mesos/" + name + "/memory.soft_limit_in_bytes");
    file("memory/mesos/" + name + "/memory.limit_in_bytes", "9223372036854771712\n");
    file("freezer/mesos/" + name + "/cgroup.procs");
  }
  void v1_mounts() {
    for (const char* controller : {"cpu", "memory", "freezer"}) file(std::string(controller) + "/cgroup.procs");
  }

  std::string top;
};

Limits make_limits(double cpus, uint64_t megabytes) {
  Limits limits;
  limits.cpus = cpus;
  limits.memory = megabytes << 20;
  limits.memory_limit = megabytes << 20;
  return limits;
}

TEST(CgroupNumbers, have_their_floors) {
  EXPECT_EQ(shares(0.5), 512U);
  EXPECT_EQ(shares(0), 2U);
  EXPECT_EQ(weight(2), 200U);
  EXPECT_EQ(weight(0), 1U);
  EXPECT_EQ(weight(1e6), 10'000U);
  EXPECT_EQ(quota_micros(0.6), 60'000U);
  EXPECT_EQ(quota_micros(0.0001), 1'000U);
  EXPECT_EQ(quota_micros(std::numeric_limits<double>::infinity()), std::nullopt);
  EXPECT_EQ(quota_micros(std::nullopt), std::nullopt);
  EXPECT_EQ(memory_floor(1), kMinMemory);
}

TEST_F(FakeTree, v1_writes_shares_quota_and_memory) {
  v1_mounts();
  v1_group("c");
  const auto groups = open_v1(top, "mesos");
  ASSERT_TRUE(groups);
  Limits limits = make_limits(0.6, 132);
  limits.cpu_limit = 0.6;
  ASSERT_TRUE((*groups)->create("c", limits));
  EXPECT_EQ(content("cpu/mesos/c/cpu.shares"), "614");
  EXPECT_EQ(content("cpu/mesos/c/cpu.cfs_quota_us"), "60000");
  EXPECT_EQ(content("memory/mesos/c/memory.limit_in_bytes"), std::to_string(uint64_t{132} << 20));
  EXPECT_EQ((*groups)->list(), std::vector<std::string>{"c"});
  EXPECT_EQ((*groups)->entry_files("c").size(), 3U);
}

TEST_F(FakeTree, v1_raises_a_memory_ceiling_and_never_lowers_it) {
  v1_mounts();
  v1_group("c");
  const auto groups = open_v1(top, "mesos");
  ASSERT_TRUE((*groups)->create("c", make_limits(1, 100)));
  ASSERT_TRUE((*groups)->update("c", make_limits(1, 50)));
  EXPECT_EQ(content("memory/mesos/c/memory.limit_in_bytes"), std::to_string(uint64_t{100} << 20));
  ASSERT_TRUE((*groups)->update("c", make_limits(1, 200)));
  EXPECT_EQ(content("memory/mesos/c/memory.limit_in_bytes"), std::to_string(uint64_t{200} << 20));
}

TEST_F(FakeTree, v1_works_with_what_is_mounted_and_names_what_is_not) {
  file("freezer/cgroup.procs");
  const auto groups = open_v1(top, "mesos");
  ASSERT_TRUE(groups);
  EXPECT_FALSE((*groups)->has_memory());
  EXPECT_EQ((*groups)->description(), "version 1 (freezer; missing: memory, cpu, cpuacct, pids)");
  EXPECT_TRUE((*groups)->create("c", make_limits(1, 100)));
  EXPECT_FALSE(open_v1(top + "/nowhere", "mesos"));
}

TEST_F(FakeTree, v1_counts_kills_for_want_of_memory) {
  v1_mounts();
  v1_group("c");
  file("memory/mesos/c/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  const auto groups = open_v1(top, "mesos");
  EXPECT_EQ((*groups)->oom_kills("c"), 2U);
}

TEST_F(FakeTree, v2_writes_weight_ceiling_and_memory) {
  file("cgroup.controllers", "cpu memory pids\n");
  file("cgroup.subtree_control");
  file("mesos/cgroup.subtree_control");
  for (const char* name : {"cpu.weight", "cpu.max", "memory.low", "pids.max"}) file("mesos/c/" + std::string(name));
  file("mesos/c/memory.max", "max\n");
  file("mesos/c/memory.events", "low 0\noom_kill 1\n");
  const auto groups = open_v2(top, "mesos");
  ASSERT_TRUE(groups);
  Limits limits = make_limits(0.6, 132);
  limits.cpu_limit = 0.6;
  limits.pids = 50;
  ASSERT_TRUE((*groups)->create("c", limits));
  EXPECT_EQ(content("mesos/c/cpu.weight"), "60");
  EXPECT_EQ(content("mesos/c/cpu.max"), "60000 100000");
  EXPECT_EQ(content("mesos/c/memory.max"), std::to_string(uint64_t{132} << 20));
  EXPECT_EQ(content("mesos/c/pids.max"), "50");
  EXPECT_EQ((*groups)->oom_kills("c"), 1U);
  EXPECT_EQ((*groups)->entry_files("c"), std::vector<std::string>{top + "/mesos/c/leaf/cgroup.procs"});
}

TEST_F(FakeTree, v2_leaves_out_what_the_host_does_not_hand_down) {
  file("cgroup.controllers", "cpu\n");
  const auto groups = open_v2(top, "mesos");  // no cgroup.subtree_control to write
  ASSERT_TRUE(groups);
  EXPECT_EQ((*groups)->description(), "version 2 (; not delegated: cpu, memory, pids)");
  EXPECT_TRUE((*groups)->create("c", make_limits(1, 100)));
}

TEST_F(FakeTree, a_root_belongs_to_one_agent) {
  {
    const auto first = RootLock::take(top, "mesos", "/var/lib/a", false);
    ASSERT_TRUE(first);
    const auto second = RootLock::take(top, "mesos", "/var/lib/b", false);
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message.find("/var/lib/a"), std::string::npos);
    EXPECT_TRUE(RootLock::take(top, "other", "/var/lib/b", false));
  }
  // The first agent is gone, but its containers are not.
  EXPECT_FALSE(RootLock::take(top, "mesos", "/var/lib/b", true));
  EXPECT_TRUE(RootLock::take(top, "mesos", "/var/lib/a", true));
  EXPECT_TRUE(RootLock::take(top, "mesos", "/var/lib/b", false));
}

}  // namespace
}  // namespace containerizer::cgroups
