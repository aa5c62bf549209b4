// Isolators on this machine: each shown by a program that would get further without it. Needs root.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/isolators/isolators.hpp"
#include "kernel/containerizer/native.hpp"
#include "kernel/containerizer/testing/containers.hpp"

namespace containerizer {
namespace {

using mesos::v1::CapabilityInfo;
using mesos::v1::ContainerInfo;
using mesos::v1::Volume;

constexpr const char* kAll = "cgroups/cpu,cgroups/mem,cgroups/pids,cgroups/devices,filesystem/linux,namespaces/pid,namespaces/ipc,"
                             "posix/rlimits,linux/capabilities,linux/seccomp,linux/devices,volume/secret";

class NativeIsolators : public Containers, public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for namespaces and cgroups";
    char name[] = "/tmp/dcos-isolators-test-XXXXXX";
    top = mkdtemp(name);
    chmod(top.c_str(), 0755);
    root = "dcos-test-" + top.substr(top.rfind('-') + 1);
  }

  void TearDown() override {
    runtime.reset();
    if (groups) {
      EXPECT_TRUE(groups->list().empty());
      groups->remove_root();
    }
    if (!top.empty()) (void)base::remove_tree(top);
  }

  void open(const std::string& hierarchy = "/sys/fs/cgroup") {
    const auto names = Isolation::parse(isolation);
    ASSERT_TRUE(names) << names.error().message;
    cgroups::Wanted wanted{.strict = false};
    wanted.isolators = names->names();
    auto opened = cgroups::open_cgroups(hierarchy, root, wanted);
    if (opened) groups = std::move(*opened);
    NativeOptions native;
    native.runtime_directory = top + "/run";
    native.isolators = *Isolators::make(*names, options, true);
    start(std::move(native), groups);
  }

  ContainerSpec spec(const std::string& command) {
    ContainerSpec out;
    out.id = "a";
    out.sandbox = top + "/a";
    out.command.set_value(command);
    out.container.emplace().set_type(ContainerInfo::MESOS);
    out.limits.cpus = 1;
    out.limits.memory = 64 << 20;
    return out;
  }

  /// What the program printed, or why it could not be started.
  std::string run(ContainerSpec wanted) {
    if (!runtime) open();
    (void)base::remove_tree(wanted.sandbox);
    ends.clear();
    if (const auto result = launch(std::move(wanted)); !result) return result.error().message;
    while (ends.empty() && !HasFailure()) run_loop();
    return base::read_file(top + "/a/stdout").value_or("?") + base::read_file(top + "/a/stderr").value_or("?");
  }

  std::string isolation = kAll;
  IsolatorOptions options;
  std::string top, root;
  std::shared_ptr<cgroups::Cgroups> groups;
};

TEST_F(NativeIsolators, leave_a_program_the_capabilities_it_asked_for) {
  const std::string show = "grep -E 'Cap(Prm|Eff|Bnd|Amb)' /proc/self/status | tr -d '\\t\\n'; chown 5 stdout && echo changed";
  ContainerSpec wanted = spec(show);
  EXPECT_NE(run(wanted).find("changed"), std::string::npos) << "root without limits may do that";
  wanted.container->mutable_linux_info()->mutable_effective_capabilities()->add_capabilities(CapabilityInfo::KILL);
  std::string output = run(wanted);
  EXPECT_NE(output.find("CapPrm:0000000000000020CapEff:0000000000000020CapBnd:0000000000000020"), std::string::npos) << output;
  EXPECT_EQ(output.find("changed"), std::string::npos);
  // More in the bounding set than in the effective one: root does not help itself to it.
  auto* bounding = wanted.container->mutable_linux_info()->mutable_bounding_capabilities();
  bounding->add_capabilities(CapabilityInfo::KILL);
  bounding->add_capabilities(CapabilityInfo::CHOWN);
  output = run(wanted);
  EXPECT_NE(output.find("CapEff:0000000000000020CapBnd:0000000000000021"), std::string::npos) << output;
  // A user who is not root gets them too.
  wanted.user = "nobody";
  output = run(wanted);
  EXPECT_NE(output.find("CapPrm:0000000000000020CapEff:0000000000000020CapBnd:0000000000000021CapAmb:0000000000000020"),
            std::string::npos) << output;
}

TEST_F(NativeIsolators, keep_programs_from_system_calls_outside_their_profile) {
  const std::string escape = "unshare -m true && echo unshared; grep Seccomp: /proc/self/status";
  ContainerSpec wanted = spec(escape);
  EXPECT_EQ(run(wanted), "unshared\nSeccomp:\t0\n");
  auto* info = wanted.container->mutable_linux_info();
  info->mutable_seccomp()->set_profile_name("default");
  info->mutable_bounding_capabilities()->add_capabilities(CapabilityInfo::SYS_CHROOT);
  std::string output = run(wanted);
  EXPECT_EQ(output.find("unshared"), std::string::npos) << output;
  EXPECT_NE(output.find("Seccomp:\t2"), std::string::npos) << output;
  // A task of a user who is not root, with what linux/nnp asks for on top.
  runtime.reset();
  isolation += ",linux/nnp";
  info->clear_bounding_capabilities();
  wanted.user = "nobody";
  wanted.command.set_value("grep -E 'Seccomp:|NoNewPrivs' /proc/self/status");
  EXPECT_EQ(run(wanted), "NoNewPrivs:\t1\nSeccomp:\t2\n");
}

