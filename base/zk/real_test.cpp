// The client and the election against ZooKeeper itself.

#include "base/zk/real.hpp"

#include <gtest/gtest.h>

#include "base/zk/elector.hpp"
#include "base/zk/paths.hpp"
#include "base/zk/testing.hpp"

namespace base::zk {
namespace {

using testing::TestServer;

class RealZooKeeper : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!TestServer::available()) return;
    auto started = TestServer::start();
    ASSERT_TRUE(started.has_value()) << started.error().message;
    server_ = std::move(*started);
  }
  static void TearDownTestSuite() { server_.reset(); }

  void SetUp() override {
    if (!server_) GTEST_SKIP() << "the package zookeeper is not installed";
    guard_ = loop_.after(seconds(60), [this] { loop_.stop(1); });
  }

  Host host(const std::string& credentials = "") {
    return real_host(loop_, parse_url("zk://" + credentials + server_->address() + "/test").value());
  }

  /// Runs the loop until `condition`, looked at after each turn of 5 ms.
  void run_until(const std::function<bool()>& condition) {
    const auto timer = loop_.every(milliseconds(5), [&] {
      if (condition()) loop_.stop(0);
    });
    ASSERT_EQ(loop_.run(), 0) << "never came true";
    loop_.cancel(timer);
  }

  std::unique_ptr<Client> connect(const Host& host, Access access = Access::EveryoneReads) {
    ClientOptions options;
    options.session_timeout = seconds(1);
    options.access = access;
    auto client = host.connect(options, [](SessionState) {});
    run_until([&] { return client->state() == SessionState::Connected; });
    return client;
  }

  static std::unique_ptr<TestServer> server_;
  Loop loop_;
  Loop::TimerId guard_ = 0;
};

std::unique_ptr<TestServer> RealZooKeeper::server_;

TEST_F(RealZooKeeper, does_what_is_asked) {
  auto client = connect(host());
  EXPECT_NE(client->session(), 0);
  EXPECT_EQ(client->session_timeout(), seconds(1));
  std::vector<std::string> story;
  make_path(*client, "/calls/deep/er", [&](Rc rc) { story.push_back("path " + std::string(describe(rc))); });
  run_until([&] { return story.size() == 1; });
  client->create("/calls/one", std::string("\0x", 2), CreateMode::Persistent,
                 [&](Rc rc, const std::string& name) { story.push_back(std::string(describe(rc)) + " " + name); });
  client->create("/calls/member_", "me", CreateMode::EphemeralSequential,
                 [&](Rc rc, const std::string& name) { story.push_back(std::string(describe(rc)) + " " + name); });
  client->create("/calls/one", "", CreateMode::Persistent,
                 [&](Rc rc, const std::string&) { story.push_back(std::string(describe(rc))); });
  client->get("/calls/one", [&](Rc, const std::string& data, Stat stat) {
    story.push_back(std::to_string(data.size()) + " bytes, version " + std::to_string(stat.version));
  });
  client->get("/calls/none", [&](Rc rc, const std::string&, Stat) { story.push_back(std::string(describe(rc))); });
  client->children("/calls", nullptr, [&](Rc, const std::vector<std::string>& names) {
    story.push_back(std::to_string(names.size()) + " children");
  });
  client->multi({{Op::Kind::Check, "/calls/one", "", 0}, {Op::Kind::Set, "/calls/one", "new", 0}},
                [&](Rc rc, size_t) { story.push_back(std::string(describe(rc))); });
  client->multi({{Op::Kind::Create, "/calls/two", "x"}, {Op::Kind::Check, "/calls/one", "", 0}},
                [&](Rc rc, size_t failed) { story.push_back(std::string(describe(rc)) + " at " + std::to_string(failed)); });
  client->get("/calls/two", [&](Rc rc, const std::string&, Stat) { story.push_back(std::string(describe(rc))); });
  client->sync("/calls", [&](Rc rc) { story.push_back("synced " + std::string(describe(rc))); });
  EXPECT_EQ(story.size(), 1U) << "answered inside a call";
  run_until([&] { return story.size() == 11; });
  EXPECT_EQ(story, (std::vector<std::string>{
                       "path ok", "ok /calls/one", "ok /calls/member_0000000002", "the node exists", "2 bytes, version 0",
                       "no such node", "3 children", "ok", "the node was changed by somebody else at 1", "no such node",
                       "synced ok"}));
}

