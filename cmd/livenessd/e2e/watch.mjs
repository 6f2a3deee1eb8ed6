// Watches the kiosk page of a running daemon in a real browser and prints what
// a person sees: one JSON object a line for each change of the screen. It ends
// after the first result, or when a phase named in UNTIL has been shown. A result
// that was there before the page was is not counted: the browser came too late
// for that session and waits for the next.

import { join } from "node:path";
import { launch, openPage } from "../../../ui/e2e/browser.mjs";

const { PAGE_URL: url, UNTIL: until = "result", SHOTS: folder, SHOT_NAME: name = "page", SIZE: size = "1024x768" } = process.env;
const [width, height] = size.split("x").map(Number);
const limit = Number(process.env.LIMIT_S ?? 90) * 1000;

const browser = await launch();
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
let code = 1;
try {
  const { page, problems } = await openPage(browser, url, { width, height, allow: /WebSocket|ERR_CONNECTION/ });
  const seen = () =>
    page.evaluate(() => {
      const d = document.body.dataset;
      const text = (id) => document.getElementById(id)?.textContent.trim() ?? "";
      const arrow = document.getElementById("arrow");
      return {
        phase: d.phase,
        outcome: d.outcome ?? "",
        prompt: text("prompt"),
        detail: text("detail"),
        arrow: arrow.hasAttribute("hidden") ? "" : arrow.dataset.direction,
        notice: text("notice"),
        alert: text("alert"),
        picture: d.picture ?? "",
        words: document.body.innerText,
      };
    });
  const shots = new Set();
  // Once for each reason to take it; a later one may take the place of an
  // earlier one: the session's picture is that of the last phase it reached.
  const shoot = async (why, file = why) => {
    if (!folder || shots.has(why)) return;
    shots.add(why);
    await page.screenshot({ path: join(folder, `${name}-${file}.jpg`), type: "jpeg", quality: 75 });
  };
  let before = "";
  let fromTheStart = false;
  const end = Date.now() + limit;
  while (Date.now() < end) {
    const now = await seen();
    const { words, ...line } = now;
    if (/\b0\.\d\d|\d\d ?%/.test(words)) problems.push(`a score is on the screen: ${words}`);
    if (JSON.stringify(line) !== before) {
      before = JSON.stringify(line);
      say(line);
    }
    if (["position", "hold"].includes(now.phase) && now.picture) await shoot(now.phase, "session");
    if (now.phase === "move" && now.arrow && now.picture) await shoot("move", "session");
    // "not_ready" is what the page says before it is connected, "rest" belongs to the result.
    if (["idle", "position", "hold", "move", "locked"].includes(now.phase)) fromTheStart = true;
    if (until.split(",").includes(now.phase) && (fromTheStart || now.phase !== "result")) {
      await page.waitForTimeout(400); // transitions
      await shoot(now.phase);
      code = 0;
      break;
    }
    await page.waitForTimeout(60);
  }
  for (const p of problems) say({ problem: p });
} finally {
  await browser.close();
}
process.exit(code);
