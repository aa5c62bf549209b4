#include "marathon/upgrade.hpp"

#include <algorithm>
#include <cmath>

namespace marathon {
namespace {

// 0.1 * 30 is a little more than 3 in binary: rounding must not turn that into 4.
constexpr double kSlack = 1e-9;

}  // namespace

int64_t min_healthy(const UpgradeStrategy& strategy, int64_t target) {
  return static_cast<int64_t>(std::ceil(static_cast<double>(target) * strategy.minimum_health_capacity - kSlack));
}

UpgradeLimits upgrade_limits(const UpgradeStrategy& strategy, const UpgradeInput& input) {
  const auto n = static_cast<double>(input.target);
  const int64_t least = min_healthy(strategy, input.target);
  UpgradeLimits limits;
  limits.max_capacity =
      static_cast<int64_t>(std::floor(n * (1 + strategy.maximum_over_capacity) + kSlack));
  limits.kill_now = std::max<int64_t>(0, input.running - least);
  if (least == limits.max_capacity && limits.max_capacity <= input.running) {
    if (input.resident) {
      limits.kill_now = input.running - least + 1;
    } else {
      ++limits.max_capacity;
    }
  }
  if (input.target < input.existing) {
    limits.kill_now = std::max(input.existing - input.target, limits.kill_now);
  }
  return limits;
}

}  // namespace marathon
