#include "kernel/containerizer/launch/user_space.hpp"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace containerizer::launch {
namespace {

/// The number of the process that the descriptor stands for, as the mounted /proc has it: in a pid namespace of its own this
/// process knows another.
int number_of(int pidfd) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  const ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[length < 0 ? 0 : length] = '\0';
  const char* line = strstr(text, "\nPid:");
  return line == nullptr ? 0 : atoi(line + 5);
}

/// One line that gives the process numbers 0 to 65535 the machine's from `first_id` on. The kernel takes it in one piece.
bool write_map(int process, const char* file, unsigned first_id) {
  char path[64], line[64];
  snprintf(path, sizeof path, "/proc/%d/%s", process, file);
  const int length = snprintf(line, sizeof line, "0 %u %u\n", first_id, kIdsOfContainer);
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool done = write(fd, line, static_cast<size_t>(length)) == length;
  const int error = errno;
  close(fd);
  errno = error;
  return done;
}

int take_space(int process, unsigned first_id) {
  if (!write_map(process, "uid_map", first_id) || !write_map(process, "gid_map", first_id)) return -1;
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/user", process);
  return open(path, O_RDONLY | O_CLOEXEC);
}

/// The type of the file system that the descriptor is on, by the number of its mount; false when nobody knows.
bool file_system_of(int fd, char* name, size_t capacity) {
  struct statx info;
  if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &info) != 0 || (info.stx_mask & STATX_MNT_ID) == 0) return false;
  FILE* mounts = fopen("/proc/self/mountinfo", "re");
  if (mounts == nullptr) return false;
  char* line = nullptr;
  size_t size = 0;
  bool found = false;
  while (!found && getline(&line, &size, mounts) > 0) {
    const char* type = strstr(line, " - ");
    if (type == nullptr || strtoull(line, nullptr, 10) != info.stx_mnt_id) continue;
    snprintf(name, capacity, "%.*s", static_cast<int>(strcspn(type + 3, " ")), type + 3);
    found = true;
  }
  free(line);
  fclose(mounts);
  return found;
}

}  // namespace

int make_user_space(unsigned first_id, pid_t* holder) {
  int pidfd = -1;
  *holder = static_cast<pid_t>(syscall(SYS_clone, CLONE_NEWUSER | CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, nullptr, nullptr));
  if (*holder < 0) return -1;
  if (*holder == 0) {
    // It has nothing to do but be there, and mostly is gone before it was its turn to run.
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (;;) pause();
  }
  const int process = number_of(pidfd);
  errno = ESRCH;
  const int space = process > 0 ? take_space(process, first_id) : -1;
  const int error = errno;
  close(pidfd);
  kill(*holder, SIGKILL);
  errno = error;
  return space;
}

int map_tree(int source, int user_space, unsigned long long flags) {
  constexpr unsigned kCopy = 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH;
  const int tree = static_cast<int>(syscall(SYS_open_tree, source, "", kCopy));
  if (tree < 0) return -1;
  struct mount_attributes {
    unsigned long long set, clear, propagation, user_space;
  } attributes = {0x00100000 /* MOUNT_ATTR_IDMAP */ | flags, 0, 0, static_cast<unsigned long long>(user_space)};
  if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) == 0) return tree;
  const int error = errno;
  close(tree);
  errno = error;
  return -1;
}

const char* describe_unmapped(int source, int error) {
  static char text[512];
  char type[64] = "";
  if (!file_system_of(source, type, sizeof type)) snprintf(type, sizeof type, "of unknown type");
  if (error == ENOSYS)
    return "namespaces/user: this kernel has no id-mapped mounts (Linux 5.12 has) for";
  if (error == EINVAL)
    snprintf(text, sizeof text,
             "namespaces/user: the file system %s, or one mounted below it, cannot show a container ids of its own at", type);
  else if (error == EPERM)
    snprintf(text, sizeof text, "namespaces/user: the file system %s is mounted with ids of its own already at", type);
  else
    snprintf(text, sizeof text, "namespaces/user: cannot show a container ids of its own (%s) on the file system %s at",
             strerror(error), type);
  return text;
}

}  // namespace containerizer::launch
