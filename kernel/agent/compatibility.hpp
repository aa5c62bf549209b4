#pragma once

// May an agent keep its id with this changed configuration? (pure)

#include "base/result.hpp"
#include "kernel/api/mesos/v1/agents.pb.h"

namespace agent {

/// Policy "equal": nothing may differ.
base::Status check_equal(const mesos::v1::AgentInfo& old_info, const mesos::v1::AgentInfo& new_info);

/// Policy "additive": resources and attributes may grow, a domain may be added. The error names the first difference.
base::Status check_additive(const mesos::v1::AgentInfo& old_info, const mesos::v1::AgentInfo& new_info);

}  // namespace agent
