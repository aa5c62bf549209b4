#pragma once

// What the flags say of isolators.

#include <vector>

#include "kernel/agent/flags.hpp"
#include "kernel/containerizer/isolators/make.hpp"

namespace agent {

/// Reads the directory of secrets' mode, and which graphics processors there are; nothing else of the machine.
base::Result<containerizer::IsolatorOptions> make_isolator_options(const Flags& flags);

/// The store of secrets that the flags name; null: none.
base::Result<std::shared_ptr<const containerizer::secrets::Resolver>> open_secrets(const Flags& flags);

/// Numbers of the graphics processors that containers may have; none without the isolator gpu/nvidia.
base::Result<std::vector<unsigned>> find_gpus(const Flags& flags);

}  // namespace agent
