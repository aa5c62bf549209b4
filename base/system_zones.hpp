#pragma once

// The machine's time zone data (/usr/share/zoneinfo) as the core's TimeZones.

#include <memory>

#include "base/time_zones.hpp"

namespace base {

/// Zones are loaded on first use and kept.
std::unique_ptr<TimeZones> system_time_zones();

}  // namespace base
