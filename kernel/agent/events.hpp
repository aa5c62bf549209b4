#pragma once

// Everything that can happen to the agent's core.

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "kernel/agent/records.pb.h"
#include "kernel/api/internal/agent_link.pb.h"
#include "kernel/api/mesos/v1/agent/agent.pb.h"
#include "kernel/api/mesos/v1/executor/executor.pb.h"
#include "kernel/api/mesos/v1/operations.pb.h"
#include "kernel/api/mesos/v1/resource_provider/resource_provider.pb.h"
#include "kernel/containerizer/containerizer.hpp"
#include "kernel/executor/command_executor.hpp"
#include "kernel/oversubscription/qos.hpp"
#include "kernel/storage/disks.hpp"

namespace agent {

/// Names one executor's HTTP connection, chosen by the shell.
using ConnectionId = uint64_t;

/// What the store held, decoded; the first event.
struct Loaded {
  std::optional<dcos::agent::v1::AgentRecord> agent;
  std::vector<dcos::agent::v1::FrameworkRecord> frameworks;
  std::vector<dcos::agent::v1::ExecutorRecord> executors;
  std::vector<dcos::agent::v1::TaskRecord> tasks;
  std::vector<dcos::agent::v1::UpdateRecord> updates;
  std::vector<std::pair<std::string, dcos::agent::v1::GcRecord>> gc;  // path, record
  dcos::agent::v1::ResourcesRecord resources;
  std::vector<mesos::v1::Operation> operations;
  std::vector<dcos::agent::v1::ContainerRecord> containers;
  std::vector<std::string> sandboxes;  // directories that there are, of whatever container
  std::vector<dcos::agent::v1::ProviderRecord> providers;
  uint64_t damaged = 0;  // records set aside because they do not decode
};

/// Which containers run; the ends of the others follow as ContainerExited.
struct ContainersRecovered {
  std::map<std::string, containerizer::Started> running;
};

struct LinkConnected {
  std::string nonce{};  // of secret bytes, for this connection's authentication
};
struct LinkDisconnected {
  std::string why;
};
struct MasterSaid {
  dcos::internal::v1::MasterMessage message;
};

struct Persisted {
  base::Status status;
};

struct TimerFired {
  std::string timer;
};

struct ContainerStarted {
  std::string container;
  int64_t pid = 0;
  std::vector<mesos::v1::NetworkInfo> networks{};  // with its addresses; empty: the host's network
};
struct ContainerLaunchFailed {
  std::string container;
  std::string message;
};
struct ContainerExited {
  std::string container;
  containerizer::Termination termination;
};

/// The answer to AddVolumes.
struct VolumesAdded {
  std::string container;
  base::Status status;
};

struct Probed {
  std::string container;
  executor::ProbeKind kind;
  executor::ProbeResult result;
};

/// A validated SUBSCRIBE; events go to `connection` from now on.
struct ExecutorSubscribed {
  ConnectionId connection = 0;
  mesos::v1::executor::Call call;
};
/// Any other call; the shell has answered nothing yet and replies by `connection` as an id of the request.
struct ExecutorCalled {
  ConnectionId connection = 0;
  mesos::v1::executor::Call call;
};
struct ExecutorDisconnected {
  ConnectionId connection = 0;
};

/// A call that launches, awaits, signals or removes a container. Answered by AnswerContainer, a wait perhaps much later.
struct ContainerCalled {
  ConnectionId connection = 0;
  mesos::v1::agent::Call call;
};

struct PathRemoved {
  std::string path;
  base::Status status;
};
/// The answer to MakeVolumes and RemoveVolumes.
struct VolumesChanged {
  std::string operation;
  base::Status status;
};

/// A resource provider is to run, or to run by another description than before.
struct ProviderConfigured {
  mesos::v1::ResourceProviderInfo info;  // without id
};
/// Its description was taken away.
struct ProviderRemoved {
  std::string type, name;
};
/// It never comes back: what is kept of it is forgotten.
struct ProviderGone {
  std::string provider;
};
struct ProviderSurveyed {
  std::string provider;
  storage::Survey survey;
};
/// The answer to ChangeDisk.
struct DiskChanged {
  std::string id;
  base::Result<mesos::v1::Resource> disk;
};

/// A resource provider outside of the agent subscribed: its events go to this connection, its calls name the stream.
struct ProviderSubscribed {
  ConnectionId connection = 0;
  std::string stream;
  mesos::v1::ResourceProviderInfo info;
};
/// Another call of one. Answered by AnswerExecutor.
struct ProviderCalled {
  ConnectionId connection = 0;
  std::string stream;
  mesos::v1::resource_provider::Call call;
};

/// A storage plugin of the agent's that is no resource provider: containers of it work on the machine's own mounts.
struct PluginKnown {
  std::string plugin;
};

/// How much CPU time containers have used since they were started.
struct UsageMeasured {
  std::map<std::string, double> cpu_seconds;
};
struct LoadMeasured {
  oversubscription::Load load;
};
struct DiskMeasured {
  double used_fraction = 0;
};

/// SIGUSR1: end all tasks, leave the cluster.
struct LeaveAsked {};

using Event = std::variant<Loaded, ContainersRecovered, LinkConnected, LinkDisconnected, MasterSaid, Persisted,
                           TimerFired, ContainerStarted, ContainerLaunchFailed, ContainerExited, VolumesAdded, Probed,
                           ExecutorSubscribed, ExecutorCalled, ExecutorDisconnected, ContainerCalled, PathRemoved, VolumesChanged,
                           ProviderConfigured, ProviderRemoved, ProviderGone, ProviderSurveyed, DiskChanged, ProviderSubscribed,
                           ProviderCalled, PluginKnown, UsageMeasured,
                           LoadMeasured, DiskMeasured, LeaveAsked>;

}  // namespace agent
