#pragma once

// What a container on a network of its own finds in /etc: hosts, hostname, resolv.conf (pure, but for writing them).

#include <string>
#include <vector>

#include "kernel/containerizer/network/request.hpp"
#include "kernel/containerizer/network/result.hpp"

namespace containerizer::network {

/// "127.0.0.1 localhost", the container's name at each of its addresses, and what the container asked for besides.
std::string render_hosts(const std::string& host_name, const std::vector<GivenAddress>& addresses,
                         const std::vector<std::string>& extra);

/// Name servers, search words and options of a resolv.conf.
DnsSettings parse_resolv_conf(std::string_view text);

/// What the container asked for, else what its plugins said, else what the operator said, else the machine's. A server
/// at the machine's own loopback address cannot be reached from a container: it is asked at `gateway`, from where the
/// rules lead to it, or left out when there is none.
std::string choose_resolv_conf(const DnsSettings& asked, const DnsSettings& from_plugins,
                               const DnsSettings* from_operator, const std::string& machines,
                               const std::string& gateway);

/// The first server that is an IPv4 loopback address; empty: none is.
std::string loopback_server(const DnsSettings& settings);

}  // namespace containerizer::network
