// Output files as they grow, are turned over, and end.

#include "kernel/agent/output_follower.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/testing/temporary_directory.hpp"

namespace agent {
namespace {

class Following : public ::testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    process = base::Fd(ends[1]);  // closed: the container has ended
    write("stdout", "before\n");
    auto begun = OutputFollower::begin(
        loop, {directory.path(), base::Fd(ends[0])},
        [this](bool error_output, std::string_view data) {
          (error_output ? error : output) += data;
          loop.stop();
        },
        [this] {
          ended = true;
          loop.stop();
        });
    ASSERT_TRUE(begun);
    follower = std::move(*begun);
  }

  void write(const std::string& name, const std::string& text, int flags = O_APPEND) {
    const base::Fd file(::open((directory.path() + "/" + name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644));
    ASSERT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  template <class Condition>
  void run_until(Condition condition) {
    const auto guard = loop.after(base::seconds(30), [this] { loop.stop(1); });
    while (!condition())
      if (loop.run() != 0) {
        ADD_FAILURE() << "nothing happened: " << output;
        break;
      }
    loop.cancel(guard);
  }

  base::testing::TemporaryDirectory directory;
  base::Loop loop;
  base::Fd process;
  std::unique_ptr<OutputFollower> follower;
  std::string output, error;
  bool ended = false;
};

TEST_F(Following, tells_what_is_printed_from_then_on_in_both_files_until_the_end) {
  write("stdout", "one\n");
  run_until([this] { return output == "one\n"; });
  write("stderr", "two\n");  // there was none yet
  write("stdout", "three\n");
  run_until([this] { return output == "one\nthree\n" && error == "two\n"; });
  write("stderr", "last\n");
  process = {};
  run_until([this] { return ended; });
  EXPECT_EQ(output, "one\nthree\n");
  EXPECT_EQ(error, "two\nlast\n");
}

TEST_F(Following, goes_on_in_the_next_file_when_one_is_turned_over_or_emptied) {
  write("stdout", "one\n");
  const std::string path = directory.path() + "/stdout";
  ASSERT_EQ(rename(path.c_str(), (path + ".1").c_str()), 0);
  write("stdout.1", "two\n");
  run_until([this] { return output == "one\ntwo\n"; });
  write("stdout", "three\n");
  run_until([this] { return output == "one\ntwo\nthree\n"; });
  write("stdout", "x\n", O_TRUNC);
  run_until([this] { return output == "one\ntwo\nthree\nx\n"; });
}

TEST_F(Following, waits_while_paused_and_loses_nothing) {
  follower->pause(true);
  const std::string much(300'000, 'y');
  write("stdout", much);
  process = {};
  loop.after(base::milliseconds(50), [this] { loop.stop(); });
  loop.run();
  EXPECT_EQ(output, "");
  EXPECT_FALSE(ended);
  follower->pause(false);
  run_until([this] { return ended; });
  EXPECT_EQ(output, much);
}

TEST_F(Following, follows_no_link_of_the_tasks) {
  ASSERT_EQ(symlink("/etc/passwd", (directory.path() + "/stderr").c_str()), 0);
  write("stdout", "one\n");
  process = {};
  run_until([this] { return ended; });
  EXPECT_EQ(error, "");
  EXPECT_EQ(output, "one\n");
}

}  // namespace
}  // namespace agent
