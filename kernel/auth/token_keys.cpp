#include "kernel/auth/token_keys.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/strings.hpp"

namespace auth {
namespace {

namespace json = boost::json;

constexpr size_t kMostKeys = 100;

base::Error bad(std::string why) { return {base::Code::Unauthenticated, "the token " + std::move(why)}; }

/// The member, "" when it is no text.
std::string_view text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

base::Result<std::map<std::string, base::PublicKey>> read_set(const json::value& set) {
  const json::value* list = set.is_object() ? set.get_object().if_contains("keys") : nullptr;
  if (!list || !list->is_array()) return base::invalid("wants a JWKS document, an object with the list 'keys'");
  if (list->get_array().size() > kMostKeys) return base::invalid("has more than 100 keys");
  std::map<std::string, base::PublicKey> out;
  size_t index = 0;
  for (const json::value& item : list->get_array()) {
    const std::string where = "/keys/" + std::to_string(index++);
    if (!item.is_object()) return base::invalid(where + " is no object");
    const json::object& key = item.get_object();
    // A set may hold keys for other purposes.
    if (text_of(key, "kty") != "RSA") continue;
    if (!text_of(key, "alg").empty() && text_of(key, "alg") != "RS256") continue;
    if (!text_of(key, "use").empty() && text_of(key, "use") != "sig") continue;
    auto read = base::PublicKey::from_parts(text_of(key, "n"), text_of(key, "e"));
    if (!read) return read.error().with_context(where);
    std::string id(text_of(key, "kid"));
    if (id.empty()) id = read->parts().id;
    if (!out.emplace(std::move(id), std::move(*read)).second) return base::invalid(where + " has the kid of another");
  }
  if (out.empty()) return base::invalid("has no RSA key for RS256");
  return out;
}

}  // namespace

base::Result<TokenKeys> TokenKeys::public_keys(std::string_view text) {
  TokenKeys out;
  if (base::trim(text).starts_with('{')) {
    ASSIGN_OR_RETURN(const json::value set, base::json::parse(text));
    ASSIGN_OR_RETURN(out.keys_, read_set(set));
    return out;
  }
  ASSIGN_OR_RETURN(base::PublicKey key, base::PublicKey::parse(text));
  std::string id = key.parts().id;
  out.keys_.emplace(std::move(id), std::move(key));
  return out;
}

base::Result<TokenKeys> TokenKeys::shared_secret(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  if (text.size() < kLeastTokenSecret) return base::invalid("the secret has fewer than 32 bytes");
  TokenKeys out;
  out.secret_ = std::string(text);
  return out;
}

bool TokenKeys::is_ours(const Jwt& token) const {
  if (!secret_.empty()) {
    return base::equal_in_constant_time(base::hmac_sha256(secret_, token.signed_part), token.signature);
  }
  const auto signs = [&](const base::PublicKey& key) { return key.verify(token.signed_part, token.signature); };
  if (const auto named = keys_.find(token.kid); named != keys_.end()) return signs(named->second);
  // One that names another key is nobody's; the original's tokens name none.
  return token.kid.empty() && std::any_of(keys_.begin(), keys_.end(), [&](const auto& entry) { return signs(entry.second); });
}

base::Result<Claims> TokenKeys::check(std::string_view token, base::Time now) const {
  ASSIGN_OR_RETURN(Jwt jwt, parse_jwt(token, secret_.empty() ? JwtAlgorithm::Rs256 : JwtAlgorithm::Hs256));
  if (!is_ours(jwt)) return bad("is signed by nobody who is believed here");
  if (!jwt.claims.exp) return bad("has no exp: here it could not be taken back");
  if (now.since_epoch >= base::seconds(*jwt.claims.exp)) return bad("has ended");
  return std::move(jwt.claims);
}

}  // namespace auth
