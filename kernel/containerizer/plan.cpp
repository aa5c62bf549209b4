#include "kernel/containerizer/plan.hpp"

#include "base/strings.hpp"
#include "kernel/containerizer/isolators/isolators.hpp"

namespace containerizer {
namespace {

using mesos::v1::ContainerInfo;

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

}  // namespace

Result<std::string> sandbox_source(const mesos::v1::Volume& volume, const ContainerSpec& spec) {
  using SandboxPath = mesos::v1::Volume::Source::SandboxPath;
  const auto& asked = volume.source().sandbox_path();
  if (asked.path().empty() || asked.path()[0] == '/') return base::invalid("a path in the sandbox must be relative");
  if (!stays_below(asked.path())) return base::invalid("its sandbox path may not contain '..'");
  if (asked.type() == SandboxPath::SELF) return spec.sandbox + "/" + asked.path();
  if (asked.type() != SandboxPath::PARENT) return base::invalid("sandbox_path needs the type SELF or PARENT");
  if (spec.parent_sandbox.empty())
    return base::unsupported("a path in the parent's sandbox needs a parent, which this container has not");
  return spec.parent_sandbox + "/" + asked.path();
}

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

void plan_streams(const ContainerSpec& spec, launch::LaunchOrder& order) {
  order.session = spec.session;
  if (!spec.container || !spec.container->has_tty_info()) return;
  order.terminal = true;
  order.rows = spec.container->tty_info().window_size().rows();
  order.columns = spec.container->tty_info().window_size().columns();
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
    // The isolator environment_secret adds the others.
    if (variable.type() == mesos::v1::Environment::Variable::VALUE) environment[variable.name()] = variable.value();
  }
  environment.try_emplace("PATH", kDefaultPath);
  return environment;
}

Result<launch::LaunchOrder> plan_launch(const ContainerSpec& spec, bool isolated) {
  return plan_launch(spec, PlanContext{.isolated = isolated});
}

std::shared_ptr<Isolators> basic_isolators(bool isolated) {
  const auto make = [](bool linux) {
    const auto names = Isolation::parse("filesystem/linux,posix/rlimits,namespaces/pid,namespaces/ipc,volume/secret");
    return *Isolators::make(*names, {}, linux);
  };
  static const auto kIsolated = make(true), kPlain = make(false);
  return isolated ? kIsolated : kPlain;
}

const Isolators& isolators_of(const PlanContext& context) {
  return context.isolators != nullptr ? *context.isolators : *basic_isolators(context.isolated);
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
  const Isolators& isolators = isolators_of(context);
  launch::LaunchOrder order;
  const bool apart = context.isolated && !spec.machine;
  order.private_mounts = apart;
  order.private_pids = apart && isolators.has("namespaces/pid");
  order.private_ipc = apart && isolators.has("namespaces/ipc");
  order.term_first_only = spec.term_first_only;
  order.directory = spec.sandbox;
  order.output = spec.sandbox + "/stdout";
  order.error_output = spec.sandbox + "/stderr";
  plan_streams(spec, order);
  ASSIGN_OR_RETURN(const auto image, wanted_image(spec));
  if (spec.machine && (spec.container && (image || !spec.container->volumes().empty())))
    return base::unsupported("a container that works on the machine's own mounts has neither image nor volumes");
  if (image) {
    RETURN_IF_ERROR(plan_image(spec, context, order));
    RETURN_IF_ERROR(limit_logs(context.logs, order));
  } else {
    RETURN_IF_ERROR(plan_program(spec.command, order));
    ASSIGN_OR_RETURN(order.environment, plan_environment(spec.environment, spec.command));
    RETURN_IF_ERROR(limit_logs(context.logs, order));
    RETURN_IF_ERROR(plan_persistent_volumes(spec, spec.sandbox, context.isolated, order));
    if (spec.container) RETURN_IF_ERROR(isolators.plan_volumes({spec, spec.sandbox}, order));
  }
  if (!spec.machine) RETURN_IF_ERROR(isolators.plan(spec, order));
  return order;
}

}  // namespace containerizer
