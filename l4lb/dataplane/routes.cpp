#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <bit>
#include <set>

#include "base/netlink.hpp"
#include "l4lb/dataplane/nft_apply.hpp"

namespace l4lb {

using base::attributes;
using base::Netlink;
using base::NetlinkMessage;
namespace {

constexpr uint8_t kOurs = 77;  // "routing protocol" that marks our routes

std::string_view bytes_of(const Address& address) {
  return {reinterpret_cast<const char*>(address.bytes.data()), address.size()};
}

Address from_bytes(std::string_view bytes) {
  Address out;
  if (bytes.size() != 4 && bytes.size() != 16) return out;
  out.family = bytes.size() == 4 ? 4 : 6;
  std::memcpy(out.bytes.data(), bytes.data(), bytes.size());
  return out;
}

NetlinkMessage route_message(uint16_t type, uint16_t flags, const Route& route, const RouteOptions& options,
                             int interface) {
  NetlinkMessage message(type, static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags));
  rtmsg head{};
  head.rtm_family = route.address.v6() ? AF_INET6 : AF_INET;
  head.rtm_dst_len = static_cast<uint8_t>(route.bits);
  head.rtm_table = RT_TABLE_LOCAL;
  head.rtm_protocol = kOurs;
  head.rtm_scope = RT_SCOPE_HOST;
  head.rtm_type = RTN_LOCAL;
  message.body(head);
  message.attribute(RTA_DST, bytes_of(route.address));
  message.attribute(RTA_OIF, static_cast<uint32_t>(interface));
  message.attribute(RTA_PRIORITY, options.metric);
  const Address& source = route.address.v6() ? options.source6 : options.source4;
  if (source && type == RTM_NEWROUTE) message.attribute(RTA_PREFSRC, bytes_of(source));
  return message;
}

base::Status list_ours(Netlink& link, unsigned char family, uint32_t metric, std::set<Route>& out) {
  NetlinkMessage message(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP);
  rtmsg head{};
  head.rtm_family = family;
  message.body(head);
  return link.ask(message, [&](const nlmsghdr& header) {
    if (header.nlmsg_type != RTM_NEWROUTE) return;
    const auto* route = static_cast<const rtmsg*>(NLMSG_DATA(&header));
    if (route->rtm_protocol != kOurs || route->rtm_type != RTN_LOCAL) return;
    Route found;
    uint32_t priority = 0;
    found.bits = route->rtm_dst_len;
    for (const auto& [type, value] : attributes(header, sizeof(rtmsg))) {
      if (type == RTA_DST) found.address = from_bytes(value);
      if (type == RTA_PRIORITY && value.size() == sizeof priority)
        std::memcpy(&priority, value.data(), sizeof priority);
    }
    if (priority == metric && found.address) out.insert(found);
  });
}

}  // namespace

std::vector<Route> cover(uint32_t first, uint32_t last) {
  std::vector<Route> out;
  for (uint64_t at = first; at <= last;) {
    unsigned bits = at == 0 ? 32 : std::min(32U, static_cast<unsigned>(std::countr_zero(static_cast<uint32_t>(at))));
    while (at + (uint64_t{1} << bits) - 1 > last) --bits;
    out.push_back({Address::from_v4(static_cast<uint32_t>(at)), 32 - bits});
    at += uint64_t{1} << bits;
  }
  return out;
}

base::Result<int> sync_routes(const RouteOptions& options, const std::vector<Route>& wanted) {
  ASSIGN_OR_RETURN(Netlink link, Netlink::open(NETLINK_ROUTE));
  const int loopback = static_cast<int>(if_nametoindex("lo"));
  if (loopback == 0) return base::unavailable("this network namespace has no loopback interface");
  std::set<Route> present;
  RETURN_IF_ERROR(list_ours(link, AF_INET, options.metric, present));
  RETURN_IF_ERROR(list_ours(link, AF_INET6, options.metric, present));
  int changes = 0;
  base::Status last;
  for (const Route& route : wanted) {
    if (present.erase(route) > 0) continue;
    const auto added = link.ask(route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route, options, loopback),
                                [](const nlmsghdr&) {});
    if (!added) last = added.error().with_context(fmt::format("route to {}/{}", render(route.address), route.bits));
    else ++changes;
  }
  for (const Route& route : present) {
    const auto removed = link.ask(route_message(RTM_DELROUTE, 0, route, options, loopback), [](const nlmsghdr&) {});
    if (removed) ++changes;
  }
  if (!last) return last.error();
  return changes;
}

base::Result<std::vector<std::pair<Address, unsigned>>> own_networks() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return base::errno_error("cannot list interfaces", errno);
  std::set<std::pair<Address, unsigned>> out;
  for (const ifaddrs* each = list; each; each = each->ifa_next) {
    if (!each->ifa_addr || !each->ifa_netmask || (each->ifa_flags & IFF_LOOPBACK)) continue;
    Address address, mask;
    if (each->ifa_addr->sa_family == AF_INET) {
      address = from_bytes(
          {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in*>(each->ifa_addr)->sin_addr), 4});
      mask = from_bytes(
          {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in*>(each->ifa_netmask)->sin_addr), 4});
    } else if (each->ifa_addr->sa_family == AF_INET6) {
      address = from_bytes(
          {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in6*>(each->ifa_addr)->sin6_addr), 16});
      mask = from_bytes(
          {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in6*>(each->ifa_netmask)->sin6_addr), 16});
    } else {
      continue;
    }
    unsigned bits = 0;
    for (size_t i = 0; i < address.size(); ++i) {
      address.bytes[i] &= mask.bytes[i];
      bits += static_cast<unsigned>(std::popcount(mask.bytes[i]));
    }
    out.emplace(address, bits);
  }
  freeifaddrs(list);
  return std::vector<std::pair<Address, unsigned>>(out.begin(), out.end());
}

Address own_v6() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return {};
  Address out;
  for (const ifaddrs* each = list; each && !out; each = each->ifa_next) {
    if (!each->ifa_addr || each->ifa_addr->sa_family != AF_INET6 || (each->ifa_flags & IFF_LOOPBACK)) continue;
    const auto& in6 = reinterpret_cast<const sockaddr_in6*>(each->ifa_addr)->sin6_addr;
    if (IN6_IS_ADDR_LINKLOCAL(&in6)) continue;
    out = from_bytes({reinterpret_cast<const char*>(&in6), 16});
  }
  freeifaddrs(list);
  return out;
}

}  // namespace l4lb
