// Containers with an image on this machine: made of Debian's static busybox, as root.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/strings.hpp"
#include "base/testing/temporary_directory.hpp"
#include "kernel/containerizer/images/testing/fake_registry.hpp"
#include "kernel/containerizer/images/testing/tar_writer.hpp"
#include "kernel/containerizer/native.hpp"
#include "kernel/containerizer/testing/containers.hpp"

namespace containerizer {
namespace {

using images::testing::FakeImage;
using images::testing::FakeRegistry;
using images::testing::TarWriter;
using mesos::v1::ContainerInfo;

std::string busybox_layer() {
  TarWriter tar;
  tar.directory("bin").file("bin/busybox", base::read_file("/bin/busybox").value_or(""), 0755);
  for (const char* name : {"sh", "ls", "cat", "id", "pwd", "env", "mount", "touch", "sleep",
                           "mkdir", "stat", "ln", "rm", "grep", "readlink", "test", "ps", "kill"})
    tar.symlink(std::string("bin/") + name, "busybox");
  tar.directory("etc").file(
      "etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:1234:2345::/home/app:/bin/sh\nbroken\n:::\n");
  tar.file("etc/group", "root:x:0:\nstaff:x:3456:app,other\nextra:x:77:\n");
  return tar.finish();
}

class NativeImages : public Containers, public ::testing::TestWithParam<images::Backend> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    if (access("/bin/busybox", X_OK) != 0) GTEST_SKIP() << "needs busybox-static";
    chmod(top.path().c_str(), 0755);
    image.layers = {busybox_layer()};
    image.packing = FakeImage::Packing::Plain;
    open();
  }

  void open() {
    runtime.reset();
    store.reset();
    images::ImageOptions with;
    with.directory = top / "store";
    auto opened = images::Images::open(loop, pool, with);
    ASSERT_TRUE(opened) << opened.error().message;
    store = std::move(*opened);
    NativeOptions options;
    options.runtime_directory = top / "run";
    options.images = store;
    options.backend = GetParam();
    start(std::move(options), nullptr);
  }

  void TearDown() override {
    runtime.reset();
    store.reset();
  }

  ContainerSpec spec(const std::string& id, const std::string& command, bool docker = true) {
    registry.add("app", "t", image);
    ContainerSpec out;
    out.id = id;
    out.sandbox = top / id;
    out.user = "root";
    if (!command.empty())
      out.command.set_value(command);
    else
      out.command.set_shell(false);
    auto& info = out.container.emplace();
    if (docker) {
      info.set_type(ContainerInfo::DOCKER);
      info.mutable_docker()->set_image(registry.host() + "/app:t");
      info.mutable_docker()->set_force_pull_image(true);
    } else {
      info.set_type(ContainerInfo::MESOS);
      info.mutable_mesos()->mutable_image()->set_type(mesos::v1::Image::DOCKER);
      info.mutable_mesos()->mutable_image()->mutable_docker()->set_name(registry.host() + "/app:t");
      info.mutable_mesos()->mutable_image()->set_cached(false);
    }
    return out;
  }

  std::string run(ContainerSpec wanted) {
    const std::string id = wanted.id;
    const auto started = launch(std::move(wanted));
    if (!started) return "failed: " + started.error().message;
    while (!ends.contains(id)) run_loop();
    EXPECT_FALSE(base::exists(top / ("run/" + id + "/root")));
    EXPECT_FALSE(base::exists(top / ("run/" + id + "/writable")));
    runtime->forget(id);
    loop.after(base::milliseconds(1), [this] { loop.stop(); });
    run_loop();
    return base::read_file(top / (id + "/stdout")).value_or("?") +
           base::read_file(top / (id + "/stderr")).value_or("?");
  }

  std::string run_docker(const std::string& command,
                         const std::vector<std::pair<std::string, std::string>>& parameters = {}) {
    ContainerSpec wanted = spec("d" + std::to_string(++number), command);
    for (const auto& [key, value] : parameters) {
      auto* parameter = wanted.container->mutable_docker()->add_parameters();
      parameter->set_key(key);
      parameter->set_value(value);
    }
    return run(std::move(wanted));
  }

  base::testing::TemporaryDirectory top;
  FakeRegistry registry{loop};
  FakeImage image;
  std::shared_ptr<images::Images> store;
  int number = 0;
};

TEST_P(NativeImages, runs_the_images_program_with_its_environment_in_its_directory) {
  image.config =
      R"({"Entrypoint":["/bin/sh","-c"],"Cmd":["pwd; echo $A $HOME $MESOS_SANDBOX; ls /"],"Env":["A=image"],"WorkingDir":"/srv/app"})";
  EXPECT_EQ(run(spec("a", "")),
            "/srv/app\nimage /root /mnt/mesos/sandbox\nbin\ndev\netc\nmnt\nproc\nsrv\nsys\n");
}

