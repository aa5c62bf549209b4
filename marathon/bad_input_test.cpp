// Bad input: the wrong type at every field, sizes, cycles, ids that look like paths. Each is answered with the field, and
// nothing of it is kept.

#include <gtest/gtest.h>

#include "base/json/value.hpp"
#include "marathon/testing.hpp"

#include <boost/json.hpp>

namespace marathon {
namespace {

namespace json = boost::json;
using testing::World;

/// A definition that has every field of an app which is not deprecated.
constexpr const char* kEverything = R"({
  "id":"/a","cmd":"sleep 1","user":"nobody","env":{"K":"v"},"instances":1,"cpus":0.1,"mem":32,"disk":0,"gpus":0,"executor":"",
  "constraints":[["hostname","UNLIKE","x.*"]],
  "fetch":[{"uri":"http://h/x.tgz","extract":true,"executable":false,"cache":false,"destPath":"x"}],
  "networks":[{"mode":"container/bridge","labels":{"k":"v"}}],
  "container":{"type":"DOCKER","docker":{"image":"i","forcePullImage":false,"privileged":false,
      "parameters":[{"key":"k","value":"v"}]},
    "portMappings":[{"containerPort":80,"hostPort":0,"servicePort":0,"protocol":"tcp","name":"web","labels":{"VIP_0":"x:80"}}],
    "volumes":[{"containerPath":"/c","hostPath":"/h","mode":"RO"}]},
  "healthChecks":[{"protocol":"HTTP","path":"/","portIndex":0,"gracePeriodSeconds":1,"intervalSeconds":5,"timeoutSeconds":2,
    "maxConsecutiveFailures":3,"ignoreHttp1xx":false,"delaySeconds":1,"ipProtocol":"IPv4"}],
  "readinessChecks":[{"name":"r","protocol":"HTTP","path":"/","portName":"web","intervalSeconds":5,"timeoutSeconds":2,
    "httpStatusCodesForReady":[200],"preserveLastResponse":false}],
  "dependencies":["/b"],"upgradeStrategy":{"minimumHealthCapacity":1,"maximumOverCapacity":1},"labels":{"k":"v"},
  "acceptedResourceRoles":["*"],"role":"*","backoffSeconds":1,"backoffFactor":1.15,"maxLaunchDelaySeconds":300,
  "taskKillGracePeriodSeconds":1,"killSelection":"YOUNGEST_FIRST",
  "unreachableStrategy":{"inactiveAfterSeconds":0,"expungeAfterSeconds":0},"tty":false,"resourceLimits":{"cpus":1,"mem":64},
  "deployment":{"progressDeadlineSeconds":60,"autoRevert":false,"minHealthySeconds":0}})";

/// The same of a pod.
constexpr const char* kEveryPod = R"({
  "id":"/a","user":"nobody","labels":{"k":"v"},"environment":{"K":"v"},
  "containers":[{"name":"c","exec":{"command":{"argv":["run"]},"overrideEntrypoint":true},
    "resources":{"cpus":0.1,"mem":32,"disk":0,"gpus":0},"resourceLimits":{"cpus":1,"mem":64},
    "endpoints":[{"name":"e","containerPort":80,"hostPort":0,"protocol":["tcp"],"labels":{"k":"v"},"networkNames":["n"]}],
    "image":{"kind":"DOCKER","id":"i","forcePull":true,"labels":{"k":"v"}},"environment":{"K":"v"},"user":"nobody",
    "healthCheck":{"http":{"endpoint":"e","path":"/","scheme":"HTTP"},"gracePeriodSeconds":1,"intervalSeconds":5,
      "timeoutSeconds":2,"maxConsecutiveFailures":3,"delaySeconds":1},
    "volumeMounts":[{"name":"v","mountPath":"v","readOnly":true}],
    "artifacts":[{"uri":"http://h/x","extract":true,"executable":false,"cache":false,"destPath":"x"}],
    "labels":{"k":"v"},"lifecycle":{"killGracePeriodSeconds":1.5},"tty":false}],
  "volumes":[{"name":"v","host":"/etc"}],"networks":[{"mode":"container","name":"n","labels":{"k":"v"}}],
  "scaling":{"kind":"fixed","instances":1},
  "scheduling":{"backoff":{"backoff":1,"backoffFactor":1.15,"maxLaunchDelay":300},
    "upgrade":{"minimumHealthCapacity":1,"maximumOverCapacity":1},
    "placement":{"constraints":[{"fieldName":"hostname","operator":"UNLIKE","value":"x.*"}],"acceptedResourceRoles":["*"]},
    "killSelection":"YOUNGEST_FIRST","unreachableStrategy":{"inactiveAfterSeconds":0,"expungeAfterSeconds":0}},
  "executorResources":{"cpus":0.1,"mem":32,"disk":10},"role":"*","legacySharedCgroups":false,
  "deployment":{"progressDeadlineSeconds":60,"autoRevert":false,"minHealthySeconds":0}})";

