#include "marathon/matcher.hpp"

#include <algorithm>

#include "marathon/constraints.hpp"
#include "marathon/disks.hpp"
#include "marathon/ports.hpp"

namespace marathon {
namespace {

bool accepts(const std::vector<std::string>& roles, const std::string& role) {
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

int64_t available(const std::vector<ScalarPiece>& pieces, const std::vector<std::string>& roles) {
  int64_t sum = 0;
  for (const ScalarPiece& piece : pieces) {
    if (accepts(roles, piece.role)) sum += piece.left;
  }
  return sum;
}

void take(std::vector<ScalarPiece>& pieces, const std::vector<std::string>& roles, int64_t amount,
          Placement& placement) {
  for (ScalarPiece& piece : pieces) {
    if (amount == 0) return;
    if (!accepts(roles, piece.role) || piece.left == 0) continue;
    const int64_t part = std::min(amount, piece.left);
    piece.left -= part;
    amount -= part;
    placement.scalars.push_back({piece.index, part});
  }
}

bool constraints_hold(const Offer& offer, const App& app, const std::vector<const Instance*>& placed) {
  return std::all_of(app.constraints.begin(), app.constraints.end(), [&](const Constraint& c) {
    return satisfies(c, field_value(offer, c.field), placed, app.instances);
  });
}

/// Instances without GPUs stay away from agents that have some. A label of the app decides before the flag does.
bool gpus_are_kept(const App& app, const MatchPolicy& policy) {
  const auto label = app.labels.find("GPU_SCHEDULING_BEHAVIOR");
  if (label != app.labels.end() && label->second == "restricted") return true;
  if (label != app.labels.end() && label->second == "unrestricted") return false;
  return policy.gpu_restricted;
}

}  // namespace

Demand demand_of(const App& app) {
  Demand demand{thousandths(app.cpus), thousandths(app.mem), thousandths(app.disk), thousandths(app.gpus)};
  if (!app.executor_resources) return demand;
  demand.cpus += thousandths(app.executor_resources->cpus);
  demand.mem += thousandths(app.executor_resources->mem);
  demand.disk += thousandths(app.executor_resources->disk);
  return demand;
}

std::vector<std::string> accepted_roles(const App& app, RolesUsed unless_said) {
  if (is_resident(app)) return {"*"};  // what is reserved for it is made of what nobody has
  if (!app.accepted_resource_roles.empty()) return app.accepted_resource_roles;
  switch (unless_said) {
    case RolesUsed::Any: return {app.role, "*"};
    case RolesUsed::Unreserved: return {"*"};
    case RolesUsed::Reserved: return {app.role};
  }
  return {app.role, "*"};
}

bool region_fits(const Offer& offer, const App& app, const MatchPolicy& policy) {
  for (const Constraint& constraint : app.constraints) {
    if (constraint.field == "@region" || constraint.field == "@zone") return true;
  }
  return offer.region.empty() || policy.local_region.empty() || offer.region == policy.local_region;
}

bool in_maintenance(const Offer& offer, const MatchPolicy& policy, base::Time now) {
  if (!policy.maintenance_mode || !offer.unavailable_from) return false;
  if (now < *offer.unavailable_from - policy.draining) return false;
  return !offer.unavailable_until || now < *offer.unavailable_until;
}

std::string_view reject_name(Reject reject) {
  constexpr std::array<std::string_view, kRejects> kNames = {
      "UnfulfilledRole",   "UnfulfilledConstraint", "NoCorrespondingReservationFound",
      "AgentMaintenance",  "InsufficientCpus",      "InsufficientMemory",
      "InsufficientDisk",  "InsufficientGpus",      "InsufficientPorts",
      "DeclinedScarceResources"};
  return kNames[static_cast<size_t>(reject)];
}

std::optional<Placement> match(Offer& offer, const App& app, const std::vector<const Instance*>& placed,
                               const MatchPolicy& policy, base::Time now, base::Random& random,
                               Reject& reject) {
  const auto refuse = [&](Reject why) {
    reject = why;
    return std::optional<Placement>();
  };
  const std::vector<std::string> roles = accepted_roles(app, policy.roles_used);
  if (offer.role != app.role) return refuse(Reject::UnfulfilledRole);
  if (!region_fits(offer, app, policy) || !constraints_hold(offer, app, placed)) {
    return refuse(Reject::UnfulfilledConstraint);
  }
  if (in_maintenance(offer, policy, now)) return refuse(Reject::AgentMaintenance);
  const Demand wanted = demand_of(app);
  if (available(offer.cpus, roles) < wanted.cpus) return refuse(Reject::InsufficientCpus);
  if (available(offer.mem, roles) < wanted.mem) return refuse(Reject::InsufficientMemory);
  Placement placement;
  const bool resident = is_resident(app);
  std::vector<ScalarPiece> root;
  std::vector<DiskPiece> disks;
  if (resident) root = offer.disk, disks = offer.disks;
  const auto refuse_disk = [&](Reject why) {
    if (resident) offer.disk = std::move(root), offer.disks = std::move(disks);
    return refuse(why);
  };
  if (resident && !place_volumes(offer, app, roles, placement)) return refuse_disk(Reject::InsufficientDisk);
  if (available(offer.disk, roles) < wanted.disk) return refuse_disk(Reject::InsufficientDisk);
  if (available(offer.gpus, roles) < wanted.gpus) return refuse_disk(Reject::InsufficientGpus);
  if (gpus_are_kept(app, policy) && wanted.gpus == 0 && available(offer.gpus, roles) > 0) {
    return refuse_disk(Reject::DeclinedScarceResources);
  }
  if (!place_ports(offer, app, roles, random, placement)) return refuse_disk(Reject::InsufficientPorts);
  take(offer.cpus, roles, wanted.cpus, placement);
  take(offer.mem, roles, wanted.mem, placement);
  take(offer.disk, roles, wanted.disk, placement);
  take(offer.gpus, roles, wanted.gpus, placement);
  return placement;
}

}  // namespace marathon
