// The login's core: tokens and attacks on them, users, sessions that end, guessing.

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "admin-router/login/api.hpp"
#include "admin-router/login/credentials.hpp"
#include "admin-router/login/identity.hpp"
#include "admin-router/login/login_authorizer.hpp"
#include "admin-router/login/passwords.hpp"
#include "admin-router/login/tokens.hpp"
#include "base/crypto.hpp"
#include "base/json/value.hpp"

namespace admin_router {
namespace {

const base::PrivateKey& cluster_key() {
  static const base::PrivateKey key = base::PrivateKey::make().value();
  return key;
}

const base::PrivateKey& other_key() {
  static const base::PrivateKey key = base::PrivateKey::make().value();
  return key;
}

std::string sign(const base::PrivateKey& key, const std::string& text) {
  return text + "." + base::base64url_encode(key.sign(text).value());
}

std::string part(const std::string& json) {
  return base::base64url_encode(json);
}

base::Now at(int64_t seconds) {
  return {base::Instant{base::seconds(seconds)},
          base::Time{base::seconds(1'700'000'000 + seconds)}};
}

// A core with a shell that does everything at once, as far as it is told to.
class Core : public ::testing::Test {
 protected:
  explicit Core(IdentityPolicy policy = {})
      : policy_(policy), identity_(policy, cluster_key().public_key(), base::Random(1)) {}

  void feed(const IdentityEvent& event) {
    IdentityEffects effects;
    identity_.on(event, at(now_), effects);
    for (const IdentityEffect& effect : effects)
      std::visit([this](const auto& each) { perform(each); }, effect);
  }
  void perform(const ReplyEffect& effect) { last_ = effect; }
  void perform(const GrantEffect& effect) {
    last_ = ReplyEffect{effect.call, 200, ""};
    token_ = sign(cluster_key(), effect.unsigned_token);
  }
  // Cheap hashes: what is tested here is what becomes of the verdict.
  void perform(const HashEffect& effect) {
    feed(PasswordHashed{effect.ticket, "hash of " + effect.password});
  }
  void perform(const CheckEffect& effect) {
    ++checks_;
    feed(PasswordChecked{effect.ticket, effect.hash == "hash of " + effect.password});
  }
  void perform(const PersistEffect& effect) {
    if (broken_disk_)
      return feed(Persisted{effect.ticket, base::Error{base::Code::NoSpace, "full"}});
    for (const auto& write : effect.writes) {
      if (write.value)
        disk_[write.key] = *write.value;
      else
        disk_.erase(write.key);
    }
    if (hold_) {
      held_.push_back(effect.ticket);
    } else {
      feed(Persisted{effect.ticket, {}});
    }
  }

  int put(const std::string& uid, const std::string& password) {
    UserPutAsked event;
    event.call = 1;
    event.uid = uid;
    event.password = password;
    feed(event);
    return last_.status;
  }
  int log_in(const std::string& uid, const std::string& password,
             const std::string& source = "10.0.0.1") {
    LoginAsked event;
    event.call = 2;
    event.source = source;
    event.uid = uid;
    event.password = password;
    token_.clear();
    feed(event);
    return last_.status;
  }
  int log_out(const std::string& token) {
    feed(LogoutAsked{3, token});
    return last_.status;
  }
  int patch(const std::string& uid, const std::string& password) {
    UserPatchAsked event;
    event.call = 4;
    event.uid = uid;
    event.password = password;
    feed(event);
    return last_.status;
  }
  int remove(const std::string& uid) {
    feed(UserDeleteAsked{5, uid});
    return last_.status;
  }
  std::string user_of(const std::string& token) const {
    auto claims = identity_.check_token(token, at(now_).time);
    return claims ? claims->uid : "";
  }
  std::string code() const {
    return base::json::get_string(base::json::parse(last_.body).value(), "/code").value_or("");
  }
  // What a restart makes of the disk.
  Identity reborn() const {
    Identity identity(policy_, cluster_key().public_key(), base::Random(2));
    for (const auto& [key, value] : disk_) EXPECT_TRUE(identity.recover(key, value)) << key;
    return identity;
  }

  IdentityPolicy policy_;
  Identity identity_;
  int64_t now_ = 0;
  ReplyEffect last_{};
  std::string token_;
  std::map<std::string, std::string> disk_;
  bool broken_disk_ = false, hold_ = false;
  std::vector<uint64_t> held_;
  int checks_ = 0;
};

using Tokens_ = Core;

TEST(Jwt, reads_what_the_standard_shows) {
  // RFC 7515 A.2 has the same three parts; its claims lack a uid, which is the one thing refused.
  const std::string header = part(R"({"alg":"RS256"})");
  auto jwt = parse_jwt(header + "." + part(R"({"uid":"a","exp":5,"x":[1]})") + ".AQ");
  ASSERT_TRUE(jwt) << jwt.error().message;
  EXPECT_EQ(jwt->claims.uid, "a");
  EXPECT_EQ(jwt->claims.exp, 5);
  EXPECT_EQ(jwt->signature, "\x01");
  EXPECT_FALSE(parse_jwt(header + "." + part(R"({"iss":"joe","exp":1300819380})") + ".AQ"));
}

TEST(Jwt, of_any_other_kind_is_refused) {
  const std::string good_header = R"({"alg":"RS256","typ":"JWT"})", good = R"({"uid":"a"})";
  for (const char* header :
       {R"({"alg":"none"})", R"({"alg":"None"})", R"({"alg":"HS256"})", R"({"alg":"rs256"})",
        R"({"alg":"RS512"})", R"({"alg":["RS256"]})", R"({})", R"([])", R"("RS256")",
        R"({"alg":"RS256","crit":["exp"]})", R"({"alg":"RS256","typ":"JOSE"})",
        R"({"alg":"none","alg":"RS256"})", R"({"alg":"RS256","kid":7})",
        R"({"alg":"RS256","kid":""})", R"({"alg":"RS256")"})
    EXPECT_FALSE(parse_jwt(part(header) + "." + part(good) + ".AQ")) << header;
  for (const char* claims :
       {R"({})", R"({"uid":null})", R"({"uid":""})", R"({"uid":5})", R"({"uid":"a","exp":"9"})",
        R"({"uid":"a","exp":-1})", R"({"uid":"a","exp":1.5})", R"({"uid":"a","exp":1e30})",
        R"({"uid":"a","uid":"b"})", R"({"uid":"a","jti":1})", R"([1])"})
    EXPECT_FALSE(parse_jwt(part(good_header) + "." + part(claims) + ".AQ")) << claims;
  const std::string h = part(good_header), p = part(good);
  for (const std::string& text : {std::string(), h, h + "." + p, h + "." + p + ".", "." + p + ".AQ",
                                  h + ".." + "AQ", h + "." + p + ".AQ.AQ", h + "." + p + ".A Q",
                                  h + "=." + p + ".AQ", h + "." + p + "." + std::string(5000, 'A')})
    EXPECT_FALSE(parse_jwt(text)) << text;
}

TEST_F(Tokens_, are_made_and_taken) {
  ASSERT_EQ(put("bob", "secret"), 201);
  ASSERT_EQ(log_in("bob", "secret"), 200);
  EXPECT_EQ(user_of(token_), "bob");
  auto claims = parse_jwt(token_)->claims;
  EXPECT_EQ(claims.exp, 1'700'000'000 + 5 * 86'400);
}

TEST_F(Tokens_, with_the_public_key_as_a_shared_secret_are_refused) {
  put("bob", "secret");
  log_in("bob", "secret");
  std::string payload = token_.substr(token_.find('.') + 1);
  payload = payload.substr(0, payload.find('.'));
  // The signature does not matter: the algorithm is not looked up in the token.
  for (const char* alg : {"HS256", "none", "ES256", "PS256"}) {
    std::string text = part(std::string(R"({"typ":"JWT","alg":")") + alg + "\"}") + "." + payload;
    EXPECT_EQ(user_of(text + "." +
                      base::base64url_encode(base::sha256_hex(cluster_key().public_key().pem()))),
              "");
    EXPECT_EQ(user_of(text + "."), "");
    EXPECT_EQ(user_of(sign(cluster_key(), text)), "") << alg;
  }
}

TEST_F(Tokens_, of_another_key_or_changed_anywhere_are_refused) {
  put("bob", "secret");
  log_in("bob", "secret");
  std::string text = token_.substr(0, token_.rfind('.'));
  EXPECT_EQ(user_of(sign(other_key(), text)), "");
  Claims claims = parse_jwt(token_)->claims;
  EXPECT_EQ(user_of(sign(cluster_key(), render_unsigned("", claims))), "bob");  // no kid: ours
  EXPECT_EQ(user_of(sign(cluster_key(), render_unsigned("other", claims))), "");
  for (size_t i = 0; i < token_.size(); ++i) {
    std::string changed = token_;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(user_of(changed), "") << i;
  }
}

TEST_F(Tokens_, end_with_the_second_they_name) {
  put("bob", "secret");
  log_in("bob", "secret");
  now_ = 5 * 86'400 - 1;
  EXPECT_EQ(user_of(token_), "bob");
  now_ = 5 * 86'400;
  EXPECT_EQ(user_of(token_), "");
}

TEST_F(Tokens_, that_name_no_login_of_ours_are_refused) {
  put("bob", "secret");
  for (const char* jti : {"", "1", "2-x", "-1-x", "1x-", "18446744073709551617-x"}) {
    Claims claims{"bob", std::nullopt, jti};
    EXPECT_EQ(user_of(sign(cluster_key(), render_unsigned("", claims))), "") << jti;
  }
}

TEST_F(Tokens_, are_remembered_within_a_limit_and_looked_at_again_after_each_revocation) {
  Tokens tokens(identity_, 3);
  put("bob", "secret");
  std::vector<std::string> made;
  for (int i = 0; i < 5; ++i) {
    log_in("bob", "secret");
    made.push_back(token_);
    ASSERT_TRUE(tokens.check(token_, at(0).time));
    ASSERT_TRUE(tokens.check(token_, at(0).time));
  }
  EXPECT_EQ(tokens.size(), 3u);
  EXPECT_EQ(tokens.signatures_checked(), 5u);
  EXPECT_TRUE(tokens.check(made[0], at(0).time));  // forgotten, checked again
  EXPECT_EQ(tokens.signatures_checked(), 6u);
  EXPECT_FALSE(tokens.check("nonsense", at(0).time));
  EXPECT_EQ(tokens.size(), 3u);
  ASSERT_EQ(log_out(made[4]), 200);
  EXPECT_FALSE(tokens.check(made[4], at(0).time));
  EXPECT_TRUE(tokens.check(made[3], at(0).time));
  EXPECT_FALSE(tokens.check(made[3], at(5 * 86'400).time));
}

using Sessions = Core;

TEST_F(Sessions, end_one_by_one_at_logout) {
  put("bob", "secret");
  log_in("bob", "secret");
  std::string first = token_;
  log_in("bob", "secret");
  ASSERT_EQ(log_out(first), 200);
  EXPECT_TRUE(last_.ends_session);
  EXPECT_EQ(user_of(first), "");
  EXPECT_EQ(user_of(token_), "bob");
  EXPECT_EQ(log_out(first), 200);  // again, and nonsense: nothing to end
  EXPECT_EQ(log_out("x"), 200);
  EXPECT_EQ(reborn().check_token(first, at(0).time).has_value(), false);
  EXPECT_TRUE(reborn().check_token(token_, at(0).time));
}

TEST_F(Sessions, all_end_with_a_new_password_or_without_the_user) {
  put("bob", "secret");
  put("ann", "secret");
  log_in("bob", "secret");
  std::string bob = token_;
  log_in("ann", "secret");
  ASSERT_EQ(patch("bob", "secret"), 204);  // the same one is a new one
  EXPECT_EQ(user_of(bob), "");
  EXPECT_EQ(user_of(token_), "ann");
  log_in("bob", "secret");
  bob = token_;
  ASSERT_EQ(remove("bob"), 204);
  EXPECT_EQ(user_of(bob), "");
  ASSERT_EQ(put("bob", "secret"), 201);
  EXPECT_EQ(user_of(bob), "");
  EXPECT_FALSE(reborn().check_token(bob, at(0).time));
}

TEST_F(Sessions, stay_when_only_the_description_changes) {
  put("bob", "secret");
  log_in("bob", "secret");
  UserPatchAsked event;
  event.uid = "bob";
  event.description = "Bob";
  feed(event);
  EXPECT_EQ(last_.status, 204);
  EXPECT_EQ(user_of(token_), "bob");
  EXPECT_EQ(identity_.find("bob")->description, "Bob");
}

class FewRevocations : public Core {
 protected:
  FewRevocations()
      : Core([] {
          IdentityPolicy policy;
          policy.revoked_per_user_max = 2;
          return policy;
        }()) {}
};

TEST_F(FewRevocations, beyond_the_limit_a_logout_ends_all_sessions_of_the_user) {
  put("bob", "secret");
  std::vector<std::string> tokens;
  for (int i = 0; i < 4; ++i) {
    log_in("bob", "secret");
    tokens.push_back(token_);
  }
  log_out(tokens[0]);
  log_out(tokens[1]);
  EXPECT_EQ(user_of(tokens[3]), "bob");
  EXPECT_EQ(log_out(tokens[2]), 200);
  for (const auto& token : tokens) EXPECT_EQ(user_of(token), "");
  for (const auto& [key, value] : disk_) EXPECT_FALSE(key.starts_with("revoked/")) << key;
}

TEST_F(Sessions, that_have_expired_are_forgotten_on_disk_too) {
  put("bob", "secret");
  log_in("bob", "secret");
  log_out(token_);
  EXPECT_EQ(disk_.count("revoked/bob/" + parse_jwt(token_)->claims.jti), 1u);
  feed(MinutePassed{});
  EXPECT_EQ(disk_.size(), 3u);
  now_ = 5 * 86'400;
  feed(MinutePassed{});
  EXPECT_EQ(disk_.size(), 2u);
}

TEST_F(Sessions, go_on_when_the_disk_refuses_the_change_and_the_caller_is_told) {
  put("ann", "secret");
  put("bob", "secret");
  log_in("bob", "secret");
  broken_disk_ = true;
  EXPECT_EQ(log_out(token_), 507);
  EXPECT_EQ(patch("bob", "other"), 507);
  EXPECT_EQ(remove("bob"), 507);
  EXPECT_EQ(put("eve", "secret"), 507);
  EXPECT_EQ(user_of(token_), "bob");
  EXPECT_EQ(identity_.find("eve"), nullptr);
  broken_disk_ = false;
  EXPECT_EQ(remove("bob"), 204);  // nothing is stuck
}

TEST_F(Sessions, end_only_when_the_disk_has_said_so) {
  put("bob", "secret");
  log_in("bob", "secret");
  hold_ = true;
  last_ = {};
  log_out(token_);
  EXPECT_EQ(last_.call, 0u);
  EXPECT_EQ(patch("bob", "other-secret"), 200);  // the last reply is still the empty one
  EXPECT_EQ(patch("bob", "third-secret"), 409);
  EXPECT_EQ(code(), "ERR_USER_IS_CHANGING");
  EXPECT_EQ(user_of(token_), "bob");
  hold_ = false;
  for (uint64_t ticket : held_) feed(Persisted{ticket, {}});
  EXPECT_EQ(user_of(token_), "");
  EXPECT_EQ(log_in("bob", "other-secret"), 200);
}

using Users = Core;

TEST_F(Users, are_made_by_the_rules_of_the_original) {
  auto put_with = [&](const std::string& uid, auto change) {
    UserPutAsked event;
    event.uid = uid;
    change(event);
    feed(event);
    return last_.status == 201 ? "" : std::to_string(last_.status) + " " + code();
  };
  auto nothing = [](UserPutAsked&) {};
  EXPECT_EQ(put_with("a b", nothing), "400 ERR_INVALID_USER_ID");
  EXPECT_EQ(put_with("anonymous", nothing), "400 ERR_INVALID_USER_ID");
  EXPECT_EQ(put_with(std::string(97, 'a'), nothing), "400 ERR_INVALID_USER_ID");
  EXPECT_EQ(put_with("bob", nothing), "400 ERR_INVALID_DATA");
  EXPECT_NE(last_.body.find("One of `password` or `public_key` must be provided"),
            std::string::npos);
  EXPECT_EQ(put_with("bob", [](auto& e) { e.password = "1234"; }), "400 ERR_INVALID_DATA");
  EXPECT_EQ(put_with("bob", [](auto& e) { e.public_key = "x"; }), "400 ERR_INVALID_PUBLIC_KEY");
  EXPECT_EQ(put_with("bob@example.com", nothing), "");
  EXPECT_EQ(identity_.find("bob@example.com")->provider_id, "https://dcos.auth0.com/");
  EXPECT_EQ(put_with("bob", [](auto& e) { e.password = "12345"; }), "");
  EXPECT_EQ(put_with("bob", [](auto& e) { e.password = "12345"; }), "409 ERR_USER_EXISTS");
  EXPECT_EQ(put_with("both",
                     [](auto& e) {
                       e.password = "12345";
                       e.public_key = "x";
                     }),
            "400 ERR_INVALID_DATA");
  std::string pem = cluster_key().public_key().pem();
  EXPECT_EQ(put_with("robot", [&](auto& e) { e.public_key = pem; }), "");
  EXPECT_EQ(patch("robot", "12345"), 400);
  EXPECT_EQ(patch("bob@example.com", "12345"), 400);
  EXPECT_EQ(patch("nobody", "12345"), 400);
  EXPECT_EQ(code(), "ERR_UNKNOWN_USER_ID");
  EXPECT_EQ(remove("nobody"), 400);
  Identity again = reborn();
  EXPECT_EQ(again.users(), identity_.users());
}

TEST_F(Users, of_which_one_stays_who_can_log_in) {
  put("bob", "secret");
  put("x@example.com", "secret");
  EXPECT_EQ(remove("x@example.com"), 204);
  EXPECT_EQ(remove("bob"), 400);
  EXPECT_EQ(code(), "ERR_NO_MORE_SUPERUSERS");
}

TEST_F(Users, of_the_machines_owner_get_the_password_whether_they_exist_or_not) {
  feed(PasswordGiven{9, "admin", "first-password"});
  EXPECT_EQ(last_.status, 204);
  ASSERT_EQ(log_in("admin", "first-password"), 200);
  std::string old = token_;
  feed(PasswordGiven{9, "admin", "second-password"});
  EXPECT_EQ(user_of(old), "");
  EXPECT_EQ(log_in("admin", "first-password"), 401);
  EXPECT_EQ(log_in("admin", "second-password"), 200);
  feed(PasswordGiven{9, "admin", "x"});
  EXPECT_EQ(last_.status, 400);
}

TEST_F(Users, whose_records_are_damaged_are_left_out) {
  for (const char* value :
       {"", "{}", "[]", R"({"uid":"bob"})", R"({"uid":"a/b","version":1,"provider_type":"x"})",
        R"({"uid":"eve","version":1,"provider_type":"internal"})"})
    EXPECT_FALSE(identity_.recover("user/bob", value)) << value;
  EXPECT_FALSE(identity_.recover("revoked/x", "1"));
  EXPECT_FALSE(identity_.recover("other", "1"));
  EXPECT_TRUE(identity_.users().empty());
}

TEST_F(Users, keep_passwords_only_as_hashes_and_tell_neither) {
  put("bob", "secret");
  EXPECT_EQ(render_user(*identity_.find("bob")).find("hash"), std::string::npos);
}

using Guessing = Core;

TEST_F(Guessing, costs_the_same_for_users_that_do_not_exist_and_reads_the_same) {
  put("bob", "secret");
  EXPECT_EQ(log_in("bob", "wrong"), 401);
  std::string known = last_.body;
  EXPECT_EQ(log_in("nobody", "wrong"), 401);
  EXPECT_EQ(last_.body, known);
  EXPECT_EQ(checks_, 2);
  EXPECT_NE(nobodys_hash().find("m=19456,t=2,p=1"), std::string::npos);
}

TEST_F(Guessing, is_refused_after_ten_wrong_passwords_until_time_has_passed) {
  put("bob", "secret");
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(log_in("bob", "wrong", "10.0.0." + std::to_string(i)), 401);
  EXPECT_EQ(log_in("bob", "secret", "10.0.1.1"), 429);
  EXPECT_EQ(last_.retry_after_seconds, 15);
  EXPECT_EQ(checks_, 10);
  now_ = 15;
  EXPECT_EQ(log_in("bob", "secret", "10.0.1.1"), 200);
  EXPECT_EQ(log_in("bob", "wrong", "10.0.1.1"), 401);
  EXPECT_EQ(log_in("bob", "wrong", "10.0.1.1"), 429);
}

TEST_F(Guessing, by_one_address_is_refused_for_all_users) {
  put("bob", "secret");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(log_in("u" + std::to_string(i), "wrong"), 401);
  EXPECT_EQ(log_in("bob", "secret"), 429);
  EXPECT_EQ(log_in("bob", "secret", "10.0.0.2"), 200);
}

TEST_F(Guessing, is_not_what_a_good_login_counts_as) {
  put("bob", "secret");
  for (int i = 0; i < 100; ++i) ASSERT_EQ(log_in("bob", "secret"), 200);
}

TEST(Guesses, remember_a_limited_number_and_forget_the_least_refused) {
  GuessPolicy policy;
  policy.entries_max = 10;
  Guesses guesses(policy);
  for (int i = 0; i < 10; ++i) guesses.take("victim", "s", at(0));
  for (int i = 0; i < 1000; ++i)
    guesses.take("u" + std::to_string(i), "t" + std::to_string(i), at(0));
  EXPECT_LE(guesses.size(), 10u);
  EXPECT_GT(guesses.take("victim", "elsewhere", at(0)), base::Duration(0));
}

TEST_F(Guessing, waits_for_a_check_and_a_password_changed_meanwhile_does_not_get_in) {
  put("bob", "secret");
  LoginAsked event;
  event.uid = "bob";
  event.password = "secret";
  IdentityEffects effects;
  identity_.on(event, at(0), effects);
  const auto check = std::get<CheckEffect>(effects.at(0));
  patch("bob", "other-secret");
  feed(PasswordChecked{check.ticket, true});
  EXPECT_EQ(last_.status, 401);
}

class Busy : public Core {
 protected:
  Busy()
      : Core([] {
          IdentityPolicy policy;
          policy.pending_max = 2;
          return policy;
        }()) {}
};

TEST_F(Busy, refuses_instead_of_growing) {
  LoginAsked event;
  event.password = "x";
  IdentityEffects effects;
  for (const char* uid : {"a", "b", "c"}) {
    event.uid = uid;
    identity_.on(event, at(0), effects);
  }
  ASSERT_EQ(effects.size(), 3u);
  EXPECT_EQ(std::get<ReplyEffect>(effects[2]).status, 503);
  feed(WorkRefused{std::get<CheckEffect>(effects[0]).ticket});
  EXPECT_EQ(last_.status, 503);
}

using ServiceAccounts = Core;

TEST_F(ServiceAccounts, log_in_by_a_token_they_signed) {
  UserPutAsked put;
  put.uid = "robot";
  put.public_key = other_key().public_key().pem();
  feed(put);
  ASSERT_EQ(last_.status, 201);
  EXPECT_FALSE(identity_.has_person());
  auto log_in_with = [&](const base::PrivateKey& key, const std::string& claims,
                         std::optional<int64_t> exp = std::nullopt,
                         const std::string& header = R"({"alg":"RS256"})") {
    LoginAsked event;
    event.uid = "robot";
    event.source = "10.0.0.1";
    event.token = sign(key, part(header) + "." + part(claims));
    event.exp = exp;
    token_.clear();
    feed(event);
    return last_.status;
  };
  EXPECT_EQ(log_in_with(other_key(), R"({"uid":"robot","exp":1700000300})"), 200);
  EXPECT_EQ(user_of(token_), "robot");
  EXPECT_EQ(log_in_with(other_key(), R"({"uid":"robot"})", 0), 200);
  EXPECT_FALSE(parse_jwt(token_)->claims.exp);
  ASSERT_EQ(log_out(token_), 200);
  EXPECT_EQ(user_of(token_), "");
  EXPECT_EQ(log_in_with(other_key(), R"({"uid":"robot","exp":1700000000})"), 401);
  EXPECT_EQ(log_in_with(other_key(), R"({"uid":"bob"})"), 401);
  EXPECT_EQ(log_in_with(cluster_key(), R"({"uid":"robot"})"), 401);
  EXPECT_EQ(log_in_with(other_key(), R"({"uid":"robot"})", {}, R"({"alg":"none"})"), 401);
  EXPECT_EQ(log_in("robot", "anything"), 401);
}

TEST(Passwords, are_hashed_by_argon2id_and_checked) {
  std::string hash = hash_password("secret", "0123456789abcdef").value();
  EXPECT_TRUE(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")) << hash;
  EXPECT_TRUE(check_password("secret", hash));
  EXPECT_FALSE(check_password("Secret", hash));
  EXPECT_FALSE(check_password("secret", ""));
  EXPECT_FALSE(check_password("secret", "$argon2id$v=19$m=1"));
  EXPECT_FALSE(check_password("", nobodys_hash()));
  EXPECT_NE(hash_password("secret", "0123456789abcdee").value(), hash);
}

class Credentials : public ::testing::Test {
 protected:
  Credential find(const std::string& fields, const std::string& method = "GET") {
    read(fields, method);
    return find_credential(head_);
  }
  void read(const std::string& fields, const std::string& method = "GET") {
    text_ = method + " /x HTTP/1.1\r\nHost: cluster:8000\r\n" + fields + "\r\n";
    ASSERT_FALSE(parse_request(text_, head_)) << text_;
  }
  std::string text_;
  RequestHead head_;
};

TEST_F(Credentials, come_by_header_or_cookie_and_the_header_decides) {
  auto told = [&](const std::string& fields) {
    Credential found = find(fields);
    const char* from[] = {"", "header ", "cookie "};
    return from[static_cast<int>(found.from)] + std::string(found.token);
  };
  EXPECT_EQ(told(""), "");
  EXPECT_EQ(told("Authorization: token=a.b.c\r\n"), "header a.b.c");
  EXPECT_EQ(told("Authorization: Bearer a.b.c\r\n"), "header a.b.c");
  EXPECT_EQ(told("Authorization: bearer   a.b.c\r\n"), "header a.b.c");
  EXPECT_EQ(told("Authorization: JWT token=a.b.c\r\n"), "header a.b.c");
  EXPECT_EQ(told("Authorization: token=\r\n"), "header ");
  EXPECT_EQ(told("Authorization: Basic YTpi\r\n"), "header ");
  EXPECT_EQ(told("Authorization: xtoken=a\r\n"), "header ");
  EXPECT_EQ(told("Authorization: token=a b\r\n"), "header a b");
  EXPECT_EQ(told("Authorization: token=a.b.c\r\nAuthorization: token=d.e.f\r\n"), "header ");
  EXPECT_EQ(told("Cookie: x=y; dcos-acs-auth-cookie=a.b.c; z=1\r\n"), "cookie a.b.c");
  EXPECT_EQ(told("Cookie: xdcos-acs-auth-cookie=a; dcos-acs-auth-cookiex=b\r\n"), "");
  EXPECT_EQ(told("Cookie: dcos-acs-auth-cookie=\"a.b.c\"\r\n"), "cookie a.b.c");
  EXPECT_EQ(told("Cookie: dcos-acs-auth-cookie=a.b.c\r\nAuthorization: token=bad!\r\n"),
            "header bad!");
  EXPECT_EQ(told("Cookie: dcos-acs-auth-cookie=;;;==;\r\nCookie: dcos-acs-auth-cookie=q\r\n"),
            "cookie q");
}

TEST_F(Credentials, of_a_cookie_do_not_serve_a_foreign_page) {
  auto foreign = [&](const std::string& fields, const std::string& method) {
    read(fields, method);
    return from_a_foreign_page(head_);
  };
  EXPECT_FALSE(foreign("Origin: http://evil\r\n", "GET"));
  EXPECT_TRUE(foreign("Origin: http://evil\r\n", "POST"));
  EXPECT_TRUE(foreign("Origin: null\r\n", "POST"));
  EXPECT_TRUE(foreign("Origin: http://cluster\r\n", "DELETE"));
  EXPECT_FALSE(foreign("Origin: http://cluster:8000\r\n", "POST"));
  EXPECT_FALSE(foreign("", "POST"));
  EXPECT_TRUE(
      foreign("Origin: http://evil\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", "GET"));
}

class Doors : public Core {
 protected:
  Doors() : tokens_(identity_), authorizer_(tokens_) {
    put("bob", "secret");
    log_in("bob", "secret");
  }
  Verdict ask(const std::string& path, const std::string& fields,
              const std::string& method = "GET") {
    text_ = method + " " + path + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
    EXPECT_FALSE(parse_request(text_, head_));
    return authorizer_.decide(head_, find_route(path), at(now_));
  }
  Tokens tokens_;
  LoginAuthorizer authorizer_;
  std::string text_;
  RequestHead head_;
};

TEST_F(Doors, open_for_a_token_and_turn_a_cookie_into_a_header) {
  const auto allow = Verdict::Kind::Allow, who = Verdict::Kind::Unauthenticated;
  EXPECT_EQ(ask("/mesos/state", "").kind, who);
  EXPECT_EQ(ask("/mesos/state", "Authorization: token=\r\n").kind, who);
  Verdict header = ask("/mesos/state", "Authorization: token=" + token_ + "\r\n");
  EXPECT_EQ(header.kind, allow);
  EXPECT_EQ(header.authorization, "");
  std::string cookie = "Cookie: dcos-acs-auth-cookie=" + token_ + "\r\n";
  EXPECT_EQ(ask("/mesos/state", cookie).authorization, "token=" + token_);
  EXPECT_EQ(ask("/mesos/state", cookie + "Authorization: token=x\r\n").kind, who);
  EXPECT_EQ(ask("/mesos/x", cookie + "Origin: http://evil\r\n", "POST").kind,
            Verdict::Kind::Forbidden);
  for (const char* path : {"/", "/assets/x.js", "/health", "/acs/api/v1/auth/login",
                           "/acs/api/v1/auth/providers", "/dcos-metadata/ui-config.json"})
    EXPECT_EQ(ask(path, "").kind, allow) << path;
  for (const char* path :
       {"/metadata", "/acs/api/v1/users", "/acs/api/v1/authx", "/service/x/", "/marathon/",
        "/agent/x/", "/package/list", "/net/x", "/mesos_dns/x", "/cache/master/x", "/nginx/metrics",
        "/pkgpanda/active.buildinfo.full.json"})
    EXPECT_EQ(ask(path, "").kind, who) << path;
}

TEST_F(Doors, close_behind_streams_whose_session_has_ended) {
  Verdict stream = ask("/service/marathon/v2/events", "Authorization: token=" + token_ + "\r\n");
  ASSERT_TRUE(stream.session);
  EXPECT_TRUE(authorizer_.goes_on(*stream.session, at(0)));
  EXPECT_FALSE(authorizer_.goes_on(*stream.session, at(5 * 86'400)));
  log_out(token_);
  EXPECT_FALSE(authorizer_.goes_on(*stream.session, at(0)));
}

class Api : public Core {
 protected:
  base::http::Response ask(const std::string& method, const std::string& path,
                           const std::string& body = "", const std::string& caller = "bob",
                           const std::string& type = "application/json") {
    base::http::Request request;
    request.method = method;
    request.target = request.path = path;
    if (size_t mark = path.find('?'); mark != std::string::npos) {
      request.path = path.substr(0, mark);
      request.query_text = path.substr(mark + 1);
    }
    request.body = body;
    if (!body.empty() && !type.empty()) request.headers.set("Content-Type", type);
    if (!accept_.empty()) request.headers.set("Accept", accept_);
    ApiOutcome outcome = answer_api({request, 7, caller, ""}, identity_, {"id-1", ""});
    if (auto* response = std::get_if<base::http::Response>(&outcome)) return *response;
    feed(std::get<IdentityEvent>(outcome));
    return api_response(last_.status, last_.body);
  }
  std::string accept_;
};

TEST_F(Api, refuses_bad_requests_in_the_originals_words) {
  struct Row {
    const char* method;
    const char* path;
    const char* body;
    int status;
    const char* text;
  };
  for (const Row& row : {
           Row{"POST", "/auth/login", "", 400, "Request has bad Content-Type or lacks JSON data"},
           Row{"POST", "/auth/login", "{", 400, "ERR_INVALID_DATA"},
           Row{"POST", "/auth/login", "[]", 400, "ERR_INVALID_DATA"},
           Row{"POST", "/auth/login", R"({"uid":"a"})", 400, "exactly one of"},
           Row{"POST", "/auth/login", R"({"uid":"a","password":"b","token":"c"})", 400,
               "exactly one of"},
           Row{"POST", "/auth/login", R"({"uid":"a","password":""})", 400, "must not be empty"},
           Row{"POST", "/auth/login", R"({"password":"a"})", 400, "needs `uid`"},
           Row{"POST", "/auth/login", R"({"uid":1,"password":"a"})", 400, "`uid` must be a string"},
           Row{"POST", "/auth/login", R"({"uid":"a","password":"abcde","exp":0})", 400, "`exp`"},
           Row{"POST", "/auth/login", R"({"token":"a.b.c"})", 401, "ERR_INVALID_CREDENTIALS"},
           Row{"GET", "/auth/login", "", 400, "ERR_MISSING_QUERY_PARAMETERS"},
           Row{"DELETE", "/auth/login", "", 405, "ERR_METHOD_NOT_ALLOWED"},
           Row{"GET", "/users/nobody", "", 400, "ERR_UNKNOWN_USER_ID"},
           Row{"GET", "/users?type=all", "", 400, "ERR_INVALID_QUERY"},
           Row{"PUT", "/users/a%2Fb", R"({"password":"abcde"})", 400, "ERR_INVALID_USER_ID"},
           Row{"PATCH", "/users/nobody", R"({"description":"x"})", 400, "ERR_UNKNOWN_USER_ID"},
           Row{"PUT", "/users/a", R"({"password":"abcde","provider_type":"x"})", 400,
               "provider_type"},
           Row{"PUT", "/groups/a", "{}", 501, "ERR_UNSUPPORTED"},
           Row{"GET", "/nothing", "", 404, "ERR_NOT_FOUND"},
       }) {
    auto response = ask(row.method, std::string("/acs/api/v1") + row.path, row.body);
    EXPECT_EQ(response.status, row.status) << row.method << " " << row.path << " " << row.body;
    EXPECT_NE(response.body.find(row.text), std::string::npos) << response.body;
  }
  EXPECT_EQ(ask("POST", "/acs/api/v1/auth/login", "{}", "", "text/plain").status, 415);
  accept_ = "text/html";
  EXPECT_EQ(ask("GET", "/acs/api/v1/users").status, 406);
}

TEST_F(Api, needs_a_caller_for_everything_about_users) {
  for (const char* path :
       {"/users", "/users/bob", "/users/bob/permissions", "/groups", "/acls", "/x"})
    EXPECT_EQ(ask("GET", std::string("/acs/api/v1") + path, "", "").status, 401) << path;
  EXPECT_EQ(ask("PUT", "/acs/api/v1/users/eve", R"({"password":"abcde"})", "").status, 401);
  EXPECT_EQ(ask("DELETE", "/acs/api/v1/auth/../users/bob", "", "").status, 404);
  EXPECT_EQ(ask("DELETE", "/acs/api/v1/auth/..%2fusers/bob", "", "").status, 404);
}

TEST_F(Api, tells_users_in_the_originals_form) {
  put("bob", "secret");
  auto users = ask("GET", "/acs/api/v1/users");
  EXPECT_EQ(users.body,
            "{\n  \"array\": [\n    {\n      \"uid\": \"bob\",\n      \"description\": \"\",\n"
            "      \"url\": \"/acs/api/v1/users/bob\",\n      \"is_remote\": false,\n"
            "      \"is_service\": false,\n      \"provider_type\": \"internal\",\n"
            "      \"provider_id\": \"\"\n    }\n  ]\n}\n");
  EXPECT_EQ(ask("GET", "/acs/api/v1/users?type=service").body, "{\n  \"array\": []\n}\n");
  EXPECT_NE(ask("GET", "/acs/api/v1/users/bob/permissions").body.find("dcos:superuser"),
            std::string::npos);
  EXPECT_NE(ask("GET", "/acs/api/v1/uiconfig").body.find("\"firstUser\": false"),
            std::string::npos);
}

TEST(LoginAnswer, sets_two_cookies_of_which_scripts_see_one) {
  GrantEffect grant{1, "bob", "Bob", false, "a.b"};
  auto response = login_response(grant, "a.b.c", base::hours(120), true);
  std::vector<std::string> cookies;
  for (const auto& [name, value] : response.headers.all())
    if (name == "Set-Cookie") cookies.push_back(value);
  ASSERT_EQ(cookies.size(), 2u);
  EXPECT_EQ(cookies[0],
            "dcos-acs-auth-cookie=a.b.c; HttpOnly; Path=/; Max-Age=432000; SameSite=Lax; Secure");
  EXPECT_EQ(
      cookies[1],
      "dcos-acs-info-cookie=eyJ1aWQiOiJib2IiLCJkZXNjcmlwdGlvbiI6IkJvYiIsImlzX3JlbW90ZSI6ZmFsc2V9; "
      "Path=/; Max-Age=432000; SameSite=Lax; Secure");
  EXPECT_EQ(response.body, "{\n  \"token\": \"a.b.c\"\n}\n");
}

}  // namespace
}  // namespace admin_router
