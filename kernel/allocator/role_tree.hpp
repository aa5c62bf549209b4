#pragma once

// The tree of roles with the frameworks in them, kept in the order in which they are to be asked. A role's share is that
// of its whole subtree; frameworks directly in a role that also has children stand beside the children as one more child.
// Order: share / weight, then number of past allocations, then name.
//
// Amounts change at once; the order is mended by refresh(), so that a walk over it is not disturbed.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.hpp"
#include "kernel/allocator/allocator.hpp"
#include "kernel/allocator/amounts.hpp"

namespace allocator {

struct Framework;
struct Role;

/// A framework in a role.
struct Client {
  Framework* framework = nullptr;
  Role* role = nullptr;
  uint32_t index = 0;  // dense, reused
  bool subscribed = false;
  bool suppressed = false;
  bool active = false;     // stands in the role's order
  bool dirty = false;      // may want agents that it was not asked for
  bool stale = false;      // its amounts changed since its place in the order was decided
  size_t holdings = 0;     // entries held on agents
  size_t filters = 0;
  Amounts allocated;
  double share = 0;
  uint64_t count = 0;      // offers so far
  uint64_t new_count = 0;  // as above, not yet in the order
  const std::vector<ResourceQuantities>* minimum = nullptr;  // replaces the default when set
};

struct ClientEntry {
  double share;
  uint64_t count;
  Client* client;
};

struct RoleEntry {
  double share;
  uint64_t count;
  Role* role;  // the parent itself for its own frameworks
  bool self;
};

struct Role {
  std::string path;
  resources::Name name;
  Role* parent = nullptr;
  size_t children = 0;
  double weight = 1;
  bool weight_set = false;
  bool hierarchical = false;  // the path has a slash

  std::vector<std::unique_ptr<Client>> clients;
  std::vector<ClientEntry> order;        // active clients
  std::vector<RoleEntry> child_order;    // active children (and itself) that may take unreserved resources
  std::vector<RoleEntry> parked;         // active children at their limit
  size_t active_below = 0;               // active clients of the subtree
  bool is_parked = false;

  Amounts allocated;      // subtree
  Amounts own_allocated;  // own clients
  double share = 0, own_share = 0;
  uint64_t count = 0, own_count = 0;
  uint64_t new_count = 0, new_own_count = 0;

  // Quota.
  std::optional<Quota> quota;
  std::vector<std::pair<size_t, Scalar>> guarantees, limits;
  Amounts unmet;                 // of a top-level role: what required() counts for it
  bool unmet_stale = false;
  size_t quota_below = 0;        // roles with quota in the subtree, itself included
  size_t limits_above = 0;       // roles with limits among itself and its ancestors
  Amounts consumed;              // subtree: reservations, plus unreserved and not revocable allocations
  size_t reservations = 0;       // reserved entries on agents, for this very role
};

class RoleTree {
 public:
  RoleTree(ScalarNames& names, const Options& options);

  Role& root() { return root_; }
  const Role& root() const { return root_; }
  Role& ensure(std::string_view path);
  Role* find(std::string_view path);
  const Role* find(std::string_view path) const;

  /// Removes the role and its ancestors as far as nothing refers to them.
  void prune(Role& role);

  const std::map<std::string, std::unique_ptr<Role>, std::less<>>& roles() const { return roles_; }

  // Membership in the order.
  void activate(Client& client);
  void deactivate(Client& client);

  /// Takes the client out of its role; the role goes too when nothing else refers to it.
  void remove(Client& client);

  // Amounts of a client and its role's chain.
  void allocated(Client& client, const Amounts& amounts, bool counts);
  void released(Client& client, const Amounts& amounts);
  void consume(Role& role, const Amounts& amounts);
  void unconsume(Role& role, const Amounts& amounts);

  /// To be called after the role's limits changed.
  void count_limits(Role& role);

  void total_changed() { resort_ = true; }
  Amounts& total() { return total_; }
  const Amounts& total() const { return total_; }

  /// Brings the order up to date with the amounts. Not during a walk.
  void refresh();

  /// Everything anew (weights, quota or totals changed); happens in the next refresh().
  void resort() { resort_ = true; }

  /// `a` is asked before `b`; both are active and refresh() has been done.
  static bool before(const Client& a, const Client& b);
  static bool before(const Role& a, const Role& b);

  double share_of(const Amounts& amounts) const;

  /// The least that is left below the limits of the role and its ancestors; absent = unbounded.
  static std::optional<Scalar> limit_left(const Role& role, size_t name);

  /// The role cannot take any unreserved resources that reach one of the default minima.
  bool at_limit(const Role& role) const;

  /// What the subtree still lacks to its guarantees.
  Amounts unmet(const Role& role) const;

  /// The sum of unmet() over the top-level roles, kept up to date cheaply.
  const Amounts& required();

  /// Before the role's quota changes: its top-level role must be looked at again.
  void quota_changes(Role& role);

  /// Roles in subtrees that lack something, in the order of their paths.
  template <class Visit>
  void for_each_below_unmet(const Visit& visit) {
    required();
    for (const auto& [path, top] : unmet_tops_) {
      visit(*top);
      if (top->children == 0) continue;
      const std::string prefix = path + "/";
      for (auto at = roles_.lower_bound(prefix); at != roles_.end() && at->first.starts_with(prefix); ++at) {
        visit(*at->second);
      }
    }
  }

 private:
  void insert(Role& parent, const RoleEntry& entry, bool parked);
  void erase(Role& parent, const RoleEntry& entry, bool parked);
  void place(Client& client);
  void place(Role& role);
  void resort_all();

  ScalarNames& names_;
  const Options& options_;
  Role root_;
  std::map<std::string, std::unique_ptr<Role>, std::less<>> roles_;
  Amounts total_;
  std::vector<bool> excluded_;
  std::vector<Client*> stale_;
  bool resort_ = false;
  Amounts required_;
  std::vector<Role*> stale_tops_;            // top-level roles whose `unmet` must be worked out again
  std::map<std::string, Role*> unmet_tops_;  // those that lack something
};

}  // namespace allocator
