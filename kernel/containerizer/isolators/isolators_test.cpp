// What isolators make of specifications, without any container.

#include "kernel/containerizer/isolators/isolators.hpp"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/testing/temporary_directory.hpp"
#include "kernel/containerizer/isolators/numbers.hpp"
#include "kernel/containerizer/isolators/seccomp_profile.hpp"
#include "kernel/containerizer/plan.hpp"

namespace containerizer {
namespace {

using mesos::v1::CapabilityInfo;
using mesos::v1::ContainerInfo;
using mesos::v1::Volume;

ContainerSpec make_spec() {
  ContainerSpec spec;
  spec.id = "c";
  spec.sandbox = "/sandbox";
  spec.command.set_value("true");
  spec.container.emplace().set_type(ContainerInfo::MESOS);
  return spec;
}

Result<launch::LaunchOrder> plan(const ContainerSpec& spec, const std::string& isolation, const IsolatorOptions& options = {}) {
  const auto names = Isolation::parse(isolation);
  if (!names) return names.error();
  const auto isolators = Isolators::make(*names, options, true);
  if (!isolators) return isolators.error();
  return plan_launch(spec, PlanContext{.isolated = true, .isolators = isolators->get()});
}

std::string refusal(const ContainerSpec& spec, const std::string& isolation, const IsolatorOptions& options = {}) {
  const auto order = plan(spec, isolation, options);
  return order ? "accepted" : order.error().message;
}

constexpr uint64_t bit(CapabilityInfo::Capability capability) { return uint64_t{1} << (capability - CapabilityInfo::CHOWN); }

TEST(Isolation, resolves_short_names_and_adds_what_belongs_together) {
  const auto chosen = Isolation::parse("cgroups, posix/disk,filesystem/linux");
  ASSERT_TRUE(chosen);
  for (const char* name : {"cgroups/cpu", "cgroups/mem", "disk/du", "volume/host_path", "volume/image", "environment_secret"})
    EXPECT_TRUE(chosen->has(name)) << name;
  EXPECT_FALSE(chosen->has("filesystem/posix"));
  EXPECT_TRUE(Isolation::parse("")->has("filesystem/posix"));
}

TEST(Isolation, names_what_it_does_not_know_and_what_there_is) {
  const auto unknown = Isolation::parse("cgroups/cpu,linux/teapot");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message.find("Unknown or unsupported isolator 'linux/teapot' in --isolation; there are cgroups, "), 0U);
  EXPECT_NE(unknown.error().message.find("linux/seccomp"), std::string::npos);
  EXPECT_FALSE(Isolation::parse("filesystem/linux,filesystem/posix"));
  EXPECT_FALSE(Isolation::parse("disk/du,disk/xfs"));
}

TEST(Isolators_, refuse_what_needs_one_that_was_not_chosen) {
  ContainerSpec spec = make_spec();
  spec.container->mutable_linux_info()->mutable_effective_capabilities();
  EXPECT_EQ(refusal(spec, "filesystem/linux"),
            "linux_info.effective_capabilities needs the isolator linux/capabilities, which this agent's --isolation lacks");
  spec = make_spec();
  auto* volume = spec.container->add_volumes();
  volume->set_mode(Volume::RO);
  volume->set_container_path("key");
  volume->mutable_source()->set_type(Volume::Source::SECRET);
  EXPECT_NE(refusal(spec, "filesystem/linux").find("volume key: it needs the isolator volume/secret"), std::string::npos);
}

TEST(Capabilities, are_those_of_the_task_within_those_of_the_agent) {
  ContainerSpec spec = make_spec();
  EXPECT_EQ(plan(spec, "linux/capabilities")->capabilities, std::nullopt);
  auto* info = spec.container->mutable_linux_info();
  info->mutable_effective_capabilities()->add_capabilities(CapabilityInfo::KILL);
  auto order = plan(spec, "linux/capabilities");
  ASSERT_TRUE(order);
  EXPECT_EQ(order->effective_capabilities, bit(CapabilityInfo::KILL));
  EXPECT_EQ(order->capabilities, bit(CapabilityInfo::KILL));  // nothing else can come back

  IsolatorOptions options;
  options.bounding_capabilities = bit(CapabilityInfo::CHOWN);
  EXPECT_EQ(refusal(spec, "linux/capabilities", options),
            "linux_info.effective_capabilities: KILL is not allowed by this agent's --bounding_capabilities");
  info->mutable_bounding_capabilities()->add_capabilities(CapabilityInfo::CHOWN);
  EXPECT_NE(refusal(spec, "linux/capabilities").find("not among the bounding ones"), std::string::npos);

  // None at all is a wish too.
  info->Clear();
  info->mutable_effective_capabilities();
  EXPECT_EQ(plan(spec, "linux/capabilities")->effective_capabilities, 0U);
  // The agent's own for who asks for nothing.
  options.effective_capabilities = options.bounding_capabilities;
  info->Clear();
  EXPECT_EQ(plan(spec, "linux/capabilities", options)->effective_capabilities, bit(CapabilityInfo::CHOWN));
}

TEST(Seccomp, compiles_the_built_in_profile) {
  const auto few = compile_seccomp(default_seccomp_profile(), 0);
  ASSERT_TRUE(few) << few.error().message;
  EXPECT_EQ(few->size() % sizeof(sock_filter), 0U);
  const auto many = compile_seccomp(default_seccomp_profile(), ~uint64_t{0});
  ASSERT_TRUE(many) << many.error().message;
  EXPECT_NE(*few, *many);
}

TEST(Seccomp, says_what_is_wrong_with_a_profile) {
  const auto wrong = [](const char* text) {
    const auto compiled = compile_seccomp(text, 0);
    return compiled ? std::string("fine") : compiled.error().message;
  };
  EXPECT_NE(wrong("{").find("line 1"), std::string::npos);
  EXPECT_EQ(wrong(R"({"defaultAction":"SCMP_ACT_DANCE","syscalls":[]})"),
            "defaultAction 'SCMP_ACT_DANCE' is not supported by this build");
  EXPECT_EQ(wrong(R"({"defaultAction":"SCMP_ACT_ALLOW"})"), "syscalls must be an array");
  EXPECT_EQ(wrong(R"({"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_ABACUS"],"syscalls":[]})"),
            "architectures: 'SCMP_ARCH_ABACUS' is unknown");
  EXPECT_EQ(wrong(R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
      {"names":["chmod"],"action":"SCMP_ACT_ERRNO","args":[{"index":9,"op":"SCMP_CMP_EQ"}]}]})"),
            "syscalls/0/args: index must be 0 to 5");
  EXPECT_EQ(wrong(R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["no_such_call","chmod"],"action":"SCMP_ACT_ERRNO"}]})"),
            "fine");
}

