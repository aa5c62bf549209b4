#include "kernel/containerizer/network/bridge.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstring>
#include <set>

#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "base/netlink.hpp"
#include "base/netns.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/network/firewall_plan.hpp"

namespace containerizer::network {
namespace {

using base::Netlink;
using base::NetlinkMessage;
using base::json::Value;

constexpr size_t kMaxRoutes = 64, kMaxRanges = 16;

// --- the configuration ---

bool knows_all(const Value& object, std::initializer_list<std::string_view> known) {
  return std::all_of(object.get_object().begin(), object.get_object().end(), [&known](const auto& member) {
    return std::find(known.begin(), known.end(), std::string_view(member.key())) != known.end();
  });
}

Result<bool> flag(const Value& value, const char* place) {
  if (base::json::find(value, place) == nullptr) return false;
  return base::json::get_bool(value, place);
}

Result<std::string> text(const Value& value, const char* place, std::string fallback) {
  if (base::json::find(value, place) == nullptr) return fallback;
  return base::json::get_string(value, place);
}

Result<Range> parse_range(const Value& value) {
  Range range;
  ASSIGN_OR_RETURN(const std::string subnet, base::json::get_string(value, "/subnet"));
  ASSIGN_OR_RETURN(range.subnet, Subnet::parse(subnet));
  if (range.subnet.prefix + 2 > range.subnet.network.size() * 8)
    return base::invalid("the network " + subnet + " is too small");
  range.first = range.gateway = range.subnet.network.next();
  // The last one of an IPv4 network is for broadcasts.
  range.last = range.subnet.last();
  if (!range.last.v6) range.last.bytes[3] = static_cast<uint8_t>(range.last.bytes[3] - 1);
  for (const auto& [place, target] :
       {std::pair{"/rangeStart", &range.first}, {"/rangeEnd", &range.last}, {"/gateway", &range.gateway}}) {
    if (base::json::find(value, place) == nullptr) continue;
    ASSIGN_OR_RETURN(const std::string given, base::json::get_string(value, place));
    ASSIGN_OR_RETURN(*target, IpAddress::parse(given));
    if (!range.subnet.contains(*target)) return base::invalid(given + " is not in " + subnet);
  }
  if (range.last < range.first) return base::invalid("rangeEnd is before rangeStart in " + subnet);
  return range;
}

/// False: it says more than is known here.
Result<bool> parse_ipam(const Value& ipam, BridgeConfig& out) {
  if (!ipam.is_object() || base::json::get_string(ipam, "/type").value_or("") != "host-local") return false;
  if (!knows_all(ipam, {"type", "subnet", "rangeStart", "rangeEnd", "gateway", "ranges", "routes", "dataDir"}))
    return false;
  ASSIGN_OR_RETURN(const std::string directory, text(ipam, "/dataDir", kLeaseDirectory));
  if (!directory.starts_with('/')) return base::invalid("ipam.dataDir: must be an absolute path");
  out.ipam.directory = directory + "/" + out.name;
  if (base::json::find(ipam, "/subnet") != nullptr) {
    ASSIGN_OR_RETURN(Range range, parse_range(ipam));
    out.ipam.sets.push_back({range});
  }
  if (const Value* sets = base::json::find(ipam, "/ranges")) {
    if (!sets->is_array() || sets->get_array().size() > kMaxRanges)
      return base::invalid("ipam.ranges: must be a short list of lists");
    for (const Value& set : sets->get_array()) {
      if (!set.is_array() || set.get_array().empty() || set.get_array().size() > kMaxRanges)
        return base::invalid("ipam.ranges: must be a short list of lists");
      auto& ranges = out.ipam.sets.emplace_back();
      for (const Value& each : set.get_array()) {
        ASSIGN_OR_RETURN(Range range, parse_range(each));
        ranges.push_back(range);
      }
    }
  }
  if (out.ipam.sets.empty()) return base::invalid("ipam: subnet or ranges is required");
  const Value* routes = base::json::find(ipam, "/routes");
  if (routes == nullptr) return true;
  if (!routes->is_array() || routes->get_array().size() > kMaxRoutes)
    return base::invalid("ipam.routes: must be a short list");
  for (const Value& each : routes->get_array()) {
    if (!each.is_object() || !knows_all(each, {"dst", "gw"})) return false;
    BridgeConfig::Route route;
    ASSIGN_OR_RETURN(const std::string to, base::json::get_string(each, "/dst"));
    ASSIGN_OR_RETURN(route.to, Subnet::parse(to));
    if (base::json::find(each, "/gw") != nullptr) {
      ASSIGN_OR_RETURN(const std::string via, base::json::get_string(each, "/gw"));
      ASSIGN_OR_RETURN(const IpAddress address, IpAddress::parse(via));
      route.via = address;
    }
    out.routes.push_back(std::move(route));
  }
  return true;
}

// --- the kernel ---

std::string_view bytes_of(const IpAddress& address) {
  return {reinterpret_cast<const char*>(address.bytes.data()), address.size()};
}
std::string_view name_bytes(const std::string& name) { return {name.c_str(), name.size() + 1}; }

Status write_setting(const std::string& path, const char* value) {
  const base::Fd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || write(file.get(), value, strlen(value)) < 0) return base::errno_error("cannot set " + path, errno);
  return {};
}

Status ask(Netlink& netlink, NetlinkMessage message) {
  return netlink.ask(std::move(message), [](const nlmsghdr&) {});
}

NetlinkMessage link_message(uint16_t type, uint16_t flags, int index, unsigned up, unsigned char family = AF_UNSPEC) {
  NetlinkMessage message(type, static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags));
  ifinfomsg head{};
  head.ifi_family = family;
  head.ifi_index = index;
  head.ifi_flags = head.ifi_change = up;
  message.body(head);
  return message;
}

