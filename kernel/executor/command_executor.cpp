#include "kernel/executor/command_executor.hpp"

#include <string.h>
#include <sys/wait.h>

#include <algorithm>

#include "base/time.hpp"

namespace executor {

using mesos::v1::TaskStatus;

std::string describe_wait_status(int status) {
  if (WIFEXITED(status)) return "Command exited with status " + std::to_string(WEXITSTATUS(status));
  if (WIFSIGNALED(status)) {
    const char* name = sigdescr_np(WTERMSIG(status));
    return "Command terminated with signal " + (name != nullptr ? std::string(name) : std::to_string(WTERMSIG(status)));
  }
  return "Command ended with wait status " + std::to_string(status);
}

CommandExecutor::CommandExecutor(mesos::v1::TaskInfo task, CommandExecutorOptions options)
    : task_(std::move(task)), options_(options) {
  if (task_.has_check()) check_.emplace(task_.check());
  if (task_.has_health_check()) health_.emplace(task_.health_check());
}

TaskStatus CommandExecutor::make_status(mesos::v1::TaskState state) const {
  TaskStatus status;
  status.mutable_task_id()->CopyFrom(task_.task_id());
  status.set_state(state);
  status.set_source(TaskStatus::SOURCE_EXECUTOR);
  if (check_) status.mutable_check_status()->CopyFrom(check_->status());
  if (health_ && health_->healthy()) status.set_healthy(*health_->healthy());
  return status;
}

void CommandExecutor::finish(TaskStatus status, Actions& out) {
  stage_ = Stage::Over;
  for (const TimerKind kind : {TimerKind::Kill, TimerKind::Completion, TimerKind::Check, TimerKind::Health})
    out.push_back(StopTimer{kind});
  // The last update tells the kind of the check but repeats no result.
  if (check_) status.mutable_check_status()->CopyFrom(check_->empty_status());
  status.clear_healthy();
  if (cause_ == Cause::Unhealthy) status.set_healthy(false);
  out.push_back(Report{std::move(status)});
}

void CommandExecutor::starting(Actions& out) {
  stage_ = Stage::Starting;
  out.push_back(Report{make_status(mesos::v1::TASK_STARTING)});
}

void CommandExecutor::schedule_probes(base::Instant started, Actions& out) {
  if (check_) out.push_back(StartTimer{TimerKind::Check, check_->first_probe(started)});
  if (health_) out.push_back(StartTimer{TimerKind::Health, health_->first_probe(started)});
  if (task_.has_max_completion_time())
    out.push_back(StartTimer{TimerKind::Completion,
                             started + base::Duration(std::max<int64_t>(task_.max_completion_time().nanoseconds(), 0))});
}

void CommandExecutor::running(base::Now now, Actions& out) {
  if (stage_ != Stage::Starting) return;
  stage_ = Stage::Running;
  started_ = now.instant;
  // A kill that came during the launch: the container is on its way out, nothing may follow but its end.
  if (killing_) return;
  out.push_back(Report{make_status(mesos::v1::TASK_RUNNING)});
  schedule_probes(started_, out);
}

void CommandExecutor::resumed(base::Now now, base::Time started, bool killing, Actions& out) {
  stage_ = Stage::Running;
  const base::Duration age = std::max(now.time - started, base::Duration::zero());
  started_ = now.instant - age;
  if (killing) {
    begin_kill(Cause::Asked, grace_of_task(), now, out);
    return;
  }
  if (check_) out.push_back(StartTimer{TimerKind::Check, now.instant});
  if (health_) out.push_back(StartTimer{TimerKind::Health, std::max(health_->first_probe(started_), now.instant)});
  if (task_.has_max_completion_time())
    out.push_back(StartTimer{TimerKind::Completion, started_ + base::Duration(task_.max_completion_time().nanoseconds())});
}

void CommandExecutor::launch_failed(const std::string& message, Actions& out) {
  if (stage_ == Stage::Over) return;
  TaskStatus status = make_status(killing_ ? mesos::v1::TASK_KILLED : mesos::v1::TASK_FAILED);
  status.set_reason(killing_ ? TaskStatus::REASON_TASK_KILLED_DURING_LAUNCH
                             : TaskStatus::REASON_CONTAINER_LAUNCH_FAILED);
  status.set_message(killing_ ? "Killed during the launch" : "Failed to launch container: " + message);
  finish(std::move(status), out);
}

base::Duration CommandExecutor::grace_of_task() const {
  if (task_.kill_policy().has_grace_period())
    return base::Duration(std::max<int64_t>(task_.kill_policy().grace_period().nanoseconds(), 0));
  return options_.default_grace;
}

void CommandExecutor::begin_kill(Cause cause, base::Duration grace, base::Now now, Actions& out) {
  killing_ = true;
  cause_ = cause;
  kill_started_ = now.instant;
  kill_deadline_ = now.instant + grace;
  for (const TimerKind kind : {TimerKind::Completion, TimerKind::Check, TimerKind::Health}) out.push_back(StopTimer{kind});
  if (stage_ == Stage::Starting) {
    // Nothing of the task's runs yet that could end politely.
    out.push_back(Destroy{});
    return;
  }
  if (options_.reports_killing) {
    TaskStatus status = make_status(mesos::v1::TASK_KILLING);
    if (cause == Cause::Unhealthy) status.set_healthy(false);
    out.push_back(Report{std::move(status)});
  }
  out.push_back(Terminate{});
  out.push_back(StartTimer{TimerKind::Kill, kill_deadline_});
}

void CommandExecutor::kill(const std::optional<base::Duration>& grace, base::Now now, Actions& out) {
  if (stage_ == Stage::Over || stage_ == Stage::Idle) return;
  const base::Duration wanted = std::max(grace.value_or(grace_of_task()), base::Duration::zero());
  if (!killing_) return begin_kill(Cause::Asked, wanted, now, out);
  const base::Instant deadline = std::max(kill_started_ + wanted, now.instant);
  if (stage_ != Stage::Running || deadline >= kill_deadline_) return;
  kill_deadline_ = deadline;
  out.push_back(StartTimer{TimerKind::Kill, deadline});
}

void CommandExecutor::timer(TimerKind kind, base::Now now, Actions& out) {
  if (stage_ != Stage::Running) return;
  switch (kind) {
    case TimerKind::Kill: out.push_back(Destroy{}); return;
    case TimerKind::Completion:
      if (!killing_) begin_kill(Cause::Completion, grace_of_task(), now, out);
      return;
    case TimerKind::Check:
      if (!killing_ && check_) out.push_back(Probe{ProbeKind::Check});
      return;
    case TimerKind::Health:
      if (!killing_ && health_) out.push_back(Probe{ProbeKind::Health});
      return;
  }
}

void CommandExecutor::probed(ProbeKind kind, const ProbeResult& result, base::Now now, Actions& out) {
  // No TASK_RUNNING may follow TASK_KILLING or the end.
  if (stage_ != Stage::Running || killing_) return;
  if (kind == ProbeKind::Check) {
    if (!check_) return;
    out.push_back(StartTimer{TimerKind::Check, check_->next_probe(now.instant)});
    if (!check_->took_result(result)) return;
    TaskStatus status = make_status(mesos::v1::TASK_RUNNING);
    status.set_reason(TaskStatus::REASON_TASK_CHECK_STATUS_UPDATED);
    out.push_back(Report{std::move(status)});
    return;
  }
  if (!health_) return;
  out.push_back(StartTimer{TimerKind::Health, health_->next_probe(now.instant)});
  const HealthState::Verdict verdict = health_->took_result(result, now.instant - started_);
  if (verdict.report) {
    TaskStatus status = make_status(mesos::v1::TASK_RUNNING);
    status.set_reason(TaskStatus::REASON_TASK_HEALTH_CHECK_STATUS_UPDATED);
    if (!verdict.message.empty()) status.set_message(verdict.message);
    out.push_back(Report{std::move(status)});
  }
  if (verdict.kill) begin_kill(Cause::Unhealthy, grace_of_task(), now, out);
}

void CommandExecutor::ended(const Ending& ending, Actions& out) {
  if (stage_ == Stage::Over) return;
  if (!ending.status && !killing_) {
    TaskStatus status = make_status(options_.partition_aware ? mesos::v1::TASK_GONE : mesos::v1::TASK_LOST);
    status.set_source(TaskStatus::SOURCE_AGENT);
    status.set_reason(TaskStatus::REASON_AGENT_RESTARTED);
    status.set_message("The task was lost while its agent was down: the machine or the launch was interrupted");
    return finish(std::move(status), out);
  }
  const int raw = ending.status.value_or(SIGKILL);
  if (cause_ == Cause::Completion) {
    TaskStatus status = make_status(mesos::v1::TASK_FAILED);
    status.set_reason(TaskStatus::REASON_MAX_COMPLETION_TIME_REACHED);
    status.set_message("The task ran longer than its maximum completion time");
    return finish(std::move(status), out);
  }
  if (ending.out_of_memory && !killing_) {
    TaskStatus status = make_status(mesos::v1::TASK_FAILED);
    status.set_reason(TaskStatus::REASON_CONTAINER_LIMITATION_MEMORY);
    status.set_message(ending.message);
    auto* resource = status.mutable_limitation()->add_resources();
    resource->set_name("mem");
    resource->set_type(mesos::v1::Value::SCALAR);
    resource->mutable_scalar()->set_value(static_cast<double>(ending.memory_used) / (1 << 20));
    return finish(std::move(status), out);
  }
  if (ending.disk_used && !killing_) {
    TaskStatus status = make_status(mesos::v1::TASK_FAILED);
    status.set_reason(TaskStatus::REASON_CONTAINER_LIMITATION_DISK);
    status.set_message(ending.message);
    auto* resource = status.mutable_limitation()->add_resources();
    resource->set_name("disk");
    resource->set_type(mesos::v1::Value::SCALAR);
    resource->mutable_scalar()->set_value(static_cast<double>(*ending.disk_used) / (1 << 20));
    return finish(std::move(status), out);
  }
  if (ending.limitation && !killing_) {
    TaskStatus status = make_status(mesos::v1::TASK_FAILED);
    status.set_reason(ending.limitation->reason);
    status.set_message(ending.limitation->message);
    auto& limitation = *status.mutable_limitation();
    limitation.mutable_resources()->Assign(ending.limitation->resources.begin(), ending.limitation->resources.end());
    return finish(std::move(status), out);
  }
  const bool success = WIFEXITED(raw) && WEXITSTATUS(raw) == 0;
  TaskStatus status = make_status(killing_  ? mesos::v1::TASK_KILLED
                                  : success ? mesos::v1::TASK_FINISHED
                                            : mesos::v1::TASK_FAILED);
  status.set_message(describe_wait_status(raw) + (ending.message.empty() ? "" : "; " + ending.message));
  finish(std::move(status), out);
}

}  // namespace executor
