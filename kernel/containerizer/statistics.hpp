#pragma once

// What a container uses, in the API's words (pure).

#include <string>
#include <string_view>

#include "kernel/api/mesos/v1/statistics.pb.h"
#include "kernel/containerizer/cgroups/cgroups.hpp"

namespace containerizer {

/// What is not known stays absent. `timestamp` in seconds since the epoch.
mesos::v1::ResourceStatistics make_statistics(const cgroups::Limits& limits, const cgroups::Usage& usage,
                                              double timestamp);

/// "Memory limit exceeded: Requested: 32MB Maximum Used: 32MB", then the statistics that explain it.
std::string out_of_memory_message(const cgroups::Limits& limits, const cgroups::Usage& usage);

/// Adds what /proc/<pid>/net/dev says of all interfaces but the loopback one.
void add_interface_counts(std::string_view text, mesos::v1::ResourceStatistics& out);

}  // namespace containerizer
