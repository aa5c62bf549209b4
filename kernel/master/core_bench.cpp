// master/core-tasks: tasks launched, run, finished and acknowledged per second, through the core alone.
// master/core-picture: taking a picture of the state for readers, and letting it go.
// master/core-reregister-100000: a new leader's core, from the registry to every agent's return with its tasks.

#include <ctime>

#include "base/check.hpp"
#include "base/testing/bench.hpp"
#include "kernel/api/internal/registry.pb.h"
#include "kernel/master/core.hpp"
#include "kernel/master/testing.hpp"
#include "kernel/resources/parse.hpp"
#include "kernel/resources/proto.hpp"

namespace {

using master::AgentMessageReceived;
using master::Effects;
using mesos::v1::scheduler::Call;

/// A world of `agents` agents and one framework that fills every offer with short tasks.
class World {
 public:
  explicit World(int agents) {
    core_ = std::make_unique<master::Core>(
        master::testing::master_info(), master::Policy(),
        std::make_unique<allocator::Allocator>(allocator::Options(), base::Random(1)), base::Random(2));
    feed(master::Recovered{});
    for (int i = 0; i < agents; ++i) {
      AgentMessageReceived event;
      event.link = static_cast<master::LinkId>(i + 1);
      event.ip = "10.0.0.1";
      auto& message = *event.message.mutable_register_agent();
      *message.mutable_agent_info() = master::testing::agent_info("host" + std::to_string(i), 1 + i, "cpus:16;mem:16384");
      message.set_version("1.12.0");
      master::testing::add_all_capabilities(message.mutable_capabilities());
      feed(std::move(event));
    }
    resources::to_proto(resources::must_parse("cpus:1;mem:32"), resources::Format::Post, task_.mutable_resources());
    task_.mutable_command()->set_value("true");
    filters_.set_refuse_seconds(0);
    master::SchedulerSubscribed subscribe;
    subscribe.connection = 1;
    subscribe.stream_id = "s";
    subscribe.subscribe.mutable_framework_info()->set_user("nobody");
    subscribe.subscribe.mutable_framework_info()->set_name("bench");
    subscribe.subscribe.mutable_framework_info()->set_checkpoint(true);
    feed(std::move(subscribe));
  }

  /// Until so many tasks have ended.
  uint64_t run(uint64_t tasks) {
    const uint64_t until = ended_ + tasks;
    while (ended_ < until) {
      std::vector<mesos::v1::Offer> offers = std::move(offers_);
      offers_.clear();
      for (const auto& offer : offers) accept(offer);
      turn();
    }
    return ended_;
  }

 private:
  void accept(const mesos::v1::Offer& offer) {
    master::SchedulerCallReceived event = call(Call::ACCEPT);
    auto& accept = *event.call.mutable_accept();
    *accept.add_offer_ids() = offer.id();
    *accept.mutable_filters() = filters_;
    auto& operation = *accept.add_operations();
    operation.set_type(mesos::v1::Offer::Operation::LAUNCH);
    double cpus = 0;
    for (const auto& resource : offer.resources()) {
      if (resource.name() == "cpus") cpus += resource.scalar().value();
    }
    for (int i = 0; i < static_cast<int>(cpus); ++i) {
      auto& task = *operation.mutable_launch()->add_task_infos();
      task = task_;
      task.set_name("task");
      task.mutable_task_id()->set_value("task-" + std::to_string(next_task_++));
      *task.mutable_agent_id() = offer.agent_id();
    }
    feed(std::move(event));
  }

  master::SchedulerCallReceived call(Call::Type type) {
    master::SchedulerCallReceived event;
    event.call_id = 1;
    event.stream_id = "s";
    event.call.set_type(type);
    event.call.mutable_framework_id()->set_value("M-0000");
    return event;
  }

  void update(master::LinkId link, const std::string& task, mesos::v1::TaskState state) {
    AgentMessageReceived event;
    event.link = link;
    auto& update = *event.message.mutable_status_update();
    update.mutable_framework_id()->set_value("M-0000");
    update.mutable_status()->mutable_task_id()->set_value(task);
    update.mutable_status()->mutable_agent_id()->set_value("M-S" + std::to_string(link - 1));
    update.mutable_status()->set_state(state);
    update.mutable_status()->set_source(mesos::v1::TaskStatus::SOURCE_EXECUTOR);
    update.mutable_status()->set_timestamp(1);
    update.mutable_status()->set_uuid(uuid_);
    update.set_latest_state(state);
    feed(std::move(event));
  }

