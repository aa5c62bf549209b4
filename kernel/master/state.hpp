#pragma once

// What the master knows. Entities own each other top-down (State -> Framework -> Task, State -> Agent -> Executor) and
// refer to each other by plain pointers that live exactly as long as both ends; removal goes through the functions of
// agents.cpp, frameworks.cpp, offers.cpp and tasks.cpp alone. What /state shows is held in Cow or shared_ptr<const>, so
// that a snapshot copies pointers. All maps are ordered: iteration decides nothing by accident.

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "kernel/allocator/constraints.hpp"
#include "kernel/api/internal/agent_link.pb.h"
#include "kernel/api/mesos/v1/master/master.pb.h"
#include "kernel/api/mesos/v1/mesos.pb.h"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"
#include "kernel/api/names.hpp"
#include "kernel/master/cow.hpp"
#include "kernel/master/ids.hpp"
#include "kernel/master/maintenance.hpp"
#include "kernel/resources/resources.hpp"

namespace master {

namespace link = dcos::internal::v1;

using mesos::v1::AgentInfo;
using mesos::v1::ExecutorInfo;
using mesos::v1::FrameworkInfo;
using mesos::v1::TaskInfo;
using mesos::v1::TaskState;
using mesos::v1::TaskStatus;
using api::is_terminal;
using resources::Resources;

struct Agent;
struct Framework;

/// Of a task or an operation so many statuses are kept, the latest ones.
constexpr int kMostStatuses = 100;

/// A task that is not completed.
struct Task {
  Cow<mesos::v1::Task> proto;
  Framework* framework = nullptr;
  Agent* agent = nullptr;  // null for unreachable tasks
  Resources resources;     // what it holds at the allocator; empty once freed
  bool holds_resources = true;
  bool kill_asked = false;                            // while the agent was away: repeated when it returns
  std::optional<mesos::v1::KillPolicy> kill_policy{};

  const TaskId& id() const { return proto->task_id().value(); }
};

/// A task that is completed and only remembered: as bytes, a sixth of the message's memory. Cheap to copy; any thread.
class PackedTask {
 public:
  explicit PackedTask(const mesos::v1::Task& task) : bytes_(std::make_shared<const std::string>(task.SerializeAsString())) {}
  mesos::v1::Task unpack() const;

 private:
  std::shared_ptr<const std::string> bytes_;
};

/// An executor that the master launched by ExecutorInfo (command tasks have none here).
struct Executor {
  std::shared_ptr<const ExecutorInfo> info;
  Resources resources;
};

/// Resources on the table for one framework.
struct Offer {
  OfferId id;
  std::shared_ptr<const mesos::v1::Offer> proto;  // as sent
  Framework* framework = nullptr;
  Agent* agent = nullptr;
  std::string role;
  Resources resources;  // with allocation info, as the allocator counts them
  TimerId timer = 0;    // offer_timeout
};

/// An operation on an agent's resources that was sent and is not yet acknowledged to the end.
struct Operation {
  Cow<mesos::v1::Operation> proto;
  Framework* framework = nullptr;  // null: the operator's, or its framework was removed or is not back yet
  Agent* agent = nullptr;
  std::string uuid;  // raw bytes

  // Of a CREATE_DISK or DESTROY_DISK that has not ended: what becomes something else, allocated. It counts as used.
  Resources held{};
};

/// A source of an agent's resources beside the agent itself.
struct ResourceProvider {
  std::shared_ptr<const mesos::v1::ResourceProviderInfo> info;
  std::string resource_version;  // raw uuid bytes
};

struct AgentCapabilities {
  bool multi_role = false;
  bool hierarchical_role = false;
  bool reservation_refinement = false;
  bool resize_volume = false;
  bool operation_feedback = false;
  bool resource_provider = false;
  bool draining = false;
  bool task_resource_limits = false;

  static AgentCapabilities of(const google::protobuf::RepeatedPtrField<AgentInfo::Capability>& list);
};

struct Agent {
  AgentId id;
  std::shared_ptr<const AgentInfo> info;
  std::string version;
  std::vector<AgentInfo::Capability> capability_list;
  AgentCapabilities capabilities;

  LinkId link = 0;  // 0: not connected
  std::string ip;   // where the link comes from
  std::string pid;  // "slave(1)@ip:port"
  bool connected = true;
  bool active = true;        // its resources are offered
  bool deactivated = false;  // by the operator
  bool marking_unreachable = false;
  bool marking_gone = false;
  bool changing_record = false;  // a change of its record is being written
  bool leaving = false;          // its removal is being written or under way: nothing may be written after that
  std::optional<mesos::v1::DrainInfo> drain{};
  base::Time drain_started{};

  base::Time registered{};
  std::optional<base::Time> reregistered{};

  Resources total;
  std::string resource_version;  // raw uuid bytes, empty when the agent told none
  std::map<std::string, ResourceProvider> providers{};  // by id; their resources are part of the total

  std::map<FrameworkId, std::map<TaskId, Task*>> tasks;
  std::map<FrameworkId, Resources> used;  // by these tasks, an entry for each
  std::map<FrameworkId, std::map<ExecutorId, Executor>> executors;
  std::map<OfferId, Offer*> offers;
  std::map<std::string, std::unique_ptr<Operation>> operations;  // by uuid bytes

