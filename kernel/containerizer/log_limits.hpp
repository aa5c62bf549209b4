#pragma once

// How large the output files of containers may become (pure): the agent's rules, and what a task asks in its
// environment, in the words of the original's LogrotateContainerLogger.

#include <map>
#include <string>
#include <utility>

#include "kernel/containerizer/launch/launcher.hpp"
#include "kernel/containerizer/types.hpp"

namespace containerizer {

struct LogRules {
  bool on = false;  // else the files grow without limit, and the environment says nothing
  launch::LogLimit output, error;
  std::string prefix = "CONTAINER_LOGGER_";
};

/// Takes one parameter of the original's module. Those that its processes needed are ignored.
Status set_log_parameter(LogRules& rules, const std::string& key, const std::string& value);

/// For stdout and stderr of a task with this environment. The error names the variable.
Result<std::pair<launch::LogLimit, launch::LogLimit>> log_limits(const LogRules& rules,
                                                                const std::map<std::string, std::string>& environment);

}  // namespace containerizer
