// What an audit finds of networks: records, interfaces, rules, leases and mounts that no container of the agent needs, and
// what those that run lack.

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/netlink.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/network/bridge.hpp"
#include "kernel/containerizer/network/networks.hpp"
#include "kernel/containerizer/network/space.hpp"

namespace containerizer::network {
namespace {

const char* const kRetried = "the agent asks the plugins again every 30 s, and when it starts";

/// Where the networks' leases are, as far as they are files of host-local's kind.
void add_lease_directories(const NetworkConfig& config, std::set<std::string>& out) {
  for (const auto& plugin : config.plugins) {
    const auto value = base::json::parse(plugin.json);
    if (!value) continue;
    for (const std::string at : {"/ipam", "/delegate/ipam"}) {
      if (base::json::get_string(*value, at + "/type").value_or("") != "host-local") continue;
      out.insert(base::json::get_string(*value, at + "/dataDir").value_or(kLeaseDirectory) + "/" + config.name);
    }
  }
}

/// Names of the machine's interfaces in the group of that number.
Result<std::set<std::string>> links_of(uint32_t number) {
  ASSIGN_OR_RETURN(auto netlink, base::Netlink::open(NETLINK_ROUTE));
  base::NetlinkMessage message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP);
  message.body(ifinfomsg{});
  std::set<std::string> out;
  RETURN_IF_ERROR(netlink.ask(std::move(message), [&](const nlmsghdr& header) {
    if (header.nlmsg_type != RTM_NEWLINK) return;
    std::string name;
    uint32_t group = 0;
    for (const auto& [type, value] : base::attributes(header, sizeof(ifinfomsg))) {
      if (type == IFLA_IFNAME) name = std::string(value.substr(0, value.find('\0')));
      if (type == IFLA_GROUP && value.size() == sizeof group) memcpy(&group, value.data(), sizeof group);
    }
    if (group == number) out.insert(std::move(name));
  }));
  return out;
}

/// What the kernel has in the sets of a table, in the plan's words. Missing: nothing.
Result<FirewallPlan::Elements> kernel_elements(base::Nft& nft, const std::string& family, const std::string& table) {
  FirewallPlan::Elements out;
  auto listed = nft.run("list table " + family + " " + table);
  if (!listed && listed.error().code == base::Code::NotFound) return out;
  if (!listed) return listed.error();
  std::string set;
  for (size_t at = 0; at < listed->size();) {
    const size_t end = std::min(listed->find('\n', at), listed->size());
    const auto words = base::tokenize(std::string_view(*listed).substr(at, end - at), ' ');
    const std::string_view line = base::trim(std::string_view(*listed).substr(at, end - at));
    at = end + 1;
    if (line.starts_with("set ") || line.starts_with("map ")) {
      set = std::string(base::tokenize(line, ' ')[1]);
      out[family + " " + table + " " + set];
    }
    if (!line.starts_with("elements = {")) continue;
    const size_t open = listed->find('{', at - 1 - line.size()), close = listed->find('}', open);
    if (open == std::string::npos || close == std::string::npos) break;
    for (const auto element : base::split(std::string_view(*listed).substr(open + 1, close - open - 1), ','))
      out[family + " " + table + " " + set].insert(std::string(base::trim(element)));
    at = close + 1;
  }
  return out;
}

/// The plan's elements as the kernel prints them.
std::string as_printed(std::string element) {
  if (element.starts_with("tcp ")) element.replace(0, 3, "6");
  if (element.starts_with("udp ")) element.replace(0, 3, "17");
  return element;
}

/// Sets whose elements are of one container each. The others hold what several have in common.
bool own(const std::string& set) {
  const std::string name = set.substr(set.rfind(' ') + 1);
  return name.starts_with("ports") || name.starts_with("members") || name.starts_with("hidden") || name.starts_with("own");
}

}  // namespace

