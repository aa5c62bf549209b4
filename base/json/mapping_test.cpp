#include "base/json/mapping.hpp"

#include <gtest/gtest.h>

namespace sample {

enum class Mode { ReadOnly, ReadWrite, HTTP };
BOOST_DESCRIBE_ENUM(Mode, ReadOnly, ReadWrite, HTTP)
base::json::EnumNaming json_enum_naming(const Mode*) {
  return base::json::EnumNaming::UpperSnake;
}

enum class Plain { one, two };
BOOST_DESCRIBE_ENUM(Plain, one, two)

struct Volume {
  std::string container_path;
  std::optional<std::string> host_path;
  Mode mode = Mode::ReadOnly;
  bool operator==(const Volume&) const = default;
};
BOOST_DESCRIBE_STRUCT(Volume, (), (container_path, host_path, mode))
const base::json::StructOptions& json_options(const Volume*) {
  static const base::json::StructOptions options{
      .naming = base::json::Naming::Camel,
      .unknown = base::json::Unknown::Error,
      .fields = {{.member = "container_path", .required = true}}};
  return options;
}

struct App {
  std::string id;
  double cpus = 0.1;
  int32_t instances = 1;
  uint16_t port = 0;
  bool on = true;
  std::vector<Volume> volumes;
  std::map<std::string, std::string> labels;
  std::set<std::string> roles;
  std::optional<std::vector<int64_t>> ports;
  std::vector<App> children;
  Plain plain = Plain::two;
  base::json::Raw anything;
  std::string old;
  base::json::Rest rest;
};
BOOST_DESCRIBE_STRUCT(App, (),
                      (id, cpus, instances, port, on, volumes, labels, roles, ports, children,
                       plain, anything, old, rest))
const base::json::StructOptions& json_options(const App*) {
  static const base::json::StructOptions options{
      .fields = {{.member = "id", .name = "ID", .aliases = {"name"}, .required = true},
                 {.member = "labels", .omit_empty = true},
                 {.member = "roles", .omit_empty = true},
                 {.member = "children", .omit_empty = true},
                 {.member = "old", .read_only = true}}};
  return options;
}

struct Named : Volume {
  int64_t extra = 0;
};
BOOST_DESCRIBE_STRUCT(Named, (Volume), (extra))

}  // namespace sample

namespace base::json {
namespace {

using sample::App;

TEST(Mapping, keeps_initial_values_of_absent_and_null_fields) {
  const auto app = parse_as<App>(R"({"ID":"/a","cpus":null,"ports":null})");
  ASSERT_TRUE(app);
  EXPECT_EQ(
      to_json(*app),
      R"({"ID":"/a","cpus":0.1,"instances":1,"port":0,"on":true,"volumes":[],"plain":"two","anything":null})");
}

TEST(Mapping, reads_and_writes_every_type) {
  const std::string text =
      R"({"ID":"/a","cpus":2.0,"instances":-3,"port":65535,"on":false,)"
      R"("volumes":[{"containerPath":"/x","mode":"READ_WRITE"},{"containerPath":"/y","hostPath":"/z","mode":"HTTP"}],)"
      R"("labels":{"k":"v"},"roles":["a","b"],"ports":[1,2],)"
      R"("children":[{"ID":"/a/b","cpus":0.1,"instances":1,"port":0,"on":true,"volumes":[],"plain":"one","anything":null}],)"
      R"("plain":"one","anything":{"x":[1.5,null]},"more":[1],"other":{"a":true}})";
  const auto app = parse_as<App>(text);
  ASSERT_TRUE(app) << app.error().message;
  EXPECT_EQ(to_json(*app), text);
}

TEST(Mapping, reads_older_names_and_does_not_write_read_only_fields) {
  const auto app = parse_as<App>(R"({"name":"/a","old":"x"})");
  ASSERT_TRUE(app);
  EXPECT_EQ(app->id, "/a");
  EXPECT_EQ(app->old, "x");
  EXPECT_EQ(to_json(*app).find("old"), std::string::npos);
}

TEST(Mapping, collects_all_problems_with_pointers) {
  App app;
  std::vector<Problem> problems;
  ASSERT_TRUE(read_text(R"({"cpus":"a","instances":2147483648,"port":-1,"on":1,"labels":{"a/b":3},
      "volumes":[{"containerPath":"/x"},{"mode":"RX","nope":1},7],"ports":{},"children":[{"ID":null}]})",
                        app, problems));
  const std::vector<Problem> expected{
      {"/cpus", "must be a number, not a string"},
      {"/instances", "must be a whole number from -2147483648 to 2147483647, not 2147483648"},
      {"/port", "must be a whole number from 0 to 65535, not -1"},
      {"/on", "must be a boolean, not 1"},
      {"/labels/a~1b", "must be a string, not 3"},
      {"/volumes/1/mode", "must be one of \"READ_ONLY\", \"READ_WRITE\", \"HTTP\", not \"RX\""},
      {"/volumes/1/nope", "is not a known field"},
      {"/volumes/1/containerPath", "is required"},
      {"/volumes/2", "must be an object, not 7"},
      {"/ports", "must be an array, not an object"},
      {"/children/0/ID", "is required"},
      {"/ID", "is required"}};
  ASSERT_EQ(problems.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(problems[i].pointer, expected[i].pointer);
    EXPECT_EQ(problems[i].message, expected[i].message);
  }
}

TEST(Mapping, puts_all_problems_into_one_error) {
  const auto app = parse_as<App>(R"({"cpus":"a"})");
  ASSERT_FALSE(app);
  EXPECT_EQ(app.error().code, Code::Unprocessable);
  EXPECT_EQ(app.error().message, "/cpus must be a number, not a string; /ID is required");
  EXPECT_EQ(parse_as<App>("[]").error().message, "the document must be an object, not an array");
  EXPECT_EQ(parse_as<App>("[").error().code, Code::InvalidArgument);
}

TEST(Mapping, includes_members_and_options_of_bases) {
  const auto named = parse_as<sample::Named>(R"({"containerPath":"/x","extra":3})");
  ASSERT_TRUE(named) << named.error().message;
  EXPECT_EQ(to_json(*named), R"({"containerPath":"/x","mode":"READ_ONLY","extra":3})");
}

TEST(Mapping, maps_containers_at_the_top) {
  const auto numbers = parse_as<std::vector<int>>("[1,2]");
  ASSERT_TRUE(numbers);
  EXPECT_EQ(*numbers, (std::vector<int>{1, 2}));
  EXPECT_EQ(parse_as<std::vector<int>>(R"([1,"x"])").error().message,
            "/1 must be a whole number from -2147483648 to 2147483647, not a string");
}

}  // namespace
}  // namespace base::json
