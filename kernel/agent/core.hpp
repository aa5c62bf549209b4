#pragma once

// The agent: registration, launches, status updates, recovery. Deterministic: told events, asks for effects. core.cpp
// dispatches; registration.cpp, tasks.cpp, executors.cpp, statuses.cpp, operations.cpp, resource_providers.cpp,
// oversubscription.cpp, recovery.cpp and garbage.cpp hold the rules.

#include <map>
#include <string>

#include "base/random.hpp"
#include "base/time.hpp"
#include "kernel/agent/effects.hpp"
#include "kernel/agent/events.hpp"
#include "kernel/agent/garbage.hpp"
#include "kernel/agent/journal.hpp"
#include "kernel/agent/policy.hpp"
#include "kernel/agent/state.hpp"
#include "kernel/agent/updates.hpp"
#include "kernel/auth/challenge.hpp"
#include "kernel/oversubscription/qos.hpp"

namespace agent {

class Core {
 public:
  Core(Policy policy, base::Random random);

  void on(Event event, base::Now now, Effects& out);

  /// How idle resources are lent; null: not at all, and nobody has to go.
  void oversubscribe(std::unique_ptr<oversubscription::Estimator> estimator,
                     std::unique_ptr<oversubscription::QosController> controller);

  const State& state() const { return state_; }
  const Policy& policy() const { return policy_; }
  const Garbage& garbage() const { return garbage_; }
  size_t pending_updates() const { return updates_.size(); }

  /// Those of `sandboxes` that no container has and that are to be removed at no time.
  std::vector<std::string> unowned(const std::vector<std::string>& sandboxes) const;

  /// Where the data of the agent's volumes is. `all`: also where operations under way make or remove some.
  std::vector<VolumePlace> volume_places(bool all) const;

 private:
  struct Found {
    Framework* framework = nullptr;
    Executor* executor = nullptr;
    Task* task = nullptr;
    explicit operator bool() const { return executor != nullptr; }
  };

  // core.cpp
  void handle(Loaded event);
  void handle(ContainersRecovered event);
  void handle(LinkConnected event);
  void handle(LinkDisconnected event);
  void handle(MasterSaid event);
  void handle(Persisted event);
  void handle(TimerFired event);
  void handle(ContainerStarted event);
  void handle(ContainerLaunchFailed event);
  void handle(ContainerExited event);
  void handle(VolumesAdded event);
  void handle(Probed event);
  void handle(ExecutorSubscribed event);
  void handle(ExecutorCalled event);
  void handle(ExecutorDisconnected event);
  void handle(ContainerCalled event);
  void handle(PathRemoved event);
  void handle(VolumesChanged event);
  void handle(ProviderConfigured event);
  void handle(ProviderRemoved event);
  void handle(ProviderGone event);
  void handle(ProviderSurveyed event);
  void handle(DiskChanged event);
  void handle(ProviderSubscribed event);
  void handle(ProviderCalled event);
  void handle(PluginKnown event);
  void handle(UsageMeasured event);
  void handle(LoadMeasured event);
  void handle(DiskMeasured event);
  void handle(LeaveAsked event);
  Found find_container(const std::string& container);
  Found find_executor(const std::string& framework, const std::string& executor);
  Found find_task(const std::string& framework, const std::string& task);
  Found find_connection(ConnectionId connection);
  void set_timer(std::string timer, base::Duration after);
  void cancel_timer(std::string timer);

  // registration.cpp
  void register_now();
  void authenticate();
  std::string sign(auth::Side side) const;
  void challenged(const dcos::internal::v1::AuthenticationChallenge& challenge);
  void authenticated(const dcos::internal::v1::Authenticated& answer);
  void registered(const std::string& agent_id, double ping_timeout, bool again);
  void refused(const dcos::internal::v1::Refused& message);
  void pinged(const dcos::internal::v1::Ping& ping);
  void reconcile(const dcos::internal::v1::ReconcileTasks& message);
  void drain(const mesos::v1::DrainConfig& config);
  void finish_draining();
  void leave(const std::string& why);
  void exit_when_empty();
  dcos::internal::v1::Reregister make_reregister() const;

