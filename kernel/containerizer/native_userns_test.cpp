// Containers with ids of their own on this machine: what their root is to the machine, and whose their files are. Needs root
// and Linux 5.19.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "base/testing/temporary_directory.hpp"
#include "kernel/containerizer/images/testing/fake_registry.hpp"
#include "kernel/containerizer/images/testing/tar_writer.hpp"
#include "kernel/containerizer/isolators/isolators.hpp"
#include "kernel/containerizer/launch/format.hpp"
#include "kernel/containerizer/native.hpp"
#include "kernel/containerizer/network/space.hpp"
#include "kernel/containerizer/testing/containers.hpp"

namespace containerizer {
namespace {

using images::testing::FakeImage;
using images::testing::FakeRegistry;
using images::testing::TarWriter;
using mesos::v1::ContainerInfo;
using mesos::v1::Volume;

constexpr const char* kIsolation = "filesystem/linux,namespaces/pid,namespaces/ipc,volume/secret,linux/capabilities,namespaces/user";
constexpr uint32_t kFirst = 1879048192;

class Users : public Containers, public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    chmod(top.path().c_str(), 0755);
    options.work_directory = top.path();
    if (const auto possible = Isolators::make(*Isolation::parse(kIsolation), options, true); !possible)
      GTEST_SKIP() << possible.error().message;
    ASSERT_TRUE(base::make_directories(top / "data"));
    open();
  }

  void TearDown() override {
    runtime.reset();
    store.reset();
  }

  void open() {
    runtime.reset();
    store.reset();
    images::ImageOptions with;
    with.directory = top / "store";
    auto opened = images::Images::open(loop, pool, with);
    ASSERT_TRUE(opened) << opened.error().message;
    store = std::move(*opened);
    NativeOptions native;
    native.runtime_directory = top / "run";
    native.images = store;
    native.backend = backend;
    native.logs = logs;
    const auto made = Isolators::make(*Isolation::parse(isolation), options, true);
    ASSERT_TRUE(made) << made.error().message;
    native.isolators = *made;
    start(std::move(native), nullptr);
  }

  ContainerSpec spec(const std::string& id, const std::string& command, const std::string& user = "root") {
    ContainerSpec out;
    out.id = id;
    out.sandbox = top / id;
    out.user = user;
    out.command.set_value(command);
    out.container.emplace().set_type(ContainerInfo::MESOS);
    return out;
  }

  static void add_volume(ContainerSpec& wanted, const std::string& host, const std::string& container) {
    auto* volume = wanted.container->add_volumes();
    volume->set_host_path(host);
    volume->set_container_path(container);
    volume->set_mode(Volume::RW);
  }

  static void add_secret(ContainerSpec& wanted, const std::string& container) {
    auto* secret = wanted.container->add_volumes();
    secret->set_mode(Volume::RO);
    secret->set_container_path(container);
    secret->mutable_source()->set_type(Volume::Source::SECRET);
    secret->mutable_source()->mutable_secret()->set_type(mesos::v1::Secret::VALUE);
    secret->mutable_source()->mutable_secret()->mutable_value()->set_data("hunter2\n");
  }

  void end(const std::string& id) {
    runtime->destroy(id);
    while (!ends.contains(id) && !HasFailure()) run_loop();
  }

  std::string printed(const std::string& id) {
    return base::read_file(top / (id + "/stdout")).value_or("?") + base::read_file(top / (id + "/stderr")).value_or("?");
  }

  /// What the program printed, or why it could not be started.
  std::string run(ContainerSpec wanted) {
    const std::string id = wanted.id;
    const auto started = launch(std::move(wanted));
    if (!started) return "failed: " + started.error().message;
    while (!ends.contains(id) && !HasFailure()) run_loop();
    runtime->forget(id);
    return printed(id);
  }

  int run_inside(const std::string& id, const std::string& command) {
    mesos::v1::CommandInfo probe;
    probe.set_value(command);
    Result<int> status = base::internal("no answer");
    runtime->run_inside(id, probe, base::seconds(10), [&](Result<int> result) {
      status = std::move(result);
      loop.stop();
    });
    run_loop();
    EXPECT_TRUE(status) << status.error().message;
    return WEXITSTATUS(status.value_or(-1));
  }

