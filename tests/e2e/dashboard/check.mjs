// Opens the dashboard in a headless Chromium and looks whether it tells the truth about a cluster.
//
//   node check.mjs --url http://127.0.0.1 [--username U --password P] [--screenshots DIR]     a running cluster
//   node check.mjs --fixture [--dist DIR] [--screenshots DIR]                  a cluster of recorded answers
//
// Needs Marathon and one agent with 0.7 CPU and 300 MiB free; runs a small service and a pod and destroys them through the
// page. Where the cluster has jobs and a catalog it also walks through those, and takes away again what it made.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Check, expect, has, kDesktop, kPhone, option, result, rowOf, rows, step } from "./lib.mjs";
import { kFixtureUser, expiry, login, manyJobs, networking, rooms } from "./rooms.mjs";

const kAppId = `/dashboard-check-${process.pid}`;
const kPodId = `/dashboard-check-pod-${process.pid}`;
const kSaying = "dashboard-check";
const kApp = {
  id: kAppId,
  cmd: `echo ${kSaying} says hello; while sleep 1; do date; done`,
  cpus: 0.1,
  mem: 32,
  instances: 1,
  portDefinitions: [{ port: 0, protocol: "tcp", name: "main", labels: { VIP_0: `${kAppId}:80` } }],
};

async function readOnlyPages(check) {
  const { page } = check;
  await step("the overview shows the cluster and its nodes", async () => {
    await check.go("#/");
    await page.locator(".node-grid li").first().waitFor();
    await page.locator('[data-live="live"]').waitFor();
    return `${await page.locator("[data-cluster-name]").innerText()}, ${await page.locator(".node-grid li").count()} nodes`;
  });
  await step("the nodes page lists each agent with what is used", async () => {
    await check.go("#/nodes");
    await rows(page, "nodes").first().waitFor();
    return `${await rows(page, "nodes").count()} rows`;
  });
  await step("columns sort, and say so", async () => {
    await page.locator('table[data-table="nodes"] th button', { hasText: "Node" }).click();
    expect(
      (await page.locator('table[data-table="nodes"] th[aria-sort="descending"]').count()) === 1,
      "no column is marked as sorted",
    );
  });
}

async function liveService(check) {
  const { page } = check;
  await step("a service added through the API appears without a reload", async () => {
    await check.go("#/services");
    await page.locator('[data-live="live"]').waitFor();
    await page.evaluate(() => (window.stillHere = true));
    await check.api("/v2/apps", "POST", kApp);
    const start = Date.now();
    await rowOf(page, "services", kAppId).waitFor();
    const seen = Date.now() - start;
    expect(await page.evaluate(() => window.stillHere === true), "the page was loaded again");
    return `${seen} ms after the answer of the API`;
  });
  await step("its state becomes Running by itself", () =>
    rowOf(page, "services", kAppId).locator(".badge.good", { hasText: "Running" }).waitFor(),
  );
  await step("its task is listed with a link to its log", async () => {
    await check.go(`#/tasks?q=${kAppId.slice(1)}`);
    await rows(page, "tasks").locator(".badge.good").first().waitFor();
    await rows(page, "tasks").first().locator("a", { hasText: "Log" }).click();
  });
  await step("the log shows what the task wrote, and grows", async () => {
    const log = page.locator("[data-log] pre");
    await page.waitForFunction(
      (text) => document.querySelector("[data-log] pre")?.textContent.includes(text),
      kSaying,
    );
    const before = (await log.textContent()).length;
    await page.waitForFunction(
      (length) => document.querySelector("[data-log] pre").textContent.length > length,
      before,
    );
  });
  await step("the sandbox can be browsed and a file opened", async () => {
    await page.locator('[data-tab="files"]').click();
    await rows(page, "files").first().waitFor();
    await page.locator('table[data-table="files"] a', { hasText: "stdout" }).first().click();
    await page.waitForFunction(
      (text) => document.querySelector("[data-log] pre")?.textContent.includes(text),
      kSaying,
    );
  });
}

