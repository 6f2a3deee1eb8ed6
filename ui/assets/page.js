// The page: what the daemon says, on the screen. It decides nothing.

import { keepLink } from "./link.js";
import { Mirror } from "./mirror.js";
import { Words, clock } from "./words.js";

const patience = 60_000; // ms that a language chosen on the attract screen stays
const waiting = { phase: "not_ready", prompt: "please_wait" };
const mirrored = new Set(["position", "hold", "move"]); // phases in which people see themselves

const byId = (id) => document.getElementById(id);
const body = document.body;
const words = new Words();
const mirror = new Mirror(byId("mirror"), render);

let greeting = null; // the daemon's last hello
let linked = false;
let view = waiting;
let simulated = false;
let until = 0; // performance.now() at which the present view's time ends
let chosen = ""; // language
let revert = 0; // timer that goes back to the default language

const link = keepLink({
  message(type, value) {
    if (type === "hello") greet(value);
    if (type === "view") show(value);
    if (type === "camera") simulated = value.simulated;
    if (type !== "beat") render();
  },
  picture(blob) {
    if (linked && mirrored.has(view.phase)) mirror.show(blob);
  },
  down() {
    linked = false;
    render();
  },
});

function greet(hello) {
  if (hello.version !== document.documentElement.dataset.version) {
    reload();
    return;
  }
  const house = greeting?.language;
  greeting = hello;
  linked = true;
  simulated = hello.camera.simulated;
  drawLanguages();
  show(hello.view);
  const gone = !hello.languages.some((l) => l.code === words.language);
  if (gone || house !== hello.language) choose(hello.language);
  requestAnimationFrame(link.beat);
}

/** Gets the page of the daemon's new version, but never leaves this one for the browser's error page. */
async function reload() {
  try {
    const answer = await fetch("/");
    if (answer.ok) location.reload();
  } catch {
    // Gone again: the next greeting comes with the next connection.
  }
}

function show(next) {
  const before = view.phase;
  view = next;
  until = next.remaining_ms === undefined ? 0 : performance.now() + next.remaining_ms;
  // The next person starts in the house's language.
  if (view.phase === "idle" && before !== "idle" && chosen) choose(greeting.language);
}

// Languages.

async function choose(language) {
  chosen = language;
  clearTimeout(revert);
  if (language !== greeting.language) revert = setTimeout(giveBack, patience);
  try {
    const next = new Words();
    await next.use(language);
    if (chosen !== language) return; // somebody chose again meanwhile
    await words.use(language);
  } catch {
    if (linked) setTimeout(() => chosen === language && choose(language), 1000);
    return;
  }
  render();
}

function giveBack() {
  if (view.phase === "idle" || view.phase === "not_ready") choose(greeting.language);
  else revert = setTimeout(giveBack, patience);
}

function drawLanguages() {
  byId("languages").replaceChildren(
    ...greeting.languages.map((l) => {
      const button = document.createElement("button");
      button.type = "button";
      button.lang = l.code;
      button.dir = l.direction;
      button.setAttribute("aria-label", l.name);
      button.dataset.language = l.code;
      button.append(span("full", l.name), span("short", l.short));
      button.addEventListener("click", () => choose(l.code));
      return button;
    }),
  );
}

function span(name, text) {
  const s = document.createElement("span");
  s.className = name;
  s.textContent = text;
  return s;
}

// Drawing. Everything below only writes what changed: render may be called at
// any time.

function render() {
  const now = linked ? view : waiting;
  mark("phase", now.phase);
  mark("outcome", now.phase === "result" ? now.outcome : "");
  mark("warning", now.warning ? "yes" : "");
  mark("mirror", mirrored.has(now.phase) ? "yes" : "");
  mirror.want(mirrored.has(now.phase));
  mark("picture", mirror.visible ? "yes" : "");
  drawArrow(now);
  drawProgress(now);
  if (words.ready) drawWords(now);
}

function mark(name, value) {
  if (!value) delete body.dataset[name];
  else if (body.dataset[name] !== value) body.dataset[name] = value;
}

