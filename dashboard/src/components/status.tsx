// States as colour and word, never colour alone.

import { formatNumber } from "../format";
import type { InstanceCounts, ServiceStatus } from "../model/services";
import { stateName, toneOfState, type Tone } from "../model/tasks";

export function Badge({ tone, children, title }: { tone: Tone; children: React.ReactNode; title?: string }) {
  return (
    <span className={`badge ${tone}`} title={title}>
      <i className="dot" />
      {children}
    </span>
  );
}

export function TaskBadge({ state, healthy }: { state: string; healthy?: boolean | undefined }) {
  if (state === "TASK_RUNNING" && healthy === false) return <Badge tone="bad">Unhealthy</Badge>;
  return <Badge tone={toneOfState(state)}>{stateName(state)}</Badge>;
}

const kServiceTones: Record<ServiceStatus, Tone> = {
  Running: "good",
  Deploying: "busy",
  Waiting: "busy",
  Delayed: "bad",
  Starting: "busy",
  Unhealthy: "bad",
  Suspended: "idle",
};

export function toneOfService(status: ServiceStatus): Tone {
  return kServiceTones[status];
}

export function ServiceBadge({ status, hint }: { status: ServiceStatus; hint?: string }) {
  return (
    <Badge tone={kServiceTones[status]} {...(hint ? { title: hint } : {})}>
      {status}
    </Badge>
  );
}

/** Instances of a service as a bar: healthy, running, starting, unhealthy, missing. */
export function InstanceBar({ counts }: { counts: InstanceCounts }) {
  const { wanted, healthy, running, staged, unhealthy } = counts;
  const up = healthy + running + unhealthy;
  const whole = Math.max(wanted, up + staged, 1);
  const parts: [string, number][] = [
    ["good", healthy],
    ["plain", running],
    ["bad", unhealthy],
    ["busy", staged],
  ];
  const words = `${healthy} healthy, ${running} running, ${unhealthy} unhealthy, ${staged} starting, of ${wanted}`;
  return (
    <span className="instances" title={words}>
      <span className="instances-text">
        {formatNumber(up)}
        <span className="dim"> / {formatNumber(wanted)}</span>
      </span>
      <span className="bar" role="img" aria-label={words}>
        {parts.map(
          ([tone, count]) =>
            count > 0 && <i key={tone} className={tone} style={{ width: `${(count / whole) * 100}%` }} />,
        )}
      </span>
    </span>
  );
}

/** Used of total as a bar; turns amber and red when little is left. */
export function Meter({ used, total, label }: { used: number; total: number; label: string }) {
  const share = total > 0 ? Math.min(1, used / total) : 0;
  const tone = share > 0.95 ? "bad" : share > 0.8 ? "busy" : "plain";
  return (
    <span className="bar" role="img" aria-label={label} title={label}>
      <i className={tone} style={{ width: `${share * 100}%` }} />
    </span>
  );
}

/** A small area chart of values from 0 to 1. */
export function Sparkline({ values, slots }: { values: readonly number[]; slots: number }) {
  if (values.length < 6) return null;
  const x = (i: number) => 100 - ((values.length - 1 - i) / (slots - 1)) * 100;
  const y = (v: number) => 30 - Math.min(1, Math.max(0, v)) * 28 - 1;
  const line = values.map((v, i) => `${x(i).toFixed(2)},${y(v).toFixed(2)}`).join(" ");
  return (
    <svg className="spark" viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true">
      <polygon points={`${x(0).toFixed(2)},30 ${line} 100,30`} />
      <polyline points={line} />
    </svg>
  );
}
