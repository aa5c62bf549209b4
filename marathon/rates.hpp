#pragma once

// Rates and durations as the original's metrics have them: averages over one, five and fifteen minutes that older events
// leave bit by bit, and quantiles of what was measured last.

#include <array>
#include <cstdint>
#include <vector>

#include "base/time.hpp"

namespace marathon {

class Meter {
 public:
  void mark(base::Instant now, uint64_t by = 1);

  uint64_t count() const { return count_; }

  struct Rates {
    double mean = 0, m1 = 0, m5 = 0, m15 = 0;  // events per second
  };
  Rates rates(base::Instant now) const;

 private:
  void tick(base::Instant now);

  uint64_t count_ = 0, uncounted_ = 0;
  bool begun_ = false, averaged_ = false;
  base::Instant start_, ticked_;
  std::array<double, 3> averages_{};
};

/// How long something takes.
class Timing {
 public:
  void record(base::Instant now, base::Duration took);

  struct Summary {
    uint64_t count = 0;
    double min = 0, max = 0, mean = 0, stddev = 0;                        // seconds
    double p50 = 0, p75 = 0, p95 = 0, p98 = 0, p99 = 0, p999 = 0;
    Meter::Rates rates;
  };
  Summary summary(base::Instant now) const;

 private:
  Meter meter_;
  std::vector<double> window_;  // seconds
  size_t next_ = 0;
};

}  // namespace marathon
