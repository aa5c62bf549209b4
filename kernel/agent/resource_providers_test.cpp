// Resource providers of the agent: their disks and what operations make of them.

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "kernel/agent/testing/core_world.hpp"
#include "kernel/resources/proto.hpp"

namespace agent {
namespace {

using Operation_ = mesos::v1::Offer::Operation;
using Source = mesos::v1::Resource::DiskInfo::Source;

class Providers : public World {
 public:
  Providers() {
    join();
    configure();
    survey(100);
  }

  void configure(const std::string& name = "local") {
    ProviderConfigured event;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        "type: 'org.apache.mesos.rp.local.storage' name: '" + name + "' storage { plugin { type: 'org.example.test' } }", &event.info));
    tell(std::move(event));
  }
  void survey(uint64_t megabytes) {
    storage::Survey survey;
    survey.free_bytes["fast"] = megabytes << 20;
    tell(ProviderSurveyed{id(), std::move(survey)});
  }
  /// Its last: all of the providers that the core has now.
  std::string id() const { return core->state().providers.empty() ? "" : core->state().providers.begin()->first; }
  const ResourceProvider& provider() const { return core->state().providers.at(id()); }

  mesos::v1::Resource space(double megabytes) const {
    mesos::v1::Resource out;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        "name: 'disk' type: SCALAR provider_id { value: '" + id() + "' } scalar { value: " + std::to_string(megabytes) +
            " } disk { source { type: RAW profile: 'fast' vendor: 'org.example.test.default' } }", &out));
    return out;
  }
  mesos::v1::Resource disk(double megabytes) const {
    return storage::made_disk(space(megabytes), provider().info, Source::MOUNT, "fast", "vol", {});
  }
  mesos::v1::Resource volume(double megabytes) const {
    mesos::v1::Resource out = disk(megabytes);
    EXPECT_TRUE(google::protobuf::TextFormat::MergeFromString(
        "reservations { type: DYNAMIC role: 'web' } disk { persistence { id: 'data' } volume { mode: RW container_path: 'd' } }", &out));
    return out;
  }

  void apply(const std::string& uuid, const Operation_& operation) {
    MasterMessage message;
    auto* order = message.mutable_apply_operation();
    order->mutable_framework_id()->set_value("f");
    order->mutable_operation_uuid()->set_value(uuid);
    order->mutable_resource_version()->mutable_resource_provider_id()->set_value(id());
    order->mutable_resource_version()->mutable_uuid()->set_value(provider().version);
    *order->mutable_operation() = operation;
    tell(MasterSaid{message});
  }
  void make(const std::string& uuid, double megabytes) {
    Operation_ operation;
    operation.set_type(Operation_::CREATE_DISK);
    *operation.mutable_create_disk()->mutable_source() = space(megabytes);
    operation.mutable_create_disk()->mutable_source()->mutable_allocation_info()->set_role("web");
    operation.mutable_create_disk()->set_target_type(Source::MOUNT);
    apply(uuid, operation);
  }
  void reserve_and_create() {
    Operation_ reserve, create;
    reserve.set_type(Operation_::RESERVE);
    auto& reserved = *reserve.mutable_reserve()->add_resources();
    reserved = volume(60);
    reserved.mutable_disk()->clear_persistence();
    reserved.mutable_disk()->clear_volume();
    apply("r", reserve);
    create.set_type(Operation_::CREATE);
    *create.mutable_create()->add_volumes() = volume(60);
    apply("c", create);
  }
  /// "uuid STATE ..." of the operation updates since the last call.
  std::string told() {
    std::string text;
    for (const auto& effect : effects)
      if (const auto* send = std::get_if<SendToMaster>(&effect); send && send->message.has_operation_status_update()) {
        const auto& update = send->message.operation_status_update();
        text += (text.empty() ? "" : " ") + update.operation_uuid().value() + " " +
                mesos::v1::OperationState_Name(update.status().state()).substr(10);
      }
    effects.clear();
    return text;
  }
};

