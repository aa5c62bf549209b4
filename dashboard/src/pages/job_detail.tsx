// One job: when it runs, how its runs went, what it waits for, and its definition.

import { useMemo } from "react";
import { getJob, getStat, jobs, jobsPoll } from "../api/chronos";
import type { JobStat } from "../api/chronos_types";
import { kernel } from "../api/live";
import { Poller, usePoll } from "../api/poll";
import { Store, useStore } from "../api/store";
import { Stale } from "../components/absent";
import { DataTable, RowLink } from "../components/data_table";
import { JobActions } from "../components/job_actions";
import { JobBadge, NextRun } from "../components/job_badge";
import { JobGraph } from "../components/job_graph";
import { JsonText } from "../components/json_editor";
import { Facts, PageHead } from "../components/page_head";
import { Upcoming } from "../components/schedule_field";
import { Empty, Failure, Loading } from "../components/states";
import { Badge } from "../components/status";
import { Tabs, useTab } from "../components/tabs";
import { formatAgo, formatMib, formatNumber, formatTime, parseTime, plural } from "../format";
import { useNow } from "../hooks";
import {
  childrenOf,
  definitionOfJob,
  inOwnZone,
  relatives,
  viewJob,
  viewJobs,
  viewRun,
  type JobView,
} from "../model/jobs";
import { describePeriod, parseSchedule } from "../model/schedule";
import { jobHref, taskHref } from "../router";
import { JobsNotLive } from "./jobs";

const kEveryMs = 2000;
const kCrumbs = [{ label: "Jobs", href: "#/jobs" }];

/** The runs of one job, read again while they are looked at. */
function useStat(name: string) {
  const source = useMemo(() => {
    const store = new Store<JobStat | null>(null);
    let last = "";
    const poller = new Poller(kEveryMs, async (signal) => {
      const [stat, job] = await Promise.all([getStat(name, signal), getJob(name, signal)]);
      jobs.update((s) => {
        const before = s.jobs.get(name);
        if (JSON.stringify(before) === JSON.stringify(job)) return s;
        return { ...s, jobs: new Map(s.jobs).set(name, job) };
      });
      const text = JSON.stringify(stat);
      if (text !== last) store.set(stat);
      last = text;
    });
    return { store, poller };
  }, [name]);
  return { status: usePoll(source.poller), stat: useStore(source.store), retry: () => source.poller.now() };
}

const kPercentiles: readonly (readonly [key: string, label: string])[] = [
  ["median", "Half within"],
  ["75thPercentile", "75 % within"],
  ["95thPercentile", "95 % within"],
  ["99thPercentile", "99 % within"],
  ["mean", "Mean"],
];

function Durations({ stat }: { stat: JobStat }) {
  const histogram = stat.histogram ?? {};
  const count = histogram["count"] ?? 0;
  const most = Math.max(...kPercentiles.map(([key]) => histogram[key] ?? 0), 0);
  if (count === 0) return <p className="dim">Known once a run has ended.</p>;
  return (
    <div className="durations">
      {kPercentiles.map(([key, label]) => {
        const seconds = histogram[key] ?? 0;
        return (
          <div key={key}>
            <span className="dim">{label}</span>
            <span className="bar tall" aria-hidden="true">
              <i className="plain" style={{ width: `${most > 0 ? (seconds / most) * 100 : 0}%` }} />
            </span>
            <span className="numeric">{formatNumber(seconds, seconds < 10 ? 2 : 0)} s</span>
          </div>
        );
      })}
      <p className="dim">Of {plural(count, "run")}.</p>
    </div>
  );
}

