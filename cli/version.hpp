#pragma once

#include <string_view>

namespace cli {

/// Of this program; the cluster has a version of its own.
inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace cli
