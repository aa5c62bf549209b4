// The state of a job and its next run, as tables and heads show them.

import { formatDuration, formatTime } from "../format";
import { inOwnZone, isOverdue, toneOfJob, wordOfJob, type JobView } from "../model/jobs";
import { Badge } from "./status";

export function JobBadge({ job }: { job: JobView }) {
  const title = {
    success: "The last run succeeded",
    failure: "The last run failed",
    fresh: "It has never run",
  };
  return (
    <Badge tone={toneOfJob(job)} title={title[job.result]}>
      {wordOfJob(job)}
    </Badge>
  );
}

/** "in 2 h 5 min", with the whole time in a tooltip; what waits for other jobs names them. */
export function NextRun({ job, now }: { job: JobView; now: number }) {
  if (job.parents.length > 0)
    return (
      <span className="dim">
        after {job.parents.length === 1 ? job.parents[0] : `${job.parents.length} jobs`}
      </span>
    );
  if (Number.isNaN(job.nextRun)) return <span className="dim">–</span>;
  const own = inOwnZone(job);
  const title = own ? `${formatTime(job.nextRun)} here, ${own}` : formatTime(job.nextRun);
  if (isOverdue(job, now))
    return (
      <span className="bad-text" title={title}>
        overdue {formatDuration((now - job.nextRun) / 1000)}
      </span>
    );
  const seconds = (job.nextRun - now) / 1000;
  return <span title={title}>{seconds < 1 ? "now" : `in ${formatDuration(seconds)}`}</span>;
}
