#include "marathon/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/json/writer.hpp"
#include "kernel/api/mesos/v1/offers.pb.h"
#include "marathon/constraints.hpp"
#include "marathon/health.hpp"
#include "marathon/launching.hpp"
#include "marathon/offer.hpp"
#include "marathon/pod.hpp"
#include "marathon/residency.hpp"
#include "marathon/rollout.hpp"

namespace marathon {
namespace {

constexpr size_t kMaxNamed = 3;  // values listed in a sentence

std::string plural(size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string number(int64_t amount) {
  return amount % 1000 == 0 ? fmt::format("{}", amount / 1000)
                            : fmt::format("{:g}", static_cast<double>(amount) / 1000);
}

/// What a resource step of the funnel looks at.
struct Measure {
  Reject reject;
  std::string_view name;
  std::string_view unit;
  int64_t Demand::*wanted;
  std::vector<ScalarPiece> Offer::*pieces;
};
constexpr Measure kMeasures[] = {
    {Reject::InsufficientCpus, "cpus", "", &Demand::cpus, &Offer::cpus},
    {Reject::InsufficientMemory, "mem", " MB", &Demand::mem, &Offer::mem},
    {Reject::InsufficientDisk, "disk", " MB", &Demand::disk, &Offer::disk},
};

/// What there is of the roles that the app may use; none named: of all.
int64_t sum(const std::vector<ScalarPiece>& pieces, const std::vector<std::string>& roles) {
  int64_t total = 0;
  for (const ScalarPiece& piece : pieces) {
    if (roles.empty() || std::find(roles.begin(), roles.end(), piece.role) != roles.end()) total += piece.left;
  }
  return total;
}

/// The agents that fell out at one step of the funnel.
struct Refused {
  std::vector<Offer> offers;
};

/// The disks beside the root disk that the app's volumes need; empty: none.
std::string wanted_disks(const App& app) {
  std::vector<std::string> list;
  for (const PersistentVolume& volume : persistent_volumes(app)) {
    const PersistentDisk& disk = volume.disk;
    if (disk.type == DiskType::Root) continue;
    std::string text = fmt::format("a disk of type {} with {} MB or more", disk.type == DiskType::Path ? "path" : "mount", disk.size_mb);
    if (disk.max_size_mb) text += fmt::format(", at most {} MB", *disk.max_size_mb);
    text += disk.profile_name ? fmt::format(", of the profile '{}'", *disk.profile_name) : ", of no profile";
    for (const Constraint& constraint : disk.constraints) {
      text += fmt::format(", path {} {}", operator_name(constraint.op), constraint.value.value_or(""));
    }
    list.push_back(std::move(text));
  }
  return fmt::format("{}", fmt::join(list, " and "));
}

Cause scarce(const Measure& measure, const App& app, RolesUsed used, const Refused& refused, size_t agents) {
  const int64_t volumes = measure.reject == Reject::InsufficientDisk ? volume_disk(app) : 0;
  const int64_t wanted = demand_of(app).*measure.wanted + volumes;
  const std::vector<std::string> roles = accepted_roles(app, used);
  int64_t most = 0;
  size_t elsewhere = 0;  // it is there, for roles that the app does not use
  for (const Offer& offer : refused.offers) {
    most = std::max(most, sum(offer.*measure.pieces, roles));
    if (sum(offer.*measure.pieces, {}) >= wanted && sum(offer.*measure.pieces, roles) < wanted) ++elsewhere;
  }
  Cause cause{std::string(reject_name(measure.reject)), refused.offers.size(), {}, {}};
  const std::string amount = number(wanted) + std::string(measure.unit);
  const std::string disks = measure.reject == Reject::InsufficientDisk ? wanted_disks(app) : "";
  if (most >= wanted && !disks.empty()) {
    cause.message = fmt::format("{} of {} have no free disk for {}", refused.offers.size(), plural(agents, "agent"), disks);
    cause.help = fmt::format("an agent with {}", disks);
  } else if (most >= wanted) {
    cause.message = fmt::format("{} of {} have enough {} for one instance, but others were placed there first",
                                refused.offers.size(), plural(agents, "agent"), measure.name);
    cause.help = fmt::format("{} more {} on some agent, or fewer instances", amount, measure.name);
  } else {
    cause.message = fmt::format("{} of {} have too little {}: {} wanted, the most that one offers is {}{}",
                                refused.offers.size(), plural(agents, "agent"), measure.name, amount,
                                number(most), measure.unit);
    if (volumes > 0) cause.message += fmt::format(" ({} MB of it for persistent volumes)", number(volumes));
    cause.help = fmt::format("an agent with {} {} free", amount, measure.name);
    if (most >= volumes) cause.help += fmt::format(", or '{}' of at most {}", measure.name, number(most - volumes));
  }
  if (elsewhere > 0) {
    cause.message += fmt::format("; {} {} enough for other roles than {}", elsewhere, elsewhere == 1 ? "has" : "have",
                                 fmt::join(roles, ", "));
    cause.help += is_resident(app) ? ", or unreserved resources: volumes are made of these alone"
                                   : ", or a role among 'acceptedResourceRoles' that has it";
  }
  return cause;
}

std::string named_values(const std::set<std::string>& values) {
  std::vector<std::string> shown;
  for (const std::string& value : values) {
    if (shown.size() == kMaxNamed) {
      shown.push_back("...");
      break;
    }
    shown.push_back("'" + value + "'");
  }
  return fmt::format("{}", fmt::join(shown, ", "));
}

std::string constraint_help(const Constraint& c) {
  switch (c.op) {
    case ConstraintOperator::Unique:
      return fmt::format("an agent with another {}, or fewer instances", c.field);
    case ConstraintOperator::Cluster:
      return fmt::format("room where {} is {}", c.field, c.value ? "'" + *c.value + "'" : "the first instance's");
    case ConstraintOperator::GroupBy:
      return fmt::format("room where {} has a value with fewer instances", c.field);
    case ConstraintOperator::MaxPer:
      return fmt::format("an agent with another {}, or a larger number than {}", c.field, c.value.value_or("0"));
    case ConstraintOperator::Like:
    case ConstraintOperator::Is:
      return fmt::format("an agent whose {} is '{}'", c.field, c.value.value_or(""));
    case ConstraintOperator::Unlike:
      return fmt::format("an agent whose {} does not match '{}'", c.field, c.value.value_or(""));
  }
  return {};
}

/// One cause for the region and one for each constraint, with the agents that it excludes by itself: an agent may count
/// at several.
void explain_constraints(const AppRun& run, const MatchPolicy& policy, const Refused& refused, size_t agents,
                         std::vector<Cause>& causes) {
  const std::vector<const Instance*> placed = counted_instances(run);
  bool any = false;
  std::set<std::string> regions;
  size_t abroad = 0;
  for (const Offer& offer : refused.offers) {
    if (region_fits(offer, *run.target, policy)) continue;
    ++abroad;
    regions.insert(offer.region);
  }
  if (abroad > 0) {
    any = true;
    causes.push_back({std::string(reject_name(Reject::UnfulfilledConstraint)), abroad,
                      fmt::format("{} of {} {} in {} {}, and without a constraint on @region or @zone only the master's "
                                  "region '{}' is used", abroad, plural(agents, "agent"), abroad == 1 ? "lies" : "lie",
                                  regions.size() == 1 ? "region" : "regions", named_values(regions), policy.local_region),
                      fmt::format("a constraint on @region, or agents in '{}'", policy.local_region)});
  }
  for (const Constraint& constraint : run.target->constraints) {
    size_t excluded = 0, without = 0;
    std::set<std::string> values;
    for (const Offer& offer : refused.offers) {
      const auto value = field_value(offer, constraint.field);
      if (satisfies(constraint, value, placed, run.target->instances)) continue;
      ++excluded;
      if (value) {
        values.insert(*value);
      } else {
        ++without;
      }
    }
    if (excluded == 0) continue;
    any = true;
    Cause cause{std::string(reject_name(Reject::UnfulfilledConstraint)), excluded, {}, constraint_help(constraint)};
    cause.message = fmt::format("the constraint '{}' excludes {} of {}", describe(constraint), excluded,
                                plural(agents, "agent"));
    if (!values.empty()) cause.message += fmt::format(" ({} {})", constraint.field, named_values(values));
    if (without > 0) cause.message += fmt::format("; {} {} no {}", without, without == 1 ? "has" : "have", constraint.field);
    causes.push_back(std::move(cause));
  }
  if (any) return;
  // Others have moved since the offer came.
  causes.push_back({std::string(reject_name(Reject::UnfulfilledConstraint)), refused.offers.size(),
                    fmt::format("{} of {} {} excluded by a constraint when {} offered", refused.offers.size(),
                                plural(agents, "agent"), refused.offers.size() == 1 ? "was" : "were",
                                refused.offers.size() == 1 ? "it was" : "they were"),
                    "the next offers"});
}

Cause explain_ports(const App& app, const Refused& refused, size_t agents) {
  Cause cause{std::string(reject_name(Reject::InsufficientPorts)), refused.offers.size(), {}, {}};
  std::set<std::string> fixed;
  if (uses_host_network(app) && app.require_ports) {
    for (const PortDefinition& port : app.port_definitions) fixed.insert(std::to_string(port.port));
  }
  if (app.pod) {
    for (const PodEndpoint* endpoint : endpoints_of(*app.pod)) {
      if (endpoint->host_port.value_or(0) != 0) fixed.insert(std::to_string(*endpoint->host_port));
    }
  }
  if (app.container) {
    for (const PortMapping& port : app.container->port_mappings) {
      if (port.host_port.value_or(0) != 0) fixed.insert(std::to_string(*port.host_port));
    }
  }
  if (fixed.empty()) {
    cause.message = fmt::format("{} of {} offer fewer than {}", refused.offers.size(), plural(agents, "agent"),
                                plural(port_count(app), "free port"));
    cause.help = "agents that offer more ports";
  } else {
    cause.message = fmt::format("{} of {} do not offer all of the ports {}", refused.offers.size(),
                                plural(agents, "agent"), named_values(fixed));
    cause.help = "agents where these ports are free and among the agent's ports, or host ports chosen freely (0)";
  }
  return cause;
}

/// The agents that hold what is reserved for waiting instances.
std::set<std::string> holders_of(const AppRun& run) {
  std::set<std::string> agents;
  for (const auto& [id, instance] : run.instances) {
    if (instance.condition == Condition::Scheduled && instance.reservation) agents.insert(instance.reservation->agent_id);
  }
  return agents;
}

Cause explain_step(Reject reject, const AppRun& run, RolesUsed used, const Refused& refused, size_t agents) {
  const App& app = *run.target;
  const size_t n = refused.offers.size();
  const std::string of = fmt::format("{} of {}", n, plural(agents, "agent"));
  Cause cause{std::string(reject_name(reject)), n, {}, {}};
  switch (reject) {
    case Reject::UnfulfilledRole:
      cause.message = fmt::format("{} offer resources of another role than '{}'", of, app.role);
      cause.help = fmt::format("resources for the role '{}'", app.role);
      break;
    case Reject::NoCorrespondingReservationFound:
      cause.message = fmt::format("{} hold no volume or reservation of a waiting instance", of);
      cause.help = "the agent that holds the volume, or killing the instance with wipe=true for a fresh one";
      if (const auto holders = holders_of(run); !holders.empty()) {
        cause.message += fmt::format("; {} {}", holders.size() == 1 ? "it is on agent" : "these are on agents", named_values(holders));
      }
      break;
    case Reject::AgentMaintenance:
      cause.message = fmt::format("{} are in maintenance, or soon will be", of);
      cause.help = "the end of the maintenance, or other agents";
      break;
    case Reject::InsufficientGpus:
      cause.message = fmt::format("{} have fewer than {}", of, plural(static_cast<size_t>(app.gpus), "free GPU"));
      cause.help = "agents with GPUs";
      break;
    case Reject::DeclinedScarceResources:
      cause.message = fmt::format("{} have GPUs, which are kept for apps that ask for some", of);
      cause.help = "agents without GPUs, or --gpu_scheduling_behavior=unrestricted";
      break;
    case Reject::InsufficientPorts: return explain_ports(app, refused, agents);
    default:
      for (const Measure& measure : kMeasures) {
        if (measure.reject == reject) return scarce(measure, app, used, refused, agents);
      }
  }
  return cause;
}

void join_message(Explanation& explanation) {
  for (const Cause& cause : explanation.causes) {
    if (!explanation.message.empty()) explanation.message += "; ";
    explanation.message += cause.message;
  }
}

std::string seconds_text(base::Duration duration) {
  return fmt::format("{} s", std::max<int64_t>(0, std::chrono::ceil<base::seconds>(duration).count()));
}

/// Instances of an app by what they wait for.
class Phases {
 public:
  Phases(const AppRun& run, const Action& action, base::Time now) : run_(run), action_(action), now_(now) {
    for (const auto& [id, instance] : run.instances) add(instance);
  }

  size_t scheduled = 0;

  void report(std::vector<Cause>& causes) const {
    if (starting_ > 0) {
      causes.push_back({"Starting", starting_,
                        fmt::format("{} launched, the first {} ago, and not heard of as running",
                                    starting_ == 1 ? std::string("1 task was") : fmt::format("{} tasks were", starting_),
                                    seconds_text(now_ - oldest_start_)),
                        "a look at the sandbox: the image or a URI may take long to fetch"});
    }
    if (killing_ > 0) {
      causes.push_back({"Killing", killing_,
                        fmt::format("{} being stopped, the oldest since {}",
                                    killing_ == 1 ? std::string("1 task is") : fmt::format("{} tasks are", killing_),
                                    seconds_text(now_ - oldest_kill_)),
                        "a shorter taskKillGracePeriodSeconds, when the task takes long to end"});
    }
    if (unhealthy_ > 0) {
      causes.push_back({"HealthCheck", unhealthy_,
                        fmt::format("{} and {} not passed {} health checks{}", running(unhealthy_),
                                    unhealthy_ == 1 ? "has" : "have", unhealthy_ == 1 ? "its" : "their",
                                    failure_.empty() ? ": no result yet" : ", the last result is: " + failure_),
                        "a look at the task's output, and at the check's port and path"});
    }
    if (unready_ > 0) {
      causes.push_back({"ReadinessCheck", unready_,
                        fmt::format("{} and {} not ready{}", running(unready_), unready_ == 1 ? "is" : "are",
                                    readiness_.empty() ? "" : ", the last answer was " + readiness_),
                        "a look at what the readiness check's endpoint answers"});
    }
    if (settling_ > 0) {
      causes.push_back({"MinimumHealthyTime", settling_,
                        fmt::format("{} and must stay healthy for a while before {} count{}", running(settling_),
                                    settling_ == 1 ? "it" : "they", settling_ == 1 ? "s" : ""),
                        "waiting"});
    }
    if (unreachable_ > 0) {
      causes.push_back({"Unreachable", unreachable_,
                        fmt::format("{} on agents that cannot be reached", unreachable_),
                        "the agents, or a shorter unreachableStrategy"});
    }
  }

 private:
  static std::string running(size_t count) {
    return count == 1 ? std::string("1 task runs") : fmt::format("{} tasks run", count);
  }

  void add(const Instance& instance) {
    if (instance.goal == Goal::Decommissioned || instance.condition == Condition::Killing) {
      if (killing_++ == 0 || instance.since < oldest_kill_) oldest_kill_ = instance.since;
      return;
    }
    const bool outdated = action_.kind == ActionKind::Restart && is_outdated(run_, instance);
    if (instance.condition == Condition::Scheduled) ++scheduled;
    if (outdated) return;  // it waits for others
    if (instance.condition == Condition::Unreachable) ++unreachable_;
    if (instance.condition >= Condition::Provisioned && instance.condition <= Condition::Starting) {
      const base::Time since = instance.staged_at.value_or(instance.since);
      if (starting_++ == 0 || since < oldest_start_) oldest_start_ = since;
    }
    if (instance.condition != Condition::Running) return;
    const App* app = definition_of(run_, instance);
    if (app && has_health_checks(*app) && instance.healthy != true) {
      ++unhealthy_;
      for (const Health& health : instance.health) {
        if (!health.last_failure_cause.empty()) failure_ = health.last_failure_cause;
      }
    } else if (!is_ready(run_, instance)) {
      ++unready_;
      for (const Readiness& readiness : instance.readiness) {
        if (readiness.status != 0) readiness_ = std::to_string(readiness.status);
      }
    } else if (run_.target && run_.target->deployment.min_healthy_seconds > 0) {
      const auto since = action_.ready_since.find(instance.id);
      // Its timer may be about to fire.
      const base::Duration least = base::seconds(run_.target->deployment.min_healthy_seconds + 1);
      if (since == action_.ready_since.end() || now_ < since->second + least) ++settling_;
    }
  }

  const AppRun& run_;
  const Action& action_;
  base::Time now_;
  size_t starting_ = 0, killing_ = 0, unhealthy_ = 0, unready_ = 0, settling_ = 0, unreachable_ = 0;
  base::Time oldest_start_, oldest_kill_;
  std::string failure_, readiness_;
};

}  // namespace

Explanation explain_placement(const State& state, const Policy& policy, const AppRun& run, base::Time now) {
  Explanation explanation;
  explanation.agents = run.offers.last_by_agent.size();
  if (!state.subscribed) {
    explanation.causes.push_back({"NotConnected", 0, "there is no connection to a master",
                                  "a master that can be reached at --master"});
  }
  if (run.backoff && run.backoff->until() > now) {
    Cause cause{"Backoff", 0, {}, "DELETE /v2/queue/{app}/delay launches at once"};
    cause.message = fmt::format("the next launch is in {}, because tasks ended", seconds_text(run.backoff->until() - now));
    if (run.last_failure) cause.message += fmt::format("; the last one: {} {}", run.last_failure->state, run.last_failure->message);
    explanation.causes.push_back(std::move(cause));
  }
  std::map<Reject, Refused> refused;
  for (const auto& [agent, last] : run.offers.last_by_agent) {
    if (last.reject && last.offer) refused[*last.reject].offers.push_back(decode_offer(*last.offer));
  }
  if (explanation.agents == 0 && explanation.causes.empty()) {
    explanation.causes.push_back(
        {"NoOffers", 0,
         fmt::format("no agent has offered anything since {}", base::render_iso8601(run.queued_since)),
         "agents with free resources that other frameworks, roles or quotas do not hold"});
  }
  for (const auto& [reject, agents] : refused) {
    if (reject == Reject::UnfulfilledConstraint) {
      explain_constraints(run, match_policy(state, policy), agents, explanation.agents, explanation.causes);
    } else {
      explanation.causes.push_back(explain_step(reject, run, policy.match.roles_used, agents, explanation.agents));
    }
  }
  join_message(explanation);
  return explanation;
}

Explanation explain_action(const State& state, const Policy& policy, const Deployment& deployment,
                           const Action& action, base::Time now) {
  Explanation explanation;
  if (action.done) return explanation;
  if (deployment.paused) {
    explanation.causes.push_back({"Paused", 0, "the deployment was paused by a user",
                                  fmt::format("POST /v2/deployments/{}/resume", deployment.id)});
  }
  if (!deployment.running) {
    explanation.causes.push_back({"Store", 0, "the change is being stored", "a store that answers"});
  }
  if (awaits_promotion(state, deployment, action)) {
    explanation.causes.push_back({"Canary", 0, "the new version runs beside the old one and waits to be promoted",
                                  fmt::format("POST /v2/deployments/{}/promote, or DELETE it to go back", deployment.id)});
  }
  const auto found = state.apps.find(action.app);
  if (found != state.apps.end()) {
    const AppRun& run = found->second;
    const Phases phases(run, action, now);
    if (phases.scheduled > 0 && run.target) {
      for (Cause& cause : explain_placement(state, policy, run, now).causes) {
        cause.message = fmt::format("{} for a place: {}",
                                    phases.scheduled == 1 ? std::string("1 instance waits")
                                                          : fmt::format("{} instances wait", phases.scheduled),
                                    cause.message);
        cause.count = phases.scheduled;
        explanation.causes.push_back(std::move(cause));
      }
    }
    phases.report(explanation.causes);
  }
  join_message(explanation);
  return explanation;
}

std::string explain_deployment(const State& state, const Policy& policy, const Deployment& deployment,
                               base::Time now) {
  std::string text;
  if (deployment.current >= deployment.steps.size()) return text;
  for (const Action& action : deployment.steps[deployment.current]) {
    const Explanation explanation = explain_action(state, policy, deployment, action, now);
    if (explanation.message.empty()) continue;
    if (!text.empty()) text += "; ";
    text += action.app + ": " + explanation.message;
  }
  return text;
}

void write_explanation(base::json::Writer& w, const Explanation& explanation, std::string_view unit) {
  w.begin_object();
  w.field("message", explanation.message);
  w.key("causes");
  w.begin_array();
  for (const Cause& cause : explanation.causes) {
    w.begin_object();
    w.field("reason", cause.reason);
    w.field(unit, cause.count);
    w.field("message", cause.message);
    w.field("help", cause.help);
    w.end_object();
  }
  w.end_array();
  w.end_object();
}

}  // namespace marathon
