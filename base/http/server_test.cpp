#include "base/http/server.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <vector>

#include "base/http/gzip.hpp"
#include "base/http/test_peer.hpp"
#include "base/testing/temporary_directory.hpp"

namespace base::http {
namespace {

TEST(Server, answers_with_date_and_length_and_keeps_the_connection) {
  TestServer server(echo);
  Peer peer(server.port());
  for (int i = 0; i < 3; ++i) {
    peer.say(get("/a?b=1"));
    auto [head, body] = peer.answer();
    EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n")) << head;
    EXPECT_NE(head.find("\r\nDate: "), std::string::npos);
    EXPECT_EQ(head.find("Connection"), std::string::npos);
    EXPECT_EQ(body, "GET /a?b=1 ");
  }
}

TEST(Server, takes_requests_byte_by_byte) {
  TestServer server(echo);
  Peer peer(server.port());
  std::string text = "\r\nPOST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;ext=\"1\"\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n"
      "POST /empty HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get("/next");
  for (char c : text) ASSERT_TRUE(peer.say(std::string_view(&c, 1)));
  EXPECT_EQ(peer.answer().second, "POST /x abcde");
  EXPECT_EQ(peer.answer().second, "POST /empty ");
  EXPECT_EQ(peer.answer().second, "GET /next ");
}

TEST(Server, answers_a_thousand_pipelined_requests_in_order) {
  TestServer server(echo);
  Peer peer(server.port());
  std::string all;
  for (int i = 0; i < 1000; ++i) all += get("/" + std::to_string(i));
  std::thread writer([&] { peer.say(all); });
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(peer.answer().second, "GET /" + std::to_string(i) + " ");
  }
  writer.join();
}

TEST(Server, answers_pipelined_requests_in_order_although_the_handlers_end_in_another) {
  std::vector<Responder> waiting;
  TestServer server([&](Request request, Responder responder) {
    waiting.push_back(responder);
    if (request.path != "/3") return;
    for (size_t i = waiting.size(); i-- > 0;) {
      waiting[i].reply(Response::text(200, std::to_string(i)));
    }
    waiting.clear();
  });
  Peer peer(server.port());
  peer.say(get("/0") + get("/1") + get("/2") + get("/3"));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(peer.answer().second, std::to_string(i));
}

TEST(Server, serves_many_pipelined_requests_although_few_at_a_time) {
  std::vector<Responder> waiting;
  size_t most = 0;
  TestServer server([&](Request, Responder responder) { waiting.push_back(std::move(responder)); });
  server.on_loop([&](Server&) {
    server.loop().every(milliseconds(1), [&] {
      most = std::max(most, waiting.size());
      auto ready = std::exchange(waiting, {});
      for (auto& responder : ready) responder.reply(Response::text(200, "x"));
    });
    return 0;
  });
  Peer peer(server.port());
  std::string all;
  for (int i = 0; i < 100; ++i) all += get("/");
  peer.say(all);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(peer.answer().second, "x") << i;
  EXPECT_LE(server.on_loop([&](Server&) { return most; }), 16U);
}

TEST(Server, speaks_http_1_0) {
  TestServer server(echo);
  Peer one(server.port());
  one.say("GET / HTTP/1.0\r\n\r\n");
  std::string answer = one.rest();
  EXPECT_NE(answer.find("Connection: close"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\nGET / "));
  Peer two(server.port());
  two.say("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_NE(two.answer().first.find("Connection: keep-alive"), std::string::npos);
  two.say("GET /2 HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(two.rest().ends_with("GET /2 "));
}

TEST(Server, closes_when_asked_to) {
  TestServer server(echo);
  Peer peer(server.port());
  peer.say(get("/", "Connection: close\r\n") + get("/never"));
  std::string answer = peer.rest();
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("GET / ")) << answer;
}

TEST(Server, answers_a_client_that_has_closed_its_side) {
  TestServer server(echo);
  Peer peer(server.port());
  peer.say(get("/1") + get("/2"));
  peer.half_close();
  std::string answer = peer.rest();
  EXPECT_NE(answer.find("GET /1 "), std::string::npos);
  EXPECT_TRUE(answer.ends_with("GET /2 ")) << answer;
  EXPECT_TRUE(server.has_connections(0));
}

TEST(Server, answers_head_with_the_length_and_no_body) {
  TestServer server([](Request, Responder responder) {
    responder.reply(Response::text(200, "12345"));
  });
  Peer peer(server.port());
  peer.say("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + get("/"));
  EXPECT_NE(peer.until("\r\n\r\n").find("Content-Length: 5"), std::string::npos);
  EXPECT_EQ(peer.answer().second, "12345");
}

TEST(Server, takes_absolute_targets_and_lets_them_name_the_host) {
  TestServer server([](Request request, Responder responder) {
    responder.reply(Response::text(200, request.path + "|" + request.query_text + "|" +
                                            std::string(request.headers.get_or("Host", ""))));
  });
  Peer peer(server.port());
  peer.say("GET http://other:81/p?q HTTP/1.1\r\nHost: x\r\n\r\nGET http://o?z HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(peer.answer().second, "/p|q|other:81");
  EXPECT_EQ(peer.answer().second, "/|z|o");
}

TEST(Server, says_continue_only_to_bodies_it_wants) {
  ServerOptions options;
  options.max_body_bytes = 10;
  TestServer server(echo, options);
  Peer peer(server.port());
  peer.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(peer.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  peer.say("abc");
  EXPECT_EQ(peer.answer().second, "POST / abc");
  peer.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_TRUE(peer.rest().starts_with("HTTP/1.1 413 "));
}

TEST(Server, compresses_large_text_for_those_who_take_it) {
  std::string text(5000, 'a');
  TestServer server([&](Request request, Responder responder) {
    responder.reply(Response::text(200, request.path == "/small" ? "a" : text));
  });
  Peer peer(server.port());
  peer.say(get("/large", "Accept-Encoding: deflate, gzip;q=0.5\r\n"));
  auto [head, body] = peer.answer();
  EXPECT_NE(head.find("Content-Encoding: gzip"), std::string::npos);
  EXPECT_LT(body.size(), 500U);
  EXPECT_EQ(gunzip(body, 1 << 20).value(), text);
  peer.say(get("/small", "Accept-Encoding: gzip\r\n"));
  EXPECT_EQ(peer.answer().second, "a");
  peer.say(get("/large", "Accept-Encoding: gzip;q=0\r\n"));
  EXPECT_EQ(peer.answer().second, text);
}

TEST(Server, never_lets_a_handler_write_headers_by_a_line_break) {
  TestServer server([](Request, Responder responder) {
    Response response = Response::text(200, "x");
    response.headers.add("Location", "/a\r\nSet-Cookie: evil=1");
    response.headers.add("Transfer-Encoding", "chunked");
    responder.reply(std::move(response));
  });
  Peer peer(server.port());
  peer.say(get("/"));
  auto [head, body] = peer.answer();
  EXPECT_EQ(head.find("\nSet-Cookie"), std::string::npos);
  EXPECT_EQ(head.find("Transfer-Encoding"), std::string::npos);
  EXPECT_EQ(body, "x");
}

TEST(Server, answers_500_when_the_handler_forgets) {
  TestServer server([](Request, Responder) {});
  Peer peer(server.port());
  peer.say(get("/"));
  EXPECT_TRUE(peer.answer().first.starts_with("HTTP/1.1 500 "));
}

struct Hostile {
  std::string what;
  std::string bytes;
  int status;
};

TEST(Server, refuses_what_two_readers_could_understand_differently) {
  const std::string host = "Host: x\r\n";
  const std::string post = "POST / HTTP/1.1\r\n" + host;
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  const std::vector<Hostile> cases = {
      {"no version", "GET /\r\n\r\n", 400},
      {"garbage", "\x16\x03\x01\x02\r\n\r\n", 400},
      {"blank in the target", "GET /a b HTTP/1.1\r\n" + host + "\r\n", 505},
      {"other version", "GET / HTTP/2.0\r\n" + host + "\r\n", 505},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"target that is no path", "GET evil HTTP/1.1\r\n" + host + "\r\n", 400},
      {"connect", "CONNECT a:1 HTTP/1.1\r\n" + host + "\r\n", 400},
      {"length and coding", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"coding and length", post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
      {"two lengths", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400},
      {"two equal lengths", post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400},
      {"signed length", post + "Content-Length: +5\r\n\r\nhello", 400},
      {"negative length", post + "Content-Length: -1\r\n\r\n", 400},
      {"hexadecimal length", post + "Content-Length: 0x5\r\n\r\nhello", 400},
      {"huge length", post + "Content-Length: 99999999999999999999999\r\n\r\n", 400},
      {"unknown coding", post + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {"coding twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"coding in a list", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      {"coding with tail", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
      {"coding in 1.0", "POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"blank before colon", post + "Content-Length : 5\r\n\r\nhello", 400},
      {"folded line", "GET / HTTP/1.1\r\n" + host + "A: b\r\n c\r\n\r\n", 400},
      {"folded coding", post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400},
      {"bare line feeds", "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400},
      {"bare carriage return", "GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n", 400},
      {"zero byte in a header", std::string("GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n", 35), 400},
      {"bad chunk size", chunked + "zz\r\n\r\n", 400},
      {"signed chunk size", chunked + "+5\r\nhello\r\n0\r\n\r\n", 400},
      {"chunk size overflow", chunked + "10000000000000005\r\nhello\r\n0\r\n\r\n", 400},
      {"chunk longer than its size", chunked + "3\r\nhello\r\n0\r\n\r\n", 400},
      {"unknown expectation", post + "Expect: wonders\r\nContent-Length: 1\r\n\r\na", 417},
  };
  TestServer server(echo);
  for (const Hostile& hostile : cases) {
    Peer peer(server.port());
    peer.say(hostile.bytes);
    peer.half_close();
    std::string answer = peer.rest();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(hostile.status) + " "))
        << hostile.what << ": " << answer;
    EXPECT_EQ(answer.find("HTTP/1.1", 5), std::string::npos) << hostile.what << ": " << answer;
  }
  EXPECT_TRUE(server.has_connections(0));
}

TEST(Server, limits_headers_and_bodies) {
  ServerOptions options;
  options.max_header_bytes = 4096;
  options.max_body_bytes = 1000;
  TestServer server(echo, options);
  const std::string start = "POST / HTTP/1.1\r\nHost: x\r\n";
  const std::vector<Hostile> cases = {
      {"long target", "GET /" + std::string(10'000, 'a'), 431},
      {"long header", start + "A: " + std::string(10'000, 'b'), 431},
      {"many headers", [&] {
         std::string text = start;
         for (int i = 0; i < 300; ++i) text += "A: b\r\n";
         return text + "\r\n";
       }(), 431},
      {"long body", start + "Content-Length: 1001\r\n\r\n", 413},
      {"long chunk", start + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'c'), 413},
      {"endless chunk extension", start + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(100'000, 'd'), 431},
      {"endless trailer", start + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: " + std::string(100'000, 'd'), 431},
  };
  for (const Hostile& hostile : cases) {
    Peer peer(server.port());
    peer.say(hostile.bytes);
    std::string answer = peer.until("\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(hostile.status) + " "))
        << hostile.what << ": " << answer;
  }
}

TEST(Server, delivers_its_refusal_although_the_client_is_still_sending) {
  ServerOptions options;
  options.max_body_bytes = 1000;
  TestServer server(echo, options);
  Peer peer(server.port());
  peer.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
  std::string piece(100'000, 'x');
  for (int i = 0; i < 30; ++i) peer.say(piece);
  EXPECT_TRUE(peer.rest().starts_with("HTTP/1.1 413 "));
}

TEST(Server, refuses_connections_beyond_its_limit_with_503) {
  ServerOptions options;
  options.max_connections = 2;
  TestServer server(echo, options);
  Peer one(server.port()), two(server.port());
  ASSERT_TRUE(server.has_connections(2));
  Peer three(server.port());
  three.say(get("/"));
  EXPECT_TRUE(three.rest().starts_with("HTTP/1.1 503 "));
  one.say(get("/1"));
  EXPECT_EQ(one.answer().second, "GET /1 ");
}

TEST(Server, closes_idle_connections_and_ends_slow_requests) {
  ServerOptions options;
  options.idle_timeout = milliseconds(60);
  TestServer server(echo, options);
  Peer idle(server.port()), slow_head(server.port()), slow_body(server.port());
  slow_head.say("GET / HT");
  slow_body.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(idle.rest(), "");
  EXPECT_TRUE(slow_head.rest().starts_with("HTTP/1.1 408 "));
  EXPECT_TRUE(slow_body.rest().starts_with("HTTP/1.1 408 "));
  EXPECT_TRUE(server.has_connections(0));
}

TEST(Server, ends_a_header_that_only_drips) {
  ServerOptions options;
  options.idle_timeout = milliseconds(60);
  TestServer server(echo, options);
  Peer peer(server.port());
  std::string text = get("/", "A: " + std::string(100'000, 'x') + "\r\n");
  for (char c : text) {
    if (!peer.say(std::string_view(&c, 1))) break;
    pollfd waiting{peer.fd(), POLLIN, 0};
    if (::poll(&waiting, 1, 5) > 0) break;
  }
  EXPECT_TRUE(peer.rest().starts_with("HTTP/1.1 408 "));
}

TEST(Server, waits_for_a_slow_handler_beyond_the_idle_limit) {
  ServerOptions options;
  options.idle_timeout = milliseconds(40);
  std::vector<Responder> waiting;
  TestServer server([&](Request, Responder responder) { waiting.push_back(responder); }, options);
  Peer peer(server.port());
  peer.say(get("/"));
  server.on_loop([&](Server&) {
    server.loop().after(milliseconds(200), [&] {
      for (auto& responder : std::exchange(waiting, {})) responder.reply(Response::text(200, "late"));
    });
    return 0;
  });
  EXPECT_EQ(peer.answer().second, "late");
}

TEST(Server, holds_two_thousand_idle_connections_in_little_memory) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < 4200) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur < 4200) GTEST_SKIP() << "needs 4,200 descriptors";
  TestServer server(echo);
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < 2000; ++i) {
    peers.push_back(std::make_unique<Peer>(server.port()));
    if (i % 2 == 0) peers.back()->say(get("/"));
  }
  ASSERT_TRUE(server.has_connections(2000));
  for (int i = 0; i < 2000; i += 2) ASSERT_EQ(peers[static_cast<size_t>(i)]->answer().second, "GET / ");
  peers.clear();
  EXPECT_TRUE(server.has_connections(0));
}

TEST(Server, survives_clients_that_reset_at_any_moment) {
  std::vector<Responder> waiting;
  TestServer server([&](Request request, Responder responder) {
    if (request.path == "/wait") return waiting.push_back(std::move(responder));
    responder.reply(Response::text(200, std::string(300'000, 'x')));
  });
  const std::string text = get("/wait") + get("/big") + "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc";
  for (size_t size = 0; size <= text.size(); size += 3) {
    Peer peer(server.port());
    peer.say(std::string_view(text).substr(0, size));
    peer.reset();
  }
  EXPECT_TRUE(server.has_connections(0));
  server.on_loop([&](Server&) {
    for (auto& responder : std::exchange(waiting, {})) responder.reply(Response::text(200, "late"));
    return 0;
  });
  Peer peer(server.port());
  peer.say(get("/"));
  EXPECT_EQ(peer.answer().second.size(), 300'000U);
}

TEST(Server, drains_what_runs_and_closes_what_is_idle) {
  std::promise<Responder> arrived;
  std::promise<void> drained;
  TestServer server([&](Request, Responder responder) { arrived.set_value(responder); });
  Peer idle(server.port()), busy(server.port());
  busy.say(get("/"));
  Responder responder = arrived.get_future().get();
  server.on_loop([&](Server& s) {
    s.drain(seconds(60), [&] { drained.set_value(); });
    return 0;
  });
  EXPECT_EQ(idle.rest(), "");
  server.on_loop([responder = std::move(responder)](Server&) {
    responder.reply(Response::text(200, "done"));
    return 0;
  });
  std::string answer = busy.rest();
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("done"));
  busy.reset();
  EXPECT_EQ(drained.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST(Server, ends_a_drain_at_its_limit) {
  std::promise<void> drained;
  std::vector<Responder> waiting;
  TestServer server([&](Request, Responder responder) { waiting.push_back(responder); });
  Peer busy(server.port());
  busy.say(get("/"));
  ASSERT_TRUE(server.has_connections(1));
  server.on_loop([&](Server& s) {
    s.drain(milliseconds(20), [&] { drained.set_value(); });
    return 0;
  });
  EXPECT_EQ(drained.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_EQ(busy.rest(), "");
  server.on_loop([&](Server&) { waiting.clear(); return 0; });
}

TEST(Server, says_why_it_cannot_listen) {
  TestServer server(echo);
  server.on_loop([&](Server& s) {
    auto taken = s.listen("127.0.0.1", server.port());
    EXPECT_FALSE(taken.has_value());
    EXPECT_NE(taken.error().message.find("127.0.0.1:" + std::to_string(server.port())), std::string::npos);
    EXPECT_NE(taken.error().message.find("already in use"), std::string::npos);
    EXPECT_EQ(s.listen("localhost", 0).error().code, Code::InvalidArgument);
    EXPECT_FALSE(s.listen("192.0.2.1", 0).has_value());
    EXPECT_TRUE(s.listen("::1", 0).has_value() || !exists("/proc/net/if_inet6"));
    return 0;
  });
}

TEST(Server, listens_on_a_unix_socket_and_replaces_a_stale_one) {
  testing::TemporaryDirectory directory;
  std::string path = directory / "s";
  {
    // A socket file that its owner left behind.
    Fd old(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), address.sun_path);
    ASSERT_EQ(::bind(old.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  {
    TestServer server(echo);
    server.on_loop([&](Server& s) {
      EXPECT_TRUE(s.listen_unix(path).has_value());
      EXPECT_FALSE(s.listen_unix(path).has_value());
      EXPECT_FALSE(s.listen_unix(std::string(200, 'x')).has_value());
      return 0;
    });
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
  }
  EXPECT_FALSE(exists(path));
}

TEST(Server, may_be_destroyed_inside_a_handler) {
  Loop loop;
  std::unique_ptr<Server> server;
  server = std::make_unique<Server>(loop, ServerOptions{}, [&](Request, Responder responder) {
    server.reset();
    responder.reply(Response::text(200, "too late"));
    loop.stop();
  });
  uint16_t port = server->listen("127.0.0.1", 0).value();
  Peer peer(port);
  peer.say(get("/1") + get("/2"));
  loop.run();
  EXPECT_EQ(peer.rest(), "");
}

}  // namespace
}  // namespace base::http
