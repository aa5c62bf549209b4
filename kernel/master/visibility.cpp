#include "kernel/master/visibility.hpp"

#include <algorithm>

#include "kernel/resources/operations.hpp"

namespace master {

using auth::Action;
using OperatorEvent = mesos::v1::master::Event;

namespace {

const std::string& machine_name(const mesos::v1::MachineID& id) { return id.hostname().empty() ? id.ip() : id.hostname(); }

/// Without the entries that `hides` says are not to be seen.
template <class List, class Hides>
void erase_if(List& list, Hides hides) {
  for (int i = list.size() - 1; i >= 0; --i) {
    if (hides(list.Get(i))) list.DeleteSubrange(i, 1);
  }
}

}  // namespace

Visibility::Visibility(std::shared_ptr<const auth::Acls> acls, const std::string& principal) : acls_(std::move(acls)) {
  if (!principal.empty()) principal_ = principal;
  if (!acls_) return;
  for (const Action action : {Action::ViewFrameworks, Action::ViewTasks, Action::ViewExecutors, Action::ViewRoles,
                              Action::GetQuotas, Action::ViewFlags, Action::GetMaintenanceSchedules,
                              Action::GetMaintenanceStatuses}) {
    everything_ = everything_ && acls_->allows_all(action, principal_);
  }
  every_role_ = acls_->allows_all(Action::ViewRoles, principal_);
}

bool Visibility::allows(Action action, const std::optional<std::string>& object) const {
  return !acls_ || acls_->allows(action, principal_, object);
}

bool Visibility::shows_task(const mesos::v1::Task& task, const std::string& framework_user) const {
  return allows(Action::ViewTasks, task.has_user() ? task.user() : framework_user);
}

bool Visibility::shows_executor(const ExecutorInfo& executor, const std::string& framework_user) const {
  return allows(Action::ViewExecutors, executor.command().has_user() ? executor.command().user() : framework_user);
}

/// Every role of its reservations, and the role that it is allocated to.
bool Visibility::shows_resource(const resources::Resource& resource) const {
  if (!resource.allocation.empty() && !allows(Action::ViewRoles, resource.allocation.str())) return false;
  const auto& reservations = resource.kind.data().reservations;
  return std::all_of(reservations.begin(), reservations.end(),
                     [&](const auto& reservation) { return allows(Action::ViewRoles, reservation.role); });
}

void Visibility::hide_roles(Resources& resources) const {
  resources = resources.filter([&](const resources::Resource& r) { return shows_resource(r); });
}

void Visibility::hide_roles(resources::ProtoResources& list) const {
  erase_if(list, [&](const mesos::v1::Resource& proto) {
    const auto resource = resources::from_proto(proto);
    return !resource || !shows_resource(*resource);
  });
}

void Visibility::hide_roles(AgentView& view) const {
  if (every_role_) return;
  hide_roles(view.total);
  hide_roles(view.offered);
  for (auto& [id, used] : view.used) hide_roles(used);
  auto info = std::make_shared<AgentInfo>(*view.info);
  hide_roles(*info->mutable_resources());
  view.info = std::move(info);
  std::erase_if(view.operations, [&](const auto& operation) {
    const auto conversions = resources::conversions(operation->info());
    const auto hides = [&](const Resources& resources) {
      return std::any_of(resources.begin(), resources.end(), [&](const auto& r) { return !shows_resource(r); });
    };
    if (!conversions) {
      const auto disk = resources::disk_of(operation->info());
      return !disk || hides(*disk);
    }
    return std::any_of(conversions->begin(), conversions->end(), [&](const auto& c) { return hides(c.consumed); });
  });
}

FrameworkView Visibility::filter(const FrameworkView& view) const {
  const std::string& user = view.info->user();
  FrameworkView out = view;
  for (auto* tasks : {&out.tasks, &out.unreachable_tasks}) {
    std::erase_if(*tasks, [&](const auto& task) { return !shows_task(*task, user); });
  }
  std::erase_if(out.completed_tasks, [&](const PackedTask& task) { return !shows_task(task.unpack(), user); });
  std::erase_if(out.executors, [&](const auto& executor) { return !shows_executor(*executor.second, user); });
  return out;
}

Snapshot Visibility::filter(const Snapshot& snapshot) const {
  Snapshot out = snapshot;
  if (everything_) return out;
  std::map<FrameworkId, std::string> users;
  for (auto* frameworks : {&out.frameworks, &out.completed_frameworks}) {
    for (const FrameworkView& view : *frameworks) users[view.id] = view.info->user();
    std::erase_if(*frameworks, [&](const FrameworkView& view) { return !allows(Action::ViewFrameworks, view.info->user()); });
    for (FrameworkView& view : *frameworks) view = filter(view);
  }
  for (auto& info : out.recovered_agents) {
    if (every_role_) break;
    auto shown = std::make_shared<AgentInfo>(*info);
    hide_roles(*shown->mutable_resources());
    info = std::move(shown);
  }
  for (AgentView& agent : out.agents) {
    hide_roles(agent);
    std::erase_if(agent.executors, [&](const auto& executor) {
      const std::string& user = users[executor.first];
      return !allows(Action::ViewFrameworks, user) || !shows_executor(*executor.second, user);
    });
    std::erase_if(agent.operations, [&](const auto& operation) {
      return operation->has_framework_id() && !allows(Action::ViewFrameworks, users[operation->framework_id().value()]);
    });
  }
  std::erase_if(out.roles, [&](const allocator::RoleState& role) { return !allows(Action::ViewRoles, role.role); });
  std::erase_if(out.weights, [&](const auto& weight) { return !allows(Action::ViewRoles, weight.first); });
  std::erase_if(out.quotas, [&](const auto& quota) { return !allows(Action::GetQuotas, quota.first); });
  const auto hides = [&](Action action) {
    return [this, action](const mesos::v1::MachineID& id) { return !allows(action, machine_name(id)); };
  };
  for (auto& window : *out.schedule.mutable_windows()) erase_if(*window.mutable_machine_ids(), hides(Action::GetMaintenanceSchedules));
  erase_if(*out.schedule.mutable_windows(), [](const auto& window) { return window.machine_ids().empty(); });
  erase_if(*out.maintenance.mutable_down_machines(), hides(Action::GetMaintenanceStatuses));
  erase_if(*out.maintenance.mutable_draining_machines(),
           [&](const auto& machine) { return !allows(Action::GetMaintenanceStatuses, machine_name(machine.id())); });
  out.shows_flags = allows(Action::ViewFlags);
  return out;
}

void Visibility::learn(const Snapshot& snapshot) {
  if (everything_) return;
  for (const FrameworkView& view : snapshot.frameworks) users_[view.id] = view.info->user();
}

void Visibility::learn(const OperatorEvent& event) {
  if (everything_) return;
  if (event.type() == OperatorEvent::FRAMEWORK_ADDED) {
    const FrameworkInfo& info = event.framework_added().framework().framework_info();
    users_[info.id().value()] = info.user();
  } else if (event.type() == OperatorEvent::FRAMEWORK_REMOVED) {
    users_.erase(event.framework_removed().framework_info().id().value());
  }
}

std::optional<OperatorEvent> Visibility::without_hidden(const OperatorEvent& event) const {
  if (every_role_) return std::nullopt;
  OperatorEvent out;
  if (event.type() == OperatorEvent::AGENT_ADDED) {
    out = event;
    auto& agent = *out.mutable_agent_added()->mutable_agent();
    for (auto* list : {agent.mutable_agent_info()->mutable_resources(), agent.mutable_total_resources(),
                       agent.mutable_allocated_resources(), agent.mutable_offered_resources()}) {
      hide_roles(*list);
    }
    for (auto& provider : *agent.mutable_resource_providers()) hide_roles(*provider.mutable_total_resources());
    return out;
  }
  const bool added = event.type() == OperatorEvent::FRAMEWORK_ADDED;
  if (!added && event.type() != OperatorEvent::FRAMEWORK_UPDATED) return std::nullopt;
  out = event;
  auto& framework =
      added ? *out.mutable_framework_added()->mutable_framework() : *out.mutable_framework_updated()->mutable_framework();
  hide_roles(*framework.mutable_allocated_resources());
  hide_roles(*framework.mutable_offered_resources());
  return out;
}

bool Visibility::shows(const OperatorEvent& event, const std::string& task_user) const {
  if (everything_) return true;
  const auto user_of = [&](const std::string& framework) {
    const auto found = users_.find(framework);
    return found == users_.end() ? std::string() : found->second;
  };
  switch (event.type()) {
    case OperatorEvent::FRAMEWORK_ADDED:
      return allows(Action::ViewFrameworks, event.framework_added().framework().framework_info().user());
    case OperatorEvent::FRAMEWORK_UPDATED:
      return allows(Action::ViewFrameworks, event.framework_updated().framework().framework_info().user());
    case OperatorEvent::FRAMEWORK_REMOVED:
      return allows(Action::ViewFrameworks, event.framework_removed().framework_info().user());
    case OperatorEvent::TASK_ADDED: {
      const mesos::v1::Task& task = event.task_added().task();
      const std::string user = user_of(task.framework_id().value());
      return allows(Action::ViewFrameworks, user) && shows_task(task, user);
    }
    case OperatorEvent::TASK_UPDATED: {
      const std::string user = user_of(event.task_updated().framework_id().value());
      return allows(Action::ViewFrameworks, user) && allows(Action::ViewTasks, task_user.empty() ? user : task_user);
    }
    default: return true;
  }
}

}  // namespace master
