#include "base/log_level.hpp"

#include <gtest/gtest.h>

namespace base {
namespace {

class LogLevelTest : public ::testing::Test {
 protected:
  LogLevelTest() { log::set_level(log::Level::Info); }
  ~LogLevelTest() override { log::set_level(before_); }

  log::Level before_ = log::level();
  Loop loop_;
};

TEST_F(LogLevelTest, goes_back_after_its_time) {
  LogLevel level(loop_);
  EXPECT_EQ(level.toggle({}, {}).value(), "0\n");
  EXPECT_EQ(level.toggle("3", "1hrs").value(), "");
  EXPECT_EQ(level.toggle({}, {}).value(), "1\n");
  EXPECT_EQ(level.toggle("1", "1ms").value(), "");  // replaces the hour
  const auto check = loop_.every(milliseconds(1), [&] {
    if (log::level() == log::Level::Info) loop_.stop();
  });
  loop_.run();
  loop_.cancel(check);
  EXPECT_EQ(level.verbosity(), 0);
}

TEST_F(LogLevelTest, goes_back_when_nobody_keeps_it) {
  { ASSERT_TRUE(LogLevel(loop_).set(1, hours(1))); }
  EXPECT_EQ(log::level(), log::Level::Info);
}

TEST_F(LogLevelTest, names_what_is_wrong) {
  struct Case {
    std::optional<std::string> level, duration;
    const char* words;
  };
  LogLevel level(loop_);
  const Case cases[] = {
      {"1", {}, "Expecting 'duration=value' in query."},
      {{}, "1secs", "Expecting 'level=value' in query."},
      {"x", "1secs", "'level'"},
      {"1", "soon", "'duration'"},
      {"-1", "1secs", "Invalid level '-1'."},
      {"1", "0secs", "must be positive"},
  };
  for (const Case& c : cases) {
    const auto answer = level.toggle(c.level, c.duration);
    ASSERT_FALSE(answer) << c.words;
    EXPECT_NE(answer.error().message.find(c.words), std::string::npos) << answer.error().message;
  }
  log::set_level(log::Level::Debug);
  LogLevel wordy(loop_);
  EXPECT_EQ(wordy.toggle("0", "1secs").error().message, "'0' < original level.\n");
}

}  // namespace
}  // namespace base
