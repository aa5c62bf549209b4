#pragma once

#include <map>
#include <string>

#include "marathon/app.hpp"
#include "marathon/instance.hpp"
#include "marathon/matcher.hpp"
#include "marathon/pod.hpp"
#include "marathon/policy.hpp"

namespace mesos::v1 {
class Offer_Operation_LaunchGroup;
class Resource;
}

namespace marathon {

/// A container's environment: the pod's variables, then its own, then what we say of place, task and ports; later ones
/// win.
std::map<std::string, std::string> container_environment(const App& pod, const PodContainer& container,
                                                         const Instance& instance, const TaskId& task,
                                                         const Placement& placement, const std::string& prefix,
                                                         bool enforce_role);

/// Everything that the kernel needs to run a pod's instance: the executor, which holds the network, the ports and the
/// persistent volumes, and a task for each container. `resources`: see launch_resources().
void build_task_group(const App& pod, const Instance& instance, const Placement& placement, const Offer& offer,
                      const std::vector<mesos::v1::Resource>& resources, const std::string& framework,
                      const Policy& policy, bool enforce_role, mesos::v1::Offer_Operation_LaunchGroup& out);

}  // namespace marathon
