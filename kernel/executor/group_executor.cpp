#include "kernel/executor/group_executor.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

#include "base/testing/planted.hpp"

namespace executor {

using AgentCall = mesos::v1::agent::Call;
using AgentResponse = mesos::v1::agent::Response;
using ExecutorCall = mesos::v1::executor::Call;
using ExecutorEvent = mesos::v1::executor::Event;
using mesos::v1::TaskInfo;
using mesos::v1::TaskStatus;

namespace {

constexpr base::Duration kLastWait = base::seconds(60);       // for acknowledgements, once all tasks have ended
constexpr base::Duration kProbePause = base::seconds(1);      // while the agent cannot be reached
constexpr base::Duration kShutdownReserve = base::seconds(2);  // of the grace period, to see the ends
constexpr const char* kQuitTimer = "quit";

constexpr TimerKind kTimers[] = {TimerKind::Kill, TimerKind::Completion, TimerKind::Check, TimerKind::Health};
constexpr const char* kTimerNames[] = {"kill", "completion", "check", "health"};

std::string timer_name(TimerKind kind, const std::string& task) {
  return std::string(kTimerNames[static_cast<size_t>(kind)]) + "/" + task;
}

std::string limit_name(ProbeKind kind, const std::string& task) {
  return (kind == ProbeKind::Check ? "check-limit/" : "health-limit/") + task;
}

bool over(mesos::v1::TaskState state) {
  switch (state) {
    case mesos::v1::TASK_STAGING:
    case mesos::v1::TASK_STARTING:
    case mesos::v1::TASK_RUNNING:
    case mesos::v1::TASK_KILLING: return false;
    default: return true;
  }
}

void add_variable(AgentCall::LaunchContainer& launch, const std::string& name, const std::string& value) {
  auto* environment = launch.mutable_command()->mutable_environment();
  for (const auto& variable : environment->variables())
    if (variable.name() == name) return;
  auto* variable = environment->add_variables();
  variable->set_name(name);
  variable->set_value(value);
}

const mesos::v1::CommandInfo& command_of(const TaskInfo& task, ProbeKind kind) {
  return kind == ProbeKind::Check ? task.check().command().command() : task.health_check().command();
}

bool by_command(const TaskInfo& task, ProbeKind kind) {
  return kind == ProbeKind::Check ? task.check().type() == mesos::v1::CheckInfo::COMMAND
                                  : task.health_check().type() == mesos::v1::HealthCheck::COMMAND;
}

template <class Wait>
Ending ending_of(const Wait& wait) {
  Ending ending;
  if (wait.has_exit_status()) ending.status = wait.exit_status();
  ending.message = wait.message();
  ending.out_of_memory = wait.reason() == TaskStatus::REASON_CONTAINER_LIMITATION_MEMORY;
  for (const auto& resource : wait.limitation().resources())
    if (resource.name() == "mem") ending.memory_used = static_cast<uint64_t>(resource.scalar().value() * (1 << 20));
  return ending;
}

}  // namespace

AgentCall make_launch(const TaskInfo& task, const mesos::v1::ContainerID& id, const std::string& address) {
  AgentCall call;
  call.set_type(AgentCall::LAUNCH_CONTAINER);
  auto& launch = *call.mutable_launch_container();
  *launch.mutable_container_id() = id;
  if (task.has_command()) *launch.mutable_command() = task.command();
  if (task.has_container()) *launch.mutable_container() = task.container();
  *launch.mutable_resources() = task.resources();
  *launch.mutable_limits() = task.limits();
  if (!address.empty()) add_variable(launch, "MESOS_CONTAINER_IP", address);
  if (task.resources_size() > 0 && task.resources(0).allocation_info().has_role())
    add_variable(launch, "MESOS_ALLOCATION_ROLE", task.resources(0).allocation_info().role());
  // Volumes of the task's disks lie in the executor's sandbox, where all tasks of the pod can share them.
  for (const auto& resource : task.resources()) {
    if (!resource.disk().has_volume()) continue;
    if (!launch.has_container()) launch.mutable_container()->set_type(mesos::v1::ContainerInfo::MESOS);
    const auto& from = resource.disk().volume();
    auto* volume = launch.mutable_container()->add_volumes();
    volume->set_container_path(from.container_path());
    volume->set_mode(from.mode());
    volume->mutable_source()->set_type(mesos::v1::Volume::Source::SANDBOX_PATH);
    volume->mutable_source()->mutable_sandbox_path()->set_type(mesos::v1::Volume::Source::SandboxPath::PARENT);
    volume->mutable_source()->mutable_sandbox_path()->set_path(from.container_path());
  }
  return call;
}

GroupExecutor::GroupExecutor(GroupOptions options, base::Random random) : options_(std::move(options)), random_(random) {}

ExecutorCall GroupExecutor::subscribe() const {
  ExecutorCall call;
  call.set_type(ExecutorCall::SUBSCRIBE);
  *call.mutable_framework_id() = options_.framework_id;
  *call.mutable_executor_id() = options_.executor_id;
  for (const auto& [id, task] : unheard_) *call.mutable_subscribe()->add_unacknowledged_tasks() = task;
  for (const auto& update : updates_) *call.mutable_subscribe()->add_unacknowledged_updates() = update;
  call.mutable_subscribe();
  return call;
}

void GroupExecutor::on(const ExecutorEvent& event, const std::string& address, base::Now now, GroupEffects& out) {
  switch (event.type()) {
    case ExecutorEvent::SUBSCRIBED: {
      connected_ = true;
      saying_ = false;
      address_ = address;
      own_ = event.subscribed().container_id();
      reports_killing_ = false;
      for (const auto& capability : event.subscribed().framework_info().capabilities())
        if (capability.type() == mesos::v1::FrameworkInfo::Capability::TASK_KILLING_STATE) reports_killing_ = true;
      sent_ = updates_.size();  // the subscription told them all
      // What was asked and not answered is asked again: another agent process may listen now.
      questions_.clear();
      for (auto& [id, entry] : tasks_) {
        entry.waiting = false;
        if (entry.stage == Entry::Stage::Launching || entry.stage == Entry::Stage::Unsure) {
          entry.stage = Entry::Stage::Unsure;
          send_launch(id, entry, out);
        } else if (entry.stage == Entry::Stage::Running) {
          send_wait(id, entry, out);
        }
        if (entry.signal != 0) send_kill(id, entry, entry.signal, out);
        for (const auto& [kind, guest] : std::map(entry.guests))
          end_guest(id, entry, kind, {.message = "The agent was restarted"}, now, out);
      }
      return quit_when_done(now, out);
    }
    case ExecutorEvent::LAUNCH: {
      google::protobuf::RepeatedPtrField<TaskInfo> tasks;
      *tasks.Add() = event.launch().task();
      return launch(tasks, false, now, out);
    }
    case ExecutorEvent::LAUNCH_GROUP: return launch(event.launch_group().task_group().tasks(), true, now, out);
    case ExecutorEvent::KILL: {
      const auto found = tasks_.find(event.kill().task_id().value());
      if (found == tasks_.end()) return;
      std::optional<base::Duration> grace;
      if (event.kill().kill_policy().has_grace_period())
        grace = base::Duration(std::max<int64_t>(event.kill().kill_policy().grace_period().nanoseconds(), 0));
      Actions actions;
      found->second.machine.kill(grace, now, actions);
      return apply(found->first, std::move(actions), now, out);
    }
    case ExecutorEvent::ACKNOWLEDGED: {
      const auto& uuid = event.acknowledged().uuid();
      for (size_t i = 0; i < updates_.size(); ++i)
        if (updates_[i].status().uuid() == uuid) {
          updates_.erase(updates_.begin() + static_cast<ptrdiff_t>(i));
          if (i < sent_) --sent_;
          break;
        }
      const std::string& task = event.acknowledged().task_id().value();
      unheard_.erase(task);
      const auto found = tasks_.find(task);
      const bool more = std::any_of(updates_.begin(), updates_.end(),
                                    [&](const auto& update) { return update.status().task_id().value() == task; });
      if (found != tasks_.end() && found->second.stage == Entry::Stage::Over && !more) tasks_.erase(found);
      return quit_when_done(now, out);
    }
    case ExecutorEvent::SHUTDOWN: {
      shutting_down_ = true;
      const base::Duration most = std::max(options_.shutdown_grace - kShutdownReserve, base::Duration::zero());
      std::vector<std::string> ids;
      for (const auto& [id, entry] : tasks_) ids.push_back(id);
      for (const auto& id : ids) {
        const auto found = tasks_.find(id);
        if (found == tasks_.end() || found->second.stage == Entry::Stage::Over) continue;
        const auto& policy = found->second.machine.task().kill_policy();
        const base::Duration grace =
            policy.has_grace_period() ? base::Duration(policy.grace_period().nanoseconds()) : base::seconds(3);
        Actions actions;
        found->second.machine.kill(std::min(grace, most), now, actions);
        apply(id, std::move(actions), now, out);
      }
      return quit_when_done(now, out);
    }
    default: return;
  }
}

void GroupExecutor::launch(const google::protobuf::RepeatedPtrField<TaskInfo>& tasks, bool as_group, base::Now now,
                           GroupEffects& out) {
  const std::string group = as_group ? random_.uuid() : "";
  ever_launched_ = true;
  std::vector<std::string> fresh;
  for (const auto& task : tasks) {
    const std::string& id = task.task_id().value();
    if (tasks_.contains(id)) continue;
    Entry entry{CommandExecutor(task, CommandExecutorOptions{.reports_killing = reports_killing_}), random_.uuid(), group};
    entry.created = now.time;
    tasks_.emplace(id, std::move(entry));
    unheard_[id] = task;
    fresh.push_back(id);
  }
  for (const auto& id : fresh) {
    Actions actions;
    tasks_.at(id).machine.starting(actions);
    apply(id, std::move(actions), now, out);
  }
  for (const auto& id : fresh) {
    Entry& entry = tasks_.at(id);
    out.push_back(LinkTask{id, entry.container});
    send_launch(id, entry, out);
  }
}

mesos::v1::ContainerID GroupExecutor::id_of(const Entry& entry) const {
  mesos::v1::ContainerID id;
  id.set_value(entry.container);
  *id.mutable_parent() = own_;
  return id;
}

void GroupExecutor::ask(Question question, AgentCall call, GroupEffects& out) {
  const uint64_t id = next_question_++;
  questions_[id] = std::move(question);
  out.push_back(Ask{id, std::move(call)});
}

void GroupExecutor::send_launch(const std::string& task, Entry& entry, GroupEffects& out) {
  ask({Question::Kind::Launch, task}, make_launch(entry.machine.task(), id_of(entry), address_), out);
}

void GroupExecutor::send_wait(const std::string& task, Entry& entry, GroupEffects& out) {
  if (entry.waiting) return;
  entry.waiting = true;
  AgentCall call;
  call.set_type(AgentCall::WAIT_CONTAINER);
  *call.mutable_wait_container()->mutable_container_id() = id_of(entry);
  ask({Question::Kind::Wait, task}, std::move(call), out);
}

void GroupExecutor::send_kill(const std::string& task, Entry& entry, int signal, GroupEffects& out) {
  entry.signal = signal;
  AgentCall call;
  call.set_type(AgentCall::KILL_CONTAINER);
  *call.mutable_kill_container()->mutable_container_id() = id_of(entry);
  call.mutable_kill_container()->set_signal(signal);
  ask({Question::Kind::Kill, task}, std::move(call), out);
}

void GroupExecutor::apply(const std::string& task, Actions actions, base::Now now, GroupEffects& out) {
  for (auto& action : actions) {
    const auto found = tasks_.find(task);
    if (found == tasks_.end()) return;
    Entry& entry = found->second;
    if (auto* said_status = std::get_if<Report>(&action)) {
      const TaskStatus status = said_status->status;
      report(task, entry, std::move(said_status->status), out);
      if (over(status.state())) task_over(task, entry, status, now, out);
    } else if (std::holds_alternative<Terminate>(action)) {
      send_kill(task, entry, SIGTERM, out);
    } else if (std::holds_alternative<Destroy>(action)) {
      send_kill(task, entry, SIGKILL, out);
    } else if (const auto* start = std::get_if<StartTimer>(&action)) {
      out.push_back(SetTimerNamed{timer_name(start->kind, task), start->at});
    } else if (const auto* stop = std::get_if<StopTimer>(&action)) {
      out.push_back(CancelTimerNamed{timer_name(stop->kind, task)});
    } else if (const auto* probe = std::get_if<Probe>(&action)) {
      if (by_command(entry.machine.task(), probe->kind))
        start_guest(task, entry, probe->kind, out);
      else
        out.push_back(ProbeNetwork{task, probe->kind, entry.machine.task()});
    }
  }
}

void GroupExecutor::report(const std::string& task, Entry& entry, TaskStatus status, GroupEffects& out) {
  status.mutable_task_id()->set_value(task);
  status.set_source(TaskStatus::SOURCE_EXECUTOR);
  status.set_uuid(random_.uuid_bytes());
  *status.mutable_executor_id() = options_.executor_id;
  *status.mutable_container_status()->mutable_container_id() = id_of(entry);
  ExecutorCall::Update update;
  *update.mutable_status() = std::move(status);
  updates_.push_back(std::move(update));
  send_next(out);
}

void GroupExecutor::send_next(GroupEffects& out) {
  if (!connected_ || saying_ || sent_ >= updates_.size()) return;
  saying_ = true;
  ExecutorCall call;
  call.set_type(ExecutorCall::UPDATE);
  *call.mutable_framework_id() = options_.framework_id;
  *call.mutable_executor_id() = options_.executor_id;
  *call.mutable_update() = updates_[sent_++];
  out.push_back(Say{std::move(call)});
}

void GroupExecutor::said(int status, GroupEffects& out) {
  saying_ = false;
  // Without an answer the stream is gone too, and the next subscription tells it again.
  if (status != 0) send_next(out);
}

void GroupExecutor::task_over(const std::string& task, Entry& entry, const TaskStatus& status, base::Now now,
                              GroupEffects& out) {
  entry.stage = Entry::Stage::Over;
  entry.signal = 0;
  for (const TimerKind kind : kTimers) out.push_back(CancelTimerNamed{timer_name(kind, task)});
  for (const auto& [kind, guest] : entry.guests) out.push_back(CancelTimerNamed{limit_name(kind, task)});
  entry.guests.clear();
  if (status.state() != mesos::v1::TASK_FINISHED && !entry.group.empty() && !base::planted("executor/lets-siblings-live")) {
    std::vector<std::string> siblings;
    for (const auto& [id, other] : tasks_)
      if (other.group == entry.group && other.stage != Entry::Stage::Over && !other.machine.killing()) siblings.push_back(id);
    for (const auto& id : siblings) {
      Actions actions;
      tasks_.at(id).machine.kill(std::nullopt, now, actions);
      apply(id, std::move(actions), now, out);
    }
  }
  quit_when_done(now, out);
}

void GroupExecutor::quit_when_done(base::Now now, GroupEffects& out) {
  if (!ever_launched_ && !shutting_down_) return;
  for (const auto& [id, entry] : tasks_)
    if (entry.stage != Entry::Stage::Over) {
      if (quitting_) out.push_back(CancelTimerNamed{kQuitTimer});
      quitting_ = false;
      return;
    }
  if (updates_.empty()) {
    out.push_back(Quit{0});
  } else if (!quitting_) {
    quitting_ = true;
    out.push_back(SetTimerNamed{kQuitTimer, now.instant + kLastWait});
  }
}

void GroupExecutor::answered(uint64_t id, int status, const AgentResponse& response, const std::string& text, base::Now now,
                             GroupEffects& out) {
  const auto asked = questions_.find(id);
  if (asked == questions_.end()) return;
  const Question question = asked->second;
  questions_.erase(asked);
  const auto found = tasks_.find(question.task);
  // Without an answer, or with that of an agent in recovery, it is asked again with the next subscription.
  const bool unheard = status == 0 || (status == 503 && !connected_);
  if (found == tasks_.end() || (unheard && question.kind != Question::Kind::Guest)) return;
  Entry& entry = found->second;
  switch (question.kind) {
    case Question::Kind::Launch: return launched(question.task, entry, status, text, now, out);
    case Question::Kind::Wait:
      entry.waiting = false;
      return waited(question.task, entry, status, response, now, out);
    case Question::Kind::Kill:
      // It may have overtaken the launch.
      if (status == 404 && entry.stage != Entry::Stage::Running) return;
      entry.signal = 0;
      return;
    case Question::Kind::Guest: {
      const auto guest = entry.guests.find(question.probe);
      if (guest == entry.guests.end() || guest->second != question.guest) return;
      if (status != 200)
        return end_guest(question.task, entry, question.probe,
                         {.message = "Command probe failed: " + (text.empty() ? "the agent cannot be reached" : text)}, now, out);
      AgentCall call;
      call.set_type(AgentCall::WAIT_CONTAINER);
      auto* container = call.mutable_wait_container()->mutable_container_id();
      container->set_value(question.guest);
      *container->mutable_parent() = id_of(entry);
      return ask({Question::Kind::GuestEnd, question.task, question.probe, question.guest}, std::move(call), out);
    }
    case Question::Kind::GuestEnd: {
      const auto guest = entry.guests.find(question.probe);
      if (guest != entry.guests.end() && guest->second == question.guest) {
        ProbeResult result;
        const Ending ending = ending_of(response.wait_container());
        if (!ending.status)
          result.message = "Command probe failed: how it ended is not known";
        else if (WIFEXITED(*ending.status))
          result.exit_code = WEXITSTATUS(*ending.status);
        else
          result.exit_code = 128 + WTERMSIG(*ending.status);
        end_guest(question.task, entry, question.probe, result, now, out);
      }
      if (status != 200) return;
      AgentCall call;
      call.set_type(AgentCall::REMOVE_CONTAINER);
      auto* container = call.mutable_remove_container()->mutable_container_id();
      container->set_value(question.guest);
      *container->mutable_parent() = id_of(entry);
      return ask({Question::Kind::Ignored, question.task}, std::move(call), out);
    }
    case Question::Kind::Ignored: return;
  }
}

void GroupExecutor::launched(const std::string& task, Entry& entry, int status, const std::string& text, base::Now now,
                             GroupEffects& out) {
  if (entry.stage != Entry::Stage::Launching && entry.stage != Entry::Stage::Unsure) return;
  Actions actions;
  if (status != 200 && status != 202) {
    // After a restart of the agent: it may have run and ended before the answer could come.
    if (entry.stage == Entry::Stage::Unsure) return send_wait(task, entry, out);
    entry.machine.launch_failed(text, actions);
    return apply(task, std::move(actions), now, out);
  }
  entry.stage = Entry::Stage::Running;
  entry.machine.running(now, actions);
  apply(task, std::move(actions), now, out);
  if (entry.signal != 0) send_kill(task, entry, entry.signal, out);
  send_wait(task, entry, out);
}

void GroupExecutor::waited(const std::string& task, Entry& entry, int status, const AgentResponse& response, base::Now now,
                           GroupEffects& out) {
  if (entry.stage == Entry::Stage::Over) return;
  Ending ending = ending_of(response.wait_container());
  Actions actions;
  const bool known = status == 200 && ending.status.has_value();
  if (!known && entry.stage != Entry::Stage::Running) {
    entry.machine.launch_failed("The container was lost while its agent was restarted", actions);
    return apply(task, std::move(actions), now, out);
  }
  if (!known) {
    ending.status = SIGKILL;
    ending.message = status == 200 ? "The container was lost while its agent was down" : "The agent does not know the container";
  }
  if (entry.stage != Entry::Stage::Running) entry.machine.running(now, actions);
  entry.machine.ended(ending, actions);
  apply(task, std::move(actions), now, out);
}

void GroupExecutor::start_guest(const std::string& task, Entry& entry, ProbeKind kind, GroupEffects& out) {
  if (entry.guests.contains(kind)) return;
  const TaskInfo& info = entry.machine.task();
  const std::string guest = random_.uuid() + (kind == ProbeKind::Check ? "-check" : "-health-check");
  entry.guests[kind] = guest;
  AgentCall call;
  call.set_type(AgentCall::LAUNCH_NESTED_CONTAINER_SESSION);
  auto& session = *call.mutable_launch_nested_container_session();
  session.mutable_container_id()->set_value(guest);
  *session.mutable_container_id()->mutable_parent() = id_of(entry);
  *session.mutable_command() = command_of(info, kind);
  ask({Question::Kind::Guest, task, kind, guest}, std::move(call), out);
}

void GroupExecutor::end_guest(const std::string& task, Entry& entry, ProbeKind kind, const ProbeResult& result, base::Now now,
                              GroupEffects& out) {
  if (entry.guests.erase(kind) == 0) return;
  out.push_back(CancelTimerNamed{limit_name(kind, task)});
  Actions actions;
  entry.machine.probed(kind, result, now, actions);
  apply(task, std::move(actions), now, out);
}

void GroupExecutor::timer(const std::string& name, base::Now now, GroupEffects& out) {
  if (name == kQuitTimer) return out.push_back(Quit{0});
  const size_t slash = name.find('/');
  if (slash == std::string::npos) return;
  const std::string kind = name.substr(0, slash), task = name.substr(slash + 1);
  const auto found = tasks_.find(task);
  if (found == tasks_.end()) return;
  Entry& entry = found->second;
  if (kind == "check-limit" || kind == "health-limit") {
    const ProbeKind probe = kind == "check-limit" ? ProbeKind::Check : ProbeKind::Health;
    const auto guest = entry.guests.find(probe);
    if (guest == entry.guests.end()) return;
    AgentCall call;
    call.set_type(AgentCall::KILL_CONTAINER);
    auto* container = call.mutable_kill_container()->mutable_container_id();
    container->set_value(guest->second);
    *container->mutable_parent() = id_of(entry);
    ask({Question::Kind::Ignored, task}, std::move(call), out);
    return end_guest(task, entry, probe, {.message = "Command probe failed: the command takes too long"}, now, out);
  }
  for (const TimerKind each : kTimers) {
    if (kind != kTimerNames[static_cast<size_t>(each)]) continue;
    // Nothing is known of a task whose agent is away; its probes wait.
    if (!connected_ && (each == TimerKind::Check || each == TimerKind::Health))
      return out.push_back(SetTimerNamed{name, now.instant + kProbePause});
    Actions actions;
    entry.machine.timer(each, now, actions);
    apply(task, std::move(actions), now, out);
    // A command's limit counts from its start.
    for (const ProbeKind probe : {ProbeKind::Check, ProbeKind::Health}) {
      if (each != (probe == ProbeKind::Check ? TimerKind::Check : TimerKind::Health) || !entry.guests.contains(probe)) continue;
      const TaskInfo& info = entry.machine.task();
      const double limit = probe == ProbeKind::Check ? info.check().timeout_seconds() : info.health_check().timeout_seconds();
      if (limit > 0) out.push_back(SetTimerNamed{limit_name(probe, task), now.instant + from_seconds(limit)});
    }
    return;
  }
}

void GroupExecutor::probed(const std::string& task, ProbeKind kind, const ProbeResult& result, base::Now now,
                           GroupEffects& out) {
  const auto found = tasks_.find(task);
  if (found == tasks_.end() || found->second.stage != Entry::Stage::Running) return;
  Actions actions;
  found->second.machine.probed(kind, result, now, actions);
  apply(task, std::move(actions), now, out);
}

}  // namespace executor
