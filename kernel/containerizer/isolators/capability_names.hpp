#pragma once

#include <cstdint>
#include <string>

#include "kernel/api/mesos/v1/containers.pb.h"
#include "kernel/containerizer/types.hpp"

namespace containerizer {

/// One bit per capability, as the kernel counts them.
Result<uint64_t> capability_mask(const mesos::v1::CapabilityInfo& info);

/// "CHOWN, KILL".
std::string render_capabilities(uint64_t mask);

/// CapabilityInfo as JSON, for flags.
Result<uint64_t> parse_capabilities(const std::string& json);

}  // namespace containerizer
