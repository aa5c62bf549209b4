#pragma once

// The frame of a token that is common to all kinds (pure): three parts, the algorithm that the reader expects, nothing critical.
// What the claims mean is the word of who asked for them.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/json/value.hpp"
#include "base/result.hpp"
#include "kernel/auth/jwt.hpp"

namespace auth {

struct JwtParts {
  std::string kid;                // "" when the header names no key
  base::json::Value payload;      // an object
  std::string_view signed_part;   // points into the token
  std::string signature;
};

/// Errors as those of parse_jwt().
base::Result<JwtParts> split_jwt(std::string_view token, JwtAlgorithm algorithm, size_t max_bytes);

}  // namespace auth
