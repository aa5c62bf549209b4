// Secrets of apps and pods: named in definitions, checked, and handed to agents as references to their sources.

#include <gtest/gtest.h>

#include "kernel/api/mesos/v1/tasks.pb.h"
#include "marathon/testing.hpp"

namespace marathon {
namespace {

using testing::World;

Policy enabled() {
  Policy policy;
  policy.validation.secrets = true;
  return policy;
}

constexpr const char* kApp = R"({"id":"/a","cmd":"sleep 1","cpus":0.1,"mem":32,"env":{"PLAIN":"x","PASSWORD":{"secret":"db"}},
  "secrets":{"db":{"source":"db/password"},"key":{"source":"tls/key"}},
  "container":{"type":"MESOS","volumes":[{"containerPath":"etc/key","secret":"key"}]}})";

constexpr const char* kPod = R"({"id":"/p","environment":{"PASSWORD":{"secret":"db"},"SHARED":{"secret":"db"}},
  "secrets":{"db":{"source":"db/password"},"key":{"source":"tls/key"}},"volumes":[{"name":"keys","secret":"key"}],
  "containers":[
    {"name":"one","exec":{"command":{"shell":"sleep 1"}},"resources":{"cpus":0.1,"mem":32},"environment":{"SHARED":"own"},
     "volumeMounts":[{"name":"keys","mountPath":"etc/key"}]},
    {"name":"two","exec":{"command":{"shell":"sleep 1"}},"resources":{"cpus":0.1,"mem":32},"environment":{"MORE":{"secret":"key"}}}]})";

/// "NAME=value" and "NAME<source", in the order of their names.
std::string variables(const mesos::v1::TaskInfo& task, const std::set<std::string>& names) {
  std::set<std::string> out;
  for (const auto& variable : task.command().environment().variables()) {
    if (!names.contains(variable.name())) continue;
    const bool secret = variable.type() == mesos::v1::Environment::Variable::SECRET;
    out.insert(variable.name() + (secret ? "<" + variable.secret().reference().name() : "=" + variable.value()));
  }
  std::string text;
  for (const std::string& item : out) text += (text.empty() ? "" : " ") + item;
  return text;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(Secrets, reach_the_agent_as_references_to_their_sources) {
  World world(enabled());
  world.subscribe();
  ASSERT_EQ(world.post_app(kApp).status, 201);
  world.advance(base::seconds(5));
  ASSERT_EQ(world.tasks_of("/a").size(), 1U);
  const auto& task = *world.tasks.at(world.tasks_of("/a")[0]).info;
  EXPECT_EQ(variables(task, {"PLAIN", "PASSWORD"}), "PASSWORD<db/password PLAIN=x");
  ASSERT_EQ(task.container().volumes_size(), 1);
  const auto& volume = task.container().volumes(0);
  EXPECT_EQ(volume.container_path(), "etc/key");
  EXPECT_EQ(volume.mode(), mesos::v1::Volume::RO);
  EXPECT_EQ(volume.source().secret().reference().name(), "tls/key");
  EXPECT_FALSE(volume.has_host_path());
}

TEST(Secrets, of_a_pod_are_its_containers) {
  World world(enabled());
  world.subscribe();
  ASSERT_EQ(world.request("POST", "/v2/pods", kPod).status, 201);
  world.advance(base::seconds(5));
  std::map<std::string, const mesos::v1::TaskInfo*> tasks;
  for (const auto& [id, task] : world.tasks) tasks[task.info->name()] = task.info.get();
  ASSERT_EQ(tasks.size(), 2U);
  EXPECT_EQ(variables(*tasks["one"], {"PASSWORD", "SHARED", "MORE"}), "PASSWORD<db/password SHARED=own");
  EXPECT_EQ(variables(*tasks["two"], {"PASSWORD", "SHARED", "MORE"}), "MORE<tls/key PASSWORD<db/password SHARED<db/password");
  ASSERT_EQ(tasks["one"]->container().volumes_size(), 1);
  EXPECT_EQ(tasks["one"]->container().volumes(0).source().secret().reference().name(), "tls/key");
}

TEST(Secrets, come_back_as_they_were_given_also_after_a_restart) {
  World world(enabled());
  world.subscribe(false);
  ASSERT_EQ(world.post_app(kApp).status, 201);
  ASSERT_EQ(world.request("POST", "/v2/pods", kPod).status, 201);
  for (int start = 0; start < 2; ++start) {
    const std::string app = world.get("/v2/apps/a").body, pod = world.get("/v2/pods/p").body;
    for (const std::string& text : {app, pod}) {
      EXPECT_TRUE(contains(text, R"("PASSWORD":{"secret":"db"})")) << text;
      EXPECT_TRUE(contains(text, R"("secrets":{"db":{"source":"db/password"},"key":{"source":"tls/key"}})")) << text;
    }
    EXPECT_TRUE(contains(app, R"({"containerPath":"etc/key","secret":"key"})")) << app;
    EXPECT_TRUE(contains(pod, R"({"name":"keys","secret":"key"})")) << pod;
    world.restart();
  }
}

TEST(Secrets, a_new_source_or_variable_is_a_new_configuration) {
  World world(enabled());
  world.subscribe();
  ASSERT_EQ(world.post_app(kApp).status, 201);
  world.advance(base::seconds(5));
  const std::string before = world.tasks_of("/a").at(0);
  ASSERT_EQ(world.request("PUT", "/v2/apps/a", R"({"secrets":{"db":{"source":"db/new"},"key":{"source":"tls/key"}}})").status, 200);
  world.advance(base::seconds(60));
  ASSERT_EQ(world.tasks_of("/a").size(), 1U);
  EXPECT_NE(world.tasks_of("/a")[0], before);
  EXPECT_EQ(variables(*world.tasks.at(world.tasks_of("/a")[0]).info, {"PASSWORD"}), "PASSWORD<db/new");
}

TEST(Secrets, are_checked_as_the_original_does) {
  struct Case {
    const char* more;
    const char* path;
    const char* error;
  };
  const Case cases[] = {
      {R"("env":{"A":{"secret":"s"}})", "/env/A/secret", "references an undefined secret"},
      {R"("env":{"A":{}})", "/env/A/secret", "error.path.missing"},
      {R"("env":{"A":{"secret":7}})", "/env/A/secret", "error.expected.jsstring"},
      {R"("secrets":{"s":{"source":""}})", "/secrets/s/source", "must not be empty"},
      {R"("secrets":{"s":{}})", "/secrets/s/source", "error.path.missing"},
      {R"("secrets":{"s":"x"})", "/secrets/s", "error.expected.jsobject"},
      {R"("secrets":[])", "/secrets", "error.expected.jsobject"},
      {R"("container":{"type":"MESOS","volumes":[{"containerPath":"f","secret":"s"}]})", "/container/volumes(0)/secret",
       "volume.secret must refer to an existing secret"},
  };
  World world(enabled());
  world.subscribe(false);
  for (const Case& c : cases) {
    const auto response = world.post_app(std::string(R"({"id":"/x","cmd":"sleep 1",)") + c.more + "}");
    EXPECT_EQ(response.status, 422) << c.more;
    EXPECT_TRUE(contains(response.body, c.path) && contains(response.body, c.error)) << response.body;
  }
  World without;
  without.subscribe(false);
  const auto refused = without.post_app(kApp);
  EXPECT_EQ(refused.status, 422);
  EXPECT_TRUE(contains(refused.body, "Enable with --enable_features secrets")) << refused.body;
}

}  // namespace
}  // namespace marathon
