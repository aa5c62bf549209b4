// The daemon's parts over loopback: the order of HTTP checks, and one task through a real agent link and a real stream.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <thread>

#include "base/file.hpp"
#include "base/http/client.hpp"
#include "base/json/proto.hpp"
#include "base/log.hpp"
#include "base/recordio.hpp"
#include "base/strings.hpp"
#include "kernel/api/content.hpp"
#include "kernel/api/internal/agent_link_service.grpc.pb.h"
#include "kernel/master/shell.hpp"
#include "kernel/master/testing.hpp"
#include "kernel/resources/parse.hpp"
#include "kernel/resources/proto.hpp"

namespace {

namespace link = dcos::internal::v1;
using base::http::Response;
using mesos::v1::scheduler::Call;
using SchedulerEvent = mesos::v1::scheduler::Event;

/// A master on a thread of its own.
class Master {
 public:
  explicit Master(const std::string& work_dir = {}, const std::vector<std::string>& more = {},
                  const std::function<void(master::Flags&)>& change = nullptr) {
    const std::string directory = "--work_dir=" + work_dir;
    std::vector<const char*> arguments{"dcos-master", "--ip=127.0.0.1", "--port=0", "--agent_link_port=0"};
    arguments.push_back(work_dir.empty() ? "--registry=in_memory" : directory.c_str());
    for (const std::string& argument : more) arguments.push_back(argument.c_str());
    EXPECT_TRUE(flags_.parse(static_cast<int>(arguments.size()), arguments.data(), {}).has_value());
    if (change) change(flags_);
    loop_ = std::make_unique<base::Loop>();
    std::unique_ptr<base::Store> store;
    if (!work_dir.empty()) store = *base::open_store(*loop_, "sqlite:" + work_dir + "/registry.db");
    shell_ = std::make_unique<master::Shell>(*loop_, flags_, std::move(store));
    const base::Status started = shell_->start();
    EXPECT_TRUE(started.has_value()) << (started ? "" : started.error().message);
    port_ = shell_->http_port();
    thread_ = std::thread([this] { loop_->run(); });
    while (get("/roles").status == 503) std::this_thread::yield();
  }

  ~Master() {
    loop_->stop();
    thread_.join();
    shell_.reset();
    loop_.reset();
  }

  Response get(const std::string& target) const { return request("GET", target, {}, {}); }

  Response request(const std::string& method, const std::string& target, base::http::Headers headers, std::string body) const {
    base::http::ClientRequest request;
    request.method = method;
    request.url.host = "127.0.0.1";
    request.url.port = port_;
    request.url.target = target;
    request.headers = std::move(headers);
    request.body = std::move(body);
    auto answer = base::http::fetch(std::move(request));
    EXPECT_TRUE(answer.has_value()) << (answer ? "" : answer.error().message);
    return answer ? std::move(*answer) : Response();
  }

  Response post(const std::string& target, const std::string& json, const std::string& stream_id = {}) const {
    base::http::Headers headers{{"Content-Type", "application/json"}};
    if (!stream_id.empty()) headers.add("Mesos-Stream-Id", stream_id);
    return request("POST", target, std::move(headers), json);
  }

  uint16_t port() const { return port_; }

 private:
  master::Flags flags_;
  std::unique_ptr<base::Loop> loop_;
  std::unique_ptr<master::Shell> shell_;
  std::thread thread_;
  uint16_t port_ = 0;
};

/// A SUBSCRIBE stream, read until something arrives.
class Scheduler {
 public:
  explicit Scheduler(const Master& master, const std::string& subscribe, const std::string& target = "/api/v1/scheduler")
      : client_(loop_) {
    base::http::ClientRequest request;
    request.method = "POST";
    request.url.host = "127.0.0.1";
    request.url.port = master.port();
    request.url.target = target;
    request.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
    request.body = subscribe;
    base::http::StreamCallbacks callbacks;
    callbacks.on_head = [this](const Response& head) {
      status = head.status;
      stream_id = head.headers.get_or("Mesos-Stream-Id", "");
    };
    callbacks.on_data = [this](std::string_view data) {
      EXPECT_TRUE(decoder_.feed(data, records_).has_value());
      loop_.stop();
    };
    callbacks.on_end = [this](base::Status) {
      ended = true;
      loop_.stop();
    };
    call_ = client_.stream(std::move(request), std::move(callbacks));
  }

  /// The next record that is no heartbeat; empty when the stream ended.
  std::string next() {
    const auto limit = loop_.after(base::seconds(30), [this] {
      ADD_FAILURE() << "nothing arrives";
      ended = true;
      loop_.stop();
    });
    for (;;) {
      while (!records_.empty()) {
        std::string record = std::move(records_.front());
        records_.erase(records_.begin());
        if (record.find("\"HEARTBEAT\"") == std::string::npos) {
          loop_.cancel(limit);
          return record;
        }
      }
      if (ended) break;
      loop_.run();
    }
    loop_.cancel(limit);
    return {};
  }

  SchedulerEvent next_event() {
    SchedulerEvent event;
    EXPECT_TRUE(base::json::proto_from_json(next(), event).has_value());
    return event;
  }

  int status = 0;
  std::string stream_id;
  bool ended = false;

 private:
  base::Loop loop_;
  base::http::Client client_;
  base::http::ClientCall call_;
  base::RecordDecoder decoder_;
  std::vector<std::string> records_;
};

/// An agent as far as the master can tell.
class FakeAgent {
 public:
  explicit FakeAgent(const Master& master) {
    const std::string body = master.get("/agent-link").body;  // {"address":"ip:port"}
    const size_t start = body.find(":\"") + 2;
    const std::string address = body.substr(start, body.rfind('"') - start);
    stub_ = link::AgentLink::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
    stream_ = stub_->Connect(&context_);
  }
  ~FakeAgent() {
    context_.TryCancel();
    stream_->Finish();
  }

