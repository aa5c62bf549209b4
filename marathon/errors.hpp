#pragma once

// How a request is refused: the status and body shapes that v2 clients match on.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/http/message.hpp"

namespace marathon {

/// Errors by path, as in `"details":[{"path":"/cpus","errors":["error.expected.jsnumber"]}]`. Paths look like
/// "/container/portMappings(0)/protocol"; the whole object is "/".
class Violations {
 public:
  void add(std::string_view path, std::string message);
  bool empty() const { return by_path_.empty(); }
  bool has(std::string_view path) const { return by_path_.contains(std::string(path)); }
  const std::map<std::string, std::vector<std::string>>& by_path() const { return by_path_; }

  /// Takes over the entries of `other`, each path prefixed.
  void merge(const Violations& other, std::string_view prefix);

 private:
  std::map<std::string, std::vector<std::string>> by_path_;
};

struct ApiError {
  int status = 422;
  std::string message;
  Violations details;                                 // rendered when not empty
  std::optional<std::string> details_text;            // some messages carry a text instead
  std::optional<std::vector<std::string>> deployments;  // present only when an app is locked
};

/// 422 "Invalid JSON": well formed, but a value has the wrong type.
ApiError wrong_types(Violations details);

/// 422 "Object is not valid": a rule is violated.
ApiError not_valid(Violations details);

/// Any status with a bare message.
ApiError refuse(int status, std::string message);

base::http::Response render(const ApiError& error);

}  // namespace marathon
