#include "kernel/executor/check_state.hpp"

#include <gtest/gtest.h>

namespace executor {
namespace {

using mesos::v1::CheckInfo;
using mesos::v1::HealthCheck;

HealthCheck make_health(uint32_t failures, double grace) {
  HealthCheck info;
  info.set_type(HealthCheck::HTTP);
  info.mutable_http()->set_port(80);
  info.set_consecutive_failures(failures);
  info.set_grace_period_seconds(grace);
  return info;
}

ProbeResult http(int status) {
  ProbeResult result;
  result.http_status = status;
  return result;
}

ProbeResult nothing() {
  ProbeResult result;
  result.message = "timed out";
  return result;
}

TEST(HealthChecks, report_the_first_success_and_stay_silent_while_nothing_changes) {
  HealthState state(make_health(3, 10));
  EXPECT_TRUE(state.took_result(http(200), base::seconds(1)).report);
  EXPECT_FALSE(state.took_result(http(302), base::seconds(2)).report);
  EXPECT_EQ(state.healthy(), true);
}

TEST(HealthChecks, ignore_failures_in_the_grace_period_until_the_first_success) {
  HealthState state(make_health(1, 10));
  EXPECT_FALSE(state.took_result(nothing(), base::seconds(9)).report);
  EXPECT_EQ(state.healthy(), std::nullopt);
  EXPECT_TRUE(state.took_result(nothing(), base::seconds(10)).kill);

  HealthState succeeded(make_health(1, 10));
  succeeded.took_result(http(200), base::seconds(1));
  EXPECT_TRUE(succeeded.took_result(http(500), base::seconds(2)).kill);
}

TEST(HealthChecks, report_every_failure_and_kill_at_the_limit) {
  HealthState state(make_health(3, 0));
  for (int i = 0; i < 2; ++i) {
    const auto verdict = state.took_result(http(500), base::seconds(1));
    EXPECT_TRUE(verdict.report);
    EXPECT_FALSE(verdict.kill);
    EXPECT_EQ(verdict.message, "Health check got HTTP status 500");
  }
  EXPECT_TRUE(state.took_result(http(500), base::seconds(1)).kill);
}

TEST(HealthChecks, count_failures_in_a_row_only) {
  HealthState state(make_health(2, 0));
  state.took_result(http(500), base::seconds(1));
  EXPECT_TRUE(state.took_result(http(200), base::seconds(1)).report);
  EXPECT_FALSE(state.took_result(http(500), base::seconds(1)).kill);
}

TEST(HealthChecks, accept_only_the_named_statuses_when_there_are_some) {
  HealthCheck info = make_health(1, 0);
  info.mutable_http()->add_statuses(418);
  HealthState state(info);
  EXPECT_TRUE(state.took_result(http(200), base::seconds(1)).kill);
  EXPECT_FALSE(state.took_result(http(418), base::seconds(1)).kill);
}

TEST(Checks, report_changes_only_and_empty_results_when_nothing_was_found) {
  CheckInfo info;
  info.set_type(CheckInfo::COMMAND);
  CheckState state(info);
  EXPECT_TRUE(state.status().has_command());
  EXPECT_FALSE(state.status().command().has_exit_code());
  ProbeResult one;
  one.exit_code = 1;
  EXPECT_TRUE(state.took_result(one));
  EXPECT_FALSE(state.took_result(one));
  EXPECT_EQ(state.status().command().exit_code(), 1);
  EXPECT_TRUE(state.took_result(nothing()));
  EXPECT_FALSE(state.status().command().has_exit_code());
}

TEST(Checks, take_huge_and_strange_durations_as_a_long_time_or_none) {
  EXPECT_EQ(from_seconds(-1), base::Duration::zero());
  EXPECT_EQ(from_seconds(1.5), base::milliseconds(1500));
  EXPECT_GT(from_seconds(1e300), base::hours(24 * 365));
}

}  // namespace
}  // namespace executor