  void send(const link::AgentMessage& message) { EXPECT_TRUE(stream_->Write(message)); }

  link::MasterMessage next() {
    link::MasterMessage message;
    do {
      if (!stream_->Read(&message)) ADD_FAILURE() << "the link ended";
    } while (message.has_ping());
    return message;
  }

  std::string register_new(const std::string& resources = "cpus:4;mem:1024;ports:[31000-32000]") {
    link::AgentMessage message;
    auto& body = *message.mutable_register_agent();
    *body.mutable_agent_info() = master::testing::agent_info("h1", 5051, resources);
    body.set_version("1.12.0");
    master::testing::add_all_capabilities(body.mutable_capabilities());
    send(message);
    return next().registered().agent_id().value();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<link::AgentLink::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<link::AgentMessage, link::MasterMessage>> stream_;
};

const char kSubscribe[] =
    R"({"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"nobody","name":"f","checkpoint":true,"failover_timeout":60}}})";

struct Check {
  const char* method;
  base::http::Headers headers;
  std::string body;
  int status;
  const char* text;
};

TEST(SchedulerApi, checks_in_the_order_that_clients_know) {
  const Master master;
  const base::http::Headers json{{"Content-Type", "application/json"}};
  const std::string kill = R"({"type":"KILL","framework_id":{"value":"x"},"kill":{"task_id":{"value":"t"}}})";
  const Check checks[] = {
      {"GET", {}, "", 405, "Expecting one of { 'POST' }, but received 'GET'"},
      {"PUT", json, "{", 405, "'PUT'"},
      {"POST", {}, "{", 400, "Expecting 'Content-Type' to be present"},
      {"POST", {{"Content-Type", "text/plain"}}, "{", 415,
       "Expecting 'Content-Type' of application/json or application/x-protobuf"},
      {"POST", json, "{", 400, "Failed to parse body into JSON"},
      {"POST", json, "[]", 400, "Failed to convert JSON into Call protobuf"},
      {"POST", {{"Content-Type", "application/x-protobuf"}}, "\xff\xff", 400, "Failed to parse body into Call protobuf"},
      {"POST", json, "{}", 400, "Failed to validate scheduler::Call: Expecting 'type' to be present"},
      {"POST", json, R"({"type":"KILL"})", 400, "Expecting 'framework_id' to be present"},
      {"POST", json, R"({"type":"KILL","framework_id":{"value":"x"}})", 400, "Expecting 'kill' to be present"},
      {"POST", json, R"({"type":"SUBSCRIBE"})", 400, "Expecting 'subscribe' to be present"},
      {"POST", json,
       R"({"type":"ACKNOWLEDGE","framework_id":{"value":"x"},"acknowledge":{"agent_id":{"value":"a"},)"
       R"("task_id":{"value":"t"},"uuid":"AAAAAAAAAAAAAAAAAAAAAA=="}})",
       400, "Not a valid UUID"},
      {"POST", {{"Content-Type", "application/json"}, {"Accept", "text/plain"}}, kSubscribe, 406, "Expecting 'Accept'"},
      {"POST", {{"Content-Type", "application/json"}, {"Mesos-Stream-Id", "s"}}, kSubscribe, 400,
       "Subscribe calls should not include the 'Mesos-Stream-Id' header"},
      {"POST", json, kill, 400, "Framework cannot be found"},
      {"POST", {{"Content-Type", "Application/JSON; charset=utf-8"}}, kill, 400, "Framework cannot be found"},
  };
  for (const char* target : {"/api/v1/scheduler", "/master/api/v1/scheduler"}) {
    for (const Check& check : checks) {
      const Response answer = master.request(check.method, target, check.headers, check.body);
      EXPECT_EQ(answer.status, check.status) << check.body << answer.body;
      EXPECT_NE(answer.body.find(check.text), std::string::npos) << answer.body;
    }
  }
  EXPECT_EQ(master.get("/api/v1/scheduler").headers.get_or("Allow", ""), "POST");
}

TEST(OperatorApi, answers_every_read_and_refuses_what_it_cannot_do) {
  const Master master;
  for (const char* type : {"GET_HEALTH", "GET_FLAGS", "GET_VERSION", "GET_METRICS", "GET_LOGGING_LEVEL", "GET_STATE",
                           "GET_AGENTS", "GET_FRAMEWORKS", "GET_EXECUTORS", "GET_OPERATIONS", "GET_TASKS", "GET_ROLES",
                           "GET_WEIGHTS", "GET_MASTER", "GET_QUOTA", "GET_MAINTENANCE_STATUS", "GET_MAINTENANCE_SCHEDULE"}) {
    std::string body = std::string(R"({"type":")") + type + "\"";
    if (std::string(type) == "GET_METRICS") body += R"(,"get_metrics":{})";
    const Response answer = master.post("/api/v1", body + "}");
    EXPECT_EQ(answer.status, 200) << type << answer.body;
    EXPECT_NE(answer.body.find(std::string(R"({"type":")") + type + "\""), std::string::npos) << answer.body;
  }
  EXPECT_EQ(master.post("/api/v1/operator", R"({"type":"GET_WEIGHTS"})").body, R"({"type":"GET_WEIGHTS"})");
  EXPECT_EQ(master.post("/api/v1", R"({"type":"START_MAINTENANCE","start_maintenance":{}})").status, 400);
  EXPECT_EQ(master.post("/api/v1", R"({"type":"REMOVE_QUOTA","remove_quota":{"role":"r"}})").status, 400);
  EXPECT_EQ(master.post("/api/v1", R"({"type":"TEARDOWN","teardown":{"framework_id":{"value":"x"}}})").status, 400);
  EXPECT_EQ(master.request("POST", "/api/v1", {{"Content-Type", "application/json"}, {"Accept", "text/html"}},
                           R"({"type":"GET_HEALTH"})").status,
            406);
}

