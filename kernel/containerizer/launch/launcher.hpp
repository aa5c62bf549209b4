#pragma once

// The agent's side of the launch: writes the order sheet and starts dcos-launch in its namespaces.

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "kernel/containerizer/types.hpp"

namespace containerizer::launch {

struct UserIds {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  bool operator==(const UserIds&) const = default;
};

/// Looks `name` up in the machine's user data base. The error says "No such user".
Result<UserIds> find_user(const std::string& name);

struct Limit {
  int resource = 0;                  // RLIMIT_*
  std::optional<uint64_t> soft, hard;  // absent: unlimited
};

struct BindMount {
  std::string source, target;
  bool read_only = false;
  std::string type = "bind";  // or a file system, whose options are `source`; or "none": the directory is only made
  bool no_links = false;      // the source's path may be the task's own doing
  bool optional = false;      // left out when there is no source
  bool make_source = false;   // a directory is made when there is no source
  bool device = false;        // the container may use the device that the source is
  bool from_image = false;    // the source is made from the image of a volume, once that is here
  bool as_is = false;         // with the machine's ids, also for a container that has its own
};

/// A file on memory of the container's own, mode 0600, of its user's.
struct SecretFile {
  std::string target, content;
};

/// The files that a container sees instead of the machine's.
struct RootFiles {
  std::string path;                 // where they are mounted, or what they are when there are no layers
  std::vector<std::string> layers;  // directories, top first
  std::string writable;             // with upper/ and work/; with layers
  bool read_only = false;
  bool privileged = false;
  uint64_t shm_bytes = 64 << 20;
};

/// How large an output file becomes before a new one is begun, and how many old ones stay.
struct LogLimit {
  uint64_t max_bytes = 0;  // 0: no limit
  unsigned keep = 0;
  bool operator==(const LogLimit&) const = default;
};

/// Mount, pid, ipc, network and host name: what makes a process a part of a container.
extern const int kAllSpaces;

struct LaunchOrder {
  std::string program;               // empty: the first argument
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;
  std::string directory;
  std::optional<UserIds> user;       // absent: the agent's own
  std::string output, error_output;  // files; empty: /dev/null
  LogLimit output_limit{}, error_limit{};
  std::optional<int> oom_score{};   // the task's; absent: as any process
  std::string status_file, pid_file;
  std::vector<std::string> cgroups;  // cgroup.procs files
  std::vector<Limit> limits;
  std::vector<BindMount> mounts;
  uint32_t first_id = 0;             // of the machine's, where the container's 65536 ids begin; 0: it has the machine's
  pid_t join = 0;                    // enter namespaces of this process
  int join_kinds = kAllSpaces;       // which: CLONE_NEW*
  bool borrow_proc = false, borrow_shm = false;  // show the joined process's /proc and /dev/shm
  std::string network{};             // file of a network namespace; empty: the machine's
  std::string host_name{};           // of the container alone; empty: the machine's
  std::map<std::string, std::string> sysctls{};  // "net/core/somaxconn" -> value, in the namespaces that it has of its own
  bool private_mounts = false, private_pids = false, private_ipc = false;
  bool term_first_only = false;
  std::optional<RootFiles> root{};
  std::vector<RootFiles> volumes{};      // layers that are put together before they are shown; of each its path, layers, writable
  std::string image_user{};              // "user[:group]" in the container's names; `user` stands in when it has none such
  std::vector<std::string> image_groups{};
  std::string owned{};                   // directory that is given to the image's user
  std::optional<uint64_t> capabilities{};  // those that can be had; absent: all
  bool no_new_privileges = false;
  std::optional<uint64_t> effective_capabilities{};  // those that the program has; absent: what its user has
  bool seccomp_unconfined = false;   // asked for by Docker's options; for the isolator alone
  std::string seccomp{};             // array of struct sock_filter; empty: all system calls
  std::optional<uint64_t> pids{};    // Docker's options for control groups; for the isolators alone
  std::string cpuset_cpus{}, cpuset_mems{};
  std::optional<int64_t> memory_and_swap{};  // bytes; negative: no ceiling
  std::optional<uint64_t> swappiness{};
  std::optional<uint64_t> shm_bytes{};  // of /dev/shm, without `root`
  std::vector<SecretFile> secrets{};
  std::string secret_stage{};        // an empty directory of the agent's; with secrets
  std::string birth_group{};         // directory of the control group that the process is made in; then without `cgroups`
  bool terminal = false;                 // the task gets one, that others may attach to
  uint32_t rows = 0, columns = 0;        // of the terminal; 0: not said
  bool session = false;                  // input and output are those of who attaches, and it ends with that
};

/// The sheet's bytes; an error when a text contains NUL or there is no program.
Result<std::string> encode_order(const LaunchOrder& order);

/// What names a process across restarts of the agent: a pid alone may have been given to another process since.
struct ProcessName {
  pid_t pid = 0;
  uint64_t start_time = 0;  // field 22 of /proc/<pid>/stat
  std::string boot_id;
  bool operator==(const ProcessName&) const = default;
};

/// Reads the pid file that the helper wrote.
Result<ProcessName> read_pid_file(const std::string& path);

/// The machine's current boot id.
Result<std::string> read_boot_id();

/// A descriptor of the named process, or NotFound when it is gone (also when the pid names another process now).
Result<base::Fd> open_process(const ProcessName& name);

struct Helper {
  pid_t pid = 0;
  base::Fd pidfd;
  base::Fd sync;  // failure text, or end of file once the task runs
};

/// Starts the helper at `path`. Blocks for the time of a fork and exec. Thread-safe.
Result<Helper> start_helper(const std::string& path, const LaunchOrder& order);

}  // namespace containerizer::launch
