// Persistent volumes for a container that runs already: mounted from outside, into its mount namespace alone.

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/strings.hpp"
#include "kernel/containerizer/native_impl.hpp"

namespace containerizer {
namespace {

struct Target {
  std::string root;   // of the sandbox as the container sees it
  std::string path;   // below that
};

/// The mount point, made where it is missing. The sandbox is full of what the task put there: no link is followed.
Result<base::Fd> open_mount_point(const Target& target) {
  base::Fd at(open(target.root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at) return base::errno_error("the sandbox " + target.root, errno);
  for (const auto piece : base::tokenize(target.path, '/')) {
    const std::string part(piece);
    if (part == ".") continue;
    if (mkdirat(at.get(), part.c_str(), 0755) != 0 && errno != EEXIST) return base::errno_error("cannot make " + part, errno);
    base::Fd next(openat(at.get(), part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return base::errno_error(part, errno);
    at = std::move(next);
  }
  return at;
}

bool same_directory(int a, int b) {
  struct stat one {}, other {};
  return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/// On a thread that is in the container's mount namespace and ends after it.
Status mount_there(int source, int tree, const Target& target) {
  ASSIGN_OR_RETURN(const base::Fd point, open_mount_point(target));
  if (same_directory(source, point.get())) return {};  // an earlier call did it
  if (syscall(SYS_move_mount, tree, "", point.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
    return base::errno_error("cannot mount the volume at " + target.path, errno);
  return {};
}

Status mount_inside(int64_t helper, const VolumeMount& volume, const Target& target) {
  // The source is looked up here, before the container's files are the ones that a path leads to.
  const base::Fd source(open(volume.source.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!source) return base::errno_error("the persistent volume's directory " + volume.source, errno);
  const base::Fd tree(static_cast<int>(syscall(SYS_open_tree, source.get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)));
  if (!tree) return base::errno_error("cannot mount the volume " + volume.source, errno);
  if (volume.read_only) {
    struct mount_attr attributes {};
    attributes.attr_set = MOUNT_ATTR_RDONLY;
    if (syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0)
      return base::errno_error("cannot make the volume " + volume.source + " read-only", errno);
  }
  const base::Fd space(open(("/proc/" + std::to_string(helper) + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC));
  if (!space) return base::errno_error("the container's mount namespace", errno);
  Status done;
  // A thread enters another mount namespace for good: this one is made for that.
  std::thread([&] {
    if (unshare(CLONE_FS) != 0 || setns(space.get(), CLONE_NEWNS) != 0)
      done = base::errno_error("cannot enter the container's mount namespace", errno);
    else
      done = mount_there(source.get(), tree.get(), target);
  }).join();
  return done;
}

/// A container with ids of its own sees a volume through a mount that translates them, which is made with the container.
Status check_ids(int64_t helper) {
  const std::string own = "/proc/" + std::to_string(helper);
  const std::string children = base::read_file(own + "/task/" + std::to_string(helper) + "/children").value_or("");
  const auto words = base::tokenize(children, ' ');
  struct stat machine {}, program {};
  if (words.empty() || stat("/proc/self/ns/user", &machine) != 0 ||
      stat(("/proc/" + std::string(words.front()) + "/ns/user").c_str(), &program) != 0)
    return base::not_found("the container's program does not run");
  if (machine.st_ino != program.st_ino)
    return base::unsupported("a container with ids of its own (namespaces/user) gets no volumes once it runs");
  return {};
}

}  // namespace

void NativeContainerizer::add_volumes(const std::string& id, std::vector<VolumeMount> volumes, std::function<void(Status)> done) {
  const auto refuse = [this, &done](base::Error error) {
    impl_->loop.post([done, error = std::move(error)] { done(error); });
  };
  const auto found = impl_->containers.find(id);
  if (found == impl_->containers.end() || found->second->stage != Stage::Running)
    return refuse(base::not_found("container " + id + " does not run"));
  const ContainerPtr container = found->second;
  if (!impl_->options.isolated)
    return refuse(base::unsupported("volumes need an agent that runs as root with mount namespaces (filesystem/linux)"));
  for (const auto& volume : volumes) {
    const auto parts = base::tokenize(volume.container_path, '/');
    if (parts.empty() || volume.container_path[0] == '/' || std::find(parts.begin(), parts.end(), "..") != parts.end())
      return refuse(base::unsupported("the volume " + volume.persistence_id + " is for " + volume.container_path +
                                      ": a container that runs already gets volumes at relative paths only"));
  }
  const std::string root = container->image ? impl_->options.sandbox_directory : container->spec.sandbox;
  const bool taken = impl_->pool.run_for(
      [volumes, root, helper = container->pid, user = container->user]() -> Status {
        RETURN_IF_ERROR(own_volumes(volumes, user));
        RETURN_IF_ERROR(check_ids(helper));
        for (const auto& volume : volumes) RETURN_IF_ERROR(mount_inside(helper, volume, {root, volume.container_path}));
        return {};
      },
      [container, volumes, done](Status mounted) {
        for (const auto& volume : volumes) {
          auto& known = container->spec.volumes;
          const bool there = std::any_of(known.begin(), known.end(), [&](const auto& each) {
            return each.persistence_id == volume.persistence_id && each.container_path == volume.container_path;
          });
          if (mounted && !there) known.push_back(volume);
        }
        done(std::move(mounted));
      });
  if (!taken) refuse(base::unavailable("too much work waits on this agent"));
}

}  // namespace containerizer
