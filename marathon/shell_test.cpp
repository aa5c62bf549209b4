// The daemon's shell over real sockets: HTTP in, a scripted master behind it.

#include "marathon/shell.hpp"

#include <gtest/gtest.h>

#include "base/http/client.hpp"
#include "base/http/server.hpp"
#include "base/http/test_certificates.hpp"
#include "base/http/tls.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "base/testing/temporary_directory.hpp"
#include "kernel/api/content.hpp"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"
#include "marathon/backup.hpp"
#include "marathon/prober.hpp"

namespace marathon {
namespace {

namespace pb = mesos::v1;
using pb::scheduler::Call;
using pb::scheduler::Event;

constexpr auto kType = api::ContentType::Protobuf;

/// Speaks enough of the scheduler API: one agent, tasks run at once.
class FakeMaster {
 public:
  explicit FakeMaster(base::Loop& loop)
      : server_(loop, {}, [this](base::http::Request request, base::http::Responder responder) {
          handle(std::move(request), responder);
        }) {
    port = server_.listen("127.0.0.1", 0).value();
  }

  void send(const Event& event) { stream_.write(api::encode_record(kType, event)); }

  uint16_t port = 0;
  std::string redirect_to;
  std::vector<Call> calls;

 private:
  void handle(base::http::Request request, const base::http::Responder& responder) {
    if (!redirect_to.empty()) {
      base::http::Response response;
      response.status = 307;
      response.headers.set("Location", "//" + redirect_to + "/api/v1/scheduler");
      return responder.reply(std::move(response));
    }
    Call call;
    ASSERT_TRUE(call.ParseFromString(request.body));
    calls.push_back(call);
    if (call.type() == Call::SUBSCRIBE) return subscribe(responder);
    base::http::Response accepted;
    accepted.status = 202;
    responder.reply(std::move(accepted));
    if (call.type() == Call::REVIVE) offer();
    if (call.type() != Call::ACCEPT) return;
    for (const auto& task : call.accept().operations(0).launch().task_infos()) {
      Event event;
      event.set_type(Event::UPDATE);
      auto& status = *event.mutable_update()->mutable_status();
      *status.mutable_task_id() = task.task_id();
      *status.mutable_agent_id() = task.agent_id();
      status.set_state(pb::TASK_RUNNING);
      status.set_uuid("0123456789abcdef");
      send(event);
    }
  }

  void subscribe(const base::http::Responder& responder) {
    base::http::Response head;
    head.headers.set("Content-Type", "application/x-protobuf");
    head.headers.set("Mesos-Stream-Id", "s1");
    stream_ = responder.stream(std::move(head));
    Event event;
    event.set_type(Event::SUBSCRIBED);
    event.mutable_subscribed()->mutable_framework_id()->set_value("F7");
    event.mutable_subscribed()->set_heartbeat_interval_seconds(15);
    send(event);
    offer();
  }

  void offer() {
    Event event;
    event.set_type(Event::OFFERS);
    auto& offer = *event.mutable_offers()->add_offers();
    offer.mutable_id()->set_value("O" + std::to_string(++offers_));
    offer.mutable_framework_id()->set_value("F7");
    offer.mutable_agent_id()->set_value("A1");
    offer.set_hostname("localhost");
    offer.mutable_allocation_info()->set_role("*");
    for (auto [name, amount] : {std::pair{"cpus", 4.0}, std::pair{"mem", 4096.0}}) {
      auto& resource = *offer.add_resources();
      resource.set_name(name);
      resource.set_type(pb::Value::SCALAR);
      resource.mutable_scalar()->set_value(amount);
    }
    auto& ports = *offer.add_resources();
    ports.set_name("ports");
    ports.set_type(pb::Value::RANGES);
    auto& range = *ports.mutable_ranges()->add_range();
    range.set_begin(31000);
    range.set_end(32000);
    send(event);
  }

  base::http::Server server_;
  base::http::Stream stream_;
  int offers_ = 0;
};

class ShellTest : public ::testing::Test {
 protected:
  ShellTest() : master(loop), client(loop) {
    store = std::move(base::open_store(loop, "memory:")).value();
    start("127.0.0.1:" + std::to_string(master.port));
  }

  void start(const std::string& address) {
    std::string help;
    bool wants_help = false;
    const std::string master_flag = "--master=" + address;
    const char* argv[] = {"dcos-marathon", master_flag.c_str(), "--http_port=0", "--hostname=localhost"};
    auto parsed = Flags::parse(4, argv, {}, help, wants_help);
    ASSERT_TRUE(parsed) << parsed.error().message;
    flags = *parsed;
    shell.reset();
    shell = std::make_unique<Shell>(loop, *store, flags);
    port = shell->start().value();
  }

