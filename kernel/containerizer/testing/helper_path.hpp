#pragma once

#include <string>

namespace containerizer {

/// Where the build put dcos-launch, seen from the test or benchmark that runs.
std::string helper_path();

}  // namespace containerizer
