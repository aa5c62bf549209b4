#pragma once

// Roles: which ones a service may have, and in which ones resources are asked for.

#include <set>
#include <string>

#include "marathon/state.hpp"

namespace marathon {

/// "/a" of "/a/b/c"; of a service at the root "/".
PathId top_level_group(const PathId& service);

struct RoleRules {
  std::set<std::string> valid;
  std::string otherwise;  // of a definition that names none
};

/// `enforced`: the name of the top-level group is the role of everything in it. `current`: what is there now, whose role
/// it may keep.
RoleRules role_rules(const PathId& service, bool enforced, const App* current, const Policy& policy);

/// What the state says of the service's top-level group.
bool is_role_enforced(const State& state, const PathId& service);

/// Tells the master when resources are to be asked for in one more role.
void use_role(Turn& turn, const std::string& role);

/// Roles that nothing has any more go, when nothing is left to be given back.
void drop_unused_roles(Turn& turn);

/// All that the state has after a restart.
void recover_roles(State& state);

/// Roles in which something is to be launched, given back or tried out.
std::set<std::string> wanted_roles(const State& state);

}  // namespace marathon