function Runs({ stat }: { stat: JobStat }) {
  const { tasks } = useStore(kernel);
  const now = useNow(5000);
  const frameworkOf = useMemo(
    () => new Map([...tasks.values()].map((t) => [t.task_id.value, t.framework_id.value])),
    [tasks],
  );
  const runs = (stat.taskStatHistory ?? []).map(viewRun);
  const href = (id: string) => taskHref(frameworkOf.get(id) ?? "-", id);
  return (
    <DataTable
      name="runs"
      label="Last runs"
      rows={runs}
      rowKey={(r) => r.taskId}
      initialSort={{ key: "due", down: true }}
      empty={
        <Empty title="It has not run yet">
          Run it now, or wait for its next slot; the last runs are kept here.
        </Empty>
      }
      columns={[
        {
          key: "due",
          title: "Was due",
          sort: (r) => r.due,
          render: (r) =>
            frameworkOf.has(r.taskId) ? (
              <RowLink href={href(r.taskId)} title={r.taskId}>
                {formatTime(r.due)} <span className="dim">{formatAgo(r.due, now)}</span>
              </RowLink>
            ) : (
              <span title={r.taskId}>
                {formatTime(r.due)} <span className="dim">{formatAgo(r.due, now)}</span>
              </span>
            ),
        },
        {
          key: "status",
          title: "Result",
          width: "120px",
          sort: (r) => r.status,
          render: (r) => <Badge tone={r.tone}>{r.status}</Badge>,
        },
        {
          key: "attempt",
          title: "Attempt",
          width: "90px",
          numeric: true,
          level: 2,
          sort: (r) => r.attempt,
          render: (r) => r.attempt + 1,
        },
        {
          key: "duration",
          title: "Took",
          width: "110px",
          numeric: true,
          level: 2,
          render: (r) => r.duration || <span className="dim">–</span>,
        },
        {
          key: "log",
          title: "",
          width: "64px",
          render: (r) =>
            frameworkOf.has(r.taskId) ? (
              <a className="button small" href={`${href(r.taskId)}?tab=logs`}>
                Log
              </a>
            ) : null,
        },
      ]}
    />
  );
}

function JobLinks({ names }: { names: readonly string[] }) {
  return (
    <span className="labels">
      {names.map((name) => (
        <a key={name} href={jobHref(name)}>
          <code>{name}</code>
        </a>
      ))}
    </span>
  );
}

function Summary({ view, waiting, now }: { view: JobView; waiting: readonly string[]; now: number }) {
  const job = view.job;
  const read = view.schedule ? parseSchedule(view.schedule, view.zone) : null;
  const flags = [
    job?.concurrent && "may overlap itself",
    job?.highPriority && "goes first",
    job?.softError && "jobs after it run even when it fails",
  ].filter(Boolean);
  return (
    <section className="card summary">
      <Facts
        facts={[
          [
            "Runs",
            read?.ok
              ? `${describePeriod(read.schedule.period)}${read.schedule.repeat === Infinity ? "" : `, ${plural(read.schedule.repeat, "time")} more`}`
              : view.parents.length > 0 && <JobLinks names={view.parents} />,
          ],
          [
            "Next run",
            view.parents.length === 0 && (
              <>
                <NextRun job={view} now={now} />
                {!Number.isNaN(view.nextRun) && (
                  <div className="dim">{inOwnZone(view) || formatTime(view.nextRun)}</div>
                )}
              </>
            ),
          ],
          ["Jobs after it", waiting.length > 0 && <JobLinks names={waiting} />],
          [
            "Last success",
            job?.lastSuccess && (
              <span title={formatTime(parseTime(job.lastSuccess))}>
                {formatAgo(parseTime(job.lastSuccess), now)}
              </span>
            ),
          ],
          [
            "Last failure",
            job?.lastError && (
              <span className="bad-text" title={formatTime(parseTime(job.lastError))}>
                {formatAgo(parseTime(job.lastError), now)}
              </span>
            ),
          ],
          [
            "So far",
            job &&
              `${formatNumber(job.successCount ?? 0)} succeeded, ${formatNumber(job.errorCount ?? 0)} failed`,
          ],
          [
            "Command",
            job?.command && (
              <code className="clip" title={job.command}>
                {job.command}
              </code>
            ),
          ],
          ["Image", job?.container?.image ?? ""],
          [
            "Per run",
            job &&
              `${formatNumber(job.cpus ?? 0)} CPU, ${formatMib(job.mem ?? 0)}, ${plural(job.retries ?? 0, "retry").replace("retrys", "retries")}`,
          ],
          ["Late start", job?.epsilon ? `up to ${job.epsilon}` : ""],
          ["Owner", job?.owner ?? ""],
          ["Description", job?.description ?? ""],
          ["Also", flags.join(", ")],
        ]}
      />
    </section>
  );
}

