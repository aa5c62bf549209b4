#pragma once

// An offer in the terms that placement needs, with the remainder counted down as instances are placed on it. Amounts
// are thousandths, so that 0.1 + 0.2 fits into 0.3.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "marathon/app.hpp"

namespace mesos::v1 {
class Attribute;
class Offer;
}

namespace marathon {

constexpr int64_t thousandths(double amount) {
  return static_cast<int64_t>(amount * 1000 + (amount < 0 ? -0.5 : 0.5));
}

struct ScalarPiece {
  std::string role;  // reserved for; "*": for anyone
  int64_t left = 0;
  int index = 0;     // in the offer's resources
};

struct PortPiece {
  std::string role;
  int first = 0, last = 0;
  int index = 0;
};

/// A disk that is not the root disk.
struct DiskPiece {
  std::string role;
  DiskType type = DiskType::Path;
  std::string root, profile;  // its path on the agent; the profile that it was made by, or empty
  int64_t left = 0;
  int index = 0;
};

struct Offer {
  std::string id, agent_id, hostname, region, zone;
  std::string role;  // that it was allocated to
  std::map<std::string, std::string> attributes;
  std::vector<ScalarPiece> cpus, mem, disk, gpus;  // reserved ones first
  std::vector<DiskPiece> disks;
  std::vector<PortPiece> ports;
  std::map<std::string, std::vector<int>> reserved;  // by reservation of ours: indexes of its resources
  std::optional<base::Time> unavailable_from, unavailable_until;
  std::shared_ptr<const mesos::v1::Offer> message;
};

/// The labels of a reservation for one of our instances.
inline constexpr std::string_view kFrameworkLabel = "marathon_framework_id";
inline constexpr std::string_view kTaskLabel = "marathon_task_id";

/// `framework`: whose reservations are ours; empty: nobody's.
Offer decode_offer(const mesos::v1::Offer& message, const std::string& framework = {});

/// An attribute's value as constraints compare it.
std::string attribute_text(const mesos::v1::Attribute& attribute);

/// The value of a constraint's field on an agent: its host name, fault domain or an attribute.
std::optional<std::string> field_value(const Offer& offer, const std::string& field);

}  // namespace marathon
