#pragma once

// Which containers on the host's network listen on which ports, for the isolator network/ports. The kernel is asked for
// all listening sockets in one answer (sock_diag); processes are looked into only when a socket was not seen before.
// Blocks; one call at a time.

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kernel/containerizer/types.hpp"

namespace containerizer::network {

using PortRanges = std::vector<std::pair<uint16_t, uint16_t>>;  // first to last

struct Listener {
  uint64_t inode = 0;
  uint16_t port = 0;
};

/// TCP, IPv4 and IPv6, of this process's network namespace.
Result<std::vector<Listener>> list_listeners();

/// Ports that are outside of `allowed`, as ranges; sorted.
PortRanges outside(const std::vector<uint16_t>& ports, const PortRanges& allowed);

/// "[80-80, 8080-8081]"
std::string render_ports(const PortRanges& ports);

/// "[31000-32000]" or "31000-32000,40000-40001".
Result<PortRanges> parse_ports(std::string_view text);

struct Watched {
  std::string container;
  PortRanges allowed{};
};

class PortsWatch {
 public:
  /// `isolated`: only these ports count; empty: all.
  explicit PortsWatch(PortRanges isolated) : isolated_(std::move(isolated)) {}

  /// Containers with ports that they were not given. `processes` tells those of a container, and is called only when
  /// there is a new socket.
  Result<std::map<std::string, PortRanges>> look(
      const std::vector<Watched>& containers, const std::function<std::vector<pid_t>(const std::string&)>& processes);

  uint64_t processes_read() const { return processes_read_; }

 private:
  PortRanges isolated_;
  std::set<std::string> seen_;              // containers whose processes were looked into
  std::map<uint64_t, std::string> owners_;  // of a socket by its inode; empty: nobody's whom we watch
  uint64_t processes_read_ = 0;
};

}  // namespace containerizer::network
