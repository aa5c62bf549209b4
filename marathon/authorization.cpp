#include "marathon/authorization.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "marathon/errors.hpp"
#include "marathon/json_fields.hpp"
#include "marathon/path_id.hpp"

namespace marathon {
namespace {

/// The path as the API reads it: decoded, without empty elements, in lower case. Nothing for one that climbs: what it
/// reaches depends on where it is read from.
std::optional<std::string> canonical(std::string_view path) {
  const std::string decoded = base::percent_decode(path);
  std::string result;
  for (std::string_view element : base::tokenize(decoded, '/')) {
    if (element == "." || element == "..") return std::nullopt;
    result += "/" + base::to_lower(element);
  }
  return result.empty() ? "/" : result;
}

/// A group's body may carry an id that leads elsewhere than its path says.
bool body_leads_elsewhere(const base::http::Request& request, const std::string& path) {
  constexpr std::string_view kGroups = "/v2/groups";
  if (!is_within(path, kGroups)) return false;
  const auto body = base::json::parse(request.body);
  if (!body || !body->is_object()) return false;  // refused by the API
  const auto id = body->get_object().find("id");
  if (id == body->get_object().end() || !id->value().is_string()) return false;
  const std::string base = path.size() > kGroups.size() ? path.substr(kGroups.size()) : "/";
  return !is_within(resolve_path(std::string_view(id->value().get_string()), base), base);
}

}  // namespace

bool same_secret(std::string_view a, std::string_view b) {
  unsigned char difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
  }
  return difference == 0;
}

base::Result<Authorization> Authorization::parse(std::string_view text) {
  ASSIGN_OR_RETURN(const base::json::Value value, base::json::parse(text));
  if (!value.is_object() || !value.get_object().contains("users") || !value.get_object().at("users").is_object()) {
    return base::invalid("wants an object with the member 'users', an object by name");
  }
  Authorization table;
  Violations errors;
  for (const auto& member : value.get_object().at("users").get_object()) {
    const std::string name(member.key());
    const std::string where = "/users/" + name;
    if (!member.value().is_object() || name.empty() || name.find(':') != std::string::npos) {
      errors.add(where, "must be an object, and the name without ':'");
      continue;
    }
    const Fields fields(member.value().get_object(), where, errors);
    User user;
    std::string password;
    if (!fields.get("password", password) || password.empty()) fields.fail("password", "is missing");
    user.header = "Basic " + base::base64_encode(name + ":" + password);
    fields.get_objects("rules", [&](const Fields& item) {
      Rule rule;
      std::string path;
      std::vector<std::string> actions;
      if (!item.get("path", path) || !path.starts_with('/') || !canonical(path)) item.fail("path", "must begin with '/'");
      rule.path = canonical(path).value_or("");
      if (!item.get("actions", actions) || actions.empty()) item.fail("actions", "is missing");
      for (const std::string& action : actions) {
        if (action == "read") rule.read = true;
        else if (action == "write") rule.write = true;
        else if (action == "delete") rule.remove = true;
        else item.fail("actions", "must be among read, write, delete");
      }
      user.rules.push_back(std::move(rule));
    });
    table.users_[name] = std::move(user);
  }
  if (errors.empty()) return table;
  const auto& [path, messages] = *errors.by_path().begin();
  return base::invalid(path + " " + messages.front());
}

Authorization::Answer Authorization::check(const base::http::Request& request) const {
  const std::string_view given = request.headers.get_or("Authorization", "");
  const User* user = nullptr;
  for (const auto& [name, candidate] : users_) {
    if (same_secret(given, candidate.header)) user = &candidate;
  }
  if (!user) return Answer::Unknown;
  const auto path = canonical(request.path);
  if (!path) return Answer::Refused;
  const bool read = request.method == "GET" || request.method == "HEAD";
  const bool remove = request.method == "DELETE";
  const bool granted = std::any_of(user->rules.begin(), user->rules.end(), [&](const Rule& rule) {
    return is_within(*path, rule.path) && (read ? rule.read : remove ? rule.remove : rule.write);
  });
  if (!granted || (!read && body_leads_elsewhere(request, *path))) return Answer::Refused;
  return Answer::Allowed;
}

}  // namespace marathon
