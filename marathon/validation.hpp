#pragma once

#include "marathon/app.hpp"
#include "marathon/errors.hpp"

namespace marathon {

struct ValidationPolicy {
  std::string role = "*";           // --mesos_role
  bool gpu_resources = false;       // --enable_features gpu_resources
};

/// Every rule of one app, each with the path and the message fragment that clients show. Rules across apps (ids that
/// clash, cyclic dependencies) belong to the group tree.
void validate_app(const App& app, const ValidationPolicy& policy, Violations& out);

/// What may not change while instances hold reservations: volumes and resources.
void validate_same_volumes(const App& from, const App& to, Violations& out);

}  // namespace marathon
