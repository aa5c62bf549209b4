// The cluster at a glance: what is used, what runs, what needs attention, what just happened.

import { useEffect, useMemo, useState } from "react";
import { activity, cluster, kernel, marathon } from "../api/live";
import { useStore } from "../api/store";
import { PageHead } from "../components/page_head";
import { Empty, Loading } from "../components/states";
import { Meter, ServiceBadge, Sparkline, toneOfService } from "../components/status";
import { formatAgo, formatMib, formatNumber, formatPercent, formatTime, plural } from "../format";
import { useNow } from "../hooks";
import { totals, viewNodes, type Amounts, type NodeView } from "../model/resources";
import { viewServices, type ServiceView } from "../model/services";
import { stateName, toneOfState } from "../model/tasks";
import { nodeHref, serviceHref } from "../router";

const kSampleMs = 2000;
const kSamples = 150;

interface Sample {
  at: number;
  share: Amounts;
}

/** Samples outlive the page, so coming back does not start the charts anew. */
const history: Sample[] = [];

function useHistory(used: Amounts, total: Amounts, ready: boolean): readonly Sample[] {
  const [, redraw] = useState(0);
  useEffect(() => {
    if (!ready) return;
    const part = (kind: keyof Amounts) => (total[kind] > 0 ? used[kind] / total[kind] : 0);
    const sample = () => {
      const last = history.at(-1);
      if (last && Date.now() - last.at < kSampleMs / 2) history.pop();
      history.push({
        at: Date.now(),
        share: { cpus: part("cpus"), mem: part("mem"), disk: part("disk"), gpus: part("gpus") },
      });
      if (history.length > kSamples) history.shift();
      redraw((n) => n + 1);
    };
    sample();
    const timer = setInterval(sample, kSampleMs);
    return () => clearInterval(timer);
  }, [ready, used, total]);
  return history;
}

function ResourceCard(props: {
  title: string;
  kind: keyof Amounts;
  used: Amounts;
  total: Amounts;
  format: (n: number) => string;
  samples: readonly Sample[];
}) {
  const { title, kind, used, total, format, samples } = props;
  const label = `${format(used[kind])} of ${format(total[kind])}`;
  return (
    <section className="card resource" aria-label={title}>
      <h2>{title}</h2>
      <div className="resource-value">{formatPercent(used[kind], total[kind])}</div>
      <div className="dim">{label}</div>
      <Sparkline values={samples.map((s) => s.share[kind])} slots={kSamples} />
      <Meter used={used[kind]} total={total[kind]} label={label} />
    </section>
  );
}

function NodeGrid({ nodes }: { nodes: readonly NodeView[] }) {
  if (nodes.length === 0) return <Empty title="No nodes">No agent has registered with the master.</Empty>;
  return (
    <ul className="node-grid">
      {nodes.map((node) => {
        const share = (kind: keyof Amounts) =>
          node.total[kind] > 0 ? node.used[kind] / node.total[kind] : 0;
        return (
          <li key={node.id}>
            <a href={nodeHref(node.id)} className={node.status === "Active" ? "" : "off"}>
              <span className="node-name">
                <i className={`dot ${node.status === "Active" ? "good" : "bad"}`} />
                {node.hostname}
              </span>
              <span className="node-bars">
                <span className="dim">CPU</span>
                <Meter
                  used={node.used.cpus}
                  total={node.total.cpus}
                  label={`CPU ${formatPercent(share("cpus"), 1)}`}
                />
                <span className="dim">Mem</span>
                <Meter
                  used={node.used.mem}
                  total={node.total.mem}
                  label={`Memory ${formatPercent(share("mem"), 1)}`}
                />
              </span>
              <span className="dim">{plural(node.tasks.length, "task")}</span>
            </a>
          </li>
        );
      })}
    </ul>
  );
}

