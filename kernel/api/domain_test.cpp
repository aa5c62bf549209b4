#include "kernel/api/domain.hpp"

#include <gtest/gtest.h>

namespace api {
namespace {

TEST(Domain, is_read_from_a_flag) {
  const auto domain = parse_domain(R"({"fault_domain":{"region":{"name":"eu"},"zone":{"name":"a"}}})");
  ASSERT_TRUE(domain) << domain.error().message;
  EXPECT_EQ(domain->fault_domain().region().name(), "eu");
  EXPECT_EQ(domain->fault_domain().zone().name(), "a");
}

TEST(Domain, that_is_wrong_is_named) {
  const std::pair<const char*, const char*> cases[] = {
      {"eu", ""},
      {"[]", "must be an object"},
      {"{}", "/fault_domain is missing"},
      {R"({"fault_domain":1})", "/fault_domain must be an object"},
      {R"({"fault_domain":{}})", "/fault_domain/region is missing"},
      {R"({"fault_domain":{"region":{"name":"eu"}}})", "/fault_domain/zone is missing"},
      {R"({"fault_domain":{"region":{},"zone":{"name":"a"}}})", "/fault_domain/region/name"},
      {R"({"fault_domain":{"region":{"name":""},"zone":{"name":"a"}}})", "/fault_domain/region/name must not be empty"},
      {R"({"fault_domain":{"region":{"name":7},"zone":{"name":"a"}}})", "/fault_domain/region/name"},
      {R"({"fault_domain":{"region":{"name":"eu"},"zone":{"name":"a"}},"rack":"r"})", "/rack is not known"},
      {R"({"fault_domain":{"region":{"name":"eu","x":1},"zone":{"name":"a"}}})", "/fault_domain/region/x is not known"},
  };
  for (const auto& [text, words] : cases) {
    const auto domain = parse_domain(text);
    ASSERT_FALSE(domain) << text;
    EXPECT_NE(domain.error().message.find(words), std::string::npos) << domain.error().message;
  }
}

}  // namespace
}  // namespace api
