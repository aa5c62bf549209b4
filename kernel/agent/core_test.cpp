// Conversations with the core: events in, effects out, no clock and no process.

#include "kernel/agent/core.hpp"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "base/crypto.hpp"
#include "base/store/store.hpp"
#include "kernel/agent/checkpoint.hpp"
#include "kernel/auth/challenge.hpp"
#include "kernel/resources/proto.hpp"

namespace agent {
namespace {

using dcos::internal::v1::MasterMessage;
using mesos::v1::TaskStatus;

/// A core with a store that keeps what is committed, so that a test can start another core from it.
class World {
 public:
  explicit World(Policy policy = make_policy()) : policy_(std::move(policy)) { start({}); }

  static Policy make_policy() {
    Policy policy;
    policy.info.set_hostname("h");
    policy.ip = "10.0.0.1";
    policy.work_dir = "/agent";
    policy.boot_id = "boot-1";
    return policy;
  }

  /// A new core from what is stored. `running`: containers that still run.
  void start(std::map<std::string, containerizer::Started> running) {
    core = std::make_unique<Core>(policy_, base::Random(7));
    effects.clear();
    std::vector<base::StoreEntry> entries;
    for (const auto& [key, value] : store) entries.push_back({key, value});
    tell(decode_store(entries));
    if (!find<Exit>()) tell(ContainersRecovered{std::move(running)});
  }

  void join() {
    tell(LinkConnected{});
    MasterMessage message;
    if (core->state().info.has_id())
      message.mutable_reregistered()->mutable_agent_id()->set_value("a1");
    else
      message.mutable_registered()->mutable_agent_id()->set_value("a1");
    tell(MasterSaid{message});
  }

  void tell(Event event) {
    Effects out;
    core->on(std::move(event), now, out);
    bool persist = false;
    for (auto& effect : out.list) {
      if (auto* commit = std::get_if<Persist>(&effect)) {
        persist = true;
        if (!disk_full)
          for (auto& write : commit->batch.writes) {
            if (write.value)
              store[write.key] = *write.value;
            else
              store.erase(write.key);
          }
      }
      effects.push_back(std::move(effect));
    }
    if (persist) tell(Persisted{disk_full ? base::Status(base::Error{base::Code::NoSpace, "full"}) : base::Status()});
  }

  template <class T>
  const T* find() const {
    for (auto at = effects.rbegin(); at != effects.rend(); ++at)
      if (const auto* found = std::get_if<T>(&*at)) return found;
    return nullptr;
  }

  /// States of the updates sent to the master since the last call.
  std::string sent() {
    std::string text;
    for (const auto& effect : effects)
      if (const auto* send = std::get_if<SendToMaster>(&effect); send != nullptr && send->message.has_status_update()) {
        last = send->message.status_update().status();
        text += (text.empty() ? "" : " ") + mesos::v1::TaskState_Name(last.state()).substr(5);
      }
    effects.clear();
    return text;
  }

  void acknowledge() {
    MasterMessage message;
    auto* ack = message.mutable_acknowledge_status_update();
    ack->mutable_framework_id()->set_value("f");
    ack->mutable_task_id()->CopyFrom(last.task_id());
    ack->set_uuid(last.uuid());
    tell(MasterSaid{message});
  }

  void run(const std::string& task, const std::string& executor = "") {
    MasterMessage message;
    auto* run = message.mutable_run_task();
    run->mutable_framework_info()->mutable_id()->set_value("f");
    run->mutable_framework_info()->set_user("");
    run->mutable_framework_info()->set_name("n");
    run->set_launch_executor(true);
    auto* info = run->mutable_task();
    info->set_name(task);
    info->mutable_task_id()->set_value(task);
    info->mutable_agent_id()->set_value("a1");
    auto* command = executor.empty() ? info->mutable_command() : info->mutable_executor()->mutable_command();
    command->set_value("true");
    if (!executor.empty()) info->mutable_executor()->mutable_executor_id()->set_value(executor);
    tell(MasterSaid{message});
  }

  void kill(const std::string& task) {
    MasterMessage message;
    message.mutable_kill_task()->mutable_framework_id()->set_value("f");
    message.mutable_kill_task()->mutable_task_id()->set_value(task);
    tell(MasterSaid{message});
  }

  std::string container() const { return core->state().containers.empty() ? "" : core->state().containers.begin()->first; }

  mesos::v1::executor::Call call(mesos::v1::executor::Call::Type type, const std::string& executor) {
    mesos::v1::executor::Call out;
    out.set_type(type);
    out.mutable_framework_id()->set_value("f");
    out.mutable_executor_id()->set_value(executor);
    return out;
  }

