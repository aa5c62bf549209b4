#pragma once

// Names of roles: "*" or a path "eng/web".

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace resources {

base::Status validate_role(std::string_view role);

/// "a/b/c" -> {"a/b", "a"}.
std::vector<std::string_view> ancestors(std::string_view role);

/// `role` lies below `ancestor`: is_strict_subrole("a/b", "a").
bool is_strict_subrole(std::string_view role, std::string_view ancestor);

}  // namespace resources
