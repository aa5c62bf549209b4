#include "metronome/cron.hpp"

#include <gtest/gtest.h>

#include "base/system_zones.hpp"
#include "base/time.hpp"

namespace metronome {
namespace {

const base::TimeZones& zones() {
  static const auto zones = base::system_time_zones();
  return *zones;
}

std::string next(const std::string& cron, const std::string& after, const std::string& zone = "UTC") {
  const auto parsed = Cron::parse(cron);
  if (!parsed) return parsed.error().message;
  const auto from = base::parse_iso8601(after).value().nanos() / 1'000'000'000;
  const auto at = parsed->next(from, *base::find_zone(zone, zones()));
  if (!at) return "never";
  std::string text = base::render_iso8601(base::Time{base::seconds(*at)});
  return text.substr(0, 16);
}

TEST(Cron, next_slots) {
  const struct { const char* cron; const char* after; const char* next; } kTable[] = {
      {"* * * * *", "2017-10-02T10:00:00Z", "2017-10-02T10:01"},
      {"* * * * *", "2017-10-02T10:00:59Z", "2017-10-02T10:01"},
      {"*/15 * * * *", "2017-10-02T10:46:00Z", "2017-10-02T11:00"},
      {"7/20 * * * *", "2017-10-02T10:28:00Z", "2017-10-02T10:47"},
      {"10-20/5 4 * * *", "2017-10-02T04:15:00Z", "2017-10-02T04:20"},
      {"5,35 3,15 * * *", "2017-10-02T03:35:00Z", "2017-10-02T15:05"},
      // Both day fields must match.
      {"0 9 1-7 * 1", "2017-10-02T10:00:00Z", "2017-11-06T09:00"},
      {"0 9 1-7 * 1-5", "2017-10-02T10:00:00Z", "2017-10-03T09:00"},
      {"0 9 1-7 * 6-7", "2017-10-02T10:00:00Z", "2017-10-07T09:00"},
      {"0 9 8-14 * 1-5", "2017-10-02T10:00:00Z", "2017-10-09T09:00"},
      {"0 9 22-28 * 6-7", "2017-10-02T10:00:00Z", "2017-10-22T09:00"},
      {"* * * * 3", "2017-10-02T10:00:00Z", "2017-10-04T00:00"},
      {"* * */1 * 3", "2017-10-02T10:00:00Z", "2017-10-04T00:00"},
      {"0 0 * * 0", "2017-10-02T10:00:00Z", "2017-10-08T00:00"},
      {"0 0 * * 7", "2017-10-02T10:00:00Z", "2017-10-08T00:00"},
      {"0 0 13 * FRI", "2017-10-14T00:00:00Z", "2018-04-13T00:00"},
      {"0 0 1 JAN *", "2017-10-02T10:00:00Z", "2018-01-01T00:00"},
      {"0 0 29 2 *", "2017-10-02T10:00:00Z", "2020-02-29T00:00"},
      {"0 0 29 2 1", "2017-10-02T10:00:00Z", "2044-02-29T00:00"},
      {"0 0 31 * *", "2018-01-31T00:00:00Z", "2018-03-31T00:00"},
      {"0 0 L * *", "2018-02-01T00:00:00Z", "2018-02-28T00:00"},
      {"0 0 L-2 * *", "2018-02-01T00:00:00Z", "2018-02-26T00:00"},
      {"0 0 LW * *", "2018-03-01T00:00:00Z", "2018-03-30T00:00"},
      {"0 0 15W * *", "2018-07-01T00:00:00Z", "2018-07-16T00:00"},   // the 15th is a Sunday
      {"0 0 1W * *", "2018-08-31T00:00:00Z", "2018-09-03T00:00"},    // a Saturday; stays in its month
      {"0 0 * * 5L", "2018-02-01T00:00:00Z", "2018-02-23T00:00"},
      {"0 0 * * MON#2", "2018-02-01T00:00:00Z", "2018-02-12T00:00"},
      {"0 0 * * 1#5", "2018-02-01T00:00:00Z", "2018-04-30T00:00"},
      {"0 0 1 1 * 2030", "2018-02-01T00:00:00Z", "2030-01-01T00:00"},
      {"0 0 1 1 * 2001", "2018-02-01T00:00:00Z", "never"},
      {"30 12 * * * 2019-2021/2", "2019-12-31T13:00:00Z", "2021-01-01T12:30"},
  };
  for (const auto& row : kTable) EXPECT_EQ(next(row.cron, row.after), row.next) << row.cron;
}

TEST(Cron, clocks_that_are_set) {
  const struct { const char* cron; const char* after; const char* zone; const char* next; } kTable[] = {
      {"55 23 * * *", "2019-03-31T20:55:00Z", "Europe/Rome", "2019-03-31T21:55"},
      {"55 23 * * *", "2019-03-31T21:55:00Z", "Europe/Rome", "2019-04-01T21:55"},
      // 02:30 is skipped in New York: the first instant after the gap stands for it, and the next day is as ever.
      {"30 2 * * *", "2019-03-10T00:00:00Z", "America/New_York", "2019-03-10T07:00"},
      {"30 2 * * *", "2019-03-10T07:00:00Z", "America/New_York", "2019-03-11T06:30"},
      {"*/10 2 * * *", "2019-03-10T07:00:00Z", "America/New_York", "2019-03-11T06:00"},
      // 01:30 comes twice: it counts once.
      {"30 1 * * *", "2019-11-03T04:00:00Z", "America/New_York", "2019-11-03T05:30"},
      {"30 1 * * *", "2019-11-03T05:30:00Z", "America/New_York", "2019-11-04T06:30"},
      // Every hour means every hour that passes.
      {"30 * * * *", "2019-11-03T05:30:00Z", "America/New_York", "2019-11-03T06:30"},
      {"30 * * * *", "2019-11-03T06:30:00Z", "America/New_York", "2019-11-03T07:30"},
      {"30 * * * *", "2019-03-10T06:30:00Z", "America/New_York", "2019-03-10T07:30"},
      {"* * * * *", "2019-11-03T05:59:00Z", "America/New_York", "2019-11-03T06:00"},
      {"* * * * *", "2019-03-10T06:59:00Z", "America/New_York", "2019-03-10T07:00"},
  };
  for (const auto& row : kTable) EXPECT_EQ(next(row.cron, row.after, row.zone), row.next) << row.cron << ' ' << row.zone;
}

TEST(Cron, each_slot_is_later_and_none_is_left_out) {
  for (const char* zone : {"UTC", "Europe/Rome", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"}) {
    const auto rules = base::find_zone(zone, zones());
    const auto minutely = Cron::parse("* * * * *").value();
    const auto daily = Cron::parse("15 2 * * *").value();
    int64_t at = 1'552'000'000 - 1'552'000'000 % 60;  // March 2019
    for (int i = 0; i < 3000; ++i) {
      const auto following = minutely.next(at, *rules);
      ASSERT_EQ(following, at + 60) << zone;
      at = *following;
    }
    int64_t day = 1'546'300'800;  // 2019
    for (int i = 0; i < 800; ++i) {
      const auto following = daily.next(day, *rules);
      ASSERT_TRUE(following);
      ASSERT_GE(*following - day, i == 0 ? 1 : 22 * 3600) << zone << ' ' << i;
      ASSERT_LE(*following - day, 26 * 3600) << zone << ' ' << i;
      day = *following;
    }
  }
}

TEST(Cron, is_shown_in_one_form) {
  const struct { const char* given; const char* shown; } kTable[] = {
      {"* * * * *", "* * * * *"},       {"*/1 * */1 * *", "* * * * *"}, {"  0  0 * JAN-MAR  MON ", "0 0 * 1-3 1"},
      {"*/2 * * * *", "*/2 * * * *"},   {"0 0 L * 5", "0 0 L * 5"},     {"0 0 * * fri#2 2030", "0 0 * * 5#2 2030"},
  };
  for (const auto& row : kTable) EXPECT_EQ(Cron::parse(row.given).value().text(), row.shown) << row.given;
}

TEST(Cron, refuses) {
  for (const char* cron : {"", "* * * *", "* * * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *",
                           "* * * * 8", "5-1 * * * *", "*/0 * * * *", "*/x * * * *", "a * * * *", "1,,2 * * * *", "@daily",
                           "0 0 31 2 *", "0 0 30-31 2 *", "0 0 31 4,6 *", "0 0 31W 2 *", "0 0 * * 1#6", "0 0 1#2 * *",
                           "0 0 * * 1W", "0 0 ? * *", "0 0 L-31 * *", "0 0 L-30 4 *", "0 0 * * * 1969", "-1 * * * *"}) {
    EXPECT_FALSE(Cron::parse(cron)) << cron;
  }
  EXPECT_EQ(Cron::parse("60 * * * *").error().message, "minute: '60' is not from 0 to 59");
  EXPECT_EQ(Cron::parse("0 0 31 2 *").error().message, "no month of '2' has a day of '31'");
}

}  // namespace
}  // namespace metronome
