#include "base/strings.hpp"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Strings, split_keeps_and_tokenize_drops_empty_pieces) {
  EXPECT_EQ(split("a,,b", ',').size(), 3u);
  EXPECT_EQ(split("", ',').size(), 1u);
  EXPECT_EQ(tokenize("/a//b/", '/'), (std::vector<std::string_view>{"a", "b"}));
}

TEST(Strings, percent_coding_round_trips_and_bad_escapes_stay) {
  const std::string raw("a b/\xff%+~", 8);
  EXPECT_EQ(percent_decode(percent_encode(raw)), raw);
  EXPECT_EQ(percent_decode("%zz%4"), "%zz%4");
  EXPECT_EQ(percent_decode("a+b"), "a+b");
  EXPECT_EQ(percent_decode("a+b", true), "a b");
}

TEST(Strings, base64_round_trips_and_refuses_other_text) {
  for (const std::string& raw : {std::string(), std::string("a"), std::string("ab"),
                                 std::string("abc"), std::string("\0\xff", 2)}) {
    std::string back;
    ASSERT_TRUE(base64_decode(base64_encode(raw), back));
    EXPECT_EQ(back, raw);
  }
  std::string out;
  for (const char* text : {"a", "ab=c", "====", "YWJ j", "YWJj\n", "YQ=a"})
    EXPECT_FALSE(base64_decode(text, out)) << text;
}

TEST(Strings, invalid_utf8_is_replaced_and_valid_text_kept) {
  EXPECT_EQ(valid_utf8("gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\x80"),
            "gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\x80");
  EXPECT_EQ(valid_utf8("a\xff"
                       "b"),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(valid_utf8("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(valid_utf8("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(Strings, trim_case_and_replace) {
  EXPECT_EQ(trim(" \ta b\n"), "a b");
  EXPECT_TRUE(iequals("Content-Type", "content-type"));
  EXPECT_EQ(replace_all("a.b.c", ".", "::"), "a::b::c");
}

}  // namespace
}  // namespace base
