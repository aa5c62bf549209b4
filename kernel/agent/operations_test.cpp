// Operations on resources and what becomes of volumes.

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "kernel/agent/testing/core_world.hpp"
#include "kernel/resources/proto.hpp"

namespace agent {
namespace {

constexpr const char* kReservation = R"(reservations { type: DYNAMIC role: "web" principal: "p" })";

mesos::v1::Resource disk(double megabytes, const std::string& reservation, const std::string& id = "") {
  mesos::v1::Resource resource;
  std::string text = "name: 'disk' type: SCALAR scalar { value: " + std::to_string(megabytes) + " } " + reservation;
  if (!id.empty())
    text += " disk { persistence { id: '" + id + "' principal: 'p' } volume { mode: RW container_path: 'data' } }";
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &resource));
  return resource;
}

/// A world whose agent has a disk, with operations as the master sends them.
class Operations : public World {
 public:
  Operations() : World(with_disk()) { join(); }

  static Policy with_disk() {
    Policy policy = make_policy();
    policy.info.add_resources()->CopyFrom(disk(100, ""));
    return policy;
  }

  void apply(const std::string& uuid, mesos::v1::Offer::Operation operation) {
    MasterMessage message;
    auto* order = message.mutable_apply_operation();
    order->mutable_framework_id()->set_value("f");
    order->mutable_operation_uuid()->set_value(uuid);
    order->mutable_resource_version()->mutable_uuid()->set_value(core->state().resource_version);
    order->mutable_operation()->CopyFrom(operation);
    tell(MasterSaid{message});
  }
  void reserve(const std::string& uuid) {
    mesos::v1::Offer::Operation operation;
    operation.set_type(mesos::v1::Offer::Operation::RESERVE);
    operation.mutable_reserve()->add_resources()->CopyFrom(disk(40, kReservation));
    apply(uuid, operation);
  }
  void create(const std::string& uuid) {
    mesos::v1::Offer::Operation operation;
    operation.set_type(mesos::v1::Offer::Operation::CREATE);
    operation.mutable_create()->add_volumes()->CopyFrom(disk(40, kReservation, "v#data#1"));
    apply(uuid, operation);
  }
  void destroy(const std::string& uuid) {
    mesos::v1::Offer::Operation operation;
    operation.set_type(mesos::v1::Offer::Operation::DESTROY);
    operation.mutable_destroy()->add_volumes()->CopyFrom(disk(40, kReservation, "v#data#1"));
    apply(uuid, operation);
  }
  /// `executor`: a custom one.
  void run_on_volume(const std::string& task, const std::string& executor = "") {
    MasterMessage message;
    auto* run = message.mutable_run_task();
    run->mutable_framework_info()->mutable_id()->set_value("f");
    run->mutable_framework_info()->set_name("n");
    run->mutable_framework_info()->set_user("");
    auto* info = run->mutable_task();
    info->set_name(task);
    info->mutable_task_id()->set_value(task);
    info->mutable_agent_id()->set_value("a1");
    run->set_launch_executor(true);
    (executor.empty() ? info->mutable_command() : info->mutable_executor()->mutable_command())->set_value("true");
    if (!executor.empty()) info->mutable_executor()->mutable_executor_id()->set_value(executor);
    info->add_resources()->CopyFrom(disk(40, kReservation, "v#data#1"));
    tell(MasterSaid{message});
  }
  /// "uuid STATE ..." of the operation updates since the last call.
  std::string told() {
    std::string text;
    for (const auto& effect : effects)
      if (const auto* send = std::get_if<SendToMaster>(&effect); send && send->message.has_operation_status_update()) {
        const auto& update = send->message.operation_status_update();
        status = update.status();
        text += (text.empty() ? "" : " ") + update.operation_uuid().value() + " " +
                mesos::v1::OperationState_Name(status.state()).substr(10);
      }
    effects.clear();
    return text;
  }
  void acknowledge_operation(const std::string& uuid) {
    MasterMessage message;
    message.mutable_acknowledge_operation_status()->mutable_operation_uuid()->set_value(uuid);
    message.mutable_acknowledge_operation_status()->mutable_status_uuid()->CopyFrom(status.uuid());
    tell(MasterSaid{message});
  }
  std::string total() const { return core->state().total.text(); }

