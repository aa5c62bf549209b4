#pragma once

// Endpoints that an operator has closed (--firewall_rules). Pure.

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/http/message.hpp"
#include "base/result.hpp"

namespace auth {

class Firewall {
 public:
  /// {"disabled_endpoints":{"paths":["/files/browse","/tasks"]}}. A path closes its endpoint under all of its names. Errors
  /// name the field.
  static base::Result<Firewall> parse(std::string_view json);

  /// The answer 403 when the request is for an endpoint that is closed.
  std::optional<base::http::Response> check(const base::http::Request& request) const;

 private:
  std::set<std::string> closed_;  // by auth::endpoint_name
};

}  // namespace auth
