#include "kernel/auth/executor_token.hpp"

#include <boost/json.hpp>

#include "base/crypto.hpp"
#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "kernel/auth/jwt_parts.hpp"

namespace auth {
namespace {

constexpr size_t kMaxToken = 16 << 10;
constexpr std::string_view kHeader = R"({"alg":"HS256","typ":"JWT"})";

}  // namespace

std::string make_executor_token(std::string_view key, const ExecutorClaims& claims) {
  std::string payload;
  base::json::Writer w(payload);
  w.begin_object();
  w.field("cid", claims.container_id);
  w.field("eid", claims.executor_id);
  w.field("fid", claims.framework_id);
  w.end_object();
  const std::string text = base::base64url_encode(kHeader) + "." + base::base64url_encode(payload);
  return text + "." + base::base64url_encode(base::hmac_sha256(key, text));
}

std::optional<ExecutorClaims> read_executor_token(std::string_view key, std::string_view token, base::Time now) {
  if (key.empty()) return std::nullopt;
  const auto parts = split_jwt(token, JwtAlgorithm::Hs256, kMaxToken);
  if (!parts || !base::equal_in_constant_time(parts->signature, base::hmac_sha256(key, parts->signed_part))) return std::nullopt;
  const base::json::Value& claims = parts->payload;
  if (base::json::find(claims, "/exp") != nullptr) {
    const auto until = base::json::get_double(claims, "/exp");
    if (!until || *until < now.seconds()) return std::nullopt;
  }
  ExecutorClaims out{base::json::get_string(claims, "/fid").value_or(""), base::json::get_string(claims, "/eid").value_or(""),
                     base::json::get_string(claims, "/cid").value_or("")};
  if (out.framework_id.empty() || out.executor_id.empty() || out.container_id.empty()) return std::nullopt;
  return out;
}

std::optional<std::string_view> bearer_token(const base::http::Request& request) {
  constexpr std::string_view kScheme = "Bearer ";
  const auto header = request.headers.get("Authorization");
  if (!header || header->size() <= kScheme.size() || !base::iequals(header->substr(0, kScheme.size()), kScheme)) return std::nullopt;
  return base::trim(header->substr(kScheme.size()));
}

}  // namespace auth
