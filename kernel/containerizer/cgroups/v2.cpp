// Version 2: one tree. Processes live in <root>/<container>/leaf, limits stand on <root>/<container>.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/loop.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/cgroups/cgroups.hpp"
#include "kernel/containerizer/cgroups/tree.hpp"

namespace containerizer::cgroups {
namespace {

constexpr const char* kControllers[] = {"cpu", "memory", "pids"};

class V2 final : public Cgroups {
 public:
  V2(std::string root, std::vector<std::string> controllers, std::vector<std::string> missing)
      : root_(std::move(root)), controllers_(std::move(controllers)), missing_(std::move(missing)) {}

  std::string description() const override {
    std::string text = "version 2 (" + base::join(controllers_, ", ");
    if (!missing_.empty()) text += "; not delegated: " + base::join(missing_, ", ");
    return text + ")";
  }

  bool has_memory() const override { return has("memory"); }

  Status create(const std::string& name, const Limits& limits) override {
    const std::string group = root_ + "/" + name;
    for (const std::string& path : {group, group + "/leaf"}) {
      if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
        Error error = base::errno_error("mkdir " + path, errno);
        (void)remove_both(name, base::seconds(0));
        return error;
      }
    }
    if (Status status = update(name, limits); !status) {
      (void)remove_both(name, base::seconds(0));
      return status;
    }
    return {};
  }

  Status update(const std::string& name, const Limits& limits) override {
    const std::string group = root_ + "/" + name;
    if (has("cpu")) {
      RETURN_IF_ERROR(write_value(group + "/cpu.weight", std::to_string(weight(limits.cpus))));
      const auto quota = quota_micros(limits.cpu_limit);
      RETURN_IF_ERROR(write_value(group + "/cpu.max", (quota ? std::to_string(*quota) : "max") + " " +
                                                          std::to_string(kPeriodMicros)));
    }
    if (has("memory")) RETURN_IF_ERROR(write_memory(group, limits));
    if (has("pids") && limits.pids)
      RETURN_IF_ERROR(write_value(group + "/pids.max", std::to_string(*limits.pids)));
    return {};
  }

  std::vector<std::string> entry_files(const std::string& name) const override {
    return {root_ + "/" + name + "/leaf/cgroup.procs"};
  }

  std::vector<pid_t> processes(const std::string& name) const override {
    return read_pids(root_ + "/" + name + "/leaf/cgroup.procs");
  }

  Status destroy(const std::string& name, base::Duration limit) override {
    const base::Instant deadline = base::system_clock().now().instant + limit;
    for (;;) {
      const auto left = processes(name);
      if (left.empty()) break;
      if (base::system_clock().now().instant >= deadline)
        return Error{base::Code::Timeout, std::to_string(left.size()) + " processes of container " + name +
                                              " do not end (the first is " + std::to_string(left[0]) + ")"};
      const std::string kill_file = root_ + "/" + name + "/cgroup.kill";
      // Kernels before 5.14 lack the file.
      if (!base::exists(kill_file) || !write_value(kill_file, "1"))
        for (const pid_t pid : left) kill(pid, SIGKILL);
      pause_briefly();
    }
    return remove_both(name, limit);
  }

  uint64_t oom_kills(const std::string& name) const override {
    return read_keyed(root_ + "/" + name + "/memory.events", "oom_kill").value_or(0);
  }

  Result<base::Fd> oom_events(const std::string& name) const override {
    if (!has("memory")) return base::unsupported("the memory controller is not delegated");
    base::Fd watch(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!watch) return base::errno_error("inotify_init1", errno);
    const std::string file = root_ + "/" + name + "/memory.events";
    if (inotify_add_watch(watch.get(), file.c_str(), IN_MODIFY) < 0)
      return base::errno_error("watching " + file, errno);
    return watch;
  }

