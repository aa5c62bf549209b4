#include "kernel/containerizer/launch/steps.hpp"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace containerizer::launch {
namespace {

Failure write_all(int fd, const char* text, size_t length, const char* step, const char* detail) {
  while (length > 0) {
    const ssize_t written = write(fd, text, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return {step, detail, errno};
    text += written;
    length -= static_cast<size_t>(written);
  }
  return {};
}

Failure open_onto(const char* path, int target, uid_t uid, gid_t gid, bool chown) {
  // O_NOFOLLOW: the sandbox belongs to the task's user, who could have put a link there to a file of root's.
  const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) return {"cannot open the output file", path, errno};
  if (chown && fchown(fd, uid, gid) != 0) return {"cannot give away the output file", path, errno};
  if (dup2(fd, target) < 0) return {"cannot redirect output to", path, errno};
  close(fd);
  return {};
}

bool read_text(const char* path, char* text, size_t capacity) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t length = read(fd, text, capacity - 1);
  close(fd);
  if (length <= 0) return false;
  text[length] = '\0';
  return true;
}

}  // namespace

size_t describe_failure(char* text, size_t capacity, const char* step, const char* detail, int error) {
  int length = detail[0] != '\0' ? snprintf(text, capacity, "%s '%s'", step, detail)
                                 : snprintf(text, capacity, "%s", step);
  if (error != 0 && length > 0 && static_cast<size_t>(length) < capacity)
    length += snprintf(text + length, capacity - static_cast<size_t>(length), ": %s", strerror(error));
  return length < 0 ? 0 : static_cast<size_t>(length) < capacity ? static_cast<size_t>(length) : capacity - 1;
}

Failure open_output(const Order& order) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return {"cannot open", "/dev/null", errno};
  dup2(null, STDIN_FILENO);
  if (order.output == nullptr) dup2(null, STDOUT_FILENO);
  if (order.error_output == nullptr) dup2(null, STDERR_FILENO);
  close(null);
  if (order.output != nullptr) {
    Failure failure = open_onto(order.output, STDOUT_FILENO, order.uid, order.gid, order.switch_user);
    if (failure.step != nullptr) return failure;
  }
  if (order.error_output != nullptr)
    return open_onto(order.error_output, STDERR_FILENO, order.uid, order.gid, order.switch_user);
  return {};
}

void set_oom_score(const char* score) {
  const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  ignore(write(fd, score, strlen(score)));
  close(fd);
}

Failure write_pid_file(const Order& order) {
  if (order.pid_file == nullptr) return {};
  // The host's /proc is still mounted here, so "self" is our pid as the host sees it, also in a pid namespace.
  char stat[1024];
  char boot[64];
  if (!read_text("/proc/self/stat", stat, sizeof stat)) return {"cannot read", "/proc/self/stat", errno};
  if (!read_text("/proc/sys/kernel/random/boot_id", boot, sizeof boot)) boot[0] = '\0';
  const char* after_name = strrchr(stat, ')');
  if (after_name == nullptr) return {"cannot understand", "/proc/self/stat", 0};
  unsigned long long start = 0;
  int field = 2;
  for (const char* at = after_name + 1; *at != '\0' && field < 22; ++at)
    if (*at == ' ' && ++field == 22) start = strtoull(at + 1, nullptr, 10);
  char text[256];
  const int length = snprintf(text, sizeof text, "%ld %llu %s", strtol(stat, nullptr, 10), start, boot);

  char temporary[4096];
  snprintf(temporary, sizeof temporary, "%s.new", order.pid_file);
  const int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return {"cannot write", order.pid_file, errno};
  const Failure failure = write_all(fd, text, static_cast<size_t>(length), "cannot write", order.pid_file);
  close(fd);
  if (failure.step != nullptr) return failure;
  if (rename(temporary, order.pid_file) != 0) return {"cannot write", order.pid_file, errno};
  return {};
}

Failure enter_cgroups(const Order& order) {
  for (int i = 0; i < order.cgroup_count; ++i) {
    const int fd = open(order.cgroups[i], O_WRONLY | O_CLOEXEC);
    if (fd < 0) return {"cannot open", order.cgroups[i], errno};
    const Failure failure = write_all(fd, "0", 1, "cannot enter", order.cgroups[i]);
    close(fd);
    if (failure.step != nullptr) return failure;
  }
  return {};
}

