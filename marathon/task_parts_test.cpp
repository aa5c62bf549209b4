// What definitions ask of agents beside resources, in what is launched: checks, executors, logins of registries, namespaces.

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "kernel/api/mesos/v1/tasks.pb.h"
#include "marathon/task_info.hpp"
#include "marathon/testing.hpp"

namespace marathon {
namespace {

using testing::World;

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// An app with these members more.
std::string app(const std::string& more, const std::string& command = R"("cmd":"serve --fast")") {
  return R"({"id":"/a",)" + command + R"(,"cpus":1,"mem":64,"disk":0)" + more + "}";
}

const mesos::v1::TaskInfo& only_task(const World& world) {
  const auto tasks = world.tasks_of("/a");
  EXPECT_EQ(tasks.size(), 1U);
  return *world.tasks.at(tasks.at(0)).info;
}

template <class Message>
double held(const Message& message, const std::string& name) {
  double sum = 0;
  for (const auto& resource : message.resources()) sum += resource.name() == name ? resource.scalar().value() : 0;
  return sum;
}

TEST(Executors, of_ones_own_are_made_executable_and_get_the_command) {
  World world;
  world.subscribe();
  ASSERT_EQ(world.post_app(app(R"(,"executor":"/opt/it's","executorResources":{"cpus":0.5},"env":{"A":"b"},"user":"nobody",
    "fetch":[{"uri":"http://h/x"}],"container":{"type":"MESOS","volumes":[{"containerPath":"c","hostPath":"/h","mode":"RO"}]})"))
                .status, 201);
  const auto& task = only_task(world);
  EXPECT_FALSE(task.has_command());
  EXPECT_FALSE(task.has_container());
  const auto& executor = task.executor();
  EXPECT_EQ(executor.type(), mesos::v1::ExecutorInfo::CUSTOM);
  EXPECT_EQ(executor.executor_id().value(), "marathon-" + task.task_id().value());
  EXPECT_EQ(executor.framework_id().value(), "F1");
  EXPECT_EQ(executor.command().value(), "chmod ug+rx '/opt/it'\\''s' && exec '/opt/it'\\''s' serve --fast");
  EXPECT_TRUE(executor.command().shell());
  EXPECT_EQ(executor.command().user(), "nobody");
  EXPECT_EQ(executor.command().uris_size(), 1);
  EXPECT_EQ(executor.container().volumes_size(), 1);
  EXPECT_DOUBLE_EQ(held(executor, "cpus"), 0.5);
  EXPECT_DOUBLE_EQ(held(executor, "mem"), 32);
  EXPECT_DOUBLE_EQ(held(executor, "disk"), 10);
  EXPECT_DOUBLE_EQ(held(task, "cpus"), 1);
  EXPECT_DOUBLE_EQ(held(task, "mem"), 64);
  bool named = false;
  for (const auto& variable : executor.command().environment().variables()) named |= variable.name() == "MARATHON_APP_ID";
  EXPECT_TRUE(named);
}

TEST(Executors, count_with_what_an_agent_must_have) {
  World world({}, {{"A1", "host1", 1.4, 1000, 1000}});
  world.subscribe();
  ASSERT_EQ(world.post_app(app(R"(,"executor":"/x","executorResources":{"cpus":0.5})")).status, 201);
  EXPECT_EQ(world.running("/a"), 0U);
  ASSERT_EQ(world.request("PUT", "/v2/apps//a?force=true", R"({"executorResources":{"cpus":0.4}})").status, 200);
  world.advance(base::minutes(5));
  world.offer_all();
  EXPECT_EQ(world.running("/a"), 1U);
}

TEST(Executors, are_the_flags_where_the_app_names_none) {
  Policy policy;
  policy.executor = "/opt/default";
  World world(policy);
  world.subscribe();
  ASSERT_EQ(world.post_app(app("", R"("args":["serve","fast"])")).status, 201);
  EXPECT_TRUE(contains(only_task(world).executor().command().value(), "exec '/opt/default' serve fast"));
  EXPECT_EQ(only_task(world).executor().command().arguments_size(), 0);
  ASSERT_EQ(world.request("PUT", "/v2/apps//a", R"({"executor":"//cmd"})").status, 200);
  EXPECT_FALSE(only_task(world).has_executor());
}

/// The original forgets both, and so replaces every task of an app that is scaled.
TEST(Executors, keep_their_resources_in_updates_that_do_not_repeat_them) {
  World world;
  world.subscribe();
  world.post_app(app(R"(,"executor":"/x","executorResources":{"cpus":0.5},"resourceLimits":{"mem":"unlimited"})"));
  const std::string task = world.tasks_of("/a").at(0);
  ASSERT_EQ(world.request("PUT", "/v2/apps//a", R"({"instances":2})").status, 200);
  const std::string shown = world.get("/v2/apps//a").body;
  EXPECT_TRUE(contains(shown, R"("executorResources":{"cpus":0.5,"mem":32,"disk":10})")) << shown;
  EXPECT_TRUE(contains(shown, R"("resourceLimits":{"mem":"unlimited"})")) << shown;
  EXPECT_EQ(world.tasks.at(task).state, "TASK_RUNNING");
}

TEST(Checks, of_apps_tell_and_change_nothing) {
  World world;
  world.subscribe();
  ASSERT_EQ(world.post_app(app(R"(,"check":{"http":{"portIndex":0,"path":"up"},"intervalSeconds":5,"timeoutSeconds":4,"delaySeconds":1})"))
                .status, 201);
  const auto& check = only_task(world).check();
  EXPECT_EQ(check.type(), mesos::v1::CheckInfo::HTTP);
  EXPECT_EQ(check.http().path(), "/up");
  EXPECT_GE(check.http().port(), 31000U);
  EXPECT_EQ(check.interval_seconds(), 5);
  EXPECT_EQ(check.timeout_seconds(), 4);
  EXPECT_EQ(check.delay_seconds(), 1);
  const auto shown = [&] { return world.get("/v2/apps//a/tasks").body; };
  EXPECT_FALSE(contains(shown(), "checkResult")) << "strict clients do not know it";
  mesos::v1::CheckStatusInfo status;
  status.set_type(mesos::v1::CheckInfo::HTTP);
  status.mutable_http();  // it has not run
  const std::string task = world.tasks_of("/a").at(0);
  world.update_check(task, status);
  EXPECT_FALSE(contains(shown(), "checkResult"));
  status.mutable_http()->set_status_code(503);
  world.update_check(task, status);
  EXPECT_TRUE(contains(shown(), R"("checkResult":{"http":{"statusCode":503}})")) << shown();
  EXPECT_EQ(world.tasks_of("/a"), std::vector<std::string>{task});
  world.restart();
  EXPECT_TRUE(contains(shown(), R"("checkResult":{"http":{"statusCode":503}})")) << shown();
  world.subscribe();
  world.update(task, "TASK_FAILED");
  world.advance(base::minutes(5));
  world.offer_all();
  EXPECT_EQ(world.running("/a"), 1U);
  EXPECT_FALSE(contains(shown(), "checkResult")) << "of the task before";
}

TEST(Checks, by_connection_and_by_command) {
  World world;
  world.subscribe();
  ASSERT_EQ(world.post_app(app(R"(,"check":{"tcp":{"port":99}})")).status, 201);
  EXPECT_EQ(only_task(world).check().tcp().port(), 99U);
  mesos::v1::CheckStatusInfo tcp;
  tcp.mutable_tcp()->set_succeeded(false);
  world.update_check(world.tasks_of("/a").at(0), tcp);
  EXPECT_TRUE(contains(world.get("/v2/tasks").body, R"("checkResult":{"tcp":{"succeeded":false}})"));
  ASSERT_EQ(world.request("PUT", "/v2/apps//a", R"({"check":{"exec":{"command":{"shell":"test -e up"}}}})").status, 200);
  EXPECT_EQ(only_task(world).check().command().command().value(), "test -e up");
  mesos::v1::CheckStatusInfo command;
  command.mutable_command()->set_exit_code(-1);
  world.update_check(world.tasks_of("/a").at(0), command);
  EXPECT_TRUE(contains(world.get("/v2/tasks").body, R"("checkResult":{"command":{"exitCode":-1}})"));
  ASSERT_EQ(world.request("PUT", "/v2/apps//a", R"({"check":{"exec":{"command":{"argv":["test","-e","up"]}}}})").status, 200);
  EXPECT_FALSE(only_task(world).check().command().command().shell());
  EXPECT_EQ(only_task(world).check().command().command().arguments_size(), 3);
}

TEST(Checks, of_pods_are_their_containers) {
  World world;
  world.subscribe();
  ASSERT_EQ(world.request("POST", "/v2/pods", R"({"id":"/a","containers":[{"name":"c","exec":{"command":{"shell":"x"}},
    "resources":{"cpus":0.1,"mem":32},"endpoints":[{"name":"web","hostPort":0}],"check":{"tcp":{"endpoint":"web"}}}],
    "networks":[{"mode":"host"}]})").status, 201);
  const auto& task = only_task(world);
  EXPECT_EQ(task.check().type(), mesos::v1::CheckInfo::TCP);
  EXPECT_GE(task.check().tcp().port(), 31000U);
  mesos::v1::CheckStatusInfo status;
  status.mutable_tcp()->set_succeeded(true);
  world.update_check(world.tasks_of("/a").at(0), status);
  for (int i = 0; i < 2; ++i) {
    const std::string shown = world.get("/v2/pods//a::status").body;
    EXPECT_TRUE(contains(shown, R"("checkResult":{"tcp":{"succeeded":true}})")) << shown;
    world.restart();
  }
}

TEST(LinuxInfo, of_apps_and_pods_reaches_their_containers) {
  World world;
  world.subscribe();
  ASSERT_EQ(world.post_app(app(R"(,"container":{"type":"MESOS","linuxInfo":{"seccomp":{"profileName":"p.json"},
    "ipcInfo":{"mode":"PRIVATE","shmSize":16}}})")).status, 201);
  const auto& info = only_task(world).container().linux_info();
  EXPECT_EQ(info.seccomp().profile_name(), "p.json");
  EXPECT_FALSE(info.seccomp().unconfined());
  EXPECT_EQ(info.ipc_mode(), mesos::v1::LinuxInfo::PRIVATE);
  EXPECT_EQ(info.shm_size(), 16U);
  const std::string shown = world.get("/v2/apps//a").body;
  EXPECT_TRUE(contains(shown, R"("linuxInfo":{"seccomp":{"profileName":"p.json","unconfined":false},)"
                              R"("ipcInfo":{"mode":"PRIVATE","shmSize":16}})"))
      << shown;
  world.request("DELETE", "/v2/apps//a");
  ASSERT_EQ(world.request("POST", "/v2/pods", R"({"id":"/a","linuxInfo":{"ipcInfo":{"mode":"PRIVATE","shmSize":32}},
    "containers":[{"name":"c","exec":{"command":{"shell":"x"}},"resources":{"cpus":0.1,"mem":32},
    "linuxInfo":{"ipcInfo":{"mode":"SHARE_PARENT"},"seccomp":{"unconfined":true}}}]})").status, 201);
  const testing::Task& task = world.tasks.at(world.tasks_of("/a").at(0));
  EXPECT_EQ(task.executor->container().linux_info().shm_size(), 32U);
  EXPECT_EQ(task.executor->container().linux_info().ipc_mode(), mesos::v1::LinuxInfo::PRIVATE);
  EXPECT_EQ(task.info->container().linux_info().ipc_mode(), mesos::v1::LinuxInfo::SHARE_PARENT);
  EXPECT_TRUE(task.info->container().linux_info().seccomp().unconfined());
}

TEST(PullConfig, is_a_reference_to_the_secrets_source) {
  Policy policy;
  policy.validation.secrets = true;
  World world(policy);
  world.subscribe();
  ASSERT_EQ(world.post_app(app(R"(,"secrets":{"login":{"source":"registry/config"}},
    "container":{"type":"MESOS","docker":{"image":"private/x","pullConfig":{"secret":"login"}}})")).status, 201);
  const auto& config = only_task(world).container().mesos().image().docker().config();
  EXPECT_EQ(config.type(), mesos::v1::Secret::REFERENCE);
  EXPECT_EQ(config.reference().name(), "registry/config");
  EXPECT_TRUE(contains(world.get("/v2/apps//a").body, R"("image":"private/x","pullConfig":{"secret":"login"}})"));
  world.request("DELETE", "/v2/apps//a");
  ASSERT_EQ(world.request("POST", "/v2/pods", R"({"id":"/a","secrets":{"login":{"source":"registry/config"}},
    "containers":[{"name":"c","resources":{"cpus":0.1,"mem":32},
    "image":{"kind":"DOCKER","id":"private/x","pullConfig":{"secret":"login"}}}]})").status, 201);
  EXPECT_EQ(only_task(world).container().mesos().image().docker().config().reference().name(), "registry/config");
}

/// The variables about ports and the host, "NAME=value".
std::string port_variables(const App& app, const Placement& placement, const std::string& prefix = "") {
  Instance instance;
  instance.hostname = "host1";
  std::string text;
  for (const auto& [name, value] : task_environment(app, instance, placement, prefix, false)) {
    if (name.starts_with(prefix + "PORT") || name == prefix + "HOST") text += name + "=" + value + " ";
  }
  return text;
}

TEST(Environment, has_the_ports_by_number_name_and_order) {
  App app;
  app.id = "/a";
  app.networks = {{}};
  EXPECT_EQ(port_variables(app, {}), "HOST=host1 ");
  app.port_definitions = {{8080, "tcp", "http", {}}, {0, "tcp", {}, {}}};
  Placement placement;
  placement.host_ports = placement.container_ports = {31000, 31001};
  EXPECT_EQ(port_variables(app, placement),
            "HOST=host1 PORT=31000 PORT0=31000 PORT1=31001 PORTS=31000,31001 PORT_31001=31001 PORT_8080=31000 PORT_HTTP=31000 ");
  EXPECT_EQ(port_variables(app, placement, "P_"), "P_HOST=host1 P_PORT=31000 P_PORT0=31000 P_PORT1=31001 P_PORTS=31000,31001 "
                                                  "P_PORT_31001=31001 P_PORT_8080=31000 P_PORT_HTTP=31000 ");
}

/// A declared port that is on no host is neither PORT nor among PORTS.
TEST(Environment, of_containers_networks_tells_generated_ports_from_declared_ones) {
  App app;
  app.id = "/a";
  app.networks = {{NetworkMode::Container, "n", {}}};
  app.container.emplace();
  app.container->port_mappings = {{80, std::nullopt}};
  Placement placement;
  placement.host_ports = {0};
  placement.container_ports = {80};
  EXPECT_EQ(port_variables(app, placement), "HOST=host1 PORT0=80 PORTS= PORT_80=80 ");
  app.container->port_mappings = {{80, std::nullopt}, {0, std::nullopt}, {90, 0}};
  placement.host_ports = {0, 0, 31005};
  placement.container_ports = {80, 2000, 90};
  EXPECT_EQ(port_variables(app, placement), "HOST=host1 PORT=31005 PORT0=80 PORT1=2000 PORT2=31005 PORTS=31005,2000 PORT_2000=2000 "
                                            "PORT_80=80 PORT_90=31005 ");
}

/// What was given, without what the answer adds.
boost::json::object given_back(const base::http::Response& response) {
  boost::json::object answered = base::json::parse(response.body)->get_object();
  for (const char* added : {"version", "versionInfo", "tasksStaged", "tasksRunning", "tasksHealthy", "tasksUnhealthy", "deployments",
                            "tasks"}) {
    answered.erase(added);
  }
  return answered;
}

TEST(TaskParts, every_field_of_an_app_comes_back_as_it_was_given) {
  Policy policy;
  policy.defaults.role = policy.validation.role = "web";
  policy.validation.secrets = policy.validation.gpu_resources = true;
  World world(policy);
  world.subscribe(false);
  const char* strategies = R"("backoffFactor":1.5,"backoffSeconds":2,"maxLaunchDelaySeconds":30,"killSelection":"OLDEST_FIRST",
    "taskKillGracePeriodSeconds":7,"cpus":0.5,"mem":64.5,"disk":10,"instances":0,"labels":{"k":"v"},"role":"web","user":"nobody",
    "dependencies":["/x/other"],"constraints":[["hostname","UNIQUE"],["rack","GROUP_BY","3"]],
    "fetch":[{"uri":"http://h/f","extract":false,"executable":true,"cache":true,"destPath":"f"}],)";
  const std::string mesos = R"({"id":"/x/mesos","args":["a","b"],)" + std::string(strategies) +
    R"("executor":"/opt/x","executorResources":{"cpus":0.2,"mem":64,"disk":20},"gpus":1,"acceptedResourceRoles":["*"],
    "env":{"A":"b","S":{"secret":"one"}},"secrets":{"one":{"source":"s/one"}},"tty":true,
    "resourceLimits":{"cpus":"unlimited","mem":128},"requirePorts":false,"residency":{"relaunchEscalationTimeoutSeconds":3600,
      "taskLostBehavior":"WAIT_FOREVER"},"unreachableStrategy":"disabled",
    "upgradeStrategy":{"maximumOverCapacity":0,"minimumHealthCapacity":0.25},
    "networks":[{"mode":"container","name":"n1","labels":{"a":"b"}},{"mode":"container","name":"n2"}],
    "container":{"type":"MESOS","docker":{"forcePullImage":true,"image":"i","pullConfig":{"secret":"one"}},
      "linuxInfo":{"seccomp":{"unconfined":true},"ipcInfo":{"mode":"SHARE_PARENT"}},
      "portMappings":[{"containerPort":80,"hostPort":0,"labels":{"VIP_0":"/v:80"},"name":"web","networkNames":["n1"],"protocol":"udp,tcp",
        "servicePort":10999}],
      "volumes":[{"containerPath":"h","hostPath":"/h","mode":"RO"},{"containerPath":"s","secret":"one"},
        {"containerPath":"p","mode":"RW","persistent":{"size":8,"maxSize":16,"type":"mount","profileName":"fast",
          "constraints":[["path","LIKE","/mnt/.*"],["path","UNLIKE","/mnt/x"]]}}]},
    "check":{"tcp":{"portIndex":0},"intervalSeconds":9,"timeoutSeconds":8,"delaySeconds":7},
    "healthChecks":[{"protocol":"HTTP","path":"/h","portIndex":0,"gracePeriodSeconds":1,"intervalSeconds":2,"timeoutSeconds":3,
        "maxConsecutiveFailures":4,"delaySeconds":5,"ignoreHttp1xx":true,"ipProtocol":"IPv4"},
      {"protocol":"COMMAND","command":{"value":"true"},"gracePeriodSeconds":1,"intervalSeconds":2,"timeoutSeconds":3,
        "maxConsecutiveFailures":4,"delaySeconds":5}],
    "readinessChecks":[{"name":"r","protocol":"HTTPS","path":"/r","portName":"web","intervalSeconds":5,"timeoutSeconds":4,
      "httpStatusCodesForReady":[200,204],"preserveLastResponse":true}]})";
  const std::string docker = R"({"id":"/x/docker","cmd":"serve","executor":"","gpus":0,)" + std::string(strategies) +
    R"("networks":[{"mode":"host"}],"portDefinitions":[{"labels":{"VIP_0":"/v:1"},"name":"p","port":10998,"protocol":"udp"}],
    "requirePorts":true,
    "unreachableStrategy":{"expungeAfterSeconds":20,"inactiveAfterSeconds":10},
    "upgradeStrategy":{"maximumOverCapacity":0.5,"minimumHealthCapacity":1},
    "container":{"type":"DOCKER","docker":{"forcePullImage":false,"image":"i","parameters":[{"key":"k","value":"v"}],"privileged":true},
      "volumes":[{"containerPath":"/c","hostPath":"/h","mode":"RW"}]}})";
  for (const auto& [id, body] : {std::pair("/x/mesos", mesos), std::pair("/x/docker", docker)}) {
    const auto response = world.post_app(body);
    ASSERT_EQ(response.status, 201) << response.body;
    const boost::json::object given = base::json::parse(body)->get_object();
    EXPECT_EQ(given_back(response), given) << response.body;
    world.restart();
    world.subscribe(false);
    const auto all = base::json::parse(world.get("/v2/apps?id=" + std::string(id)).body);
    ASSERT_TRUE(all);
    base::http::Response shown;
    shown.body = boost::json::serialize(all->at("apps").at(0));
    EXPECT_EQ(given_back(shown), given) << shown.body;
    // And as an update that says all of it again changes nothing.
    const auto again = world.request("PUT", "/v2/apps/" + std::string(id) + "?force=true", body);
    ASSERT_EQ(again.status, 200) << again.body;
    EXPECT_EQ(world.state().apps.at(id).target->last_config_change_at, world.state().apps.at(id).versions.begin()->first);
  }
}

