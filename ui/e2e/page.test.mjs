// The page in a real browser against a real ui.UI. TestPage in page_test.go
// starts both and answers on UI_CONTROL; without it these tests are skipped.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { after, afterEach, before, test } from "node:test";
import { launch, openPage, waitForText } from "./browser.mjs";
import { accessibilityFlaws, layoutFlaws } from "./checks.mjs";

const url = process.env.UI_URL;
const control = process.env.UI_CONTROL;
const folder = process.env.UI_SHOTS; // screenshots go there, if set
const options = { skip: url && control ? false : "UI_URL and UI_CONTROL are not set: run go test -run TestPage in ui", timeout: 60_000 };

const languages = Object.fromEntries(
  readdirSync(new URL("../languages/", import.meta.url)).map((name) => [
    name.replace(".json", ""),
    JSON.parse(readFileSync(new URL(`../languages/${name}`, import.meta.url), "utf8")),
  ]),
);

let browser;
let open; // pages of the present test

before(async () => {
  if (!options.skip) browser = await launch();
  open = [];
});

afterEach(async () => {
  for (const o of open.splice(0)) {
    assert.deepEqual(o.problems, []);
    await o.close();
  }
});

after(() => browser?.close());

async function visit(more) {
  const o = await openPage(browser, url, { folder, ...more });
  open.push(o);
  return o;
}

async function tell(what, value) {
  const answer = await fetch(`${control}/${what}`, { method: "POST", body: JSON.stringify(value ?? null) });
  assert.equal(answer.status, 200, await answer.text());
}

const idle = { phase: "idle", prompt: "approach" };
const turnLeft = { phase: "move", prompt: "turn_left", arrow: "left", progress: 0.4, step: 2, steps: 3 };
const scenes = {
  idle,
  position: { phase: "position", prompt: "closer", progress: 0.05 },
  uncover: { phase: "position", prompt: "uncover", reason: "sunglasses", progress: 0.05 },
  hold: { phase: "hold", prompt: "hold_still", progress: 0.25 },
  left: turnLeft,
  right: { ...turnLeft, prompt: "turn_right", arrow: "right", warning: true },
  up: { ...turnLeft, prompt: "look_up", arrow: "up" },
  down: { ...turnLeft, prompt: "look_down", arrow: "down", warning: true },
  centre: { phase: "move", prompt: "back_to_centre", progress: 0.7, step: 2, steps: 3, warning: true },
  live: { phase: "result", prompt: "result_live", outcome: "live", progress: 1 },
  not_live: { phase: "result", prompt: "result_not_live", outcome: "not_live", progress: 1 },
  retry: { phase: "result", prompt: "result_retry", outcome: "retry", reason: "too_few_frames", progress: 1 },
  rest: { phase: "rest", prompt: "step_away" },
  locked: { phase: "locked", prompt: "locked", until_ms: 65_000 },
  not_ready: { phase: "not_ready", prompt: "please_wait", reason: "camera_lost" },
};

/** Shows the attract screen. A language that was chosen before the page has come there would be given back. */
async function nobodyThere(page) {
  await tell("view", idle);
  await page.waitForSelector('body[data-phase="idle"]');
}

test("every prompt in every language", options, async () => {
  const { page } = await visit();
  await nobodyThere(page);
  for (const [code, text] of Object.entries(languages)) {
    await page.click(`button[data-language="${code}"]`);
    await waitForText(page, "#prompt", text["prompt.approach"]);
    assert.equal(await page.getAttribute("html", "lang"), code);
    assert.equal(await page.getAttribute("html", "dir"), text["language.direction"]);
    assert.equal(await page.getAttribute(`button[data-language="${code}"]`, "aria-pressed"), "true");
    for (const view of Object.values(scenes).filter((v) => v.phase === "move")) {
      await tell("view", view);
      await waitForText(page, "#prompt", text[`prompt.${view.prompt}`]);
    }
    await tell("view", idle);
    await waitForText(page, "#prompt", languages.en["prompt.approach"]); // the next person's language
  }
});

