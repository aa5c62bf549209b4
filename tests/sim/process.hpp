#pragma once

// A daemon of the simulated cluster: a node whose core is made anew at each boot and thrown away at
// each crash. What survives is its disk.

#include <functional>
#include <string>

#include "tests/sim/disk.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/world.hpp"

namespace sim {

/// Process faults of one run.
struct CrashFaults {
  double per_effect = 0;                          // crash before performing an effect
  base::Duration restart_max = base::seconds(2);  // the supervisor's time
};

/// What every part of one run shares.
struct Context {
  World& world;
  Network& network;
  CrashFaults crashes{};
  bool faults_on = true;
};

class Process : public Node {
 public:
  Process(Context& context, std::string process_name)
      : context_(context), disk_(context.world, *this, {}) {
    name = std::move(process_name);
  }
  virtual ~Process() = default;

  void boot() {
    if (alive) return;
    alive = true;
    frozen_until = {};
    context_.world.trace(name, "boots");
    if (before_boot) before_boot();
    on_boot();
  }

  /// kill -9: everything but the disk is gone; the supervisor boots it again.
  void crash() {
    if (!alive) return;
    context_.world.trace(name, "crashes");
    ++crashes_;
    alive = false;
    ++epoch;
    disk_.node_crashed();
    context_.network.node_crashed(*this);
    if (before_crash) before_crash();
    on_crash();
    context_.world.after(context_.world.random().jitter(context_.crashes.restart_max),
                         [this] { boot(); });
  }

  Disk& disk() { return disk_; }
  uint64_t crashes() const { return crashes_; }

  // What stands beside the core, such as a session with ZooKeeper.
  std::function<void()> before_boot, before_crash;

  double crash_factor = 1;  // of this process beside the run's chance to crash before an effect

 protected:
  virtual void on_boot() = 0;
  virtual void on_crash() = 0;

  /// Before each effect: true when the process has died here.
  bool crash_point() {
    if (!context_.faults_on || context_.crashes.per_effect <= 0) return false;
    if (!context_.world.random().chance(context_.crashes.per_effect * crash_factor)) return false;
    // Later, when the call stack has left the core; nothing more happens to this epoch.
    const uint64_t now_epoch = epoch;
    context_.world.after(base::Duration::zero(), [this, now_epoch] {
      if (epoch == now_epoch) crash();
    });
    return true;
  }

  Context& context_;
  Disk disk_;

 private:
  uint64_t crashes_ = 0;
};

}  // namespace sim
