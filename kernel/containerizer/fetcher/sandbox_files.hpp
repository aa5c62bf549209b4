#pragma once

// What the fetcher does to files, for a thread of the pool: everything by descriptors, and by the rights of the
// container's user where the path is the user's choice.

#include <optional>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "base/time.hpp"
#include "kernel/containerizer/fetcher/uri.hpp"
#include "kernel/containerizer/launch/launcher.hpp"

namespace containerizer::fetcher {

/// Where files go and whose they are.
struct Sandbox {
  std::string path;
  std::string runtime;                  // directory for the records of the unpacking helper
  std::string helper;                   // path of dcos-launch
  std::optional<launch::UserIds> user;  // absent: the agent's own
  base::Duration timeout;               // for unpacking
};

/// Makes a new file in the sandbox, in place of what was there; no component of `relative` may be a link.
Result<base::Fd> create_below(const Sandbox& sandbox, const std::string& relative);

Status write_all(int fd, std::string_view data);

/// Copies a file of the machine that the container's user may read, to its place.
Status copy_local(const FetchPlan& plan, const Sandbox& sandbox);

/// What follows when the file is at its place: digest, mode, unpacking.
Status finish(const FetchPlan& plan, const Sandbox& sandbox);

/// As copy and finish, from a file of the cache that has the right digest. An archive is unpacked and does not stay.
Status install_cached(const std::string& file, const FetchPlan& plan, const Sandbox& sandbox);

/// An error that shows both digests when they differ. Empty `wanted`: anything is right.
Status check_digest(const std::string& file, const std::string& wanted);

}  // namespace containerizer::fetcher
