#include "universe/mustache.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"

namespace universe {
namespace {

std::string render(std::string_view text, std::string_view context = "{}") {
  const auto out = render_mustache(text, base::json::parse(context).value());
  return out ? *out : "error: " + out.error().message;
}

TEST(Mustache, renders_values_by_kind) {
  struct Case {
    const char *value, *text;
  };
  constexpr Case kCases[] = {
      {R"("a\"b\nc/d<&>")", R"(a\"b\nc/d<&>)"},
      {R"("grün")", "grün"},
      {"1", "1"},
      {"1.0", "1"},
      {"1e3", "1000"},
      {"-7", "-7"},
      {"18446744073709551615", "18446744073709551615"},
      {"9007199254740993", "9007199254740993"},
      {"0.1", "0.1"},
      {"0.25", "0.25"},
      {"0.0001", "1.0E-4"},
      {"12345678.5", "1.23456785E7"},
      {"1234567.5", "1234567.5"},
      {"true", "true"},
      {"false", "false"},
      {"null", ""},
      {R"(["a","b\"",1,true])", R"(["a", "b\"", 1, true])"},
      {"[]", "[]"},
      {R"({"k":"v","n":1})", "{k=v, n=1}"},
  };
  for (const Case& c : kCases) {
    const std::string context = std::string(R"({"x":)") + c.value + "}";
    EXPECT_EQ(render("{{x}}", context), c.text) << c.value;
    EXPECT_EQ(render("{{{x}}}", context), c.text) << c.value;
    EXPECT_EQ(render("{{& x }}", context), c.text) << c.value;
  }
  EXPECT_EQ(render("[{{missing}}]"), "[]");
}

TEST(Mustache, enters_sections_by_truth) {
  for (const char* falsy : {"null", "false", R"("")", "[]"}) {
    const std::string context = std::string(R"({"x":)") + falsy + "}";
    EXPECT_EQ(render("{{#x}}in{{/x}}{{^x}}out{{/x}}", context), "out") << falsy;
  }
  for (const char* truthy : {"0", R"("false")", "{}", "true", "0.0"}) {
    const std::string context = std::string(R"({"x":)") + truthy + "}";
    EXPECT_EQ(render("{{#x}}in{{/x}}{{^x}}out{{/x}}", context), "in") << truthy;
  }
  EXPECT_EQ(render("{{#x}}in{{/x}}{{^x}}out{{/x}}"), "out");
}

TEST(Mustache, finds_names_from_the_inside_out) {
  EXPECT_EQ(render("{{#a}}{{b}}{{c}}{{/a}}", R"({"a":{"b":1},"b":2,"c":3})"), "13");
  EXPECT_EQ(render("{{#l}}<{{.}}>{{/l}}", R"({"l":["a",2]})"), "<a><2>");
  EXPECT_EQ(render("{{#l}}{{n}}{{x}},{{/l}}", R"({"l":[{"n":1},{"n":2}],"x":"y"})"), "1y,2y,");
  EXPECT_EQ(render("{{a.b-c.d}}", R"({"a":{"b-c":{"d":5}}})"), "5");
  EXPECT_EQ(render("{{a.b}}", R"({"a.b":"key","a":{"b":"path"}})"), "key");
  EXPECT_EQ(render("{{a.b.c}}", R"({"a":{"b":1}})"), "");
}

TEST(Mustache, puts_in_json_texts_raw) {
  EXPECT_EQ(render("{{#asJson}}x{{/asJson}}", R"({"x":"[1, \"a\"]"})"), R"([1, "a"])");
  EXPECT_EQ(render("{{#asJson}}x{{/asJson}} {{#asJson}}y{{/asJson}}", R"({"x":5})"), "null null");
}

TEST(Mustache, skips_comments_and_changes_delimiters) {
  EXPECT_EQ(render("a{{! {{b }}c"), "ac");
  EXPECT_EQ(render("{{=<% %>=}}<%x%>{{x}}<%={{ }}=%>{{x}}", R"({"x":1})"), "1{{x}}1");
}

TEST(Mustache, tells_the_line_of_what_is_malformed) {
  EXPECT_EQ(render("a\n{{#x}}"), "error: template line 2: section 'x' is not closed");
  EXPECT_EQ(render("{{/x}}"), "error: template line 1: 'x' is closed and was not opened");
  EXPECT_EQ(render("{{#a}}\n\n{{/b}}"), "error: template line 3: section 'a' is closed as 'b'");
  EXPECT_EQ(render("{{x"), "error: template line 1: a tag is not closed");
  EXPECT_EQ(render("{{> part}}"), "error: template line 1: partials are not supported");
  EXPECT_EQ(render("{{=x=}}"), "error: template line 1: new delimiters are two words");
}

TEST(Mustache, is_bounded) {
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "{{#x}}";
  EXPECT_EQ(render(deep), "error: template line 1: sections are nested too deeply");
  std::string list = R"({"l":[1)";
  for (int i = 0; i < 2'000; ++i) list += ",1";
  list += "]}";
  EXPECT_EQ(render("{{#l}}{{#l}}{{#l}}{{.}}{{/l}}{{/l}}{{/l}}", list),
            "error: the template renders to more than the limit");
  const std::string big = R"({"l":[1,1,1,1,1,1,1,1],"s":")" + std::string(1 << 20, 'a') + R"("})";
  EXPECT_EQ(render("{{#l}}{{s}}{{/l}}", big), "error: the template renders to more than the limit");
}

}  // namespace
}  // namespace universe