void Networks::audit_records(const std::set<std::string>& known, const std::set<std::string>& running, Findings& out) const {
  const auto recorded = list();
  const std::set<std::string> there(recorded.begin(), recorded.end());
  for (const auto& id : there)
    if (!known.contains(id)) out.push_back({"network record", id, kRetried});
  for (const auto& id : forgotten())
    out.push_back({"network record", id, "of a container that ended with the machine: the agent gives its networks back when it starts"});
  for (const auto& id : there) {
    if (!running.contains(id)) continue;
    if (auto record = load(id); !record)
      out.push_back({"network record", id, record.error().message, true});
    else if (!has_space(directory_of(id) + "/ns"))
      out.push_back({"network namespace", directory_of(id) + "/ns", "of container " + id, true});
  }
}

void Networks::audit_links(const std::set<std::string>& known, const std::set<std::string>& running, Findings& out) const {
  std::map<std::string, std::string> wanted;  // name -> container
  for (const auto& id : known) {
    const auto record = load(id);
    if (!record) continue;
    for (const Link& link : record->links) wanted[host_link_name(id, link.interface)] = id;
  }
  const auto there = links_of(agent_number(options_.directory));
  if (!there) {
    out.push_back({"interface", "?", "cannot be listed: " + there.error().message, true});
    return;
  }
  for (const auto& name : *there)
    if (!wanted.contains(name)) out.push_back({"interface", name, "of a container that this agent does not know"});
  for (const auto& id : running) {
    const auto record = load(id);
    if (!record) continue;
    for (const Link& link : record->links) {
      const auto entry = firewall_entry(link, name_servers_);
      const std::string name = host_link_name(id, link.interface);
      // With a bridge it was made by this agent.
      if (entry && !entry->bridge.empty() && !there->contains(name))
        out.push_back({"interface", name, "of container " + id, true});
    }
  }
}

void Networks::audit_rules(const std::set<std::string>& known, const std::set<std::string>& running, Findings& out) const {
  const std::string table = table_of(options_.directory);
  const auto planned = [&](const std::set<std::string>& containers) {
    FirewallPlan plan(table, options_.policy);
    for (auto& [key, entry] : entries_of(containers)) (void)plan.set(key, std::move(entry));
    FirewallPlan::Elements elements;
    for (const auto& [set, all] : plan.elements())
      for (const auto& element : all) elements[set].insert(as_printed(element));
    return elements;
  };
  auto may = planned(known);
  const auto must = planned(running);
  base::Nft nft;
  FirewallPlan::Elements there;
  for (const char* family : {"inet", "bridge"}) {
    auto elements = kernel_elements(nft, family, table);
    if (!elements) {
      out.push_back({"rule", std::string(family) + " " + table, "cannot be listed: " + elements.error().message, true});
      return;
    }
    if (may.empty() && !elements->empty())
      out.push_back({"rule", std::string("table ") + family + " " + table, "no container of this agent has rules"});
    there.insert(elements->begin(), elements->end());
  }
  for (const auto& [set, elements] : there)
    for (const auto& element : elements)
      if (own(set) && !may[set].contains(element))
        out.push_back({"rule", set + ": " + element, "of a container that this agent does not know"});
  for (const auto& [set, elements] : must)
    for (const auto& element : elements)
      if (own(set) && !there[set].contains(element))
        out.push_back({"rule", set + ": " + element, "the agent makes all of them anew when it starts", true});
}

void Networks::audit_leases(const std::set<std::string>& known, const std::function<bool(const std::string&)>& ours,
                            Findings& out) const {
  std::set<std::string> directories;
  if (!options_.config_directory.empty())
    for (const auto& [name, config] : load_networks(options_.config_directory).networks) add_lease_directories(config, directories);
  for (const auto& id : list())
    if (const auto record = load(id))
      for (const Link& link : record->links) add_lease_directories(link.config, directories);
  for (const auto& directory : directories)
    for (const auto& lease : list_leases(directory))
      if (!known.contains(lease.container) && ours(lease.container))
        out.push_back({"lease", lease.path, "of container " + lease.container + ", interface " + lease.interface});
}

Findings Networks::audit(const std::set<std::string>& known, const std::set<std::string>& running,
                         const std::function<bool(const std::string&)>& ours) const {
  Findings out;
  audit_records(known, running, out);
  audit_links(known, running, out);
  audit_rules(known, running, out);
  audit_leases(known, ours, out);
  return out;
}

}  // namespace containerizer::network