async function changes(check) {
  const { page } = check;
  await step("scaling from the page starts an instance", async () => {
    await check.go(`#/service${kAppId}`);
    await page.waitForFunction(
      async (id) =>
        ((await (await fetch(`/service/marathon/v2/apps${id}`)).json()).app.deployments ?? []).length === 0,
      kAppId,
    );
    await page.locator('[data-action="scale"]').click();
    await page.locator("[data-instances]").fill("2");
    await page.keyboard.press("Enter");
    await rows(page, "instances").nth(1).locator(".badge.good").first().waitFor();
  });
  await step("a bad definition shows what the API says at its field", async () => {
    await check.go("#/services/new");
    await page.locator("#field-id").fill("/dashboard check");
    await page.locator("#field-cpus").fill("-1");
    await page.locator('[data-form] button[type="submit"]').click();
    await page.locator('[data-field="cpus"] .field-error').waitFor();
    await page.locator(".gutter .marked").first().waitFor();
    await check.shot("run-service-errors-dark");
  });
  await step("the keyboard reaches a service and its row", async () => {
    await check.go("#/");
    await page.locator(".node-grid li").first().waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press("s");
    await rowOf(page, "services", kAppId).waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type(kAppId.slice(1));
    await page.waitForFunction(
      () => document.querySelectorAll('table[data-table="services"] tbody tr').length === 1,
    );
    await page.locator("h1").click();
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.locator("h1", { hasText: kAppId }).waitFor();
  });
  await step("the search is typed into at once and goes where it points", async () => {
    await check.go("#/nodes");
    await rows(page, "nodes").first().waitFor();
    await page.keyboard.press("Control+k");
    await page.keyboard.type(kAppId.slice(1));
    await page.locator(".palette li", { hasText: "Service" }).first().waitFor();
    await page.keyboard.press("Enter");
    await page.locator("h1", { hasText: kAppId }).waitFor();
  });
  await step("a dialog has the focus where one types, and Escape closes it", async () => {
    await page.locator('[data-action="destroy"]').click();
    await page.keyboard.type("/x");
    expect((await page.locator("dialog input").inputValue()) === "/x", "the field does not have the focus");
    await page.keyboard.press("Escape");
    await page.locator("dialog").waitFor({ state: "detached" });
  });
}

async function pictures(check, fixture) {
  if (!check.shots) return;
  const { page } = check;
  const task = await page
    .evaluate(
      async (id) => (await (await fetch(`/service/marathon/v2/apps${id}`)).json()).app.tasks[0].id,
      fixture ? "/shop/web" : kAppId,
    )
    .catch(() => null);
  const service = fixture ? "/shop/cart" : kAppId;
  const places = {
    overview: "#/",
    services: "#/services",
    service: `#/service${service}`,
    nodes: "#/nodes",
    tasks: "#/tasks?q=is:live",
    "run-service": "#/services/new",
    jobs: "#/jobs",
    "jobs-graph": "#/jobs?view=graph",
    "job-form": "#/jobs/new",
    catalog: "#/catalog",
    "catalog-install": "#/package/redis/install",
    networking: "#/networking",
  };
  const openTask = async () => {
    await check.go(`#/tasks?q=${task}`);
    await rows(page, "tasks").first().locator("a", { hasText: "Log" }).click();
    await page.locator("[data-log] pre").waitFor();
  };
  for (const scheme of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const [name, hash] of Object.entries(places)) {
      await check.go(hash);
      await page.locator("h1").waitFor();
      await check.shot(`${name}-${scheme}`);
    }
    if (task) await openTask().then(() => check.shot(`log-${scheme}`));
  }
  await page.setViewportSize(kPhone);
  for (const [name, hash] of Object.entries(places)) {
    await check.go(hash);
    await page.locator("h1").waitFor();
    await check.shot(`${name}-phone`);
  }
  if (task) await openTask().then(() => check.shot("log-phone"));
  await page.setViewportSize(kDesktop);
  await page.emulateMedia({ colorScheme: "dark" });
}

async function narrow(check) {
  const { page } = check;
  await step("no page is wider than a phone", async () => {
    await page.setViewportSize(kPhone);
    const tooWide = [];
    for (const hash of [
      "#/",
      "#/services",
      `#/service${kAppId}`,
      "#/tasks",
      "#/nodes",
      "#/services/new",
      "#/deployments",
      "#/frameworks",
      "#/networking",
      "#/jobs",
      "#/jobs/new",
      "#/jobs?view=graph",
      "#/catalog",
      "#/catalog?tab=installed",
    ]) {
      await check.go(hash);
      await page.locator("h1").waitFor();
      const wide = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      if (wide > 0) tooWide.push(`${hash} by ${wide} pixels`);
    }
    await page.setViewportSize(kDesktop);
    expect(tooWide.length === 0, `too wide: ${tooWide.join(", ")}`);
  });
}