  TimerId ping_timer = 0;
  uint32_t missed_pings = 0;
  uint64_t ping_sequence = 0;
  bool ping_answered = true;
  TimerId reregister_timer = 0;
  TimerId removal_timer = 0;  // waits for the removal rate limit
  TimerId drain_timer = 0;    // the store refused the end of its draining: tried again

  std::optional<mesos::v1::Unavailability> unavailability{};  // the window of its machine
  std::map<FrameworkId, OfferId> inverse_offers;              // outstanding
  std::map<FrameworkId, base::Instant> inverse_filters;       // not asked again before
  std::map<FrameworkId, mesos::v1::allocator::InverseOfferStatus> inverse_answers;
};

/// An agent of the registry that has not come back since this master started.
struct RecoveredAgent {
  std::shared_ptr<const AgentInfo> info;
  bool deactivated = false;
  std::optional<mesos::v1::DrainInfo> drain{};
  base::Time drain_started{};
  bool marking_unreachable = false;
};

struct UnreachableAgent {
  base::Time since{};
  bool deactivated = false;
  std::optional<mesos::v1::DrainInfo> drain{};
  base::Time drain_started{};
};

struct FrameworkCapabilities {
  bool revocable_resources = false;
  bool task_killing_state = false;
  bool gpu_resources = false;
  bool shared_resources = false;
  bool partition_aware = false;
  bool multi_role = false;
  bool reservation_refinement = false;
  bool region_aware = false;

  static FrameworkCapabilities of(const FrameworkInfo& info);
};

/// Roles of a framework: `roles` when it is MULTI_ROLE, else `role` alone.
std::set<std::string> roles_of(const FrameworkInfo& info);

struct Framework {
  FrameworkId id;
  std::shared_ptr<const FrameworkInfo> info;
  FrameworkCapabilities capabilities;
  std::set<std::string> roles;
  std::set<std::string> suppressed_roles;
  std::shared_ptr<const mesos::v1::scheduler::OfferConstraints> constraints;  // null: none
  std::shared_ptr<const allocator::OfferConstraints> compiled_constraints;

  ConnectionId connection = 0;  // 0: none
  std::string stream_id;
  bool connected = false;
  bool active = false;
  bool recovered = false;  // known from agents alone

  base::Time registered{};
  std::optional<base::Time> reregistered{};

  std::map<TaskId, std::unique_ptr<Task>> tasks;
  Resources used;  // by these
  std::map<TaskId, std::unique_ptr<Task>> unreachable_tasks;
  std::deque<TaskId> unreachable_order;  // oldest first; may name tasks that left
  std::deque<PackedTask> completed_tasks;
  std::map<OfferId, std::unique_ptr<Offer>> offers;
  std::map<std::string, Operation*> operations;  // with an id, by operation id

  TimerId heartbeat_timer = 0;
  TimerId failover_timer = 0;

  std::map<int, uint64_t> calls;  // by scheduler::Call::Type, for metrics
  std::map<int, uint64_t> events;
  std::map<int, uint64_t> ended_tasks;      // by TaskState
  std::map<int, uint64_t> operations_sent;  // by Offer::Operation::Type; LAUNCH counts its tasks
  uint64_t offers_sent = 0, offers_accepted = 0, offers_declined = 0, offers_rescinded = 0;
};

/// A framework that was removed; its id is refused.
struct CompletedFramework {
  FrameworkId id;
  std::shared_ptr<const FrameworkInfo> info;
  base::Time registered{};
  std::optional<base::Time> reregistered{};
  base::Time unregistered{};
  std::vector<PackedTask> completed_tasks;
  std::string why;
};

enum class Metric {
#define COUNTER(name, exported, sentence) name,
#include "kernel/master/metrics.def"
#undef COUNTER
  Count
};

/// The exported name of a counter.
const char* metric_name(Metric metric);

struct State {
  mesos::v1::MasterInfo master;
  base::Time started{}, elected{};
  bool recovered = false;  // the registry was read; before that every message is dropped

  std::map<AgentId, std::unique_ptr<Agent>> agents;
  std::map<LinkId, Agent*> agents_by_link;
  std::map<AgentId, RecoveredAgent> recovered_agents;
  std::map<AgentId, UnreachableAgent> unreachable_agents;
  std::map<AgentId, base::Time> gone_agents;

  std::map<FrameworkId, std::unique_ptr<Framework>> frameworks;
  std::map<ConnectionId, Framework*> frameworks_by_connection;
  std::map<FrameworkId, CompletedFramework> completed_frameworks;
  std::deque<FrameworkId> completed_order;  // oldest first

  std::map<OfferId, Offer*> offers;

  mesos::v1::maintenance::Schedule schedule;
  Machines machines;                // in the schedule, or down
  bool changing_maintenance = false;  // a change is being written
  std::set<AgentId> planned_agents;   // with an unavailability
  std::map<OfferId, std::shared_ptr<const mesos::v1::InverseOffer>> inverse_offers;  // as sent

  std::map<std::string, double> weights;
  std::map<std::string, mesos::v1::quota::QuotaConfig> quotas;

  uint64_t next_agent = 0, next_framework = 0, next_offer = 0;

  /// Calls of the schedulers of each principal that has frameworks.
  struct Messages {
    uint64_t received = 0, processed = 0;
  };
  std::map<std::string, Messages> messages;

  std::array<uint64_t, static_cast<size_t>(Metric::Count)> counters{};
  /// Terminal and other notable updates: (state, source, reason or -1).
  std::map<std::array<int, 3>, uint64_t> task_reasons;
};

}  // namespace master
