// The state of an original Marathon, built as it keeps it, through a ZooKeeper, into a scheduler.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/http/gzip.hpp"
#include "base/loop.hpp"
#include "base/strings.hpp"
#include "base/zk/paths.hpp"
#include "base/zk/real.hpp"
#include "base/zk/testing.hpp"
#include "kernel/api/mesos/v1/mesos.pb.h"
#include "marathon/import/backup_tar.hpp"
#include "marathon/import/original.pb.h"
#include "marathon/import/read.hpp"
#include "marathon/testing.hpp"

namespace marathon::original {
namespace {

// As the original writes times of definitions into ids: without a fraction that is zero.
constexpr const char* kOld = "2019-03-01T10:00:00Z";
constexpr const char* kNew = "2019-03-02T10:00:00.250Z";
constexpr const char* kUuid = "5a1b9c4e-0000-11e9-8d3f-0242ac110002";
const std::string kWeb = std::string("web_front.instance-") + kUuid;
const std::string kTask = kWeb + "._app.3";
const std::string kDisk = std::string("disk.instance-") + kUuid;
const std::string kPair = std::string("pair.instance-") + kUuid;

/// Tasks are in the role that Marathon was started with.
const std::string kRole = "store";

Policy policy() {
  Policy out;
  out.defaults.role = out.validation.role = kRole;
  return out;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return all;
}

std::string version_node(uint32_t major, uint32_t minor = 0, uint32_t patch = 0, uint32_t format = 1) {
  StorageVersion version;
  version.set_major(major);
  version.set_minor(minor);
  version.set_patch(patch);
  version.set_format(format);
  StoreEntry entry;
  entry.set_name("internal:storage:version");
  entry.set_value(version.SerializeAsString());
  return entry.SerializeAsString();
}

void put_resources(ServiceDefinition& app, double cpus, double mem) {
  for (const auto& [name, amount] : {std::pair("cpus", cpus), std::pair("mem", mem), std::pair("disk", 0.0)}) {
    auto* resource = app.add_resources();
    resource->set_name(name);
    resource->mutable_scalar()->set_value(amount);
  }
}

ServiceDefinition web(const char* version, const std::string& command) {
  ServiceDefinition app;
  app.set_id("/web/front");
  app.set_version(version);
  app.set_instances(1);
  app.mutable_cmd()->set_value(command);
  app.mutable_cmd()->set_user("www");
  auto* variable = app.mutable_cmd()->mutable_environment()->add_variables();
  variable->set_name("MODE");
  variable->set_value("fast");
  app.mutable_cmd()->add_uris()->set_value("http://files/web.tgz");
  put_resources(app, 0.5, 64);
  auto* port = app.add_port_definitions();
  port->set_number(10101);
  port->set_protocol("tcp");
  port->set_name("http");
  auto* check = app.add_health_checks();
  check->set_protocol(4);
  check->set_path("/health");
  check->set_port_index(0);
  auto* constraint = app.add_constraints();
  constraint->set_field("rack");
  constraint->set_operator_(5);
  constraint->set_value("2");
  auto* label = app.add_labels();
  label->set_key("team");
  label->set_value("shop");
  app.mutable_unreachable_strategy();
  app.mutable_upgrade_strategy()->set_minimum_health_capacity(0.5);
  app.add_networks()->set_mode(1);
  app.add_dependencies("/db");
  app.mutable_accepted_resource_roles()->add_role("*");
  app.mutable_accepted_resource_roles()->add_role("left_over");
  app.set_last_config_change_at(1551434400000);
  return app;
}

/// With arguments, in a container on a bridge.
ServiceDefinition database() {
  ServiceDefinition db;
  db.set_id("/db");
  db.set_version(kOld);
  db.set_instances(0);
  db.mutable_cmd()->set_value("postgres");  // the original repeats the first argument here
  db.mutable_cmd()->add_arguments("postgres");
  db.mutable_cmd()->add_arguments("-F");
  db.mutable_container()->set_type(2);
  db.mutable_container()->mutable_mesos_docker()->set_image("postgres:11");
  db.add_networks()->set_mode(3);
  auto* mapping = db.mutable_container()->add_port_mappings();
  mapping->set_container_port(5432);
  mapping->set_host_port(0);
  return db;
}

/// With a persistent volume.
ServiceDefinition disk(uint32_t instances = 1) {
  ServiceDefinition app;
  app.set_id("/disk");
  app.set_version(kOld);
  app.set_instances(instances);
  app.mutable_cmd()->set_value("sleep 1000");
  put_resources(app, 0.5, 64);
  app.mutable_container()->set_type(2);
  auto* volume = app.mutable_container()->add_volumes();
  volume->set_container_path("data");
  volume->set_mode(1);
  volume->mutable_persistent()->set_size(64);
  app.mutable_unreachable_strategy();
  app.mutable_upgrade_strategy()->set_minimum_health_capacity(0.5);
  app.mutable_upgrade_strategy()->set_maximum_over_capacity(0);
  return app;
}

std::string pair() {
  return fmt::format(
      R"({{"id":"/pair","version":"{}","containers":[)"
      R"({{"name":"one","exec":{{"command":{{"shell":"sleep 1"}}}},"resources":{{"cpus":0.1,"mem":32}},)"
      R"("endpoints":[{{"name":"web","hostPort":0}}]}},)"
      R"({{"name":"two","exec":{{"command":{{"shell":"sleep 2"}}}},"resources":{{"cpus":0.1,"mem":32}}}}],)"
      R"("networks":[{{"mode":"host"}}],"scaling":{{"kind":"fixed","instances":1}},"role":"store","legacySharedCgroups":true}})",
      kOld);
}

std::string base64(const google::protobuf::Message& message) { return base::base64_encode(message.SerializePartialAsString()); }

std::string status(const std::string& task, mesos::v1::TaskState state = mesos::v1::TASK_RUNNING) {
  mesos::v1::TaskStatus out;
  out.mutable_task_id()->set_value(task);
  out.set_state(state);
  auto* network = out.mutable_container_status()->add_network_infos();
  network->set_name("net");
  network->add_ip_addresses()->set_ip_address("10.1.2.3");
  return base64(out);
}

std::string rack(const std::string& value) {
  mesos::v1::Attribute attribute;
  attribute.set_name("rack");
  attribute.set_type(mesos::v1::Value::TEXT);
  attribute.mutable_text()->set_value(value);
  return base64(attribute);
}

std::string task(const std::string& id, const std::string& version, const std::string& condition, const std::string& ports,
                 const std::string& more = "") {
  return fmt::format(
      R"("{}":{{"taskId":"{}","runSpecVersion":"{}","status":{{"stagedAt":"{}","startedAt":"{}","mesosStatus":"{}",)"
      R"("condition":{},"networkInfo":{{"hostName":"host1","hostPorts":[{}],)"
      R"("ipAddresses":[{{"ipAddress":"10.9.9.9","protocol":"IPv4"}}]}}}}{}}})",
      id, id, version, kNew, kNew, status(id), condition, ports, more);
}

std::string instance(const std::string& id, const std::string& version, const std::string& tasks, const std::string& state,
                     const std::string& more = "") {
  return fmt::format(
      R"({{"instanceId":{{"idString":"{}"}},"agentInfo":{{"host":"host1","agentId":"A1","zone":"z1","attributes":["{}"]}},)"
      R"("tasksMap":{{{}}},"runSpecVersion":"{}","state":{{"since":"{}",{}}}{}}})",
      id, rack("r7"), tasks, version, kNew, state, more);
}

const char* const kRunning = R"("condition":"Running","goal":"Running")";

std::string reservation(const std::string& name, const std::string& more = "") {
  return fmt::format(R"(,"reservation":{{"volumeIds":[{{"runSpecId":"/disk","containerPath":"data","uuid":"V-1",)"
                     R"("persistenceId":"disk#data#V-1"}}],"state":{{"name":"{}","timeout":null}}{}}})", name, more);
}

void refer(Reference* reference, const char* id, const char* version) {
  reference->set_id(id);
  reference->set_version(version);
}

Nodes state() {
  Nodes nodes;
  nodes["internal:storage:version"] = version_node(110, 100);
  for (const char* category : {"apps", "pods", "group", "framework-id", "instance"}) nodes[category] = "";
  nodes["apps/a/web_front"] = web(kNew, "serve --new").SerializeAsString();
  nodes[std::string("apps/a/web_front/") + kNew] = nodes["apps/a/web_front"];
  nodes[std::string("apps/a/web_front/") + kOld] = web(kOld, "serve --old").SerializeAsString();
  nodes["apps/1/db"] = database().SerializeAsString();
  nodes["apps/2/disk"] = disk().SerializeAsString();
  nodes["pods/2/pair"] = pair();
  Group root;
  root.set_id("");
  root.set_version(kNew);
  refer(root.add_apps(), "db", kOld);
  refer(root.add_apps(), "disk", kOld);
  refer(root.add_pods(), "pair", kOld);
  auto* group = root.add_groups();
  group->set_id("web");
  group->set_version(kNew);
  group->add_dependencies("db");
  refer(group->add_apps(), "web_front", kNew);
  nodes["group/0/root"] = root.SerializeAsString();
  FrameworkId framework;
  framework.set_value("F-original");
  nodes["framework-id/b/id"] = framework.SerializeAsString();
  nodes["instance/7/" + kWeb] = instance(kWeb, kNew, task(kTask, kNew, R"("Running")", "31007"), kRunning, R"(,"role":"store")");
  nodes["instance/8/" + kDisk] = instance(kDisk, kOld, task(kDisk + "._app.2", kOld, R"("Running")", ""), kRunning,
                                          R"(,"role":"store")" + reservation("launched", R"(,"id":")" + kDisk + R"(")"));
  // In an order of its own.
  nodes["instance/9/" + kPair] = instance(kPair, kOld, task(kPair + ".two.1", kOld, R"("Running")", "") + "," +
                                          task(kPair + ".one.1", kOld, R"("Running")", "31008"), kRunning, R"(,"role":"store")");
  return nodes;
}

/// A scheduler on the imported state, under a master that runs the tasks.
void take_over(marathon::testing::World& world, const Import& import, const std::vector<std::string>& tasks) {
  for (const auto& [key, value] : import.records) world.store[key] = value;
  for (const std::string& id : tasks) {
    auto info = std::make_shared<mesos::v1::TaskInfo>();
    info->mutable_task_id()->set_value(id);
    world.tasks[id] = {.agent = "A1", .state = "TASK_RUNNING", .info = std::move(info)};
  }
  world.restart();
  EXPECT_EQ(world.state().framework_id, "F-original");
  world.subscribe();
  world.advance(base::seconds(60));
}

TEST(OriginalImport, takes_apps_versions_groups_pods_and_tasks_over) {
  const auto import = convert(state(), kRole);
  ASSERT_TRUE(import) << import.error().message;
  EXPECT_EQ(joined(import->left_out), "");
  EXPECT_EQ(joined(import->lost), "");
  EXPECT_EQ(import->apps, 3U);
  EXPECT_EQ(import->pods, 1U);
  EXPECT_EQ(import->groups, 2U);
  EXPECT_EQ(import->versions, 1U);
  EXPECT_EQ(import->instances, 3U);

  marathon::testing::World world(policy());
  const std::vector<std::string> running{kTask, kDisk + "._app.2", kPair + ".one.1", kPair + ".two.1"};
  take_over(world, *import, running);
  EXPECT_TRUE(world.exits.empty());
  EXPECT_EQ(world.tasks.size(), running.size()) << "nothing is launched beside what runs";
  for (const auto& [id, task] : world.tasks) EXPECT_EQ(task.state, "TASK_RUNNING") << id;
  EXPECT_TRUE(world.state().deployments.empty());

  const std::string app = world.get("/v2/apps//web/front").body;
  for (const char* part : {R"("cmd":"serve --new")", R"("user":"www")", R"("MODE":"fast")", R"("uri":"http://files/web.tgz")",
                           R"("cpus":0.5)", R"("port":10101)", R"("name":"http")", R"("protocol":"MESOS_HTTP")",
                           R"(["rack","MAX_PER","2"])", R"("team":"shop")", R"("unreachableStrategy":"disabled")",
                           R"("minimumHealthCapacity":0.5)", R"("dependencies":["/db"])", R"("acceptedResourceRoles":["*"])",
                           R"("version":"2019-03-02T10:00:00.250Z")", R"("lastConfigChangeAt":"2019-03-01T10:00:00.000Z")"}) {
    EXPECT_TRUE(contains(app, part)) << part << " in " << app;
  }
  const std::string versions = world.get("/v2/apps//web/front/versions").body;
  EXPECT_TRUE(contains(versions, "2019-03-01T10:00:00.000Z") && contains(versions, kNew)) << versions;
  EXPECT_TRUE(contains(world.get("/v2/apps//web/front/versions/2019-03-01T10:00:00.000Z").body, "serve --old"));
  const std::string db = world.get("/v2/apps/db").body;
  EXPECT_TRUE(contains(db, R"("image":"postgres:11")") && contains(db, R"("containerPort":5432)")) << db;
  EXPECT_TRUE(contains(db, R"("mode":"container/bridge")") && contains(db, R"("args":["postgres","-F"])")) << db;
  EXPECT_FALSE(contains(db, R"("cmd")")) << db;
  EXPECT_TRUE(contains(world.get("/v2/groups/web").body, R"("dependencies":["/db"])"));

  const std::string tasks = world.get("/v2/apps//web/front/tasks").body;
  for (const char* part : {kTask.c_str(), "host1", "31007", "TASK_RUNNING", R"("slaveId":"A1")", R"("zone":"z1")", "10.9.9.9"}) {
    EXPECT_TRUE(contains(tasks, part)) << part << " in " << tasks;
  }
  EXPECT_EQ(world.state().apps.at("/web/front").instances.at(kWeb).attributes.at("rack"), "r7");
  const Instance& pod = world.state().apps.at("/pair").instances.at(kPair);
  ASSERT_EQ(pod.containers.size(), 2U);
  EXPECT_EQ(pod.containers[0].name, "one");
  EXPECT_EQ(pod.containers[0].networks[0].second, std::vector<std::string>{"10.1.2.3"});
  EXPECT_EQ(pod.host_ports, std::vector<int>{31008});
  EXPECT_TRUE(contains(world.get("/v2/pods/pair::status").body, R"("status":"STABLE")"));
}

TEST(OriginalImport, a_task_that_ends_after_it_is_replaced) {
  const auto import = convert(state(), kRole);
  ASSERT_TRUE(import);
  marathon::testing::World world(policy(), {{.id = "A1", .hostname = "host1", .attributes = {{"rack", "r7"}}}});
  take_over(world, *import, {kTask, kDisk + "._app.2", kPair + ".one.1", kPair + ".two.1"});
  world.update(kTask, "TASK_FAILED");
  world.advance(base::seconds(5));
  EXPECT_EQ(world.tasks_of("/web/front"), std::vector<std::string>{kWeb + "._app.4"}) << "the same instance, launched again";
}

TEST(OriginalImport, keeps_reservations_with_their_volumes) {
  const auto import = convert(state(), kRole);
  ASSERT_TRUE(import);
  EXPECT_EQ(import->reservations, 1U);
  marathon::testing::World world(policy());
  take_over(world, *import, {kTask, kDisk + "._app.2", kPair + ".one.1", kPair + ".two.1"});
  const Instance& kept = world.state().apps.at("/disk").instances.at(kDisk);
  ASSERT_TRUE(kept.reservation);
  EXPECT_EQ(kept.reservation->id, kDisk);
  EXPECT_TRUE(kept.reservation->confirmed);
  ASSERT_EQ(kept.reservation->volumes.size(), 1U);
  EXPECT_EQ(kept.reservation->volumes[0], (LocalVolume{"data", "V-1"}));
  EXPECT_TRUE(world.state().releases.empty());
}

TEST(OriginalImport, a_resident_without_a_task_waits_on_its_reservation) {
  const std::string legacy = std::string("disk.") + kUuid, marathon = std::string("disk.marathon-") + kUuid;
  struct Case {
    std::string instance, node;
    Goal goal;
    Condition condition;
    int incarnation;
    std::string id;
  };
  const std::vector<Case> cases = {
      // 1.8 and later: told by its goal.
      {kDisk, instance(kDisk, kOld, task(kDisk + "._app.2", kOld, R"("Killed")", ""), R"("condition":"Killed","goal":"Stopped")",
                       reservation("suspended", R"(,"id":")" + kDisk + R"(")")), Goal::Stopped, Condition::Killed, 2, kDisk},
      {kDisk, instance(kDisk, kOld, "", R"("condition":"Scheduled","goal":"Running")",
                       reservation("launched", R"(,"id":")" + kDisk + R"(")")), Goal::Running, Condition::Scheduled, 0, kDisk},
      // 1.6: no goals, and the reservation's name is its task's.
      {marathon, instance(marathon, kOld, task(legacy + ".5", kOld, R"({"str":"Reserved"})", ""), R"("condition":{"str":"Reserved"})",
                          reservation("suspended")), Goal::Stopped, Condition::Killed, 5, legacy},
      // 1.5: with the task.
      {marathon, instance(marathon, kOld, task(legacy, kOld, R"({"str":"Reserved"})", "", reservation("suspended")),
                          R"("condition":{"str":"Reserved"})"), Goal::Stopped, Condition::Killed, 0, legacy}};
  for (const Case& c : cases) {
    Nodes nodes = state();
    nodes.erase("instance/8/" + kDisk);
    nodes["instance/8/" + c.instance] = c.node;
    nodes["apps/2/disk"] = disk(c.goal == Goal::Stopped ? 0 : 1).SerializeAsString();
    const auto import = convert(nodes, kRole);
    ASSERT_TRUE(import) << import.error().message;
    marathon::testing::World world(policy());
    for (const auto& [key, value] : import->records) world.store[key] = value;
    world.restart();
    const Instance& taken = world.state().apps.at("/disk").instances.at(c.instance);
    EXPECT_EQ(taken.goal, c.goal) << c.node;
    EXPECT_EQ(taken.condition, c.condition) << c.node;
    EXPECT_EQ(taken.incarnation, c.incarnation) << c.node;
    ASSERT_TRUE(taken.reservation) << c.node;
    EXPECT_EQ(taken.reservation->id, c.id);
    EXPECT_EQ(taken.reservation->volumes.at(0).uuid, "V-1");
  }
}

TEST(OriginalImport, the_same_state_gives_the_same_records) {
  EXPECT_EQ(convert(state(), kRole)->records, convert(state(), kRole)->records);
}

TEST(OriginalImport, reads_definitions_by_their_numbers_on_the_wire) {
  Nodes nodes = state();
  // id 1, cmd 2 { value 3 }, instances 3, version 11, requirePorts 18
  nodes["apps/1/db"] = std::string("\x0a\x03/db\x12\x09\x1a\x07sleep 5\x18\x04\x5a\x14", 20) + kOld + std::string("\x90\x01\x01", 3);
  const auto import = convert(nodes, kRole);
  ASSERT_TRUE(import) << import.error().message;
  std::string text;
  for (const auto& [key, value] : import->records) {
    if (key.starts_with("app:/db@")) text = value;
  }
  EXPECT_TRUE(contains(text, R"("cmd":"sleep 5")") && contains(text, R"("instances":4)")) << text;
  EXPECT_TRUE(contains(text, R"("requirePorts":true)")) << text;
}

TEST(OriginalImport, takes_the_last_failure_of_an_app) {
  Nodes nodes = state();
  TaskFailure failure;
  failure.set_app_id("/web/front");
  failure.mutable_task_id()->set_value("web_front.1");
  failure.set_state(3);
  failure.set_message("out of memory");
  failure.set_host("host2");
  failure.set_version(kOld);
  failure.set_timestamp(kOld);
  nodes["taskFailures/3/web_front"] = failure.SerializeAsString();
  const auto import = convert(nodes, kRole);
  ASSERT_TRUE(import);
  marathon::testing::World world(policy());
  for (const auto& [key, value] : import->records) world.store[key] = value;
  world.restart();
  const std::string app = world.get("/v2/apps//web/front?embed=app.failures").body;
  EXPECT_TRUE(contains(app, "out of memory") && contains(app, "TASK_FAILED")) << app;
}

TEST(OriginalImport, says_what_stays_behind) {
  Nodes nodes = state();
  nodes["deployment/4/d1"] = "x";
  auto app = web(kNew, "serve");
  app.set_role("other");
  nodes["apps/a/web_front"] = app.SerializeAsString();
  nodes[std::string("apps/a/web_front/") + kNew] = nodes["apps/a/web_front"];
  nodes["apps/b/broken"] = "\xff";
  auto old = web(kOld, "serve");
  old.mutable_health_checks(0)->set_protocol(99);
  nodes[std::string("apps/a/web_front/") + kOld] = old.SerializeAsString();
  nodes["instance/7/" + kWeb] = instance(kWeb, kOld, task(kTask, kOld, R"("Running")", "31007"), kRunning);
  const std::string orphan = std::string("gone.instance-") + kUuid;
  nodes["instance/1/" + orphan] = instance(orphan, kOld, task(orphan + "._app.1", kOld, R"("Running")", ""), kRunning);
  const auto import = convert(nodes, kRole);
  ASSERT_TRUE(import) << import.error().message;
  const std::string all = joined(import->left_out);
  for (const char* part : {"deployment d1 under way", "apps/b/broken",
                           "version 2019-03-01T10:00:00.000Z of app /web/front", "/healthChecks", "1 task of /gone",
                           "/web/front: 1 task runs an older definition"}) {
    EXPECT_TRUE(contains(all, part)) << part << " in " << all;
  }
  EXPECT_EQ(joined(import->lost), "");
}

TEST(OriginalImport, says_which_tasks_would_be_ended) {
  Nodes nodes = state();
  auto app = web(kNew, "serve");
  app.set_executor("/opt//own");
  nodes["apps/a/web_front"] = app.SerializeAsString();
  nodes[std::string("apps/a/web_front/") + kNew] = nodes["apps/a/web_front"];
  nodes["instance/2/broken"] = "{";
  Group root;
  ASSERT_TRUE(root.ParseFromString(nodes["group/0/root"]));
  refer(root.add_apps(), "missing", kOld);
  nodes["group/0/root"] = root.SerializeAsString();
  const auto import = convert(nodes, kRole);
  ASSERT_TRUE(import) << import.error().message;
  const std::string all = joined(import->lost);
  for (const char* part : {"app /web/front: /executor: must fully match regular expression",
                           "app /missing: its definition", "instance broken: it is not JSON"}) {
    EXPECT_TRUE(contains(all, part)) << part << " in " << all;
  }
  EXPECT_EQ(import->apps, 2U);
}

TEST(OriginalImport, takes_roles_over) {
  Nodes nodes = state();
  auto app = web(kNew, "serve");
  app.set_role("other");
  nodes["apps/a/web_front"] = app.SerializeAsString();
  nodes[std::string("apps/a/web_front/") + kNew] = nodes["apps/a/web_front"];
  Group root;
  ASSERT_TRUE(root.ParseFromString(nodes["group/0/root"]));
  root.mutable_groups(0)->set_enforce_role(true);
  nodes["group/0/root"] = root.SerializeAsString();
  const auto import = convert(nodes, kRole);
  ASSERT_TRUE(import) << import.error().message;
  EXPECT_EQ(joined(import->left_out), "");
  marathon::testing::World world(policy());
  for (const auto& [key, value] : import->records) world.store[key] = value;
  world.restart();
  EXPECT_TRUE(contains(world.get("/v2/groups/web").body, R"("enforceRole":true)"));
  EXPECT_TRUE(contains(world.get("/v2/apps//web/front").body, R"("role":"other")"));
  EXPECT_TRUE(world.state().roles.contains("other"));
}

TEST(OriginalImport, takes_checks_executors_and_disks_over) {
  Nodes nodes = state();
  auto app = web(kNew, "serve");
  app.set_executor("/opt/own");
  for (const auto& [name, amount] : {std::pair{"cpus", 0.5}, std::pair{"mem", 48.0}, std::pair{"disk", 12.0}, std::pair{"gpus", 0.0}}) {
    auto* resource = app.add_executor_resources();
    resource->set_name(name);
    resource->mutable_scalar()->set_value(amount);
  }
  app.mutable_check()->set_protocol(0);
  app.mutable_check()->set_port_index(0);
  app.mutable_check()->set_path("/up");
  nodes["apps/a/web_front"] = app.SerializeAsString();
  nodes[std::string("apps/a/web_front/") + kNew] = nodes["apps/a/web_front"];
  auto whole = disk();
  auto* persistent = whole.mutable_container()->mutable_volumes(0)->mutable_persistent();
  persistent->set_type(2);
  persistent->set_max_size(128);
  auto* constraint = persistent->add_constraints();
  constraint->set_field("path");
  constraint->set_operator_(1);
  constraint->set_value("/mnt/.*");
  nodes["apps/2/disk"] = whole.SerializeAsString();
  const auto import = convert(nodes, kRole);
  ASSERT_TRUE(import) << import.error().message;
  EXPECT_EQ(joined(import->lost), "");
  EXPECT_EQ(joined(import->left_out), "");
  marathon::testing::World world(policy());
  for (const auto& [key, value] : import->records) world.store[key] = value;
  world.restart();
  const std::string front = world.get("/v2/apps//web/front").body;
  EXPECT_TRUE(contains(front, R"("executorResources":{"cpus":0.5,"mem":48,"disk":12})")) << front;
  EXPECT_TRUE(contains(front, R"("check":{"http":{"portIndex":0,"path":"/up","scheme":"HTTP"},"intervalSeconds":60)")) << front;
  const std::string volume = world.get("/v2/apps//disk").body;
  EXPECT_TRUE(contains(volume, R"("persistent":{"size":64,"maxSize":128,"type":"mount","constraints":[["path","LIKE","/mnt/.*"]]})"))
      << volume;
}

TEST(OriginalImport, takes_nothing_where_volumes_would_be_lost) {
  Nodes nodes = state();
  auto other = disk();
  other.mutable_container()->mutable_volumes(0)->mutable_persistent()->set_type(1);
  other.mutable_container()->mutable_volumes(0)->mutable_persistent()->set_max_size(128);
  nodes["apps/2/disk"] = other.SerializeAsString();
  const std::string why = convert(nodes, kRole).error().message;
  EXPECT_TRUE(contains(why, "has a reservation and cannot be taken over")) << why;
  EXPECT_TRUE(contains(why, "Only mount volumes can have maxSize")) << why;
}

TEST(OriginalImport, knows_the_layouts_from_1_5_to_1_11) {
  struct Case {
    std::string node, error;  // empty: taken
  };
  for (const Case& c : std::vector<Case>{{version_node(1, 5), ""}, {version_node(1, 6, 0), ""}, {version_node(17), ""},
                                         {version_node(18, 100), ""}, {version_node(19, 300), ""}, {version_node(110, 100), ""},
                                         {version_node(1, 4, 6), "let a Marathon 1.5 or 1.6 run on it once"},
                                         {version_node(1, 3, 9, 0), "of version 1.3.9"},
                                         {version_node(111), "newer than 110.100.0"},
                                         {"\xff", "does not decode"}}) {
    Nodes nodes = state();
    nodes["internal:storage:version"] = c.node;
    const auto import = convert(nodes, kRole);
    if (c.error.empty()) {
      EXPECT_TRUE(import) << import.error().message;
    } else {
      ASSERT_FALSE(import);
      EXPECT_TRUE(contains(import.error().message, c.error)) << import.error().message;
    }
  }
  Nodes nodes = state();
  nodes["migration-in-progress"] = "";
  EXPECT_TRUE(contains(convert(nodes, kRole).error().message, "did not finish"));
  nodes = state();
  nodes.erase("framework-id/b/id");
  EXPECT_TRUE(contains(convert(nodes, kRole).error().message, "no framework id"));
  nodes = state();
  nodes.erase("group/0/root");
  EXPECT_TRUE(contains(convert(nodes, kRole).error().message, "no root group"));
  EXPECT_TRUE(contains(convert({}).error().message, "no state of Marathon"));
}

/// What a ZooKeeper has of the state: every node, the large ones compressed.
std::vector<std::pair<std::string, std::string>> stored(const Nodes& state) {
  std::vector<std::pair<std::string, std::string>> out{{"/marathon", ""}, {"/marathon/leader-curator", ""}, {"/marathon/state", ""}};
  std::set<std::string> made;
  for (const auto& [path, data] : state) {
    for (size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
      const std::string above = path.substr(0, at);
      if (!state.contains(above) && made.insert(above).second) out.emplace_back("/marathon/state/" + above, "");
    }
    out.emplace_back("/marathon/state/" + path, path.starts_with("group/") ? base::http::gzip(data) : data);
  }
  out.emplace_back("/marathon/other", "not ours");
  return out;
}

TEST(OriginalImport, reads_everything_below_the_path_and_nothing_else) {
  base::zk::testing::FakeTime time;
  base::zk::FakeZooKeeper server(time.place(), [] { return base::microseconds(200); });
  for (const auto& [path, data] : stored(state())) {
    ASSERT_TRUE(server.force({base::zk::Op::Kind::Create, path, data, -1})) << path;
  }
  const auto before = server.nodes();
  bool connected = false;
  const auto client = server.host("import", time.place()).connect({}, [&](base::zk::SessionState now) {
    connected |= now == base::zk::SessionState::Connected;
  });
  time.run_for(base::seconds(1));
  ASSERT_TRUE(connected);
  std::optional<base::Result<Stored>> read;
  const auto run = [&](const std::string& path) {
    read.reset();
    read_state(*client, path, [&](base::Result<Stored> result) { read = std::move(result); });
    time.run_for(base::seconds(10));
  };
  run("/marathon");
  ASSERT_TRUE(read && *read) << read->error().message;
  EXPECT_EQ((*read)->nodes, state());
  EXPECT_FALSE((*read)->in_use);
  EXPECT_EQ(server.nodes(), before) << "it reads only";
  run("/elsewhere");
  ASSERT_TRUE(read);
  EXPECT_TRUE(contains(read->error().message, "no state of Marathon at /elsewhere/state"));
  ASSERT_TRUE(server.force({base::zk::Op::Kind::Create, "/marathon/leader-curator/_c_1-latch-0000000001", "host:8080", -1}));
  run("/marathon");
  ASSERT_TRUE(read && *read);
  EXPECT_TRUE((*read)->in_use);
}

/// An entry of a tar as the original writes it.
std::string tar_entry(const std::string& name, const std::string& data, char kind = '0') {
  if (name.size() > 100) return tar_entry("././@LongLink", name + '\0', 'L') + tar_entry(name.substr(0, 100), data, kind);
  std::string header(512, '\0');
  const auto put = [&](size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  put(0, name);
  put(100, "0100644");
  put(124, fmt::format("{:011o}", data.size()));
  put(148, std::string(8, ' '));
  header[156] = kind;
  put(257, std::string("ustar\0" "00", 8));
  int sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum) + '\0');
  return header + data + std::string((512 - data.size() % 512) % 512, '\0');
}

/// Nodes as its backup has them.
std::string backup_of(const Nodes& nodes) {
  std::string tar;
  for (const auto& [path, data] : nodes) {
    const auto pieces = base::split(path, '/');
    const auto piece = [&](size_t i) { return std::string(pieces[i]); };
    if (pieces.size() == 3) tar += tar_entry(piece(0) + "/items/" + piece(2), piece(0) == "group" ? base::http::gzip(data) : data);
    if (pieces.size() == 4) tar += tar_entry(piece(0) + "/versions/" + piece(2) + "/" + piece(3), data);
    if (path != "internal:storage:version") continue;
    StoreEntry entry;
    EXPECT_TRUE(entry.ParseFromString(data));
    tar += tar_entry(path + "/items/" + path, entry.value());
  }
  return tar + std::string(1024, '\0');
}

TEST(OriginalImport, reads_the_originals_own_backup) {
  Nodes nodes = state();
  auto deep = web(kOld, "serve");
  const std::string id = "deep_" + std::string(120, 'x');
  deep.set_id("/deep/" + std::string(120, 'x'));
  nodes["apps/3/" + id] = deep.SerializeAsString();
  nodes["pods/2/pair/2019-03-01T10:00Z"] = pair();  // as Java writes a time of a whole minute
  const auto read = nodes_of_backup(backup_of(nodes));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->contains("apps/0/" + id));
  EXPECT_TRUE(read->contains("pods/0/pair/2019-03-01T10:00:00Z"));
  const auto from_backup = convert(*nodes_of_backup(backup_of(state())), kRole), from_zookeeper = convert(state(), kRole);
  ASSERT_TRUE(from_backup) << from_backup.error().message;
  EXPECT_EQ(from_backup->records, from_zookeeper->records);
}

TEST(OriginalImport, refuses_what_is_no_whole_backup) {
  const std::string whole = backup_of(state());
  for (size_t cut = 0; cut + 1024 <= whole.size(); cut += 257) {
    EXPECT_FALSE(nodes_of_backup(std::string_view(whole).substr(0, cut))) << cut;
  }
  const auto refused = [](const std::string& tar, const std::string& why) {
    const auto read = nodes_of_backup(tar + std::string(1024, '\0'));
    ASSERT_FALSE(read) << why;
    EXPECT_TRUE(contains(read.error().message, why)) << read.error().message;
  };
  std::string spoilt = whole;
  spoilt[3] = 'X';
  refused(spoilt, "damaged");
  refused("", "of which version");
  refused(std::string(512, 'x'), "not a tar");
  refused(tar_entry("apps/items/a", "", '5'), "kind '5'");
  refused(tar_entry("somewhere/else", ""), "'somewhere/else' is not the name of a node");
  std::string huge = tar_entry("apps/items/a", "");
  huge.replace(124, 11, "77777777777");
  refused(huge, "damaged");
}

TEST(OriginalImport, reads_from_a_real_zookeeper) {
  if (!base::zk::testing::TestServer::available()) GTEST_SKIP() << "the package zookeeper is not installed";
  auto server = base::zk::testing::TestServer::start();
  ASSERT_TRUE(server) << server.error().message;
  base::Loop loop;
  const auto guard = loop.after(base::seconds(60), [&] { loop.stop(1); });
  const auto host = base::zk::real_host(loop, base::zk::parse_url("zk://" + (*server)->address() + "/marathon").value());
  // As large as the original lets it be: nearly what ZooKeeper takes.
  Nodes big = state();
  auto app = web(kNew, "serve --new");
  app.mutable_cmd()->mutable_environment()->mutable_variables(0)->set_value(std::string(900'000, 'x'));
  big["apps/a/web_front"] = big[std::string("apps/a/web_front/") + kNew] = app.SerializeAsString();
  const auto nodes = stored(big);
  std::optional<base::Result<Stored>> read;
  std::unique_ptr<base::zk::Client> client;
  size_t made = 0;
  const auto made_one = [&](base::zk::Rc rc, const std::string&) {
    ASSERT_EQ(rc, base::zk::Rc::Ok);
    if (++made < nodes.size()) return;
    read_state(*client, "/marathon", [&](base::Result<Stored> result) {
      read = std::move(result);
      loop.stop();
    });
  };
  bool begun = false;
  client = host.connect({}, [&](base::zk::SessionState now) {
    if (now != base::zk::SessionState::Connected || begun) return;
    begun = true;
    for (const auto& [path, data] : nodes) client->create(path, data, base::zk::CreateMode::Persistent, made_one);
  });
  ASSERT_EQ(loop.run(), 0);
  loop.cancel(guard);
  ASSERT_TRUE(read && *read) << (read ? read->error().message : "no answer");
  EXPECT_EQ((*read)->nodes, big);
}

}  // namespace
}  // namespace marathon::original
