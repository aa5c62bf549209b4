// Decisions without sockets: files, refusals, waiting, errors in the form that was asked for.

#include "admin-router/gateway.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "admin-router/relay.hpp"
#include "base/file.hpp"
#include "base/loop.hpp"
#include "kernel/auth/jwt.hpp"

namespace admin_router {
namespace {

class Locked : public Authorizer {
 public:
  Verdict decide(const RequestHead& head, const Route& route, base::Now) override {
    Verdict verdict;
    if (route.access == Access::Open) return verdict;
    if (head.get(Name::Authorization).empty()) verdict.kind = Verdict::Kind::Unauthenticated;
    if (head.get(Name::Authorization) == "token=guest") verdict.kind = Verdict::Kind::Forbidden;
    if (head.get(Name::Authorization) == "token=cookie") verdict.authorization = "token=swapped";
    return verdict;
  }
};

class Deciding : public ::testing::Test {
 protected:
  Deciding() {
    char name[] = "/tmp/gateway-test-XXXXXX";
    root_ = ::mkdtemp(name);
    EXPECT_TRUE(base::make_directories(root_ + "/assets"));
    EXPECT_TRUE(base::write_file(root_ + "/index.html", "<html>"));
    EXPECT_TRUE(base::write_file(root_ + "/assets/a-1.js", "x"));
    EXPECT_TRUE(base::write_file(root_ + "/a b.txt", "blank"));
    files_ = StaticFiles(root_);
  }
  ~Deciding() override { EXPECT_TRUE(base::remove_tree(root_)); }

  Decision decide(const std::string& path, const std::string& fields = "",
                  const std::string& method = "GET", int second = 0) {
    text_ = method + " " + path + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
    EXPECT_FALSE(parse_request(text_, head_)) << text_;
    Decision out;
    base::Now now{base::Instant{base::seconds(100 + second)}, {}};
    gateway_.decide(head_, {"1.2.3.4", "127.0.0.1"}, now, true, out);
    return out;
  }
  void load() {
    base::Now now{base::Instant{base::seconds(100)}, {}};
    MasterSnapshot snapshot;
    snapshot.frameworks = {{"f1", "s", "http://10.0.0.1:80"}};
    table_.on(MasterConnected{{"10.0.0.9", 5050}}, now);
    table_.on(snapshot, now);
    table_.on(AppsSnapshot{}, now);
  }

