#include "kernel/containerizer/container_dns.hpp"

#include <arpa/inet.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"

namespace containerizer {
namespace {

constexpr size_t kMaxNameservers = 3;  // of the C library; further ones would never be asked

using base::json::Value;

bool is_address(const std::string& text) {
  char buffer[16];
  return inet_pton(AF_INET, text.c_str(), buffer) == 1 || inet_pton(AF_INET6, text.c_str(), buffer) == 1;
}

Status read_words(const Value& dns, const char* name, std::vector<std::string>& out) {
  const Value* list = base::json::find(dns, std::string("/") + name);
  if (list == nullptr) return {};
  if (!list->is_array()) return base::invalid(std::string(name) + ": must be a list of strings");
  for (const Value& element : list->get_array()) {
    const std::string word = element.is_string() ? std::string(element.get_string()) : std::string();
    if (word.empty() || word.find_first_of(" \t\r\n#;") != std::string::npos)
      return base::invalid(std::string(name) + ": each must be one word");
    out.push_back(word);
  }
  return {};
}

Result<DnsSettings> read_settings(const Value& entry) {
  const Value* dns = base::json::find(entry, "/dns");
  if (dns == nullptr || !dns->is_object()) return base::invalid("dns: is required, an object");
  DnsSettings settings;
  RETURN_IF_ERROR(read_words(*dns, "nameservers", settings.nameservers));
  RETURN_IF_ERROR(read_words(*dns, "search", settings.search));
  RETURN_IF_ERROR(read_words(*dns, "options", settings.options));
  for (const std::string& nameserver : settings.nameservers)
    if (!is_address(nameserver)) return base::invalid("nameservers: '" + nameserver + "' is no IP address");
  if (settings.nameservers.size() > kMaxNameservers) return base::invalid("nameservers: more than three are never asked");
  return settings;
}

Status read_entry(const Value& entry, bool mesos, ContainerDns& out) {
  if (!entry.is_object()) return base::invalid("must be an object");
  ASSIGN_OR_RETURN(DnsSettings settings, read_settings(entry));
  const std::string mode = base::json::get_string(entry, "/network_mode").value_or("");
  const std::string network = base::json::get_string(entry, "/network_name").value_or("");
  if (!mesos) {
    if (mode != "BRIDGE" && mode != "USER") return base::invalid("network_mode: must be BRIDGE or USER");
    return {};  // of the Docker daemon's containers, which this agent does not run
  }
  if (mode != "CNI" && mode != "HOST") return base::invalid("network_mode: must be CNI or HOST");
  if (mode == "HOST" && !network.empty()) return base::invalid("network_name: the host's network has none");
  if (!network.empty()) {
    if (!out.by_network.emplace(network, std::move(settings)).second)
      return base::invalid("network_name: '" + network + "' is given twice");
    return {};
  }
  auto& target = mode == "HOST" ? out.host : out.any_network;
  if (target) return base::invalid("network_mode: " + mode + " without network_name is given twice");
  target = std::move(settings);
  return {};
}

}  // namespace

std::string render_resolv_conf(const DnsSettings& settings) {
  std::string text;
  const auto line = [&](const char* word, const std::vector<std::string>& values) {
    if (values.empty()) return;
    text += word;
    for (const std::string& value : values) text += " " + value;
    text += "\n";
  };
  line("search", settings.search);
  for (const std::string& nameserver : settings.nameservers) line("nameserver", {nameserver});
  line("options", settings.options);
  return text;
}

const DnsSettings* ContainerDns::of_network(const std::string& name) const {
  const auto own = by_network.find(name);
  if (own != by_network.end()) return &own->second;
  return any_network ? &*any_network : nullptr;
}

Result<ContainerDns> ContainerDns::parse(std::string_view json) {
  ASSIGN_OR_RETURN(const Value value, base::json::parse(json));
  if (!value.is_object()) return base::invalid("must be a JSON object");
  ContainerDns out;
  for (const bool mesos : {true, false}) {
    const std::string name = mesos ? "mesos" : "docker";
    const Value* list = base::json::find(value, "/" + name);
    if (list == nullptr) continue;
    if (!list->is_array()) return base::invalid(name + ": must be a list");
    for (size_t i = 0; i < list->get_array().size(); ++i) {
      if (const Status status = read_entry(list->get_array()[i], mesos, out); !status)
        return status.error().with_context(name + "[" + std::to_string(i) + "]");
    }
  }
  return out;
}

}  // namespace containerizer
