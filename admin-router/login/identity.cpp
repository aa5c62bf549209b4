#include "admin-router/login/identity.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "admin-router/login/passwords.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace admin_router {
namespace {

constexpr std::string_view kUserPrefix = "user/", kRevokedPrefix = "revoked/",
                           kVersionKey = "version";
constexpr std::string_view kBadCredentials = "the user ID or the password is wrong";
constexpr size_t kPurgeMost = 1'000;

void refuse(IdentityEffects& out, uint64_t call, int status, std::string_view code,
            std::string_view description) {
  out.push_back(ReplyEffect{call, status, render_problem(status, code, description)});
}

void refuse_busy(IdentityEffects& out, uint64_t call) {
  ReplyEffect reply{call, 503,
                    render_problem(503, "ERR_BUSY", "too many logins and changes are under way")};
  reply.retry_after_seconds = 1;
  out.push_back(std::move(reply));
}

void refuse_unknown(IdentityEffects& out, uint64_t call, const std::string& uid) {
  refuse(out, call, 400, "ERR_UNKNOWN_USER_ID", fmt::format("the user \"{}\" does not exist", uid));
}

std::string user_key(const std::string& uid) {
  return std::string(kUserPrefix) + uid;
}

// A uid holds no slash.
std::string revoked_key(const std::string& uid, const std::string& jti) {
  return fmt::format("{}{}/{}", kRevokedPrefix, uid, jti);
}

// "7-0123456789abcdef" -> 7.
bool version_in(std::string_view jti, uint64_t& version) {
  auto number = base::parse_uint(jti.substr(0, jti.find('-')));
  if (!number || jti.find('-') == std::string_view::npos || jti.size() > 64) return false;
  version = *number;
  return true;
}

int64_t whole_seconds(base::Time time) {
  return std::chrono::duration_cast<base::seconds>(time.since_epoch).count();
}

}  // namespace

Identity::Identity(IdentityPolicy policy, base::PublicKey key, base::Random random)
    : policy_(policy),
      key_(std::move(key)),
      key_id_(key_.parts().id),
      random_(std::move(random)),
      guesses_(policy.guesses) {}

base::Status Identity::recover(const std::string& key, const std::string& value) {
  if (key == kVersionKey) {
    ASSIGN_OR_RETURN(uint64_t version, base::parse_uint(value));
    version_ = std::max(version_, version);
    return {};
  }
  if (key.starts_with(kUserPrefix)) {
    ASSIGN_OR_RETURN(User user, decode_user(value));
    if (user_key(user.uid) != key) return base::invalid("the record is of another user");
    version_ = std::max(version_, user.version);
    users_[user.uid] = std::move(user);
    return {};
  }
  if (key.starts_with(kRevokedPrefix)) {
    std::string_view rest = std::string_view(key).substr(kRevokedPrefix.size());
    size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return base::invalid("the key names no token");
    ASSIGN_OR_RETURN(int64_t exp, base::parse_int(value));
    revoked_[std::string(rest.substr(0, slash))][std::string(rest.substr(slash + 1))] = exp;
    return {};
  }
  return base::invalid("the key is of no known kind");
}

void Identity::on(const IdentityEvent& event, base::Now now, IdentityEffects& out) {
  std::visit([&](const auto& e) { apply(e, now, out); }, event);
}

const User* Identity::find(std::string_view uid) const {
  auto it = users_.find(uid);
  return it == users_.end() ? nullptr : &it->second;
}

bool Identity::has_person() const {
  return std::any_of(users_.begin(), users_.end(),
                     [](const auto& entry) { return !entry.second.is_service(); });
}

base::Result<Claims> Identity::check_token(std::string_view token, base::Time now) const {
  ASSIGN_OR_RETURN(Jwt jwt, parse_jwt(token));
  if (!jwt.kid.empty() && jwt.kid != key_id_)
    return base::Error{base::Code::Unauthenticated, "the token names another key"};
  if (!key_.verify(jwt.signed_part, jwt.signature))
    return base::Error{base::Code::Unauthenticated, "the token's signature is wrong"};
  if (!worth(jwt.claims, now))
    return base::Error{base::Code::Unauthenticated, "the token is worth nothing any more"};
  return std::move(jwt.claims);
}

bool Identity::worth(const Claims& claims, base::Time now) const {
  if (claims.exp && now.since_epoch >= base::seconds(*claims.exp)) return false;
  const User* user = find(claims.uid);
  uint64_t version = 0;
  if (user == nullptr || !version_in(claims.jti, version) || version != user->version) return false;
  auto revoked = revoked_.find(claims.uid);
  return revoked == revoked_.end() || revoked->second.find(claims.jti) == revoked->second.end();
}

size_t Identity::pending() const {
  return checking_.size() + hashing_.size() + writing_.size() + revoking_.size();
}

