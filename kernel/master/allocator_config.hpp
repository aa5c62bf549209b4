#pragma once

// What the allocator wants to know about frameworks and agents, taken from what they told about themselves.

#include "kernel/allocator/allocator.hpp"
#include "kernel/master/state.hpp"

namespace master {

allocator::FrameworkConfig framework_config(const Framework& framework);
allocator::AgentConfig agent_config(const Agent& agent);

}  // namespace master
