#include "chronos/iso8601_schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/numbers.hpp"

namespace chronos {
namespace {

constexpr int64_t kLastSecond = 9'214'646'400;  // 2262-01-01: clocks of 64 bits in nanoseconds end soon after
constexpr int64_t kMostMonths = 12 * 10'000;
constexpr int64_t kMostDays = 366 * 10'000;

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)); }

/// Reads exactly `digits` digits off the front.
bool take_number(std::string_view& text, size_t digits, int64_t& out) {
  if (text.size() < digits) return false;
  out = 0;
  for (size_t i = 0; i < digits; ++i) {
    if (!is_digit(text[i])) return false;
    out = out * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

bool take_two(std::string_view& text, int least, int most, int& out) {
  int64_t number = 0;
  if (!take_number(text, 2, number) || number < least || number > most) return false;
  out = static_cast<int>(number);
  return true;
}

/// Digits after a comma or point, as milliseconds.
bool take_fraction(std::string_view& text, int64_t& milliseconds) {
  if (!take(text, '.') && !take(text, ',')) return true;
  if (text.empty() || !is_digit(text[0])) return false;
  int64_t scale = 100;
  for (; !text.empty() && is_digit(text[0]); text.remove_prefix(1)) {
    milliseconds += (text[0] - '0') * scale;
    scale /= 10;
  }
  return true;
}

struct Start {
  base::CivilTime civil;
  int64_t milliseconds = 0;
  std::string offset;  // as written; empty: none
};

/// "2014", "2014-03", "2014-03-08", each with an optional time "T20", "T20:00", "T20:00:01.5" and an offset.
std::optional<Start> parse_start(std::string_view text) {
  Start start;
  if (!take_number(text, 4, start.civil.year)) return std::nullopt;
  if (take(text, '-') && !take_two(text, 1, 12, start.civil.month)) return std::nullopt;
  if (take(text, '-') && !take_two(text, 1, base::days_in_month(start.civil.year, start.civil.month), start.civil.day)) {
    return std::nullopt;
  }
  if (take(text, 'T')) {
    if (!take_two(text, 0, 23, start.civil.hour)) return std::nullopt;
    if (take(text, ':')) {
      if (!take_two(text, 0, 59, start.civil.minute)) return std::nullopt;
      if (take(text, ':') && !take_two(text, 0, 59, start.civil.second)) return std::nullopt;
      if (!take_fraction(text, start.milliseconds)) return std::nullopt;
    }
  }
  if (!text.empty() && !base::parse_offset(text)) return std::nullopt;
  start.offset = std::string(text);
  return start;
}

base::Error cannot_parse(std::string_view text, const std::string& why) {
  return base::invalid(fmt::format("Cannot parse schedule '{}': {}", text, why));
}

base::Time at_milliseconds(int64_t seconds, int64_t milliseconds) {
  return base::Time{base::seconds(seconds) + base::milliseconds(milliseconds)};
}

int64_t floor_seconds(base::Time time) {
  return std::chrono::floor<std::chrono::seconds>(time.since_epoch).count();
}

}  // namespace

base::Result<Period> Period::parse(std::string_view whole) {
  const auto bad = [&](const char* why) { return base::invalid(fmt::format("period '{}': {}", whole, why)); };
  Period period;
  period.text = std::string(whole);
  std::string_view text = whole;
  if (!take(text, 'P')) return bad("it begins with P, as in P1D or PT30M");
  bool time = false, any = false;
  std::string_view units = "YMWD";
  while (!text.empty()) {
    if (!time && take(text, 'T')) {
      time = true;
      units = "HMS";
      if (text.empty()) return bad("nothing follows the T");
      continue;
    }
    size_t digits = 0;
    while (digits < text.size() && is_digit(text[digits])) ++digits;
    if (digits == 0) return bad("a number stands before each unit");
    if (digits > 9) return bad("a number has at most 9 digits");
    int64_t number = 0, fraction = 0;
    take_number(text, digits, number);
    const bool has_fraction = text.starts_with('.') || text.starts_with(',');
    if (!take_fraction(text, fraction)) return bad("digits follow the point");
    if (text.empty()) return bad("a unit follows each number");
    const char unit = text[0];
    const size_t place = units.find(unit);
    if (place == std::string_view::npos) {
      return bad("units are Y M W D before the T and H M S after it, in this order, each once");
    }
    if (has_fraction && !(time && unit == 'S')) return bad("only seconds have a fraction");
    units.remove_prefix(place + 1);
    text.remove_prefix(1);
    any = true;
    if (time) {
      period.milliseconds += unit == 'H' ? number * 3'600'000 : unit == 'M' ? number * 60'000 : number * 1000 + fraction;
    } else if (unit == 'Y' || unit == 'M') {
      period.months += unit == 'Y' ? number * 12 : number;
    } else {
      period.days += unit == 'W' ? number * 7 : number;
    }
  }
  if (!any) return bad("it names no length");
  if (period.is_exact() && period.milliseconds > 0 && period.milliseconds < 1000) {
    return bad("it is shorter than a second");
  }
  return period;
}

base::Result<Schedule> Schedule::parse(std::string_view text, const std::string& zone_id, const base::TimeZones& zones,
                                       base::Time now) {
  const size_t first = text.find('/');
  const size_t last = text.rfind('/');
  if (!text.starts_with('R') || first == last) {
    return cannot_parse(text, "it must be R[n]/<start>/P<period>, such as R10/2014-03-08T20:00:00Z/PT2H");
  }
  Schedule schedule;
  const std::string_view count = text.substr(1, first - 1);
  if (!count.empty()) {
    const auto number = base::parse_uint(count);
    if (!number || count.size() > 18) return cannot_parse(text, "a whole number, or nothing, follows the R");
    schedule.remaining_ = static_cast<int64_t>(*number);
  }
  auto period = Period::parse(text.substr(last + 1));
  if (!period) return cannot_parse(text, period.error().message);
  schedule.period_ = std::move(*period);
  if (schedule.period_.is_zero() && schedule.remaining_ != 1 && schedule.remaining_ != 0) {
    return cannot_parse(text, "a period without length is possible with R1 only");
  }
  if (!zone_id.empty()) {
    schedule.zone_ = base::find_zone(zone_id, zones);
    if (!schedule.zone_) {
      return base::invalid(fmt::format(
          "scheduleTimeZone '{}' is not a known time zone: give an id of the tz database, such as Europe/Berlin", zone_id));
    }
  }
  const std::string_view start_text = text.substr(first + 1, last - first - 1);
  if (start_text.empty()) {
    if (!schedule.zone_) schedule.zone_ = base::fixed_zone(0);
    const base::Time start = now - base::seconds(1);
    schedule.anchor_ = base::Time{std::chrono::floor<std::chrono::milliseconds>(start.since_epoch)};
    const int64_t seconds = floor_seconds(schedule.anchor_);
    schedule.anchor_civil_ = base::civil_of(seconds + schedule.zone_->offset_at(seconds));
    return schedule;
  }
  const auto start = parse_start(start_text);
  if (!start) return cannot_parse(text, fmt::format("'{}' is not a date and time such as 2014-03-08T20:00:00Z", start_text));
  if (!schedule.zone_) schedule.zone_ = base::fixed_zone(base::parse_offset(start->offset).value_or(0));
  schedule.anchor_civil_ = start->civil;
  const int64_t seconds = schedule.zone_->instant_of(start->civil);
  if (seconds < 1) return cannot_parse(text, "it starts before 1970-01-01T00:00:01Z");
  if (seconds >= kLastSecond) return cannot_parse(text, "it starts after the year 2261");
  schedule.anchor_ = at_milliseconds(seconds, start->milliseconds);
  return schedule;
}

std::optional<base::Time> Schedule::slot(int64_t k) const {
  if (k == 0) return anchor_;
  if (period_.is_zero()) return anchor_;
  const int64_t anchor_ms = std::chrono::floor<std::chrono::milliseconds>(anchor_.since_epoch).count();
  // In doubles first: they tell what integers could not hold.
  const double exact = static_cast<double>(k) * static_cast<double>(period_.milliseconds);
  if (static_cast<double>(k) * static_cast<double>(period_.months) > kMostMonths ||
      static_cast<double>(k) * static_cast<double>(period_.days) > kMostDays ||
      exact + static_cast<double>(anchor_ms) > static_cast<double>(kLastSecond) * 1000) {
    return std::nullopt;
  }
  const int64_t exact_ms = k * period_.milliseconds;
  if (period_.is_exact()) return base::Time{base::milliseconds(anchor_ms + exact_ms)};
  const int64_t month = anchor_civil_.year * 12 + anchor_civil_.month - 1 + k * period_.months;
  base::CivilTime civil = anchor_civil_;
  civil.year = month / 12;
  civil.month = static_cast<int>(month % 12) + 1;
  civil.day = std::min(civil.day, base::days_in_month(civil.year, civil.month));
  civil = base::civil_of(base::seconds_of(civil) + k * period_.days * 86'400);
  const int64_t seconds = zone_->instant_of(civil);
  const int64_t fraction = ((anchor_ms % 1000) + 1000) % 1000;
  // A slot that was moved to the end of a gap starts there, without the anchor's fraction.
  if (seconds + exact_ms / 1000 >= kLastSecond) return std::nullopt;
  return at_milliseconds(seconds, fraction + exact_ms);
}

std::optional<base::Time> Schedule::next() const { return exhausted() ? std::nullopt : slot(index_); }

int64_t Schedule::first_after(base::Time time) const {
  if (period_.is_zero()) return index_ + 1;
  const auto is_after = [&](int64_t k) {
    const auto at = slot(k);
    return !at || *at > time;
  };
  int64_t low = index_, step = 1;
  if (is_after(low)) return low;
  while (!is_after(low + step)) {
    low += step;
    step *= 2;
  }
  int64_t high = low + step;  // after; low is not
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    (is_after(middle) ? high : low) = middle;
  }
  return high;
}

void Schedule::consume() {
  ++index_;
  if (remaining_ && *remaining_ > 0) --*remaining_;
}

void Schedule::consume_through(base::Time now) {
  consume();
  index_ = std::max(index_, first_after(now));
}

int64_t Schedule::skip_before(base::Time limit) {
  // The first slot at or after the limit: the first after the moment before it.
  int64_t count = std::max<int64_t>(0, first_after(limit - base::nanoseconds(1)) - index_);
  if (remaining_) count = std::min(count, *remaining_);
  if (!next()) return 0;
  index_ += count;
  if (remaining_) *remaining_ -= count;
  return count;
}

void Schedule::restore(int64_t index, std::optional<int64_t> remaining) {
  index_ = index;
  remaining_ = remaining;
}

std::string Schedule::render_at(base::Time start) const {
  const int64_t ms = std::chrono::floor<std::chrono::milliseconds>(start.since_epoch).count();
  const int64_t seconds = floor_seconds(start);
  const int64_t offset = zone_->offset_at(seconds);
  const base::CivilTime c = base::civil_of(seconds + offset);
  const int64_t away = offset < 0 ? -offset : offset;
  const std::string suffix =
      offset == 0 ? "Z" : fmt::format("{}{:02}:{:02}", offset < 0 ? '-' : '+', away / 3600, away / 60 % 60);
  return fmt::format("R{}/{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}{}/{}", remaining_ ? std::to_string(*remaining_) : "",
                     c.year, c.month, c.day, c.hour, c.minute, c.second, ms - seconds * 1000, suffix, period_.text);
}

std::string Schedule::render() const { return render_at(slot(index_).value_or(anchor_)); }

std::string Schedule::render_anchor() const {
  // From the fields as they were written: an anchor in a gap keeps its time of day.
  const base::CivilTime& c = anchor_civil_;
  const int64_t ms = std::chrono::floor<std::chrono::milliseconds>(anchor_.since_epoch).count();
  const int64_t offset = zone_->offset_at(floor_seconds(anchor_));
  const int64_t away = offset < 0 ? -offset : offset;
  return fmt::format("R/{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}{}{:02}:{:02}/{}", c.year, c.month, c.day, c.hour,
                     c.minute, c.second, ((ms % 1000) + 1000) % 1000, offset < 0 ? '-' : '+', away / 3600,
                     away / 60 % 60, period_.text);
}

}  // namespace chronos
