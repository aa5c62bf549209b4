// Changing jobs: create, replace, delete, run by hand, mark as successful.

#include <fmt/format.h>

#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "chronos/api/api.hpp"
#include "chronos/due.hpp"
#include "chronos/graph.hpp"
#include "chronos/runs.hpp"

namespace chronos::api {
namespace {

using base::http::Response;

/// Jobs as they were before a change.
using Before = std::vector<std::pair<JobName, std::optional<JobState>>>;

void remember(const State& state, const JobName& name, Before& before) {
  const JobState* job = find_job(state, name);
  before.emplace_back(name, job ? std::optional(*job) : std::nullopt);
}

std::function<void(Turn&)> putting_back(Before before) {
  return [before = std::move(before)](Turn& later) {
    for (const auto& [name, old] : before) {
      std::optional<JobState> job = old;
      // What has happened to its runs meanwhile stays.
      if (const JobState* now = find_job(later.state, name); now && job) {
        job->held = now->held > 0 ? now->held - 1 : 0;
        job->active = now->active;
        job->history = now->history;
      }
      if (job) std::erase_if(job->active, [&](const TaskId& id) { return !later.state.runs.contains(id); });
      put_job(later, name, std::move(job));
    }
  };
}

bool is_json(const base::http::Request& request) {
  const std::string type = base::to_lower(request.headers.get_or("Content-Type", ""));
  return base::trim(std::string_view(type).substr(0, type.find(';'))) == "application/json";
}

/// What the body asks for as a state: new, or the stored one with a new definition.
base::Result<JobState> desired_state(Turn& turn, JobBody body) {
  const JobState* old = find_job(turn.state, body.job.name);
  JobState next;
  if (old) next = *old;
  ++next.held;
  const std::set<JobName> parents_before = next.job.parents;
  next.job = std::move(body.job);
  if (body.counters) next.counters = *body.counters;
  if (next.job.is_dependent()) {
    next.schedule.reset();
    if (next.job.parents != parents_before) next.edges.clear();
  } else {
    next.edges.clear();
    if (next.job.schedule.empty()) {
      next.job.schedule = fmt::format("R1/{}/PT24H", base::render_iso8601(turn.now.time));
    }
    ASSIGN_OR_RETURN(Schedule schedule,
                     Schedule::parse(next.job.schedule, next.job.schedule_time_zone, turn.zones, turn.now.time));
    // Somebody who posts back what GET has shown does not move the anchor.
    const bool same = old && old->schedule && old->schedule->render() == schedule.render() &&
                      old->job.schedule_time_zone == next.job.schedule_time_zone;
    if (!same) next.schedule = std::move(schedule);
  }
  return next;
}

base::Status check_parents(const State& state, const Job& job) {
  for (const JobName& parent : job.parents) {
    if (!state.jobs.contains(parent)) {
      return base::invalid(fmt::format("parents: job '{}' depends on '{}', which does not exist", job.name, parent));
    }
  }
  const auto cycle = find_cycle(job.name, job.parents, parents_in(state));
  if (cycle.empty()) return {};
  std::string way;
  for (const JobName& step : cycle) way += (way.empty() ? "" : " -> ") + step;
  return base::invalid("parents: circular dependency: " + way);
}

base::Status store_job(Turn& turn, const Request& request, JobBody body) {
  RETURN_IF_ERROR(validate_job(body));
  RETURN_IF_ERROR(check_parents(turn.state, body.job));
  const bool is_new = !turn.state.jobs.contains(body.job.name);
  if (is_new && turn.state.jobs.size() >= turn.policy.max_jobs) {
    return base::invalid(fmt::format("there are {} jobs already, and no more are possible", turn.policy.max_jobs));
  }
  const JobName name = body.job.name;
  Before before;
  remember(turn.state, name, before);
  ASSIGN_OR_RETURN(JobState next, desired_state(turn, std::move(body)));
  put_job(turn, name, std::move(next));
  turn.info(fmt::format("job {} is {}", name, is_new ? "created" : "replaced"));
  when_durable(turn, [name](Turn& later, const base::Status& status) {
    JobState* job = find_job(later.state, name);
    if (!status || !job || job->held == 0) return;
    --job->held;
    later.state.touched.insert(name);
  });
  reply_when_durable(turn, request.call, putting_back(std::move(before)));
  return {};
}

void post(Turn& turn, const Request& request, bool dependent) {
  if (!is_json(request.http)) {
    return turn.out.reply(request.call, refuse(415, "the body must have Content-Type: application/json"));
  }
  const auto refuse_with = [&](const base::Error& error) {
    const int status = error.code == base::Code::TooLarge ? 413 : 400;
    turn.out.reply(request.call, refuse(status, error.message));
  };
  auto body = parse_job(request.http.body, turn.policy.defaults);
  if (!body) return refuse_with(body.error());
  if (dependent) {
    if (body->job.parents.empty()) {
      return refuse_with(base::invalid("parents must name at least one job; a job with a schedule goes to /iso8601"));
    }
    body->job.schedule.clear();
    body->job.schedule_time_zone.clear();
  } else {
    if (body->has_parents && !body->job.parents.empty()) {
      return refuse_with(base::invalid("parents cannot be given for a job with a schedule; post it to /dependency"));
    }
    body->job.parents.clear();
  }
  if (auto stored = store_job(turn, request, std::move(*body)); !stored) refuse_with(stored.error());
}

/// What becomes of the children of a job that is removed.
void adopt_children(Turn& turn, const JobState& gone, Before& before) {
  const auto it = turn.state.children.find(gone.job.name);
  if (it == turn.state.children.end()) return;
  const std::set<JobName> children = it->second;
  for (const JobName& name : children) {
    remember(turn.state, name, before);
    JobState child = *find_job(turn.state, name);
    child.job.parents.erase(gone.job.name);
    child.edges.erase(gone.job.name);
    child.job.parents.insert(gone.job.parents.begin(), gone.job.parents.end());
    if (child.job.parents.empty()) {
      // Nothing else would start it: it takes over the schedule.
      child.job.schedule = gone.job.schedule;
      child.job.schedule_time_zone = gone.job.schedule_time_zone;
      child.schedule = gone.schedule;
      child.edges.clear();
    }
    put_job(turn, name, std::move(child));
  }
}

}  // namespace

void post_scheduled(Turn& turn, const Request& request) { post(turn, request, false); }
void post_dependent(Turn& turn, const Request& request) { post(turn, request, true); }

void delete_job(Turn& turn, const Request& request) {
  const JobState* found = job_of(turn, request);
  if (!found) return;
  const JobState gone = *found;
  Before before;
  remember(turn.state, gone.job.name, before);
  adopt_children(turn, gone, before);
  put_job(turn, gone.job.name, std::nullopt);
  turn.info(fmt::format("job {} is deleted", gone.job.name));
  when_durable(turn, [gone](Turn& later, const base::Status& status) {
    if (!status) return;
    kill_runs(later, gone);
    notify_owners(later, gone, fmt::format("Your job '{}' was deleted!", gone.job.name), {});
  });
  reply_when_durable(turn, request.call, putting_back(std::move(before)));
}

void run_job(Turn& turn, const Request& request) {
  JobState* job = job_of(turn, request);
  if (!job) return;
  const JobName name = job->job.name;
  std::string arguments = request.http.query().get("arguments").value_or("");
  std::erase(arguments, ';');
  if (arguments.size() > 4096 || arguments.find('\0') != std::string::npos) {
    return turn.out.reply(request.call, refuse(400, "arguments is longer than 4096 bytes, or not a text"));
  }
  const Pending* wanted = want_run(turn, *job, Trigger::Manual, 0, std::move(arguments));
  if (!wanted) return reply_when_durable(turn, request.call, {});
  const uint64_t sequence = wanted->sequence;
  job->pending.back().held = true;
  when_durable(turn, [call = request.call, name, sequence](Turn& later, const base::Status& status) {
    if (JobState* again = find_job(later.state, name)) {
      for (Pending& p : again->pending) {
        if (p.sequence == sequence) p.held = false;
      }
      if (!status) std::erase_if(again->pending, [&](const Pending& p) { return p.sequence == sequence; });
      later.state.touched.insert(name);
    }
    later.out.reply(call, status ? no_content() : not_stored(status));
  });
}

void mark_job(Turn& turn, const Request& request) {
  const std::string name = request.parameters.at("name");
  JobState* job = find_job(turn.state, name);
  if (!job) {
    return turn.out.reply(request.call, Response::text(200, fmt::format("marked job {} as successful: false", name)));
  }
  mark_success(turn, *job);
  when_durable(turn, [call = request.call, name](Turn& later, const base::Status& status) {
    if (!status) return later.out.reply(call, not_stored(status));
    later.out.reply(call, Response::text(200, fmt::format("marked job {} as successful: true", name)));
  });
}

}  // namespace chronos::api