  Policy policy_;
  std::map<std::string, std::string> store;
  std::unique_ptr<Core> core;
  std::vector<Effect> effects;
  TaskStatus last;
  base::Now now{base::Instant{base::seconds(100)}, base::Time{base::seconds(1'000'000)}};
  bool disk_full = false;
};

containerizer::Termination exited(int code) {
  containerizer::Termination end;
  end.status = code << 8;
  return end;
}

TEST(AgentCore, registers_once_and_keeps_its_id) {
  World world;
  world.tell(LinkConnected{});
  EXPECT_TRUE(world.find<SendToMaster>()->message.has_register_agent());
  world.join();
  EXPECT_EQ(world.core->state().phase, Phase::Registered);
  world.start({});
  world.tell(LinkConnected{});
  EXPECT_EQ(world.find<SendToMaster>()->message.reregister_agent().agent_info().id().value(), "a1");
}

TEST(AgentCore, connects_again_when_the_pings_stop) {
  World world;
  world.join();
  world.tell(TimerFired{"ping"});
  ASSERT_NE(world.find<Reconnect>(), nullptr);
  EXPECT_EQ(world.find<Reconnect>()->why, "No pings from master received within 75secs");
}

TEST(AgentCore, runs_a_command_and_forgets_it_when_all_is_acknowledged) {
  World world;
  world.join();
  world.run("t");
  ASSERT_NE(world.find<LaunchContainer>(), nullptr);
  EXPECT_EQ(world.find<LaunchContainer>()->spec.environment.at("MESOS_SLAVE_ID"), "a1");
  EXPECT_EQ(world.sent(), "STARTING");
  world.tell(ContainerStarted{world.container(), 42});
  EXPECT_EQ(world.sent(), "") << "one outstanding update per task";
  world.last.mutable_task_id()->set_value("t");
  world.acknowledge();
  EXPECT_EQ(world.sent(), "RUNNING");
  world.acknowledge();
  world.tell(ContainerExited{world.container(), exited(0)});
  EXPECT_EQ(world.sent(), "FINISHED");
  EXPECT_EQ(world.core->state().frameworks.size(), 1U);
  world.acknowledge();
  EXPECT_TRUE(world.core->state().frameworks.empty());
  EXPECT_EQ(world.core->state().completed_frameworks.size(), 1U);
  for (const auto& [key, value] : world.store)
    EXPECT_TRUE(key == "agent" || key.starts_with("gc/")) << key;
}

TEST(AgentCore, tells_the_networks_of_a_container_in_every_update) {
  World world;
  world.join();
  world.run("t");
  (void)world.sent();
  ContainerStarted started{world.container(), 42};
  auto& network = started.networks.emplace_back();
  network.set_name("mesos-bridge");
  network.add_ip_addresses()->set_ip_address("172.31.254.2");
  world.tell(started);
  world.last.mutable_task_id()->set_value("t");
  world.acknowledge();
  EXPECT_EQ(world.sent(), "RUNNING");
  EXPECT_EQ(world.last.container_status().network_infos(0).ip_addresses(0).ip_address(), "172.31.254.2");
  world.acknowledge();
  // After a restart, and when it ended meanwhile, too.
  world.start({});
  world.join();
  world.tell(ContainerExited{world.container(), exited(0)});
  EXPECT_EQ(world.sent(), "FINISHED");
  EXPECT_EQ(world.last.container_status().network_infos(0).ip_addresses(0).ip_address(), "172.31.254.2");
}

TEST(AgentCore, says_what_a_container_took_that_it_was_not_given) {
  World world;
  world.join();
  world.run("t");
  (void)world.sent();
  world.tell(ContainerStarted{world.container(), 42});
  world.last.mutable_task_id()->set_value("t");
  world.acknowledge();
  (void)world.sent();
  world.acknowledge();
  containerizer::Termination end;
  end.status = SIGKILL;
  end.limitation.emplace().message = "too much";
  auto& ports = end.limitation->resources.emplace_back();
  ports.set_name("ports");
  ports.set_type(mesos::v1::Value::RANGES);
  world.tell(ContainerExited{world.container(), end});
  EXPECT_EQ(world.sent(), "FAILED");
  EXPECT_EQ(world.last.reason(), TaskStatus::REASON_CONTAINER_LIMITATION);
  EXPECT_EQ(world.last.message(), "too much");
  EXPECT_EQ(world.last.limitation().resources(0).name(), "ports");
}

TEST(AgentCore, launches_nothing_that_is_not_on_disk) {
  World world;
  world.join();
  world.effects.clear();
  world.disk_full = true;
  world.run("t");
  EXPECT_EQ(world.find<LaunchContainer>(), nullptr);
  EXPECT_EQ(world.sent(), "");
  world.disk_full = false;
  world.tell(TimerFired{Journal::kRetryTimer});
  EXPECT_NE(world.find<LaunchContainer>(), nullptr);
  EXPECT_EQ(world.sent(), "STARTING");
}

TEST(AgentCore, sends_an_update_again_until_it_is_acknowledged) {
  World world;
  world.join();
  world.run("t");
  EXPECT_EQ(world.sent(), "STARTING");
  world.now.instant = world.now.instant + base::seconds(10);
  world.tell(TimerFired{"update/f/t"});
  EXPECT_EQ(world.sent(), "STARTING");
  world.acknowledge();
  world.now.instant = world.now.instant + base::seconds(100);
  world.tell(TimerFired{"update/f/t"});
  EXPECT_EQ(world.sent(), "");
}

TEST(AgentCore, sends_pending_updates_at_once_when_their_framework_is_back) {
  World world;
  world.join();
  world.run("t");
  EXPECT_EQ(world.sent(), "STARTING");
  MasterMessage message;
  auto* info = message.mutable_update_framework()->mutable_framework_info();
  info->mutable_id()->set_value("f");
  info->set_user("");
  info->set_name("n");
  world.tell(MasterSaid{message});
  EXPECT_EQ(world.sent(), "STARTING");
  info->mutable_id()->set_value("another");
  world.tell(MasterSaid{message});
  EXPECT_EQ(world.sent(), "");
}

TEST(AgentCore, says_lost_for_a_kill_of_what_it_does_not_know) {
  World world;
  world.join();
  world.kill("unknown");
  EXPECT_EQ(world.sent(), "LOST");
  EXPECT_EQ(world.last.reason(), TaskStatus::REASON_RECONCILIATION);
}

TEST(AgentCore, ignores_hostile_ids_and_second_launches) {
  World world;
  world.join();
  for (const char* id : {"..", "a/b", "", "."}) {
    world.run(id);
    world.kill(id);
  }
  EXPECT_TRUE(world.core->state().containers.empty());
  EXPECT_EQ(world.sent(), "");
  world.run("t");
  world.run("t");
  EXPECT_EQ(world.core->state().containers.size(), 1U);
}

TEST(AgentCore, finds_its_tasks_after_a_restart_and_tells_their_end) {
  World world;
  world.join();
  world.run("t");
  const std::string container = world.container();
  EXPECT_EQ(world.sent(), "STARTING");
  world.acknowledge();
  world.tell(ContainerStarted{container, 42});
  EXPECT_EQ(world.sent(), "RUNNING");
  world.acknowledge();
  world.start({{container, {42}}});
  world.join();
  EXPECT_EQ(world.sent(), "");
  world.tell(ContainerExited{container, exited(3)});
  EXPECT_EQ(world.sent(), "FAILED");
  EXPECT_EQ(world.last.message(), "Command exited with status 3");
}

TEST(AgentCore, tells_running_when_it_died_between_the_start_and_the_news) {
  World world;
  world.join();
  world.run("t");
  const std::string container = world.container();
  EXPECT_EQ(world.sent(), "STARTING");
  world.start({{container, {42}}});
  world.join();
  EXPECT_EQ(world.sent(), "STARTING");
  world.acknowledge();
  EXPECT_EQ(world.sent(), "RUNNING");
}

TEST(AgentCore, goes_on_killing_after_a_restart) {
  World world;
  world.join();
  world.run("t");
  const std::string container = world.container();
  world.sent();
  world.acknowledge();
  world.tell(ContainerStarted{container, 42});
  world.kill("t");
  EXPECT_NE(world.find<TerminateContainer>(), nullptr);
  world.start({{container, {42}}});
  EXPECT_NE(world.find<TerminateContainer>(), nullptr);
  world.start({});
  world.join();
  world.tell(ContainerExited{container, {}});
  std::string all = world.sent();
  while (!is_terminal(world.last.state())) {
    world.acknowledge();
    all = world.sent();
    ASSERT_FALSE(all.empty());
  }
  EXPECT_EQ(world.last.state(), mesos::v1::TASK_KILLED);
}

TEST(AgentCore, leaves_damaged_records_out_and_counts_them) {
  World world;
  world.join();
  world.store["task/f/t"] = "\xff\xff garbage";
  world.store["executor/f/e"] = "\xff\xff";
  world.store["strange"] = "";
  world.start({});
  EXPECT_EQ(world.core->state().recovery_errors, 3U);
  world.join();
  EXPECT_EQ(world.core->state().phase, Phase::Registered);
}

TEST(AgentCore, refuses_to_start_with_less_and_begins_anew_after_a_reboot) {
  World world;
  world.policy_.info.set_port(1);
  world.join();
  world.policy_.info.set_port(2);
  world.start({});
  world.policy_.info.set_hostname("other");
  world.start({});
  ASSERT_NE(world.find<Exit>(), nullptr);
  EXPECT_NE(world.find<Exit>()->message.find("not permitted under `additive` policy"), std::string::npos);
  world.policy_.boot_id = "boot-2";
  world.start({});
  EXPECT_EQ(world.find<Exit>(), nullptr);
  EXPECT_FALSE(world.core->state().info.has_id());
}

TEST(AgentCore, an_agent_that_has_drained_can_be_used_again) {
  World world;
  world.join();
  MasterMessage message;
  message.mutable_drain()->mutable_config();
  world.tell(MasterSaid{message});
  EXPECT_FALSE(world.core->state().drain.has_value());  // nothing was to be ended
  world.start({});
  EXPECT_FALSE(world.core->state().drain.has_value());
}

TEST(AgentCore, drops_tasks_and_kills_running_ones_when_draining) {
  World world;
  world.join();
  world.run("t");
  world.tell(ContainerStarted{world.container(), 42});
  MasterMessage message;
  message.mutable_drain()->mutable_config();
  world.tell(MasterSaid{message});
  EXPECT_NE(world.find<TerminateContainer>(), nullptr);
  world.effects.clear();
  world.run("next");
  EXPECT_EQ(world.sent(), "LOST");
  EXPECT_EQ(world.last.reason(), TaskStatus::REASON_AGENT_DRAINING);
  world.start({});
  EXPECT_TRUE(world.core->state().drain.has_value());
}

TEST(CustomExecutors, get_their_tasks_when_they_subscribe) {
  World world;
  world.join();
  world.run("t1", "e");
  world.run("t2", "e");
  EXPECT_EQ(world.core->state().containers.size(), 1U);
  world.tell(ContainerStarted{world.container(), 42});
  world.effects.clear();
  auto subscribe = world.call(mesos::v1::executor::Call::SUBSCRIBE, "e");
  subscribe.mutable_subscribe();
  world.tell(ExecutorSubscribed{1, subscribe});
  std::string events;
  for (const auto& effect : world.effects)
    if (const auto* send = std::get_if<SendToExecutor>(&effect))
      events += mesos::v1::executor::Event::Type_Name(send->event.type()) + " ";
  EXPECT_EQ(events, "SUBSCRIBED LAUNCH LAUNCH ");

  auto update = world.call(mesos::v1::executor::Call::UPDATE, "e");
  auto* status = update.mutable_update()->mutable_status();
  status->mutable_task_id()->set_value("t1");
  status->set_state(mesos::v1::TASK_RUNNING);
  status->set_uuid("0123456789abcdef");
  world.effects.clear();
  world.tell(ExecutorCalled{2, update});
  EXPECT_EQ(world.find<AnswerExecutor>()->status, 202);
  EXPECT_EQ(world.find<SendToExecutor>()->event.type(), mesos::v1::executor::Event::ACKNOWLEDGED);
  EXPECT_EQ(world.sent(), "RUNNING");

  world.tell(ContainerExited{world.container(), exited(0)});
  EXPECT_EQ(world.sent(), "FAILED");
  EXPECT_EQ(world.last.reason(), TaskStatus::REASON_EXECUTOR_TERMINATED);
}

TEST(CustomExecutors, are_ended_when_they_do_not_subscribe_in_time) {
  World world;
  world.join();
  world.run("t", "e");
  const std::string container = world.container();
  world.tell(ContainerStarted{container, 42});
  world.tell(TimerFired{"subscribe/" + container});
  ASSERT_NE(world.find<DestroyContainer>(), nullptr);
  world.tell(ContainerExited{container, exited(0)});
  EXPECT_EQ(world.sent(), "FAILED");
  EXPECT_EQ(world.last.message(), "Executor did not register within 1mins");
}

TEST(CustomExecutors, are_refused_when_unknown) {
  World world;
  world.join();
  auto subscribe = world.call(mesos::v1::executor::Call::SUBSCRIBE, "e");
  world.tell(ExecutorSubscribed{1, subscribe});
  EXPECT_EQ(world.find<AnswerExecutor>()->status, 400);
  EXPECT_EQ(world.find<AnswerExecutor>()->message, "Framework cannot be found");
}

TEST(CustomExecutors, lose_a_task_that_they_never_got_before_the_restart) {
  World world;
  world.join();
  world.run("t", "e");
  const std::string container = world.container();
  world.tell(ContainerStarted{container, 42});
  auto subscribe = world.call(mesos::v1::executor::Call::SUBSCRIBE, "e");
  subscribe.mutable_subscribe();
  world.tell(ExecutorSubscribed{1, subscribe});
  world.start({{container, {42}}});
  world.join();
  world.tell(ExecutorSubscribed{1, subscribe});
  EXPECT_EQ(world.sent(), "LOST");
  EXPECT_EQ(world.last.reason(), TaskStatus::REASON_AGENT_RESTARTED);
}

constexpr const char* kReservation = R"(reservations { type: DYNAMIC role: "web" principal: "p" })";

mesos::v1::Resource disk(double megabytes, const std::string& reservation, const std::string& id = "") {
  mesos::v1::Resource resource;
  std::string text = "name: 'disk' type: SCALAR scalar { value: " + std::to_string(megabytes) + " } " + reservation;
  if (!id.empty())
    text += " disk { persistence { id: '" + id + "' principal: 'p' } volume { mode: RW container_path: 'data' } }";
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &resource));
  return resource;
}

