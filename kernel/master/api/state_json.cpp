#include "kernel/master/api/state_json.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "base/json/proto.hpp"
#include "base/version.hpp"
#include "kernel/api/names.hpp"
#include "kernel/master/api/entity_json.hpp"
#include "kernel/resources/proto.hpp"
#include "kernel/resources/quantities.hpp"
#include "kernel/resources/roles.hpp"
#include "kernel/resources/summary.hpp"

namespace master {

using base::json::Writer;

namespace {

void write_version(Writer& out, const ServerFacts& facts) {
  out.field("version", base::kMesosVersion);
  out.field("build_date", facts.build_date);
  out.field("build_time", facts.build_seconds);
  out.field("build_user", facts.build_user);
}

void write_flags(Writer& out, const ServerFacts& facts) {
  out.key("flags");
  out.begin_object();
  for (const auto& [name, value] : facts.flags) out.field(name, value);
  out.end_object();
}

void write_domain(Writer& out, const mesos::v1::MasterInfo& master) {
  out.key("domain");
  base::json::write_proto(out, master.domain(), api::v0_dialect());
}

void write_frameworks(Writer& out, const Snapshot& snapshot, const std::optional<std::string>& only) {
  out.key("frameworks");
  out.begin_array();
  for (const FrameworkView& framework : snapshot.frameworks) {
    if (!only || *only == framework.id) write_framework(out, framework);
  }
  out.end_array();
  out.key("completed_frameworks");
  out.begin_array();
  for (const FrameworkView& framework : snapshot.completed_frameworks) {
    if (!only || *only == framework.id) write_framework(out, framework);
  }
  out.end_array();
  out.key("unregistered_frameworks");
  out.begin_array();
  out.end_array();
}

void write_recovered(Writer& out, const Snapshot& snapshot, const std::optional<std::string>& only) {
  out.key("recovered_slaves");
  out.begin_array();
  for (const auto& info : snapshot.recovered_agents) {
    if (only && *only != info->id().value()) continue;
    out.begin_object();
    write_agent_info(out, *info);
    out.end_object();
  }
  out.end_array();
}

std::string master_pid(const Snapshot& snapshot) { return snapshot.master->pid(); }

/// How many tasks are in which state, as /state-summary counts.
struct TaskCounts {
  std::map<mesos::v1::TaskState, uint64_t> by_state;

