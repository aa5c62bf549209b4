#pragma once

// From what a framework asked to what the launcher does (pure): command line, environment, limits, mounts. What this
// build cannot do is refused with a sentence that names it.

#include "kernel/containerizer/types.hpp"
#include "kernel/containerizer/containerizer.hpp"
#include "kernel/containerizer/launch/launcher.hpp"

namespace containerizer {

/// The order for everything that follows from the specification alone; files and cgroups are the caller's to add.
/// `isolated`: the container has namespaces of its own, so that volumes can be mounted.
Result<launch::LaunchOrder> plan_launch(const ContainerSpec& spec, bool isolated);

/// Program and arguments of a command: `/bin/sh -c value`, or the argument vector as given.
Status plan_program(const mesos::v1::CommandInfo& command, launch::LaunchOrder& order);

/// The agent's part, then the command's own variables, then PATH when nobody set it.
Result<std::map<std::string, std::string>> plan_environment(const std::map<std::string, std::string>& agent,
                                                            const mesos::v1::CommandInfo& command);

}  // namespace containerizer
