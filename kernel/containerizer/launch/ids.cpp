// A container with ids of its own: what the helper does about them. The task's process alone is in the user namespace; all
// other namespaces stay the machine's, so that being root in the container is no power over them.

#include <errno.h>
#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/containerizer/launch/steps.hpp"
#include "kernel/containerizer/launch/user_space.hpp"

namespace containerizer::launch {
namespace {

/// The first process of a container keeps its user namespace open; by /proc, where nothing but a link has to be read to
/// know what it is.
Failure find_joined(Order& order) {
  char path[64], kind[64] = "";
  snprintf(path, sizeof path, "/proc/%d/fd/%d", static_cast<int>(order.join), kUserSpaceFd);
  const bool there = readlink(path, kind, sizeof kind - 1) > 0 && strncmp(kind, "user:", 5) == 0;
  if (order.first_id == 0)
    return !there ? Failure{}
                  : Failure{"the container has ids of its own, and its agent was restarted without namespaces/user", "", 0};
  if (!there) return {"the container's user namespace is gone", "", 0};
  order.user_space = open(path, O_RDONLY | O_CLOEXEC);
  return order.user_space >= 0 ? Failure{} : Failure{"cannot open the container's user namespace", path, errno};
}

Failure write_setting(const char* path, const char* value) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? Failure{} : Failure{"cannot open", path, errno};
  const bool done = write(fd, value, strlen(value)) >= 0;
  const int error = errno;
  close(fd);
  return done ? Failure{} : Failure{"cannot write", path, error};
}

}  // namespace

Failure have_ids(Order& order) {
  if (order.join != 0 && (order.join_kinds & CLONE_NEWNS) != 0) return find_joined(order);
  if (order.first_id == 0) return {};
  pid_t holder = -1;  // buried with the container's orphans
  const int made = make_user_space(order.first_id, &holder);
  if (made < 0)
    return {errno == ENOSPC ? "cannot make a user namespace, /proc/sys/user/max_user_namespaces allows no more"
                            : "cannot make a user namespace", "", errno};
  order.user_space = kUserSpaceFd;
  if (made == kUserSpaceFd) return {};
  if (dup3(made, kUserSpaceFd, O_CLOEXEC) < 0) return {"cannot keep the user namespace", "", errno};
  close(made);
  return {};
}

Failure open_network_to_all(const Order& order) {
  if (order.first_id == 0 || order.network == nullptr) return {};
  // The network is the container's own, but not its user namespace's: what its root could do there is for everybody in it.
  const Failure ports = write_setting("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
  if (ports.step != nullptr) return ports;
  return write_setting("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
}

Failure make_as_container_root(const Order& order, bool on) {
  if (order.first_id == 0) return {};
  // Without this bit the kernel takes powers over files away together with the id.
  if (on && prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) != 0)
    return {"cannot keep the powers over files", "", errno};
  const unsigned id = on ? order.first_id : 0;
  setfsgid(id);
  setfsuid(id);
  if (setfsuid(static_cast<uid_t>(-1)) != static_cast<int>(id)) return {"cannot make files as the container's root", "", EPERM};
  if (!on && prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) != 0) return {"cannot set the secure bits", "", errno};
  return {};
}

Failure show_mapped(const Order& order, int source, int target, const char* path, unsigned long long flags) {
  const int tree = map_tree(source, order.user_space, flags);
  if (tree < 0) return {describe_unmapped(source, errno), path, 0};
  return attach(tree, target) ? Failure{} : Failure{"cannot mount, with the container's ids,", path, errno};
}

Failure check_ids(const Order& order) {
  if (order.first_id == 0) return {};
  bool fit = order.uid < kIdsOfContainer && order.gid < kIdsOfContainer;
  for (size_t i = 0; i < order.group_count; ++i) fit = fit && order.groups[i] < kIdsOfContainer;
  if (!fit) return {"namespaces/user: the task's user, or a group of his, has a number above 65535, the last of a container", "", 0};
  return {};
}

Failure enter_ids(const Order& order) {
  if (order.first_id == 0) return {};
  // Until its program runs, this process has memory and descriptors that the container's root must not look at.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (setns(order.user_space, CLONE_NEWUSER) != 0) return {"cannot enter the user namespace", "", errno};
  close(order.user_space);
  // Its root first: only from there the kernel takes the powers away that another user is not to have.
  if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) return {"cannot become the container's root", "", errno};
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return {};
}

namespace {

/// Replaces `fd` by the same file, opened as the container sees it.
Failure reopen(const Order& order, int fd, const char* path) {
  char inside[4096];
  const char* slash = strrchr(path, '/');
  if (slash == nullptr) return {};
  snprintf(inside, sizeof inside, "%s", path);
  for (int i = 0; order.root != nullptr && i < order.mount_count; ++i) {
    const char* source = order.mounts[i].source;
    const size_t length = static_cast<size_t>(slash - path);
    if (source == nullptr || strlen(source) != length || strncmp(source, path, length) != 0) continue;
    const char* target = strchr(order.mounts[i].text, ' ');
    target = target == nullptr ? nullptr : strchr(target + 1, ' ');
    if (target == nullptr) continue;
    snprintf(inside, sizeof inside, "%s%s", target + 1, slash);
    break;
  }
  const int again = open(inside, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat before, now;
  if (again < 0) return {"cannot open the output file again", inside, errno};
  if (fstat(fd, &before) != 0 || fstat(again, &now) != 0) return {"cannot look at the output file", inside, errno};
  if (before.st_dev != now.st_dev || before.st_ino != now.st_ino) return {"another file was put in place of the output file", inside, 0};
  fcntl(again, F_SETFL, O_APPEND);
  if (dup2(again, fd) < 0) return {"cannot redirect output to", inside, errno};
  close(again);
  return {};
}

}  // namespace

Failure reopen_output(const Order& order) {
  if (order.first_id == 0) return {};
  Failure failure;
  if (order.output != nullptr) failure = reopen(order, STDOUT_FILENO, order.output);
  if (failure.step == nullptr && order.error_output != nullptr) failure = reopen(order, STDERR_FILENO, order.error_output);
  return failure;
}

}  // namespace containerizer::launch
