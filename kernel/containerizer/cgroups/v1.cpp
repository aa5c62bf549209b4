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
#include "kernel/containerizer/cgroups/controllers.hpp"
#include "kernel/containerizer/cgroups/tree.hpp"

namespace containerizer::cgroups {
namespace {

class V1 final : public Cgroups {
 public:
  V1(std::map<std::string, std::string> trees, std::vector<std::string> missing)
      : trees_(std::move(trees)), missing_(std::move(missing)) {
    std::set<std::string> seen;
    for (const Controller* controller : controllers())
      if (const auto tree = trees_.find(controller->v1); tree != trees_.end() && seen.insert(tree->second).second)
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
      for (const auto& above : groups_above(name))
        if (above.ends_with(kInside)) mkdir((tree + "/" + above).c_str(), 0755);
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
    for (const Controller* controller : controllers())
      if (const auto group = path(controller->v1, name); group && controller->limit_v1 != nullptr)
        RETURN_IF_ERROR(controller->limit_v1(*group, limits));
    return {};
  }

  std::vector<std::string> entry_files(const std::string& name) const override {
    std::vector<std::string> files;
    for (const auto& tree : distinct_) files.push_back(tree + "/" + name + "/cgroup.procs");
    return files;
  }

  std::string birth_group(const std::string&) const override { return ""; }

  std::vector<pid_t> processes(const std::string& name) const override {
    return distinct_.empty() ? std::vector<pid_t>() : read_pids(distinct_[0] + "/" + name + "/cgroup.procs");
  }

  Status destroy(const std::string& name, base::Duration limit) override {
    const base::Instant deadline = base::system_clock().now().instant + limit;
    if (!distinct_.empty())
      for (const auto& child : subdirectories(distinct_[0] + "/" + name + kInside))
        RETURN_IF_ERROR(destroy(name + kInside + "/" + child, limit));
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
    for (const Controller* controller : controllers())
      if (const auto group = path(controller->v1, name); group && controller->read_v1 != nullptr)
        controller->read_v1(*group, usage);
    if (!distinct_.empty()) {
      const std::string group = distinct_[0] + "/" + name;
      usage.processes = read_pids(group + "/cgroup.procs").size();
      usage.threads = read_pids(group + "/tasks").size();
    }
    return usage;
  }

  std::vector<std::string> list() const override {
    std::set<std::string> names;
    for (const auto& tree : distinct_) add_groups(tree, "", names);
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
    for (const auto& tree : distinct_) {
      rmdir((tree + "/" + name + kInside).c_str());
      if (Status status = remove_group(tree + "/" + name, limit); !status) result = status;
    }
    return result;
  }

  std::map<std::string, std::string> trees_;  // controller -> <mount>/<root>
  std::vector<std::string> missing_;
  std::vector<std::string> distinct_;         // the same without repetition, the freezer first
};

}  // namespace

Result<std::unique_ptr<Cgroups>> open_v1(const std::string& hierarchy, const std::string& root, const Wanted& wanted) {
  std::map<std::string, std::string> trees;
  std::vector<std::string> missing;
  const auto is_mounted = [&](const Controller& controller) { return base::exists(hierarchy + "/" + controller.v1 + "/cgroup.procs"); };
  // Before anything is made: a start that fails leaves nothing.
  for (const Controller* controller : controllers())
    if (is_wanted(*controller, wanted) && is_demanded(*controller, wanted) && !is_mounted(*controller))
      return base::unsupported("the isolator " + std::string(controller->isolator) + " needs the controller " + controller->v1 +
                               " mounted at " + hierarchy + "/" + controller->v1);
  for (const Controller* controller : controllers()) {
    if (!is_wanted(*controller, wanted)) continue;
    std::string path = hierarchy + "/" + controller->v1 + "/" + root;
    const bool there = is_mounted(*controller) && (!wanted.observe || base::exists(path));
    if (!there || !base::make_directories(path)) {
      if (is_demanded(*controller, wanted))
        return base::unsupported("the isolator " + std::string(controller->isolator) + " needs the group " + path +
                                 ", which cannot be made");
      missing.emplace_back(controller->v1);
      continue;
    }
    // Co-mounted controllers ("cpu,cpuacct") are links to one directory.
    if (char* real = realpath(path.c_str(), nullptr)) {
      path = real;
      free(real);
    }
    trees.emplace(controller->v1, path);
  }
  if (trees.empty() && wanted.observe) return base::not_found("there are no groups " + root + " below " + hierarchy);
  if (trees.empty()) return base::unsupported("no usable cgroup controller is mounted under " + hierarchy);
  return std::unique_ptr<Cgroups>(std::make_unique<V1>(std::move(trees), std::move(missing)));
}

}  // namespace containerizer::cgroups
