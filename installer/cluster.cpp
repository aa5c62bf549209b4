#include "installer/cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

namespace installer {

namespace {

constexpr unsigned kMasterPort = 5050, kLinkPort = 6050, kAgentPort = 5051, kMarathonPort = 8080,
                   kUniversePort = 7070, kChronosPort = 4400, kMetronomePort = 9000,
                   kDnsHttpPort = 8123, kGatewayPort = 80,
                   kL4lbPort = 62080, kGossipPort = 62501, kL4lbOffsetPort = 2062;
constexpr unsigned kAgentsMax = 50;

/// Containers of two clusters on one machine must not share cgroups: the root directory tells them
/// apart.
uint32_t root_hash(const std::string& root) {
  uint32_t hash = 2166136261u;  // FNV-1a
  for (char c : root) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

std::string cgroup_root(const std::string& root, unsigned agent) {
  return fmt::format("dcos-{:08x}-{}", root_hash(root), agent);
}

/// Agents of all clusters on this machine need port ranges of their own. A cluster has 1,000 ports:
/// 31000-31999 without offset, a lower thousand for each further hundred of the offset.
std::string port_range(const ClusterOptions& options, unsigned agent) {
  const unsigned first = 31000 - 1000 * ((options.port_offset / 100) % 20);
  const unsigned each = 1000 / options.agents;
  return fmt::format("[{}-{}]", first + agent * each, first + (agent + 1) * each - 1);
}

/// An address of the machine itself for each offset: names of two clusters never meet, and port 53 of
/// the machine's other addresses stays whose it is.
std::string dns_address(const ClusterOptions& options) {
  return fmt::format("127.53.{}.{}", options.port_offset / 250, options.port_offset % 250 + 1);
}

Daemon dns_daemon(const ClusterOptions& o) {
  Daemon daemon;
  daemon.name = "dns";
  daemon.port = static_cast<uint16_t>(kDnsHttpPort + o.port_offset);
  daemon.health_path = "/health";
  daemon.stop_signal = SIGTERM;
  daemon.stop_order = 3;
  daemon.argv = {o.bin_dir + "/dcos-dns",
                 fmt::format("--masters={}:{}", o.ip, kMasterPort + o.port_offset),
                 "--listener=" + dns_address(o),
                 "--port=53",
                 "--http_listener=" + o.ip,
                 fmt::format("--http_port={}", daemon.port),
                 "--resolvers="};  // those of the machine that are not its own
  return daemon;
}

/// Tasks ask the cluster's name service, in a resolv.conf of their own.
std::string container_dns(const ClusterOptions& o) {
  // Containers on the bridge cannot reach an address of the machine's loopback: the agent leads them there.
  const std::string dns = fmt::format(R"({{"nameservers":["{}"],"options":["timeout:2"]}})", dns_address(o));
  return fmt::format(R"({{"mesos":[{{"network_mode":"HOST","dns":{0}}},{{"network_mode":"CNI","dns":{0}}}]}})", dns);
}

Daemon agent_daemon(const ClusterOptions& o, const Machine& machine, unsigned index) {
  const std::string name = fmt::format("agent-{}", index + 1);
  const auto port = static_cast<uint16_t>(kAgentPort + index + o.port_offset);
  // Development machines are small and development tasks idle: each agent offers at least four
  // CPUs.
  const unsigned cpus = std::max(4u, machine.cpus / o.agents);
  const uint64_t memory = std::max<uint64_t>(
      1024, (machine.memory_mb - std::min<uint64_t>(machine.memory_mb / 4, 2048)) / o.agents);
  Daemon daemon;
  daemon.name = name;
  daemon.port = port;
  daemon.health_path = "/health";
  daemon.stop_signal = SIGUSR1;  // leave the cluster: ends the tasks
  daemon.stop_order = 2;
  daemon.cgroup = cgroup_root(o.root, index + 1);
  daemon.argv = {o.bin_dir + "/dcos-agent",
                 fmt::format("--master={}:{}", o.ip, kMasterPort + o.port_offset),
                 "--ip=" + o.ip,
                 fmt::format("--port={}", port),
                 "--hostname=" + o.ip,
                 fmt::format("--work_dir={}/{}", o.root, name),
                 fmt::format("--runtime_dir={}/run/{}", o.root, name),
                 fmt::format("--resources=cpus:{};mem:{};disk:{};ports:{}", cpus, memory, 10240,
                             port_range(o, index)),
                 fmt::format("--attributes=rack:r{}", index + 1),
                 "--default_container_dns=" + container_dns(o),
                 "--container_logger=org_apache_mesos_LogrotateContainerLogger",
                 "--cgroups_root=" + daemon.cgroup};
  if (o.networks) daemon.argv.push_back(fmt::format("--network_cni_config_dir={}/cni", o.root));
  return daemon;
}

/// One for all agents of this machine. Two clusters share neither rules nor addresses: the table is named after the root,
/// and an offset has a part of the range to itself.
Daemon metronome_daemon(const ClusterOptions& o) {
  const auto port = [&](unsigned base_port) { return static_cast<uint16_t>(base_port + o.port_offset); };
  Daemon daemon;
  daemon.name = "metronome";
  daemon.port = port(kMetronomePort);
  daemon.health_path = "/ping";
  daemon.stop_signal = SIGTERM;
  daemon.stop_order = 1;
  daemon.argv = {
      o.bin_dir + "/dcos-metronome", fmt::format("--mesos_master_url={}:{}", o.ip, port(kMasterPort)),
      "--http_address=" + o.ip,      fmt::format("--http_port={}", daemon.port),
      "--hostname=" + o.ip,          fmt::format("--data_dir={}/metronome", o.root)};
  return daemon;
}

Daemon l4lb_daemon(const ClusterOptions& o, const ClusterPlan& plan) {
  Daemon daemon;
  daemon.name = "l4lb";
  // The usual ports are so high that an offset leads past the last one.
  daemon.port = static_cast<uint16_t>(o.port_offset == 0 ? kL4lbPort : kL4lbOffsetPort + o.port_offset);
  const unsigned gossip = o.port_offset == 0 ? kGossipPort : kL4lbOffsetPort - 1 + o.port_offset;
  daemon.health_path = "/v1/version";
  daemon.stop_signal = SIGUSR1;  // removes its rules
  daemon.stop_order = 3;
  std::string agents;
  for (const Daemon& other : plan.daemons)
    if (other.name.starts_with("agent-"))
      agents += fmt::format("{}http://{}:{}", agents.empty() ? "" : ",", o.ip, other.port);
  const unsigned part = o.port_offset / 100;
  daemon.argv = {o.bin_dir + "/dcos-l4lb",
                 "--ip=" + o.ip,
                 "--hostname=" + o.ip,
                 "--rest_ip=" + o.ip,
                 fmt::format("--rest_port={}", daemon.port),
                 fmt::format("--gossip_port={}", gossip),
                 "--agents=" + agents,
                 "--cluster_key_file=" + plan.cluster_key_file(),
                 "--table=" + plan.l4lb_table(),
                 fmt::format("--data_dir={}/l4lb", o.root)};
  if (o.port_offset != 0) {
    daemon.argv.push_back(fmt::format("--min_named_ip=11.{}.0.0", part));
    daemon.argv.push_back(fmt::format("--max_named_ip=11.{}.255.255", part));
  }
  return daemon;
}

/// Tells the gateway of the daemons that are in the plan and that it routes to by address.
void add_routes(const ClusterPlan& plan, std::vector<std::string>& gateway_argv) {
  struct Row {
    const char* daemon;
    const char* flag;
  };
  for (const Row& row : {Row{"marathon", "marathon"}, Row{"universe", "package"},
                         Row{"dns", "mesos_dns"}, Row{"l4lb", "net"}}) {
    if (const Daemon* daemon = plan.find(row.daemon))
      gateway_argv.push_back(fmt::format("--{}={}:{}", row.flag, plan.options.ip, daemon->port));
  }
}

/// The name service answers for virtual addresses when somebody gives them.
void tell_dns_of_vips(ClusterPlan& plan) {
  const Daemon* l4lb = plan.find("l4lb");
  for (Daemon& daemon : plan.daemons) {
    if (daemon.name == "dns" && l4lb != nullptr)
      daemon.argv.push_back(fmt::format("--l4lb=http://{}:{}", plan.options.ip, l4lb->port));
  }
}

}  // namespace

std::string ClusterPlan::l4lb_table() const {
  return fmt::format("dcos_l4lb_{:08x}", root_hash(options.root));
}

std::string ClusterPlan::bridge() const {
  return options.port_offset == 0 ? "ucr-br0" : fmt::format("ucr-br{}", options.port_offset);
}

std::string ClusterPlan::bridge_subnet() const {
  return fmt::format("172.31.{}.0/24", 254 - options.port_offset / 100 % 250);
}

std::string ClusterPlan::bridge_network() const {
  return fmt::format(R"({{
  "name": "mesos-bridge",
  "type": "mesos-cni-port-mapper",
  "cniVersion": "0.4.0",
  "delegate": {{
    "type": "bridge",
    "bridge": "{}",
    "isDefaultGateway": true,
    "ipMasq": true,
    "hairpinMode": true,
    "ipam": {{
      "type": "host-local",
      "subnet": "{}",
      "dataDir": "{}/run/cni-leases"
    }}
  }}
}}
)",
                     bridge(), bridge_subnet(), options.root);
}