TEST(Seccomp, counts_parts_of_a_profile_that_are_for_this_container) {
  const char* profile = R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
      {"names":["chmod"],"action":"SCMP_ACT_ERRNO","includes":{"caps":["CAP_SYS_ADMIN"]}},
      {"names":["chown"],"action":"SCMP_ACT_ERRNO","excludes":{"caps":["CAP_CHOWN"]}},
      {"names":["mkdir"],"action":"SCMP_ACT_ERRNO","includes":{"arches":["abacus"]}},
      {"names":["rmdir"],"action":"SCMP_ACT_ERRNO","includes":{"minKernel":"99.0"}}]})";
  const char* nothing = R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]})";
  EXPECT_EQ(*compile_seccomp(profile, bit(CapabilityInfo::CHOWN)), *compile_seccomp(nothing, 0));
  EXPECT_NE(*compile_seccomp(profile, 0), *compile_seccomp(nothing, 0));
  EXPECT_NE(*compile_seccomp(profile, ~uint64_t{0}), *compile_seccomp(nothing, 0));
}

TEST(Seccomp, is_what_task_agent_or_kind_of_container_say) {
  ContainerSpec spec = make_spec();
  EXPECT_TRUE(plan(spec, "linux/seccomp")->seccomp.empty());
  IsolatorOptions options;
  options.seccomp_profile = "default";
  EXPECT_FALSE(plan(spec, "linux/seccomp", options)->seccomp.empty());
  auto* seccomp = spec.container->mutable_linux_info()->mutable_seccomp();
  seccomp->set_unconfined(true);
  EXPECT_TRUE(plan(spec, "linux/seccomp", options)->seccomp.empty());
  seccomp->set_profile_name("mine");
  EXPECT_EQ(refusal(spec, "linux/seccomp", options), "linux_info.seccomp has both unconfined and profile_name; give one");
  seccomp->clear_unconfined();
  EXPECT_NE(refusal(spec, "linux/seccomp", options).find("--seccomp_config_dir"), std::string::npos);
  seccomp->set_profile_name("../default");
  EXPECT_NE(refusal(spec, "linux/seccomp", options).find("must be a file name"), std::string::npos);
}

