// What agents and tasks may say about the size of output files.

#include "kernel/containerizer/log_limits.hpp"

#include <gtest/gtest.h>

namespace containerizer {
namespace {

LogRules rules_on() {
  LogRules rules;
  rules.on = true;
  rules.output = {10 << 20, 9};
  rules.error = {20 << 20, 1};
  return rules;
}

TEST(LogLimits, are_the_agents_unless_the_task_asks_for_others) {
  auto limits = log_limits(rules_on(), {{"PATH", "/bin"}});
  ASSERT_TRUE(limits);
  EXPECT_EQ(limits->first, (launch::LogLimit{10 << 20, 9}));
  EXPECT_EQ(limits->second, (launch::LogLimit{20 << 20, 1}));
  limits = log_limits(rules_on(), {{"CONTAINER_LOGGER_MAX_STDOUT_SIZE", "2MB"},
                                   {"CONTAINER_LOGGER_LOGROTATE_STDERR_OPTIONS", "compress\nrotate 3\n"}});
  ASSERT_TRUE(limits);
  EXPECT_EQ(limits->first, (launch::LogLimit{2 << 20, 9}));
  EXPECT_EQ(limits->second, (launch::LogLimit{20 << 20, 3}));
  limits = log_limits(LogRules(), {{"CONTAINER_LOGGER_MAX_STDOUT_SIZE", "2MB"}});
  ASSERT_TRUE(limits);
  EXPECT_EQ(limits->first, launch::LogLimit());
}

TEST(LogLimits, name_the_variable_or_parameter_that_is_wrong) {
  const auto bad = [](const std::string& name, const std::string& value) {
    const auto limits = log_limits(rules_on(), {{name, value}});
    return limits ? "" : limits.error().message;
  };
  EXPECT_NE(bad("CONTAINER_LOGGER_MAX_STDOUT_SIZE", "1KB").find("CONTAINER_LOGGER_MAX_STDOUT_SIZE"), std::string::npos);
  EXPECT_NE(bad("CONTAINER_LOGGER_MAX_STDERR_SIZE", "much"), "");
  EXPECT_NE(bad("CONTAINER_LOGGER_LOGROTATE_STDOUT_OPTIONS", "rotate many"), "");
  LogRules rules;
  EXPECT_TRUE(set_log_parameter(rules, "max_stdout_size", "5MB"));
  EXPECT_TRUE(set_log_parameter(rules, "logrotate_path", "/usr/sbin/logrotate"));
  EXPECT_EQ(rules.output.max_bytes, uint64_t{5} << 20);
  EXPECT_FALSE(set_log_parameter(rules, "max_size", "5MB"));
}

}  // namespace
}  // namespace containerizer
