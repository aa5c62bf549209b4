// The container runtime on this machine, without an agent: with cgroups and namespaces as root, without both otherwise.

#include "kernel/containerizer/native.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "base/file.hpp"
#include "base/http/server.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/audit.hpp"
#include "kernel/containerizer/testing/containers.hpp"

namespace containerizer {
namespace {

/// A descriptor that fork and exec would hand on.
int open_inheritable() { return open("/dev/null", O_RDONLY); }

/// Processes whose working directory is below `path`.
int processes_below(const std::string& path) {
  int count = 0;
  for (const auto& pid : base::list_directory("/proc").value_or({})) {
    char directory[4096];
    const ssize_t length = readlink(("/proc/" + pid + "/cwd").c_str(), directory, sizeof directory);
    if (length > 0 && std::string_view(directory, static_cast<size_t>(length)).starts_with(path)) ++count;
  }
  return count;
}

/// Runs every test in both ways that this user may.
class Native : public Containers, public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam() && geteuid() != 0) GTEST_SKIP() << "needs root for namespaces and cgroups";
    char name[] = "/tmp/dcos-native-test-XXXXXX";
    top = mkdtemp(name);
    chmod(top.c_str(), 0755);
    root = "dcos-test-" + top.substr(top.rfind('-') + 1);
    if (GetParam())
      if (auto opened = cgroups::open_cgroups("/sys/fs/cgroup", root)) groups = std::move(*opened);
    open();
  }

  void TearDown() override {
    runtime.reset();
    if (groups) {
      EXPECT_TRUE(groups->list().empty());
      groups->remove_root();
    }
    if (!top.empty()) (void)base::remove_tree(top);
  }

  void open() {
    runtime.reset();
    NativeOptions options;
    options.runtime_directory = top + "/run";
    options.isolated = options.switch_user = GetParam();
    options.resolv_conf = resolv_conf;
    options.logs = logs;
    start(std::move(options), groups);
  }

  ContainerSpec spec(const std::string& id, const std::string& command) {
    ContainerSpec out;
    out.id = id;
    out.sandbox = top + "/" + id;
    out.command.set_value(command);
    out.limits.cpus = 1;
    out.limits.memory = 64 << 20;
    return out;
  }

  std::string output(const std::string& id) { return base::read_file(top + "/" + id + "/stdout").value_or("?"); }

  std::string resolv_conf;
  LogRules logs;
  std::string top, root;
  std::shared_ptr<cgroups::Cgroups> groups;
};

TEST_P(Native, runs_a_command_in_its_sandbox) {
  ASSERT_TRUE(launch(spec("a", "pwd; exit 5")));
  EXPECT_EQ(wait_end("a").status, 5 << 8);
  EXPECT_EQ(output("a"), top + "/a\n");
}

TEST_P(Native, an_audit_counts_what_recovery_would_end) {
  ASSERT_TRUE(launch(spec("a", "sleep 1000")));
  AuditScope scope;
  scope.work_directory = top;
  scope.options.runtime_directory = top + "/run";
  scope.groups = groups.get();
  const auto words = [&](const std::vector<KnownContainer>& known) {
    std::set<std::string> out;
    for (const auto& finding : audit(scope, known)) out.insert((finding.missing ? "missing " : "") + finding.kind);
    return base::join({out.begin(), out.end()}, ", ");
  };
  ContainerSpec known = spec("a", "");
  EXPECT_EQ(words({{known, true}}), "");
  EXPECT_EQ(words({}), groups ? "cgroup, container, process" : "container, process");
  ContainerSpec other = spec("b", "");
  EXPECT_EQ(words({{known, true}, {other, true}}), "missing container");
  runtime.reset();
  open();
  bool recovered = false;
  runtime->recover({}, [&](auto running) {
    EXPECT_TRUE(running.empty());
    recovered = true;
    loop.stop();
  });
  run_loop();
  EXPECT_TRUE(recovered);
  EXPECT_EQ(words({}), "");
}

TEST_P(Native, hands_nothing_of_the_agent_on) {
  setenv("LEAK", "1", 1);
  const base::Fd leaked(open_inheritable());
  ASSERT_TRUE(launch(spec("a", "env | cut -d= -f1 | sort; ls /proc/self/fd | wc -l; cat /proc/self/status | grep SigBlk")));
  wait_end("a");
  EXPECT_EQ(output("a"), "PATH\nPWD\n4\nSigBlk:\t0000000000000000\n");
  unsetenv("LEAK");
}