  mesos::v1::OperationStatus status;
};

TEST(AgentOperations, reserves_durably_and_tells_until_acknowledged) {
  Operations world;
  world.reserve("u1");
  EXPECT_EQ(world.told(), "u1 FINISHED");
  EXPECT_FALSE(world.status.uuid().value().empty());
  const std::string total = world.total();
  EXPECT_NE(total.find("DYNAMIC,web,p)]):40"), std::string::npos) << total;
  world.reserve("u1");  // again: told again, not applied again
  EXPECT_EQ(world.told(), "u1 FINISHED");
  EXPECT_EQ(world.total(), total);

  world.start({});
  EXPECT_EQ(world.total(), total);
  world.tell(LinkConnected{});
  const auto& message = world.find<SendToMaster>()->message.reregister_agent();
  ASSERT_EQ(message.checkpointed_resources_size(), 1);
  EXPECT_EQ(message.checkpointed_resources(0).reservations(0).principal(), "p");
  EXPECT_EQ(message.operations_size(), 1);
  world.join();
  EXPECT_EQ(world.told(), "u1 FINISHED");
  world.tell(TimerFired{operation_key("u1")});
  EXPECT_EQ(world.told(), "u1 FINISHED");
  world.acknowledge_operation("u1");
  world.tell(TimerFired{operation_key("u1")});
  EXPECT_EQ(world.told(), "");
  EXPECT_EQ(world.store.count(operation_key("u1")), 0U);
}

TEST(AgentOperations, says_nothing_before_it_is_durable) {
  Operations world;
  world.disk_full = true;
  world.reserve("u1");
  EXPECT_EQ(world.told(), "");
  world.disk_full = false;
  world.tell(TimerFired{Journal::kRetryTimer});
  EXPECT_EQ(world.told(), "u1 FINISHED");
}

TEST(AgentOperations, creates_a_volume_when_its_directory_is_there_and_goes_on_after_a_restart) {
  Operations world;
  world.reserve("u1");
  world.create("u2");
  EXPECT_EQ(world.find<MakeVolumes>()->volumes[0].path, "/agent/volumes/roles/web/v#data#1");
  EXPECT_EQ(world.told(), "u1 FINISHED");
  world.start({});
  ASSERT_NE(world.find<MakeVolumes>(), nullptr);
  world.join();
  world.effects.clear();
  world.tell(VolumesChanged{"u2", {}});
  EXPECT_EQ(world.told(), "u2 FINISHED");
  EXPECT_EQ(world.core->state().total.persistent_volumes().size(), 1U);
}

TEST(AgentOperations, takes_a_volume_back_that_cannot_be_made_and_tells_its_total) {
  Operations world;
  world.reserve("u1");
  world.create("u2");
  world.effects.clear();
  const std::string version = world.core->state().resource_version;
  world.tell(VolumesChanged{"u2", base::Error{base::Code::NoSpace, "no space"}});
  const auto& update = world.find<SendToMaster>()->message.update_agent();
  EXPECT_TRUE(update.update_total_resources());
  EXPECT_NE(update.resource_version_uuid().value(), version);
  EXPECT_EQ(world.told(), "u2 FAILED");
  EXPECT_TRUE(world.core->state().total.persistent_volumes().empty());
}

TEST(AgentOperations, refuses_what_its_resources_do_not_hold) {
  Operations world;
  world.create("u1");  // nothing is reserved
  EXPECT_EQ(world.told(), "u1 ERROR");
  EXPECT_EQ(world.total(), "disk:100");
  MasterMessage old;
  old.mutable_apply_operation()->mutable_operation_uuid()->set_value("u2");
  old.mutable_apply_operation()->mutable_resource_version()->mutable_uuid()->set_value("another");
  old.mutable_apply_operation()->mutable_operation()->set_type(mesos::v1::Offer::Operation::RESERVE);
  world.tell(MasterSaid{old});
  EXPECT_EQ(world.told(), "u2 DROPPED");
}

