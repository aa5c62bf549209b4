// Resource providers outside of the agent: who they are, what they have, what is asked of them.

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "kernel/agent/testing/core_world.hpp"

namespace agent {
namespace {

using ProviderCall = mesos::v1::resource_provider::Call;
using ProviderEvent = mesos::v1::resource_provider::Event;
using Operation_ = mesos::v1::Offer::Operation;

class Remote : public World {
 public:
  Remote() { join(); }

  void subscribe(ConnectionId connection, const std::string& id = "", const std::string& name = "gpu-farm") {
    ProviderSubscribed event{connection, "stream-" + std::to_string(connection), {}};
    event.info.set_type("org.example.farm");
    event.info.set_name(name);
    if (!id.empty()) event.info.mutable_id()->set_value(id);
    tell(std::move(event));
  }
  std::string id() const { return core->state().providers.begin()->first; }
  const ResourceProvider& provider() const { return core->state().providers.begin()->second; }

  ProviderCall call(ProviderCall::Type type) const {
    ProviderCall out;
    out.set_type(type);
    out.mutable_resource_provider_id()->set_value(id());
    return out;
  }
  /// Status of the answer.
  int say(ProviderCall what, const std::string& stream = "stream-1") {
    tell(ProviderCalled{99, stream, std::move(what)});
    const auto* answer = find<AnswerExecutor>();
    return answer == nullptr ? 0 : answer->status;
  }
  mesos::v1::Resource disk(double megabytes) const {
    mesos::v1::Resource out;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        "name: 'disk' type: SCALAR provider_id { value: '" + id() + "' } scalar { value: " + std::to_string(megabytes) +
            " } disk { source { type: RAW profile: 'fast' } }", &out));
    return out;
  }
  int have(double megabytes, const std::vector<std::string>& operations = {}) {
    ProviderCall state = call(ProviderCall::UPDATE_STATE);
    auto& update = *state.mutable_update_state();
    *update.add_resources() = disk(megabytes);
    update.mutable_resource_version_uuid()->set_value("version");
    for (const auto& uuid : operations) {
      auto& operation = *update.add_operations();
      operation.mutable_uuid()->set_value(uuid);
      operation.mutable_info()->set_type(Operation_::CREATE_DISK);
      operation.mutable_latest_status()->set_state(mesos::v1::OPERATION_PENDING);
    }
    return say(std::move(state));
  }
  void make(const std::string& uuid) {
    MasterMessage message;
    auto* order = message.mutable_apply_operation();
    order->mutable_framework_id()->set_value("f");
    order->mutable_operation_uuid()->set_value(uuid);
    order->mutable_resource_version()->mutable_resource_provider_id()->set_value(id());
    order->mutable_resource_version()->mutable_uuid()->set_value(provider().version);
    auto& operation = *order->mutable_operation();
    operation.set_type(Operation_::CREATE_DISK);
    *operation.mutable_create_disk()->mutable_source() = disk(60);
    operation.mutable_create_disk()->set_target_type(mesos::v1::Resource::DiskInfo::Source::MOUNT);
    tell(MasterSaid{message});
  }
  int end(const std::string& uuid, const std::string& status_uuid, mesos::v1::OperationState state) {
    ProviderCall ended = call(ProviderCall::UPDATE_OPERATION_STATUS);
    auto& update = *ended.mutable_update_operation_status();
    update.mutable_operation_uuid()->set_value(uuid);
    update.mutable_status()->set_state(state);
    update.mutable_status()->mutable_uuid()->set_value(status_uuid);
    update.mutable_status()->mutable_resource_provider_id()->set_value(id());
    if (state == mesos::v1::OPERATION_FINISHED) {
      auto& made = *update.mutable_status()->add_converted_resources();
      made = disk(60);
      made.mutable_disk()->mutable_source()->set_type(mesos::v1::Resource::DiskInfo::Source::MOUNT);
      made.mutable_disk()->mutable_source()->set_id("vol");
      made.mutable_disk()->mutable_source()->mutable_mount()->set_root("/mnt/farm");
    }
    return say(std::move(ended));
  }
  void acknowledge(const std::string& uuid, const std::string& status_uuid) {
    MasterMessage message;
    message.mutable_acknowledge_operation_status()->mutable_operation_uuid()->set_value(uuid);
    message.mutable_acknowledge_operation_status()->mutable_status_uuid()->set_value(status_uuid);
    tell(MasterSaid{message});
  }
  /// Types of the events to the provider since the last call.
  std::string heard() {
    std::string text;
    for (const auto& effect : effects)
      if (const auto* send = std::get_if<SendToProvider>(&effect))
        text += (text.empty() ? "" : " ") + ProviderEvent::Type_Name(send->event.type());
    effects.clear();
    return text;
  }
  size_t told_master() const {
    size_t count = 0;
    for (const auto& effect : effects)
      if (const auto* send = std::get_if<SendToMaster>(&effect)) count += send->message.has_operation_status_update() ? 1 : 0;
    return count;
  }
  void run_on_disk(const std::string& task) {
    MasterMessage message;
    auto* run = message.mutable_run_task();
    run->mutable_framework_info()->mutable_id()->set_value("f");
    run->mutable_framework_info()->set_user("");
    run->mutable_framework_info()->set_name("n");
    run->set_launch_executor(true);
    auto& info = *run->mutable_task();
    info.set_name(task);
    info.mutable_task_id()->set_value(task);
    info.mutable_agent_id()->set_value("a1");
    info.mutable_command()->set_value("true");
    *info.add_resources() = disk(60);
    tell(MasterSaid{message});
  }
};

