#include "tests/bench/swarm/fleet.hpp"

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/log.hpp"
#include "base/loop.hpp"
#include "tests/bench/swarm/words.hpp"

namespace swarm {

namespace {

using dcos::internal::v1::AgentMessage;
using dcos::internal::v1::MasterMessage;
using mesos::v1::AgentInfo;
using mesos::v1::TaskState;

constexpr base::Duration kRetry = base::milliseconds(50);

}  // namespace

class Fleet::Agent : public Link {
 public:
  Agent(Fleet& fleet, size_t number) : Link(fleet.sockets_), fleet_(fleet), question_(fleet.sockets_, 0) {
    info_ = make_agent("swarm-" + std::to_string(number), static_cast<int>(1 + number), fleet.options_.cpus,
                              fleet.options_.mem_mb);
  }

  void follow(const Endpoint& master) {
    ++attempts_;  // what is under way does not count
    question_.turn_to(master);
    if (is_open()) {
      close();
      lost();
    }
    attempt_after(fleet_.random_.jitter(spread_));
  }

  bool finish_one() {
    for (auto& [id, task] : tasks_) {
      if (task.state() != mesos::v1::TASK_RUNNING) continue;
      update(task, mesos::v1::TASK_FINISHED);
      return true;
    }
    return false;
  }

 private:
  static Endpoint link_of(const Answer& answer) {
    if (answer.status != 200) return 0;
    const auto body = base::json::parse(answer.body);
    return body ? Endpoint::parse(base::json::get_string(*body, "/address").value_or("")) : 0;
  }

  void attempt_after(base::Duration wait) {
    fleet_.later(wait, [this, number = attempts_] {
      if (number == attempts_) attempt();
    });
  }

  /// As the agent does: asks the master over HTTP where its link is.
  void attempt() {
    question_.request("GET", "/agent-link", "", "", [this](const Answer& answer) {
      if (answer.status == 0) return retry();
      // Not closed here: this is its callback.
      fleet_.later(base::Duration(0), [this] { question_.close(); });
      const Endpoint link = link_of(answer);
      if (link.port == 0) return retry();
      connect(link);
      sign_on();
    });
  }

  void retry() {
    attempt_after(std::max(kRetry / 2 + fleet_.random_.jitter(kRetry / 2), fleet_.random_.jitter(spread_)));
  }

  void lost() {
    if (registered_) --fleet_.registered_;
    registered_ = false;
  }

  void on_lost() override {
    lost();
    retry();
  }

  void sign_on() {
    AgentMessage message;
    if (!info_.has_id()) {
      describe(info_, *message.mutable_register_agent());
      return send_message(message);
    }
    auto& told = *message.mutable_reregister_agent();
    describe(info_, told);
    std::set<std::string> frameworks;
    for (const auto& [id, task] : tasks_) {
      *told.add_tasks() = task;
      frameworks.insert(task.framework_id().value());
    }
    for (const std::string& id : frameworks) *told.add_frameworks() = fleet_.frameworks_[id];
    send_message(message);
  }

  template <class Message>
  void confirmed(const Message& message) {
    spread_ = base::Duration(static_cast<int64_t>(message.reconnect_spread_seconds() * 1e9));
    if (!registered_) ++fleet_.registered_;
    registered_ = true;
  }

  void on_message(const MasterMessage& message) override {
    switch (message.message_case()) {
      case MasterMessage::kRegistered:
        *info_.mutable_id() = message.registered().agent_id();
        return confirmed(message.registered());
      case MasterMessage::kReregistered: return confirmed(message.reregistered());
      case MasterMessage::kPing: {
        spread_ = base::Duration(static_cast<int64_t>(message.ping().reconnect_spread_seconds() * 1e9));
        return send_message(make_pong(message.ping()));
      }
      case MasterMessage::kRunTask: return run(message.run_task());
      case MasterMessage::kKillTask: return kill(message.kill_task());
      case MasterMessage::kAcknowledgeStatusUpdate: return acknowledged(message.acknowledge_status_update());
      case MasterMessage::kRefused: return LOG_ERROR("refused: {}", message.refused().message());
      default: return;
    }
  }

  void run(const dcos::internal::v1::RunTask& order) {
    const auto& info = order.task();
    mesos::v1::Task& task = tasks_[info.task_id().value()];
    ++fleet_.tasks_;
    task.set_name(info.name());
    *task.mutable_task_id() = info.task_id();
    *task.mutable_framework_id() = order.framework_info().id();
    *task.mutable_agent_id() = info.agent_id();
    *task.mutable_resources() = info.resources();
    auto& framework = fleet_.frameworks_[order.framework_info().id().value()];
    if (!framework.has_id()) framework = order.framework_info();
    update(task, mesos::v1::TASK_RUNNING);
  }

  void kill(const dcos::internal::v1::KillTask& order) {
    const auto found = tasks_.find(order.task_id().value());
    if (found != tasks_.end()) update(found->second, mesos::v1::TASK_KILLED);
  }

  void update(mesos::v1::Task& task, TaskState state) {
    task.set_state(state);
    const AgentMessage message =
        make_update(task.framework_id(), task.agent_id(), task.task_id(), state, fleet_.random_.uuid_bytes());
    const auto& status = message.status_update().status();
    *task.add_statuses() = status;
    task.set_status_update_state(state);
    task.set_status_update_uuid(status.uuid());
    send_message(message);
    if (state == mesos::v1::TASK_FINISHED) fleet_.finish_sent_ = now();
  }

  void acknowledged(const dcos::internal::v1::AcknowledgeStatusUpdate& order) {
    const auto found = tasks_.find(order.task_id().value());
    if (found == tasks_.end() || found->second.status_update_uuid() != order.uuid()) return;
    if (found->second.state() != mesos::v1::TASK_RUNNING) {
      if (found->second.state() == mesos::v1::TASK_FINISHED) ++fleet_.finished_;
      tasks_.erase(found);
      --fleet_.tasks_;
    } else if (fleet_.options_.finish) {
      update(found->second, mesos::v1::TASK_FINISHED);
    }
  }

  Fleet& fleet_;
  Http question_;
  AgentInfo info_;
  std::map<std::string, mesos::v1::Task> tasks_;
  base::Duration spread_{0};
  uint64_t attempts_ = 0;
  bool registered_ = false;
};

Fleet::Fleet(Sockets& sockets, Options options) : sockets_(sockets), options_(options) {
  for (size_t i = 0; i < options_.agents; ++i) agents_.push_back(std::make_unique<Agent>(*this, options_.first + i));
}

Fleet::~Fleet() = default;

void Fleet::later(base::Duration delay, std::function<void()> call) {
  sockets_.after(delay, [here = std::weak_ptr<const bool>(here_), call = std::move(call)] {
    if (here.lock()) call();
  });
}

void Fleet::start(const Endpoint& master) {
  for (size_t i = 0; i < options_.agents; ++i) {
    // As a cluster that is switched on: not all in one instant.
    later(base::microseconds(200) * static_cast<int64_t>(i), [this, i, master] { follow(i, master); });
  }
}

void Fleet::follow(size_t agent, const Endpoint& master) { agents_[agent]->follow(master); }

bool Fleet::finish_one(size_t agent) { return agents_[agent]->finish_one(); }

}  // namespace swarm
