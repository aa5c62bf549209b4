// Pods, from definition to containers, over the API and against a master.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "kernel/api/mesos/v1/tasks.pb.h"
#include "marathon/pod_json.hpp"
#include "marathon/testing.hpp"
#include "marathon/tree_change.hpp"

namespace marathon {
namespace {

namespace json = boost::json;
using testing::World;

constexpr const char* kWeb = R"({
  "id": "/shop/web", "labels": {"tier": "front"}, "environment": {"MODE": "live"},
  "containers": [
    {"name": "nginx", "exec": {"command": {"shell": "nginx -g 'daemon off;'"}},
     "resources": {"cpus": 0.5, "mem": 64},
     "endpoints": [{"name": "http", "hostPort": 0, "protocol": ["tcp"], "labels": {"VIP_0": "/web:80"}}],
     "volumeMounts": [{"name": "data", "mountPath": "data"}],
     "healthCheck": {"http": {"endpoint": "http", "path": "/ping"}, "timeoutSeconds": 5, "intervalSeconds": 10}},
    {"name": "logs", "exec": {"command": {"argv": ["tail", "-F", "data/log"]}},
     "resources": {"cpus": 0.25, "mem": 32}, "environment": {"MODE": "quiet"},
     "volumeMounts": [{"name": "data", "mountPath": "data", "readOnly": true}]}
  ],
  "volumes": [{"name": "data"}], "networks": [{"mode": "host"}],
  "scaling": {"kind": "fixed", "instances": 2}
})";

constexpr const char* kPlain =
    R"({"id":"/p","containers":[{"name":"a","exec":{"command":{"shell":"sleep 1000"}},"resources":{"cpus":0.1,"mem":32}},)"
    R"({"name":"b","exec":{"command":{"shell":"sleep 1000"}},"resources":{"cpus":0.1,"mem":32}}]})";

json::value parse(const base::http::Response& response) {
  auto value = base::json::parse(response.body);
  EXPECT_TRUE(value.has_value()) << response.body;
  return value ? std::move(*value) : json::value();
}

std::string with(const std::string& text, const std::string& from, const std::string& to) {
  std::string out = text;
  const size_t at = out.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return out.replace(at, from.size(), to);
}

base::http::Response post(World& world, const std::string& body) { return world.request("POST", "/v2/pods", body); }

json::value status(World& world, const std::string& pod) { return parse(world.get("/v2/pods" + pod + "::status")); }

std::string text_of(const json::value& value, const char* pointer) {
  boost::system::error_code error;
  const json::value* found = value.find_pointer(pointer, error);
  return found && found->is_string() ? std::string(found->get_string()) : "";
}

std::vector<std::string> instances(World& world, const std::string& pod) {
  std::vector<std::string> ids;
  for (const auto& [id, instance] : world.state().apps.at(pod).instances) ids.push_back(id);
  return ids;
}

}  // namespace

TEST(Pods, a_created_pod_is_answered_with_its_defaults) {
  World world;
  world.subscribe(false);
  const auto response = post(world, kPlain);
  ASSERT_EQ(response.status, 201) << response.body;
  EXPECT_EQ(response.headers.get_or("Location", ""), "/p");
  EXPECT_FALSE(response.headers.get_or("Marathon-Deployment-Id", "").empty());
  const json::value pod = parse(response);
  json::value expected = json::parse(R"({"id":"/p",
    "containers":[{"name":"a","exec":{"command":{"shell":"sleep 1000"}},"resources":{"cpus":0.1,"mem":32,"disk":0,"gpus":0}},
                  {"name":"b","exec":{"command":{"shell":"sleep 1000"}},"resources":{"cpus":0.1,"mem":32,"disk":0,"gpus":0}}],
    "scaling":{"kind":"fixed","instances":1},
    "scheduling":{"backoff":{"backoff":1,"backoffFactor":1.15,"maxLaunchDelay":300},
                  "upgrade":{"minimumHealthCapacity":1,"maximumOverCapacity":1},
                  "placement":{"constraints":[],"acceptedResourceRoles":[]},
                  "killSelection":"YOUNGEST_FIRST",
                  "unreachableStrategy":{"expungeAfterSeconds":0,"inactiveAfterSeconds":0}},
    "executorResources":{"cpus":0.1,"mem":32,"disk":10},"role":"*"})");
  expected.as_object()["version"] = pod.as_object().at("version");
  EXPECT_EQ(json::serialize(pod), json::serialize(json::parse(response.body)));
  EXPECT_TRUE(pod == expected) << response.body;
  EXPECT_EQ(parse(world.get("/v2/pods")).as_array().at(0), pod);
  EXPECT_EQ(parse(world.get("/v2/pods//p")), pod);
  EXPECT_EQ(world.request("HEAD", "/v2/pods").status, 200);
  EXPECT_EQ(world.events_of("pod_created_event"), 1U);
  EXPECT_EQ(world.events_of("api_post_event"), 0U);
  EXPECT_EQ(post(world, kPlain).status, 409);
}

