// Shapes of calls, and numbers that JSON cannot carry. The rules of operations, tasks and frameworks are in
// testdata/validation.table.

#include "kernel/master/validation.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "kernel/master/testing.hpp"
#include "kernel/resources/parse.hpp"
#include "kernel/resources/proto.hpp"

namespace {

using mesos::v1::CheckInfo;
using mesos::v1::HealthCheck;
using SchedulerCall = mesos::v1::scheduler::Call;

TEST(Numbers, that_only_protobuf_can_carry_are_refused) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  HealthCheck health;
  health.set_type(HealthCheck::TCP);
  health.mutable_tcp()->set_port(1);
  health.set_grace_period_seconds(nan);
  EXPECT_EQ(master::validate_health_check(health), "Expecting 'grace_period_seconds' to be non-negative");
  CheckInfo check;
  check.set_type(CheckInfo::TCP);
  check.mutable_tcp()->set_port(1);
  check.set_timeout_seconds(nan);
  EXPECT_EQ(master::validate_check(check), "Expecting 'timeout_seconds' to be non-negative");
  mesos::v1::FrameworkInfo framework;
  framework.set_failover_timeout(nan);
  EXPECT_EQ(master::validate_framework_info(framework), "The framework failover_timeout (nan) is invalid");
  framework.clear_failover_timeout();
  auto& quantities = *(*framework.mutable_offer_filters())["*"].mutable_min_allocatable_resources()->add_quantities();
  (*quantities.mutable_quantities())["cpus"].set_value(nan);
  EXPECT_EQ(master::validate_framework_info(framework), "Invalid resource quantity for 'cpus': NaN not supported");
  resources::ProtoResources list;
  auto& cpus = *list.Add();
  cpus.set_name("cpus");
  cpus.set_type(mesos::v1::Value::SCALAR);
  cpus.mutable_scalar()->set_value(nan);
  EXPECT_NE(master::validate_resources(list).value_or("").find("value is not a finite number"), std::string::npos);
}

TEST(Subscriptions, of_root_are_refused_without_root_submissions) {
  master::Policy policy;
  policy.root_submissions = false;
  master::testing::Conversation conversation(policy);
  conversation.command("recovered");
  conversation.take_effects();
  conversation.command("subscribe C1 user=root");
  EXPECT_EQ(conversation.take_effects(),
            "C1 <- ERROR \"User 'root' is not allowed to run frameworks without --root_submissions set\"\nC1 closed\n");
  conversation.command("subscribe C2 user=nobody");
  EXPECT_EQ(conversation.take_effects().rfind("C2 <- SUBSCRIBED", 0), 0U);
}

TEST(Calls, need_the_part_that_their_type_names) {
  for (const auto& [type, field] : {std::pair(SchedulerCall::ACCEPT, "accept"), std::pair(SchedulerCall::DECLINE, "decline"),
                                    std::pair(SchedulerCall::KILL, "kill"), std::pair(SchedulerCall::SHUTDOWN, "shutdown"),
                                    std::pair(SchedulerCall::ACKNOWLEDGE, "acknowledge"),
                                    std::pair(SchedulerCall::RECONCILE, "reconcile"),
                                    std::pair(SchedulerCall::MESSAGE, "message"), std::pair(SchedulerCall::REQUEST, "request"),
                                    std::pair(SchedulerCall::UPDATE_FRAMEWORK, "update_framework")}) {
    SchedulerCall call;
    call.set_type(type);
    EXPECT_EQ(master::validate_call(call, ""), "Expecting 'framework_id' to be present");
    call.mutable_framework_id()->set_value("F");
    EXPECT_EQ(master::validate_call(call, ""), "Expecting '" + std::string(field) + "' to be present");
  }
  for (const auto type : {SchedulerCall::TEARDOWN, SchedulerCall::REVIVE, SchedulerCall::SUPPRESS}) {
    SchedulerCall call;
    call.set_type(type);
    call.mutable_framework_id()->set_value("F");
    EXPECT_EQ(master::validate_call(call, ""), std::nullopt);
  }
}

TEST(Uuids, are_sixteen_bytes_with_a_known_version) {
  EXPECT_FALSE(master::is_uuid(""));
  EXPECT_FALSE(master::is_uuid(std::string(16, '\0')));
  EXPECT_TRUE(master::is_uuid(base::Random(1).uuid_bytes()));
  EXPECT_FALSE(master::is_uuid(base::Random(1).uuid_bytes() + "x"));
}

}  // namespace
