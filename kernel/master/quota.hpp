#pragma once

#include "base/result.hpp"
#include "kernel/allocator/allocator.hpp"
#include "kernel/api/mesos/v1/quota/quota.pb.h"

namespace master {

/// Checks a quota and converts it for the allocator.
base::Result<allocator::Quota> parse_quota(const mesos::v1::quota::QuotaConfig& config);

/// Neither guarantees nor limits: removes the quota.
bool is_empty(const mesos::v1::quota::QuotaConfig& config);

}  // namespace master
