#include "base/json/value.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace base::json {
namespace {

std::string error_of(std::string_view text, const ParseOptions& options = {}) {
  const auto value = parse(text, options);
  return value ? "no error: " + render(*value) : value.error().message;
}

std::string round_trip(std::string_view text) {
  const auto value = parse(text);
  return value ? render(*value) : value.error().message;
}

TEST(Parse, reads_every_kind) {
  EXPECT_EQ(
      round_trip(R"( {"a":[1,-1,18446744073709551615,1.5,true,false,null,"x\u00e9\n"],"b":{}} )"),
      "{\"a\":[1,-1,18446744073709551615,1.5,true,false,null,\"x\xc3\xa9\\n\"],\"b\":{}}");
}

TEST(Parse, reads_doubles_exactly) {
  EXPECT_EQ(round_trip("[1700000000.123456,0.30000000000000004,1e-400,33.3,1E2]"),
            "[1700000000.123456,0.30000000000000004,0.0,33.3,100.0]");
  EXPECT_EQ(round_trip("[9007199254740993.0,123456789012345678901]"),
            "[9007199254740992.0,123456789012345683968.0]");
}

TEST(Parse, says_what_is_wrong_and_where) {
  EXPECT_EQ(error_of("{\"a\":1,\n \"b\":[1,}"), "syntax error at line 2, column 9 (offset 16)");
  EXPECT_EQ(error_of("{\"a\":"), "unexpected end of text at line 1, column 6 (offset 5)");
  EXPECT_EQ(error_of(""), "unexpected end of text at line 1, column 1 (offset 0)");
  EXPECT_EQ(error_of("[1] x"), "more text after the value at line 1, column 5 (offset 4)");
  EXPECT_TRUE(error_of("[1e999]").starts_with("number out of range")) << error_of("[1e999]");
  EXPECT_TRUE(error_of("\"\xff\"").starts_with("syntax error"));
  EXPECT_TRUE(error_of("[NaN]").starts_with("syntax error"));
  EXPECT_TRUE(error_of("[01]").starts_with("syntax error"));
}

TEST(Parse, keeps_its_limits) {
  ParseOptions options;
  options.max_depth = 3;
  EXPECT_EQ(error_of("[[[1]]]", options), "no error: [[[1]]]");
  EXPECT_TRUE(error_of("[[[[1]]]]", options).starts_with("nested too deeply"));
  EXPECT_TRUE(error_of(std::string(1'000'000, '[')).starts_with("nested too deeply"));
  options.max_bytes = 4;
  EXPECT_EQ(error_of("[1,2]", options), "the JSON text has 5 bytes, the limit is 4");
  EXPECT_EQ(parse("[1,2]", options).error().code, Code::TooLarge);
}

TEST(Parse, takes_the_last_of_duplicate_keys_or_refuses_them) {
  EXPECT_EQ(round_trip(R"({"a":1,"a":2})"), R"({"a":2})");
  ParseOptions strict;
  strict.reject_duplicate_keys = true;
  EXPECT_TRUE(error_of(R"({"a":1,"b":{"a":2,"\u0061":3}})", strict)
                  .starts_with("duplicate key \"a\" at line 1"));
  EXPECT_EQ(error_of(R"({"a":1,"b":{"a":2},"c":[{"a":1},{"a":1}]})", strict).substr(0, 8),
            "no error");
}

TEST(Render, indents) {
  EXPECT_EQ(render_pretty(*parse(R"({"a":[1,{"b":[]}],"c":{}})")),
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {}\n}");
  EXPECT_EQ(render_pretty(*parse("1.0")), "1.0");
}

TEST(Pointer, leads_to_values) {
  const Value root = *parse(R"({"a":[{"b/c~":7}],"":{"x":1}})");
  EXPECT_EQ(find(root, ""), &root);
  EXPECT_EQ(*get_int(root, "/a/0/b~1c~0"), 7);
  EXPECT_EQ(*get_int(root, "//x"), 1);
  EXPECT_EQ(find(root, "/a/1"), nullptr);
  EXPECT_EQ(find(root, "/a/x"), nullptr);
  EXPECT_EQ(find(root, "/a/0/b~1c~0/d"), nullptr);
  EXPECT_EQ(find(root, "a"), nullptr);
  EXPECT_EQ(escape_pointer("b/c~"), "b~1c~0");
}

TEST(TypedAccess, names_the_place_in_errors) {
  const Value root = *parse(R"({"s":"x","n":1.5,"i":-3,"b":true,"whole":2.0})");
  EXPECT_EQ(*get_string(root, "/s"), "x");
  EXPECT_EQ(*get_double(root, "/n"), 1.5);
  EXPECT_EQ(*get_double(root, "/i"), -3.0);
  EXPECT_EQ(*get_int(root, "/whole"), 2);
  EXPECT_EQ(*get_bool(root, "/b"), true);
  EXPECT_EQ(get_int(root, "/n").error().message, "/n must be a whole number, not 1.5");
  EXPECT_EQ(get_uint(root, "/i").error().message,
            "/i must be a whole number that is not negative, not -3");
  EXPECT_EQ(get_string(root, "/b").error().message, "/b must be a string, not a boolean");
  EXPECT_EQ(get_string(root, "/s/t").error().message, "/s/t is missing");
  EXPECT_EQ(get_string(root, "/s/t").error().code, Code::NotFound);
}

}  // namespace
}  // namespace base::json
