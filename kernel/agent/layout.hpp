#pragma once

// Directories and links below the work directory, as tools and people expect them.

#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/agent/volumes.hpp"

namespace agent {

/// slaves/<id>, meta/slaves/<id> and the `latest` links to them.
base::Status link_agent(const std::string& work_dir, const std::string& agent_id);

/// Makes a run's directory and points runs/latest to it.
base::Status link_run(const std::string& directory);

/// Sandboxes that there are: of every run of every executor below slaves/, whichever the agent's id was then, and of standalone
/// containers.
std::vector<std::string> list_sandboxes(const std::string& work_dir);

/// Directories of volumes' data below a root as volume_place() lays them.
std::vector<std::string> list_volumes(const std::string& root);

/// Removes a sandbox and the directories above it that became empty, up to "frameworks".
base::Status remove_sandbox(const std::string& path);

/// Makes a volume's directory, durably; one that exists is left as it is. The disk it lies on must be there.
base::Status make_volume(const VolumePlace& place);

/// Removes a volume's data (of a whole disk its contents), then the directories above that became empty. Follows no link
/// and crosses no mount: what is mounted inside is an error.
base::Status remove_volume(const VolumePlace& place);

/// How much of the file system is used, 0 to 1, by blocks or by inodes, whichever is more.
double used_fraction(const std::string& path);

/// Points the link at `path` to `target`, atomically.
base::Status replace_link(const std::string& target, const std::string& path);

}  // namespace agent
