#include "base/http/help.hpp"

#include <gtest/gtest.h>

namespace base::http {
namespace {

Response ask(const std::string& path, const std::string& accept = "*/*") {
  Router router;
  const Handler nothing = [](Request, Responder) {};
  router.add("GET", "/state", "all of it", nothing);
  router.add("*", "/master/state", "all of it", nothing);
  router.add("*", "/master/state-summary", "counts <of> it", nothing);
  Request request;
  request.path = path;
  request.headers.set("Accept", accept);
  return help_page(router, request, "Endpoints");
}

TEST(Help, is_made_from_the_routes) {
  const auto all = ask("/help");
  EXPECT_EQ(all.status, 200);
  EXPECT_EQ(all.body,
            "Endpoints\n\n/master/state\n    all of it\n/master/state-summary\n    counts <of> it\nGET /state\n    all of it\n");
  EXPECT_EQ(ask("/help/master/state").body, "Endpoints\n\n/master/state\n    all of it\n");
  EXPECT_EQ(ask("/help/master/").body.find("GET /state"), std::string::npos);
  EXPECT_EQ(ask("/help/nothing").status, 404);
  EXPECT_EQ(ask("/help/mas").status, 404);
}

TEST(Help, is_a_page_for_browsers) {
  const auto page = ask("/help", "text/html,application/xhtml+xml,*/*;q=0.8");
  EXPECT_EQ(page.headers.get_or("Content-Type", ""), "text/html; charset=utf-8");
  EXPECT_NE(page.body.find("<a href=\"/help/master/state\">"), std::string::npos) << page.body;
  EXPECT_NE(page.body.find("counts &lt;of&gt; it"), std::string::npos) << page.body;
}

}  // namespace
}  // namespace base::http
