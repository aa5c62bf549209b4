#pragma once

// The plugin `bridge` with `host-local` addresses, in this process by netlink: what the default network of containers
// is made of, without the three programs that the plugins take. Configurations that say more than it knows go to the
// plugin.

#include <optional>
#include <string>
#include <vector>

#include "kernel/containerizer/network/chain.hpp"
#include "kernel/containerizer/network/ipam.hpp"

namespace containerizer::network {

struct BridgeConfig {
  std::string name, bridge = "cni0", cni_version;
  bool gateway = false, default_gateway = false, masquerade = false, hairpin = false;
  unsigned mtu = 0;  // 0: the kernel's
  IpamConfig ipam{};
  struct Route {
    Subnet to;
    std::optional<IpAddress> via;
  };
  std::vector<Route> routes{};
  std::string dns_json{};  // as the configuration has it, for the result
};

/// Absent: something in it is not known here. Errors: it is wrong.
Result<std::optional<BridgeConfig>> parse_bridge(const std::string& json);

struct BridgePort {
  std::string host_link;  // interface on the machine's side
  std::string mac;
  std::vector<Lease> leases;
};

Result<BridgePort> add_bridge_port(const BridgeConfig& config, const Link& link);

/// Interface and leases; none is success.
Status remove_bridge_port(const BridgeConfig& config, const Link& link);

Status check_bridge_port(const BridgeConfig& config, const Link& link);

/// As the plugin prints it.
std::string render_bridge_result(const BridgeConfig& config, const Link& link, const BridgePort& port);

/// The interface on the machine's side: the same name for the same container, so that it is found again.
std::string host_link_name(const std::string& container, const std::string& interface);

}  // namespace containerizer::network
