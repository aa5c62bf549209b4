#pragma once

// The agent's real core on simulated containers, which outlive it as real ones do. A container's
// command tells what it does: "run SECONDS EXITCODE TASK", SECONDS 0 for ever; TASK is its task's
// id, for the checkers. Left out, the variable MESOS_TASK_ID says it. The default executor runs in
// its container with its real core, and those of its tasks run inside.

#include <map>
#include <memory>
#include <set>
#include <string>

#include "kernel/agent/core.hpp"
#include "tests/sim/checkers.hpp"
#include "tests/sim/sim_executor.hpp"
#include "tests/sim/sim_master.hpp"
#include "tests/sim/volume_checker.hpp"

namespace sim {

class SimAgent : public Process {
 public:
  SimAgent(Context& context, std::string process_name, unsigned index, SimMaster& master,
           PlacementChecker& placement, const std::string& resources_text);

  /// One of several masters.
  SimAgent(Context& context, std::string process_name, unsigned index, FindMaster find,
           PlacementChecker& placement, const std::string& resources_text);

  /// Another master leads: what it says now is what counts.
  void leader_changed();

  /// From its next boot on it describes itself with one more attribute.
  void add_attribute(const std::string& attribute);

  const agent::Core* core() const { return core_.get(); }

  /// Called with the uuid of each acknowledged update, of a task or of an operation that asked for feedback.
  std::function<void(const std::string& uuid)> on_acknowledged;
  size_t running_containers() const;

  /// Every volume that the agent told as created, and was not asked to destroy since, is in its total and has its data.
  void check_volumes() const;
  size_t volumes_told() const { return told_; }

  /// Told of volumes and of who runs on them.
  VolumeChecker* volume_checker = nullptr;

  /// Directories of volumes that no resource of the agent stands for, or the other way round; empty: all is well.
  std::string difference_of_volumes() const;

  double probes_fail = 0;  // of the health probes inside pods, while faults are on

  /// Containers whose end was told to the core and not yet forgotten count as well.
  size_t known_containers() const { return containers_.size(); }

 protected:
  void on_boot() override;
  void on_crash() override;

 private:
  struct Container {
    std::string task;    // empty: the default executor's
    std::string parent;  // inside which it is; empty: none
    std::shared_ptr<SimExecutor> executor;
    int64_t pid = 0;
    bool running = false;
    uint64_t generation = 0;  // of the scheduled end
    containerizer::Termination end;
  };

  void replace_machine();
  void handle(agent::Event event);
  void perform(agent::Effect& effect);
  void perform_container(agent::Effect& effect);
  void dial();
  void recover(const std::vector<containerizer::ContainerSpec>& known);
  void launch(const containerizer::ContainerSpec& spec);
  void start_executor(const containerizer::ContainerSpec& spec);
  SimExecutor* peer(agent::ConnectionId connection, bool forget);
  void signal(const std::string& id, int number);
  void end_container(const std::string& id, base::Duration delay, int wait_status);
  void ended(const std::string& id, int wait_status);

  FindMaster find_;
  SimMaster* master_ = nullptr;  // of the present stream
  uint64_t dialing_ = 0;         // counts attempts: callbacks of an earlier one are void
  PlacementChecker& placement_;
  agent::Policy policy_;
  std::unique_ptr<agent::Core> core_;
  std::map<std::string, Container> containers_;
  std::map<agent::ConnectionId, std::weak_ptr<SimExecutor>> connections_;  // of executors to this agent
  void note_told(const dcos::internal::v1::AgentMessage& message);
  void note_asked(const dcos::internal::v1::MasterMessage& message);

  std::set<std::string> promised_;  // persistence ids
  size_t told_ = 0;
  std::set<std::string> volumes_;  // directories with data; they outlive the agent
  std::map<std::string, uint64_t> timers_;
  StreamId stream_ = 0;
  uint64_t next_ = 1;
  int64_t next_pid_ = 1000;
  bool dead_ = false;
};

}  // namespace sim
