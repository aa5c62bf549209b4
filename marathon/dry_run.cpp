#include "marathon/dry_run.hpp"

#include <algorithm>

#include "base/json/writer.hpp"
#include "marathon/errors.hpp"
#include "marathon/explain.hpp"
#include "marathon/launching.hpp"
#include "marathon/rollout.hpp"

namespace marathon {
namespace {

using base::json::Writer;

constexpr size_t kMaxWaiting = 100;
constexpr int64_t kMaxPlaced = 10'000;  // instances that are tried: more are only counted
constexpr base::Duration kPatience = base::seconds(3);

/// How many instances the change launches.
int64_t launches_of(const AppChange& change) {
  if (!change.to) return 0;
  if (!change.from || needs_restart(*change.from, *change.to)) return change.to->instances;
  return std::max<int64_t>(0, change.to->instances - change.from->instances);
}

/// An instance as constraints see it.
Instance placed_on(const Offer& offer, const App& app, int64_t number, base::Time now) {
  Instance instance;
  instance.id = "dry-run." + std::to_string(number);
  instance.app = app.id;
  instance.version = app.version;
  instance.condition = Condition::Provisioned;
  instance.since = now;
  instance.agent_id = offer.agent_id;
  instance.hostname = offer.hostname;
  instance.region = offer.region;
  instance.zone = offer.zone;
  instance.attributes = offer.attributes;
  return instance;
}

/// Tries the change's launches on the offers, which shrink by them.
void write_placement(Writer& w, Turn& turn, const AppChange& change, std::vector<Offer>& offers) {
  const int64_t wanted = launches_of(change);
  // A copy in which the change has happened; what exists already counts for constraints as it will then.
  AppRun run;
  if (const AppRun* present = find_spec(turn.state, change.id)) {
    run.versions = present->versions;
    run.instances = present->instances;
  }
  run.target = run.versions[change.to->version] = change.to;
  run.queued_since = turn.now.time;
  std::map<std::string, std::pair<std::string, int64_t>> agents;  // host name and instances by agent
  int64_t fits = 0;
  for (size_t at = 0, misses = 0; fits < std::min(wanted, kMaxPlaced) && misses < offers.size();) {
    Offer& offer = offers[at];
    at = (at + 1) % offers.size();
    Reject why{};
    if (!match(offer, *change.to, counted_instances(run), match_policy(turn.state, turn.policy), turn.now.time, turn.random, why)) {
      run.offers.last_by_agent[offer.agent_id] = {why, turn.now.time, offer.message};
      ++misses;
      continue;
    }
    misses = 0;
    Instance instance = placed_on(offer, *change.to, fits++, turn.now.time);
    run.instances.emplace(instance.id, std::move(instance));
    run.offers.last_by_agent.erase(offer.agent_id);
    auto& agent = agents[offer.agent_id];
    agent.first = offer.hostname;
    ++agent.second;
  }
  w.begin_object();
  w.field(change.is_pod() ? "pod" : "app", change.id);
  w.field("instances", wanted);
  w.field("fits", fits);
  w.key("agents");
  w.begin_array();
  for (const auto& [id, agent] : agents) {
    w.begin_object();
    w.field("agentId", id);
    w.field("hostname", agent.first);
    w.field("instances", agent.second);
    w.end_object();
  }
  w.end_array();
  if (fits < std::min(wanted, kMaxPlaced)) {
    w.key("missing");
    write_explanation(w, explain_placement(turn.state, turn.policy, run, turn.now.time), "agents");
  }
  w.end_object();
}

void answer(Turn& turn, const DryRun& dry_run, std::vector<Offer> offers) {
  std::string body;
  Writer w(body);
  w.begin_object();
  w.key("steps");
  w.raw(dry_run.steps);
  w.key("placement");
  w.begin_array();
  for (const AppChange& change : dry_run.changes) {
    if (launches_of(change) > 0) write_placement(w, turn, change, offers);
  }
  w.end_array();
  w.key("deployments");  // that would have to be overridden by force
  w.begin_array();
  std::set<std::string> locks;
  for (const AppChange& change : dry_run.changes) {
    const AppRun* run = find_run(turn.state, change.id);
    if (run && !run->deployment.empty()) locks.insert(run->deployment);
  }
  for (const std::string& id : locks) {
    w.begin_object();
    w.field("id", id);
    w.end_object();
  }
  w.end_array();
  w.end_object();
  turn.out.reply(dry_run.call, base::http::Response::json(200, std::move(body)));
}

}  // namespace

void begin_dry_run(Turn& turn, CallId call, std::vector<AppChange> changes, std::string steps) {
  DryRun dry_run{call, std::move(changes), std::move(steps)};
  const bool launches = std::any_of(dry_run.changes.begin(), dry_run.changes.end(),
                                    [](const AppChange& change) { return launches_of(change) > 0; });
  if (!launches || !turn.state.subscribed) return answer(turn, dry_run, {});
  if (turn.state.dry_runs.size() >= kMaxWaiting) {
    return turn.out.reply(call, render(refuse(503, "too many dry runs wait for offers: try again later")));
  }
  turn.state.dry_runs.push_back(std::move(dry_run));
  turn.state.demand = turn.state.filters_set = true;  // those who hold resources back are asked anew
  turn.out.set_timer("dry-run", turn.now.instant + kPatience);
}

void answer_dry_runs(Turn& turn, const std::vector<Offer>& offers) {
  if (turn.state.dry_runs.empty()) return;
  turn.out.cancel_timer("dry-run");
  const std::vector<DryRun> waiting = std::move(turn.state.dry_runs);
  turn.state.dry_runs.clear();
  for (const DryRun& dry_run : waiting) answer(turn, dry_run, offers);
}

void on_dry_run_timer(Turn& turn) { answer_dry_runs(turn, {}); }

}  // namespace marathon
