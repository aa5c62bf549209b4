// Which containers use volumes that exist without us. A volume is published for the first of them and taken back after the
// last. Claims are not written down: the agent knows which containers run, and says so after each start of its own.

#include <google/protobuf/util/message_differencer.h>

#include "kernel/storage/patience.hpp"
#include "kernel/storage/provider.hpp"

namespace storage {
namespace {

using dcos::storage::v1::VolumeRecord;

/// Can a container have it as it asks while the volume is there for others?
base::Status fits(const VolumeRecord& there, const VolumeRecord& wanted) {
  VolumeRecord one, other;
  const auto keep = [](const VolumeRecord& from, VolumeRecord& to) {
    *to.mutable_capability() = from.capability();
    *to.mutable_volume_context() = from.volume_context();
  };
  keep(there, one), keep(wanted, other);
  if (!google::protobuf::util::MessageDifferencer::Equals(one, other))
    return base::conflict("volume " + there.id() + " is in use on this agent with another capability or context");
  if (there.read_only() && !wanted.read_only())
    return base::conflict("volume " + there.id() + " is published read-only for containers of this agent that run, and this one would "
                          "write to it: it can when they have ended");
  return {};
}

}  // namespace

void Provider::want(const std::string& id, Volume& volume) {
  if (volume.goal == Goal::None) {
    volume.goal = Goal::Published;
    volume.asked = now_.instant;
    volume.backoff = base::Duration{0};
    set_timer("patience/" + id, kPublishPatience);
  }
  advance(id);
}

void Provider::handle(ClaimVolume event) {
  const std::string id = event.volume.id();
  Volume& volume = volumes_[id];
  if (volume.goal == Goal::Gone) {  // it begins anew then, in the way that this one wants it
    set_timer("claims/" + id, kPublishPatience);
    volume.next.emplace_back(now_.instant, std::move(event));
    return;
  }
  if (volume.record.id().empty()) {
    volume.record = std::move(event.volume);
    volume.record.set_target_path(target(id));
    volume.record.set_boot_id(settings_.boot_id);
  } else if (base::Status status = fits(volume.record, event.volume); !status) {
    return out_->push_back(Published{event.ticket, std::move(status)});
  }
  volume.holders.insert(event.holder);
  volume.waiting.push_back(event.ticket);
  want(id, volume);
}

void Provider::handle(ReleaseVolumes event) {
  std::vector<std::string> free;
  for (auto& [id, volume] : volumes_) {
    std::erase_if(volume.next, [&](const auto& claim) { return claim.second.holder == event.holder; });
    if (volume.holders.erase(event.holder) > 0 && volume.holders.empty()) free.push_back(id);
  }
  for (const auto& id : free) let_go(id, volumes_.at(id));
}

void Provider::handle(HoldersKnown event) {
  std::vector<std::string> free;
  for (auto& [id, volume] : volumes_) {
    if (!volume.record.pre_provisioned()) continue;
    if (const auto known = event.holders.find(id); known != event.holders.end()) volume.holders.merge(known->second);
    if (volume.holders.empty() && volume.goal == Goal::None) free.push_back(id);
  }
  for (const auto& id : free) let_go(id, volumes_.at(id));
}

void Provider::let_go(const std::string& id, Volume& volume) {
  if (volume.goal == Goal::Published) give_up(id, volume, "its container has ended");
  volume.goal = Goal::Gone;
  volume.backoff = base::Duration{0};
  advance(id);
}

/// Claims that have waited for too long until the volume was taken back from others.
void Provider::claims_expired(const std::string& id, Volume& volume) {
  std::vector<std::pair<base::Instant, ClaimVolume>> rest;
  for (auto& [asked, claim] : std::exchange(volume.next, {})) {
    if (now_.instant - asked < kPublishPatience) {
      rest.emplace_back(asked, std::move(claim));
      continue;
    }
    out_->push_back(Published{claim.ticket, base::unavailable("volume " + id + " is still being taken back from containers that have "
                                                              "ended: the plugin does not unpublish it")});
  }
  volume.next = std::move(rest);
  if (!volume.next.empty()) set_timer("claims/" + id, volume.next.front().first + kPublishPatience - now_.instant);
}

}  // namespace storage
