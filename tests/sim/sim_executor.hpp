#pragma once

// The default executor's real core inside a simulated container of an agent. It outlives its agent and looks for it again, as
// the program does; what lies between them is a socket of one machine: nothing is lost but what was under way at a death.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "kernel/agent/effects.hpp"
#include "kernel/executor/group_executor.hpp"
#include "tests/sim/process.hpp"

namespace sim {

class SimExecutor : public std::enable_shared_from_this<SimExecutor> {
 public:
  /// What it sees of its agent and its container.
  struct Host {
    std::function<bool()> listens;     // the agent takes connections
    std::function<bool()> recovers;    // ... but answers 503 to everything
    std::function<agent::ConnectionId(SimExecutor&)> connect;
    std::function<void(agent::Event)> tell;
    std::function<void(int code)> quit;
    double probes_fail = 0;            // of the health probes, while faults are on
  };

  SimExecutor(Context& context, const containerizer::ContainerSpec& spec, Host host);

  void start() { subscribe(); }

  /// Its container is over.
  void end() { over_ = true; }

  /// The agent is gone, and every connection to it.
  void agent_died();

  void hear(agent::ConnectionId connection, const mesos::v1::executor::Event& event);
  void closed(agent::ConnectionId connection);
  void answer(agent::ConnectionId connection, int status, const std::string& text, const mesos::v1::agent::Response& response);

 private:
  using Answered = std::function<void(int status, const std::string& text, const mesos::v1::agent::Response& response)>;

  /// Runs `call` a little later unless it is over by then; calls of the same delay keep their order.
  void later(base::Duration delay, std::function<void()> call);
  void subscribe();
  void lost();
  void request(std::function<agent::Event(agent::ConnectionId)> make, Answered answered);
  void perform(executor::GroupEffects effects);
  void perform_one(executor::Say& effect);
  void perform_one(executor::Ask& effect);
  void perform_one(executor::SetTimerNamed& effect);
  void perform_one(executor::CancelTimerNamed& effect);
  void perform_one(executor::ProbeNetwork& effect);
  void perform_one(executor::LinkTask&) {}
  void perform_one(executor::Quit& effect);

  template <class Call>
  void tell_core(Call call) {
    executor::GroupEffects effects;
    call(effects);
    perform(std::move(effects));
  }

  Context& context_;
  Host host_;
  executor::GroupExecutor core_;
  std::map<std::string, uint64_t> timers_;  // to the generation that is valid
  std::map<agent::ConnectionId, Answered> requests_;
  agent::ConnectionId stream_ = 0;
  uint64_t next_ = 1;
  base::Instant lost_at_;
  base::Duration retry_;
  bool over_ = false;
};

}  // namespace sim
