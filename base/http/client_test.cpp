#include "base/http/client.hpp"

#include <gtest/gtest.h>

#include "base/http/server.hpp"
#include "base/http/sse.hpp"
#include "base/random.hpp"
#include "base/testing/temporary_directory.hpp"

namespace base::http {
namespace {

/// Client and server on one loop.
class ClientTest : public ::testing::Test {
 protected:
  explicit ClientTest() {
    ServerOptions options;
    options.streams_body = [](const Request& head) { return head.path.starts_with("/stream"); };
    server_ = std::make_unique<Server>(loop_, options, [this](Request request, Responder responder) {
      handler_(std::move(request), std::move(responder));
    });
    port_ = server_->listen("127.0.0.1", 0).value();
    client_ = std::make_unique<Client>(loop_, options_);
    loop_.after(seconds(20), [this] { ADD_FAILURE() << "no end"; loop_.stop(); });
  }

  ClientRequest to(const std::string& target, const std::string& method = "GET") {
    ClientRequest request;
    request.method = method;
    request.url.host = "127.0.0.1";
    request.url.port = port_;
    request.url.target = target;
    return request;
  }

  Result<Response> ask(ClientRequest request) {
    Result<Response> result = internal("");
    client_->request(std::move(request), [&](Result<Response> answer) {
      result = std::move(answer);
      loop_.stop();
    });
    loop_.run();
    return result;
  }

  Loop loop_;
  ClientOptions options_;
  Handler handler_ = [](Request request, Responder responder) {
    responder.reply(Response::text(200, request.method + " " + request.target + " " + request.body));
  };
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
  uint16_t port_ = 0;
};

TEST_F(ClientTest, sends_a_request_and_gets_the_answer) {
  auto request = to("/a?b", "POST");
  request.body = "hello";
  auto answer = ask(request);
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "POST /a?b hello");
}

TEST_F(ClientTest, keeps_connections_and_opens_no_more_than_allowed) {
  options_.max_connections_per_host = 3;
  client_ = std::make_unique<Client>(loop_, options_);
  size_t most = 0;
  handler_ = [&](Request, Responder responder) {
    most = std::max(most, server_->connections());
    loop_.after(microseconds(100), [responder] { responder.reply(Response::text(200, "x")); });
  };
  int left = 50;
  for (int i = 0; i < 50; ++i) {
    client_->request(to("/"), [&](Result<Response> answer) {
      EXPECT_TRUE(answer.has_value());
      if (--left == 0) loop_.stop();
    });
  }
  loop_.run();
  EXPECT_EQ(most, 3U);
  EXPECT_EQ(server_->connections(), 3U);
}

TEST_F(ClientTest, never_calls_back_inside_the_call_that_started_it) {
  int called = 0;
  bool inside = true;
  auto count = [&](Result<Response>) {
    EXPECT_FALSE(inside);
    if (++called == 4) loop_.stop();
  };
  client_->request(to("/"), count);
  auto nowhere = to("/");
  nowhere.url.port = 1;
  client_->request(nowhere, count);
  auto bad = to("no path");
  client_->request(bad, count);
  auto socket = to("/");
  socket.url.scheme = "unix";
  socket.url.host = "/no/such/socket";
  client_->request(socket, count);
  inside = false;
  loop_.run();
}

TEST_F(ClientTest, says_that_it_cannot_connect) {
  auto request = to("/");
  request.url.port = 1;
  auto answer = ask(request);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Code::Unavailable);
  EXPECT_NE(answer.error().message.find("127.0.0.1:1: Connection refused"), std::string::npos);
}

TEST_F(ClientTest, resolves_names) {
  auto request = to("/");
  request.url.host = "localhost";
  EXPECT_TRUE(ask(request).has_value());
}

TEST_F(ClientTest, gives_up_after_the_timeout) {
  std::vector<Responder> waiting;
  handler_ = [&](Request, Responder responder) { waiting.push_back(responder); };
  auto request = to("/");
  request.timeout = milliseconds(20);
  auto answer = ask(request);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Code::Timeout);
}

