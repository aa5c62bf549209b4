// Idle resources that are lent a second time, and what becomes of who has them.

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "kernel/agent/testing/core_world.hpp"
#include "kernel/resources/proto.hpp"

namespace agent {
namespace {

class Lending : public World {
 public:
  explicit Lending(Policy policy = make_policy()) : World(std::move(policy)) { lend(); }

  void lend() {
    core->oversubscribe(*oversubscription::make_estimator(oversubscription::kFixedEstimator, {{"resources", "cpus:2"}}),
                        *oversubscription::make_controller(oversubscription::kLoadController, {{"load_threshold_5min", "4"}}));
  }
  /// Messages about the estimate since the last call.
  std::vector<dcos::internal::v1::UpdateAgent> told() {
    std::vector<dcos::internal::v1::UpdateAgent> out;
    for (const auto& effect : effects)
      if (const auto* send = std::get_if<SendToMaster>(&effect); send && send->message.has_update_agent())
        out.push_back(send->message.update_agent());
    effects.clear();
    return out;
  }
  void run_on(const std::string& task, bool revocable, const std::string& executor = "", bool aware = true) {
    MasterMessage message;
    auto* run = message.mutable_run_task();
    run->mutable_framework_info()->mutable_id()->set_value("f");
    run->mutable_framework_info()->set_name("n");
    run->mutable_framework_info()->set_user("");
    if (aware) run->mutable_framework_info()->add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE);
    run->set_launch_executor(true);
    auto* info = run->mutable_task();
    info->set_name(task);
    info->mutable_task_id()->set_value(task);
    info->mutable_agent_id()->set_value("a1");
    auto* command = executor.empty() ? info->mutable_command() : info->mutable_executor()->mutable_command();
    command->set_value("true");
    if (!executor.empty()) info->mutable_executor()->mutable_executor_id()->set_value(executor);
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        std::string("name: 'cpus' type: SCALAR scalar { value: 1 } ") + (revocable ? "revocable {}" : ""), info->add_resources()));
    tell(MasterSaid{message});
    tell(ContainerStarted{find<LaunchContainer>()->spec.id, 42});
  }
};

TEST(Oversubscription, is_told_when_it_changes_and_when_the_agent_registers) {
  Lending world;
  world.tell(UsageMeasured{});
  EXPECT_TRUE(world.told().empty());  // not registered yet
  world.join();
  auto told = world.told();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_TRUE(told[0].update_oversubscribed_resources());
  EXPECT_FALSE(told[0].update_total_resources());
  EXPECT_TRUE(told[0].oversubscribed_resources(0).has_revocable());
  EXPECT_EQ(told[0].oversubscribed_resources(0).scalar().value(), 2);
  EXPECT_EQ(told[0].resource_version_uuid().value(), world.core->state().resource_version);
  world.tell(UsageMeasured{});
  EXPECT_TRUE(world.told().empty());  // it is the same
}

TEST(Oversubscription, gives_way_when_the_machine_is_busy) {
  for (const std::string executor : {"", "e"}) {
    Lending world;
    world.join();
    world.run_on("lent", true, executor);
    (void)world.sent();
    world.tell(LoadMeasured{{3, 0}});
    EXPECT_EQ(world.find<DestroyContainer>(), nullptr);
    world.tell(LoadMeasured{{5, 0}});
    world.tell(LoadMeasured{{5, 0}});  // once is enough
    ASSERT_NE(world.find<DestroyContainer>(), nullptr);
    const std::string container = world.find<DestroyContainer>()->container;
    world.tell(ContainerExited{container, exited(0)});
    if (executor.empty()) world.acknowledge();  // STARTING
    (void)world.sent();
    for (int i = 0; i < 3 && world.last.state() != mesos::v1::TASK_GONE; ++i) {
      world.acknowledge();
      (void)world.sent();
    }
    EXPECT_EQ(world.last.state(), mesos::v1::TASK_GONE) << executor;
    EXPECT_EQ(world.last.reason(), TaskStatus::REASON_CONTAINER_PREEMPTED);
    EXPECT_NE(world.last.message().find("load of 5 minutes is 5.00"), std::string::npos) << world.last.message();
  }
}

TEST(Oversubscription, ends_who_must_go_for_that_reason_also_after_a_restart_of_the_agent) {
  for (const std::string executor : {"", "e"})
    for (const bool runs : {true, false}) {
      Lending world;
      world.join();
      world.run_on("lent", true, executor);
      if (executor.empty()) (void)world.sent(), world.acknowledge();  // STARTING
      world.tell(LoadMeasured{{5, 0}});
      const std::string container = world.container();
      std::map<std::string, containerizer::Started> found;
      if (runs) found[container] = {42};
      world.start(found);
      EXPECT_EQ(world.find<DestroyContainer>() != nullptr, runs) << executor;
      world.tell(ContainerExited{container, exited(0)});
      world.join();
      for (int i = 0; i < 3 && world.last.state() != mesos::v1::TASK_GONE; ++i) {
        (void)world.sent();
        world.acknowledge();
      }
      EXPECT_EQ(world.last.state(), mesos::v1::TASK_GONE) << executor << runs;
      EXPECT_EQ(world.last.reason(), TaskStatus::REASON_CONTAINER_PREEMPTED) << executor << runs;
      EXPECT_NE(world.last.message().find("load of 5 minutes is 5.00"), std::string::npos) << world.last.message();
    }
}

TEST(Oversubscription, leaves_alone_who_runs_on_what_is_its_own) {
  Lending world;
  world.join();
  world.run_on("own", false);
  world.effects.clear();
  world.tell(LoadMeasured{{50, 50}});
  EXPECT_EQ(world.find<DestroyContainer>(), nullptr);
}

TEST(Oversubscription, gives_lent_cpus_little_weight) {
  Lending world;
  world.join();
  world.run_on("lent", true);
  EXPECT_LT(world.find<LaunchContainer>()->spec.limits.cpus, 0.11);  // 0.1 are the executor's own
  Policy policy = World::make_policy();
  policy.revocable_low_priority = false;
  Lending equal(policy);
  equal.join();
  equal.run_on("lent", true);
  EXPECT_EQ(equal.find<LaunchContainer>()->spec.limits.cpus, 1.1);
}

}  // namespace
}  // namespace agent