test("the arrow stays on the person's side", options, async () => {
  const { page } = await visit();
  await nobodyThere(page);
  for (const code of ["en", "ar"]) {
    await page.click(`button[data-language="${code}"]`);
    await waitForText(page, "#prompt", languages[code]["prompt.approach"]);
    for (const side of ["left", "right", "up", "down"]) {
      await tell("view", { ...turnLeft, arrow: side });
      await page.waitForSelector(`#arrow[data-direction=${side}]`);
      const where = await page.evaluate(() => {
        const middle = (e) => {
          const b = e.getBoundingClientRect();
          return [b.left + b.width / 2, b.top + b.height / 2];
        };
        const [sx, sy] = middle(document.querySelector("#stage"));
        const [ax, ay] = middle(document.querySelector("#arrow"));
        // The tip of the arrow, as painted: the shaft's left end, turned.
        const shaft = document.querySelector("#arrow .shaft");
        const tip = new DOMPoint(32, 60).matrixTransform(shaft.getScreenCTM());
        const tail = new DOMPoint(90, 60).matrixTransform(shaft.getScreenCTM());
        return { x: ax - sx, y: ay - sy, pointsX: tip.x - tail.x, pointsY: tip.y - tail.y };
      });
      const [along, across, points] = { left: [-where.x, where.y, -where.pointsX], right: [where.x, where.y, where.pointsX], up: [-where.y, where.x, -where.pointsY], down: [where.y, where.x, where.pointsY] }[side];
      assert.ok(along > 50 && Math.abs(across) < 20, `${code} ${side}: ${JSON.stringify(where)}`);
      assert.ok(points > 20, `${code} ${side} points elsewhere: ${JSON.stringify(where)}`);
    }
    await tell("view", idle);
  }
});

test("the preview is a mirror and does not outlive its phase", options, async () => {
  const { page } = await visit();
  await tell("view", scenes.position);
  await tell("preview", "on");
  await page.waitForFunction(() => !document.querySelector("#mirror").hidden);
  // The picture of page_test.go is red in its own left quarter.
  const [left, right] = await page.evaluate(() => {
    const c = document.querySelector("#mirror");
    const at = (x) => [...c.getContext("2d").getImageData(x, c.height / 2, 1, 1).data];
    return [at(4), at(c.width - 4)];
  });
  assert.ok(right[0] > 150 && right[2] < 100, `right of the screen is ${right}`);
  assert.ok(left[0] < 150, `left of the screen is ${left}`);
  await tell("preview", "off");
  await page.waitForFunction(() => document.querySelector("#mirror").hidden); // stale
  await tell("preview", "on");
  await page.waitForFunction(() => !document.querySelector("#mirror").hidden);
  await tell("view", scenes.live);
  await waitForText(page, "#prompt", languages.en["prompt.result_live"]);
  assert.equal(await page.evaluate(() => document.querySelector("#mirror").hidden), true);
  await tell("preview", "off");
});

test("a screen reader hears prompts politely and results at once", options, async () => {
  const { page } = await visit();
  await tell("view", scenes.left);
  await waitForText(page, "#say[aria-live=polite]", languages.en["prompt.turn_left"]);
  await tell("view", scenes.live);
  await page.waitForFunction((t) => document.querySelector("#alert[aria-live=assertive]").textContent.includes(t), languages.en["prompt.result_live"]);
  assert.equal(await page.textContent("#say"), "");
  await tell("view", scenes.uncover);
  await page.waitForFunction((t) => document.querySelector("#say").textContent.includes(t), languages.en["reason.sunglasses"]);
  assert.equal(await page.textContent("#alert"), "");
});

test("results have a colour, a symbol and words, and no number", options, async () => {
  const { page } = await visit();
  const colours = new Set();
  for (const outcome of ["live", "not_live", "retry"]) {
    await tell("view", scenes[outcome]);
    await page.waitForFunction((o) => document.body.dataset.outcome === o, outcome);
    await page.waitForSelector(`.symbol.${outcome}`, { state: "visible" });
    assert.equal(await page.locator(".symbol:visible").count(), 1);
    assert.equal(await page.textContent("#phase"), languages.en[`outcome.${outcome}`]);
    assert.doesNotMatch(await page.innerText("main"), /\d/);
    colours.add(await page.evaluate(() => getComputedStyle(document.querySelector("#phase")).color));
  }
  assert.equal(colours.size, 3);
});

