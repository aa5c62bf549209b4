// What a pool thread does for a container: its files and mount points before the helper starts, what is known of it when
// it has ended.

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/isolators/isolators.hpp"
#include "kernel/containerizer/native_impl.hpp"
#include "kernel/containerizer/statistics.hpp"

namespace containerizer {
namespace {

/// A directory below the sandbox, which is full of what the task's user put there: no link is followed.
Status make_below(const std::string& sandbox, const std::string& relative,
                  const std::optional<launch::UserIds>& owner = {}) {
  base::Fd at(open(sandbox.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!at) return base::errno_error(sandbox, errno);
  for (const auto piece : base::tokenize(relative, '/')) {
    const std::string part(piece);
    if (part == ".") continue;
    const bool made = mkdirat(at.get(), part.c_str(), 0755) == 0;
    if (!made && errno != EEXIST) return base::errno_error("cannot make " + part, errno);
    base::Fd next(openat(at.get(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return base::errno_error(part, errno);
    if (made && owner && fchownat(next.get(), "", owner->uid, owner->gid, AT_EMPTY_PATH) != 0)
      return base::errno_error("cannot give away " + part, errno);
    at = std::move(next);
  }
  return {};
}

/// An empty file there, to mount on.
Status make_file_below(const std::string& sandbox, const std::string& relative) {
  const size_t slash = relative.rfind('/');
  const std::string parent = slash == std::string::npos ? "" : relative.substr(0, slash);
  RETURN_IF_ERROR(make_below(sandbox, parent));
  struct open_how how {};
  how.flags = O_CREAT | O_RDONLY | O_NONBLOCK | O_CLOEXEC;
  how.mode = 0644;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const base::Fd directory(open(sandbox.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  const base::Fd file(static_cast<int>(syscall(SYS_openat2, directory.get(), relative.c_str(), &how, sizeof how)));
  return file ? Status() : Status(base::errno_error(sandbox + "/" + relative, errno));
}

/// Sources that are to be made are made; the others must be there.
Status make_sources(const ContainerSpec& spec, const std::optional<launch::UserIds>& user, launch::LaunchOrder& order) {
  const std::string prefix = spec.sandbox + "/", around = spec.parent_sandbox + "/";
  std::erase_if(order.mounts, [](const auto& mount) { return mount.optional && !base::exists(mount.source); });
  for (const auto& mount : order.mounts) {
    if (mount.type != "bind") continue;
    struct stat source;
    const bool missing = lstat(mount.source.c_str(), &source) != 0;
    if (missing && mount.source.starts_with(prefix))
      RETURN_IF_ERROR(make_below(spec.sandbox, mount.source.substr(prefix.size()), user));
    else if (missing && !spec.parent_sandbox.empty() && mount.source.starts_with(around))
      RETURN_IF_ERROR(make_below(spec.parent_sandbox, mount.source.substr(around.size()), user));
    else if (missing && mount.make_source)
      RETURN_IF_ERROR(base::make_directories(mount.source));
    if (stat(mount.source.c_str(), &source) != 0)
      return base::errno_error("the volume's host path " + mount.source, errno);
  }
  return {};
}

/// The sources of volumes that are made from images, in the order of those.
Status make_image_volumes(images::Backend backend, const std::vector<images::ImagePtr>& from, const std::string& runtime,
                          launch::LaunchOrder& order) {
  size_t number = 0;
  for (auto& mount : order.mounts) {
    if (!mount.from_image) continue;
    if (number == from.size()) return base::internal("a volume's image is not here");
    launch::RootFiles files;
    RETURN_IF_ERROR(images::prepare_root(backend, *from[number], runtime, "." + std::to_string(number), files));
    ++number;
    mount.source = files.path;
    if (files.layers.empty()) continue;
    mount.as_is = true;  // the layers have the container's ids
    order.volumes.push_back(std::move(files));
  }
  return {};
}

/// Without an image: a mount point that the sandbox lacks is made; one outside must exist.
Status make_mount_points(const ContainerSpec& spec, const launch::LaunchOrder& order) {
  const std::string prefix = spec.sandbox + "/";
  for (const auto& mount : order.mounts) {
    struct stat source;
    if (stat(mount.source.c_str(), &source) != 0) return base::errno_error("the volume's host path " + mount.source, errno);
    if (!mount.target.starts_with(prefix)) {
      if (!base::exists(mount.target))
        return base::invalid("the volume's container path " + mount.target +
                             " does not exist on the host, and a container without image shares its files");
      continue;
    }
    const std::string relative = mount.target.substr(prefix.size());
    if (S_ISDIR(source.st_mode)) {
      RETURN_IF_ERROR(make_below(spec.sandbox, relative));
      continue;
    }
    RETURN_IF_ERROR(make_file_below(spec.sandbox, relative));
  }
  return {};
}

/// A container on a network has files of its own in /etc, unless it brings others.
void add_network_files(const network::Attachment& attached, launch::LaunchOrder& order) {
  if (!order.private_mounts) return;
  const std::pair<const char*, const std::string*> files[] = {
      {"/etc/hosts", &attached.hosts}, {"/etc/hostname", &attached.host_name_file}, {"/etc/resolv.conf", &attached.resolv_conf}};
  for (const auto& [path, file] : files) {
    if (order.root) {
      for (auto& mount : order.mounts)
        if (mount.target == path && mount.source == path) mount = launch::BindMount{*file, path};
      continue;
    }
    char target[PATH_MAX];
    if (realpath(path, target) == nullptr) continue;  // a host without one has no place for another
    const bool brought = std::any_of(order.mounts.begin(), order.mounts.end(), [&](const auto& mount) {
      return mount.target == path || mount.target == target;
    });
    if (!brought) order.mounts.push_back({*file, target});
  }
}

/// A container on the host's network resolves names as the agent's operator says, unless it brings a file of its own.
Status add_resolv_conf(const NativeOptions& options, const std::string& runtime, launch::LaunchOrder& order) {
  if (options.resolv_conf.empty() || !order.private_mounts) return {};
  const std::string path = "/etc/resolv.conf";
  if (order.root) {
    // The plan shows the host's file there; that one is exchanged, not one that a volume brings.
    const std::string file = runtime + "/resolv.conf";
    RETURN_IF_ERROR(base::write_file(file, options.resolv_conf, 0644));
    for (auto& mount : order.mounts)
      if (mount.target == path && mount.source == path) mount.source = file;
    return {};
  }
  char target[PATH_MAX];
  if (realpath(path.c_str(), target) == nullptr) return {};  // a host without one has no place for another
  for (const auto& mount : order.mounts)
    if (mount.target == path || mount.target == target) return {};
  const std::string file = runtime + "/resolv.conf";
  RETURN_IF_ERROR(base::write_file(file, options.resolv_conf, 0644));
  order.mounts.push_back({file, target, true});
  return {};
}

/// What the isolators add that is not in the specification alone.
Status isolate(const NativeOptions& options, const ContainerSpec& spec, const std::optional<launch::UserIds>& user,
               const std::string& runtime, launch::LaunchOrder& order, cgroups::Limits& limits) {
  if (spec.machine) return {};
  if ((order.memory_and_swap || order.swappiness) && !options.limit_memory)
    return base::unsupported("the docker parameters memory-swap and memory-swappiness need the isolator cgroups/mem, which this agent's "
                             "--isolation lacks");
  limits.memory_and_swap = order.memory_and_swap;
  limits.swappiness = order.swappiness;
  Prepared prepared{order, limits};
  VolumePlace place{spec, order.root ? options.sandbox_directory : spec.sandbox, order.root.has_value(), false};
  RETURN_IF_ERROR(options.isolators->prepare(Preparing{spec, user, runtime, std::move(place)}, prepared));
  RETURN_IF_ERROR(options.isolators->add_environment(spec.command, order.environment));
  if (order.secrets.empty()) return {};
  order.secret_stage = runtime + "/secrets";
  if (mkdir(order.secret_stage.c_str(), 0700) != 0 && errno != EEXIST)
    return base::errno_error("mkdir " + order.secret_stage, errno);
  if (order.root) return {};
  const std::string prefix = spec.sandbox + "/";
  for (const auto& secret : order.secrets)
    if (secret.target.starts_with(prefix)) {
      RETURN_IF_ERROR(make_file_below(spec.sandbox, secret.target.substr(prefix.size())));
    } else if (!base::exists(secret.target)) {
      return base::invalid("the secret's container path " + secret.target +
                           " does not exist on the host, and a container without image shares its files");
    }
  return {};
}

uint64_t machine_memory() {
  struct sysinfo info {};
  return sysinfo(&info) == 0 ? uint64_t{info.totalram} * info.mem_unit : 0;
}

std::optional<int> read_status(const std::string& runtime) {
  const auto text = base::read_file(runtime + "/status", 64);
  if (!text) return std::nullopt;
  const auto number = base::parse_int(base::trim(*text));
  if (!number) return std::nullopt;
  return static_cast<int>(*number);
}

}  // namespace

Status make_sandbox(const std::string& path, const std::optional<launch::UserIds>& user) {
  RETURN_IF_ERROR(base::make_directories(path));
  if (user && chown(path.c_str(), user->uid, user->gid) != 0)
    return base::errno_error("cannot give the sandbox to the task's user", errno);
  return {};
}

// Their directory itself, not what is in it. An empty directory in the place of one that is gone would hide that data was lost.
Status own_volumes(const std::vector<VolumeMount>& volumes, const std::optional<launch::UserIds>& user) {
  for (const VolumeMount& volume : volumes) {
    const base::Fd directory(open(volume.source.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) return base::errno_error("the persistent volume's directory " + volume.source, errno);
    struct stat info {};
    if (!user || volume.shared || fstat(directory.get(), &info) != 0) continue;
    if (info.st_uid == user->uid && info.st_gid == user->gid) continue;
    if (fchown(directory.get(), user->uid, user->gid) != 0)
      return base::errno_error("cannot give the persistent volume " + volume.source + " to the task's user", errno);
  }
  return {};
}

// Without the isolator of a resource its group only measures and kills.
cgroups::Limits enforced(const NativeOptions& options, cgroups::Limits limits) {
  if (!options.limit_cpu) limits.cpu_limit.reset();
  if (!options.limit_memory) limits.memory_limit.reset();
  return limits;
}

Result<Launched> launch_now(const NativeOptions& options, cgroups::Cgroups* groups, const ContainerSpec& spec,
                            const std::optional<launch::UserIds>& user, const std::string& runtime,
                            const images::ImagePtr& image, const std::vector<images::ImagePtr>& volume_images,
                            const std::optional<network::Attachment>& attached, const Around& around) {
  launch::LaunchOrder order;
  if (around.guest) {
    order = *around.guest;
  } else {
    ASSIGN_OR_RETURN(order, plan_launch(spec, plan_context(options, image.get())));
    set_user(options, spec, user, order);
    share_parent(options, spec, around, order);
  }
  order.status_file = runtime + "/status";
  order.pid_file = runtime + "/pid";
  RETURN_IF_ERROR(own_volumes(spec.volumes, user));
  if (attached) {
    order.network = attached->network_file;
    order.host_name = attached->host_name;
  }
  const auto& files_of = attached ? attached : around.attached;
  if (files_of && !around.guest) add_network_files(*files_of, order);
  RETURN_IF_ERROR(make_image_volumes(options.backend, volume_images, runtime, order));
  RETURN_IF_ERROR(make_sources(spec, user, order));
  if (around.guest) {
    // Its files are its parent's.
  } else if (order.root) {
    RETURN_IF_ERROR(images::prepare_root(options.backend, *image, runtime, "", *order.root));
  } else {
    RETURN_IF_ERROR(make_mount_points(spec, order));
  }
  if (!files_of) RETURN_IF_ERROR(add_resolv_conf(options, runtime, order));
  cgroups::Limits limits = enforced(options, spec.limits);
  if (!around.guest) RETURN_IF_ERROR(isolate(options, spec, user, runtime, order, limits));
  // Executors of frameworks are left as they are: what they started decides.
  const bool runs_task = !spec.term_first_only || !spec.parent.empty();
  const bool may_take_more = limits.memory > 0 && (!limits.memory_limit || *limits.memory_limit > limits.memory);
  if (options.limit_memory && spec.own_group && runs_task && may_take_more)
    order.oom_score = cgroups::oom_score(limits.memory, machine_memory());
  Launched launched;
  if (groups != nullptr) {
    const std::string group = group_of(spec);
    if (spec.own_group) RETURN_IF_ERROR(groups->create(group, limits));
    order.cgroups = groups->entry_files(group);
    order.birth_group = groups->birth_group(group);
    if (groups->has_memory() && spec.own_group) {
      auto events = groups->oom_events(group);
      if (events)
        launched.oom_events = std::move(*events);
      else
        LOG_WARNING("container {}: lack of memory will be seen only at its end: {}", spec.id,
                    events.error().message);
    }
  }
  auto helper = launch::start_helper(options.helper, order);
  if (!helper) {
    if (groups != nullptr && spec.own_group) (void)groups->destroy(group_of(spec), options.destroy_timeout);
    return helper.error();
  }
  launched.helper = std::move(*helper);
  return launched;
}

Started started_of(const Container& container) {
  return {container.pid, container.attached ? container.attached->infos : std::vector<mesos::v1::NetworkInfo>()};
}

void set_user(const NativeOptions& options, const ContainerSpec& spec, const std::optional<launch::UserIds>& user,
              launch::LaunchOrder& order) {
  const bool docker = spec.container && spec.container->type() == mesos::v1::ContainerInfo::DOCKER;
  // A user of the image's has nothing to do with one of the machine's that has the same name.
  const bool images_own = !order.image_user.empty() && order.image_user != spec.user;
  if (!docker && !images_own) order.user = user;
  if (!docker && !options.switch_user) order.image_user.clear();
}

PlanContext plan_context(const NativeOptions& options, const images::Image* image) {
  PlanContext context;
  context.isolated = options.isolated;
  context.images = options.images != nullptr;
  context.sandbox_directory = options.sandbox_directory;
  context.logs = options.logs;
  context.ignore_runtime = options.ignore_image_runtime;
  context.image = image == nullptr ? nullptr : &image->config;
  context.isolators = options.isolators.get();
  return context;
}

Termination collect_end(const NativeOptions& options, cgroups::Cgroups* groups, const ContainerSpec& spec) {
  Termination end;
  const std::string& id = spec.id;
  const std::string group = group_of(spec);
  const std::string runtime = options.runtime_directory + "/" + id;
  end.status = read_status(runtime);
  // A helper that was killed before it could write is a task that was killed: all below it died with it.
  if (!end.status && base::exists(runtime + "/pid")) end.status = SIGKILL;
  options.isolators->cleanup(id, runtime);
  if (Status gone = images::discard_root(runtime, root_trash(options)); !gone) LOG_WARNING("container {}: {}", id, gone.error().message);
  if (groups == nullptr || !spec.own_group) return end;
  if (groups->oom_kills(group) > 0) {
    end.out_of_memory = true;
    end.memory_used = groups->usage(group).memory_max.value_or(0);
    end.message = out_of_memory_message(spec.limits, groups->usage(group));
  }
  if (Status gone = groups->destroy(group, options.destroy_timeout); !gone) {
    LOG_ERROR("container {}: {}", id, gone.error().message);
    end.message += (end.message.empty() ? "" : "; ") + gone.error().message;
    end.incomplete = true;
  }
  return end;
}

}  // namespace containerizer