TEST(Pods, every_field_comes_back_as_it_was_given) {
  World world;
  world.subscribe(false);
  const std::string body = R"({"id":"/x/y","user":"root","labels":{"a":"b"},"environment":{"E":"1"},
    "containers":[{"name":"c-1","exec":{"command":{"argv":["run","it"]},"overrideEntrypoint":true},
      "resources":{"cpus":0.5,"mem":32.5,"disk":10,"gpus":0},"resourceLimits":{"cpus":"unlimited","mem":64},
      "endpoints":[{"name":"e","containerPort":80,"hostPort":8080,"protocol":["tcp","udp"],"labels":{"l":"m"},"networkNames":["n1"]}],
      "image":{"kind":"DOCKER","id":"alpine:3","forcePull":true,"labels":{"os":"linux"}},"environment":{"F":"2"},"user":"nobody",
      "healthCheck":{"exec":{"command":{"shell":"true"}},"gracePeriodSeconds":1,"intervalSeconds":3,"maxConsecutiveFailures":4,
        "timeoutSeconds":2,"delaySeconds":0},
      "volumeMounts":[{"name":"v","mountPath":"/v","readOnly":true},{"name":"h","mountPath":"/h"}],
      "artifacts":[{"uri":"http://h/f","extract":false,"executable":true,"cache":true,"destPath":"f"}],
      "labels":{"k":"v"},"lifecycle":{"killGracePeriodSeconds":1.5},"tty":true,
      "check":{"http":{"endpoint":"e","path":"/x","scheme":"HTTP"},"intervalSeconds":3,"timeoutSeconds":2,"delaySeconds":1},
      "linuxInfo":{"seccomp":{"profileName":"p.json","unconfined":false},"ipcInfo":{"mode":"PRIVATE","shmSize":8}}}],
    "volumes":[{"name":"v"},{"name":"h","host":"/etc"}],
    "networks":[{"mode":"container","name":"n1","labels":{"x":"y"}},{"mode":"container","name":"n2"}],
    "scaling":{"kind":"fixed","instances":0},
    "scheduling":{"backoff":{"backoff":0.5,"backoffFactor":2,"maxLaunchDelay":60.5},
      "upgrade":{"minimumHealthCapacity":0.5,"maximumOverCapacity":0},
      "placement":{"constraints":[{"fieldName":"hostname","operator":"LIKE","value":"h.*"},{"fieldName":"rack","operator":"UNIQUE"}],
        "acceptedResourceRoles":["*"]},
      "killSelection":"OLDEST_FIRST","unreachableStrategy":"disabled"},
    "executorResources":{"cpus":0.2,"mem":64,"disk":20},"linuxInfo":{"ipcInfo":{"mode":"SHARE_PARENT"}},
    "legacySharedCgroups":false,"role":"*"})";
  const auto response = post(world, body);
  ASSERT_EQ(response.status, 201) << response.body;
  json::value given = json::parse(body), answered = json::parse(response.body);
  given.as_object().erase("legacySharedCgroups");  // false is not shown
  answered.as_object().erase("version");
  EXPECT_TRUE(given == answered) << response.body;
  // And from the store.
  world.restart();
  answered = parse(world.get("/v2/pods/x/y"));
  answered.as_object().erase("version");
  EXPECT_TRUE(given == answered);
}

TEST(Pods, containers_are_launched_as_one_group_with_an_executor) {
  World world;
  world.subscribe();
  ASSERT_EQ(post(world, kWeb).status, 201);
  const auto tasks = world.tasks_of("/shop/web");
  ASSERT_EQ(tasks.size(), 4U);
  const testing::Task& nginx = world.tasks.at(tasks[0]);
  const testing::Task& logs = world.tasks.at(tasks[1]);
  ASSERT_TRUE(nginx.executor && nginx.executor == logs.executor);
  const auto& executor = *nginx.executor;
  EXPECT_EQ(executor.type(), mesos::v1::ExecutorInfo::DEFAULT);
  const auto name = parse_task_id(tasks[0]);
  ASSERT_TRUE(name);
  EXPECT_EQ(name->app, "/shop/web");
  EXPECT_EQ(name->container, "logs" == name->container ? "logs" : "nginx");
  EXPECT_EQ(executor.executor_id().value(), "instance-shop_web." + name->instance.substr(name->instance.find("instance-") + 9));
  EXPECT_EQ(executor.framework_id().value(), "F1");
  std::map<std::string, double> held;
  int port = 0;
  for (const auto& r : executor.resources()) {
    held[r.name()] += r.scalar().value();
    for (const auto& range : r.ranges().range()) port = static_cast<int>(range.begin());
  }
  EXPECT_DOUBLE_EQ(held["cpus"], 0.1);
  EXPECT_DOUBLE_EQ(held["mem"], 32);
  EXPECT_DOUBLE_EQ(held["disk"], 10);
  EXPECT_GE(port, 31000) << "the executor holds the ports";
  EXPECT_EQ(executor.container().network_infos_size(), 0);
  EXPECT_FALSE(executor.container().linux_info().share_cgroups());
  const testing::Task& web = nginx.info->name() == "nginx" ? nginx : logs;
  const testing::Task& log = nginx.info->name() == "nginx" ? logs : nginx;
  EXPECT_TRUE(web.info->command().shell());
  EXPECT_EQ(web.info->discovery().name(), "web.shop");
  ASSERT_EQ(web.info->discovery().ports().ports_size(), 1);
  EXPECT_EQ(web.info->discovery().ports().ports(0).number(), static_cast<uint32_t>(port));
  EXPECT_EQ(web.info->discovery().ports().ports(0).labels().labels(0).value(), "/web:80");
  EXPECT_EQ(web.info->health_check().http().port(), static_cast<uint32_t>(port));
  EXPECT_EQ(web.info->health_check().http().path(), "/ping");
  ASSERT_EQ(web.info->container().volumes_size(), 1);
  const auto& volume = web.info->container().volumes(0);
  EXPECT_EQ(volume.container_path(), "data");
  EXPECT_EQ(volume.source().type(), mesos::v1::Volume::Source::SANDBOX_PATH);
  EXPECT_EQ(volume.source().sandbox_path().type(), mesos::v1::Volume::Source::SandboxPath::PARENT);
  EXPECT_EQ(volume.source().sandbox_path().path(), "volumes/data");
  EXPECT_EQ(log.info->container().volumes(0).mode(), mesos::v1::Volume::RO);
  EXPECT_EQ(log.info->command().value(), "tail");
  EXPECT_EQ(log.info->command().arguments_size(), 3);
  std::map<std::string, std::string> env;
  for (const auto& v : log.info->command().environment().variables()) env[v.name()] = v.value();
  EXPECT_EQ(env["MODE"], "quiet");
  EXPECT_EQ(env["MARATHON_APP_ID"], "/shop/web");
  EXPECT_EQ(env["MARATHON_CONTAINER_ID"], "logs");
  EXPECT_EQ(env["MARATHON_CONTAINER_RESOURCE_CPUS"], "0.25");
  EXPECT_EQ(env["MARATHON_APP_LABEL_TIER"], "front");
  EXPECT_EQ(env["ENDPOINT_HTTP"], std::to_string(port));
  EXPECT_EQ(env["EP_HOST_HTTP"], std::to_string(port));
  EXPECT_FALSE(env.contains("EP_CONTAINER_HTTP"));
  EXPECT_EQ(env["MESOS_EXECUTOR_ID"], executor.executor_id().value());
}