/// A world whose agent has a disk, with operations as the master sends them.
class Operations : public World {
 public:
  Operations() : World(with_disk()) { join(); }

  static Policy with_disk() {
    Policy policy = make_policy();
    policy.info.add_resources()->CopyFrom(disk(100, ""));
    return policy;
  }

  void apply(const std::string& uuid, mesos::v1::Offer::Operation operation) {
    MasterMessage message;
    auto* order = message.mutable_apply_operation();
    order->mutable_framework_id()->set_value("f");
    order->mutable_operation_uuid()->set_value(uuid);
    order->mutable_resource_version()->mutable_uuid()->set_value(core->state().resource_version);
    order->mutable_operation()->CopyFrom(operation);
    tell(MasterSaid{message});
  }
  void reserve(const std::string& uuid) {
    mesos::v1::Offer::Operation operation;
    operation.set_type(mesos::v1::Offer::Operation::RESERVE);
    operation.mutable_reserve()->add_resources()->CopyFrom(disk(40, kReservation));
    apply(uuid, operation);
  }
  void create(const std::string& uuid) {
    mesos::v1::Offer::Operation operation;
    operation.set_type(mesos::v1::Offer::Operation::CREATE);
    operation.mutable_create()->add_volumes()->CopyFrom(disk(40, kReservation, "v#data#1"));
    apply(uuid, operation);
  }
  void destroy(const std::string& uuid) {
    mesos::v1::Offer::Operation operation;
    operation.set_type(mesos::v1::Offer::Operation::DESTROY);
    operation.mutable_destroy()->add_volumes()->CopyFrom(disk(40, kReservation, "v#data#1"));
    apply(uuid, operation);
  }
  void run_on_volume(const std::string& task) {
    MasterMessage message;
    auto* run = message.mutable_run_task();
    run->mutable_framework_info()->mutable_id()->set_value("f");
    run->mutable_framework_info()->set_name("n");
    run->mutable_framework_info()->set_user("");
    auto* info = run->mutable_task();
    info->set_name(task);
    info->mutable_task_id()->set_value(task);
    info->mutable_agent_id()->set_value("a1");
    info->mutable_command()->set_value("true");
    info->add_resources()->CopyFrom(disk(40, kReservation, "v#data#1"));
    tell(MasterSaid{message});
  }
  /// "uuid STATE ..." of the operation updates since the last call.
  std::string told() {
    std::string text;
    for (const auto& effect : effects)
      if (const auto* send = std::get_if<SendToMaster>(&effect); send && send->message.has_operation_status_update()) {
        const auto& update = send->message.operation_status_update();
        status = update.status();
        text += (text.empty() ? "" : " ") + update.operation_uuid().value() + " " +
                mesos::v1::OperationState_Name(status.state()).substr(10);
      }
    effects.clear();
    return text;
  }
  void acknowledge_operation(const std::string& uuid) {
    MasterMessage message;
    message.mutable_acknowledge_operation_status()->mutable_operation_uuid()->set_value(uuid);
    message.mutable_acknowledge_operation_status()->mutable_status_uuid()->CopyFrom(status.uuid());
    tell(MasterSaid{message});
  }
  std::string total() const { return core->state().total.text(); }

