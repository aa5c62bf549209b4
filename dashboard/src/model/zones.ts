// Wall clocks and instants of time zones, by the zone rules that the browser has. Pure.

/** Short names that schedules may use; the rest are names of the tz database. Numbers are fixed minutes east of UTC. */
const kShortNames: Record<string, string | number> = {
  ACT: "Australia/Darwin",
  AET: "Australia/Sydney",
  AGT: "America/Argentina/Buenos_Aires",
  ART: "Africa/Cairo",
  AST: "America/Anchorage",
  BET: "America/Sao_Paulo",
  BST: "Asia/Dhaka",
  CAT: "Africa/Harare",
  CNT: "America/St_Johns",
  CST: "America/Chicago",
  CTT: "Asia/Shanghai",
  EAT: "Africa/Addis_Ababa",
  ECT: "Europe/Paris",
  IET: "America/Indiana/Indianapolis",
  IST: "Asia/Kolkata",
  JST: "Asia/Tokyo",
  MIT: "Pacific/Apia",
  NET: "Asia/Yerevan",
  NST: "Pacific/Auckland",
  PLT: "Asia/Karachi",
  PNT: "America/Phoenix",
  PRT: "America/Puerto_Rico",
  PST: "America/Los_Angeles",
  SST: "Pacific/Guadalcanal",
  VST: "Asia/Ho_Chi_Minh",
  EST: -300,
  MST: -420,
  HST: -600,
};

const kMinute = 60_000;
const kDay = 86_400_000;

export interface Zone {
  id: string;
  /** Milliseconds that the wall clock is ahead of UTC at an instant. */
  offsetAt: (instant: number) => number;
}

export function fixedZone(minutes: number, id = "UTC"): Zone {
  return { id, offsetAt: () => minutes * kMinute };
}

const known = new Map<string, Zone | null>();

/** The zone of a name, or null when there is none. */
export function zoneOf(name: string): Zone | null {
  const cached = known.get(name);
  if (cached !== undefined) return cached;
  const found = makeZone(name);
  known.set(name, found);
  return found;
}

function makeZone(name: string): Zone | null {
  const target = kShortNames[name] ?? name;
  if (typeof target === "number") return fixedZone(target, name);
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: target,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch {
    return null;
  }
  const offsetAt = (instant: number) => {
    const whole = Math.floor(instant / 1000) * 1000;
    const part: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(whole)) part[type] = Number(value);
    const { year, month, day, hour, minute, second } = part;
    return Date.UTC(year!, month! - 1, day!, hour!, minute!, second!) - whole;
  };
  return { id: name, offsetAt };
}

/**
 * The instant at which the wall clock of a zone shows `wall` (a wall time, written as if it were UTC). A time that the
 * clock shows twice is its first occurrence; one that it skips is the first instant after the gap.
 */
export function instantOf(wall: number, zone: Zone): number {
  const before = zone.offsetAt(wall - kDay);
  const after = zone.offsetAt(wall + kDay);
  const found = [wall - before, wall - after].filter((t) => t + zone.offsetAt(t) === wall);
  if (found.length > 0) return Math.min(...found);
  // Skipped: look for the moment at which the clock is put forward.
  let low = wall - kDay - before;
  let high = wall + kDay - after;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (zone.offsetAt(middle) === before) low = middle;
    else high = middle;
  }
  return high;
}

/** What the wall clock of a zone shows, written as if it were UTC. */
export function wallOf(instant: number, zone: Zone): number {
  return instant + zone.offsetAt(instant);
}

/** "2026-03-01 14:05:09" on the wall clock of a zone; seconds only when there are some. */
export function formatWall(instant: number, zone: Zone): string {
  const text = new Date(wallOf(instant, zone)).toISOString();
  const seconds = text.slice(17, 19) === "00" ? "" : text.slice(16, 19);
  return `${text.slice(0, 10)} ${text.slice(11, 16)}${seconds}`;
}

/** All names to offer; the browser's own list. */
export function zoneNames(): readonly string[] {
  return ["UTC", ...Intl.supportedValuesOf("timeZone").filter((name) => name !== "UTC")];
}
