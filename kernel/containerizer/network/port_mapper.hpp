#pragma once

// The plugin `mesos-cni-port-mapper` of the original, built in: it hands the network itself to its `delegate` and leads
// host ports into the container, here by the agent's own rules. With the delegate `bridge` and addresses of
// `host-local` no program runs at all.

#include <functional>
#include <memory>
#include <string>

#include "kernel/containerizer/network/chain.hpp"
#include "kernel/containerizer/network/firewall.hpp"

namespace containerizer::network {

/// The name server of a network, by its name, when that is at a loopback address of the machine; else empty.
using NameServers = std::function<std::string(const std::string&)>;

class PortMapper final : public Builtin {
 public:
  /// Chain and rules outlive it. `name_servers`: as for firewall_entry().
  PortMapper(const Chain& chain, Firewall& firewall, NameServers name_servers)
      : chain_(chain), firewall_(firewall), name_servers_(std::move(name_servers)) {}

  Result<std::string> add(const Link& link, const std::string& input, const CallContext& context) override;
  Status del(const Link& link, const std::string& input, const CallContext& context) override;
  Status check(const Link& link, const std::string& input, const CallContext& context) override;

 private:
  const Chain& chain_;
  Firewall& firewall_;
  NameServers name_servers_;
};

/// What the rules say of a link whose result is known: of any network its addresses, for the policy; of one of this
/// plugin also ports, hiding, and the way to a name server on the machine.
Result<FirewallEntry> firewall_entry(const Link& link, const NameServers& name_servers);

/// The name of its rules.
std::string firewall_key(const Link& link);

}  // namespace containerizer::network
