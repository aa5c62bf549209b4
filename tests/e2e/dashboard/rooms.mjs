// The parts of a cluster that may be there or not: login, named addresses, jobs, the catalog.

import { existsSync } from "node:fs";
import { expect, rowOf, rows, step } from "./lib.mjs";
import { kUser } from "./fixture/login.mjs";

export const kFixtureUser = kUser;

async function signIn(page, { uid, password }) {
  await page.locator('[data-login] input[name="uid"]').fill(uid);
  await page.locator('[data-login] input[name="password"]').fill(password);
  await page.keyboard.press("Enter");
}

/** Signs in where the gateway asks for it. False when that did not work. */
export async function login(check, user) {
  const { page } = check;
  const asked = (await check.ask("/mesos/state-summary")).status === 401;
  if (!asked) {
    return step("no login is asked for, and no login page shown", async () => {
      await check.go("#/nodes");
      await page.locator("h1").waitFor();
      expect((await page.locator("[data-login]").count()) === 0, "there is a login page");
    });
  }
  return (
    (await step("a wrong password is refused with the gateway's words", async () => {
      await check.go("#/nodes");
      await page.locator("[data-login]").waitFor();
      await check.shot("login-dark");
      await signIn(page, { uid: user.uid, password: "certainly not it" });
      const said = await page.locator("[data-login-error]").innerText();
      expect(said.trim().length > 8, "nothing is said");
      return said.trim();
    })) &&
    (await step("the right one opens the page that was asked for, and says who one is", async () => {
      await signIn(page, user);
      await rows(page, "nodes").first().waitFor();
      await page.locator(`[data-user="${user.uid}"]`).waitFor();
      const answer = await check.ask("/acs/api/v1/auth/login", "POST", user);
      expect(answer.ok, `the API answered ${answer.status} to the same user`);
      check.token = (await answer.json()).token;
    })) &&
    (await step("signing out asks again and shows nothing of the cluster", async () => {
      await page.locator("[data-sign-out]").click();
      await page.locator("[data-login]").waitFor();
      expect((await rows(page, "nodes").count()) === 0, "nodes are still in the page");
      await signIn(page, user);
      await rows(page, "nodes").first().waitFor();
    }))
  );
}

/** A session that ends while something is being typed, without the page being told. */
export async function expiry(check, user, fixture) {
  const { page } = check;
  if (!check.token) return;
  await step("a session that ends asks for a login and gives the filled form back", async () => {
    await check.go("#/services/new");
    await page.locator('[data-live="live"]').waitFor();
    await page.locator("#field-id").fill("/typed-before");
    if (fixture) {
      await fetch(`${check.url}/fixture/expire`);
    } else {
      await page.evaluate(() => fetch("/acs/api/v1/auth/logout").then((answer) => answer.text()));
      // The page learns of it by the next request, unless the gateway has ended its streams already.
      await page
        .locator('[data-form] button[type="submit"]')
        .click({ timeout: 2000 })
        .catch(() => {});
    }
    await page.locator("[data-login]").waitFor();
    await check.shot("session-ended-dark");
    await signIn(page, user);
    await page.locator("[data-login]").waitFor({ state: "detached" });
    expect((await page.locator("#field-id").inputValue()) === "/typed-before", "the form is empty");
    await page.locator('[data-live="live"]').waitFor();
    check.token = (await (await check.ask("/acs/api/v1/auth/login", "POST", user)).json()).token;
  });
}

export async function networking(check, appId) {
  const { page } = check;
  const address = `${appId.slice(1)}.marathon.l4lb.thisdcos.directory:80`;
  await step("a service's address in the cluster is shown", async () => {
    await check.go(`#/service${appId}`);
    await page.locator("[data-vips]", { hasText: address }).waitFor();
  });
  const answer = await check.ask("/net/v1/vips");
  if (answer.status === 404) {
    return step("the networking page says that there is no load balancer here", async () => {
      await check.go("#/networking");
      await page.locator("[data-absent]", { hasText: "not part of this cluster" }).waitFor();
    });
  }
  return step("the networking page lists the address with its backend", async () => {
    await check.go("#/networking");
    await rowOf(page, "vips", `${address}/tcp`).locator(".badge.good").waitFor();
    return `${await rows(page, "vips").count()} addresses`;
  });
}

