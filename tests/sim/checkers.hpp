#pragma once

// What must hold in every run, whatever the faults. Each checker is told facts by the simulated
// daemons and schedulers and calls World::fail with a sentence when one of them breaks a promise.

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "kernel/api/mesos/v1/mesos.pb.h"
#include "tests/sim/world.hpp"

namespace sim {

/// A task runs at one place, once: a container of a task id is started at most once in the whole
/// run.
class PlacementChecker {
 public:
  explicit PlacementChecker(World& world) : world_(world) {}
  void container_started(const std::string& agent, const std::string& task);

  /// `well`: it had done its work.
  void container_ended(const std::string& agent, const std::string& task, bool well);

  /// Agent, by task, of what runs now.
  const std::map<std::string, std::string>& running() const { return running_; }
  bool ever_ran(const std::string& task) const { return started_.count(task) > 0; }

  /// Agent, by task, of everything that ever ran.
  const std::map<std::string, std::string>& started() const { return started_; }

  /// A master told the agent to end for good: what ran there until now ends without a word of its own.
  void given_up(const std::string& agent);
  bool was_given_up(const std::string& task) const { return given_up_.count(task) > 0; }

  /// Called after each start, for further checks.
  std::function<void(const std::string& task)> on_start;

  /// Called after each end.
  std::function<void(const std::string& task, bool well)> on_end;

 private:
  World& world_;
  std::map<std::string, std::string> started_, running_;
  std::set<std::string> given_up_;
};

/// Updates of a task reach its scheduler in order, and at most one terminal one by an agent. No update is acknowledged to an
/// agent of which the scheduler has not been told.
class UpdateChecker {
 public:
  explicit UpdateChecker(World& world) : world_(world) {}
  void update(const mesos::v1::TaskStatus& status);
  void operation_update(const mesos::v1::OperationStatus& status);

  /// An agent is told that it need not repeat the update.
  void acknowledged(const std::string& uuid);

  /// Its agent's terminal update has arrived.
  bool ended(const std::string& task) const;

 private:
  struct Seen {
    std::set<std::string> uuids;
    int rank = 0;
    std::optional<mesos::v1::TaskState> terminal;
  };
  World& world_;
  std::map<std::string, Seen> tasks_;
  std::set<std::string> told_;  // uuids of all updates
  std::set<std::string> gone_;  // told so by the master, for an operator: the agent may never say more
};

}  // namespace sim
