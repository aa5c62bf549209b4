#pragma once

// From tasks to virtual services (pure): which labels ask for one, where the task serves it, with which weight.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/json/value.hpp"
#include "base/result.hpp"
#include "l4lb/types.hpp"

namespace l4lb {

struct DiscoveryPort {
  uint64_t number = 0;
  std::string protocol;
  std::vector<std::pair<std::string, std::string>> labels;
};

struct PortMapping {
  uint64_t host_port = 0;
  uint64_t container_port = 0;
  std::string protocol;  // empty: tcp
};

/// What the agent's stream says about one task.
struct Task {
  std::string framework_id, framework_name, id, name, state;
  std::optional<bool> healthy;
  bool has_health_check = false;
  std::vector<uint64_t> ports;  // of its resources, in order
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<DiscoveryPort> discovery;
  std::vector<Address> addresses;  // of its container; empty: the agent's
  std::vector<PortMapping> mappings;

  std::pair<std::string, std::string> key() const { return {framework_id, id}; }
};

/// Reads one task of the stream. Unknown fields are kept out, wrong types are an error that names the field.
base::Result<Task> decode_task(const base::json::Value& value);

/// A service of a task. `local` is the address to use on the machine of the task itself, where it differs.
struct Service {
  VipId vip;
  Backend backend;
  std::optional<Endpoint> local;
  auto operator<=>(const Service&) const = default;
};

struct Services {
  std::vector<Service> list;
  std::vector<std::string> problems;  // labels that say nothing usable, in words
};

/// Every service of the task on the agent with that address. A bad label spoils itself only.
Services services_of(const Task& task, const Address& agent);

/// "/l4lbtest:5000" in framework "marathon" -> "l4lbtest.marathon.l4lb.thisdcos.directory" and 5000.
base::Result<VipId> parse_vip(std::string_view text, Protocol protocol, std::string_view framework);

/// Lower case; letters, digits, dashes and separating dots stay, '_' becomes a dash, everything else vanishes.
std::string domain_fragment(std::string_view text);

}  // namespace l4lb
