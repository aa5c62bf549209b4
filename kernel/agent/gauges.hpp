#pragma once

#include "base/metrics.hpp"
#include "kernel/agent/core.hpp"
#include "kernel/containerizer/native.hpp"

namespace agent {

/// The agent's metrics by their original names. `core` and `containers` outlive the registry's use.
void add_gauges(base::Metrics& metrics, const Core& core, const containerizer::NativeContainerizer& containers);

}  // namespace agent
