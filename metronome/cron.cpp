#include "metronome/cron.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace metronome {
namespace {

constexpr int kFirstYear = 1970, kLastYear = 2099;
constexpr size_t kMostText = 1024;
constexpr size_t kMostParts = 400;

struct Field {
  const char* name;
  int least, most;
  std::vector<std::string_view> names{};  // of least + 0, least + 1, ...
};

const Field kMinute{"minute", 0, 59};
const Field kHour{"hour", 0, 23};
const Field kDay{"day of month", 1, 31};
const Field kMonth{"month", 1, 12, {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}};
const Field kWeekday{"day of week", 0, 7, {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}};
const Field kYear{"year", kFirstYear, kLastYear};

base::Error bad(const Field& field, std::string_view part, std::string_view why) {
  return base::invalid(fmt::format("{}: '{}' {}", field.name, part, why));
}

base::Result<int> number(const Field& field, std::string_view text) {
  for (size_t i = 0; i < field.names.size(); ++i) {
    if (base::iequals(text, field.names[i])) return field.least + static_cast<int>(i);
  }
  const bool digits = !text.empty() && text.size() <= 4 && text.find_first_not_of("0123456789") == std::string_view::npos;
  if (!digits) return bad(field, text, "is not a number");
  const int value = static_cast<int>(base::parse_int(text).value_or(-1));
  if (value < field.least || value > field.most) {
    return bad(field, text, fmt::format("is not from {} to {}", field.least, field.most));
  }
  return value;
}

/// Names become numbers: as the field is shown.
std::string plain(const Field& field, std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const auto is_name = [&](std::string_view name) { return base::iequals(text.substr(i, name.size()), name); };
    const auto name = std::find_if(field.names.begin(), field.names.end(), is_name);
    if (name == field.names.end()) {
      out += text[i++];
    } else {
      out += std::to_string(field.least + (name - field.names.begin()));
      i += name->size();
    }
  }
  return out == "*/1" ? "*" : out;
}

/// One part of a list: "*", "5", "1-5", each with "/step". Calls `add` for each value.
template <class Add>
base::Status read_part(const Field& field, std::string_view part, const Add& add) {
  const size_t slash = part.find('/');
  const std::string_view range = part.substr(0, slash);
  int step = 1;
  if (slash != std::string_view::npos) {
    const auto parsed = base::parse_int(part.substr(slash + 1));
    if (!parsed || *parsed < 1 || *parsed > field.most) {
      return bad(field, part, "has a step that is no number above 0 and within the field");
    }
    step = static_cast<int>(*parsed);
  }
  int first = field.least, last = field.most;
  if (range == "*") {
    if (&field == &kWeekday) last = 6;
  } else if (const size_t dash = range.find('-'); dash != std::string_view::npos) {
    ASSIGN_OR_RETURN(first, number(field, range.substr(0, dash)));
    ASSIGN_OR_RETURN(last, number(field, range.substr(dash + 1)));
    if (&field == &kWeekday && last == 0) last = 7;
    if (first > last) return bad(field, part, "goes backwards");
  } else {
    ASSIGN_OR_RETURN(first, number(field, range));
    last = slash == std::string_view::npos ? first : last;
  }
  for (int value = first; value <= last; value += step) add(value);
  return {};
}

template <class Add>
base::Status read_list(const Field& field, std::string_view text, const Add& add) {
  const auto parts = base::split(text, ',');
  if (parts.size() > kMostParts) return bad(field, text.substr(0, 20), "has too many parts");
  for (std::string_view part : parts) RETURN_IF_ERROR(read_part(field, part, add));
  return {};
}

int weekday_of(int64_t year, int month, int day) {
  const int64_t days = base::days_of(year, month, day);
  return static_cast<int>(((days + 4) % 7 + 7) % 7);  // 1970-01-01 was a Thursday
}

/// The working day closest to `day` in the same month.
int nearest_weekday(int64_t year, int month, int day) {
  const int most = base::days_in_month(year, month);
  const int weekday = weekday_of(year, month, day);
  if (weekday == 6) return day > 1 ? day - 1 : day + 2;
  if (weekday == 0) return day < most ? day + 1 : day - 2;
  return day;
}

}  // namespace