function TaskStates() {
  const k = useStore(kernel);
  const counts = useMemo(() => {
    const by = new Map<string, number>();
    for (const task of k.tasks.values()) by.set(task.state, (by.get(task.state) ?? 0) + 1);
    return [...by].sort((a, b) => b[1] - a[1]);
  }, [k.tasks]);
  const whole = counts.reduce((sum, [, n]) => sum + n, 0);
  if (whole === 0) return <Empty title="No tasks" />;
  return (
    <>
      <span className="bar tall" role="img" aria-label="Tasks by state">
        {counts.map(([state, n]) => (
          <i key={state} className={toneOfState(state)} style={{ width: `${(n / whole) * 100}%` }} />
        ))}
      </span>
      <ul className="legend">
        {counts.map(([state, n]) => (
          <li key={state}>
            <a href={`#/tasks?q=is:${state.replace("TASK_", "").toLowerCase()}`}>
              <i className={`dot ${toneOfState(state)}`} />
              {stateName(state)}
              <span className="count">{formatNumber(n)}</span>
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}

function Attention({ services }: { services: readonly ServiceView[] }) {
  const rank = { bad: 0, busy: 1, good: 2, idle: 3 };
  const wanting = services
    .filter((s) => s.status !== "Running" && s.status !== "Suspended")
    .sort(
      (a, b) => rank[toneOfService(a.status)] - rank[toneOfService(b.status)] || a.id.localeCompare(b.id),
    );
  const running = services.length - wanting.length;
  if (services.length === 0)
    return (
      <Empty title="No services yet">
        <a href="#/services/new">Run a service</a>
      </Empty>
    );
  return (
    <>
      <ul className="lines">
        {wanting.slice(0, 6).map((s) => (
          <li key={s.id}>
            <a href={serviceHref(s.id)}>
              <span className="line-text">{s.id}</span>
              <ServiceBadge status={s.status} hint={s.hint} />
            </a>
          </li>
        ))}
      </ul>
      <p className="dim line-note">
        {wanting.length === 0
          ? `All ${plural(services.length, "service")} as wanted.`
          : `${plural(running, "other service")} as wanted.`}{" "}
        <a href="#/services">All services</a>
      </p>
    </>
  );
}

function Happenings({ now }: { now: number }) {
  const list = useStore(activity);
  if (list.length === 0)
    return <Empty title="Quiet">What happens while this page is open appears here.</Empty>;
  return (
    <ul className="lines activity">
      {list.slice(0, 9).map((entry) => (
        <li key={entry.key}>
          <a href={entry.href}>
            <i className={`dot ${entry.tone}`} />
            <span className="line-text">{entry.text}</span>
            <time className="dim" title={formatTime(entry.at)}>
              {formatAgo(entry.at, now)}
            </time>
          </a>
        </li>
      ))}
    </ul>
  );
}

export function Overview() {
  const k = useStore(kernel);
  const m = useStore(marathon);
  const { name } = useStore(cluster);
  const now = useNow(2000);
  const nodes = useMemo(
    () => viewNodes(k).sort((a, b) => a.hostname.localeCompare(b.hostname, "en", { numeric: true })),
    [k],
  );
  const { total, used } = useMemo(() => totals(nodes), [nodes]);
  const samples = useHistory(used, total, k.ready);
  const services = viewServices(m, now);
  const card = (title: string, kind: keyof Amounts, format: (n: number) => string) => (
    <ResourceCard
      key={kind}
      title={title}
      kind={kind}
      used={used}
      total={total}
      format={format}
      samples={samples}
    />
  );

  return (
    <>
      <PageHead title={name || "Overview"}>
        <a className="button primary" href="#/services/new">
          Run a service
        </a>
      </PageHead>
      {!k.ready ? (
        <div className="panel">
          <Loading label="Loading the cluster" />
        </div>
      ) : (
        <>
          <div className="cards">
            {card("CPU", "cpus", (n) => formatNumber(n, 1))}
            {card("Memory", "mem", formatMib)}
            {card("Disk", "disk", formatMib)}
            {total.gpus > 0 && card("GPU", "gpus", formatNumber)}
          </div>
          <div className="columns">
            <div className="stack">
              <section className="card">
                <h2>Services</h2>
                {m.ready ? <Attention services={services} /> : <Loading rows={3} />}
              </section>
              <section className="card">
                <h2>Tasks</h2>
                <TaskStates />
              </section>
            </div>
            <section className="card">
              <h2>Activity</h2>
              <Happenings now={now} />
            </section>
          </div>
          <section className="card">
            <h2>
              Nodes <span className="count">{nodes.length}</span>
            </h2>
            <NodeGrid nodes={nodes} />
          </section>
        </>
      )}
    </>
  );
}
