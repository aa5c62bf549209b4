#include "dns/vips.hpp"

#include <boost/json.hpp>

#include "base/json/value.hpp"

namespace dns {
namespace {

base::Status read_list(const base::json::Value& value, std::vector<VipRecord>& out) {
  if (!value.is_array()) return base::invalid("must be a list of records");
  for (const auto& element : value.get_array()) {
    const auto name = base::json::get_string(element, "/name");
    if (!name) return name.error();
    const auto host = base::json::get_string(element, "/host");
    if (!host) return host.error();
    out.push_back({*name, *host});
  }
  return {};
}

}  // namespace

base::Result<std::vector<VipRecord>> parse_vip_snapshot(std::string_view json) {
  const auto value = base::json::parse(json);
  if (!value) return value.error();
  std::vector<VipRecord> vips;
  RETURN_IF_ERROR(read_list(*value, vips));
  return vips;
}

base::Result<VipDelta> parse_vip_delta(std::string_view json) {
  const auto value = base::json::parse(json);
  if (!value) return value.error();
  VipDelta delta;
  if (const auto* added = base::json::find(*value, "/added")) RETURN_IF_ERROR(read_list(*added, delta.added));
  if (const auto* removed = base::json::find(*value, "/removed")) RETURN_IF_ERROR(read_list(*removed, delta.removed));
  return delta;
}

}  // namespace dns