TEST_F(ClientTest, refuses_answers_that_are_too_large) {
  handler_ = [&](Request request, Responder responder) {
    if (request.path == "/sized") return responder.reply(Response::text(200, std::string(2000, 'x')));
    Stream stream = responder.stream(Response::text(200, ""));
    stream.write(std::string(2000, 'x'));
    stream.close();
  };
  for (const char* target : {"/sized", "/chunked"}) {
    auto request = to(target);
    request.max_body_bytes = 1000;
    auto answer = ask(request);
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code, Code::TooLarge);
  }
}

TEST_F(ClientTest, repeats_a_get_when_the_idle_connection_was_just_closed) {
  ASSERT_TRUE(ask(to("/1")).has_value());
  // The server closes all; the client cannot know before it asks again.
  uint16_t port = port_;
  server_ = std::make_unique<Server>(loop_, ServerOptions{}, handler_);
  ASSERT_EQ(server_->listen("127.0.0.1", port).value(), port);
  auto answer = ask(to("/2"));
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->body, "GET /2 ");
}

TEST_F(ClientTest, follows_redirects_of_every_form) {
  handler_ = [&](Request request, Responder responder) {
    Response response = Response::text(307, "go");
    std::string here = "127.0.0.1:" + std::to_string(port_);
    if (request.path == "/absolute") {
      response.headers.add("Location", "http://" + here + "/end?1");
    } else if (request.path == "/scheme-relative") {
      response.headers.add("Location", "//" + here + "/end?2");
    } else if (request.path == "/path") {
      response.headers.add("Location", "/end?3");
    } else if (request.path == "/a/relative") {
      response.headers.add("Location", "end?4");
    } else if (request.path == "/see-other") {
      response.status = 303;
      response.headers.add("Location", "/end?5");
    } else if (request.path == "/other-host") {
      response.headers.add("Location", "http://localhost:" + std::to_string(port_) + "/end?6");
    } else if (request.path == "/loop") {
      response.headers.add("Location", "/loop");
    } else {
      response = Response::text(200, request.method + " " + request.target + " " + request.body + " " +
                                         std::string(request.headers.get_or("Authorization", "-")));
    }
    responder.reply(std::move(response));
  };
  auto post = [&](const std::string& target) {
    auto request = to(target, "POST");
    request.body = "b";
    request.headers.add("Authorization", "secret");
    request.max_redirects = 3;
    auto answer = ask(request);
    return answer ? answer->body : answer.error().message;
  };
  EXPECT_EQ(post("/absolute"), "POST /end?1 b secret");
  EXPECT_EQ(post("/scheme-relative"), "POST /end?2 b secret");
  EXPECT_EQ(post("/path"), "POST /end?3 b secret");
  EXPECT_EQ(post("/a/relative"), "POST /a/end?4 b secret");
  EXPECT_EQ(post("/see-other"), "GET /end?5  secret");
  EXPECT_EQ(post("/other-host"), "POST /end?6 b -");
  EXPECT_EQ(post("/loop"), "go");  // the last redirect itself, when there are too many
}

TEST_F(ClientTest, streams_an_answer_and_pauses_it) {
  std::optional<Stream> stream;
  handler_ = [&](Request, Responder responder) {
    stream = responder.stream(Response::text(200, ""));
    for (int i = 0; i < 3; ++i) stream->write(encode_sse({"tick", std::to_string(i), ""}));
  };
  std::string seen;
  SseDecoder decoder;
  StreamCallbacks callbacks;
  ClientCall call;
  callbacks.on_head = [&](const Response& head) { seen += std::to_string(head.status) + " "; };
  callbacks.on_data = [&](std::string_view data) {
    std::vector<SseEvent> events;
    decoder.feed(data, events);
    for (auto& event : events) seen += event.data;
    if (seen == "200 012") {
      call.pause(true);
      stream->write("data: 3\n\n");
      loop_.after(milliseconds(20), [&] {
        EXPECT_EQ(seen, "200 012");
        stream->close();
        call.pause(false);
      });
    }
  };
  callbacks.on_end = [&](Status status) {
    EXPECT_TRUE(status.has_value());
    loop_.stop();
  };
  call = client_->stream(to("/"), callbacks);
  loop_.run();
  EXPECT_EQ(seen, "200 0123");
}

