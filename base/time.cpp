#include "base/time.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

#include "base/numbers.hpp"

namespace base {

namespace {

struct Unit {
  std::string_view name;
  int64_t nanos;
};

// Largest first: render_duration takes the largest that divides.
constexpr std::array<Unit, 8> kUnits{{{"weeks", 604'800'000'000'000},
                                      {"days", 86'400'000'000'000},
                                      {"hrs", 3'600'000'000'000},
                                      {"mins", 60'000'000'000},
                                      {"secs", 1'000'000'000},
                                      {"ms", 1'000'000},
                                      {"us", 1'000},
                                      {"ns", 1}}};

// Days since the epoch of a proleptic Gregorian date (Howard Hinnant's algorithm, public domain).
int64_t days_from_civil(int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto yoe = static_cast<unsigned>(year - era * 400);
  const unsigned doy = (153 * (month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1;
  const unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + static_cast<int64_t>(doe) - 719468;
}

struct Civil {
  int64_t year;
  unsigned month, day;
};

Civil civil_from_days(int64_t z) {
  z += 719468;
  const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const auto doe = static_cast<unsigned>(z - era * 146097);
  const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const unsigned mp = (5 * doy + 2) / 153;
  const unsigned day = doy - (153 * mp + 2) / 5 + 1;
  const unsigned month = mp < 10 ? mp + 3 : mp - 9;
  return {static_cast<int64_t>(yoe) + era * 400 + (month <= 2), month, day};
}

/// Reads exactly `digits` digits at the front of `text`.
bool take_digits(std::string_view& text, size_t digits, unsigned& value) {
  if (text.size() < digits) return false;
  value = 0;
  for (size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + static_cast<unsigned>(text[i] - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  const size_t end = text.find_first_not_of("0123456789.+-eE");
  // "e" begins no unit, but a number such as "1e3secs" may hold it; a number that does not parse is refused below.
  const std::string_view number = text.substr(0, end);
  const std::string_view name = end == std::string_view::npos ? std::string_view() : text.substr(end);
  for (const Unit& unit : kUnits) {
    if (name != unit.name) continue;
    auto value = parse_double(number);
    if (!value) break;
    const double nanos = *value * static_cast<double>(unit.nanos);
    if (!(std::fabs(nanos) < 9.2e18)) return invalid("duration '" + std::string(text) + "' is out of range");
    return Duration(std::llround(nanos));
  }
  return invalid("'" + std::string(text) +
                 "' is not a duration: give a number and a unit without a blank, one of "
                 "ns us ms secs mins hrs days weeks, for example 5secs or 1.5mins");
}

std::string render_duration(Duration duration) {
  const int64_t nanos = duration.count();
  if (nanos == 0) return "0ns";
  for (const Unit& unit : kUnits) {
    if (nanos % unit.nanos == 0) return std::to_string(nanos / unit.nanos) + std::string(unit.name);
  }
  UNREACHABLE();
}

std::string render_iso8601(Time time) {
  int64_t millis = time.since_epoch.count() / 1'000'000;
  if (time.since_epoch.count() % 1'000'000 < 0) --millis;
  int64_t days = millis / 86'400'000;
  int64_t rest = millis % 86'400'000;
  if (rest < 0) {
    rest += 86'400'000;
    --days;
  }
  const Civil date = civil_from_days(days);
  std::array<char, 40> buffer;
  std::snprintf(buffer.data(), buffer.size(), "%04lld-%02u-%02uT%02lld:%02lld:%02lld.%03lldZ",
                static_cast<long long>(date.year), date.month, date.day,
                static_cast<long long>(rest / 3'600'000), static_cast<long long>(rest / 60'000 % 60),
                static_cast<long long>(rest / 1000 % 60), static_cast<long long>(rest % 1000));
  return buffer.data();
}

Result<Time> parse_iso8601(std::string_view text) {
  const auto bad = [whole = std::string(text)] {
    return invalid("'" + whole + "' is not a time in ISO 8601, such as 2015-01-02T03:04:05.678Z");
  };
  unsigned year, month, day, hour, minute, second = 0;
  if (!(take_digits(text, 4, year) && take(text, '-') && take_digits(text, 2, month) && take(text, '-') &&
        take_digits(text, 2, day) && take(text, 'T') && take_digits(text, 2, hour) && take(text, ':') &&
        take_digits(text, 2, minute))) {
    return bad();
  }
  if (take(text, ':') && !take_digits(text, 2, second)) return bad();
  int64_t nanos = 0;
  if (take(text, '.') || take(text, ',')) {
    int64_t scale = 100'000'000;
    bool any = false;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      nanos += scale * (text.front() - '0');
      scale /= 10;
      text.remove_prefix(1);
      any = true;
    }
    if (!any) return bad();
  }
  int64_t offset_minutes = 0;
  if (!take(text, 'Z')) {
    if (text.empty() || (text.front() != '+' && text.front() != '-')) return bad();
    const int64_t sign = text.front() == '-' ? -1 : 1;
    text.remove_prefix(1);
    unsigned oh, om = 0;
    if (!take_digits(text, 2, oh)) return bad();
    take(text, ':');
    if (!text.empty() && !take_digits(text, 2, om)) return bad();
    offset_minutes = sign * static_cast<int64_t>(oh * 60 + om);
  }
  static constexpr unsigned kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (!text.empty() || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 60) return bad();
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  if (day < 1 || day > kDays[month - 1] + (month == 2 && leap ? 1 : 0)) return bad();
  // The range of 64-bit nanoseconds ends in 2262.
  if (year < 1678 || year > 2261) return bad();
  const int64_t total = days_from_civil(year, month, day) * 86'400 + hour * 3600 + minute * 60 + second -
                          offset_minutes * 60;
  return Time{Duration(total * 1'000'000'000 + nanos)};
}

}  // namespace base
