#include "admin-router/login/credentials.hpp"

#include "base/strings.hpp"
#include "kernel/auth/jwt.hpp"

namespace admin_router {
namespace {

std::string_view value_of(const RequestHead& head, std::string_view name) {
  for (const Field& field : head.fields)
    if (same_text(field.name, name)) return field.value;
  return {};
}

}  // namespace

std::string_view cookie_value(std::string_view cookies, std::string_view name) {
  while (!cookies.empty()) {
    size_t end = cookies.find(';');
    std::string_view cookie = base::trim(cookies.substr(0, end));
    if (cookie.size() > name.size() && cookie.starts_with(name) && cookie[name.size()] == '=') {
      std::string_view value = cookie.substr(name.size() + 1);
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
        value = value.substr(1, value.size() - 2);
      return value;
    }
    if (end == std::string_view::npos) break;
    cookies.remove_prefix(end + 1);
  }
  return {};
}

Credential find_credential(const RequestHead& head) {
  Credential out;
  for (const Field& field : head.fields) {
    if (field.known == Name::Authorization) {
      bool second = out.from == Credential::From::Header;
      out.from = Credential::From::Header;
      out.token = second ? std::string_view() : auth::token_in_header(field.value);
    } else if (field.known == Name::Cookie && out.from == Credential::From::Nowhere) {
      std::string_view token = cookie_value(field.value, "dcos-acs-auth-cookie");
      if (token.empty()) continue;
      out.from = Credential::From::Cookie;
      out.token = token;
    }
  }
  return out;
}

bool from_a_foreign_page(const RequestHead& head) {
  bool reads = head.method == "GET" || head.method == "HEAD" || head.method == "OPTIONS";
  if (reads && head.upgrade.empty()) return false;
  std::string_view origin = value_of(head, "Origin");
  if (origin.empty()) return false;  // not a browser
  size_t scheme = origin.find("://");
  return scheme == std::string_view::npos || !same_text(origin.substr(scheme + 3), head.host);
}

}  // namespace admin_router
