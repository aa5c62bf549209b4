#include "base/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/testing/temporary_directory.hpp"

namespace base {
namespace {

using testing::TemporaryDirectory;

struct Outcome {
  int status = -1;
  std::string output;
};

/// Runs `argv` with its output in a file.
Outcome run(SpawnOptions options) {
  TemporaryDirectory directory;
  Loop loop;
  Fd out(::open((directory / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  options.stdout_fd = options.stderr_fd = out.get();
  Outcome outcome;
  auto pid = spawn(loop, options, [&](int status) {
    outcome.status = status;
    loop.stop();
  });
  EXPECT_TRUE(pid.has_value()) << pid.error().message;
  loop.run();
  outcome.output = read_file(directory / "out").value();
  return outcome;
}

TEST(Processes, report_their_exit_code_and_output) {
  SpawnOptions options;
  options.argv = {"sh", "-c", "echo hello; echo bad >&2; exit 3"};
  Outcome outcome = run(options);
  EXPECT_EQ(WEXITSTATUS(outcome.status), 3);
  EXPECT_EQ(outcome.output, "hello\nbad\n");
}

TEST(Processes, report_the_signal_that_ended_them) {
  SpawnOptions options;
  options.argv = {"sh", "-c", "kill -9 $$"};
  Outcome outcome = run(options);
  EXPECT_TRUE(WIFSIGNALED(outcome.status));
  EXPECT_EQ(WTERMSIG(outcome.status), SIGKILL);
}

TEST(Processes, get_the_environment_directory_and_session_they_are_given) {
  SpawnOptions options;
  options.argv = {
      "/bin/sh", "-c",
      "echo $A-$HOME; pwd; read -r _ _ _ _ _ sid _ < /proc/self/stat; test $sid = $$ && echo own"};
  options.environment = std::map<std::string, std::string>{{"A", "1"}};
  options.directory = "/usr";
  EXPECT_EQ(run(options).output, "1-\n/usr\nown\n");
}

TEST(Processes, inherit_no_descriptor_but_the_kept_ones) {
  Fd leaked(::open("/dev/null", O_RDONLY));  // without CLOEXEC on purpose
  Fd kept(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  SpawnOptions options;
  options.argv = {"/bin/ls", "/proc/self/fd"};
  options.keep_fds = {kept.get()};
  std::string expected = "0\n1\n2\n";
  // ls opens the directory under the lowest free number.
  for (int fd = 3, opened = 0; fd <= kept.get() || !opened; ++fd) {
    if (fd == kept.get()) {
      expected += std::to_string(fd) + "\n";
    } else if (!opened) {
      opened = 1;
      expected += std::to_string(fd) + "\n";
    }
  }
  EXPECT_EQ(run(options).output, expected);
}

TEST(Processes, start_with_default_signal_handling) {
  SpawnOptions options;
  options.argv = {"/bin/sh", "-c", "grep -E 'Sig(Ign|Blk)' /proc/self/status"};
  EXPECT_EQ(run(options).output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST(Processes, that_cannot_start_say_why) {
  Loop loop;
  SpawnOptions options;
  options.argv = {"/no/such/program"};
  auto missing = spawn(loop, options, nullptr);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::NotFound);
  options.argv = {"no-such-program-anywhere"};
  EXPECT_EQ(spawn(loop, options, nullptr).error().code, Code::NotFound);
  options.argv = {"/bin/true"};
  options.directory = "/no/such/directory";
  auto lost = spawn(loop, options, nullptr);
  ASSERT_FALSE(lost);
  EXPECT_NE(lost.error().message.find("chdir"), std::string::npos);
  EXPECT_LT(::waitpid(-1, nullptr, WNOHANG), 0) << "a child was left behind";
}

TEST(Processes, that_are_not_children_are_watched_to_their_end) {
  Loop loop;
  TemporaryDirectory directory;
  SpawnOptions options;
  // The grandchild lives on after its parent.
  options.argv = {"/bin/sh", "-c", "sleep 60 & echo $! > " + (directory / "pid")};
  pid_t grandchild = 0;
  bool ended = false;
  ASSERT_TRUE(spawn(loop, options, [&](int) {
    grandchild = static_cast<pid_t>(std::stol(read_file(directory / "pid").value()));
    ASSERT_TRUE(watch_exit(loop, grandchild, [&] {
      ended = true;
      loop.stop();
    }));
    ::kill(grandchild, SIGKILL);
  }));
  loop.run();
  EXPECT_TRUE(ended);
  EXPECT_FALSE(watch_exit(loop, 0x3ffffff, [] {}));
}

TEST(Processes, are_no_longer_watched_after_unwatch) {
  Loop loop;
  SpawnOptions options;
  options.argv = {"/bin/sleep", "60"};
  bool called = false;
  auto pid = spawn(loop, options, [&](int) { loop.after(milliseconds(1), [&] { loop.stop(); }); });
  ASSERT_TRUE(pid);
  auto watch = watch_exit(loop, *pid, [&] { called = true; });
  ASSERT_TRUE(watch);
  unwatch_exit(*watch);
  unwatch_exit(*watch);
  ::kill(*pid, SIGKILL);
  loop.run();
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace base
