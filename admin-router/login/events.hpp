#pragma once

// What the identity core is told, and what it asks for. Calls are numbers that the shell gives out,
// one per request to answer; tickets are the core's own, for work that comes back.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace admin_router {

/// POST /auth/login. Exactly one of password and token.
struct LoginAsked {
  uint64_t call = 0;
  std::string source{};  // the client's address
  std::string uid{};
  std::optional<std::string> password{};
  std::optional<std::string> token{};  // signed by a service account
  std::optional<int64_t> exp{};        // service accounts: the life they want, 0 without end
};

/// GET /auth/logout with the token that was presented; it may be anything.
struct LogoutAsked {
  uint64_t call = 0;
  std::string token{};
};

struct UserPutAsked {
  uint64_t call = 0;
  std::string uid{};
  std::string description{};
  std::optional<std::string> password{};
  std::optional<std::string> public_key{};
  std::string provider_type{};
  std::string provider_id{};
};

struct UserPatchAsked {
  uint64_t call = 0;
  std::string uid{};
  std::optional<std::string> description{};
  std::optional<std::string> password{};
};

struct UserDeleteAsked {
  uint64_t call = 0;
  std::string uid{};
};

/// The machine's owner gives this user this password, whether the user exists or not.
struct PasswordGiven {
  uint64_t call = 0;
  std::string uid{};
  std::string password{};
};

struct PasswordHashed {
  uint64_t ticket = 0;
  base::Result<std::string> hash = std::string();
};

struct PasswordChecked {
  uint64_t ticket = 0;
  bool right = false;
};

struct Persisted {
  uint64_t ticket = 0;
  base::Status status{};
};

/// The shell could not start the work: its queue is full.
struct WorkRefused {
  uint64_t ticket = 0;
};

/// About once a minute.
struct MinutePassed {};

using IdentityEvent = std::variant<LoginAsked, LogoutAsked, UserPutAsked, UserPatchAsked,
                                   UserDeleteAsked, PasswordGiven, PasswordHashed, PasswordChecked,
                                   Persisted, WorkRefused, MinutePassed>;

/// An answer in JSON; an empty text is an empty body.
struct ReplyEffect {
  uint64_t call = 0;
  int status = 200;
  std::string body{};
  int64_t retry_after_seconds = 0;  // above 0: told in a header
  bool ends_session = false;        // the cookies are taken back
};

/// Sign, and answer with the token and the cookies.
struct GrantEffect {
  uint64_t call = 0;
  std::string uid{};
  std::string description{};
  bool is_remote = false;
  std::string unsigned_token{};
};

/// Ends in PasswordHashed.
struct HashEffect {
  uint64_t ticket = 0;
  std::string password{};
};

/// Ends in PasswordChecked.
struct CheckEffect {
  uint64_t ticket = 0;
  std::string password{};
  std::string hash{};
};

/// Ends in Persisted. All of it or nothing.
struct PersistEffect {
  struct Write {
    std::string key;
    std::optional<std::string> value;  // absent: erase
  };
  uint64_t ticket = 0;
  std::vector<Write> writes{};
};

using IdentityEffect =
    std::variant<ReplyEffect, GrantEffect, HashEffect, CheckEffect, PersistEffect>;
using IdentityEffects = std::vector<IdentityEffect>;

}  // namespace admin_router
