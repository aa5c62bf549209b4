#pragma once

// What a principal may see of the state: a picture without the rest. Pure; runs on any thread.

#include <memory>
#include <optional>
#include <string>

#include "kernel/auth/acls.hpp"
#include "kernel/master/snapshot.hpp"
#include "kernel/resources/proto.hpp"

namespace master {

class Visibility {
 public:
  /// `acls` null: everything. `principal` empty: nobody in particular.
  Visibility(std::shared_ptr<const auth::Acls> acls, const std::string& principal);

  /// Nothing is hidden: the snapshot serves as it is, and renderings can be shared with others who see everything.
  bool everything() const { return everything_; }

  /// The snapshot without the frameworks, tasks, executors, roles, weights, quotas and machines in maintenance that the
  /// principal may not see, nor resources reserved or allocated to roles that it may not see.
  Snapshot filter(const Snapshot& snapshot) const;

  /// Whether the principal may see this event. `task_user`: of the task that an update is about, empty: its framework's.
  bool shows(const mesos::v1::master::Event& event, const std::string& task_user = {}) const;

  /// The event without resources of roles that the principal may not see; nothing when there are none to hide.
  std::optional<mesos::v1::master::Event> without_hidden(const mesos::v1::master::Event& event) const;

  /// Remembers the users of frameworks: task updates name a framework by its id alone.
  void learn(const mesos::v1::master::Event& event);
  void learn(const Snapshot& snapshot);

  bool allows(auth::Action action, const std::optional<std::string>& object = std::nullopt) const;

 private:
  bool shows_task(const mesos::v1::Task& task, const std::string& framework_user) const;
  bool shows_executor(const ExecutorInfo& executor, const std::string& framework_user) const;
  FrameworkView filter(const FrameworkView& view) const;
  bool shows_resource(const resources::Resource& resource) const;
  void hide_roles(Resources& resources) const;
  void hide_roles(resources::ProtoResources& resources) const;
  void hide_roles(AgentView& view) const;

  std::shared_ptr<const auth::Acls> acls_;
  std::optional<std::string> principal_;
  bool everything_ = true;
  bool every_role_ = true;
  std::map<FrameworkId, std::string> users_;  // of frameworks, kept while everything_ is false
};

}  // namespace master
