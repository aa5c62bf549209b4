#pragma once

// The cron dialect of job schedules: five fields and an optional year, with L, W and # in the day fields. A day must
// match both of its fields. Pure: an instant and a zone in, the next instant out.

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time_zones.hpp"

namespace metronome {

class Cron {
 public:
  /// "minute hour day-of-month month day-of-week [year]". An error names the field. Days that no month has are an error.
  static base::Result<Cron> parse(std::string_view text);

  /// As it is shown: single blanks, numbers for names, "*" for "*/1".
  const std::string& text() const { return text_; }

  /// First slot after `seconds`, both since the epoch; absent: the years are over.
  ///
  /// Where the clock skips the time of a slot, the first instant after the gap stands for it; a time that the clock shows
  /// twice counts once. A schedule of every hour goes by elapsed time instead: it has a slot in each hour that passes.
  std::optional<int64_t> next(int64_t seconds, const base::Zone& zone) const;

  bool operator==(const Cron& other) const { return text_ == other.text_; }

 private:
  struct DayRule {
    enum class Kind { LastOfMonth, NearestWeekday, LastWeekday, Nth, LastOfKind };
    Kind kind = Kind::LastOfMonth;
    int value = 0;   // days before the last; day of the month; day of the week
    int number = 0;  // Nth
  };

  base::Status read_days_of_month(std::string_view field);
  base::Status read_days_of_week(std::string_view field);
  uint32_t days_in(int64_t year, int month) const;
  bool has_some_day() const;
  std::optional<int64_t> first_on(const base::CivilTime& day, int from_hour, int64_t after, const base::Zone& zone) const;

  std::string text_;
  std::bitset<60> minutes_{};
  std::bitset<24> hours_{};
  std::bitset<32> days_{};
  std::bitset<13> months_{};
  std::bitset<7> weekdays_{};  // 0: Sunday
  std::vector<DayRule> month_rules_{}, week_rules_{};
  std::vector<int> years_{};   // empty: all
};

}  // namespace metronome
