#include "kernel/containerizer/launch/tree.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

namespace containerizer::launch {
namespace {

constexpr int kMaxDepth = 64;

int signal_descendants(int proc, pid_t pid, int number, int depth);

/// Signals the processes listed in a "children" file of /proc and, first, what is below them.
int signal_listed(int proc, const char* path, int number, int depth) {
  const int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  constexpr size_t kCapacity = 1 << 16;
  char* text = static_cast<char*>(malloc(kCapacity));
  const ssize_t length = text == nullptr ? 0 : read(fd, text, kCapacity - 1);
  close(fd);
  int count = 0;
  if (length > 0) {
    text[length] = '\0';
    char* at = text;
    for (;;) {
      char* end = nullptr;
      const long child = strtol(at, &end, 10);
      if (end == at || child <= 1) break;
      at = end;
      count += 1 + signal_descendants(proc, static_cast<pid_t>(child), number, depth + 1);
      kill(static_cast<pid_t>(child), number);
    }
  }
  free(text);
  return count;
}

/// Children belong to the thread that made them, so every thread's list is read. A child that dies meanwhile hands its
/// own children to us (we are their subreaper), where the next pass of end_tree finds them.
int signal_descendants(int proc, pid_t pid, int number, int depth) {
  if (depth > kMaxDepth) return 0;
  char path[300];
  snprintf(path, sizeof path, "%d/task", static_cast<int>(pid));
  const int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* threads = fd < 0 ? nullptr : fdopendir(fd);
  if (threads == nullptr) return 0;
  int count = 0;
  while (const dirent* thread = readdir(threads)) {
    if (thread->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%d/task/%s/children", static_cast<int>(pid), thread->d_name);
    count += signal_listed(proc, path, number, depth);
  }
  closedir(threads);
  return count;
}

}  // namespace

void signal_tree(const Tree& tree, int number) {
  if (tree.private_pids)
    kill(-1, number);
  else
    signal_descendants(tree.proc, getpid(), number, 0);
}

void end_tree(const Tree& tree) {
  for (;;) {
    signal_tree(tree, SIGKILL);
    int status = 0;
    const pid_t gone = waitpid(-1, &status, 0);
    if (gone < 0 && errno == ECHILD) return;
  }
}

}  // namespace containerizer::launch
