#pragma once

// Who gets which offer: weighted dominant resource fairness over a tree of roles, with filters, suppression, quota and
// minimum offers. A deterministic class: no clock, no randomness but the generator handed in, no I/O, single-threaded.
//
// The owner (the master's core) reports every change by one of the calls below and then calls allocate() once per turn.
// allocate() looks only at what changed since its last run: agents that gained resources, frameworks and roles that
// became hungry. A run without changes costs nothing; there is no batch interval to wait for.
//
// Frameworks, agents and roles are named by their strings; the class keeps dense numbers inside. Calls about a framework
// or an agent that is not known have no effect: such races are normal between a master and its clients.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "kernel/allocator/constraints.hpp"
#include "kernel/resources/operations.hpp"
#include "kernel/resources/quantities.hpp"
#include "kernel/resources/resources.hpp"

namespace allocator {

using resources::ResourceLimits;
using resources::ResourceQuantities;
using resources::Resources;

struct Options {
  enum class Sorter { Drf, Random };

  /// Order of roles, and of frameworks in a role.
  Sorter role_sorter = Sorter::Drf;
  Sorter framework_sorter = Sorter::Drf;

  /// A filter asked for lives at least this long, as with the original's batch interval.
  base::Duration allocation_interval = base::seconds(1);

  /// An offer must reach one of these; empty = anything will do. The default is cpus:0.01|mem:32.
  std::vector<ResourceQuantities> min_allocatable = default_min_allocatable();

  /// Agents with gpus are offered to frameworks with the capability only.
  bool filter_gpu_resources = true;

  /// Resource names that do not count towards shares.
  std::set<std::string> fair_sharing_excluded;

  /// Only these hostnames are offered; absent = all.
  std::optional<std::set<std::string>> whitelist;

  /// Region of the master: agents of other regions are offered to region-aware frameworks only.
  std::optional<std::string> region;

  static std::vector<ResourceQuantities> default_min_allocatable();
};

/// What a framework can understand (FrameworkInfo.capabilities).
struct FrameworkCapabilities {
  bool revocable_resources = false;
  bool gpu_resources = false;
  bool shared_resources = false;
  bool multi_role = false;
  bool reservation_refinement = false;
  bool region_aware = false;
  bool operator==(const FrameworkCapabilities&) const = default;
};

struct AgentCapabilities {
  bool multi_role = true;
  bool hierarchical_role = true;
  bool reservation_refinement = true;
  bool operator==(const AgentCapabilities&) const = default;
};

struct FrameworkConfig {
  std::set<std::string> roles;
  std::set<std::string> suppressed_roles;
  FrameworkCapabilities capabilities;

  /// FrameworkInfo.offer_filters: role -> alternatives that replace Options::min_allocatable; an empty list means
  /// anything will do.
  std::map<std::string, std::vector<ResourceQuantities>> min_allocatable;

  /// Null = no constraints.
  std::shared_ptr<const OfferConstraints> constraints;
};

struct AgentConfig {
  std::string hostname;
  std::vector<Attribute> attributes;
  std::optional<std::string> region;
  std::optional<std::string> zone;
  AgentCapabilities capabilities;
};

struct Quota {
  ResourceQuantities guarantees;
  ResourceLimits limits;
  bool operator==(const Quota&) const = default;
};

/// An offer to make. Its resources are allocated to `role` and already count as used by `framework`.
struct Offer {
  std::string framework;
  std::string role;
  std::string agent;
  Resources resources;
};

// What explain() answers ------------------------------------------------------------------------------------------

struct FilterExplanation {
  std::string agent;
  Resources refused;
  base::Instant expires;
};

struct RoleExplanation {
  std::string role;
  double share = 0;             // of the framework in the role, dominant resource, unweighted
  double role_share = 0;        // of the role among its siblings, divided by its weight
  double weight = 1;
  bool suppressed = false;
  std::optional<Quota> quota{};  // the nearest one up the tree
  std::string quota_role;        // whose it is
  ResourceQuantities consumed_quota;
  size_t frameworks_before = 0; // how many (framework, role) pairs are asked first
  std::vector<FilterExplanation> filters;

  /// Reason -> agents excluded by it, e.g. "nothing available", "filtered", "below minimum", "constraints", "gpu",
  /// "region", "hierarchical role", "multi role", "deactivated", "whitelist", "quota", "agents are missing". Agents
  /// without a reason would be offered.
  std::map<std::string, std::vector<std::string>> excluded;
  std::vector<std::string> offerable;
};

struct Explanation {
  std::string framework;
  bool active = false;
  std::vector<RoleExplanation> roles;
};

/// One role as endpoints show it.
struct RoleState {
  std::string role;
  double weight = 1;
  bool weight_set = false;
  std::optional<Quota> quota;
  ResourceQuantities consumed_quota;  // reservations + unreserved allocation, of the subtree
  ResourceQuantities allocated;       // offered or in use, of the subtree, scalars
  double share = 0;                   // of the dominant resource, divided by the weight
  size_t filters = 0;                 // of the frameworks in exactly this role
  std::vector<std::string> frameworks;  // subscribed to exactly this role
};

class Allocator {
 public:
  Allocator(Options options, base::Random random);
  ~Allocator();
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;

