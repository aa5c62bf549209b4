// Canaries: some instances of a new version beside the old ones until somebody promotes it.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "marathon/testing.hpp"

namespace marathon {
namespace {

using testing::World;

std::string body(const std::string& cmd, const std::string& more = R"("canary":1)") {
  return fmt::format(R"({{"id":"/a","cmd":"{}","cpus":0.1,"mem":16,"instances":3,"deployment":{{{}}}}})", cmd, more);
}

size_t running_of(const World& world, const std::string& cmd) {
  size_t n = 0;
  for (const auto& [id, instance] : world.state().apps.at("/a").instances) {
    const App* app = definition_of(world.state().apps.at("/a"), instance);
    n += instance.condition == Condition::Running && app && app->cmd == cmd ? 1 : 0;
  }
  return n;
}

std::string only_deployment(const World& world) {
  EXPECT_EQ(world.state().deployments.size(), 1U);
  return world.state().deployments.empty() ? "" : world.state().deployments.begin()->first;
}

TEST(Canary, waits_beside_the_old_version_until_it_is_promoted) {
  World world;
  world.subscribe();
  ASSERT_EQ(world.post_app(body("old")).status, 201);
  EXPECT_TRUE(world.state().deployments.empty()) << "a new app has no canaries";
  ASSERT_EQ(world.request("PUT", "/v2/apps/a", body("new")).status, 200);
  EXPECT_EQ(running_of(world, "old"), 3U);
  EXPECT_EQ(running_of(world, "new"), 1U);
  const std::string id = only_deployment(world);
  world.advance(base::seconds(600));
  EXPECT_EQ(running_of(world, "new"), 1U);
  const std::string shown = world.get("/v2/deployments?embed=explanation").body;
  EXPECT_NE(shown.find("\"awaitsPromotion\":true"), std::string::npos) << shown;
  EXPECT_NE(shown.find("/promote"), std::string::npos) << shown;
  world.restart();
  world.subscribe();
  EXPECT_EQ(running_of(world, "old"), 3U) << "it still waits after a restart";
  EXPECT_EQ(running_of(world, "new"), 1U);
  ASSERT_EQ(world.request("POST", "/v2/deployments/" + id + "/promote").status, 200);
  EXPECT_TRUE(world.state().deployments.empty());
  EXPECT_EQ(running_of(world, "new"), 3U);
  EXPECT_EQ(world.running("/a"), 3U);
}

TEST(Canary, goes_when_the_deployment_is_rolled_back) {
  World world;
  world.subscribe();
  ASSERT_EQ(world.post_app(body("old")).status, 201);
  const auto before = world.tasks_of("/a");
  ASSERT_EQ(world.request("PUT", "/v2/apps/a", body("new", R"("canary":2)")).status, 200);
  EXPECT_EQ(running_of(world, "new"), 2U);
  ASSERT_EQ(world.request("DELETE", "/v2/deployments/" + only_deployment(world)).status, 200);
  EXPECT_TRUE(world.state().deployments.empty());
  EXPECT_EQ(world.running("/a"), 3U);
  EXPECT_NE(world.get("/v2/apps/a").body.find("\"cmd\":\"old\""), std::string::npos);
}

TEST(Canary, that_waits_does_not_miss_its_deadline_but_one_that_fails_does) {
  World world;
  world.subscribe();
  const char* rules = R"("canary":1,"progressDeadlineSeconds":10,"autoRevert":true)";
  ASSERT_EQ(world.post_app(body("old", rules)).status, 201);
  ASSERT_EQ(world.request("PUT", "/v2/apps/a", body("new", rules)).status, 200);
  world.advance(base::seconds(60));
  EXPECT_EQ(running_of(world, "new"), 1U);
  ASSERT_EQ(world.request("DELETE", "/v2/deployments/" + only_deployment(world)).status, 200);
  ASSERT_TRUE(world.state().deployments.empty());
  world.auto_run = false;
  ASSERT_EQ(world.request("PUT", "/v2/apps/a", body("broken", rules)).status, 200);
  world.advance(base::seconds(60));
  EXPECT_TRUE(world.state().deployments.empty()) << "the former definition is back";
  EXPECT_NE(world.get("/v2/apps/a").body.find("\"cmd\":\"old\""), std::string::npos);
  EXPECT_EQ(world.running("/a"), 3U) << "the old instances never went";
}

TEST(Canary, what_ends_meanwhile_is_replaced) {
  World world;
  world.subscribe();
  ASSERT_EQ(world.post_app(body("old")).status, 201);
  const auto old = world.tasks_of("/a");
  ASSERT_EQ(world.request("PUT", "/v2/apps/a", body("new")).status, 200);
  world.update(old[0], "TASK_FAILED");
  world.advance(base::seconds(5));
  world.offer_all();
  EXPECT_EQ(running_of(world, "old"), 2U);
  EXPECT_EQ(running_of(world, "new"), 2U) << "capacity stays";
}

TEST(Canary, needs_one_to_be_promoted) {
  World world;
  world.subscribe();
  EXPECT_EQ(world.request("POST", "/v2/deployments/none/promote").status, 404);
  ASSERT_EQ(world.post_app(R"({"id":"/b","cmd":"x","cpus":1000})").status, 201);
  const std::string id = only_deployment(world);
  EXPECT_EQ(world.request("POST", "/v2/deployments/" + id + "/promote").status, 422);
  EXPECT_EQ(world.request("GET", "/v2/deployments/" + id + "/promote").status, 405);
}

}  // namespace
}  // namespace marathon