  mesos::v1::OperationStatus status;
};

TEST(AgentOperations, reserves_durably_and_tells_until_acknowledged) {
  Operations world;
  world.reserve("u1");
  EXPECT_EQ(world.told(), "u1 FINISHED");
  EXPECT_FALSE(world.status.uuid().value().empty());
  const std::string total = world.total();
  EXPECT_NE(total.find("DYNAMIC,web,p)]):40"), std::string::npos) << total;
  world.reserve("u1");  // again: told again, not applied again
  EXPECT_EQ(world.told(), "u1 FINISHED");
  EXPECT_EQ(world.total(), total);

  world.start({});
  EXPECT_EQ(world.total(), total);
  world.tell(LinkConnected{});
  const auto& message = world.find<SendToMaster>()->message.reregister_agent();
  ASSERT_EQ(message.checkpointed_resources_size(), 1);
  EXPECT_EQ(message.checkpointed_resources(0).reservations(0).principal(), "p");
  EXPECT_EQ(message.operations_size(), 1);
  world.join();
  EXPECT_EQ(world.told(), "u1 FINISHED");
  world.tell(TimerFired{operation_key("u1")});
  EXPECT_EQ(world.told(), "u1 FINISHED");
  world.acknowledge_operation("u1");
  world.tell(TimerFired{operation_key("u1")});
  EXPECT_EQ(world.told(), "");
  EXPECT_EQ(world.store.count(operation_key("u1")), 0U);
}

