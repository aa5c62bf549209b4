// The job scheduler under faults: whatever happens, each slot of a schedule is run to its end once or is recorded as
// skipped, runs of one job do not overlap, and what depends on a success follows it.

#include <fmt/format.h>

#include <algorithm>

#include "chronos/runs.hpp"
#include "tests/sim/cluster.hpp"
#include "tests/sim/scenarios.hpp"
#include "tests/sim/sim_agent.hpp"
#include "tests/sim/sim_chronos.hpp"
#include "tests/sim/sim_master.hpp"

namespace sim {

namespace {

struct Plan {
  std::string name;
  int64_t slots = 0;      // of a schedule; 0: a dependent job
  base::Duration period{0}, epsilon{0};
  base::Duration runs_for{1};
  bool concurrent = false;
  std::vector<std::string> parents;
};

/// What containers of one job have done.
struct Seen {
  std::map<std::string, base::Instant> running;  // start, by task
  std::map<int64_t, int> complete;               // runs to the end, by due time
  int64_t completions = 0;
  base::Instant last_start, last_end, first_end;
};

class Run {
 public:
  Run(uint64_t seed, bool print)
      : random_(seed ^ 0x6368726f6e6f73),
        plan_(FaultPlan::draw(random_)),
        world_(seed, print),
        network_(world_, {}),
        context_{world_, network_},
        master_(context_, "master", master_policy()),
        placement_(world_),
        chronos_(context_, "chronos", master_, chronos_policy()) {
    clock_jumps_ = random_.chance(0.4);
    draw_jobs();
  }

  Outcome run() {
    std::vector<Process*> faulty{&master_, &chronos_};
    const auto count = static_cast<unsigned>(1 + random_.below(3));
    for (unsigned i = 0; i < count; ++i) {
      agents_.push_back(std::make_unique<SimAgent>(context_, fmt::format("agent{}", i), i, master_, placement_,
                                                   "cpus:4;mem:4096;disk:100000;ports:[31000-31009]"));
      faulty.push_back(agents_.back().get());
    }
    placement_.on_start = [this](const std::string& task) { started(task); };
    placement_.on_end = [this](const std::string& task, bool) { ended(task); };
    FaultInjector faults(context_, plan_, faulty);
    master_.boot();
    chronos_.boot();
    for (auto& agent : agents_) agent->boot();
    for (const Plan& job : jobs_) post(job, 0);
    faults.start();
    if (clock_jumps_) schedule_jump();
    world_.run_for(plan_.duration + base::seconds(1));
    base::Duration quiet{0};
    // Retries back off, and a clock that was set back waits for its slots.
    while (!unfinished().empty() && quiet < base::hours(4) && world_.failures().empty()) {
      world_.run_for(base::seconds(10));
      quiet += base::seconds(10);
    }
    world_.run_for(base::minutes(2));
    if (const auto what = unfinished(); !what.empty()) world_.fail("not done although faults ended long ago: " + what);
    if (world_.failures().empty()) check();
    uint64_t crashes = 0;
    for (Process* process : faulty) crashes += process->crashes();
    return {world_.failures(), world_.hash(), world_.events(),
            fmt::format("{} agents, {} jobs, {} runs, {} skipped, {} crashes{}; {}", agents_.size(), jobs_.size(), completions_,
                        skipped_, crashes, clock_jumps_ ? ", clock jumps" : "", plan_.describe())};
  }

 private:
  static master::Policy master_policy() {
    master::Policy policy;
    policy.agent_reregister_timeout = base::minutes(10);
    return policy;
  }

  static chronos::Policy chronos_policy() {
    chronos::Policy policy;
    policy.failure_retry = base::seconds(3);
    return policy;
  }

  void draw_jobs() {
    const size_t scheduled = 1 + random_.below(5);
    for (size_t i = 0; i < scheduled; ++i) {
      Plan job;
      job.name = fmt::format("s{}", i);
      job.slots = static_cast<int64_t>(1 + random_.below(20));
      job.period = base::seconds(5 + random_.below(30));
      job.runs_for = base::seconds(1 + random_.below(8));
      // With a long one everything must run; with a short one what does not is on record.
      job.epsilon = random_.chance(0.5) ? base::hours(100) : base::Duration(base::seconds(5 + random_.below(60)));
      job.concurrent = random_.chance(0.3);
      jobs_.push_back(job);
    }
    const size_t children = random_.below(4);
    for (size_t i = 0; i < children; ++i) {
      Plan job;
      job.name = fmt::format("c{}", i);
      job.runs_for = base::seconds(1 + random_.below(4));
      job.parents = {jobs_[random_.below(jobs_.size())].name};
      jobs_.push_back(job);
    }
    if (!random_.chance(0.5)) return;
    for (const char* side : {"left", "right"}) {
      Plan job;
      job.name = side;
      job.runs_for = base::seconds(1 + random_.below(4));
      job.parents = {"s0"};
      jobs_.push_back(job);
    }
    Plan end;
    end.name = "end";
    end.runs_for = base::seconds(1);
    end.parents = {"left", "right"};
    jobs_.push_back(end);
  }

