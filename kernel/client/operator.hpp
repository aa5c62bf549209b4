#pragma once

// A subscription to the cluster's state: a snapshot first, then every change; reconnecting is taken care of.
//
//   client::Operator events(loop, {.masters = {"127.0.0.1:5050"}}, {
//       .on_snapshot = [&](const std::string& master, const auto& event) { replace(event->subscribed().get_state()); },
//       .on_change = [&](const auto& event) { apply(*event); }});
//   events.start();
//
// Runs on one loop; every callback runs there. After on_lost the last knowledge stays the best until the next snapshot.

#include <functional>
#include <memory>
#include <string>

#include "base/loop.hpp"
#include "kernel/client/operator_protocol.hpp"

namespace client {

class Operator {
 public:
  using Event = std::shared_ptr<const mesos::v1::master::Event>;

  struct Callbacks {
    /// The whole state, of the master at "host:port".
    std::function<void(const std::string& master, const Event& event)> on_snapshot;
    std::function<void(const Event& event)> on_change;
    std::function<void(const std::string& reason)> on_lost = {};
  };

  Operator(base::Loop& loop, OperatorOptions options, Callbacks callbacks);
  ~Operator();  // closes the stream
  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;

  void start();

  /// The snapshot of the current stream was delivered.
  bool subscribed() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace client
