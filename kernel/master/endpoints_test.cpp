// Endpoints of the original over HTTP, metrics among them.

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "kernel/master/testing_daemon.hpp"

namespace {

using master::testing::FakeAgent;
using master::testing::Master;
using master::testing::Response;
using master::testing::Scheduler;
using master::testing::SchedulerEvent;
using master::testing::kSubscribe;

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

}  // namespace
