#include "base/zk/group.hpp"

#include <algorithm>

#include "base/numbers.hpp"

namespace base::zk {

std::optional<MemberName> parse_member(std::string_view name) {
  const size_t underscore = name.rfind('_');
  const std::string_view digits = underscore == std::string_view::npos ? name : name.substr(underscore + 1);
  // ZooKeeper's counter is a signed 32-bit number with ten digits; a negative one means that it has overflowed.
  const bool negative = digits.starts_with('-');
  const auto number = parse_uint(negative ? digits.substr(1) : digits);
  if (!number || *number > uint64_t{1} << 40) return std::nullopt;
  MemberName member;
  member.name = std::string(name);
  if (underscore != std::string_view::npos) member.label = std::string(name.substr(0, underscore));
  member.number = static_cast<int64_t>(*number);
  // What comes after an overflow is younger than everything before.
  if (negative) member.number = (int64_t{1} << 41) - member.number;
  return member;
}

std::optional<MemberName> find_first(const std::vector<std::string>& names, const std::vector<std::string>& labels) {
  std::optional<MemberName> first;
  for (const std::string& name : names) {
    auto member = parse_member(name);
    if (!member) continue;
    if (!labels.empty() && std::find(labels.begin(), labels.end(), member->label) == labels.end()) continue;
    if (!first || member->number < first->number) first = std::move(member);
  }
  return first;
}

}  // namespace base::zk
