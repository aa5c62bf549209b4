// The parts of a cluster that may be there or not: login, named addresses, jobs, the catalog.

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

/** A session that ends while something is being typed: only where the gateway can be told to end it. */
export async function expiry(check, user) {
  const { page } = check;
  await step("a session that ends asks for a login and gives the filled form back", async () => {
    await check.go("#/services/new");
    await page.locator("#field-id").fill("/typed-before");
    await fetch(`${check.url}/fixture/expire`);
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

export async function rooms() {}
