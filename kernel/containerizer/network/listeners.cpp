#include "kernel/containerizer/network/listeners.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/file.hpp"
#include "base/netlink.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace containerizer::network {
namespace {

bool within(uint16_t port, const PortRanges& ranges) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [port](const auto& range) { return range.first <= port && port <= range.second; });
}

/// Inodes of the sockets that a process has open.
std::set<uint64_t> sockets_of(pid_t pid) {
  std::set<uint64_t> out;
  const std::string directory = "/proc/" + std::to_string(pid) + "/fd";
  const auto names = base::list_directory(directory);
  if (!names) return out;
  for (const auto& name : *names) {
    char target[64];
    const ssize_t length = readlink((directory + "/" + name).c_str(), target, sizeof target);
    const std::string_view text(target, length > 0 ? static_cast<size_t>(length) : 0);
    if (!text.starts_with("socket:[") || !text.ends_with("]")) continue;
    if (const auto inode = base::parse_uint(text.substr(8, text.size() - 9))) out.insert(*inode);
  }
  return out;
}

}  // namespace

Result<std::vector<Listener>> list_listeners() {
  ASSIGN_OR_RETURN(base::Netlink link, base::Netlink::open(NETLINK_SOCK_DIAG));
  std::vector<Listener> out;
  for (const int family : {AF_INET, AF_INET6}) {
    base::NetlinkMessage message(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP);
    inet_diag_req_v2 request{};
    request.sdiag_family = static_cast<uint8_t>(family);
    request.sdiag_protocol = IPPROTO_TCP;
    request.idiag_states = 1U << TCP_LISTEN;
    message.body(request);
    RETURN_IF_ERROR(link.ask(std::move(message), [&out](const nlmsghdr& header) {
      if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY) return;
      const auto* socket = static_cast<const inet_diag_msg*>(NLMSG_DATA(&header));
      out.push_back({socket->idiag_inode, ntohs(socket->id.idiag_sport)});
    }));
  }
  return out;
}

PortRanges outside(const std::vector<uint16_t>& ports, const PortRanges& allowed) {
  std::set<uint16_t> sorted(ports.begin(), ports.end());
  PortRanges out;
  for (const uint16_t port : sorted) {
    if (within(port, allowed)) continue;
    if (!out.empty() && out.back().second + 1 == port)
      out.back().second = port;
    else
      out.emplace_back(port, port);
  }
  return out;
}

std::string render_ports(const PortRanges& ports) {
  std::string out = "[";
  for (const auto& [first, last] : ports) {
    if (out.size() > 1) out += ", ";
    out += std::to_string(first) + "-" + std::to_string(last);
  }
  return out + "]";
}

Result<PortRanges> parse_ports(std::string_view text) {
  text = base::trim(text);
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  PortRanges out;
  for (const auto piece : base::tokenize(text, ',')) {
    const std::string range(base::trim(piece));
    const size_t dash = range.find('-');
    const auto first = base::parse_uint(range.substr(0, dash));
    const auto last = dash == std::string::npos ? first : base::parse_uint(range.substr(dash + 1));
    if (!first || !last || *first > *last || *last > 65535)
      return base::invalid("'" + base::valid_utf8(range) + "' is no range of ports such as 31000-32000");
    out.emplace_back(static_cast<uint16_t>(*first), static_cast<uint16_t>(*last));
  }
  if (out.empty()) return base::invalid("there is no range of ports");
  return out;
}

Result<std::map<std::string, PortRanges>> PortsWatch::look(
    const std::vector<Watched>& containers, const std::function<std::vector<pid_t>(const std::string&)>& processes) {
  ASSIGN_OR_RETURN(const auto listeners, list_listeners());
  std::map<uint64_t, std::string> owners;
  bool fresh = false;
  for (const Listener& listener : listeners) {
    if (!isolated_.empty() && !within(listener.port, isolated_)) continue;
    const auto known = owners_.find(listener.inode);
    fresh = fresh || known == owners_.end();
    owners[listener.inode] = known == owners_.end() ? "" : known->second;
  }
  std::set<std::string> present;
  for (const Watched& watched : containers) {
    present.insert(watched.container);
    // Its sockets may have been there before it was known to run.
    fresh = fresh || !seen_.contains(watched.container);
  }
  seen_ = std::move(present);
  if (fresh)
    for (const Watched& watched : containers)
      for (const pid_t pid : processes(watched.container)) {
        ++processes_read_;
        for (const uint64_t inode : sockets_of(pid))
          if (const auto found = owners.find(inode); found != owners.end()) found->second = watched.container;
      }
  owners_ = std::move(owners);
  std::map<std::string, std::vector<uint16_t>> ports;
  for (const Listener& listener : listeners)
    if (const auto owner = owners_.find(listener.inode); owner != owners_.end() && !owner->second.empty())
      ports[owner->second].push_back(listener.port);
  std::map<std::string, PortRanges> out;
  for (const Watched& watched : containers)
    if (const auto listening = ports.find(watched.container); listening != ports.end())
      if (PortRanges more = outside(listening->second, watched.allowed); !more.empty())
        out[watched.container] = std::move(more);
  return out;
}

}  // namespace containerizer::network
