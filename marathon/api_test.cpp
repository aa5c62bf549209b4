// The v2 API as its clients see it: status, headers, shapes and messages.

#include <gtest/gtest.h>

#include "base/json/value.hpp"
#include "marathon/api/api.hpp"
#include "marathon/testing.hpp"

#include <boost/json.hpp>

namespace marathon {
namespace {

using testing::World;

std::string app(const std::string& id, const std::string& more = "") {
  return R"({"id":")" + id + R"(","cmd":"sleep 100","cpus":0.1,"mem":32)" + (more.empty() ? "" : "," + more) + "}";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The value at `pointer` of an answer, as JSON text; "" when it is missing.
std::string at(const base::http::Response& response, const std::string& pointer) {
  const auto value = base::json::parse(response.body);
  EXPECT_TRUE(value) << response.body;
  const auto* found = value ? base::json::find(*value, pointer) : nullptr;
  return found ? base::json::render(*found) : "";
}

class Api : public ::testing::Test {
 protected:
  Api() { world.subscribe(); }
  World world;
};

TEST_F(Api, bodies_that_are_no_json) {
  auto response = world.post_app("{");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(at(response, "/message"), "\"Invalid JSON\"");
  EXPECT_TRUE(at(response, "/details").starts_with("\"")) << "a text here";
  response = world.post_app("");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(at(response, "/message"), "\"Please specify data in JSON format\"");
  EXPECT_EQ(world.post_app("[]").status, 422);
  EXPECT_EQ(world.post_app("5").status, 422);
}

TEST_F(Api, wrong_types_name_their_path) {
  const auto response = world.post_app(R"({"id":"a","cmd":"x","cpus":"a"})");
  EXPECT_EQ(response.status, 422);
  EXPECT_EQ(response.body,
            R"({"message":"Invalid JSON","details":[{"path":"/cpus","errors":["error.expected.jsnumber"]}]})");
}

TEST_F(Api, broken_rules_name_their_path) {
  const auto response = world.post_app(app("a", R"("upgradeStrategy":{"minimumHealthCapacity":2,"maximumOverCapacity":0})"));
  EXPECT_EQ(response.status, 422);
  EXPECT_EQ(at(response, "/message"), "\"Object is not valid\"");
  EXPECT_EQ(at(response, "/details/0/path"), "\"/upgradeStrategy/minimumHealthCapacity\"");
}

TEST_F(Api, a_created_app_is_answered_with_itself) {
  const auto response = world.request("POST", "/v2/apps/", app("/a"));
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(at(response, "/id"), "\"/a\"");
  EXPECT_EQ(at(response, "/tasksStaged"), "0");
  EXPECT_NE(at(response, "/deployments/0/id"), "");
  EXPECT_EQ(at(response, "/versionInfo"), "") << "comes later";
  EXPECT_EQ(at(response, "/portDefinitions/0/port"), "10000");
  EXPECT_EQ(at(response, "/version").size(), 26U) << "three digits of fraction";
}

TEST_F(Api, duplicates_have_no_deployments_key) {
  world.post_app(app("/a"));
  const auto response = world.post_app(app("A"));
  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(response.body, R"({"message":"An app with id [/a] already exists."})");
}

TEST_F(Api, ids_in_every_spelling) {
  world.post_app(app("/g/a"));
  for (const char* path : {"/v2/apps//g/a", "/v2/apps/g/a", "/v2/apps/%2Fg%2Fa", "/v2/apps/g/a/", "/v2/apps/G/A"}) {
    EXPECT_EQ(world.get(path).status, 200) << path;
  }
  EXPECT_EQ(at(world.get("/v2/apps/g/*"), "/*/0/id"), "\"/g/a\"");
  EXPECT_EQ(at(world.get("/v2/apps/*"), "/*/0/id"), "\"/g/a\"");
  EXPECT_EQ(world.get("/v2/apps/none/*").status, 404);
  EXPECT_EQ(at(world.get("/v2/apps/g/*/tasks"), "/tasks/0/appId"), "\"/g/a\"");
}

TEST_F(Api, unknown_things) {
  auto response = world.get("/v2/apps/x");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, R"({"message":"App '/x' does not exist"})");
  EXPECT_EQ(world.request("PATCH", "/v2/apps/x", "{}").status, 404);
  EXPECT_EQ(world.request("DELETE", "/v2/apps/x").status, 404);
  EXPECT_EQ(world.request("POST", "/v2/apps/x/restart").status, 404);
  EXPECT_EQ(world.get("/v2/apps/x/versions").status, 404);
  EXPECT_EQ(world.get("/v2/apps/x/tasks").status, 404);
  EXPECT_EQ(world.get("/v2/groups/x").body, R"({"message":"Group '/x' does not exist"})");
  EXPECT_EQ(world.request("DELETE", "/v2/deployments/missing-deployment").body,
            R"({"message":"DeploymentPlan missing-deployment does not exist"})");
  EXPECT_EQ(world.request("DELETE", "/v2/queue/x/delay").status, 404);
  EXPECT_EQ(world.get("/v3/apps").status, 404);
  EXPECT_EQ(world.request("BREW", "/v2/apps").status, 405);
}

TEST_F(Api, put_creates_or_updates) {
  auto response = world.request("PUT", "/v2/apps/a", R"({"cmd":"x","id":"/ignored"})");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.headers.get("Location"), "/a");
  EXPECT_NE(at(response, "/deploymentId"), "");
  response = world.request("PUT", "/v2/apps/a", R"({"instances":2})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(at(world.get("/v2/apps/a"), "/app/cmd"), "\"x\"");
  response = world.request("PUT", "/v2/apps/a?partialUpdate=false", R"({"cmd":"y"})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(at(world.get("/v2/apps/a"), "/app/instances"), "1") << "back to the default";
  EXPECT_EQ(at(world.get("/v2/apps/a"), "/app/portDefinitions/0/port"), "10000") << "sticky";
}

TEST_F(Api, many_apps_in_one_deployment) {
  auto response = world.request("PUT", "/v2/apps", "[" + app("/a") + "," + app("/b") + "]");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(world.running("/a") + world.running("/b"), 2U);
  EXPECT_EQ(world.request("PUT", "/v2/apps", R"([{"cmd":"x"}])").body, R"({"message":"App Update must have app id set"})");
  EXPECT_EQ(world.request("PATCH", "/v2/apps", R"([{"id":"a","instances":2},{"id":"zzz","instances":2}])").status, 404);
  EXPECT_EQ(at(world.get("/v2/apps/a"), "/app/instances"), "1") << "all or nothing";
}

TEST_F(Api, versions_are_kept_and_restored) {
  world.post_app(app("/a"));
  world.request("PUT", "/v2/apps/a", R"({"cmd":"other"})");
  const auto versions = world.get("/v2/apps/a/versions");
  const std::string newest = at(versions, "/versions/0"), oldest = at(versions, "/versions/1");
  EXPECT_GT(newest, oldest);
  const std::string bare = oldest.substr(1, oldest.size() - 2);
  EXPECT_EQ(at(world.get("/v2/apps/a/versions/" + bare), "/cmd"), "\"sleep 100\"") << "no wrapper";
  EXPECT_EQ(world.get("/v2/apps/a/versions/yesterday").status, 422);
  EXPECT_EQ(world.get("/v2/apps/a/versions/2001-01-01T00:00:00.000Z").status, 404);
  EXPECT_EQ(world.request("PUT", "/v2/apps/a", R"({"version":)" + oldest + R"(,"cmd":"z"})").status, 422);
  EXPECT_EQ(world.request("PUT", "/v2/apps/a", R"({"version":)" + oldest + "}").status, 200);
  EXPECT_EQ(at(world.get("/v2/apps/a"), "/app/cmd"), "\"sleep 100\"");
}

TEST_F(Api, scaling_keeps_the_config_time) {
  world.post_app(app("/a"));
  const std::string before = at(world.get("/v2/apps/a"), "/app/versionInfo/lastConfigChangeAt");
  world.request("PUT", "/v2/apps/a", R"({"instances":2})");
  EXPECT_EQ(at(world.get("/v2/apps/a"), "/app/versionInfo/lastConfigChangeAt"), before);
  EXPECT_NE(at(world.get("/v2/apps/a"), "/app/versionInfo/lastScalingAt"), before);
}

TEST_F(Api, lists_filter) {
  world.post_app(app("/web/a", R"("labels":{"env":"prod","x":"1"})"));
  world.post_app(app("/b", R"("labels":{"env":"test"})"));
  const auto ids = [&](const std::string& query) {
    const auto response = world.get("/v2/apps?" + query);
    return response.status == 200 ? at(response, "/apps/0/id") + at(response, "/apps/1/id") : std::to_string(response.status);
  };
  EXPECT_EQ(ids("id=WEB"), "\"/web/a\"");
  EXPECT_EQ(ids("cmd=SLEEP"), "\"/b\"\"/web/a\"");
  EXPECT_EQ(ids("label=env%3D%3Dprod"), "\"/web/a\"");
  EXPECT_EQ(ids("label=env!%3Dprod"), "\"/b\"");
  EXPECT_EQ(ids("label=x!%3D2"), "\"/web/a\"") << "the label must exist";
  EXPECT_EQ(ids("label=env%20in%20(prod,test),x"), "\"/web/a\"");
  EXPECT_EQ(ids("label=env%20notin%20(prod)"), "\"/b\"");
  EXPECT_EQ(ids("label=env%3D%3D"), "422");
  EXPECT_EQ(at(world.get("/v2/apps"), "/apps/0/tasks"), "");
  EXPECT_EQ(at(world.get("/v2/apps?embed=apps.tasks"), "/apps/0/tasks/0/appId"), "\"/b\"");
  EXPECT_NE(at(world.get("/v2/apps?embed=apps.taskStats"), "/apps/0/tasksStats/totalSummary/stats/counts/running"), "");
}

TEST_F(Api, tasks_as_clients_know_them) {
  world.post_app(app("/a"));
  const auto response = world.get("/v2/tasks");
  for (const char* key : {"appId", "healthCheckResults", "host", "id", "ipAddresses", "ports", "servicePorts", "slaveId",
                          "state", "stagedAt", "startedAt", "version", "localVolumes", "role"}) {
    EXPECT_NE(at(response, std::string("/tasks/0/") + key), "") << key;
  }
  EXPECT_EQ(at(response, "/tasks/0/servicePorts"), "[10000]");
  EXPECT_EQ(at(response, "/tasks/0/state"), "\"TASK_RUNNING\"");
  EXPECT_EQ(at(world.get("/v2/tasks?status=staging"), "/tasks"), "[]");
  EXPECT_EQ(at(world.get("/v2/tasks?status[]=running"), "/tasks/0/appId"), "\"/a\"");
  const auto text = world.request("GET", "/v2/tasks", "", {{"Accept", "text/plain"}});
  EXPECT_TRUE(text.body.starts_with("a\t10000\thost")) << text.body;
  EXPECT_EQ(world.request("POST", "/v2/tasks/delete?scale=true&wipe=true", R"({"ids":[]})").status, 400);
  EXPECT_EQ(world.request("POST", "/v2/tasks/delete", R"({"ids":["nonsense"]})").status, 400);
  EXPECT_EQ(world.request("POST", "/v2/tasks/delete",
                          R"({"ids":["a.instance-00000000-0000-1000-8000-000000000000._app.1"]})").body,
            R"({"tasks":[]})");
  EXPECT_EQ(world.request("DELETE", "/v2/apps/a/tasks/x").body, R"({"message":"Task 'x' does not exist"})");
  EXPECT_EQ(at(world.request("DELETE", "/v2/apps/a/tasks?host=nowhere"), "/tasks"), "[]");
}

TEST_F(Api, groups_nest) {
  auto response = world.request("POST", "/v2/groups",
                                R"({"id":"/p","apps":[)" + app("x") + R"(],"groups":[{"id":"q","apps":[)" + app("y") + "]}]}");
  EXPECT_EQ(response.status, 201) << response.body;
  EXPECT_EQ(world.running("/p/q/y"), 1U);
  response = world.get("/v2/groups");
  EXPECT_EQ(at(response, "/id"), "\"/\"");
  EXPECT_EQ(at(response, "/groups/0/id"), "\"/p\"");
  EXPECT_EQ(at(response, "/groups/0/groups/0/apps/0/id"), "\"/p/q/y\"");
  EXPECT_EQ(at(response, "/groups/0/pods"), "[]");
  EXPECT_EQ(at(world.get("/v2/groups?embed=group.groups"), "/groups/0/apps"), "");
  EXPECT_EQ(world.request("POST", "/v2/groups", R"({"id":"/p"})").status, 409);
  response = world.request("PUT", "/v2/groups/p?dryRun=true", R"({"apps":[]})");
  EXPECT_EQ(response.body, R"({"steps":[{"actions":[{"action":"StopApplication","app":"/p/x"}]}]})");
  EXPECT_EQ(world.request("PUT", "/v2/groups/p", R"({"apps":[]})").status, 200);
  EXPECT_EQ(world.get("/v2/apps/p/x").status, 404);
  EXPECT_EQ(world.get("/v2/apps/p/q/y").status, 200) << "groups were not named, so they stay";
  EXPECT_EQ(world.request("PUT", "/v2/groups/p", R"({"scaleBy":2})").status, 200);
  EXPECT_EQ(world.running("/p/q/y"), 2U);
  EXPECT_EQ(world.request("PUT", "/v2/groups/p", R"({"scaleBy":2,"apps":[]})").status, 422);
  EXPECT_EQ(world.request("DELETE", "/v2/groups/p").status, 200);
  EXPECT_EQ(world.get("/v2/groups/p").status, 404);
  EXPECT_EQ(world.running("/p/q/y"), 0U);
}

TEST_F(Api, cycles_and_clashes_are_refused) {
  auto response = world.request("PUT", "/v2/groups/g", R"({"apps":[)" + app("a", R"("dependencies":["b"])") + "," +
                                                           app("b", R"("dependencies":["a"])") + "]}");
  EXPECT_EQ(response.status, 422);
  EXPECT_TRUE(contains(response.body, "cyclic dependencies"));
  EXPECT_EQ(world.get("/v2/groups/g").status, 404);
  world.post_app(app("/x"));
  response = world.post_app(app("/x/y"));
  EXPECT_EQ(response.status, 422);
  EXPECT_TRUE(contains(response.body, "Groups and Applications may not have the same identifier."));
  EXPECT_EQ(world.post_app(app("/z", R"("ports":[0])")).status, 201);
  EXPECT_EQ(at(world.get("/v2/apps/z"), "/app/portDefinitions/0/port"), "10001") << "refusals keep no service port";
}

TEST_F(Api, the_queue_explains) {
  world.post_app(app("/big", R"("instances":2,"mem":100000)"));
  const auto response = world.get("/v2/queue?embed=lastUnusedOffers");
  EXPECT_EQ(at(response, "/queue/0/count"), "2");
  EXPECT_EQ(at(response, "/queue/0/delay"), R"({"timeLeftSeconds":0,"overdue":true})");
  EXPECT_EQ(at(response, "/queue/0/processedOffersSummary/rejectSummaryLastOffers/5"),
            R"({"reason":"InsufficientMemory","declined":2,"processed":2})");
  EXPECT_EQ(at(response, "/queue/0/lastUnusedOffers/0/reason"), R"(["InsufficientMemory"])");
  EXPECT_EQ(at(response, "/queue/0/role"), "") << "unknown to older clients";
}

TEST_F(Api, small_endpoints) {
  EXPECT_EQ(world.get("/ping").body, "pong");
  EXPECT_EQ(world.request("GET", "/ping", "", {{"Accept", "application/json"}}).body, "\"pong\"");
  EXPECT_EQ(world.request("GET", "/ping", "", {{"Accept", "image/png"}}).status, 204);
  EXPECT_EQ(world.get("/v2/leader").body, R"({"leader":"host:8080"})");
  EXPECT_EQ(at(world.get("/v2/info"), "/frameworkId"), "\"F1\"");
  EXPECT_EQ(at(world.get("/v2/info"), "/elected"), "true");
  EXPECT_EQ(at(world.get("/metrics"), "/version"), "\"4.0.0\"");
  EXPECT_EQ(at(world.get("/metrics"), "/counters/marathon.tasks.launched.counter/count"), "0");
  EXPECT_TRUE(contains(world.get("/metrics/prometheus").body, "marathon_apps_active_gauge 0\n"));
  EXPECT_EQ(world.get("/v2/plugins").body, R"({"plugins":[]})");
  EXPECT_EQ(world.get("/config").status, 200);
  EXPECT_EQ(world.request("DELETE", "/v2/leader?backup=s3://bucket/x").status, 422);
  EXPECT_EQ(world.request("DELETE", "/v2/leader?restore=relative").status, 422);
  EXPECT_TRUE(world.exits.empty());
  EXPECT_EQ(world.request("DELETE", "/v2/leader").body, R"({"message":"Leadership abdicated"})");
  EXPECT_EQ(world.exits.size(), 1U);
}

TEST_F(Api, every_event_is_one_line_of_json_with_type_and_time) {
  world.post_app(app("/a", R"("healthChecks":[{"protocol":"HTTP"}])"));
  world.advance(base::seconds(10));
  world.request("PUT", "/v2/apps/a", R"({"instances":2})");
  world.update(world.tasks_of("/a")[0], "TASK_FAILED", "line\nline");
  world.request("DELETE", "/v2/apps/a");
  ASSERT_GT(world.published.size(), 20U);
  for (const Publish& event : world.published) {
    EXPECT_EQ(event.data.find('\n'), std::string::npos);
    const auto value = base::json::parse(event.data);
    ASSERT_TRUE(value) << event.data;
    EXPECT_EQ(base::json::get_string(*value, "/eventType").value_or(""), event.type);
    EXPECT_TRUE(base::json::get_string(*value, "/timestamp")) << event.data;
  }
  EXPECT_EQ(world.events_of("health_status_changed_event"), 1U);
  EXPECT_EQ(world.events_of("add_health_check_event"), 1U);
  EXPECT_EQ(world.events_of("remove_health_check_event"), 1U);
}

TEST_F(Api, hostile_requests_are_answered) {
  const std::string deep(5000, '[');
  EXPECT_EQ(world.post_app(deep).status, 400);
  EXPECT_EQ(world.post_app(R"({"id":"a","cmd":"x","instances":99999999999})").status, 422);
  EXPECT_EQ(world.post_app(app("../../etc/passwd")).status, 201) << "an id, not a path";
  EXPECT_EQ(world.get("/v2/apps/etc/passwd").status, 200);
  EXPECT_EQ(world.get("/v2/apps/%ff").status, 400);
  EXPECT_EQ(world.get("/v2/apps/%00").status, 400);
  EXPECT_EQ(world.get("/v2/apps/" + std::string(10'000, 'a')).status, 414);
  std::string ports;
  for (int i = 0; i < 1000; ++i) ports += i ? ",0" : "0";
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(world.post_app(app("p" + std::to_string(i), R"("ports":[)" + ports + "]")).status, 201);
  }
  EXPECT_EQ(world.post_app(app("q", R"("ports":[)" + ports + "]")).status, 500) << "the range is used up";
  EXPECT_EQ(world.post_app(app("r", R"("ports":[)" + ports + ",0]")).status, 422) << "too many for one app";
}

}  // namespace
}  // namespace marathon
