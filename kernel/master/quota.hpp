#pragma once

#include <map>
#include <string>

#include "base/result.hpp"
#include "kernel/allocator/allocator.hpp"
#include "kernel/api/mesos/v1/quota/quota.pb.h"

namespace master {

/// Checks a quota and converts it for the allocator.
base::Result<allocator::Quota> parse_quota(const mesos::v1::quota::QuotaConfig& config);

/// Neither guarantees nor limits: removes the quota.
bool is_empty(const mesos::v1::quota::QuotaConfig& config);

/// What all roles together are guaranteed: a role's guarantee holds those of the roles below it. An error when it does not,
/// or when guarantees go beyond a limit above them: they could never be kept.
base::Result<allocator::ResourceQuantities> total_guarantees(
    const std::map<std::string, mesos::v1::quota::QuotaConfig>& quotas);

}  // namespace master