  std::string body_of(const Plan& job) const {
    std::string body = fmt::format(
        R"({{"name":"{}","command":"run {} 0","cpus":0.1,"mem":8,"disk":1,"retries":100000,"concurrent":{})", job.name,
        std::chrono::duration_cast<std::chrono::seconds>(job.runs_for).count(), job.concurrent);
    if (job.parents.empty()) {
      // Late enough for every post to have been answered.
      body += fmt::format(R"(,"schedule":"R{}/2020-01-01T00:02:00Z/PT{}S","epsilon":"PT{}S"}})", job.slots,
                          std::chrono::duration_cast<std::chrono::seconds>(job.period).count(),
                          std::chrono::duration_cast<std::chrono::seconds>(job.epsilon).count());
    } else {
      std::string parents;
      for (const std::string& parent : job.parents) parents += (parents.empty() ? "\"" : ",\"") + parent + "\"";
      body += ",\"parents\":[" + parents + "]}";
    }
    return body;
  }

  /// Posts until an answer says that the job is there.
  void post(const Plan& job, int attempt) {
    const auto again = [this, job, attempt] {
      world_.after(base::milliseconds(300), [this, job, attempt] { post(job, attempt + 1); });
    };
    if (!chronos_.up()) return again();
    // A change whose answer was lost may be there, and be durable when a restart has read it.
    if (attempt > 0 && chronos_.get("/scheduler/job/" + job.name).status == 200) {
      acknowledged_.insert(job.name);
      return;
    }
    base::http::Request request;
    request.method = "POST";
    request.target = request.path = job.parents.empty() ? "/scheduler/iso8601" : "/scheduler/dependency";
    request.headers.set("Content-Type", "application/json");
    request.body = body_of(job);
    chronos_.request(std::move(request), [this, job](const base::http::Response& response) {
      if (response.status == 204) acknowledged_.insert(job.name);
    });
    world_.after(base::milliseconds(300), [this, job, attempt] {
      if (acknowledged_.count(job.name) == 0) post(job, attempt + 1);
    });
  }

  void schedule_jump() {
    world_.after(world_.random().jitter(base::seconds(60)), [this] {
      if (!context_.faults_on) return;
      auto& random = world_.random();
      const auto offset = base::seconds(static_cast<int64_t>(random.below(1200)) - 600);
      world_.trace("clock", fmt::format("is {} s off", offset.count()));
      chronos_.set_clock(offset, random.chance(0.7));
      schedule_jump();
    });
  }

  const Plan& plan_of(const std::string& name) const {
    return *std::find_if(jobs_.begin(), jobs_.end(), [&](const Plan& job) { return job.name == name; });
  }

  void started(const std::string& task) {
    const auto parts = chronos::parse_task_id(task);
    CHECK(parts);
    const Plan& plan = plan_of(parts->job);
    Seen& seen = seen_[parts->job];
    const base::Instant now = world_.now().instant;
    if (!plan.concurrent && !seen.running.empty())
      world_.fail(fmt::format("task {} begins while {} runs", task, seen.running.begin()->first));
    seen.running[task] = now;
    seen.last_start = now;
    for (const std::string& parent : plan.parents) {
      const Seen& above = seen_[parent];
      if (above.completions == 0 || above.first_end > now)
        world_.fail(fmt::format("task {} begins before a run of its parent {} has ended", task, parent));
    }
    check_lateness(plan, task);
    if (!chronos_.up()) return;
    const auto& runs = chronos_.core().state().runs;
    if (const auto run = runs.find(task); run != runs.end() && run->second.from.failures > 0) retries_.insert(task);
  }