TEST(AgentOperations, gives_a_task_its_volume_and_keeps_it_while_in_use) {
  Operations world;
  world.run_on_volume("early");
  EXPECT_EQ(world.sent(), "LOST");
  EXPECT_EQ(world.last.reason(), TaskStatus::REASON_RESOURCES_UNKNOWN);
  world.reserve("u1");
  world.create("u2");
  world.tell(VolumesChanged{"u2", {}});
  world.run_on_volume("t");
  const auto* launch = world.find<LaunchContainer>();
  ASSERT_NE(launch, nullptr);
  ASSERT_EQ(launch->spec.volumes.size(), 1U);
  EXPECT_EQ(launch->spec.volumes[0].source, "/agent/volumes/roles/web/v#data#1");
  EXPECT_EQ(launch->spec.volumes[0].container_path, "data");
  world.told();
  world.destroy("u3");
  EXPECT_EQ(world.told(), "u3 ERROR");
  world.start({{world.container(), {1}}});  // a restart does not forget the use
  world.join();
  world.told();
  world.destroy("u4");
  EXPECT_EQ(world.told(), "u4 ERROR");
  world.tell(ContainerExited{world.container(), exited(0)});
  world.told();
  world.destroy("u5");
  ASSERT_NE(world.find<RemoveVolumes>(), nullptr);
  EXPECT_EQ(world.told(), "");
  world.create("u6");  // the same id before the old data is gone
  EXPECT_EQ(world.told(), "u6 ERROR");
  world.tell(VolumesChanged{"u5", base::Error{base::Code::Io, "busy"}});
  EXPECT_EQ(world.told(), "");
  world.tell(TimerFired{operation_key("u5")});
  ASSERT_NE(world.find<RemoveVolumes>(), nullptr);
  world.tell(VolumesChanged{"u5", {}});
  EXPECT_EQ(world.told(), "u5 FINISHED");
  EXPECT_TRUE(world.core->state().total.persistent_volumes().empty());
}

TEST(AgentOperations, drops_operations_that_never_arrived) {
  Operations world;
  MasterMessage message;
  auto* asked = message.mutable_reconcile_operations()->add_operations();
  asked->mutable_operation_uuid()->set_value("lost");
  asked->mutable_operation_id()->set_value("mine");
  world.tell(MasterSaid{message});
  EXPECT_EQ(world.told(), "lost DROPPED");
  EXPECT_EQ(world.status.operation_id().value(), "mine");
}

TEST(AgentOperations, does_not_start_with_less_than_its_volumes_need) {
  Operations world;
  world.reserve("u1");
  world.policy_.info.mutable_resources(0)->mutable_scalar()->set_value(20);
  world.policy_.additive = true;
  world.store.erase("agent");  // as after a reboot with another configuration
  world.start({});
  ASSERT_NE(world.find<Exit>(), nullptr);
  EXPECT_NE(world.find<Exit>()->message.find("DYNAMIC,web,p)]):40"), std::string::npos);
}

/// An executor that runs, with a task of its own.
std::string run_executor(Operations& world) {
  world.reserve("u1");
  world.create("u2");
  world.tell(VolumesChanged{"u2", {}});
  world.run("first", "e");
  const std::string container = world.container();
  world.tell(ContainerStarted{container, 42});
  world.tell(ExecutorSubscribed{1, world.call(mesos::v1::executor::Call::SUBSCRIBE, "e")});
  world.effects.clear();
  return container;
}

