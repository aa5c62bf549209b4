// The daemon's shell over real sockets: HTTP in, a scripted master behind it, notifications out.

#include "chronos/shell.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/http/client.hpp"
#include "base/http/server.hpp"
#include "kernel/api/content.hpp"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"

namespace chronos {
namespace {

namespace pb = mesos::v1;
using pb::scheduler::Call;
using pb::scheduler::Event;

constexpr auto kType = api::ContentType::Protobuf;

/// Speaks enough of the scheduler API: one agent, tasks end at once with the given state.
class FakeMaster {
 public:
  explicit FakeMaster(base::Loop& loop)
      : server_(loop, {}, [this](base::http::Request request, base::http::Responder responder) {
          handle(std::move(request), responder);
        }) {
    port = server_.listen("127.0.0.1", 0).value();
  }

  bool saw(Call::Type type) const {
    return std::any_of(calls.begin(), calls.end(), [&](const Call& call) { return call.type() == type; });
  }

  uint16_t port = 0;
  pb::TaskState outcome = pb::TASK_FINISHED;
  std::vector<Call> calls;
  std::vector<pb::TaskInfo> launched;

 private:
  void handle(base::http::Request request, const base::http::Responder& responder) {
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
      launched.push_back(task);
      update(task, pb::TASK_RUNNING);
      update(task, outcome);
    }
  }

  void send(const Event& event) { stream_.write(api::encode_record(kType, event)); }

  void update(const pb::TaskInfo& task, pb::TaskState state) {
    Event event;
    event.set_type(Event::UPDATE);
    auto& status = *event.mutable_update()->mutable_status();
    *status.mutable_task_id() = task.task_id();
    *status.mutable_agent_id() = task.agent_id();
    status.set_state(state);
    status.set_uuid("0123456789abcdef");
    send(event);
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
    offer.set_hostname("agent-host");
    offer.mutable_allocation_info()->set_role("*");
    for (auto [name, amount] : {std::pair{"cpus", 4.0}, std::pair{"mem", 4096.0}, std::pair{"disk", 4096.0}}) {
      auto& resource = *offer.add_resources();
      resource.set_name(name);
      resource.set_type(pb::Value::SCALAR);
      resource.mutable_scalar()->set_value(amount);
    }
    send(event);
  }

  base::http::Server server_;
  base::http::Stream stream_;
  int offers_ = 0;
};

std::optional<Flags> parse_flags(std::vector<std::string> words, std::string* why = nullptr) {
  words.insert(words.begin(), "dcos-chronos");
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  std::string help;
  bool wants_help = false;
  const auto flags = Flags::parse(static_cast<int>(argv.size()), argv.data(), {}, help, wants_help);
  if (!flags && why) *why = flags.error().message;
  return flags ? std::optional(*flags) : std::nullopt;
}

class ShellTest : public ::testing::Test {
 protected:
  ShellTest() : master(loop), client(loop) {
    store = std::move(base::open_store(loop, "memory:")).value();
  }

  void start(std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--master=127.0.0.1:" + std::to_string(master.port), "--http_port=0", "--hostname=localhost"});
    const auto parsed = parse_flags(more);
    ASSERT_TRUE(parsed);
    shell.reset();
    flags = *parsed;
    shell = std::make_unique<Shell>(loop, *store, flags);
    port = shell->start().value();
  }

