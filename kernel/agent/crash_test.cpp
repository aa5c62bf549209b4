// A pod and a standalone container while the agent crashes: once after every single effect of the whole story, with the
// write that was under way on the disk or not, with the container that was being made alive or not. The default executor is the
// real one's core. Afterwards everything has ended, was told once and truly, and nothing is on record.

#include <gtest/gtest.h>
#include <signal.h>

#include <functional>
#include <queue>
#include <set>

#include "base/strings.hpp"
#include "kernel/agent/testing/core_world.hpp"
#include "kernel/executor/group_executor.hpp"

namespace agent {
namespace {

using Call = mesos::v1::agent::Call;

struct Faults {
  int crash_after = -1;   // effects; -1: never
  bool write_lands = true, launch_lives = true;
};

class Story {
 public:
  explicit Story(Faults faults) : faults_(faults) { boot(); }

  /// Everything that happens within that time.
  void run(base::Duration time) {
    const base::Instant until = now_.instant + time;
    while (!turns_.empty() && turns_.top().at <= until) {
      Turn turn = turns_.top();
      turns_.pop();
      now_.time = now_.time + (turn.at - now_.instant);
      now_.instant = turn.at;
      turn.action();
    }
    now_.time = now_.time + (until - now_.instant);
    now_.instant = until;
  }

  void measure_disk() { tell(DiskMeasured{0}); }
  void tell_agent(const MasterMessage& message) { tell(MasterSaid{message}); }

  /// A call of somebody's, answered or not.
  void call(const Call& call, std::function<void(int, const mesos::v1::agent::Response&)> done) {
    const ConnectionId connection = next_++;
    answers_[connection] = [done](const AnswerContainer& answer) { done(answer.status, answer.response); };
    tell(ContainerCalled{connection, call});
  }

  bool is_running(const std::string& id) const {
    const auto found = containers.find(id);
    return found != containers.end() && found->second.running;
  }

  int effects() const { return performed_; }
  bool up() const { return core_ != nullptr && core_->state().phase == Phase::Registered; }

  std::map<std::string, std::string> store;
  std::map<std::string, std::vector<TaskStatus>> updates;  // by task, repetitions left out

  struct Container {
    containerizer::ContainerSpec spec{};
    bool running = false, made = false;
    std::optional<int> status;
    std::unique_ptr<executor::GroupExecutor> executor;
    std::optional<ConnectionId> connection;
    std::map<std::string, uint64_t> timers;
  };
  std::map<std::string, Container> containers;

 private:
  struct Turn {
    base::Instant at;
    uint64_t number;
    std::function<void()> action;
    bool operator<(const Turn& other) const { return std::tie(other.at, other.number) < std::tie(at, number); }
  };

  void after(base::Duration delay, std::function<void()> action) { turns_.push({now_.instant + delay, next_++, std::move(action)}); }

  /// For the life of this run of the agent.
  void soon(base::Duration delay, std::function<void()> action) {
    after(delay, [this, life = life_, action = std::move(action)] {
      if (life == life_) action();
    });
  }

  void boot() {
    core_ = std::make_unique<Core>(World::make_policy(), base::Random(7 + life_));
    std::vector<base::StoreEntry> entries;
    for (const auto& [key, value] : store) entries.push_back({key, value});
    tell(decode_store(entries));
    soon(base::milliseconds(20), [this] { tell(LinkConnected{}); });
  }

  void crash() {
    ++life_;
    core_.reset();
    timers_.clear();
    const auto broken = std::exchange(answers_, {});
    for (auto& [id, container] : containers) container.connection.reset();
    for (const auto& [connection, answer] : broken) answer(AnswerContainer{connection, 0});
    const auto saying = std::exchange(said_, {});
    for (const auto& [connection, said] : saying) said(0);
    for (auto& [id, container] : containers)
      if (container.executor) container.executor->lost();
    if (!faults_.launch_lives)
      std::erase_if(containers, [](const auto& each) { return !each.second.made; });
    after(base::milliseconds(100), [this] { boot(); });
    for (auto& [id, container] : containers)
      if (container.executor) subscribe(id, base::milliseconds(300));
  }

