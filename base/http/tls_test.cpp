#include "base/http/tls.hpp"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include "base/file.hpp"
#include "base/http/client.hpp"
#include "base/http/test_certificates.hpp"
#include "base/http/test_peer.hpp"

namespace base::http {
namespace {

TlsSettings server_settings(const TestAuthority& authority, const std::string& name = "server") {
  TlsSettings settings;
  settings.enabled = true;
  settings.cert_file = authority.cert_file(name);
  settings.key_file = authority.key_file(name);
  settings.ca_file = authority.ca_file();
  return settings;
}

/// A server that answers with its request's body and says in a header whether it was secure; echoes what is upgraded.
class SecureServer {
 public:
  explicit SecureServer(TlsSettings settings)
      : tls_(Tls::open(std::move(settings)).value()), server_(answer, options()) {}

  uint16_t port() const { return server_.port(); }

  Tls::Statistics statistics() {
    return server_.on_loop([this](Server&) { return tls_->statistics(); });
  }
  void watch() {
    server_.on_loop([this](Server&) { tls_->watch(server_.loop(), milliseconds(5)); return 0; });
  }
  ~SecureServer() {
    server_.on_loop([this](Server&) { return std::exchange(tls_, nullptr).use_count(); });
  }

 private:
  static void answer(Request request, Responder responder) {
    Response response;
    response.headers.set("Secure", responder.secure() ? "yes" : "no");
    if (request.headers.has("Upgrade")) {
      response.headers.set("Upgrade", "echo");
      auto stream = std::make_shared<Stream>(responder.upgrade(std::move(response)));
      responder.on_body([stream](std::string_view data, bool end) {
        if (!end) return (void)stream->write(std::string(data));
        stream->close();
      });
      return;
    }
    response.body = request.body.empty() ? "hello" : std::move(request.body);
    responder.reply(std::move(response));
  }
  ServerOptions options() {
    ServerOptions out;
    out.tls = tls_;
    out.gzip_min_bytes = 0;
    return out;
  }

