#pragma once

// What happens to the core.

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dns/records.hpp"

namespace mesos::v1::master {
class Event;
}

namespace dns {

/// The whole state of the master at `leader`, which is an address when the name was one.
struct ClusterSeen {
  std::string leader;  // "host:port"
  std::shared_ptr<const mesos::v1::master::Event> event;
};

/// A change after it.
struct ClusterChanged {
  std::shared_ptr<const mesos::v1::master::Event> event;
};

struct VipsSeen {
  std::vector<VipRecord> vips;
};

struct VipsChanged {
  std::vector<VipRecord> added, removed;
};

/// Answer to Resolve; no addresses: it failed.
struct HostResolved {
  std::string host;
  std::vector<Address> addresses;
};

/// Answer to CommitSoon.
struct CommitDue {};

struct TimerFired {};

using Event = std::variant<ClusterSeen, ClusterChanged, VipsSeen, VipsChanged, HostResolved, CommitDue, TimerFired>;

}  // namespace dns