const kJobs = "/service/chronos/v1/scheduler";

async function jobForm(page, name, command) {
  await page.locator("#field-name").fill(name);
  await page.locator("#field-command").fill(command);
}

/** A job, one that depends on it, the graph of both, and the end of both. */
async function jobsPages(check) {
  const { page } = check;
  const answer = await check.ask(`${kJobs}/jobs/summary`);
  if (answer.status === 404) {
    return step("the jobs page says that nothing runs jobs here", async () => {
      await check.go("#/jobs");
      await page.locator("[data-absent]", { hasText: "not part of this cluster" }).waitFor();
    });
  }
  const first = `check-first-${process.pid}`;
  const second = `check-second-${process.pid}`;
  try {
    await step("the next runs are shown while a schedule is typed, and what is wrong with it", async () => {
      await check.go("#/jobs/new");
      await jobForm(page, first, "echo first");
      await page.locator("#field-schedule-period").fill("daily");
      await page.locator('[data-field="schedule-period"] .field-error').waitFor();
      await page.locator("#field-schedule-period").fill("P1M");
      await page.locator("#field-schedule-start").fill("2090-01-31T08:00:00");
      await page.locator("#field-zone").fill("Europe/Berlin");
      const runs = await page.locator("[data-upcoming]").innerText();
      expect(runs.includes("2090-02-28 08:00"), `the runs are: ${runs}`);
      await check.shot("job-form-dark");
    });
    await step("a job is created and opens", async () => {
      await page.keyboard.press("Enter");
      await page.locator("h1", { hasText: first }).waitFor();
      await page.locator(".badge", { hasText: "Never ran" }).waitFor();
    });
    await step("a job that runs after it is created by choosing it from a list", async () => {
      await check.go("#/jobs/new");
      await jobForm(page, second, "echo second");
      await page.locator('[data-trigger="parents"]').click();
      await page.locator("#field-parents").fill(first);
      await page.locator('[role="option"]', { hasText: first }).waitFor();
      await page.locator("#field-parents").press("Enter");
      await page.locator('[data-form] button[type="submit"]').click();
      await page.locator("h1", { hasText: second }).waitFor();
    });
    await step("running the first runs the second after it", async () => {
      await check.go(`#/job/${first}`);
      await page.locator('[data-action="run"]').click();
      await page.locator("dialog [data-arguments]").waitFor();
      await page.locator('dialog button[type="submit"]').click();
      await page.locator(".badge.good", { hasText: "Succeeded" }).first().waitFor();
      await check.go(`#/job/${second}?tab=runs`);
      await rows(page, "runs").locator(".badge.good").first().waitFor();
    });
    await step("the graph shows both, and the keyboard walks along the line", async () => {
      await check.go(`#/jobs?view=graph&q=${first}`);
      await page.locator(`[data-node="${first}"]`).focus();
      await page.keyboard.press("ArrowRight");
      await page.waitForFunction((id) => document.activeElement?.getAttribute("data-node") === id, second);
      await page.keyboard.press("Enter");
      await page.locator("h1", { hasText: second }).waitFor();
    });
    await step("a job is disabled and enabled again", async () => {
      for (const word of ["Disabled", "Succeeded"]) {
        await page.locator('[data-action="switch"]').click();
        await page.locator('dialog button[type="submit"]').click();
        await page.locator(".page-head .badge", { hasText: word }).waitFor();
      }
    });
    await step("what the server refuses is shown at the field", async () => {
      await check.go("#/jobs/new");
      await jobForm(page, `check-third-${process.pid}`, "true");
      await page.locator("#field-schedule-period").fill("P1D");
      await page
        .locator("[data-editor]")
        .fill(
          JSON.stringify(
            { name: `check-third-${process.pid}`, command: "true", parents: ["no-such-job"] },
            null,
            2,
          ),
        );
      await page.locator('[data-form] button[type="submit"]').click();
      await page.locator('[data-field="parents"] .field-error').waitFor();
      await page.locator(".gutter .marked").first().waitFor();
    });
    await step("deleting asks for the name and takes the job out of the list", async () => {
      for (const name of [second, first]) {
        await check.go(`#/job/${name}`);
        await page.locator('[data-action="delete"]').click();
        await page.locator("dialog input").fill(name);
        await page.locator('dialog button[type="submit"]').click();
        await page.locator("h1", { hasText: /^\s*Jobs\s*$/ }).waitFor();
        await rowOf(page, "jobs", name).waitFor({ state: "detached" });
      }
    });
  } finally {
    for (const name of [second, first]) await check.ask(`${kJobs}/job/${name}`, "DELETE").catch(() => {});
  }
}

