#pragma once

#include "chronos/state.hpp"
#include "jobs/offer.hpp"

namespace mesos::v1 {
class TaskInfo;
}

namespace chronos {

/// The task of a run of `job`, with these resources of the offer.
void build_task(const Job& job, const Run& run, const jobs::Placement& placement, const jobs::Offer& offer,
                mesos::v1::TaskInfo& out);

}  // namespace chronos