  void add(const mesos::v1::Task& task) { ++by_state[task.state()]; }
  uint64_t of(mesos::v1::TaskState state) const {
    const auto found = by_state.find(state);
    return found == by_state.end() ? 0 : found->second;
  }
  void write(Writer& out) const {
    using namespace mesos::v1;
    for (const TaskState state : {TASK_STAGING, TASK_STARTING, TASK_RUNNING, TASK_KILLING, TASK_FINISHED, TASK_KILLED,
                                  TASK_FAILED, TASK_LOST, TASK_ERROR, TASK_UNREACHABLE}) {
      out.field(TaskState_Name(state), of(state));
    }
  }
};

}  // namespace

std::string state_json(const Snapshot& snapshot, const ServerFacts& facts) {
  std::string text;
  Writer out(text);
  out.begin_object();
  write_version(out, facts);
  out.field("start_time", snapshot.started.seconds());
  out.field("elected_time", snapshot.elected.seconds());
  out.field("id", snapshot.master->id());
  out.field("pid", master_pid(snapshot));
  out.field("hostname", snapshot.master->hostname());
  out.key("capabilities");
  out.begin_array();
  for (const auto& capability : snapshot.master->capabilities()) {
    out.value(mesos::v1::MasterInfo::Capability::Type_Name(capability.type()));
  }
  out.end_array();
  const auto active = std::count_if(snapshot.agents.begin(), snapshot.agents.end(), [](const AgentView& a) { return a.active; });
  out.field("activated_slaves", static_cast<double>(active));
  out.field("deactivated_slaves", static_cast<double>(snapshot.agents.size()) - static_cast<double>(active));
  out.field("unreachable_slaves", static_cast<double>(snapshot.unreachable_agents));
  if (snapshot.master->has_domain()) write_domain(out, *snapshot.master);
  out.field("leader", master_pid(snapshot));
  out.key("leader_info");
  out.begin_object();
  out.field("id", snapshot.master->id());
  out.field("pid", master_pid(snapshot));
  out.field("port", snapshot.master->port());
  out.field("hostname", snapshot.master->hostname());
  if (snapshot.master->has_domain()) write_domain(out, *snapshot.master);
  out.end_object();
  if (snapshot.shows_flags) {
    if (facts.cluster) out.field("cluster", *facts.cluster);
    if (facts.log_dir) out.field("log_dir", *facts.log_dir);
    if (facts.external_log_file) out.field("external_log_file", *facts.external_log_file);
    write_flags(out, facts);
  }
  out.key("slaves");
  out.begin_array();
  for (const AgentView& agent : snapshot.agents) {
    out.begin_object();
    write_agent(out, agent);
    out.end_object();
  }
  out.end_array();
  write_recovered(out, snapshot, std::nullopt);
  write_frameworks(out, snapshot, std::nullopt);
  out.key("orphan_tasks");
  out.begin_array();
  out.end_array();
  out.end_object();
  return text;
}

std::string state_summary_json(const Snapshot& snapshot, const ServerFacts& facts) {
  std::map<AgentId, TaskCounts> by_agent;
  std::map<FrameworkId, TaskCounts> by_framework;
  std::map<AgentId, std::set<FrameworkId>> frameworks_of;
  std::map<FrameworkId, std::set<AgentId>> agents_of;
  for (const FrameworkView& framework : snapshot.frameworks) {
    TaskCounts& counts = by_framework[framework.id];
    const auto add = [&](const mesos::v1::Task& task) {
      counts.add(task);
      const AgentId& agent = task.agent_id().value();
      by_agent[agent].add(task);
      frameworks_of[agent].insert(framework.id);
      agents_of[framework.id].insert(agent);
    };
    for (const auto& task : framework.tasks) add(*task);
    for (const auto& task : framework.unreachable_tasks) add(*task);
    for (const auto& task : framework.completed_tasks) add(task.unpack());
  }
  std::string text;
  Writer out(text);
  out.begin_object();
  out.field("hostname", snapshot.master->hostname());
  if (facts.cluster) out.field("cluster", *facts.cluster);
  out.key("slaves");
  out.begin_array();
  for (const AgentView& agent : snapshot.agents) {
    out.begin_object();
    write_agent(out, agent);
    by_agent[agent.id].write(out);
    out.key("framework_ids");
    out.begin_array();
    for (const FrameworkId& id : frameworks_of[agent.id]) out.value(id);
    out.end_array();
    out.end_object();
  }
  out.end_array();
  out.key("frameworks");
  out.begin_array();
  for (const FrameworkView& framework : snapshot.frameworks) {
    out.begin_object();
    write_framework_summary(out, framework);
    by_framework[framework.id].write(out);
    out.key("slave_ids");
    out.begin_array();
    for (const AgentId& id : agents_of[framework.id]) out.value(id);
    out.end_array();
    out.end_object();
  }
  out.end_array();
  out.end_object();
  return text;
}

namespace {

void write_full(Writer& out, const char* name, const Resources& value) {
  resources::ProtoResources list;
  resources::to_proto(value, resources::Format::Endpoint, &list);
  out.key(name);
  out.begin_array();
  for (const auto& resource : list) base::json::write_proto(out, resource, api::v0_dialect());
  out.end_array();
}

}  // namespace

std::string slaves_json(const Snapshot& snapshot, const std::optional<std::string>& slave_id) {
  std::string text;
  Writer out(text);
  out.begin_object();
  out.key("slaves");
  out.begin_array();
  for (const AgentView& agent : snapshot.agents) {
    if (slave_id && *slave_id != agent.id) continue;
    out.begin_object();
    write_agent(out, agent);
    out.key("reserved_resources_full");
    out.begin_object();
    for (const auto& [role, reserved] : resources::reservations_by_role(agent.total)) write_full(out, role.c_str(), reserved);
    out.end_object();
    write_full(out, "unreserved_resources_full", agent.total.unreserved());
    Resources used;
    for (const auto& [id, of_framework] : agent.used) used += of_framework;
    write_full(out, "used_resources_full", used);
    write_full(out, "offered_resources_full", agent.offered);
    out.end_object();
  }
  out.end_array();
  write_recovered(out, snapshot, slave_id);
  out.end_object();
  return text;
}

std::string frameworks_json(const Snapshot& snapshot, const std::optional<std::string>& framework_id) {
  std::string text;
  Writer out(text);
  out.begin_object();
  write_frameworks(out, snapshot, framework_id);
  out.end_object();
  return text;
}

std::string tasks_json(const Snapshot& snapshot, const TaskQuery& query) {
  std::vector<const mesos::v1::Task*> tasks;
  std::deque<mesos::v1::Task> unpacked;
  for (const auto* frameworks : {&snapshot.frameworks, &snapshot.completed_frameworks}) {
    for (const FrameworkView& framework : *frameworks) {
      if (query.framework_id && *query.framework_id != framework.id) continue;
      const auto add = [&](const mesos::v1::Task& task) {
        if (query.task_id && *query.task_id != task.task_id().value()) return false;
        tasks.push_back(&task);
        return true;
      };
      for (const auto& task : framework.tasks) add(*task);
      for (const auto& task : framework.unreachable_tasks) add(*task);
      for (const auto& task : framework.completed_tasks) {
        if (!add(unpacked.emplace_back(task.unpack()))) unpacked.pop_back();
      }
    }
  }
  const auto started = [](const mesos::v1::Task* task) {
    return task->statuses().empty() ? 0.0 : task->statuses(0).timestamp();
  };
  std::stable_sort(tasks.begin(), tasks.end(), [&](const mesos::v1::Task* a, const mesos::v1::Task* b) {
    return query.ascending ? started(a) < started(b) : started(a) > started(b);
  });
  std::string text;
  Writer out(text);
  out.begin_object();
  out.key("tasks");
  out.begin_array();
  for (size_t i = query.offset; i < tasks.size() && i - query.offset < query.limit; ++i) write_task(out, *tasks[i]);
  out.end_array();
  out.end_object();
  return text;
}

namespace {

/// What a role and those below it have.
struct RoleShare {
  Resources offered, allocated, reserved, used_reserved;
  std::set<FrameworkId> users;  // of what is allocated to this very role
};

/// Calls `add` for the role and each of its ancestors.
template <class Add>
void for_each_above(const std::string& role, Add add) {
  add(role);
  for (const std::string_view ancestor : resources::ancestors(role)) add(std::string(ancestor));
}

std::map<std::string, RoleShare> shares_of_roles(const Snapshot& snapshot) {
  std::map<std::string, RoleShare> out;
  for (const AgentView& agent : snapshot.agents) {
    for (const auto& [role, of_role] : resources::reservations_by_role(agent.total)) {
      for_each_above(role, [&](const std::string& at) { out[at].reserved += of_role; });
    }
    for (const resources::Resource& r : agent.offered) {
      for_each_above(r.allocation.str(), [&](const std::string& at) { out[at].offered.add(r); });
    }
    for (const auto& [id, of_framework] : agent.used) {
      for (const resources::Resource& r : of_framework) {
        out[r.allocation.str()].users.insert(id);
        for_each_above(r.allocation.str(), [&](const std::string& at) { out[at].allocated.add(r); });
      }
      for (const auto& [role, of_role] : resources::reservations_by_role(of_framework)) {
        for_each_above(role, [&](const std::string& at) { out[at].used_reserved += of_role; });
      }
    }
  }
  return out;
}

}  // namespace

std::string roles_json(const Snapshot& snapshot) {
  const std::map<std::string, RoleShare> shares = shares_of_roles(snapshot);
  static const RoleShare kNothing;
  std::string text;
  Writer out(text);
  const auto quantities = [&](const char* name, const auto& list) {
    out.key(name);
    out.begin_object();
    for (const auto& [resource, amount] : list) out.field(resource, amount.value());
    out.end_object();
  };
  out.begin_object();
  out.key("roles");
  out.begin_array();
  for (const allocator::RoleState& role : snapshot.roles) {
    const auto found = shares.find(role.role);
    const RoleShare& share = found == shares.end() ? kNothing : found->second;
    const auto offered = resources::ResourceQuantities::of(share.offered);
    const auto allocated = resources::ResourceQuantities::of(share.allocated);
    const auto reserved = resources::ResourceQuantities::of(share.reserved);
    out.begin_object();
    out.field("name", role.role);
    out.field("weight", role.weight);
    out.key("quota");
    out.begin_object();
    out.field("role", role.role);
    quantities("guarantee", role.quota ? role.quota->guarantees.list() : allocator::ResourceQuantities().list());
    quantities("limit", role.quota ? role.quota->limits.list() : allocator::ResourceLimits().list());
    // What tasks use, and reservations also while nobody uses them.
    quantities("consumed",
               (allocated + (reserved - resources::ResourceQuantities::of(share.used_reserved))).list());
    out.end_object();
    quantities("resources", (allocated + offered).list());
    quantities("allocated", allocated.list());
    quantities("offered", offered.list());
    quantities("reserved", reserved.list());
    std::set<std::string> frameworks(role.frameworks.begin(), role.frameworks.end());
    frameworks.insert(share.users.begin(), share.users.end());
    out.key("frameworks");
    out.begin_array();
    for (const std::string& id : frameworks) out.value(id);
    out.end_array();
    out.end_object();
  }
  out.end_array();
  out.end_object();
  return text;
}

std::string version_json(const ServerFacts& facts) {
  std::string text;
  Writer out(text);
  out.begin_object();
  write_version(out, facts);
  out.end_object();
  return text;
}

std::string flags_json(const ServerFacts& facts) {
  std::string text;
  Writer out(text);
  out.begin_object();
  write_flags(out, facts);
  out.end_object();
  return text;
}

}  // namespace master
