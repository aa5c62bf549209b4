#pragma once

// Who may do what: a table of users, each with path prefixes and actions. Whatever no rule grants is refused.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/http/message.hpp"
#include "base/result.hpp"

namespace marathon {

/// From the file of --http_authorization:
///
///   {"users": {"alice": {"password": "...", "rules": [
///     {"path": "/v2/apps/team-a", "actions": ["read", "write", "delete"]}, {"path": "/ping", "actions": ["read"]}]}}}
///
/// "read" is GET and HEAD, "delete" is DELETE, "write" is everything else.
class Authorization {
 public:
  static base::Result<Authorization> parse(std::string_view text);

  enum class Answer { Allowed, Unknown, Refused };  // Unknown: 401, Refused: 403

  Answer check(const base::http::Request& request) const;

 private:
  struct Rule {
    std::string path;  // lower case, without trailing slash
    bool read = false, write = false, remove = false;
  };
  struct User {
    std::string header;  // the Authorization header that it sends
    std::vector<Rule> rules;
  };
  std::map<std::string, User> users_;
};

/// True when both are the same; takes the same time wherever they differ.
bool same_secret(std::string_view a, std::string_view b);

}  // namespace marathon
