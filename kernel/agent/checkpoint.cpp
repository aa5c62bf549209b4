#include "kernel/agent/checkpoint.hpp"

#include <fmt/core.h>

#include "kernel/agent/core.hpp"
#include "kernel/resources/operations.hpp"
#include "kernel/resources/proto.hpp"

namespace agent {

std::string agent_key() { return "agent"; }
std::string framework_key(const std::string& framework) { return "framework/" + framework; }
std::string executor_key(const std::string& framework, const std::string& executor) {
  return "executor/" + framework + "/" + executor;
}
std::string task_key(const TaskKey& task) { return "task/" + task.first + "/" + task.second; }
std::string update_key(const TaskKey& task, uint64_t number) {
  // Padded, so that the order of keys is the order of updates.
  return fmt::format("update/{}/{}/{:012}", task.first, task.second, number);
}
std::string gc_key(const std::string& path) { return "gc/" + path; }
std::string resources_key() { return "resources"; }
std::string provider_key(const std::string& provider) { return "provider/" + provider; }
std::string container_key(const std::string& container) { return "container/" + container; }
std::string operation_key(const std::string& uuid) {
  std::string key = "operation/";
  for (const char byte : uuid) key += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return key;
}

namespace {

// A record that lacks what everything else stands on is as good as none.
bool complete(const dcos::agent::v1::FrameworkRecord& record) { return record.info().has_id(); }
bool complete(const dcos::agent::v1::ExecutorRecord& record) { return record.has_framework_id() && record.has_info(); }
bool complete(const dcos::agent::v1::TaskRecord& record) {
  return record.has_framework_id() && record.has_executor_id() && record.has_info();
}
bool complete(const dcos::agent::v1::UpdateRecord& record) { return record.has_framework_id() && record.has_status(); }
bool complete(const dcos::agent::v1::ContainerRecord& record) { return record.has_id(); }
bool complete(const dcos::agent::v1::ProviderRecord& record) { return record.info().has_id(); }
bool complete(const mesos::v1::Operation& record) { return record.has_uuid(); }

template <class Record>
bool decode(const base::StoreEntry& entry, std::vector<Record>& into) {
  Record record;
  if (!record.ParseFromString(entry.value) || !complete(record)) return false;
  into.push_back(std::move(record));
  return true;
}

bool decode_entry(const base::StoreEntry& entry, Loaded& loaded) {
  const std::string_view key = entry.key;
  if (key == "agent") {
    dcos::agent::v1::AgentRecord record;
    if (!record.ParseFromString(entry.value)) return false;
    loaded.agent = std::move(record);
    return true;
  }
  if (key.starts_with("framework/")) return decode(entry, loaded.frameworks);
  if (key.starts_with("executor/")) return decode(entry, loaded.executors);
  if (key.starts_with("task/")) return decode(entry, loaded.tasks);
  if (key.starts_with("update/")) return decode(entry, loaded.updates);
  if (key.starts_with("operation/")) return decode(entry, loaded.operations);
  if (key.starts_with("container/")) return decode(entry, loaded.containers);
  if (key.starts_with("provider/")) return decode(entry, loaded.providers);
  if (key.starts_with("storage/")) return true;  // kernel/storage reads its own
  if (key == "resources") return loaded.resources.ParseFromString(entry.value);
  if (key.starts_with("gc/")) {
    dcos::agent::v1::GcRecord record;
    if (!record.ParseFromString(entry.value)) return false;
    loaded.gc.emplace_back(std::string(key.substr(3)), std::move(record));
    return true;
  }
  return false;
}

}  // namespace

Loaded decode_store(const std::vector<base::StoreEntry>& entries) {
  Loaded loaded;
  for (const auto& entry : entries)
    if (!decode_entry(entry, loaded)) ++loaded.damaged;
  return loaded;
}

bool valid_id(const std::string& id) { return api::validate_id(id).has_value(); }

void Core::save_agent() {
  dcos::agent::v1::AgentRecord record;
  record.mutable_info()->CopyFrom(state_.info);
  record.set_boot_id(policy_.boot_id);
  if (state_.drain) {
    record.mutable_drain_config()->CopyFrom(*state_.drain);
    record.mutable_drain_start()->set_nanoseconds(state_.drain_start.nanos());
  }
  journal_.put(agent_key(), record.SerializeAsString());
}

void Core::save(const Framework& framework) {
  dcos::agent::v1::FrameworkRecord record;
  record.mutable_info()->CopyFrom(framework.info);
  journal_.put(framework_key(framework.id()), record.SerializeAsString());
}

void Core::save(const Executor& executor) {
  dcos::agent::v1::ExecutorRecord record;
  record.mutable_framework_id()->set_value(executor.framework_id);
  record.mutable_info()->CopyFrom(executor.info);
  record.set_container_id(executor.container_id);
  record.set_directory(executor.directory);
  record.set_command(executor.command);
  record.set_launched(executor.launched);
  record.set_ended(executor.state == ExecutorState::Terminated);
  record.set_shutting_down(executor.state == ExecutorState::Terminating);
  record.mutable_started()->set_nanoseconds(executor.started.nanos());
  for (const auto& volume : executor.volumes) record.add_volumes()->CopyFrom(volume);
  for (const auto& network : executor.networks) record.add_networks()->CopyFrom(network);
  if (!executor.preempted.empty()) record.set_preempted(executor.preempted);
  if (executor.end_reason) record.set_end_reason(*executor.end_reason);
  if (!executor.end_message.empty()) record.set_end_message(executor.end_message);
  journal_.put(executor_key(executor.framework_id, executor.id()), record.SerializeAsString());
}

void Core::save(const Operation& operation) {
  journal_.put(operation_key(operation.proto.uuid().value()), operation.proto.SerializeAsString());
}

void Core::save(const ResourceProvider& provider) {
  dcos::agent::v1::ProviderRecord record;
  *record.mutable_info() = provider.info;
  record.set_remote(provider.remote);
  if (!provider.remote) resources::to_proto(provider.total, resources::Format::Post, record.mutable_total());
  journal_.put(provider_key(provider.info.id().value()), record.SerializeAsString());
}

void Core::save_resources() {
  dcos::agent::v1::ResourcesRecord record;
  resources::to_proto(resources::checkpointed_of(state_.total), resources::Format::Post, record.mutable_checkpointed());
  journal_.put(resources_key(), record.SerializeAsString());
}

void Core::save(const Executor& executor, const Task& task) {
  dcos::agent::v1::TaskRecord record;
  record.mutable_framework_id()->set_value(executor.framework_id);
  record.mutable_executor_id()->set_value(executor.id());
  record.mutable_info()->CopyFrom(task.info);
  record.set_state(task.state);
  for (const auto& status : task.statuses) record.add_statuses()->CopyFrom(status);
  record.set_kill_wanted(task.kill_wanted);
  record.set_sent(task.sent);
  if (!task.group.empty()) record.set_group(task.group);
  record.mutable_running_since()->set_nanoseconds(task.running_since.nanos());
  journal_.put(task_key({executor.framework_id, task.info.task_id().value()}), record.SerializeAsString());
}

}  // namespace agent
