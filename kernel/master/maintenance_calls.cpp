// Maintenance as operators ask for it, and the inverse offers that tell frameworks about it: one per framework and agent
// whose machine has a window, made again when the time that the framework asked for has passed.

#include <fmt/core.h>

#include "kernel/api/internal/registry.pb.h"
#include "kernel/master/core.hpp"
#include "kernel/resources/proto.hpp"

namespace master {

using mesos::v1::MachineInfo;
using mesos::v1::allocator::InverseOfferStatus;
using mesos::v1::master::Call;
using mesos::v1::maintenance::Schedule;
using SchedulerEvent = mesos::v1::scheduler::Event;

void Core::store_maintenance(CallId call, Schedule schedule, Machines machines, std::vector<AgentId> leaving) {
  link::RegistrySchedule record;
  *record.mutable_schedule() = schedule;
  std::vector<Write> writes{{"maintenance/schedule",
                             schedule.windows().empty() ? std::nullopt : std::optional(record.SerializeAsString())}};
  for (const auto& [key, info] : state_.machines) {
    if (!machines.count(key)) writes.push_back({"machines/" + key, std::nullopt});
  }
  for (const auto& [key, info] : machines) {
    link::RegistryMachine machine;
    *machine.mutable_info() = info;
    writes.push_back({"machines/" + key, machine.SerializeAsString()});
  }
  for (const AgentId& id : leaving) {
    writes.push_back({"agents/" + id, std::nullopt});
    find_agent(id)->leaving = true;
  }
  state_.changing_maintenance = true;
  persist(std::move(writes), [=, this](const base::Status& done) {
    state_.changing_maintenance = false;
    if (!done) {
      for (const AgentId& id : leaving) {
        Agent* agent = find_agent(id);
        if (agent == nullptr) continue;
        agent->leaving = false;
        check_drained(*agent);
      }
      return out_->reply(call, 500, "The registry could not be written: " + done.error().message);
    }
    state_.schedule = schedule;
    state_.machines = machines;
    out_->reply(call, 200);
    for (const AgentId& id : leaving) {
      if (Agent* agent = find_agent(id)) take_away(*agent);
    }
    take_away_late();
    for (const auto& [id, agent] : state_.agents) apply_maintenance(*agent);
  });
}

void Core::take_away(Agent& agent) {
  if (agent.connected) {
    link::MasterMessage order;
    order.mutable_shutdown()->set_message("Machine is `DOWN`");
    out_->send(agent.link, std::move(order));
  }
  publish_agent_removed(agent.id);
  remove_agent(agent, Departure::Gone, "an operator took its machine down");
}

/// Agents that came in while their machine was being taken down.
void Core::take_away_late() {
  std::vector<AgentId> late;
  std::vector<Write> writes;
  for (const auto& [id, agent] : state_.agents) {
    if (agent->leaving || !machine_is_down(agent->info->hostname(), agent->ip)) continue;
    agent->leaving = true;
    late.push_back(id);
    writes.push_back({"agents/" + id, std::nullopt});
  }
  if (late.empty()) return;
  persist(std::move(writes), [this, late](const base::Status& done) {
    for (const AgentId& id : late) {
      Agent* agent = find_agent(id);
      if (agent == nullptr) continue;
      agent->leaving = false;
      if (done) take_away(*agent);
    }
    if (done) return;
    warning(fmt::format("agents of machines that are down are still registered, because the registry cannot be written ({}): "
                        "tried again in {}",
                        done.error().message, base::render_duration(policy_.registry_retry)));
    start_timer(policy_.registry_retry, [this] { take_away_late(); });
  });
}

void Core::update_schedule(CallId call, const Schedule& schedule) {
  if (state_.changing_maintenance) return out_->reply(call, 503, "Another change of the maintenance is being written; try again");
  if (auto why = validate_schedule(schedule, state_.machines)) return out_->reply(call, 400, *why);
  store_maintenance(call, schedule, plan_machines(schedule, state_.machines), {});
}

void Core::start_maintenance(CallId call, const Call::StartMaintenance& request) {
  if (state_.changing_maintenance) return out_->reply(call, 503, "Another change of the maintenance is being written; try again");
  if (auto why = validate_machines(request.machines(), state_.machines, MachineInfo::DRAINING)) return out_->reply(call, 400, *why);
  Machines machines = state_.machines;
  for (const auto& id : request.machines()) machines[machine_key(id)].set_mode(MachineInfo::DOWN);
  std::vector<AgentId> leaving;
  for (const auto& [id, agent] : state_.agents) {
    const MachineInfo* machine = find_machine(machines, agent->info->hostname(), agent->ip);
    if (machine == nullptr || machine->mode() != MachineInfo::DOWN) continue;
    if (in_transition(*agent)) {
      return out_->reply(call, 503, "Agent " + id + " on one of the machines is currently in transition; try again");
    }
    leaving.push_back(id);
  }
  store_maintenance(call, state_.schedule, std::move(machines), std::move(leaving));
}

void Core::stop_maintenance(CallId call, const Call::StopMaintenance& request) {
  if (state_.changing_maintenance) return out_->reply(call, 503, "Another change of the maintenance is being written; try again");
  if (auto why = validate_machines(request.machines(), state_.machines, MachineInfo::DOWN)) return out_->reply(call, 400, *why);
  Machines machines = state_.machines;
  for (const auto& id : request.machines()) machines.erase(machine_key(id));
  store_maintenance(call, without_machines(state_.schedule, request.machines()), std::move(machines), {});
}

bool Core::machine_is_down(const std::string& hostname, const std::string& ip) const {
  const MachineInfo* machine = find_machine(state_.machines, hostname, ip);
  return machine != nullptr && machine->mode() == MachineInfo::DOWN;
}

/// Gives the agent the window of its machine; offers made without it are made again.
void Core::apply_maintenance(Agent& agent) {
  const MachineInfo* machine = find_machine(state_.machines, agent.info->hostname(), agent.ip);
  const bool planned = machine != nullptr && machine->has_unavailability();
  const bool same = planned == agent.unavailability.has_value() &&
                    (!planned || machine->unavailability().SerializeAsString() == agent.unavailability->SerializeAsString());
  if (same) return;
  agent.unavailability.reset();
  if (planned) agent.unavailability = machine->unavailability();
  agent.inverse_answers.clear();
  for (auto& [id, framework] : state_.frameworks) rescind_inverse(*framework, agent);
  rescind_all(agent);
  if (planned) {
    state_.planned_agents.insert(agent.id);
  } else {
    state_.planned_agents.erase(agent.id);
  }
  want_allocation();
}

void Core::make_inverse_offers() {
  std::map<FrameworkId, SchedulerEvent> events;
  std::optional<base::Instant> wake;
  for (const AgentId& id : state_.planned_agents) {
    Agent* agent = find_agent(id);
    if (agent == nullptr || !agent->connected || !agent->unavailability) continue;
    std::map<FrameworkId, Resources> used;
    for (const auto& [framework_id, tasks] : agent->tasks) {
      for (const auto& [task_id, task] : tasks) used[framework_id] += task->resources;
    }
    for (const auto& [framework_id, executors] : agent->executors) {
      for (const auto& [name, executor] : executors) used[framework_id] += executor.resources;
    }
    for (const auto& [framework_id, resources] : used) {
      Framework* framework = find_framework(framework_id);
      if (framework == nullptr || framework->connection == 0 || resources.empty() || agent->inverse_offers.count(framework_id)) continue;
      const auto filter = agent->inverse_filters.find(framework_id);
      if (filter != agent->inverse_filters.end() && filter->second > now_.instant) {
        wake = wake ? std::min(*wake, filter->second) : filter->second;
        continue;
      }
      mesos::v1::InverseOffer offer;
      offer.mutable_id()->set_value(fmt::format("{}-O{}", state_.master.id(), state_.next_offer++));
      offer.mutable_framework_id()->set_value(framework_id);
      offer.mutable_agent_id()->set_value(agent->id);
      *offer.mutable_url() = agent_url(*agent);
      *offer.mutable_unavailability() = *agent->unavailability;
      const auto format = framework->capabilities.reservation_refinement ? resources::Format::Post : resources::Format::Pre;
      resources::to_proto(resources, format, offer.mutable_resources());
      agent->inverse_offers[framework_id] = offer.id().value();
      SchedulerEvent& event = events[framework_id];
      event.set_type(SchedulerEvent::INVERSE_OFFERS);
      *event.mutable_inverse_offers()->add_inverse_offers() = offer;
      const OfferId offer_id = offer.id().value();
      state_.inverse_offers[offer_id] = std::make_shared<const mesos::v1::InverseOffer>(std::move(offer));
    }
  }
  for (auto& [id, event] : events) send_event(*find_framework(id), std::move(event));
  stop_timer(inverse_timer_);
  if (wake) {
    inverse_timer_ = start_timer(*wake - now_.instant, [this] {
      inverse_timer_ = 0;
      want_allocation();
    });
  }
}

void Core::rescind_inverse(Framework& framework, Agent& agent) {
  agent.inverse_filters.erase(framework.id);
  const auto found = agent.inverse_offers.find(framework.id);
  if (found == agent.inverse_offers.end()) return;
  SchedulerEvent event;
  event.set_type(SchedulerEvent::RESCIND_INVERSE_OFFER);
  event.mutable_rescind_inverse_offer()->mutable_inverse_offer_id()->set_value(found->second);
  send_event(framework, std::move(event));
  state_.inverse_offers.erase(found->second);
  agent.inverse_offers.erase(found);
}

/// The framework's outstanding ones end without a word, as its offers do when it goes.
void Core::forget_inverse(const Framework& framework) {
  for (const AgentId& id : state_.planned_agents) {
    Agent* agent = find_agent(id);
    if (agent == nullptr) continue;
    const auto found = agent->inverse_offers.find(framework.id);
    if (found == agent->inverse_offers.end()) continue;
    state_.inverse_offers.erase(found->second);
    agent->inverse_offers.erase(found);
  }
}

void Core::answer_inverse(Framework& framework, const google::protobuf::RepeatedPtrField<mesos::v1::OfferID>& ids, bool accepted,
                          const mesos::v1::Filters& filters) {
  for (const auto& id : ids) {
    const auto found = state_.inverse_offers.find(id.value());
    if (found == state_.inverse_offers.end() || found->second->framework_id().value() != framework.id) continue;
    Agent* agent = find_agent(found->second->agent_id().value());
    state_.inverse_offers.erase(found);
    if (agent == nullptr) continue;
    agent->inverse_offers.erase(framework.id);
    InverseOfferStatus& status = agent->inverse_answers[framework.id];
    status.set_status(accepted ? InverseOfferStatus::ACCEPT : InverseOfferStatus::DECLINE);
    status.mutable_framework_id()->set_value(framework.id);
    status.mutable_timestamp()->set_nanoseconds(now_.time.nanos());
    if (const auto wait = filter_duration(&filters)) agent->inverse_filters[framework.id] = now_.instant + *wait;
    want_allocation();
  }
}

void Core::revive_inverse(const Framework& framework) {
  for (const AgentId& id : state_.planned_agents) {
    if (Agent* agent = find_agent(id)) agent->inverse_filters.erase(framework.id);
  }
}

mesos::v1::maintenance::ClusterStatus Core::maintenance_status() const {
  mesos::v1::maintenance::ClusterStatus out;
  std::map<std::string, mesos::v1::maintenance::ClusterStatus::DrainingMachine*> draining;
  for (const auto& [key, info] : state_.machines) {
    if (info.mode() == MachineInfo::DOWN) {
      *out.add_down_machines() = info.id();
    } else {
      draining[key] = out.add_draining_machines();
      *draining[key]->mutable_id() = info.id();
    }
  }
  for (const AgentId& id : state_.planned_agents) {
    const auto agent = state_.agents.find(id);
    if (agent == state_.agents.end()) continue;
    const MachineInfo* machine = find_machine(state_.machines, agent->second->info->hostname(), agent->second->ip);
    const auto found = machine == nullptr ? draining.end() : draining.find(machine_key(machine->id()));
    if (found == draining.end()) continue;
    for (const auto& [framework_id, answer] : agent->second->inverse_answers) *found->second->add_statuses() = answer;
  }
  return out;
}

}  // namespace master
