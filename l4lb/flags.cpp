#include "l4lb/flags.hpp"

#include <unistd.h>

#include <climits>

#include "base/file.hpp"
#include "base/http/client.hpp"
#include "base/strings.hpp"
#include "l4lb/dataplane/nft_plan.hpp"

namespace l4lb {
namespace {

std::string own_hostname() {
  char name[HOST_NAME_MAX + 1] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

void fill(base::FlagTable& t, Flags& f) {
  t.section("This machine");
  t.add(&f.ip, "ip", "Its address, as backends on other machines and gossip reach it.");
  t.add(&f.hostname, "hostname", "Its name (default: the system's).");
  t.add(&f.agents, "agents", "URLs of its agents, such as http://10.0.0.1:5051, separated by commas.");
  t.section("Gossip");
  t.add(&f.gossip_address, "gossip_address", "Where to listen for datagrams (default: --ip).");
  t.add(&f.gossip_port, "gossip_port", "The UDP port; 0 takes a free one.");
  t.add(&f.peers, "peers", "ip:port of some others, separated by commas; the rest is learned.");
  t.add(&f.cluster_key_file, "cluster_key_file", "A file with the cluster's key: 64 hexadecimal digits, mode 0600.");
  t.add(&f.probe_interval, "probe_interval", "Between two probes of other machines.");
  t.section("Virtual addresses");
  t.add(&f.min_named_ip, "min_named_ip", "The first address for names.");
  t.add(&f.max_named_ip, "max_named_ip", "The last one. The same range on every machine of the cluster.");
  t.add(&f.dataplane, "dataplane", "nft: forward by the kernel's rules; none: only take part and tell.");
  t.add(&f.table, "table", "The name of the nftables table; another cluster on the machine needs another.");
  t.add(&f.reconcile_interval, "reconcile_interval",
        "How often the kernel's rules are compared with what they should be.");
  t.add(&f.cleanup, "cleanup", "Remove table and routes, and end.");
  t.add(&f.cleanup_on_exit, "cleanup_on_exit", "Remove them at an orderly end. They stay after a crash in any case.");
  t.section("HTTP and state");
  t.add(&f.rest_ip, "rest_ip", "The address to listen on.");
  t.add(&f.rest_port, "rest_port", "The port; 0 takes a free one.");
  t.add(&f.data_dir, "data_dir", "The directory of the store.");
  t.add(&f.agents_wait, "agents_wait", "So long after a start entries of agents that do not answer are kept.");
  t.add(&f.logging_level, "logging_level", "debug, info, warn or error.");
}

base::Status check(const Flags& f) {
  if (!valid_table_name(f.table)) return base::invalid("--table=" + f.table + ": letters, digits and '_', at most 32");
  if (f.cleanup) return {};
  if (f.cluster_key_file.empty())
    return base::invalid(
        "--cluster_key_file is missing: name a file with 64 hexadecimal digits, the same on all machines of the cluster");
  const auto ip = parse_address(f.ip);
  if (!ip) return base::invalid("--ip=" + f.ip + " is not an address");
  if (!f.gossip_address.empty() && !parse_address(f.gossip_address))
    return base::invalid("--gossip_address=" + f.gossip_address + " is not an address");
  const auto first = parse_address(f.min_named_ip), last = parse_address(f.max_named_ip);
  if (!first || !first->v4()) return base::invalid("--min_named_ip=" + f.min_named_ip + " is not an IPv4 address");
  if (!last || !last->v4()) return base::invalid("--max_named_ip=" + f.max_named_ip + " is not an IPv4 address");
  if (first->to_v4() + 2 > last->to_v4())
    return base::invalid("--min_named_ip must be below --max_named_ip by at least 2");
  if (f.dataplane != "nft" && f.dataplane != "none") return base::invalid("--dataplane must be nft or none");
  if (f.probe_interval < base::milliseconds(50)) return base::invalid("--probe_interval must be at least 50ms");
  for (const auto peer : base::tokenize(f.peers, ','))
    if (!parse_endpoint(base::trim(peer)))
      return base::invalid("--peers: " + std::string(peer) + " is not address:port");
  for (const std::string& agent : f.agent_list())
    if (!base::http::Url::parse(agent)) return base::invalid("--agents: " + agent + " is not a URL");
  return {};
}

}  // namespace

std::vector<std::string> Flags::agent_list() const {
  std::vector<std::string> out;
  for (const auto agent : base::tokenize(agents, ',')) out.emplace_back(base::trim(agent));
  return out;
}

Endpoint Flags::gossip() const { return {*parse_address(ip), gossip_port}; }

uint32_t Flags::route_metric() const { return 1000 + static_cast<uint32_t>(hash_text(table) % 1'000'000); }

Policy Flags::policy() const {
  Policy p;
  p.swim.period = probe_interval;
  p.swim.timeout = probe_interval * 2 / 5;
  for (const auto peer : base::tokenize(peers, ',')) p.swim.seeds.push_back(*parse_endpoint(base::trim(peer)));
  p.names.first = parse_address(min_named_ip)->to_v4();
  p.names.last = parse_address(max_named_ip)->to_v4();
  p.agents = agent_list();
  p.agents_wait = agents_wait;
  return p;
}

base::Result<Flags> Flags::parse(int argc, const char* const* argv, const base::FlagTable::Environment& environment,
                                 std::string& help, bool& wants_help) {
  Flags flags;
  base::FlagTable table("dcos-l4lb", "Virtual addresses for the services of a cluster, on every machine of it.",
                        "L4LB_");
  fill(table, flags);
  const auto parsed =
      table.parse(argc, argv, environment, [](const std::string& path) { return base::read_file(path); });
  help = table.help();
  wants_help = table.help_requested();
  if (wants_help) return flags;
  if (!parsed) return parsed.error();
  RETURN_IF_ERROR(check(flags));
  if (flags.hostname.empty()) flags.hostname = own_hostname();
  return flags;
}

}  // namespace l4lb
