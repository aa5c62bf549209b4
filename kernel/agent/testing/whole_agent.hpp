#pragma once

// A whole agent, as a process, under a master that the test speaks for over the real link.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdio>
#include <string>

#include "base/file.hpp"
#include "base/strings.hpp"
#include "base/testing/temporary_directory.hpp"
#include "kernel/agent/testing/agent_process.hpp"
#include "kernel/agent/testing/fake_master.hpp"

namespace agent::testing {

using dcos::internal::v1::MasterMessage;

inline mesos::v1::FrameworkInfo make_framework() {
  mesos::v1::FrameworkInfo info;
  info.mutable_id()->set_value("framework-1");
  info.set_name("test");
  info.set_user("root");
  info.set_checkpoint(true);
  info.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE);
  info.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::TASK_KILLING_STATE);
  return info;
}

inline void add_resource(mesos::v1::TaskInfo& task, const char* name, double amount) {
  auto* resource = task.add_resources();
  resource->set_name(name);
  resource->set_type(mesos::v1::Value::SCALAR);
  resource->mutable_scalar()->set_value(amount);
}

inline mesos::v1::TaskInfo make_task(const std::string& id, const std::string& command) {
  mesos::v1::TaskInfo task;
  task.set_name(id);
  task.mutable_task_id()->set_value(id);
  task.mutable_agent_id()->set_value("agent-1");
  task.mutable_command()->set_value(command);
  add_resource(task, "cpus", 0.1);
  add_resource(task, "mem", 32);
  return task;
}

inline MasterMessage run(const mesos::v1::TaskInfo& task) {
  MasterMessage message;
  message.mutable_run_task()->mutable_framework_info()->CopyFrom(make_framework());
  message.mutable_run_task()->mutable_task()->CopyFrom(task);
  message.mutable_run_task()->set_launch_executor(true);
  return message;
}

inline MasterMessage kill_of(const std::string& id) {
  MasterMessage message;
  message.mutable_kill_task()->mutable_framework_id()->set_value("framework-1");
  message.mutable_kill_task()->mutable_task_id()->set_value(id);
  return message;
}

class Agent : public ::testing::Test {
 protected:
  void SetUp() override {
    agent.start();
    ASSERT_TRUE(master.wait_for_agent()) << log();
  }

  void TearDown() override {
    if (agent.running()) {
      EXPECT_TRUE(WIFEXITED(agent.stop(SIGUSR1)));
    }
    EXPECT_TRUE(master.wait([this] { return agent.leftovers().empty(); }, 10)) << base::join(agent.leftovers(), "\n");
    if (HasFailure()) std::fputs(log().c_str(), stderr);
  }

  std::string log() const { return base::read_file(agent.work_dir() + "/agent.log").value_or("no log"); }

  std::string sandbox(const std::string& task) const {
    return agent.work_dir() + "/slaves/agent-1/frameworks/framework-1/executors/" + task + "/runs/latest";
  }

  base::testing::TemporaryDirectory archives;  // for images
  FakeMaster master;
  AgentProcess agent{master.address(), {"--docker_registry=" + archives.path()}};
};

}  // namespace agent::testing
