#include "kernel/containerizer/images/docker_options.hpp"

#include <sys/resource.h>

#include <functional>

#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace containerizer::images {
namespace {

constexpr const char* kCapabilityNames[] = {"CHOWN",
                                            "DAC_OVERRIDE",
                                            "DAC_READ_SEARCH",
                                            "FOWNER",
                                            "FSETID",
                                            "KILL",
                                            "SETGID",
                                            "SETUID",
                                            "SETPCAP",
                                            "LINUX_IMMUTABLE",
                                            "NET_BIND_SERVICE",
                                            "NET_BROADCAST",
                                            "NET_ADMIN",
                                            "NET_RAW",
                                            "IPC_LOCK",
                                            "IPC_OWNER",
                                            "SYS_MODULE",
                                            "SYS_RAWIO",
                                            "SYS_CHROOT",
                                            "SYS_PTRACE",
                                            "SYS_PACCT",
                                            "SYS_ADMIN",
                                            "SYS_BOOT",
                                            "SYS_NICE",
                                            "SYS_RESOURCE",
                                            "SYS_TIME",
                                            "SYS_TTY_CONFIG",
                                            "MKNOD",
                                            "LEASE",
                                            "AUDIT_WRITE",
                                            "AUDIT_CONTROL",
                                            "SETFCAP",
                                            "MAC_OVERRIDE",
                                            "MAC_ADMIN",
                                            "SYSLOG",
                                            "WAKE_ALARM",
                                            "BLOCK_SUSPEND",
                                            "AUDIT_READ",
                                            "PERFMON",
                                            "BPF",
                                            "CHECKPOINT_RESTORE"};

constexpr uint64_t bit(int number) {
  return uint64_t{1} << number;
}

Result<uint64_t> capability(const std::string& text) {
  std::string name = base::to_upper(text);
  if (name.starts_with("CAP_")) name = name.substr(4);
  if (name == "ALL") return ~uint64_t{0};
  for (size_t i = 0; i < std::size(kCapabilityNames); ++i)
    if (name == kCapabilityNames[i]) return uint64_t{1} << i;
  return base::invalid("there is no capability '" + base::valid_utf8(text) + "'");
}

Result<launch::Limit> ulimit(const std::string& text) {
  static const std::map<std::string, int> kNames = {
      {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
      {"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},       {"locks", RLIMIT_LOCKS},
      {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
      {"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},       {"rss", RLIMIT_RSS},
      {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
      {"stack", RLIMIT_STACK}};
  const size_t equals = text.find('=');
  const auto name = kNames.find(text.substr(0, equals));
  if (equals == std::string::npos || name == kNames.end())
    return base::invalid("must be NAME=SOFT[:HARD]");
  const std::string values = text.substr(equals + 1);
  const size_t colon = values.find(':');
  launch::Limit out{name->second, std::nullopt, std::nullopt};
  const auto take = [](const std::string& value, std::optional<uint64_t>& into) -> Status {
    if (value == "-1" || value == "unlimited") return {};
    ASSIGN_OR_RETURN(into, base::parse_uint(value));
    return {};
  };
  RETURN_IF_ERROR(take(values.substr(0, colon), out.soft));
  RETURN_IF_ERROR(take(colon == std::string::npos ? values : values.substr(colon + 1), out.hard));
  if (out.hard && (!out.soft || *out.soft > *out.hard))
    return base::invalid("the soft limit is above the hard limit");
  return out;
}

/// "64m": Docker's units are powers of 1024 with one letter.
Result<uint64_t> size(std::string text) {
  text = base::to_lower(text);
  if (text.ends_with('b') && text.size() > 1) text.pop_back();
  uint64_t factor = 1;
  if (!text.empty()) switch (text.back()) {
      case 'k':
        factor = 1 << 10;
        break;
      case 'm':
        factor = 1 << 20;
        break;
      case 'g':
        factor = 1 << 30;
        break;
      default:
        break;
    }
  if (factor > 1) text.pop_back();
  ASSIGN_OR_RETURN(const uint64_t number, base::parse_uint(text));
  if (number > (uint64_t{1} << 40) / factor) return base::invalid("it is too large");
  return number * factor;
}

Status volume(const std::string& text, DockerOptions& out) {
  const auto parts = base::split(text, ':');
  if (parts.size() < 2 || parts.size() > 3)
    return base::unsupported(
        "a volume without a host path is not supported by this build; give HOST:CONTAINER[:ro]");
  DockerOptions::Volume item{std::string(parts[0]), std::string(parts[1])};
  if (!item.source.starts_with('/'))
    return base::unsupported(
        "named volumes need a volume driver, which this build does not have; give an absolute host "
        "path");
  if (!item.target.starts_with('/')) return base::invalid("the container path must be absolute");
  if (parts.size() == 3)
    for (const auto option : base::split(parts[2], ',')) {
      if (option == "ro")
        item.read_only = true;
      else if (option != "rw" && option != "z" && option != "Z" && option != "rprivate" &&
               option != "private" && option != "rslave" && option != "slave")
        return base::unsupported("the volume option '" + std::string(option) +
                                 "' is not supported by this build");
    }
  out.volumes.push_back(std::move(item));
  return {};
}

Status device(const std::string& text, DockerOptions& out) {
  const auto parts = base::split(text, ':');
  DockerOptions::Volume item{std::string(parts[0]),
                             std::string(parts.size() > 1 ? parts[1] : parts[0])};
  if (!item.source.starts_with("/dev/") || !item.target.starts_with('/') || parts.size() > 3)
    return base::invalid("must be /dev/NAME[:PATH[:rwm]]");
  out.devices.push_back(std::move(item));
  return {};
}

Status security(const std::string& text, DockerOptions& out) {
  if (text == "no-new-privileges" || text == "no-new-privileges:true" ||
      text == "no-new-privileges=true") {
    out.no_new_privileges = true;
    return {};
  }
  if (text == "seccomp=unconfined" || text == "seccomp:unconfined") {
    out.seccomp_unconfined = true;
    return {};
  }
  for (const char* harmless :
       {"apparmor=unconfined", "apparmor:unconfined",
        "label=disable", "label:disable", "no-new-privileges:false"})
    if (text == harmless) return {};
  return base::unsupported("'" + base::valid_utf8(text) + "' is not supported by this build");
}

Result<bool> boolean(const std::string& text) {
  if (text.empty() || text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return base::invalid("must be true or false");
}

using Take = std::function<Status(const std::string& value, DockerOptions& out)>;

Take flag(bool DockerOptions::*member) {
  return [member](const std::string& value, DockerOptions& out) -> Status {
    ASSIGN_OR_RETURN(out.*member, boolean(value));
    return {};
  };
}

Status ignore(const std::string&, DockerOptions&) {
  return {};
}

Status only_host(const std::string& value, bool& shared) {
  if (value != "host") return base::unsupported("only 'host' is supported by this build");
  shared = true;
  return {};
}

/// "0-2,4": what the kernel reads in a cpuset.
Status processor_list(const std::string& value, std::string& into) {
  if (value.empty() || value.size() > 1024 || value.find_first_not_of("0123456789,-") != std::string::npos)
    return base::invalid("must be a list such as 0-2,4");
  into = value;
  return {};
}

Status set_variable(const std::string& value, DockerOptions& out) {
  const size_t equals = value.find('=');
  // Without a value Docker passes its own variable on, and there is none to pass on here.
  if (equals != std::string::npos && equals > 0)
    out.environment[value.substr(0, equals)] = value.substr(equals + 1);
  return {};
}

/// Settings that a namespace has of its own, as Docker has it: others would be the machine's.
Status sysctl(const std::string& text, DockerOptions& out) {
  const size_t equals = text.find('=');
  std::string name = text.substr(0, equals);
  if (equals == std::string::npos || name.empty() || text.size() > 400) return base::invalid("must be NAME=VALUE");
  for (char& c : name) {
    if (c == '.') c = '/';
    if (!isalnum(static_cast<unsigned char>(c)) && c != '/' && c != '_' && c != '-') return base::invalid("must be NAME=VALUE");
  }
  constexpr const char* kOfIpc[] = {"kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem",
                                    "kernel/shmall", "kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced"};
  bool known = name.starts_with("net/") || name.starts_with("fs/mqueue/");
  for (const char* each : kOfIpc) known = known || name == each;
  if (!known || name.find("//") != std::string::npos)
    return base::unsupported("'" + text.substr(0, equals) +
                             "' is the machine's and not the container's: there are net.*, fs.mqueue.* and those of shared memory, "
                             "semaphores and message queues below kernel.*");
  if (out.sysctls.size() >= 32) return base::invalid("more than 32 of them");
  out.sysctls[name] = text.substr(equals + 1);
  return {};
}

/// One row per option that has a meaning here.
const std::map<std::string, Take>& table() {
  static const Take kGroup = [](const std::string& value, DockerOptions& out) -> Status {
    if (out.groups.size() >= 32) return base::invalid("more than 32 groups");
    out.groups.push_back(value);
    return {};
  };
  static const Take kUser = [](const std::string& value, DockerOptions& out) -> Status {
    out.user = value;
    return {};
  };
  static const Take kDirectory = [](const std::string& value, DockerOptions& out) -> Status {
    if (!value.starts_with('/')) return base::invalid("must be an absolute path");
    out.working_directory = value;
    return {};
  };
  static const std::map<std::string, Take> rows = {
      {"env", set_variable},
      {"e", set_variable},
      {"volume", volume},
      {"v", volume},
      {"user", kUser},
      {"u", kUser},
      {"workdir", kDirectory},
      {"w", kDirectory},
      {"entrypoint",
       [](const std::string& value, DockerOptions& out) -> Status {
         out.entrypoint = value;
         return {};
       }},
      {"cap-add",
       [](const std::string& value, DockerOptions& out) -> Status {
         ASSIGN_OR_RETURN(const uint64_t mask, capability(value));
         if (out.capabilities) *out.capabilities |= mask;
         return {};
       }},
      {"cap-drop",
       [](const std::string& value, DockerOptions& out) -> Status {
         ASSIGN_OR_RETURN(const uint64_t mask, capability(value));
         if (out.capabilities) *out.capabilities &= ~mask;
         if ((mask & kMakeDevices) != 0) out.may_make_devices = false;
         return {};
       }},
      {"ulimit",
       [](const std::string& value, DockerOptions& out) -> Status {
         ASSIGN_OR_RETURN(const launch::Limit limit, ulimit(value));
         out.limits.push_back(limit);
         return {};
       }},
      {"shm-size",
       [](const std::string& value, DockerOptions& out) -> Status {
         ASSIGN_OR_RETURN(out.shm_bytes, size(value));
         return {};
       }},
      {"tmpfs",
       [](const std::string& value, DockerOptions& out) -> Status {
         const size_t colon = value.find(':');
         if (!value.starts_with('/')) return base::invalid("must be an absolute path");
         out.tmpfs.emplace_back(value.substr(0, colon),
                                colon == std::string::npos ? "" : value.substr(colon + 1));
         return {};
       }},
      {"device", device},
      {"group-add", kGroup},
      {"security-opt", security},
      {"pid", [](const std::string& value,
                 DockerOptions& out) { return only_host(value, out.share_pids); }},
      {"ipc",
       [](const std::string& value, DockerOptions& out) {
         return value == "private" || value == "shareable" ? Status()
                                                           : only_host(value, out.share_ipc);
       }},
      {"pids-limit",
       [](const std::string& value, DockerOptions& out) -> Status {
         if (value == "-1" || value == "0") return {};
         ASSIGN_OR_RETURN(out.pids, base::parse_uint(value));
         return {};
       }},
      {"cpuset-cpus", [](const std::string& value,
                         DockerOptions& out) { return processor_list(value, out.cpuset_cpus); }},
      {"cpuset-mems", [](const std::string& value,
                         DockerOptions& out) { return processor_list(value, out.cpuset_mems); }},
      {"memory-swap",
       [](const std::string& value, DockerOptions& out) -> Status {
         if (value == "-1") {
           out.memory_and_swap = -1;
           return {};
         }
         ASSIGN_OR_RETURN(const uint64_t bytes, size(value));
         if (bytes > 0) out.memory_and_swap = static_cast<int64_t>(bytes);  // 0: as if it had not been given
         return {};
       }},
      {"memory-swappiness",
       [](const std::string& value, DockerOptions& out) -> Status {
         if (value == "-1") return {};
         ASSIGN_OR_RETURN(out.swappiness, base::parse_uint(value));
         return *out.swappiness <= 100 ? Status() : Status(base::invalid("must be 0 to 100"));
       }},
      {"oom-kill-disable",
       [](const std::string& value, DockerOptions&) -> Status {
         ASSIGN_OR_RETURN(const bool disable, boolean(value));
         if (!disable) return {};
         return base::unsupported("a task that lacks memory is ended and its status says so; it is not left to hang");
       }},
      {"sysctl", sysctl},
      {"privileged", flag(&DockerOptions::privileged)},
      {"read-only", flag(&DockerOptions::read_only)},
      // Of no consequence for the task: what labels are for is the scheduler's, restarting too,
      // output goes to the sandbox, the first process is an init already, and what ends is removed.
      {"label", ignore},
      {"l", ignore},
      {"log-driver", ignore},
      {"log-opt", ignore},
      {"restart", ignore},
      {"rm", ignore},
      {"init", ignore},
      // Read by network/request.cpp.
      {"network", ignore},
      {"net", ignore},
      {"hostname", ignore},
      {"h", ignore},
      {"ip", ignore},
      {"ip6", ignore},
      {"mac-address", ignore},
      {"add-host", ignore},
      {"dns", ignore},
      {"dns-search", ignore},
      {"dns-opt", ignore},
      {"dns-option", ignore}};
  return rows;
}

}  // namespace

// CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT
// AUDIT_WRITE SETFCAP
const uint64_t kDefaultCapabilities = bit(0) | bit(1) | bit(3) | bit(4) | bit(5) | bit(6) | bit(7) |
                                      bit(8) | bit(10) | bit(13) | bit(18) | bit(29) | bit(31);

const uint64_t kMakeDevices = bit(27);

Result<DockerOptions> plan_docker_options(const mesos::v1::ContainerInfo::DockerInfo& docker) {
  DockerOptions out;
  if (!docker.volume_driver().empty())
    return base::unsupported("volume drivers are not supported by this build");
  // In the order that counts: all that is added, then all that is taken away.
  for (const bool drops : {false, true}) {
    for (const auto& parameter : docker.parameters()) {
      std::string key = parameter.key();
      while (key.starts_with('-')) key.erase(0, 1);
      if ((key == "cap-drop") != drops) continue;
      const auto row = table().find(key);
      if (row == table().end())
        return base::unsupported("the docker parameter '" + base::valid_utf8(key) +
                                 "' is not supported by this build");
      if (Status taken = row->second(parameter.value(), out); !taken)
        return taken.error().with_context("the docker parameter '" + key + "'");
    }
  }
  bool added = false, all_dropped = false;
  uint64_t kept = 0;
  for (const auto& parameter : docker.parameters()) {
    const std::string key = parameter.key().substr(std::min(parameter.key().find_first_not_of('-'), parameter.key().size()));
    if (key == "cap-drop" && base::to_upper(parameter.value()) == "ALL")
      all_dropped = true;
    if (key != "cap-add") continue;
    const auto mask = capability(parameter.value());
    if (!mask) return mask.error();
    kept |= *mask;
    added = true;
  }
  // "Drop all, add one" leaves that one, as Docker has it.
  if (all_dropped && added && out.capabilities) *out.capabilities = kept;
  if (docker.privileged()) out.privileged = true;
  if (out.privileged) out.capabilities.reset();
  return out;
}

}  // namespace containerizer::images