/// Where definitions of one kind live, and one that has every field.
struct Kind {
  const char* collection;
  const char* everything;
  size_t refused;  // at least so many refusals of wrong types
};
constexpr Kind kKinds[] = {{"/v2/apps", kEverything, 300}, {"/v2/pods", kEveryPod, 250}};

/// Visits every value below `value`; `path` is a JSON pointer.
void each_value(json::value& root, json::value& value, const std::string& path,
                const std::function<void(json::value&, const std::string&)>& visit) {
  if (!path.empty()) visit(value, path);
  if (value.is_object()) {
    for (auto& member : value.get_object()) {
      each_value(root, member.value(), path + "/" + std::string(member.key()), visit);
    }
  } else if (value.is_array()) {
    size_t index = 0;
    for (json::value& item : value.get_array()) each_value(root, item, path + "/" + std::to_string(index++), visit);
  }
}

std::string shape_of(const json::value& value) {
  if (value.is_string()) return "text";
  if (value.is_number()) return "number";
  if (value.is_bool()) return "truth";
  return value.is_array() ? "list" : "object";
}

TEST(BadInput, the_wrong_type_at_every_field_is_named_and_nothing_is_kept) {
  for (const Kind& kind : kKinds) {
    World world;
    world.subscribe();
    const std::string one = std::string(kind.collection) + "/a";
    json::value everything = base::json::parse(kind.everything).value();
    const json::value wrong[] = {"text", 7, true, json::array{json::array{}}, json::object{{"strange", 1}}};
    size_t refused = 0;
    each_value(everything, everything, "", [&](json::value& field, const std::string& path) {
      const json::value right = field;
      for (const json::value& value : wrong) {
        if (shape_of(value) == shape_of(right)) continue;
        field = value;
        const auto response = world.request("POST", kind.collection, json::serialize(everything));
        const std::string what = path + " = " + json::serialize(value) + ": " + response.body;
        // Lenient readings: a number for a text in an environment and the like; never a failure without a reason.
        EXPECT_TRUE(response.status == 422 || response.status == 201) << response.status << " " << what;
        if (response.status == 201) {
          world.request("DELETE", one + "?force=true");
          for (int i = 0; i < 3; ++i) world.advance(base::seconds(5));
        } else {
          ++refused;
          EXPECT_NE(response.body.find("\"details\":[{\"path\":\"/"), std::string::npos) << what;
        }
        EXPECT_EQ(world.get(one).status, 404) << what;
      }
      field = right;
    });
    EXPECT_GT(refused, kind.refused) << kind.collection;
    EXPECT_EQ(world.request("POST", kind.collection, kind.everything).status, 201) << "and the whole is good";
  }
}

TEST(BadInput, null_is_absent_everywhere) {
  for (const Kind& kind : kKinds) {
    World world;
    world.subscribe();
    json::value everything = base::json::parse(kind.everything).value();
    each_value(everything, everything, "", [&](json::value& field, const std::string& path) {
      const json::value right = std::exchange(field, json::value(nullptr));
      const auto response = world.request("POST", kind.collection, json::serialize(everything));
      EXPECT_TRUE(response.status == 422 || response.status == 201) << path << ": " << response.body;
      if (response.status == 201) {
        world.request("DELETE", std::string(kind.collection) + "/a?force=true");
        for (int i = 0; i < 3; ++i) world.advance(base::seconds(5));
      }
      field = right;
    });
  }
}

