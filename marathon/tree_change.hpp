#pragma once

// From request bodies to changes of the tree: pure with regard to the state, which is only read.

#include <boost/json/fwd.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "marathon/deployments.hpp"
#include "marathon/errors.hpp"
#include "marathon/roles.hpp"
#include "marathon/state.hpp"
#include "marathon/tree_history.hpp"

namespace marathon {

/// Collects what one request changes, checks it as a whole, and becomes a ChangeRequest.
class TreeChange {
 public:
  /// `in_place`: what tasks do not see restarts none of them. `force`: services with volumes may get another role.
  TreeChange(Turn& turn, Version version, bool in_place = false, bool force = false)
      : turn_(turn), version_(version), in_place_(in_place), force_(force) {}
  ~TreeChange();  // gives back the service ports it held: a submitted change holds its own
  TreeChange(const TreeChange&) = delete;
  TreeChange& operator=(const TreeChange&) = delete;

  enum class Missing { Create, Refuse };

  /// One app created or updated from a body. `partial`: fields that are left out stay as they are.
  std::optional<ApiError> put_app(const PathId& id, const boost::json::object& body, bool partial,
                                  Missing missing);

  /// A new app; an existing one is a conflict.
  std::optional<ApiError> create_app(const boost::json::object& body, std::string_view group);

  /// The app as it was at `version`, as a new version.
  std::optional<ApiError> restore_app(const PathId& id, Version version);

  std::optional<ApiError> restart_app(const PathId& id);
  std::optional<ApiError> scale_app(const PathId& id, int64_t instances, std::vector<InstanceId> kill_list);
  std::optional<ApiError> remove_app(const PathId& id);

  // The same for pods: always whole definitions.
  std::optional<ApiError> create_pod(const boost::json::object& body);
  std::optional<ApiError> put_pod(const PathId& id, const boost::json::object& body);
  std::optional<ApiError> restart_pod(const PathId& id);
  std::optional<ApiError> remove_pod(const PathId& id);

  /// A group update: absent members stay, present lists replace. `id` is absolute.
  std::optional<ApiError> put_group(const PathId& id, const boost::json::object& body);
  std::optional<ApiError> scale_group(const PathId& id, double factor);
  std::optional<ApiError> remove_group(const PathId& id);

  /// The group and all below it as they were in `tree`.
  std::optional<ApiError> restore_group(const PathId& id, const Tree& tree);

  /// Rules across apps: clashing ids, cycles.
  std::optional<ApiError> check() const;

  bool creates(const PathId& id) const;
  const std::map<PathId, AppChange>& apps() const { return apps_; }
  ChangeRequest finish();

 private:
  std::optional<ApiError> set_app(App app, const AppPtr& current, bool restart = false);
  std::optional<ApiError> add_group_apps(const PathId& group, const boost::json::value& apps);
  std::optional<ApiError> add_child_groups(const PathId& group, const boost::json::value& groups);
  void ensure_group(const PathId& id);
  Group group_after(const PathId& id) const;
  std::optional<ApiError> set_enforce_role(const PathId& id, bool enforce);
  RoleRules roles_of(const PathId& service, const App* current) const;
  AppDefaults defaults_of(const PathId& service, const App* current) const;
  void put(AppChange change);
  void drop(const PathId& id);
  AppPtr present(const PathId& id) const;
  AppPtr present_app(const PathId& id) const;
  AppPtr present_pod(const PathId& id) const;

  Turn& turn_;
  Version version_;
  bool in_place_, force_;
  bool restores_ = false;  // a former state of the tree, with the roles that it had
  std::map<PathId, AppChange> apps_;
  std::map<PathId, GroupChange> groups_;
};

}  // namespace marathon
