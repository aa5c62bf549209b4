#pragma once

// A scheduler's connection to the cluster: events come in, calls go out, reconnecting is taken care of.
//
//   client::Scheduler scheduler(loop, {.masters = {"127.0.0.1:5050"}}, framework_info, {
//       .on_event = [&](const auto& event) { ... scheduler.send(call); ... }});
//   scheduler.start();
//
// Runs on one loop; every callback runs there. Calls made while not subscribed are dropped: after SUBSCRIBED a
// scheduler says anew what it wants, and reconciles.

#include <functional>
#include <memory>
#include <string>

#include "base/loop.hpp"
#include "kernel/client/protocol.hpp"

namespace client {

class Scheduler {
 public:
  struct Callbacks {
    std::function<void(std::shared_ptr<const mesos::v1::scheduler::Event>)> on_event;

    /// The subscription ended. `final`: an ERROR event said so, nothing is tried any more.
    std::function<void(const std::string& reason, bool final)> on_disconnected = {};

    /// Asked before anything is sent; false: it is not sent. For a scheduler that runs several times: one that stood still
    /// must not subscribe over the one that leads since.
    std::function<bool()> may_act = {};
  };

  /// `framework` with an id resubscribes as that framework.
  Scheduler(base::Loop& loop, ProtocolOptions options, mesos::v1::FrameworkInfo framework, Callbacks callbacks);
  ~Scheduler();  // closes the stream; the master starts the failover timeout
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  void start();

  /// False when the call was dropped.
  bool send(const mesos::v1::scheduler::Call& call);

  const std::string& framework_id() const;
  const std::string& master() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace client
