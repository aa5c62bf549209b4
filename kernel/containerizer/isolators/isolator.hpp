#pragma once

// What every isolator offers. An isolator is one thing that --isolation turns on: a kind of volume, a namespace, a limit.
// It looks at what a container asks and changes how it is launched; files beside this one hold one each.
//
// Called on pool threads, several at once: an isolator that remembers something guards it itself.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/containerizer/containerizer.hpp"
#include "kernel/containerizer/launch/launcher.hpp"

namespace containerizer {

/// Where the paths of a container's volumes begin.
struct VolumePlace {
  const ContainerSpec& spec;
  std::string sandbox_inside;  // where the container sees its sandbox
  bool has_image = false;      // its files are its own
  bool docker = false;         // what does not exist on the machine is made, as Docker does it
};

/// A container on its way: everything is here but its first process.
struct Preparing {
  const ContainerSpec& spec;
  const std::optional<launch::UserIds>& user;
  const std::string& runtime;  // directory of the agent's own for this container, mode 0700
  VolumePlace volumes;
};

/// What isolators fill in for it.
struct Prepared {
  launch::LaunchOrder& order;
  cgroups::Limits& limits;
  std::vector<std::string> devices{};  // of the machine's that it may use, besides those that everybody may
};

/// A container that goes beyond a limit that the kernel does not enforce.
struct Breach {
  std::string container;
  uint64_t used = 0;           // bytes
  std::string message;         // for the task's status
};

/// A container that runs, for measuring and watching.
struct Watched {
  std::string id, sandbox;
  uint64_t disk = 0;           // bytes that its sandbox may take; 0: nothing was asked
  std::vector<VolumeMount> volumes{};
};

class Isolator {
 public:
  virtual ~Isolator() = default;

  /// As --isolation has it.
  virtual std::string_view name() const = 0;

  /// Without I/O on the container's behalf: refuses what cannot be, and adds to the order what follows from the
  /// specification alone. Called for the container, and again for each command that is run inside it.
  virtual Status plan(const ContainerSpec&, launch::LaunchOrder&) const { return {}; }

  /// A volume that is of this isolator's kind: true when it was taken, with its mount (if it has one) in the order.
  virtual Result<bool> plan_volume(const mesos::v1::Volume&, const VolumePlace&, launch::LaunchOrder&) const { return false; }

  /// Variables that are not in the specification itself. For the container and for each command run inside it.
  virtual Status add_environment(const mesos::v1::CommandInfo&, std::map<std::string, std::string>&) const { return {}; }

  /// Once, before the first process. What it makes is undone by cleanup(), also when the launch fails later.
  virtual Status prepare(const Preparing&, Prepared&) { return {}; }

  /// A container of an earlier run of this agent that still runs.
  virtual void recover(const ContainerSpec&, const std::string& /*runtime*/) {}

  /// After the container's end, or its failed launch; also for containers that prepare() never saw.
  virtual void cleanup(const std::string& /*id*/, const std::string& /*runtime*/) {}

  /// Every --container_disk_watch_interval, for those that run; may take as long as it needs.
  virtual std::vector<Breach> watch(const std::vector<Watched>&) { return {}; }

  virtual void measure(const std::string& /*id*/, mesos::v1::ResourceStatistics&) const {}
};

}  // namespace containerizer
