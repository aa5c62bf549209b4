// CREATE_DISK and DESTROY_DISK: volumes of the plugin come and go. Each goes on after a restart where the same call is
// made again: a volume is made under the operation's name, so that the plugin knows it.

#include <fmt/core.h>

#include "kernel/storage/patience.hpp"
#include "kernel/storage/provider.hpp"

namespace storage {

using mesos::v1::Resource;
using Operation = mesos::v1::Offer::Operation;

namespace {

constexpr double kMegabyte = 1 << 20;

const Resource& source_of(const Operation& operation) {
  return operation.type() == Operation::CREATE_DISK ? operation.create_disk().source() : operation.destroy_disk().source();
}

}  // namespace

void Provider::start_disks() {
  if (surveying_) return;
  std::vector<std::string> ids;
  for (const auto& [id, disk] : disks_)
    if (!disk.busy) ids.push_back(id);
  for (const auto& id : ids)
    if (const auto found = disks_.find(id); found != disks_.end()) start(id, found->second);
}

void Provider::start(const std::string& id, Disk& disk) {
  disk.busy = true;
  const Resource& source = source_of(disk.operation);
  if (disk.operation.type() == Operation::CREATE_DISK)
    return source.disk().source().has_id() ? adopt(id, disk) : create(id, disk);
  const std::string& volume_id = source.disk().source().id();
  Volume& volume = volumes_[volume_id];
  if (volume.record.id().empty()) volume.record.set_id(volume_id);  // never used, or deleted before a restart
  if (!volume.deletion.empty() || !volume.creation.empty())
    return finish(id, base::conflict("another operation on volume " + volume_id + " has not ended"));
  if (volume.goal == Goal::Published) give_up(volume_id, volume, "the volume is being deleted");
  volume.goal = Goal::Gone;
  volume.deletion = id;
  volume.backoff = base::Duration{0};
  advance(volume_id);
}

base::Result<std::pair<std::string, const Profile*>> Provider::profile_of(const Operation& operation) const {
  const auto& wanted = operation.create_disk();
  const auto& source = wanted.source().disk().source();
  const std::string name = source.has_profile() ? source.profile() : wanted.target_profile();
  if (name.empty()) return base::invalid("the disk has no profile: 'create_disk.target_profile' must be set");
  if (wanted.has_target_profile() && wanted.target_profile() != name)
    return base::invalid("'create_disk.target_profile' is '" + wanted.target_profile() + "' but the disk has profile '" + name + "'");
  const auto found = profiles_.find(name);
  if (found == profiles_.end()) return base::not_found("profile '" + name + "' is not one of this provider's (see --disk_profile_adaptor)");
  const bool block = wanted.target_type() == Resource::DiskInfo::Source::BLOCK;
  if (block != found->second.capability.has_block())
    return base::invalid("volumes of profile '" + name + "' are " + (block ? "mounted" : "block devices") + ", not " +
                         Resource::DiskInfo::Source::Type_Name(wanted.target_type()));
  return std::pair(name, &found->second);
}

void Provider::create(const std::string& id, Disk& disk) {
  const auto profile = profile_of(disk.operation);
  if (!profile) return finish(id, profile.error());
  if (!can_.create_delete) return finish(id, base::unsupported("the plugin does not make volumes"));
  const auto bytes = static_cast<int64_t>(disk.operation.create_disk().source().scalar().value() * kMegabyte);
  csi::v1::CreateVolumeRequest request;
  request.set_name(id);
  request.mutable_capacity_range()->set_required_bytes(bytes);
  request.mutable_capacity_range()->set_limit_bytes(bytes);
  *request.add_volume_capabilities() = profile->second->capability;
  request.mutable_parameters()->insert(profile->second->parameters.begin(), profile->second->parameters.end());
  if (can_.here) *request.mutable_accessibility_requirements()->add_requisite() = *can_.here;
  call(Part::Controller, "/csi.v1.Controller/CreateVolume", request, &Provider::created, id);
}

bool Provider::retry_disk(const std::string& id, const char* what, const Answer& answer) {
  if (!may_pass(answer)) return false;
  Disk& disk = disks_.at(id);
  if (disk.backoff == base::Duration{0}) say(true, fmt::format("{} for operation {} is tried again: {}", what, id, answer.message));
  disk.backoff = longer(disk.backoff);
  set_timer("disk/" + id, disk.backoff);
  return true;
}

void Provider::created(const std::string& id, Answer answer) {
  const auto found = disks_.find(id);
  if (found == disks_.end()) return;
  if (answer.code != 0) {
    if (!retry_disk(id, "CreateVolume", answer)) finish(id, base::unavailable("the plugin does not make the volume: " + answer.message));
    return;
  }
  csi::v1::CreateVolumeResponse made;
  if (!made.ParseFromString(answer.body) || made.volume().volume_id().empty())
    return finish(id, base::Error{base::Code::BadGateway, "the plugin's answer to CreateVolume does not decode"});
  keep(id, found->second, std::move(*made.mutable_volume()));
}

void Provider::adopt(const std::string& id, Disk& disk) {
  const auto profile = profile_of(disk.operation);
  if (!profile) return finish(id, profile.error());
  csi::v1::ValidateVolumeCapabilitiesRequest request;
  const auto& source = disk.operation.create_disk().source().disk().source();
  request.set_volume_id(source.id());
  for (const auto& label : source.metadata().labels()) (*request.mutable_volume_context())[label.key()] = label.value();
  *request.add_volume_capabilities() = profile->second->capability;
  request.mutable_parameters()->insert(profile->second->parameters.begin(), profile->second->parameters.end());
  call(Part::Controller, "/csi.v1.Controller/ValidateVolumeCapabilities", request, &Provider::adopted, id);
}

void Provider::adopted(const std::string& id, Answer answer) {
  const auto found = disks_.find(id);
  if (found == disks_.end()) return;
  if (answer.code != 0) {
    if (!retry_disk(id, "ValidateVolumeCapabilities", answer))
      finish(id, base::unavailable("the plugin does not know the volume: " + answer.message));
    return;
  }
  csi::v1::ValidateVolumeCapabilitiesResponse said;
  if (!said.ParseFromString(answer.body) || !said.has_confirmed())
    return finish(id, base::unsupported("the volume cannot be used as the profile says: " + said.message()));
  csi::v1::Volume volume;
  const auto& source = found->second.operation.create_disk().source().disk().source();
  volume.set_volume_id(source.id());
  for (const auto& label : source.metadata().labels()) (*volume.mutable_volume_context())[label.key()] = label.value();
  keep(id, found->second, std::move(volume));
}

void Provider::keep(const std::string& id, Disk& disk, csi::v1::Volume made) {
  const std::string volume_id = made.volume_id();
  Volume& volume = volumes_[volume_id];
  if (!volume.deletion.empty() || !volume.creation.empty())
    return finish(id, base::conflict("another operation on volume " + volume_id + " has not ended"));
  volume.creation = id;
  if (!volume.record.id().empty()) return saved(volume_id);  // written before a restart
  volume.record.set_id(volume_id);
  const auto profile = profile_of(disk.operation);
  if (profile) *volume.record.mutable_capability() = profile->second->capability;
  *volume.record.mutable_volume_context() = std::move(*made.mutable_volume_context());
  volume.record.set_boot_id(settings_.boot_id);
  save(volume, volume_id);
}

void Provider::finish(const std::string& id, base::Result<Resource> disk) {
  out_->push_back(DiskChanged{id, std::move(disk)});
  disks_.erase(id);
  survey();
}

}  // namespace storage
