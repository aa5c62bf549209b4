#pragma once

// Time as values. Cores receive Now with each event and never read a clock; loop.hpp (tier io) is where a clock is read.

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace base {

using Duration = std::chrono::nanoseconds;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

/// A point on the monotonic clock: for deadlines. Means nothing outside the process.
struct Instant {
  Duration since_start{0};
  auto operator<=>(const Instant&) const = default;
  friend Instant operator+(Instant a, Duration d) { return {a.since_start + d}; }
  friend Instant operator-(Instant a, Duration d) { return {a.since_start - d}; }
  friend Duration operator-(Instant a, Instant b) { return a.since_start - b.since_start; }
};

/// A point on the wall clock (since the Unix epoch): for what people and other machines read.
struct Time {
  Duration since_epoch{0};
  auto operator<=>(const Time&) const = default;
  double seconds() const { return std::chrono::duration<double>(since_epoch).count(); }
  int64_t nanos() const { return since_epoch.count(); }
  static Time from_seconds(double s) { return {Duration(static_cast<int64_t>(s * 1e9))}; }
  friend Time operator+(Time a, Duration d) { return {a.since_epoch + d}; }
  friend Time operator-(Time a, Duration d) { return {a.since_epoch - d}; }
  friend Duration operator-(Time a, Time b) { return a.since_epoch - b.since_epoch; }
};

/// Both clocks at one moment; what a core is told with each event.
struct Now {
  Instant instant;
  Time time;
};

/// Number and unit without a blank, as the original's flags take them: "5secs", "1.5mins", "2weeks", "100ms", "0ns".
/// Units: ns us ms secs mins hrs days weeks.
Result<Duration> parse_duration(std::string_view text);

/// In the largest unit that divides: 75 s is "75secs", 10 min is "10mins".
std::string render_duration(Duration duration);

/// "2015-01-02T03:04:05.678Z": UTC with milliseconds, the form of Marathon's and Chronos' APIs.
std::string render_iso8601(Time time);

/// Reads the form above, with or without fraction, with "Z" or "+hh:mm".
Result<Time> parse_iso8601(std::string_view text);

}  // namespace base
