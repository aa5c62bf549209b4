#include <fmt/format.h>

#include "base/file.hpp"
#include "base/numbers.hpp"
#include "cli/commands.hpp"

namespace cli {
namespace {

base::Result<Cluster> configured(Context& context) {
  return context.store().current(context.env("DCOS_CLUSTER"));
}

base::Status check(const KnownKey& key, const std::string& value) {
  bool flag = value == "true" || value == "false" || value == "1" || value == "0";
  switch (key.type) {
    case KnownKey::Type::Text:
      return {};
    case KnownKey::Type::Number:
      if (!base::parse_int(value))
        return base::invalid(fmt::format("unable to cast \"{}\" of type string to int64", value));
      return {};
    case KnownKey::Type::Flag:
      if (!flag)
        return base::invalid(fmt::format("unable to cast \"{}\" of type string to bool", value));
      return {};
    case KnownKey::Type::FlagOrPath:
      if (!flag && !base::exists(value))
        return base::invalid(fmt::format("\"{}\" is neither true nor false nor a file", value));
      return {};
  }
  return {};
}

}  // namespace

base::Result<int> config_keys(Context& context, const Arguments& arguments) {
  for (const KnownKey& key : known_keys()) {
    if (arguments.has("quiet")) {
      context.line(key.key);
    } else {
      context.line(fmt::format("{} : {}", key.key, key.help));
    }
  }
  return 0;
}

base::Result<int> config_set(Context& context, const Arguments& arguments) {
  const std::string& name = arguments.words[0];
  const std::string& value = arguments.words[1];
  const KnownKey* key = find_key(name);
  if (key == nullptr)
    return base::invalid(fmt::format("unknown key \"{}\". Please run `dcos config keys`", name));
  RETURN_IF_ERROR(check(*key, value));
  ASSIGN_OR_RETURN(Cluster cluster, configured(context));
  bool quoted = key->type == KnownKey::Type::Text || key->type == KnownKey::Type::FlagOrPath;
  cluster.settings.set(name, value, quoted);
  // A token belongs to the address it was given for.
  if (name == "core.dcos_url") cluster.settings.erase("core.dcos_acs_token");
  RETURN_IF_ERROR(context.store().save(cluster));
  return 0;
}

base::Result<int> config_show(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Cluster cluster, configured(context));
  if (!arguments.words.empty()) {
    auto value = cluster.settings.get(arguments.words[0]);
    if (!value) return base::not_found(fmt::format("unknown key \"{}\"", arguments.words[0]));
    context.line(*value);
    return 0;
  }
  for (const std::string& key : cluster.settings.keys()) {
    std::string value = cluster.settings.get(key).value_or("");
    if (key == "core.dcos_acs_token") value = "********";
    context.line(fmt::format("{} {}", key, value));
  }
  return 0;
}

base::Result<int> config_unset(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Cluster cluster, configured(context));
  const std::string& name = arguments.words[0];
  if (!cluster.settings.erase(name))
    return base::not_found(fmt::format("key \"{}\" is not set", name));
  if (name == "core.dcos_url") cluster.settings.erase("core.dcos_acs_token");
  RETURN_IF_ERROR(context.store().save(cluster));
  return 0;
}

}  // namespace cli
