// What 5,000 jobs cost the browser: processor time of the page's main thread, which other work on the machine does not change.
//
//   node measure.mjs [--dist DIR] [--jobs N]        prints one line of JSON

import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { startFixture } from "./fixture/server.mjs";
import { kDesktop, option } from "./lib.mjs";

const kFrames = 200;
const kLookMs = 10_000;

const jobs = Number(option("--jobs", "5000"));
const dist = option("--dist", fileURLToPath(new URL("../../../dashboard/dist", import.meta.url)));
const fixture = await startFixture({ dist, jobs });
const browser = await chromium.launch({
  executablePath: option("--chromium", "/usr/bin/chromium"),
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  const page = await browser.newPage({ viewport: kDesktop });
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
  const spentMs = async () =>
    (await devtools.send("Performance.getMetrics")).metrics.find((m) => m.name === "TaskDuration").value *
    1000;
  const cost = async (action) => {
    const before = await spentMs();
    await action();
    return Math.round((await spentMs()) - before);
  };
  const open = await cost(async () => {
    await page.goto(`${fixture.url}/#/jobs`);
    await page.locator("tr[data-row]").first().waitFor();
    await page.waitForTimeout(3000);
  });
  const look = await cost(() => page.waitForTimeout(kLookMs));
  const scroll = await cost(() =>
    page.evaluate(async (frames) => {
      const height = document.documentElement.scrollHeight;
      for (let i = 0; i < frames; ++i) {
        window.scrollTo(0, (height * i) / frames);
        await new Promise((drawn) => requestAnimationFrame(drawn));
      }
    }, kFrames),
  );
  const rows = await page.locator("tr[data-row]").count();
  console.log(
    JSON.stringify({
      jobs,
      open_ms: open,
      look_ms_per_s: look / (kLookMs / 1000),
      scroll_ms_per_frame: scroll / kFrames,
      rows_in_page: rows,
    }),
  );
} finally {
  await browser.close();
  await fixture.close();
}
