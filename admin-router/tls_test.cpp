// The relay with TLS on both sides, between real sockets.

#include <gtest/gtest.h>

#include <future>

#include "admin-router/fake_net.hpp"
#include "admin-router/proxy.hpp"
#include "base/http/client.hpp"
#include "base/http/test_certificates.hpp"
#include "base/http/test_peer.hpp"

namespace admin_router {
namespace {

using base::http::ClientOptions;
using base::http::Request;
using base::http::Responder;
using base::http::Response;
using base::http::TestAuthority;

base::TlsSettings settings_of(const TestAuthority& authority) {
  base::TlsSettings settings;
  settings.enabled = true;
  settings.cert_file = authority.cert_file("server");
  settings.key_file = authority.key_file("server");
  settings.ca_file = authority.ca_file();
  settings.verify_server = true;
  return settings;
}

/// A server by https that answers with the request's body, or with what it was told in its head; echoes what is upgraded.
class Backend {
 public:
  explicit Backend(const TestAuthority& authority) : server_(answer, options(authority)) {}
  uint16_t port() const { return server_.port(); }

 private:
  static base::http::ServerOptions options(const TestAuthority& authority) {
    base::http::ServerOptions out;
    out.tls = base::http::Tls::open(settings_of(authority)).value();
    out.gzip_min_bytes = 0;
    return out;
  }
  static void answer(Request request, Responder responder) {
    Response response;
    if (request.headers.has("Upgrade")) {
      response.headers.set("Upgrade", "echo");
      auto stream = std::make_shared<base::http::Stream>(responder.upgrade(std::move(response)));
      responder.on_body([stream](std::string_view data, bool end) {
        if (!end) return (void)stream->write(std::string(data));
        stream->close();
      });
      return;
    }
    response.body = !request.body.empty() ? std::move(request.body)
                                          : "auth=" + std::string(request.headers.get_or("Authorization", "none")) +
                                                " proto=" + std::string(request.headers.get_or("X-Forwarded-Proto", "none"));
    responder.reply(std::move(response));
  }
  base::http::TestServer server_;
};

/// A gateway by https, whose master, agent and one service are at one port, by https.
class Rig {
 public:
  Rig(const TestAuthority& authority, uint16_t backend, const std::string& authorization = {})
      : gateway_(config(authorization), table_, authorizer_, files_, metrics_, base::system_clock().now()),
        proxy_(loop_, gateway_, metrics_, options(authority)) {
    MasterSnapshot snapshot;
    snapshot.agents = {{"a1", "node1", {"127.0.0.1", backend}}};
    snapshot.frameworks = {{"f1", "s", "https://127.0.0.1:" + std::to_string(backend)}};
    const base::Now now = base::system_clock().now();
    table_.on(MasterConnected{{"127.0.0.1", backend}}, now);
    table_.on(snapshot, now);
    table_.on(AppsSnapshot{}, now);
    port_ = proxy_.listen("127.0.0.1", 0, true).value();
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~Rig() {
    loop_.stop();
    thread_.join();
  }
  uint16_t port() const { return port_; }

 private:
  static GatewayConfig config(const std::string& authorization) {
    GatewayConfig config;
    config.cluster_tls = true;
    config.cluster_authorization = authorization;
    return config;
  }
  static ProxyOptions options(const TestAuthority& authority) {
    ProxyOptions options;
    options.tls = base::http::Tls::open(settings_of(authority)).value();
    options.unchecked_tls = base::http::Tls::open(base::TlsSettings{}).value();
    return options;
  }
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

base::Result<Response> ask(const TestAuthority& authority, uint16_t port, const std::string& target, std::string body = {},
                           const std::string& authorization = {}) {
  base::Loop loop;
  ClientOptions options;
  options.ca_file = authority.ca_file();
  base::http::Client client(loop, options);
  base::http::ClientRequest request;
  request.method = body.empty() ? "GET" : "POST";
  request.url = base::http::Url::parse("https://127.0.0.1:" + std::to_string(port) + target).value();
  if (!authorization.empty()) request.headers.set("Authorization", authorization);
  request.body = std::move(body);
  base::Result<Response> result = base::internal("");
  client.request(std::move(request), [&](base::Result<Response> answer) {
    result = std::move(answer);
    loop.stop();
  });
  loop.run();
  return result;
}

TEST(GatewayTls, carries_bodies_both_ways_and_says_so_behind_it) {
  TestAuthority authority;
  authority.issue("server");
  Backend backend(authority);
  Rig rig(authority, backend.port());
  std::string body;
  for (int i = 0; body.size() < 3'000'000; ++i) body += std::to_string(i) + ",";
  for (const char* target : {"/service/s/x", "/mesos/x", "/agent/a1/x"}) {
    for (int i = 0; i < 2; ++i) {  // on a new connection, and on one of the pool
      auto answer = ask(authority, rig.port(), target, body);
      ASSERT_TRUE(answer) << answer.error().message;
      EXPECT_EQ(answer->status, 200) << target << answer->body.substr(0, 300);
      EXPECT_TRUE(answer->body == body) << target;
    }
    auto head = ask(authority, rig.port(), target, {}, "token=abc");
    ASSERT_TRUE(head);
    EXPECT_EQ(head->body, "auth=token=abc proto=https");
  }
}

TEST(GatewayTls, is_somebody_to_masters_and_agents_and_the_caller_to_services) {
  TestAuthority authority;
  authority.issue("server");
  Backend backend(authority);
  Rig rig(authority, backend.port(), "Basic c2VjcmV0");
  EXPECT_EQ(ask(authority, rig.port(), "/mesos/x", {}, "token=abc").value().body, "auth=Basic c2VjcmV0 proto=https");
  EXPECT_EQ(ask(authority, rig.port(), "/agent/a1/x").value().body, "auth=Basic c2VjcmV0 proto=https");
  EXPECT_EQ(ask(authority, rig.port(), "/service/s/x", {}, "token=abc").value().body, "auth=token=abc proto=https");
}

TEST(GatewayTls, believes_masters_of_its_authority_only_and_any_service) {
  TestAuthority authority, other("somebody else");
  authority.issue("server");
  other.issue("server");
  Backend stranger(other);
  Rig rig(authority, stranger.port());
  for (const char* target : {"/mesos/x", "/agent/a1/x"}) {
    auto answer = ask(authority, rig.port(), target);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 502);
    EXPECT_NE(answer->body.find("the certificate is not accepted"), std::string::npos) << answer->body;
  }
  auto service = ask(authority, rig.port(), "/service/s/x");
  ASSERT_TRUE(service) << service.error().message;
  EXPECT_EQ(service->status, 200) << service->body;
  EXPECT_EQ(ask(authority, rig.port(), "/mesos/x").value().status, 502);  // not by the service's connection
}

TEST(GatewayTls, tells_plain_clients_and_drops_those_that_say_nothing_sensible) {
  TestAuthority authority;
  authority.issue("server");
  Backend backend(authority);
  Rig rig(authority, backend.port());
  auto plain = testing::Wire::connect(rig.port());
  plain.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(plain.read_all().find("use https://"), std::string::npos);
  auto garbage = testing::Wire::connect(rig.port());
  garbage.send("\x16\x03\x01garbage that is no handshake at all");
  garbage.read_all();
  EXPECT_EQ(ask(authority, rig.port(), "/service/s/x").value().status, 200);
}

TEST(GatewayTls, tunnels_through) {
  TestAuthority authority;
  authority.issue("server");
  Backend backend(authority);
  Rig rig(authority, backend.port());
  base::Loop loop;
  ClientOptions options;
  options.ca_file = authority.ca_file();
  base::http::Client client(loop, options);
  base::http::ClientRequest request;
  request.url = base::http::Url::parse("https://127.0.0.1:" + std::to_string(rig.port()) + "/service/s/ws").value();
  request.headers.set("Upgrade", "echo");
  const std::string sent(400'000, 'w');
  std::string got;
  base::http::ClientCall call;
  call = client.stream_upload(request, {.on_head = [&](const Response& head) {
                                          EXPECT_EQ(head.status, 101);
                                          call.write(sent);
                                        },
                                        .on_data = [&](std::string_view data) {
                                          got += data;
                                          if (got.size() == sent.size()) call.end();
                                        },
                                        .on_end = [&](base::Status) { loop.stop(); }});
  loop.run();
  EXPECT_TRUE(got == sent);
}

}  // namespace
}  // namespace admin_router
