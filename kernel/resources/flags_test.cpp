#include <gtest/gtest.h>

#include "kernel/api/mesos/v1/values.pb.h"
#include "kernel/resources/attributes.hpp"
#include "kernel/resources/parse.hpp"
#include "kernel/resources/summary.hpp"

namespace resources {
namespace {

std::string error_of(std::string_view text) {
  auto parsed = parse_resources(text);
  return parsed ? "no error: " + parsed->resources.text() : parsed.error().message;
}

TEST(ResourcesFlag, reads_the_text_form) {
  auto parsed = parse_resources("cpus:8;mem:1024; ports:[31000-32000, 40000-40010];disk(role):100;bugs(a/b):{y,x};gpus:0");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->resources.text(),
            "bugs(reservations: [(STATIC,a/b)]):{x, y}; cpus:8; disk(reservations: [(STATIC,role)]):100; mem:1024; "
            "ports:[31000-32000, 40000-40010]");
  EXPECT_EQ(parsed->names, (std::vector<std::string>{"bugs", "cpus", "disk", "gpus", "mem", "ports"}));
}

TEST(ResourcesFlag, gives_entries_without_a_role_to_the_default_role) {
  auto parsed = parse_resources("cpus:8;mem(*):1", "ops");
  EXPECT_EQ(parsed->resources.text(), "cpus(reservations: [(STATIC,ops)]):8; mem:1");
}

TEST(ResourcesFlag, says_what_is_wrong) {
  EXPECT_EQ(error_of("cpus"), "Bad value for resources, missing or extra ':' in cpus");
  EXPECT_EQ(error_of("cpus:1:2"), "Bad value for resources, missing or extra ':' in cpus:1:2");
  EXPECT_EQ(error_of("cpus(a:1"), "Bad value for resources, mismatched parentheses in cpus(a:1");
  EXPECT_EQ(error_of("cpus:many"), "Bad type for resource cpus value many type TEXT");
  EXPECT_EQ(error_of("cpus:-1"), "Bad type for resource cpus value -1 type TEXT");
  EXPECT_EQ(error_of("ports:[1-2"), "Failed to parse resource ports value [1-2 error Mismatched brackets");
  EXPECT_EQ(error_of("ports:[1]"), "Failed to parse resource ports value [1] error Expecting one or more \"ranges\"");
  EXPECT_EQ(error_of("ports:[a-b]"),
            "Failed to parse resource ports value [a-b] error Expecting non-negative integers in 'a-b'");
  EXPECT_EQ(error_of("ports:[5-1]"),
            "Failed to parse resource ports value [5-1] error Invalid ranges resource: begin > end");
  EXPECT_EQ(error_of("cpus:1;cpus:[1-2]"),
            "Resources with the same name ('cpus') but different types are not allowed");
  EXPECT_EQ(error_of("cpus(/a):1"), "Role '/a' cannot start with a slash");
  EXPECT_EQ(error_of("cpus:nan"), "Bad type for resource cpus value nan type TEXT");
}

TEST(ResourcesFlag, reads_the_json_form) {
  auto parsed = parse_resources(R"([
    {"name":"cpus","type":"SCALAR","scalar":{"value":2.5}},
    {"name":"mem","type":"SCALAR","scalar":{"value":64},"role":"web"},
    {"name":"gpus","type":"SCALAR","scalar":{"value":0}},
    {"name":"disk","type":"SCALAR","scalar":{"value":100},
     "disk":{"source":{"type":"MOUNT","mount":{"root":"/mnt/a"}}}}])");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->resources.text(), "cpus:2.5; disk[MOUNT:/mnt/a]:100; mem(reservations: [(STATIC,web)]):64");
  EXPECT_EQ(parsed->names, (std::vector<std::string>{"cpus", "disk", "gpus", "mem"}));
}

TEST(ResourcesFlag, refuses_in_json_what_a_command_line_may_not_have) {
  EXPECT_EQ(error_of(R"([{"name":"cpus","type":"SCALAR","scalar":{"value":1},"revocable":{}}])"),
            "Revocable resources cannot be specified at the command line; do not include a 'revocable' key in the "
            "resources JSON");
  EXPECT_EQ(error_of(R"([{"name":"disk","type":"SCALAR","scalar":{"value":1},"role":"a",
                          "disk":{"persistence":{"id":"x"}}}])"),
            "Persistent volumes cannot be specified at the command line");
  EXPECT_NE(error_of(R"([{"name":"cpus","type":"SCALAR","scalar":{"value":1},
                          "reservations":[{"type":"DYNAMIC","role":"a"}]}])").find("Dynamic reservations"),
            std::string::npos);
  EXPECT_NE(error_of(R"([{"name":"cpus"}])").find("Some JSON resources were not formatted properly"), std::string::npos);
  EXPECT_NE(error_of("[").find("Some JSON resources were not formatted properly"), std::string::npos);
}

TEST(Detection, fills_in_what_the_flag_does_not_name) {
  constexpr uint64_t kGiB = uint64_t{1} << 30;
  const Machine machine{4, 8 * kGiB, 100 * kGiB};
  EXPECT_EQ(with_detected({}, machine).text(), "cpus:4; disk:97280; mem:7168; ports:[31000-32000]");
  const Machine small{2, kGiB, 6 * kGiB};
  EXPECT_EQ(with_detected({}, small).text(), "cpus:2; disk:3072; mem:512; ports:[31000-32000]");
  EXPECT_EQ(with_detected({}, Machine{}).text(), "cpus:1; disk:10240; mem:1024; ports:[31000-32000]");
  EXPECT_EQ(with_detected(*parse_resources("cpus:0;mem:64"), machine).text(), "disk:97280; mem:64; ports:[31000-32000]");
  EXPECT_EQ(with_detected(*parse_resources("disk:1;mem:1;ports:[1-2]"), machine, "ops").text(),
            "cpus(reservations: [(STATIC,ops)]):4; disk:1; mem:1; ports:[1-2]");
}

TEST(Attributes, are_numbers_ranges_or_text) {
  auto parsed = parse_attributes("rack:abc;zone:us-east;floor:4;ports:[1-2];url:http://a:80;rack:def");
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed->size(), 6u);
  EXPECT_EQ((*parsed)[2].type, Attribute::Type::Scalar);
  EXPECT_EQ((*parsed)[3].type, Attribute::Type::Ranges);
  EXPECT_EQ(value_text((*parsed)[4]), "http://a:80");
  for (const Attribute& attribute : *parsed) EXPECT_EQ(from_proto(to_proto(attribute)), attribute);
  EXPECT_FALSE(parse_attributes("rack"));
  EXPECT_FALSE(parse_attributes("rack:"));
  EXPECT_FALSE(parse_attributes(":x"));
  EXPECT_FALSE(parse_attributes("a:{x,y}"));
  EXPECT_TRUE(parse_attributes("")->empty());
}

TEST(Summaries, always_have_the_four_well_known_names) {
  std::string shown;
  for (const SummaryField& field : summary(must_parse("cpus:1.5;cpus(web):1;ports:[31000-32000];x:{a,b};bw:3"))) {
    shown += field.name + "=";
    if (auto* number = std::get_if<double>(&field.value)) shown += std::to_string(*number).substr(0, 3);
    if (auto* text = std::get_if<std::string>(&field.value)) shown += *text;
    shown += " ";
  }
  EXPECT_EQ(shown, "cpus=2.5 gpus=0.0 mem=0.0 disk=0.0 bw=3.0 ports=[31000-32000] x={a, b} ");
}

}  // namespace
}  // namespace resources
