#pragma once

// Everything that can happen to the master. Data is owned; nothing refers to the shell.

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "kernel/api/internal/agent_link.pb.h"
#include "kernel/api/mesos/v1/master/master.pb.h"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"
#include "kernel/master/ids.hpp"

namespace master {

/// The registry as it was found; the first event of a process. With it the leadership begins.
struct Recovered {
  struct Entry {
    std::string key;
    std::string value;
  };
  std::vector<Entry> entries;
  std::optional<base::Time> started{};  // the process, which may have waited for its election
};

/// A message from an agent. `ip` is the peer's address.
struct AgentMessageReceived {
  LinkId link = 0;
  std::string ip;
  dcos::internal::v1::AgentMessage message;
  std::string nonce{};  // of secret bytes, with an Authenticate
};

struct AgentLinkLost {
  LinkId link = 0;
};

/// A SUBSCRIBE whose stream is open (200 was sent): from here on, refusals are ERROR events.
struct SchedulerSubscribed {
  ConnectionId connection = 0;
  std::string stream_id;
  mesos::v1::scheduler::Call::Subscribe subscribe;
  std::string principal;  // empty: not authenticated
};

/// Any other scheduler call that has the shape of one (validate_call).
struct SchedulerCallReceived {
  CallId call_id = 0;
  std::string stream_id;  // of the Mesos-Stream-Id header; empty: absent
  mesos::v1::scheduler::Call call;
  std::string principal;
};

struct SchedulerConnectionClosed {
  ConnectionId connection = 0;
};

/// A call of the operator API that changes something.
struct OperatorCallReceived {
  CallId call_id = 0;
  mesos::v1::master::Call call;
  std::string principal;
};

/// The only hostnames to offer changed; absent: all are offered.
struct WhitelistChanged {
  std::optional<std::set<std::string>> hostnames{};
};

struct TimerFired {
  TimerId timer = 0;
};

/// The batch of that ticket is durable, or was refused by the store.
struct Persisted {
  Ticket ticket = 0;
  base::Status result;
};

/// Everything that had arrived in this turn of the loop was handled: time to make offers.
struct TurnEnded {};

using Event = std::variant<Recovered, AgentMessageReceived, AgentLinkLost, SchedulerSubscribed, SchedulerCallReceived,
                           SchedulerConnectionClosed, OperatorCallReceived, WhitelistChanged, TimerFired, Persisted, TurnEnded>;

}  // namespace master
