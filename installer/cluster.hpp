#pragma once

// What a development cluster on one machine consists of (pure): which daemons with which arguments,
// on which ports, in which directories. Everything else in this folder reads this plan.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace installer {

/// What the user asked for.
struct ClusterOptions {
  std::string root = "/var/lib/dcos";  // absolute
  unsigned agents = 2;
  unsigned port_offset = 0;  // added to every port
  std::string ip = "127.0.0.1";
  std::string bin_dir;  // where the daemons' binaries are
  bool auth = true;     // the gateway wants a login
  bool l4lb = true;     // virtual addresses: rules in this machine's kernel
  bool networks = true;  // containers may have a network of their own: a bridge on this machine
  bool metronome = true;  // the second scheduler of jobs, with Metronome's API
  bool operator==(const ClusterOptions&) const = default;
};

/// The machine, as far as the plan depends on it.
struct Machine {
  unsigned cpus = 1;
  uint64_t memory_mb = 1024;
};

struct Daemon {
  std::string name;  // "master", "agent-1"
  std::vector<std::string> argv;
  std::string health_path;  // on address:port
  uint16_t port = 0;
  std::vector<uint16_t> other_ports{};
  int stop_signal = 0;      // what ends it when the cluster goes down
  unsigned stop_order = 0;  // lower ones stop first
  std::string cgroup{};     // agents: the root of their containers' cgroups
};

struct ClusterPlan {
  ClusterOptions options;
  std::vector<Daemon> daemons;  // in start order
  std::string gateway_url;
  std::string dns_address;  // where its names are asked for, port 53

  const Daemon* find(const std::string& name) const;
  std::vector<uint16_t> ports() const;
  std::string log_file(const std::string& daemon) const {
    return options.root + "/log/" + daemon + ".log";
  }
  /// Where the gateway finds the first user's password, once.
  std::string owner_password_file() const { return options.root + "/run/owner-password"; }
  /// The secret of the load balancers' gossip; made by `up`.
  std::string cluster_key_file() const { return options.root + "/l4lb/cluster.key"; }
  /// The table of the kernel's rules.
  std::string l4lb_table() const;
  /// Where the agents find the networks of containers; `up` writes the one there is.
  std::string networks_directory() const { return options.root + "/cni"; }
  /// The interface behind it, and its addresses: none that another cluster of this machine has.
  std::string bridge() const;
  std::string bridge_subnet() const;
  /// The network that apps with `container/bridge` are in, as a CNI configuration.
  std::string bridge_network() const;
  std::string socket() const { return options.root + "/run/supervisor.sock"; }
};

/// InvalidArgument when the options do not make a cluster: names the option and the fix.
base::Result<ClusterPlan> plan_cluster(const ClusterOptions& options, const Machine& machine);

}  // namespace installer
