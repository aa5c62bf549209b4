// Resource providers: sources of resources beside the agent itself. The agent keeps what operations made of their resources
// and what an operation is about; making and publishing disks is kernel/storage's.

#include <algorithm>

#include "kernel/agent/checkpoint.hpp"
#include "kernel/agent/core.hpp"
#include "kernel/resources/operations.hpp"
#include "kernel/resources/proto.hpp"

namespace agent {
namespace {

/// The name of an operation outside of the agent.
std::string disk_id(const Operation& operation) {
  const std::string key = operation_key(operation.proto.uuid().value());
  return key.substr(key.rfind('/') + 1);
}

resources::Resources disk_of(const Operation& operation) {
  auto disk = resources::disk_of(operation.proto.info()).value_or({});
  disk.unallocate();
  return disk;
}

}  // namespace

base::Result<Core::Owner> Core::owner_of(const mesos::v1::Offer::Operation& operation) {
  ASSIGN_OR_RETURN(const std::string id, resources::provider_of(operation));
  if (id.empty()) return Owner{state_.total, state_.resource_version, nullptr};
  const auto found = state_.providers.find(id);
  if (found == state_.providers.end() || !found->second.active)
    return base::not_found("The resource provider " + id + " does not run on this agent");
  return Owner{found->second.total, found->second.version, &found->second};
}

void Core::save(const Owner& owner) {
  if (owner.provider != nullptr)
    save(*owner.provider);
  else
    save_resources();
}

/// What pending operations are about to turn into something else. It counts as there until they end.
resources::Resources Core::changing_disks(const std::string& provider, const Operation& but) const {
  resources::Resources out;
  for (const auto& [uuid, operation] : state_.operations) {
    if (&operation == &but || !pending(operation) || !is_disk(operation.proto.info())) continue;
    for (const auto& disk : disk_of(operation))
      if (disk.kind.data().provider_id == provider) out.add(disk);
  }
  return out;
}

base::Status Core::try_disk(const Operation& operation, const Owner& owner) {
  if (owner.provider == nullptr) return base::invalid("Disks can be made and unmade on a resource provider only");
  const auto free = owner.total - changing_disks(owner.provider->info.id().value(), operation);
  const auto disk = disk_of(operation);
  if (!free.contains(disk)) return base::conflict("'" + free.text() + "' does not contain '" + disk.text() + "'");
  return {};
}

void Core::change_disk(const Operation& operation) {
  if (!pending(operation) || !is_disk(operation.proto.info())) return;
  const auto provider = resources::provider_of(operation.proto.info());
  if (provider && !is_remote(*provider)) journal_.then(ChangeDisk{*provider, disk_id(operation), operation.proto.info()});
}

void Core::handle(DiskChanged event) {
  for (auto& [uuid, operation] : state_.operations) {
    if (!pending(operation) || !is_disk(operation.proto.info()) || disk_id(operation) != event.id) continue;
    if (!event.disk) return end_operation(operation, mesos::v1::OPERATION_FAILED, event.disk.error().message);
    mesos::v1::Resource& disk = *event.disk;
    disk.clear_allocation_info();
    const auto provider = state_.providers.find(disk.provider_id().value());
    const auto made = resources::from_proto(disk);
    if (provider == state_.providers.end() || !made)
      return end_operation(operation, mesos::v1::OPERATION_FAILED, "The provider made what is no disk of it");
    auto after = resources::apply(provider->second.total, resources::Conversion{disk_of(operation), *made});
    if (!after) return end_operation(operation, mesos::v1::OPERATION_FAILED, after.error().message);
    provider->second.total = std::move(*after);
    save(provider->second);
    return end_operation(operation, mesos::v1::OPERATION_FINISHED, "", &disk);
  }
}

void Core::handle(ProviderConfigured event) {
  ResourceProvider* provider = nullptr;
  for (auto& [id, known] : state_.providers)
    if (!known.remote && known.info.type() == event.info.type() && known.info.name() == event.info.name()) provider = &known;
  if (provider == nullptr && state_.providers.size() >= kMaxProviders)
    return out_->error("Resource provider " + event.info.name() + " was left out: this agent knows " +
                       std::to_string(kMaxProviders) + " (MARK_RESOURCE_PROVIDER_GONE forgets one)");
  mesos::v1::ResourceProviderID id;
  if (provider != nullptr)
    id = provider->info.id();
  else
    id.set_value(random_.uuid());
  ResourceProvider& kept = state_.providers[id.value()];
  kept.info = std::move(event.info);
  *kept.info.mutable_id() = std::move(id);
  kept.active = true;
  save(kept);
  journal_.then(RunProvider{kept.info});
  out_->info("Resource provider " + kept.info.name() + " (" + kept.info.type() + ") is " + kept.info.id().value());
  tell_provider(kept);
  // At once: a survey before them would find volumes that they have made and that nobody knows yet.
  for (const auto& [uuid, operation] : state_.operations) change_disk(operation);
}

void Core::handle(ProviderRemoved event) {
  for (auto& [id, provider] : state_.providers) {
    if (!provider.active || provider.remote || provider.info.type() != event.type || provider.info.name() != event.name) continue;
    provider.active = false;
    journal_.then(StopProvider{id});
    out_->info("Resource provider " + event.name + " was taken away; what its disks hold is kept");
    return tell_provider(provider);
  }
}

void Core::handle(ProviderGone event) {
  const auto found = state_.providers.find(event.provider);
  if (found == state_.providers.end() || (found->second.active && !found->second.remote)) return;
  out_->info("Resource provider " + found->second.info.name() + " is gone for good");
  if (found->second.connection) {
    mesos::v1::resource_provider::Event end;
    end.set_type(mesos::v1::resource_provider::Event::TEARDOWN);
    send(found->second, std::move(end));
    journal_.then(CloseExecutor{*found->second.connection});
    remote_left(found->second, "the operator says that it is gone");
  }
  journal_.erase(provider_key(event.provider));
  journal_.then(StopProvider{event.provider, true});
  state_.providers.erase(found);
  for (auto& [uuid, operation] : state_.operations)
    if (pending(operation) && resources::provider_of(operation.proto.info()).value_or("") == event.provider)
      end_operation(operation, mesos::v1::OPERATION_GONE_BY_OPERATOR, "The resource provider is gone");
}

void Core::handle(ProviderSurveyed event) {
  const auto found = state_.providers.find(event.provider);
  if (found == state_.providers.end() || !found->second.active) return;
  ResourceProvider& provider = found->second;
  std::vector<std::string> warnings;
  auto after = storage::apply_survey(provider.total, event.survey, provider.info, warnings);
  for (const auto& warning : warnings) out_->warning("Provider " + provider.info.name() + ": " + warning);
  if (after == provider.total) return;
  provider.total = std::move(after);
  out_->info("Provider " + provider.info.name() + " has " + provider.total.text());
  save(provider);
  tell_provider(provider);
}

void Core::tell_provider(ResourceProvider& provider) {
  provider.version = random_.uuid_bytes();
  send_totals();
}

void Core::restore(dcos::agent::v1::ProviderRecord record) {
  auto total = resources::from_proto(record.total());
  if (!total) {
    ++state_.recovery_errors;
    return out_->error("The resources of provider " + record.info().name() + " are not valid and were left out: " + total.error().message);
  }
  ResourceProvider& provider = state_.providers[record.info().id().value()];
  provider.total = std::move(*total);
  provider.version = random_.uuid_bytes();
  provider.info = std::move(*record.mutable_info());
  provider.remote = record.remote();
}

std::vector<storage::DiskName> Core::disks_of(const Executor& executor) const {
  std::vector<storage::DiskName> out;
  for (const auto& volume : executor.volumes)
    if (const auto parsed = resources::from_proto(volume))
      if (auto name = disk_name(parsed->kind); name && !is_remote(name->provider)) out.push_back(std::move(*name));
  return out;
}

void Core::handle(PluginKnown event) { state_.plugins.insert(std::move(event.plugin)); }

/// A plugin, launched by the agent itself: it mounts for the machine.
bool Core::is_plugin(const std::string& container) const {
  for (const auto& plugin : state_.plugins)
    if (container.starts_with(plugin_prefix(plugin))) return true;
  return std::any_of(state_.providers.begin(), state_.providers.end(),
                     [&](const auto& entry) { return container.starts_with(plugin_prefix(entry.first)); });
}

resources::Resources everything(const State& state) {
  resources::Resources all = state.total;
  for (const auto& [id, provider] : state.providers)
    if (provider.active) all += provider.total;
  return all;
}

std::string plugin_prefix(const std::string& provider) { return "csi-" + provider + "-"; }

void add_providers(const State& state, google::protobuf::RepeatedPtrField<dcos::internal::v1::ResourceProviderState>* out) {
  for (const auto& [id, provider] : state.providers) {
    if (!provider.active) continue;
    auto& entry = *out->Add();
    *entry.mutable_info() = provider.info;
    resources::to_proto(provider.total, resources::Format::Post, entry.mutable_total_resources());
    entry.mutable_resource_version_uuid()->set_value(provider.version);
  }
}

}  // namespace agent
