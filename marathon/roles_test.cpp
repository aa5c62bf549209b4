// Roles of services: those of groups, and what the master is told of them.

#include "marathon/roles.hpp"

#include <gtest/gtest.h>

#include "kernel/api/mesos/v1/tasks.pb.h"
#include "marathon/testing.hpp"

namespace marathon {
namespace {

using testing::World;
using Set = std::set<std::string>;

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Policy with_role(const std::string& role = "web") {
  Policy policy;
  policy.defaults.role = policy.validation.role = role;
  return policy;
}

std::string app(const std::string& id, const std::string& more = "") {
  return R"({"id":")" + id + R"(","cmd":"sleep 1","cpus":0.1,"mem":32)" + more + "}";
}

std::string role_of(World& world, const std::string& id) { return world.state().apps.at(id).target->role; }

std::string variable(const World& world, const std::string& app, const std::string& name) {
  for (const auto& variable : world.tasks.at(world.tasks_of(app).at(0)).info->command().environment().variables())
    if (variable.name() == name) return variable.value();
  return {};
}

TEST(Roles, which_a_service_may_have) {
  const Policy policy = with_role();
  App old;
  old.role = "before";
  struct Row {
    const char* id;
    bool enforced;
    const App* current;
    Set valid;
    const char* otherwise;
  };
  for (const Row& row : std::vector<Row>{{"/a", false, nullptr, {"web"}, "web"},
                                         {"/a", true, nullptr, {"web"}, "web"},
                                         {"/dev/a", false, nullptr, {"web", "dev"}, "web"},
                                         {"/dev/x/y/a", false, nullptr, {"web", "dev"}, "web"},
                                         {"/dev/a", true, nullptr, {"dev"}, "dev"},
                                         {"/dev/a", true, &old, {"before", "dev"}, "dev"},
                                         {"/a", false, &old, {"before", "web"}, "web"}}) {
    const RoleRules rules = role_rules(row.id, row.enforced, row.current, policy);
    EXPECT_EQ(rules.valid, row.valid) << row.id;
    EXPECT_EQ(rules.otherwise, row.otherwise) << row.id;
  }
}

TEST(Roles, of_a_group_that_does_not_enforce_are_a_choice) {
  World world(with_role());
  world.subscribe();
  ASSERT_EQ(world.post_app(app("/dev/a")).status, 201);
  EXPECT_EQ(role_of(world, "/dev/a"), "web");
  EXPECT_TRUE(world.roles.empty());
  const auto refused = world.post_app(app("/dev/b", R"(,"role":"other")"));
  EXPECT_EQ(refused.status, 422);
  EXPECT_TRUE(contains(refused.body, R"("path":"/role","errors":["got other, expected one of: dev, web"])")) << refused.body;
  EXPECT_EQ(world.post_app(app("/b", R"(,"role":"dev")")).status, 422) << "at the root there is only the flag's";
  ASSERT_EQ(world.post_app(app("/dev/b", R"(,"role":"dev","acceptedResourceRoles":["dev","*"])")).status, 201);
  EXPECT_EQ(world.roles, (Set{"web", "dev"}));
  EXPECT_EQ(world.running("/dev/b"), 0U) << "offers are for another role";
  world.advance(base::minutes(5));
  world.offer_role = "dev";
  world.offer_all();
  EXPECT_EQ(world.running("/dev/b"), 1U);
  EXPECT_EQ(variable(world, "/dev/b", "MARATHON_APP_ENFORCE_GROUP_ROLE"), "FALSE");
  const std::string tasks = world.get("/v2/tasks").body;
  EXPECT_TRUE(contains(tasks, R"("role":"dev")") && contains(tasks, R"("role":"web")")) << tasks;
}

TEST(Roles, of_a_group_that_enforces_are_its_name) {
  World world(with_role());
  world.subscribe(false);
  const auto made = world.request("PUT", "/v2/groups/dev", R"({"enforceRole":true,"apps":[)" + app("a") + "]}");
  ASSERT_EQ(made.status, 200) << made.body;
  EXPECT_EQ(role_of(world, "/dev/a"), "dev");
  const std::string group = world.get("/v2/groups/dev").body;
  EXPECT_TRUE(contains(group, R"("enforceRole":true)")) << group;
  EXPECT_FALSE(contains(world.get("/v2/groups/dev?embed=group.apps").body, R"("enforceRole":false)"));
  EXPECT_EQ(world.post_app(app("/dev/b", R"(,"role":"web")")).status, 422);
  ASSERT_EQ(world.post_app(app("/dev/x/b")).status, 201);
  EXPECT_EQ(role_of(world, "/dev/x/b"), "dev");
  ASSERT_EQ(world.request("POST", "/v2/pods", R"({"id":"/dev/p","containers":[{"name":"c","exec":{"command":{"shell":"x"}},
    "resources":{"cpus":0.1,"mem":32}}]})").status, 201);
  EXPECT_EQ(role_of(world, "/dev/p"), "dev");
  world.offer_role = "dev";
  world.offer_all();
  EXPECT_EQ(variable(world, "/dev/a", "MARATHON_APP_ENFORCE_GROUP_ROLE"), "TRUE");
  EXPECT_EQ(variable(world, "/dev/p", "MARATHON_APP_ENFORCE_GROUP_ROLE"), "TRUE");
  world.restart();
  EXPECT_EQ(world.state().roles, (Set{"web", "dev"})) << "for the next subscription";
  EXPECT_TRUE(contains(world.get("/v2/groups/dev").body, R"("enforceRole":true)"));
}

