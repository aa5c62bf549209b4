#pragma once

// Names of the members of a group: ephemeral sequential nodes such as "json.info_0000000131". Of all of them the one
// with the lowest number leads. Nodes without a number (log_replicas, registry) are not members.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace base::zk {

struct MemberName {
  std::string name;   // "json.info_0000000131"
  std::string label;  // "json.info"; empty for a bare number
  int64_t number = 0;
  bool operator==(const MemberName&) const = default;
};

/// Nothing when the name is not one of a member.
std::optional<MemberName> parse_member(std::string_view name);

/// The one with the lowest number whose label is in `labels` (all labels when it is empty).
std::optional<MemberName> find_first(const std::vector<std::string>& names, const std::vector<std::string>& labels);

}  // namespace base::zk
