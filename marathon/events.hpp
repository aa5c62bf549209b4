#pragma once

// What happens to the core.

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/http/message.hpp"
#include "base/result.hpp"
#include "marathon/effects.hpp"
#include "marathon/viewer.hpp"

namespace mesos::v1::scheduler {
class Event;
}

namespace marathon {

/// A request that is neither an event stream nor a static file; answered by one Reply.
struct HttpRequested {
  CallId call = 0;
  base::http::Request request;
  std::shared_ptr<const Viewer> viewer{};  // whose lists show a part; null: everything
};

/// A request of HttpRequested has been answered: for the metrics.
struct Answered {
  std::string method;
  int status = 0;
  base::Duration took{0};
  uint64_t received = 0, sent = 0;  // bytes of the bodies, before compression
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

struct Probed {
  uint64_t id = 0;
  int status = 0;          // of the answer; 0: none
  std::string error;       // why there is none; empty for a TCP connection that opened
  std::string content_type, body;
};

struct StreamOpened {
  std::string remote_address;
};

struct StreamClosed {
  std::string remote_address;
};

/// First event of a core: what the store holds.
struct Recovered {
  std::vector<std::pair<std::string, std::string>> records;
};

using Event = std::variant<Recovered, HttpRequested, Answered, MasterEvent, MasterLost, Persisted, TimerFired,
                           Probed, StreamOpened, StreamClosed>;

}  // namespace marathon
