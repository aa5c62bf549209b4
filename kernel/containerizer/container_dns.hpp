#pragma once

// How containers resolve names (pure): the agent's --default_container_dns, and the resolv.conf that follows.
//
// The flag's JSON is the original's ContainerDNSInfo: lists "mesos" and "docker" of {"network_mode", "network_name",
// "dns": {"nameservers", "search", "options"}}, with network modes CNI, BRIDGE and USER. Ours also knows HOST in "mesos":
// containers on the host's network, whose resolv.conf is then not the host's.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/containerizer/types.hpp"

namespace containerizer {

struct DnsSettings {
  std::vector<std::string> nameservers, search, options;
  bool operator==(const DnsSettings&) const = default;
};

/// The text of a resolv.conf.
std::string render_resolv_conf(const DnsSettings& settings);

struct ContainerDns {
  std::optional<DnsSettings> host;
  std::optional<DnsSettings> any_network;           // of containers on a network without an entry of its own
  std::map<std::string, DnsSettings> by_network;

  /// For a container on the network of that name; null: nothing is said.
  const DnsSettings* of_network(const std::string& name) const;

  /// Errors name the place: "mesos[0].dns.nameservers: ...".
  static Result<ContainerDns> parse(std::string_view json);
};

}  // namespace containerizer
