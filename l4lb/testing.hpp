#pragma once

// A cluster of cores on a virtual network: loss, delay, partitions, deaths. From a seed; the same seed, the same run.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "l4lb/core.hpp"

namespace l4lb::testing {

struct WorldOptions {
  uint64_t seed = 1;
  size_t nodes = 3;
  Policy policy{};
  double loss = 0;
  base::Duration delay = base::milliseconds(1);        // least
  base::Duration jitter = base::microseconds(200);     // on top, at random
  base::Duration store_delay = base::milliseconds(2);  // of a commit
  size_t seeds = 3;                                    // of the nodes are known to all at the start
};

/// A task with one named service on one port.
Task make_task(const std::string& id, const std::string& vip, uint64_t port, const std::string& state = "TASK_RUNNING");

class World {
 public:
  explicit World(WorldOptions options);
  ~World();

  base::Instant now() const { return now_; }
  size_t size() const { return nodes_.size(); }

  /// Runs virtual time on.
  void run_for(base::Duration duration);
  /// Until `condition` holds, looked at every so often; false when `limit` has passed.
  bool run_until(const std::function<bool()>& condition, base::Duration limit, base::Duration every = {});

  void start(size_t node);  // again after stop(): with what its store has
  void stop(size_t node);   // kill -9
  bool running(size_t node) const { return nodes_[node].core != nullptr; }
  void set_loss(double loss) { options_.loss = loss; }
  /// Datagrams between nodes of different groups are lost; empty: no partition.
  void partition(std::vector<int> group_of_node) { groups_ = std::move(group_of_node); }
  /// This node works through what it gets only so late.
  void set_lag(size_t node, base::Duration lag) { nodes_[node].lag = lag; }
  void fail_store(size_t node, bool fail) { nodes_[node].store_fails = fail; }

  void tell(size_t node, Event event);
  Core& core(size_t node) { return *nodes_[node].core; }
  Address ip(size_t node) const;
  static std::string agent(size_t) { return "agent"; }

  /// What the node has told its kernel.
  const std::map<ServiceKey, ServiceChange>& programmed(size_t node) const { return nodes_[node].kernel; }

  /// Every running node knows all running ones and no dead one as reachable.
  bool membership_is_true() const;
  /// Every running node holds the same entries, addresses and services; what differs, in words.
  std::string difference() const;

  uint64_t datagrams() const { return datagrams_; }
  uint64_t bytes() const { return bytes_; }
  uint64_t events() const { return events_; }
  uint64_t hash() const { return hash_; }
  uint64_t counted(const std::string& metric) const;
  /// Deaths of nodes that ran and could be reached at that moment.
  const std::vector<std::string>& false_deaths() const { return false_deaths_; }

 private:
  struct Node {
    std::unique_ptr<Core> core;
    std::map<std::string, std::string> store;
    std::map<ServiceKey, ServiceChange> kernel;
    uint64_t generation = 0, wake_number = 0;
    base::Duration lag{};
    bool store_fails = false;
    uint32_t life = 0;
    std::set<NodeId> seen_reachable;
  };
  struct Item {
    base::Instant at;
    uint64_t order;
    size_t node;
    uint64_t generation;
    uint64_t wake_number;  // of a timer; 0: something else
    std::shared_ptr<Event> event;
    bool operator<(const Item& other) const { return std::tie(at, order) > std::tie(other.at, other.order); }
  };
  void push(base::Instant at, size_t node, Event event, uint64_t wake_number = 0);
  bool step();
  void perform(size_t node, Effects& effects);
  void send(size_t from, const Send& send);
  size_t node_of(const Endpoint& endpoint) const;

  WorldOptions options_;
  base::Random random_;
  base::Instant now_{base::seconds(1)};
  std::vector<Node> nodes_;
  std::vector<int> groups_;
  std::priority_queue<Item> queue_;
  uint64_t order_ = 0, datagrams_ = 0, bytes_ = 0, events_ = 0, hash_ = 14695981039346656037U;
  std::map<std::string, uint64_t> counters_;
  std::vector<std::string> false_deaths_;
};

}  // namespace l4lb::testing