function drawArrow(now) {
  const arrow = byId("arrow");
  arrow.dataset.direction = now.arrow ?? "";
  arrow.toggleAttribute("hidden", !now.arrow);
}

function drawProgress(now) {
  const part = mirrored.has(now.phase) ? (now.progress ?? 0) : 0;
  const ring = byId("ring");
  ring.style.setProperty("--progress", part);
  ring.toggleAttribute("data-none", part === 0); // a round cap would show as a dot
  const bar = byId("progress");
  bar.hidden = !mirrored.has(now.phase);
  bar.setAttribute("aria-valuenow", Math.round(part * 20) * 5);
}

function drawWords(now) {
  const html = document.documentElement;
  html.lang = words.language;
  html.dir = words.direction;
  document.title = words.say("ui.title");
  for (const b of document.querySelectorAll("#languages button")) {
    b.setAttribute("aria-pressed", String(b.dataset.language === words.language));
  }
  byId("languages").setAttribute("aria-label", words.say("ui.languages"));
  byId("mirror").setAttribute("aria-label", words.say("ui.preview"));
  byId("progress").setAttribute("aria-label", words.say("ui.progress"));

  const prompt = words.say(`prompt.${now.prompt}`);
  const detail = detailOf(now);
  const headline = now.phase === "result" && now.outcome ? `outcome.${now.outcome}` : `phase.${now.phase}`;
  write("phase", words.say(headline));
  write("prompt", prompt);
  write("detail", detail);
  writeOrHide("notice", noticeOf(now));
  writeOrHide("privacy", now.phase === "idle" && words.say(greeting.pictures_kept ? "ui.privacy_kept" : "ui.privacy_none"));
  byId("warning").hidden = !now.warning;
  byId("warning").querySelector("span").textContent = words.say("ui.warning");
  drawSteps(now);
  drawRemaining();

  const spoken = [prompt, detail, now.warning ? words.say("ui.warning") : ""].filter(Boolean).join(". ");
  const result = now.phase === "result";
  write("alert", result ? `${words.say(headline)}. ${spoken}` : "");
  write("say", result ? "" : spoken);
}

/** The smaller line below the prompt: why, or what is going on. */
function detailOf(now) {
  if (!linked) return words.say("ui.connection");
  if (now.phase === "idle") return words.say("ui.idle_hint");
  if (now.reason) return words.say(`reason.${now.reason}`);
  if (now.phase === "result" && now.outcome === "not_live") return words.say("ui.not_live_hint");
  return "";
}

/** What the operator should know: that the person is none, and what is wrong though it works. */
function noticeOf(now) {
  const parts = [];
  if (linked && simulated) parts.push(words.say("ui.simulated"));
  if (linked && now.notice) parts.push(words.say(`reason.${now.notice}`));
  return parts.join(" · ");
}

function drawSteps(now) {
  const steps = byId("steps");
  steps.hidden = !now.steps;
  if (!now.steps) return;
  const count = Math.min(now.steps, 12); // more than that are no dots but a line
  while (steps.childElementCount > count) steps.lastChild.remove();
  while (steps.childElementCount < count) steps.append(document.createElement("i"));
  [...steps.children].forEach((dot, i) => {
    dot.className = i + 1 < now.step ? "done" : i + 1 === now.step ? "now" : "";
  });
  steps.setAttribute("aria-label", words.say("ui.step", { step: now.step ?? 0, steps: now.steps }));
}

function drawRemaining() {
  const left = linked && view.phase === "locked" && until ? until - performance.now() : 0;
  writeOrHide("remaining", left > 0 && words.say("ui.remaining", { time: clock(left) }));
}

function write(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

function writeOrHide(id, text) {
  write(id, text || "");
  byId(id).hidden = !text;
}

setInterval(() => words.ready && drawRemaining(), 500);

// A kiosk is no desktop: no menu, no zoom, no dragging.

for (const kind of ["contextmenu", "dragstart", "selectstart", "gesturestart"]) {
  document.addEventListener(kind, (event) => event.preventDefault());
}
document.addEventListener("wheel", (event) => event.preventDefault(), { passive: false });
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && ["+", "-", "=", "0"].includes(event.key)) event.preventDefault();
});
