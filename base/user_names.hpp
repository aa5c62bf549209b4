#pragma once

// The names of users and groups of this machine, as listings of files show them.

#include <sys/types.h>

#include <string>

namespace base {

/// The number when there is no name.
std::string name_of_user(uid_t uid);
std::string name_of_group(gid_t gid);

}  // namespace base
