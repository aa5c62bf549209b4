#pragma once

// From what a framework asked to what the launcher does (pure): command line, environment, limits, mounts. What this
// build cannot do is refused with a sentence that names it.

#include "kernel/api/mesos/v1/values.pb.h"
#include "kernel/containerizer/types.hpp"
#include "kernel/containerizer/containerizer.hpp"
#include "kernel/containerizer/images/manifest.hpp"
#include "kernel/containerizer/launch/launcher.hpp"
#include "kernel/containerizer/log_limits.hpp"

namespace containerizer {

class Isolators;

/// What of the agent a plan depends on.
struct PlanContext {
  bool isolated = false;                // namespaces, so that volumes can be mounted
  bool images = false;                  // images can be pulled and mounted
  std::string sandbox_directory = "/mnt/mesos/sandbox";  // where an image's container sees its sandbox
  LogRules logs{};
  bool ignore_runtime = false;          // of images: entry point, command, environment, working directory
  const images::ImageConfig* image = nullptr;  // the image's, once it is here
  const Isolators* isolators = nullptr;        // null: those that need no flags
};

/// The image that a container is to be made of.
struct ImageWish {
  std::string name;
  bool force = false;  // ask the registry again
  std::optional<mesos::v1::Secret> login{};  // a docker config.json of its own
};

Result<std::optional<ImageWish>> wanted_image(const ContainerSpec& spec);

/// What an image of the API means; refused by name what this build cannot pull.
Result<ImageWish> wish_of(const mesos::v1::Image& image);

/// The images of volumes that are made from one, in the order of the volumes.
Result<std::vector<ImageWish>> wanted_volume_images(const ContainerSpec& spec);

/// The signal that asks the container's program to end: the image's, or SIGTERM.
int stop_signal(const ContainerSpec& spec, const images::ImageConfig* image);

/// As below, for containers with an image too: without `context.image` only what can be refused before it is pulled is
/// complete. The root's directories are the caller's to add.
Result<launch::LaunchOrder> plan_launch(const ContainerSpec& spec, const PlanContext& context);

/// The order for everything that follows from the specification alone; files and cgroups are the caller's to add.
/// `isolated`: the container has namespaces of its own, so that volumes can be mounted.
Result<launch::LaunchOrder> plan_launch(const ContainerSpec& spec, bool isolated);

/// Persistent volumes; `sandbox` is where relative container paths begin inside the container.
Status plan_persistent_volumes(const ContainerSpec& spec, const std::string& sandbox, bool isolated,
                               launch::LaunchOrder& order);

/// Program and arguments of a command: `/bin/sh -c value`, or the argument vector as given.
Status plan_program(const mesos::v1::CommandInfo& command, launch::LaunchOrder& order);

/// Those that need nothing of the agent's flags, for callers that have none of their own.
std::shared_ptr<Isolators> basic_isolators(bool isolated);

/// The isolators that a plan is made with.
const Isolators& isolators_of(const PlanContext& context);

/// The agent's part, then the command's own variables that are no secrets, then PATH when nobody set it.
Result<std::map<std::string, std::string>> plan_environment(const std::map<std::string, std::string>& agent,
                                                            const mesos::v1::CommandInfo& command);

/// What no isolator of this build can give.
Status check_supported(const mesos::v1::ContainerInfo& info);

/// Refuses components that lead out of the sandbox.
bool stays_below(std::string_view relative);

/// Who gets its output: files, or those who attach; whether it has a terminal.
void plan_streams(const ContainerSpec& spec, launch::LaunchOrder& order);

/// Where a volume of the type SANDBOX_PATH lies on the machine.
Result<std::string> sandbox_source(const mesos::v1::Volume& volume, const ContainerSpec& spec);

/// plan_image.cpp: a container with an image.
Status plan_image(const ContainerSpec& spec, const PlanContext& context, launch::LaunchOrder& order);

}  // namespace containerizer
