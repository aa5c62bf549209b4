#include "kernel/api/names.hpp"

#include <gtest/gtest.h>

#include "kernel/api/mesos/v1/master/master.pb.h"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"

namespace api {
namespace {

using namespace mesos::v1;

TEST(TaskStates, are_terminal_or_not) {
  const std::set<TaskState> terminal{
      TASK_FINISHED, TASK_FAILED,  TASK_KILLED, TASK_ERROR,
      TASK_LOST,     TASK_DROPPED, TASK_GONE,   TASK_GONE_BY_OPERATOR};
  for (int number = TaskState_MIN; number <= TaskState_MAX; ++number) {
    const auto state = static_cast<TaskState>(number);
    EXPECT_EQ(is_terminal(state), terminal.contains(state)) << TaskState_Name(state);
    EXPECT_EQ(frees_resources(state), terminal.contains(state) || state == TASK_UNREACHABLE)
        << TaskState_Name(state);
  }
}

TEST(TaskStates, are_lost_to_frameworks_that_do_not_know_partitions) {
  for (const TaskState state :
       {TASK_DROPPED, TASK_UNREACHABLE, TASK_GONE, TASK_GONE_BY_OPERATOR, TASK_UNKNOWN}) {
    EXPECT_EQ(visible_state(state, false), TASK_LOST);
    EXPECT_EQ(visible_state(state, true), state);
  }
  EXPECT_EQ(visible_state(TASK_RUNNING, false), TASK_RUNNING);
}

TEST(Capabilities, are_found) {
  FrameworkInfo info;
  info.add_capabilities()->set_type(FrameworkInfo::Capability::PARTITION_AWARE);
  EXPECT_TRUE(has_capability(info, FrameworkInfo::Capability::PARTITION_AWARE));
  EXPECT_FALSE(has_capability(info, FrameworkInfo::Capability::MULTI_ROLE));
}

TEST(V0Names, say_slave) {
  EXPECT_EQ(v0_name(TaskStatus::SOURCE_AGENT), "SOURCE_SLAVE");
  EXPECT_EQ(v0_name(TaskStatus::SOURCE_MASTER), "SOURCE_MASTER");
  EXPECT_EQ(v0_name(TaskStatus::REASON_AGENT_REMOVED_BY_OPERATOR),
            "REASON_SLAVE_REMOVED_BY_OPERATOR");
  TaskStatus status;
  status.mutable_task_id()->set_value("t");
  status.set_state(TASK_LOST);
  status.mutable_agent_id()->set_value("S0");
  status.set_source(TaskStatus::SOURCE_AGENT);
  status.set_reason(TaskStatus::REASON_AGENT_REMOVED);
  EXPECT_EQ(
      base::json::proto_to_json(status, v0_dialect()),
      R"({"task_id":{"value":"t"},"state":"TASK_LOST","source":"SOURCE_SLAVE","reason":"REASON_SLAVE_REMOVED",)"
      R"("slave_id":{"value":"S0"}})");
  TaskStatus back;
  ASSERT_TRUE(base::json::proto_from_json(base::json::proto_to_json(status, v0_dialect()), back,
                                          v0_dialect()));
  EXPECT_EQ(back.SerializeAsString(), status.SerializeAsString());
}

TEST(V1Json, shows_empty_lists_of_the_masters_state) {
  mesos::v1::master::Response response;
  response.set_type(mesos::v1::master::Response::GET_TASKS);
  response.mutable_get_tasks();
  EXPECT_EQ(
      base::json::proto_to_json(response, v1_dialect()),
      R"({"type":"GET_TASKS","get_tasks":{"tasks":[],"unreachable_tasks":[],"completed_tasks":[]}})");
  response.Clear();
  response.set_type(mesos::v1::master::Response::GET_WEIGHTS);
  response.mutable_get_weights();
  EXPECT_EQ(base::json::proto_to_json(response, v1_dialect()),
            R"({"type":"GET_WEIGHTS","get_weights":{}})");
}

TEST(V1Json, shows_defaults_of_a_framework) {
  FrameworkInfo info;
  info.set_user("root");
  info.set_name("n");
  EXPECT_EQ(base::json::proto_to_json(info, v1_dialect()),
            R"({"user":"root","name":"n","failover_timeout":0.0,"checkpoint":false})");
}

TEST(Ids, follow_the_rules) {
  for (const char* good : {"a", "task-1", "a.b", "...", "with blank", "\xc3\xa9"}) {
    EXPECT_TRUE(validate_id(good)) << good;
  }
  EXPECT_EQ(validate_id("").error().message, "ID must not be empty");
  EXPECT_EQ(validate_id("..").error().message, "'..' is disallowed");
  EXPECT_EQ(validate_id("a/b").error().message, "'a/b' contains invalid characters");
  for (const std::string_view bad : {"a\\b", "a\nb", "\x7f", "../x"})
    EXPECT_FALSE(validate_id(bad)) << bad;
  EXPECT_FALSE(validate_id(std::string_view("a\0b", 3)));
  EXPECT_TRUE(validate_id(std::string(255, 'x')));
  EXPECT_EQ(validate_id(std::string(256, 'x')).error().message,
            "ID must not be greater than 255 characters");
}

TEST(Ids, of_containers_hold_no_period_at_any_level) {
  ContainerID id;
  id.set_value("child");
  id.mutable_parent()->set_value("parent");
  EXPECT_TRUE(validate_container_id(id));
  id.mutable_parent()->set_value("a.b");
  EXPECT_FALSE(validate_container_id(id));
  id.mutable_parent()->set_value(std::string(243, 'x'));
  EXPECT_FALSE(validate_container_id(id));
}

TEST(Roles, follow_the_rules) {
  for (const char* good : {"*", "a", "a/b", "a-b", "a*", "..a"})
    EXPECT_TRUE(validate_role(good)) << good;
  for (const char* bad :
       {"", "/a", "a/", "a//b", "a/*", ".", "a/..", "-a", "a/-b", "a b", "a\tb"}) {
    EXPECT_FALSE(validate_role(bad)) << bad;
  }
  EXPECT_EQ(validate_role("/a").error().message, "Role '/a' cannot start with a slash");
}

}  // namespace
}  // namespace api
