#include "kernel/containerizer/isolators/selection.hpp"

#include <algorithm>
#include <vector>

#include "base/strings.hpp"

namespace containerizer {
namespace {

constexpr std::string_view kNames[] = {
    "cgroups/all",      "cgroups/blkio",     "cgroups/cpu",         "cgroups/cpuset",     "cgroups/devices",
    "cgroups/hugetlb",  "cgroups/mem",       "cgroups/net_cls",     "cgroups/net_prio",   "cgroups/perf_event",
    "cgroups/pids",     "disk/du",           "disk/xfs",            "docker/runtime",     "environment_secret",
    "filesystem/linux", "filesystem/posix",  "gpu/nvidia",          "linux/capabilities", "linux/devices",
    "linux/nnp",        "linux/seccomp",     "namespaces/ipc",      "namespaces/pid",     "namespaces/user",
    "network/cni",      "network/ports",     "posix/cpu",
    "posix/mem",        "posix/rlimits",     "volume/csi",          "volume/host_path",   "volume/image",
    "volume/sandbox_path", "volume/secret"};

struct Alias {
  std::string_view name;
  std::vector<std::string_view> means;
};

const std::vector<Alias>& aliases() {
  static const std::vector<Alias> kAliases = {{"process", {"posix/cpu", "posix/mem"}},
                                              {"cgroups", {"cgroups/cpu", "cgroups/mem"}},
                                              {"posix/disk", {"disk/du"}}};
  return kAliases;
}

std::string known_names() {
  std::vector<std::string> all(std::begin(kNames), std::end(kNames));
  for (const auto& alias : aliases()) all.emplace_back(alias.name);
  std::sort(all.begin(), all.end());
  return base::join(all, ", ");
}

}  // namespace

Result<Isolation> Isolation::parse(std::string_view text) {
  Isolation out;
  for (const auto word : base::tokenize(text, ',')) {
    const std::string_view name = base::trim(word);
    const auto alias = std::find_if(aliases().begin(), aliases().end(), [name](const auto& a) { return a.name == name; });
    if (alias != aliases().end()) {
      for (const auto meant : alias->means) out.names_.emplace(meant);
      continue;
    }
    if (std::find(std::begin(kNames), std::end(kNames), name) == std::end(kNames))
      return base::unsupported("Unknown or unsupported isolator '" + base::valid_utf8(name) +
                               "' in --isolation; there are " + known_names());
    out.names_.emplace(name);
  }
  if (out.has("filesystem/linux") && out.has("filesystem/posix"))
    return base::invalid("--isolation may have one of filesystem/linux and filesystem/posix, not both");
  if (out.has("disk/du") && out.has("disk/xfs"))
    return base::invalid("--isolation may have one of disk/du and disk/xfs, not both");
  if (!out.has("filesystem/linux")) out.names_.emplace("filesystem/posix");
  if (out.has("filesystem/linux"))
    for (const char* implied : {"volume/host_path", "volume/image", "volume/sandbox_path"}) out.names_.emplace(implied);
  out.names_.emplace("environment_secret");
  if (out.has("cgroups/all"))
    for (const char* implied : {"cgroups/cpu", "cgroups/mem", "cgroups/pids"}) out.names_.emplace(implied);
  return out;
}

}  // namespace containerizer