TEST(RemoteProviders, are_given_an_id_and_tell_what_they_have) {
  Remote world;
  world.subscribe(1);
  ASSERT_NE(world.find<SendToProvider>(), nullptr);
  EXPECT_EQ(world.find<SendToProvider>()->event.subscribed().provider_id().value(), world.id());
  EXPECT_FALSE(world.provider().active);
  world.effects.clear();
  EXPECT_EQ(world.have(100), 202);
  EXPECT_TRUE(world.provider().active);
  const auto& update = world.find<SendToMaster>()->message.update_agent();
  ASSERT_EQ(update.resource_providers_size(), 1);
  EXPECT_EQ(update.resource_providers(0).total_resources(0).scalar().value(), 100);
  EXPECT_EQ(update.resource_providers(0).resource_version_uuid().value(), "version");
}

TEST(RemoteProviders, are_heard_on_their_own_stream_only) {
  Remote world;
  EXPECT_EQ([&] {
    ProviderCall stranger;
    stranger.set_type(ProviderCall::UPDATE_STATE);
    stranger.mutable_resource_provider_id()->set_value("x");
    return world.say(stranger);
  }(), 400);
  world.subscribe(1);
  EXPECT_EQ(world.say(world.call(ProviderCall::UPDATE_STATE), ""), 400);
  EXPECT_EQ(world.say(world.call(ProviderCall::UPDATE_STATE), "stream-2"), 400);
  EXPECT_NE(world.find<AnswerExecutor>()->message.find("didn't match the stream ID"), std::string::npos);
  ProviderCall others = world.call(ProviderCall::UPDATE_STATE);
  *others.mutable_update_state()->add_resources() = world.disk(1);
  others.mutable_update_state()->mutable_resources(0)->mutable_provider_id()->set_value("x");
  others.mutable_update_state()->mutable_resource_version_uuid()->set_value("v");
  EXPECT_EQ(world.say(others), 400);
}

TEST(RemoteProviders, come_back_under_their_id_and_under_no_other) {
  Remote world;
  world.subscribe(1);
  world.have(100);
  const std::string id = world.id();
  world.tell(ExecutorDisconnected{1});
  EXPECT_FALSE(world.provider().active);
  EXPECT_EQ(world.find<SendToMaster>()->message.update_agent().resource_providers_size(), 0);
  world.start({});  // the agent too
  world.join();
  EXPECT_TRUE(world.provider().remote);
  EXPECT_FALSE(world.provider().active);
  world.subscribe(2, "unknown");
  EXPECT_EQ(world.find<AnswerExecutor>()->status, 400);
  world.subscribe(3, id, "another-name");
  EXPECT_EQ(world.find<AnswerExecutor>()->status, 400);
  world.effects.clear();
  world.subscribe(4, id);
  EXPECT_EQ(world.heard(), "SUBSCRIBED");
  EXPECT_EQ(world.core->state().providers.size(), 1u);
  world.subscribe(5, id);  // while it is connected: the newer one counts
  ASSERT_NE(world.find<CloseExecutor>(), nullptr);
  EXPECT_EQ(world.find<CloseExecutor>()->connection, 4u);
}

TEST(RemoteProviders, carry_operations_out_and_are_acknowledged_when_the_master_has_heard) {
  Remote world;
  world.subscribe(1);
  world.have(100);
  world.effects.clear();
  world.make("op");
  EXPECT_EQ(world.told_master(), 0u);
  EXPECT_EQ(world.heard(), "APPLY_OPERATION");
  EXPECT_EQ(world.end("op", "status", mesos::v1::OPERATION_FINISHED), 202);
  EXPECT_EQ(world.told_master(), 1u);
  EXPECT_EQ(world.provider().total.text().find("MOUNT") != std::string::npos, true) << world.provider().total.text();
  EXPECT_EQ(world.heard(), "");
  world.end("op", "status", mesos::v1::OPERATION_FINISHED);  // said again: told again
  EXPECT_EQ(world.told_master(), 1u);
  world.effects.clear();
  world.acknowledge("op", "status");
  EXPECT_EQ(world.heard(), "ACKNOWLEDGE_OPERATION_STATUS");
  EXPECT_TRUE(world.core->state().operations.empty());
  EXPECT_EQ(world.end("op", "status", mesos::v1::OPERATION_FINISHED), 202);  // it did not hear that
  EXPECT_EQ(world.told_master(), 0u);
  EXPECT_EQ(world.heard(), "ACKNOWLEDGE_OPERATION_STATUS");
}

