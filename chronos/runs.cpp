#include "chronos/runs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/json/writer.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "chronos/due.hpp"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"

namespace chronos {
namespace {

namespace pb = mesos::v1;
using pb::scheduler::Call;

constexpr size_t kMostArguments = 64;  // of a task id: agents use it as the name of a directory

void acknowledge(Turn& turn, const pb::TaskStatus& status) {
  if (status.uuid().empty() || !turn.state.subscribed) return;
  auto call = std::make_shared<Call>();
  call->set_type(Call::ACKNOWLEDGE);
  auto& acknowledge = *call->mutable_acknowledge();
  *acknowledge.mutable_agent_id() = status.agent_id();
  *acknowledge.mutable_task_id() = status.task_id();
  acknowledge.set_uuid(status.uuid());
  turn.out.send(std::move(call));
}

void send_kill(Turn& turn, const TaskId& id, const std::string& agent) {
  if (!turn.state.subscribed) return;
  auto call = std::make_shared<Call>();
  call->set_type(Call::KILL);
  call->mutable_kill()->mutable_task_id()->set_value(id);
  if (!agent.empty()) call->mutable_kill()->mutable_agent_id()->set_value(agent);
  turn.out.send(std::move(call));
}

/// A launch that never reached its agent: the same run again, under a new id. No retry is used up.
void launch_again(Turn& turn, Run& run, const std::string& message) {
  JobState* job = find_job(turn.state, run.job);
  Pending again = run.from;
  if (job) {
    job->active.erase(run.id);
    if (!job->job.disabled) {
      again.sequence = turn.state.next_sequence++;
      again.trigger = Trigger::Again;
      ++again.attempt;
      ++again.drops;
      // At once the first time; then slower and slower, for whatever refuses it may go on to.
      const base::Duration pause = base::seconds(int64_t{1} << std::min<int64_t>(again.drops, 20));
      again.ready = again.drops <= 1 ? turn.now.time : turn.now.time + std::min(pause, turn.policy.failure_retry);
      job->pending.push_back(std::move(again));
    }
  }
  turn.info(fmt::format("task {} never ran ({}): the run is launched again", run.id, message));
  turn.count("runs.relaunched");
  const JobName name = run.job;
  turn.dirty.runs.insert(run.id);
  turn.state.runs.erase(TaskId(run.id));
  touch(turn, name);
}

void fire_children(Turn& turn, const JobName& parent, int64_t generation) {
  const auto it = turn.state.children.find(parent);
  if (it == turn.state.children.end()) return;
  for (const JobName& name : it->second) {
    JobState* child = find_job(turn.state, name);
    if (!child) continue;
    const auto& parents = child->job.parents;
    const bool by_generation = parents.size() > 1 && common_root(parents, parents_in(turn.state)).has_value();
    const bool due = advance(child->edges, parents, parent, generation, by_generation);
    touch(turn, name);
    if (due && !child->job.disabled) (void)want_run(turn, *child, Trigger::Parents, generation, {});
  }
}

void remember(Turn& turn, JobState& job, const Run& run, RunResult result) {
  job.history.add({run.id, run.agent_id, run.started, turn.now.time, result, run.from.generation, run.elements}, turn.policy.history_limit);
  turn.dirty.histories.insert(job.job.name);
}

void succeed(Turn& turn, JobState& job, const Pending& run) {
  ++job.counters.successes;
  job.counters.errors_since_success = 0;
  job.counters.last_success = turn.now.time;
  turn.count("runs.succeeded");
  // A run by hand is no part of the schedule.
  const bool exhausted = run.of_slot && job.schedule && job.schedule->exhausted() && job.active.empty() && job.pending.empty();
  if (exhausted && !job.job.disabled) {
    job.job.disabled = true;
    notify_owners(turn, job, fmt::format("job '{}' disabled", job.job.name),
                  fmt::format("'{}' has run as often as its schedule says.", job.job.name));
  }
  fire_children(turn, job.job.name, run.generation);
}

bool may_retry(const Turn& turn, const JobState& job, const Pending& run) {
  if (job.job.disabled || run.failures >= job.job.retries) return false;
  if (!turn.policy.retry_only_after_success || !job.counters.last_error) return true;
  return job.counters.last_success && *job.counters.last_success >= *job.counters.last_error;
}

void fail(Turn& turn, JobState& job, const Pending& run, const TaskId& id, const std::string& message) {
  if (may_retry(turn, job, run)) {
    Pending retry = run;
    retry.sequence = turn.state.next_sequence++;
    retry.trigger = Trigger::Again;
    ++retry.attempt;
    ++retry.failures;
    retry.drops = 0;
    retry.fresh = false;
    retry.ready = turn.now.time + turn.policy.failure_retry;
    job.pending.push_back(std::move(retry));
    turn.count("runs.retried");
    return;
  }
  ++job.counters.errors;
  ++job.counters.errors_since_success;
  job.counters.last_error = turn.now.time;
  turn.count("runs.failed");
  const int64_t limit = turn.policy.disable_after_failures;
  if (limit > 0 && job.counters.errors_since_success >= limit && !job.job.disabled) {
    job.job.disabled = true;
    notify_owners(turn, job, fmt::format("job '{}' disabled", job.job.name),
                  fmt::format("'{}' has failed {} times in a row; the last task was {}: {}", job.job.name,
                              job.counters.errors_since_success, id, message));
  } else {
    notify_owners(turn, job, fmt::format("job '{}' failed!", job.job.name),
                  fmt::format("'{}' failed: task {}, {} retries: {}", job.job.name, id, run.failures, message));
  }
  if (job.job.soft_error) fire_children(turn, job.job.name, run.generation);
}

void on_running(Turn& turn, Run& run) {
  if (run.stage == RunStage::Running || run.stage == RunStage::Awaiting) return;
  run.stage = RunStage::Running;
  run.from.fresh = false;
  if (!run.started) run.started = turn.now.time;
  turn.dirty.runs.insert(run.id);
  if (JobState* job = find_job(turn.state, run.job); job && !job->edges.empty()) {
    reset(job->edges);
    touch(turn, run.job);
  }
}

void on_end(Turn& turn, Run& run, const pb::TaskStatus& status) {
  const TaskId id = run.id;
  const std::string why = fmt::format("{}{}{}", pb::TaskState_Name(status.state()), status.message().empty() ? "" : ": ",
                                      status.message());
  if (status.state() == pb::TASK_FINISHED) {
    const JobState* job = find_job(turn.state, run.job);
    if (job && job->job.async && !run.killing) {
      on_running(turn, run);
      run.stage = RunStage::Awaiting;
      turn.dirty.runs.insert(id);
      return;
    }
    on_running(turn, run);
    return finish(turn, id, Outcome::Success, why);
  }
  if (run.killing || status.state() == pb::TASK_KILLED) return finish(turn, id, Outcome::Killed, why);
  const bool may_have_run = status.state() == pb::TASK_FAILED || status.state() == pb::TASK_ERROR;
  if (run.stage == RunStage::Launching && !may_have_run) return launch_again(turn, run, why);
  if (status.state() == pb::TASK_DROPPED && !run.started) return launch_again(turn, run, why);
  finish(turn, id, Outcome::Failure, why);
}

}  // namespace

TaskId make_task_id(const JobName& job, int64_t due_ms, int64_t attempt, const std::string& arguments) {
  std::string safe = base::valid_utf8(std::string_view(arguments).substr(0, kMostArguments));
  // It becomes a part of paths.
  for (char& c : safe) {
    if (c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '_';
  }
  return fmt::format("ct:{}:{}:{}:{}", due_ms, attempt, job, safe);
}

std::optional<TaskIdParts> parse_task_id(const TaskId& id) {
  const auto parts = base::split(id, ':');
  if (parts.size() < 4 || parts[0] != "ct") return std::nullopt;
  const auto due = base::parse_int(parts[1]);
  const auto attempt = base::parse_int(parts[2]);
  if (!due || !attempt || parts[3].empty()) return std::nullopt;
  return TaskIdParts{*due, *attempt, std::string(parts[3])};
}

void on_task_status(Turn& turn, const pb::TaskStatus& status) {
  const auto it = turn.state.runs.find(status.task_id().value());
  if (!status.uuid().empty()) {
    // By value: it outlives the event.
    const State::Continuation acknowledged = [status](Turn& later, const base::Status& stored) {
      if (stored) return acknowledge(later, status);
      later.state.unsaved_continuations.push_back(
          [status](Turn& again, const base::Status& done) { if (done) acknowledge(again, status); });
    };
    when_durable(turn, acknowledged);
  }
  const bool ended = status.state() == pb::TASK_FINISHED || status.state() == pb::TASK_FAILED ||
                     status.state() == pb::TASK_KILLED || status.state() == pb::TASK_LOST ||
                     status.state() == pb::TASK_ERROR || status.state() == pb::TASK_DROPPED ||
                     status.state() == pb::TASK_GONE || status.state() == pb::TASK_GONE_BY_OPERATOR ||
                     status.state() == pb::TASK_UNKNOWN;
  if (it == turn.state.runs.end()) {
    if (ended || status.state() == pb::TASK_UNREACHABLE || status.state() == pb::TASK_KILLING) return;
    // Every launch is written down before it is made: what is not written down is not ours to keep.
    turn.warn(fmt::format("task {} is not known here and is killed", status.task_id().value()));
    return send_kill(turn, status.task_id().value(), status.agent_id().value());
  }
  Run& run = it->second;
  if (run.stage == RunStage::Awaiting) return;
  if (ended) return on_end(turn, run, status);
  if (status.state() == pb::TASK_RUNNING) return on_running(turn, run);
  // An unreachable agent may come back with the task.
  if (run.stage == RunStage::Launching) {
    run.stage = RunStage::Staging;
    turn.dirty.runs.insert(run.id);
  }
}

void finish(Turn& turn, const TaskId& id, Outcome outcome, const std::string& message) {
  const auto it = turn.state.runs.find(id);
  if (it == turn.state.runs.end()) return;
  const Run run = std::move(it->second);
  turn.state.runs.erase(it);
  turn.dirty.runs.insert(run.id);
  JobState* job = find_job(turn.state, run.job);
  // Of a job that was removed meanwhile, or removed and made anew.
  if (!job || job->active.erase(run.id) == 0) return;
  // What it gives back may be what others wait for.
  if (!turn.state.queue.empty()) turn.state.demand = true;
  touch(turn, run.job);
  remember(turn, *job, run, outcome == Outcome::Success ? RunResult::Success : RunResult::Fail);
  if (outcome == Outcome::Success) {
    succeed(turn, *job, run.from);
  } else if (outcome == Outcome::Failure) {
    turn.info(fmt::format("task {} failed: {}", run.id, message));
    fail(turn, *job, run.from, run.id, message);
  }
}

void mark_success(Turn& turn, JobState& job) {
  ++job.counters.successes;
  job.counters.errors_since_success = 0;
  job.counters.last_success = turn.now.time;
  reset(job.edges);
  touch(turn, job.job.name);
  // In the place of the newest run.
  const auto& runs = job.history.runs();
  const int64_t generation = runs.empty() ? milliseconds_of(turn.now.time) : runs.back().generation;
  fire_children(turn, job.job.name, generation);
}

void kill_runs(Turn& turn, const JobState& job) {
  std::vector<std::pair<TaskId, std::string>> kills;
  for (const TaskId& id : job.active) {
    const auto run = turn.state.runs.find(id);
    if (run == turn.state.runs.end()) continue;
    run->second.killing = true;
    turn.dirty.runs.insert(id);
    kills.emplace_back(id, run->second.agent_id);
  }
  if (kills.empty()) return;
  turn.out.set_timer("kills", turn.now.instant + turn.policy.kill_retry);
  when_durable(turn, [kills = std::move(kills)](Turn& later, const base::Status&) {
    for (const auto& [id, agent] : kills) {
      const auto it = later.state.runs.find(id);
      if (it == later.state.runs.end()) continue;
      // Its task has ended already; nobody will report an outcome.
      if (it->second.stage == RunStage::Awaiting) {
        finish(later, id, Outcome::Killed, "killed");
      } else {
        send_kill(later, id, agent);
      }
    }
  });
}

void repeat_kills(Turn& turn) {
  bool any = false;
  for (const auto& [id, run] : turn.state.runs) {
    if (!run.killing) continue;
    any = true;
    send_kill(turn, id, run.agent_id);
  }
  if (any) turn.out.set_timer("kills", turn.now.instant + turn.policy.kill_retry);
}

void reconcile(Turn& turn, bool all) {
  turn.out.set_timer("reconcile", turn.now.instant + turn.policy.reconciliation_interval);
  if (!turn.state.subscribed) return;
  auto known = std::make_shared<Call>();
  known->set_type(Call::RECONCILE);
  for (const auto& [id, run] : turn.state.runs) {
    // Of a launch that waits for its record the master knows nothing yet.
    if (run.stage == RunStage::Awaiting || !run.sent) continue;
    auto& task = *known->mutable_reconcile()->add_tasks();
    task.mutable_task_id()->set_value(id);
    task.mutable_agent_id()->set_value(run.agent_id);
  }
  const bool any = known->reconcile().tasks_size() > 0;
  if (any) turn.out.send(std::move(known));
  if (!all) return;
  auto rest = std::make_shared<Call>();
  rest->set_type(Call::RECONCILE);
  rest->mutable_reconcile();
  turn.out.send(std::move(rest));
}

void expect_confirmation(Turn& turn) {
  if (turn.state.confirming) return;
  turn.state.confirming = true;
  turn.out.set_timer("confirm", turn.now.instant + turn.policy.confirm_interval);
}

void confirm_launches(Turn& turn) {
  turn.state.confirming = false;
  bool any = false;
  auto call = std::make_shared<Call>();
  call->set_type(Call::RECONCILE);
  for (const auto& [id, run] : turn.state.runs) {
    if (run.stage != RunStage::Launching) continue;
    any = true;
    if (!run.sent) continue;
    auto& task = *call->mutable_reconcile()->add_tasks();
    task.mutable_task_id()->set_value(id);
    task.mutable_agent_id()->set_value(run.agent_id);
  }
  if (turn.state.subscribed && call->reconcile().tasks_size() > 0) turn.out.send(std::move(call));
  if (any) expect_confirmation(turn);
}

void notify_owners(Turn& turn, const JobState& state, const std::string& what, const std::string& message) {
  const Job& job = state.job;
  Notify notice;
  for (std::string_view owner : base::tokenize(job.owner, ',')) {
    if (!base::trim(owner).empty()) notice.owners.emplace_back(base::trim(owner));
  }
  notice.subject = fmt::format("{}[Chronos] {}", turn.policy.cluster_name.empty() ? "" : "[" + turn.policy.cluster_name + "] ",
                               what);
  notice.message = message;
  std::string uris;
  for (const Fetch& fetch : job.fetch) uris += (uris.empty() ? "" : ",") + fetch.uri;
  base::json::Writer w(notice.fields);
  w.field("job", job.name);
  w.field("command", job.command);
  w.field("cpus", base::render_double(job.cpus));
  w.field("mem", base::render_double(job.mem));
  w.field("softError", job.soft_error ? "true" : "false");
  w.field("errorCount", std::to_string(state.counters.errors));
  w.field("errorsSinceLastSuccess", std::to_string(state.counters.errors_since_success));
  w.field("successCount", std::to_string(state.counters.successes));
  w.field("executor", job.executor);
  w.field("executorFlags", job.executor_flags);
  w.field("lastError", state.counters.last_error ? base::render_iso8601(*state.counters.last_error) : "");
  w.field("lastSuccess", state.counters.last_success ? base::render_iso8601(*state.counters.last_success) : "");
  w.field("retries", std::to_string(job.retries));
  w.field("uris", uris);
  turn.out.notify(std::move(notice));
}

}  // namespace chronos