// A wrong password, a user who does not exist and one who has no password look the same and take
// as long.
void Identity::apply(const LoginAsked& event, base::Now now, IdentityEffects& out) {
  if (event.uid.empty())
    return refuse(out, event.call, 401, "ERR_INVALID_CREDENTIALS",
                  "no other identity provider is set up: log in with uid and password");
  if (pending() >= policy_.pending_max) return refuse_busy(out, event.call);
  base::Duration wait = guesses_.take(event.uid.substr(0, 96), event.source, now);
  if (wait > base::Duration(0)) {
    int64_t seconds = std::chrono::ceil<base::seconds>(wait).count();
    ReplyEffect reply{
        event.call, 429,
        render_problem(429, "ERR_TOO_MANY_ATTEMPTS",
                       fmt::format("too many failed logins: try again in {} seconds", seconds))};
    reply.retry_after_seconds = seconds;
    out.push_back(std::move(reply));
    return;
  }
  if (event.token) return login_service(event, now, out);
  const User* user = find(event.uid);
  bool known = user != nullptr && !user->password_hash.empty();
  uint64_t ticket = next_ticket_++;
  const std::string& hash = known ? user->password_hash : nobodys_hash();
  checking_[ticket] = {event.call, event.uid, known, event.source, hash};
  out.push_back(CheckEffect{ticket, event.password.value_or(""), hash});
}

void Identity::login_service(const LoginAsked& event, base::Now now, IdentityEffects& out) {
  const User* user = find(event.uid);
  bool known = user != nullptr && user->is_service();
  auto jwt = parse_jwt(*event.token);
  auto key = base::PublicKey::parse(known ? user->public_key : key_.pem());
  bool good = jwt && key && key->verify(jwt->signed_part, jwt->signature) && known &&
              jwt->claims.uid == event.uid &&
              (!jwt->claims.exp || now.time.since_epoch < base::seconds(*jwt->claims.exp));
  if (!good)
    return refuse(out, event.call, 401, "ERR_INVALID_CREDENTIALS",
                  "the user ID or the service login token is wrong");
  guesses_.give_back(event.uid, event.source);
  std::optional<int64_t> exp = event.exp;
  if (!exp)
    exp = whole_seconds(now.time + policy_.token_life);
  else if (*exp == 0)
    exp.reset();
  grant(event.call, *user, exp, now, out);
}

void Identity::grant(uint64_t call, const User& user, std::optional<int64_t> exp, base::Now,
                     IdentityEffects& out) {
  Claims claims;
  claims.uid = user.uid;
  claims.exp = exp;
  claims.jti = fmt::format("{}-{:016x}", user.version, random_.next());
  out.push_back(GrantEffect{call, user.uid, user.description, user.is_remote(),
                            render_unsigned(key_id_, claims)});
}

void Identity::apply(const PasswordChecked& event, base::Now now, IdentityEffects& out) {
  auto it = checking_.find(event.ticket);
  if (it == checking_.end()) return;
  Login login = std::move(it->second);
  checking_.erase(it);
  const User* user = login.known ? find(login.asked) : nullptr;
  // The password may have been changed while the old one was checked.
  bool good = event.right && user != nullptr && user->password_hash == login.hash;
  if (!good) return refuse(out, login.call, 401, "ERR_INVALID_CREDENTIALS", kBadCredentials);
  guesses_.give_back(login.asked, login.source);
  grant(login.call, *user, whole_seconds(now.time + policy_.token_life), now, out);
}

void Identity::apply(const LogoutAsked& event, base::Now now, IdentityEffects& out) {
  auto claims = check_token(event.token, now.time);
  if (!claims) {  // nothing to end
    ReplyEffect reply{event.call, 200, "{}"};
    reply.ends_session = true;
    out.push_back(std::move(reply));
    return;
  }
  if (pending() >= policy_.pending_max) return refuse_busy(out, event.call);
  auto revoked = revoked_.find(claims->uid);
  if (revoked != revoked_.end() && revoked->second.size() >= policy_.revoked_per_user_max) {
    if (!start_change(event.call, claims->uid, out)) return;
    Change change{event.call, 200, *find(claims->uid), false, true};
    return write(std::move(change), out);
  }
  uint64_t ticket = next_ticket_++;
  int64_t exp = claims->exp.value_or(0);
  PersistEffect persist{ticket, {}};
  persist.writes.push_back({revoked_key(claims->uid, claims->jti), std::to_string(exp)});
  revoking_[ticket] = {event.call, claims->uid, claims->jti, exp};
  out.push_back(std::move(persist));
}

// One change of a user at a time: two at once would have no order.
bool Identity::start_change(uint64_t call, const std::string& uid, IdentityEffects& out) {
  if (pending() >= policy_.pending_max) {
    refuse_busy(out, call);
    return false;
  }
  if (changing_.insert(uid).second) return true;
  refuse(out, call, 409, "ERR_USER_IS_CHANGING",
         fmt::format("another change of the user \"{}\" is under way", uid));
  return false;
}

