#pragma once

// What the agent knows. Owned and changed by the core alone; endpoints read it on the same thread.

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "kernel/agent/events.hpp"
#include "kernel/agent/policy.hpp"
#include "kernel/agent/updates.hpp"
#include "kernel/api/mesos/v1/frameworks.pb.h"
#include "kernel/api/mesos/v1/tasks.pb.h"
#include "kernel/executor/command_executor.hpp"
#include "kernel/resources/resources.hpp"

namespace agent {

struct Task {
  mesos::v1::TaskInfo info;
  mesos::v1::TaskState state = mesos::v1::TASK_STAGING;
  std::vector<mesos::v1::TaskStatus> statuses;  // the last of each state
  bool kill_wanted = false;
  bool sent = false;                            // handed to its custom executor
  std::string group;                            // that of a task group's tasks; empty: a task alone
  base::Time running_since{};
};

/// REGISTERING: its container starts, or it has not subscribed yet. TERMINATED: its container is gone, updates wait.
enum class ExecutorState { Registering, Running, Terminating, Terminated };

struct Executor {
  std::string framework_id;
  mesos::v1::ExecutorInfo info;
  std::string container_id;
  std::string directory;                        // sandbox
  bool command = false;
  bool launched = false;                        // the container was seen to run
  bool recovered = false;                       // from before the restart, not subscribed again yet
  ExecutorState state = ExecutorState::Registering;
  int64_t pid = 0;
  base::Time started{};
  std::optional<executor::CommandExecutor> machine;  // of a command executor
  std::optional<ConnectionId> connection;            // of a custom one
  std::map<std::string, Task> tasks;                 // not ended, or ended and not acknowledged
  std::vector<mesos::v1::Resource> volumes;          // persistent ones that its container has, or is to have
  std::vector<mesos::v1::Resource> adding;           // those that are being mounted while it runs
  std::set<std::pair<std::string, std::string>> mounted;  // id and path of those that it has for certain
  std::vector<mesos::v1::NetworkInfo> networks;      // that its container is in; empty: the host's
  std::vector<std::string> queued;                   // ids of tasks that wait for the subscription, in order; groups together
  std::deque<Task> completed_tasks;
  // Why it is being ended, for the updates of its tasks.
  std::optional<mesos::v1::TaskStatus::Reason> end_reason;
  std::string end_message;
  std::string preempted;                             // why it must go at once; empty: it need not

  const std::string& id() const { return info.executor_id().value(); }
};

struct Framework {
  mesos::v1::FrameworkInfo info;
  bool shutting_down = false;
  std::map<std::string, Executor> executors;
  std::deque<Executor> completed_executors;

  const std::string& id() const { return info.id().value(); }
  bool has(mesos::v1::FrameworkInfo::Capability::Type capability) const;
};

/// A container that a call of the agent's API launched, in an executor's container or on its own ("standalone").
struct ApiContainer {
  enum class Stage { Launching, Running, Ended };
  std::string id;                               // its own and those of what it is in, the outermost first, with dots between
  mesos::v1::CommandInfo command;
  std::optional<mesos::v1::ContainerInfo> container;
  google::protobuf::RepeatedPtrField<mesos::v1::Resource> resources;
  google::protobuf::Map<std::string, mesos::v1::Value::Scalar> limits;
  std::string user;
  Stage stage = Stage::Launching;
  int64_t pid = 0;
  containerizer::Termination end;               // of an ended one
  std::optional<ConnectionId> launcher;         // waits for the launch
  bool session = false;                         // ends with the connection that launched it; not kept over a restart

  std::string parent() const { return id.find('.') == std::string::npos ? "" : id.substr(0, id.rfind('.')); }
  std::string root() const { return id.substr(0, id.find('.')); }
};

enum class Phase { Recovering, Disconnected, Registering, Registered, Terminating };

inline constexpr size_t kMaxProviders = 100;  // with those whose descriptions are gone

/// A source of resources beside the agent itself: disks of a storage plugin, or a program that subscribes.
struct ResourceProvider {
  mesos::v1::ResourceProviderInfo info;         // with id
  resources::Resources total;                   // with what operations made of it
  std::string version;                          // as the agent's resource_version
  bool active = false;                          // its description is there; else it is kept for when that is back
  bool remote = false;                          // a program that subscribes; active while it does and has said what it has
  std::optional<ConnectionId> connection{};     // of a remote one
  std::string stream{};                         // which its calls name
};

/// An operation that its master has not acknowledged to the end.
struct Operation {
  mesos::v1::Operation proto;
  base::Duration backoff{0};  // until its status is sent again
  bool applied = false;       // a remote provider's total has what it will make of it, so that tasks behind it may count on that
};

bool pending(const Operation& operation);

/// Makes a disk of a provider's, or unmakes one.
bool is_disk(const mesos::v1::Offer::Operation& operation);

struct State {
  mesos::v1::AgentInfo info;                     // with id once registered
  Phase phase = Phase::Recovering;
  bool link_up = false;
  std::optional<mesos::v1::DrainConfig> drain;
  base::Time drain_start{};
  std::map<std::string, Framework> frameworks;
  std::deque<Framework> completed_frameworks;
  std::map<std::string, std::pair<std::string, std::string>> containers;  // id -> framework, executor
  std::map<std::string, ApiContainer> api_containers;                     // by id
  resources::Resources total;                            // with reservations and volumes
  std::string resource_version;                          // new when the master's idea of `total` was wrong
  resources::Resources oversubscribed;                   // revocable, those in use with them
  std::map<std::string, Operation> operations;           // by uuid
  std::map<std::string, ResourceProvider> providers;     // by id
  std::set<std::string> plugins;                         // ids of storage plugins that are no providers
  uint64_t recovery_errors = 0;
  double recovery_seconds = 0;                           // that the last start took until everything was found again
  base::Time started{};
};

/// Amount of a scalar resource by name, all roles together.
double scalar_of(const google::protobuf::RepeatedPtrField<mesos::v1::Resource>& resources, std::string_view name);

}  // namespace agent
