#include <boost/json.hpp>

#include "base/strings.hpp"
#include "l4lb/vips.hpp"

namespace l4lb {
namespace {

namespace json = boost::json;

std::string text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

const json::array* list_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value ? value->if_array() : nullptr;
}

uint64_t number_of(const json::object& object, std::string_view name) {
  uint64_t out = 0;
  const auto* value = object.if_contains(name);
  return value && base::json::to_uint(*value, out) ? out : 0;
}

std::vector<std::pair<std::string, std::string>> labels_of(const json::object& object) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto* labels = object.if_contains("labels");
  const auto* list = labels == nullptr     ? nullptr
                     : labels->is_object() ? list_of(labels->as_object(), "labels")
                                           : labels->if_array();
  if (!list) return out;
  for (const auto& each : *list)
    if (const auto* label = each.if_object()) out.emplace_back(text_of(*label, "key"), text_of(*label, "value"));
  return out;
}

void read_discovery(const json::object& task, Task& out) {
  const auto* discovery = task.if_contains("discovery");
  if (!discovery || !discovery->is_object()) return;
  const auto* ports = discovery->as_object().if_contains("ports");
  const auto* list = ports == nullptr     ? nullptr
                     : ports->is_object() ? list_of(ports->as_object(), "ports")
                                          : ports->if_array();
  if (!list) return;
  for (const auto& each : *list)
    if (const auto* port = each.if_object())
      out.discovery.push_back({number_of(*port, "number"), text_of(*port, "protocol"), labels_of(*port)});
}

void read_mappings(const json::array* list, Task& out) {
  if (!list) return;
  for (const auto& each : *list)
    if (const auto* mapping = each.if_object())
      out.mappings.push_back(
          {number_of(*mapping, "host_port"), number_of(*mapping, "container_port"), text_of(*mapping, "protocol")});
}

void read_network(const json::object& task, Task& out) {
  if (const auto* status = task.if_contains("container_status"); status && status->is_object())
    if (const auto* networks = list_of(status->as_object(), "network_infos"))
      for (const auto& each : *networks) {
        const auto* network = each.if_object();
        if (!network) continue;
        if (const auto* addresses = list_of(*network, "ip_addresses"))
          for (const auto& entry : *addresses)
            if (const auto* address = entry.if_object())
              if (const auto parsed = parse_address(text_of(*address, "ip_address"))) out.addresses.push_back(*parsed);
        read_mappings(list_of(*network, "port_mappings"), out);
      }
  if (const auto* container = task.if_contains("container"); container && container->is_object()) {
    if (const auto* docker = container->as_object().if_contains("docker"); docker && docker->is_object())
      read_mappings(list_of(docker->as_object(), "port_mappings"), out);
  }
}

}  // namespace

base::Result<Task> decode_task(const base::json::Value& value) {
  const auto* task = value.if_object();
  if (!task) return base::invalid("a task must be an object");
  Task out;
  out.framework_id = text_of(*task, "framework_id");
  out.framework_name = text_of(*task, "framework_name");
  out.id = text_of(*task, "id");
  out.name = text_of(*task, "name");
  out.state = text_of(*task, "state");
  if (out.id.empty()) return base::invalid("/id is missing or no string");
  if (out.framework_id.empty()) return base::invalid("/framework_id is missing or no string");
  if (const auto* healthy = task->if_contains("healthy"); healthy && healthy->is_bool())
    out.healthy = healthy->as_bool();
  if (const auto* check = task->if_contains("has_health_check"); check && check->is_bool())
    out.has_health_check = check->as_bool();
  if (const auto* ports = list_of(*task, "ports"))
    for (const auto& each : *ports)
      if (uint64_t port = 0; base::json::to_uint(each, port) && port > 0 && port <= 65535) out.ports.push_back(port);
  out.labels = labels_of(*task);
  read_discovery(*task, out);
  read_network(*task, out);
  return out;
}

}  // namespace l4lb