  // tasks.cpp
  void run_task(dcos::internal::v1::RunTask message);
  void run_group(dcos::internal::v1::RunTaskGroup message);
  void launch_command(Framework& framework, mesos::v1::TaskInfo task);
  void launch_custom(Framework& framework, const mesos::v1::ExecutorInfo& info, std::vector<mesos::v1::TaskInfo> tasks,
                     bool may_launch_executor, bool as_group);
  std::optional<std::pair<mesos::v1::TaskStatus::Reason, std::string>> why_drop(const mesos::v1::FrameworkInfo& framework,
      const google::protobuf::RepeatedPtrField<dcos::internal::v1::ResourceVersion>& versions) const;
  void kill_queued(Executor& executor, const std::string& task);
  void kill_task(const dcos::internal::v1::KillTask& message);
  void send_kill(const Executor& executor, const std::string& task, std::optional<base::Duration> grace);
  void kill(Found found, std::optional<base::Duration> grace);
  void shut_down_framework(const std::string& framework);
  Framework& adopt(const mesos::v1::FrameworkInfo& info);
  std::map<std::string, std::string> executor_environment(const Framework& framework, const Executor& executor) const;
  containerizer::cgroups::Limits limits_of(const Executor& executor) const;
  UpdateContainer update_of(const Executor& executor) const;
  void apply(Executor& executor, executor::Actions actions);

  // executors.cpp
  Executor& make_executor(Framework& framework, mesos::v1::ExecutorInfo info, bool command);
  void launch_container(Framework& framework, Executor& executor);
  containerizer::ContainerSpec spec_of(const Framework& framework, const Executor& executor) const;
  void deliver_queued(Framework& framework, Executor& executor);
  bool ask_for_volumes(Executor& executor);
  void shut_down(Executor& executor, std::optional<mesos::v1::TaskStatus::Reason> reason, std::string message);
  void executor_gone(Framework& framework, Executor& executor, const containerizer::Termination& end,
                     const std::string& launch_failure);
  void tell_exited(const std::string& framework, const std::string& executor, int status);
  void deny_executor(const std::string& framework, const std::string& executor);
  void executor_updated(Framework& framework, Executor& executor, mesos::v1::TaskStatus status);
  void remove_finished(const std::string& framework_id);
  void send(const Executor& executor, mesos::v1::executor::Event event);

  // statuses.cpp
  void update(const std::string& framework_id, Executor* executor, mesos::v1::TaskStatus status);
  void drop(const Framework& framework, const mesos::v1::TaskInfo& task, mesos::v1::TaskStatus::Reason reason,
            const std::string& message);
  void refuse(const Framework& framework, const mesos::v1::TaskInfo& task, mesos::v1::TaskState state,
              mesos::v1::TaskStatus::Reason reason, const std::string& message);
  void send_updates(const TaskKey& task);
  void retry_update(const TaskKey& task);
  void acknowledge(const dcos::internal::v1::AcknowledgeStatusUpdate& message);
  void forward(const TaskKey& task, const Updates::Record& record);
  mesos::v1::ContainerStatus container_status(const Executor& executor) const;

  // api_containers.cpp
  struct CallAnswer {
    int status;
    std::string message;
  };
  std::optional<CallAnswer> launch_api_container(ApiContainer container, ConnectionId connection);
  std::optional<CallAnswer> kill_api_container(const mesos::v1::ContainerID& id, int signal);
  CallAnswer remove_api_container(const mesos::v1::ContainerID& id);
  void wait_for_container(const mesos::v1::ContainerID& id, bool nested_call, ConnectionId connection);
  bool api_container_started(const std::string& id, int64_t pid);
  bool api_container_failed(const std::string& id, const std::string& message);
  bool api_container_ended(const std::string& id, const containerizer::Termination& end);
  void forget_api_containers(const std::string& root);
  void answer_waiters(const ApiContainer& container);
  containerizer::ContainerSpec spec_of(const ApiContainer& container) const;
  std::string sandbox_of(const std::string& container) const;
  std::string group_of(const std::string& container) const;
  void restore_api_container(dcos::agent::v1::ContainerRecord record);
  void save(const ApiContainer& container);

  // operations.cpp
  void apply_operation(const dcos::internal::v1::ApplyOperation& message);
  base::Status try_operation(Operation& operation);
  void end_operation(Operation& operation, mesos::v1::OperationState state, const std::string& message,
                     const mesos::v1::Resource* made = nullptr);
  void tell_operation(Operation& operation);
  void tell_operations();
  void retry_operation(const std::string& key);
  void acknowledge(const dcos::internal::v1::AcknowledgeOperationStatus& message);
  void drop_unknown(const dcos::internal::v1::OperationReference& reference);
  void change_volumes(const Operation& operation);
  void undo(const Operation& operation);
  void tell_total();
  void send_totals();
  bool restore_resources(Loaded& event);
  bool removing(const VolumePlace& place) const;
  bool in_use(const resources::Kind& volume) const;
  std::optional<std::string> find_missing(const mesos::v1::TaskInfo& task) const;

