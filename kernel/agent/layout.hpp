#pragma once

// Directories and links below the work directory, as tools and people expect them.

#include <string>

#include "base/result.hpp"

namespace agent {

/// slaves/<id>, meta/slaves/<id> and the `latest` links to them.
base::Status link_agent(const std::string& work_dir, const std::string& agent_id);

/// Makes a run's directory and points runs/latest to it.
base::Status link_run(const std::string& directory);

/// Removes a sandbox and the directories above it that became empty, up to "frameworks".
base::Status remove_sandbox(const std::string& path);

/// How much of the file system is used, 0 to 1, by blocks or by inodes, whichever is more.
double used_fraction(const std::string& path);

/// Points the link at `path` to `target`, atomically.
base::Status replace_link(const std::string& target, const std::string& path);

}  // namespace agent