namespace {

/// A namespace of the joined process. By /proc, which still shows the machine's processes here: in a pid namespace of its own
/// this process could not name another one.
int open_space(const Order& order, const char* name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/%s", static_cast<int>(order.join), name);
  return open(path, O_RDONLY | O_CLOEXEC);
}

}  // namespace

Failure join_namespaces(const Order& order) {
  if (order.join == 0) return {};
  struct Space {
    int kind;
    const char* name;
    int fd;
  };
  // All are opened first: the mount namespace has a /proc of its own.
  Space spaces[] = {{CLONE_NEWIPC, "ipc", -1}, {CLONE_NEWUTS, "uts", -1}, {CLONE_NEWNET, "net", -1},
                    {CLONE_NEWPID, "pid", -1}, {CLONE_NEWNS, "mnt", -1}};
  for (Space& space : spaces) {
    if ((order.join_kinds & space.kind) == 0) continue;
    space.fd = open_space(order, space.name);
    if (space.fd < 0) return {"cannot find the container to enter", space.name, errno};
  }
  for (const Space& space : spaces) {
    if (space.fd < 0) continue;
    if (setns(space.fd, space.kind) != 0) return {"cannot enter the container's namespaces", space.name, errno};
    close(space.fd);
  }
  return {};
}

Failure enter_network(const Order& order) {
  if (order.network != nullptr) {
    const int space = open(order.network, O_RDONLY | O_CLOEXEC);
    if (space < 0) return {"cannot open the network namespace", order.network, errno};
    if (setns(space, CLONE_NEWNET) != 0) return {"cannot enter the network namespace", order.network, errno};
    close(space);
  }
  if (order.host_name == nullptr) return {};
  if (unshare(CLONE_NEWUTS) != 0) return {"cannot have a host name of its own", "", errno};
  if (sethostname(order.host_name, strlen(order.host_name)) != 0)
    return {"cannot set the host name", order.host_name, errno};
  return {};
}

Failure write_sysctls(const Order& order) {
  for (int i = 0; i < order.sysctl_count; ++i) {
    char* name = order.sysctls[i];
    char* value = strchr(name, '=');
    if (value == nullptr) return {"bad sysctl", name, 0};
    *value++ = '\0';
    char path[512];
    if (snprintf(path, sizeof path, "/proc/sys/%s", name) >= static_cast<int>(sizeof path))
      return {"cannot set the sysctl", name, ENAMETOOLONG};
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    const size_t length = strlen(value);
    const bool written = file >= 0 && write(file, value, length) == static_cast<ssize_t>(length);
    const int error = errno;
    if (file >= 0) close(file);
    if (!written) return {"cannot set the sysctl", name, error};
  }
  return {};
}

Failure borrow_mounts(Order& order) {
  if (!order.borrow_proc && !order.borrow_shm) return {};
  const int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  const int target = open_space(order, "mnt");
  if (own < 0 || target < 0 || setns(target, CLONE_NEWNS) != 0)
    return {"cannot look into the container around this one", "", errno};
  constexpr unsigned kCopy = 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC | AT_RECURSIVE;
  if (order.borrow_proc) order.borrowed_proc = static_cast<int>(syscall(SYS_open_tree, AT_FDCWD, "/proc", kCopy));
  if (order.borrow_shm) order.borrowed_shm = static_cast<int>(syscall(SYS_open_tree, AT_FDCWD, "/dev/shm", kCopy));
  const int error = errno;
  if (setns(own, CLONE_NEWNS) != 0) return {"cannot come back from the container around this one", "", errno};
  close(own);
  close(target);
  if (order.borrow_proc && order.borrowed_proc < 0) return {"cannot share", "/proc", error};
  return {};  // a container without /dev/shm has none to share
}

bool attach(int tree, int target) {
  constexpr unsigned kEmptyPaths = 0x4 | 0x40;  // MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
  const bool done = syscall(SYS_move_mount, tree, "", target, "", kEmptyPaths) == 0;
  const int error = errno;
  close(tree);
  errno = error;
  return done;
}

