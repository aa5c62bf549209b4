// Every event of the stream has the members that its readers look for, and no others.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "marathon/testing.hpp"

namespace marathon {
namespace {

using testing::World;

std::string app(const std::string& id, const std::string& more = "") {
  return R"({"id":")" + id + R"(","cmd":"sleep 1","cpus":0.1,"mem":32)" + more + "}";
}

/// The names of the members of the first event of the type, beside "eventType" and "timestamp".
std::set<std::string> members(const World& world, const std::string& type) {
  std::set<std::string> names;
  for (const Publish& event : world.published) {
    if (event.type != type) continue;
    const auto value = base::json::parse(event.data);
    for (const auto& member : value->get_object()) names.insert(std::string(member.key()));
    EXPECT_EQ(names.erase("eventType") + names.erase("timestamp"), 2U) << event.data;
    return names;
  }
  return {"there is none"};
}

TEST(Events, have_the_members_that_readers_look_for) {
  World world;
  world.subscribe();
  const char* check = R"(,"healthChecks":[{"protocol":"HTTP","gracePeriodSeconds":0,"intervalSeconds":5,"maxConsecutiveFailures":1}])";
  ASSERT_EQ(world.post_app(app("/g/a", check)).status, 201);
  world.advance(base::seconds(20));
  world.probe_status = 500;
  world.advance(base::seconds(40));
  world.request("PUT", "/v2/apps//g/a?force=true", R"({"env":{"A":"b"}})");
  world.probe_status = 200;
  world.advance(base::minutes(5));
  ASSERT_EQ(world.request("POST", "/v2/pods", R"({"id":"/p","containers":[{"name":"c","exec":{"command":{"shell":"x"}},
    "resources":{"cpus":0.1,"mem":32}}]})").status, 201);
  world.update("gone.instance-00000000-0000-1000-8000-000000000000._app.1", "TASK_FAILED");
  world.request("PUT", "/v2/apps//g/a", R"({"env":{"A":"c"}})");
  EXPECT_EQ(world.request("PUT", "/v2/apps//g/a", R"({"env":{"A":"d"}})").status, 409);
  world.request("DELETE", "/v2/pods//p");
  world.request("DELETE", "/v2/apps//g/a");
  world.disconnect();
  world.subscribe();
  using Names = std::set<std::string>;
  for (const auto& [type, names] : std::map<std::string, Names>{
           {"api_post_event", {"clientIp", "uri", "appDefinition"}},
           {"status_update_event", {"slaveId", "taskId", "taskStatus", "message", "appId", "host", "ipAddresses", "ports", "version"}},
           {"unknown_instance_terminated_event", {"instanceId", "runSpecId", "condition"}},
           {"add_health_check_event", {"appId", "healthCheck", "version"}},
           {"remove_health_check_event", {"appId"}},
           {"failed_health_check_event", {"appId", "taskId", "healthCheck"}},
           {"health_status_changed_event", {"appId", "instanceId", "version", "alive"}},
           {"instance_health_changed_event", {"instanceId", "runSpecId", "healthy", "runSpecVersion"}},
           {"unhealthy_instance_kill_event", {"appId", "taskId", "instanceId", "version", "reason", "host", "slaveId"}},
           {"group_change_success", {"groupId", "version"}},
           {"group_change_failed", {"groupId", "version", "reason"}},
           {"deployment_info", {"plan", "currentStep"}},
           {"deployment_step_success", {"plan", "currentStep"}},
           {"deployment_success", {"id", "plan"}},
           {"deployment_failed", {"id", "plan", "reason"}},
           {"app_terminated_event", {"appId"}},
           {"pod_created_event", {"clientIp", "uri"}},
           {"pod_deleted_event", {"clientIp", "uri"}},
           {"event_stream_attached", {"remoteAddress"}},
           {"scheduler_registered_event", {"frameworkId", "master"}},
           {"scheduler_reregistered_event", {"master"}},
           {"scheduler_disconnected_event", {}}}) {
    EXPECT_EQ(members(world, type), names) << type;
  }
  // An instance without an agent says nothing of one.
  EXPECT_EQ(members(world, "instance_changed_event"), (Names{"instanceId", "condition", "runSpecId", "runSpecVersion"}));
}

TEST(Events, of_a_change_beyond_the_limit_which_is_dismissed) {
  Policy policy;
  policy.max_running_deployments = 1;
  World world(policy);
  world.subscribe(false);
  ASSERT_EQ(world.post_app(app("/a")).status, 201);
  const auto refused = world.post_app(app("/b"));
  EXPECT_EQ(refused.status, 403);
  EXPECT_NE(refused.body.find("Max number (1) of running deployments is achieved"), std::string::npos) << refused.body;
  EXPECT_EQ(world.events_of("group_change_failed"), 1U);
  EXPECT_EQ(world.state().counters.at("deployments.dismissed.counter"), 1U);
  EXPECT_EQ(world.request("PUT", "/v2/apps//a?force=true", R"({"instances":2})").status, 200);
  EXPECT_EQ(world.state().counters.at("deployments.dismissed.counter"), 1U) << "what is overridden is not dismissed";
}

TEST(Events, of_a_change_that_cannot_be_stored) {
  World world;
  world.subscribe();
  world.store_works = false;
  EXPECT_EQ(world.post_app(app("/g/a")).status, 503);
  ASSERT_EQ(world.events_of("group_change_failed"), 1U);
  EXPECT_EQ(world.events_of("group_change_success"), 0U);
}

}  // namespace
}  // namespace marathon
