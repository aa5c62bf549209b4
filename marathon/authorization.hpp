#pragma once

// Who may do what: a table of users, each with path prefixes and actions. Whatever no rule grants is refused.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/http/message.hpp"
#include "base/result.hpp"
#include "marathon/viewer.hpp"

namespace marathon {

/// From the file of --http_authorization:
///
///   {"users": {"alice": {"password": "...", "rules": [
///     {"path": "/v2/apps/team-a", "actions": ["read", "write", "delete"]}, {"path": "/ping", "actions": ["read"]}]}}}
///
/// "read" is GET and HEAD, "delete" is DELETE, "write" is everything else. Lists can be read by whoever may read something
/// that they list; they show the rest of it only to those who may read that.
class Authorization {
 public:
  /// `tokens`: users may do without a password, because they come with tokens.
  static base::Result<Authorization> parse(std::string_view text, bool tokens);

  /// The user whose name and password these are.
  std::optional<std::string> user_of(const std::string& name, std::string_view password) const;

  /// Users that the table does not have may do nothing.
  bool allows(const std::string& user, const base::http::Request& request) const;

  /// What the user may see; null: everything.
  std::shared_ptr<const Viewer> viewer(const std::string& user) const;

 private:
  struct Rule {
    std::string path;  // lower case, without trailing slash
    bool read = false, write = false, remove = false;
  };
  struct User {
    std::string password;  // empty: comes with a token
    std::vector<Rule> rules;
    std::shared_ptr<const Viewer> viewer;
  };
  std::map<std::string, User> users_;
};

}  // namespace marathon
