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

TEST_F(FakeTree, an_observer_lists_groups_inside_groups_and_makes_none) {
  const Wanted observe{.all = true, .observe = true};
  v1_mounts();
  EXPECT_EQ(open_v1(top, "mesos", observe).error().code, base::Code::NotFound);
  EXPECT_FALSE(base::exists(top + "/cpu/mesos"));
  v1_group("a");
  v1_group("a/mesos/b");
  EXPECT_EQ(open_v1(top, "mesos", observe).value()->list(), (std::vector<std::string>{"a", "a/mesos/b"}));
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
  EXPECT_EQ((*groups)->description(), "version 2 (; not delegated: memory, cpu, pids)");
  EXPECT_TRUE((*groups)->create("c", make_limits(1, 100)));
}

TEST_F(FakeTree, v1_sets_what_only_a_new_container_gets) {
  v1_mounts();
  v1_group("c");
  for (const char* controller : {"devices", "net_cls", "pids", "blkio"}) file(std::string(controller) + "/cgroup.procs");
  file("cpuset/cgroup.procs");
  file("cpuset/cpuset.cpus", "0-3\n");
  file("cpuset/cpuset.mems", "0\n");
  for (const char* name : {"mesos/", "mesos/c/"})
    for (const char* item : {"cpuset.cpus", "cpuset.mems"}) file("cpuset/" + std::string(name) + item);
  file("devices/mesos/c/devices.deny");
  file("devices/mesos/c/devices.allow");
  file("net_cls/mesos/c/net_cls.classid");
  file("pids/mesos/c/pids.max");
  const Wanted wanted{.isolators = {"cgroups/devices", "cgroups/net_cls", "cgroups/cpuset", "cgroups/blkio"}};
  const auto groups = open_v1(top, "mesos", wanted);
  ASSERT_TRUE(groups) << groups.error().message;
  Limits limits = make_limits(1, 64);
  limits.devices = {DeviceRule{'c', 1, 3, "rw"}};
  limits.net_class = 0x00100001;
  limits.cpuset_cpus = "1,3";
  limits.pids = 20;
  ASSERT_TRUE((*groups)->create("c", limits));
  EXPECT_EQ(content("devices/mesos/c/devices.deny"), "a");
  EXPECT_EQ(content("devices/mesos/c/devices.allow"), "c 1:3 rw");
  EXPECT_EQ(content("net_cls/mesos/c/net_cls.classid"), "1048577");
  EXPECT_EQ(content("cpuset/mesos/cpuset.cpus"), "0-3");
  EXPECT_EQ(content("cpuset/mesos/c/cpuset.cpus"), "1,3");
  EXPECT_EQ(content("cpuset/mesos/c/cpuset.mems"), "0");
  EXPECT_EQ(content("pids/mesos/c/pids.max"), "20");
  EXPECT_EQ((*groups)->birth_group("c"), "");
}

TEST_F(FakeTree, swap_is_as_the_container_asked) {
  v1_mounts();
  v1_group("c");
  file("memory/mesos/c/memory.memsw.limit_in_bytes");
  file("memory/mesos/c/memory.swappiness");
  const auto v1 = open_v1(top, "mesos", {});
  ASSERT_TRUE(v1) << v1.error().message;
  Limits limits = make_limits(1, 64);
  limits.memory_limit = uint64_t{64} << 20;
  limits.limit_swap = true;  // the agent's rule, which the container's own word overrides
  limits.memory_and_swap = int64_t{100} << 20;
  limits.swappiness = 10;
  ASSERT_TRUE((*v1)->create("c", limits));
  EXPECT_EQ(content("memory/mesos/c/memory.limit_in_bytes"), std::to_string(64 << 20));
  EXPECT_EQ(content("memory/mesos/c/memory.memsw.limit_in_bytes"), std::to_string(100 << 20));
  EXPECT_EQ(content("memory/mesos/c/memory.swappiness"), "10");
}

