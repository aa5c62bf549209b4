#include "metronome/runs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"
#include "metronome/api/api.hpp"
#include "metronome/records.hpp"

namespace metronome {
namespace {

namespace pb = mesos::v1;
using pb::scheduler::Call;

constexpr size_t kMostTasks = 100;  // of a run that are remembered
constexpr base::Duration kLongestPause = base::minutes(1);

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

void send_kill(Turn& turn, const TaskId& id, const std::string& agent, const Run* run = nullptr) {
  if (!turn.state.subscribed) return;
  auto call = std::make_shared<Call>();
  call->set_type(Call::KILL);
  call->mutable_kill()->mutable_task_id()->set_value(id);
  if (!agent.empty()) call->mutable_kill()->mutable_agent_id()->set_value(agent);
  if (run && run->spec->run.kill_grace_s) {
    call->mutable_kill()->mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(*run->spec->run.kill_grace_s *
                                                                                         1'000'000'000);
  }
  turn.out.send(std::move(call));
}

/// "20160715130259A34HX": the second, and five letters or digits.
RunId make_run_id(Turn& turn, const JobId& job) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  const base::CivilTime c = base::civil_of(std::chrono::floor<std::chrono::seconds>(turn.now.time.since_epoch).count());
  RunId id;
  do {
    id = fmt::format("{:04}{:02}{:02}{:02}{:02}{:02}", c.year, c.month, c.day, c.hour, c.minute, c.second);
    for (int i = 0; i < 5; ++i) id += kLetters[turn.random.below(kLetters.size())];
  } while (turn.state.runs.contains({job, id}));
  return id;
}

/// A child starts when the newest end of every parent was a success, after the child's own newest start.
void start_children(Turn& turn, const JobId& parent) {
  const auto it = turn.state.children.find(parent);
  if (it == turn.state.children.end()) return;
  for (const JobId& id : it->second) {
    JobState* child = find_job(turn.state, id);
    if (!child) continue;
    const auto& parents = child->spec->dependencies;
    const bool all = std::all_of(parents.begin(), parents.end(), [&](const JobId& name) {
      const JobState* job = find_job(turn.state, name);
      return job && job->last == Outcome::Success && job->ended > child->started;
    });
    if (!all) continue;
    if (child->active.size() >= turn.policy.max_active_runs) {
      turn.warn(fmt::format("job {}: it is not started, {} runs are under way", id, child->active.size()));
      continue;
    }
    (void)begin_run(turn, *child, std::nullopt);
  }
}

void remember(Turn& turn, JobState& job, const Run& run, bool success) {
  FinishedRun ended{run.id, run.created, turn.now.time, {}};
  for (const auto& [id, task] : run.tasks) ended.tasks.push_back(id);
  History& history = job.history;
  (success ? history.successes : history.failures) += 1;
  (success ? history.last_success : history.last_failure) = turn.now.time;
  auto& runs = success ? history.successful : history.failed;
  turn.dirty.records[history_key(run.job, success, run.id)] = encode_finished(ended);
  runs.push_front(std::move(ended));
  while (runs.size() > turn.policy.history_limit) {
    turn.dirty.records[history_key(run.job, success, runs.back().id)] = std::nullopt;
    runs.pop_back();
  }
}

void set_task(Turn& turn, Run& run, const std::string& state, bool completed) {
  // A run that fails for days must not grow without end.
  if (run.tasks.size() >= kMostTasks && !run.tasks.contains(run.launched->id)) {
    const auto oldest = std::min_element(run.tasks.begin(), run.tasks.end(), [](const auto& a, const auto& b) {
      return a.second.started < b.second.started;
    });
    run.tasks.erase(oldest);
  }
  RunTask& task = run.tasks.try_emplace(run.launched->id, RunTask{turn.now.time, std::nullopt, state}).first->second;
  task.status = state;
  if (completed) task.completed = turn.now.time;
}

/// Its task is gone without success.
void on_failure(Turn& turn, Run& run, const std::string& why) {
  const RunSpec& spec = run.spec->run;
  const bool in_time = !spec.restart.active_deadline_s ||
                       turn.now.time < run.created + base::seconds(*spec.restart.active_deadline_s);
  turn.info(fmt::format("run {} of job {}: task {} failed: {}", run.id, run.job, run.launched->id, why));
  if (!spec.restart.on_failure || !in_time) return finish(turn, run.key(), false);
  ++run.failures;
  run.drops = 0;
  turn.count("runs.restarted");
  // At once the first times; what fails for long is not to keep the cluster busy.
  const int64_t slow = std::max<int64_t>(0, run.failures - 3);
  const base::Duration pause = slow == 0 ? base::Duration(0) : base::seconds(int64_t{1} << std::min<int64_t>(slow - 1, 10));
  launch_again(turn, run, std::min(pause, kLongestPause));
}

bool is_end(pb::TaskState state) {
  switch (state) {
    case pb::TASK_FINISHED: case pb::TASK_FAILED: case pb::TASK_KILLED: case pb::TASK_LOST: case pb::TASK_ERROR:
    case pb::TASK_DROPPED: case pb::TASK_GONE: case pb::TASK_GONE_BY_OPERATOR: case pb::TASK_UNKNOWN: return true;
    default: return false;
  }
}

void on_end(Turn& turn, Run& run, const pb::TaskStatus& status) {
  const std::string state = pb::TaskState_Name(status.state());
  const std::string why = state + (status.message().empty() ? "" : ": " + status.message());
  const bool may_have_run = status.state() == pb::TASK_FINISHED || status.state() == pb::TASK_FAILED ||
                            status.state() == pb::TASK_ERROR || status.state() == pb::TASK_KILLED;
  const bool never_ran = (!run.launched->seen && !may_have_run) ||
                         (status.state() == pb::TASK_DROPPED && !run.tasks.contains(run.launched->id));
  if (never_ran && !run.stopping) {
    turn.info(fmt::format("task {} never ran ({}): the run is launched again", run.launched->id, why));
    turn.count("runs.relaunched");
    ++run.drops;
    const base::Duration pause = base::seconds(int64_t{1} << std::min<int64_t>(run.drops - 1, 6));
    return launch_again(turn, run, run.drops <= 1 ? base::Duration(0) : std::min(pause, kLongestPause));
  }
  if (!never_ran) set_task(turn, run, state, true);
  if (run.stopping) return finish(turn, run.key(), false);
  if (status.state() == pb::TASK_FINISHED) return finish(turn, run.key(), true);
  on_failure(turn, run, why);
}

}  // namespace

Run& begin_run(Turn& turn, JobState& job, std::optional<base::Time> start_by) {
  State& state = turn.state;
  Run made;
  made.job = job.spec->id;
  made.id = make_run_id(turn, made.job);
  made.spec = job.spec;
  // Times are stored in milliseconds.
  made.created = made.wanted = made.ready = time_of_milliseconds(milliseconds_of(turn.now.time));
  made.start_by = start_by;
  made.held = true;
  const RunKey key = made.key();
  Run& run = state.runs.emplace(key, std::move(made)).first->second;
  job.active.insert(key.second);
  job.started = state.next_number++;
  turn.dirty.jobs.insert(key.first);
  touch(turn, run);
  turn.count("jobs.started");
  const State::Continuation release = [key](Turn& later, const base::Status&) {
    if (Run* durable = find_run(later.state, key)) {
      durable->held = false;
      later.state.touched.insert(key);
    }
  };
  when_durable(turn, [release](Turn& later, const base::Status& stored) {
    if (stored) return release(later, stored);
    later.state.unsaved_continuations.push_back([release](Turn& again, const base::Status& done) {
      if (done) release(again, done);
    });
  });
  return run;
}

void take_back(Turn& turn, const RunKey& key) {
  Run* run = find_run(turn.state, key);
  if (!run || run->launched) return;
  if (run->place) turn.state.queue.erase(*run->place);
  if (run->wake) turn.state.deadlines.erase({*run->wake, key});
  turn.state.runs.erase(key);
  turn.dirty.runs.insert(key);
  if (JobState* job = find_job(turn.state, key.first)) job->active.erase(key.second);
}

void on_task_status(Turn& turn, const pb::TaskStatus& status) {
  const TaskId& id = status.task_id().value();
  if (!status.uuid().empty()) {
    // By value: it outlives the event.
    when_durable(turn, [status](Turn& later, const base::Status& stored) {
      if (stored) return acknowledge(later, status);
      later.state.unsaved_continuations.push_back(
          [status](Turn& again, const base::Status& done) { if (done) acknowledge(again, status); });
    });
  }
  const auto it = turn.state.tasks.find(id);
  if (it == turn.state.tasks.end()) {
    if (is_end(status.state()) || status.state() == pb::TASK_UNREACHABLE || status.state() == pb::TASK_KILLING) return;
    // Every launch is written down before it is made: what is not written down is not ours to keep.
    turn.warn(fmt::format("task {} is not known here and is killed", id));
    return send_kill(turn, id, status.agent_id().value());
  }
  Run* run = find_run(turn.state, it->second);
  if (!run) return;
  if (is_end(status.state())) return on_end(turn, *run, status);
  const std::string state = pb::TaskState_Name(status.state());
  const auto known = run->tasks.find(id);
  if (run->launched->seen && known != run->tasks.end() && known->second.status == state) return;
  run->launched->seen = true;
  const bool runs = status.state() == pb::TASK_STAGING || status.state() == pb::TASK_STARTING ||
                    status.state() == pb::TASK_RUNNING;
  // An unreachable agent may come back with the task.
  if (runs) run->status = RunStatus::Active;
  set_task(turn, *run, state, false);
  touch(turn, *run);
}

void stop_run(Turn& turn, Run& run, const std::string& why) {
  if (!run.launched) return finish(turn, run.key(), false);
  if (run.stopping) return;
  turn.info(fmt::format("run {} of job {} is stopped: {}", run.id, run.job, why));
  run.stopping = true;
  run.why = why;
  touch(turn, run);
  turn.out.set_timer("kills", turn.now.instant + turn.policy.kill_retry);
  when_durable(turn, [key = run.key()](Turn& later, const base::Status&) {
    const Run* stopped = find_run(later.state, key);
    if (stopped && stopped->launched && stopped->launched->sent) {
      send_kill(later, stopped->launched->id, stopped->launched->agent_id, stopped);
    }
  });
}

void finish(Turn& turn, const RunKey& key, bool success) {
  State& state = turn.state;
  const auto it = state.runs.find(key);
  if (it == state.runs.end()) return;
  Run run = std::move(it->second);
  state.runs.erase(it);
  turn.dirty.runs.insert(key);
  if (run.launched) state.tasks.erase(run.launched->id);
  if (run.place) state.queue.erase(*run.place);
  if (run.wake) state.deadlines.erase({*run.wake, key});
  run.status = success ? RunStatus::Success : RunStatus::Failed;
  // What it gives back may be what others wait for.
  if (!state.queue.empty()) state.demand = true;
  turn.count(success ? "runs.succeeded" : "jobs.failed");
  api::answer_stopped(turn, run);
  JobState* job = find_job(state, key.first);
  // Of a job that was deleted meanwhile, or deleted and made anew.
  if (!job || job->active.erase(key.second) == 0) return;
  job->ended = state.next_number++;
  job->last = success ? Outcome::Success : Outcome::Failed;
  remember(turn, *job, run, success);
  turn.dirty.jobs.insert(key.first);
  if (success) start_children(turn, key.first);
}

void launch_again(Turn& turn, Run& run, base::Duration pause) {
  if (run.launched) turn.state.tasks.erase(run.launched->id);
  run.launched.reset();
  run.wanted = run.ready = time_of_milliseconds(milliseconds_of(turn.now.time + pause));
  touch(turn, run);
}

void repeat_kills(Turn& turn) {
  bool any = false;
  for (const auto& [key, run] : turn.state.runs) {
    if (!run.stopping || !run.launched || !run.launched->sent) continue;
    any = true;
    send_kill(turn, run.launched->id, run.launched->agent_id, &run);
  }
  if (any) turn.out.set_timer("kills", turn.now.instant + turn.policy.kill_retry);
}

void reconcile(Turn& turn, bool all) {
  turn.out.set_timer("reconcile", turn.now.instant + turn.policy.reconciliation_interval);
  if (!turn.state.subscribed) return;
  auto known = std::make_shared<Call>();
  known->set_type(Call::RECONCILE);
  for (const auto& [key, run] : turn.state.runs) {
    // Of a launch that waits for its record the master knows nothing yet.
    if (!run.launched || !run.launched->sent) continue;
    auto& task = *known->mutable_reconcile()->add_tasks();
    task.mutable_task_id()->set_value(run.launched->id);
    task.mutable_agent_id()->set_value(run.launched->agent_id);
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
  for (const auto& [key, run] : turn.state.runs) {
    if (!run.launched || run.launched->seen) continue;
    any = true;
    if (!run.launched->sent) continue;
    auto& task = *call->mutable_reconcile()->add_tasks();
    task.mutable_task_id()->set_value(run.launched->id);
    task.mutable_agent_id()->set_value(run.launched->agent_id);
  }
  if (turn.state.subscribed && call->reconcile().tasks_size() > 0) turn.out.send(std::move(call));
  if (any) expect_confirmation(turn);
}

}  // namespace metronome
