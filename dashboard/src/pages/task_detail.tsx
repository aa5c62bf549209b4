// One task: what happened to it, its log, its files.

import { sandboxPath } from "../api/files";
import { isEnded, taskKey } from "../api/kernel_model";
import type { Task } from "../api/kernel_types";
import { kernel, marathon } from "../api/live";
import { useStore } from "../api/store";
import { FileBrowser } from "../components/file_browser";
import { LogViewer } from "../components/log_viewer";
import { Facts, PageHead } from "../components/page_head";
import { Empty, Loading } from "../components/states";
import { TaskBadge } from "../components/status";
import { Tabs, useTab, type Tab } from "../components/tabs";
import { formatMib, formatNumber, formatTime } from "../format";
import { formatPorts, sumResources } from "../model/resources";
import { appIdOfTask, instanceHealth } from "../model/services";
import { addressesOf, healthOf, timeOf } from "../model/tasks";
import { nodeHref, serviceHref, setQuery, useRoute } from "../router";

const kTabs: readonly Tab[] = [
  { key: "details", label: "Details" },
  { key: "logs", label: "Logs" },
  { key: "files", label: "Files" },
];
const kStreams = ["stdout", "stderr"] as const;

function Timeline({ task }: { task: Task }) {
  const statuses = [...(task.statuses ?? [])].reverse();
  if (statuses.length === 0) return <Empty title="No status yet">The task waits for its agent.</Empty>;
  return (
    <ol className="timeline">
      {statuses.map((status, i) => (
        <li key={i}>
          <TaskBadge state={status.state} healthy={status.healthy} />
          <time className="dim">{formatTime(timeOf(status))}</time>
          {status.message && <p>{status.message}</p>}
          {status.reason && (
            <p className="dim">
              <code>{status.reason}</code>
              {status.source && (
                <>
                  {" "}
                  from <code>{status.source}</code>
                </>
              )}
            </p>
          )}
        </li>
      ))}
    </ol>
  );
}

function HealthFacts({ appId, taskId }: { appId: string; taskId: string }) {
  const state = useStore(marathon);
  const instance = state.apps.get(appId)?.tasks?.find((t) => t.id === taskId);
  if (!instance?.healthCheckResults?.length) return null;
  return (
    <section className="card">
      <h2>Health checks</h2>
      <p>
        {instanceHealth(instance) === "healthy"
          ? "All pass."
          : instanceHealth(instance) === "unhealthy"
            ? "Failing."
            : "No result yet."}
      </p>
      {instance.healthCheckResults.map((r, i) => (
        <Facts
          key={i}
          facts={[
            ["Last success", r.lastSuccess ?? ""],
            ["Last failure", r.lastFailure ?? ""],
            ["Cause", r.lastFailureCause ?? ""],
            ["Failures in a row", String(r.consecutiveFailures ?? 0)],
          ]}
        />
      ))}
    </section>
  );
}

function Details({ task }: { task: Task }) {
  const state = useStore(kernel);
  const app = appIdOfTask(task.task_id.value);
  const sum = sumResources(task.resources);
  const agent = state.agents.get(task.agent_id.value);
  const framework = state.frameworks.get(task.framework_id.value);
  const labels = task.labels?.labels ?? [];
  return (
    <div className="columns">
      <section className="card">
        <h2>Task</h2>
        <Facts
          facts={[
            ["Service", app && <a href={serviceHref(app)}>{app}</a>],
            ["Framework", framework?.framework_info.name ?? task.framework_id.value],
            [
              "Node",
              <a href={nodeHref(task.agent_id.value)}>{agent?.agent_info.hostname ?? task.agent_id.value}</a>,
            ],
            ["Address", addressesOf(task).join(", ")],
            ["Ports", formatPorts(task.resources)],
            ["CPU", formatNumber(sum.cpus)],
            ["Memory", formatMib(sum.mem)],
            ["Disk", sum.disk > 0 && formatMib(sum.disk)],
            ["GPU", sum.gpus > 0 && formatNumber(sum.gpus)],
            ["Image", task.container?.docker?.image ?? ""],
            ["User", task.user ?? ""],
            ["Id", <code className="wrap-any">{task.task_id.value}</code>],
            ["Sandbox", <code className="wrap-any">{sandboxPath(task)}</code>],
          ]}
        />
      </section>
      <div className="stack">
        <section className="card">
          <h2>History</h2>
          <Timeline task={task} />
        </section>
        {app && <HealthFacts appId={app} taskId={task.task_id.value} />}
        {labels.length > 0 && (
          <section className="card">
            <h2>Labels</h2>
            <Facts facts={labels.map((l) => [l.key, l.value ?? ""] as const)} />
          </section>
        )}
      </div>
    </div>
  );
}

function Logs({ task }: { task: Task }) {
  const file = useRoute().query.get("stream") === "stderr" ? "stderr" : "stdout";
  return (
    <>
      <div className="chips log-streams" role="group" aria-label="Stream">
        {kStreams.map((name) => (
          <button
            key={name}
            className="chip"
            aria-pressed={name === file}
            onClick={() => setQuery("stream", name === "stdout" ? "" : name)}
          >
            {name}
          </button>
        ))}
      </div>
      <LogViewer
        key={file}
        agentId={task.agent_id.value}
        path={`${sandboxPath(task)}/${file}`}
        growing={!isEnded(task.state)}
      />
    </>
  );
}

export function TaskDetail({ frameworkId, taskId }: { frameworkId: string; taskId: string }) {
  const state = useStore(kernel);
  const tab = useTab(kTabs);
  const task = state.tasks.get(taskKey(frameworkId, taskId));
  if (!state.ready)
    return (
      <div className="panel">
        <Loading label="Loading the task" />
      </div>
    );
  if (!task) {
    return (
      <>
        <PageHead title={taskId} crumbs={[{ label: "Tasks", href: "#/tasks" }]} />
        <div className="panel">
          <Empty title="The kernel does not know this task">It ended long ago, or never was.</Empty>
        </div>
      </>
    );
  }
  const app = appIdOfTask(taskId);
  const crumbs = [
    { label: "Tasks", href: "#/tasks" },
    ...(app ? [{ label: app, href: serviceHref(app) }] : []),
  ];
  return (
    <>
      <PageHead
        title={<span className="wrap-any">{taskId}</span>}
        crumbs={crumbs}
        badge={<TaskBadge state={task.state} healthy={healthOf(task)} />}
      />
      <Tabs tabs={kTabs} label="Task" />
      {tab === "details" && <Details task={task} />}
      {tab === "logs" && <Logs task={task} />}
      {tab === "files" && (
        <FileBrowser agentId={task.agent_id.value} root={sandboxPath(task)} growing={!isEnded(task.state)} />
      )}
    </>
  );
}
