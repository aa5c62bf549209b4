#include "kernel/auth/http.hpp"

#include <vector>

#include "base/strings.hpp"

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

std::string endpoint_name(std::string_view path) {
  std::vector<std::string> components;
  for (const std::string_view component : base::tokenize(path, '/')) components.push_back(base::percent_decode(component));
  if (components.size() > 1 && (components[0] == "master" || components[0] == "slave(1)")) components.erase(components.begin());
  if (!components.empty() && components.back().ends_with(".json")) components.back().resize(components.back().size() - 5);
  return "/" + base::join(components, "/");
}

bool may_get(const Acls* acls, const std::string& principal, std::string_view path) {
  if (acls == nullptr) return true;
  std::string plain = endpoint_name(path);
  if (plain == "/metrics") plain = "/metrics/snapshot";  // the same numbers in another form
  const auto who = principal.empty() ? std::nullopt : std::optional(principal);
  for (const std::string& name : {plain, plain + ".json"}) {
    if (Acls::is_endpoint(name) && !acls->allows(Action::GetEndpoints, who, name)) return false;
  }
  return true;
}

}  // namespace auth
