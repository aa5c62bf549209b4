// Conversations with a provider of disks: a plugin that answers at once, or fails, hangs, loses answers; crashes after any
// effect.

#include "kernel/storage/provider.hpp"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <set>

namespace storage {
namespace {

using Operation = mesos::v1::Offer::Operation;
using dcos::storage::v1::VolumeRecord;

/// What a plugin keeps: it outlives the agent. Breaches of CSI's order are noted.
struct FakePlugin {
  std::map<std::string, int64_t> volumes;  // bytes by id
  std::set<std::string> attached, staged, published;
  std::vector<std::string> breaches;
  std::vector<std::string> calls;          // methods, in order
  std::map<std::string, int> codes;        // method -> what it answers once
  std::set<std::string> silent;            // methods that do what they are asked and do not answer
  bool answers = true;
  int64_t bytes = int64_t{100} << 20;

  bool empty() const { return volumes.empty() && attached.empty() && staged.empty() && published.empty(); }

  template <class Message>
  static Message read(const Call& call) {
    Message message;
    EXPECT_TRUE(message.ParseFromString(call.body)) << call.method;
    return message;
  }
  void need(bool condition, const std::string& what) {
    if (!condition) breaches.push_back(what);
  }

  std::optional<Answer> ask(const Call& call) {
    const std::string method = call.method.substr(call.method.rfind('/') + 1);
    calls.push_back(method);
    if (!answers) return std::nullopt;
    if (const auto code = codes.find(method); code != codes.end()) {
      const Answer answer{code->second, "told to", ""};
      codes.erase(code);
      return answer;
    }
    Answer answer = work(method, call);
    if (silent.contains(method)) return std::nullopt;
    return answer;
  }

