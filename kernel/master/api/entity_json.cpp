#include "kernel/master/api/entity_json.hpp"

#include "base/json/proto.hpp"
#include "kernel/api/names.hpp"
#include "kernel/resources/attributes.hpp"
#include "kernel/resources/proto.hpp"
#include "kernel/resources/summary.hpp"
#include "kernel/api/secrets.hpp"

namespace master {

using base::json::Writer;

namespace {

void write_message(Writer& out, const google::protobuf::Message& message) {
  base::json::write_proto(out, message, api::v0_dialect());
}

void field_message(Writer& out, const char* name, const google::protobuf::Message& message) {
  out.key(name);
  write_message(out, message);
}

template <class List>
void field_messages(Writer& out, const char* name, const List& list) {
  out.key(name);
  out.begin_array();
  for (const auto& item : list) write_message(out, item);
  out.end_array();
}

void write_domain(Writer& out, const mesos::v1::DomainInfo& domain) { field_message(out, "domain", domain); }

void write_command(Writer& out, const mesos::v1::CommandInfo& command) {
  out.begin_object();
  if (command.has_shell()) out.field("shell", command.shell());
  if (command.has_value()) out.field("value", command.value());
  out.key("argv");
  out.begin_array();
  for (const std::string& argument : command.arguments()) out.value(argument);
  out.end_array();
  if (command.has_environment()) {
    mesos::v1::Environment environment = command.environment();
    ::api::hide_secrets(environment);
    field_message(out, "environment", environment);
  }
  out.key("uris");
  out.begin_array();
  for (const auto& uri : command.uris()) {
    out.begin_object();
    out.field("value", uri.value());
    out.field("executable", uri.executable());
    out.end_object();
  }
  out.end_array();
  out.end_object();
}

void write_executor(Writer& out, const ExecutorInfo& executor, const AgentId& agent) {
  out.begin_object();
  out.field("executor_id", executor.executor_id().value());
  out.field("name", executor.name());
  out.field("framework_id", executor.framework_id().value());
  out.key("command");
  write_command(out, executor.command());
  out.key("resources");
  write_resources(out, resources::from_proto(executor.resources()).value_or(Resources()));
  if (executor.resources_size() > 0) out.field("role", executor.resources(0).allocation_info().role());
  if (executor.has_labels()) field_messages(out, "labels", executor.labels().labels());
  if (executor.has_type()) out.field("type", ExecutorInfo::Type_Name(executor.type()));
  out.field("slave_id", agent);
  out.end_object();
}

void write_network(Writer& out, const mesos::v1::NetworkInfo& network) {
  out.begin_object();
  if (network.groups_size() > 0) {
    out.key("groups");
    out.begin_array();
    for (const std::string& group : network.groups()) out.value(group);
    out.end_array();
  }
  if (network.has_labels()) field_messages(out, "labels", network.labels().labels());
  if (network.ip_addresses_size() > 0) field_messages(out, "ip_addresses", network.ip_addresses());
  if (network.has_name()) out.field("name", network.name());
  if (network.port_mappings_size() > 0) field_messages(out, "port_mappings", network.port_mappings());
  out.end_object();
}

void write_status(Writer& out, const TaskStatus& status) {
  out.begin_object();
  out.field("state", mesos::v1::TaskState_Name(status.state()));
  out.field("timestamp", status.timestamp());
  if (status.has_labels()) field_messages(out, "labels", status.labels().labels());
  if (status.has_container_status()) {
    const auto& container = status.container_status();
    out.key("container_status");
    out.begin_object();
    if (container.has_container_id()) field_message(out, "container_id", container.container_id());
    if (container.network_infos_size() > 0) {
      out.key("network_infos");
      out.begin_array();
      for (const auto& network : container.network_infos()) write_network(out, network);
      out.end_array();
    }
    if (container.has_cgroup_info()) field_message(out, "cgroup_info", container.cgroup_info());
    out.end_object();
  }
  if (status.has_healthy()) out.field("healthy", status.healthy());
  out.end_object();
}

void write_capabilities(Writer& out, const google::protobuf::RepeatedPtrField<FrameworkInfo::Capability>& list) {
  out.key("capabilities");
  out.begin_array();
  for (const auto& capability : list) out.value(FrameworkInfo::Capability::Type_Name(capability.type()));
  out.end_array();
}

}  // namespace

void write_resources(Writer& out, const Resources& value) {
  out.begin_object();
  for (const resources::SummaryField& field : resources::summary(value)) {
    out.key(field.name);
    std::visit([&](const auto& content) { out.value(content); }, field.value);
  }
  out.end_object();
}

void write_task(Writer& out, const mesos::v1::Task& task) {
  out.begin_object();
  out.field("id", task.task_id().value());
  out.field("name", task.name());
  out.field("framework_id", task.framework_id().value());
  out.field("executor_id", task.executor_id().value());
  out.field("slave_id", task.agent_id().value());
  out.field("state", mesos::v1::TaskState_Name(task.state()));
  out.key("resources");
  write_resources(out, resources::from_proto(task.resources()).value_or(Resources()));
  if (!task.limits().empty()) {
    out.key("limits");
    out.begin_object();
    const std::map<std::string, mesos::v1::Value::Scalar> sorted(task.limits().begin(), task.limits().end());
    for (const auto& [name, limit] : sorted) out.field(name, limit.value());
    out.end_object();
  }
  if (task.resources_size() > 0) out.field("role", task.resources(0).allocation_info().role());
  out.key("statuses");
  out.begin_array();
  for (const TaskStatus& status : task.statuses()) write_status(out, status);
  out.end_array();
  if (task.has_user()) out.field("user", task.user());
  if (task.has_labels()) field_messages(out, "labels", task.labels().labels());
  if (task.has_discovery()) field_message(out, "discovery", task.discovery());
  if (task.has_container()) field_message(out, "container", task.container());
  if (task.has_health_check()) field_message(out, "health_check", task.health_check());
  out.end_object();
}

void write_agent_info(Writer& out, const AgentInfo& info) {
  out.field("id", info.id().value());
  out.field("hostname", info.hostname());
  out.field("port", info.port());
  out.key("attributes");
  out.begin_object();
  std::map<std::string, resources::Attribute> last;  // an object keeps the last of a name
  for (const auto& attribute : info.attributes()) last[attribute.name()] = resources::from_proto(attribute);
  for (const auto& [name, attribute] : last) {
    if (attribute.type == resources::Attribute::Type::Scalar) {
      out.field(name, attribute.scalar.value());
    } else {
      out.field(name, resources::value_text(attribute));
    }
  }
  out.end_object();
  if (info.has_domain()) write_domain(out, info.domain());
}

void write_agent(Writer& out, const AgentView& agent) {
  write_agent_info(out, *agent.info);
  out.field("pid", agent.pid);
  out.field("registered_time", agent.registered.seconds());
  if (agent.reregistered) out.field("reregistered_time", agent.reregistered->seconds());
  out.key("resources");
  write_resources(out, agent.total);
  Resources used;
  for (const auto& [id, of_framework] : agent.used) used += of_framework;
  out.key("used_resources");
  write_resources(out, used);
  out.key("offered_resources");
  write_resources(out, agent.offered);
  out.key("reserved_resources");
  out.begin_object();
  for (const auto& [role, reserved] : resources::reservations_by_role(agent.total)) {
    out.key(role);
    write_resources(out, reserved);
  }
  out.end_object();
  out.key("unreserved_resources");
  write_resources(out, agent.total.unreserved());
  out.field("active", agent.active);
  out.field("deactivated", agent.deactivated);
  out.field("version", agent.version);
  out.key("capabilities");
  out.begin_array();
  for (const auto& capability : agent.capabilities) out.value(AgentInfo::Capability::Type_Name(capability.type()));
  out.end_array();
  if (agent.drain) {
    field_message(out, "drain_info", *agent.drain);
    out.field("estimated_drain_start_time_seconds", agent.drain_started.seconds());
  }
}

void write_framework_summary(Writer& out, const FrameworkView& framework) {
  out.field("id", framework.id);
  out.field("name", framework.info->name());
  out.key("used_resources");
  write_resources(out, framework.used);
  out.key("offered_resources");
  write_resources(out, framework.offered);
  write_capabilities(out, framework.info->capabilities());
  out.field("hostname", framework.info->hostname());
  out.field("webui_url", framework.info->webui_url());
  out.field("active", framework.active);
  out.field("connected", framework.connected);
  out.field("recovered", framework.recovered);
}

void write_framework(Writer& out, const FrameworkView& framework) {
  const FrameworkInfo& info = *framework.info;
  out.begin_object();
  write_framework_summary(out, framework);
  out.field("user", info.user());
  out.field("failover_timeout", info.failover_timeout());
  out.field("checkpoint", info.checkpoint());
  out.field("registered_time", framework.registered.seconds());
  out.field("unregistered_time", framework.unregistered.seconds());
  if (framework.completed) out.field("unregistered_reason", framework.why);  // ours
  if (info.has_principal()) out.field("principal", info.principal());
  out.key("resources");
  write_resources(out, framework.used + framework.offered);
  if (framework.reregistered) out.field("reregistered_time", framework.reregistered->seconds());
  if (framework.multi_role) {
    out.key("roles");
    out.begin_array();
    for (const std::string& role : info.roles()) out.value(role);
    out.end_array();
  } else {
    out.field("role", info.role());
  }
  const auto tasks = [&](const char* name, const std::vector<std::shared_ptr<const mesos::v1::Task>>& list) {
    out.key(name);
    out.begin_array();
    for (const auto& task : list) write_task(out, *task);
    out.end_array();
  };
  tasks("tasks", framework.tasks);
  tasks("unreachable_tasks", framework.unreachable_tasks);
  out.key("completed_tasks");
  out.begin_array();
  for (const PackedTask& task : framework.completed_tasks) write_task(out, task.unpack());
  out.end_array();
  out.key("offers");
  out.begin_array();
  for (const auto& offer : framework.offers) {
    out.begin_object();
    out.field("id", offer->id().value());
    out.field("framework_id", offer->framework_id().value());
    field_message(out, "allocation_info", offer->allocation_info());
    out.field("slave_id", offer->agent_id().value());
    out.key("resources");
    write_resources(out, resources::from_proto(offer->resources()).value_or(Resources()));
    out.end_object();
  }
  out.end_array();
  out.key("executors");
  out.begin_array();
  for (const auto& [agent, executor] : framework.executors) write_executor(out, *executor, agent);
  out.end_array();
  if (info.has_labels()) field_messages(out, "labels", info.labels().labels());
  static const mesos::v1::scheduler::OfferConstraints kNone;
  field_message(out, "offer_constraints", framework.constraints ? *framework.constraints : kNone);
  out.end_object();
}

}  // namespace master