Failure open_status_directory(const Order& order, int* fd) {
  char path[4096];
  if (snprintf(path, sizeof path, "%s", order.status_file) >= static_cast<int>(sizeof path))
    return {"the path is too long", order.status_file, 0};
  *fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (*fd < 0) return {"cannot open the directory of", order.status_file, errno};
  return {};
}

namespace {

int open_at(const char* path, int flags, unsigned long long resolve, int root, int mode) {
  struct open_how how = {};
  how.flags = static_cast<unsigned long long>(flags | O_CLOEXEC);
  how.mode = static_cast<unsigned long long>(mode);
  how.resolve = resolve;
  for (;;) {
    const int fd = static_cast<int>(syscall(SYS_openat2, root, path, &how, sizeof how));
    if (fd >= 0 || errno != EAGAIN) return fd;
  }
}

/// The target of a mount: in the container's root it may follow links, which lead nowhere else; on the machine none may
/// be on the way.
int open_target(const char* target, int root) { return root >= 0 ? open_inside(root, target, O_PATH) : open_on_machine(target); }

/// What was mounted last on `target` cannot be written to from here on.
bool make_read_only(const char* target, int root) {
  struct mount_attributes {
    unsigned long long set, clear, propagation, userns;
  } attributes = {1 /* MOUNT_ATTR_RDONLY */, 0, 0, 0};
  const int mounted = open_target(target, root);
  if (mounted < 0) return false;
  bool done = syscall(SYS_mount_setattr, mounted, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) == 0;
  if (!done) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", mounted);
    done = mount(nullptr, path, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0;
  }
  const int error = errno;
  close(mounted);
  errno = error;
  return done;
}

}  // namespace

int open_on_machine(const char* path) {
  return open_at(path, O_PATH, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS, AT_FDCWD, 0);
}

int open_inside(int root, const char* path, int flags, int mode) {
  return open_at(path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, root, mode);
}

bool is_bind(const MountOrder& mount_order) {
  const char* type = strchr(mount_order.text, ' ');
  return type != nullptr && strncmp(type, " bind ", 6) == 0;
}

Failure open_sources(Order& order) {
  for (int i = 0; i < order.mount_count; ++i) {
    MountOrder& mount_order = order.mounts[i];
    if (!is_bind(mount_order)) continue;
    if (mount_order.source == nullptr) return {"a bind mount without source", mount_order.text, 0};
    const size_t access = strcspn(mount_order.text, " ");
    mount_order.opened = memmem(mount_order.text, access, "nofollow", 8) != nullptr
                             ? open_on_machine(mount_order.source)
                             : open(mount_order.source, O_PATH | O_CLOEXEC);
    if (mount_order.opened < 0) return {"cannot open the volume's source", mount_order.source, errno};
  }
  return {};
}

Failure mount_one(const Order& order, const MountOrder& mount_order, int root) {
  char text[8192];
  if (snprintf(text, sizeof text, "%s", mount_order.text) >= static_cast<int>(sizeof text))
    return {"the mount's text is too long", "", 0};
  char* rest = text;
  const char* access = strsep(&rest, " ");
  const char* type = rest == nullptr ? nullptr : strsep(&rest, " ");
  if (type == nullptr || rest == nullptr) return {"a mount without target", mount_order.text, 0};
  const char* target = rest;
  // Both ends are opened first and mounted by descriptor, so that neither can be exchanged for a link meanwhile.
  char source_path[64], target_path[64];
  const bool bind = is_bind(mount_order);
  const int source = mount_order.opened;
  snprintf(source_path, sizeof source_path, "/proc/self/fd/%d", source);
  const int at = open_target(target, root);
  if (at < 0) {
    const int error = errno;
    return {error == ELOOP ? "the volume's path contains a symbolic link" : "cannot open the volume's target",
            mount_order.text, error};
  }
  snprintf(target_path, sizeof target_path, "/proc/self/fd/%d", at);
  if (!bind && mount(type, target_path, type, MS_NOSUID | MS_NODEV, mount_order.source) != 0)
    return {"cannot mount on", mount_order.text, errno};
  struct stat info;
  // Of a device the rights count that it has on the machine.
  const bool mapped = bind && order.first_id != 0 && strstr(access, "asis") == nullptr && fstat(source, &info) == 0 &&
                      !S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode);
  if (mapped) {
    const Failure failure = show_mapped(order, source, at, mount_order.source, 0);
    if (failure.step != nullptr) return failure;
  } else if (bind && mount(source_path, target_path, nullptr, MS_BIND | MS_REC, nullptr) != 0)
    return {"cannot bind the volume", mount_order.text, errno};
  if (strncmp(access, "ro", 2) == 0 && !make_read_only(target, root))
    return {"cannot make the volume read-only", mount_order.text, errno};
  if (source >= 0) close(source);
  close(at);
  return {};
}

