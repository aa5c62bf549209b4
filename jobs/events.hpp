#pragma once

// What happens to a job scheduler's core.

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/http/message.hpp"
#include "base/result.hpp"
#include "jobs/effects.hpp"

namespace mesos::v1::scheduler {
class Event;
}

namespace jobs {

/// A request; answered by one Reply.
struct HttpRequested {
  CallId call = 0;
  base::http::Request request;
};

/// An event of the master, SUBSCRIBED included.
struct MasterEvent {
  std::shared_ptr<const mesos::v1::scheduler::Event> event;
};

/// The subscription ended; the client is connecting again.
struct MasterLost {};

struct Persisted {
  Ticket ticket = 0;
  base::Status status;
};

struct TimerFired {
  TimerName timer;
};

/// The wall clock was set: what is due is looked at again.
struct ClockJumped {};

/// First event of a core: what the store holds.
struct Recovered {
  std::vector<std::pair<std::string, std::string>> records;
};

using Event = std::variant<Recovered, HttpRequested, MasterEvent, MasterLost, Persisted, TimerFired, ClockJumped>;

}  // namespace jobs
