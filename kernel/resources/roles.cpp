#include "kernel/resources/roles.hpp"

#include "base/strings.hpp"

namespace resources {
namespace {

base::Status validate_component(std::string_view role, std::string_view component) {
  const std::string name(role), part(component);
  for (std::string_view refused : {".", "..", "*"}) {
    if (component == refused) {
      return base::invalid("Role '" + name + "' cannot include '" + part + "' as a component");
    }
  }
  if (component.front() == '-') {
    return base::invalid("Role component '" + part + "' is invalid because it starts with a dash");
  }
  if (component.find_first_of("\t\n\v\f\r \x7f") != std::string_view::npos) {
    return base::invalid("Role component '" + part + "' is invalid because it contains backspace or whitespace");
  }
  return {};
}

}  // namespace

base::Status validate_role(std::string_view role) {
  if (role == "*") return {};
  if (role.empty()) return base::invalid("Role names cannot be the empty string");
  const std::string name(role);
  if (role.front() == '/') return base::invalid("Role '" + name + "' cannot start with a slash");
  if (role.back() == '/') return base::invalid("Role '" + name + "' cannot end with a slash");
  if (role.find("//") != std::string_view::npos) {
    return base::invalid("Role '" + name + "' cannot contain two adjacent slashes");
  }
  for (std::string_view component : base::tokenize(role, '/')) {
    RETURN_IF_ERROR(validate_component(role, component));
  }
  return {};
}

std::vector<std::string_view> ancestors(std::string_view role) {
  std::vector<std::string_view> out;
  for (size_t i = role.rfind('/'); i != std::string_view::npos; i = role.rfind('/')) {
    role = role.substr(0, i);
    out.push_back(role);
  }
  return out;
}

bool is_strict_subrole(std::string_view role, std::string_view ancestor) {
  return role.size() > ancestor.size() + 1 && role[ancestor.size()] == '/' && role.starts_with(ancestor);
}

}  // namespace resources