  Answer work(const std::string& method, const Call& call) {
    const auto well = [](const google::protobuf::MessageLite& message) { return Answer{0, "", message.SerializeAsString()}; };
    if (method == "GetPluginCapabilities") {
      csi::v1::GetPluginCapabilitiesResponse out;
      out.add_capabilities()->mutable_service()->set_type(csi::v1::PluginCapability::Service::CONTROLLER_SERVICE);
      return well(out);
    }
    if (method == "ControllerGetCapabilities") {
      csi::v1::ControllerGetCapabilitiesResponse out;
      for (int type = 1; type <= 4; ++type)
        out.add_capabilities()->mutable_rpc()->set_type(static_cast<csi::v1::ControllerServiceCapability::RPC::Type>(type));
      return well(out);
    }
    if (method == "NodeGetCapabilities") {
      csi::v1::NodeGetCapabilitiesResponse out;
      out.add_capabilities()->mutable_rpc()->set_type(csi::v1::NodeServiceCapability::RPC::STAGE_UNSTAGE_VOLUME);
      return well(out);
    }
    if (method == "NodeGetInfo") {
      csi::v1::NodeGetInfoResponse out;
      out.set_node_id("n");
      return well(out);
    }
    if (method == "GetCapacity") {
      csi::v1::GetCapacityResponse out;
      int64_t used = 0;
      for (const auto& [id, size] : volumes) used += size;
      out.set_available_capacity(bytes - used);
      return well(out);
    }
    if (method == "ListVolumes") {
      csi::v1::ListVolumesResponse out;
      for (const auto& [id, size] : volumes) {
        out.add_entries()->mutable_volume()->set_volume_id(id);
        out.mutable_entries(out.entries_size() - 1)->mutable_volume()->set_capacity_bytes(size);
      }
      return well(out);
    }
    if (method == "CreateVolume") {
      const auto in = read<csi::v1::CreateVolumeRequest>(call);
      volumes["v-" + in.name()] = in.capacity_range().required_bytes();
      csi::v1::CreateVolumeResponse out;
      out.mutable_volume()->set_volume_id("v-" + in.name());
      (*out.mutable_volume()->mutable_volume_context())["kind"] = in.parameters().at("kind");
      return well(out);
    }
    if (method == "DeleteVolume") {
      const auto id = read<csi::v1::DeleteVolumeRequest>(call).volume_id();
      need(!attached.contains(id) && !staged.contains(id) && !published.contains(id), "deleted while it is in use");
      volumes.erase(id);
      return well(csi::v1::DeleteVolumeResponse());
    }
    if (method == "ValidateVolumeCapabilities") {
      csi::v1::ValidateVolumeCapabilitiesResponse out;
      (void)out.mutable_confirmed();
      return well(out);
    }
    if (method == "ControllerPublishVolume") {
      const auto in = read<csi::v1::ControllerPublishVolumeRequest>(call);
      need(volumes.contains(in.volume_id()), "attached a volume that is not there");
      need(in.node_id() == "n", "attached to another node");
      attached.insert(in.volume_id());
      csi::v1::ControllerPublishVolumeResponse out;
      (*out.mutable_publish_context())["device"] = "d";
      return well(out);
    }
    if (method == "ControllerUnpublishVolume") {
      const auto id = read<csi::v1::ControllerUnpublishVolumeRequest>(call).volume_id();
      need(!staged.contains(id) && !published.contains(id), "detached while it is staged");
      attached.erase(id);
      return well(csi::v1::ControllerUnpublishVolumeResponse());
    }
    if (method == "NodeStageVolume") {
      const auto in = read<csi::v1::NodeStageVolumeRequest>(call);
      need(attached.contains(in.volume_id()), "staged before it is attached");
      need(in.publish_context().contains("device"), "staged without context");
      staged.insert(in.volume_id());
      return well(csi::v1::NodeStageVolumeResponse());
    }
    if (method == "NodeUnstageVolume") {
      const auto id = read<csi::v1::NodeUnstageVolumeRequest>(call).volume_id();
      need(!published.contains(id), "unstaged while it is published");
      staged.erase(id);
      return well(csi::v1::NodeUnstageVolumeResponse());
    }
    if (method == "NodePublishVolume") {
      const auto in = read<csi::v1::NodePublishVolumeRequest>(call);
      need(staged.contains(in.volume_id()), "published before it is staged");
      need(in.volume_context().contains("kind"), "published without context");
      published.insert(in.volume_id());
      return well(csi::v1::NodePublishVolumeResponse());
    }
    if (method == "NodeUnpublishVolume") {
      published.erase(read<csi::v1::NodeUnpublishVolumeRequest>(call).volume_id());
      return well(csi::v1::NodeUnpublishVolumeResponse());
    }
    return well(csi::v1::ProbeResponse());  // and GetPluginInfo, which may say nothing
  }
};

class World {
 public:
  explicit World(const std::string& more = "") {
    std::string text = R"(id { value: "rp" } type: "org.apache.mesos.rp.local.storage" name: "local" storage { plugin {
        type: "org.example.test" name: "p" )" + (more.empty() ? std::string(R"(
        endpoints { csi_service: CONTROLLER_SERVICE endpoint: "/s" }
        endpoints { csi_service: NODE_SERVICE endpoint: "/s" })") : more) + " } }";
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &settings.info));
    settings.work_dir = "/agent";
    settings.boot_id = "boot-1";
  }

  /// A new provider from what is stored.
  void start() {
    provider = std::make_unique<Provider>(settings);
    timers.clear();
    queue.clear();
    published.clear();
    ++life;
    Started started;
    for (const auto& [key, value] : store) {
      EXPECT_TRUE(key.starts_with("storage/rp/"));
      started.volumes.emplace_back().ParseFromString(value);
    }
    Profile profile;
    profile.capability.mutable_mount();
    profile.parameters["kind"] = "ssd";
    started.profiles["fast"] = profile;
    tell(std::move(started));
  }

  /// Effects are performed one by one; after `crash_after` of them (0: never) the provider is gone.
  void tell(Event event) {
    queue.push_back(std::move(event));
    const int own_life = life;
    if (running) return;
    running = true;
    while (!queue.empty() && life == own_life) {
      Event next = std::move(queue.front());
      queue.pop_front();
      Effects effects;
      provider->on(std::move(next), now, effects);
      for (auto& effect : effects) {
        if (crash_after > 0 && ++performed > crash_after) {
          crashed = true;
          queue.clear();
          break;
        }
        perform(effect);
      }
    }
    running = false;
  }

  void perform(Effect& effect) {
    if (auto* call = std::get_if<Call>(&effect)) {
      if (auto answer = plugin.ask(*call))
        queue.push_back(Answered{call->id, std::move(*answer)});
      else
        hanging.push_back(call->id);
    } else if (auto* persist = std::get_if<Persist>(&effect)) {
      if (!disk_full)
        for (auto& write : persist->batch.writes) {
          if (write.value)
            store[write.key] = *write.value;
          else
            store.erase(write.key);
        }
      queue.push_back(Persisted{persist->ticket, disk_full ? base::Status(base::Error{base::Code::NoSpace, "full"}) : base::Status()});
    } else if (auto* timer = std::get_if<SetTimer>(&effect)) {
      timers[timer->timer] = timer->at;
    } else if (auto* surveyed = std::get_if<Surveyed>(&effect)) {
      surveys.push_back(surveyed->survey);
    } else if (auto* changed = std::get_if<DiskChanged>(&effect)) {
      disks.insert_or_assign(changed->id, changed->disk);
    } else if (auto* done = std::get_if<Published>(&effect)) {
      published.insert_or_assign(done->ticket, done->status);
    } else if (auto* run = std::get_if<RunPlugin>(&effect)) {
      ran.push_back(run->index);
    } else if (auto* trace = std::get_if<Trace>(&effect)) {
      traces.push_back(trace->text);
    }
  }

  /// Time passes until the next timer, or what hangs has waited too long.
  void pass() {
    if (!hanging.empty()) {
      const auto ids = std::exchange(hanging, {});
      now.instant = now.instant + base::minutes(1);
      for (const uint64_t id : ids) tell(Answered{id, {kDeadlineExceeded, "Deadline Exceeded", ""}});
      return;
    }
    if (timers.empty()) return;
    auto first = timers.begin();
    for (auto at = timers.begin(); at != timers.end(); ++at)
      if (at->second < first->second) first = at;
    const std::string name = first->first;
    now.instant = std::max(now.instant, first->second);
    timers.erase(first);
    tell(TimerFired{name});
  }

  static mesos::v1::Resource space() {
    mesos::v1::Resource resource;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        "name: 'disk' type: SCALAR scalar { value: 10 } provider_id { value: 'rp' } disk { source { type: RAW profile: 'fast' } }",
        &resource));
    return resource;
  }
  void create(const std::string& id, mesos::v1::Resource source = space()) {
    ChangeDisk change{id, {}};
    change.operation.set_type(Operation::CREATE_DISK);
    *change.operation.mutable_create_disk()->mutable_source() = std::move(source);
    change.operation.mutable_create_disk()->set_target_type(mesos::v1::Resource::DiskInfo::Source::MOUNT);
    tell(std::move(change));
  }
  void destroy(const std::string& id, const mesos::v1::Resource& disk) {
    ChangeDisk change{id, {}};
    change.operation.set_type(Operation::DESTROY_DISK);
    *change.operation.mutable_destroy_disk()->mutable_source() = disk;
    tell(std::move(change));
  }
  std::string why(const std::string& id) const { return disks.at(id) ? "" : disks.at(id).error().message; }

  Settings settings;
  FakePlugin plugin;
  std::unique_ptr<Provider> provider;
  std::map<std::string, std::string> store;
  std::map<std::string, base::Instant> timers;
  std::deque<Event> queue;
  std::vector<uint64_t> hanging;
  std::vector<Survey> surveys;
  std::map<std::string, base::Result<mesos::v1::Resource>> disks;
  std::map<uint64_t, base::Status> published;
  std::vector<int> ran;
  std::vector<std::string> traces;
  base::Now now{base::Instant{base::seconds(100)}, base::Time{base::seconds(1000)}};
  bool running = false, crashed = false, disk_full = false;
  int life = 0, performed = 0, crash_after = 0;
};

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
