#include "marathon/constraints.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/numbers.hpp"
#include "marathon/app_json.hpp"

namespace marathon {
namespace {

using Groups = std::map<std::string, int64_t>;

Groups count_by_value(const std::vector<const Instance*>& placed, const std::string& field) {
  Groups groups;
  for (const Instance* instance : placed) {
    if (const auto value = field_value(*instance, field)) ++groups[*value];
  }
  return groups;
}

bool satisfies_group_by(const Constraint& constraint, const std::string& value, const Groups& groups,
                        int64_t instances) {
  int64_t wanted = 0;
  if (constraint.value && *constraint.value != "inf") {
    wanted = static_cast<int64_t>(base::parse_uint(*constraint.value).value_or(0));
  } else if (constraint.value) {
    wanted = std::numeric_limits<int64_t>::max();
  }
  const auto own = groups.find(value);
  if (own == groups.end()) return true;
  if (static_cast<int64_t>(groups.size()) < wanted) return false;
  if (wanted > 0 && own->second >= (instances + wanted - 1) / wanted) return false;
  int64_t least = std::numeric_limits<int64_t>::max();
  for (const auto& [name, count] : groups) least = std::min(least, count);
  return own->second == least;
}

re2::RE2::Options quiet() {
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_max_mem(1 << 20);
  return options;
}

bool is_same(const std::string& value, const std::string& wanted) {
  if (value == wanted) return true;
  const auto a = base::parse_double(value), b = base::parse_double(wanted);
  return a && b && std::nearbyint(*a * 1000) == std::nearbyint(*b * 1000);
}

}  // namespace

bool matches_pattern(const std::string& value, const std::string& pattern) {
  const re2::RE2 regex(pattern, quiet());
  return regex.ok() && re2::RE2::FullMatch(value, regex);
}

bool is_pattern(const std::string& text) { return re2::RE2(text, quiet()).ok(); }

std::optional<std::string> field_value(const Instance& instance, const std::string& field) {
  if (field == "hostname" || field == "@hostname") return instance.hostname;
  if (field == "@region") return instance.region.empty() ? std::nullopt : std::optional(instance.region);
  if (field == "@zone") return instance.zone.empty() ? std::nullopt : std::optional(instance.zone);
  const auto it = instance.attributes.find(field);
  return it == instance.attributes.end() ? std::nullopt : std::optional(it->second);
}

bool satisfies(const Constraint& constraint, const std::optional<std::string>& value,
               const std::vector<const Instance*>& placed, int64_t instances) {
  if (!value) return constraint.op == ConstraintOperator::Unlike;
  switch (constraint.op) {
    case ConstraintOperator::Unique:
      return !count_by_value(placed, constraint.field).contains(*value);
    case ConstraintOperator::Cluster:
      if (constraint.value && !constraint.value->empty()) return *value == *constraint.value;
      return placed.empty() || field_value(*placed.front(), constraint.field) == value;
    case ConstraintOperator::GroupBy:
      return satisfies_group_by(constraint, *value, count_by_value(placed, constraint.field), instances);
    case ConstraintOperator::Like:
      return matches_pattern(*value, constraint.value.value_or(""));
    case ConstraintOperator::Unlike:
      return !matches_pattern(*value, constraint.value.value_or(""));
    case ConstraintOperator::MaxPer: {
      const Groups groups = count_by_value(placed, constraint.field);
      const auto own = groups.find(*value);
      const auto limit = base::parse_uint(constraint.value.value_or("0")).value_or(0);
      return (own == groups.end() ? 0 : own->second) < static_cast<int64_t>(limit);
    }
    case ConstraintOperator::Is:
      return is_same(*value, constraint.value.value_or(""));
  }
  UNREACHABLE();
}

std::string describe(const Constraint& constraint) {
  return fmt::format("{} {}{}{}", constraint.field, operator_name(constraint.op),
                     constraint.value ? " " : "", constraint.value.value_or(""));
}

}  // namespace marathon
