// Conversations: requests, offers and task states in, what the world looks like out.

#include "marathon/deployments.hpp"

#include <gtest/gtest.h>

#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"
#include "marathon/testing.hpp"

namespace marathon {
namespace {

using testing::World;

std::string app(const std::string& id, int instances, const std::string& more = "") {
  return R"({"id":")" + id + R"(","cmd":"sleep 100","cpus":0.1,"mem":32,"instances":)" +
         std::to_string(instances) + (more.empty() ? "" : "," + more) + "}";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(Deployments, a_posted_app_runs) {
  World world;
  world.subscribe();
  const auto created = world.post_app(app("/a", 1));
  EXPECT_EQ(created.status, 201) << created.body;
  EXPECT_EQ(created.headers.get("Location"), "/a");
  EXPECT_TRUE(created.headers.has("Marathon-Deployment-Id"));
  EXPECT_EQ(world.running("/a"), 1U);
  EXPECT_TRUE(world.state().deployments.empty());
  const auto shown = world.get("/v2/apps//a");
  EXPECT_EQ(shown.status, 200);
  EXPECT_TRUE(contains(shown.body, R"("tasksRunning":1)")) << shown.body;
  EXPECT_EQ(world.acknowledged.size(), 1U);
}

TEST(Deployments, events_of_a_create_come_in_order) {
  World world;
  world.subscribe();
  world.published.clear();
  world.post_app(app("/a", 1));
  std::vector<std::string> types;
  for (const auto& event : world.published) types.push_back(event.type);
  EXPECT_EQ(types, (std::vector<std::string>{
                       "api_post_event", "group_change_success", "deployment_info", "deployment_step_success",
                       "deployment_info", "instance_changed_event", "instance_changed_event",
                       "status_update_event", "instance_changed_event", "deployment_step_success",
                       "deployment_success"}));
}

TEST(Deployments, scaling_up_and_down_leaves_running_tasks_alone) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 2));
  const auto before = world.tasks_of("/a");
  EXPECT_EQ(world.request("PUT", "/v2/apps/a", R"({"instances":5})").status, 200);
  EXPECT_EQ(world.running("/a"), 5U);
  for (const auto& task : before) EXPECT_EQ(world.tasks[task].state, "TASK_RUNNING");
  EXPECT_EQ(world.request("PUT", "/v2/apps/a", R"({"instances":1})").status, 200);
  EXPECT_EQ(world.running("/a"), 1U);
  EXPECT_TRUE(world.state().deployments.empty());
}

TEST(Deployments, a_config_change_replaces_every_task) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 4));
  const auto before = world.tasks_of("/a");
  EXPECT_EQ(world.request("PUT", "/v2/apps/a", R"({"cmd":"sleep 200"})").status, 200);
  EXPECT_EQ(world.running("/a"), 4U);
  for (const auto& task : before) EXPECT_EQ(world.tasks[task].state, "TASK_KILLED");
  EXPECT_TRUE(world.state().deployments.empty());
}

TEST(Deployments, a_rolling_replacement_never_drops_below_the_minimum) {
  World world;
  world.subscribe();
  world.auto_run = false;
  world.post_app(app("/a", 4, R"("upgradeStrategy":{"minimumHealthCapacity":0.5,"maximumOverCapacity":0.25})"));
  for (const auto& task : world.tasks_of("/a")) world.update(task, "TASK_RUNNING");
  ASSERT_EQ(world.running("/a"), 4U);
  world.request("PUT", "/v2/apps/a", R"({"cmd":"sleep 200"})");
  for (int round = 0; round < 20 && !world.state().deployments.empty(); ++round) {
    EXPECT_GE(world.running("/a"), 2U);
    EXPECT_LE(world.tasks_of("/a").size(), 5U);
    world.offer_all();
    for (const auto& task : world.tasks_of("/a")) {
      if (world.tasks[task].state == "TASK_STAGING") {
        world.update(task, "TASK_RUNNING");
        break;
      }
    }
  }
  EXPECT_TRUE(world.state().deployments.empty());
  EXPECT_EQ(world.running("/a"), 4U);
}

