// One service: instances, health, deployments, definition and what went wrong last.

import { useMemo, useState } from "react";
import { isEnded } from "../api/kernel_model";
import { kernel, marathon, marathonStream, refreshApp } from "../api/live";
import type { AppTask, HealthCheck } from "../api/marathon_types";
import { goBack, killInstance, versionOf, versionsOf } from "../api/services";
import { gatewayUrl } from "../api/http";
import { useStore } from "../api/store";
import { Copyable } from "../components/copy";
import { DataTable, RowLink } from "../components/data_table";
import { ConfirmDialog } from "../components/dialog";
import { Icon } from "../components/icons";
import { JsonText } from "../components/json_editor";
import { Facts, PageHead } from "../components/page_head";
import { ServiceActions } from "../components/service_actions";
import { Empty, Failure, Loading } from "../components/states";
import { Badge, InstanceBar, ServiceBadge, TaskBadge } from "../components/status";
import { Tabs, useTab } from "../components/tabs";
import { TaskTable } from "../components/task_table";
import { formatAgo, formatMib, formatNumber, formatTime, parseTime, plural } from "../format";
import { useLoad, useNow } from "../hooks";
import {
  appIdOfTask,
  definitionOf,
  instanceHealth,
  viewService,
  webPage,
  type ServiceView,
} from "../model/services";
import { portsOf, vipsOfApp } from "../model/vips";
import { nodeHref, taskHref } from "../router";
import { DeploymentCard } from "./deployments";

function HealthBadge({ task }: { task: AppTask }) {
  const health = instanceHealth(task);
  if (health === "unknown") return <span className="dim">–</span>;
  return (
    <Badge tone={health === "healthy" ? "good" : "bad"}>
      {health === "healthy" ? "Healthy" : "Unhealthy"}
    </Badge>
  );
}

function KillDialog({ task, onClose }: { task: AppTask; onClose: () => void }) {
  const [scale, setScale] = useState(false);
  return (
    <ConfirmDialog
      title="Kill an instance"
      action="Kill"
      dangerous
      run={(force) => killInstance(task, scale, force)}
      done="The instance is being killed"
      onClose={onClose}
      onDone={() => refreshApp(task.appId)}
    >
      <p>
        <code className="wrap-any">{task.podInstance ?? task.id}</code>
      </p>
      {task.podInstance && <p className="dim">All containers of this instance end together.</p>}
      <label className="check">
        <input type="checkbox" checked={scale} onChange={(e) => setScale(e.target.checked)} /> Also scale down
        by one, so that no replacement starts
      </label>
    </ConfirmDialog>
  );
}

function Instances({ service }: { service: ServiceView }) {
  const state = useStore(kernel);
  const now = useNow(5000);
  const [killing, setKilling] = useState<AppTask | null>(null);
  const frameworkOf = useMemo(() => {
    const found = new Map<string, string>();
    for (const task of state.tasks.values()) found.set(task.task_id.value, task.framework_id.value);
    return found;
  }, [state.tasks]);
  const href = (t: AppTask) => taskHref(frameworkOf.get(t.id) ?? "-", t.id);
  const checked =
    (service.app.healthChecks ?? []).length > 0 ||
    (service.app.pod?.containers ?? []).some((c) => c.healthCheck !== undefined);
  const address = (t: AppTask) =>
    [t.ipAddresses?.[0]?.ipAddress ?? t.host, t.ports?.join(", ")].filter(Boolean).join(":");
  return (
    <>
      <DataTable
        name="instances"
        label="Instances"
        rows={service.app.tasks ?? []}
        rowKey={(t) => t.id}
        rowHref={href}
        initialSort={{ key: "started", down: true }}
        empty={
          <Empty title={service.counts.wanted === 0 ? "Suspended" : "No instance has been placed yet"}>
            {service.hint}
          </Empty>
        }
        columns={[
          {
            key: "id",
            title: "Instance",
            sort: (t) => t.id,
            render: (t) => (
              <RowLink href={href(t)} title={t.id}>
                <span className="id">{t.id}</span>
              </RowLink>
            ),
          },
          {
            key: "state",
            title: "State",
            width: "112px",
            sort: (t) => t.state,
            render: (t) => <TaskBadge state={t.state} />,
          },
          ...(checked
            ? [
                {
                  key: "health",
                  title: "Health",
                  width: "112px",
                  level: 2 as const,
                  sort: (t: AppTask) => instanceHealth(t),
                  render: (t: AppTask) => <HealthBadge task={t} />,
                },
              ]
            : []),
          {
            key: "node",
            title: "Node",
            level: 2,
            sort: (t) => t.host ?? "",
            render: (t) =>
              t.slaveId ? <a href={nodeHref(t.slaveId)}>{t.host}</a> : <span className="dim">{t.host}</span>,
          },
          {
            key: "address",
            title: "Address",
            level: 3,
            sort: address,
            render: (t) => <code>{address(t)}</code>,
          },
          {
            key: "started",
            title: "Started",
            numeric: true,
            level: 2,
            width: "116px",
            sort: (t) => parseTime(t.startedAt ?? t.stagedAt),
            render: (t) => (
              <span className="dim" title={formatTime(parseTime(t.startedAt ?? t.stagedAt))}>
                {formatAgo(parseTime(t.startedAt ?? t.stagedAt), now)}
              </span>
            ),
          },
          {
            key: "act",
            title: "",
            width: "96px",
            render: (t) => (
              <span className="row-actions">
                <a className="button small" href={`${href(t)}?tab=logs`}>
                  Log
                </a>
                <button
                  className="icon-button"
                  aria-label={`Kill ${t.id}`}
                  title="Kill"
                  onClick={() => setKilling(t)}
                >
                  <Icon name="close" size={14} />
                </button>
              </span>
            ),
          },
        ]}
      />
      {killing && <KillDialog task={killing} onClose={() => setKilling(null)} />}
    </>
  );
}

