#include "tests/sim/master_checkers.hpp"

#include <fmt/format.h>

#include "base/numbers.hpp"

namespace sim {

namespace {

bool within(const std::string& role, const std::string& top) {
  return role == top || (role.size() > top.size() && role.compare(0, top.size(), top) == 0 && role[top.size()] == '/');
}

uint64_t number_of(const std::string& offer) {
  return base::parse_uint(std::string_view(offer).substr(offer.rfind('O') + 1)).value_or(0);
}

template <class Agent>
std::string activation_text(const Agent& agent) {
  if (!agent.deactivated) return "";
  return agent.drain ? "drain" : "yes";
}

}  // namespace

void OfferChecker::look(const master::Core& core) {
  const master::State& state = core.state();
  if (state.master.id() != master_) {
    master_ = state.master.id();
    next_offer_ = 0;
  }
  if (state.next_offer == next_offer_) return;
  Newly given;
  for (const auto& [id, offer] : state.offers) {
    if (number_of(id) < next_offer_) continue;
    ++offers_;
    check(core, *offer);
    for (const auto& resource : offer->resources) {
      const bool bounded = resource.kind.type() == resources::Type::Scalar && !resource.kind.reserved() && !resource.kind.revocable();
      if (bounded) given[offer->role].insert(resource.kind.name());
    }
  }
  next_offer_ = state.next_offer;
  if (!state.quotas.empty()) check_limits(core, given);
}

void OfferChecker::check(const master::Core&, const master::Offer& offer) {
  const master::Agent& agent = *offer.agent;
  if (!agent.connected || agent.deactivated || agent.drain)
    world_.fail(fmt::format("agent {} is offered although it is {}", agent.id,
                            !agent.connected ? "not connected" : agent.drain ? "draining" : "deactivated"));
  if (!offer.framework->roles.count(offer.role))
    world_.fail(fmt::format("framework {} is offered something for role {}, which it does not have", offer.framework->id,
                            offer.role));
  if (offer.framework->suppressed_roles.count(offer.role))
    world_.fail(fmt::format("framework {} is offered something for its suppressed role {}", offer.framework->id, offer.role));
  for (const auto& resource : offer.resources) {
    if (resource.kind.reserved() && !within(offer.role, resource.kind.reservation_role()))
      world_.fail(fmt::format("{} is reserved and was offered to role {}", resources::text(resource), offer.role));
    if (resource.allocation.str() != offer.role)
      world_.fail(fmt::format("{} of an offer to role {} is allocated to another", resources::text(resource), offer.role));
  }
}

/// What the subtree of each limited role has: its reservations on all agents and what is allocated to it of the rest.
void OfferChecker::check_limits(const master::Core& core, const Newly& given) {
  const master::State& state = core.state();
  for (const auto& [top, config] : state.quotas) {
    if (config.limits().empty()) continue;
    // A role that is beyond a limit that was lowered is offered no more of that; of other things it may be.
    std::set<std::string> concerned;
    for (const auto& [role, names] : given) {
      if (within(role, top)) concerned.insert(names.begin(), names.end());
    }
    if (concerned.empty()) continue;
    ++limited_;
    std::map<std::string, int64_t> has;
    const auto add = [&, &limited = top](const resources::Resources& list) {
      for (const auto& r : list) {
        if (r.kind.type() == resources::Type::Scalar && !r.kind.reserved() && !r.kind.revocable() &&
            within(r.allocation.str(), limited))
          has[r.kind.name()] += r.scalar.thousandths();
      }
    };
    for (const auto& [id, agent] : state.agents) {
      for (const auto& r : agent->total) {
        if (r.kind.type() == resources::Type::Scalar && r.kind.reserved() && within(r.kind.reservation_role(), top))
          has[r.kind.name()] += r.scalar.thousandths();
      }
      for (const auto& [framework, tasks] : agent->tasks) {
        for (const auto& [task_id, task] : tasks) {
          if (task->holds_resources) add(task->resources);
        }
      }
      for (const auto& [framework, executors] : agent->executors) {
        for (const auto& [name, executor] : executors) add(executor.resources);
      }
      for (const auto& [offer_id, offer] : agent->offers) add(offer->resources);
    }
    for (const auto& [name, limit] : config.limits()) {
      const int64_t most = resources::Scalar::from_double(limit.value()).thousandths();
      if (concerned.count(name) && has[name] > most)
        world_.fail(fmt::format("role {} has {} {} with a new offer, beyond its limit of {}", top,
                                static_cast<double>(has[name]) / 1000, name, limit.value()));
    }
  }
}

void check_bounds(World& world, const master::Core& core) {
  const master::Policy& policy = core.policy();
  const auto bound = [&](const char* what, size_t has, size_t most) {
    if (has > most) world.fail(fmt::format("the master remembers {} {}, more than {}", has, what, most));
  };
  bound("completed frameworks", core.state().completed_frameworks.size(), policy.max_completed_frameworks);
  for (const auto& [id, framework] : core.state().frameworks) {
    bound("completed tasks", framework->completed_tasks.size(), policy.max_completed_tasks_per_framework);
    bound("unreachable tasks", framework->unreachable_tasks.size(), policy.max_unreachable_tasks_per_framework);
    bound("names of unreachable tasks", framework->unreachable_order.size(), 2 * policy.max_unreachable_tasks_per_framework + 16);
    for (const auto& [task_id, task] : framework->tasks)
      bound("statuses of a task", static_cast<size_t>(task->proto->statuses_size()), master::kMostStatuses);
  }
  for (const auto& [id, agent] : core.state().agents) {
    for (const auto& [uuid, operation] : agent->operations)
      bound("statuses of an operation", static_cast<size_t>(operation->proto->statuses_size()), master::kMostStatuses);
  }

  // What waits: calls up to what their principals may have waiting, and for the rest a few things of each that is there.
  const master::Waiting waiting = core.waiting();
  const auto& state = core.state();
  const size_t agents = state.agents.size() + state.recovered_agents.size() + waiting.links;
  size_t calls = 0;
  for (const auto& [principal, limit] : policy.rate_limits.principals) calls += limit.capacity.value_or(0);
  bound("calls that wait for their turn", waiting.calls, calls);
  bound("writes under way", waiting.writes, 3 * agents + 20);
  bound("timers", waiting.timers, 6 * agents + 3 * state.frameworks.size() + state.offers.size() + 20);
}

void PromiseChecker::asked(const std::string& key, const std::string& value) {
  auto& possible = possible_[key];
  if (possible.empty()) possible.insert("");
  new_[key] = possible.insert(value).second;
}

void PromiseChecker::told(const std::string& key, const std::string& value) {
  possible_[key] = {value};
  ++told_;
}

void PromiseChecker::refused(const std::string& key, const std::string& value) {
  // An earlier call for the same, whose answer was lost, may have brought it about all the same.
  const auto found = possible_.find(key);
  if (found != possible_.end() && new_[key]) found->second.erase(value);
}

void PromiseChecker::observed(const std::string& key, const std::string& value) {
  const auto found = possible_.find(key);
  if (found == possible_.end() || found->second.count(value)) return;
  std::string expected;
  for (const std::string& each : found->second) expected += (expected.empty() ? "'" : " or '") + each + "'";
  world_.fail(fmt::format("the operator was told otherwise: {} is '{}' and must be {}", key, value, expected));
  found->second = {value};
}

void PromiseChecker::look(const master::Core& core) {
  const master::State& state = core.state();
  if (!state.recovered) return;
  const auto possible = possible_;
  for (const auto& [key, values] : possible) {
    const size_t slash = key.find('/');
    const std::string kind = key.substr(0, slash), name = slash == std::string::npos ? "" : key.substr(slash + 1);
    if (kind == "weight") {
      const auto found = state.weights.find(name);
      observed(key, found == state.weights.end() ? "" : fmt::format("{}", found->second));
    } else if (kind == "quota") {
      const auto found = state.quotas.find(name);
      observed(key, found == state.quotas.end() ? "" : quota_text(found->second));
    } else if (kind == "schedule") {
      observed(key, schedule_text(state.schedule));
    } else if (kind == "gone") {
      observed(key, state.gone_agents.count(name) ? "yes" : "");
      if (state.gone_agents.count(name) && (state.agents.count(name) || state.recovered_agents.count(name) ||
                                            state.unreachable_agents.count(name)))
        world_.fail("agent " + name + " was marked gone and is there all the same");
    } else if (kind == "deactivated") {
      if (const auto now = activation_of(state, name)) {
        observed(key, *now);
      } else {
        forget(key);  // it left
      }
    }
  }
}

std::optional<std::string> activation_of(const master::State& state, const std::string& id) {
  if (const auto agent = state.agents.find(id); agent != state.agents.end()) return activation_text(*agent->second);
  if (const auto away = state.recovered_agents.find(id); away != state.recovered_agents.end()) return activation_text(away->second);
  if (const auto lost = state.unreachable_agents.find(id); lost != state.unreachable_agents.end()) return activation_text(lost->second);
  return std::nullopt;
}

std::string quota_text(const mesos::v1::quota::QuotaConfig& config) {
  std::map<std::string, double> limits;
  for (const auto& [name, limit] : config.limits()) limits[name] = limit.value();
  std::string text;
  for (const auto& [name, limit] : limits) text += fmt::format("{}<={} ", name, limit);
  return text;
}

std::string schedule_text(const mesos::v1::maintenance::Schedule& schedule) {
  std::set<std::string> machines;
  for (const auto& window : schedule.windows()) {
    for (const auto& machine : window.machine_ids()) machines.insert(machine.hostname());
  }
  std::string text;
  for (const std::string& machine : machines) text += machine + " ";
  return text;
}

}  // namespace sim