  void feed(master::Event event) {
    Effects out;
    core_->on(std::move(event), now_, out);
    for (auto& effect : out.list()) {
      if (auto* persist = std::get_if<master::Persist>(&effect)) {
        waiting_.push_back(master::Persisted{persist->ticket, {}});
      } else if (auto* to_agent = std::get_if<master::SendToAgent>(&effect)) {
        if (!to_agent->message.has_run_task()) continue;
        launched_.emplace_back(to_agent->link, to_agent->message.run_task().task().task_id().value());
      } else if (auto* to_scheduler = std::get_if<master::SendToScheduler>(&effect)) {
        auto& message = to_scheduler->event;
        for (auto& offer : *message.mutable_offers()->mutable_offers()) offers_.push_back(std::move(offer));
        if (message.has_update()) updates_.push_back(std::move(*message.mutable_update()->mutable_status()));
      } else if (std::holds_alternative<master::WantTurnEnd>(effect)) {
        turn_end_ = true;
      }
    }
    while (!waiting_.empty()) {
      auto next = std::move(waiting_.back());
      waiting_.pop_back();
      feed(std::move(next));
    }
  }

  void turn() {
    auto launched = std::move(launched_);
    launched_.clear();
    for (const auto& [link, task] : launched) {
      update(link, task, mesos::v1::TASK_RUNNING);
      acknowledge();
      update(link, task, mesos::v1::TASK_FINISHED);
      acknowledge();
      ++ended_;
    }
    if (turn_end_) {
      turn_end_ = false;
      feed(master::TurnEnded{});
    }
  }

  void acknowledge() {
    auto updates = std::move(updates_);
    updates_.clear();
    for (auto& status : updates) {
      master::SchedulerCallReceived event = call(Call::ACKNOWLEDGE);
      auto& acknowledge = *event.call.mutable_acknowledge();
      *acknowledge.mutable_agent_id() = std::move(*status.mutable_agent_id());
      *acknowledge.mutable_task_id() = std::move(*status.mutable_task_id());
      acknowledge.set_uuid(std::move(*status.mutable_uuid()));
      feed(std::move(event));
    }
  }

  std::unique_ptr<master::Core> core_;
  base::Now now_{base::Instant{base::seconds(1)}, base::Time{base::seconds(1)}};
  mesos::v1::TaskInfo task_;
  mesos::v1::Filters filters_;
  std::string uuid_ = std::string("\0\0\0\0\0\0\x40\0\x80\0\0\0\0\0\0\x01", 16);
  std::vector<mesos::v1::Offer> offers_;
  std::vector<mesos::v1::TaskStatus> updates_;
  std::vector<std::pair<master::LinkId, std::string>> launched_;
  std::vector<master::Persisted> waiting_;
  bool turn_end_ = false;
  uint64_t next_task_ = 0, ended_ = 0;
};

/// A new leader on the registry of a large cluster: every agent returns, the framework subscribes half-way.
class Return {
 public:
  Return(size_t agents, size_t tasks_each) : agents_(agents), tasks_each_(tasks_each) {}

  /// Processor time in the core; making what it is told does not count.
  double run() {
    spent_ = 0;
    core_ = std::make_unique<master::Core>(
        master::testing::master_info("N"), master::Policy(),
        std::make_unique<allocator::Allocator>(allocator::Options(), base::Random(1)), base::Random(2));
    master::Recovered recovered;
    for (size_t i = 0; i < agents_; ++i) {
      master::link::RegistryAgent record;
      *record.mutable_info() = info(i);
      recovered.entries.push_back({"agents/" + record.info().id().value(), record.SerializeAsString()});
    }
    feed(std::move(recovered));
    for (size_t i = 0; i < agents_; ++i) {
      if (i == agents_ / 2) subscribe();
      feed(message(i));
      if (i % 100 == 99) feed(master::TurnEnded{});
    }
    feed(master::TurnEnded{});
    CHECK(core_->state().agents.size() == agents_);
    CHECK(core_->state().frameworks.at("M-0000")->tasks.size() == agents_ * tasks_each_);
    return spent_;
  }

