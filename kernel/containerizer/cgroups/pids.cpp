// How many processes and threads a container may have at once.

#include "kernel/containerizer/cgroups/controllers.hpp"
#include "kernel/containerizer/cgroups/tree.hpp"

namespace containerizer::cgroups {
namespace {

Status limit(const std::string& group, const Limits& limits) {
  return limits.pids ? write_value(group + "/pids.max", std::to_string(*limits.pids)) : Status();
}

}  // namespace

const Controller kPids{
    .isolator = "cgroups/pids", .v1 = "pids", .v2 = "pids", .basic = true, .limit_v1 = limit, .limit_v2 = limit};

}  // namespace containerizer::cgroups
