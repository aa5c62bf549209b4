#pragma once

// What plugins print (pure): results of ADD in the forms of versions 0.1.0 to 1.0.0, and errors.

#include <string>
#include <vector>

#include "kernel/containerizer/container_dns.hpp"
#include "kernel/containerizer/types.hpp"

namespace containerizer::network {

struct GivenAddress {
  std::string address;  // without prefix
  unsigned prefix = 0;
  bool v6 = false;
  bool operator==(const GivenAddress&) const = default;
};

struct CniResult {
  std::vector<GivenAddress> addresses{};  // of the container's interface, in the plugin's order
  std::vector<std::string> host_links{};  // interfaces on the machine's side
  DnsSettings dns{};
};

/// `interface`: the container's, whose addresses count when the result tells several apart. An empty text is a result
/// of a plugin that had nothing to add.
Result<CniResult> parse_cni_result(std::string_view text, const std::string& interface);

/// "no address is left (code 11: pool exhausted)" of a plugin's error object; else the text itself, cut to a bearable
/// length.
std::string describe_cni_error(std::string_view output, std::string_view error_output);

}  // namespace containerizer::network