  // Frameworks ----------------------------------------------------------------------------------------------------

  /// A framework subscribed. It may be known already by its use of agents' resources (add_agent).
  void add_framework(const std::string& framework, const FrameworkConfig& config, bool active = true);

  /// Replaces roles, suppressed roles, capabilities, minimum and constraints. Filters of a role end when it is no longer
  /// suppressed or no longer subscribed.
  void update_framework(const std::string& framework, const FrameworkConfig& config);

  /// Everything that the framework still holds becomes available.
  void remove_framework(const std::string& framework);

  void activate_framework(const std::string& framework);

  /// No offers until activated; filters end. What it holds stays held (the owner recovers outstanding offers).
  void deactivate_framework(const std::string& framework);

  /// Ends the filters of these roles and their suppression; no roles = all roles of the framework.
  void revive(const std::string& framework, const std::set<std::string>& roles = {});
  void suppress(const std::string& framework, const std::set<std::string>& roles = {});

  // Agents --------------------------------------------------------------------------------------------------------

  /// `total` without allocations; `used` by framework, each entry allocated to a role (entries without one count for
  /// "*"). Frameworks that are not known yet are remembered as inactive until add_framework.
  void add_agent(const std::string& agent, const AgentConfig& config, const Resources& total,
                 const std::map<std::string, Resources>& used);

  /// Absent = unchanged. A change of attributes ends the agent's filters. A smaller total may leave the agent
  /// overcommitted: then nothing is available until enough is recovered.
  void update_agent(const std::string& agent, const std::optional<AgentConfig>& config,
                    const std::optional<Resources>& total);
  void remove_agent(const std::string& agent);
  void activate_agent(const std::string& agent);
  void deactivate_agent(const std::string& agent);

  /// `resources` of the agent are found to be in use by the framework (a task reported by a re-registered agent).
  void add_used(const std::string& framework, const std::string& agent, const Resources& resources);

  void update_whitelist(const std::optional<std::set<std::string>>& hostnames);

  // Allocations ---------------------------------------------------------------------------------------------------

  /// The framework gives back what it was offered or used; entries are allocated to a role. What it does not hold is
  /// ignored. With a filter, the same resources of that agent or fewer are not offered to that framework and role again
  /// before it expires; a filter of zero is none.
  void recover_resources(const std::string& framework, const std::string& agent, const Resources& resources,
                         base::Instant now, std::optional<base::Duration> filter = std::nullopt);

  /// Operations of a framework on resources that it holds: `conversions`, of resources allocated to its role, change its
  /// allocation and the agent's total. All or nothing.
  base::Status update_allocation(const std::string& framework, const std::string& agent,
                                 const std::vector<resources::Conversion>& conversions);

  /// Operations of an operator on resources that nobody holds. All or nothing; Conflict when they are not available.
  base::Status update_available(const std::string& agent, const std::vector<resources::Conversion>& conversions);

  // Policy --------------------------------------------------------------------------------------------------------

  /// Weights are > 0; roles that are not named keep theirs. 1 is the default.
  void update_weights(const std::map<std::string, double>& weights);

  /// An empty quota removes it. Roles of any depth may have one; a limit bounds the role's whole subtree.
  base::Status set_quota(const std::string& role, const Quota& quota);

  /// While held, roles under a limit are offered nothing: what they use is not known as long as agents that run their
  /// tasks are missing. Everyone else is served.
  void hold_limited_roles(bool hold);

  // Running -------------------------------------------------------------------------------------------------------

  /// The offers that the changes since the last call allow, in the order in which they were decided.
  std::vector<Offer> allocate(base::Instant now);

  /// allocate() has something to look at.
  bool pending() const;

  /// When the next filter expires: call allocate() then.
  std::optional<base::Instant> next_wakeup() const;

  /// Makes the next allocate() look at everything.
  void touch_all();

  // Looking -------------------------------------------------------------------------------------------------------

  bool knows_agent(const std::string& agent) const;
  Resources total(const std::string& agent) const;
  Resources available(const std::string& agent) const;
  Resources allocated(const std::string& framework, const std::string& agent) const;  // with allocation roles
  ResourceQuantities total_quantities() const;
  std::optional<Explanation> explain(const std::string& framework, base::Instant now) const;

  /// Roles that exist: subscribed to, allocated, reserved, weighted or with quota, and their ancestors. Sorted.
  std::vector<RoleState> roles() const;

 private:
  struct Impl;
  friend class Run;
  std::unique_ptr<Impl> impl_;
};

}  // namespace allocator