TEST(ResourceProviders, have_an_id_and_tell_the_master_what_they_have) {
  Providers world;
  ASSERT_NE(world.find<RunProvider>(), nullptr);
  EXPECT_EQ(world.find<RunProvider>()->info.id().value(), world.id());
  const auto& update = world.find<SendToMaster>()->message.update_agent();
  ASSERT_EQ(update.resource_providers_size(), 1);
  EXPECT_EQ(update.resource_providers(0).total_resources(0).scalar().value(), 100);
  EXPECT_EQ(update.resource_version_uuid().value(), world.core->state().resource_version);
  world.effects.clear();
  world.survey(100);  // nothing new
  EXPECT_EQ(world.find<SendToMaster>(), nullptr);
}

TEST(ResourceProviders, make_a_disk_once_however_often_the_agent_is_killed) {
  Providers world;
  world.make("u", 60);
  EXPECT_EQ(world.told(), "");  // it is not made yet
  const std::string id = world.id();
  for (int i = 0; i < 2; ++i) {
    world.start({});
    world.configure();
    EXPECT_EQ(world.id(), id);
    const auto* change = world.find<ChangeDisk>();
    ASSERT_NE(change, nullptr);
    EXPECT_EQ(change->id, "75");  // the operation's, in hex
    EXPECT_EQ(change->provider, id);
  }
  world.join();
  world.effects.clear();
  world.tell(DiskChanged{"75", world.disk(60)});
  const auto& status = world.find<SendToMaster>()->message.operation_status_update().status();
  EXPECT_EQ(status.converted_resources(0).disk().source().id(), "vol");
  EXPECT_EQ(status.resource_provider_id().value(), id);
  EXPECT_EQ(world.told(), "u FINISHED");
  world.tell(DiskChanged{"75", world.disk(60)});  // told twice
  EXPECT_EQ(world.provider().total.scalar("disk").value(), 100);
  world.start({});
  world.configure();
  EXPECT_TRUE(world.provider().total.contains(*resources::from_proto(world.disk(60)))) << world.provider().total.text();
}

TEST(ResourceProviders, hear_of_pending_disks_when_they_start_and_not_after_their_first_survey) {
  Providers world;
  world.make("u", 60);
  std::vector<base::StoreEntry> entries;
  for (const auto& [key, value] : world.store) entries.push_back({key, value});
  world.core = std::make_unique<Core>(world.policy_, base::Random(7));
  world.effects.clear();
  world.tell(decode_store(entries));
  world.configure();  // containers are still looked for
  ASSERT_GE(world.effects.size(), 2u);
  const auto run = std::find_if(world.effects.begin(), world.effects.end(),
                                [](const Effect& effect) { return std::holds_alternative<RunProvider>(effect); });
  ASSERT_NE(run, world.effects.end());
  ASSERT_NE(std::next(run), world.effects.end());
  EXPECT_TRUE(std::holds_alternative<ChangeDisk>(*std::next(run)));
}

TEST(ResourceProviders, say_why_a_disk_is_not_made) {
  Providers world;
  world.make("u", 60);
  world.tell(DiskChanged{"75", base::unavailable("the plugin says no")});
  EXPECT_EQ(world.find<SendToMaster>()->message.operation_status_update().status().message(), "the plugin says no");
  EXPECT_EQ(world.told(), "u FAILED");
  EXPECT_EQ(world.provider().total.scalar("disk").value(), 100);
  // What is being made into something else is not there for another operation.
  world.make("v", 60);
  world.make("w", 60);
  EXPECT_EQ(world.told(), "w ERROR");
}