TEST(BadInput, more_than_anyone_needs) {
  World world;
  world.subscribe();
  std::string ports, labels, groups;
  for (int i = 0; i < 10'000; ++i) {
    ports += std::string(i ? "," : "") + R"({"port":0})";
    labels += std::string(i ? "," : "") + "\"k" + std::to_string(i) + "\":\"v\"";
  }
  auto response = world.post_app(R"({"id":"/ports","cmd":"x","portDefinitions":[)" + ports + "]}");
  EXPECT_EQ(response.status, 422) << "they would take the service ports of all others";
  EXPECT_NE(response.body.find("{\"path\":\"/portDefinitions\",\"errors\":[\"must not be more than 1000\"]}"), std::string::npos);
  EXPECT_EQ(world.get("/v2/apps/ports").status, 404);
  EXPECT_EQ(world.post_app(R"({"id":"/labels","cmd":"x","labels":{)" + labels + "}}").status, 201);
  std::string containers, endpoints;
  for (int i = 0; i < 1000; ++i) {
    const std::string number = std::to_string(i);
    containers += std::string(i ? "," : "") + R"({"name":"c)" + number + R"(","exec":{"command":{"shell":"x"}},"resources":{}})";
    endpoints += std::string(i ? "," : "") + R"({"name":"e)" + number + R"("},{"name":"f)" + number + R"("})";
  }
  response = world.request("POST", "/v2/pods", R"({"id":"/p","containers":[)" + containers + "]}");
  EXPECT_EQ(response.status, 422);
  EXPECT_NE(response.body.find("must not be more than 100"), std::string::npos) << response.body.substr(0, 200);
  response = world.request("POST", "/v2/pods", R"({"id":"/p","containers":[{"name":"c","exec":{"command":{"shell":"x"}},)"
                                               R"("resources":{},"endpoints":[)" + endpoints + "]}]}");
  EXPECT_EQ(response.status, 422) << response.body.substr(0, 200);
  response = world.post_app(R"({"id":"/large","cmd":")" + std::string(10 << 20, 'x') + "\"}");
  EXPECT_TRUE(response.status == 201 || response.status == 422 || response.status == 413) << response.status;
  for (int i = 0; i < 200; ++i) groups += R"({"id":"g","groups":[)";
  for (int i = 0; i < 200; ++i) groups += "]}";
  response = world.request("POST", "/v2/groups", R"({"id":"/deep","groups":[)" + groups + "]}");
  EXPECT_GE(response.status, 200);
  EXPECT_LT(response.status, 500) << response.body.substr(0, 200);
  EXPECT_EQ(world.post_app(R"({"id":"/ok","cmd":"x","cpus":0.1,"mem":1})").status, 201) << "others go on";
}

TEST(BadInput, cycles_through_groups) {
  const char* bodies[] = {
      R"({"apps":[{"id":"a","cmd":"x","dependencies":["b"]},{"id":"b","cmd":"x","dependencies":["a"]}]})",
      R"({"apps":[{"id":"a","cmd":"x","dependencies":["a"]}]})",
      R"({"groups":[{"id":"x","dependencies":["/g/y"],"apps":[{"id":"a","cmd":"x"}]},)"
      R"({"id":"y","dependencies":["/g/x"],"apps":[{"id":"a","cmd":"x"}]}]})",
      R"({"groups":[{"id":"x","dependencies":["../y"],"apps":[{"id":"a","cmd":"x"}]},)"
      R"({"id":"y","apps":[{"id":"a","cmd":"x","dependencies":["/g/x/a"]}]}]})",
  };
  for (const char* body : bodies) {
    World world;
    const auto response = world.request("PUT", "/v2/groups/g", body);
    EXPECT_EQ(response.status, 422) << body;
    EXPECT_NE(response.body.find("cyclic dependencies"), std::string::npos) << response.body;
    EXPECT_EQ(world.get("/v2/groups/g").status, 404);
  }
}

TEST(BadInput, ids_that_look_like_paths) {
  struct Case {
    const char* id;
    const char* stays_at;  // null: refused
  };
  const Case cases[] = {
      {"../../x", "/x"}, {"/a/../../x", "/x"}, {"/a/./x", "/a/x"},     {"//a///x//", "/a/x"}, {"%2Fx", nullptr},
      {"/x y", nullptr}, {"/x_y", nullptr},    {"/-x", nullptr},       {"/x-", nullptr},      {"/", nullptr},
      {"", nullptr},     {"/..", nullptr},     {"/x/tasks", nullptr},  {"/x/restart", nullptr}, {"/x/versions", nullptr},
      {"/x\\u0000", nullptr}, {"/\\u202e", nullptr}, {"/x?y", nullptr}, {"/x#y", nullptr},    {"/x/*", nullptr},
  };
  for (const Case& c : cases) {
    World world;
    world.subscribe();
    const auto response = world.post_app(std::string(R"({"id":")") + c.id + R"(","cmd":"sleep 1","cpus":0.1,"mem":1})");
    if (c.stays_at) {
      EXPECT_EQ(response.status, 201) << c.id << response.body;
      EXPECT_EQ(response.headers.get_or("Location", ""), c.stays_at) << c.id;
    } else {
      EXPECT_EQ(response.status, 422) << c.id << response.body;
      EXPECT_NE(response.body.find("/id"), std::string::npos) << c.id << response.body;
      EXPECT_TRUE(world.state().apps.empty()) << c.id;
    }
  }
  World world;
  world.subscribe();
  world.post_app(R"({"id":"/g/x","cmd":"sleep 1","cpus":0.1,"mem":1})");
  for (const char* target : {"/v2/apps/g%2Fx", "/v2/apps/%2Fg%2Fx", "/v2/apps//g/x", "/v2/apps/g/./x", "/v2/apps/h/../g/x",
                             "/v2/apps/..%2Fg%2Fx", "/v2/groups/g/../g", "/v2/groups/%2Fg"}) {
    EXPECT_EQ(world.get(target).status, 200) << target;
  }
}

}  // namespace
}  // namespace marathon