  std::shared_ptr<Tls> tls_;
  TestServer server_;
};

struct Ask {
  std::string host = "localhost";
  std::string scheme = "https";
  std::string body{};
};

/// Several requests, each on a connection of its own, by clients that share `options`.
Result<Response> ask(uint16_t port, const ClientOptions& options, const Ask& what = {}, int times = 1) {
  Loop loop;
  Result<Response> result = internal("");
  for (int i = 0; i < times; ++i) {
    Client client(loop, options);
    ClientRequest request;
    request.url = Url::parse(what.scheme + "://" + what.host + ":" + std::to_string(port) + "/x").value();
    request.method = what.body.empty() ? "GET" : "POST";
    request.body = what.body;
    client.request(request, [&](Result<Response> answer) {
      result = std::move(answer);
      loop.stop();
    });
    loop.run();
  }
  return result;
}

ClientOptions trusting(const TestAuthority& authority) {
  ClientOptions options;
  options.ca_file = authority.ca_file();
  return options;
}

ClientOptions with_certificate(const TestAuthority& authority, const TestAuthority& issuer, const std::string& name) {
  TlsSettings settings;
  settings.ca_file = authority.ca_file();
  settings.verify_server = true;
  settings.cert_file = issuer.cert_file(name);
  settings.key_file = issuer.key_file(name);
  ClientOptions options;
  options.tls = Tls::open(std::move(settings)).value();
  return options;
}

void expect_refusal(const Result<Response>& answer, std::string_view words) {
  ASSERT_FALSE(answer.has_value());
  EXPECT_NE(answer.error().message.find(words), std::string::npos) << answer.error().message;
}

TEST(Tls, carries_large_messages_both_ways) {
  TestAuthority authority;
  authority.issue("server");
  SecureServer server(server_settings(authority));
  std::string body;
  for (int i = 0; body.size() < 3'000'000; ++i) body += std::to_string(i) + ",";
  auto answer = ask(server.port(), trusting(authority), {.body = body});
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->headers.get_or("Secure", ""), "yes");
  EXPECT_TRUE(answer->body == body);
  EXPECT_EQ(server.statistics().accepted, 1u);
}

TEST(Tls, clients_trust_the_given_authority_and_the_right_name_only) {
  TestAuthority authority, other("somebody else");
  authority.issue("server");
  authority.issue("named", {.names = "DNS:localhost"});
  SecureServer server(server_settings(authority)), named(server_settings(authority, "named"));
  EXPECT_TRUE(ask(server.port(), trusting(authority), {.host = "127.0.0.1"}).has_value());
  EXPECT_TRUE(ask(named.port(), trusting(authority)).has_value());
  expect_refusal(ask(named.port(), trusting(authority), {.host = "127.0.0.1"}), "the certificate is not accepted: IP address mismatch");
  expect_refusal(ask(server.port(), trusting(other)), "the certificate is not accepted");
  expect_refusal(ask(server.port(), {}), "the certificate is not accepted");
  ClientOptions careless;
  careless.verify_tls = false;
  EXPECT_TRUE(ask(named.port(), careless, {.host = "127.0.0.1"}).has_value());
  ClientOptions lost;
  lost.ca_file = "/no/such/file";
  EXPECT_EQ(ask(server.port(), lost).error().code, Code::InvalidArgument);
  EXPECT_GE(server.statistics().refused, 2u);
}

TEST(Tls, an_expired_certificate_is_refused) {
  TestAuthority authority;
  authority.issue("server", {.begins_in_seconds = -7200, .ends_in_seconds = -3600});
  SecureServer server(server_settings(authority));
  expect_refusal(ask(server.port(), trusting(authority)), "certificate has expired");
}

TEST(Tls, a_server_takes_clients_with_a_good_certificate_only_when_told_to) {
  TestAuthority authority, other("somebody else");
  authority.issue("server");
  authority.issue("client");
  authority.issue("old", {.begins_in_seconds = -7200, .ends_in_seconds = -3600});
  other.issue("stranger");
  TlsSettings settings = server_settings(authority);
  settings.verify_client = settings.require_client = true;
  SecureServer strict(settings);
  EXPECT_TRUE(ask(strict.port(), with_certificate(authority, authority, "client")).has_value());
  expect_refusal(ask(strict.port(), trusting(authority)), "the other side refuses: certificate required");
  expect_refusal(ask(strict.port(), with_certificate(authority, other, "stranger")), "the other side refuses: unknown CA");
  expect_refusal(ask(strict.port(), with_certificate(authority, authority, "old")), "the other side refuses: certificate expired");

  settings.require_client = false;
  SecureServer lenient(settings);
  EXPECT_TRUE(ask(lenient.port(), trusting(authority)).has_value());
  EXPECT_TRUE(ask(lenient.port(), with_certificate(authority, authority, "client")).has_value());
  expect_refusal(ask(lenient.port(), with_certificate(authority, other, "stranger")), "unknown CA");
}

TEST(Tls, a_plain_client_is_told_what_to_do) {
  TestAuthority authority;
  authority.issue("server");
  SecureServer server(server_settings(authority));
  auto answer = ask(server.port(), {}, {.scheme = "http"});
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->status, 400);
  EXPECT_EQ(answer->body, "This port speaks TLS: use https:// instead here.\n");
  TestServer plain([](Request, Responder responder) { responder.reply(Response()); });
  expect_refusal(ask(plain.port(), trusting(authority)), "the other side does not speak TLS");
}

