#pragma once

// Cron lines as repeating intervals, where one can say the same.

#include <string>

#include "base/result.hpp"
#include "base/time.hpp"

namespace cli {

/// "R/2024-03-08T20:00:00/P1D" for "0 20 * * *": beginning with the next time after `now`, in wall-clock time of `zone`
/// (an id of the tz database). The error says what an interval cannot say.
base::Result<std::string> interval_of_cron(const std::string& cron, const std::string& zone, base::Time now);

}  // namespace cli
