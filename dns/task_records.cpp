#include "dns/task_records.hpp"

#include <algorithm>

#include "base/strings.hpp"

namespace dns {
namespace {

constexpr size_t kMaxPorts = 1000;  // SRV records of one task

/// The addresses of the first source that has any.
const std::vector<Address>& addresses_of(const Task& task, const std::vector<Address>& agent,
                                         const std::vector<IpSource>& sources) {
  static const std::vector<Address> none;
  for (const IpSource source : sources) {
    const std::vector<Address>* found = nullptr;
    switch (source) {
      case IpSource::NetInfo: found = &task.netinfo; break;
      case IpSource::Mesos: found = &task.mesos_label; break;
      case IpSource::Docker: found = &task.docker_label; break;
      case IpSource::Host: found = &agent; break;
    }
    if (!found->empty()) return *found;
  }
  return none;
}

void append_addresses(std::vector<Record>& out, const std::string& name, const std::vector<Address>& addresses) {
  if (!is_valid_name(name)) return;
  for (const Address& address : addresses) append_address(out, name, address);
}

void append_srv(std::vector<Record>& out, const std::string& name, uint32_t port, const std::string& target) {
  if (port == 0 || port > 65535 || !is_valid_name(name) || !is_valid_name(target)) return;
  out.push_back({name, Kind::SRV, srv_data(static_cast<uint16_t>(port), target)});
}

/// The records under one spelling of the task's label.
void append_under(const std::string& label, const Task& task, const std::string& framework,
                  const std::vector<Address>& agent, const RecordRules& rules, std::vector<Record>& out) {
  const std::string& domain = rules.domain;
  const std::string canonical = label + "-" + hash_label(task.id) + "-" + agent_tail(task.agent_id) + "." + framework;
  const std::string plain = label + "." + framework;
  const std::vector<Address>& own = addresses_of(task, agent, rules.sources);
  append_addresses(out, plain + "." + domain, own);
  append_addresses(out, canonical + "." + domain, own);
  append_addresses(out, plain + ".slave." + domain, agent);
  append_addresses(out, canonical + ".slave." + domain, agent);

  const bool discovery = !task.discovery_name.empty();
  const std::string slave_target = canonical + ".slave." + domain;
  size_t ports = 0;
  for (const auto& [first, last] : task.ports) {
    for (uint32_t port = first; port <= last && ports < kMaxPorts; ++port, ++ports) {
      for (const char* protocol : {"._tcp.", "._udp."}) {
        const std::string owner = "_" + label + protocol + framework;
        append_srv(out, owner + ".slave." + domain, port, slave_target);
        if (!discovery) append_srv(out, owner + "." + domain, port, slave_target);
      }
    }
  }
  for (const DiscoveryPort& port : task.discovery_ports) {
    if (!discovery) break;
    const std::string protocol = sanitize_label(port.protocol, rules.labels);
    const std::string name = sanitize_label(port.name, rules.labels);
    const std::vector<std::string> protocols =
        protocol.empty() ? std::vector<std::string>{"tcp", "udp"} : std::vector<std::string>{protocol};
    for (const std::string& each : protocols) {
      const std::string owner = "_" + label + "._" + each + "." + framework + "." + domain;
      append_srv(out, owner, port.number, canonical + "." + domain);
      if (!name.empty()) append_srv(out, "_" + name + "." + owner, port.number, canonical + "." + domain);
    }
  }
}

}  // namespace

void append_address(std::vector<Record>& out, std::string name, const Address& address) {
  out.push_back({std::move(name), address.v6 ? Kind::AAAA : Kind::A, std::string(address.wire())});
}

void append_task_records(const Task& task, const std::string& framework, const std::vector<Address>& agent,
                         const RecordRules& rules, std::vector<Record>& out) {
  const auto start = static_cast<ptrdiff_t>(out.size());
  const std::string& name = task.discovery_name.empty() ? task.name : task.discovery_name;
  const std::string label = sanitize_label(name, rules.labels);
  const std::string fragment = sanitize_domain(framework, rules.labels);
  if (!label.empty() && !fragment.empty()) append_under(label, task, fragment, agent, rules, out);
  // Discovery names are asked for as they are, too.
  const std::string raw = base::to_lower(task.discovery_name);
  if (!raw.empty() && raw != label && is_valid_name(raw) && !fragment.empty()) {
    append_under(raw, task, fragment, agent, rules, out);
  }

  const std::string framework_label = sanitize_label(framework, LabelRules::Rfc1123);
  const std::string one_label = sanitize_label(name, LabelRules::Rfc1123);
  if (!one_label.empty() && !framework_label.empty()) {
    const std::string head = one_label + "." + framework_label;
    const std::vector<Address>& container = task.netinfo.empty() ? agent : task.netinfo;
    const std::vector<Address>& automatic = task.port_mapping ? agent : container;
    append_addresses(out, head + ".agentip." + std::string(kDcosDomain), agent);
    append_addresses(out, head + ".containerip." + std::string(kDcosDomain), container);
    append_addresses(out, head + ".autoip." + std::string(kDcosDomain), automatic);
  }
  std::sort(out.begin() + start, out.end());
  out.erase(std::unique(out.begin() + start, out.end()), out.end());
}

}  // namespace dns