const Daemon* ClusterPlan::find(const std::string& name) const {
  for (const Daemon& daemon : daemons) {
    if (daemon.name == name) return &daemon;
  }
  return nullptr;
}

std::vector<uint16_t> ClusterPlan::ports() const {
  std::vector<uint16_t> out;
  for (const Daemon& daemon : daemons) {
    out.push_back(daemon.port);
    out.insert(out.end(), daemon.other_ports.begin(), daemon.other_ports.end());
  }
  std::sort(out.begin(), out.end());
  return out;
}

base::Result<ClusterPlan> plan_cluster(const ClusterOptions& o, const Machine& machine) {
  if (o.agents < 1 || o.agents > kAgentsMax) {
    return base::invalid(
        fmt::format("--agents={}: give a number from 1 to {}", o.agents, kAgentsMax));
  }
  if (o.port_offset > 20'000) {
    return base::invalid(fmt::format(
        "--port-offset={}: give a number from 0 to 20000, best a multiple of 100", o.port_offset));
  }
  if (o.root.empty() || o.root.front() != '/' || o.root == "/") {
    return base::invalid("--root=" + o.root +
                         ": give an absolute directory of its own, such as /var/lib/dcos");
  }
  if (!o.auth && !o.ip.starts_with("127.")) {
    return base::invalid("--auth=off: " + o.ip + " can be reached from other machines");
  }
  ClusterPlan plan;
  plan.options = o;
  plan.dns_address = dns_address(o);
  const auto port = [&](unsigned base_port) {
    return static_cast<uint16_t>(base_port + o.port_offset);
  };

  Daemon master;
  master.name = "master";
  master.port = port(kMasterPort);
  master.other_ports = {port(kLinkPort)};
  master.health_path = "/health";
  master.stop_signal = SIGTERM;
  master.stop_order = 3;
  master.argv = {o.bin_dir + "/dcos-master",
                 "--ip=" + o.ip,
                 fmt::format("--port={}", master.port),
                 fmt::format("--agent_link_port={}", port(kLinkPort)),
                 "--hostname=" + o.ip,
                 fmt::format("--work_dir={}/master", o.root),
                 "--cluster=dev"};
  plan.daemons.push_back(std::move(master));

  for (unsigned i = 0; i < o.agents; ++i) plan.daemons.push_back(agent_daemon(o, machine, i));

  plan.daemons.push_back(dns_daemon(o));

  Daemon marathon;
  marathon.name = "marathon";
  marathon.port = port(kMarathonPort);
  marathon.health_path = "/ping";
  marathon.stop_signal = SIGTERM;
  marathon.stop_order = 1;  // first, so that it does not restart what the agents end
  marathon.argv = {
      o.bin_dir + "/dcos-marathon", fmt::format("--master={}:{}", o.ip, port(kMasterPort)),
      "--http_address=" + o.ip,     fmt::format("--http_port={}", marathon.port),
      "--hostname=" + o.ip,         fmt::format("--data_dir={}/marathon", o.root),
      "--mesos_role=marathon"};  // one that resources can be reserved for: apps may have persistent volumes
  plan.daemons.push_back(std::move(marathon));

  Daemon universe;
  universe.name = "universe";
  universe.port = port(kUniversePort);
  universe.health_path = "/health";
  universe.stop_signal = SIGTERM;
  universe.stop_order = 1;
  universe.argv = {o.bin_dir + "/dcos-universe",
                   "--ip=" + o.ip,
                   fmt::format("--port={}", universe.port),
                   fmt::format("--marathon={}:{}", o.ip, port(kMarathonPort)),
                   fmt::format("--master={}:{}", o.ip, port(kMasterPort)),
                   fmt::format("--data_dir={}/universe", o.root)};
  plan.daemons.push_back(std::move(universe));

  Daemon chronos;
  chronos.name = "chronos";
  chronos.port = port(kChronosPort);
  chronos.health_path = "/ping";
  chronos.stop_signal = SIGTERM;
  chronos.stop_order = 1;
  chronos.argv = {
      o.bin_dir + "/dcos-chronos", fmt::format("--master={}:{}", o.ip, port(kMasterPort)),
      "--http_address=" + o.ip,    fmt::format("--http_port={}", chronos.port),
      "--hostname=" + o.ip,        fmt::format("--data_dir={}/chronos", o.root)};
  plan.daemons.push_back(std::move(chronos));
  if (o.metronome) plan.daemons.push_back(metronome_daemon(o));

  if (o.l4lb) {
    Daemon l4lb = l4lb_daemon(o, plan);
    plan.daemons.push_back(std::move(l4lb));
  }

  Daemon gateway;
  gateway.name = "gateway";
  gateway.port = port(kGatewayPort);
  gateway.health_path = "/health";
  gateway.stop_signal = SIGTERM;
  gateway.stop_order = 4;
  gateway.argv = {o.bin_dir + "/dcos-admin-router",
                  "--ip=" + o.ip,
                  fmt::format("--port={}", gateway.port),
                  fmt::format("--master={}:{}", o.ip, port(kMasterPort)),
                  fmt::format("--data_dir={}/gateway", o.root),
                  o.auth ? "--auth=on" : "--auth=off"};
  if (o.auth) gateway.argv.push_back("--owner_password_file=" + plan.owner_password_file());
  add_routes(plan, gateway.argv);
  tell_dns_of_vips(plan);
  plan.gateway_url =
      gateway.port == 80 ? "http://" + o.ip : fmt::format("http://{}:{}", o.ip, gateway.port);
  plan.daemons.push_back(std::move(gateway));
  return plan;
}

}  // namespace installer
