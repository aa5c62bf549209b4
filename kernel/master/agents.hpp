#pragma once

#include <string>

#include "base/result.hpp"
#include "kernel/master/state.hpp"
#include "kernel/resources/proto.hpp"

namespace master {

/// "ip:port" of an agent's HTTP server.
std::string agent_address(const std::string& ip, const AgentInfo& info);

using ProviderStates = google::protobuf::RepeatedPtrField<dcos::internal::v1::ResourceProviderState>;

/// What an agent has: its resources with those that operations changed (reservations, volumes) in their changed form, and
/// those of its resource providers.
base::Result<Resources> agent_total(const AgentInfo& info, const resources::ProtoResources& checkpointed,
                                    const ProviderStates& providers);

/// What the providers have; an error when a resource is not of the provider that tells it.
base::Result<Resources> providers_total(const ProviderStates& providers);

std::map<std::string, ResourceProvider> providers_of(const ProviderStates& providers);

/// `resources` without and of providers alone.
Resources own(const Resources& resources);
Resources provided(const Resources& resources);

}  // namespace master
