#pragma once

// The load balancer of one machine as a deterministic state machine: on(event, now, out), and nothing else. Not
// thread-safe; owned by the shell, or by the simulator.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "l4lb/effects.hpp"
#include "l4lb/events.hpp"
#include "l4lb/health.hpp"
#include "l4lb/names.hpp"
#include "l4lb/rumours.hpp"
#include "l4lb/swim.hpp"

namespace l4lb {

struct Policy {
  SwimOptions swim;
  NameRange names;
  std::vector<std::string> agents;                 // whose tasks must be known before old entries are given up
  base::Duration agents_wait = base::seconds(30);  // but no longer than this
  base::Duration gossip = base::milliseconds(50);
  int gossip_peers = 3;
  int eager_peers = 4;
  double retransmit = 2;                               // times log2 of the machines
  base::Duration compare = base::seconds(5);           // with a random other, whether both have the same
  base::Duration pull_after = base::milliseconds(30);  // what is missing
  size_t max_backends = 256;                           // of one service on one machine
  size_t max_services = 50'000;                        // of this machine
  base::Duration keep_tombstones = base::hours(1);
  size_t max_tombstones = 10'000;
};

class Core : private Swim::Out {
 public:
  Core(Policy policy, MemberInfo self, base::Random random);

  /// The first event is Recovered.
  void on(const Event& event, base::Instant now, Effects& out);

  const Swim& swim() const { return swim_; }
  const Replica& replica() const { return replica_; }
  const Names& names() const { return names_; }
  NodeId id() const { return swim_.self().id; }

  /// What is known of a service and why each backend is used or not.
  std::vector<Candidate> candidates(const VipId& vip, base::Instant now) const;
  /// The addresses under which it is served: of the families that it has backends of.
  std::vector<Address> addresses(const VipId& vip) const;
  /// Why the service is not served; empty when it is.
  std::string obstacle(const VipId& vip) const;
  std::vector<VipId> find(std::string_view text) const;

  std::vector<Record> records() const;
  size_t local_tasks() const { return tasks_.size(); }
  size_t local_running() const;
  const Rumours& rumours() const { return rumours_; }

 private:
  using TaskKey = std::pair<std::string, std::pair<std::string, std::string>>;  // agent, (framework, id)
  struct LocalTask {
    Services services;
    bool running = false;
  };
  struct Missing {
    base::Instant at{};
    Endpoint peer;
    int tries = 0;
  };

  void handle(const Recovered& event);
  void handle(const Persisted& event);
  void handle(const AgentSnapshot& event);
  void handle(const TaskChanged& event);
  void handle(const TaskRemoved& event);
  void handle(const DatagramReceived& event);
  void handle(const BackendsFailed& event);
  void handle(const LeaveAsked& event);
  void handle(const TimerFired& event);

  // core_local.cpp: this machine's tasks and entries
  void set_task(const std::string& agent, const Task& task);
  void drop_task(const TaskKey& key);
  Entry wanted(const VipId& vip) const;
  void write_own();
  void expire_tombstones();
  bool agents_known() const;

  // core_gossip.cpp
  void on_frame(const Endpoint& from, NodeId sender, const Frame& frame);
  void on_chunk(const Endpoint& from, const Chunk& chunk);
  void on_digest(const Endpoint& from, const Digest& digest);
  void on_owners(const Endpoint& from, const Owners& owners);
  void answer_pull(const Endpoint& to, NodeId owner, uint64_t since, uint64_t cleared);
  void send_digest(const Endpoint& to);
  void gossip_now(int peers);
  void pull_missing();
  int retransmits() const;
  void flush();

  // Swim::Out
  void send(const Endpoint& to, Frame frame) override;
  void rumour(const MemberInfo& member) override;
  void reachable(NodeId id, bool now) override;
  void joined(const Endpoint& peer) override;
  void count(const char* metric) override;

  void settle();
  void publish(const VipId& vip);
  void publish_records(const std::set<std::string>& hosts);
  void touch_host(const std::string& host);
  void set_wake();
  void trace(Trace::Level level, std::string text);

  Policy policy_;
  base::Random random_;
  Swim swim_;
  Replica replica_;
  Names names_;
  Rumours rumours_;
  FailureMarks marks_;
  base::Instant now_{};
  Effects* out_ = nullptr;

  std::map<TaskKey, LocalTask> tasks_;
  std::map<VipId, std::map<TaskKey, std::vector<const Service*>>> local_;
  std::set<std::string> agents_seen_;
  std::set<VipId> unwritten_;
  std::vector<Entry> writing_;
  uint64_t ticket_ = 0;
  bool recovered_entries_ = false;
  base::Instant started_{}, retry_write_{};
  bool started_set_ = false;
  std::map<uint64_t, base::Instant> tombstone_ages_;

  std::set<VipId> dirty_;
  std::map<VipId, std::vector<ServiceChange>> programmed_;
  std::map<std::string, std::vector<Record>> published_;

  std::map<Endpoint, std::vector<std::string>> outbox_;  // datagrams under construction
  std::vector<Endpoint> outbox_order_;
  std::map<NodeId, Missing> missing_;
  base::Instant next_gossip_{}, next_compare_{}, next_tidy_{};
  bool eager_due_ = false;
  base::Instant eager_at_{};
};

}  // namespace l4lb
