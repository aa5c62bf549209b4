#pragma once

// Which networks a container is to join (pure): what NetworkInfos, docker's network and docker's options ask for, in
// one form. What cannot be had is refused with a sentence that names the field.

#include <optional>
#include <string>
#include <vector>

#include "kernel/containerizer/container_dns.hpp"
#include "kernel/containerizer/containerizer.hpp"
#include "kernel/containerizer/types.hpp"

namespace containerizer::network {

constexpr int kMaxNetworks = 16;       // of one container
constexpr int kMaxPortMappings = 128;  // of one network

struct Wish {
  mesos::v1::NetworkInfo info;  // name, labels, port mappings, addresses wished for
  std::string mac{};            // wished for; empty: any
};

struct Request {
  std::vector<Wish> networks{};            // eth0, eth1, ...; none: loopback only
  std::string host_name{};                 // empty: made from the container's id
  std::vector<std::string> extra_hosts{};  // lines of /etc/hosts
  DnsSettings dns{};                       // of the container alone; what is empty here comes from elsewhere
};

/// Absent: the host's network. `bridge` is the network that docker's BRIDGE stands for. Docker's options must be ones
/// that images::plan_docker_options() takes.
Result<std::optional<Request>> wanted_networks(const ContainerSpec& spec, const std::string& bridge);

/// A name that may stand in paths and in plugins' arguments: letters, digits, '_', '.', '-'; at most 64.
bool valid_network_name(std::string_view name);

}  // namespace containerizer::network
