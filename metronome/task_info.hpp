#pragma once

#include "jobs/offer.hpp"
#include "metronome/state.hpp"

namespace mesos::v1 {
class TaskInfo;
}

namespace metronome {

/// "prod_example_20160715130259A34HX.instance-<uuid>._app.1": as the original's are, which runs each run as an app.
TaskId make_task_id(const Run& run, const std::string& uuid);

/// The task of the run, with these resources of the offer. Secrets go by reference.
void build_task(const Run& run, const jobs::Placement& placement, const jobs::Offer& offer, const Policy& policy,
                mesos::v1::TaskInfo& out);

}  // namespace metronome
