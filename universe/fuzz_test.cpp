#include "base/testing/fuzz.hpp"

#include <gtest/gtest.h>

int fuzz_mustache(const uint8_t* data, size_t size);
int fuzz_schema(const uint8_t* data, size_t size);
int fuzz_index(const uint8_t* data, size_t size);

namespace universe {
namespace {

TEST(Fuzz, templates) {
  using namespace std::string_literals;
  base::testing::fuzz(fuzz_mustache,
                      {"{{#a}}{{b.c}}{{^d}}x{{/d}}{{/a}}{{{e}}}{{! c }}\0{\"a\":[1,{\"b\":{\"c\":\"q\"}}],\"e\":{\"f\":1.5}}"s,
                       "{{#asJson}}x{{/asJson}}{{=<% %>=}}<%& y %>\0{\"x\":\"[]\",\"y\":[\"a\",null]}"s,
                       "{{#l}}{{#l}}{{.}}{{/l}}{{/l}}\0{\"l\":[1,2,3,4,5,6,7,8]}"s},
                      20'000, 1);
}

TEST(Fuzz, schemas) {
  using namespace std::string_literals;
  base::testing::fuzz(
      fuzz_schema,
      {R"({"type":"object","properties":{"a":{"type":"integer","minimum":1},"b":{"$ref":"#/definitions/c"}},"required":["a"],
          "definitions":{"c":{"pattern":"^(a|b)+$","maxLength":3}},"additionalProperties":false})"s + "\0"s +
           R"({"a":0,"b":"abab","c":null})",
       R"({"items":[{"enum":[1,"x"]},{"not":{"type":"null"}}],"additionalItems":{"$ref":"#"},"uniqueItems":true})"s + "\0"s +
           R"([1,null,[2,3],[2,3]])",
       R"({"anyOf":[{"oneOf":[{},{}]},{"allOf":[{"multipleOf":0.1}]}],"dependencies":{"a":["b"],"c":{"minProperties":2}},
          "patternProperties":{"^x":{"default":5}}})"s + "\0"s + R"({"a":1,"c":2,"x1":3})"},
      20'000, 2);
}

TEST(Fuzz, indexes) {
  base::testing::fuzz(
      fuzz_index,
      {R"({"packages":[{"packagingVersion":"4.0","name":"a","version":"1","releaseVersion":0,"description":"d","tags":["t"],
          "marathon":{"v2AppMustacheTemplate":"eyJpZCI6Int7bn19In0="},"config":{"properties":{"n":{"default":"x"}}},
          "resource":{"images":{"icon-small":"http://i"},"assets":{"uris":{"u":"https://u"}}}}]})",
       R"({"packages":[1,{},{"packagingVersion":"2.0","name":"b","version":"1","releaseVersion":1,"description":""},
          {"packagingVersion":"5.0","name":"b","version":"1","releaseVersion":2,"description":"","manager":{"packageName":"m"}}]})",
       "application/json;q=0.5, text/*"},
      5'000, 3);
}

}  // namespace
}  // namespace universe
