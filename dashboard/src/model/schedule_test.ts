import { expect, test } from "vitest";
import {
  describePeriod,
  joinSchedule,
  lengthOf,
  parsePeriod,
  parseSchedule,
  preview,
  slotAt,
  splitSchedule,
  type Schedule,
} from "./schedule";
import { formatWall, instantOf, zoneOf } from "./zones";

const at = (text: string) => Date.parse(text);

function read(text: string, zone = ""): Schedule {
  const parsed = parseSchedule(text, zone);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.error}`);
  return parsed.schedule;
}

const iso = (times: readonly number[]) => times.map((t) => new Date(t).toISOString().replace(".000Z", "Z"));

test("the parts of a schedule go apart and together again", () => {
  for (const text of ["R/2026-03-01T08:00:00Z/P1D", "R5//PT1M", "R0/2026-01-01/P1M"])
    expect(joinSchedule(splitSchedule(text))).toBe(text);
});

test("periods by their letters", () => {
  expect(parsePeriod("P1Y2M3W4DT5H6M7.5S")).toEqual({
    months: 14,
    days: 25,
    ms: 5 * 3600e3 + 6 * 60e3 + 7500,
  });
  expect(parsePeriod("PT0S")).toEqual({ months: 0, days: 0, ms: 0 });
  for (const bad of ["", "P", "PT", "1D", "P1H", "PT1D", "P-1D", "P1DT", "p1d"])
    expect(parsePeriod(bad), bad).toBeNull();
  expect(lengthOf("PT90S")).toBe(90_000);
  expect(lengthOf("soon")).toBeNull();
});

test("what is wrong is said of the part where it is wrong", () => {
  for (const [text, zone, part] of [
    ["Rx//P1D", "", "repeat"],
    ["R/P1D", "", "repeat"],
    ["R/yesterday/P1D", "", "start"],
    ["R/2026-06-31T00:00:00Z/P1D", "", "start"],
    ["R/2026-06-30T24:00:00Z/P1D", "", "start"],
    ["R/2026-06-30/daily", "", "period"],
    ["R/2026-06-30/PT0S", "", "period"],
    ["R/2026-06-30/PT0.5S", "", "period"],
    ["R/2026-06-30/P1D", "Mars/Olympus", "zone"],
  ] as const)
    expect(parseSchedule(text, zone), text).toMatchObject({ ok: false, part });
  expect(parseSchedule("R1/2026-06-30/PT0S").ok).toBe(true);
});

test("starts: with offset, without, only a date, in a named zone", () => {
  for (const [text, zone, instant] of [
    ["R/2026-03-01T08:00:00Z/P1D", "", "2026-03-01T08:00:00Z"],
    ["R/2026-03-01T08:00:00.250+02:00/P1D", "", "2026-03-01T06:00:00.250Z"],
    ["R/2026-03-01T08:00/P1D", "", "2026-03-01T08:00:00Z"],
    ["R/2026-03-01/P1D", "Europe/Berlin", "2026-02-28T23:00:00Z"],
    // The hands of the clock stay as written, the zone says where the clock hangs.
    ["R/2026-01-15T18:32:00Z/P1D", "PST", "2026-01-16T02:32:00Z"],
    ["R/2026-07-15T18:32:00.000-07:00/P1D", "PST", "2026-07-16T01:32:00Z"],
    ["R/2026-07-15T18:32:00Z/P1D", "EST", "2026-07-15T23:32:00Z"],
    ["R/2026-07-15T18:32:00Z/P1D", "BST", "2026-07-15T12:32:00Z"],
  ] as const)
    expect(read(text, zone).start, `${text} ${zone}`).toBe(at(instant));
});

test("days keep the wall clock over the change to summer time, hours do not", () => {
  const days = preview(read("R/2026-03-28T02:30:00/P1D", "Europe/Berlin"), at("2026-03-27T00:00:00Z"), 3);
  // On the 29th the clock goes from 02:00 to 03:00: the first instant after the gap.
  expect(iso(days.runs)).toEqual(["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
  const hours = preview(read("R/2026-03-28T02:30:00/PT24H", "Europe/Berlin"), at("2026-03-27T00:00:00Z"), 3);
  expect(iso(hours.runs)).toEqual(["2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T01:30:00Z"]);
});

test("an hour that the clock shows twice runs once, the first time", () => {
  const berlin = zoneOf("Europe/Berlin")!;
  const runs = preview(
    read("R/2026-10-25T02:30:00/P1D", "Europe/Berlin"),
    at("2026-10-24T00:00:00Z"),
    2,
  ).runs;
  expect(iso(runs)).toEqual(["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
  expect(formatWall(runs[0]!, berlin)).toBe("2026-10-25 02:30");
});

test("the 31st stays the 31st where there is one", () => {
  const schedule = read("R/2026-01-31T12:00:00Z/P1M");
  expect(iso([0, 1, 2, 3, 13].map((k) => slotAt(schedule, k)))).toEqual([
    "2026-01-31T12:00:00Z",
    "2026-02-28T12:00:00Z",
    "2026-03-31T12:00:00Z",
    "2026-04-30T12:00:00Z",
    "2027-02-28T12:00:00Z",
  ]);
});

test("what has passed is made up for once, unless epsilon is shorter", () => {
  const schedule = read("R5/2026-01-01T00:00:00Z/PT1H");
  const now = at("2026-01-01T03:10:00Z");
  expect(preview(schedule, now, 10)).toEqual({
    runs: [now, ...["04", "05", "06", "07"].map((h) => at(`2026-01-01T${h}:00:00Z`))],
    late: true,
    more: 0,
  });
  // Three slots were skipped and counted, the fourth can still start.
  expect(preview(schedule, now, 10, 15 * 60e3).runs).toEqual([now, at("2026-01-01T04:00:00Z")]);
  expect(preview(schedule, now, 10, 60e3)).toEqual({
    runs: [at("2026-01-01T04:00:00Z")],
    late: false,
    more: 0,
  });
});

test("counts: none left, at once, and without end far in the past", () => {
  const now = at("2026-01-01T00:00:00Z");
  expect(preview(read("R0/2027-01-01/P1D"), now, 3).runs).toEqual([]);
  expect(preview(read("R1//PT0S"), now, 3)).toEqual({ runs: [now], late: false, more: 0 });
  const old = preview(read("R/1990-01-01T00:00:30Z/PT1M"), now, 2);
  expect(old).toEqual({ runs: [now, now + 30_000], late: true, more: Infinity });
});

test("every slot of every period is later than the one before, in zones with odd rules", () => {
  for (const zone of [
    "Europe/Berlin",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kolkata",
  ])
    for (const period of ["P1D", "P1W", "P1M", "P1Y", "PT7H", "P1DT1H"]) {
      const schedule = read(`R/2026-01-31T02:15:00/${period}`, zone);
      for (let k = 1; k < 40; ++k)
        expect(slotAt(schedule, k), `${zone} ${period} ${k}`).toBeGreaterThan(slotAt(schedule, k - 1));
    }
});

test("an instant shows its own wall time, unless that time is skipped", () => {
  const zone = zoneOf("Australia/Lord_Howe")!;
  for (let day = 0; day < 366; ++day) {
    const wall = at("2026-01-01T02:10:00Z") + day * 86400e3;
    const shown = instantOf(wall, zone) + zone.offsetAt(instantOf(wall, zone));
    expect(shown - wall).toBeGreaterThanOrEqual(0);
    expect(shown - wall).toBeLessThanOrEqual(30 * 60e3);
  }
});

test("periods in words", () => {
  for (const [text, words] of [
    ["PT15M", "every 15 minutes"],
    ["P1D", "every day"],
    ["P2W", "every 2 weeks"],
    ["P1DT12H", "every day and 12 hours"],
    ["PT1H30M", "every hour and 30 minutes"],
    ["PT0S", "once"],
  ])
    expect(describePeriod(parsePeriod(text!)!)).toBe(words);
});
