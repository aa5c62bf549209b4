#include "kernel/agent/modules.hpp"

#include <boost/json.hpp>

#include "base/json/value.hpp"

namespace agent {
namespace {

namespace json = boost::json;

constexpr const char* kBuiltIn[] = {kRotatingLogger, kUriProfiles, oversubscription::kFixedEstimator,
                                     oversubscription::kUsageEstimator, oversubscription::kLoadController};

std::string text_member(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

const json::array& list_member(const json::object& object, const char* name) {
  static const json::array kNone;
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_array() ? value->get_array() : kNone;
}

base::Status take_module(const json::value& item, Modules& out) {
  if (!item.is_object()) return base::invalid("--modules: a module must be an object");
  const std::string name = text_member(item.get_object(), "name");
  bool known = false;
  std::string names;
  for (const char* built_in : kBuiltIn) {
    known = known || name == built_in;
    names += std::string(names.empty() ? "" : ", ") + built_in;
  }
  if (!known)
    return base::unsupported("--modules: this build cannot load '" + name + "'; built in are: " + names);
  auto& parameters = out[name];
  for (const auto& parameter : list_member(item.get_object(), "parameters")) {
    if (!parameter.is_object()) return base::invalid("--modules: a parameter must be an object with key and value");
    parameters.emplace_back(text_member(parameter.get_object(), "key"), text_member(parameter.get_object(), "value"));
  }
  return {};
}

}  // namespace

base::Result<Modules> parse_modules(const std::string& text) {
  Modules out;
  if (text.empty()) return out;
  const auto parsed = base::json::parse(text);
  if (!parsed) return parsed.error().with_context("--modules");
  if (!parsed->is_object()) return base::invalid("--modules must be a JSON object with 'libraries'");
  for (const auto& library : list_member(parsed->get_object(), "libraries")) {
    if (!library.is_object()) return base::invalid("--modules: a library must be an object");
    for (const auto& item : list_member(library.get_object(), "modules")) RETURN_IF_ERROR(take_module(item, out));
  }
  return out;
}

base::Result<containerizer::LogRules> log_rules(const std::string& logger, const Modules& modules) {
  containerizer::LogRules rules;
  if (logger.empty()) return rules;
  if (logger != kRotatingLogger)
    return base::unsupported("--container_logger=" + logger + " is not supported by this build; it has " +
                             kRotatingLogger + ", and files without limit when the flag is not given");
  rules.on = true;
  rules.output = rules.error = {uint64_t{10} << 20, 9};
  const auto found = modules.find(logger);
  if (found == modules.end()) return rules;
  for (const auto& [key, value] : found->second)
    if (base::Status set = set_log_parameter(rules, key, value); !set)
      return set.error().with_context("--modules: " + logger);
  return rules;
}

base::Result<ProfileSource> disk_profiles(const std::string& adaptor, const Modules& modules) {
  ProfileSource out;
  if (adaptor.empty()) return out;
  if (adaptor != kUriProfiles)
    return base::unsupported("--disk_profile_adaptor=" + adaptor + " is not supported by this build; it has " + kUriProfiles);
  const auto found = modules.find(adaptor);
  if (found != modules.end())
    for (const auto& [key, value] : found->second) {
      if (key == "uri") {
        out.place = value.starts_with("file://") ? value.substr(7) : value;
      } else if (key == "poll_interval") {
        auto interval = base::parse_duration(value);
        if (!interval || *interval < base::seconds(1))
          return base::invalid("--modules: " + adaptor + ": poll_interval must be a duration of a second or more, such as 10secs");
        out.poll_interval = *interval;
      } else if (key == "max_random_wait") {
        auto wait = base::parse_duration(value);
        if (!wait || *wait < base::Duration{0})
          return base::invalid("--modules: " + adaptor + ": max_random_wait must be a duration, such as 10secs");
        out.max_random_wait = *wait;
      } else {
        return base::invalid("--modules: " + adaptor + " has no parameter '" + key + "'; it has uri, poll_interval and max_random_wait");
      }
    }
  if (!out.place.starts_with('/') && !out.place.starts_with("http://") && !out.place.starts_with("https://"))
    return base::invalid("--modules: " + adaptor +
                         " needs the parameter uri: the absolute path of a file with the profile matrix, or its http:// or https:// URL");
  return out;
}

namespace {

const oversubscription::Parameters& parameters_of(const std::string& name, const Modules& modules) {
  static const oversubscription::Parameters kNone;
  const auto found = modules.find(name);
  return found == modules.end() ? kNone : found->second;
}

}  // namespace

base::Result<std::unique_ptr<oversubscription::Estimator>> resource_estimator(const std::string& name, const Modules& modules) {
  return oversubscription::make_estimator(name, parameters_of(name, modules));
}

base::Result<std::unique_ptr<oversubscription::QosController>> qos_controller(const std::string& name, const Modules& modules) {
  return oversubscription::make_controller(name, parameters_of(name, modules));
}

}  // namespace agent
