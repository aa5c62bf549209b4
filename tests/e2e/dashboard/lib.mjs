// What every part of the check uses: the browser, the steps, and a way to ask the APIs beside the page.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

export const has = (name) => process.argv.includes(name);
export const option = (name, fallback) =>
  has(name) ? process.argv[process.argv.indexOf(name) + 1] : fallback;

export const kWait = Number(option("--wait", "20000"));
const kFlags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
export const kDesktop = { width: 1440, height: 900 };
export const kPhone = { width: 360, height: 780 };

export const result = { failures: 0, scene: async () => "" };

export async function step(sentence, action) {
  const start = Date.now();
  try {
    const note = await action();
    console.log(`ok    ${sentence}${note ? ` (${note})` : ""}  ${Date.now() - start} ms`);
    return true;
  } catch (error) {
    result.failures += 1;
    console.log(
      `FAIL  ${sentence}\n      ${String(error.message ?? error)
        .split("\n")
        .slice(0, 4)
        .join("\n      ")}\n      ${await result.scene()}`,
    );
    return false;
  }
}

export function expect(condition, sentence) {
  if (!condition) throw new Error(sentence);
}

export const rows = (page, table) => page.locator(`table[data-table="${table}"] tbody tr[data-row]`);
export const rowOf = (page, table, key) => page.locator(`table[data-table="${table}"] tr[data-row="${key}"]`);

export class Check {
  constructor(url, shots) {
    this.url = url;
    this.shots = shots;
    this.faults = [];
    this.foreign = new Set();
    this.token = "";
  }

  async open(profile) {
    this.context = await chromium.launchPersistentContext(profile, {
      executablePath: option("--chromium", "/usr/bin/chromium"),
      args: kFlags,
      headless: true,
      viewport: kDesktop,
      colorScheme: "dark",
      deviceScaleFactor: 1,
    });
    this.page = this.context.pages()[0] ?? (await this.context.newPage());
    this.page.setDefaultTimeout(kWait);
    this.page.on("pageerror", (error) => this.faults.push(error.message));
    // What a failed step shows: the last refusals, what is still asked for, and what stands on the page.
    const asked = new Map();
    const refused = [];
    this.page.on("request", (request) => asked.set(request, `${request.method()} ${new URL(request.url()).pathname}`));
    const answered = (request, outcome) => {
      if (outcome) refused.push(`${asked.get(request)}: ${outcome}`);
      asked.delete(request);
    };
    this.page.on("requestfailed", (request) => answered(request, request.failure()?.errorText));
    this.page.on("requestfinished", async (request) => {
      const status = (await request.response())?.status() ?? 0;
      answered(request, status >= 400 ? status : "");
    });
    result.scene = async () => {
      const text = await this.page.innerText("body", { timeout: 1000 }).catch((error) => error.message);
      return `refused: ${refused.slice(-5).join(", ")}; under way: ${[...asked.values()].join(", ")}; page: ${text.replace(/\s+/g, " ").slice(0, 300)}`;
    };
    this.page.on("request", (request) => {
      const origin = new URL(request.url()).origin;
      if (origin !== "null" && origin !== new URL(this.url).origin) this.foreign.add(origin);
    });
  }

  go(hash) {
    return this.page.goto(`${this.url}/${hash}`);
  }

  async shot(name) {
    if (!this.shots) return;
    mkdirSync(this.shots, { recursive: true });
    await this.page.waitForTimeout(350);
    await this.page.screenshot({ path: join(this.shots, `${name}.png`) });
  }

  /** Asks the gateway beside the page; the answer, whatever its status. */
  ask(path, method = "GET", body, headers = {}) {
    return fetch(`${this.url}${path}`, {
      method,
      body: body && JSON.stringify(body),
      headers: {
        "Content-Type": "application/json",
        ...(this.token ? { Authorization: `token=${this.token}` } : {}),
        ...headers,
      },
    });
  }

  async api(path, method = "GET", body) {
    const response = await this.ask(`/service/marathon${path}`, method, body);
    const text = await response.text();
    expect(response.ok, `${method} ${path} answered ${response.status}: ${text.slice(0, 200)}`);
    return text ? JSON.parse(text) : null;
  }
}
