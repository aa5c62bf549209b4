#pragma once

// The scheduler's real core and the real protocol of its client on the simulated network: what
// marathon/shell.cpp and kernel/client/scheduler.cpp do with sockets, done here with virtual
// streams.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "marathon/core.hpp"
#include "tests/sim/sim_client.hpp"

namespace sim {

class SimMarathon : public Process {
 public:
  SimMarathon(Context& context, std::string process_name, SimMaster& master,
              marathon::Policy policy);

  bool up() const { return core_ != nullptr && !dead_; }
  const marathon::Core& core() const { return *core_; }

  /// Answers requests: it is up, and of several the one that leads.
  virtual bool serves() const { return up(); }

  /// What a process that starts now would read.
  virtual std::map<std::string, std::string> stored() const { return disk_.durable(); }

  /// One request; `answered` runs at most once, and never when the process dies before.
  void request(base::http::Request request,
               std::function<void(const base::http::Response&)> answered);

  /// Reads at once; only for requests that change nothing.
  base::http::Response get(const std::string& target);

  /// Tasks that the master has reported as unreachable or lost: replaced while they may still run.
  const std::set<std::string>& told_lost() const { return told_lost_; }

  /// Called when the stored records have been read.
  std::function<void()> after_boot;

  /// Around each event, for checkers.
  std::function<void()> before_event;
  std::function<void(const marathon::Event& event)> after_event;

  double probes_fail = 0;  // of the health probes, while faults are on

 protected:
  void on_boot() override;
  void on_crash() override;

  /// The core, knowing nothing yet.
  void make_core();

  /// From here on it acts, on what is stored.
  void begin();

  void dispatch(marathon::Event event);

  /// Asked before each event and before anything is sent to the master.
  virtual bool may_act() const { return true; }
  virtual void persist(marathon::Persist& effect);

  /// Nothing more is done; the process ends when the call stack has left it, and its supervisor boots it again.
  void end(const std::string& why);

  bool dead_ = false;
  bool ended_ = false;  // of its own accord: it says goodbye

 private:
  void perform(marathon::Effect& effect);
  void set_timer(const marathon::SetTimer& timer);
  void probe(const marathon::Probe& probe);

  marathon::Policy policy_;
  std::unique_ptr<marathon::Core> core_;
  SimClient client_;
  std::deque<marathon::Event> events_;
  bool busy_ = false;
  std::map<marathon::TimerName, uint64_t> timers_;  // to the generation that is valid
  std::map<marathon::CallId, std::function<void(const base::http::Response&)>> calls_;
  uint64_t next_ = 1;
  std::set<std::string> told_lost_;
};

}  // namespace sim