TEST(ResourceProviders, whose_description_is_gone_are_kept_and_come_back_with_what_they_had) {
  Providers world;
  world.make("u", 60);
  world.tell(DiskChanged{"75", world.disk(60)});
  const std::string id = world.id();
  world.tell(ProviderRemoved{"org.apache.mesos.rp.local.storage", "local"});
  EXPECT_NE(world.find<StopProvider>(), nullptr);
  EXPECT_EQ(world.find<SendToMaster>()->message.update_agent().resource_providers_size(), 0);
  world.make("v", 10);
  EXPECT_NE(world.told().find("v ERROR"), std::string::npos);
  world.configure();
  EXPECT_EQ(world.id(), id);
  EXPECT_EQ(world.provider().total.scalar("disk").value(), 100);
  world.tell(ProviderRemoved{"org.apache.mesos.rp.local.storage", "local"});
  world.tell(ProviderGone{id});
  EXPECT_TRUE(world.core->state().providers.empty());
  EXPECT_TRUE(world.find<StopProvider>()->forget);
}

TEST(ResourceProviders, publish_the_disks_of_a_task_before_it_is_launched) {
  Providers world;
  world.make("u", 60);
  world.tell(DiskChanged{"75", world.disk(60)});
  world.reserve_and_create();
  EXPECT_EQ(world.told(), "u FINISHED r FINISHED c FINISHED");
  MasterMessage message;
  auto* run = message.mutable_run_task();
  run->mutable_framework_info()->mutable_id()->set_value("f");
  run->mutable_framework_info()->set_name("n");
  run->mutable_framework_info()->set_user("");
  auto* task = run->mutable_task();
  task->set_name("t");
  task->mutable_task_id()->set_value("t");
  task->mutable_agent_id()->set_value("a1");
  task->mutable_command()->set_value("true");
  *task->add_resources() = world.volume(60);
  auto& version = *run->add_resource_versions();
  version.mutable_resource_provider_id()->set_value(world.id());
  version.mutable_uuid()->set_value(world.provider().version);
  world.tell(MasterSaid{message});
  const auto* launch = world.find<LaunchContainer>();
  ASSERT_NE(launch, nullptr);
  ASSERT_EQ(launch->disks.size(), 1u);
  EXPECT_EQ(launch->disks[0], (storage::DiskName{world.id(), "vol"}));
  ASSERT_EQ(launch->spec.volumes.size(), 1u);
  EXPECT_EQ(launch->spec.volumes[0].source, "/agent/csi/org.example.test/default/mounts/vol/target");

  world.effects.clear();
  version.mutable_uuid()->set_value("another");
  task->mutable_task_id()->set_value("late");
  world.tell(MasterSaid{message});
  EXPECT_EQ(world.sent(), "LOST");
}

TEST(ResourceProviders, publish_a_disk_whose_data_is_to_be_removed) {
  Providers world;
  world.make("u", 60);
  world.tell(DiskChanged{"75", world.disk(60)});
  world.reserve_and_create();
  Operation_ destroy;
  destroy.set_type(Operation_::DESTROY);
  *destroy.mutable_destroy()->add_volumes() = world.volume(60);
  world.apply("d", destroy);
  const auto* remove = world.find<RemoveVolumes>();
  ASSERT_NE(remove, nullptr);
  EXPECT_EQ(remove->volumes[0].disk, (storage::DiskName{world.id(), "vol"}));
  EXPECT_TRUE(remove->volumes[0].whole_disk);
}

TEST(ResourceProviders, have_plugins_that_work_on_the_machine_itself) {
  Providers world;
  const auto launch = [&](const std::string& container) {
    world.effects.clear();
    ContainerCalled event;
    event.call.set_type(mesos::v1::agent::Call::LAUNCH_CONTAINER);
    event.call.mutable_launch_container()->mutable_container_id()->set_value(container);
    event.call.mutable_launch_container()->mutable_command()->set_value("plugin");
    world.tell(std::move(event));
    return world.find<LaunchContainer>()->spec.machine;
  };
  EXPECT_TRUE(launch(plugin_prefix(world.id()) + "0-x"));
  EXPECT_FALSE(launch("csi-other-0-x"));
}

}  // namespace
}  // namespace agent