  /// Processor time of taking a picture of the state, which is what readers cost the core, and of letting it go.
  double picture() const {
    const double start = processor_seconds();
    CHECK(core_->snapshot(now_)->agents.size() == agents_);
    return processor_seconds() - start;
  }

 private:
  static master::AgentInfo info(size_t i) {
    auto out = master::testing::agent_info("host" + std::to_string(i), 5051, "cpus:16;mem:65536;disk:100000;ports:[31000-32000]");
    out.mutable_id()->set_value("M-S" + std::to_string(i));
    return out;
  }

  static mesos::v1::FrameworkInfo framework() {
    mesos::v1::FrameworkInfo out;
    out.set_user("nobody");
    out.set_name("bench");
    out.set_checkpoint(true);
    out.set_failover_timeout(3600);
    out.mutable_id()->set_value("M-0000");
    return out;
  }

  static double processor_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  }

  void subscribe() {
    master::SchedulerSubscribed event;
    event.connection = 1;
    event.stream_id = "s";
    *event.subscribe.mutable_framework_info() = framework();
    feed(std::move(event));
  }

  AgentMessageReceived message(size_t i) const {
    AgentMessageReceived event;
    event.link = i + 1;
    event.ip = "10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255);
    auto& told = *event.message.mutable_reregister_agent();
    *told.mutable_agent_info() = info(i);
    told.set_version("1.12.0");
    master::testing::add_all_capabilities(told.mutable_capabilities());
    *told.add_frameworks() = framework();
    for (size_t t = 0; t < tasks_each_; ++t) {
      auto& task = *told.add_tasks();
      task.set_name("task");
      task.mutable_task_id()->set_value("task-" + std::to_string(i) + "-" + std::to_string(t));
      task.mutable_framework_id()->set_value("M-0000");
      *task.mutable_agent_id() = told.agent_info().id();
      task.set_state(mesos::v1::TASK_RUNNING);
      auto held = resources::must_parse("cpus:1;mem:32");
      held.allocate(resources::Name("*"));
      resources::to_proto(held, resources::Format::Post, task.mutable_resources());
      auto& status = *task.add_statuses();
      *status.mutable_task_id() = task.task_id();
      status.set_state(mesos::v1::TASK_RUNNING);
      status.set_timestamp(1);
    }
    return event;
  }

  void feed(master::Event event) {
    std::vector<master::Event> next;
    next.push_back(std::move(event));
    while (!next.empty()) {
      Effects out;
      master::Event now = std::move(next.back());
      next.pop_back();
      const double start = processor_seconds();
      core_->on(std::move(now), now_, out);
      spent_ += processor_seconds() - start;
      for (auto& effect : out.list()) {
        if (auto* persist = std::get_if<master::Persist>(&effect)) next.push_back(master::Persisted{persist->ticket, {}});
      }
    }
  }

  size_t agents_, tasks_each_;
  std::unique_ptr<master::Core> core_;
  base::Now now_{base::Instant{base::seconds(1)}, base::Time{base::seconds(1)}};
  double spent_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  base::testing::Bench bench(argc, argv);
  const uint64_t tasks = bench.small() ? 1'000 : 100'000;
  const int agents = bench.small() ? 4 : 100;
  if (bench.wants("master/core-tasks")) {
    World world(agents);
    bench.rate("master/core-tasks", {{"agents", std::to_string(agents)}, {"tasks", std::to_string(tasks)}}, tasks,
               [&] { return world.run(tasks) % 7; });
  }
  if (bench.wants("master/core-reregister-100000")) {
    const size_t returning = bench.small() ? 200 : 100'000, each = 5;
    std::vector<double> samples;
    for (int run = 0; run < (bench.small() ? 1 : 3); ++run) samples.push_back(Return(returning, each).run());
    bench.report("master/core-reregister-100000", {{"agents", std::to_string(returning)}, {"tasks", std::to_string(returning * each)}},
                 "s", samples);
  }
  if (bench.wants("master/core-picture")) {
    const size_t pictured = bench.small() ? 50 : 1'000, each = 10;
    Return cluster(pictured, each);
    cluster.run();
    std::vector<double> samples;
    for (int run = 0; run < (bench.small() ? 1 : 100); ++run) samples.push_back(1e3 * cluster.picture());
    bench.report("master/core-picture", {{"agents", std::to_string(pictured)}, {"tasks", std::to_string(pictured * each)}}, "ms", samples);
  }
  return 0;
}