TEST(AgentOperations, says_nothing_before_it_is_durable) {
  Operations world;
  world.disk_full = true;
  world.reserve("u1");
  EXPECT_EQ(world.told(), "");
  world.disk_full = false;
  world.tell(TimerFired{Journal::kRetryTimer});
  EXPECT_EQ(world.told(), "u1 FINISHED");
}

TEST(AgentOperations, creates_a_volume_when_its_directory_is_there_and_goes_on_after_a_restart) {
  Operations world;
  world.reserve("u1");
  world.create("u2");
  EXPECT_EQ(world.find<MakeVolumes>()->volumes[0].path, "/agent/volumes/roles/web/v#data#1");
  EXPECT_EQ(world.told(), "u1 FINISHED");
  world.start({});
  ASSERT_NE(world.find<MakeVolumes>(), nullptr);
  world.join();
  world.effects.clear();
  world.tell(VolumesChanged{"u2", {}});
  EXPECT_EQ(world.told(), "u2 FINISHED");
  EXPECT_EQ(world.core->state().total.persistent_volumes().size(), 1U);
}

TEST(AgentOperations, takes_a_volume_back_that_cannot_be_made_and_tells_its_total) {
  Operations world;
  world.reserve("u1");
  world.create("u2");
  world.effects.clear();
  const std::string version = world.core->state().resource_version;
  world.tell(VolumesChanged{"u2", base::Error{base::Code::NoSpace, "no space"}});
  const auto& update = world.find<SendToMaster>()->message.update_agent();
  EXPECT_TRUE(update.update_total_resources());
  EXPECT_NE(update.resource_version_uuid().value(), version);
  EXPECT_EQ(world.told(), "u2 FAILED");
  EXPECT_TRUE(world.core->state().total.persistent_volumes().empty());
}

TEST(AgentOperations, refuses_what_its_resources_do_not_hold) {
  Operations world;
  world.create("u1");  // nothing is reserved
  EXPECT_EQ(world.told(), "u1 ERROR");
  EXPECT_EQ(world.total(), "disk:100");
  MasterMessage old;
  old.mutable_apply_operation()->mutable_operation_uuid()->set_value("u2");
  old.mutable_apply_operation()->mutable_resource_version()->mutable_uuid()->set_value("another");
  old.mutable_apply_operation()->mutable_operation()->set_type(mesos::v1::Offer::Operation::RESERVE);
  world.tell(MasterSaid{old});
  EXPECT_EQ(world.told(), "u2 DROPPED");
}

TEST(AgentOperations, gives_a_task_its_volume_and_keeps_it_while_in_use) {
  Operations world;
  world.run_on_volume("early");
  EXPECT_EQ(world.sent(), "LOST");
  EXPECT_EQ(world.last.reason(), TaskStatus::REASON_RESOURCES_UNKNOWN);
  world.reserve("u1");
  world.create("u2");
  world.tell(VolumesChanged{"u2", {}});
  world.run_on_volume("t");
  const auto* launch = world.find<LaunchContainer>();
  ASSERT_NE(launch, nullptr);
  ASSERT_EQ(launch->spec.volumes.size(), 1U);
  EXPECT_EQ(launch->spec.volumes[0].source, "/agent/volumes/roles/web/v#data#1");
  EXPECT_EQ(launch->spec.volumes[0].container_path, "data");
  world.told();
  world.destroy("u3");
  EXPECT_EQ(world.told(), "u3 ERROR");
  world.start({{world.container(), {1}}});  // a restart does not forget the use
  world.join();
  world.told();
  world.destroy("u4");
  EXPECT_EQ(world.told(), "u4 ERROR");
  world.tell(ContainerExited{world.container(), exited(0)});
  world.told();
  world.destroy("u5");
  ASSERT_NE(world.find<RemoveVolumes>(), nullptr);
  EXPECT_EQ(world.told(), "");
  world.create("u6");  // the same id before the old data is gone
  EXPECT_EQ(world.told(), "u6 ERROR");
  world.tell(VolumesChanged{"u5", base::Error{base::Code::Io, "busy"}});
  EXPECT_EQ(world.told(), "");
  world.tell(TimerFired{operation_key("u5")});
  ASSERT_NE(world.find<RemoveVolumes>(), nullptr);
  world.tell(VolumesChanged{"u5", {}});
  EXPECT_EQ(world.told(), "u5 FINISHED");
  EXPECT_TRUE(world.core->state().total.persistent_volumes().empty());
}