TEST(Endpoints, change_the_log_for_a_while) {
  const auto before = base::log::level();
  base::log::set_level(base::log::Level::Info);
  {
    Master master;
    EXPECT_EQ(master.get("/logging/toggle").body, "0\n");
    EXPECT_EQ(master.get("/logging/toggle?level=1").status, 400);
    EXPECT_EQ(master.get("/logging/toggle?level=1&duration=1hrs").status, 200);
    EXPECT_EQ(master.get("/logging/toggle").body, "1\n");
    EXPECT_NE(master.post("/api/v1", R"({"type":"GET_LOGGING_LEVEL"})").body.find("\"level\":1"), std::string::npos);
    EXPECT_EQ(master.request("DELETE", "/logging/toggle", {}, {}).status, 405);
  }
  EXPECT_EQ(base::log::level(), base::log::Level::Info);
  base::log::set_level(before);
}

TEST(Endpoints, show_the_registry) {
  Master master;
  EXPECT_EQ(master.request("PUT", "/weights", {}, R"([{"role":"a","weight":2.5}])").status, 200);
  const std::string text = master.get("/registrar(1)/registry").body;
  for (const char* words : {R"("master":{"info":{)", R"("slaves":{"slaves":[]})", R"("unreachable":{"slaves":[]})",
                            R"("gone":{"slaves":[]})", R"("machines":{"machines":[]})",
                            R"("weights":[{"info":{"role":"a","weight":2.5}}])"}) {
    EXPECT_NE(text.find(words), std::string::npos) << words << " in " << text;
  }
  EXPECT_EQ(master.get("/help/registrar(1)/registry").body.find("Endpoints of this master"), 0u);
  EXPECT_EQ(master.get("/help/no-such").status, 404);
  EXPECT_EQ(master.get("/metrics/snapshot?timeout=soon").status, 400);
  EXPECT_EQ(master.get("/metrics/snapshot?timeout=5secs").status, 200);
}

TEST(Endpoints, that_lists_guard_are_closed_to_others) {
  Master master({}, {R"(--acls={"get_endpoints":[{"principals":{"type":"ANY"},"paths":{"type":"NONE"}}]})"});
  for (const char* path : {"/metrics/snapshot", "/metrics", "/logging/toggle", "/registrar(1)/registry", "/files/debug",
                           "/files/debug.json", "/system/stats.json"}) {
    EXPECT_EQ(master.get(path).status, 403) << path;
  }
  for (const char* path : {"/health", "/version", "/state", "/flags"}) EXPECT_EQ(master.get(path).status, 200) << path;
}

TEST(Endpoints, exist_bare_and_under_master) {
  const Master master;
  for (const char* path : {"/state", "/state-summary", "/slaves", "/frameworks", "/tasks", "/roles", "/flags", "/version",
                           "/health", "/weights", "/state.json"}) {
    EXPECT_EQ(master.get(path).status, 200) << path;
    EXPECT_EQ(master.get(std::string("/master") + path).status, 200) << path;
  }
  EXPECT_EQ(master.get("/metrics/snapshot").status, 200);
  EXPECT_EQ(master.get("/master/metrics/snapshot").status, 404);
  EXPECT_EQ(master.get("/metrics/snapshot?timeout=soon").status, 400);
  EXPECT_EQ(master.get("/nothing").status, 404);
  EXPECT_EQ(master.get("/redirect").status, 307);
  EXPECT_EQ(master.get("/redirect").headers.get_or("Location", ""), "//127.0.0.1:" + std::to_string(master.port()));
  EXPECT_EQ(master.get("/redirect/x").status, 404);
  const Response wrapped = master.get("/roles?jsonp=cb");
  EXPECT_EQ(wrapped.body, "cb({\"roles\":[]})");
  EXPECT_EQ(wrapped.headers.get_or("Content-Type", ""), "text/javascript");
  EXPECT_EQ(master.get("/roles?jsonp=alert(1)//").status, 400);
  EXPECT_EQ(master.request("POST", "/teardown", {}, "frameworkId=x").body, "No framework found with specified ID");
  EXPECT_EQ(master.request("POST", "/teardown", {}, "").body, "Missing 'frameworkId' query parameter in the request body");
  EXPECT_EQ(master.get("/teardown").status, 405);
  EXPECT_EQ(master.get("/files/read?path=/etc/passwd").status, 404);
  EXPECT_EQ(master.get("/files/browse").body, "Expecting 'path=value' in query.");
  EXPECT_EQ(master.get("/tasks?limit=-1").body, R"({"tasks":[]})");  // all
  EXPECT_EQ(master.get("/tasks?limit=-2").status, 400);
}

TEST(Endpoints, set_and_remove_quota_and_weights) {
  const Master master;
  EXPECT_EQ(master.request("PUT", "/weights", {}, R"([{"role":"web","weight":2.0}])").status, 200);
  EXPECT_EQ(master.get("/weights").body, R"([{"role":"web","weight":2.0}])");
  EXPECT_EQ(master.request("PUT", "/weights", {}, R"([{"role":"web","weight":-1}])").body,
            "Failed to validate update weights request JSON for role 'web': Invalid weight '-1': Weights must be positive");
  EXPECT_EQ(master.get("/quota").body, "{}");
  const char quota[] = R"({"role":"web","force":true,"guarantee":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]})";
  EXPECT_EQ(master.request("POST", "/quota", {}, quota).status, 200);
  EXPECT_EQ(master.request("POST", "/quota", {}, quota).status, 400);
  EXPECT_NE(master.get("/quota").body.find("\"role\":\"web\""), std::string::npos);
  EXPECT_EQ(master.request("DELETE", "/quota/web", {}, "").status, 200);
  EXPECT_EQ(master.request("DELETE", "/quota/web", {}, "").status, 400);
  EXPECT_EQ(master.get("/maintenance/schedule").body, "{}");
}

