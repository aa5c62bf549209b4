#include "base/spdlog_sink.hpp"

#include <gtest/gtest.h>

#include "base/log_line.hpp"

namespace base::log {
namespace {

TEST(SpdlogSink, writes_time_level_component_and_sentence) {
  ::testing::internal::CaptureStderr();
  use_spdlog();
  write(Level::Warning, "kernel/master", "agent {} is lost", fmt::make_format_args("a1"));
  std::string line = ::testing::internal::GetCapturedStderr();
  ASSERT_EQ(line.size(), std::string("2026-11-20T13:00:00.123Z W kernel/master agent a1 is lost\n").size()) << line;
  EXPECT_EQ(line.substr(4, 1), "-");
  EXPECT_EQ(line.substr(19, 1), ".");
  EXPECT_EQ(line.substr(23), "Z W kernel/master agent a1 is lost\n");
}

TEST(SpdlogSink, keeps_a_message_on_one_line) {
  EXPECT_EQ(render_line("a", "x\ny\x1b[31m\r\xc3\xa9"), "a x\\ny\\x1b[31m\\x0d\xc3\xa9");
}

}  // namespace
}  // namespace base::log
