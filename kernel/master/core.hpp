#pragma once

// The master's rules. core.cpp dispatches; the rules of each noun are in the file of its name. Deterministic: the same
// events at the same times give the same effects. Not thread-safe; one caller at a time.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "kernel/allocator/allocator.hpp"
#include "kernel/master/effects.hpp"
#include "kernel/master/events.hpp"
#include "kernel/master/policy.hpp"
#include "kernel/master/snapshot.hpp"
#include "kernel/master/state.hpp"

namespace master {

/// How much is under way in a core.
struct Waiting {
  size_t calls = 0;   // of schedulers, for their turn
  size_t writes = 0;  // for the store
  size_t timers = 0;
  size_t links = 0;   // that are open
};

class Core {
 public:
  /// `master` names this process to others; its id must be new for each process.
  Core(mesos::v1::MasterInfo master, Policy policy, std::unique_ptr<allocator::Allocator> allocator, base::Random random);
  ~Core();

  /// Handles one event; what is to be done is appended to `out`. The first event is Recovered.
  void on(Event event, base::Now now, Effects& out);

  const State& state() const { return state_; }
  const Policy& policy() const { return policy_; }
  const allocator::Allocator& allocator() const { return *allocator_; }

  Waiting waiting() const;

  /// A consistent picture for readers on other threads: copies pointers.
  std::shared_ptr<const Snapshot> snapshot(base::Now now) const;

 private:
  enum class Departure { Unreachable, Gone, Removed };
  struct Acceptance;  // accept.hpp

  // core.cpp
  void handle(Recovered& event);
  void handle(AgentMessageReceived& event);
  void handle(AgentLinkLost& event);
  void handle(SchedulerSubscribed& event);
  void handle(SchedulerCallReceived& event);
  void handle(SchedulerConnectionClosed& event);
  void handle(OperatorCallReceived& event);
  void handle(WhitelistChanged& event);
  void handle(TimerFired& event);
  void handle(Persisted& event);
  void handle(TurnEnded& event);
  TimerId start_timer(base::Duration delay, std::function<void()> call);
  void stop_timer(TimerId& timer);
  void count(Metric metric, uint64_t by = 1) { state_.counters[static_cast<size_t>(metric)] += by; }
  void info(std::string text) { out_->trace(TraceLevel::Info, std::move(text)); }
  void warning(std::string text) { out_->trace(TraceLevel::Warning, std::move(text)); }

  // registry.cpp
  void persist(std::vector<Write> writes, std::function<void(const base::Status&)> then);
  void recover_entry(const Recovered::Entry& entry);
  void prove_registry(std::vector<Write> writes);
  void on_recovery_timeout();
  void hold_limited_roles();
  void release_limited_roles();
  void collect_registry_garbage();
  Write write_master() const;
  Write write_agent(const AgentInfo& info, bool deactivated, const std::optional<mesos::v1::DrainInfo>& drain,
                    base::Time drain_started) const;
  Write write_unreachable(const AgentId& id, const UnreachableAgent& agent) const;

  // admission.cpp
  void authenticate(LinkId link, const std::string& ip, const std::string& master_nonce, const link::Authenticate& message);
  void check_proof(LinkId link, const std::string& ip, const link::AuthenticationProof& message);
  void refuse_authentication(LinkId link, const std::string& ip, const std::string& why);
  std::optional<std::string> forbid_agent(LinkId link, const AgentInfo& info) const;

  // rate_limits.cpp
  bool hold_back(SchedulerCallReceived& event, const Framework& framework);
  void let_through(const std::string& key);
  void forget_messages_of(const std::string& principal);

