#pragma once

// An offer in the terms that placement needs, counted down as runs are placed on it. Amounts are thousandths, so that
// 0.1 + 0.2 fits into 0.3.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mesos::v1 {
class Offer;
}

namespace jobs {

enum class ConstraintOperator { Equals, Like, Unlike };

/// Where a run may be placed: by an attribute of the agent, its "hostname" (also "@hostname"), "@region" or "@zone".
struct Constraint {
  std::string attribute;
  ConstraintOperator op = ConstraintOperator::Equals;
  std::string value;
  bool operator==(const Constraint&) const = default;
};

struct ScalarPiece {
  bool reserved = false;
  int64_t left = 0;
  int index = 0;  // in the offer's resources
};

struct Offer {
  std::string id, agent_id, hostname;
  std::multimap<std::string, std::string> attributes;  // a set has one entry per item
  std::vector<ScalarPiece> cpus, mem, disk, gpus;       // reserved ones first
  std::shared_ptr<const mesos::v1::Offer> message;
};

/// Resources of an offer that a run gets: index in the offer, and thousandths.
using Placement = std::vector<std::pair<int, int64_t>>;

/// What a run asks for, in thousandths.
struct Demand {
  int64_t cpus = 0, mem = 0, disk = 0, gpus = 0;
  bool covers(const Demand& other) const {
    return cpus >= other.cpus && mem >= other.mem && disk >= other.disk && gpus >= other.gpus;
  }
};
Demand demand_of(double cpus, double mem, double disk, double gpus = 0);

Offer decode_offer(const mesos::v1::Offer& message);

/// Do the agent's attributes and name satisfy all of them?
bool satisfies(const Offer& offer, const std::vector<Constraint>& constraints);

/// Takes the resources out of `offer`, or leaves it alone: false.
bool take(Offer& offer, const Demand& demand, Placement& placement);

}  // namespace jobs