TEST_F(RealZooKeeper, tells_watchers_once) {
  auto client = connect(host()), other = connect(host());
  int fired = 0;
  bool listed = false;
  make_path(*client, "/watched", [](Rc) {});
  client->children("/watched", [&] { ++fired; }, [&](Rc rc, const std::vector<std::string>&) { listed = rc == Rc::Ok; });
  run_until([&] { return listed; });
  int made = 0;
  for (const char* name : {"/watched/a", "/watched/b"}) {
    other->create(name, "", CreateMode::Persistent, [&](Rc, const std::string&) { ++made; });
  }
  run_until([&] { return made == 2 && fired == 1; });
}

TEST_F(RealZooKeeper, keeps_others_out_of_what_credentials_made) {
  auto ours = connect(host("user:secret@"), Access::Private), others = connect(host("user:guess@"));
  auto readable = connect(host("user:secret@"));
  std::vector<Rc> answers;
  const auto note = [&](Rc rc, const std::string&) { answers.push_back(rc); };
  ours->create("/private", "s", CreateMode::Persistent, note);
  readable->create("/readable", "r", CreateMode::Persistent, note);
  run_until([&] { return answers.size() == 2; });
  others->get("/private", [&](Rc rc, const std::string&, Stat) { answers.push_back(rc); });
  others->multi({{Op::Kind::Set, "/readable", "x", -1}}, [&](Rc rc, size_t) { answers.push_back(rc); });
  others->get("/readable", [&](Rc rc, const std::string&, Stat) { answers.push_back(rc); });
  ours->get("/private", [&](Rc rc, const std::string&, Stat) { answers.push_back(rc); });
  run_until([&] { return answers.size() == 6; });
  std::sort(answers.begin() + 2, answers.end());
  EXPECT_EQ(answers, (std::vector<Rc>{Rc::Ok, Rc::Ok, Rc::Ok, Rc::Ok, Rc::NoAuth, Rc::NoAuth}));
}

TEST_F(RealZooKeeper, elects_one_and_the_next_when_it_goes) {
  struct Program {
    std::unique_ptr<Elector> elector;
    bool elected = false, deposed = false;
    std::string sees;
  };
  const auto start = [&](Program& program, const std::string& name, bool contend) {
    Elector::Options options;
    options.path = "/elections/mesos";
    options.data = name;
    options.election = {.contend = contend, .labels = {}, .session_timeout = seconds(1)};
    Elector::Callbacks callbacks;
    callbacks.on_elected = [&program] { program.elected = true; };
    callbacks.on_deposed = [&program](const std::string&) { program.deposed = true; };
    callbacks.on_leader = [&program](const std::optional<Leader>& leader) { program.sees = leader ? leader->data : ""; };
    program.elector = std::make_unique<Elector>(host(), options, callbacks);
    program.elector->start();
  };
  Program a, b, watcher;
  start(watcher, "watcher", false);
  start(a, "a", true);
  run_until([&] { return a.elected && watcher.sees == "a"; });
  start(b, "b", true);
  run_until([&] { return b.sees == "a"; });
  a.elector.reset();
  run_until([&] { return b.elected && watcher.sees == "b"; });
  EXPECT_TRUE(b.elector->may_act());

  // The server hangs: who leads stops before its session could be given to another.
  server_->pause();
  run_until([&] { return b.deposed; });
  EXPECT_FALSE(b.elector->may_act());
  run_until([&] { return watcher.sees.empty(); });
  server_->resume();
  start(a, "a again", true);
  run_until([&] { return a.sees == "a again" && watcher.sees == "a again"; });

  // The server dies and comes back: a session outlives that when it is fast enough, or a new one begins.
  server_->kill();
  ASSERT_TRUE(server_->restart());
  run_until([&] { return a.deposed || a.elector->may_act(); });
}

TEST_F(RealZooKeeper, that_is_not_there_is_tried_again_without_haste) {
  auto absent = real_host(loop_, parse_url("zk://127.0.0.1:1,127.0.0.1:2/x").value());
  int states = 0;
  auto client = absent.connect({}, [&](SessionState) { ++states; });
  Rc answer = Rc::Ok;
  client->get("/x", [&](Rc rc, const std::string&, Stat) { answer = rc; });
  loop_.after(milliseconds(300), [&] { loop_.stop(0); });
  loop_.run();
  EXPECT_EQ(answer, Rc::ConnectionLoss);
  EXPECT_EQ(client->state(), SessionState::Connecting);
}

}  // namespace
}  // namespace base::zk