TEST(Roles, are_enforced_from_a_patch_on_and_services_keep_theirs) {
  World world(with_role());
  world.subscribe(false);
  world.post_app(app("/dev/a"));
  EXPECT_EQ(world.request("PATCH", "/v2/groups/dev", R"({"enforceRole":true})").status, 200);
  EXPECT_EQ(role_of(world, "/dev/a"), "web");
  EXPECT_EQ(world.request("PUT", "/v2/apps//dev/a?force=true", R"({"instances":2})").status, 200) << "with the role that it has";
  ASSERT_EQ(world.request("PUT", "/v2/apps//dev/a?force=true", R"({"role":"dev"})").status, 200);
  EXPECT_EQ(world.request("PUT", "/v2/apps//dev/a?force=true", R"({"role":"web"})").status, 422);
  EXPECT_EQ(world.request("PATCH", "/v2/groups/dev/x", R"({"enforceRole":true})").status, 404);
  world.post_app(app("/dev/x/a"));
  EXPECT_EQ(world.request("PATCH", "/v2/groups/dev/x", R"({"enforceRole":true})").status, 422) << "not at the top";
  EXPECT_EQ(world.request("PATCH", "/v2/groups/dev", R"({"enforceRole":"yes"})").status, 422);
  EXPECT_EQ(world.request("PATCH", "/v2/groups/dev", "{}").status, 200) << "left out, it is no longer enforced";
  EXPECT_TRUE(contains(world.get("/v2/groups/dev").body, R"("enforceRole":false)"));
  world.restart();
  EXPECT_TRUE(contains(world.get("/v2/groups/dev").body, R"("enforceRole":false)"));
}

TEST(Roles, what_cannot_be_enforced_is_refused) {
  World world(with_role());
  world.subscribe(false);
  world.post_app(app("/dev/a"));
  const auto nested = world.request("PUT", "/v2/groups/dev/x?force=true", R"({"enforceRole":true})");
  EXPECT_EQ(nested.status, 422);
  EXPECT_TRUE(contains(nested.body, "enforceRole can only be set for top-level groups, and /dev/x is not top-level")) << nested.body;
  const auto both = world.request("PUT", "/v2/groups/dev?force=true", R"({"enforceRole":true,"apps":[)" + app("a") + "," + app("b") + "]}");
  EXPECT_EQ(both.status, 422);
  EXPECT_TRUE(contains(both.body, "enforceRole cannot be modified in a request that adds, removes or modifies services")) << both.body;
  EXPECT_EQ(world.request("PUT", "/v2/groups/dev?force=true", R"({"enforceRole":true})").status, 200);
  EXPECT_TRUE(contains(world.get("/v2/groups/dev").body, R"("enforceRole":true)"));
  ASSERT_EQ(world.request("PUT", "/v2/groups/dev?force=true", R"({"dependencies":["/x"]})").status, 200);
  EXPECT_TRUE(contains(world.get("/v2/groups/dev").body, R"("enforceRole":true)")) << "left out, it stays";
}

TEST(Roles, of_new_groups_by_the_flag) {
  Policy policy = with_role();
  policy.enforce_role_of_new_groups = true;
  World world(policy);
  world.subscribe(false);
  ASSERT_EQ(world.post_app(app("/dev/a")).status, 201);
  EXPECT_EQ(role_of(world, "/dev/a"), "dev");
  EXPECT_TRUE(contains(world.get("/v2/groups/dev").body, R"("enforceRole":true)"));
  ASSERT_EQ(world.post_app(app("/a")).status, 201);
  EXPECT_EQ(role_of(world, "/a"), "web");
}

TEST(Roles, are_asked_for_only_where_something_waits) {
  World world(with_role());
  world.subscribe();
  world.post_app(app("/dev/a", R"(,"role":"dev")"));
  world.offer_role = "dev";
  world.advance(base::minutes(3));
  world.offer_all();
  ASSERT_EQ(world.running("/dev/a"), 1U);
  world.offer_all();
  world.advance(base::seconds(5));
  EXPECT_EQ(world.state().suppressed, (Set{"dev", "web"}));
  world.role_calls.clear();
  ASSERT_EQ(world.request("PUT", "/v2/apps//dev/a", R"({"instances":2})").status, 200);
  ASSERT_FALSE(world.role_calls.empty());
  EXPECT_EQ(world.role_calls.front(), "REVIVE dev");
  EXPECT_EQ(world.state().suppressed, Set{"web"});
}

TEST(Roles, that_nothing_has_any_more_go) {
  World world(with_role());
  world.subscribe();
  world.post_app(app("/dev/a", R"(,"role":"dev")"));
  EXPECT_EQ(world.roles, (Set{"web", "dev"}));
  world.request("DELETE", "/v2/apps//dev/a");
  world.advance(base::minutes(11));
  EXPECT_EQ(world.roles, Set{"web"});
}

TEST(Roles, of_services_with_volumes_change_by_force_only) {
  World world(with_role());
  world.subscribe();
  const std::string volume = R"(,"container":{"type":"MESOS","volumes":[{"containerPath":"d","persistent":{"size":8}}]})";
  ASSERT_EQ(world.post_app(app("/dev/db", volume)).status, 201);
  const auto refused = world.request("PUT", "/v2/apps//dev/db", R"({"role":"dev"})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_TRUE(contains(refused.body, "It is not possible to change the role for existing reservations.") &&
              contains(refused.body, "retry your request with ?force=true")) << refused.body;
  EXPECT_EQ(world.request("PUT", "/v2/apps//dev/db?force=true", R"({"role":"dev"})").status, 200);
  world.advance(base::minutes(20));
  world.offer_all();
  ASSERT_EQ(world.running("/dev/db"), 1U) << "on what it has";
  EXPECT_TRUE(contains(world.get("/v2/tasks").body, R"("role":"web")"));
}

}  // namespace
}  // namespace marathon
