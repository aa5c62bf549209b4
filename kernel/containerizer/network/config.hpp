#pragma once

// Configurations of networks as the Container Network Interface (CNI) has them, versions 0.1.0 to 1.0.0: files *.conf
// and
// *.json with one plugin, *.conflist with a chain of them. Read again at each launch, so that an operator adds, changes
// and removes networks without a restart.

#include <boost/json/fwd.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernel/containerizer/types.hpp"

namespace containerizer::network {

/// "0.4.0" is {0, 4, 0}.
struct CniVersion {
  int major = 0, minor = 0, patch = 0;
  auto operator<=>(const CniVersion&) const = default;
};

struct PluginConfig {
  std::string type;                         // name of the program
  std::string json;                         // its object, as the file has it
  std::vector<std::string> capabilities{};  // "portMappings", "ips", "mac", "dns": what it wants to be told
  bool can(std::string_view capability) const;
};

struct NetworkConfig {
  std::string name;
  std::string cni_version = "0.1.0";  // as the specification has it for files without one
  CniVersion version{0, 1, 0};
  bool disable_check = false;
  std::vector<PluginConfig> plugins{};  // never empty
  std::string text{};                   // the file's content: goes into the record of a container
};

/// Errors name what is wrong.
Result<NetworkConfig> parse_network_config(std::string_view text);

struct Configured {
  std::map<std::string, NetworkConfig> networks{};
  std::vector<std::string> problems{};  // files left out, and why; names that are given twice
};

/// All networks of a directory. A file that is none is left out and told in `problems`; a name that two files give is
/// nobody's.
Configured load_networks(const std::string& directory);

}  // namespace containerizer::network
