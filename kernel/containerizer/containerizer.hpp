#pragma once

// What the agent asks of its containers. Everything is called on the loop's thread and answers there later.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernel/containerizer/types.hpp"
#include "base/file.hpp"
#include "base/time.hpp"
#include "kernel/api/mesos/v1/commands.pb.h"
#include "kernel/api/mesos/v1/containers.pb.h"
#include "kernel/api/mesos/v1/statistics.pb.h"
#include "kernel/api/mesos/v1/tasks.pb.h"
#include "kernel/containerizer/cgroups/limits.hpp"

namespace containerizer {

/// A persistent volume: a directory of the agent's that outlives the container.
struct VolumeMount {
  std::string source;           // exists, else the launch fails
  std::string container_path;   // relative: in the sandbox
  bool read_only = false;
  bool shared = false;          // with other containers: its owner is left as it is
  std::string persistence_id{};
  uint64_t bytes = 0;           // that it may hold; 0: unknown
};

/// A volume of source CSI_VOLUME, where its plugin has it on the machine.
struct PublishedVolume {
  std::string path;
  bool in_use = false;          // by other containers: its owner is left as it is
};

/// The variable with which an executor proves to its agent who it is: of the executor's own process and of nobody who
/// joins it.
constexpr const char* kExecutorToken = "MESOS_EXECUTOR_AUTHENTICATION_TOKEN";

struct ContainerSpec {
  std::string id;                                    // a file name
  mesos::v1::CommandInfo command;
  std::optional<mesos::v1::ContainerInfo> container;
  std::map<std::string, std::string> environment;    // the agent's part; the command's own variables win
  cgroups::Limits limits;
  std::vector<VolumeMount> volumes{};
  std::vector<PublishedVolume> published{};          // of its volumes of source CSI_VOLUME, in their order
  std::string sandbox;                               // host path; made when missing
  std::string user;                                  // empty: the agent's own
  uint64_t disk = 0;                                 // bytes that the sandbox may take; 0: nothing was asked
  double gpus = 0;
  bool term_first_only = false;                      // SIGTERM goes to the first process alone (executors)
  std::vector<std::pair<uint16_t, uint16_t>> ports{};  // of the host, first to last, that it may listen on
  // A container inside another. It has its parent's network, host name and, unless it asks for its own, shared memory.
  std::string parent{};                              // id of a running container; empty: none
  std::string parent_sandbox{};                      // host path
  std::string group{};                               // of which control group it is a part; empty: its own, by its id
  bool own_group = true;                             // the group is its own and has its limits
  bool debug = false;                                // a guest of its parent: same files, processes, environment
  bool machine = false;                              // works on the machine's own mounts and devices (storage plugins)
  bool session = false;                              // its input and output are those of who attaches, and it ends with that
};

/// Why the agent ended a container: it went over what it was given.
struct Limitation {
  mesos::v1::TaskStatus::Reason reason = mesos::v1::TaskStatus::REASON_CONTAINER_LIMITATION;
  std::string message;                              // for people
  std::vector<mesos::v1::Resource> resources{};     // what it took; may be empty
};

/// How a container ended.
struct Termination {
  std::optional<int> status;   // raw wait status; absent when nobody knows
  bool out_of_memory = false;
  uint64_t memory_used = 0;    // with out_of_memory: the most it used
  std::optional<uint64_t> disk_used{};  // ended for taking more disk than it may: so much
  std::string message;         // for people; empty when the status says it all
  bool incomplete = false;     // something of it is left on the machine; the message says what
  std::optional<Limitation> limitation{};  // it was ended for that; a lack of memory is told by out_of_memory
};

struct Started {
  int64_t pid = 0;             // of the container's first process
  std::vector<mesos::v1::NetworkInfo> networks{};  // that it is in, with its addresses; empty: the host's
};

/// Where the output of a container without a terminal goes: the files stdout and stderr of a directory.
struct Outputs {
  std::string directory;
  base::Fd process{};          // a pidfd; readable once nothing will be written any more
};

class Containerizer {
 public:
  using Exit = std::function<void(const std::string& id, const Termination& termination)>;

  virtual ~Containerizer() = default;

  /// Told once for every container whose launch succeeded, and for each recovered one, when it has ended and nothing of
  /// it is left but its sandbox and the record of its end.
  virtual void on_exit(Exit exit) = 0;

  /// Sandbox, fetch, limits, start. `done` comes when the task's program runs, or with the reason why it does not; then
  /// nothing of the container is left.
  virtual void launch(ContainerSpec spec, std::function<void(Result<Started>)> done) = 0;

  /// SIGTERM reaches every process of the container unless its specification says otherwise; other signals go to the first.
  /// SIGKILL is what destroy() is for.
  virtual void signal(const std::string& id, int number) = 0;

  /// Kills everything in it and in the containers inside it, in whatever stage of its life it is. The end is told as for
  /// any other, after the ends of those inside.
  virtual void destroy(const std::string& id) = 0;

  virtual void update(const std::string& id, const cgroups::Limits& limits, std::function<void(Status)> done) = 0;

  /// Gives a running container more persistent volumes, at relative container paths. One that it has already is left as it
  /// is. They are part of its specification from then on.
  virtual void add_volumes(const std::string& id, std::vector<VolumeMount> volumes, std::function<void(Status)> done) = 0;

  /// Ports of the host that a running container may listen on from now on.
  virtual void set_ports(const std::string& id, std::vector<std::pair<uint16_t, uint16_t>> ports) = 0;

  /// Drops the record of a container's end: the agent has it in its own store now.
  virtual void forget(const std::string& id) = 0;

  /// Finds the known containers again; `done` gets the pids of those that run. For the others the end is told at once:
  /// the recorded status, or none when the launch never happened. Containers of this agent that are not known are
  /// destroyed first.
  virtual void recover(std::vector<ContainerSpec> known,
                       std::function<void(std::map<std::string, Started>)> done) = 0;

  using Statistics = std::map<std::string, mesos::v1::ResourceStatistics>;
  virtual void usage(std::function<void(Statistics)> done) = 0;

  /// The file of the network namespace that a running container has; empty: the host's, or no such container.
  virtual std::string network_of(const std::string& id) const = 0;

  /// A connection to the input and output of a running container that has a terminal, or is a session: a non-blocking socket
  /// of packets as launch/format.hpp says. Unsupported for others, NotFound when it does not run.
  virtual Result<base::Fd> attach(const std::string& id) = 0;

  /// Of a running container. NotFound when it does not run, Unsupported for a session.
  virtual Result<Outputs> outputs(const std::string& id) const = 0;

  /// Runs a command in the namespaces of a running container, for checks: the raw wait status, or an error when it could
  /// not be started or `timeout` (if not zero) passed; then it is killed.
  virtual void run_inside(const std::string& id, const mesos::v1::CommandInfo& command, base::Duration timeout,
                          std::function<void(Result<int>)> done) = 0;
};

}  // namespace containerizer
