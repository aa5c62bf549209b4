#include "kernel/containerizer/network/policy.hpp"

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace containerizer::network {
namespace {

using base::json::Value;

constexpr size_t kMaxRules = 200, kMaxPorts = 64, kMaxLabels = 32;

Status only(const Value& object, std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : object.get_object()) {
    bool found = false;
    for (const auto each : known) found = found || each == std::string_view(name);
    if (!found) return base::invalid("'" + std::string(name) + "' is not known here");
  }
  return {};
}

Result<Selector> read_selector(const Value& value) {
  if (!value.is_object()) return base::invalid("must be an object");
  RETURN_IF_ERROR(only(value, {"labels", "network"}));
  Selector out;
  if (base::json::find(value, "/network") != nullptr) {
    ASSIGN_OR_RETURN(out.network, base::json::get_string(value, "/network"));
  }
  const Value* labels = base::json::find(value, "/labels");
  if (labels == nullptr) return out;
  if (!labels->is_object()) return base::invalid("labels: must be an object of strings");
  if (labels->get_object().size() > kMaxLabels) return base::invalid("labels: more than 32");
  for (const auto& [name, text] : labels->get_object()) {
    if (!text.is_string()) return base::invalid("labels: must be an object of strings");
    out.labels[std::string(name)] = std::string(text.get_string());
  }
  return out;
}

/// "5432/tcp", "8000-8100/udp"; without a protocol: tcp.
Result<PolicyRule::Ports> read_ports(const Value& value) {
  const std::string text = value.is_string() ? std::string(value.get_string()) : "";
  const size_t slash = text.find('/');
  const std::string protocol = slash == std::string::npos ? "tcp" : text.substr(slash + 1);
  const std::string numbers = text.substr(0, slash);
  const size_t dash = numbers.find('-');
  const auto first = base::parse_uint(numbers.substr(0, dash));
  const auto last = dash == std::string::npos ? first : base::parse_uint(numbers.substr(dash + 1));
  if ((protocol != "tcp" && protocol != "udp") || !first || !last || *first == 0 || *last > 65535 || *first > *last)
    return base::invalid("must be a string such as \"80/tcp\" or \"8000-8100/udp\"");
  return PolicyRule::Ports{protocol == "udp", static_cast<uint16_t>(*first), static_cast<uint16_t>(*last)};
}

Result<PolicyRule> read_rule(const Value& value) {
  if (!value.is_object()) return base::invalid("must be an object");
  RETURN_IF_ERROR(only(value, {"from", "to", "ports", "action"}));
  PolicyRule rule;
  ASSIGN_OR_RETURN(const std::string action, base::json::get_string(value, "/action"));
  if (action != "allow" && action != "deny") return base::invalid("action: must be allow or deny");
  rule.allow = action == "allow";
  for (const bool from : {true, false}) {
    const Value* end = base::json::find(value, from ? "/from" : "/to");
    if (end == nullptr) continue;
    auto selector = read_selector(*end);
    if (!selector) return selector.error().with_context(from ? "from" : "to");
    (from ? rule.from : rule.to) = std::move(*selector);
  }
  if (!rule.from && !rule.to) return base::invalid("from or to is required");
  const Value* ports = base::json::find(value, "/ports");
  if (ports == nullptr) return rule;
  if (!ports->is_array() || ports->get_array().empty()) return base::invalid("ports: must be a list with at least one");
  if (ports->get_array().size() > kMaxPorts) return base::invalid("ports: more than 64");
  for (size_t i = 0; i < ports->get_array().size(); ++i) {
    auto range = read_ports(ports->get_array()[i]);
    if (!range) return range.error().with_context("ports[" + std::to_string(i) + "]");
    rule.ports.push_back(*range);
  }
  return rule;
}

}  // namespace

bool Selector::matches(const mesos::v1::NetworkInfo& info) const {
  if (!network.empty() && network != info.name()) return false;
  for (const auto& [name, value] : labels) {
    bool found = false;
    for (const auto& label : info.labels().labels()) found = found || (label.key() == name && label.value() == value);
    if (!found) return false;
  }
  return true;
}

Result<Policy> Policy::parse(std::string_view json) {
  ASSIGN_OR_RETURN(const Value value, base::json::parse(json, {.max_bytes = 1 << 20, .max_depth = 16}));
  if (!value.is_object()) return base::invalid("must be a JSON object");
  RETURN_IF_ERROR(only(value, {"rules"}));
  const Value* rules = base::json::find(value, "/rules");
  if (rules == nullptr || !rules->is_array()) return base::invalid("rules: is required, a list");
  if (rules->get_array().size() > kMaxRules) return base::invalid("rules: more than 200");
  Policy out;
  for (size_t i = 0; i < rules->get_array().size(); ++i) {
    auto rule = read_rule(rules->get_array()[i]);
    if (!rule) return rule.error().with_context("rules[" + std::to_string(i) + "]");
    out.rules.push_back(std::move(*rule));
  }
  return out;
}

}  // namespace containerizer::network
