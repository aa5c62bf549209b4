#include "marathon/app_json.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "marathon/validation.hpp"

namespace marathon {
namespace {

boost::json::object parse(const std::string& text) {
  auto value = base::json::parse(text);
  EXPECT_TRUE(value && value->is_object()) << text;
  return value && value->is_object() ? value->get_object() : boost::json::object();
}

/// The errors of a body as "path: message" lines; empty when it is fine.
std::string errors_of(const std::string& text, const AppDefaults& defaults = {}) {
  App app;
  auto error = read_app(parse(text), nullptr, "/", defaults, app);
  Violations violations;
  if (error) {
    violations = error->details;
  } else {
    validate_app(app, {}, violations);
  }
  std::string lines = error && error->message == "Invalid JSON" ? "Invalid JSON\n" : "";
  for (const auto& [path, messages] : violations.by_path()) {
    for (const std::string& message : messages) lines += path + ": " + message + "\n";
  }
  return lines;
}

App read(const std::string& text, const App* current = nullptr, const AppDefaults& defaults = {}) {
  App app;
  const auto error = read_app(parse(text), current, "/", defaults, app);
  EXPECT_FALSE(error) << text;
  return app;
}

TEST(AppJson, tutorial_of_2014_is_accepted) {
  const App app = read(R"({"id":"Hello","cmd":"python3 -m http.server $PORT","cpus":0.1,"mem":64,"instances":1,"uris":[]})");
  EXPECT_EQ(app.id, "/hello");
  EXPECT_EQ(app.cmd, "python3 -m http.server $PORT");
  ASSERT_EQ(app.port_definitions.size(), 1U);
  EXPECT_EQ(app.port_definitions[0].name, "default");
  EXPECT_TRUE(uses_host_network(app));
  EXPECT_TRUE(app.fetch.empty());
}

TEST(AppJson, docker_tutorial_of_2014_is_accepted) {
  const std::string text =
      R"({"container":{"type":"DOCKER","docker":{"image":"libmesos/ubuntu"},"volumes":[{"containerPath":"/etc/a",)"
      R"("hostPath":"/var/data/a","mode":"RO"}]},"id":"ubuntu","instances":1,"cpus":0.5,"mem":512,)"
      R"("cmd":"while sleep 10; do date -u +%T; done"})";
  EXPECT_EQ(errors_of(text), "");
  const App app = read(text);
  ASSERT_TRUE(app.container);
  EXPECT_EQ(app.container->image, "libmesos/ubuntu");
  EXPECT_EQ(app.container->volumes[0].mode, "RO");
  EXPECT_TRUE(uses_host_network(app));
  EXPECT_EQ(app.port_definitions.size(), 1U);
}

TEST(AppJson, uris_become_fetch) {
  const App app = read(R"({"id":"a","cmd":"x","uris":["http://h/a.tgz","http://h/b.bin"]})");
  ASSERT_EQ(app.fetch.size(), 2U);
  EXPECT_TRUE(app.fetch[0].extract);
  EXPECT_FALSE(app.fetch[1].extract);
}

TEST(AppJson, ports_become_port_definitions) {
  const App app = read(R"({"id":"a","cmd":"x","ports":[8080,0]})");
  ASSERT_EQ(app.port_definitions.size(), 2U);
  EXPECT_EQ(app.port_definitions[0].port, 8080);
  EXPECT_FALSE(app.port_definitions[0].name);
  EXPECT_TRUE(read(R"({"id":"a","cmd":"x","ports":[]})").port_definitions.empty());
  EXPECT_TRUE(read(R"({"id":"a","cmd":"x","portDefinitions":[]})").port_definitions.empty());
}

TEST(AppJson, docker_bridge_becomes_a_network) {
  const App app = read(
      R"({"id":"a","container":{"docker":{"image":"i","network":"BRIDGE","portMappings":[{"containerPort":80}]}}})");
  ASSERT_EQ(app.networks.size(), 1U);
  EXPECT_EQ(app.networks[0].mode, NetworkMode::Bridge);
  ASSERT_EQ(app.container->port_mappings.size(), 1U);
  EXPECT_EQ(app.container->port_mappings[0].host_port, 0);
  EXPECT_TRUE(app.port_definitions.empty());
}

TEST(AppJson, ip_address_becomes_a_container_network) {
  const App app = read(
      R"({"id":"a","cmd":"x","ipAddress":{"networkName":"dcos","labels":{"k":"v"},)"
      R"("discovery":{"ports":[{"number":80,"name":"web","protocol":"tcp"}]}},"container":{"type":"MESOS"}})");
  ASSERT_EQ(app.networks.size(), 1U);
  EXPECT_EQ(app.networks[0].name, "dcos");
  EXPECT_EQ(app.networks[0].labels.at("k"), "v");
  ASSERT_EQ(app.container->port_mappings.size(), 1U);
  EXPECT_EQ(app.container->port_mappings[0].container_port, 80);
}

TEST(AppJson, a_check_without_port_looks_at_the_first) {
  const App app = read(R"({"id":"a","cmd":"x","healthChecks":[{"protocol":"HTTP"},{"protocol":"COMMAND","command":{"value":"t"}}]})");
  EXPECT_EQ(app.health_checks[0].port_index, 0);
  EXPECT_FALSE(app.health_checks[1].port_index);
}

TEST(AppJson, an_update_keeps_what_it_does_not_name) {
  App current = read(R"({"id":"a","cmd":"x","env":{"A":"1"},"labels":{"l":"1"},"instances":3,"mem":64})");
  current.port_definitions[0].port = 10001;
  const App app = read(R"({"cmd":"y","labels":{"m":"2"}})", &current);
  EXPECT_EQ(app.id, "/a");
  EXPECT_EQ(app.cmd, "y");
  EXPECT_EQ(app.instances, 3);
  EXPECT_EQ(app.env.at("A"), "1");
  EXPECT_EQ(app.labels, (Labels{{"m", "2"}})) << "replaced, not merged";
  EXPECT_EQ(app.port_definitions[0].port, 10001);
}

TEST(AppJson, a_container_update_keeps_the_network) {
  const App current = read(
      R"({"id":"a","networks":[{"mode":"container/bridge"}],"container":{"docker":{"image":"i"},"portMappings":[{"containerPort":80}]}})");
  const App app = read(R"({"container":{"docker":{"image":"j"},"portMappings":[{"containerPort":81}]}})", &current);
  EXPECT_EQ(app.networks[0].mode, NetworkMode::Bridge);
  EXPECT_EQ(app.container->port_mappings[0].container_port, 81);
}

TEST(AppJson, what_is_written_reads_back) {
  App app = read(
      R"({"id":"/g/a","args":["a","b"],"user":"u","env":{"A":"1"},"cpus":0.25,"mem":33.5,"constraints":[["hostname","UNIQUE"],)"
      R"(["rack","GROUP_BY",3]],"fetch":[{"uri":"http://h/x","executable":true,"destPath":"d"}],"requirePorts":true,)"
      R"("portDefinitions":[{"port":80,"protocol":"udp,tcp","name":"web","labels":{"VIP_0":"/a:80"}}],)"
      R"("healthChecks":[{"protocol":"MESOS_HTTP","path":"/h","portIndex":0}],"readinessChecks":[{"portName":"web"}],)"
      R"("dependencies":["../b"],"upgradeStrategy":{"minimumHealthCapacity":0.5,"maximumOverCapacity":0.1},)"
      R"("labels":{"k":"v"},"backoffFactor":2.5,"taskKillGracePeriodSeconds":7,"killSelection":"OLDEST_FIRST",)"
      R"("unreachableStrategy":"disabled","tty":true,"resourceLimits":{"cpus":"unlimited","mem":100}})");
  app.version = app.last_config_change_at = app.last_scaling_at = base::Time::from_seconds(1'700'000'000);
  const auto again = parse_stored_app(render_app(app));
  ASSERT_TRUE(again) << render_app(app);
  EXPECT_FALSE(needs_restart(app, *again)) << render_app(app) << "\n" << render_app(*again);
  EXPECT_EQ(render_app(app), render_app(*again));
  EXPECT_EQ(again->dependencies, (std::vector<PathId>{"/b"}));
}

TEST(AppJson, numbers_print_as_people_write_them) {
  const std::string text = render_app(read(R"({"id":"a","cmd":"x","cpus":0.1,"mem":64})"));
  EXPECT_NE(text.find(R"("cpus":0.1,)"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("mem":64,)"), std::string::npos);
  EXPECT_NE(text.find(R"("disk":0,)"), std::string::npos);
}

struct Case {
  const char* body;
  const char* errors;
};

TEST(AppJson, wrong_types_are_named_by_path) {
  const Case cases[] = {
      {R"({"id":"a","cmd":"x","cpus":"a"})", "/cpus: error.expected.jsnumber"},
      {R"({"id":"a","cmd":"x","cpus":-1})", "/cpus: error.min"},
      {R"({"id":"a","cmd":"x","cpus":1e300})", "/cpus: error.max"},
      {R"({"id":"a","cmd":"x","instances":1.5})", "/instances: error.expected.int"},
      {R"({"id":"a","cmd":5})", "/cmd: error.expected.jsstring"},
      {R"({"id":1,"cmd":"x"})", "/id: error.expected.jsstring"},
      {R"({"id":"a","args":"x"})", "/args: error.expected.jsarray"},
      {R"({"id":"a","args":["x",1]})", "/args(1): error.expected.jsstring"},
      {R"({"id":"a","cmd":"x","env":[]})", "/env: error.expected.jsobject"},
      {R"({"id":"a","cmd":"x","env":{"A":1}})", "/env/A: error.expected.jsstring"},
      {R"({"id":"a","cmd":"x","labels":{"A":true}})", "/labels/A: error.expected.jsstring"},
      {R"({"id":"a","cmd":"x","ports":["y"]})", "/ports(0): error.expected.jsnumber"},
      {R"({"id":"a","cmd":"x","ports":5})", "/ports: error.expected.jsarray"},
      {R"({"id":"a","cmd":"x","portDefinitions":[{"port":70000}]})", "/portDefinitions(0)/port: error.max"},
      {R"({"id":"a","cmd":"x","portDefinitions":[{"protocol":"sctp"}]})", "/portDefinitions(0)/protocol: error.unknown.enum.literal"},
      {R"({"id":"a","container":{"type":"X"}})", "/container/type: error.unknown.enum.literal"},
      {R"({"id":"a","container":[]})", "/container: error.expected.jsobject"},
      {R"({"id":"a","cmd":"x","healthChecks":[{"protocol":"GRPC"}]})", "/healthChecks(0)/protocol: error.unknown.enum.literal"},
      {R"({"id":"a","cmd":"x","healthChecks":[3]})", "/healthChecks(0): error.expected.jsobject"},
      {R"({"id":"a","cmd":"x","upgradeStrategy":{"minimumHealthCapacity":1}})",
       "/upgradeStrategy/maximumOverCapacity: error.path.missing"},
      {R"({"id":"a","cmd":"x","backoffFactor":0.5})", "/backoffFactor: error.min"},
      {R"({"id":"a","cmd":"x","killSelection":"NEWEST"})", "/killSelection: error.unknown.enum.literal"},
      {R"({"id":"a","cmd":"x","unreachableStrategy":"off"})", "/unreachableStrategy: error.unknown.enum.literal"},
      {R"({"id":"a","cmd":"x","requirePorts":"yes"})", "/requirePorts: error.expected.jsboolean"},
      {R"({"id":"a","cmd":"x","constraints":["hostname"]})", "/constraints(0): error.expected.jsarray"},
      {R"({"id":"a","cmd":"x","fetch":[{}]})", "/fetch(0)/uri: error.path.missing"},
  };
  for (const Case& c : cases) {
    const std::string errors = errors_of(c.body);
    EXPECT_TRUE(errors.starts_with("Invalid JSON\n")) << c.body << "\n" << errors;
    EXPECT_NE(errors.find(c.errors), std::string::npos) << c.body << "\n" << errors;
  }
}

TEST(Validation, rules_are_named_by_path) {
  const Case cases[] = {
      {R"({"cmd":"x"})", "/id: error.path.missing"},
      {R"({"id":"/","cmd":"x"})", "/id: Path must contain at least one path element"},
      {R"({"id":"a_b","cmd":"x"})", "/id: must fully match regular expression"},
      {R"({"id":"a/restart","cmd":"x"})", "/id: must not end with any of the following reserved keywords"},
      {R"({"id":"a"})", "/: AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'."},
      {R"({"id":"a","cmd":"x","args":["y"]})", "/: AppDefinition must either contain"},
      {R"({"id":"a","container":{"type":"DOCKER"}})", "/container/docker: not defined"},
      {R"({"id":"a","cmd":"x","portDefinitions":[{"name":"p"},{"name":"p"}]})", "/portDefinitions: Port names must be unique."},
      {R"({"id":"a","cmd":"x","portDefinitions":[{"port":80},{"port":80}]})", "/portDefinitions: Ports must be unique."},
      {R"({"id":"a","cmd":"x","ports":[1],"portDefinitions":[{"port":2}]})", "cannot specify both ports and port definitions"},
      {R"({"id":"a","cmd":"x","networks":[{"mode":"host","name":"n"}]})", "/networks(0): Host networks may not have names or labels"},
      {R"({"id":"a","cmd":"x","networks":[{"mode":"container/bridge","name":"n"}]})", "Bridge networks may not have names"},
      {R"({"id":"a","cmd":"x","networks":[{"mode":"container"}]})", "Network name must be specified when container network is selected."},
      {R"({"id":"a","cmd":"x","networks":[{"mode":"host"},{"mode":"container/bridge"}]})", "May specify a single host network"},
      {R"({"id":"a","cmd":"x","networks":[{"mode":"container/bridge"}],"portDefinitions":[{"port":1}]})",
       "portDefinitions are only allowed with host-networking"},
      {R"({"id":"a","cmd":"x","container":{"type":"MESOS","portMappings":[{"containerPort":1}]}})",
       "portMappings are not allowed with host-networking"},
      {R"({"id":"a","container":{"docker":{"image":"i","network":"NONE"}}})", "unsupported"},
      {R"({"id":"a","cmd":"x","healthChecks":[{"protocol":"HTTP","portIndex":3}]})",
       "/healthChecks(0): Health check port indices must address an element"},
      {R"({"id":"a","cmd":"x","readinessChecks":[{"portName":"none"}]})",
       "/readinessChecks(0)/portName"},
      {R"({"id":"a","cmd":"x","constraints":[["h","NEAR"]]})", "/constraints(0): operator must be one of the following UNIQUE, CLUSTER"},
      {R"({"id":"a","cmd":"x","constraints":[["h","unique","v"]]})", "UNIQUE does not accept a value"},
      {R"({"id":"a","cmd":"x","constraints":[["h","MAX_PER","v"]]})", "MAX_PER requires an integer value"},
      {R"({"id":"a","cmd":"x","constraints":[["h","LIKE","("]]})", "is not a valid regular expression"},
      {R"({"id":"a","cmd":"x","upgradeStrategy":{"minimumHealthCapacity":1.5,"maximumOverCapacity":1}})",
       "/upgradeStrategy/minimumHealthCapacity: is greater than 1"},
      {R"({"id":"a","cmd":"x","acceptedResourceRoles":["other"]})", "acceptedResourceRoles can only contain *"},
      {R"({"id":"a","cmd":"x","acceptedResourceRoles":[]})", "/acceptedResourceRoles: must not be empty"},
      {R"({"id":"a","cmd":"x","unreachableStrategy":{"inactiveAfterSeconds":5,"expungeAfterSeconds":4}})",
       "inactiveAfterSeconds (5) must be less or equal to expungeAfterSeconds, which is 4"},
      {R"({"id":"a","cmd":"x","instances":2,"labels":{"MARATHON_SINGLE_INSTANCE_APP":"true"}})",
       "Single instance app may only have one instance"},
      {R"({"id":"a","cmd":"x","gpus":1})", "gpu_resources"},
      {R"({"id":"a","cmd":"x","secrets":{"s":{"source":"x"}}})", "Feature secrets is not enabled"},
      {R"({"id":"a","cmd":"x","env":{"A":{"secret":"s"}}})",
       "/env: use of secret-references in the environment requires the secrets feature to be enabled"},
      {R"({"id":"a","cmd":"x","uris":["a"],"fetch":[{"uri":"b"}]})", "/uris: may not be set in conjunction with fetch"},
      {R"({"id":"a","cmd":"x","ports":[80,80]})", "/: ports must be unique"},
      {R"({"id":"a","cmd":"x","ipAddress":{"networkName":"n"},"ports":[80]})", "/: cannot specify both an IP address and port"},
      {R"({"id":"a","container":{"docker":{"image":"i"}},"ipAddress":{"networkName":"n","discovery":{"ports":[{"number":1,"name":"p"}]}}})",
       "/ipAddress: ipAddress/discovery is not allowed for Docker containers"},
      {R"({"id":"a","cmd":"x","networks":[{"name":"n"},{"name":"m"}],"container":{"type":"MESOS","portMappings":[{"hostPort":0}]}})",
       "/container/portMappings(0): networkNames must be a single item list when hostPort is specified and more than 1"},
      {R"({"id":"a","cmd":"x","networks":[{"name":"n"}],"container":{"type":"MESOS","portMappings":[{"networkNames":["n","x"]}]}})",
       "/container/portMappings(0)/networkNames(1): is not one of (n)"},
      {R"({"id":"a","networks":[{"name":"n"},{"name":"m"}],"container":{"docker":{"image":"i"},"portMappings":[]}})",
       "/: may only specify a single container network when using the Docker container engine"},
      {R"({"id":"a","cmd":"x","healthChecks":[{"protocol":"HTTP","ipProtocol":"IPv6"}]})",
       "/healthChecks(0): IPv6 can only be used for container type DOCKER and Mesos http/https/tcp health checks"},
      {R"({"id":"a","cmd":"x","readinessChecks":[{"portName":"none"}]})",
       "/readinessChecks(0)/portName: No port definition reference for portName none"},
      {R"({"id":"a","cmd":"x","readinessChecks":[{"portName":"default","timeoutSeconds":30}]})",
       "/readinessChecks(0)/timeoutSeconds: got 30, expected less than 30"},
      {R"({"id":"a","cmd":"x","constraints":[["hostname"]]})", "/constraints(0): Each constraint must have either 2 or 3 fields"},
      {R"({"id":"a","cmd":"x","constraints":[["hostname","LIKE"]]})",
       "/constraints(0): LIKE and UNLIKE require a non-empty, regular expression value"},
      {R"({"id":"a","cmd":"x","constraints":[["hostname","LIKE","("]]})", "/constraints(0): is not a valid regular expression"},
      {R"({"id":"a","cmd":"x","constraints":[["hostname","IS","[1-2]"]]})",
       "/constraints(0): IS only supports Mesos text and float values"},
      {R"({"id":"a","cmd":"x","cpus":2,"resourceLimits":{"cpus":1}})",
       "/resourceLimits/cpus: resource limit must be greater than or equal to requested resource (2.0)"},
      {R"({"id":"a","cmd":"x","labels":{"MARATHON_SINGLE_INSTANCE_APP":"true"},)"
       R"("upgradeStrategy":{"minimumHealthCapacity":1,"maximumOverCapacity":0}})",
       "/upgradeStrategy/minimumHealthCapacity: got 1.0, expected 0.0"},
      {R"({"id":"a","cmd":"x","labels":{"DCOS_MIGRATION_API_VERSION":"v1","DCOS_MIGRATION_API_PATH":"/x"}})",
       "/: DCOS_PACKAGE_FRAMEWORK_NAME and DCOS_MIGRATION_API_PATH must be defined when using DCOS_MIGRATION_API_VERSION"},
      {R"({"id":"a","cmd":"x","container":{"type":"MESOS","volumes":[{"containerPath":"d","persistent":{"size":1}}]}})",
       "persistent volumes need a role"},
  };
  for (const Case& c : cases) {
    const std::string errors = errors_of(c.body);
    EXPECT_FALSE(errors.starts_with("Invalid JSON")) << c.body << "\n" << errors;
    EXPECT_NE(errors.find(c.errors), std::string::npos) << c.body << "\n" << errors;
  }
}

/// In whatever case a word is written, it means the same.
TEST(AppJson, words_mean_the_same_in_every_case) {
  const App app = read(R"({"id":"a","cmd":"x","killSelection":"oldest_first","unreachableStrategy":"Disabled",
    "container":{"type":"docker","docker":{"image":"i","network":"bridge"},
      "portMappings":[{"containerPort":80,"protocol":"TCP"}],"volumes":[{"containerPath":"/c","hostPath":"/h","mode":"rw"}]},
    "healthChecks":[{"protocol":"http","ipProtocol":"ipv4"},{"protocol":"command","command":{"value":"true"}}]})");
  EXPECT_EQ(app.networks.at(0).mode, NetworkMode::Bridge);
  EXPECT_EQ(app.container->type, ContainerType::Docker);
  EXPECT_EQ(app.container->port_mappings.at(0).protocol, "tcp");
  EXPECT_EQ(app.container->volumes.at(0).mode, "RW");
  EXPECT_EQ(app.health_checks.at(0).port_index, 0);
  EXPECT_FALSE(app.health_checks.at(1).port_index);
  EXPECT_EQ(app.kill_selection, KillSelection::OldestFirst);
  EXPECT_TRUE(app.unreachable_strategy.disabled);
  EXPECT_EQ(read(R"({"id":"a","cmd":"x","networks":[{"mode":"Host"}]})").port_definitions.size(), 1U);
}

TEST(Validation, unknown_fields_and_nulls_are_ignored) {
  EXPECT_EQ(errors_of(R"({"id":"a","cmd":"x","color":"red","env":null,"container":null,"tasksRunning":3,"storeUrls":[]})"), "");
}

TEST(Validation, every_field_survives_every_wrong_type) {
  const char* fields[] = {"id", "cmd", "args", "user", "env", "instances", "cpus", "mem", "disk", "gpus", "executor",
                          "constraints", "fetch", "uris", "ports", "portDefinitions", "requirePorts", "networks",
                          "ipAddress", "container", "healthChecks", "check", "readinessChecks", "dependencies",
                          "upgradeStrategy", "labels", "acceptedResourceRoles", "role", "backoffSeconds",
                          "backoffFactor", "maxLaunchDelaySeconds", "taskKillGracePeriodSeconds", "killSelection",
                          "unreachableStrategy", "residency", "secrets", "tty", "resourceLimits", "version",
                          "versionInfo"};
  const char* values[] = {"null", "true", "-1", "1.5", "1e308", "\"\"", "\"\\u0000\"", "[]", "[null]", "[[]]", "[{}]",
                          "{}", "{\"a\":null}", "{\"docker\":5}", "{\"docker\":{\"portMappings\":5}}",
                          "{\"discovery\":{\"ports\":[{\"number\":\"x\"}]}}", "[[1,2,3,4]]", "[[\"a\",\"LIKE\"]]"};
  for (const char* field : fields) {
    for (const char* value : values) {
      std::string body = R"({"id":"a","cmd":"x",")" + std::string(field) + "\":" + value + "}";
      errors_of(body);  // must not crash
      App current = read(R"({"id":"a","cmd":"x"})");
      App app;
      (void)read_app(parse(body), &current, "/", {}, app);
    }
  }
}

}  // namespace
}  // namespace marathon
