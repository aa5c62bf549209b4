#include "l4lb/vips.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace l4lb {
namespace {

constexpr size_t kMaxLabel = 63;
constexpr size_t kMaxName = 200;  // leaves room for the zone within the 253 characters of a DNS name

std::string_view trim_dashes(std::string_view text) {
  while (text.starts_with('-')) text.remove_prefix(1);
  while (text.ends_with('-')) text.remove_suffix(1);
  return text;
}

/// One piece between dots, at most 63 characters. Where dashes at the cut shorten the head, what follows them fills up.
std::string fit_label(std::string_view text) {
  while (text.starts_with('-')) text.remove_prefix(1);
  if (text.size() <= kMaxLabel) return std::string(trim_dashes(text));
  const std::string_view head = trim_dashes(text.substr(0, kMaxLabel));
  if (head.size() == kMaxLabel) return std::string(head);
  std::string_view tail = text.substr(kMaxLabel);
  while (tail.starts_with('-')) tail.remove_prefix(1);
  std::string out(head);
  out += tail.substr(0, kMaxLabel - head.size());
  return std::string(trim_dashes(out));
}

bool usable(const Address& address) {
  if (address.loopback()) return false;
  if (address.v4()) return address.bytes[0] != 0 && address.bytes[0] < 224;
  return address.bytes[0] != 0xff &&
         std::any_of(address.bytes.begin(), address.bytes.end(), [](uint8_t b) { return b != 0; });
}

std::optional<Protocol> parse_protocol(std::string_view text) {
  if (base::iequals(text, "tcp") || text.empty()) return Protocol::Tcp;
  if (base::iequals(text, "udp")) return Protocol::Udp;
  return std::nullopt;
}

bool listed(const Task& task) { return task.state == "TASK_RUNNING" || task.state == "TASK_KILLING"; }

uint8_t weight_of(const Task& task) {
  if (task.state != "TASK_RUNNING") return 0;
  // A check that has not told anything yet has not succeeded either.
  return task.healthy.value_or(!task.has_health_check) ? 1 : 0;
}

bool host_scope(const DiscoveryPort& port) {
  for (const auto& [key, value] : port.labels)
    if (base::iequals(key, "network-scope")) return base::iequals(value, "host");
  return false;
}

/// Gathers the backends of one port under one VIP.
class Collector {
 public:
  Collector(const Task& task, const Address& agent, Services& out) : task_(task), agent_(agent), out_(out) {}

  /// The host's port, and the container's behind it where one is known.
  void host_port(const VipId& vip, uint64_t port, const PortMapping* mapping) {
    Service service{vip, {{agent_, static_cast<uint16_t>(port)}, agent_, weight_of(task_)}, std::nullopt};
    // Directly to the container on its own machine: a translated packet is not translated twice.
    if (mapping)
      for (const Address& address : task_.addresses)
        if (address != agent_ && address.family == agent_.family)
          service.local = Endpoint{address, static_cast<uint16_t>(mapping->container_port)};
    add(std::move(service));
  }

  void container_port(const VipId& vip, uint64_t port) {
    if (task_.addresses.empty()) return host_port(vip, port, nullptr);
    for (const Address& address : task_.addresses)
      add({vip, {{address, static_cast<uint16_t>(port)}, agent_, weight_of(task_)}, std::nullopt});
  }

 private:
  void add(Service service) {
    // A literal address takes only backends of its own family.
    if (const auto literal = parse_address(service.vip.host);
        literal && literal->family != service.backend.endpoint.address.family)
      return;
    if (std::find(out_.list.begin(), out_.list.end(), service) == out_.list.end())
      out_.list.push_back(std::move(service));
  }