  void tell(Event event) {
    if (!core_) return;
    Effects out;
    core_->on(std::move(event), now_, out);
    const uint64_t life = life_;
    for (auto& effect : out.list) {
      perform(effect);
      if (life != life_) return;
      if (++performed_ == faults_.crash_after) return crash();
    }
  }

  void perform(Effect& effect) {
    if (auto* persist = std::get_if<Persist>(&effect)) {
      const auto write = [this, batch = persist->batch] {
        for (const auto& each : batch.writes)
          if (each.value)
            store[each.key] = *each.value;
          else
            store.erase(each.key);
      };
      if (faults_.write_lands) write();
      soon(base::milliseconds(1), [this, write] {
        write();
        tell(Persisted{});
      });
    } else if (auto* send = std::get_if<SendToMaster>(&effect)) {
      soon(base::milliseconds(1), [this, message = send->message] { master(message); });
    } else if (auto* timer = std::get_if<SetTimer>(&effect)) {
      const uint64_t number = timers_[timer->timer] = next_++;
      soon(std::max(timer->at - now_.instant, base::Duration::zero()), [this, name = timer->timer, number] {
        if (timers_[name] != number) return;
        timers_.erase(name);
        tell(TimerFired{name});
      });
    } else if (auto* cancel = std::get_if<CancelTimer>(&effect)) {
      timers_.erase(cancel->timer);
    } else if (auto* known = std::get_if<RecoverContainers>(&effect)) {
      soon(base::milliseconds(2), [this, list = known->known] { recover(list); });
    } else if (auto* start = std::get_if<LaunchContainer>(&effect)) {
      launch(start->spec);
    } else if (auto* signal = std::get_if<SignalContainer>(&effect)) {
      after(base::milliseconds(2), [this, id = signal->container, number = signal->number] { end(id, number); });
    } else if (auto* terminate = std::get_if<TerminateContainer>(&effect)) {
      after(base::milliseconds(2), [this, id = terminate->container] { end(id, SIGTERM); });
    } else if (auto* destroy = std::get_if<DestroyContainer>(&effect)) {
      after(base::milliseconds(2), [this, id = destroy->container] { end(id, SIGKILL); });
    } else if (auto* forget = std::get_if<ForgetContainer>(&effect)) {
      if (!is_running(forget->container)) containers.erase(forget->container);
    } else if (auto* send_event = std::get_if<SendToExecutor>(&effect)) {
      soon(base::milliseconds(1), [this, one = *send_event] { hear(one.connection, one.event); });
    } else if (auto* close = std::get_if<CloseExecutor>(&effect)) {
      for (auto& [id, container] : containers)
        if (container.connection == close->connection) container.connection.reset();
    } else if (auto* answer = std::get_if<AnswerExecutor>(&effect)) {
      soon(base::milliseconds(1), [this, one = *answer] {
        const auto found = said_.find(one.connection);
        if (found == said_.end()) return;
        const auto said = std::move(found->second);
        said_.erase(found);
        said(one.status);
      });
    } else if (auto* container = std::get_if<AnswerContainer>(&effect)) {
      soon(base::milliseconds(1), [this, one = *container] {
        const auto found = answers_.find(one.connection);
        if (found == answers_.end()) return;
        const auto done = std::move(found->second);
        answers_.erase(found);
        done(one);
      });
    } else if (auto* remove = std::get_if<RemovePath>(&effect)) {
      soon(base::milliseconds(1), [this, path = remove->path] { tell(PathRemoved{path, {}}); });
    } else if (auto* exit = std::get_if<Exit>(&effect)) {
      ADD_FAILURE() << exit->message;
    }
  }

