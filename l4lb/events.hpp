#pragma once

// What the core is told.

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "l4lb/vips.hpp"
#include "l4lb/wire.hpp"

namespace l4lb {

/// The store's content, once, first.
struct Recovered {
  std::vector<std::pair<std::string, std::string>> records;
};
struct Persisted {
  uint64_t ticket = 0;
  base::Status status;
};

/// Everything that runs on an agent of this machine; `agent` is its URL.
struct AgentSnapshot {
  std::string agent;
  Address ip;
  std::vector<Task> tasks;
};
struct TaskChanged {
  std::string agent;
  Task task;
};
struct TaskRemoved {
  std::string agent;
  std::string framework_id, id;
};

/// A datagram that carries the cluster's seal.
struct DatagramReceived {
  Endpoint from;
  NodeId sender = 0;
  std::string bytes;
};

/// Connections to these were refused on this machine just now.
struct BackendsFailed {
  std::vector<Endpoint> backends;
};

/// This machine goes for good.
struct LeaveAsked {};

struct TimerFired {};

using Event = std::variant<Recovered, Persisted, AgentSnapshot, TaskChanged, TaskRemoved, DatagramReceived,
                           BackendsFailed, LeaveAsked, TimerFired>;

}  // namespace l4lb
