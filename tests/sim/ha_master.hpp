#pragma once

// One of several masters: the real leadership and registry over the in-memory ZooKeeper around the real core. As the
// daemon does, it asks before each event whether it may still act, and ends when it may not.

#include <memory>

#include "kernel/master/leadership.hpp"
#include "tests/sim/sim_master.hpp"
#include "tests/sim/sim_zookeeper.hpp"

namespace sim {

class HaMaster : public SimMaster {
 public:
  HaMaster(Context& context, std::string process_name, master::Policy policy, SimZooKeeper& zookeeper);

  bool serves() const override { return acts() && core().state().recovered; }

  /// Leads, and its lease lasts.
  bool acts() const { return up() && leading_ && leadership_->may_act(); }

  /// A call of the operator API; the answer's status comes back unless the connection breaks.
  void operate(StreamId calls, const mesos::v1::master::Call& call, std::function<void(int)> answered);

  uint64_t elections() const { return elections_; }

  /// Called before each event that it handles, for checkers.
  std::function<void()> before_event;
  std::function<void()> on_recovered;

 protected:
  void on_boot() override;
  void on_crash() override;
  void handle(master::Event event) override;
  void persist(master::Persist& effect) override;

 private:
  void end(const std::string& why);

  SimZooKeeper& zookeeper_;
  std::unique_ptr<master::Leadership> leadership_;
  std::unique_ptr<base::Store> registry_;
  bool leading_ = false, told_recovered_ = false;
  uint64_t elections_ = 0;
};

}  // namespace sim
