// Numbers, sizes and times as people read them. Pure functions, tested with tables.

const kDash = "–";

/** `0.1` -> "0.1", `12` -> "12", `1234.5` -> "1,234.5": at most two decimals, none when integral. */
export function formatNumber(value: number, decimals = 2): string {
  if (!Number.isFinite(value)) return kDash;
  return value.toLocaleString("en-US", { maximumFractionDigits: decimals });
}

/** Mebibytes, the unit of the kernel's `mem` and `disk` resources, in the largest readable unit. */
export function formatMib(mib: number): string {
  return formatBytes(mib * 1024 * 1024);
}

/** Bytes with a binary unit: 512 -> "512 B", 1536 -> "1.5 KiB". */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return kDash;
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = Math.abs(bytes);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  // 1023.99 would print as 1,024: step up instead.
  const decimals = value >= 100 || unit === 0 ? 0 : 1;
  if (unit < units.length - 1 && Number(value.toFixed(decimals)) >= 1024) {
    value /= 1024;
    unit += 1;
  }
  return `${bytes < 0 ? "-" : ""}${formatNumber(value, value >= 100 || unit === 0 ? 0 : 1)} ${units[unit]}`;
}

/** A share of a whole as an integral percentage; "–" when there is no whole. */
export function formatPercent(used: number, total: number): string {
  if (!(total > 0)) return kDash;
  const percent = (used / total) * 100;
  return percent > 0 && percent < 1 ? "<1 %" : `${Math.round(percent)} %`;
}

/** A length of time by its largest units: 42 -> "42 s", 150 -> "2 min", 90061 -> "1 d 1 h". */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return kDash;
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) {
    const minutes = Math.floor((s % 3600) / 60);
    return `${Math.floor(s / 3600)} h${minutes ? ` ${minutes} min` : ""}`;
  }
  const hours = Math.floor((s % 86400) / 3600);
  return `${Math.floor(s / 86400)} d${hours ? ` ${hours} h` : ""}`;
}

/** How long ago, from epoch milliseconds. */
export function formatAgo(then: number, now: number): string {
  if (!Number.isFinite(then) || then <= 0) return kDash;
  const seconds = (now - then) / 1000;
  return seconds < 3 ? "just now" : `${formatDuration(seconds)} ago`;
}

/** A full local time, for tooltips and detail lists: "2026-03-01 14:05:09". */
export function formatTime(ms: number): string {
  if (!Number.isFinite(ms) || ms <= 0) return kDash;
  const d = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
  return `${day} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** Epoch milliseconds of an ISO 8601 time, or NaN. */
export function parseTime(text: string | null | undefined): number {
  return text ? Date.parse(text) : NaN;
}

/** Long ids shortened in the middle for narrow columns; the full text belongs in a title. */
export function shortenMiddle(text: string, max: number): string {
  if (text.length <= max) return text;
  const tail = Math.floor((max - 1) / 2);
  return `${text.slice(0, max - 1 - tail)}…${text.slice(text.length - tail)}`;
}

/** "1 task", "3 tasks". */
export function plural(count: number, noun: string): string {
  return `${formatNumber(count)} ${noun}${count === 1 ? "" : "s"}`;
}
