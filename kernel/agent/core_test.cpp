// The agent's life, its tasks and its custom executors, told to the core.

#include <gtest/gtest.h>
#include <signal.h>

#include "kernel/agent/testing/core_world.hpp"

namespace agent {
namespace {

TEST(AgentCore, registers_once_and_keeps_its_id) {
  World world;
  world.tell(LinkConnected{});
  EXPECT_TRUE(world.find<SendToMaster>()->message.has_register_agent());
  world.join();
  EXPECT_EQ(world.core->state().phase, Phase::Registered);
  world.start({});
  world.tell(LinkConnected{});
  EXPECT_EQ(world.find<SendToMaster>()->message.reregister_agent().agent_info().id().value(), "a1");
}

TEST(AgentCore, connects_again_when_the_pings_stop) {
  World world;
  world.join();
  world.tell(TimerFired{"ping"});
  ASSERT_NE(world.find<Reconnect>(), nullptr);
  EXPECT_EQ(world.find<Reconnect>()->why, "No pings from master received within 75secs");
}

TEST(AgentCore, runs_a_command_and_forgets_it_when_all_is_acknowledged) {
  World world;
  world.join();
  world.run("t");
  ASSERT_NE(world.find<LaunchContainer>(), nullptr);
  EXPECT_EQ(world.find<LaunchContainer>()->spec.environment.at("MESOS_SLAVE_ID"), "a1");
  EXPECT_EQ(world.sent(), "STARTING");
  world.tell(ContainerStarted{world.container(), 42});
  EXPECT_EQ(world.sent(), "") << "one outstanding update per task";
  world.last.mutable_task_id()->set_value("t");
  world.acknowledge();
  EXPECT_EQ(world.sent(), "RUNNING");
  world.acknowledge();
  world.tell(ContainerExited{world.container(), exited(0)});
  EXPECT_EQ(world.sent(), "FINISHED");
  EXPECT_EQ(world.core->state().frameworks.size(), 1U);
  world.acknowledge();
  EXPECT_TRUE(world.core->state().frameworks.empty());
  EXPECT_EQ(world.core->state().completed_frameworks.size(), 1U);
  for (const auto& [key, value] : world.store)
    EXPECT_TRUE(key == "agent" || key.starts_with("gc/")) << key;
}

/// What gc/ records the store has.
std::string scheduled(const World& world) {
  std::string out;
  for (const auto& [key, value] : world.store)
    if (key.starts_with("gc/")) out += (out.empty() ? "" : " ") + key.substr(3);
  return out;
}

TEST(AgentCore, forgets_that_a_sandbox_is_to_go_when_it_is_gone_and_not_before) {
  World world;
  Loaded loaded;
  loaded.agent.emplace();
  loaded.sandboxes = {"/agent/slaves/old/frameworks/f/executors/e/runs/c", "/agent/containers/s"};
  world.core = std::make_unique<Core>(World::make_policy(), base::Random(7));
  world.tell(std::move(loaded));
  const std::string executor = "/agent/slaves/old/frameworks/f/executors/e";
  const std::string all = "/agent/containers/s " + executor + " " + executor + "/runs/c";
  EXPECT_EQ(scheduled(world), all);
  world.effects.clear();
  world.tell(PathRemoved{executor + "/runs/other", {}});
  EXPECT_EQ(scheduled(world), all);
  world.tell(PathRemoved{"/agent/containers/s", {}});
  EXPECT_EQ(scheduled(world), executor + " " + executor + "/runs/c") << "somebody removed it before its time";
  world.effects.clear();
  world.tell(DiskMeasured{0.99});
  ASSERT_NE(world.find<RemovePath>(), nullptr);
  EXPECT_EQ(scheduled(world), executor + " " + executor + "/runs/c") << "a crash now would forget them";
  world.tell(PathRemoved{"/agent/slaves/old/frameworks/f/executors/e/runs/c", {}});
  world.tell(PathRemoved{"/agent/slaves/old/frameworks/f/executors/e", base::internal("busy")});
  EXPECT_EQ(scheduled(world), "/agent/slaves/old/frameworks/f/executors/e");
  world.effects.clear();
  world.tell(DiskMeasured{0});
  ASSERT_NE(world.find<RemovePath>(), nullptr) << "what could not be removed is tried again";
  world.tell(PathRemoved{"/agent/slaves/old/frameworks/f/executors/e", {}});
  EXPECT_EQ(scheduled(world), "");
}

TEST(AgentCore, tells_the_networks_of_a_container_in_every_update) {
  World world;
  world.join();
  world.run("t");
  (void)world.sent();
  ContainerStarted started{world.container(), 42};
  auto& network = started.networks.emplace_back();
  network.set_name("mesos-bridge");
  network.add_ip_addresses()->set_ip_address("172.31.254.2");
  world.tell(started);
  world.last.mutable_task_id()->set_value("t");
  world.acknowledge();
  EXPECT_EQ(world.sent(), "RUNNING");
  EXPECT_EQ(world.last.container_status().network_infos(0).ip_addresses(0).ip_address(), "172.31.254.2");
  world.acknowledge();
  // After a restart, and when it ended meanwhile, too.
  world.start({});
  world.join();
  world.tell(ContainerExited{world.container(), exited(0)});
  EXPECT_EQ(world.sent(), "FINISHED");
  EXPECT_EQ(world.last.container_status().network_infos(0).ip_addresses(0).ip_address(), "172.31.254.2");
}

TEST(AgentCore, says_what_a_container_took_that_it_was_not_given) {
  World world;
  world.join();
  world.run("t");
  (void)world.sent();
  world.tell(ContainerStarted{world.container(), 42});
  world.last.mutable_task_id()->set_value("t");
  world.acknowledge();
  (void)world.sent();
  world.acknowledge();
  containerizer::Termination end;
  end.status = SIGKILL;
  end.limitation.emplace().message = "too much";
  auto& ports = end.limitation->resources.emplace_back();
  ports.set_name("ports");
  ports.set_type(mesos::v1::Value::RANGES);
  world.tell(ContainerExited{world.container(), end});
  EXPECT_EQ(world.sent(), "FAILED");
  EXPECT_EQ(world.last.reason(), TaskStatus::REASON_CONTAINER_LIMITATION);
  EXPECT_EQ(world.last.message(), "too much");
  EXPECT_EQ(world.last.limitation().resources(0).name(), "ports");
}

TEST(AgentCore, launches_nothing_that_is_not_on_disk) {
  World world;
  world.join();
  world.effects.clear();
  world.disk_full = true;
  world.run("t");
  EXPECT_EQ(world.find<LaunchContainer>(), nullptr);
  EXPECT_EQ(world.sent(), "");
  world.disk_full = false;
  world.tell(TimerFired{Journal::kRetryTimer});
  EXPECT_NE(world.find<LaunchContainer>(), nullptr);
  EXPECT_EQ(world.sent(), "STARTING");
}

TEST(AgentCore, sends_an_update_again_until_it_is_acknowledged) {
  World world;
  world.join();
  world.run("t");
  EXPECT_EQ(world.sent(), "STARTING");
  world.now.instant = world.now.instant + base::seconds(10);
  world.tell(TimerFired{"update/f/t"});
  EXPECT_EQ(world.sent(), "STARTING");
  world.acknowledge();
  world.now.instant = world.now.instant + base::seconds(100);
  world.tell(TimerFired{"update/f/t"});
  EXPECT_EQ(world.sent(), "");
}

TEST(AgentCore, sends_pending_updates_at_once_when_their_framework_is_back) {
  World world;
  world.join();
  world.run("t");
  EXPECT_EQ(world.sent(), "STARTING");
  MasterMessage message;
  auto* info = message.mutable_update_framework()->mutable_framework_info();
  info->mutable_id()->set_value("f");
  info->set_user("");
  info->set_name("n");
  world.tell(MasterSaid{message});
  EXPECT_EQ(world.sent(), "STARTING");
  info->mutable_id()->set_value("another");
  world.tell(MasterSaid{message});
  EXPECT_EQ(world.sent(), "");
}

TEST(AgentCore, says_lost_for_a_kill_of_what_it_does_not_know) {
  World world;
  world.join();
  world.kill("unknown");
  EXPECT_EQ(world.sent(), "LOST");
  EXPECT_EQ(world.last.reason(), TaskStatus::REASON_RECONCILIATION);
}

TEST(AgentCore, ignores_hostile_ids_and_second_launches) {
  World world;
  world.join();
  for (const char* id : {"..", "a/b", "", "."}) {
    world.run(id);
    world.kill(id);
  }
  EXPECT_TRUE(world.core->state().containers.empty());
  EXPECT_EQ(world.sent(), "");
  world.run("t");
  world.run("t");
  EXPECT_EQ(world.core->state().containers.size(), 1U);
}

TEST(AgentCore, finds_its_tasks_after_a_restart_and_tells_their_end) {
  World world;
  world.join();
  world.run("t");
  const std::string container = world.container();
  EXPECT_EQ(world.sent(), "STARTING");
  world.acknowledge();
  world.tell(ContainerStarted{container, 42});
  EXPECT_EQ(world.sent(), "RUNNING");
  world.acknowledge();
  world.start({{container, {42}}});
  world.join();
  EXPECT_EQ(world.sent(), "");
  world.tell(ContainerExited{container, exited(3)});
  EXPECT_EQ(world.sent(), "FAILED");
  EXPECT_EQ(world.last.message(), "Command exited with status 3");
}

TEST(AgentCore, tells_running_when_it_died_between_the_start_and_the_news) {
  World world;
  world.join();
  world.run("t");
  const std::string container = world.container();
  EXPECT_EQ(world.sent(), "STARTING");
  world.start({{container, {42}}});
  world.join();
  EXPECT_EQ(world.sent(), "STARTING");
  world.acknowledge();
  EXPECT_EQ(world.sent(), "RUNNING");
}

TEST(AgentCore, goes_on_killing_after_a_restart) {
  World world;
  world.join();
  world.run("t");
  const std::string container = world.container();
  world.sent();
  world.acknowledge();
  world.tell(ContainerStarted{container, 42});
  world.kill("t");
  EXPECT_NE(world.find<TerminateContainer>(), nullptr);
  world.start({{container, {42}}});
  EXPECT_NE(world.find<TerminateContainer>(), nullptr);
  world.start({});
  world.join();
  world.tell(ContainerExited{container, {}});
  std::string all = world.sent();
  while (!is_terminal(world.last.state())) {
    world.acknowledge();
    all = world.sent();
    ASSERT_FALSE(all.empty());
  }
  EXPECT_EQ(world.last.state(), mesos::v1::TASK_KILLED);
}

TEST(AgentCore, leaves_damaged_records_out_and_counts_them) {
  World world;
  world.join();
  world.store["task/f/t"] = "\xff\xff garbage";
  world.store["executor/f/e"] = "\xff\xff";
  world.store["strange"] = "";
  world.start({});
  EXPECT_EQ(world.core->state().recovery_errors, 3U);
  world.join();
  EXPECT_EQ(world.core->state().phase, Phase::Registered);
}

TEST(AgentCore, refuses_to_start_with_less_and_begins_anew_after_a_reboot) {
  World world;
  world.policy_.info.set_port(1);
  world.join();
  world.policy_.info.set_port(2);
  world.start({});
  world.policy_.info.set_hostname("other");
  world.start({});
  ASSERT_NE(world.find<Exit>(), nullptr);
  EXPECT_NE(world.find<Exit>()->message.find("not permitted under `additive` policy"), std::string::npos);
  world.policy_.boot_id = "boot-2";
  world.start({});
  EXPECT_EQ(world.find<Exit>(), nullptr);
  EXPECT_FALSE(world.core->state().info.has_id());
}

TEST(AgentCore, an_agent_that_has_drained_can_be_used_again) {
  World world;
  world.join();
  MasterMessage message;
  message.mutable_drain()->mutable_config();
  world.tell(MasterSaid{message});
  EXPECT_FALSE(world.core->state().drain.has_value());  // nothing was to be ended
  world.start({});
  EXPECT_FALSE(world.core->state().drain.has_value());
}

TEST(AgentCore, drops_tasks_and_kills_running_ones_when_draining) {
  World world;
  world.join();
  world.run("t");
  world.tell(ContainerStarted{world.container(), 42});
  MasterMessage message;
  message.mutable_drain()->mutable_config();
  world.tell(MasterSaid{message});
  EXPECT_NE(world.find<TerminateContainer>(), nullptr);
  world.effects.clear();
  world.run("next");
  EXPECT_EQ(world.sent(), "LOST");
  EXPECT_EQ(world.last.reason(), TaskStatus::REASON_AGENT_DRAINING);
  world.start({});
  EXPECT_TRUE(world.core->state().drain.has_value());
}

TEST(CustomExecutors, get_their_tasks_when_they_subscribe) {
  World world;
  world.join();
  world.run("t1", "e");
  world.run("t2", "e");
  EXPECT_EQ(world.core->state().containers.size(), 1U);
  world.tell(ContainerStarted{world.container(), 42});
  world.effects.clear();
  auto subscribe = world.call(mesos::v1::executor::Call::SUBSCRIBE, "e");
  subscribe.mutable_subscribe();
  world.tell(ExecutorSubscribed{1, subscribe});
  std::string events;
  for (const auto& effect : world.effects)
    if (const auto* send = std::get_if<SendToExecutor>(&effect))
      events += mesos::v1::executor::Event::Type_Name(send->event.type()) + " ";
  EXPECT_EQ(events, "SUBSCRIBED LAUNCH LAUNCH ");

  auto update = world.call(mesos::v1::executor::Call::UPDATE, "e");
  auto* status = update.mutable_update()->mutable_status();
  status->mutable_task_id()->set_value("t1");
  status->set_state(mesos::v1::TASK_RUNNING);
  status->set_uuid("0123456789abcdef");
  world.effects.clear();
  world.tell(ExecutorCalled{2, update});
  EXPECT_EQ(world.find<AnswerExecutor>()->status, 202);
  EXPECT_EQ(world.find<SendToExecutor>()->event.type(), mesos::v1::executor::Event::ACKNOWLEDGED);
  EXPECT_EQ(world.sent(), "RUNNING");

  world.tell(ContainerExited{world.container(), exited(0)});
  EXPECT_EQ(world.sent(), "FAILED");
  EXPECT_EQ(world.last.reason(), TaskStatus::REASON_EXECUTOR_TERMINATED);
}

TEST(CustomExecutors, that_took_too_much_are_told_with_the_amount) {
  for (const bool memory : {true, false}) {
    World world;
    world.join();
    world.run("t", "e");
    world.tell(ContainerStarted{world.container(), 42});
    containerizer::Termination end = exited(1);
    end.message = "too much";
    end.out_of_memory = memory;
    if (memory)
      end.memory_used = 64 << 20;
    else
      end.disk_used = 64 << 20;
    world.tell(ContainerExited{world.container(), end});
    EXPECT_EQ(world.sent(), "FAILED");
    EXPECT_EQ(world.last.reason(), memory ? TaskStatus::REASON_CONTAINER_LIMITATION_MEMORY : TaskStatus::REASON_CONTAINER_LIMITATION_DISK);
    ASSERT_EQ(world.last.limitation().resources_size(), 1);
    EXPECT_EQ(world.last.limitation().resources(0).name(), memory ? "mem" : "disk");
    EXPECT_EQ(world.last.limitation().resources(0).scalar().value(), 64);
  }
}

TEST(AgentCore, gives_executors_what_its_flags_say) {
  Policy policy = World::make_policy();
  policy.socket = "/run/agent.sock";
  policy.socket_for_all = true;
  policy.default_container.emplace().set_type(mesos::v1::ContainerInfo::MESOS);
  policy.default_container->mutable_linux_info()->set_share_pid_namespace(true);
  policy.executor_environment["LIBPROCESS_IP"] = "10.0.0.9";
  World world(policy);
  world.join();
  world.run("t", "e");
  const auto spec = world.find<LaunchContainer>()->spec;
  EXPECT_EQ(spec.environment.at("MESOS_DOMAIN_SOCKET"), "/run/agent.sock");
  EXPECT_EQ(spec.environment.at("LIBPROCESS_IP"), "10.0.0.9");
  ASSERT_TRUE(spec.container);
  EXPECT_TRUE(spec.container->linux_info().share_pid_namespace());
  world.run("command");
  EXPECT_FALSE(world.find<LaunchContainer>()->spec.environment.contains("MESOS_DOMAIN_SOCKET")) << "its executor is the agent";
  policy.default_container->mutable_mesos()->mutable_image()->set_type(mesos::v1::Image::DOCKER);
  World with_image(policy);
  with_image.join();
  with_image.run("t", "e");
  EXPECT_FALSE(with_image.find<LaunchContainer>()->spec.environment.contains("MESOS_DOMAIN_SOCKET")) << "it is not seen there";
}

TEST(CustomExecutors, are_ended_when_they_do_not_subscribe_in_time) {
  World world;
  world.join();
  world.run("t", "e");
  const std::string container = world.container();
  world.tell(ContainerStarted{container, 42});
  world.tell(TimerFired{"subscribe/" + container});
  ASSERT_NE(world.find<DestroyContainer>(), nullptr);
  world.tell(ContainerExited{container, exited(0)});
  EXPECT_EQ(world.sent(), "FAILED");
  EXPECT_EQ(world.last.message(), "Executor did not register within 1mins");
}

TEST(CustomExecutors, are_refused_when_unknown) {
  World world;
  world.join();
  auto subscribe = world.call(mesos::v1::executor::Call::SUBSCRIBE, "e");
  world.tell(ExecutorSubscribed{1, subscribe});
  EXPECT_EQ(world.find<AnswerExecutor>()->status, 400);
  EXPECT_EQ(world.find<AnswerExecutor>()->message, "Framework cannot be found");
}

TEST(CustomExecutors, lose_a_task_that_they_never_got_before_the_restart) {
  World world;
  world.join();
  world.run("t", "e");
  const std::string container = world.container();
  world.tell(ContainerStarted{container, 42});
  auto subscribe = world.call(mesos::v1::executor::Call::SUBSCRIBE, "e");
  subscribe.mutable_subscribe();
  world.tell(ExecutorSubscribed{1, subscribe});
  world.start({{container, {42}}});
  world.join();
  world.tell(ExecutorSubscribed{1, subscribe});
  EXPECT_EQ(world.sent(), "LOST");
  EXPECT_EQ(world.last.reason(), TaskStatus::REASON_AGENT_RESTARTED);
}

TEST(AgentCore, tells_a_custom_executor_of_a_kill_that_it_missed) {
  World world;
  world.join();
  world.run("t", "e");
  world.tell(ContainerStarted{world.container(), 42});
  const auto subscribe = world.call(mesos::v1::executor::Call::SUBSCRIBE, "e");
  world.tell(ExecutorSubscribed{1, subscribe});
  const auto kills = [&world] {
    int count = 0;
    for (const auto& effect : world.effects)
      if (const auto* sent = std::get_if<SendToExecutor>(&effect))
        if (sent->event.type() == mesos::v1::executor::Event::KILL) ++count;
    return count;
  };
  EXPECT_EQ(kills(), 0);
  world.start({{world.container(), {42, {}}}});
  world.join();
  world.kill("t");
  EXPECT_EQ(kills(), 0) << "nobody is there";
  auto again = subscribe;
  auto* known = again.mutable_subscribe()->add_unacknowledged_tasks();
  known->mutable_task_id()->set_value("t");
  world.tell(ExecutorSubscribed{2, again});
  EXPECT_EQ(kills(), 1);
}

}  // namespace
}  // namespace agent
