// The conventions of the v2 API as tables: statuses, error shapes, headers, methods, spellings of ids, hostile input.

#include <gtest/gtest.h>

#include "base/json/value.hpp"
#include "marathon/testing.hpp"

#include <boost/json.hpp>

namespace marathon {
namespace {

using testing::World;

constexpr const char* kApp = R"({"id":"/a","cmd":"sleep 100","cpus":0.1,"mem":32})";

/// The value at `pointer` of an answer, as JSON text; "" when it is missing.
std::string at(const base::http::Response& response, const std::string& pointer) {
  const auto value = base::json::parse(response.body);
  const auto* found = value ? base::json::find(*value, pointer) : nullptr;
  return found ? base::json::render(*found) : "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A world with the app /a running, /stuck in a deployment that does not end, and the group /g.
void fill(World& world) {
  world.subscribe();
  world.post_app(kApp);
  world.post_app(R"({"id":"/stuck","cmd":"x","cpus":99})");
  world.request("POST", "/v2/groups", R"({"id":"/g","apps":[{"id":"m","cmd":"sleep 1","cpus":0.1,"mem":32}]})");
}

struct Convention {
  const char* method;
  const char* target;
  const char* body;
  int status;
  const char* message;  // what "message" contains; null: no error
  const char* details;  // JSON text of "details"; null: there is none
};

TEST(Conventions, statuses_and_error_shapes) {
  const Convention table[] = {
      {"POST", "/v2/apps", "{", 400, "Invalid JSON", ""},
      {"POST", "/v2/apps", " ", 400, "Please specify data in JSON format", ""},
      {"PUT", "/v2/apps/a", "nonsense", 400, "Invalid JSON", ""},
      {"POST", "/v2/groups", "{\"id\":", 400, "Invalid JSON", ""},
      {"POST", "/v2/tasks/delete", "{", 400, "Invalid JSON", ""},
      {"POST", "/v2/apps", R"({"id":"b","cmd":"x","cpus":"a"})", 422, "Invalid JSON",
       R"([{"path":"/cpus","errors":["error.expected.jsnumber"]}])"},
      {"POST", "/v2/apps", R"({"id":"b","cmd":"x","container":{"type":"LXC"}})", 422, "Invalid JSON",
       R"([{"path":"/container/type","errors":["error.unknown.enum.literal"]}])"},
      {"POST", "/v2/groups", R"({"id":"/n","apps":7})", 422, "Invalid JSON",
       R"([{"path":"/apps","errors":["error.expected.jsarray"]}])"},
      {"POST", "/v2/groups", R"({"id":"/n","apps":[{"id":"x","cmd":"y","mem":true}]})", 422, "Invalid JSON",
       R"([{"path":"/apps(0)/mem","errors":["error.expected.jsnumber"]}])"},
      {"POST", "/v2/apps", R"({"id":"b"})", 422, "Object is not valid", nullptr},
      {"PUT", "/v2/apps", R"([{"cmd":"x"}])", 422, "App Update must have app id set", nullptr},
      {"PUT", "/v2/apps/a", R"({"version":"2020-01-01T00:00:00.000Z","cmd":"x"})", 422, "Object is not valid",
       R"([{"path":"/","errors":["The 'version' field may only be combined with the 'id' field."]}])"},
      {"PUT", "/v2/apps/a", R"({"version":"2020-01-01T00:00:00.000Z"})", 404,
       "App '/a' does not exist in version 2020-01-01T00:00:00.000Z", nullptr},
      {"GET", "/v2/apps/none", "", 404, "App '/none' does not exist", nullptr},
      {"GET", "/v2/apps/none/*", "", 404, "Group '/none' does not exist", nullptr},
      {"GET", "/v2/apps/none/tasks", "", 404, "App '/none' does not exist", nullptr},
      {"GET", "/v2/apps/none/versions", "", 404, "App '/none' does not exist", nullptr},
      {"GET", "/v2/apps/a/versions/2020-01-01T00:00:00.000Z", "", 404,
       "App '/a' does not exist in version 2020-01-01T00:00:00.000Z", nullptr},
      {"GET", "/v2/apps/a/versions/monday", "", 422, "monday", nullptr},
      {"GET", "/v2/apps?label=%3D%3D", "", 422, "", nullptr},
      {"PATCH", "/v2/apps/none", "{}", 404, "App '/none' does not exist", nullptr},
      {"PATCH", "/v2/apps", R"([{"id":"/none"}])", 404, "App '/none' does not exist", nullptr},
      {"DELETE", "/v2/apps/none", "", 404, "App '/none' does not exist", nullptr},
      {"POST", "/v2/apps/none/restart", "", 404, "App '/none' does not exist", nullptr},
      {"DELETE", "/v2/apps/none/tasks", "", 404, "App '/none' does not exist", nullptr},
      {"DELETE", "/v2/apps/a/tasks/none", "", 404, "Task 'none' does not exist", nullptr},
      {"GET", "/v2/groups/none", "", 404, "Group '/none' does not exist", nullptr},
      {"GET", "/v2/groups/none/versions", "", 404, "Group '/none' does not exist", nullptr},
      {"GET", "/v2/groups/g/versions/2020-01-01T00:00:00.000Z", "", 404, "Group '/g' does not exist in version", nullptr},
      {"GET", "/v2/groups/g/versions/monday", "", 422, "monday", nullptr},
      {"PUT", "/v2/groups/g", R"({"version":"2020-01-01T00:00:00.000Z"})", 422,
       "Group /g not available in version 2020-01-01T00:00:00.000Z", nullptr},
      {"PUT", "/v2/groups/g", R"({"version":5})", 422, "Invalid JSON",
       R"([{"path":"/version","errors":["error.expected.date.isoformat"]}])"},
      {"PUT", "/v2/groups/g", R"({"version":"2020-01-01T00:00:00.000Z","id":"g"})", 422, "Object is not valid",
       R"([{"path":"/","errors":["not allowed in conjunction with other properties."]}])"},
      {"DELETE", "/v2/groups/none", "", 404, "Group '/none' does not exist", nullptr},
      {"DELETE", "/v2/deployments/none", "", 404, "DeploymentPlan none does not exist", nullptr},
      {"DELETE", "/v2/queue/none/delay", "", 404, "Application /none not found in tasks queue.", nullptr},
      {"DELETE", "/v2/queue/a/delay", "", 404, "Application /a not found in tasks queue.", nullptr},
      {"POST", "/v2/apps", kApp, 409, "An app with id [/a] already exists.", nullptr},
      {"POST", "/v2/groups", R"({"id":"/g"})", 409, "Group /g is already created. Use PUT to change this group.", nullptr},
      {"POST", "/v2/groups", R"({"id":"/a"})", 409, "An app with the path /a already exists.", nullptr},
      {"PUT", "/v2/apps/stuck", R"({"cpus":1})", 409, "App is locked by one or more deployments.", nullptr},
      {"POST", "/v2/apps/stuck/restart", "", 409, "App is locked by one or more deployments.", nullptr},
      {"POST", "/v2/tasks/delete?scale=true&wipe=true", R"({"ids":[]})", 400,
       "You cannot use scale and wipe at the same time.", nullptr},
      {"POST", "/v2/tasks/delete", R"({"ids":["?"]})", 400, "Invalid task id '?'", nullptr},
      {"GET", "/v2/artifacts", "", 404, "URI not found", nullptr},
      {"GET", "/v2/schemas/app", "", 404, "URI not found", nullptr},
      {"GET", "/v2/eventSubscriptions", "", 404, "URI not found", nullptr},
      {"GET", "/v2", "", 404, "URI not found", nullptr},
      {"GET", "/nothing", "", 404, "URI not found", nullptr},
      {"GET", "/v2/plugins/x", "", 404, "", nullptr},
      {"GET", "/metrics/none", "", 404, "", nullptr},
  };
  for (const Convention& c : table) {
    World world;
    fill(world);
    const auto response = world.request(c.method, c.target, c.body);
    const std::string what = std::string(c.method) + " " + c.target + " " + c.body + " -> " + response.body;
    EXPECT_EQ(response.status, c.status) << what;
    EXPECT_TRUE(contains(at(response, "/message"), c.message)) << what;
    EXPECT_EQ(response.headers.get_or("Content-Type", ""), "application/json") << what;
    if (c.details && *c.details) {
      EXPECT_EQ(at(response, "/details"), c.details) << what;
    } else if (c.details) {
      EXPECT_TRUE(at(response, "/details").starts_with("\"")) << "a text: " << what;
    }
    const bool locked = c.status == 409 && contains(response.body, "locked");
    EXPECT_EQ(at(response, "/deployments/0/id").empty(), !locked) << "tells locked from duplicate: " << what;
  }
}

struct Success {
  const char* method;
  const char* target;
  const char* body;
  int status;
  const char* location;  // null: none
  bool deployment;       // names one in the header
};

TEST(Conventions, statuses_and_headers_of_success) {
  const Success table[] = {
      {"POST", "/v2/apps", R"({"id":"/n/x","cmd":"y"})", 201, "/n/x", true},
      {"POST", "/v2/apps/", R"({"id":"n","cmd":"y"})", 201, "/n", true},
      {"PUT", "/v2/apps/n", R"({"cmd":"y"})", 201, "/n", true},
      {"PUT", "/v2/apps/a", R"({"instances":2})", 200, nullptr, true},
      {"PATCH", "/v2/apps/a", R"({"instances":2})", 200, nullptr, true},
      {"PUT", "/v2/apps", R"([{"id":"/a","instances":2}])", 200, nullptr, true},
      {"POST", "/v2/apps/a/restart", "", 200, nullptr, true},
      {"POST", "/v2/apps/stuck/restart?force=True", "", 200, nullptr, true},
      {"DELETE", "/v2/apps/a", "", 200, nullptr, true},
      {"DELETE", "/v2/apps/stuck", "", 200, nullptr, true},
      {"DELETE", "/v2/apps/a/tasks", "", 200, nullptr, false},
      {"DELETE", "/v2/apps/a/tasks?scale=True", "", 200, nullptr, true},
      {"POST", "/v2/tasks/delete", R"({"ids":[]})", 200, nullptr, false},
      {"POST", "/v2/groups", R"({"id":"/n"})", 201, "/n", true},
      {"POST", "/v2/groups/g", R"({"id":"n"})", 201, "/g/n", true},
      {"PUT", "/v2/groups/new", R"({"apps":[]})", 200, nullptr, true},
      {"PUT", "/v2/groups/g", R"({"scaleBy":2})", 200, nullptr, true},
      {"DELETE", "/v2/groups/g", "", 200, nullptr, true},
      {"DELETE", "/v2/groups?force=true", "", 200, nullptr, true},
      {"DELETE", "/v2/queue/stuck/delay", "", 204, nullptr, false},
      {"GET", "/v2/groups/versions", "", 200, nullptr, false},
      {"GET", "/v2/groups/g/apps", "", 200, nullptr, false},
      {"GET", "/v2/groups/apps", "", 200, nullptr, false},
      {"GET", "/v2/tasks?status=unheard-of", "", 200, nullptr, false},
      {"GET", "/v2/apps?embed=unheard.of", "", 200, nullptr, false},
  };
  for (const Success& s : table) {
    World world;
    fill(world);
    const auto response = world.request(s.method, s.target, s.body);
    const std::string what = std::string(s.method) + " " + s.target + " -> " + response.body;
    EXPECT_EQ(response.status, s.status) << what;
    EXPECT_EQ(response.headers.get_or("Location", ""), s.location ? s.location : "") << what;
    EXPECT_EQ(response.headers.has("Marathon-Deployment-Id"), s.deployment) << what;
  }
}

TEST(Conventions, stopping_and_rolling_back_a_deployment) {
  World world;
  fill(world);
  const std::string id = world.state().deployment_order.begin()->second;
  auto response = world.request("DELETE", "/v2/deployments/" + id);
  EXPECT_EQ(response.status, 200);
  EXPECT_NE(at(response, "/deploymentId"), "\"" + id + "\"") << "a new one";
  EXPECT_EQ(world.get("/v2/apps/stuck").status, 404) << "it was new";
  world.post_app(R"({"id":"/stuck","cmd":"x","cpus":99})");
  response = world.request("DELETE", "/v2/deployments/" + world.state().deployment_order.begin()->second + "?force=true");
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.body, "");
}

TEST(Conventions, whatever_can_be_got_can_be_asked_for_its_head) {
  World world;
  fill(world);
  for (const char* target : {"/v2/apps", "/v2/apps/a", "/v2/apps/a/versions", "/v2/apps/a/tasks", "/v2/apps/g/*/tasks",
                             "/v2/apps/g/*", "/v2/tasks", "/v2/groups",
                             "/v2/groups/g", "/v2/groups/versions", "/v2/deployments", "/v2/queue", "/v2/info", "/v2/leader",
                             "/v2/plugins", "/ping", "/metrics", "/metrics/prometheus"}) {
    EXPECT_EQ(world.get(target).status, 200) << target;
    EXPECT_EQ(world.request("HEAD", target).status, 200) << target;
  }
}

TEST(Conventions, other_methods_are_answered_with_those_that_are_allowed) {
  World world;
  fill(world);
  for (const char* target : {"/v2/apps", "/v2/apps/a", "/v2/tasks", "/v2/groups", "/v2/deployments", "/v2/queue", "/v2/info",
                             "/v2/leader", "/v2/plugins", "/ping", "/metrics", "/v2/apps/a/restart"}) {
    const auto response = world.request("BREW", target);
    EXPECT_EQ(response.status, 405) << target;
    EXPECT_TRUE(response.headers.has("Allow")) << target;
    EXPECT_TRUE(contains(response.body, "\"message\":\"")) << target;
  }
}

TEST(Conventions, info_has_the_keys_that_strict_clients_know_and_no_others) {
  World world;
  fill(world);
  const auto info = base::json::parse(world.get("/v2/info").body);
  std::set<std::string> keys;
  for (const auto& member : info->get_object()) keys.emplace(member.key());
  EXPECT_EQ(keys, (std::set<std::string>{"name", "version", "buildref", "elected", "leader", "frameworkId", "marathon_config",
                                         "zookeeper_config", "http_config"}));
}

TEST(Conventions, times_always_have_three_digits_of_fraction) {
  World world;
  world.now.time = base::Time::from_seconds(1'700'000'000);
  fill(world);
  const std::string version = at(world.get("/v2/apps/a"), "/app/version");
  EXPECT_EQ(version.size(), 26U) << version;
  EXPECT_TRUE(version.ends_with("Z\"")) << version;
}

TEST(Metrics, carry_the_names_that_dashboards_ask_for) {
  World world;
  fill(world);
  const auto response = world.get("/metrics");
  EXPECT_EQ(at(response, "/version"), "\"4.0.0\"");
  for (const char* name :
       {"deployments.counter", "deployments.dismissed.counter", "persistence.gc.runs.counter", "tasks.launched.counter",
        "mesos.calls.revive.counter", "mesos.calls.suppress.counter", "mesos.offer-operations.launch-group.counter",
        "mesos.offer-operations.launch.counter", "mesos.offer-operations.reserve.counter", "mesos.offers.declined.counter",
        "mesos.offers.incoming.counter", "mesos.offers.used.counter"}) {
    EXPECT_NE(at(response, std::string("/counters/marathon.") + name + "/count"), "") << name;
  }
  for (const char* name : {"apps.active.gauge", "deployments.active.gauge", "groups.active.gauge", "pods.active.gauge",
                           "leadership.duration.gauge.seconds", "instances.running.gauge", "instances.staged.gauge",
                           "instances.launch-overdue.gauge", "instances.inflight-kills.gauge",
                           "instances.inflight-kill-attempts.gauge", "uptime.gauge.seconds", "http.requests.active.gauge"}) {
    EXPECT_NE(at(response, std::string("/gauges/marathon.") + name + "/value"), "") << name;
  }
  EXPECT_EQ(at(response, "/counters/marathon.mesos.task-updates.task-running.counter/count"), "2");
  EXPECT_NE(at(response, "/counters/marathon.http.requests.size.counter.bytes/count"), "0");
  EXPECT_NE(at(response, "/counters/marathon.http.responses.size.counter.bytes/count"), "0");
  for (const char* name : {"1xx", "2xx", "3xx", "4xx", "5xx"}) {
    for (const char* field : {"count", "m1_rate", "m5_rate", "m15_rate", "mean_rate", "units"}) {
      EXPECT_NE(at(response, std::string("/meters/marathon.http.responses.") + name + ".rate.meter/" + field), "") << name;
    }
  }
  EXPECT_NE(at(response, "/meters/marathon.http.responses.2xx.rate.meter/count"), "0");
  for (const char* name : {"http.requests", "http.requests.get", "http.requests.post", "http.requests.put", "http.requests.delete",
                           "persistence.gc.compaction", "persistence.gc.scan"}) {
    for (const char* field : {"count", "min", "mean", "max", "p50", "p75", "p95", "p98", "p99", "p999", "stddev", "m1_rate", "m5_rate",
                              "m15_rate", "mean_rate", "duration_units", "rate_units"}) {
      EXPECT_NE(at(response, std::string("/timers/marathon.") + name + ".duration.timer.seconds/" + field), "") << name << field;
    }
  }
  EXPECT_EQ(at(response, "/timers/marathon.http.requests.post.duration.timer.seconds/p99"), "0.02");
  const auto text = world.get("/metrics/prometheus");
  EXPECT_TRUE(contains(text.body, "\nmarathon_apps_active_gauge 3\n")) << text.body;
  EXPECT_TRUE(contains(text.body, "\nmarathon_tasks_launched_counter 2\n")) << text.body;
  EXPECT_TRUE(text.headers.get_or("Content-Type", "").starts_with("text/plain"));
  EXPECT_TRUE(contains(text.body, "\nmarathon_http_requests_post_duration_timer_seconds{quantile=\"0.999\"} 0.02\n")) << text.body;
  EXPECT_TRUE(contains(text.body, "\nmarathon_http_requests_duration_timer_seconds_stddev 0\n")) << text.body;
  EXPECT_TRUE(contains(text.body, "\nmarathon_http_responses_4xx_rate_meter_m1_rate ")) << text.body;
  for (size_t start = 0; start < text.body.size();) {
    const size_t end = text.body.find('\n', start);
    const std::string line = text.body.substr(start, end - start);
    EXPECT_TRUE(line.starts_with("# TYPE marathon_") || line.starts_with("marathon_")) << line;
    EXPECT_EQ(line.find_first_of(".-"), line.starts_with("#") ? std::string::npos : line.find_first_of(".-", line.find_first_of(" {")));
    start = end + 1;
  }
}

TEST(Metrics, by_another_name_or_not_for_prometheus) {
  Policy policy;
  policy.metrics_prefix = "ours";
  policy.metrics_prometheus = false;
  World world(policy);
  EXPECT_NE(at(world.get("/metrics"), "/gauges/ours.apps.active.gauge/value"), "");
  EXPECT_EQ(world.get("/metrics/prometheus").status, 404);
}

// --- Versions of groups.

TEST(GroupVersions, list_show_and_come_back) {
  World world;
  world.subscribe();
  world.request("PUT", "/v2/groups/g", R"({"apps":[{"id":"x","cmd":"one","cpus":0.1,"mem":32}]})");
  const std::string first = at(world.get("/v2/groups/versions"), "/0");
  world.request("PUT", "/v2/groups/g",
                R"({"apps":[{"id":"y","cmd":"two","cpus":0.1,"mem":32}],"groups":[{"id":"sub","dependencies":["/g/y"]}]})");
  world.post_app(R"({"id":"/other","cmd":"sleep 1","cpus":0.1,"mem":32})");
  const auto versions = world.get("/v2/groups/versions");
  EXPECT_EQ(at(versions, "/2"), first) << "newest first: " << versions.body;
  EXPECT_EQ(at(versions, "/0"), at(world.get("/v2/groups"), "/version"));
  EXPECT_EQ(at(versions, "/3"), "");
  const std::string bare = first.substr(1, first.size() - 2);
  const auto old = world.get("/v2/groups/g/versions/" + bare);
  EXPECT_EQ(at(old, "/apps/0/id"), "\"/g/x\"") << old.body;
  EXPECT_EQ(at(old, "/apps/1/id"), "");
  EXPECT_EQ(at(old, "/groups"), "[]");
  EXPECT_EQ(at(world.get("/v2/groups/versions/" + bare), "/groups/0/apps/0/cmd"), "\"one\"");
  EXPECT_EQ(world.get("/v2/groups/none/versions/" + bare).status, 404);
  // After a restart it is all there, the removed app too.
  world.restart();
  world.subscribe();
  EXPECT_EQ(world.get("/v2/groups/versions").body, versions.body);
  EXPECT_EQ(world.get("/v2/groups/g/versions/" + bare).body, old.body);
  const auto back = world.request("PUT", "/v2/groups/g", R"({"version":)" + first + "}");
  EXPECT_EQ(back.status, 200) << back.body;
  for (int i = 0; i < 3; ++i) world.advance(base::seconds(5));
  EXPECT_EQ(at(world.get("/v2/apps/g/x"), "/app/cmd"), "\"one\"");
  EXPECT_EQ(world.get("/v2/apps/g/y").status, 404);
  EXPECT_EQ(world.get("/v2/groups/g/sub").status, 404);
  EXPECT_EQ(world.running("/g/x"), 1U);
  EXPECT_EQ(world.running("/g/y"), 0U);
  EXPECT_EQ(world.running("/other"), 1U) << "what is elsewhere stays";
}

TEST(GroupVersions, are_bounded_and_a_change_that_was_not_stored_is_none) {
  Policy policy;
  policy.max_versions = 3;
  World world(policy);
  world.subscribe();
  world.post_app(kApp);
  for (int i = 1; i <= 6; ++i) world.request("PUT", "/v2/apps/a", R"({"instances":)" + std::to_string(i) + "}");
  EXPECT_NE(at(world.get("/v2/groups/versions"), "/2"), "");
  EXPECT_EQ(at(world.get("/v2/groups/versions"), "/3"), "");
  size_t records = 0;
  for (const auto& [key, value] : world.store) records += key.starts_with("tree:") ? 1 : 0;
  EXPECT_EQ(records, 3U);
  const std::string before = world.get("/v2/groups/versions").body;
  world.store_works = false;
  EXPECT_EQ(world.request("PUT", "/v2/apps/a", R"({"instances":9})").status, 503);
  EXPECT_EQ(world.get("/v2/groups/versions").body.find(at(world.get("/v2/groups"), "/version")), 1U);
  EXPECT_FALSE(contains(before, "\"\""));
}

// --- Changes that meet nobody else's, and that restart nothing.

TEST(IfMatch, a_change_to_another_version_is_refused) {
  World world;
  fill(world);
  const std::string version = at(world.get("/v2/apps/a"), "/app/version");
  const auto put = [&](const std::string& match) {
    return world.request("PUT", "/v2/apps/a", R"({"instances":2})", {{"If-Match", match}}).status;
  };
  EXPECT_EQ(put("\"2020-01-01T00:00:00.000Z\""), 412);
  EXPECT_EQ(put("nonsense"), 412);
  EXPECT_EQ(put("\"x\", " + version), 200);
  EXPECT_EQ(put(version), 412) << "it is another one now";
  EXPECT_EQ(put("*"), 200);
  EXPECT_EQ(world.request("PUT", "/v2/apps/new", R"({"cmd":"x"})", {{"If-Match", "*"}}).status, 412);
  EXPECT_EQ(world.request("DELETE", "/v2/apps/a", "", {{"If-Match", version}}).status, 412);
  EXPECT_EQ(world.request("POST", "/v2/apps/a/restart", "", {{"If-Match", version}}).status, 412);
  EXPECT_EQ(world.request("PUT", "/v2/groups/g", R"({"scaleBy":2})", {{"If-Match", version}}).status, 412);
  EXPECT_EQ(world.request("PUT", "/v2/groups/g", R"({"scaleBy":2})",
                          {{"If-Match", at(world.get("/v2/groups/g"), "/version")}}).status, 200);
  EXPECT_EQ(at(world.get("/v2/apps/a"), "/app/instances"), "2");
}

TEST(InPlace, what_tasks_do_not_see_restarts_none_of_them) {
  const char* changes[] = {
      R"({"labels":{"k":"v"}})",
      R"({"upgradeStrategy":{"minimumHealthCapacity":0.5,"maximumOverCapacity":0.5}})",
      R"({"killSelection":"OLDEST_FIRST"})",
      R"({"backoffSeconds":7,"backoffFactor":2,"maxLaunchDelaySeconds":60})",
      R"({"constraints":[["hostname","UNLIKE","host9"]]})",
      R"({"dependencies":["/g/m"]})",
      R"({"acceptedResourceRoles":["*"]})",
      R"({"deployment":{"progressDeadlineSeconds":5}})",
  };
  for (const char* change : changes) {
    World world;
    fill(world);
    const auto before = world.tasks_of("/a");
    const std::string version = at(world.get("/v2/apps/a"), "/app/version");
    const auto response = world.request("PUT", "/v2/apps/a?inPlace=true", change);
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(world.tasks_of("/a"), before) << change;
    EXPECT_NE(at(world.get("/v2/apps/a"), "/app/version"), version);
    EXPECT_EQ(world.state().deployments.size(), 1U) << "only /stuck";
    world.restart();
    world.subscribe();
    world.advance(base::seconds(1000));
    EXPECT_EQ(world.tasks_of("/a"), before) << change << " after a restart";
  }
  World world;
  fill(world);
  const auto before = world.tasks_of("/a");
  world.request("PUT", "/v2/apps/a?inPlace=true", R"({"labels":{"k":"v"},"cmd":"other"})");
  EXPECT_NE(world.tasks_of("/a"), before) << "the command is seen by the task";
  const auto replaced = world.tasks_of("/a");
  world.request("PUT", "/v2/apps/a", R"({"labels":{"k":"w"}})");
  EXPECT_NE(world.tasks_of("/a"), replaced) << "as the original without the wish";
}

}  // namespace
}  // namespace marathon