TEST(Pods, networks_and_ports_belong_to_the_executor) {
  World world;
  world.subscribe();
  ASSERT_EQ(post(world, R"({"id":"/n","networks":[{"mode":"container","name":"dcos","labels":{"a":"b"}}],"containers":[
      {"name":"c","exec":{"command":{"shell":"x"}},"resources":{"cpus":0.1,"mem":32},
       "endpoints":[{"name":"open","containerPort":80,"hostPort":0,"protocol":["tcp","udp"]},{"name":"inner","containerPort":81}]}]})")
                .status, 201);
  const auto tasks = world.tasks_of("/n");
  ASSERT_EQ(tasks.size(), 1U);
  const testing::Task& task = world.tasks.at(tasks[0]);
  ASSERT_EQ(task.executor->container().network_infos_size(), 1);
  const auto& network = task.executor->container().network_infos(0);
  EXPECT_EQ(network.name(), "dcos");
  ASSERT_EQ(network.port_mappings_size(), 2);
  EXPECT_EQ(network.port_mappings(0).container_port(), 80U);
  EXPECT_EQ(network.port_mappings(1).protocol(), "udp");
  EXPECT_EQ(task.info->container().network_infos_size(), 0) << "containers share the executor's";
  const auto& ports = task.info->discovery().ports();
  ASSERT_EQ(ports.ports_size(), 3);
  EXPECT_EQ(ports.ports(0).number(), network.port_mappings(0).host_port());
  EXPECT_EQ(ports.ports(0).labels().labels(0).value(), "host");
  EXPECT_EQ(ports.ports(2).number(), 81U);
  EXPECT_EQ(ports.ports(2).labels().labels(1).value(), "container");
}

TEST(Pods, the_status_tells_of_instances_and_containers) {
  World world;
  world.auto_run = false;
  world.subscribe();
  ASSERT_EQ(post(world, with(kWeb, "\"instances\": 2", "\"instances\": 1")).status, 201);
  EXPECT_EQ(text_of(status(world, "/shop/web"), "/status"), "DEGRADED");
  EXPECT_EQ(text_of(status(world, "/shop/web"), "/instances/0/status"), "PENDING");
  const auto tasks = world.tasks_of("/shop/web");
  ASSERT_EQ(tasks.size(), 2U);
  const bool logs_first = tasks[0].find(".logs.") != std::string::npos;
  const std::string nginx = tasks[logs_first ? 1 : 0], logs = tasks[logs_first ? 0 : 1];
  world.update(nginx, "TASK_STARTING");
  world.update(logs, "TASK_RUNNING");
  EXPECT_EQ(text_of(status(world, "/shop/web"), "/instances/0/status"), "STAGING");
  world.update(nginx, "TASK_RUNNING");
  json::value now = status(world, "/shop/web");
  EXPECT_EQ(text_of(now, "/instances/0/status"), "DEGRADED") << "its check was not heard of yet";
  EXPECT_EQ(text_of(now, "/instances/0/containers/0/conditions/0/reason"), "health-unreported-by-mesos");
  EXPECT_EQ(world.state().deployments.size(), 1U);
  world.update(nginx, "TASK_RUNNING", "", true);
  now = status(world, "/shop/web");
  EXPECT_EQ(text_of(now, "/status"), "STABLE");
  EXPECT_EQ(text_of(now, "/instances/0/status"), "STABLE");
  EXPECT_EQ(text_of(now, "/instances/0/containers/0/status"), "TASK_RUNNING");
  EXPECT_EQ(text_of(now, "/instances/0/containers/0/conditions/0/value"), "true");
  EXPECT_EQ(text_of(now, "/instances/0/containers/0/containerId"), nginx);
  EXPECT_EQ(text_of(now, "/instances/0/containers/0/endpoints/0/name"), "http");
  EXPECT_EQ(text_of(now, "/spec/id"), "/shop/web");
  EXPECT_EQ(now.at_pointer("/instances/0/resources/cpus").as_double(), 0.85);
  EXPECT_TRUE(text_of(now, "/instances/0/specReference").starts_with("/v2/pods/shop/web::versions/"));
  EXPECT_EQ(parse(world.get("/v2/pods/::status")).as_array().size(), 1U);
  EXPECT_TRUE(world.state().deployments.empty());
  world.update(nginx, "TASK_RUNNING", "", false);
  EXPECT_EQ(text_of(status(world, "/shop/web"), "/status"), "DEGRADED");
  EXPECT_EQ(text_of(status(world, "/shop/web"), "/instances/0/message"), "at least one container is not healthy");
  EXPECT_GE(world.events_of("instance_health_changed_event"), 2U);
}

