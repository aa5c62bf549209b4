#pragma once

// The master's real core on the simulated network: what its shell does with sockets, done here with
// virtual streams.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "kernel/master/core.hpp"
#include "tests/sim/process.hpp"

namespace sim {

class SimMaster : public Process {
 public:
  SimMaster(Context& context, std::string process_name, master::Policy policy);

  /// An agent dials in. `from_master` gets each message on the agent's side; `closed` when the
  /// stream has ended there. Returns the stream, on which the agent sends by send_from_agent.
  StreamId dial_agent(Node& agent,
                      std::function<void(const dcos::internal::v1::MasterMessage&)> from_master,
                      std::function<void()> closed);
  void send_from_agent(StreamId stream, dcos::internal::v1::AgentMessage message);

  /// A scheduler's SUBSCRIBE. `on_event` and `closed` run on the scheduler's side. The stream id is
  /// known at once (the real one comes with the head of the answer).
  struct Subscription {
    StreamId stream = 0;
    std::string stream_id;
  };
  Subscription subscribe(Node& scheduler, const mesos::v1::scheduler::Call& call,
                         std::function<void(const mesos::v1::scheduler::Event&)> on_event,
                         std::function<void()> closed);

  /// Any other call of that scheduler, on the connection that carries its calls in order; the
  /// answer's status and text come back.
  void call(StreamId calls, const std::string& stream_id, const mesos::v1::scheduler::Call& call,
            std::function<void(int status, const std::string& text)> answered);
  StreamId dial_calls(Node& scheduler, std::function<void()> closed);

  /// An operator's call, here and now. The answer comes unless the process dies first.
  void operate(mesos::v1::master::Call call, std::function<void(int status, const std::string& text)> answered = {});

  /// Answers programs, rather than sending them elsewhere.
  virtual bool serves() const { return alive; }

  bool up() const { return core_ != nullptr; }
  const master::Core& core() const { return *core_; }

  /// Called after each handled event, for checkers.
  std::function<void()> after_event;

 protected:
  void on_boot() override;
  void on_crash() override;

  /// The core, knowing nothing yet.
  void make_core();
  virtual void handle(master::Event event);
  virtual void persist(master::Persist& effect);

  std::map<master::CallId, std::function<void(int, const std::string&)>> calls_;
  uint64_t next_ = 1;
  bool dead_ = false;  // a crash was decided between two effects

 private:
  void perform(master::Effect& effect);

  master::Policy policy_;
  std::unique_ptr<master::Core> core_;
  struct AgentLink {
    StreamId stream;
    std::function<void(const dcos::internal::v1::MasterMessage&)> deliver;
  };
  struct Connection {
    StreamId stream;
    std::function<void(const mesos::v1::scheduler::Event&)> deliver;
  };
  std::map<master::LinkId, AgentLink> links_;
  std::map<StreamId, master::LinkId> link_of_stream_;
  std::map<master::ConnectionId, Connection> connections_;
  std::map<master::TimerId, uint64_t> timers_;  // to the generation that is valid
};

/// Where a program finds the leading master; nothing: nowhere, for now.
using FindMaster = std::function<SimMaster*()>;


}  // namespace sim
