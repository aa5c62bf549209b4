#pragma once

// Values of the load balancer: addresses, virtual services, backends.

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace l4lb {

/// An IPv4 or IPv6 address. The default one is "none" and equals no real address.
struct Address {
  uint8_t family = 0;               // 4, 6, or 0
  std::array<uint8_t, 16> bytes{};  // the first 4 for IPv4

  auto operator<=>(const Address&) const = default;
  bool v4() const { return family == 4; }
  bool v6() const { return family == 6; }
  explicit operator bool() const { return family != 0; }
  size_t size() const { return family == 4 ? 4 : family == 6 ? 16 : 0; }
  bool loopback() const;

  static Address from_v4(uint32_t host_order);
  uint32_t to_v4() const;  // host order; 0 when not IPv4
};

/// Strict: no leading zeros, no port, no zone; nothing else around it.
std::optional<Address> parse_address(std::string_view text);
std::string render(const Address& address);

/// "10.0.0.1:80", "[fd01::1]:80".
struct Endpoint {
  Address address;
  uint16_t port = 0;
  auto operator<=>(const Endpoint&) const = default;
};
std::optional<Endpoint> parse_endpoint(std::string_view text);
std::string render(const Endpoint& endpoint);

enum class Protocol : uint8_t { Tcp = 6, Udp = 17 };
std::string_view name_of(Protocol protocol);

/// A machine's load balancer, by the number it drew when its store was made. A machine that lost its store is another
/// one.
using NodeId = uint64_t;
std::string render_node(NodeId id);

/// One virtual service as people name it: a DNS name below l4lb.thisdcos.directory or a literal address, and a port.
struct VipId {
  std::string host;
  Protocol protocol = Protocol::Tcp;
  uint16_t port = 0;
  auto operator<=>(const VipId&) const = default;

  bool named() const { return !parse_address(host); }
};
std::string render(const VipId& vip);  // "web.marathon.l4lb.thisdcos.directory:80"

/// Where one task serves a virtual service.
struct Backend {
  Endpoint endpoint;
  Address agent;       // the machine it runs on
  uint8_t weight = 1;  // 0: goes on with the connections it has, gets no new ones
  auto operator<=>(const Backend&) const = default;
};

constexpr std::string_view kZone = "l4lb.thisdcos.directory";

/// 64-bit FNV-1a with a finisher: for hashes that all machines must agree on.
uint64_t hash_text(std::string_view text, uint64_t seed = 0);

}  // namespace l4lb
