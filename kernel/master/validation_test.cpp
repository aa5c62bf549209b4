// One row per rule: what is changed in something valid, and the sentence that comes back.

#include "kernel/master/validation.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "kernel/master/testing.hpp"
#include "kernel/resources/parse.hpp"
#include "kernel/resources/proto.hpp"

namespace {

using master::Refusal;
using mesos::v1::CheckInfo;
using mesos::v1::Environment;
using mesos::v1::HealthCheck;
using mesos::v1::TaskInfo;
using SchedulerCall = mesos::v1::scheduler::Call;

class TaskValidation : public ::testing::Test {
 protected:
  TaskValidation() {
    framework_.id = "F";
    framework_.info = std::make_shared<const mesos::v1::FrameworkInfo>();
    framework_.tasks["taken"] = std::make_unique<master::Task>();
    framework_.unreachable_tasks["away"] = std::make_unique<master::Task>();
    agent_.id = "A";
    google::protobuf::RepeatedPtrField<mesos::v1::AgentInfo::Capability> all;
    master::testing::add_all_capabilities(&all);
    agent_.capabilities = master::AgentCapabilities::of(all);
    available_ = resources::must_parse("cpus:4;mem:1024;disk:100;ports:[1-100]");
    available_.allocate(role_);
  }

  static void set_resources(const std::string& text, resources::ProtoResources* out) {
    out->Clear();
    resources::to_proto(resources::must_parse(text), resources::Format::Post, out);
  }

  static TaskInfo valid_task() {
    TaskInfo task;
    task.set_name("t");
    task.mutable_task_id()->set_value("t");
    task.mutable_agent_id()->set_value("A");
    task.mutable_command()->set_value("true");
    set_resources("cpus:1;mem:32", task.mutable_resources());
    return task;
  }

  static mesos::v1::ExecutorInfo valid_executor() {
    mesos::v1::ExecutorInfo executor;
    executor.mutable_executor_id()->set_value("e");
    executor.mutable_command()->set_value("run");
    set_resources("cpus:0.1;mem:32;disk:10", executor.mutable_resources());
    return executor;
  }

  Refusal check(const TaskInfo& task) {
    master::TaskNeeds needs;
    return master::validate_task(task, {framework_, agent_, role_, available_}, needs);
  }

