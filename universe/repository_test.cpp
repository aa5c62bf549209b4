#include "universe/repository.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "universe/resolve.hpp"

namespace universe {
namespace {

namespace json = boost::json;

std::string package(const std::string& name, const std::string& version, int release, const std::string& more = "") {
  return fmt::format(
      R"({{"packagingVersion":"4.0","name":"{}","version":"{}","releaseVersion":{},"description":"the {}",)"
      R"("maintainer":"m","tags":["t-{}"]{}}})",
      name, version, release, name, name, more);
}

RepositoryIndex index_of(const std::vector<std::string>& packages) {
  std::string text = R"({"packages":[)";
  for (const std::string& item : packages) text += (text.ends_with('[') ? "" : ",") + item;
  return parse_index(text + "]}").value();
}

Catalog catalog_of(const std::vector<std::vector<std::string>>& repositories) {
  std::vector<Catalog::Layer> layers;
  for (size_t i = 0; i < repositories.size(); ++i) {
    layers.push_back({fmt::format("http://r{}", i), std::make_shared<RepositoryIndex>(index_of(repositories[i]))});
  }
  return Catalog(layers);
}

TEST(Repository, sets_bad_packages_aside_and_keeps_the_others) {
  struct Case {
    std::string package, what, reason;
  };
  const Case kCases[] = {
      {"5", "packages/0", "a package must be an object, not a number"},
      {"{}", "packages/0", "/packagingVersion is required; /name is required; /version is required; /releaseVersion is "
                           "required; /description is required"},
      {package("Bad_Name", "1", 0), "Bad_Name 1",
       "/name must be lower case letters, digits and dashes, and begin with a letter"},
      {package("a", "1 0", 0), "a 1 0", "/version must be letters, digits, dashes and dots"},
      {package("a", "1", -1), "a 1", "/releaseVersion must be a whole number that is not negative"},
      {package("a", "1", 0, R"(,"config":[])"), "a 1", "/config must be an object, not an array"},
      {package("a", "1", 0, R"(,"marathon":{"v2AppMustacheTemplate":"!"})"), "a 1",
       "/marathon/v2AppMustacheTemplate is not base64"},
      {package("a", "1", 0, R"(,"upgradesFrom":[1])"), "a 1", "/upgradesFrom must hold strings only"},
      {package("a", "1", 0, R"(,"resource":{"images":[]})"), "a 1", "/resource/images must be an object"},
      {package("a", "1", 0, R"(,"packagingVersion":"9.0")"), "a 1", "/packagingVersion must be 2.0, 3.0, 4.0 or 5.0"},
  };
  for (const Case& c : kCases) {
    const RepositoryIndex index = index_of({c.package, package("good", "1", 0)});
    ASSERT_EQ(index.set_aside.size(), 1u) << c.package;
    EXPECT_EQ(index.set_aside[0].what, c.what);
    EXPECT_EQ(index.set_aside[0].reason, c.reason);
    ASSERT_EQ(index.packages.size(), 1u) << c.package;
    EXPECT_EQ(index.packages[0]->name, "good");
  }
}

TEST(Repository, that_is_none_is_an_error) {
  for (const char* text : {"", "[]", "{}", R"({"packages":{}})", "<html>", R"({"packages":[)"}) {
    EXPECT_FALSE(parse_index(text)) << text;
  }
  EXPECT_FALSE(parse_index(R"({"packages":[]})", {.max_bytes = 10}));
  EXPECT_FALSE(parse_index(R"({"packages":[1,2,3]})", {.max_packages = 2}));
}

TEST(Repository, keeps_the_document_without_nulls_and_with_defaults) {
  const auto index = index_of({package("a", "1", 7, R"(,"scm":null,"config":{"default":null})")});
  EXPECT_EQ(index.packages[0]->document,
            R"({"packagingVersion":"4.0","name":"a","version":"1","releaseVersion":7,"description":"the a",)"
            R"("maintainer":"m","tags":["t-a"],"config":{"default":null},"selected":false,"framework":false})");
}

TEST(Repository, is_assembled_from_source_files) {
  const std::map<std::string, std::string> files{
      {"package.json", R"({"packagingVersion":"4.0","name":"a","version":"1","description":"d","tags":[]})"},
      {"config.json", R"({"type":"object"})"},
      {"marathon.json.mustache", R"({"id":"a"})"}};
  const auto document = assemble_package(files, 3).value();
  const Package read = read_package(document).value();
  EXPECT_EQ(read.release, 3);
  EXPECT_TRUE(read.has_app);
  EXPECT_TRUE(read.has_options);
  EXPECT_EQ(assemble_package({}, 0).error().message, "package.json is missing");
  EXPECT_EQ(assemble_package({{"package.json", "{}"}, {"config.json", "["}}, 0).error().message.substr(0, 12),
            "config.json:");
}

TEST(Catalog, takes_the_first_repository_and_the_highest_release) {
  const Catalog catalog = catalog_of({{package("a", "1", 1), package("a", "2", 5)},
                                      {package("a", "3", 9), package("a", "1", 20), package("b", "1", 0)}});
  std::vector<std::string> versions;
  for (const auto& entry : *catalog.versions("a")) versions.push_back(entry.package->version + "@" + entry.uri);
  EXPECT_EQ(versions, (std::vector<std::string>{"2@http://r0", "1@http://r0", "3@http://r1"}));
  EXPECT_EQ((*find_package(catalog, "a", std::nullopt))->package->version, "2");
  EXPECT_EQ((*find_package(catalog, "a", "3"))->uri, "http://r1");
  EXPECT_EQ(find_package(catalog, "a", "9").refusal().message, "Version [9] of package [a] not found");
  EXPECT_EQ(find_package(catalog, "c", "9").refusal().message, "Package [c] not found");
  EXPECT_EQ(catalog.version_count(), 4u);
}

TEST(Catalog, is_searched_by_part_or_pattern) {
  const Catalog catalog = catalog_of({{package("redis", "1", 0), package("redis-tools", "1", 0, R"(,"selected":true)"),
                                       package("nginx", "1", 0)}});
  const auto names = [&](std::optional<std::string> query) {
    std::string out;
    for (Found entries : search(catalog, query)) out += entries->front().package->name + " ";
    return out;
  };
  EXPECT_EQ(names(std::nullopt), "redis-tools nginx redis ");
  EXPECT_EQ(names(""), "redis-tools nginx redis ");
  EXPECT_EQ(names("REDIS"), "redis-tools redis ");
  EXPECT_EQ(names("the ng"), "nginx ");
  EXPECT_EQ(names("t-nginx"), "nginx ");
  EXPECT_EQ(names("redis*"), "redis-tools redis ");
  EXPECT_EQ(names("*s"), "redis-tools redis ");
  EXPECT_EQ(names("REDIS*"), "");
  EXPECT_EQ(names("nothing"), "");
}

TEST(Catalog, tells_upgrades_and_downgrades) {
  const Catalog catalog = catalog_of({{package("a", "1", 1), package("a", "2", 2, R"(,"upgradesFrom":["1"],"downgradesTo":["1"])"),
                                       package("a", "3", 3, R"(,"upgradesFrom":["*"],"downgradesTo":["*"])")}});
  const auto version = [&](const char* v) { return *(*find_package(catalog, "a", v))->package; };
  EXPECT_EQ(upgrades_to(catalog, version("1")), (std::vector<std::string>{"3", "2"}));
  EXPECT_EQ(upgrades_to(catalog, version("3")), (std::vector<std::string>{}));
  EXPECT_EQ(downgrades_to(catalog, version("2")), (std::vector<std::string>{"1"}));
  EXPECT_EQ(downgrades_to(catalog, version("3")), (std::vector<std::string>{"2", "1"}));
}

TEST(Wildcards, match_whole_texts) {
  EXPECT_TRUE(matches_wildcard("a*c", "abc"));
  EXPECT_TRUE(matches_wildcard("*", ""));
  EXPECT_TRUE(matches_wildcard("a**b*", "axxbyy"));
  EXPECT_FALSE(matches_wildcard("a*c", "abcd"));
  EXPECT_FALSE(matches_wildcard("", "a"));
}

}  // namespace
}  // namespace universe