TEST(Namespaces, are_shared_only_where_the_agent_lets_them) {
  ContainerSpec spec = make_spec();
  const std::string all = "filesystem/linux,namespaces/pid,namespaces/ipc";
  EXPECT_TRUE(plan(spec, all)->private_pids);
  EXPECT_FALSE(plan(spec, "filesystem/linux")->private_pids);
  auto* info = spec.container->mutable_linux_info();
  info->set_share_pid_namespace(true);
  EXPECT_FALSE(plan(spec, all)->private_pids);
  IsolatorOptions options;
  options.share_agent_pids = options.share_agent_ipc = false;
  EXPECT_NE(refusal(spec, all, options).find("--disallow_sharing_agent_pid_namespace"), std::string::npos);
  info->Clear();
  info->set_ipc_mode(mesos::v1::LinuxInfo::SHARE_PARENT);
  EXPECT_FALSE(plan(spec, all)->private_ipc);
  EXPECT_NE(refusal(spec, all, options).find("--disallow_sharing_agent_ipc_namespace"), std::string::npos);
  info->set_shm_size(3);
  EXPECT_EQ(refusal(spec, all), "linux_info.shm_size needs ipc_mode PRIVATE");
  info->set_ipc_mode(mesos::v1::LinuxInfo::PRIVATE);
  EXPECT_EQ(plan(spec, all)->shm_bytes, uint64_t{3} << 20);
}

TEST(Volumes, have_one_source) {
  ContainerSpec spec = make_spec();
  auto* volume = spec.container->add_volumes();
  volume->set_mode(Volume::RW);
  volume->set_container_path("data");
  EXPECT_EQ(refusal(spec, "filesystem/linux"), "volume data: exactly one of host_path, image and source must be set");
  volume->set_host_path("/a/b");
  volume->mutable_source()->set_type(Volume::Source::HOST_PATH);
  EXPECT_EQ(refusal(spec, "filesystem/linux"), "volume data: exactly one of host_path, image and source must be set");
  volume->clear_source();
  IsolatorOptions options;
  EXPECT_FALSE(plan(spec, "filesystem/linux")->mounts[0].make_source);
  options.force_creation = {"/a"};
  EXPECT_TRUE(plan(spec, "filesystem/linux", options)->mounts[0].make_source);
  options.force_creation = {"/a/bc"};
  EXPECT_FALSE(plan(spec, "filesystem/linux", options)->mounts[0].make_source);
}

/// A directory of secrets.
class Secrets : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/dcos-secrets-test-XXXXXX";
    top = mkdtemp(name);
    ASSERT_TRUE(base::make_directories(top + "/store/db", 0700));
    ASSERT_EQ(chmod((top + "/store").c_str(), 0700), 0);
    ASSERT_TRUE(base::write_file(top + "/store/db/password", "hunter2", 0600));
  }
  void TearDown() override { (void)base::remove_tree(top); }

  Result<std::string> find(const std::string& name, const char* key = nullptr) {
    const auto store = secrets::open_directory(top + "/store");
    if (!store) return store.error();
    mesos::v1::Secret::Reference reference;
    reference.set_name(name);
    if (key != nullptr) reference.set_key(key);
    return (*store)->find(reference);
  }

  std::string top;
};