  // agents.cpp
  void register_agent(LinkId link, const std::string& ip, link::Register& message);
  void admit(LinkId link, const std::string& ip, AgentId id, link::Register& message);
  void reregister_agent(LinkId link, const std::string& ip, std::shared_ptr<link::Reregister> message);
  void reregister_known(Agent& agent, LinkId link, const std::string& ip, std::shared_ptr<link::Reregister> message);
  void reconcile_known(Agent& agent, const link::Reregister& message);
  void restore_operations(Agent& agent, link::Reregister& message, std::map<FrameworkId, Resources>& used);
  void adopt_tasks(Agent& agent, const link::Reregister& message);
  void readmit(LinkId link, const std::string& ip, link::Reregister& message, bool recovered);
  void restore_tasks(Agent& agent, link::Reregister& message, bool recovered);
  void restore_completed(link::Reregister& message);
  void unregister_agent(Agent& agent);
  void update_agent(Agent& agent, link::UpdateAgent& message);
  void attach(Agent& agent, LinkId link, const std::string& ip);
  void refuse(LinkId link, const std::string& why, bool shutdown);
  void send_registered(const Agent& agent);
  double reconnect_spread_seconds() const;
  void disconnect_agent(Agent& agent);
  void ping(const AgentId& id);
  void pong(Agent& agent);
  void schedule_unreachable(const AgentId& id, std::string why);
  void mark_unreachable(const AgentId& id, const std::string& why);
  void remove_agent(Agent& agent, Departure departure, const std::string& why);
  void end_task_on_departure(Task& task, Departure departure, const std::string& why);
  bool take_removal_permit();
  void executor_exited(Agent& agent, link::ExitedExecutor& message);
  void executor_message(Agent& agent, link::ExecutorMessage& message);
  void remove_executor(Agent& agent, const FrameworkId& framework, const ExecutorId& executor);
  void check_drained(Agent& agent);
  void retry_drained(Agent& agent, const std::string& why);
  Agent* find_agent(const AgentId& id);
  bool link_is_open(LinkId link) const { return open_links_.count(link) > 0; }

  // frameworks.cpp
  Framework* find_framework(const FrameworkId& id);
  std::optional<std::string> refuse_subscription(const SchedulerSubscribed& event) const;
  Framework& add_framework(FrameworkId id, FrameworkInfo info);
  Framework& add_recovered_framework(const FrameworkInfo& info);
  void connect_framework(Framework& framework, SchedulerSubscribed& event, bool known);
  void take_over(Framework& framework);
  void set_framework_info(Framework& framework, FrameworkInfo info, std::set<std::string> suppressed,
                          const mesos::v1::scheduler::OfferConstraints* constraints);
  void tell_agents_about(const Framework& framework);
  void disconnect_framework(Framework& framework);
  void heartbeat(const FrameworkId& id);
  void start_failover_timer(Framework& framework, base::Duration delay);
  void remove_framework(Framework& framework, const std::string& why);
  void fail_connection(ConnectionId connection, const std::string& why);
  std::optional<Reply> refuse_call(const SchedulerCallReceived& event) const;
  void process_call(SchedulerCallReceived& event);
  void dispatch_call(Framework& framework, SchedulerCallReceived& event);
  void update_framework(Framework& framework, CallId call, mesos::v1::scheduler::Call::UpdateFramework& update);
  void shutdown_executor(Framework& framework, const mesos::v1::scheduler::Call::Shutdown& call);
  void framework_message(Framework& framework, mesos::v1::scheduler::Call::Message& call);
  void send_event(Framework& framework, mesos::v1::scheduler::Event event);

  // offers.cpp
  void want_allocation();
  void make_offers();
  void rescind(Offer& offer, bool tell, const mesos::v1::Filters* filters = nullptr);
  void rescind_all(Agent& agent);
  resources::ResourceQuantities offered_within(const std::string& role) const;
  resources::ResourceQuantities consumed_quota(const std::string& role) const;  // offers included
  void rescind_for_limit(const std::string& role, const resources::ResourceLimits& limits);
  void rescind_for_guarantee(const std::string& role, const resources::ResourceQuantities& guarantees);
  void discard_all(Framework& framework, bool tell);
  void drop_offer(Offer& offer);
  void decline(Framework& framework, const mesos::v1::scheduler::Call::Decline& call);
  void revive(Framework& framework, const mesos::v1::scheduler::Call::Revive& call);
  void suppress(Framework& framework, const mesos::v1::scheduler::Call::Suppress& call);
  bool roles_are_own(const Framework& framework, const google::protobuf::RepeatedPtrField<std::string>& roles,
                     std::set<std::string>& out) const;
  static mesos::v1::URL agent_url(const Agent& agent);
  static std::optional<base::Duration> filter_duration(const mesos::v1::Filters* filters);
  void recover_resources(const Framework& framework, const Agent& agent, const Resources& resources,
                         const mesos::v1::Filters* filters);

