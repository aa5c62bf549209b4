#include "dns/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "base/numbers.hpp"

namespace dns {

bool Address::is_loopback() const {
  if (!v6) return bytes[0] == 127;
  return std::all_of(bytes.begin(), bytes.end() - 1, [](uint8_t b) { return b == 0; }) && bytes[15] == 1;
}

std::string Address::text() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), buffer, sizeof buffer);
  return buffer;
}

std::optional<Address> parse_address(std::string_view text) {
  const std::string copy(text);
  Address address;
  if (::inet_pton(AF_INET, copy.c_str(), address.bytes.data()) == 1) return address;
  address.v6 = true;
  if (::inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

Address address_of_wire(std::string_view bytes) {
  Address address;
  address.v6 = bytes.size() == 16;
  std::memcpy(address.bytes.data(), bytes.data(), std::min<size_t>(bytes.size(), 16));
  return address;
}

std::string Endpoint::text() const {
  return (address.v6 ? "[" + address.text() + "]" : address.text()) + ":" + std::to_string(port);
}

std::optional<Endpoint> parse_endpoint(std::string_view text, uint16_t default_port) {
  if (const auto address = parse_address(text)) return Endpoint{*address, default_port};
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = base::parse_uint(text.substr(colon + 1));
  std::string_view host = text.substr(0, colon);
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  const auto address = parse_address(host);
  if (!port || *port == 0 || *port > 65535 || !address || address->v6 != brackets) return std::nullopt;
  return Endpoint{*address, static_cast<uint16_t>(*port)};
}

}  // namespace dns
