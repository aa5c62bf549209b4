#include "kernel/executor/group_executor.hpp"

#include <gtest/gtest.h>

namespace executor {
namespace {

using AgentCall = mesos::v1::agent::Call;
using AgentResponse = mesos::v1::agent::Response;
using Event = mesos::v1::executor::Event;

mesos::v1::TaskInfo make_task(const std::string& id) {
  mesos::v1::TaskInfo task;
  task.set_name(id);
  task.mutable_task_id()->set_value(id);
  task.mutable_agent_id()->set_value("agent");
  task.mutable_command()->set_value("run " + id);
  return task;
}

/// A conversation: events in, one line of words out. Containers are called by their task's name.
class Talk {
 public:
  Talk() : core(options(), base::Random(3)) { subscribe(); }

  static GroupOptions options() {
    GroupOptions made;
    made.framework_id.set_value("f");
    made.executor_id.set_value("pod");
    return made;
  }

  std::string subscribe() {
    Event event;
    event.set_type(Event::SUBSCRIBED);
    event.mutable_subscribed()->mutable_container_id()->set_value("root");
    event.mutable_subscribed()->mutable_framework_info()->add_capabilities()->set_type(
        mesos::v1::FrameworkInfo::Capability::TASK_KILLING_STATE);
    return on(event);
  }
  std::string on(const Event& event) {
    core.on(event, "10.0.0.1", now, effects);
    return words();
  }
  std::string launch(const std::vector<mesos::v1::TaskInfo>& tasks) {
    Event event;
    event.set_type(Event::LAUNCH_GROUP);
    for (const auto& task : tasks) *event.mutable_launch_group()->mutable_task_group()->add_tasks() = task;
    return on(event);
  }
  std::string kill(const std::string& task) {
    Event event;
    event.set_type(Event::KILL);
    event.mutable_kill()->mutable_task_id()->set_value(task);
    return on(event);
  }
  std::string acknowledge_all() {
    std::string text;
    for (const auto& update : std::exchange(told, {})) {
      Event event;
      event.set_type(Event::ACKNOWLEDGED);
      *event.mutable_acknowledged()->mutable_task_id() = update.task_id();
      event.mutable_acknowledged()->set_uuid(update.uuid());
      text += on(event);
    }
    return text;
  }
  /// Answers the last question of that kind about the task.
  std::string answer(const std::string& question, int status, std::optional<int> exit_status = {}, const std::string& text = "") {
    AgentResponse response;
    if (exit_status) response.mutable_wait_container()->set_exit_status(*exit_status);
    const auto found = asked.find(question);
    EXPECT_NE(found, asked.end()) << question;
    if (found == asked.end()) return "";
    core.answered(found->second, status, response, text, now, effects);
    return words();
  }
  std::string fire(const std::string& timer) {
    core.timer(timer, now, effects);
    return words();
  }

  std::string name_of(const mesos::v1::ContainerID& id) {
    const auto known = names.find(id.value());
    if (known != names.end()) return known->second;
    return id.value().ends_with("check") ? "guest" : id.value();
  }

  std::string words() {
    std::string text;
    const auto add = [&text](const std::string& word) { text += (text.empty() ? "" : " ") + word; };
    while (!effects.empty()) {
      for (auto& effect : std::exchange(effects, {})) {
        if (const auto* say = std::get_if<Say>(&effect)) {
          const auto& status = say->call.update().status();
          told.push_back(status);
          add(mesos::v1::TaskState_Name(status.state()).substr(5) + ":" + status.task_id().value());
          EXPECT_EQ(status.container_status().container_id().parent().value(), "root");
          core.said(202, effects);
        } else if (const auto* ask = std::get_if<Ask>(&effect)) {
          std::string word;
          switch (ask->call.type()) {
            case AgentCall::LAUNCH_CONTAINER: {
              const auto& call = ask->call.launch_container();
              const std::string task = call.command().value().substr(4);
              names[call.container_id().value()] = task;
              EXPECT_EQ(call.container_id().parent().value(), "root");
              EXPECT_EQ(call.command().environment().variables(0).value(), "10.0.0.1");
              word = "launch:" + task;
              break;
            }
            case AgentCall::WAIT_CONTAINER: word = "wait:" + name_of(ask->call.wait_container().container_id()); break;
            case AgentCall::KILL_CONTAINER:
              word = "kill" + std::to_string(ask->call.kill_container().has_signal() ? ask->call.kill_container().signal() : 9) +
                     ":" + name_of(ask->call.kill_container().container_id());
              break;
            case AgentCall::LAUNCH_NESTED_CONTAINER_SESSION: word = "session"; break;
            case AgentCall::REMOVE_CONTAINER: word = "remove"; break;
            default: word = "?";
          }
          asked[word] = ask->id;
          add(word);
        } else if (const auto* quit = std::get_if<Quit>(&effect)) {
          add("quit" + std::to_string(quit->code));
        } else if (const auto* probe = std::get_if<ProbeNetwork>(&effect)) {
          add("probe:" + probe->task);
        } else if (const auto* timer = std::get_if<SetTimerNamed>(&effect)) {
          timers[timer->name] = timer->at;
        }
      }
    }
    return text;
  }

