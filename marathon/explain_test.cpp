// Why things wait, in words, and that deployments do not wait for ever.

#include "marathon/explain.hpp"

#include <gtest/gtest.h>

#include "base/json/value.hpp"
#include "kernel/api/mesos/v1/resources.pb.h"
#include "marathon/testing.hpp"

#include <boost/json.hpp>

namespace marathon {
namespace {

using testing::World;

std::string app(const std::string& id, const std::string& more = "", int instances = 1) {
  return R"({"id":")" + id + R"(","cmd":"sleep 100","cpus":0.1,"mem":32,"instances":)" + std::to_string(instances) +
         (more.empty() ? "" : "," + more) + "}";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The value at `pointer` of an answer, as JSON text; "" when it is missing.
std::string at(const base::http::Response& response, const std::string& pointer) {
  const auto value = base::json::parse(response.body);
  EXPECT_TRUE(value) << response.body;
  const auto* found = value ? base::json::find(*value, pointer) : nullptr;
  return found ? base::json::render(*found) : "";
}

struct Case {
  const char* definition;  // members of the app
  const char* reason;
  const char* message;
  const char* help;
};

TEST(Explain, every_step_of_the_funnel_is_told_with_its_numbers) {
  const Case cases[] = {
      {R"("cpus":9)", "InsufficientCpus", "2 of 2 agents have too little cpus: 9 wanted, the most that one offers is 8",
       "'cpus' of at most 8"},
      {R"("mem":100000)", "InsufficientMemory",
       "2 of 2 agents have too little mem: 100000 MB wanted, the most that one offers is 8192 MB",
       "an agent with 100000 MB mem free"},
      {R"("disk":9000.5)", "InsufficientDisk", "9000.5 MB wanted", "disk"},
      {R"("portDefinitions":[{"port":80}],"requirePorts":true)", "InsufficientPorts",
       "2 of 2 agents do not offer all of the ports '80'", "host ports chosen freely"},
      {R"("constraints":[["rack","LIKE","r9"]])", "UnfulfilledConstraint",
       "the constraint 'rack LIKE r9' excludes 2 of 2 agents (rack 'r1'); 1 has no rack",
       "an agent whose rack is 'r9'"},
      {R"("constraints":[["hostname","UNLIKE","host.*"]])", "UnfulfilledConstraint", "(hostname 'host1', 'host2')",
       "does not match 'host.*'"},
      {R"("constraints":[["rack","IS","r2"]])", "UnfulfilledConstraint", "'rack IS r2' excludes 2 of 2", "is 'r2'"},
      {R"("constraints":[["hostname","CLUSTER","host7"]])", "UnfulfilledConstraint", "'hostname CLUSTER host7'",
       "room where hostname is 'host7'"},
      {R"("constraints":[["hostname","MAX_PER","0"]])", "UnfulfilledConstraint", "'hostname MAX_PER 0'",
       "a larger number than 0"},
  };
  for (const Case& c : cases) {
    World world({}, {{"A1", "host1", 8, 8192, 8192, {{"rack", "r1"}}}, {"A2", "host2"}});
    world.subscribe();
    const auto created = world.post_app(R"({"id":"/a","cmd":"sleep 1",)" + std::string(c.definition) + "}");
    ASSERT_EQ(created.status, 201) << created.body;
    const auto queue = world.get("/v2/queue?embed=explanation");
    EXPECT_EQ(at(queue, "/queue/0/explanation/causes/0/reason"), "\"" + std::string(c.reason) + "\"") << queue.body;
    EXPECT_EQ(at(queue, "/queue/0/explanation/causes/0/agents"), "2") << c.definition;
    EXPECT_TRUE(contains(at(queue, "/queue/0/explanation/causes/0/message"), c.message)) << queue.body;
    EXPECT_TRUE(contains(at(queue, "/queue/0/explanation/causes/0/help"), c.help)) << queue.body;
    EXPECT_FALSE(contains(world.get("/v2/queue").body, "explanation")) << "told to those who ask";
    const auto deployments = world.get("/v2/deployments?embed=explanation");
    EXPECT_EQ(at(deployments, "/0/currentActions/0/explanation/causes/0/instances"), "1") << deployments.body;
    EXPECT_TRUE(contains(at(deployments, "/0/currentActions/0/explanation/message"), c.message)) << deployments.body;
    EXPECT_FALSE(contains(world.get("/v2/deployments").body, "explanation"));
  }
}

TEST(Explain, another_region_is_told_by_its_name) {
  World world({}, {{"A1", "host1", 8, 8192, 8192, {}, {}, "there"}});
  world.master_region = "here";
  world.subscribe();
  world.post_app(app("/a"));
  EXPECT_EQ(world.running("/a"), 0U) << "only the master's region is used";
  const auto queue = world.get("/v2/queue?embed=explanation");
  EXPECT_EQ(at(queue, "/queue/0/explanation/causes/0/reason"), "\"UnfulfilledConstraint\"") << queue.body;
  EXPECT_TRUE(contains(queue.body, "1 of 1 agent lies in region 'there'")) << queue.body;
  EXPECT_TRUE(contains(queue.body, "a constraint on @region, or agents in 'here'")) << queue.body;
  world.request("PUT", "/v2/apps//a?force=true", R"({"constraints":[["@region","IS","there"]]})");
  world.advance(base::minutes(3));
  world.offer_all();
  EXPECT_EQ(world.running("/a"), 1U);
}

TEST(Explain, a_pod_counts_with_its_executor_and_its_volumes) {
  Policy policy;
  policy.defaults.role = policy.validation.role = "web";
  World world(policy);
  world.subscribe();
  const auto pod = [](const char* cpus, const char* volume) {
    return R"({"id":"/p","containers":[{"name":"a","exec":{"command":{"shell":"x"}},"resources":{"cpus":)" +
           std::string(cpus) + R"(,"mem":32},"volumeMounts":[{"name":"v","mountPath":"v"}]}],"volumes":[{"name":"v")" +
           volume + "}]}";
  };
  ASSERT_EQ(world.request("POST", "/v2/pods", pod("8", "")).status, 201);
  auto queue = world.get("/v2/queue?embed=explanation");
  EXPECT_TRUE(contains(queue.body, "2 of 2 agents have too little cpus: 8.1 wanted, the most that one offers is 8")) << queue.body;
  world.request("DELETE", "/v2/pods/p?force=true");
  ASSERT_EQ(world.request("POST", "/v2/pods", pod("1", R"(,"persistent":{"size":9000})")).status, 201);
  queue = world.get("/v2/queue?embed=explanation");
  EXPECT_TRUE(contains(queue.body, "9010 MB wanted, the most that one offers is 8192 MB (9000 MB of it for persistent volumes)"))
      << queue.body;
}

TEST(Explain, what_is_there_for_other_roles_is_told) {
  World world({}, {{"A1", "host1", 5}});
  auto other = std::make_shared<mesos::v1::Resource>();
  other->set_name("cpus");
  other->set_type(mesos::v1::Value::SCALAR);
  other->mutable_scalar()->set_value(4);
  other->add_reservations()->set_role("other");
  world.agents[0].reserved.push_back(other);
  world.subscribe();
  world.post_app(app("/a", R"("acceptedResourceRoles":["*"])").replace(app("/a").find("0.1"), 3, "2"));
  const auto queue = world.get("/v2/queue?embed=explanation");
  EXPECT_TRUE(contains(queue.body, "1 of 1 agent have too little cpus: 2 wanted")) << queue.body;
  EXPECT_TRUE(contains(queue.body, "1 has enough for other roles than *")) << queue.body;
}

TEST(Explain, agents_that_are_full_with_others_are_told_from_agents_that_are_too_small) {
  World world({}, {{"A1", "host1"}});
  world.subscribe();
  world.post_app(app("/a", R"("cpus":3)", 5));
  const auto queue = world.get("/v2/queue?embed=explanation");
  EXPECT_EQ(at(queue, "/queue/0/count"), "3");
  EXPECT_TRUE(contains(queue.body, "have enough cpus for one instance, but others were placed there first"))
      << queue.body;
}

TEST(Explain, one_instance_per_host_and_no_host_left) {
  World world;
  world.subscribe();
  world.post_app(app("/a", R"("constraints":[["hostname","UNIQUE"]])", 3));
  const auto queue = world.get("/v2/queue?embed=explanation");
  EXPECT_TRUE(contains(queue.body, "the constraint 'hostname UNIQUE' excludes")) << queue.body;
  EXPECT_TRUE(contains(queue.body, "an agent with another hostname, or fewer instances")) << queue.body;
}

TEST(Explain, no_master_no_offers_and_backing_off) {
  World world;
  world.post_app(app("/a"));
  EXPECT_TRUE(contains(world.get("/v2/queue?embed=explanation").body, "NotConnected"));
  world.auto_offer = false;
  world.subscribe(false);
  EXPECT_TRUE(contains(world.get("/v2/queue?embed=explanation").body, "no agent has offered anything since"));
  world.auto_offer = true;
  world.offer_all();
  world.update(world.tasks_of("/a")[0], "TASK_FAILED", "exit status 3");
  const auto queue = world.get("/v2/queue?embed=explanation");
  EXPECT_TRUE(contains(queue.body, "the next launch is in 1 s")) << queue.body;
  EXPECT_TRUE(contains(queue.body, "TASK_FAILED exit status 3")) << queue.body;
}

TEST(Explain, each_phase_of_a_deployment) {
  World world;
  world.subscribe();
  world.auto_run = world.auto_kill = false;
  const auto explanation = [&] { return world.get("/v2/deployments?embed=explanation").body; };
  world.post_app(app("/a", R"("healthChecks":[{"protocol":"HTTP","gracePeriodSeconds":0,"intervalSeconds":5}])"));
  EXPECT_TRUE(contains(explanation(), "1 task was launched")) << explanation();
  world.probe_status = 503;
  world.update(world.tasks_of("/a")[0], "TASK_RUNNING");
  EXPECT_TRUE(contains(explanation(), "1 task runs and has not passed its health checks: no result yet"));
  world.advance(base::seconds(6));
  EXPECT_TRUE(contains(explanation(), "the last result is: 503 Service Unavailable")) << explanation();
  world.probe_status = 200;
  world.advance(base::seconds(6));
  EXPECT_TRUE(world.state().deployments.empty());
  world.request("DELETE", "/v2/apps/a");
  EXPECT_TRUE(contains(explanation(), "1 task is being stopped")) << explanation();
  world.store_answers = false;
  world.request("POST", "/v2/apps", app("/b"));
  EXPECT_TRUE(contains(explanation(), "the change is being stored")) << explanation();
}

TEST(Explain, those_who_ask_for_it_hear_of_it_as_events) {
  World world;
  world.subscribe();
  world.post_app(app("/a", R"("cpus":9)"));
  world.published.clear();
  world.advance(base::seconds(61));
  bool app_told = false, deployment_told = false;
  for (const Publish& event : world.published) {
    if (event.type == "app_waiting_event") app_told = event.on_request && contains(event.data, "too little cpus");
    if (event.type == "deployment_waiting_event") {
      deployment_told = event.on_request && contains(event.data, "too little cpus");
    }
  }
  EXPECT_TRUE(app_told);
  EXPECT_TRUE(deployment_told);
}

// --- Deployments that end.

TEST(Deadline, a_deployment_that_stands_still_fails_and_says_why) {
  World world;
  world.subscribe();
  const auto created = world.post_app(app("/a", R"("cpus":9,"deployment":{"progressDeadlineSeconds":60})"));
  const std::string id = std::string(created.headers.get_or("Marathon-Deployment-Id", ""));
  EXPECT_TRUE(contains(world.get("/v2/deployments/" + id).body, R"("state":"running")"));
  world.advance(base::seconds(59));
  EXPECT_EQ(world.state().deployments.size(), 1U);
  world.advance(base::seconds(2));
  EXPECT_TRUE(world.state().deployments.empty());
  EXPECT_EQ(world.events_of("deployment_failed"), 1U);
  const auto ended = world.get("/v2/deployments/" + id);
  EXPECT_EQ(at(ended, "/state"), "\"failed\"");
  EXPECT_TRUE(contains(at(ended, "/reason"), "no progress for 60 s: /a: 1 instance waits for a place: 2 of 2 agents"))
      << ended.body;
  EXPECT_EQ(world.get("/v2/apps/a").status, 200) << "a first version has nothing to go back to";
  EXPECT_EQ(world.request("PUT", "/v2/apps/a", R"({"cpus":1})").status, 200) << "not locked any more";
  EXPECT_EQ(world.running("/a"), 1U);
}

TEST(Deadline, progress_moves_it) {
  Policy policy;
  policy.progress_deadline = base::seconds(60);
  World world(policy);
  world.subscribe();
  world.auto_run = false;
  world.post_app(app("/a", "", 3));
  for (size_t i = 0; i < 3; ++i) {
    world.advance(base::seconds(50));
    ASSERT_EQ(world.state().deployments.size(), 1U);
    world.update(world.tasks_of("/a")[i], "TASK_RUNNING");
  }
  EXPECT_EQ(world.events_of("deployment_success"), 1U);
}

TEST(Deadline, tasks_that_come_and_go_are_no_progress) {
  World world;
  world.subscribe();
  world.post_app(app("/a", R"("backoffSeconds":0,"deployment":{"progressDeadlineSeconds":60},)"
                           R"("healthChecks":[{"protocol":"HTTP","gracePeriodSeconds":1}])", 2));
  world.probe_status = 500;
  for (int i = 0; i < 30 && !world.state().deployments.empty(); ++i) {
    world.advance(base::seconds(5));
    for (const auto& task : world.tasks_of("/a")) world.update(task, "TASK_FAILED");
  }
  EXPECT_TRUE(world.state().deployments.empty());
}

TEST(Deadline, the_former_definition_comes_back_when_the_app_says_so) {
  World world;
  world.subscribe();
  world.post_app(app("/a", R"("deployment":{"progressDeadlineSeconds":30,"autoRevert":true})", 2));
  const auto before = world.tasks_of("/a");
  const auto change = world.request("PUT", "/v2/apps/a", R"({"cpus":50})");
  ASSERT_EQ(change.status, 200);
  world.advance(base::seconds(31));
  EXPECT_EQ(at(world.get("/v2/apps/a"), "/app/cpus"), "0.1");
  EXPECT_TRUE(world.state().deployments.empty());
  EXPECT_EQ(world.running("/a"), 2U);
  for (const auto& task : before) {
    EXPECT_TRUE(world.tasks[task].state == "TASK_RUNNING" || world.tasks_of("/a").size() == 2) << task;
  }
  const auto ended = world.get("/v2/deployments/" + std::string(change.headers.get_or("Marathon-Deployment-Id", "")));
  EXPECT_TRUE(contains(ended.body, "the former definitions are being restored")) << ended.body;
}

TEST(Deadline, time_without_a_master_does_not_count) {
  World world;
  world.subscribe();
  world.post_app(app("/a", R"("deployment":{"progressDeadlineSeconds":30,"autoRevert":true})", 2));
  world.disconnect();
  ASSERT_EQ(world.request("PUT", "/v2/apps/a", R"({"cmd":"sleep 200"})").status, 200);
  world.advance(base::seconds(500));
  EXPECT_EQ(world.state().deployments.size(), 1U);
  EXPECT_EQ(world.events_of("deployment_failed"), 0U);
  world.subscribe();
  for (int i = 0; i < 5; ++i) world.advance(base::seconds(5));
  EXPECT_TRUE(world.state().deployments.empty());
  EXPECT_EQ(at(world.get("/v2/apps/a"), "/app/cmd"), "\"sleep 200\"");
  EXPECT_EQ(world.events_of("deployment_failed"), 0U);
}

TEST(Deadline, is_kept_over_a_restart) {
  World world;
  world.subscribe();
  world.post_app(app("/a", R"("cpus":9,"deployment":{"progressDeadlineSeconds":60})"));
  world.restart();
  world.subscribe();
  world.advance(base::seconds(61));
  EXPECT_TRUE(world.state().deployments.empty());
}

TEST(Pause, a_paused_deployment_begins_nothing_and_keeps_the_count) {
  World world;
  world.subscribe();
  world.post_app(app("/a", R"("upgradeStrategy":{"minimumHealthCapacity":1,"maximumOverCapacity":0.25})", 4));
  const auto before = world.tasks_of("/a");
  world.auto_run = false;
  const auto change = world.request("PUT", "/v2/apps/a", R"({"cmd":"sleep 200"})");
  const std::string id = std::string(change.headers.get_or("Marathon-Deployment-Id", ""));
  const auto paused = world.request("POST", "/v2/deployments/" + id + "/pause");
  EXPECT_EQ(paused.status, 200);
  EXPECT_EQ(at(world.get("/v2/deployments"), "/0/paused"), "true");
  for (const auto& task : world.tasks_of("/a")) world.update(task, "TASK_RUNNING");
  world.advance(base::seconds(1000));
  for (const auto& task : before) EXPECT_EQ(world.tasks[task].state, "TASK_RUNNING");
  world.restart();
  world.subscribe();
  world.advance(base::seconds(100));
  for (const auto& task : before) EXPECT_EQ(world.tasks[task].state, "TASK_RUNNING") << "paused over a restart";
  EXPECT_TRUE(contains(world.get("/v2/deployments?embed=explanation").body, "/resume"));
  world.update(before[0], "TASK_FAILED");
  world.advance(base::seconds(10));
  size_t alive = 0;
  for (const auto& task : world.tasks_of("/a")) {
    if (world.tasks[task].state == "TASK_STAGING") world.update(task, "TASK_RUNNING");
    ++alive;
  }
  EXPECT_GE(alive, 4U) << "what ends meanwhile is replaced";
  world.auto_run = true;
  EXPECT_EQ(world.request("POST", "/v2/deployments/" + id + "/resume").status, 200);
  for (int i = 0; i < 5; ++i) world.advance(base::seconds(5));
  EXPECT_TRUE(world.state().deployments.empty()) << world.get("/v2/deployments?embed=explanation").body;
  EXPECT_EQ(world.running("/a"), 4U);
  for (const auto& task : before) EXPECT_NE(world.tasks[task].state, "TASK_RUNNING");
}

TEST(Pause, wrong_names_and_methods) {
  World world;
  EXPECT_EQ(world.request("POST", "/v2/deployments/x/pause").status, 404);
  world.post_app(app("/a"));
  const std::string id = world.state().deployment_order.begin()->second;
  EXPECT_EQ(world.request("GET", "/v2/deployments/" + id + "/pause").status, 405);
  EXPECT_EQ(world.request("POST", "/v2/deployments/" + id + "/hold").status, 404);
  EXPECT_EQ(world.request("POST", "/v2/deployments/" + id).status, 405);
  world.store_works = false;
  EXPECT_EQ(world.request("POST", "/v2/deployments/" + id + "/pause").status, 503);
  EXPECT_FALSE(world.state().deployments.at(id).paused) << "what was not stored is not so";
}

TEST(MinimumHealthyTime, an_instance_counts_when_it_has_been_healthy_for_so_long) {
  World world;
  world.subscribe();
  world.post_app(app("/a", R"("deployment":{"minHealthySeconds":10},)"
                           R"("upgradeStrategy":{"minimumHealthCapacity":1,"maximumOverCapacity":0.5})", 2));
  EXPECT_EQ(world.state().deployments.size(), 1U);
  const std::string waiting = world.get("/v2/deployments?embed=explanation").body;
  EXPECT_TRUE(contains(waiting, "2 tasks run and must stay healthy")) << waiting;
  world.advance(base::seconds(11));
  EXPECT_TRUE(world.state().deployments.empty());
  const auto before = world.tasks_of("/a");
  world.request("PUT", "/v2/apps/a", R"({"cmd":"sleep 200"})");
  world.advance(base::seconds(9));
  for (const auto& task : before) EXPECT_EQ(world.tasks[task].state, "TASK_RUNNING");
  // A new task that dies before its time does not let an old one go.
  for (const auto& task : world.tasks_of("/a")) {
    if (std::find(before.begin(), before.end(), task) == before.end()) world.update(task, "TASK_FAILED");
  }
  world.advance(base::seconds(5));
  for (const auto& task : before) EXPECT_EQ(world.tasks[task].state, "TASK_RUNNING");
  world.advance(base::seconds(60));
  EXPECT_TRUE(world.state().deployments.empty());
  EXPECT_EQ(world.running("/a"), 2U);
}

}  // namespace
}  // namespace marathon
