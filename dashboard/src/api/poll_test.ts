import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ApiError } from "./http";
import { Poller } from "./poll";
import { noteSignedIn, noteUnauthorized } from "./session";

const listeners = new Set<() => void>();
const page = {
  visibilityState: "visible",
  cookie: "",
  addEventListener: (_: string, listener: () => void) => listeners.add(listener),
  removeEventListener: (_: string, listener: () => void) => listeners.delete(listener),
};
const show = (state: "visible" | "hidden") => {
  page.visibilityState = state;
  listeners.forEach((listener) => listener());
};

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("document", page);
  show("visible");
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const kEvery = 2000;
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test("asks at once and then in intervals, and only while it is used", async () => {
  const task = vi.fn(async () => undefined);
  const poller = new Poller(kEvery, task);
  await pass(kEvery * 3);
  expect(task).toHaveBeenCalledTimes(0);
  const leave = poller.use();
  const other = poller.use();
  await pass(kEvery * 2 + 1);
  expect(task).toHaveBeenCalledTimes(3);
  leave();
  await pass(kEvery);
  expect(task).toHaveBeenCalledTimes(4);
  other();
  await pass(kEvery * 5);
  expect(task).toHaveBeenCalledTimes(4);
  expect(listeners.size).toBe(0);
});

test("a hidden tab asks nothing, and asks at once when it is looked at again", async () => {
  const task = vi.fn(async () => undefined);
  const leave = new Poller(kEvery, task).use();
  await pass(1);
  show("hidden");
  await pass(kEvery * 10);
  expect(task).toHaveBeenCalledTimes(1);
  show("visible");
  await pass(1);
  expect(task).toHaveBeenCalledTimes(2);
  leave();
});

test("nothing is asked while a login is wanted; after it, at once", async () => {
  const task = vi.fn(async () => undefined);
  const leave = new Poller(kEvery, task).use();
  await pass(1);
  noteUnauthorized();
  await pass(kEvery * 10);
  expect(task).toHaveBeenCalledTimes(1);
  noteSignedIn("alice");
  await pass(1);
  expect(task).toHaveBeenCalledTimes(2);
  leave();
});

test("a failure is told, asked about less and less often, and forgotten when it is over", async () => {
  let fail: unknown = new ApiError(503, "busy");
  const task = vi.fn(async () => {
    if (fail) throw fail;
  });
  const poller = new Poller(kEvery, task);
  const leave = poller.use();
  await pass(1);
  expect(poller.status.get()).toMatchObject({ phase: "lost" });
  await pass(60_000);
  expect(task.mock.calls.length).toBeLessThan(12);
  fail = new ApiError(404, "not part of this cluster");
  await pass(20_000);
  expect(poller.status.get()).toMatchObject({ phase: "absent" });
  fail = null;
  await pass(20_000);
  expect(poller.status.get()).toEqual({ phase: "live", error: null });
  leave();
});

test("an answer that was given up does not count", async () => {
  let answer: (() => void) | undefined;
  const poller = new Poller(kEvery, () => new Promise<void>((resolve) => (answer = resolve)));
  const leave = poller.use();
  await pass(1);
  const first = answer!;
  poller.now();
  await pass(1);
  first();
  await pass(1);
  expect(poller.status.get().phase).toBe("loading");
  answer!();
  await pass(1);
  expect(poller.status.get().phase).toBe("live");
  leave();
});
