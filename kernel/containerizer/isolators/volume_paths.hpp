#pragma once

#include <string>

#include "kernel/containerizer/isolators/isolator.hpp"

namespace containerizer {

/// Where a volume lies inside the container; an error when its path leads out of where it may be.
Result<std::string> volume_target(const mesos::v1::Volume& volume, const VolumePlace& place);

}  // namespace containerizer
