#pragma once

// What the allocator remembers. Internal to this folder.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernel/allocator/allocator.hpp"
#include "kernel/allocator/amounts.hpp"
#include "kernel/allocator/role_tree.hpp"

namespace allocator {

struct Framework {
  std::string id;
  FrameworkConfig config;
  bool known = false;   // false: seen only as a user of agents' resources
  bool active = false;
  std::map<std::string, Client*, std::less<>> clients;  // by role
};

/// Grows as needed; absent bits are false.
class Bits {
 public:
  bool test(size_t i) const { return i / 64 < words_.size() && (words_[i / 64] >> (i % 64) & 1) != 0; }
  void set(size_t i) {
    if (i / 64 >= words_.size()) words_.resize(i / 64 + 1);
    words_[i / 64] |= uint64_t{1} << (i % 64);
  }
  void reset(size_t i) {
    if (i / 64 < words_.size()) words_[i / 64] &= ~(uint64_t{1} << (i % 64));
  }
  void clear() { words_.clear(); }

 private:
  std::vector<uint64_t> words_;
};

struct Filter {
  uint64_t id;
  uint32_t client;
  base::Instant expires;
  std::shared_ptr<const Resources> refused;  // without allocation
};

struct Holding {
  Framework* framework;
  Resources resources;  // allocated to roles
};

struct Agent {
  std::string id;
  uint32_t index = 0;
  AgentConfig config;
  bool active = true;
  bool listed = true;   // by the whitelist
  bool remote = false;  // in another region than the master

  Resources total;      // without allocation
  Resources used;       // what all hold, without allocation
  Resources available;  // total - used; shared volumes are always available
  std::vector<Holding> holdings;
  Amounts total_scalars;
  Amounts free_scalars;  // available, unreserved, not revocable: the headroom
  bool gpus = false;     // has any
  bool plain = true;     // nothing reserved, shared or revocable is available: the same for every role
  bool shares = false;   // something shared is available

  std::vector<Filter> filters;  // sorted by client
  Bits filtered;                // clients that have a filter
  Bits refused;                 // ... which refuses all that is available now
  bool refused_known = false;   // `refused` was worked out since more became available
  bool dirty = false;
  Resources offered_shared;     // in this run
};

struct Expiry {
  base::Instant at;
  uint64_t filter;
  uint32_t agent;
  bool operator>(const Expiry& other) const {
    return other.at < at || (other.at == at && filter > other.filter);
  }
};

/// Why a client is not offered an agent.
enum class Verdict {
  Offer,
  Deactivated,
  Whitelist,
  NothingAvailable,
  BelowMinimum,
  Constraints,
  Gpu,
  Region,
  MultiRole,
  HierarchicalRole,
  Filtered,
  Quota,
  Recovering,
};

struct Allocator::Impl {
  Impl(Options given, base::Random generator);

  Options options;
  base::Random random;
  ScalarNames names;
  RoleTree tree;
  std::map<std::string, std::unique_ptr<Framework>, std::less<>> frameworks;
  std::unordered_map<std::string, uint32_t> agent_index;
  std::vector<std::unique_ptr<Agent>> agents;  // by index; null = free
  std::vector<uint32_t> free_agents;
  std::vector<Client*> clients;                // by index; null = free
  std::vector<uint32_t> free_clients;
  size_t minimum_overrides = 0;                // clients with a minimum of their own

  std::vector<uint32_t> dirty_agents;
  std::vector<uint32_t> dirty_clients;
  bool all_dirty = false;

  uint64_t next_filter = 1;
  size_t live_filters = 0;
  std::priority_queue<Expiry, std::vector<Expiry>, std::greater<>> expiries;

  Amounts free_total;           // headroom: sum of the agents' free_scalars
  size_t roles_with_quota = 0;
  bool hold_limited = false;  // roles under a limit wait for agents to return
  bool headroom_bound = false;  // the last run held something back
  Amounts required;             // during a run: what must stay free for guarantees (kept by RoleTree)
  Amounts surplus;              // during a run: free_total - required

  // frameworks.cpp
  Framework& ensure_framework(const std::string& id);
  Framework* find_framework(const std::string& id);
  Client& ensure_client(Framework& framework, const std::string& role);
  void remove_client(Client& client);
  void configure(Framework& framework, const FrameworkConfig& config);
  void settle(Client& client);  // activates or deactivates as its state says
  void touch(Client& client);

  // agents.cpp
  Agent* find_agent(const std::string& id);
  void touch(Agent& agent);
  void set_total(Agent& agent, Resources total);
  void recompute(Agent& agent);  // after used or total changed
  void available_changed(Agent& agent);
  void describe(Agent& agent);   // after the config changed
  Amounts scalars(const Resources& resources) ;
  Amounts free_part(const Resources& resources);
  void count_reservations(const Resources& total, bool add);

  // holdings.cpp
  Resources held(const Agent& agent, const Framework& framework) const;
  void hold(Agent& agent, Client& client, const Resources& allocated, bool counts = true);
  Resources release(Agent& agent, Framework& framework, const Resources& allocated);
  void quota_freed(Client& client);
  base::Status convert(Agent& agent, Framework& framework, const std::vector<resources::Conversion>& conversions);

  // filters.cpp
  void add_filter(Agent& agent, Client& client, Resources refused, base::Instant expires);
  void remove_filters(Client& client);
  void clear_filters(Agent& agent);
  void expire_filters(base::Instant now);
  void find_refused(Agent& agent);
  bool filter_refuses(Agent& agent, const Client& client, const Resources& offer) const;
  void forget_refused(const Client& client);

  // pass.cpp
  std::vector<Offer> run(base::Instant now);
  bool has_work() const { return all_dirty || !dirty_agents.empty() || !dirty_clients.empty(); }

  // consider.cpp
  enum class Stage { Guarantees, Surplus };
  bool reaches_minimum(const Resources& resources, const Client& client) const;
  bool reaches_default(const Resources& resources) const;
  Verdict consider(Agent& agent, const Client& client, Stage stage, Resources& offer);
  Verdict bound_by_quota(const Client& client, Stage stage, const Resources& available, Resources& offer);
  bool worth_asking(const Agent& agent, Stage stage);
  Amounts unmet_chain(const Role& role) const;
  void prepare_headroom();

  // explain.cpp
  std::optional<Explanation> explain(const std::string& id) const;
};

}  // namespace allocator