TEST_F(NativeIsolators, take_profiles_from_a_directory) {
  ASSERT_TRUE(base::make_directories(top + "/profiles"));
  ASSERT_TRUE(base::write_file(top + "/profiles/no_mkdir", R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
      {"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]})"));
  options.seccomp_directory = top + "/profiles";
  ContainerSpec wanted = spec("mkdir d");
  wanted.container->mutable_linux_info()->mutable_seccomp()->set_profile_name("no_mkdir");
  EXPECT_NE(run(wanted).find("No space left on device"), std::string::npos);
  wanted.container->mutable_linux_info()->mutable_seccomp()->set_profile_name("nothing");
  EXPECT_NE(run(wanted).find("No such file"), std::string::npos);
}

TEST_F(NativeIsolators, keep_programs_from_devices_whatever_nodes_they_make) {
  open();
  if (groups->description().find("devices") == std::string::npos) GTEST_SKIP() << "no devices controller here";
  // loop-control: an innocent device that nobody allowed.
  ContainerSpec wanted = spec("mknod d c 10 237 && (: < d) && echo open; mknod n c 1 3 && (: > n) && echo null");
  const std::string output = run(wanted);
  EXPECT_NE(output.find("Operation not permitted"), std::string::npos) << output;
  EXPECT_EQ(output.find("open\n"), std::string::npos) << output;
  EXPECT_NE(output.find("null"), std::string::npos) << output;
  runtime.reset();
  auto* allowed = options.allowed_devices.add_allowed_devices();
  allowed->mutable_device()->set_path("/dev/loop-control");
  allowed->mutable_access()->set_read(true);
  if (!base::exists("/dev/loop-control")) GTEST_SKIP() << "no loop devices here";
  wanted.command.set_value("mknod d c 10 237 && (: < d) && echo open; (: > d) && echo written");
  const std::string after = run(wanted);
  EXPECT_NE(after.find("open\n"), std::string::npos) << after;
  EXPECT_EQ(after.find("written"), std::string::npos) << after;
}

TEST_F(NativeIsolators, guard_devices_and_make_processes_in_their_group_with_version_2) {
  struct statfs info;
  const char* unified = "/sys/fs/cgroup/unified";
  if (statfs(unified, &info) != 0 || static_cast<unsigned long>(info.f_type) != CGROUP2_SUPER_MAGIC) {
    unified = "/sys/fs/cgroup";
    if (statfs(unified, &info) != 0 || static_cast<unsigned long>(info.f_type) != CGROUP2_SUPER_MAGIC)
      GTEST_SKIP() << "no tree of version 2 here";
  }
  open(unified);
  ASSERT_TRUE(groups);
  const std::string output = run(spec("grep ^0: /proc/self/cgroup; mknod d c 10 237 && (: < d) && echo open; "
                                      "mknod n c 1 3 && (: > n) && echo null; (sleep 1000 & sleep 1000 &)"));
  EXPECT_NE(output.find("/" + root + "/a/leaf\n"), std::string::npos) << output;
  EXPECT_NE(output.find("Operation not permitted"), std::string::npos) << output;
  EXPECT_EQ(output.find("open\n"), std::string::npos) << output;
  EXPECT_NE(output.find("null"), std::string::npos) << output;
}

TEST_F(NativeIsolators, stop_a_container_that_makes_too_many_processes) {
  options.pids_limit = 10;
  open();
  if (groups->description().find("pids") == std::string::npos) GTEST_SKIP() << "no pids controller here";
  const std::string output = run(spec("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1000 & done; echo all"));
  EXPECT_EQ(output.find("all\n"), std::string::npos) << output;
  EXPECT_NE(output.find("annot fork"), std::string::npos) << output;
}

TEST_F(NativeIsolators, give_shared_memory_of_the_wanted_size) {
  ContainerSpec wanted = spec("df -k /dev/shm | tail -1 | awk '{print $2}'; ipcmk -Q >/dev/null && ipcs -q | grep -c 0x");
  auto* info = wanted.container->mutable_linux_info();
  info->set_ipc_mode(mesos::v1::LinuxInfo::PRIVATE);
  info->set_shm_size(3);
  EXPECT_EQ(run(wanted), "3072\n1\n");
}

TEST_F(NativeIsolators, put_secrets_where_nobody_else_sees_them) {
  options.secrets = nullptr;
  ContainerSpec wanted = spec("cat key/token; stat -c '%a %U' key/token; grep -c ' /.*key/token .* tmpfs ' /proc/self/mountinfo; "
                              "touch ready; while [ ! -e go ]; do sleep 0.05; done");
  wanted.user = "nobody";
  auto* volume = wanted.container->add_volumes();
  volume->set_mode(Volume::RO);
  volume->set_container_path("key/token");
  volume->mutable_source()->set_type(Volume::Source::SECRET);
  volume->mutable_source()->mutable_secret()->set_type(mesos::v1::Secret::VALUE);
  volume->mutable_source()->mutable_secret()->mutable_value()->set_data("hunter2\n");
  auto* variable = wanted.command.mutable_environment()->add_variables();
  variable->set_name("PASSWORD");
  variable->set_type(mesos::v1::Environment::Variable::SECRET);
  variable->mutable_secret()->set_type(mesos::v1::Secret::VALUE);
  variable->mutable_secret()->mutable_value()->set_data("hunter3");
  wanted.command.set_value("echo $PASSWORD; " + wanted.command.value());
  open();
  Result<Started> result = base::internal("no answer");
  runtime->launch(wanted, [&](Result<Started> started) {
    result = std::move(started);
    loop.stop();
  });
  run_loop();
  ASSERT_TRUE(result) << result.error().message;
  while (!base::exists(top + "/a/ready") && ends.empty()) usleep(10'000);
  // The machine sees an empty file, and nothing in the agent's own directory.
  EXPECT_EQ(base::read_file(top + "/a/key/token").value_or("?"), "");
  EXPECT_EQ(base::list_directory(top + "/run/a/secrets").value_or({"?"}), std::vector<std::string>{});
  ASSERT_TRUE(base::write_file(top + "/a/go", ""));
  while (ends.empty()) run_loop();
  EXPECT_EQ(base::read_file(top + "/a/stdout").value_or("?"), "hunter3\nhunter2\n600 nobody\n1\n");
  EXPECT_EQ(base::read_file(top + "/a/stderr").value_or("?"), "");
}

TEST_F(NativeIsolators, hold_a_sandbox_to_its_disk_with_xfs) {
  const std::string disk = top + "/disk", mounted = top + "/xfs";
  ASSERT_TRUE(base::write_file(disk, ""));
  ASSERT_EQ(truncate(disk.c_str(), off_t{400} << 20), 0);
  ASSERT_TRUE(base::make_directories(mounted));
  const std::string set_up = "mkfs.xfs -q " + disk + " 2>/dev/null && mount -o loop,prjquota " + disk + " " + mounted + " 2>/dev/null";
  if (system(set_up.c_str()) != 0) GTEST_SKIP() << "this machine cannot mount XFS with project quotas";
  isolation += ",disk/xfs";
  options.work_directory = mounted;
  options.enforce_disk = true;
  open();
  // The first line takes the block that the last one needs.
  ContainerSpec wanted = spec("echo begun; dd if=/dev/zero of=f bs=1M count=12 2>/dev/null || echo refused");
  wanted.sandbox = mounted + "/a";
  wanted.disk = 8 << 20;
  const std::string failure = run(wanted);
  const std::string output = base::read_file(mounted + "/a/stdout").value_or("?");
  EXPECT_EQ(output, "begun\nrefused\n") << failure;
  struct stat written {};
  EXPECT_EQ(stat((mounted + "/a/f").c_str(), &written), 0);
  EXPECT_GT(written.st_size, 7 << 20);
  EXPECT_LE(written.st_size, 8 << 20);
  runtime.reset();
  EXPECT_EQ(system(("umount " + mounted).c_str()), 0);
}

TEST_F(NativeIsolators, say_when_the_disk_cannot_be_counted) {
  options.work_directory = "/proc";
  const auto made = Isolators::make(*Isolation::parse("disk/xfs"), options, true);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("is not on XFS; use disk/du"), std::string::npos) << made.error().message;
}

TEST_F(NativeIsolators, take_the_path_of_a_secret_as_it_is) {
  ContainerSpec wanted = spec("true");
  auto* volume = wanted.container->add_volumes();
  volume->set_mode(Volume::RO);
  volume->set_container_path("link/token");
  volume->mutable_source()->set_type(Volume::Source::SECRET);
  volume->mutable_source()->mutable_secret()->set_type(mesos::v1::Secret::VALUE);
  volume->mutable_source()->mutable_secret()->mutable_value()->set_data("x");
  open();
  ASSERT_TRUE(base::make_directories(wanted.sandbox));
  ASSERT_EQ(symlink("/etc", (wanted.sandbox + "/link").c_str()), 0);
  Result<Started> result = Started{};
  runtime->launch(wanted, [&](Result<Started> started) {
    result = std::move(started);
    loop.stop();
  });
  run_loop();
  ASSERT_FALSE(result);
  EXPECT_FALSE(base::exists("/etc/token"));
}

}  // namespace
}  // namespace containerizer
