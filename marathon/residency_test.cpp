// Conversations about apps with persistent volumes.

#include "marathon/residency.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"
#include "marathon/testing.hpp"

namespace marathon {
namespace {

using testing::World;

Policy with_role() {
  Policy policy;
  policy.defaults.role = policy.validation.role = "web";
  policy.principal = "marathon";
  return policy;
}

std::string app(int instances, const std::string& cmd = "sleep 100", double size = 64) {
  return R"({"id":"/db","cmd":")" + cmd + R"(","cpus":0.5,"mem":32,"disk":1,"instances":)" + std::to_string(instances) +
         R"(,"container":{"type":"MESOS","volumes":[{"containerPath":"data","persistent":{"size":)" +
         std::to_string(static_cast<int>(size)) + "}}]}}";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

size_t reserved(const World& world) {
  size_t count = 0;
  for (const auto& agent : world.agents) count += agent.reserved.size();
  return count;
}

std::string volume_of(const World& world, const std::string& task) {
  for (const auto& resource : world.tasks.at(task).info->resources())
    if (resource.disk().has_persistence()) return resource.disk().persistence().id();
  return {};
}

TEST(Residency, reserves_creates_and_launches_at_once) {
  World world(with_role());
  world.subscribe();
  ASSERT_EQ(world.post_app(app(1)).status, 201);
  ASSERT_EQ(world.running("/db"), 1U);
  const std::string task = world.tasks_of("/db")[0];
  EXPECT_TRUE(volume_of(world, task).starts_with("db#data#")) << volume_of(world, task);
  for (const auto& resource : world.tasks.at(task).info->resources()) {
    EXPECT_EQ(resource.reservations(0).role(), "web");
    EXPECT_EQ(resource.reservations(0).principal(), "marathon");
    EXPECT_EQ(resource.reservations(0).labels().labels(1).value(), task);
  }
  EXPECT_EQ(world.tasks.at(task).info->container().volumes_size(), 0);  // it comes with its resource
  EXPECT_EQ(reserved(world), 5U);  // cpus, mem, disk, volume, port
  const std::string shown = world.get("/v2/apps//db/tasks").body;
  EXPECT_TRUE(contains(shown, R"("containerPath":"data")")) << shown;
  EXPECT_TRUE(contains(shown, volume_of(world, task))) << shown;
  const std::string definition = world.get("/v2/apps//db").body;
  EXPECT_TRUE(contains(definition, R"("unreachableStrategy":"disabled")")) << definition;
  EXPECT_TRUE(contains(definition, R"("taskLostBehavior":"WAIT_FOREVER")")) << definition;
}

TEST(Residency, relaunches_on_the_same_agent_with_the_same_volume) {
  World world(with_role());
  world.subscribe();
  world.post_app(app(1));
  const std::string first = world.tasks_of("/db")[0];
  const std::string volume = volume_of(world, first), agent = world.tasks.at(first).agent;
  for (const char* end : {"TASK_FAILED", "TASK_FINISHED", "TASK_GONE"}) {
    world.update(world.tasks_of("/db")[0], end);
    world.advance(base::minutes(10));
    world.offer_all();
    ASSERT_EQ(world.running("/db"), 1U) << end;
    const std::string again = world.tasks_of("/db")[0];
    EXPECT_NE(again, first);
    EXPECT_EQ(volume_of(world, again), volume);
    EXPECT_EQ(world.tasks.at(again).agent, agent);
  }
  EXPECT_EQ(reserved(world), 5U);
  world.restart();
  world.subscribe();
  world.request("DELETE", "/v2/tasks/" + world.tasks_of("/db")[0]);
  world.request("POST", "/v2/tasks/delete", R"({"ids":[]})");
  for (const auto& task : world.tasks_of("/db")) world.update(task, "TASK_KILLED");
  world.advance(base::minutes(10));
  world.offer_all();
  ASSERT_EQ(world.running("/db"), 1U);
  EXPECT_EQ(volume_of(world, world.tasks_of("/db")[0]), volume);
}

TEST(Residency, waits_for_its_reservation_and_says_so_in_the_queue) {
  World world(with_role());
  world.subscribe();
  world.post_app(app(1));
  const std::string task = world.tasks_of("/db")[0], agent = world.tasks.at(task).agent;
  const auto held = world.agents;
  for (auto& each : world.agents) each.reserved.clear();  // as while its agent is away
  world.update(task, "TASK_FAILED");
  world.advance(base::minutes(10));
  world.offer_all();
  EXPECT_EQ(world.running("/db"), 0U);
  const std::string queue = world.get("/v2/queue").body;
  EXPECT_TRUE(contains(queue, R"("reason":"NoCorrespondingReservationFound","declined":)")) << queue;
  const std::string why = world.get("/v2/queue?embed=explanation").body;
  EXPECT_TRUE(contains(why, "it is on agent '" + agent + "'")) << why;
  world.agents = held;
  world.advance(base::minutes(3));
  world.offer_all();
  world.advance(base::minutes(3));
  world.offer_all();
  ASSERT_EQ(world.running("/db"), 1U);
  EXPECT_EQ(world.tasks.at(world.tasks_of("/db")[0]).agent, agent);
}

TEST(Residency, keeps_its_ports_while_it_does_not_run) {
  World world(with_role(), {{"A1", "host1"}});
  world.subscribe();
  const auto with_port = [](const std::string& text) {
    return text.substr(0, text.size() - 1) + R"(,"requirePorts":true,"portDefinitions":[{"port":31005},{"port":31006}]})";
  };
  ASSERT_EQ(world.post_app(with_port(app(1))).status, 201);
  ASSERT_EQ(world.running("/db"), 1U);
  world.request("PUT", "/v2/apps//db", R"({"instances":0})");
  ASSERT_EQ(world.running("/db"), 0U);
  ASSERT_EQ(world.post_app(R"({"id":"/other","cmd":"x","cpus":0.1,"mem":32,
    "requirePorts":true,"portDefinitions":[{"port":31005}]})").status, 201);
  world.advance(base::minutes(5));
  world.offer_all();
  EXPECT_EQ(world.running("/other"), 0U) << "the port is kept";
  world.restart();
  world.subscribe();
  world.request("PUT", "/v2/apps//db", R"({"instances":1})");
  world.advance(base::minutes(5));
  world.offer_all();
  ASSERT_EQ(world.running("/db"), 1U);
  const std::string shown = world.get("/v2/apps//db/tasks").body;
  EXPECT_TRUE(contains(shown, R"("ports":[31005,31006])")) << shown;
  const auto moved = world.request("PUT", "/v2/apps//db", R"({"portDefinitions":[{"port":31005},{"port":31007}]})");
  EXPECT_TRUE(contains(moved.body, "may not change host ports")) << moved.body;
  world.request("DELETE", "/v2/apps//db?force=true");
  world.advance(base::minutes(5));
  world.offer_all();
  world.advance(base::minutes(5));
  world.offer_all();
  EXPECT_EQ(world.running("/other"), 1U);
}

TEST(Residency, has_the_same_ports_over_relaunches_and_others_where_it_had_none) {
  World world(with_role());
  world.subscribe();
  ASSERT_EQ(world.post_app(app(1)).status, 201);
  const auto ports = [&] { return world.state().apps.at("/db").instances.begin()->second.host_ports; };
  const std::vector<int> before = ports();
  world.update(world.tasks_of("/db")[0], "TASK_FAILED");
  world.advance(base::minutes(10));
  world.offer_all();
  ASSERT_EQ(world.running("/db"), 1U);
  EXPECT_EQ(ports(), before);
  // A reservation from before ports were kept.
  for (auto& agent : world.agents) std::erase_if(agent.reserved, [](const auto& resource) { return resource->name() == "ports"; });
  world.update(world.tasks_of("/db")[0], "TASK_FAILED");
  world.advance(base::minutes(10));
  world.offer_all();
  ASSERT_EQ(world.running("/db"), 1U);
  EXPECT_EQ(ports().size(), 1U);
}

TEST(Residency, gives_everything_back_when_the_app_is_deleted) {
  World world(with_role());
  world.subscribe();
  world.post_app(app(2));
  ASSERT_EQ(world.running("/db"), 2U);
  EXPECT_EQ(world.request("DELETE", "/v2/apps//db").status, 200);
  world.offer_all();
  EXPECT_EQ(reserved(world), 0U);
  EXPECT_TRUE(world.state().releases.empty());
  world.advance(base::minutes(1));
  for (const auto& [key, value] : world.store) EXPECT_FALSE(key.starts_with("release:") || key.starts_with("instance:")) << key;
}

TEST(Residency, gives_back_after_a_restart_what_it_could_not_before) {
  World world(with_role());
  world.auto_offer = false;
  world.subscribe();
  world.post_app(app(1));
  world.offer_all();
  ASSERT_EQ(world.running("/db"), 1U);
  world.request("DELETE", "/v2/apps//db");
  ASSERT_EQ(reserved(world), 5U);
  world.restart();
  EXPECT_EQ(world.state().releases.size(), 1U);
  world.subscribe();
  world.offer_all();
  EXPECT_EQ(reserved(world), 0U);
  EXPECT_TRUE(world.state().releases.empty());
}

TEST(Residency, keeps_the_data_of_a_record_that_it_cannot_read) {
  World world(with_role());
  world.subscribe();
  world.post_app(app(1));
  ASSERT_EQ(reserved(world), 5U);
  for (auto& [key, value] : world.store)
    if (key.starts_with("instance:")) value = "{broken";
  for (const auto& task : world.tasks_of("/db")) world.tasks.at(task).state = "TASK_KILLED";
  world.restart();
  world.subscribe();
  world.offer_all();
  size_t volumes = 0;
  for (const auto& agent : world.agents)
    for (const auto& resource : agent.reserved) volumes += resource->disk().has_persistence() ? 1 : 0;
  EXPECT_EQ(volumes, 2U);  // the old one, and that of the new instance
}

TEST(Residency, scaling_down_keeps_the_volume_for_scaling_up) {
  World world(with_role());
  world.subscribe();
  world.post_app(app(1));
  const std::string volume = volume_of(world, world.tasks_of("/db")[0]);
  EXPECT_EQ(world.request("PUT", "/v2/apps//db", R"({"instances":0})").status, 200);
  world.offer_all();
  EXPECT_EQ(world.running("/db"), 0U);
  EXPECT_EQ(reserved(world), 5U);
  EXPECT_TRUE(world.state().deployments.empty());
  world.restart();
  world.subscribe();
  EXPECT_EQ(world.request("PUT", "/v2/apps//db", R"({"instances":1})").status, 200);
  world.advance(base::minutes(5));
  world.offer_all();
  ASSERT_EQ(world.running("/db"), 1U);
  EXPECT_EQ(volume_of(world, world.tasks_of("/db")[0]), volume);
  EXPECT_EQ(reserved(world), 5U);
  world.request("PUT", "/v2/apps//db", R"({"instances":0})");
  world.request("DELETE", "/v2/apps//db");
  world.advance(base::minutes(5));
  world.offer_all();
  EXPECT_EQ(reserved(world), 0U);
}

TEST(Residency, an_upgrade_goes_on_with_the_same_volume) {
  World world(with_role());
  world.subscribe();
  world.post_app(app(2));
  std::set<std::string> before, after;
  for (const auto& task : world.tasks_of("/db")) before.insert(volume_of(world, task));
  EXPECT_EQ(world.request("PUT", "/v2/apps//db", R"({"cmd":"sleep 200"})").status, 200);
  for (int i = 0; i < 4; ++i) {
    world.advance(base::minutes(5));
    world.offer_all();
  }
  ASSERT_EQ(world.running("/db"), 2U);
  for (const auto& task : world.tasks_of("/db")) {
    after.insert(volume_of(world, task));
    EXPECT_EQ(world.tasks.at(task).info->command().value(), "sleep 200");
  }
  EXPECT_EQ(before, after);
  EXPECT_TRUE(world.state().deployments.empty());
  EXPECT_EQ(reserved(world), 10U);
}

TEST(Residency, wipe_destroys_and_begins_anew) {
  World world(with_role());
  world.subscribe();
  world.post_app(app(1));
  const std::string task = world.tasks_of("/db")[0], volume = volume_of(world, task);
  EXPECT_EQ(world.request("DELETE", "/v2/apps//db/tasks/" + task + "?wipe=true").status, 200);
  world.advance(base::minutes(5));
  world.offer_all();
  ASSERT_EQ(world.running("/db"), 1U);
  EXPECT_NE(volume_of(world, world.tasks_of("/db")[0]), volume);
  EXPECT_EQ(reserved(world), 5U);
}

TEST(Residency, begins_anew_when_its_reservation_was_refused) {
  World world(with_role());
  world.subscribe(false);
  world.auto_run = false;
  world.post_app(app(1));
  world.offer_all();
  const std::string task = world.tasks_of("/db")[0];
  world.update(task, "TASK_ERROR", "refused");  // before anything said that the agent had it
  world.auto_run = true;
  world.advance(base::minutes(5));
  world.offer_all();
  world.advance(base::minutes(5));
  world.offer_all();
  ASSERT_EQ(world.running("/db"), 1U);
  EXPECT_EQ(reserved(world), 5U);
}

TEST(Residency, begins_anew_when_its_agent_never_had_the_task_whatever_the_master_believed) {
  World world(with_role());
  world.subscribe(false);
  world.auto_run = false;
  world.post_app(app(1));
  world.offer_all();
  const std::string task = world.tasks_of("/db")[0];
  world.update(task, "TASK_STAGING", "Reconciliation: Latest task state");
  world.restart();
  world.subscribe(false);
  world.update(task, "TASK_DROPPED", "The agent does not know this task");
  for (auto& each : world.agents) each.reserved.clear();  // the call never came to it
  world.auto_run = true;
  for (int i = 0; i < 3; ++i) {
    world.advance(base::minutes(5));
    world.offer_all();
  }
  ASSERT_EQ(world.running("/db"), 1U);
}

TEST(Residency, is_not_launched_when_it_is_stopped_before_its_record_is_durable) {
  for (const char* body : {R"({"instances":0})", R"({"cmd":"sleep 200"})"}) {
    World world(with_role());
    world.subscribe(false);
    world.auto_offer = false;
    world.post_app(app(1));
    world.store_answers = false;
    world.offer_all();
    ASSERT_EQ(world.state().apps.at("/db").instances.begin()->second.condition, Condition::Provisioned);
    world.request("PUT", "/v2/apps//db?force=true", body);
    world.request("DELETE", "/v2/apps//db/tasks");
    EXPECT_EQ(std::count(world.calls.begin(), world.calls.end(), "KILL"), 0) << "the master does not know the task yet";
    world.store_answers = true;
    world.release_store();
    EXPECT_TRUE(world.tasks.empty()) << body;
    EXPECT_EQ(reserved(world), 0U);
    EXPECT_TRUE(world.state().releases.empty()) << "nothing was reserved that would have to be given back";
    world.request("PUT", "/v2/apps//db?force=true", R"({"instances":1})");
    world.advance(base::minutes(5));
    world.offer_all();
    EXPECT_EQ(world.running("/db"), 1U) << body;
    EXPECT_EQ(reserved(world), 5U);
  }
}

TEST(Residency, refuses_changes_and_definitions_that_cannot_hold) {
  World world(with_role());
  world.subscribe();
  world.post_app(app(1));
  const auto larger = world.request("PUT", "/v2/apps//db", app(1, "sleep 100", 128));
  EXPECT_EQ(larger.status, 422);
  EXPECT_TRUE(contains(larger.body, "Persistent volumes can not be changed!")) << larger.body;
  const auto cpus = world.request("PUT", "/v2/apps//db", R"({"cpus":1})");
  EXPECT_EQ(cpus.status, 422);
  EXPECT_TRUE(contains(cpus.body, "\"/cpus\",\"errors\":[\"Services with persistent volumes configured may not change resource "
                                  "requirements.")) << cpus.body;
  const auto bad = [&](const std::string& volume, const std::string& more = "") {
    const auto answer = world.post_app(R"({"id":"/x","cmd":"x","container":{"type":"MESOS","volumes":[)" + volume + "]}" +
                                       more + "}");
    EXPECT_EQ(answer.status, 422) << answer.body;
    return answer.body;
  };
  EXPECT_TRUE(contains(bad(R"({"containerPath":"a/b","persistent":{"size":1}})"), "/container/volumes(0)/containerPath"));
  EXPECT_TRUE(contains(bad(R"({"containerPath":"a","persistent":{"size":0}})"), "expected more than 0"));
  EXPECT_TRUE(contains(bad(R"({"containerPath":"a","mode":"RO","persistent":{"size":1}})"), "must be RW"));
  EXPECT_TRUE(contains(bad(R"({"containerPath":"a","persistent":{"size":1,"type":"path","maxSize":2}})"),
                       "Only mount volumes can have maxSize"));
  EXPECT_TRUE(contains(bad(R"({"containerPath":"a","persistent":{"size":2,"type":"mount","maxSize":2}})"),
                       "Max size must be larger than size"));
  EXPECT_TRUE(contains(bad(R"({"containerPath":"a","persistent":{"size":2,"profileName":""}})"), "/profileName"));
  EXPECT_TRUE(contains(bad(R"({"containerPath":"a","persistent":{"size":2,"constraints":[["path","LIKE","/a"]]}})"),
                       "Constraints on root volumes are not supported"));
  for (const auto& [constraint, why] : {std::pair(R"(["path","LIKE","("])", "Invalid regular expression"),
                                        std::pair(R"(["path","UNIQUE","a"])", "Operator must be one of LIKE, UNLIKE"),
                                        std::pair(R"(["path","NEAR","a"])", "unknown constraint operator NEAR"),
                                        std::pair(R"(["rack","LIKE","a"])", "Unsupported constraint"),
                                        std::pair(R"(["path","LIKE"])", "Unsupported constraint"),
                                        std::pair("[]", "Missing field and operator")}) {
    const std::string body = bad(R"({"containerPath":"a","persistent":{"size":1,"type":"path","constraints":[)" +
                                 std::string(constraint) + "]}}");
    EXPECT_TRUE(contains(body, why) && contains(body, "/container/volumes(0)/persistent/constraints(0)")) << body;
  }
  EXPECT_TRUE(contains(bad(R"({"containerPath":"a","persistent":{"size":1}})",
                           R"(,"unreachableStrategy":{"inactiveAfterSeconds":0,"expungeAfterSeconds":0})"),
                       "unreachableStrategy must be disabled for resident tasks"));
}

std::string pod(int instances, const std::string& cmd = "sleep 100", const std::string& more = "") {
  const auto container = [&](const std::string& name) {
    return R"({"name":")" + name + R"(","exec":{"command":{"shell":")" + cmd +
           R"("}},"resources":{"cpus":0.2,"mem":32},"volumeMounts":[{"name":"data","mountPath":"var"}]})";
  };
  return R"({"id":"/pair","containers":[)" + container("a") + "," + container("b") +
         R"(],"volumes":[{"name":"data","persistent":{"size":64}}],"scaling":{"kind":"fixed","instances":)" +
         std::to_string(instances) + "}" + more + "}";
}

