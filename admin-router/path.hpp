#pragma once

// Paths as the gateway compares them (pure).

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace admin_router {

/// A path with "//" merged and "." and ".." resolved, also when they were percent-encoded; other
/// escapes stay as sent. The view is `path` itself when nothing had to change, otherwise it points
/// into `scratch`. Error: a path that climbs above "/", holds a bad escape, a NUL, or an encoded
/// slash or backslash next to "..".
base::Result<std::string_view> normalise_path(std::string_view path, std::string& scratch);

/// "a/b/c" -> "c.b.a", the form in which service names are compared. Empty pieces are left out.
std::string normal_service_name(std::string_view name);

}  // namespace admin_router
