#include "kernel/containerizer/explain.hpp"

#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/strings.hpp"
#include "kernel/containerizer/native_impl.hpp"
#include "kernel/containerizer/statistics.hpp"

namespace containerizer {
namespace {

constexpr size_t kMostMounts = 200;
constexpr const char* kNamespaces[] = {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"};

std::string name_of(Stage stage) {
  switch (stage) {
    case Stage::Starting: return "STARTING";
    case Stage::Fetching: return "FETCHING";
    case Stage::Pulling: return "PULLING";
    case Stage::Joining: return "JOINING";
    case Stage::Launching: return "LAUNCHING";
    case Stage::Running: return "RUNNING";
    case Stage::Ending: return "ENDING";
  }
  return "";
}

std::string namespace_of(const std::string& pid, const char* kind) {
  char text[PATH_MAX];
  const ssize_t length = readlink(("/proc/" + pid + "/ns/" + kind).c_str(), text, sizeof text);
  return length > 0 ? std::string(text, static_cast<size_t>(length)) : "";
}

/// What it waits for, as far as this side knows.
std::string waits_for(const NativeContainerizer::Impl& impl, const Container& container) {
  const auto& uris = container.spec.command.uris();
  switch (container.stage) {
    case Stage::Starting: return "a thread of the agent's for its sandbox and its plan";
    case Stage::Fetching: {
      std::string text = "its fetch of ";
      for (int i = 0; i < uris.size(); ++i) text += (i > 0 ? ", " : "") + base::valid_utf8(uris[i].value().substr(0, 200));
      return text;
    }
    case Stage::Pulling: {
      const auto wish = wanted_image(container.spec);
      return "the image " + (wish && *wish ? base::valid_utf8((*wish)->name) : std::string("?"));
    }
    case Stage::Joining: {
      const std::string doing = impl.options.networks ? impl.options.networks->doing(container.spec.id) : "";
      return doing.empty() ? "a thread of the agent's for its networks" : doing;
    }
    case Stage::Launching:
      return container.process ? "its first process to set up namespaces, mounts and limits" : "a thread of the agent's for its start";
    case Stage::Running: return container.ends_with_children ? "the end of the containers inside it" : "";
    case Stage::Ending: {
      const std::string doing = impl.options.networks ? impl.options.networks->doing(container.spec.id) : "";
      return doing.empty() ? "the end of its processes and the removal of its groups" : doing;
    }
  }
  return "";
}

/// What is read of the kernel; for a thread of the pool.
void look(const cgroups::Cgroups* groups, bool own_group, Explanation& out) {
  if (groups != nullptr && own_group) out.oom_kills = groups->oom_kills(out.group);
  out.statistics = make_statistics(out.limits, groups != nullptr && own_group ? groups->usage(out.group) : cgroups::Usage(),
                                   base::system_clock().now().time.seconds());
  if (out.pid <= 0) return;
  const std::string pid = std::to_string(out.pid);
  for (const char* kind : kNamespaces) {
    const std::string own = namespace_of(pid, kind);
    if (own.empty()) continue;
    out.namespaces[kind] = own;
    if (own == namespace_of("self", kind)) out.shared.emplace_back(kind);
  }
  // In the agent's mount namespace there is nothing of its own to tell.
  if (std::find(out.shared.begin(), out.shared.end(), "mnt") != out.shared.end()) return;
  const std::string own = base::read_file("/proc/" + pid + "/mountinfo").value_or("");
  const std::string machines = base::read_file("/proc/self/mountinfo").value_or("");
  std::set<std::string> known;
  for (const auto line : base::tokenize(machines, '\n')) {
    const auto columns = base::tokenize(line, ' ');
    if (columns.size() > 4) known.insert(std::string(columns[2]) + " " + std::string(columns[3]) + " " + std::string(columns[4]));
  }
  for (const auto line : base::tokenize(own, '\n')) {
    const auto columns = base::tokenize(line, ' ');
    const auto dash = std::find(columns.begin(), columns.end(), "-");
    if (columns.size() < 10 || columns.end() - dash < 3) continue;
    if (known.contains(std::string(columns[2]) + " " + std::string(columns[3]) + " " + std::string(columns[4]))) continue;
    if (out.mounts.size() >= kMostMounts) break;
    out.mounts.push_back(std::string(columns[4]) + " " + std::string(*(dash + 1)) + " " + std::string(columns[3]) + " " +
                         std::string(columns[5].substr(0, columns[5].find(','))));
  }
}

}  // namespace

void NativeContainerizer::explain(const std::string& id, std::function<void(Result<Explanation>)> done) {
  const auto found = impl_->containers.find(id);
  if (found == impl_->containers.end())
    return impl_->loop.post([done, id] { done(base::not_found("Container " + id + " cannot be found")); });
  const Container& container = *found->second;
  Explanation out;
  out.stage = name_of(container.stage);
  out.since = container.since;
  out.waits_for = waits_for(*impl_, container);
  if (container.stage == Stage::Pulling) out.pull = impl_->options.images->progress(id);
  out.pid = container.pid;
  out.parent = container.spec.parent;
  out.sandbox = container.spec.sandbox;
  if (container.image) out.image = container.image->id;
  if (impl_->groups) out.group = group_of(container.spec);
  out.ending = container.destroy_wanted;
  out.limits = enforced(impl_->options, container.spec.limits);
  out.disk = container.spec.disk;
  if (container.attached)
    out.networks = container.attached->infos;
  else if (container.networks)
    for (const auto& wish : container.networks->networks) out.networks.push_back(wish.info);
  out.isolators = impl_->options.isolators->names();
  const bool taken = impl_->pool.run_for(
      [impl = impl_, id, out = std::move(out), own_group = container.spec.own_group]() mutable {
        look(impl->groups.get(), own_group, out);
        impl->options.isolators->measure(id, out.statistics);
        return std::move(out);
      },
      [done](Explanation explained) { done(std::move(explained)); });
  if (!taken) impl_->loop.post([done] { done(base::unavailable("too much work waits on this agent")); });
}

}  // namespace containerizer
