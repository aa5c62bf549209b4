#include "kernel/resources/parse.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/check.hpp"
#include "base/strings.hpp"
#include "kernel/resources/roles.hpp"
#include "kernel/resources/value_text.hpp"

namespace resources {
namespace {

using base::invalid;

struct NameAndRole {
  std::string name;
  std::string role;
};

base::Result<NameAndRole> parse_name(std::string_view token, std::string_view head, std::string_view default_role) {
  const size_t open = head.find('('), close = head.find(')');
  if (open == std::string_view::npos) {
    return NameAndRole{std::string(base::trim(head)), std::string(default_role)};
  }
  if (close == std::string_view::npos || close < open) {
    return invalid("Bad value for resources, mismatched parentheses in " + std::string(token));
  }
  return NameAndRole{std::string(base::trim(head.substr(0, open))),
                     std::string(base::trim(head.substr(open + 1, close - open - 1)))};
}

base::Result<Resource> parse_token(std::string_view token, std::string_view default_role) {
  const auto parts = base::tokenize(token, ':');
  if (parts.size() != 2) return invalid("Bad value for resources, missing or extra ':' in " + std::string(token));
  ASSIGN_OR_RETURN(NameAndRole head, parse_name(token, parts[0], default_role));
  if (head.name.empty()) return invalid("Empty resource name");
  auto value = parse_value(parts[1]);
  if (!value) {
    return invalid("Failed to parse resource " + head.name + " value " + std::string(parts[1]) + " error " +
                   value.error().message);
  }
  if (std::holds_alternative<std::string>(*value)) {
    return invalid("Bad type for resource " + head.name + " value " + std::string(parts[1]) + " type TEXT");
  }
  KindData data;
  data.name = head.name;
  data.type = static_cast<Type>(value->index());
  if (head.role != "*") {
    RETURN_IF_ERROR(validate_role(head.role));
    Reservation reservation;
    reservation.role = head.role;
    data.reservations.push_back(std::move(reservation));
  }
  Resource out;
  out.kind = Kind(std::move(data));
  if (auto* scalar = std::get_if<Scalar>(&*value)) out.scalar = *scalar;
  if (auto* ranges = std::get_if<Ranges>(&*value)) out.ranges = *ranges;
  if (auto* set = std::get_if<ItemSet>(&*value)) out.set = *set;
  return out;
}

base::Result<std::vector<Resource>> parse_text(std::string_view text, std::string_view default_role) {
  std::vector<Resource> out;
  for (std::string_view token : base::tokenize(text, ';')) {
    if (base::trim(token).empty()) continue;
    ASSIGN_OR_RETURN(Resource resource, parse_token(base::trim(token), default_role));
    out.push_back(std::move(resource));
  }
  return out;
}

base::Status refuse_special(const std::vector<Resource>& list) {
  std::map<std::string, Type> types;
  for (const Resource& r : list) {
    if (r.kind.persistent_volume()) return invalid("Persistent volumes cannot be specified at the command line");
    if (r.kind.revocable()) {
      return invalid("Revocable resources cannot be specified at the command line; do not include a 'revocable' key in"
                     " the resources JSON");
    }
    if (r.kind.dynamically_reserved()) {
      return invalid("Dynamic reservations cannot be specified at the command line; do not include a reservation with"
                     " DYNAMIC type in the resources JSON");
    }
    auto [known, inserted] = types.emplace(r.kind.name(), r.kind.type());
    if (!inserted && known->second != r.kind.type()) {
      return invalid("Resources with the same name ('" + r.kind.name() + "') but different types are not allowed");
    }
  }
  return {};
}

Resource detected(Resource resource, std::string_view default_role) {
  if (default_role != "*") {
    Reservation reservation;
    reservation.role = std::string(default_role);
    resource.kind = resource.kind.pushed(std::move(reservation));
  }
  return resource;
}

// What is left for tasks after the machine's own needs; half of a small machine. Whole megabytes.
uint64_t spared_mb(uint64_t bytes, uint64_t reserve, uint64_t small) {
  const uint64_t left = bytes >= small ? bytes - reserve : bytes / 2;
  return left >> 20;
}

}  // namespace

base::Result<ParsedResources> parse_resources(std::string_view text, std::string_view default_role) {
  const std::string_view trimmed = base::trim(text);
  std::vector<Resource> list;
  if (!trimmed.empty() && trimmed.front() == '[') {
    ASSIGN_OR_RETURN(list, parse_resources_json(trimmed, default_role));
  } else {
    ASSIGN_OR_RETURN(list, parse_text(text, default_role));
  }
  RETURN_IF_ERROR(refuse_special(list));
  ParsedResources out;
  std::set<std::string> names;
  for (Resource& resource : list) {
    names.insert(resource.kind.name());
    out.resources.add(std::move(resource));
  }
  out.names.assign(names.begin(), names.end());
  return out;
}

Resources must_parse(std::string_view text) {
  auto parsed = parse_resources(text);
  CHECK_MSG(parsed.has_value(), parsed ? "" : parsed.error().message);
  return parsed->resources;
}

Resources with_detected(const ParsedResources& given, const Machine& machine, std::string_view default_role) {
  constexpr uint64_t kGiB = uint64_t{1} << 30;
  Resources out = given.resources;
  const auto add = [&](Resource resource) {
    const std::string& name = resource.kind.name();
    if (!std::binary_search(given.names.begin(), given.names.end(), name)) {
      out.add(detected(std::move(resource), default_role));
    }
  };
  add(make_scalar("cpus", machine.cpus.value_or(1)));
  const uint64_t mem = machine.memory_bytes ? spared_mb(*machine.memory_bytes, kGiB, 2 * kGiB) : 1024;
  const uint64_t disk = machine.disk_bytes ? spared_mb(*machine.disk_bytes, 5 * kGiB, 10 * kGiB) : 10240;
  add(make_scalar("mem", static_cast<double>(mem)));
  add(make_scalar("disk", static_cast<double>(disk)));
  add(make_ranges("ports", {{31000, 32000}}));
  return out;
}

}  // namespace resources
