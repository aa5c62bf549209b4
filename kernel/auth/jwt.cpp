#include "kernel/auth/jwt.hpp"

#include <boost/json.hpp>

#include "base/crypto.hpp"
#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "kernel/auth/jwt_parts.hpp"

namespace auth {
namespace {

namespace json = boost::json;

base::Error bad(std::string why) {
  return {base::Code::Unauthenticated, "the token " + std::move(why)};
}

base::Result<json::value> read_part(std::string_view part, size_t max_bytes) {
  std::string text;
  if (!base::base64url_decode(part, text)) return bad("is not base64url");
  base::json::ParseOptions options;
  options.max_bytes = max_bytes;
  options.max_depth = 8;
  options.reject_duplicate_keys = true;
  auto value = base::json::parse(text, options);
  if (!value || !value->is_object()) return bad("does not hold JSON objects");
  return value;
}

const char* name_of(JwtAlgorithm algorithm) { return algorithm == JwtAlgorithm::Rs256 ? "RS256" : "HS256"; }

base::Status read_header(const json::object& header, JwtAlgorithm algorithm, std::string& kid) {
  const auto* alg = header.if_contains("alg");
  if (alg == nullptr || !alg->is_string() || alg->get_string() != name_of(algorithm))
    return bad(std::string("is not signed by ") + name_of(algorithm));
  if (header.contains("crit")) return bad("has critical extensions, of which none is known here");
  if (const auto* typ = header.if_contains("typ");
      typ != nullptr && (!typ->is_string() || typ->get_string() != "JWT"))
    return bad("is not of the type JWT");
  if (const auto* name = header.if_contains("kid")) {
    if (!name->is_string() || name->get_string().empty()) return bad("names no key");
    kid = std::string(name->get_string());
  }
  return {};
}

base::Status read_claims(const json::object& payload, Claims& out) {
  const auto* uid = payload.if_contains("uid");
  if (uid == nullptr || !uid->is_string() || uid->get_string().empty()) return bad("has no uid");
  out.uid = std::string(uid->get_string());
  if (const auto* exp = payload.if_contains("exp")) {
    int64_t seconds = 0;
    if (!base::json::to_int(*exp, seconds) || seconds < 0)
      return bad("has an exp that is no whole number of seconds");
    out.exp = seconds;
  }
  if (const auto* jti = payload.if_contains("jti")) {
    if (!jti->is_string()) return bad("has a jti that is no text");
    out.jti = std::string(jti->get_string());
  }
  return {};
}

}  // namespace

base::Result<JwtParts> split_jwt(std::string_view token, JwtAlgorithm algorithm, size_t max_bytes) {
  if (token.size() > max_bytes) return bad("is longer than " + std::to_string(max_bytes >> 10) + " KiB");
  size_t first = token.find('.');
  size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return bad("does not have three parts");
  JwtParts out;
  ASSIGN_OR_RETURN(json::value header, read_part(token.substr(0, first), max_bytes));
  RETURN_IF_ERROR(read_header(header.get_object(), algorithm, out.kid));
  ASSIGN_OR_RETURN(out.payload, read_part(token.substr(first + 1, second - first - 1), max_bytes));
  if (!base::base64url_decode(token.substr(second + 1), out.signature) || out.signature.empty())
    return bad("has no signature");
  out.signed_part = token.substr(0, second);
  return out;
}

base::Result<Jwt> parse_jwt(std::string_view token, JwtAlgorithm algorithm) {
  ASSIGN_OR_RETURN(JwtParts parts, split_jwt(token, algorithm, kMaxTokenBytes));
  Jwt out{.kid = std::move(parts.kid), .signed_part = parts.signed_part, .signature = std::move(parts.signature)};
  RETURN_IF_ERROR(read_claims(parts.payload.get_object(), out.claims));
  return out;
}

std::string_view token_in_header(std::string_view value) {
  value = base::trim(value);
  constexpr std::string_view kToken = "token=", kBearer = "bearer ";
  if (const size_t at = value.find(kToken); at != std::string_view::npos && (at == 0 || value[at - 1] == ' ')) {
    return value.substr(at + kToken.size());
  }
  const bool bearer = value.size() > kBearer.size() && base::iequals(value.substr(0, kBearer.size()), kBearer);
  return bearer ? base::trim(value.substr(kBearer.size())) : std::string_view();
}

std::string render_unsigned(const std::string& kid, const Claims& claims, JwtAlgorithm algorithm) {
  json::object header{{"typ", "JWT"}, {"alg", name_of(algorithm)}};
  if (!kid.empty()) header["kid"] = kid;
  json::object payload{{"uid", claims.uid}};
  if (claims.exp) payload["exp"] = *claims.exp;
  if (!claims.jti.empty()) payload["jti"] = claims.jti;
  return base::base64url_encode(json::serialize(header)) + "." +
         base::base64url_encode(json::serialize(payload));
}

}  // namespace auth
