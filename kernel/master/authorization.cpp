// Who may do what: questions to the access control lists, put where the thing is done.

#include <fmt/core.h>

#include <algorithm>

#include "kernel/master/core.hpp"
#include "kernel/resources/proto.hpp"

namespace master {

using auth::Action;
using mesos::v1::master::Call;
using Operation_ = mesos::v1::Offer::Operation;

namespace {

std::optional<std::string> given(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }

std::string named(const std::string& principal) {
  return principal.empty() ? "A framework without principal" : "Principal '" + principal + "'";
}

const std::string& machine_name(const mesos::v1::MachineID& id) { return id.hostname().empty() ? id.ip() : id.hostname(); }

/// From the reservations of `source` to those of `resources`: what both do not have in common is taken away, then made.
std::optional<std::string> forbid_change_of_reservations(const auth::Acls& acls, const Operation_::Reserve& change,
                                                         const std::string& principal) {
  if (change.resources().empty()) return std::nullopt;  // validation has the word
  const auto wanted = resources::from_proto(change.resources(0));
  if (!wanted) return std::nullopt;
  const auto& after = wanted->kind.data().reservations;
  size_t common = after.size();
  for (const auto& proto : change.source()) {
    const auto source = resources::from_proto(proto);
    if (!source) continue;
    const auto& before = source->kind.data().reservations;
    const auto [left, right] = std::mismatch(before.begin(), before.end(), after.begin(), after.end());
    common = std::min(common, static_cast<size_t>(right - after.begin()));
    for (auto taken = before.end(); taken != left;) {
      --taken;
      if (acls.allows(Action::UnreserveResources, given(principal), taken->principal)) continue;
      return fmt::format("{} is not authorized to unreserve resources of '{}'", named(principal), taken->principal.value_or(""));
    }
  }
  for (size_t i = common; i < after.size(); ++i) {
    if (!acls.allows(Action::ReserveResources, given(principal), after[i].role))
      return fmt::format("{} is not authorized to reserve resources for role '{}'", named(principal), after[i].role);
  }
  return std::nullopt;
}

}  // namespace

bool Core::allowed(Action action, const std::string& principal, const std::optional<std::string>& object) const {
  return !policy_.acls || policy_.acls->allows(action, given(principal), object);
}

std::optional<std::string> Core::forbid_roles(const FrameworkInfo& info) const {
  for (const std::string& role : roles_of(info)) {
    if (!allowed(Action::RegisterFrameworks, info.principal(), role)) {
      return fmt::format("Not authorized to use role '{}' as {}", role,
                         info.principal().empty() ? "a framework without principal" : "principal '" + info.principal() + "'");
    }
  }
  return std::nullopt;
}

std::optional<std::string> Core::forbid_task(const Framework& framework, const TaskInfo& task, const ExecutorInfo* executor) const {
  std::string user = framework.info->user();
  if (executor != nullptr && executor->command().has_user()) user = executor->command().user();
  if (task.has_command() && task.command().has_user()) user = task.command().user();
  if (allowed(Action::RunTasks, framework.info->principal(), given(user))) return std::nullopt;
  return fmt::format("{} is not authorized to run tasks as user '{}'", named(framework.info->principal()), user);
}

std::optional<std::string> Core::forbid_operation(const Operation_& operation, const std::string& principal) const {
  if (!policy_.acls) return std::nullopt;
  const auto refusal = [&](const char* what, const std::string& object) {
    return fmt::format("{} is not authorized to {} '{}'", named(principal), what, object);
  };
  const auto by_role = [&](const auto& list, Action action, const char* what) -> std::optional<std::string> {
    for (const auto& proto : list) {
      const auto resource = resources::from_proto(proto);
      if (!resource) continue;  // validation has the word
      const std::string role = resource->kind.reservation_role();
      if (!allowed(action, principal, role)) return refusal(what, role);
    }
    return std::nullopt;
  };
  switch (operation.type()) {
    case Operation_::RESERVE:
      if (operation.reserve().source().empty())
        return by_role(operation.reserve().resources(), Action::ReserveResources, "reserve resources for role");
      return forbid_change_of_reservations(*policy_.acls, operation.reserve(), principal);
    case Operation_::CREATE: return by_role(operation.create().volumes(), Action::CreateVolumes, "create volumes for role");
    case Operation_::GROW_VOLUME:
      return by_role(std::array{operation.grow_volume().volume()}, Action::ResizeVolumes, "resize volumes of role");
    case Operation_::SHRINK_VOLUME:
      return by_role(std::array{operation.shrink_volume().volume()}, Action::ResizeVolumes, "resize volumes of role");
    case Operation_::UNRESERVE:
      for (const auto& proto : operation.unreserve().resources()) {
        const auto resource = resources::from_proto(proto);
        if (!resource || resource->kind.data().reservations.empty()) continue;
        const auto& reserver = resource->kind.data().reservations.back().principal;
        if (!allowed(Action::UnreserveResources, principal, reserver)) return refusal("unreserve resources of", reserver.value_or(""));
      }
      return std::nullopt;
    case Operation_::DESTROY:
      for (const auto& volume : operation.destroy().volumes()) {
        const std::string& creator = volume.disk().persistence().principal();
        if (!allowed(Action::DestroyVolumes, principal, given(creator))) return refusal("destroy volumes of", creator);
      }
      return std::nullopt;
    case Operation_::CREATE_DISK: {
      const bool block = operation.create_disk().target_type() == mesos::v1::Resource::DiskInfo::Source::BLOCK;
      return by_role(std::array{operation.create_disk().source()}, block ? Action::CreateBlockDisks : Action::CreateMountDisks,
                     "create disks for role");
    }
    case Operation_::DESTROY_DISK: {
      const auto& source = operation.destroy_disk().source();
      const auto type = source.disk().source().type();
      const Action action = type == mesos::v1::Resource::DiskInfo::Source::BLOCK   ? Action::DestroyBlockDisks
                            : type == mesos::v1::Resource::DiskInfo::Source::MOUNT ? Action::DestroyMountDisks
                                                                                  : Action::DestroyRawDisks;
      return by_role(std::array{source}, action, "destroy disks of role");
    }
    default: return std::nullopt;
  }
}

bool Core::forbids(const Call& call, const std::string& principal) const {
  if (!policy_.acls) return false;
  const auto refuses = [&](Action action, const std::optional<std::string>& object = std::nullopt) {
    return !allowed(action, principal, object);
  };
  switch (call.type()) {
    case Call::TEARDOWN: {
      const auto framework = state_.frameworks.find(call.teardown().framework_id().value());
      return framework != state_.frameworks.end() &&
             refuses(Action::TeardownFrameworks, given(framework->second->info->principal()));
    }
    case Call::MARK_AGENT_GONE: return refuses(Action::MarkAgentsGone);
    case Call::DRAIN_AGENT:
      return refuses(Action::DrainAgents) || (call.drain_agent().mark_gone() && refuses(Action::MarkAgentsGone));
    case Call::DEACTIVATE_AGENT: return refuses(Action::DeactivateAgents);
    case Call::REACTIVATE_AGENT: return refuses(Action::ReactivateAgents);
    case Call::UPDATE_WEIGHTS:
      for (const auto& weight : call.update_weights().weight_infos()) {
        if (refuses(Action::UpdateWeights, weight.role())) return true;
      }
      return false;
    case Call::UPDATE_QUOTA:
      for (const auto& config : call.update_quota().quota_configs()) {
        if (refuses(Action::UpdateQuotas, config.role())) return true;
      }
      return false;
    case Call::SET_QUOTA: return refuses(Action::UpdateQuotas, call.set_quota().quota_request().role());
    case Call::REMOVE_QUOTA: return refuses(Action::UpdateQuotas, call.remove_quota().role());
    case Call::UPDATE_MAINTENANCE_SCHEDULE:
      for (const auto& window : call.update_maintenance_schedule().schedule().windows()) {
        for (const auto& id : window.machine_ids()) {
          if (refuses(Action::UpdateMaintenanceSchedules, machine_name(id))) return true;
        }
      }
      return false;
    case Call::START_MAINTENANCE:
      for (const auto& id : call.start_maintenance().machines()) {
        if (refuses(Action::StartMaintenances, machine_name(id))) return true;
      }
      return false;
    case Call::STOP_MAINTENANCE:
      for (const auto& id : call.stop_maintenance().machines()) {
        if (refuses(Action::StopMaintenances, machine_name(id))) return true;
      }
      return false;
    default: return false;  // operations on resources are asked about in forbid_operation
  }
}

}  // namespace master
