#include "kernel/storage/provider.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "kernel/storage/patience.hpp"

namespace storage {
namespace {

constexpr base::Duration kLongestWait = base::seconds(5);  // between attempts to reach the plugin
constexpr int kVolumesAtOnce = 1000;      // in an answer to ListVolumes
constexpr size_t kMaxVolumes = 100'000;   // of a plugin
constexpr size_t kMaxDisks = 10'000;      // operations under way

}  // namespace

Provider::Provider(Settings settings) : settings_(std::move(settings)) {}

void Provider::on(Event event, base::Now now, Effects& out) {
  now_ = now;
  out_ = &out;
  std::visit([this](auto& each) { handle(std::move(each)); }, event);
  out_ = nullptr;
}

std::optional<Provider::State> Provider::state_of(const std::string& volume) const {
  const auto found = volumes_.find(volume);
  if (found == volumes_.end()) return std::nullopt;
  return found->second.record.state();
}

void Provider::say(bool warning, const std::string& text) { out_->push_back(Trace{warning, settings_.title + ": " + text}); }

bool Provider::serves(Part part) const {
  const auto wanted = part == Part::Controller ? mesos::v1::CSIPluginContainerInfo::CONTROLLER_SERVICE
                                               : mesos::v1::CSIPluginContainerInfo::NODE_SERVICE;
  const auto& plugin = settings_.info.storage().plugin();
  for (const auto& endpoint : plugin.endpoints())
    if (endpoint.csi_service() == wanted) return true;
  for (const auto& container : plugin.containers())
    for (const int service : container.services())
      if (service == wanted) return true;
  return false;
}

void Provider::call(Part part, const char* method, const google::protobuf::MessageLite& message, Reaction reaction,
                    std::string subject, std::vector<std::string> directories, CallSecrets secrets) {
  const uint64_t id = next_++;
  calls_[id] = {reaction, std::move(subject)};
  out_->push_back(Call{id, part, method, message.SerializeAsString(), kCallTimeout, std::move(directories), std::move(secrets)});
}

void Provider::handle(Started event) {
  started_ = true;
  profiles_ = std::move(event.profiles);
  for (Record& record : event.volumes) {
    const std::string id = record.id();
    Volume& volume = volumes_[id];
    volume.record = std::move(record);
    // Mounts are gone when the machine was started anew; where it can be reached is not.
    if (volume.record.boot_id() != settings_.boot_id && volume.record.state() > Record::NODE_READY &&
        volume.record.state() < Record::CONTROLLER_UNPUBLISH)
      volume.record.set_state(Record::NODE_READY);
  }
  const auto& containers = settings_.info.storage().plugin().containers();
  for (int i = 0; i < containers.size(); ++i) {
    running_[i] = false;
    out_->push_back(RunPlugin{i});
  }
  if (containers.empty()) connect();
}

void Provider::handle(ProfilesChanged event) {
  profiles_ = std::move(event.profiles);
  want_survey();
}

void Provider::handle(PluginRuns event) {
  running_[event.index] = true;
  if (std::all_of(running_.begin(), running_.end(), [](const auto& each) { return each.second; })) connect();
}

void Provider::handle(PluginEnded event) {
  running_[event.index] = false;
  stage_ = Stage::Waiting;
  base::Duration& backoff = restart_backoff_[event.index];
  backoff = longer(backoff);
  say(true, fmt::format("its plugin ended ({}); it is started again in {}", event.why, base::render_duration(backoff)));
  set_timer("restart/" + std::to_string(event.index), backoff);
}

void Provider::handle(ChangeDisk event) {
  if (disks_.contains(event.id)) return;
  if (disks_.size() >= kMaxDisks)
    return out_->push_back(DiskChanged{event.id, base::unavailable("too many operations wait for this provider")});
  disks_[event.id].operation = std::move(event.operation);
  if (connected()) start_disks();
}

void Provider::handle(PublishVolume event) {
  const auto found = volumes_.find(event.volume);
  if (found == volumes_.end())
    return out_->push_back(Published{event.ticket, base::not_found("the provider has no volume " + event.volume)});
  Volume& volume = found->second;
  if (volume.goal == Goal::Gone)
    return out_->push_back(Published{event.ticket, base::conflict("volume " + event.volume + " is being deleted")});
  volume.waiting.push_back(event.ticket);
  want(event.volume, volume);
}

void Provider::handle(Answered event) {
  const auto found = calls_.find(event.call);
  if (found == calls_.end()) return;
  const Pending pending = std::move(found->second);
  calls_.erase(found);
  (this->*pending.reaction)(pending.subject, std::move(event.answer));
}

void Provider::handle(Persisted event) {
  const auto found = commits_.find(event.ticket);
  if (found == commits_.end()) return;
  const std::string volume = std::move(found->second);
  commits_.erase(found);
  if (event.status) return saved(volume);
  say(true, "the agent's store cannot be written, trying again: " + event.status.error().message);
  set_timer("save/" + volume, kFirstRetry);
}

void Provider::handle(TimerFired event) {
  const size_t slash = event.timer.find('/');
  const std::string kind = event.timer.substr(0, slash);
  const std::string subject = slash == std::string::npos ? "" : event.timer.substr(slash + 1);
  if (kind == "restart") return out_->push_back(RunPlugin{std::stoi(subject)});
  if (kind == "connect") return stage_ == Stage::Waiting ? connect() : void();
  if (kind == "survey") return want_survey();
  if (kind == "disk") {
    if (const auto disk = disks_.find(subject); disk != disks_.end()) {
      disk->second.busy = false;
      if (connected()) start_disks();
    }
    return;
  }
  const auto found = volumes_.find(subject);
  if (found == volumes_.end()) return;
  Volume& volume = found->second;
  if (kind == "save") return save(volume, subject);
  if (kind == "claims") return claims_expired(subject, volume);
  if (kind == "volume") {
    volume.busy = false;
    return advance(subject);
  }
  if (kind == "patience" && volume.goal == Goal::Published && now_.instant - volume.asked >= kPublishPatience)
    give_up(subject, volume, connected() ? "it took longer than " + base::render_duration(kPublishPatience)
                                         : "the plugin cannot be reached");
}

// Bringing the plugin up -------------------------------------------------------------------------------------------

void Provider::connect() {
  stage_ = Stage::Probe;
  can_ = {};
  ask();
}

void Provider::ask() {
  const auto send = [this](Part part, const char* method, const google::protobuf::MessageLite& message) {
    call(part, method, message, &Provider::heard, std::to_string(static_cast<int>(stage_)));
  };
  switch (stage_) {
    case Stage::Probe: return send(Part::Node, "/csi.v1.Identity/Probe", csi::v1::ProbeRequest());
    case Stage::Info: return send(Part::Node, "/csi.v1.Identity/GetPluginInfo", csi::v1::GetPluginInfoRequest());
    case Stage::Capabilities:
      return send(serves(Part::Controller) ? Part::Controller : Part::Node, "/csi.v1.Identity/GetPluginCapabilities",
                  csi::v1::GetPluginCapabilitiesRequest());
    case Stage::Controller:
      return send(Part::Controller, "/csi.v1.Controller/ControllerGetCapabilities", csi::v1::ControllerGetCapabilitiesRequest());
    case Stage::NodeCapabilities:
      return send(Part::Node, "/csi.v1.Node/NodeGetCapabilities", csi::v1::NodeGetCapabilitiesRequest());
    case Stage::NodeInfo: return send(Part::Node, "/csi.v1.Node/NodeGetInfo", csi::v1::NodeGetInfoRequest());
    case Stage::Waiting:
    case Stage::Connected: return;
  }
}

void Provider::heard(const std::string& subject, Answer answer) {
  if (subject != std::to_string(static_cast<int>(stage_))) return;  // of an attempt that was given up
  if (answer.code != 0) return connection_failed(answer.message);
  if (const base::Status done = understand(answer.body); !done) return connection_failed(done.error().message);
  if (stage_ != Stage::Connected) return ask();
  connect_backoff_ = base::Duration{0};
  complained_ = false;
  restart_backoff_.clear();
  say(false, "its plugin is ready");
  for (auto& [id, volume] : volumes_) advance(id);
  start_disks();
  want_survey();
}

base::Status Provider::understand(const std::string& body) {
  const auto unreadable = [](const char* what) {
    return base::Error{base::Code::BadGateway, std::string("its answer to ") + what + " does not decode"};
  };
  switch (stage_) {
    case Stage::Probe: {
      csi::v1::ProbeResponse probe;
      if (!probe.ParseFromString(body)) return unreadable("Probe");
      if (probe.has_ready() && !probe.ready().value()) return base::unavailable("it says that it is not ready yet");
      stage_ = Stage::Info;
      return {};
    }
    case Stage::Info: {
      csi::v1::GetPluginInfoResponse info;
      if (!info.ParseFromString(body)) return unreadable("GetPluginInfo");
      if (!complained_) say(false, fmt::format("plugin {} {}", info.name(), info.vendor_version()));
      stage_ = Stage::Capabilities;
      return {};
    }
    case Stage::Capabilities: {
      csi::v1::GetPluginCapabilitiesResponse list;
      if (!list.ParseFromString(body)) return unreadable("GetPluginCapabilities");
      using Service = csi::v1::PluginCapability::Service;
      for (const auto& each : list.capabilities()) {
        can_.controller = can_.controller || each.service().type() == Service::CONTROLLER_SERVICE;
        can_.topology = can_.topology || each.service().type() == Service::VOLUME_ACCESSIBILITY_CONSTRAINTS;
      }
      can_.controller = can_.controller && serves(Part::Controller);
      stage_ = can_.controller ? Stage::Controller : Stage::NodeCapabilities;
      return {};
    }
    case Stage::Controller: {
      using Rpc = csi::v1::ControllerServiceCapability::RPC;
      csi::v1::ControllerGetCapabilitiesResponse list;
      if (!list.ParseFromString(body)) return unreadable("ControllerGetCapabilities");
      for (const auto& each : list.capabilities()) {
        can_.create_delete = can_.create_delete || each.rpc().type() == Rpc::CREATE_DELETE_VOLUME;
        can_.publish = can_.publish || each.rpc().type() == Rpc::PUBLISH_UNPUBLISH_VOLUME;
        can_.list = can_.list || each.rpc().type() == Rpc::LIST_VOLUMES;
        can_.capacity = can_.capacity || each.rpc().type() == Rpc::GET_CAPACITY;
      }
      stage_ = Stage::NodeCapabilities;
      return {};
    }
    case Stage::NodeCapabilities: {
      csi::v1::NodeGetCapabilitiesResponse list;
      if (!list.ParseFromString(body)) return unreadable("NodeGetCapabilities");
      for (const auto& each : list.capabilities())
        can_.stage = can_.stage || each.rpc().type() == csi::v1::NodeServiceCapability::RPC::STAGE_UNSTAGE_VOLUME;
      stage_ = can_.publish || can_.topology ? Stage::NodeInfo : Stage::Connected;
      return {};
    }
    case Stage::NodeInfo: {
      csi::v1::NodeGetInfoResponse info;
      if (!info.ParseFromString(body) || info.node_id().empty()) return unreadable("NodeGetInfo");
      can_.node_id = info.node_id();
      if (can_.topology && info.has_accessible_topology()) can_.here = info.accessible_topology();
      stage_ = Stage::Connected;
      return {};
    }
    case Stage::Waiting:
    case Stage::Connected: return {};
  }
  return {};
}

void Provider::connection_failed(const std::string& why) {
  stage_ = Stage::Waiting;
  connect_backoff_ = std::min(longer(connect_backoff_), kLongestWait);
  if (!complained_) say(true, "its plugin cannot be used yet, trying on: " + why);
  complained_ = true;
  set_timer("connect", connect_backoff_);
}

// What the plugin has ----------------------------------------------------------------------------------------------

void Provider::want_survey() {
  survey_wanted_ = true;
  survey();
}

/// Volumes that are being made or deleted would be seen or not by chance: one after the other.
void Provider::survey() {
  if (!survey_wanted_ || surveying_ || !connected() || !disks_.empty()) return;
  survey_wanted_ = false;
  surveying_ = true;
  survey_ = {};
  survey_.lists_volumes = can_.list;
  unmeasured_.clear();
  if (can_.capacity && can_.create_delete)
    for (const auto& [name, profile] : profiles_) unmeasured_.push_back(name);
  if (!can_.list) return survey_next();
  csi::v1::ListVolumesRequest request;
  request.set_max_entries(kVolumesAtOnce);
  call(Part::Controller, "/csi.v1.Controller/ListVolumes", request, &Provider::listed, "");
}

void Provider::listed(const std::string&, Answer answer) {
  if (answer.code != 0) return survey_failed(answer);
  csi::v1::ListVolumesResponse list;
  if (!list.ParseFromString(answer.body)) return survey_failed({-1, "its answer to ListVolumes does not decode", ""});
  for (const auto& entry : list.entries()) {
    if (entry.volume().volume_id().empty()) continue;
    FoundVolume volume;
    volume.id = entry.volume().volume_id();
    volume.bytes = static_cast<uint64_t>(std::max<int64_t>(entry.volume().capacity_bytes(), 0));
    volume.context.insert(entry.volume().volume_context().begin(), entry.volume().volume_context().end());
    survey_.volumes.push_back(std::move(volume));
  }
  if (list.next_token().empty()) return survey_next();
  if (survey_.volumes.size() >= kMaxVolumes) return survey_failed({-1, fmt::format("it lists more than {} volumes", kMaxVolumes), ""});
  csi::v1::ListVolumesRequest request;
  request.set_max_entries(kVolumesAtOnce);
  request.set_starting_token(list.next_token());
  call(Part::Controller, "/csi.v1.Controller/ListVolumes", request, &Provider::listed, "");
}

void Provider::survey_next() {
  while (!unmeasured_.empty()) {
    const std::string name = unmeasured_.back();
    unmeasured_.pop_back();
    const auto profile = profiles_.find(name);
    if (profile == profiles_.end()) continue;
    csi::v1::GetCapacityRequest request;
    *request.add_volume_capabilities() = profile->second.capability;
    request.mutable_parameters()->insert(profile->second.parameters.begin(), profile->second.parameters.end());
    if (can_.here) *request.mutable_accessible_topology() = *can_.here;
    return call(Part::Controller, "/csi.v1.Controller/GetCapacity", request, &Provider::measured, name);
  }
  surveying_ = false;
  out_->push_back(Surveyed{std::move(survey_)});
  const double interval = settings_.info.storage().reconciliation_interval_seconds();
  if (interval >= 1) set_timer("survey", base::milliseconds(static_cast<int64_t>(std::min(interval, 1e6) * 1000)));
  start_disks();
  survey();
}

void Provider::measured(const std::string& profile, Answer answer) {
  csi::v1::GetCapacityResponse capacity;
  if (answer.code != 0) return survey_failed(answer);
  if (!capacity.ParseFromString(answer.body)) return survey_failed({-1, "its answer to GetCapacity does not decode", ""});
  survey_.free_bytes[profile] = static_cast<uint64_t>(std::max<int64_t>(capacity.available_capacity(), 0));
  survey_next();
}

void Provider::survey_failed(const Answer& answer) {
  surveying_ = false;
  say(true, "what its plugin has is not known, trying again: " + answer.message);
  set_timer("survey", kLongestRetry / 3);
  start_disks();
}

}  // namespace storage
