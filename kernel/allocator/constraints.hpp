#pragma once

// Offer constraints: which agents a framework wants to see at all, by attribute, hostname, region or zone. Compiled once
// when the framework subscribes; evaluating them reads only the agent's description.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/resources/attributes.hpp"

namespace mesos::v1::scheduler {
class OfferConstraints;
}

namespace allocator {

using resources::Attribute;

/// What constraints look at.
struct AgentView {
  const std::string& hostname;
  const std::vector<Attribute>& attributes;
  const std::optional<std::string>& region;
  const std::optional<std::string>& zone;
};

class OfferConstraints {
 public:
  /// What a regular expression may cost.
  struct Limits {
    int64_t memory_bytes = 4096;
    int program_size = 100;
  };

  /// Errors name what is wrong: an unknown selector or predicate, a role without groups, a regular expression that does
  /// not compile or is too large.
  static base::Result<std::shared_ptr<const OfferConstraints>> compile(
      const mesos::v1::scheduler::OfferConstraints& constraints, const Limits& limits);

  ~OfferConstraints();

  /// Roles that have constraints, sorted.
  std::vector<std::string> roles() const;

  /// The agent may be offered to the role.
  bool admits(const std::string& role, const AgentView& agent) const;

 private:
  struct Role;
  OfferConstraints();
  std::map<std::string, std::unique_ptr<Role>> roles_;
};

}  // namespace allocator