TEST(Pods, one_container_that_fails_takes_the_instance_along) {
  World world;
  world.subscribe();
  ASSERT_EQ(post(world, kPlain).status, 201);
  const std::string instance = instances(world, "/p").at(0);
  const auto tasks = world.tasks_of("/p");
  ASSERT_EQ(tasks.size(), 2U);
  world.update(tasks[1], "TASK_FAILED", "exited with status 1");
  EXPECT_EQ(text_of(status(world, "/p"), "/instances/0/status"), "TERMINAL");
  EXPECT_EQ(world.tasks_of("/p"), std::vector<std::string>{tasks[0]}) << "nothing new while one still runs";
  world.update(tasks[0], "TASK_KILLED", "its group failed");
  const json::value waiting = parse(world.get("/v2/queue"));
  EXPECT_EQ(text_of(waiting, "/queue/0/pod/id"), "/p") << "the failure delays it";
  world.advance(base::seconds(2));
  world.offer_all();
  EXPECT_EQ(instances(world, "/p"), std::vector<std::string>{instance}) << "the instance stays";
  const auto again = world.tasks_of("/p");
  ASSERT_EQ(again.size(), 2U);
  EXPECT_EQ(again[0], instance + ".a.2");
  EXPECT_EQ(again[1], instance + ".b.2");
  const json::value now = status(world, "/p");
  EXPECT_EQ(text_of(now, "/terminationHistory/0/instanceID"), instance);
  EXPECT_EQ(text_of(now, "/terminationHistory/0/message"), "exited with status 1");
  EXPECT_EQ(text_of(now, "/terminationHistory/0/containers/0/containerId"), tasks[1]);
  EXPECT_EQ(text_of(now, "/terminationHistory/0/containers/0/lastKnownState"), "TASK_FAILED");
}

TEST(Pods, a_container_that_is_done_leaves_the_others_alone) {
  World world;
  world.subscribe();
  ASSERT_EQ(post(world, kPlain).status, 201);
  const auto tasks = world.tasks_of("/p");
  world.update(tasks[0], "TASK_FINISHED");
  EXPECT_EQ(text_of(status(world, "/p"), "/status"), "STABLE");
  EXPECT_EQ(world.tasks_of("/p"), std::vector<std::string>{tasks[1]});
  world.update(tasks[1], "TASK_FINISHED");
  world.advance(base::seconds(2));
  world.offer_all();
  EXPECT_EQ(world.tasks_of("/p").size(), 2U) << "all have ended: it is started again";
}

TEST(Pods, scaling_keeps_tasks_and_an_upgrade_replaces_them) {
  World world;
  world.subscribe();
  ASSERT_EQ(post(world, kPlain).status, 201);
  const auto first = world.tasks_of("/p");
  const std::string plain(kPlain);
  const std::string three = plain.substr(0, plain.size() - 1) + R"(,"scaling":{"kind":"fixed","instances":3}})";
  auto response = world.request("PUT", "/v2/pods/p", three);
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(world.events_of("pod_updated_event"), 1U);
  EXPECT_EQ(world.running("/p"), 6U);
  for (const auto& task : first) EXPECT_EQ(world.tasks.at(task).state, "TASK_RUNNING");
  response = world.request("PUT", "/v2/pods/p", with(three, "\"cpus\":0.1", "\"cpus\":0.2"));
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(world.running("/p"), 6U);
  for (const auto& task : first) EXPECT_EQ(world.tasks.at(task).state, "TASK_KILLED");
  EXPECT_TRUE(world.state().deployments.empty());
  EXPECT_EQ(parse(world.get("/v2/pods/p::versions")).as_array().size(), 3U);
  const std::string oldest(parse(world.get("/v2/pods/p::versions")).as_array().at(2).as_string());
  EXPECT_EQ(parse(world.get("/v2/pods/p::versions/" + oldest)).at_pointer("/scaling/instances").as_int64(), 1);
  EXPECT_EQ(world.get("/v2/pods/p::versions/2001-01-01T00:00:00.000Z").status, 404);
  ASSERT_EQ(world.request("PUT", "/v2/pods/p", plain).status, 200);
  EXPECT_EQ(world.running("/p"), 2U);
  world.request("POST", "/v2/pods/p/restart");
  EXPECT_EQ(world.running("/p"), 2U);
}

TEST(Pods, an_upgrade_waits_for_health) {
  World world;
  world.subscribe();
  ASSERT_EQ(post(world, kWeb).status, 201);
  for (const auto& task : world.tasks_of("/shop/web")) world.update(task, "TASK_RUNNING", "", true);
  ASSERT_TRUE(world.state().deployments.empty());
  const auto old = world.tasks_of("/shop/web");
  ASSERT_EQ(world.request("PUT", "/v2/pods/shop/web", with(kWeb, "\"live\"", "\"test\"")).status, 200);
  for (const auto& task : old) EXPECT_EQ(world.tasks.at(task).state, "TASK_RUNNING") << "nothing new is healthy yet";
  EXPECT_EQ(world.tasks_of("/shop/web").size(), 8U);
  EXPECT_EQ(text_of(parse(world.get("/v2/deployments")), "/0/affectedPods/0"), "/shop/web");
  EXPECT_EQ(text_of(parse(world.get("/v2/deployments")), "/0/currentActions/0/action"), "RestartPod");
  EXPECT_EQ(text_of(parse(world.get("/v2/deployments")), "/0/currentActions/0/pod"), "/shop/web");
  for (const auto& task : world.tasks_of("/shop/web")) world.update(task, "TASK_RUNNING", "", true);
  EXPECT_TRUE(world.state().deployments.empty());
  for (const auto& task : old) EXPECT_EQ(world.tasks.at(task).state, "TASK_KILLED");
}

