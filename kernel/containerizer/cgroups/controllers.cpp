#include "kernel/containerizer/cgroups/controllers.hpp"

namespace containerizer::cgroups {

// Controllers without limits of their own: that a container is in their group is what they are for.
const Controller kFreezer{.isolator = "cgroups", .v1 = "freezer", .basic = true};
const Controller kNetPrio{.isolator = "cgroups/net_prio", .v1 = "net_prio", .in_v2 = false};
const Controller kPerfEvent{.isolator = "cgroups/perf_event", .v1 = "perf_event"};
const Controller kHugetlb{.isolator = "cgroups/hugetlb", .v1 = "hugetlb", .v2 = "hugetlb"};

std::span<const Controller* const> controllers() {
  static constexpr const Controller* kAll[] = {&kFreezer, &kMemory, &kCpu,     &kCpuacct, &kPids,    &kDevices,
                                               &kBlkio,   &kCpuset, &kHugetlb, &kNetCls,  &kNetPrio, &kPerfEvent};
  return kAll;
}

bool is_wanted(const Controller& controller, const Wanted& wanted) {
  return controller.basic || wanted.all || wanted.isolators.contains(controller.isolator);
}

bool is_demanded(const Controller& controller, const Wanted& wanted) {
  return wanted.strict && !controller.basic && wanted.isolators.contains(controller.isolator);
}

}  // namespace containerizer::cgroups