  base::http::Response request(const std::string& method, const std::string& target, const std::string& body = "") {
    base::http::ClientRequest r;
    r.method = method;
    r.url.host = "127.0.0.1";
    r.url.port = port;
    r.url.target = target;
    r.body = body;
    base::http::Response answer;
    answer.status = 0;
    client.request(std::move(r), [&](base::Result<base::http::Response> response) {
      if (response) answer = *response;
      loop.stop();
    });
    loop.run();
    return answer;
  }

  /// Runs the loop until `done` or a generous limit.
  void run_until(const std::function<bool()>& done) {
    for (int i = 0; i < 2000 && !done(); ++i) {
      loop.after(base::milliseconds(5), [this] { loop.stop(); });
      loop.run();
    }
    EXPECT_TRUE(done());
  }

  bool is_running(const std::string& app) {
    return request("GET", "/v2/apps/" + app).body.find("\"tasksRunning\":1") != std::string::npos;
  }

  base::Loop loop;
  FakeMaster master;
  base::http::Client client;
  std::unique_ptr<base::Store> store;
  Flags flags;
  std::unique_ptr<Shell> shell;
  uint16_t port = 0;
};

TEST_F(ShellTest, runs_an_app_and_remembers_it) {
  const auto created = request("POST", "/v2/apps", R"({"id":"Hello","cmd":"sleep 1","cpus":0.1,"mem":32})");
  EXPECT_EQ(created.status, 201);
  EXPECT_TRUE(created.headers.has("X-Marathon-Leader"));
  EXPECT_EQ(created.headers.get("Cache-Control"), "no-cache, no-store, must-revalidate");
  run_until([&] { return is_running("hello"); });
  run_until([&] {
    return std::any_of(master.calls.begin(), master.calls.end(),
                       [](const Call& call) { return call.type() == Call::ACKNOWLEDGE; });
  });
  master.calls.clear();
  start("127.0.0.1:" + std::to_string(master.port));
  EXPECT_TRUE(is_running("hello"));
  run_until([&] { return !master.calls.empty(); });
  EXPECT_EQ(master.calls[0].type(), Call::SUBSCRIBE);
  EXPECT_EQ(master.calls[0].framework_id().value(), "F7");
  run_until([&] {
    return std::any_of(master.calls.begin(), master.calls.end(), [](const Call& call) {
      return call.type() == Call::RECONCILE && call.reconcile().tasks_size() == 1;
    });
  });
}

TEST_F(ShellTest, finds_the_leading_master) {
  FakeMaster standby(loop);
  standby.redirect_to = "127.0.0.1:" + std::to_string(master.port);
  store = std::move(base::open_store(loop, "memory:")).value();
  shell.reset();
  master.calls.clear();
  start("127.0.0.1:" + std::to_string(standby.port));
  run_until([&] { return !master.calls.empty(); });
}

TEST_F(ShellTest, event_streams_carry_what_was_asked_for) {
  EXPECT_EQ(request("GET", "/v2/events").status, 405);
  base::http::ClientRequest r;
  r.url.host = "127.0.0.1";
  r.url.port = port;
  r.url.target = "/v2/events?event_type=deployment_success&event_type=event_stream_attached";
  r.headers = {{"Accept", "text/event-stream"}};
  std::string received;
  int status = 0;
  auto call = client.stream(std::move(r), {.on_head = [&](const base::http::Response& head) { status = head.status; },
                                           .on_data = [&](std::string_view data) { received += data; },
                                           .on_end = [](base::Status) {}});
  run_until([&] { return received.find("event: event_stream_attached\r\nid: ") != std::string::npos; });
  EXPECT_EQ(status, 200);
  request("POST", "/v2/apps", R"({"id":"a","cmd":"sleep 1","cpus":0.1,"mem":32})");
  run_until([&] { return received.find("event: deployment_success\r\nid: ") != std::string::npos; });
  EXPECT_EQ(received.find("status_update_event"), std::string::npos);
  call.cancel();
}

TEST_F(ShellTest, a_burst_beyond_the_limit_cuts_nobody_who_reads) {
  shell.reset();
  flags.event_stream_max_outstanding_messages = 5;
  shell = std::make_unique<Shell>(loop, *store, flags);
  port = shell->start().value();
  base::http::ClientRequest r;
  r.url.host = "127.0.0.1";
  r.url.port = port;
  r.url.target = "/v2/events";
  r.headers = {{"Accept", "text/event-stream"}};
  std::string received;
  bool ended = false;
  auto call = client.stream(std::move(r), {.on_head = [](const base::http::Response&) {},
                                           .on_data = [&](std::string_view data) { received += data; },
                                           .on_end = [&](base::Status) { ended = true; }});
  run_until([&] { return received.find("event: event_stream_attached\r\nid: ") != std::string::npos; });
  const auto count = [&] {
    size_t found = 0;
    for (size_t at = received.find("event: instance_changed_event"); at != std::string::npos;
         at = received.find("event: instance_changed_event", at + 1))
      ++found;
    return found;
  };
  // All of its instances begin to wait in one turn.
  request("POST", "/v2/apps", R"({"id":"many","cmd":"sleep 1","cpus":0.1,"mem":32,"instances":40})");
  run_until([&] { return count() >= 40 || ended; });
  EXPECT_FALSE(ended);
  EXPECT_GE(count(), 40U);  // those that are launched meanwhile tell of it, too
  call.cancel();
}

TEST_F(ShellTest, speaks_tls_on_its_port_and_says_so) {
  base::http::TestAuthority authority;
  authority.issue("server");
  base::TlsSettings settings;
  settings.enabled = true;
  settings.cert_file = authority.cert_file("server");
  settings.key_file = authority.key_file("server");
  flags.tls = settings;
  shell.reset();
  shell = std::make_unique<Shell>(loop, *store, flags, base::http::Tls::open(settings).value());
  port = shell->start().value();
  base::http::Client trusting(loop, {.ca_file = authority.ca_file()});
  const auto ask = [&](const std::string& scheme) {
    base::http::ClientRequest r;
    r.url.scheme = scheme;
    r.url.host = "127.0.0.1";
    r.url.port = port;
    r.url.target = "/v2/info";
    base::http::Response answer;
    answer.status = 0;
    trusting.request(std::move(r), [&](base::Result<base::http::Response> response) {
      if (response) answer = std::move(*response);
      loop.stop();
    });
    loop.run();
    return answer;
  };
  const auto answer = ask("https");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.get("X-Marathon-Leader"), "https://localhost:" + std::to_string(port));
  EXPECT_NE(answer.body.find("\"webui_url\":\"https://localhost:"), std::string::npos) << answer.body;
  EXPECT_NE(ask("http").status, 200);
}

TEST_F(ShellTest, whoever_comes_back_gets_the_events_it_missed) {
  const auto listen = [&](const std::string& last, std::string& received) {
    base::http::ClientRequest r;
    r.url.host = "127.0.0.1";
    r.url.port = port;
    r.url.target = "/v2/events?event_type=api_post_event&event_type=event_stream_attached";
    r.headers = {{"Accept", "text/event-stream"}};
    if (!last.empty()) r.headers.set("Last-Event-ID", last);
    return client.stream(std::move(r), {.on_head = [](const base::http::Response&) {},
                                        .on_data = [&received](std::string_view data) { received += data; },
                                        .on_end = [](base::Status) {}});
  };
  std::string first;
  auto call = listen("", first);
  run_until([&] { return first.find("\r\n\r\n") != std::string::npos; });
  EXPECT_EQ(first.find("event_stream_gap"), std::string::npos);
  const size_t id = first.find("id: ") + 4;
  const std::string last = first.substr(id, first.find("\r\n", id) - id);
  call.cancel();
  request("POST", "/v2/apps", R"({"id":"missed","cmd":"sleep 1","cpus":0.1,"mem":32})");
  std::string second;
  call = listen(last, second);
  run_until([&] { return second.find("event_stream_attached") != std::string::npos; });
  const size_t missed = second.find("event: api_post_event");
  ASSERT_NE(missed, std::string::npos) << second;
  EXPECT_LT(missed, second.find("event: event_stream_attached")) << "the past comes first";
  EXPECT_EQ(second.find("event_stream_gap"), std::string::npos);
  call.cancel();
  for (const char* strange : {"12345678-7", "", "nonsense", "-1", "99999999999999999999"}) {
    std::string third;
    if (*strange == '\0') continue;
    call = listen(strange, third);
    run_until([&] { return third.find("event_stream_attached") != std::string::npos; });
    EXPECT_TRUE(third.starts_with("event: event_stream_gap\r\ndata: {")) << third;
    call.cancel();
  }
}

TEST_F(ShellTest, a_backup_taken_while_it_runs_brings_everything_back) {
  request("POST", "/v2/apps", R"({"id":"/g/kept","cmd":"echo \"ü\n\"","cpus":0.1,"mem":32})");
  run_until([&] { return is_running("g/kept"); });
  const auto backup = request("GET", "/v2/backup");
  ASSERT_EQ(backup.status, 200);
  const base::testing::TemporaryDirectory directory;
  const std::string file = directory / "backup";
  ASSERT_TRUE(base::write_file(file, backup.body));
  EXPECT_FALSE(restore_backup(loop, *store, file)) << "only into an empty store";
  const std::string shown = request("GET", "/v2/groups").body;
  shell.reset();
  store = std::move(base::open_store(loop, "memory:")).value();
  ASSERT_TRUE(restore_backup(loop, *store, file));
  start("127.0.0.1:" + std::to_string(master.port));
  EXPECT_EQ(request("GET", "/v2/groups").body, shown);
  EXPECT_TRUE(is_running("g/kept")) << "its task is known";
  run_until([&] { return !master.calls.empty() && master.calls.back().type() != Call::SUBSCRIBE; });
  // What is cut off or spoilt is refused whole.
  for (size_t length = 0; length < backup.body.size(); length += 1 + length / 50) {
    EXPECT_FALSE(parse_backup(backup.body.substr(0, length))) << length;
  }
  for (const char* text : {"", "{}\n", "[1,2]\n", "{\"backup\":\"marathon\",\"entries\":1}\n[\"a\"]\n",
                           "{\"backup\":\"chronos\",\"entries\":0}\n", "{\"backup\":\"marathon\",\"entries\":\"x\"}\n"}) {
    EXPECT_FALSE(parse_backup(text)) << text;
  }
  auto empty = std::move(base::open_store(loop, "memory:")).value();
  ASSERT_TRUE(base::write_file(file, backup.body.substr(0, backup.body.size() - 1)));
  EXPECT_FALSE(restore_backup(loop, *empty, file));
  EXPECT_TRUE(empty->scan("").value().empty()) << "nothing is half-restored";
}

