#pragma once

// Conversations with the core: events in, effects out, no clock and no process.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/store/store.hpp"
#include "kernel/agent/checkpoint.hpp"
#include "kernel/agent/core.hpp"

namespace agent {

using dcos::internal::v1::MasterMessage;
using mesos::v1::TaskStatus;

/// A core with a store that keeps what is committed, so that a test can start another core from it.
class World {
 public:
  explicit World(Policy policy = make_policy()) : policy_(std::move(policy)) { start({}); }

  static Policy make_policy() {
    Policy policy;
    policy.info.set_hostname("h");
    policy.ip = "10.0.0.1";
    policy.work_dir = "/agent";
    policy.boot_id = "boot-1";
    return policy;
  }

  /// A new core from what is stored. `running`: containers that still run.
  void start(std::map<std::string, containerizer::Started> running) {
    core = std::make_unique<Core>(policy_, base::Random(7));
    effects.clear();
    std::vector<base::StoreEntry> entries;
    for (const auto& [key, value] : store) entries.push_back({key, value});
    tell(decode_store(entries));
    if (!find<Exit>()) tell(ContainersRecovered{std::move(running)});
  }

  void join() {
    tell(LinkConnected{});
    MasterMessage message;
    if (core->state().info.has_id())
      message.mutable_reregistered()->mutable_agent_id()->set_value("a1");
    else
      message.mutable_registered()->mutable_agent_id()->set_value("a1");
    tell(MasterSaid{message});
  }

  void tell(Event event) {
    Effects out;
    core->on(std::move(event), now, out);
    bool persist = false;
    for (auto& effect : out.list) {
      if (auto* commit = std::get_if<Persist>(&effect)) {
        persist = true;
        if (!disk_full)
          for (auto& write : commit->batch.writes) {
            if (write.value)
              store[write.key] = *write.value;
            else
              store.erase(write.key);
          }
      }
      effects.push_back(std::move(effect));
    }
    if (persist) tell(Persisted{disk_full ? base::Status(base::Error{base::Code::NoSpace, "full"}) : base::Status()});
  }

  template <class T>
  const T* find() const {
    for (auto at = effects.rbegin(); at != effects.rend(); ++at)
      if (const auto* found = std::get_if<T>(&*at)) return found;
    return nullptr;
  }

  /// States of the updates sent to the master since the last call.
  std::string sent() {
    std::string text;
    for (const auto& effect : effects)
      if (const auto* send = std::get_if<SendToMaster>(&effect); send != nullptr && send->message.has_status_update()) {
        last = send->message.status_update().status();
        text += (text.empty() ? "" : " ") + mesos::v1::TaskState_Name(last.state()).substr(5);
      }
    effects.clear();
    return text;
  }

  void acknowledge() {
    MasterMessage message;
    auto* ack = message.mutable_acknowledge_status_update();
    ack->mutable_framework_id()->set_value("f");
    ack->mutable_task_id()->CopyFrom(last.task_id());
    ack->set_uuid(last.uuid());
    tell(MasterSaid{message});
  }

  void run(const std::string& task, const std::string& executor = "") {
    MasterMessage message;
    auto* run = message.mutable_run_task();
    run->mutable_framework_info()->mutable_id()->set_value("f");
    run->mutable_framework_info()->set_user("");
    run->mutable_framework_info()->set_name("n");
    run->set_launch_executor(true);
    auto* info = run->mutable_task();
    info->set_name(task);
    info->mutable_task_id()->set_value(task);
    info->mutable_agent_id()->set_value("a1");
    auto* command = executor.empty() ? info->mutable_command() : info->mutable_executor()->mutable_command();
    command->set_value("true");
    if (!executor.empty()) info->mutable_executor()->mutable_executor_id()->set_value(executor);
    tell(MasterSaid{message});
  }

  void kill(const std::string& task) {
    MasterMessage message;
    message.mutable_kill_task()->mutable_framework_id()->set_value("f");
    message.mutable_kill_task()->mutable_task_id()->set_value(task);
    tell(MasterSaid{message});
  }

  std::string container() const { return core->state().containers.empty() ? "" : core->state().containers.begin()->first; }

  mesos::v1::executor::Call call(mesos::v1::executor::Call::Type type, const std::string& executor) {
    mesos::v1::executor::Call out;
    out.set_type(type);
    out.mutable_framework_id()->set_value("f");
    out.mutable_executor_id()->set_value(executor);
    return out;
  }

  Policy policy_;
  std::map<std::string, std::string> store;
  std::unique_ptr<Core> core;
  std::vector<Effect> effects;
  TaskStatus last;
  base::Now now{base::Instant{base::seconds(100)}, base::Time{base::seconds(1'000'000)}};
  bool disk_full = false;
};

/// A program that ended with that status.
inline containerizer::Termination exited(int code) {
  containerizer::Termination end;
  end.status = code << 8;
  return end;
}

}  // namespace agent
