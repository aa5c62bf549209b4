// Resource providers outside of the agent: programs that subscribe over HTTP, say what they have, carry out what frameworks
// want of it, and have it ready where a container is launched. The agent keeps their ids and the operations that they have
// not ended; what they have is their own to keep, and counts while they are subscribed and have said it.

#include <algorithm>

#include "kernel/agent/checkpoint.hpp"
#include "kernel/agent/core.hpp"
#include "kernel/api/names.hpp"
#include "kernel/resources/operations.hpp"
#include "kernel/resources/proto.hpp"

namespace agent {
namespace {

using ProviderCall = mesos::v1::resource_provider::Call;
using ProviderEvent = mesos::v1::resource_provider::Event;

constexpr size_t kMaxName = 256;
constexpr base::Duration kPublishPatience = base::minutes(1);

std::string provider_of(const Operation& operation) { return resources::provider_of(operation.proto.info()).value_or(""); }

}  // namespace

bool Core::is_remote(const std::string& provider) const {
  const auto found = state_.providers.find(provider);
  return found != state_.providers.end() && found->second.remote;
}

void Core::handle(ProviderSubscribed event) {
  const auto refuse_it = [&](int status, const std::string& why) { out_->add(AnswerExecutor{event.connection, status, why}); };
  auto& info = event.info;
  if (info.type().empty() || info.name().empty() || info.type().size() > kMaxName || info.name().size() > kMaxName)
    return refuse_it(400, "'resource_provider_info' needs a type and a name of at most 256 characters");
  if (info.has_id()) {
    const auto known = state_.providers.find(info.id().value());
    if (known == state_.providers.end() || !known->second.remote)
      return refuse_it(400, "This agent knows no resource provider " + info.id().value() + ": subscribe without id to be given one");
    if (known->second.info.type() != info.type() || known->second.info.name() != info.name())
      return refuse_it(400, "Type and name of resource provider " + info.id().value() + " cannot change");
    if (known->second.connection) {
      out_->add(CloseExecutor{*known->second.connection});
      remote_left(known->second, "it has subscribed again");
    }
  } else {
    for (const auto& [id, other] : state_.providers)
      if (!other.remote && other.info.type() == info.type() && other.info.name() == info.name())
        return refuse_it(409, "A resource provider of that type and name is run by the agent itself");
    if (state_.providers.size() >= kMaxProviders)
      return refuse_it(503, "This agent knows " + std::to_string(kMaxProviders) +
                                " resource providers (MARK_RESOURCE_PROVIDER_GONE forgets one)");
    info.mutable_id()->set_value(random_.uuid());
  }
  ResourceProvider& provider = state_.providers[info.id().value()];
  provider.info = std::move(info);
  provider.remote = true;
  provider.active = false;  // until it says what it has
  provider.connection = event.connection;
  provider.stream = std::move(event.stream);
  save(provider);
  out_->info("Resource provider " + provider.info.name() + " (" + provider.info.type() + ") subscribed as " + provider.info.id().value());
  ProviderEvent subscribed;
  subscribed.set_type(ProviderEvent::SUBSCRIBED);
  *subscribed.mutable_subscribed()->mutable_provider_id() = provider.info.id();
  send(provider, std::move(subscribed));
}

void Core::send(const ResourceProvider& provider, ProviderEvent event) {
  if (provider.connection) journal_.then(SendToProvider{*provider.connection, std::move(event)});
}

void Core::handle(ProviderCalled event) {
  const auto answer = [&](const base::Status& status) {
    journal_.then(AnswerExecutor{event.connection, status ? 202 : 400, status ? "" : status.error().message});
  };
  const std::string& id = event.call.resource_provider_id().value();
  const auto found = state_.providers.find(id);
  if (found == state_.providers.end() || !found->second.connection) return answer(base::invalid("Resource provider is not subscribed"));
  ResourceProvider& provider = found->second;
  if (event.stream.empty()) return answer(base::invalid("All non-subscribe calls should include the 'Mesos-Stream-Id' header"));
  if (event.stream != provider.stream)
    return answer(base::invalid("The stream ID '" + event.stream + "' included in this request didn't match the stream ID currently "
                                "associated with resource provider ID " + id));
  switch (event.call.type()) {
    case ProviderCall::UPDATE_STATE: return answer(remote_state(provider, event.call.update_state()));
    case ProviderCall::UPDATE_OPERATION_STATUS: return answer(remote_operation(provider, event.call.update_operation_status()));
    case ProviderCall::UPDATE_PUBLISH_RESOURCES_STATUS: {
      const auto& told = event.call.update_publish_resources_status();
      const auto asked = publications_.find(told.uuid().value());
      if (asked == publications_.end() || asked->second.provider != id)
        return answer(base::invalid("Nothing was asked to be published under this uuid, or it was given up meanwhile"));
      const std::string container = asked->second.container;
      publications_.erase(asked);
      const bool well = told.status() == ProviderCall::UpdatePublishResourcesStatus::OK;
      published(container, well ? base::Status() : base::unavailable("resource provider " + provider.info.name() +
                                                                     " cannot make the container's resources ready"));
      return answer({});
    }
    default: return answer(base::invalid("The call is not supported"));
  }
}

base::Status Core::remote_state(ResourceProvider& provider, const ProviderCall::UpdateState& update) {
  const std::string& id = provider.info.id().value();
  for (const auto& resource : update.resources())
    if (resource.provider_id().value() != id)
      return base::invalid("Inconsistent call: Inconsistent resource provider ID in 'update_state'");
  auto total = resources::from_proto(update.resources());
  if (!total) return total.error().with_context("'update_state.resources'");
  total->unallocate();
  provider.total = std::move(*total);
  provider.version = update.resource_version_uuid().value();
  provider.active = true;
  out_->info("Provider " + provider.info.name() + " has " + provider.total.text());
  // What it does not name never reached it, or was lost with it: it is asked, and says so.
  ProviderEvent ask;
  ask.set_type(ProviderEvent::RECONCILE_OPERATIONS);
  for (auto& [uuid, operation] : state_.operations) {
    if (!pending(operation) || provider_of(operation) != id) continue;
    const auto known = std::find_if(update.operations().begin(), update.operations().end(),
                                    [&uuid = uuid](const auto& each) { return each.uuid().value() == uuid; });
    operation.applied = known != update.operations().end() && known->latest_status().state() == mesos::v1::OPERATION_FINISHED;
    if (known == update.operations().end()) ask.mutable_reconcile_operations()->add_operation_uuids()->set_value(uuid);
  }
  if (ask.has_reconcile_operations()) send(provider, std::move(ask));
  send_totals();
  return {};
}

base::Status Core::remote_operation(ResourceProvider& provider, const ProviderCall::UpdateOperationStatus& update) {
  const std::string& id = provider.info.id().value();
  if (update.status().resource_provider_id().value() != id)
    return base::invalid("Inconsistent call: Inconsistent resource provider ID in 'update_operation_status'");
  const auto found = state_.operations.find(update.operation_uuid().value());
  if (found == state_.operations.end()) {
    // Told, acknowledged and forgotten; the acknowledgement did not arrive.
    if (update.status().has_uuid()) acknowledge_remote(provider, update.operation_uuid().value(), update.status().uuid().value());
    return {};
  }
  Operation& operation = found->second;
  if (provider_of(operation) != id) return base::invalid("This operation is another resource provider's");
  const bool newer = update.has_latest_status() && api::is_terminal(update.latest_status().state());
  const auto& status = newer ? update.latest_status() : update.status();
  if (!api::is_terminal(status.state())) return {};
  if (!pending(operation)) {
    tell_operation(operation);
    return {};
  }
  if (status.uuid().value().empty()) return base::invalid("'update_operation_status.status.uuid' must be set for the end of an operation");
  remote_ended(provider, operation, status);
  mesos::v1::OperationStatus told = status;
  if (operation.proto.info().has_id()) *told.mutable_operation_id() = operation.proto.info().id();
  if (state_.info.has_id()) *told.mutable_agent_id() = state_.info.id();
  operation.proto.add_statuses()->CopyFrom(told);
  *operation.proto.mutable_latest_status() = std::move(told);
  save(operation);
  tell_operation(operation);
  return {};
}

/// What has become of an operation, in the provider's total. A reservation or a volume counts since it was handed over; a disk
/// is known by what the provider says that it made.
void Core::remote_ended(ResourceProvider& provider, const Operation& operation, const mesos::v1::OperationStatus& status) {
  const bool finished = status.state() == mesos::v1::OPERATION_FINISHED;
  if (finished == operation.applied) return;
  std::vector<resources::Conversion> conversions;
  const mesos::v1::Offer::Operation& wanted = operation.proto.info();
  if (is_disk(wanted)) {
    auto from = resources::disk_of(wanted);
    auto to = resources::from_proto(status.converted_resources());
    if (!from || !to) return;
    conversions.push_back({std::move(*from), std::move(*to)});
  } else if (auto planned = resources::conversions(wanted)) {
    conversions = std::move(*planned);
  }
  for (auto& conversion : conversions) {
    conversion.consumed.unallocate();
    conversion.converted.unallocate();
    if (!finished) std::swap(conversion.consumed, conversion.converted);
  }
  if (!finished) std::reverse(conversions.begin(), conversions.end());
  if (auto after = resources::apply(provider.total, conversions)) provider.total = std::move(*after);
  if (!finished) send_totals();
}

void Core::acknowledge_remote(const ResourceProvider& provider, const std::string& operation, const std::string& status) {
  ProviderEvent event;
  event.set_type(ProviderEvent::ACKNOWLEDGE_OPERATION_STATUS);
  event.mutable_acknowledge_operation_status()->mutable_operation_uuid()->set_value(operation);
  event.mutable_acknowledge_operation_status()->mutable_status_uuid()->set_value(status);
  send(provider, std::move(event));
}

/// Its own to carry out.
void Core::hand_over(Operation& operation, const ResourceProvider& provider) {
  operation.applied = !is_disk(operation.proto.info());
  save(operation);
  ProviderEvent event;
  event.set_type(ProviderEvent::APPLY_OPERATION);
  auto& apply = *event.mutable_apply_operation();
  if (operation.proto.has_framework_id()) *apply.mutable_framework_id() = operation.proto.framework_id();
  *apply.mutable_info() = operation.proto.info();
  *apply.mutable_operation_uuid() = operation.proto.uuid();
  apply.mutable_resource_version_uuid()->set_value(provider.version);
  send(provider, std::move(event));
}

/// Its connection is gone. It may come back under its id; until then it has nothing.
void Core::remote_left(ResourceProvider& provider, const std::string& why) {
  provider.connection.reset();
  std::vector<std::string> waiting;
  for (const auto& [uuid, asked] : publications_)
    if (asked.provider == provider.info.id().value()) waiting.push_back(asked.container);
  for (const auto& container : waiting)
    published(container, base::unavailable("resource provider " + provider.info.name() + " left: " + why));
  if (!std::exchange(provider.active, false)) return;
  out_->warning("Resource provider " + provider.info.name() + " left: " + why);
  send_totals();
}

/// Asks for what a container's executor has of such providers; false when that is nothing.
bool Core::ask_to_publish(const Executor& executor) {
  std::map<std::string, std::vector<mesos::v1::Resource>> own, all;
  const auto add = [this](const Executor& user, auto& into) {
    const auto take = [&](const auto& list) {
      for (const auto& resource : list)
        if (is_remote(resource.provider_id().value())) into[resource.provider_id().value()].push_back(resource);
    };
    take(user.info.resources());
    for (const auto& [id, task] : user.tasks) take(task.info.resources());
  };
  add(executor, own);
  if (own.empty()) return false;
  // Those of all containers: that is what must be there.
  for (const auto& [framework_id, framework] : state_.frameworks)
    for (const auto& [id, other] : framework.executors)
      if (other.state != ExecutorState::Terminated) add(other, all);
  for (const auto& [id, resources] : own) {
    const std::string uuid = random_.uuid_bytes();
    publications_[uuid] = {executor.container_id, id};
    ProviderEvent event;
    event.set_type(ProviderEvent::PUBLISH_RESOURCES);
    event.mutable_publish_resources()->mutable_uuid()->set_value(uuid);
    for (const auto& resource : all[id]) *event.mutable_publish_resources()->add_resources() = resource;
    send(state_.providers.at(id), std::move(event));
  }
  set_timer("publish/" + executor.container_id, kPublishPatience);
  return true;
}

/// One provider has answered, or none will.
void Core::published(const std::string& container, const base::Status& status) {
  const auto mine = [&](const auto& entry) { return entry.second.container == container; };
  if (!status)
    std::erase_if(publications_, mine);
  else if (std::any_of(publications_.begin(), publications_.end(), mine))
    return;
  cancel_timer("publish/" + container);
  journal_.then(ContinueLaunch{container, status});
}

}  // namespace agent
