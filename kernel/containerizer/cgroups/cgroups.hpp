#pragma once

// One interface over both versions of the kernel's control groups. A container has one name below the agent's root.
// Calls block for as long as the kernel takes and are made on the pool's threads; the object itself has no mutable state.

#include <sys/types.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "kernel/containerizer/types.hpp"
#include "base/time.hpp"
#include "kernel/containerizer/cgroups/limits.hpp"

namespace containerizer::cgroups {

/// Absent fields are unknown to this host.
struct Usage {
  std::optional<double> cpu_user_seconds, cpu_system_seconds;
  std::optional<uint64_t> periods, throttled;
  std::optional<double> throttled_seconds;
  std::optional<uint64_t> memory_total, memory_max, memory_rss, memory_cache, memory_mapped, memory_swap,
      memory_unevictable, memory_kernel, memory_with_swap, memory_sockets;
  std::optional<uint64_t> processes, threads;

  /// Bytes and operations that one block device served.
  struct Device {
    uint32_t major = 0, minor = 0;
    uint64_t read_bytes = 0, written_bytes = 0, reads = 0, writes = 0;
  };
  std::vector<Device> devices{};
};

/// Which controllers are used beyond processors, memory and counting, which always are where there are any.
struct Wanted {
  std::set<std::string, std::less<>> isolators{};  // "cgroups/devices", ...
  bool strict = true;                              // one of them that this host lacks is an error; else it is left out
  bool all = false;                                // every one that this host has
  bool observe = false;                            // nothing is made: a root that is not there has no groups
};

class Cgroups {
 public:
  virtual ~Cgroups() = default;

  /// "v1 (cpu, memory, freezer; pids is missing)": what this host offers, for the log.
  virtual std::string description() const = 0;

  virtual bool has_memory() const = 0;

  /// Makes the groups of a container and sets its limits. Nothing is left behind on failure. A name "a/mesos/b" is that of
  /// a group inside a's, which must be there.
  virtual Status create(const std::string& name, const Limits& limits) = 0;

  /// New limits for a running container. A memory ceiling is raised, never lowered.
  virtual Status update(const std::string& name, const Limits& limits) = 0;

  /// The cgroup.procs files that the container's first process writes itself into.
  virtual std::vector<std::string> entry_files(const std::string& name) const = 0;

  /// The one group that the kernel can put a new process into when it makes it (version 2); empty: there is none.
  virtual std::string birth_group(const std::string& name) const = 0;

  virtual std::vector<pid_t> processes(const std::string& name) const = 0;

  /// Kills whatever is left and removes the groups, those inside first. An error after `limit`.
  virtual Status destroy(const std::string& name, base::Duration limit) = 0;

  /// How often a process of the container was killed for want of memory.
  virtual uint64_t oom_kills(const std::string& name) const = 0;

  /// A descriptor that becomes readable when the container runs out of memory.
  virtual Result<base::Fd> oom_events(const std::string& name) const = 0;

  virtual Usage usage(const std::string& name) const = 0;

  /// Names of the groups that containers have, "a/mesos/b" for one inside a's.
  virtual std::vector<std::string> list() const = 0;

  /// Removes the agent's own (empty) root groups.
  virtual void remove_root() = 0;
};

/// The back end for the host's tree at `hierarchy` ("/sys/fs/cgroup"): version 2 when that is a unified mount, else
/// version 1 with the controllers it finds. The error says what is missing.
Result<std::unique_ptr<Cgroups>> open_cgroups(const std::string& hierarchy, const std::string& root, const Wanted& wanted = {});

/// For tests on a directory that looks like the kernel's tree.
Result<std::unique_ptr<Cgroups>> open_v1(const std::string& hierarchy, const std::string& root, const Wanted& wanted = {});
Result<std::unique_ptr<Cgroups>> open_v2(const std::string& hierarchy, const std::string& root, const Wanted& wanted = {});

/// The right to a cgroup root, held by one agent as long as it runs.
class RootLock {
 public:
  /// `owner` names the agent over restarts (its work directory). Refused when another agent runs with this root, and when
  /// another agent's containers still run in it (`in_use`).
  static Result<RootLock> take(const std::string& directory, const std::string& root, const std::string& owner,
                               bool in_use);

  /// Who had it last, or has it; empty: nobody.
  static std::string owner(const std::string& directory, const std::string& root);

  /// Where locks are on this machine.
  static std::string directory();

 private:
  explicit RootLock(base::Fd file) : file_(std::move(file)) {}
  base::Fd file_;
};

}  // namespace containerizer::cgroups