Status add_address(Netlink& netlink, int index, const IpAddress& address, unsigned prefix) {
  NetlinkMessage message(RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
  ifaddrmsg head{};
  head.ifa_family = address.v6 ? AF_INET6 : AF_INET;
  head.ifa_prefixlen = static_cast<uint8_t>(prefix);
  head.ifa_index = static_cast<unsigned>(index);
  // The address is leased to nobody else: nothing is to wait for.
  if (address.v6) head.ifa_flags = IFA_F_NODAD;
  message.body(head);
  message.attribute(IFA_LOCAL, bytes_of(address));
  message.attribute(IFA_ADDRESS, bytes_of(address));
  if (!address.v6) {
    IpAddress broadcast = address;
    for (unsigned bit = prefix; bit < 32; ++bit) broadcast.bytes[bit / 8] |= static_cast<uint8_t>(1 << (7 - bit % 8));
    message.attribute(IFA_BROADCAST, bytes_of(broadcast));
  }
  return ask(netlink, std::move(message));
}

Status add_route(Netlink& netlink, int index, const Subnet& to, const IpAddress& via) {
  NetlinkMessage message(RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
  rtmsg head{};
  head.rtm_family = to.network.v6 ? AF_INET6 : AF_INET;
  head.rtm_dst_len = static_cast<uint8_t>(to.prefix);
  head.rtm_table = RT_TABLE_MAIN;
  head.rtm_protocol = RTPROT_BOOT;
  head.rtm_scope = RT_SCOPE_UNIVERSE;
  head.rtm_type = RTN_UNICAST;
  message.body(head);
  if (to.prefix > 0) message.attribute(RTA_DST, bytes_of(to.network));
  message.attribute(RTA_GATEWAY, bytes_of(via));
  message.attribute(RTA_OIF, static_cast<uint32_t>(index));
  return ask(netlink, std::move(message));
}

/// Index of the interface in the namespace that `netlink` speaks for; 0: there is none.
int find_index(Netlink& netlink, const std::string& name) {
  int index = 0;
  NetlinkMessage message(RTM_GETLINK, NLM_F_REQUEST);
  message.body(ifinfomsg{});
  message.attribute(IFLA_IFNAME, name_bytes(name));
  (void)netlink.ask(std::move(message), [&index](const nlmsghdr& header) {
    if (header.nlmsg_type == RTM_NEWLINK) index = static_cast<const ifinfomsg*>(NLMSG_DATA(&header))->ifi_index;
  });
  return index;
}

/// "0a:58:" and the address: whoever gets an address after another also gets what neighbours remember of it.
std::array<uint8_t, 6> mac_of(const IpAddress& address) {
  std::array<uint8_t, 6> mac{0x0a, 0x58, 0, 0, 0, 0};
  for (size_t i = 0; i < 4; ++i) mac[2 + i] = address.bytes[address.size() - 4 + i];
  return mac;
}

std::string mac_text(const std::array<uint8_t, 6>& mac) {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

std::string_view mac_bytes(const std::array<uint8_t, 6>& mac) {
  return {reinterpret_cast<const char*>(mac.data()), mac.size()};
}

Status allow_forwarding(const BridgeConfig& config) {
  for (const auto& set : config.ipam.sets)
    RETURN_IF_ERROR(set.front().subnet.network.v6 ? write_setting("/proc/sys/net/ipv6/conf/all/forwarding", "1")
                                                  : write_setting("/proc/sys/net/ipv4/ip_forward", "1"));
  return {};
}

/// The bridge with the gateways' addresses. Made when missing; one that is there is left as it is but for addresses.
Result<int> ensure_bridge(Netlink& netlink, const BridgeConfig& config) {
  int index = find_index(netlink, config.bridge);
  if (index == 0) {
    NetlinkMessage message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, IFF_UP);
    message.attribute(IFLA_IFNAME, name_bytes(config.bridge));
    if (config.mtu > 0) message.attribute(IFLA_MTU, config.mtu);
    // One of its own: otherwise it changes with the ports, and neighbours lose their gateway for a while.
    message.attribute(IFLA_ADDRESS, mac_bytes(mac_of(config.ipam.sets.front().front().gateway)));
    const size_t info = message.begin(IFLA_LINKINFO);
    message.attribute(IFLA_INFO_KIND, std::string_view("bridge"));
    message.end(info);
    const Status made = ask(netlink, std::move(message));
    index = find_index(netlink, config.bridge);  // another agent of this machine may have been faster
    if (index == 0)
      return made ? base::internal("the bridge is gone at once")
                  : made.error().with_context("cannot make the bridge " + config.bridge);
  }
  if (!config.gateway && !config.default_gateway) return index;
  for (const auto& set : config.ipam.sets)
    if (Status added = add_address(netlink, index, set.front().gateway, set.front().subnet.prefix); !added)
      return added.error().with_context("cannot give the bridge " + config.bridge + " its address");
  // So that the machine's own 127.0.0.1:port may lead into a container; nothing comes the other way (see the rules).
  (void)write_setting("/proc/sys/net/ipv4/conf/" + config.bridge + "/route_localnet", "1");
  RETURN_IF_ERROR(allow_forwarding(config));
  return index;
}

std::string directory_above(const std::string& path) { return path.substr(0, path.rfind('/')); }

Status make_pair(Netlink& netlink, const BridgeConfig& config, const Link& link, int bridge, const BridgePort& port) {
  const base::Fd space(open(link.network_file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!space) return base::errno_error("cannot open the network namespace " + link.network_file, errno);
  NetlinkMessage message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, IFF_UP);
  message.attribute(IFLA_IFNAME, name_bytes(port.host_link));
  if (config.mtu > 0) message.attribute(IFLA_MTU, config.mtu);
  message.attribute(IFLA_MASTER, static_cast<uint32_t>(bridge));
  // Whose it is can be seen without a record.
  message.attribute(IFLA_GROUP, agent_number(directory_above(directory_above(link.network_file))));
  const size_t info = message.begin(IFLA_LINKINFO);
  message.attribute(IFLA_INFO_KIND, std::string_view("veth"));
  const size_t data = message.begin(IFLA_INFO_DATA);
  const size_t peer = message.begin(VETH_INFO_PEER);
  message.body(ifinfomsg{});
  message.attribute(IFLA_IFNAME, name_bytes(link.interface));
  if (config.mtu > 0) message.attribute(IFLA_MTU, config.mtu);
  message.attribute(IFLA_ADDRESS, mac_bytes(mac_of(port.leases.front().address)));
  message.attribute(IFLA_NET_NS_FD, static_cast<uint32_t>(space.get()));
  message.end(peer);
  message.end(data);
  message.end(info);
  return ask(netlink, std::move(message));
}

Status set_hairpin(Netlink& netlink, const std::string& name) {
  NetlinkMessage message = link_message(RTM_SETLINK, 0, find_index(netlink, name), 0, AF_BRIDGE);
  const size_t info = message.begin(IFLA_PROTINFO);
  message.attribute(IFLA_BRPORT_MODE, uint8_t{1});
  message.end(info);
  return ask(netlink, std::move(message));
}

Status set_up_inside(const BridgeConfig& config, const Link& link, const BridgePort& port) {
  ASSIGN_OR_RETURN(Netlink netlink, Netlink::open(NETLINK_ROUTE, link.network_file));
  const int index = find_index(netlink, link.interface);
  if (index == 0) return base::internal("the interface " + link.interface + " did not come to the container");
  for (const Lease& lease : port.leases)
    RETURN_IF_ERROR(add_address(netlink, index, lease.address, lease.range.subnet.prefix));
  RETURN_IF_ERROR(ask(netlink, link_message(RTM_SETLINK, 0, index, IFF_UP)));
  std::vector<BridgeConfig::Route> routes = config.routes;
  if (config.default_gateway)
    for (const Lease& lease : port.leases) {
      Subnet everywhere;
      everywhere.network.v6 = lease.address.v6;
      routes.push_back({everywhere, lease.range.gateway});
    }
  for (const auto& route : routes) {
    std::optional<IpAddress> via = route.via;
    for (const Lease& lease : port.leases)
      if (!via && lease.address.v6 == route.to.network.v6) via = lease.range.gateway;
    if (!via) continue;
    if (Status added = add_route(netlink, index, route.to, *via); !added)
      return added.error().with_context("cannot set the route to " + route.to.text());
  }
  return {};
}

}  // namespace

Result<std::optional<BridgeConfig>> parse_bridge(const std::string& json) {
  ASSIGN_OR_RETURN(const Value value, base::json::parse(json));
  if (!value.is_object()) return base::invalid("must be an object");
  constexpr auto kNothing = std::nullopt;
  if (!knows_all(value,
                 {"type", "name", "cniVersion", "bridge", "isGateway", "isDefaultGateway", "forceAddress", "ipMasq",
                  "mtu", "hairpinMode", "ipam", "dns", "args", "runtimeConfig", "prevResult", "capabilities"}))
    return std::optional<BridgeConfig>(kNothing);
  BridgeConfig out;
  ASSIGN_OR_RETURN(out.name, base::json::get_string(value, "/name"));
  ASSIGN_OR_RETURN(out.cni_version, text(value, "/cniVersion", "0.1.0"));
  ASSIGN_OR_RETURN(out.bridge, text(value, "/bridge", "cni0"));
  if (out.bridge.empty() || out.bridge.size() >= IFNAMSIZ || out.bridge.find_first_of("/ \t\"") != std::string::npos)
    return base::invalid("bridge: '" + base::valid_utf8(out.bridge) + "' is no name of an interface");
  ASSIGN_OR_RETURN(out.gateway, flag(value, "/isGateway"));
  ASSIGN_OR_RETURN(out.default_gateway, flag(value, "/isDefaultGateway"));
  ASSIGN_OR_RETURN(out.masquerade, flag(value, "/ipMasq"));
  ASSIGN_OR_RETURN(out.hairpin, flag(value, "/hairpinMode"));
  if (base::json::find(value, "/mtu") != nullptr) {
    ASSIGN_OR_RETURN(const uint64_t mtu, base::json::get_uint(value, "/mtu"));
    if (mtu > 65535) return base::invalid("mtu: must be at most 65535");
    out.mtu = static_cast<unsigned>(mtu);
  }
  if (const Value* dns = base::json::find(value, "/dns")) out.dns_json = base::json::render(*dns);
  const Value* ipam = base::json::find(value, "/ipam");
  if (ipam == nullptr) return std::optional<BridgeConfig>(kNothing);
  ASSIGN_OR_RETURN(const bool known, parse_ipam(*ipam, out));
  if (!known) return std::optional<BridgeConfig>(kNothing);
  return std::optional(out);
}

std::string host_link_name(const std::string& container, const std::string& interface) {
  uint64_t hash = 1469598103934665603u;  // FNV-1a
  for (const char c : container + "/" + interface) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return fmt::format("veth{:010x}", hash & 0xffffffffffu);
}

Result<BridgePort> add_bridge_port(const BridgeConfig& config, const Link& link) {
  std::vector<IpAddress> wanted;
  for (const auto& address : link.wish.info.ip_addresses()) {
    if (address.ip_address().empty()) continue;
    ASSIGN_OR_RETURN(const IpAddress parsed, IpAddress::parse(address.ip_address()));
    wanted.push_back(parsed);
  }
  BridgePort port;
  port.host_link = host_link_name(link.container, link.interface);
  ASSIGN_OR_RETURN(port.leases, lease_addresses(config.ipam, link.container, link.interface, wanted));
  port.mac = mac_text(mac_of(port.leases.front().address));
  const auto connect = [&]() -> Status {
    ASSIGN_OR_RETURN(Netlink netlink, Netlink::open(NETLINK_ROUTE));
    ASSIGN_OR_RETURN(const int bridge, ensure_bridge(netlink, config));
    RETURN_IF_ERROR(make_pair(netlink, config, link, bridge, port));
    if (config.hairpin) RETURN_IF_ERROR(set_hairpin(netlink, port.host_link));
    return set_up_inside(config, link, port);
  };
  if (Status connected = connect(); !connected) {
    (void)remove_bridge_port(config, link);
    return connected.error();
  }
  return port;
}

Status remove_bridge_port(const BridgeConfig& config, const Link& link) {
  ASSIGN_OR_RETURN(Netlink netlink, Netlink::open(NETLINK_ROUTE));
  if (const int index = find_index(netlink, host_link_name(link.container, link.interface)); index != 0) {
    // It may end with its namespace at this moment.
    const Status removed = ask(netlink, link_message(RTM_DELLINK, 0, index, 0));
    if (!removed && find_index(netlink, host_link_name(link.container, link.interface)) != 0) return removed.error();
  }
  return release_addresses(config.ipam.directory, link.container, link.interface);
}

Status check_bridge_port(const BridgeConfig& config, const Link& link) {
  ASSIGN_OR_RETURN(Netlink outside, Netlink::open(NETLINK_ROUTE));
  for (const std::string& name : {config.bridge, host_link_name(link.container, link.interface)})
    if (find_index(outside, name) == 0) return base::not_found("the interface " + name + " is gone");
  ASSIGN_OR_RETURN(Netlink inside, Netlink::open(NETLINK_ROUTE, link.network_file));
  const int index = find_index(inside, link.interface);
  if (index == 0) return base::not_found("the interface " + link.interface + " is gone");
  std::set<std::string> present;
  NetlinkMessage message(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP);
  message.body(ifaddrmsg{});
  RETURN_IF_ERROR(inside.ask(std::move(message), [&](const nlmsghdr& header) {
    if (header.nlmsg_type != RTM_NEWADDR) return;
    if (static_cast<const ifaddrmsg*>(NLMSG_DATA(&header))->ifa_index != static_cast<unsigned>(index)) return;
    for (const auto& [type, value] : base::attributes(header, sizeof(ifaddrmsg)))
      if (type == IFA_ADDRESS) present.emplace(value);
  }));
  ASSIGN_OR_RETURN(const CniResult given, parse_cni_result(link.result, link.interface));
  for (const auto& address : given.addresses) {
    ASSIGN_OR_RETURN(const IpAddress wanted, IpAddress::parse(address.address));
    if (!present.contains(std::string(bytes_of(wanted))))
      return base::not_found("the address " + address.address + " is gone");
  }
  return {};
}

std::string render_bridge_result(const BridgeConfig& config, const Link& link, const BridgePort& port) {
  std::string out;
  base::json::Writer w(out);
  const bool old = link.config.version < CniVersion{0, 3, 0}, tells_version = link.config.version < CniVersion{1, 0, 0};
  w.begin_object();
  w.field("cniVersion", config.cni_version);
  if (old) {
    for (const Lease& lease : port.leases) {
      w.key(lease.address.v6 ? "ip6" : "ip4");
      w.begin_object();
      w.field("ip", lease.address.text() + "/" + std::to_string(lease.range.subnet.prefix));
      w.field("gateway", lease.range.gateway.text());
      w.end_object();
    }
  } else {
    w.key("interfaces");
    w.begin_array();
    for (const std::string& name : {config.bridge, port.host_link, link.interface}) {
      w.begin_object();
      w.field("name", name);
      if (name == link.interface) w.field("mac", port.mac);
      if (name == link.interface) w.field("sandbox", link.network_file);
      w.end_object();
    }
    w.end_array();
    w.key("ips");
    w.begin_array();
    for (const Lease& lease : port.leases) {
      w.begin_object();
      if (tells_version) w.field("version", lease.address.v6 ? "6" : "4");
      w.field("interface", 2);
      w.field("address", lease.address.text() + "/" + std::to_string(lease.range.subnet.prefix));
      w.field("gateway", lease.range.gateway.text());
      w.end_object();
    }
    w.end_array();
  }
  if (!config.dns_json.empty()) {
    w.key("dns");
    w.raw(config.dns_json);
  }
  w.end_object();
  return out;
}

}  // namespace containerizer::network
