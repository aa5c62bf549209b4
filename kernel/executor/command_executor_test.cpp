#include "kernel/executor/command_executor.hpp"

#include <gtest/gtest.h>
#include <signal.h>

namespace executor {
namespace {

base::Now at(int seconds) {
  return {base::Instant{base::seconds(seconds)}, base::Time{base::seconds(1000 + seconds)}};
}

mesos::v1::TaskInfo make_task() {
  mesos::v1::TaskInfo task;
  task.mutable_task_id()->set_value("t");
  return task;
}

/// One word per action, so that a conversation reads as a line.
std::string words(const Actions& actions) {
  std::string text;
  for (const auto& action : actions) {
    if (!text.empty()) text += ' ';
    if (const auto* report = std::get_if<Report>(&action))
      text += mesos::v1::TaskState_Name(report->status.state()).substr(5);
    else if (std::holds_alternative<Terminate>(action))
      text += "term";
    else if (std::holds_alternative<Destroy>(action))
      text += "destroy";
    else if (const auto* timer = std::get_if<StartTimer>(&action))
      text += "timer" + std::to_string(static_cast<int>(timer->kind)) + "@" +
              std::to_string(timer->at.since_start / base::seconds(1));
    else if (std::holds_alternative<Probe>(action))
      text += "probe";
    else
      text += '-';
  }
  return text;
}

template <class Call>
std::string after(Call call) {
  Actions actions;
  call(actions);
  return words(actions);
}

Ending exited(int code) { return {.status = code << 8}; }

CommandExecutor running(mesos::v1::TaskInfo task = make_task(), CommandExecutorOptions options = {.reports_killing = true}) {
  CommandExecutor machine(std::move(task), options);
  Actions ignored;
  machine.starting(ignored);
  machine.running(at(0), ignored);
  return machine;
}

TEST(CommandExecutor, tells_starting_running_and_the_end) {
  CommandExecutor machine(make_task(), {});
  EXPECT_EQ(after([&](Actions& out) { machine.starting(out); }), "STARTING");
  EXPECT_EQ(after([&](Actions& out) { machine.running(at(0), out); }), "RUNNING");
  EXPECT_EQ(after([&](Actions& out) { machine.ended(exited(0), out); }), "- - - - FINISHED");
  EXPECT_EQ(after([&](Actions& out) { machine.ended(exited(0), out); }), "");
}

TEST(CommandExecutor, kills_with_the_grace_of_the_task_or_three_seconds) {
  auto machine = running();
  EXPECT_EQ(after([&](Actions& out) { machine.kill(std::nullopt, at(1), out); }), "- - - KILLING term timer0@4");
  EXPECT_EQ(after([&](Actions& out) { machine.timer(TimerKind::Kill, at(4), out); }), "destroy");
  EXPECT_EQ(after([&](Actions& out) { machine.ended({.status = SIGKILL}, out); }), "- - - - KILLED");

  auto task = make_task();
  task.mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(base::Duration(base::seconds(7)).count());
  auto patient = running(task);
  EXPECT_EQ(after([&](Actions& out) { patient.kill(std::nullopt, at(1), out); }), "- - - KILLING term timer0@8");
}

TEST(CommandExecutor, shortens_the_grace_of_a_kill_but_never_lengthens_it) {
  auto machine = running();
  after([&](Actions& out) { machine.kill(base::seconds(10), at(0), out); });
  EXPECT_EQ(after([&](Actions& out) { machine.kill(base::seconds(20), at(1), out); }), "");
  EXPECT_EQ(after([&](Actions& out) { machine.kill(base::seconds(5), at(1), out); }), "timer0@5");
  EXPECT_EQ(after([&](Actions& out) { machine.kill(base::seconds(1), at(3), out); }), "timer0@3");
}

TEST(CommandExecutor, calls_a_killed_task_killed_whatever_its_exit_status) {
  auto machine = running();
  after([&](Actions& out) { machine.kill(std::nullopt, at(0), out); });
  EXPECT_EQ(after([&](Actions& out) { machine.ended(exited(0), out); }), "- - - - KILLED");
}

TEST(CommandExecutor, destroys_at_once_when_killed_during_the_launch) {
  CommandExecutor machine(make_task(), {});
  after([&](Actions& out) { machine.starting(out); });
  EXPECT_EQ(after([&](Actions& out) { machine.kill(std::nullopt, at(0), out); }), "- - - destroy");
  EXPECT_EQ(after([&](Actions& out) { machine.running(at(0), out); }), "");
  EXPECT_EQ(after([&](Actions& out) { machine.ended({.status = SIGKILL}, out); }), "- - - - KILLED");
}

TEST(CommandExecutor, never_reports_running_after_killing) {
  auto task = make_task();
  task.mutable_check()->set_type(mesos::v1::CheckInfo::TCP);
  auto machine = running(task);
  after([&](Actions& out) { machine.kill(std::nullopt, at(0), out); });
  ProbeResult up;
  up.tcp_succeeded = true;
  EXPECT_EQ(after([&](Actions& out) { machine.probed(ProbeKind::Check, up, at(1), out); }), "");
  EXPECT_EQ(after([&](Actions& out) { machine.timer(TimerKind::Check, at(1), out); }), "");
}

TEST(CommandExecutor, ends_a_task_that_takes_too_long) {
  auto task = make_task();
  task.mutable_max_completion_time()->set_nanoseconds(base::Duration(base::seconds(9)).count());
  auto machine = running(task);
  EXPECT_EQ(after([&](Actions& out) { machine.timer(TimerKind::Completion, at(9), out); }), "- - - KILLING term timer0@12");
  Actions actions;
  machine.ended({.status = SIGTERM}, actions);
  const auto& status = std::get<Report>(actions.back()).status;
  EXPECT_EQ(status.state(), mesos::v1::TASK_FAILED);
  EXPECT_EQ(status.reason(), mesos::v1::TaskStatus::REASON_MAX_COMPLETION_TIME_REACHED);
}

TEST(CommandExecutor, says_gone_or_lost_when_nobody_knows_the_end) {
  for (const bool aware : {true, false}) {
    auto machine = running(make_task(), {.partition_aware = aware});
    Actions actions;
    machine.ended({}, actions);
    EXPECT_EQ(std::get<Report>(actions.back()).status.state(), aware ? mesos::v1::TASK_GONE : mesos::v1::TASK_LOST);
  }
}

TEST(CommandExecutor, goes_on_with_a_kill_after_a_restart) {
  CommandExecutor machine(make_task(), {.reports_killing = true});
  EXPECT_EQ(after([&](Actions& out) { machine.resumed(at(100), base::Time{base::seconds(1000)}, true, out); }),
            "- - - KILLING term timer0@103");
}

TEST(CommandExecutor, measures_the_completion_time_from_the_start_also_after_a_restart) {
  auto task = make_task();
  task.mutable_max_completion_time()->set_nanoseconds(base::Duration(base::seconds(150)).count());
  CommandExecutor machine(task, {});
  EXPECT_EQ(after([&](Actions& out) { machine.resumed(at(100), base::Time{base::seconds(1020)}, false, out); }),
            "timer1@170");
}

TEST(WaitStatus, reads_as_a_sentence) {
  EXPECT_EQ(describe_wait_status(0), "Command exited with status 0");
  EXPECT_EQ(describe_wait_status(256), "Command exited with status 1");
  EXPECT_EQ(describe_wait_status(9), "Command terminated with signal Killed");
}

}  // namespace
}  // namespace executor