  // resource_providers.cpp
  /// Whose resources an operation is on: the agent's own, or those of an active provider.
  struct Owner {
    resources::Resources& total;
    std::string& version;
    ResourceProvider* provider;  // null: the agent itself
  };
  base::Result<Owner> owner_of(const mesos::v1::Offer::Operation& operation);
  void save(const Owner& owner);
  resources::Resources changing_disks(const std::string& provider, const Operation& but) const;
  base::Status try_disk(const Operation& operation, const Owner& owner);
  void change_disk(const Operation& operation);
  void tell_provider(ResourceProvider& provider);
  void restore(dcos::agent::v1::ProviderRecord record);
  std::vector<storage::DiskName> disks_of(const Executor& executor) const;
  bool is_plugin(const std::string& container) const;

  // remote_providers.cpp
  bool is_remote(const std::string& provider) const;
  void send(const ResourceProvider& provider, mesos::v1::resource_provider::Event event);
  base::Status remote_state(ResourceProvider& provider, const mesos::v1::resource_provider::Call::UpdateState& update);
  base::Status remote_operation(ResourceProvider& provider, const mesos::v1::resource_provider::Call::UpdateOperationStatus& update);
  void remote_ended(ResourceProvider& provider, const Operation& operation, const mesos::v1::OperationStatus& status);
  void acknowledge_remote(const ResourceProvider& provider, const std::string& operation, const std::string& status);
  void hand_over(Operation& operation, const ResourceProvider& provider);
  void remote_left(ResourceProvider& provider, const std::string& why);
  bool ask_to_publish(const Executor& executor);
  void published(const std::string& container, const base::Status& status);

  // oversubscription.cpp
  std::vector<oversubscription::Executor> running(const std::map<std::string, double>& cpu_seconds) const;
  void send_oversubscribed();
  void preempt(Executor& executor, const std::string& why);
  void end_preempted(const Framework& framework, Executor& executor);

  // recovery.cpp
  void restore_executor(dcos::agent::v1::ExecutorRecord record);
  void restore_task(dcos::agent::v1::TaskRecord record);
  void recovered();
  void collect(const std::string& path);
  void remove(const std::string& path);
  base::Status check_info(const dcos::agent::v1::AgentRecord& record);

  // checkpoint.cpp
  void save_agent();
  void save(const Framework& framework);
  void save(const Executor& executor);
  void save(const Operation& operation);
  void save(const ResourceProvider& provider);
  void save_resources();
  void save(const Executor& executor, const Task& task);

  Policy policy_;
  base::Random random_;
  State state_;
  Updates updates_;
  Journal journal_;
  Garbage garbage_;
  std::unique_ptr<oversubscription::Estimator> estimator_;
  std::unique_ptr<oversubscription::QosController> controller_;
  base::Duration register_backoff_{0};
  struct Publication {
    std::string container, provider;
  };
  std::map<std::string, Publication> publications_;  // that remote providers were asked for, by uuid
  std::string nonce_, master_nonce_;  // of this connection's authentication
  bool authenticated_ = false;
  base::Duration authentication_timeout_{0};
  base::Duration ping_timeout_ = base::seconds(75);
  std::optional<int> exit_code_;      // set: the agent ends when its containers are gone
  std::string exit_message_;
  bool any_container_recovered_ = false;
  // Who waits for a container's end, and whether they asked by the older call.
  std::multimap<std::string, std::pair<ConnectionId, bool>> waiters_;
  std::deque<std::string> ended_sessions_;   // how they ended can be asked for a while

  // Of the event being handled.
  base::Now now_{};
  Effects* out_ = nullptr;
};

/// What a container was ended for: it went over what it was given.
std::optional<containerizer::Limitation> breach_of(const containerizer::Termination& end);

/// "a.b.c", the outermost first, and back.
std::string container_text(const mesos::v1::ContainerID& id);
mesos::v1::ContainerID container_id_of(const std::string& text);

/// Both may be file names.
bool valid_ids(const std::string& framework, const std::string& task);

/// Containers of a provider's plugin are named so.
std::string plugin_prefix(const std::string& provider);

/// What the agent and its active providers have together.
resources::Resources everything(const State& state);

/// What the master is told of the active providers.
void add_providers(const State& state, google::protobuf::RepeatedPtrField<dcos::internal::v1::ResourceProviderState>* out);

/// Its container is to have those of `resources` that are persistent volumes.
void add_volumes(Executor& executor, const google::protobuf::RepeatedPtrField<mesos::v1::Resource>& resources);

/// The v1 view of a task.
mesos::v1::Task make_task(const Framework& framework, const Executor& executor, const Task& task,
                          const std::string& agent_id);

}  // namespace agent
