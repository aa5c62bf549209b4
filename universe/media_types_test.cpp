#include "universe/media_types.hpp"

#include <gtest/gtest.h>

namespace universe {
namespace {

const std::vector<std::string> kDescribe = {media_type("package", "describe-response", 3),
                                            media_type("package", "describe-response", 2)};

/// The version that is chosen, or "none", or "malformed".
std::string chosen(std::string_view accept) {
  const auto wanted = parse_accept(accept);
  if (!wanted) return "malformed";
  const auto index = negotiate(*wanted, kDescribe);
  return !index ? "none" : *index == 0 ? "v3" : "v2";
}

TEST(MediaTypes, are_chosen_by_quality_then_exactness_then_order) {
  struct Case {
    const char *accept, *answer;
  };
  constexpr Case kCases[] = {
      {"application/vnd.dcos.package.describe-response+json;charset=utf-8;version=v3", "v3"},
      {"application/vnd.dcos.package.describe-response+json;charset=utf-8;version=v2", "v2"},
      {"application/vnd.dcos.package.describe-response+json;version=v2", "v2"},
      {"Application/VND.dcos.package.describe-response+json; Charset=UTF-8; Version=v2", "v2"},
      {"application/vnd.dcos.package.describe-response+json", "v3"},
      {"application/vnd.dcos.package.describe-response+json;version=v9", "none"},
      {"application/vnd.dcos.package.describe-response+json;version=v3;q=0.5,"
       "application/vnd.dcos.package.describe-response+json;version=v2;q=0.6",
       "v2"},
      {"application/vnd.dcos.package.describe-response+json;version=v3;q=0,"
       "application/vnd.dcos.package.describe-response+json;version=v2",
       "v2"},
      {"application/vnd.dcos.package.describe-response+json;version=v3;q=0", "none"},
      {"application/vnd.dcos.package.describe-response+json;version=v2,"
       "application/vnd.dcos.package.error+json;charset=utf-8;version=v1",
       "v2"},
      {"text/html", "none"},
      {"application/json", "v3"},
      {"*/*", "v3"},
      {"application/*;q=0.1", "v3"},
      {"application/json;q=0.5, application/vnd.dcos.package.describe-response+json;version=v2", "v2"},
      {"", "malformed"},
      {"nonsense", "malformed"},
      {"application/json;q=2", "malformed"},
      {"application/json;=x", "malformed"},
  };
  for (const Case& c : kCases) EXPECT_EQ(chosen(c.accept), c.answer) << c.accept;
}

TEST(MediaTypes, of_requests_may_be_the_exact_one_or_plain_json) {
  const std::string expected = media_type("package", "list-request", 1);
  const auto is = [&](std::string_view text) { return is_content(parse_media_type(text).value(), expected); };
  EXPECT_TRUE(is(expected));
  EXPECT_TRUE(is("application/json"));
  EXPECT_TRUE(is("application/json; charset=utf-8"));
  EXPECT_TRUE(is("application/vnd.dcos.package.list-request+json;version=v1"));
  EXPECT_FALSE(is("application/vnd.dcos.package.list-request+json;version=v2"));
  EXPECT_FALSE(is("application/x-www-form-urlencoded"));
}

}  // namespace
}  // namespace universe
