#pragma once

// Everything the agent's core may ask of its shell, in order.

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/store/store.hpp"
#include "base/time.hpp"
#include "kernel/agent/events.hpp"
#include "kernel/agent/volumes.hpp"
#include "kernel/api/internal/agent_link.pb.h"
#include "kernel/api/mesos/v1/executor/executor.pb.h"
#include "kernel/containerizer/containerizer.hpp"

namespace agent {

struct SendToMaster {
  dcos::internal::v1::AgentMessage message;
};
/// Drop the connection and look for the leading master again.
struct Reconnect {
  std::string why;
};

/// Answered by Persisted; one at a time.
struct Persist {
  base::StoreBatch batch;
};

struct SetTimer {
  std::string timer;   // replaces a running one of that name
  base::Instant at;
};
struct CancelTimer {
  std::string timer;
};

struct RecoverContainers {
  std::vector<containerizer::ContainerSpec> known;
};
/// `disks` of resource providers are published before; when they cannot be, the launch fails.
struct LaunchContainer {
  containerizer::ContainerSpec spec;
  std::vector<storage::DiskName> disks{};
  bool waits = false;  // for ContinueLaunch
};
/// What a launch waited for is there, or will not be.
struct ContinueLaunch {
  std::string container;
  base::Status status;
};
struct TerminateContainer {
  std::string container;   // SIGTERM
};
struct SignalContainer {
  std::string container;   // the signal goes to its first process
  int number = 0;
};
struct DestroyContainer {
  std::string container;
};
struct UpdateContainer {
  std::string container;
  containerizer::cgroups::Limits limits;
  std::vector<std::pair<uint16_t, uint16_t>> ports{};  // of the host, that it may listen on
};
/// Answered by VolumesAdded.
struct AddVolumes {
  std::string container;
  std::vector<containerizer::VolumeMount> volumes;
  std::vector<storage::DiskName> disks{};  // are published before
};
struct ForgetContainer {
  std::string container;
};
struct StartProbe {
  std::string container;
  executor::ProbeKind kind;
  mesos::v1::TaskInfo task;  // check or health_check say what to probe
};

struct SendToExecutor {
  ConnectionId connection;
  mesos::v1::executor::Event event;
};
struct CloseExecutor {
  ConnectionId connection;
};
/// To a resource provider outside of the agent.
struct SendToProvider {
  ConnectionId connection;
  mesos::v1::resource_provider::Event event;
};
/// The answer to an ExecutorCalled or ProviderCalled, or a refusal of an ExecutorSubscribed or ProviderSubscribed.
struct AnswerExecutor {
  ConnectionId connection;
  int status = 202;
  std::string message;
};

/// The answer to a ContainerCalled: a message for people, or, when it has a type, `response`.
struct AnswerContainer {
  ConnectionId connection;
  int status = 200;
  std::string message{};
  mesos::v1::agent::Response response{};
};

/// The answer to a ContainerCalled that launched a session: the container's output as a stream.
struct StreamContainer {
  ConnectionId connection;
  std::string container;
};

/// The agent has this id now: links and directories are made.
struct RememberAgent {
  std::string agent_id;
};
/// A sandbox is used from now on: its `latest` link is set.
struct LinkSandbox {
  std::string directory;
};
struct RemovePath {
  std::string path;
};
/// Directories of the volumes that operation `operation` (its uuid) creates or destroys; answered by VolumesChanged.
/// They are made before any later effect, so that a task that follows finds them.
struct MakeVolumes {
  std::string operation;
  std::vector<VolumePlace> volumes;
};
struct RemoveVolumes {
  std::string operation;
  std::vector<VolumePlace> volumes;
};
/// A resource provider runs from now on, by this description.
struct RunProvider {
  mesos::v1::ResourceProviderInfo info;  // with id
};
struct StopProvider {
  std::string provider;
  bool forget = false;
};
/// CREATE_DISK or DESTROY_DISK of that provider; answered by DiskChanged.
struct ChangeDisk {
  std::string provider;
  std::string id;  // of the operation
  mesos::v1::Offer::Operation operation;
};
struct Exit {
  int code = 0;
  std::string message;
};
/// A line for the log.
struct Trace {
  enum class Level { Info, Warning, Error };
  Level level = Level::Info;
  std::string text;
};
/// Adds to a counter of the metrics.
struct Count {
  const char* metric;
};

using Effect = std::variant<SendToMaster, Reconnect, Persist, SetTimer, CancelTimer, RecoverContainers, LaunchContainer,
                            TerminateContainer, SignalContainer, DestroyContainer, UpdateContainer, AddVolumes, ForgetContainer, StartProbe,
                            SendToExecutor, CloseExecutor, SendToProvider, ContinueLaunch, AnswerExecutor, AnswerContainer, StreamContainer,
                            RememberAgent, LinkSandbox, RemovePath,
                            MakeVolumes, RemoveVolumes, RunProvider, StopProvider, ChangeDisk, Exit, Trace, Count>;

class Effects {
 public:
  template <class T>
  void add(T effect) {
    list.emplace_back(std::move(effect));
  }
  void info(std::string text) { add(Trace{Trace::Level::Info, std::move(text)}); }
  void warning(std::string text) { add(Trace{Trace::Level::Warning, std::move(text)}); }
  void error(std::string text) { add(Trace{Trace::Level::Error, std::move(text)}); }

  std::vector<Effect> list;
};

}  // namespace agent
