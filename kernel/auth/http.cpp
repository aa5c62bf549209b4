#include "kernel/auth/http.hpp"

namespace auth {

std::optional<base::http::Response> check_basic(const Credentials& credentials, std::string_view realm, base::http::Request& request) {
  request.principal.clear();
  const auto header = request.headers.get("Authorization");
  const auto given = header ? parse_basic(*header) : std::nullopt;
  if (given && credentials.accept(given->principal, given->secret)) {
    request.principal = given->principal;
    return std::nullopt;
  }
  auto response = base::http::Response::text(401, "");
  response.headers.set("WWW-Authenticate", "Basic realm=\"" + std::string(realm) + "\"");
  return response;
}

bool may_get(const Acls* acls, const std::string& principal, std::string_view path) {
  if (acls == nullptr) return true;
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  std::string plain(path);
  if (plain.ends_with(".json")) plain.resize(plain.size() - 5);
  if (plain == "/metrics") plain = "/metrics/snapshot";  // the same numbers in another form
  const auto who = principal.empty() ? std::nullopt : std::optional(principal);
  for (const std::string& name : {plain, plain + ".json"}) {
    if (Acls::is_endpoint(name) && !acls->allows(Action::GetEndpoints, who, name)) return false;
  }
  return true;
}

}  // namespace auth