  master::Framework framework_;
  master::Agent agent_;
  resources::Name role_{"*"};
  resources::Resources available_;
};

TEST_F(TaskValidation, says_what_is_wrong) {
  struct Row {
    const char* expected;  // empty: valid
    std::function<void(TaskInfo&)> change;
  };
  const Row rows[] = {
      {"", [](TaskInfo&) {}},
      {"ID must not be empty", [](TaskInfo& t) { t.mutable_task_id()->set_value(""); }},
      {"ID must not be greater than 255 characters", [](TaskInfo& t) { t.mutable_task_id()->set_value(std::string(256, 'x')); }},
      {"", [](TaskInfo& t) { t.mutable_task_id()->set_value(std::string(255, 'x')); }},
      {"'..' is disallowed", [](TaskInfo& t) { t.mutable_task_id()->set_value(".."); }},
      {"'a/b' contains invalid characters", [](TaskInfo& t) { t.mutable_task_id()->set_value("a/b"); }},
      {"'a\nb' contains invalid characters", [](TaskInfo& t) { t.mutable_task_id()->set_value("a\nb"); }},
      {"Task has duplicate ID: taken", [](TaskInfo& t) { t.mutable_task_id()->set_value("taken"); }},
      {"Task reuses the ID of an unreachable task: away", [](TaskInfo& t) { t.mutable_task_id()->set_value("away"); }},
      {"Task uses invalid agent B while agent A is expected", [](TaskInfo& t) { t.mutable_agent_id()->set_value("B"); }},
      {"Task's 'kill_policy.grace_period' must be non-negative",
       [](TaskInfo& t) { t.mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(-1); }},
      {"Task's `max_completion_time` must be non-negative",
       [](TaskInfo& t) { t.mutable_max_completion_time()->set_nanoseconds(-1); }},
      {"Task uses invalid check: CheckInfo must specify 'type'", [](TaskInfo& t) { t.mutable_check(); }},
      {"Task uses invalid health check: HealthCheck must specify 'type'", [](TaskInfo& t) { t.mutable_health_check(); }},
      {"Task uses no resources", [](TaskInfo& t) { t.clear_resources(); }},
      {"Task should have at least one (but not both) of CommandInfo or ExecutorInfo present",
       [](TaskInfo& t) { t.clear_command(); }},
      {"Task should have at least one (but not both) of CommandInfo or ExecutorInfo present",
       [](TaskInfo& t) { *t.mutable_executor() = valid_executor(); }},
      {"more than available", [](TaskInfo& t) { set_resources("cpus:5", t.mutable_resources()); }},
      {"Task uses invalid resources", [](TaskInfo& t) { t.mutable_resources(0)->mutable_scalar()->set_value(-1); }},
      {"Task uses invalid resources",
       [](TaskInfo& t) { t.mutable_resources(0)->mutable_scalar()->set_value(std::numeric_limits<double>::quiet_NaN()); }},
      {"The 'gpus' resource must be an unsigned integer",
       [](TaskInfo& t) { set_resources("gpus:0.5", t.mutable_resources()); }},
      {"multiple allocation roles",
       [](TaskInfo& t) { t.mutable_resources(0)->mutable_allocation_info()->set_role("other"); }},
      {"Only cpus and mem may be included in a task's resource limits",
       [](TaskInfo& t) { (*t.mutable_limits())["disk"].set_value(1); }},
      {"The cpu limit must be greater than or equal to the cpu request",
       [](TaskInfo& t) { (*t.mutable_limits())["cpus"].set_value(0.5); }},
      {"", [](TaskInfo& t) { (*t.mutable_limits())["mem"].set_value(std::numeric_limits<double>::infinity()); }},
      {"When a memory limit is specified, a memory request must also be specified",
       [](TaskInfo& t) {
         set_resources("cpus:1", t.mutable_resources());
         (*t.mutable_limits())["mem"].set_value(64);
       }},
      {"Only tasks in a task group may have 'share_cgroups' set to 'false'",
       [](TaskInfo& t) {
         t.mutable_container()->set_type(mesos::v1::ContainerInfo::MESOS);
         t.mutable_container()->mutable_linux_info()->set_share_cgroups(false);
       }},
      {"Task's `ContainerInfo` is invalid: DockerInfo 'docker' is not set for DOCKER typed ContainerInfo",
       [](TaskInfo& t) { t.mutable_container()->set_type(mesos::v1::ContainerInfo::DOCKER); }},
      {"Invalid volume: Only one of them should be set: 'host_path', 'image' and 'source'",
       [](TaskInfo& t) {
         t.mutable_container()->set_type(mesos::v1::ContainerInfo::MESOS);
         t.mutable_container()->add_volumes()->set_container_path("/x");
       }},
      {"Environment variable 'A' of type 'VALUE' must have a value set",
       [](TaskInfo& t) { t.mutable_command()->mutable_environment()->add_variables()->set_name("A"); }},
      {"Environment variable of type 'UNKNOWN' is not allowed",
       [](TaskInfo& t) {
         auto* variable = t.mutable_command()->mutable_environment()->add_variables();
         variable->set_name("A");
         variable->set_type(Environment::Variable::UNKNOWN);
       }},
  };
  for (const Row& row : rows) {
    TaskInfo task = valid_task();
    row.change(task);
    const Refusal why = check(task);
    if (*row.expected == 0) {
      EXPECT_FALSE(why.has_value()) << *why;
    } else {
      ASSERT_TRUE(why.has_value()) << row.expected;
      EXPECT_NE(why->find(row.expected), std::string::npos) << *why;
    }
  }
}

TEST_F(TaskValidation, says_what_is_wrong_with_an_executor) {
  using Change = std::function<void(mesos::v1::ExecutorInfo&)>;
  using mesos::v1::ExecutorInfo;
  const std::pair<const char*, Change> rows[] = {
      {"", [](ExecutorInfo&) {}},
      {"Executor ID is invalid", [](ExecutorInfo& e) { e.mutable_executor_id()->set_value("a/b"); }},
      {"'ExecutorInfo.command' must be set", [](ExecutorInfo& e) { e.clear_command(); }},
      {"'ExecutorInfo.type' must be 'CUSTOM'",
       [](ExecutorInfo& e) {
         e.clear_command();
         e.set_type(ExecutorInfo::DEFAULT);
       }},
      {"'ExecutorInfo.command' must not be set for 'DEFAULT' executor",
       [](ExecutorInfo& e) { e.set_type(ExecutorInfo::DEFAULT); }},
      {"ExecutorInfo has an invalid FrameworkID (Actual: G vs Expected: F)",
       [](ExecutorInfo& e) { e.mutable_framework_id()->set_value("G"); }},
      {"'shutdown_grace_period' must be non-negative",
       [](ExecutorInfo& e) { e.mutable_shutdown_grace_period()->set_nanoseconds(-1); }},
      {"Executor uses invalid resources", [](ExecutorInfo& e) { e.mutable_resources(0)->clear_scalar(); }},
      {"more than available", [](ExecutorInfo& e) { set_resources("cpus:4", e.mutable_resources()); }},
  };
  for (const auto& [expected, change] : rows) {
    TaskInfo task = valid_task();
    task.clear_command();
    *task.mutable_executor() = valid_executor();
    change(*task.mutable_executor());
    const Refusal why = check(task);
    if (*expected == 0) {
      EXPECT_FALSE(why.has_value()) << *why;
    } else {
      ASSERT_TRUE(why.has_value()) << expected;
      EXPECT_NE(why->find(expected), std::string::npos) << *why;
    }
  }
}

TEST(HealthChecks, say_what_is_wrong) {
  const std::pair<const char*, std::function<void(HealthCheck&)>> rows[] = {
      {"Expecting 'command' to be set for COMMAND health check", [](HealthCheck& h) { h.set_type(HealthCheck::COMMAND); }},
      {"Command health check must contain 'shell command'",
       [](HealthCheck& h) {
         h.set_type(HealthCheck::COMMAND);
         h.mutable_command();
       }},
      {"Expecting 'http' to be set for HTTP health check", [](HealthCheck& h) { h.set_type(HealthCheck::HTTP); }},
      {"Unsupported HTTP health check scheme: 'ftp'",
       [](HealthCheck& h) {
         h.set_type(HealthCheck::HTTP);
         h.mutable_http()->set_port(1);
         h.mutable_http()->set_scheme("ftp");
       }},
      {"must start with '/'",
       [](HealthCheck& h) {
         h.set_type(HealthCheck::HTTP);
         h.mutable_http()->set_port(1);
         h.mutable_http()->set_path("x");
       }},
      {"Expecting 'tcp' to be set for TCP health check", [](HealthCheck& h) { h.set_type(HealthCheck::TCP); }},
      {"'UNKNOWN' is not a valid health check type", [](HealthCheck& h) { h.set_type(HealthCheck::UNKNOWN); }},
      {"Expecting 'delay_seconds' to be non-negative",
       [](HealthCheck& h) {
         h.set_type(HealthCheck::TCP);
         h.mutable_tcp()->set_port(1);
         h.set_delay_seconds(-1);
       }},
      {"Expecting 'grace_period_seconds' to be non-negative",
       [](HealthCheck& h) {
         h.set_type(HealthCheck::TCP);
         h.mutable_tcp()->set_port(1);
         h.set_grace_period_seconds(std::numeric_limits<double>::quiet_NaN());
       }},
  };
  for (const auto& [expected, change] : rows) {
    HealthCheck check;
    change(check);
    const Refusal why = master::validate_health_check(check);
    ASSERT_TRUE(why.has_value()) << expected;
    EXPECT_NE(why->find(expected), std::string::npos) << *why;
  }
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