/** Thousands of jobs: only where the cluster can be told to have them. */
export async function manyJobs(check) {
  const { page } = check;
  const kMany = 5000;
  await step(
    "of thousands of jobs only the rows in sight are in the page, and all can be reached",
    async () => {
      await fetch(`${check.url}/fixture/jobs?more=${kMany}`);
      await check.go("#/jobs?q=bulk-");
      await rowOf(page, "jobs", "bulk-0").waitFor();
      const count = await rows(page, "jobs").count();
      expect(count < 120, `${count} rows are in the page`);
      expect(
        (await page.locator(`table[aria-rowcount="${kMany + 1}"]`).count()) === 1,
        "the table does not tell its size",
      );
      await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
      await rowOf(page, "jobs", `bulk-${kMany - 1}`).waitFor();
      await page.evaluate(() => window.scrollTo(0, 0));
      await page.locator("h1").click();
      for (let i = 0; i < 60; ++i) await page.keyboard.press("j");
      const at = await page.evaluate(() => document.activeElement.textContent);
      expect(at === "bulk-59", `the keyboard is at ${at}`);
      await fetch(`${check.url}/fixture/jobs?more=0`);
      return `${count} of ${kMany} rows`;
    },
  );
}

/** Where a package's program comes from the machine, it can only run where the machine has it. */
const canRun = (fixture) => fixture || existsSync("/usr/bin/redis-server");

