// Health and readiness as the scheduler sees them: what is sent when, what a result means, and what is held back.

#include "marathon/health.hpp"

#include <gtest/gtest.h>

#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"
#include "marathon/testing.hpp"

namespace marathon {
namespace {

using testing::World;

std::string app(const std::string& id, const std::string& more, int instances = 1) {
  return R"({"id":")" + id + R"(","cmd":"sleep 100","cpus":0.01,"mem":1,"instances":)" + std::to_string(instances) + "," +
         more + "}";
}

constexpr const char* kHttp = R"("healthChecks":[{"protocol":"HTTP","gracePeriodSeconds":0,"intervalSeconds":10,)"
                              R"("timeoutSeconds":5,"maxConsecutiveFailures":1}])";

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

uint64_t counted(const World& world, const std::string& name) {
  const auto it = world.state().counters.find(name);
  return it == world.state().counters.end() ? 0 : it->second;
}

TEST(Health, no_more_probes_at_once_than_allowed_and_none_is_forgotten) {
  Policy policy;
  policy.max_concurrent_health_checks = 4;
  World world(policy);
  world.subscribe();
  world.auto_probe = false;
  world.post_app(app("/a", kHttp, 30));
  world.advance(base::seconds(6));
  EXPECT_EQ(world.probes.size(), 4U);
  std::set<int> ports;
  for (size_t i = 0; i < world.probes.size(); ++i) {
    const Probe probe = world.probes[i];
    ports.insert(probe.port * 10 + (probe.host == "host1" ? 1 : 2));
    world.answer_probe(probe, 200);
    EXPECT_LE(world.state().probes.size(), 4U);
  }
  EXPECT_EQ(ports.size(), 30U) << "each instance once";
}

TEST(Health, first_probes_are_spread) {
  World world;
  world.subscribe();
  world.post_app(app("/a", kHttp, 30));
  world.advance(base::milliseconds(4500));
  EXPECT_GT(world.probes.size(), 0U);
  EXPECT_LT(world.probes.size(), 30U);
}

TEST(Health, a_failure_that_comes_too_late_is_not_the_tasks) {
  World world;
  world.subscribe();
  world.post_app(app("/a", kHttp));
  world.advance(base::seconds(6));
  const std::string task = world.tasks_of("/a")[0];
  world.auto_probe = false;
  world.probes.clear();
  for (int i = 0; i < 5; ++i) {
    world.advance(base::seconds(11));
    ASSERT_EQ(world.probes.size(), 1U);
    world.advance(base::seconds(30));  // this process stands still
    world.answer_probe(world.probes[0], 0, "timed out");
    world.probes.clear();
  }
  EXPECT_EQ(counted(world, "health.checks.late"), 5U);
  EXPECT_EQ(world.tasks[task].state, "TASK_RUNNING");
  // In time it counts.
  for (int i = 0; i < 2; ++i) {
    world.advance(base::seconds(11));
    ASSERT_EQ(world.probes.size(), 1U);
    world.answer_probe(world.probes[0], 0, "timed out");
    world.probes.clear();
  }
  EXPECT_EQ(world.tasks[task].state, "TASK_KILLED");
}

TEST(Health, when_everything_fails_at_once_nothing_is_killed_for_a_while) {
  World world;
  world.subscribe();
  world.post_app(app("/a", kHttp, 8));
  world.post_app(app("/b", kHttp, 8));
  world.advance(base::seconds(15));
  const auto a = world.tasks_of("/a"), b = world.tasks_of("/b");
  world.probe_status = 0;
  world.advance(base::seconds(100));
  EXPECT_EQ(world.tasks_of("/a"), a);
  EXPECT_EQ(world.tasks_of("/b"), b);
  EXPECT_GT(counted(world, "health.kills-held-back"), 0U);
  EXPECT_EQ(world.events_of("mass_health_failure_event"), 1U) << "told once";
  EXPECT_TRUE(contains(world.get("/v2/apps/a").body, R"("tasksUnhealthy":8)")) << "and shown";
  world.probe_status = 200;
  world.advance(base::seconds(20));
  EXPECT_EQ(world.tasks_of("/a"), a) << "as if nothing had been";
  world.probe_status = 500;
  world.advance(base::seconds(400));
  EXPECT_NE(world.tasks_of("/a"), a) << "not for ever";
}

TEST(Health, one_bad_app_is_no_mass_failure) {
  World world;
  world.subscribe();
  world.post_app(app("/a", kHttp, 20));
  world.advance(base::seconds(15));
  const auto before = world.tasks_of("/a");
  world.probe_status = 500;
  world.advance(base::seconds(40));
  EXPECT_NE(world.tasks_of("/a"), before);
}

TEST(Health, statuses_and_protocols) {
  struct Case {
    const char* check;
    ProbeKind kind;
    int status;
    const char* error;
    bool alive;
  };
  const Case cases[] = {
      {R"("protocol":"HTTP")", ProbeKind::Http, 200, "", true},
      {R"("protocol":"HTTP")", ProbeKind::Http, 399, "", true},
      {R"("protocol":"HTTP")", ProbeKind::Http, 400, "", false},
      {R"("protocol":"HTTP")", ProbeKind::Http, 199, "", false},
      {R"("protocol":"HTTP","path":"health")", ProbeKind::Http, 204, "", true},
      {R"("protocol":"HTTPS")", ProbeKind::Https, 302, "", true},
      {R"("protocol":"HTTPS")", ProbeKind::Https, 0, "handshake failed", false},
      {R"("protocol":"TCP")", ProbeKind::Tcp, 0, "", true},
      {R"("protocol":"TCP")", ProbeKind::Tcp, 0, "Connection refused", false},
  };
  for (const Case& c : cases) {
    World world;
    world.subscribe();
    world.auto_probe = false;
    world.post_app(app("/a", std::string(R"("healthChecks":[{"gracePeriodSeconds":0,)") + c.check + "}]"));
    world.advance(base::seconds(6));
    ASSERT_EQ(world.probes.size(), 1U) << c.check;
    EXPECT_EQ(world.probes[0].kind, c.kind);
    EXPECT_TRUE(world.probes[0].path.starts_with("/"));
    world.answer_probe(world.probes[0], c.status, c.error);
    EXPECT_TRUE(contains(world.get("/v2/apps/a").body, c.alive ? R"("alive":true)" : R"("alive":false)"))
        << c.check << c.status << world.get("/v2/apps/a").body;
  }
}

TEST(Health, checks_beside_the_task_are_its_executors) {
  struct Case {
    const char* protocol;
    mesos::v1::HealthCheck::Type type;
  };
  for (const Case& c : {Case{"MESOS_HTTP", mesos::v1::HealthCheck::HTTP}, Case{"MESOS_HTTPS", mesos::v1::HealthCheck::HTTP},
                        Case{"MESOS_TCP", mesos::v1::HealthCheck::TCP}}) {
    World world;
    world.subscribe();
    world.post_app(app("/a", std::string(R"("healthChecks":[{"protocol":")") + c.protocol +
                                 R"(","intervalSeconds":7,"timeoutSeconds":3,"maxConsecutiveFailures":5}])"));
    const std::string task = world.tasks_of("/a")[0];
    const mesos::v1::HealthCheck& check = world.tasks[task].info->health_check();
    EXPECT_EQ(check.type(), c.type) << c.protocol;
    EXPECT_EQ(check.interval_seconds(), 7);
    EXPECT_EQ(check.timeout_seconds(), 3);
    EXPECT_EQ(check.consecutive_failures(), 5U);
    if (c.type == mesos::v1::HealthCheck::HTTP) {
      EXPECT_EQ(check.http().scheme(), std::string(c.protocol) == "MESOS_HTTPS" ? "https" : "http");
    }
    world.advance(base::seconds(60));
    EXPECT_TRUE(world.probes.empty()) << "not the scheduler's";
    EXPECT_EQ(world.state().deployments.size(), 1U) << "waits for the executor's word";
    world.update(task, "TASK_RUNNING", "", false);
    EXPECT_TRUE(contains(world.get("/v2/apps/a").body, R"("tasksUnhealthy":1)"));
    EXPECT_EQ(world.state().deployments.size(), 1U);
    world.update(task, "TASK_RUNNING", "", true);
    EXPECT_TRUE(contains(world.get("/v2/apps/a").body, R"("tasksHealthy":1)"));
    EXPECT_TRUE(world.state().deployments.empty());
  }
}

TEST(Readiness, gates_a_deployment_and_is_shown) {
  World world;
  world.subscribe();
  world.auto_probe = false;
  world.post_app(app("/a", R"("portDefinitions":[{"name":"http-api"}],"readinessChecks":[{"path":"ready","intervalSeconds":5,)"
                           R"("timeoutSeconds":2,"httpStatusCodesForReady":[201],"preserveLastResponse":true}])"));
  world.advance(base::milliseconds(10));
  ASSERT_EQ(world.probes.size(), 1U) << "at once";
  EXPECT_EQ(world.probes[0].path, "/ready");
  world.answer_probe(world.probes[0], 200);
  EXPECT_EQ(world.state().deployments.size(), 1U) << "200 is not among its codes";
  const std::string shown = world.get("/v2/deployments").body;
  EXPECT_TRUE(contains(shown, R"("ready":false,"lastResponse":{"status":200,"contentType":"text/plain","body":"body"})")) << shown;
  world.advance(base::seconds(6));
  ASSERT_EQ(world.probes.size(), 2U);
  world.answer_probe(world.probes[1], 0, "Connection refused");
  EXPECT_TRUE(contains(world.get("/v2/apps?embed=apps.readiness").body, R"("status":504)"));
  world.advance(base::seconds(6));
  ASSERT_EQ(world.probes.size(), 3U);
  world.answer_probe(world.probes[2], 201);
  EXPECT_TRUE(world.state().deployments.empty());
  world.advance(base::seconds(60));
  EXPECT_EQ(world.probes.size(), 3U) << "once ready it is not asked again";
}

}  // namespace
}  // namespace marathon