TEST_F(ClientTest, tells_when_a_stream_is_cut) {
  handler_ = [&](Request, Responder responder) {
    Stream stream = responder.stream(Response::text(200, ""));
    stream.write("half");
    loop_.after(milliseconds(5), [stream] { stream.abort(); });
  };
  StreamCallbacks callbacks;
  std::string seen;
  callbacks.on_data = [&](std::string_view data) { seen += data; };
  callbacks.on_end = [&](Status status) {
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, Code::BadGateway);
    loop_.stop();
  };
  client_->stream(to("/"), callbacks);
  loop_.run();
  EXPECT_EQ(seen, "half");
}

TEST_F(ClientTest, may_be_cancelled_in_every_state) {
  handler_ = [&](Request request, Responder responder) {
    if (request.path == "/never") return;
    Stream stream = responder.stream(Response::text(200, ""));
    stream.write("x");
    stream.on_disconnect([this] { loop_.stop(); });
    stream.on_drained([stream] {});  // keeps it
  };
  auto fail = [](Result<Response>) { ADD_FAILURE() << "called after cancel"; };
  client_->request(to("/never"), fail).cancel();
  StreamCallbacks callbacks;
  ClientCall call;
  callbacks.on_data = [&](std::string_view) { call.cancel(); };
  callbacks.on_end = [](Status) { ADD_FAILURE() << "called after cancel"; };
  call = client_->stream(to("/"), callbacks);
  auto late = client_->request(to("/never"), fail);
  loop_.post([late] { late.cancel(); });
  loop_.run();
}

