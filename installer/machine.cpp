#include "installer/machine.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <set>
#include <thread>

#include "base/file.hpp"
#include "base/netlink.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace installer {

namespace {

constexpr int kLooksAtTakenPort = 20;  // a tenth of a second apart

/// The number before " kB" of a line "Name:   123 kB" in a proc file; 0 when absent.
uint64_t proc_kb(const std::string& path, std::string_view name) {
  const auto content = base::read_file(path);
  if (!content) return 0;
  for (std::string_view line : base::split(*content, '\n')) {
    if (!line.starts_with(name)) continue;
    const auto words = base::tokenize(line.substr(name.size()), ' ');
    return words.empty() ? 0 : base::parse_uint(words[0]).value_or(0);
  }
  return 0;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Inode of the listening TCP socket on `port`, by the kernel's table.
std::optional<std::string> listening_inode(uint16_t port) {
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    const auto content = base::read_file(table);
    if (!content) continue;
    for (std::string_view line : base::split(*content, '\n')) {
      const auto columns = base::tokenize(line, ' ');
      if (columns.size() < 10 || columns[3] != "0A") continue;
      const size_t colon = columns[1].rfind(':');
      if (colon != std::string_view::npos &&
          columns[1].substr(colon + 1) == fmt::format("{:04X}", port)) {
        return std::string(columns[9]);
      }
    }
  }
  return std::nullopt;
}

std::vector<std::string> cgroup_hierarchies() {
  std::vector<std::string> out;
  if (base::exists("/sys/fs/cgroup/cgroup.controllers")) out.push_back("/sys/fs/cgroup");
  for (const std::string& name : base::list_directory("/sys/fs/cgroup").value_or({})) {
    const std::string path = "/sys/fs/cgroup/" + name;
    if (base::exists(path + "/cgroup.procs")) out.push_back(path);
  }
  return out;
}

/// `path` and every cgroup below it, deepest first.
void collect_cgroups(const std::string& path, Leftovers& out) {
  if (!base::exists(path + "/cgroup.procs")) return;
  for (const std::string& name : base::list_directory(path).value_or({}))
    collect_cgroups(path + "/" + name, out);
  out.cgroups.push_back(path);
  const std::string members = base::read_file(path + "/cgroup.procs").value_or("");
  for (std::string_view line : base::tokenize(members, '\n')) {
    if (const auto pid = base::parse_int(line); pid && *pid > 1)
      out.processes.push_back(static_cast<pid_t>(*pid));
  }
}

}  // namespace

Machine this_machine() {
  return {.cpus = std::max(1u, std::thread::hardware_concurrency()),
          .memory_mb = proc_kb("/proc/meminfo", "MemTotal:") / 1024};
}

Finding probe_root_user() {
  if (geteuid() == 0) return {true, "root"};
  return {false, fmt::format("user {}", geteuid()),
          "containers and port 80 need root: sudo installer/dev up"};
}

Finding probe_memory() {
  const uint64_t free_mb = proc_kb("/proc/meminfo", "MemAvailable:") / 1024;
  if (free_mb >= 512)
    return {true, fmt::format("{:.1f} GiB available", static_cast<double>(free_mb) / 1024)};
  return {false, fmt::format("{} MiB available, a cluster needs 512", free_mb),
          "end what uses memory (ps aux --sort=-rss | head), or add swap"};
}

Finding probe_kernel() {
  utsname kernel{};
  uname(&kernel);
  Finding finding{true, std::string("Linux ") + kernel.release};
  const bool v2 = base::exists("/sys/fs/cgroup/cgroup.controllers");
  const bool v1 = base::exists("/sys/fs/cgroup/memory/cgroup.procs");
  if (!v1 && !v2) {
    return {false, finding.seen + ", no cgroups mounted at /sys/fs/cgroup",
            "mount -t cgroup2 none /sys/fs/cgroup"};
  }
  finding.seen += v2 ? ", cgroup v2" : ", cgroup v1";
  for (const char* name : {"pid", "mnt", "ipc", "net"}) {
    if (!base::exists(std::string("/proc/self/ns/") + name)) {
      return {false, finding.seen + fmt::format(", no {} namespaces", name),
              "boot a kernel with namespaces (CONFIG_NAMESPACES)"};
    }
  }
  finding.seen += ", namespaces";
  return finding;
}

