#include "kernel/master/render.hpp"

#include <map>
#include <set>

#include "kernel/resources/proto.hpp"
#include "kernel/api/secrets.hpp"

namespace master {

namespace {

void write_resources(const Resources& value, resources::ProtoResources* out) {
  resources::to_proto(value, resources::Format::Endpoint, out);
}

/// Rewrites resources in any format to the endpoint format.
void rewrite_resources(resources::ProtoResources* list) {
  if (auto value = resources::from_proto(*list)) {
    list->Clear();
    write_resources(*value, list);
  }
}

void set_time(base::Time time, mesos::v1::TimeInfo* out) { out->set_nanoseconds(time.nanos()); }

}  // namespace

void render_task(const mesos::v1::Task& task, mesos::v1::Task* out) {
  *out = task;
  rewrite_resources(out->mutable_resources());
}

void render_agent(const AgentView& view, OperatorResponse::GetAgents::Agent* out) {
  *out->mutable_agent_info() = *view.info;
  rewrite_resources(out->mutable_agent_info()->mutable_resources());
  out->set_active(view.active);
  out->set_deactivated(view.deactivated);
  out->set_version(view.version);
  out->set_pid(view.pid);
  set_time(view.registered, out->mutable_registered_time());
  if (view.reregistered) set_time(*view.reregistered, out->mutable_reregistered_time());
  write_resources(view.total, out->mutable_total_resources());
  Resources used;
  for (const auto& [id, of_framework] : view.used) used += of_framework;
  write_resources(used, out->mutable_allocated_resources());
  write_resources(view.offered, out->mutable_offered_resources());
  for (const auto& capability : view.capabilities) *out->add_capabilities() = capability;
  for (const auto& info : view.providers) {
    auto* provider = out->add_resource_providers();
    *provider->mutable_resource_provider_info() = *info;
    write_resources(view.total.filter([&](const resources::Resource& r) { return r.kind.data().provider_id == info->id().value(); }),
                    provider->mutable_total_resources());
  }
  if (view.drain) {
    *out->mutable_drain_info() = *view.drain;
    set_time(view.drain_started, out->mutable_estimated_drain_start_time());
  }
}

void render_framework(const FrameworkView& view, OperatorResponse::GetFrameworks::Framework* out) {
  *out->mutable_framework_info() = *view.info;
  out->set_active(view.active);
  out->set_connected(view.connected);
  out->set_recovered(view.recovered);
  set_time(view.registered, out->mutable_registered_time());
  set_time(view.reregistered.value_or(view.registered), out->mutable_reregistered_time());
  if (view.unregistered != base::Time()) set_time(view.unregistered, out->mutable_unregistered_time());
  for (const auto& offer : view.offers) {
    mesos::v1::Offer* copy = out->add_offers();
    *copy = *offer;
    rewrite_resources(copy->mutable_resources());
  }
  for (const auto& offer : view.inverse_offers) {
    mesos::v1::InverseOffer* copy = out->add_inverse_offers();
    *copy = *offer;
    rewrite_resources(copy->mutable_resources());
  }
  write_resources(view.used, out->mutable_allocated_resources());
  write_resources(view.offered, out->mutable_offered_resources());
  out->mutable_offer_constraints();  // there also when there are none
  if (view.constraints) *out->mutable_offer_constraints() = *view.constraints;
}

void render_agents(const Snapshot& snapshot, OperatorResponse::GetAgents* out) {
  for (const AgentView& agent : snapshot.agents) render_agent(agent, out->add_agents());
  for (const auto& info : snapshot.recovered_agents) *out->add_recovered_agents() = *info;
}

void render_frameworks(const Snapshot& snapshot, OperatorResponse::GetFrameworks* out) {
  for (const FrameworkView& framework : snapshot.frameworks) render_framework(framework, out->add_frameworks());
  for (const FrameworkView& framework : snapshot.completed_frameworks) {
    render_framework(framework, out->add_completed_frameworks());
  }
}

void render_executors(const Snapshot& snapshot, OperatorResponse::GetExecutors* out) {
  for (const AgentView& agent : snapshot.agents) {
    for (const auto& [framework_id, info] : agent.executors) {
      auto* executor = out->add_executors();
      *executor->mutable_executor_info() = *info;
      api::hide_secrets(*executor->mutable_executor_info());
      rewrite_resources(executor->mutable_executor_info()->mutable_resources());
      executor->mutable_agent_id()->set_value(agent.id);
    }
  }
}

void render_operations(const Snapshot& snapshot, OperatorResponse::GetOperations* out) {
  for (const AgentView& agent : snapshot.agents) {
    for (const auto& operation : agent.operations) *out->add_operations() = *operation;
  }
}

void render_tasks(const Snapshot& snapshot, OperatorResponse::GetTasks* out) {
  for (const auto* list : {&snapshot.frameworks, &snapshot.completed_frameworks}) {
    for (const FrameworkView& framework : *list) {
      for (const auto& task : framework.tasks) render_task(*task, out->add_tasks());
      for (const auto& task : framework.unreachable_tasks) render_task(*task, out->add_unreachable_tasks());
      for (const auto& task : framework.completed_tasks) render_task(task.unpack(), out->add_completed_tasks());
    }
  }
}

void render_roles(const Snapshot& snapshot, OperatorResponse::GetRoles* out) {
  // Frameworks that left a role have it while something runs in it.
  std::map<std::string, std::set<FrameworkId>> users;
  for (const AgentView& agent : snapshot.agents) {
    for (const auto& [id, used] : agent.used) {
      for (const resources::Resource& r : used) users[r.allocation.str()].insert(id);
    }
  }
  for (const allocator::RoleState& state : snapshot.roles) {
    mesos::v1::Role* role = out->add_roles();
    role->set_name(state.role);
    role->set_weight(state.weight);
    std::set<std::string>& frameworks = users[state.role];
    frameworks.insert(state.frameworks.begin(), state.frameworks.end());
    for (const std::string& id : frameworks) role->add_frameworks()->set_value(id);
    for (const auto& [name, amount] : state.allocated.list()) {
      if (name != "cpus" && name != "gpus" && name != "mem" && name != "disk") continue;
      mesos::v1::Resource* resource = role->add_resources();
      resource->set_name(name);
      resource->set_type(mesos::v1::Value::SCALAR);
      resource->mutable_scalar()->set_value(amount.value());
    }
  }
}

void render_quota(const Snapshot& snapshot, OperatorResponse::GetQuota* out) {
  auto* status = out->mutable_status();
  for (const auto& [role, config] : snapshot.quotas) {
    *status->add_configs() = config;
    auto* info = status->add_infos();
    info->set_role(role);
    const std::map<std::string, mesos::v1::Value::Scalar> sorted(config.guarantees().begin(), config.guarantees().end());
    for (const auto& [name, amount] : sorted) {
      auto* resource = info->add_guarantee();
      resource->set_name(name);
      resource->set_type(mesos::v1::Value::SCALAR);
      *resource->mutable_scalar() = amount;
    }
  }
}

void render_state(const Snapshot& snapshot, OperatorResponse::GetState* out) {
  render_tasks(snapshot, out->mutable_get_tasks());
  render_executors(snapshot, out->mutable_get_executors());
  render_frameworks(snapshot, out->mutable_get_frameworks());
  render_agents(snapshot, out->mutable_get_agents());
}

}  // namespace master