TEST(Tls, with_downgrade_one_port_takes_both) {
  TestAuthority authority;
  authority.issue("server");
  TlsSettings settings = server_settings(authority);
  settings.support_downgrade = true;
  SecureServer server(settings);
  const std::string body(300'000, 'b');
  for (const char* scheme : {"http", "https"}) {
    auto answer = ask(server.port(), trusting(authority), {.scheme = scheme, .body = body});
    ASSERT_TRUE(answer.has_value()) << answer.error().message;
    EXPECT_EQ(answer->headers.get_or("Secure", ""), std::string(scheme) == "https" ? "yes" : "no");
    EXPECT_TRUE(answer->body == body);
  }
}

TEST(Tls, sessions_are_resumed) {
  TestAuthority authority;
  authority.issue("server");
  for (const bool newest : {true, false}) {
    TlsSettings settings = server_settings(authority);
    settings.tls_1_3 = newest;
    settings.verify_client = true;  // needs a session context
    SecureServer server(settings);
    TlsSettings wanted;
    wanted.ca_file = authority.ca_file();
    wanted.verify_server = true;
    ClientOptions options;
    options.tls = Tls::open(wanted).value();
    ASSERT_TRUE(ask(server.port(), options, {}, 3).has_value());
    EXPECT_EQ(server.statistics().accepted, 3u);
    EXPECT_EQ(server.statistics().resumed, 2u) << (newest ? "TLS 1.3" : "TLS 1.2");
  }
}

TEST(Tls, new_files_are_taken_without_a_restart) {
  TestAuthority authority, next("the next authority");
  authority.issue("server");
  next.issue("server");
  SecureServer server(server_settings(authority));
  server.watch();
  ASSERT_TRUE(ask(server.port(), trusting(authority)).has_value());
  const auto wait_for = [&](const auto& condition) {
    for (int i = 0; i < 4000 && !condition(server.statistics()); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return condition(server.statistics());
  };
  // Half of the change: certificate and key do not belong together, what was there goes on.
  const std::string certificate = read_file(next.cert_file("server"), 1 << 16).value();
  const std::string key = read_file(next.key_file("server"), 1 << 16).value();
  ASSERT_TRUE(write_file_atomic(authority.cert_file("server"), certificate));
  ASSERT_TRUE(wait_for([](const Tls::Statistics& s) { return s.failed_reloads >= 1; }));
  EXPECT_TRUE(ask(server.port(), trusting(authority)).has_value());
  ASSERT_TRUE(write_file_atomic(authority.key_file("server"), key, 0600));
  ASSERT_TRUE(wait_for([](const Tls::Statistics& s) { return s.reloads >= 1; }));
  EXPECT_TRUE(ask(server.port(), trusting(next)).has_value());
  expect_refusal(ask(server.port(), trusting(authority)), "the certificate is not accepted");
}

TEST(Tls, names_what_is_wrong_with_the_files) {
  TestAuthority authority;
  authority.issue("a");
  authority.issue("b");
  const auto error_of = [](const TlsSettings& settings) {
    const auto tls = Tls::open(settings);
    return tls ? std::string() : tls.error().message;
  };
  TlsSettings settings = server_settings(authority, "a");
  EXPECT_EQ(error_of(settings), "");
  settings.key_file = authority.key_file("b");
  EXPECT_NE(error_of(settings).find("does not belong to the certificate"), std::string::npos) << error_of(settings);
  settings.key_file = "/no/such/key";
  EXPECT_NE(error_of(settings).find("/no/such/key"), std::string::npos);
  settings = server_settings(authority, "a");
  settings.cert_file = authority.key_file("a");
  EXPECT_NE(error_of(settings).find("cannot read the certificate"), std::string::npos);
  settings = server_settings(authority, "a");
  settings.ciphers = "NONE-SUCH";
  EXPECT_NE(error_of(settings).find("NONE-SUCH"), std::string::npos);
  settings.ciphers.clear();
  ::chmod(settings.key_file.c_str(), 0604);
  EXPECT_NE(error_of(settings).find("others can read the private key"), std::string::npos);
}

TEST(Tls, a_client_that_says_nothing_is_dropped_in_time) {
  TestAuthority authority;
  authority.issue("server");
  ServerOptions options;
  options.tls = Tls::open(server_settings(authority)).value();
  options.idle_timeout = milliseconds(20);
  TestServer server([](Request, Responder responder) { responder.reply(Response()); }, options);
  Peer silent(server.port());
  Peer stuck(server.port());
  stuck.say(std::string_view("\x16\x03\x01\x02\x00", 5));
  EXPECT_TRUE(server.has_connections(0));
}

TEST(Tls, a_protocol_that_is_not_http_is_refused) {
  TestAuthority authority;
  authority.issue("server");
  SecureServer server(server_settings(authority));
  SSL_CTX* context = ::SSL_CTX_new(::TLS_client_method());
  const auto handshake = [&](std::string_view protocols, int newest) {
    Peer peer(server.port());
    SSL* ssl = ::SSL_new(context);
    SSL_set_max_proto_version(ssl, newest);
    ::SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(protocols.data()), static_cast<unsigned>(protocols.size()));
    ::SSL_set_fd(ssl, peer.fd());
    const bool well = ::SSL_connect(ssl) == 1;
    ::SSL_free(ssl);
    return well;
  };
  EXPECT_TRUE(handshake(std::string_view("\x02h2\x08http/1.1", 12), TLS1_3_VERSION));
  EXPECT_FALSE(handshake(std::string_view("\x02h2", 3), TLS1_3_VERSION));
  EXPECT_FALSE(handshake(std::string_view("\x08http/1.1", 9), TLS1_1_VERSION));
  ::SSL_CTX_free(context);
}

TEST(Tls, upgraded_connections_and_streams_go_through) {
  TestAuthority authority;
  authority.issue("server");
  SecureServer server(server_settings(authority));
  Loop loop;
  Client client(loop, trusting(authority));
  ClientRequest request;
  request.url = Url::parse("https://localhost:" + std::to_string(server.port()) + "/").value();
  request.headers.set("Upgrade", "echo");
  const std::string sent(200'000, 'e');
  std::string got;
  ClientCall call;
  call = client.stream_upload(request, {.on_head = [&](const Response& head) {
                                          EXPECT_EQ(head.status, 101);
                                          call.write(sent);
                                        },
                                        .on_data = [&](std::string_view data) {
                                          got += data;
                                          if (got.size() == sent.size()) call.end();
                                        },
                                        .on_end = [&](Status) { loop.stop(); }});
  loop.run();
  EXPECT_TRUE(got == sent);
}

}  // namespace
}  // namespace base::http
