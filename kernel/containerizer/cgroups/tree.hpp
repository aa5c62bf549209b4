#pragma once

// Reading and writing the small files of a cgroup tree.

#include <sys/types.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kernel/containerizer/types.hpp"
#include "base/time.hpp"

namespace containerizer::cgroups {

Status write_value(const std::string& path, const std::string& value);
std::optional<uint64_t> read_value(const std::string& path);

/// The number after `key` in a file of "key number" lines.
std::optional<uint64_t> read_keyed(const std::string& path, const std::string& key);

std::vector<pid_t> read_pids(const std::string& path);

/// Directories directly below `path`.
std::vector<std::string> subdirectories(const std::string& path);

/// Missing is success; retries while the kernel still holds ended processes.
Status remove_group(const std::string& path, base::Duration limit);

void pause_briefly();

/// Where the groups of containers inside a container are.
constexpr const char* kInside = "/mesos";

/// Adds the names of the groups of containers below `root`: "a", and "a/mesos/b" for those inside.
void add_groups(const std::string& root, const std::string& above, std::set<std::string>& out);

/// "a", "a/mesos" of "a/mesos/b": the groups that a group lies in.
std::vector<std::string> groups_above(const std::string& name);

}  // namespace containerizer::cgroups