TEST(AgentVolumes, come_to_a_running_executor_before_the_task_that_brings_them) {
  Operations world;
  const std::string container = run_executor(world);
  world.run_on_volume("t", "e");
  const auto* added = world.find<AddVolumes>();
  ASSERT_NE(added, nullptr);
  EXPECT_EQ(added->container, container);
  ASSERT_EQ(added->volumes.size(), 1U);
  EXPECT_EQ(added->volumes[0].source, "/agent/volumes/roles/web/v#data#1");
  EXPECT_EQ(world.find<SendToExecutor>(), nullptr) << "the task waits for its volume";
  world.run("third", "e");
  EXPECT_EQ(world.find<SendToExecutor>(), nullptr) << "and what comes after it waits for the task";
  world.destroy("u3");
  EXPECT_EQ(world.told(), "u3 ERROR") << "it is in use";
  world.tell(VolumesAdded{container, {}});
  ASSERT_NE(world.find<SendToExecutor>(), nullptr);
  EXPECT_EQ(world.find<SendToExecutor>()->event.launch().task().task_id().value(), "third");
  world.effects.clear();
  world.run_on_volume("again", "e");
  EXPECT_EQ(world.find<AddVolumes>(), nullptr) << "it is there already";
  EXPECT_NE(world.find<SendToExecutor>(), nullptr);
}

TEST(AgentVolumes, that_cannot_be_mounted_fail_their_task_alone) {
  Operations world;
  const std::string container = run_executor(world);
  world.run_on_volume("t", "e");
  world.run("third", "e");
  world.tell(VolumesAdded{container, base::Error{base::Code::NotFound, "gone"}});
  ASSERT_NE(world.find<SendToExecutor>(), nullptr);
  EXPECT_EQ(world.find<SendToExecutor>()->event.launch().task().task_id().value(), "third");
  EXPECT_EQ(world.sent(), "FAILED");
  EXPECT_EQ(world.last.task_id().value(), "t");
  EXPECT_EQ(world.last.reason(), TaskStatus::REASON_CONTAINER_UPDATE_FAILED);
  EXPECT_EQ(world.last.message(), "Failed to update resources for container: gone");
}

TEST(AgentVolumes, are_mounted_again_after_a_restart_before_their_task_is_handed_over) {
  Operations world;
  const std::string container = run_executor(world);
  world.run_on_volume("t", "e");
  world.start({{container, {42}}});
  world.join();
  EXPECT_EQ(world.find<AddVolumes>(), nullptr) << "the executor is not back yet";
  auto subscribe = world.call(mesos::v1::executor::Call::SUBSCRIBE, "e");
  subscribe.mutable_subscribe()->add_unacknowledged_tasks()->mutable_task_id()->set_value("first");
  world.tell(ExecutorSubscribed{2, subscribe});
  ASSERT_NE(world.find<AddVolumes>(), nullptr);
  world.tell(VolumesAdded{container, {}});
  EXPECT_EQ(world.find<SendToExecutor>()->event.launch().task().task_id().value(), "t");
}

TEST(AgentVolumes, lie_below_their_disk_and_never_leave_it) {
  const auto place = [](const std::string& text) {
    mesos::v1::Resource resource = disk(1, kReservation, "v");
    EXPECT_TRUE(google::protobuf::TextFormat::MergeFromString(text, &resource));
    const auto parsed = resources::from_proto(resource);
    EXPECT_TRUE(parsed);
    const auto found = volume_place("/agent", parsed->kind);
    return found ? found->path : "refused";
  };
  EXPECT_EQ(place(""), "/agent/volumes/roles/web/v");
  EXPECT_EQ(place("reservations { type: DYNAMIC role: 'web/a' }"), "/agent/volumes/roles/web a/v");
  EXPECT_EQ(place("disk { source { type: PATH path { root: '/d' } } }"), "/d/volumes/roles/web/v");
  EXPECT_EQ(place("disk { source { type: PATH path { root: 'd' } } }"), "/agent/d/volumes/roles/web/v");
  EXPECT_EQ(place("disk { source { type: MOUNT mount { root: '/m' } } }"), "/m");
  EXPECT_EQ(place("disk { persistence { id: '..' } }"), "refused");
  EXPECT_EQ(place("disk { persistence { id: 'a/../../b' } }"), "refused");
}

}  // namespace
}  // namespace agent