TEST_P(NativeImages, has_its_own_files_and_keeps_them_to_itself) {
  image.layers.push_back(TarWriter()
                             .file("etc/passwd.orig", "x")
                             .file("etc/.wh.group", "")
                             .file("opt/kept", "1")
                             .finish());
  EXPECT_EQ(run_docker("ls /etc/group; cat /opt/kept; echo changed > /opt/kept; touch /new; ls "
                       "/new /root /home"),
            "1/new\nls: /etc/group: No such file or directory\nls: /root: No such file or "
            "directory\nls: /home: No such file or directory\n");
  EXPECT_EQ(run_docker("cat /opt/kept; ls /new"), "1ls: /new: No such file or directory\n")
      << "the next container sees nothing of the last";
  EXPECT_EQ(run_docker("ls -d /opt/ " + top.path()),
            "/opt/\nls: " + top.path() + ": No such file or directory\n");
}

TEST_P(NativeImages, has_devices_proc_and_sys_and_no_more_of_the_machine) {
  EXPECT_EQ(run_docker("ls /dev | tr '\\n' ' '; echo x > /dev/null; cat /dev/zero | head -c 3 | wc "
                       "-c; readlink /dev/stdin"),
            "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "
            "3\n/proc/self/fd/0\n");
  EXPECT_EQ(run_docker("echo 1 > /proc/sys/kernel/core_pattern || echo refused; cat "
                       "/proc/timer_list | wc -c; touch /sys/x || echo refused"),
            "refused\n0\nrefused\nsh: can't create /proc/sys/kernel/core_pattern: Read-only file "
            "system\ntouch: /sys/x: Read-only file system\n");
  EXPECT_EQ(run_docker("ls /sys/fs/cgroup; test $(ls -d /proc/[0-9]* | wc -l) -lt 8 && echo few; "
                       "mount | grep -c ' / '"),
            "few\n1\n");
  EXPECT_EQ(run_docker("grep -c " + top.path() + " /proc/mounts"), "0\n");
}

TEST_P(NativeImages, has_only_dockers_capabilities_unless_privileged) {
  const auto capabilities =
      [this](const std::vector<std::pair<std::string, std::string>>& parameters) {
        const std::string out = run_docker("grep CapEff /proc/self/status", parameters);
        return out.substr(out.find_first_not_of("CapEff: \t"));
      };
  EXPECT_EQ(capabilities({}), "00000000a00425fb\n");
  EXPECT_EQ(capabilities({{"cap-drop", "ALL"}, {"cap-add", "KILL"}}), "0000000000000020\n");
  EXPECT_NE(capabilities({{"privileged", "true"}}), "00000000a00425fb\n");
  EXPECT_EQ(run_docker("mknod /x b 8 0", {}), "mknod: /x: Operation not permitted\n");
  EXPECT_EQ(
      run_docker("grep NoNewPrivs /proc/self/status", {{"security-opt", "no-new-privileges"}}),
      "NoNewPrivs:\t1\n");
}

TEST_P(NativeImages, resolves_users_inside_the_image) {
  image.config = R"({"User":"app"})";
  EXPECT_EQ(
      run(spec("a",
               "id; echo $HOME; touch mine /mnt/mesos/sandbox/s; stat -c %u:%g /mnt/mesos/sandbox "
               "/mnt/mesos/sandbox/stdout")),
      "uid=1234(app) gid=2345 groups=2345,3456(staff)\n/home/app\n1234:2345\n1234:2345\ntouch: "
      "mine: Permission denied\n");
  EXPECT_EQ(run_docker("id", {{"user", "app:extra"}, {"group-add", "3456"}}),
            "uid=1234(app) gid=77(extra) groups=77(extra),3456(staff)\n");
  EXPECT_EQ(run_docker("id -u 2>/dev/null; id -g 2>/dev/null; echo $HOME", {{"user", "4321"}}),
            "4321\n0\n/\n");
  EXPECT_NE(run_docker("id", {{"user", "nobody-here"}}).find("the image has no user 'nobody-here'"),
            std::string::npos);
  EXPECT_NE(run_docker("id", {{"user", "app:none"}}).find("the image has no group"),
            std::string::npos);
  ContainerSpec machines = spec("m", "id -u 2>/dev/null", false);
  image.config = "{}";
  machines.user = "nobody";  // not in the image, but on the machine
  machines.command.set_user("nobody");
  EXPECT_EQ(run(std::move(machines)), "65534\n");
}