TEST_F(Secrets, are_files_below_their_directory) {
  EXPECT_EQ(*find("db/password"), "hunter2");
  EXPECT_EQ(*find("/db/password"), "hunter2");
  EXPECT_EQ(*find("db", "password"), "hunter2");
  EXPECT_EQ(find("db/user").error().code, base::Code::NotFound);
  EXPECT_FALSE(find("db"));
  EXPECT_FALSE(find(""));
}

TEST_F(Secrets, lead_nowhere_else) {
  ASSERT_TRUE(base::write_file(top + "/outside", "x", 0600));
  ASSERT_EQ(symlink("../outside", (top + "/store/link").c_str()), 0);
  EXPECT_FALSE(find("link"));
  EXPECT_FALSE(find("../outside"));
  EXPECT_FALSE(find("db/../../outside"));
}

TEST_F(Secrets, that_others_can_read_are_refused) {
  ASSERT_EQ(chmod((top + "/store/db/password").c_str(), 0640), 0);
  const auto found = find("db/password");
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message.find("closed to all others"), std::string::npos);
  EXPECT_EQ(found.error().message.find("hunter2"), std::string::npos);
  ASSERT_EQ(chmod((top + "/store").c_str(), 0755), 0);
  EXPECT_FALSE(secrets::open_directory(top + "/store"));
  EXPECT_FALSE(secrets::open_directory(top + "/nowhere"));
}

