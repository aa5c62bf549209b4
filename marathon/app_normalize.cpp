// Historical forms become canonical ones, in the order that releases of the original applied.

#include <boost/json.hpp>

#include <algorithm>
#include <array>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "marathon/app_json.hpp"
#include "marathon/json_fields.hpp"

namespace marathon {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 9> kArchives = {
    ".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".gz", ".tgz", ".tbz2", ".txz", ".zip"};

bool is_archive(std::string_view uri) {
  for (std::string_view suffix : kArchives) {
    if (uri.ends_with(suffix)) return true;
  }
  return false;
}

json::object* object_member(json::object& object, std::string_view name) {
  const auto it = object.find(name);
  return it != object.end() && it->value().is_object() ? &it->value().get_object() : nullptr;
}

json::array* array_member(json::object& object, std::string_view name) {
  const auto it = object.find(name);
  return it != object.end() && it->value().is_array() ? &it->value().get_array() : nullptr;
}

void drop_nulls(json::object& object) {
  for (auto it = object.begin(); it != object.end();) {
    it = it->value().is_null() ? object.erase(it) : it + 1;
  }
}

void normalize_uris(json::object& body, Violations& types, Violations& rules) {
  if (!body.contains("uris")) return;
  std::vector<std::string> uris;
  Fields(body, "", types).get("uris", uris);
  body.erase("uris");
  const json::array* fetch = array_member(body, "fetch");
  if (!uris.empty() && fetch && !fetch->empty()) {
    rules.add("/uris", "may not be set in conjunction with fetch");
    return;
  }
  if (uris.empty() && fetch) return;
  json::array entries;
  for (const std::string& uri : uris) {
    entries.push_back(json::object{{"uri", uri}, {"extract", is_archive(uri)}});
  }
  body["fetch"] = std::move(entries);
}

void normalize_ports(json::object& body, Violations& types, Violations& rules) {
  const auto it = body.find("ports");
  if (it == body.end()) return;
  if (!it->value().is_array()) {
    types.add("/ports", "error.expected.jsarray");
    body.erase(it);
    return;
  }
  json::array definitions;
  std::vector<int64_t> numbers;
  for (const json::value& port : it->value().get_array()) {
    int64_t number = 0;
    const std::string path = "/ports(" + std::to_string(numbers.size()) + ")";
    if (!base::json::to_int(port, number)) types.add(path, "error.expected.jsnumber");
    if (number < 0) types.add(path, "error.min");
    if (number > 65535) types.add(path, "error.max");
    if (number != 0 && std::find(numbers.begin(), numbers.end(), number) != numbers.end()) rules.add("/", "ports must be unique");
    numbers.push_back(number);
    definitions.push_back(json::object{{"port", number}, {"protocol", "tcp"}});
  }
  body.erase(it);
  if (const json::array* given = array_member(body, "portDefinitions")) {
    bool same = given->size() == numbers.size();
    for (size_t i = 0; same && i < numbers.size(); ++i) {
      int64_t number = 0;
      const json::value* port = base::json::find((*given)[i], "/port");
      same = port && base::json::to_int(*port, number) && number == numbers[i];
    }
    if (!same) rules.add("/", "cannot specify both ports and port definitions");
    return;
  }
  body["portDefinitions"] = std::move(definitions);
}

/// docker.portMappings moves up to the container.
void lift_port_mappings(json::object& container, json::object& docker, Violations& rules) {
  const auto it = docker.find("portMappings");
  if (it == docker.end()) return;
  json::value mappings = std::move(it->value());
  docker.erase(it);
  if (mappings.is_null()) return;
  if (const json::array* own = array_member(container, "portMappings"); own && !own->empty()) {
    if (mappings.is_array() && !mappings.get_array().empty()) {
      rules.add("/container", "cannot specify both portMappings and docker.portMappings");
    }
    return;
  }
  container["portMappings"] = std::move(mappings);
}

void set_network(json::object& body, std::string_view mode, std::string_view name,
                 json::value labels = {}) {
  json::object network{{"mode", mode}};
  if (!name.empty()) network["name"] = name;
  if (labels.is_object() && !labels.get_object().empty()) network["labels"] = std::move(labels);
  body["networks"] = json::array{std::move(network)};
}

struct IpAddress {
  bool present = false;
  std::string network_name;
  json::value labels;
  json::array ports;
};

IpAddress take_ip_address(json::object& body, Violations& types) {
  IpAddress ip;
  if (!body.contains("ipAddress")) return ip;
  Fields(body, "", types).get_object("ipAddress", [&](const Fields& fields) {
    ip.present = true;
    fields.get("networkName", ip.network_name);
    if (const json::value* labels = fields.find("labels")) ip.labels = *labels;
    fields.get_object("discovery", [&](const Fields& discovery) {
      discovery.get_objects("ports", [&](const Fields& port) {
        json::object mapping{{"protocol", "tcp"}};
        int64_t number = 0;
        std::string text;
        if (port.get_int("number", number, 0, 65535)) mapping["containerPort"] = number;
        if (port.get("name", text)) mapping["name"] = text;
        if (port.get("protocol", text)) mapping["protocol"] = text;
        if (const json::value* labels = port.find("labels")) mapping["labels"] = *labels;
        ip.ports.push_back(std::move(mapping));
      });
    });
  });
  body.erase("ipAddress");
  return ip;
}

void apply_ip_address(json::object& body, const IpAddress& ip, const AppDefaults& defaults,
                      Violations& rules) {
  const bool bridge = !ip.network_name.empty() && ip.network_name == defaults.bridge_name;
  set_network(body, bridge ? "container/bridge" : "container", bridge ? "" : ip.network_name,
              ip.labels);
  json::object* container = object_member(body, "container");
  if (!container) {
    body["container"] = json::object{{"type", "MESOS"}};
    container = object_member(body, "container");
  }
  if (ip.ports.empty()) return;
  const auto type = container->find("type");
  if (type == container->end() || !is_word(type->value(), "MESOS")) {
    rules.add("/ipAddress", "ipAddress/discovery is not allowed for Docker containers");
    return;
  }
  if (!container->contains("portMappings")) (*container)["portMappings"] = ip.ports;
}

void pad_port_mappings(json::object& body, json::object& container) {
  // Old definitions listed ports next to bridge networking; only their number means something.
  const json::array* ports = array_member(body, "portDefinitions");
  if (ports && !ports->empty()) {
    if (!container.contains("portMappings")) container["portMappings"] = json::array();
    if (json::array* mappings = array_member(container, "portMappings")) {
      while (mappings->size() < ports->size()) {
        mappings->push_back(json::object{{"containerPort", 0}, {"hostPort", 0}});
      }
    }
  }
  body.erase("portDefinitions");
}

void normalize_networks(json::object& body, const AppDefaults& defaults, Violations& types,
                        Violations& rules) {
  IpAddress ip = take_ip_address(body, types);
  if (const json::array* ports = array_member(body, "portDefinitions"); ip.present && ports && !ports->empty()) {
    rules.add("/", "cannot specify both an IP address and port");
  }
  const bool has_networks = body.contains("networks");
  json::object* container = object_member(body, "container");
  std::string docker_network;
  if (container) {
    drop_nulls(*container);
    if (json::object* docker = object_member(*container, "docker")) {
      drop_nulls(*docker);
      lift_port_mappings(*container, *docker, rules);
      Fields(*docker, "/container/docker", types).get("network", docker_network);
      docker_network = base::to_upper(docker_network);
      docker->erase("network");
    }
  }
  if (has_networks && (ip.present || !docker_network.empty())) {
    rules.add("/", ip.present ? "must not specify both networks and ipAddress"
                              : "must not specify both networks and container.docker.network");
    return;
  }
  if (docker_network == "HOST") {
    set_network(body, "host", "");
    container->erase("portMappings");
  } else if (docker_network == "BRIDGE") {
    set_network(body, "container/bridge", "");
    pad_port_mappings(body, *container);
  } else if (docker_network == "USER") {
    set_network(body, "container", ip.network_name, ip.labels);
    pad_port_mappings(body, *container);
  } else if (!docker_network.empty()) {
    rules.add("/container/docker/network", "unsupported network type " + docker_network);
  } else if (ip.present) {
    apply_ip_address(body, ip, defaults, rules);
  }
}

bool is_host_network(const json::object& body) {
  const auto it = body.find("networks");
  if (it == body.end() || !it->value().is_array() || it->value().get_array().empty()) return true;
  const json::value* mode = base::json::find(it->value().get_array().front(), "/mode");
  return mode && is_word(*mode, "host");
}

void default_network_names(json::object& body, const AppDefaults& defaults, Violations& rules) {
  json::array* networks = array_member(body, "networks");
  if (!networks) return;
  size_t index = 0;
  for (json::value& network : *networks) {
    const size_t i = index++;
    if (!network.is_object()) continue;
    json::object& object = network.get_object();
    const auto mode = object.find("mode");
    if (mode != object.end() && !is_word(mode->value(), "container")) continue;
    if (object.contains("name")) continue;
    if (defaults.network_name.empty()) {
      rules.add("/networks(" + std::to_string(i) + ")",
                "Network name must be specified when container network is selected.");
    } else {
      object["name"] = defaults.network_name;
    }
  }
}

void default_health_ports(json::object& body, bool has_ports) {
  json::array* checks = array_member(body, "healthChecks");
  if (!checks || !has_ports) return;
  for (json::value& check : *checks) {
    if (!check.is_object()) continue;
    json::object& object = check.get_object();
    const auto protocol = object.find("protocol");
    if (protocol != object.end() && is_word(protocol->value(), "COMMAND")) continue;
    drop_nulls(object);
    if (!object.contains("port") && !object.contains("portIndex")) object["portIndex"] = 0;
  }
}

}  // namespace

void normalize_app_update(json::object& body, const AppDefaults& defaults, Violations& types,
                          Violations& rules) {
  drop_nulls(body);
  normalize_uris(body, types, rules);
  normalize_ports(body, types, rules);
  normalize_networks(body, defaults, types, rules);
}

void normalize_app_defaults(json::object& body, const AppDefaults& defaults, Violations& rules) {
  const json::array* networks = array_member(body, "networks");
  if (!body.contains("networks") || (networks && networks->empty())) {
    body["networks"] = json::array{json::object{{"mode", "host"}}};
  }
  default_network_names(body, defaults, rules);
  bool has_ports = false;
  if (is_host_network(body)) {
    if (!body.contains("portDefinitions")) {
      body["portDefinitions"] =
          json::array{json::object{{"port", 0}, {"name", "default"}, {"protocol", "tcp"}}};
    }
    const json::array* ports = array_member(body, "portDefinitions");
    has_ports = ports && !ports->empty();
    if (json::object* container = object_member(body, "container")) {
      if (const json::array* mappings = array_member(*container, "portMappings");
          mappings && mappings->empty()) {
        container->erase("portMappings");
      }
    }
  } else {
    const json::array* ports = array_member(body, "portDefinitions");
    if (ports && ports->empty()) body.erase("portDefinitions");
    json::object* container = object_member(body, "container");
    if (!container && !body.contains("container")) {
      body["container"] = json::object{{"type", "MESOS"}};
      container = object_member(body, "container");
    }
    if (container && !container->contains("portMappings")) {
      (*container)["portMappings"] =
          json::array{json::object{{"containerPort", 0}, {"name", "default"}}};
    }
    const json::array* mappings = container ? array_member(*container, "portMappings") : nullptr;
    has_ports = mappings && !mappings->empty();
  }
  default_health_ports(body, has_ports);
}

std::optional<ApiError> read_app(const json::object& body, const App* current,
                                 std::string_view group, const AppDefaults& defaults, App& out) {
  Violations types, rules;
  json::object update = body;
  normalize_app_update(update, defaults, types, rules);
  for (const char* ignored : {"version", "versionInfo"}) update.erase(ignored);
  if (current) {
    auto stored = base::json::parse(render_app(*current));
    CHECK(stored.has_value() && stored->is_object());
    json::object merged = std::move(stored->get_object());
    const bool was_host = is_host_network(merged);
    for (auto& member : update) merged[member.key()] = member.value();
    const bool is_host = is_host_network(merged);
    if (was_host && !is_host && !update.contains("portDefinitions")) merged.erase("portDefinitions");
    if (!was_host && is_host && !update.contains("container")) {
      if (json::object* container = object_member(merged, "container")) {
        container->erase("portMappings");
      }
    }
    update = std::move(merged);
  }
  normalize_app_defaults(update, defaults, rules);
  // Dependencies are resolved against the app's group: its own id comes first.
  if (current) {
    update["id"] = current->id;
  } else if (const auto id = update.find("id"); id != update.end() && id->value().is_string()) {
    update["id"] = resolve_path(std::string_view(id->value().get_string()), group);
  }
  out = decode_app(update, defaults, types, rules);
  if (!types.empty()) return wrong_types(std::move(types));
  if (!rules.empty()) return not_valid(std::move(rules));
  return std::nullopt;
}

}  // namespace marathon
