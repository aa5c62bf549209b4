// Containers with an image: what the framework asked, what the image says, and what Docker's
// options mean, put together.

#include <signal.h>

#include <algorithm>

#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/images/docker_options.hpp"
#include "kernel/containerizer/isolators/isolators.hpp"
#include "kernel/containerizer/network/request.hpp"
#include "kernel/containerizer/plan.hpp"

namespace containerizer {
namespace {

constexpr size_t kMaxImageVolumes = 16;

using mesos::v1::ContainerInfo;

/// Whether the program runs, with which arguments, in a container of the MESOS type. An image's own
/// executable is its entry point, else the first word of its command.
Status plan_mesos_program(const mesos::v1::CommandInfo& command, const images::ImageConfig& image,
                          launch::LaunchOrder& order) {
  if (command.shell()) {
    if (!command.has_value()) return base::invalid("Shell specified but no command value provided");
    return plan_program(command, order);
  }
  if (!command.value().empty()) return plan_program(command, order);
  std::vector<std::string> words = image.entrypoint;
  if (command.arguments_size() == 0) {
    words.insert(words.end(), image.command.begin(), image.command.end());
  } else {
    if (words.empty() && !image.command.empty()) words.push_back(image.command.front());
    if (!words.empty())
      words.insert(words.end(), command.arguments().begin(), command.arguments().end());
  }
  if (words.empty())
    return base::invalid("No executable is found: neither the command nor the image has one");
  order.program = words.front();
  order.arguments = std::move(words);
  return {};
}

/// In a container of the DOCKER type everything that is given becomes arguments of the entry point.
Status plan_docker_program(const mesos::v1::CommandInfo& command, const images::ImageConfig& image,
                           const std::optional<std::string>& entrypoint,
                           launch::LaunchOrder& order) {
  if (command.shell()) {
    if (!command.has_value()) return base::invalid("Shell specified but no command value provided");
    return plan_program(command, order);
  }
  std::vector<std::string> words = image.entrypoint, given;
  if (entrypoint)
    words =
        entrypoint->empty() ? std::vector<std::string>() : std::vector<std::string>{*entrypoint};
  if (command.has_value() && !command.value().empty()) given.push_back(command.value());
  given.insert(given.end(), command.arguments().begin(), command.arguments().end());
  // An entry point of one's own makes the image's command meaningless.
  if (given.empty() && !entrypoint) given = image.command;
  words.insert(words.end(), given.begin(), given.end());
  if (words.empty())
    return base::invalid("No executable is found: neither the command nor the image has one");
  order.program = words.front();
  order.arguments = std::move(words);
  return {};
}

void add_image_environment(const images::ImageConfig& image,
                           std::map<std::string, std::string>& out) {
  for (const auto& variable : image.environment) {
    const size_t equals = variable.find('=');
    if (equals != std::string::npos && equals > 0)
      out[variable.substr(0, equals)] = variable.substr(equals + 1);
  }
}

/// Nothing may lie over the root or the kernel's view of processes, which other steps depend on.
Status check_targets(const launch::LaunchOrder& order) {
  for (const auto& mount : order.mounts) {
    const auto parts = base::tokenize(mount.target, '/');
    size_t first = 0;
    while (first < parts.size() && parts[first] == ".") ++first;
    if (first == parts.size() || parts[first] == "proc")
      return base::invalid("volume " + base::valid_utf8(mount.target) + ": nothing can be mounted there");
  }
  return {};
}

/// Files of the machine that a container on its network needs to find others.
void add_network_files(launch::LaunchOrder& order) {
  for (const char* file : {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}) {
    launch::BindMount mount{file, file, true};
    mount.optional = mount.as_is = true;
    order.mounts.push_back(std::move(mount));
  }
}

void add_image_volumes(const images::ImageConfig& image, bool read_only_root,
                       launch::LaunchOrder& order) {
  for (const auto& path : image.volumes) {
    if (!path.starts_with('/') || !stays_below(path) || order.mounts.size() >= 48) continue;
    const bool covered = std::any_of(order.mounts.begin(), order.mounts.end(),
                                     [&path](const auto& mount) { return mount.target == path; });
    if (covered) continue;
    launch::BindMount mount{read_only_root ? "mode=755" : "", path};
    mount.type = read_only_root ? "tmpfs" : "none";
    order.mounts.push_back(std::move(mount));
  }
}

/// A setting of the kernel's needs a namespace of the container's own, else it would be the machine's.
Status check_sysctls(const images::DockerOptions& options, bool own_network, bool own_ipc) {
  for (const auto& [name, value] : options.sysctls) {
    const bool net = name.starts_with("net/");
    if (net ? own_network : own_ipc) continue;
    return base::invalid("the docker parameter 'sysctl': " + base::replace_all(name, "/", ".") +
                         " would be the machine's: the container has " + (net ? "the host's network" : "the host's shared memory"));
  }
  return {};
}

Status add_docker_options(const images::DockerOptions& options, launch::LaunchOrder& order) {
  for (const auto& volume : options.volumes) {
    if (!stays_below(volume.source) || !stays_below(volume.target))
      return base::invalid("a volume's path may not contain '..'");
    launch::BindMount mount{volume.source, volume.target, volume.read_only};
    mount.make_source = true;
    order.mounts.push_back(std::move(mount));
  }
  for (const auto& device : options.devices) {
    launch::BindMount mount{device.source, device.target};
    mount.device = true;
    order.mounts.push_back(std::move(mount));
  }
  for (const auto& [target, mount_options] : options.tmpfs) {
    // Docker's own defaults; flags that are options of mount(8) and not of tmpfs are left out.
    std::string kept;
    for (const auto option : base::tokenize(mount_options, ',')) {
      const bool known = option.starts_with("size=") || option.starts_with("mode=") ||
                         option.starts_with("uid=") || option.starts_with("gid=");
      const bool implied = option == "rw" || option == "nosuid" || option == "nodev" ||
                           option == "noexec" || option == "exec";
      if (!known && !implied)
        return base::unsupported("the tmpfs option '" + std::string(option) +
                                 "' is not supported by this build");
      if (known) kept += (kept.empty() ? "" : ",") + std::string(option);
    }
    launch::BindMount mount{kept.empty() ? "mode=1777" : kept, target};
    mount.type = "tmpfs";
    order.mounts.push_back(std::move(mount));
  }
  order.limits.insert(order.limits.end(), options.limits.begin(), options.limits.end());
  order.root->read_only = options.read_only;
  order.root->privileged = options.privileged;
  order.root->shm_bytes = options.shm_bytes;
  order.image_groups = options.groups;
  order.capabilities = options.capabilities;
  order.no_new_privileges = options.no_new_privileges;
  order.seccomp_unconfined = options.seccomp_unconfined;
  order.pids = options.pids;
  order.cpuset_cpus = options.cpuset_cpus;
  order.cpuset_mems = options.cpuset_mems;
  order.memory_and_swap = options.memory_and_swap;
  order.swappiness = options.swappiness;
  order.sysctls = options.sysctls;
  if (options.share_pids) order.private_pids = false;
  if (options.share_ipc) order.private_ipc = false;
  return {};
}

}  // namespace

Result<std::optional<ImageWish>> wanted_image(const ContainerSpec& spec) {
  if (!spec.container) return std::optional<ImageWish>();
  const ContainerInfo& info = *spec.container;
  if (info.type() == ContainerInfo::DOCKER) {
    if (info.docker().image().empty())
      return base::invalid("a container of type DOCKER needs docker.image");
    return std::optional(ImageWish{info.docker().image(), info.docker().force_pull_image()});
  }
  if (!info.mesos().has_image()) return std::optional<ImageWish>();
  ASSIGN_OR_RETURN(ImageWish out, wish_of(info.mesos().image()));
  return std::optional(std::move(out));
}

Result<std::vector<ImageWish>> wanted_volume_images(const ContainerSpec& spec) {
  std::vector<ImageWish> out;
  if (!spec.container) return out;
  for (const auto& volume : spec.container->volumes()) {
    if (!volume.has_image()) continue;
    if (out.size() == kMaxImageVolumes) return base::invalid("a container has at most 16 volumes that are made from images");
    ASSIGN_OR_RETURN(ImageWish wish, wish_of(volume.image()));
    out.push_back(std::move(wish));
  }
  return out;
}

Result<ImageWish> wish_of(const mesos::v1::Image& image) {
  if (image.type() != mesos::v1::Image::DOCKER)
    return base::unsupported(
        "images of type " + mesos::v1::Image::Type_Name(image.type()) +
        " are not supported by this build; use DOCKER, which is also for OCI images");
  if (!image.has_docker() || image.docker().name().empty())
    return base::invalid("an image of type DOCKER needs docker.name");
  ImageWish out{image.docker().name(), !image.cached()};
  if (image.docker().has_config()) out.login = image.docker().config();
  return out;
}

int stop_signal(const ContainerSpec& spec, const images::ImageConfig* image) {
  if (image == nullptr || !spec.container || spec.container->type() != ContainerInfo::DOCKER)
    return SIGTERM;
  std::string name = base::to_upper(image->stop_signal);
  if (const auto number = base::parse_int(name); number && *number > 0 && *number < NSIG)
    return static_cast<int>(*number);
  if (name.starts_with("SIG")) name = name.substr(3);
  for (int number = 1; number < NSIG; ++number)
    if (const char* abbreviation = sigabbrev_np(number);
        abbreviation != nullptr && name == abbreviation)
      return number;
  if (name.starts_with("RTMIN+"))
    if (const auto offset = base::parse_int(name.substr(6)); offset && *offset >= 0 && *offset < 30)
      return SIGRTMIN + static_cast<int>(*offset);
  return SIGTERM;
}

Status plan_image(const ContainerSpec& spec, const PlanContext& context,
                  launch::LaunchOrder& order) {
  if (!context.isolated || !context.images)
    return base::unsupported(
        "container images are not supported by this agent: it needs root, mount namespaces "
        "(filesystem/linux) and --image_providers=docker");
  const ContainerInfo& info = *spec.container;
  const bool docker = info.type() == ContainerInfo::DOCKER;
  images::ImageConfig image;
  if (context.image != nullptr) image = *context.image;
  if (context.ignore_runtime)
    image = images::ImageConfig{
        .user = image.user, .stop_signal = image.stop_signal, .diff_ids = image.diff_ids};
  images::DockerOptions options;
  if (docker) {
    ASSIGN_OR_RETURN(options, images::plan_docker_options(info.docker()));
  }
  order.root.emplace();
  order.owned = spec.sandbox;
  order.mounts.push_back(launch::BindMount{spec.sandbox, context.sandbox_directory});
  RETURN_IF_ERROR(plan_persistent_volumes(spec, context.sandbox_directory, true, order));
  add_network_files(order);
  RETURN_IF_ERROR(isolators_of(context).plan_volumes({spec, context.sandbox_directory, true, docker}, order));
  if (docker) {
    RETURN_IF_ERROR(add_docker_options(options, order));
    if (order.capabilities && options.may_make_devices && isolators_of(context).has("cgroups/devices"))
      *order.capabilities |= images::kMakeDevices;
    // Whether it has a network of its own counts, not what the bridge is called.
    ASSIGN_OR_RETURN(const auto networks, network::wanted_networks(spec, "bridge"));
    RETURN_IF_ERROR(check_sysctls(options, networks.has_value(), order.private_ipc));
  }
  add_image_volumes(image, order.root->read_only, order);

  RETURN_IF_ERROR(check_targets(order));
  const Status program = docker
                             ? plan_docker_program(spec.command, image, options.entrypoint, order)
                             : plan_mesos_program(spec.command, image, order);
  if (!program && (context.image != nullptr || spec.command.shell())) return program;
  std::map<std::string, std::string> environment = spec.environment;
  environment["MESOS_SANDBOX"] = context.sandbox_directory;
  if (docker) environment["MESOS_CONTAINER_NAME"] = "mesos-" + spec.id;
  add_image_environment(image, environment);
  for (const auto& [name, value] : options.environment) environment[name] = value;
  ASSIGN_OR_RETURN(order.environment, plan_environment(environment, spec.command));

  order.directory = docker ? "/" : context.sandbox_directory;
  if (!image.working_directory.empty())
    order.directory =
        image.working_directory[0] == '/' ? image.working_directory : "/" + image.working_directory;
  if (options.working_directory) order.directory = *options.working_directory;
  // Docker's word for the user counts inside; the kernel's kind of container runs as the
  // framework's user unless the image has one and the command does not.
  if (docker)
    order.image_user = options.user ? *options.user : image.user.empty() ? "0" : image.user;
  else
    order.image_user = spec.command.has_user() || image.user.empty() ? spec.user : image.user;
  if (docker) order.term_first_only = true;  // as `docker stop` does it
  return {};
}

}  // namespace containerizer