TEST(Endpoints, plan_and_end_maintenance) {
  const Master master;
  const std::string schedule =
      R"({"windows":[{"machine_ids":[{"hostname":"h1","ip":"10.0.0.1"}],"unavailability":{"start":{"nanoseconds":5000000000}}}]})";
  EXPECT_EQ(master.request("POST", "/maintenance/schedule", {}, schedule).status, 200);
  EXPECT_EQ(master.get("/maintenance/schedule").body, schedule);
  EXPECT_EQ(master.get("/maintenance/status").body, R"({"draining_machines":[{"id":{"hostname":"h1","ip":"10.0.0.1"}}]})");
  const std::string machine = R"([{"hostname":"H1","ip":"10.0.0.1"}])";
  EXPECT_EQ(master.request("POST", "/machine/up", {}, machine).status, 400);
  EXPECT_EQ(master.request("POST", "/machine/down", {}, machine).status, 200);
  EXPECT_EQ(master.request("POST", "/master/machine/down", {}, machine).status, 400);
  EXPECT_EQ(master.get("/maintenance/status").body, R"({"down_machines":[{"hostname":"h1","ip":"10.0.0.1"}]})");
  EXPECT_NE(master.post("/api/v1", R"({"type":"GET_MAINTENANCE_SCHEDULE"})").body.find("\"h1\""), std::string::npos);
  EXPECT_EQ(master.request("POST", "/machine/up", {}, machine).status, 200);
  EXPECT_EQ(master.get("/maintenance/schedule").body, "{}");
  EXPECT_EQ(master.get("/maintenance/status").body, "{}");
  EXPECT_EQ(master.request("DELETE", "/maintenance/status", {}, "").status, 405);
  for (const char* wrong : {"", "[]", "{}", "[{}]", R"([{"hostname":"a/b"}])", R"([{"ip":"10.0.0.256"}])"}) {
    EXPECT_EQ(master.request("POST", "/machine/down", {}, wrong).status, 400) << wrong;
  }
}

TEST(OperatorApi, answers_every_read_in_protobuf_too) {
  const Master master;
  for (const char* type : {"GET_HEALTH", "GET_FLAGS", "GET_VERSION", "GET_METRICS", "GET_LOGGING_LEVEL", "GET_STATE", "GET_AGENTS",
                           "GET_FRAMEWORKS", "GET_EXECUTORS", "GET_OPERATIONS", "GET_TASKS", "GET_ROLES", "GET_WEIGHTS", "GET_MASTER",
                           "GET_QUOTA", "GET_MAINTENANCE_STATUS", "GET_MAINTENANCE_SCHEDULE"}) {
    mesos::v1::master::Call call;
    mesos::v1::master::Call::Type value{};
    ASSERT_TRUE(mesos::v1::master::Call::Type_Parse(type, &value));
    call.set_type(value);
    call.mutable_get_metrics();
    const std::string protobuf = "application/x-protobuf";
    const Response answer = master.request("POST", "/api/v1", {{"Content-Type", protobuf}, {"Accept", protobuf}}, call.SerializeAsString());
    EXPECT_EQ(answer.status, 200) << type << answer.body;
    EXPECT_EQ(answer.headers.get_or("Content-Type", ""), protobuf);
    mesos::v1::master::Response response;
    ASSERT_TRUE(response.ParseFromString(answer.body)) << type;
    EXPECT_EQ(mesos::v1::master::Response::Type_Name(response.type()), type);
  }
}

TEST(OperatorApi, grows_and_shrinks_volumes_and_reads_the_log) {
  const std::string directory = ::testing::TempDir() + "master-log-" + std::to_string(::getpid());
  ASSERT_TRUE(base::write_file(directory, "line\n").has_value());
  const Master master({}, {"--external_log_file=" + directory});
  const Response piece = master.post("/api/v1", R"({"type":"READ_FILE","read_file":{"path":"/master/log","offset":0}})");
  EXPECT_NE(piece.body.find(R"("read_file":{"size":5,"data":"bGluZQo="})"), std::string::npos) << piece.body;
  EXPECT_EQ(master.post("/api/v1", R"({"type":"LIST_FILES","list_files":{"path":"/master/log"}})").status, 200);
  EXPECT_EQ(master.post("/api/v1", R"({"type":"READ_FILE","read_file":{"path":"/nothing","offset":0}})").status, 404);
  EXPECT_EQ(master.get("/files/read?path=/master/log&offset=0").body, R"({"offset":0,"data":"line\n"})");
  EXPECT_EQ(master.get("/files/read?path=/master/log").body, R"({"offset":5,"data":""})");
  ::unlink(directory.c_str());

  FakeAgent agent(master);
  const std::string id = agent.register_new("cpus:4;mem:1024;disk:100");
  const std::string disk = R"({"name":"disk","type":"SCALAR","scalar":{"value":8},"reservations":[{"type":"DYNAMIC","role":"web"}])";
  const std::string volume = disk + R"(,"disk":{"persistence":{"id":"v"},"volume":{"container_path":"d","mode":"RW"}}})";
  const auto call = [&](const std::string& type, const std::string& field, const std::string& rest) {
    return master.post("/api/v1", "{\"type\":\"" + type + "\",\"" + field + "\":{\"agent_id\":{\"value\":\"" + id + "\"}," + rest + "}}");
  };
  using Operation_ = mesos::v1::Offer::Operation;
  EXPECT_EQ(call("RESERVE_RESOURCES", "reserve_resources", "\"resources\":[" + disk + "}," + disk + "}]").status, 202);
  EXPECT_EQ(agent.next().apply_operation().operation().type(), Operation_::RESERVE);
  EXPECT_EQ(call("CREATE_VOLUMES", "create_volumes", "\"volumes\":[" + volume + "]").status, 202);
  EXPECT_EQ(agent.next().apply_operation().operation().type(), Operation_::CREATE);
  EXPECT_EQ(call("GROW_VOLUME", "grow_volume", "\"volume\":" + volume + ",\"addition\":" + disk + "}").status, 202);
  EXPECT_EQ(agent.next().apply_operation().operation().type(), Operation_::GROW_VOLUME);
  std::string grown = volume;
  grown.replace(grown.find("8}"), 1, "16");
  EXPECT_EQ(call("SHRINK_VOLUME", "shrink_volume", "\"volume\":" + grown + ",\"subtract\":{\"value\":8}").status, 202);
  EXPECT_EQ(agent.next().apply_operation().operation().type(), Operation_::SHRINK_VOLUME);
  EXPECT_EQ(call("DESTROY_VOLUMES", "destroy_volumes", "\"volumes\":[" + volume + "]").status, 202);
  EXPECT_EQ(agent.next().apply_operation().operation().type(), Operation_::DESTROY);
  EXPECT_EQ(call("UNRESERVE_RESOURCES", "unreserve_resources", "\"resources\":[" + disk + "}]").status, 202);
  const Response refused =
      call("RESERVE_RESOURCES", "reserve_resources", R"("resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}])");
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.body.find("Invalid RESERVE operation on agent " + id + " at slave(1)@127.0.0.1:5051 (h1): "),
            std::string::npos)
      << refused.body;
  EXPECT_EQ(master.post("/api/v1", R"({"type":"MARK_AGENT_GONE","mark_agent_gone":{"agent_id":{"value":"nobody"}}})").status, 404);
}

