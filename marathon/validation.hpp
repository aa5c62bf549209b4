#pragma once

#include <set>

#include "marathon/app.hpp"
#include "marathon/errors.hpp"

namespace marathon {

struct ValidationPolicy {
  std::string role = "*";           // --mesos_role
  std::set<std::string> roles{};    // that an app may have; none named: --mesos_role alone
  bool gpu_resources = false;       // --enable_features gpu_resources
  bool secrets = false;             // --enable_features secrets
};

/// Every rule of one app, each with the path and the message fragment that clients show. Rules across apps (ids that
/// clash, cyclic dependencies) belong to the group tree.
void validate_app(const App& app, const ValidationPolicy& policy, Violations& out);

/// The same for a pod; called by validate_app.
void validate_pod(const App& pod, const ValidationPolicy& policy, Violations& out);

// Rules that both have.
void validate_id(const App& app, Violations& out);
void validate_networks(const App& app, Violations& out);
void validate_constraint(const Constraint& constraint, const std::string& path, Violations& out);
void validate_environment(const std::map<std::string, std::string>& env, const std::string& path, Violations& out);
void validate_secrets(const App& app, const ValidationPolicy& policy, Violations& out);
void validate_secret_variables(const Secrets& variables, const App& app, const ValidationPolicy& policy, const std::string& path,
                               Violations& out);
void validate_secret_file(const std::string& secret, const App& app, const ValidationPolicy& policy, const std::string& path,
                          Violations& out);
void validate_persistent_disk(const PersistentDisk& disk, const std::string& path, Violations& out);
/// `executor`: of a pod as a whole.
void validate_linux_info(const std::optional<LinuxInfo>& info, bool executor, const std::string& path, Violations& out);
void validate_pull_secret(const std::string& secret, const App& app, const ValidationPolicy& policy, const std::string& path,
                          Violations& out);
/// An app's check.
void validate_check(const App& app, Violations& out);
void validate_limits(const std::optional<ResourceLimits>& limits, double cpus, double mem, const std::string& path,
                     Violations& out);
void validate_roles(const App& app, const ValidationPolicy& policy, const std::string& path, Violations& out);
void validate_unreachable_strategy(const UnreachableStrategy& strategy, const std::string& path, Violations& out);

/// What may not change while instances hold reservations: volumes and resources.
void validate_same_volumes(const App& from, const App& to, Violations& out);

}  // namespace marathon