base::Status Cron::read_days_of_month(std::string_view field) {
  const auto parts = base::split(field, ',');
  if (parts.size() > kMostParts) return bad(kDay, field.substr(0, 20), "has too many parts");
  for (std::string_view part : parts) {
    const std::string upper = base::to_upper(part);
    if (upper == "L") {
      month_rules_.push_back({DayRule::Kind::LastOfMonth, 0, 0});
    } else if (upper == "LW") {
      month_rules_.push_back({DayRule::Kind::LastWeekday, 0, 0});
    } else if (upper.starts_with("L-")) {
      const auto before = base::parse_int(std::string_view(upper).substr(2));
      if (!before || *before < 1 || *before > 30) return bad(kDay, part, "is not L-1 to L-30");
      month_rules_.push_back({DayRule::Kind::LastOfMonth, static_cast<int>(*before), 0});
    } else if (upper.ends_with("W")) {
      ASSIGN_OR_RETURN(const int day, number(kDay, part.substr(0, part.size() - 1)));
      month_rules_.push_back({DayRule::Kind::NearestWeekday, day, 0});
    } else {
      RETURN_IF_ERROR(read_part(kDay, part, [&](int day) { days_.set(static_cast<size_t>(day)); }));
    }
  }
  return {};
}

base::Status Cron::read_days_of_week(std::string_view field) {
  const auto parts = base::split(field, ',');
  if (parts.size() > kMostParts) return bad(kWeekday, field.substr(0, 20), "has too many parts");
  for (std::string_view part : parts) {
    const std::string upper = base::to_upper(part);
    if (upper == "L") {
      weekdays_.set(6);
    } else if (const size_t hash = part.find('#'); hash != std::string_view::npos) {
      ASSIGN_OR_RETURN(const int day, number(kWeekday, part.substr(0, hash)));
      const auto nth = base::parse_int(part.substr(hash + 1));
      if (!nth || *nth < 1 || *nth > 5) return bad(kWeekday, part, "does not end in #1 to #5");
      week_rules_.push_back({DayRule::Kind::Nth, day % 7, static_cast<int>(*nth)});
    } else if (upper.size() > 1 && upper.ends_with("L")) {
      ASSIGN_OR_RETURN(const int day, number(kWeekday, part.substr(0, part.size() - 1)));
      week_rules_.push_back({DayRule::Kind::LastOfKind, day % 7, 0});
    } else {
      RETURN_IF_ERROR(read_part(kWeekday, part, [&](int day) { weekdays_.set(static_cast<size_t>(day % 7)); }));
    }
  }
  return {};
}

base::Result<Cron> Cron::parse(std::string_view text) {
  if (text.size() > kMostText) return base::invalid("the expression is longer than 1024 characters");
  const std::string blanks = base::replace_all(text, "\t", " ");
  const auto fields = base::tokenize(blanks, ' ');
  if (fields.size() != 5 && fields.size() != 6) {
    return base::invalid(fmt::format("it has {} fields; minute, hour, day of month, month, day of week and perhaps year "
                                     "are wanted", fields.size()));
  }
  Cron cron;
  RETURN_IF_ERROR(read_list(kMinute, fields[0], [&](int value) { cron.minutes_.set(static_cast<size_t>(value)); }));
  RETURN_IF_ERROR(read_list(kHour, fields[1], [&](int value) { cron.hours_.set(static_cast<size_t>(value)); }));
  RETURN_IF_ERROR(cron.read_days_of_month(fields[2]));
  RETURN_IF_ERROR(read_list(kMonth, fields[3], [&](int value) { cron.months_.set(static_cast<size_t>(value)); }));
  RETURN_IF_ERROR(cron.read_days_of_week(fields[4]));
  if (fields.size() == 6 && plain(kYear, fields[5]) != "*") {
    RETURN_IF_ERROR(read_list(kYear, fields[5], [&](int value) { cron.years_.push_back(value); }));
    std::sort(cron.years_.begin(), cron.years_.end());
  }
  if (!cron.has_some_day()) {
    return base::invalid(fmt::format("no month of '{}' has a day of '{}'", fields[3], fields[2]));
  }
  const Field* const kinds[] = {&kMinute, &kHour, &kDay, &kMonth, &kWeekday, &kYear};
  for (size_t i = 0; i < fields.size(); ++i) cron.text_ += (i == 0 ? "" : " ") + plain(*kinds[i], fields[i]);
  return cron;
}