  std::string root_, text_;
  RequestHead head_;
  Table table_;
  StaticFiles files_{""};
  base::Metrics metrics_;
  Locked locked_;
  OpenAuthorizer open_;
  Gateway gateway_{{}, table_, open_, files_, metrics_, {base::Instant{base::seconds(100)}, {}}};
  Gateway guarded_{{}, table_, locked_, files_, metrics_, {base::Instant{base::seconds(100)}, {}}};
};

TEST_F(Deciding, serves_files_with_their_type_and_lifetime) {
  Decision page = decide("/");
  EXPECT_EQ(*page.reply.body, "<html>");
  EXPECT_NE(page.reply.fields.find("Content-Type: text/html"), std::string::npos);
  EXPECT_NE(page.reply.fields.find("Cache-Control: no-cache\r\n"), std::string::npos);
  EXPECT_NE(page.reply.fields.find("X-Frame-Options: DENY\r\n"), std::string::npos);
  EXPECT_NE(decide("/assets/a-1.js").reply.fields.find("immutable"), std::string::npos);
  EXPECT_EQ(*decide("/a%20b.txt").reply.body, "blank");
  size_t at = page.reply.fields.find("ETag: ") + 6;
  std::string etag = page.reply.fields.substr(at, page.reply.fields.find("\r\n", at) - at);
  EXPECT_EQ(decide("/", "If-None-Match: " + etag + "\r\n").reply.status, 304);
}

TEST_F(Deciding, gives_browsers_the_page_for_its_own_addresses) {
  EXPECT_EQ(*decide("/nodes", "Accept: text/html\r\n").reply.body, "<html>");
  EXPECT_EQ(decide("/nodes").reply.status, 404);
  EXPECT_EQ(decide("/missing.js", "Accept: text/html\r\n").reply.status, 404);
  EXPECT_EQ(decide("/system/health/v1", "Accept: text/html\r\n").reply.status, 404);
  EXPECT_EQ(decide("/", "", "POST").reply.status, 405);
}

TEST_F(Deciding, never_opens_a_file_outside) {
  for (const char* path : {"/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd",
                           "/assets/..%2f..%2f..%2fetc%2fpasswd"})
    EXPECT_EQ(decide(path).reply.status, 400) << path;
  EXPECT_EQ(decide("/%2fetc%2fpasswd").reply.status, 404);
}

TEST_F(Deciding, sees_a_changed_file) {
  EXPECT_EQ(*decide("/").reply.body, "<html>");
  ASSERT_TRUE(base::write_file(root_ + "/index.html", "<html>new"));
  EXPECT_EQ(*decide("/").reply.body, "<html>new");
}

TEST_F(Deciding, asks_who_it_is_before_it_tells_what_exists) {
  load();
  auto guarded = [&](const std::string& path, const std::string& fields) {
    text_ = "GET " + path + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
    EXPECT_FALSE(parse_request(text_, head_));
    Decision out;
    guarded_.decide(head_, {}, {base::Instant{base::seconds(101)}, {}}, true, out);
    return out;
  };
  for (const char* path : {"/service/s/", "/service/none/", "/agent/none/", "/mesos/"}) {
    Decision refused = guarded(path, "");
    EXPECT_EQ(refused.reply.status, 401) << path;
    EXPECT_NE(refused.reply.fields.find("WWW-Authenticate: oauthjwt\r\n"), std::string::npos);
  }
  EXPECT_EQ(guarded("/service/none/", "Authorization: token=guest\r\n").reply.status, 403);
  Decision sent = guarded("/service/s/", "Authorization: token=cookie\r\n");
  EXPECT_EQ(sent.kind, Decision::Kind::Send);
  EXPECT_EQ(sent.forward.authorization, "token=swapped");
  EXPECT_EQ(guarded("/", "").reply.status, 200);
}

TEST_F(Deciding, sends_to_daemons_whose_address_is_a_flag) {
  GatewayConfig config;
  config.backends = {Address{"10.0.0.1", 7070}, Address{"10.0.0.2", 8123},
                     Address{"10.0.0.3", 62080}};
  Gateway gateway(config, table_, open_, files_, metrics_, {base::Instant{base::seconds(100)}, {}});
  auto sent = [&](const std::string& path) {
    text_ = "POST " + path + " HTTP/1.1\r\nHost: h\r\nAuthorization: token=x\r\n\r\n";
    EXPECT_FALSE(parse_request(text_, head_));
    Decision out;
    gateway.decide(head_, {}, {base::Instant{base::seconds(101)}, {}}, true, out);
    std::string upstream;
    if (out.kind == Decision::Kind::Send) write_upstream_head(head_, out.forward, {}, upstream);
    bool token = upstream.find("Authorization: token=x\r\n") != std::string::npos;
    return out.forward.address.text() + out.forward.target + (token ? " with token" : "");
  };
  EXPECT_EQ(sent("/package/list?x=1"), "10.0.0.1:7070/package/list?x=1 with token");
  EXPECT_EQ(sent("/capabilities"), "10.0.0.1:7070/capabilities with token");
  EXPECT_EQ(sent("/cosmos/service/describe"), "10.0.0.1:7070/service/describe with token");
  EXPECT_EQ(sent("/mesos_dns/v1/hosts/a.b"), "10.0.0.2:8123/v1/hosts/a.b");
  EXPECT_EQ(sent("/net/v1/vips"), "10.0.0.3:62080/v1/vips");
  EXPECT_EQ(sent("/navstar/lashup/key"), "10.0.0.3:62080/lashup/key");
  EXPECT_NE(decide("/package/list").reply.body->find("is not part of this cluster"),
            std::string::npos);
  EXPECT_EQ(decide("/mesos_dns").reply.fields, "Location: /mesos_dns/\r\n");
  EXPECT_EQ(decide("/cosmos/x").reply.status, 404);
}

TEST_F(Deciding, sends_what_is_about_users_to_the_user_service_when_there_is_one) {
  GatewayConfig config;
  config.backends.login = Address{"/run/x/api.sock", 0};
  Gateway gateway(config, table_, open_, files_, metrics_, {base::Instant{base::seconds(100)}, {}});
  auto target = [&](const std::string& path) {
    text_ = "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n";
    EXPECT_FALSE(parse_request(text_, head_));
    Decision out;
    gateway.decide(head_, {}, {base::Instant{base::seconds(101)}, {}}, true, out);
    return out.kind == Decision::Kind::Send ? out.forward.address.host + out.forward.target : "";
  };
  EXPECT_EQ(target("/acs/api/v1/auth/login"), "/run/x/api.sock/acs/api/v1/auth/login");
  EXPECT_EQ(target("/acs/api/v1/auth/providers"), "/run/x/api.sock/acs/api/v1/auth/providers");
  EXPECT_EQ(target("/acs/api/v1/users?type=service"),
            "/run/x/api.sock/acs/api/v1/users?type=service");
  EXPECT_EQ(target("/dcos-metadata/ui-config.json?_timestamp=1"),
            "/run/x/api.sock/acs/api/v1/uiconfig");
  EXPECT_EQ(target("/acs/other"), "");
  Decision login;
  text_ = "GET /login HTTP/1.1\r\nHost: h\r\n\r\n";
  ASSERT_FALSE(parse_request(text_, head_));
  gateway.decide(head_, {}, {base::Instant{base::seconds(101)}, {}}, true, login);
  EXPECT_EQ(login.reply.fields, "Location: /#/login\r\n");
  EXPECT_EQ(target("/metadata"), "");
  EXPECT_EQ(config.backends.login->text(), "a local socket");
  EXPECT_EQ(decide("/acs/api/v1/auth/login", "", "POST").reply.status, 404);
}

TEST_F(Deciding, waits_for_first_facts_and_not_for_ever) {
  EXPECT_EQ(decide("/service/s/").kind, Decision::Kind::Wait);
  EXPECT_EQ(decide("/mesos/state").kind, Decision::Kind::Wait);
  Decision late = decide("/mesos/state", "", "GET", 5);
  EXPECT_EQ(late.reply.status, 503);
  EXPECT_NE(late.reply.body->find("no leading Mesos master is known: not reached yet"),
            std::string::npos);
  load();
  EXPECT_EQ(decide("/mesos/state").kind, Decision::Kind::Send);
  EXPECT_EQ(decide("/service/other/").reply.status, 404);
}

TEST_F(Deciding, tells_how_old_its_facts_are) {
  load();
  EXPECT_EQ(decide("/service/s/", "", "GET", 1).forward.stale_seconds, 0);
  table_.on(MasterLost{"x"}, {base::Instant{base::seconds(100)}, {}});
  EXPECT_EQ(decide("/service/s/", "", "GET", 90).forward.stale_seconds, 90);
}

TEST_F(Deciding, words_errors_for_the_reader) {
  load();
  EXPECT_NE(
      decide("/service/x/", "Accept: application/json\r\n").reply.body->find("{\"status\":404,"),
      std::string::npos);
  EXPECT_NE(
      decide("/service/x/", "Accept: text/html\r\n").reply.body->find("<h1>404 Not Found</h1>"),
      std::string::npos);
  std::string hostile = *decide("/agent/<script>/", "Accept: text/html\r\n").reply.body;
  EXPECT_EQ(hostile.find("<script>"), std::string::npos) << hostile;
}

/// Lets everybody in who has a session.
class Sessions : public Authorizer {
 public:
  Verdict decide(const RequestHead&, const Route&, base::Now) override {
    Verdict verdict;
    verdict.authorization = "token=of-the-cookie";
    verdict.session = std::make_shared<const Claims>();
    return verdict;
  }
};

TEST_F(Deciding, keeps_the_token_from_masters_and_agents) {
  base::Now now{base::Instant{base::seconds(100)}, {}};
  MasterSnapshot snapshot;
  snapshot.agents = {{"a1", "node1", {"10.0.0.2", 5051}}};
  snapshot.frameworks = {{"f1", "s", "http://10.0.0.1:80"}};
  table_.on(MasterConnected{{"10.0.0.9", 5050}}, now);
  table_.on(snapshot, now);
  table_.on(AppsSnapshot{}, now);
  Sessions sessions;
  GatewayConfig known;
  known.cluster_authorization = "Basic x";
  known.cluster_tls = true;
  Gateway plain({}, table_, sessions, files_, metrics_, now);
  Gateway somebody(known, table_, sessions, files_, metrics_, now);
  const auto forward = [&](Gateway& gateway, const std::string& path) {
    text_ = "GET " + path + " HTTP/1.1\r\nHost: h\r\nAuthorization: token=abc\r\n\r\n";
    EXPECT_FALSE(parse_request(text_, head_));
    Decision out;
    gateway.decide(head_, {"1.2.3.4", "127.0.0.1"}, now, true, out);
    EXPECT_EQ(out.kind, Decision::Kind::Send) << path;
    std::string text;
    write_upstream_head(head_, out.forward, {"1.2.3.4", "127.0.0.1"}, text);
    return std::pair(out.forward, text);
  };
  for (const char* path : {"/mesos/state", "/agent/a1/state"}) {
    const auto [dropped, text] = forward(plain, path);
    EXPECT_EQ(text.find("Authorization"), std::string::npos) << text;
    EXPECT_FALSE(dropped.address.tls);
    const auto [replaced, other] = forward(somebody, path);
    EXPECT_NE(other.find("Authorization: Basic x\r\n"), std::string::npos) << other;
    EXPECT_EQ(other.find("token="), std::string::npos) << other;
    EXPECT_TRUE(replaced.address.tls && replaced.address.checked);
  }
  for (Gateway* gateway : {&plain, &somebody}) {
    const auto [kept, text] = forward(*gateway, "/service/s/x");
    EXPECT_NE(text.find("Authorization: token=of-the-cookie"), std::string::npos) << text;
    EXPECT_FALSE(kept.address.tls);
  }
}

}  // namespace
}  // namespace admin_router
