// Version 1: one tree per controller. A missing controller is left out; the freezer (or, without it, any other) tree
// tells which processes belong to a container.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <set>

#include "base/file.hpp"
#include "base/loop.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/cgroups/cgroups.hpp"
#include "kernel/containerizer/cgroups/tree.hpp"

namespace containerizer::cgroups {
namespace {

constexpr const char* kControllers[] = {"freezer", "memory", "cpu", "cpuacct", "pids"};
constexpr double kTicksPerSecond = 100;

class V1 final : public Cgroups {
 public:
  V1(std::map<std::string, std::string> trees, std::vector<std::string> missing)
      : trees_(std::move(trees)), missing_(std::move(missing)) {
    std::set<std::string> seen;
    for (const char* controller : kControllers)
      if (const auto tree = trees_.find(controller); tree != trees_.end() && seen.insert(tree->second).second)
        distinct_.push_back(tree->second);
  }

  std::string description() const override {
    std::vector<std::string> names;
    for (const auto& [name, path] : trees_) names.push_back(name);
    std::string text = "version 1 (" + base::join(names, ", ");
    if (!missing_.empty()) text += "; missing: " + base::join(missing_, ", ");
    return text + ")";
  }

  bool has_memory() const override { return trees_.contains("memory"); }

  Status create(const std::string& name, const Limits& limits) override {
    for (const auto& tree : distinct_) {
      if (mkdir((tree + "/" + name).c_str(), 0755) != 0 && errno != EEXIST) {
        Error error = base::errno_error("mkdir " + tree + "/" + name, errno);
        (void)remove_all(name, base::seconds(0));
        return error;
      }
    }
    if (Status status = update(name, limits); !status) {
      (void)remove_all(name, base::seconds(0));
      return status;
    }
    return {};
  }

  Status update(const std::string& name, const Limits& limits) override {
    if (const auto cpu = path("cpu", name)) {
      RETURN_IF_ERROR(write_value(*cpu + "/cpu.shares", std::to_string(shares(limits.cpus))));
      RETURN_IF_ERROR(write_quota(*cpu, quota_micros(limits.cpu_limit)));
    }
    if (const auto memory = path("memory", name)) RETURN_IF_ERROR(write_memory(*memory, limits));
    if (const auto pids = path("pids", name); pids && limits.pids)
      RETURN_IF_ERROR(write_value(*pids + "/pids.max", std::to_string(*limits.pids)));
    return {};
  }

  std::vector<std::string> entry_files(const std::string& name) const override {
    std::vector<std::string> files;
    for (const auto& tree : distinct_) files.push_back(tree + "/" + name + "/cgroup.procs");
    return files;
  }

  std::vector<pid_t> processes(const std::string& name) const override {
    return distinct_.empty() ? std::vector<pid_t>() : read_pids(distinct_[0] + "/" + name + "/cgroup.procs");
  }

  Status destroy(const std::string& name, base::Duration limit) override {
    const base::Instant deadline = base::system_clock().now().instant + limit;
    for (bool first = true;; first = false) {
      const auto left = processes(name);
      if (left.empty()) break;
      if (base::system_clock().now().instant >= deadline)
        return Error{base::Code::Timeout, std::to_string(left.size()) + " processes of container " + name +
                                              " do not end (the first is " + std::to_string(left[0]) + ")"};
      kill_frozen(name, first);
      pause_briefly();
    }
    return remove_all(name, limit);
  }

  uint64_t oom_kills(const std::string& name) const override {
    const auto memory = path("memory", name);
    return memory ? read_keyed(*memory + "/memory.oom_control", "oom_kill").value_or(0) : 0;
  }

  Result<base::Fd> oom_events(const std::string& name) const override {
    const auto memory = path("memory", name);
    if (!memory) return base::unsupported("the memory controller is not mounted");
    base::Fd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event) return base::errno_error("eventfd", errno);
    const base::Fd control(open((*memory + "/memory.oom_control").c_str(), O_RDONLY | O_CLOEXEC));
    if (!control) return base::errno_error("open memory.oom_control", errno);
    RETURN_IF_ERROR(write_value(*memory + "/cgroup.event_control",
                                std::to_string(event.get()) + " " + std::to_string(control.get())));
    return event;
  }

  Usage usage(const std::string& name) const override {
    Usage usage;
    if (const auto cpuacct = path("cpuacct", name)) {
      if (const auto ticks = read_keyed(*cpuacct + "/cpuacct.stat", "user"))
        usage.cpu_user_seconds = static_cast<double>(*ticks) / kTicksPerSecond;
      if (const auto ticks = read_keyed(*cpuacct + "/cpuacct.stat", "system"))
        usage.cpu_system_seconds = static_cast<double>(*ticks) / kTicksPerSecond;
    }
    if (const auto cpu = path("cpu", name)) {
      usage.periods = read_keyed(*cpu + "/cpu.stat", "nr_periods");
      usage.throttled = read_keyed(*cpu + "/cpu.stat", "nr_throttled");
      if (const auto nanos = read_keyed(*cpu + "/cpu.stat", "throttled_time"))
        usage.throttled_seconds = static_cast<double>(*nanos) / 1e9;
    }
    if (const auto memory = path("memory", name)) {
      const std::string stat = *memory + "/memory.stat";
      usage.memory_total = read_value(*memory + "/memory.usage_in_bytes");
      usage.memory_max = read_value(*memory + "/memory.max_usage_in_bytes");
      usage.memory_rss = read_keyed(stat, "total_rss");
      usage.memory_cache = read_keyed(stat, "total_cache");
      usage.memory_mapped = read_keyed(stat, "total_mapped_file");
      usage.memory_swap = read_keyed(stat, "total_swap");
      usage.memory_unevictable = read_keyed(stat, "total_unevictable");
      usage.memory_kernel = read_value(*memory + "/memory.kmem.usage_in_bytes");
    }
    if (!distinct_.empty()) {
      const std::string group = distinct_[0] + "/" + name;
      usage.processes = read_pids(group + "/cgroup.procs").size();
      usage.threads = read_pids(group + "/tasks").size();
    }
    return usage;
  }

