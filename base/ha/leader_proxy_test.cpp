#include "base/ha/leader_proxy.hpp"

#include <gtest/gtest.h>

namespace base::ha {
namespace {

using http::Request;
using http::Responder;
using http::Response;

/// A process that does not lead in front of one that does, on one loop.
class LeaderProxyTest : public ::testing::Test {
 protected:
  LeaderProxyTest()
      : leader(loop, {}, [this](Request request, Responder responder) { serve(std::move(request), responder); }),
        standby(loop, {}, [this](Request request, Responder responder) {
          proxy->handle(std::move(request), std::move(responder));
        }),
        client(loop) {
    leader_port = leader.listen("127.0.0.1", 0).value();
    port = standby.listen("127.0.0.1", 0).value();
    LeaderProxy::Options options;
    options.self = "standby:8080";
    options.wait = milliseconds(300);
    options.head_timeout = seconds(30);
    make(options);
    elsewhere = "http://127.0.0.1:" + std::to_string(leader_port);
  }

  void make(const LeaderProxy::Options& options) {
    LeaderProxy::Callbacks callbacks;
    callbacks.leading = [this] { return leading; };
    callbacks.elsewhere = [this] { return elsewhere; };
    callbacks.serve = [](const Request& request, const Responder& responder) {
      responder.reply(Response::text(200, "served here: " + request.target));
    };
    callbacks.refuse = [](int status, const std::string& message) { return Response::text(status, message); };
    proxy = std::make_unique<LeaderProxy>(loop, options, std::move(callbacks));
  }

  void serve(Request request, const Responder& responder) {
    seen.push_back(request);
    if (request.path == "/silent") return held.push_back(responder);
    Response response = Response::text(request.path == "/missing" ? 404 : 200, request.body);
    response.headers.set("X-Marathon-Leader", "http://leader:8080");
    if (request.path == "/large") response.body.assign(5 << 20, 'x');
    if (request.path == "/stream") {
      stream = responder.stream(std::move(response));
      stream.write("one");
      return;
    }
    responder.reply(std::move(response));
  }

  Response ask(const std::string& method, const std::string& target, const std::string& body = "",
               http::Headers headers = {}) {
    http::ClientRequest request;
    request.method = method;
    request.url.host = "127.0.0.1";
    request.url.port = port;
    request.url.target = target;
    request.headers = std::move(headers);
    request.body = body;
    Response answer;
    answer.status = 0;
    client.request(std::move(request), [&](Result<Response> response) {
      EXPECT_TRUE(response) << response.error().message;
      if (response) answer = std::move(*response);
      loop.stop();
    });
    loop.run();
    return answer;
  }