  const Task& task_;
  const Address& agent_;
  Services& out_;
};

const PortMapping* mapping_of(const Task& task, uint64_t port, Protocol protocol, bool host) {
  for (const PortMapping& mapping : task.mappings)
    if ((host ? mapping.host_port : mapping.container_port) == port && parse_protocol(mapping.protocol) == protocol)
      return &mapping;
  return nullptr;
}

void from_discovery(const Task& task, Collector& collector, Services& out) {
  for (const DiscoveryPort& port : task.discovery) {
    for (const auto& [key, value] : port.labels) {
      if (!key.starts_with("VIP") && !key.starts_with("vip")) continue;
      for (const auto protocol_text : base::split(port.protocol, ',')) {
        const auto protocol = parse_protocol(base::trim(protocol_text));
        if (!protocol) {
          out.problems.push_back(
              fmt::format("task {}: protocol {} of a VIP is neither tcp nor udp", task.id, protocol_text));
          continue;
        }
        const auto vip = parse_vip(value, *protocol, task.framework_name);
        if (!vip || port.number == 0 || port.number > 65535) {
          out.problems.push_back(fmt::format("task {}: label {}={}: {}", task.id, key, value,
                                             vip ? std::string("the port has no number") : vip.error().message));
          continue;
        }
        if (host_scope(port)) {
          collector.host_port(*vip, port.number, mapping_of(task, port.number, *protocol, true));
        } else if (const PortMapping* mapping = mapping_of(task, port.number, *protocol, false);
                   mapping && mapping->host_port > 0 && mapping->host_port <= 65535) {
          collector.host_port(*vip, mapping->host_port, mapping);
        } else {
          collector.container_port(*vip, port.number);
        }
      }
    }
  }
}

/// vip_PORT0=tcp://1.2.3.4:80 of old app definitions.
void from_labels(const Task& task, Collector& collector, Services& out) {
  for (const auto& [key, value] : task.labels) {
    const std::string lower = base::to_lower(key);
    if (!lower.starts_with("vip_port")) continue;
    const auto index = base::parse_uint(std::string_view(lower).substr(8));
    const size_t slashes = value.find("://");
    const auto protocol = slashes == std::string::npos ? std::nullopt : parse_protocol(value.substr(0, slashes));
    if (!index || *index >= task.ports.size() || !protocol || slashes == 0) {
      out.problems.push_back(fmt::format(
          "task {}: label {}={}: must be vip_PORT<index of a port of the task>=tcp://<name or address>:<port>", task.id,
          key, value));
      continue;
    }
    const auto vip = parse_vip(std::string_view(value).substr(slashes + 3), *protocol, task.framework_name);
    if (!vip) {
      out.problems.push_back(fmt::format("task {}: label {}={}: {}", task.id, key, value, vip.error().message));
      continue;
    }
    collector.host_port(*vip, task.ports[*index], mapping_of(task, task.ports[*index], *protocol, true));
  }
}

}  // namespace

std::string domain_fragment(std::string_view text) {
  std::vector<std::string> labels;
  for (const std::string_view piece : base::tokenize(text, '.')) {
    std::string kept;
    for (const char c : base::to_lower(piece)) {
      if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-') kept.push_back(c);
      if (c == '_') kept.push_back('-');
    }
    if (std::string label = fit_label(kept); !label.empty()) labels.push_back(std::move(label));
  }
  return base::join(labels, ".");
}

base::Result<VipId> parse_vip(std::string_view text, Protocol protocol, std::string_view framework) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return base::invalid("must be name:port or address:port");
  const auto port = base::parse_uint(text.substr(colon + 1));
  if (!port || *port == 0 || *port > 65535) return base::invalid("the port must be a number from 1 to 65535");
  VipId vip{"", protocol, static_cast<uint16_t>(*port)};
  std::string_view host = text.substr(0, colon);
  std::string_view literal = host.starts_with('/') ? host.substr(1) : host;
  if (const auto address = parse_address(literal)) {
    if (!usable(*address)) return base::invalid("this address cannot be a virtual one");
    vip.host = render(*address);
    return vip;
  }
  const std::string name = domain_fragment(host);
  const std::string owner = domain_fragment(framework);
  if (name.empty()) return base::invalid("nothing of the name may stand in a DNS name");
  if (owner.empty()) return base::invalid("nothing of the framework's name may stand in a DNS name");
  if (name.size() + owner.size() > kMaxName) return base::invalid("the name is too long");
  vip.host = fmt::format("{}.{}.{}", name, owner, kZone);
  return vip;
}

Services services_of(const Task& task, const Address& agent) {
  Services out;
  if (!listed(task)) return out;
  Collector collector(task, agent, out);
  from_discovery(task, collector, out);
  from_labels(task, collector, out);
  return out;
}

}  // namespace l4lb
