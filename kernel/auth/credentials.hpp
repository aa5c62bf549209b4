#pragma once

// Who is asking: the credentials file and the HTTP Basic scheme. Pure; the file's text is handed in.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace auth {

/// Principals and their secrets, from {"credentials":[{"principal":"p","secret":"s"}]}.
class Credentials {
 public:
  static base::Result<Credentials> parse(std::string_view json);

  /// Compares in a time that does not depend on the secret.
  bool accept(const std::string& principal, std::string_view secret) const;

  /// The proof that whoever made it knows the principal's secret: HMAC-SHA256 of `text` (challenge.hpp). Unknown principals
  /// get one that nobody can make.
  std::string sign(const std::string& principal, std::string_view text) const;

  bool knows(const std::string& principal) const { return secrets_.contains(principal); }

  size_t size() const { return secrets_.size(); }

 private:
  std::map<std::string, std::string> secrets_;
};

struct BasicCredential {
  std::string principal, secret;
};

/// One's own, from {"principal":"p","secret":"s"}. Errors do not repeat the text.
base::Result<BasicCredential> parse_credential(std::string_view json);

/// "Basic cDpz" -> p, s. Absent when the header has another scheme or is no such value.
std::optional<BasicCredential> parse_basic(std::string_view authorization);

}  // namespace auth
