#pragma once

// The scheduler as a deterministic state machine: on(event, now, out), and nothing else. Not thread-safe; owned by the
// shell, or by the simulator.

#include <string>

#include "base/random.hpp"
#include "marathon/effects.hpp"
#include "marathon/events.hpp"
#include "marathon/policy.hpp"
#include "marathon/state.hpp"

namespace marathon {

/// What /v2/info and its like say about this process: fixed at start.
struct Identity {
  std::string leader;           // "host:port" that clients reach
  std::string version;
  std::string marathon_config;  // JSON objects
  std::string zookeeper_config = "{}";
  std::string http_config = "{}";
};

class Core {
 public:
  Core(Policy policy, Identity identity, base::Random random);

  /// The first event is Recovered.
  void on(const Event& event, base::Now now, Effects& out);

  const State& state() const { return state_; }
  const Policy& policy() const { return policy_; }
  void set_identity(Identity identity) { identity_ = std::move(identity); }

 private:
  Policy policy_;
  Identity identity_;
  base::Random random_;
  State state_;
};

/// Fills the state from stored records; bad ones are reported and set aside.
void recover(Turn& turn, const Recovered& stored);

/// An event of the master.
void on_master_event(Turn& turn, const mesos::v1::scheduler::Event& event);

/// The answer to GET /ping, of whoever runs, leading or not.
base::http::Response answer_ping(const base::http::Request& request);

/// Answers a request, now or when what it changes is durable.
void on_request(Turn& turn, const Identity& identity, const HttpRequested& event);

}  // namespace marathon