TEST(AgentOperations, drops_operations_that_never_arrived) {
  Operations world;
  MasterMessage message;
  auto* asked = message.mutable_reconcile_operations()->add_operations();
  asked->mutable_operation_uuid()->set_value("lost");
  asked->mutable_operation_id()->set_value("mine");
  world.tell(MasterSaid{message});
  EXPECT_EQ(world.told(), "lost DROPPED");
  EXPECT_EQ(world.status.operation_id().value(), "mine");
}

TEST(AgentOperations, does_not_start_with_less_than_its_volumes_need) {
  Operations world;
  world.reserve("u1");
  world.policy_.info.mutable_resources(0)->mutable_scalar()->set_value(20);
  world.policy_.additive = true;
  world.store.erase("agent");  // as after a reboot with another configuration
  world.start({});
  ASSERT_NE(world.find<Exit>(), nullptr);
  EXPECT_NE(world.find<Exit>()->message.find("DYNAMIC,web,p)]):40"), std::string::npos);
}

TEST(AgentVolumes, lie_below_their_disk_and_never_leave_it) {
  const auto place = [](const std::string& text) {
    mesos::v1::Resource resource = disk(1, kReservation, "v");
    EXPECT_TRUE(google::protobuf::TextFormat::MergeFromString(text, &resource));
    const auto parsed = resources::from_proto(resource);
    EXPECT_TRUE(parsed);
    const auto found = volume_place("/agent", parsed->kind);
    return found ? found->path : "refused";
  };
  EXPECT_EQ(place(""), "/agent/volumes/roles/web/v");
  EXPECT_EQ(place("reservations { type: DYNAMIC role: 'web/a' }"), "/agent/volumes/roles/web a/v");
  EXPECT_EQ(place("disk { source { type: PATH path { root: '/d' } } }"), "/d/volumes/roles/web/v");
  EXPECT_EQ(place("disk { source { type: PATH path { root: 'd' } } }"), "/agent/d/volumes/roles/web/v");
  EXPECT_EQ(place("disk { source { type: MOUNT mount { root: '/m' } } }"), "/m");
  EXPECT_EQ(place("disk { persistence { id: '..' } }"), "refused");
  EXPECT_EQ(place("disk { persistence { id: 'a/../../b' } }"), "refused");
}

Policy policy_with_credential() {
  Policy policy = World::make_policy();
  policy.credential = auth::BasicCredential{"agents", "s"};
  return policy;
}

/// What was sent to the master last.
const dcos::internal::v1::AgentMessage& last_sent(const World& world) { return world.find<SendToMaster>()->message; }

MasterMessage challenge(const std::string& nonce) {
  MasterMessage message;
  message.mutable_authentication_challenge()->set_nonce(nonce);
  return message;
}

const std::string kOurs(auth::kNonceBytes, 'a'), kTheirs(auth::kNonceBytes, 'm');

TEST(Authentication, comes_before_the_registration) {
  World world(policy_with_credential());
  world.tell(LinkConnected{kOurs});
  EXPECT_EQ(last_sent(world).authenticate().principal(), "agents");
  EXPECT_EQ(last_sent(world).authenticate().nonce(), kOurs);
  world.tell(MasterSaid{challenge(kTheirs)});
  EXPECT_EQ(last_sent(world).authentication_proof().proof(),
            base::hmac_sha256("s", auth::challenge_text(auth::Side::Agent, "agents", kOurs, kTheirs)));
  MasterMessage answer;
  answer.mutable_authenticated()->set_proof(
      base::hmac_sha256("s", auth::challenge_text(auth::Side::Master, "agents", kOurs, kTheirs)));
  world.tell(MasterSaid{answer});
  EXPECT_TRUE(last_sent(world).has_register_agent());
}

TEST(Authentication, of_a_master_that_does_not_know_the_secret_fails) {
  World world(policy_with_credential());
  world.tell(LinkConnected{kOurs});
  MasterMessage answer;
  answer.mutable_authenticated()->set_proof("x");
  world.tell(MasterSaid{answer});  // without a challenge
  EXPECT_TRUE(last_sent(world).has_authenticate());
  world.tell(MasterSaid{challenge(kTheirs)});
  world.tell(MasterSaid{answer});
  EXPECT_TRUE(last_sent(world).has_authentication_proof());
  // Later it is tried again.
  world.tell(TimerFired{"register"});
  EXPECT_TRUE(last_sent(world).has_authenticate());
}