TEST_P(NativeImages, hostile_account_files_do_no_harm) {
  for (const char* target :
       {"/etc/shadow", "/proc/self/mem", "/dev/zero", "passwd", "../../../../etc/passwd"}) {
    image.layers = {busybox_layer(), TarWriter().symlink("etc/passwd", target).finish()};
    EXPECT_EQ(run_docker("echo ran", {{"user", "1000"}}), "ran\n") << target;
  }
  image.layers = {busybox_layer(), TarWriter().header("etc/passwd", '6', 0).finish()};
  EXPECT_EQ(run_docker("echo ran", {{"user", "1000"}}), "ran\n");
}

TEST_P(NativeImages, mounts_volumes_inside_and_nowhere_else) {
  ASSERT_TRUE(base::make_directories(top / "data"));
  ASSERT_TRUE(base::write_file(top / "data/file", "content\n"));
  ASSERT_TRUE(base::make_directories(top / "victim"));
  // The image's link points at a directory of the machine's; in the container it can only mean the
  // container's own.
  image.layers.push_back(TarWriter()
                             .symlink("link", top / "victim")
                             .symlink("up", "../../../../" + (top / "victim").substr(1))
                             .finish());
  ContainerSpec wanted = spec("a",
                              "cat /vol/file; touch /vol/new || echo refused; ls /link/ /up/; echo "
                              "w > /link/w; cat /new/dir/x; cat f/file");
  const auto add = [&](const std::string& host, const std::string& container, bool read_only) {
    auto* volume = wanted.container->add_volumes();
    volume->set_host_path(host);
    volume->set_container_path(container);
    volume->set_mode(read_only ? mesos::v1::Volume::RO : mesos::v1::Volume::RW);
  };
  add(top / "data", "/vol", true);
  add(top / "data", "/link", false);
  add(top / "data", "/up", false);
  add(top / "data/file", "/new/dir/x", false);
  add(top / "data", "f", false);
  EXPECT_EQ(run(std::move(wanted)),
            "content\nrefused\n/link/:\nfile\n\n/up/:\nfile\ncontent\ntouch: /vol/new: Read-only "
            "file system\ncat: can't open 'f/file': No such file or directory\n");
  EXPECT_TRUE(base::list_directory(top / "victim")->empty());
  EXPECT_EQ(*base::list_directory(top / "data"), (std::vector<std::string>{"file", "w"}));
}

TEST_P(NativeImages, a_link_in_the_sandbox_is_no_way_to_the_machines_files) {
  ASSERT_TRUE(base::make_directories(top / "secret"));
  ASSERT_TRUE(base::write_file(top / "secret/key", "x"));
  ContainerSpec wanted = spec("a", "ls /v");
  ASSERT_TRUE(base::make_directories(wanted.sandbox));
  ASSERT_EQ(symlink((top / "secret").c_str(), (wanted.sandbox + "/v").c_str()), 0);
  auto* volume = wanted.container->add_volumes();
  volume->set_host_path("v");
  volume->set_container_path("/v");
  volume->set_mode(mesos::v1::Volume::RW);
  EXPECT_NE(run(std::move(wanted)).find("failed: cannot open the volume's source"),
            std::string::npos);
}

TEST_P(NativeImages, options_of_docker_work) {
  EXPECT_EQ(run_docker("echo x > /x", {{"read-only", "true"}}),
            "sh: can't create /x: Read-only file system\n");
  EXPECT_EQ(
      run_docker("touch /t/x && echo yes; ulimit -n; pwd; echo $V", {{"tmpfs", "/t:size=1m"},
                                                                     {"ulimit", "nofile=100:200"},
                                                                     {"workdir", "/w/d"},
                                                                     {"env", "V=1"}}),
      "yes\n100\n/w/d\n1\n");
  EXPECT_EQ(run_docker("stat -f -c %b /dev/shm", {{"shm-size", "1m"}}), "256\n");
}

TEST_P(NativeImages, settings_of_the_kernel_are_the_containers_alone) {
  const std::string before = base::read_file("/proc/sys/kernel/msgmax").value_or("");
  ContainerSpec wanted = spec("a", "cat /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max");
  for (const char* setting : {"kernel.msgmax=4096", "fs.mqueue.msg_max=7"}) {
    auto& parameter = *wanted.container->mutable_docker()->add_parameters();
    parameter.set_key("sysctl");
    parameter.set_value(setting);
  }
  EXPECT_EQ(run(wanted), "4096\n7\n");
  EXPECT_EQ(base::read_file("/proc/sys/kernel/msgmax").value_or(""), before);
}

