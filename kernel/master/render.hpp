#pragma once

// The v1 operator API's messages from views and snapshots. Pure; runs on any thread.

#include "kernel/api/mesos/v1/master/master.pb.h"
#include "kernel/master/snapshot.hpp"

namespace master {

using OperatorResponse = mesos::v1::master::Response;

/// Resources are written in the endpoint format, which old and new clients both read.
void render_task(const mesos::v1::Task& task, mesos::v1::Task* out);
void render_agent(const AgentView& view, OperatorResponse::GetAgents::Agent* out);
void render_framework(const FrameworkView& view, OperatorResponse::GetFrameworks::Framework* out);

void render_agents(const Snapshot& snapshot, OperatorResponse::GetAgents* out);
void render_frameworks(const Snapshot& snapshot, OperatorResponse::GetFrameworks* out);
void render_executors(const Snapshot& snapshot, OperatorResponse::GetExecutors* out);
void render_operations(const Snapshot& snapshot, OperatorResponse::GetOperations* out);
void render_tasks(const Snapshot& snapshot, OperatorResponse::GetTasks* out);
void render_roles(const Snapshot& snapshot, OperatorResponse::GetRoles* out);
void render_quota(const Snapshot& snapshot, OperatorResponse::GetQuota* out);
void render_state(const Snapshot& snapshot, OperatorResponse::GetState* out);

}  // namespace master