  std::vector<std::string> list() const override {
    std::set<std::string> names;
    for (const auto& tree : distinct_)
      for (auto& name : subdirectories(tree)) names.insert(std::move(name));
    return {names.begin(), names.end()};
  }

  void remove_root() override {
    for (const auto& tree : distinct_) rmdir(tree.c_str());
  }

 private:
  std::optional<std::string> path(const std::string& controller, const std::string& name) const {
    const auto tree = trees_.find(controller);
    if (tree == trees_.end()) return std::nullopt;
    return tree->second + "/" + name;
  }

  static Status write_quota(const std::string& group, std::optional<uint64_t> quota) {
    // A kernel without bandwidth control has no such file; then there is no ceiling to lift either.
    if (!quota && !base::exists(group + "/cpu.cfs_quota_us")) return {};
    RETURN_IF_ERROR(write_value(group + "/cpu.cfs_period_us", std::to_string(kPeriodMicros)));
    return write_value(group + "/cpu.cfs_quota_us", quota ? std::to_string(*quota) : "-1");
  }

  static Status write_memory(const std::string& group, const Limits& limits) {
    RETURN_IF_ERROR(
        write_value(group + "/memory.soft_limit_in_bytes", std::to_string(memory_floor(limits.memory))));
    const std::string file = group + "/memory.limit_in_bytes";
    const std::string swap_file = group + "/memory.memsw.limit_in_bytes";
    const bool with_swap = limits.limit_swap && base::exists(swap_file);
    if (!limits.memory_limit) {
      if (with_swap) RETURN_IF_ERROR(write_value(swap_file, "-1"));
      return write_value(file, "-1");
    }
    const uint64_t wanted = memory_floor(*limits.memory_limit);
    const auto current = read_value(file);
    constexpr uint64_t kUnlimited = uint64_t{1} << 60;
    const bool first_time = !current || *current > kUnlimited;
    // Lowering the ceiling of a running container could kill it for memory it was given.
    if (!first_time && wanted <= *current) return {};
    // Memory and swap together may never be below memory alone, also not for a moment.
    if (with_swap && !first_time) RETURN_IF_ERROR(write_value(swap_file, std::to_string(wanted)));
    RETURN_IF_ERROR(write_value(file, std::to_string(wanted)));
    if (with_swap && first_time) RETURN_IF_ERROR(write_value(swap_file, std::to_string(wanted)));
    return {};
  }

  /// Freezes the group first, so that nobody in it can fork away from the kill.
  void kill_frozen(const std::string& name, bool first) {
    const auto freezer = path("freezer", name);
    const std::string state = freezer ? *freezer + "/freezer.state" : "";
    // On the first pass the processes are usually ending anyway.
    const bool freeze = freezer && !first;
    if (freeze) (void)write_value(state, "FROZEN");
    for (const pid_t pid : processes(name)) kill(pid, SIGKILL);
    if (freeze) (void)write_value(state, "THAWED");
  }

  Status remove_all(const std::string& name, base::Duration limit) {
    Status result;
    for (const auto& tree : distinct_)
      if (Status status = remove_group(tree + "/" + name, limit); !status) result = status;
    return result;
  }

  std::map<std::string, std::string> trees_;  // controller -> <mount>/<root>
  std::vector<std::string> missing_;
  std::vector<std::string> distinct_;         // the same without repetition, the freezer first
};

}  // namespace

Result<std::unique_ptr<Cgroups>> open_v1(const std::string& hierarchy, const std::string& root) {
  std::map<std::string, std::string> trees;
  std::vector<std::string> missing;
  for (const char* controller : kControllers) {
    const std::string mount = hierarchy + "/" + controller;
    std::string path = mount + "/" + root;
    if (!base::exists(mount + "/cgroup.procs") || !base::make_directories(path)) {
      missing.emplace_back(controller);
      continue;
    }
    // Co-mounted controllers ("cpu,cpuacct") are links to one directory.
    if (char* real = realpath(path.c_str(), nullptr)) {
      path = real;
      free(real);
    }
    trees.emplace(controller, path);
  }
  if (trees.empty()) return base::unsupported("no usable cgroup controller is mounted under " + hierarchy);
  return std::unique_ptr<Cgroups>(std::make_unique<V1>(std::move(trees), std::move(missing)));
}

}  // namespace containerizer::cgroups
