#pragma once

// One of several schedulers: the real candidacy and store over the in-memory ZooKeeper around the real core. As the daemon
// does, it asks before each event whether it may still act, and ends when it may not.

#include <memory>

#include "base/ha/candidacy.hpp"
#include "tests/sim/sim_marathon.hpp"
#include "tests/sim/sim_zookeeper.hpp"

namespace sim {

class HaMarathon : public SimMarathon {
 public:
  HaMarathon(Context& context, std::string process_name, SimMaster& master, marathon::Policy policy,
             SimZooKeeper& zookeeper)
      : SimMarathon(context, std::move(process_name), master, std::move(policy)), zookeeper_(zookeeper) {}

  bool serves() const override { return up() && store_ && may_act(); }
  std::map<std::string, std::string> stored() const override;
  uint64_t elections() const { return elections_; }

 protected:
  void on_boot() override;
  void on_crash() override;
  bool may_act() const override { return candidacy_ && candidacy_->may_act(); }
  void persist(marathon::Persist& effect) override;

 private:
  SimZooKeeper& zookeeper_;
  std::unique_ptr<base::ha::Candidacy> candidacy_{};
  std::unique_ptr<base::Store> store_{};
  uint64_t elections_ = 0;
};

}  // namespace sim