namespace {

base::Status make_link(base::Netlink& netlink, const char* kind, const std::string& name) {
  base::NetlinkMessage message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  message.body(ifinfomsg{});
  message.attribute(IFLA_IFNAME, std::string_view(name.c_str(), name.size() + 1));
  const size_t info = message.begin(IFLA_LINKINFO);
  message.attribute(IFLA_INFO_KIND, std::string_view(kind));
  message.end(info);
  return netlink.ask(std::move(message), [](const nlmsghdr&) {});
}

base::Status try_networks() {
  if (unshare(CLONE_NEWNET) != 0) return base::errno_error("no network namespaces", errno);
  ASSIGN_OR_RETURN(auto netlink, base::Netlink::open(NETLINK_ROUTE));
  for (const char* kind : {"bridge", "veth"})
    if (auto made = make_link(netlink, kind, std::string("probe-") + kind); !made)
      return made.error().with_context(fmt::format("no interfaces of type {}", kind));
  ASSIGN_OR_RETURN(auto rules, base::Netlink::open(NETLINK_NETFILTER));
  (void)rules;
  if (!base::exists("/proc/sys/net/ipv4/ip_forward")) return base::unavailable("this kernel does not forward packets");
  return {};
}

}  // namespace

Finding probe_networks() {
  base::Status tried;
  // A thread of its own: the namespace ends with it.
  std::thread([&tried] { tried = try_networks(); }).join();
  if (tried) return {true, "namespaces, bridge, veth, nftables"};
  return {false, tried.error().message,
          "modprobe bridge veth nf_tables; until then apps with container networks fail and say why (--networks=off leaves them out)"};
}

bool remove_interface(const std::string& name) {
  const unsigned index = if_nametoindex(name.c_str());
  if (index == 0) return true;
  auto netlink = base::Netlink::open(NETLINK_ROUTE);
  if (!netlink) return false;
  base::NetlinkMessage message(RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK);
  ifinfomsg head{};
  head.ifi_index = static_cast<int>(index);
  message.body(head);
  (void)netlink->ask(std::move(message), [](const nlmsghdr&) {});
  return if_nametoindex(name.c_str()) == 0;
}

Finding probe_directory(const std::string& root) {
  if (auto made = base::make_directories(root); !made) {
    return {false, made.error().message, "choose another place: installer/dev up --root DIR"};
  }
  const std::string file = root + "/.probe";
  if (auto written = base::write_file(file, "x"); !written) {
    return {false, written.error().message,
            "make room or choose another place: installer/dev up --root DIR"};
  }
  unlink(file.c_str());
  struct statvfs fs {};
  if (statvfs(root.c_str(), &fs) != 0)
    return {false, root + ": " + strerror(errno), "ls -ld " + root};
  const uint64_t free_mb = uint64_t{fs.f_bavail} * fs.f_frsize >> 20;
  if (free_mb < 256) {
    return {false, fmt::format("{} MiB free below {}", free_mb, root),
            "make room (df -h " + root + "), or: installer/dev up --root DIR"};
  }
  return {true,
          fmt::format("{} writable, {:.1f} GiB free", root, static_cast<double>(free_mb) / 1024)};
}

