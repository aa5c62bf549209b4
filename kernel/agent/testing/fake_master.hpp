#pragma once

// A master that a test speaks for, behind the real link: an HTTP endpoint for discovery and a gRPC service. Thread-safe.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel/api/internal/agent_link.pb.h"
#include "kernel/api/mesos/v1/tasks.pb.h"

namespace agent::testing {

class FakeMaster {
 public:
  FakeMaster();
  ~FakeMaster();

  /// For --master.
  std::string address() const;

  /// Answer Register and Reregister, and acknowledge status updates, without being told. Both are on at first.
  void set_admit(bool admit);
  void set_acknowledge(bool acknowledge);

  void send(const dcos::internal::v1::MasterMessage& message);
  void acknowledge(const dcos::internal::v1::StatusUpdate& update);

  /// Called for each status update on a thread of gRPC, before it is acknowledged. Set before the agent comes.
  void set_observer(std::function<void(const mesos::v1::TaskStatus&)> observer);

  /// Everything received so far, in order.
  std::vector<dcos::internal::v1::AgentMessage> received() const;

  /// Status updates received for a task, in order, repetitions included.
  std::vector<mesos::v1::TaskStatus> updates(const std::string& task) const;

  /// Waits until `condition` holds of what was received; false after `seconds`.
  bool wait(const std::function<bool()>& condition, int seconds = 20) const;

  /// Waits for an update of the task in that state.
  bool wait_for(const std::string& task, mesos::v1::TaskState state, int seconds = 20) const;
  mesos::v1::TaskStatus update(const std::string& task, mesos::v1::TaskState state) const;

  /// How often an agent came with Register or Reregister.
  int registrations() const;
  bool wait_for_agent(int registrations = 1) const;

  /// Ends the agent's connection.
  void disconnect();

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace agent::testing
