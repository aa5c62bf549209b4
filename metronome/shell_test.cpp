// The daemon's shell over real sockets, with no master in reach: that is tests/system/metronome.py.

#include "metronome/shell.hpp"

#include <gtest/gtest.h>

#include "base/http/client.hpp"

namespace metronome {
namespace {

base::Result<Flags> parse_flags(std::vector<std::string> words, const base::FlagTable::Environment& environment = {}) {
  words.insert(words.begin(), "dcos-metronome");
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  std::string help;
  bool wants_help = false;
  return Flags::parse(static_cast<int>(argv.size()), argv.data(), environment, help, wants_help);
}

class ShellTest : public ::testing::Test {
 protected:
  ShellTest() : client(loop) { store = std::move(base::open_store(loop, "memory:")).value(); }

  void start(std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--master=127.0.0.1:1", "--http_port=0", "--hostname=localhost"});
    shell.reset();
    flags = parse_flags(more).value();
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

  base::Loop loop;
  base::http::Client client;
  std::unique_ptr<base::Store> store;
  Flags flags;
  std::unique_ptr<Shell> shell;
  uint16_t port = 0;
};

TEST_F(ShellTest, keeps_jobs_and_runs_over_a_new_start) {
  start();
  EXPECT_EQ(request("GET", "/ping").body, "pong");
  EXPECT_EQ(request("POST", "/v1/jobs", R"({"id":"a","run":{"cmd":"x","cpus":1,"mem":32,"disk":0}})").status, 201);
  const auto run = request("POST", "/v1/jobs/a/runs");
  EXPECT_EQ(run.status, 201);
  const auto before = request("GET", "/v1/jobs/a?embed=activeRuns").body;
  start();
  EXPECT_EQ(request("GET", "/v1/jobs/a?embed=activeRuns").body, before);
  EXPECT_NE(before.find("\"status\":\"STARTING\""), std::string::npos);
  EXPECT_EQ(request("GET", "/leader").body, "{\"leader\":\"localhost:" + std::to_string(port) + "\"}");
}

TEST_F(ShellTest, asks_for_credentials_when_told_to) {
  start({"--http_credentials=user:secret"});
  const auto refused = request("GET", "/v1/jobs", "", {});
  EXPECT_EQ(refused.status, 401);
  EXPECT_TRUE(refused.headers.has("WWW-Authenticate"));
  EXPECT_EQ(request("GET", "/v1/jobs", "", {{"Authorization", "Basic dXNlcjpzZWNyZXQ="}}).status, 200);
  EXPECT_EQ(request("GET", "/info", "", {{"Authorization", "Basic dXNlcjpzZWNyZXQ="}}).body.find("secret"), std::string::npos);
}

TEST(MetronomeFlags, are_the_originals_variables) {
  const auto flags = parse_flags({}, {{"METRONOME_MESOS_MASTER_URL", "zk://h:2181/mesos"},
                                      {"METRONOME_ZK_URL", "zk://u:p@h:2181/metronome"},
                                      {"METRONOME_FRAMEWORK_NAME", "other"},
                                      {"METRONOME_LEADER_ELECTION_HOSTNAME", "me"},
                                      {"METRONOME_HISTORY_COUNT", "7"}});
  ASSERT_TRUE(flags) << flags.error().message;
  EXPECT_EQ(flags->framework_name, "other");
  EXPECT_EQ(flags->hostname, "me");
  EXPECT_EQ(flags->policy().history_limit, 7U);
  ASSERT_TRUE(flags->zk);
  EXPECT_EQ(flags->store_location().find(":p@"), std::string::npos) << "no password in a log";
}

TEST(MetronomeFlags, refuse_what_makes_no_sense) {
  const auto why = [](std::vector<std::string> words) {
    const auto flags = parse_flags(std::move(words));
    return flags ? std::string("ok") : flags.error().message;
  };
  EXPECT_EQ(why({"--master=h:5050"}), "ok");
  EXPECT_NE(why({}).find("mesos_master_url"), std::string::npos);
  EXPECT_NE(why({"--master=zk://h"}).find("--mesos_master_url"), std::string::npos);
  EXPECT_NE(why({"--master=h:5050", "--zk_url=h:2181"}).find("--zk_url"), std::string::npos);
  EXPECT_NE(why({"--master=h:5050", "--zk_url=zk://h:2181/m", "--store=memory:"}).find("two places"), std::string::npos);
  EXPECT_NE(why({"--master=h:5050", "--history_count=0"}).find("--history_count"), std::string::npos);
  EXPECT_NE(why({"--master=h:5050", "--zk_url=zk://h:2181/m", "--zk_session_timeout=5"}).find("--zk_session_timeout"), std::string::npos);
}

}  // namespace
}  // namespace metronome
