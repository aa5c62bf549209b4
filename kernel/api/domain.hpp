#pragma once

// Fault domains as flags say them.

#include <string_view>

#include "base/result.hpp"
#include "kernel/api/mesos/v1/values.pb.h"

namespace api {

/// {"fault_domain":{"region":{"name":"r"},"zone":{"name":"z"}}}. Errors name the field that is missing or unknown.
base::Result<mesos::v1::DomainInfo> parse_domain(std::string_view json);

}  // namespace api
