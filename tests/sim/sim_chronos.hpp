#pragma once

// The scheduler's real core and the real protocol of its client on the simulated network: what
// chronos/shell.cpp and kernel/client/scheduler.cpp do with sockets, done here with virtual
// streams.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "chronos/core.hpp"
#include "tests/sim/sim_client.hpp"

namespace sim {

class SimChronos : public Process {
 public:
  SimChronos(Context& context, std::string process_name, SimMaster& master,
              chronos::Policy policy);

  bool up() const { return core_ != nullptr && !dead_; }
  const chronos::Core& core() const { return *core_; }

  const std::map<std::string, std::string>& disk_contents() const { return disk_.durable(); }

  /// One request; `answered` runs at most once, and never when the process dies before.
  void request(base::http::Request request,
               std::function<void(const base::http::Response&)> answered);

  /// Reads at once; only for requests that change nothing.
  base::http::Response get(const std::string& target);

  /// Sets the wall clock that this process sees. `noticed`: the kernel tells it at once.
  void set_clock(base::Duration offset, bool noticed);
  base::Now clock() const;

  /// Called when the stored records have been read.
  std::function<void()> after_boot;

 protected:
  void on_boot() override;
  void on_crash() override;

 private:
  void dispatch(chronos::Event event);
  void perform(chronos::Effect& effect);
  void set_timer(const chronos::SetTimer& timer);

  chronos::Policy policy_;
  std::unique_ptr<chronos::Core> core_;
  SimClient client_;
  std::deque<chronos::Event> events_;
  bool busy_ = false, dead_ = false;
  std::map<chronos::TimerName, uint64_t> timers_;  // to the generation that is valid
  std::map<chronos::CallId, std::function<void(const base::http::Response&)>> calls_;
  uint64_t next_ = 1;
  base::Duration clock_offset_{0};
};

}  // namespace sim