  void master(const dcos::internal::v1::AgentMessage& message) {
    MasterMessage answer;
    if (message.has_register_agent()) {
      answer.mutable_registered()->mutable_agent_id()->set_value("a1");
    } else if (message.has_reregister_agent()) {
      answer.mutable_reregistered()->mutable_agent_id()->set_value("a1");
    } else if (message.has_status_update()) {
      const auto& status = message.status_update().status();
      auto& list = updates[status.task_id().value()];
      const bool again = std::any_of(list.begin(), list.end(), [&](const auto& each) { return each.uuid() == status.uuid(); });
      if (!again) list.push_back(status);
      auto* ack = answer.mutable_acknowledge_status_update();
      ack->mutable_framework_id()->set_value("f");
      ack->mutable_task_id()->CopyFrom(status.task_id());
      ack->set_uuid(status.uuid());
    } else {
      return;
    }
    soon(base::milliseconds(1), [this, answer] { tell(MasterSaid{answer}); });
  }

  // --- containers, which outlive the agent ---

  void launch(const containerizer::ContainerSpec& spec) {
    Container& container = containers[spec.id];
    container.spec = spec;
    after(base::milliseconds(3), [this, id = spec.id, life = life_] {
      const auto found = containers.find(id);
      if (found == containers.end() || found->second.running || found->second.status) return;
      Container& one = found->second;
      if (!one.spec.parent.empty() && !is_running(one.spec.parent)) {
        containers.erase(found);
        if (life == life_) tell(ContainerLaunchFailed{id, "its parent does not run"});
        return;
      }
      one.running = one.made = true;
      if (one.spec.command.value().ends_with("dcos-default-executor") || one.spec.command.arguments_size() > 0) {
        executor::GroupOptions options;
        options.framework_id.set_value("f");
        options.executor_id.set_value("e");
        one.executor = std::make_unique<executor::GroupExecutor>(options, base::Random(3));
        subscribe(id, base::milliseconds(10));
      } else if (one.spec.command.value().starts_with("exit ")) {
        after(base::milliseconds(50), [this, id] { end(id, (id.find('.') == std::string::npos ? 7 : 0) << 8); });
      }
      if (life == life_) tell(ContainerStarted{id, 1000});
    });
  }

  void end(const std::string& id, int status) {
    const auto found = containers.find(id);
    if (found == containers.end() || found->second.status) return;
    std::vector<std::string> inside;
    for (const auto& [other, container] : containers)
      if (container.spec.parent == id && !container.status) inside.push_back(other);
    for (const auto& other : inside) end(other, SIGKILL);
    const auto ended = containers.find(id);
    if (ended == containers.end()) return;
    ended->second.executor.reset();
    if (!ended->second.running) {
      containers.erase(ended);
      return tell(ContainerLaunchFailed{id, "destroyed during the launch"});
    }
    ended->second.running = false;
    ended->second.status = status;
    tell(ContainerExited{id, termination(status)});
  }

  static containerizer::Termination termination(std::optional<int> status) {
    containerizer::Termination out;
    out.status = status;
    return out;
  }

  void recover(const std::vector<containerizer::ContainerSpec>& known) {
    std::set<std::string> ids;
    std::map<std::string, containerizer::Started> running;
    std::vector<std::string> over;
    for (const auto& spec : known) {
      ids.insert(spec.id);
      if (is_running(spec.id))
        running[spec.id].pid = 1000;
      else
        over.push_back(spec.id);
    }
    std::erase_if(containers, [&](const auto& each) { return !ids.contains(each.first); });
    for (const auto& id : over)
      if (const auto found = containers.find(id); found != containers.end() && !found->second.made) containers.erase(found);
    tell(ContainersRecovered{std::move(running)});
    for (const auto& id : over) {
      const auto found = containers.find(id);
      tell(ContainerExited{id, termination(found == containers.end() ? std::nullopt : found->second.status)});
    }
  }

  // --- the executor's program ---

  Container* executor_of(const std::string& id) {
    const auto found = containers.find(id);
    return found == containers.end() || !found->second.executor ? nullptr : &found->second;
  }

  void subscribe(const std::string& id, base::Duration delay) {
    after(delay, [this, id] {
      Container* container = executor_of(id);
      if (container == nullptr || container->connection) return;
      if (!core_ || core_->state().phase == Phase::Recovering) return subscribe(id, base::milliseconds(100));
      container->connection = next_++;
      tell(ExecutorSubscribed{*container->connection, container->executor->subscribe()});
    });
  }

