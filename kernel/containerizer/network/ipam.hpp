#pragma once

// Addresses out of ranges, leased by files, in the way and the format of the plugin host-local: an operator may go from
// one to the other with containers running. Blocks; safe among threads and processes (flock).

#include <array>
#include <string>
#include <vector>

#include "kernel/containerizer/types.hpp"

namespace containerizer::network {

/// Where networks keep their leases that name no directory.
constexpr const char* kLeaseDirectory = "/var/lib/cni/networks";

/// An address as bytes, IPv4 in the first four.
struct IpAddress {
  bool v6 = false;
  std::array<uint8_t, 16> bytes{};
  auto operator<=>(const IpAddress&) const = default;
  size_t size() const { return v6 ? 16 : 4; }
  IpAddress next() const;
  std::string text() const;
  static Result<IpAddress> parse(const std::string& text);
};

struct Subnet {
  IpAddress network;
  unsigned prefix = 0;
  bool contains(const IpAddress& address) const;
  IpAddress last() const;  // the broadcast address of an IPv4 network
  std::string text() const;
  /// "10.1.0.0/16"; bits behind the prefix must be 0.
  static Result<Subnet> parse(const std::string& text);
};

struct Range {
  Subnet subnet;
  IpAddress first, last, gateway;
};

struct IpamConfig {
  std::string directory;                   // of this network's leases
  std::vector<std::vector<Range>> sets{};  // one address of each
};

struct Lease {
  IpAddress address;
  Range range;
};

/// Which of `wanted` lie in a range are taken from it, the others are errors. Nothing is held after an error.
Result<std::vector<Lease>> lease_addresses(const IpamConfig& config, const std::string& container,
                                           const std::string& interface, const std::vector<IpAddress>& wanted);

/// A lease as its file has it.
struct HeldLease {
  std::string path, container, interface;
};

/// Those in a directory of leases; one that is missing has none.
std::vector<HeldLease> list_leases(const std::string& directory);

/// All leases of the interface; none is success.
Status release_addresses(const std::string& directory, const std::string& container, const std::string& interface);

}  // namespace containerizer::network
