#include "cli/cron.hpp"

#include <absl/time/civil_time.h>
#include <absl/time/time.h>
#include <fmt/format.h>

#include <optional>
#include <set>
#include <vector>

#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace cli {
namespace {

struct Field {
  const char* name;
  int first, last;
  std::vector<std::string_view> names;
};

using Set = std::set<int>;

std::optional<int> value_of(std::string_view text, const Field& field) {
  for (size_t i = 0; i < field.names.size(); ++i) {
    if (base::iequals(text, field.names[i])) return field.first + static_cast<int>(i);
  }
  const auto number = base::parse_uint(text);
  if (!number || *number > 59) return std::nullopt;
  return static_cast<int>(*number);
}

// Lists, ranges and steps: "1,2", "1-5", "*/15", "10-50/20".
base::Result<Set> read_field(std::string_view text, const Field& field) {
  Set set;
  const auto bad = [&] {
    return base::invalid(fmt::format("'{}' is no {} of a cron line (lists, ranges and steps of {} to {} are)", text, field.name,
                                     field.first, field.last));
  };
  for (std::string_view part : base::split(text, ',')) {
    int step = 1, from = field.first, to = field.last;
    if (const size_t slash = part.find('/'); slash != std::string_view::npos) {
      const auto number = base::parse_uint(part.substr(slash + 1));
      if (!number || *number < 1 || *number > 59) return bad();
      step = static_cast<int>(*number);
      part = part.substr(0, slash);
    }
    if (part != "*") {
      const size_t dash = part.find('-', 1);
      const auto low = value_of(part.substr(0, dash), field);
      const auto high = dash == std::string_view::npos ? low : value_of(part.substr(dash + 1), field);
      if (!low || !high || *low < field.first || *high > field.last || *low > *high) return bad();
      from = *low;
      to = dash == std::string_view::npos && step > 1 ? field.last : *high;
    }
    for (int value = from; value <= to; value += step) set.insert(value);
  }
  return set;
}

/// The distance between neighbours, when it is the same all around a circle of `size`; 0: it is not.
int even_step(const Set& set, int size) {
  if (set.empty() || size % static_cast<int>(set.size()) != 0) return 0;
  const int step = size / static_cast<int>(set.size());
  int expected = *set.begin();
  for (int value : set) {
    if (value != expected) return 0;
    expected += step;
  }
  return step;
}

struct Cron {
  Set minutes, hours, days, months, weekdays;
  bool every_day, every_month, every_weekday;
};

base::Result<Cron> read_cron(const std::string& text) {
  const std::string line = base::replace_all(text, "\t", " ");  // named: the pieces refer to it
  const auto pieces = base::tokenize(line, ' ');
  if (pieces.size() != 5) {
    return base::invalid("a cron line has five fields here: minute, hour, day of month, month, day of week");
  }
  Cron cron;
  ASSIGN_OR_RETURN(cron.minutes, read_field(pieces[0], {"minute", 0, 59, {}}));
  ASSIGN_OR_RETURN(cron.hours, read_field(pieces[1], {"hour", 0, 23, {}}));
  ASSIGN_OR_RETURN(cron.days, read_field(pieces[2] == "?" ? "*" : pieces[2], {"day of month", 1, 31, {}}));
  ASSIGN_OR_RETURN(cron.months, read_field(pieces[3], {"month", 1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug",
                                                                        "sep", "oct", "nov", "dec"}}));
  ASSIGN_OR_RETURN(cron.weekdays, read_field(pieces[4] == "?" ? "*" : pieces[4],
                                             {"day of week", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}));
  if (cron.weekdays.erase(7) > 0) cron.weekdays.insert(0);
  cron.every_day = cron.days.size() == 31;
  cron.every_month = cron.months.size() == 12;
  cron.every_weekday = cron.weekdays.size() == 7;
  return cron;
}

/// The period, or what there is none for.
base::Result<std::string> period_of(const Cron& cron, const std::string& zone) {
  const bool one_time = cron.minutes.size() == 1 && cron.hours.size() == 1;
  if (cron.every_day && cron.every_month && cron.every_weekday) {
    if (one_time) return std::string("P1D");
    const int minutes = even_step(cron.minutes, 60), hours = even_step(cron.hours, 24);
    if (hours == 1 && minutes == 60) return std::string("PT1H");
    if (hours == 1 && minutes > 0) return fmt::format("PT{}M", minutes);
    if (minutes == 60 && hours > 0) {
      if (zone == "UTC" || zone == "GMT" || zone == "Etc/UTC") return fmt::format("PT{}H", hours);
      return base::invalid(fmt::format("every {} hours at fixed times of day in {} is no interval where clocks are changed; "
                                       "use the timezone UTC", hours, zone));
    }
    return base::invalid("its times of day are not evenly apart");
  }
  if (!one_time) return base::invalid("several times on some days only are no interval");
  if (cron.every_day && cron.every_month && cron.weekdays.size() == 1) return std::string("P1W");
  if (!cron.every_weekday || cron.days.size() != 1) return base::invalid("its days are not evenly apart");
  const int day = *cron.days.begin();
  if (cron.every_month) {
    if (day <= 28) return std::string("P1M");
    return base::invalid(fmt::format("a cron line leaves out months without a day {}, an interval does not", day));
  }
  if (cron.months.size() != 1) return base::invalid("its months are not evenly apart");
  if (*cron.months.begin() == 2 && day > 28) return base::invalid("February 29 is not in every year");
  const absl::CivilMonth month(2023, *cron.months.begin());
  if (day > absl::CivilDay(month + 1) - absl::CivilDay(month)) return base::invalid("its month has no such day");
  return std::string("P1Y");
}

}  // namespace

base::Result<std::string> interval_of_cron(const std::string& text, const std::string& zone_id, base::Time now) {
  const auto cannot = [&](const std::string& why) {
    return base::invalid(fmt::format("cron '{}' cannot be a repeating interval: {}", text, why));
  };
  absl::TimeZone zone;
  if (!absl::LoadTimeZone(zone_id, &zone)) {
    return base::invalid(fmt::format("timezone '{}' is not an id of the tz database, such as Europe/Berlin", zone_id));
  }
  const auto cron = read_cron(text);
  if (!cron) return cannot(cron.error().message);
  const auto period = period_of(*cron, zone_id);
  if (!period) return cannot(period.error().message);
  const absl::Time after = absl::FromUnixNanos(now.nanos());
  const absl::CivilDay today(absl::ToCivilDay(after, zone));
  // Every pattern above comes back within a year.
  for (int offset = 0; offset <= 366; ++offset) {
    const absl::CivilDay day = today + offset;
    const int weekday = (static_cast<int>(absl::GetWeekday(day)) + 1) % 7;  // Monday is the library's first
    if (!cron->months.contains(day.month()) || !cron->days.contains(day.day()) || !cron->weekdays.contains(weekday)) continue;
    for (int hour : cron->hours) {
      for (int minute : cron->minutes) {
        const absl::CivilMinute at(day.year(), day.month(), day.day(), hour, minute);
        if (absl::FromCivil(at, zone) <= after) continue;
        return fmt::format("R/{:04}-{:02}-{:02}T{:02}:{:02}:00/{}", at.year(), at.month(), at.day(), hour, minute, *period);
      }
    }
  }
  return cannot("no day fits it");
}

}  // namespace cli
