// A repeating schedule in its parts, with the runs that it means.

import { useMemo } from "react";
import { formatDuration, formatNumber, formatTime } from "../format";
import {
  describePeriod,
  joinSchedule,
  lengthOf,
  parseSchedule,
  preview,
  splitSchedule,
  type ScheduleParts,
} from "../model/schedule";
import { formatWall, zoneNames } from "../model/zones";

const kShownRuns = 5;
const kPresets: readonly (readonly [period: string, label: string])[] = [
  ["PT1M", "Every minute"],
  ["PT15M", "Every 15 minutes"],
  ["PT1H", "Every hour"],
  ["P1D", "Every day"],
  ["P1W", "Every week"],
  ["P1M", "Every month"],
];

/** The runs that a schedule means, on its own clock. */
export function Upcoming({
  schedule,
  zone,
  epsilon,
  now,
  count = kShownRuns,
}: {
  schedule: string;
  zone: string;
  epsilon: string;
  now: number;
  count?: number;
}) {
  const parsed = parseSchedule(schedule, zone);
  if (!parsed.ok) return <p className="dim">The next runs appear here.</p>;
  const { runs, late, more } = preview(parsed.schedule, now, count, epsilon ? lengthOf(epsilon) : null);
  if (runs.length === 0) return <p className="dim">It never runs again.</p>;
  return (
    <ol className="runs" data-upcoming>
      {runs.map((run, i) => (
        <li key={i}>
          {i === 0 && run <= now ? (
            <span>at once{late && ", for what has passed"}</span>
          ) : (
            <time title={`${formatTime(run)} here`}>
              {formatWall(run, parsed.schedule.zone)} {parsed.schedule.zone.id}
            </time>
          )}
          {run > now && <span className="dim">in {formatDuration((run - now) / 1000)}</span>}
        </li>
      ))}
      <li className="dim">
        {more === Infinity ? "and so on" : more > 0 ? `and ${formatNumber(more)} more` : "and no more"}
      </li>
    </ol>
  );
}

interface Props {
  schedule: string;
  zone: string;
  epsilon: string;
  now: number;
  disabled: boolean;
  /** What the server has against the schedule or its zone. */
  errors: { schedule?: string; scheduleTimeZone?: string };
  onSchedule: (text: string) => void;
  onZone: (text: string) => void;
}

export function ScheduleField({ schedule, zone, epsilon, now, disabled, errors, onSchedule, onZone }: Props) {
  const parts = splitSchedule(schedule);
  const parsed = useMemo(() => parseSchedule(schedule, zone), [schedule, zone]);
  const wrong = parsed.ok ? null : parsed;
  const zones = useMemo(() => zoneNames(), []);
  const set = (key: keyof ScheduleParts, value: string) =>
    onSchedule(joinSchedule({ ...parts, [key]: value }));
  const part = (key: keyof ScheduleParts, label: string, placeholder: string, help: string) => (
    <div className={`field${wrong?.part === key ? " invalid" : ""}`} data-field={`schedule-${key}`}>
      <label htmlFor={`field-schedule-${key}`}>{label}</label>
      <input
        id={`field-schedule-${key}`}
        value={parts[key]}
        placeholder={placeholder}
        disabled={disabled}
        list={key === "period" ? "periods" : undefined}
        spellCheck={false}
        autoComplete="off"
        aria-invalid={wrong?.part === key}
        aria-describedby={`field-schedule-${key}-help`}
        onChange={(e) => set(key, e.target.value)}
      />
      <div id={`field-schedule-${key}-help`} className={wrong?.part === key ? "field-error" : "dim"}>
        {wrong?.part === key ? wrong.error : help}
      </div>
    </div>
  );
  return (
    <div className="schedule" data-field="schedule">
      {part("period", "Every", "P1D", parsed.ok ? describePeriod(parsed.schedule.period) : "PT15M, P1D, P1M")}
      {part("repeat", "Times", "∞ no end", "Empty: without end.")}
      {part("start", "Starting at", "at once", "Empty: at once. Without an offset: UTC, or the zone below.")}
      <div
        className={`field${wrong?.part === "zone" || errors.scheduleTimeZone ? " invalid" : ""}`}
        data-field="scheduleTimeZone"
      >
        <label htmlFor="field-zone">Time zone</label>
        <input
          id="field-zone"
          value={zone}
          placeholder="as written in the start"
          disabled={disabled}
          list="zones"
          spellCheck={false}
          autoComplete="off"
          onChange={(e) => onZone(e.target.value)}
        />
        <div className={wrong?.part === "zone" || errors.scheduleTimeZone ? "field-error" : "dim"}>
          {errors.scheduleTimeZone ??
            (wrong?.part === "zone"
              ? wrong.error
              : "Days then begin on that clock, through summer and winter.")}
        </div>
      </div>
      {errors.schedule && (
        <div className="field-error" role="alert">
          {errors.schedule}
        </div>
      )}
      <div className="field">
        <span>Next runs</span>
        <Upcoming schedule={schedule} zone={zone} epsilon={epsilon} now={now} />
      </div>
      <datalist id="periods">
        {kPresets.map(([period, label]) => (
          <option key={period} value={period} label={label} />
        ))}
      </datalist>
      <datalist id="zones">
        {zones.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </div>
  );
}