TEST_P(Native, mounts_persistent_volumes_that_outlive_the_container) {
  const std::string data = top + "/volumes/roles/web/v#data#1";
  ContainerSpec first = spec("a", "echo kept > data/file");
  first.volumes.push_back({data, "data"});
  if (!GetParam()) {
    const auto refused = launch(std::move(first));
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("volumes need an agent that runs as root"), std::string::npos);
    return;
  }
  // An empty directory in its place would hide that the data is lost.
  const auto lost = launch(first);
  ASSERT_FALSE(lost);
  EXPECT_NE(lost.error().message.find("the persistent volume's directory"), std::string::npos) << lost.error().message;
  ASSERT_TRUE(base::make_directories(data));
  ASSERT_TRUE(launch(first));
  EXPECT_EQ(wait_end("a").status, 0);
  EXPECT_EQ(base::read_file(data + "/file").value_or(""), "kept\n");
  // The sandbox itself holds an empty mount point: removing it does not reach the data.
  ASSERT_TRUE(base::remove_tree(top + "/a"));
  ContainerSpec second = spec("b", "cat other/file; echo x > other/file");
  second.volumes.push_back({data, "other", /*read_only=*/true});
  ASSERT_TRUE(launch(second));
  EXPECT_NE(wait_end("b").status, 0);
  EXPECT_EQ(output("b"), "kept\n");
  EXPECT_EQ(base::read_file(data + "/file").value_or(""), "kept\n");
}

TEST_P(Native, gives_a_running_container_more_volumes) {
  const auto add = [this](const std::string& source, const std::string& path, bool read_only = false) {
    Status out;
    runtime->add_volumes("a", {{source, path, read_only, false, source}}, [&](Status status) {
      out = std::move(status);
      loop.stop();
    });
    loop.run();
    return out ? "" : out.error().message;
  };
  const std::string data = top + "/data", other = top + "/other";
  ASSERT_TRUE(base::make_directories(data) && base::make_directories(other));
  ASSERT_TRUE(base::write_file(other + "/file", "other\n", 0644));
  ASSERT_TRUE(launch(spec("a", "touch ready; until [ -e more/data/go ]; do sleep 0.02; done; echo kept > more/data/file;"
                               "cat ro/file; echo x > ro/file || echo refused; ln -s /etc out")));
  if (!GetParam()) {
    EXPECT_NE(add(data, "more").find("volumes need an agent that runs as root"), std::string::npos);
    runtime->destroy("a");
    wait_end("a");
    return;
  }
  EXPECT_EQ(add(data, "more/data"), "");
  EXPECT_EQ(add(data, "more/data"), "") << "again changes nothing";
  EXPECT_EQ(add(other, "ro", true), "");
  EXPECT_NE(add(top + "/missing", "x").find("the persistent volume's directory"), std::string::npos);
  EXPECT_NE(add(data, "../x").find("relative paths only"), std::string::npos);
  EXPECT_NE(add(data, "/mnt").find("relative paths only"), std::string::npos);
  ASSERT_EQ(symlink("/etc", (top + "/a/link").c_str()), 0);
  EXPECT_NE(add(data, "link/x"), "") << "no link of the task's is followed";
  ASSERT_TRUE(base::write_file(data + "/go", "", 0644));
  EXPECT_EQ(wait_end("a").status, 0);
  EXPECT_EQ(base::read_file(data + "/file").value_or(""), "kept\n");
  EXPECT_EQ(output("a"), "other\nrefused\n");
  EXPECT_EQ(base::read_file("/proc/self/mounts").value().find(top), std::string::npos) << "nothing is mounted for the machine";
  EXPECT_FALSE(base::exists(top + "/a/more/data/file"));
}

TEST_P(Native, lets_the_kernel_end_those_first_that_take_more_memory_than_they_asked_for) {
  const auto score = [this](const std::string& id, std::optional<uint64_t> limit, bool executor = false) {
    ContainerSpec wanted = spec(id, "cat /proc/self/oom_score_adj");
    wanted.limits.memory_limit = limit;
    wanted.term_first_only = executor;
    EXPECT_TRUE(launch(std::move(wanted)));
    EXPECT_EQ(wait_end(id).status, 0);
    return std::atoi(output(id).c_str());
  };
  EXPECT_EQ(score("a", 64 << 20), 0) << "it gets what it asked for and no more";
  EXPECT_GT(score("b", 128 << 20), 0);
  EXPECT_GT(score("c", std::nullopt), 0);
  EXPECT_EQ(score("d", 128 << 20, true), 0) << "an executor of a framework's";
  EXPECT_EQ(cgroups::oom_score(uint64_t{1} << 30, uint64_t{4} << 30), 750);
  EXPECT_EQ(cgroups::oom_score(uint64_t{8} << 30, uint64_t{4} << 30), 0);
}

