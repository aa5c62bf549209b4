#pragma once

// Everything the core knows. Logic lives in the files named after it; this holds the data, its indexes and the few
// operations that keep the two together.

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "marathon/app.hpp"
#include "marathon/effects.hpp"
#include "marathon/instance.hpp"
#include "marathon/plan.hpp"
#include "marathon/policy.hpp"
#include "marathon/ports.hpp"
#include "marathon/rates.hpp"

namespace marathon {

struct Group {
  PathId id;
  std::vector<PathId> dependencies;
  Version version;
  bool enforce_role = false;  // of a top-level group: its name is the role of what is in it
  bool operator==(const Group&) const = default;
};

struct GroupChange {
  PathId id;
  std::optional<Group> from, to;
};

struct TaskFailure {
  PathId app;
  std::string host, message, state, task_id, agent_id;
  base::Time started_at;  // 0: it never ran
  base::Time timestamp;
  Version version;
};

/// Delay before the next launch of an app that keeps failing.
struct Backoff {
  base::Duration delay{0};
  base::Time reference;  // the delay runs from here
  base::Time until() const { return reference + delay; }
};

struct LastOffer {
  std::optional<Reject> reject;  // absent: used
  base::Time at;
  std::shared_ptr<const mesos::v1::Offer> offer;
};

/// Why offers were not used for an app: how many were looked at, and at which step they fell out.
struct OfferStatistics {
  uint64_t processed = 0, unused = 0;
  std::optional<base::Time> last_unused_at, last_used_at;
  std::array<uint64_t, kRejects> declined{};
  std::map<std::string, LastOffer> last_by_agent;
};

inline constexpr size_t kMaxEndedDeployments = 1000;

/// An app or a pod, and all there is of it.
struct AppRun {
  AppPtr target;                       // null: removed, instances are being stopped
  size_t storing = 0;                  // changes of the target whose commit is under way
  std::map<Version, AppPtr> versions;  // `target` and what instances, history and deployments refer to
  std::map<InstanceId, Instance> instances;
  mutable std::string rendered;        // of `target`, by render_app_open; filled on first use
  std::string deployment;              // that has locked the app; empty: none
  std::optional<Backoff> backoff;
  std::optional<TaskFailure> last_failure;

  // The launch queue.
  size_t scheduled = 0;                // instances in condition Scheduled
  base::Time queued_since;
  OfferStatistics offers;
};

struct Deployment {
  std::string id;
  uint64_t sequence = 0;  // place in the order of deployments
  Version version;
  std::vector<AppChange> changes;  // by app
  std::vector<GroupChange> groups;
  std::vector<Step> steps;
  size_t current = 0;      // index of the step under way; steps.size(): finished
  std::map<PathId, size_t> unfinished;  // of the step under way, once it has begun: its actions that are not done
  bool begun = false;                   // the step under way has
  bool deadline = false;                // one of its apps has one
  bool running = false;    // durable: its actions may begin
  bool rebased = false;    // the change it was built upon could not be stored: its record is written again
  bool paused = false;     // by a user: nothing is begun
  bool rollback = false;   // undoes another: is not undone itself when it fails
  bool promoted = false;   // its canaries have proved themselves

  // Progress: a step done, or more instances ready or gone than ever before in this step.
  int64_t progress = 0;    // number of the step that was looked at last
  base::Time progress_at;
  std::string told;        // why it waits, as last told; empty: not yet since the last progress
};

/// A change whose commit is under way: what it goes back to when the store refuses it. Its deployment may be gone by then.
struct Submitted {
  std::string deployment;
  Version version;
  std::vector<AppChange> apps;
  std::vector<GroupChange> groups;
};

/// A deployment that a change has forced out of the way, until the commit of that change has ended.
struct Suspended {
  Deployment deployment;
  std::string by;      // deployment of that change
  std::string reason;  // why it ends when the change is durable
};

/// What a change of the tree replaced; nothing: it was new.
struct PastChange {
  std::vector<std::pair<PathId, AppPtr>> apps;
  std::vector<std::pair<PathId, std::optional<Group>>> groups;
};

/// What became of a deployment, kept for a while for those who come to look.
struct EndedDeployment {
  std::string id;
  Version version;
  std::vector<PathId> apps;
  bool success = false;
  std::string reason;  // why not
  base::Time at;
};

/// A change that is only asked about, until offers come.
struct DryRun {
  CallId call = 0;
  std::vector<AppChange> changes;
  std::string steps;  // of its plan, as JSON
};

/// One probe of a health or readiness check under way.
struct RunningProbe {
  PathId app;
  InstanceId instance;
  TaskId task;
  size_t index = 0;
  bool readiness = false;
  base::Instant started;
};

struct State {
  explicit State(const Policy& policy)
      : service_ports(policy.local_port_min, policy.local_port_max), roles{policy.defaults.role} {}

