#pragma once

// What agents without machines say to a master.

#include <string>

#include "kernel/api/internal/agent_link.pb.h"

namespace swarm {

mesos::v1::AgentInfo make_agent(const std::string& hostname, int port, double cpus, double mem_mb);

/// Fills a registration, a first one or a later one.
void describe(const mesos::v1::AgentInfo& info, dcos::internal::v1::Register& message);
void describe(const mesos::v1::AgentInfo& info, dcos::internal::v1::Reregister& message);

dcos::internal::v1::AgentMessage make_pong(const dcos::internal::v1::Ping& ping);

/// News about a task. `uuid`: 16 bytes.
dcos::internal::v1::AgentMessage make_update(const mesos::v1::FrameworkID& framework, const mesos::v1::AgentID& agent,
                                             const mesos::v1::TaskID& task, mesos::v1::TaskState state, std::string uuid);

}  // namespace swarm
