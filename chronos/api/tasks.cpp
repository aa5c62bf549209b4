// Tasks of jobs: kill, report the end of an asynchronous one, purge, progress.

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "chronos/api/api.hpp"
#include "chronos/runs.hpp"

namespace chronos::api {

void kill_job(Turn& turn, const Request& request) {
  const JobState* job = job_of(turn, request);
  if (!job) return;
  kill_runs(turn, *job);
  reply_when_durable(turn, request.call, {});
}

void complete_task(Turn& turn, const Request& request) {
  const std::string& id = request.parameters.at("task");
  const auto body = base::json::parse(request.http.body, {.max_bytes = 64 << 10});
  const auto code = body ? base::json::get_int(*body, "/statusCode") : base::Result<int64_t>(body.error());
  if (!code) {
    return turn.out.reply(request.call, refuse(400, "the body must be {\"statusCode\":0}: " + code.error().message));
  }
  const auto run = turn.state.runs.find(id);
  const JobState* job = run == turn.state.runs.end() ? nullptr : find_job(turn.state, run->second.job);
  if (!job) return turn.out.reply(request.call, refuse(400, fmt::format("task '{}' is not running", id)));
  if (!job->job.async) {
    return turn.out.reply(request.call, refuse(400, fmt::format("job '{}' is not async: its task's end is its outcome",
                                                                job->job.name)));
  }
  finish(turn, id, *code == 0 ? Outcome::Success : Outcome::Failure, fmt::format("reported with code {}", *code));
  reply_when_durable(turn, request.call, {});
}

void purge_tasks(Turn& turn, const Request& request) {
  for (auto& [name, job] : turn.state.jobs) {
    const size_t before = job.pending.size();
    // A slot of a schedule is made anew from it.
    std::erase_if(job.pending, [](const Pending& p) { return p.trigger != Trigger::Slot; });
    if (job.pending.size() != before) touch(turn, name);
  }
  reply_when_durable(turn, request.call, {});
}

void report_progress(Turn& turn, const Request& request) {
  const JobState* job = job_of(turn, request);
  if (!job) return;
  const std::string& id = request.parameters.at("task");
  const auto refuse_with = [&](const std::string& message) { turn.out.reply(request.call, refuse(400, message)); };
  if (!id.starts_with("ct:")) return refuse_with(fmt::format("'{}' is not the id of a task: these begin with ct:", id));
  if (!job->job.data_processing) return refuse_with(fmt::format("job '{}' has no dataProcessingJobType", job->job.name));
  const auto body = base::json::parse(request.http.body, {.max_bytes = 64 << 10});
  const auto more = body ? base::json::get_int(*body, "/numAdditionalElementsProcessed") : base::Result<int64_t>(body.error());
  if (!more) return refuse_with("the body must be {\"numAdditionalElementsProcessed\":N}: " + more.error().message);
  if (*more < 0 || *more > int64_t{1} << 50) return refuse_with("numAdditionalElementsProcessed must not be negative");
  const auto run = turn.state.runs.find(id);
  if (run == turn.state.runs.end() || run->second.job != job->job.name) {
    return refuse_with(fmt::format("job '{}' has no task '{}'", job->job.name, id));
  }
  run->second.elements += *more;
  turn.dirty.runs.insert(id);
  reply_when_durable(turn, request.call, {});
}

}  // namespace chronos::api
