#pragma once

// The arithmetic of a rolling replacement: how many old instances may go at once and how many there may be in all.

#include <cstdint>

#include "marathon/app.hpp"

namespace marathon {

struct UpgradeInput {
  int64_t target = 0;    // instances wanted
  int64_t running = 0;   // instances considered healthy now, old and new
  int64_t existing = 0;  // all known instances, old and new
  bool resident = false;
};

struct UpgradeLimits {
  int64_t max_capacity = 0;  // never more instances than this
  int64_t kill_now = 0;      // old instances to stop before any new one is healthy
  bool operator==(const UpgradeLimits&) const = default;
};

/// So many of `target` instances shall run well at any moment.
int64_t min_healthy(const UpgradeStrategy& strategy, int64_t target);

/// ceil for the healthy minimum, floor for the capacity; when the two meet and nothing could move, one more is allowed.
UpgradeLimits upgrade_limits(const UpgradeStrategy& strategy, const UpgradeInput& input);

}  // namespace marathon