TEST(Authentication, that_is_refused_is_tried_again) {
  World world(policy_with_credential());
  world.tell(LinkConnected{kOurs});
  world.tell(MasterSaid{challenge(kTheirs)});
  MasterMessage answer;
  answer.mutable_authenticated()->set_refusal("principal 'agents' or its secret is wrong");
  world.tell(MasterSaid{answer});
  EXPECT_TRUE(last_sent(world).has_authentication_proof());
  world.tell(TimerFired{"register"});
  EXPECT_TRUE(last_sent(world).has_authenticate());
}

TEST(Authentication, is_left_out_where_nobody_is_asked) {
  World asked(policy_with_credential());
  asked.tell(LinkConnected{kOurs});
  MasterMessage answer;
  answer.mutable_authenticated();
  asked.tell(MasterSaid{answer});
  EXPECT_TRUE(last_sent(asked).has_register_agent());
  World nobody;
  nobody.tell(LinkConnected{kOurs});
  EXPECT_TRUE(last_sent(nobody).has_register_agent());
}

/// A group of tasks for the default executor "pod".
void run_group(World& world, const std::vector<std::string>& tasks) {
  MasterMessage message;
  auto* run = message.mutable_run_task_group();
  run->mutable_framework_info()->mutable_id()->set_value("f");
  run->mutable_framework_info()->set_user("");
  run->mutable_framework_info()->set_name("n");
  run->mutable_executor()->set_type(mesos::v1::ExecutorInfo::DEFAULT);
  run->mutable_executor()->mutable_executor_id()->set_value("pod");
  for (const auto& id : tasks) {
    auto* task = run->mutable_task_group()->add_tasks();
    task->set_name(id);
    task->mutable_task_id()->set_value(id);
    task->mutable_agent_id()->set_value("a1");
    task->mutable_command()->set_value("true");
  }
  world.tell(MasterSaid{message});
}

/// Events sent to executors since the last look, as words.
std::string to_executors(World& world) {
  std::string text;
  for (const auto& effect : world.effects) {
    const auto* send = std::get_if<SendToExecutor>(&effect);
    if (send == nullptr) continue;
    text += (text.empty() ? "" : " ") + mesos::v1::executor::Event::Type_Name(send->event.type());
    for (const auto& task : send->event.launch_group().task_group().tasks()) text += ":" + task.task_id().value();
  }
  world.effects.clear();
  return text;
}

/// A call about containers; the answer's status, or "" while there is none.
std::string call_container(World& world, mesos::v1::agent::Call call, ConnectionId connection = 50) {
  world.effects.clear();
  world.tell(ContainerCalled{connection, std::move(call)});
  const auto* answer = world.find<AnswerContainer>();
  return answer == nullptr ? "" : std::to_string(answer->status);
}

mesos::v1::agent::Call launch_inside(const std::string& parent, const std::string& child) {
  mesos::v1::agent::Call call;
  call.set_type(mesos::v1::agent::Call::LAUNCH_CONTAINER);
  call.mutable_launch_container()->mutable_container_id()->set_value(child);
  if (!parent.empty()) call.mutable_launch_container()->mutable_container_id()->mutable_parent()->set_value(parent);
  call.mutable_launch_container()->mutable_command()->set_value("true");
  return call;
}

TEST(AgentGroups, start_one_executor_and_arrive_whole) {
  World world;
  world.join();
  world.effects.clear();
  run_group(world, {"a", "b"});
  ASSERT_NE(world.find<LaunchContainer>(), nullptr);
  const std::string container = world.container();
  // The agent dies before the executor comes: the group is still one.
  world.start({{container, {7}}});
  world.join();
  world.effects.clear();
  world.tell(ExecutorSubscribed{5, world.call(mesos::v1::executor::Call::SUBSCRIBE, "pod")});
  EXPECT_EQ(to_executors(world), "SUBSCRIBED LAUNCH_GROUP:a:b");
  run_group(world, {"c"});
  EXPECT_EQ(to_executors(world), "LAUNCH_GROUP:c");
}

TEST(AgentGroups, killed_before_delivery_are_killed_whole) {
  World world;
  world.join();
  run_group(world, {"a", "b"});
  world.sent();
  world.kill("b");
  EXPECT_EQ(world.sent(), "KILLED KILLED");
}

TEST(AgentContainers, are_written_down_before_they_are_launched_and_end_once) {
  World world;
  world.join();
  run_group(world, {"a"});
  const std::string root = world.container();
  world.tell(ContainerStarted{root, 7});
  EXPECT_EQ(call_container(world, launch_inside("nobody", "x")), "400");
  EXPECT_EQ(call_container(world, launch_inside(root, "x")), "") << "answered when it runs";
  ASSERT_NE(world.find<LaunchContainer>(), nullptr);
  const auto spec = world.find<LaunchContainer>()->spec;
  EXPECT_EQ(spec.parent, root);
  EXPECT_EQ(spec.group, root) << "a part of its executor's group";
  EXPECT_FALSE(spec.own_group);
  EXPECT_TRUE(spec.sandbox.ends_with(root + "/containers/x"));
  EXPECT_TRUE(world.store.contains("container/" + root + ".x"));
  world.effects.clear();
  world.tell(ContainerStarted{root + ".x", 8});
  EXPECT_EQ(world.find<AnswerContainer>()->status, 200);
  EXPECT_EQ(call_container(world, launch_inside(root, "x")), "202");

  // A restart: it ended meanwhile. Who waits hears how, before and after.
  world.start({{root, {7}}});
  world.join();
  mesos::v1::agent::Call wait;
  wait.set_type(mesos::v1::agent::Call::WAIT_CONTAINER);
  *wait.mutable_wait_container()->mutable_container_id() = launch_inside(root, "x").launch_container().container_id();
  EXPECT_EQ(call_container(world, wait), "");
  world.effects.clear();
  world.tell(ContainerExited{root + ".x", exited(3)});
  ASSERT_NE(world.find<AnswerContainer>(), nullptr);
  EXPECT_EQ(world.find<AnswerContainer>()->response.wait_container().exit_status(), 3 << 8);
  world.start({{root, {7}}});
  EXPECT_EQ(call_container(world, wait), "200");

  // It goes with what it is in.
  world.tell(ContainerExited{root, exited(0)});
  EXPECT_FALSE(world.store.contains("container/" + root + ".x"));
  EXPECT_EQ(call_container(world, wait), "404");
}

