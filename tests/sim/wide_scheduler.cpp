#include "tests/sim/wide_scheduler.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sim {

using mesos::v1::FrameworkInfo;
using mesos::v1::scheduler::Event;
using Operation = mesos::v1::Offer::Operation;

namespace {

constexpr double kVolume = 4;

/// Takes `amount` of one entry of that name; the taken part comes back.
bool take(google::protobuf::RepeatedPtrField<mesos::v1::Resource>& bag, const std::string& name, double amount,
          mesos::v1::Resource* taken, bool unreserved_only = false) {
  for (auto& entry : bag) {
    if (entry.name() != name || entry.has_disk() || entry.scalar().value() < amount) continue;
    if (unreserved_only && entry.reservations_size() > 0) continue;
    *taken = entry;
    taken->mutable_scalar()->set_value(amount);
    entry.mutable_scalar()->set_value(entry.scalar().value() - amount);
    return true;
  }
  return false;
}

bool over(mesos::v1::OperationState state) {
  return state == mesos::v1::OPERATION_FINISHED || state == mesos::v1::OPERATION_FAILED ||
         state == mesos::v1::OPERATION_ERROR || state == mesos::v1::OPERATION_DROPPED ||
         state == mesos::v1::OPERATION_GONE_BY_OPERATOR || state == mesos::v1::OPERATION_UNKNOWN;
}

}  // namespace

WideScheduler::WideScheduler(Context& context, std::string process_name, SimMaster& master, UpdateChecker& updates,
                             Workload workload, WideHabits habits)
    : SimScheduler(context, std::move(process_name), master, updates, workload),
      habits_(std::move(habits)),
      roles_{habits_.roles.front()} {}

void WideScheduler::describe(FrameworkInfo& info) const {
  for (const std::string& role : roles_) info.add_roles(role);
  for (const auto capability : {FrameworkInfo::Capability::MULTI_ROLE, FrameworkInfo::Capability::PARTITION_AWARE,
                                FrameworkInfo::Capability::RESERVATION_REFINEMENT})
    info.add_capabilities()->set_type(capability);
}

void WideScheduler::settle() {
  quiet = true;
  Call call;
  call.set_type(Call::REVIVE);
  call.mutable_revive();
  if (alive) send(std::move(call));
}

void WideScheduler::send_maybe_twice(Call call) {
  if (habits_.duplicates > 0 && context_.world.random().chance(habits_.duplicates)) send(call);
  send(std::move(call));
}

void WideScheduler::on_subscribed() {
  if (operations_.empty()) return;
  Call call;
  call.set_type(Call::RECONCILE_OPERATIONS);
  for (const auto& [id, pending] : operations_) {
    auto& asked = *call.mutable_reconcile_operations()->add_operations();
    asked.mutable_operation_id()->set_value(id);
    asked.mutable_agent_id()->set_value(pending.agent);
  }
  send_maybe_twice(std::move(call));
}

void WideScheduler::change_roles() {
  auto& random = context_.world.random();
  std::set<std::string> roles;
  for (const std::string& role : habits_.roles) {
    if (random.chance(0.5)) roles.insert(role);
  }
  if (roles.empty()) roles.insert(random.choose(habits_.roles));
  roles_ = roles;
  Call call;
  call.set_type(Call::UPDATE_FRAMEWORK);
  auto& info = *call.mutable_update_framework()->mutable_framework_info();
  info.set_user("u");
  info.set_name(name);
  info.set_checkpoint(true);
  info.set_failover_timeout(workload_.failover_timeout);
  info.mutable_id()->set_value(framework_id());
  describe(info);
  send(std::move(call));
}

Operation& WideScheduler::add_operation(Call& call, Operation::Type type, const mesos::v1::Offer& offer) {
  auto& operation = *call.mutable_accept()->add_operations();
  operation.set_type(type);
  const std::string id = fmt::format("{}-o{}", name, next_operation_++);
  operation.mutable_id()->set_value(id);
  operations_[id] = {offer.agent_id().value()};
  return operation;
}

