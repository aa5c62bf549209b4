#pragma once

// Apps and pods with persistent volumes: what is reserved for an instance and made on its agent, how that is found again in offers,
// and what is given back. An instance keeps its reservation, and so its agent and data, over every relaunch; what carries
// our labels and belongs to no instance is destroyed.

#include <optional>
#include <string>
#include <vector>

#include "marathon/matcher.hpp"
#include "marathon/offer.hpp"
#include "marathon/state.hpp"

namespace mesos::v1 {
class Offer_Operation;
class OperationStatus;
class Resource;
}

namespace marathon {

/// Of the root disk what its volumes need beside its own, in thousandths of a MiB.
int64_t volume_disk(const App& app);

/// "<safe app id>#<path>#<uuid>".
std::string persistence_id(const PathId& app, const LocalVolume& volume);

/// A reservation for a task that is about to be launched for the first time: its id is the task's.
Reservation make_reservation(const App& app, const Instance& instance, base::Random& random);

/// RESERVE, then CREATE, on the unreserved resources of `placement`; its ports are kept for the instance as well.
std::vector<mesos::v1::Offer_Operation> reserve(const App& app, const Instance& instance, const Placement& placement,
                                                const Offer& offer, const Policy& policy, const std::string& framework);

/// What the launch takes of the offer, as it is once reserve() is done where that comes first: what was taken as it was
/// offered is reserved by then, and volumes are among it.
std::vector<mesos::v1::Resource> launch_resources(const App& app, const Instance& instance, const Placement& placement,
                                                  const Offer& offer, const Policy& policy, const std::string& framework);

/// The instance's reservation is made by the launch that comes.
bool is_new_reservation(const Instance& instance);

/// The instance's reserved resources in the offer, or, in `reject`, what is missing of them.
std::optional<Placement> match_reserved(Offer& offer, const App& app, const Instance& instance, const MatchPolicy& policy,
                                        base::Time now, base::Random& random, Reject& reject);

/// DESTROY of its volumes and UNRESERVE of everything that the offer has of a reservation which nobody owns any more.
std::vector<mesos::v1::Offer_Operation> release(const Offer& offer, const std::string& reservation, base::Random& random);

/// May what belongs to no instance be destroyed? Not when a record could not be read: its owner may be among those.
bool may_release(const State& state);

/// Whose reservation it is; null: nobody's.
Instance* find_reservation(State& state, const std::string& reservation);

/// The instance does not need what is reserved for it: it is released with the next offers that bring it. Stored.
void give_back(Turn& turn, Instance& instance);

/// Whoever waits for resources that do not come back lets the master be.
void forget_old_releases(Turn& turn);

/// What became of an operation of release().
void on_operation_status(Turn& turn, const mesos::v1::OperationStatus& status);

}  // namespace marathon
