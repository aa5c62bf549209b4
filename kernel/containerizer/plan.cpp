#include "kernel/containerizer/plan.hpp"

#include <sys/resource.h>

#include "base/strings.hpp"

namespace containerizer {
namespace {

using mesos::v1::ContainerInfo;
using mesos::v1::RLimitInfo;

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

Result<int> limit_number(RLimitInfo::RLimit::Type type) {
  switch (type) {
    case RLimitInfo::RLimit::RLMT_AS: return RLIMIT_AS;
    case RLimitInfo::RLimit::RLMT_CORE: return RLIMIT_CORE;
    case RLimitInfo::RLimit::RLMT_CPU: return RLIMIT_CPU;
    case RLimitInfo::RLimit::RLMT_DATA: return RLIMIT_DATA;
    case RLimitInfo::RLimit::RLMT_FSIZE: return RLIMIT_FSIZE;
    case RLimitInfo::RLimit::RLMT_LOCKS: return RLIMIT_LOCKS;
    case RLimitInfo::RLimit::RLMT_MEMLOCK: return RLIMIT_MEMLOCK;
    case RLimitInfo::RLimit::RLMT_MSGQUEUE: return RLIMIT_MSGQUEUE;
    case RLimitInfo::RLimit::RLMT_NICE: return RLIMIT_NICE;
    case RLimitInfo::RLimit::RLMT_NOFILE: return RLIMIT_NOFILE;
    case RLimitInfo::RLimit::RLMT_NPROC: return RLIMIT_NPROC;
    case RLimitInfo::RLimit::RLMT_RSS: return RLIMIT_RSS;
    case RLimitInfo::RLimit::RLMT_RTPRIO: return RLIMIT_RTPRIO;
    case RLimitInfo::RLimit::RLMT_RTTIME: return RLIMIT_RTTIME;
    case RLimitInfo::RLimit::RLMT_SIGPENDING: return RLIMIT_SIGPENDING;
    case RLimitInfo::RLimit::RLMT_STACK: return RLIMIT_STACK;
    default: return base::invalid("an rlimit has no type, or one that this build does not know");
  }
}

Result<std::vector<launch::Limit>> plan_limits(const RLimitInfo& info) {
  std::vector<launch::Limit> limits;
  for (const auto& limit : info.rlimits()) {
    ASSIGN_OR_RETURN(const int number, limit_number(limit.type()));
    const std::string name = RLimitInfo::RLimit::Type_Name(limit.type());
    for (const auto& other : limits)
      if (other.resource == number) return base::invalid("rlimit " + name + " is given twice");
    if (limit.has_soft() != limit.has_hard())
      return base::invalid("rlimit " + name + " needs both a soft and a hard limit, or neither");
    if (limit.has_soft() && limit.soft() > limit.hard())
      return base::invalid("the soft limit of rlimit " + name + " is above its hard limit");
    launch::Limit planned{number, std::nullopt, std::nullopt};
    if (limit.has_soft()) planned = {number, limit.soft(), limit.hard()};
    limits.push_back(planned);
  }
  return limits;
}

Result<launch::BindMount> plan_volume(const mesos::v1::Volume& volume, const std::string& sandbox) {
  const std::string& target = volume.container_path();
  std::string source = volume.host_path();
  if (volume.has_image()) return base::unsupported("volume " + target + ": image volumes are not supported by this build");
  if (volume.has_source()) {
    if (volume.source().type() != mesos::v1::Volume::Source::HOST_PATH)
      return base::unsupported("volume " + target + ": volumes of type " +
                               mesos::v1::Volume::Source::Type_Name(volume.source().type()) +
                               " are not supported by this build");
    source = volume.source().host_path().path();
  }
  if (source.empty()) return base::unsupported("volume " + target + ": only volumes with a host path are supported by this build");
  if (target.empty()) return base::invalid("a volume has no container path");
  if (!stays_below(target) || !stays_below(source))
    return base::invalid("volume " + target + ": a path may not contain '..'");
  if (source[0] != '/') source = sandbox + "/" + source;
  return launch::BindMount{source, target[0] == '/' ? target : sandbox + "/" + target,
                           volume.mode() == mesos::v1::Volume::RO};
}

Status plan_volumes(const ContainerInfo& info, const std::string& sandbox, bool isolated, launch::LaunchOrder& order) {
  for (const auto& volume : info.volumes()) {
    ASSIGN_OR_RETURN(launch::BindMount mount, plan_volume(volume, sandbox));
    order.mounts.push_back(std::move(mount));
  }
  if (!order.mounts.empty() && !isolated)
    return base::unsupported("volumes need an agent that runs as root with mount namespaces (filesystem/linux)");
  return {};
}

}  // namespace

bool stays_below(std::string_view relative) {
  for (const auto part : base::tokenize(relative, '/'))
    if (part == "..") return false;
  return true;
}

Status plan_persistent_volumes(const ContainerSpec& spec, const std::string& sandbox, bool isolated,
                               launch::LaunchOrder& order) {
  for (const VolumeMount& volume : spec.volumes) {
    const std::string& target = volume.container_path;
    if (target.empty()) return base::invalid("a persistent volume has no container path");
    if (!stays_below(target)) return base::invalid("volume " + target + ": a path may not contain '..'");
    if (!isolated)
      return base::unsupported("volumes need an agent that runs as root with mount namespaces (filesystem/linux)");
    order.mounts.push_back({volume.source, target[0] == '/' ? target : sandbox + "/" + target, volume.read_only});
  }
  return {};
}

Status plan_isolation(const ContainerInfo& info, launch::LaunchOrder& order) {
  if (info.network_infos_size() > 0 && !info.network_infos(0).name().empty())
    return base::unsupported("the container network '" + info.network_infos(0).name() +
                             "' is not supported by this build; use the host's network");
  if (info.has_tty_info()) return base::unsupported("a terminal (tty_info) is not supported by this build");
  const auto& linux_info = info.linux_info();
  if (linux_info.has_capability_info() || linux_info.has_bounding_capabilities() ||
      linux_info.has_effective_capabilities())
    return base::unsupported("Linux capabilities are not supported by this build");
  if (linux_info.has_seccomp() && !linux_info.seccomp().unconfined())
    return base::unsupported("seccomp profiles are not supported by this build");
  if (linux_info.share_pid_namespace()) order.private_pids = false;
  if (linux_info.ipc_mode() == mesos::v1::LinuxInfo::SHARE_PARENT) order.private_ipc = false;
  if (info.has_rlimit_info()) {
    ASSIGN_OR_RETURN(order.limits, plan_limits(info.rlimit_info()));
  }
  return {};
}

Status plan_program(const mesos::v1::CommandInfo& command, launch::LaunchOrder& order) {
  if (command.shell()) {
    if (!command.has_value()) return base::invalid("a shell command needs a value");
    order.program = "/bin/sh";
    order.arguments = {"sh", "-c", command.value()};
    return {};
  }
  if (command.value().empty())
    return base::invalid("a command without shell needs the path of a program as its value");
  order.program = command.value();
  order.arguments.assign(command.arguments().begin(), command.arguments().end());
  if (order.arguments.empty()) order.arguments.push_back(command.value());
  return {};
}

Result<std::map<std::string, std::string>> plan_environment(const std::map<std::string, std::string>& agent,
                                                            const mesos::v1::CommandInfo& command) {
  std::map<std::string, std::string> environment = agent;
  for (const auto& variable : command.environment().variables()) {
    const bool secret = variable.type() == mesos::v1::Environment::Variable::SECRET;
    if (secret && variable.secret().type() != mesos::v1::Secret::VALUE)
      return base::unsupported("the environment variable " + variable.name() +
                               " refers to a secret store, and none is configured");
    environment[variable.name()] = secret ? variable.secret().value().data() : variable.value();
  }
  environment.try_emplace("PATH", kDefaultPath);
  return environment;
}

Result<launch::LaunchOrder> plan_launch(const ContainerSpec& spec, bool isolated) {
  return plan_launch(spec, PlanContext{.isolated = isolated});
}

namespace {

Status limit_logs(const LogRules& rules, launch::LaunchOrder& order) {
  ASSIGN_OR_RETURN(const auto limits, log_limits(rules, order.environment));
  order.output_limit = limits.first;
  order.error_limit = limits.second;
  return {};
}

}  // namespace

Result<launch::LaunchOrder> plan_launch(const ContainerSpec& spec, const PlanContext& context) {
  launch::LaunchOrder order;
  order.private_mounts = order.private_pids = order.private_ipc = context.isolated;
  order.term_first_only = spec.term_first_only;
  order.directory = spec.sandbox;
  order.output = spec.sandbox + "/stdout";
  order.error_output = spec.sandbox + "/stderr";
  if (spec.container) RETURN_IF_ERROR(plan_isolation(*spec.container, order));
  ASSIGN_OR_RETURN(const auto image, wanted_image(spec));
  if (image) {
    RETURN_IF_ERROR(plan_image(spec, context, order));
    RETURN_IF_ERROR(limit_logs(context.logs, order));
    return order;
  }
  RETURN_IF_ERROR(plan_program(spec.command, order));
  ASSIGN_OR_RETURN(order.environment, plan_environment(spec.environment, spec.command));
  RETURN_IF_ERROR(limit_logs(context.logs, order));
  RETURN_IF_ERROR(plan_persistent_volumes(spec, spec.sandbox, context.isolated, order));
  if (spec.container) RETURN_IF_ERROR(plan_volumes(*spec.container, spec.sandbox, context.isolated, order));
  return order;
}

}  // namespace containerizer