  Usage usage(const std::string& name) const override {
    Usage usage;
    const std::string group = root_ + "/" + name;
    const auto seconds_of = [](std::optional<uint64_t> micros) -> std::optional<double> {
      if (!micros) return std::nullopt;
      return static_cast<double>(*micros) / 1e6;
    };
    usage.cpu_user_seconds = seconds_of(read_keyed(group + "/cpu.stat", "user_usec"));
    usage.cpu_system_seconds = seconds_of(read_keyed(group + "/cpu.stat", "system_usec"));
    usage.periods = read_keyed(group + "/cpu.stat", "nr_periods");
    usage.throttled = read_keyed(group + "/cpu.stat", "nr_throttled");
    usage.throttled_seconds = seconds_of(read_keyed(group + "/cpu.stat", "throttled_usec"));
    usage.memory_total = read_value(group + "/memory.current");
    usage.memory_max = read_value(group + "/memory.peak");
    usage.memory_swap = read_value(group + "/memory.swap.current");
    usage.memory_rss = read_keyed(group + "/memory.stat", "anon");
    usage.memory_cache = read_keyed(group + "/memory.stat", "file");
    usage.memory_mapped = read_keyed(group + "/memory.stat", "file_mapped");
    usage.memory_unevictable = read_keyed(group + "/memory.stat", "unevictable");
    usage.memory_kernel = read_keyed(group + "/memory.stat", "kernel");
    usage.processes = read_pids(group + "/leaf/cgroup.procs").size();
    usage.threads = read_pids(group + "/leaf/cgroup.threads").size();
    return usage;
  }

  std::vector<std::string> list() const override { return subdirectories(root_); }

  void remove_root() override { rmdir(root_.c_str()); }

 private:
  bool has(std::string_view controller) const {
    for (const auto& name : controllers_)
      if (name == controller) return true;
    return false;
  }

  static Status write_memory(const std::string& group, const Limits& limits) {
    RETURN_IF_ERROR(write_value(group + "/memory.low", std::to_string(memory_floor(limits.memory))));
    const std::string file = group + "/memory.max";
    if (limits.limit_swap && base::exists(group + "/memory.swap.max"))
      RETURN_IF_ERROR(write_value(group + "/memory.swap.max", "0"));
    if (!limits.memory_limit) return write_value(file, "max");
    const uint64_t wanted = memory_floor(*limits.memory_limit);
    const auto current = read_value(file);  // absent for "max"
    // Lowering the ceiling of a running container could kill it for memory it was given.
    if (current && wanted <= *current) return {};
    return write_value(file, std::to_string(wanted));
  }

  Status remove_both(const std::string& name, base::Duration limit) {
    RETURN_IF_ERROR(remove_group(root_ + "/" + name + "/leaf", limit));
    return remove_group(root_ + "/" + name, limit);
  }

  std::string root_;
  std::vector<std::string> controllers_, missing_;
};

}  // namespace

Result<std::unique_ptr<Cgroups>> open_v2(const std::string& hierarchy, const std::string& root) {
  if (!base::exists(hierarchy + "/cgroup.controllers"))
    return base::unsupported("no unified cgroup tree is mounted at " + hierarchy);
  RETURN_IF_ERROR(base::make_directories(hierarchy + "/" + root));
  // Controllers are handed down one level at a time; one that the host keeps for itself is left out.
  std::vector<std::string> controllers, missing;
  for (const char* controller : kControllers) {
    std::string level = hierarchy;
    bool delegated = true;
    for (const auto part : base::tokenize(root, '/')) {
      if (!write_value(level + "/cgroup.subtree_control", std::string("+") + controller)) delegated = false;
      level += "/" + std::string(part);
    }
    if (delegated && !write_value(level + "/cgroup.subtree_control", std::string("+") + controller))
      delegated = false;
    (delegated ? controllers : missing).emplace_back(controller);
  }
  return std::unique_ptr<Cgroups>(
      std::make_unique<V2>(hierarchy + "/" + root, std::move(controllers), std::move(missing)));
}

}  // namespace containerizer::cgroups
