#include "marathon/residency.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/testing/planted.hpp"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"
#include "marathon/ports.hpp"
#include "marathon/records.hpp"

namespace marathon {
namespace {

namespace pb = mesos::v1;
using Operation = pb::Offer::Operation;

constexpr std::string_view kUnreserve = "unreserve.";
constexpr std::string_view kDestroy = "destroy.";

// For so long offers are asked for on account of what is to be given back. It may never have been reserved.
constexpr base::Duration kReleasePatience = base::hours(1);

double megabytes(int64_t thousandths) { return static_cast<double>(thousandths) / 1000; }

/// The offered resource with an amount of ours, or with the ports that it has, reserved for the instance.
pb::Resource reserved(pb::Resource resource, const App& app, const std::string& id, const Policy& policy,
                      const std::string& framework) {
  resource.clear_role();
  auto& reservation = *resource.add_reservations();
  reservation.set_type(pb::Resource::ReservationInfo::DYNAMIC);
  reservation.set_role(app.role);
  if (!policy.principal.empty()) reservation.set_principal(policy.principal);
  for (const auto& [key, value] : {std::pair(kFrameworkLabel, framework), std::pair(kTaskLabel, id)}) {
    auto* label = reservation.mutable_labels()->add_labels();
    label->set_key(std::string(key));
    label->set_value(value);
  }
  return resource;
}

/// Whatever the offer's resource says about reservation and allocation is kept; only the amount is ours.
pb::Resource part_of(const Offer& offer, const PlacedScalar& placed) {
  pb::Resource out = offer.message->resources(placed.index);
  out.mutable_scalar()->set_value(megabytes(placed.amount));
  return out;
}

/// The placed ports, by the offer's resource that has them.
std::vector<pb::Resource> ports_of(const Offer& offer, const Placement& placement) {
  std::map<int, std::vector<int>> by_resource;
  for (const PlacedPort& placed : placement.ports) by_resource[placed.index].push_back(placed.port);
  std::vector<pb::Resource> out;
  for (const auto& [index, ports] : by_resource) {
    pb::Resource& resource = out.emplace_back(offer.message->resources(index));
    resource.mutable_ranges()->clear_range();
    for (const int port : ports) {
      auto* range = resource.mutable_ranges()->add_range();
      range->set_begin(static_cast<uint64_t>(port));
      range->set_end(static_cast<uint64_t>(port));
    }
  }
  return out;
}

/// The ports that are reserved for the instance, as pieces to place ports in.
std::vector<PortPiece> own_ports(const Offer& offer, const std::vector<int>& resources) {
  std::vector<PortPiece> out;
  for (const int index : resources) {
    const pb::Resource& resource = offer.message->resources(index);
    if (resource.name() != "ports") continue;
    for (const auto& range : resource.ranges().range()) {
      out.push_back({offer.role, static_cast<int>(range.begin()), static_cast<int>(range.end()), index});
    }
  }
  return out;
}

/// The instance's ports are those that it had. Those that it never had are taken as they are offered.
bool place_own_ports(Offer& offer, const App& app, const std::vector<int>& resources, base::Random& random, Placement& placement) {
  std::vector<PortPiece> others = std::move(offer.ports);
  offer.ports = own_ports(offer, resources);
  const std::vector<std::string> roles{offer.role, "*"};
  if (place_ports(offer, app, roles, random, placement)) {
    offer.ports = std::move(others);
    return true;
  }
  offer.ports.insert(offer.ports.end(), others.begin(), others.end());
  const bool placed = place_ports(offer, app, roles, random, placement);
  const std::set<int> held(resources.begin(), resources.end());
  if (!placed) {
    offer.ports = std::move(others);
  } else {
    std::erase_if(offer.ports, [&](const PortPiece& piece) { return held.contains(piece.index); });
  }
  return placed;
}

pb::Resource make_volume(pb::Resource disk, const LocalVolume& volume, const PathId& app, const Policy& policy) {
  auto& persistence = *disk.mutable_disk()->mutable_persistence();
  persistence.set_id(persistence_id(app, volume));
  if (!policy.principal.empty()) persistence.set_principal(policy.principal);
  disk.mutable_disk()->mutable_volume()->set_container_path(volume.container_path);
  disk.mutable_disk()->mutable_volume()->set_mode(pb::Volume::RW);
  return disk;
}

/// The instance's reservation in the offer; the end when it has none.
std::map<std::string, std::vector<int>>::const_iterator held_for(const Offer& offer, const Instance& instance) {
  if (base::planted("marathon/takes-a-siblings-volume")) {
    return std::find_if(offer.reserved.begin(), offer.reserved.end(), [&](const auto& held) {
      const auto name = parse_task_id(held.first);
      return name && name->app == instance.app;
    });
  }
  if (offer.agent_id != instance.reservation->agent_id) return offer.reserved.end();
  return offer.reserved.find(instance.reservation->id);
}

}  // namespace

int64_t volume_disk(const App& app) {
  int64_t sum = 0;
  for (const PersistentVolume& volume : persistent_volumes(app)) {
    if (volume.disk.type == DiskType::Root) sum += volume.disk.size_mb * 1000;
  }
  return sum;
}

std::string persistence_id(const PathId& app, const LocalVolume& volume) {
  return fmt::format("{}#{}#{}", safe_id(app), volume.container_path, volume.uuid);
}

Reservation make_reservation(const App& app, const Instance& instance, base::Random& random) {
  Reservation out;
  out.id = instance.task_id;
  out.agent_id = instance.agent_id;
  out.role = app.role;
  for (const PersistentVolume& volume : persistent_volumes(app)) out.volumes.push_back({volume.path, random.uuid()});
  return out;
}

std::vector<Operation> reserve(const App& app, const Instance& instance, const Placement& placement, const Offer& offer,
                               const Policy& policy, const std::string& framework) {
  const Reservation& reservation = *instance.reservation;
  Operation first, second;
  first.set_type(Operation::RESERVE);
  second.set_type(Operation::CREATE);
  const auto take = [&](const PlacedScalar& placed) {
    return reserved(part_of(offer, placed), app, reservation.id, policy, framework);
  };
  for (const PlacedScalar& placed : placement.scalars) {
    if (placed.amount > 0) *first.mutable_reserve()->add_resources() = take(placed);
  }
  for (pb::Resource& ports : ports_of(offer, placement)) {
    *first.mutable_reserve()->add_resources() = reserved(std::move(ports), app, reservation.id, policy, framework);
  }
  for (size_t i = 0; i < reservation.volumes.size() && i < placement.volumes.size(); ++i) {
    const PlacedScalar& placed = placement.volumes[i];
    *first.mutable_reserve()->add_resources() = take(placed);
    *second.mutable_create()->add_volumes() = make_volume(take(placed), reservation.volumes[i], app.id, policy);
  }
  return {std::move(first), std::move(second)};
}

bool is_new_reservation(const Instance& instance) {
  return instance.reservation && instance.reservation->id == instance.task_id;
}

std::vector<pb::Resource> launch_resources(const App& app, const Instance& instance, const Placement& placement,
                                           const Offer& offer, const Policy& policy, const std::string& framework) {
  std::vector<pb::Resource> out;
  const bool fresh = is_new_reservation(instance);
  const auto ours = [&](pb::Resource resource) {
    return fresh ? reserved(std::move(resource), app, instance.reservation->id, policy, framework) : resource;
  };
  const auto take = [&](const PlacedScalar& placed) { return ours(part_of(offer, placed)); };
  for (const PlacedScalar& placed : placement.scalars) {
    if (placed.amount > 0) out.push_back(take(placed));
  }
  for (size_t i = 0; fresh && i < instance.reservation->volumes.size() && i < placement.volumes.size(); ++i) {
    out.push_back(make_volume(take(placement.volumes[i]), instance.reservation->volumes[i], app.id, policy));
  }
  for (pb::Resource& ports : ports_of(offer, placement)) out.push_back(ours(std::move(ports)));
  return out;
}

std::optional<Placement> match_reserved(Offer& offer, const App& app, const Instance& instance, const MatchPolicy& policy,
                                        base::Time now, base::Random& random, Reject& reject) {
  const auto refuse = [&](Reject why) {
    reject = why;
    return std::optional<Placement>();
  };
  const auto found = held_for(offer, instance);
  if (found == offer.reserved.end()) return refuse(Reject::NoCorrespondingReservationFound);
  if (in_maintenance(offer, policy, now)) return refuse(Reject::AgentMaintenance);
  Placement placement;
  const Demand wanted = demand_of(app);
  std::map<std::string, int64_t> missing{{"cpus", wanted.cpus}, {"mem", wanted.mem}, {"disk", wanted.disk}, {"gpus", wanted.gpus}};
  size_t volumes = 0;
  for (const int index : found->second) {
    const pb::Resource& resource = offer.message->resources(index);
    const int64_t amount = thousandths(resource.scalar().value());
    if (resource.disk().has_persistence()) {
      ++volumes;
      if (!base::planted("marathon/launches-without-volumes")) placement.scalars.push_back({index, amount});
      continue;
    }
    const auto need = missing.find(resource.name());
    if (need == missing.end() || resource.disk().has_source()) continue;
    const int64_t part = std::min(need->second, amount);
    if (part > 0) placement.scalars.push_back({index, part});
    need->second -= part;
  }
  if (volumes != instance.reservation->volumes.size()) return refuse(Reject::NoCorrespondingReservationFound);
  if (missing["cpus"] > 0) return refuse(Reject::InsufficientCpus);
  if (missing["mem"] > 0) return refuse(Reject::InsufficientMemory);
  if (missing["disk"] > 0) return refuse(Reject::InsufficientDisk);
  if (missing["gpus"] > 0) return refuse(Reject::InsufficientGpus);
  if (!place_own_ports(offer, app, found->second, random, placement)) return refuse(Reject::InsufficientPorts);
  offer.reserved.erase(found);
  return placement;
}

std::vector<Operation> release(const Offer& offer, const std::string& reservation, base::Random& random) {
  Operation destroy, unreserve;
  destroy.set_type(Operation::DESTROY);
  unreserve.set_type(Operation::UNRESERVE);
  const std::string suffix = fmt::format("{}.{}", reservation, random.uuid());
  destroy.mutable_id()->set_value(std::string(kDestroy) + suffix);
  unreserve.mutable_id()->set_value(std::string(kUnreserve) + suffix);
  for (const int index : offer.reserved.at(reservation)) {
    pb::Resource resource = offer.message->resources(index);
    if (resource.disk().has_persistence()) {
      *destroy.mutable_destroy()->add_volumes() = resource;
      resource.mutable_disk()->clear_persistence();
      resource.mutable_disk()->clear_volume();
      resource.clear_shared();
      if (!resource.disk().has_source()) resource.clear_disk();
    }
    *unreserve.mutable_unreserve()->add_resources() = std::move(resource);
  }
  std::vector<Operation> out;
  if (destroy.destroy().volumes_size() > 0) out.push_back(std::move(destroy));
  out.push_back(std::move(unreserve));
  return out;
}

bool may_release(const State& state) { return !state.records_missing; }

Instance* find_reservation(State& state, const std::string& reservation) {
  // The reservation is named after the instance's first task.
  const auto name = parse_task_id(reservation);
  if (!name) return nullptr;
  for (auto& [app, run] : state.apps) {
    const auto it = run.instances.find(name->instance);
    if (it == run.instances.end()) continue;
    return it->second.reservation && it->second.reservation->id == reservation ? &it->second : nullptr;
  }
  return nullptr;
}

void give_back(Turn& turn, Instance& instance) {
  if (!instance.reservation) return;
  const std::string id = instance.reservation->id;
  instance.reservation.reset();
  turn.state.releases[id] = turn.now.time;
  turn.state.demand = true;
  commit(turn, {{release_key(id), base::render_iso8601(turn.now.time)}});
}

void forget_old_releases(Turn& turn) {
  std::vector<Write> writes;
  for (auto it = turn.state.releases.begin(); it != turn.state.releases.end();) {
    if (turn.now.time - it->second < kReleasePatience) {
      ++it;
      continue;
    }
    turn.out.trace(TraceLevel::Warning, fmt::format("the resources reserved as {} have not come back in time: they are "
                                                    "given back whenever they are offered", it->first));
    writes.push_back({release_key(it->first), std::nullopt});
    it = turn.state.releases.erase(it);
  }
  if (!writes.empty()) commit_later(turn, std::move(writes));
}

void on_operation_status(Turn& turn, const pb::OperationStatus& status) {
  if (status.has_uuid() && turn.state.subscribed) {
    auto call = std::make_shared<pb::scheduler::Call>();
    call->set_type(pb::scheduler::Call::ACKNOWLEDGE_OPERATION_STATUS);
    auto& ack = *call->mutable_acknowledge_operation_status();
    if (status.has_agent_id()) *ack.mutable_agent_id() = status.agent_id();
    *ack.mutable_operation_id() = status.operation_id();
    ack.set_uuid(status.uuid().value());
    turn.out.send(std::move(call));
  }
  const std::string& id = status.operation_id().value();
  const bool unreserved = id.starts_with(kUnreserve);
  if ((!unreserved && !id.starts_with(kDestroy)) || status.state() == pb::OPERATION_PENDING) return;
  if (status.state() == pb::OPERATION_FINISHED) {
    if (!unreserved) return;
    const std::string reservation = id.substr(kUnreserve.size(), id.rfind('.') - kUnreserve.size());
    turn.state.releases.erase(reservation);
    commit_later(turn, {{release_key(reservation), std::nullopt}});
    return;
  }
  turn.out.trace(TraceLevel::Warning, fmt::format("{} on agent {} ended as {}: {}", id, status.agent_id().value(),
                                                  pb::OperationState_Name(status.state()), status.message()));
  turn.state.demand = true;  // with the next offers again
}

}  // namespace marathon