  void wait_for_lines(const std::string& id, size_t count) {
    for (int i = 0; i < 3000; ++i) {
      const std::string text = base::read_file(top / (id + "/stdout")).value_or("");
      if (static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) >= count || ends.contains(id)) return;
      usleep(10'000);
    }
    ADD_FAILURE() << "no " << count << " lines: " << printed(id);
  }

  /// The task's own process: the youngest below the helper.
  static std::string task_of(const Started& started) {
    const std::string pid = std::to_string(started.pid);
    const std::string children = base::read_file("/proc/" + pid + "/task/" + pid + "/children", 4096).value_or("?");
    return std::string(base::tokenize(children, ' ').back());
  }

  static std::string status_line(const std::string& pid, const std::string& name) {
    const std::string text = base::read_file("/proc/" + pid + "/status", 1 << 16).value_or("");
    for (const auto line : base::tokenize(text, '\n'))
      if (line.starts_with(name + ":\t")) return std::string(line.substr(name.size() + 2));
    return "?";
  }

  std::string owner(const std::string& path) {
    struct stat info {};
    return lstat((top / path).c_str(), &info) != 0 ? "nothing" : std::to_string(info.st_uid) + ":" + std::to_string(info.st_gid);
  }

  base::testing::TemporaryDirectory top;
  FakeRegistry registry{loop};
  images::Backend backend = images::Backend::Overlay;
  LogRules logs;
  std::string isolation = kIsolation;
  IsolatorOptions options;
  std::shared_ptr<images::Images> store;
};

TEST_F(Users, root_is_nobody_on_the_machine) {
  ASSERT_TRUE(base::write_file(top / "data/roots", "untouched\n"));
  const auto started = launch(spec("a", "id -u; grep -h 2147 /proc/self/uid_map /proc/self/gid_map; "
        "echo x > " + top.path() + "/data/roots || echo refused; "
                                        "mount -t tmpfs none /mnt || echo refused; hostname evil || echo refused; "
                                        "echo 1 > /proc/sys/kernel/panic || echo refused; "
                                        "kill -0 1 || echo refused; sleep 1000"));
  ASSERT_TRUE(started) << started.error().message;
  const std::string task = task_of(*started), first = std::to_string(kFirst);
  EXPECT_EQ(status_line(task, "Uid"), first + "\t" + first + "\t" + first + "\t" + first);
  EXPECT_EQ(status_line(task, "Gid"), first + "\t" + first + "\t" + first + "\t" + first);
  EXPECT_EQ(status_line(task, "Groups"), first + " ");
  wait_for_lines("a", 6);
  EXPECT_EQ(base::read_file(top / "a/stdout").value_or("?"), "0\nrefused\nrefused\nrefused\nrefused\nrefused\n");
  EXPECT_EQ(base::read_file(top / "data/roots").value_or("?"), "untouched\n");
  end("a");
}

TEST_F(Users, other_users_are_others_too_and_lose_roots_powers) {
  const auto started = launch(spec("a", "id -u; grep -E 'Cap(Prm|Eff|Inh|Amb)' /proc/self/status | tr -d '\t\n"
        "'; echo; sleep 1000", "nobody"));
  ASSERT_TRUE(started) << started.error().message;
  const std::string id = std::to_string(kFirst + 65534);
  wait_for_lines("a", 2);
  EXPECT_EQ(status_line(task_of(*started), "Uid"), id + "\t" + id + "\t" + id + "\t" + id);
  end("a");
  EXPECT_EQ(printed("a"), "65534\n"
        "CapInh:0000000000000000CapPrm:0000000000000000CapEff:0000000000000000CapAmb:0000000000000000\n");
}

