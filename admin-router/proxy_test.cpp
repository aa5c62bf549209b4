// The relay between real sockets.

#include "admin-router/proxy.hpp"

#include <gtest/gtest.h>

#include <future>

#include "admin-router/fake_net.hpp"
#include "base/loop.hpp"

namespace admin_router {
namespace {

using testing::FakeServer;
using testing::Wire;

base::Now start_of_test() {
  return base::system_clock().now();
}

// A gateway on a thread of its own, with one service "s" at the given port.
class Rig {
 public:
  explicit Rig(uint16_t backend, ProxyOptions options = {}, bool loaded = true)
      : backend_(backend),
        gateway_(config(), table_, authorizer_, files_, metrics_, start_of_test()),
        proxy_(loop_, gateway_, metrics_, options) {
    if (loaded) load();
    port_ = proxy_.listen("127.0.0.1", 0).value();
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~Rig() {
    loop_.stop();
    thread_.join();
  }

  void load() {
    MasterSnapshot snapshot;
    snapshot.agents = {{"a1", "node1", {"127.0.0.1", backend_}}};
    snapshot.frameworks = {{"f1", "s", "http://127.0.0.1:" + std::to_string(backend_)},
                           {"f2", "tls", "https://127.0.0.1:" + std::to_string(backend_)}};
    table_.on(MasterConnected{{"127.0.0.1", backend_}}, start_of_test());
    table_.on(snapshot, start_of_test());
    table_.on(AppsSnapshot{}, start_of_test());
  }

  void load_later() {
    loop_.post([this] {
      load();
      proxy_.wake();
    });
  }

  size_t connections() {
    std::promise<size_t> count;
    loop_.post([&] { count.set_value(proxy_.connections()); });
    return count.get_future().get();
  }

  Wire client() { return Wire::connect(port_); }
  uint16_t port() const { return port_; }

 private:
  static GatewayConfig config() {
    GatewayConfig config;
    config.cluster_id = "11111111-2222-4333-8444-555555555555";
    return config;
  }
  uint16_t backend_;
  base::Loop loop_;
  base::Metrics metrics_;
  Table table_;
  OpenAuthorizer authorizer_;
  StaticFiles files_{""};
  Gateway gateway_;
  Proxy proxy_;
  uint16_t port_ = 0;
  std::thread thread_;
};

std::string ok(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

// Answers every request with its own head as the body.
void mirror(Wire& wire) {
  while (true) {
    std::string message = wire.read_message();
    if (message.empty() || !wire.send(ok(message))) return;
  }
}

const std::string kGet = "GET /service/s/x HTTP/1.1\r\nHost: h\r\n\r\n";

TEST(Proxy, forwards_with_the_prefix_cut_and_reuses_the_upstream_connection) {
  FakeServer server(mirror);
  Rig rig(server.port());
  Wire client = rig.client();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.send("GET /service/s/a/b?x=%20 HTTP/1.1\r\nHost: pub\r\n\r\n"));
    std::string answer = client.read_message();
    EXPECT_NE(answer.find("GET /a/b?x=%20 HTTP/1.1\r\n"), std::string::npos) << answer;
    EXPECT_NE(answer.find("Host: pub\r\n"), std::string::npos);
    EXPECT_NE(answer.find("X-Forwarded-For: 127.0.0.1\r\n"), std::string::npos);
  }
  EXPECT_EQ(server.accepted(), 1);
}

TEST(Proxy, routes_to_the_master_and_to_agents) {
  FakeServer server(mirror);
  Rig rig(server.port());
  Wire client = rig.client();
  client.send("GET /mesos/state HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(client.read_message().find("GET /state HTTP/1.1"), std::string::npos);
  client.send(
      "GET /agent/a1/files/browse?path=/ HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
  std::string answer = client.read_message();
  EXPECT_NE(answer.find("GET /files/browse?path=/ HTTP/1.1"), std::string::npos);
  EXPECT_EQ(answer.find("Accept-Encoding"), std::string::npos);
  client.send("GET /agent/none/x HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(client.read_message().find("agent \"none\" unknown"), std::string::npos);
}

TEST(Proxy, answers_pipelined_requests_in_order) {
  FakeServer server(mirror);
  Rig rig(server.port());
  Wire client = rig.client();
  std::string requests;
  for (int i = 0; i < 20; ++i)
    requests += "GET /service/s/" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
  client.send(requests);
  for (int i = 0; i < 20; ++i)
    EXPECT_NE(client.read_message().find("GET /" + std::to_string(i) + " "), std::string::npos);
}

TEST(Proxy, relays_a_chunked_request_while_it_is_being_sent) {
  std::promise<void> first_came;
  FakeServer server([&](Wire& wire) {
    wire.read_until("\r\n\r\n");
    EXPECT_EQ(wire.read_bytes(10), "5\r\nhello\r\n");
    first_came.set_value();
    EXPECT_EQ(wire.read_until("0\r\n\r\n"), "5\r\nworld\r\n0\r\n\r\n");
    wire.send(ok("done"));
  });
  Rig rig(server.port());
  Wire client = rig.client();
  client.send(
      "POST /service/s/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  ASSERT_EQ(first_came.get_future().wait_for(std::chrono::seconds(5)), std::future_status::ready);
  client.send("5\r\nworld\r\n0\r\n\r\n");
  EXPECT_TRUE(client.read_message().ends_with("done"));
}

TEST(Proxy, delivers_events_as_they_come) {
  std::promise<void> go_on;
  FakeServer server([&](Wire& wire) {
    wire.read_until("\r\n\r\n");
    wire.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        "d\r\nevent: one\n\n\n\r\n");
    go_on.get_future().wait();
    wire.send("3\r\ntwo\r\n0\r\n\r\n");
  });
  Rig rig(server.port());
  Wire client = rig.client();
  client.send(kGet);
  std::string head = client.read_until("\r\n\r\n");
  EXPECT_NE(head.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_EQ(client.read_until("one\n\n\n\r\n"), "d\r\nevent: one\n\n\n\r\n");
  go_on.set_value();
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "3\r\ntwo\r\n0\r\n\r\n");
}

TEST(Proxy, passes_websockets_through_both_ways) {
  FakeServer server([](Wire& wire) {
    std::string head = wire.read_until("\r\n\r\n");
    EXPECT_NE(head.find("Upgrade: websocket\r\nConnection: upgrade\r\n"), std::string::npos)
        << head;
    wire.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi");
    EXPECT_EQ(wire.read_bytes(5), "early");
    for (int i = 0; i < 10; ++i) wire.send("<" + wire.read_until(".") + ">");
    wire.send("rest:" +
              wire.read_all());  // the client's half-close arrives, ours still carries data
  });
  Rig rig(server.port());
  Wire client = rig.client();
  client.send(
      "GET /service/s/ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Key: k\r\n\r\nearly");
  std::string head = client.read_until("\r\n\r\n");
  EXPECT_NE(head.find("101 Switching Protocols\r\n"), std::string::npos);
  EXPECT_NE(head.find("Connection: upgrade\r\n"), std::string::npos);
  EXPECT_EQ(client.read_bytes(2), "hi");
  for (int i = 0; i < 10; ++i) {
    client.send(std::to_string(i) + ".");
    EXPECT_EQ(client.read_until(">"), "<" + std::to_string(i) + ".>");
  }
  client.send("tail");
  client.finish_writing();
  EXPECT_EQ(client.read_all(), "rest:tail");
}

TEST(Proxy, shows_that_an_answer_was_cut_short) {
  FakeServer server([](Wire& wire) {
    wire.read_until("\r\n\r\n");
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
  });
  Rig rig(server.port());
  Wire client = rig.client();
  client.send(kGet);
  client.read_until("\r\n\r\n");
  EXPECT_EQ(client.read_all(), "part");
}

TEST(Proxy, says_which_upstream_could_not_be_reached) {
  FakeServer server(mirror);
  uint16_t port = server.port();
  server.stop();
  Rig rig(port);
  Wire client = rig.client();
  client.send("GET /service/s/ HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\n\r\n");
  std::string answer = client.read_message();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 502 ")) << answer;
  EXPECT_NE(answer.find("\"tried\":\"127.0.0.1:" + std::to_string(port) + "\""), std::string::npos)
      << answer;
  client.send("GET /service/s/ HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n");
  EXPECT_NE(client.read_message().find("<h1>502 "), std::string::npos);
  client.send("GET /service/tls/ HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(client.read_message().find("speaks TLS"), std::string::npos);
}

TEST(Proxy, answers_502_when_the_upstream_talks_nonsense_or_nothing) {
  for (const char* reply : {"", "SSH-2.0-x\r\n\r\n",
                            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    FakeServer server([&](Wire& wire) {
      wire.read_until("\r\n\r\n");
      wire.send(reply);
    });
    Rig rig(server.port());
    Wire client = rig.client();
    client.send(kGet);
    EXPECT_TRUE(client.read_message().starts_with("HTTP/1.1 502 ")) << reply;
  }
}

TEST(Proxy, serves_http_1_0_clients_without_chunks) {
  FakeServer server([](Wire& wire) {
    wire.read_until("\r\n\r\n");
    wire.send(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  });
  Rig rig(server.port());
  Wire client = rig.client();
  client.send("GET /service/s/ HTTP/1.0\r\n\r\n");
  std::string answer = client.read_all();
  EXPECT_EQ(answer.find("chunked"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\nabcde")) << answer;
}

TEST(Proxy, frames_an_answer_that_ends_with_its_connection) {
  FakeServer server([](Wire& wire) {
    wire.read_until("\r\n\r\n");
    wire.send("HTTP/1.0 200 OK\r\n\r\nuntil close");
  });
  Rig rig(server.port());
  Wire client = rig.client();
  for (int i = 0; i < 2; ++i) {  // the client's connection survives the upstream's
    client.send(kGet);
    EXPECT_NE(client.read_until("\r\n\r\n").find("chunked"), std::string::npos);
    std::string body = client.read_until("0\r\n\r\n");
    EXPECT_NE(body.find("until close"), std::string::npos);
  }
}

TEST(Proxy, gives_no_body_to_head_requests) {
  FakeServer server([](Wire& wire) {
    for (int i = 0; i < 2; ++i) {
      wire.read_until("\r\n\r\n");
      wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    }
  });
  Rig rig(server.port());
  Wire client = rig.client();
  for (int i = 0; i < 2; ++i) {
    client.send("HEAD /service/s/ HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_NE(client.read_until("\r\n\r\n").find("Content-Length: 5\r\n"), std::string::npos);
  }
}

TEST(Proxy, lets_no_smuggled_request_through) {
  std::atomic<int> heads{0};
  FakeServer server([&](Wire& wire) {
    while (!wire.read_message().empty()) {
      ++heads;
      if (!wire.send(ok("x"))) return;
    }
  });
  Rig rig(server.port());
  const std::string start = "POST /service/s/ HTTP/1.1\r\nHost: h\r\n";
  const std::string inner = "GET /service/s/smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const std::string& attack : {
           start + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
           start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" +
               inner,
           start + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + inner,
           start + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + inner,
           start +
               "Transfer-Encoding:\x0b"
               "chunked\r\n\r\n0\r\n\r\n" +
               inner,
           start + "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + inner,
           start + "X: y\nContent-Length: 44\r\n\r\n" + inner,
           start + "Content-Length: 1\r\n 2\r\n\r\n" + inner,
           std::string("POST /service/s/ HTTP/1.1\nHost: h\nContent-Length: 0\n\n") + inner,
       }) {
    Wire client = rig.client();
    client.send(attack);
    client.finish_writing();
    std::string answer = client.read_all();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.1 501 "))
        << attack << answer;
    EXPECT_EQ(answer.find("HTTP/1.1 ", 5), std::string::npos) << answer;
  }
  EXPECT_EQ(heads, 0);
}

TEST(Proxy, stops_a_malformed_chunked_request) {
  FakeServer server([](Wire& wire) { wire.read_all(); });
  Rig rig(server.port());
  Wire client = rig.client();
  client.send(
      "POST /service/s/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n");
  EXPECT_TRUE(client.read_all().starts_with("HTTP/1.1 400 "));
}

TEST(Proxy, moves_big_bodies_with_a_slow_reader) {
  constexpr size_t kSize = 24 << 20;
  FakeServer server([](Wire& wire) {
    std::string message = wire.read_message();
    wire.send(ok(std::string_view(message).substr(message.find("\r\n\r\n") + 4)));
  });
  Rig rig(server.port());
  Wire client = rig.client();
  std::string body(kSize, 'x');
  for (size_t i = 0; i < kSize; i += 4096) body[i] = static_cast<char>('a' + i / 4096 % 26);
  client.send("PUT /service/s/ HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(kSize) +
              "\r\n\r\n");
  ASSERT_TRUE(client.send(body));
  std::this_thread::sleep_for(
      std::chrono::milliseconds(50));  // the answer piles up behind the reader
  std::string answer = client.read_message();
  EXPECT_EQ(std::string_view(answer).substr(answer.find("\r\n\r\n") + 4), body);
}

/// A backend that answers with more than the sockets between hold, after `head`.
FakeServer flood(std::string head, std::atomic<size_t>& sent, size_t size) {
  return FakeServer([head = std::move(head), &sent, size](Wire& wire) {
    (void)wire.read_message();
    if (!wire.send(head)) return;
    const std::string piece(64 << 10, 'x');
    while (sent < size && wire.send(piece)) sent += piece.size();
  });
}

TEST(Proxy, waits_for_the_reader_of_a_stream_that_stands_still_and_holds_little_of_it) {
  constexpr size_t kSize = 64 << 20;
  ProxyOptions options;
  options.write_timeout = base::milliseconds(50);
  std::atomic<size_t> sent{0};
  FakeServer server = flood("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", sent, kSize);
  Rig rig(server.port(), options);
  Wire client = rig.client();
  client.send("GET /service/s/x HTTP/1.0\r\nHost: h\r\n\r\n");  // its answer ends with the connection
  (void)client.read_until("\r\n\r\n");
  // It stands still for longer than any other client might: until nothing moves any more, and some sweeps beyond.
  for (size_t before = 0; before != sent || before == 0;) {
    before = sent;
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
  }
  EXPECT_LT(sent, kSize / 2);
  EXPECT_EQ(client.read_all().size(), kSize);
  EXPECT_FALSE(client.failed());
}

TEST(Proxy, gives_up_a_client_that_takes_nothing_of_an_answer_with_a_length) {
  constexpr size_t kSize = 64 << 20;
  ProxyOptions options;
  options.write_timeout = base::milliseconds(50);
  std::atomic<size_t> sent{0};
  FakeServer server = flood("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n", sent, kSize);
  Rig rig(server.port(), options);
  Wire client = rig.client();
  client.send(kGet);
  (void)client.read_until("\r\n\r\n");
  while (rig.connections() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_LT(client.read_all().size(), kSize);
}

TEST(Proxy, answers_a_client_that_has_closed_its_own_direction) {
  FakeServer server(mirror);
  Rig rig(server.port());
  Wire client = rig.client();
  client.send("GET /service/s/ HTTP/1.1\r\nHost: h\r\n\r\n");
  client.finish_writing();
  EXPECT_TRUE(client.read_all().starts_with("HTTP/1.1 200 "));
}

TEST(Proxy, repeats_a_request_whose_pooled_connection_was_closed) {
  std::atomic<int> requests{0};
  FakeServer server([&](Wire& wire) {  // one request per connection, closed when the second arrives
    wire.read_until("\r\n\r\n");
    ++requests;
    wire.send(ok("x"));
    if (requests == 1) wire.read_until("\r\n\r\n");
  });
  Rig rig(server.port());
  Wire client = rig.client();
  for (int i = 0; i < 2; ++i) {
    client.send(kGet);
    EXPECT_TRUE(client.read_message().starts_with("HTTP/1.1 200 "));
  }
  EXPECT_EQ(server.accepted(), 2);
}

TEST(Proxy, says_continue_to_clients_that_wait_for_it) {
  FakeServer server(mirror);
  Rig rig(server.port());
  Wire client = rig.client();
  client.send(
      "POST /service/s/ HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("body");
  std::string answer = client.read_message();
  EXPECT_TRUE(answer.ends_with("body"));
  EXPECT_EQ(answer.find("Expect"), std::string::npos);
}

TEST(Proxy, passes_on_an_answer_that_comes_before_the_body_has) {
  FakeServer server([](Wire& wire) {
    wire.read_until("\r\n\r\n");
    wire.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
    wire.finish_writing();
    wire.read_all();
  });
  Rig rig(server.port());
  Wire client = rig.client();
  client.send("POST /service/s/ HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n" +
              std::string(300000, 'x'));
  EXPECT_TRUE(client.read_all().starts_with("HTTP/1.1 413 "));
}

TEST(Proxy, limits_heads_and_their_time) {
  FakeServer server(mirror);
  ProxyOptions options;
  options.header_timeout = base::milliseconds(100);
  options.idle_timeout = base::milliseconds(100);
  Rig rig(server.port(), options);
  Wire big = rig.client();
  big.send("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(80 << 10, 'x'));
  EXPECT_TRUE(big.read_all().starts_with("HTTP/1.1 431 "));
  Wire slow = rig.client();
  slow.send("GET / HTTP/1.1\r\nHost:");
  EXPECT_TRUE(slow.read_all().starts_with("HTTP/1.1 408 "));
  Wire idle = rig.client();
  EXPECT_EQ(idle.read_all(), "");
  EXPECT_FALSE(idle.failed());
}

TEST(Proxy, ends_an_exchange_whose_client_is_gone) {
  FakeServer server([](Wire& wire) { wire.read_all(); });
  Rig rig(server.port());
  Wire client = rig.client();
  client.send(kGet);
  client.abort();
  for (int i = 0; i < 500 && rig.connections() > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(rig.connections(), 0u);
}

TEST(Proxy, lets_requests_wait_for_the_first_facts) {
  FakeServer server(mirror);
  Rig rig(server.port(), {}, false);
  Wire client = rig.client();
  client.send(kGet);
  rig.load_later();
  EXPECT_TRUE(client.read_message().starts_with("HTTP/1.1 200 "));
}

TEST(Proxy, refuses_connections_over_its_limit) {
  FakeServer server(mirror);
  ProxyOptions options;
  options.max_connections = 2;
  Rig rig(server.port(), options);
  Wire one = rig.client();
  Wire two = rig.client();
  one.send(kGet);
  two.send(kGet);
  one.read_message();
  two.read_message();
  EXPECT_TRUE(rig.client().read_all().starts_with("HTTP/1.1 503 "));
}

TEST(Proxy, answers_the_endpoints_that_clients_ask_for) {
  FakeServer server(mirror);
  Rig rig(server.port());
  Wire client = rig.client();
  auto get = [&](const std::string& path, const std::string& method = "GET") {
    client.send(method + " " + path + " HTTP/1.1\r\nHost: bad.host\r\n\r\n");
    return method == "HEAD" ? client.read_until("\r\n\r\n") : client.read_message();
  };
  EXPECT_TRUE(get("/", "HEAD").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(get("/pkgpanda/active.buildinfo.full.json", "HEAD").starts_with("HTTP/1.1 200 "));
  EXPECT_NE(get("/metadata").find("\"CLUSTER_ID\":\"11111111-2222-4333-8444-555555555555\""),
            std::string::npos);
  EXPECT_NE(get("/dcos-metadata/dcos-version.json").find("\"dcos-variant\":\"open\""),
            std::string::npos);
  EXPECT_NE(get("/dcos-metadata/ui-config.json").find("\"uiConfiguration\""), std::string::npos);
  EXPECT_NE(get("/acs/api/v1/auth/providers").find("{}"), std::string::npos);
  EXPECT_NE(get("/acs/api/v1/auth/login").find("authentication disabled"), std::string::npos);
  EXPECT_NE(get("/health").find("\"healthy\":true"), std::string::npos);
  EXPECT_NE(get("/mesos").find("Location: /mesos/\r\n"), std::string::npos);
  EXPECT_TRUE(get("/service/s").starts_with("HTTP/1.1 301 "));
  EXPECT_NE(get("/marathon?a=b").find("307"), std::string::npos);
  EXPECT_NE(get("/service/none/").find("404 Not Found: service not found."), std::string::npos);
  EXPECT_TRUE(get("/nothing").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(get("/../etc/passwd").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(get("/metadata", "DELETE").starts_with("HTTP/1.1 405 "));
  EXPECT_NE(get("/package/search").find("not part of this cluster"), std::string::npos);
}

}  // namespace
}  // namespace admin_router