function Overview({ view, stat, now }: { view: JobView; stat: JobStat | null; now: number }) {
  return (
    <div className="columns">
      <section className="card">
        <h2>Next runs</h2>
        {view.state === "Disabled" || view.job?.disabled ? (
          <p className="dim">None while it is disabled.</p>
        ) : view.parents.length > 0 ? (
          <p className="dim">
            Whenever {view.parents.length === 1 ? "its parent has" : "all its parents have"} succeeded.
          </p>
        ) : (
          <Upcoming
            schedule={view.schedule}
            zone={view.zone}
            epsilon={view.job?.epsilon ?? ""}
            now={now}
            count={8}
          />
        )}
      </section>
      <section className="card">
        <h2>How long it runs</h2>
        {stat ? <Durations stat={stat} /> : <Loading rows={4} />}
      </section>
    </div>
  );
}

export function JobDetail({ name }: { name: string }) {
  const listStatus = usePoll(jobsPoll);
  const state = useStore(jobs);
  const { status, stat, retry } = useStat(name);
  const now = useNow(1000);
  const row = state.rows.find((r) => r.name === name);
  const family = useMemo(() => {
    const wanted = relatives(state.rows, [name]);
    return viewJobs(state).filter((j) => wanted.has(j.name));
  }, [state, name]);
  const tabs = [
    { key: "overview", label: "Overview" },
    { key: "runs", label: "Runs", count: stat?.taskStatHistory?.length },
    { key: "graph", label: "Graph", count: family.length > 1 ? family.length : undefined },
    { key: "definition", label: "Definition" },
  ];
  const tab = useTab(tabs);
  if (!state.ready)
    return (
      <>
        <PageHead title={name} crumbs={kCrumbs} />
        <JobsNotLive status={listStatus} />
      </>
    );
  if (!row)
    return (
      <>
        <PageHead title={name} crumbs={kCrumbs} />
        <div className="panel">
          <Empty title="There is no such job">
            It was deleted, or never was. <a href="#/jobs">All jobs</a>
          </Empty>
        </div>
      </>
    );
  const view = viewJob(row, state.jobs.get(name));
  const waiting = childrenOf(state.rows, name);
  return (
    <>
      <PageHead title={name} crumbs={kCrumbs} badge={<JobBadge job={view} />}>
        <JobActions job={view} waiting={waiting} />
      </PageHead>
      <Stale status={listStatus} who="Chronos" onRetry={() => jobsPoll.now()} />
      {(view.job?.errorsSinceLastSuccess ?? 0) > 0 && (
        <div className="notice bad">
          <div>
            {plural(view.job!.errorsSinceLastSuccess!, "run")} failed since the last success. The{" "}
            <a className="text-button" href={`${jobHref(name)}?tab=runs`}>
              log of the last run
            </a>{" "}
            says why.
          </div>
        </div>
      )}
      <Summary view={view} waiting={waiting} now={now} />
      <Tabs tabs={tabs} label="Job" />
      {tab === "overview" && <Overview view={view} stat={stat} now={now} />}
      {tab === "runs" &&
        (stat ? (
          <Runs stat={stat} />
        ) : (
          <div className="panel">
            {status.phase === "lost" || status.phase === "absent" ? (
              <Failure title="The runs cannot be read" error={status.error} onRetry={retry} />
            ) : (
              <Loading />
            )}
          </div>
        ))}
      {tab === "graph" && <JobGraph jobs={family.length > 1 ? family : []} marked={name} />}
      {tab === "definition" && view.job && (
        <pre className="panel code" tabIndex={0}>
          <JsonText text={JSON.stringify(definitionOfJob(view.job), null, 2)} />
        </pre>
      )}
    </>
  );
}
