#include "base/time.hpp"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Time, durations_read_in_the_originals_units) {
  EXPECT_EQ(parse_duration("5secs").value(), seconds(5));
  EXPECT_EQ(parse_duration("1.5mins").value(), seconds(90));
  EXPECT_EQ(parse_duration("2weeks").value(), hours(336));
  EXPECT_EQ(parse_duration("0ns").value(), Duration::zero());
  EXPECT_EQ(parse_duration("250ms").value(), milliseconds(250));
  for (const char* text : {"", "5", "5 secs", "secs", "5s", "5minutes", "1e300weeks"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Time, durations_render_in_the_largest_unit_that_divides) {
  EXPECT_EQ(render_duration(seconds(75)), "75secs");
  EXPECT_EQ(render_duration(seconds(90)), "90secs");
  EXPECT_EQ(render_duration(minutes(10)), "10mins");
  EXPECT_EQ(render_duration(hours(336)), "2weeks");
  EXPECT_EQ(render_duration(Duration::zero()), "0ns");
}

TEST(Time, iso8601_round_trips) {
  for (const char* text : {"1970-01-01T00:00:00.000Z", "2015-01-02T03:04:05.678Z",
                           "2024-02-29T23:59:59.999Z", "1969-12-31T23:59:59.999Z"}) {
    EXPECT_EQ(render_iso8601(parse_iso8601(text).value()), text);
  }
  EXPECT_EQ(render_iso8601(parse_iso8601("2015-01-02T03:04:05+02:00").value()),
            "2015-01-02T01:04:05.000Z");
  for (const char* text :
       {"", "2015-13-01T00:00:00Z", "2015-02-29T00:00:00Z", "2015-01-01", "2015-01-01T00:00:00",
        "2015-01-01T24:00:00Z", "0001-01-01T00:00:00Z", "2015-01-01T00:00:00Zx"}) {
    EXPECT_FALSE(parse_iso8601(text)) << text;
  }
}

}  // namespace
}  // namespace base
