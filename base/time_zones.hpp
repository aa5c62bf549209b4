#pragma once

// Rules of time zones as the core sees them: handed in, never looked up. Plain calendar arithmetic lives here too.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace base {

/// A date and time of day as a clock on the wall shows it (proleptic Gregorian calendar).
struct CivilTime {
  int64_t year = 1970;
  int month = 1, day = 1, hour = 0, minute = 0, second = 0;
  bool operator==(const CivilTime&) const = default;
};

/// Days since 1970-01-01.
int64_t days_of(int64_t year, int month, int day);
int days_in_month(int64_t year, int month);

/// Seconds since the epoch, read as if the zone were UTC.
int64_t seconds_of(const CivilTime& civil);
CivilTime civil_of(int64_t seconds);

/// One zone's rules. Implementations never change: two calls with the same argument agree.
class Zone {
 public:
  virtual ~Zone() = default;

  /// Seconds since the epoch at which a clock there first shows `civil`. A time that a clock skips is the first instant
  /// after the gap; one that it shows twice is the first of the two.
  virtual int64_t instant_of(const CivilTime& civil) const = 0;

  /// Seconds that a clock there is ahead of UTC.
  virtual int64_t offset_at(int64_t seconds) const = 0;
};

/// Always `offset_seconds` ahead of UTC.
std::shared_ptr<const Zone> fixed_zone(int64_t offset_seconds);

/// The zones of a machine or of a test, by their tz database ids.
class TimeZones {
 public:
  virtual ~TimeZones() = default;
  virtual std::shared_ptr<const Zone> find(const std::string& tz_id) const = 0;  // null: unknown
};

/// A zone by any id that clients of the original use: tz database ids, fixed offsets ("GMT+2", "UTC", "+02:00"), and
/// Java's three-letter ids with Java's meaning ("PST" follows Los Angeles, "EST" is fixed). Null: unknown.
std::shared_ptr<const Zone> find_zone(const std::string& id, const TimeZones& zones);

/// "Z", "+02:00", "-0330", "+02" as seconds.
std::optional<int64_t> parse_offset(std::string_view text);

}  // namespace base
