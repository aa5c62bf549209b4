// Random histories: requests, failing tasks, lost agents, refusing stores and restarts in any order. After quiet time
// the world must equal the definitions.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/json/value.hpp"
#include "marathon/explain.hpp"
#include "marathon/testing.hpp"

namespace marathon {
namespace {

using testing::World;

class History {
 public:
  explicit History(uint64_t seed, bool pods = false) : pods_(pods), random_(seed) {
    world.subscribe();
    world.auto_run = random_.chance(0.7);
  }

  void step() {
    if (pods_ && random_.chance(0.4)) {
      step_pod();
      return check_always();
    }
    switch (random_.below(18)) {
      case 0:
      case 1: world.post_app(body(pick_id())); break;
      case 2: world.request("PUT", "/v2/apps" + pick_id() + force(), fmt::format(R"({{"instances":{}}})", random_.below(6))); break;
      case 3:
      case 4: world.request("PUT", "/v2/apps" + pick_id() + force(), fmt::format(R"({{"cmd":"sleep {}"}})", random_.below(9))); break;
      case 5: world.request("DELETE", "/v2/apps" + pick_id() + force()); break;
      case 6: world.request("POST", "/v2/apps" + pick_id() + "/restart" + force()); break;
      case 7: world.request("DELETE", "/v2/apps" + pick_id() + "/tasks" + (random_.chance(0.5) ? "?wipe=true" : "?scale=true")); break;
      case 8: update("TASK_FAILED"); break;
      case 9: update("TASK_UNREACHABLE"); break;
      case 10: update("TASK_RUNNING"); break;
      case 11: roll_back(); break;
      case 12: world.advance(base::milliseconds(static_cast<int64_t>(random_.below(5000)))); break;
      case 13:
        world.restart();
        world.subscribe();
        break;
      case 14:
        if (random_.chance(0.5)) {
          world.disconnect();
          world.advance(base::milliseconds(100));
          world.subscribe();
        }
        world.store_works = random_.chance(0.8); break;
      case 16: hold(random_.chance(0.5)); break;
      case 17: world.probe_status = random_.chance(0.7) ? 200 : 500; break;
      case 15: world.auto_kill = random_.chance(0.8); break;
    }
    check_always();
  }

  void step_pod() {
    const std::string id = "/p" + std::to_string(random_.below(3));
    switch (random_.below(6)) {
      case 0:
      case 1: world.request("POST", "/v2/pods", pod(id)); break;
      case 2: world.request("PUT", "/v2/pods" + id + force(), pod(id)); break;
      case 3: world.request("DELETE", "/v2/pods" + id + force()); break;
      case 4: world.request("POST", "/v2/pods" + id + "/restart" + force()); break;
      case 5: {
        const auto tasks = world.tasks_of(id);
        if (tasks.empty()) break;
        const auto name = parse_task_id(random_.choose(tasks));
        world.request("DELETE", "/v2/pods" + id + "::instances/" + name->instance +
                                    (random_.chance(0.5) ? "?wipe=true" : ""));
        break;
      }
    }
  }

  /// Lets everything come to rest.
  void settle() {
    world.store_works = world.auto_kill = world.auto_run = true;
    world.probe_status = 200;
    for (const auto& [sequence, id] : std::map(world.state().deployment_order)) {
      world.request("POST", "/v2/deployments/" + id + "/resume");
      world.request("POST", "/v2/deployments/" + id + "/promote");
    }
    for (const auto& [id, task] : std::map(world.tasks)) {
      // What is left of a group of which one has failed goes too.
      if (task.state == "TASK_FAILED") end_siblings(id);
      if (task.state == "TASK_UNREACHABLE" && task.executor) world.update(id, "TASK_GONE");
    }
    for (auto& [id, task] : world.tasks) {
      if (task.state == "TASK_STAGING") world.update(std::string(id), "TASK_RUNNING");
    }
    for (int i = 0; i < 40; ++i) {
      world.advance(base::seconds(31));
      world.offer_all();
    }
  }

