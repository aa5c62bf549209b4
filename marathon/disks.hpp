#pragma once

// Which disks of an offer become the persistent volumes of an instance.

#include "marathon/matcher.hpp"

namespace marathon {

/// A piece of a disk for each of the app's volumes, in their order, into `placement.volumes`: of the root disk; of a disk
/// with a path the roomiest; of mounted disks, which are taken whole, the smallest that will do. The largest volumes choose
/// first. False, with `offer` half used up, when there is no room.
bool place_volumes(Offer& offer, const App& app, const std::vector<std::string>& roles, Placement& placement);

}  // namespace marathon
