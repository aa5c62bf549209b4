#pragma once

// What must hold of a master, worked out from its books by other means than its own: what it offers, what it keeps, and
// what it told an operator.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kernel/master/core.hpp"
#include "tests/sim/world.hpp"

namespace sim {

/// Each new offer: from an agent that is there and may be used, to a role of the framework that is not suppressed, nothing
/// that is reserved to others, and never beyond a quota's limit.
class OfferChecker {
 public:
  explicit OfferChecker(World& world) : world_(world) {}

  /// After each event of the master.
  void look(const master::Core& core);

  uint64_t offers() const { return offers_; }
  uint64_t limited() const { return limited_; }  // offers that a limit spoke about

 private:
  void check(const master::Core& core, const master::Offer& offer);
  using Newly = std::map<std::string, std::set<std::string>>;  // what was offered without reservation, by role
  void check_limits(const master::Core& core, const Newly& given);

  World& world_;
  std::string master_;
  uint64_t next_offer_ = 0, offers_ = 0, limited_ = 0;
};

/// Nothing that a master remembers grows beyond its policy.
void check_bounds(World& world, const master::Core& core);

/// Calls of an operator: what was acknowledged is there, whatever happened since; what was refused is not.
class PromiseChecker {
 public:
  explicit PromiseChecker(World& world) : world_(world) {}

  /// The operator asks for `value` of `key`. One call per key at a time.
  void asked(const std::string& key, const std::string& value);
  void told(const std::string& key, const std::string& value);
  void refused(const std::string& key, const std::string& value);

  /// Nothing is promised about it any more, or it may change by itself.
  void forget(const std::string& key) { possible_.erase(key); }

  /// What the master says; "" when it has nothing of that key.
  void observed(const std::string& key, const std::string& value);

  /// Compares everything that was asked for with what a recovered master has.
  void look(const master::Core& core);

  size_t told() const { return told_; }

 private:
  World& world_;
  std::map<std::string, std::set<std::string>> possible_;
  std::map<std::string, bool> new_;  // the last call asked for something that nobody had asked for before
  size_t told_ = 0;
};

// What PromiseChecker::look compares, as text.
std::string quota_text(const mesos::v1::quota::QuotaConfig& config);
std::string schedule_text(const mesos::v1::maintenance::Schedule& schedule);

/// "", "yes" when the agent is deactivated, "drain" when it is to drain or has drained; nothing when it is not known.
std::optional<std::string> activation_of(const master::State& state, const std::string& agent);

}  // namespace sim
