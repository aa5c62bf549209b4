#include "base/time_zones.hpp"

#include <gtest/gtest.h>

#include "base/system_zones.hpp"

namespace base {
namespace {

TEST(TimeZones, days_and_dates_are_inverse) {
  for (int64_t day = -200'000; day < 200'000; day += 7) {
    const CivilTime c = civil_of(day * 86'400 + 12'345);
    ASSERT_EQ(days_of(c.year, c.month, c.day), day);
    ASSERT_EQ(seconds_of(c), day * 86'400 + 12'345);
  }
}

TEST(TimeZones, offsets_are_ids_too) {
  const auto zones = system_time_zones();
  const struct { const char* id; int64_t offset; } kTable[] = {
      {"UTC", 0}, {"GMT+2", 7200}, {"GMT-03:30", -12'600}, {"+05:30", 19'800}, {"UTC+10", 36'000}};
  for (const auto& row : kTable) {
    const auto zone = find_zone(row.id, *zones);
    ASSERT_TRUE(zone) << row.id;
    EXPECT_EQ(zone->offset_at(0), row.offset) << row.id;
  }
  for (const char* id : {"GMT+x", "UTC+99", "", "Mars/Olympus", "EDT"}) EXPECT_FALSE(find_zone(id, *zones)) << id;
}

}  // namespace
}  // namespace base
