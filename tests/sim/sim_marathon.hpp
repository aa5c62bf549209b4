#pragma once

// marathon's core as a daemon of the simulation, with health probes that fail.

#include <set>
#include <string>

#include "marathon/core.hpp"
#include "tests/sim/sim_daemon.hpp"

namespace sim {

struct MarathonParts {
  using Core = marathon::Core;
  using Event = marathon::Event;
  using Effect = marathon::Effect;
  using Effects = marathon::Effects;
  using CancelTimer = marathon::CancelTimer;
  using Exit = marathon::Exit;
  using HttpRequested = marathon::HttpRequested;
  using MasterEvent = marathon::MasterEvent;
  using MasterLost = marathon::MasterLost;
  using Persist = marathon::Persist;
  using Persisted = marathon::Persisted;
  using Recovered = marathon::Recovered;
  using Reply = marathon::Reply;
  using SendCall = marathon::SendCall;
  using SetTimer = marathon::SetTimer;
  using TimerFired = marathon::TimerFired;
  using Trace = marathon::Trace;
};

class SimMarathon : public SimDaemon<MarathonParts> {
 public:
  SimMarathon(Context& context, std::string process_name, SimMaster& master, marathon::Policy policy)
      : SimDaemon(context, std::move(process_name), master), policy_(std::move(policy)) {}

  /// Tasks that the master has reported as unreachable or lost: replaced while they may still run.
  const std::set<std::string>& told_lost() const { return told_lost_; }

  double probes_fail = 0;  // of the health probes, while faults are on

 protected:
  void on_boot() override;
  void heard(const mesos::v1::TaskStatus& status) override;
  void perform_own(marathon::Effect& effect) override;

  /// The core, knowing nothing yet.
  void make_core();

  /// From here on it acts, on what is stored.
  void begin();

 private:
  void probe(const marathon::Probe& probe);

  marathon::Policy policy_;
  std::set<std::string> told_lost_;
};

}  // namespace sim
