// The life of a volume on this machine: made, reachable, staged, published, and back. A step is written down before its
// call is made, so that after a crash it is known what may have been done; calls of CSI may be made again.

#include <fmt/core.h>

#include "base/strings.hpp"
#include "kernel/storage/patience.hpp"
#include "kernel/storage/provider.hpp"

namespace storage {

std::string volume_prefix(const std::string& provider) { return "storage/" + provider + "/"; }

namespace {

std::string volume_key(const std::string& provider, const std::string& id) {
  std::string key = volume_prefix(provider);
  for (const char byte : id) key += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return key;
}

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

CallSecrets secrets_of(const google::protobuf::Map<std::string, mesos::v1::Secret>& secrets, int field) {
  return {field, {secrets.begin(), secrets.end()}};
}

}  // namespace

std::string Provider::target(const std::string& id) const {
  if (const auto found = volumes_.find(id); found != volumes_.end() && !found->second.record.target_path().empty())
    return found->second.record.target_path();
  return target_path(targets_root(settings_.work_dir, settings_.info), id);
}

std::string Provider::staging_path(const std::string& id) const { return parent_of(target(id)) + "/staging"; }

void Provider::advance(const std::string& id) {
  const auto found = volumes_.find(id);
  if (found == volumes_.end() || found->second.busy || !connected()) return;
  if (found->second.goal == Goal::Published) up(id, found->second);
  if (found->second.goal == Goal::Gone) down(id, found->second);
}

void Provider::up(const std::string& id, Volume& volume) {
  const Record& record = volume.record;
  switch (record.state()) {
    case Record::CREATED: return enter(id, volume, can_.publish ? Record::CONTROLLER_PUBLISH : Record::NODE_READY);
    case Record::CONTROLLER_PUBLISH: {
      csi::v1::ControllerPublishVolumeRequest request;
      request.set_volume_id(id);
      request.set_node_id(can_.node_id);
      *request.mutable_volume_capability() = record.capability();
      request.set_readonly(record.read_only());
      *request.mutable_volume_context() = record.volume_context();
      volume.busy = true;
      return call(Part::Controller, "/csi.v1.Controller/ControllerPublishVolume", request, &Provider::moved, id);
    }
    case Record::NODE_READY: return enter(id, volume, can_.stage ? Record::NODE_STAGE : Record::VOL_READY);
    case Record::NODE_STAGE: {
      csi::v1::NodeStageVolumeRequest request;
      request.set_volume_id(id);
      *request.mutable_publish_context() = record.publish_context();
      request.set_staging_target_path(staging_path(id));
      *request.mutable_volume_capability() = record.capability();
      *request.mutable_volume_context() = record.volume_context();
      volume.busy = true;
      return call(Part::Node, "/csi.v1.Node/NodeStageVolume", request, &Provider::moved, id, {staging_path(id)},
                  secrets_of(record.stage_secrets(), request.kSecretsFieldNumber));
    }
    case Record::VOL_READY: return enter(id, volume, Record::NODE_PUBLISH);
    case Record::NODE_PUBLISH: {
      csi::v1::NodePublishVolumeRequest request;
      request.set_volume_id(id);
      *request.mutable_publish_context() = record.publish_context();
      if (can_.stage) request.set_staging_target_path(staging_path(id));
      request.set_target_path(target(id));
      *request.mutable_volume_capability() = record.capability();
      request.set_readonly(record.read_only());
      *request.mutable_volume_context() = record.volume_context();
      volume.busy = true;
      const bool whole = settings_.info.storage().plugin().target_path_exists();
      return call(Part::Node, "/csi.v1.Node/NodePublishVolume", request, &Provider::moved, id,
                  {whole ? target(id) : parent_of(target(id))}, secrets_of(record.publish_secrets(), request.kSecretsFieldNumber));
    }
    case Record::PUBLISHED: {
      volume.goal = Goal::None;
      for (const uint64_t ticket : std::exchange(volume.waiting, {}))
        out_->push_back(Published{ticket, {}, target(id), volume.holders.size() > 1});
      return;
    }
    // Half taken back: first all of it.
    case Record::NODE_UNPUBLISH:
    case Record::NODE_UNSTAGE:
    case Record::CONTROLLER_UNPUBLISH: return down(id, volume);
    default: return;
  }
}

void Provider::down(const std::string& id, Volume& volume) {
  const Record& record = volume.record;
  switch (record.state()) {
    case Record::PUBLISHED:
    case Record::NODE_PUBLISH: return enter(id, volume, Record::NODE_UNPUBLISH);
    case Record::NODE_UNPUBLISH: {
      csi::v1::NodeUnpublishVolumeRequest request;
      request.set_volume_id(id);
      request.set_target_path(target(id));
      volume.busy = true;
      return call(Part::Node, "/csi.v1.Node/NodeUnpublishVolume", request, &Provider::moved, id);
    }
    case Record::VOL_READY:
    case Record::NODE_STAGE: return enter(id, volume, can_.stage ? Record::NODE_UNSTAGE : Record::NODE_READY);
    case Record::NODE_UNSTAGE: {
      csi::v1::NodeUnstageVolumeRequest request;
      request.set_volume_id(id);
      request.set_staging_target_path(staging_path(id));
      volume.busy = true;
      return call(Part::Node, "/csi.v1.Node/NodeUnstageVolume", request, &Provider::moved, id);
    }
    case Record::NODE_READY:
    case Record::CONTROLLER_PUBLISH: return enter(id, volume, can_.publish ? Record::CONTROLLER_UNPUBLISH : Record::CREATED);
    case Record::CONTROLLER_UNPUBLISH: {
      csi::v1::ControllerUnpublishVolumeRequest request;
      request.set_volume_id(id);
      request.set_node_id(can_.node_id);
      volume.busy = true;
      return call(Part::Controller, "/csi.v1.Controller/ControllerUnpublishVolume", request, &Provider::moved, id);
    }
    case Record::CREATED: {
      if (!can_.create_delete || record.pre_provisioned()) return gone(id, false);
      csi::v1::DeleteVolumeRequest request;
      request.set_volume_id(id);
      volume.busy = true;
      return call(Part::Controller, "/csi.v1.Controller/DeleteVolume", request, &Provider::deleted, id);
    }
    default: return;
  }
}

/// The step's call was answered.
void Provider::moved(const std::string& id, Answer answer) {
  const auto found = volumes_.find(id);
  if (found == volumes_.end()) return;
  Volume& volume = found->second;
  volume.busy = false;
  const auto state = volume.record.state();
  const bool back = state == Record::NODE_UNPUBLISH || state == Record::NODE_UNSTAGE || state == Record::CONTROLLER_UNPUBLISH;
  if (answer.code != 0 && !(back && answer.code == kNotFound)) {
    if (volume.goal == Goal::None) return;  // nobody waits any more; whoever asks next goes on from here
    // What nobody uses is taken back some day.
    const bool stubborn = volume.record.pre_provisioned() && volume.goal == Goal::Gone;
    if (!may_pass(answer) && !stubborn) return give_up(id, volume, answer.message);
    if (volume.backoff == base::Duration{0})
      say(true, fmt::format("{} of volume {} is tried again: {}", dcos::storage::v1::VolumeRecord::State_Name(state), id, answer.message));
    volume.backoff = longer(volume.backoff);
    volume.busy = true;
    return set_timer("volume/" + id, volume.backoff);
  }
  volume.backoff = base::Duration{0};
  switch (state) {
    case Record::CONTROLLER_PUBLISH: {
      csi::v1::ControllerPublishVolumeResponse said;
      if (!said.ParseFromString(answer.body)) return give_up(id, volume, "the plugin's answer to ControllerPublishVolume does not decode");
      *volume.record.mutable_publish_context() = std::move(*said.mutable_publish_context());
      return enter(id, volume, Record::NODE_READY);
    }
    case Record::NODE_STAGE: return enter(id, volume, Record::VOL_READY);
    case Record::NODE_PUBLISH: return enter(id, volume, Record::PUBLISHED);
    case Record::NODE_UNPUBLISH:
      out_->push_back(RemoveDirectories{{target(id)}});
      return enter(id, volume, Record::VOL_READY);
    case Record::NODE_UNSTAGE:
      out_->push_back(RemoveDirectories{{staging_path(id)}});
      return enter(id, volume, Record::NODE_READY);
    case Record::CONTROLLER_UNPUBLISH: return enter(id, volume, Record::CREATED);
    default: return;
  }
}

void Provider::enter(const std::string& id, Volume& volume, State state) {
  volume.record.set_state(state);
  volume.record.set_boot_id(settings_.boot_id);
  save(volume, id);
}

void Provider::save(Volume& volume, const std::string& id) {
  volume.busy = true;
  Persist effect{next_++, {}};
  effect.batch.put(volume_key(settings_.info.id().value(), id), volume.record.SerializeAsString());
  commits_[effect.ticket] = id;
  out_->push_back(std::move(effect));
}

/// What the volume is now is durable.
void Provider::saved(const std::string& id) {
  const auto found = volumes_.find(id);
  if (found == volumes_.end()) return;
  Volume& volume = found->second;
  volume.busy = false;
  if (const std::string operation = std::exchange(volume.creation, ""); !operation.empty()) {
    const auto disk = disks_.find(operation);
    if (disk == disks_.end()) return;
    const auto& wanted = disk->second.operation.create_disk();
    const auto profile = profile_of(disk->second.operation);
    const std::map<std::string, std::string> context(volume.record.volume_context().begin(), volume.record.volume_context().end());
    return finish(operation, made_disk(wanted.source(), settings_.info, wanted.target_type(), profile ? profile->first : "", id, context));
  }
  advance(id);
}

void Provider::deleted(const std::string& id, Answer answer) {
  const auto found = volumes_.find(id);
  if (found == volumes_.end()) return;
  Volume& volume = found->second;
  volume.busy = false;
  if (answer.code == 0 || answer.code == kNotFound) return gone(id, true);
  if (!may_pass(answer)) return give_up(id, volume, answer.message);
  if (volume.backoff == base::Duration{0}) say(true, fmt::format("DeleteVolume of {} is tried again: {}", id, answer.message));
  volume.backoff = longer(volume.backoff);
  volume.busy = true;
  set_timer("volume/" + id, volume.backoff);
}

/// Nothing of the volume is on this machine. Should the record outlive a crash, the deletion finds nothing and ends well.
void Provider::gone(const std::string& id, bool deleted) {
  const std::string operation = volumes_.at(id).deletion;
  const std::string directory = parent_of(target(id));
  const auto next = std::move(volumes_.at(id).next);
  volumes_.erase(id);
  Persist effect{next_++, {}};
  effect.batch.erase(volume_key(settings_.info.id().value(), id));
  out_->push_back(std::move(effect));
  out_->push_back(RemoveDirectories{{directory}});
  for (const auto& [asked, claim] : next) handle(claim);
  if (const auto disk = disks_.find(operation); disk != disks_.end())
    finish(operation, unmade_disk(disk->second.operation.destroy_disk().source(), deleted));
}

/// What was wanted of the volume is not to be had. It stays as it is.
void Provider::give_up(const std::string& id, Volume& volume, const std::string& why) {
  const Goal goal = std::exchange(volume.goal, Goal::None);
  if (goal == Goal::Published) {
    say(true, "volume " + id + " cannot be published: " + why);
    for (const uint64_t ticket : std::exchange(volume.waiting, {}))
      out_->push_back(Published{ticket, base::unavailable("volume " + id + " of " + base::to_lower(settings_.title.substr(0, 1)) +
                                                          settings_.title.substr(1) + " cannot be published: " + why)});
  } else if (goal == Goal::Gone) {
    const std::string operation = std::exchange(volume.deletion, "");
    finish(operation, base::unavailable("volume " + id + " cannot be deleted: " + why));
  }
}

}  // namespace storage