TEST_P(Native, gives_containers_a_resolv_conf_and_leaves_the_hosts_alone) {
  const auto hosts = base::read_file("/etc/resolv.conf");
  if (!hosts) GTEST_SKIP() << "this machine has no resolv.conf";
  resolv_conf = "nameserver 127.53.0.1\n";
  open();
  ASSERT_TRUE(launch(spec("a", "cat /etc/resolv.conf; grep -c ' /etc/resolv.conf .*ro[,\\ ]' /proc/self/mountinfo")));
  wait_end("a");
  // Without namespaces there is nothing that could be mounted for one container alone.
  if (GetParam()) {
    EXPECT_EQ(output("a"), "nameserver 127.53.0.1\n1\n");
  } else {
    EXPECT_TRUE(output("a").starts_with(*hosts));
  }
  EXPECT_EQ(base::read_file("/etc/resolv.conf").value(), *hosts);
}

TEST_P(Native, ends_everything_with_the_first_process) {
  ASSERT_TRUE(launch(spec("a", "(setsid sleep 1000 &) ; (setsid sh -c 'sleep 1000 & sleep 1000' &) ; sleep 0.1")));
  EXPECT_EQ(wait_end("a").status, 0);
  EXPECT_EQ(processes_below(top), 0);
}

TEST_P(Native, ends_everything_when_destroyed) {
  ASSERT_TRUE(launch(spec("a", "(setsid sleep 1000 &) ; trap '' TERM; while :; do sleep 1000; done")));
  runtime->destroy("a");
  EXPECT_EQ(wait_end("a").status, SIGKILL);
  EXPECT_EQ(processes_below(top), 0);
}

TEST_P(Native, sends_sigterm_to_the_whole_tree) {
  ASSERT_TRUE(launch(spec("a", "sh -c 'trap \"echo child; exit\" TERM; echo up; while :; do sleep 0.05; done' & "
                               "trap 'wait; exit 3' TERM; wait")));
  while (output("a") != "up\n") usleep(10'000);
  runtime->signal("a", SIGTERM);
  wait_end("a");
  EXPECT_EQ(output("a"), "up\nchild\n");
}

TEST_P(Native, says_what_could_not_be_run) {
  ContainerSpec wanted = spec("a", "/no/such/program");
  wanted.command.set_shell(false);
  const auto started = launch(wanted);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "cannot run '/no/such/program': No such file or directory");
  EXPECT_FALSE(base::exists(top + "/run/a"));
}

TEST_P(Native, finds_containers_again) {
  ASSERT_TRUE(launch(spec("a", "while [ ! -e go ]; do sleep 0.02; done; exit 4")));
  ASSERT_TRUE(launch(spec("b", "sleep 1000")));
  open();  // as after a restart
  size_t found = 0;
  runtime->recover({spec("a", ""), spec("never", "")}, [&](const auto& running) {
    found = running.size();
    loop.stop();
  });
  run_loop();
  EXPECT_EQ(found, 1U);
  EXPECT_EQ(wait_end("never").status, std::nullopt);
  EXPECT_EQ(processes_below(top + "/b"), 0) << "an unknown container was left";
  ASSERT_TRUE(base::write_file(top + "/a/go", ""));
  EXPECT_EQ(wait_end("a").status, 4 << 8);
}

TEST_P(Native, runs_commands_inside) {
  ContainerSpec wanted = spec("a", "sleep 1000");
  wanted.environment["WHO"] = "me";
  ASSERT_TRUE(launch(wanted));
  mesos::v1::CommandInfo probe;
  probe.set_value("test \"$WHO\" = me && exit 9");
  Result<int> status = base::internal("no answer");
  runtime->run_inside("a", probe, base::seconds(10), [&](Result<int> result) {
    status = std::move(result);
    loop.stop();
  });
  run_loop();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(*status, 9 << 8);
  probe.set_value("sleep 1000");
  runtime->run_inside("a", probe, base::milliseconds(50), [&](Result<int> result) {
    status = std::move(result);
    loop.stop();
  });
  run_loop();
  EXPECT_FALSE(status);
  runtime->destroy("a");
  wait_end("a");
}