TEST(Pods, instances_are_killed_one_by_one_or_several) {
  World world;
  world.subscribe();
  ASSERT_EQ(post(world, with(kPlain, "\"id\":\"/p\"", R"("id":"/p","scaling":{"kind":"fixed","instances":3})")).status, 201);
  const auto ids = instances(world, "/p");
  auto response = world.request("DELETE", "/v2/pods/p::instances/" + ids[0]);
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(text_of(parse(response), "/instanceId"), ids[0]);
  EXPECT_EQ(text_of(parse(response), "/state/condition"), "Running");
  EXPECT_EQ(text_of(parse(response), "/agentInfo/host").substr(0, 4), "host");
  EXPECT_EQ(instances(world, "/p"), ids) << "killed instances come back as themselves";
  EXPECT_EQ(world.running("/p"), 6U);
  response = world.request("DELETE", "/v2/pods/p::instances?wipe=true", fmt::format("[\"{}\",\"{}\"]", ids[1], ids[2]));
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(parse(response).as_array().size(), 2U);
  const auto now = instances(world, "/p");
  ASSERT_EQ(now.size(), 3U);
  EXPECT_EQ(std::count(now.begin(), now.end(), ids[1]), 0) << "wiped ones do not";
  EXPECT_EQ(world.running("/p"), 6U);
  EXPECT_EQ(world.request("DELETE", "/v2/pods/p::instances/p.instance-none").status, 404);
  response = world.request("DELETE", "/v2/pods/p::instances/nonsense");
  EXPECT_EQ(response.status, 422);
  EXPECT_NE(response.body.find("must fully match regular expression"), std::string::npos) << response.body;
  EXPECT_EQ(world.request("DELETE", "/v2/pods/p::instances", "{}").status, 422);
  EXPECT_EQ(world.request("DELETE", "/v2/pods/p::instances", "[1]").status, 422);
  EXPECT_EQ(world.request("GET", "/v2/pods/p::instances").status, 405);
}

TEST(Pods, a_deleted_pod_leaves_no_trace) {
  World world;
  world.subscribe();
  ASSERT_EQ(post(world, kWeb).status, 201);
  for (const auto& task : world.tasks_of("/shop/web")) world.update(task, "TASK_RUNNING", "", true);
  const auto response = world.request("DELETE", "/v2/pods/shop/web");
  EXPECT_EQ(response.status, 202);
  EXPECT_TRUE(response.body.empty());
  EXPECT_EQ(response.headers.get_or("Location", "-"), response.headers.get_or("Marathon-Deployment-Id", "+"));
  EXPECT_EQ(world.events_of("pod_deleted_event"), 1U);
  EXPECT_TRUE(world.tasks_of("/shop/web").empty());
  EXPECT_EQ(world.get("/v2/pods/shop/web").status, 404);
  EXPECT_EQ(world.get("/v2/pods/shop/web").body, R"({"message":"Pod '/shop/web' does not exist"})");
  for (const char* path : {"::status", "::versions", "::versions/2020-01-01T00:00:00.000Z", "::instances"}) {
    EXPECT_EQ(world.get(std::string("/v2/pods/shop/web") + path).status, 404) << path;
  }
  EXPECT_EQ(world.request("DELETE", "/v2/pods/shop/web").status, 404);
  EXPECT_EQ(world.request("PUT", "/v2/pods/shop/web", kWeb).status, 404);
  for (const auto& [key, value] : world.store) {
    EXPECT_EQ(key.find("app:/shop/web"), std::string::npos);
    EXPECT_EQ(key.find("instance:"), std::string::npos);
  }
  EXPECT_TRUE(world.state().tasks.empty());
}

TEST(Pods, tasks_do_not_notice_a_restart_of_the_scheduler) {
  World world;
  world.subscribe();
  ASSERT_EQ(post(world, kWeb).status, 201);
  for (const auto& task : world.tasks_of("/shop/web")) world.update(task, "TASK_RUNNING", "", true);
  const auto tasks = world.tasks_of("/shop/web");
  const auto pod = world.get("/v2/pods/shop/web").body;
  world.restart();
  world.subscribe();
  EXPECT_EQ(world.tasks_of("/shop/web"), tasks);
  EXPECT_EQ(world.get("/v2/pods/shop/web").body, pod);
  for (const auto& task : tasks) world.update(task, "TASK_RUNNING", "", true);
  EXPECT_EQ(text_of(status(world, "/shop/web"), "/status"), "STABLE");
  // In the middle of an upgrade too.
  ASSERT_EQ(world.request("PUT", "/v2/pods/shop/web", with(kWeb, "\"live\"", "\"test\"")).status, 200);
  world.restart();
  world.subscribe();
  EXPECT_EQ(world.state().deployments.size(), 1U);
  for (const auto& task : world.tasks_of("/shop/web")) world.update(task, "TASK_RUNNING", "", true);
  for (const auto& task : world.tasks_of("/shop/web")) world.update(task, "TASK_RUNNING", "", true);
  EXPECT_TRUE(world.state().deployments.empty());
  EXPECT_EQ(world.running("/shop/web"), 4U);
  for (const auto& task : tasks) EXPECT_EQ(world.tasks.at(task).state, "TASK_KILLED");
}

TEST(Pods, unreachable_ones_are_replaced_and_come_back) {
  World world;
  world.subscribe();
  const std::string body = with(kPlain, "\"id\":\"/p\"",
                                R"("id":"/p","scheduling":{"unreachableStrategy":{"inactiveAfterSeconds":10,"expungeAfterSeconds":60}})");
  ASSERT_EQ(post(world, body).status, 201);
  const auto tasks = world.tasks_of("/p");
  for (const auto& task : tasks) world.update(task, "TASK_UNREACHABLE");
  EXPECT_EQ(text_of(status(world, "/p"), "/instances/0/status"), "DEGRADED");
  EXPECT_EQ(text_of(status(world, "/p"), "/instances/0/message"), "pod instance has become unreachable");
  EXPECT_TRUE(world.tasks_of("/p").empty());
  world.advance(base::seconds(11));
  EXPECT_EQ(world.running("/p"), 2U) << "replaced";
  for (const auto& task : tasks) world.update(task, "TASK_RUNNING");
  EXPECT_EQ(world.running("/p"), 2U) << "one too many goes";
}