/// A volume out of unreserved disk, or the end of what is there.
void WideScheduler::add_operations(Call& call, const mesos::v1::Offer& offer, Bag& left) {
  const std::string& role = offer.allocation_info().role();
  auto& random = context_.world.random();
  const auto own = [&](const mesos::v1::Resource& r) {
    return r.name() == "disk" && r.reservations_size() == 1 && r.reservations(0).role() == role &&
           r.reservations(0).type() == mesos::v1::Resource::ReservationInfo::DYNAMIC;
  };
  for (const auto& resource : offer.resources()) {
    if (!own(resource)) continue;
    if (resource.disk().has_persistence()) {
      *add_operation(call, Operation::DESTROY, offer).mutable_destroy()->add_volumes() = resource;
      if (random.chance(0.5)) return;
      auto freed = resource;
      freed.clear_disk();
      *add_operation(call, Operation::UNRESERVE, offer).mutable_unreserve()->add_resources() = freed;
    } else {
      *add_operation(call, Operation::UNRESERVE, offer).mutable_unreserve()->add_resources() = resource;
    }
    return;
  }
  mesos::v1::Resource disk;
  if (role == "*" || !take(left, "disk", kVolume, &disk, true)) return;
  auto& reservation = *disk.add_reservations();
  reservation.set_type(mesos::v1::Resource::ReservationInfo::DYNAMIC);
  reservation.set_role(role);
  *add_operation(call, Operation::RESERVE, offer).mutable_reserve()->add_resources() = disk;
  disk.mutable_disk()->mutable_persistence()->set_id(fmt::format("{}-v{}", name, next_volume_++));
  disk.mutable_disk()->mutable_volume()->set_container_path("data");
  disk.mutable_disk()->mutable_volume()->set_mode(mesos::v1::Volume::RW);
  *add_operation(call, Operation::CREATE, offer).mutable_create()->add_volumes() = disk;
  // What the operations made may be used at once.
  if (random.chance(0.5)) *left.Add() = disk;
}

void WideScheduler::answer(const mesos::v1::Offer& offer) {
  auto& random = context_.world.random();
  Call call;
  Bag left = offer.resources();
  if (habits_.operations > 0 && !quiet && random.chance(habits_.operations)) add_operations(call, offer, left);
  Operation launch;
  launch.set_type(Operation::LAUNCH);
  mesos::v1::Resource cpus, mem;
  while (wants_more() && take(left, "cpus", 1, &cpus)) {
    if (!take(left, "mem", 64, &mem)) break;
    add_task(*launch.mutable_launch(), offer.agent_id());
    auto& task = *launch.mutable_launch()->mutable_task_infos()->rbegin();
    *task.add_resources() = cpus;
    *task.add_resources() = mem;
    // The first task gets the volume that was just made.
    if (!left.empty() && left.rbegin()->has_disk() && !offer.resources().rbegin()->has_disk()) {
      *task.add_resources() = *left.rbegin();
      left.RemoveLast();
    }
  }
  if (launch.launch().task_infos_size() > 0) *call.mutable_accept()->add_operations() = std::move(launch);
  const bool accepts = call.accept().operations_size() > 0;
  if (accepts) {
    call.set_type(Call::ACCEPT);
    *call.mutable_accept()->add_offer_ids() = offer.id();
    send(std::move(call));
  } else {
    call.Clear();
    call.set_type(Call::DECLINE);
    *call.mutable_decline()->add_offer_ids() = offer.id();
    call.mutable_decline()->mutable_filters()->set_refuse_seconds(wants_more() ? 2 : 1e6);
    send_maybe_twice(std::move(call));
  }
  if (quiet) return;
  if (habits_.role_changes > 0 && random.chance(habits_.role_changes)) change_roles();
  if (habits_.suppressions > 0 && random.chance(habits_.suppressions)) {
    Call stop;
    stop.set_type(Call::SUPPRESS);
    stop.mutable_suppress();
    send(std::move(stop));
    context_.world.after(*this, random.jitter(base::seconds(8)), [this] {
      Call more;
      more.set_type(Call::REVIVE);
      more.mutable_revive();
      send_maybe_twice(std::move(more));
    });
  }
}

void WideScheduler::on_other(const Event& event) {
  if (event.type() != Event::UPDATE_OPERATION_STATUS) return;
  const auto& status = event.update_operation_status().status();
  const std::string& id = status.operation_id().value();
  updates_.operation_update(status);
  if (status.has_uuid()) {
    Call call;
    call.set_type(Call::ACKNOWLEDGE_OPERATION_STATUS);
    *call.mutable_acknowledge_operation_status()->mutable_agent_id() = status.agent_id();
    *call.mutable_acknowledge_operation_status()->mutable_operation_id() = status.operation_id();
    call.mutable_acknowledge_operation_status()->set_uuid(status.uuid().value());
    send_maybe_twice(std::move(call));
  }
  const auto pending = operations_.find(id);
  if (pending == operations_.end()) return;
  pending->second.unreachable = status.state() == mesos::v1::OPERATION_UNREACHABLE;
  if (!over(status.state())) return;
  operations_.erase(pending);
  ++told_;
}

}  // namespace sim
