#pragma once

// Users as they are kept and told (pure).

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace admin_router {

/// A person with a password, a service with a key, or a remote person whom another system knows.
struct User {
  std::string uid{};
  std::string description{};
  std::string password_hash{};
  std::string public_key{};
  std::string provider_type = "internal";
  std::string provider_id{};
  uint64_t version = 0;  // a token of an older version is worth nothing

  bool is_service() const { return !public_key.empty(); }
  bool is_remote() const { return provider_type != "internal"; }
  bool operator==(const User&) const = default;
};

/// InvalidArgument with the rule that is broken.
base::Status check_uid(std::string_view uid);
base::Status check_new_password(std::string_view password);

/// Whether a user of that name is meant to come from elsewhere when nothing else is said.
bool looks_like_mail(std::string_view uid);

/// The stored form. Reading checks everything that the rest relies on.
std::string encode_user(const User& user);
base::Result<User> decode_user(std::string_view text);

/// The public form: compact JSON. No hash in it.
std::string render_user(const User& user);

/// The error form of the original's user service: title, description, code.
std::string render_problem(int status, std::string_view code, std::string_view description);

}  // namespace admin_router
