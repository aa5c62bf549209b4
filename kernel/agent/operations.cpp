// Operations on the agent's resources: reservations and persistent volumes. What they made of the resources is durable
// before their end is told; the end is told until it is acknowledged.
//
// A CREATE counts at once, so that a task behind it may use the volume, and ends when the directory is there; should it
// not come to be, the conversion is taken back. A DESTROY frees the disk at once and ends when the data is gone, however
// often that must be tried. Both go on after a restart.

#include "base/testing/planted.hpp"
#include "kernel/resources/operations.hpp"

#include <algorithm>

#include "kernel/agent/checkpoint.hpp"
#include "kernel/agent/core.hpp"
#include "kernel/resources/proto.hpp"

namespace agent {
namespace {

using Wanted = mesos::v1::Offer::Operation;
using resources::Conversion;

constexpr size_t kMaxOperations = 10'000;  // not acknowledged
constexpr base::Duration kRemovalRetry = base::seconds(10);

/// What the operation converts, without the roles that master and frameworks count by.
base::Result<std::vector<Conversion>> plan(const Wanted& operation) {
  ASSIGN_OR_RETURN(std::vector<Conversion> conversions, resources::conversions(operation));
  for (Conversion& conversion : conversions) {
    conversion.consumed.unallocate();
    conversion.converted.unallocate();
  }
  return conversions;
}

/// The volumes that a CREATE makes or a DESTROY removes.
std::vector<resources::Kind> volumes_of(const Wanted& operation) {
  std::vector<resources::Kind> out;
  const auto add = [&](const resources::ProtoResources& list) {
    for (const auto& entry : list)
      if (auto volume = resources::from_proto(entry)) out.push_back(volume->kind);
  };
  if (operation.type() == Wanted::CREATE) add(operation.create().volumes());
  if (operation.type() == Wanted::DESTROY) add(operation.destroy().volumes());
  return out;
}

base::Result<std::vector<VolumePlace>> places_of(const std::string& work_dir, const Wanted& operation) {
  std::vector<VolumePlace> out;
  for (const auto& kind : volumes_of(operation)) {
    ASSIGN_OR_RETURN(VolumePlace place, volume_place(work_dir, kind));
    out.push_back(std::move(place));
  }
  return out;
}

}  // namespace

bool pending(const Operation& operation) {
  return operation.proto.latest_status().state() == mesos::v1::OPERATION_PENDING;
}

bool is_disk(const mesos::v1::Offer::Operation& operation) {
  return operation.type() == mesos::v1::Offer::Operation::CREATE_DISK || operation.type() == mesos::v1::Offer::Operation::DESTROY_DISK;
}

void Core::apply_operation(const dcos::internal::v1::ApplyOperation& message) {
  const std::string& uuid = message.operation_uuid().value();
  if (uuid.empty()) return out_->warning("An operation without uuid was ignored");
  if (const auto known = state_.operations.find(uuid); known != state_.operations.end())
    return tell_operation(known->second);
  if (state_.operations.size() >= kMaxOperations) {
    out_->error("An operation was ignored: " + std::to_string(kMaxOperations) + " others wait for acknowledgement");
    return tell_total();
  }
  Operation& operation = state_.operations[uuid];
  if (message.has_framework_id()) operation.proto.mutable_framework_id()->CopyFrom(message.framework_id());
  if (state_.info.has_id()) operation.proto.mutable_agent_id()->CopyFrom(state_.info.id());
  operation.proto.mutable_info()->CopyFrom(message.operation());
  operation.proto.mutable_uuid()->set_value(uuid);
  operation.proto.mutable_latest_status()->set_state(mesos::v1::OPERATION_PENDING);
  if (message.operation().has_id())
    operation.proto.mutable_latest_status()->mutable_operation_id()->CopyFrom(message.operation().id());

  const auto owner = owner_of(message.operation());
  if (!owner) {
    end_operation(operation, mesos::v1::OPERATION_ERROR, owner.error().message);
    return send_totals();
  }
  if (message.has_resource_version() && message.resource_version().uuid().value() != owner->version)
    return end_operation(operation, mesos::v1::OPERATION_DROPPED,
                         "The operation was planned on resources that the agent has told to be otherwise since");
  const bool remote = owner->provider != nullptr && owner->provider->remote;
  if (const base::Status done = try_operation(operation); !done) {
    end_operation(operation, mesos::v1::OPERATION_ERROR, done.error().message);
    if (remote) return send_totals();  // the version is its own
    return owner->provider != nullptr ? tell_provider(*owner->provider) : tell_total();
  }
  if (remote) return hand_over(operation, *owner->provider);
  const auto type = operation.proto.info().type();
  if (type == Wanted::CREATE_DISK || type == Wanted::DESTROY_DISK) {
    save(operation);
    return change_disk(operation);
  }
  if (!base::planted("agent/forgets-volumes")) save(*owner);
  // Disks of providers are published when they are used: there is nothing to make.
  const bool nothing_to_make = type == Wanted::CREATE && owner->provider != nullptr;
  if (volumes_of(operation.proto.info()).empty() || nothing_to_make)
    return end_operation(operation, mesos::v1::OPERATION_FINISHED, "");
  save(operation);
  change_volumes(operation);
}

base::Status Core::try_operation(Operation& operation) {
  const Wanted& wanted = operation.proto.info();
  ASSIGN_OR_RETURN(const Owner owner, owner_of(wanted));
  if (wanted.type() == Wanted::CREATE_DISK || wanted.type() == Wanted::DESTROY_DISK) return try_disk(operation, owner);
  ASSIGN_OR_RETURN(const auto conversions, plan(wanted));
  ASSIGN_OR_RETURN(resources::Resources after, resources::apply(owner.total, conversions));
  if (owner.provider != nullptr && !after.contains(changing_disks(owner.provider->info.id().value(), operation)))
    return base::conflict("Another operation turns these resources into something else");
  ASSIGN_OR_RETURN(const auto places, places_of(policy_.work_dir, wanted));
  if (wanted.type() == Wanted::CREATE) {
    for (const VolumePlace& place : places)
      if (removing(place)) return base::conflict("The data of an earlier volume at " + place.path + " is still being removed");
  }
  if (wanted.type() == Wanted::DESTROY) {
    for (const auto& kind : volumes_of(wanted))
      if (in_use(kind)) return base::conflict("Persistent volume " + *kind.data().disk->persistence_id + " is in use");
  }
  owner.total = std::move(after);
  return {};
}

bool Core::removing(const VolumePlace& place) const {
  for (const auto& [uuid, operation] : state_.operations) {
    if (!pending(operation) || operation.proto.info().type() != Wanted::DESTROY) continue;
    const auto places = places_of(policy_.work_dir, operation.proto.info());
    if (places && std::any_of(places->begin(), places->end(), [&](const auto& p) { return p.path == place.path; }))
      return true;
  }
  return false;
}

bool Core::in_use(const resources::Kind& volume) const {
  for (const auto& [framework_id, framework] : state_.frameworks)
    for (const auto& [executor_id, executor] : framework.executors) {
      if (executor.state == ExecutorState::Terminated) continue;
      for (const auto& mounted : executor.volumes)
        if (const auto parsed = resources::from_proto(mounted); parsed && parsed->kind.same(volume)) return true;
    }
  return false;
}

void Core::change_volumes(const Operation& operation) {
  if (!pending(operation) || is_remote(resources::provider_of(operation.proto.info()).value_or(""))) return;
  const Wanted& wanted = operation.proto.info();
  const std::string& uuid = operation.proto.uuid().value();
  auto places = places_of(policy_.work_dir, wanted);
  if (!places) return;  // try_operation() refused it
  if (wanted.type() == Wanted::CREATE) journal_.then(MakeVolumes{uuid, std::move(*places)});
  if (wanted.type() == Wanted::DESTROY) journal_.then(RemoveVolumes{uuid, std::move(*places)});
}

void Core::handle(VolumesChanged event) {
  const auto found = state_.operations.find(event.operation);
  if (found == state_.operations.end() || !pending(found->second)) return;
  Operation& operation = found->second;
  if (event.status) return end_operation(operation, mesos::v1::OPERATION_FINISHED, "");
  const std::string why = event.status.error().message;
  out_->add(Count{"slave/volume_errors"});
  if (operation.proto.info().type() == Wanted::DESTROY) {
    out_->error("The data of a destroyed volume cannot be removed yet: " + why);
    return set_timer(operation_key(event.operation), kRemovalRetry);
  }
  undo(operation);
  end_operation(operation, mesos::v1::OPERATION_FAILED, why);
  tell_total();
}

/// Back to what it was, unless another operation has built on it.
void Core::undo(const Operation& operation) {
  if (auto conversions = plan(operation.proto.info())) {
    std::reverse(conversions->begin(), conversions->end());
    for (Conversion& conversion : *conversions) std::swap(conversion.consumed, conversion.converted);
    if (auto before = resources::apply(state_.total, *conversions)) state_.total = std::move(*before);
  }
  save_resources();
}

void Core::end_operation(Operation& operation, mesos::v1::OperationState state, const std::string& message,
                         const mesos::v1::Resource* made) {
  mesos::v1::Operation& proto = operation.proto;
  mesos::v1::OperationStatus status;
  if (proto.info().has_id()) status.mutable_operation_id()->CopyFrom(proto.info().id());
  status.set_state(state);
  if (!message.empty()) status.set_message(message);
  status.mutable_uuid()->set_value(random_.uuid_bytes());
  if (state_.info.has_id()) status.mutable_agent_id()->CopyFrom(state_.info.id());
  if (const auto provider = resources::provider_of(proto.info()); provider && !provider->empty())
    status.mutable_resource_provider_id()->set_value(*provider);
  if (state == mesos::v1::OPERATION_FINISHED) {
    if (made) *status.add_converted_resources() = *made;
    if (const auto conversions = plan(proto.info()))
      for (const Conversion& conversion : *conversions)
        resources::to_proto(conversion.converted, resources::Format::Post, status.mutable_converted_resources());
  } else {
    out_->warning(Wanted::Type_Name(proto.info().type()) + " was not applied: " + message);
  }
  proto.add_statuses()->CopyFrom(status);
  *proto.mutable_latest_status() = std::move(status);
  save(operation);
  tell_operation(operation);
}

void Core::tell_operation(Operation& operation) {
  const mesos::v1::Operation& proto = operation.proto;
  if (pending(operation) || state_.phase != Phase::Registered) return;
  SendToMaster effect;
  auto* update = effect.message.mutable_operation_status_update();
  if (proto.has_framework_id()) update->mutable_framework_id()->CopyFrom(proto.framework_id());
  update->mutable_operation_uuid()->CopyFrom(proto.uuid());
  update->mutable_status()->CopyFrom(proto.latest_status());
  update->mutable_latest_status()->CopyFrom(proto.latest_status());
  journal_.then(std::move(effect));
  operation.backoff = operation.backoff == base::Duration{0} ? kFirstRetry : std::min(operation.backoff * 2, kLongestRetry);
  set_timer(operation_key(proto.uuid().value()), operation.backoff);
}

void Core::tell_operations() {
  for (auto& [uuid, operation] : state_.operations) {
    operation.backoff = base::Duration{0};
    tell_operation(operation);
  }
}

void Core::retry_operation(const std::string& key) {
  for (auto& [uuid, operation] : state_.operations)
    if (operation_key(uuid) == key) return pending(operation) ? change_volumes(operation) : tell_operation(operation);
}

void Core::acknowledge(const dcos::internal::v1::AcknowledgeOperationStatus& message) {
  const std::string& uuid = message.operation_uuid().value();
  const auto found = state_.operations.find(uuid);
  if (found == state_.operations.end() || pending(found->second)) return;
  if (found->second.proto.latest_status().uuid().value() != message.status_uuid().value()) return;
  const auto provider = state_.providers.find(resources::provider_of(found->second.proto.info()).value_or(""));
  if (provider != state_.providers.end() && provider->second.remote)
    acknowledge_remote(provider->second, uuid, message.status_uuid().value());
  cancel_timer(operation_key(uuid));
  journal_.erase(operation_key(uuid));
  state_.operations.erase(found);
}

void Core::drop_unknown(const dcos::internal::v1::OperationReference& reference) {
  const std::string& uuid = reference.operation_uuid().value();
  if (uuid.empty() || state_.operations.size() >= kMaxOperations) return;
  if (const auto known = state_.operations.find(uuid); known != state_.operations.end())
    return tell_operation(known->second);
  Operation& operation = state_.operations[uuid];
  if (reference.has_framework_id()) operation.proto.mutable_framework_id()->CopyFrom(reference.framework_id());
  if (reference.has_operation_id()) operation.proto.mutable_info()->mutable_id()->CopyFrom(reference.operation_id());
  operation.proto.mutable_info()->set_type(Wanted::UNKNOWN);
  if (state_.info.has_id()) operation.proto.mutable_agent_id()->CopyFrom(state_.info.id());
  operation.proto.mutable_uuid()->set_value(uuid);
  end_operation(operation, mesos::v1::OPERATION_DROPPED, "The agent does not know this operation");
}

void Core::tell_total() {
  state_.resource_version = random_.uuid_bytes();
  send_totals();
}

void Core::send_totals() {
  if (state_.phase != Phase::Registered) return;  // registering tells it
  SendToMaster effect;
  auto* update = effect.message.mutable_update_agent();
  update->set_update_total_resources(true);
  resources::to_proto(state_.total, resources::Format::Post, update->mutable_total_resources());
  update->mutable_resource_version_uuid()->set_value(state_.resource_version);
  add_providers(state_, update->mutable_resource_providers());
  journal_.then(std::move(effect));
}

std::vector<VolumePlace> Core::volume_places(bool all) const {
  std::vector<VolumePlace> out, under_way;
  for (const auto& [uuid, operation] : state_.operations)
    if (pending(operation))
      if (auto places = places_of(policy_.work_dir, operation.proto.info()))
        under_way.insert(under_way.end(), places->begin(), places->end());
  for (const auto& volume : state_.total.persistent_volumes())
    if (auto place = volume_place(policy_.work_dir, volume.kind))
      if (std::find(under_way.begin(), under_way.end(), *place) == under_way.end()) out.push_back(std::move(*place));
  if (all) out.insert(out.end(), under_way.begin(), under_way.end());
  return out;
}

bool Core::restore_resources(Loaded& event) {
  const auto restored = [&]() -> base::Result<resources::Resources> {
    ASSIGN_OR_RETURN(const auto configured, resources::from_proto(policy_.info.resources()));
    ASSIGN_OR_RETURN(const auto kept, resources::from_proto(event.resources.checkpointed()));
    return resources::with_checkpointed(configured, kept);
  }();
  if (!restored) {
    out_->add(Exit{1, "The agent holds reservations or volumes that its configured resources do not cover: " +
                          restored.error().message + ". Start it with the resources it had"});
    return false;
  }
  state_.total = *restored;
  for (auto& proto : event.operations) {
    const std::string uuid = proto.uuid().value();
    if (uuid.empty()) {
      ++state_.recovery_errors;
      continue;
    }
    state_.operations[uuid].proto = std::move(proto);
  }
  return true;
}

std::optional<std::string> Core::find_missing(const mesos::v1::TaskInfo& task) const {
  const resources::Resources all = everything(state_);
  for (const auto* list : {&task.resources(), &task.executor().resources()}) {
    auto wanted = resources::from_proto(*list);
    if (!wanted) return "The task's resources are not valid: " + wanted.error().message;
    for (auto resource : *wanted) {
      const resources::Kind& kind = resource.kind;
      if (!kind.dynamically_reserved() && !kind.persistent_volume() && !kind.data().provider_id) continue;
      resource.copies = 1;
      resource.allocation = {};
      if (!all.contains(resource)) return "The agent does not have " + resources::text(resource);
    }
  }
  return std::nullopt;
}

}  // namespace agent