  // operations.cpp
  void accept(Framework& framework, mesos::v1::scheduler::Call::Accept& call);
  std::optional<std::string> validate_offers(const Framework& framework, const mesos::v1::scheduler::Call::Accept& call) const;
  void refuse_operations(Framework& framework, const mesos::v1::scheduler::Call::Accept& call, TaskState aware,
                         TaskStatus::Reason reason, const std::string& why);
  void apply(Acceptance& acceptance, mesos::v1::Offer::Operation& operation);
  void launch(Acceptance& acceptance, mesos::v1::Offer::Operation& operation);
  void launch_group(Acceptance& acceptance, mesos::v1::Offer::Operation& operation);
  void convert(Acceptance& acceptance, mesos::v1::Offer::Operation& operation);
  std::optional<std::string> validate_feedback(const Acceptance& acceptance, const mesos::v1::Offer::Operation& operation) const;
  void refuse_operation(Framework& framework, const mesos::v1::Offer::Operation& operation, const std::string& why);
  void change_disk(Acceptance& acceptance, mesos::v1::Offer::Operation& operation);
  void send_operation(Framework* framework, Agent& agent, mesos::v1::Offer::Operation operation, Resources held = {});
  void operation_update(Agent& agent, link::OperationStatusUpdate& message);
  void acknowledge_operation(Framework& framework, const mesos::v1::scheduler::Call::AcknowledgeOperationStatus& call);
  void reconcile_operations(Framework& framework, const mesos::v1::scheduler::Call::ReconcileOperations& call);
  void adopt_operations(Framework& framework);
  bool framework_may_come_back(const Operation& operation) const;
  void settle(Operation& operation, const mesos::v1::OperationStatus& status);
  void settle_ended(Agent& agent, const link::Reregister& message);
  void remove_operation(Operation& operation);
  void send_operation_status(Framework& framework, mesos::v1::OperationStatus status);
  void end_operations_on_departure(Agent& agent, Departure departure);

  // tasks.cpp
  Task& add_task(Framework& framework, Agent& agent, const TaskInfo& info, Resources resources);
  Task& add_task(Framework& framework, Agent& agent, mesos::v1::Task proto);
  void status_update(Agent& agent, link::StatusUpdate& message);
  void update_task(Task& task, const TaskStatus& status, std::optional<TaskState> latest);
  void free_resources(Task& task);
  void remove_task(Task& task);
  void detach_from_agent(Task& task);
  void hold(std::unique_ptr<Task> task);
  void complete_task(Framework& framework, const mesos::v1::Task& task);
  void remember_unreachable(Framework& framework, std::unique_ptr<Task> task);
  void acknowledge(Framework& framework, mesos::v1::scheduler::Call::Acknowledge& call);
  void kill(Framework& framework, const mesos::v1::scheduler::Call::Kill& call);
  void reconcile(Framework& framework, const mesos::v1::scheduler::Call::Reconcile& call);
  void reconcile_task(Framework& framework, const TaskId& task, const AgentId& agent);
  TaskStatus make_status(const TaskId& task, TaskState state, const std::string& message, TaskStatus::Reason reason) const;
  TaskStatus reconciliation_status(const mesos::v1::Task& task) const;
  void send_status(Framework& framework, TaskStatus status);
  void count_state(TaskState state, const TaskStatus& status);

  // operator_calls.cpp
  void teardown(CallId call, const FrameworkId& id);
  void mark_gone(CallId call, const AgentId& id);
  void end_unreachable_tasks(const AgentId& agent);
  void update_weights(CallId call, const mesos::v1::master::Call::UpdateWeights& request);
  void update_quota(CallId call, const mesos::v1::master::Call::UpdateQuota& request);
  void remove_quota(CallId call, const std::string& role);
  void set_quota(CallId call, const mesos::v1::quota::QuotaRequest& request);
  base::Result<allocator::ResourceQuantities> guarantees_with(const std::vector<mesos::v1::quota::QuotaConfig>& changed) const;
  void store_quotas(CallId call, std::vector<mesos::v1::quota::QuotaConfig> configs);
  void convert_as_operator(const OperatorCallReceived& event, const AgentId& agent, mesos::v1::Offer::Operation operation);
  bool in_transition(const Agent& agent) const;
  void change_away(CallId call, const AgentId& id, bool deactivated, std::optional<mesos::v1::DrainInfo> drain);
  void set_deactivated(CallId call, const AgentId& id, bool deactivated);
  void drain(CallId call, const mesos::v1::master::Call::DrainAgent& request);

