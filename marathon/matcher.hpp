#pragma once

// Whether an instance of an app fits into what is left of an offer, and with which resources.

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "marathon/app.hpp"
#include "marathon/instance.hpp"
#include "marathon/offer.hpp"

namespace marathon {

/// In the order in which the queue's funnel shows them.
enum class Reject {
  UnfulfilledRole,
  UnfulfilledConstraint,
  NoCorrespondingReservationFound,
  AgentMaintenance,
  InsufficientCpus,
  InsufficientMemory,
  InsufficientDisk,
  InsufficientGpus,
  InsufficientPorts,
  DeclinedScarceResources,
};
inline constexpr size_t kRejects = 10;
std::string_view reject_name(Reject reject);

struct PlacedScalar {
  int index = 0;  // of the resource in the offer
  int64_t amount = 0;
};

struct PlacedPort {
  int index = 0;
  int port = 0;
};

struct Placement {
  std::vector<PlacedScalar> scalars;  // persistent volumes apart, where they are yet to be made
  std::vector<PlacedScalar> volumes;  // that are to be made: one per volume of the app
  std::vector<PlacedPort> ports;
  std::vector<int> host_ports;       // one per declared port; 0: not on the host
  std::vector<int> container_ports;  // one per declared port
};

/// Resources of which roles an app uses that says nothing of it (--accepted_resource_roles_default_behavior).
enum class RolesUsed { Any, Unreserved, Reserved };

struct MatchPolicy {
  RolesUsed roles_used = RolesUsed::Any;
  std::string local_region;  // of the master; empty: none
  bool maintenance_mode = true;
  base::Duration draining{0};
  bool gpu_restricted = true;
};

/// What one instance takes, in thousandths, persistent volumes apart.
struct Demand {
  int64_t cpus = 0, mem = 0, disk = 0, gpus = 0;
};
Demand demand_of(const App& app);

/// The roles of resources that instances of the app may use.
std::vector<std::string> accepted_roles(const App& app, RolesUsed unless_said);

/// The offer's region is the master's, or the app asks for regions itself.
bool region_fits(const Offer& offer, const App& app, const MatchPolicy& policy);

/// The agent is being worked on, or will be soon.
bool in_maintenance(const Offer& offer, const MatchPolicy& policy, base::Time now);

/// Takes the resources out of `offer` and says which, or leaves it alone and says in `reject` why not. `placed` are the
/// instances that constraints count.
std::optional<Placement> match(Offer& offer, const App& app, const std::vector<const Instance*>& placed,
                               const MatchPolicy& policy, base::Time now, base::Random& random,
                               Reject& reject);

}  // namespace marathon
