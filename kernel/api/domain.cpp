#include "kernel/api/domain.hpp"

#include <boost/json.hpp>

#include "base/json/value.hpp"

namespace api {

namespace {

using base::json::Value;

/// The one member that an object must have, and no other.
base::Status only(const Value& document, const std::string& where, std::initializer_list<std::string_view> names) {
  const Value* value = where.empty() ? &document : base::json::find(document, where);
  if (value == nullptr) return base::invalid(where + " is missing");
  if (!value->is_object()) return base::invalid((where.empty() ? "a domain" : where) + " must be an object");
  for (const auto& member : value->get_object()) {
    bool known = false;
    for (const std::string_view name : names) known = known || name == member.key();
    if (!known) return base::invalid(where + "/" + std::string(member.key()) + " is not known in a domain");
  }
  return {};
}

base::Result<std::string> name_of(const Value& document, const std::string& where) {
  RETURN_IF_ERROR(only(document, where, {"name"}));
  ASSIGN_OR_RETURN(const std::string name, base::json::get_string(document, where + "/name"));
  if (name.empty()) return base::invalid(where + "/name must not be empty");
  return name;
}

}  // namespace

base::Result<mesos::v1::DomainInfo> parse_domain(std::string_view text) {
  ASSIGN_OR_RETURN(const Value document, base::json::parse(text));
  RETURN_IF_ERROR(only(document, "", {"fault_domain"}));
  RETURN_IF_ERROR(only(document, "/fault_domain", {"region", "zone"}));
  mesos::v1::DomainInfo domain;
  ASSIGN_OR_RETURN(*domain.mutable_fault_domain()->mutable_region()->mutable_name(), name_of(document, "/fault_domain/region"));
  ASSIGN_OR_RETURN(*domain.mutable_fault_domain()->mutable_zone()->mutable_name(), name_of(document, "/fault_domain/zone"));
  return domain;
}

}  // namespace api
