#include "kernel/containerizer/network/port_mapper.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/network/bridge.hpp"

namespace containerizer::network {
namespace {

constexpr const char* kType = "mesos-cni-port-mapper";

struct Delegate {
  std::string type, input;
  std::optional<BridgeConfig> bridge;  // built in
};

/// `input` is the port mapper's: the delegate gets its own configuration, and name, version, args and the rest from
/// there.
Result<Delegate> read_delegate(const std::string& input) {
  ASSIGN_OR_RETURN(const base::json::Value value, base::json::parse(input));
  const base::json::Value* inner = base::json::find(value, "/delegate");
  if (inner == nullptr || !inner->is_object())
    return base::invalid("mesos-cni-port-mapper: delegate: is required, an object");
  Delegate out;
  ASSIGN_OR_RETURN(out.type, base::json::get_string(*inner, "/type"));
  if (out.type.empty() || out.type.find('/') != std::string::npos || out.type[0] == '.')
    return base::invalid("mesos-cni-port-mapper: delegate.type is no name of a plugin");
  boost::json::object own = inner->get_object();
  for (const char* name : {"name", "cniVersion", "args", "runtimeConfig", "prevResult"})
    if (const auto* given = value.get_object().if_contains(name)) own[name] = *given;
  out.input = base::json::render(own);
  if (out.type == "bridge") {
    auto bridge = parse_bridge(out.input);
    if (!bridge) return bridge.error().with_context("delegate");
    out.bridge = std::move(*bridge);
  }
  return out;
}

bool mapped(const NetworkConfig& config) {
  return std::any_of(config.plugins.begin(), config.plugins.end(),
                     [](const auto& plugin) { return plugin.type == kType; });
}

}  // namespace

std::string firewall_key(const Link& link) { return link.container + "/" + link.interface; }

Result<FirewallEntry> firewall_entry(const Link& link, const NameServers& name_servers) {
  FirewallEntry entry;
  entry.info = link.wish.info;
  ASSIGN_OR_RETURN(const CniResult result, parse_cni_result(link.result, link.interface));
  entry.addresses = result.addresses;
  for (const auto& name : result.host_links)
    if (name.starts_with("veth")) entry.host_links.push_back(name);  // others may be more than this container's
  if (!mapped(link.config)) return entry;
  for (const auto& mapping : link.wish.info.port_mappings())
    entry.ports.push_back({base::iequals(mapping.protocol(), "udp"), static_cast<uint16_t>(mapping.host_port()),
                           static_cast<uint16_t>(mapping.container_port())});
  for (const auto& plugin : link.config.plugins) {
    if (plugin.type != kType) continue;
    ASSIGN_OR_RETURN(const Delegate delegate, read_delegate(render_plugin_input(link, plugin, "")));
    if (!delegate.bridge) continue;
    entry.bridge = delegate.bridge->bridge;
    entry.masquerade = delegate.bridge->masquerade;
    entry.name_server = name_servers(link.config.name);
    const bool gateway = delegate.bridge->gateway || delegate.bridge->default_gateway;
    for (const auto& set : delegate.bridge->ipam.sets) {
      if (gateway && entry.gateway.empty() && !set.front().gateway.v6) entry.gateway = set.front().gateway.text();
      for (const auto& range : set) entry.subnets.push_back(range.subnet.text());
    }
  }
  return entry;
}

Result<std::string> PortMapper::add(const Link& link, const std::string& input, const CallContext& context) {
  ASSIGN_OR_RETURN(const Delegate delegate, read_delegate(input));
  Link done = link;
  if (delegate.bridge) {
    ASSIGN_OR_RETURN(const BridgePort port, add_bridge_port(*delegate.bridge, link));
    done.result = render_bridge_result(*delegate.bridge, link, port);
  } else {
    ASSIGN_OR_RETURN(done.result, chain_.call_program("ADD", delegate.type, link, delegate.input, context));
  }
  ASSIGN_OR_RETURN(FirewallEntry entry, firewall_entry(done, name_servers_));
  RETURN_IF_ERROR(firewall_.set(firewall_key(link), std::move(entry)));
  return done.result;
}

Status PortMapper::del(const Link& link, const std::string& input, const CallContext& context) {
  const Status rules = firewall_.remove(firewall_key(link));
  ASSIGN_OR_RETURN(const Delegate delegate, read_delegate(input));
  if (delegate.bridge) {
    RETURN_IF_ERROR(remove_bridge_port(*delegate.bridge, link));
  } else {
    auto called = chain_.call_program("DEL", delegate.type, link, delegate.input, context);
    if (!called) return called.error();
  }
  return rules;
}

Status PortMapper::check(const Link& link, const std::string& input, const CallContext& context) {
  if (!firewall_.has(firewall_key(link))) return base::not_found("the rules of its host ports are gone");
  ASSIGN_OR_RETURN(const Delegate delegate, read_delegate(input));
  if (delegate.bridge) return check_bridge_port(*delegate.bridge, link);
  auto called = chain_.call_program("CHECK", delegate.type, link, delegate.input, context);
  if (!called) return called.error();
  return {};
}

}  // namespace containerizer::network
