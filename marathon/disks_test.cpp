// Persistent volumes on disks that are not the root disk: which are taken, and whole conversations with them.

#include "marathon/disks.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kernel/api/mesos/v1/tasks.pb.h"
#include "marathon/testing.hpp"

namespace marathon {
namespace {

using testing::Disk;
using testing::World;

PersistentDisk disk(DiskType type, int64_t size) {
  PersistentDisk out;
  out.type = type;
  out.size_mb = size;
  return out;
}

App with(std::vector<PersistentDisk> disks) {
  App app;
  app.id = "/db";
  app.container.emplace();
  for (PersistentDisk& each : disks) {
    Volume volume;
    volume.container_path = "v" + std::to_string(app.container->volumes.size());
    volume.persistent = std::move(each);
    app.container->volumes.push_back(std::move(volume));
  }
  return app;
}

Offer offer() {
  Offer out;
  out.disk = {{"*", 100'000, 0}};
  out.disks = {{"*", DiskType::Path, "/data/a", "", 50'000, 1},   {"*", DiskType::Path, "/data/b", "", 80'000, 2},
               {"*", DiskType::Mount, "/mnt/big", "", 500'000, 3}, {"*", DiskType::Mount, "/mnt/small", "", 90'000, 4},
               {"*", DiskType::Mount, "/mnt/fast", "ssd", 60'000, 5}, {"web", DiskType::Mount, "/mnt/own", "", 60'000, 6}};
  return out;
}

/// "index:amount ..." of the volumes, or "no".
std::string placed(const App& app, const std::vector<std::string>& roles = {"*"}) {
  Offer left = offer();
  Placement placement;
  if (!place_volumes(left, app, roles, placement)) return "no";
  std::string text;
  for (const PlacedScalar& volume : placement.volumes) text += fmt::format("{}:{} ", volume.index, volume.amount / 1000);
  return text;
}

TEST(Disks, of_the_kind_that_was_asked_for) {
  EXPECT_EQ(placed(with({disk(DiskType::Root, 40)})), "0:40 ");
  EXPECT_EQ(placed(with({disk(DiskType::Root, 101)})), "no");
  EXPECT_EQ(placed(with({disk(DiskType::Path, 40)})), "2:40 ") << "the roomiest";
  EXPECT_EQ(placed(with({disk(DiskType::Path, 81)})), "no");
  EXPECT_EQ(placed(with({disk(DiskType::Mount, 40)})), "4:90 ") << "the smallest that will do, whole";
  EXPECT_EQ(placed(with({disk(DiskType::Mount, 91)})), "3:500 ");
  EXPECT_EQ(placed(with({disk(DiskType::Mount, 40)}), {"web", "*"}), "6:60 ");
}

TEST(Disks, larger_than_the_most_are_left_alone) {
  PersistentDisk most = disk(DiskType::Mount, 91);
  most.max_size_mb = 499;
  EXPECT_EQ(placed(with({most})), "no");
  most.max_size_mb = 500;
  EXPECT_EQ(placed(with({most})), "3:500 ");
}

TEST(Disks, with_a_profile_only_for_those_who_name_it) {
  PersistentDisk fast = disk(DiskType::Mount, 10);
  fast.profile_name = "ssd";
  EXPECT_EQ(placed(with({fast})), "5:60 ");
  fast.profile_name = "tape";
  EXPECT_EQ(placed(with({fast})), "no");
}

TEST(Disks, whose_path_fits_all_constraints) {
  PersistentDisk wanted = disk(DiskType::Path, 10);
  wanted.constraints = {{"path", ConstraintOperator::Like, "/data/a"}};
  EXPECT_EQ(placed(with({wanted})), "1:10 ");
  wanted.constraints = {{"path", ConstraintOperator::Like, "/data"}};
  EXPECT_EQ(placed(with({wanted})), "no") << "the whole path";
  wanted.constraints = {{"path", ConstraintOperator::Like, "/data/."}, {"path", ConstraintOperator::Unlike, "/data/b"}};
  EXPECT_EQ(placed(with({wanted})), "1:10 ");
}

TEST(Disks, for_several_volumes_the_largest_first) {
  EXPECT_EQ(placed(with({disk(DiskType::Mount, 20), disk(DiskType::Mount, 80)})), "3:500 4:90 ");
  EXPECT_EQ(placed(with({disk(DiskType::Mount, 20), disk(DiskType::Mount, 20), disk(DiskType::Mount, 20)})), "no");
  EXPECT_EQ(placed(with({disk(DiskType::Path, 30), disk(DiskType::Path, 60), disk(DiskType::Root, 5)})), "1:30 2:60 0:5 ");
}

Policy with_role() {
  Policy policy;
  policy.defaults.role = policy.validation.role = "web";
  policy.principal = "marathon";
  return policy;
}

/// Two agents, of which the second has disks.
std::vector<testing::Agent> agents() {
  testing::Agent plain{"A1", "host1"}, rich{"A2", "host2"};
  rich.disks = {Disk{true, "/mnt/one", 200}, Disk{true, "/mnt/two", 300}, Disk{false, "/data", 1000}};
  return {plain, rich};
}

std::string app(const std::string& persistent, int instances = 1) {
  return R"({"id":"/db","cmd":"sleep 100","cpus":0.5,"mem":32,"disk":1,"instances":)" + std::to_string(instances) +
         R"(,"container":{"type":"MESOS","volumes":[{"containerPath":"data","persistent":)" + persistent + "}]}}";
}

std::string pod(const std::string& persistent) {
  return R"({"id":"/db","containers":[{"name":"a","exec":{"command":{"shell":"sleep 9"}},"resources":{"cpus":0.1,"mem":32},)"
         R"("volumeMounts":[{"name":"data","mountPath":"d"}]}],"volumes":[{"name":"data","persistent":)" + persistent + "}]}";
}

template <class Resources>
std::string volume_in(const Resources& resources) {
  std::string text;
  for (const auto& resource : resources) {
    if (!resource.disk().has_persistence()) continue;
    const auto& source = resource.disk().source();
    text += fmt::format("{} on {}", resource.scalar().value(), source.has_mount() ? source.mount().root() : source.path().root());
  }
  return text;
}

std::string volume_of(const World& world) {
  const auto tasks = world.tasks_of("/db");
  if (tasks.size() != 1) return fmt::format("{} tasks", tasks.size());
  const testing::Task& task = world.tasks.at(tasks[0]);
  return task.executor ? volume_in(task.executor->resources()) : volume_in(task.info->resources());
}

void end_and_begin_again(World& world) {
  world.update(world.tasks_of("/db").at(0), "TASK_FAILED");
  world.advance(base::minutes(10));
  world.offer_all();
}

TEST(Disks, a_mounted_one_is_the_apps_whole_and_goes_back_whole) {
  World world(with_role(), agents());
  world.subscribe();
  ASSERT_EQ(world.post_app(app(R"({"type":"mount","size":250})")).status, 201);
  EXPECT_EQ(volume_of(world), "300 on /mnt/two");
  end_and_begin_again(world);
  EXPECT_EQ(volume_of(world), "300 on /mnt/two");
  world.restart();
  world.subscribe();
  end_and_begin_again(world);
  EXPECT_EQ(volume_of(world), "300 on /mnt/two");
  EXPECT_EQ(world.request("DELETE", "/v2/apps//db").status, 200);
  world.offer_all();
  for (const auto& agent : world.agents) EXPECT_TRUE(agent.reserved.empty());
  ASSERT_EQ(world.post_app(app(R"({"type":"mount","size":250,"maxSize":299})")).status, 201);
  EXPECT_EQ(world.running("/db"), 0U);
  const std::string queue = world.get("/v2/queue").body;
  EXPECT_NE(queue.find(R"("reason":"InsufficientDisk","declined":2)"), std::string::npos) << queue;
}

TEST(Disks, two_apps_never_share_a_mounted_one_but_one_with_a_path) {
  World world(with_role(), agents());
  world.subscribe();
  ASSERT_EQ(world.post_app(app(R"({"type":"mount","size":10})", 3)).status, 201);
  EXPECT_EQ(world.running("/db"), 2U) << "there are two";
  world.request("DELETE", "/v2/apps//db?force=true");
  world.offer_all();
  ASSERT_EQ(world.post_app(app(R"({"type":"path","size":300,"constraints":[["path","LIKE","/da.*"]]})", 4)).status, 201);
  EXPECT_EQ(world.running("/db"), 3U) << "three pieces of 300 in 1000";
}

TEST(Disks, of_pods_are_their_executors) {
  World world(with_role(), agents());
  world.subscribe();
  const auto answer = world.request("POST", "/v2/pods", pod(R"({"type":"mount","size":250})"));
  ASSERT_EQ(answer.status, 201) << answer.body;
  EXPECT_NE(answer.body.find(R"("persistent":{"size":250,"type":"mount","constraints":[]})"), std::string::npos) << answer.body;
  EXPECT_EQ(volume_of(world), "300 on /mnt/two");
  end_and_begin_again(world);
  EXPECT_EQ(volume_of(world), "300 on /mnt/two");
}

TEST(Disks, a_profile_means_a_mounted_one_unless_told_otherwise) {
  World world(with_role(), agents());
  world.agents[1].disks.push_back(Disk{true, "/mnt/fast", 400, "fast"});
  world.subscribe();
  const auto answer = world.post_app(app(R"({"size":20,"profileName":"fast"})"));
  ASSERT_EQ(answer.status, 201);
  EXPECT_NE(answer.body.find(R"("persistent":{"size":20,"type":"mount","profileName":"fast","constraints":[]})"), std::string::npos)
      << answer.body;
  EXPECT_EQ(volume_of(world), "400 on /mnt/fast");
}

}  // namespace
}  // namespace marathon
