// All jobs with their state, as a list or as a graph of what runs after what.

import { useMemo } from "react";
import { jobs, jobsPoll } from "../api/chronos";
import { usePoll, type PollStatus } from "../api/poll";
import { useStore } from "../api/store";
import { NotLive, Stale } from "../components/absent";
import { DataTable, RowLink } from "../components/data_table";
import { Icon } from "../components/icons";
import { JobBadge, NextRun } from "../components/job_badge";
import { JobGraph } from "../components/job_graph";
import { PageHead } from "../components/page_head";
import { Empty } from "../components/states";
import { Toolbar, useFilterText, type Chip } from "../components/toolbar";
import { formatAgo, formatTime, plural } from "../format";
import { useNow } from "../hooks";
import { parseFilter, passes } from "../model/filter";
import { relatives, tagsOfJob, viewJobs, type JobView } from "../model/jobs";
import { jobHref, setQuery, useRoute } from "../router";

const kChips: readonly (readonly [tag: string, label: string])[] = [
  ["running", "Running"],
  ["queued", "Queued"],
  ["overdue", "Overdue"],
  ["failed", "Failed"],
  ["succeeded", "Succeeded"],
  ["fresh", "Never ran"],
  ["disabled", "Disabled"],
];

/** Chronos is not there, or silent: said in the same words on all its pages. */
export function JobsNotLive({ status }: { status: PollStatus }) {
  return (
    <NotLive
      status={status}
      onRetry={() => jobsPoll.now()}
      label="Loading jobs"
      what="Chronos, which runs jobs"
      remedy={
        <>
          Nothing here runs programs on a schedule. Start <code>dcos-chronos</code> with this cluster&rsquo;s
          master, and this page fills by itself.
        </>
      }
    />
  );
}

function ViewSwitch({ graph }: { graph: boolean }) {
  return (
    <div className="switch" role="group" aria-label="Show as">
      <button className="button" aria-pressed={!graph} onClick={() => setQuery("view", "")}>
        <Icon name="tasks" size={14} /> List
      </button>
      <button
        className="button"
        aria-pressed={graph}
        onClick={() => setQuery("view", "graph")}
        data-view="graph"
      >
        <Icon name="graph" size={14} /> Graph
      </button>
    </div>
  );
}

function JobTable({ rows, all, now }: { rows: readonly JobView[]; all: number; now: number }) {
  return (
    <DataTable
      name="jobs"
      label="Jobs"
      rows={rows}
      rowKey={(j) => j.name}
      rowHref={(j) => jobHref(j.name)}
      initialSort={{ key: "name", down: false }}
      windowed
      empty={
        all ? (
          <Empty title="No job passes the filter" />
        ) : (
          <Empty title="No jobs yet">
            A job is a program that runs and ends: at certain times, or after other jobs.{" "}
            <a href="#/jobs/new">Create the first one</a>
          </Empty>
        )
      }
      columns={[
        {
          key: "name",
          title: "Job",
          sort: (j) => j.name,
          render: (j) => (
            <>
              <RowLink href={jobHref(j.name)} title={j.name}>
                <strong>{j.name}</strong>
              </RowLink>
              <div className="sub">{j.job?.command || j.job?.description || "\u00a0"}</div>
            </>
          ),
        },
        {
          key: "state",
          title: "State",
          width: "120px",
          sort: (j) => `${j.state} ${j.result}`,
          render: (j) => <JobBadge job={j} />,
        },
        {
          key: "next",
          title: "Next run",
          width: "150px",
          level: 2,
          sort: (j) => (Number.isNaN(j.nextRun) ? Number.MAX_SAFE_INTEGER : j.nextRun),
          render: (j) => <NextRun job={j} now={now} />,
        },
        {
          key: "last",
          title: "Last run",
          width: "140px",
          numeric: true,
          level: 2,
          sort: (j) => j.lastRun,
          render: (j) => (
            <span className={j.result === "failure" ? "bad-text" : "dim"} title={formatTime(j.lastRun)}>
              {formatAgo(j.lastRun, now)}
            </span>
          ),
        },
        {
          key: "errors",
          title: "Failures",
          width: "90px",
          numeric: true,
          level: 3,
          sort: (j) => j.job?.errorCount ?? 0,
          render: (j) => <span className="dim">{j.job?.errorCount || "–"}</span>,
        },
      ]}
    />
  );
}

export function Jobs() {
  const status = usePoll(jobsPoll);
  const state = useStore(jobs);
  const now = useNow(1000);
  const text = useFilterText();
  const graph = useRoute().query.get("view") === "graph";
  const all = useMemo(() => viewJobs(state), [state]);
  // What is overdue changes by the second; a table of thousands need not be sorted again for that.
  const slowNow = Math.floor(now / 5000) * 5000;
  const rows = useMemo(() => {
    const filter = parseFilter(text);
    return all.filter((j) =>
      passes(
        filter,
        `${j.name} ${j.job?.command ?? ""} ${j.job?.owner ?? ""} ${j.job?.description ?? ""}`,
        tagsOfJob(j, slowNow),
      ),
    );
  }, [all, text, slowNow]);
  const drawn = useMemo(() => {
    if (!graph) return [];
    const waited = new Set(all.flatMap((j) => j.parents));
    const linked = all.filter((j) => j.parents.length || waited.has(j.name));
    if (!text) return linked;
    const wanted = relatives(
      state.rows,
      rows.map((j) => j.name),
    );
    return linked.filter((j) => wanted.has(j.name));
  }, [graph, all, rows, text, state.rows]);
  const chips = useMemo(() => {
    const counts = new Map<string, number>();
    for (const job of all)
      for (const tag of tagsOfJob(job, slowNow))
        counts.set(tag.toLowerCase(), (counts.get(tag.toLowerCase()) ?? 0) + 1);
    return kChips.flatMap(([tag, label]): Chip[] => {
      const count = counts.get(tag);
      return count ? [{ tag, label, count }] : [];
    });
  }, [all, slowNow]);

  return (
    <>
      <PageHead title="Jobs">
        {state.ready && (
          <>
            <ViewSwitch graph={graph} />
            <a className="button primary" href="#/jobs/new">
              <Icon name="plus" size={14} /> New job
            </a>
          </>
        )}
      </PageHead>
      {!state.ready ? (
        <JobsNotLive status={status} />
      ) : (
        <>
          <Stale status={status} who="Chronos" onRetry={() => jobsPoll.now()} />
          {all.length > 0 && <Toolbar placeholder="Filter jobs" chips={chips.length > 1 ? chips : []} />}
          {graph ? (
            <>
              <JobGraph jobs={drawn} />
              {all.length > drawn.length && drawn.length > 0 && (
                <p className="dim">
                  Not drawn: {plural(all.length - drawn.length, "job")} that{" "}
                  {text ? "the filter leaves out or that " : ""}nothing depends on, and that{" "}
                  {all.length - drawn.length === 1 ? "depends" : "depend"} on nothing.
                </p>
              )}
            </>
          ) : (
            <JobTable rows={rows} all={all.length} now={now} />
          )}
        </>
      )}
    </>
  );
}
