// Repeating schedules of jobs: "R5/2026-03-01T08:00:00Z/P1D". Parsed, checked, and counted out. Pure.

import { fixedZone, instantOf, wallOf, zoneOf, type Zone } from "./zones";

export interface Period {
  months: number;
  days: number;
  ms: number;
}

export interface Schedule {
  /** Runs left; Infinity for `R`. */
  repeat: number;
  /** The first slot; NaN when the start is empty, which means at once. */
  start: number;
  zone: Zone;
  period: Period;
}

/** The three texts between the slashes. */
export interface ScheduleParts {
  repeat: string;
  start: string;
  period: string;
}

export type Parsed =
  | { ok: true; schedule: Schedule }
  | { ok: false; part: keyof ScheduleParts | "zone"; error: string };

const kSecond = 1000;
const kHour = 3600 * kSecond;

export function splitSchedule(text: string): ScheduleParts {
  const [repeat = "", start = "", period = ""] = text.split("/");
  return { repeat: repeat.replace(/^R/, ""), start, period };
}

export function joinSchedule({ repeat, start, period }: ScheduleParts): string {
  return `R${repeat.trim()}/${start.trim()}/${period.trim()}`;
}

const kPeriod =
  /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,3})\d*)?S)?)?$/;

/** "P1DT12H", or null. */
export function parsePeriod(text: string): Period | null {
  const match = kPeriod.exec(text);
  if (!match || text === "P" || text.endsWith("T")) return null;
  const [years, months, weeks, days, hours, minutes, seconds] = match.slice(1, 8).map((n) => Number(n ?? 0));
  const thousandths = Number((match[8] ?? "").padEnd(3, "0"));
  return {
    months: years! * 12 + months!,
    days: weeks! * 7 + days!,
    ms: hours! * kHour + minutes! * 60 * kSecond + seconds! * kSecond + thousandths,
  };
}

const kStart =
  /^(\d{4,})-(\d{2})-(\d{2})(?:T(\d{2})(?::?(\d{2})(?::?(\d{2})(?:[.,](\d{1,9}))?)?)?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?$/;

interface WallTime {
  wall: number;
  /** Minutes east of UTC as written; null when nothing is written. */
  offset: number | null;
}

function parseStart(text: string): WallTime | null {
  const match = kStart.exec(text);
  if (!match) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((n) => Number(n ?? 0));
  const ms = Number((match[7] ?? "0").padEnd(3, "0").slice(0, 3));
  const wall = Date.UTC(year!, month! - 1, day!, hour!, minute!, second!, ms);
  const shown = new Date(wall);
  // 31 June would roll over into July.
  if (
    shown.getUTCMonth() !== month! - 1 ||
    shown.getUTCDate() !== day! ||
    hour! > 23 ||
    minute! > 59 ||
    second! > 59
  )
    return null;
  if (!match[8]) return { wall, offset: null };
  if (match[8] === "Z") return { wall, offset: 0 };
  const digits = match[8].slice(1).replace(":", "");
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2) || 0);
  return { wall, offset: match[8][0] === "-" ? -minutes : minutes };
}

/** Reads a schedule; a time zone by name wins over the offset in the text, the clock's hands stay as written. */
export function parseSchedule(text: string, zoneName = ""): Parsed {
  const parts = text.split("/");
  const { repeat, start, period } = splitSchedule(text);
  const fail = (part: keyof ScheduleParts | "zone", error: string): Parsed => ({ ok: false, part, error });
  if (parts.length !== 3 || !/^R\d*$/.test(parts[0]!))
    return fail("repeat", "A whole number, or empty for no end.");
  const named = zoneName ? zoneOf(zoneName) : fixedZone(0);
  if (!named) return fail("zone", `There is no time zone "${zoneName}".`);
  const length = parsePeriod(period);
  if (!length) return fail("period", "Something like PT15M, P1D or P1M.");
  const still = length.months === 0 && length.days === 0 && length.ms === 0;
  const count = repeat === "" ? Infinity : Number(repeat);
  if (still && count !== 1) return fail("period", "A period of nothing works only for a single run.");
  if (!still && length.months === 0 && length.days === 0 && length.ms < kSecond)
    return fail("period", "At least a second.");
  if (start === "") return { ok: true, schedule: { repeat: count, start: NaN, zone: named, period: length } };
  const read = parseStart(start);
  if (!read) return fail("start", "A date and time such as 2026-03-01T08:00:00Z, or empty to start at once.");
  const zone = zoneName || !read.offset ? named : fixedZone(read.offset, start.slice(-6));
  return { ok: true, schedule: { repeat: count, start: instantOf(read.wall, zone), zone, period: length } };
}