Failure set_up_mounts(Order& order) {
  if (!order.private_mounts) return {};
  // Mounts of the host still arrive in the container, mounts of the container never reach the host.
  if (mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0)
    return {"cannot detach the mount namespace", "", errno};
  Failure failure = mount_volume_layers(order);
  if (failure.step == nullptr) failure = open_sources(order);
  if (failure.step != nullptr) return failure;
  for (int i = 0; i < order.mount_count; ++i) {
    failure = mount_one(order, order.mounts[i], -1);
    if (failure.step != nullptr) return failure;
  }
  const Failure secrets = put_secrets(order, -1);
  if (secrets.step != nullptr) return secrets;
  if (order.borrowed_shm >= 0) {
    const int at = open("/dev/shm", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at < 0 || !attach(order.borrowed_shm, at)) return {"cannot share", "/dev/shm", errno};
    close(at);
  }
  // Last, because bind mounts go by /proc/self/fd.
  if (order.borrowed_proc >= 0) {
    const int at = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at < 0 || !attach(order.borrowed_proc, at)) return {"cannot share", "/proc", errno};
    close(at);
  }
  if (order.private_pids && mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    return {"cannot mount", "/proc", errno};
  char shm[64] = "mode=1777";
  if (order.shm_size != nullptr) snprintf(shm, sizeof shm, "mode=1777,size=%s", order.shm_size);
  if (order.private_ipc && mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, shm) != 0 && errno != ENOENT)
    return {"cannot mount", "/dev/shm", errno};
  return {};
}

Failure set_limits(const Order& order) {
  for (int i = 0; i < order.limit_count; ++i) {
    int resource = 0;
    char soft[32], hard[32];
    if (sscanf(order.limits[i], "%d %31s %31s", &resource, soft, hard) != 3)
      return {"cannot understand the limit", order.limits[i], 0};
    struct rlimit limit;
    limit.rlim_cur = soft[0] == '-' ? RLIM_INFINITY : strtoull(soft, nullptr, 10);
    limit.rlim_max = hard[0] == '-' ? RLIM_INFINITY : strtoull(hard, nullptr, 10);
    if (setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0)
      return {"cannot set the limit", order.limits[i], errno};
  }
  return {};
}

Failure execute(const Order& order) {
  char home[sizeof order.home + 8];
  if (order.home[0] != '\0') {
    int count = 0;
    bool given = false;
    for (; order.variables[count] != nullptr; ++count)
      given = given || strncmp(order.variables[count], "HOME=", 5) == 0;
    snprintf(home, sizeof home, "HOME=%s", order.home);
    if (!given) order.variables[count] = home;
  }
  environ = order.variables;
  execvpe(order.program, order.arguments, order.variables);
  return {"cannot run", order.program, errno};
}

void write_status(const Order& order, int directory, int status) {
  char name[4096], temporary[4200], text[32];
  const char* slash = strrchr(order.status_file, '/');
  snprintf(name, sizeof name, "%s", slash == nullptr ? order.status_file : slash + 1);
  snprintf(temporary, sizeof temporary, "%s.new", name);
  const int length = snprintf(text, sizeof text, "%d", status);
  const int fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return;
  const Failure failure = write_all(fd, text, static_cast<size_t>(length), "", "");
  if (failure.step == nullptr && fdatasync(fd) == 0) renameat(directory, temporary, directory, name);
  close(fd);
  fsync(directory);
}

}  // namespace containerizer::launch
