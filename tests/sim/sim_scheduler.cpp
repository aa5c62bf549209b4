#include "tests/sim/sim_scheduler.hpp"

#include <fmt/format.h>

namespace sim {

using mesos::v1::scheduler::Call;
using mesos::v1::scheduler::Event;

namespace {

void add_scalar(google::protobuf::RepeatedPtrField<mesos::v1::Resource>* list, const char* name,
                double value) {
  auto* resource = list->Add();
  resource->set_name(name);
  resource->set_type(mesos::v1::Value::SCALAR);
  resource->mutable_scalar()->set_value(value);
}

double scalar(const google::protobuf::RepeatedPtrField<mesos::v1::Resource>& list,
              std::string_view name) {
  double total = 0;
  for (const auto& resource : list) {
    if (resource.name() == name) total += resource.scalar().value();
  }
  return total;
}

/// Ended for good; such a task's id is not heard of again but by duplicates.
bool over(mesos::v1::TaskState state) {
  switch (state) {
    case mesos::v1::TASK_FINISHED:
    case mesos::v1::TASK_FAILED:
    case mesos::v1::TASK_KILLED:
    case mesos::v1::TASK_ERROR:
    case mesos::v1::TASK_LOST:
    case mesos::v1::TASK_DROPPED:
    case mesos::v1::TASK_GONE:
    case mesos::v1::TASK_GONE_BY_OPERATOR:
    case mesos::v1::TASK_UNKNOWN:
      return true;
    default:
      return false;
  }
}

}  // namespace

SimScheduler::SimScheduler(Context& context, std::string process_name, SimMaster& master,
                           UpdateChecker& updates, Workload workload)
    : SimScheduler(context, std::move(process_name), [&master] { return &master; }, updates,
                   workload) {}

SimScheduler::SimScheduler(Context& context, std::string process_name, FindMaster find,
                           UpdateChecker& updates, Workload workload)
    : Process(context, std::move(process_name)),
      find_(std::move(find)),
      updates_(updates),
      workload_(workload) {}

void SimScheduler::on_boot() {
  connect();
}

void SimScheduler::describe(mesos::v1::FrameworkInfo& info) const {
  info.add_roles("*");
  info.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::MULTI_ROLE);
  info.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE);
}

std::string SimScheduler::progress() const {
  std::string waiting;
  for (const auto& [id, task] : tasks_) {
    if (task.phase != Phase::Over) waiting += " " + id + "@" + task.agent;
  }
  return fmt::format("{}: {} of {} ended, {} live:{}", name, ended_, workload_.tasks, live_,
                     waiting);
}

void SimScheduler::connect() {
  const uint64_t connection = ++connection_;
  last_event_ = context_.world.now().instant;
  master_ = find_();
  if (master_ == nullptr || !master_->serves()) {
    context_.world.after(*this,
                         base::milliseconds(500) + context_.world.random().jitter(base::seconds(1)),
                         [this, connection] {
                           if (connection == connection_) connect();
                         });
    return;
  }
  Call call;
  call.set_type(Call::SUBSCRIBE);
  auto* info = call.mutable_subscribe()->mutable_framework_info();
  info->set_user("root");
  info->set_name(name);
  info->set_checkpoint(true);
  info->set_failover_timeout(workload_.failover_timeout);
  describe(*info);
  suppress(*call.mutable_subscribe());
  if (!framework_id_.empty()) {
    call.mutable_framework_id()->set_value(framework_id_);
    info->mutable_id()->set_value(framework_id_);
  }
  const auto closed = [this, connection] {
    if (connection == connection_) disconnect();
  };
  const auto subscription = master_->subscribe(
      *this, call,
      [this, connection](const Event& event) {
        if (connection == connection_) on_event(event);
      },
      closed);
  events_ = subscription.stream;
  stream_id_ = subscription.stream_id;
  calls_ = master_->dial_calls(*this, closed);
  // Without heartbeats the connection is given up, as the API's documentation says.
  context_.world.after(*this, base::seconds(50), [this, connection] {
    if (connection == connection_ && context_.world.now().instant - last_event_ > base::seconds(45))
      disconnect();
  });
}

void SimScheduler::disconnect() {
  ++connection_;
  context_.network.close(events_, 0);
  context_.network.close(calls_, 0);
  context_.world.after(*this,
                       base::milliseconds(100) + context_.world.random().jitter(base::seconds(2)),
                       [this, connection = connection_] {
                         if (connection == connection_) connect();
                       });
}

void SimScheduler::leader_changed() {
  if (alive && find_() != master_) disconnect();
}

void SimScheduler::send(Call call) {
  context_.world.note(name, Call::Type_Name(call.type()));
  call.mutable_framework_id()->set_value(framework_id_);
  master_->call(calls_, stream_id_, call, [this, connection = connection_](int status, const std::string&) {
    if (connection == connection_ && status >= 300) on_refused(status);
  });
}

