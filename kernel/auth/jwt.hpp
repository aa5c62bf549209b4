#pragma once

// JSON web tokens, the narrow kind that is taken here (pure): three parts, the one algorithm that the reader expects, nothing
// critical. Reading says nothing about the signature: that is the word of who has the key.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace auth {

constexpr size_t kMaxTokenBytes = 4096;

enum class JwtAlgorithm { Rs256, Hs256 };

struct Claims {
  std::string uid;
  std::optional<int64_t> exp{};  // seconds since the epoch; absent: does not expire
  std::string jti{};             // ours: "<version of the user>-<which login>"
};

struct Jwt {
  std::string kid{};  // "" when the header names no key
  Claims claims{};
  std::string_view signed_part{};  // points into the token
  std::string signature{};
};

/// Errors say what is wrong, never what was in the token. A token of another algorithm is an error: which one counts is never
/// looked up in the token.
base::Result<Jwt> parse_jwt(std::string_view token, JwtAlgorithm algorithm = JwtAlgorithm::Rs256);

/// The token in the value of an Authorization header, "token=<jwt>" or "Bearer <jwt>", or "".
std::string_view token_in_header(std::string_view value);

/// The part of a token that is signed: append "." and base64url(signature).
std::string render_unsigned(const std::string& kid, const Claims& claims, JwtAlgorithm algorithm = JwtAlgorithm::Rs256);

}  // namespace auth
