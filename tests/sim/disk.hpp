#pragma once

// The store of one node: batches become durable in order after a delay. A crash keeps a prefix of
// what was under way, chosen by the seed: a batch is wholly there or not at all, whether or not its
// owner was told.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "tests/sim/world.hpp"

namespace sim {

struct DiskFaults {
  base::Duration delay_max = base::milliseconds(10);
  double refuse = 0.0;  // a batch that the store refuses (full): nothing of it is written
};

class Disk {
 public:
  using Writes = std::vector<std::pair<std::string, std::optional<std::string>>>;

  Disk(World& world, Node& node, DiskFaults faults) : world_(world), node_(node), faults_(faults) {}

  void commit(Writes writes, std::function<void(base::Status)> done);
  void node_crashed();

  /// Another disk takes its place: nothing is on it. While the node is down.
  void wipe() { durable_.clear(); }

  void set_faults(DiskFaults faults) { faults_ = faults; }

  const std::map<std::string, std::string>& durable() const { return durable_; }

 private:
  void apply(const Writes& writes);

  World& world_;
  Node& node_;
  DiskFaults faults_;
  std::map<std::string, std::string> durable_;
  std::deque<std::pair<uint64_t, Writes>> pending_;
  uint64_t next_ = 0;
  base::Instant last_done_{};
};

}  // namespace sim
