// A real browser for tests: Debian's Chromium, driven by playwright-core.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const executable = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Starts the browser. Throws with a sentence when there is none. */
export async function launch() {
  if (!existsSync(executable)) throw new Error(`${executable} is missing: install chromium or set CHROMIUM`);
  return chromium.launch({
    executablePath: executable,
    // Chromium's own sandbox refuses to run as root, as tests in a container do.
    args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  });
}

/**
 * Opens url in a window of its own. The answer has the playwright page,
 * problems (sentences, one for each console error, uncaught exception and
 * request to another origin) and shot(name), which writes name.png into
 * folder, or nothing without one. allow is a pattern of console errors that
 * are no problem.
 */
export async function openPage(browser, url, { width = 1024, height = 768, folder, allow, ...more } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, ...more });
  const page = await context.newPage();
  const problems = [];
  const origin = new URL(url).host;
  page.on("console", (message) => {
    if (message.type() !== "error" || allow?.test(message.text())) return;
    problems.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
  page.on("request", (request) => {
    const to = new URL(request.url());
    if (to.host !== origin && to.protocol !== "blob:") problems.push(`request to ${request.url()}`);
  });
  await page.goto(url);
  return {
    page,
    problems,
    close: () => context.close(),
    shot: (name) => (folder ? page.screenshot({ path: join(folder, `${name}.png`) }) : undefined),
  };
}

/** Waits until the text of selector is text. */
export function waitForText(page, selector, text) {
  return page.waitForFunction(([s, t]) => document.querySelector(s)?.textContent.trim() === t, [selector, text]);
}
