#pragma once

// Child processes: spawned by posix_spawn-like fork in a helper that closes every descriptor, reaped by pidfd on the
// loop (no polling, no SIGCHLD handler that a library could steal).

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "base/result.hpp"

namespace base {

struct SpawnOptions {
  std::vector<std::string> argv;                       // argv[0] is looked up in PATH when it has no slash
  /// Absent: inherit. Beware: C++ reads `= {{"A", "1"}}` as a range of characters; name the map's type.
  std::optional<std::map<std::string, std::string>> environment;
  std::string directory;                               // empty: inherit
  int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1;   // -1: /dev/null; other descriptors are closed in the child
  std::vector<int> keep_fds{};                         // passed on under the same number
  bool new_session = true;
  bool die_with_parent = false;
};

/// `on_exit` gets the raw wait status on the loop's thread.
Result<pid_t> spawn(Loop& loop, const SpawnOptions& options, std::function<void(int wait_status)> on_exit);

/// Calls `on_exit` once on the loop when process `pid` (a child or not) has ended. The caller cancels by id.
Result<uint64_t> watch_exit(Loop& loop, pid_t pid, std::function<void()> on_exit);
void unwatch_exit(uint64_t watch);

}  // namespace base
