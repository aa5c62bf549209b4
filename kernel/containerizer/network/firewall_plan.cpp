#include "kernel/containerizer/network/firewall_plan.hpp"

#include <fmt/format.h>

namespace containerizer::network {
namespace {

// A connection's first packet. What is not TCP has no such thing: there each packet goes by the rule of its direction.
constexpr const char* kOpening = "tcp flags & (fin | syn | rst | ack) == syn";

std::string port_list(const PolicyRule& rule, bool udp) {
  std::string out;
  for (const auto& range : rule.ports) {
    if (range.udp != udp) continue;
    out += (out.empty() ? "" : ", ") + std::to_string(range.first);
    if (range.last != range.first) out += "-" + std::to_string(range.last);
  }
  return out;
}

const char* suffix(bool v6) { return v6 ? "6" : "4"; }
const char* ip(bool v6) { return v6 ? "ip6" : "ip"; }

std::string set_name(size_t rule, bool from, bool v6) {
  return fmt::format("p{}{}{}", rule, from ? "f" : "t", suffix(v6));
}

}  // namespace

uint32_t agent_number(const std::string& directory) {
  uint32_t hash = 2166136261u;  // FNV-1a
  for (const char c : directory) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash == 0 ? 1 : hash;
}

std::string table_of(const std::string& directory) { return fmt::format("dcos_net_{:08x}", agent_number(directory)); }

size_t FirewallPlan::ports() const {
  size_t count = 0;
  for (const auto& [key, entry] : entries_) count += entry.ports.size();
  return count;
}

FirewallPlan::Elements FirewallPlan::elements_of(const FirewallEntry& entry) const {
  Elements out;
  const std::string inet = "inet " + table_ + " ", bridge = "bridge " + table_ + " ";
  bool mapped[2] = {false, false};
  for (const GivenAddress& given : entry.addresses) {
    out[inet + "members" + suffix(given.v6)].insert(given.address);
    if (entry.masquerade) out[inet + "hidden" + suffix(given.v6)].insert(given.address);
    // A host port leads to the first address of each family.
    if (!std::exchange(mapped[given.v6], true))
      for (const PortRule& port : entry.ports)
        out[inet + "ports" + suffix(given.v6)].insert(fmt::format("{} . {} : {} . {}", port.udp ? "udp" : "tcp",
                                                                  port.host_port, given.address, port.container_port));
    for (size_t i = 0; i < policy_.rules.size(); ++i)
      for (const bool from : {true, false}) {
        const auto& selector = from ? policy_.rules[i].from : policy_.rules[i].to;
        if (!selector || !selector->matches(entry.info)) continue;
        for (const auto& table : {inet, bridge}) out[table + set_name(i, from, given.v6)].insert(given.address);
      }
    if (policy_.empty()) continue;
    for (const auto& link : entry.host_links) {
      out[bridge + "links"].insert(fmt::format("\"{}\"", link));
      out[bridge + "own" + suffix(given.v6)].insert(fmt::format("\"{}\" . {}", link, given.address));
    }
  }
  for (const auto& subnet : entry.subnets)
    out[inet + "near" + suffix(subnet.find(':') != std::string::npos)].insert(fmt::format("{0} . {0}", subnet));
  if (!entry.gateway.empty() && !entry.name_server.empty())
    out[inet + "names4"].insert(entry.gateway + " : " + entry.name_server);
  if (!entry.bridge.empty()) out[inet + "bridges"].insert(fmt::format("\"{}\"", entry.bridge));
  return out;
}

FirewallPlan::Elements FirewallPlan::elements() const {
  Elements out;
  for (const auto& [key, entry] : entries_)
    for (auto& [name, elements] : elements_of(entry)) out[name].insert(elements.begin(), elements.end());
  return out;
}

namespace {

std::string commands(const char* verb, const std::map<std::string, std::set<std::string>>& all) {
  std::string out;
  for (const auto& [name, elements] : all) {
    if (elements.empty()) continue;
    out += fmt::format("{} element {} {{ ", verb, name);
    bool first = true;
    for (const auto& element : elements) {
      out += (first ? "" : ", ") + element;
      first = false;
    }
    out += " }\n";
  }
  return out;
}

void subtract(std::map<std::string, std::set<std::string>>& from,
              const std::map<std::string, std::set<std::string>>& what) {
  for (auto& [name, elements] : from)
    if (const auto other = what.find(name); other != what.end())
      for (const auto& element : other->second) elements.erase(element);
}

}  // namespace

/// Sets of both ends of each rule, and the chain that asks them.
std::string FirewallPlan::policy_structure(const char* family) const {
  std::string out;
  for (size_t i = 0; i < policy_.rules.size(); ++i)
    for (const bool from : {true, false})
      for (const bool v6 : {false, true})
        if (from ? policy_.rules[i].from.has_value() : policy_.rules[i].to.has_value())
          out += fmt::format("  set {} {{ type ipv{}_addr; }}\n", set_name(i, from, v6), v6 ? 6 : 4);
  out += "  chain judged {\n";
  for (size_t i = 0; i < policy_.rules.size(); ++i) {
    const PolicyRule& rule = policy_.rules[i];
    const char* verdict = rule.allow ? "accept" : "drop";
    for (const bool v6 : {false, true}) {
      std::string ends;
      if (rule.from) ends += fmt::format("{} saddr @{} ", ip(v6), set_name(i, true, v6));
      if (rule.to) ends += fmt::format("{} daddr @{} ", ip(v6), set_name(i, false, v6));
      if (rule.ports.empty()) {
        out += fmt::format("    {}{} {}\n    {}meta l4proto != tcp {}\n", ends, kOpening, verdict, ends, verdict);
        continue;
      }
      if (const std::string ports = port_list(rule, false); !ports.empty())
        out += fmt::format("    {}tcp dport {{ {} }} {} {}\n", ends, ports, kOpening, verdict);
      if (const std::string ports = port_list(rule, true); !ports.empty())
        out += fmt::format("    {}udp dport {{ {} }} {}\n", ends, ports, verdict);
    }
  }
  out += "  }\n";
  // Neighbours must find each other whatever the rules say. Answers pass where the kernel keeps track of connections.
  out += fmt::format(
      "  chain forwarded {{ type filter hook forward priority 0;\n"
      "    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept\n{}"
      "    jump judged\n  }}\n",
      std::string_view(family) == "inet" ? "    ct state established,related accept\n" : "");
  return out;
}

std::string FirewallPlan::structure() const {
  std::string out = fmt::format("table inet {} {{\n", table_);
  for (const bool v6 : {false, true}) {
    const std::string type = v6 ? "ipv6_addr" : "ipv4_addr";
    out += fmt::format("  map ports{0} {{ type inet_proto . inet_service : {1} . inet_service; }}\n", suffix(v6), type);
    out += fmt::format("  set members{0} {{ type {1}; }}\n  set hidden{0} {{ type {1}; }}\n", suffix(v6), type);
    out += fmt::format("  set near{0} {{ type {1} . {1}; flags interval; }}\n", suffix(v6), type);
  }
  out += "  set bridges { type ifname; }\n  map names4 { type ipv4_addr : ipv4_addr; }\n";
  // The machine's own 127.0.0.1 stays its own: containers cannot send there although their bridge may route it.
  out += "  chain guard { type filter hook prerouting priority -300; iifname @bridges ip daddr 127.0.0.0/8 drop; }\n";
  out +=
      "  chain mapped {\n"
      "    fib daddr type local dnat ip to meta l4proto . th dport map @ports4\n"
      "    fib daddr type local dnat ip6 to meta l4proto . th dport map @ports6\n"
      "  }\n"
      "  chain nat_pre {\n"
      "    type nat hook prerouting priority -100;\n"
      "    iifname @bridges meta l4proto { tcp, udp } th dport 53 dnat ip to ip daddr map @names4\n"
      "    jump mapped;\n"
      "  }\n"
      "  chain nat_out { type nat hook output priority -100; jump mapped; }\n";
  // What came to a container through a host port from the machine's own loopback, or from the container's own network,
  // gets an address that its answer finds back through here.
  out +=
      "  chain nat_post { type nat hook postrouting priority 100;\n"
      "    ct status dnat ip saddr 127.0.0.0/8 ip daddr @members4 masquerade\n"
      "    ct status dnat ip saddr . ip daddr @near4 masquerade\n"
      "    ct status dnat ip6 saddr . ip6 daddr @near6 masquerade\n"
      "    ip saddr @hidden4 ip daddr != 224.0.0.0/4 ip saddr . ip daddr != @near4 masquerade\n"
      "    ip6 saddr @hidden6 ip6 daddr != ff00::/8 ip6 saddr . ip6 daddr != @near6 masquerade\n"
      "  }\n";
  if (policy_.empty()) return out + "}\n";
  out += policy_structure("inet") + "}\n";
  out += fmt::format("table bridge {} {{\n  set links {{ type ifname; }}\n", table_);
  out += "  set own4 { type ifname . ipv4_addr; }\n  set own6 { type ifname . ipv6_addr; }\n";
  out += policy_structure("bridge");
  // With a policy an address says who one is: nobody may use another's.
  out +=
      "  chain honest { type filter hook prerouting priority -200;\n"
      "    iifname @links ether type ip iifname . ip saddr != @own4 drop\n"
      "    iifname @links ether type arp iifname . arp saddr ip != @own4 drop\n"
      "    iifname @links ether type ip6 ip6 saddr != { fe80::/10, :: } iifname . ip6 saddr != @own6 drop\n"
      "  }\n}\n";
  return out;
}

std::string FirewallPlan::full() const {
  // Added first, so that deleting works in any case.
  std::string out;
  for (const char* family : {"inet", "bridge"})
    out += fmt::format("add table {0} {1}\ndelete table {0} {1}\n", family, table_);
  if (entries_.empty()) return out;
  return out + structure() + commands("add", elements());
}

std::string FirewallPlan::set(const std::string& key, FirewallEntry entry) {
  std::string out;
  if (entries_.contains(key)) out = remove(key);
  const bool first = entries_.empty();
  Elements added = elements_of(entry);
  subtract(added, elements());
  entries_[key] = std::move(entry);
  return first ? full() : out + commands("add", added);
}

std::string FirewallPlan::remove(const std::string& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return "";
  Elements gone = elements_of(found->second);
  entries_.erase(found);
  if (entries_.empty()) return full();
  // What others have too stays: bridges, networks, and what two rules have in common.
  subtract(gone, elements());
  return commands("delete", gone);
}

}  // namespace containerizer::network