bool Cron::has_some_day() const {
  constexpr std::array<int, 13> kMost = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (int month = 1; month <= 12; ++month) {
    if (!months_.test(static_cast<size_t>(month))) continue;
    const int most = kMost[static_cast<size_t>(month)];
    for (int day = 1; day <= most; ++day) {
      if (days_.test(static_cast<size_t>(day))) return true;
    }
    for (const DayRule& rule : month_rules_) {
      const bool exists = rule.kind == DayRule::Kind::NearestWeekday ? rule.value <= most : rule.value < most;
      if (exists) return true;
    }
  }
  return false;
}

uint32_t Cron::days_in(int64_t year, int month) const {
  const int most = base::days_in_month(year, month);
  std::bitset<32> of_month = days_;
  for (const DayRule& rule : month_rules_) {
    int day = 0;
    if (rule.kind == DayRule::Kind::LastOfMonth) day = most - rule.value;
    if (rule.kind == DayRule::Kind::LastWeekday) {
      const int weekday = weekday_of(year, month, most);
      day = most - (weekday == 6 ? 1 : weekday == 0 ? 2 : 0);
    }
    if (rule.kind == DayRule::Kind::NearestWeekday && rule.value <= most) day = nearest_weekday(year, month, rule.value);
    if (day >= 1) of_month.set(static_cast<size_t>(day));
  }
  uint32_t days = 0;
  for (int day = 1; day <= most; ++day) {
    if (!of_month.test(static_cast<size_t>(day))) continue;
    const int weekday = weekday_of(year, month, day);
    const bool fits = weekdays_.test(static_cast<size_t>(weekday)) ||
                      std::any_of(week_rules_.begin(), week_rules_.end(), [&](const DayRule& rule) {
                        if (rule.value != weekday) return false;
                        return rule.kind == DayRule::Kind::Nth ? (day - 1) / 7 + 1 == rule.number : day + 7 > most;
                      });
    if (fits) days |= uint32_t{1} << day;
  }
  return days;
}

std::optional<int64_t> Cron::first_on(const base::CivilTime& day, int from_hour, int64_t after, const base::Zone& zone) const {
  const bool elapsed = hours_.all();
  for (int hour = from_hour; hour < 24; ++hour) {
    if (!hours_.test(static_cast<size_t>(hour))) continue;
    std::optional<int64_t> best;
    const auto offer = [&](int64_t at) {
      if (at > after && (!best || at < *best)) best = at;
    };
    for (int minute = 0; minute < 60; ++minute) {
      if (!minutes_.test(static_cast<size_t>(minute))) continue;
      base::CivilTime civil = day;
      civil.hour = hour, civil.minute = minute, civil.second = 0;
      const int64_t shown = base::seconds_of(civil);
      const int64_t at = zone.instant_of(civil);
      if (!elapsed) {
        offer(at);
        continue;
      }
      const bool skipped = at + zone.offset_at(at) != shown;
      if (!skipped) offer(at);
      // The second time that the clock shows it, when it was set back meanwhile.
      const int64_t later_offset = zone.offset_at(at + 3 * 3600);
      const int64_t again = shown - later_offset;
      if (again != at && again > at && zone.offset_at(again) == later_offset) offer(again);
    }
    if (best) return best;
  }
  return std::nullopt;
}

std::optional<int64_t> Cron::next(int64_t seconds, const base::Zone& zone) const {
  const base::CivilTime start = base::civil_of(seconds + zone.offset_at(seconds));
  // One day back: where the date line moved or a day was set back, an earlier date may still come.
  base::CivilTime from = base::civil_of(base::seconds_of(start) - 86'400);
  for (int64_t year = from.year; year <= kLastYear; ++year) {
    if (!years_.empty() && !std::binary_search(years_.begin(), years_.end(), static_cast<int>(year))) continue;
    for (int month = year == from.year ? from.month : 1; month <= 12; ++month) {
      if (!months_.test(static_cast<size_t>(month))) continue;
      const uint32_t days = days_in(year, month);
      const bool first_month = year == from.year && month == from.month;
      for (int day = first_month ? from.day : 1; day <= 31; ++day) {
        if ((days & (uint32_t{1} << day)) == 0) continue;
        const bool today = year == start.year && month == start.month && day == start.day;
        const bool before = base::days_of(year, month, day) < base::days_of(start.year, start.month, start.day);
        // Hours that are over by more than any clock is set back need no look.
        const int hour = today ? std::max(0, start.hour - 3) : before ? 21 : 0;
        base::CivilTime date;
        date.year = year, date.month = month, date.day = day;
        if (const auto at = first_on(date, hour, seconds, zone)) return at;
      }
    }
  }
  return std::nullopt;
}

}  // namespace metronome
