#pragma once

// JSON web tokens, the narrow kind that is taken here (pure): three parts, RS256, nothing critical.
// Reading says nothing about the signature: that is PublicKey::verify's word.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace admin_router {

constexpr size_t kMaxTokenBytes = 4096;

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

/// Errors say what is wrong, never what was in the token.
base::Result<Jwt> parse_jwt(std::string_view token);

/// The part of a token that is signed: append "." and base64url(signature).
std::string render_unsigned(const std::string& kid, const Claims& claims);

}  // namespace admin_router
