#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace base::http {

/// Compresses for the wire: fast rather than small.
std::string gzip(std::string_view text);

/// At most `max_bytes` come out (TooLarge beyond).
Result<std::string> gunzip(std::string_view bytes, size_t max_bytes);

/// Whether an Accept-Encoding value takes gzip.
bool accepts_gzip(std::string_view accept_encoding);

}  // namespace base::http