TEST_F(Secrets, come_from_a_program) {
  const std::string program = top + "/store/program";
  const auto ask = [&](const std::string& script, const std::string& name, base::Duration limit = base::seconds(10)) {
    EXPECT_TRUE(base::write_file(program, "#!/bin/sh\n" + script + "\n", 0700));
    mesos::v1::Secret::Reference reference;
    reference.set_name(name);
    const auto store = secrets::open_command(program, limit);
    EXPECT_TRUE(store) << store.error().message;
    return (*store)->find(reference);
  };
  const auto refusal = [&](const std::string& script, base::Duration limit = base::seconds(10)) {
    const auto answer = ask(script, "db/password", limit);
    return answer ? "none: " + *answer : answer.error().message;
  };
  ASSERT_EQ(setenv("DC_TEST_OF_THE_AGENT", "1", 1), 0);
  EXPECT_EQ(ask(R"(read name; printf 'of %s%s' "$name" "$DC_TEST_OF_THE_AGENT")", "db/password").value(), "of db/password");
  EXPECT_EQ(ask("head -c 1048576 /dev/zero", "big").value().size(), size_t{1} << 20);
  EXPECT_EQ(refusal("echo hunter2; exit 3"), "the secret 'db/password': the program of --secret_command ended with 3");
  EXPECT_EQ(refusal("yes hunter2"), "the secret 'db/password': the program of --secret_command says more than 1 MiB");
  const std::string late = "sleep 600 & echo $! > " + top + "/child; wait";
  EXPECT_EQ(refusal(late, base::milliseconds(300)), "the secret 'db/password': the program of --secret_command said nothing in time");
  const pid_t child = std::stoi(base::read_file(top + "/child").value());
  for (int i = 0; i < 500 && kill(child, 0) == 0; ++i) usleep(10'000);
  EXPECT_NE(kill(child, 0), 0) << "what the program started ends with it";
  EXPECT_FALSE(ask("cat", "a\nb"));
  ASSERT_EQ(chmod(program.c_str(), 0777), 0);
  EXPECT_NE(secrets::open_command(program).error().message.find("chmod go-w"), std::string::npos);
  EXPECT_FALSE(secrets::open_command("program"));
  EXPECT_FALSE(secrets::open_command(top));
  EXPECT_FALSE(secrets::open_command(top + "/nowhere"));
}

TEST_F(Secrets, become_variables) {
  ContainerSpec spec = make_spec();
  auto* variable = spec.command.mutable_environment()->add_variables();
  variable->set_name("PASSWORD");
  variable->set_type(mesos::v1::Environment::Variable::SECRET);
  variable->mutable_secret()->set_type(mesos::v1::Secret::REFERENCE);
  variable->mutable_secret()->mutable_reference()->set_name("db/password");
  EXPECT_NE(refusal(spec, "").find("(--secret_dir, --secret_command)"), std::string::npos);
  IsolatorOptions options;
  options.secrets = *secrets::open_directory(top + "/store");
  const auto isolators = *Isolators::make(*Isolation::parse(""), options, false);
  std::map<std::string, std::string> environment{{"A", "b"}};
  ASSERT_TRUE(isolators->add_environment(spec.command, environment));
  EXPECT_EQ(environment, (std::map<std::string, std::string>{{"A", "b"}, {"PASSWORD", "hunter2"}}));
  EXPECT_EQ(plan(spec, "", options)->environment.count("PASSWORD"), 0U);
  variable->mutable_secret()->set_type(mesos::v1::Secret::VALUE);
  variable->mutable_secret()->mutable_value()->set_data(std::string("a\0b", 3));
  EXPECT_FALSE(isolators->add_environment(spec.command, environment));
}

TEST(Numbers, are_the_lowest_or_given_in_turn) {
  const base::testing::TemporaryDirectory top;
  NumberPool lowest({5, 6, 7}, "n"), in_turn({5, 6, 7}, "n", true);
  const auto take = [&top](NumberPool& pool, const std::string& id, size_t count = 1) {
    const auto taken = pool.take(id, top.path(), count);
    return taken ? *taken : std::vector<uint32_t>();
  };
  for (auto* pool : {&lowest, &in_turn}) {
    EXPECT_EQ(take(*pool, "a"), std::vector<uint32_t>{5});
    pool->give_back("a");
  }
  EXPECT_EQ(take(lowest, "b"), std::vector<uint32_t>{5});
  EXPECT_EQ(take(in_turn, "b"), std::vector<uint32_t>{6});
  EXPECT_EQ(take(in_turn, "c", 2), (std::vector<uint32_t>{7, 5}));
  EXPECT_TRUE(take(in_turn, "d").empty());
  in_turn.give_back("b");
  EXPECT_EQ(take(in_turn, "d"), std::vector<uint32_t>{6});
  EXPECT_EQ(in_turn.held_by("c"), (std::vector<uint32_t>{7, 5}));
}

TEST(Isolators_, volumes_of_storage_plugins_are_shown_where_they_were_published) {
  ContainerSpec spec = make_spec();
  for (const char* path : {"first", "/second"}) {
    auto& volume = *spec.container->add_volumes();
    volume.set_container_path(path);
    volume.set_mode(path[0] == '/' ? Volume::RO : Volume::RW);
    volume.mutable_source()->set_type(Volume::Source::CSI_VOLUME);
  }
  EXPECT_NE(refusal(spec, "filesystem/linux").find("needs the isolator volume/csi"), std::string::npos);
  // Nobody published them: a command inside a container that runs is planned, a launch is refused.
  EXPECT_TRUE(plan(spec, "filesystem/linux,volume/csi")->mounts.empty());
  const auto isolators = *Isolators::make(*Isolation::parse("filesystem/linux,volume/csi"), {}, true);
  launch::LaunchOrder nothing;
  cgroups::Limits limits;
  Prepared prepared{nothing, limits};
  const std::optional<launch::UserIds> nobody;
  const base::Status refused = isolators->prepare(Preparing{spec, nobody, "/run", VolumePlace{spec, "/sandbox"}}, prepared);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("--csi_plugin_config_dir"), std::string::npos);
  spec.published = {{"/csi/1/target"}, {"/csi/2/target", true}};
  const auto order = plan(spec, "filesystem/linux,volume/csi");
  ASSERT_TRUE(order) << order.error().message;
  ASSERT_EQ(order->mounts.size(), 2U);
  EXPECT_EQ(order->mounts[0].source, "/csi/1/target");
  EXPECT_EQ(order->mounts[0].target, "/sandbox/first");
  EXPECT_FALSE(order->mounts[0].read_only);
  EXPECT_EQ(order->mounts[1].source, "/csi/2/target");
  EXPECT_TRUE(order->mounts[1].read_only);
}

}  // namespace
}  // namespace containerizer