TEST_P(NativeImages, commands_run_inside_and_the_stop_signal_is_the_images) {
  image.config = R"({"Env":["A=image"],"User":"app","StopSignal":"SIGUSR1"})";
  ASSERT_TRUE(launch(spec("a",
                          "trap 'echo stopped; exit 3' USR1; touch /tmp-x 2>/dev/null; while true; "
                          "do sleep 0.05; done")));
  mesos::v1::CommandInfo probe;
  probe.set_value(
      "test \"$A\" = image && test $(id -u) = 1234 && test -d /mnt/mesos/sandbox && exit 7");
  Result<int> status = 0;
  runtime->run_inside("a", probe, base::seconds(10), [&](Result<int> result) {
    status = std::move(result);
    loop.stop();
  });
  run_loop();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(WEXITSTATUS(*status), 7);
  runtime->signal("a", SIGTERM);
  while (!ends.contains("a")) run_loop();
  EXPECT_EQ(WEXITSTATUS(*ends["a"].status), 3);
  EXPECT_EQ(*base::read_file(top / "a/stdout"), "stopped\n");
}

TEST_P(NativeImages, live_on_through_a_restart_and_keep_their_image) {
  ASSERT_TRUE(launch(spec("a", "sleep 1000")));
  const ContainerSpec known = spec("a", "sleep 1000");
  ASSERT_TRUE(launch(spec("orphan", "sleep 1000")));
  open();
  std::map<std::string, Started> running;
  runtime->recover({known}, [&](std::map<std::string, Started> found) {
    running = std::move(found);
    loop.stop();
  });
  run_loop();
  EXPECT_TRUE(running.contains("a"));
  EXPECT_FALSE(base::exists(top / "run/orphan"));
  store->collect(true, [this] { loop.stop(); });
  run_loop();
  EXPECT_EQ(store->counts().images, 1u);
  mesos::v1::CommandInfo probe;
  probe.set_value("test -x /bin/busybox");
  Result<int> status = 1;
  runtime->run_inside("a", probe, base::seconds(10), [&](Result<int> result) {
    status = std::move(result);
    loop.stop();
  });
  run_loop();
  EXPECT_EQ(status.value_or(1), 0);
  runtime->destroy("a");
  while (!ends.contains("a")) run_loop();
  store->collect(true, [this] { loop.stop(); });
  run_loop();
  EXPECT_EQ(store->counts().images, 0u);
}

namespace {

void add_image_volume(ContainerSpec& wanted, const std::string& image, const std::string& path, mesos::v1::Volume::Mode mode) {
  auto* volume = wanted.container->add_volumes();
  volume->set_container_path(path);
  volume->set_mode(mode);
  volume->mutable_image()->set_type(mesos::v1::Image::DOCKER);
  volume->mutable_image()->mutable_docker()->set_name(image);
}

}  // namespace

TEST_P(NativeImages, shows_an_image_as_a_volume_that_is_the_containers_alone) {
  FakeImage data;
  data.layers = {TarWriter().directory("opt").file("opt/kept", "old\n").finish(),
                 TarWriter().file("opt/kept", "1\n").file("opt/more", "").finish()};
  registry.add("data", "t", data);
  const std::string name = registry.host() + "/data:t";
  const auto plain = [&](const std::string& id, const std::string& command) {
    ContainerSpec out;
    out.id = id;
    out.sandbox = top / id;
    out.user = "root";
    out.command.set_value(command);
    out.container.emplace().set_type(ContainerInfo::MESOS);
    return out;
  };
  for (const std::string id : {"a", "b"}) {
    ContainerSpec wanted = plain(id, "cat vol/opt/kept; echo changed > vol/opt/kept; cat vol/opt/kept; ls vol/opt; "
                                     "echo x > ro/opt/kept; cat ro/opt/kept");
    add_image_volume(wanted, name, "vol", mesos::v1::Volume::RW);
    add_image_volume(wanted, name, "ro", mesos::v1::Volume::RO);
    const std::string said = run(std::move(wanted));
    EXPECT_EQ(said.substr(0, said.find("sh:")), "1\nchanged\nkept\nmore\n1\n") << "the next container sees nothing of the last";
    EXPECT_NE(said.find("Read-only file system"), std::string::npos) << said;
    EXPECT_FALSE(base::exists(top / ("run/" + id + "/root.0")) || base::exists(top / ("run/" + id + "/writable.1")));
  }
  ContainerSpec own = spec("own", "cat /vol/opt/kept vol/opt/kept; touch /vol/new && ls /vol", false);
  add_image_volume(own, name, "/vol", mesos::v1::Volume::RW);
  add_image_volume(own, name, "vol", mesos::v1::Volume::RW);
  EXPECT_EQ(run(std::move(own)), "1\n1\nnew\nopt\n");

  ContainerSpec docker = spec("docker", "true");
  add_image_volume(docker, name, "/vol", mesos::v1::Volume::RW);
  EXPECT_EQ(run(std::move(docker)), "failed: volume /vol: only containers of type MESOS have volumes that are made from images");
  ContainerSpec missing = plain("missing", "true");
  add_image_volume(missing, registry.host() + "/none", "vol", mesos::v1::Volume::RW);
  EXPECT_NE(run(std::move(missing)).find("Failed to pull"), std::string::npos);

  ContainerSpec lives = plain("lives", "sleep 1000");
  add_image_volume(lives, name, "vol", mesos::v1::Volume::RW);
  ASSERT_TRUE(launch(lives));
  open();
  runtime->recover({lives}, [&](const std::map<std::string, Started>&) { loop.stop(); });
  run_loop();
  const auto images_left = [&] {
    store->collect(true, [this] { loop.stop(); });
    run_loop();
    return store->counts().images;
  };
  EXPECT_EQ(images_left(), 1u) << "the container holds it";
  runtime->destroy("lives");
  while (!ends.contains("lives")) run_loop();
  EXPECT_EQ(images_left(), 0u);
}

