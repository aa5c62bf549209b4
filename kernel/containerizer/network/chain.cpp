#include "kernel/containerizer/network/chain.hpp"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "base/json/proto.hpp"
#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/network/program.hpp"

namespace containerizer::network {
namespace {

namespace json = boost::json;

// Not the agent's own: plugins look for tools of the machine, such as iptables.
constexpr const char* kProgramPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

json::object runtime_config(const Wish& wish, const PluginConfig& plugin) {
  json::object out;
  if (plugin.can("portMappings") && wish.info.port_mappings_size() > 0) {
    json::array mappings;
    for (const auto& mapping : wish.info.port_mappings())
      mappings.push_back({{"hostPort", mapping.host_port()},
                          {"containerPort", mapping.container_port()},
                          {"protocol", mapping.protocol().empty() ? "tcp" : base::to_lower(mapping.protocol())}});
    out["portMappings"] = std::move(mappings);
  }
  if (plugin.can("ips")) {
    json::array addresses;
    for (const auto& address : wish.info.ip_addresses())
      if (!address.ip_address().empty()) addresses.emplace_back(address.ip_address());
    if (!addresses.empty()) out["ips"] = std::move(addresses);
  }
  if (plugin.can("mac") && !wish.mac.empty()) out["mac"] = wish.mac;
  return out;
}

}  // namespace

std::string render_plugin_input(const Link& link, const PluginConfig& plugin, const std::string& previous) {
  // Both were parsed when the configuration was read.
  json::object input = json::parse(plugin.json).as_object();
  input["name"] = link.config.name;
  input["cniVersion"] = link.config.cni_version;
  if (!previous.empty())
    if (auto value = base::json::parse(previous)) input["prevResult"] = std::move(*value);
  if (json::object runtime = runtime_config(link.wish, plugin); !runtime.empty())
    input["runtimeConfig"] = std::move(runtime);
  auto& args = input["args"];
  if (!args.is_object()) args = json::object();
  if (auto info = base::json::parse(base::json::proto_to_json(link.wish.info)))
    args.get_object()["org.apache.mesos"] = json::object{{"network_info", std::move(*info)}};
  return base::json::render(input);
}

std::string Chain::find_program(const std::string& type) const {
  for (const auto directory : base::tokenize(options_.search_path, ':')) {
    std::string path = std::string(directory) + "/" + type;
    struct stat info;
    if (stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

Status Chain::find_plugins(const NetworkConfig& config) const {
  for (const auto& plugin : config.plugins)
    if (!builtins_.contains(plugin.type) && find_program(plugin.type).empty())
      return base::not_found(
          "the plugin '" + plugin.type + "' of the network '" + config.name + "' is not in " +
          (options_.search_path.empty() ? "any directory: give --network_cni_plugins_dir" : options_.search_path));
  return {};
}

Result<std::string> Chain::call_program(const char* verb, const std::string& type, const Link& link,
                                        const std::string& input, const CallContext& context) const {
  ProgramRun run;
  run.path = find_program(type);
  if (run.path.empty()) return base::not_found("the plugin '" + type + "' is not in " + options_.search_path);
  run.environment = {{"CNI_COMMAND", verb},
                     {"CNI_CONTAINERID", link.container},
                     {"CNI_IFNAME", link.interface},
                     {"CNI_PATH", options_.search_path},
                     {"PATH", kProgramPath}};
  // After a reboot there is no namespace any more, and DEL is called without.
  if (!link.network_file.empty()) run.environment["CNI_NETNS"] = link.network_file;
  run.input = input;
  run.timeout = options_.timeout;
  run.cancel_fd = context.cancel_fd;
  run.held_fd = context.held_fd;
  const std::string who = "the CNI plugin '" + type + "' (" + verb + ")";
  auto end = run_program(run);
  if (!end) return end.error().code == base::Code::Cancelled ? end.error() : end.error().with_context(who);
  if (WIFEXITED(end->status) && WEXITSTATUS(end->status) == 0) return std::move(end->output);
  const std::string how = WIFEXITED(end->status) ? "exited with status " + std::to_string(WEXITSTATUS(end->status))
                                                 : std::string("was ended by ") + strsignal(WTERMSIG(end->status));
  return base::internal(who + " " + how + ": " + describe_cni_error(end->output, end->error_output));
}

Result<std::string> Chain::call(const char* verb, const PluginConfig& plugin, const Link& link,
                                const std::string& previous, const CallContext& context) {
  const std::string input = render_plugin_input(link, plugin, previous);
  const auto builtin = builtins_.find(plugin.type);
  if (builtin == builtins_.end()) return call_program(verb, plugin.type, link, input, context);
  if (strcmp(verb, "ADD") == 0) return builtin->second->add(link, input, context);
  const Status done = strcmp(verb, "DEL") == 0 ? builtin->second->del(link, input, context)
                                               : builtin->second->check(link, input, context);
  if (!done) return done.error();
  return std::string();
}

Result<CniResult> Chain::add(Link& link, const CallContext& context) {
  std::string previous;
  for (const auto& plugin : link.config.plugins) {
    ASSIGN_OR_RETURN(std::string printed, call("ADD", plugin, link, previous, context));
    if (auto parsed = parse_cni_result(printed, link.interface); !parsed)
      return base::internal("the CNI plugin '" + plugin.type + "' (ADD) printed what is no result: " +
                            parsed.error().message + "; " + describe_cni_error(printed, ""));
    // A plugin that prints nothing has nothing to add to what was before it.
    if (!base::trim(printed).empty()) previous = std::move(printed);
  }
  link.result = previous;
  return parse_cni_result(previous, link.interface);
}

Status Chain::del(const Link& link, const CallContext& context) {
  Status first;
  for (auto plugin = link.config.plugins.rbegin(); plugin != link.config.plugins.rend(); ++plugin) {
    const bool knows = link.config.version >= CniVersion{0, 4, 0};
    auto done = call("DEL", *plugin, link, knows ? link.result : std::string(), context);
    if (!done && first) first = done.error();
  }
  return first;
}

Status Chain::check(const Link& link, const CallContext& context) {
  if (link.config.version < CniVersion{0, 4, 0} || link.config.disable_check) return {};
  for (const auto& plugin : link.config.plugins) {
    auto done = call("CHECK", plugin, link, link.result, context);
    if (!done) return done.error();
  }
  return {};
}

}  // namespace containerizer::network