TEST_F(Users, files_keep_their_owners_on_the_disk) {
  ASSERT_EQ(chown((top / "data").c_str(), 1234, 1234), 0);
  ASSERT_TRUE(base::write_file(top / "data/theirs", "x", 0600));
  ASSERT_EQ(chown((top / "data/theirs").c_str(), 1234, 1234), 0);
  ASSERT_TRUE(base::make_directories(top / "kept"));
  const std::string command = "touch mine vol/mine kept/mine; cat vol/theirs 2>/dev/null; "
        "stat -c %u . mine stdout vol vol/theirs kept/mine; cat token; "
                              "stat -c '%u %a' token; echo again >> /dev/stdout; echo error >> /dev/stderr";
  const auto wanted = [&](const std::string& id, const std::string& user) {
    ContainerSpec out = spec(id, command, user);
    add_volume(out, top / "data", "vol");
    add_secret(out, "token");
    out.volumes.push_back({top / "kept", "kept"});
    return out;
  };
  EXPECT_EQ(run(wanted("a", "root")), "x0\n0\n0\n1234\n1234\n0\nhunter2\n0 600\nagain\nerror\n");
  EXPECT_EQ(owner("a/mine") + " " + owner("data/mine") + " " + owner("kept/mine") + " " + owner("a/stdout"), "0:0 0:0 0:0 0:0");
  ASSERT_EQ(unlink((top / "data/mine").c_str()), 0);
  EXPECT_EQ(run(wanted("b", "nobody")),
            "65534\n65534\n65534\n1234\n1234\n0\nhunter2\n65534 600\nagain\n"
            "touch: cannot touch 'vol/mine': Permission denied\n"
            "touch: cannot touch 'kept/mine': Permission denied\nerror\n");
  EXPECT_EQ(owner("b/mine") + " " + owner("kept/mine") + " " + owner("b/stdout"), "65534:65534 0:0 65534:65534");
  EXPECT_EQ(owner("kept"), "65534:65534");
}

TEST_F(Users, sources_of_volumes_may_lie_in_the_sandbox) {
  ContainerSpec wanted = spec("a", "touch data/x; ls shown", "nobody");
  add_volume(wanted, "data", "shown");
  EXPECT_EQ(run(wanted), "x\n");
}

TEST_F(Users, output_with_a_limit_can_be_opened_again) {
  logs.on = true;
  logs.output = logs.error = {8192, 2};
  open();
  EXPECT_EQ(run(spec("a", "echo one; echo two > /dev/stdout; "
        "yes | head -c 9000 > /dev/stderr", "nobody")).substr(0, 8), "one\ntwo\n");
  EXPECT_EQ(owner("a/stderr") + " " + owner("a/stderr.1"), "65534:65534 65534:65534");
}

TEST_F(Users, terminals_belong_to_the_task) {
  ContainerSpec wanted = spec("a", "stat -c %u $(tty); echo x > $(tty); echo y > /dev/tty", "nobody");
  wanted.container->mutable_tty_info();
  EXPECT_EQ(run(wanted), "65534\r\nx\r\ny\r\n");
}

TEST_F(Users, commands_inside_are_in_the_same_namespace) {
  const auto started = launch(spec("a", "readlink /proc/self/ns/user > space; sleep 1000"));
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_EQ(run_inside("a", "i=0; until test -s space || test $i = 300; do i=$((i+1)); sleep 0.1; done; "
                            "test $(id -u) = 0 && test $(readlink /proc/self/ns/user) = $(cat space) && touch inside && "
                            "! mount -t tmpfs none /mnt 2>/dev/null && exit 7"), 7);
  EXPECT_EQ(owner("a/inside"), "0:0");

  ContainerSpec guest = spec("a.g", "readlink /proc/self/ns/user; id -u; kill -TERM 1 || echo refused; touch guests");
  guest.sandbox = top / "a";
  guest.parent = "a";
  guest.debug = guest.session = true;
  guest.own_group = false;
  guest.group = "a";
  ASSERT_TRUE(launch(guest));
  const auto connection = runtime->attach("a.g");
  ASSERT_TRUE(connection) << connection.error().message;
  ASSERT_EQ(write(connection->get(), &launch::kWantOutput, 1), 1);
  while (!ends.contains("a.g") && !HasFailure()) run_loop();
  EXPECT_EQ(owner("a/guests"), "0:0");
  std::string said;
  char packet[launch::kMaxPacket];
  for (ssize_t length; (length = read(connection->get(), packet, sizeof packet)) > 0;)
    said.append(packet + 1, static_cast<size_t>(length) - 1);
  EXPECT_EQ(said.substr(0, said.find("0\n") + 2), base::read_file(top / "a/space").value_or("?") + "0\n") << said;
  EXPECT_NE(said.find("refused"), std::string::npos) << said;
  end("a");
}

TEST_F(Users, containers_do_not_reach_each_others_processes) {
  const auto first = launch(spec("a", "sleep 1000"));
  ASSERT_TRUE(first) << first.error().message;
  ContainerSpec other = spec("b", "t=" + task_of(*first) + "; kill -0 $t 2>/dev/null || echo refused; "
        "stat -c %u /proc/$t; "
                                   "cat /proc/$t/environ 2>/dev/null || echo refused");
  other.container->mutable_linux_info()->set_share_pid_namespace(true);
  EXPECT_EQ(run(other), "refused\n65534\nrefused\n");
  end("a");
}