  void hear(ConnectionId connection, const mesos::v1::executor::Event& event) {
    for (auto& [id, container] : containers) {
      if (!container.executor || container.connection != connection) continue;
      executor::GroupEffects effects;
      container.executor->on(event, "127.0.0.1", now_, effects);
      return do_all(id, std::move(effects));
    }
  }

  void do_all(const std::string& id, executor::GroupEffects effects) {
    for (auto& effect : effects) {
      Container* container = executor_of(id);
      if (container == nullptr) return;
      const ConnectionId connection = next_++;
      if (auto* say = std::get_if<executor::Say>(&effect)) {
        said_[connection] = [this, id](int status) {
          if (Container* one = executor_of(id)) {
            executor::GroupEffects more;
            one->executor->said(status, more);
            do_all(id, std::move(more));
          }
        };
        soon(base::milliseconds(1), [this, connection, call = say->call] { tell(ExecutorCalled{connection, call}); });
        if (!core_) refuse(connection);
      } else if (auto* ask = std::get_if<executor::Ask>(&effect)) {
        answers_[connection] = [this, id, question = ask->id](const AnswerContainer& answer) {
          if (Container* one = executor_of(id)) {
            executor::GroupEffects more;
            one->executor->answered(question, answer.status, answer.response, answer.message, now_, more);
            do_all(id, std::move(more));
          }
        };
        soon(base::milliseconds(1), [this, connection, call = ask->call] { tell(ContainerCalled{connection, call}); });
        if (!core_) refuse(connection);
      } else if (auto* timer = std::get_if<executor::SetTimerNamed>(&effect)) {
        const uint64_t number = container->timers[timer->name] = connection;
        after(std::max(timer->at - now_.instant, base::Duration::zero()), [this, id, name = timer->name, number] {
          Container* one = executor_of(id);
          if (one == nullptr || one->timers[name] != number) return;
          executor::GroupEffects more;
          one->executor->timer(name, now_, more);
          do_all(id, std::move(more));
        });
      } else if (auto* cancel = std::get_if<executor::CancelTimerNamed>(&effect)) {
        container->timers.erase(cancel->name);
      } else if (auto* quit = std::get_if<executor::Quit>(&effect)) {
        after(base::milliseconds(1), [this, id, code = quit->code] { end(id, code << 8); });
      }
    }
  }

  /// Nobody listens.
  void refuse(ConnectionId connection) {
    after(base::milliseconds(1), [this, connection] {
      if (const auto found = said_.find(connection); found != said_.end()) {
        const auto said = std::move(found->second);
        said_.erase(found);
        said(0);
      }
      if (const auto found = answers_.find(connection); found != answers_.end()) {
        const auto done = std::move(found->second);
        answers_.erase(found);
        done(AnswerContainer{connection, 0});
      }
    });
  }

