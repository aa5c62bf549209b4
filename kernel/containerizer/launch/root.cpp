// The root of a container with an image: mounts, devices, masks, pivot.

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel/containerizer/launch/steps.hpp"

namespace containerizer::launch {
namespace {

constexpr unsigned long kQuiet = MS_NOSUID | MS_NODEV | MS_NOEXEC;

/// Descriptor as a path, for calls that take no descriptors.
struct FdPath {
  char text[32];
  explicit FdPath(int fd) { snprintf(text, sizeof text, "/proc/self/fd/%d", fd); }
};

constexpr int kMaxLinks = 8;

int make_inside(int root, const char* path, bool directory, int links);

/// A link of the image that leads to nothing yet: what it means in the root is made.
bool make_link_target(int root, int parent, const char* parent_path, const char* name, int links) {
  char target[2048], path[4096];
  const ssize_t length = readlinkat(parent, name, target, sizeof target - 1);
  if (length < 0 || links >= kMaxLinks) return false;
  target[length] = '\0';
  if (target[0] == '/')
    snprintf(path, sizeof path, "%s", target);
  else
    snprintf(path, sizeof path, "%.*s/%s",
             static_cast<int>(strrchr(parent_path, '/') - parent_path), parent_path, target);
  const int made = make_inside(root, path, true, links + 1);
  if (made >= 0) close(made);
  return made >= 0;
}

/// Opens the directory or file below the root and makes it, with its parents, when it is missing.
int make_inside(int root, const char* path, bool directory, int links) {
  const int there = open_inside(root, path, O_PATH);
  if (there >= 0 || errno != ENOENT) return there;
  char sofar[4096] = "";
  char rest[4096];
  if (snprintf(rest, sizeof rest, "%s", path) >= static_cast<int>(sizeof rest)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  int parent = open_inside(root, ".", O_PATH | O_DIRECTORY);
  char* at = rest;
  while (char* part = strsep(&at, "/")) {
    if (*part == '\0' || strcmp(part, ".") == 0) continue;
    const bool last = at == nullptr || strspn(at, "/") == strlen(at);
    const size_t length = strlen(sofar);
    snprintf(sofar + length, sizeof sofar - length, "/%s", part);
    int next = open_inside(root, sofar, O_PATH);
    if (next < 0 && errno == ENOENT) {
      if (last && !directory) {
        // Through a link that leads nowhere yet, too: it stays in the root.
        const int file = open_inside(root, sofar, O_WRONLY | O_CREAT | O_NOCTTY | O_NONBLOCK, 0644);
        if (file >= 0) close(file);
      } else if (mkdirat(parent, part, 0755) != 0 &&
                 (errno != EEXIST || !make_link_target(root, parent, sofar, part, links))) {
        close(parent);
        return -1;
      }
      next = open_inside(root, sofar, O_PATH);
    }
    const int error = errno;
    close(parent);
    errno = error;
    if (next < 0 || last) return next;
    parent = next;
  }
  return parent;
}

Failure mount_inside(int root, const char* target, const char* source, const char* type,
                     unsigned long flags, const char* options) {
  const int at = make_inside(root, target, true, 0);
  if (at < 0) return {"cannot make the mount point", target, errno};
  const Failure failure = mount(source, FdPath(at).text, type, flags, options) == 0
                              ? Failure{}
                              : Failure{"cannot mount", target, errno};
  close(at);
  return failure;
}

/// A link of the image's in place of one of these would put the kernel's files, and what hides parts of them, elsewhere.
Failure refuse_links(int root) {
  constexpr const char* kPaths[] = {"proc", "sys", "dev"};
  for (const char* path : kPaths) {
    struct stat info;
    if (fstatat(root, path, &info, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(info.st_mode))
      return {"the image has no directory but something else at", path, 0};
  }
  return {};
}

/// With the container's ids the layer is laid over itself, in this mount namespace alone: overlayfs takes mounts that are
/// attached somewhere. What the container writes is no layer: it is thrown away, and has the machine's numbers.
int open_layer(const Order& order, const char* path, Failure& failure) {
  int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0 && order.first_id != 0) {
    failure = show_mapped(order, fd, fd, path, 0);
    close(fd);
    if (failure.step != nullptr) return -1;
    fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  }
  if (fd < 0) failure = {"cannot open the layer", path, errno};
  return fd;
}

/// An image that was copied, or one without files.
Failure bind_root(const Order& order) {
  if (order.first_id == 0) {
    const bool done = mount(order.root, order.root, nullptr, MS_BIND, nullptr) == 0 &&
                      mount(nullptr, order.root, nullptr, MS_REMOUNT | MS_BIND | MS_NODEV, nullptr) == 0;
    return done ? Failure{} : Failure{"cannot bind the image", order.root, errno};
  }
  const int fd = open(order.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return {"cannot open the image", order.root, errno};
  const Failure failure = show_mapped(order, fd, fd, order.root, 0x4 /* MOUNT_ATTR_NODEV */);
  close(fd);
  return failure;
}

/// Overlay options name every directory by descriptor: short, and free of characters that separate
/// options.
Failure mount_layers(const Order& order, const LayersOrder& files) {
  char options[kMaxLayers * 24 + 256] = "lowerdir=";
  int fds[kMaxLayers + 1];
  int count = 0;
  size_t length = strlen(options);
  for (; count < files.count; ++count) {
    Failure failure;
    fds[count] = open_layer(order, files.layers[count], failure);
    if (failure.step != nullptr) return failure;
    length += static_cast<size_t>(snprintf(options + length, sizeof options - length,
                                           "%s/proc/self/fd/%d", count > 0 ? ":" : "", fds[count]));
  }
  const int writable = open(files.writable, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (writable < 0) return {"cannot open the writable layer", files.writable, errno};
  length += static_cast<size_t>(snprintf(
      options + length, sizeof options - length,
      ",upperdir=/proc/self/fd/%d/upper,workdir=/proc/self/fd/%d/work", writable, writable));
  // The mount lives as long as the container: nothing of it has to be synced at its end.
  snprintf(options + length, sizeof options - length, ",volatile");
  int done = mount("overlay", files.path, "overlay", MS_NODEV, options);
  if (done != 0 && errno == EINVAL) {
    options[length] = '\0';  // before Linux 5.10
    done = mount("overlay", files.path, "overlay", MS_NODEV, options);
  }
  const int error = errno;
  for (int i = 0; i < count; ++i) close(fds[i]);
  close(writable);
  if (done != 0) return {"cannot mount the image on", files.path, error};
  return {};
}

struct Node {
  const char* name;
  unsigned major, minor;
};

constexpr Node kNodes[] = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
                           {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};

struct Link {
  const char* name;
  const char* target;
};

constexpr Link kLinks[] = {{"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"},
                           {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
                           {"ptmx", "pts/ptmx"},          {"core", "/proc/kcore"}};

Failure make_device(int dev, const Node& node) {
  if (mknodat(dev, node.name, S_IFCHR | 0666, makedev(node.major, node.minor)) == 0 &&
      fchmodat(dev, node.name, 0666, 0) == 0)
    return {};
  // Where nodes may not be made, the machine's own is shown.
  char source[64];
  snprintf(source, sizeof source, "/dev/%s", node.name);
  const int file = openat(dev, node.name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (file >= 0) close(file);
  const int at = openat(dev, node.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  const bool bound = at >= 0 && mount(source, FdPath(at).text, nullptr, MS_BIND, nullptr) == 0;
  const Failure failure = bound ? Failure{} : Failure{"cannot make the device", node.name, errno};
  if (at >= 0) close(at);
  return failure;
}

/// A mount of the container around this one.
Failure show_inside(int root, const char* path, int borrowed) {
  const int at = make_inside(root, path, true, 0);
  const bool done = at >= 0 && attach(borrowed, at);
  const int error = errno;
  if (at >= 0) close(at);
  return done ? Failure{} : Failure{"cannot share", path, error};
}

Failure set_up_dev(const Order& order, int root) {
  Failure failure;
  if (order.privileged) {
    failure = mount_inside(root, "/dev", "/dev", nullptr, MS_BIND | MS_REC, nullptr);
    if (failure.step != nullptr) return failure;
  } else {
    failure = mount_inside(root, "/dev", "tmpfs", "tmpfs", MS_NOSUID | MS_NOEXEC | MS_STRICTATIME,
                           "mode=755,size=65536k");
    if (failure.step != nullptr) return failure;
    const int dev = open_inside(root, "/dev", O_RDONLY | O_DIRECTORY);
    if (dev < 0) return {"cannot open", "/dev", errno};
    for (const auto& node : kNodes) {
      failure = make_device(dev, node);
      if (failure.step != nullptr) return failure;
    }
    for (const auto& link : kLinks) symlinkat(link.target, dev, link.name);
    close(dev);
    char terminals[80];
    snprintf(terminals, sizeof terminals, "newinstance,ptmxmode=0666,mode=0620,gid=%u", order.first_id + 5);
    failure = mount_inside(root, "/dev/pts", "devpts", "devpts", MS_NOSUID | MS_NOEXEC, terminals);
    if (failure.step != nullptr) return failure;
  }
  if (order.borrowed_shm >= 0) return show_inside(root, "/dev/shm", order.borrowed_shm);
  if (!order.private_ipc)
    return order.privileged ? Failure{}
                            : mount_inside(root, "/dev/shm", "/dev/shm", nullptr, MS_BIND, nullptr);
  char options[64];
  snprintf(options, sizeof options, "mode=1777,size=%s",
           order.shm_size != nullptr ? order.shm_size : "65536k");
  failure = mount_inside(root, "/dev/shm", "tmpfs", "tmpfs", kQuiet, options);
  if (failure.step == nullptr)
    (void)mount_inside(root, "/dev/mqueue", "mqueue", "mqueue", kQuiet,
                       nullptr);  // not every kernel has them
  return failure;
}

constexpr const char* kReadOnly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                     "/proc/sysrq-trigger"};
constexpr const char* kMasked[] = {"/proc/acpi",        "/proc/asound",    "/proc/kcore",
                                   "/proc/keys",        "/proc/key-users", "/proc/latency_stats",
                                   "/proc/sched_debug", "/proc/scsi",      "/proc/timer_list",
                                   "/proc/timer_stats", "/sys/firmware"};

Failure protect(int root) {
  for (const char* path : kReadOnly) {
    const int at = open_inside(root, path, O_PATH);
    if (at < 0) continue;
    const FdPath name(at);
    const bool bound = mount(name.text, name.text, nullptr, MS_BIND | MS_REC, nullptr) == 0;
    close(at);
    const int again = open_inside(root, path, O_PATH);
    if (!bound || again < 0 ||
        mount(nullptr, FdPath(again).text, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | kQuiet,
              nullptr) != 0)
      return {"cannot make read-only", path, errno};
    close(again);
  }
  for (const char* path : kMasked) {
    const int at = open_inside(root, path, O_PATH);
    if (at < 0) continue;
    struct stat info;
    const bool directory = fstat(at, &info) == 0 && S_ISDIR(info.st_mode);
    const int done = directory
                         ? mount("tmpfs", FdPath(at).text, "tmpfs", MS_RDONLY | kQuiet, "size=0")
                         : mount("/dev/null", FdPath(at).text, nullptr, MS_BIND, nullptr);
    const int error = errno;
    close(at);
    if (done != 0) return {"cannot mask", path, error};
  }
  return {};
}

Failure set_up_kernel_files(const Order& order, int root) {
  Failure failure = order.borrowed_proc >= 0 ? show_inside(root, "/proc", order.borrowed_proc)
                    : order.private_pids
                        ? mount_inside(root, "/proc", "proc", "proc", kQuiet, nullptr)
                        : mount_inside(root, "/proc", "/proc", nullptr, MS_BIND | MS_REC, nullptr);
  if (failure.step != nullptr) return failure;
  failure = mount_inside(root, "/sys", "sysfs", "sysfs",
                         kQuiet | (order.privileged ? 0 : MS_RDONLY), nullptr);
  if (failure.step != nullptr) return failure;
  const int groups = open_inside(root, "/sys/fs/cgroup", O_PATH);
  if (groups >= 0) {
    if (mount("tmpfs", FdPath(groups).text, "tmpfs", kQuiet | MS_RDONLY, "mode=755,size=0") != 0)
      failure = {"cannot mount", "/sys/fs/cgroup", errno};
    close(groups);
  }
  return failure;
}

/// The target as a mount entry names it: what follows the second blank.
const char* target_of(const MountOrder& mount_order) {
  const char* blank = strchr(mount_order.text, ' ');
  blank = blank == nullptr ? nullptr : strchr(blank + 1, ' ');
  return blank == nullptr ? "" : blank + 1;
}

Failure mount_volumes(const Order& order, int root) {
  for (int i = 0; i < order.mount_count; ++i) {
    struct stat info;
    const bool file = is_bind(order.mounts[i]) && fstat(order.mounts[i].opened, &info) == 0 && !S_ISDIR(info.st_mode);
    const int at = make_inside(root, target_of(order.mounts[i]), !file, 0);
    if (at < 0) return {"cannot make the mount point", target_of(order.mounts[i]), errno};
    close(at);
    if (strstr(order.mounts[i].text, " none ") != nullptr) continue;
    const Failure failure = mount_one(order, order.mounts[i], root);
    if (failure.step != nullptr) return failure;
  }
  return {};
}

Failure enter_root(int root) {
  if (fchdir(root) != 0) return {"cannot enter the root", "", errno};
  // The old root comes to lie on the new one and is taken away from there: no directory for it is
  // needed.
  if (syscall(SYS_pivot_root, ".", ".") != 0) return {"cannot change the root", "", errno};
  if (umount2(".", MNT_DETACH) != 0) return {"cannot leave the machine's root", "", errno};
  if (chdir("/") != 0) return {"cannot enter the root", "/", errno};
  return {};
}

}  // namespace

int make_inside(int root, const char* path, bool directory) { return make_inside(root, path, directory, 0); }

Failure mount_volume_layers(const Order& order) {
  Failure failure;
  for (int i = 0; failure.step == nullptr && i < order.volume_count; ++i) failure = mount_layers(order, order.volumes[i]);
  return failure;
}

Failure set_up_root(Order& order) {
  if (!order.private_mounts) return {"an image needs a mount namespace", "", 0};
  if (mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0)
    return {"cannot detach the mount namespace", "", errno};
  Failure failure = mount_volume_layers(order);
  if (failure.step == nullptr) failure = open_sources(order);
  const LayersOrder files{order.root, order.writable, order.layers, order.layer_count};
  if (failure.step == nullptr) failure = order.layer_count > 0 ? mount_layers(order, files) : bind_root(order);
  if (failure.step != nullptr) return failure;
  const int root = open(order.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return {"cannot open the root", order.root, errno};
  failure = refuse_links(root);
  if (failure.step == nullptr) failure = set_up_kernel_files(order, root);
  if (failure.step == nullptr) failure = set_up_dev(order, root);
  // A container of the kernel's kind that shares the machine's processes sees all of /proc;
  // Docker's kind never does.
  const bool open_proc = !order.private_pids && order.capabilities == nullptr;
  if (failure.step == nullptr && !order.privileged && !open_proc) failure = protect(root);
  if (failure.step == nullptr) failure = mount_volumes(order, root);
  if (failure.step == nullptr) failure = put_secrets(order, root);
  if (failure.step != nullptr) return failure;
  if (order.directory != nullptr) {
    const int directory = make_inside(root, order.directory, true, 0);
    if (directory < 0) return {"cannot make the working directory", order.directory, errno};
    close(directory);
  }
  if (order.read_only_root && mount(nullptr, FdPath(root).text, nullptr,
                                    MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV, nullptr) != 0)
    return {"cannot make the root read-only", "", errno};
  failure = enter_root(root);
  close(root);
  return failure;
}

}  // namespace containerizer::launch
