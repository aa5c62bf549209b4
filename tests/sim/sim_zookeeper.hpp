#pragma once

// The in-memory ZooKeeper in the simulated world: sessions of processes end with them, a process that stands still or is
// cut off is silent to the servers.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/zk/elector.hpp"
#include "base/zk/fake.hpp"
#include "tests/sim/sim_master.hpp"

namespace sim {

class SimZooKeeper {
 public:
  explicit SimZooKeeper(Context& context);

  base::zk::Host host(Process& process);
  base::zk::FakeZooKeeper& fake() { return fake_; }

  /// Cut off for `duration`.
  void cut(const std::string& process, base::Duration duration);

  /// SIGSTOP, and SIGCONT after `duration`.
  void freeze(Process& process, base::Duration duration);

  void mend_all();

 private:
  base::zk::FakeZooKeeper::Place server_place();

  Context& context_;
  base::zk::FakeZooKeeper fake_;
  std::map<std::string, base::Instant> cut_until_;
};

/// Knows which master leads, as an agent or scheduler with --master=zk://... does.
class SimDetector {
 public:
  /// Lives and dies with `process`. `changed`: another master leads.
  SimDetector(SimZooKeeper& zookeeper, Process& process, std::vector<SimMaster*> masters,
              std::function<void()> changed);

  SimMaster* find() const { return leader_; }

 private:
  std::vector<SimMaster*> masters_;
  std::unique_ptr<base::zk::Elector> elector_;
  SimMaster* leader_ = nullptr;
};

}  // namespace sim
