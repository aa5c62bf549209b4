#include "metronome/launching.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "jobs/offer.hpp"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"
#include "metronome/due.hpp"
#include "metronome/runs.hpp"
#include "metronome/task_info.hpp"

namespace metronome {
namespace {

namespace pb = mesos::v1;
using pb::scheduler::Call;

constexpr base::Duration kIdleBeforeSuppress = base::seconds(2);
constexpr int kExitFrameworkRemoved = 110;
constexpr int kExitDriverError = 106;

struct Launch {
  RunKey run;
  TaskId task;
  jobs::Placement placement;
};

struct OfferUse {
  jobs::Offer offer;
  std::vector<Launch> launches;
};

void decline(Turn& turn, const std::vector<std::string>& offers) {
  if (offers.empty() || !turn.state.subscribed) return;
  auto call = std::make_shared<Call>();
  call->set_type(Call::DECLINE);
  for (const std::string& id : offers) call->mutable_decline()->add_offer_ids()->set_value(id);
  call->mutable_decline()->mutable_filters()->set_refuse_seconds(
      std::chrono::duration<double>(turn.policy.decline_offer).count());
  turn.out.send(std::move(call));
  turn.state.filters_set = true;
}

/// The run gets a task, and its record with it.
void assign(Turn& turn, Run& run, const jobs::Offer& offer) {
  ++run.launches;
  Launched launched;
  launched.id = make_task_id(run, turn.random.uuid());
  launched.agent_id = offer.agent_id;
  launched.at = turn.now.time;
  launched.epoch = turn.state.epoch;
  turn.state.tasks[launched.id] = run.key();
  run.launched = std::move(launched);
  turn.state.queue.erase(*run.place);
  run.place.reset();
  touch(turn, run);
}

/// The run that this launch is still of.
Run* run_of(Turn& turn, const Launch& launch) {
  Run* run = find_run(turn.state, launch.run);
  return run && run->launched && run->launched->id == launch.task ? run : nullptr;
}

/// The launches do not happen: the runs wait again.
void take_back_launches(Turn& turn, const OfferUse& use, base::Duration pause) {
  for (const Launch& launch : use.launches) {
    Run* run = run_of(turn, launch);
    if (!run) continue;
    if (run->stopping) {
      finish(turn, launch.run, false);
    } else {
      launch_again(turn, *run, pause);
    }
  }
}

/// The records are durable: launch. What was stopped meanwhile is left out.
void accept(Turn& turn, const OfferUse& use) {
  // The offer went with the subscription.
  if (!turn.state.subscribed) return take_back_launches(turn, use, base::Duration(0));
  auto call = std::make_shared<Call>();
  call->set_type(Call::ACCEPT);
  call->mutable_accept()->add_offer_ids()->set_value(use.offer.id);
  pb::Offer::Operation operation;
  operation.set_type(pb::Offer::Operation::LAUNCH);
  for (const Launch& launch : use.launches) {
    Run* run = run_of(turn, launch);
    if (!run) continue;
    if (run->stopping) {
      finish(turn, launch.run, false);
      continue;
    }
    run->launched->sent = true;
    build_task(*run, launch.placement, use.offer, turn.policy, *operation.mutable_launch()->add_task_infos());
  }
  const auto count = static_cast<uint64_t>(operation.launch().task_infos_size());
  if (count == 0) return decline(turn, {use.offer.id});
  *call->mutable_accept()->add_operations() = std::move(operation);
  // What is left over may serve the next run at once.
  call->mutable_accept()->mutable_filters()->set_refuse_seconds(0);
  turn.out.send(std::move(call));
  expect_confirmation(turn);
  turn.count("tasks.launched", count);
}

std::vector<jobs::Constraint> constraints_of(const RunSpec& spec) {
  std::vector<jobs::Constraint> constraints;
  for (const PlacementConstraint& constraint : spec.constraints) {
    if (constraint.value) constraints.push_back({constraint.attribute, constraint.op, *constraint.value});
  }
  return constraints;
}

/// Goes through the queue; a run that fits nowhere holds up no other.
void place_all(Turn& turn, std::vector<OfferUse>& uses) {
  std::vector<jobs::Demand> too_large;  // without constraints, fits into none of these offers
  size_t first = 0;
  const std::map<uint64_t, RunKey> queue = turn.state.queue;
  for (const auto& [place, key] : queue) {
    Run* run = find_run(turn.state, key);
    if (!run) continue;
    const RunSpec& spec = run->spec->run;
    const jobs::Demand demand = jobs::demand_of(spec.cpus, spec.mem, spec.disk, static_cast<double>(spec.gpus));
    if (std::any_of(too_large.begin(), too_large.end(), [&](const jobs::Demand& d) { return demand.covers(d); })) continue;
    const auto constraints = constraints_of(spec);
    bool placed = false;
    for (size_t step = 0; step < uses.size() && !placed; ++step) {
      OfferUse& use = uses[(first + step) % uses.size()];
      jobs::Placement placement;
      if (use.launches.size() >= turn.policy.max_launches_per_offer || !satisfies(use.offer, constraints) ||
          !take(use.offer, demand, placement)) {
        continue;
      }
      assign(turn, *run, use.offer);
      use.launches.push_back({key, run->launched->id, std::move(placement)});
      first = (first + step + 1) % uses.size();
      placed = true;
    }
    if (!placed && constraints.empty()) too_large.push_back(demand);
  }
}

std::string master_address(const pb::MasterInfo& info) {
  const std::string& host = !info.address().hostname().empty() ? info.address().hostname()
                            : !info.hostname().empty()         ? info.hostname()
                                                               : info.address().ip();
  return fmt::format("{}:{}", host, info.has_address() ? static_cast<uint32_t>(info.address().port()) : info.port());
}

void on_subscribed(Turn& turn, const pb::scheduler::Event_Subscribed& subscribed) {
  State& state = turn.state;
  const bool again = state.framework_id == subscribed.framework_id().value();
  state.framework_id = subscribed.framework_id().value();
  state.subscribed = true;
  state.suppressed = false;
  state.demand = true;
  state.filters_set = again;  // the master keeps those of the subscription before
  state.master = master_address(subscribed.master_info());
  turn.info(fmt::format("subscribed to the master at {} as framework {}", state.master, state.framework_id));
  if (!again || !state.framework_id_stored) {
    state.framework_id_stored = false;
    turn.dirty.framework = true;
    when_durable(turn, [id = state.framework_id](Turn& later, const base::Status& status) {
      if (status && later.state.framework_id == id) later.state.framework_id_stored = true;
    });
  }
  reconcile(turn, true);
  repeat_kills(turn);
  expect_confirmation(turn);
  if (state.queue.empty()) turn.out.set_timer("suppress", turn.now.instant + kIdleBeforeSuppress);
}

void on_error(Turn& turn, const std::string& message) {
  turn.out.trace(TraceLevel::Error, "the master reports: " + message);
  if (message.find("Framework has been removed") != std::string::npos) {
    // Its tasks are gone, and the id can never be used again: the next start begins anew.
    turn.state.framework_id.clear();
    turn.dirty.framework = true;
    std::vector<RunKey> runs;
    for (const auto& [key, run] : turn.state.runs) {
      if (run.launched) runs.push_back(key);
    }
    for (const RunKey& key : runs) finish(turn, key, false);
    when_durable(turn, [message](Turn& later, const base::Status&) { later.out.exit(kExitFrameworkRemoved, message); });
  } else if (message.find("failed over") != std::string::npos) {
    turn.out.exit(kExitDriverError, "another scheduler has subscribed with this framework id");
  }
}

}  // namespace

void on_offers(Turn& turn, const pb::scheduler::Event_Offers& message) {
  std::vector<OfferUse> uses;
  for (const pb::Offer& offer : message.offers()) uses.push_back({jobs::decode_offer(offer), {}});
  // The clock may have passed over the end of what waits, and nobody have said so yet.
  on_due(turn);
  if (!turn.state.queue.empty() && !uses.empty()) place_all(turn, uses);
  std::vector<std::string> unused;
  auto used = std::make_shared<std::vector<OfferUse>>();
  for (OfferUse& use : uses) {
    if (use.launches.empty()) {
      unused.push_back(use.offer.id);
    } else {
      used->push_back(std::move(use));
    }
  }
  decline(turn, unused);
  if (turn.state.queue.empty() && !turn.state.suppressed) {
    turn.out.set_timer("suppress", turn.now.instant + kIdleBeforeSuppress);
  }
  if (used->empty()) return;
  if (!turn.state.framework_id_stored) turn.dirty.framework = true;
  when_durable(turn, [used](Turn& later, const base::Status& status) {
    for (const OfferUse& use : *used) {
      if (status) {
        accept(later, use);
      } else {
        // A store that refuses now may refuse again: try after a pause.
        take_back_launches(later, use, base::seconds(5));
        decline(later, {use.offer.id});
      }
    }
  });
}

void ask_for_offers(Turn& turn) {
  State& state = turn.state;
  if (!state.demand || !state.subscribed) return;
  state.demand = false;
  if (state.queue.empty() || (!state.suppressed && !state.filters_set)) return;
  auto call = std::make_shared<Call>();
  call->set_type(Call::REVIVE);
  call->mutable_revive()->add_roles(turn.policy.role);
  turn.out.send(std::move(call));
  turn.count("calls.revive");
  state.suppressed = state.filters_set = false;
}

void suppress_when_idle(Turn& turn) {
  State& state = turn.state;
  if (!state.subscribed || state.suppressed || !state.queue.empty()) return;
  auto call = std::make_shared<Call>();
  call->set_type(Call::SUPPRESS);
  call->mutable_suppress()->add_roles(turn.policy.role);
  turn.out.send(std::move(call));
  turn.count("calls.suppress");
  state.suppressed = true;
}

void on_master_event(Turn& turn, const pb::scheduler::Event& event) {
  switch (event.type()) {
    case pb::scheduler::Event::SUBSCRIBED: return on_subscribed(turn, event.subscribed());
    case pb::scheduler::Event::OFFERS: return on_offers(turn, event.offers());
    case pb::scheduler::Event::UPDATE: return on_task_status(turn, event.update().status());
    case pb::scheduler::Event::ERROR: return on_error(turn, event.error().message());
    // A rescinded offer that we are about to use comes back as TASK_DROPPED.
    default: return;
  }
}

}  // namespace metronome
