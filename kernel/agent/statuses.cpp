// Status updates: made complete, kept, sent, acknowledged.

#include "base/json/writer.hpp"
#include "base/testing/planted.hpp"
#include "kernel/agent/checkpoint.hpp"
#include "kernel/agent/core.hpp"
#include "kernel/api/secrets.hpp"

namespace agent {
namespace {

constexpr size_t kMaxStatuses = 16;

/// The last status of each state, in the order of their first coming.
void remember(Task& task, const mesos::v1::TaskStatus& status) {
  mesos::v1::TaskStatus kept = status;
  kept.clear_data();  // may be large, and is the scheduler's alone
  for (auto& old : task.statuses)
    if (old.state() == status.state()) {
      old = std::move(kept);
      return;
    }
  if (task.statuses.size() < kMaxStatuses) task.statuses.push_back(std::move(kept));
}

/// What `docker inspect` would say, as far as schedulers and name servers of old read it.
std::string docker_inspection(const Executor& executor) {
  std::string image, id, address, network = "\"host\"";
  base::json::append_string(image, executor.info.container().docker().image());
  for (const auto& each : executor.networks) {
    network.clear();
    base::json::append_string(network, each.name());
    for (const auto& given : each.ip_addresses())
      if (address.empty()) address = given.ip_address();
  }
  base::json::append_string(id, executor.container_id);
  return R"([{"Id":)" + id + R"(,"Name":"/mesos-)" + id.substr(1) + R"(,"Config":{"Image":)" + image +
         R"(},"State":{"Running":true,"Pid":)" + std::to_string(executor.pid) +
         R"(},"HostConfig":{"NetworkMode":)" + network + R"(},"NetworkSettings":{"IPAddress":")" + address +
         R"(","Networks":{)" + network + R"(:{"IPAddress":")" + address + R"("}}}}])";
}

std::string timer_of(const TaskKey& task) { return "update/" + task.first + "/" + task.second; }

}  // namespace

mesos::v1::Task make_task(const Framework& framework, const Executor& executor, const Task& task,
                          const std::string& agent_id) {
  mesos::v1::Task out;
  out.set_name(task.info.name());
  out.mutable_task_id()->CopyFrom(task.info.task_id());
  out.mutable_framework_id()->CopyFrom(framework.info.id());
  if (!executor.command) out.mutable_executor_id()->CopyFrom(executor.info.executor_id());
  out.mutable_agent_id()->set_value(agent_id);
  out.set_state(task.state);
  out.mutable_resources()->CopyFrom(task.info.resources());
  for (const auto& status : task.statuses) out.add_statuses()->CopyFrom(status);
  if (task.info.has_labels()) out.mutable_labels()->CopyFrom(task.info.labels());
  if (task.info.has_discovery()) out.mutable_discovery()->CopyFrom(task.info.discovery());
  if (task.info.has_container()) {
    out.mutable_container()->CopyFrom(task.info.container());
    api::hide_secrets(*out.mutable_container());
  }
  if (task.info.has_health_check()) out.mutable_health_check()->CopyFrom(task.info.health_check());
  if (task.info.has_kill_policy()) out.mutable_kill_policy()->CopyFrom(task.info.kill_policy());
  *out.mutable_limits() = task.info.limits();
  const auto& command = task.info.has_command() ? task.info.command() : executor.info.command();
  const std::string& user = command.has_user() ? command.user() : framework.info.user();
  if (!user.empty()) out.set_user(user);
  return out;
}

mesos::v1::ContainerStatus Core::container_status(const Executor& executor) const {
  mesos::v1::ContainerStatus status;
  status.mutable_container_id()->set_value(executor.container_id);
  for (const auto& network : executor.networks) status.add_network_infos()->CopyFrom(network);
  if (executor.pid > 0) status.set_executor_pid(static_cast<uint32_t>(executor.pid));
  if (!executor.networks.empty()) return status;
  // On the host's network a task is reached at the agent's address; whoever looks tasks up takes it from here.
  auto* address = status.add_network_infos()->add_ip_addresses();
  address->set_protocol(policy_.ip.find(':') == std::string::npos ? mesos::v1::NetworkInfo::IPv4
                                                                  : mesos::v1::NetworkInfo::IPv6);
  address->set_ip_address(policy_.ip);
  return status;
}