TEST(Pods, groups_queue_and_apps_keep_them_apart) {
  World world;
  world.subscribe();
  ASSERT_EQ(world.post_app(R"({"id":"/shop/app","cmd":"x"})").status, 201);
  ASSERT_EQ(post(world, kWeb).status, 201);
  EXPECT_EQ(world.get("/v2/apps/shop/web").status, 404);
  EXPECT_EQ(world.get("/v2/pods/shop/app").status, 404);
  EXPECT_EQ(parse(world.get("/v2/apps")).at_pointer("/apps").as_array().size(), 1U);
  EXPECT_EQ(parse(world.get("/v2/tasks")).at_pointer("/tasks").as_array().size(), 1U);
  const json::value group = parse(world.get("/v2/groups/shop"));
  EXPECT_EQ(text_of(group, "/pods/0/id"), "/shop/web");
  EXPECT_EQ(text_of(group, "/pods/0/spec/containers/0/name"), "nginx");
  EXPECT_EQ(group.at_pointer("/apps").as_array().size(), 1U);
  EXPECT_EQ(group.at_pointer("/pods/0/instances").as_array().size(), 2U);
  EXPECT_FALSE(parse(world.get("/v2/groups/shop?embed=group.apps")).as_object().contains("pods"));
  auto response = world.post_app(R"({"id":"/shop/web","cmd":"x"})");
  EXPECT_EQ(response.status, 422);
  EXPECT_NE(response.body.find("Applications and Pods may not share the same id"), std::string::npos) << response.body;
  EXPECT_EQ(world.request("PUT", "/v2/apps/shop/web", R"({"cmd":"x"})").status, 422);
  response = post(world, with(kWeb, "/shop/web", "/shop/app"));
  EXPECT_EQ(response.status, 422) << response.body;
  response = post(world, with(kWeb, "/shop/web", "/shop"));
  EXPECT_EQ(response.status, 422);
  EXPECT_NE(response.body.find("Groups and Pods may not have the same identifier."), std::string::npos) << response.body;
  EXPECT_EQ(world.request("DELETE", "/v2/apps/shop/web").status, 404);
  // A group's update leaves its pods alone; its removal takes them along.
  ASSERT_EQ(world.request("PUT", "/v2/groups/shop", R"({"apps":[]})").status, 200);
  EXPECT_EQ(world.running("/shop/web"), 4U);
  for (const auto& task : world.tasks_of("/shop/web")) world.update(task, "TASK_RUNNING", "", true);
  ASSERT_EQ(world.request("DELETE", "/v2/groups/shop").status, 200);
  EXPECT_TRUE(world.tasks_of("/shop/web").empty());
  EXPECT_EQ(world.get("/v2/pods/shop/web").status, 404);
  EXPECT_EQ(world.get("/metrics").body.find("\"marathon.pods.active.gauge\":{\"value\":0}") == std::string::npos, false);
}

TEST(Pods, a_deployment_of_a_pod_can_be_rolled_back_and_locks_it) {
  World world;
  world.subscribe();
  ASSERT_EQ(post(world, kPlain).status, 201);
  const std::string changed = with(kPlain, "\"cpus\":0.1", "\"cpus\":100");
  ASSERT_EQ(world.request("PUT", "/v2/pods/p", changed).status, 200);
  const auto locked = world.request("PUT", "/v2/pods/p", kPlain);
  EXPECT_EQ(locked.status, 409);
  EXPECT_NE(locked.body.find("deployments"), std::string::npos);
  EXPECT_EQ(world.request("DELETE", "/v2/pods/p").status, 409);
  EXPECT_EQ(text_of(parse(world.get("/v2/queue")), "/queue/0/pod/id"), "/p");
  EXPECT_FALSE(parse(world.get("/v2/queue")).at_pointer("/queue/0").as_object().contains("app"));
  const std::string id = world.state().deployments.begin()->first;
  ASSERT_EQ(world.request("DELETE", "/v2/deployments/" + id).status, 200);
  EXPECT_TRUE(world.state().deployments.empty());
  EXPECT_EQ(world.running("/p"), 2U);
  EXPECT_EQ(parse(world.get("/v2/pods/p")).at_pointer("/containers/0/resources/cpus").as_double(), 0.1);
}

TEST(Pods, constraints_hold_for_them) {
  World world;
  world.subscribe();
  const std::string body = with(kPlain, "\"id\":\"/p\"",
                                R"("id":"/p","scaling":{"kind":"fixed","instances":3},"scheduling":{"placement":)"
                                R"({"constraints":[{"fieldName":"hostname","operator":"UNIQUE"}]}})");
  ASSERT_EQ(post(world, body).status, 201);
  EXPECT_EQ(world.running("/p"), 4U) << "two agents";
  EXPECT_EQ(parse(world.get("/v2/queue")).at_pointer("/queue/0/count").as_int64(), 1);
}

