// Conversations with a provider of disks: a plugin that answers at once, or fails, hangs, loses answers; crashes after any
// effect.

#include <gtest/gtest.h>

#include "kernel/storage/testing/provider_world.hpp"

namespace storage {
namespace {

using dcos::storage::v1::VolumeRecord;

TEST(Provider, surveys_its_plugin_when_it_starts) {
  World world;
  world.plugin.volumes["old"] = 5 << 20;
  world.start();
  ASSERT_EQ(world.surveys.size(), 1u);
  EXPECT_EQ(world.surveys[0].free_bytes.at("fast"), uint64_t{95} << 20);
  ASSERT_EQ(world.surveys[0].volumes.size(), 1u);
  EXPECT_EQ(world.surveys[0].volumes[0].id, "old");
  EXPECT_TRUE(world.provider->connected());
}

TEST(Provider, makes_publishes_and_deletes_a_volume) {
  World world;
  world.start();
  world.create("op1");
  ASSERT_TRUE(world.disks.at("op1")) << world.why("op1");
  const mesos::v1::Resource disk = *world.disks.at("op1");
  EXPECT_EQ(disk.disk().source().id(), "v-op1");
  EXPECT_EQ(disk.disk().source().type(), mesos::v1::Resource::DiskInfo::Source::MOUNT);
  EXPECT_EQ(disk.disk().source().mount().root(), "csi/org.example.test/p/mounts");
  EXPECT_EQ(disk.disk().source().metadata().labels(0).value(), "ssd");
  world.tell(PublishVolume{1, "v-op1"});
  EXPECT_TRUE(world.published.at(1));
  EXPECT_EQ(world.plugin.published, std::set<std::string>{"v-op1"});
  const size_t calls = world.plugin.calls.size();
  world.tell(PublishVolume{2, "v-op1"});  // it is
  EXPECT_TRUE(world.published.at(2));
  EXPECT_EQ(world.plugin.calls.size(), calls);
  world.destroy("op2", disk);
  ASSERT_TRUE(world.disks.at("op2")) << world.why("op2");
  EXPECT_FALSE(world.disks.at("op2")->disk().source().has_id());
  EXPECT_EQ(world.disks.at("op2")->disk().source().profile(), "fast");
  EXPECT_TRUE(world.plugin.empty());
  EXPECT_TRUE(world.store.empty());
  EXPECT_TRUE(world.plugin.breaches.empty());
}

TEST(Provider, goes_on_where_it_was_after_a_crash_at_any_effect) {
  for (int crash_after = 1;; ++crash_after) {
    SCOPED_TRACE(crash_after);
    World world;
    world.crash_after = crash_after;
    world.start();
    // As the agent does: what is not answered is asked again after a restart.
    const auto until = [&](const auto& ask, const auto& done) {
      for (int tries = 0; tries < 50 && !done(); ++tries) {
        if (world.crashed) {
          world.crashed = false;
          world.crash_after = 0;
          world.hanging.clear();
          world.start();
        }
        ask();
        for (int i = 0; i < 20 && !world.crashed && !done(); ++i) world.pass();
      }
      ASSERT_TRUE(done());
    };
    until([&] { world.create("op1"); }, [&] { return world.disks.contains("op1"); });
    ASSERT_TRUE(world.disks.at("op1")) << world.why("op1");
    until([&] { world.tell(PublishVolume{7, "v-op1"}); }, [&] { return world.published.contains(7); });
    ASSERT_TRUE(world.published.at(7)) << world.published.at(7).error().message;
    EXPECT_TRUE(world.plugin.published.contains("v-op1"));
    const auto disk = *world.disks.at("op1");
    until([&] { world.destroy("op2", disk); }, [&] { return world.disks.contains("op2"); });
    ASSERT_TRUE(world.disks.at("op2")) << world.why("op2");
    EXPECT_TRUE(world.plugin.empty());
    EXPECT_TRUE(world.plugin.breaches.empty()) << world.plugin.breaches[0];
    if (world.crash_after != 0 && !world.crashed) break;  // it ended before that many effects
  }
}

TEST(Provider, asks_again_when_an_answer_is_lost_and_makes_one_volume_only) {
  for (const char* method : {"CreateVolume", "ControllerPublishVolume", "NodeStageVolume", "NodePublishVolume", "NodeUnpublishVolume",
                             "NodeUnstageVolume", "ControllerUnpublishVolume", "DeleteVolume"}) {
    SCOPED_TRACE(method);
    World world;
    world.start();
    const bool early = std::string(method) == "CreateVolume";
    if (early) world.plugin.silent.insert(method);
    world.create("op1");
    if (early) {
      EXPECT_FALSE(world.disks.contains("op1"));
      world.plugin.silent.clear();
      world.pass();
      world.pass();
    }
    ASSERT_TRUE(world.disks.contains("op1") && world.disks.at("op1"));
    EXPECT_EQ(world.plugin.volumes.size(), 1u);
    const auto disk = *world.disks.at("op1");
    world.tell(PublishVolume{1, "v-op1"});
    world.plugin.silent.insert(method);
    if (!early && world.provider->state_of("v-op1") != VolumeRecord::PUBLISHED) FAIL();
    world.destroy("op2", disk);
    world.plugin.silent.clear();
    for (int i = 0; i < 5 && !world.disks.contains("op2"); ++i) world.pass();
    ASSERT_TRUE(world.disks.contains("op2") && world.disks.at("op2"));
    EXPECT_TRUE(world.plugin.volumes.empty());
    EXPECT_TRUE(world.plugin.breaches.empty());
  }
}

TEST(Provider, says_why_a_volume_is_not_made) {
  World world;
  world.start();
  world.plugin.codes["CreateVolume"] = 11;  // OUT_OF_RANGE
  world.create("op1");
  EXPECT_EQ(world.why("op1"), "the plugin does not make the volume: told to");
  auto unknown = World::space();
  unknown.mutable_disk()->mutable_source()->set_profile("slow");
  world.create("op2", unknown);
  EXPECT_NE(world.why("op2").find("profile 'slow' is not one of this provider's"), std::string::npos);
  auto none = World::space();
  none.mutable_disk()->mutable_source()->clear_profile();
  world.create("op3", none);
  EXPECT_NE(world.why("op3").find("'create_disk.target_profile' must be set"), std::string::npos);
}

TEST(Provider, takes_over_a_volume_that_was_there_before_it) {
  World world;
  world.plugin.volumes["old"] = 10 << 20;
  world.start();
  auto found = World::space();
  found.mutable_disk()->mutable_source()->set_id("old");
  world.create("op1", found);
  ASSERT_TRUE(world.disks.at("op1")) << world.why("op1");
  EXPECT_EQ(world.disks.at("op1")->disk().source().id(), "old");
  EXPECT_EQ(world.plugin.volumes.size(), 1u);
}

TEST(Provider, fails_a_launch_whose_volume_cannot_be_published_and_says_why) {
  World world;
  world.start();
  world.create("op1");
  world.plugin.codes["NodeStageVolume"] = 13;  // INTERNAL
  world.tell(PublishVolume{1, "v-op1"});
  ASSERT_TRUE(world.published.contains(1));
  EXPECT_EQ(world.published.at(1).error().message, "volume v-op1 of provider local cannot be published: told to");
  world.tell(PublishVolume{2, "v-op1"});  // the plugin is well again
  EXPECT_TRUE(world.published.at(2));
  // A plugin that is silent for too long.
  World silent;
  silent.start();
  silent.create("op1");
  silent.plugin.answers = false;
  silent.tell(PublishVolume{1, "v-op1"});
  for (int i = 0; i < 10 && !silent.published.contains(1); ++i) silent.pass();
  ASSERT_TRUE(silent.published.contains(1));
  EXPECT_FALSE(silent.published.at(1));
}

TEST(Provider, publishes_again_after_the_machine_was_started_anew) {
  World world;
  world.start();
  world.create("op1");
  world.tell(PublishVolume{1, "v-op1"});
  world.settings.boot_id = "boot-2";
  world.plugin.staged.clear();
  world.plugin.published.clear();
  world.start();
  EXPECT_EQ(world.provider->state_of("v-op1"), VolumeRecord::NODE_READY);
  world.tell(PublishVolume{2, "v-op1"});
  EXPECT_TRUE(world.published.at(2));
  EXPECT_TRUE(world.plugin.published.contains("v-op1"));
  EXPECT_TRUE(world.plugin.breaches.empty());
}

TEST(Provider, waits_for_its_plugin_and_complains_once) {
  World world;
  world.plugin.answers = false;
  world.start();
  world.create("op1");
  for (int i = 0; i < 10; ++i) world.pass();
  const auto complains = [](const std::string& text) { return text.find("cannot be used yet") != std::string::npos; };
  EXPECT_EQ(std::count_if(world.traces.begin(), world.traces.end(), complains), 1);
  world.plugin.answers = true;
  for (int i = 0; i < 5 && !world.disks.contains("op1"); ++i) world.pass();
  EXPECT_TRUE(world.disks.at("op1"));
}

TEST(Provider, starts_a_plugin_again_that_ended) {
  World world(R"(containers { services: CONTROLLER_SERVICE services: NODE_SERVICE command { value: "plugin" } })");
  world.start();
  EXPECT_EQ(world.ran, std::vector<int>{0});
  EXPECT_TRUE(world.plugin.calls.empty());  // not before it runs
  world.tell(PluginRuns{0});
  EXPECT_TRUE(world.provider->connected());
  world.tell(PluginEnded{0, "killed"});
  EXPECT_FALSE(world.provider->connected());
  world.create("op1");
  EXPECT_FALSE(world.disks.contains("op1"));
  world.pass();
  EXPECT_EQ(world.ran.size(), 2u);
  world.tell(PluginRuns{0});
  EXPECT_TRUE(world.disks.at("op1"));
}

TEST(Provider, asks_for_what_this_machine_can_reach) {
  World nowhere;
  nowhere.start();
  nowhere.create("op1");
  EXPECT_TRUE(nowhere.plugin.asked_for.empty());
  World world;
  world.plugin.zones = true;
  world.start();
  EXPECT_EQ(world.plugin.asked_for, std::vector<std::string>{"a"});
  world.create("op1");
  ASSERT_TRUE(world.disks.at("op1")) << world.why("op1");
  EXPECT_GE(world.plugin.asked_for.size(), 2u);
}

TEST(Provider, makes_no_call_before_what_it_is_for_is_durable) {
  World world;
  world.start();
  world.create("op1");
  world.disk_full = true;
  world.tell(PublishVolume{1, "v-op1"});
  EXPECT_EQ(world.plugin.calls.back(), "CreateVolume");
  world.disk_full = false;
  for (int i = 0; i < 5 && !world.published.contains(1); ++i) world.pass();
  EXPECT_TRUE(world.published.at(1));
}

}  // namespace
}  // namespace storage