TEST(Metrics, have_the_names_of_the_original) {
  const Master master;
  FakeAgent agent(master);
  const std::string id = agent.register_new();
  Scheduler scheduler(master, kSubscribe);
  const std::string framework = scheduler.next_event().subscribed().framework_id().value();
  EXPECT_EQ(scheduler.next_event().type(), SchedulerEvent::OFFERS);
  EXPECT_EQ(master.request("PUT", "/weights", {}, R"([{"role":"web","weight":2.0}])").status, 200);
  EXPECT_EQ(
      master
          .post(
              "/api/v1",
              R"({"type":"UPDATE_QUOTA","update_quota":{)"
              R"("quota_configs":[{"role":"web","guarantees":{"cpus":{"value":1}},"limits":{"cpus":{"value":2}}}]}})")
          .status,
      200);
  EXPECT_EQ(master
                .post("/api/v1/scheduler", R"({"type":"REQUEST","framework_id":{"value":")" + framework + R"("},"request":{}})",
                      scheduler.stream_id)
                .status,
            202);
  const std::string text = master.get("/metrics/snapshot").body;
  const std::string of_framework = "master/frameworks/f/" + framework + "/";
  for (const std::string& name : {std::string("master/operations/total"),
                                  std::string("master/operations/pending"),
                                  std::string("master/operations/reserve/gone_by_operator"),
                                  std::string("master/operations/create_disk/finished"),
                                  std::string("allocator/mesos/allocation_runs"),
                                  std::string("allocator/mesos/allocation_run_ms"),
                                  std::string("allocator/mesos/allocation_run_ms/p9999"),
                                  std::string("allocator/mesos/allocation_run_latency_ms/count"),
                                  std::string("allocator/mesos/event_queue_dispatches"),
                                  std::string("allocator/event_queue_dispatches"),
                                  std::string("allocator/mesos/roles/*/shares/dominant"),
                                  std::string("allocator/mesos/offer_filters/roles/*/active"),
                                  std::string("allocator/mesos/resources/mem/total"),
                                  std::string("allocator/mesos/quota/roles/web/resources/cpus/offered_or_allocated"),
                                  std::string("registrar/queued_operations"),
                                  std::string("master/messages_resource_request"),
                                  of_framework + "subscribed",
                                  of_framework + "calls/reconcile_operations",
                                  of_framework + "events/heartbeat",
                                  of_framework + "operations",
                                  of_framework + "operations/launch_group",
                                  of_framework + "tasks/active/task_running",
                                  of_framework + "tasks/terminal/task_gone_by_operator",
                                  of_framework + "roles/*/suppressed"}) {
    EXPECT_NE(text.find("\"" + name + "\":"), std::string::npos) << name;
  }
  for (const std::string& value : {std::string(R"("allocator/mesos/quota/roles/web/resources/cpus/guarantee":1.0)"),
                                   std::string(R"("allocator/mesos/quota/roles/web/resources/cpus/limit":2.0)"),
                                   std::string(R"("allocator/mesos/resources/cpus/offered_or_allocated":3.0)"),
                                   std::string(R"("master/messages_resource_request":1.0)"), "\"" + of_framework + "calls/request\":1.0",
                                   "\"" + of_framework + "calls\":2.0"}) {
    EXPECT_NE(text.find(value), std::string::npos) << value << " in " << text;
  }
  EXPECT_EQ(text.find("/unknown\""), std::string::npos);
  const Response explained = master.get("/allocator/explain?framework=" + framework);
  for (const char* key : {"\"share\":", "\"role_share\":", "\"weight\":", "\"frameworks_before\":", "\"filters\":",
                          "\"excluded\":", "\"offerable\":"}) {
    EXPECT_NE(explained.body.find(key), std::string::npos) << explained.body;
  }
  EXPECT_NE(explained.body.find("\"quota\":[\"" + id + "\"]"), std::string::npos) << explained.body;
}

TEST(Metrics, of_each_framework_can_be_left_out) {
  const Master master({}, {"--no-publish_per_framework_metrics"});
  Scheduler scheduler(master, kSubscribe);
  scheduler.next_event();
  const std::string text = master.get("/metrics/snapshot").body;
  EXPECT_EQ(text.find("master/frameworks/"), std::string::npos);
  EXPECT_NE(text.find("\"master/frameworks_connected\":1.0"), std::string::npos);
}

