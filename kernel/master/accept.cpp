// ACCEPT: offers turn into tasks and changed resources. Operations run in order against what is left of the offers; a
// failure affects the failing operation alone. What is left goes back to the allocator.

#include "kernel/master/accept.hpp"

#include <fmt/core.h>

#include "base/testing/planted.hpp"
#include "kernel/master/core.hpp"
#include "kernel/master/validation.hpp"
#include "kernel/resources/proto.hpp"

namespace master {

using mesos::v1::scheduler::Call;
using Operation_ = mesos::v1::Offer::Operation;

std::optional<std::string> Core::validate_offers(const Framework& framework, const Call::Accept& call) const {
  if (call.offer_ids().empty()) return "No offers specified";
  std::set<OfferId> seen;
  const Offer* first = nullptr;
  for (const auto& id : call.offer_ids()) {
    const auto found = state_.offers.find(id.value());
    if (found == state_.offers.end()) return fmt::format("Offer {} is no longer valid", id.value());
    if (!seen.insert(id.value()).second) return fmt::format("Duplicate offer {} in offer list", id.value());
    const Offer& offer = *found->second;
    if (offer.framework != &framework) {
      return fmt::format("Offer {} has invalid framework {} while framework {} is expected", id.value(),
                         offer.framework->id, framework.id);
    }
    if (first == nullptr) first = &offer;
    if (offer.role != first->role) {
      return fmt::format("Aggregated offers must be allocated to the same role. Offer {} uses role '{}' but another is "
                         "using role '{}'",
                         id.value(), offer.role, first->role);
    }
    if (offer.agent != first->agent) {
      return fmt::format("Aggregated offers must belong to one single agent. Offer {} uses agent {} and agent {}",
                         id.value(), offer.agent->id, first->agent->id);
    }
  }
  return std::nullopt;
}

void Core::refuse_operations(Framework& framework, const Call::Accept& call, TaskState aware, TaskStatus::Reason reason,
                             const std::string& why) {
  const TaskState state = framework.capabilities.partition_aware ? aware : mesos::v1::TASK_LOST;
  const auto refuse_task = [&](const TaskInfo& task) {
    TaskStatus status = make_status(task.task_id().value(), state, why, reason);
    *status.mutable_agent_id() = task.agent_id();
    count_state(state, status);
    send_status(framework, std::move(status));
  };
  for (const auto& operation : call.operations()) {
    if (operation.type() == Operation_::LAUNCH) {
      for (const auto& task : operation.launch().task_infos()) refuse_task(task);
    } else if (operation.type() == Operation_::LAUNCH_GROUP) {
      for (const auto& task : operation.launch_group().task_group().tasks()) refuse_task(task);
    } else {
      refuse_operation(framework, operation, why);
    }
  }
}

void Core::accept(Framework& framework, Call::Accept& call) {
  count(call.operations().empty() ? Metric::MessagesDeclineOffers : Metric::MessagesLaunchTasks);
  const mesos::v1::Filters filters = call.filters();
  if (auto why = validate_offers(framework, call)) {
    for (const auto& id : call.offer_ids()) {  // its own valid ones come back as new offers
      const auto own = framework.offers.find(id.value());
      if (own != framework.offers.end()) rescind(*own->second, false);
    }
    warning(fmt::format("ACCEPT of framework {} failed: {}", framework.id, *why));
    refuse_operations(framework, call, mesos::v1::TASK_DROPPED, TaskStatus::REASON_INVALID_OFFERS,
                      "Task launched with invalid offers: " + *why);
    return;
  }

  const auto& first = *framework.offers.find(call.offer_ids(0).value())->second;
  Acceptance acceptance{framework, *first.agent, resources::Name(first.role), {}, {}};
  for (const auto& id : call.offer_ids()) {
    Offer& offer = *framework.offers.find(id.value())->second;
    acceptance.offered += offer.resources;
    ++(call.operations().empty() ? framework.offers_declined : framework.offers_accepted);
    if (!base::planted("master/takes-an-offer-twice")) drop_offer(offer);
  }
  acceptance.remaining = acceptance.offered;
  for (auto& operation : *call.mutable_operations()) apply(acceptance, operation);

  // What the operations produced is wanted and comes back at once; the rest was looked at and refused.
  const Resources produced = acceptance.remaining - acceptance.offered;
  if (produced.empty()) {
    recover_resources(framework, acceptance.agent, acceptance.remaining, &filters);
  } else {
    recover_resources(framework, acceptance.agent, produced, nullptr);
    recover_resources(framework, acceptance.agent, acceptance.remaining - produced, &filters);
  }
}

void Core::apply(Acceptance& acceptance, Operation_& operation) {
  switch (operation.type()) {
    case Operation_::LAUNCH: return launch(acceptance, operation);
    case Operation_::LAUNCH_GROUP: return launch_group(acceptance, operation);
    case Operation_::RESERVE:
    case Operation_::UNRESERVE:
    case Operation_::CREATE:
    case Operation_::DESTROY:
    case Operation_::GROW_VOLUME:
    case Operation_::SHRINK_VOLUME: return convert(acceptance, operation);
    case Operation_::CREATE_DISK:
    case Operation_::DESTROY_DISK: return change_disk(acceptance, operation);
    case Operation_::UNKNOWN: break;
  }
  refuse_operation(acceptance.framework, operation, "Unknown offer operation");
}

namespace {

/// The agent is told in the one format that we use among ourselves.
template <class Message>
void rewrite_resources(const Resources& value, Message* message) {
  message->clear_resources();
  resources::to_proto(value, resources::Format::Post, message->mutable_resources());
}

/// The versions that what is launched with `needed` was planned on.
void add_versions(const Agent& agent, const Resources& needed, google::protobuf::RepeatedPtrField<link::ResourceVersion>* versions) {
  if (!agent.resource_version.empty()) versions->Add()->mutable_uuid()->set_value(agent.resource_version);
  std::set<std::string> providers;
  for (const resources::Resource& r : needed)
    if (r.kind.data().provider_id) providers.insert(*r.kind.data().provider_id);
  for (const auto& id : providers) {
    const auto provider = agent.providers.find(id);
    if (provider == agent.providers.end()) continue;
    link::ResourceVersion& version = *versions->Add();
    version.mutable_resource_provider_id()->set_value(id);
    version.mutable_uuid()->set_value(provider->second.resource_version);
  }
}

}  // namespace

void Core::launch(Acceptance& acceptance, Operation_& operation) {
  Framework& framework = acceptance.framework;
  Agent& agent = acceptance.agent;
  for (TaskInfo& info : *operation.mutable_launch()->mutable_task_infos()) {
    TaskNeeds needs;
    std::optional<std::string> why;
    if (operation.has_id()) why = "The `id` field cannot be set on LAUNCH operations";
    TaskStatus::Reason reason = TaskStatus::REASON_TASK_INVALID;
    if (!why) why = validate_task(info, TaskContext{framework, agent, acceptance.role, acceptance.remaining}, needs);
    if (!why && (why = forbid_task(framework, info, info.has_executor() ? &info.executor() : nullptr))) {
      reason = TaskStatus::REASON_TASK_UNAUTHORIZED;
    }
    if (why) {
      TaskStatus status = make_status(info.task_id().value(), mesos::v1::TASK_ERROR, *why, reason);
      *status.mutable_agent_id() = info.agent_id();
      count_state(mesos::v1::TASK_ERROR, status);
      send_status(framework, std::move(status));
      continue;
    }
    acceptance.remaining -= needs.task;
    const Resources needed = needs.task + needs.executor;
    rewrite_resources(needs.task, &info);
    bool launch_executor = true;
    if (info.has_executor()) {
      ExecutorInfo& executor_info = *info.mutable_executor();
      executor_info.mutable_framework_id()->set_value(framework.id);
      rewrite_resources(needs.executor, &executor_info);
      auto& executors = agent.executors[framework.id];
      launch_executor = !executors.count(executor_info.executor_id().value());
      if (launch_executor) {
        acceptance.remaining -= needs.executor;
        executors[executor_info.executor_id().value()] =
            Executor{std::make_shared<const ExecutorInfo>(executor_info), std::move(needs.executor)};
      }
    }
    add_task(framework, agent, info, std::move(needs.task));
    if (out_->debug()) {
      out_->trace(TraceLevel::Debug, fmt::format("launching task {} of framework {} on agent {}", info.task_id().value(),
                                                 framework.id, agent.id));
    }
    link::MasterMessage message;
    link::RunTask& order = *message.mutable_run_task();
    *order.mutable_framework_info() = *framework.info;
    *order.mutable_task() = std::move(info);
    order.set_launch_executor(launch_executor);
    add_versions(agent, needed, order.mutable_resource_versions());
    out_->send(agent.link, std::move(message));
    ++framework.operations_sent[Operation_::LAUNCH];
  }
}

void Core::launch_group(Acceptance& acceptance, Operation_& operation) {
  Framework& framework = acceptance.framework;
  Agent& agent = acceptance.agent;
  ExecutorInfo& executor = *operation.mutable_launch_group()->mutable_executor();
  mesos::v1::TaskGroupInfo& group = *operation.mutable_launch_group()->mutable_task_group();
  GroupNeeds needs;
  std::optional<std::string> why;
  if (operation.has_id()) why = "The `id` field cannot be set on LAUNCH_GROUP operations";
  if (!why) {
    why = validate_group(executor, group, TaskContext{framework, agent, acceptance.role, acceptance.remaining}, needs);
  }
  TaskStatus::Reason reason = TaskStatus::REASON_TASK_GROUP_INVALID;
  for (int i = 0; !why && i < group.tasks_size(); ++i) {
    why = forbid_task(framework, group.tasks(i), &executor);
    if (why) reason = TaskStatus::REASON_TASK_GROUP_UNAUTHORIZED;
  }
  if (why) {
    for (const auto& task : group.tasks()) {
      TaskStatus status = make_status(task.task_id().value(), mesos::v1::TASK_ERROR, *why, reason);
      *status.mutable_agent_id() = task.agent_id();
      count_state(mesos::v1::TASK_ERROR, status);
      send_status(framework, std::move(status));
    }
    return;
  }
  executor.mutable_framework_id()->set_value(framework.id);
  Resources needed = needs.executor;
  for (const Resources& task : needs.tasks) needed += task;
  rewrite_resources(needs.executor, &executor);
  auto& executors = agent.executors[framework.id];
  const bool launch_executor = !executors.count(executor.executor_id().value());
  if (launch_executor) {
    acceptance.remaining -= needs.executor;
    executors[executor.executor_id().value()] =
        Executor{std::make_shared<const ExecutorInfo>(executor), std::move(needs.executor)};
  }
  for (int i = 0; i < group.tasks_size(); ++i) {
    TaskInfo& info = *group.mutable_tasks(i);
    *info.mutable_executor() = executor;
    rewrite_resources(needs.tasks[i], &info);
    acceptance.remaining -= needs.tasks[i];
    add_task(framework, agent, info, std::move(needs.tasks[i]));
  }
  link::MasterMessage message;
  link::RunTaskGroup& order = *message.mutable_run_task_group();
  *order.mutable_framework_info() = *framework.info;
  *order.mutable_executor() = std::move(executor);
  *order.mutable_task_group() = std::move(group);
  order.set_launch_executor(launch_executor);
  add_versions(agent, needed, order.mutable_resource_versions());
  out_->send(agent.link, std::move(message));
  ++framework.operations_sent[Operation_::LAUNCH_GROUP];
}

}  // namespace master
