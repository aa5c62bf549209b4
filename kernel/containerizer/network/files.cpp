#include "kernel/containerizer/network/files.hpp"

#include "base/strings.hpp"

namespace containerizer::network {

std::string render_hosts(const std::string& host_name, const std::vector<GivenAddress>& addresses,
                         const std::vector<std::string>& extra) {
  std::string out = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  for (const auto& address : addresses) out += address.address + "\t" + host_name + "\n";
  // Without an address the name still means this machine.
  if (addresses.empty()) out += "127.0.0.1\t" + host_name + "\n";
  for (const auto& line : extra) out += line + "\n";
  return out;
}

DnsSettings parse_resolv_conf(std::string_view text) {
  DnsSettings out;
  for (const auto line : base::split(text, '\n')) {
    const std::string plain = base::replace_all(line, "\t", " ");
    const auto words = base::tokenize(plain, ' ');
    if (words.size() < 2) continue;
    if (words[0] == "nameserver" && out.nameservers.size() < 3) out.nameservers.emplace_back(words[1]);
    if (words[0] == "search") out.search.assign(words.begin() + 1, words.end());
    if (words[0] == "options") out.options.insert(out.options.end(), words.begin() + 1, words.end());
  }
  return out;
}

std::string loopback_server(const DnsSettings& settings) {
  for (const auto& server : settings.nameservers)
    if (server.starts_with("127.")) return server;
  return "";
}

std::string choose_resolv_conf(const DnsSettings& asked, const DnsSettings& from_plugins,
                               const DnsSettings* from_operator, const std::string& machines,
                               const std::string& gateway) {
  DnsSettings chosen = !from_plugins.nameservers.empty() ? from_plugins
                       : from_operator != nullptr        ? *from_operator
                                                         : parse_resolv_conf(machines);
  if (!asked.nameservers.empty()) chosen.nameservers = asked.nameservers;
  if (!asked.search.empty()) chosen.search = asked.search;
  if (!asked.options.empty()) chosen.options = asked.options;
  bool relayed = gateway.empty();
  std::erase_if(chosen.nameservers, [&](std::string& server) {
    if (!server.starts_with("127.") && server != "::1") return false;
    if (relayed || server == "::1") return true;
    relayed = true;
    server = gateway;
    return false;
  });
  return render_resolv_conf(chosen);
}

}  // namespace containerizer::network