  Faults faults_;
  std::unique_ptr<Core> core_;
  std::priority_queue<Turn> turns_;
  std::map<std::string, uint64_t> timers_;
  std::map<ConnectionId, std::function<void(const AnswerContainer&)>> answers_;
  std::map<ConnectionId, std::function<void(int)>> said_;
  base::Now now_{base::Instant{base::seconds(100)}, base::Time{base::seconds(1'000'000)}};
  uint64_t next_ = 1, life_ = 0;
  int performed_ = 0;
};

MasterMessage group() {
  MasterMessage message;
  auto& run = *message.mutable_run_task_group();
  run.mutable_framework_info()->mutable_id()->set_value("f");
  run.mutable_framework_info()->set_user("");
  run.mutable_framework_info()->set_name("n");
  run.mutable_framework_info()->set_checkpoint(true);
  run.set_launch_executor(true);
  run.mutable_executor()->set_type(mesos::v1::ExecutorInfo::DEFAULT);
  run.mutable_executor()->mutable_executor_id()->set_value("e");
  for (const auto& [id, command] : {std::pair{"short", "exit 0"}, {"long", "sleep"}}) {
    auto* task = run.mutable_task_group()->add_tasks();
    task->set_name(id);
    task->mutable_task_id()->set_value(id);
    task->mutable_agent_id()->set_value("a1");
    task->mutable_command()->set_value(command);
  }
  return message;
}

/// The story of a pod and a standalone container; how many effects it had.
int tell_story(Faults faults) {
  Story story(faults);
  story.run(base::seconds(5));
  story.tell_agent(group());
  story.run(base::seconds(5));
  Call launch;
  launch.set_type(Call::LAUNCH_CONTAINER);
  launch.mutable_launch_container()->mutable_container_id()->set_value("alone");
  launch.mutable_launch_container()->mutable_command()->set_value("exit 7");
  bool launched = false;
  // Whoever launches one asks again until there is an answer.
  for (int i = 0; i < 5 && !launched; ++i) {
    story.call(launch, [&](int status, const auto&) { launched = status == 200 || status == 202 || status == 400; });
    story.run(base::seconds(2));
  }
  EXPECT_TRUE(launched);
  std::optional<int> end;
  Call wait;
  wait.set_type(Call::WAIT_CONTAINER);
  wait.mutable_wait_container()->mutable_container_id()->set_value("alone");
  for (int i = 0; i < 5 && !end; ++i) {
    story.call(wait, [&](int status, const auto& response) {
      if (status == 200) end = response.wait_container().has_exit_status() ? response.wait_container().exit_status() : -1;
    });
    story.run(base::seconds(2));
  }
  EXPECT_TRUE(end == (7 << 8) || (faults.crash_after > 0 && end == -1)) << end.value_or(-2);
  Call remove;
  remove.set_type(Call::REMOVE_CONTAINER);
  remove.mutable_remove_container()->mutable_container_id()->set_value("alone");
  for (bool removed = false; !removed;) {
    story.call(remove, [&](int status, const auto&) { removed = status == 200 || status == 500; });
    story.run(base::seconds(2));
  }
  MasterMessage kill;
  kill.mutable_kill_task()->mutable_framework_id()->set_value("f");
  kill.mutable_kill_task()->mutable_task_id()->set_value("long");
  // Whoever wants a task to end asks until it has ended.
  for (int i = 0; i < 3; ++i) {
    const auto& list = story.updates["long"];
    if (list.empty() || !is_terminal(list.back().state())) story.tell_agent(kill);
    story.run(base::seconds(30));
  }
  story.measure_disk();  // as every minute
  story.run(base::seconds(5));
  EXPECT_TRUE(story.up());
  for (const auto& [id, list] : story.updates) {
    std::string states;
    for (const auto& status : list) states += mesos::v1::TaskState_Name(status.state()).substr(5) + " ";
    size_t ends = 0;
    for (const auto& status : list)
      if (is_terminal(status.state())) ++ends;
    EXPECT_EQ(ends, 1u) << id << ": " << states;
    EXPECT_TRUE(is_terminal(list.back().state())) << id << ": " << states;
    if (faults.crash_after < 0) {
      EXPECT_EQ(states, id == "short" ? "STARTING RUNNING FINISHED " : "STARTING RUNNING KILLED ");
    }
  }
  if (faults.crash_after < 0) {
    EXPECT_EQ(story.updates.size(), 2u);
  }
  for (const auto& [id, container] : story.containers) ADD_FAILURE() << "the container " << id << " is left";
  for (const auto& [key, value] : story.store)
    EXPECT_TRUE(key == "agent" || key == "resources" || key.starts_with("gc/")) << key << " is left";
  EXPECT_FALSE(story.store.contains("gc//agent/containers/alone"));
  return story.effects();
}

TEST(AgentCrash, after_any_effect_of_a_pods_life_everything_ends_is_told_once_and_is_forgotten) {
  const int effects = tell_story({});
  ASSERT_GT(effects, 60);
  for (int at = 1; at <= effects && !::testing::Test::HasFailure(); ++at)
    for (const bool write_lands : {true, false})
      for (const bool launch_lives : {true, false}) {
        SCOPED_TRACE("crash after " + std::to_string(at) + " effects" + (write_lands ? ", write lands" : "") +
                     (launch_lives ? ", launch lives" : ""));
        (void)tell_story({at, write_lands, launch_lives});
      }
}

}  // namespace
}  // namespace agent