mesos::v1::agent::Call session_inside(const std::string& parent, const std::string& child) {
  mesos::v1::agent::Call call;
  call.set_type(mesos::v1::agent::Call::LAUNCH_NESTED_CONTAINER_SESSION);
  auto& launch = *call.mutable_launch_nested_container_session();
  launch.mutable_container_id()->set_value(child);
  launch.mutable_container_id()->mutable_parent()->set_value(parent);
  launch.mutable_command()->set_value("true");
  return call;
}

TEST(AgentContainers, of_a_session_are_guests_that_end_with_their_client_and_leave_nothing_on_disk) {
  World world;
  world.join();
  run_group(world, {"a"});
  const std::string root = world.container();
  world.tell(ContainerStarted{root, 7});
  EXPECT_EQ(call_container(world, session_inside("nobody", "s")), "400");
  EXPECT_EQ(call_container(world, session_inside(root, "s"), 60), "") << "answered with its output when it runs";
  ASSERT_NE(world.find<LaunchContainer>(), nullptr);
  EXPECT_TRUE(world.find<LaunchContainer>()->spec.session);
  EXPECT_TRUE(world.find<LaunchContainer>()->spec.debug);
  EXPECT_EQ(world.find<LaunchContainer>()->spec.sandbox, world.find<LaunchContainer>()->spec.parent_sandbox);
  EXPECT_FALSE(world.store.contains("container/" + root + ".s"));
  world.effects.clear();
  world.tell(ContainerStarted{root + ".s", 8});
  ASSERT_NE(world.find<StreamContainer>(), nullptr);
  EXPECT_EQ(world.find<StreamContainer>()->connection, 60u);
  EXPECT_EQ(world.find<AnswerContainer>(), nullptr);

  // How it ended can be asked for; nothing is removed, its sandbox is the task's.
  world.effects.clear();
  world.tell(ContainerExited{root + ".s", exited(3)});
  EXPECT_EQ(world.find<AnswerContainer>(), nullptr) << "the stream is the answer";
  mesos::v1::agent::Call wait;
  wait.set_type(mesos::v1::agent::Call::WAIT_CONTAINER);
  *wait.mutable_wait_container()->mutable_container_id() = session_inside(root, "s").launch_nested_container_session().container_id();
  EXPECT_EQ(call_container(world, wait), "200");
  mesos::v1::agent::Call remove;
  remove.set_type(mesos::v1::agent::Call::REMOVE_CONTAINER);
  *remove.mutable_remove_container()->mutable_container_id() = wait.wait_container().container_id();
  EXPECT_EQ(call_container(world, remove), "200");
  EXPECT_EQ(world.find<RemovePath>(), nullptr);

  // A client that goes while its session is being launched ends it.
  EXPECT_EQ(call_container(world, session_inside(root, "t"), 61), "");
  world.effects.clear();
  world.tell(ExecutorDisconnected{61});
  ASSERT_NE(world.find<DestroyContainer>(), nullptr);
  EXPECT_EQ(world.find<DestroyContainer>()->container, root + ".t");
}

TEST(AgentContainers, of_sessions_that_ended_are_forgotten_from_the_oldest_on) {
  World world;
  world.join();
  run_group(world, {"a"});
  const std::string root = world.container();
  world.tell(ContainerStarted{root, 7});
  for (int i = 0; i < 300; ++i) {
    const std::string id = "s" + std::to_string(i);
    EXPECT_EQ(call_container(world, session_inside(root, id)), "");
    world.tell(ContainerStarted{root + "." + id, 8});
    world.tell(ContainerExited{root + "." + id, exited(0)});
  }
  EXPECT_EQ(world.core->state().api_containers.count(root + ".s0"), 0u);
  EXPECT_EQ(world.core->state().api_containers.count(root + ".s299"), 1u);
  EXPECT_LE(world.core->state().api_containers.size(), 257u);
}

TEST(AgentContainers, with_limits_of_their_own_have_a_group_of_their_own) {
  World world;
  world.join();
  run_group(world, {"a"});
  const std::string root = world.container();
  world.tell(ContainerStarted{root, 7});
  auto call = launch_inside(root, "x");
  auto& launch = *call.mutable_launch_container();
  launch.mutable_container()->set_type(mesos::v1::ContainerInfo::MESOS);
  launch.mutable_container()->mutable_linux_info()->set_share_cgroups(false);
  auto* memory = launch.add_resources();
  memory->set_name("mem");
  memory->set_type(mesos::v1::Value::SCALAR);
  memory->mutable_scalar()->set_value(64);
  call_container(world, call);
  const auto spec = world.find<LaunchContainer>()->spec;
  EXPECT_EQ(spec.group, root + "/mesos/x");
  EXPECT_TRUE(spec.own_group);
  EXPECT_EQ(spec.limits.memory_limit, uint64_t{64} << 20);
}

}  // namespace
}  // namespace agent
