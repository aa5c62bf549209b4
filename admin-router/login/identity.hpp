#pragma once

// The core of the login (pure, deterministic): who exists, who may log in, which tokens are worth
// something. Passwords are hashed and checked, tokens signed and records stored by the shell, as
// effects. Nothing that was told to a caller is forgotten: a change is answered, and counts, when
// its Persisted has come.

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "admin-router/login/events.hpp"
#include "admin-router/login/guesses.hpp"
#include "admin-router/login/users.hpp"
#include "base/crypto.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "kernel/auth/jwt.hpp"

namespace admin_router {

using auth::Claims;
using auth::Jwt;
using auth::parse_jwt;
using auth::render_unsigned;

struct IdentityPolicy {
  base::Duration token_life = base::hours(5 * 24);
  size_t users_max = 10'000;
  size_t revoked_per_user_max = 1'000;  // beyond, a logout ends all sessions of that user
  size_t pending_max = 256;             // hashes, checks and writes under way
  GuessPolicy guesses{};
};

class Identity {
 public:
  /// `key` checks the cluster's own tokens; `random` only makes their names differ.
  Identity(IdentityPolicy policy, base::PublicKey key, base::Random random);

  /// One stored record, before the first event. Error: the record is left out, and why.
  base::Status recover(const std::string& key, const std::string& value);

  void on(const IdentityEvent& event, base::Now now, IdentityEffects& out);

  const User* find(std::string_view uid) const;
  const std::map<std::string, User, std::less<>>& users() const { return users_; }
  /// Whether somebody with a password, or known elsewhere, exists. Services do not count.
  bool has_person() const;

  /// The token is one of ours in form and signature, and is worth something now.
  base::Result<Claims> check_token(std::string_view token, base::Time now) const;
  /// The cheaper half, for a token whose signature has been checked before.
  bool worth(const Claims& claims, base::Time now) const;
  /// Changes when a token may have lost its worth before its time.
  uint64_t revocations() const { return revocations_; }

  const base::PublicKey& key() const { return key_; }
  const std::string& key_id() const { return key_id_; }

 private:
  // What waits for a hash, a check or a write, by ticket.
  struct Login {
    uint64_t call = 0;
    std::string asked;  // the user ID that was given
    bool known = false;
    std::string source, hash;  // the hash that is being checked
  };
  struct Change {
    uint64_t call = 0;
    int status = 0;  // of the answer
    User user{};     // as it will be
    bool erased = false;
    bool revokes = false;  // its tokens
  };
  struct Revocation {
    uint64_t call = 0;
    std::string uid, jti;
    int64_t exp = 0;
  };
  struct Purge {
    std::vector<std::pair<std::string, std::string>> gone;
  };

  void apply(const LoginAsked& event, base::Now now, IdentityEffects& out);
  void apply(const LogoutAsked& event, base::Now now, IdentityEffects& out);
  void apply(const UserPutAsked& event, base::Now now, IdentityEffects& out);
  void apply(const UserPatchAsked& event, base::Now now, IdentityEffects& out);
  void apply(const UserDeleteAsked& event, base::Now now, IdentityEffects& out);
  void apply(const PasswordGiven& event, base::Now now, IdentityEffects& out);
  void apply(const PasswordHashed& event, base::Now now, IdentityEffects& out);
  void apply(const PasswordChecked& event, base::Now now, IdentityEffects& out);
  void apply(const Persisted& event, base::Now now, IdentityEffects& out);
  void apply(const WorkRefused& event, base::Now now, IdentityEffects& out);
  void apply(const MinutePassed& event, base::Now now, IdentityEffects& out);

  void login_service(const LoginAsked& event, base::Now now, IdentityEffects& out);
  void grant(uint64_t call, const User& user, std::optional<int64_t> exp, base::Now now,
             IdentityEffects& out);
  void write(Change change, IdentityEffects& out);
  void hash_then_write(Change change, const std::string& password, IdentityEffects& out);
  bool start_change(uint64_t call, const std::string& uid, IdentityEffects& out);
  void commit(const Change& change);
  size_t pending() const;
  bool leaves_nobody(const User& gone) const;

  IdentityPolicy policy_;
  base::PublicKey key_;
  std::string key_id_;
  base::Random random_;
  Guesses guesses_;
  std::map<std::string, User, std::less<>> users_;
  std::map<std::string, std::map<std::string, int64_t>, std::less<>>
      revoked_;           // uid -> jti -> exp (0: none)
  uint64_t version_ = 0;  // the highest given to a user
  uint64_t revocations_ = 0;
  uint64_t next_ticket_ = 1;
  std::map<uint64_t, Login> checking_;
  std::map<uint64_t, Change> hashing_, writing_;
  std::map<uint64_t, Revocation> revoking_;
  std::map<uint64_t, Purge> purging_;
  std::set<std::string> changing_;  // uids with a change under way
};

}  // namespace admin_router
