// The order of HTTP checks, one task through a real agent link and a real stream, and who is let in.

#include <stdlib.h>

#include "base/file.hpp"
#include "kernel/master/testing_daemon.hpp"
#include "kernel/resources/parse.hpp"
#include "kernel/resources/proto.hpp"

namespace {

namespace link = dcos::internal::v1;
using master::testing::Call;
using master::testing::FakeAgent;
using master::testing::Master;
using master::testing::Response;
using master::testing::Scheduler;
using master::testing::SchedulerEvent;
using master::testing::kSubscribe;

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
