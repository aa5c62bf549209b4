// Containers with an image: the tables of who wins.

#include <gtest/gtest.h>
#include <signal.h>

#include "base/strings.hpp"
#include "kernel/containerizer/images/docker_options.hpp"
#include "kernel/containerizer/isolators/isolators.hpp"
#include "kernel/containerizer/plan.hpp"

namespace containerizer {
namespace {

using mesos::v1::ContainerInfo;

ContainerSpec mesos_spec() {
  ContainerSpec spec;
  spec.id = "c1";
  spec.sandbox = "/work/sandbox";
  spec.user = "worker";
  spec.container.emplace().set_type(ContainerInfo::MESOS);
  auto* image = spec.container->mutable_mesos()->mutable_image();
  image->set_type(mesos::v1::Image::DOCKER);
  image->mutable_docker()->set_name("app");
  return spec;
}

ContainerSpec docker_spec() {
  ContainerSpec spec = mesos_spec();
  spec.container.emplace().set_type(ContainerInfo::DOCKER);
  spec.container->mutable_docker()->set_image("app");
  return spec;
}

PlanContext context_with(const images::ImageConfig* image) {
  PlanContext context;
  context.isolated = context.images = true;
  context.image = image;
  return context;
}

std::string words_of(const ContainerSpec& spec, const images::ImageConfig& image) {
  const auto order = plan_launch(spec, context_with(&image));
  if (!order) return "error: " + order.error().message;
  return order->program + ": " + base::join(order->arguments, " ");
}

images::ImageConfig image_with(bool entrypoint, bool command) {
  images::ImageConfig out;
  if (entrypoint) out.entrypoint = {"/ep", "e1"};
  if (command) out.command = {"/cmd", "c1"};
  return out;
}

TEST(ImagePlan, mesos_containers_choose_their_program_by_the_table) {
  struct Row {
    bool shell;
    const char* value;
    std::vector<std::string> arguments;
    const char* results[4];  // neither, command, entry point, both
  };
  const char* none = "error: No executable is found: neither the command nor the image has one";
  const char* no_value = "error: Shell specified but no command value provided";
  const Row rows[] = {
      {false, nullptr, {}, {none, "/cmd: /cmd c1", "/ep: /ep e1", "/ep: /ep e1 /cmd c1"}},
      {false, nullptr, {"a", "b"}, {none, "/cmd: /cmd a b", "/ep: /ep e1 a b", "/ep: /ep e1 a b"}},
      {false, "/v", {}, {"/v: /v", "/v: /v", "/v: /v", "/v: /v"}},
      {false, "/v", {"v0", "x"}, {"/v: v0 x", "/v: v0 x", "/v: v0 x", "/v: v0 x"}},
      {true, nullptr, {}, {no_value, no_value, no_value, no_value}},
      {true,
       "run it",
       {},
       {"/bin/sh: sh -c run it", "/bin/sh: sh -c run it", "/bin/sh: sh -c run it",
        "/bin/sh: sh -c run it"}}};
  for (const auto& row : rows)
    for (const int kind : {0, 1, 2, 3}) {
      ContainerSpec spec = mesos_spec();
      spec.command.set_shell(row.shell);
      if (row.value != nullptr) spec.command.set_value(row.value);
      for (const auto& argument : row.arguments) spec.command.add_arguments(argument);
      EXPECT_EQ(words_of(spec, image_with(kind & 2, kind & 1)), row.results[kind]);
    }
}

TEST(ImagePlan, docker_containers_give_everything_to_the_entry_point) {
  ContainerSpec spec = docker_spec();
  spec.command.set_shell(false);
  EXPECT_EQ(words_of(spec, image_with(true, true)), "/ep: /ep e1 /cmd c1");
  EXPECT_EQ(words_of(spec, image_with(false, true)), "/cmd: /cmd c1");
  EXPECT_EQ(words_of(spec, image_with(false, false)),
            "error: No executable is found: neither the command nor the image has one");
  spec.command.add_arguments("a");
  EXPECT_EQ(words_of(spec, image_with(true, true)), "/ep: /ep e1 a");
  EXPECT_EQ(words_of(spec, image_with(false, true)), "a: a");
  spec.command.set_value("v");
  EXPECT_EQ(words_of(spec, image_with(true, true)), "/ep: /ep e1 v a");
  auto* entrypoint = spec.container->mutable_docker()->add_parameters();
  entrypoint->set_key("entrypoint");
  entrypoint->set_value("/mine");
  EXPECT_EQ(words_of(spec, image_with(true, true)), "/mine: /mine v a");
  spec.command.clear_value();
  spec.command.clear_arguments();
  EXPECT_EQ(words_of(spec, image_with(true, true)), "/mine: /mine");
  spec.command.set_shell(true);
  spec.command.set_value("x y");
  EXPECT_EQ(words_of(spec, image_with(true, true)), "/bin/sh: sh -c x y");
}

TEST(ImagePlan, environment_directory_and_user_come_from_the_strongest) {
  ContainerSpec spec = mesos_spec();
  spec.command.set_value("true");
  spec.environment = {{"A", "agent"}, {"B", "agent"}, {"C", "agent"}, {"MESOS_SANDBOX", "/host"}};
  auto* variable = spec.command.mutable_environment()->add_variables();
  variable->set_name("C");
  variable->set_value("user");
  images::ImageConfig image;
  image.environment = {"B=image=1", "C=image", "NOVALUE", "PATH=/image/bin"};
  auto order = plan_launch(spec, context_with(&image));
  ASSERT_TRUE(order) << order.error().message;
  EXPECT_EQ(order->environment,
            (std::map<std::string, std::string>{{"A", "agent"},
                                                {"B", "image=1"},
                                                {"C", "user"},
                                                {"MESOS_SANDBOX", "/mnt/mesos/sandbox"},
                                                {"PATH", "/image/bin"}}));
  EXPECT_EQ(order->directory, "/mnt/mesos/sandbox");
  EXPECT_EQ(order->image_user, "worker");
  image.working_directory = "/w";
  image.user = "app:staff";
  order = plan_launch(spec, context_with(&image));
  EXPECT_EQ(order->directory, "/w");
  EXPECT_EQ(order->image_user, "app:staff");
  spec.command.set_user("worker");
  EXPECT_EQ(plan_launch(spec, context_with(&image))->image_user, "worker");
  auto context = context_with(&image);
  context.ignore_runtime = true;
  context.sandbox_directory = "/sb";
  order = plan_launch(spec, context);
  EXPECT_EQ(order->directory, "/sb");
  EXPECT_EQ(order->environment["B"], "agent");

  ContainerSpec docker = docker_spec();
  docker.command.set_value("true");
  image = images::ImageConfig();
  order = plan_launch(docker, context_with(&image));
  ASSERT_TRUE(order) << order.error().message;
  EXPECT_EQ(order->directory, "/");
  EXPECT_EQ(order->image_user, "0");
  EXPECT_EQ(order->environment["MESOS_CONTAINER_NAME"], "mesos-c1");
  EXPECT_EQ(order->capabilities, images::kDefaultCapabilities);
  EXPECT_TRUE(order->term_first_only);
}

TEST(ImagePlan, volumes_and_the_sandbox_are_mounted_inside) {
  ContainerSpec spec = docker_spec();
  spec.command.set_value("true");
  const auto add = [&spec](const std::string& host, const std::string& container,
                           mesos::v1::Volume::Mode mode) {
    auto* volume = spec.container->add_volumes();
    volume->set_host_path(host);
    volume->set_container_path(container);
    volume->set_mode(mode);
  };
  add("/data", "/d", mesos::v1::Volume::RO);
  add("inside", "/i", mesos::v1::Volume::RW);
  add("/abs", "rel", mesos::v1::Volume::RW);
  images::ImageConfig image;
  image.volumes = {"/d", "/own"};
  const auto order = plan_launch(spec, context_with(&image));
  ASSERT_TRUE(order) << order.error().message;
  std::string seen;
  for (const auto& mount : order->mounts)
    seen += mount.type + " " + mount.source + " " + mount.target + (mount.read_only ? " ro" : "") +
            (mount.no_links ? " nolinks" : "") + "\n";
  EXPECT_EQ(seen,
            "bind /work/sandbox /mnt/mesos/sandbox\nbind /etc/hosts /etc/hosts ro\nbind "
            "/etc/hostname /etc/hostname ro\n"
            "bind /etc/resolv.conf /etc/resolv.conf ro\nbind /data /d ro\nbind "
            "/work/sandbox/inside /i nolinks\n"
            "bind /abs /mnt/mesos/sandbox/rel\nnone  /own\n");
}

std::string refusal(const std::function<void(ContainerSpec&)>& change,
                    ContainerSpec spec = docker_spec()) {
  if (!spec.command.has_value()) spec.command.set_value("true");
  change(spec);
  const auto order = plan_launch(spec, context_with(nullptr));
  return order ? "accepted" : order.error().message;
}

void add_parameter(ContainerSpec& spec, const std::string& key, const std::string& value) {
  auto* parameter = spec.container->mutable_docker()->add_parameters();
  parameter->set_key(key);
  parameter->set_value(value);
}

TEST(ImagePlan, what_is_not_supported_is_refused_by_name_before_anything_is_pulled) {
  const std::pair<std::function<void(ContainerSpec&)>, const char*> cases[] = {
      {[](auto& s) { s.container->mutable_docker()->set_volume_driver("x"); }, "volume driver"},
      {[](auto& s) { s.container->mutable_docker()->clear_image(); }, "docker.image"},
      {[](auto& s) { add_parameter(s, "volumes-from", "x"); }, "'volumes-from'"},
      {[](auto& s) { add_parameter(s, "memory", "1g"); }, "'memory'"},
      {[](auto& s) { add_parameter(s, "cap-add", "FLY"); }, "FLY"},
      {[](auto& s) { add_parameter(s, "ulimit", "nofile"); }, "NAME=SOFT"},
      {[](auto& s) { add_parameter(s, "volume", "named:/x"); }, "volume driver"},
      {[](auto& s) { add_parameter(s, "security-opt", "seccomp=/p.json"); }, "security-opt"},
      {[](auto& s) { add_parameter(s, "volume", "/a/../b:/x"); }, "'..'"},
      {[](auto& s) {
         auto* volume = s.container->add_volumes();
         volume->set_host_path("a");
         volume->set_container_path("b");
       },
       "both be relative"}};
  for (const auto& [change, words] : cases) {
    const std::string message = refusal(change);
    EXPECT_NE(message.find(words), std::string::npos) << message;
  }
  EXPECT_NE(refusal(
                [](auto& s) {
                  s.container->mutable_mesos()->mutable_image()->set_type(mesos::v1::Image::APPC);
                },
                mesos_spec())
                .find("APPC"),
            std::string::npos);
  EXPECT_EQ(refusal([](auto&) {}), "accepted");
}

TEST(ImagePlan, an_agent_without_images_says_what_it_lacks) {
  ContainerSpec spec = docker_spec();
  spec.command.set_value("true");
  const auto order = plan_launch(spec, true);
  ASSERT_FALSE(order);
  EXPECT_NE(order.error().message.find("--image_providers"), std::string::npos);
}

TEST(DockerOptions, mean_the_same_without_docker) {
  ContainerSpec spec = docker_spec();
  for (const auto& [key, value] : {std::pair<std::string, std::string>{"env", "A=b=c"},
                                   {"e", "INHERITED"},
                                   {"volume", "/h:/c:ro"},
                                   {"label", "x=y"},
                                   {"user", "u"},
                                   {"workdir", "/w"},
                                   {"cap-add", "NET_ADMIN"},
                                   {"cap-drop", "cap_chown"},
                                   {"ulimit", "nofile=10:20"},
                                   {"shm-size", "256m"},
                                   {"tmpfs", "/t:size=1m"},
                                   {"device", "/dev/fuse"},
                                   {"group-add", "audio"},
                                   {"security-opt", "no-new-privileges"},
                                   {"pid", "host"},
                                   {"read-only", "true"},
                                   {"log-driver", "json-file"},
                                   {"--init", ""}})
    add_parameter(spec, key, value);
  const auto options = images::plan_docker_options(spec.container->docker());
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->environment, (std::map<std::string, std::string>{{"A", "b=c"}}));
  EXPECT_EQ(options->volumes.at(0).target, "/c");
  EXPECT_TRUE(options->volumes.at(0).read_only);
  EXPECT_EQ(options->user, "u");
  EXPECT_EQ(options->capabilities, (images::kDefaultCapabilities | 1 << 12) & ~1ull);
  EXPECT_EQ(options->limits.at(0).hard, 20u);
  EXPECT_EQ(options->shm_bytes, 256u << 20);
  EXPECT_EQ(options->devices.at(0).target, "/dev/fuse");
  EXPECT_TRUE(options->no_new_privileges && options->share_pids && options->read_only);
  ContainerSpec minimal = docker_spec();
  add_parameter(minimal, "cap-add", "KILL");
  add_parameter(minimal, "cap-drop", "ALL");
  EXPECT_EQ(images::plan_docker_options(minimal.container->docker())->capabilities, 1u << 5);
  minimal.container->mutable_docker()->set_privileged(true);
  EXPECT_FALSE(images::plan_docker_options(minimal.container->docker())->capabilities);
}

TEST(DockerOptions, about_swap_and_the_kernel_are_checked) {
  ContainerSpec spec = docker_spec();
  for (const auto& [key, value] : {std::pair<std::string, std::string>{"memory-swap", "1g"},
                                   {"memory-swappiness", "10"},
                                   {"oom-kill-disable", "false"},
                                   {"sysctl", "net.core.somaxconn=1024"}})
    add_parameter(spec, key, value);
  const auto options = images::plan_docker_options(spec.container->docker());
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->memory_and_swap, int64_t{1} << 30);
  EXPECT_EQ(options->swappiness, 10u);
  EXPECT_EQ(options->sysctls.at("net/core/somaxconn"), "1024");
  const auto refusal = [](const std::string& key, const std::string& value) {
    ContainerSpec one = docker_spec();
    add_parameter(one, key, value);
    const auto taken = images::plan_docker_options(one.container->docker());
    return taken ? "accepted" : taken.error().message;
  };
  EXPECT_EQ(refusal("memory-swap", "-1"), "accepted");
  EXPECT_NE(refusal("memory-swappiness", "101").find("0 to 100"), std::string::npos);
  EXPECT_NE(refusal("oom-kill-disable", "true").find("is ended and its status says so"), std::string::npos);
  for (const char* machines : {"kernel.panic=1", "vm.swappiness=1", "net..x=1", "kernel.shmmax", "../x=1", "net/../kernel/panic=1"})
    EXPECT_NE(refusal("sysctl", machines), "accepted") << machines;
  // On the host's network it would be the host's.
  EXPECT_NE(words_of(spec, image_with(true, true)).find("net.core.somaxconn would be the machine's: the container has the host's network"),
            std::string::npos)
      << words_of(spec, image_with(true, true));
  spec.command.set_value("true");
  for (const auto network : {mesos::v1::ContainerInfo::DockerInfo::NONE, mesos::v1::ContainerInfo::DockerInfo::BRIDGE}) {
    spec.container->mutable_docker()->set_network(network);
    EXPECT_EQ(words_of(spec, image_with(true, true)), "/bin/sh: sh -c true");
  }
}

