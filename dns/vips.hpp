#pragma once

// What l4lb tells of virtual addresses (pure): the data of its events.

#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "dns/records.hpp"

namespace dns {

struct VipDelta {
  std::vector<VipRecord> added, removed;
};

/// [{"name","host","rtype"}, ...]
base::Result<std::vector<VipRecord>> parse_vip_snapshot(std::string_view json);

/// {"added":[...],"removed":[...]}
base::Result<VipDelta> parse_vip_delta(std::string_view json);

}  // namespace dns