/** Only where the gateway can be told to fail: a real cluster is not disturbed for this. */
async function connectionLoss(check) {
  const { page } = check;
  await step("a lost connection is shown, and mends by itself", async () => {
    await check.go("#/services");
    await page.locator('[data-live="live"]').waitFor();
    await fetch(`${check.url}/fixture/drop?for=ever`);
    await page.locator("[data-banner]").first().waitFor();
    await page.waitForTimeout(1200);
    await check.shot("connection-lost-dark");
    await fetch(`${check.url}/fixture/drop`);
    await page.locator('[data-live="live"]').waitFor();
    await page.locator("[data-banner]").first().waitFor({ state: "detached" });
    await rows(page, "services").first().waitFor();
  });
}

/** A pod is a service like others; its instances are containers. The fixture has none. */
async function pods(check) {
  const { page } = check;
  const container = (name) => ({
    name,
    exec: { command: { shell: "sleep 3600" } },
    resources: { cpus: 0.05, mem: 32 },
  });
  await step("a pod is listed with the apps, and its containers as instances", async () => {
    await check.api("/v2/pods", "POST", { id: kPodId, containers: [container("left"), container("right")] });
    await check.go("#/services");
    await rowOf(page, "services", kPodId).locator(".badge.good", { hasText: "Running" }).waitFor();
    await check.go(`#/service${kPodId}`);
    await rows(page, "instances").nth(1).locator(".badge.good").first().waitFor();
  });
  await step("it is scaled and destroyed from the page", async () => {
    await page.locator('[data-action="scale"]').click();
    await page.locator("[data-instances]").fill("2");
    await page.keyboard.press("Enter");
    await rows(page, "instances").nth(3).locator(".badge.good").first().waitFor();
    await page.locator('[data-action="destroy"]').click();
    await page.locator("dialog input").fill(kPodId);
    await page.locator('dialog button[type="submit"]').click();
    await rowOf(page, "services", kPodId).waitFor({ state: "detached" });
  });
}

async function destroy(check) {
  const { page } = check;
  await step("destroying from the page asks, then removes the service without a reload", async () => {
    await check.go(`#/service${kAppId}`);
    await page.locator('[data-action="destroy"]').click();
    expect(
      await page.locator('dialog button[type="submit"]').isDisabled(),
      "destroy does not wait for the name",
    );
    await page.locator("dialog input").fill(kAppId);
    await page.locator('dialog button[type="submit"]').click();
    await rowOf(page, "services", kAppId).waitFor({ state: "detached" });
  });
}

async function main() {
  const fixture = has("--fixture")
    ? await (
        await import("./fixture/server.mjs")
      ).startFixture({
        login: true,
        dist: option("--dist", fileURLToPath(new URL("../../../dashboard/dist", import.meta.url))),
      })
    : null;
  const url = (fixture?.url ?? option("--url", "")).replace(/\/$/, "");
  if (!url) {
    console.error(
      "usage: node check.mjs --url http://127.0.0.1 [--username U --password P] [--screenshots DIR]\n       node check.mjs --fixture [--dist DIR] [--screenshots DIR]",
    );
    process.exit(2);
  }
  const profile = mkdtempSync(join(tmpdir(), "dashboard-check-"));
  const check = new Check(url, option("--screenshots", ""));
  try {
    await check.open(profile);
    const user = fixture
      ? kFixtureUser
      : { uid: option("--username", ""), password: option("--password", "") };
    if (!(await login(check, user))) throw new Error("not signed in: nothing else can be looked at");
    await readOnlyPages(check);
    await liveService(check);
    await networking(check, kAppId);
    await changes(check);
    if (!fixture) await pods(check);
    await rooms(check, Boolean(fixture));
    await narrow(check);
    if (fixture) await manyJobs(check);
    if (fixture) await connectionLoss(check);
    await expiry(check, user, Boolean(fixture));
    await pictures(check, Boolean(fixture));
    await destroy(check);
    await step("no script failed and nothing was asked of other hosts", async () => {
      expect(check.faults.length === 0, `script errors: ${check.faults.join("; ")}`);
      expect(check.foreign.size === 0, `asked of other hosts: ${[...check.foreign].join(", ")}`);
    });
  } finally {
    await check.ask(`/service/marathon/v2/apps${kAppId}?force=true`, "DELETE").catch(() => {});
    await check.ask(`/service/marathon/v2/pods${kPodId}?force=true`, "DELETE").catch(() => {});
    await check.context?.close();
    rmSync(profile, { recursive: true, force: true });
    await fixture?.close();
  }
  console.log(result.failures ? `dashboard check: ${result.failures} failed` : "dashboard check: all passed");
  process.exit(result.failures ? 1 : 0);
}

await main();
