#pragma once

// A provider of disks in a world of its own: a plugin that answers at once, or fails, hangs, loses answers; a store; a crash
// after any effect.

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <set>

#include "kernel/storage/provider.hpp"

namespace storage {

using Operation = mesos::v1::Offer::Operation;

/// What a plugin keeps: it outlives the agent. Breaches of CSI's order are noted.
struct FakePlugin {
  std::map<std::string, int64_t> volumes;  // bytes by id
  std::set<std::string> attached, staged, published, read_only;
  bool controller = true;                  // has the controller's part
  bool zones = false;                      // knows where machines are
  std::vector<std::string> asked_for;      // zones of volumes and of free space
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
      if (zones) out.add_capabilities()->mutable_service()->set_type(csi::v1::PluginCapability::Service::VOLUME_ACCESSIBILITY_CONSTRAINTS);
      if (controller) out.add_capabilities()->mutable_service()->set_type(csi::v1::PluginCapability::Service::CONTROLLER_SERVICE);
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
      if (zones) (*out.mutable_accessible_topology()->mutable_segments())["zone"] = "a";
      return well(out);
    }
    if (method == "GetCapacity") {
      csi::v1::GetCapacityResponse out;
      const auto in = read<csi::v1::GetCapacityRequest>(call);
      for (const auto& [key, zone] : in.accessible_topology().segments()) asked_for.push_back(zone);
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
      for (const auto& where : in.accessibility_requirements().requisite())
        for (const auto& [key, zone] : where.segments()) asked_for.push_back(zone);
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
      need(!controller || attached.contains(in.volume_id()), "staged before it is attached");
      need(!controller || in.publish_context().contains("device"), "staged without context");
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
      if (in.readonly()) read_only.insert(in.volume_id());
      return well(csi::v1::NodePublishVolumeResponse());
    }
    if (method == "NodeUnpublishVolume") {
      const auto id = read<csi::v1::NodeUnpublishVolumeRequest>(call).volume_id();
      published.erase(id), read_only.erase(id);
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
    settings.title = "Provider local";
  }

  /// A new provider from what is stored.
  void start() {
    provider = std::make_unique<Provider>(settings);
    timers.clear();
    queue.clear();
    published.clear();
    places.clear();
    ++life;
    Started started;
    for (const auto& [key, value] : store) {
      EXPECT_TRUE(key.starts_with(volume_prefix(settings.info.id().value()))) << key;
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
      secrets.push_back(call->secrets);
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
      places.insert_or_assign(done->ticket, *done);
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
  std::map<uint64_t, Published> places;
  std::vector<CallSecrets> secrets;        // of each call
  std::vector<int> ran;
  std::vector<std::string> traces;
  base::Now now{base::Instant{base::seconds(100)}, base::Time{base::seconds(1000)}};
  bool running = false, crashed = false, disk_full = false;
  int life = 0, performed = 0, crash_after = 0;
};

}  // namespace storage