/// What comes of one probe of a server on a real socket.
class ProberTest : public ::testing::Test {
 protected:
  ProberTest() : prober(loop, [this](Probed result) { probed = std::move(result); loop.stop(); }) {}

  Probed probe(uint16_t port, base::Duration timeout = base::seconds(20), bool want_body = false,
               ProbeKind kind = ProbeKind::Http) {
    probed = {};
    prober.probe({7, kind, "127.0.0.1", port, "/", timeout, want_body});
    loop.run();
    return probed;
  }

  base::Loop loop;
  Probed probed;
  Prober prober;
};

TEST_F(ProberTest, large_trickling_and_hanging_answers) {
  std::vector<base::http::Responder> hanging;
  std::vector<base::http::Stream> trickling;
  std::string kind;
  base::http::Server server(loop, {}, [&](base::http::Request, base::http::Responder responder) {
    if (kind == "hang") return hanging.push_back(responder);
    if (kind == "large") return responder.reply(base::http::Response::text(200, std::string(10 << 20, 'x')));
    base::http::Response head;
    head.status = 200;
    trickling.push_back(responder.stream(std::move(head)));
    trickling.back().write("first");
  });
  const uint16_t port = server.listen("127.0.0.1", 0).value();
  kind = "large";
  EXPECT_EQ(probe(port).status, 200) << "the size of a body is nobody's health: " << probed.error;
  EXPECT_EQ(probe(port, base::seconds(20), true).body.size(), 4096U);
  kind = "trickle";
  EXPECT_EQ(probe(port).status, 200) << "the head is the answer: " << probed.error;
  EXPECT_EQ(probe(port, base::milliseconds(200), true).body, "first");
  kind = "hang";
  EXPECT_EQ(probe(port, base::milliseconds(200)).status, 0);
  EXPECT_NE(probed.error, "");
  EXPECT_EQ(probed.id, 7U);
}