  void check_always() {
    const State& state = world.state();
    for (const auto& [id, run] : state.apps) {
      size_t scheduled = 0;
      for (const auto& [key, instance] : run.instances) {
        scheduled += instance.condition == Condition::Scheduled ? 1 : 0;
        ASSERT_TRUE(instance.task_id.empty() || state.tasks.contains(instance.task_id)) << instance.task_id;
        for (const ContainerTask& task : instance.containers) ASSERT_TRUE(state.tasks.contains(task.task_id));
      }
      ASSERT_EQ(run.scheduled, scheduled) << id;
      ASSERT_EQ(run.target && scheduled > 0, state.launchable.contains(id)) << id;
      ASSERT_TRUE(run.deployment.empty() || state.deployments.contains(run.deployment)) << id;
    }
    // Nothing hangs without a word.
    for (const auto& [id, deployment] : state.deployments) {
      ASSERT_NE(explain_deployment(state, world.core->policy(), deployment, world.now.time), "") << id << describe();
      ASSERT_TRUE(!deployment.paused || deployment.running || !state.pending.empty()) << id;
    }
    size_t known = 0;
    for (const auto& [task, key] : state.tasks) {
      const auto run = state.apps.find(key.first);
      ASSERT_TRUE(run != state.apps.end() && run->second.instances.contains(key.second)) << task;
      ++known;
    }
    ASSERT_EQ(known, state.tasks.size());
  }

  void check_quiet() {
    const State& state = world.state();
    EXPECT_TRUE(state.deployments.empty()) << world.get("/v2/deployments").body << describe();
    EXPECT_TRUE(state.launchable.empty()) << world.get("/v2/queue").body;
    EXPECT_TRUE(state.kills_in_flight.empty());
    EXPECT_TRUE(state.pending.empty());
    size_t wanted = 0, wanted_tasks = 0, tasks = 0;
    for (const auto& [id, run] : state.apps) {
      ASSERT_TRUE(run.target) << id;
      const auto instances = static_cast<size_t>(run.target->instances);
      const size_t each = run.target->pod ? 2 : 1;  // containers
      wanted += instances;
      wanted_tasks += instances * each;
      EXPECT_EQ(world.running(id), instances * each) << id << describe();
      for (const std::string& task : world.tasks_of(id)) EXPECT_TRUE(state.tasks.contains(task)) << task;
    }
    for (const auto& [id, task] : world.tasks) tasks += task.state == "TASK_RUNNING" ? 1 : 0;
    EXPECT_EQ(tasks, wanted_tasks) << "no orphans";
    size_t records = 0;
    for (const auto& [key, value] : world.store) records += key.starts_with("instance:") ? 1 : 0;
    EXPECT_EQ(records, wanted);
    check_restart();
  }

 private:
  /// What was acknowledged is there after a restart.
  void check_restart() {
    std::map<PathId, std::string> before, after;
    for (const auto& [id, run] : world.state().apps) before[id] = base::render_iso8601(run.target->version);
    world.restart();
    for (const auto& [id, run] : world.state().apps) after[id] = base::render_iso8601(run.target->version);
    EXPECT_EQ(before, after);
  }

  std::string describe() const {
    std::string text;
    for (const auto& [id, run] : world.state().apps) {
      text += fmt::format("\n{} {} wants {}", id, base::render_iso8601(run.target->version), run.target->instances);
      for (const auto& [key, i] : run.instances) {
        text += fmt::format("\n  {} {} {} {} {}", i.task_id, base::render_iso8601(i.version),
                            condition_name(i.condition), i.state, i.goal == Goal::Running ? "" : "going");
      }
    }
    for (const auto& [id, d] : world.state().deployments) {
      for (const auto& step : d.steps) {
        for (const auto& a : step) {
          text += fmt::format("\n{} started {} done {} kill_now {} capacity {} killed {}", a.app,
                              a.started, a.done, a.kill_now, a.max_capacity, a.killed);
        }
      }
    }
    return text;
  }

  std::string pick_id() { return "/a" + std::to_string(random_.below(4)); }
  std::string force() { return random_.chance(0.4) ? "?force=true" : "?force=false"; }

  std::string body(const std::string& id) {
    return fmt::format(R"({{"id":"{}","cmd":"sleep 1","cpus":0.1,"mem":16,"instances":{},"upgradeStrategy":)"
                       R"({{"minimumHealthCapacity":{},"maximumOverCapacity":{}}},"backoffSeconds":{}{}{}}})",
                       id, random_.below(5), random_.chance(0.5) ? 1.0 : 0.5, random_.chance(0.5) ? 1.0 : 0.0,
                       random_.below(3), random_.chance(0.5) ? rules() : "",
                       random_.chance(0.3) ? R"(,"healthChecks":[{"protocol":"HTTP","intervalSeconds":3}])" : "");
  }

