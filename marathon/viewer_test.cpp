// Lists leave out what the caller may not see, endpoint by endpoint; events that nobody there may see are not sent.

#include "marathon/viewer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/time.hpp"
#include "marathon/testing.hpp"

namespace marathon {
namespace {

std::shared_ptr<const Viewer> reader_of(const std::vector<std::string>& paths) {
  Viewer viewer;
  for (const std::string& path : paths) viewer.may_read(path);
  return std::make_shared<const Viewer>(std::move(viewer));
}

/// Apps and pods of two teams, and one app of nobody's.
struct Viewers : ::testing::Test {
  Viewers() {
    world.subscribe();
    for (const char* id : {"/a/web", "/a/deep/db", "/b/web", "/top"}) {
      EXPECT_EQ(world.post_app(std::string(R"({"id":")") + id + R"(","cmd":"sleep 1","cpus":0.1,"mem":32})").status, 201);
    }
    for (const char* id : {"/a/pod", "/b/pod"}) {
      EXPECT_EQ(world.request("POST", "/v2/pods", std::string(R"({"id":")") + id +
          R"(","containers":[{"name":"c","exec":{"command":{"shell":"sleep 1"}},"resources":{"cpus":0.1,"mem":32}}]})").status, 201);
    }
    world.advance(base::seconds(5));
  }

  /// Which of the ids the answer names, as '"id"'.
  std::string named(const std::string& target, const std::vector<std::string>& ids, const base::http::Headers& headers = {}) {
    const auto response = world.request("GET", target, "", headers);
    EXPECT_EQ(response.status, 200) << target;
    std::string out;
    for (const std::string& id : ids) {
      if (response.body.find("\"" + id + "\"") != std::string::npos) out += (out.empty() ? "" : " ") + id;
    }
    return out;
  }

  testing::World world;
  const std::vector<std::string> apps{"/a/web", "/a/deep/db", "/b/web", "/top"}, pods{"/a/pod", "/b/pod"};
};

TEST(Viewer, sees_what_is_below_its_paths) {
  const auto team = reader_of({"/v2/apps/a", "/v2/pods/b"});
  EXPECT_TRUE(team->sees({Subject::Kind::App, "/a"}));
  EXPECT_TRUE(team->sees({Subject::Kind::App, "/a/x/y"}));
  EXPECT_FALSE(team->sees({Subject::Kind::App, "/ab"}));
  EXPECT_FALSE(team->sees({Subject::Kind::Pod, "/a/x"}));
  EXPECT_TRUE(team->sees({Subject::Kind::Pod, "/b/x"}));
  EXPECT_FALSE(team->sees_group("/a"));
  EXPECT_FALSE(team->sees_everything());
  const auto group = reader_of({"/v2/groups/a"});
  EXPECT_TRUE(group->sees({Subject::Kind::App, "/a/x"}) && group->sees({Subject::Kind::Pod, "/a/x"}) && group->sees_group("/a/x"));
  EXPECT_FALSE(group->sees_group("/"));
  EXPECT_TRUE(reader_of({"/"})->sees_everything() && reader_of({"/v2"})->sees_everything() && reader_of({"/v2/groups"})->sees_everything());
  EXPECT_FALSE(reader_of({"/v2/apps"})->sees_everything());
  EXPECT_TRUE(reader_of({"/v2/info", "/ping"})->sees_nothing());
}

TEST_F(Viewers, apps) {
  EXPECT_EQ(named("/v2/apps", apps), "/a/web /a/deep/db /b/web /top");
  world.viewer = reader_of({"/v2/apps/a"});
  EXPECT_EQ(named("/v2/apps", apps), "/a/web /a/deep/db");
  EXPECT_EQ(named("/v2/apps/*", apps), "/a/web /a/deep/db");
  EXPECT_EQ(named("/v2/apps?embed=apps.tasks&id=web", apps), "/a/web");
  world.viewer = reader_of({"/v2/groups/b"});
  EXPECT_EQ(named("/v2/apps", apps), "/b/web");
  world.viewer = reader_of({"/v2/pods"});
  EXPECT_EQ(named("/v2/apps", apps), "");
}

TEST_F(Viewers, groups_recursively) {
  const std::vector<std::string> all{"/a", "/a/deep", "/b", "/a/web", "/a/deep/db", "/b/web", "/top", "/a/pod", "/b/pod"};
  EXPECT_EQ(named("/v2/groups", all), "/a /a/deep /b /a/web /a/deep/db /b/web /top /a/pod /b/pod");
  world.viewer = reader_of({"/v2/apps/a/deep"});
  EXPECT_EQ(named("/v2/groups", all), "/a /a/deep /a/deep/db") << "the groups around what is seen";
  EXPECT_EQ(named("/v2/groups/a", all), "/a /a/deep /a/deep/db");
  EXPECT_EQ(named("/v2/groups/apps", apps), "/a/deep/db");
  EXPECT_EQ(world.get("/v2/groups/b").status, 403);
  world.viewer = reader_of({"/v2/groups/a"});
  EXPECT_EQ(named("/v2/groups", all), "/a /a/deep /a/web /a/deep/db /a/pod");
  EXPECT_EQ(named("/v2/groups?embed=group.groups", all), "/a /a/deep");
  world.viewer = reader_of({"/v2/pods/b"});
  EXPECT_EQ(named("/v2/groups", all), "/b /b/pod");
  world.viewer = reader_of({"/v2/apps/nothing"});
  EXPECT_EQ(named("/v2/groups", all), "") << "the root is there for everybody";
}

TEST_F(Viewers, pods) {
  world.viewer = reader_of({"/v2/pods/a"});
  EXPECT_EQ(named("/v2/pods", pods), "/a/pod");
  EXPECT_EQ(named("/v2/pods/::status", pods), "/a/pod");
  world.viewer = reader_of({"/v2/apps"});
  EXPECT_EQ(named("/v2/pods", pods), "");
}

TEST_F(Viewers, tasks) {
  EXPECT_EQ(named("/v2/tasks", apps), "/a/web /a/deep/db /b/web /top");
  world.viewer = reader_of({"/v2/apps/a"});
  EXPECT_EQ(named("/v2/tasks", apps), "/a/web /a/deep/db");
  EXPECT_EQ(named("/v2/apps/*/tasks", apps), "/a/web /a/deep/db");
  const std::string text = world.request("GET", "/v2/tasks", "", {{"Accept", "text/plain"}}).body;
  EXPECT_NE(text.find("a_web"), std::string::npos);
  EXPECT_EQ(text.find("b_web"), std::string::npos);
}

TEST_F(Viewers, queue_and_deployments) {
  for (const char* id : {"/a/big", "/b/big"}) {
    world.post_app(std::string(R"({"id":")") + id + R"(","cmd":"sleep 1","cpus":1000})");
  }
  world.advance(base::seconds(5));
  const std::vector<std::string> big{"/a/big", "/b/big"};
  EXPECT_EQ(named("/v2/queue", big), "/a/big /b/big");
  EXPECT_EQ(named("/v2/deployments", big), "/a/big /b/big");
  std::string other;
  for (const auto& [id, deployment] : world.state().deployments) {
    if (deployment.changes.front().id == "/b/big") other = id;
  }
  world.viewer = reader_of({"/v2/apps/a"});
  EXPECT_EQ(named("/v2/queue", big), "/a/big");
  EXPECT_EQ(named("/v2/deployments", big), "/a/big");
  EXPECT_EQ(world.get("/v2/deployments/" + other).status, 404);
  world.viewer.reset();
  EXPECT_EQ(world.get("/v2/deployments/" + other).status, 200);
}

TEST_F(Viewers, every_event_says_what_it_is_about) {
  world.request("PUT", "/v2/apps/a/web", R"({"cmd":"sleep 2"})");
  world.request("PUT", "/v2/groups/b", R"({"dependencies":["/a"]})");
  world.request("DELETE", "/v2/pods/a/pod");
  world.advance(base::seconds(5));
  const auto team = reader_of({"/v2/groups/b"});
  std::set<std::string> open{"scheduler_registered_event", "scheduler_reregistered_event", "scheduler_disconnected_event",
                             "event_stream_attached", "event_stream_detached"};
  size_t of_a = 0, of_b = 0;
  for (const Publish& event : world.published) {
    EXPECT_EQ(event.about.empty(), open.contains(event.type)) << event.type << " " << event.data;
    const bool seen = std::any_of(event.about.begin(), event.about.end(), [&](const Subject& s) { return team->sees(s); });
    const bool names_a = event.data.find("\"/a/") != std::string::npos, names_b = event.data.find("\"/b") != std::string::npos;
    if (names_a && !names_b) {
      EXPECT_FALSE(seen) << event.data;
    }
    if (event.data.find("\"/b/") != std::string::npos) {
      EXPECT_TRUE(seen) << event.data;
    }
    (seen ? of_b : of_a) += 1;
  }
  EXPECT_GT(of_a, 0U);
  EXPECT_GT(of_b, 0U);
}

}  // namespace
}  // namespace marathon
