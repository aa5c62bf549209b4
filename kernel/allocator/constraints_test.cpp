#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "kernel/allocator/testing.hpp"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"

namespace allocator {
namespace {

using Compiled = base::Result<std::shared_ptr<const OfferConstraints>>;

Compiled compile_groups(const std::string& groups, const OfferConstraints::Limits& limits = {}) {
  mesos::v1::scheduler::OfferConstraints proto;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "role_constraints { key: 'r' value { " + groups + " } }", &proto));
  return OfferConstraints::compile(proto, limits);
}

Compiled compile_one(const std::string& selector, const std::string& predicate) {
  return compile_groups("groups { attribute_constraints { selector { " + selector + " } predicate { " + predicate +
                        " } } }");
}

bool admits(const std::string& selector, const std::string& predicate) {
  Compiled compiled = compile_one(selector, predicate);
  EXPECT_TRUE(compiled) << compiled.error().message;
  const std::string hostname = "node-7.example";
  const auto attributes = *resources::parse_attributes("rack:r1;rack:r2;floor:4;ports:[1-2]");
  const std::optional<std::string> region = "eu", zone;
  return (*compiled)->admits("r", AgentView{hostname, attributes, region, zone});
}

TEST(Constraints, test_attributes) {
  const std::string rack = "attribute_name: 'rack'", floor = "attribute_name: 'floor'", none = "attribute_name: 'none'";
  const std::vector<std::tuple<std::string, std::string, bool>> cases = {
      {rack, "exists { }", true},
      {none, "exists { }", false},
      {rack, "not_exists { }", false},
      {none, "not_exists { }", true},
      {floor, "exists { }", true},
      {rack, "text_equals { value: 'r1' }", true},
      {rack, "text_equals { value: 'r2' }", false},  // only the first counts
      {none, "text_equals { value: 'r1' }", false},
      {rack, "text_not_equals { value: 'r1' }", false},
      {none, "text_not_equals { value: 'r1' }", true},
      {floor, "text_equals { value: '5' }", true},
      {floor, "text_not_equals { value: '4' }", true},
      {"attribute_name: 'ports'", "text_matches { regex: 'x' }", true},
      {rack, "text_matches { regex: 'r.' }", true},
      {rack, "text_matches { regex: 'r' }", false},  // the whole value
      {none, "text_matches { regex: '.*' }", false},
      {rack, "text_not_matches { regex: 'r[2-9]' }", true},
      {none, "text_not_matches { regex: '.*' }", true},
      {"pseudoattribute_type: HOSTNAME", "text_matches { regex: 'node-\\\\d+\\\\.example' }", true},
      {"pseudoattribute_type: REGION", "text_equals { value: 'eu' }", true},
      {"pseudoattribute_type: ZONE", "exists { }", false},
      {"pseudoattribute_type: ZONE", "text_not_equals { value: 'a' }", true},
  };
  for (const auto& [selector, predicate, expected] : cases) {
    EXPECT_EQ(admits(selector, predicate), expected) << selector << " " << predicate;
  }
}

TEST(Constraints, are_any_group_of_all_constraints) {
  const std::string a = "attribute_constraints { selector { attribute_name: 'a' } predicate { exists { } } } ";
  const std::string b = "attribute_constraints { selector { attribute_name: 'b' } predicate { exists { } } } ";
  const std::string c = "attribute_constraints { selector { attribute_name: 'c' } predicate { exists { } } } ";
  auto compiled = *compile_groups("groups { " + a + b + " } groups { " + c + " }");
  const std::string hostname;
  const std::optional<std::string> none;
  const auto admitted = [&](const char* text) {
    const auto attributes = *resources::parse_attributes(text);
    return compiled->admits("r", AgentView{hostname, attributes, none, none});
  };
  EXPECT_TRUE(admitted("a:x;b:x"));
  EXPECT_FALSE(admitted("a:x"));
  EXPECT_TRUE(admitted("c:x"));
  EXPECT_TRUE(compiled->admits("unconstrained", AgentView{hostname, {}, none, none}));
}

TEST(Constraints, that_are_not_valid_are_refused) {
  EXPECT_FALSE(compile_groups(""));
  EXPECT_FALSE(compile_groups("groups { }"));
  EXPECT_FALSE(compile_one("", "exists { }"));
  EXPECT_FALSE(compile_one("pseudoattribute_type: UNKNOWN", "exists { }"));
  EXPECT_FALSE(compile_one("attribute_name: 'a'", ""));
  EXPECT_FALSE(compile_one("attribute_name: 'a'", "text_matches { regex: '(' }"));
  EXPECT_FALSE(compile_one("attribute_name: 'a'", "text_matches { regex: '((a{100}){100}){100}' }"));
  EXPECT_FALSE(compile_one("attribute_name: 'a'", "text_matches { regex: '" + std::string(5000, 'a') + "' }"));
}

TEST(Constraints, may_cost_what_the_operator_says) {
  const std::string matches = "groups { attribute_constraints { selector { attribute_name: 'a' } predicate { text_matches { regex: '";
  const std::string long_one = matches + std::string(200, 'a') + "' } } } }";
  EXPECT_FALSE(compile_groups(long_one));
  EXPECT_FALSE(compile_groups(long_one, {.memory_bytes = 512, .program_size = 1000}));
  EXPECT_TRUE(compile_groups(long_one, {.memory_bytes = 1 << 20, .program_size = 1000}));
  EXPECT_TRUE(compile_groups(matches + "rack-[0-9]+' } } } }"));
}

TEST(Constraints, decide_what_is_offered) {
  testing::Cluster c;
  FrameworkConfig config;
  config.constraints = *compile_one("attribute_name: 'rack'", "text_equals { value: 'r1' }");
  c.framework("f", {"r"}, config);
  AgentConfig one, two;
  one.attributes = *resources::parse_attributes("rack:r1");
  two.attributes = *resources::parse_attributes("rack:r2");
  c.agent("a1", "cpus:1;mem:100", one);
  c.agent("a2", "cpus:1;mem:100", two);
  ASSERT_EQ(c.allocate().size(), 1u);
  EXPECT_EQ(c.offers[0].agent, "a1");
  EXPECT_EQ(c.allocator.explain("f", c.now)->roles[0].excluded.at("constraints"), std::vector<std::string>{"a2"});
  c.framework("f2", {"r"});
  EXPECT_EQ(c.allocate().size(), 1u);
  c.allocator.remove_framework("f2");
  config.constraints = nullptr;
  config.roles = {"r"};
  c.allocator.update_framework("f", config);
  EXPECT_EQ(c.allocate().size(), 1u);
}

}  // namespace
}  // namespace allocator