TEST(Deployments, health_gates_a_replacement) {
  World world;
  world.subscribe();
  const std::string check = R"("healthChecks":[{"protocol":"HTTP","path":"/","gracePeriodSeconds":5,"intervalSeconds":2}])";
  world.post_app(app("/a", 2, check));
  EXPECT_EQ(world.state().deployments.size(), 1U) << "running is not enough";
  world.advance(base::seconds(6));
  EXPECT_TRUE(world.state().deployments.empty());
  const auto before = world.tasks_of("/a");
  world.probe_status = 500;
  for (const auto& task : before) world.probe_status_by_port[world.state().apps.at("/a").instances.at(
      parse_task_id(task)->instance).host_ports.at(0)] = 200;
  world.request("PUT", "/v2/apps/a", R"({"env":{"X":"1"}})");
  world.advance(base::seconds(4));
  for (const auto& task : before) EXPECT_EQ(world.tasks[task].state, "TASK_RUNNING");
  EXPECT_EQ(world.state().deployments.size(), 1U);
  world.probe_status = 200;
  world.advance(base::seconds(30));
  EXPECT_TRUE(world.state().deployments.empty());
  for (const auto& task : before) EXPECT_EQ(world.tasks[task].state, "TASK_KILLED");
}

TEST(Deployments, a_failing_app_backs_off) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 1, R"("backoffSeconds":2,"backoffFactor":2)"));
  auto fail = [&] { world.update(world.tasks_of("/a").at(0), "TASK_FAILED", "exit 1"); };
  fail();
  EXPECT_EQ(world.tasks_of("/a").size(), 0U);
  EXPECT_TRUE(contains(world.get("/v2/queue").body, R"("timeLeftSeconds":2,"overdue":false)")) << world.get("/v2/queue").body;
  EXPECT_TRUE(contains(world.get("/v2/apps/a").body, R"("message":"exit 1","state":"TASK_FAILED")"));
  world.advance(base::milliseconds(1900));
  EXPECT_EQ(world.tasks_of("/a").size(), 0U);
  world.advance(base::milliseconds(200));
  ASSERT_EQ(world.tasks_of("/a").size(), 1U);
  EXPECT_TRUE(world.tasks_of("/a").at(0).ends_with("._app.2"));
  fail();
  EXPECT_TRUE(contains(world.get("/v2/queue").body, R"("timeLeftSeconds":4)"));
  EXPECT_EQ(world.request("DELETE", "/v2/queue//a/delay").status, 204);
  EXPECT_EQ(world.tasks_of("/a").size(), 1U);
}

TEST(Deployments, a_killed_task_comes_back_at_once) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 1));
  const std::string task = world.tasks_of("/a").at(0);
  const auto answer = world.request("DELETE", "/v2/apps/a/tasks/" + task);
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(contains(answer.body, R"("task":{)"));
  ASSERT_EQ(world.tasks_of("/a").size(), 1U);
  EXPECT_EQ(parse_task_id(world.tasks_of("/a")[0])->instance, parse_task_id(task)->instance);
  EXPECT_EQ(parse_task_id(world.tasks_of("/a")[0])->incarnation, 2);
}

TEST(Deployments, a_wiped_task_gets_a_new_instance) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 1));
  const std::string task = world.tasks_of("/a").at(0);
  EXPECT_EQ(world.request("DELETE", "/v2/apps/a/tasks?wipe=true").status, 200);
  ASSERT_EQ(world.tasks_of("/a").size(), 1U);
  EXPECT_NE(parse_task_id(world.tasks_of("/a")[0])->instance, parse_task_id(task)->instance);
}

TEST(Deployments, kill_and_scale_takes_the_named_tasks) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 3));
  const std::string task = world.tasks_of("/a").at(1);
  const auto answer = world.request("POST", "/v2/tasks/delete?scale=True", R"({"ids":[")" + task + R"("]})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(contains(answer.body, "deploymentId"));
  EXPECT_EQ(world.tasks[task].state, "TASK_KILLED");
  EXPECT_EQ(world.running("/a"), 2U);
  EXPECT_TRUE(contains(world.get("/v2/apps/a").body, R"("instances":2)"));
}