void Identity::hash_then_write(Change change, const std::string& password, IdentityEffects& out) {
  uint64_t ticket = next_ticket_++;
  hashing_[ticket] = std::move(change);
  out.push_back(HashEffect{ticket, password});
}

void Identity::write(Change change, IdentityEffects& out) {
  uint64_t ticket = next_ticket_++;
  PersistEffect persist{ticket, {}};
  if (change.revokes) change.user.version = ++version_;
  persist.writes.push_back({std::string(kVersionKey), std::to_string(version_)});
  if (change.erased)
    persist.writes.push_back({user_key(change.user.uid), std::nullopt});
  else
    persist.writes.push_back({user_key(change.user.uid), encode_user(change.user)});
  if (change.revokes) {  // older tokens are worth nothing by their version alone
    auto revoked = revoked_.find(change.user.uid);
    if (revoked != revoked_.end())
      for (const auto& [jti, exp] : revoked->second)
        persist.writes.push_back({revoked_key(change.user.uid, jti), std::nullopt});
  }
  writing_[ticket] = std::move(change);
  out.push_back(std::move(persist));
}

void Identity::apply(const UserPutAsked& event, base::Now, IdentityEffects& out) {
  uint64_t call = event.call;
  if (auto good = check_uid(event.uid); !good)
    return refuse(out, call, 400, "ERR_INVALID_USER_ID", good.error().message);
  Change change{call, 201, {}, false, true};
  User& user = change.user;
  user.uid = event.uid;
  user.description = event.description;
  if (event.password && event.public_key)
    return refuse(out, call, 400, "ERR_INVALID_DATA",
                  "a user has a `password` or a `public_key`, not both");
  if (event.password) {
    if (auto good = check_new_password(*event.password); !good)
      return refuse(out, call, 400, "ERR_INVALID_DATA", good.error().message);
  } else if (event.public_key) {
    if (auto key = base::PublicKey::parse(*event.public_key); !key)
      return refuse(out, call, 400, "ERR_INVALID_PUBLIC_KEY", key.error().message);
    user.public_key = *event.public_key;
  } else if (!event.provider_type.empty() && event.provider_type != "internal") {
    user.provider_type = event.provider_type;
    user.provider_id = event.provider_id;
  } else if (looks_like_mail(event.uid)) {
    user.provider_type = "oidc";
    user.provider_id = "https://dcos.auth0.com/";
  } else {
    return refuse(out, call, 400, "ERR_INVALID_DATA",
                  "One of `password` or `public_key` must be provided");
  }
  if (find(event.uid) != nullptr)
    return refuse(out, call, 409, "ERR_USER_EXISTS",
                  fmt::format("the user \"{}\" exists already", event.uid));
  if (users_.size() >= policy_.users_max)
    return refuse(out, call, 507, "ERR_TOO_MANY_USERS",
                  fmt::format("there are {} users, which is the most", users_.size()));
  if (!start_change(call, event.uid, out)) return;
  if (event.password) return hash_then_write(std::move(change), *event.password, out);
  write(std::move(change), out);
}

void Identity::apply(const UserPatchAsked& event, base::Now, IdentityEffects& out) {
  const User* user = find(event.uid);
  if (user == nullptr) return refuse_unknown(out, event.call, event.uid);
  if (!event.password && !event.description)
    return refuse(out, event.call, 400, "ERR_INVALID_DATA",
                  "give at least one of `description` and `password`");
  if (event.password) {
    if (user->is_service() || user->is_remote())
      return refuse(out, event.call, 400, "ERR_INVALID_DATA",
                    user->is_service() ? "a service account has a key and no password"
                                       : "a remote user has no password here");
    if (auto good = check_new_password(*event.password); !good)
      return refuse(out, event.call, 400, "ERR_INVALID_DATA", good.error().message);
  }
  if (!start_change(event.call, event.uid, out)) return;
  Change change{event.call, 204, *user, false, event.password.has_value()};
  if (event.description) change.user.description = *event.description;
  if (event.password) return hash_then_write(std::move(change), *event.password, out);
  write(std::move(change), out);
}

// Somebody must be left who can log in: nobody else could ever make a user again.
bool Identity::leaves_nobody(const User& gone) const {
  for (const auto& [uid, user] : users_)
    if (uid != gone.uid && !user.is_remote()) return false;
  return !gone.is_remote();
}

void Identity::apply(const UserDeleteAsked& event, base::Now, IdentityEffects& out) {
  const User* user = find(event.uid);
  if (user == nullptr) return refuse_unknown(out, event.call, event.uid);
  if (leaves_nobody(*user))
    return refuse(out, event.call, 400, "ERR_NO_MORE_SUPERUSERS",
                  "this is the last user who can log in");
  if (!start_change(event.call, event.uid, out)) return;
  write({event.call, 204, *user, true, true}, out);
}

