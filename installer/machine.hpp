#pragma once

// Questions about this machine, each a real probe, used before a cluster is started and after it
// has gone.

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "installer/cluster.hpp"

namespace installer {

/// The result of one probe: what was seen, and when that is bad, the command that mends it.
struct Finding {
  bool ok = true;
  std::string seen;
  std::string remedy{};
};

Machine this_machine();

Finding probe_root_user();
Finding probe_memory();

/// cgroup controllers, namespaces, overlayfs: what containers need of the kernel.
Finding probe_kernel();

/// Can containers have networks of their own: network namespaces, bridges, pairs of interfaces, packet filter rules. Tried
/// in a namespace that is gone afterwards.
Finding probe_networks();

/// Removes the interface; false: it is there and stays.
bool remove_interface(const std::string& name);

/// `root` exists or can be made, can be written and has room.
Finding probe_directory(const std::string& root);

/// Every port can be bound on `ip`. Names the process that holds a taken one.
Finding probe_ports(const std::string& ip, const std::vector<uint16_t>& ports);

struct PortOwner {
  pid_t pid = 0;
  std::string name;
};
std::optional<PortOwner> find_port_owner(uint16_t port);

/// Resident memory of a process in KiB: proportional set size, which counts shared pages once; 0
/// when it is gone.
uint64_t resident_kb(pid_t pid);

/// What a cluster left on the machine: processes in its cgroups, cgroups, mounts below its root.
struct Leftovers {
  std::vector<pid_t> processes;
  std::vector<std::string> cgroups;  // deepest first
  std::vector<std::string> mounts;   // deepest first
  bool none() const { return processes.empty() && cgroups.empty() && mounts.empty(); }
};
Leftovers find_leftovers(const ClusterPlan& plan);

/// Ends those processes (SIGKILL), unmounts, removes the cgroups; returns what is still there
/// afterwards.
Leftovers remove_leftovers(const ClusterPlan& plan);

}  // namespace installer
