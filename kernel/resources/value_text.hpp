#pragma once

// One value as flags write it: 4.5, [1-2,5-9], {a,b} or text.

#include <string_view>
#include <string>
#include <variant>

#include "base/result.hpp"
#include "kernel/resources/ranges.hpp"
#include "kernel/resources/scalar.hpp"

namespace resources {

using ParsedValue = std::variant<Scalar, Ranges, ItemSet, std::string>;

/// Blanks are ignored, as in the original.
base::Result<ParsedValue> parse_value(std::string_view text);

}  // namespace resources
