#pragma once

// Who is there (pure): SWIM with Lifeguard. Each machine probes one other per period, asks some more to probe it when
// it does not answer, then suspects it aloud; the suspected one refutes, or is dead when the suspicion has run out. A
// machine that is slow itself notices by its own failures and becomes patient.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "l4lb/wire.hpp"

namespace l4lb {

struct SwimOptions {
  base::Duration period = base::milliseconds(500);
  base::Duration timeout = base::milliseconds(200);  // for a direct answer; then others are asked
  int indirect = 3;
  double suspicion = 2;      // periods per power of ten of machines: the least time to refute
  double suspicion_max = 4;  // times as long while nobody else agrees
  int confirmations = 3;     // that bring the time from the longest to the least
  double checkers = 6;       // so many machines of all look themselves when they hear a suspicion
  int max_health = 8;
  base::Duration retry_dead = base::seconds(2);  // looks whether a dead machine is back
  base::Duration join_retry = base::milliseconds(500);
  base::Duration forget = base::hours(24);
  size_t max_members = 20'000;
  std::vector<Endpoint> seeds;  // asked for the others at the start and while any is unknown
};

struct Member {
  MemberInfo info;
  base::Instant changed{};    // when the state was last changed
  std::set<NodeId> accusers;  // of the running suspicion
  base::Instant suspicion_began{};
  base::Instant suspicion_ends{};
  base::Instant next_notice{};
  bool reachable() const { return info.state == MemberState::Alive || info.state == MemberState::Suspect; }
};

class Swim {
 public:
  /// Where what it does goes to.
  class Out {
   public:
    virtual ~Out() = default;
    virtual void send(const Endpoint& to, Frame frame) = 0;
    virtual void rumour(const MemberInfo& member) = 0;  // tell everybody
    virtual void reachable(NodeId id, bool now) = 0;    // a machine came, or is gone
    virtual void joined(const Endpoint& peer) = 0;      // the first contact: exchange everything
    virtual void count(const char* metric) = 0;
  };

  Swim(SwimOptions options, MemberInfo self, base::Random& random);

  void on_frame(const Endpoint& from, NodeId sender, const Frame& frame, base::Instant now, Out& out);
  void on_time(base::Instant now, Out& out);
  base::Instant next_deadline() const;

  /// Tells everybody that this machine goes.
  void leave(Out& out);

  const MemberInfo& self() const { return self_; }
  const std::map<NodeId, Member>& members() const { return members_; }  // without this machine
  bool reachable(NodeId id) const;
  size_t alive() const { return alive_.size(); }  // others that are reachable
  int health() const { return health_; }
  uint64_t digest() const { return digest_; }  // over all members and their states

  /// Up to `count` different reachable machines.
  std::vector<const Member*> choose(size_t count, NodeId except = 0);

  /// A list of all members for `to`.
  void send_members(const Endpoint& to, Out& out) const;

 private:
  struct Probe {
    NodeId target = 0;
    Endpoint at;
    base::Instant ask_others{}, ends{};
    bool asked = false;
    bool extra = false;  // a look of its own at a suspected or dead machine: no consequence for our health
    bool told = false;   // ends without an answer and has had its consequence
    int nacks_due = 0, nacks = 0;
  };
  struct Relay {
    Endpoint origin;
    uint32_t sequence = 0;
    base::Instant nack_at{}, ends{};
    bool nacked = false;
  };

  void take(const MemberInfo& info, bool accuses, const Endpoint& from, base::Instant now, Out& out);
  void take_own(const MemberInfo& info, const Endpoint& from, Out& out);
  void set_state(Member& member, const MemberInfo& info, base::Instant now, Out& out);
  void add_member(const MemberInfo& info, base::Instant now, Out& out);
  void suspect(Member& member, const MemberInfo& info, base::Instant now, Out& out);
  void set_suspicion_end(Member& member);
  void declare_dead(Member& member, base::Instant now, Out& out);
  void probe(const Member& member, bool extra, base::Instant now, Out& out);
  void probe_next(base::Instant now, Out& out);
  void probe_failed(const Probe& probe, base::Instant now, Out& out);
  void acked(uint32_t sequence, base::Instant now, Out& out);
  void on_ping(const Endpoint& from, NodeId sender, const Ping& ping, base::Instant now, Out& out);
  void contact_seeds(base::Instant now, Out& out);
  void forget_old(base::Instant now);
  void set_health(int health);
  base::Duration scaled(base::Duration duration) const { return duration * (health_ + 1); }
  base::Duration suspicion_min() const;
  void count_in(const MemberInfo& info);
  void count_out(const MemberInfo& info);

  SwimOptions options_;
  MemberInfo self_;
  base::Random& random_;
  std::map<NodeId, Member> members_;
  std::vector<NodeId> alive_;  // reachable ones, unordered
  std::map<NodeId, size_t> alive_at_;
  std::set<NodeId> suspects_, dead_;
  std::map<Endpoint, NodeId> by_endpoint_;  // of reachable ones
  std::vector<NodeId> round_;               // still to probe in this round
  std::map<uint32_t, Probe> probes_;
  std::map<uint32_t, Relay> relays_;
  uint32_t next_sequence_ = 1;
  base::Instant next_probe_{}, next_join_{}, next_dead_{};
  int health_ = 0;
  uint64_t digest_ = 0;
  bool leaving_ = false;
};

}  // namespace l4lb
