#include "marathon/roles.hpp"

#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"

namespace marathon {
namespace {

using mesos::v1::scheduler::Call;

void add_roles(const State& state, std::set<std::string>& roles) {
  for (const auto& [id, run] : state.apps) {
    if (run.target) roles.insert(run.target->role);
    for (const auto& [key, instance] : run.instances) {
      if (!instance.role.empty()) roles.insert(instance.role);
      if (instance.reservation && !instance.reservation->role.empty()) roles.insert(instance.reservation->role);
    }
  }
}

void tell(Turn& turn) {
  auto call = std::make_shared<Call>();
  call->set_type(Call::UPDATE_FRAMEWORK);
  auto& update = *call->mutable_update_framework();
  for (const std::string& role : turn.state.roles) update.mutable_framework_info()->add_roles(role);
  for (const std::string& role : turn.state.suppressed) update.add_suppressed_roles(role);
  turn.out.send(std::move(call));
}

}  // namespace

PathId top_level_group(const PathId& service) {
  if (parent_of(service) == "/") return "/";
  return PathId(service.substr(0, service.find('/', 1)));
}

RoleRules role_rules(const PathId& service, bool enforced, const App* current, const Policy& policy) {
  const std::string& own = policy.defaults.role;
  RoleRules rules{{own}, own};
  const PathId group = top_level_group(service);
  if (group != "/") {
    const std::string name = group.substr(1);
    if (enforced) rules = {{name}, name};
    rules.valid.insert(name);
  }
  if (current) rules.valid.insert(current->role);
  return rules;
}

bool is_role_enforced(const State& state, const PathId& service) {
  const auto group = state.groups.find(top_level_group(service));
  return group != state.groups.end() && group->second.enforce_role;
}

void use_role(Turn& turn, const std::string& role) {
  if (turn.state.roles.insert(role).second) tell(turn);
}

void drop_unused_roles(Turn& turn) {
  State& state = turn.state;
  if (state.roles.size() == 1 || !state.releases.empty()) return;
  std::set<std::string> used{turn.policy.defaults.role};
  add_roles(state, used);
  if (used == state.roles) return;
  state.roles = std::move(used);
  std::erase_if(state.suppressed, [&](const std::string& role) { return !state.roles.contains(role); });
  tell(turn);
}

void recover_roles(State& state) { add_roles(state, state.roles); }

std::set<std::string> wanted_roles(const State& state) {
  const bool all = !state.releases.empty() || !state.dry_runs.empty();
  if (all || (state.roles.size() == 1 && !state.launchable.empty())) return state.roles;
  std::set<std::string> roles;
  for (const PathId& id : state.launchable) {
    const auto run = state.apps.find(id);
    if (run == state.apps.end() || !run->second.target) continue;
    roles.insert(run->second.target->role);
    if (!is_resident(*run->second.target)) continue;
    for (const auto& [key, instance] : run->second.instances) {
      if (instance.reservation && !instance.reservation->role.empty()) roles.insert(instance.reservation->role);
    }
  }
  return roles;
}

}  // namespace marathon