function Ended({ id }: { id: string }) {
  const state = useStore(kernel);
  const tasks = useMemo(
    () => [...state.tasks.values()].filter((t) => isEnded(t.state) && appIdOfTask(t.task_id.value) === id),
    [state, id],
  );
  return (
    <TaskTable
      name="service-ended"
      state={state}
      tasks={tasks}
      empty={<Empty title="No instance has ended lately" />}
    />
  );
}

function describeCheck(check: HealthCheck): string {
  const target =
    check.command?.value ??
    [check.path ?? "", check.port ? `port ${check.port}` : `port index ${check.portIndex ?? 0}`]
      .filter(Boolean)
      .join(" on ");
  return `${check.protocol} ${target} · every ${check.intervalSeconds ?? 60} s · ${check.maxConsecutiveFailures ?? 3} failures kill · grace ${check.gracePeriodSeconds ?? 300} s`;
}

function Configuration({ service }: { service: ServiceView }) {
  const { app, id } = service;
  const [version, setVersion] = useState("");
  const [applying, setApplying] = useState(false);
  const versions = useLoad((signal) => versionsOf(app, signal), [id, app.version]);
  const shown = useLoad(async () => (version ? await versionOf(app, version) : null), [id, version]);
  const definition = shown.phase === "done" && shown.value ? shown.value : app;
  return (
    <div className="stack">
      <div className="toolbar">
        <label className="select">
          Version{" "}
          <select value={version} onChange={(e) => setVersion(e.target.value)}>
            <option value="">current, {formatTime(parseTime(app.version))}</option>
            {versions.phase === "done" &&
              versions.value
                .filter((v) => v !== app.version)
                .map((v) => (
                  <option key={v} value={v}>
                    {formatTime(parseTime(v))}
                  </option>
                ))}
          </select>
        </label>
        {version && (
          <button className="button" onClick={() => setApplying(true)}>
            Go back to this version
          </button>
        )}
        {versions.phase === "failed" && <span className="dim">Older versions cannot be read.</span>}
      </div>
      {shown.phase === "failed" ? (
        <div className="panel">
          <Failure title="This version cannot be read" error={shown.error} />
        </div>
      ) : (
        <pre className="panel code" tabIndex={0}>
          <JsonText text={JSON.stringify(definitionOf(definition), null, 2)} />
        </pre>
      )}
      {applying && (
        <ConfirmDialog
          title={`Go back to ${formatTime(parseTime(version))}`}
          action="Go back"
          run={(force) => goBack(app, version, force)}
          done={`${id} goes back to an older version`}
          onClose={() => setApplying(false)}
          onDone={() => (setVersion(""), refreshApp(id))}
        >
          <p>
            Deploys the definition of that version again. Instances are replaced as the upgrade strategy says.
          </p>
        </ConfirmDialog>
      )}
    </div>
  );
}

function Debug({ service }: { service: ServiceView }) {
  const { app, queue, id } = service;
  const now = useNow(1000);
  const failure = app.lastTaskFailure;
  const rejects = (queue?.rejects ?? []).filter((r) => r.declined > 0);
  return (
    <div className="columns">
      <section className="card">
        <h2>Last failure</h2>
        {failure ? (
          <Facts
            facts={[
              [
                "When",
                `${formatTime(parseTime(failure.timestamp))}, ${formatAgo(parseTime(failure.timestamp), now)}`,
              ],
              ["State", <TaskBadge state={failure.state ?? ""} />],
              ["Message", failure.message ?? ""],
              ["Host", failure.host ?? ""],
              ["Task", <code className="wrap-any">{failure.taskId}</code>],
            ]}
          />
        ) : (
          <p className="dim">No instance has failed.</p>
        )}
      </section>
      <section className="card">
        <h2>Waiting to start</h2>
        {queue ? (
          <>
            <Facts
              facts={[
                ["Instances", String(queue.count)],
                ["Since", formatAgo(queue.since, now)],
                [
                  "Backoff",
                  queue.delayedUntil > now
                    ? `next start in ${Math.ceil((queue.delayedUntil - now) / 1000)} s`
                    : "none",
                ],
              ]}
            />
            {rejects.length > 0 && (
              <>
                <h3>Why offers did not fit</h3>
                <Facts
                  facts={rejects.map(
                    (r) =>
                      [
                        r.reason.replace(/([a-z])([A-Z])/g, "$1 $2"),
                        `${r.declined} of ${r.processed}`,
                      ] as const,
                  )}
                />
              </>
            )}
          </>
        ) : (
          <p className="dim">Nothing waits.</p>
        )}
      </section>
      <section className="card wide">
        <h2>Ended instances</h2>
        <Ended id={id} />
      </section>
    </div>
  );
}