TEST_F(Users, a_container_inside_another_has_ids_of_its_own) {
  const auto outer = launch(spec("a", "sleep 1000"));
  ASSERT_TRUE(outer) << outer.error().message;
  ContainerSpec inner = spec("a.b", "id -u; touch mine ../up 2>/dev/null || echo refused; sleep 1000", "nobody");
  inner.sandbox = top / "a/inner";
  inner.parent = "a";
  inner.parent_sandbox = top / "a";
  const auto started = launch(inner);
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_EQ(status_line(task_of(*outer), "Uid").substr(0, 10), std::to_string(kFirst));
  EXPECT_EQ(status_line(task_of(*started), "Uid").substr(0, 10), std::to_string(kFirst + 65536 + 65534));
  EXPECT_EQ(run_inside("a", "until test -e inner/mine; do sleep 0.1; done; "
        "test $(stat -c %u inner/mine) = 65534 && exit 7"), 7);
  end("a");
}

TEST_F(Users, blocks_are_kept_over_a_restart_and_given_back) {
  options.userns_containers = 1;
  open();
  ASSERT_TRUE(launch(spec("a", "sleep 1000")));
  open();
  std::map<std::string, Started> running;
  runtime->recover({spec("a", "sleep 1000")}, [&](std::map<std::string, Started> found) {
    running = std::move(found);
    loop.stop();
  });
  run_loop();
  ASSERT_TRUE(running.contains("a"));
  EXPECT_EQ(run(spec("b", "id")),
            "failed: namespaces/user: blocks of 65536 ids (--userns_containers): of 1 only 0 are free, and 1 are wanted");
  EXPECT_EQ(run_inside("a", "test $(id -u) = 0 && ! touch " + top.path() + "/x 2>/dev/null && exit 7"), 7);
  end("a");
  EXPECT_EQ(run(spec("c", "id -u")), "0\n");
  EXPECT_EQ(run(spec("d", "id -u")), "0\n") << "the end of a container that ended by itself gives back, too";
}

TEST_F(Users, an_agent_without_the_isolator_runs_nothing_in_such_containers) {
  ASSERT_TRUE(launch(spec("a", "sleep 1000")));
  isolation = "filesystem/linux,namespaces/pid,namespaces/ipc";
  open();
  runtime->recover({spec("a", "sleep 1000")}, [&](const std::map<std::string, Started>&) { loop.stop(); });
  run_loop();
  mesos::v1::CommandInfo probe;
  probe.set_value("touch " + top.path() + "/x");
  runtime->run_inside("a", probe, base::seconds(10), [&](const Result<int>&) { loop.stop(); });
  run_loop();
  EXPECT_FALSE(base::exists(top / "x"));
  end("a");
}

TEST_F(Users, low_ports_and_ping_are_for_everybody_in_a_network_of_its_own) {
  const std::string directory = top / "spaces";
  ASSERT_TRUE(base::make_directories(directory));
  ASSERT_TRUE(network::share_directory(directory));
  ASSERT_TRUE(network::make_space(directory + "/n"));
  ASSERT_TRUE(base::make_directories(top / "a"));
  launch::LaunchOrder order;
  order.arguments = {"/bin/sh", "-c", "busybox httpd -p 127.0.0.1:80 && echo listens"};
  order.environment = {{"PATH", "/usr/bin:/bin"}};
  order.user = launch::UserIds{65534, 65534, {}};
  order.directory = top / "a";
  order.output = top / "a/stdout";
  order.error_output = top / "a/stderr";
  order.status_file = top / "a/status";
  order.network = directory + "/n";
  order.private_mounts = order.private_pids = true;
  order.first_id = kFirst;
  launch::BindMount sandbox{top / "a", top / "a"};
  order.mounts.push_back(sandbox);
  auto helper = launch::start_helper(helper_path(), order);
  ASSERT_TRUE(helper) << helper.error().message;
  siginfo_t info;
  ASSERT_EQ(waitid(P_PIDFD, static_cast<id_t>(helper->pidfd.get()), &info, WEXITED), 0);
  EXPECT_EQ(printed("a"), "listens\n");
  const std::string ask = "nsenter --net=" + directory + "/n cat /proc/sys/net/ipv4/ping_group_range > " + top.path() + "/range";
  ASSERT_EQ(system(ask.c_str()), 0);
  EXPECT_EQ(base::read_file(top / "range").value_or("?"), "0\t2147483647\n");
  EXPECT_TRUE(network::remove_space(directory + "/n"));
  network::unshare_directory(directory);
}