TEST_F(ProberTest, https_takes_any_certificate_but_nothing_that_is_no_tls) {
  base::http::TestAuthority authority("nobody knows it");
  base::http::CertificateWanted wanted;
  wanted.names = "DNS:another.host";
  authority.issue("server", wanted);
  base::TlsSettings settings;
  settings.enabled = true;
  settings.cert_file = authority.cert_file("server");
  settings.key_file = authority.key_file("server");
  base::http::ServerOptions options;
  options.tls = base::http::Tls::open(settings).value();
  int status = 204;
  const auto answer = [&](base::http::Request, base::http::Responder responder) {
    base::http::Response response;
    response.status = status;
    responder.reply(std::move(response));
  };
  base::http::Server secure(loop, options, answer), plain(loop, {}, answer);
  const uint16_t secure_port = secure.listen("127.0.0.1", 0).value(), plain_port = plain.listen("127.0.0.1", 0).value();
  EXPECT_EQ(probe(secure_port, base::seconds(20), false, ProbeKind::Https).status, 204) << probed.error;
  status = 503;
  EXPECT_EQ(probe(secure_port, base::seconds(20), false, ProbeKind::Https).status, 503) << probed.error;
  EXPECT_EQ(probe(plain_port, base::seconds(20), false, ProbeKind::Https).status, 0);
  EXPECT_NE(probed.error, "");
  EXPECT_EQ(probe(plain_port).status, 503);
}