TEST(Deployments, an_app_under_deployment_is_locked) {
  World world;
  world.subscribe(false);
  world.auto_offer = false;
  world.post_app(app("/a", 1));
  const auto refused = world.request("PUT", "/v2/apps/a", R"({"instances":2})");
  EXPECT_EQ(refused.status, 409);
  EXPECT_TRUE(contains(refused.body, R"("deployments":[{"id":")"));
  EXPECT_EQ(world.post_app(app("/b", 1)).status, 201) << "others are not";
  EXPECT_EQ(world.request("PUT", "/v2/apps/a?force=true", R"({"instances":2})").status, 200);
  EXPECT_EQ(world.events_of("deployment_failed"), 1U);
  world.offer_all();
  EXPECT_EQ(world.running("/a"), 2U);
  EXPECT_TRUE(world.state().deployments.empty());
}

TEST(Deployments, rollback_brings_the_former_definition_back) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 2));
  world.auto_run = false;
  const auto change = world.request("PUT", "/v2/apps/a", R"({"cmd":"broken"})");
  const std::string id(*change.headers.get("Marathon-Deployment-Id"));
  world.auto_run = true;
  const auto answer = world.request("DELETE", "/v2/deployments/" + id);
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(contains(answer.body, id));
  world.offer_all();
  EXPECT_TRUE(world.state().deployments.empty());
  EXPECT_EQ(world.running("/a"), 2U);
  EXPECT_TRUE(contains(world.get("/v2/apps/a").body, R"("cmd":"sleep 100")"));
}

TEST(Deployments, a_forced_stop_leaves_things_as_they_are) {
  World world;
  world.subscribe(false);
  world.auto_offer = false;
  const auto created = world.post_app(app("/a", 1));
  const std::string id(*created.headers.get("Marathon-Deployment-Id"));
  const auto answer = world.request("DELETE", "/v2/deployments/" + id + "?force=true");
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(world.get("/v2/deployments").body, "[]");
  EXPECT_EQ(world.request("DELETE", "/v2/deployments/x").status, 404);
}

TEST(Deployments, deleting_an_app_removes_every_trace) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 3));
  EXPECT_EQ(world.request("DELETE", "/v2/apps/a").status, 200);
  EXPECT_EQ(world.get("/v2/apps/a").status, 404);
  EXPECT_EQ(world.running("/a"), 0U);
  EXPECT_EQ(world.events_of("app_terminated_event"), 1U);
  world.advance(base::seconds(1));
  for (const auto& [key, value] : world.store) EXPECT_FALSE(contains(key, "/a") || contains(key, "a.")) << key;
}

TEST(Deployments, dependencies_start_first) {
  World world;
  world.subscribe();
  world.auto_run = false;
  world.request("PUT", "/v2/groups/g", R"({"apps":[)" + app("web", 1, R"("dependencies":["db"])") + "," +
                                           app("db", 1) + "]}");
  EXPECT_EQ(world.tasks_of("/g/web").size(), 0U);
  ASSERT_EQ(world.tasks_of("/g/db").size(), 1U);
  world.update(world.tasks_of("/g/db")[0], "TASK_RUNNING");
  ASSERT_EQ(world.tasks_of("/g/web").size(), 1U);
  world.update(world.tasks_of("/g/web")[0], "TASK_RUNNING");
  EXPECT_TRUE(world.state().deployments.empty());
}

TEST(Deployments, restart_gives_every_instance_a_new_task) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 2));
  const auto before = world.tasks_of("/a");
  EXPECT_EQ(world.request("POST", "/v2/apps/a/restart").status, 200);
  for (const auto& task : before) EXPECT_EQ(world.tasks[task].state, "TASK_KILLED");
  EXPECT_EQ(world.running("/a"), 2U);
}

TEST(Deployments, a_store_that_refuses_changes_nothing) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 1));
  world.store_works = false;
  EXPECT_EQ(world.post_app(app("/b", 1)).status, 503);
  EXPECT_EQ(world.get("/v2/apps/b").status, 404);
  EXPECT_EQ(world.request("PUT", "/v2/apps/a", R"({"instances":3})").status, 503);
  EXPECT_TRUE(contains(world.get("/v2/apps/a").body, R"("instances":1)"));
  world.store_works = true;
  EXPECT_EQ(world.post_app(app("/b", 1)).status, 201);
  EXPECT_EQ(world.running("/b"), 1U);
}

TEST(Deployments, a_store_that_refuses_one_change_after_the_other_leaves_the_first_definition) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 1));
  world.store_answers = world.store_works = false;
  world.request("PUT", "/v2/apps/a?force=true", R"({"instances":3})");
  world.request("PUT", "/v2/apps/a?force=true", R"({"cmd":"sleep 7"})");
  world.release_store();
  const std::string now = world.get("/v2/apps/a").body;
  EXPECT_TRUE(contains(now, R"("instances":1)")) << now;
  EXPECT_FALSE(contains(now, "sleep 7")) << now;
  EXPECT_EQ(world.running("/a"), 1U);
}