  GroupExecutor core;
  GroupEffects effects;
  base::Now now{base::Instant{base::seconds(100)}, base::Time{base::seconds(1'000'000)}};
  std::map<std::string, uint64_t> asked;
  std::map<std::string, std::string> names;
  std::map<std::string, base::Instant> timers;
  std::vector<mesos::v1::TaskStatus> told;
};

constexpr int kExit1 = 1 << 8;

TEST(GroupExecutor, runs_a_group_to_its_good_end) {
  Talk talk;
  EXPECT_EQ(talk.launch({make_task("a"), make_task("b")}), "STARTING:a launch:a launch:b STARTING:b");
  EXPECT_EQ(talk.answer("launch:a", 200), "RUNNING:a wait:a");
  EXPECT_EQ(talk.answer("launch:b", 200), "RUNNING:b wait:b");
  EXPECT_EQ(talk.answer("wait:a", 200, 0), "FINISHED:a");
  EXPECT_EQ(talk.answer("wait:b", 200, 0), "FINISHED:b");
  EXPECT_EQ(talk.acknowledge_all(), "quit0") << "once all is acknowledged";
}

TEST(GroupExecutor, ends_the_group_with_its_first_failure_and_no_other_group) {
  Talk talk;
  talk.launch({make_task("a"), make_task("b")});
  talk.launch({make_task("c")});
  for (const char* task : {"a", "b", "c"}) talk.answer(std::string("launch:") + task, 200);
  EXPECT_EQ(talk.answer("wait:a", 200, kExit1), "FAILED:a kill15:b KILLING:b");
  EXPECT_EQ(talk.fire("kill/b"), "kill9:b") << "after its grace period";
  EXPECT_EQ(talk.answer("wait:b", 200, 9), "KILLED:b");
  EXPECT_EQ(talk.acknowledge_all(), "");
}

TEST(GroupExecutor, a_kill_of_one_ends_all_of_its_group) {
  Talk talk;
  talk.launch({make_task("a"), make_task("b")});
  talk.answer("launch:a", 200);
  talk.answer("launch:b", 200);
  EXPECT_EQ(talk.kill("a"), "KILLING:a kill15:a");
  EXPECT_EQ(talk.answer("wait:a", 200, 15), "KILLED:a kill15:b KILLING:b");
  EXPECT_EQ(talk.answer("wait:b", 200, 0), "KILLED:b") << "whatever its exit code";
}

TEST(GroupExecutor, a_kill_during_the_launch_is_not_lost) {
  Talk talk;
  talk.launch({make_task("a")});
  EXPECT_EQ(talk.kill("a"), "kill9:a");
  EXPECT_EQ(talk.answer("kill9:a", 404), "") << "it overtook the launch";
  EXPECT_EQ(talk.answer("launch:a", 200), "kill9:a wait:a");
  EXPECT_EQ(talk.answer("wait:a", 200, 9), "KILLED:a");
}

TEST(GroupExecutor, a_container_that_cannot_be_made_fails_the_group) {
  Talk talk;
  talk.launch({make_task("a"), make_task("b")});
  talk.answer("launch:b", 200);
  EXPECT_EQ(talk.answer("launch:a", 400, {}, "No such user"), "FAILED:a kill15:b KILLING:b");
  EXPECT_EQ(talk.told[talk.told.size() - 2].message(), "Failed to launch container: No such user");
}

TEST(GroupExecutor, takes_up_the_thread_after_a_restart_of_the_agent) {
  Talk talk;
  talk.launch({make_task("a"), make_task("b"), make_task("c")});
  talk.answer("launch:a", 200);
  talk.core.lost();
  EXPECT_EQ(talk.answer("launch:b", 0), "");
  const auto call = talk.core.subscribe();
  EXPECT_EQ(call.subscribe().unacknowledged_tasks_size(), 3);
  EXPECT_EQ(call.subscribe().unacknowledged_updates_size(), 4) << "three STARTING, one RUNNING";
  EXPECT_EQ(talk.subscribe(), "wait:a launch:b launch:c");
  EXPECT_EQ(talk.answer("launch:b", 202), "RUNNING:b wait:b") << "it had been launched";
  // It had been launched, and has ended.
  EXPECT_EQ(talk.answer("launch:c", 400, {}, "has ended already"), "wait:c");
  EXPECT_EQ(talk.answer("wait:c", 200, 0), "RUNNING:c FINISHED:c");
}

TEST(GroupExecutor, asks_again_for_a_kill_that_nobody_answered) {
  Talk talk;
  talk.launch({make_task("a")});
  talk.answer("launch:a", 200);
  talk.kill("a");
  talk.core.lost();
  EXPECT_EQ(talk.answer("kill15:a", 0), "");
  EXPECT_EQ(talk.subscribe(), "wait:a kill15:a");
}

TEST(GroupExecutor, asks_again_for_a_kill_that_came_to_an_agent_in_recovery) {
  Talk talk;
  talk.launch({make_task("a")});
  talk.answer("launch:a", 200);
  talk.kill("a");
  talk.answer("kill15:a", 200);
  talk.core.lost();
  EXPECT_EQ(talk.fire("kill/a"), "kill9:a");
  talk.answer("kill9:a", 503, {}, "Agent has not finished recovery");
  EXPECT_EQ(talk.subscribe(), "wait:a kill9:a");
}

TEST(GroupExecutor, probes_pause_while_the_agent_is_away) {
  Talk talk;
  auto task = make_task("a");
  task.mutable_health_check()->set_type(mesos::v1::HealthCheck::TCP);
  task.mutable_health_check()->mutable_tcp()->set_port(80);
  talk.launch({task});
  talk.answer("launch:a", 200);
  EXPECT_EQ(talk.fire("health/a"), "probe:a");
  talk.core.lost();
  EXPECT_EQ(talk.fire("health/a"), "");
  EXPECT_GT(talk.timers["health/a"], talk.now.instant);
  talk.subscribe();
  EXPECT_EQ(talk.fire("health/a"), "probe:a");
}

TEST(GroupExecutor, a_command_check_is_a_session_in_the_tasks_container) {
  Talk talk;
  auto task = make_task("a");
  task.mutable_health_check()->set_type(mesos::v1::HealthCheck::COMMAND);
  task.mutable_health_check()->mutable_command()->set_value("true");
  task.mutable_health_check()->set_grace_period_seconds(0);
  task.mutable_health_check()->set_consecutive_failures(1);
  talk.launch({task});
  talk.answer("launch:a", 200);
  EXPECT_EQ(talk.fire("health/a"), "session");
  EXPECT_EQ(talk.answer("session", 200), "wait:guest");
  EXPECT_EQ(talk.answer("wait:guest", 200, 0), "RUNNING:a remove");
  EXPECT_TRUE(talk.told.back().healthy());
  // One that takes too long is ended and counts as a failure.
  EXPECT_EQ(talk.fire("health/a"), "session");
  EXPECT_EQ(talk.fire("health-limit/a"), "kill9:guest RUNNING:a kill15:a KILLING:a");
  EXPECT_FALSE(talk.told.back().healthy());
}

TEST(GroupExecutor, disks_of_tasks_are_shown_from_the_executors_sandbox) {
  auto task = make_task("a");
  auto* disk = task.add_resources();
  disk->set_name("disk");
  disk->set_type(mesos::v1::Value::SCALAR);
  disk->mutable_allocation_info()->set_role("r");
  disk->mutable_disk()->mutable_volume()->set_container_path("data");
  disk->mutable_disk()->mutable_volume()->set_mode(mesos::v1::Volume::RW);
  const auto call = make_launch(task, {}, "");
  const auto& volume = call.launch_container().container().volumes(0);
  EXPECT_EQ(volume.source().sandbox_path().path(), "data");
  EXPECT_EQ(volume.source().sandbox_path().type(), mesos::v1::Volume::Source::SandboxPath::PARENT);
  EXPECT_EQ(call.launch_container().command().environment().variables(0).name(), "MESOS_ALLOCATION_ROLE");
}

TEST(GroupExecutor, a_shutdown_ends_everything) {
  Talk talk;
  talk.launch({make_task("a")});
  talk.answer("launch:a", 200);
  Event event;
  event.set_type(Event::SHUTDOWN);
  EXPECT_EQ(talk.on(event), "KILLING:a kill15:a");
  EXPECT_EQ(talk.timers["kill/a"], talk.now.instant + base::seconds(3));
  EXPECT_EQ(talk.answer("wait:a", 200, 0), "KILLED:a");
  EXPECT_EQ(talk.acknowledge_all(), "quit0");
}

}  // namespace
}  // namespace executor