TEST_F(ShellTest, credentials_are_asked_for_everywhere_and_shown_nowhere) {
  flags.http_credentials = "user:hush-hush";
  shell.reset();
  shell = std::make_unique<Shell>(loop, *store, flags);
  port = shell->start().value();
  for (const char* target : {"/v2/apps", "/v2/info", "/ping", "/metrics", "/v2/events", "/nothing", "/"}) {
    const auto response = request("GET", target);
    EXPECT_EQ(response.status, 401) << target;
    EXPECT_EQ(response.headers.get_or("WWW-Authenticate", ""), "Basic realm=\"Mesosphere\"");
  }
  const auto with = [&](const std::string& target, const std::string& credentials) {
    base::http::ClientRequest r;
    r.url.host = "127.0.0.1";
    r.url.port = port;
    r.url.target = target;
    r.headers = {{"Authorization", "Basic " + base::base64_encode(credentials)}};
    base::http::Response answer;
    client.request(std::move(r), [&](base::Result<base::http::Response> response) {
      if (response) answer = *response;
      loop.stop();
    });
    loop.run();
    return answer;
  };
  EXPECT_EQ(with("/v2/apps", "user:wrong-one").status, 401);
  EXPECT_EQ(with("/v2/apps", "user:hush-hush2").status, 401);
  EXPECT_EQ(with("/v2/apps", "").status, 401);
  for (const char* target : {"/v2/info", "/v2/apps", "/metrics", "/ping"}) {
    const auto response = with(target, "user:hush-hush");
    EXPECT_EQ(response.status, 200) << target;
    EXPECT_EQ(response.body.find("hush"), std::string::npos) << target;
  }
}

TEST_F(ShellTest, event_streams_and_lists_show_what_a_user_may_see) {
  const base::testing::TemporaryDirectory directory;
  flags.http_authorization = directory / "table";
  ASSERT_TRUE(base::write_file(*flags.http_authorization, R"({"users":{
    "root":{"password":"r","rules":[{"path":"/","actions":["read","write","delete"]}]},
    "team":{"password":"t","rules":[{"path":"/v2/apps/team","actions":["read"]}]}}})"));
  shell.reset();
  shell = std::make_unique<Shell>(loop, *store, flags);
  port = shell->start().value();
  const auto ask = [&](const std::string& method, const std::string& target, const std::string& user, const std::string& body = "") {
    base::http::ClientRequest r;
    r.method = method;
    r.url.host = "127.0.0.1";
    r.url.port = port;
    r.url.target = target;
    r.body = body;
    r.headers = {{"Authorization", "Basic " + base::base64_encode(user)}};
    base::http::Response answer;
    client.request(std::move(r), [&](base::Result<base::http::Response> response) {
      if (response) answer = *response;
      loop.stop();
    });
    loop.run();
    return answer;
  };
  const auto listen = [&](const std::string& user, const std::string& last, std::string& received) {
    base::http::ClientRequest r;
    r.url.host = "127.0.0.1";
    r.url.port = port;
    r.url.target = "/v2/events?event_type=api_post_event&event_type=event_stream_attached";
    r.headers = {{"Accept", "text/event-stream"}, {"Authorization", "Basic " + base::base64_encode(user)}};
    if (!last.empty()) r.headers.set("Last-Event-ID", last);
    return client.stream(std::move(r), {.on_head = [](const base::http::Response&) {},
                                        .on_data = [&received](std::string_view data) { received += data; },
                                        .on_end = [](base::Status) {}});
  };
  std::string all, part, later;
  auto root = listen("root:r", "", all), team = listen("team:t", "", part);
  run_until([&] { return all.find("attached") != std::string::npos && part.find("attached") != std::string::npos; });
  const std::string first = part.substr(part.find("id: ") + 4, part.find("\r\n", part.find("id: ")) - part.find("id: ") - 4);
  for (const char* app : {"/other/x", "/team/x"}) {
    const std::string body = std::string(R"({"id":")") + app + R"(","cmd":"sleep 1","instances":0})";
    EXPECT_EQ(ask("POST", "/v2/apps", "root:r", body).status, 201);
    EXPECT_EQ(ask("POST", "/v2/apps", "team:t", body).status, 403);
  }
  run_until([&] { return all.find("/team/x") != std::string::npos && part.find("/team/x") != std::string::npos; });
  EXPECT_NE(all.find("/other/x"), std::string::npos);
  EXPECT_EQ(part.find("/other"), std::string::npos) << part;
  auto again = listen("team:t", first, later);
  run_until([&] { return later.find("/team/x") != std::string::npos; });
  EXPECT_EQ(later.find("/other"), std::string::npos) << "nor from the past: " << later;
  const std::string apps = ask("GET", "/v2/apps", "team:t").body;
  EXPECT_NE(apps.find("/team/x"), std::string::npos);
  EXPECT_EQ(apps.find("/other"), std::string::npos);
  EXPECT_EQ(ask("GET", "/v2/apps/other/x", "team:t").status, 403);
}

