#pragma once

// The life of a task that is one command, as a pure state machine inside the agent: there is no executor process. Told
// of events, it answers with actions in order; the agent's core performs them.

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "kernel/api/mesos/v1/tasks.pb.h"
#include "kernel/containerizer/containerizer.hpp"
#include "kernel/executor/check_state.hpp"

namespace executor {

enum class ProbeKind { Check, Health };
enum class TimerKind { Kill, Completion, Check, Health };

/// News for the scheduler: state, reason, message, healthy, check_status and limitation are filled as they apply.
struct Report {
  mesos::v1::TaskStatus status;
};
/// SIGTERM to every process of the container.
struct Terminate {};
/// SIGKILL to every process of the container.
struct Destroy {};
struct StartTimer {
  TimerKind kind;
  base::Instant at;
};
struct StopTimer {
  TimerKind kind;
};
struct Probe {
  ProbeKind kind;
};

using Action = std::variant<Report, Terminate, Destroy, StartTimer, StopTimer, Probe>;
using Actions = std::vector<Action>;

/// How the container ended.
struct Ending {
  std::optional<int> status;  // raw wait status
  bool out_of_memory = false;
  uint64_t memory_used = 0;
  std::string message;
  std::optional<uint64_t> disk_used{};  // bytes; ended for taking more than it may
  std::optional<containerizer::Limitation> limitation{};  // why the agent ended it
};

struct CommandExecutorOptions {
  bool reports_killing = false;    // the framework knows TASK_KILLING
  bool partition_aware = false;
  base::Duration default_grace = base::seconds(3);
};

class CommandExecutor {
 public:
  CommandExecutor(mesos::v1::TaskInfo task, CommandExecutorOptions options);

  /// The container is being made.
  void starting(Actions& out);

  /// The command runs.
  void running(base::Now now, Actions& out);

  /// The container could not be made.
  void launch_failed(const std::string& message, Actions& out);

  /// Again running after a restart of the agent; `started` is when it came to run, as far as known.
  void resumed(base::Now now, base::Time started, bool killing, Actions& out);

  /// A kill was asked for before the restart, and the container has ended meanwhile.
  void note_kill() {
    killing_ = true;
    cause_ = Cause::Asked;
  }

  /// Asked to end. A shorter grace period than that of a kill under way shortens it; a longer one changes nothing.
  void kill(const std::optional<base::Duration>& grace, base::Now now, Actions& out);

  void timer(TimerKind kind, base::Now now, Actions& out);
  void probed(ProbeKind kind, const ProbeResult& result, base::Now now, Actions& out);
  void ended(const Ending& ending, Actions& out);

  bool killing() const { return killing_; }
  bool terminal() const { return stage_ == Stage::Over; }
  const mesos::v1::TaskInfo& task() const { return task_; }

 private:
  enum class Stage { Idle, Starting, Running, Over };
  enum class Cause { None, Asked, Unhealthy, Completion };

  mesos::v1::TaskStatus make_status(mesos::v1::TaskState state) const;
  void finish(mesos::v1::TaskStatus status, Actions& out);
  void begin_kill(Cause cause, base::Duration grace, base::Now now, Actions& out);
  void schedule_probes(base::Instant started, Actions& out);
  base::Duration grace_of_task() const;

  mesos::v1::TaskInfo task_;
  CommandExecutorOptions options_;
  Stage stage_ = Stage::Idle;
  bool killing_ = false;
  Cause cause_ = Cause::None;
  base::Instant kill_started_, kill_deadline_;
  base::Instant started_;
  std::optional<CheckState> check_;
  std::optional<HealthState> health_;
};

/// "Command exited with status 1", "Command terminated with signal Killed".
std::string describe_wait_status(int status);

}  // namespace executor