TEST(Deployments, a_refused_change_goes_back_to_the_one_before_it_that_is_still_being_stored) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 1));
  world.store_answers = false;
  world.request("PUT", "/v2/apps/a?force=true", R"({"instances":3})");
  world.request("PUT", "/v2/apps/a?force=true", R"({"cmd":"sleep 7"})");
  const size_t commits = world.commits_under_way();
  ASSERT_EQ(commits, 2U);
  world.answer_commit(1, false);  // the store may refuse before it is done with what came earlier
  world.store_answers = true;
  world.release_store();
  const std::string now = world.get("/v2/apps/a").body;
  EXPECT_TRUE(contains(now, R"("instances":3)")) << now;
  EXPECT_FALSE(contains(now, "sleep 7")) << now;
  EXPECT_EQ(world.running("/a"), 3U) << "the deployment of the first change goes on";
  EXPECT_TRUE(world.state().deployments.empty());
  EXPECT_EQ(world.events_of("deployment_failed"), 0U);
  world.restart();
  EXPECT_EQ(world.get("/v2/apps/a").body, now);
}

TEST(Deployments, a_refused_change_lets_the_deployment_that_it_was_to_override_go_on) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 2));
  world.auto_run = false;
  world.request("PUT", "/v2/apps/a", R"({"cmd":"sleep 7"})");
  ASSERT_EQ(world.state().deployments.size(), 1U);
  const std::string id = world.state().deployments.begin()->first;
  for (const char* path : {"/v2/apps/a?force=true", "/v2/deployments/"}) {
    world.store_works = false;
    const bool undo = std::string(path).ends_with("/");
    EXPECT_EQ(undo ? world.request("DELETE", path + id).status : world.request("DELETE", path).status, 503);
    world.store_works = true;
    ASSERT_TRUE(world.state().deployments.contains(id)) << path;
  }
  world.restart();
  ASSERT_TRUE(world.state().deployments.contains(id));
  world.auto_run = true;
  world.subscribe();
  for (const auto& task : world.tasks_of("/a")) world.update(task, "TASK_RUNNING");
  EXPECT_TRUE(world.state().deployments.empty());
  EXPECT_EQ(world.running("/a"), 2U);
  for (const auto& task : world.tasks_of("/a")) {
    EXPECT_EQ(world.tasks[task].info->command().value(), "sleep 7");
  }
}

TEST(Deployments, of_a_removal_and_a_creation_upon_it_each_may_be_refused) {
  for (const bool first : {false, true}) {
    World world;
    world.subscribe();
    world.post_app(app("/a", 1));
    world.store_answers = false;
    world.request("DELETE", "/v2/apps/a?force=true");
    world.request("POST", "/v2/apps?force=true", app("/a", 2));
    ASSERT_EQ(world.commits_under_way(), 2U);
    world.answer_commit(0, first);
    world.answer_commit(0, false);
    world.store_answers = true;
    world.release_store();
    EXPECT_EQ(world.get("/v2/apps/a").status, first ? 404 : 200);
    EXPECT_EQ(world.running("/a"), first ? 0U : 1U);
    EXPECT_TRUE(world.state().deployments.empty());
  }
}

TEST(Deployments, a_commit_that_fails_loses_no_write_that_waited_for_it) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 1));
  world.store_works = false;  // the end of the deployment still waits to be stored
  EXPECT_EQ(world.post_app(app("/b", 1)).status, 503);
  world.store_works = true;
  world.advance(base::seconds(6));
  for (const auto& [key, value] : world.store) EXPECT_FALSE(key.starts_with("deployment:")) << key;
}

TEST(Deployments, nothing_is_promised_before_it_is_durable) {
  World world;
  world.subscribe();
  world.store_answers = false;
  EXPECT_EQ(world.post_app(app("/a", 1)).status, 0) << "no answer yet";
  EXPECT_TRUE(world.tasks_of("/a").empty());
  EXPECT_NE(world.get("/v2/deployments").body, "[]");
  world.store_answers = true;
  world.release_store();
  EXPECT_EQ(world.running("/a"), 1U);
}

TEST(Recovery, a_restart_is_not_noticed_by_tasks) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 3));
  const auto before = world.tasks_of("/a");
  world.restart();
  EXPECT_EQ(world.state().framework_id, "F1");
  EXPECT_EQ(world.get("/v2/apps/a").status, 200);
  world.subscribe();
  world.advance(base::seconds(700));
  EXPECT_EQ(world.tasks_of("/a"), before);
}

