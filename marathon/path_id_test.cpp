#include "marathon/path_id.hpp"

#include <gtest/gtest.h>

namespace marathon {
namespace {

TEST(PathId, resolves_to_one_canonical_form) {
  EXPECT_EQ(resolve_path("a"), "/a");
  EXPECT_EQ(resolve_path("//a///b/"), "/a/b");
  EXPECT_EQ(resolve_path("Hello"), "/hello");
  EXPECT_EQ(resolve_path("../x", "/a/b"), "/a/x");
  EXPECT_EQ(resolve_path("../../../x", "/a"), "/x");
  EXPECT_EQ(resolve_path("./x", "/a"), "/a/x");
  EXPECT_EQ(resolve_path("/x", "/a"), "/x");
  EXPECT_EQ(resolve_path(""), "/");
}

TEST(PathId, elements_match_the_pattern) {
  for (const char* good : {"/a", "/a-b", "/1.2.3", "/a/b/c", "/x.y-z", "/"}) {
    EXPECT_TRUE(is_valid_path(good)) << good;
  }
  for (const char* bad : {"/a_b", "/-a", "/a-", "/a b", "/a..b", "/a.", "/\xc3\xa4", "/a%2fb"}) {
    EXPECT_FALSE(is_valid_path(bad)) << bad;
  }
}

TEST(PathId, relations) {
  EXPECT_EQ(parent_of("/a/b"), "/a");
  EXPECT_EQ(parent_of("/a"), "/");
  EXPECT_EQ(leaf_of("/a/b"), "b");
  EXPECT_TRUE(is_within("/a/b", "/a"));
  EXPECT_TRUE(is_within("/a", "/a"));
  EXPECT_FALSE(is_within("/ab", "/a"));
  EXPECT_TRUE(is_within("/ab", "/"));
}

TEST(PathId, other_spellings) {
  EXPECT_EQ(safe_id("/prod/web/api"), "prod_web_api");
  EXPECT_EQ(path_of_safe_id("prod_web_api"), "/prod/web/api");
  EXPECT_EQ(host_name("/prod/web/api"), "api.web.prod");
}

}  // namespace
}  // namespace marathon
