#pragma once

// Talks to the kernel: rules by libnftables in this process, routes and generation numbers by netlink, flows by
// libnetfilter_conntrack. Everything blocks: on a thread of the pool, one call at a time.

#include <map>
#include <string>
#include <vector>

#include "base/nft.hpp"
#include "base/result.hpp"
#include "l4lb/dataplane/nft_plan.hpp"

namespace l4lb {

class Nft {
 public:
  /// All of it happens or none.
  base::Status run(const std::string& script);

  /// The table without elements, as text; NotFound when there is no such table.
  base::Result<std::string> structure(const std::string& table);

  /// Elements of a map or set as key -> value, in element_key form.
  base::Result<std::map<std::string, std::string>> elements(const std::string& table, const std::string& name,
                                                            bool is_map);

  /// What the kernel counts up at every change of any table.
  base::Result<uint32_t> generation();

 private:
  base::Nft nft_;
};

/// Routes that lead packets for virtual addresses into this machine, so that they meet the rules.
struct RouteOptions {
  uint32_t metric = 0;  // tells the routes of several tables on one machine apart
  Address source4, source6;
};
struct Route {
  Address address;
  unsigned bits = 0;
  auto operator<=>(const Route&) const = default;
};

/// The fewest prefixes that cover the range.
std::vector<Route> cover(uint32_t first, uint32_t last);

/// Adds what is missing, removes what is ours (by metric and protocol) and not wanted. Returns how many it changed.
base::Result<int> sync_routes(const RouteOptions& options, const std::vector<Route>& wanted);

/// Networks of this machine's interfaces, loopback left out.
base::Result<std::vector<std::pair<Address, unsigned>>> own_networks();

/// The first global IPv6 address of an interface other than loopback; none when there is none.
Address own_v6();

/// Forgets the flows; returns how many there were.
base::Result<int> delete_flows(const std::vector<StaleFlows>& flows);

}  // namespace l4lb