TEST(Pods, ids_of_tasks_are_told_apart) {
  const auto name = parse_task_id("a_b.instance-11111111-2222-3333-4444-555555555555.web.3");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->app, "/a/b");
  EXPECT_EQ(name->container, "web");
  EXPECT_EQ(name->incarnation, 3);
  const auto early = parse_task_id("a.instance-11111111-2222-3333-4444-555555555555.instance-x");
  ASSERT_TRUE(early);
  EXPECT_EQ(early->container, "instance-x");
  EXPECT_EQ(early->incarnation, 0);
  EXPECT_EQ(early->instance, "a.instance-11111111-2222-3333-4444-555555555555");
  const auto app = parse_task_id("a.instance-11111111-2222-3333-4444-555555555555._app.2");
  ASSERT_TRUE(app);
  EXPECT_TRUE(app->container.empty());
  EXPECT_FALSE(parse_task_id("a.instance-11111111-2222-3333-4444-555555555555.web.x"));
}

// Each row: what to replace in a good definition, by what, and the path and text of the refusal.
TEST(Pods, what_cannot_be_is_refused_with_its_path) {
  struct Row {
    const char* from;
    const char* to;
    const char* path;
    const char* text;
  };
  const Row rows[] = {
      {"\"id\": \"/shop/web\",", "", "/id", "error.path.missing"},
      {"/shop/web", "/shop/w_b", "/id", "must fully match regular expression"},
      {"\"nginx\"", "\"Nginx\"", "/containers(0)/name", "error.pattern"},
      {"\"nginx\"", "7", "/containers(0)/name", "error.expected.jsstring"},
      {"\"nginx\"", "\"logs\"", "/containers", "container names must be unique"},
      {"\"cpus\": 0.5", "\"cpus\": 0", "/containers(0)/resources/cpus", "error.min"},
      {"\"cpus\": 0.5", "\"cpus\": \"x\"", "/containers(0)/resources/cpus", "error.expected.jsnumber"},
      {"\"resources\": {\"cpus\": 0.5, \"mem\": 64},", "", "/containers(0)/resources", "error.path.missing"},
      {"{\"shell\": \"nginx -g 'daemon off;'\"}", "{}", "/containers(0)/exec/command", "either"},
      {"{\"shell\": \"nginx -g 'daemon off;'\"}", "{\"shell\":\"\"}", "/containers(0)/exec/command/shell", "error.minLength"},
      {"\"exec\": {\"command\": {\"shell\": \"nginx -g 'daemon off;'\"}},", "", "/containers(0)", "must have a command"},
      {"\"hostPort\": 0", "\"hostPort\": 70000", "/containers(0)/endpoints(0)/hostPort", "error.max"},
      {"\"hostPort\": 0", "\"containerPort\": 80", "/containers(0)/endpoints(0)/containerPort",
       "is not allowed when using host-mode networking"},
      {"\"mode\": \"host\"", "\"mode\": \"container\", \"name\": \"n\"", "/containers(0)/endpoints(0)/containerPort",
       "is required when using container-mode networking"},
      {"\"mode\": \"host\"", "\"mode\": \"container\"", "/networks(0)", "Network name must be specified"},
      {"\"mode\": \"host\"", "\"mode\": \"host\", \"name\": \"n\"", "/networks(0)", "Host networks may not have names"},
      {"\"mode\": \"host\"", "\"mode\": \"moon\"", "/networks(0)/mode", "error.unknown.enum.literal"},
      {"[\"tcp\"]", "[\"tcp\",\"tcp\"]", "/containers(0)/endpoints(0)/protocol", "Duplicate protocols"},
      {"\"endpoint\": \"http\"", "\"endpoint\": \"other\"", "/containers(0)/healthCheck/http/endpoint",
       "contained in the container endpoints"},
      {"\"timeoutSeconds\": 5", "\"timeoutSeconds\": 10", "/containers(0)/healthCheck/timeoutSeconds", "expected less than 10"},
      {"\"http\": {\"endpoint\": \"http\", \"path\": \"/ping\"},", "", "/containers(0)/healthCheck", "Only one of"},
      {"\"volumes\": [{\"name\": \"data\"}]", "\"volumes\": []", "/containers(0)/volumeMounts(0)/name",
       "Referenced Volume in VolumeMount should exist"},
      {"\"volumes\": [{\"name\": \"data\"}]", "\"volumes\": [{\"name\": \"data\"},{\"name\":\"x\"}]", "/volumes(1)",
       "volume must be referenced by at least one container"},
      {"\"volumes\": [{\"name\": \"data\"}]", "\"volumes\": [{\"name\": \"data\"},{\"name\":\"data\"}]", "/volumes",
       "volume names must be unique"},
      {"[{\"name\": \"data\"}]", "[{\"name\": \"data\",\"persistent\":{}}]", "/volumes(0)/persistent/size", "error.path.missing"},
      {"[{\"name\": \"data\"}]", "[{\"name\": \"data\",\"persistent\":{\"size\":1,\"type\":\"path\",\"maxSize\":3}}]",
       "/volumes(0)/persistent", "Only mount volumes can have maxSize"},
      {"[{\"name\": \"data\"}]", "[{\"name\": \"data\",\"persistent\":{\"size\":1}}]", "/role", "persistent volumes need a role"},
      {"[{\"name\": \"data\"}]", "[{\"name\": \"data\",\"secret\":\"s\"}]", "/volumes(0)/secret", "Feature secrets is not enabled"},
      {"\"hostPort\": 0", "\"hostPort\": -1", "/containers(0)/endpoints(0)/hostPort", "error.min"},
      {"\"timeoutSeconds\": 5, \"intervalSeconds\": 10}",
       "\"timeoutSeconds\": 5, \"intervalSeconds\": 10},\"check\":{\"tcp\":{\"endpoint\":\"x\"}}",
       "/containers(0)/check/tcp/endpoint", "contained in the container endpoints"},
      {"\"timeoutSeconds\": 5, \"intervalSeconds\": 10}", "\"timeoutSeconds\": 5, \"intervalSeconds\": 10},\"check\":{\"delaySeconds\":1}",
       "/containers(0)/check", "Only one of http, tcp, or command"},
      {"\"timeoutSeconds\": 5, \"intervalSeconds\": 10}",
       "\"timeoutSeconds\": 5, \"intervalSeconds\": 10},\"linuxInfo\":{\"seccomp\":{\"unconfined\":false}}",
       "/containers(0)/linuxInfo/seccomp", "must be true when Profile is NOT defined"},
      {"\"scaling\"", "\"linuxInfo\":{\"seccomp\":{\"unconfined\":true}},\"scaling\"", "/linuxInfo/seccomp",
       "Seccomp configuration on executor level is not supported"},
      {"\"scaling\"", "\"linuxInfo\":{\"ipcInfo\":{\"mode\":\"SHARE_PARENT\",\"shmSize\":4}},\"scaling\"", "/linuxInfo/ipcInfo",
       "shmSize can NOT be set when mode is SHARE_PARENT"},
      {"{\"MODE\": \"live\"}", "{\"MODE\": {\"secret\":\"s\"}}", "/environment", "requires the secrets feature"},
      {"{\"MODE\": \"live\"}", "{\"MODE\": 7}", "/environment/MODE", "error.expected.jsstring"},
      {"\"kind\": \"fixed\"", "\"kind\": \"free\"", "/scaling/kind", "error.unknown.enum.literal"},
      {"\"instances\": 2", "\"instances\": -1", "/scaling/instances", "error.min"},
      {"\"instances\": 2", "\"instances\": 2000000000", "/instances", "must not be greater than"},
      {"\"scaling\"", "\"executorResources\":{\"cpus\":0.01},\"scaling\"", "/executorResources/cpus", "error.min"},
      {"\"scaling\"", "\"scheduling\":{\"upgrade\":{\"minimumHealthCapacity\":2}},\"scaling\"",
       "/scheduling/upgrade/minimumHealthCapacity", "error.max"},
      {"\"scaling\"", "\"scheduling\":{\"placement\":{\"constraints\":[{\"fieldName\":\"h\",\"operator\":\"NEAR\"}]}},\"scaling\"",
       "/scheduling/placement/constraints(0)/operator", "error.unknown.enum.literal"},
      {"\"scaling\"", "\"scheduling\":{\"placement\":{\"acceptedResourceRoles\":[\"x\"]}},\"scaling\"", "/acceptedResourceRoles",
       "acceptedResourceRoles can only contain"},
      {"\"scaling\"", "\"scheduling\":{\"unreachableStrategy\":{\"inactiveAfterSeconds\":2,\"expungeAfterSeconds\":1}},\"scaling\"",
       "/scheduling/unreachableStrategy/inactiveAfterSeconds", "must be less or equal"},
      {"\"scaling\"", "\"role\":\"other\",\"scaling\"", "/role", "expected one of"},
      {"\"scaling\"", "\"secrets\":{\"s\":{\"source\":\"x\"}},\"scaling\"", "/secrets", "Feature secrets is not enabled"},
  };
  World world;
  world.subscribe(false);
  for (const Row& row : rows) {
    const auto response = post(world, with(kWeb, row.from, row.to));
    EXPECT_EQ(response.status, 422) << row.to << response.body;
    EXPECT_NE(response.body.find(fmt::format("\"path\":\"{}\"", row.path)), std::string::npos) << row.to << response.body;
    EXPECT_NE(response.body.find(row.text), std::string::npos) << row.to << response.body;
  }
  EXPECT_TRUE(world.state().apps.empty());
  EXPECT_EQ(post(world, R"({"id":"/p","containers":[]})").status, 422);
  EXPECT_EQ(post(world, R"({"id":"/p"})").status, 422);
  EXPECT_EQ(post(world, "[]").status, 422);
  EXPECT_EQ(post(world, "").status, 400);
  ASSERT_EQ(post(world, kPlain).status, 201);
  const auto response = world.request("PUT", "/v2/pods/foo", kPlain);
  EXPECT_EQ(response.status, 400);
  EXPECT_NE(response.body.find("'/foo' does not match definition's id ('/p')"), std::string::npos) << response.body;
}

