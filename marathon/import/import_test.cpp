// What the state of an original becomes, and how a scheduler goes on with it.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/strings.hpp"
#include "kernel/api/mesos/v1/mesos.pb.h"
#include "marathon/import/convert.hpp"
#include "marathon/import/original.pb.h"
#include "marathon/import/testing.hpp"
#include "marathon/testing.hpp"

namespace marathon::original {
namespace {

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

}  // namespace
}  // namespace marathon::original