void Core::update(const std::string& framework_id, Executor* executor, mesos::v1::TaskStatus status) {
  const TaskKey key{framework_id, status.task_id().value()};
  status.mutable_agent_id()->CopyFrom(state_.info.id());
  if (!status.has_source()) status.set_source(mesos::v1::TaskStatus::SOURCE_AGENT);
  if (!status.has_uuid()) status.set_uuid(random_.uuid_bytes());
  if (!status.has_timestamp()) status.set_timestamp(now_.time.seconds());
  if (executor != nullptr) {
    status.mutable_executor_id()->CopyFrom(executor->info.executor_id());
    mesos::v1::ContainerStatus own = container_status(*executor);
    if (status.has_container_status()) {
      // An executor tells which of its containers the task is; where that is reached is the agent's to know.
      const auto& told = status.container_status();
      if (told.network_infos_size() > 0) own.clear_network_infos();
      const auto inside = state_.api_containers.find(container_text(told.container_id()));
      own.MergeFrom(told);
      if (inside != state_.api_containers.end() && inside->second.pid > 0)
        own.set_executor_pid(static_cast<uint32_t>(inside->second.pid));
    }
    *status.mutable_container_status() = std::move(own);
    if (status.state() == mesos::v1::TASK_RUNNING && !status.has_data() && executor->info.has_container() &&
        executor->info.container().type() == mesos::v1::ContainerInfo::DOCKER)
      status.set_data(docker_inspection(*executor));
    if (state_.drain && !status.has_reason() &&
        (status.state() == mesos::v1::TASK_KILLING || status.state() == mesos::v1::TASK_KILLED))
      status.set_reason(mesos::v1::TaskStatus::REASON_AGENT_DRAINING);
  }

  Updates::Record record;
  record.mutable_framework_id()->set_value(framework_id);
  if (executor != nullptr) record.mutable_executor_id()->CopyFrom(executor->info.executor_id());
  record.mutable_status()->CopyFrom(status);
  const auto owner = state_.frameworks.find(framework_id);
  const bool listened_to = executor == nullptr || (owner != state_.frameworks.end() && !owner->second.shutting_down);
  if (listened_to && !updates_.add(key, record)) return;

  if (executor != nullptr) {
    if (const auto task = executor->tasks.find(key.second); task != executor->tasks.end()) {
      task->second.state = status.state();
      if (status.state() == mesos::v1::TASK_RUNNING && task->second.running_since == base::Time())
        task->second.running_since = now_.time;
      remember(task->second, status);
      save(*executor, task->second);
    }
  }
  switch (status.state()) {
    case mesos::v1::TASK_FINISHED: out_->add(Count{"slave/tasks_finished"}); break;
    case mesos::v1::TASK_FAILED: out_->add(Count{"slave/tasks_failed"}); break;
    case mesos::v1::TASK_KILLED: out_->add(Count{"slave/tasks_killed"}); break;
    case mesos::v1::TASK_LOST: out_->add(Count{"slave/tasks_lost"}); break;
    case mesos::v1::TASK_GONE: out_->add(Count{"slave/tasks_gone"}); break;
    default: break;
  }
  out_->add(Count{"slave/valid_status_updates"});
  if (!listened_to) return;
  journal_.put(update_key(key, record.number()), record.SerializeAsString());
  send_updates(key);
}

void Core::send_updates(const TaskKey& task) {
  if (state_.phase != Phase::Registered) return;
  if (const auto* record = updates_.take(task, now_.instant)) forward(task, *record);
}

void Core::retry_update(const TaskKey& task) {
  if (state_.phase != Phase::Registered) return;
  if (const auto* record = updates_.again(task, now_.instant)) {
    forward(task, *record);
  } else if (updates_.front(task) != nullptr) {
    out_->add(SetTimer{timer_of(task), updates_.retry_at(task)});
  }
}

void Core::forward(const TaskKey& task, const Updates::Record& record) {
  SendToMaster effect;
  auto* message = effect.message.mutable_status_update();
  message->mutable_framework_id()->CopyFrom(record.framework_id());
  if (record.has_executor_id()) message->mutable_executor_id()->CopyFrom(record.executor_id());
  message->mutable_status()->CopyFrom(record.status());
  const Found found = find_task(task.first, task.second);
  message->set_latest_state(found ? found.task->state : record.status().state());
  if (base::planted("agent/tells-before-it-is-written")) out_->add(effect);
  journal_.then(std::move(effect));
  out_->add(SetTimer{timer_of(task), updates_.retry_at(task)});
}

void Core::acknowledge(const dcos::internal::v1::AcknowledgeStatusUpdate& message) {
  const TaskKey key{message.framework_id().value(), message.task_id().value()};
  const auto taken = updates_.acknowledge(key, message.uuid());
  if (!taken) return;
  journal_.erase(update_key(key, taken->number));
  if (!taken->terminal) {
    if (updates_.pending(key)) return send_updates(key);
    return cancel_timer(timer_of(key));
  }
  cancel_timer(timer_of(key));
  for (const uint64_t number : updates_.numbers(key)) journal_.erase(update_key(key, number));
  updates_.remove(key);
  const Found found = find_task(key.first, key.second);
  if (!found) return;
  journal_.erase(task_key(key));
  found.executor->completed_tasks.push_back(std::move(*found.task));
  if (found.executor->completed_tasks.size() > policy_.max_completed_tasks)
    found.executor->completed_tasks.pop_front();
  found.executor->tasks.erase(key.second);
  remove_finished(key.first);
}

void Core::refuse(const Framework& framework, const mesos::v1::TaskInfo& task, mesos::v1::TaskState state,
                  mesos::v1::TaskStatus::Reason reason, const std::string& message) {
  mesos::v1::TaskStatus status;
  status.mutable_task_id()->CopyFrom(task.task_id());
  status.set_state(state);
  status.set_reason(reason);
  status.set_message(message);
  update(framework.id(), nullptr, std::move(status));
}

void Core::drop(const Framework& framework, const mesos::v1::TaskInfo& task, mesos::v1::TaskStatus::Reason reason,
                const std::string& message) {
  const bool aware = framework.has(mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE);
  refuse(framework, task, aware ? mesos::v1::TASK_DROPPED : mesos::v1::TASK_LOST, reason, message);
}

}  // namespace agent
