#pragma once

// The sink of the daemons: standard error through spdlog, one line per message:
//   2026-11-20T13:00:00.123Z I kernel/master agent a1 is unreachable

#include "base/log.hpp"

namespace base::log {

/// From now on lines go through spdlog. To be called once, before threads log.
void use_spdlog();

}  // namespace base::log
