#include "kernel/api/secrets.hpp"

#include <gtest/gtest.h>

#include "kernel/api/mesos/v1/tasks.pb.h"

namespace api {
namespace {

TEST(Secrets, are_taken_out_wherever_they_are) {
  mesos::v1::TaskInfo task;
  task.set_name("kept");
  auto* variable = task.mutable_executor()->mutable_command()->mutable_environment()->add_variables();
  variable->set_name("PASSWORD");
  variable->mutable_secret()->set_type(mesos::v1::Secret::VALUE);
  variable->mutable_secret()->mutable_value()->set_data("hunter2");
  auto* plain = task.mutable_executor()->mutable_command()->mutable_environment()->add_variables();
  plain->set_name("A");
  plain->set_value("b");
  auto* volume = task.mutable_container()->add_volumes();
  volume->mutable_source()->mutable_secret()->set_type(mesos::v1::Secret::REFERENCE);
  volume->mutable_source()->mutable_secret()->mutable_reference()->set_name("db/password");
  task.mutable_container()->mutable_docker()->add_parameters()->set_key("env");
  hide_secrets(task);
  EXPECT_EQ(task.ShortDebugString().find("hunter2"), std::string::npos);
  EXPECT_EQ(variable->secret().type(), mesos::v1::Secret::VALUE);
  EXPECT_EQ(volume->source().secret().reference().name(), "db/password");
  EXPECT_EQ(plain->value(), "b");
  EXPECT_EQ(task.name(), "kept");
}

}  // namespace
}  // namespace api
