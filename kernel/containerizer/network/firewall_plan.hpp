#pragma once

// The agent's rules in the kernel as text (pure): host ports that lead into containers, addresses that hide behind the
// machine's, and who may connect to whom. One table of the agent's own, by its name; with a policy one more of that
// name in the bridge family, which packets between two ports of one bridge do not get past.

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kernel/containerizer/network/policy.hpp"
#include "kernel/containerizer/network/result.hpp"

namespace containerizer::network {

struct PortRule {
  bool udp = false;
  uint16_t host_port = 0, container_port = 0;
  bool operator==(const PortRule&) const = default;
};

/// One network of one container, as far as rules go.
struct FirewallEntry {
  mesos::v1::NetworkInfo info{};  // name and labels, for the policy
  std::vector<GivenAddress> addresses{};
  std::vector<PortRule> ports{};          // that lead to its addresses
  bool masquerade = false;                // seen from outside its networks as the machine
  std::vector<std::string> subnets{};     // "172.31.254.0/24": its neighbours'
  std::string bridge{};                   // that it hangs on; empty: unknown
  std::vector<std::string> host_links{};  // interfaces of it alone on the machine's side
  std::string gateway{},
      name_server{};  // IPv4: names asked at the one are answered by the other, at a loopback address
};

class FirewallPlan {
 public:
  explicit FirewallPlan(std::string table, Policy policy = {}) : table_(std::move(table)), policy_(std::move(policy)) {}

  /// Takes the entry in and tells the transaction; the first one makes the tables.
  std::string set(const std::string& key, FirewallEntry entry);

  /// The transaction that takes it out; the last one takes the tables away. Empty: nothing to do.
  std::string remove(const std::string& key);

  /// Everything anew, in place of what there is, in one transaction. Without entries: no tables.
  std::string full() const;

  using Elements = std::map<std::string, std::set<std::string>>;  // "inet dcos_net_x ports4" -> elements

  /// What the sets and maps of the tables have in them.
  Elements elements() const;

  void forget_all() { entries_.clear(); }
  bool empty() const { return entries_.empty(); }
  size_t ports() const;
  const std::map<std::string, FirewallEntry>& entries() const { return entries_; }

 private:
  Elements elements_of(const FirewallEntry& entry) const;
  std::string structure() const;
  std::string policy_structure(const char* family) const;

  std::string table_;
  Policy policy_;
  std::map<std::string, FirewallEntry> entries_;
};

/// The number of the agent whose records lie in that directory: its interfaces on the machine's side are in the group of that
/// number. Never 0.
uint32_t agent_number(const std::string& directory);

/// Its table.
std::string table_of(const std::string& directory);

}  // namespace containerizer::network