TEST_F(ShellTest, the_logs_level_is_told_and_changed_for_a_while) {
  const auto before = base::log::level();
  base::log::set_level(base::log::Level::Info);
  EXPECT_EQ(request("GET", "/logging").body, R"({"ROOT":"INFO"})");
  const auto changed = request("POST", "/logging", R"({"level":"error","logger":"mesosphere.marathon","durationSeconds":1})");
  EXPECT_EQ(changed.status, 200);
  EXPECT_EQ(changed.body, R"({"level":"error","logger":"mesosphere.marathon","durationSeconds":1})");
  EXPECT_EQ(request("GET", "/logging").body, R"({"ROOT":"ERROR"})");
  run_until([&] { return base::log::level() == base::log::Level::Info; });
  EXPECT_EQ(request("POST", "/logging", R"({"level":"warn","logger":"ROOT"})").status, 200);
  EXPECT_EQ(request("GET", "/logging").body, R"({"ROOT":"WARN"})");
  for (const char* bad : {"", "[]", R"({"level":"loud","logger":"ROOT"})", R"({"level":"warn"})",
                          R"({"level":"warn","logger":"ROOT","durationSeconds":-1})"}) {
    EXPECT_GE(request("POST", "/logging", bad).status, 400) << bad;
  }
  EXPECT_EQ(request("DELETE", "/logging").status, 405);
  EXPECT_EQ(base::log::level(), base::log::Level::Warning);
  base::log::set_level(before);
}

TEST_F(ShellTest, people_are_led_to_the_pages) {
  EXPECT_EQ(request("GET", "/").status, 302);
  EXPECT_EQ(request("GET", "/").headers.get_or("Location", ""), "/ui/");
  EXPECT_EQ(request("GET", "/ui/").status, 404);
  flags.ui_url = "https://gateway/#/services";
  EXPECT_EQ(request("GET", "/ui/").headers.get_or("Location", ""), "https://gateway/#/services");
  EXPECT_TRUE(request("GET", "/ui/").headers.has("X-Marathon-Leader"));
}

TEST(MarathonFlags, tell_of_every_setting_that_clients_look_for) {
  Flags flags;
  flags.master = "zk://u:secret@h:2181/mesos";
  flags.zk = "zk://u:secret@h:2181/marathon";
  const Identity identity = flags.identity(8080);
  for (const char* key : {"checkpoint", "decline_offer_duration", "executor", "failover_timeout", "features", "framework_name", "ha",
                          "hostname", "launch_token", "launch_token_refresh_interval", "leader_proxy_connection_timeout_ms",
                          "leader_proxy_read_timeout_ms", "local_port_max", "local_port_min", "maintenance_mode", "master",
                          "max_instances_per_offer", "mesos_bridge_name", "mesos_heartbeat_failure_threshold",
                          "mesos_heartbeat_interval", "mesos_role", "mesos_user", "min_revive_offers_interval",
                          "new_group_enforce_role", "offer_matching_timeout", "on_elected_prepare_timeout",
                          "reconciliation_initial_delay", "reconciliation_interval", "scale_apps_initial_delay",
                          "scale_apps_interval", "store_cache", "task_launch_confirm_timeout", "task_launch_timeout",
                          "task_lost_expunge_initial_delay", "task_lost_expunge_interval", "task_reservation_timeout", "webui_url"}) {
    EXPECT_NE(identity.marathon_config.find("\"" + std::string(key) + "\":"), std::string::npos) << key;
  }
  EXPECT_EQ((identity.marathon_config + identity.zookeeper_config).find("secret"), std::string::npos);
}

