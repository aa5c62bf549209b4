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
#include "kernel/containerizer/cgroups/controllers.hpp"
#include "kernel/containerizer/cgroups/tree.hpp"

namespace containerizer::cgroups {
namespace {

class V2 final : public Cgroups {
 public:
  V2(std::string root, std::vector<const Controller*> used, std::vector<std::string> missing)
      : root_(std::move(root)), used_(std::move(used)), missing_(std::move(missing)) {}

  std::string description() const override {
    std::vector<std::string> names;
    for (const Controller* controller : used_)
      if (controller->v2 != nullptr) names.emplace_back(controller->v2);
    std::string text = "version 2 (" + base::join(names, ", ");
    if (!missing_.empty()) text += "; not delegated: " + base::join(missing_, ", ");
    return text + ")";
  }

  bool has_memory() const override { return has("memory"); }

  Status create(const std::string& name, const Limits& limits) override {
    const std::string group = root_ + "/" + name;
    for (const auto& above : groups_above(name)) {
      if (above.ends_with(kInside)) mkdir((root_ + "/" + above).c_str(), 0755);
      for (const Controller* controller : used_)
        if (controller->v2 != nullptr)
          RETURN_IF_ERROR(write_value(root_ + "/" + above + "/cgroup.subtree_control", std::string("+") + controller->v2));
    }
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
    for (const Controller* controller : used_)
      if (controller->limit_v2 != nullptr) RETURN_IF_ERROR(controller->limit_v2(root_ + "/" + name, limits));
    return {};
  }

  std::vector<std::string> entry_files(const std::string& name) const override {
    return {root_ + "/" + name + "/leaf/cgroup.procs"};
  }

  std::string birth_group(const std::string& name) const override { return root_ + "/" + name + "/leaf"; }

  std::vector<pid_t> processes(const std::string& name) const override {
    return read_pids(root_ + "/" + name + "/leaf/cgroup.procs");
  }

  Status destroy(const std::string& name, base::Duration limit) override {
    const base::Instant deadline = base::system_clock().now().instant + limit;
    for (const auto& child : subdirectories(root_ + "/" + name + kInside))
      RETURN_IF_ERROR(destroy(name + kInside + "/" + child, limit));
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
    for (const Controller* controller : used_)
      if (controller->read_v2 != nullptr) controller->read_v2(group, usage);
    usage.processes = read_pids(group + "/leaf/cgroup.procs").size();
    usage.threads = read_pids(group + "/leaf/cgroup.threads").size();
    return usage;
  }

  std::vector<std::string> list() const override {
    std::set<std::string> names;
    add_groups(root_, "", names);
    return {names.begin(), names.end()};
  }

  void remove_root() override { rmdir(root_.c_str()); }

 private:
  bool has(std::string_view controller) const {
    for (const Controller* used : used_)
      if (used->v2 != nullptr && used->v2 == controller) return true;
    return false;
  }

  Status remove_both(const std::string& name, base::Duration limit) {
    rmdir((root_ + "/" + name + kInside).c_str());
    RETURN_IF_ERROR(remove_group(root_ + "/" + name + "/leaf", limit));
    return remove_group(root_ + "/" + name, limit);
  }

  std::string root_;
  std::vector<const Controller*> used_;
  std::vector<std::string> missing_;
};

}  // namespace

Result<std::unique_ptr<Cgroups>> open_v2(const std::string& hierarchy, const std::string& root, const Wanted& wanted) {
  if (!base::exists(hierarchy + "/cgroup.controllers"))
    return base::unsupported("no unified cgroup tree is mounted at " + hierarchy);
  if (wanted.observe) {
    if (!base::exists(hierarchy + "/" + root)) return base::not_found("there is no group " + root + " below " + hierarchy);
    const std::vector<const Controller*> none;
    return std::unique_ptr<Cgroups>(std::make_unique<V2>(hierarchy + "/" + root, none, std::vector<std::string>()));
  }
  RETURN_IF_ERROR(base::make_directories(hierarchy + "/" + root));
  // Controllers are handed down one level at a time; one that the host keeps for itself is left out.
  std::vector<const Controller*> used;
  std::vector<std::string> missing;
  for (const Controller* controller : controllers()) {
    if (!is_wanted(*controller, wanted)) continue;
    const bool demanded = is_demanded(*controller, wanted);
    if (!controller->in_v2) {
      if (demanded)
        return base::unsupported("the isolator " + std::string(controller->isolator) +
                                 " does not exist with cgroups of version 2, which this host has");
      continue;
    }
    std::string level = hierarchy;
    bool delegated = true;
    if (controller->v2 != nullptr) {
      const std::string change = std::string("+") + controller->v2;
      for (const auto part : base::tokenize(root, '/')) {
        if (!write_value(level + "/cgroup.subtree_control", change)) delegated = false;
        level += "/" + std::string(part);
      }
      if (delegated && !write_value(level + "/cgroup.subtree_control", change)) delegated = false;
    }
    if (!delegated && demanded)
      return base::unsupported("the isolator " + std::string(controller->isolator) + " needs the controller " +
                               controller->v2 + " in cgroup.subtree_control of " + hierarchy);
    if (delegated)
      used.push_back(controller);
    else
      missing.emplace_back(controller->v2);
  }
  return std::unique_ptr<Cgroups>(std::make_unique<V2>(hierarchy + "/" + root, std::move(used), std::move(missing)));
}

}  // namespace containerizer::cgroups
