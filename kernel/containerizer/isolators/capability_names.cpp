#include "kernel/containerizer/isolators/capability_names.hpp"

#include "base/json/proto.hpp"

namespace containerizer {
namespace {

using mesos::v1::CapabilityInfo;

constexpr int kFirst = CapabilityInfo::CHOWN;  // the API counts from here, the kernel from 0

}  // namespace

Result<uint64_t> capability_mask(const CapabilityInfo& info) {
  uint64_t mask = 0;
  for (const int capability : info.capabilities()) {
    if (capability < kFirst) return base::invalid("a capability is unknown to this build");
    mask |= uint64_t{1} << (capability - kFirst);
  }
  return mask;
}

std::string render_capabilities(uint64_t mask) {
  std::string text;
  for (int number = 0; number < 64; ++number) {
    if ((mask >> number & 1) == 0) continue;
    const int value = kFirst + number;
    text += text.empty() ? "" : ", ";
    text += CapabilityInfo::Capability_IsValid(value)
                ? CapabilityInfo::Capability_Name(static_cast<CapabilityInfo::Capability>(value))
                : std::to_string(number);
  }
  return text.empty() ? "none" : text;
}

Result<uint64_t> parse_capabilities(const std::string& json) {
  CapabilityInfo info;
  RETURN_IF_ERROR(base::json::proto_from_json(json, info));
  return capability_mask(info);
}

}  // namespace containerizer