/// As units of DC/OS start the original, and every other flag that it has.
TEST(MarathonFlags, take_the_originals_command_lines) {
  const auto parse = [](std::vector<const char*> argv) {
    argv.insert(argv.begin(), "dcos-marathon");
    std::string help;
    bool wants_help = false;
    return Flags::parse(static_cast<int>(argv.size()), argv.data(), {}, help, wants_help);
  };
  const auto flags = parse(
      {"--zk", "zk://127.0.0.1:2181/marathon", "--master", "zk://127.0.0.1:2181/mesos", "--hostname", "10.0.0.1",
       "--default_accepted_resource_roles", "*", "--mesos_role", "slave_public", "--max_instances_per_offer", "100",
       "--task_launch_timeout", "86400000", "--decline_offer_duration", "300000", "--revive_offers_for_new_apps", "--zk_compression",
       "--mesos_leader_ui_url", "/mesos", "--enable_features", "vips,task_killing,external_volumes,gpu_resources",
       "--mesos_authentication", "--mesos_authentication_principal", "dcos_marathon", "--mesos_user", "root", "--metrics_statsd",
       "--metrics_statsd_host", "localhost", "--disable_store_cache", "--disable_ha", "--failover_timeout=604800"});
  ASSERT_TRUE(flags) << flags.error().message;
  EXPECT_EQ(flags->policy().match.roles_used, RolesUsed::Unreserved);
  EXPECT_EQ(flags->policy().defaults.role, "slave_public");
  EXPECT_TRUE(flags->policy().validation.gpu_resources);
  EXPECT_EQ(flags->without_effect, (std::vector<std::string>{"metrics_statsd", "metrics_statsd_host"}));
  const auto reserved = parse({"--master=h:1", "--mesos_role=web", "--default_accepted_resource_roles=web"});
  ASSERT_TRUE(reserved);
  EXPECT_EQ(reserved->policy().match.roles_used, RolesUsed::Reserved);
  const auto both = parse({"--master=h:1", "--mesos_role=web", "--default_accepted_resource_roles=web, *"});
  ASSERT_TRUE(both);
  EXPECT_EQ(both->policy().match.roles_used, RolesUsed::Any);
  const auto any = parse({"--master=h:1", "--accepted_resource_roles_default_behavior=reserved", "--new_group_enforce_role=top",
                          "--executor=/x", "--metrics_name_prefix=m", "--disable_metrics_prometheus"});
  ASSERT_TRUE(any);
  const Policy policy = any->policy();
  EXPECT_EQ(policy.match.roles_used, RolesUsed::Reserved);
  EXPECT_TRUE(policy.enforce_role_of_new_groups);
  EXPECT_EQ(policy.executor, "/x");
  EXPECT_EQ(policy.metrics_prefix, "m");
  EXPECT_FALSE(policy.metrics_prometheus);
  // Values and switches.
  for (const char* flag :
       {"mesos_leader_ui_url=u", "failover_timeout=1", "ha", "disable_ha", "checkpoint", "disable_checkpoint", "local_port_min=10000",
        "local_port_max=20000", "executor=//cmd", "webui_url=u", "http_max_concurrent_requests=9", "access_control_allow_origin=*",
        "graceful_shutdown_timeout=1", "task_launch_confirm_timeout=1", "task_launch_timeout=1", "task_reservation_timeout=1",
        "reconciliation_initial_delay=1", "reconciliation_interval=1", "scale_apps_initial_delay=1", "scale_apps_interval=1",
        "framework_name=m", "mesos_authentication", "disable_mesos_authentication", "mesos_authentication_principal=p",
        "mesos_authentication_secret=s", "mesos_authentication_secret_file=/f", "env_vars_prefix=P_", "max_apps=9",
        "on_elected_prepare_timeout=1", "leader_election_backend=curator", "mesos_heartbeat_interval=15000",
        "mesos_heartbeat_failure_threshold=5", "draining_seconds=0", "maintenance_mode", "disable_maintenance_mode",
        "gpu_scheduling_behavior=restricted", "max_concurrent_marathon_health_checks=256", "http_address=0.0.0.0", "http_port=8080",
        "https_address=0.0.0.0", "https_port=8443", "http_credentials=u:p", "http_realm=R", "http_compression",
        "disable_http_compression", "assets_path=/a", "leader_proxy_connection_timeout=1", "leader_proxy_read_timeout=1",
        "leader_proxy_max_open_connections=9", "leader_proxy_ssl_ignore_hostname", "zk_timeout=1", "zk_session_timeout=10000",
        "zk_connection_timeout=1", "zk_compression", "disable_zk_compression", "zk_compression_threshold=1", "zk_max_node_size=1",
        "zk_max_versions=50", "store_cache", "storage_compaction_interval=1", "storage_compaction_scan_batch_size=1",
        "group_versions_cache_size=1", "max_instances_per_offer=5", "launch_tokens=1", "launch_token_refresh_interval=1",
        "offer_matching_timeout=1", "min_revive_offers_interval=1", "suppress_offers", "disable_suppress_offers",
        "decline_offer_duration=1", "mesos_offer_constraints", "task_lost_expunge_initial_delay=1", "task_lost_expunge_interval=1",
        "kill_chunk_size=1", "kill_retry_timeout=1", "max_running_deployments=1", "max_queued_root_group_updates=1",
        "default_network_name=n", "mesos_bridge_name=b", "enable_features=vips", "deprecated_features=x",
        "event_stream_max_outstanding_messages=1", "metrics_name_prefix=m", "metrics_prometheus", "disable_metrics_prometheus",
        "metrics_statsd", "metrics_statsd_port=1", "metrics_datadog", "metrics_datadog_protocol=udp", "logging_level=info",
        "metrics_histogram_reservoir_significant_digits=4", "logstash=udp://h", "tracing=x"}) {
    const std::string word = "--" + std::string(flag);
    const auto taken = parse({"--master=h:1", word.c_str()});
    EXPECT_TRUE(taken) << word << ": " << (taken ? "" : taken.error().message);
  }
}

