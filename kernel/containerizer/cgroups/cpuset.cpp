// On which processors and memory nodes a container runs.

#include "base/file.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/cgroups/controllers.hpp"
#include "kernel/containerizer/cgroups/tree.hpp"

namespace containerizer::cgroups {
namespace {

std::string text_of(const std::string& path) {
  const auto text = base::read_file(path, 4096);
  return text ? std::string(base::trim(*text)) : std::string();
}

/// A new group of version 1 is empty, and nothing can enter it before it has processors and nodes: its parent's.
Status inherit(const std::string& group, const char* file) {
  if (!text_of(group + file).empty()) return {};
  const std::string parent = group.substr(0, group.rfind('/'));
  std::string value = text_of(parent + file);
  if (value.empty() && base::exists(parent + file)) {
    RETURN_IF_ERROR(inherit(parent, file));
    value = text_of(parent + file);
  }
  if (value.empty()) return base::unavailable("the cgroup " + parent + " has nothing in " + (file + 1));
  return write_value(group + file, value);
}

Status limit_v1(const std::string& group, const Limits& limits) {
  for (const char* file : {"/cpuset.cpus", "/cpuset.mems"}) RETURN_IF_ERROR(inherit(group, file));
  if (!limits.cpuset_cpus.empty()) RETURN_IF_ERROR(write_value(group + "/cpuset.cpus", limits.cpuset_cpus));
  if (!limits.cpuset_mems.empty()) RETURN_IF_ERROR(write_value(group + "/cpuset.mems", limits.cpuset_mems));
  return {};
}

Status limit_v2(const std::string& group, const Limits& limits) {
  if (!limits.cpuset_cpus.empty()) RETURN_IF_ERROR(write_value(group + "/cpuset.cpus", limits.cpuset_cpus));
  if (!limits.cpuset_mems.empty()) RETURN_IF_ERROR(write_value(group + "/cpuset.mems", limits.cpuset_mems));
  return {};
}

}  // namespace

const Controller kCpuset{
    .isolator = "cgroups/cpuset", .v1 = "cpuset", .v2 = "cpuset", .limit_v1 = limit_v1, .limit_v2 = limit_v2};

}  // namespace containerizer::cgroups