void SimScheduler::on_event(const Event& event) {
  last_event_ = context_.world.now().instant;
  switch (event.type()) {
    case Event::SUBSCRIBED:
      if (!framework_id_.empty() && framework_id_ != event.subscribed().framework_id().value()) {
        context_.world.fail(name + ": the framework's id changed");
      }
      framework_id_ = event.subscribed().framework_id().value();
      on_subscribed();
      reconcile();
      break;
    case Event::OFFERS:
      on_offers(event.offers());
      break;
    case Event::UPDATE:
      on_update(event.update().status());
      break;
    case Event::ERROR:
      context_.world.trace(name, "ERROR " + event.error().message());
      if (event.error().message().find("removed") != std::string::npos)
        context_.world.fail(name + ": " + event.error().message());
      disconnect();
      break;
    case Event::HEARTBEAT: {
      // Lost answers and launches come to light by asking.
      on_subscribed();
      reconcile();
      const uint64_t connection = connection_;
      context_.world.after(*this, base::seconds(50), [this, connection] {
        if (connection == connection_ &&
            context_.world.now().instant - last_event_ > base::seconds(45))
          disconnect();
      });
      break;
    }
    default:
      on_other(event);
  }
}

void SimScheduler::reconcile() {
  Call call;
  call.set_type(Call::RECONCILE);
  call.mutable_reconcile();
  for (const auto& [id, task] : tasks_) {
    if (task.phase == Phase::Over) continue;
    auto* entry = call.mutable_reconcile()->add_tasks();
    entry->mutable_task_id()->set_value(id);
    entry->mutable_agent_id()->set_value(task.agent);
  }
  if (call.reconcile().tasks_size() > 0) send(std::move(call));
}

void SimScheduler::add_task(mesos::v1::Offer::Operation::Launch& launch, const mesos::v1::AgentID& agent) {
  auto& random = context_.world.random();
  const std::string id = fmt::format("{}-{}", name, next_task_++);
  auto* task = launch.add_task_infos();
  task->set_name("t");
  task->mutable_task_id()->set_value(id);
  *task->mutable_agent_id() = agent;
  const auto run_for = 1 + random.below(static_cast<uint64_t>(workload_.seconds_max));
  task->mutable_command()->set_value(
      fmt::format("run {} {} {}", run_for, random.below(4) == 0 ? 1 : 0, id));
  tasks_[id] = {agent.value(), Phase::Launched, random.chance(workload_.kill)};
  ++live_;
}

void SimScheduler::on_offers(const Event::Offers& offers) {
  for (const auto& offer : offers.offers()) answer(offer);
}

void SimScheduler::answer(const mesos::v1::Offer& offer) {
  double cpus = scalar(offer.resources(), "cpus"), mem = scalar(offer.resources(), "mem");
  Call call;
  auto* operation = call.mutable_accept()->add_operations();
  operation->set_type(mesos::v1::Offer::Operation::LAUNCH);
  while (cpus >= 1 && mem >= 64 && wants_more()) {
    add_task(*operation->mutable_launch(), offer.agent_id());
    auto& task = *operation->mutable_launch()->mutable_task_infos()->rbegin();
    add_scalar(task.mutable_resources(), "cpus", 1);
    add_scalar(task.mutable_resources(), "mem", 64);
    cpus -= 1;
    mem -= 64;
  }
  if (operation->launch().task_infos_size() > 0) {
    call.set_type(Call::ACCEPT);
    *call.mutable_accept()->add_offer_ids() = offer.id();
  } else {
    call.Clear();
    call.set_type(Call::DECLINE);
    *call.mutable_decline()->add_offer_ids() = offer.id();
    // Nothing to launch: until REVIVE, or the next subscription, which forgets filters.
    call.mutable_decline()->mutable_filters()->set_refuse_seconds(wants_more() ? 2 : 1e6);
  }
  send(std::move(call));
}

void SimScheduler::on_update(const mesos::v1::TaskStatus& status) {
  context_.world.note(name, fmt::format("{} {} {}", status.task_id().value(), mesos::v1::TaskState_Name(status.state()), status.message()));
  updates_.update(status);
  const std::string& id = status.task_id().value();
  if (status.has_uuid()) {
    Call call;
    call.set_type(Call::ACKNOWLEDGE);
    *call.mutable_acknowledge()->mutable_agent_id() = status.agent_id();
    *call.mutable_acknowledge()->mutable_task_id() = status.task_id();
    call.mutable_acknowledge()->set_uuid(status.uuid());
    send(std::move(call));
  }
  const auto found = tasks_.find(id);
  if (found == tasks_.end() || found->second.phase == Phase::Over) return;
  TaskRecord& task = found->second;
  if (status.state() == mesos::v1::TASK_RUNNING && task.kill) {
    Call call;
    call.set_type(Call::KILL);
    *call.mutable_kill()->mutable_task_id() = status.task_id();
    *call.mutable_kill()->mutable_agent_id() = status.agent_id();
    send(std::move(call));
  }
  task.unreachable = status.state() == mesos::v1::TASK_UNREACHABLE;
  if (task.unreachable) {
    context_.world.after(*this, base::minutes(5), [this, id] { give_up_unless_back(id); });
  }
  if (!over(status.state())) return;
  task.phase = Phase::Over;
  --live_;
  // What never ran is launched again under another id; what ran counts, whatever its end.
  const bool never_ran = status.state() == mesos::v1::TASK_DROPPED || status.state() == mesos::v1::TASK_GONE ||
                         status.state() == mesos::v1::TASK_LOST || status.state() == mesos::v1::TASK_UNKNOWN;
  if (never_ran) relaunch();
  else ++ended_;
}

void SimScheduler::give_up_unless_back(const std::string& id) {
  TaskRecord& task = tasks_.at(id);
  if (!task.unreachable || task.phase == Phase::Over) return;
  task.phase = Phase::Over;
  --live_;
  relaunch();
}

void SimScheduler::relaunch() {
  Call call;
  call.set_type(Call::REVIVE);
  call.mutable_revive();
  send(std::move(call));
}

}  // namespace sim
