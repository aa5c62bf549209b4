#include "kernel/auth/credentials.hpp"

#include <boost/json.hpp>

#include "base/crypto.hpp"
#include "base/json/value.hpp"
#include "base/strings.hpp"

namespace auth {

namespace json = boost::json;

base::Result<Credentials> Credentials::parse(std::string_view text) {
  // Errors name the place and never the content: it is secret.
  auto document = base::json::parse(text);
  if (!document) {
    return base::invalid(R"(the credentials are not JSON: expecting {"credentials":[{"principal":"...","secret":"..."}]})");
  }
  const json::value* list = base::json::find(*document, "/credentials");
  if (list == nullptr || !list->is_array()) return base::invalid("the credentials have no array 'credentials'");
  Credentials out;
  size_t index = 0;
  for (const json::value& element : list->get_array()) {
    const std::string where = "/credentials/" + std::to_string(index++);
    const auto principal = base::json::get_string(element, "/principal");
    const auto secret = base::json::get_string(element, "/secret");
    if (!principal || principal->empty()) return base::invalid(where + "/principal must be a string that is not empty");
    if (!secret) return base::invalid(where + "/secret must be a string");
    if (principal->find(':') != std::string::npos) return base::invalid(where + "/principal must have no colon: HTTP Basic ends it there");
    if (!out.secrets_.emplace(*principal, *secret).second) return base::invalid(where + ": principal '" + *principal + "' appears twice");
  }
  return out;
}

bool Credentials::accept(const std::string& principal, std::string_view secret) const {
  const auto found = secrets_.find(principal);
  const bool known = found != secrets_.end();
  // An unknown principal costs the same comparison.
  return base::equal_in_constant_time(secret, known ? std::string_view(found->second) : std::string_view("?")) && known;
}

std::string Credentials::sign(const std::string& principal, std::string_view text) const {
  const auto found = secrets_.find(principal);
  std::string proof = base::hmac_sha256(found == secrets_.end() ? std::string_view() : std::string_view(found->second), text);
  // The secret of nobody would be the empty one.
  if (found == secrets_.end()) proof.clear();
  return proof;
}

base::Result<BasicCredential> parse_credential(std::string_view text) {
  const auto document = base::json::parse(text);
  if (!document) return base::invalid(R"(the credential is not JSON: expecting {"principal":"...","secret":"..."})");
  const auto principal = base::json::get_string(*document, "/principal");
  const auto secret = base::json::get_string(*document, "/secret");
  if (!principal || principal->empty()) return base::invalid("/principal must be a string that is not empty");
  if (!secret || secret->empty()) return base::invalid("/secret must be a string that is not empty");
  return BasicCredential{*principal, *secret};
}

std::optional<BasicCredential> parse_basic(std::string_view authorization) {
  const size_t blank = authorization.find(' ');
  if (blank == std::string_view::npos || base::to_lower(std::string(authorization.substr(0, blank))) != "basic") return std::nullopt;
  std::string text;
  if (!base::base64_decode(base::trim(authorization.substr(blank + 1)), text)) return std::nullopt;
  const size_t colon = text.find(':');
  if (colon == std::string::npos) return std::nullopt;
  return BasicCredential{text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace auth
