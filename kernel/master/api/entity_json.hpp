#pragma once

// One task, agent, framework or executor in the v0 endpoints' JSON.

#include "base/json/writer.hpp"
#include "kernel/master/snapshot.hpp"

namespace master {

void write_resources(base::json::Writer& out, const Resources& resources);
void write_task(base::json::Writer& out, const mesos::v1::Task& task);
void write_agent_info(base::json::Writer& out, const AgentInfo& info);  // the fields, without braces
void write_agent(base::json::Writer& out, const AgentView& agent);      // likewise
void write_framework_summary(base::json::Writer& out, const FrameworkView& framework);  // likewise
void write_framework(base::json::Writer& out, const FrameworkView& framework);          // an object

}  // namespace master