TEST(MarathonFlags, refuse_what_they_cannot_do) {
  const auto parse = [](std::vector<const char*> argv) {
    argv.insert(argv.begin(), "dcos-marathon");
    std::string help;
    bool wants_help = false;
    const auto flags = Flags::parse(static_cast<int>(argv.size()), argv.data(), {}, help, wants_help);
    return flags ? std::string("ok") : flags.error().message;
  };
  EXPECT_EQ(parse({"--master=h:5050"}), "ok");
  EXPECT_EQ(parse({"--master", "h:5050", "--http_port", "0", "--disable_http_compression"}), "ok");
  EXPECT_EQ(parse({"--master=h:5050", "--zk=zk://u:secret@h:2181/m"}), "ok");
  EXPECT_NE(parse({"--master=h:5050", "--zk=zk://u:secret@h:2181"}).find("needs a path"), std::string::npos);
  EXPECT_EQ(parse({"--master=h:5050", "--zk=http://u:secret@h"}).find("secret"), std::string::npos);
  EXPECT_NE(parse({"--master=h:5050", "--zk=zk://h:2181/m", "--store=memory:"}).find("two places"), std::string::npos);
  EXPECT_EQ(parse({"--master=zk://h/mesos"}), "ok");
  for (const char* flag : {"--plugin_dir=/p", "--plugin_conf=/p", "--disable_http", "--ssl_keystore_path=/k",
                           "--ssl_keystore_password=secret"}) {
    const std::string answer = parse({"--master=h:5050", flag});
    EXPECT_NE(answer.find("is not known here"), std::string::npos) << flag << answer;
    EXPECT_EQ(answer.find("secret"), std::string::npos) << answer;
  }
  EXPECT_NE(parse({"--master=h:5050", "--new_group_enforce_role=all"}), "ok");
  EXPECT_NE(parse({"--master=h:5050", "--no_such_flag"}), "ok");
  EXPECT_NE(parse({"--master=zk://h"}).find("needs a path"), std::string::npos);
  EXPECT_NE(parse({"--master=h:5050", "--no_such_flag=1"}), "ok");
  EXPECT_NE(parse({}), "ok") << "--master is required";
}

}  // namespace
}  // namespace marathon