  Loop loop;
  http::Server leader, standby;
  http::Client client;
  uint16_t leader_port = 0, port = 0;
  bool leading = false;
  std::optional<std::string> elsewhere;
  std::vector<Request> seen;
  std::vector<Responder> held;
  http::Stream stream;
  std::unique_ptr<LeaderProxy> proxy;
};

TEST_F(LeaderProxyTest, passes_requests_and_answers_on) {
  const auto answer = ask("PUT", "/v2/apps/%2Fa%2Fb?force=true", "body",
                          {{"Content-Type", "application/json"}, {"X-Forwarded-For", "10.0.0.1"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "body");
  EXPECT_EQ(answer.headers.get("X-Marathon-Leader"), "http://leader:8080");
  EXPECT_EQ(answer.headers.get("X-Marathon-Via"), "1.1 standby:8080");
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].method, "PUT");
  EXPECT_EQ(seen[0].target, "/v2/apps/%2Fa%2Fb?force=true");
  EXPECT_EQ(seen[0].body, "body");
  EXPECT_EQ(seen[0].headers.get("Content-Type"), "application/json");
  EXPECT_EQ(seen[0].headers.get("X-Marathon-Via"), "1.1 standby:8080");
  EXPECT_EQ(seen[0].headers.get("X-Forwarded-For"), "10.0.0.1,127.0.0.1");
  EXPECT_EQ(ask("GET", "/missing").status, 404);
  EXPECT_EQ(ask("HEAD", "/v2/apps").status, 200);
  EXPECT_EQ(ask("GET", "/large").body.size(), size_t{5} << 20);
}

TEST_F(LeaderProxyTest, headers_can_have_other_names_and_forms) {
  LeaderProxy::Options options;
  options.self = "standby:9000";
  options.via_header = "X-VIA";
  options.via_prefix = "";
  options.leader_header = "X-LEADER";
  make(options);
  const auto answer = ask("GET", "/v1/jobs");
  const std::string name = "127.0.0.1:" + std::to_string(leader_port);
  EXPECT_EQ(answer.headers.get("X-VIA"), "standby:9000");
  EXPECT_EQ(answer.headers.get("X-LEADER"), name);
  EXPECT_EQ(seen.at(0).headers.get("X-VIA"), "standby:9000");
  EXPECT_EQ(seen.at(0).headers.get("X-LEADER"), name);
  EXPECT_EQ(ask("GET", "/v1/jobs", "", {{"X-VIA", "standby:9000"}}).status, 502);
}

TEST_F(LeaderProxyTest, what_has_been_here_before_goes_no_further) {
  const auto answer = ask("GET", "/v2/apps", "", {{"X-Marathon-Via", "1.1 standby:8080"}});
  EXPECT_EQ(answer.status, 502);
  EXPECT_EQ(answer.body, "Detected proxying loop.");
  EXPECT_TRUE(seen.empty());
  EXPECT_EQ(ask("GET", "/v2/apps", "", {{"X-Marathon-Via", "1.1 other:8080"}}).status, 200);
}

TEST_F(LeaderProxyTest, waits_a_little_for_somebody_to_lead) {
  const auto leader_address = elsewhere;
  elsewhere.reset();
  const auto nobody = ask("GET", "/v2/apps");
  EXPECT_EQ(nobody.status, 503);
  EXPECT_EQ(nobody.body, "Could not determine the current leader");
  loop.after(milliseconds(20), [&] {
    elsewhere = leader_address;
    proxy->leader_changed();
  });
  EXPECT_EQ(ask("POST", "/v2/apps", "kept").body, "kept");
  elsewhere.reset();
  loop.after(milliseconds(20), [&] {
    leading = true;
    proxy->leader_changed();
  });
  EXPECT_EQ(ask("GET", "/v2/apps?x=1").body, "served here: /v2/apps?x=1");
}

TEST_F(LeaderProxyTest, a_leader_that_is_gone_or_silent_is_said_so) {
  LeaderProxy::Options options;
  options.self = "standby:8080";
  options.head_timeout = milliseconds(100);
  make(options);
  EXPECT_EQ(ask("GET", "/silent").status, 504);
  {
    http::Server closed(loop, {}, [](const Request&, const Responder&) {});
    elsewhere = "http://127.0.0.1:" + std::to_string(closed.listen("127.0.0.1", 0).value());
  }
  const auto answer = ask("GET", "/v2/apps");
  EXPECT_EQ(answer.status, 502);
  EXPECT_EQ(answer.body, "Connection to leader refused.");
}

TEST_F(LeaderProxyTest, streams_pass_piece_by_piece_and_are_cut_when_the_leader_is) {
  std::string got;
  bool ended = false;
  http::ClientRequest request;
  request.url.host = "127.0.0.1";
  request.url.port = port;
  request.url.target = "/stream";
  http::StreamCallbacks callbacks;
  callbacks.on_data = [&](std::string_view data) {
    got += data;
    if (got == "one") stream.write("two");
    if (got == "onetwo") stream.abort();
  };
  callbacks.on_end = [&](Status status) {
    EXPECT_FALSE(status);
    ended = true;
    loop.stop();
  };
  client.stream(std::move(request), std::move(callbacks));
  loop.run();
  EXPECT_EQ(got, "onetwo");
  EXPECT_TRUE(ended);
}

TEST_F(LeaderProxyTest, redirects_to_the_leader) {
  http::Server server(loop, {}, [this](Request r, Responder responder) { proxy->redirect(r, responder); });
  port = server.listen("127.0.0.1", 0).value();
  const auto answer = ask("GET", "/v2/events?event_type=a");
  EXPECT_EQ(answer.status, 302);
  EXPECT_EQ(answer.headers.get("Location"), *elsewhere + "/v2/events?event_type=a");
  elsewhere.reset();
  EXPECT_EQ(ask("GET", "/v2/events").status, 503);
}

}  // namespace
}  // namespace base::ha
