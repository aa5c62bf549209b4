// Volumes that exist without us: who has them, through crashes at any effect.

#include "kernel/storage/claims.hpp"

#include <gtest/gtest.h>

#include "kernel/storage/testing/provider_world.hpp"

namespace storage {
namespace {

using dcos::storage::v1::VolumeRecord;

mesos::v1::ContainerInfo container(const std::string& text) {
  mesos::v1::ContainerInfo info;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString("type: MESOS " + text, &info)) << text;
  return info;
}

std::string volume(const std::string& mode, const std::string& how) {
  return "volumes { mode: " + mode + " container_path: 'data' source { type: CSI_VOLUME csi_volume { plugin_name: 'org.example.nfs' "
         "static_provisioning { volume_id: 'v1' " + how + " } } } } ";
}

const std::string kWriter = "volume_capability { mount {} access_mode { mode: MULTI_NODE_MULTI_WRITER } } "
                            "volume_context { key: 'kind' value: 'ssd' } ";

/// A plugin of --csi_plugin_config_dir with a volume that somebody made.
class Claims : public World {
 public:
  explicit Claims(bool controller = false) {
    mesos::v1::CSIPluginInfo description;
    description.set_type("org.example.nfs");
    const auto add = [&](mesos::v1::CSIPluginContainerInfo::Service service) {
      auto& endpoint = *description.add_endpoints();
      endpoint.set_csi_service(service);
      endpoint.set_endpoint("/s");
    };
    add(mesos::v1::CSIPluginContainerInfo::NODE_SERVICE);
    if (controller) add(mesos::v1::CSIPluginContainerInfo::CONTROLLER_SERVICE);
    EXPECT_TRUE(validate(description));
    settings.info = provider_info(description);
    settings.title = "Storage plugin org.example.nfs";
    plugin.controller = controller;
    plugin.volumes["v1"] = 1 << 20;
  }

