#include "universe/schema.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

#include "base/file.hpp"
#include "base/json/value.hpp"
#include "universe/pattern.hpp"

namespace universe {
namespace {

namespace json = boost::json;

json::value parsed(std::string_view text) { return base::json::parse(text).value(); }

/// "/a required; /b type" for what is wrong.
std::string wrong(std::string_view schema, std::string_view instance) {
  std::string out;
  for (const Violation& v : validate(parsed(schema), parsed(instance))) {
    if (!out.empty()) out += "; ";
    out += v.instance + " " + v.keyword;
  }
  return out;
}

constexpr const char* kSuite = "/usr/share/json-schema-test-suite/tests/draft4";

// What docs/compatibility.md lists as absent: other documents, and names given by "id".
const std::set<std::string> kOtherDocuments = {"remote ref, containing refs itself", "valid definition",
                                               "Recursive references between schemas"};

TEST(Schema, agrees_with_the_official_suite) {
  const auto files = base::list_directory(kSuite);
  if (!files) GTEST_SKIP() << "the Debian package json-schema-test-suite is not installed";
  size_t cases = 0;
  for (const std::string& file : *files) {
    if (!file.ends_with(".json") || file == "refRemote.json") continue;
    const auto groups = parsed(base::read_file(std::string(kSuite) + "/" + file).value());
    for (const json::value& group : groups.get_array()) {
      const std::string title(group.at("description").as_string());
      if (kOtherDocuments.contains(title)) continue;
      for (const json::value& test : group.at("tests").as_array()) {
        const bool valid = validate(group.at("schema"), test.at("data")).empty();
        EXPECT_EQ(valid, test.at("valid").as_bool()) << file << ": " << title << ": " << test.at("description").as_string();
        ++cases;
      }
    }
  }
  EXPECT_GE(cases, 300u);
}

TEST(Schema, tells_everything_that_is_wrong_with_pointers) {
  const auto schema = parsed(R"({"type":"object","required":["a"],"additionalProperties":false,"properties":{
      "a":{"type":"integer"},
      "b":{"type":"object","properties":{"x/y":{"type":"number","minimum":1},"s":{"enum":["u","v"]}}},
      "l":{"type":"array","items":{"type":"string","pattern":"^[a-z]+$"}}}})");
  const auto found = validate(schema, parsed(R"({"b":{"x/y":0,"s":"w"},"l":["ok",1,"NO"],"z":1})"));
  std::vector<std::string> lines;
  for (const Violation& v : found) lines.push_back(v.instance + " " + v.schema + " " + v.keyword);
  EXPECT_EQ(lines, (std::vector<std::string>{
                       "  required", "/b/x~1y /properties/b/properties/x~1y minimum", "/b/s /properties/b/properties/s enum",
                       "/l/1 /properties/l/items type", "/l/2 /properties/l/items pattern", "  additionalProperties"}));
  EXPECT_EQ(found[0].message, "object has missing required properties ([\"a\"])");
  EXPECT_EQ(found[1].message, "numeric instance 0 is lower than the required minimum (minimum: 1, found: 0)");
}

TEST(Schema, compares_numbers_exactly) {
  EXPECT_EQ(wrong(R"({"minimum":9007199254740993})", "9007199254740992"), " minimum");
  EXPECT_EQ(wrong(R"({"minimum":9007199254740993})", "9007199254740993"), "");
  EXPECT_EQ(wrong(R"({"maximum":18446744073709551614})", "18446744073709551615"), " maximum");
  EXPECT_EQ(wrong(R"({"enum":[9007199254740993]})", "9007199254740992"), " enum");
  EXPECT_EQ(wrong(R"({"multipleOf":0.01})", "0.07"), "");
  EXPECT_EQ(wrong(R"({"type":"integer"})", "1.5"), " type");
}

TEST(Schema, survives_hostile_schemas_and_values) {
  EXPECT_EQ(wrong(R"({"$ref":"#"})", "1"), " $ref");
  EXPECT_EQ(wrong(R"({"anyOf":[{"$ref":"#"},{"type":"string"}]})", "1"), " anyOf");
  EXPECT_EQ(wrong(R"({"$ref":"http://example.com/x"})", "1"), " $ref");
  EXPECT_EQ(wrong(R"({"$ref":"#/nowhere"})", "1"), " $ref");
  EXPECT_EQ(wrong(R"({"pattern":"("})", "\"a\""), " pattern");
  EXPECT_EQ(wrong(R"({"properties":{"a":5}})", R"({"a":1})"), "/a schema");
  // Where std::regex would recurse off the stack, and where backtracking would take for ever.
  const std::string many = "\"" + std::string(100'000, 'a') + "\"";
  EXPECT_EQ(wrong(R"({"pattern":"^(?:a|b)*+$"})", many), "");
  EXPECT_EQ(wrong(R"({"pattern":"^(a+)+$"})", "\"" + std::string(5'000, 'a') + "!\""), " pattern");
  std::string wide = "[0", schema = R"({"uniqueItems":true})";
  for (int i = 1; i < 5'000; ++i) wide += "," + std::to_string(i);
  EXPECT_EQ(wrong(schema, wide + "]"), " uniqueItems");
  // At most a hundred violations.
  std::string words = "[1";
  for (int i = 0; i < 1'000; ++i) words += ",1";
  EXPECT_EQ(validate(parsed(R"({"items":{"type":"string"}})"), parsed(words + "]")).size(), 100u);
}

TEST(Schema, collects_defaults) {
  const auto defaults = [](std::string_view schema) { return base::json::render(defaults_of(parsed(schema))); };
  EXPECT_EQ(defaults(R"({"properties":{"a":{"default":1},"b":{"properties":{"c":{"default":null},"d":{"type":"string"}}},
                         "e":{"properties":{"f":{"type":"string"}}},"g":{"default":{"h":1},"properties":{"i":{"default":2}}},
                         "j":{"$ref":"#/definitions/k"}},"definitions":{"k":{"default":3}}})"),
            R"({"a":1,"b":{"c":null},"g":{"h":1}})");
  EXPECT_EQ(defaults("5"), "{}");
}

TEST(Schema, merges_objects_and_replaces_the_rest) {
  json::value under = parsed(R"({"a":{"b":1,"c":[1,2]},"d":{"e":1}})");
  merge_into(under.get_object(), parsed(R"({"a":{"c":[3],"x":null},"d":7})").get_object());
  EXPECT_EQ(base::json::render(under), R"({"a":{"b":1,"c":[3],"x":null},"d":7})");
}

TEST(Pattern, matches_as_ecma_262_has_it) {
  const auto finds = [](const std::string& expression, std::string_view text) {
    return Pattern::compile(expression).value().find_in(text) == Pattern::Outcome::Match;
  };
  EXPECT_TRUE(finds("b", "abc"));
  EXPECT_FALSE(finds("^b$", "b\n"));
  EXPECT_TRUE(finds("^(?!x)\\w+$", "abc"));
  EXPECT_TRUE(finds("^.$", "\xc3\xa9"));
  EXPECT_TRUE(finds("^\\u00e9$", "\xc3\xa9"));
  EXPECT_FALSE(finds("[]", "a"));
}

}  // namespace
}  // namespace universe