TEST(RemoteProviders, have_reservations_at_once_and_lose_them_when_they_fail) {
  Remote world;
  world.subscribe(1);
  world.have(100);
  const std::string before = world.provider().total.text();
  for (const auto state : {mesos::v1::OPERATION_FAILED, mesos::v1::OPERATION_FINISHED}) {
    const std::string uuid = mesos::v1::OperationState_Name(state);
    MasterMessage message;
    auto* order = message.mutable_apply_operation();
    order->mutable_operation_uuid()->set_value(uuid);
    order->mutable_resource_version()->mutable_resource_provider_id()->set_value(world.id());
    order->mutable_resource_version()->mutable_uuid()->set_value(world.provider().version);
    order->mutable_operation()->set_type(Operation_::RESERVE);
    auto& reserved = *order->mutable_operation()->mutable_reserve()->add_resources();
    reserved = world.disk(60);
    reserved.add_reservations()->set_type(mesos::v1::Resource::ReservationInfo::DYNAMIC);
    reserved.mutable_reservations(0)->set_role("web");
    world.tell(MasterSaid{message});
    const std::string after = world.provider().total.text();
    EXPECT_NE(after, before);
    ProviderCall ended = world.call(ProviderCall::UPDATE_OPERATION_STATUS);
    auto& update = *ended.mutable_update_operation_status();
    update.mutable_operation_uuid()->set_value(uuid);
    update.mutable_status()->set_state(state);
    update.mutable_status()->mutable_uuid()->set_value("s");
    *update.mutable_status()->mutable_resource_provider_id() = world.provider().info.id();
    EXPECT_EQ(world.say(ended), 202);
    EXPECT_EQ(world.provider().total.text(), state == mesos::v1::OPERATION_FINISHED ? after : before);
  }
}

TEST(RemoteProviders, are_asked_for_operations_that_they_do_not_name) {
  Remote world;
  world.subscribe(1);
  world.have(100);
  world.make("lost");
  const std::string id = world.id();
  world.start({});  // the agent was killed before it was sent, or the provider before it heard it
  world.join();
  world.subscribe(1, id);
  world.effects.clear();
  world.have(100);
  EXPECT_EQ(world.find<SendToProvider>()->event.reconcile_operations().operation_uuids(0).value(), "lost");
  world.effects.clear();
  world.have(100, {"lost"});  // it knows it
  EXPECT_EQ(world.heard(), "");
  world.end("lost", "s", mesos::v1::OPERATION_DROPPED);
  EXPECT_EQ(world.told_master(), 1u);
}

TEST(RemoteProviders, make_resources_ready_before_a_container_is_launched) {
  Remote world;
  world.subscribe(1);
  world.have(60);
  world.effects.clear();
  world.run_on_disk("t");
  ASSERT_NE(world.find<LaunchContainer>(), nullptr);
  EXPECT_TRUE(world.find<LaunchContainer>()->waits);
  EXPECT_EQ(world.find<ContinueLaunch>(), nullptr);
  const auto& asked = world.find<SendToProvider>()->event.publish_resources();
  ASSERT_EQ(asked.resources_size(), 1);
  ProviderCall done = world.call(ProviderCall::UPDATE_PUBLISH_RESOURCES_STATUS);
  *done.mutable_update_publish_resources_status()->mutable_uuid() = asked.uuid();
  done.mutable_update_publish_resources_status()->set_status(ProviderCall::UpdatePublishResourcesStatus::OK);
  EXPECT_EQ(world.say(done), 202);
  ASSERT_NE(world.find<ContinueLaunch>(), nullptr);
  EXPECT_TRUE(world.find<ContinueLaunch>()->status);
  EXPECT_EQ(world.say(done), 400);  // once
}

TEST(RemoteProviders, that_leave_fail_the_launches_that_wait_for_them) {
  Remote world;
  world.subscribe(1);
  world.have(60);
  world.run_on_disk("t");
  world.tell(ExecutorDisconnected{1});
  ASSERT_NE(world.find<ContinueLaunch>(), nullptr);
  EXPECT_FALSE(world.find<ContinueLaunch>()->status);
  EXPECT_NE(world.find<ContinueLaunch>()->status.error().message.find("gpu-farm left"), std::string::npos);
}

TEST(RemoteProviders, that_are_gone_for_good_are_told_so) {
  Remote world;
  world.subscribe(1);
  world.have(60);
  world.make("op");
  world.effects.clear();
  world.tell(ProviderGone{world.id()});
  EXPECT_EQ(world.told_master(), 1u);
  EXPECT_EQ(world.heard(), "TEARDOWN");
  EXPECT_TRUE(world.core->state().providers.empty());
}

}  // namespace
}  // namespace agent
