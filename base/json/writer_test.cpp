#include "base/json/writer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace base::json {
namespace {

std::string text_of(std::string_view text) {
  std::string out;
  append_string(out, text);
  return out;
}

std::string number_of(double number) {
  std::string out;
  append_double(out, number);
  return out;
}

TEST(Writer, separates_members_and_elements) {
  std::string out;
  Writer w(out);
  w.begin_object();
  w.field("id", "/hello");
  w.key("ports");
  w.begin_array();
  w.value(80);
  w.value(uint64_t{18446744073709551615u});
  w.value(std::numeric_limits<int64_t>::min());
  w.begin_object();
  w.end_object();
  w.null();
  w.end_array();
  w.field("cpus", 1.0);
  w.field("on", true);
  w.key("raw");
  w.raw("[1]");
  w.end_object();
  EXPECT_EQ(out, R"({"id":"/hello","ports":[80,18446744073709551615,-9223372036854775808,{},null],)"
                 R"("cpus":1.0,"on":true,"raw":[1]})");
}

TEST(Writer, writes_doubles_that_read_back_and_integral_ones_with_a_fraction) {
  EXPECT_EQ(number_of(1), "1.0");
  EXPECT_EQ(number_of(-0.0), "-0.0");
  EXPECT_EQ(number_of(0.1), "0.1");
  EXPECT_EQ(number_of(1e300), "1e+300");
  EXPECT_EQ(number_of(1700000000.123456), "1700000000.123456");
  EXPECT_EQ(number_of(INFINITY), "\"Infinity\"");
  EXPECT_EQ(number_of(-INFINITY), "\"-Infinity\"");
  EXPECT_EQ(number_of(NAN), "\"NaN\"");
}

TEST(Writer, escapes_what_a_string_may_not_hold) {
  EXPECT_EQ(text_of("a\"b\\c/\b\f\n\r\t\x01\x7f"), "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\x7f\"");
  EXPECT_EQ(text_of(std::string_view("\0", 1)), "\"\\u0000\"");
  EXPECT_EQ(text_of(""), "\"\"");
}

TEST(Writer, finds_every_special_byte_at_every_position) {
  for (size_t length = 1; length < 40; ++length) {
    for (size_t at = 0; at < length; ++at) {
      for (const char special : {'"', '\\', '\n', '\x1f'}) {
        std::string text(length, 'x');
        text[at] = special;
        const std::string escape = special == '"'    ? "\\\""
                                   : special == '\\' ? "\\\\"
                                   : special == '\n' ? "\\n"
                                                     : "\\u001f";
        EXPECT_EQ(text_of(text), "\"" + text.substr(0, at) + escape + text.substr(at + 1) + "\"");
      }
    }
  }
}

TEST(Writer, keeps_valid_utf8_and_replaces_the_rest) {
  EXPECT_EQ(text_of("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
            "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
  EXPECT_EQ(text_of("\xff"), "\"\xef\xbf\xbd\"");
  EXPECT_EQ(text_of("\xc3"), "\"\xef\xbf\xbd\"");                  // cut off
  EXPECT_EQ(text_of("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");  // longer than need be
  EXPECT_EQ(text_of("\xed\xa0\x80").size(), 2u + 9u);              // surrogate
  EXPECT_EQ(text_of("\xf4\x90\x80\x80").size(), 2u + 12u);         // beyond U+10FFFF
}

}  // namespace
}  // namespace base::json
