#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace base {

/// Whole text must be a decimal number in range. No sign for unsigned, no blanks.
Result<int64_t> parse_int(std::string_view text);
Result<uint64_t> parse_uint(std::string_view text);
Result<double> parse_double(std::string_view text);

/// Shortest text that reads back as the same double; integral values end in ".0" ("1.0"), as the kernel's JSON has them.
/// `value` is finite.
std::string render_double(double value);

/// A number of bytes: "512MB" -> 512 * 2^20. Units B, KB, MB, GB, TB, powers of 1024.
Result<uint64_t> parse_bytes(std::string_view text);
std::string render_bytes(uint64_t bytes);

}  // namespace base