TEST_F(Users, what_cannot_be_shown_is_named_with_its_file_system) {
  ContainerSpec wanted = spec("a", "true");
  add_volume(wanted, "/proc/sys", "vol");
  EXPECT_EQ(run(wanted), "failed: namespaces/user: the file system proc, or one mounted below it, cannot show a container ids of "
                         "its own at '/proc/sys'");
  options.work_directory = "/proc";
  const auto made = Isolators::make(*Isolation::parse(kIsolation), options, true);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "namespaces/user: the file system proc, or one mounted below it, cannot show a "
                                  "container ids of its own at /proc");
}

TEST_F(Users, say_when_their_number_is_too_high) {
  launch::LaunchOrder order;
  order.arguments = {"true"};
  order.user = launch::UserIds{70000, 70000, {}};
  order.status_file = top / "data/status";
  order.private_mounts = true;
  order.first_id = kFirst;
  auto helper = launch::start_helper(helper_path(), order);
  ASSERT_TRUE(helper) << helper.error().message;
  siginfo_t info;
  ASSERT_EQ(waitid(P_PIDFD, static_cast<id_t>(helper->pidfd.get()), &info, WEXITED), 0);
  char said[4096];
  const ssize_t length = read(helper->sync.get(), said, sizeof said);
  EXPECT_EQ(std::string(said, length < 0 ? 0 : static_cast<size_t>(length)),
            "namespaces/user: the task's user, or a group of his, has a number above 65535, the last of a container");
}

TEST_F(Users, a_sandbox_that_is_closed_to_others_is_named) {
  ASSERT_TRUE(base::make_directories(top / "closed"));
  ASSERT_EQ(chmod((top / "closed").c_str(), 0700), 0);
  ContainerSpec wanted = spec("a", "true");
  wanted.sandbox = top / "closed/a";
  const std::string said = run(wanted);
  EXPECT_NE(said.find("the way to its directory is closed to them"), std::string::npos) << said;
}

class UsersOfImages : public Users, public ::testing::WithParamInterface<images::Backend> {
 protected:
  void SetUp() override {
    backend = GetParam();
    Users::SetUp();
    if (IsSkipped()) return;
    if (access("/bin/busybox", X_OK) != 0) GTEST_SKIP() << "needs busybox-static";
    TarWriter tar;
    tar.directory("bin").file("bin/busybox", base::read_file("/bin/busybox").value_or(""), 0755);
    for (const char* name : {"sh", "ls", "cat", "id", "mount", "touch", "stat", "sleep", "tty", "chown", "mkdir"})
      tar.symlink(std::string("bin/") + name, "busybox");
    tar.directory("etc").file("etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:1234:2345::/home/app:/bin/sh\n"
          "").file("etc/group", "staff:x:3456:app\n");
    image.layers = {tar.finish(), TarWriter().directory("opt").file("opt/roots", "r", 0644).finish()};
    image.packing = FakeImage::Packing::Plain;
  }

  ContainerSpec spec_of(const std::string& id, const std::string& command, const std::string& user = "", bool privileged = false) {
    image.config = user.empty() ? "{}" : R"({"User":")" + user + "\"}";
    registry.add("app", "t", image);
    ContainerSpec out = spec(id, command);
    out.container->set_type(ContainerInfo::DOCKER);
    out.container->mutable_docker()->set_image(registry.host() + "/app:t");
    out.container->mutable_docker()->set_force_pull_image(true);
    out.container->mutable_docker()->set_privileged(privileged);
    return out;
  }

  FakeImage image;
};