TEST(Metrics, tell_of_the_registry) {
  const std::string directory = ::testing::TempDir() + "master-registry-" + std::to_string(::getpid());
  ASSERT_TRUE(base::make_directories(directory).has_value());
  const Master master(directory);
  EXPECT_EQ(master.request("PUT", "/weights", {}, R"([{"role":"web","weight":2.0}])").status, 200);
  const std::string text = master.get("/metrics/snapshot").body;
  for (const char* name : {"registrar/state_fetch_ms", "registrar/state_store_ms", "registrar/state_store_ms/p99"}) {
    EXPECT_NE(text.find("\"" + std::string(name) + "\":"), std::string::npos) << name;
  }
  EXPECT_EQ(text.find(R"("registrar/registry_size_bytes":0.0)"), std::string::npos) << text;
}

TEST(Explain, names_the_quota_that_bounds_a_role) {
  const Master master;
  FakeAgent agent(master);
  agent.register_new();
  EXPECT_EQ(
      master
          .post(
              "/api/v1",
              R"({"type":"UPDATE_QUOTA","update_quota":{"force":true,"quota_configs":[{"role":"eng","limits":{"cpus":{"value":0}}}]}})")
          .status,
      200);
  Scheduler scheduler(master, R"({"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"nobody","name":"f","role":"eng/web"}}})");
  const std::string framework = scheduler.next_event().subscribed().framework_id().value();
  const std::string text = master.get("/allocator/explain?framework=" + framework).body;
  EXPECT_NE(text.find(R"("quota":{"role":"eng","guarantees":{},"limits":{"cpus":0.0},"consumed":)"), std::string::npos) << text;
}

TEST(Endpoints, read_the_whitelist_again) {
  const std::string path = ::testing::TempDir() + "whitelist-" + std::to_string(::getpid());
  ASSERT_TRUE(base::write_file(path, "other\n").has_value());
  const Master master({}, {"--whitelist=" + path}, [](master::Flags& flags) { flags.whitelist_interval = base::milliseconds(5); });
  FakeAgent agent(master);
  agent.register_new();
  Scheduler scheduler(master, kSubscribe);
  const std::string framework = scheduler.next_event().subscribed().framework_id().value();
  EXPECT_NE(master.get("/allocator/explain?framework=" + framework).body.find("\"whitelist\":["), std::string::npos);
  ASSERT_TRUE(base::write_file(path, "other\nh1\n").has_value());
  EXPECT_EQ(scheduler.next_event().type(), SchedulerEvent::OFFERS);
  ::unlink(path.c_str());
}

TEST(Endpoints, tell_counters_as_text_of_prometheus) {
  const Master master;
  const Response metrics = master.get("/metrics");
  EXPECT_EQ(metrics.status, 200);
  EXPECT_TRUE(metrics.headers.get_or("Content-Type", "").starts_with("text/plain")) << metrics.headers.get_or("Content-Type", "");
  EXPECT_NE(metrics.body.find("# TYPE master_elected gauge\nmaster_elected 1.0\n"), std::string::npos);
  EXPECT_NE(metrics.body.find("\nmaster_slave_registrations 0.0\n"), std::string::npos);
}

TEST(Endpoints, reserve_resources_and_make_volumes) {
  const Master master;
  FakeAgent agent(master);
  const std::string id = agent.register_new("cpus:4;mem:1024;disk:100");
  const std::string reserved = R"({"name":"cpus","type":"SCALAR","scalar":{"value":1},"role":"web","reservation":{}})";
  const auto post = [&](const std::string& what, const std::string& field, const std::string& list) {
    return master.request("POST", what, {{"Content-Type", "application/x-www-form-urlencoded"}},
                          "slaveId=" + id + "&" + field + "=" + base::percent_encode("[" + list + "]"));
  };
  EXPECT_EQ(post("/reserve", "resources", reserved).status, 202);
  EXPECT_EQ(agent.next().apply_operation().operation().type(), mesos::v1::Offer::Operation::RESERVE);
  EXPECT_NE(master.get("/slaves").body.find(R"("reserved_resources":{"web":{)"), std::string::npos);
  EXPECT_EQ(post("/master/unreserve", "resources", reserved).status, 202);
  EXPECT_EQ(agent.next().apply_operation().operation().type(), mesos::v1::Offer::Operation::UNRESERVE);

  const std::string disk = R"({"name":"disk","type":"SCALAR","scalar":{"value":8},"role":"web","reservation":{})";
  const std::string volume = disk + R"(,"disk":{"persistence":{"id":"v"},"volume":{"container_path":"d","mode":"RW"}}})";
  EXPECT_EQ(post("/create-volumes", "volumes", volume).status, 409);  // nothing is reserved
  EXPECT_EQ(post("/reserve", "resources", disk + "}").status, 202);
  EXPECT_EQ(agent.next().apply_operation().operation().type(), mesos::v1::Offer::Operation::RESERVE);
  EXPECT_EQ(post("/create-volumes", "volumes", volume).status, 202);
  EXPECT_EQ(agent.next().apply_operation().operation().type(), mesos::v1::Offer::Operation::CREATE);
  EXPECT_EQ(post("/destroy-volumes", "volumes", volume).status, 202);
  EXPECT_EQ(agent.next().apply_operation().operation().type(), mesos::v1::Offer::Operation::DESTROY);

  for (const char* body : {"", "slaveId=x", "slaveId=x&resources=", "slaveId=x&resources={}", "slaveId=x&resources=[]"}) {
    EXPECT_EQ(master.request("POST", "/reserve", {{"Content-Type", "application/x-www-form-urlencoded"}}, body).status, 400) << body;
  }
  EXPECT_EQ(master.get("/reserve").status, 405);
}

std::string accept_call(const std::string& framework, const mesos::v1::Offer& offer, const std::string& task) {
  Call call;
  call.set_type(Call::ACCEPT);
  call.mutable_framework_id()->set_value(framework);
  *call.mutable_accept()->add_offer_ids() = offer.id();
  auto& operation = *call.mutable_accept()->add_operations();
  operation.set_type(mesos::v1::Offer::Operation::LAUNCH);
  auto& info = *operation.mutable_launch()->add_task_infos();
  info.set_name(task);
  info.mutable_task_id()->set_value(task);
  *info.mutable_agent_id() = offer.agent_id();
  info.mutable_command()->set_value("sleep 1");
  resources::to_proto(resources::must_parse("cpus:1;mem:32"), resources::Format::Pre, info.mutable_resources());
  return base::json::proto_to_json(call);
}

