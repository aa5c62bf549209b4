// Schedules: how they are read, and when their slots are.

#include "chronos/iso8601_schedule.hpp"

#include <gtest/gtest.h>

#include "chronos/testing.hpp"

namespace chronos {
namespace {

const base::Time kNow = base::parse_iso8601("2024-01-10T12:00:00Z").value();

base::Result<Schedule> parse(const std::string& text, const std::string& zone = "") {
  return Schedule::parse(text, zone, testing::zones(), kNow);
}

/// The first `count` slots as UTC, joined.
std::string slots(const std::string& text, const std::string& zone, int count) {
  auto schedule = parse(text, zone);
  if (!schedule) return schedule.error().message;
  std::string out;
  for (int i = 0; i < count; ++i) {
    const auto next = schedule->next();
    if (!out.empty()) out += ' ';
    out += next ? base::render_iso8601(*next).substr(0, 16) : "-";
    schedule->consume();
  }
  return out;
}

TEST(Schedule, slots_follow_the_calendar_of_the_zone) {
  const struct { const char* text; const char* zone; int count; const char* want; } kTable[] = {
      {"R/2024-01-01T00:00:00Z/PT1H", "", 3, "2024-01-01T00:00 2024-01-01T01:00 2024-01-01T02:00"},
      {"R2/2024-01-01T00:00:00Z/P1D", "", 3, "2024-01-01T00:00 2024-01-02T00:00 -"},
      {"R0/2024-01-01T00:00:00Z/P1D", "", 1, "-"},
      {"R1/2024-01-01T00:00:00Z/PT0S", "", 2, "2024-01-01T00:00 -"},
      {"R/2024-01-01T00:00:00+02:00/P1W", "", 2, "2023-12-31T22:00 2024-01-07T22:00"},
      {"R/2024-01-01/P1D", "Europe/Berlin", 1, "2023-12-31T23:00"},
      {"R/2024-01-01T18:32:00Z/P1D", "PST", 1, "2024-01-02T02:32"},
      {"R/2024-07-01T18:32:00Z/P1D", "PST", 1, "2024-07-02T01:32"},
      {"R/2024-07-01T18:32:00Z/P1D", "EST", 1, "2024-07-01T23:32"},
      {"R/2024-01-01T18:32:00Z/P1D", "BST", 1, "2024-01-01T12:32"},
      // The end of a month stays the end: no slot is counted from the one before it.
      {"R/2023-01-31T10:00:00Z/P1M", "", 4, "2023-01-31T10:00 2023-02-28T10:00 2023-03-31T10:00 2023-04-30T10:00"},
      {"R/2024-02-29T10:00:00Z/P1Y", "", 5,
       "2024-02-29T10:00 2025-02-28T10:00 2026-02-28T10:00 2027-02-28T10:00 2028-02-29T10:00"},
      {"R/2024-01-01T10:00:00Z/P1Y2M10DT2H30M", "", 2, "2024-01-01T10:00 2025-03-11T12:30"},
      // Spring: 02:30 is skipped, the run is at the first instant after the gap, and 02:30 again the next day.
      {"R/2024-03-30T02:30:00/P1D", "Europe/Berlin", 3, "2024-03-30T01:30 2024-03-31T01:00 2024-04-01T00:30"},
      {"R/2024-03-09T02:30:00/P1D", "America/Los_Angeles", 3, "2024-03-09T10:30 2024-03-10T10:00 2024-03-11T09:30"},
      // An anchor that is in the gap itself.
      {"R/2024-03-31T02:30:00/P1D", "Europe/Berlin", 2, "2024-03-31T01:00 2024-04-01T00:30"},
      // Autumn: 02:30 is there twice, the run is the first.
      {"R/2024-10-26T02:30:00/P1D", "Europe/Berlin", 3, "2024-10-26T00:30 2024-10-27T00:30 2024-10-28T01:30"},
      {"R/2024-11-02T01:30:00/P1D", "America/Los_Angeles", 3, "2024-11-02T08:30 2024-11-03T08:30 2024-11-04T09:30"},
      // 24 hours are no day.
      {"R/2024-03-30T02:30:00/PT24H", "Europe/Berlin", 2, "2024-03-30T01:30 2024-03-31T01:30"},
  };
  for (const auto& row : kTable) EXPECT_EQ(slots(row.text, row.zone, row.count), row.want) << row.text << ' ' << row.zone;
}

TEST(Schedule, what_cannot_be_read_says_why) {
  const struct { const char* text; const char* zone; const char* why; } kTable[] = {
      {"", "", "must be R[n]/<start>/P<period>"},
      {"R/2024-01-01T00:00:00Z", "", "must be R[n]/<start>/P<period>"},
      {"X/2024-01-01T00:00:00Z/P1D", "", "must be R[n]"},
      {"Rx/2024-01-01T00:00:00Z/P1D", "", "a whole number"},
      {"R-1/2024-01-01T00:00:00Z/P1D", "", "a whole number"},
      {"R/yesterday/P1D", "", "'yesterday' is not a date"},
      {"R/2024-02-30/P1D", "", "is not a date"},
      {"R/2024-01-01T25:00:00Z/P1D", "", "is not a date"},
      {"R/2024-01-01T00:00:00Z/1D", "", "begins with P"},
      {"R/2024-01-01T00:00:00Z/P", "", "names no length"},
      {"R/2024-01-01T00:00:00Z/PT", "", "follows the T"},
      {"R/2024-01-01T00:00:00Z/P1", "", "a unit follows"},
      {"R/2024-01-01T00:00:00Z/P1H", "", "in this order"},
      {"R/2024-01-01T00:00:00Z/PT1M1H", "", "in this order"},
      {"R/2024-01-01T00:00:00Z/P1.5D", "", "only seconds"},
      {"R/2024-01-01T00:00:00Z/P9999999999D", "", "at most 9 digits"},
      {"R/2024-01-01T00:00:00Z/PT0.5S", "", "shorter than a second"},
      {"R/2024-01-01T00:00:00Z/PT0S", "", "R1 only"},
      {"R2/2024-01-01T00:00:00Z/PT0S", "", "R1 only"},
      {"R/1969-12-31T00:00:00Z/P1D", "", "starts before 1970"},
      {"R/9999-12-31T00:00:00Z/P1D", "", "after the year 2261"},
      {"R/2024-01-01T00:00:00/P1D", "EDT", "'EDT' is not a known time zone"},
      {"R/2024-01-01T00:00:00/P1D", "Europe/Berlim", "is not a known time zone"},
      {"R/2024-01-01T00:00:00/P1D", "../../etc/passwd", "is not a known time zone"},
      {"R/2024-01-01T00:00:00/P1D", "/etc/localtime", "is not a known time zone"},
  };
  for (const auto& row : kTable) {
    const auto schedule = parse(row.text, row.zone);
    ASSERT_FALSE(schedule) << row.text;
    EXPECT_NE(schedule.error().message.find(row.why), std::string::npos) << row.text << ": " << schedule.error().message;
  }
}

TEST(Schedule, shows_the_next_slot_and_keeps_how_count_and_period_were_written) {
  auto schedule = parse("R10/2024-01-10T11:00:00Z/PT120S").value();
  EXPECT_EQ(schedule.render(), "R10/2024-01-10T11:00:00.000Z/PT120S");
  schedule.consume_through(kNow);
  EXPECT_EQ(schedule.render(), "R9/2024-01-10T12:02:00.000Z/PT120S") << "one run for all that was missed";
  EXPECT_EQ(parse("R5//PT1M").value().render(), "R5/2024-01-10T11:59:59.000Z/PT1M");
  EXPECT_EQ(parse("R/2024-07-01T02:00:00Z/P1D", "Europe/Berlin").value().render(),
            "R/2024-07-01T02:00:00.000+02:00/P1D");
}

TEST(Schedule, slots_that_are_given_up_each_count) {
  auto schedule = parse("R10/2024-01-10T11:00:00Z/PT10M").value();
  EXPECT_EQ(schedule.skip_before(base::parse_iso8601("2024-01-10T11:30:00Z").value()), 3);
  EXPECT_EQ(schedule.render(), "R7/2024-01-10T11:30:00.000Z/PT10M");
  EXPECT_EQ(schedule.skip_before(kNow + base::hours(10)), 7);
  EXPECT_TRUE(schedule.exhausted());
}

TEST(Schedule, finds_its_place_after_years_without_going_through_them) {
  auto schedule = parse("R/1970-01-01T00:00:01Z/PT1S").value();
  schedule.consume_through(kNow);
  EXPECT_EQ(schedule.render(), "R/2024-01-10T12:00:01.000Z/PT1S");
  auto days = parse("R/1980-02-29T02:30:00/P1D", "Europe/Berlin").value();
  days.consume_through(kNow);
  EXPECT_EQ(days.render(), "R/2024-01-11T02:30:00.000+01:00/P1D");
  auto never = parse("R/2200-01-01T00:00:00Z/P100Y").value();
  never.consume();
  EXPECT_FALSE(never.next()) << "beyond the clock";
}

TEST(Schedule, the_record_of_the_anchor_gives_the_same_slots) {
  for (const char* zone : {"", "Europe/Berlin", "America/Los_Angeles", "Australia/Lord_Howe"}) {
    for (const char* text : {"R/2023-01-31T02:30:00/P1M", "R/2024-03-31T02:30:00/P1D", "R/2024-01-01T00:00:00.250-03:30/PT90M"}) {
      auto schedule = parse(text, zone).value();
      auto copy = parse(schedule.render_anchor(), zone).value();
      for (int i = 0; i < 500; ++i) {
        ASSERT_EQ(schedule.next()->nanos(), copy.next()->nanos()) << text << ' ' << zone << ' ' << i;
        schedule.consume();
        copy.consume();
      }
    }
  }
}

TEST(Schedule, slots_grow_and_the_next_is_the_first_after_a_time) {
  for (const char* zone : {"Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata"}) {
    for (const char* period : {"P1D", "P1M", "P1W", "PT1H", "P1DT1H", "PT3H30M", "P1Y"}) {
      auto step = parse(std::string("R/2020-01-31T02:30:00/") + period, zone).value();
      base::Time before = *step.next();
      for (int i = 0; i < 200; ++i) {
        auto jump = parse(std::string("R/2020-01-31T02:30:00/") + period, zone).value();
        jump.consume_through(before);
        step.consume();
        ASSERT_TRUE(step.next());
        ASSERT_GT(*step.next(), before) << zone << ' ' << period;
        ASSERT_EQ(jump.next()->nanos(), step.next()->nanos()) << zone << ' ' << period << ' ' << i;
        before = *step.next();
      }
    }
  }
}

}  // namespace
}  // namespace chronos
