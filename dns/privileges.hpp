#pragma once

#include "base/result.hpp"

namespace dns {

/// Gives up every right but that to bind low ports, for this thread and those it starts later, for good; children that are
/// started get no more. What the kernel refuses to take is an error.
base::Status drop_privileges();

}  // namespace dns
