#pragma once

// The job scheduler's core as a daemon of the simulation, with a wall clock of its own that jumps.

#include <string>

#include "chronos/core.hpp"
#include "tests/sim/sim_daemon.hpp"

namespace sim {

struct ChronosParts {
  using Core = chronos::Core;
  using Event = chronos::Event;
  using Effect = chronos::Effect;
  using Effects = chronos::Effects;
  using CancelTimer = chronos::CancelTimer;
  using Exit = chronos::Exit;
  using HttpRequested = chronos::HttpRequested;
  using MasterEvent = chronos::MasterEvent;
  using MasterLost = chronos::MasterLost;
  using Persist = chronos::Persist;
  using Persisted = chronos::Persisted;
  using Recovered = chronos::Recovered;
  using Reply = chronos::Reply;
  using SendCall = chronos::SendCall;
  using SetTimer = chronos::SetTimer;
  using TimerFired = chronos::TimerFired;
  using Trace = chronos::Trace;
};

class SimChronos : public SimDaemon<ChronosParts> {
 public:
  SimChronos(Context& context, std::string process_name, SimMaster& master, chronos::Policy policy)
      : SimDaemon(context, std::move(process_name), master), policy_(std::move(policy)) {}

  /// Sets the wall clock that this process sees. `noticed`: the kernel tells it at once.
  void set_clock(base::Duration offset, bool noticed);
  base::Now clock() const override;

 protected:
  void on_boot() override;
  void perform_own(chronos::Effect& effect) override;

 private:
  chronos::Policy policy_;
  base::Duration clock_offset_{0};
};

}  // namespace sim
