// Calls of operators that change something. Answered when the change is durable.

#include <fmt/core.h>

#include "base/testing/planted.hpp"
#include "kernel/api/internal/registry.pb.h"
#include "kernel/master/core.hpp"
#include "kernel/master/quota.hpp"
#include "kernel/resources/roles.hpp"

namespace master {

using mesos::v1::master::Call;
using Operation_ = mesos::v1::Offer::Operation;

void Core::handle(OperatorCallReceived& event) {
  Call& call = event.call;
  const CallId id = event.call_id;
  Operation_ operation;
  if (forbids(call, event.principal)) return out_->reply(id, 403);
  switch (call.type()) {
    case Call::TEARDOWN: return teardown(id, call.teardown().framework_id().value());
    case Call::MARK_AGENT_GONE: return mark_gone(id, call.mark_agent_gone().agent_id().value());
    case Call::UPDATE_WEIGHTS: return update_weights(id, call.update_weights());
    case Call::UPDATE_QUOTA: return update_quota(id, call.update_quota());
    case Call::SET_QUOTA: return set_quota(id, call.set_quota().quota_request());
    case Call::REMOVE_QUOTA: return remove_quota(id, call.remove_quota().role());
    case Call::DRAIN_AGENT: return drain(id, call.drain_agent());
    case Call::DEACTIVATE_AGENT: return set_deactivated(id, call.deactivate_agent().agent_id().value(), true);
    case Call::REACTIVATE_AGENT: return set_deactivated(id, call.reactivate_agent().agent_id().value(), false);
    case Call::RESERVE_RESOURCES:
      operation.set_type(Operation_::RESERVE);
      *operation.mutable_reserve()->mutable_source() = std::move(*call.mutable_reserve_resources()->mutable_source());
      *operation.mutable_reserve()->mutable_resources() = std::move(*call.mutable_reserve_resources()->mutable_resources());
      return convert_as_operator(event, call.reserve_resources().agent_id().value(), std::move(operation));
    case Call::UNRESERVE_RESOURCES:
      operation.set_type(Operation_::UNRESERVE);
      *operation.mutable_unreserve()->mutable_resources() =
          std::move(*call.mutable_unreserve_resources()->mutable_resources());
      return convert_as_operator(event, call.unreserve_resources().agent_id().value(), std::move(operation));
    case Call::CREATE_VOLUMES:
      operation.set_type(Operation_::CREATE);
      *operation.mutable_create()->mutable_volumes() = std::move(*call.mutable_create_volumes()->mutable_volumes());
      return convert_as_operator(event, call.create_volumes().agent_id().value(), std::move(operation));
    case Call::DESTROY_VOLUMES:
      operation.set_type(Operation_::DESTROY);
      *operation.mutable_destroy()->mutable_volumes() = std::move(*call.mutable_destroy_volumes()->mutable_volumes());
      return convert_as_operator(event, call.destroy_volumes().agent_id().value(), std::move(operation));
    case Call::GROW_VOLUME:
      operation.set_type(Operation_::GROW_VOLUME);
      *operation.mutable_grow_volume()->mutable_volume() = call.grow_volume().volume();
      *operation.mutable_grow_volume()->mutable_addition() = call.grow_volume().addition();
      return convert_as_operator(event, call.grow_volume().agent_id().value(), std::move(operation));
    case Call::SHRINK_VOLUME:
      operation.set_type(Operation_::SHRINK_VOLUME);
      *operation.mutable_shrink_volume()->mutable_volume() = call.shrink_volume().volume();
      *operation.mutable_shrink_volume()->mutable_subtract() = call.shrink_volume().subtract();
      return convert_as_operator(event, call.shrink_volume().agent_id().value(), std::move(operation));
    case Call::UPDATE_MAINTENANCE_SCHEDULE: return update_schedule(id, call.update_maintenance_schedule().schedule());
    case Call::START_MAINTENANCE: return start_maintenance(id, call.start_maintenance());
    case Call::STOP_MAINTENANCE: return stop_maintenance(id, call.stop_maintenance());
    default: break;
  }
  out_->reply(id, 501, fmt::format("The call {} is not supported", Call::Type_Name(call.type())));
}

void Core::teardown(CallId call, const FrameworkId& id) {
  Framework* framework = find_framework(id);
  if (framework == nullptr) return out_->reply(call, 400, "No framework found with specified ID");
  if (framework->connection != 0) {
    mesos::v1::scheduler::Event event;
    event.set_type(mesos::v1::scheduler::Event::ERROR);
    event.mutable_error()->set_message("Framework has been removed by an operator");
    send_event(*framework, std::move(event));
  }
  count(Metric::MessagesUnregisterFramework);
  remove_framework(*framework, "an operator tore it down");
  out_->reply(call, 200);
}

void Core::mark_gone(CallId call, const AgentId& id) {
  if (state_.gone_agents.count(id)) return out_->reply(call, 200);
  Agent* agent = find_agent(id);
  const auto recovered = state_.recovered_agents.find(id);
  const bool away = agent == nullptr;
  if (away && recovered == state_.recovered_agents.end() && !state_.unreachable_agents.count(id)) {
    return out_->reply(call, 404, "Agent '" + id + "' not found");
  }
  const bool leaving_already = away ? recovered != state_.recovered_agents.end() && recovered->second.marking_unreachable
                                    : agent->marking_unreachable || agent->marking_gone || agent->leaving;
  if (agent != nullptr && agent->marking_gone) {
    return out_->reply(call, 503, "Agent '" + id + "' is already being transitioned to gone");
  }
  if (reregistering_.count(id) || leaving_already) return out_->reply(call, 503, "Agent is currently in transition; try again");
  // One change of its record at a time, also of one that is away: neither its return nor its timeout may overtake this.
  if (away) {
    reregistering_.insert(id);
  } else {
    agent->marking_gone = true;
  }
  link::RegistryGoneAgent record;
  record.mutable_id()->set_value(id);
  record.mutable_timestamp()->set_nanoseconds(now_.time.nanos());
  persist({Write{"agents/" + id, std::nullopt}, Write{"unreachable/" + id, std::nullopt},
           Write{"gone/" + id, record.SerializeAsString()}},
          [this, call, id, away](const base::Status& done) {
            Agent* leaving = find_agent(id);
            if (away) reregistering_.erase(id);
            if (!done) {
              if (leaving) {
                leaving->marking_gone = false;
                call == 0 ? retry_drained(*leaving, done.error().message) : check_drained(*leaving);
              }
              return out_->reply(call, 500, "The registry could not be written: " + done.error().message);
            }
            state_.gone_agents[id] = now_.time;
            state_.recovered_agents.erase(id);
            state_.unreachable_agents.erase(id);
            if (leaving != nullptr) {
              if (leaving->connected) {
                link::MasterMessage order;
                order.mutable_shutdown()->set_message("Agent has been marked gone");
                out_->send(leaving->link, std::move(order));
              }
              remove_agent(*leaving, Departure::Gone, "an operator marked it gone");
            }
            end_unreachable_tasks(id);
            out_->reply(call, 200);
          });
}

void Core::end_unreachable_tasks(const AgentId& agent) {
  for (const auto& [framework_id, framework] : state_.frameworks) {
    std::vector<TaskId> ended;
    for (const auto& [id, task] : framework->unreachable_tasks) {
      if (task->proto->agent_id().value() == agent) ended.push_back(id);
    }
    for (const TaskId& id : ended) {
      Task& task = *framework->unreachable_tasks[id];
      const bool aware = framework->capabilities.partition_aware;
      TaskStatus status =
          make_status(id, aware ? mesos::v1::TASK_GONE_BY_OPERATOR : mesos::v1::TASK_LOST, "Agent marked gone",
                      aware ? TaskStatus::REASON_AGENT_REMOVED_BY_OPERATOR : TaskStatus::REASON_AGENT_REMOVED);
      status.mutable_agent_id()->set_value(agent);
      update_task(task, status, std::nullopt);
      send_status(*framework, std::move(status));
      complete_task(*framework, *task.proto);
      framework->unreachable_tasks.erase(id);
    }
  }
}

void Core::update_weights(CallId call, const Call::UpdateWeights& request) {
  std::map<std::string, double> weights;
  std::vector<Write> writes;
  for (const auto& info : request.weight_infos()) {
    if (auto role = resources::validate_role(info.role()); !role) {
      return out_->reply(call, 400, "Failed to validate update weights request JSON: Invalid role '" + info.role() + "': " +
                                        role.error().message);
    }
    if (!(info.weight() > 0) || info.weight() > 1e9) {
      return out_->reply(call, 400,
                         fmt::format("Failed to validate update weights request JSON for role '{}': Invalid weight '{}': Weights must "
                                     "be positive",
                                     info.role(), info.weight()));
    }
    if (policy_.roles && !policy_.roles->count(info.role())) {
      return out_->reply(call, 400, "Failed to validate update weights request JSON: Unknown role '" + info.role() + "'");
    }
    weights[info.role()] = info.weight();
    link::RegistryWeight record;
    *record.mutable_info() = info;
    writes.push_back({"weights/" + info.role(), record.SerializeAsString()});
  }
  persist(std::move(writes), [this, call, weights](const base::Status& done) {
    if (!done) return out_->reply(call, 500, "The registry could not be written: " + done.error().message);
    for (const auto& [role, weight] : weights) state_.weights[role] = weight;
    allocator_->update_weights(weights);
    want_allocation();
    out_->reply(call, 200);
  });
}

void Core::store_quotas(CallId call, std::vector<mesos::v1::quota::QuotaConfig> configs) {
  std::vector<Write> writes;
  for (const auto& config : configs) {
    link::RegistryQuota record;
    *record.mutable_config() = config;
    writes.push_back({"quotas/" + config.role(),
                      is_empty(config) ? std::nullopt : std::optional(record.SerializeAsString())});
  }
  persist(std::move(writes), [this, call, configs](const base::Status& done) {
    if (!done) return out_->reply(call, 500, "The registry could not be written: " + done.error().message);
    for (const auto& config : configs) {
      auto quota = parse_quota(config);
      if (!quota) continue;
      if (auto set = allocator_->set_quota(config.role(), *quota); !set) return out_->reply(call, 400, set.error().message);
      if (is_empty(config)) {
        state_.quotas.erase(config.role());
      } else {
        state_.quotas[config.role()] = config;
      }
      rescind_for_limit(config.role(), quota->limits);
      rescind_for_guarantee(config.role(), quota->guarantees);
    }
    allocator_->touch_all();
    want_allocation();
    out_->reply(call, 200);
  });
}

/// The guarantees of all roles as they will be with `changed`.
base::Result<allocator::ResourceQuantities> Core::guarantees_with(const std::vector<mesos::v1::quota::QuotaConfig>& changed) const {
  auto quotas = state_.quotas;
  for (const auto& config : changed) quotas[config.role()] = config;
  return total_guarantees(quotas);
}

void Core::update_quota(CallId call, const Call::UpdateQuota& request) {
  std::vector<mesos::v1::quota::QuotaConfig> configs(request.quota_configs().begin(), request.quota_configs().end());
  for (const auto& config : configs) {
    if (policy_.roles && !policy_.roles->count(config.role())) {
      return out_->reply(call, 400, "Invalid QuotaConfig: '" + config.role() + "' is not on the roles whitelist");
    }
    auto quota = parse_quota(config);
    if (!quota) return out_->reply(call, 400, "Invalid QuotaConfig: " + quota.error().message);
    // Offers do not stand in the way: they are taken back.
    const auto used = consumed_quota(config.role()) - offered_within(config.role());
    if (!request.force() && !quota->limits.allow(used)) {
      return out_->reply(call, 400,
                         fmt::format("Invalid QuotaConfig: Role '{}' is already consuming '{}'; this is more than the requested "
                                     "limits (use 'force' flag to bypass this check)",
                                     config.role(), used.text()));
    }
  }
  const auto guarantees = guarantees_with(configs);
  if (!guarantees) return out_->reply(call, 400, "Invalid QuotaConfig: " + guarantees.error().message);
  const allocator::ResourceQuantities cluster = allocator_->total_quantities();
  if (!request.force() && !cluster.contains(*guarantees)) {
    return out_->reply(call, 400,
                       fmt::format("Invalid QuotaConfig: total quota guarantees '{}' exceed cluster capacity '{}' (use 'force' flag "
                                   "to bypass this check)",
                                   guarantees->text(), cluster.text()));
  }
  store_quotas(call, std::move(configs));
}

namespace {

/// What a request of old may ask for.
std::optional<std::string> refuse_guarantees(const google::protobuf::RepeatedPtrField<mesos::v1::Resource>& guarantees) {
  if (guarantees.empty()) return "QuotaInfo with empty 'guarantee'";
  std::set<std::string> names;
  for (const auto& resource : guarantees) {
    if (resource.has_reservation() || resource.reservations_size() > 0) return "QuotaInfo must not contain any ReservationInfo";
    if (resource.has_disk()) return "QuotaInfo must not contain DiskInfo";
    if (resource.has_revocable()) return "QuotaInfo must not contain RevocableInfo";
    if (resource.type() != mesos::v1::Value::SCALAR) return "QuotaInfo must not include non-scalar resources";
    if (!names.insert(resource.name()).second) return "QuotaInfo contains duplicate resource name '" + resource.name() + "'";
  }
  return std::nullopt;
}

}  // namespace

void Core::set_quota(CallId call, const mesos::v1::quota::QuotaRequest& request) {
  const auto refuse = [&](const std::string& why) { out_->reply(call, 400, "Failed to validate set quota request: " + why); };
  mesos::v1::quota::QuotaConfig config;
  config.set_role(request.role());
  if (const auto why = refuse_guarantees(request.guarantee())) return refuse(*why);
  for (const auto& resource : request.guarantee()) {
    (*config.mutable_guarantees())[resource.name()].set_value(resource.scalar().value());
    (*config.mutable_limits())[resource.name()].set_value(resource.scalar().value());
  }
  if (auto quota = parse_quota(config); !quota) return refuse(quota.error().message);
  if (policy_.roles && !policy_.roles->count(config.role())) return refuse("Unknown role '" + config.role() + "'");
  if (state_.quotas.count(config.role())) return refuse("Cannot set quota for role '" + config.role() + "' which already has quota");
  const auto guarantees = guarantees_with({config});
  if (!guarantees) return refuse(guarantees.error().message);
  const allocator::ResourceQuantities cluster = allocator_->total_quantities();
  if (!request.force() && !cluster.contains(*guarantees)) {
    return out_->reply(call, 409,
                       fmt::format("Quota guarantees overcommit the cluster (use 'force' to bypass this check): Total quota guarantees "
                                   "'{}' exceed cluster capacity '{}'",
                                   guarantees->text(), cluster.text()));
  }
  store_quotas(call, {std::move(config)});
}

void Core::remove_quota(CallId call, const std::string& role) {
  if (!state_.quotas.count(role)) {
    return out_->reply(call, 400, "Failed to remove quota: Role '" + role + "' has no quota set");
  }
  mesos::v1::quota::QuotaConfig config;
  config.set_role(role);
  store_quotas(call, {std::move(config)});
}

/// One change of an agent's record at a time: each is worked out from what is in memory, where a change that is still being
/// written is not to be seen, and would undo it.
bool Core::in_transition(const Agent& agent) const {
  return agent.changing_record || agent.leaving || agent.marking_gone || agent.marking_unreachable || reregistering_.count(agent.id) > 0;
}

void Core::set_deactivated(CallId call, const AgentId& id, bool deactivated) {
  Agent* agent = find_agent(id);
  if (agent == nullptr) return change_away(call, id, deactivated, std::nullopt);
  if (!deactivated && !agent->deactivated) return out_->reply(call, 400, "Agent is not deactivated");
  if (!deactivated && agent->drain && agent->drain->state() == mesos::v1::DRAINING) {
    return out_->reply(call, 400, "Agent is still in the DRAINING state");
  }
  if (in_transition(*agent)) return out_->reply(call, 503, "Agent is currently in transition; try again");
  agent->changing_record = true;
  persist({write_agent(*agent->info, deactivated, deactivated ? agent->drain : std::nullopt, agent->drain_started)},
          [this, call, id, deactivated](const base::Status& done) {
            Agent* found = find_agent(id);
            if (found != nullptr) found->changing_record = false;
            if (!done) return out_->reply(call, 500, "The registry could not be written: " + done.error().message);
            if (found == nullptr) return out_->reply(call, 409, "Agent removed while processing the call");
            found->deactivated = deactivated;
            if (!deactivated) found->drain.reset();
            found->active = found->connected && !deactivated;
            if (found->active) {
              allocator_->activate_agent(id);
              want_allocation();
            } else {
              allocator_->deactivate_agent(id);
              rescind_all(*found);
            }
            out_->reply(call, 200);
            check_drained(*found);
          });
}

/// Of an agent that is not here now: written down, and done when it comes back. `drain`: what is asked for now.
void Core::change_away(CallId call, const AgentId& id, bool deactivated, std::optional<mesos::v1::DrainInfo> drain) {
  const auto recovered = state_.recovered_agents.find(id);
  const auto unreachable = state_.unreachable_agents.find(id);
  const bool known = recovered != state_.recovered_agents.end();
  if (!known && unreachable == state_.unreachable_agents.end()) {
    return out_->reply(call, 400, deactivated ? "Unknown agent" : "Agent is not deactivated");
  }
  // A return that is being written decides first, as does a departure; neither begins while this is written.
  if (reregistering_.count(id) || (known && recovered->second.marking_unreachable)) {
    return out_->reply(call, 503, "Agent is currently in transition; try again");
  }
  UnreachableAgent changed;
  if (!known) changed = unreachable->second;
  const auto& drain_now = known ? recovered->second.drain : unreachable->second.drain;
  if (!deactivated && !(known ? recovered->second.deactivated : unreachable->second.deactivated)) {
    return out_->reply(call, 400, "Agent is not deactivated");
  }
  if (!deactivated && drain_now && drain_now->state() == mesos::v1::DRAINING) {
    return out_->reply(call, 400, "Agent is still in the DRAINING state");
  }
  changed.deactivated = deactivated;
  changed.drain_started = drain ? now_.time : known ? recovered->second.drain_started : unreachable->second.drain_started;
  changed.drain = !deactivated ? std::nullopt : drain ? drain : drain_now;
  reregistering_.insert(id);
  persist({known ? write_agent(*recovered->second.info, deactivated, changed.drain, changed.drain_started)
                 : write_unreachable(id, changed)},
          [this, call, id, changed](const base::Status& done) {
            reregistering_.erase(id);
            if (!done) return out_->reply(call, 500, "The registry could not be written: " + done.error().message);
            const auto set = [&](auto& away) {
              away.deactivated = changed.deactivated;
              away.drain = changed.drain;
              away.drain_started = changed.drain_started;
            };
            if (base::planted("master/forgets-orders-for-the-away")) return out_->reply(call, 200);
            if (const auto back = state_.recovered_agents.find(id); back != state_.recovered_agents.end()) set(back->second);
            if (const auto away = state_.unreachable_agents.find(id); away != state_.unreachable_agents.end()) set(away->second);
            out_->reply(call, 200);
          });
}

void Core::drain(CallId call, const Call::DrainAgent& request) {
  Agent* agent = find_agent(request.agent_id().value());
  if (agent != nullptr) {
    if (agent->marking_gone) return out_->reply(call, 409, "Agent is currently being marked gone");
    if (agent->unavailability) {
      return out_->reply(call, 400, fmt::format("Agent {} is part of a maintenance schedule under Machine {}", agent->id,
                                                agent->info->hostname()));
    }
    if (!agent->capabilities.draining) return out_->reply(call, 400, "Agent " + agent->id + " is not capable of draining");
    if (in_transition(*agent)) return out_->reply(call, 503, "Agent is currently in transition; try again");
  }
  mesos::v1::DrainInfo drain;
  drain.set_state(mesos::v1::DRAINING);
  if (request.has_max_grace_period()) {
    const auto& grace = request.max_grace_period();
    if (grace.seconds() < 0 || grace.seconds() > 10LL * 365 * 24 * 3600 || grace.nanos() < 0) {
      return out_->reply(call, 400, "'max_grace_period' must be non-negative and at most ten years");
    }
    drain.mutable_config()->mutable_max_grace_period()->set_nanoseconds(grace.seconds() * 1'000'000'000 + grace.nanos());
  }
  drain.mutable_config()->set_mark_gone(request.mark_gone());
  if (agent == nullptr) return change_away(call, request.agent_id().value(), true, drain);
  const base::Time started = now_.time;
  agent->changing_record = true;
  persist({write_agent(*agent->info, true, drain, started)},
          [this, call, drain, started, id = agent->id](const base::Status& done) {
            Agent* found = find_agent(id);
            if (found != nullptr) found->changing_record = false;
            if (!done) return out_->reply(call, 500, "The registry could not be written: " + done.error().message);
            if (found == nullptr) return out_->reply(call, 409, "Agent removed while processing the call");
            found->drain = drain;
            found->drain_started = started;
            found->deactivated = true;
            found->active = false;
            allocator_->deactivate_agent(id);
            rescind_all(*found);
            if (found->connected) {
              link::MasterMessage order;
              *order.mutable_drain()->mutable_config() = drain.config();
              out_->send(found->link, std::move(order));
            }
            out_->reply(call, 200);
            check_drained(*found);
          });
}

void Core::check_drained(Agent& agent) {
  if (!agent.drain || agent.drain->state() != mesos::v1::DRAINING) return;
  if (!agent.tasks.empty() || !agent.operations.empty()) return;
  if (in_transition(agent)) return;  // asked again when that is over: its write may not be overtaken
  if (agent.drain_timer != 0) return;
  if (agent.drain->config().mark_gone()) return mark_gone(0, agent.id);
  mesos::v1::DrainInfo drained = *agent.drain;
  drained.set_state(mesos::v1::DRAINED);
  agent.changing_record = true;
  persist({write_agent(*agent.info, agent.deactivated, drained, agent.drain_started)},
          [this, drained, id = agent.id](const base::Status& done) {
            Agent* found = find_agent(id);
            if (found == nullptr) return;
            found->changing_record = false;
            if (!done) return retry_drained(*found, done.error().message);
            found->drain = drained;
            info(fmt::format("agent {} has drained", id));
          });
}

void Core::retry_drained(Agent& agent, const std::string& why) {
  if (base::planted("master/gives-up-draining")) return;
  warning(fmt::format("agent {} has drained, but the registry cannot be written ({}): tried again in {}", agent.id, why,
                      base::render_duration(policy_.registry_retry)));
  agent.drain_timer = start_timer(policy_.registry_retry, [this, id = agent.id] {
    Agent* found = find_agent(id);
    if (found == nullptr) return;
    found->drain_timer = 0;
    check_drained(*found);
  });
}

}  // namespace master
