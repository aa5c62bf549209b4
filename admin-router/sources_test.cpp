// The table follows a master and a Marathon over real connections.

#include "admin-router/sources.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "base/http/server.hpp"
#include "base/http/sse.hpp"
#include "base/recordio.hpp"

namespace admin_router {
namespace {

using base::http::Request;
using base::http::Responder;
using base::http::Response;
using base::http::Stream;

// Master and Marathon in one server; everything runs on the test's own loop.
class Cluster {
 public:
  explicit Cluster(base::Loop& loop)
      : server_(std::make_unique<base::http::Server>(
            loop, base::http::ServerOptions{},
            [this](Request request, Responder responder) { serve(request, responder); })) {
    port = server_->listen("127.0.0.1", 0).value();
  }

  void master_says(const std::string& json) {
    for (const Stream& stream : masters) stream.write(base::encode_record(json));
  }
  void marathon_says(const std::string& type, const std::string& json) {
    for (const Stream& stream : marathons) stream.write(base::http::encode_sse({type, json, ""}));
  }
  std::string framework(const std::string& id, const std::string& name) const {
    return R"({"framework_info":{"id":{"value":")" + id + R"("},"name":")" + name +
           R"(","webui_url":"http://127.0.0.1:)" + std::to_string(port) +
           R"("},"active":true,"connected":true})";
  }

  uint16_t port = 0;
  std::string leader{};  // set: not leading, and who does
  std::string apps = R"({"apps":[]})";
  std::vector<Stream> masters{}, marathons{};
  int app_reads = 0, subscriptions = 0;

 private:
  void serve(const Request& request, const Responder& responder) {
    if (request.path == "/api/v1" && request.method == "POST") {
      ++subscriptions;
      EXPECT_EQ(request.body, R"({"type":"SUBSCRIBE"})");
      if (!leader.empty()) return responder.reply(Response{307, {{"Location", leader}}, ""});
      masters.push_back(
          responder.stream(Response{200, {{"Content-Type", "application/json"}}, ""}));
      masters.back().write(base::encode_record(
          R"({"type":"SUBSCRIBED","subscribed":{"heartbeat_interval_seconds":15,"get_state":{"get_agents":{"agents":[
            {"agent_info":{"id":{"value":"a1"},"hostname":"node1"},"pid":"slave(1)@10.0.0.1:5051"}]},
            "get_frameworks":{"frameworks":[)" +
          framework("f1", "marathon") + "]}}}}"));
    } else if (request.path == "/v2/events") {
      marathons.push_back(
          responder.stream(Response{200, {{"Content-Type", "text/event-stream"}}, ""}));
    } else if (request.path == "/v2/apps") {
      ++app_reads;
      EXPECT_EQ(request.query_text, "embed=apps.tasks&label=DCOS_SERVICE_NAME");
      responder.reply(Response::json(200, apps));
    } else {
      responder.reply(Response::text(404, ""));
    }
  }

  std::unique_ptr<base::http::Server> server_;
};

class Following : public ::testing::Test {
 protected:
  void start(std::vector<Address> masters) {
    Sources::Options options;
    options.masters = std::move(masters);
    options.retry = base::milliseconds(5);
    options.settle = base::milliseconds(1);
    sources_.emplace(loop_, table_, options, [this] { ++changes_; });
    sources_->start();
  }
  // Runs the loop until `done`; false when it never becomes true.
  bool until(const std::function<bool()>& done) {
    bool reached = false;
    int looks = 0;
    auto timer = loop_.every(base::milliseconds(2), [&] {
      reached = done();
      if (reached || ++looks > 2500) loop_.stop();
    });
    loop_.run();
    loop_.cancel(timer);
    return reached;
  }
  bool routed(const std::string& path) {
    return table_.find_service(path, loop_.now()).kind == Lookup::Kind::Found;
  }

  base::Loop loop_;
  Cluster cluster_{loop_};
  Table table_;
  std::optional<Sources> sources_;
  int changes_ = 0;
};

constexpr const char* kWeb =
    R"({"apps":[{"id":"/web","labels":{"DCOS_SERVICE_NAME":"web","DCOS_SERVICE_SCHEME":"http",
  "DCOS_SERVICE_PORT_INDEX":"0"},"tasks":[]}]})";

