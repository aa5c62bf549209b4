#include "tests/sim/sim_operator.hpp"

#include <fmt/format.h>

#include "kernel/resources/proto.hpp"

namespace sim {

namespace {

mesos::v1::Resource reserved_scalar(const char* name, double amount, const std::string& role) {
  mesos::v1::Resource out;
  out.set_name(name);
  out.set_type(mesos::v1::Value::SCALAR);
  out.mutable_scalar()->set_value(amount);
  auto& reservation = *out.add_reservations();
  reservation.set_type(mesos::v1::Resource::ReservationInfo::DYNAMIC);
  reservation.set_role(role);
  return out;
}

}  // namespace

SimOperator::SimOperator(World& world, SimMaster& master, PromiseChecker& promises, OperatorHabits habits)
    : world_(world), master_(master), promises_(promises), habits_(std::move(habits)) {}

void SimOperator::send(Call call, const std::string& key, const std::string& value) {
  ++calls_;
  if (!key.empty()) {
    busy_[key] = master_.crashes();
    promises_.asked(key, value);
  }
  const uint64_t life = master_.crashes();
  master_.operate(std::move(call), [this, key, value, life](int status, const std::string&) {
    if (key.empty()) return;
    const auto found = busy_.find(key);
    if (found == busy_.end() || found->second != life) return;
    busy_.erase(found);
    if (status == 200 || status == 202) promises_.told(key, value);
    else promises_.refused(key, value);
  });
}

const std::string* SimOperator::choose_agent() {
  const auto& agents = master_.core().state().agents;
  if (agents.empty()) return nullptr;
  auto at = agents.begin();
  std::advance(at, static_cast<int64_t>(world_.random().below(agents.size())));
  chosen_ = at->first;
  return &chosen_;
}

/// Every other time one that is not here now: of the registry and not back yet, or unreachable.
const std::string* SimOperator::choose_here_or_away() {
  const auto& state = master_.core().state();
  std::vector<std::string> away;
  for (const auto& [id, agent] : state.recovered_agents) away.push_back(id);
  for (const auto& [id, agent] : state.unreachable_agents) away.push_back(id);
  if (away.empty() || !world_.random().chance(0.5)) return choose_agent();
  chosen_ = world_.random().choose(away);
  return &chosen_;
}

void SimOperator::act() {
  if (!master_.up() || !master_.core().state().recovered) return;
  // What was asked of a process that died is not answered any more.
  std::erase_if(busy_, [&](const auto& entry) { return entry.second != master_.crashes(); });
  if (busy_.size() >= 2) return;
  std::vector<int> wanted;
  if (habits_.weights) wanted.push_back(0);
  if (habits_.quotas) wanted.push_back(1);
  if (habits_.reservations) wanted.insert(wanted.end(), {2, 2, 2});
  if (habits_.deactivation) wanted.push_back(3);
  if (habits_.draining) wanted.push_back(4);
  if (habits_.gone) wanted.push_back(5);
  if (habits_.maintenance) wanted.insert(wanted.end(), {6, 7, 8});
  if (wanted.empty()) return;
  const int what = world_.random().choose(wanted);
  if (what == 0) return change_weight();
  if (what == 1) return change_quota();
  if (what == 2) return change_resources();
  if (what == 6) return change_schedule();
  if (what == 8) {
    for (const auto& [key, machine] : master_.core().state().machines) {
      if (machine.mode() == mesos::v1::MachineInfo::DOWN) return bring_up(machine.id());
    }
    return;
  }
  const std::string* agent = what == 7 ? choose_agent() : choose_here_or_away();
  if (agent == nullptr) return;
  if (what == 3 || what == 4) return change_activation(*agent, what == 4);
  if (what == 5) return mark_gone(*agent);
  take_down(*agent);
}

void SimOperator::change_weight() {
  const std::string role = world_.random().choose(habits_.roles), key = "weight/" + role;
  if (!free(key)) return;
  Call call;
  call.set_type(Call::UPDATE_WEIGHTS);
  auto& info = *call.mutable_update_weights()->add_weight_infos();
  info.set_role(role);
  info.set_weight(0.5 + static_cast<double>(world_.random().below(8)) / 2);
  send(call, key, fmt::format("{}", info.weight()));
}

void SimOperator::change_quota() {
  const std::string role = world_.random().choose(habits_.roles), key = "quota/" + role;
  if (!free(key)) return;
  Call call;
  call.set_type(Call::UPDATE_QUOTA);
  call.mutable_update_quota()->set_force(true);
  auto& config = *call.mutable_update_quota()->add_quota_configs();
  config.set_role(role);
  if (world_.random().chance(0.7)) {
    (*config.mutable_limits())["cpus"].set_value(1 + static_cast<double>(world_.random().below(6)));
    if (world_.random().chance(0.5)) (*config.mutable_limits())["mem"].set_value(128);
  }
  send(call, key, quota_text(config));
}

/// Reserves disk and cpus, makes volumes of reserved disk, destroys and frees them.
void SimOperator::change_resources() {
  const std::string* agent = choose_agent();
  if (agent == nullptr) return;
  const auto& total = master_.core().state().agents.at(*agent)->total;
  const std::string role = world_.random().choose(habits_.roles);
  const auto reserved = total.reserved_to(role);
  const auto volumes = reserved.persistent_volumes();
  auto& random = world_.random();
  Call call;
  if (!volumes.empty() && random.chance(0.5)) {
    call.set_type(Call::DESTROY_VOLUMES);
    call.mutable_destroy_volumes()->mutable_agent_id()->set_value(*agent);
    *call.mutable_destroy_volumes()->add_volumes() = resources::to_proto(*volumes.begin(), resources::Format::Post);
    return send(call, "", "");
  }
  const bool of_cpus = random.chance(0.3);
  auto resource = reserved_scalar(of_cpus ? "cpus" : "disk", of_cpus ? 1 : 10, role);
  const double has = of_cpus ? reserved.cpus().value_or(0) : (reserved - volumes).disk_mb().value_or(0);
  if (has < resource.scalar().value()) {
    // Two cpus stay for everybody, so that every task fits somewhere.
    if (of_cpus && total.unreserved().cpus().value_or(0) < 3) return;
    call.set_type(Call::RESERVE_RESOURCES);
    call.mutable_reserve_resources()->mutable_agent_id()->set_value(*agent);
    *call.mutable_reserve_resources()->add_resources() = resource;
  } else if (of_cpus || random.chance(0.3)) {
    call.set_type(Call::UNRESERVE_RESOURCES);
    call.mutable_unreserve_resources()->mutable_agent_id()->set_value(*agent);
    *call.mutable_unreserve_resources()->add_resources() = resource;
  } else {
    resource.mutable_disk()->mutable_persistence()->set_id(fmt::format("v{}", next_volume_++));
    resource.mutable_disk()->mutable_volume()->set_container_path("data");
    resource.mutable_disk()->mutable_volume()->set_mode(mesos::v1::Volume::RW);
    call.set_type(Call::CREATE_VOLUMES);
    call.mutable_create_volumes()->mutable_agent_id()->set_value(*agent);
    *call.mutable_create_volumes()->add_volumes() = resource;
  }
  send(call, "", "");
}

void SimOperator::change_activation(const std::string& agent, bool drain) {
  const std::string key = "deactivated/" + agent;
  if (!free(key)) return;
  const auto& state = master_.core().state();
  const bool deactivated = !activation_of(state, agent).value_or("").empty();
  Call call;
  if (deactivated) {
    call.set_type(Call::REACTIVATE_AGENT);
    call.mutable_reactivate_agent()->mutable_agent_id()->set_value(agent);
  } else if (drain) {
    call.set_type(Call::DRAIN_AGENT);
    call.mutable_drain_agent()->mutable_agent_id()->set_value(agent);
    call.mutable_drain_agent()->mutable_max_grace_period()->set_seconds(1);
    const std::string gone = "gone/" + agent;
    if (habits_.gone && calls_ % 2 == 0 && free(gone) && state.agents.size() > habits_.agents_kept) {
      call.mutable_drain_agent()->set_mark_gone(true);
      drained_for_good_.insert(agent);
      promises_.forget(gone);
    }
  } else {
    call.set_type(Call::DEACTIVATE_AGENT);
    call.mutable_deactivate_agent()->mutable_agent_id()->set_value(agent);
  }
  send(call, key, deactivated ? "" : drain ? "drain" : "yes");
}

void SimOperator::mark_gone(const std::string& agent) {
  const std::string key = "gone/" + agent;
  const auto& state = master_.core().state();
  const size_t others = state.agents.size() + state.recovered_agents.size() - (state.unreachable_agents.count(agent) ? 0 : 1);
  if (!free(key) || others < habits_.agents_kept) return;
  if (drained_for_good_.count(agent)) return;
  Call call;
  call.set_type(Call::MARK_AGENT_GONE);
  call.mutable_mark_agent_gone()->mutable_agent_id()->set_value(agent);
  send(call, key, "yes");
}

void SimOperator::change_schedule() {
  if (!free("schedule")) return;
  const auto& state = master_.core().state();
  Call call;
  call.set_type(Call::UPDATE_MAINTENANCE_SCHEDULE);
  auto& schedule = *call.mutable_update_maintenance_schedule()->mutable_schedule();
  const auto add = [&](const mesos::v1::MachineID& machine) {
    auto& window = *schedule.add_windows();
    *window.add_machine_ids() = machine;
    window.mutable_unavailability()->mutable_start()->set_nanoseconds(world_.now().time.nanos() + 60'000'000'000);
  };
  for (const auto& [key, machine] : state.machines) {
    if (machine.mode() == mesos::v1::MachineInfo::DOWN) add(machine.id());  // these must stay
  }
  for (const auto& [id, agent] : state.agents) {
    if (!agent->connected || !world_.random().chance(0.4)) continue;
    mesos::v1::MachineID machine;
    machine.set_hostname(agent->info->hostname());
    machine.set_ip(agent->ip);
    add(machine);
  }
  send(call, "schedule", schedule_text(schedule));
}

void SimOperator::take_down(const std::string& id) {
  const auto& state = master_.core().state();
  const auto& agent = *state.agents.at(id);
  if (!free("schedule") || state.agents.size() <= habits_.agents_kept || !agent.unavailability) return;
  Call call;
  call.set_type(Call::START_MAINTENANCE);
  auto& machine = *call.mutable_start_maintenance()->add_machines();
  machine.set_hostname(agent.info->hostname());
  machine.set_ip(agent.ip);
  send(call, "schedule", schedule_text(state.schedule));
}

void SimOperator::bring_up(const mesos::v1::MachineID& machine) {
  if (!free("schedule")) return;
  Call call;
  call.set_type(Call::STOP_MAINTENANCE);
  *call.mutable_stop_maintenance()->add_machines() = machine;
  mesos::v1::maintenance::Schedule rest;
  for (const auto& window : master_.core().state().schedule.windows()) {
    for (const auto& each : window.machine_ids()) {
      if (each.hostname() != machine.hostname()) *rest.add_windows()->add_machine_ids() = each;
    }
  }
  send(call, "schedule", schedule_text(rest));
}

bool SimOperator::mend() {
  if (!master_.up() || !master_.core().state().recovered) return false;
  std::erase_if(busy_, [&](const auto& entry) { return entry.second != master_.crashes(); });
  const auto& state = master_.core().state();
  bool done = true;
  std::vector<std::string> deactivated, limited;
  for (const auto& [id, agent] : state.agents) {
    if (agent->deactivated) deactivated.push_back(id);
  }
  // Those that are away and drain do so when they come back.
  const auto add_away = [&](const auto& agents) {
    for (const auto& [id, agent] : agents) {
      if (agent.deactivated && !(agent.drain && agent.drain->state() == mesos::v1::DRAINING)) deactivated.push_back(id);
    }
  };
  add_away(state.recovered_agents);
  add_away(state.unreachable_agents);
  for (const auto& [role, config] : state.quotas) limited.push_back(role);
  const mesos::v1::MachineInfo* down = nullptr;
  for (const auto& [key, machine] : state.machines) {
    if (machine.mode() == mesos::v1::MachineInfo::DOWN) down = &machine;
  }
  if (down != nullptr) {
    done = false;
    bring_up(down->id());
  }
  for (const std::string& id : deactivated) {
    done = false;
    if (activation_of(state, id)) change_activation(id, false);
  }
  for (const std::string& role : limited) {
    done = false;
    if (!free("quota/" + role)) continue;
    Call call;
    call.set_type(Call::UPDATE_QUOTA);
    call.mutable_update_quota()->add_quota_configs()->set_role(role);
    send(call, "quota/" + role, "");
  }
  // What is away may be kept from being used when it comes back.
  return done && state.recovered_agents.empty() && state.unreachable_agents.empty();
}

}  // namespace sim