/// Checks of pods run beside their containers: what comes of them late, from a launch that is over, changes nothing.
TEST(Pods, health_of_an_earlier_launch_is_not_that_of_the_present_one) {
  World world;
  world.subscribe();
  ASSERT_EQ(post(world, with(kWeb, "\"instances\": 2", "\"instances\": 1")).status, 201);
  const auto tasks_now = [&world] { return world.tasks_of("/shop/web"); };
  const auto first = tasks_now();
  const auto checked = [&](const std::vector<std::string>& tasks) {
    return *std::find_if(tasks.begin(), tasks.end(), [](const auto& t) { return t.find(".nginx.") != std::string::npos; });
  };
  world.update(checked(first), "TASK_RUNNING", "", true);
  world.update(first[0], "TASK_FAILED");
  for (const std::string& other : world.siblings(first[0])) world.update(other, "TASK_KILLED");
  world.advance(base::minutes(6));
  world.offer_all();
  const auto second = tasks_now();
  ASSERT_EQ(second.size(), 2U);
  ASSERT_NE(second, first);
  world.update(checked(second), "TASK_RUNNING", "", true);
  const auto& instance = world.state().apps.at("/shop/web").instances.begin()->second;
  ASSERT_EQ(instance.healthy, true);
  const size_t told = world.events_of("instance_health_changed_event");
  world.update(checked(first), "TASK_RUNNING", "late", false);
  EXPECT_EQ(instance.healthy, true);
  EXPECT_EQ(world.events_of("instance_health_changed_event"), told);
  EXPECT_EQ(tasks_now(), second);
}

}  // namespace marathon
