#include "kernel/containerizer/network/request.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "base/strings.hpp"

namespace containerizer::network {
namespace {

using mesos::v1::ContainerInfo;
using mesos::v1::NetworkInfo;
using Docker = ContainerInfo::DockerInfo;

constexpr uint32_t kLastPort = 65535;

bool is_address(const std::string& text) {
  char buffer[16];
  return inet_pton(AF_INET, text.c_str(), buffer) == 1 || inet_pton(AF_INET6, text.c_str(), buffer) == 1;
}

bool is_mac(std::string_view text) {
  if (text.size() != 17) return false;
  for (size_t i = 0; i < text.size(); ++i)
    if (i % 3 == 2 ? text[i] != ':' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0) return false;
  return true;
}

/// RFC 1123, as far as the kernel and resolvers care.
bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_'; });
}

bool allocated(const ContainerSpec& spec, uint32_t port) {
  return std::any_of(spec.ports.begin(), spec.ports.end(),
                     [port](const auto& range) { return range.first <= port && port <= range.second; });
}

Status check_mapping(const ContainerSpec& spec, const NetworkInfo::PortMapping& mapping, std::set<std::string>& taken) {
  const std::string protocol = mapping.protocol().empty() ? "tcp" : base::to_lower(mapping.protocol());
  const std::string port = std::to_string(mapping.host_port());
  if (protocol != "tcp" && protocol != "udp")
    return base::invalid("port mapping of host port " + port + ": the protocol '" +
                         base::valid_utf8(mapping.protocol()) + "' is neither tcp nor udp");
  if (mapping.container_port() == 0 || mapping.container_port() > kLastPort)
    return base::invalid("port mapping of host port " + port + ": the container port must be 1 to 65535");
  if (!allocated(spec, mapping.host_port())) return base::invalid("Port [" + port + "] not included in resources");
  if (!taken.insert(protocol + "/" + port).second)
    return base::invalid("the host port " + port + "/" + protocol + " is mapped twice");
  return {};
}

/// Names of networks, host ports, counts.
Status check(const ContainerSpec& spec, const Request& request) {
  if (request.networks.size() > static_cast<size_t>(kMaxNetworks))
    return base::invalid("more than " + std::to_string(kMaxNetworks) + " networks");
  std::set<std::string> names, ports;
  for (const Wish& wish : request.networks) {
    const std::string& name = wish.info.name();
    if (!valid_network_name(name))
      return base::invalid("the network name '" + base::valid_utf8(name) +
                           "' must be letters, digits, '_', '.' and '-', at most 64 of them");
    if (!names.insert(name).second) return base::invalid("Attempted to join CNI network '" + name + "' multiple times");
    if (wish.info.port_mappings_size() > kMaxPortMappings)
      return base::invalid("network " + name + ": more than " + std::to_string(kMaxPortMappings) + " port mappings");
    for (const auto& mapping : wish.info.port_mappings()) RETURN_IF_ERROR(check_mapping(spec, mapping, ports));
    for (const auto& address : wish.info.ip_addresses())
      if (!address.ip_address().empty() && !is_address(address.ip_address()))
        return base::invalid("network " + name + ": '" + base::valid_utf8(address.ip_address()) + "' is no IP address");
  }
  if (!request.host_name.empty() && !is_host_name(request.host_name))
    return base::invalid("'" + base::valid_utf8(request.host_name) + "' is no host name");
  return {};
}

/// Docker's options about networks. They count after the definition's own fields, as they come later on a command line.
struct DockerWords {
  std::optional<std::string> network;
  std::string host_name, ip, ip6, mac;
  std::vector<std::string> extra_hosts;
  DnsSettings dns;
};

Status take(const std::string& key, const std::string& value, DockerWords& out) {
  if (key == "net" || key == "network") {
    out.network = value;
  } else if (key == "hostname" || key == "h") {
    out.host_name = value;
  } else if (key == "ip" || key == "ip6") {
    if (!is_address(value)) return base::invalid("'" + base::valid_utf8(value) + "' is no IP address");
    (key == "ip" ? out.ip : out.ip6) = value;
  } else if (key == "mac-address") {
    if (!is_mac(value)) return base::invalid("must be six pairs of hexadecimal digits with colons");
    out.mac = base::to_lower(value);
  } else if (key == "add-host") {
    const size_t colon = value.find(':');
    const std::string name = value.substr(0, colon);
    const std::string address = colon == std::string::npos ? "" : value.substr(colon + 1);
    if (!is_host_name(name) || !is_address(address)) return base::invalid("must be NAME:ADDRESS");
    if (out.extra_hosts.size() >= 128) return base::invalid("more than 128 of them");
    out.extra_hosts.push_back(address + "\t" + name);
  } else if (key == "dns") {
    if (!is_address(value)) return base::invalid("'" + base::valid_utf8(value) + "' is no IP address");
    if (out.dns.nameservers.size() == 3) return base::invalid("more than three are never asked");
    out.dns.nameservers.push_back(value);
  } else if (key == "dns-search" || key == "dns-opt" || key == "dns-option") {
    if (value.empty() || value.find_first_of(" \t\r\n#;") != std::string::npos)
      return base::invalid("must be one word");
    auto& list = key == "dns-search" ? out.dns.search : out.dns.options;
    if (list.size() >= 32) return base::invalid("more than 32 of them");
    list.push_back(value);
  }
  return {};
}

Result<DockerWords> read_words(const Docker& docker) {
  DockerWords out;
  for (const auto& parameter : docker.parameters()) {
    std::string key = parameter.key();
    while (key.starts_with('-')) key.erase(0, 1);
    if (Status taken = take(key, parameter.value(), out); !taken)
      return taken.error().with_context("the docker parameter '" + base::valid_utf8(key) + "'");
  }
  return out;
}

/// "host", "none", or the name of a network.
Result<std::string> network_of(const ContainerInfo& info, const DockerWords& words, const std::string& bridge) {
  const Docker& docker = info.docker();
  if (words.network) {
    if (*words.network == "bridge" || *words.network == "default") return bridge;
    if (words.network->empty() || words.network->starts_with("container:"))
      return base::unsupported("the docker network '" + *words.network +
                               "' is not supported by this build; give bridge, none, host or the name of a network");
    return *words.network;
  }
  switch (docker.network()) {
    case Docker::HOST:
      return std::string("host");
    case Docker::BRIDGE:
      return bridge;
    case Docker::NONE:
      return std::string("none");
    case Docker::USER:
      break;
  }
  if (info.network_infos_size() != 1)
    return base::invalid("the docker network USER needs exactly one entry in network_infos, with the network's name");
  if (info.network_infos(0).name().empty())
    return base::invalid("No network name found in 'network_infos[0].name', which the docker network USER needs");
  return info.network_infos(0).name();
}

void add_address(const std::string& text, NetworkInfo::Protocol protocol, NetworkInfo& info) {
  if (text.empty()) return;
  auto* address = info.add_ip_addresses();
  address->set_protocol(protocol);
  address->set_ip_address(text);
}

Result<std::optional<Request>> from_docker(const ContainerSpec& spec, const std::string& bridge) {
  const ContainerInfo& info = *spec.container;
  ASSIGN_OR_RETURN(const DockerWords words, read_words(info.docker()));
  ASSIGN_OR_RETURN(const std::string network, network_of(info, words, bridge));
  const bool named = network != "host" && network != "none";
  if (!named && info.docker().port_mappings_size() > 0)
    return base::invalid(
        "port_mappings need a BRIDGE or USER network; on the host's network a task listens on the host's ports");
  if (network == "host") {
    if (!info.hostname().empty() || !words.host_name.empty())
      return base::invalid("a hostname cannot be set on the host's network");
    if (!words.extra_hosts.empty() || !(words.dns == DnsSettings()) || !words.ip.empty() || !words.ip6.empty() ||
        !words.mac.empty())
      return base::unsupported(
          "the docker parameters add-host, dns, dns-search, dns-opt, ip, ip6 and mac-address need a network "
          "of the container's own; on the host's network this build does not have them");
    return std::optional<Request>();
  }
  Request request;
  request.host_name = !words.host_name.empty() ? words.host_name : info.hostname();
  // As Docker names its containers: the first twelve characters of their ids.
  if (request.host_name.empty()) request.host_name = base::replace_all(spec.id, "-", "").substr(0, 12);
  request.extra_hosts = words.extra_hosts;
  request.dns = words.dns;
  if (!named) return std::optional(request);
  Wish wish;
  if (info.network_infos_size() > 0) wish.info = info.network_infos(0);
  wish.info.set_name(network);
  for (const auto& mapping : info.docker().port_mappings()) {
    auto* copy = wish.info.add_port_mappings();
    copy->set_host_port(mapping.host_port());
    copy->set_container_port(mapping.container_port());
    copy->set_protocol(mapping.has_protocol() ? mapping.protocol() : "tcp");
  }
  add_address(words.ip, NetworkInfo::IPv4, wish.info);
  add_address(words.ip6, NetworkInfo::IPv6, wish.info);
  wish.mac = words.mac;
  request.networks.push_back(std::move(wish));
  return std::optional(request);
}

}  // namespace

bool valid_network_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::isalnum(static_cast<unsigned char>(name[0])) != 0 &&
         std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-'; });
}

Result<std::optional<Request>> wanted_networks(const ContainerSpec& spec, const std::string& bridge) {
  if (!spec.container) return std::optional<Request>();
  std::optional<Request> request;
  if (spec.container->type() == ContainerInfo::DOCKER) {
    ASSIGN_OR_RETURN(request, from_docker(spec, bridge));
  } else {
    for (const auto& info : spec.container->network_infos()) {
      if (info.name().empty()) continue;  // the host's
      if (!request) request.emplace();
      request->networks.push_back({info});
    }
    if (request) request->host_name = spec.container->hostname();
  }
  if (!request) return request;
  RETURN_IF_ERROR(check(spec, *request));
  if (request->host_name.empty()) request->host_name = spec.id;
  return request;
}

}  // namespace containerizer::network
