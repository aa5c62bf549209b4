#include "base/numbers.hpp"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Numbers, doubles_render_shortest_and_integral_ones_end_in_point_zero) {
  EXPECT_EQ(render_double(1), "1.0");
  EXPECT_EQ(render_double(0.1), "0.1");
  EXPECT_EQ(render_double(-2.5), "-2.5");
  EXPECT_EQ(render_double(1e300), "1e+300");
  EXPECT_EQ(render_double(123456789), "123456789.0");
}

TEST(Numbers, refuse_what_is_not_wholly_a_number) {
  for (const char* text : {"", " 1", "1 ", "1x", "0x10", "nan", "inf", "--1", "1e999"}) {
    EXPECT_FALSE(parse_double(text)) << text;
  }
  EXPECT_FALSE(parse_uint("-1"));
  EXPECT_FALSE(parse_int("9223372036854775808"));
  EXPECT_EQ(parse_int("-9223372036854775808").value(), INT64_MIN);
}

TEST(Numbers, sizes_read_and_render_in_powers_of_1024) {
  EXPECT_EQ(parse_bytes("512MB").value(), uint64_t{512} << 20);
  EXPECT_EQ(parse_bytes("0B").value(), 0u);
  EXPECT_EQ(render_bytes(uint64_t{2} << 30), "2GB");
  EXPECT_EQ(render_bytes(1536), "1536B");
  for (const char* text : {"5", "MB", "1.5GB", "1 GB", "99999999999999TB"})
    EXPECT_FALSE(parse_bytes(text)) << text;
}

}  // namespace
}  // namespace base