TEST(Recovery, a_deployment_goes_on) {
  World world;
  world.subscribe();
  world.auto_run = false;
  world.post_app(app("/a", 2));
  ASSERT_EQ(world.tasks_of("/a").size(), 2U);
  world.restart();
  EXPECT_EQ(world.state().deployments.size(), 1U);
  world.subscribe();
  EXPECT_EQ(world.tasks_of("/a").size(), 2U);
  for (const auto& task : world.tasks_of("/a")) world.update(task, "TASK_RUNNING");
  EXPECT_TRUE(world.state().deployments.empty());
  EXPECT_EQ(world.events_of("deployment_success"), 1U);
}

TEST(Recovery, a_finished_removal_does_not_stop_the_next_app_of_that_id) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 1));
  world.auto_kill = false;
  world.request("DELETE", "/v2/apps/a");
  std::string key, record;
  for (const auto& [k, v] : world.store) {
    if (k.starts_with("deployment:")) key = k, record = v;
  }
  world.auto_kill = true;
  world.advance(base::seconds(60));
  world.post_app(app("/a", 1));
  ASSERT_EQ(world.running("/a"), 1U);
  world.store[key] = record;  // as if its removal had been lost
  world.restart();
  world.subscribe();
  world.advance(base::seconds(60));
  EXPECT_EQ(world.running("/a"), 1U);
  EXPECT_EQ(world.get("/v2/apps/a").status, 200);
  EXPECT_TRUE(world.state().deployments.empty());
}

TEST(Recovery, a_launch_that_was_never_sent_is_made_good) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 1));
  // The record is there, the master has never heard of the task.
  world.tasks.clear();
  world.restart();
  world.subscribe();
  world.advance(base::seconds(5));
  EXPECT_EQ(world.running("/a"), 1U);
}

TEST(Recovery, updates_while_away_are_learnt_by_reconciliation) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 1));
  const std::string task = world.tasks_of("/a")[0];
  world.disconnect();
  world.tasks[task].state = "TASK_FAILED";
  world.restart();
  world.subscribe();
  world.advance(base::seconds(5));
  ASSERT_EQ(world.running("/a"), 1U);
  EXPECT_NE(world.tasks_of("/a")[0], task);
}

TEST(Recovery, instances_without_a_framework_id_refuse_to_start) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 1));
  world.store.erase("framework-id");
  world.restart();
  ASSERT_EQ(world.exits.size(), 1U);
  EXPECT_EQ(world.exits[0].code, 108);
}

TEST(Recovery, a_bad_record_is_set_aside) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 1));
  world.store["app:/b@2020-01-01T00:00:00.000Z"] = "{";
  world.store["instance:x"] = "[]";
  world.store["deployment:x"] = "{\"id\":3}";
  world.restart();
  world.subscribe();
  EXPECT_TRUE(world.exits.empty());
  EXPECT_EQ(world.running("/a"), 1U);
}

TEST(Restart, ends_a_deployment_without_apps) {
  World world;
  world.subscribe();
  EXPECT_EQ(world.request("POST", "/v2/groups", R"({"id":"/g"})").status, 201);
  world.restart();  // before the end of the deployment was stored
  EXPECT_EQ(world.get("/v2/deployments").body, "[]");
  world.advance(base::seconds(1));
  for (const auto& [key, value] : world.store) EXPECT_FALSE(key.starts_with("deployment:")) << key;
}

TEST(Restart, finds_the_framework_id_that_the_store_refused_at_first) {
  World world;
  world.store_works = false;
  world.subscribe();
  world.store_works = true;
  world.post_app(app("/a", 2));
  ASSERT_EQ(world.running("/a"), 2U);
  world.restart();
  EXPECT_TRUE(world.exits.empty());
  EXPECT_EQ(world.state().framework_id, "F1");
}

TEST(Instances, unreachable_tasks_are_replaced_at_once_by_default) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 1));
  const std::string task = world.tasks_of("/a")[0];
  world.update(task, "TASK_UNREACHABLE");
  ASSERT_EQ(world.running("/a"), 1U);
  EXPECT_NE(world.tasks_of("/a")[0], task);
  // It comes back: nobody knows it any more.
  world.update(task, "TASK_RUNNING");
  EXPECT_EQ(world.tasks[task].state, "TASK_KILLED");
  EXPECT_EQ(world.running("/a"), 1U);
}

TEST(Instances, unreachable_tasks_are_waited_for_when_asked) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 1, R"("unreachableStrategy":{"inactiveAfterSeconds":60,"expungeAfterSeconds":120})"));
  const std::string task = world.tasks_of("/a")[0];
  world.update(task, "TASK_UNREACHABLE");
  world.advance(base::seconds(59));
  EXPECT_EQ(world.running("/a"), 0U);
  world.advance(base::seconds(2));
  EXPECT_EQ(world.running("/a"), 1U);
  world.update(task, "TASK_RUNNING");
  EXPECT_EQ(world.running("/a"), 1U) << "one of the two goes";
}

