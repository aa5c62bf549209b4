#include "marathon/import/testing.hpp"

#include <fmt/format.h>

#include "base/strings.hpp"
#include "kernel/api/mesos/v1/mesos.pb.h"
#include "marathon/import/original.pb.h"

namespace marathon::original {

Policy policy() {
  Policy out;
  out.defaults.role = out.validation.role = kRole;
  return out;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return all;
}

std::string version_node(uint32_t major, uint32_t minor, uint32_t patch, uint32_t format) {
  StorageVersion version;
  version.set_major(major);
  version.set_minor(minor);
  version.set_patch(patch);
  version.set_format(format);
  StoreEntry entry;
  entry.set_name("internal:storage:version");
  entry.set_value(version.SerializeAsString());
  return entry.SerializeAsString();
}

void put_resources(ServiceDefinition& app, double cpus, double mem) {
  for (const auto& [name, amount] : {std::pair("cpus", cpus), std::pair("mem", mem), std::pair("disk", 0.0)}) {
    auto* resource = app.add_resources();
    resource->set_name(name);
    resource->mutable_scalar()->set_value(amount);
  }
}

ServiceDefinition web(const char* version, const std::string& command) {
  ServiceDefinition app;
  app.set_id("/web/front");
  app.set_version(version);
  app.set_instances(1);
  app.mutable_cmd()->set_value(command);
  app.mutable_cmd()->set_user("www");
  auto* variable = app.mutable_cmd()->mutable_environment()->add_variables();
  variable->set_name("MODE");
  variable->set_value("fast");
  app.mutable_cmd()->add_uris()->set_value("http://files/web.tgz");
  put_resources(app, 0.5, 64);
  auto* port = app.add_port_definitions();
  port->set_number(10101);
  port->set_protocol("tcp");
  port->set_name("http");
  auto* check = app.add_health_checks();
  check->set_protocol(4);
  check->set_path("/health");
  check->set_port_index(0);
  auto* constraint = app.add_constraints();
  constraint->set_field("rack");
  constraint->set_operator_(5);
  constraint->set_value("2");
  auto* label = app.add_labels();
  label->set_key("team");
  label->set_value("shop");
  app.mutable_unreachable_strategy();
  app.mutable_upgrade_strategy()->set_minimum_health_capacity(0.5);
  app.add_networks()->set_mode(1);
  app.add_dependencies("/db");
  app.mutable_accepted_resource_roles()->add_role("*");
  app.mutable_accepted_resource_roles()->add_role("left_over");
  app.set_last_config_change_at(1551434400000);
  return app;
}

/// With arguments, in a container on a bridge.
ServiceDefinition database() {
  ServiceDefinition db;
  db.set_id("/db");
  db.set_version(kOld);
  db.set_instances(0);
  db.mutable_cmd()->set_value("postgres");  // the original repeats the first argument here
  db.mutable_cmd()->add_arguments("postgres");
  db.mutable_cmd()->add_arguments("-F");
  db.mutable_container()->set_type(2);
  db.mutable_container()->mutable_mesos_docker()->set_image("postgres:11");
  db.add_networks()->set_mode(3);
  auto* mapping = db.mutable_container()->add_port_mappings();
  mapping->set_container_port(5432);
  mapping->set_host_port(0);
  return db;
}

/// With a persistent volume.
ServiceDefinition disk(uint32_t instances) {
  ServiceDefinition app;
  app.set_id("/disk");
  app.set_version(kOld);
  app.set_instances(instances);
  app.mutable_cmd()->set_value("sleep 1000");
  put_resources(app, 0.5, 64);
  app.mutable_container()->set_type(2);
  auto* volume = app.mutable_container()->add_volumes();
  volume->set_container_path("data");
  volume->set_mode(1);
  volume->mutable_persistent()->set_size(64);
  app.mutable_unreachable_strategy();
  app.mutable_upgrade_strategy()->set_minimum_health_capacity(0.5);
  app.mutable_upgrade_strategy()->set_maximum_over_capacity(0);
  return app;
}

std::string pair() {
  return fmt::format(
      R"({{"id":"/pair","version":"{}","containers":[)"
      R"({{"name":"one","exec":{{"command":{{"shell":"sleep 1"}}}},"resources":{{"cpus":0.1,"mem":32}},)"
      R"("endpoints":[{{"name":"web","hostPort":0}}]}},)"
      R"({{"name":"two","exec":{{"command":{{"shell":"sleep 2"}}}},"resources":{{"cpus":0.1,"mem":32}}}}],)"
      R"("networks":[{{"mode":"host"}}],"scaling":{{"kind":"fixed","instances":1}},"role":"store","legacySharedCgroups":true}})",
      kOld);
}

std::string base64(const google::protobuf::Message& message) { return base::base64_encode(message.SerializePartialAsString()); }

std::string status(const std::string& task, mesos::v1::TaskState state) {
  mesos::v1::TaskStatus out;
  out.mutable_task_id()->set_value(task);
  out.set_state(state);
  auto* network = out.mutable_container_status()->add_network_infos();
  network->set_name("net");
  network->add_ip_addresses()->set_ip_address("10.1.2.3");
  return base64(out);
}

std::string running(const std::string& task) { return status(task, mesos::v1::TASK_RUNNING); }

std::string rack(const std::string& value) {
  mesos::v1::Attribute attribute;
  attribute.set_name("rack");
  attribute.set_type(mesos::v1::Value::TEXT);
  attribute.mutable_text()->set_value(value);
  return base64(attribute);
}

std::string task(const std::string& id, const std::string& version, const std::string& condition, const std::string& ports,
                 const std::string& more) {
  return fmt::format(
      R"("{}":{{"taskId":"{}","runSpecVersion":"{}","status":{{"stagedAt":"{}","startedAt":"{}","mesosStatus":"{}",)"
      R"("condition":{},"networkInfo":{{"hostName":"host1","hostPorts":[{}],)"
      R"("ipAddresses":[{{"ipAddress":"10.9.9.9","protocol":"IPv4"}}]}}}}{}}})",
      id, id, version, kNew, kNew, running(id), condition, ports, more);
}

std::string instance(const std::string& id, const std::string& version, const std::string& tasks, const std::string& state,
                     const std::string& more) {
  return fmt::format(
      R"({{"instanceId":{{"idString":"{}"}},"agentInfo":{{"host":"host1","agentId":"A1","zone":"z1","attributes":["{}"]}},)"
      R"("tasksMap":{{{}}},"runSpecVersion":"{}","state":{{"since":"{}",{}}}{}}})",
      id, rack("r7"), tasks, version, kNew, state, more);
}

std::string reservation(const std::string& name, const std::string& more) {
  return fmt::format(R"(,"reservation":{{"volumeIds":[{{"runSpecId":"/disk","containerPath":"data","uuid":"V-1",)"
                     R"("persistenceId":"disk#data#V-1"}}],"state":{{"name":"{}","timeout":null}}{}}})", name, more);
}

void refer(Reference* reference, const char* id, const char* version) {
  reference->set_id(id);
  reference->set_version(version);
}

Nodes state() {
  Nodes nodes;
  nodes["internal:storage:version"] = version_node(110, 100);
  for (const char* category : {"apps", "pods", "group", "framework-id", "instance"}) nodes[category] = "";
  nodes["apps/a/web_front"] = web(kNew, "serve --new").SerializeAsString();
  nodes[std::string("apps/a/web_front/") + kNew] = nodes["apps/a/web_front"];
  nodes[std::string("apps/a/web_front/") + kOld] = web(kOld, "serve --old").SerializeAsString();
  nodes["apps/1/db"] = database().SerializeAsString();
  nodes["apps/2/disk"] = disk().SerializeAsString();
  nodes["pods/2/pair"] = pair();
  Group root;
  root.set_id("");
  root.set_version(kNew);
  refer(root.add_apps(), "db", kOld);
  refer(root.add_apps(), "disk", kOld);
  refer(root.add_pods(), "pair", kOld);
  auto* group = root.add_groups();
  group->set_id("web");
  group->set_version(kNew);
  group->add_dependencies("db");
  refer(group->add_apps(), "web_front", kNew);
  nodes["group/0/root"] = root.SerializeAsString();
  FrameworkId framework;
  framework.set_value("F-original");
  nodes["framework-id/b/id"] = framework.SerializeAsString();
  nodes["instance/7/" + kWeb] = instance(kWeb, kNew, task(kTask, kNew, R"("Running")", "31007"), kRunning, R"(,"role":"store")");
  nodes["instance/8/" + kDisk] = instance(kDisk, kOld, task(kDisk + "._app.2", kOld, R"("Running")", ""), kRunning,
                                          R"(,"role":"store")" + reservation("launched", R"(,"id":")" + kDisk + R"(")"));
  // In an order of its own.
  nodes["instance/9/" + kPair] = instance(kPair, kOld, task(kPair + ".two.1", kOld, R"("Running")", "") + "," +
                                          task(kPair + ".one.1", kOld, R"("Running")", "31008"), kRunning, R"(,"role":"store")");
  return nodes;
}

}  // namespace marathon::original