void Identity::apply(const PasswordGiven& event, base::Now, IdentityEffects& out) {
  auto good = check_uid(event.uid);
  if (good) good = check_new_password(event.password);
  if (!good) return refuse(out, event.call, 400, "ERR_INVALID_DATA", good.error().message);
  const User* user = find(event.uid);
  if (user != nullptr && (user->is_service() || user->is_remote()))
    return refuse(out, event.call, 409, "ERR_USER_EXISTS",
                  fmt::format("\"{}\" is not a user with a password", event.uid));
  if (!start_change(event.call, event.uid, out)) return;
  Change change{event.call, 204, user == nullptr ? User() : *user, false, true};
  change.user.uid = event.uid;
  hash_then_write(std::move(change), event.password, out);
}

void Identity::apply(const PasswordHashed& event, base::Now, IdentityEffects& out) {
  auto it = hashing_.find(event.ticket);
  if (it == hashing_.end()) return;
  Change change = std::move(it->second);
  hashing_.erase(it);
  if (!event.hash) {
    changing_.erase(change.user.uid);
    return refuse(out, change.call, 500, "ERR_INTERNAL", event.hash.error().message);
  }
  change.user.password_hash = *event.hash;
  write(std::move(change), out);
}

void Identity::commit(const Change& change) {
  if (change.revokes) {
    ++revocations_;
    revoked_.erase(change.user.uid);
  }
  if (change.erased)
    users_.erase(change.user.uid);
  else
    users_[change.user.uid] = change.user;
}

void Identity::apply(const Persisted& event, base::Now, IdentityEffects& out) {
  auto failed = [&](uint64_t call) {
    int status = base::http_status(event.status.error().code);
    refuse(out, call, status, "ERR_STORE", event.status.error().message);
  };
  if (auto it = writing_.find(event.ticket); it != writing_.end()) {
    Change change = std::move(it->second);
    writing_.erase(it);
    changing_.erase(change.user.uid);
    if (!event.status) return failed(change.call);
    commit(change);
    ReplyEffect reply{change.call, change.status, change.status == 200 ? "{}" : ""};
    reply.ends_session = change.status == 200;
    out.push_back(std::move(reply));
    return;
  }
  if (auto it = revoking_.find(event.ticket); it != revoking_.end()) {
    Revocation revocation = std::move(it->second);
    revoking_.erase(it);
    if (!event.status) return failed(revocation.call);
    ++revocations_;
    if (find(revocation.uid) != nullptr) revoked_[revocation.uid][revocation.jti] = revocation.exp;
    ReplyEffect reply{revocation.call, 200, "{}"};
    reply.ends_session = true;
    out.push_back(std::move(reply));
    return;
  }
  auto it = purging_.find(event.ticket);
  if (it == purging_.end()) return;
  if (event.status) {
    for (const auto& [uid, jti] : it->second.gone) {
      auto revoked = revoked_.find(uid);
      if (revoked == revoked_.end()) continue;
      revoked->second.erase(jti);
      if (revoked->second.empty()) revoked_.erase(revoked);
    }
  }
  purging_.erase(it);
}

void Identity::apply(const WorkRefused& event, base::Now, IdentityEffects& out) {
  if (auto it = checking_.find(event.ticket); it != checking_.end()) {
    guesses_.give_back(it->second.asked, it->second.source);
    refuse_busy(out, it->second.call);
    checking_.erase(it);
  } else if (auto change = hashing_.find(event.ticket); change != hashing_.end()) {
    changing_.erase(change->second.user.uid);
    refuse_busy(out, change->second.call);
    hashing_.erase(change);
  }
}

// A token that has expired, or whose user has gone, need not be remembered.
void Identity::apply(const MinutePassed&, base::Now now, IdentityEffects& out) {
  if (!purging_.empty()) return;
  Purge purge;
  PersistEffect persist{next_ticket_, {}};
  int64_t today = whole_seconds(now.time);
  for (const auto& [uid, tokens] : revoked_) {
    const User* user = find(uid);
    for (const auto& [jti, exp] : tokens) {
      uint64_t version = 0;
      bool current = user != nullptr && version_in(jti, version) && version == user->version;
      if (current && (exp == 0 || exp > today)) continue;
      if (purge.gone.size() >= kPurgeMost) break;
      purge.gone.emplace_back(uid, jti);
      persist.writes.push_back({revoked_key(uid, jti), std::nullopt});
    }
  }
  if (purge.gone.empty()) return;
  purging_[next_ticket_++] = std::move(purge);
  out.push_back(std::move(persist));
}

}  // namespace admin_router