link::AgentMessage running(const std::string& framework, const std::string& agent, const std::string& task) {
  link::AgentMessage message;
  auto& update = *message.mutable_status_update();
  update.mutable_framework_id()->set_value(framework);
  update.mutable_status()->mutable_task_id()->set_value(task);
  update.mutable_status()->mutable_agent_id()->set_value(agent);
  update.mutable_status()->set_state(mesos::v1::TASK_RUNNING);
  update.mutable_status()->set_timestamp(1);
  update.mutable_status()->set_uuid(base::Random(1).uuid_bytes());
  update.set_latest_state(mesos::v1::TASK_RUNNING);
  return message;
}

TEST(Master, runs_a_task_and_finds_it_again_after_a_restart) {
  char path[] = "/tmp/master-test-XXXXXX";
  ASSERT_NE(mkdtemp(path), nullptr);
  std::string agent_id, framework_id, stored_task;
  link::RunTask order;
  {
    const Master master(path);
    FakeAgent agent(master);
    agent_id = agent.register_new();
    EXPECT_NE(agent_id.find("-S0"), std::string::npos);

    Scheduler observer(master, R"({"type":"SUBSCRIBE"})", "/api/v1");
    EXPECT_NE(observer.next().find("\"SUBSCRIBED\""), std::string::npos);

    Scheduler scheduler(master, kSubscribe);
    framework_id = scheduler.next_event().subscribed().framework_id().value();
    EXPECT_EQ(scheduler.status, 200);
    const SchedulerEvent offers = scheduler.next_event();
    ASSERT_EQ(offers.offers().offers_size(), 1);
    const mesos::v1::Offer& offer = offers.offers().offers(0);
    EXPECT_EQ(offer.agent_id().value(), agent_id);

    EXPECT_EQ(master.post("/api/v1/scheduler", accept_call(framework_id, offer, "t1"), scheduler.stream_id).status, 202);
    order = agent.next().run_task();
    EXPECT_EQ(order.task().task_id().value(), "t1");
    const link::AgentMessage update = running(framework_id, agent_id, "t1");
    agent.send(update);
    const SchedulerEvent told = scheduler.next_event();
    EXPECT_EQ(told.update().status().state(), mesos::v1::TASK_RUNNING);

    Call acknowledge;
    acknowledge.set_type(Call::ACKNOWLEDGE);
    acknowledge.mutable_framework_id()->set_value(framework_id);
    acknowledge.mutable_acknowledge()->mutable_agent_id()->set_value(agent_id);
    acknowledge.mutable_acknowledge()->mutable_task_id()->set_value("t1");
    acknowledge.mutable_acknowledge()->set_uuid(update.status_update().status().uuid());
    EXPECT_EQ(master.post("/api/v1/scheduler", base::json::proto_to_json(acknowledge), scheduler.stream_id).status, 202);
    EXPECT_EQ(agent.next().acknowledge_status_update().task_id().value(), "t1");

    EXPECT_NE(observer.next().find("\"FRAMEWORK_ADDED\""), std::string::npos);
    EXPECT_NE(observer.next().find("\"TASK_ADDED\""), std::string::npos);
    EXPECT_NE(observer.next().find("\"TASK_UPDATED\""), std::string::npos);
    EXPECT_NE(master.get("/state").body.find("\"state\":\"TASK_RUNNING\""), std::string::npos);
    EXPECT_NE(master.get("/metrics/snapshot").body.find("\"master/tasks_running\":1.0"), std::string::npos);
  }

  // Another process on the same directory.
  const Master master(path);
  EXPECT_NE(master.get("/slaves").body.find(agent_id), std::string::npos);  // recovered
  FakeAgent agent(master);
  link::AgentMessage message;
  auto& back = *message.mutable_reregister_agent();
  *back.mutable_agent_info() = master::testing::agent_info("h1", 5051, "cpus:4;mem:1024;ports:[31000-32000]");
  back.mutable_agent_info()->mutable_id()->set_value(agent_id);
  back.set_version("1.12.0");
  *back.add_frameworks() = order.framework_info();
  auto& task = *back.add_tasks();
  task.set_name("t1");
  task.mutable_task_id()->set_value("t1");
  task.mutable_framework_id()->set_value(framework_id);
  task.mutable_agent_id()->set_value(agent_id);
  task.set_state(mesos::v1::TASK_RUNNING);
  *task.mutable_resources() = order.task().resources();
  agent.send(message);
  const link::Reregistered confirmed = agent.next().reregistered();
  EXPECT_EQ(confirmed.agent_id().value(), agent_id);
  EXPECT_GT(confirmed.reconnect_spread_seconds(), 0);
  EXPECT_NE(master.get("/state").body.find("\"recovered\":true"), std::string::npos);

  std::string again = kSubscribe;
  again.insert(again.find("\"user\""), R"("id":{"value":")" + framework_id + R"("},)");
  again.insert(again.find("\"subscribe\""), R"("framework_id":{"value":")" + framework_id + R"("},)");
  Scheduler scheduler(master, again);
  EXPECT_EQ(scheduler.next_event().subscribed().framework_id().value(), framework_id);
  EXPECT_EQ(scheduler.next_event().offers().offers_size(), 1);
  EXPECT_EQ(master.post("/api/v1/scheduler",
                        R"({"type":"RECONCILE","framework_id":{"value":")" + framework_id + R"("},"reconcile":{}})",
                        scheduler.stream_id).status,
            202);
  const SchedulerEvent update = scheduler.next_event();
  EXPECT_EQ(update.update().status().task_id().value(), "t1");
  EXPECT_EQ(update.update().status().state(), mesos::v1::TASK_RUNNING);
  EXPECT_TRUE(base::remove_tree(path).has_value());
}