TEST(TaskParts, what_cannot_be_is_refused_with_its_path) {
  Policy policy;
  policy.validation.secrets = true;
  World world(policy), plain;
  struct Row {
    const char* more;
    const char* part;
  };
  for (const Row& row : std::vector<Row>{
           {R"(,"executor":"/a//b")", R"("path":"/executor")"},
           {R"(,"executor":"//other")", R"("path":"/executor")"},
           {R"(,"executor":"/x/")", R"("path":"/executor")"},
           {R"(,"executor":"/x","container":{"type":"DOCKER","docker":{"image":"i"}})", R"("path":"/executor")"},
           {R"(,"executorResources":{"mem":1})", R"("path":"/executorResources/mem","errors":["error.min"])"},
           {R"(,"check":{"http":{"port":1},"tcp":{"port":1}})", "Only one of http, tcp, or command"},
           {R"(,"check":{"http":{"port":1,"portIndex":0}})", "Check must specify either a port or a portIndex"},
           {R"(,"check":{"http":{"portIndex":3}})", "check port index must address an element"},
           {R"(,"check":{"http":{"scheme":"HTTPS"}})", R"("path":"/check/http/scheme")"},
           {R"(,"check":{"exec":{}})", R"("path":"/check/exec/command","errors":["error.path.missing"])"},
           {R"(,"check":{"tcp":{"port":1}},"container":{"type":"DOCKER","docker":{"image":"i"}})",
            "AppDefinition must not use 'checks' if using docker"},
           {R"(,"container":{"type":"MESOS","linuxInfo":{"seccomp":{}}})", "Seccomp unconfined must be true when Profile is NOT defined"},
           {R"(,"container":{"type":"MESOS","linuxInfo":{"seccomp":{"profileName":"p","unconfined":true}}})",
            "Seccomp unconfined can NOT be true when Profile is defined"},
           {R"(,"container":{"type":"MESOS","linuxInfo":{"ipcInfo":{"mode":"SHARE_PARENT","shmSize":1}}})",
            "ipcInfo shmSize can NOT be set when mode is SHARE_PARENT"},
           {R"(,"container":{"type":"MESOS","linuxInfo":{"ipcInfo":{"mode":"OWN"}}})", "error.unknown.enum.literal"},
           {R"(,"container":{"type":"MESOS","docker":{"image":"i","pullConfig":{}}})",
            R"("path":"/container/docker/pullConfig/secret","errors":["error.path.missing"])"},
           {R"(,"container":{"type":"MESOS","docker":{"image":"i","pullConfig":{"secret":"none"}}})",
            "pullConfig.secret must refer to an existing secret"},
           {R"(,"container":{"type":"DOCKER","docker":{"image":"i","pullConfig":{"secret":"none"}}})",
            "pullConfig is not supported with Docker containerizer"},
           {R"(,"container":{"type":"MESOS","docker":{"image":"i","parameters":[{"key":"k","value":"v"}]}})",
            R"("path":"/container/docker/parameters","errors":["must be empty"])"}}) {
    const auto answer = world.post_app(app(row.more));
    EXPECT_EQ(answer.status, 422) << row.more << answer.body;
    EXPECT_TRUE(contains(answer.body, row.part)) << row.more << answer.body;
  }
  const auto answer = plain.post_app(app(R"(,"container":{"type":"MESOS","docker":{"image":"i","pullConfig":{"secret":"s"}}})"));
  EXPECT_TRUE(contains(answer.body, "Feature secrets is not enabled")) << answer.body;
  EXPECT_EQ(world.post_app(app(R"(,"container":{"type":"DOCKER","docker":{"image":"i"},"linuxInfo":{"seccomp":{}}})")).status, 201)
      << "Docker's containers have none";
}

}  // namespace
}  // namespace marathon
