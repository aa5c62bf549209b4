#pragma once

// Performs what the core asks for and tells it what happened. Decides nothing.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/http/server.hpp"
#include "base/loop.hpp"
#include "base/metrics.hpp"
#include "base/pool.hpp"
#include "base/store/store.hpp"
#include "kernel/agent/core.hpp"
#include "kernel/agent/container_streams.hpp"
#include "kernel/api/content.hpp"
#include "kernel/containerizer/containerizer.hpp"
#include "kernel/executor/prober.hpp"

namespace agent {

class Link;
class Providers;
class VolumePlugins;

class Shell {
 public:
  Shell(base::Loop& loop, base::Pool& pool, Core& core, base::Store& store,
        containerizer::Containerizer& containers, base::Metrics& metrics);
  ~Shell();

  /// Loads the store and starts recovery. The link is used from then on; the disk is looked at every `disk_watch`.
  base::Status start(Link& link, base::Duration disk_watch);

  /// Tells the core; effects are performed before this returns (or in the running turn, when it is one of them).
  void tell(Event event);

  /// A SUBSCRIBE of an executor, checked in form: its answer is a stream in `type`.
  void subscribe(mesos::v1::executor::Call call, api::ContentType type, base::http::Responder responder);

  /// Any other call of an executor.
  void call(mesos::v1::executor::Call call, base::http::Responder responder);

  /// A call about containers, checked in form; that of a wait is answered when the container has ended, that of a session
  /// with its output.
  void container_call(mesos::v1::agent::Call call, StreamFormat format, base::http::Responder responder);

  /// A SUBSCRIBE of a resource provider outside of the agent: its answer is a stream in `type`, which has this id.
  void subscribe_provider(mesos::v1::ResourceProviderInfo info, std::string stream, api::ContentType type, base::http::Responder responder);

  /// Any other call of one, which names that stream.
  void provider_call(mesos::v1::resource_provider::Call call, std::string stream, base::http::Responder responder);

  /// As above, for the agent itself: `done` gets status and message.
  void container_call(mesos::v1::agent::Call call, std::function<void(int, const std::string&)> done);

  /// Resource providers are run by these from now on.
  void use_providers(Providers& providers) { providers_ = &providers; }

  /// Volumes of storage plugins are published by these from now on.
  void use_volume_plugins(VolumePlugins& plugins) { volume_plugins_ = &plugins; }

  /// Tells the core what containers use and how busy the machine is, so often; zero: never.
  void measure(base::Duration usage, base::Duration load);

  /// Sessions stream by these from now on.
  void use_streams(ContainerStreams& streams) { streams_ = &streams; }

  /// Called after each turn in which the core heard something; nullptr ends it.
  void on_turn(std::function<void()> call) { on_turn_ = std::move(call); }

  const Core& core() const { return core_; }
  containerizer::Containerizer& containers() { return containers_; }

 private:
  struct Connection {
    StreamFormat format{};
    base::http::Responder responder;
    base::http::Stream stream{};
    std::function<void(int, const std::string&)> done{};  // the agent itself asks
    std::string stream_id{};                              // of a resource provider
  };

  void perform(Effect effect);
  void perform_one(SendToMaster& effect);
  void perform_one(Reconnect& effect);
  void perform_one(Persist& effect);
  void perform_one(SetTimer& effect);
  void perform_one(CancelTimer& effect);
  void perform_one(RecoverContainers& effect);
  void perform_one(LaunchContainer& effect);
  void perform_one(TerminateContainer& effect);
  void perform_one(SignalContainer& effect);
  void perform_one(DestroyContainer& effect);
  void perform_one(UpdateContainer& effect);
  void perform_one(AddVolumes& effect);
  void perform_one(ForgetContainer& effect);
  void perform_one(StartProbe& effect);
  void perform_one(SendToExecutor& effect);
  void perform_one(CloseExecutor& effect);
  void perform_one(SendToProvider& effect);
  void perform_one(ContinueLaunch& effect);
  void perform_one(AnswerExecutor& effect);
  void perform_one(AnswerContainer& effect);
  void perform_one(StreamContainer& effect);
  void perform_one(RememberAgent& effect);
  void perform_one(LinkSandbox& effect);
  void perform_one(RemovePath& effect);
  void perform_one(MakeVolumes& effect);
  void perform_one(RemoveVolumes& effect);
  void perform_one(RunProvider& effect);
  void perform_one(StopProvider& effect);
  void perform_one(ChangeDisk& effect);
  void perform_one(Exit& effect);
  void perform_one(Trace& effect);
  void perform_one(Count& effect);
  void write(ConnectionId id, const google::protobuf::Message& event);
  void publish_volumes(containerizer::ContainerSpec spec);
  void launch(containerizer::ContainerSpec spec);
  void abandon(const std::string& container);
  void heartbeat();
  void measure_disk();

  base::Loop& loop_;
  base::Pool& pool_;
  Core& core_;
  base::Store& store_;
  containerizer::Containerizer& containers_;
  base::Metrics& metrics_;
  executor::Prober prober_;
  Link* link_ = nullptr;
  ContainerStreams* streams_ = nullptr;
  Providers* providers_ = nullptr;
  VolumePlugins* volume_plugins_ = nullptr;
  std::set<std::string> publishing_;  // containers that wait for their disks, volumes and resources
  std::map<std::string, LaunchContainer> held_;  // those that wait for ContinueLaunch
  std::map<std::string, base::Loop::TimerId> timers_;
  std::map<ConnectionId, Connection> connections_;
  std::deque<Event> events_;
  std::function<void()> on_turn_;
  bool busy_ = false;
  ConnectionId next_connection_ = 1;
  base::Loop::TimerId heartbeat_timer_ = 0, disk_timer_ = 0, usage_timer_ = 0, load_timer_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace agent
