#pragma once

// Who we are to a registry (pure): Docker's config.json, and the challenge of a 401 answer.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/containerizer/types.hpp"

namespace containerizer::images {

/// "user:password" by registry host[:port], or an identity token.
struct Credential {
  std::string user{}, password{};
  std::string identity_token{};

  /// The value of an Authorization header.
  std::string basic() const;
  bool operator==(const Credential&) const = default;
};

class Credentials {
 public:
  /// {"auths": {"host": {"auth": base64 | "username", "password", "identitytoken"}}}, or the older
  /// form without "auths".
  static Result<Credentials> parse(std::string_view json);

  /// Those of `stronger` are used where both know a registry.
  void merge(const Credentials& stronger);

  std::optional<Credential> find(const std::string& registry) const;
  bool empty() const { return by_registry_.empty(); }

  /// Names the content, to tell pulls with different credentials apart; not for display.
  std::string fingerprint() const;

 private:
  std::map<std::string, Credential> by_registry_;
};

/// WWW-Authenticate: Bearer realm="...",service="...",scope="..."
struct Challenge {
  std::string scheme;  // lower case
  std::map<std::string, std::string> parameters;
};

Result<Challenge> parse_challenge(std::string_view header);

}  // namespace containerizer::images