  std::map<PathId, AppRun> apps;
  std::map<PathId, Group> groups;  // the root always exists
  std::map<Version, PastChange> history;  // of the tree: the last changes, by the version that they made
  std::map<std::string, Deployment> deployments;
  std::map<uint64_t, std::string> deployment_order;  // oldest first
  uint64_t next_deployment = 1;
  std::map<uint64_t, Submitted> storing;             // by sequence of their deployments
  std::map<std::string, Suspended> suspended;        // by id
  std::deque<EndedDeployment> ended_deployments;     // newest last, at most kMaxEndedDeployments
  std::unordered_map<TaskId, std::pair<PathId, InstanceId>> tasks;
  std::set<PathId> launchable;  // apps with scheduled instances
  std::set<PathId> dirty;       // apps whose instances changed in this turn
  ServicePorts service_ports;
  Version last_version;         // of the root group

  // Commits under way and what happens when they are done.
  Ticket next_ticket = 1;
  using Continuation = std::function<void(struct Turn&, const base::Status&)>;
  std::map<Ticket, std::vector<Continuation>> pending;
  std::vector<Write> lazy_writes;  // may wait for the next commit

  // The master.
  std::string framework_id;
  bool framework_id_stored = false;  // false: goes along with the first launch at the latest
  bool subscribed = false;
  std::set<std::string> roles;       // in which resources are asked for: the flag's, and those of apps and instances
  std::set<std::string> suppressed;  // those of them for which no offers are wanted
  bool filters_set = false;     // offers were declined since the last revive
  size_t accepting = 0;         // offers are used as soon as so many commits are durable; the rest of them is declined then
  bool demand = false;          // something became launchable in this turn
  std::string master;           // "host:port" of the leading master
  std::string region;           // of its fault domain; empty: it has none

  std::map<std::string, base::Time> releases;  // reservations without owner, not yet known to be gone: since when
  bool records_missing = false;    // some could not be read: what has no owner may be theirs

  // Kills.
  std::set<std::pair<PathId, InstanceId>> kills_in_flight;
  std::set<std::pair<PathId, InstanceId>> kills_waiting;

  // Probes.
  uint64_t next_probe = 1;
  std::map<uint64_t, RunningProbe> probes;
  std::deque<RunningProbe> probes_waiting;

  // Health checks that fail all at once: more likely our fault, or the network's, than that of all tasks.
  std::optional<base::Time> mass_failure_since;
  base::Time mass_failure_checked;

  std::vector<DryRun> dry_runs;
  base::Time started;
  int64_t open_requests = 0;  // not yet answered, the one in hand among them
  uint64_t streams = 0;
  bool any_stream = false;  // since the start: whoever is cut off may ask for what it missed
  std::map<std::string, uint64_t> counters;  // by metric name
  std::array<Meter, 5> answers;              // by class of status: 1xx to 5xx
  std::map<std::string, Timing> requests;    // how long they took, by method; "": all
};

/// One event's worth of work: what logic files take instead of globals.
struct Turn {
  State& state;
  const Policy& policy;
  base::Random& random;
  base::Now now;
  Effects& out;

  // What the event wants stored: one atomic commit at its end.
  std::vector<Write> writes{};
  std::vector<State::Continuation> continuations{};

  void count(const std::string& metric, uint64_t by = 1) { state.counters[metric] += by; }
};

/// The definition that an instance runs, or the app's target when that version is gone. Null when there is neither.
const App* definition_of(const AppRun& run, const Instance& instance);

AppRun* find_run(State& state, const PathId& id);

/// How offers are matched: as the flags say, with the region of the leading master.
MatchPolicy match_policy(const State& state, const Policy& policy);

/// An app that exists for the API.
const AppRun* find_app(const State& state, const PathId& id);

/// A pod that exists for the API.
const AppRun* find_pod(const State& state, const PathId& id);

/// Either of them.
const AppRun* find_spec(const State& state, const PathId& id);

Instance* find_instance(State& state, const PathId& app, const InstanceId& id);
Instance* find_task(State& state, const TaskId& task);

/// Apps in the order of their ids within `group`, removed ones and pods left out.
void each_app(const State& state, const PathId& group, const std::function<void(const AppRun&)>& visit);

/// The same for apps and pods.
void each_spec(const State& state, const PathId& group, const std::function<void(const AppRun&)>& visit);

/// Keeps the index of tasks: those of an instance's current launch come, or go.
void link_tasks(State& state, const Instance& instance);
void unlink_tasks(State& state, const Instance& instance);

/// True when the group exists: the root, a stored one, or one with a member.
bool group_exists(const State& state, const PathId& id);

/// Marks the app for the reconciling pass at the end of the turn.
void touch(Turn& turn, const PathId& app);

/// Adds to the turn's commit. `done` runs when all of it is durable, or none because it failed.
void commit(Turn& turn, std::vector<Write> writes, State::Continuation done = {});

/// Adds writes that nobody waits for and that a restart can do again: they go with the next commit, or alone soon.
void commit_later(Turn& turn, std::vector<Write> writes);

/// Timer "flush": writes that have waited long enough.
void flush_lazy_writes(Turn& turn);

/// The framework's id, which whoever reads the instances back must have too.
void store_framework_id(Turn& turn);

/// End of the turn: hands its commit to the store.
void flush_commit(Turn& turn);

}  // namespace marathon