/** Slot number k: always the first slot plus k periods, so that the 31st stays the 31st. */
export function slotAt({ start, zone, period }: Schedule, k: number): number {
  if (period.months === 0 && period.days === 0) return start + k * period.ms;
  const date = new Date(wallOf(start, zone));
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + k * period.months);
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(day, last) + k * period.days);
  return instantOf(date.getTime(), zone) + k * period.ms;
}

/** The number of the first slot after an instant. */
function firstAfter(schedule: Schedule, instant: number): number {
  if (schedule.start > instant) return 0;
  let low = 0;
  let high = 1;
  while (slotAt(schedule, high) <= instant) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (slotAt(schedule, middle) <= instant) low = middle;
    else high = middle;
  }
  return high;
}

export interface Preview {
  /** The next runs, epoch milliseconds. */
  runs: number[];
  /** The first of them is a slot that has passed: it is made up for at once. */
  late: boolean;
  /** Runs left after those; Infinity when there is no end. */
  more: number;
}

/**
 * The next `count` runs as seen at `now`. Slots that have passed are made up for by one run, together: at once, if
 * there is no epsilon or the last of them is not older than it; else they are skipped, each counting as a run.
 */
export function preview(
  schedule: Schedule,
  now: number,
  count: number,
  epsilonMs: number | null = null,
): Preview {
  let left = schedule.repeat;
  const runs: number[] = [];
  if (left === 0) return { runs, late: false, more: 0 };
  const from = Number.isNaN(schedule.start) ? { ...schedule, start: now } : schedule;
  let k = 0;
  let late = false;
  if (from.start <= now) {
    const still = slotAt(from, 1) <= from.start;
    const next = still ? 1 : firstAfter(from, now);
    const last = slotAt(from, Math.min(next - 1, left - 1));
    const makesUp = epsilonMs === null || last + epsilonMs >= now;
    if (epsilonMs !== null) left -= Math.min(left, makesUp ? next - 1 : next);
    if (makesUp && left > 0) {
      late = from.start < now;
      runs.push(now);
      left -= 1;
    }
    k = next;
  }
  for (; runs.length < count && left > 0; ++k, --left) runs.push(slotAt(from, k));
  return { runs, late, more: left };
}

const kUnits: readonly (readonly [string, number])[] = [
  ["day", 24 * kHour],
  ["hour", kHour],
  ["minute", 60 * kSecond],
  ["second", kSecond],
];

/** "every 15 minutes", "every day", "every month and 2 days". */
export function describePeriod({ months, days, ms }: Period): string {
  const words: string[] = [];
  const add = (count: number, unit: string) => {
    if (count)
      words.push(count === 1 && words.length === 0 ? unit : `${count} ${unit}${count === 1 ? "" : "s"}`);
  };
  add(Math.floor(months / 12), "year");
  add(months % 12, "month");
  if (days % 7 === 0) add(days / 7, "week");
  else add(days, "day");
  let rest = ms;
  for (const [unit, size] of kUnits.slice(1)) {
    add(Math.floor(rest / size), unit);
    rest %= size;
  }
  if (rest) words.push(`${rest} ms`);
  return words.length ? `every ${words.join(" and ")}` : "once";
}

/** Lengths as in epsilon, in milliseconds, months as 30 days; null when it is none. */
export function lengthOf(text: string): number | null {
  const period = parsePeriod(text);
  return period && (period.months * 30 + period.days) * 24 * kHour + period.ms;
}
