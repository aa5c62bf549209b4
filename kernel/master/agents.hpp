#pragma once

#include <string>

#include "base/result.hpp"
#include "kernel/master/state.hpp"
#include "kernel/resources/proto.hpp"

namespace master {

/// "ip:port" of an agent's HTTP server.
std::string agent_address(const std::string& ip, const AgentInfo& info);

/// What an agent has: its resources with those that operations changed (reservations, volumes) in their changed form.
base::Result<Resources> agent_total(const AgentInfo& info, const resources::ProtoResources& checkpointed);

}  // namespace master
