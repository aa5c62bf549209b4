#include "kernel/containerizer/network/config.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "base/file.hpp"
#include "base/json/value.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/network/request.hpp"

namespace containerizer::network {
namespace {

using base::json::Value;

constexpr uint64_t kMaxFile = 1 << 20;
constexpr size_t kMaxPlugins = 16, kMaxFiles = 1000;

Result<CniVersion> parse_version(const std::string& text) {
  const auto parts = base::split(text, '.');
  CniVersion version;
  int* const fields[] = {&version.major, &version.minor, &version.patch};
  bool good = parts.size() == 3;
  for (size_t i = 0; good && i < 3; ++i) {
    const auto number = base::parse_uint(parts[i]);
    good = number && *number < 1000;
    if (good) *fields[i] = static_cast<int>(*number);
  }
  if (!good) return base::invalid("cniVersion: '" + base::valid_utf8(text) + "' is no version such as 1.0.0");
  if (version > CniVersion{1, 0, 0})
    return base::unsupported("cniVersion: " + text + " is newer than what this build speaks, 0.1.0 to 1.0.0");
  return version;
}

Result<PluginConfig> parse_plugin(const Value& value) {
  if (!value.is_object()) return base::invalid("a plugin must be an object");
  PluginConfig plugin;
  ASSIGN_OR_RETURN(plugin.type, base::json::get_string(value, "/type"));
  // The type becomes a file name on the plugins' path.
  if (plugin.type.empty() || plugin.type.size() > 128 || plugin.type.find('/') != std::string::npos ||
      plugin.type[0] == '.')
    return base::invalid("type: '" + base::valid_utf8(plugin.type) + "' is no name of a plugin");
  if (base::json::find(value, "/args/org.apache.mesos") != nullptr)
    return base::invalid("args: 'org.apache.mesos' is reserved for what the agent passes to plugins");
  if (const Value* capabilities = base::json::find(value, "/capabilities")) {
    if (!capabilities->is_object()) return base::invalid("capabilities: must be an object");
    for (const auto& [name, wanted] : capabilities->get_object())
      if (wanted.is_bool() && wanted.get_bool()) plugin.capabilities.emplace_back(name);
  }
  plugin.json = base::json::render(value);
  return plugin;
}

}  // namespace

bool PluginConfig::can(std::string_view capability) const {
  return std::find(capabilities.begin(), capabilities.end(), capability) != capabilities.end();
}

Result<NetworkConfig> parse_network_config(std::string_view text) {
  ASSIGN_OR_RETURN(const Value value, base::json::parse(text, {.max_bytes = kMaxFile, .max_depth = 64}));
  if (!value.is_object()) return base::invalid("must be a JSON object");
  NetworkConfig config;
  ASSIGN_OR_RETURN(config.name, base::json::get_string(value, "/name"));
  if (!valid_network_name(config.name))
    return base::invalid("name: '" + base::valid_utf8(config.name) +
                         "' must be letters, digits, '_', '.' and '-', at most 64 of them");
  if (base::json::find(value, "/cniVersion") != nullptr) {
    ASSIGN_OR_RETURN(config.cni_version, base::json::get_string(value, "/cniVersion"));
  }
  ASSIGN_OR_RETURN(config.version, parse_version(config.cni_version));
  if (const auto disabled = base::json::get_bool(value, "/disableCheck")) config.disable_check = *disabled;
  config.text = text;
  const Value* plugins = base::json::find(value, "/plugins");
  if (plugins == nullptr) {
    ASSIGN_OR_RETURN(PluginConfig plugin, parse_plugin(value));
    config.plugins.push_back(std::move(plugin));
    return config;
  }
  if (!plugins->is_array() || plugins->get_array().empty())
    return base::invalid("plugins: must be a list with at least one");
  if (plugins->get_array().size() > kMaxPlugins) return base::invalid("plugins: more than 16");
  for (size_t i = 0; i < plugins->get_array().size(); ++i) {
    auto plugin = parse_plugin(plugins->get_array()[i]);
    if (!plugin) return plugin.error().with_context("plugins[" + std::to_string(i) + "]");
    config.plugins.push_back(std::move(*plugin));
  }
  return config;
}

Configured load_networks(const std::string& directory) {
  Configured out;
  const auto names = base::list_directory(directory);
  if (!names) {
    out.problems.push_back(names.error().message);
    return out;
  }
  std::map<std::string, std::string> files;  // by network
  std::set<std::string> twice;
  size_t count = 0;
  for (const auto& name : *names) {
    // The original reads every file whatever its name; what editors and package managers leave is no network.
    if (name.starts_with('.') || name.ends_with('~') || name.ends_with(".bak") ||
        name.find(".dpkg-") != std::string::npos)
      continue;
    if (++count > kMaxFiles) {
      out.problems.push_back("more than 1000 files: the rest is not read");
      break;
    }
    const auto text = base::read_file(directory + "/" + name, kMaxFile);
    auto config = text ? parse_network_config(*text) : Result<NetworkConfig>(text.error());
    if (!config) {
      out.problems.push_back(name + ": " + config.error().message);
      continue;
    }
    const auto [other, fresh] = files.emplace(config->name, name);
    if (!fresh) {
      out.problems.push_back("the network '" + config->name + "' is in " + other->second + " and in " + name +
                             ": neither counts");
      twice.insert(config->name);
      continue;
    }
    std::string key = config->name;
    out.networks.emplace(std::move(key), std::move(*config));
  }
  for (const auto& name : twice) out.networks.erase(name);
  return out;
}

}  // namespace containerizer::network
