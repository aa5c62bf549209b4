#include "universe/render.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/strings.hpp"

namespace universe {
namespace {

namespace json = boost::json;

Package make_package(const std::string& text, const std::string& config = "", const std::string& resource = "",
                     int format = 4) {
  std::string document = fmt::format(
      R"({{"packagingVersion":"{}.0","name":"p","version":"1","releaseVersion":0,"description":"d","tags":[])", format);
  if (!text.empty()) {
    document += R"(,"marathon":{"v2AppMustacheTemplate":")" + base::base64_encode(text) + R"("})";
  }
  if (!config.empty()) document += R"(,"config":)" + config;
  if (!resource.empty()) document += R"(,"resource":)" + resource;
  return read_package(base::json::parse(document + "}").value()).value();
}

json::object options_of(const std::string& text) { return base::json::parse(text).value().get_object(); }

/// The app, or the type of the refusal.
std::string rendered(const Package& package, const std::string& options = "{}", std::optional<std::string> id = {}) {
  auto app = render_app(package, "http://r", options_of(options), id);
  if (!app) return app.refusal().type;
  app->erase("labels");
  return base::json::render(*app);
}

TEST(Render, fills_the_template_from_defaults_options_and_resources) {
  const Package package =
      make_package(R"({"id":"{{service.name}}","cpus":{{service.cpus}},"args":{{list}},"uri":"{{resource.assets.uris.a}}",
                       {{#debug}}"debug":true,{{/debug}}"n":"{{n}}"})",
                   R"({"type":"object","properties":{"service":{"type":"object","properties":{
                       "name":{"type":"string","default":"p"},"cpus":{"type":"number","default":1.0}}},
                       "list":{"type":"array","default":["a b","c\""]},"debug":{"type":"boolean","default":false},
                       "n":{"type":"integer","default":9007199254740993}}})",
                   R"({"assets":{"uris":{"a":"http://x/a.tgz"}}})");
  EXPECT_EQ(rendered(package),
            R"({"id":"p","cpus":1,"args":["a b","c\""],"uri":"http://x/a.tgz","n":"9007199254740993"})");
  EXPECT_EQ(rendered(package, R"({"service":{"cpus":0.5},"list":[],"debug":true})", "group/mine"),
            R"({"id":"/group/mine","cpus":0.5,"args":[],"uri":"http://x/a.tgz","debug":true,"n":"9007199254740993"})");
}

TEST(Render, a_resource_wins_over_an_option_of_that_name) {
  const Package package = make_package(R"({"id":"{{resource.x}}"})", R"({"type":"object"})", R"({"x":"from resource"})");
  EXPECT_EQ(rendered(package, R"({"resource":{"x":"from options"}})"), R"({"id":"from resource"})");
}

TEST(Render, refuses_what_makes_no_app) {
  EXPECT_EQ(rendered(make_package("")), "ServiceMarathonTemplateNotFound");
  EXPECT_EQ(rendered(make_package("{}"), R"({"a":1})"), "OptionsNotAllowed");
  EXPECT_EQ(rendered(make_package("{}", R"({"properties":{"a":{"type":"string"}}})"), R"({"a":1})"), "JsonSchemaMismatch");
  EXPECT_EQ(rendered(make_package("{")), "JsonParsingError");
  EXPECT_EQ(rendered(make_package("{{#x}}")), "JsonParsingError");
  EXPECT_EQ(rendered(make_package("[]")), "MarathonTemplateMustBeJsonObject");
  EXPECT_EQ(rendered(make_package(R"({"labels":{"a":1}})")), "JsonDecodingError");
  EXPECT_EQ(rendered(make_package(R"({"labels":[]})")), "JsonDecodingError");
  // With nothing to check, a schema that wants something is not asked.
  EXPECT_EQ(rendered(make_package("{}", R"({"required":["a"]})")), "{}");
}

TEST(Render, labels_tell_what_the_app_is_made_of) {
  const Package package = make_package(R"({"id":"p","labels":{"own":"kept","DCOS_PACKAGE_NAME":"lie"}})",
                                       R"({"type":"object"})", "", 3);
  const auto app = render_app(package, "http://repo/x", options_of(R"({"b":null,"a":{"c":null,"d":1}})"), std::nullopt);
  ASSERT_TRUE(app);
  const json::value value(*app);
  EXPECT_EQ(label_of(value, "own"), "kept");
  EXPECT_EQ(label_of(value, kNameLabel), "p");
  EXPECT_EQ(label_of(value, kVersionLabel), "1");
  EXPECT_EQ(label_of(value, kSourceLabel), "http://repo/x");
  EXPECT_EQ(label_of(value, kOptionsLabel), base::base64_encode(R"({"a":{"d":1}})"));
  EXPECT_EQ(base::json::render(decode_options(label_of(value, kOptionsLabel)).value()), R"({"a":{"d":1}})");
  std::string envelope;
  ASSERT_TRUE(base::base64_decode(label_of(value, kDefinitionLabel), envelope));
  EXPECT_EQ(envelope.substr(0, envelope.find(",\"data\"")),
            R"({"metadata":{"Content-Type":"application/vnd.dcos.universe.package+json;charset=utf-8;version=v3",)"
            R"("Content-Encoding":"gzip"})");
  EXPECT_EQ(base::json::render(decode_definition(label_of(value, kDefinitionLabel)).value()), package.document);
  const auto bare = render_app(package, "u", {}, std::nullopt);
  EXPECT_EQ(label_of(json::value(*bare), kOptionsLabel), base::base64_encode("{}"));
}

TEST(Render, labels_that_do_not_decode_are_errors) {
  for (const std::string& label : {std::string("!"), base::base64_encode("x"), base::base64_encode("{}"),
                                   base::base64_encode(R"({"data":"!"})"),
                                   base::base64_encode(R"({"metadata":{"Content-Encoding":"gzip"},"data":"AAAA"})"),
                                   base::base64_encode(R"({"data":"W10="})")}) {
    EXPECT_FALSE(decode_definition(label)) << label;
  }
  EXPECT_FALSE(decode_options("!"));
  EXPECT_FALSE(decode_options(base::base64_encode("[]")));
}

}  // namespace
}  // namespace universe
