#include "l4lb/types.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/numbers.hpp"

namespace l4lb {

bool Address::loopback() const {
  if (v4()) return bytes[0] == 127;
  if (!v6()) return false;
  return std::all_of(bytes.begin(), bytes.end() - 1, [](uint8_t b) { return b == 0; }) && bytes[15] == 1;
}

Address Address::from_v4(uint32_t host_order) {
  Address out;
  out.family = 4;
  for (size_t i = 0; i < 4; ++i) out.bytes[i] = static_cast<uint8_t>(host_order >> (24 - 8 * i));
  return out;
}

uint32_t Address::to_v4() const {
  if (!v4()) return 0;
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

std::optional<Address> parse_address(std::string_view text) {
  if (text.size() > 45) return std::nullopt;
  const std::string copy(text);
  Address out;
  if (inet_pton(AF_INET, copy.c_str(), out.bytes.data()) == 1) {
    out.family = 4;
    return out;
  }
  out.bytes = {};
  if (inet_pton(AF_INET6, copy.c_str(), out.bytes.data()) == 1) {
    out.family = 6;
    return out;
  }
  return std::nullopt;
}

std::string render(const Address& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.v4()) inet_ntop(AF_INET, address.bytes.data(), text, sizeof text);
  if (address.v6()) inet_ntop(AF_INET6, address.bytes.data(), text, sizeof text);
  return text;
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto address = parse_address(host);
  const auto port = base::parse_uint(text.substr(colon + 1));
  if (!address || !port || *port == 0 || *port > 65535) return std::nullopt;
  return Endpoint{*address, static_cast<uint16_t>(*port)};
}

std::string render(const Endpoint& endpoint) {
  const std::string address = render(endpoint.address);
  return endpoint.address.v6() ? fmt::format("[{}]:{}", address, endpoint.port)
                               : fmt::format("{}:{}", address, endpoint.port);
}

std::string_view name_of(Protocol protocol) { return protocol == Protocol::Tcp ? "tcp" : "udp"; }

std::string render_node(NodeId id) { return fmt::format("{:016x}", id); }

std::string render(const VipId& vip) { return fmt::format("{}:{}", vip.host, vip.port); }

uint64_t hash_text(std::string_view text, uint64_t seed) {
  uint64_t hash = 0xcbf29ce484222325U ^ seed;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdU;
  hash ^= hash >> 33;
  hash *= 0xc4ceb9fe1a85ec53U;
  return hash ^ (hash >> 33);
}

}  // namespace l4lb
