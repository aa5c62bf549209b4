#include "kernel/agent/compatibility.hpp"

#include "kernel/resources/attributes.hpp"
#include "kernel/resources/proto.hpp"
#include "kernel/resources/resources.hpp"

namespace agent {
namespace {

base::Error refused(const std::string& what) {
  return base::conflict("Configuration change not permitted under `additive` policy: " + what);
}

std::string text_of(const mesos::v1::Attribute& attribute) {
  return attribute.name() + ":" + resources::value_text(resources::from_proto(attribute));
}

base::Status check_attribute(const mesos::v1::Attribute& old_one, const mesos::v1::AgentInfo& new_info) {
  for (const auto& candidate : new_info.attributes()) {
    if (candidate.name() != old_one.name() || candidate.type() != old_one.type()) continue;
    if (text_of(candidate) == text_of(old_one)) return {};
    if (old_one.type() != mesos::v1::Value::RANGES) continue;
    bool covered = true;
    for (const auto& range : old_one.ranges().range()) {
      bool inside = false;
      for (const auto& wider : candidate.ranges().range())
        if (wider.begin() <= range.begin() && range.end() <= wider.end()) inside = true;
      covered = covered && inside;
    }
    if (covered) return {};
  }
  return refused("the attribute " + text_of(old_one) + " is missing or changed");
}

base::Status check_place(const mesos::v1::AgentInfo& old_info, const mesos::v1::AgentInfo& new_info) {
  if (old_info.hostname() != new_info.hostname())
    return refused("the hostname was " + old_info.hostname() + " and is now " + new_info.hostname());
  if (old_info.port() != new_info.port())
    return refused("the port was " + std::to_string(old_info.port()) + " and is now " + std::to_string(new_info.port()));
  return {};
}

}  // namespace

base::Status check_equal(const mesos::v1::AgentInfo& old_info, const mesos::v1::AgentInfo& new_info) {
  mesos::v1::AgentInfo before = old_info, after = new_info;
  before.clear_id();
  after.clear_id();
  if (before.SerializeAsString() == after.SerializeAsString()) return {};
  return base::conflict("The configuration changed, which the policy `equal` does not permit; old: " +
                        before.ShortDebugString() + "; new: " + after.ShortDebugString());
}

base::Status check_additive(const mesos::v1::AgentInfo& old_info, const mesos::v1::AgentInfo& new_info) {
  RETURN_IF_ERROR(check_place(old_info, new_info));
  if (old_info.has_domain() && old_info.domain().SerializeAsString() != new_info.domain().SerializeAsString())
    return refused("the domain changed");
  const auto before = resources::from_proto(old_info.resources());
  const auto after = resources::from_proto(new_info.resources());
  if (!before || !after) return refused("the resources are not valid");
  for (const auto& resource : old_info.resources()) {
    google::protobuf::RepeatedPtrField<mesos::v1::Resource> one;
    one.Add()->CopyFrom(resource);
    const auto amount = resources::from_proto(one);
    if (!amount || !after->contains(*amount))
      return refused("the resource " + resource.name() + " is less than before or gone");
  }
  for (const auto& attribute : old_info.attributes()) RETURN_IF_ERROR(check_attribute(attribute, new_info));
  return {};
}

}  // namespace agent