/** Installs redis with options of its own. The id of its app; "" where there is no catalog. */
async function catalogInstall(check, fixture) {
  const { page } = check;
  const answer = await check.ask(
    "/package/search",
    "POST",
    {},
    {
      "Content-Type": "application/vnd.dcos.package.search-request+json;charset=utf-8;version=v1",
      Accept: "application/vnd.dcos.package.search-response+json;charset=utf-8;version=v1",
    },
  );
  if (answer.status === 404) {
    await step("the catalog says that there is no package service here", async () => {
      await check.go("#/catalog");
      await page.locator("[data-absent]", { hasText: "not part of this cluster" }).waitFor();
    });
    return "";
  }
  const name = `check-redis-${process.pid}`;
  const option = (pointer) => page.locator(`[data-option="${pointer}"]`);
  await step("the catalog lists packages and is filtered as one types", async () => {
    await check.go("#/catalog");
    await page.locator("[data-package]").first().waitFor();
    const all = await page.locator("[data-package]").count();
    await page.keyboard.press("/");
    await page.keyboard.type("redis");
    await page.waitForFunction(() => document.querySelectorAll("[data-package]").length === 1);
    return `${all} packages`;
  });
  await step(
    "a package tells what it is, and its options are a form with the defaults filled in",
    async () => {
      await page.locator('[data-package="redis"]').click();
      await page.locator('[data-action="install"]').click();
      await option("/service/name").locator("input").waitFor();
      expect(
        (await option("/service/name").locator("input").inputValue()) === "redis",
        "the default is not shown",
      );
    },
  );
  await step("what the schema forbids is said at the field, and marked in the JSON", async () => {
    await option("/service/mem").locator("input").fill("1");
    await option("/service/mem").locator(".field-error", { hasText: "at least" }).waitFor();
    await page.locator(".gutter .marked").first().waitFor();
  });
  await step("what the server refuses is said at the field", async () => {
    await page.locator('[data-form] button[type="submit"]').click();
    await page.locator("[data-form-error]").waitFor();
    await option("/service/mem").locator(".field-error").waitFor();
    await check.shot("catalog-errors-dark");
    await option("/service/mem").locator("input").fill("48");
    await option("/service/mem").locator(".field-error").waitFor({ state: "detached" });
  });
  await step("the preview shows the app with the chosen options", async () => {
    await option("/service/name").locator("input").fill(name);
    await option("/service/cpus").locator("input").fill("0.1");
    await page.locator('[data-action="preview"]').click();
    const app = await page.locator("[data-preview]").innerText();
    expect(app.includes(name) && app.includes("48"), `the preview is: ${app.slice(0, 200)}`);
    await page.keyboard.press("Escape");
  });
  await step("installing it makes a service appear", async () => {
    await page.locator('[data-form] button[type="submit"]').click();
    await page.locator("[data-installed]").waitFor();
    await page.locator("[data-open]").click();
    await page.locator("h1", { hasText: name }).waitFor();
    if (!canRun(fixture)) return "redis-server is not on this machine: not waited for";
    await page.locator(".page-head .badge.good", { hasText: "Running" }).waitFor();
  });
  await step("the options were those of the form", async () => {
    const { app } = await check.api(`/v2/apps/${name}`);
    expect(app.cpus === 0.1 && app.mem === 48, `cpus ${app.cpus}, mem ${app.mem}`);
    expect(app.labels.DCOS_PACKAGE_NAME === "redis", "the app has no label of its package");
  });
  return `/${name}`;
}

async function catalogUninstall(check, appId) {
  const { page } = check;
  await step("the options of an installed package are changed", async () => {
    await check.go("#/catalog?tab=installed");
    await page.locator(`[data-edit="${appId}"]`).click();
    const memory = page.locator('[data-option="/service/mem"] input');
    await memory.waitFor();
    expect((await memory.inputValue()) === "48", "the options are not those it was installed with");
    await memory.fill("56");
    await page.locator('[data-form] button[type="submit"]').click();
    await page.locator("[data-form]").waitFor({ state: "detached" });  // its heading has the id as well
    await page.locator("h1", { hasText: appId }).waitFor();
    const { app } = await check.api(`/v2/apps${appId}`);
    expect(app.mem === 56, `mem is ${app.mem}`);
  });
  await step("what is installed is listed and uninstalled after asking", async () => {
    await check.go("#/catalog?tab=installed");
    await rowOf(page, "installed", appId).waitFor();
    await page.locator(`[data-uninstall="${appId}"]`).click();
    await page.locator("dialog input").fill(appId);
    await page.locator('dialog button[type="submit"]').click();
    await rowOf(page, "installed", appId).waitFor({ state: "detached" });
    await check.go("#/services");
    await rowOf(page, "services", appId).waitFor({ state: "detached" });
  });
}

/** The walk through what a cluster may have: a package, jobs, and the package again. */
export async function rooms(check, fixture) {
  const installed = await catalogInstall(check, fixture);
  try {
    await jobsPages(check);
    if (installed) await catalogUninstall(check, installed);
  } finally {
    if (installed)
      await check.ask(`/service/marathon/v2/apps${installed}?force=true`, "DELETE").catch(() => {});
  }
}
