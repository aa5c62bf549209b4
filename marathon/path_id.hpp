#pragma once

// Ids of apps and groups: absolute paths such as "/prod/web/api". "/" is the root group.
//
// Early tutorials use capital letters ("Hello"), later releases refused them. We take them and fold them to lower case
// wherever an id is read, so "Hello", "/hello" and "//HELLO/" all name the same app.

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace marathon {

/// Absolute and canonical: "/", "/a", "/a/b". Orders so that a group's members follow it.
using PathId = std::string;

/// The pattern that every element of an id matches, as the API's messages quote it.
inline constexpr std::string_view kIdPattern =
    "^(([a-z0-9]|[a-z0-9][a-z0-9\\-]*[a-z0-9])\\.)*([a-z0-9]|[a-z0-9][a-z0-9\\-]*[a-z0-9])|(\\.|\\.\\.)$";

/// Canonical form of `text` seen from group `base`: empty elements dropped, "." and ".." resolved (".." of the root is
/// the root), capitals folded. Does not check the pattern.
PathId resolve_path(std::string_view text, std::string_view base = "/");

/// True when every element of the canonical `id` matches kIdPattern.
bool is_valid_path(std::string_view id);

/// "/a/b" -> "/a"; "/a" and "/" -> "/".
PathId parent_of(std::string_view id);

/// The last element: "/a/b" -> "b"; "/" -> "".
std::string_view leaf_of(std::string_view id);

/// True when `id` is `group` itself or below it.
bool is_within(std::string_view id, std::string_view group);

/// "/a/b" -> "a_b": as used inside instance and task ids.
std::string safe_id(std::string_view id);

/// "a_b" -> "/a/b".
PathId path_of_safe_id(std::string_view safe);

/// "/prod/web/api" -> "api.web.prod": task and discovery name.
std::string host_name(std::string_view id);

}  // namespace marathon