TEST(Instances, failing_health_checks_kill_after_the_maximum) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 1, R"("healthChecks":[{"protocol":"TCP","gracePeriodSeconds":1,"intervalSeconds":1,)"
                              R"("maxConsecutiveFailures":2}])"));
  world.advance(base::seconds(2));
  EXPECT_TRUE(contains(world.get("/v2/apps/a").body, R"("tasksHealthy":1)"));
  const std::string task = world.tasks_of("/a")[0];
  world.probe_status = 0;
  world.advance(base::milliseconds(1100));
  EXPECT_TRUE(contains(world.get("/v2/apps/a").body, R"("tasksUnhealthy":1)"));
  world.advance(base::milliseconds(1000));
  EXPECT_EQ(world.tasks[task].state, "TASK_RUNNING");
  world.advance(base::milliseconds(1000));
  EXPECT_EQ(world.tasks[task].state, "TASK_KILLED");
  EXPECT_EQ(world.events_of("unhealthy_instance_kill_event"), 1U);
  EXPECT_TRUE(contains(world.get("/v2/apps/a").body, "health check failed"));
}

TEST(Instances, health_reported_by_the_executor_counts) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 1, R"("healthChecks":[{"protocol":"COMMAND","command":{"value":"true"}}])"));
  EXPECT_EQ(world.state().deployments.size(), 1U);
  world.update(world.tasks_of("/a")[0], "TASK_RUNNING", "", true);
  EXPECT_TRUE(world.state().deployments.empty());
}

TEST(Instances, launches_that_never_start_are_given_up) {
  World world;
  world.subscribe();
  world.auto_run = false;
  world.post_app(app("/a", 1));
  const std::string task = world.tasks_of("/a")[0];
  world.advance(base::seconds(290));
  EXPECT_EQ(world.tasks[task].state, "TASK_STAGING");
  world.advance(base::seconds(20));
  EXPECT_EQ(world.tasks[task].state, "TASK_KILLED");
  EXPECT_EQ(world.tasks_of("/a").size(), 1U);
}

TEST(Offers, are_suppressed_when_idle_and_revived_when_needed) {
  World world;
  world.subscribe();
  world.advance(base::seconds(10));
  EXPECT_EQ(world.calls.back(), "SUPPRESS");
  world.post_app(app("/a", 1));
  EXPECT_EQ(world.running("/a"), 1U);
  world.advance(base::seconds(10));
  EXPECT_EQ(world.calls.back(), "SUPPRESS");
}

TEST(Offers, are_revived_for_what_is_wanted_while_others_are_being_accepted) {
  World world;
  world.subscribe();
  world.auto_offer = false;
  world.post_app(app("/a", 1));
  world.store_answers = false;
  world.post_app(app("/b", 1));
  world.offer_all();  // for /a, whose launch waits for the store
  ASSERT_EQ(world.commits_under_way(), 2U);
  world.answer_commit(0, true);  // /b is wanted from now on
  EXPECT_EQ(world.running("/a"), 0U);
  world.auto_offer = true;
  world.store_answers = true;
  world.release_store();
  EXPECT_EQ(world.running("/a"), 1U);
  EXPECT_EQ(world.running("/b"), 1U) << "the filter of what was left of the offer holds";
}

TEST(Offers, instances_spread_over_agents) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 10));
  std::map<std::string, int> by_agent;
  for (const auto& task : world.tasks_of("/a")) ++by_agent[world.tasks[task].agent];
  EXPECT_EQ(by_agent["A1"], 5);
  EXPECT_EQ(by_agent["A2"], 5);
}

TEST(Offers, unique_host_names_wait_for_a_third_agent) {
  World world;
  world.subscribe();
  world.post_app(app("/a", 3, R"("constraints":[["hostname","UNIQUE"]])"));
  EXPECT_EQ(world.running("/a"), 2U);
  const auto queue = world.get("/v2/queue?embed=lastUnusedOffers");
  EXPECT_TRUE(contains(queue.body, R"("reason":"UnfulfilledConstraint","declined":)")) << queue.body;
  world.agents.push_back({"A3", "host3"});
  world.offer_all();
  EXPECT_EQ(world.running("/a"), 3U);
}

}  // namespace
}  // namespace marathon
