#pragma once

// One instance of an app: a place to be filled by one task after the other. Its id stays over relaunches; the task id
// ends in the number of the launch ("incarnation").

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "marathon/app.hpp"

namespace marathon {

using InstanceId = std::string;
using TaskId = std::string;

enum class Condition {
  Scheduled,            // waits for an offer
  Provisioned,          // launch sent (or about to be), nothing heard yet
  Staging,
  Starting,
  Running,
  Unreachable,          // its agent is; still counts
  UnreachableInactive,  // for so long that it is being replaced
  Killing,
  Finished,
  Killed,
  Failed,
  Error,
  Gone,
  Dropped,
  Unknown,
};

/// Stopped: killed, but its reservation waits until it is wanted again. Decommissioned: to be killed and forgotten.
enum class Goal { Running, Stopped, Decommissioned };

struct LocalVolume {
  std::string container_path, uuid;
  bool operator==(const LocalVolume&) const = default;
};

/// Resources and volumes on an agent that are kept for one instance, whether its task runs or not.
struct Reservation {
  std::string id;        // the label that its resources carry: the task that it was made for
  std::string agent_id;
  std::string role{};      // for which its resources are reserved; empty: not known, from before it was kept
  bool confirmed = false;  // seen: a task ran on it
  std::vector<LocalVolume> volumes;
};

constexpr bool is_terminal(Condition c) { return c >= Condition::Finished; }
constexpr bool is_active(Condition c) {
  return c >= Condition::Provisioned && c <= Condition::Killing && c != Condition::UnreachableInactive;
}

/// What has been heard from one health check of one instance.
struct Health {
  std::optional<bool> alive;
  int consecutive_failures = 0;
  std::optional<base::Time> first_success, last_success, last_failure;
  std::string last_failure_cause;
};

struct Readiness {
  bool ready = false;
  int status = 0;  // 0: not asked yet
  std::string content_type, body;
};

/// What a check said last: the status of an answer, whether there was a connection, or how the command ended.
struct CheckResult {
  CheckKind kind = CheckKind::Http;
  int64_t value = 0;  // Tcp: 0 or 1
  bool operator==(const CheckResult&) const = default;
};

/// The task of one container of a pod's instance.
struct ContainerTask {
  std::string name;
  TaskId task_id;
  std::string state;                    // last heard; empty: none
  base::Time since;                     // of the state
  std::optional<base::Time> started_at;
  std::optional<bool> healthy;          // not stored: learnt anew after a restart
  std::optional<CheckResult> check;
  std::vector<std::pair<std::string, std::vector<std::string>>> networks;  // names, and addresses there
};

struct Instance {
  InstanceId id;
  PathId app;
  Version version;  // of the definition that its task runs
  Condition condition = Condition::Scheduled;
  Goal goal = Goal::Running;
  int incarnation = 0;  // of the current or last task; 0: never launched
  base::Time since;     // of the condition

  // Of the current task; empty while none was launched.
  TaskId task_id;                        // of a pod: its first container's
  std::vector<ContainerTask> containers;  // of a pod, in the definition's order
  std::string agent_id, hostname, region, zone, role;
  std::map<std::string, std::string> attributes;  // those that constraints look at
  std::vector<int> host_ports;                    // one per declared port; 0: not on the host
  std::vector<std::string> ip_addresses;
  std::string state;  // last task state heard, such as "TASK_RUNNING"; empty: none
  std::optional<base::Time> staged_at, started_at, unreachable_at;
  std::optional<CheckResult> check;

  std::optional<Reservation> reservation;  // of a resident app; stays when the task ends

  // Not stored: learnt anew after a restart.
  std::vector<Health> health;          // one per health check of the definition
  std::vector<Readiness> readiness;    // one per readiness check
  std::optional<bool> healthy;         // over all checks; absent: not known yet
  bool launch_waits = false;           // for its record: the master was not asked yet
  bool kill_requested = false;
  bool killed_for_health = false;
};

std::string_view condition_name(Condition condition);  // "Running"
std::optional<Condition> parse_condition(std::string_view name);

/// "<safe app id>.instance-<time-based uuid>".
InstanceId make_instance_id(const PathId& app, base::Time now, base::Random& random);

/// "<instance>._app.<incarnation>".
TaskId make_task_id(const InstanceId& instance, int incarnation);

/// "<instance>.<container>.<incarnation>".
TaskId make_task_id(const InstanceId& instance, std::string_view container, int incarnation);

/// "instance-<safe pod id>.<uuid>".
std::string executor_id(const InstanceId& instance);

/// The states of a pod's containers as one. A pod of which something has failed goes down as a whole: it is being
/// killed until the last container has ended, and then it is what the worst of them is.
Condition pod_condition(const std::vector<ContainerTask>& containers);

/// The condition that a task state stands for; TASK_LOST and what is unknown count as Unknown.
Condition condition_of_state(std::string_view state);

/// The instance and incarnation that a task id names: current and historical forms. Absent when it is no task of ours.
struct TaskName {
  InstanceId instance;
  std::string container;  // of a pod; empty: an app's task
  int incarnation = 0;
  PathId app;
};
std::optional<TaskName> parse_task_id(std::string_view task);

}  // namespace marathon