TEST_P(NativeImages, a_container_destroyed_during_the_pull_leaves_nothing) {
  registry.hold_layers = true;
  Result<Started> result = Started{1};
  runtime->launch(spec("a", "true"), [&](Result<Started> started) {
    result = std::move(started);
    loop.stop();
  });
  loop.after(base::milliseconds(200), [this] { runtime->destroy("a"); });
  run_loop();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "destroyed during the launch");
  EXPECT_FALSE(base::exists(top / "run/a"));
}

TEST_P(NativeImages, says_why_an_image_cannot_be_used) {
  ContainerSpec wanted = spec("a", "true");
  wanted.container->mutable_docker()->set_image(registry.host() + "/none");
  EXPECT_EQ(run(std::move(wanted)),
            "failed: Failed to pull: image '" + registry.host() + "/none:latest': http://" +
                registry.host() +
                ": the registry answered 404 Not Found (MANIFEST_UNKNOWN: manifest unknown)");
  image.config = R"({"Entrypoint":["/no/such/program"]})";
  EXPECT_EQ(run(spec("b", "")), "failed: cannot run '/no/such/program': No such file or directory");
}

TEST_P(NativeImages, the_kernels_files_are_where_they_belong_or_nothing_runs) {
  for (const char* name : {"proc", "sys", "dev"}) {
    image.layers = {busybox_layer(), TarWriter().symlink(name, "tmp").directory("tmp").finish()};
    EXPECT_EQ(
        run_docker("echo ran"),
        std::string("failed: the image has no directory but something else at '") + name + "'");
  }
  image.layers = {busybox_layer()};
  // What the first process has open of the machine's can be counted, not used.
  EXPECT_EQ(run_docker("for fd in $(ls /proc/1/fd); do ls /proc/1/fd/$fd/ 2>/dev/null; cat "
                       "/proc/1/fd/$fd 2>/dev/null; done; ls /proc/1/root/"),
            "ls: /proc/1/root/: Permission denied\n");
  for (const char* target : {"/", "/./", "/proc", "//proc/self", "/./proc/x"}) {
    ContainerSpec wanted = spec("v" + std::to_string(++number), "true");
    auto* volume = wanted.container->add_volumes();
    volume->set_host_path(top.path());
    volume->set_container_path(target);
    volume->set_mode(mesos::v1::Volume::RW);
    EXPECT_NE(run(std::move(wanted)).find("nothing can be mounted there"), std::string::npos)
        << target;
  }
}

TEST_P(NativeImages, leaves_no_files_behind) {
  EXPECT_EQ(run_docker("mkdir -p /a/b; touch /a/b/c"), "");
  const auto guard = loop.every(base::milliseconds(5), [this] {
    if (!base::exists(top / "run.trash") && base::list_directory(top / "run")->empty()) loop.stop();
  });
  run_loop();
  loop.cancel(guard);
}

INSTANTIATE_TEST_SUITE_P(Backend, NativeImages,
                         ::testing::Values(images::Backend::Overlay, images::Backend::Copy),
                         [](const auto& backend) {
                           return backend.param == images::Backend::Overlay ? std::string("overlay")
                                                                            : std::string("copy");
                         });

}  // namespace
}  // namespace containerizer