TEST_P(Native, fetches_and_unpacks) {
  ASSERT_EQ(system(("cd " + top + " && echo inside > f && tar czf f.tar.gz f && gzip -k f && rm f").c_str()), 0);
  const std::string archive = base::read_file(top + "/f.tar.gz").value_or("");
  base::http::Server server(loop, {}, [&](base::http::Request request, base::http::Responder responder) {
    if (request.path != "/f.tar.gz") return responder.reply(base::http::Response::text(404, "no"));
    base::http::Response response;
    response.body = archive;
    responder.reply(std::move(response));
  });
  const std::string url = "http://127.0.0.1:" + std::to_string(server.listen("127.0.0.1", 0).value_or(0));
  ContainerSpec wanted = spec("a", "cat f; cat sub/raw; ls");
  wanted.command.add_uris()->set_value(url + "/f.tar.gz?token=1");
  auto* raw = wanted.command.add_uris();
  raw->set_value(top + "/f.gz");
  raw->set_output_file("sub/raw.gz");
  ASSERT_TRUE(launch(wanted));
  wait_end("a");
  EXPECT_EQ(output("a"), "inside\ninside\nf\nf.tar.gz\nstderr\nstdout\nsub\n");

  ContainerSpec failing = spec("b", "true");
  failing.command.add_uris()->set_value(url + "/nothing");
  const auto started = launch(failing);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "Failed to fetch '" + url + "/nothing': the server answered 404 Not Found");
}

TEST_P(Native, turns_output_files_over_also_while_there_is_no_agent) {
  logs.on = true;
  logs.output = logs.error = {8192, 2};
  open();
  ContainerSpec wanted = spec("a", "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; "
                                   "[ $i = 100 ] && while [ ! -e go ]; do sleep 0.01; done; done; echo end >&2");
  if (GetParam()) wanted.user = "nobody";
  ASSERT_TRUE(launch(wanted));
  while (output("a").find("line 100\n") == std::string::npos) usleep(10'000);
  runtime.reset();  // as when the agent is killed
  ASSERT_TRUE(base::write_file(top + "/a/go", ""));
  while (base::read_file(top + "/a/stderr").value_or("") != "end\n") usleep(10'000);
  open();
  runtime->recover({wanted}, [](auto) {});
  EXPECT_EQ(wait_end("a").status, 0);
  std::string all;
  for (const char* name : {"/a/stdout.2", "/a/stdout.1", "/a/stdout"}) {
    const std::string text = base::read_file(top + name).value_or("");
    EXPECT_LE(text.size(), 8192u);
    EXPECT_TRUE(text.starts_with("line ")) << name;
    all += text;
    struct stat info;
    EXPECT_EQ(stat((top + name).c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, GetParam() ? launch::find_user("nobody")->uid : geteuid());
  }
  std::string expected;
  for (int i = 1; i <= 3000; ++i) expected += "line " + std::to_string(i) + "\n";
  EXPECT_TRUE(expected.ends_with(all));
  EXPECT_GT(all.size(), 16'000u);
  EXPECT_FALSE(base::exists(top + "/a/stdout.3"));
}

TEST_P(Native, programs_may_open_their_output_again) {
  logs.on = true;
  logs.output = {1 << 20, 2};
  open();
  ContainerSpec wanted = spec("a", "echo one; echo two > /dev/stdout");
  if (GetParam()) wanted.user = "nobody";
  ASSERT_TRUE(launch(wanted));
  EXPECT_EQ(wait_end("a").status, 0);
  EXPECT_EQ(output("a"), "one\ntwo\n");
}

TEST_P(Native, mounts_volumes_read_only) {
  if (!GetParam()) GTEST_SKIP() << "needs mount namespaces";
  ASSERT_TRUE(base::make_directories(top + "/data"));
  ASSERT_TRUE(base::write_file(top + "/data/file", "content\n"));
  ContainerSpec wanted = spec("a", "cat vol/file; touch vol/new 2>/dev/null || echo refused");
  auto* volume = wanted.container.emplace().add_volumes();
  wanted.container->set_type(mesos::v1::ContainerInfo::MESOS);
  volume->set_host_path(top + "/data");
  volume->set_container_path("vol");
  volume->set_mode(mesos::v1::Volume::RO);
  ASSERT_TRUE(launch(wanted));
  wait_end("a");
  EXPECT_EQ(output("a"), "content\nrefused\n");
}

TEST_P(Native, switches_to_the_tasks_user) {
  if (!GetParam()) GTEST_SKIP() << "needs root";
  ContainerSpec wanted = spec("a", "id -un; touch mine && stat -c %U mine stdout .");
  wanted.user = "nobody";
  ASSERT_TRUE(launch(wanted));
  wait_end("a");
  EXPECT_EQ(output("a"), "nobody\nnobody\nnobody\nnobody\n");
  wanted = spec("b", "true");
  wanted.user = "no-such-user";
  const auto started = launch(wanted);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "No such user 'no-such-user'");
}

INSTANTIATE_TEST_SUITE_P(Runtime, Native, ::testing::Values(true, false), [](const auto& kind) {
  return kind.param ? std::string("isolated") : std::string("plain");
});

}  // namespace
}  // namespace containerizer
