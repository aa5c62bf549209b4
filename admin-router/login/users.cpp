#include "admin-router/login/users.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/http/message.hpp"
#include "base/json/value.hpp"
#include "base/strings.hpp"

namespace admin_router {
namespace {

namespace json = boost::json;

constexpr size_t kMaxUid = 96, kMinPassword = 5, kMaxPassword = 1024;

std::string text_of(const json::value& value, std::string_view pointer) {
  return base::json::get_string(value, pointer).value_or("");
}

}  // namespace

base::Status check_uid(std::string_view uid) {
  if (uid.empty() || uid.size() > kMaxUid) return base::invalid("a user ID has 1 to 96 characters");
  for (char c : uid)
    if ((c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') &&
        std::string_view("-_@.").find(c) == std::string_view::npos)
      return base::invalid("a user ID consists of letters, digits, '-', '_', '@' and '.'");
  if (uid == "anonymous") return base::invalid("the user ID \"anonymous\" is reserved");
  return {};
}

base::Status check_new_password(std::string_view password) {
  if (password.size() < kMinPassword) return base::invalid("a password has at least 5 characters");
  if (password.size() > kMaxPassword) return base::invalid("a password has at most 1024 bytes");
  return {};
}

bool looks_like_mail(std::string_view uid) {
  size_t at = uid.find('@');
  return at != std::string_view::npos && at > 0 && uid.find('.', at) != std::string_view::npos &&
         uid.find('@', at + 1) == std::string_view::npos;
}

std::string encode_user(const User& user) {
  return json::serialize(json::object{{"uid", user.uid},
                                      {"description", user.description},
                                      {"password_hash", user.password_hash},
                                      {"public_key", user.public_key},
                                      {"provider_type", user.provider_type},
                                      {"provider_id", user.provider_id},
                                      {"version", user.version}});
}

base::Result<User> decode_user(std::string_view text) {
  ASSIGN_OR_RETURN(json::value value, base::json::parse(text));
  User user;
  ASSIGN_OR_RETURN(user.uid, base::json::get_string(value, "/uid"));
  RETURN_IF_ERROR(check_uid(user.uid));
  ASSIGN_OR_RETURN(user.version, base::json::get_uint(value, "/version"));
  ASSIGN_OR_RETURN(user.provider_type, base::json::get_string(value, "/provider_type"));
  user.description = text_of(value, "/description");
  user.password_hash = text_of(value, "/password_hash");
  user.public_key = text_of(value, "/public_key");
  user.provider_id = text_of(value, "/provider_id");
  return user;
}

std::string render_user(const User& user) {
  json::object out{{"uid", user.uid},
                   {"description", user.description},
                   {"url", "/acs/api/v1/users/" + user.uid},
                   {"is_remote", user.is_remote()},
                   {"is_service", user.is_service()},
                   {"provider_type", user.provider_type},
                   {"provider_id", user.provider_id}};
  if (user.is_service()) out["public_key"] = user.public_key;
  return json::serialize(out);
}

std::string render_problem(int status, std::string_view code, std::string_view description) {
  return json::serialize(
      json::object{{"title", fmt::format("{} {}", status, base::http::reason_phrase(status))},
                   {"description", base::valid_utf8(description)},
                   {"code", std::string(code)}});
}

}  // namespace admin_router