function Summary({ service }: { service: ServiceView }) {
  const { app, counts } = service;
  const now = useNow(5000);
  const checks = app.healthChecks ?? [];
  const vips = vipsOfApp(app);
  const endpoint = portsOf(app)
    .map((p) => `${p.containerPort ?? p.port ?? 0}/${p.protocol ?? "tcp"}${p.name ? ` ${p.name}` : ""}`)
    .join(", ");
  return (
    <section className="card summary">
      <Facts
        facts={[
          ["Instances", <InstanceBar counts={counts} />],
          [
            "Per instance",
            `${formatNumber(app.cpus ?? 0)} CPU, ${formatMib(app.mem ?? 0)}${app.gpus ? `, ${plural(app.gpus, "GPU")}` : ""}`,
          ],
          [
            "Runs",
            <code className="clip" title={app.cmd ?? ""}>
              {app.pod ? "pod of " : ""}
              {app.container?.docker?.image ?? app.cmd ?? (app.args ?? []).join(" ")}
            </code>,
          ],
          ["Ports", endpoint],
          [
            "Addresses in the cluster",
            vips.length > 0 && (
              <span data-vips>
                {vips.map((v) => (
                  <Copyable key={`${v.address}/${v.protocol}`} text={v.address} />
                ))}
              </span>
            ),
          ],
          ["Changed", formatAgo(parseTime(app.versionInfo?.lastConfigChangeAt ?? app.version), now)],
          ["Health checks", checks.length > 0 && checks.map((c, i) => <div key={i}>{describeCheck(c)}</div>)],
          [
            "Labels",
            Object.keys(app.labels ?? {}).length > 0 && (
              <span className="labels">
                {Object.entries(app.labels ?? {}).map(([k, v]) => (
                  <code key={k}>
                    {k}
                    {v && `=${v}`}
                  </code>
                ))}
              </span>
            ),
          ],
        ]}
      />
    </section>
  );
}

export function ServiceDetail({ id }: { id: string }) {
  const state = useStore(marathon);
  const stream = useStore(marathonStream.status);
  const now = useNow(5000);
  const app = state.apps.get(id);
  const deployments = (app?.deployments ?? []).flatMap((d) => state.deployments.get(d.id) ?? []);
  const tabs = [
    { key: "instances", label: "Instances", count: app?.tasks?.length },
    { key: "configuration", label: "Configuration" },
    { key: "debug", label: "Debug" },
  ];
  const tab = useTab(tabs);
  const crumbs = [{ label: "Services", href: "#/services" }];
  if (!state.ready) {
    return (
      <div className="panel">
        {stream.phase === "lost" ? (
          <Failure
            title="Marathon does not answer"
            error={new Error(stream.reason)}
            onRetry={() => marathonStream.retryNow()}
          />
        ) : (
          <Loading label="Loading the service" />
        )}
      </div>
    );
  }
  if (!app)
    return (
      <>
        <PageHead title={id} crumbs={crumbs} />
        <div className="panel">
          <Empty title="There is no such service">
            It was destroyed, or never was. <a href="#/services">All services</a>
          </Empty>
        </div>
      </>
    );
  const service = viewService(app, state.queue.get(id) ?? null, now);
  const page = webPage(app);
  return (
    <>
      <PageHead
        title={id}
        crumbs={crumbs}
        badge={<ServiceBadge status={service.status} hint={service.hint} />}
      >
        {page && (
          <a className="button" href={gatewayUrl(page)} target="_blank" rel="noreferrer">
            <Icon name="external" size={14} /> Open
          </a>
        )}
        <ServiceActions service={service} />
      </PageHead>
      {service.hint && (
        <div
          className={`notice ${service.status === "Unhealthy" || service.status === "Delayed" ? "bad" : "busy"}`}
        >
          <Icon name="warning" />
          <div>
            {service.hint}
            {app.lastTaskFailure && service.status !== "Waiting" && (
              <> Last failure: {app.lastTaskFailure.message}</>
            )}
          </div>
        </div>
      )}
      {deployments.map((d) => (
        <DeploymentCard key={d.id} deployment={d} />
      ))}
      <Summary service={service} />
      <Tabs tabs={tabs} label="Service" />
      {tab === "instances" && <Instances service={service} />}
      {tab === "configuration" && <Configuration service={service} />}
      {tab === "debug" && <Debug service={service} />}
    </>
  );
}