  base::http::Response request(const std::string& method, const std::string& target, const std::string& body = "",
                               base::http::Headers headers = {{"Content-Type", "application/json"}}) {
    base::http::ClientRequest r;
    r.method = method;
    r.url.host = "127.0.0.1";
    r.url.port = port;
    r.url.target = target;
    r.headers = std::move(headers);
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

  base::Loop loop;
  FakeMaster master;
  base::http::Client client;
  std::unique_ptr<base::Store> store;
  Flags flags;
  std::unique_ptr<Shell> shell;
  uint16_t port = 0;
};

TEST_F(ShellTest, runs_a_job_and_remembers_it) {
  start();
  const auto created = request("POST", "/scheduler/iso8601", R"({"name":"a","command":"date","owner":"me","arguments":["x","y"]})");
  EXPECT_EQ(created.status, 204);
  EXPECT_EQ(created.body, "");
  EXPECT_EQ(created.headers.get_or("Access-Control-Allow-Origin", ""), "*");
  run_until([&] { return request("GET", "/scheduler/job/a").body.find("\"successCount\":1") != std::string::npos; });
  run_until([&] { return master.saw(Call::ACKNOWLEDGE); });
  ASSERT_EQ(master.launched.size(), 1u);
  const pb::TaskInfo& task = master.launched[0];
  EXPECT_EQ(task.name(), "ChronosTask:a");
  EXPECT_TRUE(task.task_id().value().starts_with("ct:") && task.task_id().value().ends_with(":0:a:x y"));
  std::map<std::string, std::string> env;
  for (const auto& variable : task.command().environment().variables()) env[variable.name()] = variable.value();
  EXPECT_EQ(env["CHRONOS_JOB_NAME"], "a");
  EXPECT_EQ(env["CHRONOS_JOB_OWNER"], "me");
  EXPECT_EQ(env["HOST"], "agent-host");
  EXPECT_EQ(env["CHRONOS_JOB_RUN_ATTEMPT"], "0");
  EXPECT_EQ(env["MESOS_TASK_ID"], task.task_id().value());
  EXPECT_EQ(env["mesos_task_id"], task.task_id().value());
  master.calls.clear();
  start();
  EXPECT_NE(request("GET", "/scheduler/job/a").body.find("\"successCount\":1"), std::string::npos);
  run_until([&] { return !master.calls.empty(); });
  EXPECT_EQ(master.calls[0].framework_id().value(), "F7");
}

TEST_F(ShellTest, tells_owners_of_a_failure) {
  std::vector<base::http::Request> posts;
  int answers = 500;
  base::http::Server listener(loop, {}, [&](base::http::Request r, base::http::Responder responder) {
    posts.push_back(std::move(r));
    responder.reply(base::http::Response::text(std::exchange(answers, 200), ""));
  });
  const std::string address = "http://127.0.0.1:" + std::to_string(listener.listen("127.0.0.1", 0).value());
  master.outcome = pb::TASK_FAILED;
  start({"--http_notification_url=" + address + "/hook", "--http_notification_credentials=u:p", "--slack_url=" + address + "/chat",
         "--cluster_name=prod"});
  request("POST", "/scheduler/iso8601", R"({"name":"a","command":"date","retries":0,"owner":"me@x.y"})");
  // One of the two is refused once, and sent again.
  run_until([&] { return posts.size() == 3; });
  const auto hook = std::find_if(posts.rbegin(), posts.rend(), [](const auto& r) { return r.path == "/hook"; });
  ASSERT_NE(hook, posts.rend());
  EXPECT_EQ(hook->headers.get_or("Authorization", ""), "Basic dTpw");
  EXPECT_NE(hook->body.find(R"("subject":"[prod] [Chronos] job 'a' failed!")"), std::string::npos) << hook->body;
  EXPECT_NE(hook->body.find(R"("to":"me@x.y")"), std::string::npos);
  EXPECT_NE(hook->body.find(R"("errorCount":"1")"), std::string::npos) << "all values are strings";
  const auto chat = std::find_if(posts.begin(), posts.end(), [](const auto& r) { return r.path == "/chat"; });
  ASSERT_NE(chat, posts.end());
  EXPECT_EQ(chat->body.find(R"({"text":"[prod] [Chronos] job 'a' failed!: )"), 0u);
  shell.reset();
}

TEST_F(ShellTest, asks_for_credentials_when_told_to) {
  start({"--http_credentials=user:secret"});
  const auto refused = request("GET", "/scheduler/jobs", "", {});
  EXPECT_EQ(refused.status, 401);
  EXPECT_TRUE(refused.headers.has("WWW-Authenticate"));
  EXPECT_EQ(request("GET", "/scheduler/jobs", "", {{"Authorization", "Basic dXNlcjpzZWNyZXQ="}}).status, 200);
  const auto preflight = request("OPTIONS", "/scheduler/iso8601", "", {{"Access-Control-Request-Headers", "Content-Type"}});
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.headers.get_or("Access-Control-Allow-Headers", ""), "Content-Type");
}

TEST(ChronosFlags, refuse_what_they_cannot_do) {
  const auto parse = [](std::vector<std::string> words) {
    std::string why = "ok";
    (void)parse_flags(std::move(words), &why);
    return why;
  };
  EXPECT_EQ(parse({"--master=h:5050"}), "ok");
  EXPECT_EQ(parse({"--master", "h:5050", "--http_port", "0", "--zk_path", "/x"}), "ok");
  EXPECT_EQ(parse({"--master=h:5050", "--zk_hosts=h:2181,i:2181", "--zk_auth=u:p"}), "ok");
  EXPECT_EQ(parse({"--master=h:5050", "--zk_hosts=zk://h:2181"}), "ok");
  EXPECT_NE(parse({"--master=h:5050", "--zk_hosts=h:2181", "--zk_path=x"}).find("--zk_hosts"), std::string::npos);
  EXPECT_NE(parse({"--master=h:5050", "--zk_hosts=h:2181", "--store=memory:"}).find("two places"), std::string::npos);
  EXPECT_NE(parse({"--master=h:5050", "--mail_server=h:25"}).find("use --http_notification_url"), std::string::npos);
  EXPECT_NE(parse({"--master=h:5050", "--https_port=1"}).find("--https_port is not supported"), std::string::npos);
  EXPECT_EQ(parse({"--master=zk://h/mesos"}), "ok");
  EXPECT_NE(parse({"--master=zk://h"}).find("needs a path"), std::string::npos);
  EXPECT_NE(parse({"--master=h:5050", "--task_epsilon=soon"}).find("--task_epsilon"), std::string::npos);
  EXPECT_NE(parse({"--master=h:5050", "--job_history_limit=0"}).find("--job_history_limit"), std::string::npos);
  EXPECT_NE(parse({"--master=h:5050", "--no_such_flag=1"}), "ok");
  EXPECT_NE(parse({}), "ok") << "--master is required";
}

}  // namespace
}  // namespace chronos