/// The volume of the executor under which the task runs, and the agent.
std::string volume_of_pod(const World& world, const std::string& task) {
  for (const auto& resource : world.tasks.at(task).executor->resources())
    if (resource.disk().has_persistence()) return resource.disk().persistence().id() + " on " + world.tasks.at(task).agent;
  return {};
}

TEST(ResidentPods, have_their_volumes_at_the_executor_and_mount_them_in_containers) {
  World world(with_role());
  world.subscribe();
  ASSERT_EQ(world.request("POST", "/v2/pods", pod(1)).status, 201);
  const auto tasks = world.tasks_of("/pair");
  ASSERT_EQ(tasks.size(), 2U);
  const auto& executor = *world.tasks.at(tasks[0]).executor;
  size_t volumes = 0;
  for (const auto& resource : executor.resources()) {
    if (resource.name() == "ports") continue;
    EXPECT_EQ(resource.reservations(0).role(), "web");
    if (!resource.disk().has_persistence()) continue;
    ++volumes;
    EXPECT_EQ(resource.disk().volume().container_path(), "data");
    EXPECT_EQ(resource.scalar().value(), 64);
    EXPECT_TRUE(resource.disk().persistence().id().starts_with("pair#data#"));
  }
  EXPECT_EQ(volumes, 1U);
  for (const auto& task : tasks) {
    const auto& info = *world.tasks.at(task).info;
    ASSERT_EQ(info.container().volumes_size(), 1);
    EXPECT_EQ(info.container().volumes(0).container_path(), "var");
    EXPECT_EQ(info.container().volumes(0).source().sandbox_path().path(), "data");
    for (const auto& resource : info.resources()) {
      EXPECT_FALSE(resource.disk().has_persistence());
      EXPECT_EQ(resource.reservations(0).role(), "web");
    }
  }
  EXPECT_EQ(reserved(world), 4U);  // cpus, mem, disk of the executor, volume
  const std::string status = world.get("/v2/pods/pair::status").body;
  EXPECT_TRUE(contains(status, R"("containerPath":"data")")) << status;
  EXPECT_TRUE(contains(status, R"("persistenceId":"pair#data#)")) << status;
  const std::string definition = world.get("/v2/pods/pair").body;
  EXPECT_TRUE(contains(definition, R"("persistent":{"size":64,"type":"root","constraints":[]})")) << definition;
  EXPECT_TRUE(contains(definition, R"("unreachableStrategy":"disabled")")) << definition;
  EXPECT_TRUE(contains(definition, R"("maximumOverCapacity":0)")) << definition;
}

TEST(ResidentPods, come_back_on_their_reservation_after_failures_upgrades_pauses_and_restarts) {
  World world(with_role());
  world.subscribe();
  world.request("POST", "/v2/pods", pod(1));
  const std::string volume = volume_of_pod(world, world.tasks_of("/pair")[0]);
  const auto settled = [&](const char* what) {
    for (int i = 0; i < 4; ++i) {
      world.advance(base::minutes(5));
      world.offer_all();
    }
    ASSERT_EQ(world.running("/pair"), 2U) << what;
    for (const auto& task : world.tasks_of("/pair")) EXPECT_EQ(volume_of_pod(world, task), volume) << what;
    EXPECT_EQ(reserved(world), 4U) << what;
    EXPECT_TRUE(world.state().deployments.empty()) << what;
  };
  const std::string first = world.tasks_of("/pair")[0];
  world.update(first, "TASK_FAILED");
  for (const std::string& other : world.siblings(first)) world.update(other, "TASK_KILLED");
  settled("a failure");
  const std::string instance = world.state().apps.at("/pair").instances.begin()->first;
  EXPECT_EQ(world.request("DELETE", "/v2/pods/pair::instances/" + instance).status, 200);
  settled("a kill");
  EXPECT_EQ(world.request("PUT", "/v2/pods/pair", pod(1, "sleep 200")).status, 200);
  settled("an upgrade");
  EXPECT_EQ(world.tasks.at(world.tasks_of("/pair")[0]).info->command().value(), "sleep 200");
  EXPECT_EQ(world.request("PUT", "/v2/pods/pair", pod(0, "sleep 200")).status, 200);
  world.offer_all();
  EXPECT_EQ(world.running("/pair"), 0U);
  EXPECT_EQ(reserved(world), 4U);
  world.restart();
  world.subscribe();
  EXPECT_EQ(world.request("PUT", "/v2/pods/pair", pod(1, "sleep 200")).status, 200);
  settled("a pause");
  // Its agent is away for long: it waits.
  const auto away = world.tasks_of("/pair");
  for (const auto& task : away) world.update(task, "TASK_UNREACHABLE");
  world.advance(base::hours(2));
  EXPECT_EQ(world.state().apps.at("/pair").instances.size(), 1U);
  for (const auto& task : away) world.update(task, "TASK_RUNNING");
  settled("a partition");
}

TEST(ResidentPods, give_everything_back_when_they_are_wiped_or_deleted) {
  World world(with_role());
  world.subscribe();
  world.request("POST", "/v2/pods", pod(2));
  const std::string task = world.tasks_of("/pair")[0], volume = volume_of_pod(world, task);
  const std::string instance = parse_task_id(task)->instance;
  EXPECT_EQ(world.request("DELETE", "/v2/pods/pair::instances/" + instance + "?wipe=true").status, 200);
  for (int i = 0; i < 3; ++i) {
    world.advance(base::minutes(5));
    world.offer_all();
  }
  ASSERT_EQ(world.running("/pair"), 4U);
  EXPECT_EQ(reserved(world), 8U);
  for (const auto& each : world.tasks_of("/pair")) EXPECT_NE(volume_of_pod(world, each), volume);
  EXPECT_EQ(world.request("DELETE", "/v2/pods/pair").status, 202);
  world.offer_all();
  EXPECT_EQ(reserved(world), 0U);
  EXPECT_TRUE(world.state().releases.empty());
}

TEST(ResidentPods, go_with_their_group_and_so_do_apps) {
  World world(with_role());
  world.subscribe();
  const auto in_group = [](std::string text, const std::string& id) {
    return text.replace(text.find(id), id.size(), "/g" + id);
  };
  ASSERT_EQ(world.request("POST", "/v2/pods", in_group(pod(1), "/pair")).status, 201);
  ASSERT_EQ(world.post_app(in_group(app(2), "/db")).status, 201);
  ASSERT_EQ(reserved(world), 14U);
  EXPECT_EQ(world.request("DELETE", "/v2/groups/g").status, 200);
  for (int i = 0; i < 3; ++i) {
    world.advance(base::minutes(1));
    world.offer_all();
  }
  EXPECT_EQ(reserved(world), 0U);
  EXPECT_TRUE(world.state().releases.empty());
}

TEST(ResidentPods, refuse_changes_and_definitions_that_cannot_hold) {
  World world(with_role());
  world.subscribe();
  world.request("POST", "/v2/pods", pod(1));
  const auto refused = [&](const std::string& body, const std::string& why) {
    const auto answer = world.request("PUT", "/v2/pods/pair", body);
    EXPECT_EQ(answer.status, 422) << body;
    EXPECT_TRUE(contains(answer.body, why)) << answer.body;
  };
  const auto with = [](std::string text, const std::string& from, const std::string& to) {
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  refused(with(pod(1), R"("size":64)", R"("size":65)"), "persistent volumes cannot be updated");
  refused(with(pod(1), R"("cpus":0.2)", R"("cpus":0.3)"), "cpus cannot be updated if a pod has persistent volumes");
  refused(with(pod(1), R"("mem":32)", R"("mem":33)"), "mem cannot be updated if a pod has persistent volumes");
  refused(with(pod(1), R"("name":"a",)", R"("name":"a","endpoints":[{"name":"e","hostPort":31005}],)"),
          "host ports cannot be updated if a pod has persistent volumes");
  refused(pod(1, "sleep 1", R"(,"scheduling":{"unreachableStrategy":{"inactiveAfterSeconds":1,"expungeAfterSeconds":1}})"),
          "unreachableStrategy must be disabled for pods with persistent volumes");
  refused(pod(1, "sleep 1", R"(,"scheduling":{"upgrade":{"minimumHealthCapacity":1,"maximumOverCapacity":1}})"),
          "/scheduling/upgrade/maximumOverCapacity");
  refused(with(pod(1), R"("size":64)", R"("size":0)"), "expected more than 0");
  EXPECT_EQ(world.running("/pair"), 2U);
}

}  // namespace
}  // namespace marathon