  // maintenance_calls.cpp
  void store_maintenance(CallId call, mesos::v1::maintenance::Schedule schedule, Machines machines, std::vector<AgentId> leaving);
  void take_away(Agent& agent);
  void take_away_late();
  void update_schedule(CallId call, const mesos::v1::maintenance::Schedule& schedule);
  void start_maintenance(CallId call, const mesos::v1::master::Call::StartMaintenance& request);
  void stop_maintenance(CallId call, const mesos::v1::master::Call::StopMaintenance& request);
  bool machine_is_down(const std::string& hostname, const std::string& ip) const;
  void apply_maintenance(Agent& agent);
  void make_inverse_offers();
  void rescind_inverse(Framework& framework, Agent& agent);
  void forget_inverse(const Framework& framework);
  void answer_inverse(Framework& framework, const google::protobuf::RepeatedPtrField<mesos::v1::OfferID>& ids, bool accepted,
                      const mesos::v1::Filters& filters);
  void revive_inverse(const Framework& framework);
  mesos::v1::maintenance::ClusterStatus maintenance_status() const;

  // authorization.cpp: absent or false means that nothing speaks against it
  bool allowed(auth::Action action, const std::string& principal, const std::optional<std::string>& object) const;
  std::optional<std::string> forbid_roles(const FrameworkInfo& info) const;
  std::optional<std::string> forbid_task(const Framework& framework, const TaskInfo& task, const ExecutorInfo* executor) const;
  std::optional<std::string> forbid_operation(const mesos::v1::Offer::Operation& operation, const std::string& principal) const;
  bool forbids(const mesos::v1::master::Call& call, const std::string& principal) const;

  // publish.cpp
  void publish_agent_added(const Agent& agent);
  void publish_agent_removed(const AgentId& id);
  void publish_framework(const Framework& framework, bool added);
  void publish_framework_removed(const FrameworkInfo& info);
  void publish_task_added(const mesos::v1::Task& task);
  void publish_task_updated(const Task& task, const TaskStatus& status);

  Policy policy_;
  std::unique_ptr<allocator::Allocator> allocator_;
  base::Random random_;
  State state_;

  // Valid during on().
  base::Now now_{};
  Effects* out_ = nullptr;

  std::map<TimerId, std::function<void()>> timers_;
  TimerId next_timer_ = 1;
  std::map<Ticket, std::function<void(const base::Status&)>> tickets_;
  Ticket next_ticket_ = 1;

  std::set<LinkId> open_links_;

  /// Who is at the other end of a link, from its Authenticate on.
  struct Identity {
    std::string principal, agent_nonce, master_nonce;
    bool proven = false;
  };
  std::map<LinkId, Identity> identities_;

  /// Calls that wait for their turn, of one named principal or ("") of all others.
  struct Limiter {
    base::Instant next{};  // when the next call may be processed
    std::deque<SchedulerCallReceived> waiting;
    TimerId timer = 0;
  };
  std::map<std::string, Limiter> limiters_;

  std::set<LinkId> registering_;                     // a registration of that link waits for the store
  std::set<AgentId> reregistering_;                  // likewise
  std::map<std::string, Agent*> agents_by_address_;  // "ip:port"
  bool allocation_wanted_ = false;
  TimerId allocation_timer_ = 0;
  TimerId inverse_timer_ = 0;
  size_t agents_awaited_ = 0;  // by roles under a limit, after a restart; 0: none wait
  TimerId recovery_timer_ = 0;
  std::deque<base::Instant> removals_;  // when the last permits of the removal rate limit were taken
};

}  // namespace master
