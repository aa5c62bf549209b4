#pragma once

// Who may open connections to whom (pure): rules over the labels of networks, our own addition. The first rule that
// names both ends decides; without one everything is allowed. docs/operations/container-networks.md has the form.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernel/containerizer/containerizer.hpp"
#include "kernel/containerizer/types.hpp"

namespace containerizer::network {

struct Selector {
  std::map<std::string, std::string> labels{};  // all of them
  std::string network{};                        // empty: any
  bool matches(const mesos::v1::NetworkInfo& info) const;
};

struct PolicyRule {
  std::optional<Selector> from{}, to{};  // absent: anyone, outside too
  struct Ports {
    bool udp = false;
    uint16_t first = 0, last = 0;
  };
  std::vector<Ports> ports{};  // of the one who is connected to; none: everything
  bool allow = true;
};

struct Policy {
  std::vector<PolicyRule> rules{};
  bool empty() const { return rules.empty(); }

  /// Errors name the place: "rules[2].ports[0]: ...".
  static Result<Policy> parse(std::string_view json);
};

}  // namespace containerizer::network
