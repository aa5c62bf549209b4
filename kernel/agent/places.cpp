#include "kernel/agent/places.hpp"

#include <algorithm>

#include "base/file.hpp"
#include "base/json/value.hpp"
#include "base/json/writer.hpp"

#include <boost/json.hpp>

namespace agent {
namespace {

constexpr const char* kFlags[] = {
    "runtime_dir", "launcher", "isolation", "cgroups_hierarchy", "cgroups_root", "image_providers", "docker_store_dir",
    "network_cni_config_dir", "network_cni_plugins_dir", "network_cni_root_dir_persist", "network_policy", "default_container_dns",
    "xfs_project_range", "csi_plugin_config_dir"};

std::string kept_path(const std::string& work_dir) { return work_dir + "/meta/flags.json"; }

}  // namespace

std::string runtime_directory(const Flags& flags) { return flags.runtime_dir.value_or(flags.work_dir + "/run"); }
std::string containers_directory(const Flags& flags) { return runtime_directory(flags) + "/containers"; }
std::string image_store(const Flags& flags) { return flags.docker_store_dir.value_or(flags.work_dir + "/store/docker"); }
std::string lock_path(const std::string& work_dir) { return work_dir + "/meta/agent.lock"; }
std::string store_path(const std::string& work_dir) { return work_dir + "/meta/agent.db"; }

base::Result<containerizer::network::NetworkOptions> network_options(const Flags& flags, containerizer::ContainerDns dns) {
  containerizer::network::NetworkOptions out;
  out.config_directory = flags.network_cni_config_dir.value_or("");
  out.plugins_path = flags.network_cni_plugins_dir.value_or("");
  out.directory = (flags.network_cni_root_dir_persist ? flags.work_dir : runtime_directory(flags)) + "/isolators/network/cni";
  out.durable = flags.network_cni_root_dir_persist;
  // A runtime directory elsewhere may be gone after a reboot, while addresses of containers are still taken.
  if (!flags.network_cni_root_dir_persist && !runtime_directory(flags).starts_with(flags.work_dir + "/"))
    out.memory = flags.work_dir + "/isolators/network/remembered";
  out.timeout = flags.network_cni_plugin_timeout;
  out.bridge = flags.docker_bridge_network;
  out.dns = std::move(dns);
  if (flags.network_policy) {
    ASSIGN_OR_RETURN(out.policy, containerizer::network::Policy::parse(*flags.network_policy));
  }
  return out;
}

base::Status keep_places(const Flags& flags) {
  const auto effective = flags.effective();
  std::string text;
  base::json::Writer w(text);
  w.begin_object();
  for (const char* name : kFlags)
    if (const auto found = effective.find(name); found != effective.end()) w.field(name, found->second);
  w.end_object();
  const std::string path = kept_path(flags.work_dir);
  if (base::read_file(path, 1 << 20).value_or("") == text) return {};
  return base::write_file_atomic(path, text, 0600);
}

base::Status read_places(const std::string& work_dir, const std::vector<std::string>& words, Flags& flags) {
  auto text = base::read_file(kept_path(work_dir), 1 << 20);
  if (!text) return base::not_found("no agent ever ran with --work_dir=" + work_dir + ": " + text.error().message);
  ASSIGN_OR_RETURN(const base::json::Value kept, base::json::parse(*text));
  if (!kept.is_object()) return base::Error{base::Code::Corrupt, kept_path(work_dir) + " is no JSON object"};
  // Where the master is matters to no look at the machine.
  std::vector<std::string> all = {"dcos-agent", "--master=127.0.0.1:0", "--work_dir=" + work_dir};
  for (const auto& [name, value] : kept.get_object()) {
    const std::string flag = "--" + std::string(name);
    const bool given = std::any_of(words.begin(), words.end(), [&](const auto& word) { return word.starts_with(flag + "="); });
    if (!given && value.is_string()) all.push_back(flag + "=" + std::string(value.as_string()));
  }
  all.insert(all.end(), words.begin(), words.end());
  std::vector<const char*> arguments;
  for (const auto& word : all) arguments.push_back(word.c_str());
  return flags.parse(static_cast<int>(arguments.size()), arguments.data(), {},
                     [](const std::string& path) { return base::read_file(path, 16 << 20); });
}

}  // namespace agent
