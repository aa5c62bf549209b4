#pragma once

// Network namespaces that outlive whoever made them: held by a mount on a file. Blocks; any thread.

#include <string>

#include "kernel/containerizer/types.hpp"

namespace containerizer::network {

/// The directory becomes a mount of its own whose changes reach every mount namespace that has a copy: otherwise each
/// container started meanwhile would hold what was mounted there. Done once; later calls find it done.
Status share_directory(const std::string& directory);

/// A new namespace, with its loopback interface up, held at `path`, a file that is made.
Status make_space(const std::string& path);

/// Is a namespace held there?
bool has_space(const std::string& path);

/// Lets it go; it ends with the last process in it. Missing is success.
Status remove_space(const std::string& path);

/// Ends the shared mount of a directory that nothing is held in.
void unshare_directory(const std::string& directory);

}  // namespace containerizer::network
