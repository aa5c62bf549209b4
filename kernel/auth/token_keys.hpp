#pragma once

// Whose signature on a token is believed: RSA keys of an issuer (RS256), or one secret that both sides have (HS256). Pure; the
// files' texts are handed in. Tokens are believed until they end: what the issuer takes back meanwhile is not known here.

#include <map>
#include <string>
#include <string_view>

#include "base/crypto.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "kernel/auth/jwt.hpp"

namespace auth {

constexpr size_t kLeastTokenSecret = 32;  // bytes: fewer than the digest has could be guessed

class TokenKeys {
 public:
  /// A PEM public key, or a JWKS document, such as the gateway's /acs/api/v1/auth/jwks. Errors name the key.
  static base::Result<TokenKeys> public_keys(std::string_view text);

  /// The secret, without the line's end behind it; an error when it is shorter than kLeastTokenSecret. Errors do not repeat it.
  static base::Result<TokenKeys> shared_secret(std::string_view text);

  /// What the token says, when its signature is one of ours and it has not ended. A token that never ends is refused: here
  /// nothing can take it back.
  base::Result<Claims> check(std::string_view token, base::Time now) const;

 private:
  bool is_ours(const Jwt& token) const;

  std::map<std::string, base::PublicKey> keys_{};  // by id; of a PEM file: its own, see PublicKey::Parts
  std::string secret_{};                           // empty: keys
};

}  // namespace auth
