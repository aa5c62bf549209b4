#include "kernel/agent/machine.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "base/file.hpp"
#include "base/json/proto.hpp"
#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "base/version.hpp"
#include "kernel/agent/isolation.hpp"
#include "kernel/api/domain.hpp"
#include "kernel/containerizer/launch/launcher.hpp"
#include "kernel/resources/attributes.hpp"
#include "kernel/resources/parse.hpp"
#include "kernel/resources/proto.hpp"

namespace agent {
namespace {

std::string machine_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : "localhost";
}

bool is_address(const std::string& text) {
  std::array<unsigned char, 16> ignored;
  return inet_pton(AF_INET, text.c_str(), ignored.data()) == 1 || inet_pton(AF_INET6, text.c_str(), ignored.data()) == 1;
}

base::Result<std::string> look_up(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(name.c_str(), nullptr, &hints, &found) != 0 || found == nullptr)
    return base::not_found("the host name '" + name + "' does not stand for an address; give --ip");
  std::array<char, INET_ADDRSTRLEN> text{};
  inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(found->ai_addr)->sin_addr, text.data(), text.size());
  freeaddrinfo(found);
  return std::string(text.data());
}

/// The name of an address, or the address itself.
std::string name_of(const std::string& ip) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (inet_pton(AF_INET, ip.c_str(), &address.sin_addr) != 1) return ip;
  std::array<char, NI_MAXHOST> name{};
  const int failed = getnameinfo(reinterpret_cast<sockaddr*>(&address), sizeof address, name.data(), name.size(), nullptr,
                                 0, NI_NAMEREQD);
  return failed == 0 ? std::string(name.data()) : ip;
}

base::Result<std::string> run_discovery(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "re");
  if (pipe == nullptr) return base::errno_error("cannot run " + command, errno);
  std::array<char, 256> text{};
  const size_t length = fread(text.data(), 1, text.size() - 1, pipe);
  const int status = pclose(pipe);
  const std::string answer(base::trim(std::string_view(text.data(), length)));
  if (status != 0 || !is_address(answer))
    return base::invalid("--ip_discovery_command printed no address but '" + answer + "'");
  return answer;
}

resources::Machine detect(const std::string& work_dir) {
  resources::Machine machine;
  const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  if (cpus > 0) machine.cpus = static_cast<uint32_t>(cpus);
  struct sysinfo memory;
  if (sysinfo(&memory) == 0) machine.memory_bytes = uint64_t{memory.totalram} * memory.mem_unit;
  struct statvfs disk;
  if (statvfs(work_dir.c_str(), &disk) == 0) machine.disk_bytes = uint64_t{disk.f_blocks} * disk.f_frsize;
  return machine;
}

base::Result<std::map<std::string, std::string>> parse_environment(const std::string& text) {
  std::map<std::string, std::string> out;
  ASSIGN_OR_RETURN(const base::json::Value value, base::json::parse(text));
  if (!value.is_object()) return base::invalid("--executor_environment_variables must be a JSON object");
  for (const auto& entry : value.as_object()) {
    if (!entry.value().is_string())
      return base::invalid("--executor_environment_variables: the value of '" + std::string(entry.key()) + "' must be a string");
    out.emplace(entry.key(), entry.value().as_string());
  }
  return out;
}

}  // namespace

base::Result<std::string> listen_address(const Flags& flags) {
  if (flags.ip) {
    if (!is_address(*flags.ip)) return base::invalid("--ip=" + *flags.ip + " is not an address");
    return *flags.ip;
  }
  if (flags.ip_discovery_command) return run_discovery(*flags.ip_discovery_command);
  if (auto found = look_up(machine_name())) return found;
  return std::string("127.0.0.1");
}

base::Result<Policy> make_policy(const Flags& flags) {
  Policy policy;
  ASSIGN_OR_RETURN(policy.ip, listen_address(flags));
  if (flags.advertise_ip) policy.ip = *flags.advertise_ip;
  policy.port = flags.advertise_port.value_or(flags.port);
  policy.version = base::kMesosVersion;
  policy.work_dir = flags.work_dir;
  ASSIGN_OR_RETURN(policy.boot_id, containerizer::launch::read_boot_id());

  policy.info.set_hostname(flags.hostname            ? *flags.hostname
                           : flags.hostname_lookup ? name_of(policy.ip)
                                                   : policy.ip);
  policy.info.set_port(policy.port);
  ASSIGN_OR_RETURN(const auto given, resources::parse_resources(flags.resources.value_or(""), flags.default_role));
  resources::Resources total = resources::with_detected(given, detect(flags.work_dir), flags.default_role);
  ASSIGN_OR_RETURN(const auto gpus, find_gpus(flags));
  if (!gpus.empty() && std::find(given.names.begin(), given.names.end(), "gpus") == given.names.end()) {
    ASSIGN_OR_RETURN(const auto found, resources::parse_resources("gpus:" + std::to_string(gpus.size()), flags.default_role));
    total += found.resources;
  }
  resources::to_proto(total, resources::Format::Post, policy.info.mutable_resources());
  if (flags.attributes) {
    ASSIGN_OR_RETURN(const auto attributes, resources::parse_attributes(*flags.attributes));
    for (const auto& attribute : attributes) *policy.info.add_attributes() = resources::to_proto(attribute);
  }
  if (flags.domain) {
    auto domain = api::parse_domain(*flags.domain);
    if (!domain) return std::move(domain).error().with_context("--domain");
    *policy.info.mutable_domain() = std::move(*domain);
  }
  if (flags.executor_environment_variables) {
    ASSIGN_OR_RETURN(policy.executor_environment, parse_environment(*flags.executor_environment_variables));
  }
  if (!flags.libprocess_ip.empty()) policy.executor_environment.emplace("LIBPROCESS_IP", flags.libprocess_ip);
  if (flags.default_container_info)
    RETURN_IF_ERROR(base::json::proto_from_json(*flags.default_container_info, policy.default_container.emplace()));
  policy.socket_for_all = flags.http_executor_domain_sockets;
  policy.collect_api_sandboxes = flags.gc_non_executor_container_sandboxes;
  policy.executor_key = flags.jwt_secret_key.value_or("");
  policy.additive = flags.reconfiguration_policy == "additive";
  policy.cleanup = flags.recover == "cleanup";
  policy.enforce_cpu_quota = flags.cgroups_enable_cfs;
  policy.revocable_low_priority = flags.revocable_cpu_low_priority;
  policy.limit_swap = flags.cgroups_limit_swap;
  policy.executor_registration_timeout = flags.executor_registration_timeout;
  policy.executor_reregistration_timeout = flags.executor_reregistration_timeout;
  policy.executor_shutdown_grace_period = flags.executor_shutdown_grace_period;
  policy.recovery_timeout = flags.recovery_timeout;
  if (flags.credential) {
    auto credential = auth::parse_credential(*flags.credential);
    if (!credential) return std::move(credential).error().with_context("--credential");
    policy.credential = std::move(*credential);
  }
  policy.authentication_timeout_min = flags.authentication_timeout_min;
  policy.authentication_timeout_max = flags.authentication_timeout_max;
  policy.registration_backoff = flags.registration_backoff_factor;
  policy.gc_delay = flags.gc_delay;
  policy.gc_disk_headroom = flags.gc_disk_headroom;
  policy.max_completed_executors = flags.max_completed_executors_per_framework;
  return policy;
}

}  // namespace agent