  std::string rules() {
    return fmt::format(R"(,"deployment":{{"progressDeadlineSeconds":{},"autoRevert":{},"minHealthySeconds":{},"canary":{}}})",
                       random_.below(20), random_.chance(0.5), random_.below(6), random_.chance(0.3) ? random_.below(4) : 0);
  }

  void hold(bool paused) {
    if (world.state().deployment_order.empty()) return;
    const std::string id = world.state().deployment_order.begin()->second;
    world.request("POST", "/v2/deployments/" + id + (paused ? "/pause" : "/resume"));
  }

  void update(const std::string& state) {
    std::vector<std::string> alive;
    for (const auto& [id, task] : world.tasks) {
      if (task.state == "TASK_STAGING" || task.state == "TASK_RUNNING") alive.push_back(id);
    }
    if (alive.empty()) return;
    const std::string task = random_.choose(alive);
    const auto others = world.siblings(task);
    world.update(task, state);
    // A group fails as one, though not at once; an agent is lost with all that is on it.
    if (state == "TASK_FAILED" && random_.chance(0.7)) end_siblings(task);
    if (state == "TASK_UNREACHABLE") {
      for (const std::string& other : others) world.update(other, state);
    }
  }

  void end_siblings(const std::string& task) {
    for (const std::string& other : world.siblings(task)) world.update(other, "TASK_KILLED");
  }

  std::string pod(const std::string& id) {
    return fmt::format(R"({{"id":"{}","containers":[{},{}],"scaling":{{"kind":"fixed","instances":{}}},"scheduling":)"
                       R"({{"upgrade":{{"minimumHealthCapacity":{},"maximumOverCapacity":{}}},"backoff":{{"backoff":{}}}}}}})",
                       id, container("a"), container("b"), random_.below(4), random_.chance(0.5) ? 1.0 : 0.5,
                       random_.chance(0.5) ? 1.0 : 0.0, random_.below(3));
  }

  std::string container(const std::string& name) {
    return fmt::format(R"({{"name":"{}","exec":{{"command":{{"shell":"sleep {}"}}}},"resources":{{"cpus":0.1,"mem":16}}}})",
                       name, random_.below(3));
  }

  void roll_back() {
    if (world.state().deployment_order.empty()) return;
    std::vector<std::string> ids;
    for (const auto& [sequence, id] : world.state().deployment_order) ids.push_back(id);
    const std::string id = random_.choose(ids);
    world.request("DELETE", "/v2/deployments/" + id + force());
  }

 public:
  World world{{}, {{"A1", "host1", 64, 65536}, {"A2", "host2", 64, 65536}}};  // room for all that is asked for

 private:
  bool pods_ = false;
  base::Random random_;
};

TEST(RandomHistories, end_in_the_world_that_was_asked_for) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History history(seed);
    for (int i = 0; i < 60 && !::testing::Test::HasFailure(); ++i) history.step();
    history.settle();
    history.check_quiet();
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(RandomHistories, with_pods_end_in_the_world_that_was_asked_for) {
  size_t containers = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History history(seed, true);
    for (int i = 0; i < 60 && !::testing::Test::HasFailure(); ++i) history.step();
    history.settle();
    history.check_quiet();
    if (::testing::Test::HasFailure()) return;
    for (const auto& [id, task] : history.world.tasks) containers += task.executor ? 1 : 0;
  }
  EXPECT_GT(containers, 1000U) << "the histories are about pods";
}

TEST(RandomHistories, are_the_same_for_the_same_seed) {
  const auto trace = [](uint64_t seed) {
    History history(seed);
    for (int i = 0; i < 60; ++i) history.step();
    std::string text;
    for (const Publish& event : history.world.published) text += event.data + "\n";
    for (const auto& [key, value] : history.world.store) text += key + value;
    return text;
  };
  EXPECT_EQ(trace(3), trace(3));
}

}  // namespace
}  // namespace marathon
