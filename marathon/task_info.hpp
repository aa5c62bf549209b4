#pragma once

#include <map>
#include <string>
#include <vector>

#include "marathon/app.hpp"
#include "marathon/instance.hpp"
#include "marathon/matcher.hpp"

namespace mesos::v1 {
class TaskInfo;
}

namespace marathon {

/// The task's environment: context, then ports, then the app's own variables; later ones win.
std::map<std::string, std::string> task_environment(const App& app, const Instance& instance,
                                                    const Placement& placement,
                                                    const std::string& prefix);

/// Everything that the kernel needs to run the instance on the offer's resources.
void build_task(const App& app, const Instance& instance, const Placement& placement,
                const Offer& offer, const std::string& env_prefix, mesos::v1::TaskInfo& out);

}  // namespace marathon
