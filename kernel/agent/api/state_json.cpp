// GET /state.

#include "base/json/proto.hpp"
#include "base/json/writer.hpp"
#include "base/version.hpp"
#include "kernel/agent/api/routes.hpp"
#include "kernel/api/names.hpp"
#include "kernel/resources/attributes.hpp"
#include "kernel/resources/proto.hpp"
#include "kernel/resources/resources.hpp"
#include "kernel/resources/summary.hpp"

namespace agent {
namespace {

using base::json::Writer;
using resources::Resources;

Resources of(const resources::ProtoResources& list) { return resources::from_proto(list).value_or(Resources()); }

void write_summary(Writer& out, std::string_view name, const Resources& resources) {
  out.key(name);
  out.begin_object();
  for (const auto& field : resources::summary(resources)) {
    out.key(field.name);
    std::visit([&out](const auto& value) { out.value(value); }, field.value);
  }
  out.end_object();
}

void write_by_role(Writer& out, std::string_view name, const Resources& resources) {
  out.key(name);
  out.begin_object();
  for (const auto& [role, reserved] : resources::reservations_by_role(resources)) write_summary(out, role, reserved);
  out.end_object();
}

void write_full(Writer& out, const Resources& resources) {
  resources::ProtoResources list;
  resources::to_proto(resources, resources::Format::Endpoint, &list);
  out.begin_array();
  for (const auto& resource : list) base::json::write_proto(out, resource, api::v0_dialect());
  out.end_array();
}

void write_full_by_role(Writer& out, std::string_view name, const Resources& resources) {
  out.key(name);
  out.begin_object();
  for (const auto& [role, reserved] : resources::reservations_by_role(resources)) {
    out.key(role);
    write_full(out, reserved);
  }
  out.end_object();
}

void write_labels(Writer& out, const mesos::v1::Labels& labels) {
  out.key("labels");
  out.begin_array();
  for (const auto& label : labels.labels()) base::json::write_proto(out, label);
  out.end_array();
}

std::string role_of(const resources::ProtoResources& resources) {
  for (const auto& resource : resources)
    if (resource.allocation_info().has_role()) return resource.allocation_info().role();
  return "";
}

void write_status(Writer& out, const mesos::v1::TaskStatus& status) {
  out.begin_object();
  out.field("state", mesos::v1::TaskState_Name(status.state()));
  out.field("timestamp", status.timestamp());
  if (status.has_labels()) write_labels(out, status.labels());
  if (status.has_container_status()) {
    out.key("container_status");
    base::json::write_proto(out, status.container_status(), api::v0_dialect());
  }
  if (status.has_healthy()) out.field("healthy", status.healthy());
  if (status.has_check_status()) {
    out.key("check_status");
    base::json::write_proto(out, status.check_status());
  }
  out.end_object();
}

void write_task(Writer& out, const Api& api, const Framework& framework, const Executor& executor, const Task& task) {
  const mesos::v1::Task view = make_task(framework, executor, task, api.agent_id());
  out.begin_object();
  out.field("id", view.task_id().value());
  out.field("name", view.name());
  out.field("framework_id", view.framework_id().value());
  out.field("executor_id", view.executor_id().value());
  out.field("slave_id", view.agent_id().value());
  out.field("state", mesos::v1::TaskState_Name(view.state()));
  write_summary(out, "resources", of(view.resources()));
  if (const std::string role = role_of(view.resources()); !role.empty()) out.field("role", role);
  out.key("statuses");
  out.begin_array();
  for (const auto& status : view.statuses()) write_status(out, status);
  out.end_array();
  if (view.has_user()) out.field("user", view.user());
  if (view.has_labels()) write_labels(out, view.labels());
  const auto put = [&out](std::string_view name, const google::protobuf::Message& message) {
    out.key(name);
    base::json::write_proto(out, message, api::v0_dialect());
  };
  if (view.has_discovery()) put("discovery", view.discovery());
  if (view.has_container()) put("container", view.container());
  if (view.has_health_check()) put("health_check", view.health_check());
  out.end_object();
}

Resources used_by(const Executor& executor) {
  Resources used = of(executor.info.resources());
  for (const auto& [id, task] : executor.tasks)
    if (!is_terminal(task.state)) used += of(task.info.resources());
  return used;
}

void write_executor(Writer& out, const Api& api, const Sight& sight, const Framework& framework, const Executor& executor) {
  out.begin_object();
  out.field("id", executor.id());
  out.field("name", executor.info.name());
  out.field("source", executor.info.source());
  out.field("container", executor.container_id);
  out.field("directory", executor.directory);
  write_summary(out, "resources", used_by(executor));
  if (const std::string role = role_of(executor.info.resources()); !role.empty()) out.field("role", role);
  if (executor.info.has_labels()) write_labels(out, executor.info.labels());
  if (executor.info.has_type()) out.field("type", mesos::v1::ExecutorInfo::Type_Name(executor.info.type()));
  out.key("tasks");
  out.begin_array();
  for (const auto& [id, task] : executor.tasks)
    if (task.sent && sight.shows(framework, task)) write_task(out, api, framework, executor, task);
  out.end_array();
  out.key("queued_tasks");
  out.begin_array();
  for (const auto& [id, task] : executor.tasks)
    if (!task.sent && sight.shows(framework, task)) write_task(out, api, framework, executor, task);
  out.end_array();
  out.key("completed_tasks");
  out.begin_array();
  for (const auto& task : executor.completed_tasks)
    if (sight.shows(framework, task)) write_task(out, api, framework, executor, task);
  out.end_array();
  out.end_object();
}

void write_framework(Writer& out, const Api& api, const Sight& sight, const Framework& framework) {
  const auto& info = framework.info;
  out.begin_object();
  out.field("id", info.id().value());
  out.field("name", info.name());
  out.field("user", info.user());
  out.field("failover_timeout", info.failover_timeout());
  out.field("checkpoint", info.checkpoint());
  out.field("hostname", info.hostname());
  if (info.has_principal()) out.field("principal", info.principal());
  if (framework.has(mesos::v1::FrameworkInfo::Capability::MULTI_ROLE)) {
    out.key("roles");
    out.begin_array();
    for (const auto& role : info.roles()) out.value(role);
    out.end_array();
  } else {
    out.field("role", info.role());
  }
  out.key("executors");
  out.begin_array();
  for (const auto& [id, executor] : framework.executors)
    if (sight.shows(framework, executor)) write_executor(out, api, sight, framework, executor);
  out.end_array();
  out.key("completed_executors");
  out.begin_array();
  for (const auto& executor : framework.completed_executors)
    if (sight.shows(framework, executor)) write_executor(out, api, sight, framework, executor);
  out.end_array();
  out.end_object();
}

void write_resources(Writer& out, const Api& api) {
  const Resources total = everything(api.state());
  Resources used;
  for (const auto& [id, framework] : api.state().frameworks)
    for (const auto& [executor_id, executor] : framework.executors)
      if (executor.state != ExecutorState::Terminated) used += used_by(executor);
  used.unallocate();
  write_summary(out, "resources", total);
  write_by_role(out, "reserved_resources", total);
  write_summary(out, "unreserved_resources", total.unreserved());
  write_full_by_role(out, "reserved_resources_full", total);
  out.key("unreserved_resources_full");
  write_full(out, total.unreserved());
  write_by_role(out, "reserved_resources_allocated", used);
  write_summary(out, "unreserved_resources_allocated", used.unreserved());
  out.key("resource_providers");
  out.begin_array();
  for (const auto& [id, provider] : api.state().providers)
    if (provider.active) base::json::write_proto(out, provider.info, ::api::v1_dialect());
  out.end_array();
  out.key("attributes");
  out.begin_object();
  for (const auto& attribute : api.state().info.attributes()) {
    out.key(attribute.name());
    if (attribute.has_scalar())
      out.value(attribute.scalar().value());
    else
      out.value(resources::value_text(resources::from_proto(attribute)));
  }
  out.end_object();
}

}  // namespace

std::string render_state(const Api& api, const Sight& sight) {
  const State& state = api.state();
  const Policy& policy = api.shell.core().policy();
  std::string text;
  Writer out(text);
  out.begin_object();
  out.field("version", base::kMesosVersion);
  out.field("build_date", "");
  out.field("build_time", 0.0);
  out.field("build_user", "");
  out.field("start_time", state.started.seconds());
  out.field("id", api.agent_id());
  out.field("pid", "slave(1)@" + policy.ip + ":" + std::to_string(policy.port));
  out.field("hostname", state.info.hostname());
  out.key("capabilities");
  out.begin_array();
  for (const char* capability : {"AGENT_DRAINING", "AGENT_OPERATION_FEEDBACK", "HIERARCHICAL_ROLE", "MULTI_ROLE",
                                 "RESERVATION_REFINEMENT", "RESIZE_VOLUME", "RESOURCE_PROVIDER", "TASK_RESOURCE_LIMITS"})
    out.value(capability);
  out.end_array();
  if (state.info.has_domain()) {
    out.key("domain");
    base::json::write_proto(out, state.info.domain());
  }
  if (state.drain) {
    out.key("drain_config");
    base::json::write_proto(out, *state.drain);
    out.field("estimated_drain_start_time_seconds", state.drain_start.seconds());
  }
  write_resources(out, api);
  if (const std::string master = api.master_hostname(); !master.empty()) out.field("master_hostname", master);
  for (const char* name : {"log_dir", "external_log_file"})
    if (const auto given = api.flags.find(name); given != api.flags.end()) out.field(name, given->second);
  if (sight.shows_flags()) {
    out.key("flags");
    out.begin_object();
    for (const auto& [name, value] : api.flags) out.field(name, value);
    out.end_object();
  }
  out.key("frameworks");
  out.begin_array();
  for (const auto& [id, framework] : state.frameworks)
    if (sight.shows(framework)) write_framework(out, api, sight, framework);
  out.end_array();
  out.key("completed_frameworks");
  out.begin_array();
  for (const auto& framework : state.completed_frameworks)
    if (sight.shows(framework)) write_framework(out, api, sight, framework);
  out.end_array();
  out.end_object();
  return text;
}

}  // namespace agent
