#include "base/http/router.hpp"

#include <gtest/gtest.h>

#include "base/http/client.hpp"

namespace base::http {
namespace {

/// A server whose handlers tell which route was taken.
class Routes : public ::testing::Test {
 protected:
  void add(const std::string& method, const std::string& pattern, bool streams = false) {
    router_.add(method, pattern, "", [=](Request request, Responder responder) {
      std::string text = method + " " + pattern;
      for (const auto& [name, value] : request.parameters) text += " " + name + "=" + value;
      if (!request.rest.empty()) text += " rest=" + request.rest;
      responder.reply(Response::text(200, text));
    }, streams);
  }

  Response ask(const std::string& method, const std::string& target) {
    Loop loop;
    Server server(loop, {}, [this](Request request, Responder responder) {
      router_.handle(std::move(request), std::move(responder));
    });
    ClientRequest request;
    request.method = method;
    request.url.host = "127.0.0.1";
    request.url.port = server.listen("127.0.0.1", 0).value();
    request.url.target = target;
    Client client(loop);
    Response response;
    client.request(request, [&](Result<Response> answer) {
      EXPECT_TRUE(answer.has_value()) << answer.error().message;
      if (answer) response = *answer;
      loop.stop();
    });
    loop.run();
    return response;
  }

  Router router_;
};

TEST_F(Routes, prefer_the_most_specific_pattern) {
  add("GET", "/v2/apps/{id...}");
  add("GET", "/v2/apps");
  add("GET", "/v2/apps/{id...}/versions");
  add("GET", "/v2/apps/{id...}/versions/{version}");
  add("GET", "/v2/{kind}/list");
  add("GET", "/");
  EXPECT_EQ(ask("GET", "/v2/apps").body, "GET /v2/apps");
  EXPECT_EQ(ask("GET", "/v2/apps/").body, "GET /v2/apps");
  EXPECT_EQ(ask("GET", "/v2/apps/a/b").body, "GET /v2/apps/{id...} id=a/b rest=a/b");
  EXPECT_EQ(ask("GET", "/v2/apps//a").body, "GET /v2/apps/{id...} id=a rest=a");
  EXPECT_EQ(ask("GET", "/v2/apps/a/b/versions").body, "GET /v2/apps/{id...}/versions id=a/b");
  EXPECT_EQ(ask("GET", "/v2/apps/a/versions/3").body,
            "GET /v2/apps/{id...}/versions/{version} id=a version=3");
  EXPECT_EQ(ask("GET", "/v2/apps/versions").body, "GET /v2/apps/{id...} id=versions rest=versions");
  EXPECT_EQ(ask("GET", "/v2/x/list").body, "GET /v2/{kind}/list kind=x");
  EXPECT_EQ(ask("GET", "/").body, "GET /");
  EXPECT_EQ(ask("GET", "/v2/%61pps").body, "GET /v2/apps");
  EXPECT_EQ(ask("GET", "/v2/x%2Fy%20z/list").body, "GET /v2/{kind}/list kind=x/y z");
}

TEST_F(Routes, answer_404_and_405_themselves) {
  add("GET", "/a/{x}");
  add("PUT", "/a/{x}");
  add("POST", "/b");
  EXPECT_EQ(ask("GET", "/c").status, 404);
  EXPECT_EQ(ask("GET", "/a").status, 404);
  Response refused = ask("DELETE", "/a/1");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.headers.get("Allow"), "GET, HEAD, PUT");
  EXPECT_EQ(ask("GET", "/b").headers.get("Allow"), "POST");
  EXPECT_EQ(ask("HEAD", "/a/1").status, 200);
  router_.set_fallback([](Request, Responder responder) { responder.reply(Response::text(418, "")); });
  EXPECT_EQ(ask("GET", "/c").status, 418);
}

TEST_F(Routes, may_take_every_method) {
  add("*", "/p/{rest...}", true);
  add("GET", "/p/{rest...}");
  add("GET", "/p/x");
  EXPECT_EQ(ask("GET", "/p/y").body, "GET /p/{rest...} rest=y rest=y");
  EXPECT_EQ(ask("POST", "/p/x").body, "* /p/{rest...} rest=x rest=x");
  EXPECT_EQ(ask("PURGE", "/p/a/b").body, "* /p/{rest...} rest=a/b rest=a/b");
  Request head;
  head.method = "POST";
  head.path = "/p/q";
  EXPECT_TRUE(router_.streams_body(head));
  head.method = "GET";
  EXPECT_FALSE(router_.streams_body(head));
}

}  // namespace
}  // namespace base::http
