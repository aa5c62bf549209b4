// Idle resources that are lent a second time: the estimate that the master is told, and executors that must go for it.

#include "kernel/agent/core.hpp"
#include "kernel/resources/proto.hpp"

namespace agent {

void Core::oversubscribe(std::unique_ptr<oversubscription::Estimator> estimator,
                         std::unique_ptr<oversubscription::QosController> controller) {
  estimator_ = std::move(estimator);
  controller_ = std::move(controller);
}

std::vector<oversubscription::Executor> Core::running(const std::map<std::string, double>& cpu_seconds) const {
  std::vector<oversubscription::Executor> out;
  for (const auto& [framework_id, framework] : state_.frameworks)
    for (const auto& [executor_id, executor] : framework.executors) {
      if (executor.state == ExecutorState::Terminated) continue;
      oversubscription::Executor entry{framework_id, executor_id, executor.container_id, {}, 0};
      const auto add = [&entry](const auto& list) {
        if (auto held = resources::from_proto(list)) entry.allocated += *held;
      };
      add(executor.info.resources());
      for (const auto& [task_id, task] : executor.tasks)
        if (!is_terminal(task.state)) add(task.info.resources());
      entry.allocated.unallocate();
      const auto used = cpu_seconds.find(executor.container_id);
      if (used != cpu_seconds.end()) entry.cpu_seconds = used->second;
      out.push_back(std::move(entry));
    }
  return out;
}

void Core::handle(UsageMeasured event) {
  if (!estimator_ || state_.phase == Phase::Recovering) return;
  auto total = estimator_->total({now_.instant, state_.total, running(event.cpu_seconds)});
  if (total == state_.oversubscribed) return;
  state_.oversubscribed = std::move(total);
  out_->info("Revocable resources of this agent are now: " + (state_.oversubscribed.empty() ? "none" : state_.oversubscribed.text()));
  send_oversubscribed();
}

void Core::send_oversubscribed() {
  if (state_.phase != Phase::Registered) return;  // registering tells it
  SendToMaster effect;
  auto* update = effect.message.mutable_update_agent();
  update->set_update_oversubscribed_resources(true);
  resources::to_proto(state_.oversubscribed, resources::Format::Post, update->mutable_oversubscribed_resources());
  update->mutable_resource_version_uuid()->set_value(state_.resource_version);
  journal_.then(std::move(effect));
}

void Core::handle(LoadMeasured event) {
  if (!controller_ || state_.phase == Phase::Recovering) return;
  for (const auto& correction : controller_->corrections(running({}), event.load))
    if (const Found found = find_container(correction.container)) preempt(*found.executor, correction.why);
}

void Core::preempt(Executor& executor, const std::string& why) {
  if (executor.state == ExecutorState::Terminated || !executor.preempted.empty()) return;
  executor.preempted = why;
  save(executor);
  out_->warning("Executor " + executor.id() + " of framework " + executor.framework_id + ": " + why);
  out_->add(Count{"slave/executors_preempted"});
  journal_.then(DestroyContainer{executor.container_id});
}

void Core::end_preempted(const Framework& framework, Executor& executor) {
  std::vector<std::string> open;
  for (const auto& [id, task] : executor.tasks)
    if (!is_terminal(task.state)) open.push_back(id);
  const bool aware = framework.has(mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE);
  for (const auto& id : open) {
    mesos::v1::TaskStatus status;
    status.mutable_task_id()->set_value(id);
    status.set_state(aware ? mesos::v1::TASK_GONE : mesos::v1::TASK_LOST);
    status.set_source(mesos::v1::TaskStatus::SOURCE_AGENT);
    status.set_reason(mesos::v1::TaskStatus::REASON_CONTAINER_PREEMPTED);
    status.set_message(executor.preempted);
    update(framework.id(), &executor, std::move(status));
  }
}

}  // namespace agent
