#pragma once

#include "chronos/offer.hpp"
#include "chronos/state.hpp"

namespace mesos::v1 {
class TaskInfo;
}

namespace chronos {

/// The task of a run of `job`, with these resources of the offer.
void build_task(const Job& job, const Run& run, const Placement& placement, const Offer& offer,
                mesos::v1::TaskInfo& out);

}  // namespace chronos
