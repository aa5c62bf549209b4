#pragma once

// The original loads code by --modules; here the same names choose what is built in, with the same parameters.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "kernel/containerizer/log_limits.hpp"

namespace agent {

/// Name of a module -> its parameters in their order.
using Modules = std::map<std::string, std::vector<std::pair<std::string, std::string>>>;

/// From the JSON of --modules: {"libraries":[{"modules":[{"name":..,"parameters":[{"key":..,"value":..}]}]}]}. Files of
/// libraries are not looked at. A name that is not built in is an error that lists those that are.
base::Result<Modules> parse_modules(const std::string& json);

inline constexpr const char* kRotatingLogger = "org_apache_mesos_LogrotateContainerLogger";

/// `logger` is the flag --container_logger, empty for files without limit.
base::Result<containerizer::LogRules> log_rules(const std::string& logger, const Modules& modules);

}  // namespace agent
