#include "base/http/message.hpp"

#include <gtest/gtest.h>

namespace base::http {
namespace {

TEST(Headers, compare_names_without_case_and_keep_their_order) {
  Headers headers{{"A", "1"}, {"b", "2"}, {"a", "3"}};
  EXPECT_EQ(headers.get("a"), "1");
  EXPECT_EQ(headers.get_or("c", "none"), "none");
  headers.set("A", "9");
  EXPECT_EQ(headers.all().size(), 2U);
  EXPECT_EQ(headers.get("A"), "9");
  headers.remove("B");
  EXPECT_FALSE(headers.has("b"));
}

TEST(Queries, are_decoded_in_order) {
  Query query = Query::parse("a=1&b=x%20y+z&a=2&flag&=empty&&c=%zz");
  EXPECT_EQ(query.get("a"), "1");
  EXPECT_EQ(query.all("a"), (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(query.get("b"), "x y z");
  EXPECT_EQ(query.get("flag"), "");
  EXPECT_EQ(query.get("c"), "%zz");
  EXPECT_FALSE(query.has("d"));
}

TEST(Responses, take_status_and_text_from_an_error) {
  Response response = Response::from(not_found("no app /x"));
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, "no app /x");
}

}  // namespace
}  // namespace base::http