  /// A run that did not fail before is launched within its epsilon, by the clock that the scheduler sees.
  void check_lateness(const Plan& plan, const std::string& task) {
    if (plan.slots == 0 || !chronos_.up()) return;
    const auto& runs = chronos_.core().state().runs;
    const auto run = runs.find(task);
    if (run == runs.end() || run->second.from.failures > 0) return;
    const base::Duration late = run->second.launched - chronos::time_of_milliseconds(run->second.from.due_ms);
    // Only a launch that is made again may find the clock before its slot.
    if (late < base::Duration(0) && run->second.from.attempt == 0) world_.fail(fmt::format("task {} was launched before its slot", task));
    if (late > plan.epsilon)
      world_.fail(fmt::format("task {} was launched {} ms after its slot, later than its epsilon", task,
                              std::chrono::duration_cast<std::chrono::milliseconds>(late).count()));
  }

  void ended(const std::string& task) {
    const auto parts = chronos::parse_task_id(task);
    Seen& seen = seen_[parts->job];
    const auto running = seen.running.find(task);
    if (running == seen.running.end()) return;
    const base::Instant now = world_.now().instant;
    const bool complete = now - running->second >= plan_of(parts->job).runs_for;
    seen.running.erase(running);
    if (!complete) return;
    if (seen.completions == 0) seen.first_end = now;
    seen.last_end = now;
    if (++seen.complete[parts->due_ms] == 1) {
      ++seen.completions;
      ++completions_;
    } else if (retries_.count(task) == 0) {
      // An agent that could not write down how a task ended says that it failed.
      world_.fail(fmt::format("the run of {} at {} was done twice", parts->job, parts->due_ms));
    }
  }

  /// The first job that has something to do; empty: none.
  std::string unfinished() {
    if (!chronos_.up()) return "the scheduler is down";
    for (const Plan& job : jobs_) {
      const chronos::JobState* state = chronos::find_job(chronos_.core().state(), job.name);
      if (!state) return job.name + " is not there";
      if (!state->active.empty() || !state->pending.empty()) return job.name + " has runs";
      if (state->schedule && !state->schedule->exhausted()) return job.name + " has slots: " + state->schedule->render();
    }
    return {};
  }

  void check() {
    for (const Plan& job : jobs_) {
      const chronos::JobState& state = *chronos::find_job(chronos_.core().state(), job.name);
      const Seen& seen = seen_[job.name];
      if (state.counters.successes != seen.completions)
        world_.fail(fmt::format("{} counts {} successes, {} runs were done", job.name, state.counters.successes, seen.completions));
      if (state.counters.errors != 0) world_.fail(fmt::format("{} counts {} errors", job.name, state.counters.errors));
      skipped_ += state.history.skipped();
      if (job.slots > 0 && seen.completions + state.history.skipped() != job.slots)
        world_.fail(fmt::format("{}: {} runs and {} skipped of {} slots", job.name, seen.completions, state.history.skipped(),
                                job.slots));
      if (job.epsilon >= base::hours(100) && state.history.skipped() > 0)
        world_.fail(fmt::format("{}: {} slots are skipped within their epsilon", job.name, state.history.skipped()));
      check_follows(job, seen);
    }
    if (!placement_.running().empty()) world_.fail(placement_.running().begin()->first + " runs although all has ended");
  }

  void check_follows(const Plan& job, const Seen& seen) {
    int64_t least = INT64_MAX;
    if (job.parents.empty()) return;
    // Of several: a slot that ran late alone, after one that came later, has no counterpart to wait for.
    base::Instant last = seen_[job.parents[0]].last_end;
    for (const std::string& parent : job.parents) {
      least = std::min(least, seen_[parent].completions);
      last = std::min(last, seen_[parent].last_end);
    }
    if (seen.completions > least)
      world_.fail(fmt::format("{} was done {} times, a parent of it {} times", job.name, seen.completions, least));
    if (least > 0 && (seen.completions == 0 || seen.last_start < last))
      world_.fail(fmt::format("{} does not follow the last success of its parents", job.name));
  }

  base::Random random_;
  FaultPlan plan_;
  World world_;
  Network network_;
  Context context_;
  SimMaster master_;
  PlacementChecker placement_;
  SimChronos chronos_;
  std::vector<std::unique_ptr<SimAgent>> agents_;
  std::vector<Plan> jobs_;
  std::set<std::string> acknowledged_;
  std::set<std::string> retries_;  // tasks after one that was reported as failed
  std::map<std::string, Seen> seen_;
  int64_t completions_ = 0, skipped_ = 0;
  bool clock_jumps_ = false;
};

}  // namespace

Outcome run_chronos(uint64_t seed, bool print) {
  return Run(seed, print).run();
}

}  // namespace sim
