#pragma once

// An operator who uses every call of the master's API that changes something, two at a time, and makes everything usable
// again in the end.

#include <map>
#include <set>
#include <string>

#include "tests/sim/master_checkers.hpp"
#include "tests/sim/sim_master.hpp"

namespace sim {

struct OperatorHabits {
  std::vector<std::string> roles{};  // that weights, quotas and reservations are for
  bool weights = false, quotas = false, reservations = false, deactivation = false, draining = false, maintenance = false,
       gone = false;
  unsigned agents_kept = 1;  // never marked gone
};

class SimOperator {
 public:
  SimOperator(World& world, SimMaster& master, PromiseChecker& promises, OperatorHabits habits);

  /// One random call, when fewer than two wait for their answers.
  void act();

  /// Takes back what keeps agents or roles from being used. True when nothing is left to be taken back.
  bool mend();

  /// Answers that never came from a process that lives.
  size_t waiting() const { return busy_.size(); }
  uint64_t calls() const { return calls_; }

 private:
  using Call = mesos::v1::master::Call;

  void send(Call call, const std::string& key, const std::string& value);
  bool free(const std::string& key) const { return !busy_.count(key); }
  void change_weight();
  void change_quota();
  void change_resources();
  void change_activation(const std::string& agent, bool drain);
  void mark_gone(const std::string& agent);
  void change_schedule();
  void take_down(const std::string& agent);
  void bring_up(const mesos::v1::MachineID& machine);
  const std::string* choose_agent();
  const std::string* choose_here_or_away();

  World& world_;
  SimMaster& master_;
  PromiseChecker& promises_;
  OperatorHabits habits_;
  std::map<std::string, uint64_t> busy_;  // keys whose call waits for its answer, to the master's crashes then
  std::string chosen_;
  std::set<std::string> drained_for_good_;
  uint64_t next_volume_ = 0, calls_ = 0;
};

}  // namespace sim
