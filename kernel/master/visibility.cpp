#include "kernel/master/visibility.hpp"

#include <algorithm>

namespace master {

using auth::Action;
using OperatorEvent = mesos::v1::master::Event;

Visibility::Visibility(std::shared_ptr<const auth::Acls> acls, const std::string& principal) : acls_(std::move(acls)) {
  if (!principal.empty()) principal_ = principal;
  if (!acls_) return;
  for (const Action action : {Action::ViewFrameworks, Action::ViewTasks, Action::ViewExecutors, Action::ViewRoles,
                              Action::GetQuotas, Action::ViewFlags}) {
    everything_ = everything_ && acls_->allows_all(action, principal_);
  }
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
  for (AgentView& agent : out.agents) {
    std::erase_if(agent.executors, [&](const auto& executor) { return !shows_executor(*executor.second, users[executor.first]); });
    std::erase_if(agent.operations, [&](const auto& operation) {
      return operation->has_framework_id() && !allows(Action::ViewFrameworks, users[operation->framework_id().value()]);
    });
  }
  std::erase_if(out.roles, [&](const allocator::RoleState& role) { return !allows(Action::ViewRoles, role.role); });
  std::erase_if(out.weights, [&](const auto& weight) { return !allows(Action::ViewRoles, weight.first); });
  std::erase_if(out.quotas, [&](const auto& quota) { return !allows(Action::GetQuotas, quota.first); });
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

bool Visibility::shows(const OperatorEvent& event) const {
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
      return allows(Action::ViewFrameworks, user) && allows(Action::ViewTasks, user);
    }
    default: return true;
  }
}

}  // namespace master
