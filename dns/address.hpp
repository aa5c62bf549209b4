#pragma once

// IP addresses as values (pure).

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dns {

struct Address {
  bool v6 = false;
  std::array<uint8_t, 16> bytes{};  // the first four for IPv4, network order

  /// The 4 or 16 bytes of an A or AAAA record.
  std::string_view wire() const { return {reinterpret_cast<const char*>(bytes.data()), v6 ? 16u : 4u}; }
  bool is_loopback() const;
  std::string text() const;
  auto operator<=>(const Address&) const = default;
};

/// A literal address.
std::optional<Address> parse_address(std::string_view text);

/// From the 4 or 16 bytes of a record.
Address address_of_wire(std::string_view bytes);

struct Endpoint {
  Address address;
  uint16_t port = 0;
  std::string text() const;  // "1.2.3.4:53", "[::1]:53"
  auto operator<=>(const Endpoint&) const = default;
};

/// "1.2.3.4", "1.2.3.4:53", "::1", "[::1]:53".
std::optional<Endpoint> parse_endpoint(std::string_view text, uint16_t default_port);

}  // namespace dns