TEST(DockerOptions, devices_may_be_made_where_their_use_is_limited) {
  const auto isolators = *Isolators::make(*Isolation::parse("filesystem/linux,cgroups/devices"), {}, true);
  const images::ImageConfig image = image_with(true, true);
  PlanContext context{.isolated = true, .images = true, .image = &image, .isolators = isolators.get()};
  ContainerSpec spec = docker_spec();
  spec.command.set_value("true");
  const ContainerSpec plain = spec;
  EXPECT_EQ(plan_launch(spec, context)->capabilities, images::kDefaultCapabilities | images::kMakeDevices);
  add_parameter(spec, "cap-drop", "MKNOD");
  EXPECT_EQ(plan_launch(spec, context)->capabilities, images::kDefaultCapabilities);
  context.isolators = nullptr;
  EXPECT_EQ(plan_launch(plain, context)->capabilities, images::kDefaultCapabilities);
}

TEST(DockerOptions, that_need_an_isolator_name_it) {
  ContainerSpec spec = docker_spec();
  spec.command.set_value("true");
  add_parameter(spec, "pids-limit", "10");
  const std::string words = words_of(spec, image_with(true, true));
  EXPECT_NE(words.find("the docker parameter pids-limit needs the isolator cgroups/pids"), std::string::npos) << words;
}

TEST(ImagePlan, logins_of_images_may_be_in_a_store) {
  ContainerSpec spec = mesos_spec();
  auto& config = *spec.container->mutable_mesos()->mutable_image()->mutable_docker()->mutable_config();
  config.set_type(mesos::v1::Secret::REFERENCE);
  config.mutable_reference()->set_name("registry");
  const auto wish = wanted_image(spec);
  ASSERT_TRUE(wish && *wish);
  EXPECT_EQ((*wish)->login->reference().name(), "registry");
}

TEST(StopSignals, are_the_images_for_docker_containers) {
  images::ImageConfig image;
  for (const auto& [name, number] : {std::pair<std::string, int>{"SIGINT", SIGINT},
                                     {"quit", SIGQUIT},
                                     {"10", 10},
                                     {"", SIGTERM},
                                     {"SIGNONE", SIGTERM},
                                     {"999", SIGTERM},
                                     {"SIGRTMIN+3", SIGRTMIN + 3}}) {
    image.stop_signal = name;
    EXPECT_EQ(stop_signal(docker_spec(), &image), number) << name;
    EXPECT_EQ(stop_signal(mesos_spec(), &image), SIGTERM) << name;
  }
}

}  // namespace
}  // namespace containerizer
