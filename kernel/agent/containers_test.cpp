// Groups of tasks for the default executor, and containers by calls of the API.

#include <gtest/gtest.h>

#include "kernel/agent/testing/core_world.hpp"

namespace agent {
namespace {

/// A group of tasks for the default executor "pod", which the master counts as `fresh` or as one that runs.
void run_group(World& world, const std::vector<std::string>& tasks, bool fresh = true) {
  MasterMessage message;
  auto* run = message.mutable_run_task_group();
  run->mutable_framework_info()->mutable_id()->set_value("f");
  run->mutable_framework_info()->set_user("");
  run->mutable_framework_info()->set_name("n");
  run->mutable_executor()->set_type(mesos::v1::ExecutorInfo::DEFAULT);
  run->mutable_executor()->mutable_executor_id()->set_value("pod");
  run->set_launch_executor(fresh);
  for (const auto& id : tasks) {
    auto* task = run->mutable_task_group()->add_tasks();
    task->set_name(id);
    task->mutable_task_id()->set_value(id);
    task->mutable_agent_id()->set_value("a1");
    task->mutable_command()->set_value("true");
  }
  world.tell(MasterSaid{message});
}

/// Events sent to executors since the last look, as words.
std::string to_executors(World& world) {
  std::string text;
  for (const auto& effect : world.effects) {
    const auto* send = std::get_if<SendToExecutor>(&effect);
    if (send == nullptr) continue;
    text += (text.empty() ? "" : " ") + mesos::v1::executor::Event::Type_Name(send->event.type());
    for (const auto& task : send->event.launch_group().task_group().tasks()) text += ":" + task.task_id().value();
  }
  world.effects.clear();
  return text;
}

/// A call about containers; the answer's status, or "" while there is none.
std::string call_container(World& world, mesos::v1::agent::Call call, ConnectionId connection = 50) {
  world.effects.clear();
  world.tell(ContainerCalled{connection, std::move(call)});
  const auto* answer = world.find<AnswerContainer>();
  return answer == nullptr ? "" : std::to_string(answer->status);
}

mesos::v1::agent::Call launch_inside(const std::string& parent, const std::string& child) {
  mesos::v1::agent::Call call;
  call.set_type(mesos::v1::agent::Call::LAUNCH_CONTAINER);
  call.mutable_launch_container()->mutable_container_id()->set_value(child);
  if (!parent.empty()) call.mutable_launch_container()->mutable_container_id()->mutable_parent()->set_value(parent);
  call.mutable_launch_container()->mutable_command()->set_value("true");
  return call;
}

TEST(AgentGroups, start_one_executor_and_arrive_whole) {
  World world;
  world.join();
  world.effects.clear();
  run_group(world, {"a", "b"});
  ASSERT_NE(world.find<LaunchContainer>(), nullptr);
  const std::string container = world.container();
  // The agent dies before the executor comes: the group is still one.
  world.start({{container, {7}}});
  world.join();
  world.effects.clear();
  world.tell(ExecutorSubscribed{5, world.call(mesos::v1::executor::Call::SUBSCRIBE, "pod")});
  EXPECT_EQ(to_executors(world), "SUBSCRIBED LAUNCH_GROUP:a:b");
  run_group(world, {"c"});
  EXPECT_EQ(to_executors(world), "LAUNCH_GROUP:c");
}

TEST(AgentGroups, killed_before_delivery_are_killed_whole) {
  World world;
  world.join();
  run_group(world, {"a", "b"});
  world.sent();
  world.kill("b");
  EXPECT_EQ(world.sent(), "KILLED KILLED");
}

TEST(AgentGroups, that_find_no_executor_tell_the_master_so) {
  World world;
  world.join();
  const auto told = [&world] {
    size_t count = 0;
    for (const auto& each : world.effects) {
      const auto* send = std::get_if<SendToMaster>(&each);
      if (send != nullptr && send->message.has_exited_executor() &&
          send->message.exited_executor().executor_id().value() == "pod")
        ++count;
    }
    return count;
  };
  world.effects.clear();
  run_group(world, {"a"}, false);
  EXPECT_EQ(told(), 1U) << "the master counts on an executor that is not there";
  EXPECT_EQ(world.sent(), "LOST");

  // One that has ended and whose last updates wait: the master has forgotten it and counts on a new one.
  run_group(world, {"b"});
  world.tell(ContainerStarted{world.container(), 7});
  world.tell(ContainerExited{world.container(), {}});
  world.effects.clear();
  run_group(world, {"c"});
  EXPECT_EQ(told(), 1U);
  EXPECT_EQ(world.sent(), "LOST");
}

TEST(AgentGroups, lost_in_a_restart_end_their_executor) {
  World world;
  world.join();
  run_group(world, {"a"});
  const std::string container = world.container();
  world.tell(ContainerStarted{container, 7});
  world.tell(ExecutorSubscribed{5, world.call(mesos::v1::executor::Call::SUBSCRIBE, "pod")});
  world.start({{container, {7}}});
  world.join();
  world.effects.clear();
  // The group never arrived: nothing else would.
  world.tell(ExecutorSubscribed{6, world.call(mesos::v1::executor::Call::SUBSCRIBE, "pod")});
  EXPECT_EQ(to_executors(world), "SUBSCRIBED SHUTDOWN");
}

TEST(AgentContainers, are_written_down_before_they_are_launched_and_end_once) {
  World world;
  world.join();
  run_group(world, {"a"});
  const std::string root = world.container();
  world.tell(ContainerStarted{root, 7});
  EXPECT_EQ(call_container(world, launch_inside("nobody", "x")), "400");
  EXPECT_EQ(call_container(world, launch_inside(root, "x")), "") << "answered when it runs";
  ASSERT_NE(world.find<LaunchContainer>(), nullptr);
  const auto spec = world.find<LaunchContainer>()->spec;
  EXPECT_EQ(spec.parent, root);
  EXPECT_EQ(spec.group, root) << "a part of its executor's group";
  EXPECT_FALSE(spec.own_group);
  EXPECT_TRUE(spec.sandbox.ends_with(root + "/containers/x"));
  EXPECT_TRUE(world.store.contains("container/" + root + ".x"));
  world.effects.clear();
  world.tell(ContainerStarted{root + ".x", 8});
  EXPECT_EQ(world.find<AnswerContainer>()->status, 200);
  EXPECT_EQ(call_container(world, launch_inside(root, "x")), "202");

  // A restart: it ended meanwhile. Who waits hears how, before and after.
  world.start({{root, {7}}});
  world.join();
  mesos::v1::agent::Call wait;
  wait.set_type(mesos::v1::agent::Call::WAIT_CONTAINER);
  *wait.mutable_wait_container()->mutable_container_id() = launch_inside(root, "x").launch_container().container_id();
  EXPECT_EQ(call_container(world, wait), "");
  world.effects.clear();
  world.tell(ContainerExited{root + ".x", exited(3)});
  ASSERT_NE(world.find<AnswerContainer>(), nullptr);
  EXPECT_EQ(world.find<AnswerContainer>()->response.wait_container().exit_status(), 3 << 8);
  world.start({{root, {7}}});
  EXPECT_EQ(call_container(world, wait), "200");

  // It goes with what it is in.
  world.tell(ContainerExited{root, exited(0)});
  EXPECT_FALSE(world.store.contains("container/" + root + ".x"));
  EXPECT_EQ(call_container(world, wait), "404");
}

TEST(AgentContainers, that_have_ended_are_collected_when_the_agent_is_told_to) {
  for (const bool collected : {true, false}) {
    Policy policy = World::make_policy();
    policy.collect_api_sandboxes = collected;
    World world(policy);
    world.join();
    EXPECT_EQ(call_container(world, launch_inside("", "alone")), "");
    world.tell(ContainerStarted{"alone", 8});
    world.tell(ContainerExited{"alone", exited(0)});
    EXPECT_EQ(world.core->garbage().knows("/agent/containers/alone"), collected);
  }
}

mesos::v1::agent::Call session_inside(const std::string& parent, const std::string& child) {
  mesos::v1::agent::Call call;
  call.set_type(mesos::v1::agent::Call::LAUNCH_NESTED_CONTAINER_SESSION);
  auto& launch = *call.mutable_launch_nested_container_session();
  launch.mutable_container_id()->set_value(child);
  launch.mutable_container_id()->mutable_parent()->set_value(parent);
  launch.mutable_command()->set_value("true");
  return call;
}

TEST(AgentContainers, of_a_session_are_guests_that_end_with_their_client_and_leave_nothing_on_disk) {
  World world;
  world.join();
  run_group(world, {"a"});
  const std::string root = world.container();
  world.tell(ContainerStarted{root, 7});
  EXPECT_EQ(call_container(world, session_inside("nobody", "s")), "400");
  EXPECT_EQ(call_container(world, session_inside(root, "s"), 60), "") << "answered with its output when it runs";
  ASSERT_NE(world.find<LaunchContainer>(), nullptr);
  EXPECT_TRUE(world.find<LaunchContainer>()->spec.session);
  EXPECT_TRUE(world.find<LaunchContainer>()->spec.debug);
  EXPECT_EQ(world.find<LaunchContainer>()->spec.sandbox, world.find<LaunchContainer>()->spec.parent_sandbox);
  EXPECT_FALSE(world.store.contains("container/" + root + ".s"));
  world.effects.clear();
  world.tell(ContainerStarted{root + ".s", 8});
  ASSERT_NE(world.find<StreamContainer>(), nullptr);
  EXPECT_EQ(world.find<StreamContainer>()->connection, 60u);
  EXPECT_EQ(world.find<AnswerContainer>(), nullptr);

  // How it ended can be asked for; nothing is removed, its sandbox is the task's.
  world.effects.clear();
  world.tell(ContainerExited{root + ".s", exited(3)});
  EXPECT_EQ(world.find<AnswerContainer>(), nullptr) << "the stream is the answer";
  mesos::v1::agent::Call wait;
  wait.set_type(mesos::v1::agent::Call::WAIT_CONTAINER);
  *wait.mutable_wait_container()->mutable_container_id() = session_inside(root, "s").launch_nested_container_session().container_id();
  EXPECT_EQ(call_container(world, wait), "200");
  mesos::v1::agent::Call remove;
  remove.set_type(mesos::v1::agent::Call::REMOVE_CONTAINER);
  *remove.mutable_remove_container()->mutable_container_id() = wait.wait_container().container_id();
  EXPECT_EQ(call_container(world, remove), "200");
  EXPECT_EQ(world.find<RemovePath>(), nullptr);

  // A client that goes while its session is being launched ends it.
  EXPECT_EQ(call_container(world, session_inside(root, "t"), 61), "");
  world.effects.clear();
  world.tell(ExecutorDisconnected{61});
  ASSERT_NE(world.find<DestroyContainer>(), nullptr);
  EXPECT_EQ(world.find<DestroyContainer>()->container, root + ".t");
}

TEST(AgentContainers, of_sessions_that_ended_are_forgotten_from_the_oldest_on) {
  World world;
  world.join();
  run_group(world, {"a"});
  const std::string root = world.container();
  world.tell(ContainerStarted{root, 7});
  for (int i = 0; i < 300; ++i) {
    const std::string id = "s" + std::to_string(i);
    EXPECT_EQ(call_container(world, session_inside(root, id)), "");
    world.tell(ContainerStarted{root + "." + id, 8});
    world.tell(ContainerExited{root + "." + id, exited(0)});
  }
  EXPECT_EQ(world.core->state().api_containers.count(root + ".s0"), 0u);
  EXPECT_EQ(world.core->state().api_containers.count(root + ".s299"), 1u);
  EXPECT_LE(world.core->state().api_containers.size(), 257u);
}

TEST(AgentContainers, with_limits_of_their_own_have_a_group_of_their_own) {
  World world;
  world.join();
  run_group(world, {"a"});
  const std::string root = world.container();
  world.tell(ContainerStarted{root, 7});
  auto call = launch_inside(root, "x");
  auto& launch = *call.mutable_launch_container();
  launch.mutable_container()->set_type(mesos::v1::ContainerInfo::MESOS);
  launch.mutable_container()->mutable_linux_info()->set_share_cgroups(false);
  auto* memory = launch.add_resources();
  memory->set_name("mem");
  memory->set_type(mesos::v1::Value::SCALAR);
  memory->mutable_scalar()->set_value(64);
  call_container(world, call);
  const auto spec = world.find<LaunchContainer>()->spec;
  EXPECT_EQ(spec.group, root + "/mesos/x");
  EXPECT_TRUE(spec.own_group);
  EXPECT_EQ(spec.limits.memory_limit, uint64_t{64} << 20);
}

}  // namespace
}  // namespace agent