TEST_F(FakeTree, v1_reads_what_block_devices_served) {
  v1_mounts();
  v1_group("c");
  file("blkio/cgroup.procs");
  file("blkio/mesos/c/blkio.throttle.io_service_bytes", "8:0 Read 4096\n8:0 Write 512\n8:0 Total 4608\n8:16 Read 1\nTotal 4609\n");
  file("blkio/mesos/c/blkio.throttle.io_serviced", "8:0 Read 2\n8:0 Write 1\n");
  const auto groups = open_v1(top, "mesos", {.isolators = {"cgroups/blkio"}});
  ASSERT_TRUE(groups);
  const auto devices = (*groups)->usage("c").devices;
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[0].major, 8U);
  EXPECT_EQ(devices[0].read_bytes, 4096U);
  EXPECT_EQ(devices[0].written_bytes, 512U);
  EXPECT_EQ(devices[0].reads, 2U);
  EXPECT_EQ(devices[1].minor, 16U);
}

TEST_F(FakeTree, a_controller_that_was_asked_for_may_not_be_missing) {
  v1_mounts();
  const auto v1 = open_v1(top, "mesos", {.isolators = {"cgroups/hugetlb"}});
  ASSERT_FALSE(v1);
  EXPECT_EQ(v1.error().message, "the isolator cgroups/hugetlb needs the controller hugetlb mounted at " + top + "/hugetlb");
  EXPECT_FALSE(base::exists(top + "/cpu/mesos"));
  EXPECT_TRUE(open_v1(top, "mesos", {.isolators = {"cgroups/hugetlb"}, .strict = false}));
  EXPECT_TRUE(open_v1(top, "mesos", {.all = true}));
  file("cgroup.controllers", "cpu\n");
  const auto io = open_v2(top, "mesos", {.isolators = {"cgroups/blkio"}});
  ASSERT_FALSE(io);
  EXPECT_NE(io.error().message.find("io in cgroup.subtree_control"), std::string::npos) << io.error().message;
  const auto classes = open_v2(top, "mesos", {.isolators = {"cgroups/net_cls"}});
  ASSERT_FALSE(classes);
  EXPECT_NE(classes.error().message.find("does not exist with cgroups of version 2"), std::string::npos);
}

TEST_F(FakeTree, v2_sets_processors_and_reads_what_block_devices_served) {
  file("cgroup.controllers", "cpu memory pids io cpuset hugetlb\n");
  file("cgroup.subtree_control");
  file("mesos/cgroup.subtree_control");
  for (const char* name : {"cpu.weight", "cpu.max", "memory.low", "memory.max", "pids.max", "cpuset.cpus", "memory.current",
                           "memory.swap.current", "memory.stat"})
    file("mesos/c/" + std::string(name));
  file("mesos/c/memory.current", "100\n");
  file("mesos/c/memory.swap.current", "20\n");
  file("mesos/c/memory.stat", "anon 7\nsock 5\n");
  file("mesos/c/io.stat", "254:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n");
  const auto groups = open_v2(top, "mesos", {.isolators = {"cgroups/blkio", "cgroups/cpuset", "cgroups/hugetlb"}});
  ASSERT_TRUE(groups) << groups.error().message;
  EXPECT_EQ((*groups)->description(), "version 2 (memory, cpu, pids, io, cpuset, hugetlb)");
  Limits limits = make_limits(1, 64);
  limits.cpuset_cpus = "0";
  ASSERT_TRUE((*groups)->create("c", limits));
  EXPECT_EQ(content("mesos/c/cpuset.cpus"), "0");
  const Usage usage = (*groups)->usage("c");
  ASSERT_EQ(usage.devices.size(), 1U);
  EXPECT_EQ(usage.devices[0].written_bytes, 20U);
  EXPECT_EQ(usage.memory_with_swap, 120U);
  EXPECT_EQ(usage.memory_sockets, 5U);
  EXPECT_EQ((*groups)->birth_group("c"), top + "/mesos/c/leaf");
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
