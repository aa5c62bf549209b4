#include "base/testing/fuzz.hpp"

#include <gtest/gtest.h>

#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"

int fuzz_content(const uint8_t* data, size_t size);

namespace api {
namespace {

TEST(Fuzz, bodies_of_calls_are_read_or_refused) {
  mesos::v1::scheduler::Call call;
  call.set_type(mesos::v1::scheduler::Call::ACCEPT);
  call.mutable_framework_id()->set_value("f");
  auto& accept = *call.mutable_accept();
  accept.add_offer_ids()->set_value("o");
  auto& operation = *accept.add_operations();
  operation.set_type(mesos::v1::Offer::Operation::LAUNCH);
  auto& task = *operation.mutable_launch()->add_task_infos();
  task.set_name("t");
  task.mutable_task_id()->set_value("t");
  task.mutable_agent_id()->set_value("a");
  auto& resource = *task.add_resources();
  resource.set_name("cpus");
  resource.set_type(mesos::v1::Value::SCALAR);
  resource.mutable_scalar()->set_value(0.1);
  (*task.mutable_limits())["cpus"].set_value(2);
  task.mutable_command()->set_value("sleep 1");
  accept.mutable_filters()->set_refuse_seconds(1);
  base::testing::fuzz(
      fuzz_content,
      {std::string(1, '\0') + call.SerializeAsString(),
       "\x04"
       R"({"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"","name":"n","roles":["a","b"],)"
       R"("capabilities":[{"type":"MULTI_ROLE"}],"offer_filters":{"a":{}}}},"framework_id":null})",
       "\x04"
       R"({"type":"ACCEPT","framework_id":{"value":"f"},"accept":{"offer_ids":[{"value":"o"}],"operations":[)"
       R"({"type":"LAUNCH","launch":{"task_infos":[{"name":"t","task_id":{"value":"t"},"agent_id":{"value":"a"},)"
       R"("resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":"0.1"}}]}]}}]}})",
       "\x05"
       R"({"type":"UPDATE","executor_id":{"value":"e"},"framework_id":{"value":"f"},"update":{"status":)"
       R"({"task_id":{"value":"t"},"state":"TASK_RUNNING","uuid":"AAECAwQFBgcICQoLDA0ODw=="}}})",
       "\x07"
       R"({"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"a"},"max_grace_period":{"seconds":10}}})",
       "\x06"
       R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"c","parent":{"value":"p"}}}})"},
      10'000, 3);
}

}  // namespace
}  // namespace api
