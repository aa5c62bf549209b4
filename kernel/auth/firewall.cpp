#include "kernel/auth/firewall.hpp"

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "kernel/auth/http.hpp"

namespace auth {

namespace {

/// The only member of an object, which must have that name.
base::Result<const boost::json::value*> only_member(const boost::json::value& value, const std::string& where,
                                                    std::string_view name) {
  if (!value.is_object()) return base::invalid(where + " must be an object");
  for (const auto& member : value.get_object()) {
    if (member.key() != name) return base::invalid(where + " has '" + std::string(member.key()) + "', which is not known");
  }
  const auto* found = value.get_object().if_contains(name);
  if (found == nullptr) return base::invalid(where + " has no '" + std::string(name) + "'");
  return found;
}

}  // namespace

base::Result<Firewall> Firewall::parse(std::string_view json) {
  ASSIGN_OR_RETURN(const boost::json::value document, base::json::parse(json));
  ASSIGN_OR_RETURN(const auto* endpoints, only_member(document, "the document", "disabled_endpoints"));
  ASSIGN_OR_RETURN(const auto* paths, only_member(*endpoints, "/disabled_endpoints", "paths"));
  if (!paths->is_array()) return base::invalid("/disabled_endpoints/paths must be a list of paths");
  Firewall out;
  for (const auto& path : paths->get_array()) {
    if (!path.is_string() || !path.get_string().starts_with('/')) {
      return base::invalid("/disabled_endpoints/paths has " + base::json::render(path) + ": a path begins with '/'");
    }
    out.closed_.insert(endpoint_name(path.get_string()));
  }
  return out;
}

std::optional<base::http::Response> Firewall::check(const base::http::Request& request) const {
  if (closed_.empty() || !closed_.count(endpoint_name(request.path))) return std::nullopt;
  return base::http::Response::text(403, "Endpoint '" + request.path + "' is disabled");
}

}  // namespace auth