test("locked counts down, the attract screen tells of privacy, a simulated camera of itself", options, async () => {
  const { page } = await visit();
  await tell("view", scenes.locked);
  await page.waitForFunction(() => /\b1:0\d\b/.test(document.querySelector("#remaining").textContent));
  await tell("view", idle);
  await waitForText(page, "#privacy", languages.en["ui.privacy_none"]);
  assert.equal(await page.isVisible("#notice"), false);
  await tell("camera", { name: "door", simulated: true });
  await waitForText(page, "#notice", languages.en["ui.simulated"]);
  await tell("camera", { name: "door" });
  await page.waitForSelector("#notice", { state: "hidden" });
  await tell("view", { ...idle, notice: "slow_feed" });
  await waitForText(page, "#notice", languages.en["reason.slow_feed"]);
  await tell("view", idle);
  await page.waitForSelector("#notice", { state: "hidden" });
});

test("waits while the daemon is away and comes back by itself", options, async () => {
  const { page } = await visit({ allow: /WebSocket connection|ERR_CONNECTION_REFUSED/ });
  await tell("view", scenes.left);
  await waitForText(page, "#prompt", languages.en["prompt.turn_left"]);
  await page.evaluate(() => (window.sameLife = true));
  await tell("stop");
  await waitForText(page, "#prompt", languages.en["prompt.please_wait"]);
  assert.equal(await page.isVisible("#arrow"), false);
  await waitForText(page, "#detail", languages.en["ui.connection"]);
  await tell("start", { version: "1" });
  await tell("view", scenes.rest);
  await waitForText(page, "#prompt", languages.en["prompt.step_away"]);
  assert.equal(await page.evaluate(() => window.sameLife), true, "the page was reloaded by the same version");
  await tell("stop");
  await tell("start", { version: "2" });
  await page.waitForFunction(() => document.documentElement.dataset.version === "2");
  assert.equal(await page.evaluate(() => window.sameLife), undefined);
  await waitForText(page, "#prompt", languages.en["prompt.please_wait"]);
});

test("is no desktop", options, async () => {
  const { page } = await visit();
  const prevented = await page.evaluate(() =>
    ["contextmenu", "dragstart", "selectstart", "wheel"].filter((kind) => !document.body.dispatchEvent(new Event(kind, { bubbles: true, cancelable: true }))),
  );
  assert.deepEqual(prevented, ["contextmenu", "dragstart", "selectstart", "wheel"]);
});

const sizes = [[320, 568], [568, 320], [768, 1024], [1024, 768], [1920, 1080], [1080, 1920], [3840, 2160]];

test("fits every screen in every scene and language", { ...options, timeout: folder ? 480_000 : 120_000 }, async () => {
  const { page, shot } = await visit({ reducedMotion: "reduce" });
  if (folder) await tell("preview", "on"); // the layout is the same without
  await tell("camera", { name: "door", simulated: true });
  const flaws = [];
  for (const [width, height] of sizes) {
    await page.setViewportSize({ width, height });
    for (const [code, text] of Object.entries(languages)) {
      const roomy = Math.min(width, height) > 700; // there the longest and the mirrored ones will do
      if (roomy && !folder && !["de", "fr", "ar"].includes(code)) continue;
      await nobodyThere(page);
      await page.click(`button[data-language="${code}"]`);
      for (const [name, view] of Object.entries(scenes)) {
        await tell("view", view);
        await waitForText(page, "#prompt", text[`prompt.${view.prompt}`]);
        const found = await layoutFlaws(page);
        if (width === sizes[0][0]) found.push(...(await accessibilityFlaws(page))); // where letters are smallest
        flaws.push(...found.map((f) => `${code} ${name} ${width}×${height}: ${f}`));
        if (folder && ["en", "de", "ar"].includes(code)) {
          if (["position", "hold", "move"].includes(view.phase)) await page.waitForSelector("body[data-picture]");
          await shot(`${code}-${name}-${width}x${height}`);
        }
      }
      await tell("view", scenes.rest); // so that the next language begins with a new person
    }
  }
  if (folder) await tell("preview", "off");
  await tell("camera", { name: "door" });
  assert.deepEqual(flaws, []);
});
