// dryRun=true: what a change would do and where it would find room, without doing it.

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "marathon/testing.hpp"

namespace marathon {
namespace {

namespace json = boost::json;
using testing::World;

json::value parse(const base::http::Response& response) {
  EXPECT_EQ(response.status, 200) << response.body;
  auto value = base::json::parse(response.body);
  return value ? std::move(*value) : json::value();
}

TEST(DryRun, says_where_an_app_would_go_and_keeps_nothing) {
  World world;
  world.subscribe();
  world.advance(base::seconds(10));  // nothing is wanted: offers are held back
  const auto answer = parse(world.request("POST", "/v2/apps?dryRun=true",
                                          R"({"id":"/a","cmd":"x","cpus":3,"mem":100,"instances":5})"));
  EXPECT_EQ(answer.at_pointer("/steps/0/actions/0/action").as_string(), "StartApplication");
  EXPECT_EQ(answer.at_pointer("/placement/0/app").as_string(), "/a");
  EXPECT_EQ(answer.at_pointer("/placement/0/instances").as_int64(), 5);
  EXPECT_EQ(answer.at_pointer("/placement/0/fits").as_int64(), 4) << "two on each of two agents";
  EXPECT_EQ(answer.at_pointer("/placement/0/agents").as_array().size(), 2U);
  EXPECT_EQ(answer.at_pointer("/placement/0/agents/0/instances").as_int64(), 2);
  EXPECT_EQ(answer.at_pointer("/placement/0/missing/causes/0/reason").as_string(), "InsufficientCpus");
  EXPECT_EQ(answer.at_pointer("/placement/0/missing/causes/0/agents").as_int64(), 2);
  EXPECT_TRUE(world.state().apps.empty() && world.state().deployments.empty() && world.state().dry_runs.empty());
  EXPECT_TRUE(world.tasks.empty());
  for (const auto& [key, value] : world.store) EXPECT_EQ(key.find("/a"), std::string::npos) << key;
  EXPECT_EQ(world.get("/v2/apps/a").status, 404);
  // Bad input is refused as ever.
  EXPECT_EQ(world.request("POST", "/v2/apps?dryRun=true", R"({"id":"/a"})").status, 422);
  EXPECT_EQ(world.request("DELETE", "/v2/apps/a?dryRun=true").status, 404);
}

TEST(DryRun, counts_what_runs_and_names_locks) {
  World world;
  world.subscribe();
  ASSERT_EQ(world.post_app(R"({"id":"/a","cmd":"x","cpus":3,"mem":100,"instances":2,"constraints":[["hostname","UNIQUE"]]})").status, 201);
  auto answer = parse(world.request("PUT", "/v2/apps/a?dryRun=true", R"({"instances":3})"));
  EXPECT_EQ(answer.at_pointer("/placement/0/instances").as_int64(), 1) << "one more";
  EXPECT_EQ(answer.at_pointer("/placement/0/fits").as_int64(), 0) << "each host has one";
  EXPECT_EQ(answer.at_pointer("/placement/0/missing/causes/0/reason").as_string(), "UnfulfilledConstraint");
  EXPECT_EQ(world.running("/a"), 2U);
  ASSERT_EQ(world.request("PUT", "/v2/apps/a", R"({"instances":3})").status, 200);
  answer = parse(world.request("DELETE", "/v2/apps/a?dryRun=true"));
  EXPECT_EQ(answer.at_pointer("/steps/0/actions/0/action").as_string(), "StopApplication");
  EXPECT_TRUE(answer.at_pointer("/placement").as_array().empty());
  EXPECT_EQ(answer.at_pointer("/deployments/0/id").as_string(), world.state().deployments.begin()->first);
  EXPECT_EQ(world.running("/a"), 2U);
}

TEST(DryRun, looks_at_pods_and_groups) {
  World world;
  world.subscribe();
  const char* pod = R"({"id":"/p","containers":[{"name":"c","exec":{"command":{"shell":"x"}},"resources":{"cpus":5,"mem":32}}],)"
                    R"("scaling":{"kind":"fixed","instances":2}})";
  auto answer = parse(world.request("POST", "/v2/pods?dryRun=true", pod));
  EXPECT_EQ(answer.at_pointer("/placement/0/pod").as_string(), "/p");
  EXPECT_EQ(answer.at_pointer("/placement/0/fits").as_int64(), 2);
  EXPECT_EQ(world.get("/v2/pods/p").status, 404);
  // Two apps of a group share what there is; without being asked, groups answer as they always did.
  const char* group = R"({"apps":[{"id":"a","cmd":"x","cpus":6,"mem":1,"instances":2},{"id":"b","cmd":"x","cpus":6,"mem":1}]})";
  answer = parse(world.request("PUT", "/v2/groups/g?dryRun=true&embed=placement", group));
  EXPECT_EQ(answer.at_pointer("/placement/0/fits").as_int64(), 2);
  EXPECT_EQ(answer.at_pointer("/placement/1/fits").as_int64(), 0);
  answer = parse(world.request("PUT", "/v2/groups/g?dryRun=true", group));
  EXPECT_EQ(answer.as_object().size(), 1U);
  EXPECT_EQ(world.get("/v2/groups/g").status, 404);
}

TEST(DryRun, is_answered_without_offers_too) {
  World world({}, {});
  const char* body = R"({"id":"/a","cmd":"x"})";
  auto answer = parse(world.request("POST", "/v2/apps?dryRun=true", body));
  EXPECT_EQ(answer.at_pointer("/placement/0/missing/causes/0/reason").as_string(), "NotConnected");
  world.subscribe();
  EXPECT_EQ(world.request("POST", "/v2/apps?dryRun=true", body).status, 0) << "it waits for offers";
  EXPECT_EQ(world.state().dry_runs.size(), 1U);
  world.advance(base::seconds(4));
  EXPECT_TRUE(world.state().dry_runs.empty()) << "and is answered without";
}

}  // namespace
}  // namespace marathon