  void claim(uint64_t ticket, const std::string& holder, const std::string& mode = "RW", const std::string& how = kWriter) {
    const auto wanted = wanted_volumes(container(volume(mode, how)));
    ASSERT_TRUE(wanted) << wanted.error().message;
    tell(ClaimVolume{ticket, holder, wanted->at(0).volume});
  }
  void release(const std::string& holder) { tell(ReleaseVolumes{holder}); }
  std::string refusal(uint64_t ticket) const {
    const auto found = published.find(ticket);
    return found == published.end() ? "not answered" : found->second ? "" : found->second.error().message;
  }
  bool nothing_left() const {
    return plugin.published.empty() && plugin.staged.empty() && plugin.attached.empty() && store.empty() && plugin.volumes.size() == 1;
  }
};

TEST(Claims, publish_a_volume_for_the_first_container_and_take_it_back_after_the_last) {
  for (const bool controller : {false, true}) {
    SCOPED_TRACE(controller);
    Claims world(controller);
    world.start();
    world.claim(1, "a");
    EXPECT_EQ(world.refusal(1), "");
    EXPECT_EQ(world.places.at(1).path, "/agent/csi/org.example.nfs/default/mounts/v1/target");
    EXPECT_FALSE(world.places.at(1).in_use);
    EXPECT_EQ(world.plugin.attached.contains("v1"), controller);
    EXPECT_TRUE(world.plugin.published.contains("v1"));
    const size_t calls = world.plugin.calls.size();
    world.claim(2, "b", "RO");
    EXPECT_EQ(world.refusal(2), "");
    EXPECT_TRUE(world.places.at(2).in_use);
    EXPECT_EQ(world.plugin.calls.size(), calls);
    world.release("a");
    EXPECT_TRUE(world.plugin.published.contains("v1"));
    world.release("b");
    EXPECT_TRUE(world.nothing_left());
    EXPECT_TRUE(world.plugin.breaches.empty()) << world.plugin.breaches[0];
  }
}

TEST(Claims, never_ask_for_a_controller_that_the_description_does_not_name) {
  Claims world;
  world.plugin.controller = true;  // the plugin says that it has one
  world.start();
  world.claim(1, "a");
  world.plugin.attached.insert("v1");
  for (const auto& method : world.plugin.calls) EXPECT_FALSE(method.starts_with("Controller")) << method;
}

TEST(Claims, are_known_after_a_restart_and_what_nobody_has_is_taken_back) {
  Claims world;
  world.start();
  world.claim(1, "a");
  world.start();  // the agent was killed, the container runs on
  EXPECT_TRUE(world.plugin.published.contains("v1"));
  world.tell(HoldersKnown{{{"v1", {"a"}}}});
  EXPECT_TRUE(world.plugin.published.contains("v1"));
  world.release("a");
  EXPECT_TRUE(world.nothing_left());
  world.claim(2, "b");
  world.start();  // the container ended meanwhile
  world.tell(HoldersKnown{});
  EXPECT_TRUE(world.nothing_left());
}

TEST(Claims, leave_nothing_after_a_crash_at_any_effect) {
  for (int crash_after = 1;; ++crash_after) {
    SCOPED_TRACE(crash_after);
    Claims world(true);
    world.crash_after = crash_after;
    const auto again = [&] {
      if (!world.crashed) return false;
      world.crashed = false;
      world.crash_after = 0;
      world.hanging.clear();
      world.start();
      return true;
    };
    world.start();
    world.claim(1, "a");
    if (again()) {
      world.tell(HoldersKnown{});  // its launch never got further
    } else {
      ASSERT_EQ(world.refusal(1), "");
      world.release("a");
      if (again()) world.tell(HoldersKnown{});
    }
    EXPECT_TRUE(world.nothing_left());
    EXPECT_TRUE(world.plugin.breaches.empty()) << world.plugin.breaches[0];
    if (world.crash_after != 0) break;  // it ended before that many effects
  }
}

TEST(Claims, of_containers_that_go_on_survive_a_crash_at_any_effect) {
  for (int crash_after = 1; crash_after < 60; ++crash_after) {
    SCOPED_TRACE(crash_after);
    Claims world;
    world.start();
    world.claim(1, "a");
    world.crash_after = world.performed + crash_after;
    world.claim(2, "b");
    world.release("b");
    world.crashed = false;
    world.crash_after = 0;
    world.start();
    world.tell(HoldersKnown{{{"v1", {"a"}}}});
    EXPECT_TRUE(world.plugin.published.contains("v1"));
  }
}

TEST(Claims, wait_until_the_volume_was_taken_back_from_those_before) {
  Claims world;
  world.start();
  world.claim(1, "a", "RO");
  EXPECT_TRUE(world.plugin.read_only.contains("v1"));
  world.claim(2, "writer");
  EXPECT_NE(world.refusal(2).find("is published read-only for containers of this agent that run"), std::string::npos) << world.refusal(2);
  world.plugin.codes["NodeUnpublishVolume"] = kUnavailable;
  world.release("a");
  world.claim(3, "writer");
  EXPECT_EQ(world.refusal(3), "not answered");
  for (int i = 0; i < 5 && world.refusal(3) == "not answered"; ++i) world.pass();
  EXPECT_EQ(world.refusal(3), "");
  EXPECT_FALSE(world.plugin.read_only.contains("v1"));
  world.release("writer");
  EXPECT_TRUE(world.nothing_left());
}

TEST(Claims, do_not_wait_for_ever_for_what_is_not_taken_back) {
  Claims world;
  world.start();
  world.claim(1, "a");
  world.plugin.silent.insert("NodeUnpublishVolume");
  world.release("a");
  world.claim(2, "b");
  for (int i = 0; i < 5 && world.refusal(2) == "not answered"; ++i) world.pass();
  EXPECT_NE(world.refusal(2).find("is still being taken back from containers that have ended"), std::string::npos) << world.refusal(2);
  world.plugin.silent.clear();
  for (int i = 0; i < 5 && !world.nothing_left(); ++i) world.pass();
  EXPECT_TRUE(world.nothing_left());
}

TEST(Claims, are_refused_when_the_volume_is_in_use_in_another_way) {
  Claims world;
  world.start();
  world.claim(1, "a");
  world.claim(2, "b", "RW", "volume_capability { mount { fs_type: 'xfs' } access_mode { mode: MULTI_NODE_MULTI_WRITER } }");
  EXPECT_EQ(world.refusal(2), "volume v1 is in use on this agent with another capability or context");
  world.release("b");
  EXPECT_TRUE(world.plugin.published.contains("v1"));
}

TEST(Claims, that_fail_say_why_and_leave_nothing) {
  Claims world;
  world.start();
  world.plugin.codes["NodePublishVolume"] = 13;  // INTERNAL
  world.claim(1, "a");
  EXPECT_EQ(world.refusal(1), "volume v1 of storage plugin org.example.nfs cannot be published: told to");
  EXPECT_TRUE(world.plugin.staged.contains("v1"));
  world.release("a");
  EXPECT_TRUE(world.nothing_left());
}

TEST(Claims, are_taken_back_however_often_the_plugin_refuses) {
  Claims world;
  world.start();
  world.claim(1, "a");
  world.plugin.codes["NodeUnpublishVolume"] = 13;
  world.release("a");
  EXPECT_TRUE(world.plugin.published.contains("v1"));
  for (int i = 0; i < 5 && !world.nothing_left(); ++i) world.pass();
  EXPECT_TRUE(world.nothing_left());
}

TEST(Claims, of_containers_that_are_given_up_meanwhile_are_taken_back) {
  Claims world;
  world.start();
  world.plugin.silent.insert("NodeStageVolume");
  world.claim(1, "a");
  EXPECT_EQ(world.refusal(1), "not answered");
  world.release("a");
  world.plugin.silent.clear();
  for (int i = 0; i < 5 && !world.nothing_left(); ++i) world.pass();
  EXPECT_TRUE(world.nothing_left());
}

TEST(Claims, name_secrets_for_the_calls_that_need_them) {
  Claims world;
  world.start();
  world.claim(1, "a", "RW", kWriter +
              "node_stage_secrets { key: 'user' value { type: REFERENCE reference { name: 'nfs/user' } } } "
              "node_publish_secrets { key: 'word' value { type: VALUE value { data: 'hush' } } }");
  ASSERT_EQ(world.secrets.size(), world.plugin.calls.size());
  for (size_t i = 0; i < world.secrets.size(); ++i) {
    const auto& secrets = world.secrets[i];
    if (world.plugin.calls[i] == "NodeStageVolume") {
      EXPECT_EQ(secrets.field, 5);
      EXPECT_EQ(secrets.secrets.at("user").reference().name(), "nfs/user");
    } else if (world.plugin.calls[i] == "NodePublishVolume") {
      EXPECT_EQ(secrets.field, 7);
      EXPECT_EQ(secrets.secrets.at("word").value().data(), "hush");
    } else {
      EXPECT_TRUE(secrets.secrets.empty()) << world.plugin.calls[i];
    }
  }
}

TEST(WantedVolumes, name_what_is_wrong) {
  const auto refusal = [](const std::string& text) {
    const auto wanted = wanted_volumes(container(text));
    return wanted ? "accepted" : wanted.error().message;
  };
  EXPECT_EQ(refusal(volume("RW", kWriter)), "accepted");
  EXPECT_EQ(refusal("volumes { mode: RW container_path: 'd' host_path: '/x' }"), "accepted");
  EXPECT_NE(refusal(volume("RW", kWriter) + volume("RO", kWriter)).find("Found duplicate CSI volume"), std::string::npos);
  EXPECT_NE(refusal(volume("RW", "volume_capability { mount {} access_mode { mode: MULTI_NODE_READER_ONLY } }"))
                .find("Cannot use the read-only volume 'v1' in read-write mode"),
            std::string::npos);
  EXPECT_NE(refusal(volume("RW", "volume_capability { block {} access_mode { mode: SINGLE_NODE_WRITER } }")).find("must be a mount"),
            std::string::npos);
  EXPECT_NE(refusal(volume("RW", "volume_capability { mount {} access_mode { mode: UNKNOWN } }")).find("access_mode.mode' must be set"),
            std::string::npos);
  EXPECT_NE(refusal("volumes { mode: RW container_path: 'd' source { type: CSI_VOLUME } }").find("'source.csi_volume' is not set"),
            std::string::npos);
  mesos::v1::ContainerInfo docker = container(volume("RW", kWriter));
  docker.set_type(mesos::v1::ContainerInfo::DOCKER);
  EXPECT_FALSE(wanted_volumes(docker));
  EXPECT_TRUE(wants_volumes(docker));
}

TEST(WantedVolumes, plugins_need_the_service_of_nodes_and_names_without_doubt) {
  mesos::v1::CSIPluginInfo plugin;
  plugin.set_type("a-b.c");
  EXPECT_NE(validate(plugin).error().message.find("one of 'containers' and 'endpoints' must be set"), std::string::npos);
  auto& endpoint = *plugin.add_endpoints();
  endpoint.set_endpoint("/s");
  endpoint.set_csi_service(mesos::v1::CSIPluginContainerInfo::CONTROLLER_SERVICE);
  EXPECT_NE(validate(plugin).error().message.find("'endpoints.csi_service' must have NODE_SERVICE once"), std::string::npos);
  endpoint.set_csi_service(mesos::v1::CSIPluginContainerInfo::NODE_SERVICE);
  EXPECT_TRUE(validate(plugin));
  EXPECT_EQ(provider_info(plugin).id().value(), "plugin-a+b=c");  // no dot, and no dash of its own
}

}  // namespace
}  // namespace storage