std::optional<PortOwner> find_port_owner(uint16_t port) {
  const auto inode = listening_inode(port);
  if (!inode) return std::nullopt;
  const std::string wanted = "socket:[" + *inode + "]";
  for (const std::string& pid : base::list_directory("/proc").value_or({})) {
    if (!is_number(pid)) continue;
    for (const std::string& fd : base::list_directory("/proc/" + pid + "/fd").value_or({})) {
      char target[64];
      const ssize_t length =
          readlink(("/proc/" + pid + "/fd/" + fd).c_str(), target, sizeof target);
      if (length > 0 && std::string_view(target, static_cast<size_t>(length)) == wanted) {
        const std::string name = base::read_file("/proc/" + pid + "/comm").value_or("?");
        return PortOwner{static_cast<pid_t>(std::atoi(pid.c_str())), std::string(base::trim(name))};
      }
    }
  }
  return std::nullopt;
}

Finding probe_ports(const std::string& ip, const std::vector<uint16_t>& ports) {
  std::string list;
  for (const uint16_t port : ports) {
    list += fmt::format("{}{}", list.empty() ? "" : " ", port);
    const base::Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (inet_pton(AF_INET, ip.c_str(), &address.sin_addr) != 1)
      return {false, "'" + ip + "' is no IPv4 address", "give --ip=127.0.0.1"};
    const auto taken = [&] { return bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? 0 : errno; };
    int error = taken();
    // Nobody's: of a process that is just being ended.
    for (int i = 0; error == EADDRINUSE && i < kLooksAtTakenPort && !find_port_owner(port); ++i) {
      ::usleep(100'000);
      error = taken();
    }
    if (error == 0) continue;
    if (error != EADDRINUSE)
      return {false, fmt::format("{}:{}: {}", ip, port, strerror(error)),
              "installer/dev up --port-offset 1000"};
    const auto owner = find_port_owner(port);
    return {false,
            owner ? fmt::format("{}:{} is taken by {} (pid {})", ip, port, owner->name, owner->pid)
                  : fmt::format("{}:{} is taken", ip, port),
            (owner ? fmt::format("end it (kill {}), or ", owner->pid) : std::string()) +
                "take other ports: installer/dev up --port-offset 1000"};
  }
  return {true, "free: " + list};
}

uint64_t resident_kb(pid_t pid) {
  return proc_kb(fmt::format("/proc/{}/smaps_rollup", pid), "Pss:");
}

Leftovers find_leftovers(const ClusterPlan& plan) {
  Leftovers out;
  std::set<std::string> roots;
  for (const Daemon& daemon : plan.daemons) {
    if (!daemon.cgroup.empty()) roots.insert(daemon.cgroup);
  }
  for (const std::string& hierarchy : cgroup_hierarchies()) {
    for (const std::string& root : roots) collect_cgroups(hierarchy + "/" + root, out);
  }
  std::sort(out.processes.begin(), out.processes.end());
  out.processes.erase(std::unique(out.processes.begin(), out.processes.end()), out.processes.end());

  const auto mounts = base::read_file("/proc/self/mountinfo");
  for (std::string_view line : base::split(mounts ? *mounts : std::string(), '\n')) {
    const auto columns = base::tokenize(line, ' ');
    if (columns.size() > 4 && columns[4].starts_with(plan.options.root + "/"))
      out.mounts.emplace_back(columns[4]);
  }
  std::sort(out.mounts.rbegin(), out.mounts.rend());
  return out;
}

Leftovers remove_leftovers(const ClusterPlan& plan) {
  // Killed processes need a moment to leave their cgroup, and may have forked meanwhile: look
  // again, at most 2 s.
  for (int round = 0; round < 40; ++round) {
    const Leftovers found = find_leftovers(plan);
    if (found.none()) return found;
    for (const pid_t pid : found.processes) kill(pid, SIGKILL);
    for (const std::string& mount : found.mounts) umount2(mount.c_str(), MNT_DETACH);
    for (const std::string& cgroup : found.cgroups) rmdir(cgroup.c_str());
    if (!found.processes.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return find_leftovers(plan);
}

}  // namespace installer