TEST_F(Following, loads_the_cluster_and_takes_its_events) {
  start({{"127.0.0.1", cluster_.port}});
  ASSERT_TRUE(until([&] { return table_.marathon_source().loaded; }));
  EXPECT_NE(table_.find_agent("a1", loop_.now()), nullptr);
  EXPECT_TRUE(routed("marathon/"));
  cluster_.master_says(R"({"type":"AGENT_REMOVED","agent_removed":{"agent_id":{"value":"a1"}}})");
  cluster_.master_says(R"({"type":"FRAMEWORK_ADDED","framework_added":{"framework":)" +
                       cluster_.framework("f2", "spark") + "}}");
  EXPECT_TRUE(
      until([&] { return table_.find_agent("a1", loop_.now()) == nullptr && routed("spark/"); }));
  cluster_.master_says(
      R"({"type":"FRAMEWORK_REMOVED","framework_removed":{"framework_info":{"id":{"value":"f2"}}}})");
  EXPECT_TRUE(until([&] { return !routed("spark/"); }));
}

TEST_F(Following, routes_a_service_as_soon_as_its_task_runs) {
  start({{"127.0.0.1", cluster_.port}});
  ASSERT_TRUE(until([&] { return table_.marathon_source().loaded; }));
  cluster_.apps = kWeb;
  cluster_.marathon_says("api_post_event", "{}");
  ASSERT_TRUE(until([&] { return table_.app_count() == 1; }));
  EXPECT_FALSE(routed("web/"));
  int reads = cluster_.app_reads;
  cluster_.marathon_says(
      "status_update_event",
      R"({"appId":"/web","taskId":"web.1","taskStatus":"TASK_RUNNING","host":"node1","ports":[31000]})");
  ASSERT_TRUE(until([&] { return routed("web/"); }));
  EXPECT_EQ(table_.find_service("web/", loop_.now()).target.address.text(), "10.0.0.1:31000");
  EXPECT_EQ(cluster_.app_reads, reads);  // the event was enough
}

TEST_F(Following, keeps_its_routes_while_a_source_is_away_and_comes_back) {
  cluster_.apps = kWeb;
  start({{"127.0.0.1", cluster_.port}});
  ASSERT_TRUE(until([&] { return table_.marathon_source().loaded; }));
  for (const Stream& stream : cluster_.masters) stream.abort();
  for (const Stream& stream : cluster_.marathons) stream.abort();
  int before = cluster_.subscriptions;
  bool lost = false;
  EXPECT_TRUE(until([&] {
    lost = lost || !table_.master_source().connected;
    EXPECT_TRUE(routed("marathon/"));
    return cluster_.subscriptions > before && table_.master_source().connected &&
           table_.marathon_source().connected;
  }));
}

TEST_F(Following, goes_where_a_follower_says_that_the_leader_is) {
  Cluster follower{loop_};
  follower.leader = "//127.0.0.1:" + std::to_string(cluster_.port) + "/api/v1";
  start({{"127.0.0.1", follower.port}});
  ASSERT_TRUE(until([&] { return table_.master_source().loaded; }));
  EXPECT_EQ(table_.leader()->port, cluster_.port);
}

TEST_F(Following, survives_records_that_make_no_sense) {
  start({{"127.0.0.1", cluster_.port}});
  ASSERT_TRUE(until([&] { return table_.marathon_source().loaded; }));
  cluster_.master_says("{");
  cluster_.master_says(R"({"type":"AGENT_ADDED","agent_added":7})");
  cluster_.marathon_says("status_update_event", "[");
  cluster_.master_says(R"({"type":"AGENT_REMOVED","agent_removed":{"agent_id":{"value":"a1"}}})");
  EXPECT_TRUE(until([&] { return table_.find_agent("a1", loop_.now()) == nullptr; }));
  for (const Stream& stream : cluster_.masters) stream.write("no length\n");
  int before = cluster_.subscriptions;
  EXPECT_TRUE(until(
      [&] { return cluster_.subscriptions > before; }));  // a broken framing is a lost connection
}

}  // namespace
}  // namespace admin_router