TEST_P(UsersOfImages, root_owns_the_images_files_and_nothing_of_the_machine) {
  const auto started = launch(spec_of("a", "id -u; "
        "stat -c %u:%g / /opt/roots /dev /dev/null /mnt/mesos/sandbox /mnt/mesos/sandbox/stdout; "
        "touch /new /opt/new; "
                                           "echo w > /opt/roots; echo more >> /dev/stdout; mkdir /m; "
                                           "mount -t tmpfs none /m || echo refused; "
                                           "echo 1 > /proc/sys/kernel/panic || echo refused; "
                                           "touch /mnt/mesos/sandbox/s; chown 1234 /opt/new; "
                                           "stat -c %u /opt/new /proc/1; echo ready; sleep 1000"));
  ASSERT_TRUE(started) << started.error().message;
  wait_for_lines("a", 13);
  const std::string id = std::to_string(kFirst);
  EXPECT_EQ(status_line(task_of(*started), "Uid"), id + "\t" + id + "\t" + id + "\t" + id);
  EXPECT_EQ(base::read_file(top / "a/stdout").value_or("?"), "0\n0:0\n0:0\n0:0\n0:0\n0:0\n0:0\nmore\nrefused\n"
        "refused\n1234\n65534\nready\n");
  EXPECT_EQ(owner("a/s") + " " + owner("a/stdout"), "0:0 0:0");
  EXPECT_EQ(run_inside("a", "test $(id -u) = 0 && touch /opt/again && exit 7"), 7);
  end("a");
  EXPECT_EQ(run(spec_of("b", "cat /opt/roots; ls /new")).substr(0, 9), "rls: /new") << "the layers are as they were";
}

TEST_P(UsersOfImages, a_user_of_the_images_is_that_inside_and_in_the_sandbox) {
  ContainerSpec wanted = spec_of("a", "id; touch mine || echo refused; "
        "touch /mnt/mesos/sandbox/s /mnt/mesos/sandbox/v/s; echo more >> /dev/stdout; "
                                      "cat /mnt/mesos/sandbox/token; "
                                      "stat -c '%u %a' /mnt/mesos/sandbox/token", "app");
  ASSERT_EQ(chown((top / "data").c_str(), 1234, 0), 0);
  add_volume(wanted, top / "data", "v");
  add_secret(wanted, "token");
  EXPECT_EQ(run(wanted), "uid=1234(app) gid=2345 groups=2345,3456(staff)\nrefused\nmore\nhunter2\n1234 600\n"
        "touch: mine: Permission denied\n");
  EXPECT_EQ(owner("a/s") + " " + owner("data/s") + " " + owner("a") + " " + owner("a/stdout"), "1234:2345 1234:2345 1234:2345 1234:2345");
}

TEST_P(UsersOfImages, options_with_owners_and_terminals_work) {
  ContainerSpec wanted = spec_of("a", "stat -c %u:%g /t; touch /t/x && stat -c %u $(tty)", "app");
  auto* parameter = wanted.container->mutable_docker()->add_parameters();
  parameter->set_key("tmpfs");
  parameter->set_value("/t:uid=1234,gid=5");
  wanted.container->mutable_tty_info();
  EXPECT_EQ(run(wanted), "1234:5\r\n1234\r\n");
}

TEST_P(UsersOfImages, volumes_from_images_have_the_containers_ids) {
  (void)spec_of("unused", "true");  // puts the image into the registry
  ContainerSpec wanted = spec("a", "stat -c %u vol vol/opt/roots; echo w > vol/opt/roots; touch vol/opt/new; "
                                   "cat vol/opt/roots; stat -c %u vol/opt/new");
  auto* volume = wanted.container->add_volumes();
  volume->set_container_path("vol");
  volume->set_mode(Volume::RW);
  volume->mutable_image()->set_type(mesos::v1::Image::DOCKER);
  volume->mutable_image()->mutable_docker()->set_name(registry.host() + "/app:t");
  EXPECT_EQ(run(wanted), "0\n0\nw\n0\n");
  wanted.id = "b";
  wanted.sandbox = top / "b";
  wanted.user = "nobody";
  wanted.command.set_value("cat vol/opt/roots; echo w > vol/opt/roots || echo refused");
  EXPECT_EQ(run(wanted).substr(0, 9), "rrefused\n");
}

TEST_P(UsersOfImages, a_privileged_container_is_root_on_the_machine) {
  const auto started = launch(spec_of("a", "sleep 1000", "", true));
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_EQ(status_line(task_of(*started), "Uid"), "0\t0\t0\t0");
  end("a");
}

INSTANTIATE_TEST_SUITE_P(Both, UsersOfImages, ::testing::Values(images::Backend::Overlay, images::Backend::Copy),
                         [](const auto& tested) { return tested.param == images::Backend::Overlay ? "overlay" : "copy"; });

}  // namespace
}  // namespace containerizer