TEST_F(ClientTest, uploads_in_pieces_with_back_pressure) {
  handler_ = [&](Request request, Responder responder) {
    auto body = std::make_shared<size_t>(0);
    bool chunked = request.headers.has("Transfer-Encoding");
    responder.on_body([=](std::string_view data, bool end) {
      *body += data.size();
      if (end) responder.reply(Response::text(200, std::to_string(*body) + (chunked ? " chunked" : "")));
    });
  };
  for (bool sized : {false, true}) {
    std::string answer;
    int left = 100;
    ClientCall call;
    StreamCallbacks callbacks;
    callbacks.on_data = [&](std::string_view data) { answer += data; };
    callbacks.on_end = [&](Status status) {
      EXPECT_TRUE(status.has_value());
      loop_.stop();
    };
    callbacks.on_drained = [&] {
      if (left == 0) return call.end();
      while (left > 0 && call.queued_bytes() < 500'000) {
        --left;
        call.write(std::string(100'000, 'x'));
      }
    };
    auto request = to("/stream", "POST");
    if (sized) request.headers.add("Content-Length", "10000001");
    call = client_->stream_upload(request, callbacks);
    call.write("y");
    loop_.run();
    EXPECT_EQ(answer, sized ? "10000001" : "10000001 chunked");
  }
}

TEST_F(ClientTest, changes_the_protocol) {
  handler_ = [&](Request request, Responder responder) {
    EXPECT_EQ(request.headers.get("Upgrade"), "echo");
    Response head;
    head.headers.add("Upgrade", "echo");
    Stream stream = responder.upgrade(std::move(head));
    responder.on_body([stream](std::string_view data, bool end) {
      if (end) return stream.close();
      stream.write("<" + std::string(data) + ">");
    });
  };
  std::string seen;
  ClientCall call;
  StreamCallbacks callbacks;
  callbacks.on_head = [&](const Response& head) {
    EXPECT_EQ(head.status, 101);
    call.write("b");
  };
  callbacks.on_data = [&](std::string_view data) {
    seen += data;
    if (seen == "<ab>" || seen == "<a><b>") call.end();
  };
  callbacks.on_end = [&](Status status) {
    EXPECT_TRUE(status.has_value());
    loop_.stop();
  };
  auto request = to("/");
  request.headers.add("Upgrade", "echo");
  call = client_->stream_upload(request, callbacks);
  call.write("a");
  loop_.run();
  EXPECT_TRUE(seen == "<ab>" || seen == "<a><b>") << seen;
}

TEST_F(ClientTest, speaks_over_unix_sockets) {
  testing::TemporaryDirectory directory;
  ASSERT_TRUE(server_->listen_unix(directory / "s").has_value());
  ClientRequest request;
  request.url = Url::parse("unix:" + (directory / "s") + ":/over").value();
  for (int i = 0; i < 3; ++i) {
    auto answer = ask(request);
    ASSERT_TRUE(answer.has_value()) << answer.error().message;
    EXPECT_EQ(answer->body, "GET /over ");
  }
  EXPECT_EQ(server_->connections(), 1U);
}

TEST_F(ClientTest, ends_everything_when_it_is_destroyed) {
  std::vector<Responder> waiting;
  handler_ = [&](Request, Responder responder) {
    waiting.push_back(responder);
    client_.reset();
    loop_.after(milliseconds(5), [&] { loop_.stop(); });
  };
  client_->request(to("/"), [](Result<Response>) { ADD_FAILURE() << "called after the end"; });
  loop_.run();
}

TEST(Urls, are_parsed_and_rendered) {
  struct Case {
    std::string text, scheme, host;
    uint16_t port;
    std::string target, rendered;
  };
  for (const Case& c : std::vector<Case>{
           {"http://h", "http", "h", 80, "/", "http://h/"},
           {"HTTPS://h:444/a?b#c", "https", "h", 444, "/a?b", "https://h:444/a?b"},
           {"http://h?x=1", "http", "h", 80, "/?x=1", "http://h/?x=1"},
           {"https://h:443/", "https", "h", 443, "/", "https://h/"},
           {"http://[::1]:8080/x", "http", "::1", 8080, "/x", "http://[::1]:8080/x"},
           {"unix:/run/x.sock:/p?q", "unix", "/run/x.sock", 0, "/p?q", "unix:/run/x.sock:/p?q"},
           {"unix:/run/x.sock", "unix", "/run/x.sock", 0, "/", "unix:/run/x.sock:/"}}) {
    auto url = Url::parse(c.text);
    ASSERT_TRUE(url.has_value()) << c.text;
    EXPECT_EQ(url->scheme, c.scheme);
    EXPECT_EQ(url->host, c.host);
    EXPECT_EQ(url->port, c.port);
    EXPECT_EQ(url->target, c.target);
    EXPECT_EQ(url->render(), c.rendered);
  }
}

TEST(Urls, that_are_none_are_refused) {
  for (const char* text : {"", "h", "ftp://h/", "http://", "http:///x", "http://h:0/", "http://h:65536/",
                           "http://h:x/", "http://u@h/", "http://h/ x", "http://h/\r\nA: b", "http://[::1/",
                           "http://[::1]x/", "unix:", "unix:relative", "//h/x"}) {
    EXPECT_FALSE(Url::parse(text).has_value()) << text;
  }
}

TEST(Urls, parser_takes_random_bytes) {
  Random random(3);
  static constexpr std::string_view kAlphabet = "http://unix:[]@?#%&=+;.-_a1/\\\xff\x01 ";
  for (int i = 0; i < 50'000; ++i) {
    std::string text = random.chance(0.5) ? "http://" : "";
    for (uint64_t n = random.below(30); n > 0; --n) text += kAlphabet[random.below(kAlphabet.size())];
    if (auto url = Url::parse(text)) {
      auto again = Url::parse(url->render());
      ASSERT_TRUE(again.has_value()) << text;
      EXPECT_EQ(again->target, url->target);
    }
    (void)Query::parse(text).pairs();
  }
}

}  // namespace
}  // namespace base::http
