#include "kernel/containerizer/network/result.hpp"

#include <arpa/inet.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace containerizer::network {
namespace {

using base::json::Value;

constexpr size_t kMaxResult = 1 << 20;
constexpr size_t kMaxAddresses = 64;
constexpr size_t kMaxShown = 500;

Result<GivenAddress> parse_address(const std::string& text) {
  const size_t slash = text.find('/');
  GivenAddress out;
  out.address = text.substr(0, slash);
  char buffer[16];
  out.v6 = inet_pton(AF_INET6, out.address.c_str(), buffer) == 1;
  if (!out.v6 && inet_pton(AF_INET, out.address.c_str(), buffer) != 1)
    return base::invalid("'" + base::valid_utf8(text) + "' is no address");
  const auto bits =
      slash == std::string::npos ? Result<uint64_t>(base::invalid("")) : base::parse_uint(text.substr(slash + 1));
  if (!bits || *bits > (out.v6 ? 128u : 32u))
    return base::invalid("'" + base::valid_utf8(text) + "' has no length of its prefix");
  out.prefix = static_cast<unsigned>(*bits);
  return out;
}

void read_words(const Value& dns, const char* name, std::vector<std::string>& out) {
  const Value* list = base::json::find(dns, std::string("/") + name);
  if (list == nullptr || !list->is_array()) return;
  for (const Value& word : list->get_array())
    if (word.is_string() && out.size() < 32 && word.get_string().find_first_of(" \t\r\n#;") == std::string::npos)
      out.emplace_back(word.get_string());
}

/// Of an interface in the list: its name, and whether it is inside the container.
struct Interface {
  std::string name;
  bool inside = false;
};

Status read_ips(const Value& list, const std::vector<Interface>& interfaces, const std::string& wanted,
                CniResult& out) {
  if (!list.is_array()) return base::invalid("ips: must be a list");
  if (list.get_array().size() > kMaxAddresses) return base::invalid("ips: more than 64");
  for (const Value& ip : list.get_array()) {
    ASSIGN_OR_RETURN(const std::string text, base::json::get_string(ip, "/address"));
    ASSIGN_OR_RETURN(GivenAddress address, parse_address(text));
    const auto index = base::json::get_uint(ip, "/interface");
    if (index && *index < interfaces.size() && (!interfaces[*index].inside || interfaces[*index].name != wanted))
      continue;
    out.addresses.push_back(std::move(address));
  }
  return {};
}

}  // namespace

Result<CniResult> parse_cni_result(std::string_view text, const std::string& interface) {
  CniResult out;
  if (base::trim(text).empty()) return out;
  ASSIGN_OR_RETURN(const Value value, base::json::parse(text, {.max_bytes = kMaxResult, .max_depth = 32}));
  if (!value.is_object()) return base::invalid("a result must be an object");
  std::vector<Interface> interfaces;
  if (const Value* list = base::json::find(value, "/interfaces"); list != nullptr && list->is_array())
    for (const Value& each : list->get_array()) {
      const std::string sandbox = base::json::get_string(each, "/sandbox").value_or("");
      interfaces.push_back({base::json::get_string(each, "/name").value_or(""), !sandbox.empty()});
      if (sandbox.empty() && !interfaces.back().name.empty()) out.host_links.push_back(interfaces.back().name);
    }
  if (const Value* ips = base::json::find(value, "/ips")) RETURN_IF_ERROR(read_ips(*ips, interfaces, interface, out));
  for (const char* place : {"/ip4/ip", "/ip6/ip"}) {
    if (base::json::find(value, place) == nullptr) continue;
    ASSIGN_OR_RETURN(const std::string address, base::json::get_string(value, place));
    ASSIGN_OR_RETURN(GivenAddress given, parse_address(address));
    out.addresses.push_back(std::move(given));
  }
  if (const Value* dns = base::json::find(value, "/dns"); dns != nullptr && dns->is_object()) {
    read_words(*dns, "nameservers", out.dns.nameservers);
    read_words(*dns, "search", out.dns.search);
    read_words(*dns, "options", out.dns.options);
    if (out.dns.search.empty())
      if (const auto domain = base::json::get_string(*dns, "/domain");
          domain && !domain->empty() && domain->find_first_of(" \t\r\n#;") == std::string::npos)
        out.dns.search.push_back(*domain);
  }
  return out;
}

std::string describe_cni_error(std::string_view output, std::string_view error_output) {
  const auto cut = [](std::string_view text) {
    std::string out = base::valid_utf8(base::trim(text).substr(0, kMaxShown));
    for (char& c : out)
      if (c == '\n' || c == '\r') c = ' ';
    return out;
  };
  std::string said;
  if (const auto value = base::json::parse(output, {.max_bytes = kMaxResult, .max_depth = 32});
      value && value->is_object()) {
    const auto message = base::json::get_string(*value, "/msg");
    const auto code = base::json::get_uint(*value, "/code");
    const auto details = base::json::get_string(*value, "/details");
    if (message) said = cut(*message);
    if (code) said += (said.empty() ? "code " : " (code ") + std::to_string(*code) + (message ? ")" : "");
    if (details && !details->empty()) said += ": " + cut(*details);
  }
  if (said.empty()) said = base::trim(output).empty() ? "" : "stdout '" + cut(output) + "'";
  if (!base::trim(error_output).empty())
    said += (said.empty() ? "" : ", ") + std::string("stderr '") + cut(error_output) + "'";
  return said.empty() ? "it said nothing" : said;
}

}  // namespace containerizer::network