TEST(Access, is_asked_for_by_realm) {
  char directory[] = "/tmp/dcos-master-XXXXXX";
  const std::string path = mkdtemp(directory);
  ASSERT_TRUE(base::write_file(path + "/credentials", R"({"credentials":[{"principal":"ops","secret":"s3"}]})").has_value());
  ASSERT_TRUE(base::write_file(path + "/acls", R"({"view_frameworks":[{"principals":{"type":"ANY"},"users":{"type":"NONE"}}],
      "view_flags":[{"principals":{"type":"ANY"},"flags":{"type":"NONE"}}]})").has_value());
  const Master master({}, {"--credentials=file://" + path + "/credentials", "--authenticate_http_readonly",
                           "--authenticate_http_readwrite", "--authenticate_http_frameworks", "--acls=file://" + path + "/acls"});
  const base::http::Headers right{{"Authorization", "Basic b3BzOnMz"}, {"Content-Type", "application/json"}};
  const base::http::Headers wrong{{"Authorization", "Basic b3BzOnM0"}, {"Content-Type", "application/json"}};
  EXPECT_EQ(master.get("/health").status, 200);
  const std::pair<const char*, const char*> realms[] = {{"/state", "mesos-master-readonly"},
                                                        {"/master/state.json", "mesos-master-readonly"},
                                                        {"/api/v1", "mesos-master-readwrite"},
                                                        {"/teardown", "mesos-master-readwrite"},
                                                        {"/master/api/v1/scheduler", "mesos-master-scheduler"}};
  for (const auto& [target, realm] : realms) {
    for (const base::http::Headers& headers : {base::http::Headers(), wrong}) {
      const Response refused = master.request("POST", target, headers, "{}");
      EXPECT_EQ(refused.status, 401) << target;
      EXPECT_EQ(refused.headers.get_or("WWW-Authenticate", ""), std::string("Basic realm=\"") + realm + "\"") << target;
    }
    EXPECT_NE(master.request("POST", target, right, "{}").status, 401) << target;
  }
  const std::string state = master.request("GET", "/state", right, {}).body;
  EXPECT_NE(state.find("\"frameworks\":[]"), std::string::npos);
  EXPECT_EQ(state.find("\"flags\""), std::string::npos);
  EXPECT_EQ(master.request("GET", "/flags", right, {}).status, 403);
  EXPECT_EQ(state.find("s3"), std::string::npos);
  EXPECT_TRUE(base::remove_tree(path).has_value());
}

TEST(Access, is_asked_for_however_the_path_is_written) {
  const Master master({}, {R"(--credentials={"credentials":[{"principal":"ops","secret":"s3"}]})", "--authenticate_http_readonly",
                           R"(--acls={"get_endpoints":[{"principals":{"type":"ANY"},"paths":{"type":"NONE"}}]})"});
  for (const char* path : {"/%73tate", "//state", "/master//state.json", "/metrics/%73napshot"}) {
    EXPECT_EQ(master.get(path).status, 401) << path;
  }
  const base::http::Headers right{{"Authorization", "Basic b3BzOnMz"}};
  for (const char* path : {"/metrics/snapshot", "/metrics//snapshot", "/%6Detrics/snapshot/"}) {
    EXPECT_EQ(master.request("GET", path, right, {}).status, 403) << path;
  }
}

TEST(Firewall, closes_what_it_names) {
  const Master master({}, {R"(--firewall_rules={"disabled_endpoints":{"paths":["/tasks","/files/browse"]}})"});
  for (const char* path : {"/tasks", "/master/tasks", "/master/tasks.json", "/%74asks", "/files/browse"}) {
    const Response closed = master.get(path);
    EXPECT_EQ(closed.status, 403) << path;
    EXPECT_EQ(closed.body, std::string("Endpoint '") + path + "' is disabled");
  }
  EXPECT_EQ(master.get("/state").status, 200);
  EXPECT_EQ(master.post("/files/browse", "{}").status, 403);
}

TEST(Flags, that_would_do_nothing_are_refused_with_a_sentence) {
  const auto refusal = [](const std::string& flag) {
    master::Flags flags;
    const char* arguments[] = {"dcos-master", "--registry=in_memory", flag.c_str()};
    const base::Status parsed = flags.parse(3, arguments, {});
    return parsed ? std::string() : parsed.error().message;
  };
  EXPECT_NE(refusal("--authenticate_frameworks").find("there is no authentication of frameworks"), std::string::npos);
  EXPECT_NE(refusal("--modules=m").find("modules cannot be loaded"), std::string::npos);
  EXPECT_NE(refusal("--firewall_rules={}").find("--firewall_rules"), std::string::npos);
  EXPECT_EQ(refusal("--no-authenticate_frameworks"), "");
}

TEST(Flags, take_the_address_of_zookeeper_from_a_file) {
  char directory[] = "/tmp/dcos-master-XXXXXX";
  const std::string path = mkdtemp(directory);
  ASSERT_TRUE(base::write_file(path + "/zk", "zk://10.0.0.1:2181,10.0.0.2:2181/mesos\n").has_value());
  master::Flags flags;
  const std::string zk = "--zk=file://" + path + "/zk", work_dir = "--work_dir=" + path;
  const char* arguments[] = {"dcos-master", zk.c_str(), work_dir.c_str(), "--quorum=1"};
  const base::Status parsed = flags.parse(4, arguments, {});
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  ASSERT_TRUE(flags.zk.has_value());
  EXPECT_EQ(flags.zk->path, "/mesos");
  EXPECT_TRUE(base::remove_tree(path).has_value());
}

TEST(Access, without_credentials_is_refused_at_start) {
  master::Flags flags;
  const char* arguments[] = {"dcos-master", "--registry=in_memory", "--authenticate_http_readonly"};
  EXPECT_FALSE(flags.parse(3, arguments, {}));
}

}  // namespace
