// What must survive: one record per agent, weight and quota in the store. A decision that others rely on is acted upon
// when its record is durable, not before.

#include <fmt/core.h>

#include <algorithm>

#include "base/testing/planted.hpp"
#include "kernel/api/internal/registry.pb.h"
#include "kernel/master/core.hpp"
#include "kernel/master/quota.hpp"

namespace master {

namespace {

constexpr std::string_view kAgents = "agents/", kUnreachable = "unreachable/", kGone = "gone/", kWeights = "weights/",
                           kQuotas = "quotas/", kMachines = "machines/", kSchedule = "maintenance/schedule",
                           kMaster = "master";

/// The key without its prefix; nothing when the key has another.
std::optional<std::string> after(std::string_view key, std::string_view prefix) {
  if (key.substr(0, prefix.size()) != prefix) return std::nullopt;
  return std::string(key.substr(prefix.size()));
}

}  // namespace

void Core::persist(std::vector<Write> writes, std::function<void(const base::Status&)> then) {
  const Ticket ticket = next_ticket_++;
  tickets_[ticket] = std::move(then);
  out_->persist(ticket, std::move(writes));
  if (base::planted("master/answers-before-the-write")) std::exchange(tickets_[ticket], [](const base::Status&) {})({});
}

Write Core::write_master() const {
  link::RegistryMaster record;
  *record.mutable_info() = state_.master;
  record.set_next_agent_number(state_.next_agent);
  return {std::string(kMaster), record.SerializeAsString()};
}

Write Core::write_agent(const AgentInfo& info, bool deactivated, const std::optional<mesos::v1::DrainInfo>& drain,
                        base::Time drain_started) const {
  link::RegistryAgent record;
  *record.mutable_info() = info;
  record.set_deactivated(deactivated && !base::planted("master/forgets-deactivation"));
  if (drain) {
    *record.mutable_drain_info() = *drain;
    record.mutable_drain_start_time()->set_nanoseconds(drain_started.nanos());
  }
  return {std::string(kAgents) + info.id().value(), record.SerializeAsString()};
}

Write Core::write_unreachable(const AgentId& id, const UnreachableAgent& agent) const {
  link::RegistryUnreachableAgent record;
  record.mutable_id()->set_value(id);
  record.mutable_timestamp()->set_nanoseconds(agent.since.nanos());
  record.set_deactivated(agent.deactivated && !base::planted("master/forgets-deactivation"));
  if (agent.drain) *record.mutable_drain_info() = *agent.drain;
  record.mutable_drain_start_time()->set_nanoseconds(agent.drain_started.nanos());
  return {std::string(kUnreachable) + id, record.SerializeAsString()};
}

void Core::recover_entry(const Recovered::Entry& entry) {
  bool good = true;
  if (const auto id = after(entry.key, kAgents)) {
    link::RegistryAgent record;
    good = record.ParseFromString(entry.value) && record.info().id().value() == *id;
    if (good) {
      RecoveredAgent& agent = state_.recovered_agents[*id];
      agent.deactivated = record.deactivated();
      if (record.has_drain_info()) agent.drain = record.drain_info();
      agent.drain_started = base::Time{base::Duration(record.drain_start_time().nanoseconds())};
      agent.info = std::make_shared<const AgentInfo>(std::move(*record.mutable_info()));
    }
  } else if (const auto away = after(entry.key, kUnreachable)) {
    link::RegistryUnreachableAgent record;
    good = record.ParseFromString(entry.value);
    if (good) {
      UnreachableAgent& agent = state_.unreachable_agents[*away];
      agent.since = base::Time{base::Duration(record.timestamp().nanoseconds())};
      agent.deactivated = record.deactivated();
      if (record.has_drain_info()) agent.drain = record.drain_info();
      agent.drain_started = base::Time{base::Duration(record.drain_start_time().nanoseconds())};
    }
  } else if (const auto gone = after(entry.key, kGone)) {
    link::RegistryGoneAgent record;
    good = record.ParseFromString(entry.value);
    if (good) state_.gone_agents[*gone] = base::Time{base::Duration(record.timestamp().nanoseconds())};
  } else if (const auto role = after(entry.key, kWeights)) {
    link::RegistryWeight record;
    good = record.ParseFromString(entry.value) && record.info().weight() > 0;
    if (good) state_.weights[*role] = record.info().weight();
  } else if (const auto quota_role = after(entry.key, kQuotas)) {
    link::RegistryQuota record;
    good = record.ParseFromString(entry.value) && parse_quota(record.config()).has_value();
    if (good) state_.quotas[*quota_role] = record.config();
  } else if (const auto machine = after(entry.key, kMachines)) {
    link::RegistryMachine record;
    good = record.ParseFromString(entry.value) && machine_key(record.info().id()) == *machine;
    if (good) state_.machines[*machine] = record.info();
  } else if (entry.key == kSchedule) {
    link::RegistrySchedule record;
    good = record.ParseFromString(entry.value);
    if (good) state_.schedule = record.schedule();
  } else {
    good = entry.key == kMaster;
  }
  if (good) return;
  count(Metric::RegistryRecordsSetAside);
  out_->trace(TraceLevel::Error,
              fmt::format("the registry's record '{}' ({} bytes) cannot be read; it is left alone and ignored", entry.key,
                          entry.value.size()));
}

void Core::handle(Recovered& event) {
  state_.elected = now_.time;
  state_.started = event.started.value_or(now_.time);
  for (const Recovered::Entry& entry : event.entries) recover_entry(entry);
  std::vector<Write> writes{write_master()};
  if (state_.weights.empty() && !policy_.weights.empty()) {
    state_.weights = policy_.weights;
    for (const auto& [role, weight] : state_.weights) {
      link::RegistryWeight record;
      record.mutable_info()->set_role(role);
      record.mutable_info()->set_weight(weight);
      writes.push_back({std::string(kWeights) + role, record.SerializeAsString()});
    }
  }
  allocator_->update_weights(state_.weights);
  for (const auto& [role, config] : state_.quotas) {
    if (auto quota = parse_quota(config)) {
      if (auto set = allocator_->set_quota(role, *quota); !set) warning("quota of role " + role + ": " + set.error().message);
    }
  }
  hold_limited_roles();
  prove_registry(std::move(writes));
  out_->trace(TraceLevel::Info,
              fmt::format("recovered the registry: {} agents may come back, {} are unreachable, {} are gone",
                          state_.recovered_agents.size(), state_.unreachable_agents.size(), state_.gone_agents.size()));
  if (!state_.recovered_agents.empty()) start_timer(policy_.agent_reregister_timeout, [this] { on_recovery_timeout(); });
  start_timer(policy_.registry_gc_interval, [this] { collect_registry_garbage(); });
}

/// What roles with limits use is known only when the agents that run their tasks are back. A small part may stay away.
void Core::hold_limited_roles() {
  const bool limited = std::any_of(state_.quotas.begin(), state_.quotas.end(),
                                   [](const auto& entry) { return !entry.second.limits().empty(); });
  agents_awaited_ = limited ? static_cast<size_t>(policy_.recovery_factor * static_cast<double>(state_.recovered_agents.size())) : 0;
  if (agents_awaited_ == 0) return;
  allocator_->hold_limited_roles(true);
  recovery_timer_ = start_timer(policy_.recovery_timeout, [this] {
    recovery_timer_ = 0;
    release_limited_roles();
  });
  info(fmt::format("roles with a quota limit wait until {} of {} agents are back", agents_awaited_, state_.recovered_agents.size()));
}

void Core::release_limited_roles() {
  if (agents_awaited_ == 0) return;
  agents_awaited_ = 0;
  stop_timer(recovery_timer_);
  allocator_->hold_limited_roles(false);
  want_allocation();
}

/// The first write shows that the registry can be written; until then nobody is served.
void Core::prove_registry(std::vector<Write> writes) {
  persist(writes, [this, writes](const base::Status& done) {
    if (done) {
      state_.recovered = true;
    } else {
      start_timer(base::seconds(1), [this, writes] { prove_registry(writes); });
    }
  });
}

void Core::on_recovery_timeout() {
  std::vector<AgentId> missing;
  for (const auto& [id, agent] : state_.recovered_agents) missing.push_back(id);
  for (const AgentId& id : missing) {
    schedule_unreachable(id, "the agent did not reregister after the master started");
  }
}

void Core::collect_registry_garbage() {
  start_timer(policy_.registry_gc_interval, [this] { collect_registry_garbage(); });
  std::vector<Write> writes;
  std::vector<AgentId> unreachable, gone;
  const auto collect = [&](std::vector<std::pair<base::Time, AgentId>> by_age, std::string_view prefix,
                           std::vector<AgentId>& out) {
    std::sort(by_age.begin(), by_age.end());
    const size_t excess =
        by_age.size() > policy_.registry_max_agent_count ? by_age.size() - policy_.registry_max_agent_count : 0;
    for (size_t i = 0; i < by_age.size(); ++i) {
      if (i >= excess && now_.time - by_age[i].first <= policy_.registry_max_agent_age) break;
      writes.push_back({std::string(prefix) + by_age[i].second, std::nullopt});
      out.push_back(by_age[i].second);
    }
  };
  std::vector<std::pair<base::Time, AgentId>> ages;
  for (const auto& [id, agent] : state_.unreachable_agents) ages.emplace_back(agent.since, id);
  collect(std::move(ages), kUnreachable, unreachable);
  ages.clear();
  for (const auto& [id, since] : state_.gone_agents) ages.emplace_back(since, id);
  collect(std::move(ages), kGone, gone);
  if (writes.empty()) return;
  persist(std::move(writes), [this, unreachable, gone](const base::Status& done) {
    if (!done) return;
    for (const AgentId& id : unreachable) state_.unreachable_agents.erase(id);
    for (const AgentId& id : gone) state_.gone_agents.erase(id);
  });
}

}  // namespace master
