#pragma once

// From replicated entries to what this machine forwards (pure).

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "l4lb/names.hpp"
#include "l4lb/types.hpp"

namespace l4lb {

/// A service as the kernel knows it.
struct ServiceKey {
  Address address;
  Protocol protocol = Protocol::Tcp;
  uint16_t port = 0;
  auto operator<=>(const ServiceKey&) const = default;
};

struct Target {
  Endpoint endpoint;
  uint32_t weight = 1;  // not 0
  auto operator<=>(const Target&) const = default;
};

/// `known` without targets: connections are refused at once.
struct ServiceChange {
  ServiceKey key;
  bool known = false;
  std::vector<Target> targets;     // sorted
  std::vector<Endpoint> draining;  // no new connections, but flows under way stay
  bool operator==(const ServiceChange&) const = default;
};

/// One backend of a service with everything that decides about it, for people (explain) and for the choice.
struct Candidate {
  Backend backend;
  Endpoint endpoint;  // as used on this machine
  NodeId owner = 0;
  bool reachable = true;  // its machine
  bool failed = false;    // connections from here were refused lately
  bool used = false;
  std::string why;  // it is not used
};

/// Marks who is used: not the ones on machines that are gone, unless all are; not the ones that refused connections,
/// unless all did; never those of weight 0.
void choose_backends(std::span<Candidate> candidates);

/// The service of one address family.
ServiceChange make_service(const ServiceKey& key, const std::vector<Candidate>& candidates);

}  // namespace l4lb
