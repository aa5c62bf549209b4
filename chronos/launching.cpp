#include "chronos/launching.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "chronos/due.hpp"
#include "chronos/runs.hpp"
#include "chronos/task_info.hpp"
#include "jobs/offer.hpp"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"

namespace chronos {
namespace {

namespace pb = mesos::v1;
using pb::scheduler::Call;

constexpr base::Duration kIdleBeforeSuppress = base::seconds(2);
constexpr int kExitFrameworkRemoved = 110;
constexpr int kExitDriverError = 106;

struct Launch {
  TaskId task;
  Job job;  // as it was when the run was placed
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

/// The wanted run becomes a run with a task, and its slot is used up.
const Run& begin_run(Turn& turn, JobState& job, uint64_t sequence, const jobs::Offer& offer) {
  State& state = turn.state;
  const auto wanted = std::find_if(job.pending.begin(), job.pending.end(),
                                   [&](const Pending& p) { return p.sequence == sequence; });
  CHECK(wanted != job.pending.end());
  Run run;
  run.job = job.job.name;
  run.from = std::move(*wanted);
  job.pending.erase(wanted);
  std::string arguments = run.from.arguments;
  if (arguments.empty()) {
    for (const std::string& argument : job.job.arguments) arguments += (arguments.empty() ? "" : " ") + argument;
  }
  // Two tasks never share an id, also when a job was removed and made anew with the same slots.
  do {
    run.id = make_task_id(run.job, run.from.due_ms, run.from.attempt, arguments);
  } while (state.runs.contains(run.id) && ++run.from.attempt);
  run.agent_id = offer.agent_id;
  run.hostname = offer.hostname;
  run.launched = turn.now.time;
  run.epoch = state.epoch;
  job.active.insert(run.id);
  turn.dirty.runs.insert(run.id);
  if (run.from.trigger == Trigger::Slot) {
    use_slot(turn, job);
    run.from.of_slot = true;
  }
  touch(turn, run.job);
  const TaskId id = run.id;
  return state.runs.emplace(id, std::move(run)).first->second;
}

/// The launches do not happen: the runs are wanted again, as they were. Their slots stay used up.
void take_back(Turn& turn, const OfferUse& use, base::Duration pause) {
  for (const Launch& launch : use.launches) {
    const auto it = turn.state.runs.find(launch.task);
    if (it == turn.state.runs.end()) continue;
    Run run = std::move(it->second);
    turn.state.runs.erase(it);
    turn.dirty.runs.insert(run.id);
    JobState* job = find_job(turn.state, run.job);
    if (!job || job->active.erase(run.id) == 0) continue;
    touch(turn, run.job);
    if (run.killing) continue;
    run.from.trigger = Trigger::Again;
    // The number belongs to the task id, which may be known to the store.
    ++run.from.attempt;
    run.from.sequence = turn.state.next_sequence++;
    run.from.ready = turn.now.time + pause;
    job->pending.push_back(std::move(run.from));
  }
}

/// The records are durable: launch. What was killed meanwhile is left out.
void accept(Turn& turn, const OfferUse& use) {
  // The offer went with the subscription.
  if (!turn.state.subscribed) return take_back(turn, use, base::Duration(0));
  auto call = std::make_shared<Call>();
  call->set_type(Call::ACCEPT);
  call->mutable_accept()->add_offer_ids()->set_value(use.offer.id);
  pb::Offer::Operation operation;
  operation.set_type(pb::Offer::Operation::LAUNCH);
  for (const Launch& launch : use.launches) {
    const auto it = turn.state.runs.find(launch.task);
    if (it == turn.state.runs.end()) continue;
    if (it->second.killing) {
      finish(turn, launch.task, Outcome::Killed, "killed before its launch");
      continue;
    }
    it->second.sent = true;
    build_task(launch.job, it->second, launch.placement, use.offer, *operation.mutable_launch()->add_task_infos());
  }
  const auto count = static_cast<uint64_t>(operation.launch().task_infos_size());
  if (count == 0) return decline(turn, {use.offer.id});
  *call->mutable_accept()->add_operations() = std::move(operation);
  // What is left over may serve the next run at once.
  call->mutable_accept()->mutable_filters()->set_refuse_seconds(0);
  turn.out.send(std::move(call));
  expect_confirmation(turn);
  turn.count("runs.launched", count);
}

/// A slot that was due until the clock was set back.
bool is_early(Turn& turn, const JobState& job, uint64_t sequence) {
  for (const Pending& p : job.pending) {
    if (p.sequence != sequence || p.trigger != Trigger::Slot) continue;
    if (time_of_milliseconds(p.due_ms) <= turn.now.time) return false;
    turn.state.touched.insert(job.job.name);
    return true;
  }
  return false;
}

/// Goes through the queue; a run that fits nowhere holds up no other.
void place_all(Turn& turn, std::vector<OfferUse>& uses) {
  std::vector<jobs::Demand> too_large;  // without constraints, fits into none of these offers
  size_t first = 0;
  std::vector<std::pair<std::pair<int, uint64_t>, JobName>> queue(turn.state.queue.begin(), turn.state.queue.end());
  for (const auto& [place, name] : queue) {
    JobState* job = find_job(turn.state, name);
    if (!job) continue;
    if (is_early(turn, *job, place.second)) continue;
    const Job& wanted = job->job;
    const jobs::Demand demand = jobs::demand_of(wanted.cpus, wanted.mem, wanted.disk);
    if (std::any_of(too_large.begin(), too_large.end(), [&](const jobs::Demand& d) { return demand.covers(d); })) continue;
    bool placed = false;
    for (size_t step = 0; step < uses.size() && !placed; ++step) {
      OfferUse& use = uses[(first + step) % uses.size()];
      jobs::Placement placement;
      if (use.launches.size() >= turn.policy.max_launches_per_offer || !satisfies(use.offer, wanted.constraints) ||
          !take(use.offer, demand, placement)) {
        continue;
      }
      const Run& run = begin_run(turn, *job, place.second, use.offer);
      use.launches.push_back({run.id, job->job, std::move(placement)});
      first = (first + step + 1) % uses.size();
      placed = true;
    }
    if (!placed && job->job.constraints.empty()) too_large.push_back(demand);
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
    std::vector<TaskId> runs;
    for (const auto& [id, run] : turn.state.runs) runs.push_back(id);
    for (const TaskId& id : runs) finish(turn, id, Outcome::Failure, "the framework was removed from the cluster");
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
        take_back(later, use, base::seconds(5));
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

}  // namespace chronos
