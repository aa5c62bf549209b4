// The class that a container's packets carry, for traffic control and filters of the operator's.

#include "kernel/containerizer/cgroups/controllers.hpp"
#include "kernel/containerizer/cgroups/tree.hpp"

namespace containerizer::cgroups {
namespace {

Status limit_v1(const std::string& group, const Limits& limits) {
  return limits.net_class ? write_value(group + "/net_cls.classid", std::to_string(*limits.net_class)) : Status();
}

}  // namespace

const Controller kNetCls{.isolator = "cgroups/net_cls", .v1 = "net_cls", .in_v2 = false, .limit_v1 = limit_v1};

}  // namespace containerizer::cgroups
