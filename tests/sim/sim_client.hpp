#pragma once

// What the client library does for a scheduler of the simulation: its real protocol, over the simulated network.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"
#include "kernel/client/protocol.hpp"
#include "tests/sim/sim_master.hpp"

namespace sim {

class SimClient {
 public:
  struct Callbacks {
    std::function<bool()> ended;    // the daemon hears nothing any more
    std::function<bool()> may_act;  // asked before anything is sent
    std::function<void(const client::DeliverEvent&)> delivered;
    std::function<void()> lost;
    std::function<void(const mesos::v1::TaskStatus&)> heard{};  // for checkers, before it is delivered
  };

  SimClient(Context& context, Process& owner, SimMaster& master, Callbacks callbacks)
      : context_(context), owner_(owner), master_(master), callbacks_(std::move(callbacks)) {}

  void start(const mesos::v1::FrameworkInfo& framework, base::Random random);

  /// The daemon has died.
  void stop();

  void send(const mesos::v1::scheduler::Call& call);

 private:
  void perform(client::Effects effects);
  void set_timer(base::Instant at);
  void open(const client::OpenStream& request);
  void close();
  void post(const client::PostCall& request);
  void posted(uint64_t id, int status, const std::string& text);
  void on_master_event(const mesos::v1::scheduler::Event& event);
  bool dead() const { return !protocol_ || callbacks_.ended(); }

  Context& context_;
  Process& owner_;
  SimMaster& master_;
  Callbacks callbacks_;
  std::unique_ptr<client::Protocol> protocol_;
  uint64_t timers_ = 0, timer_ = 0;  // how many were set; the one that is valid, 0: none
  StreamId stream_ = 0;
  std::string stream_id_;
  uint64_t stream_number_ = 0;  // what an earlier stream still has to say is not heard
  bool head_seen_ = false;
  std::map<uint64_t, StreamId> posts_;  // calls under way
};

}  // namespace sim
