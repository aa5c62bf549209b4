#include "marathon/authorization.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/crypto.hpp"
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

/// What is answered with as much as the caller may see. Groups hold what is below them; what they were is no list.
bool is_list(const std::string& path) {
  constexpr std::string_view kLists[] = {"/v2/apps", "/v2/apps/*", "/v2/apps/*/tasks", "/v2/pods", "/v2/pods/::status", "/v2/tasks",
                                         "/v2/queue", "/v2/deployments", "/v2/events"};
  if (std::find(std::begin(kLists), std::end(kLists), path) != std::end(kLists)) return true;
  return is_within(path, "/v2/groups") && leaf_of(path) != "versions" && leaf_of(parent_of(path)) != "versions";
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

base::Result<Authorization> Authorization::parse(std::string_view text, bool tokens) {
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
    fields.get("password", user.password);
    if (user.password.empty() && !tokens) fields.fail("password", "is missing");
    Viewer viewer;
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
      if (rule.read) viewer.may_read(rule.path);
      user.rules.push_back(std::move(rule));
    });
    if (!viewer.sees_everything()) user.viewer = std::make_shared<const Viewer>(std::move(viewer));
    table.users_[name] = std::move(user);
  }
  if (errors.empty()) return table;
  const auto& [path, messages] = *errors.by_path().begin();
  return base::invalid(path + " " + messages.front());
}

std::optional<std::string> Authorization::user_of(const std::string& name, std::string_view password) const {
  const auto user = users_.find(name);
  const bool right = user != users_.end() && !user->second.password.empty() &&
                     base::equal_in_constant_time(password, user->second.password);
  return right ? std::optional(name) : std::nullopt;
}

bool Authorization::allows(const std::string& name, const base::http::Request& request) const {
  const auto user = users_.find(name);
  const auto path = canonical(request.path);
  if (user == users_.end() || !path) return false;
  const bool read = request.method == "GET" || request.method == "HEAD";
  const bool remove = request.method == "DELETE";
  const auto& [password, rules, viewer] = user->second;
  const bool granted = std::any_of(rules.begin(), rules.end(), [&](const Rule& rule) {
    return is_within(*path, rule.path) && (read ? rule.read : remove ? rule.remove : rule.write);
  });
  if (granted) return read || !body_leads_elsewhere(request, *path);
  return read && viewer && !viewer->sees_nothing() && is_list(*path);
}

std::shared_ptr<const Viewer> Authorization::viewer(const std::string& name) const {
  static const auto kNothing = std::make_shared<const Viewer>();
  const auto user = users_.find(name);
  return user == users_.end() ? kNothing : user->second.viewer;
}

}  // namespace marathon
