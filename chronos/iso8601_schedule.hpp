#pragma once

// Repeating intervals: "R12/2014-03-08T20:00:00.000Z/PT2H". A schedule is its anchor, a period and two counters: the
// number of the next slot and how many are left. Slot k is always anchor + k * period, so that errors never add up.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"
#include "base/time_zones.hpp"

namespace chronos {

/// "P1M", "PT90S". Years to days are units of the calendar, hours to seconds are exact.
struct Period {
  int64_t months = 0, days = 0, milliseconds = 0;
  std::string text;

  bool is_zero() const { return months == 0 && days == 0 && milliseconds == 0; }
  bool is_exact() const { return months == 0 && days == 0; }
  static base::Result<Period> parse(std::string_view text);
};

class Schedule {
 public:
  /// `zone_id` wins over the offset in the text. An empty start is the moment before `now`.
  static base::Result<Schedule> parse(std::string_view text, const std::string& zone_id, const base::TimeZones& zones,
                                      base::Time now);

  /// Runs left; absent: without end.
  std::optional<int64_t> remaining() const { return remaining_; }
  bool exhausted() const { return remaining_ == 0; }

  /// The next slot. Absent: exhausted, or beyond what a clock of 64 bits can name.
  std::optional<base::Time> next() const;

  /// The next slot is done: it counts as one run, and the one after it is next.
  void consume();

  /// The next slot is done, and those up to `now` are passed over together with it: one run of the count.
  void consume_through(base::Time now);

  /// Slots before `limit` are given up, each counting as one run. Their number.
  int64_t skip_before(base::Time limit);

  /// With the next slot as start: what GET shows.
  std::string render() const;

  /// With the anchor as start, for the store; `index()` and `remaining()` belong to it.
  std::string render_anchor() const;
  int64_t index() const { return index_; }
  void restore(int64_t index, std::optional<int64_t> remaining);

  const Period& period() const { return period_; }
  base::Time anchor() const { return anchor_; }

 private:
  std::optional<base::Time> slot(int64_t k) const;
  int64_t first_after(base::Time time) const;
  std::string render_at(base::Time start) const;

  std::optional<int64_t> remaining_;
  base::Time anchor_;
  base::CivilTime anchor_civil_;
  Period period_;
  std::shared_ptr<const base::Zone> zone_;
  int64_t index_ = 0;
};

}  // namespace chronos
